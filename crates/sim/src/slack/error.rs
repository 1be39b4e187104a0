//! Refusals of the Web API.

use serde_json::{Map, Value, json};

/// A refusal: the body of an `ok:false` answer.
#[derive(Debug, Clone, thiserror::Error)]
#[error("Slack refuses: {code}")]
pub struct ApiError {
    /// The `error` member.
    pub code: String,
    /// Further members of the answer.
    pub extra: Map<String, Value>,
    /// Seconds for a 429 answer.
    pub retry_after: Option<u64>,
}

/// A refusal with a code only.
pub fn refuse(code: &str) -> ApiError {
    ApiError { code: code.to_owned(), extra: Map::new(), retry_after: None }
}

impl ApiError {
    /// Adds a member to the answer.
    #[must_use]
    pub fn with(mut self, key: &str, value: Value) -> Self {
        self.extra.insert(key.to_owned(), value);
        self
    }
}

/// A required argument is absent.
pub fn missing(argument: &str) -> ApiError {
    let message = format!("[ERROR] missing required field: {argument}");
    refuse("invalid_arguments").with("response_metadata", json!({"messages": [message]}))
}
