//! Turns of legs that name no conversation, and the end of what was said to the app.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use dragoman_model::{Event, EventKind, Happening, codes};

use crate::admit::message_of;
use crate::core::Relay;
use crate::direct::Heard;
use crate::directory::{Bridge, Place, Spot};
use crate::error::RelayError;
use crate::leg::Leg;
use crate::notes::is_note;
use crate::open::Opened;
use crate::settle::{Ending, Fate};
use crate::turn::{Turn, nothing};

impl Relay {
    pub(crate) async fn control_turn(
        &self,
        leg: &Arc<Leg>,
        fence: i64,
        place: &Arc<Place>,
    ) -> Result<Turn, RelayError> {
        let event = match self.open(leg, place, None).await? {
            Opened::Event(event) => event,
            Opened::Nothing(code) => return self.end(leg, fence, nothing(leg, code)).await,
            Opened::Failed(failure) => {
                let outcome = failure.into_outcome();
                return self.judge_at(place, leg, fence, &outcome, Ending::delivered()).await;
            }
        };
        if let Happening::Notice(notice) = &event.happening {
            return self.notice_turn(leg, fence, place, &event, notice).await;
        }
        if let Some(chat) = chat_key(place, &event) {
            let desk = &self.0.direct;
            if let Some(until_ms) = desk.waits(&chat, leg.place, self.now_ms()) {
                leg.only_time.store(true, Ordering::Relaxed);
                return Ok(Turn::Aside(until_ms));
            }
            let heard = self.heard(place, &event).await?;
            let turn = self.end_heard(leg, fence, place, heard, None).await?;
            // What fails for one person is nothing for others to wait for.
            let Turn::Later(until_ms, _) = turn else {
                desk.done(&chat, leg.place);
                return Ok(turn);
            };
            desk.wait(&chat, leg.place, until_ms);
            leg.only_time.store(true, Ordering::Relaxed);
            return Ok(Turn::Aside(until_ms));
        }
        let code = self.obey(place, &event).await?;
        let ending = code.map_or_else(Ending::delivered, Ending::dropped);
        self.end(leg, fence, ending).await
    }

    /// What was accepted for a conversation that is over by now, or that its author left: of people's own only a command
    /// is heard, which may be the very one that ended it and was interrupted.
    pub(crate) async fn parted_turn(
        &self,
        leg: &Arc<Leg>,
        fence: i64,
        source: &Spot,
        bridge: &Bridge,
    ) -> Result<Turn, RelayError> {
        let over = Ending::dropped(codes::UNBRIDGED);
        if bridge.row.talk.is_none() || leg.event.kind() != EventKind::Created || is_note(&leg.event.row) {
            return self.end(leg, fence, over).await;
        }
        let event = match self.open(leg, &source.place, Some(source)).await? {
            Opened::Event(event) => event,
            Opened::Nothing(_) => return self.end(leg, fence, over).await,
            Opened::Failed(failure) => {
                let outcome = failure.into_outcome();
                return self.judge_at(&source.place, leg, fence, &outcome, over).await;
            }
        };
        match self.heard_within(&event, source, bridge).await? {
            Some(heard) => self.end_heard(leg, fence, &source.place, heard, Some((source, &event))).await,
            None => self.end(leg, fence, over).await,
        }
    }

    /// Ends a leg with something that was said to the app; `within` an open conversation it is remembered as over, so
    /// that catching up does not say it again.
    pub(crate) async fn end_heard(
        &self,
        leg: &Arc<Leg>,
        fence: i64,
        place: &Arc<Place>,
        heard: Heard,
        within: Option<(&Spot, &Event)>,
    ) -> Result<Turn, RelayError> {
        match heard {
            Heard::Over(code) => {
                let fate = within.and_then(|(source, event)| {
                    let message = message_of(event)?;
                    Some(Fate { died_ms: event.at_ms, ..Fate::of(&source.id, message.id.clone()) })
                });
                self.end(leg, fence, Ending { fate, ..Ending::dropped(code) }).await
            }
            Heard::Failed(failure) => {
                self.judge_at(place, leg, fence, &failure.into_outcome(), Ending::delivered()).await
            }
        }
    }
}

/// What tells the chat of somebody who speaks to the app from others. `None`: nobody does.
fn chat_key(place: &Place, event: &Event) -> Option<String> {
    let installation = &place.session.installation.id;
    match (&event.happening, &event.conversation) {
        (Happening::Posted(_), Some(conversation)) => Some(format!("{installation} {conversation}")),
        (Happening::Asked(asked), _) => Some(format!("{installation} of {}", asked.user)),
        _ => None,
    }
}
