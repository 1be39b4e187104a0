//! The model as a store.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use dragoman_model::disk::Disk;
use dragoman_model::{
    AppId, ConversationId, EventId, InstallationId, OrgId, PersonId, RemoteMessage, RemoteUser, SlotId,
};

use super::state::State;
use crate::api::{Mutation, Reply, Store};
use crate::error::StoreError;
use crate::journal::Journal;
use crate::reactions::ReactionRow;
use crate::rows::{
    AccountRow, AppRow, AuditRow, BridgeRow, ConversationRow, CopyRow, Counts, DeadLetterRow,
    InstallationRow, LaneId, LaneRow, LegRow, OrgRow, OriginalRow, Receipt, SealedPayload, TokenRow,
    TombstoneRow,
};

type Result<T> = std::result::Result<T, StoreError>;

/// The file on its disk.
const FILE: &str = "store.journal";

/// The store in memory, journalled on a disk, without threads: a write is done and synced when `commit` returns,
/// so that a simulation decides what happens when.
pub struct ModelStore(Mutex<Inner>);

struct Inner {
    state: State,
    journal: Journal,
}

impl ModelStore {
    /// Opens the journal, creating it where it is missing, and does again what it holds.
    ///
    /// # Errors
    /// [`StoreError::Disk`].
    pub fn open(disk: &dyn Disk) -> Result<Self> {
        let (mut journal, found) = Journal::open(disk, FILE, 0, 0).map_err(failed)?;
        journal.confirm().map_err(failed)?;
        let mut state = State::default();
        for (_, mutation) in &found.mutations {
            // What was refused then is refused now.
            let _ = state.apply(mutation);
        }
        Ok(Self(Mutex::new(Inner { state, journal })))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[expect(clippy::unnecessary_wraps, reason = "reads of the seam may fail, those of the model do not")]
    fn read<T>(&self, read: impl FnOnce(&State) -> T) -> Result<T> {
        Ok(read(&self.inner().state))
    }
}

fn failed(error: std::io::Error) -> StoreError {
    StoreError::Disk { path: FILE.to_owned(), cause: error.to_string() }
}

#[async_trait]
impl Store for ModelStore {
    async fn commit(&self, mutation: Mutation) -> Result<Reply> {
        let mut inner = self.inner();
        inner.journal.append([&mutation], || Ok(())).map_err(failed)?;
        inner.state.apply(&mutation)
    }

    async fn lanes(&self, after: Option<&LaneId>, limit: u32) -> Result<Vec<LaneRow>> {
        self.read(|state| state.lanes(after, limit))
    }

    async fn legs(&self, lane: &LaneId, after: Option<(i64, i64)>, limit: u32) -> Result<Vec<LegRow>> {
        self.read(|state| state.legs(lane, after, limit))
    }

    async fn payload(&self, event: &EventId) -> Result<Option<SealedPayload>> {
        self.read(|state| state.payload(event))
    }

    async fn named_slots(&self) -> Result<Vec<SlotId>> {
        self.read(State::named_slots)
    }

    async fn original(
        &self,
        conversation: &ConversationId,
        message: &RemoteMessage,
    ) -> Result<Option<OriginalRow>> {
        self.read(|state| state.original(&(conversation.clone(), message.clone())))
    }

    async fn original_of_copy(
        &self,
        conversation: &ConversationId,
        message: &RemoteMessage,
    ) -> Result<Option<(OriginalRow, CopyRow)>> {
        self.read(|state| state.original_of_copy(&(conversation.clone(), message.clone())))
    }

    async fn copies(
        &self,
        of: (&ConversationId, &RemoteMessage),
        conversation: &ConversationId,
    ) -> Result<Vec<CopyRow>> {
        self.read(|state| state.copies_in((of.0.clone(), of.1.clone()), conversation))
    }

    async fn reactions(&self, of: (&ConversationId, &RemoteMessage)) -> Result<Vec<ReactionRow>> {
        let of = (of.0.clone(), of.1.clone());
        self.read(|state| state.reactions.get(&of).into_iter().flat_map(BTreeMap::values).cloned().collect())
    }

    async fn tombstone(
        &self,
        conversation: &ConversationId,
        message: &RemoteMessage,
    ) -> Result<Option<TombstoneRow>> {
        self.read(|state| state.tombstones.get(&(conversation.clone(), message.clone())).cloned())
    }

    async fn originals_since(
        &self,
        conversation: &ConversationId,
        sent_or_active_since_ms: i64,
        limit: u32,
    ) -> Result<Vec<OriginalRow>> {
        self.read(|state| state.originals_since(conversation, sent_or_active_since_ms, limit))
    }

    async fn orgs(&self) -> Result<Vec<OrgRow>> {
        self.read(|state| state.orgs.values().cloned().collect())
    }

    async fn apps(&self) -> Result<Vec<AppRow>> {
        self.read(|state| state.apps.values().cloned().collect())
    }

    async fn app(&self, id: &AppId) -> Result<Option<AppRow>> {
        self.read(|state| state.apps.get(id).cloned())
    }

    async fn installations(&self) -> Result<Vec<InstallationRow>> {
        self.read(|state| state.installations.values().cloned().collect())
    }

    async fn installation(&self, id: &InstallationId) -> Result<Option<InstallationRow>> {
        self.read(|state| state.installations.get(id).cloned())
    }

    async fn token(&self, installation: &InstallationId, slot: &str) -> Result<Option<TokenRow>> {
        self.read(|state| state.tokens.get(&(installation.clone(), slot.to_owned())).cloned())
    }

    async fn conversations(&self) -> Result<Vec<ConversationRow>> {
        self.read(|state| state.conversations.values().cloned().collect())
    }

    async fn conversation(&self, id: &ConversationId) -> Result<Option<ConversationRow>> {
        self.read(|state| state.conversations.get(id).cloned())
    }

    async fn bridges(&self) -> Result<Vec<BridgeRow>> {
        self.read(|state| state.bridges.values().cloned().collect())
    }

    async fn account(&self, installation: &InstallationId, user: &RemoteUser) -> Result<Option<AccountRow>> {
        self.read(|state| state.accounts.get(&(installation.clone(), user.clone())).cloned())
    }

    async fn accounts_by_email(
        &self,
        installation: &InstallationId,
        email_digest: &[u8],
    ) -> Result<Vec<AccountRow>> {
        self.read(|state| {
            let here = state.accounts.values().filter(|row| row.installation == *installation);
            here.filter(|row| row.email_digest.as_deref() == Some(email_digest)).cloned().collect()
        })
    }

    async fn accounts_of(&self, org: &OrgId, person: &PersonId) -> Result<Vec<AccountRow>> {
        self.read(|state| {
            let here = state.accounts.values().filter(|row| row.org == *org);
            here.filter(|row| row.person.as_ref() == Some(person)).cloned().collect()
        })
    }

    async fn people(&self, org: &OrgId) -> Result<Vec<(AccountRow, bool)>> {
        self.read(|state| {
            let here = state.accounts.values().filter(|row| row.org == *org);
            let mut linked: Vec<_> = here
                .filter_map(|row| Some((row.person.as_ref()?, row)))
                .map(|(person, row)| {
                    let slot = (row.installation.clone(), person.to_string());
                    (row.clone(), state.tokens.contains_key(&slot))
                })
                .collect();
            // The accounts are in the order of the rest.
            linked.sort_by(|a, b| a.0.person.cmp(&b.0.person));
            linked
        })
    }

    async fn dead_letters(&self, org: Option<&OrgId>, limit: u32) -> Result<Vec<DeadLetterRow>> {
        self.read(|state| state.dead_letters(org, limit))
    }

    async fn receipts(
        &self,
        org: Option<&OrgId>,
        message: Option<&RemoteMessage>,
        limit: u32,
    ) -> Result<Vec<Receipt>> {
        self.read(|state| state.receipts(org, message, limit))
    }

    async fn audit(&self, limit: u32) -> Result<Vec<AuditRow>> {
        self.read(|state| state.audit(limit))
    }

    async fn counts(&self) -> Result<Counts> {
        self.read(State::counts)
    }

    async fn checkpoint(&self) -> Result<()> {
        Ok(())
    }
}
