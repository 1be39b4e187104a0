//! Refusals of the REST API.

use http::StatusCode;
use serde_json::{Map, Value, json};

/// A refusal: status and the body's members.
#[derive(Debug, Clone, thiserror::Error)]
#[error("Zoom refuses with {status} {code}: {message}")]
pub struct ApiError {
    /// HTTP status.
    pub status: u16,
    /// `code`.
    pub code: u32,
    /// `message`.
    pub message: String,
    /// Further members of the body.
    pub extra: Map<String, Value>,
    /// Headers of a 429.
    pub limit: Option<LimitHeaders>,
}

/// The headers that tell of a rate limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitHeaders {
    /// `X-RateLimit-Category`.
    pub category: &'static str,
    /// `X-RateLimit-Type`.
    pub kind: &'static str,
    /// `X-RateLimit-Limit`.
    pub limit: u64,
    /// `Retry-After`, a date-time text.
    pub retry_after: Option<String>,
}

/// A refusal with code and message.
pub fn refuse(status: u16, code: u32, message: impl Into<String>) -> ApiError {
    ApiError { status, code, message: message.into(), extra: Map::new(), limit: None }
}

impl ApiError {
    /// The body.
    pub fn body(&self) -> Value {
        let mut body = self.extra.clone();
        body.insert("code".to_owned(), json!(self.code));
        body.insert("message".to_owned(), json!(self.message));
        Value::Object(body)
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

/// A member of the body or query is wrong.
pub fn invalid(field: &str) -> ApiError {
    let mut error = refuse(400, 300, "Validation Failed.");
    error.extra.insert("errors".to_owned(), json!([{"field": field, "message": "Invalid field."}]));
    error
}

/// The body is no JSON object, or not one that is understood.
pub fn bad_json() -> ApiError {
    refuse(400, 300, "Request Body should be a valid JSON object.")
}

/// No such person.
pub fn no_user(who: &str) -> ApiError {
    refuse(404, 1_001, format!("User does not exist: {who}."))
}

/// No such channel.
pub fn no_channel(id: &str) -> ApiError {
    refuse(404, 4_130, format!("Channel does not exist: {id}."))
}

/// No such message.
pub fn no_message(id: &str) -> ApiError {
    refuse(400, 300, format!("Message does not exist: {id}."))
}

/// The token says nothing.
pub fn bad_token() -> ApiError {
    refuse(401, 124, "Invalid access token.")
}
