//! Building all of the workspace at once. Every build and test run of this tool does it that way: features of
//! dependencies then are the same everywhere, and nothing is compiled twice.

use std::path::{Path, PathBuf};

use anyhow::bail;

use crate::process::Run;

/// Builds every binary and test; the binaries that tests start are in `target/debug` afterwards.
pub(crate) fn build(root: &Path) -> anyhow::Result<()> {
    Run::cargo(root).args(["build", "--locked", "--workspace", "--all-targets"]).go()
}

/// A binary that was built.
pub(crate) fn binary(root: &Path, name: &str) -> anyhow::Result<PathBuf> {
    let path = root.join("target/debug").join(name);
    if !path.is_file() {
        bail!("cargo built no {}", path.display());
    }
    Ok(path)
}
