//! Direct conversations.

use serde::{Deserialize, Serialize};

/// Lists direct conversations and who is kept out of them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct DirectList {}

/// Ends an open direct conversation; its people are told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DirectClose {
    /// Id of its bridge, or the beginning of one.
    pub bridge: String,
}

/// Keeps somebody out of direct conversations, or lets them in again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DirectAllow {
    /// `PLATFORM:ID` or `PLATFORM:ADDRESS`.
    pub person: String,
    /// From now on.
    pub allowed: bool,
}

/// Everything that there is of direct conversations, but for what is said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectOverview {
    /// Conversations.
    pub talks: Vec<DirectInfo>,
    /// Whom an operator keeps out.
    pub kept_out: Vec<DirectMember>,
}

/// A direct conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectInfo {
    /// Its bridge, where it is open or paused.
    pub bridge: Option<String>,
    /// Whose.
    pub org: String,
    /// How it stands.
    pub state: DirectStanding,
    /// Everybody in it or asked for it.
    pub people: Vec<DirectMember>,
}

/// How a direct conversation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DirectStanding {
    /// What is written passes.
    Open,
    /// An operator paused it.
    Paused,
    /// Wanted by two at least, and not open now.
    Agreed,
    /// Somebody was asked and did not answer yet.
    Asked,
    /// Somebody does not want to hear of it.
    Blocked,
}

/// Somebody who has to do with direct conversations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectMember {
    /// Seen through which installation.
    pub installation: String,
    /// On which platform.
    pub platform: String,
    /// The workspace's name.
    pub workspace: String,
    /// The platform's id of them.
    pub user: String,
}
