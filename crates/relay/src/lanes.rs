//! Lanes: which leg goes next, and when. A lane is an entry in a map; a task exists only while something of
//! it is being sent. Pure state: time comes in, decisions go out.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use dragoman_model::{ConversationId, EventKind, RemoteMessage};
use dragoman_store::{EventRow, LaneId};

use crate::answers::Answers;
use crate::leg::{Doubt, Leg, Place};
use crate::retry::Pace;

/// Legs of one lane that are kept in memory; the rest waits in the store.
const WINDOW: usize = 256;
/// Of these, payloads that the door handed on are kept for so many; those behind read theirs from the store.
const HANDED_ON: usize = 16;
/// Legs of one lane that are kept in memory while sources catch up, so that those of other sources are found.
const MOST: usize = 16 * WINDOW;

/// Reactions to one message that are done together.
const GATHERED: usize = 64;

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
    recovered: Option<Reaches>,
    /// Sources of which a message waits for the answer to what may be its original.
    answers: Answers,
    /// It rests because sources of its legs catch up, or wait.
    shut: bool,
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
            lane.recovered = Some(Reaches::new());
        }
        let behind = lane.queue.last_key_value().is_none_or(|(last, _)| leg.place > *last);
        let most = if lane.shut { MOST } else { WINDOW };
        if behind && (lane.spilled || lane.queue.len() >= most) {
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
            lane.recovered = Some(Reaches::new());
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

    /// The next thing to do for a running lane. `catching_up` tells whether a leg's source is catching up, so that the
    /// leg waits, and until when those of other sources behind it do.
    pub(crate) fn next(
        &mut self,
        id: &LaneId,
        now_ms: i64,
        interval_ms: u64,
        catching_up: &dyn Fn(&Leg) -> Option<i64>,
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
        let beside = lane.beside.values().map(|(_, until)| *until).min();
        lane.shut = false;
        let leg = match lane.pick(now_ms, catching_up) {
            Pick::Leg(leg) => leg,
            Pick::Nothing => return self.rest(id, beside),
            Pick::Shut { until, more } => {
                lane.shut = true;
                if more && lane.spilled && lane.queue.len() < MOST {
                    lane.left_out = false;
                    return Next::Refill;
                }
                return self.rest(id, beside.into_iter().chain(until).min());
            }
        };
        let ready = lane.not_before_ms.max(lane.pace.ready_at(interval_ms)).max(leg.ready_ms);
        if ready > now_ms {
            return self.rest(id, Some(beside.map_or(ready, |until| until.min(ready))));
        }
        let Some(fence) = lane.fence else { return Next::Claim };
        Next::Run { leg, fence }
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
        if let Some(reaches) = &mut lane.recovered {
            cast_doubt(&legs, reaches);
        }
        for leg in legs {
            if !lane.beside.contains_key(&leg.place) && !lane.queue.contains_key(&leg.place) {
                lane.insert(leg);
            }
        }
    }

    /// How many legs a refill reads from the head of the lane: those in memory are read again and skipped.
    pub(crate) fn refill_limit(&self, id: &LaneId) -> u32 {
        let known = self.lanes.get(id).map_or(0, |lane| lane.beside.len() + lane.queue.len());
        u32::try_from(WINDOW + known).unwrap_or(u32::MAX)
    }

    /// A claim succeeded or not.
    pub(crate) fn claimed(&mut self, id: &LaneId, fence: Option<i64>, retry_at_ms: i64) {
        let Some(lane) = self.lanes.get_mut(id) else { return };
        lane.fence = fence;
        if fence.is_none() {
            // Somebody else works on it, and may leave a send of unknown outcome.
            lane.recovered = Some(Reaches::new());
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
            // A recorded reaction waits for its time only.
            let waits =
                waiting.reacted_ms.load(Ordering::Relaxed) == 0 && !waiting.only_time.load(Ordering::Relaxed);
            if waits && may_wait_for(&waiting.event.row, &leg.event.row) {
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

    /// A leg waits in the lane for the answer to what may be its original, until it is looked again whether that came.
    /// What is in doubt and was appended before `yields` goes first: that is waited for.
    pub(crate) fn awaits(&mut self, leg: &Leg, now_ms: i64, look_ms: i64, yields: i64) {
        if let Some(lane) = self.lanes.get_mut(&leg.lane) {
            lane.answers.wait(leg, now_ms, look_ms, yields);
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
            lane.recovered = Some(Reaches::new());
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
        let posts = places.iter().filter(|(place, kind)| {
            **place != leg.place && matches!(kind, EventKind::Created | EventKind::Changed)
        });
        let others = posts.filter_map(|(place, _)| {
            lane.queue.get(place).or_else(|| lane.beside.get(place).map(|(leg, _)| leg))
        });
        found.doubt = others.map(|other| other.doubt()).max().unwrap_or_default();
        for (place, kind) in places.range((std::ops::Bound::Excluded(leg.place), std::ops::Bound::Unbounded))
        {
            match kind {
                EventKind::Deleted => found.deleted = true,
                EventKind::Changed => found.changed = lane.queue.get(place).cloned(),
                EventKind::Reaction => {
                    found
                        .reactions
                        .extend(lane.queue.get(place).filter(|_| found.reactions.len() < GATHERED).cloned());
                }
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

    /// Whether a leg of the lane that was appended before another one may have been sent before a restart, and nobody looked
    /// yet.
    pub(crate) fn may_be_sent(&self, id: &LaneId, before: i64) -> bool {
        self.lanes.get(id).is_some_and(|lane| {
            let unread = lane.recovered.is_some() && lane.spilled && lane.queue.is_empty();
            unread || lane.doubtful(before).next().is_some()
        })
    }

    /// The append number of the last of these legs that waits for an answer itself.
    pub(crate) fn awaiting(&self, id: &LaneId, before: i64) -> Option<i64> {
        let doubtful = self.lanes.get(id)?.doubtful(before);
        doubtful.filter(|leg| leg.awaits.load(Ordering::Relaxed)).map(|leg| leg.place.1).max()
    }

    /// What a message at the target is a part of, where that is in the lane and not all done yet: the map does not know
    /// it before.
    pub(crate) fn whole_of(&self, id: &LaneId, part: &RemoteMessage) -> Option<Arc<Leg>> {
        let lane = self.lanes.get(id)?;
        let mut legs = lane.queue.values().chain(lane.beside.values().map(|(leg, _)| leg));
        legs.find(|leg| leg.parts().iter().any(|done| done.message == *part)).cloned()
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

    /// Lanes that rest because sources of their legs were catching up.
    pub(crate) fn resting(&mut self) -> Vec<LaneId> {
        let mut ids: Vec<LaneId> = self
            .lanes
            .iter()
            .filter(|(_, lane)| !lane.running && lane.shut)
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
    /// Reactions to the same message, the first of them.
    pub reactions: Vec<Arc<Leg>>,
    /// Whether another leg of the lane may have posted the message.
    pub doubt: Doubt,
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

/// How far back doubt has reached, by append number, among legs of each source.
type Reaches = BTreeMap<Option<ConversationId>, i64>;

/// After a restart the head may have been sent; and as others may have been put before what was under way, or wait
/// beside it, so may those behind it. What was under way stood first then among those of its source, which may have been
/// behind another source that was catching up: no message of that source that waits for nothing, was appended before it,
/// and is still there, has an earlier place. So for each source doubt reaches to the last leg that was not appended
/// after the first such message.
///
/// `reaches` has those messages' append numbers among legs read earlier, and then among all read so far.
fn cast_doubt(legs: &[Arc<Leg>], reaches: &mut Reaches) {
    let first = reaches.is_empty();
    let mut sources: BTreeMap<Option<ConversationId>, Vec<&Arc<Leg>>> = BTreeMap::new();
    for leg in legs {
        sources.entry(leg.event.row.conversation.clone()).or_default().push(leg);
    }
    // A reaction that waits beside the lane stands before what was under way.
    let message = legs.iter().find(|leg| leg.event.kind() != EventKind::Reaction);
    let heads = [legs.first(), message].map(|leg| leg.filter(|_| first).map(|leg| leg.place));
    for (source, legs) in sources {
        let least = reaches.get(&source).copied().unwrap_or(i64::MAX);
        let free = legs.iter().filter(|leg| is_free_create(&leg.event.row)).map(|leg| leg.place.1).min();
        let reach = least.min(free.unwrap_or(i64::MAX));
        let within = |leg: &&Arc<Leg>| leg.place.1 <= reach && leg.place.1 < least;
        let end = legs.iter().rposition(within).map_or(0, |last| last + 1);
        for leg in &legs[..end] {
            let tried = leg.failures() > 0 || !leg.parts().is_empty();
            leg.set_doubt(if tried || heads.contains(&Some(leg.place)) {
                Doubt::Grave
            } else {
                Doubt::Slight
            });
        }
        reaches.insert(source, reach);
    }
}

/// The leg that goes next.
enum Pick {
    Leg(Arc<Leg>),
    /// The lane is empty.
    Nothing,
    /// Every leg waits for its source, or for an answer, or for an earlier one that does.
    Shut {
        /// Until then.
        until: Option<i64>,
        /// What the store has of other sources need not wait.
        more: bool,
    },
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

    /// The first leg whose source is not catching up and does not wait for an answer, unless an earlier one of another
    /// source is still waited for.
    fn pick(&self, now_ms: i64, catching_up: &dyn Fn(&Leg) -> Option<i64>) -> Pick {
        let (mut wait_ms, mut look_ms) = (i64::MIN, None);
        for leg in self.queue.values() {
            let held = catching_up(leg).or_else(|| {
                let held = self.answers.holds(leg, now_ms)?;
                look_ms = Some(look_ms.map_or(held.look_ms, |look_ms: i64| look_ms.min(held.look_ms)));
                Some(held.others_until_ms)
            });
            match held {
                Some(until_ms) => wait_ms = wait_ms.max(until_ms),
                None if wait_ms <= now_ms => return Pick::Leg(Arc::clone(leg)),
                None => {
                    return Pick::Shut { until: look_ms.into_iter().chain([wait_ms]).min(), more: false };
                }
            }
        }
        if self.queue.is_empty() {
            return Pick::Nothing;
        }
        Pick::Shut { until: look_ms, more: look_ms.is_none() || wait_ms <= now_ms }
    }

    /// Legs that were appended before another one and that may have been sent.
    fn doubtful(&self, before: i64) -> impl Iterator<Item = &Arc<Leg>> {
        let legs = self.queue.values().chain(self.beside.values().map(|(leg, _)| leg));
        let earlier = legs.filter(move |leg| leg.place.1 < before);
        earlier.filter(|leg| leg.doubt() != Doubt::None || !leg.parts().is_empty())
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
