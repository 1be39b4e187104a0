//! Lines of our own: who joined, and what a sender has to know. They are events like any other, sealed, durable and in
//! their lane, with the usual ladder; but no person says them, so they carry no name, are in no map, and one that cannot
//! be posted is nobody's lost message.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use dragoman_model::{
    Block, BridgeId, Document, EventId, EventKind, Inline, Operation, Outcome, Post, RemoteMessage,
    RemoteUser, ShownAuthor, Spokesman, codes,
};
use dragoman_seal::Content;
use dragoman_store::{EventRow, LaneId};

use crate::activity::Stage;
use crate::core::Relay;
use crate::direct::{pack, unpack};
use crate::directory::Spot;
use crate::error::RelayError;
use crate::leg::Leg;
use crate::plan::Step;
use crate::settle::Ending;
use crate::turn::Turn;

/// The feed of notes, which no connector has.
const FEED: &str = "note";
/// The feed of somebody's first words, which are notes in their name.
const WORDS: &str = "words";
/// Between the fields of a note; no text has it.
const FIELDS: char = '\u{1f}';
/// Before a text that is more than a line.
const RICH: char = '\u{1c}';

/// A line of ours.
#[derive(Clone, Default)]
pub(crate) struct Note {
    /// What it says.
    pub(crate) text: String,
    /// The same in several paragraphs and with things to type; then nothing is in `text`.
    pub(crate) words: Option<Document>,
    /// Whose words these are, by name and platform, where they are not ours.
    pub(crate) by: Option<(String, String)>,
    /// Where it is said instead, if that is still possible, in the connector's words.
    pub(crate) answer_at: Option<String>,
    /// The thread that it goes into.
    pub(crate) thread_root: Option<RemoteMessage>,
    /// The thread in which the one whom it concerns sees it, where nobody else does: only a reply's own, because nobody
    /// looks into the thread of a message without replies.
    pub(crate) reply_root: Option<RemoteMessage>,
    /// Whom alone it concerns: where the platform can, nobody else sees it.
    pub(crate) only_for: Option<RemoteUser>,
}

/// Where a note belongs, and how often it is said.
pub(crate) struct Occasion<'a> {
    /// The conversation that it is about.
    pub(crate) about: &'a Spot,
    /// Into which lanes it goes.
    pub(crate) lanes: Vec<LaneId>,
    /// Notes with the same key are said once.
    pub(crate) key: &'a str,
    /// For so long, in milliseconds.
    pub(crate) once_for_ms: i64,
}

impl Note {
    /// What the app says in a chat of its own.
    pub(crate) fn words(words: Document) -> Self {
        Self { words: Some(words), ..Self::default() }
    }

    fn pack(&self) -> Content {
        let id = |id: Option<&str>| id.unwrap_or_default().to_owned();
        let (by, via) = self.by.clone().unwrap_or_default();
        let text = match &self.words {
            Some(words) => format!("{RICH}{}", pack(words)),
            None => self.text.clone(),
        };
        let fields = [
            id(self.thread_root.as_ref().map(RemoteMessage::as_str)),
            id(self.reply_root.as_ref().map(RemoteMessage::as_str)),
            id(self.only_for.as_ref().map(RemoteUser::as_str)),
            by,
            via,
            id(self.answer_at.as_deref()),
            text,
        ];
        let fields = fields.map(|field| field.replace(FIELDS, ""));
        Content::new(fields.join("\u{1f}").into_bytes())
    }

    fn unpack(content: &Content) -> Option<Self> {
        let text = std::str::from_utf8(content.expose()).ok()?;
        let fields: Vec<&str> = text.splitn(7, FIELDS).collect();
        let [root, reply, user, by, via, answer_at, text] = fields[..] else { return None };
        let filled = |field: &str| (!field.is_empty()).then(|| field.to_owned());
        let words = text.strip_prefix(RICH);
        Some(Self {
            text: if words.is_some() { String::new() } else { text.to_owned() },
            words: words.map(unpack),
            by: filled(by).map(|by| (by, via.to_owned())),
            answer_at: filled(answer_at),
            thread_root: filled(root).map(|root| root.as_str().into()),
            reply_root: filled(reply).map(|reply| reply.as_str().into()),
            only_for: filled(user).map(|user| user.as_str().into()),
        })
    }

    /// In italics and without a name: nobody said it.
    fn body(&self) -> Document {
        if let Some(words) = &self.words {
            return words.clone();
        }
        let line = Inline::Emphasis(vec![Inline::Text(self.text.clone())]);
        Document { blocks: vec![Block::Paragraph(vec![line])] }
    }
}

/// Whether an event is a note.
pub(crate) fn is_note(event: &EventRow) -> bool {
    event.feed == FEED || is_words(event)
}

/// Whether a note is what somebody said.
fn is_words(event: &EventRow) -> bool {
    event.feed == WORDS
}

/// A note that cannot be posted is dropped: a dead letter is something that a person wrote.
pub(crate) fn settled(leg: &Leg, ending: Ending) -> Ending {
    if is_note(&leg.event.row) && ending.stage == Stage::Dead {
        Ending { stage: Stage::Dropped, ..ending }
    } else {
        ending
    }
}

impl Relay {
    /// Accepts a note of ours. `false`: it was said already.
    pub(crate) async fn note(&self, occasion: Occasion<'_>, note: &Note) -> Result<bool, RelayError> {
        let Some(route) = self.directory().route(&occasion.about.id).cloned() else { return Ok(false) };
        self.take_note(Some(route.bridge.clone()), occasion, note).await
    }

    /// The same where nothing is linked, or whatever is: what the app says in a chat of its own.
    pub(crate) async fn note_unbridged(
        &self,
        occasion: Occasion<'_>,
        note: &Note,
    ) -> Result<bool, RelayError> {
        self.take_note(None, occasion, note).await
    }

    async fn take_note(
        &self,
        bridge: Option<BridgeId>,
        occasion: Occasion<'_>,
        note: &Note,
    ) -> Result<bool, RelayError> {
        let about = occasion.about;
        let now_ms = self.now_ms();
        let event = EventRow {
            id: EventId::fresh(now_ms, &**self.random()),
            org: about.org.clone(),
            installation: about.place.session.installation.id.clone(),
            bridge,
            conversation: Some(about.id.clone()),
            message: None,
            thread_root: None,
            kind: EventKind::Conversation.as_str().to_owned(),
            feed: if note.by.is_some() { WORDS } else { FEED }.to_owned(),
            at_ms: now_ms,
            received_ms: now_ms,
        };
        let key = format!("note/{}", occasion.key);
        let until_ms = now_ms.saturating_add(occasion.once_for_ms);
        self.accept_own(event, &note.pack(), occasion.lanes, &key, until_ms).await
    }

    /// Posts a note.
    pub(crate) async fn note_turn(
        &self,
        leg: &Arc<Leg>,
        fence: i64,
        target: &Spot,
    ) -> Result<Turn, RelayError> {
        let Some(payload) = self.unseal(&leg.event).await? else {
            return self.end(leg, fence, Ending::dropped(codes::NOT_REREADABLE)).await;
        };
        let Some(note) = Note::unpack(&payload) else {
            return self.end(leg, fence, Ending::dropped(codes::MALFORMED)).await;
        };
        if note.thread_root.is_some() && leg.rootless.load(Ordering::Relaxed) {
            // What it is about is gone.
            return self.end(leg, fence, Ending::dropped(codes::MESSAGE_GONE)).await;
        }
        let threads =
            target.capabilities.level(dragoman_model::Feature::ThreadReply) >= dragoman_model::Level::Partial;
        let (name, via) = note.by.clone().unwrap_or_else(|| ("Dragoman".to_owned(), String::new()));
        let post = Post {
            conversation: target.conversation.remote.clone(),
            thread_root: note.thread_root.clone().filter(|_| threads),
            broadcast: false,
            author: ShownAuthor { name, via, avatar_url: None },
            spokesman: Spokesman::App,
            body: note.body(),
            marker: self.vault().marker(&target.org, leg.id.as_str(), 0).await?,
        };
        if let Some(answer_at) = &note.answer_at {
            let place = &target.place;
            match place.connector.answer(&place.session, answer_at, &post.body).await {
                Outcome::Done(_) => return self.end(leg, fence, Ending::delivered()).await,
                Outcome::Retry { after_ms: after_ms @ Some(_), code, whole_installation } => {
                    let outcome = Outcome::Retry { after_ms, code, whole_installation };
                    return self.judge_at(place, leg, fence, &outcome, Ending::delivered()).await;
                }
                // In the chat, then. Said twice is better than not at all.
                _ => {}
            }
        }
        if let Some(user) = &note.only_for {
            let place = &target.place;
            let now_ms = self.now_ms();
            let installation = &place.session.installation.id;
            if let Err(until_ms) = self.with_breaker(installation, |breaker| breaker.admit(now_ms)) {
                return Ok(Turn::Hold(until_ms));
            }
            let whisper = Post { thread_root: note.reply_root.clone().filter(|_| threads), ..post.clone() };
            let outcome = place.connector.whisper(&place.session, &target.conversation, user, &whisper).await;
            match outcome {
                Outcome::Done(_) => return self.end(leg, fence, Ending::delivered()).await,
                // It may have been seen, and nobody can look: it is not worth saying twice.
                Outcome::Unknown(_) => {
                    return self.end(leg, fence, Ending::dropped(codes::MAYBE_LOST)).await;
                }
                Outcome::Retry { .. } | Outcome::SignIn(_) => {
                    self.with_breaker(installation, |breaker| breaker.learn(&outcome, now_ms));
                    return self.judge_at(place, leg, fence, &outcome, Ending::delivered()).await;
                }
                // Not to them alone: in the thread, then.
                Outcome::Refused(_) | Outcome::Gone(_) | Outcome::MessageGone(_) => {}
            }
        }
        let step = Step::new(Operation::Post(post), 0);
        self.do_steps(leg, fence, target, target, vec![step], Ending::delivered()).await
    }
}

impl Relay {
    /// Somebody's first words that are not said are known to them.
    pub(crate) async fn tell_unsaid(&self, leg: &Leg, ending: &Ending) {
        let row = &leg.event.row;
        if !is_words(row) || ending.stage == Stage::Delivered {
            return;
        }
        let directory = self.directory();
        let Some(spot) = row.conversation.as_ref().and_then(|id| directory.spot(id)) else { return };
        let code = ending.code.unwrap_or(codes::REFUSED);
        let text = format!("Your first words were not delivered ({code}). Please say them again.");
        let note = Note { text, ..Note::default() };
        if let Err(error) = self.tell_chat(spot, &format!("unsaid/{}", leg.id), note).await {
            tracing::warn!(leg = %leg.id, code = %error.code(), "somebody could not be told: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_survive_packing() {
        let note = Note {
            text: "Ana joined\u{1f} #general".to_owned(),
            thread_root: None,
            reply_root: Some("m1".into()),
            only_for: Some("U1".into()),
            ..Note::default()
        };
        let back = Note::unpack(&note.pack());
        assert!(back.is_some_and(|back| back.text == "Ana joined #general"
            && back.thread_root.is_none()
            && back.reply_root == note.reply_root
            && back.only_for == note.only_for));
        assert!(Note::unpack(&Content::copied_from(b"nonsense")).is_none());

        let words = Document::plain("one\ntwo").normalise();
        let by = Some(("Ana".to_owned(), "Fax".to_owned()));
        let said = Note { by: by.clone(), answer_at: Some("there".to_owned()), ..Note::words(words.clone()) };
        let back = Note::unpack(&said.pack());
        assert!(back.is_some_and(|back| back.body() == words
            && back.by == by
            && back.answer_at == said.answer_at
            && back.text.is_empty()));
    }
}
