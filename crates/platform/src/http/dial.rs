//! Opening sockets. The only place that resolves names; simulations bring their own dialer.

use std::io;
use std::net::{IpAddr, SocketAddr};

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};

use super::address::is_public;
use super::error::AddressBlocked;

/// An open connection.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Which addresses may be connected to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reach {
    /// Public unicast addresses only.
    Public,
    /// Any: the operator's own proxy, simulators on this machine.
    Any,
}

/// Opens connections by name.
#[async_trait]
pub trait Dialer: Send + Sync {
    /// Resolves and connects. An address outside `reach` is an error that holds an [`AddressBlocked`];
    /// the connection goes to the very address that was checked.
    async fn dial(&self, host: &str, port: u16, reach: Reach) -> io::Result<Box<dyn Stream>>;
}

/// The operating system's resolver and TCP.
#[derive(Clone, Copy, Default, Debug)]
pub struct TcpDialer;

#[async_trait]
impl Dialer for TcpDialer {
    async fn dial(&self, host: &str, port: u16, reach: Reach) -> io::Result<Box<dyn Stream>> {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let found: Vec<SocketAddr> = match bare.parse::<IpAddr>() {
            Ok(address) => vec![SocketAddr::new(address, port)],
            Err(_) => lookup_host((bare, port)).await?.collect(),
        };
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in admit(found, reach)? {
            match TcpStream::connect(address).await {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    return Ok(Box::new(stream));
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

/// Lets addresses pass only if every one of them may be reached: a name that points inside as well as
/// outside is an attempt to get inside.
pub(super) fn admit(found: Vec<SocketAddr>, reach: Reach) -> io::Result<Vec<SocketAddr>> {
    if reach == Reach::Public && found.iter().any(|address| !is_public(address.ip())) {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, AddressBlocked));
    }
    Ok(found)
}
