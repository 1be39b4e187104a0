//! What somebody does in an app's settings, and what the network does to its socket, over HTTP: for tests in
//! another process than the simulator.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use super::engine::Engine;
use super::sim::ZoomSim;

/// Routes: `POST /_sim/zoom/app` `{"app", "events_url"?, "bot_endpoint"?, "deauthorization_url"?, "socket"?}` (the
/// events address has to answer validation), `POST /_sim/zoom/socket` `{"subscription", "do": "cut" | "close"}`,
/// `POST /_sim/zoom/deauthorize` `{"app", "user"}`, `POST /_sim/zoom/validate`.
pub(super) fn router() -> Router<Arc<Engine>> {
    Router::new()
        .route("/_sim/zoom/app", post(app))
        .route("/_sim/zoom/socket", post(socket))
        .route("/_sim/zoom/deauthorize", post(deauthorize))
        .route("/_sim/zoom/validate", post(validate))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    app: String,
    events_url: Option<String>,
    bot_endpoint: Option<String>,
    deauthorization_url: Option<String>,
    socket: Option<bool>,
}

async fn app(State(engine): State<Arc<Engine>>, Json(settings): Json<Settings>) -> Response {
    let sim = ZoomSim { engine };
    sim.change_app(&settings.app, |app| {
        if settings.bot_endpoint.is_some() {
            app.bot_endpoint = settings.bot_endpoint;
        }
        if settings.deauthorization_url.is_some() {
            app.deauthorization_url = settings.deauthorization_url;
        }
    });
    if settings.socket == Some(true) {
        sim.use_socket(&settings.app);
    }
    if let Some(url) = &settings.events_url
        && let Err(error) = sim.save_events_url(&settings.app, url).await
    {
        return (StatusCode::CONFLICT, Json(json!({"ok": false, "error": error.to_string()})))
            .into_response();
    }
    Json(json!({"ok": true})).into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Socket {
    subscription: String,
    #[serde(rename = "do")]
    act: Act,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Act {
    Cut,
    Close,
}

async fn socket(State(engine): State<Arc<Engine>>, Json(order): Json<Socket>) -> Response {
    match order.act {
        Act::Cut => engine.sockets.cut(&order.subscription),
        Act::Close => engine.sockets.close(&order.subscription),
    }
    Json(json!({"ok": true})).into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Removal {
    app: String,
    user: String,
}

async fn deauthorize(State(engine): State<Arc<Engine>>, Json(removal): Json<Removal>) -> Response {
    ZoomSim { engine }.deauthorize(&removal.app, &removal.user);
    Json(json!({"ok": true})).into_response()
}

async fn validate(State(engine): State<Arc<Engine>>) -> Response {
    engine.validate_all().await;
    Json(json!({"ok": true})).into_response()
}
