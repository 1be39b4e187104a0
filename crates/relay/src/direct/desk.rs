//! What the parts of this module share, in memory only: who is being served, what was said lately, how much somebody
//! asks for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use dragoman_model::OrgId;

use crate::leg::Place;

/// Entries of each table; a full one is forgotten as a whole.
const MOST: usize = 10_000;
/// A person's searches are counted for so long, in milliseconds.
const SEEK_MS: i64 = 10 * 60 * 1000;
/// People whom one person may look for in that time.
const MOST_SOUGHT: usize = 30;
/// A leg that others of its chat wait for is believed to be there still for so long after its time, in milliseconds.
const STALE_MS: i64 = 60_000;

/// What the parts of this module share.
#[derive(Default)]
pub(crate) struct Desk {
    acting: Mutex<BTreeMap<OrgId, Arc<tokio::sync::Mutex<()>>>>,
    said: Mutex<BTreeMap<String, i64>>,
    sought: Mutex<BTreeMap<String, (i64, usize)>>,
    waiting: Mutex<BTreeMap<String, (Place, i64)>>,
    obeyed: Mutex<BTreeSet<(String, String)>>,
}

impl Desk {
    /// What is held while something is done for people of an organisation.
    pub(crate) fn acting(&self, org: &OrgId) -> Arc<tokio::sync::Mutex<()>> {
        let mut acting = self.acting.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(acting.entry(org.clone()).or_default())
    }

    /// Whether something of this name was not said for so long. It counts as said now.
    pub(crate) fn is_due(&self, what: String, now_ms: i64, pause_ms: i64) -> bool {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.get(&what).is_some_and(|said_ms| now_ms < said_ms + pause_ms) {
            return false;
        }
        make_room(&mut said);
        said.insert(what, now_ms);
        true
    }

    /// Whether somebody may look for so many people more.
    pub(crate) fn may_seek(&self, who: &str, people: usize, now_ms: i64) -> bool {
        let mut sought = self.sought.lock().unwrap_or_else(PoisonError::into_inner);
        let (since_ms, count) =
            sought.get(who).copied().filter(|(since, _)| now_ms < since + SEEK_MS).unwrap_or((now_ms, 0));
        if count + people > MOST_SOUGHT {
            return false;
        }
        make_room(&mut sought);
        sought.insert(who.to_owned(), (since_ms, count + people));
        true
    }

    /// Remembers that a command of a chat was carried to its end in this life.
    pub(crate) fn obeyed(&self, chat: &str, request: &str) {
        let mut obeyed = self.obeyed.lock().unwrap_or_else(PoisonError::into_inner);
        if obeyed.len() >= MOST {
            obeyed.clear();
        }
        obeyed.insert((chat.to_owned(), request.to_owned()));
    }

    /// Whether it was, as far as that is remembered: nothing interrupted it then.
    pub(crate) fn is_obeyed(&self, chat: &str, request: &str) -> bool {
        let obeyed = self.obeyed.lock().unwrap_or_else(PoisonError::into_inner);
        obeyed.contains(&(chat.to_owned(), request.to_owned()))
    }

    /// What was said earlier in a chat waits until then, and what was said later with it.
    pub(crate) fn wait(&self, chat: &str, place: Place, until_ms: i64) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        make_room(&mut waiting);
        waiting.insert(chat.to_owned(), (place, until_ms));
    }

    /// Until when something waits for what was said before it in the same chat.
    pub(crate) fn waits(&self, chat: &str, place: Place, now_ms: i64) -> Option<i64> {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let (first, until_ms) = waiting.get(chat)?;
        (*first < place && now_ms < until_ms + STALE_MS).then(|| (*until_ms).max(now_ms + 100))
    }

    /// It does not wait any more.
    pub(crate) fn done(&self, chat: &str, place: Place) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.get(chat).is_some_and(|(first, _)| *first == place) {
            waiting.remove(chat);
        }
    }
}

fn make_room<V>(table: &mut BTreeMap<String, V>) {
    if table.len() >= MOST {
        table.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_person_looks_for_so_many_people_and_others_are_not_held_up() {
        let desk = Desk::default();
        for now_ms in 0..30 {
            assert!(desk.may_seek("ana", 1, now_ms));
        }
        assert!(!desk.may_seek("ana", 1, SEEK_MS - 1));
        assert!(desk.may_seek("bo", 30, SEEK_MS - 1) && !desk.may_seek("bo", 1, SEEK_MS));
        assert!(desk.may_seek("ana", 1, SEEK_MS));
    }

    #[test]
    fn what_is_said_later_in_a_chat_waits_with_what_failed() {
        let desk = Desk::default();
        desk.wait("ana", (2, 0), 500);
        assert_eq!(desk.waits("ana", (3, 0), 100), Some(500));
        assert_eq!(desk.waits("ana", (3, 0), 600), Some(700), "it may be about to run");
        assert_eq!(desk.waits("ana", (1, 0), 100), None, "that was said before");
        assert_eq!(desk.waits("ana", (2, 0), 100), None);
        assert_eq!(desk.waits("bo", (3, 0), 100), None);
        assert_eq!(desk.waits("ana", (3, 0), 500 + STALE_MS), None, "it is gone");
        desk.done("ana", (3, 0));
        assert!(desk.waits("ana", (3, 0), 100).is_some(), "only its own end counts");
        desk.done("ana", (2, 0));
        assert_eq!(desk.waits("ana", (3, 0), 100), None);
    }
}
