//! The other end of the socket: what the command line uses.

use std::path::{Path, PathBuf};
use std::pin::Pin;

use bytes::Bytes;
use dragoman_model::codes;
use http::{Method, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

use super::api::{ActivityInfo, Ask};
use super::problem::Problem;

/// Why an answer did not come.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens.
    #[error(
        "no gateway runs with the data folder {}; start it with `dragoman serve`, or name its configuration with --config ({})",
        folder(.0), codes::NOT_RUNNING
    )]
    NotRunning(PathBuf),
    /// Somebody listens, and we may not speak with them.
    #[error(
        "the socket {} may not be used by this user; run the command as the user that runs `dragoman serve`",
        .0.display()
    )]
    Forbidden(PathBuf),
    /// The gateway said no.
    #[error(transparent)]
    Problem(#[from] Problem),
    /// The answer was not understood or broke off.
    #[error("the gateway's answer was lost ({0}); look with `dragoman doctor` whether it was done")]
    Lost(String),
}

fn folder(socket: &Path) -> String {
    socket.parent().unwrap_or(socket).display().to_string()
}

/// Speaks with a running gateway.
#[derive(Clone, Debug)]
pub struct Client {
    socket: PathBuf,
}

type Sender = http1::SendRequest<Full<Bytes>>;
type Connection = http1::Connection<TokioIo<UnixStream>, Full<Bytes>>;

impl Client {
    /// Speaks through the socket at a path.
    pub fn new(socket: impl Into<PathBuf>) -> Self {
        Self { socket: socket.into() }
    }

    /// The path of the socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Asks, and waits for the answer.
    pub async fn ask<A: Ask>(&self, ask: &A) -> Result<A::Answer, ClientError> {
        let body = serde_json::to_vec(ask).map_err(lost)?;
        let (sender, connection) = self.connect().await?;
        // The connection ends when the sender is dropped.
        let (answer, _) = tokio::join!(exchange(sender, A::NAME, body), connection);
        let (status, body) = answer?;
        if status == StatusCode::OK {
            return serde_json::from_slice(&body).map_err(lost);
        }
        match serde_json::from_slice::<Problem>(&body) {
            Ok(problem) => Err(problem.into()),
            Err(_) => Err(ClientError::Lost(format!("status {status}"))),
        }
    }

    /// Follows what happens.
    pub async fn activity(&self) -> Result<ActivityReader, ClientError> {
        let (mut sender, connection) = self.connect().await?;
        let mut connection = Box::pin(connection);
        let request = request(Method::GET, "activity", Vec::new())?;
        let response = tokio::select! {
            response = sender.send_request(request) => response.map_err(lost)?,
            _ = &mut connection => return Err(ClientError::Lost("the connection ended".to_owned())),
        };
        Ok(ActivityReader { _sender: sender, connection, body: response.into_body(), rest: Vec::new() })
    }

    async fn connect(&self) -> Result<(Sender, Connection), ClientError> {
        let stream = UnixStream::connect(&self.socket).await;
        let stream = stream.map_err(|error| match error.kind() {
            std::io::ErrorKind::PermissionDenied => ClientError::Forbidden(self.socket.clone()),
            _ => ClientError::NotRunning(self.socket.clone()),
        })?;
        http1::handshake(TokioIo::new(stream)).await.map_err(lost)
    }
}

/// Entries of the activity stream.
pub struct ActivityReader {
    _sender: Sender,
    connection: Pin<Box<Connection>>,
    body: Incoming,
    rest: Vec<u8>,
}

impl ActivityReader {
    /// The next entry; `None` when the gateway ends.
    pub async fn next(&mut self) -> Option<ActivityInfo> {
        loop {
            while let Some(end) = self.rest.windows(2).position(|pair| pair == b"\n\n") {
                let event: Vec<u8> = self.rest.drain(..end + 2).collect();
                let entry = event
                    .strip_prefix(b"data: ")
                    .and_then(|json| serde_json::from_slice(json.trim_ascii()).ok());
                if entry.is_some() {
                    return entry;
                }
            }
            let frame = tokio::select! {
                biased;
                frame = self.body.frame() => frame?.ok()?,
                _ = &mut self.connection => return None,
            };
            self.rest.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
        }
    }
}

async fn exchange(mut sender: Sender, name: &str, body: Vec<u8>) -> Result<(StatusCode, Bytes), ClientError> {
    let response = sender.send_request(request(Method::POST, name, body)?).await.map_err(lost)?;
    let status = response.status();
    let body = response.into_body().collect().await.map_err(lost)?.to_bytes();
    Ok((status, body))
}

fn request(method: Method, name: &str, body: Vec<u8>) -> Result<http::Request<Full<Bytes>>, ClientError> {
    http::Request::builder()
        .method(method)
        .uri(format!("/v1/{name}"))
        .header(http::header::HOST, "gateway")
        .body(Full::new(Bytes::from(body)))
        .map_err(lost)
}

fn lost(error: impl std::fmt::Display) -> ClientError {
    ClientError::Lost(error.to_string())
}
