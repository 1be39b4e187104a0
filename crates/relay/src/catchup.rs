//! Catching up after a gap: what the source still knows is compared with the map, and what is missing goes
//! into the lanes by id, before what came in meanwhile. Nothing of it is stored but ids.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use dragoman_model::{
    ConversationId, EventId, EventKind, InstallationId, LegId, Message, RemoteMessage, Version, codes,
};
use dragoman_platform::{Failure, HistoryQuery};
use dragoman_store::{
    Appended, BridgeRow, EventRow, LaneId, Mutation, NewEvent, NewLeg, OriginalRow, Reply, TombstoneRow,
};

use crate::core::Relay;
use crate::directory::{Route, Spot};
use crate::error::RelayError;
use crate::leg::{Leg, LiveEvent};
use crate::reaction_look::ReactedTo;
use crate::reaction_plan::is_note;
use crate::waiting::Waiting;

/// The listing begins this much before the gap, in milliseconds: feeds and clocks are not exact.
const MARGIN_MS: i64 = 5 * 60 * 1000;
/// Edits and deletions of messages mapped within this time are looked for.
const MAPPED_MS: i64 = 48 * 60 * 60 * 1000;
/// Replies in threads active within this time are looked for.
const THREADS_MS: i64 = 30 * 24 * 60 * 60 * 1000;
/// Originals compared in one conversation.
const MOST_ORIGINALS: u32 = 5_000;
/// Attempts at one page before a catch-up is given up.
const ATTEMPTS: u32 = 8;

/// Threads asked for replies after the shortest gap.
const MOST_THREADS: usize = 100;
/// After so many milliseconds a source that could not be read is tried again.
const AGAIN_MS: i64 = 60_000;
/// Messages of other conversations wait this long, in milliseconds, for one that catches up: most are done by then, and
/// what people said to each other stays in its order. One whose platform is out of reach holds up nobody longer.
const OTHERS_MS: i64 = 5_000;
/// Receipts of one message that are looked at.
const MOST_RECEIPTS: u32 = 200;

/// A conversation that is catching up.
#[derive(Clone, Copy)]
pub(crate) struct CatchingUp {
    /// Whether it was asked to once more meanwhile.
    again: bool,
    /// Until when, milliseconds since 1970, what was written elsewhere waits for what was written here before it.
    pub(crate) others_until_ms: i64,
}

impl CatchingUp {
    /// From now on.
    pub(crate) fn from(now_ms: i64) -> Self {
        Self { again: false, others_until_ms: now_ms + OTHERS_MS }
    }
}

/// The task that catches up. Dropped before it is over, by a panic, it lets its live events go on.
struct Task {
    relay: Relay,
    conversation: ConversationId,
    over: bool,
}

impl Drop for Task {
    fn drop(&mut self) {
        if !self.over {
            self.relay.catching_up().remove(&self.conversation);
            self.relay.caught_up(&self.conversation);
        }
    }
}

/// What a listing tells of a message, without its content.
pub(crate) struct Listed {
    pub(crate) id: RemoteMessage,
    pub(crate) thread_root: Option<RemoteMessage>,
    pub(crate) version: Option<Version>,
    pub(crate) sent_ms: i64,
    pub(crate) edited_ms: Option<i64>,
}

/// How a catch-up ended.
enum Caught {
    /// So many events were missing.
    Found(usize),
    /// The source could not be read; it is tried again after so many milliseconds, or not at all.
    Unread(Option<i64>),
}

impl Relay {
    /// Catches up with one conversation in the background; its live events wait meanwhile. Asked for again before it is
    /// over, it is done once more.
    pub fn catch_up_later(&self, conversation: ConversationId) {
        match self.catching_up().entry(conversation.clone()) {
            Entry::Occupied(mut again) => {
                again.get_mut().again = true;
                return;
            }
            Entry::Vacant(new) => {
                new.insert(CatchingUp::from(self.now_ms()));
            }
        }
        self.catch_up_now(conversation);
    }

    /// Catches up with a conversation that is marked as catching up already.
    pub(crate) fn catch_up_now(&self, conversation: ConversationId) {
        let mut guard = Task { relay: self.clone(), conversation, over: false };
        self.0.parts.tasks.spawn(async move {
            while !guard.over {
                guard.relay.catch_up_once(&guard.conversation).await;
                guard.over = guard.relay.caught_up(&guard.conversation);
            }
        });
    }

    /// Ends the waiting of live events, unless it was asked to catch up once more.
    fn caught_up(&self, conversation: &ConversationId) -> bool {
        {
            let mut catching_up = self.catching_up();
            if catching_up.get_mut(conversation).is_some_and(|state| std::mem::take(&mut state.again))
                && !self.0.parts.stop.is_cancelled()
            {
                return false;
            }
            catching_up.remove(conversation);
        }
        for lane in self.with_lanes(crate::lanes::Lanes::resting) {
            self.spawn_lane(lane);
        }
        true
    }

    /// Catches up with one conversation not before the given time.
    fn catch_up_at(&self, conversation: ConversationId, due_ms: i64) {
        self.0.owed.lock().unwrap_or_else(PoisonError::into_inner).insert(conversation, due_ms);
    }

    /// The same, unless that is owed already: what a platform asked to wait for is waited for, and what is soon stays soon.
    pub(crate) fn catch_up_soon(&self, conversation: ConversationId, due_ms: i64) {
        self.0.owed.lock().unwrap_or_else(PoisonError::into_inner).entry(conversation).or_insert(due_ms);
    }

    /// Starts catching up where it is due.
    pub(crate) fn catch_up_with_owed(&self) {
        let now_ms = self.now_ms();
        let due: Vec<ConversationId> = {
            let mut owed = self.0.owed.lock().unwrap_or_else(PoisonError::into_inner);
            let due: Vec<_> =
                owed.iter().filter(|(_, due)| **due <= now_ms).map(|(id, _)| id.clone()).collect();
            owed.retain(|_, due| *due > now_ms);
            due
        };
        for conversation in due {
            self.catch_up_later(conversation);
        }
    }

    /// Catches up with every bridged conversation of an installation in the background.
    pub fn catch_up_installation(&self, installation: &InstallationId) {
        for id in self.directory().bridged_at(installation) {
            self.catch_up_later(id.clone());
        }
    }

    pub(crate) fn is_catching_up(&self, conversation: &ConversationId) -> bool {
        self.catching_up().contains_key(conversation)
    }

    pub(crate) fn catching_up(&self) -> std::sync::MutexGuard<'_, BTreeMap<ConversationId, CatchingUp>> {
        self.0.catching_up.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn catch_up_once(&self, conversation: &ConversationId) {
        let Ok(_turn) = self.0.reading.acquire().await else { return };
        match self.catch_up(conversation).await {
            Ok(Caught::Found(0)) | Err(RelayError::Stopping) => {}
            Ok(Caught::Found(found)) => tracing::info!(%conversation, found, "caught up"),
            Ok(Caught::Unread(Some(after_ms))) => {
                self.catch_up_at(conversation.clone(), self.now_ms() + after_ms);
            }
            Ok(Caught::Unread(None)) => {
                tracing::warn!(%conversation, code = %codes::NOT_RECOVERABLE, "what was missed here cannot be had any more");
            }
            Err(error) => {
                tracing::warn!(%conversation, code = %error.code(), "catching up failed and is tried again: {error}");
                self.catch_up_at(conversation.clone(), self.now_ms() + AGAIN_MS);
            }
        }
    }

    /// Compares a conversation with its source.
    async fn catch_up(&self, conversation: &ConversationId) -> Result<Caught, RelayError> {
        let directory = self.directory();
        let (Some(spot), Some(route)) =
            (directory.spot(conversation).cloned(), directory.route(conversation).cloned())
        else {
            return Ok(Caught::Found(0));
        };
        if !spot.capabilities.history {
            return Ok(Caught::Unread(None));
        }
        let started_ms = self.now_ms();
        let Some(bridge) = directory.bridge(&route.bridge).cloned() else { return Ok(Caught::Found(0)) };
        let row = self.store().conversation(conversation).await?;
        let seen_ms = row.map_or(0, |row| row.seen_until_ms);
        let begins_ms = bridge.row.begins_ms(conversation);
        let filling = bridge.row.past.backfill_due.contains(conversation);
        let gap_ms = (seen_ms - MARGIN_MS).min(started_ms - MAPPED_MS);
        let fills_ms = bridge.row.past.backfill_ms.get(conversation).copied();
        let since_ms = fills_ms.filter(|_| filling).unwrap_or(gap_ms.max(begins_ms));
        let originals =
            self.store().originals_since(conversation, started_ms - THREADS_MS, MOST_ORIGINALS).await?;
        let alive_ms = directory.seen_until_ms(&spot.row.installation);
        let (threads, left_out) = threads_to_ask(&originals, since_ms, started_ms - alive_ms);
        if left_out > 0 {
            tracing::info!(%conversation, left_out, code = %codes::NOT_RECOVERABLE, "replies in the oldest threads are not looked for");
        }
        let (mut listed, reacted) = match self.list(&spot, since_ms, threads).await? {
            Ok(listed) => listed,
            Err(after_ms) => return Ok(Caught::Unread(after_ms)),
        };
        if let Some(newest_ms) = listed.iter().map(|message| message.sent_ms).max() {
            self.expect_edits(&spot, newest_ms);
        }
        listed.sort_by(|a, b| (a.sent_ms, &a.id).cmp(&(b.sent_ms, &b.id)));
        let (waiting, asked) = self.waiting(&spot, &route).await?;
        let mut found = 0;
        let mut present = BTreeSet::new();
        // On their way, perhaps not in the map yet, and nobody reads their reactions so far.
        let mut new: BTreeSet<RemoteMessage> =
            waiting.keys().map(|(_, message)| message).filter(|it| !asked.contains(*it)).cloned().collect();
        for message in listed {
            present.insert(message.id.clone());
            for (kind, order, lanes) in
                self.missing(&spot, &route, &message, (&bridge.row, started_ms), &waiting).await?
            {
                found += 1;
                if kind == EventKind::Created {
                    new.insert(message.id.clone());
                }
                let root = message.thread_root.clone();
                self.append_into(&spot, &route, &message.id, root, kind, order, lanes).await?;
            }
        }
        found += self.catch_up_with_reactions(&spot, &route, reacted, &new, started_ms).await?;
        for original in originals {
            let recent = original.sent_ms >= since_ms && original.sent_ms >= started_ms - MAPPED_MS;
            if !recent || present.contains(&original.message) {
                continue;
            }
            match self.is_deleted(&spot, &original.message, original.thread_root.as_ref()).await? {
                Ok(false) => {}
                Ok(true) => {
                    found += 1;
                    let shown = route.targets_at(original.sent_ms);
                    let lanes = shown.cloned().map(LaneId::Conversation).collect();
                    let (order, root) = (started_ms.saturating_mul(1000), original.thread_root);
                    self.append_into(
                        &spot,
                        &route,
                        &original.message,
                        root,
                        EventKind::Deleted,
                        order,
                        lanes,
                    )
                    .await?;
                }
                Err(after_ms) => return Ok(Caught::Unread(after_ms)),
            }
        }
        for ((target, message), text) in waiting {
            // What was accepted since this began missed nothing, and a platform may not find it by its id yet.
            let live = text.received_ms >= started_ms;
            if text.current || live || present.contains(&message) {
                continue;
            }
            match self.is_deleted(&spot, &message, text.root.as_ref()).await? {
                Ok(false) => {}
                Ok(true) => {
                    found += 1;
                    let (kind, order) = (EventKind::Deleted, started_ms.saturating_mul(1000));
                    let lanes = vec![LaneId::Conversation(target)];
                    self.append_into(&spot, &route, &message, text.root, kind, order, lanes).await?;
                }
                Err(after_ms) => return Ok(Caught::Unread(after_ms)),
            }
        }
        let seen = Mutation::SeenUntil { conversation: conversation.clone(), seen_until_ms: started_ms };
        self.store().commit(seen).await?;
        // Asked for anew meanwhile, it is not done.
        let now = self.directory().bridge(&route.bridge).cloned();
        let same = now.is_some_and(|now| now.row.past.backfill_ms.get(conversation).copied() == fills_ms);
        if filling && same {
            let (bridge, conversation) = (route.bridge.clone(), conversation.clone());
            self.store().commit(Mutation::Backfilled { bridge, conversation }).await?;
            self.reload().await?;
        }
        Ok(Caught::Found(found))
    }

    /// All messages since a time, without content, and the reactions that stand at them. The inner error as in [`Caught::Unread`].
    async fn list(
        &self,
        spot: &Spot,
        since_ms: i64,
        threads: BTreeSet<RemoteMessage>,
    ) -> Result<Result<(Vec<Listed>, Vec<ReactedTo>), Option<i64>>, RelayError> {
        let mut query = HistoryQuery { since_ms, threads, cursor: None };
        let (mut listed, mut reacted) = (Vec::new(), Vec::new());
        loop {
            let place = &spot.place;
            let read = || place.connector.history(&place.session, &spot.conversation, &query);
            let page = match self.patiently(spot, read).await? {
                Ok(page) => page,
                Err(after_ms) => return Ok(Err(after_ms)),
            };
            if let Some(mut reactions) = page.reactions {
                // People react to our copies as well.
                reacted.extend(page.messages.iter().map(|message| ReactedTo {
                    message: message.id.clone(),
                    thread_root: message.thread_root.clone(),
                    reactions: reactions.remove(&message.id).unwrap_or_default(),
                }));
            }
            listed.extend(page.messages.into_iter().filter(|message| !is_ours(message)).map(Listed::from));
            match page.next {
                Some(cursor) => query.cursor = Some(cursor),
                None => return Ok(Ok((listed, reacted))),
            }
        }
    }

    /// Reads, again where the platform asks for that.
    async fn patiently<T, R>(
        &self,
        spot: &Spot,
        read: impl Fn() -> R,
    ) -> Result<Result<T, Option<i64>>, RelayError>
    where
        R: Future<Output = Result<T, Failure>>,
    {
        let mut attempts = 0;
        loop {
            if self.0.parts.stop.is_cancelled() {
                return Err(RelayError::Stopping);
            }
            let failure = match read().await {
                Ok(answer) => return Ok(Ok(answer)),
                Err(failure) => failure,
            };
            match failure {
                Failure::Retry { after_ms, .. } if attempts < ATTEMPTS => {
                    attempts += 1;
                    let pause = self.timing().ladder.pause(attempts, &**self.random());
                    let pause = Duration::from_millis(after_ms.unwrap_or(pause));
                    tokio::select! {
                        () = self.0.parts.stop.cancelled() => return Err(RelayError::Stopping),
                        () = tokio::time::sleep(pause) => {}
                    }
                }
                failure => {
                    tracing::warn!(conversation = %spot.id, code = %failure.code(), "history cannot be read: {failure}");
                    let again = matches!(failure, Failure::Retry { .. } | Failure::SignIn(_));
                    return Ok(Err(again.then_some(AGAIN_MS)));
                }
            }
        }
    }

    /// What a listed message is missing: kind and place of the event that brings it, and into which lanes.
    async fn missing(
        &self,
        spot: &Spot,
        route: &Route,
        message: &Listed,
        (bridge, listed_ms): (&BridgeRow, i64),
        waiting: &Waiting,
    ) -> Result<Vec<(EventKind, i64, Vec<LaneId>)>, RelayError> {
        let store = self.store();
        if store.original_of_copy(&spot.id, &message.id).await?.is_some() {
            return Ok(Vec::new());
        }
        let (mut unknown, mut stale) = (Vec::new(), Vec::new());
        for target in route.targets_at(message.sent_ms) {
            let lane = LaneId::Conversation(target.clone());
            let copies = store.copies((&spot.id, &message.id), target).await?;
            let waits = waiting.get(&(target.clone(), message.id.clone()));
            if let Some(text) = waits.filter(|text| text.posts || !copies.is_empty()) {
                // It is not sent a second time, but its text may be older than an edit that was missed.
                if !text.current && message.version > Some(Version(0)) {
                    stale.push(lane);
                }
                continue;
            }
            match copies.iter().find(|copy| !is_note(copy)) {
                // A copy without a version was not finished, and is a dead letter.
                Some(copy) if copy.version.is_some() && message.version > copy.version => stale.push(lane),
                None if bridge.relays(&spot.id, target, message.sent_ms) => {
                    let grave = store.tombstone(&spot.id, &message.id).await?.filter(TombstoneRow::is_dead);
                    match grave {
                        // Its author restored it.
                        Some(grave) if grave.died_ms < listed_ms => stale.push(lane),
                        Some(_) => {}
                        None if self.judged(spot, message, target).await? => {}
                        None => unknown.push(lane),
                    }
                }
                Some(_) | None => {}
            }
        }
        // Creates where they belong, before what was accepted in the same moment.
        let now_ms = self.now_ms();
        let events = [
            (EventKind::Created, message.sent_ms.min(now_ms).saturating_mul(1000) - 1, unknown),
            (EventKind::Changed, order_of_change(Some(bridge), message.edited_ms, now_ms), stale),
        ];
        Ok(events.into_iter().filter(|(.., lanes)| !lanes.is_empty()).collect())
    }

    /// Whether the creation of a message was decided for a target, so that there is no copy for a reason: refused,
    /// dropped by policy, removed there since.
    async fn judged(
        &self,
        spot: &Spot,
        message: &Listed,
        target: &ConversationId,
    ) -> Result<bool, RelayError> {
        let receipts = self.store().receipts(Some(&spot.org), Some(&message.id), MOST_RECEIPTS).await?;
        Ok(receipts.iter().any(|receipt| {
            receipt.kind == EventKind::Created.as_str()
                && receipt.from.as_ref() == Some(&spot.id)
                && receipt.to.as_ref() == Some(target)
                && receipt.code.as_deref() != Some(codes::EMPTY.as_str())
        }))
    }

    async fn is_deleted(
        &self,
        spot: &Spot,
        message: &RemoteMessage,
        root: Option<&RemoteMessage>,
    ) -> Result<Result<bool, Option<i64>>, RelayError> {
        let place = &spot.place;
        let read = || place.connector.message(&place.session, &spot.conversation, root, message);
        Ok(self.patiently(spot, read).await?.map(|message| message.is_none()))
    }

    /// Relays the root of a thread before the reply that waits for it, into the same lane.
    pub(crate) async fn summon(
        &self,
        leg: &Leg,
        root: &RemoteMessage,
        source: &Spot,
    ) -> Result<(), RelayError> {
        let Some(route) = self.directory().route(&source.id).cloned() else { return Ok(()) };
        let lanes = vec![leg.lane.clone()];
        self.append_into(source, &route, root, None, EventKind::Created, leg.place.0 - 1, lanes).await
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one row; a struct would only rename them")]
    pub(crate) async fn append_into(
        &self,
        spot: &Spot,
        route: &Route,
        message: &RemoteMessage,
        thread_root: Option<RemoteMessage>,
        kind: EventKind,
        order: i64,
        lanes: Vec<LaneId>,
    ) -> Result<(), RelayError> {
        let now_ms = self.now_ms();
        let random = &**self.random();
        let event = EventRow {
            id: EventId::fresh(now_ms, random),
            org: spot.org.clone(),
            installation: spot.place.session.installation.id.clone(),
            bridge: Some(route.bridge.clone()),
            conversation: Some(spot.id.clone()),
            message: Some(message.clone()),
            thread_root,
            kind: kind.as_str().to_owned(),
            feed: self.feed_of(spot, route, kind, order).to_owned(),
            at_ms: now_ms,
            received_ms: now_ms,
        };
        let legs: Vec<NewLeg> =
            lanes.into_iter().map(|lane| NewLeg { id: LegId::fresh(now_ms, random), lane, order }).collect();
        let new = NewEvent {
            event: event.clone(),
            payload: None,
            legs: legs.clone(),
            delivery_digest: None,
            redelivery_until_ms: 0,
        };
        let append = Mutation::Append { events: vec![new], lease: self.lease() };
        let Reply::Appended(replies) = self.store().commit(append).await? else {
            return Err(dragoman_store::StoreError::Closed.into());
        };
        let live = Arc::new(LiveEvent::new(event, false, None));
        for reply in replies {
            let Appended::Fresh(places) = reply else { continue };
            for (new, place) in legs.iter().zip(places) {
                let at = (new.order, place.seq);
                let leg = Arc::new(Leg::new(new.id.clone(), new.lane.clone(), at, Arc::clone(&live)));
                self.enqueue(leg, place.fence);
            }
        }
        Ok(())
    }
}

/// Roots older than the listing whose replies are asked for, those with the latest activity first: threads, then
/// messages that nobody has replied to so far. As each is a call to the platform while live events wait, there are
/// the more of them the longer the gap was; the second figure is how many are left out.
fn threads_to_ask(originals: &[OriginalRow], since_ms: i64, gap_ms: i64) -> (BTreeSet<RemoteMessage>, usize) {
    let most = MOST_THREADS.saturating_add(usize::try_from(gap_ms / 60_000).unwrap_or(0).saturating_mul(10));
    let replied = originals.iter().filter_map(|reply| reply.thread_root.clone());
    let quiet = originals.iter().filter(|original| original.thread_root.is_none());
    let quiet = quiet.filter(|original| original.sent_ms < since_ms).map(|original| original.message.clone());
    let (mut threads, mut left_out) = (BTreeSet::new(), BTreeSet::new());
    for root in replied.chain(quiet) {
        if threads.len() < most {
            threads.insert(root);
        } else if !threads.contains(&root) {
            left_out.insert(root);
        }
    }
    (threads, left_out.len())
}

/// Where in its lane a change stands that nobody told of: after all that is there. Among people, who may part in between,
/// it stands where it was made, so that it reaches those for whom it was.
pub(crate) fn order_of_change(bridge: Option<&BridgeRow>, edited_ms: Option<i64>, now_ms: i64) -> i64 {
    let of_people = bridge.is_some_and(|bridge| bridge.talk.is_some());
    let made_ms = edited_ms.filter(|_| of_people).unwrap_or(now_ms);
    made_ms.min(now_ms).saturating_mul(1000)
}

/// Whether we posted it.
pub(crate) fn is_ours(message: &Message) -> bool {
    message.origin.ours || message.origin.marker.is_some()
}

impl From<Message> for Listed {
    fn from(message: Message) -> Self {
        Self {
            id: message.id,
            thread_root: message.thread_root,
            version: message.version,
            sent_ms: message.sent_at_ms,
            edited_ms: message.edited_at_ms,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows;

    #[test]
    fn threads_come_first_and_there_are_more_after_a_longer_gap() {
        let original = |message: usize, root: Option<usize>, sent_ms: i64| OriginalRow {
            thread_root: root.map(|root| format!("m{root}").into()),
            ..rows::original(&format!("m{message}"), sent_ms)
        };
        let mut originals: Vec<_> = (0..300).map(|message| original(message, None, 50)).collect();
        originals.push(original(900, None, 200));
        originals.extend([original(901, Some(299), 40), original(902, Some(299), 30)]);

        let (threads, left_out) = threads_to_ask(&originals, 100, 0);
        assert_eq!((threads.len(), left_out), (MOST_THREADS, 300 - MOST_THREADS));
        assert!(threads.contains(&"m299".into()), "a thread goes before messages without replies");
        assert!(!threads.contains(&"m900".into()), "the listing itself has what is newer");

        let (threads, left_out) = threads_to_ask(&originals, 100, 20 * 60_000);
        assert_eq!((threads.len(), left_out), (300, 0));
    }
}
