//! The simulators with an app that has what the vendors' clients need; addresses and credentials are printed as
//! one JSON document. Ends when standard input does.
#![expect(clippy::print_stdout, reason = "the document on standard output is what this program is for")]

mod orders;
mod webex;
mod worlds;
mod zoom;

use std::path::PathBuf;

use clap::Parser;
use dragoman_sim::core::World;
use dragoman_sim::slack::SlackSim;
use dragoman_sim::teams::TeamsSim;
use dragoman_sim::webex::WebexSim;
use dragoman_sim::zoom::ZoomSim;

/// Where the clients listen and what the Teams simulator shows.
#[derive(Debug, Parser)]
pub(crate) struct Args {
    /// Port of the receiver of Slack events
    #[arg(long)]
    events_port: u16,
    /// Port of the bot and of the receiver of change notifications
    #[arg(long)]
    bot_port: u16,
    /// Certificate chain (PEM) for the names of Microsoft's services
    #[arg(long)]
    certificate: PathBuf,
    /// Private key (PEM) of the certificate
    #[arg(long)]
    key: PathBuf,
    /// The authority (PEM) that receivers of notifications have their certificates from
    #[arg(long)]
    authority: PathBuf,
    /// A named pipe that brings orders, one JSON object a line
    #[arg(long)]
    orders: PathBuf,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let world = World::real(1);
    let slack = SlackSim::start(&world, worlds::slack(&args)?).await?;
    let teams = TeamsSim::start(&world, worlds::teams(&args)?).await?;
    let webex = WebexSim::start(&world, webex::config(&args)?).await?;
    let zoom = ZoomSim::start(&world, zoom::config(&args)?).await?;
    orders::follow(args.orders, slack.clone(), teams.clone());
    let mut document = worlds::document(slack.base_url(), teams.base_url());
    document["webex"] = webex::document(webex.base_url());
    document["zoom"] = zoom::document(&zoom);
    println!("{document}");
    tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink())).await??;
    slack.shutdown().await;
    teams.shutdown().await;
    webex.shutdown().await;
    zoom.shutdown().await;
    world.tasks.shutdown().await;
    Ok(())
}
