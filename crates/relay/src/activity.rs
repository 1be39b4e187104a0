//! What the gateway is doing, without content: for the demo's page, the log and the metrics.

use dragoman_model::{Code, ConversationId};

/// Something that happened to an event on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activity {
    /// Milliseconds since 1970.
    pub at_ms: i64,
    /// What.
    pub stage: Stage,
    /// From where.
    pub from: Option<ConversationId>,
    /// To where.
    pub to: Option<ConversationId>,
    /// The word of the event's kind.
    pub kind: String,
    /// Why not simply delivered.
    pub code: Option<Code>,
    /// Milliseconds since the event was accepted.
    pub took_ms: i64,
}

/// Stages of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Sealed, durable, acknowledged.
    Accepted,
    /// Delivered and destroyed.
    Delivered,
    /// Not relayed, on purpose.
    Dropped,
    /// To be tried again.
    Deferred,
    /// A dead letter.
    Dead,
}

impl Stage {
    /// The word that pages, receipts and metrics use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Delivered => "delivered",
            Self::Dropped => "dropped",
            Self::Deferred => "deferred",
            Self::Dead => "dead",
        }
    }
}
