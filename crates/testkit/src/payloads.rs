//! Where recorded platform payloads lie; they are not part of the repository.

use std::env;
use std::path::PathBuf;

/// The folder of recorded platform payloads, one folder per platform in it: `$DRAGOMAN_PAYLOADS`, or
/// `../shared/platforms` from the workspace's folder. `None`, after a printed line, where there is none.
///
/// # Panics
/// Where there is none and the variable `CI` is set: a check that silently skips is no check.
#[expect(clippy::print_stdout, reason = "a skipped test says so where the person reads the results")]
pub fn payloads() -> Option<PathBuf> {
    let folder = env::var_os("DRAGOMAN_PAYLOADS").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/platforms")),
        PathBuf::from,
    );
    if folder.is_dir() {
        return Some(folder);
    }
    let what = format!("no recorded payloads in {}; set DRAGOMAN_PAYLOADS", folder.display());
    assert!(env::var_os("CI").is_none(), "{what}");
    println!("SKIPPED: {what}");
    None
}
