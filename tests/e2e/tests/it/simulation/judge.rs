//! Whether what the platforms hold in the end is what the gateway promised.

use std::collections::BTreeMap;

use dragoman_model::codes;
use dragoman_sim::core::LogKind;
use dragoman_store::{LaneId, Receipt};

use super::carried;
use super::machine::conversation;
use super::platforms::{CHANNELS, key};
use super::private_judge;
use super::shown::Shown;
use super::stage::{Said, Scene, numbered, text};

/// A copy at a target.
pub(super) struct Copy<'a> {
    pub(super) shown: &'a Shown,
    /// Where it stands among the others.
    pub(super) place: usize,
}

/// The copies of a message at a target: of its text, and of its files.
#[derive(Default)]
pub(super) struct Copies<'a> {
    pub(super) texts: Vec<Copy<'a>>,
    pub(super) files: Vec<Copy<'a>>,
}

impl<'a> Copies<'a> {
    /// What people take for the message.
    pub(super) fn first(&self) -> Option<&Copy<'a>> {
        self.texts.first().or(self.files.first())
    }
}

pub(super) type Here<'a> = BTreeMap<usize, Copies<'a>>;

pub(super) fn name(channel: usize) -> String {
    format!("{} {channel}", CHANNELS[channel].platform)
}

/// Everything that is wrong; empty when nothing is.
pub(super) fn judge(scene: &Scene) -> Vec<String> {
    let mut wrong: Vec<String> = scene.problem.iter().cloned().collect();
    let copies: Vec<Here<'_>> = scene.messages.iter().map(|messages| copies(messages)).collect();
    let none = Copies::default();
    for (number, said) in scene.said.iter().enumerate() {
        for (channel, here) in copies.iter().enumerate() {
            let found = here.get(&number).unwrap_or(&none);
            let at = format!("note {number:03} ({}) of {} in {}", said.id, name(said.channel), name(channel));
            if channel == said.channel {
                let count = found.texts.len() + found.files.len();
                if count > 0 {
                    wrong.push(format!("{at}: came back, {count} times"));
                }
                continue;
            }
            wrong.extend(carried::files(scene, said, found, channel).map(|fault| format!("{at}: {fault}")));
            if let Some(fault) = fault(scene, said, number, found, here, channel) {
                wrong.push(format!("{at}: {fault}"));
            }
        }
    }
    for (channel, here) in copies.iter().enumerate() {
        wrong.extend(inversions(scene, here, channel));
    }
    wrong.extend(carried::kept(scene));
    wrong.extend(carried::reactions(scene, &copies));
    wrong.extend(broken_promises(scene));
    wrong.extend(private_judge::judge(scene));
    // There is no other bridge here: what was cut as its loop is a copy of ours that nobody recognised.
    let cut = |receipt: &&Receipt| receipt.code.as_deref() == Some(codes::LOOP.as_str());
    if let Some(receipt) = scene.receipts.iter().find(cut) {
        wrong.push(format!("a loop was cut late: {:?}", receipt.message));
    }
    wrong
}

fn fault(
    scene: &Scene,
    said: &Said,
    number: usize,
    found: &Copies<'_>,
    here: &Here<'_>,
    channel: usize,
) -> Option<String> {
    let reported = is_reported(scene, said, channel);
    if said.deleted {
        return (!found.texts.is_empty() && !reported).then(|| "deleted, but still there".to_owned());
    }
    match &found.texts[..] {
        [] if reported || said.wordless => {}
        [] => return Some("lost".to_owned()),
        [_] if said.wordless => return Some("has a text".to_owned()),
        [copy] => {
            if !copy.shown.text.contains(&text(number, said.revision)) && !reported {
                return Some(format!("shows an old text, not revision {}", said.revision));
            }
        }
        more => return Some(format!("there {} times", more.len())),
    }
    let root = here.get(&said.root?)?.first()?;
    let root_is_there = !scene.said[said.root?].deleted;
    let root = Some(root.shown.id.as_str()).filter(|_| root_is_there)?;
    let strayed = found.texts.iter().chain(&found.files).any(|copy| copy.shown.root.as_deref() != Some(root));
    strayed.then(|| "left its thread".to_owned())
}

/// What events of new messages are called.
const TOLD: [&str; 3] = ["message", "messages.created", "team_chat.channel_message_posted"];

/// Messages whose event was acknowledged, although it was accepted (again) only later: what was acknowledged was
/// not durable, and is there only because it was caught up with.
fn broken_promises(scene: &Scene) -> Vec<String> {
    let mut accepted: BTreeMap<&str, i64> = BTreeMap::new();
    for receipt in scene.receipts.iter().filter(|receipt| receipt.kind == "created") {
        let Some(message) = &receipt.message else { continue };
        let first = accepted.entry(message.as_str()).or_insert(receipt.received_ms);
        *first = receipt.received_ms.min(*first);
    }
    let acknowledged = scene
        .log
        .iter()
        .filter(|entry| entry.kind == LogKind::Delivery && TOLD.contains(&entry.method.as_str()));
    let mut wrong = Vec::new();
    for entry in acknowledged.filter(|entry| entry.status == 200) {
        let label = &entry.detail["label"];
        let Some(told) = ["ts", "id", "message_id"].iter().find_map(|key| label[key].as_str()) else {
            continue;
        };
        let id = key(told);
        let Some(number) = scene.said.iter().position(|said| said.id == id) else { continue };
        if accepted.get(id.as_str()).is_none_or(|accepted_ms| *accepted_ms > entry.at) {
            wrong.push(format!("note {number:03} was acknowledged and lost"));
        }
    }
    wrong
}

/// Whether the operator was told that something about this message did not get through.
pub(super) fn is_reported(scene: &Scene, said: &Said, channel: usize) -> bool {
    let lane = LaneId::Conversation(conversation(channel));
    scene.dead.iter().any(|dead| {
        dead.lane == lane && dead.event.message.as_ref().is_some_and(|message| message.as_str() == said.id)
    })
}

/// Messages of one channel that stand the wrong way round: the second was written when the first had been
/// accepted already.
fn inversions(scene: &Scene, here: &Here<'_>, channel: usize) -> Vec<String> {
    let to = conversation(channel);
    let mut accepted: BTreeMap<&str, i64> = BTreeMap::new();
    for receipt in &scene.receipts {
        if receipt.kind == "created"
            && receipt.to.as_ref() == Some(&to)
            && let Some(message) = &receipt.message
        {
            let first = accepted.entry(message.as_str()).or_insert(receipt.received_ms);
            *first = receipt.received_ms.min(*first);
        }
    }
    let mut wrong = Vec::new();
    for (first, copies) in here {
        let (Some(earlier), Some(copy)) = (scene.said.get(*first), copies.first()) else { continue };
        // A reply may have waited for its root while others went on.
        let Some(accepted_ms) = accepted.get(earlier.id.as_str()).filter(|_| earlier.root.is_none()) else {
            continue;
        };
        for (second, others) in here.range(first + 1..) {
            let (Some(later), Some(other)) = (scene.said.get(*second), others.first()) else { continue };
            if later.channel == earlier.channel && *accepted_ms < later.at_ms && other.place < copy.place {
                wrong.push(format!("note {second:03} stands before note {first:03} in {}", name(channel)));
            }
        }
    }
    wrong
}

/// Messages of the gateway, by the message that they are copies of.
fn copies(messages: &[Shown]) -> Here<'_> {
    let mut found = Here::new();
    for (place, shown) in messages.iter().enumerate().filter(|(_, shown)| shown.ours) {
        let Some(number) = numbered(shown) else { continue };
        let of = found.entry(number).or_default();
        let list = if shown.files.is_empty() { &mut of.texts } else { &mut of.files };
        list.push(Copy { shown, place });
    }
    found
}
