//! Answers of the app. They are notes like others: durable, in the lane of the person's chat, said once, and no other
//! person's command waits for them.

use dragoman_model::{Document, Event, Message, RemoteMessage};
use dragoman_store::LaneId;

use super::acquaint::Party;
use crate::core::Relay;
use crate::directory::Spot;
use crate::error::RelayError;
use crate::notes::{Note, Occasion};

/// What is heard so long after it was said came late, in milliseconds; clocks differ by less.
const LATE_MS: i64 = 10_000;

/// What a person asks the app for.
pub(crate) struct Request {
    /// The message, or what stands for one.
    pub(crate) id: RemoteMessage,
    /// When, milliseconds since 1970 by the platform's clock.
    pub(crate) at_ms: i64,
    /// Whether it was given to the platform's own command, not written in the chat.
    pub(crate) given: bool,
    /// Where it is answered instead of in the chat, in the connector's words.
    pub(crate) answer_at: Option<String>,
}

impl Request {
    pub(crate) fn of(message: &Message, event: &Event) -> Self {
        // Some events bear the time of their sending.
        let written_ms = if message.sent_at_ms > 0 { message.sent_at_ms } else { event.at_ms };
        let at_ms = event.at_ms.min(written_ms);
        Self { id: message.id.clone(), at_ms, given: false, answer_at: None }
    }

    /// Whether it is heard so long after it was said that it may answer something else by now.
    pub(crate) fn is_late(&self, now_ms: i64) -> bool {
        self.at_ms > 0 && now_ms - self.at_ms >= LATE_MS
    }

    /// Since when nothing of them is meant for those whom they leave.
    pub(crate) fn left_ms(&self, now_ms: i64) -> i64 {
        if self.at_ms > 0 { self.at_ms.min(now_ms) } else { now_ms }
    }
}

impl Relay {
    /// Answers a request, once.
    pub(crate) async fn answer(
        &self,
        here: &Party,
        request: &Request,
        words: Document,
    ) -> Result<(), RelayError> {
        let note = Note { answer_at: request.answer_at.clone(), ..Note::words(words) };
        self.tell_chat(&here.spot, &format!("answer/{}", request.id), note).await
    }

    /// Tells somebody what another one's request means for them, once.
    pub(crate) async fn tell_party(
        &self,
        there: &Party,
        request: &Request,
        words: Document,
    ) -> Result<(), RelayError> {
        self.tell_chat(&there.spot, &format!("told/{}", request.id), Note::words(words)).await
    }

    /// Tells somebody that another one left, once. Of what the same request opens they are told beside it.
    pub(crate) async fn tell_left(
        &self,
        there: &Party,
        request: &Request,
        words: Document,
    ) -> Result<(), RelayError> {
        self.tell_chat(&there.spot, &format!("left/{}", request.id), Note::words(words)).await
    }

    /// Says the first words of somebody to another, in their name, if there are any.
    pub(crate) async fn pass_on(
        &self,
        by: &Party,
        there: &Party,
        request: &Request,
        first: &str,
    ) -> Result<(), RelayError> {
        if first.is_empty() {
            return Ok(());
        }
        let words = Document::plain(first).normalise();
        let note = Note { by: Some((by.name.clone(), by.on().to_owned())), ..Note::words(words) };
        let key = format!("direct/{}/words/{}", there.id(), request.id);
        let lanes = vec![LaneId::Conversation(there.id().clone())];
        let once_for_ms = self.timing().redelivery_ms;
        self.note_unbridged(Occasion { about: &by.spot, lanes, key: &key, once_for_ms }, &note).await?;
        Ok(())
    }

    /// Says something in a chat, once for this key.
    pub(crate) async fn tell_chat(&self, spot: &Spot, key: &str, note: Note) -> Result<(), RelayError> {
        let key = format!("direct/{}/{key}", spot.id);
        let lanes = vec![LaneId::Conversation(spot.id.clone())];
        let once_for_ms = self.timing().redelivery_ms;
        self.note_unbridged(Occasion { about: spot, lanes, key: &key, once_for_ms }, &note).await?;
        Ok(())
    }
}
