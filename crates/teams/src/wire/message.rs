//! Graph's chatMessage resource type.
#![expect(clippy::struct_field_names, reason = "the names are the platform's")]

use serde::Deserialize;

use super::nullable;

/// A message.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ChatMessage {
    #[serde(deserialize_with = "nullable")]
    pub(crate) id: String,
    pub(crate) reply_to_id: Option<String>,
    pub(crate) message_type: Option<String>,
    pub(crate) created_date_time: Option<String>,
    pub(crate) last_modified_date_time: Option<String>,
    pub(crate) last_edited_date_time: Option<String>,
    pub(crate) deleted_date_time: Option<String>,
    pub(crate) subject: Option<String>,
    pub(crate) chat_id: Option<String>,
    pub(crate) channel_identity: Option<ChannelIdentity>,
    pub(crate) web_url: Option<String>,
    pub(crate) from: Option<IdentitySet>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) body: Body,
    #[serde(deserialize_with = "nullable")]
    pub(crate) attachments: Vec<Attachment>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) mentions: Vec<Mention>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) message_history: Vec<History>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) reactions: Vec<Reaction>,
    pub(crate) policy_violation: Option<PolicyViolation>,
    pub(crate) event_detail: Option<EventDetail>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) replies: Vec<ChatMessage>,
    #[serde(rename = "replies@odata.nextLink")]
    pub(crate) replies_next: Option<String>,
}

/// Which channel a message is in.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ChannelIdentity {
    pub(crate) team_id: Option<String>,
    pub(crate) channel_id: Option<String>,
}

/// Who, or what; one of them is set.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct IdentitySet {
    pub(crate) user: Option<Identity>,
    pub(crate) application: Option<Identity>,
    pub(crate) conversation: Option<Identity>,
    pub(crate) tag: Option<Identity>,
}

/// One identity.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Identity {
    pub(crate) id: Option<String>,
    pub(crate) display_name: Option<String>,
    pub(crate) conversation_identity_type: Option<String>,
}

/// The text.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Body {
    #[serde(deserialize_with = "nullable")]
    pub(crate) content_type: String,
    #[serde(deserialize_with = "nullable")]
    pub(crate) content: String,
}

/// A file, a quote, a card.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Attachment {
    #[serde(deserialize_with = "nullable")]
    pub(crate) id: String,
    #[serde(deserialize_with = "nullable")]
    pub(crate) content_type: String,
    pub(crate) content_url: Option<String>,
    /// JSON as text, mostly.
    pub(crate) content: Option<serde_json::Value>,
    pub(crate) name: Option<String>,
}

/// Whom `<at id>` names.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Mention {
    #[serde(deserialize_with = "nullable")]
    pub(crate) id: i64,
    #[serde(deserialize_with = "nullable")]
    pub(crate) mention_text: String,
    #[serde(deserialize_with = "nullable")]
    pub(crate) mentioned: IdentitySet,
}

/// What was done to a message, newest last as far as it was seen.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct History {
    pub(crate) modified_date_time: Option<String>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) actions: String,
    pub(crate) reaction: Option<Reaction>,
}

/// A reaction.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Reaction {
    #[serde(deserialize_with = "nullable")]
    pub(crate) reaction_type: String,
    pub(crate) display_name: Option<String>,
    pub(crate) created_date_time: Option<String>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) user: IdentitySet,
}

/// What a data loss prevention tool decided.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct PolicyViolation {
    #[serde(deserialize_with = "nullable")]
    pub(crate) dlp_action: String,
}

/// What a system event tells.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct EventDetail {
    #[serde(rename = "@odata.type", deserialize_with = "nullable")]
    pub(crate) kind: String,
    pub(crate) channel_description: Option<String>,
}
