//! What the Webex simulator is seeded with for the vendors' clients.

use dragoman_sim::webex::{USER_SCOPES, WebexSimConfig, ids, seed};
use serde_json::{Value, json};

use crate::{Args, worlds};

const ACCESS: &str = "foreign-access_PE93_5d1a7c3e-90b2-4f6d-8a41-2c7e9b0f4d11";
const REFRESH: &str = "foreign-refresh-token";
const CLUSTER: &str = "urn:TEAM:eu-central-1_k";

/// The default organisation with the bridge's account and the bot in General.
pub(crate) fn config(args: &Args) -> anyhow::Result<WebexSimConfig> {
    let mut config = WebexSimConfig::installed(ACCESS, REFRESH).with_bot_in(seed::GENERAL);
    config.integrations[0].scopes.extend(USER_SCOPES.map(String::from));
    // Most clients are not told to wait; the limiter has tests of its own.
    config.limits.enabled = false;
    config.auto_approve = true;
    config.trusted_pem = Some(worlds::read(&args.authority)?);
    Ok(config)
}

/// What the scripts read.
pub(crate) fn document(base_url: &str) -> Value {
    let config = WebexSimConfig::default();
    let token = |index: usize| config.orgs[0].people[index].token.clone();
    json!({
        "base_url": base_url,
        "access_token": ACCESS,
        "refresh_token": REFRESH,
        "client_id": config.integrations[0].client_id,
        "client_secret": config.integrations[0].client_secret,
        "bot_token": seed::BOT_TOKEN,
        "bridge": "bridge@larkfield.example",
        "room": ids::public(CLUSTER, "ROOM", seed::GENERAL),
        "people": {"gita": ids::person(seed::GITA), "henrik": ids::person(seed::HENRIK)},
        "emails": {"gita": "gita.rao@larkfield.example", "henrik": "henrik.dahl@larkfield.example"},
        "user_tokens": {"gita": token(0), "henrik": token(1)},
    })
}
