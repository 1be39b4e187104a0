//! What waits in the lanes of a conversation's targets while it is caught up with: it was accepted, and is not in the map.

use std::collections::{BTreeMap, BTreeSet};

use dragoman_model::{ConversationId, EventKind, RemoteMessage};
use dragoman_store::{LaneId, LegRow};

use crate::core::Relay;
use crate::directory::{Route, Spot};
use crate::error::RelayError;
use crate::files::is_file;

/// Legs read at once.
const BATCH: u32 = 500;

/// Messages that wait to go to a target.
pub(crate) type Waiting = BTreeMap<(ConversationId, RemoteMessage), WaitingText>;

/// What is known of a message that waits.
pub(crate) struct WaitingText {
    /// The root of its thread.
    pub(crate) root: Option<RemoteMessage>,
    /// Whether its current state is read, or its deletion relayed, when its turn comes.
    pub(crate) current: bool,
    /// Whether one of its events may have posted it already. A change that has not waited long enough for its message
    /// to be sent in its place has not, so that the message still goes where it belongs.
    pub(crate) posts: bool,
    /// When the last event about it was accepted, milliseconds since 1970.
    pub(crate) received_ms: i64,
}

impl Relay {
    /// Messages of a conversation that wait in the lanes of its targets: they were accepted, and perhaps sent. And those
    /// whose reactions will be read, whatever they are then.
    pub(crate) async fn waiting(
        &self,
        spot: &Spot,
        route: &Route,
    ) -> Result<(Waiting, BTreeSet<RemoteMessage>), RelayError> {
        let (mut waiting, mut asked) = (Waiting::new(), BTreeSet::new());
        let patient_since_ms = self.now_ms() - self.timing().patience_ms;
        for target in route.targets_ever() {
            let lane = LaneId::Conversation(target.clone());
            let mut after = None;
            loop {
                let legs = self.store().legs(&lane, after, BATCH).await?;
                let Some(last) = legs.last() else { break };
                after = Some((last.order, last.seq));
                let here = legs.into_iter().filter(|leg| leg.event.conversation.as_ref() == Some(&spot.id));
                for leg in here {
                    if leg.event.kind == EventKind::Reaction.as_str() {
                        asked.extend(leg.event.message.filter(|_| !leg.has_payload));
                        continue;
                    }
                    let current = is_current(&leg);
                    let Some(message) = leg.event.message else { continue };
                    let text = waiting.entry((target.clone(), message)).or_insert_with(|| WaitingText {
                        root: leg.event.thread_root,
                        current: false,
                        posts: false,
                        received_ms: 0,
                    });
                    text.received_ms = text.received_ms.max(leg.event.received_ms);
                    text.posts |= leg.event.kind != EventKind::Changed.as_str()
                        || leg.event.received_ms <= patient_since_ms;
                    text.current |= current;
                }
            }
        }
        Ok((waiting, asked))
    }
}

/// Whether what a leg leaves at its target is the message as it is when its turn comes: it is read then. A text of which
/// a part is there from an earlier attempt stays what it was.
fn is_current(leg: &LegRow) -> bool {
    let begun = leg.parts.iter().any(|part| !is_file(part.part));
    leg.event.kind == EventKind::Deleted.as_str() || !leg.has_payload && !begun
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::FILES_AT;
    use crate::rows::{copy, event};

    #[test]
    fn what_is_half_there_does_not_become_what_it_is_by_then() {
        let leg = |kind: EventKind, has_payload: bool, parts: &[u32]| LegRow {
            id: "l1".into(),
            lane: LaneId::Control("i1".into()),
            order: 1,
            seq: 1,
            event: event(kind),
            has_payload,
            attempts: 1,
            not_before_ms: 0,
            parts: parts.iter().copied().map(copy).collect(),
            code: None,
        };
        assert!(is_current(&leg(EventKind::Created, false, &[])), "it is read when its turn comes");
        assert!(!is_current(&leg(EventKind::Created, true, &[])), "it is what was told");
        assert!(!is_current(&leg(EventKind::Created, false, &[0])), "its text is there, as it was");
        assert!(is_current(&leg(EventKind::Created, false, &[FILES_AT])), "a file is no text");
        assert!(is_current(&leg(EventKind::Deleted, true, &[0])), "it goes");
    }
}
