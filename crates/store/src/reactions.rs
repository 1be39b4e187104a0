//! Reactions: whose, and what is known of each.

use dragoman_model::ConversationId;
use serde::{Deserialize, Serialize};

/// Where one reaction stands: who, where, with what.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct ReactionKey {
    /// In which conversation, on the original or on the copy there.
    pub conversation: ConversationId,
    /// Whether we set it.
    pub ours: bool,
    /// The platform's id of a user; of ours, as whom it was set: `app`, or the id of a person.
    pub who: String,
    /// Keyed digest of the emoji.
    pub emoji: Vec<u8>,
}

/// A reaction to an original or to a copy of it: of somebody, or set by us for somebody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReactionRow {
    /// Which.
    pub key: ReactionKey,
    /// The emoji, sealed; empty where nobody asks for it any more.
    pub sealed_emoji: Vec<u8>,
    /// What is known of it.
    pub standing: Standing,
    /// When it was set or taken back, by its source's clock, milliseconds since 1970; of ours, when it was last
    /// sent without an answer, or may have been; 0: every attempt was answered.
    pub at_ms: i64,
    /// Until when it is kept, milliseconds since 1970.
    pub until_ms: i64,
}

/// What is known of a reaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Standing {
    /// It is there.
    Set,
    /// Its author took it back; of ours, we did, and an earlier attempt may take effect still.
    Unset,
    /// We are about to set it, or did.
    Setting,
    /// Its platform does not let us set it.
    Refused,
}

impl Standing {
    /// As rows hold it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Set => "set",
            Self::Unset => "unset",
            Self::Setting => "setting",
            Self::Refused => "refused",
        }
    }

    /// Reads what [`Standing::as_str`] writes.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Set, Self::Unset, Self::Setting, Self::Refused].into_iter().find(|it| it.as_str() == word)
    }
}
