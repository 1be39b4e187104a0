//! Catching up after a gap: what the source still knows is compared with the map, and what is missing goes
//! into the lanes by id, before what came in meanwhile. Nothing of it is stored but ids.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use dragoman_model::{
    ConversationId, EventId, EventKind, InstallationId, LegId, Message, RemoteMessage, Version,
};
use dragoman_platform::{Failure, HistoryQuery};
use dragoman_store::{Appended, EventRow, LaneId, Mutation, NewEvent, NewLeg, Reply};

use crate::core::Relay;
use crate::directory::{Route, Spot};
use crate::error::RelayError;
use crate::leg::{Leg, LiveEvent};

/// The listing begins this much before the gap, in milliseconds: feeds and clocks are not exact.
const MARGIN_MS: i64 = 5 * 60 * 1000;
/// Edits and deletions of messages mapped within this time are looked for.
const MAPPED_MS: i64 = 48 * 60 * 60 * 1000;
/// Replies in threads active within this time are looked for.
const THREADS_MS: i64 = 30 * 24 * 60 * 60 * 1000;
/// Legs read at a time.
const LEGS: u32 = 500;
/// Originals compared in one conversation.
const MOST_ORIGINALS: u32 = 5_000;
/// Attempts at one page before a catch-up is given up.
const ATTEMPTS: u32 = 8;

/// What a listing tells of a message, without its content.
struct Listed {
    id: RemoteMessage,
    thread_root: Option<RemoteMessage>,
    version: Option<Version>,
    sent_ms: i64,
}

/// Lanes into which a message has to go.
#[derive(Default)]
struct Missing {
    /// There is no copy yet.
    created: Vec<LaneId>,
    /// The copy is older.
    changed: Vec<LaneId>,
}

impl Relay {
    /// Catches up with one conversation in the background.
    pub fn catch_up_later(&self, conversation: ConversationId) {
        {
            let mut catching_up = self.0.catching_up.lock().unwrap_or_else(PoisonError::into_inner);
            *catching_up.entry(conversation.clone()).or_default() += 1;
        }
        let relay = self.clone();
        self.0.parts.tasks.spawn(async move {
            match relay.catch_up(&conversation).await {
                Ok(0) => {}
                Ok(found) => tracing::info!(conversation = %conversation, found, "caught up"),
                Err(error) => {
                    tracing::warn!(conversation = %conversation, code = %error.code(), "catching up failed: {error}");
                }
            }
            relay.caught_up(&conversation);
        });
    }

    /// Catches up with every bridged conversation of an installation in the background.
    pub fn catch_up_installation(&self, installation: &InstallationId) {
        let directory = self.directory();
        for id in directory.bridged() {
            let here =
                directory.spot(&id).is_some_and(|spot| spot.place.session.installation.id == *installation);
            if here {
                self.catch_up_later(id);
            }
        }
    }

    fn caught_up(&self, conversation: &ConversationId) {
        {
            let mut catching_up = self.0.catching_up.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(count) = catching_up.get_mut(conversation) {
                *count -= 1;
                if *count == 0 {
                    catching_up.remove(conversation);
                }
            }
        }
        for lane in self.with_lanes(crate::lanes::Lanes::resting) {
            self.spawn_lane(lane);
        }
    }

    /// Compares a conversation with its source. Returns how many events it found.
    async fn catch_up(&self, conversation: &ConversationId) -> Result<usize, RelayError> {
        let directory = self.directory();
        let (Some(spot), Some(route)) =
            (directory.spot(conversation).cloned(), directory.route(conversation).cloned())
        else {
            return Ok(0);
        };
        if !self.capabilities(&spot).history {
            tracing::warn!(conversation = %conversation, code = %dragoman_model::codes::NOT_RECOVERABLE, "this conversation has no history to catch up with");
            return Ok(0);
        }
        let started_ms = self.now_ms();
        let bridged_ms = directory.bridge(&route.bridge).map_or(0, |bridge| bridge.row.created_ms);
        let row = self.store().conversation(conversation).await?;
        let seen_ms = row.map_or(0, |row| row.seen_until_ms);
        let since_ms = (seen_ms - MARGIN_MS).min(started_ms - MAPPED_MS).max(bridged_ms);
        let originals =
            self.store().originals_since(conversation, started_ms - THREADS_MS, MOST_ORIGINALS).await?;
        let threads: BTreeSet<RemoteMessage> = originals
            .iter()
            .filter(|original| original.active_ms >= started_ms - THREADS_MS)
            .map(|original| original.thread_root.clone().unwrap_or_else(|| original.message.clone()))
            .collect();
        let Some(mut listed) = self.list(&spot, since_ms, threads).await? else { return Ok(0) };
        listed.sort_by(|a, b| (a.sent_ms, &a.id).cmp(&(b.sent_ms, &b.id)));
        let waiting = self.waiting(&spot, &route).await?;
        let mut found = 0;
        let mut present = BTreeSet::new();
        for message in listed {
            present.insert(message.id.clone());
            if message.sent_ms < bridged_ms {
                continue;
            }
            let missing = self.missing(&spot, &route, &waiting, &message).await?;
            let (sent, now) = (message.sent_ms.saturating_mul(1000), started_ms.saturating_mul(1000));
            for (kind, lanes, order) in [
                (EventKind::Created, missing.created, sent),
                (EventKind::Changed, missing.changed, sent.max(now)),
            ] {
                if lanes.is_empty() {
                    continue;
                }
                found += 1;
                let root = message.thread_root.clone();
                self.append_into(&spot, &route, &message.id, root, kind, order, lanes).await?;
            }
        }
        for original in originals {
            let recent = original.sent_ms >= since_ms && original.sent_ms >= started_ms - MAPPED_MS;
            if recent
                && !present.contains(&original.message)
                && self.is_deleted(&spot, &original.message, original.thread_root.as_ref()).await
            {
                found += 1;
                let order = started_ms.saturating_mul(1000);
                self.append_by_id(
                    &spot,
                    &route,
                    &original.message,
                    original.thread_root,
                    EventKind::Deleted,
                    order,
                )
                .await?;
            }
        }
        let seen = Mutation::SeenUntil { conversation: conversation.clone(), seen_until_ms: started_ms };
        self.store().commit(seen).await?;
        Ok(found)
    }

    /// All messages since a time, without content. `None`: the platform refuses.
    async fn list(
        &self,
        spot: &Spot,
        since_ms: i64,
        threads: BTreeSet<RemoteMessage>,
    ) -> Result<Option<Vec<Listed>>, RelayError> {
        let mut query = HistoryQuery { since_ms, threads, cursor: None };
        let mut listed = Vec::new();
        let mut attempts = 0;
        loop {
            if self.0.parts.stop.is_cancelled() {
                return Err(RelayError::Stopping);
            }
            let place = &spot.place;
            match place.connector.history(&place.session, &spot.conversation, &query).await {
                Ok(page) => {
                    attempts = 0;
                    listed.extend(
                        page.messages.into_iter().filter(|message| !is_ours(message)).map(Listed::from),
                    );
                    match page.next {
                        Some(cursor) => query.cursor = Some(cursor),
                        None => return Ok(Some(listed)),
                    }
                }
                Err(Failure::Retry { after_ms, .. }) if attempts < ATTEMPTS => {
                    attempts += 1;
                    let pause = self.timing().ladder.pause(attempts, &**self.random());
                    tokio::time::sleep(Duration::from_millis(after_ms.unwrap_or(pause))).await;
                }
                Err(failure) => {
                    tracing::warn!(conversation = %spot.id, code = %failure.code(), "history cannot be read: {failure}");
                    return Ok(None);
                }
            }
        }
    }

    /// Messages of a conversation that a waiting leg will create. They need no second leg, and must not get one:
    /// the first may have been sent before a restart, and only its own marker is looked for.
    async fn waiting(
        &self,
        spot: &Spot,
        route: &Route,
    ) -> Result<BTreeSet<(ConversationId, RemoteMessage)>, RelayError> {
        let mut waiting = BTreeSet::new();
        for target in &route.targets {
            let lane = LaneId::Conversation(target.clone());
            let mut after = None;
            loop {
                let legs = self.store().legs(&lane, after, LEGS).await?;
                let Some(last) = legs.last() else { break };
                after = Some((last.order, last.seq));
                let here = legs.into_iter().map(|leg| leg.event).filter(|event| {
                    let kind = EventKind::parse(&event.kind);
                    event.conversation.as_ref() == Some(&spot.id)
                        && matches!(kind, Some(EventKind::Created | EventKind::Changed))
                });
                waiting
                    .extend(here.filter_map(|event| event.message).map(|message| (target.clone(), message)));
            }
        }
        Ok(waiting)
    }

    /// What a listed message is missing at its targets.
    async fn missing(
        &self,
        spot: &Spot,
        route: &Route,
        waiting: &BTreeSet<(ConversationId, RemoteMessage)>,
        message: &Listed,
    ) -> Result<Missing, RelayError> {
        let store = self.store();
        let mut missing = Missing::default();
        if store.original_of_copy(&spot.id, &message.id).await?.is_some() {
            return Ok(missing);
        }
        for target in &route.targets {
            let lane = LaneId::Conversation(target.clone());
            match store.copies((&spot.id, &message.id), target).await?.first() {
                None if waiting.contains(&(target.clone(), message.id.clone())) => {}
                None => missing.created.push(lane),
                Some(copy) if message.version > copy.version => missing.changed.push(lane),
                Some(_) => {}
            }
        }
        Ok(missing)
    }

    async fn is_deleted(&self, spot: &Spot, message: &RemoteMessage, root: Option<&RemoteMessage>) -> bool {
        let place = &spot.place;
        let read = place.connector.message(&place.session, &spot.conversation, root, message).await;
        matches!(read, Ok(None))
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

    async fn append_by_id(
        &self,
        spot: &Spot,
        route: &Route,
        message: &RemoteMessage,
        thread_root: Option<RemoteMessage>,
        kind: EventKind,
        order: i64,
    ) -> Result<(), RelayError> {
        let lanes = route.targets.iter().cloned().map(LaneId::Conversation).collect();
        self.append_into(spot, route, message, thread_root, kind, order, lanes).await
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one row; a struct would only rename them")]
    async fn append_into(
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
            feed: crate::lanes::REREAD.to_owned(),
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

fn is_ours(message: &Message) -> bool {
    message.origin.ours || message.origin.marker.is_some()
}

impl From<Message> for Listed {
    fn from(message: Message) -> Self {
        Self {
            id: message.id,
            thread_root: message.thread_root,
            version: message.version,
            sent_ms: message.sent_at_ms,
        }
    }
}
