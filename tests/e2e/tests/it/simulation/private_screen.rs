//! What people see of their direct conversations: they act by it.

use std::collections::VecDeque;

use super::platforms::{PEOPLE, Platforms};
use super::private::{Command, Crowd, Ear, NOBODY, Private, What, only};
use super::private_told::{Told, asked, read};

/// Conversations of several are numbered from here.
pub(super) const SEVERAL: usize = 1_000;

/// What people see in their chat.
#[derive(Default)]
pub(super) struct Screen {
    /// With whom they write.
    pub(super) with: Crowd,
    /// In a conversation of several.
    pub(super) several: bool,
    /// All that they asked for was answered, and nothing interrupted it.
    pub(super) sure: bool,
    /// How many conversations with them there were.
    pub(super) talk: usize,
    /// They may have joined one without knowing.
    pub(super) adrift: bool,
    /// Who waits for their yes, the latest last.
    pub(super) asking: Vec<usize>,
    /// The commands that ask them to join a conversation of several.
    pub(super) calls: Vec<usize>,
    /// Of whom they want to hear.
    pub(super) ears: [Ear; PEOPLE.len()],
}

/// What somebody said last of another one, and what they were told of it.
#[derive(Clone, Copy, Default)]
struct Regard {
    /// They blocked them once.
    ever: bool,
    last: Option<What>,
    /// Since then: that they are blocked, or not.
    told: Option<bool>,
}

impl Regard {
    fn ear(self, quiet: bool) -> Ear {
        match (self.ever, self.last, self.told) {
            (false, ..) => Ear::Open,
            (_, Some(What::Block(_)), Some(true)) if quiet => Ear::Deaf,
            (_, Some(What::Unblock(_) | What::Ask(_) | What::Accept(_)), Some(false)) if quiet => Ear::Open,
            _ => Ear::Perhaps,
        }
    }
}

impl Private {
    /// What somebody sees.
    pub(super) fn screen(&self, platforms: &Platforms, person: usize) -> Screen {
        let mut screen = Screen::default();
        let mut pending: VecDeque<What> = VecDeque::new();
        let (mut lost, mut last) = (false, None);
        let mut regards = [Regard::default(); PEOPLE.len()];
        let (mut talks, mut all) = ([0; PEOPLE.len()], 0);
        for shown in platforms.shown(&self.chats[person]) {
            if !shown.ours {
                let mine = |command: &&Command| command.by == person && command.id == shown.id;
                if let Some(command) = self.commands.iter().find(mine) {
                    pending.push_back(command.what);
                    if let Some(whom) = command.what.about() {
                        let ever = regards[whom].ever || command.what == What::Block(whom);
                        regards[whom] = Regard { ever, last: Some(command.what), told: None };
                    }
                    screen.asking.retain(|whom| command.what != What::Accept(*whom));
                }
                continue;
            }
            match read(&shown) {
                Told::Call(number, true) if self.is_of_several(number) => {
                    screen.calls.retain(|call| *call != number);
                    screen.calls.push(number);
                }
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
                    (screen.with, screen.several, lost) = (with.map_or(NOBODY, only), false, false);
                    all += 1;
                    if let Some(with) = with {
                        talks[with] += 1;
                        regards[with].told = Some(false);
                    }
                    let asked = with.is_some_and(|with| screen.asking.contains(&with));
                    screen.asking.retain(|whom| Some(*whom) != with);
                    let answers = |what: &What| what.whom() == with || asked && *what == What::Join;
                    if pending.front().is_some_and(answers) {
                        last = pending.pop_front();
                    }
                }
                Told::Together(with) => {
                    (screen.with, screen.several, lost) = (with, true, false);
                    all += 1;
                    let joined = screen.calls.iter().any(|call| self.may_be(*call, with));
                    if joined && pending.front() == Some(&What::Join) {
                        last = pending.pop_front();
                        screen.calls.clear();
                    }
                }
                Told::Joined(Some(by)) if screen.several => screen.with[by] = true,
                Told::Left(Some(by), over) if screen.several => {
                    screen.with[by] = false;
                    if over {
                        screen.with = NOBODY;
                    }
                }
                Told::Parted(Some(by)) if !screen.several && screen.with[by] => screen.with = NOBODY,
                Told::Ended => {
                    screen.with = NOBODY;
                    last = pending.pop_front();
                }
                Told::Interrupted => {
                    last = pending.pop_front();
                    lost = true;
                }
                Told::Blocked(whom) => {
                    last = pending.pop_front();
                    if whom.is_some_and(|whom| !screen.several && screen.with[whom]) {
                        screen.with = NOBODY;
                    }
                    screen.asking.retain(|by| Some(*by) != whom);
                    if let Some(whom) = whom {
                        regards[whom].told = Some(true);
                    }
                }
                Told::Unblocked(whom) => {
                    last = pending.pop_front();
                    if let Some(whom) = whom {
                        regards[whom].told = Some(false);
                    }
                }
                Told::Alone => {
                    last = pending.pop_front();
                    screen.with = NOBODY;
                    screen.calls.clear();
                }
                Told::Nobody => {
                    last = pending.pop_front();
                    screen.calls.clear();
                    screen.asking.clear();
                }
                Told::Asked(_) | Told::Answered | Told::Waits(_) => {
                    last = pending.pop_front();
                    if let Some(whom) = asked(&shown) {
                        regards[whom].told = Some(false);
                    }
                }
                _ => {}
            }
            // What may not have been done is said again.
            if let (Told::Interrupted | Told::Answered | Told::Waits(_), Some(What::Accept(whom))) =
                (read(&shown), last.take())
                && screen.with != only(whom)
            {
                screen.asking.push(whom);
            }
        }
        let with = (0..PEOPLE.len()).find(|person| screen.with[*person]);
        screen.talk = if screen.several { SEVERAL + all } else { with.map_or(0, |with| talks[with]) };
        screen.sure = pending.is_empty() && !lost;
        screen.adrift = lost || pending.contains(&What::Join);
        screen.ears = regards.map(|regard| regard.ear(screen.sure));
        screen
    }

    /// Whether people may be in the conversation that a command asks for.
    fn may_be(&self, number: usize, with: Crowd) -> bool {
        let Some(command) = self.commands.get(number) else { return false };
        (0..PEOPLE.len()).all(|person| !with[person] || person == command.by || command.what.asks(person))
    }

    /// Whether a command asks for a conversation of several.
    fn is_of_several(&self, number: usize) -> bool {
        self.commands.get(number).is_some_and(|command| matches!(command.what, What::Together(..)))
    }

    /// With whom somebody writes, where all of them see it so and nothing is on its way.
    pub(super) fn circle(&self, platforms: &Platforms, by: usize) -> Crowd {
        let all = |person: usize, screen: &Screen| {
            let mut all = screen.with;
            all[person] = true;
            all
        };
        let mine = self.screen(platforms, by);
        let circle = all(by, &mine);
        let sees = |person: usize| {
            let screen = self.screen(platforms, person);
            if circle[person] {
                screen.sure && screen.several == mine.several && all(person, &screen) == circle
            } else {
                // Who comes to several does not ask them.
                !(mine.several && screen.adrift)
            }
        };
        if mine.with != NOBODY && (0..PEOPLE.len()).all(sees) { mine.with } else { NOBODY }
    }
}
