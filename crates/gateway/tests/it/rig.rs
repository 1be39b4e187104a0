//! A gateway on free ports of this machine, with everything below it in memory.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use dragoman_gateway::admin::api::{
    AppAdd, AppInfo, BridgeAdd, BridgeInfo, InstallInfo, InstallToken, OrgAdd, SecretText,
};
use dragoman_gateway::admin::{Client, Problem};
use dragoman_gateway::{AvatarSigner, Gateway, Parts, Settings};
use dragoman_platform::Connector;
use dragoman_platform::http::{HttpClient, HttpSettings, TcpDialer};
use dragoman_relay::{Relay, Slots, Timing, Vault};
use dragoman_seal::{EpochPolicy, Key32, Keyring, LocalKeys, SlotLimits, SlotStore};
use dragoman_store::{Faults, ModelStore, Store};
use dragoman_testkit::{ManualClock, SeededRandom, SimDisk};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::fake::{Fake, SIGNING_SECRET, TOKEN};

pub(crate) const PUBLIC: &str = "https://gateway.example";

pub(crate) struct Rig {
    pub(crate) alpha: Arc<Fake>,
    pub(crate) beta: Arc<Fake>,
    pub(crate) gateway: Gateway,
    pub(crate) relay: Relay,
    pub(crate) store: Arc<dyn Store>,
    /// Where the store is.
    pub(crate) disk: SimDisk,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) admin: Client,
    pub(crate) avatars: Arc<AvatarSigner>,
    pub(crate) tasks: TaskTracker,
    pub(crate) stop: CancellationToken,
    pub(crate) quit: CancellationToken,
    _folder: tempfile::TempDir,
}

/// An answer read as text.
pub(crate) struct Got {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Got {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Rig {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(adjust: impl FnOnce(&mut Settings)) -> Self {
        let disk = SimDisk::new();
        let keys = SimDisk::new();
        let clock = Arc::new(ManualClock::default());
        let random = Arc::new(SeededRandom::new(7));
        let service = Arc::new(LocalKeys::ephemeral(random.clone()));
        let keyring = Keyring::open(
            service,
            Arc::new(keys.clone()),
            "epochs",
            clock.clone(),
            random.clone(),
            EpochPolicy::default(),
        )
        .unwrap();
        let limits = SlotLimits { segment: 64, limit: 4096 };
        let slots = Arc::new(SlotStore::open(&keys, "slots", limits, random.clone()).unwrap());
        let store: Arc<dyn Store> = Arc::new(ModelStore::open(&disk).unwrap());
        let (alpha, beta) = (Arc::new(Fake::new("alpha")), Arc::new(Fake::new("beta")));
        let connectors: BTreeMap<&'static str, Arc<dyn Connector>> =
            BTreeMap::from([("alpha", alpha.clone() as Arc<dyn Connector>), ("beta", beta.clone())]);
        let (tasks, stop, quit) = (TaskTracker::new(), CancellationToken::new(), CancellationToken::new());
        let avatars = Arc::new(AvatarSigner::new(&Key32::random(random.as_ref()), PUBLIC));
        let relay = Relay::new(dragoman_relay::Parts {
            store: store.clone(),
            vault: Arc::new(Vault::new(Arc::new(keyring))),
            slots: Slots::inline(slots),
            connectors,
            clock: clock.clone(),
            random,
            spool: None,
            avatars: Some(avatars.clone()),
            timing: Timing::default(),
            owner: "test".to_owned(),
            faults: Faults::none(),
            tasks: tasks.clone(),
            stop: stop.clone(),
        })
        .await
        .unwrap();
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("gateway.sock");
        let mut settings = Settings { socket: Some(socket.clone()), ..Settings::local(PUBLIC) };
        adjust(&mut settings);
        let http = HttpSettings { allow_private: true, ..HttpSettings::default() };
        let gateway = Gateway::start(Parts {
            relay: relay.clone(),
            http: HttpClient::new(&http, Arc::new(TcpDialer)).unwrap(),
            avatars: Some(avatars.clone()),
            settings,
            listener: None,
            tasks: tasks.clone(),
            stop: stop.clone(),
            quit: quit.clone(),
        })
        .await
        .unwrap();
        let admin = Client::new(socket);
        Self {
            alpha,
            beta,
            gateway,
            relay,
            store,
            disk,
            clock,
            admin,
            avatars,
            tasks,
            stop,
            quit,
            _folder: folder,
        }
    }

    pub(crate) fn door(&self) -> SocketAddr {
        self.gateway.door().unwrap()
    }

    pub(crate) async fn app(&self, platform: &str, client_id: &str) -> AppInfo {
        let values = [("client_id", client_id), ("signing_secret", SIGNING_SECRET)];
        let values = values.map(|(key, value)| (key.to_owned(), SecretText(value.to_owned())));
        let add = AppAdd {
            org: None,
            platform: platform.to_owned(),
            values: BTreeMap::from(values),
            features: ["relay".to_owned()].into(),
        };
        self.admin.ask(&add).await.unwrap()
    }

    pub(crate) async fn adopt(&self, app: &AppInfo) -> InstallInfo {
        let token = SecretText(TOKEN.to_owned());
        self.admin.ask(&InstallToken { app: app.id.clone(), token }).await.unwrap()
    }

    /// An organisation with an app on both platforms, both installed.
    pub(crate) async fn furnished(&self) -> (AppInfo, AppInfo) {
        self.admin.ask(&OrgAdd { name: "Acme".to_owned() }).await.unwrap();
        let (alpha, beta) = (self.app("alpha", "a1").await, self.app("beta", "b1").await);
        self.adopt(&alpha).await;
        self.adopt(&beta).await;
        (alpha, beta)
    }

    /// The same with a bridge between both rooms `general`.
    pub(crate) async fn bridged(&self) -> (AppInfo, BridgeInfo) {
        let (alpha, _) = self.furnished().await;
        let members = vec!["alpha:#general".to_owned(), "beta:r1".to_owned()];
        let bridge = self
            .admin
            .ask(&BridgeAdd { members, allow_external: false, ..BridgeAdd::default() })
            .await
            .unwrap();
        (alpha, bridge)
    }

    /// Sends an event to an app's hook.
    pub(crate) async fn hook(&self, app: &AppInfo, signature: &str, body: &str) -> Got {
        let path = format!("/hooks/{}/{}/events", app.platform, app.id);
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-signature: {signature}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        raw(self.door(), &[head.as_bytes(), body.as_bytes()].concat()).await
    }

    pub(crate) async fn get(&self, address: SocketAddr, path: &str) -> Got {
        raw(address, format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").as_bytes()).await
    }

    /// Ends everything and waits for it.
    pub(crate) async fn end(&self) {
        self.stop.cancel();
        self.tasks.close();
        tokio::time::timeout(Duration::from_secs(20), self.tasks.wait()).await.unwrap();
    }
}

/// What an act was refused with.
pub(crate) fn problem<T>(answer: Result<T, dragoman_gateway::admin::ClientError>) -> Problem {
    match answer {
        Err(dragoman_gateway::admin::ClientError::Problem(problem)) => problem,
        Err(other) => panic!("no problem but: {other}"),
        Ok(_) => panic!("it was done"),
    }
}

/// Sends bytes and reads all that comes back.
pub(crate) async fn raw(address: SocketAddr, request: &[u8]) -> Got {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request).await.unwrap();
    read(&mut stream).await
}

/// Reads until the other end closes.
pub(crate) async fn read(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> Got {
    let mut bytes = Vec::new();
    tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut bytes)).await.unwrap().unwrap();
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Got { status: 0, head: String::new(), body: bytes };
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap().to_ascii_lowercase();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Got { status, head, body: bytes[end + 4..].to_vec() }
}
