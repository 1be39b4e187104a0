//! Runs a Webex alone: `cargo run -p dragoman-sim --example webex`.
//! Prints its address and credentials as one JSON line and serves until interrupted.

use dragoman_sim::core::World;
use dragoman_sim::webex::{WebexSim, WebexSimConfig, seed};
use serde_json::json;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let (access, refresh) = ("webex-simulated-access", "webex-simulated-refresh");
    let config = WebexSimConfig::installed(access, refresh).with_partner();
    let integration = config.integrations[0].clone();
    let world = World::real(1);
    let sim = WebexSim::start(&world, config).await?;
    let line = json!({
        "base_url": sim.base_url(), "access_token": access, "refresh_token": refresh, "bot_token": seed::BOT_TOKEN,
        "client_id": integration.client_id, "client_secret": integration.client_secret,
    });
    #[expect(clippy::print_stdout, reason = "the line is what the program is for")]
    {
        println!("{line}");
    }
    tokio::signal::ctrl_c().await?;
    sim.shutdown().await;
    Ok(())
}
