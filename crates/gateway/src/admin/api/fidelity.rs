//! What passes between two conversations.

use serde::{Deserialize, Serialize};

/// Tells what passes between conversations, in every direction.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FidelityGet {
    /// References, as for [`super::BridgeAdd`]; two or more.
    pub members: Vec<String>,
}

/// One direction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Way {
    /// Where it is written.
    pub from: End,
    /// Where it arrives.
    pub to: End,
    /// Every feature, in the order of the tables.
    pub features: Vec<Carried>,
    /// What else is known beforehand, in sentences.
    pub notes: Vec<String>,
}

/// A kind of conversation, or one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// On which platform.
    pub platform: String,
    /// How people call it.
    pub name: String,
    /// Its reference; none where a kind of conversation is meant.
    pub reference: Option<String>,
}

/// How a feature arrives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carried {
    /// Which.
    pub feature: String,
    /// `native`, `partial`, `fallback`, `dropped with notice`, `refused`.
    pub level: String,
}
