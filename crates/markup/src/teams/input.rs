//! What a body needs beside its HTML.

use dragoman_model::{Document, Mention};

/// What kind of thing a mention of Teams names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MentionKind {
    /// A person or an app.
    Person,
    /// Everybody in the conversation: `conversation` of the chat or channel itself.
    Everyone,
    /// Another conversation.
    Conversation,
    /// A tag, or a team.
    Group,
}

/// One entry of `mentions[]` (Graph) or of the `mention` entities (bot activity).
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "testing", derive(Debug))]
pub struct TeamsMention {
    /// Graph: its `id`, which `<at id="…">` names. Bot activity: its place among the mentions, from 0.
    pub index: u32,
    /// The id of what is mentioned; ignored for [`MentionKind::Everyone`].
    pub id: String,
    /// The name to show; where empty, that of the body is taken.
    pub name: String,
    /// What is mentioned.
    pub kind: MentionKind,
}

impl TeamsMention {
    /// As a mention of the tree, with `shown` where the entry has no name.
    pub(super) fn mention(&self, shown: &str) -> Mention {
        let name = if self.name.is_empty() { shown } else { &self.name };
        let name = name.trim_start_matches('@').to_owned();
        match self.kind {
            MentionKind::Person => Mention::Person { id: self.id.as_str().into(), name },
            MentionKind::Everyone => Mention::Everyone,
            MentionKind::Conversation => Mention::Conversation { id: self.id.as_str().into(), name },
            MentionKind::Group => Mention::Group { id: self.id.clone(), name },
        }
    }
}

/// What stands at the place of an `<attachment id="…">` (or `<quoted messageId="…">`).
#[derive(Clone)]
#[cfg_attr(feature = "testing", derive(Debug))]
pub struct TeamsAttachment {
    /// Its `id`.
    pub id: String,
    /// Its text: a quoted message, a card, a code snippet. Empty for a file, which has no place in the text.
    pub document: Document,
}

/// A body of Teams with what it refers to.
#[derive(Clone, Copy)]
pub struct TeamsInput<'a> {
    /// The HTML.
    pub html: &'a str,
    /// In their order.
    pub mentions: &'a [TeamsMention],
    /// In any order.
    pub attachments: &'a [TeamsAttachment],
}

impl<'a> TeamsInput<'a> {
    /// A body that refers to nothing.
    pub fn new(html: &'a str) -> Self {
        Self { html, mentions: &[], attachments: &[] }
    }
}
