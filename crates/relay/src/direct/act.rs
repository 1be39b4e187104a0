//! What people say to the app, and what is done about it. One thing at a time: two who answer each other at the same
//! moment must not end up in two conversations.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use dragoman_model::{
    AuthorKind, Code, ConversationId, Document, Event, EventKind, Happening, InstallationId, Message, OrgId,
    Outcome, RemoteConversation, RemoteUser, codes,
};
use dragoman_platform::{App, Failure, Item};
use dragoman_store::BridgeState;

use super::acquaint::Party;
use super::command::{Command, Who, parse};
use super::stance::{Stance, is_direct, peers, stance};
use super::words::{self, Say, text};
use crate::admit::Known;
use crate::core::Relay;
use crate::directory::{Bridge, Place, Spot};
use crate::error::RelayError;

/// What was no command is answered so often at most, in milliseconds.
const HINT_MS: i64 = 60_000;
/// The subscriptions of installations without a bridge are looked at so often, in milliseconds.
const WATCH_MS: i64 = 180_000;
/// Chats of which the last such answer is remembered.
const HINTED: usize = 10_000;

/// What the parts of this module share.
#[derive(Default)]
pub(crate) struct Desk {
    acting: Mutex<BTreeMap<OrgId, Arc<tokio::sync::Mutex<()>>>>,
    hinted: Mutex<BTreeMap<String, i64>>,
}

impl Desk {
    /// What is held while something is done for people of an organisation.
    fn acting(&self, org: &OrgId) -> Arc<tokio::sync::Mutex<()>> {
        let mut acting = self.acting.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(acting.entry(org.clone()).or_default())
    }

    /// Whether something of this name was not said for so long. It counts as said now.
    pub(crate) fn is_due(&self, what: String, now_ms: i64, pause_ms: i64) -> bool {
        let mut hinted = self.hinted.lock().unwrap_or_else(PoisonError::into_inner);
        if hinted.get(&what).is_some_and(|said_ms| now_ms < said_ms + pause_ms) {
            return false;
        }
        if hinted.len() >= HINTED {
            hinted.clear();
        }
        hinted.insert(what, now_ms);
        true
    }

    fn was_said(&self, what: &str) -> bool {
        self.hinted.lock().unwrap_or_else(PoisonError::into_inner).contains_key(what)
    }
}

/// What became of something that was said to the app.
pub(crate) enum Heard {
    /// There is no more to do, and why it is not relayed.
    Over(Code),
    /// It is heard again later, or never.
    Failed(Failure),
}

/// Why something could not be done.
pub(crate) enum Hitch {
    /// Ours.
    Relay(RelayError),
    /// A platform's.
    Platform(Failure),
}

impl From<RelayError> for Hitch {
    fn from(error: RelayError) -> Self {
        Self::Relay(error)
    }
}

impl From<Failure> for Hitch {
    fn from(failure: Failure) -> Self {
        Self::Platform(failure)
    }
}

impl From<dragoman_store::StoreError> for Hitch {
    fn from(error: dragoman_store::StoreError) -> Self {
        Self::Relay(error.into())
    }
}

impl Relay {
    /// Whether an item of a conversation in no active bridge is something that a person says to the app.
    pub(crate) fn is_for_app(&self, app: &App, installation: &InstallationId, item: &Item) -> bool {
        let directory = self.directory();
        item.kind == EventKind::Created
            && directory
                .place(installation)
                .is_some_and(|place| place.connector.is_for_app(&place.session.installation, item))
            && directory.policy(&app.org).direct_messages
    }

    /// Sees to it that people are heard by installations in which nothing is bridged: the others are watched anyway.
    pub(crate) fn watch_apps(&self) {
        let directory = self.directory();
        let bridged = directory.bridged();
        let bridged: BTreeSet<&InstallationId> =
            bridged.iter().filter_map(|id| directory.spot(id).map(|spot| &spot.row.installation)).collect();
        for place in directory.places() {
            let installation = &place.session.installation;
            let due = || self.0.direct.is_due(format!("watch {}", installation.id), self.now_ms(), WATCH_MS);
            let heard = directory.policy(&installation.org).direct_messages && place.trouble.is_none();
            if !heard || bridged.contains(&installation.id) || !due() {
                continue;
            }
            let place = Arc::clone(place);
            self.0.parts.tasks.spawn(async move {
                if let Err(failure) = place.connector.watch_app(&place.session).await {
                    let installation = &place.session.installation.id;
                    tracing::warn!(%installation, code = %failure.code(), "what people say to the app is not subscribed to: {failure}");
                }
            });
        }
    }

    /// Hears what was said while no conversation was open.
    pub(crate) async fn heard(
        &self,
        place: &Arc<Place>,
        event: &Event,
        message: &Message,
    ) -> Result<Heard, RelayError> {
        let (Some(remote), Some(user)) = (&event.conversation, &message.author.user) else {
            return Ok(Heard::Over(codes::KIND));
        };
        if message.origin.ours || message.origin.marker.is_some() {
            return Ok(Heard::Over(codes::ECHO));
        }
        if message.author.kind != AuthorKind::Person {
            return Ok(Heard::Over(codes::FOREIGN_BOT));
        }
        let acting = self.0.direct.acting(&place.session.installation.org);
        let _acting = acting.lock().await;
        // Some platforms tell of one message twice, under two names.
        let what = format!("{} {remote} {}", place.session.installation.id, message.id);
        if self.0.direct.was_said(&what) {
            return Ok(Heard::Over(codes::SEEN));
        }
        let heard = self.heard_once(place, (remote, user), message).await?;
        if matches!(heard, Heard::Over(_)) {
            self.0.direct.is_due(what, self.now_ms(), 0);
        }
        Ok(heard)
    }

    async fn heard_once(
        &self,
        place: &Arc<Place>,
        (remote, user): (&RemoteConversation, &RemoteUser),
        message: &Message,
    ) -> Result<Heard, RelayError> {
        let id = match self.chat_of(place, user, Some(remote), &Document::default()).await {
            Ok((id, _)) => id,
            Err(Hitch::Relay(error)) => return Err(error),
            Err(Hitch::Platform(failure)) => return Ok(Heard::Failed(failure)),
        };
        let Some(here) = self.party(&id).await? else { return Ok(Heard::Over(codes::UNBRIDGED)) };
        if !self.is_allowed(&here.spot, here.email.as_deref(), here.guest) {
            let now_ms = self.now_ms();
            if self.0.direct.is_due(id.to_string(), now_ms, HINT_MS) {
                let no = text(&[Say::Text("Your organisation does not allow direct conversations for you.")]);
                self.say(&here.spot, &no).await?;
            }
            return Ok(Heard::Over(codes::NOT_OPEN));
        }
        match parse(&message.body, false) {
            Some(command) => self.obeyed(&here, command).await,
            None => self.hint(&here).await,
        }
    }

    /// Hears what was said in an open conversation, if it is a command.
    pub(crate) async fn heard_within(
        &self,
        event: &Event,
        source: &Spot,
        target: &Spot,
    ) -> Result<Option<Heard>, RelayError> {
        let Happening::Posted(message) = &event.happening else { return Ok(None) };
        if !are_linked(source, target) {
            return Ok(None);
        }
        let Some(command) = parse(&message.body, true) else { return Ok(None) };
        let acting = self.0.direct.acting(&source.org);
        let _acting = acting.lock().await;
        let Some(here) = self.party(&source.id).await? else { return Ok(None) };
        self.obeyed(&here, command).await.map(Some)
    }

    /// Does what a command says and answers it.
    async fn obeyed(&self, here: &Party, command: Command) -> Result<Heard, RelayError> {
        let done = match command {
            Command::Help => Ok(words::help()),
            Command::List => self.list_people(here).await,
            Command::Ask { who, on, words } => self.ask(here, who, on.as_deref(), &words).await,
            Command::Accept(who) => self.agree(here, who).await,
            Command::Close => self.close_open(here).await,
            Command::Block(who) => self.block(here, who).await,
            Command::Unblock(who) => self.unblock(here, who).await,
        };
        let answer = match done {
            Ok(answer) => answer,
            Err(Hitch::Relay(error)) => return Err(error),
            // Not tried again by us: what else is said here would wait for a platform that has nothing to do with it.
            Err(Hitch::Platform(failure)) => {
                let code = failure.code().to_string();
                let why = match failure {
                    Failure::Retry { .. } => "The other platform does not answer. Try again in a minute (",
                    _ => "This could not be done: the other platform refuses it (",
                };
                text(&[Say::Text(why), Say::Type(&code), Say::Text(").")])
            }
        };
        Ok(match self.say(&here.spot, &answer).await? {
            Outcome::Retry { after_ms, code, .. } => Heard::Failed(Failure::Retry { after_ms, code }),
            _ => Heard::Over(codes::COMMAND),
        })
    }

    /// Answers what was no command.
    async fn hint(&self, here: &Party) -> Result<Heard, RelayError> {
        let now_ms = self.now_ms();
        let directory = self.directory();
        let late = directory.route(here.id()).is_some();
        if !late && !self.0.direct.is_due(here.id().to_string(), now_ms, HINT_MS) {
            return Ok(Heard::Over(codes::NOT_OPEN));
        }
        let answer = if late {
            text(&[Say::Text(
                "Your last message came before the conversation was open and was not delivered. Please send it again.",
            )])
        } else if directory.living_bridge(here.id()).is_some_and(|it| it.row.state == BridgeState::Paused) {
            text(&[Say::Text(
                "An administrator paused this conversation. What you write here is not delivered until it goes on.",
            )])
        } else {
            let mut waits = None;
            for (peer, mine) in peers(here.facts()) {
                let Some(there) = directory.spot(&peer) else { continue };
                let asked = matches!(stance(&there.row.facts, here.id()), Some(Stance::Asked(_)));
                if matches!(mine, Stance::Willing(_)) && asked {
                    waits = self.party(&peer).await?;
                }
            }
            match waits {
                Some(there) => text(&[
                    Say::Text("Nothing is open. "),
                    Say::Name(&there.name),
                    Say::Text(" has not answered yet; what you write here is not delivered. "),
                    Say::Type("help"),
                    Say::Text(" says what you can do."),
                ]),
                None => words::help(),
            }
        };
        self.say(&here.spot, &answer).await?;
        Ok(Heard::Over(codes::NOT_OPEN))
    }

    async fn list_people(&self, here: &Party) -> Result<Document, Hitch> {
        let directory = self.directory();
        let open = directory.living_bridge(here.id());
        let mut lines = Vec::new();
        for (number, (peer, mine)) in peers(here.facts()).into_iter().enumerate() {
            let Some(there) = self.party(&peer).await? else { continue };
            let theirs = stance(there.facts(), here.id());
            let state = match (mine, theirs) {
                _ if open.is_some_and(|bridge| bridge.row.members.contains(&peer)) => "open".to_owned(),
                (Stance::Blocked(_), _) => "blocked by you".to_owned(),
                (Stance::Asked(_), _) => format!("asks you: dm accept {n} or dm block {n}", n = number + 1),
                (Stance::Willing(_), Some(Stance::Willing(_))) => {
                    format!("not open: dm {} opens it", number + 1)
                }
                (Stance::Willing(_), Some(_)) => "asked by you, no answer yet".to_owned(),
                (Stance::Willing(_), None) => format!("not open: dm {} asks again", number + 1),
            };
            let address = there.email.as_ref().map(|email| format!(", {email}")).unwrap_or_default();
            lines.push(words::line(&[
                Say::Text(&format!("{}. ", number + 1)),
                Say::Name(&there.name),
                Say::Text(&format!(" ({}{address}): {state}", there.on())),
            ]));
        }
        if lines.is_empty() {
            return Ok(text(&[
                Say::Text("There is nobody yet. "),
                Say::Type("dm name@example.com"),
                Say::Text(" asks somebody for a conversation."),
            ]));
        }
        Ok(Document { blocks: lines }.normalise())
    }

    async fn close_open(&self, here: &Party) -> Result<Document, Hitch> {
        let Some((bridge, peer)) = self.open_with(here.id()) else {
            return Ok(text(&[Say::Text("Nothing is open.")]));
        };
        self.put_stance(here.id(), &peer, None).await?;
        let name = self.end_between(here, &bridge, &peer, "ended this conversation").await?;
        Ok(text(&[Say::Text("Your conversation with "), Say::Name(&name), Say::Text(" has ended.")]))
    }

    async fn block(&self, here: &Party, who: Option<Who>) -> Result<Document, Hitch> {
        let open = self.open_with(here.id());
        let peer = match who {
            Some(who) => self.listed(here, &who).await?,
            None => open.as_ref().map(|(_, peer)| peer.clone()).or_else(|| only_asking(here)),
        };
        let Some(peer) = peer else { return Ok(nobody_meant()) };
        let since = Stance::Blocked(self.now_ms());
        self.put_stance(here.id(), &peer, Some(since)).await?;
        let name = match open.filter(|(_, other)| *other == peer) {
            Some((bridge, _)) => self.end_between(here, &bridge, &peer, "ended this conversation").await?,
            None => self.party(&peer).await?.map(|there| there.name).unwrap_or_default(),
        };
        let subject = format!("{} {peer}", here.id());
        self.audit(&here.spot.place, "direct.block", &subject).await?;
        Ok(text(&[
            Say::Text("You hear no more of "),
            Say::Name(&name),
            Say::Text(", who is not told. "),
            Say::Type("dm unblock"),
            Say::Text(" with the number in your list takes it back."),
        ]))
    }

    async fn unblock(&self, here: &Party, who: Who) -> Result<Document, Hitch> {
        let peer = self.listed(here, &who).await?;
        let blocked = peer.filter(|peer| matches!(stance(here.facts(), peer), Some(Stance::Blocked(_))));
        let Some(peer) = blocked else { return Ok(nobody_meant()) };
        self.put_stance(here.id(), &peer, None).await?;
        Ok(text(&[Say::Text("They may ask you again.")]))
    }

    /// The one of a person's list who is meant.
    pub(crate) async fn listed(&self, here: &Party, who: &Who) -> Result<Option<ConversationId>, RelayError> {
        let peers = peers(here.facts());
        match who {
            Who::Number(number) => {
                let at = number.checked_sub(1);
                Ok(at.and_then(|at| peers.into_iter().nth(at)).map(|(peer, _)| peer))
            }
            Who::Email(email) => {
                for (peer, _) in peers {
                    let there = self.party(&peer).await?.and_then(|there| there.email);
                    if there.is_some_and(|known| known.eq_ignore_ascii_case(email)) {
                        return Ok(Some(peer));
                    }
                }
                Ok(None)
            }
        }
    }

    /// The direct conversation that a person's chat is in, and with whom.
    pub(crate) fn open_with(&self, id: &ConversationId) -> Option<(Arc<Bridge>, ConversationId)> {
        let directory = self.directory();
        let bridge = directory.living_bridge(id)?;
        let peer = bridge.row.members.iter().find(|member| *member != id)?;
        let (one, other) = (directory.spot(id)?, directory.spot(peer)?);
        let direct = bridge.row.members.len() == 2 && are_linked(one, other);
        direct.then(|| (Arc::clone(bridge), peer.clone()))
    }
}

/// The only one who asks a person.
pub(crate) fn only_asking(here: &Party) -> Option<ConversationId> {
    let mut asking = peers(here.facts()).into_iter().filter(|(_, mine)| matches!(mine, Stance::Asked(_)));
    let (peer, _) = asking.next()?;
    asking.next().is_none().then_some(peer)
}

/// Whether two chats are linked, or may be, because their people asked for it.
pub(crate) fn are_linked(one: &Spot, other: &Spot) -> bool {
    is_direct([
        (&one.id, one.conversation.kind, &one.row.facts),
        (&other.id, other.conversation.kind, &other.row.facts),
    ])
}

/// Why something that was said in a chat with the app, and that nobody there has seen yet, is not for whom the chat is
/// linked with now: one chat serves one conversation after another. `None`: it is.
pub(crate) fn meant_for_another(event: &Event, known: &Known) -> Option<Code> {
    if known.unlinked {
        return Some(codes::UNMAPPED);
    }
    let Happening::Changed { after, .. } = &event.happening else { return None };
    // What was done leaves a tombstone.
    (known.grave.is_some() || parse(&after.body, true).is_some()).then_some(codes::COMMAND)
}

pub(crate) fn nobody_meant() -> Document {
    text(&[
        Say::Text("It is not clear who is meant. "),
        Say::Type("dm list"),
        Say::Text(" shows everybody with a number; name one of them."),
    ])
}

#[cfg(test)]
#[path = "act/tests.rs"]
mod tests;
