//! Whether what people's chats with the app show is what was said there, and nobody else's.

use std::collections::BTreeMap;

use dragoman_model::codes;
use dragoman_sim::core::{LogEntry, LogKind};
use dragoman_store::{LaneId, Receipt};

use super::platforms::{CHANNELS, PEOPLE, key, name};
use super::private::{Command, Crowd, Ear, NOBODY, State, What, Word, text};
use super::private_marks;
use super::private_told::{Told, asked, read};
use super::shown::Shown;
use super::stage::Scene;

/// Words rest no longer than this, in milliseconds.
const KEPT_MS: i64 = 15 * 60 * 1000;

/// What one chat shows.
#[derive(Default)]
pub(super) struct Chat<'a> {
    pub(super) words: BTreeMap<usize, Vec<(usize, &'a Shown)>>,
    calls: BTreeMap<usize, Vec<&'a Shown>>,
    opened: BTreeMap<usize, usize>,
    parted: BTreeMap<usize, usize>,
    /// With whom they are told to be in a conversation of several, and who joined one, how often.
    together: Vec<Crowd>,
    joined: BTreeMap<usize, usize>,
    /// Answers to commands, beside that something is open.
    answers: usize,
    /// Who is told to be blocked, and not any more, how often.
    blocked: BTreeMap<usize, usize>,
    unblocked: BTreeMap<usize, usize>,
    /// Of whom they read that they wait, and who they are told that they wait for.
    reminded: BTreeMap<usize, usize>,
    waits: BTreeMap<usize, usize>,
    /// Commands, or words, that were not done because they came late.
    late: usize,
    /// Whom they are told to have asked, how often.
    asked: BTreeMap<usize, usize>,
    strays: Vec<&'a Shown>,
}

fn chat(shown: &[Shown]) -> Chat<'_> {
    let mut chat = Chat::default();
    for (place, shown) in shown.iter().enumerate().filter(|(_, shown)| shown.ours) {
        match read(shown) {
            Told::Word(number) => chat.words.entry(number).or_default().push((place, shown)),
            Told::Call(number, _) => chat.calls.entry(number).or_default().push(shown),
            Told::Opened(Some(with)) => *chat.opened.entry(with).or_default() += 1,
            Told::Together(with) => chat.together.push(with),
            Told::Joined(Some(by)) => *chat.joined.entry(by).or_default() += 1,
            Told::Asked(whom) => {
                chat.answers += 1;
                for person in (0..PEOPLE.len()).filter(|person| whom[*person]) {
                    *chat.asked.entry(person).or_default() += 1;
                }
            }
            Told::Parted(Some(by)) | Told::Left(Some(by), _) => *chat.parted.entry(by).or_default() += 1,
            Told::Ended | Told::Interrupted | Told::Answered | Told::Alone | Told::Nobody => {
                chat.answers += 1;
                if let Some(whom) = asked(shown) {
                    *chat.asked.entry(whom).or_default() += 1;
                }
            }
            Told::Blocked(Some(whom)) => {
                chat.answers += 1;
                *chat.blocked.entry(whom).or_default() += 1;
            }
            Told::Unblocked(Some(whom)) => {
                chat.answers += 1;
                *chat.unblocked.entry(whom).or_default() += 1;
            }
            Told::Waits(Some(whom)) => {
                chat.answers += 1;
                *chat.waits.entry(whom).or_default() += 1;
            }
            Told::Reminder(Some(by)) => *chat.reminded.entry(by).or_default() += 1,
            Told::Late => chat.late += 1,
            Told::Hint | Told::Beside => {}
            Told::Stray
            | Told::Opened(None)
            | Told::Parted(None)
            | Told::Joined(None)
            | Told::Left(None, _)
            | Told::Reminder(None)
            | Told::Blocked(None)
            | Told::Unblocked(None)
            | Told::Waits(None) => {
                chat.strays.push(shown);
            }
        }
    }
    chat
}

pub(super) fn named(person: usize) -> &'static str {
    name(PEOPLE[person].0)
}

/// Everything that is wrong.
pub(super) fn judge(scene: &Scene) -> Vec<String> {
    let mut wrong = Vec::new();
    let chats: Vec<Chat<'_>> = scene.chats.iter().map(|shown| chat(shown)).collect();
    for (number, word) in scene.private.words.iter().enumerate() {
        for (person, chat) in chats.iter().enumerate() {
            let found = chat.words.get(&number).map_or(&[][..], Vec::as_slice);
            let strayed = private_marks::strayed(scene, &chats, word, person, found);
            let fault = fault(scene, number, word, person, found).or(strayed);
            let excused = found.is_empty() && private_marks::is_unlisted(scene, &chats, word);
            if let Some(fault) = fault.filter(|_| !excused) {
                let to: Vec<&str> = (0..PEOPLE.len()).filter(|it| word.to[*it]).map(named).collect();
                let (by, at) = (named(word.by), named(person));
                wrong.push(format!("word {number:03} ({}) of {by} to {to:?}, at {at}: {fault}", word.id));
            }
        }
    }
    for (number, command) in scene.private.commands.iter().enumerate() {
        for (person, chat) in chats.iter().enumerate() {
            let times = chat.calls.get(&number).map_or(0, Vec::len);
            if times > usize::from(command.what.asks(person)) {
                let (by, at) = (named(command.by), named(person));
                wrong.push(format!("call {number:03} of {by} is told {times} times at {at}"));
            }
            if times > 0 && command.ears[person] == Ear::Deaf {
                let (by, at) = (named(command.by), named(person));
                wrong.push(format!("call {number:03} of {by} is told at {at}, who blocked them"));
            }
        }
    }
    wrong.extend(private_marks::marks(scene, &chats));
    wrong.extend(unanswered(scene, &chats));
    for (person, chat) in chats.iter().enumerate() {
        wrong.extend(unasked(scene, person, &chats));
        wrong.extend(
            commands(scene, person, chat).into_iter().map(|fault| format!("{}: {fault}", named(person))),
        );
        wrong.extend(inversions(scene, person, chat));
        wrong.extend(private_marks::lines(scene, person));
        wrong.extend(
            chat.strays.iter().map(|stray| format!("a stray message at {}: {}", named(person), stray.text)),
        );
    }
    for (channel, messages) in CHANNELS.iter().zip(&scene.messages) {
        let private = |it: &&Shown| ["word ", "call ", "dm "].iter().any(|sign| it.text.contains(sign));
        if let Some(stray) = messages.iter().filter(|it| it.ours).find(private) {
            wrong.push(format!("what was for the app stands in {}: {}", channel.id, stray.text));
        }
    }
    for (person, shown) in scene.chats.iter().enumerate() {
        let public =
            |it: &&Shown| it.text.contains("note ") || it.files.iter().any(|(name, _)| name.starts_with('n'));
        if let Some(stray) = shown.iter().filter(|it| it.ours).find(public) {
            wrong.push(format!("what was for a channel stands with {}: {}", named(person), stray.text));
        }
    }
    wrong
}

/// Whether each of the two had asked the other, or said yes, by then.
fn agreed(commands: &[Command], one: usize, other: usize, until_ms: i64) -> bool {
    let before = || commands.iter().filter(|it| it.at_ms <= until_ms);
    let wants = |by, whom| before().any(|it| it.by == by && it.wants(whom, commands));
    wants(one, other) && wants(other, one)
}

fn fault(
    scene: &Scene,
    number: usize,
    word: &Word,
    person: usize,
    found: &[(usize, &Shown)],
) -> Option<String> {
    if person == word.by {
        return (!found.is_empty()).then(|| format!("came back, {} times", found.len()));
    }
    let may = !word.idle
        && (word.to == NOBODY || word.to[person])
        && agreed(&scene.private.commands, word.by, person, word.at_ms);
    if !may {
        return (!found.is_empty()).then(|| "went astray".to_owned());
    }
    if word.deaf.contains(&person) {
        return (!found.is_empty()).then(|| "is heard although its author is blocked".to_owned());
    }
    let is_file = |shown: &Shown| !shown.files.is_empty() || shown.text.contains("f0.txt");
    let is_text = |shown: &Shown| shown.text.contains("word ");
    let texts: Vec<&Shown> = found.iter().map(|(_, it)| *it).filter(|it| is_text(it)).collect();
    let files: Vec<&Shown> = found.iter().map(|(_, it)| *it).filter(|it| is_file(it)).collect();
    if texts.len() > usize::from(!word.wordless) || files.len() > usize::from(word.file.is_some()) {
        return Some(format!("there {} times, its file {} times", texts.len(), files.len()));
    }
    let spoiled = |it: &&Shown| {
        let sent = word.file.as_ref().map(|file| &file.bytes);
        it.files.first().is_some_and(|(_, bytes)| Some(bytes) != sent)
    };
    if files.iter().any(spoiled) {
        return Some("its file has other bytes".to_owned());
    }
    // Who blocks somebody hears no more of what is on its way.
    if word.to == NOBODY || word.cut[person] || is_reported(scene, word, person) {
        return None;
    }
    // What was done when perhaps nobody listened any more may be there, or not.
    let known = (0..word.states.len()).rev().find(|at| is_known(scene, word, person, *at))?;
    let states = &word.states[known..];
    let may_be_gone = states.iter().any(|state| state.revision.is_none());
    let may_be_there = states.iter().any(|state| state.revision.is_some());
    let there = [(word.wordless, &texts), (word.file.is_none(), &files)];
    if there.iter().any(|(never, shown)| !never && shown.is_empty()) && !may_be_gone {
        return Some("lost".to_owned());
    }
    // Everybody accepts everything.
    if files.iter().any(|shown| shown.is_offer()) && !may_be_gone {
        return Some("its file was accepted and did not come".to_owned());
    }
    if !may_be_there && !found.is_empty() {
        return Some("deleted, but still there".to_owned());
    }
    let shows = |shown: &Shown, state: &State| {
        state.revision.is_some_and(|revision| shown.text.contains(&text(number, revision)))
    };
    let old = texts.first().filter(|shown| !states.iter().any(|state| shows(shown, state)));
    old.map(|shown| format!("shows {}", shown.text))
}

/// Whether a word is deleted, and whether that has to be known.
pub(super) fn is_gone(scene: &Scene, word: &Word, person: usize) -> (bool, bool) {
    let gone = word.states.last().is_some_and(|state| state.revision.is_none());
    (gone, gone && is_known(scene, word, person, word.states.len() - 1))
}

/// Whether a state of a message has to be known where it went: it was made in a conversation that lives on, or that ended
/// after the platform had told of it. Where nobody listens Teams tells a bot of it once, and never again; Webex tells
/// nothing of edits.
fn is_known(scene: &Scene, word: &Word, person: usize, at: usize) -> bool {
    let state = &word.states[at];
    let left = || scene.private.left.get(word.by).copied().flatten();
    let lives = || left().is_some_and(|(with, talk)| with[person] && talk == state.talk);
    let until_ms = word.states.get(at + 1).map_or(i64::MAX, |next| next.at_ms);
    let told = || is_acknowledged(scene, word.by, &word.id, (state.at_ms, until_ms));
    state.to[person]
        && match scene.private.chats[word.by].platform {
            "teams" => told() || state.calm && lives(),
            "webex" => lives() || at == 0 && told(),
            _ => lives() || !scene.untold || at == 0 && told(),
        }
}

/// Whether the operator was told that something about it did not get through.
pub(super) fn is_reported(scene: &Scene, word: &Word, person: usize) -> bool {
    let Some(chat) = &scene.chat_ids[person] else { return false };
    let lane = LaneId::Conversation(chat.clone());
    scene.dead.iter().any(|dead| {
        dead.lane == lane && dead.event.message.as_ref().is_some_and(|message| message.as_str() == word.id)
    })
}

/// Whether what was acknowledged was answered, to everybody where they said it, and in all. What opens a conversation
/// tells all who are there, and answers one of them.
fn unanswered(scene: &Scene, chats: &[Chat<'_>]) -> Vec<String> {
    let heard = |it: &&Command| is_acknowledged(scene, it.by, &it.id, (it.at_ms, i64::MAX));
    let mut wrong = Vec::new();
    for (person, chat) in chats.iter().enumerate() {
        let heard = scene.private.commands.iter().filter(|it| it.by == person).filter(heard).count();
        let begun = chat.opened.values().sum::<usize>() + chat.together.len();
        let answers = chat.answers + chat.late;
        if answers + begun + shredded(scene, person) < heard {
            let at = named(person);
            wrong.push(format!(
                "{at}: {answers} answers and {begun} beginnings for {heard} acknowledged commands"
            ));
        }
    }
    let heard = scene.private.commands.iter().filter(heard).count();
    let answers: usize = chats.iter().map(|chat| chat.answers + chat.late).sum();
    let opened = |at: usize, with: usize| chats[at].opened.get(&with).copied().unwrap_or_default();
    let pairs = (0..chats.len()).flat_map(|one| (one + 1..chats.len()).map(move |other| (one, other)));
    let begun: usize = pairs.map(|(one, other)| opened(one, other).max(opened(other, one))).sum();
    let joins = |person: usize| {
        let joins = scene.private.commands.iter().filter(|it| it.by == person && it.what == What::Join);
        joins.count().min(chats[person].together.len())
    };
    let begun = begun + (0..chats.len()).map(joins).sum::<usize>();
    let gone: usize = (0..chats.len()).map(|person| shredded(scene, person)).sum();
    if answers + begun + gone < heard {
        wrong.push(format!("{answers} answers and {begun} beginnings for {heard} acknowledged commands"));
    }
    wrong
}

/// What was to be said in somebody's chat and waited for longer than words are kept: it cannot be read again anywhere.
fn shredded(scene: &Scene, person: usize) -> usize {
    let waited = |it: &&Receipt| it.settled_ms - it.received_ms >= KEPT_MS;
    let said = scene.receipts.iter().filter(|it| it.to == scene.chat_ids[person]);
    let given_up = said.filter(|it| it.code.as_deref() == Some(codes::NOT_REREADABLE.as_str()));
    given_up.filter(waited).count()
}

/// Whom somebody is told to have asked without their having been asked so often.
fn unasked(scene: &Scene, person: usize, chats: &[Chat<'_>]) -> Vec<String> {
    let mine = |number: &&usize| scene.private.commands.get(**number).is_some_and(|it| it.by == person);
    let asked = chats[person].asked.iter();
    // Who is blocked reads the same, and nobody is asked.
    let unheard = |whom: usize| {
        let theirs = |it: &&Command| it.by == person && it.what.asks(whom) && it.ears[whom] != Ear::Open;
        scene.private.commands.iter().filter(theirs).count()
    };
    let there = |whom: usize| chats[whom].calls.keys().filter(mine).count() + unheard(whom);
    let missing =
        asked.map(|(whom, times)| (*whom, *times, there(*whom))).filter(|(_, times, there)| times > there);
    let told = |(whom, times, there)| {
        format!(
            "{} is told {times} times to have asked {}, who was {there} times",
            named(person),
            named(whom)
        )
    };
    missing.map(told).collect()
}

/// Whether commands of somebody were answered and told, no more than once each.
fn commands(scene: &Scene, person: usize, chat: &Chat<'_>) -> Vec<String> {
    let commands = &scene.private.commands;
    let by = |by: usize| commands.iter().filter(move |command| command.by == by);
    let heard = |one: usize, other: usize| {
        by(one).filter(|it| it.wants(other, commands) && it.ears[other] != Ear::Deaf).count()
    };
    let mut wrong = Vec::new();
    let (said, answers) = (by(person).count(), chat.answers);
    if answers > said {
        wrong.push(format!("{answers} answers to {said} commands"));
    }
    let words = scene.private.words.iter().filter(|word| word.by == person).count();
    if chat.late > said + words {
        wrong.push(format!("{} times late, of {said} commands and {words} words", chat.late));
    }
    for (other, times) in &chat.opened {
        // Nothing is opened by who is blocked.
        let mine = heard(person, *other);
        let theirs = heard(*other, person);
        if *times > mine + theirs {
            wrong.push(format!("{times} beginnings with {}, of {mine} and {theirs} wishes", named(*other)));
        }
    }
    let joins = |it: &&Command| it.what == What::Join;
    let most = commands.iter().filter(joins).count();
    if chat.together.len() > most {
        wrong.push(format!("{} beginnings of several, of {most} wishes", chat.together.len()));
    }
    let together = |with: &Crowd| {
        let there = |it: &Command, other: usize| !with[other] || it.what.asks_both(it.by, (person, other));
        *with != NOBODY && commands.iter().any(|it| (0..PEOPLE.len()).all(|other| there(it, other)))
    };
    for with in chat.together.iter().filter(|with| !together(with)) {
        let with: Vec<&str> = (0..PEOPLE.len()).filter(|it| with[*it]).map(named).collect();
        wrong.push(format!("is told to be with {with:?}, for which nobody asked"));
    }
    for (other, times) in &chat.joined {
        let asked = commands.iter().any(|it| it.what.asks_both(it.by, (person, *other)));
        if !asked || *times > by(*other).filter(joins).count() {
            wrong.push(format!("{} joined {times} times", named(*other)));
        }
    }
    let said = |what: What| by(person).filter(|it| it.what == what).count();
    for (whom, times) in &chat.blocked {
        if *times > said(What::Block(*whom)) {
            wrong.push(format!("{} is blocked {times} times", named(*whom)));
        }
    }
    for (whom, times) in &chat.unblocked {
        if *times > said(What::Unblock(*whom)) {
            wrong.push(format!("{} is unblocked {times} times", named(*whom)));
        }
    }
    for (whom, times) in &chat.waits {
        if *times > heard(person, *whom) {
            wrong.push(format!("{} is told {times} times of a wish", named(*whom)));
        }
    }
    for (whom, times) in &chat.reminded {
        if *times > heard(*whom, person) {
            wrong.push(format!("{} waits {times} times", named(*whom)));
        }
    }
    for (other, times) in &chat.parted {
        let most = by(*other).count();
        if *times > most {
            wrong.push(format!("{} went {times} times, with {most} commands", named(*other)));
        }
    }
    wrong
}

/// Whether the gateway said that it has what was told of a message of somebody's chat in this time.
fn is_acknowledged(scene: &Scene, person: usize, id: &str, (since_ms, until_ms): (i64, i64)) -> bool {
    let platform = scene.private.chats[person].platform;
    let labels = |entry: &LogEntry| {
        let (detail, label) = (&entry.detail, &entry.detail["label"]);
        [&label["ts"], &label["id"], &label["message_id"], &detail["id"]].map(|it| it.as_str().map(key))
    };
    let here = |entry: &&LogEntry| entry.platform == platform && entry.kind == LogKind::Delivery;
    let then = |it: &&LogEntry| it.status == 200 && it.at >= since_ms && it.at < until_ms;
    let mut told = scene.log.iter().filter(here).filter(then);
    told.any(|entry| labels(entry).iter().flatten().any(|it| it == id))
}

/// Words that stand the wrong way round: the second was written when the first had been accepted already.
fn inversions(scene: &Scene, person: usize, chat: &Chat<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut accepted: BTreeMap<&str, i64> = BTreeMap::new();
    for receipt in scene.receipts.iter().filter(|receipt| receipt.kind == "created") {
        if receipt.to == scene.chat_ids[person]
            && let Some(message) = &receipt.message
        {
            let first = accepted.entry(message.as_str()).or_insert(receipt.received_ms);
            *first = receipt.received_ms.min(*first);
        }
    }
    let words = &scene.private.words;
    for (first, shown) in &chat.words {
        // A reply may have waited for its root while others went on.
        let Some(earlier) = words.get(*first).filter(|word| word.root.is_none()) else { continue };
        let Some(accepted_ms) = accepted.get(earlier.id.as_str()) else { continue };
        for (second, others) in chat.words.range(first + 1..) {
            let Some(later) = words.get(*second) else { continue };
            let turned = shown.first().zip(others.first()).is_some_and(|(one, other)| other.0 < one.0);
            if later.by == earlier.by && *accepted_ms < later.at_ms && turned {
                wrong.push(format!("word {second:03} stands before word {first:03} at {}", named(person)));
            }
        }
    }
    wrong
}
