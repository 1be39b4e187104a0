//! What is remembered while the process runs: everything in here can be learnt again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dragoman_model::{InstallationId, RemoteConversation, RemoteMessage};
use dragoman_platform::TokenSlot;

use crate::ids;

/// Entries of each kind; at the limit all are forgotten.
const LIMIT: usize = 20_000;

/// How long a message that was announced and is not there may still come, in milliseconds of the monotonic clock:
/// regions lag behind each other.
const LAG_MS: i64 = 4_000;
/// How long a file may be looked through for malware before it is given up, in milliseconds of the monotonic clock.
const SCAN_MS: i64 = 60_000;

/// What the last look at an installation's webhooks found.
#[derive(Clone)]
pub(crate) struct Looked {
    /// When, on the monotonic clock.
    pub(crate) at_ms: i64,
    /// The id that watches of this installation carry.
    pub(crate) id: String,
}

/// The last look at an installation's webhooks; locked while somebody looks.
pub(crate) type Look = Arc<tokio::sync::Mutex<Option<Looked>>>;

/// The memory of one connector.
#[derive(Default)]
pub(crate) struct Memory(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    absent: BTreeMap<RemoteMessage, i64>,
    scanned: BTreeMap<String, i64>,
    roots: BTreeMap<String, String>,
    looks: BTreeMap<InstallationId, Look>,
    watched: BTreeMap<InstallationId, BTreeSet<RemoteConversation>>,
    lives: BTreeMap<(InstallationId, TokenSlot), i64>,
}

impl Memory {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Entries are inserted whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A message was not there. Whether to ask again.
    pub(crate) fn may_still_come(&self, message: &RemoteMessage, monotonic_ms: i64) -> bool {
        within(&mut self.lock().absent, message, monotonic_ms, LAG_MS)
    }

    /// A file is still being looked through. Whether to ask again.
    pub(crate) fn may_still_be_clean(&self, content: &str, monotonic_ms: i64) -> bool {
        within(&mut self.lock().scanned, content, monotonic_ms, SCAN_MS)
    }

    /// A reply was refused whose root is itself a reply, in the thread of `root`.
    pub(crate) fn learn_root(&self, message: &str, root: &str) {
        let mut inner = self.lock();
        bound(&mut inner.roots);
        inner.roots.insert(message.to_owned(), root.to_owned());
    }

    /// The root of the thread that a message is known to be a reply in.
    pub(crate) fn root(&self, message: &str) -> Option<String> {
        self.lock().roots.get(message).cloned()
    }

    /// It was there after all.
    pub(crate) fn came(&self, message: &RemoteMessage) {
        self.lock().absent.remove(message);
    }

    /// The last look at the webhooks of an installation.
    pub(crate) fn look(&self, installation: &InstallationId) -> Look {
        let mut inner = self.lock();
        bound(&mut inner.looks);
        inner.looks.entry(installation.clone()).or_default().clone()
    }

    /// A space is watched. How many of the installation are.
    pub(crate) fn watch(&self, installation: &InstallationId, room: &RemoteConversation) -> usize {
        let mut inner = self.lock();
        bound(&mut inner.watched);
        let rooms = inner.watched.entry(installation.clone()).or_default();
        rooms.insert(room.clone());
        rooms.len()
    }

    /// The watched space that goes on under this id; it is forgotten under the other.
    pub(crate) fn moved(
        &self,
        installation: &InstallationId,
        to: &RemoteConversation,
    ) -> Option<RemoteConversation> {
        let mut inner = self.lock();
        let rooms = inner.watched.get_mut(installation)?;
        let from = rooms.iter().find(|room| *room != to && ids::same(room.as_str(), to.as_str())).cloned()?;
        rooms.remove(&from);
        Some(from)
    }

    /// How long the tokens of an account live, in milliseconds, where a refresh has told.
    pub(crate) fn token_life_ms(&self, installation: &InstallationId, slot: &TokenSlot) -> Option<i64> {
        self.lock().lives.get(&(installation.clone(), slot.clone())).copied()
    }

    /// A refresh told how long the new token lives.
    pub(crate) fn learn_token_life(&self, installation: &InstallationId, slot: &TokenSlot, life_ms: i64) {
        let mut inner = self.lock();
        bound(&mut inner.lives);
        inner.lives.insert((installation.clone(), slot.clone()), life_ms);
    }
}

/// Whether less than `most_ms` passed since this was asked for the first time; after that it is forgotten.
fn within<K, Q>(map: &mut BTreeMap<K, i64>, key: &Q, now_ms: i64, most_ms: i64) -> bool
where
    K: Ord + std::borrow::Borrow<Q>,
    Q: Ord + ToOwned<Owned = K> + ?Sized,
{
    bound(map);
    let first_ms = *map.entry(key.to_owned()).or_insert(now_ms);
    let more = now_ms - first_ms < most_ms;
    if !more {
        map.remove(key);
    }
    more
}

fn bound<K, V>(map: &mut BTreeMap<K, V>) {
    if map.len() >= LIMIT {
        map.clear();
    }
}
