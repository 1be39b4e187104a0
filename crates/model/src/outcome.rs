//! What became of an operation. A connector classifies, the relay decides.

use crate::codes::Code;
use crate::ids::{RemoteMessage, Version};

/// The answer of `perform`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// Done, or already so.
    Done(Done),
    /// Not done; try again, not before the given time has passed.
    Retry {
        /// Milliseconds to wait; `None` leaves it to the ladder.
        after_ms: Option<u64>,
        /// Why.
        code: Code,
        /// Whether everything sent through the same installation has to wait as well.
        whole_installation: bool,
    },
    /// Not done and never will be; this message only.
    Refused(Code),
    /// The token does not work any more; the installation needs a person.
    SignIn(Code),
    /// The conversation is gone or closed to us.
    Gone(Code),
    /// The message that the operation names is not there.
    MessageGone(Code),
    /// Nobody knows whether it was done: look before doing it again.
    Unknown(Code),
}

/// What a platform told about something done.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Done {
    /// The id of the message that was made.
    pub message: Option<RemoteMessage>,
    /// Its state.
    pub version: Option<Version>,
    /// What lies beside the message and is not deleted with it, as its connector names it. Ids only: it is kept with the
    /// copy.
    pub beside: Option<String>,
}

impl Outcome {
    /// Done, with nothing to remember.
    pub fn done() -> Self {
        Self::Done(Done::default())
    }

    /// Done, and this message was made.
    pub fn made(message: RemoteMessage, version: Option<Version>) -> Self {
        Self::Done(Done { message: Some(message), version, beside: None })
    }

    /// Try again when the ladder says.
    pub fn retry(code: Code) -> Self {
        Self::Retry { after_ms: None, code, whole_installation: false }
    }

    /// Try again, not before.
    pub fn retry_after(after_ms: u64, code: Code) -> Self {
        Self::Retry { after_ms: Some(after_ms), code, whole_installation: false }
    }
}
