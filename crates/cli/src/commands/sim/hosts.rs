//! `sim --real-hosts`: the simulators under the platforms' own names, behind a proxy that leads nowhere else.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use dragoman_sim::core::{Authority, HostTable, Proxy, ServerTls, World};
use serde::Serialize;
use tempfile::TempDir;

/// What a client is given to reach simulators under real names.
#[derive(Serialize)]
pub(super) struct RealHosts {
    /// For `HTTPS_PROXY`.
    proxy: String,
    /// For `SSL_CERT_FILE`, `REQUESTS_CA_BUNDLE`, `NODE_EXTRA_CA_CERTS`, `outbound.extra_ca`.
    ca_file: PathBuf,
    /// Names that the proxy knows.
    hosts: Vec<String>,
}

/// Certificates first, then the simulators with them, then the proxy.
pub(super) struct Stage {
    authority: Authority,
    hosts: HostTable,
    folder: TempDir,
}

impl Stage {
    pub(super) fn new(world: &World) -> Result<Self> {
        let folder =
            TempDir::with_prefix("dragoman-sim-").context("no folder for the authority's certificate")?;
        Ok(Self { authority: Authority::new(world)?, hosts: HostTable::default(), folder })
    }

    /// A certificate for a platform's names, and for this machine.
    pub(super) fn certificate(&self, names: &[&str]) -> Result<ServerTls> {
        self.authority.certificate(names.iter().copied().chain(["localhost", "127.0.0.1"]))
    }

    /// A platform's names lead to a simulator.
    pub(super) fn lead(&mut self, names: &[&str], address: SocketAddr) {
        self.hosts.add(names.iter().copied(), address);
    }

    /// Opens the proxy. The folder with the authority's certificate goes when it is dropped.
    pub(super) async fn open(self, world: &Arc<World>, port: u16) -> Result<(RealHosts, TempDir)> {
        let ca_file = self.folder.path().join("ca.pem");
        std::fs::write(&ca_file, self.authority.pem())
            .with_context(|| format!("{} cannot be written", ca_file.display()))?;
        let hosts: Vec<String> = self.hosts.names().map(str::to_owned).collect();
        let listen = SocketAddr::from(([127, 0, 0, 1], port));
        let proxy = Proxy::start(world, &world.tasks, listen, self.hosts)
            .await
            .context("the port of --proxy-port cannot be used; take another, or 0 for a free one")?;
        Ok((RealHosts { proxy: proxy.url(), ca_file, hosts }, self.folder))
    }
}
