//! The outer part of an event and the ids inside of it, borrowed from the body. Text is skipped over.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

type Text<'a> = Option<Cow<'a, str>>;

#[derive(Deserialize)]
pub(crate) struct Envelope<'a> {
    #[serde(borrow, default)]
    pub event: Text<'a>,
    #[serde(borrow, default)]
    pub event_ts: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub payload: Option<Payload<'a>>,
}

/// What an event says of itself.
#[derive(Deserialize, Default)]
pub(crate) struct Payload<'a> {
    #[serde(rename = "plainToken", borrow, default)]
    pub plain_token: Text<'a>,
    #[serde(borrow, default)]
    pub account_id: Text<'a>,
    #[serde(borrow, default)]
    pub operator_id: Text<'a>,
    #[serde(borrow, default)]
    pub operator_member_id: Text<'a>,
    /// What a bot hears has names of its own.
    #[serde(rename = "accountId", borrow, default)]
    pub bot_account: Text<'a>,
    #[serde(rename = "userId", borrow, default)]
    pub bot_user: Text<'a>,
    #[serde(rename = "triggerId", borrow, default)]
    pub trigger: Text<'a>,
    #[serde(borrow, default)]
    pub timestamp: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub deauthorization_time: Text<'a>,
    #[serde(borrow, default)]
    pub object: Option<Object<'a>>,
}

/// What an event is about.
#[derive(Deserialize, Default)]
pub(crate) struct Object<'a> {
    #[serde(borrow, default)]
    pub id: Text<'a>,
    #[serde(borrow, default)]
    pub message_id: Text<'a>,
    #[serde(borrow, default)]
    pub msg_id: Text<'a>,
    #[serde(borrow, default)]
    pub channel_id: Text<'a>,
    #[serde(borrow, default)]
    pub channel_owner_account_id: Text<'a>,
    #[serde(borrow, default)]
    pub contact_id: Text<'a>,
    #[serde(borrow, default)]
    pub contact_member_id: Text<'a>,
    #[serde(borrow, default)]
    pub contact_account_id: Text<'a>,
    /// So in Zoom's own examples.
    #[serde(rename = "contact_account_id ", borrow, default)]
    pub contact_account_id_spaced: Text<'a>,
    #[serde(borrow, default)]
    pub reply_main_message_id: Text<'a>,
    #[serde(borrow, default)]
    pub parent_msg_id: Text<'a>,
    #[serde(borrow, default)]
    pub timestamp: Option<&'a RawValue>,
}

/// The text, unless it is empty.
pub(crate) fn filled<'t>(text: &'t Text<'_>) -> Option<&'t str> {
    text.as_deref().map(str::trim).filter(|text| !text.is_empty())
}

/// A number, also one that is written as text.
pub(crate) fn number(raw: Option<&RawValue>) -> Option<i64> {
    raw?.get().trim_matches('"').parse().ok()
}
