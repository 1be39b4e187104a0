//! The store as the core uses it: one kind of write, so that writes can be batched and replayed, and reads.

use async_trait::async_trait;
use std::collections::BTreeMap;

use dragoman_model::{
    AppId, BridgeId, ConversationId, EventId, InstallationId, LegId, OrgId, PersonId, RemoteMessage,
    RemoteUser, SlotId,
};
use serde::{Deserialize, Serialize};

use crate::amend::Amendment;
use crate::error::StoreError;
use crate::reactions::{ReactionKey, ReactionRow};
use crate::rows::{
    AccountRow, AppRow, AuditRow, BridgeRow, BridgeState, ClaimedLane, ConversationRow, CopyRow, Counts,
    DeadLetterRow, InstallationRow, LaneId, LaneRow, Lease, LegRow, NewEvent, Notices, OrgRow, OriginalRow,
    Receipt, SealedPayload, Settlement, TokenRow, TombstoneRow,
};

/// A write. Each is atomic and durable when its reply is there; neighbours share a transaction, and one that
/// fails leaves the others alone.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Mutation {
    /// Appends events, all or none. Events whose delivery digest is known are left out. Lanes of the new legs
    /// that nobody holds, or that the same owner holds, are claimed on the way.
    Append {
        /// In order.
        events: Vec<NewEvent>,
        /// For whom.
        lease: Lease,
    },
    /// Records what became of a leg; deletes the leg, and with its last leg the event. Where the leg is gone, nothing
    /// is written. [`StoreError::Fenced`] from an owner that lost the lane. Everything named must be of the leg's
    /// organisation, else [`StoreError::Rows`].
    Settle(Box<Settlement>),
    /// Records a part that was delivered, before the rest of the leg is.
    Progress {
        /// Leg.
        leg: LegId,
        /// Its lane.
        lane: LaneId,
        /// The owner's fence.
        fence: i64,
        /// The copy that was made.
        copy: CopyRow,
    },
    /// Records a failed attempt.
    Defer {
        /// Leg.
        leg: LegId,
        /// Its lane.
        lane: LaneId,
        /// The owner's fence.
        fence: i64,
        /// Attempts so far.
        attempts: u32,
        /// Not before, milliseconds since 1970.
        not_before_ms: i64,
        /// Why.
        code: String,
    },
    /// Claims lanes that have legs and whose lease is free or over, at most `limit`, those that waited longest
    /// first. A claim that the same owner holds is prolonged and keeps its fence, where it is named even without legs.
    ClaimLanes {
        /// For whom.
        lease: Lease,
        /// Only these; empty means any.
        lanes: Vec<LaneId>,
        /// At most so many.
        limit: u32,
    },
    /// Gives lanes back.
    ReleaseLanes {
        /// The worker.
        owner: String,
        /// Which.
        lanes: Vec<LaneId>,
    },
    /// Takes the payload from events that were accepted before the given time; they keep their ids.
    Shred {
        /// Milliseconds since 1970.
        received_before_ms: i64,
        /// At most so many.
        limit: u32,
    },
    /// Forgets delivery digests, tombstones, receipts and reactions whose time is over, at most `limit` of each.
    Expire {
        /// Milliseconds since 1970.
        now_ms: i64,
        /// Receipts settled before this go.
        receipts_before_ms: i64,
        /// At most so many of each.
        limit: u32,
    },
    /// Takes a dead letter back into its lane as an event without payload, under new ids, behind what waits there. Its
    /// lane is not claimed on the way. Answered by [`Reply::Appended`] with the one leg.
    Replay {
        /// The dead letter.
        dead_letter: LegId,
        /// The new event.
        event: EventId,
        /// The new leg.
        leg: LegId,
        /// Milliseconds since 1970.
        now_ms: i64,
    },
    /// Removes a dead letter. [`StoreError::Rows`] where there is none.
    DropDeadLetter(LegId),
    /// Inserts or replaces.
    PutOrg(OrgRow),
    /// Inserts or replaces.
    PutApp(AppRow),
    /// Inserts or replaces.
    PutInstallation(InstallationRow),
    /// Inserts or replaces.
    PutToken(TokenRow),
    /// Removes the tokens of an installation: all, or one slot.
    DropTokens {
        /// Installation.
        installation: InstallationId,
        /// Only this slot.
        slot: Option<String>,
    },
    /// Inserts or replaces; `seen_until_ms` only moves on. [`StoreError::Exists`] where another row has the same
    /// installation and remote id.
    PutConversation(ConversationRow),
    /// Moves on the mark up to which everything is known to have been accepted; never back.
    SeenUntil {
        /// Conversation.
        conversation: ConversationId,
        /// Milliseconds since 1970.
        seen_until_ms: i64,
    },
    /// Inserts a bridge. [`StoreError::Exists`] where a member is in a bridge that has not ended.
    AddBridge(BridgeRow),
    /// Changes its state.
    SetBridge {
        /// Bridge.
        bridge: BridgeId,
        /// New state.
        state: BridgeState,
        /// When, milliseconds since 1970; `None` leaves what it relays as it was.
        since_ms: Option<i64>,
    },
    /// Sets what becomes of notices in it.
    SetNotices {
        /// Bridge.
        bridge: BridgeId,
        /// From now on.
        notices: Notices,
    },
    /// The messages of a member from before the bridge are all on their way or done.
    Backfilled {
        /// Bridge.
        bridge: BridgeId,
        /// The member.
        conversation: ConversationId,
    },
    /// Changes its members. [`StoreError::Exists`] as for `AddBridge`.
    SetMembers {
        /// Bridge.
        bridge: BridgeId,
        /// All members from now on.
        members: Vec<ConversationId>,
        /// When, milliseconds since 1970: who joins gets nothing from before. `None`: everything.
        since_ms: Option<i64>,
        /// From when on messages are relayed that members who join now bring from before, milliseconds since 1970.
        backfill_ms: BTreeMap<ConversationId, i64>,
        /// Who joins by a command of their own, and its id.
        #[serde(default)]
        joined_by: Option<(ConversationId, RemoteMessage)>,
    },
    /// Inserts or replaces, keeping a person link that the new row does not have.
    PutAccount(AccountRow),
    /// Forgets a cached account. Where it is linked to a person, the row stays for the link, with an empty profile,
    /// read at time 0.
    DropAccount {
        /// Installation.
        installation: InstallationId,
        /// User.
        user: RemoteUser,
    },
    /// Records an act.
    Audit(AuditRow),
    /// Removes what was kept for an installation: tokens, accounts, the map and receipts of its conversations, dead
    /// letters. The installation, its conversations and its bridges stay, and events on their way.
    Forget(InstallationId),
    /// Removes everything of an organisation; its key must be destroyed before. Answered by [`Reply::Shredded`] with
    /// the slots to erase; done again it finds nothing and is answered alike.
    DropOrg(OrgId),
    /// Forgets which person an account belongs to. What is cached of it stays.
    UnlinkAccount {
        /// Installation.
        installation: InstallationId,
        /// User.
        user: RemoteUser,
    },
    /// Records what is known of reactions to an original, before the leg that brought it is settled. Its event counts
    /// as a reaction from now on, whatever it was taken for. Of one by somebody the later state holds; one of ours
    /// replaces what was there. Where the original is not in the map, no reaction is written.
    React {
        /// Leg.
        leg: LegId,
        /// Its lane.
        lane: LaneId,
        /// The owner's fence.
        fence: i64,
        /// The original: where, and which.
        of: (ConversationId, RemoteMessage),
        /// To insert or bring up to date.
        rows: Vec<ReactionRow>,
        /// To be forgotten.
        gone: Vec<ReactionKey>,
        /// Until when all that stands at the original and its copies is kept at least, milliseconds since 1970: what
        /// people still react to is not forgotten in parts.
        kept_until_ms: i64,
    },
    /// Changes some of what is known of a conversation and leaves the rest, so that two who do it at the same time lose
    /// nothing of each other's.
    Amend {
        /// Conversation.
        conversation: ConversationId,
        /// What changes.
        amendment: Amendment,
    },
    /// Ends a bridge that people asked for. [`crate::BridgePast::left_ms`] tells who of them did, and since when nothing is
    /// relayed from there.
    EndTalk {
        /// Bridge.
        bridge: BridgeId,
        /// Who ended it, and when, milliseconds since 1970 by the clock of their platform; `None`: an operator.
        by: Option<(ConversationId, i64)>,
        /// When that became known, milliseconds since 1970.
        at_ms: i64,
    },
}

/// The answer to a [`Mutation`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// Done.
    Done,
    /// Of `Append`, per event, and of `Replay`.
    Appended(Vec<Appended>),
    /// Of `Settle`.
    Settled(Settled),
    /// Of `ClaimLanes`.
    Claimed(Vec<ClaimedLane>),
    /// Of `Shred` and `DropOrg`: events that lost their payload, and the slots to erase.
    Shredded(Vec<(EventId, SlotId)>),
}

/// What became of an appended event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Appended {
    /// New. Its legs, in their order.
    Fresh(Vec<AppendedLeg>),
    /// Known already; nothing was written, its slot is to be given back.
    Redelivery,
}

/// Where an appended leg stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppendedLeg {
    /// Its place among legs of equal order.
    pub seq: i64,
    /// The fence under which the owner of the request holds the lane; `None`: somebody else does.
    pub fence: Option<i64>,
}

/// What a settlement left.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settled {
    /// The slot to erase: this was the event's last leg.
    pub erase: Option<SlotId>,
    /// Whether the leg had been settled before, by somebody else or before a crash.
    pub already: bool,
}

/// The store. Reads see all writes that were answered.
#[async_trait]
pub trait Store: Send + Sync {
    /// Does one write.
    async fn commit(&self, mutation: Mutation) -> Result<Reply, StoreError>;

    // Events on their way.

    /// Lanes with legs in them, ordered by id, at most `limit` after the given one. Their `not_before_ms` is the
    /// earliest of their legs'.
    async fn lanes(&self, after: Option<&LaneId>, limit: u32) -> Result<Vec<LaneRow>, StoreError>;
    /// Legs of a lane by `order` and `seq`, at most `limit` after the given place.
    async fn legs(
        &self,
        lane: &LaneId,
        after: Option<(i64, i64)>,
        limit: u32,
    ) -> Result<Vec<LegRow>, StoreError>;
    /// The sealed payload of an event; `None` when it was taken away.
    async fn payload(&self, event: &EventId) -> Result<Option<SealedPayload>, StoreError>;
    /// Slots that rows name, for recovery.
    async fn named_slots(&self) -> Result<Vec<SlotId>, StoreError>;

    // The message map.

    /// A message at its source.
    async fn original(
        &self,
        conversation: &ConversationId,
        message: &RemoteMessage,
    ) -> Result<Option<OriginalRow>, StoreError>;
    /// The original that a copy belongs to, and the copy.
    async fn original_of_copy(
        &self,
        conversation: &ConversationId,
        message: &RemoteMessage,
    ) -> Result<Option<(OriginalRow, CopyRow)>, StoreError>;
    /// Copies of an original in one conversation, by part.
    async fn copies(
        &self,
        of: (&ConversationId, &RemoteMessage),
        conversation: &ConversationId,
    ) -> Result<Vec<CopyRow>, StoreError>;
    /// Reactions to an original and to its copies, by key.
    async fn reactions(&self, of: (&ConversationId, &RemoteMessage)) -> Result<Vec<ReactionRow>, StoreError>;
    /// What is known of a deletion of this message.
    async fn tombstone(
        &self,
        conversation: &ConversationId,
        message: &RemoteMessage,
    ) -> Result<Option<TombstoneRow>, StoreError>;
    /// Whether anything is known of a message: as an original, as a copy, by a deletion. Of most that come, nothing is.
    async fn is_known(
        &self,
        conversation: &ConversationId,
        message: &RemoteMessage,
    ) -> Result<bool, StoreError> {
        Ok(self.original(conversation, message).await?.is_some()
            || self.original_of_copy(conversation, message).await?.is_some()
            || self.tombstone(conversation, message).await?.is_some())
    }
    /// Originals of a conversation sent, or active as thread roots, since a time, the latest first; for
    /// catch-up. At most `limit`.
    async fn originals_since(
        &self,
        conversation: &ConversationId,
        sent_or_active_since_ms: i64,
        limit: u32,
    ) -> Result<Vec<OriginalRow>, StoreError>;

    // What operators set up.

    /// All organisations.
    async fn orgs(&self) -> Result<Vec<OrgRow>, StoreError>;
    /// All apps.
    async fn apps(&self) -> Result<Vec<AppRow>, StoreError>;
    /// One app.
    async fn app(&self, id: &AppId) -> Result<Option<AppRow>, StoreError>;
    /// All installations.
    async fn installations(&self) -> Result<Vec<InstallationRow>, StoreError>;
    /// One installation.
    async fn installation(&self, id: &InstallationId) -> Result<Option<InstallationRow>, StoreError>;
    /// A token.
    async fn token(&self, installation: &InstallationId, slot: &str) -> Result<Option<TokenRow>, StoreError>;
    /// All conversations.
    async fn conversations(&self) -> Result<Vec<ConversationRow>, StoreError>;
    /// One conversation.
    async fn conversation(&self, id: &ConversationId) -> Result<Option<ConversationRow>, StoreError>;
    /// All bridges, ended ones included.
    async fn bridges(&self) -> Result<Vec<BridgeRow>, StoreError>;
    /// A cached account.
    async fn account(
        &self,
        installation: &InstallationId,
        user: &RemoteUser,
    ) -> Result<Option<AccountRow>, StoreError>;
    /// Accounts of an installation with this e-mail digest.
    async fn accounts_by_email(
        &self,
        installation: &InstallationId,
        email_digest: &[u8],
    ) -> Result<Vec<AccountRow>, StoreError>;
    /// Accounts of a person.
    async fn accounts_of(&self, org: &OrgId, person: &PersonId) -> Result<Vec<AccountRow>, StoreError>;
    /// Accounts that are linked to a person, by person, installation and user, each with whether the installation has a
    /// token of that person.
    async fn people(&self, org: &OrgId) -> Result<Vec<(AccountRow, bool)>, StoreError>;

    // What operators look at.

    /// Dead letters of an organisation, newest first.
    async fn dead_letters(&self, org: Option<&OrgId>, limit: u32) -> Result<Vec<DeadLetterRow>, StoreError>;
    /// Receipts, newest first; `message` narrows to one source message.
    async fn receipts(
        &self,
        org: Option<&OrgId>,
        message: Option<&RemoteMessage>,
        limit: u32,
    ) -> Result<Vec<Receipt>, StoreError>;
    /// The audit trail, newest first.
    async fn audit(&self, limit: u32) -> Result<Vec<AuditRow>, StoreError>;
    /// Figures.
    async fn counts(&self) -> Result<Counts, StoreError>;

    // Keeping house.

    /// Truncates the write-ahead log. Called when idle and at least every 30 s, never on the acknowledgement path.
    async fn checkpoint(&self) -> Result<(), StoreError>;
}
