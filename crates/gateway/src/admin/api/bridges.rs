//! Conversations and bridges.

use serde::{Deserialize, Serialize};

use crate::admin::Problem;

/// Looks for conversations.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ConversationSearch {
    /// An installation, a workspace or a platform; everywhere where left out.
    pub scope: Option<String>,
    /// A part of the name.
    pub search: String,
    /// At most so many per installation; 0 takes 100.
    #[serde(default)]
    pub limit: usize,
}

/// A conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConversationInfo {
    /// How `bridge add` takes it.
    pub reference: String,
    /// Seen through which installation.
    pub installation: String,
    /// On which platform.
    pub platform: String,
    /// The workspace's name.
    pub workspace: String,
    /// The platform's id.
    pub remote: String,
    /// Its name.
    pub name: String,
    /// `channel`, `group`, `direct`.
    pub kind: String,
    /// Whether outsiders are in it.
    pub external: bool,
    /// Whether the app can read and write there.
    pub joined: bool,
    /// The bridge that it is in.
    pub bridge: Option<String>,
}

/// Links conversations.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct BridgeAdd {
    /// References: `PLATFORM:#general`, `INSTALLATION:#general`, `PLATFORM:ID`.
    pub members: Vec<String>,
    /// Whether conversations with outsiders may be linked.
    #[serde(default)]
    pub allow_external: bool,
    /// So many of the last messages that were written before are relayed as well, 500 at most.
    #[serde(default)]
    pub backfill: u32,
    /// Only those of these members, named as in `members`; of all where left out.
    #[serde(default)]
    pub backfill_of: Vec<String>,
}

/// Lists bridges.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct BridgeList {
    /// Those that ended too.
    #[serde(default)]
    pub ended: bool,
}

/// Pauses, resumes or ends a bridge.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BridgeState {
    /// Id, or the beginning of one.
    pub bridge: String,
    /// From now on.
    pub state: State,
}

/// States of a bridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Relays.
    Active,
    /// Keeps its map, relays nothing.
    Paused,
    /// Over.
    Ended,
}

/// Changes the members of a bridge.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct BridgeMembers {
    /// Id, or the beginning of one.
    pub bridge: String,
    /// References to add.
    #[serde(default)]
    pub add: Vec<String>,
    /// Ids or references to remove.
    #[serde(default)]
    pub remove: Vec<String>,
    /// Whether conversations with outsiders may be linked.
    #[serde(default)]
    pub allow_external: bool,
    /// So many of the last messages that were written in those to add go to the other members as well, 500 at most.
    #[serde(default)]
    pub backfill: u32,
    /// Only those of these, named as in `add`; of all where left out.
    #[serde(default)]
    pub backfill_of: Vec<String>,
}

/// Sets what a bridge does. What is left out stays.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct BridgeSet {
    /// Id, or the beginning of one.
    pub bridge: String,
    /// What becomes of notices: joins, leaves, names, topics, archives, calls.
    #[serde(default)]
    pub notices: Option<NoticeMode>,
}

/// What becomes of notices in a bridge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NoticeMode {
    /// Nobody is told.
    #[default]
    Off,
    /// The other members read them once an hour, in one line.
    Digest,
    /// The other members read them at once.
    On,
}

/// Posts a test notice into every member of a bridge.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BridgeTest {
    /// Id, or the beginning of one.
    pub bridge: String,
}

/// A bridge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BridgeInfo {
    /// Ours.
    pub id: String,
    /// Whose.
    pub org: String,
    /// State.
    pub state: State,
    /// Members.
    pub members: Vec<MemberInfo>,
    /// What becomes of notices.
    #[serde(default)]
    pub notices: NoticeMode,
    /// What to see to: the app is not in a conversation, events are not subscribed to.
    pub warnings: Vec<Problem>,
    /// Milliseconds since 1970.
    pub created_ms: i64,
}

/// A member of a bridge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberInfo {
    /// Ours.
    pub id: String,
    /// On which platform.
    pub platform: String,
    /// Seen through which installation.
    pub installation: String,
    /// The workspace's name.
    pub workspace: String,
    /// The platform's id.
    pub remote: String,
    /// Its name.
    pub name: String,
    /// Whether outsiders are in it.
    pub external: bool,
}
