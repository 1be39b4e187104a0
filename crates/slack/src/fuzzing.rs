//! The parsers of this connector for the fuzzer: bytes in, events out, no I/O.

use dragoman_model::Event;

use crate::decode::{self, Own};
use crate::envelope;

/// Reads an event request as the door does after its signature held, and decodes what it brought.
pub fn events(data: &[u8]) -> Vec<Event> {
    let Ok(delivery) = envelope::read(data) else { return Vec::new() };
    let payloads = delivery.items.iter().map(|item| item.payload.expose());
    let decoded = payloads.filter_map(|payload| decode::event(payload, Own::default()).ok());
    decoded.map(|decoded| decoded.event).collect()
}
