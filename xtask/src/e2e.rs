//! Running some of the tests of the whole product.

use std::path::Path;

use anyhow::bail;

use crate::process::{Run, on_path};
use crate::workspace;

/// Which tests of `tests/e2e`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chosen {
    /// Their module.
    pub(crate) module: &'static str,
    /// Whether plain test runs leave them out.
    pub(crate) ignored: bool,
}

/// Runs the chosen tests, one after the other, with some environment variables set. That there are none is an
/// error.
pub(crate) fn run(root: &Path, chosen: Chosen, environment: &[(&str, String)]) -> anyhow::Result<()> {
    let Chosen { module, ignored } = chosen;
    workspace::build(root)?;
    let dragoman = workspace::binary(root, "dragoman")?;
    let run = if on_path("cargo-nextest") {
        let filter = format!("package(e2e) and test(/^{module}::/)");
        let which = format!("--run-ignored={}", if ignored { "only" } else { "default" });
        let run = Run::cargo(root).args(["nextest", "run", "--locked", "--workspace"]);
        run.args(["--no-tests=fail", "--no-capture", &which, "-E", &filter])
    } else {
        let arguments =
            || Run::cargo(root).args(["test", "--locked", "--workspace", "--tests", "--quiet", "--"]);
        let filter = format!("{module}::");
        let more: &[&str] = if ignored { &["--ignored"] } else { &[] };
        let listed = arguments().args([&*filter, "--list"]).args(more).read()?;
        if !listed.lines().any(|line| line.ends_with(": test")) {
            bail!("tests/e2e has no such test in a module `{module}`");
        }
        arguments().args([&*filter, "--nocapture", "--test-threads=1"]).args(more)
    };
    let run = run.env("DRAGOMAN_BIN", dragoman);
    environment.iter().fold(run, |run, (name, value)| run.env(name, value)).go()
}
