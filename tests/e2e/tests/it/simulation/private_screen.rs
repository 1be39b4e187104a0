//! What people see of their direct conversations: they act by it.

use std::collections::VecDeque;

use super::platforms::{PEOPLE, Platforms};
use super::private::{Command, Ear, Private, What};
use super::private_told::{Told, asked, read};

/// What people see in their chat.
#[derive(Default)]
pub(super) struct Screen {
    /// With whom they write.
    pub(super) with: Option<usize>,
    /// All that they asked for was answered, and nothing interrupted it.
    pub(super) sure: bool,
    /// How many conversations with them there were.
    pub(super) talk: usize,
    /// Who waits for their yes, the latest last.
    pub(super) asking: Vec<usize>,
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
        let mut talks = [0; PEOPLE.len()];
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
                        regards[with].told = Some(false);
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
                Told::Blocked(whom) => {
                    last = pending.pop_front();
                    screen.with = screen.with.filter(|with| Some(*with) != whom);
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
                Told::Answered | Told::Waits(_) => {
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
                && screen.with != Some(whom)
            {
                screen.asking.push(whom);
            }
        }
        screen.talk = screen.with.map_or(0, |with| talks[with]);
        screen.sure = pending.is_empty() && !lost;
        screen.ears = regards.map(|regard| regard.ear(screen.sure));
        screen
    }

    /// Whether both see that they write with each other, and nothing is on its way.
    pub(super) fn together(&self, platforms: &Platforms, one: usize, other: usize) -> bool {
        let sees = |one: usize, other: usize| {
            let screen = self.screen(platforms, one);
            screen.with == Some(other) && screen.sure
        };
        sees(one, other) && sees(other, one)
    }
}
