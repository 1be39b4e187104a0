//! What a refusal of Webex means. Pure. Webex has no codes in its bodies: the status counts ("REST API Basics",
//! "API Errors"), and where one status stands for several things, a few words of the text. No text is kept.

use dragoman_model::codes::{
    BAD_REQUEST, CONVERSATION_GONE, FILE_TOO_LARGE, MALFORMED, MESSAGE_GONE, MESSAGE_TOO_LONG, NO_ANSWER,
    NOT_EDITABLE, RATE_LIMITED, REFUSED, SCOPE, SIGN_IN, TARGET_FAILED,
};
use dragoman_model::{Code, Outcome};
use dragoman_platform::Failure;
use dragoman_platform::http::HttpError;

use crate::wire::answers::Refused;

/// How long to wait where Webex limits the rate without saying for how long, in milliseconds.
const RATE_MS: u64 = 15_000;

/// An answer that is no success.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Refusal {
    /// HTTP status.
    pub(crate) status: u16,
    /// Milliseconds to wait, where it says so.
    pub(crate) after_ms: Option<u64>,
    /// Whether the text speaks of the size.
    pub(crate) too_big: bool,
}

/// Why a call did not succeed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Trouble {
    /// No answer came.
    Http(HttpError),
    /// An answer came, and it is no success.
    Refused(Refusal),
    /// No token could be had; nothing was sent.
    Token(Failure),
    /// The answer was not understood. It was a success.
    Garbled,
}

/// Reads a refusal. Bodies may be empty, HTML, or JSON without words.
pub(crate) fn refusal(status: u16, body: &[u8], after_ms: Option<u64>) -> Refusal {
    let refused: Refused = serde_json::from_slice(body).unwrap_or_default();
    let described = refused.errors.into_iter().filter_map(|error| error.description);
    let too_big = refused.message.into_iter().chain(described).any(|text| {
        let text = text.to_ascii_lowercase();
        ["too big", "too long", "too large", "7439", "maximum message length"]
            .iter()
            .any(|words| text.contains(words))
    });
    Refusal { status, after_ms, too_big }
}

/// What is being done at a target.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Doing {
    /// Something that must not be done twice; whether it names the root of a thread.
    Post {
        /// Whether it is a reply.
        reply: bool,
    },
    /// The same with a file.
    Share {
        /// Whether it is a reply.
        reply: bool,
    },
    /// Something that may be repeated.
    Edit,
    /// Something that may be repeated and is done once its object is gone.
    Delete,
}

impl Doing {
    /// Whether it must not be done twice.
    fn makes(self) -> bool {
        matches!(self, Self::Post { .. } | Self::Share { .. })
    }
}

impl Trouble {
    /// What it means for an operation. `alone`: it went out with a person's own token, whose limits are apart.
    pub(crate) fn outcome(self, doing: Doing, alone: bool) -> Outcome {
        let post = doing.makes();
        match self {
            Self::Http(error) if post => error.into_send_outcome(),
            Self::Http(error) => error.into_repeatable_outcome(),
            Self::Token(failure) => failure.into_outcome(),
            Self::Garbled if post => Outcome::Unknown(NO_ANSWER),
            Self::Garbled => Outcome::done(),
            Self::Refused(refusal) => refusal.outcome(doing, alone),
        }
    }

    /// What it means for a read.
    pub(crate) fn failure(self) -> Failure {
        match self {
            Self::Http(error) => error.into_failure(),
            Self::Token(failure) => failure,
            Self::Garbled => Failure::Malformed(MALFORMED),
            Self::Refused(refusal) => refusal.failure(),
        }
    }

    /// The status, if it is a refusal.
    pub(crate) fn status(&self) -> Option<u16> {
        match self {
            Self::Refused(refusal) => Some(refusal.status),
            _ => None,
        }
    }
}

impl Refusal {
    /// What it means for an operation.
    fn outcome(&self, doing: Doing, alone: bool) -> Outcome {
        let retry = |code: Code| Outcome::Retry { after_ms: self.after_ms, code, whole_installation: false };
        let post = doing.makes();
        match (self.status, doing) {
            (400 | 413, Doing::Share { .. }) if self.too_big || self.status == 413 => {
                Outcome::Refused(FILE_TOO_LARGE)
            }
            (400 | 413, Doing::Post { .. } | Doing::Edit) if self.too_big || self.status == 413 => {
                Outcome::Refused(MESSAGE_TOO_LONG)
            }
            // A reply: its root is gone or elsewhere; the texts are not known, and without it the rest is judged again.
            (400 | 404, Doing::Post { reply: true } | Doing::Share { reply: true })
            | (404 | 410, Doing::Edit) => Outcome::MessageGone(MESSAGE_GONE),
            // The eleventh edit, a message with a file or card, one that is not ours: the texts are not known, and
            // nothing else is wrong with an edit of ours.
            (400 | 403, Doing::Edit) => Outcome::Refused(NOT_EDITABLE),
            (401, _) => Outcome::SignIn(SIGN_IN),
            // Announcements only, read-only, or closed to people of other organisations.
            (403 | 404, Doing::Post { .. } | Doing::Share { .. }) => Outcome::Gone(CONVERSATION_GONE),
            // There is nothing left to delete.
            (404 | 409 | 410, Doing::Delete) => Outcome::done(),
            (429, _) => Outcome::Retry {
                after_ms: Some(self.after_ms.unwrap_or(RATE_MS)),
                code: RATE_LIMITED,
                whole_installation: !alone,
            },
            // There is no key against doing it twice, and the message may be there.
            (500.., _) if post => Outcome::Unknown(TARGET_FAILED),
            (423 | 500.., _) => retry(TARGET_FAILED),
            (400 | 405 | 415, _) => Outcome::Refused(BAD_REQUEST),
            // 409, 410, 428 and whatever else: permanent for this message.
            _ => Outcome::Refused(REFUSED),
        }
    }

    /// What it means for a read.
    fn failure(&self) -> Failure {
        let retry = |after_ms, code| Failure::Retry { after_ms, code };
        match self.status {
            400 | 405 | 415 => Failure::Refused(BAD_REQUEST),
            401 => Failure::SignIn(SIGN_IN),
            403 => Failure::Refused(SCOPE),
            404 | 410 => Failure::Gone(CONVERSATION_GONE),
            423 | 500.. => retry(self.after_ms, TARGET_FAILED),
            429 => retry(Some(self.after_ms.unwrap_or(RATE_MS)), RATE_LIMITED),
            _ => Failure::Refused(REFUSED),
        }
    }
}

/// What a refusal of the token endpoint means: a revoked or ended refresh token is 400 or 401, and both need a person.
pub(crate) fn token_failure(refusal: &Refusal) -> Failure {
    match refusal.status {
        429 => Failure::Retry { after_ms: Some(refusal.after_ms.unwrap_or(RATE_MS)), code: RATE_LIMITED },
        500.. => Failure::Retry { after_ms: refusal.after_ms, code: TARGET_FAILED },
        _ => Failure::SignIn(SIGN_IN),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POST: Doing = Doing::Post { reply: false };
    const REPLY: Doing = Doing::Post { reply: true };
    const BIG: &str = "Unable to post message to room: \"The request payload is too big\"";

    fn says(status: u16, message: &str) -> Refusal {
        let body = format!(
            r#"{{"message":{message:?},"errors":[{{"description":{message:?}}}],"trackingId":"X_1"}}"#
        );
        refusal(status, body.as_bytes(), None)
    }

    #[test]
    fn every_documented_status_has_its_meaning() {
        let retry = |code| Outcome::Retry { after_ms: None, code, whole_installation: false };
        let wait = Outcome::Retry { after_ms: Some(RATE_MS), code: RATE_LIMITED, whole_installation: true };
        for (status, text, doing, expected) in [
            (400, "Expect base64 ID or UUID.", POST, Outcome::Refused(BAD_REQUEST)),
            (400, BIG, POST, Outcome::Refused(MESSAGE_TOO_LONG)),
            (400, BIG, REPLY, Outcome::Refused(MESSAGE_TOO_LONG)),
            (400, BIG, Doing::Edit, Outcome::Refused(MESSAGE_TOO_LONG)),
            (400, "Some words about a parent", REPLY, Outcome::MessageGone(MESSAGE_GONE)),
            (400, "The limit of edits is reached", Doing::Edit, Outcome::Refused(NOT_EDITABLE)),
            (400, "", Doing::Edit, Outcome::Refused(NOT_EDITABLE)),
            (400, "", Doing::Delete, Outcome::Refused(BAD_REQUEST)),
            (401, "", POST, Outcome::SignIn(SIGN_IN)),
            (403, "", POST, Outcome::Gone(CONVERSATION_GONE)),
            (403, "", Doing::Edit, Outcome::Refused(NOT_EDITABLE)),
            (403, "Unable to delete message.", Doing::Delete, Outcome::Refused(REFUSED)),
            (404, "Could not find a room with provided ID.", POST, Outcome::Gone(CONVERSATION_GONE)),
            (404, "", REPLY, Outcome::MessageGone(MESSAGE_GONE)),
            (404, "", Doing::Edit, Outcome::MessageGone(MESSAGE_GONE)),
            (404, "", Doing::Delete, Outcome::done()),
            (405, "", POST, Outcome::Refused(BAD_REQUEST)),
            (409, "", POST, Outcome::Refused(REFUSED)),
            (409, "", Doing::Delete, Outcome::done()),
            (410, "", Doing::Delete, Outcome::done()),
            (410, "", POST, Outcome::Refused(REFUSED)),
            (413, "", POST, Outcome::Refused(MESSAGE_TOO_LONG)),
            (415, "Content type 'application/xml' not supported", POST, Outcome::Refused(BAD_REQUEST)),
            (423, "", Doing::Edit, retry(TARGET_FAILED)),
            (428, "", POST, Outcome::Refused(REFUSED)),
            (429, "", POST, wait.clone()),
            (429, "", Doing::Delete, wait.clone()),
            (500, "", POST, Outcome::Unknown(TARGET_FAILED)),
            (502, "Add participant failed.", Doing::Edit, retry(TARGET_FAILED)),
            (503, "", REPLY, Outcome::Unknown(TARGET_FAILED)),
            (504, "", Doing::Delete, retry(TARGET_FAILED)),
            (418, "", POST, Outcome::Refused(REFUSED)),
        ] {
            assert_eq!(says(status, text).outcome(doing, false), expected, "{status} {text} {doing:?}");
        }
    }

    #[test]
    fn reads_are_judged_by_the_status_alone() {
        let retry = |after_ms, code| Failure::Retry { after_ms, code };
        for (status, expected) in [
            (400, Failure::Refused(BAD_REQUEST)),
            (401, Failure::SignIn(SIGN_IN)),
            (403, Failure::Refused(SCOPE)),
            (404, Failure::Gone(CONVERSATION_GONE)),
            (410, Failure::Gone(CONVERSATION_GONE)),
            (423, retry(None, TARGET_FAILED)),
            (428, Failure::Refused(REFUSED)),
            (429, retry(Some(RATE_MS), RATE_LIMITED)),
            (500, retry(None, TARGET_FAILED)),
            (504, retry(None, TARGET_FAILED)),
        ] {
            for body in [&b""[..], b"<html>", b"[]", b"null", b"{\"message\":7,\"errors\":{}}"] {
                assert_eq!(Trouble::Refused(refusal(status, body, None)).failure(), expected, "{status}");
            }
        }
    }

    #[test]
    fn an_hour_is_an_hour_and_a_persons_limit_is_their_own() {
        let hour = refusal(429, b"Too many", Some(3_600_000));
        let expected = |whole_installation| Outcome::Retry {
            after_ms: Some(3_600_000),
            code: RATE_LIMITED,
            whole_installation,
        };
        assert_eq!(hour.outcome(POST, false), expected(true));
        assert_eq!(hour.outcome(POST, true), expected(false));
    }

    #[test]
    fn a_refresh_that_is_refused_needs_a_person() {
        for (status, expected) in [
            (400, Failure::SignIn(SIGN_IN)),
            (401, Failure::SignIn(SIGN_IN)),
            (429, Failure::Retry { after_ms: Some(RATE_MS), code: RATE_LIMITED }),
            (503, Failure::Retry { after_ms: None, code: TARGET_FAILED }),
        ] {
            assert_eq!(token_failure(&refusal(status, b"", None)), expected, "{status}");
        }
    }
}
