//! What the simulators are seeded with for the vendors' clients.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use dragoman_sim::slack::{BRIDGE_SCOPES, SeedApp, SeedInstall, SlackSimConfig};
use dragoman_sim::teams::{AppSeed, Place, TeamsSim, TeamsSimConfig, seed};
use serde_json::{Value, json};

use crate::Args;

const SLACK_TEAM: &str = "T07HARBOR";
const SLACK_CHANNEL: &str = "C07GENERAL";
const BOT_TOKEN: &str = "xoxb-foreign-http";
/// The app that the gateway under test installs.
pub(crate) const SLACK_GATEWAY_APP: &str = "A07GATEWAY";
/// The same on Teams.
pub(crate) const TEAMS_GATEWAY_APP: &str = "c8e4d0f2-6305-4b97-9f1e-0b2a7d4c3e86";
const SLACK_GATEWAY_CLIENT: &str = "1111111111.5555555555";
const SLACK_SOCKET_GATEWAY_CLIENT: &str = "1111111111.6666666666";
const SLACK_SOCKET_GATEWAY_TOKEN: &str = "xapp-1-A07GATEWAYSOCKET-1-simulated";
const TEAMS_GATEWAY_SECRET: &str = "sim~gateway-secret-7Yp2x";
const SOCKET_BOT_TOKEN: &str = "xoxb-foreign-socket";

/// Application permissions that an admin would have granted for the scripts.
const ROLES: &[&str] = &[
    "ChannelMessage.Read.All",
    "Channel.ReadBasic.All",
    "Team.ReadBasic.All",
    "TeamMember.Read.All",
    "ChannelMember.Read.All",
    "User.Read.All",
    "Chat.Read.All",
];
/// Delegated permissions that need an admin.
const ADMIN_SCOPES: &[&str] = &[
    "ChannelMessage.Read.All",
    "ChannelMessage.ReadWrite",
    "ChannelMessage.Send",
    "Chat.ReadWrite",
    "Files.ReadWrite.All",
];
/// What an admin grants the gateway beyond what its package asks for, so that it may move files.
const GATEWAY_ROLES: &[&str] = &["Files.ReadWrite.All"];

/// Slack with three apps: events over HTTP, Socket Mode, and one whose tokens rotate.
pub(crate) fn slack(args: &Args) -> anyhow::Result<SlackSimConfig> {
    let mut config = SlackSimConfig { auto_approve: true, ..SlackSimConfig::default() };
    // Most clients are not told to wait; the limiter has tests of its own.
    config.limits.enabled = false;
    // Connections are refreshed while a script watches.
    config.timing.socket_refresh = Duration::from_secs(4);
    config.timing.socket_warning = Duration::from_secs(1);
    let events_url = format!("http://127.0.0.1:{}/slack/events", args.events_port);
    config.apps = vec![
        SeedApp { events_url: Some(events_url), installed: vec![install(BOT_TOKEN)], ..SeedApp::default() },
        SeedApp {
            app_id: "A07SOCKET".into(),
            name: "Socket".into(),
            client_id: "1111111111.3333333333".into(),
            app_token: "xapp-1-A07SOCKET-1-simulated".into(),
            socket_mode: true,
            installed: vec![install(SOCKET_BOT_TOKEN)],
            ..SeedApp::default()
        },
        SeedApp {
            app_id: "A07ROTATING".into(),
            name: "Rotating".into(),
            client_id: "1111111111.4444444444".into(),
            app_token: "xapp-1-A07ROTATING-1-simulated".into(),
            token_rotation: true,
            ..SeedApp::default()
        },
        SeedApp {
            app_id: SLACK_GATEWAY_APP.into(),
            client_id: SLACK_GATEWAY_CLIENT.into(),
            app_token: "xapp-1-A07GATEWAY-1-simulated".into(),
            ..SeedApp::default()
        },
        SeedApp {
            app_id: "A07GATEWAYSOCKET".into(),
            client_id: SLACK_SOCKET_GATEWAY_CLIENT.into(),
            app_token: SLACK_SOCKET_GATEWAY_TOKEN.into(),
            socket_mode: true,
            ..SeedApp::default()
        },
    ];
    config.trusted_pem = Some(read(&args.authority)?);
    Ok(config)
}

fn install(bot_token: &str) -> SeedInstall {
    SeedInstall {
        place: SLACK_TEAM.into(),
        bot_token: bot_token.into(),
        scopes: BRIDGE_SCOPES.map(String::from).to_vec(),
        member_of: vec![SLACK_CHANNEL.into()],
        user_tokens: Vec::new(),
    }
}

/// Teams under the services' real names, with an app that may read and whose bot listens.
pub(crate) fn teams(args: &Args) -> anyhow::Result<TeamsSimConfig> {
    let read =
        |path: &Path| fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()));
    let endpoint = format!("http://127.0.0.1:{}/api/messages", args.bot_port);
    let mut app = AppSeed::new(seed::APP, "Dragoman", seed::APP_SECRET)
        .installed_in(seed::TEAM)
        .with_roles(ROLES)
        .with_endpoint(&endpoint);
    app.admin_scopes = ADMIN_SCOPES.iter().map(ToString::to_string).collect();
    let gateway = AppSeed::new(TEAMS_GATEWAY_APP, "Dragoman", TEAMS_GATEWAY_SECRET).with_roles(GATEWAY_ROLES);
    let mut config = TeamsSimConfig {
        addr: SocketAddr::from((Ipv4Addr::LOCALHOST, 443)),
        tls: Some((read(&args.certificate)?, read(&args.key)?)),
        trusted_ca: Some(read(&args.authority)?),
        service_host: Some("https://smba.trafficmanager.net".into()),
        site_host: Some("https://fabrikant.sharepoint.com".into()),
        apps: vec![app, gateway],
        ..TeamsSimConfig::default()
    };
    config.limits.graph = false;
    config.limits.connector = false;
    Ok(config)
}

/// Installs the gateway's app in the team and for its people, as its owner does with the uploaded package.
pub(crate) fn install_gateway(teams: &TeamsSim) {
    teams.install(TEAMS_GATEWAY_APP, &Place::Team(seed::TEAM.into()), seed::DANA);
    for person in [seed::DANA, seed::EMRE] {
        teams.install(TEAMS_GATEWAY_APP, &Place::Person(person.into()), person);
    }
}

pub(crate) fn read(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// What the scripts read.
pub(crate) fn document(slack: &str, teams: &str) -> Value {
    let app = SeedApp::default();
    json!({
        "slack": {
            "base_url": slack,
            "team": SLACK_TEAM,
            "channel": SLACK_CHANNEL,
            "people": {"ana": "U07ANASOUZA", "ben": "U07BENOKAFOR", "chloe": "U07CHLOEMARTIN"},
            "user_tokens": {"ana": "xoxp-client-ana.souza", "ben": "xoxp-client-ben.okafor"},
            "bot_token": BOT_TOKEN,
            "client_id": app.client_id,
            "client_secret": app.client_secret,
            "signing_secret": app.signing_secret,
            "socket": {"bot_token": SOCKET_BOT_TOKEN, "app_token": "xapp-1-A07SOCKET-1-simulated"},
            "emails": {"ana": "ana.souza@harbor-works.example"},
            "gateway": {"app_id": SLACK_GATEWAY_APP, "client_id": SLACK_GATEWAY_CLIENT, "client_secret": app.client_secret},
            "socket_gateway": {
                "client_id": SLACK_SOCKET_GATEWAY_CLIENT,
                "client_secret": app.client_secret,
                "app_token": SLACK_SOCKET_GATEWAY_TOKEN,
                "transport": "socket",
            },
            "rotating": {"client_id": "1111111111.4444444444", "client_secret": app.client_secret},
        },
        "teams": {
            "base_url": teams,
            "tenant": seed::TENANT,
            "app_id": seed::APP,
            "app_secret": seed::APP_SECRET,
            "gateway": {"app_id": TEAMS_GATEWAY_APP, "app_secret": TEAMS_GATEWAY_SECRET},
            "team": seed::TEAM,
            "channel": seed::LAUNCH,
            "people": {"dana": seed::DANA, "emre": seed::EMRE, "farah": seed::FARAH},
            "emails": {"dana": "dana@fabrikant.example"},
        },
    })
}
