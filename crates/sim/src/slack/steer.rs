//! What somebody does in an app's settings, and what the network does to its sockets, over HTTP: for tests in
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
use super::sim::SlackSim;

/// Routes: `POST /_sim/slack/app` `{"app", "events_url"?, "socket_mode"?}` (the URL has to answer the challenge),
/// `POST /_sim/slack/sockets` `{"app", "do": "cut" | "refresh"}`. Both answer how many sockets the app has.
pub(super) fn router() -> Router<Arc<Engine>> {
    Router::new().route("/_sim/slack/app", post(app)).route("/_sim/slack/sockets", post(sockets))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    app: String,
    events_url: Option<String>,
    socket_mode: Option<bool>,
}

async fn app(State(engine): State<Arc<Engine>>, Json(settings): Json<Settings>) -> Response {
    let sim = SlackSim { engine };
    if let Some(on) = settings.socket_mode {
        sim.change_app(&settings.app, |app| app.socket_mode = on);
    }
    if let Some(url) = &settings.events_url
        && let Err(error) = sim.save_events_url(&settings.app, url).await
    {
        return (StatusCode::CONFLICT, Json(json!({"ok": false, "error": error.to_string()})))
            .into_response();
    }
    done(&sim, &settings.app)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sockets {
    app: String,
    #[serde(rename = "do")]
    act: Act,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Act {
    Cut,
    Refresh,
}

async fn sockets(State(engine): State<Arc<Engine>>, Json(order): Json<Sockets>) -> Response {
    let sim = SlackSim { engine };
    match order.act {
        Act::Cut => sim.cut_sockets(&order.app),
        Act::Refresh => sim.refresh_sockets(&order.app),
    }
    done(&sim, &order.app)
}

fn done(sim: &SlackSim, app: &str) -> Response {
    Json(json!({"ok": true, "sockets": sim.sockets(app)})).into_response()
}
