//! What all sides show, compared with what was said.

use std::collections::BTreeMap;

use e2e::Seen;

use super::talk::{Read, Talk, mark, state};

impl Talk {
    pub(super) async fn compare(&self) -> Result<(), String> {
        let mut shown = Vec::new();
        for side in 0..self.sides() {
            let mut reads = Vec::new();
            for seen in self.side(side).read().await.map_err(|error| format!("{error:#}"))? {
                reads.push(self.opened(side, seen).await.map_err(|error| format!("{error:#}"))?);
            }
            shown.push(reads);
        }
        let mut wrong = Vec::new();
        for (side, reads) in shown.iter().enumerate() {
            self.compare_side(side, &shown, reads, &mut wrong);
            self.compare_reactions(side, reads, &mut wrong);
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
    }

    /// What people take for a message on a side.
    fn main<'a>(&self, side: usize, reads: &'a [Read], index: usize) -> Option<&'a Read> {
        let said = &self.said[index];
        reads.iter().find(|read| match (said.side == side, said.wordless) {
            (true, _) => read.seen.id == said.id,
            (false, true) => read.brings(index),
            (false, false) => read.says(index),
        })
    }

    fn compare_side(&self, side: usize, shown: &[Vec<Read>], reads: &[Read], wrong: &mut Vec<String>) {
        let name = self.name(side);
        let bridge = self.bridge(side);
        // What stands in a thread has its order there: a reply may wait for its root beside what comes later. Between
        // conversations there is no order but that of their events.
        let mut last: BTreeMap<(usize, Option<usize>), (usize, usize)> = BTreeMap::new();
        for (index, said) in self.said.iter().enumerate() {
            let texts: Vec<&Read> = reads.iter().filter(|read| read.says(index)).collect();
            let files: Vec<&Read> = reads.iter().filter(|read| read.brings(index)).collect();
            if self.bridge(said.side) != bridge {
                if !texts.is_empty() || !files.is_empty() {
                    wrong.push(format!("{} strayed to {name}", mark(index)));
                }
                continue;
            }
            let text = usize::from(!said.deleted && !said.wordless);
            let file = usize::from(!said.deleted && said.file.is_some());
            if (texts.len(), files.len()) != (text, file) {
                wrong.push(format!(
                    "{} stands {} times at {name}, not {text}, its file {} times, not {file}",
                    mark(index),
                    texts.len(),
                    files.len()
                ));
                continue;
            }
            let bytes = files.first().and_then(|read| read.files.first()).map(|(_, bytes)| bytes);
            if !said.deleted && bytes != said.file.as_ref() {
                let count = bytes.map_or(0, Vec::len);
                wrong.push(format!("the file of {} at {name} has {count} other bytes", mark(index)));
            }
            if let Some(text) = texts.first()
                && !text.seen.markup.contains(&state(index, said.version))
            {
                wrong.push(format!("{} at {name} is not version {}", mark(index), said.version));
            }
            let Some(found) = texts.first().or(files.first()) else { continue };
            if said.side == side {
                continue;
            }
            let root = said.root.and_then(|root| self.main(side, &shown[side], root));
            let root = root.map(|root| root.seen.id.clone());
            // Where a root is gone, so is what it would be compared with.
            let root_gone = said.root.is_some_and(|root| self.said[root].deleted);
            if found.seen.thread_root != root && !root_gone {
                wrong.push(format!(
                    "{} at {name} stands in thread {:?}, not {root:?}",
                    mark(index),
                    found.seen.thread_root
                ));
            }
            let place = reads.iter().position(|other| other.seen.id == found.seen.id).unwrap_or_default();
            if let Some((before, at)) = last.insert((said.side, said.root), (index, place))
                && at > place
            {
                wrong.push(format!("{} stands before {} at {name}", mark(index), mark(before)));
            }
        }
        let ours = |read: &Read| (0..self.said.len()).any(|index| read.says(index) || read.brings(index));
        for stray in reads.iter().filter(|read| !ours(read) && !self.is_notice(side, &read.seen)) {
            if !is_note(&stray.seen) {
                wrong.push(format!("nobody said {} at {name}: {}", stray.seen.id, stray.seen.markup));
            }
        }
    }

    /// Every reaction stands where it was made, one of ours wherever somebody else reacted, and one note beside it with
    /// the names of those.
    fn compare_reactions(&self, side: usize, reads: &[Read], wrong: &mut Vec<String>) {
        let name = self.name(side);
        let mut wanted = 0;
        for (index, said) in self.said.iter().enumerate() {
            if said.deleted || self.bridge(said.side) != self.bridge(side) {
                continue;
            }
            let Some(read) = self.main(side, reads, index) else { continue };
            let own = said.reactions.contains(&side);
            let others: Vec<usize> = said.reactions.iter().copied().filter(|it| *it != side).collect();
            if let Some(set) = reactions(self.platform(side), &read.seen) {
                let expected = usize::from(own) + usize::from(!others.is_empty());
                if set != expected {
                    wrong.push(format!("{} has {set} reactions at {name}, not {expected}", mark(index)));
                }
            }
            if others.is_empty() {
                continue;
            }
            wanted += 1;
            let root = read.seen.thread_root.as_ref().unwrap_or(&read.seen.id);
            let tells = |note: &Read| {
                let named = self
                    .members(self.bridge(side))
                    .filter(|of| note.seen.markup.contains(self.first_name(*of)));
                note.seen.thread_root.as_ref() == Some(root) && named.eq(others.iter().copied())
            };
            if !reads.iter().any(|read| is_note(&read.seen) && tells(read)) {
                wrong.push(format!("no note at {name} tells who reacts to {}", mark(index)));
            }
        }
        let notes = reads.iter().filter(|read| is_note(&read.seen)).count();
        if notes != wanted {
            wrong.push(format!("{notes} notes at {name}, not {wanted}"));
        }
    }
}

/// Whether it tells of reactions.
fn is_note(seen: &Seen) -> bool {
    seen.thread_root.is_some() && (seen.markup.contains('\u{1f389}') || seen.markup.contains(":tada:"))
}

/// How many reactions a message shows; `None`: the platform does not tell.
fn reactions(platform: &str, seen: &Seen) -> Option<usize> {
    let listed = seen.raw["reactions"].as_array().map_or(&[][..], Vec::as_slice);
    let counted = |key: &str| {
        let counts = listed.iter().map(|it| it[key].as_u64().unwrap_or(0));
        usize::try_from(counts.sum::<u64>()).ok()
    };
    match platform {
        "slack" => counted("count"),
        "teams" => Some(listed.len()),
        "zoom" => counted("total_count"),
        _ => None,
    }
}
