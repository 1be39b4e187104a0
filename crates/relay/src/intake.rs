//! The door's last step: route, seal, append, and only then tell that the event is ours now.

use std::sync::{Arc, PoisonError};

use dragoman_model::{
    Code, ConversationId, EventId, EventKind, InstallationId, LegId, RemoteMessage, SlotId, codes,
};
use dragoman_platform::{App, Delivery, Item};
use dragoman_seal::{Content, EventHeader, FreshSecret, SealedRecord, SlotSecret};
use dragoman_store::{
    Appended, EventRow, LaneId, Mutation, NewEvent, NewLeg, Reply, SealedPayload, StoreError,
};
use tokio::sync::oneshot;

use crate::activity::Stage;
use crate::core::Relay;
use crate::error::RelayError;
use crate::leg::{Leg, LiveEvent};
use crate::slots::Writing;

/// What became of the items of a delivery.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// Durable now.
    pub fresh: usize,
    /// Left out, by reason: not bridged, redelivered, not for us.
    pub dropped: Vec<Code>,
}

/// Conversations whose events we refused are compared with their source this many milliseconds after the last refusal.
const REFUSED_MS: i64 = 30_000;

/// Installation, conversation, message, kind and time of an event.
pub(crate) type Delivered = (InstallationId, Option<ConversationId>, Option<RemoteMessage>, String, i64);

/// An event that will be kept.
struct Routed {
    item: Item,
    event: EventRow,
    lanes: Vec<LaneId>,
    order: i64,
    slot: SlotId,
    secret: FreshSecret,
}

struct Sealed {
    /// Without its payload.
    new: NewEvent,
    slot: SlotId,
    record: SealedRecord,
    secret: SlotSecret,
}

/// Lanes that have something to do. Dropped, it starts their tasks, whatever became of who lined it up.
struct Start<'a> {
    relay: &'a Relay,
    lanes: Vec<LaneId>,
}

impl<'a> Start<'a> {
    fn new(relay: &'a Relay) -> Self {
        Self { relay, lanes: Vec::new() }
    }
}

impl Drop for Start<'_> {
    fn drop(&mut self) {
        for lane in std::mem::take(&mut self.lanes) {
            self.relay.spawn_lane(lane);
        }
    }
}

impl Relay {
    /// Makes the items of an authentic delivery durable, answers, and sends them on their way. With the answer the
    /// platform may be answered; an error means that nothing of it may be acknowledged. To be run to its end: dropped
    /// midway, an event may be durable and not be handed on before the next start.
    pub async fn accept(
        &self,
        app: &App,
        delivery: Delivery,
        answer: oneshot::Sender<Result<Accepted, RelayError>>,
    ) {
        let mut start = Start::new(self);
        // Whoever asked may have gone away.
        let _ = answer.send(self.line_up(app, delivery, &mut start).await);
        // The platform is answered before the work begins, not after it. What comes next lines up behind.
        tokio::task::yield_now().await;
    }

    /// Makes items durable and lines them up; adds the lanes that have to be started.
    async fn line_up(
        &self,
        app: &App,
        delivery: Delivery,
        start: &mut Start<'_>,
    ) -> Result<Accepted, RelayError> {
        let mut accepted = Accepted { fresh: 0, dropped: delivery.dropped };
        let mut routed: Vec<Routed> = Vec::new();
        for item in delivery.items {
            match self.route(app, &item) {
                Ok((event, lanes)) => match self.0.parts.slots.reserve() {
                    Ok(slot) => {
                        let order = self.order_of(item.at_ms);
                        let secret = FreshSecret::random(&*self.0.parts.random);
                        routed.push(Routed { item, event, lanes, order, slot, secret });
                    }
                    Err(error) => {
                        self.owe(routed.iter().map(|it| &it.event.conversation).chain([&event.conversation]));
                        self.give_back(routed.iter().map(|it| it.slot));
                        return Err(error.into());
                    }
                },
                Err(code) => accepted.dropped.push(code),
            }
        }
        if routed.is_empty() {
            return Ok(accepted);
        }
        // What takes longest begins first.
        let writing = routed.iter().map(|it| (it.slot, it.secret.to_write())).collect();
        let writing = self.0.parts.slots.begin(writing);
        let held: Vec<_> = routed.iter().map(|it| (it.slot, it.event.conversation.clone())).collect();
        let batch = match self.seal(routed).await {
            Ok(batch) => batch,
            Err(error) => {
                self.owe(held.iter().map(|(_, conversation)| conversation));
                self.give_back(held.iter().map(|(slot, _)| *slot));
                return Err(error);
            }
        };
        let (slots, replies) = self.append(&batch, writing).await?;
        if slots.is_err() {
            self.owe(batch.iter().map(|sealed| &sealed.new.event.conversation));
        }
        self.0.parts.faults.hit("dispatch.before");
        let mut lost = Vec::new();
        for (sealed, reply) in batch.into_iter().zip(replies) {
            match reply {
                Appended::Fresh(places) => {
                    accepted.fresh += 1;
                    self.hand_on(sealed, &places, start);
                }
                Appended::Redelivery if slots.is_ok() && self.take_secretless(&sealed.new.event) => {
                    lost.push(sealed);
                }
                Appended::Redelivery => {
                    accepted.dropped.push(codes::REDELIVERY);
                    self.give_back([sealed.slot]);
                }
            }
        }
        accepted.fresh += self.append_lost(lost, start).await?;
        // The rows are durable and were handed on, so that the platform's redelivery, which is known by now, finds
        // them delivered. But they would not survive a restart: nothing is acknowledged.
        slots.map(|()| accepted)
    }

    /// Begins to write the secrets of events.
    fn write_secrets(&self, batch: &[Sealed]) -> Writing {
        let secrets = batch.iter().map(|sealed| (sealed.slot, sealed.secret.duplicate()));
        self.0.parts.slots.begin(secrets.collect())
    }

    /// Makes rows durable while their secrets are written. The first result is that of the secrets.
    async fn append(
        &self,
        batch: &[Sealed],
        writing: Writing,
    ) -> Result<(Result<(), RelayError>, Vec<Appended>), RelayError> {
        let events = batch.iter().map(|sealed| {
            let payload = SealedPayload { record: sealed.record.as_bytes().to_vec(), slot: sealed.slot };
            NewEvent { payload: Some(payload), ..sealed.new.clone() }
        });
        let events = events.collect();
        let append = self.0.parts.store.commit(Mutation::Append { events, lease: self.lease() });
        let (slots, reply) = tokio::join!(writing.end(), append);
        match reply {
            Ok(Reply::Appended(replies)) => Ok((slots, replies)),
            Ok(_) => Err(StoreError::Closed.into()),
            Err(error) => {
                self.owe(batch.iter().map(|sealed| &sealed.new.event.conversation));
                self.give_back(batch.iter().map(|sealed| sealed.slot));
                Err(error.into())
            }
        }
    }

    /// Events that come again and whose first delivery cannot be opened any more: they count as new.
    async fn append_lost(&self, mut lost: Vec<Sealed>, start: &mut Start<'_>) -> Result<usize, RelayError> {
        if lost.is_empty() {
            return Ok(0);
        }
        for sealed in &mut lost {
            sealed.new.delivery_digest = None;
        }
        let (slots, replies) = self.append(&lost, self.write_secrets(&lost)).await?;
        let count = lost.len();
        for (sealed, reply) in lost.into_iter().zip(replies) {
            if let Appended::Fresh(places) = reply {
                self.hand_on(sealed, &places, start);
            }
        }
        slots.map(|()| count)
    }

    /// Makes an event of our own durable. `false`: one with the same key is known.
    pub(crate) async fn accept_own(
        &self,
        event: EventRow,
        payload: &Content,
        lanes: Vec<LaneId>,
        key: &str,
        key_until_ms: i64,
    ) -> Result<bool, RelayError> {
        let header = header_of(&event);
        let vault = &self.0.parts.vault;
        let secret = FreshSecret::random(&*self.0.parts.random);
        let (record, secret) = vault.keyring().seal_event(&header, payload, secret)?;
        let delivery_digest = Some(vault.digest(&event.org, "delivery", key.as_bytes()).await?);
        let slot = self.0.parts.slots.reserve()?;
        let (now_ms, order) = (self.now_ms(), self.next_order());
        let random = &*self.0.parts.random;
        let legs =
            lanes.into_iter().map(|lane| NewLeg { id: LegId::fresh(now_ms, random), lane, order }).collect();
        let redelivery_until_ms = key_until_ms;
        let new = NewEvent { event, payload: None, legs, delivery_digest, redelivery_until_ms };
        let batch = [Sealed { new, slot, record, secret }];
        let (slots, replies) = self.append(&batch, self.write_secrets(&batch)).await?;
        let (mut fresh, mut start) = (false, Start::new(self));
        for (sealed, reply) in batch.into_iter().zip(replies) {
            if let Appended::Fresh(places) = reply {
                fresh = true;
                self.hand_on(sealed, &places, &mut start);
            } else {
                self.give_back([sealed.slot]);
            }
        }
        slots.map(|()| fresh)
    }

    /// Remembers that the secret of an event never became durable, so that it cannot be opened. It was not
    /// acknowledged, and the platform will send it again.
    pub(crate) fn note_secretless(&self, event: &EventRow) {
        self.0.secretless.lock().unwrap_or_else(PoisonError::into_inner).insert(delivery_of(event));
    }

    fn take_secretless(&self, event: &EventRow) -> bool {
        self.0.secretless.lock().unwrap_or_else(PoisonError::into_inner).remove(&delivery_of(event))
    }

    /// What could not be made durable and is perhaps not sent again is looked for later.
    fn owe<'a>(&self, conversations: impl Iterator<Item = &'a Option<ConversationId>>) {
        let due_ms = self.now_ms() + REFUSED_MS;
        for conversation in conversations.flatten() {
            self.catch_up_soon(conversation.clone(), due_ms);
        }
    }

    fn give_back(&self, slots: impl IntoIterator<Item = SlotId>) {
        self.0.parts.slots.erase(slots.into_iter().collect());
    }

    fn hand_on(&self, sealed: Sealed, places: &[dragoman_store::AppendedLeg], start: &mut Start<'_>) {
        let event = sealed.new.event;
        let ready_ms = event.received_ms.saturating_add(self.reorder_window(&event));
        let live = Arc::new(LiveEvent::new(event, true, Some((sealed.record, sealed.secret))));
        for (new, place) in sealed.new.legs.into_iter().zip(places) {
            let leg = Leg::new(new.id, new.lane, (new.order, place.seq), Arc::clone(&live));
            let leg = Arc::new(leg.ready_at(ready_ms));
            self.tell(&leg, Stage::Accepted, None);
            start.lanes.extend(self.enter(leg, place.fence));
        }
    }

    /// How long the source of an event may take to bring a neighbour that belongs before it, in milliseconds.
    fn reorder_window(&self, event: &EventRow) -> i64 {
        let directory = self.directory();
        let spot = event.conversation.as_ref().and_then(|id| directory.spot(id));
        spot.map_or(0, |spot| i64::try_from(spot.capabilities.reorder_window_ms).unwrap_or(0))
    }

    /// Puts a leg into its lane and starts the lane's task if it has none.
    pub(crate) fn enqueue(&self, leg: Arc<Leg>, fence: Option<i64>) {
        if let Some(lane) = self.enter(leg, fence) {
            self.spawn_lane(lane);
        }
    }

    /// Puts a leg into its lane; the lane if its task has to be started.
    fn enter(&self, leg: Arc<Leg>, fence: Option<i64>) -> Option<LaneId> {
        let lane = leg.lane.clone();
        self.with_lanes(|lanes| lanes.push(leg, fence)).then_some(lane)
    }

    /// The row of an event and where it goes, or why it is not to be kept.
    fn route(&self, app: &App, item: &Item) -> Result<(EventRow, Vec<LaneId>), Code> {
        let directory = self.directory();
        let installation =
            directory.installation(&app.id, &item.workspace).ok_or(codes::UNKNOWN_INSTALLATION)?;
        let now_ms = self.now_ms();
        let spot = item.conversation.as_ref().and_then(|remote| directory.spot_at(installation, remote));
        let oldest_ms = now_ms - self.timing().redelivery_ms;
        let route = spot.and_then(|spot| directory.route_at(&spot.id, item.at_ms, oldest_ms));
        let about_the_gateway = matches!(item.kind, EventKind::Control | EventKind::Conversation);
        let lanes: Vec<LaneId> = match (&item.conversation, route) {
            (None, _) => vec![LaneId::Control(installation.clone())],
            // It is about what was posted there, whoever is still linked with it.
            (Some(_), _) if item.kind == EventKind::Offer => {
                spot.map(|spot| LaneId::Conversation(spot.id.clone())).into_iter().collect()
            }
            (Some(_), Some(_)) if about_the_gateway => vec![LaneId::Control(installation.clone())],
            (Some(_), Some(route)) => {
                route.targets_at(item.at_ms).cloned().map(LaneId::Conversation).collect()
            }
            (Some(_), None) if self.is_for_app(app, installation, item) => {
                vec![LaneId::Control(installation.clone())]
            }
            (Some(_), None) => return Err(codes::UNBRIDGED),
        };
        if lanes.is_empty() {
            return Err(codes::UNBRIDGED);
        }
        let event = EventRow {
            id: EventId::fresh(now_ms, &*self.0.parts.random),
            org: app.org.clone(),
            installation: installation.clone(),
            bridge: route.map(|route| route.bridge.clone()),
            conversation: spot.map(|spot| spot.id.clone()),
            message: item.message.clone(),
            thread_root: item.thread_root.clone(),
            kind: item.kind.as_str().to_owned(),
            feed: item.feed.to_owned(),
            at_ms: item.at_ms,
            received_ms: now_ms,
        };
        Ok((event, lanes))
    }

    async fn seal(&self, batch: Vec<Routed>) -> Result<Vec<Sealed>, RelayError> {
        let (vault, random) = (&self.0.parts.vault, &*self.0.parts.random);
        let mut sealed = Vec::with_capacity(batch.len());
        for Routed { item, event, lanes, order, slot, secret } in batch {
            let (record, secret) = vault.keyring().seal_event(&header_of(&event), &item.payload, secret)?;
            let delivery_digest = match &item.delivery_key {
                Some(key) => Some(vault.digest(&event.org, "delivery", key.as_str().as_bytes()).await?),
                None => None,
            };
            let now_ms = event.received_ms;
            let leg = |lane| NewLeg { id: LegId::fresh(now_ms, random), lane, order };
            let legs = lanes.into_iter().map(leg).collect();
            let redelivery_until_ms = now_ms + self.timing().redelivery_ms;
            let new = NewEvent { event, payload: None, legs, delivery_digest, redelivery_until_ms };
            sealed.push(Sealed { new, slot, record, secret });
        }
        Ok(sealed)
    }
}

/// What tells events of one installation apart when they come again.
fn delivery_of(event: &EventRow) -> Delivered {
    let (conversation, message) = (event.conversation.clone(), event.message.clone());
    (event.installation.clone(), conversation, message, event.kind.clone(), event.at_ms)
}

/// What an event's ciphertext is bound to, from its row.
pub(crate) fn header_of(event: &EventRow) -> EventHeader {
    let lane = event.conversation.as_ref().map_or(event.installation.as_str(), |id| id.as_str());
    EventHeader {
        org: event.org.clone(),
        lane: lane.into(),
        event: event.id.clone(),
        received_at_ms: event.received_ms,
    }
}
