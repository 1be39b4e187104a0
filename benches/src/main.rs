//! Measures the gateway against floors of the same machine. See `docs/PERFORMANCE.md`.

mod carrying;
mod clock;
mod cpu;
mod depot;
mod events;
mod goals;
mod latency;
mod nginx;
mod proxy;
mod relaying;
mod report;
mod sendfile;
mod server;
mod stats;
mod subject;
mod sync;
mod target;
mod wire;

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clap::Parser;

use crate::report::{Figures, Machine, Report};

/// The whole run takes no longer; a hanging gateway must not hang whoever waits for the figures.
const LIMIT: Duration = Duration::from_mins(5);

#[derive(Debug, Parser)]
#[command(about = "Measures the gateway against floors of the same machine")]
struct Args {
    /// Prints one JSON document
    #[arg(long)]
    json: bool,
    /// Blocks of each measurement
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u16).range(1..=60))]
    blocks: u16,
    /// Ends with an error where a gate is not met
    #[arg(long)]
    check: bool,
    /// Is the proxy in front of this address; used by the program itself
    #[arg(long, hide = true)]
    proxy: Option<SocketAddr>,
}

fn main() -> Result<ExitCode> {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    if let Some(upstream) = args.proxy {
        runtime.block_on(proxy::serve(upstream))?;
        return Ok(ExitCode::SUCCESS);
    }
    build()?;
    // What else the machine does disturbs floors and subject less, where this is allowed. Children inherit it.
    let _ = rustix::process::setpriority_process(None, -19);
    // A second call in one process would fail; there is only this one.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let run = async { tokio::time::timeout(LIMIT, Box::pin(measure(usize::from(args.blocks)))).await };
    let report = runtime.block_on(run).context("the measurements took too long")??;
    if args.json {
        report::line(&serde_json::to_string_pretty(&report)?);
    } else {
        report::line(&report.text());
    }
    let met = report.goals.iter().all(|goal| goal.gate_met);
    Ok(if met || !args.check { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The binary that is measured is up to date and optimised.
fn build() -> Result<()> {
    if std::env::var_os("DRAGOMAN_BIN").is_some() {
        return Ok(());
    }
    report::progress("building the gateway");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--package", "dragoman-cli", "--bin", "dragoman"]);
    let exe = std::env::current_exe()?;
    if exe.parent().is_some_and(|folder| folder.ends_with("release")) {
        command.arg("--release");
    } else {
        report::progress("warning: this is no release build; its figures mean nothing");
    }
    let status = command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR"))).status()?;
    ensure!(status.success(), "the gateway could not be built");
    Ok(())
}

async fn measure(blocks: usize) -> Result<Report> {
    let folder = tempfile::TempDir::with_prefix("dragoman-bench-")?;
    let cpus = cpu::Cpus::find()?;
    let mut dialer = wire::Dialer::default();
    let mut target = target::Target::start()?;
    let mut sync = sync::Sync::new(folder.path())?;
    report::progress("setting up");
    let mut subject = subject::Subject::start(&mut target, &mut dialer).await?;
    report::progress("measuring latency");
    let slow = latency::measure(&mut subject, &mut target, &mut dialer, &mut sync, blocks).await?;
    report::progress("measuring CPU time");
    let proxy = proxy::Proxy::start(folder.path(), target.address).await?;
    // Generator and target keep away from what is measured.
    cpus.to_second(std::process::id())?;
    cpus.to_first(proxy.pid())?;
    cpus.to_first(subject.pid)?;
    let busy = relaying::measure(&mut subject, &mut target, &mut dialer, &proxy, blocks).await?;
    let ratios = |ratio: fn(&latency::Block) -> f64| slow.iter().map(ratio).collect::<Vec<_>>();
    subject.end().await?;
    report::progress("measuring files");
    let (large, sendfile) = carrying::measure(folder.path(), &cpus, blocks).await?;
    Ok(Report {
        goals: vec![
            goals::ACK.judge(&ratios(latency::Block::ack_ratio)),
            goals::ADDED.judge(&ratios(latency::Block::added_ratio)),
            goals::CPU.judge(&busy.iter().map(relaying::Block::ratio).collect::<Vec<_>>()),
            goals::FILE.judge(&large.iter().map(carrying::Block::ratio).collect::<Vec<_>>()),
        ],
        figures: Figures::of(&slow, &busy, &large),
        machine: Machine { cpus: cpus.count(), proxy: proxy.name, sendfile },
    })
}
