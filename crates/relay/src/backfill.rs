//! What was said before a member came to its bridge, by choice: its last messages are relayed before anything else, oldest
//! first, each with its time. From then on they are messages like all others; what is missing of them is found by catching
//! up, after a restart as well.

use std::time::Duration;

use dragoman_model::{AuthorKind, Block, ConversationId, Document, EventKind, Inline};
use dragoman_platform::{Conversation, Failure, HistoryPage, HistoryQuery};
use dragoman_store::EventRow;

use crate::catchup::{CatchingUp, is_ours};
use crate::core::Relay;
use crate::directory::{Place, Route, Spot};

/// The most messages of one conversation that can be asked for.
pub const MOST_BACKFILLED: u32 = 500;
/// The feed of messages from before a bridge; no connector has it.
const BACKFILL: &str = "backfill";
/// The feed of other events that are read from their source when their turn comes.
const REREAD: &str = "reread";

/// How far back is looked, in milliseconds, as long as that is not enough.
const WINDOWS_MS: [i64; 6] =
    [HOUR_MS, 8 * HOUR_MS, 48 * HOUR_MS, 10 * 24 * HOUR_MS, 60 * 24 * HOUR_MS, 365 * 24 * HOUR_MS];
const HOUR_MS: i64 = 60 * 60 * 1000;
/// Pages of one look; a window that has more is too large.
const MOST_PAGES: u32 = 100;
/// Attempts at one page.
const ATTEMPTS: u32 = 5;
/// The longest pause that is waited for, in milliseconds: somebody is looking on.
const PAUSE_MS: u64 = 15_000;

/// Conversations whose live events wait until what was said in them before is on its way. Dropped, it has that listed:
/// whatever came of linking them, nobody waits for ever, and what somebody else asked for meanwhile is done.
pub struct Held {
    relay: Relay,
    conversations: Vec<ConversationId>,
    /// Those that somebody else makes wait already.
    others: Vec<ConversationId>,
}

impl Drop for Held {
    fn drop(&mut self) {
        for conversation in std::mem::take(&mut self.conversations) {
            self.relay.catch_up_now(conversation);
        }
        for conversation in std::mem::take(&mut self.others) {
            self.relay.catch_up_later(conversation);
        }
    }
}

/// Whether an event brings a message from before its bridge.
pub(crate) fn is_backfill(event: &EventRow) -> bool {
    event.feed == BACKFILL
}

/// When a message was sent whose event has this place. What is missing stands right before what was accepted in the same
/// moment.
fn sent_of(order: i64) -> i64 {
    order.saturating_add(1).div_euclid(1000)
}

/// Where an author writes, and when that was.
pub(crate) fn dated(via: &str, sent_ms: i64) -> String {
    let date = Inline::Date { seconds: sent_ms.div_euclid(1000), fallback: String::new() };
    let date = dragoman_markup::plain(&Document { blocks: vec![Block::Paragraph(vec![date])] });
    format!("{via}, {}", date.trim())
}

/// The time of the oldest of the last `count`, of times from new to old.
fn oldest_of(times: &[i64], count: usize) -> Option<i64> {
    times.get(count.min(times.len()).checked_sub(1)?).copied()
}

/// The times of a conversation's messages since one, newest first. `None`: there are too many.
type Times = Option<Vec<i64>>;

impl Relay {
    /// When the oldest of the last `count` messages of a conversation was sent, milliseconds since 1970; fewer where there
    /// are not as many within a year. What was sent in the same millisecond belongs to it. `None`: there is none.
    pub async fn last_messages_since(
        &self,
        place: &Place,
        conversation: &Conversation,
        count: u32,
    ) -> Result<Option<i64>, Failure> {
        let count = usize::try_from(count.min(MOST_BACKFILLED)).unwrap_or(0);
        let now_ms = self.now_ms();
        let mut known = Vec::new();
        for window_ms in WINDOWS_MS {
            let Some(times) = self.times_since(place, conversation, now_ms - window_ms).await? else { break };
            known = times;
            if known.len() >= count {
                break;
            }
        }
        Ok(oldest_of(&known, count))
    }

    async fn times_since(
        &self,
        place: &Place,
        conversation: &Conversation,
        since_ms: i64,
    ) -> Result<Times, Failure> {
        let mut query = HistoryQuery { since_ms, ..HistoryQuery::default() };
        let mut times = Vec::new();
        for _ in 0..MOST_PAGES {
            let page = self.page(place, conversation, &query).await?;
            let theirs = page.messages.iter().filter(|message| {
                !is_ours(message)
                    && message.author.kind != AuthorKind::System
                    && message.sent_at_ms >= since_ms
            });
            times.extend(theirs.map(|message| message.sent_at_ms));
            let Some(cursor) = page.next else {
                times.sort_unstable_by(|a, b| b.cmp(a));
                return Ok(Some(times));
            };
            query.cursor = Some(cursor);
        }
        Ok(None)
    }

    async fn page(
        &self,
        place: &Place,
        conversation: &Conversation,
        query: &HistoryQuery,
    ) -> Result<HistoryPage, Failure> {
        let mut attempts = 0;
        loop {
            match place.connector.history(&place.session, conversation, query).await {
                Err(Failure::Retry { after_ms, code, .. })
                    if attempts < ATTEMPTS && after_ms.is_none_or(|after_ms| after_ms <= PAUSE_MS) =>
                {
                    attempts += 1;
                    let pause =
                        after_ms.unwrap_or_else(|| self.timing().ladder.pause(attempts, &**self.random()));
                    tokio::select! {
                        () = self.0.parts.stop.cancelled() => return Err(Failure::Retry { after_ms, code }),
                        () = tokio::time::sleep(Duration::from_millis(pause.min(PAUSE_MS))) => {}
                    }
                }
                other => return other,
            }
        }
    }

    /// Makes the live events of conversations wait, before they are linked.
    pub fn hold_back(&self, conversations: &[ConversationId]) -> Held {
        let now_ms = self.now_ms();
        let mut held = Held { relay: self.clone(), conversations: Vec::new(), others: Vec::new() };
        let mut catching_up = self.catching_up();
        for conversation in conversations {
            if catching_up.contains_key(conversation) {
                held.others.push(conversation.clone());
            } else {
                catching_up.insert(conversation.clone(), CatchingUp::from(now_ms));
                held.conversations.push(conversation.clone());
            }
        }
        drop(catching_up);
        held
    }

    /// The feed of an event without payload.
    pub(crate) fn feed_of(&self, spot: &Spot, route: &Route, kind: EventKind, order: i64) -> &'static str {
        let directory = self.directory();
        let before = kind == EventKind::Created
            && directory
                .bridge(&route.bridge)
                .is_some_and(|bridge| bridge.row.is_backfilled(&spot.id, sent_of(order)));
        if before { BACKFILL } else { REREAD }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_of_the_last_is_found_however_many_there_are() {
        assert_eq!(oldest_of(&[], 3), None);
        assert_eq!(oldest_of(&[9, 7, 5], 2), Some(7));
        assert_eq!(oldest_of(&[9, 7, 5], 50), Some(5));
        assert_eq!(oldest_of(&[9], 0), None);
    }

    #[test]
    fn the_oldest_message_is_one_of_them() {
        // As catching up places what is missing, and as live events stand.
        assert_eq!((sent_of(5_000_000 - 1), sent_of(5_000_000)), (5_000, 5_000));
        assert_eq!(sent_of(5_000_000 - 2), 4_999);
    }

    #[test]
    fn what_was_said_before_is_shown_with_its_time() {
        assert_eq!(dated("Fax", 1_767_326_118_953), "Fax, 2026-01-02 03:55 UTC");
    }
}
