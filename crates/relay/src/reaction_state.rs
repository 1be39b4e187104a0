//! What is recorded of the reactions to a message, as one target sees it.

use std::collections::{BTreeMap, BTreeSet};

use dragoman_model::{Feature, Level, PersonId, RemoteUser, Spokesman};
use dragoman_store::{ReactionKey, ReactionRow, Standing};

use crate::core::Relay;
use crate::directory::Spot;
use crate::leg::Sent;
use crate::plan::{spokesman, spokesman_word};
use crate::reaction_plan::{Placed, Reactor, Scene};
use crate::reactions::KEPT_MS;

/// Reactions as one target sees them.
#[derive(Default)]
pub(crate) struct State {
    /// Who reacted.
    pub(crate) reactors: Vec<Reactor>,
    placed: Vec<Placed>,
    /// What was to set something, or else to take it back, and was sent without an answer, as of this turn's beginning: when
    /// last, milliseconds since 1970.
    sent: Vec<(Spokesman, Vec<u8>, bool, i64)>,
    voices: BTreeSet<PersonId>,
    app: bool,
    /// Sealed emoji by digest.
    pub(crate) sealed: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl State {
    /// As the plan takes it.
    pub(crate) fn scene<'a>(&'a self, target: &'a Spot) -> Scene<'a> {
        Scene {
            target: &target.id,
            reactors: &self.reactors,
            placed: &self.placed,
            voices: &self.voices,
            app: self.app,
        }
    }

    /// How one of ours stands.
    pub(crate) fn standing(&self, who: &Spokesman, emoji: &[u8]) -> Option<Standing> {
        self.placed.iter().find(|it| it.who == *who && it.emoji == emoji).map(|it| it.standing)
    }

    /// When what sets it, or takes it back, was last sent without an answer, milliseconds since 1970, if it was.
    pub(crate) fn sent_ms(&self, who: &Spokesman, emoji: &[u8], set: bool) -> Option<i64> {
        let sent = self.sent.iter().find(|it| it.0 == *who && it.1 == emoji && it.2 == set);
        sent.map(|(.., sent_ms)| *sent_ms)
    }

    /// These of ours may be there or not: that they were taken back was sent, and not answered.
    pub(crate) fn doubt(&mut self, unreacting: Vec<Sent>) {
        for (who, emoji, sent_ms) in unreacting {
            for placed in self.placed.iter_mut().filter(|it| it.who == who && it.emoji == emoji) {
                placed.standing = Standing::Setting;
            }
            self.sent.push((who, emoji, false, sent_ms));
        }
    }

    /// Says how one of ours stands now: the row of it.
    pub(crate) fn put(
        &mut self,
        target: &Spot,
        who: &Spokesman,
        emoji: &[u8],
        standing: Standing,
        (at_ms, now_ms): (i64, i64),
    ) -> ReactionRow {
        self.placed.retain(|it| it.who != *who || it.emoji != emoji);
        self.placed.push(Placed { who: who.clone(), emoji: emoji.to_vec(), standing });
        let sealed_emoji = self.sealed.get(emoji).cloned().unwrap_or_default();
        ReactionRow {
            key: key(target, who, emoji),
            sealed_emoji,
            standing,
            at_ms,
            until_ms: now_ms + KEPT_MS,
        }
    }

    /// One of ours was taken back, of which an earlier attempt may take effect so long: the row of it.
    pub(crate) fn taken(
        &mut self,
        target: &Spot,
        who: &Spokesman,
        emoji: &[u8],
        now_ms: i64,
        patience_ms: i64,
    ) -> ReactionRow {
        self.placed.retain(|it| it.who != *who || it.emoji != emoji);
        ReactionRow {
            key: key(target, who, emoji),
            sealed_emoji: Vec::new(),
            standing: Standing::Unset,
            at_ms: now_ms,
            until_ms: now_ms + patience_ms,
        }
    }

    /// One of ours is there no more: the row that goes.
    pub(crate) fn forget(&mut self, target: &Spot, who: &Spokesman, emoji: &[u8]) -> Vec<ReactionKey> {
        self.placed.retain(|it| it.who != *who || it.emoji != emoji);
        vec![key(target, who, emoji)]
    }
}

impl Relay {
    /// What is recorded, as a target sees it.
    pub(crate) fn state(&self, target: &Spot, rows: Vec<ReactionRow>) -> State {
        let directory = self.directory();
        let there = &target.place.session.installation.id;
        let own = target.capabilities.level(Feature::OwnToken) >= Level::Native
            && target.capabilities.own_level(Feature::ReactionOwn) >= Level::Native;
        let mut state = State {
            app: target.capabilities.level(Feature::ReactionApp) >= Level::Partial,
            ..State::default()
        };
        for row in rows {
            let ReactionKey { conversation, ours, who, emoji } = row.key;
            if !ours && row.standing == Standing::Set {
                let user: RemoteUser = who.as_str().into();
                let installation =
                    directory.spot(&conversation).map(|spot| &spot.place.session.installation.id);
                let person = installation.and_then(|here| directory.person(here, &user)).cloned();
                if let Some(person) =
                    person.as_ref().filter(|person| own && directory.has_voice(there, person))
                {
                    state.voices.insert(person.clone());
                }
                let (at, at_ms) = (conversation, row.at_ms);
                state.reactors.push(Reactor { at, user, person, emoji: emoji.clone(), at_ms });
            } else if ours && conversation == target.id {
                let who = spokesman(&who);
                if let Spokesman::Person(person) = &who
                    && own
                    && directory.has_voice(there, person)
                {
                    state.voices.insert(person.clone());
                }
                let stands = row.standing != Standing::Unset;
                if row.at_ms > 0 {
                    state.sent.push((who.clone(), emoji.clone(), stands, row.at_ms));
                }
                if stands {
                    state.placed.push(Placed { who, emoji: emoji.clone(), standing: row.standing });
                }
            }
            if !row.sealed_emoji.is_empty() {
                state.sealed.entry(emoji).or_insert(row.sealed_emoji);
            }
        }
        state
    }
}

fn key(target: &Spot, who: &Spokesman, emoji: &[u8]) -> ReactionKey {
    ReactionKey {
        conversation: target.id.clone(),
        ours: true,
        who: spokesman_word(who),
        emoji: emoji.to_vec(),
    }
}
