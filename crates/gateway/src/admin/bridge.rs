//! Bridges.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use dragoman_model::{BridgeId, ConversationId, OrgId, codes};
use dragoman_platform::{ALLOW_EXTERNAL, Conversation, Facts};
use dragoman_relay::{Directory, Place, Spot, is_of_people};
use dragoman_seal::FieldRef;
use dragoman_store::{
    Amendment, BridgePast, BridgeRow, BridgeState as Stored, ConversationRow, Mutation, Notices, WatchColumns,
};

use super::api::{
    BridgeAdd, BridgeInfo, BridgeList, BridgeMembers, BridgeSet, BridgeState, BridgeTest, Done, MemberInfo,
    NoticeMode, State,
};
use super::backfill;
use super::conversation::bridge_of;
use super::desk::{Desk, bridge};
use super::problem::Problem;
use super::reference;
use super::route::Act;
use crate::steer;

#[async_trait]
impl Act for BridgeAdd {
    async fn act(self, desk: &Desk) -> Result<BridgeInfo, Problem> {
        let _acting = desk.acting.lock().await;
        if self.members.len() < 2 {
            return Err(Problem::wrong("a bridge links two conversations or more", "name them all"));
        }
        let joining = find(desk, &self.members, self.allow_external).await?;
        let org = joining.first().map(|(place, _)| place.session.installation.org.clone());
        let org = org.ok_or_else(Problem::stopping)?;
        same_org(&org, &joining)?;
        let members = keep(desk, &joining).await?;
        let asked = backfill::Asked { names: &self.members, count: self.backfill, of: &self.backfill_of };
        let backfill_ms = backfill::earlier(desk, &asked, &joining, &members).await?;
        let backfill_due: BTreeSet<ConversationId> = backfill_ms.keys().cloned().collect();
        let now_ms = desk.now_ms();
        let id = BridgeId::fresh(now_ms, &**desk.relay.random());
        let row = BridgeRow {
            id: id.clone(),
            org: org.clone(),
            state: Stored::Active,
            members,
            created_ms: now_ms,
            since_ms: now_ms,
            past: BridgePast { backfill_ms, backfill_due: backfill_due.clone(), ..BridgePast::default() },
            notices: Notices::Off,
            talk: None,
        };
        let subject = subject(&id, &row.members);
        let waiting: Vec<ConversationId> = backfill_due.into_iter().collect();
        let held = desk.relay.hold_back(&waiting);
        desk.relay.store().commit(Mutation::AddBridge(row.clone())).await?;
        desk.audit(Some(&org), "bridge.add", subject).await?;
        desk.relay.reload().await?;
        let warnings = watch(desk, &row.members).await?;
        drop(held);
        let text = linked_text(&desk.relay.directory(), &row);
        steer::announce(&desk.relay, &id, &text).await;
        info(desk, &id, warnings)
    }
}

#[async_trait]
impl Act for BridgeList {
    async fn act(self, desk: &Desk) -> Result<Vec<BridgeInfo>, Problem> {
        let directory = desk.relay.directory();
        let bridges = directory.bridges().filter(|bridge| self.ended || bridge.row.state != Stored::Ended);
        Ok(bridges.map(|bridge| view(&directory, &bridge.row, Vec::new())).collect())
    }
}

#[async_trait]
impl Act for BridgeState {
    async fn act(self, desk: &Desk) -> Result<BridgeInfo, Problem> {
        let _acting = desk.acting.lock().await;
        let directory = desk.relay.directory();
        let row = bridge(&directory, &self.bridge)?.row.clone();
        if row.state == Stored::Ended {
            let what = format!("bridge {} has ended", row.id);
            return Err(Problem::wrong(what, "link the conversations again with `dragoman bridge add`"));
        }
        let state = stored(self.state);
        if row.state == state {
            return info(desk, &row.id, Vec::new());
        }
        if state == Stored::Ended {
            // Said before it is over, while everybody still knows who is meant.
            steer::announce(&desk.relay, &row.id, "This conversation is not linked any more.").await;
        }
        let due: Vec<ConversationId> = row.past.backfill_due.iter().cloned().collect();
        let held = (state == Stored::Active).then(|| desk.relay.hold_back(&due));
        // What was written during a pause stays where it is; what was written before it does not.
        let since_ms = Some(desk.now_ms());
        desk.relay.store().commit(Mutation::SetBridge { bridge: row.id.clone(), state, since_ms }).await?;
        desk.audit(Some(&row.org), &format!("bridge.{}", state.as_str()), row.id.to_string()).await?;
        desk.relay.reload().await?;
        let mut warnings = Vec::new();
        match state {
            Stored::Active => {
                warnings = watch(desk, &row.members).await?;
                drop(held);
                // Edits and deletions of what was relayed before the pause.
                row.members.iter().for_each(|member| desk.relay.catch_up_later(member.clone()));
                let text = linked_text(&desk.relay.directory(), &row);
                steer::announce(&desk.relay, &row.id, &text).await;
            }
            Stored::Paused => {
                let text = "The link of this conversation is paused. Messages written here stay here until it is resumed.";
                steer::announce(&desk.relay, &row.id, text).await;
            }
            Stored::Ended => unwatch(desk, &directory, &row.members).await?,
        }
        info(desk, &row.id, warnings)
    }
}

#[async_trait]
impl Act for BridgeMembers {
    async fn act(self, desk: &Desk) -> Result<BridgeInfo, Problem> {
        let _acting = desk.acting.lock().await;
        let directory = desk.relay.directory();
        let row = bridge(&directory, &self.bridge)?.row.clone();
        if row.state == Stored::Ended {
            let what = format!("bridge {} has ended", row.id);
            return Err(Problem::wrong(what, "link the conversations again with `dragoman bridge add`"));
        }
        if row.talk.is_some() {
            let what = format!("people asked the app for {} themselves", row.id);
            let cure = format!("they decide who is in it; end it with `dragoman dm close {}`", row.id);
            return Err(Problem::wrong(what, cure));
        }
        let leaving = leaving(&directory, &row, &self.remove)?;
        let joining = find(desk, &self.add, self.allow_external).await?;
        same_org(&row.org, &joining)?;
        if row.members.len() - leaving.len() + joining.len() < 2 {
            let what = "a bridge of fewer than two conversations links nothing";
            return Err(Problem::wrong(what, format!("end it with `dragoman bridge remove {}`", row.id)));
        }
        let joined = keep(desk, &joining).await?;
        let asked = backfill::Asked { names: &self.add, count: self.backfill, of: &self.backfill_of };
        let backfill_ms = backfill::earlier(desk, &asked, &joining, &joined).await?;
        let members: Vec<ConversationId> = row
            .members
            .iter()
            .filter(|member| !leaving.contains(*member))
            .cloned()
            .chain(joined.clone())
            .collect();
        let changed = BridgeRow { members: members.clone(), ..row.clone() };
        let waiting: Vec<ConversationId> = backfill_ms.keys().cloned().collect();
        let held = desk.relay.hold_back(&waiting);
        // Who joins gets nothing that was written before.
        let since_ms = Some(desk.now_ms());
        let set =
            Mutation::SetMembers { bridge: row.id.clone(), members, since_ms, backfill_ms, joined_by: None };
        desk.relay.store().commit(set).await?;
        desk.audit(Some(&row.org), "bridge.members", subject(&row.id, &changed.members)).await?;
        desk.relay.reload().await?;
        let left: Vec<ConversationId> = leaving.into_iter().collect();
        unwatch(desk, &directory, &left).await?;
        let mut warnings = Vec::new();
        if row.state == Stored::Active {
            warnings = watch(desk, &joined).await?;
            drop(held);
            // What was accepted while the new members were not known everywhere yet.
            changed.members.iter().for_each(|member| desk.relay.catch_up_later(member.clone()));
            let text = linked_text(&desk.relay.directory(), &changed);
            steer::announce(&desk.relay, &row.id, &text).await;
        }
        info(desk, &row.id, warnings)
    }
}

#[async_trait]
impl Act for BridgeSet {
    async fn act(self, desk: &Desk) -> Result<BridgeInfo, Problem> {
        let _acting = desk.acting.lock().await;
        let row = bridge(&desk.relay.directory(), &self.bridge)?.row.clone();
        if let Some(mode) = self.notices {
            let notices = match mode {
                NoticeMode::Off => Notices::Off,
                NoticeMode::Digest => Notices::Digest,
                NoticeMode::On => Notices::On,
            };
            desk.relay.store().commit(Mutation::SetNotices { bridge: row.id.clone(), notices }).await?;
            let act = format!("bridge.notices-{}", notices.as_str());
            desk.audit(Some(&row.org), &act, row.id.to_string()).await?;
            desk.relay.reload().await?;
        }
        info(desk, &row.id, Vec::new())
    }
}

#[async_trait]
impl Act for BridgeTest {
    async fn act(self, desk: &Desk) -> Result<Done, Problem> {
        let directory = desk.relay.directory();
        let bridge = bridge(&directory, &self.bridge)?;
        steer::announce(&desk.relay, &bridge.row.id, "This is a test of the link. Nothing needs to be done.")
            .await;
        desk.audit(Some(&bridge.row.org), "bridge.test", bridge.row.id.to_string()).await?;
        Ok(Done { count: bridge.row.members.len() as u64 })
    }
}

pub(super) type Found = (Arc<Place>, Conversation);

/// Resolves references and refuses what may not be linked.
async fn find(desk: &Desk, references: &[String], allow_external: bool) -> Result<Vec<Found>, Problem> {
    let directory = desk.relay.directory();
    let mut found: Vec<Found> = Vec::new();
    for text in references {
        let (place, mut conversation) = reference::resolve(&directory, text).await?;
        if conversation.external && !allow_external {
            let what = format!("people of other organisations are in {text}");
            return Err(Problem::new(
                codes::EXTERNAL,
                what,
                "add --allow-external if they may read what is linked with it",
            ));
        }
        if let Some(bridge) = bridge_of(&directory, &place, &conversation.remote) {
            let what = format!("{text} is in bridge {bridge} already");
            let cure = format!(
                "add the others to it with `dragoman bridge members {bridge} --add`, or end it with `dragoman bridge remove {bridge}`"
            );
            return Err(Problem::new(codes::ALREADY_BRIDGED, what, cure));
        }
        let (platform, org) = (place.session.app.platform, &place.session.installation.org);
        if let Some((bridge, spot)) = directory.shared_with(org, platform, &conversation.remote) {
            let what =
                format!("{text} is the same conversation as {} in bridge {}", label(spot), bridge.row.id);
            let cure =
                "link it through one of the workspaces only: through both, its messages would go round";
            return Err(Problem::new(codes::LOOP, what, cure));
        }
        let same =
            |(other, it): &&Found| other.session.app.platform == platform && it.remote == conversation.remote;
        if let Some((other, _)) = found.iter().find(same) {
            if other.session.installation.workspace == place.session.installation.workspace {
                return Err(Problem::wrong(format!("{text} is named twice"), "name each conversation once"));
            }
            let what = format!("{text} is named twice, as two workspaces see it");
            let cure = "link it through one of them only: through both, its messages would go round";
            return Err(Problem::new(codes::LOOP, what, cure));
        }
        if conversation.external {
            conversation.facts.insert(ALLOW_EXTERNAL.to_owned(), "yes".to_owned());
        }
        found.push((place, conversation));
    }
    Ok(found)
}

fn same_org(org: &OrgId, joining: &[Found]) -> Result<(), Problem> {
    if joining.iter().all(|(place, _)| place.session.installation.org == *org) {
        return Ok(());
    }
    Err(Problem::wrong(
        "the conversations belong to different organisations",
        "nothing crosses between two of them; name conversations of one",
    ))
}

/// Makes the conversations known.
async fn keep(desk: &Desk, joining: &[Found]) -> Result<Vec<ConversationId>, Problem> {
    let relay = &desk.relay;
    // A request that failed after this, or was broken off, kept what the directory does not know yet.
    relay.reload().await?;
    let directory = relay.directory();
    let now_ms = desk.now_ms();
    let mut ids = Vec::new();
    for (place, conversation) in joining {
        let installation = &place.session.installation;
        let known = directory.spot_at(&installation.id, &conversation.remote);
        let id =
            known.map_or_else(|| ConversationId::fresh(now_ms, &**relay.random()), |spot| spot.id.clone());
        let field = FieldRef { org: &installation.org, purpose: "conversation-name", row: id.as_str() };
        let sealed_name = relay.vault().seal_text(&field, &conversation.name).await?;
        if let Some(spot) = known {
            let amendment = anew(&spot.row.facts, conversation, sealed_name);
            relay.store().commit(Mutation::Amend { conversation: id.clone(), amendment }).await?;
            // What was written before it is linked is not looked for.
            let seen = Mutation::SeenUntil { conversation: id.clone(), seen_until_ms: now_ms };
            relay.store().commit(seen).await?;
        } else {
            let row = ConversationRow {
                org: installation.org.clone(),
                installation: installation.id.clone(),
                remote: conversation.remote.clone(),
                kind: conversation.kind.as_str().to_owned(),
                sealed_name,
                external: conversation.external,
                facts: conversation.facts.clone(),
                watch_id: None,
                watch_renew_ms: None,
                watch_expires_ms: None,
                seen_until_ms: now_ms,
                id: id.clone(),
            };
            relay.store().commit(Mutation::PutConversation(row)).await?;
        }
        ids.push(id);
    }
    Ok(ids)
}

/// What changes of a conversation that is known and linked now, while people may decide something in it. What they
/// decide in their own chat with the app is not the operator's to forget or to put back.
fn anew(known: &Facts, found: &Conversation, sealed_name: Vec<u8>) -> Amendment {
    let forgotten = known.keys().map(|fact| (fact.clone(), None));
    let told = found.facts.iter().map(|(fact, value)| (fact.clone(), Some(value.clone())));
    let mut facts: BTreeMap<String, Option<String>> = forgotten.chain(told).collect();
    facts.retain(|fact, _| !is_of_people(fact));
    Amendment {
        remote: None,
        kind: Some(found.kind.as_str().to_owned()),
        sealed_name: Some(sealed_name),
        external: Some(found.external),
        facts,
        watch: Some(WatchColumns::default()),
    }
}

/// Subscribes to the events of members, and tells what an operator has to see to.
pub(super) async fn watch(desk: &Desk, members: &[ConversationId]) -> Result<Vec<Problem>, Problem> {
    let mut warnings = Vec::new();
    for member in members {
        let failure = desk.relay.watch_now(member).await?;
        let directory = desk.relay.directory();
        let Some(spot) = directory.spot(member) else { continue };
        if let Some(failure) = failure {
            let doing = format!("subscribing to {}", label(spot));
            warnings.push(Problem::platform(&doing, spot.place.connector.display_name(), &failure));
            continue;
        }
        let now = spot.place.connector.conversation(&spot.place.session, &spot.conversation.remote).await;
        if now.is_ok_and(|now| !now.joined) {
            let what = format!("the app is not in {}", label(spot));
            warnings.push(Problem::new(
                codes::NOT_JOINED,
                what,
                "invite it there; nothing is relayed until then",
            ));
        }
    }
    Ok(warnings)
}

/// Ends subscriptions; those that cannot be ended now end by themselves.
async fn unwatch(desk: &Desk, directory: &Directory, members: &[ConversationId]) -> Result<(), Problem> {
    for member in members {
        let Some(row) = desk.relay.store().conversation(member).await? else { continue };
        let (Some(spot), Some(id)) = (directory.spot(member), row.watch_id) else { continue };
        let watch = dragoman_platform::Watch {
            id,
            renew_at_ms: row.watch_renew_ms,
            expires_at_ms: row.watch_expires_ms,
            facts: row.facts,
        };
        if let Err(failure) =
            spot.place.connector.unwatch(&spot.place.session, &spot.conversation, &watch).await
        {
            tracing::warn!(conversation = %member, code = %failure.code(), "a subscription could not be ended");
        }
        let amendment = Amendment { watch: Some(WatchColumns::default()), ..Amendment::default() };
        desk.relay.store().commit(Mutation::Amend { conversation: member.clone(), amendment }).await?;
    }
    desk.relay.reload().await?;
    Ok(())
}

/// Members that are to go, by id or reference.
fn leaving(
    directory: &Directory,
    row: &BridgeRow,
    named: &[String],
) -> Result<BTreeSet<ConversationId>, Problem> {
    let mut leaving = BTreeSet::new();
    for name in named {
        let is_meant = |member: &&ConversationId| {
            let spot = directory.spot(member);
            member.as_str() == name
                || spot.is_some_and(|spot| {
                    let platform = spot.place.session.app.platform;
                    reference::name_of(&spot.place, &spot.conversation.remote) == *name
                        || format!("{platform}:{}", spot.conversation.remote) == *name
                        || name
                            .strip_prefix(&format!("{platform}:#"))
                            .is_some_and(|wanted| reference::is_called(&spot.conversation.name, wanted))
                })
        };
        let meant: Vec<&ConversationId> = row.members.iter().filter(is_meant).collect();
        let [one] = meant.as_slice() else {
            let what = format!("'{name}' is not exactly one member of bridge {}", row.id);
            return Err(Problem::new(codes::NOT_FOUND, what, "`dragoman bridge list` shows ids"));
        };
        leaving.insert((*one).clone());
    }
    Ok(leaving)
}

fn label(spot: &Spot) -> String {
    let name = if spot.conversation.name.is_empty() {
        spot.conversation.remote.as_str()
    } else {
        &spot.conversation.name
    };
    format!("{} · {} · {name}", spot.place.connector.display_name(), spot.place.name)
}

/// What members read when a bridge begins to relay.
fn linked_text(directory: &Directory, row: &BridgeRow) -> String {
    let named = |spot: &Spot| {
        let (place, channel) = (&spot.place, spot.conversation.name.as_str());
        let workspace = place.name.as_str();
        // An id in the place of a name says nothing to members.
        let is_id = workspace == place.session.installation.workspace.as_str();
        let names = [place.connector.display_name(), if is_id { "" } else { workspace }, channel];
        names.into_iter().filter(|name| !name.is_empty()).collect::<Vec<_>>().join(" · ")
    };
    let labels: Vec<String> =
        row.members.iter().filter_map(|id| directory.spot(id)).map(|spot| named(spot)).collect();
    format!(
        "These conversations are linked; what is written in one appears in the others: {}",
        labels.join("; ")
    )
}

fn subject(id: &BridgeId, members: &[ConversationId]) -> String {
    let members: Vec<&str> = members.iter().map(ConversationId::as_str).collect();
    format!("{id} {}", members.join(" "))
}

fn stored(state: State) -> Stored {
    match state {
        State::Active => Stored::Active,
        State::Paused => Stored::Paused,
        State::Ended => Stored::Ended,
    }
}

fn info(desk: &Desk, id: &BridgeId, warnings: Vec<Problem>) -> Result<BridgeInfo, Problem> {
    let directory = desk.relay.directory();
    let bridge = directory.bridge(id).ok_or_else(Problem::stopping)?;
    Ok(view(&directory, &bridge.row, warnings))
}

fn view(directory: &Directory, row: &BridgeRow, warnings: Vec<Problem>) -> BridgeInfo {
    let member = |spot: &Arc<Spot>| MemberInfo {
        id: spot.id.to_string(),
        platform: spot.place.session.app.platform.to_string(),
        installation: spot.place.session.installation.id.to_string(),
        workspace: spot.place.name.clone(),
        remote: spot.conversation.remote.to_string(),
        name: spot.conversation.name.clone(),
        external: spot.conversation.external,
    };
    BridgeInfo {
        id: row.id.to_string(),
        org: row.org.to_string(),
        state: match row.state {
            Stored::Active => State::Active,
            Stored::Paused => State::Paused,
            Stored::Ended => State::Ended,
        },
        members: row.members.iter().filter_map(|id| directory.spot(id)).map(member).collect(),
        notices: match row.notices {
            Notices::Off => NoticeMode::Off,
            Notices::Digest => NoticeMode::Digest,
            Notices::On => NoticeMode::On,
        },
        warnings,
        created_ms: row.created_ms,
    }
}

#[cfg(test)]
mod tests {
    use dragoman_platform::ConversationKind;

    use super::*;

    #[test]
    fn linking_says_nothing_of_what_people_decide_meanwhile() {
        let facts = |facts: &[(&str, &str)]| -> Facts {
            facts.iter().map(|(fact, value)| ((*fact).to_owned(), (*value).to_owned())).collect()
        };
        let known =
            facts(&[("direct_person", "u1"), ("direct_peer:c9", "asked@5"), ("old", "x"), ("url", "y")]);
        let found = Conversation {
            remote: "r1".into(),
            kind: ConversationKind::Direct,
            name: String::new(),
            external: true,
            joined: true,
            facts: facts(&[("url", "z"), ("new", "w")]),
        };
        let amendment = anew(&known, &found, vec![7]);
        let wanted = [("new", Some("w")), ("old", None), ("url", Some("z"))];
        let wanted = wanted.map(|(fact, value)| (fact.to_owned(), value.map(str::to_owned)));
        assert_eq!(amendment.facts, BTreeMap::from(wanted));
        assert_eq!((amendment.sealed_name, amendment.external), (Some(vec![7]), Some(true)));
        // What it was subscribed to before is not renewed.
        assert_eq!(amendment.watch, Some(WatchColumns::default()));
    }
}
