//! Direct conversations: people in their own chats with the app ask each other for one, have it, go from one to
//! another and part. Everybody acts by what their own chat shows.

use std::collections::BTreeMap;

use anyhow::Result;
use dragoman_sim::core::World;

use super::platforms::{Channel, EMOJI, PEOPLE, Platforms};
use super::private_screen::SEVERAL;
use super::private_told::{Told, read};
use super::shown::Shown;
use super::stage::{EDITS, SentFile, file_of};

/// Whoever has no answer for so long says it again, or something else.
const IMPATIENT_MS: i64 = 20_000;

/// Who of [`PEOPLE`].
pub(super) type Crowd = [bool; PEOPLE.len()];
/// Nobody of them.
pub(super) const NOBODY: Crowd = [false; PEOPLE.len()];

/// One of them.
pub(super) fn only(person: usize) -> Crowd {
    let mut crowd = NOBODY;
    crowd[person] = true;
    crowd
}

/// A command to the app.
pub(super) struct Command {
    pub(super) by: usize,
    pub(super) id: String,
    pub(super) at_ms: i64,
    pub(super) what: What,
    /// Whether those whom it names wanted to hear of it when it was written.
    pub(super) ears: [Ear; PEOPLE.len()],
}

impl Command {
    /// Whether it may want a conversation with somebody: who says yes to the only ones who ask may say it to everybody who
    /// asked by then, and to whom those asked.
    pub(super) fn wants(&self, whom: usize, all: &[Self]) -> bool {
        let before = || all.iter().filter(|it| it.at_ms <= self.at_ms && it.what.asks(self.by));
        match self.what {
            What::Join => before().any(|it| it.by == whom || it.what.asks(whom)),
            what => what == What::Accept(whom) || what.asks(whom),
        }
    }
}

/// Whether somebody hears what another one asks for.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) enum Ear {
    #[default]
    Open,
    /// They blocked them, and that was answered.
    Deaf,
    /// They changed that, and nobody knows whether it is done.
    Perhaps,
}

/// What it says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum What {
    /// Asks somebody for a conversation, with first words.
    Ask(usize),
    /// Asks two people for one conversation, with first words.
    Together(usize, usize),
    /// Says yes to somebody.
    Accept(usize),
    /// Says yes to the only ones who ask.
    Join,
    /// Ends what is open.
    Close,
    /// Wants to hear no more of somebody.
    Block(usize),
    /// Takes that back.
    Unblock(usize),
}

impl What {
    /// With whom it wants a conversation.
    pub(super) fn whom(self) -> Option<usize> {
        match self {
            Self::Ask(whom) | Self::Accept(whom) => Some(whom),
            _ => None,
        }
    }

    /// Whether it asks somebody for a conversation.
    pub(super) fn asks(self, whom: usize) -> bool {
        match self {
            Self::Ask(one) => one == whom,
            Self::Together(one, other) => one == whom || other == whom,
            _ => false,
        }
    }

    /// Whether it asks for one conversation with both.
    pub(super) fn asks_both(self, by: usize, (one, other): (usize, usize)) -> bool {
        let there = |person| by == person || self.asks(person);
        matches!(self, Self::Together(..)) && there(one) && there(other)
    }

    /// Whom it names.
    pub(super) fn about(self) -> Option<usize> {
        match self {
            Self::Block(whom) | Self::Unblock(whom) => Some(whom),
            what => what.whom(),
        }
    }
}

/// What a message was at some time.
pub(super) struct State {
    /// The revision; `None`: deleted.
    pub(super) revision: Option<u32>,
    /// Who has to know: all were in the conversation, and knew it.
    pub(super) to: Crowd,
    /// Milliseconds since 1970.
    pub(super) at_ms: i64,
    /// In which of the conversations between them that was.
    pub(super) talk: usize,
    /// Nothing went wrong any more.
    pub(super) calm: bool,
}

/// What somebody replied to; the number, where that is a word.
#[derive(Clone, Copy)]
pub(super) struct Root {
    pub(super) word: Option<usize>,
}

/// Something that was written in a chat with the app and is no command.
pub(super) struct Word {
    pub(super) by: usize,
    pub(super) id: String,
    pub(super) at_ms: i64,
    /// Who has to get it; nobody: nobody knows.
    pub(super) to: Crowd,
    /// Nobody may get it.
    pub(super) idle: bool,
    pub(super) states: Vec<State>,
    /// What it replies to.
    pub(super) root: Option<Root>,
    pub(super) file: Option<SentFile>,
    /// It has no text.
    pub(super) wordless: bool,
    /// Who did not want to hear of its author then, and knew that it is so.
    pub(super) deaf: Vec<usize>,
    /// Who of those whom it was for blocked its author before they saw it as it is.
    pub(super) cut: Crowd,
}

/// A reaction that somebody set or took back in their chat.
pub(super) struct Mark {
    pub(super) set: bool,
    /// The message as their chat shows it.
    pub(super) id: String,
    /// Who has to know, where they see the message: all were in the conversation, and knew it.
    pub(super) to: Crowd,
    /// Who saw the message by then.
    pub(super) seen: Crowd,
    /// In which of the conversations between them that was.
    pub(super) talk: usize,
    /// Milliseconds since 1970.
    pub(super) at_ms: i64,
}

/// Everything that people wrote to the app.
#[derive(Default)]
pub(super) struct Private {
    /// Their chats, as they are numbered in [`PEOPLE`].
    pub(super) chats: Vec<Channel>,
    pub(super) commands: Vec<Command>,
    pub(super) words: Vec<Word>,
    /// Reactions to words, by word, person and emoji; of each the latest change last.
    pub(super) marks: BTreeMap<(usize, usize, usize), Vec<Mark>>,
    /// With whom everybody writes in the end, and which of their conversations that is.
    pub(super) left: Vec<Option<(Crowd, usize)>>,
}

/// The text of the n-th word.
pub(super) fn text(number: usize, revision: u32) -> String {
    format!("word {number:03} rev {revision}.")
}

/// The text of the n-th command.
fn command(number: usize, what: What) -> String {
    match what {
        What::Ask(whom) => format!("dm {} call {number:03}.", PEOPLE[whom].1),
        What::Together(one, other) => {
            format!("dm {} {} call {number:03}.", PEOPLE[one].1, PEOPLE[other].1)
        }
        What::Join => "dm accept".to_owned(),
        What::Accept(whom) => format!("dm accept {}", PEOPLE[whom].1),
        What::Close => "dm close".to_owned(),
        What::Block(whom) => format!("dm block {}", PEOPLE[whom].1),
        What::Unblock(whom) => format!("dm unblock {}", PEOPLE[whom].1),
    }
}

impl Private {
    /// Somebody does something; the number says who and what.
    pub(super) fn act(&mut self, world: &World, platforms: &Platforms, pick: u64) -> Result<()> {
        let at = |shift: u32, bound: usize| usize::try_from(pick >> shift).unwrap_or(0) % bound;
        let waits = |person: &usize| {
            let screen = self.screen(platforms, *person);
            !(screen.asking.is_empty() && screen.calls.is_empty())
        };
        let asked: Vec<usize> = (0..PEOPLE.len()).filter(waits).collect();
        if at(56, 3) == 0 && self.accept_files(platforms)? {
            return Ok(());
        }
        let person = match asked.len() {
            0 => at(8, PEOPLE.len()),
            _ if at(4, 3) == 0 => at(8, PEOPLE.len()),
            count => asked[at(8, count)],
        };
        let screen = self.screen(platforms, person);
        let now_ms = world.clock.millis();
        let last = self.commands.iter().rev().find(|command| command.by == person);
        let patient = last.is_some_and(|last| now_ms - last.at_ms < IMPATIENT_MS) && !screen.sure;
        let dice = at(16, 100);
        let other = (person + 1 + at(24, PEOPLE.len() - 1)) % PEOPLE.len();
        let unheard = screen.ears.iter().position(|ear| *ear != Ear::Open);
        if let Some(whom) = unheard.filter(|_| at(48, 100) < 20 && !patient) {
            return self.command(world, platforms, person, What::Unblock(whom));
        }
        let idle = screen.with == NOBODY;
        let several = at(52, 4) == 0;
        let ask =
            if several { What::Together(other, third(person, other, at(28, 3))) } else { What::Ask(other) };
        let pair = (0..PEOPLE.len()).find(|with| screen.with == only(*with) && !screen.several);
        let what = match (screen.asking.last(), pair) {
            _ if patient => None,
            _ if screen.calls.len() == 1 && screen.asking.is_empty() && dice < if idle { 85 } else { 30 } => {
                Some(What::Join)
            }
            (Some(by), _) if dice < if idle { 85 } else { 30 } => Some(What::Accept(*by)),
            (Some(by), _) if idle && dice > 92 => Some(What::Block(*by)),
            (_, Some(with)) if dice > 96 => Some(What::Block(with)),
            _ if idle && dice < 60 => Some(ask),
            _ if !idle && dice > 92 => Some(What::Close),
            _ if !idle && dice > 86 && !screen.with[other] => Some(ask),
            _ => None,
        };
        match what {
            Some(what) => self.command(world, platforms, person, what),
            None if at(40, 100) < 25 && self.react(world, platforms, person, pick >> 32)? => Ok(()),
            None if dice > 70 && self.change(world, platforms, person, pick >> 32)? => Ok(()),
            None => self.say(world, platforms, person, pick >> 32),
        }
    }

    /// Everybody accepts the files that they are offered; `false`: nobody is offered any.
    pub(super) fn accept_files(&self, platforms: &Platforms) -> Result<bool> {
        let mut accepted = false;
        for (chat, (person, _)) in self.chats.iter().zip(&PEOPLE) {
            for offer in platforms.shown(chat).iter().filter(|shown| shown.is_offer()) {
                accepted |= platforms.accept(chat, person, &offer.id)?;
            }
        }
        Ok(accepted)
    }

    fn command(&mut self, world: &World, platforms: &Platforms, by: usize, what: What) -> Result<()> {
        let ears = std::array::from_fn(|whom| {
            if what.about() == Some(whom) || what.asks(whom) {
                self.screen(platforms, whom).ears[by]
            } else {
                Ear::Open
            }
        });
        for whom in (0..PEOPLE.len()).filter(|whom| what.about() == Some(*whom) || what.asks(*whom)) {
            self.change_regard(platforms, by, whom, what == What::Block(whom));
        }
        let text = command(self.commands.len(), what);
        let id = platforms.post(&self.chats[by], PEOPLE[by].0, None, &text, &[])?;
        self.commands.push(Command { by, id, at_ms: world.clock.millis(), what, ears });
        Ok(())
    }

    /// Somebody may hear of another one, or not, from now on.
    fn change_regard(&mut self, platforms: &Platforms, by: usize, whom: usize, block: bool) {
        // What is on its way may be heard before or after that.
        if !self.screen(platforms, whom).sure {
            let may_want = |what: What| what == What::Join || what == What::Accept(by) || what.asks(by);
            let theirs = self.commands.iter_mut().filter(|it| it.by == whom && may_want(it.what));
            theirs.for_each(|command| command.ears[by] = Ear::Perhaps);
        }
        if !block {
            return;
        }
        let chat = platforms.shown(&self.chats[by]);
        let ours = || chat.iter().filter(|shown| shown.ours);
        for (number, word) in self.words.iter_mut().enumerate() {
            if word.by != whom || !word.to[by] {
                continue;
            }
            let copies = || ours().filter(|shown| read(shown) == Told::Word(number));
            word.cut[by] |= match word.states.last().and_then(|state| state.revision) {
                None => copies().next().is_some(),
                Some(revision) => {
                    let said = text(number, revision);
                    let parts = usize::from(!word.wordless) + usize::from(word.file.is_some());
                    let latest = word.wordless || copies().any(|shown| shown.text.contains(&said));
                    !latest || copies().count() < parts
                }
            };
        }
        for (_, marks) in self.marks.iter_mut().filter(|((_, who, _), _)| *who == whom) {
            for mark in marks {
                mark.to[by] = false;
            }
        }
    }

    fn say(&mut self, world: &World, platforms: &Platforms, by: usize, pick: u64) -> Result<()> {
        let size = usize::try_from(pick % 5000)?;
        let file = pick.is_multiple_of(7).then_some(size);
        let talk = self.screen(platforms, by).talk;
        let to = self.circle(platforms, by);
        let reply = (pick >> 16).is_multiple_of(3).then_some(pick >> 20);
        let wordless = pick.is_multiple_of(21);
        self.write(world, platforms, Saying { by, to, talk, idle: false, calm: false, file, wordless, reply })
    }

    /// What somebody's chat shows last that stands in no thread, and which word it is. Teams' chats have no threads.
    fn root(&self, platforms: &Platforms, by: usize, pick: u64) -> Option<(String, Root)> {
        let chat = &self.chats[by];
        let all: Vec<Shown> =
            platforms.shown(chat).into_iter().filter(|shown| shown.root.is_none()).collect();
        let latest = &all[all.len().saturating_sub(5)..];
        if latest.is_empty() || chat.platform == "teams" {
            return None;
        }
        let root = &latest[usize::try_from(pick % latest.len() as u64).ok()?];
        Some((root.id.clone(), Root { word: self.word(by, root) }))
    }

    /// Which word a message of somebody's chat is.
    fn word(&self, person: usize, shown: &Shown) -> Option<usize> {
        if !shown.ours {
            return self.words.iter().position(|word| word.by == person && word.id == shown.id);
        }
        match read(shown) {
            Told::Word(number) => Some(number),
            _ => None,
        }
    }

    /// Somebody reacts to something in their chat, or takes that back; `false`: there is nothing. Nobody is told what
    /// people react to at Webex, and bots not what they react to at Teams, unless it is the bot's own.
    fn react(&mut self, world: &World, platforms: &Platforms, by: usize, pick: u64) -> Result<bool> {
        let chat = &self.chats[by];
        let tells = |shown: &Shown| match chat.platform {
            "webex" => false,
            "teams" => shown.ours,
            _ => true,
        };
        let mut seen: Vec<(usize, Shown)> = Vec::new();
        for shown in platforms.shown(chat).into_iter().filter(tells) {
            if let Some(word) = self.word(by, &shown)
                && !seen.iter().any(|(known, _)| *known == word)
            {
                seen.push((word, shown));
            }
        }
        let latest = &seen[seen.len().saturating_sub(4)..];
        if latest.is_empty() {
            return Ok(false);
        }
        let (number, shown) = &latest[usize::try_from(pick >> 8)? % latest.len()];
        let emoji = usize::try_from(pick >> 16)? % EMOJI.len();
        let author = self.words[*number].by;
        let is_it = |shown: &Shown| shown.ours && read(shown) == Told::Word(*number);
        let sees = |person: usize| platforms.shown(&self.chats[person]).iter().any(is_it);
        let seen = std::array::from_fn(|person| person == author || sees(person));
        let to = self.circle(platforms, by);
        let (talk, at_ms) = (self.screen(platforms, by).talk, world.clock.millis());
        let user = PEOPLE[by].0;
        let set = !shown.reactions.contains(&(Some(emoji), Some(user.to_owned())));
        platforms.react(chat, user, &shown.id, emoji, set)?;
        let mark = Mark { set, id: shown.id.clone(), to, seen, talk, at_ms };
        self.marks.entry((*number, by, emoji)).or_default().push(mark);
        Ok(true)
    }

    fn write(&mut self, world: &World, platforms: &Platforms, saying: Saying) -> Result<()> {
        let Saying { by, to, talk, idle, calm, file, wordless, reply } = saying;
        let number = self.words.len();
        let file = file.map(|size| file_of(format!("w{number:03}f0.txt"), &format!("w{number}."), size));
        let words = if wordless { String::new() } else { text(number, 0) };
        let (thread, root) = reply.and_then(|pick| self.root(platforms, by, pick)).unzip();
        let id = platforms.post(&self.chats[by], PEOPLE[by].0, thread.as_deref(), &words, file.as_slice())?;
        let at_ms = world.clock.millis();
        // Who was asked together with the one whom they blocked may be with them among several.
        let apart = |person: usize| !self.commands.iter().any(|it| it.what.asks_both(it.by, (person, by)));
        let ear = |person: usize| self.screen(platforms, person).ears[by];
        let deaf = (0..PEOPLE.len()).filter(|it| apart(*it) && ear(*it) == Ear::Deaf).collect();
        let cut = std::array::from_fn(|person| to[person] && ear(person) != Ear::Open);
        let states = vec![State { revision: Some(0), to, at_ms, talk, calm }];
        self.words.push(Word { by, id, at_ms, to, idle, states, root, file, wordless, deaf, cut });
        Ok(())
    }

    /// Somebody edits or deletes something of theirs, whoever it was for; `false`: there is nothing.
    fn change(&mut self, world: &World, platforms: &Platforms, by: usize, pick: u64) -> Result<bool> {
        let platform = self.chats[by].platform;
        let delete = pick.is_multiple_of(3);
        // Webex lets nobody edit what has files.
        let fixed = |word: &Word| word.wordless || platform == "webex" && word.file.is_some();
        let revision = |word: &Word| word.states.last().and_then(|state| state.revision);
        let fits = |word: &Word| {
            word.by == by && revision(word).is_some_and(|it| delete || it < EDITS && !fixed(word))
        };
        let mine: Vec<usize> = (0..self.words.len()).filter(|at| fits(&self.words[*at])).collect();
        let latest = &mine[mine.len().saturating_sub(4)..];
        if latest.is_empty() {
            return Ok(false);
        }
        let number = latest[usize::try_from(pick >> 8)? % latest.len()];
        let word = &self.words[number];
        let (circle, talk) = (self.circle(platforms, by), self.screen(platforms, by).talk);
        // What is made of words after people parted is for nobody: the same two are together again, several never are.
        let begun = word.states.first().map_or(talk, |state| state.talk);
        let same = begun == talk || begun.max(talk) < SEVERAL;
        let to = std::array::from_fn(|person| same && circle[person] && word.to[person]);
        let revision = revision(&self.words[number]).filter(|_| !delete).map(|revision| revision + 1);
        let (chat, id) = (&self.chats[by], &self.words[number].id);
        match revision {
            Some(revision) => platforms.edit(chat, PEOPLE[by].0, id, &text(number, revision))?,
            None => platforms.delete(chat, PEOPLE[by].0, id)?,
        }
        let at_ms = world.clock.millis();
        self.words[number].states.push(State { revision, to, at_ms, talk, calm: false });
        Ok(true)
    }

    /// When all is calm everybody says something: it goes where they believe that it goes.
    pub(super) fn last_words(&mut self, world: &World, platforms: &Platforms) -> Result<()> {
        for by in 0..PEOPLE.len() {
            let screen = self.screen(platforms, by);
            let with = if screen.sure { screen.with } else { NOBODY };
            self.left.push((with != NOBODY).then_some((with, screen.talk)));
            let idle = screen.with == NOBODY && screen.sure;
            // Who does not know whether they joined may be there.
            let adrift = |person: usize| person != by && self.screen(platforms, person).adrift;
            let more = screen.several && (0..PEOPLE.len()).any(|it| !with[it] && adrift(it));
            let to = if more { NOBODY } else { with };
            // Two of five in a thread.
            let reply = by.is_multiple_of(3).then_some(0);
            let talk = screen.talk;
            self.write(
                world,
                platforms,
                Saying { by, to, talk, idle, calm: true, file: None, wordless: false, reply },
            )?;
        }
        Ok(())
    }
}

/// Somebody beside two others; the number, below three, picks them.
fn third(one: usize, other: usize, pick: usize) -> usize {
    let mut rest = (0..PEOPLE.len()).filter(|person| *person != one && *person != other);
    rest.nth(pick).unwrap_or_default()
}

struct Saying {
    by: usize,
    to: Crowd,
    talk: usize,
    idle: bool,
    calm: bool,
    file: Option<usize>,
    wordless: bool,
    /// In a thread, where there is one; the number picks it.
    reply: Option<u64>,
}
