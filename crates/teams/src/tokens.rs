//! The app's tokens: client credentials, kept in memory, refreshed before they end, one request at a time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use dragoman_platform::{App, Failure};
use dragoman_seal::Token;

use crate::client::Client;

/// Refreshed this long before its end, or a fifth of its life before, whichever is less.
const AHEAD_MS: i64 = 300_000;

/// For which service a token is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Audience {
    /// The Bot Connector.
    Bot,
    /// Graph.
    Graph,
}

type Slot = Arc<tokio::sync::Mutex<Option<Held>>>;

/// Tokens by app, tenant and audience.
#[derive(Default)]
pub(crate) struct Tokens(Mutex<BTreeMap<(String, String, Audience), Slot>>);

#[derive(Clone)]
struct Held {
    token: Arc<Token>,
    refresh_at_ms: i64,
    ends_at_ms: i64,
}

impl Tokens {
    fn slot(&self, app: &App, audience: Audience) -> Slot {
        let key = (app.fact("app_id").to_owned(), app.fact("tenant_id").to_owned(), audience);
        // Slots are inserted whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default().clone()
    }

    /// A token that works for a while. `refused` is one that did not: it is replaced, unless somebody else
    /// did so already.
    pub(crate) async fn get(
        &self,
        client: &Client,
        app: &App,
        audience: Audience,
        refused: Option<&Arc<Token>>,
    ) -> Result<Arc<Token>, Failure> {
        let slot = self.slot(app, audience);
        // The lock is held while the token is fetched: everybody else waits for that one request.
        let mut held = slot.lock().await;
        let now = client.clock.now_ms();
        if let (Some(current), Some(refused)) = (held.as_ref(), refused)
            && Arc::ptr_eq(&current.token, refused)
        {
            *held = None;
        }
        if let Some(current) = held.as_ref().filter(|current| now < current.refresh_at_ms) {
            return Ok(current.token.clone());
        }
        match (client.client_credentials(app, audience).await, held.as_ref()) {
            (Ok(answer), _) => {
                let life = answer.expires_in.clamp(1, 86_400) * 1000;
                let token = Arc::new(answer.access_token);
                *held = Some(Held {
                    token: token.clone(),
                    refresh_at_ms: now + life - AHEAD_MS.min(life / 5),
                    ends_at_ms: now + life,
                });
                Ok(token)
            }
            // The login service is away; the token in hand still works.
            (Err(Failure::Retry { .. }), Some(current)) if now < current.ends_at_ms => {
                Ok(current.token.clone())
            }
            (Err(failure), _) => Err(failure),
        }
    }
}
