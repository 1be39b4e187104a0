//! All rows, and how they are read.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use dragoman_model::{
    AppId, BridgeId, ConversationId, EventId, InstallationId, LegId, OrgId, RemoteMessage, RemoteUser, SlotId,
};

use crate::reactions::{ReactionKey, ReactionRow};
use crate::rows::{
    AccountRow, AppRow, AuditRow, BridgeRow, BridgeState, ConversationRow, CopyRow, Counts, DeadLetterRow,
    EventRow, InstallationRow, LaneId, LaneRow, LegRow, OrgRow, OriginalRow, Receipt, SealedPayload,
    TokenRow, TombstoneRow,
};

/// The key of a message: where, and which.
pub(super) type Key = (ConversationId, RemoteMessage);

/// All rows of a store.
#[derive(Clone, Default)]
pub struct State {
    pub(super) orgs: BTreeMap<OrgId, OrgRow>,
    pub(super) apps: BTreeMap<AppId, AppRow>,
    pub(super) installations: BTreeMap<InstallationId, InstallationRow>,
    pub(super) tokens: BTreeMap<(InstallationId, String), TokenRow>,
    pub(super) conversations: BTreeMap<ConversationId, ConversationRow>,
    pub(super) bridges: BTreeMap<BridgeId, BridgeRow>,
    pub(super) accounts: BTreeMap<(InstallationId, RemoteUser), AccountRow>,
    pub(super) deliveries: BTreeMap<(InstallationId, Vec<u8>), i64>,
    pub(super) events: BTreeMap<EventId, EventState>,
    pub(super) legs: BTreeMap<LegId, LegState>,
    pub(super) lanes: BTreeMap<LaneId, LaneState>,
    /// The last one given.
    pub(super) seq: i64,
    pub(super) originals: BTreeMap<Key, OriginalState>,
    pub(super) copies: BTreeMap<Key, CopyState>,
    /// Copies by original, conversation and part.
    pub(super) copies_of: BTreeMap<(Key, ConversationId, u32), RemoteMessage>,
    /// By original.
    pub(super) reactions: BTreeMap<Key, BTreeMap<ReactionKey, ReactionRow>>,
    pub(super) tombstones: BTreeMap<Key, TombstoneRow>,
    /// Oldest first; numbered so that they can go in any order.
    pub(super) receipts: BTreeMap<u64, Receipt>,
    pub(super) next_receipt: u64,
    pub(super) dead_letters: BTreeMap<LegId, DeadLetterRow>,
    pub(super) audits: Vec<AuditRow>,
}

#[derive(Clone)]
pub(super) struct EventState {
    pub(super) row: EventRow,
    pub(super) payload: Option<SealedPayload>,
    pub(super) legs: usize,
}

#[derive(Clone)]
pub(super) struct LegState {
    pub(super) lane: LaneId,
    pub(super) order: i64,
    pub(super) seq: i64,
    pub(super) event: EventId,
    pub(super) attempts: u32,
    pub(super) not_before_ms: i64,
    pub(super) code: Option<String>,
    pub(super) parts: Vec<CopyRow>,
}

#[derive(Clone, Default)]
pub(super) struct LaneState {
    pub(super) owner: Option<String>,
    pub(super) fence: i64,
    pub(super) lease_until_ms: i64,
    /// Its legs by order and sequence number.
    pub(super) legs: BTreeMap<(i64, i64), LegId>,
}

#[derive(Clone)]
pub(super) struct OriginalState {
    pub(super) row: OriginalRow,
    pub(super) gone: bool,
}

#[derive(Clone)]
pub(super) struct CopyState {
    pub(super) of: Key,
    pub(super) row: CopyRow,
}

fn most(limit: u32) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}

impl State {
    pub(super) fn lanes(&self, after: Option<&LaneId>, limit: u32) -> Vec<LaneRow> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let busy = self.lanes.range::<LaneId, _>((from, Bound::Unbounded));
        let busy = busy.filter(|(_, lane)| !lane.legs.is_empty());
        let rows = busy.map(|(id, lane)| {
            let times = lane.legs.values().filter_map(|leg| self.legs.get(leg)).map(|leg| leg.not_before_ms);
            LaneRow { id: id.clone(), depth: lane.legs.len() as u64, not_before_ms: times.min().unwrap_or(0) }
        });
        rows.take(most(limit)).collect()
    }

    pub(super) fn legs(&self, lane: &LaneId, after: Option<(i64, i64)>, limit: u32) -> Vec<LegRow> {
        let Some(state) = self.lanes.get(lane) else { return Vec::new() };
        let rest = state.legs.iter().filter(|(place, _)| after.is_none_or(|after| after < **place));
        let rows = rest.filter_map(|(_, id)| {
            let leg = self.legs.get(id)?;
            let event = self.events.get(&leg.event)?;
            Some(LegRow {
                id: id.clone(),
                lane: lane.clone(),
                order: leg.order,
                seq: leg.seq,
                event: event.row.clone(),
                has_payload: event.payload.is_some(),
                attempts: leg.attempts,
                not_before_ms: leg.not_before_ms,
                parts: leg.parts.clone(),
                code: leg.code.clone(),
            })
        });
        rows.take(most(limit)).collect()
    }

    pub(super) fn payload(&self, event: &EventId) -> Option<SealedPayload> {
        self.events.get(event)?.payload.clone()
    }

    pub(super) fn named_slots(&self) -> Vec<SlotId> {
        let payloads = self.events.values().filter_map(|event| event.payload.as_ref());
        let mut slots: Vec<_> = payloads.map(|payload| payload.slot).collect();
        slots.sort_unstable();
        slots
    }

    pub(super) fn original(&self, key: &Key) -> Option<OriginalRow> {
        self.originals.get(key).map(|original| original.row.clone())
    }

    pub(super) fn original_of_copy(&self, key: &Key) -> Option<(OriginalRow, CopyRow)> {
        let copy = self.copies.get(key)?;
        Some((self.original(&copy.of)?, copy.row.clone()))
    }

    pub(super) fn copies_in(&self, of: Key, conversation: &ConversationId) -> Vec<CopyRow> {
        let range = (of.clone(), conversation.clone(), 0)..=(of, conversation.clone(), u32::MAX);
        let messages = self.copies_of.range(range).map(|(_, message)| message);
        let copies = messages.filter_map(|message| self.copies.get(&(conversation.clone(), message.clone())));
        copies.map(|copy| copy.row.clone()).collect()
    }

    pub(super) fn originals_since(
        &self,
        conversation: &ConversationId,
        since: i64,
        limit: u32,
    ) -> Vec<OriginalRow> {
        let first = (conversation.clone(), RemoteMessage::from(""));
        let here = self.originals.range(first..).take_while(|((id, _), _)| id == conversation);
        let recent = |row: &OriginalRow| row.sent_ms.max(row.active_ms);
        let mut found: Vec<_> =
            here.map(|(_, original)| &original.row).filter(|row| recent(row) >= since).collect();
        found.sort_by(|a, b| (recent(b), &b.message).cmp(&(recent(a), &a.message)));
        found.into_iter().take(most(limit)).cloned().collect()
    }

    pub(super) fn dead_letters(&self, org: Option<&OrgId>, limit: u32) -> Vec<DeadLetterRow> {
        let of_org = self.dead_letters.values().filter(|row| org.is_none_or(|org| *org == row.org));
        let mut found: Vec<_> = of_org.collect();
        found.sort_by(|a, b| (b.died_ms, &b.id).cmp(&(a.died_ms, &a.id)));
        found.into_iter().take(most(limit)).cloned().collect()
    }

    pub(super) fn receipts(
        &self,
        org: Option<&OrgId>,
        message: Option<&RemoteMessage>,
        limit: u32,
    ) -> Vec<Receipt> {
        let newest = self.receipts.values().rev();
        let wanted = newest.filter(|receipt| {
            org.is_none_or(|org| *org == receipt.org)
                && message.is_none_or(|message| Some(message) == receipt.message.as_ref())
        });
        wanted.take(most(limit)).cloned().collect()
    }

    pub(super) fn audit(&self, limit: u32) -> Vec<AuditRow> {
        self.audits.iter().rev().take(most(limit)).cloned().collect()
    }

    pub(super) fn counts(&self) -> Counts {
        Counts {
            events: self.events.len() as u64,
            payloads: self.events.values().filter(|event| event.payload.is_some()).count() as u64,
            legs: self.legs.len() as u64,
            originals: self.originals.len() as u64,
            copies: self.copies.len() as u64,
            dead_letters: self.dead_letters.len() as u64,
        }
    }

    /// The bridge, not ended, that the conversation is in.
    pub(super) fn live_bridge(&self, conversation: &ConversationId) -> Option<&BridgeId> {
        let live = self.bridges.values().filter(|bridge| bridge.state != BridgeState::Ended);
        live.filter(|bridge| bridge.members.contains(conversation)).map(|bridge| &bridge.id).next()
    }

    /// Conversations of an organisation.
    pub(super) fn conversations_of(&self, org: &OrgId) -> BTreeSet<ConversationId> {
        let of_org = self.conversations.values().filter(|row| row.org == *org);
        of_org.map(|row| row.id.clone()).collect()
    }
}
