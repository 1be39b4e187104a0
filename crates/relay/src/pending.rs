//! Sends that are under way, by marker: an echo that comes back before the answer (or instead of it) tells
//! that the send was done.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use dragoman_model::{Marker, RemoteMessage, Version};
use tokio::sync::watch;

type Seen = Option<(RemoteMessage, Option<Version>)>;

/// Markers of sends under way.
#[derive(Default)]
pub(crate) struct Pending(Mutex<HashMap<Marker, Arc<watch::Sender<Seen>>>>);

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

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Marker, Arc<watch::Sender<Seen>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
