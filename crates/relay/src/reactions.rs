//! Reactions: recorded with the original that they are about, set at the other members' messages, and told by a note
//! in their threads. What to do is decided in `reaction_plan` from what is recorded, so that it does not matter how
//! often a leg runs, nor whether its payload is still there.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use dragoman_model::{
    Code, ConversationId, Emoji, Event, EventKind, Feature, Happening, Level, Operation, Outcome,
    ReactionChange, RemoteMessage, Spokesman, codes,
};
use dragoman_seal::FieldRef;
use dragoman_store::{CopyRow, Mutation, OriginalRow, ReactionKey, ReactionRow, Standing};

use crate::core::Relay;
use crate::directory::{Place, Spot};
use crate::error::RelayError;
use crate::leg::{Doubt, Leg};
use crate::open::Opened;
use crate::plan::deletions;
use crate::reaction_look::{Look, News, SETTLED_MS};
use crate::reaction_plan::{Step, emoji_key, is_note, next_note, packed, unpacked};
use crate::reaction_state::State;
use crate::settle::Ending;
use crate::turn::Turn;

/// A day, in milliseconds.
const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// What is known of the reactions to a message is kept for so long after the last change of any of them, in
/// milliseconds: as long as threads are looked at for replies and receipts are kept.
pub(crate) const KEPT_MS: i64 = 30 * DAY_MS;
/// That somebody took a reaction back is known for so long, in milliseconds: longer than any platform redelivers.
pub(crate) const UNSET_MS: i64 = 26 * 60 * 60 * 1000;
/// So long a reaction waits for the copy that it may be about to be found, in milliseconds.
const IN_DOUBT_MS: i64 = 10 * 60 * 1000;

/// A message at a target, and of which original it is.
pub(crate) struct Reacted {
    /// The original.
    pub(crate) original: OriginalRow,
    /// The message at the target: the original itself, or the first part of its copy.
    pub(crate) message: RemoteMessage,
    /// The thread that it stands in.
    pub(crate) thread_root: Option<RemoteMessage>,
    /// Notes of reactions to it there that tell of what is still known.
    pub(crate) notes: Vec<CopyRow>,
    /// The part that the next note is.
    pub(crate) next_note: u32,
}

impl Reacted {
    /// The original's key.
    pub(crate) fn of(&self) -> (&ConversationId, &RemoteMessage) {
        (&self.original.conversation, &self.original.message)
    }
}

/// What a turn knows.
pub(crate) struct Here<'a> {
    pub(crate) leg: &'a Arc<Leg>,
    pub(crate) fence: i64,
    pub(crate) source: &'a Arc<Spot>,
    pub(crate) target: &'a Arc<Spot>,
}

/// Whether an event is somebody's reaction.
pub(crate) fn is_reaction(event: &Event) -> bool {
    changes(event).is_some()
}

fn heard_of(event: &Event) -> Heard {
    match (changes(event), &event.happening) {
        (Some(changes), _) => Heard::Changes(changes),
        (None, Happening::ReactionsListed { message, listed }) => {
            Heard::Listed(message.clone(), Look { listed: listed.clone(), read_ms: event.at_ms })
        }
        // It was one when it was opened first; read again, its message tells of something else.
        (None, _) => Heard::Lost(codes::NOT_REREADABLE),
    }
}

/// Until when what stands at a message that people react to at a time is kept: whole days, so that not every change
/// writes all of it again.
fn kept_until_ms(at_ms: i64) -> i64 {
    at_ms.saturating_add(KEPT_MS).div_euclid(DAY_MS).saturating_add(1).saturating_mul(DAY_MS)
}

fn changes(event: &Event) -> Option<(RemoteMessage, Vec<ReactionChange>)> {
    let (message, by, emoji, set) = match &event.happening {
        Happening::ReactionAdded { message, by, emoji } => (message, by, emoji, true),
        Happening::ReactionRemoved { message, by, emoji } => (message, by, emoji, false),
        Happening::Reactions { message, changes } => return Some((message.clone(), changes.clone())),
        _ => return None,
    };
    let change = ReactionChange { by: by.clone(), emoji: emoji.clone(), set, at_ms: event.at_ms };
    Some((message.clone(), vec![change]))
}

impl Relay {
    /// The turn of a leg that brings a reaction. `heard` is its event where that is open already, `behind` what else of
    /// the same message waits in the lane.
    pub(crate) async fn reaction_turn(
        &self,
        here: &Here<'_>,
        place: &Arc<Place>,
        heard: Option<&Event>,
        behind: &[Arc<Leg>],
    ) -> Result<Turn, RelayError> {
        let Here { leg, fence, source, target } = *here;
        if target.capabilities.level(Feature::ReactionApp) <= Level::Dropped {
            return self.end(leg, fence, Ending::dropped(codes::NOT_CARRIED)).await;
        }
        let mut told = Vec::new();
        let mut message = leg.event.row.message.clone();
        let (mut lost, mut look) = (None, None);
        let recorded_ms = leg.reacted_ms.load(Ordering::Relaxed);
        if recorded_ms == 0 {
            let heard = match heard {
                Some(event) => heard_of(event),
                None => self.hear(leg, place, source).await?,
            };
            match heard {
                Heard::Changes((of, changes)) => {
                    message = Some(of);
                    told = changes;
                }
                Heard::Listed(of, listed) => {
                    message = Some(of);
                    told = listed.changes();
                    look = Some(listed);
                }
                Heard::Nothing(code) => return self.end(leg, fence, Ending::dropped(code)).await,
                Heard::Lost(code) => lost = Some(code),
                Heard::Failed(outcome) => {
                    return self.judge_at(place, leg, fence, &outcome, Ending::delivered()).await;
                }
            }
        }
        let Some(message) = message else {
            return self.end(leg, fence, Ending::dropped(codes::MALFORMED)).await;
        };
        let reacted = match self.reacted(leg, source, target, &message).await? {
            Ok(reacted) => reacted,
            Err(codes::UNMAPPED)
                if leg.parts().is_empty()
                    && recorded_ms == 0
                    && (self.patient(leg) || self.copies_in_doubt(leg, source)) =>
            {
                return Ok(self.aside(leg));
            }
            Err(code) => {
                if code == codes::UNMAPPED {
                    self.owe_reactions(leg, source, &message).await?;
                }
                // The original went meanwhile, and with it what a note was about.
                let steps = deletions(&target.conversation.remote, &leg.parts());
                return self.do_steps(leg, fence, source, target, steps, Ending::dropped(code)).await;
            }
        };
        let later =
            if look.is_none() { self.hear_later(place, source, behind, &mut told).await } else { Vec::new() };
        let news = self.record(here, &reacted, told, look.as_ref()).await?;
        let now_ms = self.now_ms();
        if recorded_ms == 0 {
            leg.reacted_ms.store(now_ms, Ordering::Relaxed);
        }
        for later in later {
            // Heard once is enough.
            later.reacted_ms.store(now_ms, Ordering::Relaxed);
        }
        let rows = self.store().reactions(reacted.of()).await?;
        let mut state = self.state(target, rows);
        state.doubt(leg.unreacting());
        let mut notes = Vec::new();
        let mut acted = false;
        while let Some(step) = state.scene(target).next() {
            acted = true;
            if let Some(turn) = self.take(here, &reacted, &mut state, step, &mut notes).await? {
                return Ok(turn);
            }
        }
        let idle = !acted && recorded_ms == 0 && !news;
        let ending = Ending { notes, ..Ending::delivered() };
        let idle = idle.then(|| lost.unwrap_or(codes::SEEN));
        if self.may_be_noted(leg)
            && reacted.notes.is_empty()
            && state.scene(target).told().is_empty()
            && let Some(turn) = self.unsay_lost_note(here, place, &reacted).await?
        {
            return Ok(turn);
        }
        self.tell_reactions(here, &reacted, &state, ending, idle).await
    }

    /// Whether what somebody reacted to may be a copy that was sent before a restart and is not looked for yet.
    fn copies_in_doubt(&self, leg: &Leg, source: &Spot) -> bool {
        self.now_ms() < leg.event.row.received_ms + IN_DOUBT_MS && self.may_be_sent(leg, source)
    }

    pub(crate) async fn hear(&self, leg: &Leg, place: &Place, source: &Spot) -> Result<Heard, RelayError> {
        Ok(match self.open(leg, place, Some(source)).await? {
            Opened::Event(event) => match &event.happening {
                Happening::Ignored(code) => Heard::Nothing(*code),
                _ => heard_of(&event),
            },
            Opened::Nothing(codes::NOT_REREADABLE) => Heard::Lost(codes::NOT_REREADABLE),
            Opened::Nothing(code) => Heard::Nothing(code),
            Opened::Failed(failure) => Heard::Failed(failure.into_outcome()),
        })
    }

    /// What changes its mind while it waits comes to nothing: hears what is behind a reaction to the same message. What
    /// cannot be opened now fails in its own turn. The legs that were heard.
    async fn hear_later<'a>(
        &self,
        place: &Place,
        source: &Spot,
        behind: &'a [Arc<Leg>],
        told: &mut Vec<ReactionChange>,
    ) -> Vec<&'a Leg> {
        let mut heard = Vec::new();
        let unheard = |leg: &&Arc<Leg>| {
            leg.event.has_payload
                && leg.event.kind() == EventKind::Reaction
                && leg.reacted_ms.load(Ordering::Relaxed) == 0
        };
        for later in behind.iter().filter(unheard) {
            let one = self.hear(later, place, source).await;
            self.close(later).await;
            match one {
                Ok(Heard::Changes((_, changes))) => {
                    told.extend(changes);
                    heard.push(&**later);
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::debug!(leg = %later.id, code = %error.code(), "a later reaction cannot be read now");
                    break;
                }
            }
        }
        heard
    }

    /// The message at the target that a reaction to `message` at the source is about, or why there is none.
    async fn reacted(
        &self,
        leg: &Leg,
        source: &Spot,
        target: &Spot,
        message: &RemoteMessage,
    ) -> Result<Result<Reacted, Code>, RelayError> {
        let store = self.store();
        let original = match store.original(&source.id, message).await? {
            Some(original) => original,
            None => match store.original_of_copy(&source.id, message).await? {
                Some((_, copy)) if is_note(&copy) => return Ok(Err(codes::KIND)),
                Some((original, _)) => original,
                None => {
                    let dead = store.tombstone(&source.id, message).await?.is_some_and(|row| row.is_dead());
                    return Ok(Err(if dead { codes::DELETED_MEANWHILE } else { codes::UNMAPPED }));
                }
            },
        };
        let of = (&original.conversation, &original.message);
        if store.tombstone(of.0, of.1).await?.is_some_and(|row| row.is_dead()) {
            return Ok(Err(codes::DELETED_MEANWHILE));
        }
        let (mut notes, copies): (Vec<_>, Vec<_>) =
            store.copies(of, &target.id).await?.into_iter().partition(is_note);
        for made in leg.parts().into_iter().filter(is_note) {
            notes.retain(|note| note.part != made.part);
            notes.push(made);
        }
        let next_note = next_note(notes.iter());
        // What an older one tells is known no more; it stays as it is.
        let now_ms = self.now_ms();
        notes.retain(|note| note.version.is_none_or(|written| kept_until_ms(written.0) > now_ms));
        let (message, thread_root) = if original.conversation == target.id {
            (original.message.clone(), original.thread_root.clone())
        } else {
            match copies.into_iter().next() {
                Some(copy) => (copy.message, copy.thread_root),
                None => return Ok(Err(codes::UNMAPPED)),
            }
        };
        let thread_root = thread_root.filter(|root| *root != message);
        Ok(Ok(Reacted { original, message, thread_root, notes, next_note }))
    }

    /// Until when, milliseconds since 1970, what was sent without an answer may take effect: what undoes it before that
    /// could be overtaken by it.
    fn may_overtake(&self, state: &State, who: &Spokesman, emoji: &[u8], add: bool) -> Option<i64> {
        let until_ms = state.sent_ms(who, emoji, !add)?.saturating_add(self.timing().crash_patience_ms);
        Some(until_ms).filter(|until_ms| self.now_ms() < *until_ms)
    }

    /// Records what people changed. `true`: something of it is news.
    async fn record(
        &self,
        here: &Here<'_>,
        reacted: &Reacted,
        changes: Vec<ReactionChange>,
        look: Option<&Look>,
    ) -> Result<bool, RelayError> {
        let News { rows, unsettled } = self.news(here.source, reacted.of(), changes, look).await?;
        if unsettled {
            self.catch_up_soon(here.source.id.clone(), self.now_ms() + SETTLED_MS);
        }
        let news = !rows.is_empty();
        if news || here.leg.event.kind() != EventKind::Reaction {
            self.react(here, reacted, rows, Vec::new()).await?;
            self.0.parts.faults.hit("reaction.recorded");
        }
        Ok(news)
    }

    async fn react(
        &self,
        here: &Here<'_>,
        reacted: &Reacted,
        rows: Vec<ReactionRow>,
        gone: Vec<ReactionKey>,
    ) -> Result<(), RelayError> {
        let mutation = Mutation::React {
            leg: here.leg.id.clone(),
            lane: here.leg.lane.clone(),
            fence: here.fence,
            of: (reacted.original.conversation.clone(), reacted.original.message.clone()),
            rows,
            gone,
            kept_until_ms: kept_until_ms(self.now_ms()),
        };
        self.store().commit(mutation).await?;
        Ok(())
    }

    /// Does one step, and records it. `Some`: the turn ends with that.
    async fn take(
        &self,
        here: &Here<'_>,
        reacted: &Reacted,
        state: &mut State,
        step: Step,
        notes: &mut Vec<Code>,
    ) -> Result<Option<Turn>, RelayError> {
        let Here { leg, fence, target, .. } = *here;
        let (who, digest, add) = match &step {
            Step::Set(who, digest) => (who.clone(), digest.clone(), true),
            Step::Take(who, digest) => (who.clone(), digest.clone(), false),
            Step::Forget(who, digest) => {
                if matches!(who, Spokesman::Person(_)) && state.standing(who, digest) == Some(Standing::Set) {
                    // It stays there: only who set it can take it back.
                    notes.push(codes::OWN_TOKEN);
                }
                let gone = state.forget(target, who, digest);
                self.react(here, reacted, Vec::new(), gone).await?;
                return Ok(None);
            }
        };
        let sealed = state.sealed.get(&digest).cloned().unwrap_or_default();
        let Some(emoji) = self.open_emoji(here, reacted, &digest, &sealed).await else {
            let (rows, gone) = if add {
                (vec![state.put(target, &who, &digest, Standing::Refused, (0, self.now_ms()))], Vec::new())
            } else {
                (Vec::new(), state.forget(target, &who, &digest))
            };
            self.react(here, reacted, rows, gone).await?;
            return Ok(None);
        };
        let now_ms = self.now_ms();
        if let Some(until_ms) = self.may_overtake(state, &who, &digest, add) {
            return Ok(Some(Turn::Aside(until_ms)));
        }
        if add {
            // Before it is said, so that its echo is known whenever that comes.
            let row = state.put(target, &who, &digest, Standing::Setting, (now_ms, now_ms));
            self.react(here, reacted, vec![row], Vec::new()).await?;
        }
        let installation = &target.place.session.installation.id;
        if let Err(until_ms) = self.with_breaker(installation, |breaker| breaker.admit(now_ms)) {
            return Ok(Some(Turn::Hold(until_ms)));
        }
        let (conversation, message) = (target.conversation.remote.clone(), reacted.message.clone());
        let (thread_root, spokesman) = (reacted.thread_root.clone(), who.clone());
        let operation = if add {
            Operation::React { conversation, message, thread_root, emoji, spokesman }
        } else {
            Operation::Unreact { conversation, message, thread_root, emoji, spokesman }
        };
        self.0.parts.faults.hit("send.before");
        let outcome = match self.call(leg, target, &operation).await {
            // Doing it twice does no harm.
            Outcome::Unknown(code) => {
                if !add {
                    leg.set_unreacting(&who, &digest, Some(self.now_ms()));
                }
                Outcome::retry(code)
            }
            outcome => outcome,
        };
        if matches!(outcome, Outcome::Done(_)) {
            leg.set_unreacting(&who, &digest, None);
            self.0.parts.faults.hit("reaction.set");
        }
        let standing = match outcome {
            Outcome::Done(_) => add.then_some(Standing::Set),
            Outcome::Refused(code) => {
                notes.push(code);
                add.then_some(Standing::Refused)
            }
            Outcome::MessageGone(code) if add => {
                let gone = state.forget(target, &who, &digest);
                self.react(here, reacted, Vec::new(), gone).await?;
                return self.end(leg, fence, Ending::dropped(code)).await.map(Some);
            }
            Outcome::MessageGone(_) => None,
            outcome if self.lost_voice(leg, (here.source, target), &operation, &outcome).await? => {
                // Planned anew without that voice.
                return Ok(Some(Turn::Later(self.now_ms(), codes::OWN_TOKEN)));
            }
            // The app may do what its author may not.
            Outcome::Gone(code) if matches!(who, Spokesman::Person(_)) => {
                notes.push(code);
                add.then_some(Standing::Refused)
            }
            outcome => {
                return self
                    .judge_at(&target.place, leg, fence, &outcome, Ending::delivered())
                    .await
                    .map(Some);
            }
        };
        // An earlier attempt without an answer may take effect still.
        let sent_ms = state.sent_ms(&who, &digest, true).unwrap_or_default();
        let tried = leg.failures() > 0 || leg.doubt() != Doubt::None;
        let (rows, gone) = match standing {
            Some(standing) => {
                (vec![state.put(target, &who, &digest, standing, (sent_ms, now_ms))], Vec::new())
            }
            None if tried => {
                let patience_ms = self.timing().crash_patience_ms;
                (vec![state.taken(target, &who, &digest, self.now_ms(), patience_ms)], Vec::new())
            }
            None => (Vec::new(), state.forget(target, &who, &digest)),
        };
        self.react(here, reacted, rows, gone).await?;
        Ok(None)
    }

    pub(crate) async fn emoji_digest(
        &self,
        source: &Spot,
        (conversation, message): (&ConversationId, &RemoteMessage),
        emoji: &Emoji,
    ) -> Result<Vec<u8>, RelayError> {
        // Of one message, so that nobody counts who likes what.
        let key = format!("{conversation}/{message}/{}", emoji_key(emoji));
        self.vault().digest(&source.org, "reaction", key.as_bytes()).await
    }

    pub(crate) async fn seal_emoji(
        &self,
        source: &Spot,
        of: (&ConversationId, &RemoteMessage),
        digest: &[u8],
        emoji: &Emoji,
    ) -> Result<Vec<u8>, RelayError> {
        let row = field_row(of, digest);
        let field = FieldRef { org: &source.org, purpose: "reaction", row: &row };
        self.vault().seal_text(&field, &packed(emoji)).await
    }

    /// `None`: it is damaged.
    pub(crate) async fn open_emoji(
        &self,
        here: &Here<'_>,
        reacted: &Reacted,
        digest: &[u8],
        sealed: &[u8],
    ) -> Option<Emoji> {
        let row = field_row(reacted.of(), digest);
        let field = FieldRef { org: &here.target.org, purpose: "reaction", row: &row };
        let text = self.vault().open_text(&field, sealed).await;
        let text = text.inspect_err(|error| tracing::warn!(code = %error.code(), "a kept reaction: {error}"));
        unpacked(text.ok()?.expose())
    }
}

/// What became of opening an event.
pub(crate) enum Heard {
    Changes((RemoteMessage, Vec<ReactionChange>)),
    /// Its payload is gone; this is all that stands there now.
    Listed(RemoteMessage, Look),
    Nothing(Code),
    /// Its payload is gone, or tells of something else by now.
    Lost(Code),
    Failed(Outcome),
}

fn field_row((conversation, message): (&ConversationId, &RemoteMessage), digest: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut row = format!("{conversation}/{message}/");
    for byte in digest {
        // Writing to a String cannot fail.
        let _ = write!(row, "{byte:02x}");
    }
    row
}
