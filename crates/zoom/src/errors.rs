//! Zoom's error codes and what they mean. The classes follow the error lists of the API reference and of the OAuth
//! guide; a code that is not listed is permanent.

use dragoman_model::{Code, Outcome, codes};
use dragoman_platform::Failure;
use http::{HeaderMap, StatusCode};

use crate::wire::answers::Fault;

/// What an error means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Class {
    /// The limits of the whole account.
    Wait,
    /// The limit of this channel, or of changes to one thing.
    WaitHere,
    /// Zoom failed before doing anything.
    Transient,
    /// Zoom failed and may have done it.
    Ambiguous,
    /// The access token does not work; a refresh may help.
    Expired,
    /// The installation does not work any more.
    SignIn,
    /// Somebody has to grant something.
    Scope,
    /// The conversation is gone or closed to us.
    Channel,
    /// The person is not there, or cannot be written to.
    Person,
    /// The message is gone.
    Message,
    /// The message is somebody else's.
    NotOurs,
    /// Refused for this message, for a reason of the account's.
    Refused,
    /// The text is too long.
    TooLong,
    /// A fault in our request.
    Ours,
}

use Class::{
    Ambiguous, Channel, Expired, Message, NotOurs, Ours, Person, Refused, Scope, SignIn, TooLong, Transient,
    Wait, WaitHere,
};

/// Codes that mean one thing wherever they come.
pub(crate) const TABLE: &[(i64, Class)] = &[
    // Tokens and scopes.
    (104, Scope),
    (4700, Scope),
    (4711, Scope),
    (4702, SignIn),
    (4704, SignIn),
    (4705, SignIn),
    (4706, SignIn),
    (4709, SignIn),
    (4717, SignIn),
    (4724, SignIn),
    (4732, Transient),
    (4733, SignIn),
    (4734, SignIn),
    (4735, SignIn),
    (4737, SignIn),
    (4738, SignIn),
    (4740, SignIn),
    (4741, SignIn),
    (7010, SignIn),
    // The file operations have codes of their own.
    (100, Expired),
    (401, Expired),
    (106, Expired),
    (403, Scope),
    (404, Refused),
    // People.
    (1001, Person),
    (1120, Person),
    (2300, Ours),
    (5418, Person),
    (5421, Person),
    (5407, Ours),
    // Channels.
    (4130, Channel),
    (4131, Channel),
    (4100, Scope),
    (4101, Scope),
    (4300, Ours),
    (4301, Ours),
    (4302, Ours),
    (4400, Channel),
    (5419, Channel),
    (5420, Channel),
    // Threads.
    (4231, Ours),
    (4232, Ours),
    (4233, Ours),
    (4234, Ours),
    // Sends. A channel that had too much is said to answer so; it opens again by itself.
    (5301, WaitHere),
    (5401, Message),
    (5402, Refused),
    (5403, Refused),
    (5404, Refused),
    (5405, Ours),
    (5045, Ours),
    (5046, Ours),
    (3216, Refused),
    (3217, Refused),
    (5333, Ours),
    (4600, Refused),
    // The bot's operations.
    (7001, Ours),
    (7002, Channel),
    (7003, Channel),
    (7004, Channel),
    (8001, Message),
    (8002, Refused),
    // Subscriptions.
    (1300, Scope),
    (1002, Ours),
    (1003, Ours),
    (1401, Ours),
    (1500, Ours),
    (1501, Ours),
    (1502, Ours),
    (1503, Ours),
    (1504, Ours),
    (1506, Ours),
    (1601, Ours),
    (1602, Scope),
    (1701, Ours),
    (1702, Ours),
    (1801, Ours),
    (201, Scope),
    // Emoji files.
    (400, Ours),
    (500, Transient),
    (30010, Refused),
    (40090, Refused),
];

/// A refusal as far as it matters.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Refusal {
    pub(crate) class: Class,
    /// How long Zoom asks to wait, in milliseconds.
    pub(crate) retry_after_ms: Option<u64>,
}

/// How long to wait where Zoom limits the rate of a second, in milliseconds.
const SECOND_MS: u64 = 1_000;
/// How long a channel that had too much is closed at least, in milliseconds.
const CHANNEL_MS: u64 = 10_000;
const DAY_MS: i64 = 86_400_000;

/// Reads a refusal.
pub(crate) fn refusal(status: StatusCode, headers: &HeaderMap, body: &[u8], now_ms: i64) -> Refusal {
    let fault: Option<Fault> = serde_json::from_slice(body).ok();
    let class = match (&fault, status) {
        (_, StatusCode::TOO_MANY_REQUESTS) => limit(headers),
        (Some(fault), _) if fault.code == Some(429) => limit(headers),
        (_, status) if status.is_server_error() => Ambiguous,
        (Some(fault), _) if fault.code.is_some() => class(fault),
        (_, StatusCode::UNAUTHORIZED) => Expired,
        (_, StatusCode::FORBIDDEN) => Scope,
        (_, StatusCode::NOT_FOUND) => Refused,
        _ => Ours,
    };
    let asked = wait_ms(headers, now_ms);
    let retry_after_ms = match class {
        Wait if asked.is_none() && header(headers, "x-ratelimit-type").contains("daily") => {
            // The day of Zoom's limits ends at midnight, UTC.
            Some((DAY_MS - now_ms.rem_euclid(DAY_MS)).unsigned_abs())
        }
        Wait => asked.or(Some(SECOND_MS)),
        WaitHere => asked.or(Some(CHANNEL_MS)),
        _ => asked,
    };
    Refusal { class, retry_after_ms }
}

/// The limits of an account come with headers that say so.
fn limit(headers: &HeaderMap) -> Class {
    let of_account = headers.contains_key("x-ratelimit-type") || headers.contains_key("x-ratelimit-category");
    if of_account { Wait } else { WaitHere }
}

fn header(headers: &HeaderMap, name: &str) -> String {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_ascii_lowercase()
}

/// The wait in any of the forms that Zoom has for it: seconds, an HTTP date, an ISO date, the second at which it
/// ends.
fn wait_ms(headers: &HeaderMap, now_ms: i64) -> Option<u64> {
    if let Some(known) = dragoman_platform::http::retry_after_ms(headers, now_ms) {
        return Some(known);
    }
    let until =
        |at_ms: i64| u64::try_from(at_ms.saturating_sub(now_ms)).unwrap_or(0).min(DAY_MS.unsigned_abs());
    if let Ok(at) = header(headers, "retry-after").to_ascii_uppercase().parse::<jiff::Timestamp>() {
        return Some(until(at.as_millisecond()));
    }
    let reset: i64 = header(headers, "x-ratelimit-reset").parse().ok()?;
    Some(until(reset.saturating_mul(1_000)))
}

/// The class of a refusal with a code. Some codes stand for several things; only the text tells which.
fn class(fault: &Fault) -> Class {
    let code = fault.code.unwrap_or_default();
    let text = fault.message.as_deref().unwrap_or_default().to_ascii_lowercase();
    let says = |words: &str| text.contains(words);
    match code {
        124 => Expired,
        200 if says("only the sender") => NotOurs,
        200 if says("to_channel") => Channel,
        200 => Scope,
        // Where a message is missing, Zoom sometimes says channel: a missing channel has a code of its own.
        300 if says("not exist") || says("not found") => Message,
        300 if says("page token") => Transient,
        300 if says("1024") || says("too long") || says("exceed") => TooLong,
        300 if fault.errors.iter().any(|error| error.field.as_deref() == Some("message")) => Refused,
        300 => Ours,
        4700 | 104 if !says("scope") => Expired,
        code => TABLE.iter().find(|(known, _)| *known == code).map_or(Refused, |(_, class)| *class),
    }
}

/// What a call does, as far as errors mean different things.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Act {
    /// A send: must not be repeated blindly.
    Post,
    /// An edit.
    Edit,
    /// A deletion: gone is done.
    Delete,
    /// A reaction.
    React,
}

/// What a refusal means for an operation.
pub(crate) fn outcome(refusal: &Refusal, act: Act) -> Outcome {
    let retry = |code, whole_installation| Outcome::Retry {
        after_ms: refusal.retry_after_ms,
        code,
        whole_installation,
    };
    match refusal.class {
        Wait => retry(codes::RATE_LIMITED, true),
        WaitHere => retry(codes::RATE_LIMITED, false),
        Ambiguous if act == Act::Post => Outcome::Unknown(codes::TARGET_FAILED),
        Transient | Ambiguous => retry(codes::TARGET_FAILED, false),
        Expired | SignIn => Outcome::SignIn(codes::SIGN_IN),
        // A reaction that may not be made must not stop the messages.
        Scope if act == Act::React => Outcome::Refused(codes::SCOPE),
        Scope => Outcome::SignIn(codes::SCOPE),
        Channel | Person => Outcome::Gone(codes::CONVERSATION_GONE),
        Message if act == Act::Delete => Outcome::done(),
        Message => Outcome::MessageGone(codes::MESSAGE_GONE),
        NotOurs => Outcome::Refused(codes::NOT_EDITABLE),
        Refused => Outcome::Refused(codes::REFUSED),
        TooLong => Outcome::Refused(codes::MESSAGE_TOO_LONG),
        Ours => Outcome::Refused(codes::BAD_REQUEST),
    }
}

/// What a refusal means for a read.
pub(crate) fn failure(refusal: &Refusal) -> Failure {
    let retry = |code: Code| Failure::Retry { after_ms: refusal.retry_after_ms, code };
    match refusal.class {
        Wait | WaitHere => retry(codes::RATE_LIMITED),
        Transient | Ambiguous => retry(codes::TARGET_FAILED),
        Expired | SignIn => Failure::SignIn(codes::SIGN_IN),
        Scope => Failure::SignIn(codes::SCOPE),
        Channel => Failure::Gone(codes::CONVERSATION_GONE),
        Message => Failure::Refused(codes::MESSAGE_GONE),
        Person | NotOurs | Refused | TooLong => Failure::Refused(codes::REFUSED),
        Ours => Failure::Refused(codes::BAD_REQUEST),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Value, json};

    use super::*;

    const NOW_MS: i64 = 1_795_254_031_000;

    type Headers<'a> = &'a [(&'static str, &'static str)];

    fn read(status: u16, headers: &[(&'static str, &str)], body: &Value) -> Refusal {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        refusal(StatusCode::from_u16(status).unwrap(), &map, body.to_string().as_bytes(), NOW_MS)
    }

    #[test]
    fn no_code_is_listed_twice() {
        let codes: BTreeSet<i64> = TABLE.iter().map(|(code, _)| *code).collect();
        assert_eq!(codes.len(), TABLE.len());
    }

    #[test]
    fn every_published_error_of_chat_is_classified() {
        let Some(folder) = dragoman_testkit::payloads() else { return };
        let bytes = std::fs::read(folder.join("zoom/operations.json")).unwrap();
        let operations: Value = serde_json::from_slice(&bytes).unwrap();
        let errors =
            operations.as_array().unwrap().iter().filter_map(|operation| operation["errors"].as_array());
        let published: BTreeSet<i64> = errors.flatten().filter_map(|error| error["code"].as_i64()).collect();
        assert!(published.len() > 30, "{published:?}");
        let special = [124, 200, 300];
        let missing: Vec<&i64> = published
            .iter()
            .filter(|code| !special.contains(*code) && !TABLE.iter().any(|(known, _)| known == *code))
            .collect();
        assert!(missing.is_empty(), "not listed: {missing:?}");
    }

    #[test]
    fn a_code_that_nobody_knows_is_permanent() {
        let unknown = read(400, &[], &json!({ "code": 99_999, "message": "new" }));
        for act in [Act::Post, Act::Edit, Act::Delete, Act::React] {
            assert_eq!(outcome(&unknown, act), Outcome::Refused(codes::REFUSED));
        }
        assert_eq!(failure(&unknown), Failure::Refused(codes::REFUSED));
    }

    #[test]
    fn one_code_stands_for_several_things() {
        let class =
            |code: i64, message: &str| read(400, &[], &json!({ "code": code, "message": message })).class;
        assert_eq!(class(300, "The message does not exist."), Message);
        assert_eq!(class(300, "Message does not exist"), Message);
        assert_eq!(class(300, "Request Body should be a valid JSON object."), Ours);
        assert_eq!(class(200, "Only the sender can update the message."), NotOurs);
        assert_eq!(class(200, "No permission."), Scope);
        assert_eq!(class(4711, "Invalid access token, does not contain scopes:[a]."), Scope);
        assert_eq!(class(104, "Invalid access token, does not contain scopes."), Scope);
        assert_eq!(class(124, "Access token is expired."), Expired);
    }

    #[test]
    fn every_form_of_a_wait_is_read() {
        let body = json!({ "code": 429, "message": "slow down" });
        let account = ("x-ratelimit-type", "QPS");
        let daily = ("x-ratelimit-type", "Daily-limit");
        let cases: [(Headers<'_>, Class, u64); 7] = [
            (&[account], Wait, 1_000),
            (&[account, ("retry-after", "7")], Wait, 7_000),
            (&[daily, ("retry-after", "2026-11-21T09:40:41Z")], Wait, 10_000),
            (&[daily, ("retry-after", "Sat, 21 Nov 2026 09:40:41 GMT")], Wait, 10_000),
            (&[daily, ("x-ratelimit-reset", "1795254036")], Wait, 5_000),
            (&[daily], Wait, 51_569_000),
            (&[], WaitHere, 10_000),
        ];
        for (headers, class, wait) in cases {
            let found = read(429, headers, &body);
            assert_eq!((found.class, found.retry_after_ms), (class, Some(wait)), "{headers:?}");
        }
    }
}
