//! What comes in at the door, before and after a connector looked at it.

use bytes::Bytes;
use dragoman_model::{Code, DeliveryKey, EventKind, RemoteConversation, RemoteMessage, RemoteWorkspace};
use dragoman_seal::Content;
use http::{HeaderMap, Method, StatusCode};

/// A request as the door received it, complete and within the size cap.
#[derive(Clone)]
pub struct Inbound {
    /// Method.
    pub method: Method,
    /// What follows `/hooks/{platform}/{app}/` in the path: `events`, `notifications`.
    pub endpoint: String,
    /// The query as sent.
    pub query: Option<String>,
    /// Headers.
    pub headers: HeaderMap,
    /// The exact bytes.
    pub body: Bytes,
}

/// What a connector made of an authentic request: nothing of it has been read as text of people.
pub struct Delivery {
    /// The events in it, in order. Empty for challenges.
    pub items: Vec<Item>,
    /// What the platform wants to hear once everything is durable.
    pub answer: Answer,
    /// Items that were left out because they were not authentic or not understood, by code.
    pub dropped: Vec<Code>,
}

/// An answer to a platform.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    /// Status.
    pub status: StatusCode,
    /// Media type of the body.
    pub content_type: &'static str,
    /// The body; mostly empty.
    pub body: Bytes,
}

impl Answer {
    /// A status without a body.
    pub fn status(status: StatusCode) -> Self {
        Self { status, content_type: "text/plain; charset=utf-8", body: Bytes::new() }
    }

    /// 200 with plain text.
    pub fn text(body: impl Into<Bytes>) -> Self {
        Self { status: StatusCode::OK, content_type: "text/plain; charset=utf-8", body: body.into() }
    }
}

/// The envelope of one event with its payload.
pub struct Item {
    /// Names the installation; taken from the authenticated body, never from the path.
    pub workspace: RemoteWorkspace,
    /// Where it happened; `None` goes to the installation's control lane.
    pub conversation: Option<RemoteConversation>,
    /// Which message it is about.
    pub message: Option<RemoteMessage>,
    /// The root of the thread of that message, where it is a reply.
    pub thread_root: Option<RemoteMessage>,
    /// What kind of thing, as far as the envelope tells.
    pub kind: EventKind,
    /// The platform's key of this delivery, where it has one.
    pub delivery_key: Option<DeliveryKey>,
    /// When it happened at the source, milliseconds since 1970.
    pub at_ms: i64,
    /// Which of the connector's feeds it came through; its `open` is given it back.
    pub feed: &'static str,
    /// The bytes to seal.
    pub payload: Content,
}

/// Why a request is not accepted.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Rejection {
    /// The signature or token is missing or wrong.
    #[error("the request is not authentic ({0})")]
    Unauthentic(Code),
    /// Authentic, but not for us: another channel, another tenant.
    #[error("the request is not meant for this app ({0})")]
    Forbidden(Code),
    /// Not what the platform sends.
    #[error("the request is malformed ({0})")]
    Malformed(Code),
    /// It cannot be checked at the moment.
    #[error("the request cannot be checked at the moment ({0})")]
    Unavailable(Code),
    /// The connector has no such endpoint.
    #[error("there is no such endpoint")]
    NoEndpoint,
}

impl Rejection {
    /// The status that the platform gets.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Unauthentic(_) => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::NoEndpoint => StatusCode::NOT_FOUND,
        }
    }
}
