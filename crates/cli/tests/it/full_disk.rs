//! A disk that is full: nothing is acknowledged that is not kept, and it goes on when there is room again.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use crate::http::eventually;
use crate::world::World;

/// A small file system in memory.
struct Small(TempDir);

impl Small {
    /// `None` where this user may not mount.
    fn mount() -> Option<Self> {
        let folder = TempDir::with_prefix("dragoman-small-").expect("a folder");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=16m,mode=700", "none"]).arg(folder.path());
        let mounted = mount.output().is_ok_and(|output| output.status.success());
        mounted.then_some(Self(folder))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes until nothing fits any more.
    fn fill(&self) {
        let block = vec![1_u8; 64 << 10];
        for number in 0.. {
            if fs::write(self.path(&format!("filler-{number}")), &block).is_err() {
                return;
            }
        }
    }

    fn free(&self) {
        for entry in fs::read_dir(self.0.path()).expect("a folder").flatten() {
            if entry.file_name().to_string_lossy().starts_with("filler-") {
                fs::remove_file(entry.path()).expect("a file");
            }
        }
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[tokio::test]
async fn a_full_disk_is_answered_503_and_survived() {
    let Some(small) = Small::mount() else {
        assert!(std::env::var_os("CI").is_none(), "this needs the right to mount a file system");
        println!("skipped: this needs the right to mount a file system");
        return;
    };
    let mut world = World::start_in(Some(&small.path("data")), false).await;
    world.relays_both_ways("room").await;
    small.fill();
    // What is written into room that the database still has is accepted; then it is not any more.
    let mut lost = String::new();
    let mut number = 0;
    eventually("Slack is answered 503", async || {
        number += 1;
        lost = format!("no room {number}");
        world.sims.ana_says("launch", &lost).await;
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        world.sims.slack_deliveries().await.iter().any(|delivery| delivery["status"] == 503).then_some(())
    })
    .await;
    assert!(world.gateway.ended().is_none(), "{}", world.gateway.log());
    let answers = world.sims.slack_deliveries().await;
    assert!(answers.iter().all(|it| it["status"] != 429 && it["status"] != 500), "{answers:?}");
    let log = world.gateway.log();
    assert!(log.contains("DRG-DISK") && !log.contains("no room"), "{log}");

    small.free();
    world.relays_both_ways("room again").await;
    // What Slack was refused it sends again; the gateway started anew finds it besides.
    let rig = &world.rig;
    let (status, _) = world.gateway.end(rustix::process::Signal::TERM).await;
    assert!(status.success());
    world.gateway = rig.serve().await;
    world.arrives_at_teams(&lost).await;
}
