//! The store over its committer and its readers.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use async_trait::async_trait;
use dragoman_model::{
    AppId, Clock, ConversationId, EventId, InstallationId, OrgId, PersonId, RemoteMessage, RemoteUser, SlotId,
};
use rusqlite::{Connection, params};

use super::committer::{Committer, Lacking, Request};
use super::conn::{Result as Inner, all, exists, first};
use super::open::{self, Folder};
use super::overlay::{self, Overlay};
use super::read::{self, Readers};
use super::row;
use crate::api::{Mutation, Reply, Store};
use crate::batch::Batcher;
use crate::error::StoreError;
use crate::faults::Faults;
use crate::queries::{self as q, Query};
use crate::reactions::ReactionRow;
use crate::rows::{
    AccountRow, AppRow, AuditRow, BridgeRow, ConversationRow, CopyRow, Counts, DeadLetterRow,
    InstallationRow, LaneId, LaneRow, LegRow, OrgRow, OriginalRow, Receipt, SealedPayload, TokenRow,
    TombstoneRow,
};

/// Connections that read.
const READERS: usize = 3;

type Result<T> = std::result::Result<T, StoreError>;

/// The store in a SQLite file in the data folder, which it holds locked. Dropping it waits for the writes
/// that were accepted.
pub struct SqliteStore {
    // Dropped first: the last connection that closes moves the log into the database.
    readers: Readers,
    committer: Batcher<Request, Result<Reply>>,
    lacking: Arc<Lacking>,
    folder: Arc<Folder>,
}

impl SqliteStore {
    /// Opens the store, making folder and file where they are missing and bringing the schema up to date.
    ///
    /// # Errors
    /// [`StoreError::Locked`], [`StoreError::NewerSchema`], or what the disk says.
    pub fn open(folder: &Path, clock: &dyn Clock) -> Result<Self> {
        Self::open_with_faults(folder, clock, Faults::none())
    }

    /// As [`SqliteStore::open`], dying where the faults say.
    ///
    /// # Errors
    /// As [`SqliteStore::open`].
    pub fn open_with_faults(folder: &Path, clock: &dyn Clock, faults: Faults) -> Result<Self> {
        let folder = Arc::new(open::lock(folder)?);
        let writer = open::writer(&folder.file)?;
        open::migrate(&writer, &folder.shown(), clock.now_ms(), &faults)?;
        open::settle_log(&writer, &folder.shown())?;
        let readers = (0..READERS).map(|_| open::reader(&folder.file)).collect::<Result<_>>()?;
        let committer = Committer::new(Arc::clone(&folder), writer, faults)?;
        let lacking = committer.lacking();
        // An append alone is one synced write to the journal.
        let short = |request: &Request| matches!(request, Request::Commit(Mutation::Append { .. }));
        let committer = Batcher::spawn_near("store", committer, short);
        let committer =
            committer.map_err(|error| StoreError::Disk { path: folder.shown(), cause: error.to_string() })?;
        Ok(Self { readers: Readers::new(readers), committer, lacking, folder })
    }

    /// The database file, for `doctor`.
    pub fn path(&self) -> &Path {
        &self.folder.file
    }

    fn read<T>(&self, read: impl FnOnce(&Connection) -> Inner<T>) -> Result<T> {
        read(&self.readers.get()).map_err(|fail| fail.into_error(&self.folder.shown()))
    }

    /// Waits until the tables lack nothing.
    async fn caught_up(&self) -> Result<()> {
        if self.lacking.any.load(Ordering::Acquire) {
            self.committer.call(Request::Flush).await.map_err(|_| StoreError::Closed)??;
        }
        Ok(())
    }

    /// Looks into what of the message map the tables lack. Always before the tables are read: what gets there in
    /// between is merged twice, which changes nothing.
    fn newer<T: Default>(&self, look: impl FnOnce(&Overlay) -> T) -> T {
        if !self.lacking.any.load(Ordering::Acquire) {
            return T::default();
        }
        look(&self.lacking.map.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn figure(&self, query: &Query) -> Result<u64> {
        self.read(|conn| Ok(first(conn, query, [], |r| row::figure(r, 0))?.unwrap_or(0)))
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn commit(&self, mutation: Mutation) -> Result<Reply> {
        self.committer.call(Request::Commit(mutation)).await.map_err(|_| StoreError::Closed)?
    }

    async fn lanes(&self, after: Option<&LaneId>, limit: u32) -> Result<Vec<LaneRow>> {
        self.caught_up().await?;
        let after = after.map(LaneId::to_text).unwrap_or_default();
        self.read(|conn| all(conn, &q::LANES, params![after, limit], row::lane))
    }

    async fn legs(&self, lane: &LaneId, after: Option<(i64, i64)>, limit: u32) -> Result<Vec<LegRow>> {
        self.caught_up().await?;
        let (order, seq) = after.unwrap_or((i64::MIN, i64::MIN));
        self.read(|conn| all(conn, &q::LEGS, params![lane.to_text(), order, seq, limit], row::leg))
    }

    async fn payload(&self, event: &EventId) -> Result<Option<SealedPayload>> {
        self.caught_up().await?;
        self.read(|conn| first(conn, &q::PAYLOAD, [event.as_str()], row::payload))
    }

    async fn named_slots(&self) -> Result<Vec<SlotId>> {
        self.caught_up().await?;
        let mut slots = self.read(|conn| all(conn, &q::NAMED_SLOTS, [], |r| row::slot(r, 0)))?;
        // SQLite's order is that of signed numbers.
        slots.sort_unstable();
        Ok(slots)
    }

    async fn original(
        &self,
        conversation: &ConversationId,
        message: &RemoteMessage,
    ) -> Result<Option<OriginalRow>> {
        let newer = self.newer(|map| map.originals(conversation, message));
        let key = [conversation.as_str(), message.as_str()];
        let table = self.read(|conn| first(conn, &q::ORIGINAL, key, row::original))?;
        Ok(overlay::original(table, &newer))
    }

    async fn original_of_copy(
        &self,
        conversation: &ConversationId,
        message: &RemoteMessage,
    ) -> Result<Option<(OriginalRow, CopyRow)>> {
        let exact = !self.lacking.any.load(Ordering::Acquire);
        let newer = self.newer(|map| map.owner(conversation, message).cloned());
        let key = [conversation.as_str(), message.as_str()];
        let table = self.read(|conn| {
            first(conn, &q::ORIGINAL_OF_COPY, key, |r| Ok((row::original_at(r, 11)?, row::copy(r)?)))
        })?;
        if exact {
            return Ok(table);
        }
        let of = newer.or_else(|| table.map(|(original, _)| (original.conversation, original.message)));
        let Some((of, original)) = of else { return Ok(None) };
        let copies = self.copies((&of, &original), conversation).await?;
        let copy = copies.into_iter().find(|copy| copy.message == *message);
        Ok(self.original(&of, &original).await?.zip(copy))
    }

    async fn copies(
        &self,
        of: (&ConversationId, &RemoteMessage),
        conversation: &ConversationId,
    ) -> Result<Vec<CopyRow>> {
        let newer = self.newer(|map| map.copies(of, conversation));
        let key = [of.0.as_str(), of.1.as_str(), conversation.as_str()];
        let table = self.read(|conn| all(conn, &q::COPIES, key, row::copy))?;
        Ok(overlay::copies(table, newer))
    }

    async fn reactions(&self, of: (&ConversationId, &RemoteMessage)) -> Result<Vec<ReactionRow>> {
        self.read(|conn| all(conn, &q::REACTIONS, [of.0.as_str(), of.1.as_str()], row::reaction))
    }

    async fn tombstone(
        &self,
        conversation: &ConversationId,
        message: &RemoteMessage,
    ) -> Result<Option<TombstoneRow>> {
        let key = [conversation.as_str(), message.as_str()];
        self.read(|conn| first(conn, &q::TOMBSTONE, key, row::tombstone))
    }

    async fn is_known(&self, conversation: &ConversationId, message: &RemoteMessage) -> Result<bool> {
        let newer = self.newer(|map| {
            map.owner(conversation, message).is_some() || !map.originals(conversation, message).is_empty()
        });
        let key = [conversation.as_str(), message.as_str()];
        Ok(newer || self.read(|conn| exists(conn, &q::KNOWN, key))?)
    }

    async fn originals_since(
        &self,
        conversation: &ConversationId,
        sent_or_active_since_ms: i64,
        limit: u32,
    ) -> Result<Vec<OriginalRow>> {
        self.caught_up().await?;
        let arguments = params![conversation.as_str(), sent_or_active_since_ms, limit];
        self.read(|conn| all(conn, &q::ORIGINALS_SINCE, arguments, row::original))
    }

    async fn orgs(&self) -> Result<Vec<OrgRow>> {
        self.read(|conn| all(conn, &q::ORGS, [], row::org))
    }

    async fn apps(&self) -> Result<Vec<AppRow>> {
        self.read(|conn| all(conn, &q::APPS, [], row::app))
    }

    async fn app(&self, id: &AppId) -> Result<Option<AppRow>> {
        self.read(|conn| first(conn, &q::APP, [id.as_str()], row::app))
    }

    async fn installations(&self) -> Result<Vec<InstallationRow>> {
        self.read(|conn| all(conn, &q::INSTALLATIONS, [], row::installation))
    }

    async fn installation(&self, id: &InstallationId) -> Result<Option<InstallationRow>> {
        self.read(|conn| first(conn, &q::INSTALLATION, [id.as_str()], row::installation))
    }

    async fn token(&self, installation: &InstallationId, slot: &str) -> Result<Option<TokenRow>> {
        self.read(|conn| first(conn, &q::TOKEN, [installation.as_str(), slot], row::token))
    }

    async fn conversations(&self) -> Result<Vec<ConversationRow>> {
        self.read(|conn| all(conn, &q::CONVERSATIONS, [], row::conversation))
    }

    async fn conversation(&self, id: &ConversationId) -> Result<Option<ConversationRow>> {
        self.read(|conn| first(conn, &q::CONVERSATION, [id.as_str()], row::conversation))
    }

    async fn bridges(&self) -> Result<Vec<BridgeRow>> {
        self.read(read::bridges)
    }

    async fn account(&self, installation: &InstallationId, user: &RemoteUser) -> Result<Option<AccountRow>> {
        let key = [installation.as_str(), user.as_str()];
        self.read(|conn| first(conn, &q::ACCOUNT, key, row::account))
    }

    async fn accounts_by_email(
        &self,
        installation: &InstallationId,
        email_digest: &[u8],
    ) -> Result<Vec<AccountRow>> {
        let key = params![installation.as_str(), email_digest];
        self.read(|conn| all(conn, &q::ACCOUNTS_BY_EMAIL, key, row::account))
    }

    async fn accounts_of(&self, org: &OrgId, person: &PersonId) -> Result<Vec<AccountRow>> {
        let key = [org.as_str(), person.as_str()];
        self.read(|conn| all(conn, &q::ACCOUNTS_OF, key, row::account))
    }

    async fn people(&self, org: &OrgId) -> Result<Vec<(AccountRow, bool)>> {
        self.read(|conn| all(conn, &q::PEOPLE, [org.as_str()], |r| Ok((row::account(r)?, r.get(7)?))))
    }

    async fn dead_letters(&self, org: Option<&OrgId>, limit: u32) -> Result<Vec<DeadLetterRow>> {
        self.read(|conn| match org {
            Some(org) => all(conn, &q::DEAD_LETTERS_OF, params![org.as_str(), limit], row::dead_letter),
            None => all(conn, &q::DEAD_LETTERS, [limit], row::dead_letter),
        })
    }

    async fn receipts(
        &self,
        org: Option<&OrgId>,
        message: Option<&RemoteMessage>,
        limit: u32,
    ) -> Result<Vec<Receipt>> {
        self.caught_up().await?;
        let org = org.map(OrgId::as_str);
        let message = message.map(RemoteMessage::as_str);
        self.read(|conn| match (org, message) {
            (None, None) => all(conn, &q::RECEIPTS, [limit], row::receipt),
            (Some(org), None) => all(conn, &q::RECEIPTS_OF, params![org, limit], row::receipt),
            (None, Some(about)) => all(conn, &q::RECEIPTS_ABOUT, params![about, limit], row::receipt),
            (Some(org), Some(about)) => {
                all(conn, &q::RECEIPTS_OF_ABOUT, params![org, about, limit], row::receipt)
            }
        })
    }

    async fn audit(&self, limit: u32) -> Result<Vec<AuditRow>> {
        self.read(|conn| all(conn, &q::AUDIT, [limit], row::audit))
    }

    async fn counts(&self) -> Result<Counts> {
        self.caught_up().await?;
        Ok(Counts {
            events: self.figure(&q::COUNT_EVENTS)?,
            payloads: self.figure(&q::COUNT_PAYLOADS)?,
            legs: self.figure(&q::COUNT_LEGS)?,
            originals: self.figure(&q::COUNT_ORIGINALS)?,
            copies: self.figure(&q::COUNT_COPIES)?,
            dead_letters: self.figure(&q::COUNT_DEAD_LETTERS)?,
        })
    }

    async fn checkpoint(&self) -> Result<()> {
        self.committer.call(Request::Checkpoint).await.map_err(|_| StoreError::Closed)?.map(drop)
    }
}
