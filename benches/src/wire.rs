//! HTTP/1.1 connections that are kept, for probes and load.

use std::net::SocketAddr;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Opens connections and keeps them going.
#[derive(Default)]
pub(crate) struct Dialer(JoinSet<()>);

impl Dialer {
    /// Opens one.
    pub(crate) async fn open(&mut self, address: SocketAddr) -> Result<Connection> {
        let stream =
            TcpStream::connect(address).await.with_context(|| format!("{address} does not listen"))?;
        stream.set_nodelay(true)?;
        let (sender, driver) = handshake(TokioIo::new(stream)).await?;
        self.0.spawn(async move {
            // How it ended, its user learns.
            let _ = driver.await;
        });
        Ok(Connection(sender))
    }
}

/// One connection.
pub(crate) struct Connection(SendRequest<Full<Bytes>>);

impl Connection {
    /// One exchange, to the end of the answer.
    pub(crate) async fn exchange(&mut self, request: Request<Full<Bytes>>) -> Result<StatusCode> {
        let answer = self.0.send_request(request).await?;
        let status = answer.status();
        answer.into_body().collect().await?;
        Ok(status)
    }
}
