//! The parsers of this connector for the fuzzer: bytes in, events out, no I/O.

use std::collections::{BTreeMap, BTreeSet};

use dragoman_model::Event;
use dragoman_platform::App;

use crate::decode::{self, Own};
use crate::envelope::{self, Door};
use crate::ids;
use crate::memory::Memory;

/// Reads an event request as the door does after its signature held, and decodes what it brought.
pub fn events(data: &[u8]) -> Vec<Event> {
    let app = App {
        id: "app".into(),
        org: "org".into(),
        platform: ids::PLATFORM,
        facts: BTreeMap::new(),
        secrets: BTreeMap::new(),
        features: BTreeSet::new(),
    };
    let memory = Memory::default();
    let _ = envelope::unsigned_validation(data);
    let Ok(delivery) = envelope::read(Door { app: &app, memory: &memory, now_ms: 0 }, data) else {
        return Vec::new();
    };
    let payloads = delivery.items.iter().map(|item| item.payload.expose());
    let own = Own::default();
    let decoded = payloads.filter_map(|payload| decode::event(payload, &own, &memory).ok());
    decoded.map(|decoded| decoded.event).collect()
}
