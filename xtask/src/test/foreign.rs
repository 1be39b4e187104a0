//! The vendors' own clients, in a network of their own that has no way out.

use std::path::Path;

use anyhow::{Context as _, bail};

use super::install;
use crate::process::{Run, on_path};

/// Builds everything, installs the clients and hands over to `tests/foreign/harness.py`.
pub(super) fn run(root: &Path) -> anyhow::Result<()> {
    let python = install::python(root)?;
    let node = install::node(root)?;
    // All of the workspace, so that features are those of the tests and nothing is compiled twice.
    Run::cargo(root).args(["build", "--locked", "--workspace", "--all-targets"]).go()?;
    let [world, dragoman] = ["foreign", "dragoman"].map(|name| root.join("target/debug").join(name));
    for program in [&world, &dragoman] {
        if !program.is_file() {
            bail!("cargo built no {}", program.display());
        }
    }
    if !on_path("unshare") {
        bail!("this needs `unshare` of util-linux, to run the clients in a network of their own");
    }
    Run::new(root, "unshare")
        .args(["--map-root-user", "--net", "--mount"])
        .args([&python])
        .args(["tests/foreign/harness.py"])
        .args(["--world".as_ref(), world.as_os_str()])
        .args(["--dragoman".as_ref(), dragoman.as_os_str()])
        .args(["--node-clients".as_ref(), node.as_os_str()])
        .go()
        .context("the vendors' clients found faults, or their harness could not start")
}
