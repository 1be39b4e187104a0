//! What the app's messages in people's chats say, by words that no other ones have.

use super::carried;
use super::platforms::{PEOPLE, name};
use super::private::{Crowd, NOBODY};
use super::shown::Shown;

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
    /// A conversation of several is open.
    Together(Crowd),
    /// Somebody joined it.
    Joined(Option<usize>),
    /// Somebody left it, and whether that ended it.
    Left(Option<usize>, bool),
    /// Several were asked.
    Asked(Crowd),
    /// They said yes to several, and nobody is there now.
    Alone,
    /// Nobody asks them.
    Nobody,
    /// Somebody else ended it.
    Parted(Option<usize>),
    /// One's own command ended it.
    Ended,
    /// One's own command blocked somebody.
    Blocked(Option<usize>),
    /// One's own command took that back.
    Unblocked(Option<usize>),
    /// Somebody is in another conversation and told that one waits.
    Waits(Option<usize>),
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

/// Answers to commands, by words that no other one has.
const ANSWERS: [&str; 14] = [
    "was asked",
    "Nothing is open.",
    "It is not clear who is meant",
    "None of them can be written to",
    "Nobody with these addresses",
    "This conversation is open.",
    "does not ask for a conversation",
    "does not answer. Try again",
    "This could not be done",
    "Nobody with this address",
    "You looked for many people",
    "Too many people have not answered you",
    "They have not added this app",
    "They cannot be written to",
];
/// What is said unasked, or to what was no command.
const HINTS: [&str; 4] = [
    "Here you can write with people",
    "waits for you in a conversation of several",
    "has not answered yet; what you write",
    "Your first words were not delivered",
];

/// Whom a message of the app names.
fn whom(text: &str) -> Option<usize> {
    PEOPLE.iter().position(|(id, _)| text.contains(name(id)))
}

/// Everybody whom a message of the app names.
fn crowd(text: &str) -> Crowd {
    PEOPLE.map(|(id, _)| text.contains(name(id)))
}

/// Who is told to have been asked, with the words behind the command.
pub(super) fn asked(shown: &Shown) -> Option<usize> {
    let told = shown.text.contains("was asked. You are told here") && !shown.text.contains("not passed on");
    whom(&shown.text).filter(|_| told)
}

/// Whether a message says that it, or what follows, is a reply; perhaps with a link to what it answers.
pub(super) fn says_reply(text: &str) -> bool {
    text.contains("in reply to ") && text.contains("an earlier message")
}

/// What a message of the app is.
pub(super) fn read(shown: &Shown) -> Told {
    let text = &shown.text;
    let digits = |text: &str, sign: &str| text.split(sign).nth(1)?.get(..3)?.parse::<usize>().ok();
    let has = |phrase: &str| text.contains(phrase);
    // Some are named in a line, and on Teams in what asks for them to be taken.
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
    if carried::told(text).is_some() || says_reply(text) {
        Told::Beside
    } else if has("came before the conversation was open") {
        Told::Late
    } else if HINTS.iter().any(|hint| has(hint)) {
        Told::Hint
    } else if has("What you write here goes to all of them") {
        Told::Together(crowd(text))
    } else if has("is in this conversation now") {
        Told::Joined(whom(text))
    } else if has("left this conversation.") {
        Told::Left(whom(text), has("Nobody else is there;"))
    } else if has("which is when one of them says yes") {
        Told::Asked(text.split_once(" asked.").map_or(NOBODY, |(asked, _)| crowd(asked)))
    } else if has("Nobody else is there now.") {
        Told::Alone
    } else if has("Nobody asks you") {
        Told::Nobody
    } else if has("You are writing with") {
        Told::Opened(whom(text))
    } else if has("ended this conversation") || has("went to another conversation") {
        Told::Parted(whom(text))
    } else if has("You hear no more of") {
        Told::Blocked(whom(text))
    } else if has("may ask you again.") {
        Told::Unblocked(whom(text))
    } else if has("is in another conversation and was told") {
        Told::Waits(whom(text))
    } else if has("Something interrupted your last command") {
        Told::Interrupted
    } else if has("Your conversation with") && has("has ended") || has("You left the conversation.") {
        Told::Ended
    } else if has("Your conversation with") && has("is open") || ANSWERS.iter().any(|answer| has(answer)) {
        Told::Answered
    } else if has("wants to write with you") {
        Told::Reminder(whom(text))
    } else {
        Told::Stray
    }
}
