//! Planning: message, author, mentions and the target's capabilities in; operations and degradations out.
//! Pure; all product decisions about what a copy looks like are here.

use std::collections::BTreeMap;

use dragoman_model::{
    Block, Capabilities, Code, Destination, Document, Feature, FileRef, Inline, Level, Marker, Mention,
    Message, Operation, Post, RemoteConversation, RemoteMessage, ShownAuthor, Spokesman, codes,
};
use dragoman_store::CopyRow;

use crate::files::FILES_AT;
use crate::links::{Links, rewrite};

/// What mentions become at the target, by [`mention_key`].
pub(crate) type Mentions = BTreeMap<String, Inline>;

/// Where a reply goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Root {
    /// It is no reply.
    None,
    /// Into this thread.
    At(RemoteMessage),
    /// Its root has no copy there and will not get one.
    Lost,
}

/// Everything a copy is made from.
pub(crate) struct Scene<'a> {
    /// The message at its source.
    pub message: &'a Message,
    /// Its author, as shown.
    pub author: &'a ShownAuthor,
    /// What its mentions become.
    pub mentions: &'a Mentions,
    /// What addresses of messages become.
    pub links: &'a Links,
    /// The address of the message that it points to in words, because it cannot stand in its thread.
    pub pointed: Option<String>,
    /// The target.
    pub target: &'a RemoteConversation,
    /// What it can carry.
    pub capabilities: &'a Capabilities,
    /// Where it goes.
    pub root: Root,
    /// The copy that it corrects.
    pub corrects: Option<RemoteMessage>,
    /// In whose name it stands.
    pub spokesman: Spokesman,
    /// Files that become lines of its text, each with the reason.
    pub lines: &'a [(FileRef, Code)],
}

/// One thing to do, for one part of the copy.
pub(crate) struct Step {
    /// What.
    pub operation: Operation,
    /// Which part.
    pub part: u32,
    /// The key of the file that this part stands for.
    pub file: Option<String>,
    /// The file to post with it.
    pub freight: Option<FileRef>,
    /// Where its reader lets it be put.
    pub destination: Option<Destination>,
    /// What lies beside the copy that is deleted, and goes first.
    pub beside: Option<String>,
}

impl Step {
    /// A step for a part that stands for no file.
    pub(crate) fn new(operation: Operation, part: u32) -> Self {
        Self { operation, part, file: None, freight: None, destination: None, beside: None }
    }
}

/// The names of the distinct mentions of a text.
pub(crate) fn mentions_of(body: &Document) -> Vec<Mention> {
    let mut found: BTreeMap<String, Mention> = BTreeMap::new();
    body.visit_inlines(&mut |inline| {
        if let Inline::Mention(mention) = inline {
            found.entry(mention_key(mention)).or_insert_with(|| mention.clone());
        }
    });
    found.into_values().collect()
}

/// A key that is equal for mentions of the same thing.
pub(crate) fn mention_key(mention: &Mention) -> String {
    match mention {
        Mention::Person { id, .. } => format!("p:{id}"),
        Mention::Conversation { id, .. } => format!("c:{id}"),
        Mention::Everyone => "e".to_owned(),
        Mention::Here => "h".to_owned(),
        Mention::Group { id, .. } => format!("g:{id}"),
    }
}

/// The message at the target that a copy points to in words, because it cannot stand in its thread.
pub(crate) fn pointed<'a>(
    root: &'a Root,
    corrects: Option<&'a RemoteMessage>,
    capabilities: &Capabilities,
) -> Option<&'a RemoteMessage> {
    let root = match root {
        Root::At(root) => Some(root),
        Root::None | Root::Lost => None,
    };
    corrects.or(root).filter(|_| capabilities.level(Feature::ThreadReply) < Level::Partial)
}

/// The message as it will stand at the target, and what was simplified on the way.
pub(crate) fn compose(scene: &Scene<'_>) -> (Post, Vec<Code>) {
    let mut notes = degradations(&scene.message.body, scene.capabilities, &scene.spokesman);
    let mut body = scene.message.body.clone().map_inlines(&mut |inline| match inline {
        Inline::Mention(mention) => scene
            .mentions
            .get(&mention_key(&mention))
            .cloned()
            .unwrap_or_else(|| Inline::Text(plain_mention(&mention))),
        other => other,
    });
    body = rewrite(body, scene.links);
    for (file, reason) in scene.lines {
        body.blocks.push(file_line(file, *reason));
        notes.push(*reason);
    }
    let threads = scene.capabilities.level(Feature::ThreadReply) >= Level::Partial;
    let mut say = |words: &str| {
        let words = match (&scene.pointed, words.split_once("an earlier message")) {
            (Some(url), Some((before, after))) => {
                let text = vec![Inline::Text("an earlier message".to_owned())];
                let (before, after) = (before.to_owned(), after.to_owned());
                vec![Inline::Text(before), Inline::Link { url: url.clone(), text }, Inline::Text(after)]
            }
            _ => vec![Inline::Text(words.to_owned())],
        };
        let note = Inline::Emphasis(words);
        body.blocks.insert(0, Block::Paragraph(vec![note]));
    };
    let thread_root = match (&scene.corrects, &scene.root) {
        (Some(copy), _) => {
            say(if threads { "corrected version:" } else { "corrected version of an earlier message:" });
            notes.push(codes::NOT_EDITABLE);
            Some(copy.clone()).filter(|_| threads)
        }
        (None, Root::At(root)) if threads => Some(root.clone()),
        (None, Root::None) => None,
        (None, Root::At(_) | Root::Lost) => {
            say("in reply to an earlier message:");
            notes.push(codes::SIMPLIFIED);
            None
        }
    };
    let wanted = scene.message.broadcast && scene.corrects.is_none();
    let broadcast = wanted && scene.capabilities.level(Feature::Broadcast) >= Level::Partial;
    if wanted && !broadcast {
        notes.push(codes::SIMPLIFIED);
    }
    notes.sort_unstable();
    notes.dedup();
    let post = Post {
        conversation: scene.target.clone(),
        thread_root,
        broadcast,
        author: scene.author.clone(),
        spokesman: scene.spokesman.clone(),
        body: body.normalise(),
        marker: Marker::new(""),
    };
    (post, notes)
}

/// Parts are numbered through from here for every correction: the first has 1000 and the following, the second 2000.
pub(crate) const STRIDE: u32 = 1_000;

/// Which correction of a copy a part belongs to; 0 is the copy itself.
pub(crate) fn generation(copy: &CopyRow) -> u32 {
    copy.part / STRIDE
}

/// The number of the first part of a correction.
pub(crate) fn first_part(generation: u32) -> u32 {
    generation.saturating_mul(STRIDE)
}

/// Whether a change goes into what the target shows already, which is the last correction or the copy itself, or has to
/// be posted as the next correction. `existing` is what is mapped, `done` what this leg did so far, `refused` whether
/// the target said that it takes no edit.
pub(crate) fn revision(existing: &[CopyRow], done: &[CopyRow], max_edits: Option<u32>, refused: bool) -> u32 {
    let latest = existing.iter().chain(done).map(generation).max().unwrap_or(0);
    let is_done = |part: u32| done.iter().any(|copy| copy.part == part);
    let begun = done
        .iter()
        .any(|copy| generation(copy) == latest && !existing.iter().any(|known| known.part == copy.part));
    let mut shown = existing.iter().filter(|copy| generation(copy) == latest).peekable();
    if begun || shown.peek().is_none() {
        return latest;
    }
    let spent = |copy: &CopyRow| max_edits.is_some_and(|most| copy.edits >= most && !is_done(copy.part));
    if refused || shown.any(spent) { latest + 1 } else { latest }
}

/// The message whose thread corrections of a copy go into.
pub(crate) fn corrected(existing: &[CopyRow]) -> Option<RemoteMessage> {
    let first = existing.iter().min_by_key(|copy| copy.part)?;
    Some(first.thread_root.clone().unwrap_or_else(|| first.message.clone()))
}

/// The steps that bring a copy of `existing` parts, all of one generation that begins with `first`, to these bodies:
/// edits first, then what is new, then what is too many. `post` gives everything but body and marker; `marker` makes
/// the marker of a part.
pub(crate) fn steps(
    post: &Post,
    bodies: Vec<Document>,
    existing: &[CopyRow],
    first: u32,
    marker: &dyn Fn(u32) -> Marker,
) -> Vec<Step> {
    let end = u32::try_from(bodies.len()).unwrap_or(u32::MAX).min(FILES_AT) + first;
    let mut steps = Vec::new();
    for (part, body) in (first..end).zip(bodies) {
        // Not a clone of `post`: its body is the whole text.
        let mut post = Post {
            conversation: post.conversation.clone(),
            thread_root: post.thread_root.clone(),
            broadcast: post.broadcast && part == first,
            author: post.author.clone(),
            spokesman: post.spokesman.clone(),
            body,
            marker: marker(part),
        };
        let operation = match existing.iter().find(|copy| copy.part == part) {
            Some(copy) => {
                post.thread_root.clone_from(&copy.thread_root);
                post.spokesman = spokesman(&copy.spokesman);
                Operation::Edit { message: copy.message.clone(), post }
            }
            None => Operation::Post(post),
        };
        steps.push(Step::new(operation, part));
    }
    for copy in existing.iter().filter(|copy| copy.part >= end) {
        steps.push(delete_step(&post.conversation, copy));
    }
    steps
}

/// The steps that delete a copy, its corrections before it.
pub(crate) fn deletions(target: &RemoteConversation, existing: &[CopyRow]) -> Vec<Step> {
    existing.iter().rev().map(|copy| delete_step(target, copy)).collect()
}

pub(crate) fn delete_step(target: &RemoteConversation, copy: &CopyRow) -> Step {
    let operation = Operation::Delete {
        conversation: target.clone(),
        message: copy.message.clone(),
        thread_root: copy.thread_root.clone(),
        spokesman: spokesman(&copy.spokesman),
    };
    Step { beside: copy.beside.clone(), ..Step::new(operation, copy.part) }
}

/// Reads the stored word.
pub(crate) fn spokesman(word: &str) -> Spokesman {
    if word == "app" { Spokesman::App } else { Spokesman::Person(word.into()) }
}

/// The stored word.
pub(crate) fn spokesman_word(spokesman: &Spokesman) -> String {
    match spokesman {
        Spokesman::App => "app".to_owned(),
        Spokesman::Person(person) => person.to_string(),
    }
}

/// A mention as text.
pub(crate) fn plain_mention(mention: &Mention) -> String {
    let named = |sign: &str, name: &str, nameless: &str| {
        if name.is_empty() {
            format!("{sign}{nameless}")
        } else {
            format!("{sign}{}", dragoman_markup::name::neutralise(name))
        }
    };
    match mention {
        Mention::Person { name, .. } => named("@", name, "somebody"),
        Mention::Conversation { name, .. } => named("#", name, "channel"),
        Mention::Group { name, .. } => named("@", name, "group"),
        Mention::Everyone => "@everyone".to_owned(),
        Mention::Here => "@here".to_owned(),
    }
}

/// The line that stands in the place of a file.
pub(crate) fn file_line(file: &FileRef, reason: Code) -> Block {
    let size = file.size.map(|size| format!(" ({})", readable_size(size))).unwrap_or_default();
    let name = if file.name.is_empty() { "file".to_owned() } else { file.name.clone() };
    let mut line = vec![Inline::Text("📎 ".to_owned())];
    match &file.permalink {
        Some(url) => line.push(Inline::Link { url: url.clone(), text: vec![Inline::Text(name)] }),
        None => line.push(Inline::Text(name)),
    }
    if !size.is_empty() {
        line.push(Inline::Text(size));
    }
    let words = match reason {
        codes::FILE_TOO_LARGE => ": too large to be posted here",
        codes::FILE_FORBIDDEN => ": kept back by a rule",
        codes::FILE_EMPTY => ": it is empty",
        codes::FILE_GONE => ": could not be fetched",
        codes::FILE_REFUSED => ": not accepted here",
        _ => "",
    };
    if !words.is_empty() {
        line.push(Inline::Text(words.to_owned()));
    }
    Block::Paragraph(line)
}

fn readable_size(bytes: u64) -> String {
    let (unit, name) = match bytes {
        0..1_000 => return format!("{bytes} B"),
        1_000..1_000_000 => (1_000, "kB"),
        1_000_000..1_000_000_000 => (1_000_000, "MB"),
        _ => (1_000_000_000, "GB"),
    };
    let tenths = bytes * 10 / unit;
    format!("{}.{} {name}", tenths / 10, tenths % 10)
}

/// What edits lose where the target takes the bare text of one: the sender is told.
pub(crate) fn lost_by_edits(steps: &[Step], capabilities: &Capabilities) -> Option<Code> {
    if capabilities.level(Feature::Edit) != Level::Partial {
        return None;
    }
    let formatted = steps.iter().any(|step| match &step.operation {
        Operation::Edit { post, .. } => is_formatted(&post.body),
        _ => false,
    });
    formatted.then_some(codes::SIMPLIFIED)
}

fn is_formatted(body: &Document) -> bool {
    let mut formatted = body.blocks.iter().any(|block| !matches!(block, Block::Paragraph(_) | Block::Rule));
    body.visit_inlines(&mut |inline| {
        let plain =
            matches!(inline, Inline::Text(_) | Inline::Emoji(_) | Inline::Date { .. } | Inline::Break);
        formatted |= !plain;
    });
    formatted
}

fn degradations(body: &Document, capabilities: &Capabilities, spokesman: &Spokesman) -> Vec<Code> {
    let mut notes = Vec::new();
    let mut need = |feature: Feature| {
        let level = match spokesman {
            Spokesman::App => capabilities.level(feature),
            Spokesman::Person(_) => capabilities.own_level(feature),
        };
        if level < Level::Partial {
            notes.push(codes::SIMPLIFIED);
        }
    };
    for block in &body.blocks {
        features_of(block, &mut need);
    }
    body.visit_inlines(&mut |inline| {
        if let Inline::Mention(Mention::Everyone | Mention::Here) = inline {
            need(Feature::MentionEveryone);
        }
    });
    notes
}

fn features_of(block: &Block, need: &mut dyn FnMut(Feature)) {
    match block {
        Block::Heading { .. } => need(Feature::Headings),
        Block::Code { .. } => need(Feature::Code),
        Block::Table { .. } => need(Feature::Tables),
        Block::Unsupported { .. } => need(Feature::Card),
        Block::Quote(blocks) => blocks.iter().for_each(|block| features_of(block, need)),
        Block::List { items, .. } => {
            items.iter().flat_map(|item| &item.blocks).for_each(|block| features_of(block, need));
        }
        Block::Paragraph(_) | Block::Rule => {}
    }
}

#[cfg(test)]
#[path = "plan/tests.rs"]
mod tests;
