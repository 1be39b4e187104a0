//! `serve`: the relay with the gateway in front of it.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use dragoman_gateway::http::{Limits, Listener, Tcp, TlsFiles};
use dragoman_gateway::{AvatarSigner, GatewayError, HookRate, Parts, Settings};
use dragoman_model::disk::Disk as _;
use dragoman_relay::Relay;
use dragoman_seal::{Key32, KeyService, StdDisk};
use dragoman_store::Faults;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::socket_path;
use crate::config::Config;
use crate::end::End;
use crate::print;
use crate::runtime::{self, Shared};

/// The file with the secret that picture links are signed with.
const AVATAR_SECRET: &str = "avatars.key";

/// Everything opened, nothing started.
pub(crate) struct Prepared {
    config: Config,
    shared: Shared,
    relay: Relay,
    signer: Arc<AvatarSigner>,
    listener: Option<Arc<dyn Listener>>,
}

/// A gateway that runs.
pub(crate) struct Gateway {
    pub(crate) relay: Relay,
    pub(crate) shared: Shared,
    surfaces: dragoman_gateway::Gateway,
    tasks: TaskTracker,
    stop: CancellationToken,
    quit: CancellationToken,
}

pub(crate) async fn run(config: Config) -> Result<()> {
    let address = config.listen.address;
    let mut end = End::listen()?;
    let shared = Shared::new(&config)?;
    let keys = runtime::open_keys(&config, &shared)?;
    let faults = faults()?;
    let prepared = Prepared::open(config, shared, keys, faults).await?;
    let gateway = prepared.start().await?;
    tracing::info!(%address, "the door is open");
    if let Some(address) = gateway.surfaces.ops() {
        tracing::info!(%address, "health and metrics");
    }
    print::hint("dragoman serves; Ctrl-C ends it");
    tokio::select! {
        () = end.came() => {}
        () = gateway.quit.cancelled() => {}
    }
    gateway.stop().await;
    Ok(())
}

/// Crash tests name a point at which the process dies.
fn faults() -> Result<Faults> {
    match std::env::var("DRAGOMAN_FAULT") {
        Ok(point) => Faults::parse(&point).map_err(anyhow::Error::msg).context("DRAGOMAN_FAULT"),
        Err(_) => Ok(Faults::none()),
    }
}

impl Prepared {
    /// Opens database, keys and slot file.
    pub(crate) async fn open(
        config: Config,
        shared: Shared,
        keys: Arc<dyn KeyService>,
        faults: Faults,
    ) -> Result<Self> {
        let signer = Arc::new(AvatarSigner::new(&avatar_secret(&config, &shared)?, &config.public_url));
        let links: Arc<dyn dragoman_relay::AvatarLinks> = signer.clone();
        let relay = runtime::open_relay(&config, &shared, keys, Some(links), faults).await?;
        Ok(Self { config, shared, relay, signer, listener: None })
    }

    /// The same on a port of this machine, a free one where the configuration names none.
    pub(crate) async fn throw_away(mut config: Config, keys: Arc<dyn KeyService>) -> Result<Self> {
        let address = config.listen.address;
        let tcp = Tcp::bind(address).await.with_context(|| match address.port() {
            0 => format!("{} has no free port", address.ip()),
            _ => format!("{address} cannot be listened at; another program may have taken it"),
        })?;
        config.listen.address = tcp.address()?;
        config.public_url = format!("http://{}", config.listen.address);
        let shared = Shared::new(&config)?;
        let prepared = Self::open(config, shared, keys, Faults::none()).await?;
        Ok(Self { listener: Some(Arc::new(tcp)), ..prepared })
    }

    /// The configuration as it came to be.
    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// Opens the doors, then starts delivering.
    pub(crate) async fn start(self) -> Result<Gateway> {
        let Self { config, shared, relay, signer, listener } = self;
        let (tasks, stop, quit) = (TaskTracker::new(), CancellationToken::new(), CancellationToken::new());
        // Before catching up begins: what comes from now on waits for the door, what came before is listed.
        let listener = match listener {
            Some(listener) => listener,
            None => Arc::new(bind(config.listen.address).await?),
        };
        relay.start().await?;
        let surfaces = dragoman_gateway::Gateway::start(Parts {
            relay: relay.clone(),
            http: shared.http.clone(),
            avatars: Some(signer),
            settings: settings(&config),
            listener: Some(listener),
            tasks: tasks.clone(),
            stop: stop.clone(),
            quit: quit.clone(),
        })
        .await?;
        Ok(Gateway { relay, shared, surfaces, tasks, stop, quit })
    }
}

impl Gateway {
    /// Closes the doors, finishes or leaves recoverable what is under way.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        let grace = std::time::Duration::from_secs(10);
        if tokio::time::timeout(grace, self.tasks.wait()).await.is_err() {
            tracing::warn!("some requests did not finish in time; their platforms send them again");
        }
        runtime::wind_down(&self.shared).await;
    }
}

async fn bind(address: SocketAddr) -> Result<Tcp, GatewayError> {
    Tcp::bind(address).await.map_err(|source| GatewayError::Listen { what: "the door", address, source })
}

fn settings(config: &Config) -> Settings {
    let tls = config.listen.certificate.clone().zip(config.listen.private_key.clone());
    let bytes_in_flight = u32::try_from(config.listen.max_bytes_in_flight).unwrap_or(u32::MAX);
    Settings {
        public_url: config.public_url.clone(),
        door: config.listen.address,
        ops: Some(config.ops.address),
        socket: Some(socket_path(config)),
        tls: tls.map(|(certificate, key)| TlsFiles { certificate, key }),
        trusted_proxies: config.listen.trusted_proxies.iter().map(ToString::to_string).collect(),
        limits: Limits { bytes_in_flight, ..Limits::default() },
        rate: HookRate::default(),
    }
}

/// Reads the secret, or makes it at the first start. Who has it can make links to pictures, nothing else.
fn avatar_secret(config: &Config, shared: &Shared) -> Result<Key32> {
    let disk = StdDisk::open(&config.data_folder)
        .with_context(|| format!("data_folder: {} cannot be opened", config.data_folder.display()))?;
    let file = disk.open(AVATAR_SECRET)?;
    let mut bytes = [0_u8; 32];
    if file.read_at(&mut bytes, 0)? != bytes.len() {
        shared.random.fill(&mut bytes);
        file.write_at(&bytes, 0)?;
        file.sync()?;
        disk.sync_dir("")?;
    }
    Ok(Key32::take_from(&mut bytes))
}
