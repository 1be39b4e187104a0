//! Kinds of conversation as examples, for tables of what a platform carries.

use std::collections::BTreeSet;

use crate::app::{Conversation, ConversationKind, Facts, Installation};

/// A kind of conversation with everything granted.
#[derive(Clone)]
pub struct Example {
    /// What tells it from the platform's others: `channel`, `chat`; empty where there is one kind.
    pub name: &'static str,
    /// The installation that it is seen through. Without scopes: a platform that does not tell them grants all.
    pub installation: Installation,
    /// The conversation.
    pub conversation: Conversation,
}

impl Example {
    /// A conversation of a kind that its connector knows nothing more of.
    pub fn new(name: &'static str, kind: ConversationKind) -> Self {
        let installation = Installation {
            id: "example".into(),
            org: "example".into(),
            app: "example".into(),
            workspace: "example".into(),
            facts: Facts::new(),
            scopes: BTreeSet::new(),
        };
        let conversation = Conversation {
            remote: "example".into(),
            kind,
            name: String::new(),
            external: false,
            joined: true,
            facts: Facts::new(),
        };
        Self { name, installation, conversation }
    }
}
