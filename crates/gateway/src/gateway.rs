//! All surfaces, wired together.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use dragoman_model::InstallationId;
use dragoman_platform::http::HttpClient;
use dragoman_relay::{ConsentLinks, Relay};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::admin::{Admin, Desk};
use crate::avatar::{AvatarSigner, Avatars};
use crate::door::Door;
use crate::hooks::{HookRate, Hooks};
use crate::http::{
    Handler, Limits, Listener, Meter, ProxyError, Server, Tcp, Tls, TlsError, TlsFiles, TrustedProxies, Unix,
};
use crate::installs::InstallDesk;
use crate::metrics::Metrics;
use crate::ops::{self, Ops};
use crate::sockets;

/// What operators decide.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where platforms and browsers reach the gateway.
    pub public_url: String,
    /// What the door listens on.
    pub door: SocketAddr,
    /// What health and metrics listen on; `None` switches them off.
    pub ops: Option<SocketAddr>,
    /// Where the socket for operators is; `None` switches it off.
    pub socket: Option<PathBuf>,
    /// The door's own certificate; `None` leaves TLS to a proxy.
    pub tls: Option<TlsFiles>,
    /// Proxies whose forwarding headers are believed: addresses and networks.
    pub trusted_proxies: Vec<String>,
    /// What clients of the door may use up.
    pub limits: Limits,
    /// How much one app may send.
    pub rate: HookRate,
}

impl Settings {
    /// Everything on free ports of this machine, for demos and tests.
    pub fn local(public_url: impl Into<String>) -> Self {
        let free = SocketAddr::from(([127, 0, 0, 1], 0));
        Self {
            public_url: public_url.into(),
            door: free,
            ops: Some(free),
            socket: None,
            tls: None,
            trusted_proxies: Vec::new(),
            limits: Limits::default(),
            rate: HookRate::default(),
        }
    }
}

/// What a gateway is made of.
pub struct Parts {
    /// The relay.
    pub relay: Relay,
    /// The HTTP client that pictures are fetched with.
    pub http: HttpClient,
    /// The signer of picture links that the relay was given, if it was given one.
    pub avatars: Option<Arc<AvatarSigner>>,
    /// What operators decided.
    pub settings: Settings,
    /// Connections to the door, instead of TCP on `settings.door`: simulations.
    pub listener: Option<Arc<dyn Listener>>,
    /// What shutdown waits for.
    pub tasks: TaskTracker,
    /// Closes all surfaces. To be cancelled, and `tasks` waited for, before the relay is stopped: what was
    /// begun at the door is finished first.
    pub stop: CancellationToken,
    /// Cancelled when an operator asks for the end of the whole process.
    pub quit: CancellationToken,
}

/// Why a gateway does not start.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// An address cannot be listened on.
    #[error(
        "{what} cannot listen on {address}: {source}; check that the address is this machine's and the port free"
    )]
    Listen {
        /// The door, the listener for operators.
        what: &'static str,
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The socket cannot be made.
    #[error("the socket {path} cannot be made: {source}; check that the folder is there and yours")]
    Socket {
        /// Where.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// TLS.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The list of proxies.
    #[error(transparent)]
    Proxy(#[from] ProxyError),
}

/// A gateway that runs.
pub struct Gateway {
    door: Option<SocketAddr>,
    ops: Option<SocketAddr>,
    installs: Arc<InstallDesk>,
    metrics: Arc<Metrics>,
    meter: Arc<Meter>,
}

impl Gateway {
    /// Opens all surfaces. Everything ends when `stop` is cancelled.
    pub async fn start(parts: Parts) -> Result<Self, GatewayError> {
        let Parts { relay, http, avatars, settings, listener, tasks, stop, quit } = parts;
        let public_url = settings.public_url.trim_end_matches('/').to_owned();
        let tls = match settings.tls {
            Some(files) => Some(Tls::load(files).await?),
            None => None,
        };
        let proxies = TrustedProxies::parse(&settings.trusted_proxies)?;
        let metrics = Arc::new(Metrics::default());
        let meter = Arc::new(Meter::default());
        let installs = Arc::new(InstallDesk::new(relay.clone(), &public_url, tasks.clone()));
        let consents: Arc<dyn ConsentLinks> = Arc::clone(&installs) as _;
        relay.offer_consents(Arc::downgrade(&consents));
        let now_ms = relay.clock().now_ms();
        let instance = InstallationId::fresh(now_ms, &**relay.random()).to_string();
        let surfaces = Surfaces { tasks: tasks.clone(), stop: stop.clone() };

        let (door_listener, door) = match listener {
            Some(listener) => (listener, None),
            None => listen("the door", settings.door).await?,
        };
        let handler = Door {
            hooks: Hooks::new(relay.clone(), Arc::clone(&metrics), settings.rate, tasks.clone()),
            installs: Arc::clone(&installs),
            avatars: avatars.map(|signer| Avatars::new(signer, relay.clone(), http)),
            instance: instance.clone(),
        };
        let ops_listener = match settings.ops {
            Some(address) => Some(listen("the listener for operators", address).await?),
            None => None,
        };
        let socket = match &settings.socket {
            Some(path) => Some(
                Unix::bind(path)
                    .map_err(|source| GatewayError::Socket { path: path.display().to_string(), source })?,
            ),
            None => None,
        };
        // Nothing below fails: either everything is open, or nothing was started.
        surfaces.serve(door_listener, tls, proxies, settings.limits, Arc::new(handler), Arc::clone(&meter));
        let mut ops_address = None;
        if let Some((listener, address)) = ops_listener {
            ops_address = address;
            let handler = Ops {
                relay: relay.clone(),
                metrics: Arc::clone(&metrics),
                door: Arc::clone(&meter),
                stop: stop.clone(),
            };
            surfaces.plain(listener, Limits { connections: 64, ..Limits::default() }, Arc::new(handler));
        }
        if let Some(socket) = socket {
            let desk = Desk {
                relay: relay.clone(),
                installs: Arc::clone(&installs),
                public_url,
                instance,
                started_ms: relay.clock().monotonic_ms(),
                tasks: tasks.clone(),
                stop: stop.clone(),
                quit,
                acting: tokio::sync::Mutex::default(),
            };
            // An act may wait for a platform, and somebody may follow the activity for as long as it runs.
            let limits =
                Limits { connections: 64, answer: Duration::from_hours(24 * 365), ..Limits::default() };
            surfaces.plain(Arc::new(socket), limits, Arc::new(Admin(Arc::new(desk))));
        }
        let (follow, supervise) = (relay.clone(), relay);
        let (stop_follow, stop_supervise) = (stop.clone(), stop);
        let (for_follow, for_supervise) = (Arc::clone(&metrics), Arc::clone(&metrics));
        tasks.spawn(async move { ops::follow(follow, for_follow, stop_follow).await });
        let tracker = tasks.clone();
        tasks.spawn(
            async move { sockets::supervise(supervise, for_supervise, tracker, stop_supervise).await },
        );
        Ok(Self { door, ops: ops_address, installs, metrics, meter })
    }

    /// What the door listens on, unless it was given its connections.
    pub fn door(&self) -> Option<SocketAddr> {
        self.door
    }

    /// What health and metrics listen on.
    pub fn ops(&self) -> Option<SocketAddr> {
        self.ops
    }

    /// Installations under way.
    pub fn installs(&self) -> &Arc<InstallDesk> {
        &self.installs
    }

    /// All metrics.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Figures of the door.
    pub fn meter(&self) -> &Arc<Meter> {
        &self.meter
    }
}

type Listening = (Arc<dyn Listener>, Option<SocketAddr>);

async fn listen(what: &'static str, address: SocketAddr) -> Result<Listening, GatewayError> {
    let fault = |source| GatewayError::Listen { what, address, source };
    let tcp = Tcp::bind(address).await.map_err(fault)?;
    let address = tcp.address().map_err(fault)?;
    Ok((Arc::new(tcp), Some(address)))
}

struct Surfaces {
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Surfaces {
    fn serve(
        &self,
        listener: Arc<dyn Listener>,
        tls: Option<Tls>,
        proxies: TrustedProxies,
        limits: Limits,
        handler: Arc<dyn Handler>,
        meter: Arc<Meter>,
    ) {
        let (tasks, stop) = (self.tasks.clone(), self.stop.clone());
        let server = Server { listener, tls, limits, proxies, handler, meter, tasks, stop };
        self.tasks.spawn(async move { server.run().await });
    }

    fn plain(&self, listener: Arc<dyn Listener>, limits: Limits, handler: Arc<dyn Handler>) {
        self.serve(listener, None, TrustedProxies::default(), limits, handler, Arc::default());
    }
}
