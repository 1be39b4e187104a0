//! Asking for conversations, opening and ending them.

use std::sync::Arc;

use dragoman_model::{BridgeId, ConversationId, Document, Outcome, codes};
use dragoman_platform::Failure;
use dragoman_store::{BridgePast, BridgeRow, BridgeState, ConversationRow, Mutation, Notices};

use super::acquaint::{Party, Sought, is_named, one_word};
use super::act::{Hitch, nobody_meant, only_asking};
use super::command::Who;
use super::stance::{self, Stance, peers};
use super::words::{self, Say, text};
use crate::core::Relay;
use crate::directory::Bridge;
use crate::error::RelayError;

/// Somebody who does not answer is asked again after so long, in milliseconds.
const AGAIN_MS: i64 = 24 * 60 * 60 * 1000;
/// Somebody in another conversation is told so often of one who wants to go on, in milliseconds.
const REMIND_MS: i64 = 10 * 60 * 1000;
/// People whom one person may ask without having an answer of them.
const MOST_ASKED: usize = 20;

impl Relay {
    /// Asks somebody for a conversation, or goes back to one.
    pub(crate) async fn ask(
        &self,
        here: &Party,
        who: Who,
        on: Option<&str>,
        first: &str,
    ) -> Result<Document, Hitch> {
        let listed = self.listed(here, &who).await?;
        let on_this = |id: &ConversationId| {
            let directory = self.directory();
            on.is_none_or(|on| directory.spot(id).is_some_and(|spot| is_named(&spot.place, on)))
        };
        if let Some(peer) = listed.filter(on_this) {
            return self.ask_chat(here, &peer, first, false).await;
        }
        let Who::Email(address) = who else { return Ok(nobody_meant()) };
        if here.email.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(&address)) {
            return Ok(text(&[Say::Text("That is your own address.")]));
        }
        let (place, profile) = match self.seek(&here.spot, &address, on).await? {
            Sought::One(place, profile) => (place, profile),
            Sought::Here => {
                let words = format!(
                    "They are on {} as you are: write to them directly, not through this app.",
                    here.on()
                );
                return Ok(text(&[Say::Text(&words)]));
            }
            Sought::Several(names) => {
                let example = names.first().map(|name| one_word(name)).unwrap_or_default();
                return Ok(text(&[
                    Say::Text(&format!("They are on {}. Say where: ", names.join(" and "))),
                    Say::Type(&format!("dm {address} on {example}")),
                ]));
            }
            Sought::Nobody => {
                return Ok(text(&[Say::Text(
                    "Nobody with this address can be written to on the other platforms of your organisation.",
                )]));
            }
        };
        if self.unanswered(here) >= MOST_ASKED {
            return Ok(too_many());
        }
        let invitation = words::invitation(&here.name, here.email.as_deref(), here.on(), first);
        let (peer, greeted) = match self.chat_of(&place, &profile.user, None, &invitation).await {
            Ok(found) => found,
            Err(Hitch::Platform(failure @ (Failure::Refused(_) | Failure::Gone(_)))) => {
                return Ok(out_of_reach(place.connector.display_name(), failure.code()));
            }
            Err(hitch) => return Err(hitch),
        };
        self.ask_chat(here, &peer, first, greeted).await
    }

    /// The same, where the other's chat is known. `greeted`: they were told already.
    async fn ask_chat(
        &self,
        here: &Party,
        peer: &ConversationId,
        first: &str,
        greeted: bool,
    ) -> Result<Document, Hitch> {
        let Some(there) = self.party(peer).await? else { return Ok(nobody_meant()) };
        if let Some((bridge, open)) = self.open_with(here.id())
            && open == *peer
        {
            let state = match bridge.row.state {
                BridgeState::Paused => " is paused by an administrator.",
                _ => " is open.",
            };
            return Ok(text(&[
                Say::Text("Your conversation with "),
                Say::Name(&there.name),
                Say::Text(state),
            ]));
        }
        let now_ms = self.now_ms();
        let theirs = stance::stance(there.facts(), here.id());
        match theirs {
            Some(Stance::Blocked(_)) => {}
            Some(Stance::Willing(_)) if self.directory().living_bridge(peer).is_none() => {
                self.be_willing(here, peer).await?;
                let answer = self.begin(here, &there).await?;
                let open = self.open_with(here.id()).is_some_and(|(_, open)| open == *peer);
                if open && !first.is_empty() {
                    self.say_for(here, &there.spot, first).await?;
                }
                return Ok(answer);
            }
            Some(Stance::Willing(_)) => {
                self.be_willing(here, peer).await?;
                let what = format!("{peer} {}", here.id());
                if self.0.direct.is_due(what, now_ms, REMIND_MS) {
                    self.remind(here, &there, first).await?;
                }
                return Ok(text(&[
                    Say::Name(&there.name),
                    Say::Text(" is in another conversation and was told that you want to go on."),
                ]));
            }
            Some(Stance::Asked(asked_ms)) if now_ms < asked_ms + AGAIN_MS => {}
            Some(Stance::Asked(_)) | None => {
                if self.unanswered(here) >= MOST_ASKED && theirs.is_none() {
                    return Ok(too_many());
                }
                let asks = words::invitation(&here.name, here.email.as_deref(), here.on(), first);
                if !greeted {
                    match self.say(&there.spot, &asks).await? {
                        Outcome::Done(_) | Outcome::Unknown(_) => {}
                        Outcome::Retry { after_ms, code, .. } => {
                            return Err(Failure::Retry { after_ms, code }.into());
                        }
                        Outcome::Refused(code)
                        | Outcome::SignIn(code)
                        | Outcome::Gone(code)
                        | Outcome::MessageGone(code) => return Ok(out_of_reach(there.on(), code)),
                    }
                }
                self.put_stance(peer, here.id(), Some(Stance::Asked(now_ms))).await?;
                let subject = format!("{} {peer}", here.id());
                self.audit(&here.spot.place, "direct.ask", &subject).await?;
            }
        }
        self.be_willing(here, peer).await?;
        Ok(text(&[
            Say::Name(&there.name),
            Say::Text(&format!(
                " on {} was asked. You are told here when the conversation begins; what you write until then is not delivered.",
                there.on()
            )),
        ]))
    }

    /// Says yes to somebody who asks.
    pub(crate) async fn agree(&self, here: &Party, who: Option<Who>) -> Result<Document, Hitch> {
        let peer = match who {
            Some(who) => self.listed(here, &who).await?,
            None => only_asking(here),
        };
        let Some(peer) = peer else {
            let asking = peers(here.facts()).iter().any(|(_, mine)| matches!(mine, Stance::Asked(_)));
            return Ok(if asking { nobody_meant() } else { text(&[Say::Text("Nobody asks you.")]) });
        };
        let Some(there) = self.party(&peer).await? else { return Ok(nobody_meant()) };
        if !matches!(stance::stance(there.facts(), here.id()), Some(Stance::Willing(_))) {
            // They took it back, or never asked.
            self.put_stance(here.id(), &peer, None).await?;
            return Ok(text(&[
                Say::Name(&there.name),
                Say::Text(" does not ask for a conversation any more."),
            ]));
        }
        // Their list shows that they may write now, whatever is open there.
        self.ask_chat(here, &peer, "", false).await
    }

    /// How many people a person asked who have not answered.
    fn unanswered(&self, here: &Party) -> usize {
        let directory = self.directory();
        let willing = peers(here.facts()).into_iter().filter(|(_, mine)| matches!(mine, Stance::Willing(_)));
        willing
            .filter(|(peer, _)| {
                let theirs = directory.spot(peer).and_then(|it| stance::stance(&it.row.facts, here.id()));
                !matches!(theirs, Some(Stance::Willing(_)))
            })
            .count()
    }

    async fn remind(&self, here: &Party, there: &Party, first: &str) -> Result<(), Hitch> {
        let mut note = text(&[
            Say::Name(&here.name),
            Say::Text(&format!(" on {} wants to write with you. ", here.on())),
            Say::Type("dm list"),
            Say::Text(
                " shows the number with which you go there; that ends the conversation that is open here.",
            ),
        ]);
        if !first.is_empty() {
            note.blocks.push(dragoman_model::Block::Quote(Document::plain(first).blocks));
        }
        self.say(&there.spot, &note.normalise()).await?;
        Ok(())
    }

    /// Begins a conversation of two who want it; what the one who brought it about reads.
    async fn begin(&self, here: &Party, there: &Party) -> Result<Document, Hitch> {
        if let Some((bridge, peer)) = self.open_with(here.id()) {
            self.end_between(here, &bridge, &peer, "went to another conversation").await?;
        } else if self.directory().living_bridge(here.id()).is_some() {
            return Ok(text(&[Say::Text(
                "An administrator linked this chat; nothing else can be opened here.",
            )]));
        }
        let now_ms = self.now_ms();
        let members = vec![here.id().clone(), there.id().clone()];
        let id = BridgeId::fresh(now_ms, &**self.random());
        let row = BridgeRow {
            id: id.clone(),
            org: here.spot.org.clone(),
            state: BridgeState::Active,
            members: members.clone(),
            created_ms: now_ms,
            since_ms: now_ms,
            past: BridgePast::default(),
            notices: Notices::default(),
        };
        self.store().commit(Mutation::AddBridge(row)).await?;
        self.audit(&here.spot.place, "direct.open", &format!("{id} {} {}", here.id(), there.id())).await?;
        self.reload().await?;
        for member in &members {
            if let Some(failure) = self.watch_now(member).await? {
                tracing::warn!(conversation = %member, code = %failure.code(), "a direct conversation is not watched");
            }
        }
        self.say(&there.spot, &words::opened(&here.name, here.on())).await?;
        Ok(words::opened(&there.name, there.on()))
    }

    /// Ends what is open between a person and another, who is told; the other's name.
    pub(crate) async fn end_between(
        &self,
        here: &Party,
        bridge: &Arc<Bridge>,
        peer: &ConversationId,
        how: &str,
    ) -> Result<String, Hitch> {
        let (bridge, state) = (bridge.row.id.clone(), BridgeState::Ended);
        let subject = format!("{bridge} {} {peer}", here.id());
        let since_ms = Some(self.now_ms());
        self.store().commit(Mutation::SetBridge { bridge, state, since_ms }).await?;
        self.audit(&here.spot.place, "direct.close", &subject).await?;
        self.reload().await?;
        let Some(there) = self.party(peer).await? else { return Ok(String::new()) };
        let note = text(&[
            Say::Name(&here.name),
            Say::Text(&format!(" {how}. What you write here is not delivered any more. ")),
            Say::Type("dm list"),
            Say::Text(" shows how to ask again."),
        ]);
        self.say(&there.spot, &note).await?;
        Ok(there.name)
    }

    async fn be_willing(&self, here: &Party, peer: &ConversationId) -> Result<(), RelayError> {
        if matches!(stance::stance(here.facts(), peer), Some(Stance::Willing(_))) {
            return Ok(());
        }
        self.put_stance(here.id(), peer, Some(Stance::Willing(self.now_ms()))).await
    }

    /// Remembers how a person stands to another.
    pub(crate) async fn put_stance(
        &self,
        of: &ConversationId,
        to: &ConversationId,
        stance: Option<Stance>,
    ) -> Result<(), RelayError> {
        let Some(row) = self.store().conversation(of).await? else { return Ok(()) };
        let mut facts = row.facts.clone();
        stance::set(&mut facts, to, stance);
        self.store().commit(Mutation::PutConversation(ConversationRow { facts, ..row })).await?;
        self.reload().await
    }
}

fn too_many() -> Document {
    text(&[Say::Text("Too many people have not answered you yet. Wait for some of them.")])
}

fn out_of_reach(on: &str, code: dragoman_model::Code) -> Document {
    let why = if code == codes::NOT_JOINED {
        format!(
            "They have not added this app on {on} yet, so that it cannot write to them there. Ask them, or an administrator, to add it ("
        )
    } else {
        format!("They cannot be written to on {on} (")
    };
    text(&[Say::Text(&why), Say::Type(code.as_str()), Say::Text(").")])
}
