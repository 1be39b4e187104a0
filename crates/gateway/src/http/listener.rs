//! Where connections come from. Simulations bring their own.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use dragoman_platform::http::Stream;
use tokio::net::{TcpListener, UnixListener};

/// A source of connections.
#[async_trait]
pub trait Listener: Send + Sync {
    /// The next connection and the address it comes from, where there is one.
    async fn accept(&self) -> io::Result<(Box<dyn Stream>, Option<IpAddr>)>;
}

/// TCP.
pub struct Tcp(TcpListener);

impl Tcp {
    /// Listens on an address; port 0 takes a free one.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        Ok(Self(TcpListener::bind(address).await?))
    }

    /// The address that it listens on.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

#[async_trait]
impl Listener for Tcp {
    async fn accept(&self) -> io::Result<(Box<dyn Stream>, Option<IpAddr>)> {
        let (stream, from) = self.0.accept().await?;
        stream.set_nodelay(true)?;
        Ok((Box::new(stream), Some(from.ip())))
    }
}

/// A Unix socket that only its owner may use; its file goes with the listener.
pub struct Unix {
    listener: UnixListener,
    path: PathBuf,
}

impl Unix {
    /// Listens at a path. A socket left there by a process that died is replaced: who holds the lock of the
    /// data folder owns its socket too.
    pub fn bind(path: &Path) -> io::Result<Self> {
        // The file appears under its name only once nobody else may use it.
        let fresh = path.with_extension("new");
        remove_if_there(&fresh)?;
        let listener = UnixListener::bind(&fresh)?;
        std::fs::set_permissions(&fresh, std::fs::Permissions::from_mode(0o600))?;
        std::fs::rename(&fresh, path)?;
        Ok(Self { listener, path: path.to_owned() })
    }
}

impl Drop for Unix {
    fn drop(&mut self) {
        // A file left over is replaced at the next start.
        let _ = std::fs::remove_file(&self.path);
    }
}

#[async_trait]
impl Listener for Unix {
    async fn accept(&self) -> io::Result<(Box<dyn Stream>, Option<IpAddr>)> {
        let (stream, _) = self.listener.accept().await?;
        Ok((Box::new(stream), None))
    }
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
