//! A message, in events and in answers.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::lenient::{lenient, list};

#[derive(Deserialize, Default)]
pub(crate) struct Message {
    #[serde(default)]
    pub subtype: Option<String>,
    #[serde(default)]
    pub hidden: Option<bool>,
    #[serde(default)]
    pub ts: Option<String>,
    #[serde(default)]
    pub thread_ts: Option<String>,
    #[serde(default)]
    pub latest_reply: Option<String>,
    #[serde(default)]
    pub user: Option<String>,
    #[serde(default)]
    pub bot_id: Option<String>,
    #[serde(default)]
    pub app_id: Option<String>,
    #[serde(default)]
    pub client_msg_id: Option<String>,
    #[serde(default)]
    pub username: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub icons: Option<Icons>,
    #[serde(default, deserialize_with = "lenient")]
    pub bot_profile: Option<BotProfile>,
    #[serde(default)]
    pub text: Option<String>,
    #[serde(default)]
    pub blocks: Option<Value>,
    #[serde(default)]
    pub attachments: Option<Value>,
    #[serde(default, deserialize_with = "list")]
    pub files: Vec<File>,
    /// Before several files per message existed.
    #[serde(default, deserialize_with = "lenient")]
    pub file: Option<File>,
    #[serde(default, deserialize_with = "lenient")]
    pub edited: Option<Edited>,
    #[serde(default, deserialize_with = "lenient")]
    pub metadata: Option<Metadata>,
    #[serde(default, deserialize_with = "list")]
    pub reactions: Vec<Reaction>,
}

/// An emoji and who reacted with it.
#[derive(Deserialize)]
pub(crate) struct Reaction {
    pub name: String,
    /// Perhaps not all of them.
    #[serde(default, deserialize_with = "list")]
    pub users: Vec<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub count: Option<u64>,
}

#[derive(Deserialize)]
pub(crate) struct Edited {
    #[serde(default)]
    pub ts: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct Metadata {
    #[serde(default)]
    pub event_type: Option<String>,
    #[serde(default)]
    pub event_payload: Option<Value>,
}

#[derive(Deserialize)]
pub(crate) struct BotProfile {
    #[serde(default)]
    pub name: Option<String>,
    #[serde(default)]
    pub app_id: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub icons: Option<Icons>,
}

#[derive(Deserialize)]
pub(crate) struct Icons {
    #[serde(default, rename = "image_72")]
    pub px72: Option<String>,
    #[serde(default, rename = "image_64")]
    pub px64: Option<String>,
    #[serde(default, rename = "image_48")]
    pub px48: Option<String>,
    #[serde(default, rename = "image_36")]
    pub px36: Option<String>,
}

impl Icons {
    /// The largest picture.
    pub(crate) fn best(&self) -> Option<&String> {
        [&self.px72, &self.px64, &self.px48, &self.px36].into_iter().find_map(Option::as_ref)
    }
}

#[derive(Deserialize)]
pub(crate) struct File {
    #[serde(default)]
    pub id: Option<String>,
    #[serde(default)]
    pub name: Option<String>,
    #[serde(default)]
    pub title: Option<String>,
    #[serde(default)]
    pub mimetype: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub size: Option<u64>,
    #[serde(default)]
    pub mode: Option<String>,
    #[serde(default, rename = "file_access")]
    pub access: Option<String>,
    #[serde(default)]
    pub permalink: Option<String>,
    #[serde(default)]
    pub is_external: Option<bool>,
    #[serde(default, deserialize_with = "lenient")]
    pub created: Option<i64>,
    #[serde(default)]
    pub url_private: Option<String>,
    #[serde(default)]
    pub url_private_download: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub shares: Option<Shares>,
}

/// Where a file was shared: conversations with the messages.
#[derive(Deserialize, Default)]
pub(crate) struct Shares {
    #[serde(default)]
    pub public: BTreeMap<String, Vec<Shared>>,
    #[serde(default)]
    pub private: BTreeMap<String, Vec<Shared>>,
}

/// One message with a file.
#[derive(Deserialize)]
pub(crate) struct Shared {
    #[serde(default)]
    pub ts: Option<String>,
}
