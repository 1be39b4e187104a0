//! The chat page and its endpoints.

use std::sync::Arc;

use axum::Router;
use axum::routing::get;

use super::engine::Engine;

/// Routes of the page.
pub fn router() -> Router<Arc<Engine>> {
    Router::new().route("/healthz", get(|| async { "ok" }))
}
