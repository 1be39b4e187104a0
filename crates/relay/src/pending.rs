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
    spoken: Mutex<HashMap<ConversationId, u32>>,
}

/// Something is being said in somebody's name until this is dropped.
pub(crate) struct Speaking<'a> {
    pending: &'a Pending,
    conversation: ConversationId,
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
    pub(crate) fn speak(&self, conversation: &ConversationId) -> Speaking<'_> {
        *self.spoken().entry(conversation.clone()).or_default() += 1;
        Speaking { pending: self, conversation: conversation.clone() }
    }

    /// Whether something is being said there in somebody's name.
    pub(crate) fn is_speaking(&self, conversation: &ConversationId) -> bool {
        self.spoken().contains_key(conversation)
    }

    fn spoken(&self) -> std::sync::MutexGuard<'_, HashMap<ConversationId, u32>> {
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
        if let Some(count) = spoken.get_mut(&self.conversation) {
            *count -= 1;
            if *count == 0 {
                spoken.remove(&self.conversation);
            }
        }
    }
}
