//! Rows of the store as tests need them: whole, with whatever nobody asks about.

use dragoman_model::EventKind;
use dragoman_store::{CopyRow, EventRow, OriginalRow};

/// An event of this kind that names no conversation.
pub(crate) fn event(kind: EventKind) -> EventRow {
    EventRow {
        id: "e1".into(),
        org: "o1".into(),
        installation: "i1".into(),
        bridge: None,
        conversation: None,
        message: None,
        thread_root: None,
        kind: kind.as_str().to_owned(),
        feed: String::new(),
        at_ms: 1,
        received_ms: 1,
    }
}

/// One part of a copy, as the app posted it.
pub(crate) fn copy(part: u32) -> CopyRow {
    CopyRow {
        conversation: "c2".into(),
        part,
        message: format!("m{part}").into(),
        thread_root: None,
        spokesman: "app".into(),
        edits: 0,
        version: None,
        fingerprint: None,
        epoch: None,
        file: None,
        beside: None,
    }
}

/// A message outside of threads.
pub(crate) fn original(message: &str, sent_ms: i64) -> OriginalRow {
    OriginalRow {
        bridge: "b1".into(),
        conversation: "c1".into(),
        message: message.into(),
        thread_root: None,
        sent_ms,
        active_ms: sent_ms,
    }
}
