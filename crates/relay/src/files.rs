//! Files of a message: which are posted, which become lines, which copies go. Pure.
//!
//! Every file is a part of its own, numbered from [`FILES_AT`], whatever the text beside it goes through. A copy is tied
//! to its file by a keyed digest of the source's id, so that an edit leaves alone what did not change.

use std::collections::BTreeMap;

use dragoman_model::{
    Capabilities, Code, Document, Feature, FileRef, Level, Marker, Operation, Post, Spokesman, codes,
};
use dragoman_store::CopyRow;

use crate::plan::{STRIDE, Step, delete_step, file_line};
use crate::policy::FilePolicy;

/// Parts from here to the next correction's are files.
pub(crate) const FILES_AT: u32 = 500;

/// Whether a part is a file, or the line in the place of one.
pub(crate) fn is_file(part: u32) -> bool {
    part % STRIDE >= FILES_AT
}

/// Who posts the files of a message that stands in somebody's name. What the target does not take from them the app
/// posts, where its own `level` is above a line: a text may be theirs already, and its files need not become lines.
pub(crate) fn carrier(level: Level, spokesman: &Spokesman, voiceless: bool) -> Spokesman {
    if voiceless && level >= Level::Partial {
        return Spokesman::App;
    }
    spokesman.clone()
}

/// What a target takes.
pub(crate) struct Bounds<'a> {
    /// How well files arrive there.
    pub level: Level,
    /// The largest one, in bytes.
    pub max_bytes: Option<u64>,
    /// What the organisation keeps back.
    pub policy: &'a FilePolicy,
}

impl<'a> Bounds<'a> {
    /// Of a target, for what stands in somebody's name.
    pub(crate) fn of(capabilities: &Capabilities, spokesman: &Spokesman, policy: &'a FilePolicy) -> Self {
        let level = match spokesman {
            Spokesman::App => capabilities.level(Feature::File),
            Spokesman::Person(_) => capabilities.own_level(Feature::File),
        };
        let max_bytes = [capabilities.max_file_bytes, policy.max_bytes].into_iter().flatten().min();
        Self { level, max_bytes, policy }
    }

    /// Why a file is not posted; `None`: it is. `stated` are the media types that it is said to have, `begin` is how it
    /// begins, as far as that is known.
    pub(crate) fn objection(
        &self,
        name: &str,
        stated: &[&str],
        begin: &[u8],
        size: Option<u64>,
    ) -> Option<Code> {
        if self.level < Level::Partial {
            Some(codes::SIMPLIFIED)
        } else if self.policy.denies(name, stated, begin) {
            Some(codes::FILE_FORBIDDEN)
        } else if self.max_bytes.zip(size).is_some_and(|(most, size)| size > most) {
            Some(codes::FILE_TOO_LARGE)
        } else {
            None
        }
    }
}

/// The longest name that every platform takes, in characters.
const LONGEST_NAME: usize = 120;
/// The longest ending that a name which is cut keeps, with its dot, in characters.
const LONGEST_ENDING: usize = 16;
/// Endings of pictures by media type.
const PICTURES: [(&str, &str); 6] = [
    ("image/png", "png"),
    ("image/jpeg", "jpg"),
    ("image/gif", "gif"),
    ("image/webp", "webp"),
    ("image/bmp", "bmp"),
    ("image/heic", "heic"),
];

/// A file's name as it is posted: with the ending of its kind, since pasted pictures have none and clients would not show
/// them as such; cut here, so that what is judged and looked for is what stands there.
pub(crate) fn shown_name(name: &str, media_type: Option<&str>) -> String {
    let has_ending = name.rsplit_once('.').is_some_and(|(stem, end)| {
        !stem.is_empty()
            && (1..=5).contains(&end.len())
            && end.bytes().all(|byte| byte.is_ascii_alphanumeric())
    });
    let kind = media_type.and_then(|kind| kind.split(';').next()).map_or("", str::trim);
    let end = PICTURES.iter().find(|(known, _)| known.eq_ignore_ascii_case(kind)).filter(|_| !has_ending);
    let name = end.map_or_else(|| name.to_owned(), |(_, end)| format!("{name}.{end}"));
    let signs: Vec<char> = name.chars().collect();
    if signs.len() <= LONGEST_NAME {
        return name;
    }
    let ending = signs.iter().rposition(|sign| *sign == '.').filter(|at| signs.len() - at <= LONGEST_ENDING);
    let ending = &signs[ending.unwrap_or(signs.len())..];
    signs[..LONGEST_NAME - ending.len()].iter().chain(ending).collect()
}

/// A file that gets a part.
pub(crate) struct Item {
    file: FileRef,
    key: String,
    part: u32,
    /// Why a line is posted instead.
    reason: Option<Code>,
}

/// What becomes of the files of a message.
#[derive(Default)]
pub(crate) struct Cargo {
    /// Lines of the text.
    pub lines: Vec<(FileRef, Code)>,
    /// To be posted.
    pub new: Vec<Item>,
    /// Copies of files that the message has no more.
    pub gone: Vec<CopyRow>,
}

/// Sorts files, given with their keys, by what is there already. `barred` holds those that an attempt showed not to
/// pass.
pub(crate) fn sort(
    files: Vec<(FileRef, String)>,
    copies: &[CopyRow],
    bounds: &Bounds<'_>,
    barred: &BTreeMap<String, Code>,
) -> Cargo {
    let mut cargo = Cargo::default();
    let mut there: Vec<&CopyRow> = copies.iter().filter(|copy| is_file(copy.part)).collect();
    let mut free = (FILES_AT..STRIDE).filter(|part| !copies.iter().any(|copy| copy.part == *part));
    for (file, key) in files {
        if let Some(at) = there.iter().position(|copy| copy.file.as_ref() == Some(&key)) {
            there.remove(at);
            continue;
        }
        if let Some(reason) =
            bounds.objection(&file.name, file.media_type.as_deref().as_slice(), &[], file.size)
        {
            cargo.lines.push((file, reason));
            continue;
        }
        match free.next() {
            Some(part) => {
                let reason = barred.get(&key).copied();
                cargo.new.push(Item { file, key, part, reason });
            }
            None => cargo.lines.push((file, codes::SIMPLIFIED)),
        }
    }
    cargo.gone = there.into_iter().cloned().collect();
    cargo
}

impl Cargo {
    /// What a part that offered a file becomes: the file, or a line that gives the `reason` why it does not come.
    pub(crate) fn answered(file: FileRef, key: String, part: u32, reason: Option<Code>) -> Self {
        Self { new: vec![Item { file, key, part, reason }], ..Self::default() }
    }

    /// The parts that need a marker.
    pub(crate) fn parts(&self) -> Vec<u32> {
        self.new.iter().map(|item| item.part).collect()
    }

    /// Why files are lines in parts of their own.
    pub(crate) fn notes(&self) -> Vec<Code> {
        self.new.iter().filter_map(|item| item.reason).collect()
    }

    /// The steps, to be done after those of the text. `post` gives everything but body and marker, and the `carrier` is
    /// who posts what is more than a line.
    pub(crate) fn steps(self, post: &Post, carrier: &Spokesman, marker: &dyn Fn(u32) -> Marker) -> Vec<Step> {
        let mut steps = Vec::new();
        for Item { file, key, part, reason } in self.new {
            let blocks = reason.map(|reason| file_line(&file, reason)).into_iter().collect();
            let post = Post {
                conversation: post.conversation.clone(),
                thread_root: post.thread_root.clone(),
                broadcast: false,
                author: post.author.clone(),
                spokesman: if reason.is_none() { carrier } else { &post.spokesman }.clone(),
                body: Document { blocks },
                marker: marker(part),
            };
            let freight = Some(file).filter(|_| reason.is_none());
            steps.push(Step { file: Some(key), freight, ..Step::new(Operation::Post(post), part) });
        }
        steps.extend(self.gone.iter().map(|copy| delete_step(&post.conversation, copy)));
        steps
    }
}

/// Whether a file that was found is one that was posted: platforms tidy names up, and number those that they have
/// already.
pub(crate) fn is_alike(found: &str, name: &str) -> bool {
    let kinds = PICTURES.iter().map(|(kind, _)| Some(*kind));
    kinds.chain([None]).any(|kind| is_same(found, &shown_name(name, kind)))
}

fn is_same(found: &str, name: &str) -> bool {
    let plain = |name: &str| -> (String, String) {
        let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
        let letters = |text: &str| text.chars().filter(|sign| sign.is_alphanumeric()).collect::<String>();
        (letters(stem).to_lowercase(), letters(extension).to_lowercase())
    };
    let ((found, found_kind), (name, kind)) = (plain(found), plain(name));
    found_kind == kind
        && found
            .strip_prefix(name.as_str())
            .is_some_and(|rest| rest.chars().all(|sign| sign.is_ascii_digit()))
}

#[cfg(test)]
#[path = "files/tests.rs"]
mod tests;
