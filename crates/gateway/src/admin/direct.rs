//! Direct conversations, as far as an operator has to do with them.

use async_trait::async_trait;
use dragoman_model::BridgeId;
use dragoman_relay::{DirectPerson, DirectState, Directory};

use super::api::{
    DirectAllow, DirectClose, DirectInfo, DirectList, DirectMember, DirectOverview, DirectStanding, Done,
};
use super::desk::{Desk, bridge};
use super::person::account_of;
use super::problem::Problem;
use super::route::Act;

#[async_trait]
impl Act for DirectList {
    async fn act(self, desk: &Desk) -> Result<DirectOverview, Problem> {
        let directory = desk.relay.directory();
        let talks = desk.relay.direct_talks().into_iter().map(|talk| DirectInfo {
            bridge: talk.bridge.map(|bridge| bridge.to_string()),
            org: talk.org.to_string(),
            state: match talk.state {
                DirectState::Open => DirectStanding::Open,
                DirectState::Paused => DirectStanding::Paused,
                DirectState::Agreed => DirectStanding::Agreed,
                DirectState::Asked => DirectStanding::Asked,
                DirectState::Blocked => DirectStanding::Blocked,
            },
            people: talk.people.iter().map(|person| member(&directory, person)).collect(),
        });
        let kept_out = desk.relay.kept_out();
        Ok(DirectOverview {
            talks: talks.collect(),
            kept_out: kept_out.iter().map(|person| member(&directory, person)).collect(),
        })
    }
}

#[async_trait]
impl Act for DirectClose {
    async fn act(self, desk: &Desk) -> Result<Done, Problem> {
        let (id, org): (BridgeId, _) = {
            let directory = desk.relay.directory();
            let found = bridge(&directory, &self.bridge)?;
            (found.row.id.clone(), found.row.org.clone())
        };
        if !desk.relay.end_direct(&id).await? {
            let what = format!("{id} is no open direct conversation");
            return Err(Problem::wrong(
                what,
                "`dragoman dm list` shows those; `dragoman bridge remove` ends others",
            ));
        }
        desk.audit(Some(&org), "direct.end", id.to_string()).await?;
        Ok(Done { count: 1 })
    }
}

#[async_trait]
impl Act for DirectAllow {
    async fn act(self, desk: &Desk) -> Result<Done, Problem> {
        let _acting = desk.acting.lock().await;
        let named = account_of(desk, &self.person).await?;
        let installation = &named.place.session.installation;
        let changed = desk.relay.keep_out(&installation.id, &named.user, !self.allowed).await?;
        if changed {
            let act = if self.allowed { "direct.allow" } else { "direct.keep-out" };
            let subject = format!("{} {}", installation.id, named.user);
            desk.audit(Some(&installation.org), act, subject).await?;
        }
        Ok(Done { count: u64::from(changed) })
    }
}

fn member(directory: &Directory, person: &DirectPerson) -> DirectMember {
    let place = directory.place(&person.installation);
    DirectMember {
        installation: person.installation.to_string(),
        platform: place.map(|place| place.session.app.platform.to_string()).unwrap_or_default(),
        workspace: place.map(|place| place.name.clone()).unwrap_or_default(),
        user: person.user.to_string(),
    }
}
