//! Runs a Zoom alone: `cargo run -p dragoman-sim --example zoom -- [EVENTS_URL | socket]`.
//! Prints its addresses and credentials as one JSON line and serves until interrupted.

use dragoman_sim::core::World;
use dragoman_sim::zoom::{ZoomSim, ZoomSimConfig};
use serde_json::json;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut config =
        ZoomSimConfig::installed("simulated-access-token", "simulated-refresh-token").with_outsider();
    config = match std::env::args().nth(1).as_deref() {
        Some("socket") => config.events_over_socket(),
        Some(url) => config.events_to(url),
        None => config,
    };
    let app = config.apps[0].clone();
    let world = World::real(1);
    let sim = ZoomSim::start(&world, config).await?;
    let line = json!({
        "base_url": sim.base_url(), "files_url": sim.files_url(), "access_token": "simulated-access-token",
        "refresh_token": "simulated-refresh-token", "app_id": app.app_id, "client_id": app.client_id,
        "client_secret": app.client_secret, "secret_token": app.secret_token, "robot_jid": app.robot_jid,
        "socket_url": sim.socket_url(&app.subscriptions[0].id),
    });
    #[expect(clippy::print_stdout, reason = "the line is what the program is for")]
    {
        println!("{line}");
    }
    tokio::signal::ctrl_c().await?;
    sim.shutdown().await;
    Ok(())
}
