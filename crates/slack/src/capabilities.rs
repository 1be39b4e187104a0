//! What a conversation on Slack can carry.

use std::collections::BTreeMap;

use dragoman_model::{Capabilities, Feature, Level, TextLimit, TextUnit};
use dragoman_platform::{Conversation, ConversationKind, Installation};

/// The longest text of one message. Posts may be longer, but `chat.update` takes no more.
pub(crate) const TEXT: TextLimit = TextLimit { max: 4_000, unit: TextUnit::Chars };

/// Whether a scope is granted. An installation that does not tell its scopes is taken at its word.
pub(crate) fn granted(installation: &Installation, scope: &str) -> bool {
    installation.scopes.is_empty() || installation.scopes.contains(scope)
}

/// The capabilities, from the granted scopes and the kind of conversation.
pub(crate) fn capabilities(installation: &Installation, conversation: &Conversation) -> Capabilities {
    let has = |scope| granted(installation, scope);
    let when = |condition: bool, level: Level, otherwise: Level| if condition { level } else { otherwise };
    let customise = has("chat:write.customize");
    let react = has("reactions:write");
    // A channel's kind does not tell whether it is private: one of the two scopes may fit.
    let history = match conversation.kind {
        ConversationKind::Channel => has("channels:history") || has("groups:history"),
        ConversationKind::Group => has("mpim:history") || has("groups:history"),
        ConversationKind::Direct => has("im:history"),
    };
    let level = |feature| match feature {
        Feature::Headings | Feature::Tables | Feature::Quote | Feature::DirectMessage | Feature::Notice => {
            Level::Partial
        }
        Feature::ReactionApp => when(react, Level::Partial, Level::Fallback),
        Feature::ReactionOwn => when(react, Level::Native, Level::Fallback),
        // A shared file tells only when it is read again which message it became.
        Feature::File => when(has("files:write") && has("files:read"), Level::Native, Level::Fallback),
        Feature::Card | Feature::CustomEmoji => Level::Fallback,
        Feature::AuthorPicture => when(customise, Level::Native, Level::Dropped),
        Feature::AuthorName
        | Feature::Text
        | Feature::Code
        | Feature::ThreadReply
        | Feature::Broadcast
        | Feature::Edit
        | Feature::Deletion
        | Feature::MentionPerson
        | Feature::MentionEveryone
        | Feature::OwnToken => Level::Native,
    };
    Capabilities {
        levels: Feature::ALL.iter().map(|feature| (*feature, level(*feature))).collect(),
        own_levels: BTreeMap::new(),
        text: TEXT,
        reread: history,
        read_back: history,
        history,
        reorder_window_ms: 0,
        max_edits: None,
        unannounced_edits_ms: None,
        // "Largest file 1 GB"; its size is asked for together with the place to put it.
        max_file_bytes: Some(1 << 30),
        file_needs_length: true,
        // "About one message per second per channel", in short bursts more.
        send_interval_ms: 1_000,
    }
}
