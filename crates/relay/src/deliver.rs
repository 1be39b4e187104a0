//! A lane's task: takes legs in order and brings each to its end. What a leg's turn consists of is in `turn`.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use dragoman_model::{Code, codes};
use dragoman_store::{LaneId, Mutation, Reply, StoreError};
use futures_util::FutureExt as _;

use crate::activity::Stage;
use crate::core::Relay;
use crate::error::RelayError;
use crate::lanes::Next;
use crate::leg::{Leg, LiveEvent};
use crate::settle::Ending;
use crate::turn::Turn;

/// The pause after a failure of our own store or keys.
const OWN_FAILURE_MS: i64 = 1_000;
/// Crashes of one leg, or refusals of our own store to take what became of it, after which it is given up.
const POISON_FAILURES: u32 = 3;

impl Relay {
    /// Runs a lane until it rests. A task that dies is started again after a while.
    pub(crate) async fn keep_lane(self, id: LaneId) {
        if AssertUnwindSafe(self.run_lane(&id)).catch_unwind().await.is_err() {
            tracing::error!(lane = %id.to_text(), code = %codes::POISON, "a lane's task crashed and is started again");
            let until_ms = self.now_ms() + OWN_FAILURE_MS;
            self.with_lanes(|lanes| lanes.stumbled(&id, until_ms));
            self.poke_timer();
        }
    }

    async fn run_lane(&self, id: &LaneId) {
        while !self.0.parts.stop.is_cancelled() {
            let now_ms = self.now_ms();
            let interval_ms = self.interval(id);
            let next = self
                .with_lanes(|lanes| lanes.next(id, now_ms, interval_ms, &|leg| self.waits_for_source(leg)));
            match next {
                Next::Rest => {
                    self.poke_timer();
                    return;
                }
                Next::Refill => {
                    if let Err(error) = self.refill(id).await {
                        self.hold(id, &error);
                    }
                }
                Next::Claim => self.claim(id).await,
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
            Ok(Ok(Turn::Await { look_ms, yields })) => {
                self.close(leg).await;
                let now_ms = self.now_ms();
                self.with_lanes(|lanes| lanes.awaits(leg, now_ms, look_ms, yields));
            }
            Ok(Ok(Turn::Hold(until_ms))) => {
                self.close(leg).await;
                self.with_lanes(|lanes| lanes.deferred(leg, until_ms));
            }
            Ok(Err(error)) => self.mishap(leg, fence, &error).await,
            Err(_) => {
                let failures = leg.failed();
                tracing::error!(leg = %leg.id, code = %codes::POISON, failures, "a message crashed its conversion");
                if failures >= POISON_FAILURES {
                    self.bury(leg, fence, codes::POISON).await;
                } else {
                    self.defer(leg, fence, self.now_ms() + OWN_FAILURE_MS, codes::POISON).await;
                }
            }
        }
    }

    /// Our own parts failed. What is about this leg alone ends it, everything else holds the lane.
    async fn mishap(&self, leg: &Arc<Leg>, fence: i64, error: &RelayError) {
        self.close(leg).await;
        match error {
            RelayError::Store(StoreError::Fenced { .. }) => self.lost(leg),
            RelayError::Stopping => self.with_lanes(|lanes| lanes.deferred(leg, self.now_ms())),
            RelayError::Open(_) => {
                tracing::error!(leg = %leg.id, code = %error.code(), "a sealed event does not open: {error}");
                self.bury(leg, fence, error.code()).await;
            }
            RelayError::Store(StoreError::Rows { .. } | StoreError::Exists { .. })
                if leg.failed() >= POISON_FAILURES =>
            {
                tracing::error!(leg = %leg.id, code = %error.code(), "a delivery cannot be recorded: {error}");
                self.bury(leg, fence, error.code()).await;
            }
            _ => {
                tracing::error!(leg = %leg.id, code = %error.code(), "delivery is held up: {error}");
                let until_ms = self.now_ms() + OWN_FAILURE_MS;
                self.with_lanes(|lanes| lanes.deferred(leg, until_ms));
            }
        }
    }

    fn lost(&self, leg: &Leg) {
        tracing::warn!(lane = %leg.lane.to_text(), "another worker took the lane over");
        let until_ms = self.now_ms() + self.timing().lease_ms;
        self.with_lanes(|lanes| lanes.lost(&leg.lane, until_ms));
    }

    async fn defer(&self, leg: &Arc<Leg>, fence: i64, until_ms: i64, code: Code) {
        self.close(leg).await;
        let mutation = Mutation::Defer {
            leg: leg.id.clone(),
            lane: leg.lane.clone(),
            fence,
            attempts: leg.failures(),
            not_before_ms: until_ms,
            code: code.as_str().to_owned(),
        };
        match self.store().commit(mutation).await {
            Err(StoreError::Fenced { .. }) => return self.lost(leg),
            Err(error) => {
                tracing::warn!(leg = %leg.id, "a failed attempt could not be recorded: {error}");
            }
            Ok(_) => {}
        }
        self.tell(leg, Stage::Deferred, Some(code));
        self.with_lanes(|lanes| lanes.deferred(leg, until_ms));
    }

    async fn bury(&self, leg: &Arc<Leg>, fence: i64, code: Code) {
        match self.settle(leg, fence, Ending::dead(code)).await {
            Ok(()) => self.with_lanes(|lanes| lanes.settled(leg)),
            Err(RelayError::Store(StoreError::Fenced { .. })) => self.lost(leg),
            Err(error) => {
                tracing::error!(leg = %leg.id, code = %error.code(), "a dead letter could not be recorded: {error}");
                let until_ms = self.now_ms() + OWN_FAILURE_MS;
                self.with_lanes(|lanes| lanes.deferred(leg, until_ms));
            }
        }
    }

    async fn refill(&self, id: &LaneId) -> Result<(), RelayError> {
        let limit = self.with_lanes(|lanes| lanes.refill_limit(id));
        let rows = self.store().legs(id, None, limit).await?;
        let more = rows.len() >= limit as usize;
        // A clock that was set back does not put new legs before these.
        if let Some(last) = rows.last() {
            self.0.last_order.fetch_max(last.order, std::sync::atomic::Ordering::Relaxed);
        }
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
