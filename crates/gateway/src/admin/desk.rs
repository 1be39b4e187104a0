//! What all acts of operators share.

use std::sync::Arc;

use dragoman_model::{AppId, BridgeId, OrgId};
use dragoman_platform::{App, Connector};
use dragoman_relay::{Bridge, Directory, Relay};
use dragoman_store::{AuditRow, Mutation};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::problem::Problem;
use crate::installs::InstallDesk;

/// The desk at which operators act.
pub(crate) struct Desk {
    pub(crate) relay: Relay,
    pub(crate) installs: Arc<InstallDesk>,
    pub(crate) public_url: String,
    pub(crate) started_ms: i64,
    /// Names this process.
    pub(crate) instance: String,
    pub(crate) tasks: TaskTracker,
    /// The gateway is ending.
    pub(crate) stop: CancellationToken,
    /// Asks for the end of the process.
    pub(crate) quit: CancellationToken,
    /// Acts that look before they write wait for each other.
    pub(crate) acting: tokio::sync::Mutex<()>,
}

impl Desk {
    pub(crate) fn now_ms(&self) -> i64 {
        self.relay.clock().now_ms()
    }

    /// Records an act.
    pub(crate) async fn audit(&self, org: Option<&OrgId>, act: &str, subject: String) -> Result<(), Problem> {
        let row = AuditRow {
            org: org.cloned(),
            at_ms: self.now_ms(),
            actor: "operator".to_owned(),
            act: act.to_owned(),
            subject,
        };
        self.relay.store().commit(Mutation::Audit(row)).await?;
        Ok(())
    }

    pub(crate) fn connector(&self, platform: &str) -> Result<&Arc<dyn Connector>, Problem> {
        let connectors = self.relay.connectors();
        connectors.get(platform).ok_or_else(|| {
            let known: Vec<&str> = connectors.keys().copied().collect();
            Problem::wrong(
                format!("there is no platform '{platform}'"),
                format!("take one of: {}", known.join(", ")),
            )
        })
    }

    /// An organisation by id or name; the only one where none is named.
    pub(crate) fn org(&self, named: Option<&str>) -> Result<OrgId, Problem> {
        let directory = self.relay.directory();
        let mut fitting =
            directory.orgs().filter(|(id, name)| named.is_none_or(|it| it == id.as_str() || it == *name));
        match (fitting.next(), fitting.next(), named) {
            (Some((id, _)), None, _) => Ok(id.clone()),
            (Some(_), Some(_), _) => {
                Err(Problem::wrong("there is more than one organisation", "name one with --org"))
            }
            (None, _, Some(name)) => Err(Problem::no_such("organisation", name, "dragoman org list")),
            (None, _, None) => {
                Err(Problem::wrong("there is no organisation yet", "make one with `dragoman org add NAME`"))
            }
        }
    }

    /// An app by id, by the beginning of its id, or by its platform where that has one.
    pub(crate) fn app(&self, named: &str) -> Result<Arc<App>, Problem> {
        let directory = self.relay.directory();
        if let Some(app) = directory.app(&AppId::from(named)) {
            return Ok(Arc::clone(app));
        }
        let fits = |app: &&Arc<App>| app.platform.0 == named || begins(app.id.as_str(), named);
        let fitting: Vec<&Arc<App>> = directory.apps().filter(fits).collect();
        match fitting.as_slice() {
            [app] => Ok(Arc::clone(app)),
            [] => Err(Problem::no_such("app", named, "dragoman app list")),
            _ => Err(Problem::wrong(
                format!("'{named}' fits more than one app"),
                "give the id; `dragoman app list` shows it",
            )),
        }
    }
}

/// A bridge by id or by the beginning of one.
pub(crate) fn bridge(directory: &Directory, named: &str) -> Result<Arc<Bridge>, Problem> {
    if let Some(bridge) = directory.bridge(&BridgeId::from(named)) {
        return Ok(Arc::clone(bridge));
    }
    let fitting: Vec<&Arc<Bridge>> =
        directory.bridges().filter(|it| begins(it.row.id.as_str(), named)).collect();
    match fitting.as_slice() {
        [bridge] => Ok(Arc::clone(bridge)),
        [] => Err(Problem::no_such("bridge", named, "dragoman bridge list")),
        _ => Err(Problem::wrong(format!("'{named}' fits more than one bridge"), "give more of the id")),
    }
}

/// Whether a shortened id is meant. Ids made in the same second begin alike, so short ones are not taken.
pub(crate) fn begins(id: &str, with: &str) -> bool {
    with.len() >= 6 && id.starts_with(with)
}
