//! What the reactions to a message mean for one target: what is set there, what is taken back, what a note tells.
//! Pure.

use std::collections::{BTreeMap, BTreeSet};

use dragoman_markup::name::neutralise;
use dragoman_model::{
    Block, ConversationId, Document, Emoji, Inline, PersonId, RemoteUser, Spokesman, TextLimit,
};
use dragoman_store::{CopyRow, Standing};

/// Notes are parts of a copy from here on, so that the map knows them: as ours, and whom they go with.
const NOTES: u32 = 1_000_000;

/// The longest name in a note, in characters.
const LONGEST_NAME: usize = 40;

/// People whose names one emoji of a note shows; the others are counted.
pub(crate) const MOST_NAMES: usize = 30;
/// Emoji that a note shows.
pub(crate) const MOST_EMOJI: usize = 40;

/// Names for each emoji and emoji in one note, at most; the less, the longer it would be.
const SHORTER: [(usize, usize); 6] = [(MOST_NAMES, MOST_EMOJI), (12, 40), (5, 30), (2, 30), (0, 30), (0, 10)];

/// Somebody's reaction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Reactor {
    /// Where it was made.
    pub at: ConversationId,
    /// By which account.
    pub user: RemoteUser,
    /// The human, where linked.
    pub person: Option<PersonId>,
    /// Digest of the emoji.
    pub emoji: Vec<u8>,
    /// When, milliseconds since 1970.
    pub at_ms: i64,
}

/// What we set at the target, or tried to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Placed {
    /// As whom.
    pub who: Spokesman,
    /// Digest of the emoji.
    pub emoji: Vec<u8>,
    /// What came of it.
    pub standing: Standing,
}

/// The reactions to a message as one target sees them.
pub(crate) struct Scene<'a> {
    /// The target.
    pub target: &'a ConversationId,
    /// Everybody's.
    pub reactors: &'a [Reactor],
    /// Ours there.
    pub placed: &'a [Placed],
    /// People who react there in their own name.
    pub voices: &'a BTreeSet<PersonId>,
    /// Whether the app can react there.
    pub app: bool,
}

/// One thing to do at the target.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    /// Set it.
    Set(Spokesman, Vec<u8>),
    /// Take it back.
    Take(Spokesman, Vec<u8>),
    /// Nothing can or has to be done about it any more.
    Forget(Spokesman, Vec<u8>),
}

impl<'a> Scene<'a> {
    /// The next thing to do; what came of it makes the next scene.
    pub(crate) fn next(&self) -> Option<Step> {
        let wanted = self.wanted();
        let unwanted = self.placed.iter().find(|it| !wanted.contains(&(it.who.clone(), it.emoji.clone())));
        if let Some(Placed { who, emoji, standing }) = unwanted {
            let (who, emoji) = (who.clone(), emoji.clone());
            let mute = matches!(&who, Spokesman::Person(person) if !self.voices.contains(person));
            let nothing = *standing == Standing::Refused || mute;
            return Some(if nothing { Step::Forget(who, emoji) } else { Step::Take(who, emoji) });
        }
        let done = |who: &Spokesman, emoji: &[u8]| {
            self.placed
                .iter()
                .any(|it| it.who == *who && it.emoji == emoji && it.standing != Standing::Setting)
        };
        let open = wanted.into_iter().find(|(who, emoji)| !done(who, emoji));
        open.map(|(who, emoji)| Step::Set(who, emoji))
    }

    /// What a note tells: the reactions that nobody sees under their author's own name, by emoji, first come first.
    pub(crate) fn told(&self) -> Vec<(Vec<u8>, Vec<&'a Reactor>)> {
        let mut told: Vec<(Vec<u8>, Vec<&'a Reactor>)> = Vec::new();
        for reactor in self.elsewhere() {
            if self.speaker(reactor) != Spokesman::App {
                continue;
            }
            match told.iter_mut().find(|(emoji, _)| *emoji == reactor.emoji) {
                Some((_, people)) => {
                    // Somebody may be in several members of a bridge.
                    let same = |it: &&Reactor| {
                        it.user == reactor.user || it.person.is_some() && it.person == reactor.person
                    };
                    if !people.iter().any(same) {
                        people.push(reactor);
                    }
                }
                None => told.push((reactor.emoji.clone(), vec![reactor])),
            }
        }
        told
    }

    /// Reactions of others than the target's own people, and of people who did not make the same there themselves.
    fn elsewhere(&self) -> Vec<&'a Reactor> {
        let same_there = |reactor: &Reactor| {
            reactor.person.is_some()
                && self.reactors.iter().any(|it| {
                    it.at == *self.target && it.person == reactor.person && it.emoji == reactor.emoji
                })
        };
        let mut found: Vec<&'a Reactor> =
            self.reactors.iter().filter(|it| it.at != *self.target && !same_there(it)).collect();
        found.sort_by(|a, b| {
            (a.at_ms, &a.at, a.user.as_str(), &a.emoji).cmp(&(b.at_ms, &b.at, b.user.as_str(), &b.emoji))
        });
        found
    }

    /// As whom a reaction stands at the target.
    fn speaker(&self, reactor: &Reactor) -> Spokesman {
        let Some(person) = &reactor.person else { return Spokesman::App };
        let own = Spokesman::Person(person.clone());
        let placed = self.placed.iter().find(|it| it.who == own && it.emoji == reactor.emoji);
        let there = match placed.map(|it| it.standing) {
            // It stays there when the token dies.
            Some(Standing::Set) => true,
            Some(Standing::Refused) => false,
            _ => self.voices.contains(person),
        };
        if there { own } else { Spokesman::App }
    }

    fn wanted(&self) -> Vec<(Spokesman, Vec<u8>)> {
        let mut wanted = Vec::new();
        let mut want = |who: Spokesman, emoji: &Vec<u8>| {
            if !wanted.iter().any(|(by, with)| *by == who && with == emoji) {
                wanted.push((who, emoji.clone()));
            }
        };
        for reactor in self.elsewhere() {
            let speaker = self.speaker(reactor);
            if speaker == Spokesman::App
                && let Some(person) = &reactor.person
                && self.placed.iter().any(|it| {
                    it.who == Spokesman::Person(person.clone())
                        && it.emoji == reactor.emoji
                        && it.standing == Standing::Refused
                })
            {
                // Remembered, so that it is not tried again with every change.
                want(Spokesman::Person(person.clone()), &reactor.emoji);
            }
            if self.app || speaker != Spokesman::App {
                want(speaker, &reactor.emoji);
            }
        }
        wanted
    }
}

/// Whether a copy is a note.
pub(crate) fn is_note(copy: &CopyRow) -> bool {
    copy.part >= NOTES
}

/// The part that the next note is, after these.
pub(crate) fn next_note<'a>(notes: impl Iterator<Item = &'a CopyRow>) -> u32 {
    notes.map(|note| note.part.saturating_add(1)).max().unwrap_or(NOTES)
}

/// An emoji and who reacted with it: their names, and where they write.
pub(crate) struct Told {
    pub emoji: Emoji,
    pub people: Vec<(String, String)>,
    /// How many more, by where they write: nobody looked their names up.
    pub others: BTreeMap<String, usize>,
}

impl Told {
    fn origins(&self) -> impl Iterator<Item = &str> {
        self.people.iter().map(|(_, origin)| origin.as_str()).chain(self.others.keys().map(String::as_str))
    }
}

/// `👍 Ana, Bo · ❤️ Cy (Their platform)`; with every name where it is from, where that differs. `detached`: it stands apart from
/// its message.
pub(crate) fn note(told: &[Told], detached: bool, limit: TextLimit) -> Document {
    // Names of apps and what a renderer adds need their share.
    let room = limit.max / 2;
    let mut shortest = Document::default();
    for (names, emoji) in SHORTER {
        shortest = compose(told, detached, names, emoji);
        if limit.unit.measure(&dragoman_markup::plain(&shortest)) <= room {
            break;
        }
    }
    shortest
}

fn compose(told: &[Told], detached: bool, most_names: usize, most_emoji: usize) -> Document {
    let mut origins: Vec<&str> = told.iter().flat_map(Told::origins).collect();
    origins.sort_unstable();
    origins.dedup();
    let one_origin = origins.len() == 1;
    let mut line = Vec::new();
    if detached {
        line.push(Inline::Emphasis(vec![Inline::Text("reactions to an earlier message:".to_owned())]));
        line.push(Inline::Text(" ".to_owned()));
    }
    for (index, it) in told.iter().take(most_emoji).enumerate() {
        if index > 0 {
            line.push(Inline::Text(" · ".to_owned()));
        }
        line.push(match &it.emoji {
            Emoji::Unicode(_) => Inline::Emoji(it.emoji.clone()),
            Emoji::Custom { name, .. } => Inline::Text(format!(":{}:", plain_name(name))),
        });
        let named = it
            .people
            .iter()
            .take(most_names)
            .map(|(name, origin)| if one_origin { name.clone() } else { format!("{name} ({origin})") });
        let mut words = named.collect::<Vec<_>>().join(", ");
        let more = it.people.len().saturating_sub(most_names) + it.others.values().sum::<usize>();
        if more > 0 {
            words = if words.is_empty() { more.to_string() } else { format!("{words} and {more} more") };
        }
        line.push(Inline::Text(format!(" {words}")));
    }
    if told.len() > most_emoji {
        line.push(Inline::Text(" …".to_owned()));
    }
    if one_origin && let Some(origin) = origins.first() {
        line.push(Inline::Text(format!(" ({origin})")));
    }
    Document { blocks: vec![Block::Paragraph(line)] }.normalise()
}

/// Short names have few kinds of characters everywhere.
fn plain_name(name: &str) -> String {
    let plain = |c: &char| c.is_alphanumeric() || matches!(c, '_' | '-' | '+' | '\'');
    name.chars().filter(plain).take(LONGEST_NAME).collect()
}

/// A name as notes show it.
pub(crate) fn shown_name(name: Option<&str>) -> String {
    let name: String = neutralise(name.unwrap_or_default()).chars().take(LONGEST_NAME).collect();
    if name.is_empty() { "somebody".to_owned() } else { name }
}

/// What is equal for one emoji, however platforms write it.
pub(crate) fn emoji_key(emoji: &Emoji) -> String {
    match emoji {
        // Whether the sign for a colourful picture is there differs from platform to platform.
        Emoji::Unicode(characters) => format!("u:{}", characters.replace('\u{fe0f}', "")),
        Emoji::Custom { name, .. } => format!("c:{name}"),
    }
}

/// An emoji as a text that [`unpacked`] reads.
pub(crate) fn packed(emoji: &Emoji) -> String {
    match emoji {
        Emoji::Unicode(characters) => format!("u:{characters}"),
        Emoji::Custom { name, .. } => format!("c:{name}"),
    }
}

/// Reads what [`packed`] wrote.
pub(crate) fn unpacked(text: &str) -> Option<Emoji> {
    match text.split_at_checked(2)? {
        ("u:", characters) => Some(Emoji::Unicode(characters.to_owned())),
        ("c:", name) => Some(Emoji::Custom { name: name.to_owned(), url: None }),
        _ => None,
    }
}

#[cfg(test)]
#[path = "reaction_plan/tests.rs"]
mod tests;
