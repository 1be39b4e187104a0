//! What a Webex space can carry.

use std::collections::BTreeMap;

use dragoman_markup::webex::MAX_BYTES;
use dragoman_model::{Capabilities, Feature, Level, TextLimit, TextUnit};
use dragoman_platform::{Conversation, ConversationKind, Installation};

/// The longest `markdown` and `text` of one message ("Create a Message").
pub(crate) const TEXT: TextLimit = TextLimit { max: MAX_BYTES, unit: TextUnit::Bytes };

/// The largest file that the API takes ("Message Attachments": "Maximum file size is 100 MB").
pub(crate) const MOST_FILE_BYTES: u64 = 100_000_000;

/// A message can be edited so often ("Edit a Message").
const MAX_EDITS: u32 = 10;
/// No webhook tells of edits: the newest messages are compared for so long after something happened.
const UNANNOUNCED_EDITS_MS: i64 = 300_000;

/// The fact that tells what kind of account the installation acts as.
pub(crate) const ACCOUNT: &str = "account";
/// The word for a bot in it.
pub(crate) const BOT: &str = "bot";

/// Whether the installation is a bot's: in group spaces it sees only messages that mention it.
pub(crate) fn is_bot(installation: &Installation) -> bool {
    installation.fact(ACCOUNT) == BOT
}

/// Whether a bot sees only a part of the conversation.
pub(crate) fn sees_mentions_only(installation: &Installation, conversation: &Conversation) -> bool {
    is_bot(installation) && conversation.kind != ConversationKind::Direct
}

/// Whether a scope is granted. An installation that does not tell its scopes is taken at its word.
pub(crate) fn granted(installation: &Installation, scope: &str) -> bool {
    let scopes = &installation.scopes;
    scopes.is_empty() || scopes.iter().any(|granted| covers(granted, scope))
}

/// Whether a granted scope gives what another asks for: `spark:all` bundles what a person may do.
pub(crate) fn covers(granted: &str, asked: &str) -> bool {
    granted == asked || granted == "spark:all" && asked.starts_with("spark:") && asked != "spark:kms"
}

/// Whether edits of the whole organisation can be read; never taken for granted.
pub(crate) fn reads_compliance_events(installation: &Installation) -> bool {
    installation.scopes.contains("spark-compliance:events_read")
}

fn level(feature: Feature) -> Level {
    match feature {
        Feature::Text
        | Feature::Code
        | Feature::Headings
        | Feature::ThreadReply
        | Feature::Deletion
        | Feature::MentionPerson
        | Feature::MentionEveryone
        | Feature::File
        | Feature::AuthorName
        | Feature::OwnToken => Level::Native,
        Feature::Tables
        // Ten times, and not where there is a file.
        | Feature::Edit
        | Feature::Quote
        | Feature::DirectMessage
        | Feature::Notice => Level::Partial,
        // There is no public API for reactions.
        Feature::ReactionOwn
        | Feature::ReactionApp
        | Feature::Broadcast
        | Feature::Card
        | Feature::CustomEmoji => Level::Fallback,
        Feature::AuthorPicture => Level::Dropped,
    }
}

/// The capabilities, from the granted scopes and the kind of account and conversation.
pub(crate) fn capabilities(installation: &Installation, conversation: &Conversation) -> Capabilities {
    let reads = granted(installation, "spark:messages_read");
    let mentions_only = sees_mentions_only(installation, conversation);
    Capabilities {
        levels: Feature::ALL.iter().map(|feature| (*feature, level(*feature))).collect(),
        own_levels: BTreeMap::new(),
        text: TEXT,
        reread: reads,
        // A bot is shown no list that has its own posts in it.
        read_back: reads && !mentions_only,
        history: reads,
        // "Two messages a few milliseconds apart may be delivered swapped."
        reorder_window_ms: 300,
        max_edits: Some(MAX_EDITS),
        unannounced_edits_ms: Some(UNANNOUNCED_EDITS_MS),
        max_file_bytes: Some(MOST_FILE_BYTES),
        file_needs_length: false,
        send_interval_ms: 300,
    }
}
