//! Sockets of the simulated network for the gateway, its HTTP client and the simulators.

use std::io;
use std::net::{IpAddr, SocketAddr};

use async_trait::async_trait;
use dragoman_gateway::http::Listener;
use dragoman_platform::http::{Dialer, Reach, Stream};
use dragoman_sim::core::{BoxIo, Net, NetListener};
use turmoil::net::{TcpListener, TcpStream};

use super::platforms::{HOST, PORT};

/// The simulators' sockets.
pub(super) struct SimNet;

#[async_trait]
impl Net for SimNet {
    async fn listen(&self, address: SocketAddr) -> io::Result<Box<dyn NetListener>> {
        // Port 0 is the first simulator's.
        let port = if address.port() == 0 { PORT } else { address.port() };
        Ok(Box::new(SimListener { listener: TcpListener::bind(("0.0.0.0", port)).await?, port }))
    }

    async fn connect(&self, host: &str, port: u16) -> io::Result<BoxIo> {
        Ok(Box::new(TcpStream::connect((host, port)).await?))
    }
}

struct SimListener {
    listener: TcpListener,
    port: u16,
}

#[async_trait]
impl NetListener for SimListener {
    async fn accept(&mut self) -> io::Result<(BoxIo, SocketAddr)> {
        let (stream, peer) = self.listener.accept().await?;
        Ok((Box::new(stream), peer))
    }

    /// Where the gateway reaches it: links that simulators write begin with it.
    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(SocketAddr::new(turmoil::lookup(HOST), self.port))
    }
}

/// The gateway's door.
pub(super) struct Door(TcpListener);

impl Door {
    pub(super) async fn open() -> io::Result<Self> {
        Ok(Self(TcpListener::bind(("0.0.0.0", PORT)).await?))
    }
}

#[async_trait]
impl Listener for Door {
    async fn accept(&self) -> io::Result<(Box<dyn Stream>, Option<IpAddr>)> {
        let (stream, peer) = self.0.accept().await?;
        Ok((Box::new(stream), Some(peer.ip())))
    }
}

/// The gateway's way out.
pub(super) struct Way;

#[async_trait]
impl Dialer for Way {
    async fn dial(&self, host: &str, port: u16, _reach: Reach) -> io::Result<Box<dyn Stream>> {
        Ok(Box::new(TcpStream::connect((host, port)).await?))
    }
}
