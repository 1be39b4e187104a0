//! Requests and answers as handlers see them: complete, within their limits.

use std::convert::Infallible;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};

use super::peer::Peer;

/// A complete request.
pub struct Request {
    /// Method.
    pub method: Method,
    /// Path as sent.
    pub path: String,
    /// Query as sent.
    pub query: Option<String>,
    /// Headers.
    pub headers: HeaderMap,
    /// The exact bytes.
    pub body: Bytes,
    /// From whom.
    pub peer: Peer,
}

/// The body of an answer.
pub type Body = UnsyncBoxBody<Bytes, Infallible>;

/// An answer.
pub type Answer = http::Response<Body>;

/// What is served on a listener.
#[async_trait]
pub trait Handler: Send + Sync {
    /// The largest body that this path takes, in bytes; `None`: there is no such path.
    fn body_cap(&self, method: &Method, path: &str) -> Option<usize>;

    /// Answers. The future is dropped when the client goes away: what must be finished is spawned.
    async fn handle(&self, request: Request) -> Answer;
}

/// A body of known bytes.
pub fn body(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).boxed_unsync()
}

/// An answer of known bytes.
pub fn respond(status: StatusCode, content_type: &'static str, bytes: impl Into<Bytes>) -> Answer {
    let mut answer = http::Response::new(body(bytes));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}

/// 503: come again in a second. Never 429, which some platforms take for a reason to give up.
pub fn unavailable() -> Answer {
    let mut answer = respond(StatusCode::SERVICE_UNAVAILABLE, "text/plain; charset=utf-8", Bytes::new());
    answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    answer
}
