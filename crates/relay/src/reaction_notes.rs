//! Notes of reactions: one message in the thread of each message that was reacted to elsewhere, with the names of
//! those who cannot react there in their own name. A note gathers changes for a while, is edited then, and is deleted
//! when none is left.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use dragoman_model::operation::Candidate;
use dragoman_model::{
    AuthorKind, Code, ConversationId, Document, Feature, Level, Message, Operation, Outcome, Post,
    RemoteMessage, ShownAuthor, Spokesman, Version, codes,
};
use dragoman_platform::{Failure, byline};
use dragoman_store::CopyRow;

use crate::core::Relay;
use crate::directory::{Place, Spot};
use crate::error::RelayError;
use crate::leg::{Doubt, Leg};
use crate::pending::Expected;
use crate::people::origin;
use crate::reaction_plan::{self, MOST_EMOJI, MOST_NAMES, Reactor, Told, is_note, shown_name};
use crate::reaction_state::State;
use crate::reactions::{Heard, Here, Reacted};
use crate::settle::Ending;
use crate::turn::Turn;
use crate::unknown::SKEW_MS;

/// Names that are looked up for one note.
const MOST_NAMED: usize = 200;

/// What became of saying a note.
enum Said {
    /// It stands there, and says what it should, or something older.
    There(RemoteMessage, bool),
    /// It does not.
    Not(Outcome),
}

/// What a look for a note brought.
enum Sight {
    Found(Candidate),
    Absent,
    /// Nothing can be looked for.
    Blind,
    Failed(Failure),
}

/// A note as it should be.
struct Wanted {
    post: Post,
    part: u32,
    /// Epoch and fingerprint of what it says.
    fingerprint: Option<(String, Vec<u8>)>,
}

impl Relay {
    /// Brings the note at the target to what is recorded, when its time has come, and ends the leg. `idle`: the leg had
    /// nothing to do so far, and with what code it ends where that stays so.
    pub(crate) async fn tell_reactions(
        &self,
        here: &Here<'_>,
        reacted: &Reacted,
        state: &State,
        mut ending: Ending,
        idle: Option<Code>,
    ) -> Result<Turn, RelayError> {
        let Here { leg, fence, target, .. } = *here;
        let current = reacted.notes.iter().max_by_key(|note| note.part).cloned();
        let told = state.scene(target).told();
        if told.is_empty() && current.is_none() {
            let ending = idle.map_or(ending, Ending::dropped);
            return self.end(leg, fence, ending).await;
        }
        let written_ms = current.as_ref().and_then(|note| note.version).map_or(0, |written| written.0);
        let due_ms = leg.event.row.received_ms.max(written_ms).saturating_add(self.timing().gather_ms);
        if written_ms > leg.reacted_ms.load(Ordering::Relaxed) && leg.parts().is_empty() {
            // It tells of this already; what came later has legs of its own.
            return self.end(leg, fence, ending).await;
        }
        if self.now_ms() < due_ms {
            return Ok(Turn::Aside(due_ms));
        }
        let told = self.named(here, reacted, state, told).await?;
        let wanted = if told.is_empty() { None } else { Some(self.wanted(here, reacted, &told).await?) };
        let Some(mut note) = current else {
            let Some(wanted) = wanted else { return self.end(leg, fence, ending).await };
            return self.post_note(here, reacted, &wanted, ending).await;
        };
        let recorded = leg.parts().iter().all(|part| part.part != note.part);
        let Some(wanted) = wanted else {
            if let Err(turn) = self.delete_notes(here, reacted, &mut ending).await? {
                return Ok(turn);
            }
            return self.end(leg, fence, ending).await;
        };
        if self.says(here, &note, &wanted) {
            if !recorded {
                ending.noted = Some((key(reacted), note));
            }
            return self.end(leg, fence, ending).await;
        }
        let spent = target.capabilities.max_edits.is_some_and(|most| note.edits >= most);
        if !spent {
            let post = Post { thread_root: note.thread_root.clone(), ..wanted.post.clone() };
            match self.edit_note(here, &note.message, post).await? {
                Outcome::Done(_) => note.edits += 1,
                // Somebody removed it. It stays away.
                Outcome::MessageGone(code) => ending.code = Some(code),
                Outcome::Refused(_) => {
                    if let Err(turn) = self.delete_notes(here, reacted, &mut ending).await? {
                        return Ok(turn);
                    }
                    return self.post_note(here, reacted, &wanted, ending).await;
                }
                outcome => return self.judge_at(&target.place, leg, fence, &outcome, ending).await,
            }
            (note.epoch, note.fingerprint) = wanted.fingerprint.unzip();
            note.version = Some(Version(self.now_ms()));
            self.0.parts.faults.hit("settle.before");
            leg.add_part(note.clone());
            ending.noted = Some((key(reacted), note));
            return self.end(leg, fence, ending).await;
        }
        if let Err(turn) = self.delete_notes(here, reacted, &mut ending).await? {
            return Ok(turn);
        }
        self.post_note(here, reacted, &wanted, ending).await
    }

    /// Whether a note says what it should. What it says can be told for about an hour; later it is written again.
    fn says(&self, here: &Here<'_>, note: &CopyRow, wanted: &Wanted) -> bool {
        let said = note.epoch.as_deref().zip(note.fingerprint.as_deref());
        said.is_some_and(|(epoch, digest)| {
            let body = dragoman_markup::canonical(&wanted.post.body);
            self.vault().same_fingerprint(&here.target.org, epoch, digest, &body) == Some(true)
        })
    }

    /// Removes notes in the conversation of a message that was deleted there, as far as that works now: nothing waits
    /// for it. What is gone.
    pub(crate) async fn unsay_notes(
        &self,
        leg: &Leg,
        source: &Spot,
        message: &RemoteMessage,
    ) -> Result<Vec<(ConversationId, RemoteMessage)>, RelayError> {
        let copies = self.store().copies((&source.id, message), &source.id).await?;
        let mut removed = Vec::new();
        for note in copies.into_iter().filter(is_note) {
            let (now_ms, installation) = (self.now_ms(), &source.place.session.installation.id);
            if self.with_breaker(installation, |breaker| breaker.admit(now_ms)).is_err() {
                break;
            }
            let gone = match self.call(leg, source, &deletion(source, &note)).await {
                Outcome::Done(_) | Outcome::MessageGone(_) | Outcome::Refused(_) | Outcome::Gone(_) => true,
                Outcome::Unknown(_) | Outcome::Retry { .. } | Outcome::SignIn(_) => false,
            };
            removed.extend(gone.then_some((source.id.clone(), note.message)));
        }
        Ok(removed)
    }

    async fn named(
        &self,
        here: &Here<'_>,
        reacted: &Reacted,
        state: &State,
        told: Vec<(Vec<u8>, Vec<&Reactor>)>,
    ) -> Result<Vec<Told>, RelayError> {
        let directory = self.directory();
        let mut named = Vec::with_capacity(told.len());
        let mut room = MOST_NAMED;
        // One more than are shown, so that it is known that there are more.
        for (index, (digest, reactors)) in told.into_iter().take(MOST_EMOJI + 1).enumerate() {
            let sealed = state.sealed.get(&digest).map(Vec::as_slice).unwrap_or_default();
            let Some(emoji) = self.open_emoji(here, reacted, &digest, sealed).await else { continue };
            let mut people = Vec::new();
            let mut others: BTreeMap<String, usize> = BTreeMap::new();
            for reactor in reactors {
                let Some(spot) = directory.spot(&reactor.at) else { continue };
                let platform = spot.place.connector.display_name();
                if people.len() >= MOST_NAMES || room == 0 || index >= MOST_EMOJI {
                    *others.entry(platform.to_owned()).or_default() += 1;
                    continue;
                }
                room -= 1;
                let profile = self.profile(spot, &reactor.user).await?;
                let name = shown_name(profile.as_ref().map(|profile| profile.name.as_str()));
                people.push((name, origin(platform, AuthorKind::Person, profile.as_deref())));
            }
            if !people.is_empty() || !others.is_empty() {
                named.push(Told { emoji, people, others });
            }
        }
        Ok(named)
    }

    async fn wanted(&self, here: &Here<'_>, reacted: &Reacted, told: &[Told]) -> Result<Wanted, RelayError> {
        let target = here.target;
        let threads = target.capabilities.level(Feature::ThreadReply) >= Level::Partial;
        let body: Document = reaction_plan::note(told, !threads, target.capabilities.text);
        let (conversation, message) = reacted.of();
        let part = reacted.next_note;
        // Equal for every leg that may say it, in this life and the next.
        let name = format!("reactions/{conversation}/{message}/{}", target.id);
        let marker = self.vault().marker(&target.org, &name, part).await?;
        let fingerprint = self.vault().fingerprint(&target.org, &dragoman_markup::canonical(&body));
        let root = reacted.thread_root.clone().unwrap_or_else(|| reacted.message.clone());
        let post = Post {
            conversation: target.conversation.remote.clone(),
            thread_root: Some(root).filter(|_| threads),
            broadcast: false,
            author: ShownAuthor { name: String::new(), via: String::new(), avatar_url: None },
            spokesman: Spokesman::App,
            body,
            marker,
        };
        Ok(Wanted { post, part, fingerprint })
    }

    async fn post_note(
        &self,
        here: &Here<'_>,
        reacted: &Reacted,
        wanted: &Wanted,
        mut ending: Ending,
    ) -> Result<Turn, RelayError> {
        let Here { leg, fence, target, .. } = *here;
        let (message, newest) = match self.say_note(here, &wanted.post).await? {
            Said::There(message, newest) => (message, newest),
            Said::Not(Outcome::MessageGone(code)) => {
                // Nobody sees what it would stand under.
                ending.code = Some(code);
                return self.end(leg, fence, ending).await;
            }
            Said::Not(outcome) => return self.judge_at(&target.place, leg, fence, &outcome, ending).await,
        };
        let mut note = CopyRow {
            conversation: target.id.clone(),
            part: wanted.part,
            message,
            thread_root: wanted.post.thread_root.clone(),
            spokesman: "app".to_owned(),
            edits: 0,
            // When it was written: the next edit gathers changes from then on.
            version: Some(Version(self.now_ms())),
            fingerprint: wanted.fingerprint.as_ref().map(|(_, digest)| digest.clone()),
            epoch: wanted.fingerprint.as_ref().map(|(epoch, _)| epoch.clone()),
            file: None,
            beside: None,
        };
        if !newest {
            match self.edit_note(here, &note.message, wanted.post.clone()).await? {
                Outcome::Done(_) => note.edits += 1,
                Outcome::MessageGone(code) | Outcome::Refused(code) => ending.code = Some(code),
                outcome => {
                    leg.set_doubt(Doubt::Grave);
                    return self.judge_at(&target.place, leg, fence, &outcome, ending).await;
                }
            }
        }
        self.0.parts.faults.hit("settle.before");
        // In memory before it is durable: a store that fails must not make it go out again.
        leg.add_part(note.clone());
        ending.noted = Some((key(reacted), note));
        self.end(leg, fence, ending).await
    }

    /// `Err`: the turn ends with that.
    async fn delete_notes(
        &self,
        here: &Here<'_>,
        reacted: &Reacted,
        ending: &mut Ending,
    ) -> Result<Result<(), Turn>, RelayError> {
        let Here { leg, fence, target, .. } = *here;
        for note in &reacted.notes {
            if let Some(until_ms) = self.shut(target) {
                return Ok(Err(Turn::Hold(until_ms)));
            }
            match self.call(leg, target, &deletion(target, note)).await {
                Outcome::Done(_) | Outcome::MessageGone(_) => {
                    ending.removed.push((target.id.clone(), note.message.clone()));
                }
                outcome => {
                    let outcome = certain(outcome);
                    let turn =
                        self.judge_at(&target.place, leg, fence, &outcome, Ending::delivered()).await?;
                    return Ok(Err(turn));
                }
            }
        }
        Ok(Ok(()))
    }

    async fn edit_note(
        &self,
        here: &Here<'_>,
        message: &RemoteMessage,
        post: Post,
    ) -> Result<Outcome, RelayError> {
        if let Some(until_ms) = self.shut(here.target) {
            let after_ms = u64::try_from(until_ms - self.now_ms()).unwrap_or_default();
            return Ok(Outcome::retry_after(after_ms, codes::TARGET_FAILED));
        }
        self.0.parts.faults.hit("send.before");
        let edit = Operation::Edit { message: message.clone(), post };
        Ok(certain(self.call(here.leg, here.target, &edit).await))
    }

    async fn say_note(&self, here: &Here<'_>, post: &Post) -> Result<Said, RelayError> {
        let Here { leg, target, .. } = *here;
        if let Some(until_ms) = self.shut(target) {
            let after_ms = u64::try_from(until_ms - self.now_ms()).unwrap_or_default();
            return Ok(Said::Not(Outcome::retry_after(after_ms, codes::TARGET_FAILED)));
        }
        let doubt = leg.set_doubt(Doubt::None);
        if doubt != Doubt::None {
            match self.look_for_note(here, post, false).await? {
                Sight::Found(found) => return Ok(Said::There(found.message, found.same)),
                Sight::Failed(failure) => {
                    leg.set_doubt(doubt);
                    return Ok(Said::Not(failure.into_outcome()));
                }
                Sight::Absent | Sight::Blind => {}
            }
        }
        self.0.parts.faults.hit("send.before");
        let expected = self.0.pending.expect(post.marker.clone());
        match self.call(leg, target, &Operation::Post(post.clone())).await {
            Outcome::Done(done) => Ok(match done.message {
                Some(message) => Said::There(message, true),
                None => Said::Not(Outcome::Refused(codes::TARGET_FAILED)),
            }),
            Outcome::Unknown(code) => self.note_in_doubt(here, post, expected, code).await,
            outcome => Ok(Said::Not(outcome)),
        }
    }

    /// Whether the doubt of a leg may be about the note of what it brought: what the process before this one sent was one
    /// if it had gathered long enough.
    pub(crate) fn may_be_noted(&self, leg: &Leg) -> bool {
        let received_ms = leg.event.row.received_ms;
        let began_ms = self.now_ms() - self.since_start_ms();
        let due_ms = received_ms.saturating_add(self.timing().gather_ms);
        leg.doubt() != Doubt::None && (received_ms >= began_ms || due_ms <= began_ms)
    }

    /// What a leg brought was taken back before it was known whether the note of it went out: one that did goes. `Some`:
    /// the turn ends with that.
    pub(crate) async fn unsay_lost_note(
        &self,
        here: &Here<'_>,
        place: &Arc<Place>,
        reacted: &Reacted,
    ) -> Result<Option<Turn>, RelayError> {
        let Here { leg, fence, source, target } = *here;
        let Heard::Changes((_, changes)) = self.hear(leg, place, source).await? else { return Ok(None) };
        let mut told = Vec::new();
        for change in changes.into_iter().filter(|change| change.set) {
            let profile = self.profile(source, &change.by).await?;
            let name = shown_name(profile.as_ref().map(|profile| profile.name.as_str()));
            let at = origin(source.place.connector.display_name(), AuthorKind::Person, profile.as_deref());
            told.push(Told { emoji: change.emoji, people: vec![(name, at)], others: BTreeMap::new() });
        }
        if told.is_empty() {
            return Ok(None);
        }
        let Wanted { post, .. } = self.wanted(here, reacted, &told).await?;
        let outcome = match self.look_for_note(here, &post, true).await? {
            Sight::Found(found) => {
                let thread_root = post.thread_root.clone();
                let conversation = post.conversation.clone();
                let spokesman = Spokesman::App;
                let delete =
                    Operation::Delete { conversation, message: found.message, thread_root, spokesman };
                certain(self.call(leg, target, &delete).await)
            }
            Sight::Failed(failure) => failure.into_outcome(),
            Sight::Absent | Sight::Blind => Outcome::done(),
        };
        if let Outcome::Retry { .. } | Outcome::SignIn(_) = outcome {
            return self.judge_at(&target.place, leg, fence, &outcome, Ending::delivered()).await.map(Some);
        }
        leg.set_doubt(Doubt::None);
        Ok(None)
    }

    async fn note_in_doubt(
        &self,
        here: &Here<'_>,
        post: &Post,
        mut expected: Expected<'_>,
        code: Code,
    ) -> Result<Said, RelayError> {
        let wait = Duration::from_millis(self.timing().echo_wait_ms);
        if let Ok(Some((message, _))) = tokio::time::timeout(wait, expected.wait()).await {
            return Ok(Said::There(message, true));
        }
        Ok(match self.look_for_note(here, post, true).await? {
            Sight::Found(found) => Said::There(found.message, found.same),
            Sight::Absent => Said::Not(Outcome::retry(code)),
            Sight::Blind => {
                let refused = self.by_policy(here.leg, here.target, Doubt::Grave);
                Said::Not(refused.unwrap_or_else(|| Outcome::retry(code)))
            }
            Sight::Failed(failure) => {
                here.leg.set_doubt(Doubt::Grave);
                Said::Not(failure.into_outcome())
            }
        })
    }

    /// Looks for a note that an earlier attempt may have left. Other than copies, notes look alike: one counts that
    /// says the same, or that carries its marker.
    async fn look_for_note(&self, here: &Here<'_>, post: &Post, twice: bool) -> Result<Sight, RelayError> {
        let Here { leg, target, .. } = *here;
        if !target.capabilities.read_back {
            return Ok(Sight::Blind);
        }
        let place = &target.place;
        let (session, conversation) = (&place.session, &target.conversation);
        let since_ms = leg.event.row.received_ms.min(self.now_ms()) - SKEW_MS;
        for again in [twice, false] {
            let found = match place.connector.find(session, conversation, post, since_ms).await {
                Ok(found) => found,
                Err(Failure::Refused(_) | Failure::Malformed(_)) => return Ok(Sight::Blind),
                Err(failure) => return Ok(Sight::Failed(failure)),
            };
            for candidate in found {
                if self.with_lanes(|lanes| lanes.whole_of(&leg.lane, &candidate.message)).is_some()
                    || self.store().original_of_copy(&target.id, &candidate.message).await?.is_some()
                {
                    continue;
                }
                if candidate.same {
                    return Ok(Sight::Found(candidate));
                }
                let root = post.thread_root.as_ref();
                let read = place.connector.message(session, conversation, root, &candidate.message).await;
                match read {
                    Ok(Some(message)) if is_note_of(&message, post) => return Ok(Sight::Found(candidate)),
                    Ok(_) | Err(Failure::Refused(_) | Failure::Malformed(_)) => {}
                    Err(failure) => return Ok(Sight::Failed(failure)),
                }
            }
            if !again {
                break;
            }
            self.pause_between_looks().await?;
        }
        Ok(Sight::Absent)
    }

    /// Until when nothing goes to the target, where that is so.
    fn shut(&self, target: &Spot) -> Option<i64> {
        let now_ms = self.now_ms();
        let installation = &target.place.session.installation.id;
        self.with_breaker(installation, |breaker| breaker.admit(now_ms)).err()
    }
}

fn key(reacted: &Reacted) -> (ConversationId, RemoteMessage) {
    (reacted.original.conversation.clone(), reacted.original.message.clone())
}

fn deletion(at: &Spot, note: &CopyRow) -> Operation {
    Operation::Delete {
        conversation: at.conversation.remote.clone(),
        message: note.message.clone(),
        thread_root: note.thread_root.clone(),
        spokesman: Spokesman::App,
    }
}

/// Edits and deletions may be done twice.
fn certain(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Unknown(code) => Outcome::retry(code),
        outcome => outcome,
    }
}

/// Whether a message of the app in the same thread is a note as it was before: by its marker or, where a platform carries
/// none, by what it begins with.
fn is_note_of(found: &Message, post: &Post) -> bool {
    match &found.origin.marker {
        Some(marker) => *marker == post.marker,
        None => found.origin.ours && byline::begins_alike(&found.body, post),
    }
}

#[cfg(test)]
mod tests {
    use dragoman_model::event::{Author, AuthorKind, Origin};
    use dragoman_model::{Inline, Marker, ShownAuthor};

    use super::*;

    fn note(text: &str) -> Post {
        Post {
            conversation: "c".into(),
            thread_root: Some("c0".into()),
            broadcast: false,
            author: ShownAuthor { name: String::new(), via: String::new(), avatar_url: None },
            spokesman: Spokesman::App,
            body: Document::plain(text),
            marker: Marker::new("m1"),
        }
    }

    fn found(body: Document, ours: bool, marker: Option<&str>) -> Message {
        Message {
            id: "c1".into(),
            thread_root: Some("c0".into()),
            broadcast: false,
            author: Author { user: None, kind: AuthorKind::Bot, name: None, avatar_url: None },
            body,
            files: Vec::new(),
            sent_at_ms: 0,
            edited_at_ms: None,
            version: None,
            origin: Origin { ours, marker: marker.map(Marker::new) },
        }
    }

    #[test]
    fn a_marker_decides_where_there_is_one() {
        let post = note("👍 Ana (Slack)");
        let with = |marker, text| is_note_of(&found(Document::plain(text), true, Some(marker)), &post);
        assert!(with("m1", "👍 Ana (Slack)") && with("m1", "🎉 Bo (Slack)"), "whatever it says");
        assert!(!with("m2", "👍 Ana (Slack)"), "another note that says the same");
    }

    #[test]
    fn without_a_marker_only_what_the_app_says_after_the_same_sign_counts() {
        let post = note("👍 Ana, Bo (Slack)");
        let of = |text: &str, ours| is_note_of(&found(Document::plain(text), ours, None), &post);
        assert!(of("👍 Ana (Slack)", true), "it was edited meanwhile");
        assert!(!of("👍 Ana (Slack)", false), "somebody else's");
        assert!(!of("🎉 Ana (Slack)", true) && !of("Ana (Slack) 👍", true), "another sign");
        assert!(!of("", true));
        let copy = Inline::Strong(vec![Inline::Text("Ana (Slack):".to_owned())]);
        let text = Inline::Text(" 👍".to_owned());
        let copy = Document { blocks: vec![dragoman_model::Block::Paragraph(vec![copy, text])] };
        assert!(!is_note_of(&found(copy, true, None), &post), "the app says it in somebody's name");
    }
}
