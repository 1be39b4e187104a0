//! What is in the journal and not yet in the tables. Most messages are accepted and settled before the tables hear of
//! them, so that of an event and its legs nothing is ever written there.
//!
//! Every write is decided here as `write` decides it in the tables, with the same answers; the tables are asked only
//! for what is not known.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use dragoman_model::{ConversationId, EventId, InstallationId, LegId, OrgId, RemoteMessage, SlotId};
use rusqlite::{Connection, params};

use super::conn::{Result, exists, first};
use super::overlay::Overlay;
use super::seen::Seen;
use super::{row, write};
use crate::api::{Appended, AppendedLeg, Mutation, Reply, Settled};
use crate::error::StoreError;
use crate::queries as q;
use crate::rows::{CopyRow, LaneId, Lease, NewEvent, Settlement};

/// Events that are in the tables and whose end is awaited here, at most; more are forgotten, which costs only time.
const AWAITED: usize = 8_192;

/// Lanes of which is known who holds them, at most, after the tables were brought up to date.
const REMEMBERED: usize = 65_536;

/// Whether a settlement was decided.
pub(super) enum Taken {
    Yes(Settled),
    /// The tables have to be asked.
    No(Box<Settlement>),
}

#[derive(Default)]
pub(super) struct Hot {
    // Read from the tables; valid until set-up changes.
    installations: HashMap<InstallationId, OrgId>,
    conversations: HashMap<ConversationId, OrgId>,
    lanes: HashMap<LaneId, Lane>,
    // On their way.
    events: HashMap<EventId, Event>,
    legs: HashMap<LegId, Leg>,
    // For the tables.
    dirty: BTreeSet<LaneId>,
    pub(super) deliveries: BTreeMap<(InstallationId, Vec<u8>), i64>,
    pub(super) settlements: Vec<Settlement>,
    pub(super) gone_legs: BTreeSet<LegId>,
    pub(super) gone_events: BTreeSet<EventId>,
    /// Events that the tables lack, in their order; some are gone since.
    fresh: Vec<EventId>,
    pub(super) next_seq: i64,
    seen: Seen,
    writes: usize,
}

pub(super) struct Lane {
    pub(super) owner: Option<String>,
    pub(super) fence: i64,
    pub(super) until_ms: i64,
    /// By how many legs more or less than in the table.
    pub(super) deeper: i64,
}

pub(super) struct Event {
    slot: Option<SlotId>,
    /// Numbers of its legs by place in `new.legs`; `None` where settled.
    pub(super) seqs: Vec<Option<i64>>,
    /// Its place among the fresh; `None`: the tables have it.
    fresh: Option<usize>,
    pub(super) new: NewEvent,
}

struct Leg {
    event: EventId,
    lane: LaneId,
    place: usize,
}

/// Whether a mutation is one that is decided here; a settlement whose leg is not here goes to the tables all the same.
pub(super) fn takes(mutation: &Mutation) -> bool {
    match mutation {
        Mutation::Append { .. } => true,
        Mutation::Settle(it) => {
            it.removed_copies.is_empty()
                && !it.original_gone
                && it.tombstone.is_none()
                && it.dead_letter.is_none()
                && (it.copies.is_empty() || it.original.is_some())
        }
        _ => false,
    }
}

impl Lane {
    fn claim(&mut self, lease: &Lease) -> Option<i64> {
        let mine = self.owner.as_ref() == Some(&lease.owner);
        if !mine && self.owner.is_some() && self.until_ms > lease.now_ms {
            return None;
        }
        if !mine {
            self.fence += 1;
            self.owner = Some(lease.owner.clone());
        }
        self.until_ms = lease.until_ms;
        Some(self.fence)
    }
}

impl Hot {
    /// Nothing is on its way.
    pub(super) fn starting_at(next_seq: i64, seen: Seen) -> Self {
        Self { next_seq, seen, ..Self::default() }
    }

    /// Writes that the tables lack.
    pub(super) fn writes(&self) -> usize {
        self.writes
    }

    /// Events that the tables lack, in their order.
    pub(super) fn fresh(&self) -> impl Iterator<Item = &Event> {
        let here = self.fresh.iter().enumerate();
        // One of the same name may have gone and come again.
        here.filter_map(|(at, id)| self.events.get(id).filter(|event| event.fresh == Some(at)))
    }

    /// Lanes that differ from the tables, ordered.
    pub(super) fn lanes(&self) -> impl Iterator<Item = (&LaneId, &Lane)> {
        self.dirty.iter().filter_map(|id| Some((id, self.lanes.get(id)?)))
    }

    /// Appends all or none.
    pub(super) fn append(
        &mut self,
        conn: &Connection,
        events: Vec<NewEvent>,
        lease: &Lease,
    ) -> Result<Vec<Appended>> {
        let known = self.check(conn, &events)?;
        self.writes += events.len();
        let appended = events.into_iter().zip(known).map(|(new, known)| {
            if known { Appended::Redelivery } else { Appended::Fresh(self.add(new, lease)) }
        });
        Ok(appended.collect())
    }

    /// Per event whether it was delivered before; refuses what the tables would refuse.
    fn check(&mut self, conn: &Connection, events: &[NewEvent]) -> Result<Vec<bool>> {
        let mut deliveries: BTreeMap<(&InstallationId, &[u8]), i64> = BTreeMap::new();
        let mut ids = BTreeSet::new();
        let mut known = Vec::with_capacity(events.len());
        for new in events {
            let event = &new.event;
            self.installation_of(conn, &event.installation, &event.org)?;
            if let Some(conversation) = &event.conversation {
                self.conversation_of(conn, conversation, &event.org)?;
            }
            if new.legs.is_empty() {
                return Err(StoreError::missing("leg", &event.id).into());
            }
            if let Some(digest) = &new.delivery_digest {
                let key = (&event.installation, digest.as_slice());
                let until = match deliveries.get(&key) {
                    Some(until) => Some(*until),
                    None => self.delivery(conn, &event.installation, digest, event.received_ms)?,
                };
                if until.is_some_and(|until| until > event.received_ms) {
                    known.push(true);
                    continue;
                }
                deliveries.insert(key, new.redelivery_until_ms);
            }
            if !ids.insert(event.id.as_str()) || self.has_event(conn, &event.id)? {
                return Err(StoreError::exists("event", &event.id).into());
            }
            for leg in &new.legs {
                match &leg.lane {
                    LaneId::Conversation(id) => self.conversation_of(conn, id, &event.org)?,
                    LaneId::Control(id) => self.installation_of(conn, id, &event.org)?,
                }
                if !ids.insert(leg.id.as_str()) || self.has_leg(conn, &leg.id)? {
                    return Err(StoreError::exists("leg", &leg.id).into());
                }
                self.load_lane(conn, &leg.lane)?;
            }
            known.push(false);
        }
        Ok(known)
    }

    fn add(&mut self, new: NewEvent, lease: &Lease) -> Vec<AppendedLeg> {
        self.seen.coming(&new);
        let event = &new.event;
        if let Some(digest) = &new.delivery_digest {
            self.deliveries.insert((event.installation.clone(), digest.clone()), new.redelivery_until_ms);
        }
        let mut appended = Vec::with_capacity(new.legs.len());
        for (place, leg) in new.legs.iter().enumerate() {
            let seq = self.next_seq;
            self.next_seq += 1;
            let fence = self.lanes.get_mut(&leg.lane).and_then(|lane| {
                lane.deeper += 1;
                lane.claim(lease)
            });
            self.dirty.insert(leg.lane.clone());
            appended.push(AppendedLeg { seq, fence });
            let leg_here = Leg { event: event.id.clone(), lane: leg.lane.clone(), place };
            self.legs.insert(leg.id.clone(), leg_here);
        }
        let seqs = appended.iter().map(|leg| Some(leg.seq)).collect();
        let slot = new.payload.as_ref().map(|payload| payload.slot);
        let fresh = Some(self.fresh.len());
        self.fresh.push(event.id.clone());
        self.events.insert(event.id.clone(), Event { slot, seqs, fresh, new });
        appended
    }

    /// As `write::settle`.
    pub(super) fn settle(
        &mut self,
        conn: &Connection,
        settlement: Box<Settlement>,
        map: &mut Overlay,
    ) -> Result<Taken> {
        let Some(leg) = self.legs.get(&settlement.leg) else { return Ok(Taken::No(settlement)) };
        let (lane, event) = (leg.lane.clone(), leg.event.clone());
        self.load_lane(conn, &lane)?;
        let fence = self.lanes.get(&lane).map(|lane| lane.fence);
        if lane != settlement.lane || fence != Some(settlement.fence) {
            return Err(StoreError::Fenced { lane: settlement.lane.to_text() }.into());
        }
        let Some(org) = self.events.get(&event).map(|event| event.new.event.org.clone()) else {
            return Ok(Taken::No(settlement));
        };
        if !self.check_map(conn, &settlement, &org, map)? {
            return Ok(Taken::No(settlement));
        }
        if settlement.receipt.org != org {
            return Err(StoreError::missing("org", &settlement.receipt.org).into());
        }
        if let Some(state) = self.lanes.get_mut(&lane) {
            state.deeper -= 1;
        }
        self.dirty.insert(lane);
        let erase = self.end(&settlement.leg, true);
        map.add(&settlement);
        self.settlements.push(*settlement);
        self.writes += 1;
        Ok(Taken::Yes(Settled { erase, already: false }))
    }

    /// Refuses what the tables would refuse; `false` where they have to be asked.
    fn check_map(
        &mut self,
        conn: &Connection,
        settlement: &Settlement,
        org: &OrgId,
        map: &Overlay,
    ) -> Result<bool> {
        let original = settlement.original.as_ref();
        let own = original.map(|row| (&row.conversation, &row.message));
        let own = own.or(settlement.of.as_ref().map(|(conversation, message)| (conversation, message)));
        if let Some((conversation, _)) = own {
            self.conversation_of(conn, conversation, org)?;
        }
        let mut made = BTreeMap::new();
        for copy in &settlement.copies {
            self.conversation_of(conn, &copy.conversation, org)?;
            let Some(of) = own else {
                return Err(StoreError::missing("original", &copy.message).into());
            };
            let again = made.insert((&copy.conversation, &copy.message), copy.part);
            if again.is_some_and(|part| part != copy.part) || is_taken(conn, map, of, copy)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Forgets a leg that is settled, in the tables too or only here, and with the last one its event. The slot that
    /// is to be erased then.
    fn end(&mut self, leg: &LegId, drop_row: bool) -> Option<SlotId> {
        let Leg { event: id, place, .. } = self.legs.remove(leg)?;
        let event = self.events.get_mut(&id)?;
        event.seqs[place] = None;
        let drop_row = drop_row && event.fresh.is_none();
        if drop_row {
            self.gone_legs.insert(leg.clone());
        }
        if event.seqs.iter().any(Option::is_some) {
            return None;
        }
        let slot = event.slot;
        self.events.remove(&id);
        if drop_row {
            self.gone_events.insert(id);
        }
        slot
    }

    /// The tables hold everything. Payloads need not be kept twice.
    pub(super) fn flushed(&mut self) {
        self.seen.arrived();
        self.deliveries.clear();
        self.settlements.clear();
        self.gone_legs.clear();
        self.gone_events.clear();
        self.fresh.clear();
        self.writes = 0;
        for id in std::mem::take(&mut self.dirty) {
            if let Some(lane) = self.lanes.get_mut(&id) {
                lane.deeper = 0;
            }
        }
        if self.lanes.len() > REMEMBERED {
            self.lanes.clear();
            self.conversations.clear();
        }
        if self.events.len() > AWAITED {
            self.events.clear();
            self.legs.clear();
        }
        for event in self.events.values_mut().filter(|event| event.fresh.is_some()) {
            event.fresh = None;
            event.new.payload = None;
        }
    }

    /// After a mutation was done in the tables, which hold everything: what is known here of what it changed.
    pub(super) fn done_in_tables(&mut self, mutation: &Mutation, reply: &Reply) {
        match (mutation, reply) {
            (Mutation::Settle(settlement), _) => {
                self.end(&settlement.leg, false);
            }
            (Mutation::Shred { .. }, Reply::Shredded(events)) => {
                for (event, _) in events {
                    if let Some(event) = self.events.get_mut(event) {
                        event.slot = None;
                    }
                }
            }
            (Mutation::ClaimLanes { .. } | Mutation::ReleaseLanes { .. }, _) => self.lanes.clear(),
            // New events come past here, so that only a replay is done in the tables.
            (Mutation::Replay { event, leg, .. }, Reply::Appended(events)) => {
                self.seen.replayed(event, leg);
                for event in events {
                    if let Appended::Fresh(legs) = event {
                        let last = legs.iter().map(|leg| leg.seq).max();
                        self.next_seq = last.map_or(self.next_seq, |last| self.next_seq.max(last + 1));
                    }
                }
            }
            (
                Mutation::Defer { .. }
                | Mutation::Progress { .. }
                | Mutation::React { .. }
                | Mutation::Expire { .. }
                | Mutation::DropDeadLetter(_)
                | Mutation::SeenUntil { .. }
                | Mutation::PutToken(_)
                | Mutation::DropTokens { .. }
                | Mutation::PutAccount(_)
                | Mutation::DropAccount { .. }
                | Mutation::UnlinkAccount { .. }
                | Mutation::Audit(_),
                _,
            ) => {}
            _ => *self = Self::starting_at(self.next_seq, std::mem::take(&mut self.seen)),
        }
    }

    fn delivery(
        &self,
        conn: &Connection,
        installation: &InstallationId,
        digest: &[u8],
        at_ms: i64,
    ) -> Result<Option<i64>> {
        if !self.seen.delivery(installation, digest, at_ms) {
            return Ok(None);
        }
        if !self.deliveries.is_empty()
            && let Some(until) = self.deliveries.get(&(installation.clone(), digest.to_vec()))
        {
            return Ok(Some(*until));
        }
        let key = params![installation.as_str(), digest];
        first(conn, &q::DELIVERY, key, |r| Ok(r.get::<_, i64>(0)?))
    }

    fn has_event(&self, conn: &Connection, id: &EventId) -> Result<bool> {
        let here = self.events.contains_key(id);
        let asked = self.seen.event(id) && !self.gone_events.contains(id);
        Ok(here || asked && exists(conn, &q::EVENT_EXISTS, [id.as_str()])?)
    }

    fn has_leg(&self, conn: &Connection, id: &LegId) -> Result<bool> {
        let here = self.legs.contains_key(id);
        let asked = self.seen.leg(id) && !self.gone_legs.contains(id);
        Ok(here || asked && exists(conn, &q::LEG_EXISTS, [id.as_str()])?)
    }

    fn load_lane(&mut self, conn: &Connection, id: &LaneId) -> Result<()> {
        if self.lanes.contains_key(id) {
            return Ok(());
        }
        let lane = first(conn, &q::LANE_OWNER, [id.to_text()], |r| {
            Ok(Lane { owner: r.get(0)?, fence: r.get(1)?, until_ms: r.get(2)?, deeper: 0 })
        })?;
        let new = || Lane { owner: None, fence: 0, until_ms: 0, deeper: 0 };
        self.lanes.insert(id.clone(), lane.unwrap_or_else(new));
        Ok(())
    }

    fn installation_of(&mut self, conn: &Connection, id: &InstallationId, org: &OrgId) -> Result<()> {
        match self.installations.get(id) {
            Some(of) if of == org => return Ok(()),
            Some(_) => return Err(StoreError::missing("installation", id).into()),
            None => write::installation_of(conn, id, org)?,
        }
        self.installations.insert(id.clone(), org.clone());
        Ok(())
    }

    fn conversation_of(&mut self, conn: &Connection, id: &ConversationId, org: &OrgId) -> Result<()> {
        match self.conversations.get(id) {
            Some(of) if of == org => return Ok(()),
            Some(_) => return Err(StoreError::missing("conversation", id).into()),
            None => write::conversation_of(conn, id, org)?,
        }
        self.conversations.insert(id.clone(), org.clone());
        Ok(())
    }
}

/// Whether a copy's message is perhaps that of another copy.
fn is_taken(
    conn: &Connection,
    map: &Overlay,
    of: (&ConversationId, &RemoteMessage),
    copy: &CopyRow,
) -> Result<bool> {
    if let Some(owner) = map.owner(&copy.conversation, &copy.message) {
        let parts = map.copies(of, &copy.conversation);
        let part = parts.iter().rfind(|row| row.message == copy.message).map(|row| row.part);
        return Ok((&owner.0, &owner.1) != of || part != Some(copy.part));
    }
    let key = [copy.conversation.as_str(), copy.message.as_str()];
    let owner = first(conn, &q::COPY_OWNER, key, |r| {
        let (conversation, message): (String, String) = (r.get(0)?, r.get(1)?);
        Ok((&*conversation, &*message, row::count(r, 2)?) == (of.0.as_str(), of.1.as_str(), copy.part))
    })?;
    Ok(owner == Some(false))
}
