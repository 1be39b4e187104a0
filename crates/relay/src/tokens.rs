//! Tokens of an installation: sealed in the store, opened on use.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use dragoman_model::{InstallationId, OrgId, codes};
use dragoman_platform::{TokenError, TokenKeeper, TokenSet, TokenSlot};
use dragoman_seal::{FieldRef, Token};
use dragoman_store::{Mutation, Store, TokenRow};

use crate::error::RelayError;
use crate::vault::Vault;

/// The keeper that sessions get.
pub struct StoredTokens {
    store: Arc<dyn Store>,
    vault: Arc<Vault>,
    org: OrgId,
    installation: InstallationId,
    cached: Mutex<BTreeMap<TokenSlot, Arc<TokenSet>>>,
    locks: Mutex<BTreeMap<TokenSlot, Arc<tokio::sync::Mutex<()>>>>,
}

impl StoredTokens {
    /// A keeper for one installation.
    pub fn new(store: Arc<dyn Store>, vault: Arc<Vault>, org: OrgId, installation: InstallationId) -> Self {
        Self { store, vault, org, installation, cached: Mutex::default(), locks: Mutex::default() }
    }

    /// Forgets what was read, because somebody else may have changed it. The locks stay: a refresh that is under way
    /// is waited for.
    pub fn forget(&self) {
        self.cached.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    async fn read(&self, slot: &TokenSlot) -> Result<Option<Arc<TokenSet>>, RelayError> {
        let word = slot_word(slot);
        let Some(row) = self.store.token(&self.installation, &word).await? else { return Ok(None) };
        let access = self.open(&word, "access", &row.sealed_access).await?;
        let refresh = match &row.sealed_refresh {
            Some(sealed) => Some(self.open(&word, "refresh", sealed).await?),
            None => None,
        };
        Ok(Some(Arc::new(TokenSet { access, refresh, expires_at_ms: row.expires_at_ms })))
    }

    async fn open(&self, slot: &str, which: &str, sealed: &[u8]) -> Result<Token, RelayError> {
        let row = self.row(slot, which);
        let field = FieldRef { org: &self.org, purpose: "token", row: &row };
        Ok(Token::new(self.vault.open_text(&field, sealed).await?.expose().to_owned()))
    }

    async fn seal(&self, slot: &str, which: &str, token: &Token) -> Result<Vec<u8>, RelayError> {
        let row = self.row(slot, which);
        let field = FieldRef { org: &self.org, purpose: "token", row: &row };
        self.vault.seal_text(&field, token.expose()).await
    }

    fn row(&self, slot: &str, which: &str) -> String {
        format!("{}/{slot}/{which}", self.installation)
    }

    /// The row of a new set.
    async fn row_of(&self, slot: &TokenSlot, set: &TokenSet) -> Result<TokenRow, RelayError> {
        let word = slot_word(slot);
        let sealed_refresh = match &set.refresh {
            Some(refresh) => Some(self.seal(&word, "refresh", refresh).await?),
            None => None,
        };
        Ok(TokenRow {
            installation: self.installation.clone(),
            sealed_access: self.seal(&word, "access", &set.access).await?,
            sealed_refresh,
            expires_at_ms: set.expires_at_ms,
            slot: word,
        })
    }
}

#[async_trait]
impl TokenKeeper for StoredTokens {
    async fn get(&self, slot: &TokenSlot) -> Result<Option<Arc<TokenSet>>, TokenError> {
        if let Some(set) = self.cached.lock().unwrap_or_else(PoisonError::into_inner).get(slot) {
            return Ok(Some(Arc::clone(set)));
        }
        let Some(set) = self.read(slot).await.map_err(|error| TokenError(error.code()))? else {
            return Ok(None);
        };
        // One that was put meanwhile is newer.
        let mut cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Some(Arc::clone(cached.entry(slot.clone()).or_insert(set))))
    }

    async fn lock(&self, slot: &TokenSlot) -> tokio::sync::OwnedMutexGuard<()> {
        let lock = {
            let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(locks.entry(slot.clone()).or_default())
        };
        lock.lock_owned().await
    }

    async fn put(&self, slot: &TokenSlot, set: TokenSet) -> Result<(), TokenError> {
        let row = self.row_of(slot, &set).await.map_err(|error| TokenError(error.code()))?;
        self.store.commit(Mutation::PutToken(row)).await.map_err(|_| TokenError(codes::NOT_DURABLE))?;
        self.cached.lock().unwrap_or_else(PoisonError::into_inner).insert(slot.clone(), Arc::new(set));
        Ok(())
    }
}

fn slot_word(slot: &TokenSlot) -> String {
    match slot {
        TokenSlot::App => "app".to_owned(),
        TokenSlot::Person(person) => person.to_string(),
    }
}
