//! Answers of the Web API.

use std::collections::BTreeMap;

use dragoman_seal::Token;
use serde::Deserialize;

use super::lenient::{lenient, list};
use super::message::{File, Message};

/// What every answer has.
#[derive(Deserialize)]
pub(crate) struct Head {
    #[serde(default)]
    pub ok: bool,
    #[serde(default)]
    pub error: Option<String>,
}

/// An answer of which nothing is read.
#[derive(Deserialize)]
pub(crate) struct Nothing {}

#[derive(Deserialize, Default)]
pub(crate) struct PageInfo {
    #[serde(default)]
    next_cursor: Option<String>,
}

/// The next cursor: absent, null and empty all end the list.
pub(crate) fn next(page: Option<PageInfo>) -> Option<String> {
    page.and_then(|page| page.next_cursor).filter(|cursor| !cursor.is_empty())
}

#[derive(Deserialize)]
pub(crate) struct Posted {
    #[serde(default)]
    pub ts: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub message: Option<Message>,
}

/// The address of a message.
#[derive(Deserialize)]
pub(crate) struct Permalink {
    #[serde(default)]
    pub permalink: Option<String>,
}

/// Where the bytes of a new file go. The address is a secret: who has it can write the file.
#[derive(Deserialize)]
pub(crate) struct Reserved {
    pub upload_url: Token,
    pub file_id: String,
}

#[derive(Deserialize)]
pub(crate) struct OneFile {
    pub file: File,
}

#[derive(Deserialize)]
pub(crate) struct Messages {
    #[serde(default, deserialize_with = "list")]
    pub messages: Vec<Message>,
    #[serde(default, deserialize_with = "lenient")]
    pub response_metadata: Option<PageInfo>,
}

#[derive(Deserialize)]
pub(crate) struct Reacted {
    pub message: Message,
}

#[derive(Deserialize)]
pub(crate) struct OneChannel {
    pub channel: Channel,
}

#[derive(Deserialize)]
pub(crate) struct Channels {
    #[serde(default, deserialize_with = "list")]
    pub channels: Vec<Channel>,
    #[serde(default, deserialize_with = "lenient")]
    pub response_metadata: Option<PageInfo>,
}

#[derive(Deserialize)]
pub(crate) struct Channel {
    pub id: String,
    #[serde(default)]
    pub name: Option<String>,
    #[serde(default)]
    pub is_im: Option<bool>,
    #[serde(default)]
    pub is_mpim: Option<bool>,
    #[serde(default)]
    pub is_private: Option<bool>,
    #[serde(default)]
    pub is_archived: Option<bool>,
    #[serde(default)]
    pub is_member: Option<bool>,
    #[serde(default)]
    pub is_ext_shared: Option<bool>,
    #[serde(default)]
    pub is_pending_ext_shared: Option<bool>,
}

#[derive(Deserialize)]
pub(crate) struct OneUser {
    pub user: User,
}

#[derive(Deserialize)]
pub(crate) struct User {
    pub id: String,
    #[serde(default)]
    pub team_id: Option<String>,
    #[serde(default)]
    pub deleted: Option<bool>,
    #[serde(default)]
    pub is_bot: Option<bool>,
    #[serde(default)]
    pub is_restricted: Option<bool>,
    #[serde(default)]
    pub is_ultra_restricted: Option<bool>,
    #[serde(default)]
    pub real_name: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub profile: Option<UserProfile>,
    #[serde(default, deserialize_with = "lenient", rename = "enterprise_user")]
    pub of_enterprise: Option<EnterpriseUser>,
}

#[derive(Deserialize, Default)]
pub(crate) struct UserProfile {
    #[serde(default)]
    pub display_name: Option<String>,
    #[serde(default)]
    pub real_name: Option<String>,
    #[serde(default)]
    pub email: Option<String>,
    #[serde(default)]
    pub image_512: Option<String>,
    #[serde(default)]
    pub image_192: Option<String>,
    #[serde(default)]
    pub image_72: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct EnterpriseUser {
    #[serde(default)]
    pub enterprise_id: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct OneBot {
    pub bot: Bot,
}

#[derive(Deserialize)]
pub(crate) struct Bot {
    pub id: String,
    #[serde(default)]
    pub name: Option<String>,
    #[serde(default)]
    pub deleted: Option<bool>,
    #[serde(default, deserialize_with = "lenient")]
    pub icons: Option<super::message::Icons>,
}

#[derive(Deserialize)]
pub(crate) struct OAuth {
    #[serde(default)]
    pub access_token: Option<Token>,
    #[serde(default)]
    pub refresh_token: Option<Token>,
    #[serde(default, deserialize_with = "lenient")]
    pub expires_in: Option<i64>,
    #[serde(default)]
    pub scope: Option<String>,
    #[serde(default)]
    pub bot_user_id: Option<String>,
    #[serde(default)]
    pub app_id: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub team: Option<Named>,
    #[serde(default, deserialize_with = "lenient")]
    pub enterprise: Option<Named>,
    #[serde(default)]
    pub is_enterprise_install: Option<bool>,
    #[serde(default, deserialize_with = "lenient")]
    pub authed_user: Option<AuthedUser>,
}

/// Who consented; with a token where scopes of theirs were asked for.
#[derive(Deserialize)]
pub(crate) struct AuthedUser {
    pub id: String,
    #[serde(default)]
    pub scope: Option<String>,
    #[serde(default)]
    pub access_token: Option<Token>,
    #[serde(default)]
    pub refresh_token: Option<Token>,
    #[serde(default, deserialize_with = "lenient")]
    pub expires_in: Option<i64>,
}

#[derive(Deserialize)]
pub(crate) struct Named {
    pub id: String,
    #[serde(default)]
    pub name: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct AuthTest {
    #[serde(default)]
    pub team: Option<String>,
    #[serde(default)]
    pub is_enterprise_install: Option<bool>,
    #[serde(default)]
    pub url: Option<String>,
    #[serde(default)]
    pub team_id: Option<String>,
    #[serde(default)]
    pub user_id: Option<String>,
    #[serde(default)]
    pub bot_id: Option<String>,
    #[serde(default)]
    pub app_id: Option<String>,
    #[serde(default)]
    pub enterprise_id: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct SocketUrl {
    pub url: Token,
}

/// Arguments of a call as form fields.
pub(crate) type Form = BTreeMap<&'static str, String>;
