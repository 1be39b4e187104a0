//! What an operator sees of direct conversations and may do about them: who with whom and in which state, never what
//! they say.

use std::collections::BTreeSet;

use dragoman_model::{BridgeId, ConversationId, InstallationId, OrgId, RemoteUser};
use dragoman_platform::Facts;
use dragoman_store::{BridgeState, InstallationRow, Mutation};

use super::stance::{self, Stance, With, bar_of};
use super::words::{Say, text};
use crate::core::Relay;
use crate::directory::{Bridge, Directory, Spot};
use crate::error::RelayError;
use crate::notes::Note;

/// Somebody who has to do with direct conversations.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DirectPerson {
    /// Where.
    pub installation: InstallationId,
    /// Their account there.
    pub user: RemoteUser,
}

/// How a direct conversation stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DirectState {
    /// What is written passes.
    Open,
    /// An operator paused it.
    Paused,
    /// Two at least want it, and it is not open now.
    Agreed,
    /// Somebody was asked and did not answer yet.
    Asked,
    /// Somebody does not want to hear of it.
    Blocked,
}

/// A direct conversation of two or more.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DirectTalk {
    /// Whose.
    pub org: OrgId,
    /// The bridge, where it is open or paused.
    pub bridge: Option<BridgeId>,
    /// How it stands.
    pub state: DirectState,
    /// Everybody in it or asked for it.
    pub people: Vec<DirectPerson>,
}

impl Relay {
    /// All direct conversations, those of two first; no order beyond that which stays the same.
    pub fn direct_talks(&self) -> Vec<DirectTalk> {
        let directory = self.directory();
        let mut talks = Vec::new();
        let mut groups = BTreeSet::new();
        for spot in directory.spots() {
            for (with, mine) in stance::list(&spot.row.facts) {
                match with {
                    With::Group(group) => {
                        groups.insert(group);
                    }
                    With::Peer(peer) => talks.extend(pair(&directory, spot, &peer, mine)),
                }
            }
        }
        talks.extend(groups.iter().filter_map(|group| several(&directory, group)));
        talks
    }

    /// Whom operators keep out of direct conversations.
    pub fn kept_out(&self) -> Vec<DirectPerson> {
        let directory = self.directory();
        let of_place = |place: &std::sync::Arc<crate::directory::Place>| {
            let installation = &place.session.installation;
            let person =
                |user: &str| DirectPerson { installation: installation.id.clone(), user: user.into() };
            stance::barred(&installation.facts).map(person).collect::<Vec<_>>()
        };
        directory.places().flat_map(of_place).collect()
    }

    /// Ends an open direct conversation; its people are told. `false`: there is none with this id.
    pub async fn end_direct(&self, bridge: &BridgeId) -> Result<bool, RelayError> {
        let acting = {
            let directory = self.directory();
            let Some(found) = directory.bridge(bridge) else { return Ok(false) };
            self.0.direct.acting(&found.row.org)
        };
        let _acting = acting.lock().await;
        let directory = self.directory();
        let living = directory.bridge(bridge).filter(|it| it.row.state != BridgeState::Ended);
        let Some(found) = living.filter(|it| it.row.talk.is_some()) else { return Ok(false) };
        self.end_by_operator(found).await?;
        Ok(true)
    }

    async fn end_by_operator(&self, bridge: &Bridge) -> Result<(), RelayError> {
        let id = bridge.row.id.clone();
        let end = Mutation::EndTalk { bridge: id.clone(), by: None, at_ms: self.now_ms() };
        self.store().commit(end).await?;
        self.reload().await?;
        let directory = self.directory();
        for member in &bridge.row.members {
            let Some(spot) = directory.spot(member) else { continue };
            let note = text(&[Say::Text(
                "An administrator ended this conversation. What you write here is not delivered any more.",
            )]);
            self.tell_chat(spot, &format!("ended/{id}"), Note::words(note)).await?;
        }
        Ok(())
    }

    /// Keeps somebody out of direct conversations, or lets them in again. Whatever is open with whom is kept out ends.
    /// `false`: there is no such installation, or it was so already.
    pub async fn keep_out(
        &self,
        installation: &InstallationId,
        user: &RemoteUser,
        out: bool,
    ) -> Result<bool, RelayError> {
        let acting = {
            let directory = self.directory();
            let Some(place) = directory.place(installation) else { return Ok(false) };
            self.0.direct.acting(&place.session.installation.org)
        };
        let _acting = acting.lock().await;
        let key = bar_of(user.as_str());
        let keep = |row: &mut InstallationRow| {
            if out {
                row.facts.insert(key, "yes".to_owned());
            } else {
                row.facts.remove(&key);
            }
        };
        let changed = self.change_installation(installation, keep).await?;
        if changed {
            self.reload().await?;
        }
        // Whatever changed: what was open may have outlived a process that died between the two.
        if out {
            let directory = self.directory();
            let theirs = directory.spots().into_iter().filter(|spot| {
                spot.row.installation == *installation
                    && spot.row.facts.get(stance::PERSON).is_some_and(|person| person == user.as_str())
            });
            for spot in theirs {
                let open = directory.living_bridge(&spot.id).filter(|bridge| bridge.row.talk.is_some());
                if let Some(bridge) = open {
                    self.end_by_operator(bridge).await?;
                }
            }
        }
        Ok(changed)
    }
}

/// What an installation's facts tell of whom operators keep out: it outlives their being replaced.
pub(crate) fn kept_out_in(facts: &Facts) -> Facts {
    stance::barred(facts).map(|user| (bar_of(user), "yes".to_owned())).collect()
}

fn person(spot: &Spot) -> DirectPerson {
    DirectPerson {
        installation: spot.row.installation.clone(),
        user: spot.row.facts.get(stance::PERSON).map_or("", String::as_str).into(),
    }
}

/// A conversation of two, told once although both sides know of it.
fn pair(directory: &Directory, spot: &Spot, peer: &ConversationId, mine: Stance) -> Option<DirectTalk> {
    let other = directory.spot(peer)?;
    let theirs = stance::stance(&other.row.facts, &With::Peer(spot.id.clone()));
    if theirs.is_some() && other.id < spot.id {
        return None;
    }
    let living = directory.living_bridge(&spot.id);
    let bridge = living.filter(|bridge| bridge.row.talk.is_some() && bridge.row.members.contains(peer));
    let bridge = bridge.filter(|bridge| bridge.row.members.len() == 2);
    let waits = [Some(mine), theirs].iter().flatten().any(|it| matches!(it, Stance::Asked(_)));
    let blocked = [Some(mine), theirs].iter().flatten().any(|it| matches!(it, Stance::Blocked(_)));
    Some(DirectTalk {
        org: spot.org.clone(),
        state: state(bridge.map(|bridge| &**bridge), blocked, waits),
        bridge: bridge.map(|bridge| bridge.row.id.clone()),
        people: vec![person(spot), person(other)],
    })
}

fn several(directory: &Directory, group: &str) -> Option<DirectTalk> {
    let with = With::Group(group.to_owned());
    let spots: Vec<_> = directory.group(group).iter().filter_map(|id| directory.spot(id)).collect();
    let stances: Vec<Stance> =
        spots.iter().filter_map(|spot| stance::stance(&spot.row.facts, &with)).collect();
    let willing = stances.iter().filter(|it| matches!(it, Stance::Willing(_) | Stance::Left(_))).count();
    let bridge = directory.talk(group);
    Some(DirectTalk {
        org: spots.first()?.org.clone(),
        state: state(bridge.map(|bridge| &**bridge), false, willing < 2),
        bridge: bridge.map(|bridge| bridge.row.id.clone()),
        people: spots.into_iter().map(|spot| person(spot)).collect(),
    })
}

fn state(bridge: Option<&Bridge>, blocked: bool, waits: bool) -> DirectState {
    match bridge.map(|bridge| bridge.row.state) {
        Some(BridgeState::Paused) => DirectState::Paused,
        Some(_) => DirectState::Open,
        None if blocked => DirectState::Blocked,
        None if waits => DirectState::Asked,
        None => DirectState::Agreed,
    }
}
