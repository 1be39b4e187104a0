//! Rows as the core sees them.
//!
//! Bytes named `sealed` are ciphertexts of `dragoman-seal`, bound to organisation, purpose and row; the store
//! neither makes nor opens them.

use std::collections::{BTreeMap, BTreeSet};

use dragoman_model::{
    AppId, BridgeId, ConversationId, EventId, InstallationId, LegId, OrgId, PersonId, RemoteConversation,
    RemoteMessage, RemoteUser, RemoteWorkspace, SlotId, Version,
};
use serde::{Deserialize, Serialize};

/// An organisation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrgRow {
    /// Ours.
    pub id: OrgId,
    /// The name operators gave it; unique.
    pub name: String,
    /// Versions of its key, wrapped by the key service; the largest is the current one.
    pub wrapped_keys: BTreeMap<u32, Vec<u8>>,
    /// Policies by name: `unknown_outcome` = `duplicate` | `gap`, `relay_bots` = `yes` | `no`, …
    pub policy: BTreeMap<String, String>,
    /// Milliseconds since 1970.
    pub created_ms: i64,
}

/// An app registration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppRow {
    /// Ours.
    pub id: AppId,
    /// Whose.
    pub org: OrgId,
    /// The platform's name.
    pub platform: String,
    /// Public ids.
    pub facts: BTreeMap<String, String>,
    /// Secrets by name, each sealed.
    pub sealed_secrets: BTreeMap<String, Vec<u8>>,
    /// Features switched on.
    pub features: BTreeSet<String>,
    /// Milliseconds since 1970.
    pub created_ms: i64,
}

/// An installation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstallationRow {
    /// Ours.
    pub id: InstallationId,
    /// Whose.
    pub org: OrgId,
    /// Of which app.
    pub app: AppId,
    /// Where; unique per app.
    pub workspace: RemoteWorkspace,
    /// The workspace's name, for operators.
    pub name: String,
    /// Public ids.
    pub facts: BTreeMap<String, String>,
    /// Granted scopes.
    pub scopes: BTreeSet<String>,
    /// Why it needs a person, if it does.
    pub trouble: Option<String>,
    /// Milliseconds since 1970.
    pub created_ms: i64,
}

/// A token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRow {
    /// Of which installation.
    pub installation: InstallationId,
    /// `app`, or the id of a person.
    pub slot: String,
    /// Sealed access token.
    pub sealed_access: Vec<u8>,
    /// Sealed refresh token.
    pub sealed_refresh: Option<Vec<u8>>,
    /// End of the access token, milliseconds since 1970.
    pub expires_at_ms: Option<i64>,
}

/// A conversation that the gateway has to do with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConversationRow {
    /// Ours.
    pub id: ConversationId,
    /// Whose.
    pub org: OrgId,
    /// Seen through which installation.
    pub installation: InstallationId,
    /// The platform's id; unique per installation.
    pub remote: RemoteConversation,
    /// `channel`, `group`, `direct`.
    pub kind: String,
    /// Its name, sealed.
    pub sealed_name: Vec<u8>,
    /// Whether outsiders are in it.
    pub external: bool,
    /// The connector's facts.
    pub facts: BTreeMap<String, String>,
    /// Subscription: the platform's id.
    pub watch_id: Option<String>,
    /// When to renew it, milliseconds since 1970.
    pub watch_renew_ms: Option<i64>,
    /// When it ends, milliseconds since 1970.
    pub watch_expires_ms: Option<i64>,
    /// Up to when everything that happened there is known to have been accepted, milliseconds since 1970.
    pub seen_until_ms: i64,
}

/// State of a bridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BridgeState {
    /// Relays.
    Active,
    /// Keeps its map, relays nothing.
    Paused,
    /// Over.
    Ended,
}

impl BridgeState {
    /// The word that rows use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Ended => "ended",
        }
    }

    /// Reads the word that [`BridgeState::as_str`] writes.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Active, Self::Paused, Self::Ended].into_iter().find(|state| state.as_str() == word)
    }
}

/// A bridge with its members.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BridgeRow {
    /// Ours.
    pub id: BridgeId,
    /// Whose.
    pub org: OrgId,
    /// State.
    pub state: BridgeState,
    /// Members, in the order they were added. A conversation is in one bridge that has not ended.
    pub members: Vec<ConversationId>,
    /// Milliseconds since 1970.
    pub created_ms: i64,
    /// Since when it relays: it was made or resumed then. What was sent before is not relayed later, but for what
    /// `past` says. Milliseconds since 1970.
    pub since_ms: i64,
    /// What it relayed before that, and for whom.
    pub past: BridgePast,
    /// Whether members read in the others who joins, leaves and renames.
    #[serde(default)]
    pub notices: Notices,
    /// Which conversation of people it is, where they asked the app for it themselves: the id that it has among them.
    #[serde(default)]
    pub talk: Option<String>,
}

/// What becomes of a notice: that somebody joined or left, a new name or topic, an archived conversation, a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Notices {
    /// Nobody is told.
    #[default]
    Off,
    /// The other members are told once in a while, in one line.
    Digest,
    /// They are told at once.
    On,
}

impl Notices {
    /// The word that rows use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Digest => "digest",
            Self::On => "on",
        }
    }

    /// Reads the word that [`Notices::as_str`] writes.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Off, Self::Digest, Self::On].into_iter().find(|notices| notices.as_str() == word)
    }
}

/// What catching up has to know of a bridge's earlier times, so that nothing is lost when it is paused, resumed or
/// joined while people write. Times are milliseconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BridgePast {
    /// When members joined that were not there from the beginning, those too that left since: what comes late was theirs from
    /// then on only.
    pub joined_ms: BTreeMap<ConversationId, i64>,
    /// When members left. What was written there before may still be under way.
    pub left_ms: BTreeMap<ConversationId, i64>,
    /// The last time before `since_ms` in which it relayed: from, and until it was paused.
    pub earlier: Option<(i64, i64)>,
    /// From when on messages of a member are relayed that were sent before it came to the bridge.
    #[serde(default)]
    pub backfill_ms: BTreeMap<ConversationId, i64>,
    /// Those of them that were not all listed yet.
    #[serde(default)]
    pub backfill_due: BTreeSet<ConversationId>,
    /// Which command opened it, where people did: the chat that it was said in, and its id there.
    #[serde(default)]
    pub opened_by: Option<(ConversationId, RemoteMessage)>,
    /// By which command members joined it since, where people did: its id in the member's own chat.
    #[serde(default)]
    pub joined_by: BTreeMap<ConversationId, RemoteMessage>,
}

/// A person's account as the directory knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountRow {
    /// Whose.
    pub org: OrgId,
    /// Seen through which installation.
    pub installation: InstallationId,
    /// The platform's id; unique per installation.
    pub user: RemoteUser,
    /// Name, picture, e-mail: sealed.
    pub sealed_profile: Vec<u8>,
    /// Keyed digest of the verified e-mail address.
    pub email_digest: Option<Vec<u8>>,
    /// The human, where linked.
    pub person: Option<PersonId>,
    /// When it was read, milliseconds since 1970.
    pub refreshed_ms: i64,
}

/// Names a lane: the FIFO of legs into one conversation, or an installation's control lane.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum LaneId {
    /// Into a conversation.
    Conversation(ConversationId),
    /// An installation's events that name no conversation.
    Control(InstallationId),
}

impl LaneId {
    /// As rows hold it: `c:` or `i:` and the id.
    pub fn to_text(&self) -> String {
        match self {
            Self::Conversation(id) => format!("c:{id}"),
            Self::Control(id) => format!("i:{id}"),
        }
    }

    /// Reads what [`LaneId::to_text`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_at_checked(2)? {
            ("c:", id) => Some(Self::Conversation(id.into())),
            ("i:", id) => Some(Self::Control(id.into())),
            _ => None,
        }
    }
}

/// A sealed event payload and where its message secret lies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedPayload {
    /// The sealed record.
    #[serde(with = "serde_bytes")]
    pub record: Vec<u8>,
    /// The slot of its message secret.
    pub slot: SlotId,
}

/// An event to append, with its legs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewEvent {
    /// The event.
    pub event: EventRow,
    /// Its sealed payload; `None` for events that are read from their source when their turn comes.
    pub payload: Option<SealedPayload>,
    /// Its legs, at least one.
    pub legs: Vec<NewLeg>,
    /// Keyed digest of the platform's delivery key: an event with the same digest in the same installation
    /// is not appended again until `redelivery_until_ms`.
    pub delivery_digest: Option<Vec<u8>>,
    /// How long redeliveries are recognised, milliseconds since 1970.
    pub redelivery_until_ms: i64,
}

/// A leg to append.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewLeg {
    /// Ours.
    pub id: LegId,
    /// Into which lane.
    pub lane: LaneId,
    /// Place within the lane, before `seq`: microseconds since 1970, of acceptance for live events, of the
    /// source for events that catch up.
    pub order: i64,
}

/// An event without its payload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRow {
    /// Ours.
    pub id: EventId,
    /// Whose.
    pub org: OrgId,
    /// Through which installation.
    pub installation: InstallationId,
    /// In which bridge; `None` for control events.
    pub bridge: Option<BridgeId>,
    /// Where it happened.
    pub conversation: Option<ConversationId>,
    /// Which message it is about.
    pub message: Option<RemoteMessage>,
    /// The root of the thread of that message.
    pub thread_root: Option<RemoteMessage>,
    /// The word of `EventKind`.
    pub kind: String,
    /// The connector's feed.
    pub feed: String,
    /// When it happened, milliseconds since 1970.
    pub at_ms: i64,
    /// When it was accepted, milliseconds since 1970.
    pub received_ms: i64,
}

/// A leg with what is needed to take it up again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LegRow {
    /// Ours.
    pub id: LegId,
    /// Into which lane.
    pub lane: LaneId,
    /// Place within the lane.
    pub order: i64,
    /// Place among legs of equal `order`: grows with every append.
    pub seq: i64,
    /// Its event.
    pub event: EventRow,
    /// Whether the payload is still there.
    pub has_payload: bool,
    /// How often it was tried.
    pub attempts: u32,
    /// Not before, milliseconds since 1970.
    pub not_before_ms: i64,
    /// Copies that earlier attempts made, part by part.
    pub parts: Vec<CopyRow>,
    /// Why the last attempt failed.
    pub code: Option<String>,
}

/// A worker's wish to own lanes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The worker.
    pub owner: String,
    /// Now, milliseconds since 1970.
    pub now_ms: i64,
    /// End of the lease, milliseconds since 1970.
    pub until_ms: i64,
}

/// A lane with work in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaneRow {
    /// Which.
    pub id: LaneId,
    /// Legs waiting.
    pub depth: u64,
    /// Not before, milliseconds since 1970.
    pub not_before_ms: i64,
}

/// A lane that the caller may now work on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimedLane {
    /// Which.
    pub id: LaneId,
    /// Every write of this owner carries it; a later claim has a larger one.
    pub fence: i64,
}

/// A message at its source, in the map.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OriginalRow {
    /// In which bridge.
    pub bridge: BridgeId,
    /// Where.
    pub conversation: ConversationId,
    /// Which; unique per conversation.
    pub message: RemoteMessage,
    /// The root of its thread.
    pub thread_root: Option<RemoteMessage>,
    /// When it was sent, milliseconds since 1970.
    pub sent_ms: i64,
    /// The source's last activity in the thread that it roots, milliseconds since 1970.
    pub active_ms: i64,
}

/// One copy, one part of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyRow {
    /// Into which conversation.
    pub conversation: ConversationId,
    /// Which part, from 0.
    pub part: u32,
    /// Its id there; unique per conversation.
    pub message: RemoteMessage,
    /// The root of the thread it stands in.
    pub thread_root: Option<RemoteMessage>,
    /// As whom it was posted: `app`, or the id of a person.
    pub spokesman: String,
    /// How often it was edited.
    pub edits: u32,
    /// The state of the original that it shows.
    pub version: Option<Version>,
    /// Keyed digest of the text that it shows, under the epoch key named beside it. Part 0 only.
    pub fingerprint: Option<Vec<u8>>,
    /// Which epoch key.
    pub epoch: Option<String>,
    /// Keyed digest of the source's id of the file that it is a copy of, where it is one of a file.
    pub file: Option<String>,
    /// What lies beside it at its platform and is not deleted with it: ids, as the connector names them.
    pub beside: Option<String>,
}

/// A deletion, by the source's clock: what comes later of a state from before it is not relayed. A restoration is
/// kept beside it, so that a deletion from before that does no harm either.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TombstoneRow {
    /// Where.
    pub conversation: ConversationId,
    /// Which message.
    pub message: RemoteMessage,
    /// When it was deleted last, milliseconds since 1970.
    pub died_ms: i64,
    /// When its author restored it last, milliseconds since 1970; 0: never.
    pub revived_ms: i64,
    /// How long this is remembered, milliseconds since 1970.
    pub until_ms: i64,
}

impl TombstoneRow {
    /// Whether the message is deleted now, as far as is known.
    pub fn is_dead(&self) -> bool {
        self.died_ms >= self.revived_ms
    }
}

/// What became of a leg, recorded in one transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settlement {
    /// Which leg.
    pub leg: LegId,
    /// Its lane.
    pub lane: LaneId,
    /// The owner's fence.
    pub fence: i64,
    /// The original to insert or bring up to date.
    pub original: Option<OriginalRow>,
    /// Copies to insert or bring up to date. Their original is `original`, or `of` where only copies change.
    pub copies: Vec<CopyRow>,
    /// The key of the original that copies belong to or that is removed.
    pub of: Option<(ConversationId, RemoteMessage)>,
    /// Copies that are gone: conversation and message.
    pub removed_copies: Vec<(ConversationId, RemoteMessage)>,
    /// Whether the original is gone at its source and its row goes when its last copy does.
    pub original_gone: bool,
    /// What is known of a deletion of the message.
    pub tombstone: Option<TombstoneRow>,
    /// The receipt.
    pub receipt: Receipt,
    /// What goes to the dead letters instead of being delivered.
    pub dead_letter: Option<DeadLetterRow>,
}

/// A content-free receipt of one leg.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Whose.
    pub org: OrgId,
    /// Which leg.
    pub leg: LegId,
    /// Which bridge.
    pub bridge: Option<BridgeId>,
    /// The word of `EventKind`.
    pub kind: String,
    /// From where.
    pub from: Option<ConversationId>,
    /// The message at its source.
    pub message: Option<RemoteMessage>,
    /// To where.
    pub to: Option<ConversationId>,
    /// `delivered`, `dropped`, `dead`.
    pub outcome: String,
    /// Why not simply delivered.
    pub code: Option<String>,
    /// Degradations, by code.
    pub notes: Vec<String>,
    /// Accepted, milliseconds since 1970.
    pub received_ms: i64,
    /// Settled, milliseconds since 1970.
    pub settled_ms: i64,
    /// How often it was tried.
    pub attempts: u32,
}

/// A delivery that did not come about. Ids, code and counts; no content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetterRow {
    /// The leg it was.
    pub id: LegId,
    /// Whose.
    pub org: OrgId,
    /// The event.
    pub event: EventRow,
    /// Into which lane.
    pub lane: LaneId,
    /// Why.
    pub code: String,
    /// How often it was tried.
    pub attempts: u32,
    /// Milliseconds since 1970.
    pub died_ms: i64,
}

/// An act of an operator or of the gateway itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRow {
    /// Whose; `None` concerns the deployment.
    pub org: Option<OrgId>,
    /// Milliseconds since 1970.
    pub at_ms: i64,
    /// `operator`, `gateway`, `platform`.
    pub actor: String,
    /// What: `bridge.add`, `installation.signed-out`.
    pub act: String,
    /// The ids concerned.
    pub subject: String,
}

/// Figures for `doctor`, metrics and the demo.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Events not settled.
    pub events: u64,
    /// Of these, with payload.
    pub payloads: u64,
    /// Legs waiting.
    pub legs: u64,
    /// Originals in the map.
    pub originals: u64,
    /// Copies in the map.
    pub copies: u64,
    /// Dead letters.
    pub dead_letters: u64,
}
