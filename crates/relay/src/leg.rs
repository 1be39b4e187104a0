//! Events and legs in memory, between acceptance and settlement.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use dragoman_model::{Code, ConversationId, Event, EventKind, LegId, RemoteMessage, Spokesman};
use dragoman_seal::{SealedRecord, SlotSecret};
use dragoman_store::{CopyRow, EventRow, LaneId};

use crate::freight::Strain;

/// Place of a leg in its lane: `order`, then `seq`.
pub(crate) type Place = (i64, i64);

/// Whether a send of a leg may have gone out without anybody knowing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(crate) enum Doubt {
    /// It did not.
    #[default]
    None,
    /// Hardly, but looking costs little: it is looked for where that is possible, and sent where it is not.
    Slight,
    /// It may have.
    Grave,
}

/// An event that some leg still waits for.
pub(crate) struct LiveEvent {
    /// Its row.
    pub row: EventRow,
    /// Whether a payload was stored with it.
    pub has_payload: bool,
    /// Handed on from the door, so that nothing has to be read back.
    sealed: Mutex<Option<Arc<(SealedRecord, SlotSecret)>>>,
    opened: tokio::sync::Mutex<Option<Arc<Event>>>,
}

impl LiveEvent {
    /// An event as the door handed it on, or as a row names it.
    pub(crate) fn new(row: EventRow, has_payload: bool, sealed: Option<(SealedRecord, SlotSecret)>) -> Self {
        let sealed = Mutex::new(sealed.map(Arc::new));
        Self { row, has_payload, sealed, opened: tokio::sync::Mutex::new(None) }
    }

    /// What the door handed on.
    pub(crate) fn sealed(&self) -> Option<Arc<(SealedRecord, SlotSecret)>> {
        self.sealed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Forgets what the door handed on: the payload was shredded.
    pub(crate) fn shred(&self) {
        *self.sealed.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The decoded event, shared by legs that run at the same time.
    pub(crate) async fn opened(&self) -> tokio::sync::MutexGuard<'_, Option<Arc<Event>>> {
        self.opened.lock().await
    }

    /// Forgets the plain text unless a leg is working with it just now.
    pub(crate) fn forget_plain(&self) {
        if let Ok(mut opened) = self.opened.try_lock()
            && opened.as_ref().is_none_or(|event| Arc::strong_count(event) == 1)
        {
            *opened = None;
        }
    }

    /// What kind of event.
    pub(crate) fn kind(&self) -> EventKind {
        EventKind::parse(&self.row.kind).unwrap_or(EventKind::Control)
    }

    /// The message that it is about, as a key within a lane.
    pub(crate) fn subject(&self) -> Option<(ConversationId, RemoteMessage)> {
        Some((self.row.conversation.clone()?, self.row.message.clone()?))
    }
}

/// A leg in memory.
pub(crate) struct Leg {
    /// Ours.
    pub id: LegId,
    /// Its lane.
    pub lane: LaneId,
    /// Its place there.
    pub place: Place,
    /// Its event.
    pub event: Arc<LiveEvent>,
    /// Not before this, milliseconds since 1970: its source may swap it with a neighbour that is still to come.
    pub ready_ms: i64,
    /// Until when it waits beside the lane at the latest, milliseconds since 1970; 0: it did not wait yet.
    pub patience_until_ms: AtomicI64,
    /// Until when it waits at most for the answer to what may be its original, milliseconds since 1970; 0: it did not
    /// wait yet.
    pub answer_until_ms: AtomicI64,
    /// Whether it waits for that now.
    pub awaits: AtomicBool,
    /// Whether the root of its thread was asked for.
    pub summoned: AtomicBool,
    /// Whether the target does not know the root of its thread any more.
    pub rootless: AtomicBool,
    /// Whether the target said that it does not let the copy be edited.
    pub uneditable: AtomicBool,
    /// Whether the target does not take it in its author's own name: the token died, and not everybody is in every
    /// conversation.
    pub voiceless: AtomicBool,
    /// When the reaction that it brings was recorded, milliseconds since 1970; 0: it is not. What is left is to do what
    /// is recorded, and to tell of it.
    pub reacted_ms: AtomicI64,
    /// Whether it waits beside the lane for its time only, whatever is settled meanwhile.
    pub only_time: AtomicBool,
    /// Whether a send of unknown outcome was repeated, so that the message may be there twice.
    pub repeated: AtomicBool,
    doubt: AtomicU8,
    failures: AtomicU32,
    parts: Mutex<Vec<CopyRow>>,
    /// What failed attempts to read files cost.
    strain: Mutex<Strain>,
    /// By the keys of files: why they are not posted at all.
    barred: Mutex<BTreeMap<String, Code>>,
    /// Reactions of ours that it takes back, and when that was last sent without an answer.
    unreacting: Mutex<Vec<Sent>>,
}

/// A reaction of ours: who made it, the digest of its emoji, and when something about it was sent without an answer,
/// milliseconds since 1970.
pub(crate) type Sent = (Spokesman, Vec<u8>, i64);

impl Leg {
    /// A leg that was never tried.
    pub(crate) fn new(id: LegId, lane: LaneId, place: Place, event: Arc<LiveEvent>) -> Self {
        Self {
            id,
            lane,
            place,
            event,
            ready_ms: 0,
            patience_until_ms: AtomicI64::new(0),
            answer_until_ms: AtomicI64::new(0),
            awaits: AtomicBool::new(false),
            summoned: AtomicBool::new(false),
            rootless: AtomicBool::new(false),
            uneditable: AtomicBool::new(false),
            voiceless: AtomicBool::new(false),
            reacted_ms: AtomicI64::new(0),
            only_time: AtomicBool::new(false),
            repeated: AtomicBool::new(false),
            doubt: AtomicU8::new(0),
            failures: AtomicU32::new(0),
            parts: Mutex::default(),
            strain: Mutex::default(),
            barred: Mutex::default(),
            unreacting: Mutex::default(),
        }
    }

    /// A leg that waits for neighbours which its source may have swapped.
    pub(crate) fn ready_at(self, ready_ms: i64) -> Self {
        Self { ready_ms, ..self }
    }

    /// A leg as the store has it.
    pub(crate) fn restored(self, failures: u32, parts: Vec<CopyRow>) -> Self {
        Self { failures: AtomicU32::new(failures), parts: Mutex::new(parts), ..self }
    }

    /// When what its event tells of was done, as far as is known, milliseconds since 1970. What catching up found has
    /// the time of that, but stands in its lane where it was done, if that is known.
    pub(crate) fn sent_ms(&self) -> i64 {
        let row = &self.event.row;
        let at_ms = if row.at_ms > 0 { row.at_ms } else { row.received_ms };
        match self.event.kind() {
            EventKind::Created | EventKind::Changed if self.place.0 > 0 => {
                at_ms.min(self.place.0.saturating_add(1) / 1000)
            }
            _ => at_ms,
        }
    }

    /// Failed attempts so far.
    pub(crate) fn failures(&self) -> u32 {
        self.failures.load(Ordering::Relaxed)
    }

    /// Counts a failed attempt and tells how many there are now.
    pub(crate) fn failed(&self) -> u32 {
        self.failures.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Whether a send may have gone out unknown to us.
    pub(crate) fn doubt(&self) -> Doubt {
        match self.doubt.load(Ordering::Relaxed) {
            0 => Doubt::None,
            1 => Doubt::Slight,
            _ => Doubt::Grave,
        }
    }

    /// Sets the doubt; tells what it was.
    pub(crate) fn set_doubt(&self, doubt: Doubt) -> Doubt {
        let before = self.doubt();
        self.doubt.store(doubt as u8, Ordering::Relaxed);
        before
    }

    /// Reactions of ours that are perhaps taken back.
    pub(crate) fn unreacting(&self) -> Vec<Sent> {
        self.unreacting.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether a reaction of ours is perhaps taken back: since when that was sent without an answer, or `None` where that is
    /// over.
    pub(crate) fn set_unreacting(&self, who: &Spokesman, emoji: &[u8], sent_ms: Option<i64>) {
        let mut taken = self.unreacting.lock().unwrap_or_else(PoisonError::into_inner);
        taken.retain(|(by, with, _)| by != who || with != emoji);
        taken.extend(sent_ms.map(|sent_ms| (who.clone(), emoji.to_vec(), sent_ms)));
    }

    /// Parts that were delivered already.
    pub(crate) fn parts(&self) -> Vec<CopyRow> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Counts a failed attempt to read a file, which took so long, and tells what all of them cost.
    pub(crate) fn count_unread(&self, took_ms: i64) -> Strain {
        let mut strain = self.strain.lock().unwrap_or_else(PoisonError::into_inner);
        strain.attempts = strain.attempts.saturating_add(1);
        strain.spent_ms = strain.spent_ms.saturating_add(took_ms);
        *strain
    }

    /// A file will not pass: a line stands in its place.
    pub(crate) fn bar(&self, key: &str, code: Code) {
        self.barred.lock().unwrap_or_else(PoisonError::into_inner).insert(key.to_owned(), code);
    }

    /// Files that will not pass, and why.
    pub(crate) fn barred(&self) -> BTreeMap<String, Code> {
        self.barred.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Remembers a delivered part.
    pub(crate) fn add_part(&self, copy: CopyRow) {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        parts.retain(|part| part.part != copy.part);
        parts.push(copy);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows;

    fn leg(kind: EventKind, at_ms: i64, order: i64) -> Leg {
        let row = EventRow { at_ms, received_ms: 9_000, ..rows::event(kind) };
        let live = Arc::new(LiveEvent::new(row, false, None));
        Leg::new("l1".into(), LaneId::Control("i1".into()), (order, 1), live)
    }

    #[test]
    fn a_message_that_catching_up_found_was_sent_when_it_was_written() {
        // As `catchup` appends it: at the time of that, before what was accepted in the millisecond of the message.
        assert_eq!(leg(EventKind::Created, 9_000, 4_000 * 1000 - 1).sent_ms(), 4_000);
        // Live.
        assert_eq!(leg(EventKind::Created, 4_000, 4_000 * 1000).sent_ms(), 4_000);
        // Where the source tells no time, and where its clock is ahead.
        assert_eq!(leg(EventKind::Created, 0, 9_000 * 1000).sent_ms(), 9_000);
        assert_eq!(leg(EventKind::Created, 4_000, 9_000 * 1000).sent_ms(), 4_000);
        // Changed at a time that the source tells, and found deleted: nobody knows since when.
        assert_eq!(leg(EventKind::Changed, 9_000, 4_000 * 1000).sent_ms(), 4_000);
        assert_eq!(leg(EventKind::Deleted, 9_000, 4_000 * 1000).sent_ms(), 9_000);
    }
}
