//! Sources of which a message waits, in a lane, for the answer to what may be its original. Pure state.

use std::collections::BTreeMap;

use dragoman_model::ConversationId;

use crate::leg::{Doubt, Leg};

/// Messages of other conversations wait this long, in milliseconds, for one that waits: what people said to each other
/// stays in its order, and a platform that does not answer holds up nobody longer.
const OTHERS_MS: i64 = 5_000;
/// What waits this soon, in milliseconds, after another message of its source did goes on with its waiting.
const SOON_MS: i64 = 1_000;

/// The sources of one lane whose messages wait.
#[derive(Default)]
pub(crate) struct Answers(BTreeMap<Option<ConversationId>, Waiting>);

struct Waiting {
    since_ms: i64,
    look_ms: i64,
    yields: i64,
}

/// How a leg is held.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Held {
    /// Until when others wait for it.
    pub others_until_ms: i64,
    /// When it is looked whether the answer came.
    pub look_ms: i64,
}

impl Answers {
    /// A leg waits until it is looked again whether the answer came, and with it what its source says behind it; but for
    /// what may have been sent before a restart and was appended before `yields`: that is waited for.
    pub(crate) fn wait(&mut self, leg: &Leg, now_ms: i64, look_ms: i64, yields: i64) {
        let waiting = self.0.entry(leg.event.row.conversation.clone());
        let waiting = waiting.or_insert(Waiting { since_ms: now_ms, look_ms, yields: 0 });
        if waiting.look_ms + SOON_MS < now_ms {
            waiting.since_ms = now_ms;
        }
        // Nothing goes before itself.
        (waiting.look_ms, waiting.yields) = (look_ms, yields.min(leg.place.1));
    }

    /// How a leg is held, if it is.
    pub(crate) fn holds(&self, leg: &Leg, now_ms: i64) -> Option<Held> {
        let waiting = self.0.get(&leg.event.row.conversation).filter(|waiting| now_ms < waiting.look_ms)?;
        let awaited = leg.doubt() != Doubt::None && leg.place.1 < waiting.yields;
        let others_until_ms = waiting.since_ms + OTHERS_MS;
        (!awaited).then_some(Held { others_until_ms, look_ms: waiting.look_ms })
    }
}
