//! The vendors' own clients, in a network of their own that has no way out.

use std::path::Path;

use anyhow::{Context as _, bail};

use super::install;
use crate::process::{Run, on_path};
use crate::workspace;

/// Builds everything, installs the clients and hands over to `tests/foreign/harness.py`.
pub(super) fn run(root: &Path) -> anyhow::Result<()> {
    let python = install::python(root)?;
    let node = install::node(root)?;
    workspace::build(root)?;
    let world = workspace::binary(root, "foreign")?;
    let dragoman = workspace::binary(root, "dragoman")?;
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
