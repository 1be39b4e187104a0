//! Dragoman: people on Slack, Microsoft Teams, Webex and Zoom talk to each other, each in their own client, and
//! nothing of it is kept.

mod args;
mod clock;
mod commands;
mod config;
mod demo;
mod end;
mod log;
mod people;
mod print;
mod runtime;

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Parser as _;

use crate::args::{Cli, Command};
use crate::commands::Context;

#[global_allocator]
static ALLOCATOR: dragoman_seal::ZeroingAlloc = dragoman_seal::ZeroingAlloc::new();

fn main() -> ExitCode {
    dragoman_seal::hygiene::quiet_panics();
    dragoman_seal::hygiene::harden();
    let cli = Cli::parse();
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print::hint(&format!("error: {}", print::failure(&error)));
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<()> {
    // A second call in one process would fail; there is only this one.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    // The threads that write have the other half. Workers that wake each other for every message cost more than they
    // bring while there are as many as processors.
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads((processors / 2).max(1))
        .enable_all()
        .build()
        .context("the asynchronous runtime could not be started")?;
    runtime.block_on(act(cli))
}

async fn act(cli: Cli) -> Result<()> {
    let path = cli.config;
    match cli.command {
        Command::Config(command) => return commands::config::run(&path, command, cli.json),
        Command::Init(init) => return commands::init::run(&path, init, cli.json),
        Command::Demo(demo) => {
            log::start_for_demo();
            return demo::run(demo, cli.json).await;
        }
        Command::Sim(sim) => return commands::sim::run(sim).await,
        Command::Doctor => return commands::doctor::run(&path, cli.json).await,
        Command::Fidelity(fidelity) => return commands::fidelity::run(&path, fidelity, cli.json).await,
        _ => {}
    }
    let config = config::load(&path)?;
    if matches!(cli.command, Command::Serve) {
        log::start(&config.log)?;
        return commands::serve::run(config).await;
    }
    let context = Context { config, json: cli.json };
    match cli.command {
        Command::Org(command) => commands::org::run(&context, command).await,
        Command::App(command) => commands::app::run(&context, command).await,
        Command::Install(command) => commands::install::run(&context, command).await,
        Command::Person(command) => commands::person::run(&context, command).await,
        Command::Dm(command) => commands::dm::run(&context, command).await,
        Command::Bridge(command) => commands::bridge::run(&context, command).await,
        Command::Delivery(command) => commands::deliveries::deliveries(&context, command).await,
        Command::DeadLetter(command) => commands::deliveries::dead_letters(&context, command).await,
        Command::Config(_)
        | Command::Init(_)
        | Command::Demo(_)
        | Command::Sim(_)
        | Command::Doctor
        | Command::Fidelity(_)
        | Command::Serve => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::unix::fs::FileExt as _;

    #[test]
    fn the_allocator_of_this_binary_overwrites_what_it_frees() {
        let secret = vec![0xC7_u8; 48 << 10];
        let at = secret.as_ptr().addr() as u64;
        let memory = File::open("/proc/self/mem").expect("our own memory");
        let mut seen = vec![0_u8; 48 << 10];
        memory.read_exact_at(&mut seen, at).expect("it is there");
        assert!(seen.iter().all(|byte| *byte == 0xC7), "this is where it was");
        seen.fill(0);
        drop(secret);
        // Given back to the system it cannot be read at all.
        let _ = memory.read_exact_at(&mut seen, at);
        let left = seen.chunks_exact(64).any(|chunk| chunk.iter().all(|byte| *byte == 0xC7));
        assert!(!left, "some of it is still there");
    }
}
