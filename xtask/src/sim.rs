//! `cargo xtask sim`, `cargo xtask torture` and `cargo xtask files`: long runs of what `cargo xtask test` runs briefly.

use std::fs;
use std::path::Path;

use anyhow::Context as _;

use crate::e2e::{self, Chosen};

/// Seeds between two notes of how far a run has come.
const BATCH: u64 = 100;

#[derive(Debug, clap::Args)]
pub(crate) struct SimArgs {
    /// How many seeds
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// The first seed
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Goes on after the last seed that passed
    #[arg(long, conflicts_with = "from")]
    resume: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct TortureArgs {
    /// How many kills at random moments, besides one at each fault point
    #[arg(long, default_value_t = 50)]
    kills: u64,
}

#[derive(Debug, clap::Args)]
pub(crate) struct FilesArgs {
    /// How many MiB a file has; into Webex go 100 MB at most
    #[arg(long, default_value_t = 1024)]
    mib: u64,
}

/// Runs the seeds in batches, so that an interrupted run can go on.
pub(crate) fn run(root: &Path, args: &SimArgs) -> anyhow::Result<()> {
    let note = root.join("target/sim-next-seed");
    let first = if args.resume { read_note(&note)? } else { args.from };
    let end = first.saturating_add(args.seeds);
    let mut from = first;
    while from < end {
        let count = BATCH.min(end - from);
        let seeds = [("DRAGOMAN_SIM_FROM", from.to_string()), ("DRAGOMAN_SIM_SEEDS", count.to_string())];
        e2e::run(root, Chosen { module: "simulation", ignored: false }, &seeds)
            .with_context(|| format!("among seeds {from} to {}", from + count - 1))?;
        from += count;
        fs::write(&note, from.to_string()).with_context(|| format!("cannot write {}", note.display()))?;
    }
    println!("seeds {first} to {} passed", end.saturating_sub(1));
    Ok(())
}

/// Runs the kills.
pub(crate) fn torture(root: &Path, args: &TortureArgs) -> anyhow::Result<()> {
    let kills = [("DRAGOMAN_KILLS", args.kills.to_string())];
    e2e::run(root, Chosen { module: "kills", ignored: false }, &kills)
}

/// Carries the files.
pub(crate) fn files(root: &Path, args: &FilesArgs) -> anyhow::Result<()> {
    let size = [("DRAGOMAN_FILE_MB", args.mib.to_string())];
    e2e::run(root, Chosen { module: "files", ignored: false }, &size)
}

fn read_note(note: &Path) -> anyhow::Result<u64> {
    if !note.exists() {
        return Ok(0);
    }
    let text = fs::read_to_string(note)?;
    text.trim().parse().with_context(|| format!("{} holds no seed: delete it", note.display()))
}
