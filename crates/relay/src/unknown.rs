//! A send whose outcome nobody knows: wait for its echo, look for it, and send again only when it is provably
//! absent.

use std::sync::atomic::Ordering;
use std::time::Duration;

use dragoman_model::{Code, Outcome, Post, codes};
use dragoman_platform::Failure;

use crate::core::Relay;
use crate::directory::Spot;
use crate::error::RelayError;
use crate::leg::{Doubt, Leg};
use crate::pending::Expected;

/// How much earlier than our clock the target's may stamp a message, in milliseconds.
const SKEW_MS: i64 = 120_000;

impl Relay {
    /// Decides after a lost answer.
    pub(crate) async fn unknown(
        &self,
        leg: &Leg,
        target: &Spot,
        post: &Post,
        expected: Option<Expected<'_>>,
        code: Code,
    ) -> Result<Outcome, RelayError> {
        let wait = Duration::from_millis(self.timing().echo_wait_ms);
        if let Some(mut expected) = expected
            && let Ok(Some((message, version))) = tokio::time::timeout(wait, expected.wait()).await
        {
            return Ok(Outcome::made(message, version));
        }
        match self.look(leg, target, post, Doubt::Grave, true).await? {
            Some(found) => Ok(found),
            // Provably absent: the ladder sends it again.
            None => Ok(Outcome::retry(code)),
        }
    }

    /// Looks for a copy of a post among the newest messages at the target. `None`: it is not there. `twice`:
    /// look again after a pause before saying so.
    pub(crate) async fn look(
        &self,
        leg: &Leg,
        target: &Spot,
        post: &Post,
        doubt: Doubt,
        twice: bool,
    ) -> Result<Option<Outcome>, RelayError> {
        if !target.capabilities.read_back {
            return Ok(self.by_policy(leg, target, doubt));
        }
        let place = &target.place;
        let since_ms = leg.event.row.received_ms.min(self.now_ms()) - SKEW_MS;
        for again in [twice, false] {
            match place.connector.find(&place.session, &target.conversation, post, since_ms).await {
                Ok(candidates) => {
                    for candidate in candidates {
                        let mapped =
                            self.store().original_of_copy(&target.id, &candidate.message).await?.is_some();
                        let part_of_this = leg.parts().iter().any(|copy| copy.message == candidate.message);
                        if !mapped && !part_of_this {
                            return Ok(Some(Outcome::made(candidate.message, candidate.version)));
                        }
                    }
                }
                Err(Failure::Refused(_) | Failure::Malformed(_)) => {
                    return Ok(self.by_policy(leg, target, doubt));
                }
                Err(failure) => {
                    // Nothing can be said now: the lane waits, and the doubt stays.
                    leg.set_doubt(doubt);
                    return Ok(Some(failure.into_outcome()));
                }
            }
            if !again {
                break;
            }
            tokio::time::sleep(Duration::from_millis(self.timing().look_pause_ms)).await;
        }
        Ok(None)
    }

    /// Where nothing can be looked for, the organisation decided beforehand.
    fn by_policy(&self, leg: &Leg, target: &Spot, doubt: Doubt) -> Option<Outcome> {
        if doubt != Doubt::Grave {
            return None;
        }
        if self.directory().policy(&target.org).prefer_duplicate {
            tracing::warn!(leg = %leg.id, code = %codes::MAYBE_TWICE, "a send of unknown outcome is repeated");
            leg.repeated.store(true, Ordering::Relaxed);
            None
        } else {
            tracing::warn!(leg = %leg.id, code = %codes::MAYBE_LOST, "a send of unknown outcome is not repeated");
            Some(Outcome::Refused(codes::MAYBE_LOST))
        }
    }
}
