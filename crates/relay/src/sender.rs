//! The sender is told: what of theirs did not arrive, arrived otherwise than they wrote it, or late. Visible to them alone
//! where the platform can, in the message's thread otherwise; once per cause, conversation, author and hour.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use dragoman_model::{AuthorKind, Code, ConversationId, EventKind, OrgId, PersonId, RemoteUser, codes};
use dragoman_store::LaneId;

use crate::activity::Stage;
use crate::admit::message_of;
use crate::backfill::is_backfill;
use crate::core::Relay;
use crate::directory::Spot;
use crate::error::RelayError;
use crate::leg::Leg;
use crate::notes::{self, Note, Occasion};
use crate::notices::place_of;
use crate::settle::Ending;

/// Causes remembered of one organisation; a full table is forgotten as a whole, and the store still knows.
const MOST: usize = 2_000;

/// What somebody was told: where, why, and who, where their message could still be read.
type Word = (ConversationId, Code, Option<RemoteUser>);

/// What was told, and until when it is not told again, so that the store is not asked each time.
#[derive(Default)]
pub(crate) struct ToldSenders(Mutex<BTreeMap<OrgId, BTreeMap<Word, i64>>>);

impl ToldSenders {
    fn is_told(&self, org: &OrgId, word: &Word, now_ms: i64) -> bool {
        let all = self.lock();
        all.get(org).and_then(|words| words.get(word)).is_some_and(|until_ms| now_ms < *until_ms)
    }

    fn remember(&self, org: &OrgId, word: Word, until_ms: i64) {
        let mut all = self.lock();
        let words = all.entry(org.clone()).or_default();
        if words.len() >= MOST {
            words.clear();
        }
        words.insert(word, until_ms);
    }

    /// Forgets what may be told again.
    pub(crate) fn expire(&self, now_ms: i64) {
        self.lock().retain(|_, words| {
            words.retain(|_, until_ms| now_ms < *until_ms);
            !words.is_empty()
        });
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<OrgId, BTreeMap<Word, i64>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How a delivery ended, as far as its sender is concerned.
struct Outcome<'a> {
    kind: EventKind,
    stage: Stage,
    code: Option<Code>,
    notes: &'a [Code],
    late_ms: i64,
    /// From when on late is late.
    too_late_ms: i64,
}

/// What the sender has to know: code and sentence. Nothing of what a pair of platforms cannot do by design, which
/// `fidelity` tells beforehand.
fn worth_telling(outcome: &Outcome<'_>, place: &str) -> Option<(Code, String)> {
    let what = match outcome.kind {
        EventKind::Created => "message",
        EventKind::Changed => "edit",
        EventKind::Deleted => "deletion",
        EventKind::Reaction | EventKind::Offer | EventKind::Conversation | EventKind::Control => return None,
    };
    if outcome.stage == Stage::Dead {
        let code = outcome.code?;
        return Some((code, format!("Your {what} did not reach {place} ({code}).")));
    }
    if outcome.stage != Stage::Delivered {
        return None;
    }
    let told = |code: Code| {
        let text = match code {
            codes::OWN_TOKEN => format!(
                "Your {what} reached {place} through the app: your account there is not connected any more ({code})."
            ),
            codes::MAYBE_TWICE => format!("Your {what} may stand twice in {place} ({code})."),
            codes::FILE_GONE
            | codes::FILE_EMPTY
            | codes::FILE_TOO_LARGE
            | codes::FILE_FORBIDDEN
            | codes::FILE_REFUSED => {
                format!("A file of your {what} did not reach {place}, only its name did ({code}).")
            }
            _ => return None,
        };
        Some((code, text))
    };
    if let Some(told) = outcome.notes.iter().copied().find_map(told) {
        return Some(told);
    }
    if outcome.kind == EventKind::Created && outcome.late_ms > outcome.too_late_ms {
        let code = codes::LATE;
        let minutes = outcome.late_ms / 60_000;
        let minutes = if minutes <= 1 { "a minute".to_owned() } else { format!("{minutes} minutes") };
        return Some((code, format!("Your message reached {place} {minutes} late ({code}).")));
    }
    None
}

impl Relay {
    /// Tells the sender how a delivery ends, where they have to know. Called before it is settled: said again after a
    /// crash, it is known.
    pub(crate) async fn tell_sender(&self, leg: &Leg, ending: &Ending) {
        if let Err(error) = self.try_to_tell(leg, ending).await {
            tracing::warn!(leg = %leg.id, code = %error.code(), "the sender could not be told: {error}");
        }
    }

    /// Tells somebody that their own token does not work any more: once, as it is forgotten then.
    pub(crate) async fn tell_voiceless(&self, leg: &Leg, source: &Spot, target: &Spot, person: &PersonId) {
        let directory = self.directory();
        let account = directory.account(&source.place.session.installation.id, person).cloned();
        if account.is_none() || !directory.policy(&source.org).tell_senders {
            return;
        }
        let platform = target.place.connector.display_name();
        let code = codes::OWN_TOKEN;
        let text = format!(
            "Your {platform} account is not connected any more: what you write goes there through the app ({code})."
        );
        if let Err(error) = self.whisper(leg, source, (source.id.clone(), code, account), text).await {
            tracing::warn!(leg = %leg.id, code = %error.code(), "the sender could not be told: {error}");
        }
    }

    async fn try_to_tell(&self, leg: &Leg, ending: &Ending) -> Result<(), RelayError> {
        let row = &leg.event.row;
        let LaneId::Conversation(target) = &leg.lane else { return Ok(()) };
        let now_ms = self.now_ms();
        let at_ms = leg.sent_ms().min(row.received_ms);
        let outcome = Outcome {
            kind: leg.event.kind(),
            stage: ending.stage,
            code: ending.code,
            notes: &ending.notes,
            // What was said before the bridge is not late.
            late_ms: if is_backfill(row) { 0 } else { now_ms - at_ms },
            too_late_ms: self.timing().late_ms,
        };
        let usual = outcome.stage == Stage::Delivered
            && outcome.notes.is_empty()
            && outcome.late_ms <= outcome.too_late_ms;
        if usual || notes::is_note(row) {
            return Ok(());
        }
        let directory = self.directory();
        let spots = row.conversation.as_ref().and_then(|id| directory.spot(id)).zip(directory.spot(target));
        let Some((source, target)) = spots else { return Ok(()) };
        let Some((code, text)) = worth_telling(&outcome, &place_of(target)) else { return Ok(()) };
        if !directory.policy(&source.org).tell_senders {
            return Ok(());
        }
        let Some(author) = self.author_of(leg).await else { return Ok(()) };
        let word = (source.id.clone(), code, author);
        if self.0.told_senders.is_told(&source.org, &word, now_ms) {
            return Ok(());
        }
        self.whisper(leg, source, word, text).await
    }

    /// The author of what a leg is about: `Some(None)` where it is not known any more, `None` where nobody is to be told.
    async fn author_of(&self, leg: &Leg) -> Option<Option<RemoteUser>> {
        let opened = leg.event.opened().await;
        let Some(message) = opened.as_deref().and_then(message_of) else { return Some(None) };
        let person = message.author.kind == AuthorKind::Person && !message.origin.ours;
        person.then(|| message.author.user.clone())
    }

    async fn whisper(&self, leg: &Leg, source: &Spot, word: Word, text: String) -> Result<(), RelayError> {
        let (_, code, author) = &word;
        let row = &leg.event.row;
        let once_for_ms = self.timing().told_ms;
        let reply = row.thread_root.clone().filter(|root| row.message.as_ref() != Some(root));
        let gone = leg.event.kind() == EventKind::Deleted;
        let note = Note {
            text,
            thread_root: reply.clone().or_else(|| row.message.clone().filter(|_| !gone)),
            reply_root: reply,
            only_for: author.clone(),
            ..Note::default()
        };
        // Everybody hears of it once, also where two miss something in one conversation.
        let whom = author.as_ref().map(RemoteUser::as_str).unwrap_or_default();
        let key = format!("sender/{}/{code}/{whom}", source.id);
        let lanes = vec![LaneId::Conversation(source.id.clone())];
        self.note(Occasion { about: source, lanes, key: &key, once_for_ms }, &note).await?;
        self.0.told_senders.remember(&source.org, word, self.now_ms().saturating_add(once_for_ms));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_matters_is_told_and_nothing_else() {
        use EventKind::{Changed, Created, Reaction};
        use Stage::{Dead, Delivered, Dropped};
        let told = |kind, stage, code, notes: &[Code], late_ms| {
            let outcome = Outcome { kind, stage, code, notes, late_ms, too_late_ms: 60_000 };
            worth_telling(&outcome, "#a (B)").map(|(_, text)| text)
        };
        let said = |text: &str| Some(text.to_owned());
        let refused = Some(codes::REFUSED);
        assert_eq!(
            told(Created, Dead, refused, &[], 0),
            said("Your message did not reach #a (B) (DRG-REFUSED).")
        );
        assert_eq!(
            told(Changed, Dead, refused, &[], 0),
            said("Your edit did not reach #a (B) (DRG-REFUSED).")
        );
        assert_eq!(told(Reaction, Dead, refused, &[], 0), None);
        assert_eq!(told(Created, Dropped, Some(codes::ECHO), &[], 90_000), None);
        assert_eq!(told(Created, Delivered, None, &[codes::SIMPLIFIED, codes::NOT_EDITABLE], 0), None);
        assert_eq!(
            told(Created, Delivered, None, &[codes::SIMPLIFIED, codes::FILE_TOO_LARGE], 0),
            said("A file of your message did not reach #a (B), only its name did (DRG-FILE-TOO-LARGE).")
        );
        assert_eq!(told(Created, Delivered, None, &[], 60_000), None);
        assert_eq!(
            told(Created, Delivered, None, &[], 150_000),
            said("Your message reached #a (B) 2 minutes late (DRG-LATE).")
        );
        assert_eq!(told(Changed, Delivered, None, &[], 150_000), None);
    }
}
