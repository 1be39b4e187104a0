//! `cargo xtask bench`: the measurements, in a release build.

use std::path::Path;

use anyhow::bail;

use crate::process::Run;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Prints one JSON document on standard output and nothing else
    #[arg(long)]
    json: bool,
    /// Passed on to the benches
    #[arg(last = true)]
    rest: Vec<String>,
}

pub(crate) fn run(root: &Path, args: &Args) -> anyhow::Result<()> {
    if !root.join("benches/Cargo.toml").is_file() {
        bail!("there is no package `benches` in the folder benches/: nothing to measure");
    }
    let mut run = Run::cargo(root).args(["run", "--release", "--quiet", "--package", "benches", "--"]);
    if args.json {
        run = run.args(["--json"]);
    }
    run = run.args(&args.rest);
    if args.json {
        let document = run.read()?;
        serde_json::from_str::<serde_json::Value>(&document)?;
        print!("{document}");
        return Ok(());
    }
    run.go()
}
