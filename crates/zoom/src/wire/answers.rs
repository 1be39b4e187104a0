//! Answers of the API and of the token endpoint.

use dragoman_seal::Token;
use serde::Deserialize;

use super::lenient::{lenient, list};
use super::message::Message;

/// What went wrong.
#[derive(Deserialize, Default)]
pub(crate) struct Fault {
    #[serde(default, deserialize_with = "lenient")]
    pub code: Option<i64>,
    #[serde(default)]
    pub message: Option<String>,
    #[serde(default, deserialize_with = "list")]
    pub errors: Vec<FieldFault>,
}

#[derive(Deserialize)]
pub(crate) struct FieldFault {
    #[serde(default)]
    pub field: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct Sent {
    #[serde(default)]
    pub id: Option<String>,
}

/// A message of the bot.
#[derive(Deserialize)]
pub(crate) struct BotSent {
    #[serde(default)]
    pub message_id: Option<String>,
}

/// A file as it is looked up.
#[derive(Deserialize)]
pub(crate) struct StoredFile {
    #[serde(default, deserialize_with = "lenient")]
    pub length: Option<u64>,
    #[serde(default)]
    pub download_url: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct Messages {
    #[serde(default, deserialize_with = "list")]
    pub messages: Vec<Message>,
    #[serde(default)]
    pub next_page_token: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct Channel {
    pub id: String,
    #[serde(default)]
    pub name: Option<String>,
    #[serde(default, rename = "type", deserialize_with = "lenient")]
    pub kind: Option<i64>,
}

#[derive(Deserialize)]
pub(crate) struct Channels {
    #[serde(default, deserialize_with = "list")]
    pub channels: Vec<Channel>,
    #[serde(default)]
    pub next_page_token: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct Members {
    #[serde(default, deserialize_with = "list")]
    pub members: Vec<Member>,
    #[serde(default)]
    pub next_page_token: Option<String>,
}

/// Of strangers only the member id and the name are filled.
#[derive(Deserialize, Clone)]
pub(crate) struct Member {
    #[serde(default)]
    pub id: Option<String>,
    #[serde(default)]
    pub member_id: Option<String>,
    #[serde(default)]
    pub email: Option<String>,
    #[serde(default)]
    pub name: Option<String>,
    #[serde(default)]
    pub first_name: Option<String>,
    #[serde(default)]
    pub last_name: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub is_external: Option<bool>,
}

#[derive(Deserialize)]
pub(crate) struct User {
    pub id: String,
    #[serde(default)]
    pub display_name: Option<String>,
    #[serde(default)]
    pub first_name: Option<String>,
    #[serde(default)]
    pub last_name: Option<String>,
    #[serde(default)]
    pub email: Option<String>,
    #[serde(default)]
    pub pic_url: Option<String>,
    #[serde(default)]
    pub account_id: Option<String>,
    #[serde(default)]
    pub company: Option<String>,
    #[serde(default)]
    pub status: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct Emojis {
    #[serde(default, deserialize_with = "list")]
    pub emojis: Vec<CustomEmoji>,
}

#[derive(Deserialize)]
pub(crate) struct CustomEmoji {
    #[serde(default)]
    pub file_id: Option<String>,
    #[serde(default)]
    pub name: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct Tokens {
    #[serde(default)]
    pub access_token: Option<Token>,
    #[serde(default)]
    pub refresh_token: Option<Token>,
    #[serde(default, deserialize_with = "lenient")]
    pub expires_in: Option<i64>,
    #[serde(default)]
    pub scope: Option<String>,
}

/// The next page: absent and empty both end the list.
pub(crate) fn next(token: Option<String>) -> Option<String> {
    token.filter(|token| !token.is_empty())
}
