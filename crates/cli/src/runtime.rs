//! Wiring: from a configuration to a running relay. `serve` and `demo` differ in what they put in front of it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use dragoman_model::{Clock, Random};
use dragoman_platform::Connector;
use dragoman_platform::http::{HttpClient, HttpSettings, Proxy, TcpDialer};
use dragoman_relay::{AvatarLinks, Ladder, Parts, Relay, RelayError, Slots, Timing, Vault};
use dragoman_seal::{
    EpochPolicy, KeyService, Keyring, LocalKeys, SlotLimits, SlotStore, Spool, StdDisk, SystemRandom, Token,
};
use dragoman_slack::{SlackConnector, SlackSettings};
use dragoman_store::{Faults, SqliteStore, Store};
use dragoman_teams::{TeamsConnector, TeamsSettings};
use dragoman_webex::{WebexConnector, WebexSettings};
use dragoman_zoom::{ZoomConnector, ZoomSettings};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

use crate::clock::SystemClock;
use crate::config::Config;

/// What everything of a process shares.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) http: HttpClient,
    pub(crate) tasks: TaskTracker,
    pub(crate) stop: CancellationToken,
}

impl Shared {
    pub(crate) fn new(config: &Config) -> Result<Self> {
        let proxy = match &config.outbound.proxy {
            Some(proxy) => Some(
                Proxy::parse(proxy, config.outbound.proxy_exceptions.clone())
                    .context("outbound.proxy must read http://[user:password@]host:port")?,
            ),
            None => None,
        };
        let extra_ca = match &config.outbound.extra_ca {
            Some(path) => Some(
                std::fs::read(path)
                    .with_context(|| format!("outbound.extra_ca: {} cannot be read", path.display()))?,
            ),
            None => None,
        };
        let settings = HttpSettings {
            proxy,
            extra_ca,
            allow_private: config.outbound.allow_private,
            ..HttpSettings::default()
        };
        Ok(Self {
            clock: Arc::new(SystemClock::new()),
            random: Arc::new(SystemRandom),
            http: HttpClient::new(&settings, Arc::new(TcpDialer))?,
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        })
    }
}

/// The key file as the configuration names it.
pub(crate) fn open_keys(config: &Config, shared: &Shared) -> Result<Arc<dyn KeyService>> {
    let passphrase = passphrase(config)?;
    let random = Arc::clone(&shared.random);
    let keys = match &config.keys.credential {
        Some(name) => {
            let folder = std::env::var_os("CREDENTIALS_DIRECTORY").context(
                "keys.credential is set, but systemd passed no credentials; set LoadCredential in the unit, or use keys.file",
            )?;
            LocalKeys::from_credential(Path::new(&folder), name, passphrase.as_ref(), random)
        }
        None => LocalKeys::open(&config.keys.file, passphrase.as_ref(), random),
    };
    Ok(Arc::new(keys.context(dragoman_model::codes::KEY_FILE)?))
}

/// The passphrase of the key file, if there is one.
pub(crate) fn passphrase(config: &Config) -> Result<Option<Token>> {
    if let Some(path) = &config.keys.passphrase_file {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("keys.passphrase_file: {} cannot be read", path.display()))?;
        return Ok(Some(Token::new(text.trim_end_matches(['\r', '\n']).to_owned())));
    }
    Ok(std::env::var("DRAGOMAN_PASSPHRASE").ok().map(Token::new))
}

/// Opens the database, refusing what is held by another process or written by a newer version.
pub(crate) fn open_store(config: &Config, shared: &Shared, faults: &Faults) -> Result<Arc<dyn Store>> {
    let store = SqliteStore::open_with_faults(&config.data_folder, &*shared.clock, faults.clone());
    Ok(Arc::new(store.map_err(RelayError::from)?))
}

/// All connectors.
pub(crate) fn connectors(
    config: &Config,
    shared: &Shared,
) -> Result<BTreeMap<&'static str, Arc<dyn Connector>>> {
    let slack_settings = SlackSettings {
        api_base: Url::parse(&config.slack.api_base).context("slack.api_base must be a URL")?,
        authorize_url: Url::parse(&config.slack.authorize_url)
            .context("slack.authorize_url must be a URL")?,
    };
    let teams_settings = TeamsSettings {
        public_url: config.public_url.clone(),
        login_base: config.teams.login_base.clone(),
        graph_base: config.teams.graph_base.clone(),
        graph_scope: config.teams.graph_scope.clone(),
        bot_openid_url: config.teams.bot_openid_url.clone(),
        bot_issuer: config.teams.bot_issuer.clone(),
        bot_scope: config.teams.bot_scope.clone(),
        allowed_service_hosts: config.teams.allowed_service_hosts.clone(),
        default_service_url: config.teams.default_service_url.clone(),
        graph_pause_ms: config.teams.graph_pause_ms,
    };
    let webex_url =
        |key: &str, value: &str| Url::parse(value).with_context(|| format!("webex.{key} must be a URL"));
    let webex_settings = WebexSettings {
        public_url: config.public_url.clone(),
        api_base: webex_url("api_base", &config.webex.api_base)?,
        authorize_url: webex_url("authorize_url", &config.webex.authorize_url)?,
        token_url: webex_url("token_url", &config.webex.token_url)?,
        api_aliases: config.webex.api_aliases.clone(),
    };
    let zoom_url =
        |key: &str, value: &str| Url::parse(value).with_context(|| format!("zoom.{key} must be a URL"));
    let zoom_settings = ZoomSettings {
        api_base: zoom_url("api_base", &config.zoom.api_base)?,
        oauth_base: zoom_url("oauth_base", &config.zoom.oauth_base)?,
        ws_url: zoom_url("ws_url", &config.zoom.ws_url)?,
        compliance_url: zoom_url("compliance_url", &config.zoom.compliance_url)?,
        files_base: zoom_url("files_base", &config.zoom.files_base)?,
        file_hosts: config.zoom.file_hosts.clone(),
        settle_ms: config.zoom.settle_ms,
        channel_budget: config.zoom.channel_budget,
    };
    let (clock, random) = (&shared.clock, &shared.random);
    let slack =
        SlackConnector::new(slack_settings, shared.http.clone(), Arc::clone(clock), Arc::clone(random));
    let teams =
        TeamsConnector::new(teams_settings, shared.http.clone(), Arc::clone(clock), Arc::clone(random));
    let webex =
        WebexConnector::new(webex_settings, shared.http.clone(), Arc::clone(clock), Arc::clone(random));
    let zoom = ZoomConnector::new(zoom_settings, shared.http.clone(), Arc::clone(clock), Arc::clone(random));
    let connectors: [Arc<dyn Connector>; 4] =
        [Arc::new(slack), Arc::new(teams), Arc::new(webex), Arc::new(zoom)];
    Ok(connectors.into_iter().map(|connector| (connector.platform().0, connector)).collect())
}

/// Opens everything and takes up what was under way; deliveries start with `relay.start()`.
pub(crate) async fn open_relay(
    config: &Config,
    shared: &Shared,
    keys: Arc<dyn KeyService>,
    avatars: Option<Arc<dyn AvatarLinks>>,
    faults: Faults,
) -> Result<Relay> {
    let store = open_store(config, shared, &faults)?;
    let key_disk = StdDisk::open(&config.key_folder)
        .with_context(|| format!("key_folder: {} cannot be opened", config.key_folder.display()))?;
    let policy = EpochPolicy::minutes(config.keys.epoch_minutes).context("keys.epoch_minutes")?;
    let (clock, random) = (&shared.clock, &shared.random);
    let keyring =
        Keyring::open(keys, Arc::new(key_disk), "epochs", Arc::clone(clock), Arc::clone(random), policy)?;
    let at_epochs = faults.clone();
    let keyring = keyring.when_written(move || at_epochs.hit("epoch.created"));
    let data_disk = StdDisk::open(&config.data_folder)
        .with_context(|| format!("data_folder: {} cannot be opened", config.data_folder.display()))?;
    let limits = SlotLimits { limit: config.relay.max_in_flight, ..SlotLimits::default() };
    let slots = SlotStore::open(&data_disk, "secrets.slots", limits, Arc::clone(random))?;
    let room = config.relay.spool_mb.saturating_mul(1_000_000);
    let spool = Spool::open(&config.data_folder.join("spool"), room, Arc::clone(random));
    let spool = Arc::new(spool.context("the spool folder in data_folder cannot be used")?);
    let parts = Parts {
        store,
        vault: Arc::new(Vault::new(Arc::new(keyring))),
        slots: Slots::threaded(Arc::new(slots))?,
        connectors: connectors(config, shared)?,
        clock: Arc::clone(clock),
        random: Arc::clone(random),
        spool: Some(spool),
        avatars,
        timing: timing(config),
        // One data folder has one process: a new life takes over the leases of the last one at once.
        owner: "local".to_owned(),
        faults,
        tasks: shared.tasks.clone(),
        stop: shared.stop.clone(),
    };
    Ok(Relay::new(parts).await?)
}

fn timing(config: &Config) -> Timing {
    let relay = &config.relay;
    Timing {
        ladder: Ladder {
            base_ms: relay.retry_base_ms,
            horizon_ms: relay.horizon_hours * 3_600_000,
            ..Ladder::default()
        },
        patience_ms: relay.patience_ms,
        echo_wait_ms: relay.echo_wait_ms,
        look_pause_ms: relay.look_pause_ms,
        crash_patience_ms: relay.crash_patience_ms,
        glance_ms: relay.edit_look_ms,
        gather_ms: relay.reaction_gather_ms,
        rest_ms: relay.rest_minutes * 60_000,
        pace: relay.pace,
        ..Timing::default()
    }
}

/// Waits for everything that was started, for a bounded time; the rest is recovered at the next start.
pub(crate) async fn wind_down(shared: &Shared) {
    shared.stop.cancel();
    shared.tasks.close();
    let grace = std::time::Duration::from_secs(10);
    if tokio::time::timeout(grace, shared.tasks.wait()).await.is_err() {
        tracing::warn!("some deliveries did not finish in time; they are taken up at the next start");
    }
}
