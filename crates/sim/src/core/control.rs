//! The control API under `/_sim/`: log, faults, clock and the stream of changes.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get};
use axum::{Json, Router};
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use super::fault::{FaultBook, FaultOrder};
use super::log::CallLog;
use super::page::{CLIENT, Changes, SKELETON, asset};
use super::world::{Tasks, World};

/// What the control API works on.
#[derive(Clone)]
pub struct ControlContext {
    /// The world.
    pub world: Arc<World>,
    /// The simulator's tasks.
    pub tasks: Tasks,
    /// Its log.
    pub log: CallLog,
    /// Its fault orders.
    pub faults: FaultBook,
    /// Its changes.
    pub changes: Changes,
}

/// Routes: `GET /_sim/log?since=N`, `GET|POST|DELETE /_sim/faults`, `DELETE /_sim/faults/{id}`,
/// `GET|POST /_sim/clock` (`{"advance_ms":N}`), `GET /_sim/events` (server-sent), and what the chat pages share.
pub fn router(context: ControlContext) -> Router {
    Router::new()
        .route("/_sim/log", get(read_log))
        .route("/_sim/faults", get(list_faults).post(add_fault).delete(clear_faults))
        .route("/_sim/faults/{id}", delete(lift_fault))
        .route("/_sim/clock", get(read_clock).post(advance_clock))
        .route("/_sim/events", get(events))
        .route("/_sim/chat.js", get(|| async { asset("text/javascript; charset=utf-8", CLIENT) }))
        .route("/_sim/chat.css", get(|| async { asset("text/css; charset=utf-8", SKELETON) }))
        .with_state(context)
}

#[derive(Deserialize)]
struct Since {
    #[serde(default)]
    since: u64,
}

async fn read_log(State(context): State<ControlContext>, Query(query): Query<Since>) -> Response {
    Json(json!({"position": context.log.position(), "entries": context.log.since(query.since)}))
        .into_response()
}

async fn list_faults(State(context): State<ControlContext>) -> Response {
    Json(context.faults.orders()).into_response()
}

async fn add_fault(State(context): State<ControlContext>, Json(order): Json<FaultOrder>) -> Response {
    let id = context.faults.add(order);
    (StatusCode::CREATED, Json(json!({"id": id}))).into_response()
}

async fn clear_faults(State(context): State<ControlContext>) -> Response {
    context.faults.clear();
    StatusCode::NO_CONTENT.into_response()
}

async fn lift_fault(State(context): State<ControlContext>, Path(id): Path<u64>) -> Response {
    if context.faults.lift(id) { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND }.into_response()
}

async fn read_clock(State(context): State<ControlContext>) -> Response {
    Json(json!({"unix_ms": context.world.clock.millis()})).into_response()
}

#[derive(Deserialize)]
struct Advance {
    advance_ms: u64,
}

async fn advance_clock(State(context): State<ControlContext>, Json(advance): Json<Advance>) -> Response {
    context.world.clock.advance(Duration::from_millis(advance.advance_ms));
    read_clock(State(context)).await
}

async fn events(State(context): State<ControlContext>) -> Response {
    context.changes.stream(context.tasks.token().clone())
}
