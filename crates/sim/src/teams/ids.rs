//! Identifiers and times as the service writes them.

use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A version 4 GUID from random bytes.
pub(super) fn guid(mut b: [u8; 16]) -> String {
    b[6] = (b[6] & 0x0f) | 0x40;
    b[8] = (b[8] & 0x3f) | 0x80;
    let h = hex::encode(b);
    format!("{}-{}-{}-{}-{}", &h[..8], &h[8..12], &h[12..16], &h[16..20], &h[20..])
}

/// A URL-safe token from random bytes.
pub(super) fn token(b: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(b)
}

/// ISO 8601 in UTC, trailing zeros of the fraction dropped.
pub(super) fn iso(ms: u64) -> String {
    i64::try_from(ms)
        .ok()
        .and_then(|ms| Timestamp::from_millisecond(ms).ok())
        .map_or_else(|| "0001-01-01T00:00:00Z".into(), |t| t.to_string())
}

/// Milliseconds since 1970 of a time in ISO 8601.
pub(super) fn parse_iso(text: &str) -> Option<u64> {
    text.parse::<Timestamp>().ok().and_then(|t| u64::try_from(t.as_millisecond()).ok())
}

/// The user id that one bot sees: stable per bot and person, different between bots.
pub(super) fn mri(app: &str, oid: &str) -> String {
    let d = digest(&[app, oid]);
    format!("29:1{}", token(&[d.as_slice(), &digest(&[oid, app])].concat()))
}

/// The opaque id of the personal chat between a bot and a person.
pub(super) fn personal(app: &str, oid: &str) -> String {
    let d = digest(&["personal", app, oid]);
    format!("a:1{}", token(&[d.as_slice(), &digest(&[oid, "personal", app])].concat()))
}

/// The Graph id of the one-to-one chat between two accounts, the object ids sorted.
pub(super) fn one_on_one(a: &str, b: &str) -> String {
    let (x, y) = if a <= b { (a, b) } else { (b, a) };
    format!("19:{x}_{y}@unq.gbl.spaces")
}

/// The Graph id of the personal chat with a bot: the app id comes second.
pub(super) fn personal_in_graph(oid: &str, app: &str) -> String {
    format!("19:{oid}_{app}@unq.gbl.spaces")
}

/// Base64 of an opaque key made of parts, as membership and hosted content ids are.
pub(super) fn opaque(parts: &[&str]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(parts.join("##"))
}

/// Percent-encodes one path segment, `:` and `@` included.
pub(super) fn encode(segment: &str) -> String {
    utf8_percent_encode(segment, SEGMENT).to_string()
}

/// Decodes one path segment.
pub(super) fn decode(segment: &str) -> String {
    percent_decode_str(segment).decode_utf8_lossy().into_owned()
}

/// SHA-256 over parts that are kept apart.
pub(super) fn digest(parts: &[&str]) -> Vec<u8> {
    let mut c = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    for p in parts {
        c.update(&(p.len() as u64).to_be_bytes());
        c.update(p.as_bytes());
    }
    c.finish().as_ref().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_drop_trailing_zeros() {
        assert_eq!(iso(1_767_470_610_050), "2026-01-03T20:03:30.05Z");
        assert_eq!(iso(1_767_470_610_000), "2026-01-03T20:03:30Z");
        assert_eq!(parse_iso("2026-01-03T20:03:30.0500000Z"), Some(1_767_470_610_050));
        assert_eq!(parse_iso("2026-01-03T21:03:30+01:00"), Some(1_767_470_610_000));
    }

    #[test]
    fn ids_have_their_forms() {
        assert_eq!(guid([0; 16]), "00000000-0000-4000-8000-000000000000");
        assert!(mri("a", "b").starts_with("29:1") && mri("a", "b") != mri("c", "b"));
        assert_eq!(one_on_one("b", "a"), "19:a_b@unq.gbl.spaces");
        assert_eq!(encode("19:x@thread.tacv2"), "19%3Ax%40thread.tacv2");
        assert_eq!(decode("19%3ax%40thread.tacv2;messageid=1"), "19:x@thread.tacv2;messageid=1");
    }
}
