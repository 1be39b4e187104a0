//! A store with a planted bug.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use dragoman_model::{
    AppId, ConversationId, EventId, InstallationId, OrgId, PersonId, RemoteMessage, RemoteUser, SlotId,
};
use dragoman_relay::Relay;
use dragoman_store::{
    AccountRow, AppRow, Appended, AuditRow, BridgeRow, ConversationRow, CopyRow, Counts, DeadLetterRow,
    InstallationRow, LaneId, LaneRow, LegRow, Mutation, OrgRow, OriginalRow, ReactionRow, Receipt, Reply,
    SealedPayload, Store, StoreError, TokenRow, TombstoneRow,
};
use tokio_util::task::TaskTracker;

use super::machine::lock;
use super::world::Bug;

type Result<T> = std::result::Result<T, StoreError>;

/// Between the acknowledgement and the append that it should have waited for.
const LATE: Duration = Duration::from_millis(1500);

/// A store with a planted bug: it answers before it appends, does not know its copies, or keeps wrong what it is told
/// of direct conversations.
pub(super) struct FlawedStore {
    inner: Arc<dyn Store>,
    bug: Bug,
    tasks: TaskTracker,
    relay: Mutex<Option<Relay>>,
}

impl FlawedStore {
    pub(super) fn new(inner: Arc<dyn Store>, bug: Bug) -> Arc<Self> {
        Arc::new(Self { inner, bug, tasks: TaskTracker::new(), relay: Mutex::default() })
    }

    /// The relay that is told of what was appended behind its back.
    pub(super) fn serve(&self, relay: Relay) {
        *lock(&self.relay) = Some(relay);
    }

    fn append_late(&self, mutation: Mutation, lanes: Vec<LaneId>) {
        let (inner, relay) = (Arc::clone(&self.inner), lock(&self.relay).clone());
        self.tasks.spawn(async move {
            tokio::time::sleep(LATE).await;
            if inner.commit(mutation).await.is_ok()
                && let Some(relay) = relay
            {
                for lane in lanes {
                    relay.wake(lane);
                }
            }
        });
    }
}

/// What is kept of a change in direct conversations.
fn spoiled(bug: Bug, mut mutation: Mutation) -> Mutation {
    match (bug, &mut mutation) {
        (Bug::CommandAgain, Mutation::Amend { amendment, .. }) => {
            amendment.facts.retain(|fact, _| fact != "direct_handled");
        }
        (Bug::BlockForgotten, Mutation::Amend { amendment, .. }) => {
            for value in amendment.facts.values_mut() {
                *value = value.take().filter(|it| !it.starts_with("blocked@"));
            }
        }
        (Bug::OthersPast, Mutation::AddBridge(row)) if row.talk.is_some() => {
            (row.created_ms, row.since_ms) = (0, 0);
        }
        _ => {}
    }
    mutation
}

#[async_trait]
impl Store for FlawedStore {
    async fn commit(&self, mutation: Mutation) -> Result<Reply> {
        match &mutation {
            Mutation::Append { events, .. }
                if self.bug == Bug::EarlyAcknowledgement
                    && events.iter().all(|event| event.payload.is_some()) =>
            {
                let reply = Reply::Appended(events.iter().map(|_| Appended::Fresh(Vec::new())).collect());
                let lanes = events.iter().flat_map(|event| &event.legs).map(|leg| leg.lane.clone()).collect();
                self.append_late(mutation, lanes);
                Ok(reply)
            }
            Mutation::SetMembers { bridge, members, .. } if self.bug == Bug::LeaverStays => {
                let rows = self.inner.bridges().await?;
                let fewer = |row: &BridgeRow| row.id == *bridge && members.len() < row.members.len();
                if rows.iter().any(fewer) { Ok(Reply::Done) } else { self.inner.commit(mutation).await }
            }
            _ => self.inner.commit(spoiled(self.bug, mutation)).await,
        }
    }

    async fn lanes(&self, after: Option<&LaneId>, limit: u32) -> Result<Vec<LaneRow>> {
        self.inner.lanes(after, limit).await
    }

    async fn legs(&self, lane: &LaneId, after: Option<(i64, i64)>, limit: u32) -> Result<Vec<LegRow>> {
        self.inner.legs(lane, after, limit).await
    }

    async fn payload(&self, event: &EventId) -> Result<Option<SealedPayload>> {
        self.inner.payload(event).await
    }

    async fn named_slots(&self) -> Result<Vec<SlotId>> {
        self.inner.named_slots().await
    }

    async fn original(
        &self,
        conversation: &ConversationId,
        message: &RemoteMessage,
    ) -> Result<Option<OriginalRow>> {
        self.inner.original(conversation, message).await
    }

    async fn original_of_copy(
        &self,
        conversation: &ConversationId,
        message: &RemoteMessage,
    ) -> Result<Option<(OriginalRow, CopyRow)>> {
        if self.bug == Bug::NoEchoRule {
            return Ok(None);
        }
        self.inner.original_of_copy(conversation, message).await
    }

    async fn copies(
        &self,
        of: (&ConversationId, &RemoteMessage),
        conversation: &ConversationId,
    ) -> Result<Vec<CopyRow>> {
        self.inner.copies(of, conversation).await
    }

    async fn reactions(&self, of: (&ConversationId, &RemoteMessage)) -> Result<Vec<ReactionRow>> {
        self.inner.reactions(of).await
    }

    async fn tombstone(
        &self,
        conversation: &ConversationId,
        message: &RemoteMessage,
    ) -> Result<Option<TombstoneRow>> {
        self.inner.tombstone(conversation, message).await
    }

    async fn originals_since(
        &self,
        conversation: &ConversationId,
        since_ms: i64,
        limit: u32,
    ) -> Result<Vec<OriginalRow>> {
        self.inner.originals_since(conversation, since_ms, limit).await
    }

    async fn orgs(&self) -> Result<Vec<OrgRow>> {
        self.inner.orgs().await
    }

    async fn apps(&self) -> Result<Vec<AppRow>> {
        self.inner.apps().await
    }

    async fn app(&self, id: &AppId) -> Result<Option<AppRow>> {
        self.inner.app(id).await
    }

    async fn installations(&self) -> Result<Vec<InstallationRow>> {
        self.inner.installations().await
    }

    async fn installation(&self, id: &InstallationId) -> Result<Option<InstallationRow>> {
        self.inner.installation(id).await
    }

    async fn token(&self, installation: &InstallationId, slot: &str) -> Result<Option<TokenRow>> {
        self.inner.token(installation, slot).await
    }

    async fn conversations(&self) -> Result<Vec<ConversationRow>> {
        self.inner.conversations().await
    }

    async fn conversation(&self, id: &ConversationId) -> Result<Option<ConversationRow>> {
        self.inner.conversation(id).await
    }

    async fn bridges(&self) -> Result<Vec<BridgeRow>> {
        self.inner.bridges().await
    }

    async fn account(&self, installation: &InstallationId, user: &RemoteUser) -> Result<Option<AccountRow>> {
        self.inner.account(installation, user).await
    }

    async fn accounts_by_email(
        &self,
        installation: &InstallationId,
        email_digest: &[u8],
    ) -> Result<Vec<AccountRow>> {
        self.inner.accounts_by_email(installation, email_digest).await
    }

    async fn accounts_of(&self, org: &OrgId, person: &PersonId) -> Result<Vec<AccountRow>> {
        self.inner.accounts_of(org, person).await
    }

    async fn people(&self, org: &OrgId) -> Result<Vec<(AccountRow, bool)>> {
        self.inner.people(org).await
    }

    async fn dead_letters(&self, org: Option<&OrgId>, limit: u32) -> Result<Vec<DeadLetterRow>> {
        self.inner.dead_letters(org, limit).await
    }

    async fn receipts(
        &self,
        org: Option<&OrgId>,
        message: Option<&RemoteMessage>,
        limit: u32,
    ) -> Result<Vec<Receipt>> {
        self.inner.receipts(org, message, limit).await
    }

    async fn audit(&self, limit: u32) -> Result<Vec<AuditRow>> {
        self.inner.audit(limit).await
    }

    async fn counts(&self) -> Result<Counts> {
        self.inner.counts().await
    }

    async fn checkpoint(&self) -> Result<()> {
        self.inner.checkpoint().await
    }
}
