//! What the Zoom simulator is seeded with for the vendor's client.

use dragoman_sim::zoom::config::{BRIDGE, GENERAL, IMANI, KESTREL, LAUNCH, RUI, THEO};
use dragoman_sim::zoom::{AppKind, OLD_MESSAGE_EVENTS, SeedApp, ZoomSim, ZoomSimConfig};
use serde_json::{Value, json};

use crate::{Args, worlds};

const S2S_APP: &str = "S2sAppId0000Simulated1";
const S2S_CLIENT: &str = "ServerToServerClientId";
const S2S_SECRET: &str = "ServerToServerClientSecretForSimulation";

/// The default account with an app that is installed by the script, whose bot is in General, and a
/// server-to-server app.
pub(crate) fn config(args: &Args) -> anyhow::Result<ZoomSimConfig> {
    let events = format!("http://127.0.0.1:{}/zoom/events", args.events_port);
    let mut config = ZoomSimConfig::default().events_to(&events);
    let app = &mut config.apps[0];
    app.bot_endpoint = Some(format!("http://127.0.0.1:{}/zoom/events", args.bot_port));
    app.bot_in = vec![GENERAL.into()];
    app.subscriptions[0].events.extend(OLD_MESSAGE_EVENTS.map(String::from));
    let server = SeedApp {
        app_id: S2S_APP.into(),
        kind: AppKind::ServerToServer,
        client_id: S2S_CLIENT.into(),
        client_secret: S2S_SECRET.into(),
        account: Some(KESTREL.into()),
        robot_jid: None,
        subscriptions: Vec::new(),
        ..SeedApp::default()
    };
    config.apps.push(server);
    config.auto_approve = true;
    // Most clients are not told to wait; the limiter has tests of its own.
    config.limits.enabled = false;
    config.trusted_pem = Some(worlds::read(&args.authority)?);
    Ok(config)
}

/// What the scripts read.
pub(crate) fn document(zoom: &ZoomSim) -> Value {
    let app = SeedApp::default();
    json!({
        "base_url": zoom.base_url(),
        "files_url": zoom.files_url(),
        "account_id": KESTREL,
        "app_id": app.app_id,
        "client_id": app.client_id,
        "client_secret": app.client_secret,
        "secret_token": app.secret_token,
        "robot_jid": app.robot_jid,
        "server": {"client_id": S2S_CLIENT, "client_secret": S2S_SECRET},
        "channel": GENERAL,
        "other_channel": LAUNCH,
        "emails": {"imani": "imani.okoye@kestrel-outfitters.example", "bridge": "dragoman.bridge@kestrel-outfitters.example"},
        "people": {"theo": THEO, "imani": IMANI, "rui": RUI, "bridge": BRIDGE},
    })
}
