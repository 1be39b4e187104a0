//! What a conversation on Zoom can carry: data, no code.

use std::collections::BTreeMap;

use dragoman_markup::zoom::MAX_CHARS;
use dragoman_model::{Capabilities, Feature, Level, TextLimit, TextUnit};
use dragoman_platform::{Conversation, ConversationKind, Installation};

use Level::{Dropped, Fallback, Native, Partial};

/// The longest text of one message. Zoom says characters; the unit that counts more is taken.
pub(crate) const TEXT: TextLimit = TextLimit { max: MAX_CHARS, unit: TextUnit::Utf16 };

/// The largest file ("Upload a chat file": "The file cannot exceed 1 GB").
pub(crate) const MOST_FILE_BYTES: u64 = 1 << 30;

/// Whether a scope is granted, in any of its names. An installation that does not tell its scopes is taken at its
/// word.
pub(crate) fn granted(installation: &Installation, granular: &str, classic: &str) -> bool {
    let scopes = &installation.scopes;
    scopes.is_empty()
        || [granular, classic]
            .into_iter()
            .any(|name| scopes.contains(name) || scopes.contains(&format!("{name}:admin")))
}

/// The capabilities, from the granted scopes and the kind of conversation.
pub(crate) fn capabilities(installation: &Installation, conversation: &Conversation) -> Capabilities {
    let has = |granular, classic| granted(installation, granular, classic);
    let react = has("team_chat:update:message_emoji", "chat_message:write");
    let list = has("team_chat:read:list_user_messages", "chat_message:read");
    let one = has("team_chat:read:user_message", "chat_message:read");
    let upload = has("team_chat:write:files", "chat_message:write");
    let direct = conversation.kind == ConversationKind::Direct;
    let level = |feature| match feature {
        // A direct conversation has no mentions.
        Feature::MentionPerson | Feature::MentionEveryone if direct => Fallback,
        Feature::ReactionApp | Feature::ReactionOwn if !react => Fallback,
        Feature::File if !upload => Fallback,
        // An edit takes the bare text: formats and mentions are lost there.
        Feature::Text
        | Feature::Edit
        | Feature::Headings
        | Feature::Quote
        | Feature::MentionPerson
        | Feature::ReactionApp
        | Feature::DirectMessage
        | Feature::Notice => Partial,
        Feature::Code | Feature::Tables | Feature::Broadcast | Feature::Card | Feature::CustomEmoji => {
            Fallback
        }
        Feature::AuthorPicture => Dropped,
        Feature::AuthorName
        | Feature::File
        | Feature::ThreadReply
        | Feature::Deletion
        | Feature::MentionEveryone
        | Feature::ReactionOwn
        | Feature::OwnToken => Native,
    };
    Capabilities {
        levels: Feature::ALL.iter().map(|feature| (*feature, level(*feature))).collect(),
        own_levels: BTreeMap::new(),
        text: TEXT,
        reread: one,
        read_back: list,
        history: list,
        // Order is not promised; lanes order by the source's time.
        reorder_window_ms: 0,
        max_edits: None,
        unannounced_edits_ms: None,
        max_file_bytes: Some(MOST_FILE_BYTES),
        file_needs_length: false,
        // Ten a second at most; the longer windows are counted by the budget.
        send_interval_ms: 125,
    }
}
