//! The keys.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The whole file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Config {
    /// Database, slot file and socket. One process at a time.
    pub(crate) data_folder: PathBuf,
    /// Epoch keys, best on another device than `data_folder`, never in the same backup.
    pub(crate) key_folder: PathBuf,
    /// Where platforms and browsers reach the gateway, without a trailing slash.
    pub(crate) public_url: String,
    /// The public listener.
    pub(crate) listen: Listen,
    /// The operators' listener: health, readiness, metrics.
    pub(crate) ops: Ops,
    /// The key that wraps all others.
    pub(crate) keys: Keys,
    /// How the gateway reaches the platforms.
    pub(crate) outbound: Outbound,
    /// Where Slack is.
    pub(crate) slack: Slack,
    /// Where Microsoft is.
    pub(crate) teams: Teams,
    /// Where Webex is.
    pub(crate) webex: Webex,
    /// Where Zoom is.
    pub(crate) zoom: Zoom,
    /// Limits and times of the relay.
    pub(crate) relay: RelaySettings,
    /// The log.
    pub(crate) log: Log,
}

/// `[listen]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Listen {
    /// Address and port.
    pub(crate) address: SocketAddr,
    /// PEM file of the certificate chain; without it plain HTTP is served, for a trusted proxy in front.
    pub(crate) certificate: Option<PathBuf>,
    /// PEM file of its private key.
    pub(crate) private_key: Option<PathBuf>,
    /// Addresses of proxies whose `X-Forwarded-*` headers are believed.
    pub(crate) trusted_proxies: Vec<std::net::IpAddr>,
    /// Bytes of request bodies in memory at most; more is answered with 503.
    pub(crate) max_bytes_in_flight: usize,
}

/// `[ops]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Ops {
    /// Address and port; keep it on loopback.
    pub(crate) address: SocketAddr,
}

/// `[keys]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Keys {
    /// The local key file; `init` makes it, readable by its owner only. Back it up apart from the data.
    pub(crate) file: PathBuf,
    /// A file with the passphrase of the key file, if it has one; the variable `DRAGOMAN_PASSPHRASE` works too.
    pub(crate) passphrase_file: Option<PathBuf>,
    /// Name of a systemd credential that holds the key, instead of `file`.
    pub(crate) credential: Option<String>,
    /// Minutes that an epoch key lives, 60 at most.
    pub(crate) epoch_minutes: i64,
}

/// `[outbound]`
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Outbound {
    /// HTTP proxy that is asked to CONNECT: `http://[user:password@]host:port`.
    pub(crate) proxy: Option<String>,
    /// Hosts reached without the proxy; a leading dot means everything below.
    pub(crate) proxy_exceptions: Vec<String>,
    /// PEM file of more certificate authorities.
    pub(crate) extra_ca: Option<PathBuf>,
    /// Plain HTTP and private addresses are allowed; for simulators on this machine only.
    pub(crate) allow_private: bool,
}

/// `[slack]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Slack {
    /// Base of the Web API, with a trailing slash. GovSlack: `https://slack-gov.com/api/`.
    pub(crate) api_base: String,
    /// The consent page. GovSlack: `https://slack-gov.com/oauth/v2/authorize`.
    pub(crate) authorize_url: String,
}

/// `[teams]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Teams {
    /// Entra.
    pub(crate) login_base: String,
    /// Graph, without version.
    pub(crate) graph_base: String,
    /// The scope of Graph tokens.
    pub(crate) graph_scope: String,
    /// OpenID metadata of the Bot Framework.
    pub(crate) bot_openid_url: String,
    /// Who issues the Bot Connector's tokens.
    pub(crate) bot_issuer: String,
    /// The scope of bot tokens.
    pub(crate) bot_scope: String,
    /// Where bot tokens may be sent: hosts, or whole origins.
    pub(crate) allowed_service_hosts: Vec<String>,
    /// The service URL before an activity named one.
    pub(crate) default_service_url: String,
    /// The pause between two requests of one read of a conversation, in milliseconds.
    pub(crate) graph_pause_ms: u64,
}

/// `[webex]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Webex {
    /// Base of the REST API, with a trailing slash. Government cloud: `https://api-usgov.webex.com/v1/`.
    pub(crate) api_base: String,
    /// The consent page.
    pub(crate) authorize_url: String,
    /// Where codes and refresh tokens are exchanged.
    pub(crate) token_url: String,
    /// More names of the API host that tokens may be sent to: next pages and files carry them.
    pub(crate) api_aliases: Vec<String>,
}

/// `[zoom]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Zoom {
    /// Base of the API, with a trailing slash. Zoom for Government: `https://api.zoomgov.com/v2/`.
    pub(crate) api_base: String,
    /// Base of consent page and token endpoint, with a trailing slash.
    pub(crate) oauth_base: String,
    /// Where event connections are opened.
    pub(crate) ws_url: String,
    /// Where it is reported that an installation's data was deleted.
    pub(crate) compliance_url: String,
    /// Base of the file host, with a trailing slash. Zoom for Government: `https://file.zoomgov.com/v2/`.
    pub(crate) files_base: String,
    /// More hosts that files come from and go to, `*.` for everything below; tokens may be sent to them.
    pub(crate) file_hosts: Vec<String>,
    /// How long Zoom may deny a message that was just sent, in milliseconds.
    pub(crate) settle_ms: u64,
    /// Whether sends stay below what a channel may be sent in a while. Only a simulator does without.
    pub(crate) channel_budget: bool,
}

/// `[relay]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct RelaySettings {
    /// Messages under way at most; each holds 64 bytes of the slot file.
    pub(crate) max_in_flight: u64,
    /// Minutes that a sealed payload may rest, 15 at most.
    pub(crate) rest_minutes: i64,
    /// Hours that a delivery is tried.
    pub(crate) horizon_hours: i64,
    /// Milliseconds that an edit or reply waits for the message that it is about.
    pub(crate) patience_ms: i64,
    /// Milliseconds that a send of unknown outcome waits for its echo before it is looked for.
    pub(crate) echo_wait_ms: u64,
    /// Milliseconds between two looks for a send of unknown outcome.
    pub(crate) look_pause_ms: u64,
    /// Milliseconds after a start that a platform may still act on what the process before had sent.
    pub(crate) crash_patience_ms: i64,
    /// Milliseconds between two looks for edits of which a platform tells nothing.
    pub(crate) edit_look_ms: i64,
    /// Milliseconds that a note of reactions gathers changes.
    pub(crate) reaction_gather_ms: i64,
    /// Megabytes that all files together may have in the sealed spool, where those rest whose length a target asks for and
    /// their source did not tell. A larger file becomes a line; others wait for room.
    pub(crate) spool_mb: u64,
    /// The first pause of the retry ladder, in milliseconds.
    pub(crate) retry_base_ms: u64,
    /// Whether sends are spaced as the platforms like it; off for measurements only.
    pub(crate) pace: bool,
}

/// `[log]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Log {
    /// `error`, `warn`, `info`, `debug`, `trace`, or a filter such as `info,dragoman_relay=debug`.
    pub(crate) level: String,
    /// `text` or `json`.
    pub(crate) format: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_folder: "/var/lib/dragoman".into(),
            key_folder: "/var/lib/dragoman-keys".into(),
            public_url: "https://dragoman.example.com".to_owned(),
            listen: Listen::default(),
            ops: Ops::default(),
            keys: Keys::default(),
            outbound: Outbound::default(),
            slack: Slack::default(),
            teams: Teams::default(),
            webex: Webex::default(),
            zoom: Zoom::default(),
            relay: RelaySettings::default(),
            log: Log::default(),
        }
    }
}

impl Default for Listen {
    fn default() -> Self {
        Self {
            address: SocketAddr::from(([127, 0, 0, 1], 8080)),
            certificate: None,
            private_key: None,
            trusted_proxies: Vec::new(),
            max_bytes_in_flight: 64 << 20,
        }
    }
}

impl Default for Ops {
    fn default() -> Self {
        Self { address: SocketAddr::from(([127, 0, 0, 1], 9464)) }
    }
}

impl Default for Keys {
    fn default() -> Self {
        Self {
            file: "/etc/dragoman/root.key".into(),
            passphrase_file: None,
            credential: None,
            epoch_minutes: 59,
        }
    }
}

impl Default for Slack {
    fn default() -> Self {
        let settings = dragoman_slack::SlackSettings::default();
        Self { api_base: settings.api_base.to_string(), authorize_url: settings.authorize_url.to_string() }
    }
}

impl Default for Teams {
    fn default() -> Self {
        let settings = dragoman_teams::TeamsSettings::default();
        Self {
            login_base: settings.login_base,
            graph_base: settings.graph_base,
            graph_scope: settings.graph_scope,
            bot_openid_url: settings.bot_openid_url,
            bot_issuer: settings.bot_issuer,
            bot_scope: settings.bot_scope,
            allowed_service_hosts: settings.allowed_service_hosts,
            default_service_url: settings.default_service_url,
            graph_pause_ms: settings.graph_pause_ms,
        }
    }
}

impl Default for Webex {
    fn default() -> Self {
        let settings = dragoman_webex::WebexSettings::default();
        Self {
            api_base: settings.api_base.to_string(),
            authorize_url: settings.authorize_url.to_string(),
            token_url: settings.token_url.to_string(),
            api_aliases: settings.api_aliases,
        }
    }
}

impl Default for Zoom {
    fn default() -> Self {
        let settings = dragoman_zoom::ZoomSettings::default();
        Self {
            api_base: settings.api_base.to_string(),
            oauth_base: settings.oauth_base.to_string(),
            ws_url: settings.ws_url.to_string(),
            compliance_url: settings.compliance_url.to_string(),
            files_base: settings.files_base.to_string(),
            file_hosts: settings.file_hosts,
            settle_ms: settings.settle_ms,
            channel_budget: settings.channel_budget,
        }
    }
}

impl Default for RelaySettings {
    fn default() -> Self {
        let timing = dragoman_relay::Timing::default();
        Self {
            max_in_flight: 1 << 20,
            rest_minutes: timing.rest_ms / 60_000,
            horizon_hours: timing.ladder.horizon_ms / 3_600_000,
            patience_ms: timing.patience_ms,
            echo_wait_ms: timing.echo_wait_ms,
            look_pause_ms: timing.look_pause_ms,
            crash_patience_ms: timing.crash_patience_ms,
            edit_look_ms: timing.glance_ms,
            reaction_gather_ms: timing.gather_ms,
            spool_mb: 4_096,
            retry_base_ms: timing.ladder.base_ms,
            pace: timing.pace,
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: "text".to_owned() }
    }
}

/// The commented example that `config example` prints and `init` writes; a test holds it to the defaults.
pub(crate) const EXAMPLE: &str = include_str!("example.toml");
