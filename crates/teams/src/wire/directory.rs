//! Users, teams, channels and chats of Graph.
#![expect(clippy::struct_field_names, reason = "the names are the platform's")]

use serde::Deserialize;

use super::nullable;

/// A user.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct User {
    #[serde(deserialize_with = "nullable")]
    pub(crate) id: String,
    pub(crate) display_name: Option<String>,
    pub(crate) mail: Option<String>,
    pub(crate) user_principal_name: Option<String>,
    pub(crate) account_enabled: Option<bool>,
    pub(crate) user_type: Option<String>,
}

/// A team or a channel.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Group {
    #[serde(deserialize_with = "nullable")]
    pub(crate) id: String,
    pub(crate) display_name: Option<String>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) membership_type: String,
    #[serde(deserialize_with = "nullable")]
    pub(crate) is_archived: bool,
}

/// A chat.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Chat {
    #[serde(deserialize_with = "nullable")]
    pub(crate) id: String,
    pub(crate) topic: Option<String>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) chat_type: String,
    pub(crate) tenant_id: Option<String>,
}

/// The tenant.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Organization {
    pub(crate) display_name: Option<String>,
}
