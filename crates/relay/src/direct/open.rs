//! Asking somebody for a conversation, opening and ending it.

use std::sync::Arc;

use dragoman_model::{BridgeId, Code, ConversationId, Document, Outcome, codes};
use dragoman_platform::Failure;
use dragoman_store::{BridgePast, BridgeRow, BridgeState, Mutation, Notices};

use super::acquaint::{Party, Sought, is_named, one_word};
use super::act::{Hitch, PAIR, nobody_meant, only_asking, stands};
use super::answer::Request;
use super::command::{Command, Who};
use super::stance::{self, Stance, With};
use super::words::{self, Say, text};
use crate::core::Relay;
use crate::directory::Bridge;
use crate::error::RelayError;

/// Somebody who does not answer is asked again after so long, in milliseconds.
const AGAIN_MS: i64 = 24 * 60 * 60 * 1000;
/// Somebody who is not free is told so often of one who wants to go on, or waits for them, in milliseconds.
pub(crate) const REMIND_MS: i64 = 10 * 60 * 1000;
/// Behind an answer, where first words go to nobody.
pub(crate) const UNSAID: &str = " Your first words were not passed on; say them then.";
/// How somebody left a conversation, as the other reads it.
pub(crate) const ENDED: &str = "ended this conversation";
/// The same, for another one.
const WENT: &str = "went to another conversation";
/// So much a platform's clock may be ahead of ours, in milliseconds. Who is told of something twice for it reads it once.
const CLOCKS_MS: i64 = 10_000;
/// People whom one person may ask without having an answer of them.
pub(crate) const MOST_ASKED: usize = 20;

/// What became of asking somebody.
pub(crate) enum Reached {
    /// They read it.
    Told,
    /// Nobody knows whether they do. Who asks again may ask them twice, and rather that than not at all.
    Perhaps,
    /// They cannot be asked.
    Not(Code),
}

impl Relay {
    /// Asks somebody for a conversation, or goes back to one.
    pub(crate) async fn ask(
        &self,
        here: &Party,
        request: &Request,
        who: Who,
        on: Option<&str>,
        first: &str,
    ) -> Result<Document, Hitch> {
        let on_this = |id: &ConversationId| {
            let directory = self.directory();
            on.is_none_or(|on| directory.spot(id).is_some_and(|spot| is_named(&spot.place, on)))
        };
        match self.listed(here, &who).await? {
            Some(With::Peer(peer)) if on_this(&peer) => {
                return self.ask_chat(here, request, &peer, first, false).await;
            }
            Some(With::Group(group)) => return self.join(here, request, &group, first).await,
            _ => {}
        }
        let Who::Email(address) = who else { return Ok(nobody_meant()) };
        if here.email.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(&address)) {
            return Ok(text(&[Say::Text("That is your own address.")]));
        }
        if !self.0.direct.may_seek(here.id().as_str(), 1, self.now_ms()) {
            return Ok(sought_enough());
        }
        let (place, profile) = match self.seek(here, &address, on).await? {
            Sought::One(place, profile) => (place, profile),
            Sought::Here(..) => {
                let words = format!(
                    "They are on {} as you are: write to them directly, not through this app.",
                    here.on()
                );
                return Ok(text(&[Say::Text(&words)]));
            }
            Sought::Several(names) => return Ok(say_where(&address, &names)),
            Sought::Nobody => return Ok(unknown(&[address])),
        };
        if self.unanswered(here) >= MOST_ASKED {
            return Ok(too_many());
        }
        let invitation = words::invitation(&here.name, here.email.as_deref(), here.on(), None, first);
        let (peer, greeted) = match self.chat_of(&place, &profile.user, None, &invitation).await {
            Ok(found) => found,
            Err(Hitch::Platform(failure @ (Failure::Refused(_) | Failure::Gone(_)))) => {
                return Ok(out_of_reach(place.connector.display_name(), failure.code()));
            }
            Err(hitch) => return Err(hitch),
        };
        self.ask_chat(here, request, &peer, first, greeted).await
    }

    /// The same, where the other's chat is known. `greeted`: they were told already.
    async fn ask_chat(
        &self,
        here: &Party,
        request: &Request,
        peer: &ConversationId,
        first: &str,
        greeted: bool,
    ) -> Result<Document, Hitch> {
        let Some(there) = self.party(peer).await? else { return Ok(nobody_meant()) };
        let with = With::Peer(peer.clone());
        if let Some(open) = self.open_in(here.id()).filter(|open| open.with == with) {
            if !matches!(stance::stance(here.facts(), &with), Some(Stance::Willing(_))) {
                // It was opened, and not told to the end.
                self.tell_party(&there, request, words::opened(&here.name, here.on())).await?;
                self.be_willing(here, &with).await?;
                return Ok(words::opened(&there.name, there.on()));
            }
            let (state, unsaid) = if open.bridge.row.state == BridgeState::Paused {
                (" is paused by an administrator.", if first.is_empty() { "" } else { UNSAID })
            } else {
                self.pass_on(here, &there, request, first).await?;
                (" is open.", "")
            };
            return Ok(text(&[
                Say::Text("Your conversation with "),
                Say::Name(&there.name),
                Say::Text(state),
                Say::Text(unsaid),
            ]));
        }
        // The organisation may have decided otherwise since they agreed.
        if !self.may_write(&there)? {
            return Ok(text(&[
                Say::Text("Your organisation does not allow direct conversations with "),
                Say::Name(&there.name),
                Say::Text("."),
            ]));
        }
        let now_ms = self.now_ms();
        let theirs = stands(&there.spot, here);
        let mut unsaid = "";
        // Who is blocked reads what they would read anyway.
        match theirs.and_then(Stance::shown) {
            Some(Stance::Willing(_)) if self.directory().living_bridge(peer).is_none() => {
                let answer = self.begin(here, request, &there).await?;
                // Only now, so that an agreement that was interrupted is heard as one again.
                self.be_willing(here, &with).await?;
                if self.open_in(here.id()).is_some_and(|open| open.with == with) {
                    self.pass_on(here, &there, request, first).await?;
                }
                return Ok(answer);
            }
            Some(Stance::Willing(_)) => {
                self.be_willing(here, &with).await?;
                if self.0.direct.is_due(format!("{peer} {}", here.id()), now_ms, REMIND_MS) {
                    self.tell_party(&there, request, reminder(here, first)).await?;
                } else if !first.is_empty() {
                    unsaid = UNSAID;
                }
                return Ok(text(&[
                    Say::Name(&there.name),
                    Say::Text(" is in another conversation and was told that you want to go on."),
                    Say::Text(unsaid),
                ]));
            }
            Some(Stance::Asked(asked_ms))
                if now_ms < asked_ms + AGAIN_MS && !stance::is_unsure(here.facts(), &with) =>
            {
                if !first.is_empty() {
                    unsaid = " They were asked before; your new words were not passed on.";
                }
            }
            asked => {
                if asked.is_none() && self.unanswered(here) >= MOST_ASKED {
                    return Ok(too_many());
                }
                let back = With::Peer(here.id().clone());
                if matches!(theirs, Some(Stance::Blocked(_))) {
                    self.put_stance(peer, &back, Some(Stance::Blocked(now_ms))).await?;
                    self.amend(here.id(), stance::be_unsure(&with, false)).await?;
                    self.be_willing(here, &with).await?;
                    return Ok(was_asked(&there, ""));
                }
                let asks = words::invitation(&here.name, here.email.as_deref(), here.on(), None, first);
                let reached = if greeted { Reached::Told } else { self.invite(&there, &asks).await? };
                if let Reached::Not(code) = reached {
                    return Ok(out_of_reach(there.on(), code));
                }
                let unsure = matches!(reached, Reached::Perhaps);
                self.amend(here.id(), stance::be_unsure(&with, unsure)).await?;
                self.put_stance(peer, &back, Some(Stance::Asked(now_ms))).await?;
                let subject = format!("{} {peer}", here.id());
                self.audit(&here.spot.place, "direct.ask", &subject).await?;
                if unsure {
                    self.be_willing(here, &with).await?;
                    return Ok(perhaps_asked(&there));
                }
            }
        }
        self.be_willing(here, &with).await?;
        Ok(was_asked(&there, unsaid))
    }

    /// Asks somebody at once, so that the one who asks learns what became of it.
    pub(crate) async fn invite(&self, there: &Party, asks: &Document) -> Result<Reached, Hitch> {
        match self.say(&there.spot, asks).await? {
            Outcome::Done(_) => Ok(Reached::Told),
            Outcome::Unknown(_) => Ok(Reached::Perhaps),
            Outcome::Retry { after_ms, code, .. } => Err(Failure::Retry { after_ms, code }.into()),
            Outcome::Refused(code)
            | Outcome::SignIn(code)
            | Outcome::Gone(code)
            | Outcome::MessageGone(code) => Ok(Reached::Not(code)),
        }
    }

    /// Says yes to somebody who asks.
    pub(crate) async fn agree(
        &self,
        here: &Party,
        request: &Request,
        who: Option<Who>,
    ) -> Result<Document, Hitch> {
        let with = match who {
            Some(who) => self.listed(here, &who).await?,
            None => only_asking(here),
        };
        let peer = match with {
            Some(With::Peer(peer)) => peer,
            Some(With::Group(group)) => return self.join(here, request, &group, "").await,
            None => {
                let list = stance::list(here.facts());
                let asking = list.iter().any(|(_, mine)| matches!(mine, Stance::Asked(_)));
                return Ok(if asking { nobody_meant() } else { text(&[Say::Text("Nobody asks you.")]) });
            }
        };
        let Some(there) = self.party(&peer).await? else { return Ok(nobody_meant()) };
        if !matches!(stands(&there.spot, here), Some(Stance::Willing(_))) {
            // They took it back, or never asked.
            self.put_stance(here.id(), &With::Peer(peer), None).await?;
            return Ok(text(&[
                Say::Name(&there.name),
                Say::Text(" does not ask for a conversation any more."),
            ]));
        }
        // Their list shows that they may write now, whatever is open there.
        self.ask_chat(here, request, &peer, "", false).await
    }

    /// How many people a person asked who have not answered, whatever became of their own wish meanwhile.
    pub(crate) fn unanswered(&self, here: &Party) -> usize {
        let directory = self.directory();
        let waits = |stance: &Stance| stance.is_unanswered();
        let spots = directory.spots();
        let peers = spots.iter().filter(|there| stands(there, here).as_ref().is_some_and(waits)).count();
        let groups = stance::asked_for(here.facts()).map(|group| {
            let with = With::Group(group.to_owned());
            let members = directory.group(group).iter().filter_map(|id| directory.spot(id));
            members.filter_map(|spot| stance::stance(&spot.row.facts, &with)).filter(waits).count()
        });
        peers + groups.sum::<usize>()
    }

    /// Begins a conversation of two who want it; what the one who brought it about reads.
    async fn begin(&self, here: &Party, request: &Request, there: &Party) -> Result<Document, Hitch> {
        if let Some(refusal) = self.make_room(here, request).await? {
            return Ok(refusal);
        }
        let members = vec![here.id().clone(), there.id().clone()];
        self.link(here, request, PAIR, members).await?;
        self.tell_party(there, request, words::opened(&here.name, here.on())).await?;
        Ok(words::opened(&there.name, there.on()))
    }

    /// Leaves what is open in a chat, so that something else can be. What to answer where that is not theirs to do.
    pub(crate) async fn make_room(&self, here: &Party, request: &Request) -> Result<Option<Document>, Hitch> {
        if let Some(open) = self.open_in(here.id()) {
            self.leave(here, request, &open, WENT).await?;
        } else if self.directory().living_bridge(here.id()).is_some() {
            return Ok(Some(text(&[Say::Text(
                "An administrator linked this chat; nothing else can be opened here.",
            )])));
        }
        Ok(None)
    }

    /// Links chats of people who want it.
    pub(crate) async fn link(
        &self,
        here: &Party,
        request: &Request,
        talk: &str,
        members: Vec<ConversationId>,
    ) -> Result<(), RelayError> {
        let now_ms = self.now_ms();
        let id = BridgeId::fresh(now_ms, &**self.random());
        let row = BridgeRow {
            id: id.clone(),
            org: here.spot.org.clone(),
            state: BridgeState::Active,
            members: members.clone(),
            created_ms: now_ms,
            since_ms: now_ms,
            past: BridgePast {
                opened_by: Some((here.id().clone(), request.id.clone())),
                ..BridgePast::default()
            },
            notices: Notices::default(),
            talk: Some(talk.to_owned()),
        };
        self.0.parts.faults.hit("direct.agreed");
        self.store().commit(Mutation::AddBridge(row)).await?;
        self.0.parts.faults.hit("direct.opened");
        let names: Vec<&str> = members.iter().map(ConversationId::as_str).collect();
        self.audit(&here.spot.place, "direct.open", &format!("{id} {}", names.join(" "))).await?;
        self.reload().await?;
        for member in &members {
            self.watch_member(member).await?;
        }
        Ok(())
    }

    /// Sees to it that what is written in a chat arrives.
    pub(crate) async fn watch_member(&self, member: &ConversationId) -> Result<(), RelayError> {
        if let Some(failure) = self.watch_now(member).await? {
            tracing::warn!(conversation = %member, code = %failure.code(), "a direct conversation is not watched");
        }
        Ok(())
    }

    /// Tells those whom a person left by a command that was interrupted between doing and telling.
    pub(crate) async fn tell_interrupted(
        &self,
        here: &Party,
        request: &Request,
        command: &Command,
    ) -> Result<(), RelayError> {
        let how = match command {
            Command::Close | Command::Block(_) => ENDED,
            _ => WENT,
        };
        let directory = self.directory();
        for bridge in directory.bridges().filter(|bridge| is_left_by(&bridge.row, here.id(), request)) {
            let others = bridge.row.members.iter().filter(|member| *member != here.id());
            if bridge.row.talk.as_deref() == Some(PAIR) {
                for peer in others {
                    self.tell_end(here, request, peer, how).await?;
                }
            } else {
                let there = self.parties(&others.cloned().collect::<Vec<_>>()).await?;
                self.tell_stayed(here, request, &there).await?;
            }
        }
        Ok(())
    }

    /// Tells people of the conversation that a command opened, or joined, which was interrupted between doing and telling;
    /// what its author reads. `None`: it opened none, or one with another.
    pub(crate) async fn tell_opened(
        &self,
        here: &Party,
        request: &Request,
        command: &Command,
    ) -> Result<Option<Document>, RelayError> {
        let first = match command {
            // Of several addresses, all but one may be their own.
            Command::Ask { words, .. } | Command::Together { words, .. } => words,
            Command::Accept(_) => "",
            _ => return Ok(None),
        };
        let Some(open) = self.open_in(here.id()) else { return Ok(None) };
        // First words are for those who are there by this command, not for whom another one brought together.
        if !is_come_by(&open.bridge.row, here.id(), request) {
            return Ok(None);
        }
        let peer = match &open.with {
            With::Peer(peer) => peer.clone(),
            With::Group(group) => return self.arrive(here, request, group, first).await.map(Some),
        };
        let Some(there) = self.party(&peer).await? else { return Ok(None) };
        self.tell_party(&there, request, words::opened(&here.name, here.on())).await?;
        self.be_willing(here, &With::Peer(peer)).await?;
        self.pass_on(here, &there, request, first).await?;
        Ok(Some(words::opened(&there.name, there.on())))
    }

    /// Tells the other one that their conversation is over; their name.
    pub(crate) async fn tell_end(
        &self,
        here: &Party,
        request: &Request,
        peer: &ConversationId,
        how: &str,
    ) -> Result<String, RelayError> {
        let Some(there) = self.party(peer).await? else { return Ok(String::new()) };
        let note = text(&[
            Say::Name(&here.name),
            Say::Text(&format!(" {how}. What you write here is not delivered any more. ")),
            Say::Type("dm list"),
            Say::Text(" shows how to ask again."),
        ]);
        self.tell_left(&there, request, note).await?;
        Ok(there.name)
    }

    /// Ends a conversation. What was under way then arrives.
    pub(crate) async fn end_talk(
        &self,
        here: &Party,
        request: &Request,
        bridge: &Arc<Bridge>,
    ) -> Result<(), Hitch> {
        let now_ms = self.now_ms();
        let by = Some((here.id().clone(), request.left_ms(now_ms)));
        let id = bridge.row.id.clone();
        self.store().commit(Mutation::EndTalk { bridge: id.clone(), by, at_ms: now_ms }).await?;
        self.audit(&here.spot.place, "direct.close", &format!("{id} {}", here.id())).await?;
        self.reload().await?;
        Ok(())
    }

    /// Remembers that a person wants it. Who left and comes back finds it at its place in their list.
    pub(crate) async fn be_willing(&self, here: &Party, with: &With) -> Result<(), RelayError> {
        let since_ms = match stance::stance(here.facts(), with) {
            Some(Stance::Willing(_)) => return Ok(()),
            Some(Stance::Left(since_ms)) => since_ms,
            Some(Stance::Asked(_) | Stance::Blocked(_)) | None => self.now_ms(),
        };
        self.put_stance(here.id(), with, Some(Stance::Willing(since_ms))).await
    }
}

/// What somebody reads who asked another one; `unsaid` may be empty.
fn was_asked(there: &Party, unsaid: &str) -> Document {
    text(&[
        Say::Name(&there.name),
        Say::Text(&format!(
            " on {} was asked. You are told here when the conversation begins; what you write until then is not delivered.{unsaid}",
            there.on()
        )),
    ])
}

/// What they read where the platform did not say whether it took the question.
fn perhaps_asked(there: &Party) -> Document {
    text(&[
        Say::Text("It is not known whether "),
        Say::Name(&there.name),
        Say::Text(&format!(
            " on {} was asked: no answer came. Ask again if you hear nothing of them. What you write until the conversation begins is not delivered.",
            there.on()
        )),
    ])
}

/// Whether it was by this request that somebody left a conversation of people.
fn is_left_by(row: &BridgeRow, who: &ConversationId, request: &Request) -> bool {
    // Where the platform's clock is ahead they left when it was heard.
    let then = |left_ms: &i64| (0..CLOCKS_MS).contains(&(request.at_ms - left_ms));
    row.talk.is_some() && request.at_ms > 0 && row.past.left_ms.get(who).is_some_and(then)
}

/// Whether it was by this request that somebody opened a conversation of people, or joined it since.
fn is_come_by(row: &BridgeRow, who: &ConversationId, request: &Request) -> bool {
    let opened = || row.past.opened_by.as_ref().filter(|(chat, _)| chat == who).map(|(_, id)| id);
    row.past.joined_by.get(who).or_else(opened) == Some(&request.id)
}

/// What somebody in another conversation reads of one who wants to go on.
fn reminder(here: &Party, first: &str) -> Document {
    let mut note = text(&[
        Say::Name(&here.name),
        Say::Text(&format!(" on {} wants to write with you. ", here.on())),
        Say::Type("dm list"),
        Say::Text(" shows the number with which you go there; that ends the conversation that is open here."),
    ]);
    if !first.is_empty() {
        note.blocks.push(dragoman_model::Block::Quote(Document::plain(first).blocks));
    }
    note.normalise()
}

pub(crate) fn sought_enough() -> Document {
    text(&[Say::Text("You looked for many people in a short time. Try again in ten minutes.")])
}

pub(crate) fn say_where(address: &str, names: &[String]) -> Document {
    let example = names.first().map(|name| one_word(name)).unwrap_or_default();
    text(&[
        Say::Text(&format!("They are on {}. Say where: ", names.join(" and "))),
        Say::Type(&format!("dm {address} on {example}")),
    ])
}

pub(crate) fn unknown(addresses: &[String]) -> Document {
    let others = "can be written to on the other platforms of your organisation";
    match addresses {
        [_] => text(&[Say::Text(&format!("Nobody with this address {others}."))]),
        several => text(&[
            Say::Text(&format!("Nobody with these addresses {others}: ")),
            Say::Type(&several.join(" ")),
            Say::Text(". Nobody was asked."),
        ]),
    }
}

pub(crate) fn too_many() -> Document {
    text(&[Say::Text("Too many people have not answered you yet. Wait for some of them.")])
}

fn out_of_reach(on: &str, code: Code) -> Document {
    let why = if code == codes::NOT_JOINED {
        format!(
            "They have not added this app on {on} yet, so that it cannot write to them there. Ask them, or an administrator, to add it ("
        )
    } else {
        format!("They cannot be written to on {on} (")
    };
    text(&[Say::Text(&why), Say::Type(code.as_str()), Say::Text(").")])
}

#[cfg(test)]
mod tests {
    use dragoman_model::RemoteMessage;

    use super::*;

    #[test]
    fn what_a_command_began_or_ended_is_known() {
        let mut row = BridgeRow {
            id: "b1".into(),
            org: "o1".into(),
            state: BridgeState::Ended,
            members: vec!["ana".into(), "bo".into()],
            created_ms: 1,
            since_ms: 1,
            past: BridgePast::default(),
            notices: Notices::default(),
            talk: Some(PAIR.to_owned()),
        };
        row.past.left_ms.insert("ana".into(), 500);
        let request = |at_ms| Request { id: RemoteMessage::from("m1"), at_ms, given: false, answer_at: None };
        assert!(is_left_by(&row, &"ana".into(), &request(500)));
        assert!(is_left_by(&row, &"ana".into(), &request(500 + CLOCKS_MS - 1)), "their clock is ahead");
        assert!(!is_left_by(&row, &"ana".into(), &request(500 + CLOCKS_MS)), "that is another command");
        assert!(!is_left_by(&row, &"ana".into(), &request(499)), "they were there then");
        assert!(!is_left_by(&row, &"bo".into(), &request(500)), "he was left");
        assert!(!is_left_by(&row, &"ana".into(), &request(0)), "nobody knows when that was");
        assert!(!is_come_by(&row, &"ana".into(), &request(500)));
        row.past.opened_by = Some(("ana".into(), "m1".into()));
        assert!(is_come_by(&row, &"ana".into(), &request(500)));
        assert!(!is_come_by(&row, &"bo".into(), &request(500)), "another chat's message of this id");
        row.past.opened_by = Some(("ana".into(), "m0".into()));
        assert!(!is_come_by(&row, &"ana".into(), &request(500)), "it was another command");
        row.past.joined_by.insert("ana".into(), "m1".into());
        assert!(is_come_by(&row, &"ana".into(), &request(500)));
        row.past.opened_by = Some(("ana".into(), "m1".into()));
        row.past.joined_by.insert("ana".into(), "m2".into());
        assert!(!is_come_by(&row, &"ana".into(), &request(500)), "they left and came back since");
        assert!(!is_come_by(&row, &"bo".into(), &request(500)));
        row.talk = None;
        assert!(!is_left_by(&row, &"ana".into(), &request(500)), "an operator's bridge");
    }
}
