//! Identifiers and times as Webex writes them: the base64 of a URI that names the data region.

use base64::Engine as _;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::engine::{DecodePaddingMode, general_purpose::STANDARD_NO_PAD};
use jiff::Timestamp;

use crate::core::World;

/// The region of people, organisations and applications, whatever region their data is in.
pub const US: &str = "us";

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The public id of a thing: `ciscospark://<cluster>/<TYPE>/<key>` in base64 without padding.
pub fn public(cluster: &str, kind: &str, key: &str) -> String {
    STANDARD_NO_PAD.encode(format!("ciscospark://{cluster}/{kind}/{key}"))
}

/// A person's id.
pub fn person(uuid: &str) -> String {
    public(US, "PEOPLE", uuid)
}

/// An organisation's id.
pub fn org(uuid: &str) -> String {
    public(US, "ORGANIZATION", uuid)
}

/// An application's id.
pub fn application(client_id: &str) -> String {
    public(US, "APPLICATION", client_id)
}

/// What a request means by an id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The region; absent when a bare UUID was given.
    pub cluster: Option<String>,
    /// The part after the type.
    pub key: String,
}

impl Named {
    /// Whether the region given, if any, is this one.
    pub fn is_in(&self, cluster: &str) -> bool {
        self.cluster.as_deref().is_none_or(|given| given == cluster)
    }
}

/// Reads an id of one type, or a bare UUID; `None` for anything else.
pub fn read(kind: &str, text: &str) -> Option<Named> {
    if is_uuid(text) {
        return Some(Named { cluster: None, key: text.to_ascii_lowercase() });
    }
    let bytes = LENIENT.decode(text).ok()?;
    let uri = String::from_utf8(bytes).ok()?;
    let mut parts = uri.strip_prefix("ciscospark://")?.splitn(3, '/');
    let (cluster, found, key) = (parts.next()?, parts.next()?, parts.next()?);
    (found == kind && !key.is_empty())
        .then(|| Named { cluster: Some(cluster.to_owned()), key: key.to_owned() })
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// A time based (version 1) UUID.
pub fn time_uuid(world: &World, micros: i64) -> String {
    // From 1582-10-15 to 1970-01-01, in units of 100 ns.
    const GREGORIAN: i64 = 122_192_928_000_000_000;
    let ticks = (micros * 10 + GREGORIAN).cast_unsigned() | (world.number() % 10);
    let (low, mid, high) = (ticks & 0xffff_ffff, (ticks >> 32) & 0xffff, (ticks >> 48) & 0x0fff);
    let clock = 0x8000 | (world.number() & 0x3fff);
    let node = world.number() & 0xffff_ffff_ffff;
    format!("{low:08x}-{mid:04x}-1{high:03x}-{clock:04x}-{node:012x}")
}

/// `2026-03-02T20:26:02.321Z`.
pub fn iso(millis: i64) -> String {
    let time = Timestamp::from_millisecond(millis).unwrap_or(Timestamp::UNIX_EPOCH);
    format!("{time:.3}")
}

/// Milliseconds since 1970 of an RFC 3339 time.
pub fn parse_iso(text: &str) -> Option<i64> {
    text.parse::<Timestamp>().ok().map(Timestamp::as_millisecond)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_name_their_region_and_bare_uuids_are_accepted() {
        let uuid = "0f0e0d0c-1676-11f1-93bf-cd645425f56f";
        let id = public("urn:TEAM:eu-central-1_k", "MESSAGE", uuid);
        assert!(!id.ends_with('='));
        let named = read("MESSAGE", &id).expect("an id");
        assert_eq!(named.key, uuid);
        assert!(named.is_in("urn:TEAM:eu-central-1_k") && !named.is_in(US));
        assert_eq!(read("MESSAGE", uuid), Some(Named { cluster: None, key: uuid.to_owned() }));
        assert_eq!(read("ROOM", &id), None);
        assert_eq!(read("ROOM", "not an id"), None);
        let content = public(US, "CONTENT", &format!("{uuid}/0"));
        assert_eq!(read("CONTENT", &content).map(|named| named.key), Some(format!("{uuid}/0")));
    }

    #[test]
    fn times_have_milliseconds_and_a_z() {
        assert_eq!(iso(1_772_483_162_321), "2026-03-02T20:26:02.321Z");
        assert_eq!(iso(1_772_483_162_000), "2026-03-02T20:26:02.000Z");
        assert_eq!(parse_iso("2026-03-02T20:26:02+00:00"), Some(1_772_483_162_000));
    }
}
