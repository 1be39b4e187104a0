//! Events with everything in them.

use serde::Deserialize;
use serde_json::Value;

use super::lenient::{lenient, list};

#[derive(Deserialize)]
pub(crate) struct Event {
    #[serde(default)]
    pub event: String,
    #[serde(default, deserialize_with = "lenient")]
    pub event_ts: Option<i64>,
    #[serde(default)]
    pub payload: Value,
}

#[derive(Deserialize, Default)]
pub(crate) struct Payload {
    #[serde(default)]
    pub operator: Option<String>,
    #[serde(default)]
    pub operator_id: Option<String>,
    #[serde(default)]
    pub operator_member_id: Option<String>,
    #[serde(default)]
    pub object: Value,
}

#[derive(Deserialize, Default)]
pub(crate) struct Place {
    #[serde(default)]
    pub channel_id: Option<String>,
    #[serde(default)]
    pub contact_id: Option<String>,
    #[serde(default)]
    pub contact_member_id: Option<String>,
}

#[derive(Deserialize, Default)]
pub(crate) struct Reaction {
    #[serde(default)]
    pub msg_id: Option<String>,
    #[serde(default)]
    pub message_id: Option<String>,
    #[serde(default)]
    pub emoji: Option<String>,
}

/// A person whose data changed.
#[derive(Deserialize, Default)]
pub(crate) struct Account {
    #[serde(default)]
    pub id: Option<String>,
}

/// A channel and what happened to its members.
#[derive(Deserialize, Default)]
pub(crate) struct Channel {
    #[serde(default)]
    pub id: Option<String>,
    #[serde(default)]
    pub channel_id: Option<String>,
    #[serde(default)]
    pub name: Option<String>,
    #[serde(default, deserialize_with = "list")]
    pub members: Vec<Member>,
}

#[derive(Deserialize, Default)]
pub(crate) struct Member {
    #[serde(default)]
    pub id: Option<String>,
}
