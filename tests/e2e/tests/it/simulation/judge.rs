//! Whether what the platforms hold in the end is what the gateway promised.

use std::collections::BTreeMap;

use dragoman_model::codes;
use dragoman_sim::core::LogKind;
use dragoman_store::{LaneId, Receipt};

use super::machine::conversation;
use super::platforms::{CHANNELS, Shown, key};
use super::stage::{Said, Scene, text};

/// A copy at a target.
struct Copy<'a> {
    id: &'a str,
    root: Option<&'a str>,
    text: &'a str,
    /// Where it stands among the others.
    place: usize,
}

fn name(channel: usize) -> String {
    format!("{} {channel}", CHANNELS[channel].platform)
}

/// Everything that is wrong; empty when nothing is.
pub(super) fn judge(scene: &Scene) -> Vec<String> {
    let mut wrong: Vec<String> = scene.problem.iter().cloned().collect();
    let copies: Vec<BTreeMap<usize, Vec<Copy<'_>>>> =
        scene.messages.iter().map(|messages| copies(messages)).collect();
    for (number, said) in scene.said.iter().enumerate() {
        for (channel, here) in copies.iter().enumerate() {
            let found = here.get(&number).map_or(&[][..], Vec::as_slice);
            let at = format!("note {number:03} ({}) of {} in {}", said.id, name(said.channel), name(channel));
            if channel == said.channel {
                if !found.is_empty() {
                    wrong.push(format!("{at}: came back, {} times", found.len()));
                }
            } else if let Some(fault) = fault(scene, said, number, found, here, channel) {
                wrong.push(format!("{at}: {fault}"));
            }
        }
    }
    for (channel, here) in copies.iter().enumerate() {
        wrong.extend(inversions(scene, here, channel));
    }
    wrong.extend(broken_promises(scene));
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
    found: &[Copy<'_>],
    here: &BTreeMap<usize, Vec<Copy<'_>>>,
    channel: usize,
) -> Option<String> {
    let reported = is_reported(scene, said, channel);
    if said.deleted {
        return (!found.is_empty() && !reported).then(|| "deleted, but still there".to_owned());
    }
    match found {
        [] if reported => None,
        [] => Some("lost".to_owned()),
        [copy] => {
            if !copy.text.contains(&text(number, said.revision)) && !reported {
                return Some(format!("shows an old text, not revision {}", said.revision));
            }
            let root = here.get(&said.root?)?.first()?;
            let root_is_there = !scene.said[said.root?].deleted;
            (root_is_there && copy.root != Some(root.id)).then(|| "left its thread".to_owned())
        }
        more => Some(format!("there {} times", more.len())),
    }
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
fn is_reported(scene: &Scene, said: &Said, channel: usize) -> bool {
    let lane = LaneId::Conversation(conversation(channel));
    scene.dead.iter().any(|dead| {
        dead.lane == lane && dead.event.message.as_ref().is_some_and(|message| message.as_str() == said.id)
    })
}

/// Messages of one channel that stand the wrong way round: the second was written when the first had been
/// accepted already.
fn inversions(scene: &Scene, here: &BTreeMap<usize, Vec<Copy<'_>>>, channel: usize) -> Vec<String> {
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
        let (Some(earlier), [copy]) = (scene.said.get(*first), &copies[..]) else { continue };
        // A reply may have waited for its root while others went on.
        let Some(accepted_ms) = accepted.get(earlier.id.as_str()).filter(|_| earlier.root.is_none()) else {
            continue;
        };
        for (second, others) in here.range(first + 1..) {
            let (Some(later), [other]) = (scene.said.get(*second), &others[..]) else { continue };
            if later.channel == earlier.channel && *accepted_ms < later.at_ms && other.place < copy.place {
                wrong.push(format!("note {second:03} stands before note {first:03} in {}", name(channel)));
            }
        }
    }
    wrong
}

/// Messages of the gateway, by the note that they show.
fn copies(messages: &[Shown]) -> BTreeMap<usize, Vec<Copy<'_>>> {
    let mut found: BTreeMap<usize, Vec<Copy<'_>>> = BTreeMap::new();
    for (place, shown) in messages.iter().enumerate().filter(|(_, shown)| shown.ours) {
        let text = shown.text.as_str();
        let number = text.split("note ").nth(1).and_then(|rest| rest.get(..3)).and_then(|n| n.parse().ok());
        let Some(number) = number else { continue };
        let copy = Copy { id: &shown.id, root: shown.root.as_deref(), text, place };
        found.entry(number).or_default().push(copy);
    }
    found
}
