//! Whether replies stand in their threads in chats with the app, and reactions are set and told there.

use dragoman_model::RemoteMessage;
use dragoman_sim::core::LogKind;
use dragoman_store::LaneId;

use super::carried::{self, NAMELESS, Told};
use super::platforms::{self, PEOPLE, key};
use super::private::{Mark, Word};
use super::private_judge::{Chat, is_gone, is_reported, named};
use super::private_told::says_reply;
use super::shown::Shown;
use super::stage::Scene;

/// What is wrong with where a reply stands.
pub(super) fn strayed(
    scene: &Scene,
    chats: &[Chat<'_>],
    word: &Word,
    person: usize,
    found: &[(usize, &Shown)],
) -> Option<String> {
    let number = word.root?.word?;
    let root = &scene.private.words[number];
    if is_gone(scene, root, person).0 || [word, root].iter().any(|word| is_reported(scene, word, person)) {
        return None;
    }
    let there = if root.by == person {
        scene.chats[person].iter().find(|shown| shown.id == root.id)?
    } else {
        let (place, _) = chats[person].words.get(&number)?.first()?;
        head(&scene.chats[person], *place)
    };
    // There are no threads: the text says that it is a reply, and perhaps points to what.
    if scene.private.chats[person].platform == "teams" {
        let silent = |shown: &Shown| {
            // To the offer in whose place a file stands by now.
            let moved = root.by != person && root.wordless;
            let points =
                moved || !shown.text.contains("teams.microsoft.com") || shown.text.contains(&there.id);
            shown.text.contains("word ") && !(says_reply(&shown.text) && points)
        };
        return found
            .iter()
            .any(|(_, it)| silent(it))
            .then(|| format!("does not say that it is a reply to word {number:03}"));
    }
    // What begins a thread in one chat may stand in one in the other.
    let thread = there.root.as_ref().unwrap_or(&there.id);
    let left = found.iter().any(|(_, it)| it.root.as_ref() != Some(thread));
    left.then(|| format!("left its thread, that of word {number:03}"))
}

/// Whether nobody looks for a reply of which its platform gave up to tell: they list what stands in a thread to those who
/// name it, and of what was not relayed, or is gone, nobody keeps the name.
pub(super) fn is_unlisted(scene: &Scene, chats: &[Chat<'_>], word: &Word) -> bool {
    let Some(root) = word.root.filter(|_| scene.untold) else { return false };
    let relayed = |number: usize| {
        let root = &scene.private.words[number];
        let gone = root.states.last().is_some_and(|state| state.revision.is_none());
        !gone && chats.iter().any(|chat| chat.words.contains_key(&number))
    };
    !root.word.is_some_and(relayed)
}

/// What has to stand at a message, and what may.
#[derive(Debug)]
struct Wanted {
    /// The thread of notes to it; `None`: nobody can tell.
    root: Option<String>,
    must: Told,
    may: Told,
}

/// Whether a note tells what it has to, and nothing that it may not.
fn tells(note: &(Option<String>, Told), wanted: &Wanted) -> bool {
    let (root, told) = note;
    let known = |names: &[String], all: &[String]| {
        names.iter().all(|name| name == NAMELESS || all.contains(name)) && names.len() <= all.len()
    };
    let there = |must: &[String], told: &[String]| {
        must.iter().all(|name| told.contains(name) || told.iter().any(|it| it == NAMELESS))
    };
    wanted.root.as_ref().is_none_or(|wanted| root.as_ref() == Some(wanted))
        && told.iter().all(|(emoji, names)| wanted.may.get(emoji).is_some_and(|all| known(names, all)))
        && wanted.must.iter().all(|(emoji, must)| told.get(emoji).is_some_and(|names| there(must, names)))
}

/// What is wrong with reactions and with notes of them.
pub(super) fn marks(scene: &Scene, chats: &[Chat<'_>]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (person, chat) in chats.iter().enumerate() {
        let platform = scene.private.chats[person].platform;
        let mut all = Vec::new();
        for (number, word) in scene.private.words.iter().enumerate() {
            let shown = if word.by == person {
                scene.chats[person].iter().find(|shown| shown.id == word.id)
            } else {
                let found = chat.words.get(&number).and_then(|found| found.first());
                found.map(|(place, _)| head(&scene.chats[person], *place))
            };
            let Some(wanted) = wanted(scene, person, number, shown) else { continue };
            // At Webex nobody can set any but its people.
            // Nor does anybody know which line above a file that was accepted later belongs to it.
            let apart = platform == "teams" && word.by != person && word.wordless && word.root.is_some();
            if let Some(shown) = shown.filter(|_| platform != "webex" && !apart)
                && let Some(fault) = set(shown, &wanted)
            {
                wrong.push(format!("word {number:03} at {}: {fault}", named(person)));
            }
            all.push(wanted);
        }
        wrong.extend(notes(scene, person, &all));
    }
    wrong
}

/// The first message of a copy, which is the one that is reacted and replied to: above a file alone that answers something
/// stands a line that says so.
fn head(shown: &[Shown], place: usize) -> &Shown {
    let copy = &shown[place];
    let above = shown[..place].iter().rev().find(|it| it.ours);
    above.filter(|it| is_line_of(it, copy)).unwrap_or(copy)
}

/// Whether a message of ours says that what follows is a reply.
fn is_line(shown: &Shown) -> bool {
    let has = |sign| shown.text.contains(sign);
    says_reply(&shown.text) && !has("word ") && !has("f0.txt")
}

fn is_line_of(line: &Shown, file: &Shown) -> bool {
    is_line(line) && line.root == file.root && (!file.files.is_empty() || file.is_offer())
}

/// Lines that say that a file is a reply, of which there is none behind them.
pub(super) fn lines(scene: &Scene, person: usize) -> Vec<String> {
    let dead = |lane: &LaneId| scene.dead.iter().any(|dead| dead.lane == *lane);
    // A copy of which a part did not get through.
    if scene.chat_ids[person].clone().map(LaneId::Conversation).is_some_and(|lane| dead(&lane)) {
        return Vec::new();
    }
    let ours: Vec<&Shown> = scene.chats[person].iter().filter(|shown| shown.ours).collect();
    // What was offered comes when it is accepted, behind what came meanwhile.
    let near = if scene.private.chats[person].platform == "teams" { usize::MAX } else { 1 };
    let alone = |at: &usize| {
        is_line(ours[*at]) && !ours[at + 1..].iter().take(near).any(|it| is_line_of(ours[*at], it))
    };
    let alone = (0..ours.len()).filter(alone);
    alone.map(|at| format!("a reply without what it says at {}: {}", named(person), ours[at].id)).collect()
}

/// What is wrong with the notes of a chat.
fn notes(scene: &Scene, person: usize, all: &[Wanted]) -> Option<String> {
    let ours = scene.chats[person].iter().filter(|shown| shown.ours);
    let found: Vec<(Option<String>, Told)> =
        ours.filter_map(|shown| Some((shown.root.clone(), carried::told(&shown.text)?))).collect();
    let missing: Vec<&Wanted> = all
        .iter()
        .filter(|wanted| !wanted.must.is_empty() && !found.iter().any(|note| tells(note, wanted)))
        .collect();
    let more: Vec<_> = found.iter().filter(|note| !all.iter().any(|wanted| tells(note, wanted))).collect();
    let least = all.iter().filter(|wanted| !wanted.must.is_empty()).count();
    let most = all.iter().filter(|wanted| !wanted.may.is_empty()).count();
    let right = missing.is_empty() && more.is_empty() && (least..=most).contains(&found.len());
    (!right).then(|| {
        format!("notes at {}: missing {missing:?}, too many {more:?}, in all {found:?}", named(person))
    })
}

/// What has to stand at a message of somebody's chat, and under it; `None`: nothing, and nobody looks.
fn wanted(scene: &Scene, person: usize, number: usize, shown: Option<&Shown>) -> Option<Wanted> {
    let word = &scene.private.words[number];
    let (gone, known) = is_gone(scene, word, person);
    let mut root = shown.map(|shown| shown.root.clone().unwrap_or_else(|| shown.id.clone()));
    // What nobody had to hear of may have been deleted with its notes, or not.
    let mut perhaps = gone;
    match shown {
        None if !gone || known || word.by != person => return None,
        // Nobody knows in which thread it stood.
        None => root = None,
        Some(shown) => {
            let there = |root: &String| scene.chats[person].iter().any(|it| it.id == *root);
            // Where a thread's root is gone, nobody may stand under it any more.
            perhaps |= !shown.root.as_ref().is_none_or(there);
        }
    }
    if scene.private.chats[person].platform == "teams" {
        root = None;
    }
    let mut wanted = Wanted { root, must: Told::new(), may: Told::new() };
    let of_word = scene.private.marks.range((number, 0, 0)..(number + 1, 0, 0));
    for ((_, by, emoji), marks) in of_word.filter(|((_, by, _), _)| *by != person) {
        let since = (0..marks.len()).rev().find(|at| is_known(scene, (*by, person), marks, *at));
        // Reactions of a source that went silent for long are not asked for: nobody knows which were missed.
        let lost = perhaps || scene.untold || is_dead(scene, person, word, marks);
        let open = &marks[since.filter(|_| !lost).unwrap_or(0)..];
        let name = platforms::name(PEOPLE[*by].0).to_owned();
        if open.iter().any(|mark| mark.set) {
            wanted.may.entry(*emoji).or_default().push(name.clone());
        }
        if since.is_some() && !lost && open.iter().all(|mark| mark.set) {
            wanted.must.entry(*emoji).or_default().push(name);
        }
    }
    Some(wanted)
}

/// Whether the other one has to know what somebody made of their reaction then: where it was made in a conversation that
/// lives on, or to what they saw. What is owed for a message that is late is kept in memory, and what catching up finds in its
/// stead has no time: once people parted it is for nobody. Teams tells a bot of it once.
fn is_known(scene: &Scene, (by, person): (usize, usize), marks: &[Mark], at: usize) -> bool {
    let mark = &marks[at];
    let left = scene.private.left.get(by).copied().flatten();
    let lives = || left.is_some_and(|(with, talk)| with[person] && talk == mark.talk);
    if !mark.to[person] || !(mark.seen[person] || lives()) {
        return false;
    }
    if scene.private.chats[by].platform != "teams" {
        return true;
    }
    // To an offer in whose place a file stands by now.
    if !scene.chats[by].iter().any(|shown| shown.id == mark.id) {
        return false;
    }
    let until_ms = marks.get(at + 1).map_or(i64::MAX, |next| next.at_ms);
    // The next ones may tell of another emoji.
    let told = scene.log.iter().find(|entry| {
        entry.kind == LogKind::Delivery
            && entry.method == "bot.messageReaction"
            && entry.at >= mark.at_ms
            && entry.detail["id"].as_str().map(key).as_deref() == Some(mark.id.as_str())
    });
    told.is_some_and(|entry| entry.status == 200 && entry.at < until_ms)
}

/// Whether the operator was told that something about the message or the reactions did not get through.
fn is_dead(scene: &Scene, person: usize, word: &Word, marks: &[Mark]) -> bool {
    let Some(chat) = &scene.chat_ids[person] else { return false };
    let lane = LaneId::Conversation(chat.clone());
    scene.dead.iter().filter(|dead| dead.lane == lane).any(|dead| {
        let about = dead.event.message.as_ref().map(RemoteMessage::as_str);
        about.is_some_and(|id| id == word.id || marks.iter().any(|mark| mark.id == id))
    })
}

/// What is wrong with the reactions that the gateway set at a message.
fn set(shown: &Shown, wanted: &Wanted) -> Option<String> {
    let found: Vec<usize> =
        shown.reactions.iter().filter(|(_, who)| who.is_none()).filter_map(|(emoji, _)| *emoji).collect();
    let right = wanted.must.keys().all(|emoji| found.contains(emoji))
        && found.iter().all(|emoji| wanted.may.contains_key(emoji));
    (!right).then(|| format!("shows the reactions {found:?}, not {:?} or {:?}", wanted.must, wanted.may))
}
