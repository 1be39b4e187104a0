//! What people say to the app, and what is done about it. One thing at a time: two who answer each other at the same
//! moment must not end up in two conversations. And once: by the time something is heard again, the numbers of a list
//! may mean others.

use std::collections::BTreeSet;
use std::sync::Arc;

use dragoman_model::{
    AuthorKind, Code, ConversationId, Document, Event, EventKind, Happening, InstallationId, Message, codes,
};
use dragoman_platform::{App, Failure, Item};
use dragoman_store::{Amendment, BridgeState, Mutation};

use super::acquaint::Party;
use super::answer::Request;
use super::command::{Command, Who, parse, parse_given};
use super::list::means_another;
use super::open::ENDED;
use super::stance::{self, Changes, Stance, With};
use super::words::{self, Say, crowd, text};
use crate::admit::Known;
use crate::core::Relay;
use crate::directory::{Bridge, Place, Spot};
use crate::error::RelayError;

/// What was no command is answered so often at most, in milliseconds.
const HINT_MS: i64 = 60_000;
/// The subscriptions of installations without a bridge are looked at so often, in milliseconds.
const WATCH_MS: i64 = 180_000;

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

async fn watch_app(place: &Place) {
    if let Err(failure) = place.connector.watch_app(&place.session).await {
        let installation = &place.session.installation.id;
        tracing::warn!(%installation, code = %failure.code(), "what people say to the app is not subscribed to: {failure}");
    }
}

/// What is open in a person's chat.
pub(crate) struct Open {
    /// The bridge.
    pub(crate) bridge: Arc<Bridge>,
    /// With whom.
    pub(crate) with: With,
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
            self.0.parts.tasks.spawn(async move { watch_app(&place).await });
        }
    }

    /// The same for one that is new: who writes to the app as soon as it is there is answered, and some platforms never
    /// tell later what they did not tell then.
    pub async fn hear_people(&self, installation: &InstallationId) {
        let directory = self.directory();
        let Some(place) = directory.place(installation) else { return };
        if directory.policy(&place.session.installation.org).direct_messages {
            watch_app(place).await;
        }
    }

    /// Hears what was said while no conversation was open, or given to the platform's own command.
    pub(crate) async fn heard(&self, place: &Arc<Place>, event: &Event) -> Result<Heard, RelayError> {
        let (user, request, command) = match &event.happening {
            Happening::Posted(message) => {
                let Some(user) = &message.author.user else { return Ok(Heard::Over(codes::KIND)) };
                if let Some(code) = unheard(message) {
                    return Ok(Heard::Over(code));
                }
                (user, Request::of(message, event), parse(&message.body, false))
            }
            Happening::Asked(asked) => {
                let (id, answer_at) = (asked.id.clone(), asked.answer_at.clone());
                let request = Request { id, at_ms: event.at_ms, given: true, answer_at };
                (&asked.user, request, parse_given(&asked.words))
            }
            _ => return Ok(Heard::Over(codes::KIND)),
        };
        if !self.directory().policy(&place.session.installation.org).direct_messages {
            return Ok(Heard::Over(codes::NOT_OPEN));
        }
        let acting = self.0.direct.acting(&place.session.installation.org);
        let _acting = acting.lock().await;
        let found = self.chat_of(place, user, event.conversation.as_ref(), &words::help()).await;
        let id = match found {
            Ok((id, _)) => id,
            Err(Hitch::Relay(error)) => return Err(error),
            Err(Hitch::Platform(failure)) => return Ok(Heard::Failed(failure)),
        };
        let Some(here) = self.party(&id).await? else { return Ok(Heard::Over(codes::UNBRIDGED)) };
        let allowed = match self.may_write(&here) {
            Ok(allowed) => allowed,
            Err(failure) => return Ok(Heard::Failed(failure)),
        };
        if !allowed {
            if request.given || self.0.direct.is_due(id.to_string(), self.now_ms(), HINT_MS) {
                self.answer(&here, &request, not_allowed()).await?;
            }
            return Ok(Heard::Over(codes::NOT_OPEN));
        }
        match command {
            Some(command) => self.obeyed(&here, &request, command).await,
            None => self.hint(&here, &request).await,
        }
    }

    /// Hears what was said in an open conversation, if it is a command. Every target's leg asks; it is done once.
    pub(crate) async fn heard_within(
        &self,
        event: &Event,
        source: &Spot,
        bridge: &Bridge,
    ) -> Result<Option<Heard>, RelayError> {
        let Happening::Posted(message) = &event.happening else { return Ok(None) };
        if bridge.row.talk.is_none() {
            return Ok(None);
        }
        if unheard(message).is_some() {
            return Ok(None);
        }
        let Some(command) = parse(&message.body, true) else { return Ok(None) };
        let acting = self.0.direct.acting(&source.org);
        let _acting = acting.lock().await;
        let Some(here) = self.party(&source.id).await? else { return Ok(None) };
        self.obeyed(&here, &Request::of(message, event), command).await.map(Some)
    }

    /// Tells who wrote something before the conversation began that is open by the time it is heard that it went nowhere,
    /// once. It is not done as a command either: it was about what was open then. Of several, others may have been there:
    /// they read it.
    pub(crate) async fn heard_too_late(
        &self,
        event: &Event,
        source: &Spot,
        bridge: &Bridge,
    ) -> Result<(), RelayError> {
        let Happening::Posted(message) = &event.happening else { return Ok(()) };
        let mut others = bridge.row.members.iter().filter(|member| **member != source.id);
        if others.any(|to| bridge.row.relays(&source.id, to, message.sent_at_ms)) {
            return Ok(());
        }
        let row = self.store().conversation(&source.id).await?;
        let handled = row.is_none_or(|row| stance::is_handled(&row.facts, &message.id));
        // What went to somebody with whom the chat was linked before was heard in time.
        let relayed = self.store().original(&source.id, &message.id).await?.is_some();
        if handled || relayed || unheard(message).is_some() {
            return Ok(());
        }
        let acting = self.0.direct.acting(&source.org);
        let _acting = acting.lock().await;
        let Some(here) = self.party(&source.id).await? else { return Ok(()) };
        self.answer(&here, &Request::of(message, event), too_late()).await
    }

    /// Does what a command says and answers it, once: in a conversation of several, everybody's leg comes with it.
    async fn obeyed(&self, here: &Party, request: &Request, command: Command) -> Result<Heard, RelayError> {
        let (chat, id) = (here.id().as_str(), request.id.as_str());
        if !self.0.direct.is_obeyed(chat, id) {
            self.carry_out(here, request, command).await?;
            self.0.direct.obeyed(chat, id);
        }
        Ok(Heard::Over(codes::COMMAND))
    }

    async fn carry_out(&self, here: &Party, request: &Request, command: Command) -> Result<(), RelayError> {
        let harmless = matches!(command, Command::Help | Command::List);
        if !harmless && !self.is_first_time(here, request).await? {
            self.tell_interrupted(here, request, &command).await?;
            if let Some(answer) = self.tell_opened(here, request, &command).await? {
                return self.answer(here, request, answer).await;
            }
            // Said once: where it was answered, this is not.
            let unsure = text(&[
                Say::Text("Something interrupted your last command; it may have been done or not. "),
                Say::Type("dm list"),
                Say::Text(" shows how things are."),
            ]);
            return self.answer(here, request, unsure).await;
        }
        let asks = matches!(command, Command::Ask { .. } | Command::Together { .. } | Command::Accept(_));
        // It may have been decided since the conversation began in which they say this.
        let allowed = if asks { self.may_write(here) } else { Ok(true) };
        let is_open = self.open_in(here.id()).is_some();
        let done = match command {
            _ if let Err(failure) = allowed => Err(failure.into()),
            _ if matches!(allowed, Ok(false)) => Ok(not_allowed()),
            _ if means_another(&command, here.facts(), request, is_open, self.now_ms()) => Ok(nobody_meant()),
            Command::Help => Ok(words::help()),
            Command::List => self.list_people(here).await,
            Command::Ask { who, on, words } => self.ask(here, request, who, on.as_deref(), &words).await,
            Command::Together { people, words } => self.ask_several(here, request, people, &words).await,
            Command::Accept(who) => self.agree(here, request, who).await,
            Command::Close => self.close_open(here, request).await,
            Command::Block(who) => self.block(here, request, who).await,
            Command::Unblock(who) => self.unblock(here, who).await,
            Command::Connect => self.connect(&here.spot.place, &here.user).await.map_err(Hitch::from),
            Command::Disconnect => self.disconnect(&here.spot.place, &here.user).await.map_err(Hitch::from),
        };
        let answer = match done {
            Ok(answer) => answer,
            Err(Hitch::Relay(error)) => return Err(error),
            // Not tried again by us: what else is said here would wait for a platform that has nothing to do with it.
            Err(Hitch::Platform(failure)) => {
                let code = failure.code().to_string();
                let why = match failure {
                    Failure::Retry { .. } => "A platform does not answer. Try again in a minute (",
                    _ => "This could not be done: the other platform refuses it (",
                };
                text(&[Say::Text(why), Say::Type(&code), Say::Text(").")])
            }
        };
        self.answer(here, request, answer).await
    }

    /// Remembers a command before it is done. `false`: it was done, or begun, before.
    async fn is_first_time(&self, here: &Party, request: &Request) -> Result<bool, RelayError> {
        // As it is stored, not as it was when the directory was read.
        let Some(row) = self.store().conversation(here.id()).await? else { return Ok(false) };
        if stance::is_handled(&row.facts, &request.id) {
            return Ok(false);
        }
        self.amend(here.id(), stance::handle(&row.facts, &request.id)).await?;
        Ok(true)
    }

    /// Answers what was no command.
    async fn hint(&self, here: &Party, request: &Request) -> Result<Heard, RelayError> {
        let now_ms = self.now_ms();
        let directory = self.directory();
        // What is given to a command is meant for the app, whatever is open.
        let late = !request.given && directory.route(here.id()).is_some();
        let due = request.given || late;
        if !due && !self.0.direct.is_due(here.id().to_string(), now_ms, HINT_MS) {
            return Ok(Heard::Over(codes::NOT_OPEN));
        }
        let paused = directory.living_bridge(here.id()).is_some_and(|it| it.row.state == BridgeState::Paused);
        let answer = if late {
            too_late()
        } else if paused {
            text(&[Say::Text(
                "An administrator paused this conversation. What you write here is not delivered until it goes on.",
            )])
        } else {
            match self.waits_for(here).await? {
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
        self.answer(here, request, answer).await?;
        Ok(Heard::Over(codes::NOT_OPEN))
    }

    /// Somebody whom a person asked and who has not answered.
    async fn waits_for(&self, here: &Party) -> Result<Option<Party>, RelayError> {
        let directory = self.directory();
        let mut waits = None;
        for (with, mine) in stance::list(here.facts()) {
            let With::Peer(peer) = with else { continue };
            let Some(there) = directory.spot(&peer) else { continue };
            let asked = stands(there, here).is_some_and(Stance::is_unanswered);
            if matches!(mine, Stance::Willing(_)) && asked {
                waits = self.party(&peer).await?;
            }
        }
        Ok(waits)
    }

    async fn close_open(&self, here: &Party, request: &Request) -> Result<Document, Hitch> {
        let Some(open) = self.open_in(here.id()) else {
            return Ok(text(&[Say::Text("Nothing is open.")]));
        };
        let left = match (&open.with, stance::stance(here.facts(), &open.with)) {
            // Back with the others they come by themselves, not when one of them goes there.
            (With::Group(_), Some(Stance::Willing(since_ms))) => Some(Stance::Left(since_ms)),
            (With::Group(_), _) => Some(Stance::Left(self.now_ms())),
            (With::Peer(_), _) => None,
        };
        self.put_stance(here.id(), &open.with, left).await?;
        let name = self.leave(here, request, &open, ENDED).await?;
        Ok(match &open.with {
            With::Peer(_) => {
                text(&[Say::Text("Your conversation with "), Say::Name(&name), Say::Text(" has ended.")])
            }
            With::Group(_) => text(&[
                Say::Text("You left the conversation. "),
                Say::Type("dm list"),
                Say::Text(" shows the number with which you come back."),
            ]),
        })
    }

    async fn block(&self, here: &Party, request: &Request, who: Option<Who>) -> Result<Document, Hitch> {
        let open = self.open_in(here.id());
        let with = match who {
            Some(who) => self.listed(here, &who).await?,
            None => open.as_ref().map(|open| open.with.clone()).or_else(|| only_asking(here)),
        };
        let Some(with) = with else { return Ok(nobody_meant()) };
        let blocked = Stance::blocked(stance::stance(here.facts(), &with));
        self.put_stance(here.id(), &with, Some(blocked)).await?;
        let left = match open.filter(|open| open.with == with) {
            Some(open) => Some(self.leave(here, request, &open, ENDED).await?),
            None => None,
        };
        let subject = format!("{} {}", here.id(), with.id());
        self.audit(&here.spot.place, "direct.block", &subject).await?;
        let back = "with the number in your list takes it back.";
        Ok(match with {
            With::Peer(peer) => {
                let name = match left {
                    Some(name) => name,
                    None => self.party(&peer).await?.map(|there| there.name).unwrap_or_default(),
                };
                text(&[
                    Say::Text("You hear no more of "),
                    Say::Name(&name),
                    Say::Text(", who is not told. "),
                    Say::Type("dm unblock"),
                    Say::Text(&format!(" {back}")),
                ])
            }
            With::Group(_) => text(&[
                Say::Text("You hear no more of this conversation. "),
                Say::Type("dm unblock"),
                Say::Text(&format!(" {back}")),
            ]),
        })
    }

    async fn unblock(&self, here: &Party, who: Who) -> Result<Document, Hitch> {
        let with = self.listed(here, &who).await?;
        let stance = with.as_ref().and_then(|with| stance::stance(here.facts(), with));
        let (Some(with), Some(Stance::Blocked(asked_ms))) = (with, stance) else {
            return Ok(nobody_meant());
        };
        // Nobody asks twice for a conversation of several: it is as before.
        let before = if asked_ms > 0 { Stance::Asked(asked_ms) } else { Stance::Left(self.now_ms()) };
        let stance = matches!(with, With::Group(_)).then_some(before);
        self.put_stance(here.id(), &with, stance).await?;
        // By name: somebody may have asked since the list was read, and the numbers of those who are blocked went up.
        Ok(match &with {
            With::Peer(peer) => {
                let name = self.party(peer).await?.map(|there| there.name).unwrap_or_default();
                text(&[Say::Name(&name), Say::Text(" may ask you again.")])
            }
            With::Group(group) => {
                let others = crowd(&self.others_of(here, group).await?);
                text(&[
                    Say::Text(&format!("Together with {others}: ")),
                    Say::Type("dm list"),
                    Say::Text(" shows how to join it."),
                ])
            }
        })
    }

    /// What is open in a person's chat because people asked for it.
    pub(crate) fn open_in(&self, id: &ConversationId) -> Option<Open> {
        let directory = self.directory();
        let bridge = directory.living_bridge(id)?;
        let talk = bridge.row.talk.as_deref()?;
        let with = if talk == PAIR {
            With::Peer(bridge.row.members.iter().find(|member| *member != id)?.clone())
        } else {
            With::Group(talk.to_owned())
        };
        Some(Open { bridge: Arc::clone(bridge), with })
    }

    /// Leaves what is open; the name of the only other one, where there is only one.
    pub(crate) async fn leave(
        &self,
        here: &Party,
        request: &Request,
        open: &Open,
        how: &str,
    ) -> Result<String, Hitch> {
        match &open.with {
            With::Peer(peer) => {
                self.end_talk(here, request, &open.bridge).await?;
                Ok(self.tell_end(here, request, peer, how).await?)
            }
            With::Group(_) => self.leave_group(here, request, &open.bridge).await.map(|()| String::new()),
        }
    }

    /// Remembers how a person stands to somebody or something.
    pub(crate) async fn put_stance(
        &self,
        of: &ConversationId,
        with: &With,
        stance: Option<Stance>,
    ) -> Result<(), RelayError> {
        self.amend(of, stance::change(with, stance)).await?;
        self.reload().await
    }

    /// Changes facts of a chat. The directory knows of it when it is read again.
    pub(crate) async fn amend(&self, of: &ConversationId, facts: Changes) -> Result<(), RelayError> {
        let amendment = Amendment { facts, ..Amendment::default() };
        self.store().commit(Mutation::Amend { conversation: of.clone(), amendment }).await?;
        Ok(())
    }
}

/// How the person of a chat stands to another.
pub(crate) fn stands(there: &Spot, here: &Party) -> Option<Stance> {
    stance::stance(&there.row.facts, &With::Peer(here.id().clone()))
}

/// The talk of a bridge of two.
pub(crate) const PAIR: &str = "pair";

/// Why something is not said to the app by a person.
fn unheard(message: &Message) -> Option<Code> {
    if message.origin.ours || message.origin.marker.is_some() {
        return Some(codes::ECHO);
    }
    (message.author.kind != AuthorKind::Person).then_some(codes::FOREIGN_BOT)
}

/// The only one, or the only conversation, that waits for a person's answer.
pub(crate) fn only_asking(here: &Party) -> Option<With> {
    let mut asking =
        stance::list(here.facts()).into_iter().filter(|(_, mine)| matches!(mine, Stance::Asked(_)));
    let (with, _) = asking.next()?;
    asking.next().is_none().then_some(with)
}

/// Whether the person of a chat does not want to hear of the person of another.
pub(crate) fn is_blocked(source: &Spot, target: &Spot) -> bool {
    let theirs = stance::stance(&target.row.facts, &With::Peer(source.id.clone()));
    matches!(theirs, Some(Stance::Blocked(_)))
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

fn too_late() -> Document {
    text(&[Say::Text(
        "Your last message came before the conversation was open and was not delivered. Please send it again.",
    )])
}

fn not_allowed() -> Document {
    text(&[Say::Text("Your organisation does not allow direct conversations for you.")])
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
