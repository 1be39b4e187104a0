//! What can go wrong, told apart by the one question that matters: may the request have been acted upon?

use dragoman_model::{Code, Outcome, codes};

use crate::failure::Failure;

/// A name led to an address that the gateway does not connect to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the address is not public")]
pub struct AddressBlocked;

/// Why no connection came about.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ConnectFault {
    /// Name resolution or TCP.
    #[error("no connection")]
    Network,
    /// It took too long.
    #[error("connecting took too long")]
    Timeout,
    /// TLS: certificate, versions.
    #[error("the TLS handshake failed")]
    Tls,
    /// The proxy refused or was not understood.
    #[error("the proxy refused")]
    Proxy,
}

/// Why an answer did not arrive.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LostFault {
    /// Nothing came within the time limit.
    #[error("no answer in time")]
    Timeout,
    /// The connection broke.
    #[error("the connection broke")]
    Reset,
    /// What came was not HTTP.
    #[error("the answer was not understood")]
    Garbled,
}

/// Why a request has no response. Holds no path, query, header or body: these carry tokens and content.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum HttpError {
    /// The host is not among those allowed, or its address is not public. Nothing was sent.
    #[error("the gateway does not connect to {host}")]
    Blocked {
        /// The host.
        host: String,
    },
    /// No connection. Nothing was sent.
    #[error("cannot reach {host}: {fault}")]
    Connect {
        /// The host.
        host: String,
        /// Why.
        fault: ConnectFault,
    },
    /// The request may have been received and acted upon.
    #[error("the answer of {host} was lost: {fault}")]
    Lost {
        /// The host.
        host: String,
        /// Why.
        fault: LostFault,
    },
    /// The connection broke, or nothing moved on it, before an upload had been taken whole. Nobody acts on half a body.
    #[error("the upload to {host} was cut: {fault}")]
    Cut {
        /// The host.
        host: String,
        /// Why.
        fault: LostFault,
    },
    /// The bytes of an upload could not be read to their end, so that it was cut off.
    #[error("what was to be sent could not be read: {0}")]
    Source(Failure),
    /// The answer is larger than the caller takes. The request was received.
    #[error("the answer of {host} is larger than {cap} bytes")]
    TooLarge {
        /// The host.
        host: String,
        /// The limit in bytes.
        cap: usize,
    },
    /// The request cannot be sent as it is. Nothing was sent.
    #[error("the request cannot be sent: {0}")]
    Invalid(&'static str),
}

impl HttpError {
    /// Whether the request certainly did not reach anybody.
    pub fn nothing_sent(&self) -> bool {
        !matches!(self, Self::Lost { .. } | Self::TooLarge { .. })
    }

    /// The code.
    pub fn code(&self) -> Code {
        match self {
            Self::Blocked { .. } => codes::ADDRESS_BLOCKED,
            Self::Connect { .. } => codes::UNREACHABLE,
            Self::Lost { .. } | Self::Cut { .. } | Self::TooLarge { .. } => codes::NO_ANSWER,
            Self::Source(failure) => failure.code(),
            Self::Invalid(_) => codes::BAD_REQUEST,
        }
    }

    /// What this means for a call that makes something and must not be repeated blindly.
    pub fn into_send_outcome(self) -> Outcome {
        match self {
            Self::Invalid(_) => Outcome::Refused(codes::BAD_REQUEST),
            Self::Source(failure) => unread(failure),
            other if other.nothing_sent() => Outcome::retry(other.code()),
            other => Outcome::Unknown(other.code()),
        }
    }

    /// What this means for a call that may be repeated: edits, deletions, reactions.
    pub fn into_repeatable_outcome(self) -> Outcome {
        match self {
            Self::Invalid(_) => Outcome::Refused(codes::BAD_REQUEST),
            Self::Source(failure) => unread(failure),
            other => Outcome::retry(other.code()),
        }
    }

    /// What this means for a read.
    pub fn into_failure(self) -> Failure {
        match self {
            Self::Invalid(_) => Failure::Refused(codes::BAD_REQUEST),
            Self::TooLarge { .. } => Failure::Malformed(codes::TOO_LARGE),
            Self::Source(failure) => failure,
            other => Failure::Retry { after_ms: None, code: other.code() },
        }
    }
}

/// What a failure at the source of a file means for its target: that the source wants a sign-in, or is gone, is
/// nothing that the target's installation or conversation could help.
fn unread(failure: Failure) -> Outcome {
    match failure {
        Failure::Retry { after_ms, code } => Outcome::Retry { after_ms, code, whole_installation: false },
        other => Outcome::Refused(other.code()),
    }
}

impl LostFault {
    /// As the error of a host.
    pub(super) fn at(self, host: &str) -> HttpError {
        HttpError::Lost { host: host.to_owned(), fault: self }
    }
}

/// Why a client cannot be built.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SetupError {
    /// The extra CA file.
    #[error("the extra CA file holds no usable certificate: give a PEM file of certificates")]
    ExtraCa,
    /// The proxy URL.
    #[error("the proxy URL is not understood: give http://host:port, with user:password@ if it asks for one")]
    Proxy,
    /// TLS.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
}
