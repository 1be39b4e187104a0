//! Lanes: which leg goes next, and when. A lane is an entry in a map; a task exists only while something of
//! it is being sent. Pure state: time comes in, decisions go out.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use dragoman_model::{ConversationId, EventKind, RemoteMessage};
use dragoman_store::{EventRow, LaneId};

use crate::leg::{Doubt, Leg, Place};
use crate::retry::Pace;

/// Legs of one lane that are kept in memory; the rest waits in the store.
const WINDOW: usize = 256;
/// Of these, payloads that the door handed on are kept for so many; those behind read theirs from the store.
const HANDED_ON: usize = 16;

type Subject = (ConversationId, RemoteMessage);

/// All lanes that have something to do.
#[derive(Default)]
pub(crate) struct Lanes {
    lanes: HashMap<LaneId, Lane>,
    timers: BTreeSet<(i64, LaneId)>,
}

#[derive(Default)]
struct Lane {
    queue: BTreeMap<Place, Arc<Leg>>,
    /// Legs that wait beside the lane, with the time at which they come back.
    beside: BTreeMap<Place, (Arc<Leg>, i64)>,
    /// Legs by the message that they are about, for coalescing.
    subjects: HashMap<Subject, BTreeMap<Place, EventKind>>,
    fence: Option<i64>,
    running: bool,
    /// More legs are in the store.
    spilled: bool,
    /// Legs were left to the store since the last reading began: what was read may lack them.
    left_out: bool,
    /// Legs of an earlier life are being read: how far back, by append number, doubt has reached so far.
    recovered: Option<i64>,
    not_before_ms: i64,
    /// Our own store failed: not before this even for reading.
    held_until_ms: i64,
    pace: Pace,
    timer: Option<i64>,
}

/// What a lane's task does next.
pub(crate) enum Next {
    /// Work on this leg.
    Run {
        /// The leg.
        leg: Arc<Leg>,
        /// Under this fence.
        fence: i64,
    },
    /// Read more legs from the store.
    Refill,
    /// Claim the lane first.
    Claim,
    /// Nothing to do now; the task ends. A timer wakes the lane.
    Rest,
}

impl Lanes {
    /// Adds a leg. `true`: start a task for the lane.
    pub(crate) fn push(&mut self, leg: Arc<Leg>, fence: Option<i64>) -> bool {
        let id = leg.lane.clone();
        let lane = self.lanes.entry(id.clone()).or_default();
        lane.fence = fence.or(lane.fence);
        if lane.fence.is_none() {
            lane.recovered = Some(i64::MAX);
        }
        let behind = lane.queue.last_key_value().is_none_or(|(last, _)| leg.place > *last);
        if behind && (lane.spilled || lane.queue.len() >= WINDOW) {
            lane.spilled = true;
            lane.left_out = true;
        } else {
            if lane.queue.len() >= HANDED_ON {
                leg.event.shred();
            }
            lane.insert(leg);
        }
        self.start(&id)
    }

    /// A lane that the store has legs for. `true`: start a task for it.
    pub(crate) fn recover(&mut self, id: &LaneId) -> bool {
        let lane = self.lanes.entry(id.clone()).or_default();
        if !lane.running && lane.queue.is_empty() {
            lane.recovered = Some(i64::MAX);
        }
        self.look_into(id)
    }

    /// A lane that got legs in the store past us. `true`: start a task for it.
    pub(crate) fn look_into(&mut self, id: &LaneId) -> bool {
        let lane = self.lanes.entry(id.clone()).or_default();
        lane.spilled = true;
        lane.left_out = true;
        self.start(id)
    }

    /// Marks the lane as running unless it is; `true`: the caller starts its task.
    pub(crate) fn start(&mut self, id: &LaneId) -> bool {
        let Some(lane) = self.lanes.get_mut(id) else { return false };
        if lane.running {
            return false;
        }
        lane.running = true;
        if let Some(timer) = lane.timer.take() {
            self.timers.remove(&(timer, id.clone()));
        }
        true
    }

    /// The next thing to do for a running lane. `blocked` tells whether a leg's source is catching up.
    pub(crate) fn next(
        &mut self,
        id: &LaneId,
        now_ms: i64,
        interval_ms: u64,
        blocked: &dyn Fn(&Leg) -> bool,
    ) -> Next {
        let Some(lane) = self.lanes.get_mut(id) else { return Next::Rest };
        lane.return_from_beside(now_ms);
        if lane.held_until_ms > now_ms {
            let until = lane.held_until_ms;
            return self.rest(id, Some(until));
        }
        if lane.fence.is_none() && (lane.spilled || !lane.queue.is_empty()) {
            // What is in memory may have been done by whoever holds the lane: it is read once it is ours.
            if lane.not_before_ms > now_ms {
                let until = lane.not_before_ms;
                return self.rest(id, Some(until));
            }
            return Next::Claim;
        }
        if lane.queue.is_empty() && lane.spilled {
            lane.left_out = false;
            return Next::Refill;
        }
        let Some((_, leg)) = lane.queue.first_key_value() else {
            let until = lane.beside.values().map(|(_, until)| *until).min();
            return self.rest(id, until);
        };
        if blocked(leg) {
            return self.rest(id, None);
        }
        let ready = lane.not_before_ms.max(lane.pace.ready_at(interval_ms));
        if ready > now_ms {
            let until =
                lane.beside.values().map(|(_, until)| *until).min().map_or(ready, |until| until.min(ready));
            return self.rest(id, Some(until));
        }
        let Some(fence) = lane.fence else { return Next::Claim };
        Next::Run { leg: Arc::clone(leg), fence }
    }

    fn rest(&mut self, id: &LaneId, until: Option<i64>) -> Next {
        if let Some(lane) = self.lanes.get_mut(id) {
            lane.running = false;
            if let Some(until) = until {
                lane.timer = Some(until);
                self.timers.insert((until, id.clone()));
            } else if lane.queue.is_empty() && lane.beside.is_empty() && !lane.spilled {
                self.lanes.remove(id);
            }
        }
        Next::Rest
    }

    /// Legs from the store. `more`: there are still others.
    pub(crate) fn refill(&mut self, id: &LaneId, legs: Vec<Arc<Leg>>, more: bool) {
        let Some(lane) = self.lanes.get_mut(id) else { return };
        lane.spilled = more || std::mem::take(&mut lane.left_out);
        lane.recovered = lane.recovered.map(|least| cast_doubt(&legs, least));
        for leg in legs {
            if !lane.beside.contains_key(&leg.place) && !lane.queue.contains_key(&leg.place) {
                lane.insert(leg);
            }
        }
    }

    /// How many legs a refill reads from the head of the lane: those beside it are read again and skipped.
    pub(crate) fn refill_limit(&self, id: &LaneId) -> u32 {
        let beside = self.lanes.get(id).map_or(0, |lane| lane.beside.len());
        u32::try_from(WINDOW + beside).unwrap_or(u32::MAX)
    }

    /// A claim succeeded or not.
    pub(crate) fn claimed(&mut self, id: &LaneId, fence: Option<i64>, retry_at_ms: i64) {
        let Some(lane) = self.lanes.get_mut(id) else { return };
        lane.fence = fence;
        if fence.is_none() {
            // Somebody else works on it, and may leave a send of unknown outcome.
            lane.recovered = Some(i64::MAX);
            lane.not_before_ms = retry_at_ms;
        } else {
            lane.empty();
        }
    }

    /// A leg is settled. Legs beside the lane that may have waited for it come back at once.
    pub(crate) fn settled(&mut self, leg: &Leg) {
        let Some(lane) = self.lanes.get_mut(&leg.lane) else { return };
        lane.remove(leg);
        for (waiting, until) in lane.beside.values_mut() {
            if may_wait_for(&waiting.event.row, &leg.event.row) {
                *until = 0;
            }
        }
    }

    /// A leg has to be tried again, and with it the lane waits.
    pub(crate) fn deferred(&mut self, leg: &Leg, until_ms: i64) {
        if let Some(lane) = self.lanes.get_mut(&leg.lane) {
            lane.not_before_ms = until_ms;
        }
    }

    /// The lane cannot be worked on before the given time.
    pub(crate) fn hold(&mut self, id: &LaneId, until_ms: i64) {
        if let Some(lane) = self.lanes.get_mut(id) {
            lane.held_until_ms = until_ms;
        }
    }

    /// A leg waits beside the lane.
    pub(crate) fn aside(&mut self, leg: &Arc<Leg>, until_ms: i64) {
        if let Some(lane) = self.lanes.get_mut(&leg.lane) {
            lane.queue.remove(&leg.place);
            lane.beside.insert(leg.place, (Arc::clone(leg), until_ms));
        }
    }

    /// Somebody else owns the lane: what is in memory is forgotten, and the lane claimed again later.
    pub(crate) fn lost(&mut self, id: &LaneId, until_ms: i64) {
        if let Some(lane) = self.lanes.get_mut(id) {
            lane.fence = None;
            lane.empty();
            lane.recovered = Some(i64::MAX);
            lane.held_until_ms = until_ms;
        }
    }

    /// The lane's task ended otherwise than by resting; it is started again then.
    pub(crate) fn stumbled(&mut self, id: &LaneId, until_ms: i64) {
        self.hold(id, until_ms);
        self.rest(id, Some(until_ms));
    }

    /// Counts a send into the lane.
    pub(crate) fn sent(&mut self, id: &LaneId, interval_ms: u64, now_ms: i64) {
        if let Some(lane) = self.lanes.get_mut(id) {
            lane.pace.sent(interval_ms, now_ms);
        }
    }

    /// The target asked for less.
    pub(crate) fn complained(&mut self, id: &LaneId, interval_ms: u64) {
        if let Some(lane) = self.lanes.get_mut(id) {
            lane.pace.complained(interval_ms);
        }
    }

    /// Whether a later leg of the lane is about the same message: the newest change, and whether a deletion
    /// follows.
    pub(crate) fn superseding(&self, leg: &Leg) -> Superseding {
        let mut found = Superseding::default();
        let (Some(lane), Some(subject)) = (self.lanes.get(&leg.lane), leg.event.subject()) else {
            return found;
        };
        let Some(places) = lane.subjects.get(&subject) else { return found };
        for (place, kind) in places.range((std::ops::Bound::Excluded(leg.place), std::ops::Bound::Unbounded))
        {
            match kind {
                EventKind::Deleted => found.deleted = true,
                EventKind::Changed => found.changed = lane.queue.get(place).cloned(),
                _ => {}
            }
        }
        found
    }

    /// Whether a leg that creates this message, at top level, waits in the lane. Such a leg waits for no other
    /// message, so that one may wait for it.
    pub(crate) fn creates(&self, id: &LaneId, subject: &Subject) -> bool {
        let Some(lane) = self.lanes.get(id) else { return false };
        let creates = |place: &Place| {
            let beside = lane.beside.get(place).map(|(leg, _)| leg);
            lane.queue.get(place).or(beside).is_some_and(|leg| is_free_create(&leg.event.row))
        };
        lane.subjects.get(subject).is_some_and(|places| places.keys().any(creates))
    }

    /// Lanes whose timer is due; their tasks are to be started.
    pub(crate) fn due(&mut self, now_ms: i64) -> Vec<LaneId> {
        let mut due = Vec::new();
        while let Some((at, _)) = self.timers.first() {
            if *at > now_ms {
                break;
            }
            if let Some((_, id)) = self.timers.pop_first() {
                if let Some(lane) = self.lanes.get_mut(&id) {
                    lane.timer = None;
                }
                if self.start(&id) {
                    due.push(id);
                }
            }
        }
        due
    }

    /// When the next timer is due.
    pub(crate) fn next_due(&self) -> Option<i64> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// Lanes that rest without a timer although they have legs: their source was catching up.
    pub(crate) fn resting(&mut self) -> Vec<LaneId> {
        let mut ids: Vec<LaneId> = self
            .lanes
            .iter()
            .filter(|(_, lane)| !lane.running && lane.timer.is_none() && !lane.queue.is_empty())
            .map(|(id, _)| id.clone())
            .collect();
        ids.sort();
        ids.retain(|id| self.start(id));
        ids
    }

    /// Lanes in memory, for renewing their leases.
    pub(crate) fn active(&self) -> Vec<LaneId> {
        let mut ids: Vec<LaneId> = self.lanes.keys().cloned().collect();
        ids.sort();
        ids
    }

    /// Whether a lane is in memory.
    #[cfg(test)]
    pub(crate) fn knows(&self, id: &LaneId) -> bool {
        self.lanes.contains_key(id)
    }

    /// Every leg in memory.
    pub(crate) fn legs(&self) -> Vec<Arc<Leg>> {
        self.lanes
            .values()
            .flat_map(|lane| lane.queue.values().chain(lane.beside.values().map(|(leg, _)| leg)))
            .cloned()
            .collect()
    }
}

/// What follows a leg in its lane.
#[derive(Default)]
pub(crate) struct Superseding {
    /// The newest change of the same message.
    pub changed: Option<Arc<Leg>>,
    /// Whether the message is deleted later.
    pub deleted: bool,
}

/// Whether a leg that waits beside the lane may have waited for the other one.
fn may_wait_for(waiting: &EventRow, settled: &EventRow) -> bool {
    let about = |id: &Option<RemoteMessage>| id.is_some() && *id == settled.message;
    about(&waiting.message) || about(&waiting.thread_root) || waiting.thread_root.is_none()
}

/// Whether an event creates a message that depends on no other: it never waits beside the lane.
fn is_free_create(row: &EventRow) -> bool {
    row.kind == EventKind::Created.as_str() && (row.thread_root.is_none() || row.thread_root == row.message)
}

/// After a restart the head may have been sent; and as others may have been put before what was under way, or wait
/// beside it, so may those behind it. What was under way stood first then: no message that waits for nothing, was
/// appended before it, and is still there, has an earlier place. So doubt reaches to the last leg that was not appended
/// after the first such message.
///
/// `least` is that message's append number among legs read earlier; returned is the one among all read so far.
fn cast_doubt(legs: &[Arc<Leg>], least: i64) -> i64 {
    let free = legs.iter().filter(|leg| is_free_create(&leg.event.row)).map(|leg| leg.place.1).min();
    let reach = least.min(free.unwrap_or(i64::MAX));
    let within = |leg: &Arc<Leg>| leg.place.1 <= reach && leg.place.1 < least;
    let end = legs.iter().rposition(within).map_or(0, |last| last + 1);
    for (index, leg) in legs[..end].iter().enumerate() {
        let tried = leg.failures() > 0 || !leg.parts().is_empty();
        let head = index == 0 && least == i64::MAX;
        leg.set_doubt(if tried || head { Doubt::Grave } else { Doubt::Slight });
    }
    reach
}

impl Lane {
    /// Forgets the legs in memory; they are read again.
    fn empty(&mut self) {
        self.queue.clear();
        self.beside.clear();
        self.subjects.clear();
        self.spilled = true;
        self.left_out = true;
    }

    fn insert(&mut self, leg: Arc<Leg>) {
        if let Some(subject) = leg.event.subject() {
            self.subjects.entry(subject).or_default().insert(leg.place, leg.event.kind());
        }
        self.queue.insert(leg.place, leg);
    }

    fn remove(&mut self, leg: &Leg) {
        self.queue.remove(&leg.place);
        self.beside.remove(&leg.place);
        if let Some(subject) = leg.event.subject()
            && let Some(places) = self.subjects.get_mut(&subject)
        {
            places.remove(&leg.place);
            if places.is_empty() {
                self.subjects.remove(&subject);
            }
        }
    }

    fn return_from_beside(&mut self, now_ms: i64) {
        let back: Vec<Place> =
            self.beside.iter().filter(|(_, (_, until))| *until <= now_ms).map(|(place, _)| *place).collect();
        for place in back {
            if let Some((leg, _)) = self.beside.remove(&place) {
                self.queue.insert(place, leg);
            }
        }
    }
}

#[cfg(test)]
#[path = "lanes/tests.rs"]
mod tests;
