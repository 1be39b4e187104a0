//! The signature of requests, as in Slack's "Verifying requests from Slack".

use aws_lc_rs::hmac;
use dragoman_model::{Code, codes};
use dragoman_platform::Rejection;
use dragoman_seal::{Token, equal};
use http::HeaderMap;

/// How far the request's time may lie from ours, in either direction.
const TOLERANCE_S: i64 = 300;

/// Checks a request over its exact bytes.
pub(crate) fn verify(secret: &Token, headers: &HeaderMap, body: &[u8], now_ms: i64) -> Result<(), Rejection> {
    let timestamp = only(headers, "x-slack-request-timestamp")?;
    let signature = only(headers, "x-slack-signature")?;
    let plain = !timestamp.is_empty() && timestamp.len() <= 15;
    if !plain || !timestamp.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(refused(codes::UNAUTHENTIC));
    }
    let sent_s: i64 = timestamp.parse().map_err(|_| refused(codes::UNAUTHENTIC))?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
    let mut context = hmac::Context::with_key(&key);
    for part in [b"v0:", timestamp.as_bytes(), b":", body] {
        context.update(part);
    }
    let expected = format!("v0={}", hex::encode(context.sign()));
    if !equal(expected.as_bytes(), signature.as_bytes()) {
        return Err(refused(codes::UNAUTHENTIC));
    }
    // Judged last, so that only Slack itself learns that the clocks differ.
    if sent_s.abs_diff(now_ms.div_euclid(1_000)) > TOLERANCE_S.unsigned_abs() {
        return Err(refused(codes::STALE));
    }
    Ok(())
}

/// The one value of a header; two are as bad as none.
fn only<'a>(headers: &'a HeaderMap, name: &str) -> Result<&'a str, Rejection> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().map_err(|_| refused(codes::UNAUTHENTIC)),
        _ => Err(refused(codes::UNAUTHENTIC)),
    }
}

fn refused(code: Code) -> Rejection {
    Rejection::Unauthentic(code)
}
