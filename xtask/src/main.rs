//! The project's own tool: `cargo xtask test | tidy | bench | sim | torture | files`.
#![expect(clippy::print_stdout, reason = "this tool reports on standard output")]

mod bench;
mod e2e;
mod emoji;
mod process;
mod sim;
mod test;
mod tidy;
mod workspace;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};

/// Tests, checks and measures Dragoman.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Everything that must hold before a change lands; installs what it needs
    Test(test::Args),
    /// The rules of this repository that no compiler knows
    Tidy(tidy::Args),
    /// Measures the goals of docs/PERFORMANCE.md with a release build
    Bench(bench::Args),
    /// Runs the deterministic simulation over many seeds
    Sim(sim::SimArgs),
    /// Kills the real binary at fault points and at random moments
    Torture(sim::TortureArgs),
    /// Carries files as large as platforms take between all of them
    Files(sim::FilesArgs),
    /// Makes the emoji table of `markup` from emoji.json of emoji-datasource
    Emoji(emoji::Args),
}

fn main() -> ExitCode {
    let outcome = root().and_then(|root| match Cli::parse().command {
        Command::Test(args) => test::run(&root, &args),
        Command::Tidy(args) => tidy::run(&root, &args),
        Command::Bench(args) => bench::run(&root, &args),
        Command::Sim(args) => sim::run(&root, &args),
        Command::Torture(args) => sim::torture(&root, &args),
        Command::Files(args) => sim::files(&root, &args),
        Command::Emoji(args) => emoji::run(&root, &args),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The workspace's folder: the parent of this package's own.
fn root() -> anyhow::Result<PathBuf> {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map(Path::to_path_buf)
        .context("xtask is not inside a workspace")
}
