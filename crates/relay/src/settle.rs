//! Settlement: what is recorded when a leg ends, in one transaction.

use std::sync::atomic::Ordering;

use dragoman_model::operation::Operation;
use dragoman_model::{Code, ConversationId, Done, RemoteMessage, Version, codes};
use dragoman_store::{
    CopyRow, DeadLetterRow, LaneId, Mutation, OriginalRow, Receipt, Reply, Settled, Settlement, StoreError,
    TombstoneRow,
};

use crate::activity::Stage;
use crate::core::Relay;
use crate::error::RelayError;
use crate::files::is_file;
use crate::leg::Leg;
use crate::plan::{Step, generation, spokesman_word};

/// How long a tombstone stands, in milliseconds: longer than any platform redelivers.
const TOMBSTONE_MS: i64 = 26 * 60 * 60 * 1000;

/// How a leg ends.
pub(crate) struct Ending {
    /// `delivered`, `dropped` or `dead`.
    pub(crate) stage: Stage,
    /// Why not simply delivered.
    pub(crate) code: Option<Code>,
    /// What was simplified.
    pub(crate) notes: Vec<Code>,
    /// What the target shows now.
    pub(crate) shown: Option<Shown>,
    /// Copies that are gone.
    pub(crate) removed: Vec<(ConversationId, RemoteMessage)>,
    /// The message was deleted or restored.
    pub(crate) fate: Option<Fate>,
    /// Its row in the map goes with its last copy.
    pub(crate) gone: bool,
    /// A note of reactions as it stands now, and to which original.
    pub(crate) noted: Option<((ConversationId, RemoteMessage), CopyRow)>,
}

/// That a message was deleted or restored at its source; milliseconds since 1970 on its clock, 0 for what did not happen.
pub(crate) struct Fate {
    pub(crate) conversation: ConversationId,
    pub(crate) message: RemoteMessage,
    pub(crate) died_ms: i64,
    pub(crate) revived_ms: i64,
}

impl Fate {
    pub(crate) fn of(conversation: &ConversationId, message: RemoteMessage) -> Self {
        Self { conversation: conversation.clone(), message, died_ms: 0, revived_ms: 0 }
    }
}

impl Ending {
    pub(crate) fn delivered() -> Self {
        Self {
            stage: Stage::Delivered,
            code: None,
            notes: Vec::new(),
            shown: None,
            removed: Vec::new(),
            fate: None,
            gone: false,
            noted: None,
        }
    }

    pub(crate) fn dropped(code: Code) -> Self {
        Self { stage: Stage::Dropped, code: Some(code), ..Self::delivered() }
    }

    pub(crate) fn dead(code: Code) -> Self {
        Self { stage: Stage::Dead, code: Some(code), ..Self::delivered() }
    }
}

/// A message and the copies of it at one target.
pub(crate) struct Shown {
    /// The message at its source.
    pub(crate) original: OriginalRow,
    /// The state that its copies show.
    pub(crate) version: Option<Version>,
    /// Epoch and fingerprint of the text that they show.
    pub(crate) fingerprint: Option<(String, Vec<u8>)>,
    /// Copies that were there before.
    pub(crate) copies: Vec<CopyRow>,
    /// Copies that this leg made or brought up to date.
    pub(crate) made: Vec<CopyRow>,
}

impl Shown {
    /// Records a step that was done. `None`: it made no copy.
    pub(crate) fn record(&mut self, step: &Step, done: &Done, target: &ConversationId) -> Option<CopyRow> {
        let copy = match &step.operation {
            Operation::Post(post) => CopyRow {
                conversation: target.clone(),
                part: step.part,
                message: done.message.clone()?,
                thread_root: post.thread_root.clone(),
                spokesman: spokesman_word(&post.spokesman),
                edits: 0,
                version: self.version,
                fingerprint: None,
                epoch: None,
                file: step.file.clone(),
                beside: done.beside.clone(),
            },
            Operation::Edit { .. } => {
                let known = self.copies.iter().find(|copy| copy.part == step.part)?;
                CopyRow { edits: known.edits + 1, version: self.version, ..known.clone() }
            }
            Operation::Delete { .. } | Operation::React { .. } | Operation::Unreact { .. } => return None,
        };
        self.made.push(copy.clone());
        Some(copy)
    }

    /// Whether the target did not show the message before.
    fn is_new(&self) -> bool {
        self.copies.is_empty()
    }

    /// What to keep when not everything was done: copies that exist but do not show the message, so that a later
    /// attempt goes on from them and a deletion finds them. `None`: there are none.
    pub(crate) fn unfinished(mut self) -> Option<Self> {
        self.version = None;
        self.fingerprint = None;
        for copy in &mut self.made {
            copy.version = None;
        }
        Some(self).filter(|shown| !shown.made.is_empty())
    }

    fn finished(mut self, removed: &[(ConversationId, RemoteMessage)]) -> (OriginalRow, Vec<CopyRow>) {
        let stays = |copy: &CopyRow| !removed.iter().any(|(_, gone)| *gone == copy.message);
        self.made.retain(stays);
        // The first part speaks for all: where there is no text, the first file.
        let first =
            self.copies.iter().chain(&self.made).filter(|copy| stays(copy)).map(|copy| copy.part).min();
        let first = first.unwrap_or_default();
        // A correction speaks for the copy that it corrects, and a file shows no text that could be an earlier one.
        if is_file(first) || self.made.iter().any(|copy| generation(copy) > 0) {
            let known = self.made.iter().chain(&self.copies).find(|copy| copy.part == first).cloned();
            self.made.retain(|copy| copy.part != first);
            self.made.extend(known.map(|known| CopyRow { version: self.version, ..known }));
        }
        // A part made in an earlier attempt may show an earlier text.
        let version = self.version;
        if let Some(first) = self.made.iter_mut().find(|copy| copy.part == first && copy.version == version) {
            let (epoch, fingerprint) = self.fingerprint.unzip();
            first.epoch = epoch;
            first.fingerprint = fingerprint;
        }
        (self.original, self.made)
    }
}

impl Relay {
    /// Records the end of a leg and, with the last leg of an event, destroys its payload.
    pub(crate) async fn settle(&self, leg: &Leg, fence: i64, ending: Ending) -> Result<(), RelayError> {
        let ending = crate::notes::settled(leg, ending);
        self.tell_sender(leg, &ending).await;
        self.tell_unsaid(leg, &ending).await;
        let now_ms = self.now_ms();
        let row = &leg.event.row;
        let repeated = leg.repeated.load(Ordering::Relaxed).then_some(codes::MAYBE_TWICE);
        let notes = ending.notes.iter().chain(&repeated).map(|code| code.as_str().to_owned()).collect();
        let (mut of, noted) = ending.noted.unzip();
        if let Some(fate) = ending.fate.as_ref().filter(|_| ending.gone) {
            of = Some((fate.conversation.clone(), fate.message.clone()));
        }
        let (original, mut copies) = match ending.shown {
            Some(shown) => {
                if shown.is_new() {
                    self.pay_reactions(leg, &shown.original).await?;
                }
                let (original, copies) = shown.finished(&ending.removed);
                (Some(original), copies)
            }
            None => (None, Vec::new()),
        };
        copies.extend(noted);
        let to = match &leg.lane {
            LaneId::Conversation(id) => Some(id.clone()),
            LaneId::Control(_) => None,
        };
        let receipt = Receipt {
            org: row.org.clone(),
            leg: leg.id.clone(),
            bridge: row.bridge.clone(),
            kind: row.kind.clone(),
            from: row.conversation.clone(),
            message: row.message.clone(),
            to,
            outcome: ending.stage.as_str().to_owned(),
            code: ending.code.map(|code| code.as_str().to_owned()),
            notes,
            received_ms: row.received_ms,
            settled_ms: now_ms,
            attempts: leg.failures() + u32::from(ending.stage == Stage::Delivered),
        };
        let dead_letter = (ending.stage == Stage::Dead).then(|| DeadLetterRow {
            id: leg.id.clone(),
            org: row.org.clone(),
            event: row.clone(),
            lane: leg.lane.clone(),
            code: ending.code.map(|code| code.as_str().to_owned()).unwrap_or_default(),
            attempts: leg.failures(),
            died_ms: now_ms,
        });
        let settlement = Settlement {
            leg: leg.id.clone(),
            lane: leg.lane.clone(),
            fence,
            original,
            copies,
            of,
            removed_copies: ending.removed,
            original_gone: ending.gone,
            tombstone: ending.fate.map(|fate| TombstoneRow {
                conversation: fate.conversation,
                message: fate.message,
                died_ms: fate.died_ms,
                revived_ms: fate.revived_ms,
                until_ms: now_ms + TOMBSTONE_MS,
            }),
            receipt,
            dead_letter,
        };
        match self.store().commit(Mutation::Settle(Box::new(settlement))).await? {
            Reply::Settled(Settled { erase, .. }) => {
                if let Some(slot) = erase {
                    self.0.parts.slots.erase(vec![slot]);
                    self.poke_timer();
                }
            }
            _ => return Err(StoreError::Closed.into()),
        }
        if let Some(code) = ending.code.filter(|_| ending.stage == Stage::Dead) {
            tracing::warn!(leg = %leg.id, %code, "a delivery was given up; see `dragoman dead-letter list`");
        }
        self.tell(leg, ending.stage, ending.code);
        Ok(())
    }
}
