//! Posts that go out with a person's own token. They come back as that person's words, perhaps before the answer to
//! the post, and are told from what the person types by the ids that answers brought; until then events of that
//! person in that space wait. A post whose answer was lost is recognised by what it says.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lc_rs::hmac;
use dragoman_model::{Message, PersonId, Random, RemoteConversation, RemoteMessage, RemoteUser};
use tokio::sync::Notify;

/// Ids that are remembered; the relay's own map knows them for ever, a moment later.
const IDS: usize = 4_096;
/// Posts of unknown outcome that are remembered.
const DOUBTS: usize = 256;
/// The longest wait for an answer, longer than any call takes.
const PATIENCE: Duration = Duration::from_secs(35);

type Place = (RemoteConversation, RemoteUser);

/// What is known of posts in people's names.
pub(crate) struct Echoes {
    inner: Mutex<Inner>,
    landed: Notify,
    key: hmac::Key,
}

#[derive(Default)]
struct Inner {
    flying: BTreeMap<Place, u32>,
    posted: VecDeque<RemoteMessage>,
    doubts: VecDeque<(Place, Vec<u8>)>,
    accounts: BTreeMap<PersonId, RemoteUser>,
}

/// A post under way; dropping it lets the events that wait go on.
pub(crate) struct Flight<'a> {
    echoes: &'a Echoes,
    place: Place,
}

impl Echoes {
    pub(crate) fn new(random: &dyn Random) -> Self {
        let mut key = [0_u8; 32];
        random.fill(&mut key);
        Self { inner: Mutex::default(), landed: Notify::new(), key: hmac::Key::new(hmac::HMAC_SHA256, &key) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Entries are changed whole.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The account of a person, where it was learnt.
    pub(crate) fn account(&self, person: &PersonId) -> Option<RemoteUser> {
        self.lock().accounts.get(person).cloned()
    }

    /// Remembers the account of a person.
    pub(crate) fn learn_account(&self, person: &PersonId, user: &RemoteUser) {
        let mut inner = self.lock();
        if inner.accounts.len() >= IDS {
            inner.accounts.clear();
        }
        inner.accounts.insert(person.clone(), user.clone());
    }

    /// A post of this person into this space begins.
    pub(crate) fn fly(&self, room: &RemoteConversation, user: &RemoteUser) -> Flight<'_> {
        let place = (room.clone(), user.clone());
        *self.lock().flying.entry(place.clone()).or_default() += 1;
        Flight { echoes: self, place }
    }

    /// Whether a message of this person is a post of ours. Waits for answers that are still to come.
    pub(crate) async fn is_ours(
        &self,
        room: &RemoteConversation,
        message: &Message,
        says: impl FnOnce() -> String,
    ) -> bool {
        let Some(user) = &message.author.user else { return false };
        let place = (room.clone(), user.clone());
        let landing = async {
            loop {
                let landed = self.landed.notified();
                if !self.lock().flying.contains_key(&place) {
                    return;
                }
                landed.await;
            }
        };
        // An answer that does not come in time is a lost one.
        let _ = tokio::time::timeout(PATIENCE, landing).await;
        {
            let inner = self.lock();
            if inner.posted.contains(&message.id) {
                return true;
            }
            if !inner.doubts.iter().any(|(at, _)| *at == place) {
                return false;
            }
        }
        let digest = self.digest(&says());
        let mut inner = self.lock();
        let doubt = inner.doubts.iter().position(|(at, said)| *at == place && *said == digest);
        let Some(doubt) = doubt else { return false };
        inner.doubts.remove(doubt);
        remember(&mut inner.posted, message.id.clone(), IDS);
        true
    }

    fn digest(&self, says: &str) -> Vec<u8> {
        hmac::sign(&self.key, says.as_bytes()).as_ref().to_vec()
    }
}

impl Flight<'_> {
    /// The answer named the message.
    pub(crate) fn made(&self, message: &RemoteMessage) {
        remember(&mut self.echoes.lock().posted, message.clone(), IDS);
    }

    /// The answer was lost; the message may be there.
    pub(crate) fn lost(&self, says: &str) {
        let digest = self.echoes.digest(says);
        remember(&mut self.echoes.lock().doubts, (self.place.clone(), digest), DOUBTS);
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        let mut inner = self.echoes.lock();
        if let Some(count) = inner.flying.get_mut(&self.place) {
            *count -= 1;
            if *count == 0 {
                inner.flying.remove(&self.place);
            }
        }
        drop(inner);
        self.echoes.landed.notify_waiters();
    }
}

fn remember<T>(list: &mut VecDeque<T>, entry: T, most: usize) {
    if list.len() >= most {
        list.pop_front();
    }
    list.push_back(entry);
}
