//! Messages, in events and in lists.

use serde::Deserialize;

use super::lenient::{lenient, list};

/// A message of the new event family, of the old one, and of lists: the names differ, the reading is one.
#[derive(Deserialize, Default)]
pub(crate) struct Message {
    #[serde(default)]
    pub message_id: Option<String>,
    #[serde(default)]
    pub msg_id: Option<String>,
    #[serde(default)]
    pub id: Option<String>,
    #[serde(default)]
    pub message: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub timestamp: Option<i64>,
    #[serde(default)]
    pub date_time: Option<String>,
    #[serde(default)]
    pub reply_main_message_id: Option<String>,
    #[serde(default)]
    pub parent_msg_id: Option<String>,
    #[serde(default, deserialize_with = "list")]
    pub files: Vec<File>,
    /// The first file, repeated in lists.
    #[serde(default)]
    pub file_id: Option<String>,
    #[serde(default)]
    pub file_name: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub file_size: Option<u64>,
    #[serde(default, deserialize_with = "list")]
    pub rich_text: Vec<Range>,
    #[serde(default, deserialize_with = "list")]
    pub at_items: Vec<AtItem>,
    // In lists.
    #[serde(default)]
    pub sender: Option<String>,
    #[serde(default)]
    pub sender_display_name: Option<String>,
    #[serde(default)]
    pub send_member_id: Option<String>,
    #[serde(default)]
    pub sender_user_id: Option<String>,
    #[serde(default)]
    pub status: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub bot_message: Option<serde_json::Map<String, serde_json::Value>>,
    #[serde(default, deserialize_with = "list")]
    pub reactions: Vec<Reaction>,
}

/// An emoji and who reacted with it: `senders` in lists, `user_ids` and `member_ids` of a single message.
#[derive(Deserialize)]
pub(crate) struct Reaction {
    #[serde(default)]
    pub emoji: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub total_count: Option<u64>,
    #[serde(default, deserialize_with = "list")]
    pub senders: Vec<Sender>,
    #[serde(default, deserialize_with = "list")]
    pub user_ids: Vec<String>,
    #[serde(default, deserialize_with = "list")]
    pub member_ids: Vec<String>,
}

#[derive(Deserialize)]
pub(crate) struct Sender {
    #[serde(default)]
    pub user_id: Option<String>,
    #[serde(default)]
    pub member_id: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct File {
    #[serde(default)]
    pub file_id: Option<String>,
    #[serde(default)]
    pub file_name: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub file_size: Option<u64>,
}

#[derive(Deserialize)]
pub(crate) struct Range {
    pub start_position: i64,
    pub end_position: i64,
    #[serde(default)]
    pub format_type: Option<String>,
    #[serde(default)]
    pub format_attr: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct AtItem {
    pub start_position: i64,
    pub end_position: i64,
    #[serde(default, deserialize_with = "lenient")]
    pub at_type: Option<i64>,
    #[serde(default)]
    pub at_contact: Option<String>,
    #[serde(default)]
    pub at_contact_user_id: Option<String>,
    #[serde(default)]
    pub at_contact_member_id: Option<String>,
}
