//! Connections for the pool: guard, dial, proxy, TLS.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsConnector;

use super::address::is_public;
use super::dial::{Dialer, Reach, Stream};
use super::error::{AddressBlocked, ConnectFault};
use super::settings::Proxy;

/// Opens connections; shared by the pool and by WebSockets.
pub(super) struct Opener {
    pub(super) dialer: Arc<dyn Dialer>,
    pub(super) proxy: Option<Proxy>,
    pub(super) reach: Reach,
    pub(super) timeout: Duration,
}

/// Why a connection could not be opened; what the pool's error holds at its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum OpenError {
    #[error(transparent)]
    Blocked(#[from] AddressBlocked),
    #[error(transparent)]
    Fault(#[from] ConnectFault),
}

impl Opener {
    /// Opens a connection, through TLS where a configuration is given.
    pub(super) async fn open(
        &self,
        host: &str,
        port: u16,
        tls: Option<Arc<ClientConfig>>,
    ) -> Result<(Box<dyn Stream>, bool), OpenError> {
        tokio::time::timeout(self.timeout, self.open_untimed(host, port, tls))
            .await
            .unwrap_or(Err(OpenError::Fault(ConnectFault::Timeout)))
    }

    async fn open_untimed(
        &self,
        host: &str,
        port: u16,
        tls: Option<Arc<ClientConfig>>,
    ) -> Result<(Box<dyn Stream>, bool), OpenError> {
        let stream = match &self.proxy {
            Some(proxy) if proxy.serves(host) => self.tunnel(proxy, host, port).await?,
            _ => self.dialer.dial(host, port, self.reach).await.map_err(|error| refused(&error))?,
        };
        let Some(config) = tls else { return Ok((stream, false)) };
        let name = ServerName::try_from(bare(host).to_owned()).map_err(|_| ConnectFault::Tls)?;
        let stream = TlsConnector::from(config).connect(name, stream).await.map_err(|_| ConnectFault::Tls)?;
        let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        Ok((Box::new(stream), http2))
    }

    /// Asks the proxy for a tunnel. The proxy resolves the name, so the guard sees literal addresses only;
    /// the proxy itself is the operator's and may be anywhere.
    async fn tunnel(&self, proxy: &Proxy, host: &str, port: u16) -> Result<Box<dyn Stream>, OpenError> {
        if self.reach == Reach::Public && is_private_name(host) {
            return Err(AddressBlocked.into());
        }
        let mut stream =
            self.dialer.dial(&proxy.host, proxy.port, Reach::Any).await.map_err(|_| ConnectFault::Network)?;
        let authority = format!("{host}:{port}");
        let authorization = proxy
            .authorization
            .as_ref()
            .map_or_else(String::new, |value| format!("Proxy-Authorization: {value}\r\n"));
        let request = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n{authorization}\r\n");
        stream.write_all(request.as_bytes()).await.map_err(|_| ConnectFault::Proxy)?;
        stream.flush().await.map_err(|_| ConnectFault::Proxy)?;
        let head = read_head(&mut stream).await.map_err(|_| ConnectFault::Proxy)?;
        let status = head.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
        if head.starts_with(b"HTTP/1.") && status.first() == Some(&b'2') {
            Ok(stream)
        } else {
            Err(ConnectFault::Proxy.into())
        }
    }
}

/// Reads byte by byte, so that nothing of the tunnelled bytes behind the head is taken.
async fn read_head(stream: &mut Box<dyn Stream>) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(256);
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() >= 8_192 {
            return Err(io::Error::other("the proxy's answer has no end"));
        }
        head.push(stream.read_u8().await?);
    }
    Ok(head)
}

fn refused(error: &io::Error) -> OpenError {
    let blocked = error.get_ref().and_then(|inner| inner.downcast_ref::<AddressBlocked>());
    blocked.map_or(OpenError::Fault(ConnectFault::Network), |blocked| OpenError::Blocked(*blocked))
}

fn bare(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

/// Whether a host is a literal private address, or a name that means this machine.
pub(super) fn is_private_name(host: &str) -> bool {
    let host = bare(host).trim_end_matches('.').to_ascii_lowercase();
    match host.parse::<IpAddr>() {
        Ok(address) => !is_public(address),
        Err(_) => {
            host == "localhost"
                || [".localhost", ".local", ".internal", ".home.arpa"].iter().any(|end| host.ends_with(end))
        }
    }
}

/// What hyper's pool asks for connections.
#[derive(Clone)]
pub(super) struct PoolConnector {
    pub(super) opener: Arc<Opener>,
    pub(super) tls: Arc<ClientConfig>,
}

impl tower_service::Service<Uri> for PoolConnector {
    type Response = PoolStream;
    type Error = OpenError;
    type Future = Pin<Box<dyn Future<Output = Result<PoolStream, OpenError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let this = self.clone();
        Box::pin(async move {
            let tls = (uri.scheme_str() == Some("https")).then(|| this.tls.clone());
            let port = uri.port_u16().unwrap_or(if tls.is_some() { 443 } else { 80 });
            let host = uri.host().unwrap_or_default();
            let (stream, http2) = this.opener.open(host, port, tls).await?;
            Ok(PoolStream { stream: TokioIo::new(stream), http2 })
        })
    }
}

/// A connection in the pool.
pub(super) struct PoolStream {
    stream: TokioIo<Box<dyn Stream>>,
    http2: bool,
}

impl Connection for PoolStream {
    fn connected(&self) -> Connected {
        if self.http2 { Connected::new().negotiated_h2() } else { Connected::new() }
    }
}

impl Read for PoolStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl Write for PoolStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    // Without these, hyper copies every chunk of a file into a buffer of its own before it writes.
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
