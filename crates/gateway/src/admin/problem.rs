//! What an operator is told when something did not work.

use std::borrow::Cow;

use dragoman_model::{Code, codes};
use dragoman_platform::Failure;
use dragoman_relay::RelayError;
use dragoman_store::StoreError;
use serde::{Deserialize, Serialize};

/// A problem: its code, what happened to which thing, what to do.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, thiserror::Error)]
#[error("{what}; {cure} ({code})")]
pub struct Problem {
    /// The stable code.
    pub code: Cow<'static, str>,
    /// What happened.
    pub what: String,
    /// What to do.
    pub cure: String,
}

impl Problem {
    /// A problem.
    pub fn new(code: Code, what: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { code: Cow::Borrowed(code.as_str()), what: what.into(), cure: cure.into() }
    }

    /// Something named does not exist.
    pub fn no_such(kind: &str, name: &str, list: &str) -> Self {
        Self::new(
            codes::NOT_FOUND,
            format!("there is no {kind} '{name}'"),
            format!("`{list}` shows what there is"),
        )
    }

    /// A wrong request.
    pub fn wrong(what: impl Into<String>, cure: impl Into<String>) -> Self {
        Self::new(codes::INVALID, what, cure)
    }

    /// The gateway is going down.
    pub(crate) fn stopping() -> Self {
        Self::new(codes::NOT_RUNNING, "the gateway is stopping", "try again when it runs")
    }

    /// A platform did not do what it was asked.
    pub(crate) fn platform(doing: &str, platform: &str, failure: &Failure) -> Self {
        let cure = match failure {
            Failure::Retry { .. } => "try again in a minute",
            Failure::SignIn(_) => "install the app again with `dragoman install start`",
            Failure::Gone(_) => "check the id, and invite the app into the conversation",
            Failure::Refused(_) => "check that the app has the scopes that `dragoman app package` lists",
            Failure::Malformed(_) => "look at the log; the platform may have changed its interface",
        };
        Self::new(failure.code(), format!("{doing} failed: {platform}: {failure}"), cure)
    }
}

impl From<RelayError> for Problem {
    fn from(error: RelayError) -> Self {
        match error {
            RelayError::Store(error) => error.into(),
            other => Self::new(other.code(), other.to_string(), "run `dragoman doctor`"),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        if let StoreError::Exists { .. } = error {
            return Self::new(codes::CONFLICT, error.to_string(), "choose another, or remove the first");
        }
        let text = error.to_string();
        Self::new(RelayError::Store(error).code(), text, "run `dragoman doctor`")
    }
}
