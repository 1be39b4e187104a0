//! Files that this process uploaded: what is on its way into a conversation, and what comes back as an echo.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use dragoman_model::{FileRef, Marker};

/// How many are remembered; the oldest go first. An upload is on its way for seconds.
const MOST: usize = 1_024;

/// An upload that was completed, or may have been.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Sent {
    /// Of which post.
    pub(crate) marker: Marker,
    /// Slack's id of the file.
    pub(crate) file: String,
    /// When, milliseconds on a clock that never goes backwards.
    pub(crate) at_ms: i64,
}

/// What was uploaded. Ids only.
#[derive(Default)]
pub(crate) struct Uploads(Mutex<Known>);

#[derive(Default)]
struct Known {
    sent: VecDeque<Sent>,
    order: VecDeque<String>,
    ours: BTreeSet<String>,
}

impl Uploads {
    /// Registers a file as ours, as soon as Slack named it: its event can be there before any answer.
    pub(crate) fn register(&self, file: &str) {
        let mut known = self.known();
        if known.ours.insert(file.to_owned()) {
            known.order.push_back(file.to_owned());
        }
        if known.order.len() > MOST
            && let Some(oldest) = known.order.pop_front()
        {
            known.ours.remove(&oldest);
        }
    }

    /// Whether one of these files is ours.
    pub(crate) fn hold_any(&self, files: &[FileRef]) -> bool {
        let known = self.known();
        files.iter().any(|file| known.ours.contains(&file.id))
    }

    /// Remembers that a file is on its way into a conversation.
    pub(crate) fn sent(&self, marker: &Marker, file: &str, at_ms: i64) {
        let mut known = self.known();
        known.sent.push_back(Sent { marker: marker.clone(), file: file.to_owned(), at_ms });
        if known.sent.len() > MOST {
            known.sent.pop_front();
        }
    }

    /// The file is where it belongs, or will never be there.
    pub(crate) fn settled(&self, file: &str) {
        self.known().sent.retain(|sent| sent.file != file);
    }

    /// What is on its way for a post, oldest first.
    pub(crate) fn pending(&self, marker: &Marker) -> Vec<Sent> {
        self.known().sent.iter().filter(|sent| sent.marker == *marker).cloned().collect()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Every change is whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_on_its_way_is_known_until_it_is_settled() {
        let uploads = Uploads::default();
        let marker = Marker::from("m");
        uploads.sent(&marker, "F1", 1);
        uploads.sent(&Marker::from("n"), "F2", 2);
        assert_eq!(
            uploads.pending(&marker).iter().map(|sent| sent.file.as_str()).collect::<Vec<_>>(),
            ["F1"]
        );
        uploads.settled("F1");
        assert_eq!(uploads.pending(&marker), []);
    }

    #[test]
    fn our_files_are_recognised_and_the_oldest_forgotten() {
        let uploads = Uploads::default();
        let file =
            |id: String| FileRef { id, name: String::new(), media_type: None, size: None, permalink: None };
        for number in 0..=MOST {
            uploads.register(&format!("F{number}"));
        }
        assert!(uploads.hold_any(&[file("X".to_owned()), file(format!("F{MOST}"))]));
        assert!(!uploads.hold_any(&[file("F0".to_owned())]) && !uploads.hold_any(&[]));
    }
}
