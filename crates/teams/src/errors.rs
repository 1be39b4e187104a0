//! What a refusal of a service means. Pure.
//!
//! Sources: "Status codes from bot conversational APIs", "Microsoft Graph error responses and resource types",
//! "Microsoft identity platform: error codes".

use dragoman_model::codes::{
    BAD_REQUEST, CONFIG, CONVERSATION_GONE, MESSAGE_GONE, MESSAGE_TOO_LONG, NO_ANSWER, RATE_LIMITED, REFUSED,
    SCOPE, SIGN_IN, TARGET_FAILED,
};
use dragoman_model::{Code, Outcome};
use dragoman_platform::Failure;
use dragoman_platform::http::HttpError;

use crate::wire::auth::TokenRefusal;
use crate::wire::connector::{ErrorAnswer, InnerError};

/// An answer that is no success.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Refusal {
    /// HTTP status.
    pub(crate) status: u16,
    /// The service's code, or the `subCode` inside the text.
    pub(crate) code: String,
    /// Milliseconds to wait, where it says so.
    pub(crate) after_ms: Option<u64>,
    /// Whether the limit is one of the whole app or tenant.
    pub(crate) wide: bool,
    /// Whether the text speaks of a limit on subscriptions.
    pub(crate) quota: bool,
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

/// Reads an error body of either service. No text of it is kept.
pub(crate) fn refusal(status: u16, body: &[u8], after_ms: Option<u64>, scope: Option<&str>) -> Refusal {
    let answer: ErrorAnswer = serde_json::from_slice(body).unwrap_or_default();
    let (code, message) = if let Some(error) = answer.error {
        (error.code, error.message)
    } else {
        let inner: InnerError = serde_json::from_str(&answer.message).unwrap_or_default();
        (inner.sub_code, answer.message)
    };
    let message = message.to_ascii_lowercase();
    Refusal {
        status,
        code,
        after_ms,
        wide: scope.is_some_and(|scope| scope.starts_with("Tenant") || scope.starts_with("Application")),
        quota: message.contains("limit") && message.contains("subscription"),
    }
}

/// What is being done at a target.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Doing {
    /// Something that must not be done twice.
    Post,
    /// Something that may be repeated.
    Edit,
    /// Something that may be repeated and is done once its object is gone.
    Delete,
    /// Something that may be repeated and that nobody misses.
    React,
}

impl Trouble {
    /// What it means for an operation.
    pub(crate) fn outcome(self, doing: Doing) -> Outcome {
        match self {
            Self::Http(error) if doing == Doing::Post => error.into_send_outcome(),
            Self::Http(error) => error.into_repeatable_outcome(),
            Self::Token(failure) => failure.into_outcome(),
            Self::Garbled if doing == Doing::Post => Outcome::Unknown(NO_ANSWER),
            Self::Garbled => Outcome::done(),
            Self::Refused(refusal) => refusal.outcome(doing),
        }
    }

    /// What it means for a read.
    pub(crate) fn failure(self) -> Failure {
        match self {
            Self::Http(error) => error.into_failure(),
            Self::Token(failure) => failure,
            Self::Garbled => Failure::Malformed(dragoman_model::codes::MALFORMED),
            Self::Refused(refusal) => refusal.failure(),
        }
    }

    /// The refusal, if it is one.
    pub(crate) fn status(&self) -> Option<u16> {
        match self {
            Self::Refused(refusal) => Some(refusal.status),
            _ => None,
        }
    }
}

impl Refusal {
    fn retry(&self, code: Code) -> Outcome {
        Outcome::Retry { after_ms: self.after_ms, code, whole_installation: self.wide }
    }

    /// What it means for an operation.
    pub(crate) fn outcome(&self, doing: Doing) -> Outcome {
        match (self.status, self.code.as_str()) {
            (401, _) => Outcome::SignIn(SIGN_IN),
            (403, "BotDisabledByAdmin") => Outcome::SignIn(REFUSED),
            (403, "InvalidBotApiHost") => Outcome::Refused(CONFIG),
            (
                403,
                "BotNotInConversationRoster"
                | "ConversationBlockedByUser"
                | "ForbiddenOperationException"
                | "MessageWritesBlocked",
            )
            | (404, "ConversationNotFound") => Outcome::Gone(CONVERSATION_GONE),
            (402, _) | (403, "NotEnoughPermissions" | "Forbidden" | "AccessDenied") => Outcome::Gone(SCOPE),
            (404 | 410, _) => match doing {
                Doing::Delete => Outcome::done(),
                Doing::Post if self.code.is_empty() => Outcome::Gone(CONVERSATION_GONE),
                Doing::Post | Doing::Edit | Doing::React => Outcome::MessageGone(MESSAGE_GONE),
            },
            (413, _) | (400, "MessageSizeTooBig") => Outcome::Refused(MESSAGE_TOO_LONG),
            // 412: operations at the same time in one conversation; our haste, not its fault.
            (412 | 423 | 429, _) => self.retry(RATE_LIMITED),
            (503, _) => self.retry(TARGET_FAILED),
            // A gateway in between gave up, or the service broke while it worked: a post may be there.
            (500.., _) if doing == Doing::Post => Outcome::Unknown(TARGET_FAILED),
            (500.., _) => self.retry(TARGET_FAILED),
            (400, _) => Outcome::Refused(BAD_REQUEST),
            _ => Outcome::Refused(REFUSED),
        }
    }

    /// What it means for a read.
    pub(crate) fn failure(&self) -> Failure {
        match self.status {
            401 => Failure::SignIn(SIGN_IN),
            // A missing permission concerns this read only: the bot goes on without it.
            402 | 403 => Failure::Refused(SCOPE),
            404 | 410 => Failure::Gone(CONVERSATION_GONE),
            412 | 423 | 429 => Failure::Retry { after_ms: self.after_ms, code: RATE_LIMITED },
            500.. => Failure::Retry { after_ms: self.after_ms, code: TARGET_FAILED },
            400 => Failure::Refused(BAD_REQUEST),
            _ => Failure::Refused(REFUSED),
        }
    }
}

/// What a refusal of the token endpoint means.
pub(crate) fn token_failure(status: u16, body: &[u8], after_ms: Option<u64>) -> Failure {
    let refusal: TokenRefusal = serde_json::from_slice(body).unwrap_or_default();
    match (status, refusal.error.as_str()) {
        (429, _) => Failure::Retry { after_ms, code: RATE_LIMITED },
        (500.., _) | (_, "temporarily_unavailable" | "server_error") => {
            Failure::Retry { after_ms, code: TARGET_FAILED }
        }
        (
            _,
            "invalid_client"
            | "unauthorized_client"
            | "invalid_grant"
            | "interaction_required"
            | "consent_required",
        ) => Failure::SignIn(SIGN_IN),
        // 65001: nobody consented. 700016: the app is unknown in this tenant.
        _ if refusal.error_codes.iter().any(|code| matches!(code, 65_001 | 700_016)) => {
            Failure::SignIn(SIGN_IN)
        }
        _ => Failure::SignIn(CONFIG),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bot(status: u16, code: &str) -> Refusal {
        let body = format!(r#"{{"error":{{"code":"{code}","message":"A sentence."}}}}"#);
        refusal(status, body.as_bytes(), None, None)
    }

    #[test]
    fn the_table_of_bot_errors() {
        let retry = |code| Outcome::Retry { after_ms: None, code, whole_installation: false };
        for (status, code, doing, expected) in [
            (400, "Bad Argument", Doing::Post, Outcome::Refused(BAD_REQUEST)),
            (401, "BotNotRegistered", Doing::Post, Outcome::SignIn(SIGN_IN)),
            (403, "BotDisabledByAdmin", Doing::Post, Outcome::SignIn(REFUSED)),
            (403, "BotNotInConversationRoster", Doing::Post, Outcome::Gone(CONVERSATION_GONE)),
            (403, "ConversationBlockedByUser", Doing::Edit, Outcome::Gone(CONVERSATION_GONE)),
            (403, "ForbiddenOperationException", Doing::Post, Outcome::Gone(CONVERSATION_GONE)),
            (403, "NotEnoughPermissions", Doing::Post, Outcome::Gone(SCOPE)),
            (403, "InvalidBotApiHost", Doing::Post, Outcome::Refused(CONFIG)),
            (403, "SomethingNew", Doing::Post, Outcome::Refused(REFUSED)),
            (404, "ConversationNotFound", Doing::Delete, Outcome::Gone(CONVERSATION_GONE)),
            (404, "ActivityNotFoundInConversation", Doing::Edit, Outcome::MessageGone(MESSAGE_GONE)),
            (404, "ActivityNotFoundInConversation", Doing::React, Outcome::MessageGone(MESSAGE_GONE)),
            (404, "ActivityNotFoundInConversation", Doing::Delete, Outcome::done()),
            (404, "", Doing::Post, Outcome::Gone(CONVERSATION_GONE)),
            (412, "PreconditionFailed", Doing::Post, retry(RATE_LIMITED)),
            (413, "MessageSizeTooBig", Doing::Post, Outcome::Refused(MESSAGE_TOO_LONG)),
            (429, "Throttled", Doing::Post, retry(RATE_LIMITED)),
            (500, "ServiceError", Doing::Post, Outcome::Unknown(TARGET_FAILED)),
            (500, "ServiceError", Doing::Edit, retry(TARGET_FAILED)),
            (502, "ServiceError", Doing::Post, Outcome::Unknown(TARGET_FAILED)),
            (502, "ServiceError", Doing::Delete, retry(TARGET_FAILED)),
            (503, "ServiceUnavailable", Doing::Post, retry(TARGET_FAILED)),
            (504, "", Doing::Post, Outcome::Unknown(TARGET_FAILED)),
            (405, "", Doing::React, Outcome::Refused(REFUSED)),
        ] {
            assert_eq!(bot(status, code).outcome(doing), expected, "{status} {code} {doing:?}");
        }
    }

    #[test]
    fn a_code_inside_the_text_is_found() {
        let body = br#"{"errorCode":209,"message":"{\r\n  \"subCode\": \"MessageWritesBlocked\",\r\n  \"details\": \"Closed.\"\r\n}"}"#;
        let refused = refusal(403, body, None, None);
        assert_eq!(refused.code, "MessageWritesBlocked");
        assert_eq!(refused.outcome(Doing::Post), Outcome::Gone(CONVERSATION_GONE));
        // Bodies that are no JSON, or none at all, must not change the class.
        for body in [&b""[..], b"<html>", b"[]", b"null"] {
            assert_eq!(
                refusal(429, body, Some(5), None).outcome(Doing::Post),
                Outcome::retry_after(5, RATE_LIMITED)
            );
        }
    }

    #[test]
    fn limits_of_a_whole_tenant_are_told_apart() {
        let wide = refusal(429, b"{}", Some(2_128), Some("Tenant_Application/ReadWrite/app/tenant"));
        assert_eq!(
            wide.outcome(Doing::Post),
            Outcome::Retry { after_ms: Some(2_128), code: RATE_LIMITED, whole_installation: true }
        );
        assert_eq!(wide.failure(), Failure::Retry { after_ms: Some(2_128), code: RATE_LIMITED });
    }

    #[test]
    fn the_table_of_token_errors() {
        for (status, body, expected) in [
            (401, r#"{"error":"invalid_client","error_codes":[7000215]}"#, Failure::SignIn(SIGN_IN)),
            (400, r#"{"error":"invalid_grant","error_codes":[700082]}"#, Failure::SignIn(SIGN_IN)),
            (400, r#"{"error":"unauthorized_client","error_codes":[700016]}"#, Failure::SignIn(SIGN_IN)),
            (400, r#"{"error":"invalid_scope","error_codes":[70011]}"#, Failure::SignIn(CONFIG)),
            (503, "", Failure::Retry { after_ms: None, code: TARGET_FAILED }),
            (429, "", Failure::Retry { after_ms: None, code: RATE_LIMITED }),
        ] {
            assert_eq!(token_failure(status, body.as_bytes(), None), expected, "{status} {body}");
        }
    }
}
