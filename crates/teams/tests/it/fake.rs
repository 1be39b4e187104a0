//! Entra, Graph, the Bot Connector and the Bot Framework's login service in one listener that answers as the
//! test says and remembers what it was asked. It speaks bytes, so that no HTTP library tests itself.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) method: String,
    /// With the query, as sent.
    pub(crate) path: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Call {
    pub(crate) fn token(&self) -> &str {
        self.headers.get("authorization").map_or("", |value| value.trim_start_matches("Bearer "))
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("a JSON body")
    }

    /// `METHOD path`.
    pub(crate) fn line(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

/// An answer: status, `Retry-After`, body.
pub(crate) struct Reply(pub(crate) u16, pub(crate) Option<&'static str>, pub(crate) String);

impl Reply {
    pub(crate) fn error(status: u16, code: &str) -> Self {
        Self(status, None, json!({ "error": { "code": code, "message": "A sentence." } }).to_string())
    }
}

impl From<Value> for Reply {
    fn from(value: Value) -> Self {
        Self(200, None, value.to_string())
    }
}

type Handler = dyn Fn(&Call) -> Option<Reply> + Send + Sync;

pub(crate) struct Fake {
    port: u16,
    calls: Arc<Mutex<Vec<Call>>>,
    // Dropping the set ends the server.
    _tasks: JoinSet<()>,
}

impl Fake {
    /// Answers with what `handler` says; tokens and keys are answered where it says nothing.
    pub(crate) async fn start(handler: impl Fn(&Call) -> Option<Reply> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let calls = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(listener, Arc::new(handler), calls.clone(), port));
        Self { port, calls, _tasks: tasks }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Everything that was asked since the last time.
    pub(crate) fn all_calls(&self) -> Vec<Call> {
        std::mem::take(&mut *self.calls.lock().unwrap())
    }

    /// What was asked since the last time, without tokens and keys.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.all_calls().into_iter().filter(|call| standard(call, 0).is_none()).collect()
    }

    /// The same as `METHOD path`.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.calls().iter().map(Call::line).collect()
    }
}

/// Tokens and keys.
fn standard(call: &Call, port: u16) -> Option<Reply> {
    let base = format!("http://127.0.0.1:{port}");
    match call.path.as_str() {
        path if path.ends_with("/oauth2/v2.0/token") => {
            let bot = call.body.contains("botframework");
            let token = if bot { "bot-token" } else { "graph-token" };
            Some(json!({ "token_type": "Bearer", "expires_in": 3599, "access_token": token }).into())
        }
        "/bot/openid" => Some(
            json!({ "issuer": "https://api.botframework.com", "jwks_uri": format!("{base}/bot/keys") })
                .into(),
        ),
        "/common/.well-known/openid-configuration" => {
            Some(json!({ "jwks_uri": format!("{base}/login/keys") }).into())
        }
        "/bot/keys" => Some(crate::support::key_set(&crate::support::BOT_KEY, &["msteams", "skype"]).into()),
        "/login/keys" => Some(crate::support::key_set(&crate::support::LOGIN_KEY, &[]).into()),
        _ => None,
    }
}

async fn serve(listener: TcpListener, handler: Arc<Handler>, calls: Arc<Mutex<Vec<Call>>>, port: u16) {
    let mut connections = JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        let (handler, calls) = (handler.clone(), calls.clone());
        connections.spawn(async move {
            let _ = converse(socket, handler.as_ref(), &calls, port).await;
        });
    }
}

async fn converse(
    mut socket: TcpStream,
    handler: &Handler,
    calls: &Mutex<Vec<Call>>,
    port: u16,
) -> io::Result<()> {
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(socket.read_u8().await?);
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let mut lines = head.lines();
        let mut first = lines.next().unwrap_or_default().split(' ');
        let method = first.next().unwrap_or_default().to_owned();
        let path = first.next().unwrap_or_default().to_owned();
        let headers: BTreeMap<String, String> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        socket.read_exact(&mut body).await?;
        let call = Call { method, path, headers, body: String::from_utf8(body).expect("a body of text") };
        let reply = handler(&call).or_else(|| standard(&call, port));
        let Reply(status, retry_after, body) = reply.unwrap_or_else(|| Reply::error(404, "NotScripted"));
        calls.lock().unwrap().push(call);
        let retry_after = retry_after.map_or_else(String::new, |value| format!("Retry-After: {value}\r\n"));
        // A redirect leads to what its body says.
        let location = if status == 302 { format!("Location: {body}\r\n") } else { String::new() };
        let answer = format!(
            "HTTP/1.1 {status} Fake\r\n{location}Content-Type: application/json\r\nContent-Length: {}\r\n{retry_after}\r\n{body}",
            body.len()
        );
        socket.write_all(answer.as_bytes()).await?;
    }
}
