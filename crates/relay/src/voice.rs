//! Voices: in whose name a copy stands at a target, and what comes back of what was said in somebody's name.
//!
//! A person who granted a token speaks for themselves; everybody else, and everybody where that token does not work any
//! more, speaks through the app. A copy keeps its voice: only who posted it can edit and delete it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use dragoman_model::{
    AuthorKind, Event, Feature, Happening, Level, Message, Operation, Outcome, PersonId, Spokesman, codes,
};
use dragoman_platform::{Installation, Profile, TokenSet, TokenSlot};
use dragoman_store::{CopyRow, LaneId, Mutation};

use crate::core::Relay;
use crate::directory::{Directory, Place, Spot};
use crate::error::RelayError;
use crate::leg::Leg;
use crate::plan::{generation, spokesman};
use crate::turn::Turn;

/// How long an event by somebody in whose name something is being sent waits for the answer to that, in milliseconds;
/// and after a restart when all that was sent before it must have taken effect.
const ANSWER_MS: i64 = 10_000;
/// The pause between two looks whether it came, in milliseconds.
const ANSWER_LOOK_MS: i64 = 50;

/// Whose token an operation is done with; `None`: the app's.
pub(crate) fn speaker(operation: &Operation) -> Option<&PersonId> {
    let spokesman = match operation {
        Operation::Post(post) | Operation::Edit { post, .. } => &post.spokesman,
        Operation::Delete { spokesman, .. }
        | Operation::React { spokesman, .. }
        | Operation::Unreact { spokesman, .. } => spokesman,
    };
    match spokesman {
        Spokesman::App => None,
        Spokesman::Person(person) => Some(person),
    }
}

/// In whose name a message is posted anew at a target. A rung of the ladder is taken only where the target's data say
/// that it can edit and delete as well.
pub(crate) fn voice(directory: &Directory, source: &Spot, target: &Spot, message: &Message) -> Spokesman {
    if message.author.kind != AuthorKind::Person
        || target.capabilities.level(Feature::OwnToken) < Level::Native
    {
        return Spokesman::App;
    }
    let here = &source.place.session.installation.id;
    let there = &target.place.session.installation.id;
    let person = message.author.user.as_ref().and_then(|user| directory.person(here, user));
    person
        .filter(|person| directory.has_voice(there, person))
        .map_or(Spokesman::App, |person| Spokesman::Person(person.clone()))
}

/// Whether a copy can be changed no more, because it stands in the name of somebody whose token is gone.
pub(crate) fn is_mute(directory: &Directory, target: &Spot, copy: &CopyRow) -> bool {
    match spokesman(&copy.spokesman) {
        Spokesman::App => false,
        Spokesman::Person(person) => !directory.has_voice(&target.place.session.installation.id, &person),
    }
}

/// In whose name the parts of one generation stand: that of its first part, unless there is none or its voice is gone.
pub(crate) fn voice_of<'a>(
    parts: impl Iterator<Item = &'a CopyRow>,
    of: u32,
    new: Spokesman,
    is_mute: impl Fn(&CopyRow) -> bool,
) -> Spokesman {
    let first = parts.filter(|copy| generation(copy) == of).min_by_key(|copy| copy.part);
    first.filter(|copy| !is_mute(copy)).map_or(new, |copy| spokesman(&copy.spokesman))
}

impl Relay {
    /// Whether an event waits because it may be what we are just saying in its author's name, or said before a restart.
    ///
    /// What is echoed was appended before its echo: so of two legs one at most waits for the other.
    pub(crate) fn waits_for_answer(&self, leg: &Leg, event: &Event, source: &Spot) -> Option<Turn> {
        let turn = self.awaited(leg, event, source);
        leg.awaits.store(turn.is_some(), Ordering::Relaxed);
        turn
    }

    fn awaited(&self, leg: &Leg, event: &Event, source: &Spot) -> Option<Turn> {
        let Happening::Posted(message) = &event.happening else { return None };
        let author = message.author.user.as_ref()?;
        let directory = self.directory();
        let installation = &source.place.session.installation.id;
        let person = directory.person(installation, author)?;
        if !directory.has_voice(installation, person) {
            return None;
        }
        let spoken = self.0.pending.spoken_before(&source.id, leg.place.1);
        let doubt = self.may_be_sent(leg, source);
        if spoken.is_none() && !doubt {
            return None;
        }
        let now_ms = self.now_ms();
        let mut until_ms = match leg.answer_until_ms.load(Ordering::Relaxed) {
            0 => now_ms + ANSWER_MS,
            until_ms => until_ms,
        };
        let left_ms = self.crash_patience_left_ms();
        if left_ms > 0 && (doubt || spoken.is_some_and(|spoken| spoken.in_doubt)) {
            // What was sent before a restart is looked for until then.
            until_ms = until_ms.max(now_ms + left_ms + ANSWER_MS);
        }
        leg.answer_until_ms.store(until_ms, Ordering::Relaxed);
        let look_ms = until_ms.min(now_ms + ANSWER_LOOK_MS);
        let lane = LaneId::Conversation(source.id.clone());
        let yields = self.with_lanes(|lanes| lanes.awaiting(&lane, leg.place.1)).unwrap_or_default();
        (now_ms < until_ms).then_some(Turn::Await { look_ms, yields })
    }

    /// Whether something may have been sent before a restart into the conversation that a leg comes from, by a leg that was
    /// appended before it, and nobody looked yet: what the leg is about, or refers to, may be that.
    pub(crate) fn may_be_sent(&self, leg: &Leg, source: &Spot) -> bool {
        let lane = LaneId::Conversation(source.id.clone());
        self.with_lanes(|lanes| lanes.may_be_sent(&lane, leg.place.1))
    }

    /// What a dead token means for an operation. `true`: it was a person's own, which is forgotten now, and they are told
    /// where they wrote, so that the same is planned anew without it.
    pub(crate) async fn lost_voice(
        &self,
        leg: &Leg,
        (source, target): (&Spot, &Spot),
        operation: &Operation,
        outcome: &Outcome,
    ) -> Result<bool, RelayError> {
        let (Outcome::SignIn(code), Some(person)) = (outcome, speaker(operation)) else { return Ok(false) };
        if *code == codes::CONFIG {
            // The app's registration is incomplete: nobody's token is to blame.
            return Ok(false);
        }
        let place = &target.place;
        let installation = &place.session.installation.id;
        if self.directory().has_voice(installation, person) {
            tracing::warn!(%installation, %person, cause = %code, code = %codes::OWN_TOKEN, "a person's own token does not work any more; new copies go out through the app");
            self.drop_voice(place, person).await?;
            self.audit(place, "person.token-died", &format!("{person} {installation}")).await?;
            self.tell_voiceless(leg, source, target, person).await;
        }
        Ok(true)
    }

    /// Forgets a person's own token; the last one, as far as it can be read.
    pub(crate) async fn drop_voice(
        &self,
        place: &Place,
        person: &PersonId,
    ) -> Result<Option<Arc<TokenSet>>, RelayError> {
        let (installation, slot) = (place.session.installation.id.clone(), TokenSlot::Person(person.clone()));
        // A refresh that is under way would put another one in its place.
        let _turn = place.session.tokens.lock(&slot).await;
        let last = place.session.tokens.get(&slot).await.ok().flatten();
        self.store().commit(Mutation::DropTokens { installation, slot: Some(person.to_string()) }).await?;
        self.reload().await?;
        Ok(last)
    }

    /// The person whom a profile belongs to by its verified e-mail address: somebody who is linked already, with an
    /// account of the same address elsewhere in the organisation. Bots, closed accounts and outsiders are nobody.
    pub(crate) async fn person_by_email(
        &self,
        place: &Place,
        profile: &Profile,
        digest: Option<&[u8]>,
    ) -> Result<Option<PersonId>, RelayError> {
        let directory = self.directory();
        let Installation { id: here, org, .. } = &*place.session.installation;
        let Some(digest) = digest.filter(|_| !profile.bot && !profile.deleted && !profile.external) else {
            return Ok(None);
        };
        if !directory.has_people(org) || directory.person(here, &profile.user).is_some() {
            return Ok(None);
        }
        let mut found: Option<PersonId> = None;
        for place in directory.places().filter(|place| place.session.installation.org == *org) {
            for row in self.store().accounts_by_email(&place.session.installation.id, digest).await? {
                let Some(person) = row.person else { continue };
                if found.as_ref().is_some_and(|other| *other != person) {
                    // Two people with one address: an admin has to say who it is.
                    return Ok(None);
                }
                found = Some(person);
            }
        }
        // One account of a person at each installation.
        Ok(found.filter(|person| directory.account(here, person).is_none()))
    }
}
