//! Sockets behind a seam, so that the same servers run on a simulated network.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};

/// A connected stream of bytes.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Io for T {}

/// A boxed stream of bytes.
pub type BoxIo = Box<dyn Io>;

/// Makes listeners and connections.
#[async_trait]
pub trait Net: Send + Sync {
    /// Listens on an address; port 0 asks for a free one.
    async fn listen(&self, address: SocketAddr) -> io::Result<Box<dyn NetListener>>;

    /// Connects to a host name or address.
    async fn connect(&self, host: &str, port: u16) -> io::Result<BoxIo>;
}

/// A listening socket.
#[async_trait]
pub trait NetListener: Send {
    /// Waits for the next connection.
    async fn accept(&mut self) -> io::Result<(BoxIo, SocketAddr)>;

    /// Where it listens.
    fn local_addr(&self) -> io::Result<SocketAddr>;
}

/// The machine's sockets, loopback only.
#[derive(Debug, Default, Clone)]
pub struct TokioNet {
    names: BTreeMap<String, SocketAddr>,
}

impl TokioNet {
    /// Sends connections for a host name to a loopback address, whatever port is asked for.
    #[must_use]
    pub fn with_name(mut self, host: &str, address: SocketAddr) -> Self {
        self.names.insert(host.to_ascii_lowercase(), address);
        self
    }
}

fn refused(what: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::PermissionDenied,
        format!("{what} is not a loopback address; simulators stay on this machine"),
    )
}

#[async_trait]
impl Net for TokioNet {
    async fn listen(&self, address: SocketAddr) -> io::Result<Box<dyn NetListener>> {
        if !address.ip().is_loopback() {
            return Err(refused(&address.to_string()));
        }
        Ok(Box::new(TokioListener(TcpListener::bind(address).await?)))
    }

    async fn connect(&self, host: &str, port: u16) -> io::Result<BoxIo> {
        if let Some(address) = self.names.get(&host.to_ascii_lowercase()) {
            return Ok(Box::new(connected(*address).await?));
        }
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let mut last = refused(host);
        for address in tokio::net::lookup_host((host, port)).await? {
            if !address.ip().is_loopback() {
                continue;
            }
            match connected(address).await {
                Ok(stream) => return Ok(Box::new(stream)),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

async fn connected(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

struct TokioListener(TcpListener);

#[async_trait]
impl NetListener for TokioListener {
    async fn accept(&mut self) -> io::Result<(BoxIo, SocketAddr)> {
        let (stream, peer) = self.0.accept().await?;
        stream.set_nodelay(true)?;
        Ok((Box::new(stream), peer))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}
