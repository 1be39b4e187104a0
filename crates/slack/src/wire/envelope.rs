//! The outer part of an event and the ids inside of it, borrowed from the body. Text is skipped over.

use std::borrow::Cow;
use std::ops::Deref;

use serde::Deserialize;
use serde_json::value::RawValue;

/// A text that is copied only where JSON escapes some of it.
#[derive(Deserialize)]
pub(crate) struct Word<'a>(#[serde(borrow)] Cow<'a, str>);

impl Deref for Word<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

type Text<'a> = Option<Word<'a>>;

#[derive(Deserialize)]
pub(crate) struct Envelope<'a> {
    #[serde(rename = "type", borrow, default)]
    pub kind: Text<'a>,
    #[serde(borrow, default)]
    pub challenge: Text<'a>,
    #[serde(borrow, default)]
    pub team_id: Text<'a>,
    #[serde(borrow, default)]
    pub enterprise_id: Text<'a>,
    #[serde(borrow, default)]
    pub event_id: Text<'a>,
    #[serde(default)]
    pub event_time: Option<i64>,
    #[serde(default)]
    pub minute_rate_limited: Option<i64>,
    #[serde(borrow, default)]
    pub authorizations: Option<Vec<Authorization<'a>>>,
    #[serde(borrow, default)]
    pub event: Option<Inner<'a>>,
}

#[derive(Deserialize)]
pub(crate) struct Authorization<'a> {
    #[serde(borrow, default)]
    pub team_id: Text<'a>,
    #[serde(borrow, default)]
    pub enterprise_id: Text<'a>,
}

/// The ids of an inner event.
#[derive(Deserialize)]
pub(crate) struct Inner<'a> {
    #[serde(rename = "type", borrow, default)]
    pub kind: Text<'a>,
    #[serde(borrow, default)]
    pub subtype: Text<'a>,
    #[serde(borrow, default)]
    pub tab: Text<'a>,
    #[serde(borrow, default)]
    pub bot_id: Text<'a>,
    #[serde(default)]
    pub hidden: Option<bool>,
    /// Text in most events, an object in some.
    #[serde(borrow, default)]
    channel: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub old_channel_id: Text<'a>,
    #[serde(borrow, default)]
    pub ts: Text<'a>,
    #[serde(borrow, default)]
    pub thread_ts: Text<'a>,
    #[serde(borrow, default)]
    pub deleted_ts: Text<'a>,
    #[serde(borrow, default)]
    pub event_ts: Text<'a>,
    #[serde(borrow, default)]
    pub item: Option<ItemIds<'a>>,
    #[serde(borrow, default)]
    pub message: Option<MessageIds<'a>>,
    #[serde(borrow, default)]
    pub previous_message: Option<MessageIds<'a>>,
}

#[derive(Deserialize)]
pub(crate) struct ItemIds<'a> {
    #[serde(borrow, default)]
    pub channel: Text<'a>,
    #[serde(borrow, default)]
    pub ts: Text<'a>,
}

#[derive(Deserialize)]
pub(crate) struct MessageIds<'a> {
    #[serde(borrow, default)]
    pub ts: Text<'a>,
    #[serde(borrow, default)]
    pub thread_ts: Text<'a>,
    #[serde(borrow, default)]
    pub subtype: Text<'a>,
}

impl Inner<'_> {
    /// The conversation, in whichever form it is named.
    pub(crate) fn channel(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Object<'a> {
            #[serde(borrow)]
            id: Word<'a>,
        }
        if let Some(raw) = self.channel.map(RawValue::get) {
            let id = if raw.starts_with('"') {
                serde_json::from_str::<String>(raw).ok()
            } else {
                serde_json::from_str::<Object<'_>>(raw).ok().map(|object| object.id.to_owned())
            };
            return id.filter(|id| !id.is_empty());
        }
        let item = self.item.as_ref().and_then(|item| item.channel.as_ref());
        item.or(self.old_channel_id.as_ref()).map(|id| id.to_string())
    }
}
