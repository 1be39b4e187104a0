//! Runs a Slack alone: `cargo run -p dragoman-sim --example slack -- [EVENTS_URL | socket]`.
//! Prints its address and credentials as one JSON line and serves until interrupted.

use dragoman_sim::core::World;
use dragoman_sim::slack::{SlackSim, SlackSimConfig};
use serde_json::json;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut config = SlackSimConfig::installed("xoxb-simulated", &["C07GENERAL", "C07LAUNCH"]);
    match std::env::args().nth(1).as_deref() {
        Some("socket") => config.apps[0].socket_mode = true,
        Some(url) => config.apps[0].events_url = Some(url.to_owned()),
        None => {}
    }
    let app = config.apps[0].clone();
    let world = World::real(1);
    let sim = SlackSim::start(&world, config).await?;
    let line = json!({
        "base_url": sim.base_url(), "bot_token": "xoxb-simulated", "app_token": app.app_token, "app_id": app.app_id,
        "client_id": app.client_id, "client_secret": app.client_secret, "signing_secret": app.signing_secret,
    });
    #[expect(clippy::print_stdout, reason = "the line is what the program is for")]
    {
        println!("{line}");
    }
    tokio::signal::ctrl_c().await?;
    sim.shutdown().await;
    Ok(())
}
