//! Direct conversations: people in their own chats with the app ask each other for one, have it, go from one to
//! another and part. Everybody acts by what their own chat shows.

use std::collections::{BTreeMap, VecDeque};

use anyhow::Result;
use dragoman_sim::core::World;

use super::carried;
use super::platforms::{Channel, EMOJI, PEOPLE, Platforms, name};
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
}

impl What {
    /// Whom it names.
    pub(super) fn whom(self) -> Option<usize> {
        match self {
            Self::Ask(whom) | Self::Accept(whom) => Some(whom),
            Self::Close => None,
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

/// What people see in their chat.
#[derive(Default)]
pub(super) struct Screen {
    /// With whom they write.
    pub(super) with: Option<usize>,
    /// All that they asked for was answered, and nothing interrupted it.
    pub(super) sure: bool,
    /// How many conversations with them there were.
    talk: usize,
    /// Who waits for their yes, the latest last.
    asking: Vec<usize>,
}

/// A message of the app in a chat.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Told {
    /// A copy of what somebody wrote; or a file of it.
    Word(usize),
    /// Somebody asks, or their first words; the number of the command, and whether it is an invitation or a reminder.
    Call(usize, bool),
    /// Somebody wants to go on.
    Reminder(Option<usize>),
    /// A conversation is open.
    Opened(Option<usize>),
    /// Somebody else ended it.
    Parted(Option<usize>),
    /// One's own command ended it.
    Ended,
    /// A command may have been done.
    Interrupted,
    /// What was written came when something else was open, and is not done.
    Late,
    /// Another answer to a command.
    Answered,
    /// Who reacts to something, or that what follows is a reply.
    Beside,
    /// What was no command is answered, or nobody asked.
    Hint,
    /// Nobody knows.
    Stray,
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
    }
}

/// Answers to commands, by words that no other one has.
const ANSWERS: [&str; 12] = [
    "was asked",
    "Nothing is open.",
    "It is not clear who is meant",
    "Nobody asks you",
    "does not ask for a conversation",
    "does not answer. Try again",
    "This could not be done",
    "is in another conversation and was told",
    "Nobody with this address",
    "You looked for many people",
    "They have not added this app",
    "They cannot be written to",
];
/// What is said unasked, or to what was no command.
const HINTS: [&str; 3] = [
    "Here you can write with people",
    "has not answered yet; what you write",
    "Your first words were not delivered",
];

/// Whom a message of the app names.
fn whom(text: &str) -> Option<usize> {
    PEOPLE.iter().position(|(id, _)| text.contains(name(id)))
}

/// Who is told to have been asked, with the words behind the command.
pub(super) fn asked(shown: &Shown) -> Option<usize> {
    let told = shown.text.contains("was asked. You are told here") && !shown.text.contains("not passed on");
    whom(&shown.text).filter(|_| told)
}

/// What a message of the app is.
pub(super) fn read(shown: &Shown) -> Told {
    let text = &shown.text;
    let digits = |text: &str, sign: &str| text.split(sign).nth(1)?.get(..3)?.parse::<usize>().ok();
    let has = |phrase: &str| text.contains(phrase);
    // Teams' chats hold no files of the app: a line names them.
    let file = shown.files.first().map(|(name, _)| name.as_str()).or(has("f0.txt").then_some(text));
    if let Some(number) = file.and_then(|file| file.split("f0").next()?.rsplit('w').next()?.parse().ok()) {
        return Told::Word(number);
    }
    if let Some(number) = digits(text, "word ") {
        return Told::Word(number);
    }
    if let Some(number) = digits(text, "call ") {
        return Told::Call(number, has("wants to write with you"));
    }
    if carried::told(text).is_some() || has("in reply to an earlier message:") {
        Told::Beside
    } else if has("came before the conversation was open") {
        Told::Late
    } else if HINTS.iter().any(|hint| has(hint)) {
        Told::Hint
    } else if has("You are writing with") {
        Told::Opened(whom(text))
    } else if has("ended this conversation") || has("went to another conversation") {
        Told::Parted(whom(text))
    } else if has("Something interrupted your last command") {
        Told::Interrupted
    } else if has("Your conversation with") && has("has ended") {
        Told::Ended
    } else if has("Your conversation with") && has("is open") || ANSWERS.iter().any(|answer| has(answer)) {
        Told::Answered
    } else if has("wants to write with you") {
        Told::Reminder(whom(text))
    } else {
        Told::Stray
    }
}

impl Private {
    /// What somebody sees.
    pub(super) fn screen(&self, platforms: &Platforms, person: usize) -> Screen {
        let mut screen = Screen::default();
        let mut pending: VecDeque<What> = VecDeque::new();
        let (mut lost, mut last) = (false, None);
        let mut talks = [0; PEOPLE.len()];
        for shown in platforms.shown(&self.chats[person]) {
            if !shown.ours {
                let mine = |command: &&Command| command.by == person && command.id == shown.id;
                if let Some(command) = self.commands.iter().find(mine) {
                    pending.push_back(command.what);
                    screen.asking.retain(|whom| command.what != What::Accept(*whom));
                }
                continue;
            }
            match read(&shown) {
                Told::Call(number, true) => {
                    let by = self.commands.get(number).map_or(person, |command| command.by);
                    screen.asking.retain(|whom| *whom != by);
                    screen.asking.push(by);
                }
                Told::Reminder(Some(by)) => {
                    screen.asking.retain(|whom| *whom != by);
                    screen.asking.push(by);
                }
                Told::Opened(with) => {
                    (screen.with, lost) = (with, false);
                    if let Some(with) = with {
                        talks[with] += 1;
                    }
                    screen.asking.retain(|whom| Some(*whom) != with);
                    if pending.front().is_some_and(|what| what.whom() == with) {
                        last = pending.pop_front();
                    }
                }
                Told::Parted(by) if by == screen.with => screen.with = None,
                Told::Ended => {
                    screen.with = None;
                    last = pending.pop_front();
                }
                Told::Interrupted => {
                    last = pending.pop_front();
                    lost = true;
                }
                Told::Answered => last = pending.pop_front(),
                _ => {}
            }
            // What may not have been done is said again.
            if let (Told::Interrupted | Told::Answered, Some(What::Accept(whom))) =
                (read(&shown), last.take())
                && screen.with != Some(whom)
            {
                screen.asking.push(whom);
            }
        }
        screen.talk = screen.with.map_or(0, |with| talks[with]);
        screen.sure = pending.is_empty() && !lost;
        screen
    }

    /// Whether both see that they write with each other, and nothing is on its way.
    fn together(&self, platforms: &Platforms, one: usize, other: usize) -> bool {
        let sees = |one: usize, other: usize| {
            let screen = self.screen(platforms, one);
            screen.with == Some(other) && screen.sure
        };
        sees(one, other) && sees(other, one)
    }

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
        match (screen.asking.last(), screen.with) {
            (Some(by), None) if dice < 85 && !patient => {
                self.command(world, platforms, person, What::Accept(*by))
            }
            (Some(by), Some(_)) if dice < 30 && !patient => {
                self.command(world, platforms, person, What::Accept(*by))
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
        let text = command(self.commands.len(), what);
        let id = platforms.post(&self.chats[by], PEOPLE[by].0, None, &text, &[])?;
        self.commands.push(Command { by, id, at_ms: world.clock.millis(), what });
        Ok(())
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
        let states = vec![State { revision: Some(0), sure: true, at_ms, talk, calm }];
        self.words.push(Word { by, id, at_ms, to, idle, states, root, file, wordless });
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
