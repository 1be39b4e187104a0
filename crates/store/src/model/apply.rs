//! Mutations of events on their way and of the message map. A mutation that is refused changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use dragoman_model::{ConversationId, EventId, EventKind, InstallationId, LegId, OrgId, SlotId};

use super::state::{CopyState, EventState, Key, LaneState, LegState, OriginalState, State};
use crate::api::{Appended, AppendedLeg, Mutation, Reply, Settled};
use crate::error::StoreError;
use crate::merge;
use crate::reactions::{ReactionKey, ReactionRow, Standing};
use crate::rows::{
    ClaimedLane, CopyRow, EventRow, LaneId, Lease, NewEvent, NewLeg, Settlement, TombstoneRow,
};

type Result<T> = std::result::Result<T, StoreError>;
/// Of which original, in which conversation, which part.
type Place = (Key, ConversationId, u32);

impl State {
    /// Does one mutation, or nothing.
    ///
    /// # Errors
    /// Those of every store; never [`StoreError::Disk`].
    pub fn apply(&mut self, mutation: &Mutation) -> Result<Reply> {
        match mutation {
            Mutation::Append { events, lease } => self.append(events, lease).map(Reply::Appended),
            Mutation::Settle(settlement) => self.settle(settlement).map(Reply::Settled),
            Mutation::Progress { leg, lane, fence, copy } => {
                merge::parts(&mut self.owned_leg(leg, lane, *fence)?.parts, copy.clone());
                Ok(Reply::Done)
            }
            Mutation::React { leg, lane, fence, of, rows, gone, kept_until_ms } => {
                self.react((leg, lane, *fence), of, rows, gone, *kept_until_ms)
            }
            Mutation::Defer { leg, lane, fence, attempts, not_before_ms, code } => {
                let leg = self.owned_leg(leg, lane, *fence)?;
                leg.attempts = *attempts;
                leg.not_before_ms = *not_before_ms;
                leg.code = Some(code.clone());
                Ok(Reply::Done)
            }
            Mutation::ClaimLanes { lease, lanes, limit } => {
                Ok(Reply::Claimed(self.claim(lease, lanes, *limit)))
            }
            Mutation::ReleaseLanes { owner, lanes } => {
                for lane in lanes {
                    if let Some(lane) = self.lanes.get_mut(lane)
                        && lane.owner.as_ref() == Some(owner)
                    {
                        lane.owner = None;
                        lane.lease_until_ms = 0;
                    }
                }
                Ok(Reply::Done)
            }
            Mutation::Shred { received_before_ms, limit } => {
                Ok(Reply::Shredded(self.shred(*received_before_ms, *limit)))
            }
            Mutation::Expire { now_ms, receipts_before_ms, limit } => {
                self.expire(*now_ms, *receipts_before_ms, *limit);
                Ok(Reply::Done)
            }
            Mutation::Replay { dead_letter, event, leg, now_ms } => {
                self.replay(dead_letter, event, leg, *now_ms)
            }
            Mutation::DropDeadLetter(id) => match self.dead_letters.remove(id) {
                Some(_) => Ok(Reply::Done),
                None => Err(StoreError::missing("dead_letter", id)),
            },
            setup => self.apply_setup(setup),
        }
    }

    /// All or none: what comes later in the list sees what comes earlier.
    fn append(&mut self, events: &[NewEvent], lease: &Lease) -> Result<Vec<Appended>> {
        let (mut event_ids, mut leg_ids) = (BTreeSet::new(), BTreeSet::new());
        let mut digests = BTreeMap::new();
        let mut known = Vec::new();
        for new in events {
            let event = &new.event;
            self.installation_of(&event.installation, &event.org)?;
            if let Some(conversation) = &event.conversation {
                self.conversation_of(conversation, &event.org)?;
            }
            if new.legs.is_empty() {
                return Err(StoreError::missing("leg", &event.id));
            }
            if let Some(digest) = &new.delivery_digest {
                let key = (event.installation.clone(), digest.clone());
                if digests
                    .get(&key)
                    .or(self.deliveries.get(&key))
                    .is_some_and(|until| *until > event.received_ms)
                {
                    known.push(true);
                    continue;
                }
                digests.insert(key, new.redelivery_until_ms);
            }
            known.push(false);
            if self.events.contains_key(&event.id) || !event_ids.insert(&event.id) {
                return Err(StoreError::exists("event", &event.id));
            }
            for leg in &new.legs {
                match &leg.lane {
                    LaneId::Conversation(id) => self.conversation_of(id, &event.org)?,
                    LaneId::Control(id) => self.installation_of(id, &event.org)?,
                }
                if self.legs.contains_key(&leg.id) || !leg_ids.insert(&leg.id) {
                    return Err(StoreError::exists("leg", &leg.id));
                }
            }
        }
        self.deliveries.extend(digests);
        let appended = events.iter().zip(known).map(|(new, known)| {
            if known {
                return Appended::Redelivery;
            }
            self.add_event(new.event.clone(), new);
            Appended::Fresh(
                new.legs.iter().map(|leg| self.add_leg(&new.event.id, leg, Some(lease))).collect(),
            )
        });
        Ok(appended.collect())
    }

    fn add_event(&mut self, row: EventRow, new: &NewEvent) {
        self.events.insert(row.id.clone(), EventState { row, payload: new.payload.clone(), legs: 0 });
    }

    fn add_leg(&mut self, event: &EventId, leg: &NewLeg, lease: Option<&Lease>) -> AppendedLeg {
        self.seq += 1;
        let seq = self.seq;
        let lane = self.lanes.entry(leg.lane.clone()).or_default();
        lane.legs.insert((leg.order, seq), leg.id.clone());
        let fence = lease.and_then(|lease| {
            let free = lane.owner.is_none() || lane.lease_until_ms <= lease.now_ms;
            let own = lane.owner.as_ref() == Some(&lease.owner);
            (free || own).then(|| lane.claim(lease))
        });
        if let Some(event) = self.events.get_mut(event) {
            event.legs += 1;
        }
        let state = LegState {
            lane: leg.lane.clone(),
            order: leg.order,
            seq,
            event: event.clone(),
            attempts: 0,
            not_before_ms: 0,
            code: None,
            parts: Vec::new(),
        };
        self.legs.insert(leg.id.clone(), state);
        AppendedLeg { seq, fence }
    }

    fn settle(&mut self, settlement: &Settlement) -> Result<Settled> {
        let Some(leg) = self.legs.get(&settlement.leg).cloned() else {
            return Ok(Settled { erase: None, already: true });
        };
        let fence = self.lanes.get(&leg.lane).map(|lane| lane.fence);
        if leg.lane != settlement.lane || fence != Some(settlement.fence) {
            return Err(StoreError::Fenced { lane: settlement.lane.to_text() });
        }
        let Some(event) = self.events.get(&leg.event) else {
            return Err(StoreError::missing("event", &leg.event));
        };
        let (org, slot) = (event.row.org.clone(), event.payload.as_ref().map(|payload| payload.slot));
        self.may_settle(settlement, &org)?;

        self.map(settlement);
        if let Some(new) = &settlement.tombstone {
            let key = (new.conversation.clone(), new.message.clone());
            let row = match self.tombstones.remove(&key) {
                Some(old) => merge::tombstone(old, new),
                None => new.clone(),
            };
            self.tombstones.insert(key, row);
        }
        self.receipts.insert(self.next_receipt, settlement.receipt.clone());
        self.next_receipt += 1;
        if let Some(dead) = &settlement.dead_letter {
            self.dead_letters.insert(dead.id.clone(), dead.clone());
        }
        Ok(Settled { erase: self.drop_leg(&settlement.leg, &leg).and(slot), already: false })
    }

    /// Removes the leg; `Some` where the event went with it.
    fn drop_leg(&mut self, id: &LegId, leg: &LegState) -> Option<()> {
        self.legs.remove(id);
        if let Some(lane) = self.lanes.get_mut(&leg.lane) {
            lane.legs.remove(&(leg.order, leg.seq));
        }
        let event = self.events.get_mut(&leg.event)?;
        event.legs -= 1;
        if event.legs > 0 {
            return None;
        }
        self.events.remove(&leg.event).map(drop)
    }

    /// Whether everything in the settlement is of this organisation and fits what is there.
    fn may_settle(&self, settlement: &Settlement, org: &OrgId) -> Result<()> {
        let own = own(settlement);
        if let Some((conversation, _)) = &own {
            self.conversation_of(conversation, org)?;
        }
        // Where the settlement puts copies, and which message stands there then.
        let mut moved: BTreeMap<Place, Key> = BTreeMap::new();
        for copy in &settlement.copies {
            self.conversation_of(&copy.conversation, org)?;
            let Some(of) = &own else {
                return Err(StoreError::missing("original", &copy.message));
            };
            if settlement.original.is_none() && !self.originals.contains_key(of) {
                return Err(StoreError::missing("original", &of.1));
            }
            let key = (copy.conversation.clone(), copy.message.clone());
            let place = (of.clone(), copy.conversation.clone(), copy.part);
            let stays = self.copies.get(&key).map(CopyState::place).filter(|at| !moved.contains_key(at));
            let mut holders =
                moved.iter().filter(|(_, message)| **message == key).map(|(at, _)| at).chain(&stays);
            if holders.any(|holder| *holder != place) {
                return Err(StoreError::exists("copy", &copy.message));
            }
            moved.insert(place, key);
        }
        for (conversation, _) in &settlement.removed_copies {
            self.conversation_of(conversation, org)?;
        }
        if let Some(TombstoneRow { conversation, .. }) = &settlement.tombstone {
            self.conversation_of(conversation, org)?;
        }
        if settlement.receipt.org != *org {
            return Err(StoreError::missing("org", &settlement.receipt.org));
        }
        if let Some(dead) = &settlement.dead_letter {
            if dead.org != *org || dead.event.org != *org {
                return Err(StoreError::missing("org", &dead.org));
            }
            self.installation_of(&dead.event.installation, org)?;
            match &dead.lane {
                LaneId::Conversation(id) => self.conversation_of(id, org)?,
                LaneId::Control(id) => self.installation_of(id, org)?,
            }
            if self.dead_letters.contains_key(&dead.id) {
                return Err(StoreError::exists("dead_letter", &dead.id));
            }
        }
        Ok(())
    }

    fn map(&mut self, settlement: &Settlement) {
        if let Some(new) = &settlement.original {
            let key = (new.conversation.clone(), new.message.clone());
            let state = match self.originals.remove(&key) {
                Some(old) => OriginalState { row: merge::original(old.row, new), ..old },
                None => OriginalState { row: new.clone(), gone: false },
            };
            self.originals.insert(key, state);
        }
        let own = own(settlement);
        for copy in &settlement.copies {
            if let Some(of) = &own {
                self.put_copy(of, copy);
            }
        }
        if settlement.original_gone
            && let Some(original) = own.as_ref().and_then(|key| self.originals.get_mut(key))
        {
            original.gone = true;
        }
        let mut touched: BTreeSet<Key> = own.filter(|_| settlement.original_gone).into_iter().collect();
        for key in &settlement.removed_copies {
            if let Some(copy) = self.copies.remove(key) {
                self.copies_of.remove(&copy.place());
                touched.insert(copy.of);
            }
        }
        for key in touched {
            let first = (key.clone(), ConversationId::from(""), 0);
            let has_copies = self.copies_of.range(first..).next().is_some_and(|((of, ..), _)| *of == key);
            if !has_copies && self.originals.get(&key).is_some_and(|original| original.gone) {
                self.originals.remove(&key);
                self.reactions.remove(&key);
            }
        }
    }

    fn react(
        &mut self,
        (leg, lane, fence): (&LegId, &LaneId, i64),
        of: &Key,
        rows: &[ReactionRow],
        gone: &[ReactionKey],
        kept_until_ms: i64,
    ) -> Result<Reply> {
        let event = self.owned_leg(leg, lane, fence)?.event.clone();
        let Some(org) = self.events.get(&event).map(|event| event.row.org.clone()) else {
            return Err(StoreError::missing("event", &event));
        };
        self.conversation_of(&of.0, &org)?;
        for row in rows {
            self.conversation_of(&row.key.conversation, &org)?;
        }
        if let Some(event) = self.events.get_mut(&event) {
            EventKind::Reaction.as_str().clone_into(&mut event.row.kind);
        }
        if !self.originals.contains_key(of) {
            return Ok(Reply::Done);
        }
        let known = self.reactions.entry(of.clone()).or_default();
        for row in rows {
            if merge::reaction_holds(known.get(&row.key).map(|old| old.at_ms), row) {
                known.insert(row.key.clone(), row.clone());
            }
        }
        for row in known.values_mut().filter(|row| row.standing != Standing::Unset) {
            row.until_ms = row.until_ms.max(kept_until_ms);
        }
        known.retain(|key, _| !gone.contains(key));
        if known.is_empty() {
            self.reactions.remove(of);
        }
        Ok(Reply::Done)
    }

    fn put_copy(&mut self, of: &Key, new: &CopyRow) {
        let place = (of.clone(), new.conversation.clone(), new.part);
        let old = self.copies_of.remove(&place);
        let old = old.and_then(|message| self.copies.remove(&(new.conversation.clone(), message)));
        let row = match old {
            Some(old) => merge::copy(old.row, new),
            None => new.clone(),
        };
        self.copies_of.insert(place, new.message.clone());
        let key = (new.conversation.clone(), new.message.clone());
        self.copies.insert(key, CopyState { of: of.clone(), row });
    }

    fn owned_leg(&mut self, leg: &LegId, lane: &LaneId, fence: i64) -> Result<&mut LegState> {
        let fenced = || StoreError::Fenced { lane: lane.to_text() };
        if self.lanes.get(lane).map(|lane| lane.fence) != Some(fence) {
            return Err(fenced());
        }
        let state = self.legs.get_mut(leg).ok_or_else(|| StoreError::missing("leg", leg))?;
        if state.lane == *lane { Ok(state) } else { Err(fenced()) }
    }

    fn claim(&mut self, lease: &Lease, wanted: &[LaneId], limit: u32) -> Vec<ClaimedLane> {
        let most = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut lanes: Vec<LaneId> = Vec::new();
        if wanted.is_empty() {
            let busy = || self.lanes.iter().filter(|(_, lane)| !lane.legs.is_empty());
            let mut free: Vec<_> = busy().filter(|(_, lane)| lane.lease_until_ms <= lease.now_ms).collect();
            free.sort_by_key(|(id, lane)| (lane.lease_until_ms, *id));
            let own = busy().filter(|(_, lane)| {
                lane.owner.as_ref() == Some(&lease.owner) && lane.lease_until_ms > lease.now_ms
            });
            lanes.extend(free.into_iter().chain(own).take(most).map(|(id, _)| id.clone()));
        } else {
            for id in wanted {
                let claimable = self.lanes.get(id).is_some_and(|lane| {
                    lane.owner.as_ref() == Some(&lease.owner)
                        || (lane.lease_until_ms <= lease.now_ms && !lane.legs.is_empty())
                });
                if claimable && !lanes.contains(id) && lanes.len() < most {
                    lanes.push(id.clone());
                }
            }
        }
        let claimed = lanes.into_iter().filter_map(|id| {
            let fence = self.lanes.get_mut(&id)?.claim(lease);
            Some(ClaimedLane { id, fence })
        });
        claimed.collect()
    }

    fn shred(&mut self, before_ms: i64, limit: u32) -> Vec<(EventId, SlotId)> {
        let old =
            self.events.values().filter(|event| event.payload.is_some() && event.row.received_ms < before_ms);
        let mut old: Vec<_> = old.map(|event| (event.row.received_ms, event.row.id.clone())).collect();
        old.sort();
        old.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let shredded = old.into_iter().filter_map(|(_, id)| {
            let payload = self.events.get_mut(&id)?.payload.take()?;
            Some((id, payload.slot))
        });
        shredded.collect()
    }

    fn expire(&mut self, now_ms: i64, receipts_before_ms: i64, limit: u32) {
        let most = usize::try_from(limit).unwrap_or(usize::MAX);
        let over = |(key, until): (&_, &i64)| (*until <= now_ms).then(|| (*until, Clone::clone(key)));
        let mut deliveries: Vec<(i64, (InstallationId, Vec<u8>))> =
            self.deliveries.iter().filter_map(over).collect();
        deliveries.sort();
        for (_, key) in deliveries.into_iter().take(most) {
            self.deliveries.remove(&key);
        }
        let over =
            |(key, row): (&Key, &TombstoneRow)| (row.until_ms <= now_ms).then(|| (row.until_ms, key.clone()));
        let mut tombstones: Vec<(i64, Key)> = self.tombstones.iter().filter_map(over).collect();
        tombstones.sort();
        for (_, key) in tombstones.into_iter().take(most) {
            self.tombstones.remove(&key);
        }
        let old = self.receipts.iter().filter(|(_, receipt)| receipt.settled_ms < receipts_before_ms);
        let mut old: Vec<_> = old.map(|(number, receipt)| (receipt.settled_ms, *number)).collect();
        old.sort_unstable();
        for (_, number) in old.into_iter().take(most) {
            self.receipts.remove(&number);
        }
        let kept = self.reactions.iter().flat_map(|(of, known)| known.values().map(move |row| (of, row)));
        let over = kept.filter(|(_, row)| row.until_ms <= now_ms);
        let mut over: Vec<_> = over.map(|(of, row)| (row.until_ms, of.clone(), row.key.clone())).collect();
        over.sort();
        for (_, of, key) in over.into_iter().take(most) {
            if let Some(known) = self.reactions.get_mut(&of) {
                known.remove(&key);
                if known.is_empty() {
                    self.reactions.remove(&of);
                }
            }
        }
    }

    fn replay(&mut self, dead: &LegId, event: &EventId, leg: &LegId, now_ms: i64) -> Result<Reply> {
        let Some(letter) = self.dead_letters.get(dead).cloned() else {
            return Err(StoreError::missing("dead_letter", dead));
        };
        if self.events.contains_key(event) {
            return Err(StoreError::exists("event", event));
        }
        if self.legs.contains_key(leg) {
            return Err(StoreError::exists("leg", leg));
        }
        self.dead_letters.remove(dead);
        let row = EventRow { id: event.clone(), received_ms: now_ms, ..letter.event };
        self.events.insert(event.clone(), EventState { row, payload: None, legs: 0 });
        let again = NewLeg { id: leg.clone(), lane: letter.lane, order: now_ms.saturating_mul(1_000) };
        let leg = self.add_leg(event, &again, None);
        Ok(Reply::Appended(vec![Appended::Fresh(vec![leg])]))
    }

    pub(super) fn installation_of(&self, id: &InstallationId, org: &OrgId) -> Result<()> {
        match self.installations.get(id) {
            Some(row) if row.org == *org => Ok(()),
            _ => Err(StoreError::missing("installation", id)),
        }
    }

    pub(super) fn conversation_of(&self, id: &ConversationId, org: &OrgId) -> Result<()> {
        match self.conversations.get(id) {
            Some(row) if row.org == *org => Ok(()),
            _ => Err(StoreError::missing("conversation", id)),
        }
    }
}

/// The original that the settlement is about.
fn own(settlement: &Settlement) -> Option<Key> {
    let original = settlement.original.as_ref();
    original.map(|row| (row.conversation.clone(), row.message.clone())).or_else(|| settlement.of.clone())
}

impl CopyState {
    fn place(&self) -> Place {
        (self.of.clone(), self.row.conversation.clone(), self.row.part)
    }
}

impl LaneState {
    fn claim(&mut self, lease: &Lease) -> i64 {
        if self.owner.as_ref() != Some(&lease.owner) {
            self.fence += 1;
            self.owner = Some(lease.owner.clone());
        }
        self.lease_until_ms = lease.until_ms;
        self.fence
    }
}
