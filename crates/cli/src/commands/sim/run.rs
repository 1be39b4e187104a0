//! Starts them all, tells where they are, and waits for the end.

use std::net::SocketAddr;

use anyhow::{Context as _, Result};
use dragoman_sim::core::World;
use serde::Serialize;
use tokio::io::AsyncReadExt as _;

use super::hosts::{RealHosts, Stage};
use super::{slack, teams, webex, zoom};
use crate::args::Sim;
use crate::end::End;
use crate::print;

#[derive(Serialize)]
struct Addresses {
    slack: slack::Slack,
    teams: teams::Teams,
    webex: webex::Webex,
    zoom: zoom::Zoom,
    #[serde(skip_serializing_if = "Option::is_none")]
    real_hosts: Option<RealHosts>,
}

pub(crate) async fn run(options: Sim) -> Result<()> {
    let mut end = End::listen()?;
    let world = World::real(options.seed);
    let mut stage = options.real_hosts.then(|| Stage::new(&world)).transpose()?;
    let (slack_sim, slack) = slack::start(&world, &options, &mut stage).await?;
    let (teams_sim, teams) = teams::start(&world, &options, &mut stage).await?;
    let (webex_sim, webex) = webex::start(&world, &options, &mut stage).await?;
    let (zoom_sim, zoom) = zoom::start(&world, &options, &mut stage).await?;
    let (real_hosts, _folder) = match stage {
        Some(stage) => Some(stage.open(&world, options.proxy_port).await?).unzip(),
        None => (None, None),
    };
    print::json(&Addresses { slack, teams, webex, zoom, real_hosts })?;
    print::hint(
        "Each address shows a chat page in a browser. Ctrl-C, or the end of standard input, ends it.",
    );
    tokio::select! {
        () = end.came() => {}
        () = end_of_input() => {}
    }
    slack_sim.shutdown().await;
    teams_sim.shutdown().await;
    webex_sim.shutdown().await;
    zoom_sim.shutdown().await;
    world.tasks.shutdown().await;
    Ok(())
}

pub(super) fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

pub(super) fn in_use(option: &str) -> String {
    format!("the port of {option} cannot be used; take another, or 0 for a free one")
}

pub(super) fn first_name(name: &str) -> String {
    name.split(' ').next().unwrap_or(name).to_lowercase()
}

/// Where a simulator listens.
pub(super) fn address(base_url: &str) -> Result<SocketAddr> {
    let (_, address) = base_url.split_once("://").unwrap_or_default();
    address.parse().with_context(|| format!("{base_url} is no address of this machine"))
}

/// Returns when whoever holds the other end of a pipe is gone; never on a terminal.
async fn end_of_input() {
    use std::io::IsTerminal as _;
    if std::io::stdin().is_terminal() {
        return std::future::pending().await;
    }
    let mut input = tokio::io::stdin();
    let mut buffer = [0_u8; 256];
    while matches!(input.read(&mut buffer).await, Ok(read) if read > 0) {}
}
