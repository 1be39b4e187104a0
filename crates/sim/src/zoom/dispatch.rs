//! From a request below `/v2` to its answer: token, scopes, limits, body, the operation, headers.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State as Extract};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use http_body_util::BodyExt as _;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::api::{self, Need, Operation};
use super::call::{self, Call, Reply};
use super::config::AppKind;
use super::doubts::BlockedSend;
use super::engine::{Engine, PLATFORM};
use super::error::{ApiError, bad_json, bad_token, refuse};
use super::state::{Token, TokenKind};
use crate::core::fault::{CallNote, FaultShape, guard};
use crate::core::multipart::{self, FormError, FormPart};
use crate::core::world::lock;
use crate::core::{CallInfo, ConnControl};

const MOST_BODY: usize = 4 * 1024 * 1024;

const SHAPE: FaultShape = FaultShape { rate_limited: limited, server_error: broken };

fn limited(retry_after: &str) -> Response {
    let body = json!({"code": 429, "message": "You have reached the maximum per-second rate limit for this API. Try again later."});
    let mut answer = (StatusCode::TOO_MANY_REQUESTS, Json(body)).into_response();
    let headers = answer.headers_mut();
    headers.insert("X-RateLimit-Category", HeaderValue::from_static("Medium"));
    headers.insert("X-RateLimit-Type", HeaderValue::from_static("QPS"));
    if let Ok(value) = HeaderValue::from_str(retry_after)
        && !retry_after.is_empty()
    {
        headers.insert(header::RETRY_AFTER, value);
    }
    answer
}

fn broken(status: u16) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let page = "<html><head><title>Error</title></head><body><center>upstream failed</center></body></html>";
    (status, [(header::CONTENT_TYPE, "text/html")], page).into_response()
}

/// So much of an upload is taken before it is sent on to another host, in bytes.
const SHORT: usize = 64 * 1024;

/// A request on the file host: uploads go on to another host when redirects are switched on.
pub async fn upload(engine: Extract<Arc<Engine>>, request: Request<Body>) -> Response {
    if engine.config.doubts.upload_redirect {
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        let to = format!("{}{path}", engine.base());
        // A short upload has come in by then; otherwise its sender could write into a closed connection.
        let (mut body, mut taken) = (request.into_body(), 0);
        while taken < SHORT
            && let Some(Ok(frame)) = body.frame().await
        {
            taken += frame.data_ref().map_or(0, Bytes::len);
        }
        return (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, to)]).into_response();
    }
    call(engine, request).await
}

/// Any request below `/v2`.
pub async fn call(Extract(engine): Extract<Arc<Engine>>, request: Request<Body>) -> Response {
    let connection = request.extensions().get::<ConnControl>().cloned();
    let (parts, body) = request.into_parts();
    let uploads = kind_of(&parts.headers).starts_with("multipart/form-data");
    let (form, body) = if uploads {
        // One byte more than the largest file, so that it is seen to be too much.
        let most = engine.config.limits.file_bytes.saturating_add(1);
        (Some(multipart::form(kind_of(&parts.headers), body, most).await), Bytes::new())
    } else {
        let Ok(body) = to_bytes(body, MOST_BODY).await else {
            return StatusCode::PAYLOAD_TOO_LARGE.into_response();
        };
        (None, body)
    };
    let path = parts.uri.path().to_owned();
    let found = api::operation(&parts.method, path.strip_prefix("/v2").unwrap_or_default());
    let (query, json) = (query_of(&parts), json_of(&parts, &body));
    let conversation = ["to_channel", "to_contact", "to_jid"]
        .into_iter()
        .find_map(|key| {
            query.get(key).cloned().or_else(|| json.as_ref().ok()?.get(key)?.as_str().map(str::to_owned))
        })
        .map(|id| id.trim_end_matches("@conference.xmpp.zoom.us").to_owned());
    let name = found.as_ref().map_or_else(|| format!("{} {path}", parts.method), |found| found.name.clone());
    let info = CallInfo { platform: PLATFORM, method: name.clone(), path, conversation };
    let hold = engine.config.timing.post_answer_delay;
    let inner = Arc::clone(&engine);
    let effect = async move {
        let result = respond(&inner, found, &parts, query, json, form).await;
        if name == "POST /chat/users/{}/messages" && !hold.is_zero() {
            tokio::time::sleep(hold).await;
        }
        answer(&inner, result)
    };
    guard(&engine.faults, &engine.log, SHAPE, connection.as_ref(), info, effect).await
}

fn query_of(parts: &Parts) -> BTreeMap<String, String> {
    form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes())
        .map(|(key, value)| (key.into_owned(), value.into_owned()))
        .collect()
}

fn kind_of(headers: &HeaderMap) -> &str {
    headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn json_of(parts: &Parts, body: &Bytes) -> Result<Value, ApiError> {
    if body.is_empty() || kind_of(&parts.headers).starts_with("multipart/form-data") {
        return Ok(Value::Null);
    }
    serde_json::from_slice(body).map_err(|_| bad_json())
}

async fn respond(
    engine: &Arc<Engine>,
    found: Option<Operation>,
    parts: &Parts,
    query: BTreeMap<String, String>,
    json: Result<Value, ApiError>,
    form: Option<Result<Vec<FormPart>, FormError>>,
) -> Reply {
    let found = found.ok_or_else(|| refuse(404, 404, "This API endpoint is not recognized."))?;
    let (token, kind) = authenticate(engine, &parts.headers, &found)?;
    scoped(engine, &token, &found)?;
    count(engine, &token, &found)?;
    let uploads = form.map_or_else(|| Ok(Vec::new()), call::multipart)?;
    let mut rest: Vec<String> = query
        .iter()
        .filter(|(key, _)| key.as_str() != "next_page_token")
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    rest.insert(0, parts.uri.path().to_owned());
    let decode = |text: &String| {
        // A double-encoded id (ids may hold slashes) is decoded twice.
        let once = percent_decode_str(text).decode_utf8_lossy().into_owned();
        percent_decode_str(&once).decode_utf8_lossy().into_owned()
    };
    let mut call = Call {
        token,
        kind,
        path: found.path.iter().map(decode).collect(),
        list: rest.join("&"),
        query,
        body: json?,
        parts: uploads,
        validated: false,
    };
    if found.name == "POST /marketplace/app/event_subscription"
        && let Some(url) = call.text("event_webhook_url").map(str::to_owned)
    {
        call.validated = engine.validate(&call.token.app_id, &url).await;
    }
    if found.name == "POST /chat/users/{}/messages" {
        channel_limit(engine, &call)?;
    }
    engine.operate(|desk| (found.run)(desk, &call))
}

/// What a bearer token stands for.
fn authenticate(
    engine: &Engine,
    headers: &HeaderMap,
    found: &Operation,
) -> Result<(Token, AppKind), ApiError> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let text = bearer.and_then(|value| value.strip_prefix("Bearer ")).map(str::trim).unwrap_or_default();
    let files = found.name.contains("/chat/files/");
    let bot = found.need == Need::Bot;
    let wrong = || match (files, bot) {
        (true, _) if text.is_empty() => refuse(401, 300, "Access token is required."),
        (true, _) => refuse(401, 100, "Invalid Access token."),
        (_, true) => refuse(401, 7_010, "Invalid access token."),
        _ => bad_token(),
    };
    let state = lock(&engine.state);
    let token = state.tokens.get(text).filter(|token| !token.revoked).ok_or_else(wrong)?;
    if token.expires <= engine.world.clock.millis() {
        return Err(match (files, bot) {
            (true, _) => refuse(401, 106, "Access token is expired"),
            (_, true) => refuse(401, 7_010, "Access token is expired."),
            _ => refuse(401, 124, "Access token is expired."),
        });
    }
    let app = state.app(&token.app_id).ok_or_else(wrong)?;
    let fits = match found.need {
        Need::Person => token.kind != TokenKind::Client,
        Need::Bot => token.kind == TokenKind::Client && app.seed.robot_jid.is_some(),
        Need::App => token.kind != TokenKind::User,
    };
    if fits { Ok((token.clone(), app.seed.kind)) } else { Err(wrong()) }
}

/// Whether a token has a scope, or the same for administrators.
fn has(token: &Token, scope: &str) -> bool {
    token.scopes.contains(scope) || token.scopes.contains(&format!("{scope}:admin"))
}

fn scoped(engine: &Engine, token: &Token, found: &Operation) -> Result<(), ApiError> {
    if found.scopes.is_empty() || found.scopes.iter().any(|scope| has(token, scope)) {
        return Ok(());
    }
    // Only the granular names are told.
    let first = found.scopes.first().copied().unwrap_or_default();
    let names = if first.ends_with(":admin") || first == "imchat:bot" {
        first.to_owned()
    } else {
        format!("{first}, {first}:admin")
    };
    let message = format!("Invalid access token, does not contain scopes:[{names}].");
    Err(refuse(400, engine.config.doubts.scope_code, message))
}

fn count(engine: &Engine, token: &Token, found: &Operation) -> Result<(), ApiError> {
    let limits = &engine.config.limits;
    if !limits.enabled {
        return Ok(());
    }
    // The app's own token is counted for the first account.
    let account = if token.account.is_empty() { "app" } else { token.account.as_str() };
    let now = engine.world.clock.millis();
    lock(&engine.limiter).call(limits.plan, account, found.label, now).map_err(|mut error| {
        if let Some(limit) = &mut error.limit
            && limit.retry_after.is_none()
            && engine.config.doubts.retry_after_per_second
        {
            limit.retry_after = Some(super::desk::iso(now + 1_000));
        }
        error
    })
}

fn channel_limit(engine: &Engine, call: &Call) -> Result<(), ApiError> {
    let limits = &engine.config.limits;
    let Some(channel) = call.text("to_channel").filter(|_| limits.enabled && limits.per_channel) else {
        return Ok(());
    };
    let blocked = lock(&engine.limiter).send(channel, engine.world.clock.millis());
    blocked.map_err(|_| match engine.config.doubts.blocked_send {
        BlockedSend::TooMany => {
            refuse(429, 429, "Too many messages were sent to this channel. Try again later.")
        }
        BlockedSend::Failed => refuse(400, 5_301, "Message sending failed."),
    })
}

fn answer(engine: &Engine, result: Reply) -> Response {
    let (mut response, note) = match result {
        Ok((status, body)) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
            let response = match body {
                Value::Null => status.into_response(),
                body => (status, Json(body)).into_response(),
            };
            (response, json!({}))
        }
        Err(error) => {
            let note = json!({"error": error.code, "message": error.message});
            let mut response = (error.status(), Json(error.body())).into_response();
            if let Some(limit) = &error.limit {
                let headers = response.headers_mut();
                headers.insert("X-RateLimit-Category", HeaderValue::from_static(limit.category));
                headers.insert("X-RateLimit-Type", HeaderValue::from_static(limit.kind));
                headers.insert("X-RateLimit-Limit", HeaderValue::from(limit.limit));
                headers.insert("X-RateLimit-Remaining", HeaderValue::from(0));
                if let Some(value) =
                    limit.retry_after.as_deref().and_then(|at| HeaderValue::from_str(at).ok())
                {
                    headers.insert(header::RETRY_AFTER, value);
                }
            }
            (response, note)
        }
    };
    let headers = response.headers_mut();
    if headers.contains_key(header::CONTENT_TYPE) {
        let kind = HeaderValue::from_static("application/json;charset=UTF-8");
        headers.insert(header::CONTENT_TYPE, kind);
    }
    if let Ok(value) = HeaderValue::from_str(&engine.tracking_id()) {
        headers.insert("x-zm-trackingid", value);
    }
    response.extensions_mut().insert(CallNote(note));
    response
}

/// Anything else on the API host.
pub async fn lost(method: Method) -> Response {
    (StatusCode::NOT_FOUND, Json(json!({"code": 404, "message": format!("{method}: not found.")})))
        .into_response()
}
