//! Calls of the Web API as values, and what became of one.

use dragoman_model::{Outcome, codes};
use dragoman_platform::Failure;
use dragoman_platform::http::HttpError;
use http::StatusCode;
use serde_json::Value;

use crate::errors::{self, Act};
use crate::wire::answers::Form;

/// The arguments of a call.
pub(crate) enum Arguments {
    /// Fields; every method takes these.
    Form(Form),
    /// JSON; the writing methods take it.
    Json(Value),
}

/// Why a call gave nothing.
#[derive(Clone, Debug)]
pub(crate) enum CallError {
    /// No answer.
    Http(HttpError),
    /// Slack said `ok: false`, or 429.
    Slack {
        /// Its word for it.
        error: String,
        /// How long it asks to wait, in milliseconds.
        retry_after_ms: Option<u64>,
    },
    /// A status that says enough, mostly with a page of HTML.
    Status {
        /// Which.
        status: StatusCode,
        /// How long it asks to wait, in milliseconds.
        retry_after_ms: Option<u64>,
    },
    /// An answer that was not understood.
    Garbled,
    /// There is no token to call with, or it could not be kept.
    Token(Failure),
}

impl CallError {
    /// Slack's word, where it said one.
    pub(crate) fn word(&self) -> &str {
        match self {
            Self::Slack { error, .. } => error,
            _ => "",
        }
    }

    /// What this means for an operation.
    pub(crate) fn outcome(self, act: Act) -> Outcome {
        match self {
            Self::Http(error) if act.is_once() => error.into_send_outcome(),
            Self::Http(error) => error.into_repeatable_outcome(),
            Self::Slack { error, retry_after_ms } => errors::outcome(&error, act, retry_after_ms),
            Self::Status { status, retry_after_ms } if status.is_server_error() => match act {
                Act::Post | Act::Share => Outcome::Unknown(codes::TARGET_FAILED),
                _ => Outcome::Retry {
                    after_ms: retry_after_ms,
                    code: codes::TARGET_FAILED,
                    whole_installation: false,
                },
            },
            Self::Status { .. } => Outcome::Refused(codes::BAD_REQUEST),
            Self::Garbled => match act {
                Act::Post | Act::Share => Outcome::Unknown(codes::NO_ANSWER),
                _ => Outcome::retry(codes::NO_ANSWER),
            },
            Self::Token(failure) => failure.into_outcome(),
        }
    }

    /// What this means for a read.
    pub(crate) fn failure(self) -> Failure {
        match self {
            Self::Http(error) => error.into_failure(),
            Self::Slack { error, retry_after_ms } => errors::failure(&error, retry_after_ms),
            Self::Status { status, retry_after_ms } if status.is_server_error() => {
                Failure::Retry { after_ms: retry_after_ms, code: codes::TARGET_FAILED }
            }
            Self::Status { .. } => Failure::Refused(codes::BAD_REQUEST),
            Self::Garbled => Failure::Malformed(codes::MALFORMED),
            Self::Token(failure) => failure,
        }
    }
}
