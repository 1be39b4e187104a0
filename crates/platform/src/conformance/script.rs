//! A platform that answers as it is told, on loopback. It speaks bytes, so that no HTTP library tests itself.

use std::io;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// How the platform answers every request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Script {
    /// Nobody listens.
    Refuses,
    /// Reads the request and says nothing.
    Silent,
    /// Reads the request and closes.
    HangsUp,
    /// Answers.
    Says {
        /// Status.
        status: u16,
        /// Headers besides the length.
        headers: Vec<(String, String)>,
        /// Body.
        body: String,
    },
}

impl Script {
    /// An answer with JSON.
    pub fn json(status: u16, body: &str) -> Self {
        let headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
        Self::Says { status, headers, body: body.to_owned() }
    }
}

/// A running server; ends when dropped.
pub struct ScriptedServer {
    port: u16,
    // Dropping the set ends the task.
    _tasks: JoinSet<()>,
}

impl ScriptedServer {
    /// Starts one on a free port of this machine.
    pub async fn start(script: Script) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let mut tasks = JoinSet::new();
        if script == Script::Refuses {
            drop(listener);
        } else {
            tasks.spawn(serve(listener, script));
        }
        Ok(Self { port, _tasks: tasks })
    }

    /// Its address: `http://127.0.0.1:port`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

async fn serve(listener: TcpListener, script: Script) {
    let mut connections = JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        let script = script.clone();
        connections.spawn(async move {
            // An end of the connection ends the conversation; there is nobody to tell.
            let _ = converse(socket, &script).await;
        });
    }
}

async fn converse(mut socket: TcpStream, script: &Script) -> io::Result<()> {
    loop {
        read_request(&mut socket).await?;
        match script {
            Script::Refuses | Script::HangsUp => return Ok(()),
            Script::Silent => std::future::pending::<()>().await,
            Script::Says { status, headers, body } => {
                let mut answer = format!("HTTP/1.1 {status} Scripted\r\nContent-Length: {}\r\n", body.len());
                for (name, value) in headers {
                    answer.extend([name, ": ", value, "\r\n"]);
                }
                answer.push_str("\r\n");
                answer.push_str(body);
                socket.write_all(answer.as_bytes()).await?;
            }
        }
    }
}

/// Reads one request; bodies have a `Content-Length`, as the client sends them.
async fn read_request(socket: &mut TcpStream) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"))
        .and_then(|length| length.trim().parse::<usize>().ok())
        .unwrap_or(0);
    socket.read_exact(&mut vec![0; length]).await.map(|_| ())
}
