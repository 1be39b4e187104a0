//! A lane's task: takes legs in order and brings each to its end. The decisions are in `admit`, `plan` and
//! `retry`; this is the thin layer that does what they say.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use dragoman_model::{Capabilities, Code, Event, EventKind, Happening, Message, Operation, Outcome, codes};
use dragoman_store::{CopyRow, LaneId, Mutation, OriginalRow, Reply, StoreError};
use futures_util::FutureExt as _;

use crate::activity::Stage;
use crate::admit::{Admission, Known, admit, message_of};
use crate::core::Relay;
use crate::directory::{Route, Spot};
use crate::error::RelayError;
use crate::lanes::Next;
use crate::leg::{Leg, LiveEvent};
use crate::open::Opened;
use crate::plan::{self, Root, Scene, Step};
use crate::retry::Verdict;
use crate::settle::{Ending, Shown};

/// How a leg's turn ended.
enum Turn {
    /// It is settled.
    Settled,
    /// It is tried again, and the lane with it, not before the given time.
    Later(i64, Code),
    /// It waits beside the lane until the given time at the latest.
    Aside(i64),
}

/// The pause after a failure of our own store or keys.
const OWN_FAILURE_MS: i64 = 1_000;
/// Crashes of one leg after which it is given up.
const POISON_ATTEMPTS: u32 = 3;

impl Relay {
    pub(crate) async fn run_lane(self, id: LaneId) {
        loop {
            if self.0.parts.stop.is_cancelled() {
                return;
            }
            let now_ms = self.now_ms();
            let interval_ms = self.interval(&id);
            let next =
                self.with_lanes(|lanes| lanes.next(&id, now_ms, interval_ms, &|leg| self.is_blocked(leg)));
            match next {
                Next::Rest => {
                    self.poke_timer();
                    return;
                }
                Next::Refill => {
                    if let Err(error) = self.refill(&id).await {
                        self.hold(&id, &error);
                    }
                }
                Next::Claim => self.claim(&id).await,
                Next::Run { leg, fence } => self.run_leg(&leg, fence).await,
            }
        }
    }

    async fn run_leg(&self, leg: &Arc<Leg>, fence: i64) {
        // A parser or renderer that panics stops this leg only.
        let turn = AssertUnwindSafe(self.turn(leg, fence)).catch_unwind().await;
        match turn {
            Ok(Ok(Turn::Settled)) => self.with_lanes(|lanes| lanes.settled(leg)),
            Ok(Ok(Turn::Aside(until_ms))) => {
                self.close(leg).await;
                self.with_lanes(|lanes| lanes.aside(leg, until_ms));
            }
            Ok(Ok(Turn::Later(until_ms, code))) => self.defer(leg, fence, until_ms, code).await,
            Ok(Err(RelayError::Store(StoreError::Fenced { .. }))) => {
                tracing::warn!(lane = %leg.lane.to_text(), "another worker took the lane over");
                self.with_lanes(|lanes| lanes.lost(&leg.lane));
            }
            Ok(Err(error @ RelayError::Open(_))) => {
                tracing::error!(leg = %leg.id, code = %error.code(), "a sealed event does not open: {error}");
                self.bury(leg, fence, error.code()).await;
            }
            Ok(Err(error)) => {
                tracing::error!(leg = %leg.id, code = %error.code(), "delivery is held up: {error}");
                let until_ms = self.now_ms() + OWN_FAILURE_MS;
                self.with_lanes(|lanes| lanes.deferred(leg, until_ms));
            }
            Err(_) => {
                let attempts = leg.attempt();
                tracing::error!(leg = %leg.id, code = %codes::POISON, attempts, "a message crashed its conversion");
                if attempts >= POISON_ATTEMPTS {
                    self.bury(leg, fence, codes::POISON).await;
                } else {
                    self.defer(leg, fence, self.now_ms() + OWN_FAILURE_MS, codes::POISON).await;
                }
            }
        }
    }

    async fn turn(&self, leg: &Arc<Leg>, fence: i64) -> Result<Turn, RelayError> {
        let directory = self.directory();
        let row = &leg.event.row;
        let Some(place) = directory.place(&row.installation).cloned() else {
            return self.end(leg, fence, Ending::dropped(codes::UNKNOWN_INSTALLATION)).await;
        };
        let target_id = match &leg.lane {
            LaneId::Conversation(id) => id,
            LaneId::Control(_) => return self.control_turn(leg, fence, &place).await,
        };
        let source = row.conversation.as_ref().and_then(|id| directory.spot(id)).cloned();
        let target = directory.spot(target_id).cloned();
        let (Some(source), Some(target)) = (source, target) else {
            return self.end(leg, fence, Ending::dropped(codes::UNBRIDGED)).await;
        };
        let route = directory.route(&source.id).cloned();
        let Some(route) = route.filter(|route| route.targets.contains(target_id)) else {
            return self.end(leg, fence, Ending::dropped(codes::UNBRIDGED)).await;
        };
        let ahead = self.with_lanes(|lanes| lanes.superseding(leg));
        if ahead.deleted && leg.event.kind() != EventKind::Deleted && leg.parts().is_empty() {
            return self.end(leg, fence, Ending::dropped(codes::SUPERSEDED)).await;
        }
        let mut event = match self.open(leg, &place, Some(&source)).await? {
            Opened::Event(event) => event,
            Opened::Nothing(code) => return self.end(leg, fence, nothing(leg, code)).await,
            Opened::Failed(failure) => return self.judge(leg, fence, &failure.into_outcome()).await,
        };
        if let (Some(newer), EventKind::Created, true) =
            (&ahead.changed, leg.event.kind(), leg.attempts() > 0)
            && let Opened::Event(newer) = self.open(newer, &place, Some(&source)).await?
            && let Happening::Changed { after, .. } = &newer.happening
        {
            // It waited, and was edited meanwhile: the newest text goes out at once.
            event = Arc::new(Event { happening: Happening::Posted(after.clone()), ..(*newer).clone() });
        }
        self.note_echo(&event);
        let known = self.known(leg, &event, &source, &target, &route).await?;
        match admit(&event, &known, directory.policy(&source.org)) {
            Admission::Drop(code) => self.end(leg, fence, Ending::dropped(code)).await,
            Admission::Bury(message) => {
                let ending = Ending {
                    tombstone: Some((source.id.clone(), message)),
                    ..Ending::dropped(codes::UNMAPPED)
                };
                self.end(leg, fence, ending).await
            }
            Admission::Wait => self.aside(leg),
            Admission::Delete(message) => {
                let copies = self.store().copies((&source.id, &message), &target.id).await?;
                let steps = plan::deletions(&target.conversation.remote, &copies);
                let ending = Ending { gone: Some((source.id.clone(), message)), ..Ending::delivered() };
                self.do_steps(leg, fence, &target, steps, ending, None).await
            }
            Admission::Create | Admission::Edit => {
                self.relay_message(leg, fence, &event, &source, &target, &route).await
            }
        }
    }

    async fn relay_message(
        &self,
        leg: &Arc<Leg>,
        fence: i64,
        event: &Event,
        source: &Spot,
        target: &Spot,
        route: &Route,
    ) -> Result<Turn, RelayError> {
        let Some(message) = message_of(event) else {
            return self.end(leg, fence, Ending::dropped(codes::KIND)).await;
        };
        let root = match self.root(leg, message, source, target).await? {
            Found::Root(root) => root,
            Found::Summon(root) => {
                self.summon(leg, &root, source).await?;
                return self.aside(leg);
            }
            Found::Wait => return self.aside(leg),
        };
        let author = self.shown_author(source, message).await?;
        let mentions = self.mentions(source, target, &message.body).await?;
        let connector = &target.place.connector;
        let capabilities = connector.capabilities(&target.place.session.installation, &target.conversation);
        let remote = &target.conversation.remote;
        let scene = Scene {
            message,
            author: &author,
            mentions: &mentions,
            target: remote,
            capabilities: &capabilities,
            root: root.clone(),
        };
        let (post, notes) = plan::compose(&scene);
        let bodies = connector.split(&post);
        let mut existing = self.store().copies((&source.id, &message.id), &target.id).await?;
        let done_before = leg.parts();
        for copy in &done_before {
            existing.retain(|known| known.part != copy.part);
        }
        let mut markers = Vec::with_capacity(bodies.len());
        for part in 0..bodies.len() {
            let part = u32::try_from(part).unwrap_or(u32::MAX);
            markers.push(self.vault().marker(&source.org, leg.id.as_str(), part).await?);
        }
        let mut steps = plan::steps(&post, bodies, &existing, &|part| {
            markers[part as usize % markers.len().max(1)].clone()
        });
        steps.retain(|step| !done_before.iter().any(|copy| copy.part == step.part));
        let canonical = canonical(message);
        let shown = Shown {
            original: OriginalRow {
                bridge: route.bridge.clone(),
                conversation: source.id.clone(),
                message: message.id.clone(),
                thread_root: message.thread_root.clone(),
                sent_ms: message.sent_at_ms,
                active_ms: message.sent_at_ms,
            },
            version: message.version,
            fingerprint: self.vault().fingerprint(&source.org, &canonical),
            copies: existing,
            made: done_before,
        };
        let ending = Ending { notes, ..Ending::delivered() };
        self.do_steps(leg, fence, target, steps, ending, Some(shown)).await
    }

    /// Performs steps in order; each post of several is recorded as soon as it is done.
    async fn do_steps(
        &self,
        leg: &Arc<Leg>,
        fence: i64,
        target: &Spot,
        steps: Vec<Step>,
        mut ending: Ending,
        mut shown: Option<Shown>,
    ) -> Result<Turn, RelayError> {
        let installation = &target.place.session.installation.id;
        let several = steps.len() > 1;
        for step in steps {
            let now_ms = self.now_ms();
            if let Err(until_ms) = self.with_breaker(installation, |breaker| breaker.admit(now_ms)) {
                return Ok(Turn::Later(until_ms, codes::UNREACHABLE));
            }
            let outcome = self.perform(leg, target, &step.operation).await?;
            self.with_breaker(installation, |breaker| breaker.learn(&outcome, now_ms));
            match outcome {
                Outcome::Done(done) => {
                    self.0.parts.faults.hit("settle.before");
                    if let Some(shown) = &mut shown
                        && let Some(copy) = shown.record(&step, &done, &target.id)
                        && several
                    {
                        let lane = leg.lane.clone();
                        let progress =
                            Mutation::Progress { leg: leg.id.clone(), lane, fence, copy: copy.clone() };
                        self.store().commit(progress).await?;
                        leg.add_part(copy);
                    }
                    if let Operation::Delete { message, .. } = &step.operation {
                        ending.removed.push((target.id.clone(), message.clone()));
                    }
                }
                Outcome::MessageGone(code) => match &step.operation {
                    // Whatever was to be changed is no longer there; nothing is left to do for this part.
                    Operation::Delete { message, .. } | Operation::Edit { message, .. } => {
                        ending.removed.push((target.id.clone(), message.clone()));
                        ending.code.get_or_insert(code);
                    }
                    _ => return self.judge(leg, fence, &Outcome::Refused(code)).await,
                },
                other => {
                    if let Outcome::SignIn(code) = &other {
                        self.set_trouble(&target.place, Some(*code)).await?;
                    }
                    return self.judge(leg, fence, &other).await;
                }
            }
        }
        if target.place.trouble.is_some() {
            self.set_trouble(&target.place, None).await?;
        }
        ending.shown = shown;
        self.end(leg, fence, ending).await
    }

    async fn perform(&self, leg: &Leg, target: &Spot, operation: &Operation) -> Result<Outcome, RelayError> {
        let place = &target.place;
        if let Operation::Post(post) = operation
            && leg.uncertain.swap(false, Ordering::Relaxed)
            && let Some(done) = self.look(leg, target, post, false).await?
        {
            return Ok(done);
        }
        self.0.parts.faults.hit("send.before");
        let expected = match operation {
            Operation::Post(post) => Some(self.0.pending.expect(post.marker.clone())),
            _ => None,
        };
        leg.attempt();
        let outcome = place.connector.perform(&place.session, &target.conversation, operation).await;
        self.0.parts.faults.hit("send.unanswered");
        let now_ms = self.now_ms();
        let interval_ms = self.interval(&leg.lane);
        self.with_lanes(|lanes| {
            lanes.sent(&leg.lane, interval_ms, now_ms);
            if matches!(outcome, Outcome::Retry { code: codes::RATE_LIMITED, .. }) {
                lanes.complained(&leg.lane, interval_ms);
            }
        });
        match (operation, outcome) {
            (Operation::Post(post), Outcome::Unknown(code)) => {
                self.unknown(leg, target, post, expected, code).await
            }
            // Doing these twice does no harm.
            (_, Outcome::Unknown(code)) => Ok(Outcome::retry(code)),
            (_, outcome) => Ok(outcome),
        }
    }

    async fn judge(&self, leg: &Arc<Leg>, fence: i64, outcome: &Outcome) -> Result<Turn, RelayError> {
        let ladder = &self.timing().ladder;
        let attempts = leg.attempts().max(1);
        let random = &*self.0.parts.random;
        match ladder.judge(outcome, attempts, leg.event.row.received_ms, self.now_ms(), random) {
            Verdict::Again { at_ms, code } => Ok(Turn::Later(at_ms, code)),
            Verdict::Look(code) => Ok(Turn::Later(self.now_ms(), code)),
            Verdict::Dead(code) => self.end(leg, fence, Ending::dead(code)).await,
        }
    }

    fn aside(&self, leg: &Leg) -> Result<Turn, RelayError> {
        let now_ms = self.now_ms();
        let until_ms = match leg.patience_until_ms.load(Ordering::Relaxed) {
            0 => now_ms + self.timing().patience_ms,
            until_ms => until_ms.max(now_ms + self.timing().patience_ms / 10),
        };
        leg.patience_until_ms.store(until_ms, Ordering::Relaxed);
        Ok(Turn::Aside(until_ms))
    }

    async fn known(
        &self,
        leg: &Leg,
        event: &Event,
        source: &Spot,
        target: &Spot,
        route: &Route,
    ) -> Result<Known, RelayError> {
        let message = match &event.happening {
            Happening::Posted(message) | Happening::Changed { after: message, .. } => &message.id,
            Happening::Deleted { message, .. } => message,
            _ => return Ok(Known::default()),
        };
        let store = self.store();
        let copies = store.copies((&source.id, message), &target.id).await?;
        let first = copies.first();
        let same_text = match (
            first.and_then(|copy| copy.epoch.as_deref().zip(copy.fingerprint.as_deref())),
            message_of(event),
        ) {
            (Some((epoch, digest)), Some(message)) => {
                self.vault().same_fingerprint(&source.org, epoch, digest, &canonical(message))
            }
            _ => None,
        };
        let bridged_since_ms =
            self.directory().bridge(&route.bridge).map_or(0, |bridge| bridge.row.created_ms);
        Ok(Known {
            is_copy: store.original_of_copy(&source.id, message).await?.is_some(),
            shown: first.is_some(),
            shown_version: first.and_then(|copy| copy.version),
            same_text,
            tombstone: store.tombstone(&source.id, message).await?,
            bridged_since_ms,
            patient: self.patient(leg),
        })
    }

    /// Whether a leg that waits for its message should go on waiting.
    fn patient(&self, leg: &Leg) -> bool {
        let until_ms = leg.patience_until_ms.load(Ordering::Relaxed);
        until_ms == 0 || self.now_ms() < until_ms
    }

    async fn root(
        &self,
        leg: &Leg,
        message: &Message,
        source: &Spot,
        target: &Spot,
    ) -> Result<Found, RelayError> {
        let Some(root) = &message.thread_root else { return Ok(Found::Root(Root::None)) };
        let store = self.store();
        if let Some(copy) = store.copies((&source.id, root), &target.id).await?.first() {
            return Ok(Found::Root(Root::At(root_of(copy))));
        }
        if let Some((original, _)) = store.original_of_copy(&source.id, root).await? {
            if original.conversation == target.id {
                return Ok(Found::Root(Root::At(original.thread_root.unwrap_or(original.message))));
            }
            let copies = store.copies((&original.conversation, &original.message), &target.id).await?;
            if let Some(copy) = copies.first() {
                return Ok(Found::Root(Root::At(root_of(copy))));
            }
        }
        if self.patient(leg) {
            return Ok(Found::Wait);
        }
        let gone = store.tombstone(&source.id, root).await?;
        let coming = self.with_lanes(|lanes| lanes.creates(&leg.lane, &(source.id.clone(), root.clone())));
        if gone || coming || leg.attempts() > 0 {
            return Ok(Found::Root(Root::Lost));
        }
        // Counted as an attempt, so that a root that cannot be had is asked for once.
        leg.attempt();
        Ok(Found::Summon(root.clone()))
    }

    fn interval(&self, lane: &LaneId) -> u64 {
        if !self.timing().pace {
            return 0;
        }
        let LaneId::Conversation(id) = lane else { return 0 };
        let directory = self.directory();
        directory.spot(id).map_or(0, |spot| self.capabilities(spot).send_interval_ms)
    }

    pub(crate) fn capabilities(&self, spot: &Spot) -> Capabilities {
        spot.place.connector.capabilities(&spot.place.session.installation, &spot.conversation)
    }

    fn note_echo(&self, event: &Event) {
        if let Some(message) = message_of(event)
            && let Some(marker) = &message.origin.marker
        {
            self.0.pending.echo(marker, &message.id, message.version);
        }
    }

    async fn defer(&self, leg: &Arc<Leg>, fence: i64, until_ms: i64, code: Code) {
        self.close(leg).await;
        let mutation = Mutation::Defer {
            leg: leg.id.clone(),
            lane: leg.lane.clone(),
            fence,
            attempts: leg.attempts(),
            not_before_ms: until_ms,
            code: code.as_str().to_owned(),
        };
        if let Err(error) = self.store().commit(mutation).await {
            tracing::warn!(leg = %leg.id, "a failed attempt could not be recorded: {error}");
        }
        self.tell(leg, Stage::Deferred, Some(code));
        self.with_lanes(|lanes| lanes.deferred(leg, until_ms));
    }

    async fn bury(&self, leg: &Arc<Leg>, fence: i64, code: Code) {
        match self.end(leg, fence, Ending::dead(code)).await {
            Ok(_) => self.with_lanes(|lanes| lanes.settled(leg)),
            Err(error) => {
                tracing::error!(leg = %leg.id, code = %error.code(), "a dead letter could not be recorded: {error}");
                let until_ms = self.now_ms() + OWN_FAILURE_MS;
                self.with_lanes(|lanes| lanes.deferred(leg, until_ms));
            }
        }
    }

    async fn end(&self, leg: &Arc<Leg>, fence: i64, ending: Ending) -> Result<Turn, RelayError> {
        self.settle(leg, fence, ending).await?;
        Ok(Turn::Settled)
    }

    async fn control_turn(
        &self,
        leg: &Arc<Leg>,
        fence: i64,
        place: &Arc<crate::directory::Place>,
    ) -> Result<Turn, RelayError> {
        let event = match self.open(leg, place, None).await? {
            Opened::Event(event) => event,
            Opened::Nothing(code) => return self.end(leg, fence, Ending::dropped(code)).await,
            Opened::Failed(failure) => return self.judge(leg, fence, &failure.into_outcome()).await,
        };
        let code = self.obey(place, &event).await?;
        let ending = code.map_or_else(Ending::delivered, Ending::dropped);
        self.end(leg, fence, ending).await
    }

    async fn refill(&self, id: &LaneId) -> Result<(), RelayError> {
        let limit = self.with_lanes(|lanes| lanes.refill_limit(id));
        let rows = self.store().legs(id, None, limit).await?;
        let more = rows.len() >= limit as usize;
        let legs = rows
            .into_iter()
            .map(|row| {
                let event = Arc::new(LiveEvent::new(row.event, row.has_payload, None));
                Arc::new(
                    Leg::new(row.id, row.lane, (row.order, row.seq), event).restored(row.attempts, row.parts),
                )
            })
            .collect();
        self.with_lanes(|lanes| lanes.refill(id, legs, more));
        Ok(())
    }

    async fn claim(&self, id: &LaneId) {
        let claim = Mutation::ClaimLanes { lease: self.lease(), lanes: vec![id.clone()], limit: 1 };
        let fence = match self.store().commit(claim).await {
            Ok(Reply::Claimed(claimed)) => {
                claimed.into_iter().find(|lane| lane.id == *id).map(|lane| lane.fence)
            }
            Ok(_) => None,
            Err(error) => {
                tracing::warn!(lane = %id.to_text(), "a lane could not be claimed: {error}");
                None
            }
        };
        let retry_at_ms = self.now_ms() + OWN_FAILURE_MS;
        self.with_lanes(|lanes| lanes.claimed(id, fence, retry_at_ms));
    }

    fn hold(&self, id: &LaneId, error: &RelayError) {
        tracing::error!(lane = %id.to_text(), code = %error.code(), "a lane cannot be read: {error}");
        let retry_at_ms = self.now_ms() + OWN_FAILURE_MS;
        self.with_lanes(|lanes| lanes.hold(id, retry_at_ms));
    }
}

/// Where the root of a reply was found.
enum Found {
    Root(Root),
    /// It has to be relayed first.
    Summon(dragoman_model::RemoteMessage),
    Wait,
}

fn root_of(copy: &CopyRow) -> dragoman_model::RemoteMessage {
    copy.thread_root.clone().unwrap_or_else(|| copy.message.clone())
}

/// What fingerprints are made of: the text and the files.
pub(crate) fn canonical(message: &Message) -> Vec<u8> {
    let mut bytes = dragoman_markup::canonical(&message.body);
    for file in &message.files {
        bytes.push(0);
        bytes.extend_from_slice(file.id.as_bytes());
    }
    bytes
}

fn nothing(leg: &Leg, code: Code) -> Ending {
    let expected = matches!(code, codes::DELETED_MEANWHILE | codes::KIND);
    let readable = matches!(leg.event.kind(), EventKind::Created | EventKind::Changed);
    if expected || !readable { Ending::dropped(code) } else { Ending::dead(code) }
}
