//! A Zoom that answers as the test says and remembers what it was asked. It speaks bytes, so that no HTTP
//! library tests itself.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// Method and path, without the query: `POST /v2/chat/users/me/messages`.
    pub(crate) what: String,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Call {
    pub(crate) fn token(&self) -> &str {
        self.headers.get("authorization").map_or("", |value| value.trim_start_matches("Bearer "))
    }

    pub(crate) fn form(&self) -> BTreeMap<String, String> {
        form_urlencoded::parse(self.body.as_bytes()).into_owned().collect()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("a JSON body")
    }
}

/// An answer: status, headers, body.
pub(crate) struct Reply(pub(crate) u16, pub(crate) &'static str, pub(crate) String);

impl From<Value> for Reply {
    fn from(value: Value) -> Self {
        Self(200, "", value.to_string())
    }
}

/// Done, without a body.
pub(crate) fn done() -> Reply {
    Reply(204, "", String::new())
}

pub(crate) fn error(status: u16, code: i64, message: &str) -> Reply {
    Reply(status, "", serde_json::json!({ "code": code, "message": message }).to_string())
}

type Handler = dyn Fn(&Call) -> Reply + Send + Sync;

pub(crate) struct FakeZoom {
    port: u16,
    calls: Arc<Mutex<Vec<Call>>>,
    // Dropping the set ends the server.
    _tasks: JoinSet<()>,
}

impl FakeZoom {
    pub(crate) async fn start(handler: impl Fn(&Call) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let calls = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(listener, Arc::new(handler), calls.clone()));
        Self { port, calls, _tasks: tasks }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What was asked since the last time.
    pub(crate) fn calls(&self) -> Vec<Call> {
        std::mem::take(&mut *self.calls.lock().unwrap())
    }

    /// The one call since the last time.
    pub(crate) fn call(&self) -> Call {
        let mut calls = self.calls();
        assert_eq!(calls.len(), 1, "calls");
        calls.remove(0)
    }
}

async fn serve(listener: TcpListener, handler: Arc<Handler>, calls: Arc<Mutex<Vec<Call>>>) {
    let mut connections = JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        let (handler, calls) = (handler.clone(), calls.clone());
        connections.spawn(async move {
            let _ = converse(socket, handler.as_ref(), &calls).await;
        });
    }
}

/// A body whose length nobody knew beforehand.
async fn read_chunks(socket: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            line.push(socket.read_u8().await?);
        }
        let length = usize::from_str_radix(String::from_utf8_lossy(&line).trim(), 16).expect("a length");
        let mut chunk = vec![0; length + 2];
        socket.read_exact(&mut chunk).await?;
        if length == 0 {
            return Ok(body);
        }
        body.extend_from_slice(&chunk[..length]);
    }
}

async fn converse(mut socket: TcpStream, handler: &Handler, calls: &Mutex<Vec<Call>>) -> io::Result<()> {
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(socket.read_u8().await?);
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let mut lines = head.lines();
        let mut first = lines.next().unwrap_or_default().split(' ');
        let (method, path) = (first.next().unwrap_or_default(), first.next().unwrap_or_default());
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let headers: BTreeMap<String, String> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let body = if headers.get("transfer-encoding").is_some_and(|it| it == "chunked") {
            read_chunks(&mut socket).await?
        } else {
            let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
            let mut body = vec![0; length];
            socket.read_exact(&mut body).await?;
            body
        };
        let call = Call {
            what: format!("{method} {path}"),
            query: form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
            headers,
            body: String::from_utf8(body).expect("a body of text"),
        };
        let Reply(status, headers, body) = handler(&call);
        calls.lock().unwrap().push(call);
        let answer = format!(
            "HTTP/1.1 {status} Fake\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{headers}\r\n{body}",
            body.len()
        );
        socket.write_all(answer.as_bytes()).await?;
    }
}
