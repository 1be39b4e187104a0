//! Sends that are under way, by marker: an echo that comes back before the answer (or instead of it) tells
//! that the send was done.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use dragoman_model::{ConversationId, Marker, RemoteMessage, Version};
use tokio::sync::watch;

type Seen = Option<(RemoteMessage, Option<Version>)>;

/// Markers of sends under way, and conversations into which something is being said in somebody's name: that comes
/// back as theirs, where the platform carries no marker without one, and perhaps before its answer.
#[derive(Default)]
pub(crate) struct Pending {
    markers: Mutex<HashMap<Marker, Arc<watch::Sender<Seen>>>>,
    spoken: Mutex<HashMap<ConversationId, Vec<Spoken>>>,
}

/// Something that is being said in somebody's name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Spoken {
    /// The append number of its leg.
    pub(crate) seq: i64,
    /// Whether it may have been said before a restart.
    pub(crate) in_doubt: bool,
}

/// Something is being said in somebody's name until this is dropped.
pub(crate) struct Speaking<'a> {
    pending: &'a Pending,
    conversation: ConversationId,
    spoken: Spoken,
}

/// A send under way; dropping it forgets the marker.
pub(crate) struct Expected<'a> {
    pending: &'a Pending,
    marker: Marker,
    seen: watch::Receiver<Seen>,
}

impl Pending {
    /// Registers a send before it goes out.
    pub(crate) fn expect(&self, marker: Marker) -> Expected<'_> {
        let (sender, seen) = watch::channel(None);
        self.lock().insert(marker.clone(), Arc::new(sender));
        Expected { pending: self, marker, seen }
    }

    /// An echo with this marker came in.
    pub(crate) fn echo(&self, marker: &Marker, message: &RemoteMessage, version: Option<Version>) {
        if let Some(sender) = self.lock().get(marker) {
            sender.send_replace(Some((message.clone(), version)));
        }
    }

    /// Something is said in somebody's name; dropped only when the map knows what came of it.
    pub(crate) fn speak(&self, conversation: &ConversationId, spoken: Spoken) -> Speaking<'_> {
        self.spoken().entry(conversation.clone()).or_default().push(spoken);
        Speaking { pending: self, conversation: conversation.clone(), spoken }
    }

    /// What is being said there in somebody's name by a leg that was appended before another one; what is in doubt, if any
    /// of it is.
    pub(crate) fn spoken_before(&self, conversation: &ConversationId, before: i64) -> Option<Spoken> {
        let spoken = self.spoken();
        let earlier = spoken.get(conversation)?.iter().filter(|spoken| spoken.seq < before);
        earlier.max_by_key(|spoken| spoken.in_doubt).copied()
    }

    fn spoken(&self) -> std::sync::MutexGuard<'_, HashMap<ConversationId, Vec<Spoken>>> {
        self.spoken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Marker, Arc<watch::Sender<Seen>>>> {
        self.markers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Expected<'_> {
    /// Waits for the echo.
    pub(crate) async fn wait(&mut self) -> Seen {
        match self.seen.wait_for(Option::is_some).await {
            Ok(seen) => seen.clone(),
            Err(_) => None,
        }
    }
}

impl Drop for Expected<'_> {
    fn drop(&mut self) {
        self.pending.lock().remove(&self.marker);
    }
}

impl Drop for Speaking<'_> {
    fn drop(&mut self) {
        let mut spoken = self.pending.spoken();
        if let Some(here) = spoken.get_mut(&self.conversation) {
            if let Some(at) = here.iter().position(|spoken| *spoken == self.spoken) {
                here.swap_remove(at);
            }
            if here.is_empty() {
                spoken.remove(&self.conversation);
            }
        }
    }
}
