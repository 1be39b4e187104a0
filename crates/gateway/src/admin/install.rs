//! Installations.

use std::time::Duration;

use async_trait::async_trait;
use dragoman_model::InstallationId;
use dragoman_platform::App;
use dragoman_relay::Place;
use dragoman_seal::Token;

use super::api::{
    InstallInfo, InstallLink, InstallList, InstallStart, InstallState, InstallToken, InstallWait,
};
use super::app::missing;
use super::desk::Desk;
use super::problem::Problem;
use super::route::Act;
use crate::installs::Progress;

/// How long one question waits for an answer.
const WAIT: Duration = Duration::from_secs(20);

#[async_trait]
impl Act for InstallStart {
    async fn act(self, desk: &Desk) -> Result<InstallLink, Problem> {
        let app = desk.app(&self.app)?;
        complete(desk, &app).await?;
        let started = desk.installs.start(&app.id)?;
        desk.audit(Some(&app.org), "install.start", app.id.to_string()).await?;
        Ok(InstallLink { link: started.link, ticket: started.ticket, expires_ms: started.expires_ms })
    }
}

#[async_trait]
impl Act for InstallWait {
    async fn act(self, desk: &Desk) -> Result<InstallState, Problem> {
        let gone = || Problem::no_such("installation under way", &self.ticket, "dragoman install start");
        let mut seen = desk.installs.watch(&self.ticket).ok_or_else(gone)?;
        let over = seen.wait_for(|progress| !matches!(progress, Progress::Waiting));
        let waited = tokio::select! {
            over = tokio::time::timeout(WAIT, over) => over.ok(),
            () = desk.stop.cancelled() => return Err(Problem::stopping()),
        };
        let progress = match waited {
            None => return Ok(InstallState::Waiting),
            // The sender is gone with a link that nobody used in time.
            Some(Err(_)) => {
                let cure = "start again with `dragoman install start`";
                let problem = Problem::wrong("the link was not used within 15 minutes", cure);
                return Ok(InstallState::Failed(problem));
            }
            Some(Ok(progress)) => progress.clone(),
        };
        match progress {
            Progress::Waiting => Ok(InstallState::Waiting),
            Progress::Failed(problem) => Ok(InstallState::Failed(problem)),
            Progress::Done(id) => view_of(desk, &id).map(InstallState::Done),
        }
    }
}

#[async_trait]
impl Act for InstallToken {
    async fn act(self, desk: &Desk) -> Result<InstallInfo, Problem> {
        let _acting = desk.acting.lock().await;
        let app = desk.app(&self.app)?;
        let id = desk.installs.adopt(&app.id, Token::new(self.token.0)).await?;
        view_of(desk, &id)
    }
}

#[async_trait]
impl Act for InstallList {
    async fn act(self, desk: &Desk) -> Result<Vec<InstallInfo>, Problem> {
        Ok(desk.relay.directory().places().map(|place| view(place)).collect())
    }
}

/// An app that lacks values cannot be installed: the platform would only show an error page.
async fn complete(desk: &Desk, app: &App) -> Result<(), Problem> {
    let row = desk.relay.store().app(&app.id).await?;
    let missing = row.map(|row| missing(desk, &row)).unwrap_or_default();
    if missing.is_empty() {
        return Ok(());
    }
    let what = format!("the {} app lacks {}", app.platform, missing.join(", "));
    let cure = format!("set what is missing with `dragoman app set {} --set KEY=@FILE`", app.platform);
    Err(Problem::wrong(what, cure))
}

fn view_of(desk: &Desk, id: &InstallationId) -> Result<InstallInfo, Problem> {
    let directory = desk.relay.directory();
    let place = directory.place(id);
    place
        .map(|place| view(place))
        .ok_or_else(|| Problem::no_such("installation", id.as_str(), "dragoman install list"))
}

fn view(place: &Place) -> InstallInfo {
    let installation = &place.session.installation;
    InstallInfo {
        id: installation.id.to_string(),
        org: installation.org.to_string(),
        app: installation.app.to_string(),
        platform: place.session.app.platform.to_string(),
        workspace: installation.workspace.to_string(),
        name: place.name.clone(),
        scopes: installation.scopes.clone(),
        trouble: place.trouble.clone(),
    }
}
