//! Direct conversations: people in their own chats with the app ask each other for one, have it, go from one to
//! another and part. Everybody acts by what their own chat shows.

use std::collections::BTreeMap;

use anyhow::Result;
use dragoman_sim::core::World;

use super::platforms::{Channel, EMOJI, PEOPLE, Platforms};
use super::private_screen::Screen;
use super::private_told::{Told, read};
use super::shown::Shown;
use super::stage::{EDITS, SentFile, file_of};

/// Whoever has no answer for so long says it again, or something else.
const IMPATIENT_MS: i64 = 20_000;

/// A command to the app.
pub(super) struct Command {
    pub(super) by: usize,
    pub(super) id: String,
    pub(super) at_ms: i64,
    pub(super) what: What,
    /// Whether the one whom it names wanted to hear of it when it was written.
    pub(super) ear: Ear,
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
    /// Says yes to somebody.
    Accept(usize),
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
            Self::Close | Self::Block(_) | Self::Unblock(_) => None,
        }
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
    /// Both were in the conversation, and knew it.
    pub(super) sure: bool,
    /// Milliseconds since 1970.
    pub(super) at_ms: i64,
    /// In which of the conversations between the two that was.
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
    /// Who has to get it.
    pub(super) to: Option<usize>,
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
    /// The one whom it was for blocked its author before they saw it as it is.
    pub(super) cut: bool,
}

/// A reaction that somebody set or took back in their chat.
pub(super) struct Mark {
    pub(super) set: bool,
    /// The message as their chat shows it.
    pub(super) id: String,
    /// They were in the conversation with whom it is about, and both knew it.
    pub(super) sure: bool,
    /// The other one saw the message by then.
    pub(super) seen: bool,
    /// In which of the conversations between the two that was.
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
    pub(super) left: Vec<Option<(usize, usize)>>,
}

/// The text of the n-th word.
pub(super) fn text(number: usize, revision: u32) -> String {
    format!("word {number:03} rev {revision}.")
}

/// The text of the n-th command.
fn command(number: usize, what: What) -> String {
    match what {
        What::Ask(whom) => format!("dm {} call {number:03}.", PEOPLE[whom].1),
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
        let asked: Vec<usize> =
            (0..PEOPLE.len()).filter(|person| !self.screen(platforms, *person).asking.is_empty()).collect();
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
        match (screen.asking.last(), screen.with) {
            (Some(by), None) if dice < 85 && !patient => {
                self.command(world, platforms, person, What::Accept(*by))
            }
            (Some(by), Some(_)) if dice < 30 && !patient => {
                self.command(world, platforms, person, What::Accept(*by))
            }
            (Some(by), None) if dice > 92 && !patient => {
                self.command(world, platforms, person, What::Block(*by))
            }
            (_, Some(with)) if dice > 96 && !patient => {
                self.command(world, platforms, person, What::Block(with))
            }
            (_, None) if dice < 60 && !patient => self.command(world, platforms, person, What::Ask(other)),
            (_, Some(_)) if dice > 92 && !patient => self.command(world, platforms, person, What::Close),
            (_, Some(with)) if dice > 86 && !patient && with != other => {
                self.command(world, platforms, person, What::Ask(other))
            }
            _ if at(40, 100) < 25 && self.react(world, platforms, person, pick >> 32)? => Ok(()),
            _ if dice > 70 && self.change(world, platforms, person, pick >> 32)? => Ok(()),
            _ => self.say(world, platforms, person, pick >> 32),
        }
    }

    fn command(&mut self, world: &World, platforms: &Platforms, by: usize, what: What) -> Result<()> {
        let ear = what.about().map_or(Ear::Open, |whom| self.screen(platforms, whom).ears[by]);
        if let Some(whom) = what.about() {
            self.change_regard(platforms, by, whom, matches!(what, What::Block(_)));
        }
        let text = command(self.commands.len(), what);
        let id = platforms.post(&self.chats[by], PEOPLE[by].0, None, &text, &[])?;
        self.commands.push(Command { by, id, at_ms: world.clock.millis(), what, ear });
        Ok(())
    }

    /// Somebody may hear of another one, or not, from now on.
    fn change_regard(&mut self, platforms: &Platforms, by: usize, whom: usize, block: bool) {
        // What is on its way may be heard before or after that.
        if !self.screen(platforms, whom).sure {
            let theirs = self.commands.iter_mut().filter(|it| it.by == whom && it.what.whom() == Some(by));
            for command in theirs {
                command.ear = Ear::Perhaps;
            }
        }
        if !block {
            return;
        }
        let chat = platforms.shown(&self.chats[by]);
        let ours = || chat.iter().filter(|shown| shown.ours);
        for (number, word) in self.words.iter_mut().enumerate() {
            if word.by != whom || word.to != Some(by) {
                continue;
            }
            let copies = || ours().filter(|shown| read(shown) == Told::Word(number));
            word.cut |= match word.states.last().and_then(|state| state.revision) {
                None => copies().next().is_some(),
                Some(revision) => {
                    let said = text(number, revision);
                    let parts = usize::from(!word.wordless) + usize::from(word.file.is_some());
                    let latest = word.wordless || copies().any(|shown| shown.text.contains(&said));
                    !latest || copies().count() < parts
                }
            };
        }
        let about = |word: &Word| word.by == by || word.to == Some(by);
        for ((word, who, _), marks) in &mut self.marks {
            if *who == whom && about(&self.words[*word]) {
                for mark in marks.iter_mut() {
                    mark.sure = false;
                }
            }
        }
    }

    fn say(&mut self, world: &World, platforms: &Platforms, by: usize, pick: u64) -> Result<()> {
        let size = usize::try_from(pick % 5000)?;
        let file = pick.is_multiple_of(7).then_some(size);
        let Screen { with, talk, .. } = self.screen(platforms, by);
        let to = with.filter(|with| self.together(platforms, by, *with));
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
        let word = &self.words[*number];
        let other = if word.by == by { word.to } else { Some(word.by) };
        let sure = other.is_some_and(|other| self.together(platforms, by, other));
        let is_it = |shown: &Shown| shown.ours && read(shown) == Told::Word(*number);
        let sees = |person: usize| platforms.shown(&self.chats[person]).iter().any(is_it);
        let seen = word.by != by || other.is_some_and(sees);
        let (talk, at_ms) = (self.screen(platforms, by).talk, world.clock.millis());
        let user = PEOPLE[by].0;
        let set = !shown.reactions.contains(&(Some(emoji), Some(user.to_owned())));
        platforms.react(chat, user, &shown.id, emoji, set)?;
        let mark = Mark { set, id: shown.id.clone(), sure, seen, talk, at_ms };
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
        let deaf = |person: &usize| self.screen(platforms, *person).ears[by] == Ear::Deaf;
        let deaf = (0..PEOPLE.len()).filter(deaf).collect();
        let states = vec![State { revision: Some(0), sure: true, at_ms, talk, calm }];
        let cut = false;
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
        let sure = self.words[number].to.is_some_and(|to| self.together(platforms, by, to));
        let revision = revision(&self.words[number]).filter(|_| !delete).map(|revision| revision + 1);
        let (chat, id) = (&self.chats[by], &self.words[number].id);
        match revision {
            Some(revision) => platforms.edit(chat, PEOPLE[by].0, id, &text(number, revision))?,
            None => platforms.delete(chat, PEOPLE[by].0, id)?,
        }
        let talk = self.screen(platforms, by).talk;
        let at_ms = world.clock.millis();
        self.words[number].states.push(State { revision, sure, at_ms, talk, calm: false });
        Ok(true)
    }

    /// When all is calm everybody says something: it goes where they believe that it goes.
    pub(super) fn last_words(&mut self, world: &World, platforms: &Platforms) -> Result<()> {
        for by in 0..PEOPLE.len() {
            let screen = self.screen(platforms, by);
            self.left.push(screen.with.filter(|_| screen.sure).map(|with| (with, screen.talk)));
            let (to, idle) = (screen.with.filter(|_| screen.sure), screen.with.is_none() && screen.sure);
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

struct Saying {
    by: usize,
    to: Option<usize>,
    talk: usize,
    idle: bool,
    calm: bool,
    file: Option<usize>,
    wordless: bool,
    /// In a thread, where there is one; the number picks it.
    reply: Option<u64>,
}
