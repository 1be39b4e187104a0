//! The steps, their order, and the table at the end.

use std::path::{Path, PathBuf};

use anyhow::bail;

use super::install::{self, Browser};
use super::{bans, foreign};
use crate::e2e::{self, Chosen};
use crate::process::{Run, on_path, timed};
use crate::{tidy, workspace};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Runs these steps only
    #[arg(long, value_name = "STEP", value_delimiter = ',', value_parser = known_step)]
    only: Vec<String>,
    /// Leaves these steps out
    #[arg(long, value_name = "STEP", value_delimiter = ',', value_parser = known_step)]
    skip: Vec<String>,
    /// Lists the steps
    #[arg(long)]
    list: bool,
}

/// One thing that must hold.
#[derive(Debug)]
struct Step {
    name: &'static str,
    what: &'static str,
    run: fn(&Path) -> anyhow::Result<()>,
}

const STEPS: &[Step] = &[
    Step { name: "fmt", what: "formatting", run: fmt },
    Step { name: "tidy", what: "the rules of this repository", run: tidy_all },
    Step { name: "bans", what: "banned crates and licences", run: bans::run },
    Step { name: "clippy", what: "lints", run: clippy },
    Step { name: "tests", what: "all tests of all packages", run: tests },
    Step { name: "doc", what: "examples in the documentation, and that it builds", run: doc },
    Step { name: "fuzz", what: "the fuzz targets still build", run: fuzz },
    Step { name: "foreign", what: "the vendors' own clients", run: foreign::run },
    Step { name: "browser", what: "the pages in a real browser", run: browser },
];

pub(crate) fn run(root: &Path, args: &Args) -> anyhow::Result<()> {
    if args.list {
        for step in STEPS {
            println!("{:8} {}", step.name, step.what);
        }
        return Ok(());
    }
    let mut table = Vec::new();
    for step in STEPS.iter().filter(|step| is_wanted(args, step.name)) {
        println!("\n==> {}: {}", step.name, step.what);
        let (outcome, seconds) = timed(|| (step.run)(root));
        match &outcome {
            Ok(()) => println!("<== {}: ok, {seconds:.1} s", step.name),
            Err(error) => println!("<== {}: FAILED after {seconds:.1} s: {error:#}", step.name),
        }
        table.push((step.name, seconds, outcome.err()));
    }
    println!("\n{:8} {:>8}  outcome", "step", "seconds");
    for (name, seconds, error) in &table {
        println!("{name:8} {seconds:>8.1}  {}", if error.is_none() { "ok" } else { "FAILED" });
    }
    for step in STEPS.iter().filter(|step| !is_wanted(args, step.name)) {
        println!("{:8} {:>8}  left out as asked", step.name, "-");
    }
    let failed: Vec<_> =
        table.iter().filter(|(_, _, error)| error.is_some()).map(|(name, ..)| *name).collect();
    println!("\n{} passed, {} failed", table.len() - failed.len(), failed.len());
    if !failed.is_empty() {
        bail!("failed: {}", failed.join(", "));
    }
    Ok(())
}

fn is_wanted(args: &Args, name: &str) -> bool {
    (args.only.is_empty() || args.only.iter().any(|only| only == name))
        && !args.skip.iter().any(|skip| skip == name)
}

fn known_step(name: &str) -> Result<String, String> {
    if STEPS.iter().any(|step| step.name == name) {
        return Ok(name.to_owned());
    }
    let names: Vec<_> = STEPS.iter().map(|step| step.name).collect();
    Err(format!("the steps are: {}", names.join(", ")))
}

fn fmt(root: &Path) -> anyhow::Result<()> {
    Run::cargo(root).args(["fmt", "--all", "--check"]).go()
}

fn tidy_all(root: &Path) -> anyhow::Result<()> {
    tidy::run(root, &tidy::Args::default())
}

fn clippy(root: &Path) -> anyhow::Result<()> {
    Run::cargo(root).args(["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"]).go()
}

fn tests(root: &Path) -> anyhow::Result<()> {
    workspace::build(root)?;
    let dragoman = workspace::binary(root, "dragoman")?;
    let run = Run::cargo(root).env("DRAGOMAN_BIN", dragoman);
    if on_path("cargo-nextest") {
        return run.args(["nextest", "run", "--locked", "--workspace", "--no-fail-fast"]).go();
    }
    println!("cargo-nextest is not installed: using `cargo test`, which runs the same tests more slowly");
    run.args(["test", "--locked", "--workspace", "--all-targets", "--no-fail-fast"]).go()
}

fn doc(root: &Path) -> anyhow::Result<()> {
    let examples = Run::cargo(root).args(["test", "--locked", "--workspace", "--doc"]).go();
    let pages = Run::cargo(root)
        .env("RUSTDOCFLAGS", "-D warnings")
        .args(["doc", "--locked", "--workspace", "--no-deps", "--document-private-items"])
        .go();
    examples.and(pages)
}

fn fuzz(root: &Path) -> anyhow::Result<()> {
    Run::cargo(root)
        .args(["check", "--locked", "--manifest-path=fuzz/Cargo.toml", "--target-dir=target/fuzz"])
        .go()
}

/// Browser tests are ignored by plain test runs, since they need a browser, and asked for by name here.
fn browser(root: &Path) -> anyhow::Result<()> {
    let Browser { chromium, driver } = install::browser(root)?;
    let path = |path: PathBuf| path.to_string_lossy().into_owned();
    let environment = [("DRAGOMAN_CHROMIUM", path(chromium)), ("DRAGOMAN_CHROMEDRIVER", path(driver))];
    e2e::run(root, Chosen { module: "browser", ignored: true }, &environment)
}
