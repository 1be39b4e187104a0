//! `dragoman demo`, as a person starts it.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use e2e::{eventually, executable};
use tempfile::TempDir;

use super::driver::PATIENCE;

/// The demo, with a folder of its own for what it must not leave behind.
pub(super) struct Demo {
    child: Child,
    folder: TempDir,
    /// The page's address, as it was printed.
    pub(super) address: String,
}

impl Demo {
    /// Starts it and waits for the address; what it says goes into `logs`.
    pub(super) async fn start(logs: &Path) -> Result<Self> {
        fs::create_dir_all(logs)?;
        let folder = TempDir::with_prefix("dragoman-e2e-")?;
        let (stdout, stderr) = (logs.join("demo.stdout"), logs.join("demo.stderr"));
        let child = Command::new(executable()?)
            .arg("demo")
            .env("TMPDIR", folder.path())
            .env_remove("RUST_LOG")
            .env_remove("DRAGOMAN_FAULT")
            .stdin(Stdio::null())
            .stdout(File::create(&stdout)?)
            .stderr(File::create(&stderr)?)
            .spawn()
            .context("dragoman demo could not be started")?;
        let mut demo = Self { child, folder, address: String::new() };
        demo.address = eventually("the demo's address", PATIENCE, || async {
            let text = fs::read_to_string(&stdout).unwrap_or_default();
            let line = text.lines().find(|line| line.starts_with("http://")).map(str::to_owned);
            line.ok_or_else(|| fs::read_to_string(&stderr).unwrap_or_default())
        })
        .await?;
        Ok(demo)
    }

    /// Ends it as Ctrl-C does; it must leave nothing behind.
    pub(super) async fn end(mut self) -> Result<()> {
        let id = self.child.id().to_string();
        ensure!(Command::new("kill").args(["-INT", &id]).status()?.success(), "the demo had ended already");
        let child = std::sync::Mutex::new(&mut self.child);
        let status = eventually("the demo's end", PATIENCE, || async {
            let status = child.lock().map_or(Ok(None), |mut child| child.try_wait());
            status.map_err(|error| error.to_string())?.ok_or_else(|| "it still runs".to_owned())
        })
        .await?;
        ensure!(status.success(), "the demo ended with {status}");
        let left: Vec<_> = fs::read_dir(self.folder.path())?.flatten().map(|entry| entry.path()).collect();
        ensure!(left.is_empty(), "the demo left {left:?} behind");
        Ok(())
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // A failed test leaves no process behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
