//! Mutations of what operators set up. A mutation that is refused changes nothing.

use std::collections::BTreeSet;

use dragoman_model::{BridgeId, ConversationId, InstallationId, OrgId};

use super::state::State;
use crate::api::{Mutation, Reply};
use crate::error::StoreError;
use crate::merge;
use crate::rows::{
    AccountRow, AppRow, BridgeRow, BridgeState, ConversationRow, InstallationRow, LaneId, OrgRow,
};

type Result<T> = std::result::Result<T, StoreError>;

impl State {
    pub(super) fn apply_setup(&mut self, mutation: &Mutation) -> Result<Reply> {
        match mutation {
            Mutation::PutOrg(row) => self.put_org(row)?,
            Mutation::PutApp(row) => self.put_app(row)?,
            Mutation::PutInstallation(row) => self.put_installation(row)?,
            Mutation::PutToken(row) => {
                if !self.installations.contains_key(&row.installation) {
                    return Err(StoreError::missing("installation", &row.installation));
                }
                self.tokens.insert((row.installation.clone(), row.slot.clone()), row.clone());
            }
            Mutation::DropTokens { installation, slot } => {
                self.tokens
                    .retain(|(of, at), _| of != installation || slot.as_ref().is_some_and(|slot| slot != at));
            }
            Mutation::PutConversation(row) => self.put_conversation(row)?,
            Mutation::SeenUntil { conversation, seen_until_ms } => {
                let row = self.conversations.get_mut(conversation);
                let row = row.ok_or_else(|| StoreError::missing("conversation", conversation))?;
                row.seen_until_ms = row.seen_until_ms.max(*seen_until_ms);
            }
            Mutation::AddBridge(row) => {
                self.org_exists(&row.org)?;
                if self.bridges.contains_key(&row.id) {
                    return Err(StoreError::exists("bridge", &row.id));
                }
                self.may_join(&row.id, &row.org, row.state, &row.members)?;
                self.bridges.insert(row.id.clone(), row.clone());
            }
            Mutation::SetBridge { bridge, state, since_ms } => {
                let row = self.bridge(bridge)?;
                if *state != BridgeState::Ended {
                    for member in &row.members {
                        self.free_member(bridge, member)?;
                    }
                }
                let bridge = self.bridges.entry(bridge.clone());
                bridge.and_modify(|row| merge::bridge_state(row, *state, *since_ms));
            }
            Mutation::Amend { conversation, amendment } => {
                let row = self.conversations.get(conversation);
                let mut row =
                    row.cloned().ok_or_else(|| StoreError::missing("conversation", conversation))?;
                merge::amend(&mut row, amendment);
                self.put_conversation(&row)?;
            }
            Mutation::EndTalk { bridge, by, at_ms } => {
                self.bridge(bridge)?;
                let bridge = self.bridges.entry(bridge.clone());
                bridge.and_modify(|row| merge::bridge_over(row, by.as_ref(), *at_ms));
            }
            Mutation::SetNotices { bridge, notices } => {
                self.bridge(bridge)?;
                let bridge = self.bridges.entry(bridge.clone());
                bridge.and_modify(|row| row.notices = *notices);
            }
            Mutation::Backfilled { bridge, conversation } => {
                self.bridge(bridge)?;
                let bridge = self.bridges.entry(bridge.clone());
                bridge.and_modify(|row| {
                    row.past.backfill_due.remove(conversation);
                });
            }
            Mutation::SetMembers { bridge, members, since_ms, backfill_ms, joined_by } => {
                let row = self.bridge(bridge)?;
                self.may_join(bridge, &row.org, row.state, members)?;
                let bridge = self.bridges.entry(bridge.clone());
                bridge.and_modify(|row| {
                    merge::bridge_members(row, members, *since_ms, backfill_ms, joined_by.as_ref());
                });
            }
            Mutation::PutAccount(row) => self.put_account(row)?,
            Mutation::DropAccount { installation, user } => {
                let key = (installation.clone(), user.clone());
                if let Some(row) = self.accounts.remove(&key).and_then(merge::forgotten) {
                    self.accounts.insert(key, row);
                }
            }
            Mutation::UnlinkAccount { installation, user } => {
                let row = self.accounts.entry((installation.clone(), user.clone()));
                row.and_modify(|row| row.person = None);
            }
            Mutation::Audit(row) => {
                row.org.as_ref().map_or(Ok(()), |org| self.org_exists(org))?;
                self.audits.push(row.clone());
            }
            Mutation::Forget(installation) => self.forget(installation),
            Mutation::DropOrg(org) => return Ok(self.drop_org(org)),
            // The others are events on their way, which the caller takes itself.
            _ => debug_assert!(false, "a mutation that nobody does"),
        }
        Ok(Reply::Done)
    }

    fn org_exists(&self, org: &OrgId) -> Result<()> {
        if self.orgs.contains_key(org) { Ok(()) } else { Err(StoreError::missing("org", org)) }
    }

    fn put_org(&mut self, new: &OrgRow) -> Result<()> {
        if self.orgs.values().any(|row| row.name == new.name && row.id != new.id) {
            return Err(StoreError::exists("org", &new.name));
        }
        self.orgs.insert(new.id.clone(), new.clone());
        Ok(())
    }

    fn put_app(&mut self, new: &AppRow) -> Result<()> {
        self.org_exists(&new.org)?;
        if self.apps.get(&new.id).is_some_and(|row| row.org != new.org) {
            return Err(StoreError::exists("app", &new.id));
        }
        self.apps.insert(new.id.clone(), new.clone());
        Ok(())
    }

    fn put_installation(&mut self, new: &InstallationRow) -> Result<()> {
        self.org_exists(&new.org)?;
        if self.apps.get(&new.app).is_none_or(|app| app.org != new.org) {
            return Err(StoreError::missing("app", &new.app));
        }
        if self.installations.get(&new.id).is_some_and(|row| row.org != new.org) {
            return Err(StoreError::exists("installation", &new.id));
        }
        let mut others = self.installations.values().filter(|row| row.id != new.id);
        if others.any(|row| row.app == new.app && row.workspace == new.workspace) {
            return Err(StoreError::exists("installation", &new.workspace));
        }
        self.installations.insert(new.id.clone(), new.clone());
        Ok(())
    }

    fn put_conversation(&mut self, new: &ConversationRow) -> Result<()> {
        self.installation_of(&new.installation, &new.org)?;
        let old = self.conversations.get(&new.id);
        if old.is_some_and(|row| row.org != new.org) {
            return Err(StoreError::exists("conversation", &new.id));
        }
        let mut others = self.conversations.values().filter(|row| row.id != new.id);
        if others.any(|row| row.installation == new.installation && row.remote == new.remote) {
            return Err(StoreError::exists("conversation", &new.remote));
        }
        let seen = old.map_or(new.seen_until_ms, |row| row.seen_until_ms.max(new.seen_until_ms));
        self.conversations.insert(new.id.clone(), ConversationRow { seen_until_ms: seen, ..new.clone() });
        Ok(())
    }

    fn bridge(&self, id: &BridgeId) -> Result<&BridgeRow> {
        self.bridges.get(id).ok_or_else(|| StoreError::missing("bridge", id))
    }

    fn may_join(
        &self,
        bridge: &BridgeId,
        org: &OrgId,
        state: BridgeState,
        members: &[ConversationId],
    ) -> Result<()> {
        let mut seen = BTreeSet::new();
        for member in members {
            self.conversation_of(member, org)?;
            if !seen.insert(member) {
                return Err(StoreError::exists("bridge_member", member));
            }
            if state != BridgeState::Ended {
                self.free_member(bridge, member)?;
            }
        }
        Ok(())
    }

    fn free_member(&self, bridge: &BridgeId, member: &ConversationId) -> Result<()> {
        if self.live_bridge(member).is_none_or(|holder| holder == bridge) {
            return Ok(());
        }
        Err(StoreError::exists("bridge_member", member))
    }

    fn put_account(&mut self, new: &AccountRow) -> Result<()> {
        self.installation_of(&new.installation, &new.org)?;
        let key = (new.installation.clone(), new.user.clone());
        let linked = self.accounts.get(&key).and_then(|row| row.person.clone());
        let person = new.person.clone().or(linked);
        self.accounts.insert(key, AccountRow { person, ..new.clone() });
        Ok(())
    }

    fn forget(&mut self, installation: &InstallationId) {
        let rows = self.conversations.values().filter(|row| row.installation == *installation);
        let here: BTreeSet<ConversationId> = rows.map(|row| row.id.clone()).collect();
        self.tokens.retain(|(id, _), _| id != installation);
        self.accounts.retain(|(id, _), _| id != installation);
        self.deliveries.retain(|(id, _), _| id != installation);
        self.copies.retain(|(at, _), copy| !here.contains(at) && !here.contains(&copy.of.0));
        self.copies_of.retain(|((of, _), at, _), _| !here.contains(at) && !here.contains(of));
        let copied: BTreeSet<_> = self.copies_of.keys().map(|(of, ..)| of.clone()).collect();
        self.originals.retain(|key, row| !here.contains(&key.0) && (!row.gone || copied.contains(key)));
        let originals = &self.originals;
        self.reactions.retain(|of, known| {
            known.retain(|key, _| !here.contains(&key.conversation));
            !known.is_empty() && originals.contains_key(of)
        });
        self.tombstones.retain(|(id, _), _| !here.contains(id));
        let named = |id: Option<&ConversationId>| id.is_some_and(|id| here.contains(id));
        self.receipts.retain(|_, row| !named(row.from.as_ref()) && !named(row.to.as_ref()));
        self.dead_letters.retain(|_, row| {
            let into = matches!(&row.lane, LaneId::Conversation(id) if here.contains(id));
            row.event.installation != *installation && !into
        });
    }

    fn drop_org(&mut self, org: &OrgId) -> Reply {
        let here = self.conversations_of(org);
        let installed: BTreeSet<_> =
            self.installations.values().filter(|row| row.org == *org).map(|row| row.id.clone()).collect();
        let gone = self.events.iter().filter(|(_, event)| event.row.org == *org);
        let slots = gone.filter_map(|(id, event)| Some((id.clone(), event.payload.as_ref()?.slot))).collect();
        let events = &self.events;
        let lost: Vec<_> = self
            .legs
            .iter()
            .filter(|(_, leg)| events.get(&leg.event).is_none_or(|event| event.row.org == *org))
            .map(|(id, _)| id.clone())
            .collect();
        for id in lost {
            self.legs.remove(&id);
        }
        self.events.retain(|_, event| event.row.org != *org);
        self.lanes.retain(|lane, _| match lane {
            LaneId::Conversation(id) => !here.contains(id),
            LaneId::Control(id) => !installed.contains(id),
        });
        self.deliveries.retain(|(id, _), _| !installed.contains(id));
        self.copies.retain(|_, copy| !here.contains(&copy.of.0));
        self.copies_of.retain(|((conversation, _), ..), _| !here.contains(conversation));
        self.originals.retain(|(id, _), _| !here.contains(id));
        self.reactions.retain(|(id, _), _| !here.contains(id));
        self.tombstones.retain(|(id, _), _| !here.contains(id));
        self.receipts.retain(|_, row| row.org != *org);
        self.dead_letters.retain(|_, row| row.org != *org);
        self.audits.retain(|row| row.org.as_ref() != Some(org));
        self.accounts.retain(|(id, _), _| !installed.contains(id));
        self.bridges.retain(|_, row| row.org != *org);
        self.conversations.retain(|_, row| row.org != *org);
        self.tokens.retain(|(id, _), _| !installed.contains(id));
        self.installations.retain(|_, row| row.org != *org);
        self.apps.retain(|_, row| row.org != *org);
        self.orgs.remove(org);
        Reply::Shredded(slots)
    }
}
