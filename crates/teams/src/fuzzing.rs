//! The parsers of this connector for the fuzzer: bytes in, events out, no I/O.

use std::collections::BTreeMap;

use dragoman_model::Event;

use crate::wire::activity::Activity;
use crate::wire::message::ChatMessage;
use crate::wire::notification::{Batch, Notification};
use crate::{decode, envelope};

const APP: &str = "b7d3c9e1-52f4-4a86-8e0d-9a1f6c3b2d75";

/// Reads an activity as the door does after its token held, and decodes what it brought.
pub fn activity(data: &[u8]) -> Option<Event> {
    let activity: Activity = serde_json::from_slice(data).ok()?;
    let _ = (decode::accounts(&activity), decode::is_incomplete(&activity));
    envelope::bot_item(&activity, data, APP, 0)?;
    Some(decode::bot_event(&activity, APP, &BTreeMap::new(), None, &[]))
}

/// Reads a batch of change notifications; returns the events that need no message to be fetched.
pub fn notifications(data: &[u8]) -> Vec<Event> {
    let batch = std::str::from_utf8(data).ok().and_then(|text| serde_json::from_str::<Batch<'_>>(text).ok());
    let mut events = Vec::new();
    for raw in batch.iter().flat_map(|batch| &batch.value) {
        let Ok(notification) = serde_json::from_str::<Notification>(raw.get()) else { continue };
        let _ = envelope::graph_item(&notification, raw.get(), 0);
        if envelope::lifecycle_item(&notification, raw.get(), 0).is_some() {
            events.push(decode::lifecycle_event(&notification, 0));
        }
    }
    events
}

/// Decodes a message of Graph, as new and as changed.
pub fn message(data: &[u8]) -> Vec<Event> {
    let Ok(message) = serde_json::from_slice::<ChatMessage>(data) else { return Vec::new() };
    [true, false].map(|created| decode::graph_event(&message, created, "19:pier@thread.tacv2", APP)).into()
}
