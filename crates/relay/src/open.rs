//! From a leg to its decoded event: unsealed and decoded once for all legs that run at the same time, or read
//! again from its source where the payload is no longer there.

use std::sync::Arc;

use dragoman_model::{Code, Event, EventKind, Happening, codes};
use dragoman_platform::Failure;
use dragoman_seal::{OpenError, SealedRecord};

use crate::core::Relay;
use crate::directory::{Place, Spot};
use crate::error::RelayError;
use crate::intake::header_of;
use crate::leg::{Leg, LiveEvent};

/// An event, or why there is none.
pub(crate) enum Opened {
    /// Here it is.
    Event(Arc<Event>),
    /// There will be none.
    Nothing(Code),
    /// Not now.
    Failed(Failure),
}

impl Relay {
    /// Opens the event of a leg.
    pub(crate) async fn open(
        &self,
        leg: &Leg,
        place: &Place,
        source: Option<&Spot>,
    ) -> Result<Opened, RelayError> {
        let live = &leg.event;
        let mut opened = live.opened().await;
        if let Some(event) = &*opened {
            return Ok(Opened::Event(Arc::clone(event)));
        }
        let result = match self.unseal(live).await? {
            Some(payload) => {
                let feed = live.row.feed.as_str();
                place.connector.open(&place.session, feed, &payload).await.map(Some)
            }
            None => match source {
                Some(source) if live.kind() == EventKind::Reaction => {
                    self.look_at_reactions(live, source).await?
                }
                Some(source) => reread(live, source, self.now_ms()).await,
                None => return Ok(Opened::Nothing(codes::NOT_REREADABLE)),
            },
        };
        match result {
            Ok(Some(event)) => {
                let event = Arc::new(dated(event, live, self.now_ms()));
                *opened = Some(Arc::clone(&event));
                Ok(Opened::Event(event))
            }
            Ok(None) => Ok(Opened::Nothing(codes::DELETED_MEANWHILE)),
            Err(Failure::Malformed(code)) => Ok(Opened::Nothing(code)),
            Err(failure) => Ok(Opened::Failed(failure)),
        }
    }

    /// Forgets the plain text of an event until its legs run again.
    pub(crate) async fn close(&self, leg: &Leg) {
        *leg.event.opened().await = None;
    }

    /// The payload of an event. `None`: it is not there any more.
    pub(crate) async fn unseal(
        &self,
        live: &LiveEvent,
    ) -> Result<Option<dragoman_seal::Content>, RelayError> {
        if !live.has_payload {
            return Ok(None);
        }
        let header = header_of(&live.row);
        let keyring = self.vault().keyring();
        let opened = if let Some(sealed) = live.sealed() {
            keyring.open_event(&header, &sealed.0, Some(&sealed.1))
        } else {
            let Some(payload) = self.store().payload(&live.row.id).await? else { return Ok(None) };
            let Some(secret) = self.0.parts.slots.read(payload.slot)? else {
                self.note_secretless(&live.row);
                return Ok(None);
            };
            keyring.open_event(&header, &SealedRecord::from_bytes(payload.record), Some(&secret))
        };
        match opened {
            Ok(content) => Ok(Some(content)),
            Err(OpenError::EpochGone | OpenError::SlotErased) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// When a deletion happened decides what is from before it. One that was found where a message was looked for
/// happened before now; when exactly, nobody told.
fn dated(event: Event, live: &LiveEvent, now_ms: i64) -> Event {
    let deleted = matches!(event.happening, Happening::Deleted { .. });
    let at_ms = match live.kind() {
        EventKind::Created if deleted => event.at_ms.max(now_ms),
        _ if event.at_ms > 0 => event.at_ms,
        _ => live.row.received_ms,
    };
    Event { at_ms, ..event }
}

/// The current state of the message at its source, as the event that its row names. `None`: it is gone.
pub(crate) async fn reread(live: &LiveEvent, source: &Spot, now_ms: i64) -> Result<Option<Event>, Failure> {
    let row = &live.row;
    let Some(message) = &row.message else { return Err(Failure::Malformed(codes::NOT_REREADABLE)) };
    let event = |happening| Event {
        conversation: Some(source.conversation.remote.clone()),
        at_ms: row.at_ms,
        happening,
    };
    let thread_root = row.thread_root.clone();
    match live.kind() {
        EventKind::Deleted => Ok(Some(event(Happening::Deleted { message: message.clone(), thread_root }))),
        EventKind::Created | EventKind::Changed => {
            let connector = &source.place.connector;
            let capabilities =
                connector.capabilities(&source.place.session.installation, &source.conversation);
            if !capabilities.reread {
                return Err(Failure::Refused(codes::NOT_REREADABLE));
            }
            let session = &source.place.session;
            let current =
                connector.message(session, &source.conversation, thread_root.as_ref(), message).await?;
            Ok(match (current, live.kind()) {
                (Some(message), EventKind::Created) => Some(event(Happening::Posted(Box::new(message)))),
                (Some(after), _) => Some(event(Happening::Changed { after: Box::new(after), before: None })),
                (None, EventKind::Created) => None,
                (None, _) => {
                    let gone = event(Happening::Deleted { message: message.clone(), thread_root });
                    Some(Event { at_ms: now_ms, ..gone })
                }
            })
        }
        EventKind::Reaction | EventKind::Offer | EventKind::Conversation | EventKind::Control => {
            Err(Failure::Malformed(codes::NOT_REREADABLE))
        }
    }
}
