//! What became of messages, and how the gateway is.

use serde::{Deserialize, Serialize};

use crate::admin::Problem;

/// Lists receipts, newest first.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct DeliveryList {
    /// Of this organisation.
    pub org: Option<String>,
    /// Of this message at its source.
    pub message: Option<String>,
    /// At most; 0 takes 50.
    #[serde(default)]
    pub limit: u32,
}

/// What became of a leg.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryInfo {
    /// Which leg.
    pub leg: String,
    /// Which bridge.
    pub bridge: Option<String>,
    /// The word of the event's kind.
    pub kind: String,
    /// From where, ours.
    pub from: Option<String>,
    /// The message at its source.
    pub message: Option<String>,
    /// To where, ours.
    pub to: Option<String>,
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

/// Lists dead letters, newest first.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct DeadLetterList {
    /// Of this organisation.
    pub org: Option<String>,
    /// At most; 0 takes 50.
    #[serde(default)]
    pub limit: u32,
}

/// A delivery that did not come about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetterInfo {
    /// The leg it was.
    pub id: String,
    /// Whose.
    pub org: String,
    /// The word of the event's kind.
    pub kind: String,
    /// From where, ours.
    pub from: Option<String>,
    /// The message at its source.
    pub message: Option<String>,
    /// To where, ours.
    pub to: Option<String>,
    /// Why.
    pub code: String,
    /// How often it was tried.
    pub attempts: u32,
    /// Milliseconds since 1970.
    pub died_ms: i64,
}

/// Replays or drops dead letters.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DeadLetterAct {
    /// Ids; empty means all of the organisation.
    pub ids: Vec<String>,
    /// Of this organisation, where no ids are given.
    pub org: Option<String>,
    /// What to do.
    pub act: LetterAct,
}

/// What can be done with a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LetterAct {
    /// The message is read again and delivered.
    Replay,
    /// It is forgotten.
    Drop,
}

/// Lists acts, newest first.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct AuditList {
    /// At most; 0 takes 50.
    #[serde(default)]
    pub limit: u32,
}

/// An act.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditInfo {
    /// Whose.
    pub org: Option<String>,
    /// Milliseconds since 1970.
    pub at_ms: i64,
    /// `operator`, `gateway`, `platform`.
    pub actor: String,
    /// What.
    pub act: String,
    /// The ids concerned.
    pub subject: String,
}

/// How the gateway is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct StatusGet {}

/// How the gateway is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Its version.
    pub version: String,
    /// Where platforms are told to reach it.
    pub public_url: String,
    /// Names this process; `GET /instance` at the public address gives the same.
    pub instance: String,
    /// Milliseconds since the start.
    pub up_ms: i64,
    /// Its clock, milliseconds since 1970.
    pub now_ms: i64,
    /// Whether events can be accepted: keys and database.
    pub ready: bool,
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
    /// Organisations.
    pub orgs: u64,
    /// Bridges that relay.
    pub bridges: u64,
    /// Lanes with legs in them, the fullest first, at most 20.
    pub lanes: Vec<LaneInfo>,
    /// Subscriptions, those that end first first, at most 20.
    pub watches: Vec<WatchInfo>,
    /// What needs a person.
    pub troubles: Vec<Problem>,
}

/// A lane with legs in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaneInfo {
    /// Which.
    pub lane: String,
    /// Legs waiting.
    pub depth: u64,
    /// Not before, milliseconds since 1970.
    pub not_before_ms: i64,
}

/// A subscription to the events of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchInfo {
    /// Of which conversation, ours.
    pub conversation: String,
    /// On which platform.
    pub platform: String,
    /// When it is renewed, milliseconds since 1970.
    pub renew_ms: Option<i64>,
    /// When it ends, milliseconds since 1970.
    pub expires_ms: Option<i64>,
}

/// Ends the gateway in order.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Shutdown {}

/// An entry of the activity stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActivityInfo {
    /// Milliseconds since 1970.
    pub at_ms: i64,
    /// `accepted`, `delivered`, `dropped`, `deferred`, `dead`; `missed` when this reader was too slow.
    pub stage: String,
    /// From where, ours.
    pub from: Option<String>,
    /// To where, ours.
    pub to: Option<String>,
    /// The word of the event's kind.
    pub kind: String,
    /// Why not simply delivered.
    pub code: Option<String>,
    /// Milliseconds since the event was accepted.
    pub took_ms: i64,
}
