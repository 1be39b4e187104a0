//! Frames of event connections.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
pub(crate) struct Frame<'a> {
    #[serde(borrow, default)]
    pub module: Option<Cow<'a, str>>,
    #[serde(default)]
    pub success: Option<bool>,
    /// Text that holds the JSON of an event; some connections bring the object itself.
    #[serde(borrow, default)]
    pub content: Option<&'a RawValue>,
    /// Some bring the event without a frame.
    #[serde(borrow, default)]
    pub event: Option<Cow<'a, str>>,
}
