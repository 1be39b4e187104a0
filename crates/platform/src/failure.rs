//! Why reading from a platform failed.

use dragoman_model::{Code, Outcome};

/// A classified failure of a read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Failure {
    /// Try again, not before the given time has passed.
    #[error("the platform asks to try again later ({code})")]
    Retry {
        /// Milliseconds to wait; `None` leaves it to the ladder.
        after_ms: Option<u64>,
        /// Why.
        code: Code,
    },
    /// It will never work.
    #[error("the platform refuses ({0})")]
    Refused(Code),
    /// The token does not work any more, or lacks a scope.
    #[error("the installation has to be signed in again ({0})")]
    SignIn(Code),
    /// The conversation is gone or closed to us.
    #[error("the conversation is gone or closed to the app ({0})")]
    Gone(Code),
    /// The platform's answer was not understood.
    #[error("the platform's answer was not understood ({0})")]
    Malformed(Code),
}

impl Failure {
    /// The code.
    pub fn code(&self) -> Code {
        match self {
            Self::Retry { code, .. }
            | Self::Refused(code)
            | Self::SignIn(code)
            | Self::Gone(code)
            | Self::Malformed(code) => *code,
        }
    }

    /// What this failure of a read means for an operation that had to read first and has sent nothing yet.
    pub fn into_outcome(self) -> Outcome {
        match self {
            Self::Retry { after_ms, code } => Outcome::Retry { after_ms, code, whole_installation: false },
            Self::Refused(code) | Self::Malformed(code) => Outcome::Refused(code),
            Self::SignIn(code) => Outcome::SignIn(code),
            Self::Gone(code) => Outcome::Gone(code),
        }
    }
}
