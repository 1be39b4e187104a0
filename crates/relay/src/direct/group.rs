//! Conversations of several people. Each one's own chat with the app is their member of the bridge, so that no platform
//! limits who can be in one. It is there as long as two of them are; who leaves may come back.

use std::collections::BTreeMap;
use std::sync::Arc;

use dragoman_model::{Block, ConversationId, Document, LegId, RemoteUser, codes};
use dragoman_platform::Failure;
use dragoman_store::{BridgeState, Mutation};

use super::acquaint::{Party, Sought};
use super::act::{Hitch, Open, nobody_meant, stands};
use super::answer::Request;
use super::command::Who;
use super::open::{MOST_ASKED, REMIND_MS, Reached, UNSAID, say_where, sought_enough, too_many, unknown};
use super::stance::{self, Stance, With};
use super::words::{self, Say, crowd, text};
use crate::core::Relay;
use crate::directory::{Bridge, Place};
use crate::error::RelayError;

/// People in one conversation beside the one who asks for it.
const MOST_TOGETHER: usize = 20;

/// Somebody who is to be asked.
struct Invited {
    place: Arc<Place>,
    user: RemoteUser,
    named: String,
}

impl Relay {
    /// Asks several people for one conversation: nobody, if one of them is not known.
    pub(crate) async fn ask_several(
        &self,
        here: &Party,
        request: &Request,
        people: Vec<(String, Option<String>)>,
        first: &str,
    ) -> Result<Document, Hitch> {
        let mut named: Vec<(String, Option<String>)> = Vec::new();
        for (address, on) in people {
            let own = here.email.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(&address));
            if !own && !named.iter().any(|(known, _)| *known == address) {
                named.push((address, on));
            }
        }
        if let [(address, on)] = &named[..] {
            return Box::pin(self.ask(here, request, Who::Email(address.clone()), on.as_deref(), first))
                .await;
        }
        if named.len() > MOST_TOGETHER {
            let most = format!("At most {MOST_TOGETHER} people can be asked for one conversation.");
            return Ok(text(&[Say::Text(&most)]));
        }
        if !self.0.direct.may_seek(here.id().as_str(), named.len(), self.now_ms()) {
            return Ok(sought_enough());
        }
        if self.unanswered(here) + named.len() > MOST_ASKED {
            return Ok(too_many());
        }
        // At the same time: others of the organisation wait meanwhile.
        let looks = named.into_iter().map(async |(address, on)| {
            let sought = self.seek(here, &address, on.as_deref()).await;
            (address, sought)
        });
        let (mut invited, mut missing) = (Vec::new(), Vec::new());
        for (address, sought) in futures_util::future::join_all(looks).await {
            match sought? {
                Sought::One(place, profile) | Sought::Here(place, profile) => {
                    let named = format!(
                        "{} ({})",
                        dragoman_markup::name::neutralise(&profile.name),
                        place.connector.display_name()
                    );
                    // Two addresses may be of one person.
                    let known = |it: &Invited| it.user == profile.user && Arc::ptr_eq(&it.place, &place);
                    if !invited.iter().any(known) {
                        invited.push(Invited { place, user: profile.user.clone(), named });
                    }
                }
                Sought::Several(names) => return Ok(say_where(&address, &names)),
                Sought::Nobody => missing.push(address),
            }
        }
        if !missing.is_empty() {
            return Ok(unknown(&missing));
        }
        let home = &here.spot.place.session.installation.id;
        if invited.iter().all(|person| person.place.session.installation.id == *home) {
            let words = format!("They are all on {} as you are: write to them directly.", here.on());
            return Ok(text(&[Say::Text(&words)]));
        }
        self.invite_all(here, &invited, first).await
    }

    async fn invite_all(&self, here: &Party, invited: &[Invited], first: &str) -> Result<Document, Hitch> {
        let now_ms = self.now_ms();
        let group = With::Group(format!("g{}", LegId::fresh(now_ms, &**self.random())));
        let (mut asked, mut unsure, mut unreached) = (Vec::new(), Vec::new(), Vec::new());
        for person in invited {
            let others =
                invited.iter().filter(|other| other.user != person.user || other.named != person.named);
            let others: Vec<String> = others.map(|other| other.named.clone()).collect();
            let invitation =
                words::invitation(&here.name, here.email.as_deref(), here.on(), Some(&crowd(&others)), first);
            match self.invite_one(here, person, &group, &invitation).await {
                Ok(Reached::Told) => asked.push(person.named.clone()),
                Ok(Reached::Perhaps) => unsure.push(person.named.clone()),
                Ok(Reached::Not(_)) | Err(Hitch::Platform(_)) => unreached.push(person.named.clone()),
                Err(hitch) => return Err(hitch),
            }
        }
        if asked.is_empty() && unsure.is_empty() {
            return Ok(text(&[Say::Text("None of them can be written to through this app now.")]));
        }
        let mut wish = stance::change(&group, Some(Stance::Willing(now_ms)));
        wish.extend(stance::ask_for(&group));
        self.amend(here.id(), wish).await?;
        self.reload().await?;
        let subject = format!("{} {}", here.id(), group.id());
        self.audit(&here.spot.place, "direct.ask", &subject).await?;
        let mut said = Vec::new();
        if !asked.is_empty() {
            let were = if asked.len() == 1 { "was" } else { "were" };
            said.push(format!("{} {were} asked.", crowd(&asked)));
        }
        if !unsure.is_empty() {
            said.push(format!(
                "It is not known whether {} can read that you ask: no answer came. Ask again if you hear nothing of them.",
                crowd(&unsure)
            ));
        }
        said.push(
            "You are told here when the conversation begins, which is when one of them says yes; what you write until then is not delivered."
                .to_owned(),
        );
        let mut blocks = vec![words::line(&[Say::Text(&said.join(" "))])];
        if !unreached.is_empty() {
            let line = format!("Out of reach, and not asked: {}.", crowd(&unreached));
            blocks.push(words::line(&[Say::Text(&line)]));
        }
        Ok(Document { blocks }.normalise())
    }

    /// Asks one of several.
    async fn invite_one(
        &self,
        here: &Party,
        person: &Invited,
        group: &With,
        invitation: &Document,
    ) -> Result<Reached, Hitch> {
        let found = self.chat_of(&person.place, &person.user, None, invitation).await;
        let (id, greeted) = match found {
            Ok(found) => found,
            Err(Hitch::Platform(Failure::Refused(code) | Failure::Gone(code))) => {
                return Ok(Reached::Not(code));
            }
            Err(hitch) => return Err(hitch),
        };
        let Some(there) = self.party(&id).await? else { return Ok(Reached::Not(codes::UNBRIDGED)) };
        // Who is blocked is not told so: in everybody's list they are one who does not answer.
        if matches!(stands(&there.spot, here), Some(Stance::Blocked(_))) {
            self.put_stance(&id, group, Some(Stance::Blocked(self.now_ms()))).await?;
            return Ok(Reached::Told);
        }
        let reached = if greeted { Reached::Told } else { self.invite(&there, invitation).await? };
        if !matches!(reached, Reached::Not(_)) {
            self.put_stance(&id, group, Some(Stance::Asked(self.now_ms()))).await?;
        }
        Ok(reached)
    }

    /// Says yes to a conversation of several, or comes back to it.
    pub(crate) async fn join(
        &self,
        here: &Party,
        request: &Request,
        group: &str,
        first: &str,
    ) -> Result<Document, Hitch> {
        let with = With::Group(group.to_owned());
        if let Some(open) = self.open_in(here.id()).filter(|open| open.with == with) {
            return Ok(self.join_again(here, request, &open, first).await?);
        }
        // Before anything is left for it.
        let (willing, unclear) = match self.directory().talk(group) {
            Some(_) => (Vec::new(), Vec::new()),
            None => self.willing(here, &with).await?,
        };
        if let Some(refusal) = self.make_room(here, request).await? {
            return Ok(refusal);
        }
        let directory = self.directory();
        if let Some(bridge) = directory.talk(group).cloned() {
            self.step_out(here, &with).await?;
            return self.join_open(here, request, group, &bridge, first).await;
        }
        let now_ms = self.now_ms();
        let is_busy = |there: &Party| directory.living_bridge(there.id()).is_some();
        let (busy, free): (Vec<Party>, Vec<Party>) = willing.into_iter().partition(is_busy);
        for there in busy.iter().chain(&unclear) {
            if self.0.direct.is_due(format!("{} {group}", there.id()), now_ms, REMIND_MS) {
                self.tell_party(there, request, waiting(here, is_busy(there))).await?;
            }
        }
        if free.is_empty() {
            self.be_willing(here, &with).await?;
            return Ok(text(&[
                Say::Text(
                    "Nobody else is there now. You are told here when the conversation begins; what you write until then is not delivered.",
                ),
                Say::Text(if first.is_empty() { "" } else { UNSAID }),
            ]));
        }
        let mut members: Vec<ConversationId> = free.iter().map(|there| there.id().clone()).collect();
        members.push(here.id().clone());
        self.step_out(here, &with).await?;
        self.link(here, request, group, members).await?;
        Ok(self.arrive(here, request, group, first).await?)
    }

    /// Takes who comes back to a conversation of several for one who left until the others are told: who is there without
    /// wanting it came by what was interrupted.
    async fn step_out(&self, here: &Party, with: &With) -> Result<(), RelayError> {
        match stance::stance(here.facts(), with) {
            Some(Stance::Willing(since_ms)) => {
                self.put_stance(here.id(), with, Some(Stance::Left(since_ms))).await
            }
            _ => Ok(()),
        }
    }

    /// Everybody else who wants a conversation of several and may write; and those of whom nobody can tell now whether they
    /// may, who come by themselves.
    ///
    /// # Errors
    /// There are only such.
    async fn willing(&self, here: &Party, with: &With) -> Result<(Vec<Party>, Vec<Party>), Hitch> {
        let directory = self.directory();
        let (mut willing, mut unclear, mut why) = (Vec::new(), Vec::new(), None);
        for id in directory.group(with.id()).iter().filter(|id| *id != here.id()) {
            let Some(there) = self.party(id).await? else { continue };
            if !matches!(stance::stance(there.facts(), with), Some(Stance::Willing(_))) {
                continue;
            }
            match self.may_write(&there) {
                Ok(true) => willing.push(there),
                Ok(false) => {}
                Err(failure) => {
                    why = Some(failure);
                    unclear.push(there);
                }
            }
        }
        match why {
            Some(failure) if willing.is_empty() => Err(failure.into()),
            _ => Ok((willing, unclear)),
        }
    }

    /// Joins a conversation in which others are.
    async fn join_open(
        &self,
        here: &Party,
        request: &Request,
        group: &str,
        bridge: &Bridge,
        first: &str,
    ) -> Result<Document, Hitch> {
        let mut members = bridge.row.members.clone();
        members.push(here.id().clone());
        let since_ms = Some(self.now_ms());
        let set = Mutation::SetMembers {
            bridge: bridge.row.id.clone(),
            members,
            since_ms,
            backfill_ms: BTreeMap::new(),
            joined_by: Some((here.id().clone(), request.id.clone())),
        };
        self.store().commit(set).await?;
        self.0.parts.faults.hit("direct.joined");
        let subject = format!("{} {}", bridge.row.id, here.id());
        self.audit(&here.spot.place, "direct.join", &subject).await?;
        self.reload().await?;
        self.watch_member(here.id()).await?;
        Ok(self.arrive(here, request, group, first).await?)
    }

    /// Tells those whom a person found in a conversation of several, or opened it with, that they are there; what the one
    /// who came reads. Done again after an interruption, it tells nobody twice, and nobody who came later: those read who
    /// was there when they did.
    pub(crate) async fn arrive(
        &self,
        here: &Party,
        request: &Request,
        group: &str,
        first: &str,
    ) -> Result<Document, RelayError> {
        let bridge = self.directory().talk(group).cloned();
        let Some(bridge) = bridge else { return Ok(nobody_meant()) };
        // Members stand in the order in which they came.
        let found = bridge.row.members.iter().take_while(|member| *member != here.id());
        let there = self.parties(&found.cloned().collect::<Vec<_>>()).await?;
        let opened = !bridge.row.past.joined_by.contains_key(here.id());
        let paused = bridge.row.state == BridgeState::Paused;
        if opened {
            self.tell_all(here, request, &there).await?;
        }
        for party in &there {
            if !opened {
                let joined = text(&[
                    Say::Name(&here.name),
                    Say::Text(&format!(" on {} is in this conversation now.", here.on())),
                ]);
                self.tell_party(party, request, joined).await?;
            }
            if !paused {
                self.pass_on(here, party, request, first).await?;
            }
        }
        let with = With::Group(group.to_owned());
        let since_ms = match stance::stance(here.facts(), &with) {
            Some(Stance::Willing(since_ms) | Stance::Left(since_ms)) => since_ms,
            Some(Stance::Asked(_) | Stance::Blocked(_)) | None => self.now_ms(),
        };
        // Only now, so that an agreement that was interrupted is heard as one again.
        self.put_stance(here.id(), &with, Some(Stance::Willing(since_ms))).await?;
        if paused {
            return Ok(text(&[
                Say::Text(
                    "You are in this conversation now. An administrator paused it: what you write here is not delivered until it goes on.",
                ),
                Say::Text(if first.is_empty() { "" } else { UNSAID }),
            ]));
        }
        Ok(words::opened_together(&crowd(&self.there_now(here, group).await?)))
    }

    /// Answers who wants to go where they are.
    pub(crate) async fn join_again(
        &self,
        here: &Party,
        request: &Request,
        open: &Open,
        first: &str,
    ) -> Result<Document, RelayError> {
        let mut there = self.parties(&open.bridge.row.members).await?;
        there.retain(|party| party.id() != here.id());
        let is_told = matches!(stance::stance(here.facts(), &open.with), Some(Stance::Willing(_)));
        if !is_told {
            // It was opened or joined, and not told to the end.
            self.tell_all(here, request, &there).await?;
        }
        if open.bridge.row.state == BridgeState::Paused {
            self.be_willing(here, &open.with).await?;
            return Ok(text(&[
                Say::Text("This conversation is paused by an administrator."),
                Say::Text(if first.is_empty() { "" } else { UNSAID }),
            ]));
        }
        for party in &there {
            self.pass_on(here, party, request, first).await?;
        }
        self.be_willing(here, &open.with).await?;
        Ok(if is_told {
            text(&[Say::Text("This conversation is open.")])
        } else {
            words::opened_together(&named(&there))
        })
    }

    /// Tells everybody else in a conversation of several that it is open, and with whom.
    async fn tell_all(&self, here: &Party, request: &Request, there: &[Party]) -> Result<(), RelayError> {
        for party in there {
            let others = there.iter().filter(|other| other.id() != party.id()).chain([here]);
            let others: Vec<String> = others.map(Party::named).collect();
            self.tell_party(party, request, words::opened_together(&crowd(&others))).await?;
        }
        Ok(())
    }

    /// Leaves a conversation of several. With the last but one it ends.
    pub(crate) async fn leave_group(
        &self,
        here: &Party,
        request: &Request,
        bridge: &Arc<Bridge>,
    ) -> Result<(), Hitch> {
        let left: Vec<ConversationId> =
            bridge.row.members.iter().filter(|member| *member != here.id()).cloned().collect();
        let there = self.parties(&left).await?;
        let over = left.len() < 2;
        if over {
            self.end_talk(here, request, bridge).await?;
        } else {
            let since_ms = Some(request.left_ms(self.now_ms()));
            let id = bridge.row.id.clone();
            let set = Mutation::SetMembers {
                bridge: id.clone(),
                members: left,
                since_ms,
                backfill_ms: BTreeMap::new(),
                joined_by: None,
            };
            self.store().commit(set).await?;
            self.audit(&here.spot.place, "direct.leave", &format!("{id} {}", here.id())).await?;
            self.reload().await?;
        }
        Ok(self.tell_stayed(here, request, &there).await?)
    }

    /// Tells those who stay that somebody left; to one alone it is over.
    pub(crate) async fn tell_stayed(
        &self,
        here: &Party,
        request: &Request,
        there: &[Party],
    ) -> Result<(), RelayError> {
        let over = there.len() < 2;
        for party in there {
            let mut told = vec![Say::Name(&here.name), Say::Text(" left this conversation.")];
            if over {
                told.push(Say::Text(
                    " Nobody else is there; what you write here is not delivered any more. ",
                ));
                told.push(Say::Type("dm list"));
                told.push(Say::Text(" shows how to come back to it."));
            }
            self.tell_left(party, request, text(&told)).await?;
        }
        Ok(())
    }

    /// Everybody of a conversation of several but one, by name and platform, those first who said yes.
    pub(crate) async fn others_of(&self, here: &Party, group: &str) -> Result<Vec<String>, RelayError> {
        let directory = self.directory();
        let with = With::Group(group.to_owned());
        let mut others = Vec::new();
        for id in directory.group(group).iter().filter(|id| *id != here.id()) {
            let Some(there) = self.party(id).await? else { continue };
            // Who does not want to is told of as one who does not answer, or who left.
            let (rank, word) = match stance::stance(there.facts(), &with) {
                Some(stance) if stance.is_unanswered() => (1, ", no answer yet"),
                Some(_) => (0, ""),
                None => continue,
            };
            others.push((rank, format!("{} ({}{word})", there.name, there.on())));
        }
        others.sort();
        Ok(others.into_iter().map(|(_, named)| named).collect())
    }

    /// Who else is there now.
    pub(crate) async fn there_now(&self, here: &Party, group: &str) -> Result<Vec<String>, RelayError> {
        let members = self.directory().talk(group).map(|bridge| bridge.row.members.clone());
        let mut there = self.parties(&members.unwrap_or_default()).await?;
        there.retain(|party| party.id() != here.id());
        Ok(there.iter().map(Party::named).collect())
    }

    pub(crate) async fn parties(&self, ids: &[ConversationId]) -> Result<Vec<Party>, RelayError> {
        let mut parties = Vec::with_capacity(ids.len());
        for id in ids {
            parties.extend(self.party(id).await?);
        }
        Ok(parties)
    }
}

/// Everybody by name and platform.
fn named(people: &[Party]) -> String {
    crowd(&people.iter().map(Party::named).collect::<Vec<_>>())
}

/// What somebody reads for whom another one waits; `busy`: something is open in their chat.
fn waiting(here: &Party, busy: bool) -> Document {
    let left = if busy { "; you leave the one that is open here." } else { "." };
    let line: Block = words::line(&[
        Say::Name(&here.name),
        Say::Text(&format!(" on {} waits for you in a conversation of several. ", here.on())),
        Say::Type("dm list"),
        Say::Text(&format!(" shows the number with which you go there{left}")),
    ]);
    Document { blocks: vec![line] }.normalise()
}
