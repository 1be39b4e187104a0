//! Runs a Teams alone: `cargo run -p dragoman-sim --example teams -- [MESSAGING_ENDPOINT]`.
//! Prints its address and credentials as one JSON line and serves until interrupted.

use dragoman_sim::core::World;
use dragoman_sim::teams::{TeamsSim, TeamsSimConfig, seed};
use serde_json::json;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let world = World::real(1);
    let sim = TeamsSim::start(&world, TeamsSimConfig::default()).await?;
    sim.set_bot_endpoint(seed::APP, std::env::args().nth(1).as_deref());
    let line = json!({
        "base_url": sim.base_url(), "service_url": sim.service_url(), "tenant": seed::TENANT, "app_id": seed::APP,
        "client_secret": seed::APP_SECRET, "team": seed::TEAM, "channels": [seed::GENERAL, seed::LAUNCH],
    });
    #[expect(clippy::print_stdout, reason = "the line is what the program is for")]
    {
        println!("{line}");
    }
    tokio::signal::ctrl_c().await?;
    sim.shutdown().await;
    Ok(())
}
