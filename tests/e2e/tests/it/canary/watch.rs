//! A world under observation: everything that the gateway writes and answers is looked through.

use std::fs;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use dragoman_gateway::admin::api::{
    AppList, AuditList, BridgeList, ConversationSearch, DeadLetterList, DeliveryList, InstallList, OrgList,
    StatusGet,
};
use dragoman_gateway::admin::client::Client;
use e2e::World;
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::scan::Scanner;

/// What operators see of it while it goes by.
pub(super) struct Activity {
    seen: Arc<Mutex<String>>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Activity {
    /// Follows the gateway's activity over all of its lives.
    pub(super) fn follow(client: Client) -> Self {
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let seen = Arc::new(Mutex::new(String::new()));
        let (into, token) = (Arc::clone(&seen), stop.clone());
        tasks.spawn(async move {
            tokio::select! {
                () = token.cancelled() => {}
                () = read(client, into) => {}
            }
        });
        Self { seen, tasks, stop }
    }

    pub(super) fn text(&self) -> String {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) async fn end(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

async fn read(client: Client, into: Arc<Mutex<String>>) {
    loop {
        if let Ok(mut reader) = client.activity().await {
            while let Some(entry) = reader.next().await {
                let line = serde_json::to_string(&entry).unwrap_or_default();
                into.lock().unwrap_or_else(PoisonError::into_inner).push_str(&line);
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Everything that is found; `alive`: the gateway is asked as well.
pub(super) async fn look(
    world: &World,
    scanner: &Scanner,
    activity: &Activity,
    alive: bool,
) -> Result<Vec<String>> {
    let mut found = scanner.scan_folder(world.binary.folder())?;
    found.extend(scanner.scan("activity", activity.text().as_bytes()));
    if !alive {
        return Ok(found);
    }
    for (file, bytes) in nameless(world)? {
        found.extend(scanner.scan(&format!("an open file without a name, {file}"), &bytes));
    }
    let metrics = world.http.text(&format!("{}/metrics", world.binary.ops_url())).await?;
    ensure!(metrics.contains("# HELP"), "no metrics: {metrics}");
    found.extend(scanner.scan("metrics", metrics.as_bytes()));
    let search = ConversationSearch::default();
    let answers = [
        shown("status", &world.ask(&StatusGet {}).await?)?,
        shown("deliveries", &world.ask(&DeliveryList { limit: 1_000, ..DeliveryList::default() }).await?)?,
        shown("dead letters", &world.ask(&DeadLetterList { limit: 1_000, org: None }).await?)?,
        shown("audit", &world.ask(&AuditList { limit: 1_000 }).await?)?,
        shown("bridges", &world.ask(&BridgeList { ended: true }).await?)?,
        shown("organisations", &world.ask(&OrgList {}).await?)?,
        shown("apps", &world.ask(&AppList {}).await?)?,
        shown("installations", &world.ask(&InstallList {}).await?)?,
        shown("conversations", &world.ask(&search).await?)?,
    ];
    for (name, text) in answers {
        found.extend(scanner.scan(name, text.as_bytes()));
    }
    for command in [["delivery", "list"], ["dead-letter", "list"], ["bridge", "list"]] {
        let (_, out, err) = world.binary.command(&command)?;
        found.extend(scanner.scan(&command.join(" "), [out, err].concat().as_bytes()));
    }
    Ok(found)
}

/// Files of the data folder that are open without having a name any more, as the spool's are: where they are read and
/// what is in them.
pub(super) fn nameless(world: &World) -> Result<Vec<(String, Vec<u8>)>> {
    let pid = world.binary.pid().context("the gateway does not run")?;
    let folder = world.binary.data_folder();
    let mut found = Vec::new();
    for entry in fs::read_dir(format!("/proc/{pid}/fd"))? {
        let path = entry?.path();
        // What was closed meanwhile holds nothing any more.
        let Ok(target) = fs::read_link(&path) else { continue };
        if target.starts_with(&folder) && target.to_string_lossy().ends_with(" (deleted)") {
            found.push((path.display().to_string(), fs::read(&path).unwrap_or_default()));
        }
    }
    Ok(found)
}

fn shown<T: Serialize>(name: &'static str, answer: &T) -> Result<(&'static str, String)> {
    Ok((name, serde_json::to_string(answer)?))
}
