//! Refusals, in Webex's words where they are known.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::json;

/// A refused call. Webex has no machine-readable codes: the status counts, the text is for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{status}: {message}")]
pub struct ApiError {
    /// HTTP status.
    pub status: StatusCode,
    /// Text for people.
    pub message: String,
    /// Whole seconds for `Retry-After`.
    pub retry_after: Option<u64>,
    /// What the tracking id starts with.
    pub prefix: &'static str,
}

/// A refusal.
pub fn refuse(status: u16, message: &str) -> ApiError {
    ApiError {
        status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        message: message.to_owned(),
        retry_after: None,
        prefix: "ROUTER_",
    }
}

/// No or no valid token.
pub fn unauthorized() -> ApiError {
    refuse(401, "The request requires a valid access token set in the Authorization request header.")
}

/// A scope or a role is missing.
pub fn forbidden() -> ApiError {
    refuse(
        403,
        "The server understood the request, but refused to fulfill it because the access token is missing required \
         scopes or the user is missing required roles or licenses.",
    )
}

/// An id that cannot be read.
pub fn bad_id() -> ApiError {
    refuse(400, "Expect base64 ID or UUID.")
}

/// Something that is not there, or not for this token.
pub fn not_found(what: &str) -> ApiError {
    refuse(404, &format!("Could not find a {what} with provided ID."))
}

/// Too many calls.
pub fn too_many(seconds: u64) -> ApiError {
    ApiError { retry_after: Some(seconds), ..refuse(429, "Too many requests") }
}

impl ApiError {
    /// The answer. A 429 comes from the gateway before the API: its body is no JSON.
    pub fn response(&self, tracking: &str) -> Response {
        let mut answer = if self.status == StatusCode::TOO_MANY_REQUESTS {
            let page = "<html><head><title>429 Too Many Requests</title></head><body>Too many requests</body></html>";
            (self.status, [(header::CONTENT_TYPE, "text/html")], page).into_response()
        } else {
            let body = json!({"message": self.message, "errors": [{"description": self.message}],
                "trackingId": tracking});
            (self.status, [(header::CONTENT_TYPE, super::dispatch::JSON)], body.to_string()).into_response()
        };
        if let Some(seconds) = self.retry_after {
            answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        answer
    }
}
