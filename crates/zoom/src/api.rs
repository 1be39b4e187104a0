//! Calls of the API as values, and what became of one.

use dragoman_model::{Outcome, codes};
use dragoman_platform::Failure;
use dragoman_platform::http::HttpError;
use http::Method;
use serde_json::Value;

use crate::errors::{self, Act, Class, Refusal};

/// A call.
pub(crate) struct Call {
    pub(crate) method: Method,
    /// Below the base, its parts percent-encoded.
    pub(crate) path: String,
    pub(crate) query: Vec<(&'static str, String)>,
    pub(crate) body: Option<Value>,
}

impl Call {
    /// A reading call.
    pub(crate) fn get(path: String) -> Self {
        Self { method: Method::GET, path, query: Vec::new(), body: None }
    }

    /// A call with a body.
    pub(crate) fn with(method: Method, path: String, body: Value) -> Self {
        Self { method, path, query: Vec::new(), body: Some(body) }
    }

    /// With an argument in the query.
    pub(crate) fn and(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.query.push((key, value.into()));
        self
    }
}

/// A part of a path. Ids and addresses of people may hold anything.
pub(crate) fn segment(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// Why a call gave nothing.
#[derive(Clone, Debug)]
pub(crate) enum CallError {
    /// No answer.
    Http(HttpError),
    /// Zoom refused.
    Zoom(Refusal),
    /// An answer that was not understood.
    Garbled,
    /// There is no token to call with, or it could not be kept.
    Token(Failure),
}

impl CallError {
    /// What Zoom's refusal means.
    pub(crate) fn class(&self) -> Option<Class> {
        match self {
            Self::Zoom(refusal) => Some(refusal.class),
            _ => None,
        }
    }

    /// What this means for an operation.
    pub(crate) fn outcome(self, act: Act) -> Outcome {
        match self {
            Self::Http(error) if act == Act::Post => error.into_send_outcome(),
            Self::Http(error) => error.into_repeatable_outcome(),
            Self::Zoom(refusal) => errors::outcome(&refusal, act),
            Self::Garbled if act == Act::Post => Outcome::Unknown(codes::NO_ANSWER),
            Self::Garbled => Outcome::retry(codes::NO_ANSWER),
            Self::Token(failure) => failure.into_outcome(),
        }
    }

    /// What this means for a read.
    pub(crate) fn failure(self) -> Failure {
        match self {
            Self::Http(error) => error.into_failure(),
            Self::Zoom(refusal) => errors::failure(&refusal),
            Self::Garbled => Failure::Malformed(codes::MALFORMED),
            Self::Token(failure) => failure,
        }
    }
}
