//! The relay: what its parts share.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicI64, AtomicU64};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use dragoman_model::{Clock, ConversationId, InstallationId, Random, RemoteUser};
use dragoman_platform::Connector;
use dragoman_seal::Spool;
use dragoman_store::{Faults, LaneId, Lease, Store};
use tokio::sync::{Notify, Semaphore, broadcast};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::acquaintances::Acquaintances;
use crate::activity::{Activity, Stage};
use crate::catchup::CatchingUp;
use crate::directory::Directory;
use crate::error::RelayError;
use crate::glance::Glances;
use crate::intake::Delivered;
use crate::lanes::Lanes;
use crate::leg::Leg;
use crate::notices::Digests;
use crate::own_names::ConsentLinks;
use crate::pending::Pending;
use crate::people::Nobody;
use crate::reaction_debts::Debts;
use crate::retry::{Breaker, Ladder};
use crate::rounds::Rounds;
use crate::sender::ToldSenders;
use crate::slots::Slots;
use crate::vault::Vault;

/// How much a source's clock may be ahead of ours, in milliseconds.
const SKEW_MS: i64 = 60_000;
/// Conversations that catch up at the same time; the others wait, so that platforms are not flooded.
const READING: usize = 4;

/// Pictures of people, as links that a platform may fetch without any token.
pub trait AvatarLinks: Send + Sync {
    /// A signed, expiring link to a person's picture.
    fn link(&self, installation: &InstallationId, user: &RemoteUser, now_ms: i64) -> Option<String>;
}

/// Times that tests shorten; in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// The retry ladder.
    pub ladder: Ladder,
    /// How long an edit or reply waits beside the lane for its message to be mapped, before it is fetched.
    pub patience_ms: i64,
    /// How long a send of unknown outcome waits for its own echo.
    pub echo_wait_ms: u64,
    /// The pause between two looks for a send of unknown outcome.
    pub look_pause_ms: u64,
    /// How long after a start a platform may still act on what the process before had sent.
    pub crash_patience_ms: i64,
    /// How long a payload may rest.
    pub rest_ms: i64,
    /// How long redeliveries are recognised. Delayed events come for 24 hours.
    pub redelivery_ms: i64,
    /// How long a lane is leased.
    pub lease_ms: i64,
    /// The pause between two looks for edits where a platform does not announce them.
    pub glance_ms: i64,
    /// How long notices are gathered where a bridge wants them so.
    pub digest_ms: i64,
    /// After how long a message is late, so that its sender is told.
    pub late_ms: i64,
    /// How long a sender's conversation is not told the same again.
    pub told_ms: i64,
    /// How long a note of reactions gathers changes.
    pub gather_ms: i64,
    /// Whether sends are spaced as the platforms like it.
    pub pace: bool,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            ladder: Ladder::default(),
            patience_ms: 3_000,
            echo_wait_ms: 2_000,
            look_pause_ms: 5_000,
            // As long as an answer is waited for.
            crash_patience_ms: 30_000,
            rest_ms: 15 * 60 * 1000,
            redelivery_ms: 25 * 60 * 60 * 1000,
            lease_ms: 60_000,
            glance_ms: 10_000,
            digest_ms: 60 * 60 * 1000,
            late_ms: 60_000,
            told_ms: 60 * 60 * 1000,
            gather_ms: 30_000,
            pace: true,
        }
    }
}

/// What the relay is built from.
pub struct Parts {
    /// The database.
    pub store: Arc<dyn Store>,
    /// Keys.
    pub vault: Arc<Vault>,
    /// Message secrets.
    pub slots: Slots,
    /// Connectors by platform name.
    pub connectors: BTreeMap<&'static str, Arc<dyn Connector>>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// Pictures.
    pub avatars: Option<Arc<dyn AvatarLinks>>,
    /// Where files rest whose length a target wants to know first; `None`: such files become lines.
    pub spool: Option<Arc<Spool>>,
    /// Times.
    pub timing: Timing,
    /// Names this process among the owners of lanes.
    pub owner: String,
    /// Named points at which tests let the process die.
    pub faults: Faults,
    /// What shutdown waits for.
    pub tasks: TaskTracker,
    /// What shutdown cancels.
    pub stop: CancellationToken,
}

/// The relay. Cheap to clone.
#[derive(Clone)]
pub struct Relay(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) parts: Parts,
    /// On the clock that never goes backwards.
    pub(crate) started_ms: i64,
    pub(crate) directory: ArcSwap<Directory>,
    pub(crate) lanes: Mutex<Lanes>,
    pub(crate) breakers: Mutex<BTreeMap<InstallationId, Breaker>>,
    /// Conversations that catch up.
    pub(crate) catching_up: Mutex<BTreeMap<ConversationId, CatchingUp>>,
    /// Conversations to catch up with later, and when: we refused events of theirs, or could not read them.
    pub(crate) owed: Mutex<BTreeMap<ConversationId, i64>>,
    /// Reactions to messages that a target does not show yet.
    pub(crate) debts: Debts,
    /// Events whose secret is missing since a crash: when they come again, they count.
    pub(crate) secretless: Mutex<BTreeSet<Delivered>>,
    /// Conversations whose subscription is being seen to.
    pub(crate) watching: Mutex<BTreeSet<ConversationId>>,
    /// How many conversations are read at the same time.
    pub(crate) reading: Semaphore,
    /// Conversations whose edits are not announced and that people wrote in lately.
    pub(crate) glances: Mutex<Glances>,
    /// Something of these changed.
    pub(crate) glancing: Notify,
    /// How many of them are looked at at the same time.
    pub(crate) looking: Semaphore,
    pub(crate) pending: Pending,
    pub(crate) rounds: Rounds,
    pub(crate) acquaintances: Acquaintances,
    pub(crate) nobody: Nobody,
    pub(crate) digests: Digests,
    pub(crate) told_senders: ToldSenders,
    /// Where links come from at which people let the gateway speak in their name.
    pub(crate) consents: OnceLock<Weak<dyn ConsentLinks>>,
    /// Direct conversations that people ask for.
    pub(crate) direct: crate::direct::Desk,
    /// Held while what is kept of an installation is read and changed.
    pub(crate) changing: tokio::sync::Mutex<()>,
    pub(crate) last_order: AtomicI64,
    pub(crate) timer: Notify,
    pub(crate) activity: broadcast::Sender<Activity>,
    /// How many were asked to be read again, and as of which of them that was done.
    pub(crate) reloads_wanted: AtomicU64,
    pub(crate) reloading: tokio::sync::Mutex<u64>,
}

impl Relay {
    /// Loads the directory, erases slots that no row names, and takes up what was under way. Deliveries
    /// start with [`Relay::start`].
    pub async fn new(parts: Parts) -> Result<Self, RelayError> {
        let named = parts.store.named_slots().await?;
        parts.slots.erase_unnamed(named)?;
        let directory = Directory::load(&parts.store, &parts.vault, &parts.connectors, None).await?;
        let (activity, _) = broadcast::channel(1024);
        let started_ms = parts.clock.monotonic_ms();
        Ok(Self(Arc::new(Inner {
            parts,
            started_ms,
            directory: ArcSwap::from_pointee(directory),
            lanes: Mutex::default(),
            breakers: Mutex::default(),
            catching_up: Mutex::default(),
            owed: Mutex::default(),
            debts: Debts::default(),
            secretless: Mutex::default(),
            watching: Mutex::default(),
            reading: Semaphore::new(READING),
            glances: Mutex::default(),
            glancing: Notify::new(),
            looking: Semaphore::new(READING),
            pending: Pending::default(),
            rounds: Rounds::default(),
            acquaintances: Acquaintances::default(),
            nobody: Nobody::default(),
            digests: Digests::default(),
            told_senders: ToldSenders::default(),
            consents: OnceLock::new(),
            direct: crate::direct::Desk::default(),
            changing: tokio::sync::Mutex::new(()),
            last_order: AtomicI64::new(0),
            timer: Notify::new(),
            activity,
            reloads_wanted: AtomicU64::new(0),
            reloading: tokio::sync::Mutex::new(0),
        })))
    }

    /// Who is connected to whom.
    pub fn directory(&self) -> Arc<Directory> {
        self.0.directory.load_full()
    }

    /// Reads the directory again after an operator or a platform changed something.
    pub async fn reload(&self) -> Result<(), RelayError> {
        use std::sync::atomic::Ordering::SeqCst;
        let ticket = self.0.reloads_wanted.fetch_add(1, SeqCst) + 1;
        let mut done = self.0.reloading.lock().await;
        if *done >= ticket {
            // Somebody who waited as well has read what this one is about.
            return Ok(());
        }
        let wanted = self.0.reloads_wanted.load(SeqCst);
        let parts = &self.0.parts;
        let directory =
            Directory::load(&parts.store, &parts.vault, &parts.connectors, Some(&self.directory())).await?;
        self.0.directory.store(Arc::new(directory));
        self.0.acquaintances.forget_all();
        *done = wanted;
        Ok(())
    }

    /// What is happening, without content. A slow reader misses entries.
    pub fn activity(&self) -> broadcast::Receiver<Activity> {
        self.0.activity.subscribe()
    }

    /// The database.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.0.parts.store
    }

    /// Keys.
    pub fn vault(&self) -> &Arc<Vault> {
        &self.0.parts.vault
    }

    /// Connectors by platform name.
    pub fn connectors(&self) -> &BTreeMap<&'static str, Arc<dyn Connector>> {
        &self.0.parts.connectors
    }

    /// Time.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.0.parts.clock
    }

    /// Randomness.
    pub fn random(&self) -> &Arc<dyn Random> {
        &self.0.parts.random
    }

    /// Named points at which tests let the process die.
    pub fn faults(&self) -> &Faults {
        &self.0.parts.faults
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.0.parts.clock.now_ms()
    }

    pub(crate) fn timing(&self) -> &Timing {
        &self.0.parts.timing
    }

    pub(crate) fn lease(&self) -> Lease {
        let now_ms = self.now_ms();
        Lease { owner: self.0.parts.owner.clone(), now_ms, until_ms: now_ms + self.timing().lease_ms }
    }

    pub(crate) fn with_lanes<T>(&self, act: impl FnOnce(&mut Lanes) -> T) -> T {
        act(&mut self.0.lanes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn with_breaker<T>(
        &self,
        installation: &InstallationId,
        act: impl FnOnce(&mut Breaker) -> T,
    ) -> T {
        let mut breakers = self.0.breakers.lock().unwrap_or_else(PoisonError::into_inner);
        act(breakers.entry(installation.clone()).or_default())
    }

    /// Whether the source of a leg is catching up, so that its live events wait behind older ones; and until when those
    /// of other sources wait for it.
    pub(crate) fn waits_for_source(&self, leg: &Leg) -> Option<i64> {
        let catching_up = self.0.catching_up.lock().unwrap_or_else(PoisonError::into_inner);
        if catching_up.is_empty() {
            return None;
        }
        let id = leg.event.row.conversation.as_ref()?;
        catching_up.get(id).map(|state| state.others_until_ms)
    }

    /// A place in the lanes for an event accepted now: never before one given earlier.
    pub(crate) fn next_order(&self) -> i64 {
        use std::sync::atomic::Ordering::Relaxed;
        let now = self.now_ms().saturating_mul(1000);
        self.0
            .last_order
            .fetch_update(Relaxed, Relaxed, |last| Some(now.max(last + 1)))
            .map_or(now, |last| now.max(last + 1))
    }

    /// A place in the lanes by the source's time, as catching up gives it too: what is delivered late, again or by
    /// another feed stands where it belongs. Where the source tells no likely time, ours is taken.
    pub(crate) fn order_of(&self, at_ms: i64) -> i64 {
        let accepted = self.next_order();
        let at = at_ms.saturating_mul(1000);
        if at > 0 && at < accepted.saturating_add(SKEW_MS * 1000) { at } else { accepted }
    }

    pub(crate) fn tell(&self, leg: &Leg, stage: Stage, code: Option<dragoman_model::Code>) {
        let to = match &leg.lane {
            LaneId::Conversation(id) => Some(id.clone()),
            LaneId::Control(_) => None,
        };
        let now_ms = self.now_ms();
        // Nobody listening is no failure.
        let _ = self.0.activity.send(Activity {
            at_ms: now_ms,
            stage,
            from: leg.event.row.conversation.clone(),
            to,
            kind: leg.event.row.kind.clone(),
            code,
            took_ms: now_ms - leg.event.row.received_ms,
        });
    }

    /// Does something at a platform in a task of its own, whether anybody goes on waiting for it or not: cut off in the
    /// middle, a refresh loses its new token. `None`: it panicked.
    pub(crate) async fn apart<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        self.0.parts.tasks.spawn(work).await.ok()
    }

    /// Waits so long for something at a platform, and lets it go on then. `None`: it takes longer, or it panicked.
    pub(crate) async fn within<T: Send + 'static>(
        &self,
        wait: Duration,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        tokio::time::timeout(wait, self.apart(work)).await.ok()?
    }

    /// Starts the task of a lane that [`Lanes`] said to start.
    pub(crate) fn spawn_lane(&self, id: LaneId) {
        let relay = self.clone();
        self.0.parts.tasks.spawn(async move { relay.keep_lane(id).await });
    }

    /// Tells the timer task that an earlier timer may have been set.
    pub(crate) fn poke_timer(&self) {
        self.0.timer.notify_one();
    }
}
