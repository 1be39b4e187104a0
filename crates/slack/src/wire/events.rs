//! Events, whole, as they are unsealed.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::lenient::{lenient, list};
use super::message::Message;

#[derive(Deserialize)]
pub(crate) struct Outer<'a> {
    #[serde(rename = "type", default)]
    pub kind: Option<String>,
    #[serde(default)]
    pub api_app_id: Option<String>,
    #[serde(default)]
    pub event_time: Option<i64>,
    #[serde(default)]
    pub minute_rate_limited: Option<i64>,
    #[serde(borrow, default)]
    pub event: Option<&'a RawValue>,
}

/// The parts of an inner event besides those of a message.
#[derive(Deserialize)]
pub(crate) struct Inner {
    #[serde(rename = "type", default)]
    pub kind: String,
    #[serde(default)]
    pub subtype: Option<String>,
    #[serde(default)]
    pub hidden: Option<bool>,
    #[serde(default)]
    pub channel: Option<Value>,
    #[serde(default)]
    pub event_ts: Option<String>,
    #[serde(default)]
    pub deleted_ts: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub message: Option<Message>,
    #[serde(default, deserialize_with = "lenient")]
    pub previous_message: Option<Message>,
    /// A user id in most events, a whole user object in some.
    #[serde(default)]
    pub user: Option<Value>,
    /// Who invited them, in `member_joined_channel`.
    #[serde(default)]
    pub inviter: Option<String>,
    #[serde(default)]
    pub reaction: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub item: Option<ItemRef>,
    #[serde(default)]
    pub topic: Option<String>,
    #[serde(default)]
    pub purpose: Option<String>,
    #[serde(default)]
    pub old_channel_id: Option<String>,
    #[serde(default)]
    pub new_channel_id: Option<String>,
    #[serde(default)]
    pub is_ext_shared: Option<bool>,
    #[serde(default, deserialize_with = "lenient")]
    pub tokens: Option<Revoked>,
}

#[derive(Deserialize)]
pub(crate) struct ItemRef {
    #[serde(rename = "type", default)]
    pub kind: Option<String>,
    #[serde(default)]
    pub channel: Option<String>,
    #[serde(default)]
    pub ts: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct Revoked {
    #[serde(default, deserialize_with = "list")]
    pub oauth: Vec<String>,
    #[serde(default, deserialize_with = "list")]
    pub bot: Vec<String>,
}

/// A text that stands alone or as the `id` of an object.
pub(crate) fn id_of(value: Option<&Value>) -> Option<&str> {
    match value? {
        Value::String(id) => Some(id),
        Value::Object(object) => object.get("id")?.as_str(),
        _ => None,
    }
}
