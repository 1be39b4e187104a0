//! The machine that the gateway runs on: its disks, its power, and what happens when it is switched on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result};
use dragoman_gateway::{Gateway, Parts as GatewayParts, Settings};
use dragoman_model::{AppId, BridgeId, Clock, ConversationId, InstallationId, OrgId, Random};
use dragoman_platform::http::{HttpClient, HttpSettings};
use dragoman_platform::{Connector, TokenKeeper as _, TokenSet, TokenSlot};
use dragoman_relay::{Parts, Relay, Slots, StoredTokens, Timing, Vault};
use dragoman_seal::{EpochPolicy, FieldRef, KeyService, Keyring, LocalKeys, SlotLimits, SlotStore, Token};
use dragoman_sim::slack::BotIdentity;
use dragoman_slack::{SlackConnector, SlackSettings};
use dragoman_store::{
    AppRow, BridgeRow, BridgeState, ConversationRow, Faults, InstallationRow, ModelStore, Mutation, OrgRow,
    Store,
};
use dragoman_testkit::SeededRandom;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

use super::flawed_connector::EchoBlind;
use super::flawed_store::FlawedStore;
use super::net::{Door, Way};
use super::power::{Power, PoweredDisk};
use super::slack::{APP, CHANNELS, SIGNING_SECRET, TOKENS};
use super::world::Bug;

/// The gateway's name for its Slack app.
pub(super) const OUR_APP: &str = "app-slack";
const ORG: &str = "org-harbor";
const PUBLIC_URL: &str = "http://gateway";

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

    /// Switches on and runs until the power goes. `bots` is who the app is in each workspace.
    pub(super) async fn run(self: Arc<Self>, bots: Vec<BotIdentity>) {
        match self.start(&bots).await {
            Ok(_gateway) => std::future::pending::<()>().await,
            Err(error) => {
                *lock(&self.failed) = Some(format!("{error:#}"));
                std::future::pending::<()>().await;
            }
        }
    }

    async fn start(&self, bots: &[BotIdentity]) -> Result<Gateway> {
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
        if store.orgs().await?.is_empty() {
            anyhow::ensure!(!self.ready.swap(true, SeqCst), "the store is empty");
            self.set_up(&store, &vault, bots, clock.now_ms()).await?;
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
            connectors: BTreeMap::from([("slack", self.slack(&http, &clock)?)]),
            clock,
            random: Arc::clone(&self.random),
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
        *lock(&self.running) = Some(Running { store, slots });
        Ok(gateway)
    }

    fn slack(&self, http: &HttpClient, clock: &Arc<dyn Clock>) -> Result<Arc<dyn Connector>> {
        let settings = SlackSettings {
            api_base: Url::parse("http://slack/api/")?,
            authorize_url: Url::parse("http://slack/oauth/v2/authorize")?,
        };
        let slack: Arc<dyn Connector> = Arc::new(SlackConnector::new(
            settings,
            http.clone(),
            Arc::clone(clock),
            Arc::clone(&self.random),
        ));
        Ok(if self.bug == Bug::NoEchoRule { Arc::new(EchoBlind(slack)) } else { slack })
    }

    /// What an operator does with `org add`, `app add`, `install` and `bridge add`.
    async fn set_up(
        &self,
        store: &Arc<dyn Store>,
        vault: &Arc<Vault>,
        bots: &[BotIdentity],
        created_ms: i64,
    ) -> Result<()> {
        let org = OrgId::from(ORG);
        let (version, wrapped) = vault.keyring().create_org(&org).await?;
        let row = OrgRow {
            id: org.clone(),
            name: "Harbor Works".to_owned(),
            wrapped_keys: BTreeMap::from([(version, wrapped)]),
            policy: BTreeMap::new(),
            created_ms,
        };
        vault.register_org(&row).await?;
        store.commit(Mutation::PutOrg(row)).await?;
        let secret_row = format!("{OUR_APP}/signing_secret");
        let field = FieldRef { org: &org, purpose: "app-secret", row: &secret_row };
        let app = AppRow {
            id: AppId::from(OUR_APP),
            org: org.clone(),
            platform: "slack".to_owned(),
            facts: BTreeMap::from([("app_id".to_owned(), APP.to_owned())]),
            sealed_secrets: BTreeMap::from([(
                "signing_secret".to_owned(),
                vault.seal_text(&field, SIGNING_SECRET).await?,
            )]),
            features: BTreeSet::new(),
            created_ms,
        };
        store.commit(Mutation::PutApp(app)).await?;
        for ((team, token), bot) in TOKENS.into_iter().zip(bots) {
            let id = InstallationId::from(format!("inst-{team}"));
            let facts =
                [("app_id", APP), ("bot_id", &bot.bot_id), ("bot_user_id", &bot.user_id), ("team_id", team)];
            let installation = InstallationRow {
                id: id.clone(),
                org: org.clone(),
                app: AppId::from(OUR_APP),
                workspace: team.into(),
                name: team.to_owned(),
                facts: facts.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
                scopes: dragoman_sim::slack::BRIDGE_SCOPES.map(str::to_owned).into(),
                trouble: None,
                created_ms,
            };
            store.commit(Mutation::PutInstallation(installation)).await?;
            let tokens = StoredTokens::new(Arc::clone(store), Arc::clone(vault), org.clone(), id);
            let set = TokenSet { access: Token::new(token.to_owned()), refresh: None, expires_at_ms: None };
            tokens.put(&TokenSlot::App, set).await?;
        }
        let mut members = Vec::new();
        for (team, channel) in CHANNELS {
            let id = conversation(channel);
            let field = FieldRef { org: &org, purpose: "conversation-name", row: id.as_str() };
            let row = ConversationRow {
                org: org.clone(),
                installation: InstallationId::from(format!("inst-{team}")),
                remote: channel.into(),
                kind: "channel".to_owned(),
                sealed_name: vault.seal_text(&field, channel).await?,
                external: false,
                facts: BTreeMap::new(),
                watch_id: None,
                watch_renew_ms: None,
                watch_expires_ms: None,
                seen_until_ms: created_ms,
                id: id.clone(),
            };
            store.commit(Mutation::PutConversation(row)).await?;
            members.push(id);
        }
        let bridge = BridgeRow {
            id: BridgeId::from("bridge"),
            org,
            state: BridgeState::Active,
            members,
            created_ms,
            since_ms: created_ms,
            past: dragoman_store::BridgePast::default(),
        };
        store.commit(Mutation::AddBridge(bridge)).await.context("the bridge")?;
        Ok(())
    }
}

/// Our id of a channel.
pub(super) fn conversation(channel: &str) -> ConversationId {
    ConversationId::from(format!("conv-{channel}"))
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
