//! A Slack that answers as the test says and remembers what it was asked. It speaks bytes, so that no HTTP
//! library tests itself.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// A call of a method.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) method: String,
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

/// An answer: status, `Retry-After`, body.
pub(crate) struct Reply(pub(crate) u16, pub(crate) Option<&'static str>, pub(crate) String);

impl From<Value> for Reply {
    fn from(value: Value) -> Self {
        Self(200, None, value.to_string())
    }
}

pub(crate) fn error(code: &str) -> Reply {
    Reply(200, None, format!("{{\"ok\":false,\"error\":\"{code}\"}}"))
}

type Handler = dyn Fn(&Call) -> Reply + Send + Sync;

pub(crate) struct FakeSlack {
    port: u16,
    calls: Arc<Mutex<Vec<Call>>>,
    // Dropping the set ends the server.
    _tasks: JoinSet<()>,
}

impl FakeSlack {
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

async fn converse(mut socket: TcpStream, handler: &Handler, calls: &Mutex<Vec<Call>>) -> io::Result<()> {
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(socket.read_u8().await?);
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let mut lines = head.lines();
        let path = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap_or_default();
        let headers: BTreeMap<String, String> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        socket.read_exact(&mut body).await?;
        let call = Call {
            method: path.trim_start_matches("/api/").to_owned(),
            headers,
            body: String::from_utf8(body).expect("a body of text"),
        };
        let Reply(status, retry_after, body) = handler(&call);
        calls.lock().unwrap().push(call);
        let retry_after = retry_after.map_or_else(String::new, |value| format!("Retry-After: {value}\r\n"));
        let kind = if body.starts_with("<!") { "text/html; charset=utf-8" } else { "application/json" };
        let answer = format!(
            "HTTP/1.1 {status} Fake\r\nContent-Type: {kind}\r\nX-OAuth-Scopes: chat:write,users:read\r\nContent-Length: {}\r\n{retry_after}\r\n{body}",
            body.len()
        );
        socket.write_all(answer.as_bytes()).await?;
    }
}
