//! `/oauth/token`, `/oauth/revoke` and the data-compliance call.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_lc_rs::digest;
use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State as Extract};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, StatusCode, header};
use serde_json::{Value, json};

use super::config::SeedApp;
use super::engine::{Engine, PLATFORM};
use super::grants::{TokenError, denied};
use crate::core::fault::{CallNote, FaultShape, guard};
use crate::core::world::lock;
use crate::core::{CallInfo, ConnControl};

const SHAPE: FaultShape = FaultShape { rate_limited: limited, server_error: broken };

fn limited(_: &str) -> Response {
    let body = json!({"reason": "Too many requests", "error": "rate_limit_exceeded"});
    (StatusCode::TOO_MANY_REQUESTS, Json(body)).into_response()
}

fn broken(status: u16) -> Response {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR).into_response()
}

/// Whether a PKCE verifier proves a challenge.
pub fn proves(challenge: &str, hashed: bool, verifier: &str) -> bool {
    if hashed {
        let digest = digest::digest(&digest::SHA256, verifier.as_bytes());
        URL_SAFE_NO_PAD.encode(digest.as_ref()) == challenge
    } else {
        verifier == challenge
    }
}

/// Form body and query together; both are in use.
fn parameters(parts: &Parts, body: &Bytes) -> BTreeMap<String, String> {
    let query = parts.uri.query().unwrap_or_default().as_bytes();
    form_urlencoded::parse(query)
        .chain(form_urlencoded::parse(body))
        .map(|(key, value)| (key.into_owned(), value.into_owned()))
        .collect()
}

fn client(engine: &Engine, headers: &HeaderMap) -> Result<SeedApp, TokenError> {
    let wrong = || denied(401, "Invalid client_id or client_secret", "invalid_client");
    let basic = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let pair = basic
        .and_then(|value| value.strip_prefix("Basic "))
        .and_then(|value| STANDARD.decode(value).ok())
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(wrong)?;
    let (id, secret) = pair.split_once(':').ok_or_else(wrong)?;
    let state = lock(&engine.state);
    let app = state.apps.iter().map(|app| &app.seed).find(|app| app.client_id == id);
    app.filter(|app| app.client_secret == secret).cloned().ok_or_else(wrong)
}

async fn guarded(
    engine: Arc<Engine>,
    request: Request<Body>,
    run: fn(&Arc<Engine>, &Parts, &Bytes) -> Result<Value, TokenError>,
) -> Response {
    let connection = request.extensions().get::<ConnControl>().cloned();
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, 256 * 1024).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let path = parts.uri.path().to_owned();
    let method = format!("{} {path}", parts.method);
    let info = CallInfo { platform: PLATFORM, method, path, conversation: None };
    let inner = Arc::clone(&engine);
    let effect = async move {
        match run(&inner, &parts, &body) {
            Ok(body) => Json(body).into_response(),
            Err(error) => {
                let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_REQUEST);
                let body = json!({"reason": error.reason, "error": error.error});
                let mut response = (status, Json(body)).into_response();
                response.extensions_mut().insert(CallNote(json!({"error": error.error})));
                response
            }
        }
    };
    guard(&engine.faults, &engine.log, SHAPE, connection.as_ref(), info, effect).await
}

fn give(engine: &Arc<Engine>, parts: &Parts, body: &Bytes) -> Result<Value, TokenError> {
    let given = parameters(parts, body);
    let app = client(engine, &parts.headers)?;
    let text = |key: &str| given.get(key).map(String::as_str).unwrap_or_default();
    engine.operate(|desk| match text("grant_type") {
        "authorization_code" => {
            let verifier = given.get("code_verifier").map(String::as_str);
            desk.redeem(&app, text("code"), text("redirect_uri"), verifier)
        }
        "refresh_token" => desk.refresh(&app, text("refresh_token")),
        "client_credentials" => desk.client_token(&app),
        "account_credentials" => desk.account_token(&app, text("account_id")),
        "" => Err(denied(400, "Missing grant type", "invalid_request")),
        _ => Err(denied(400, "unsupported grant type", "unsupported_grant_type")),
    })
}

/// `POST /oauth/token`
pub async fn token(Extract(engine): Extract<Arc<Engine>>, request: Request<Body>) -> Response {
    guarded(engine, request, give).await
}

fn take(engine: &Arc<Engine>, parts: &Parts, body: &Bytes) -> Result<Value, TokenError> {
    let given = parameters(parts, body);
    let app = client(engine, &parts.headers)?;
    let text = given.get("token").map(String::as_str).unwrap_or_default();
    engine.operate(|desk| desk.revoke(&app, text))?;
    Ok(json!({"status": "success"}))
}

/// `POST /oauth/revoke`
pub async fn revoke(Extract(engine): Extract<Arc<Engine>>, request: Request<Body>) -> Response {
    guarded(engine, request, take).await
}

fn comply(engine: &Arc<Engine>, parts: &Parts, body: &Bytes) -> Result<Value, TokenError> {
    client(engine, &parts.headers)?;
    let report: Value = serde_json::from_slice(body).unwrap_or_default();
    if !report["account_id"].is_string() || report["compliance_completed"] != true {
        return Err(denied(400, "Bad Request", "invalid_request"));
    }
    engine.operate(|desk| desk.state.compliance.push(report));
    Ok(json!({}))
}

/// `POST /oauth/data/compliance`, which is deprecated but answers.
pub async fn compliance(Extract(engine): Extract<Arc<Engine>>, request: Request<Body>) -> Response {
    guarded(engine, request, comply).await
}
