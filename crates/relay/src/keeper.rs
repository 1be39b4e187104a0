//! Keeping house: timers of lanes, erasure within a second, payloads that rest too long, leases, subscriptions,
//! epochs, and taking up work after a restart.

use std::collections::BTreeSet;
use std::sync::PoisonError;
use std::time::Duration;

use dragoman_model::{ConversationId, EventId};
use dragoman_store::{Amendment, LaneId, Mutation, Reply, StoreError, WatchColumns};

use crate::core::Relay;
use crate::error::RelayError;

/// Receipts are kept this long, in milliseconds.
const RECEIPTS_MS: i64 = 30 * 24 * 60 * 60 * 1000;
/// Rows touched by one housekeeping write.
const BATCH: u32 = 500;
/// A failed subscription is tried again after this many milliseconds.
const WATCH_RETRY_MS: i64 = 60_000;

impl Relay {
    /// Takes up what was under way and starts keeping house. Returns at once; tasks end with the token.
    pub async fn start(&self) -> Result<(), RelayError> {
        self.recover_lanes().await?;
        self.catch_up_after_restart();
        for (name, task) in [
            ("timers", Task::Timers),
            ("erasure", Task::Erasure),
            ("house", Task::House),
            ("glances", Task::Glances),
        ] {
            let relay = self.clone();
            self.0.parts.tasks.spawn(async move {
                match task {
                    Task::Timers => relay.keep_timers().await,
                    Task::Erasure => relay.keep_erasing().await,
                    Task::House => relay.keep_house().await,
                    Task::Glances => relay.keep_glancing().await,
                }
                tracing::debug!(name, "ended");
            });
        }
        Ok(())
    }

    async fn recover_lanes(&self) -> Result<(), RelayError> {
        let mut after: Option<LaneId> = None;
        let mut started = Vec::new();
        loop {
            let lanes = self.store().lanes(after.as_ref(), BATCH).await?;
            let Some(last) = lanes.last() else { break };
            after = Some(last.id.clone());
            let recovered = lanes.into_iter().map(|lane| lane.id);
            started.extend(recovered.filter(|id| self.with_lanes(|known| known.recover(id))));
        }
        // What may be an echo of something in another lane has to find that lane.
        for id in started {
            self.spawn_lane(id);
        }
        Ok(())
    }

    /// Looks into a lane again, after something was put into it by hand.
    pub fn wake(&self, lane: LaneId) {
        if self.with_lanes(|known| known.look_into(&lane)) {
            self.spawn_lane(lane);
        }
    }

    fn catch_up_after_restart(&self) {
        // However short it was: not every platform sends again what nobody took, and what it does send again would
        // come after what is newer.
        for id in self.directory().bridged() {
            self.catch_up_later(id);
        }
    }

    async fn keep_timers(&self) {
        let stop = self.0.parts.stop.clone();
        loop {
            let now_ms = self.now_ms();
            let (due, next) = self.with_lanes(|lanes| (lanes.due(now_ms), lanes.next_due()));
            for lane in due {
                self.spawn_lane(lane);
            }
            let pause = next.map_or(60_000, |next| (next - now_ms).clamp(1, 60_000));
            let pause = Duration::from_millis(pause.unsigned_abs());
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.0.timer.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    async fn keep_erasing(&self) {
        let stop = self.0.parts.stop.clone();
        loop {
            let stopping = tokio::select! {
                () = stop.cancelled() => true,
                () = tokio::time::sleep(Duration::from_millis(250)) => false,
            };
            if self.0.parts.slots.to_erase() {
                self.0.parts.faults.hit("erase.before");
            }
            if let Err(error) = self.0.parts.slots.sweep().await {
                tracing::error!(code = %error.code(), "message secrets cannot be erased: {error}");
            }
            if stopping {
                return;
            }
        }
    }

    async fn keep_house(&self) {
        let stop = self.0.parts.stop.clone();
        let mut round: u64 = 0;
        while !stop.is_cancelled() {
            if let Err(error) = self.house_round(round).await {
                tracing::warn!(code = %error.code(), "housekeeping failed and is tried again: {error}");
            }
            round += 1;
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(Duration::from_secs(10)) => {}
            }
        }
        // Durable, so that it is told after the restart.
        if let Err(error) = self.tell_digests(true).await {
            tracing::warn!(code = %error.code(), "gathered notices were not kept: {error}");
        }
        if let Err(error) = self.remember_alive().await {
            tracing::debug!("{error}");
        }
    }

    async fn house_round(&self, round: u64) -> Result<(), RelayError> {
        let report = self.vault().keyring().tick().await;
        for (org, error) in report.failed {
            tracing::error!(%org, "no epoch key could be made: {error}");
        }
        if let Some(error) = report.not_destroyed {
            tracing::error!("an epoch key could not be destroyed: {error}");
        }
        let now_ms = self.now_ms();
        self.0.acquaintances.expire(now_ms);
        self.0.nobody.expire(now_ms);
        self.0.told_senders.expire(now_ms);
        self.0.rounds.expire(now_ms);
        self.shred().await?;
        for leg in self.with_lanes(|lanes| lanes.legs()) {
            leg.event.forget_plain();
        }
        self.catch_up_with_owed();
        self.finish_uninstalling().await?;
        self.tell_digests(false).await?;
        let lanes = self.with_lanes(|lanes| lanes.active());
        if !lanes.is_empty() {
            let limit = u32::try_from(lanes.len()).unwrap_or(u32::MAX);
            self.store().commit(Mutation::ClaimLanes { lease: self.lease(), lanes, limit }).await?;
        }
        self.renew_watches();
        self.watch_apps();
        if round.is_multiple_of(3) {
            self.store().checkpoint().await?;
        }
        if round.is_multiple_of(6) {
            self.remember_alive().await?;
            let now_ms = self.now_ms();
            let expire = Mutation::Expire { now_ms, receipts_before_ms: now_ms - RECEIPTS_MS, limit: BATCH };
            self.store().commit(expire).await?;
        }
        Ok(())
    }

    /// Takes the payload from what has rested too long; it goes on by id.
    pub(crate) async fn shred(&self) -> Result<(), RelayError> {
        loop {
            let received_before_ms = self.now_ms() - self.timing().rest_ms;
            let shred = Mutation::Shred { received_before_ms, limit: BATCH };
            let Reply::Shredded(shredded) = self.store().commit(shred).await? else { return Ok(()) };
            if shredded.is_empty() {
                return Ok(());
            }
            let legs = self.with_lanes(|lanes| lanes.legs());
            let events: BTreeSet<&EventId> = shredded.iter().map(|(event, _)| event).collect();
            for leg in legs.iter().filter(|leg| events.contains(&leg.event.row.id)) {
                leg.event.shred();
                leg.event.forget_plain();
            }
            self.0.parts.slots.erase(shredded.into_iter().map(|(_, slot)| slot).collect());
        }
    }

    /// Moves on the mark up to which everything was accepted, for one conversation per installation that
    /// has one: enough to tell after a restart how long the gateway was down.
    async fn remember_alive(&self) -> Result<(), RelayError> {
        for id in self.directory().heads() {
            let (conversation, seen_until_ms) = (id.clone(), self.now_ms());
            self.store().commit(Mutation::SeenUntil { conversation, seen_until_ms }).await?;
        }
        Ok(())
    }

    fn renew_watches(&self) {
        for id in self.directory().watches_due(self.now_ms()) {
            self.watch_later(id.clone());
        }
    }

    /// Sees to a conversation's subscription in the background.
    pub fn watch_later(&self, id: ConversationId) {
        if !self.watching().insert(id.clone()) {
            return;
        }
        let relay = self.clone();
        self.0.parts.tasks.spawn(async move {
            if let Err(error) = relay.watch_now(&id).await {
                tracing::warn!(conversation = %id, "the subscription could not be recorded: {error}");
            }
            relay.watching().remove(&id);
        });
    }

    fn watching(&self) -> std::sync::MutexGuard<'_, BTreeSet<ConversationId>> {
        self.0.watching.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sees to it that events of a conversation arrive. The failure, if the platform has one.
    pub async fn watch_now(
        &self,
        id: &ConversationId,
    ) -> Result<Option<dragoman_platform::Failure>, RelayError> {
        let Some(spot) = self.directory().spot(id).cloned() else { return Ok(None) };
        let current = spot.row.watch_id.as_ref().map(|watch| dragoman_platform::Watch {
            id: watch.clone(),
            renew_at_ms: spot.row.watch_renew_ms,
            expires_at_ms: spot.row.watch_expires_ms,
            facts: dragoman_platform::Facts::new(),
        });
        let place = &spot.place;
        let watched = place.connector.watch(&place.session, &spot.conversation, current.as_ref()).await;
        let mut amendment = Amendment::default();
        let failure = match watched {
            Ok(watch) => {
                let replaced = current.as_ref().is_some_and(|current| current.id != watch.id);
                if replaced {
                    self.catch_up_later(id.clone());
                }
                amendment.watch = Some(WatchColumns {
                    id: Some(watch.id),
                    renew_ms: watch.renew_at_ms,
                    expires_ms: watch.expires_at_ms,
                });
                amendment.facts = watch.facts.into_iter().map(|(key, value)| (key, Some(value))).collect();
                None
            }
            Err(failure) => {
                tracing::warn!(conversation = %id, code = %failure.code(), "events of this conversation are not subscribed to: {failure}");
                amendment.watch = Some(WatchColumns {
                    id: spot.row.watch_id.clone(),
                    renew_ms: Some(self.now_ms() + WATCH_RETRY_MS),
                    expires_ms: spot.row.watch_expires_ms,
                });
                Some(failure)
            }
        };
        let amend = Mutation::Amend { conversation: id.clone(), amendment };
        match self.store().commit(amend).await {
            // Its organisation was removed meanwhile.
            Err(StoreError::Rows { .. }) if self.store().conversation(id).await?.is_none() => {
                return Ok(None);
            }
            amended => amended?,
        };
        self.reload().await?;
        Ok(failure)
    }
}

#[derive(Clone, Copy)]
enum Task {
    Timers,
    Erasure,
    House,
    Glances,
}
