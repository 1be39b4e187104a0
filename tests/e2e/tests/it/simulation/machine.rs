//! The machine that the gateway runs on: its disks, its power, and what happens when it is switched on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dragoman_gateway::{Gateway, Parts as GatewayParts, Settings};
use dragoman_model::{AppId, BridgeId, Clock, ConversationId, InstallationId, OrgId, Random};
use dragoman_platform::http::{HttpClient, HttpRequest, HttpSettings};
use dragoman_platform::{App, Connector, Grant, TokenKeeper as _, TokenSet, TokenSlot};
use dragoman_relay::{Parts, Relay, Slots, StoredTokens, Timing, Vault};
use dragoman_seal::{EpochPolicy, FieldRef, KeyService, Keyring, LocalKeys, SlotLimits, SlotStore, Token};
use dragoman_sim::teams::seed;
use dragoman_sim::webex::SeedIntegration;
use dragoman_sim::zoom::SeedApp as ZoomApp;
use dragoman_sim::zoom::config::BRIDGE;
use dragoman_slack::{SlackConnector, SlackSettings};
use dragoman_store::{
    AppRow, BridgeRow, BridgeState, ConversationRow, Faults, InstallationRow, ModelStore, Mutation, OrgRow,
    Store,
};
use dragoman_teams::{TeamsConnector, TeamsSettings};
use dragoman_testkit::SeededRandom;
use dragoman_webex::{WebexConnector, WebexSettings};
use dragoman_zoom::{ZoomConnector, ZoomSettings};
use http::Method;
use http::header::LOCATION;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

use super::flawed_connector::EchoBlind;
use super::flawed_store::FlawedStore;
use super::net::{Door, Way};
use super::platforms::{Addresses, CHANNELS, Channel};
use super::power::{Power, PoweredDisk};
use super::slack::{APP, SIGNING_SECRET, TOKENS};
use super::world::Bug;

const ORG: &str = "org-harbor";
const PUBLIC_URL: &str = "http://gateway";

type Connectors = BTreeMap<&'static str, Arc<dyn Connector>>;

/// Time as the simulated network counts it, the same for both machines and across restarts.
struct NetworkClock;

impl Clock for NetworkClock {
    fn now_ms(&self) -> i64 {
        turmoil::since_epoch().map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    fn monotonic_ms(&self) -> i64 {
        turmoil::sim_elapsed().map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

/// What of a running gateway is looked at from outside.
#[derive(Clone)]
pub(super) struct Running {
    pub(super) store: Arc<dyn Store>,
    pub(super) slots: Slots,
}

/// The machine.
pub(super) struct Machine {
    pub(super) power: Arc<Power>,
    pub(super) bug: Bug,
    data: PoweredDisk,
    folder: PoweredDisk,
    keys: Arc<dyn KeyService>,
    random: Arc<dyn Random>,
    accidents: SeededRandom,
    running: Mutex<Option<Running>>,
    failed: Mutex<Option<String>>,
    /// Everything was set up once; the power is not cut before.
    ready: AtomicBool,
}

impl Machine {
    pub(super) fn new(seed: u64, bug: Bug) -> Self {
        let power = Arc::new(Power::new());
        let random: Arc<dyn Random> = Arc::new(SeededRandom::new(seed));
        Self {
            data: PoweredDisk::new(&power),
            folder: PoweredDisk::new(&power),
            power,
            bug,
            keys: Arc::new(LocalKeys::ephemeral(Arc::clone(&random))),
            random,
            accidents: SeededRandom::new(seed ^ 0x0bad_cafe),
            running: Mutex::default(),
            failed: Mutex::default(),
            ready: AtomicBool::new(false),
        }
    }

    /// What runs, if the gateway is up.
    pub(super) fn running(&self) -> Option<Running> {
        lock(&self.running).clone()
    }

    /// Why the last start failed, if it did.
    pub(super) fn failed(&self) -> Option<String> {
        lock(&self.failed).clone()
    }

    /// The power is gone: what was not synced is lost, torn or kept.
    pub(super) fn crashed(&self) {
        *lock(&self.running) = None;
        *lock(&self.failed) = None;
        self.data.crash(&self.accidents);
        self.folder.crash(&self.accidents);
        self.power.restore();
    }

    /// Switches on and runs until the power goes.
    pub(super) async fn run(self: Arc<Self>, addresses: Addresses) {
        match self.start(&addresses).await {
            Ok(_gateway) => std::future::pending::<()>().await,
            Err(error) => {
                *lock(&self.failed) = Some(format!("{error:#}"));
                std::future::pending::<()>().await;
            }
        }
    }

    async fn start(&self, addresses: &Addresses) -> Result<Gateway> {
        let clock: Arc<dyn Clock> = Arc::new(NetworkClock);
        let settings = HttpSettings { allow_private: true, ..HttpSettings::default() };
        let http = HttpClient::new(&settings, Arc::new(Way))?;
        let model: Arc<dyn Store> = Arc::new(ModelStore::open(&self.data)?);
        let flawed = FlawedStore::new(Arc::clone(&model), self.bug);
        let store: Arc<dyn Store> = flawed.clone();
        let keyring = Keyring::open(
            Arc::clone(&self.keys),
            Arc::new(self.folder.clone()),
            "epochs",
            Arc::clone(&clock),
            Arc::clone(&self.random),
            EpochPolicy::minutes(60)?,
        )?;
        let vault = Arc::new(Vault::new(Arc::new(keyring)));
        let connectors = self.connectors(addresses, &http, &clock)?;
        let new = store.orgs().await?.is_empty();
        if new {
            anyhow::ensure!(!self.ready.swap(true, SeqCst), "the store is empty");
            let set_up =
                SetUp { store: &store, vault: &vault, http: &http, connectors: &connectors, addresses };
            set_up.all(clock.now_ms()).await?;
            self.power.lying.store(self.bug == Bug::NoSync, SeqCst);
        }
        let limits = SlotLimits { segment: 64, limit: 1 << 16 };
        let slots = SlotStore::open(&self.data, "secrets.slots", limits, Arc::clone(&self.random))?;
        let slots = Slots::inline(Arc::new(slots));
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let relay = Relay::new(Parts {
            store: Arc::clone(&store),
            vault,
            slots: slots.clone(),
            connectors,
            clock,
            random: Arc::clone(&self.random),
            spool: None,
            avatars: None,
            timing: Timing::default(),
            owner: "local".to_owned(),
            faults: Faults::none(),
            tasks: tasks.clone(),
            stop: stop.clone(),
        })
        .await?;
        flawed.serve(relay.clone());
        let gateway = Gateway::start(GatewayParts {
            relay: relay.clone(),
            http,
            avatars: None,
            settings: Settings { ops: None, ..Settings::local(PUBLIC_URL) },
            listener: Some(Arc::new(Door::open().await?)),
            tasks,
            stop,
            quit: CancellationToken::new(),
        })
        .await?;
        relay.start().await?;
        if new {
            for channel in &CHANNELS {
                let failure = relay.watch_now(&channel.ours()).await?;
                anyhow::ensure!(failure.is_none(), "{}: {failure:?}", channel.platform);
            }
        }
        *lock(&self.running) = Some(Running { store, slots });
        Ok(gateway)
    }

    fn connectors(&self, at: &Addresses, http: &HttpClient, clock: &Arc<dyn Clock>) -> Result<Connectors> {
        let (http, clock, random) = (|| http.clone(), || Arc::clone(clock), || Arc::clone(&self.random));
        let url = |base: &str, tail: &str| Url::parse(&format!("{base}/{tail}"));
        let slack = SlackSettings {
            api_base: url(&at.slack, "api/")?,
            authorize_url: url(&at.slack, "oauth/v2/authorize")?,
        };
        let slack: Arc<dyn Connector> = Arc::new(SlackConnector::new(slack, http(), clock(), random()));
        let slack = if self.bug == Bug::NoEchoRule { Arc::new(EchoBlind(slack)) } else { slack };
        let teams = TeamsSettings {
            public_url: PUBLIC_URL.to_owned(),
            login_base: at.teams.clone(),
            graph_base: at.teams.clone(),
            bot_openid_url: format!("{}/v1/.well-known/openidconfiguration", at.teams),
            allowed_service_hosts: vec![at.teams.clone()],
            default_service_url: at.service.clone(),
            ..TeamsSettings::default()
        };
        let webex = WebexSettings {
            public_url: PUBLIC_URL.to_owned(),
            api_base: url(&at.webex, "v1/")?,
            authorize_url: url(&at.webex, "v1/authorize")?,
            token_url: url(&at.webex, "v1/access_token")?,
            api_aliases: Vec::new(),
        };
        let zoom = ZoomSettings {
            api_base: url(&at.zoom, "v2/")?,
            oauth_base: url(&at.zoom, "oauth/")?,
            ws_url: url(&at.zoom.replacen("http", "ws", 1), "ws")?,
            compliance_url: url(&at.zoom, "oauth/data/compliance")?,
            files_base: url(&at.zoom_files, "v2/")?,
            file_hosts: Vec::new(),
            ..ZoomSettings::default()
        };
        Ok(BTreeMap::from([
            ("slack", slack),
            ("teams", Arc::new(TeamsConnector::new(teams, http(), clock(), random())) as Arc<dyn Connector>),
            ("webex", Arc::new(WebexConnector::new(webex, http(), clock(), random()))),
            ("zoom", Arc::new(ZoomConnector::new(zoom, http(), clock(), random()))),
        ]))
    }
}

type Facts = BTreeMap<String, String>;

/// Making keys takes longer than all the rest, so that it is done once.
static CERTIFICATE: OnceLock<Facts> = OnceLock::new();

fn facts<const N: usize>(pairs: [(&str, &str); N]) -> Facts {
    pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
}

/// What an operator does with `org add`, `app add`, `install` and `bridge add`.
struct SetUp<'a> {
    store: &'a Arc<dyn Store>,
    vault: &'a Arc<Vault>,
    http: &'a HttpClient,
    connectors: &'a Connectors,
    addresses: &'a Addresses,
}

impl SetUp<'_> {
    async fn all(&self, created_ms: i64) -> Result<()> {
        let org = OrgId::from(ORG);
        let (version, wrapped) = self.vault.keyring().create_org(&org).await?;
        let row = OrgRow {
            id: org.clone(),
            name: "Harbor Works".to_owned(),
            wrapped_keys: BTreeMap::from([(version, wrapped)]),
            // Only what people write is counted.
            policy: [("tell_senders".to_owned(), "no".to_owned())].into(),
            created_ms,
        };
        self.vault.register_org(&row).await?;
        self.store.commit(Mutation::PutOrg(row)).await?;
        self.slack(created_ms).await?;
        let mut teams = CERTIFICATE.get_or_init(|| self.certificate()).clone();
        teams.extend(facts([
            ("app_id", seed::APP),
            ("tenant_id", seed::TENANT),
            ("client_secret", seed::APP_SECRET),
        ]));
        self.install("teams", teams, created_ms).await?;
        let app = SeedIntegration::default();
        let mut webex = self.connectors["webex"].generated();
        webex.extend(facts([("client_id", &app.client_id), ("client_secret", &app.client_secret)]));
        self.install("webex", webex, created_ms).await?;
        let app = ZoomApp::default();
        let zoom = facts([
            ("client_id", &app.client_id),
            ("client_secret", &app.client_secret),
            ("secret_token", &app.secret_token),
            ("bridge_user", BRIDGE),
        ]);
        self.install("zoom", zoom, created_ms).await?;
        let mut members = Vec::new();
        for channel in &CHANNELS {
            members.push(self.conversation(channel, created_ms).await?);
        }
        let bridge = BridgeRow {
            id: BridgeId::from("bridge"),
            org,
            state: BridgeState::Active,
            members,
            created_ms,
            since_ms: created_ms,
            notices: dragoman_store::Notices::Off,
            talk: None,
            past: dragoman_store::BridgePast::default(),
        };
        self.store.commit(Mutation::AddBridge(bridge)).await.context("the bridge")?;
        Ok(())
    }

    /// By chance of its own: what one run draws, another has to draw as well.
    fn certificate(&self) -> Facts {
        let (clock, random) = (Arc::new(NetworkClock), Arc::new(SeededRandom::new(0)));
        TeamsConnector::new(TeamsSettings::default(), self.http.clone(), clock, random).generated()
    }

    /// Writes an app; returns its name.
    async fn app(&self, platform: &str, facts: Facts, secrets: &Facts, created_ms: i64) -> Result<AppId> {
        let (org, id) = (OrgId::from(ORG), format!("app-{platform}"));
        let mut sealed_secrets = BTreeMap::new();
        for (key, secret) in secrets {
            let row = format!("{id}/{key}");
            let field = FieldRef { org: &org, purpose: "app-secret", row: &row };
            sealed_secrets.insert(key.clone(), self.vault.seal_text(&field, secret).await?);
        }
        let id = AppId::from(id);
        let app = AppRow {
            id: id.clone(),
            org,
            platform: platform.to_owned(),
            facts,
            sealed_secrets,
            // Files into people's own chats.
            features: (platform == "teams").then(|| "files".to_owned()).into_iter().collect(),
            created_ms,
        };
        self.store.commit(Mutation::PutApp(app)).await?;
        Ok(id)
    }

    async fn installed(&self, row: InstallationRow, set: Option<TokenSet>) -> Result<()> {
        let (org, id) = (row.org.clone(), row.id.clone());
        self.store.commit(Mutation::PutInstallation(row)).await?;
        if let Some(set) = set {
            let tokens = StoredTokens::new(Arc::clone(self.store), Arc::clone(self.vault), org, id);
            tokens.put(&TokenSlot::App, set).await?;
        }
        Ok(())
    }

    async fn slack(&self, created_ms: i64) -> Result<()> {
        let secrets = facts([("signing_secret", SIGNING_SECRET)]);
        let app = self.app("slack", facts([("app_id", APP)]), &secrets, created_ms).await?;
        for ((team, token), bot) in TOKENS.into_iter().zip(&self.addresses.bots) {
            let row = InstallationRow {
                id: InstallationId::from(format!("inst-{team}")),
                org: OrgId::from(ORG),
                app: app.clone(),
                workspace: team.into(),
                name: team.to_owned(),
                facts: facts([
                    ("app_id", APP),
                    ("bot_id", &bot.bot_id),
                    ("bot_user_id", &bot.user_id),
                    ("team_id", team),
                ]),
                scopes: dragoman_sim::slack::BRIDGE_SCOPES.map(str::to_owned).into(),
                trouble: None,
                created_ms,
            };
            let set = TokenSet { access: Token::new(token.to_owned()), refresh: None, expires_at_ms: None };
            self.installed(row, Some(set)).await?;
        }
        Ok(())
    }

    /// Registers an app, and installs it the way an administrator's browser goes.
    async fn install(&self, platform: &'static str, values: Facts, created_ms: i64) -> Result<()> {
        const VERIFIER: &str = "a-verifier-that-is-long-enough-for-everybody-0123456789";
        let connector = &self.connectors[platform];
        let is_secret =
            |key: &str| connector.registration().iter().any(|field| field.key == key && field.secret);
        let (secrets, facts): (Facts, Facts) = values.into_iter().partition(|(key, _)| is_secret(key));
        let id = self.app(platform, facts.clone(), &secrets, created_ms).await?;
        let app = App {
            id: id.clone(),
            org: OrgId::from(ORG),
            platform: connector.platform(),
            facts,
            secrets: secrets.into_iter().map(|(key, secret)| (key, Token::new(secret))).collect(),
            features: BTreeSet::new(),
        };
        let redirect_uri = format!("{PUBLIC_URL}/oauth/{platform}/callback");
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, VERIFIER.as_bytes());
        let challenge = URL_SAFE_NO_PAD.encode(digest);
        let mut url = Url::parse(&connector.authorize_url(&app, &redirect_uri, "state", &challenge))?;
        while !url.as_str().starts_with(&redirect_uri) {
            let answer = self.http.send(HttpRequest::new(Method::GET, url.clone())).await?;
            let location = answer.headers.get(LOCATION).with_context(|| format!("{platform}: no consent"))?;
            url = url.join(location.to_str()?)?;
        }
        let query = url.query_pairs().map(|(key, value)| (key.into_owned(), value.into_owned())).collect();
        let grant = Grant { query, redirect_uri, code_verifier: VERIFIER.to_owned() };
        let done = connector.install(&app, &grant).await.with_context(|| format!("installing {platform}"))?;
        let row = InstallationRow {
            id: InstallationId::from(format!("inst-{platform}")),
            org: OrgId::from(ORG),
            app: id,
            workspace: done.workspace,
            name: done.name,
            facts: done.facts,
            scopes: done.scopes,
            trouble: None,
            created_ms,
        };
        self.installed(row, done.tokens).await
    }

    async fn conversation(&self, channel: &Channel, created_ms: i64) -> Result<ConversationId> {
        let (org, id) = (OrgId::from(ORG), channel.ours());
        let field = FieldRef { org: &org, purpose: "conversation-name", row: id.as_str() };
        let sealed_name = self.vault.seal_text(&field, &channel.id).await?;
        let facts = match channel.platform {
            "teams" => facts([
                ("service_url", &self.addresses.service),
                ("team_id", seed::GENERAL),
                ("team_guid", seed::TEAM),
            ]),
            _ => Facts::new(),
        };
        let row = ConversationRow {
            org,
            installation: InstallationId::from(channel.installation),
            remote: channel.remote().into(),
            kind: "channel".to_owned(),
            sealed_name,
            external: false,
            facts,
            watch_id: None,
            watch_renew_ms: None,
            watch_expires_ms: None,
            seen_until_ms: created_ms,
            id: id.clone(),
        };
        self.store.commit(Mutation::PutConversation(row)).await?;
        Ok(id)
    }
}

impl Channel {
    /// Our id of it.
    pub(super) fn ours(&self) -> ConversationId {
        ConversationId::from(format!("conv-{}", self.id))
    }
}

/// Our id of a channel.
pub(super) fn conversation(channel: usize) -> ConversationId {
    CHANNELS[channel].ours()
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
