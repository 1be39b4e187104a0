//! Published signing keys, kept for a day, fetched once more when a key is not among them.

use std::sync::Arc;

use crate::client::Client;
use crate::verify::Keys;
use crate::wire::auth::SigningKey;

/// "Cached for at most 24 hours."
const LIFE_MS: i64 = 24 * 3_600_000;
/// Nobody can make us ask more often than this by inventing key ids.
const PAUSE_MS: i64 = 10_000;

/// The keys of one issuer.
#[derive(Default)]
pub(crate) struct KeyCache(tokio::sync::Mutex<Cached>);

#[derive(Default)]
struct Cached {
    keys: Option<Arc<Keys>>,
    fetched_ms: i64,
    tried_ms: Option<i64>,
}

/// Why there is no key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NoKey {
    /// Its publisher was asked just now and does not know it.
    Unknown,
    /// Its publisher is out of reach, or was asked a moment ago.
    Unavailable,
}

impl KeyCache {
    /// The key of this id, from the key set that the metadata at `metadata_url` names.
    pub(crate) async fn get(
        &self,
        client: &Client,
        metadata_url: &str,
        kid: &str,
    ) -> Result<SigningKey, NoKey> {
        let mut cached = self.0.lock().await;
        let now = client.clock.monotonic_ms();
        let fresh = cached.keys.is_some() && now - cached.fetched_ms < LIFE_MS;
        if fresh && let Some(key) = cached.keys.as_ref().and_then(|keys| keys.get(kid)) {
            return Ok(key.clone());
        }
        if cached.tried_ms.is_some_and(|tried| now - tried < PAUSE_MS) {
            return Err(NoKey::Unavailable);
        }
        cached.tried_ms = Some(now);
        let Some(keys) = client.fetch_keys(metadata_url).await else {
            // What failed may be tried again at once: the sender is asked to come back anyway.
            cached.tried_ms = None;
            return Err(NoKey::Unavailable);
        };
        let key = keys.get(kid).cloned();
        cached.keys = Some(Arc::new(keys));
        cached.fetched_ms = now;
        key.ok_or(NoKey::Unknown)
    }
}
