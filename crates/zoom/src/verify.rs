//! The signature of requests, as in Zoom's "Using webhooks", and the rules for validating our address.

use std::borrow::Cow;

use aws_lc_rs::hmac;
use dragoman_model::{Code, codes};
use dragoman_platform::{App, Rejection};
use dragoman_seal::{Token, equal};
use http::{HeaderMap, HeaderName};

/// How far the request's time may lie from ours, in either direction. Zoom names no window.
const TOLERANCE_S: i64 = 300;

const TIMESTAMP: &str = "x-zm-request-timestamp";
const SIGNATURE: &str = "x-zm-signature";

/// Whether a request claims to be signed.
pub(crate) fn is_signed(headers: &HeaderMap) -> bool {
    headers.contains_key(SIGNATURE) || headers.contains_key(TIMESTAMP)
}

/// Checks a request and gives the bytes that the proof covers, which are the ones to read.
///
/// The received bytes come first. Signatures of bodies with other than ASCII text have been seen that were made of
/// the compact form of the JSON instead: these are accepted for that form, and that form is read. Only where the
/// subscription sends a header of its own that only Zoom knows, it stands in for a signature that fits neither.
pub(crate) fn verify<'b>(
    app: &App,
    headers: &HeaderMap,
    body: &'b [u8],
    now_ms: i64,
) -> Result<Cow<'b, [u8]>, Rejection> {
    let secret = app.secret("secret_token").ok_or(Rejection::Unavailable(codes::CONFIG))?;
    let timestamp = only(headers, TIMESTAMP)?;
    let signature = only(headers, SIGNATURE)?;
    let plain = !timestamp.is_empty() && timestamp.len() <= 15;
    if !plain || !timestamp.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(refused(codes::UNAUTHENTIC));
    }
    let sent_s: i64 = timestamp.parse().map_err(|_| refused(codes::UNAUTHENTIC))?;
    let signed = |bytes: &[u8]| {
        let expected = signature_of(secret, timestamp, bytes);
        equal(expected.as_bytes(), signature.as_bytes())
    };
    let read = if signed(body) {
        Cow::Borrowed(body)
    } else if beyond_ascii(body)
        && let Some(compact) = compact(body)
        && signed(&compact)
    {
        Cow::Owned(compact)
    } else if beyond_ascii(body) && signature.starts_with("v0=") && second_proof(app, headers) {
        Cow::Borrowed(body)
    } else {
        return Err(refused(codes::UNAUTHENTIC));
    };
    // Judged last, so that only Zoom itself learns that the clocks differ.
    if sent_s.abs_diff(now_ms.div_euclid(1_000)) > TOLERANCE_S.unsigned_abs() {
        return Err(refused(codes::STALE));
    }
    Ok(read)
}

fn signature_of(secret: &Token, timestamp: &str, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
    let mut context = hmac::Context::with_key(&key);
    for part in [b"v0:", timestamp.as_bytes(), b":", body] {
        context.update(part);
    }
    format!("v0={}", hex::encode(context.sign()))
}

/// The header that the subscription was told to send, where one is registered.
fn second_proof(app: &App, headers: &HeaderMap) -> bool {
    let Some(expected) = app.secret("header_value").filter(|value| value.expose().len() >= 16) else {
        return false;
    };
    let Ok(name) = HeaderName::try_from(app.fact("header_name")) else { return false };
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => expected.matches(value.as_bytes()),
        _ => false,
    }
}

/// The answer to `endpoint.url_validation`: a token of Zoom's own form, signed.
///
/// The same secret signs events, so that whoever has a token of his choice signed can forge them: `v0:…` must never
/// be one.
pub(crate) fn validation(app: &App, plain_token: &str) -> Result<String, Rejection> {
    let secret = app.secret("secret_token").ok_or(Rejection::Unavailable(codes::CONFIG))?;
    let harmless = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if !(8..=64).contains(&plain_token.len()) || !plain_token.bytes().all(harmless) {
        return Err(Rejection::Malformed(codes::UNAUTHENTIC));
    }
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
    let encrypted = hex::encode(hmac::sign(&key, plain_token.as_bytes()));
    Ok(serde_json::json!({ "plainToken": plain_token, "encryptedToken": encrypted }).to_string())
}

/// Whether the text may have been written in more than one way.
fn beyond_ascii(body: &[u8]) -> bool {
    !body.is_ascii() || body.windows(2).any(|pair| pair == b"\\u")
}

/// JSON without white space between its parts and without needless escapes, members in their order. `None`: it is
/// no JSON.
fn compact(body: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(body).ok()?;
    serde_json::from_str::<serde::de::IgnoredAny>(text).ok()?;
    let mut out = Vec::with_capacity(body.len());
    let mut rest = text;
    while let Some(at) = rest.find('"') {
        out.extend(rest[..at].bytes().filter(|byte| !byte.is_ascii_whitespace()));
        let end = at + string_end(&rest[at..])?;
        let written = &rest[at..end];
        // Half a surrogate pair has no other form than its escape.
        match serde_json::from_str::<String>(written) {
            Ok(read) => out.extend(serde_json::to_vec(&read).ok()?),
            Err(_) => out.extend(written.bytes()),
        }
        rest = &rest[end..];
    }
    out.extend(rest.bytes().filter(|byte| !byte.is_ascii_whitespace()));
    Some(out)
}

/// Where the string ends that begins here.
fn string_end(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(at + 1),
            _ => {}
        }
    }
    None
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compact_form_is_the_same_json() {
        let pretty =
            b"{\n \"a b\" : [ 1.50 , \"\\u00e9 \\ud83d\\udc4d \\\" \\n\" ],\t\"z\": null, \"a\": {} }";
        let expected = "{\"a b\":[1.50,\"\u{e9} \u{1f44d} \\\" \\n\"],\"z\":null,\"a\":{}}";
        assert_eq!(compact(pretty).unwrap(), expected.as_bytes());
        assert_eq!(compact(br#"{"half":"\ud83d"}"#).unwrap(), br#"{"half":"\ud83d"}"#);
        for broken in ["", "{", "\"", "{\"a\":\"\\\"}", "[1,]"] {
            assert_eq!(compact(broken.as_bytes()), None, "{broken}");
        }
    }
}
