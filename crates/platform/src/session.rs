//! An installation ready to be used: its app, its ids, and a keeper of its tokens.

use std::sync::Arc;

use async_trait::async_trait;
use dragoman_model::{Code, PersonId};
use dragoman_seal::Token;

use crate::app::{App, Installation};

/// Everything a connector needs to act for one installation.
#[derive(Clone)]
pub struct Session {
    /// The registration.
    pub app: Arc<App>,
    /// The installation.
    pub installation: Arc<Installation>,
    /// Its tokens.
    pub tokens: Arc<dyn TokenKeeper>,
}

/// Which token of an installation.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum TokenSlot {
    /// The app's own (Slack's bot token).
    App,
    /// A person's.
    Person(PersonId),
}

/// A token with its refresh token.
pub struct TokenSet {
    /// Sent with every call.
    pub access: Token,
    /// Exchanged for a new pair; used once.
    pub refresh: Option<Token>,
    /// End of the access token, milliseconds since 1970; `None` means it does not end.
    pub expires_at_ms: Option<i64>,
}

/// Keeps the tokens of one installation, encrypted and durable.
#[async_trait]
pub trait TokenKeeper: Send + Sync {
    /// The current set. `None`: nobody granted it, or it was revoked.
    async fn get(&self, slot: &TokenSlot) -> Result<Option<Arc<TokenSet>>, TokenError>;

    /// Waits for the exclusive right to refresh this slot; released on drop. The caller reads the set again
    /// afterwards: somebody else may have refreshed it.
    async fn lock(&self, slot: &TokenSlot) -> tokio::sync::OwnedMutexGuard<()>;

    /// Makes a new set durable. It is used only after this returned.
    async fn put(&self, slot: &TokenSlot, set: TokenSet) -> Result<(), TokenError>;
}

/// Why a token cannot be had or kept.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the token store failed ({0})")]
pub struct TokenError(pub Code);
