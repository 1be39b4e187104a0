//! What the operating system is told about the process.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;

use crate::http::eventually;
use crate::rig::{Rig, Served};

/// The user that nobody is.
const NOBODY: u32 = 65_534;

fn give(path: &Path) {
    chown(path, Some(NOBODY), Some(NOBODY)).expect("root gives files away");
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        give(&entry.path());
    }
}

#[tokio::test]
async fn the_process_leaves_no_core_and_is_not_dumpable() {
    let rig = Rig::new("");
    let mut command = rig.prepare(&["serve"]);
    // Root's processes belong to root whether they are dumpable or not.
    if rustix::process::getuid().is_root() {
        give(&rig.path(""));
        command.uid(NOBODY).gid(NOBODY);
    }
    let mut gateway = Served::spawn(command, rig.path("log"));
    eventually("the socket is there", async || {
        assert!(gateway.ended().is_none(), "{}", gateway.log());
        rig.path("data/admin.sock").exists().then_some(())
    })
    .await;
    let process = Path::new("/proc").join(gateway.pid().to_string());
    let limits = fs::read_to_string(process.join("limits")).expect("limits");
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).expect("a line");
    let numbers: Vec<&str> = core.split_whitespace().filter(|word| word.parse::<u64>().is_ok()).collect();
    assert_eq!(numbers, ["0", "0"], "{core}");
    let status = fs::read_to_string(process.join("status")).expect("a status");
    assert!(status.lines().any(|line| line.split_whitespace().eq(["NoNewPrivs:", "1"])), "{status}");
    // What is not dumpable belongs to root in /proc, whoever runs it.
    assert_eq!(fs::metadata(process.join("mem")).expect("memory").uid(), 0);
    // Nobody else gets at the socket and the data.
    for private in ["data", "data/admin.sock", "data/dragoman.sqlite", "data/secrets.slots", "keys"] {
        let mode = fs::metadata(rig.path(private)).expect("a file").mode();
        assert_eq!(mode & 0o077, 0, "{private}: {mode:o}");
    }
}
