//! What happens around the service, over HTTP: for tests in another process than the simulator.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use super::engine::Engine;
use super::sim::WebexSim;
use super::state::Scan;

/// Routes: `POST /_sim/webex/limit` `{"token","resource"?,"seconds"}`, `GET /_sim/webex/webhooks`,
/// `POST /_sim/webex/webhook` `{"id","active"}`, `POST /_sim/webex/revoke` `{"person","client_id"}`,
/// `POST /_sim/webex/scan` `{"message","state": "clean" | "running" | "infected" | "unscannable"}`,
/// `POST /_sim/webex/decryptable` `{"id","on"}`.
pub(super) fn router() -> Router<Arc<Engine>> {
    Router::new()
        .route("/_sim/webex/limit", post(limit))
        .route("/_sim/webex/webhooks", get(webhooks))
        .route("/_sim/webex/webhook", post(webhook))
        .route("/_sim/webex/revoke", post(revoke))
        .route("/_sim/webex/scan", post(scan))
        .route("/_sim/webex/decryptable", post(decryptable))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Limit {
    token: String,
    #[serde(default)]
    resource: String,
    seconds: u64,
}

async fn limit(State(engine): State<Arc<Engine>>, Json(order): Json<Limit>) -> Response {
    WebexSim { engine }.limit(&order.token, &order.resource, Duration::from_secs(order.seconds));
    StatusCode::NO_CONTENT.into_response()
}

async fn webhooks(State(engine): State<Arc<Engine>>) -> Response {
    Json(json!({ "items": WebexSim { engine }.webhooks() })).into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Switch {
    id: String,
    active: bool,
}

async fn webhook(State(engine): State<Arc<Engine>>, Json(order): Json<Switch>) -> Response {
    WebexSim { engine }.set_webhook_active(&order.id, order.active);
    StatusCode::NO_CONTENT.into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Revoke {
    person: String,
    client_id: String,
}

async fn revoke(State(engine): State<Arc<Engine>>, Json(order): Json<Revoke>) -> Response {
    WebexSim { engine }.revoke(&order.person, &order.client_id);
    StatusCode::NO_CONTENT.into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scanned {
    message: String,
    state: ScanState,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum ScanState {
    Clean,
    Running,
    Infected,
    Unscannable,
}

async fn scan(State(engine): State<Arc<Engine>>, Json(order): Json<Scanned>) -> Response {
    let scan = match order.state {
        ScanState::Clean => Scan::CleanFrom(0),
        ScanState::Running => Scan::Running,
        ScanState::Infected => Scan::Infected,
        ScanState::Unscannable => Scan::Unscannable,
    };
    match (WebexSim { engine }).set_scan(&order.message, scan) {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => (StatusCode::CONFLICT, error.message).into_response(),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Decryptable {
    id: String,
    on: bool,
}

async fn decryptable(State(engine): State<Arc<Engine>>, Json(order): Json<Decryptable>) -> Response {
    WebexSim { engine }.set_decryptable(&order.id, order.on);
    StatusCode::NO_CONTENT.into_response()
}
