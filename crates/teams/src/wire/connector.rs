//! Answers of the Bot Connector ("Bot Connector API reference", "Get Teams specific context for your bot").

use serde::{Deserialize, Serialize};

use super::nullable;

/// A message that a bot sends.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MessageActivity<'a> {
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    pub(crate) text_format: &'static str,
    pub(crate) text: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) entities: Vec<MentionEntity<'a>>,
}

/// A mention in it.
#[derive(Serialize)]
pub(crate) struct MentionEntity<'a> {
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    pub(crate) text: String,
    pub(crate) mentioned: MentionedAccount<'a>,
}

/// Who is mentioned.
#[derive(Serialize)]
pub(crate) struct MentionedAccount<'a> {
    pub(crate) id: &'a str,
    pub(crate) name: &'a str,
}

/// What a call that made an activity answers.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct ResourceAnswer {
    #[serde(deserialize_with = "nullable")]
    pub(crate) id: String,
}

/// A team.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Team {
    pub(crate) name: Option<String>,
    pub(crate) aad_group_id: Option<String>,
}

/// Channels of a team.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct Channels {
    #[serde(deserialize_with = "nullable")]
    pub(crate) conversations: Vec<Channel>,
}

/// A channel; the general one has no name.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct Channel {
    #[serde(deserialize_with = "nullable")]
    pub(crate) id: String,
    pub(crate) name: Option<String>,
}

/// Somebody on the roster.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Member {
    #[serde(deserialize_with = "nullable")]
    pub(crate) id: String,
    pub(crate) name: Option<String>,
    pub(crate) given_name: Option<String>,
    pub(crate) surname: Option<String>,
    pub(crate) email: Option<String>,
    pub(crate) tenant_id: Option<String>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) user_role: String,
    #[serde(alias = "objectId")]
    pub(crate) aad_object_id: Option<String>,
}

/// A page of the roster.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Members {
    #[serde(deserialize_with = "nullable")]
    pub(crate) members: Vec<Member>,
    pub(crate) continuation_token: Option<String>,
}

/// An error, in either form: `{"error":{"code","message"}}`, or `{"errorCode":n,"message":"{…}"}` with JSON
/// inside the text.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ErrorAnswer {
    pub(crate) error: Option<ErrorBody>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) message: String,
}

/// What went wrong.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ErrorBody {
    #[serde(deserialize_with = "nullable")]
    pub(crate) code: String,
    #[serde(deserialize_with = "nullable")]
    pub(crate) message: String,
}

/// The JSON inside the text of the second form.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct InnerError {
    #[serde(deserialize_with = "nullable")]
    pub(crate) sub_code: String,
}
