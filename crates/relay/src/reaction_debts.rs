//! Reactions to messages that a target does not show yet: what was told of them is dropped after a while, since most of
//! them are to messages from before a bridge. Where the message does come, its reactions are read again. Kept in memory:
//! catching up after a restart reads all of them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use dragoman_model::{ConversationId, EventKind, RemoteMessage};
use dragoman_store::{LaneId, OriginalRow};

use crate::core::Relay;
use crate::error::RelayError;
use crate::leg::Leg;

/// Reactions that are remembered at most.
const MOST: usize = 10_000;

/// A reaction that was dropped.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Debt {
    /// Whose target did not show the message.
    pub(crate) lane: LaneId,
    /// Where people reacted.
    pub(crate) at: ConversationId,
    /// To what, as it is called there.
    pub(crate) message: RemoteMessage,
    /// In which thread that stands.
    pub(crate) thread_root: Option<RemoteMessage>,
}

/// What is owed for messages, and since when, in milliseconds.
type Owed = HashMap<(ConversationId, RemoteMessage), Vec<(i64, Debt)>>;

/// What is owed, by the original where that is known, or else by what may be it.
#[derive(Default)]
pub(crate) struct Debts(Mutex<Owed>);

impl Debts {
    /// Where there is no room, what is older than `oldest_ms` makes some.
    fn remember(&self, of: (ConversationId, RemoteMessage), debt: Debt, (now_ms, oldest_ms): (i64, i64)) {
        let mut debts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if debts.len() >= MOST {
            debts.retain(|_, owed| {
                owed.retain(|(since_ms, _)| *since_ms > oldest_ms);
                !owed.is_empty()
            });
        }
        if debts.len() < MOST {
            let owed = debts.entry(of).or_default();
            owed.retain(|(_, known)| *known != debt);
            owed.push((now_ms, debt));
        }
    }

    fn take(&self, of: &(ConversationId, RemoteMessage), lane: &LaneId) -> Vec<Debt> {
        let mut debts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if debts.is_empty() {
            return Vec::new();
        }
        let Some(owed) = debts.get_mut(of) else { return Vec::new() };
        let due = owed.extract_if(.., |(_, debt)| debt.lane == *lane).map(|(_, debt)| debt).collect();
        if owed.is_empty() {
            debts.remove(of);
        }
        due
    }
}

impl Relay {
    /// A reaction is dropped because its target does not show the message.
    pub(crate) async fn owe_reactions(
        &self,
        leg: &Leg,
        at: &crate::directory::Spot,
        message: &RemoteMessage,
    ) -> Result<(), RelayError> {
        let original = self.reacted_original(at, message).await?;
        let of = original.map_or_else(
            || (at.id.clone(), message.clone()),
            |original| (original.conversation, original.message),
        );
        let debt = Debt {
            lane: leg.lane.clone(),
            at: at.id.clone(),
            message: message.clone(),
            thread_root: leg.event.row.thread_root.clone(),
        };
        let now_ms = self.now_ms();
        self.0.debts.remember(of, debt, (now_ms, now_ms - self.timing().redelivery_ms));
        Ok(())
    }

    /// A target shows a message now: reactions to it that were dropped are looked at again, behind what is in the lane.
    pub(crate) async fn pay_reactions(&self, leg: &Leg, original: &OriginalRow) -> Result<(), RelayError> {
        let of = (original.conversation.clone(), original.message.clone());
        let mut due = self.0.debts.take(&of, &leg.lane);
        // What other targets show already is known, whatever was forgotten with the memory of a process.
        let waited_ms = self.now_ms() - leg.event.row.received_ms;
        if due.is_empty()
            && waited_ms >= self.timing().patience_ms
            && !self.store().reactions((&of.0, &of.1)).await?.is_empty()
        {
            let thread_root = original.thread_root.clone();
            due.push(Debt { lane: leg.lane.clone(), at: of.0, message: of.1, thread_root });
        }
        for debt in due {
            let directory = self.directory();
            let (Some(spot), Some(route)) = (directory.spot(&debt.at), directory.route(&debt.at)) else {
                continue;
            };
            let (order, lanes) = (self.next_order(), vec![debt.lane]);
            let (message, root) = (&debt.message, debt.thread_root);
            self.append_into(spot, route, message, root, EventKind::Reaction, order, lanes).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn debt(lane: &str, message: &str) -> Debt {
        Debt {
            lane: LaneId::Conversation(lane.into()),
            at: "zoom".into(),
            message: message.into(),
            thread_root: None,
        }
    }

    #[test]
    fn what_is_owed_at_a_target_is_paid_there_once() {
        let debts = Debts::default();
        let of = ("teams".into(), RemoteMessage::from("m1"));
        for lane in ["slack", "slack", "webex"] {
            debts.remember(of.clone(), debt(lane, "copy"), (1, 0));
        }
        let slack = LaneId::Conversation("slack".into());
        assert_eq!(debts.take(&("teams".into(), "m2".into()), &slack), []);
        assert_eq!(debts.take(&of, &slack), [debt("slack", "copy")]);
        assert_eq!(debts.take(&of, &slack), []);
        assert_eq!(debts.take(&of, &LaneId::Conversation("webex".into())), [debt("webex", "copy")]);
    }

    #[test]
    fn there_is_an_end_to_what_is_remembered() {
        let debts = Debts::default();
        let of = |number: usize| ("teams".into(), RemoteMessage::from(format!("m{number}")));
        for number in 0..=MOST {
            debts.remember(of(number), debt("slack", "copy"), (1, 0));
        }
        let slack = LaneId::Conversation("slack".into());
        assert_eq!(debts.take(&of(MOST), &slack), [], "there was no room");
        debts.remember(of(0), debt("slack", "copy"), (2, 1));
        assert_eq!(debts.take(&of(0), &slack).len(), 1, "what is old makes room");
        assert_eq!(debts.take(&of(1), &slack), []);
    }
}
