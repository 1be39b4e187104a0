//! A Webex that answers as the test says and remembers what it was asked. It speaks bytes, so that no HTTP
//! library tests itself.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// A call: `GET messages/ID`, without the base of the API.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) line: String,
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

/// An answer.
#[derive(Clone)]
pub(crate) struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
    after: Option<Arc<Notify>>,
}

impl Reply {
    pub(crate) fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: String::new(), after: None }
    }

    pub(crate) fn refused(status: u16, message: &str) -> Self {
        let body = serde_json::json!({ "message": message, "errors": [{ "description": message }] });
        Self { body: body.to_string(), ..Self::status(status) }
    }

    pub(crate) fn plain(text: &str) -> Self {
        Self { body: text.to_owned(), ..Self::status(200) }
    }

    /// Not before this was notified.
    pub(crate) fn after(self, gate: &Arc<Notify>) -> Self {
        Self { after: Some(gate.clone()), ..self }
    }

    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }
}

impl From<Value> for Reply {
    fn from(value: Value) -> Self {
        Self { body: value.to_string(), ..Self::status(200) }
    }
}

type Handler = dyn Fn(&Call) -> Reply + Send + Sync;

pub(crate) struct FakeWebex {
    port: u16,
    calls: Arc<Mutex<Vec<Call>>>,
    // Dropping the set ends the server.
    _tasks: JoinSet<()>,
}

impl FakeWebex {
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

    /// The lines of what was asked since the last time.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.calls().into_iter().map(|call| call.line).collect()
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
        let mut words = lines.next().unwrap_or_default().split(' ');
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let headers: BTreeMap<String, String> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        socket.read_exact(&mut body).await?;
        let call = Call {
            line: format!("{method} {}", path.trim_start_matches("/v1/")),
            query: form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
            headers,
            body: String::from_utf8(body).expect("a body of text"),
        };
        let reply = handler(&call);
        calls.lock().unwrap().push(call);
        if let Some(gate) = &reply.after {
            gate.notified().await;
        }
        let mut answer = format!(
            "HTTP/1.1 {} Fake\r\nContent-Type: application/json;charset=UTF-8\r\ntrackingId: ROUTER_1\r\n",
            reply.status
        );
        for (name, value) in &reply.headers {
            write!(answer, "{name}: {value}\r\n").unwrap();
        }
        let own_length = reply.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        if !own_length && reply.status != 204 {
            write!(answer, "Content-Length: {}\r\n", reply.body.len()).unwrap();
        }
        write!(answer, "\r\n{}", if method == "HEAD" { "" } else { &reply.body }).unwrap();
        socket.write_all(answer.as_bytes()).await?;
    }
}
