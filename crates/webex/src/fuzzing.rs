//! The parsers of this connector for the fuzzer: bytes in, events out, no I/O.

use dragoman_model::{Event, Happening};

use crate::decode::{self, Own};
use crate::source::{self, Announced, Receiver};
use crate::wire::answers::Message;
use crate::{envelope, ids};

fn own() -> Own {
    Own { person: Some(ids::person("1f2e3d4c-0000-4000-8000-00000000000a")), bot: true }
}

/// Reads a delivery as the door does after its signature held, and decodes what it brought.
pub fn delivery(data: &[u8]) -> Vec<Event> {
    let Ok(delivery) = envelope::read(data, 0) else { return Vec::new() };
    let payloads = delivery.items.iter().map(|item| item.payload.expose());
    let own = own();
    let receiver = Receiver { own: &own, org: "org", now_ms: 0, moved: &|_| None };
    let announced = payloads.filter_map(|payload| source::announced(payload, &receiver).ok());
    announced
        .filter_map(|announced| match announced {
            Announced::Done(event) => Some(event),
            Announced::Message { .. } => None,
        })
        .collect()
}

/// Decodes a message as the API gives it.
pub fn message(data: &[u8]) -> Option<Event> {
    let wire: Message = serde_json::from_slice(data).ok()?;
    let _ = wire.is_unreadable();
    let message = decode::message(&wire, wire.room_id.as_deref().unwrap_or_default(), &own())?;
    Some(Event { conversation: None, at_ms: 0, happening: Happening::Posted(Box::new(message)) })
}
