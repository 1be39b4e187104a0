//! Whether files and reactions are at every target what they are at their source, and notes say who reacts.

use std::collections::{BTreeMap, BTreeSet};

use super::judge::{Copies, Here, is_reported, name};
use super::platforms::{self, CHANNELS, EMOJI};
use super::private_judge;
use super::shown::Shown;
use super::stage::{Said, Scene, numbered};

/// What is wrong with the files of a message at a target.
pub(super) fn files(scene: &Scene, said: &Said, found: &Copies<'_>, channel: usize) -> Option<String> {
    if is_reported(scene, said, channel) {
        return None;
    }
    let shown: Vec<&(String, Vec<u8>)> = found.files.iter().flat_map(|copy| &copy.shown.files).collect();
    let names = || shown.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>();
    if said.deleted {
        return (!shown.is_empty()).then(|| format!("deleted, but {:?} are still there", names()));
    }
    // Nor is a file asked for that was taken out while its source went silent for long.
    let gone_untold = scene.untold && said.unfiled && shown.len() >= said.files.len();
    let right = gone_untold
        || shown.len() == said.files.len()
            && said.files.iter().zip(&shown).all(|(sent, (name, _))| is_named(name, &sent.name));
    if !right {
        let sent: Vec<&str> = said.files.iter().map(|sent| sent.name.as_str()).collect();
        return Some(format!("shows the files {:?}, not {sent:?}", names()));
    }
    let mut pairs = said.files.iter().zip(&shown).filter(|_| !gone_untold);
    let spoiled = pairs.find(|(sent, (_, bytes))| sent.bytes != *bytes);
    if let Some((sent, (_, bytes))) = spoiled {
        return Some(format!("{} has other bytes: {} of {}", sent.name, bytes.len(), sent.bytes.len()));
    }
    let text = found.texts.first().map_or(0, |copy| copy.place);
    let file = found.files.first().map_or(usize::MAX, |copy| copy.place);
    (file < text).then(|| "its files stand before its text".to_owned())
}

/// Whether a file's name is this one, perhaps with a number that a platform added.
fn is_named(found: &str, name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name);
    found.starts_with(stem)
}

/// Files that are left on a platform although no message has them any more, or that are there twice.
pub(super) fn kept(scene: &Scene) -> Vec<String> {
    let mut wrong = Vec::new();
    for (platform, kept) in &scene.kept {
        let mut wanted: BTreeMap<&str, usize> = BTreeMap::new();
        let mut excused = BTreeSet::new();
        for said in &scene.said {
            let here = |channel: &usize| CHANNELS[*channel].platform == *platform;
            let targets = (0..CHANNELS.len()).filter(|channel| *channel != said.channel).filter(here);
            let count = targets.clone().count();
            // People's own files are no copies, and of what was given up nobody knows how far it came.
            let excuse = here(&said.channel) && *platform == "teams"
                || targets.clone().any(|it| is_reported(scene, said, it));
            for file in &said.files {
                let stem = file.name.split('.').next().unwrap_or_default();
                wanted.insert(stem, if said.deleted { 0 } else { count });
                if excuse {
                    excused.insert(stem);
                }
            }
        }
        for word in &scene.private.words {
            let Some(file) = &word.file else { continue };
            let stem = file.name.split('.').next().unwrap_or_default();
            let shows =
                |shown: &&Shown| shown.ours && shown.files.iter().any(|(name, _)| name.starts_with(stem));
            let here =
                scene.private.chats.iter().zip(&scene.chats).filter(|(chat, _)| chat.platform == *platform);
            wanted.insert(stem, here.flat_map(|(_, shown)| shown).filter(shows).count());
            let reported =
                (0..scene.chats.len()).any(|person| private_judge::is_reported(scene, word, person));
            if reported || *platform == "teams" {
                excused.insert(stem);
            }
        }
        let mut found: BTreeMap<&str, usize> = BTreeMap::new();
        for name in kept.iter().filter(|name| name.starts_with(['n', 'w'])) {
            *found.entry(name.get(..6).unwrap_or(name)).or_default() += 1;
        }
        let mut left = Vec::new();
        for (stem, count) in found {
            let most = wanted.get(stem).copied().unwrap_or(0);
            if count > most && !excused.contains(stem) {
                left.push(format!("{platform} keeps {stem} {count} times, not {most}"));
            }
        }
        // What was uploaded by an attempt of which the end is not known stays in the folder.
        if left.len() > unfinished(scene, platform) {
            wrong.extend(left);
        }
    }
    wrong
}

/// Attempts of which the gateway, or the platform's answer, did not live to see the end.
fn unfinished(scene: &Scene, platform: &str) -> usize {
    let faulty = scene.log.iter().filter(|entry| {
        entry.platform == platform && (entry.status == 0 || !entry.detail["fault"].is_null())
    });
    scene.crashes + faulty.count()
}

/// Who reacts with what, by emoji.
pub(super) type Told = BTreeMap<usize, Vec<String>>;

/// Whom the platform did not name in time.
pub(super) const NAMELESS: &str = "somebody";

/// Whether a note tells this.
fn tells(found: &(String, Told), wanted: &(String, Told)) -> bool {
    found.0 == wanted.0
        && found.1.len() == wanted.1.len()
        && found.1.iter().zip(&wanted.1).all(|((emoji, names), (wanted_emoji, wanted))| {
            let known: Vec<&String> = names.iter().filter(|name| *name != NAMELESS).collect();
            emoji == wanted_emoji
                && names.len() == wanted.len()
                && known.iter().all(|name| wanted.contains(name))
        })
}

/// What is wrong with reactions and notes.
pub(super) fn reactions(scene: &Scene, copies: &[Here<'_>]) -> Vec<String> {
    // Then nobody knows what was missed: reactions of a source that went silent for long are not asked for.
    if scene.untold {
        return Vec::new();
    }
    let mut wrong = Vec::new();
    for (channel, here) in copies.iter().enumerate() {
        let silent = CHANNELS[channel].platform == "webex";
        let mut notes: Vec<(String, Told)> = Vec::new();
        // Where a thread's root is gone, nobody may stand under it any more.
        let mut perhaps: Vec<(String, Told)> = Vec::new();
        for (number, said) in scene.said.iter().enumerate() {
            let at = format!("note {number:03} in {}", name(channel));
            let shown = if said.channel == channel {
                scene.messages[channel].iter().find(|shown| shown.id == said.id)
            } else {
                here.get(&number).and_then(Copies::first).map(|copy| copy.shown)
            };
            let Some(shown) = shown.filter(|_| !said.deleted) else { continue };
            if !silent && let Some(fault) = set(said, shown, channel) {
                wrong.push(format!("{at}: {fault}"));
            }
            let told = wanted(said, channel);
            if !told.is_empty() {
                let rootless = said.root.is_some_and(|root| scene.said[root].deleted);
                let list = if rootless { &mut perhaps } else { &mut notes };
                list.push((shown.root.clone().unwrap_or_else(|| shown.id.clone()), told));
            }
        }
        let mut found: Vec<(String, Told)> = Vec::new();
        // A reply that is nothing but files may say beside them that it is one.
        let stray =
            |it: &&Shown| it.ours && numbered(it).is_none() && !it.text.contains("in reply to an earlier");
        for shown in scene.messages[channel].iter().filter(stray) {
            match (&shown.root, read(&shown.text)) {
                (Some(root), Some(told)) => found.push((root.clone(), told)),
                _ => wrong.push(format!("a stray message in {}: {}", name(channel), shown.text)),
            }
        }
        let missing: Vec<_> = notes.iter().filter(|it| !found.iter().any(|note| tells(note, it))).collect();
        let all = notes.iter().chain(&perhaps);
        let more: Vec<_> = found.iter().filter(|note| !all.clone().any(|it| tells(note, it))).collect();
        let most = all.count();
        if !missing.is_empty() || !more.is_empty() || !(notes.len()..=most).contains(&found.len()) {
            let name = name(channel);
            wrong.push(format!("notes of {name}: missing {missing:?}, too many {more:?}, in all {found:?}"));
        }
    }
    wrong
}

/// What is wrong with the reactions that stand at a message.
fn set(said: &Said, shown: &Shown, channel: usize) -> Option<String> {
    let mut wanted: Vec<(Option<usize>, Option<String>)> = Vec::new();
    for (at, user, emoji) in &said.reactions {
        let who = (*at == channel).then(|| (*user).to_owned());
        if !wanted.contains(&(Some(*emoji), who.clone())) {
            wanted.push((Some(*emoji), who));
        }
    }
    let mut found = shown.reactions.clone();
    wanted.sort();
    found.sort();
    (wanted != found).then(|| format!("shows the reactions {found:?}, not {wanted:?}"))
}

/// What a note has to tell.
fn wanted(said: &Said, channel: usize) -> Told {
    let mut told = Told::new();
    for (_, user, emoji) in said.reactions.iter().filter(|(at, ..)| *at != channel) {
        told.entry(*emoji).or_default().push(platforms::name(user).to_owned());
    }
    for names in told.values_mut() {
        names.sort();
    }
    told
}

/// Reads a note that may stand apart from its message.
pub(super) fn told(text: &str) -> Option<Told> {
    let detached = text.split_once("reactions to an earlier message:");
    read(detached.map_or(text, |(_, rest)| rest).trim_start_matches("</em>"))
}

/// Reads a note.
fn read(text: &str) -> Option<Told> {
    let mut plain = String::new();
    let mut in_tag = false;
    for sign in text.chars() {
        match sign {
            '<' => in_tag = true,
            '>' => in_tag = false,
            sign if !in_tag => plain.push(sign),
            _ => {}
        }
    }
    for (sign, name) in EMOJI {
        plain = plain.replace(&format!(":{name}:"), sign);
    }
    let mut told = Told::new();
    for piece in plain.trim().split(" \u{b7} ") {
        let (emoji, (sign, _)) =
            EMOJI.iter().enumerate().find(|(_, (sign, _))| piece.trim().starts_with(sign))?;
        let names = piece.trim().strip_prefix(sign)?.split(',').map(|name| {
            let name = name.split(" (").next().unwrap_or(name);
            name.trim().to_owned()
        });
        let mut names: Vec<String> = names.collect();
        names.sort();
        told.insert(emoji, names);
    }
    Some(told)
}
