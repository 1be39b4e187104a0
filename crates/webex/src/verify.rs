//! The signatures of deliveries, as in Webex's "Webhooks", section "Authentication".
//!
//! `X-Spark-Signature` is the documented one: HMAC-SHA1. A newer header, `X-Webex-Signature`, is in the wild in
//! several forms. Whichever of them verifies makes a delivery authentic; one that does not is no evidence against it.

use aws_lc_rs::hmac;
use dragoman_model::codes;
use dragoman_platform::Rejection;
use dragoman_seal::{Token, equal};
use http::HeaderMap;

/// Signatures that are looked at in one request; a genuine one has three at most.
const MOST: usize = 8;

/// Checks a delivery over its exact bytes.
pub(crate) fn verify(secret: &Token, headers: &HeaderMap, body: &[u8]) -> Result<(), Rejection> {
    let texts = |name: &str| {
        let values: Vec<&str> =
            headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
        values
    };
    let mut claims: Vec<Claim<'_>> = texts("x-spark-signature")
        .into_iter()
        .map(|hex| Claim { algorithm: hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, hex: hex.trim() })
        .collect();
    let newer = texts("x-webex-signature");
    claims.extend(newer.iter().flat_map(|value| value.split(',')).filter_map(claim));
    let genuine = claims.iter().take(MOST).any(|claim| claim.holds(secret, body));
    if genuine { Ok(()) } else { Err(Rejection::Unauthentic(codes::UNAUTHENTIC)) }
}

struct Claim<'a> {
    algorithm: hmac::Algorithm,
    hex: &'a str,
}

impl Claim<'_> {
    fn holds(&self, secret: &Token, body: &[u8]) -> bool {
        let key = hmac::Key::new(self.algorithm, secret.expose().as_bytes());
        let expected = hex::encode(hmac::sign(&key, body));
        equal(expected.as_bytes(), self.hex.to_ascii_lowercase().as_bytes())
    }
}

/// One signature of the newer header: `SHA-256=<hex>`, `sha256=<hex>`, or hex alone, told by its length.
fn claim(text: &str) -> Option<Claim<'_>> {
    let (name, hex) = text.trim().split_once('=').unwrap_or(("", text.trim()));
    let hex = hex.trim();
    let name = name.trim().to_ascii_lowercase().replace('-', "");
    let algorithm = match (name.as_str(), hex.len()) {
        ("sha256", _) | ("", 64) => hmac::HMAC_SHA256,
        ("sha512", _) | ("", 128) => hmac::HMAC_SHA512,
        _ => return None,
    };
    Some(Claim { algorithm, hex })
}
