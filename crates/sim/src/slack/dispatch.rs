//! From a request to `/api/<method>` to its answer: arguments, token, scopes, limits, the method, headers.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{Path, Request, State as Extract};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde_json::{Map, Value, json};

use super::api;
use super::args::Args;
use super::config::SeedApp;
use super::desk::Desk;
use super::engine::{Engine, PLATFORM};
use super::error::{ApiError, refuse};
use super::limits::Tier;
use super::state::{Token, TokenKind};
use crate::core::fault::{CallNote, FaultShape, guard};
use crate::core::world::lock;
use crate::core::{CallInfo, ConnControl};

/// The members of a successful answer.
pub type ApiResult = Result<Map<String, Value>, ApiError>;

/// Who calls, with what.
pub struct Caller<'a> {
    /// The token.
    pub token: Token,
    /// Arguments.
    pub args: &'a Args,
    /// The app of the token, where it belongs to one.
    pub app: Option<SeedApp>,
}

impl Caller<'_> {
    /// Refuses without one of these scopes.
    pub fn needs_one_of(&self, scopes: &[&str]) -> Result<(), ApiError> {
        if self.token.kind == TokenKind::Client
            || scopes.iter().any(|scope| self.token.scopes.contains(*scope))
        {
            return Ok(());
        }
        Err(missing_scope(&scopes.join(","), &self.token))
    }

    /// Whether a scope is there.
    pub fn has(&self, scope: &str) -> bool {
        self.token.kind == TokenKind::Client || self.token.scopes.contains(scope)
    }
}

/// `missing_scope` with what is needed and what there is.
pub fn missing_scope(needed: &str, token: &Token) -> ApiError {
    let provided: Vec<&str> = token.scopes.iter().map(String::as_str).collect();
    refuse("missing_scope").with("needed", json!(needed)).with("provided", json!(provided.join(",")))
}

/// How a method authenticates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Auth {
    /// Bot or user token.
    Token,
    /// App-level token.
    App,
    /// Client credentials; handled outside the state's methods.
    Client,
}

/// What a method is.
pub struct Spec {
    /// Rate limit tier.
    pub tier: Tier,
    /// Takes JSON.
    pub json: bool,
    /// Authentication.
    pub auth: Auth,
    /// One of these is needed whatever the arguments.
    pub scopes: &'static [&'static str],
    /// The method.
    pub run: fn(&mut Desk<'_>, &Caller<'_>) -> ApiResult,
}

const SHAPE: FaultShape = FaultShape { rate_limited: |text| limited(text), server_error: broken };

fn limited(retry_after: &str) -> Response {
    let mut answer =
        (StatusCode::TOO_MANY_REQUESTS, json_text(r#"{"ok":false,"error":"ratelimited"}"#.to_owned()))
            .into_response();
    if let Ok(value) = HeaderValue::from_str(retry_after) {
        answer.headers_mut().insert(header::RETRY_AFTER, value);
    }
    answer
}

fn broken(status: u16) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let page = "<!DOCTYPE html><html><head><title>Server Error</title></head><body>Something went wrong</body></html>";
    (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response()
}

fn json_text(text: String) -> Response {
    ([(header::CONTENT_TYPE, "application/json; charset=utf-8")], text).into_response()
}

/// `/api/{method}`, GET and POST alike.
pub async fn call(
    Extract(engine): Extract<Arc<Engine>>,
    Path(method): Path<String>,
    request: Request<Body>,
) -> Response {
    let connection = request.extensions().get::<ConnControl>().cloned();
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, 16 * 1024 * 1024).await else {
        return (StatusCode::PAYLOAD_TOO_LARGE, "request too large").into_response();
    };
    let spec = api::spec(&method);
    let json_allowed = spec.as_ref().is_some_and(|spec| spec.json);
    let query = parts.uri.query().unwrap_or_default().to_owned();
    let args = Args::read(&parts.method, &query, &parts.headers, &body, json_allowed);
    let info = CallInfo {
        platform: PLATFORM,
        method: method.clone(),
        path: parts.uri.path().to_owned(),
        conversation: args
            .as_ref()
            .ok()
            .and_then(|args| args.text("channel").or_else(|| args.text("channel_id"))),
    };
    let hold = engine.config.timing.post_answer_delay;
    let inner = Arc::clone(&engine);
    let effect = async move {
        let answer = respond(&inner, &method, spec, args, &parts, &body);
        if method == "chat.postMessage" && !hold.is_zero() {
            tokio::time::sleep(hold).await;
        }
        answer
    };
    guard(&engine.faults, &engine.log, SHAPE, connection.as_ref(), info, effect).await
}

fn respond(
    engine: &Arc<Engine>,
    method: &str,
    spec: Option<Spec>,
    args: Result<Args, ApiError>,
    parts: &Parts,
    _body: &Bytes,
) -> Response {
    let mut token = None;
    let mut warnings = Vec::new();
    let accepted = spec.as_ref().map(|spec| spec.scopes.join(",")).unwrap_or_default();
    let result = args.and_then(|args| {
        warnings.clone_from(&args.warnings);
        let spec = spec.ok_or_else(|| {
            let retired = matches!(method, "files.upload" | "channels.list" | "channels.history" | "im.open");
            refuse(if retired { "method_deprecated" } else { "unknown_method" })
        })?;
        if spec.auth == Auth::Client {
            count(engine, method, spec.tier, "client")?;
            return api::client_call(engine, method, &parts.headers, &args);
        }
        let found = authenticate(engine, &parts.headers, &args, spec.auth)?;
        token = Some(found.clone());
        if method == "apps.connections.open" && parts.method == Method::GET {
            return Err(refuse("insecure_request"));
        }
        let app = engine.app(|app| app.app_id == found.app_id);
        let caller = Caller { token: found, args: &args, app };
        if !spec.scopes.is_empty() {
            caller.needs_one_of(spec.scopes)?;
        }
        limit(engine, method, spec.tier, &caller)?;
        if spec.auth == Auth::App {
            return api::app_call(engine, method, &caller);
        }
        engine.operate(|desk| (spec.run)(desk, &caller))
    });
    answer(engine, result, token.as_ref(), &accepted, warnings)
}

fn answer(
    engine: &Engine,
    result: ApiResult,
    token: Option<&Token>,
    accepted: &str,
    warnings: Vec<&'static str>,
) -> Response {
    let note = match &result {
        Ok(_) => json!({}),
        Err(error) => json!({"error": error.code}),
    };
    let mut response = match result {
        Err(ApiError { retry_after: Some(wait), .. }) => limited(&wait.to_string()),
        Err(error) => {
            let mut body = error.extra;
            body.insert("ok".to_owned(), json!(false));
            if !error.code.is_empty() {
                body.insert("error".to_owned(), json!(error.code));
            }
            json_text(engine.encode(&Value::Object(body)))
        }
        Ok(mut body) => {
            if body.get("ok").is_none() {
                body.insert("ok".to_owned(), json!(true));
            }
            warn(&mut body, warnings);
            json_text(engine.encode(&Value::Object(body)))
        }
    };
    let headers = response.headers_mut();
    let mut put = |name: &'static str, value: String| {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    };
    put("x-slack-req-id", engine.world.hex(32));
    if let Some(token) = token {
        let scopes: Vec<&str> = token.scopes.iter().map(String::as_str).collect();
        put("x-oauth-scopes", scopes.join(","));
        put("x-accepted-oauth-scopes", accepted.to_owned());
    }
    response.extensions_mut().insert(CallNote(note));
    response
}

/// Adds remarks to an answer, beside those that the method made.
pub fn warn(body: &mut Map<String, Value>, more: Vec<&'static str>) {
    let mut all: Vec<String> = body
        .get("warning")
        .and_then(Value::as_str)
        .map(|text| text.split(',').map(str::to_owned).collect())
        .unwrap_or_default();
    all.extend(more.into_iter().map(str::to_owned));
    if all.is_empty() {
        return;
    }
    body.insert("warning".to_owned(), json!(all.join(",")));
    let metadata = body.entry("response_metadata".to_owned()).or_insert_with(|| json!({}));
    metadata["warnings"] = json!(all);
}

/// Client id and secret: HTTP Basic, or fields.
pub fn client_credentials(headers: &HeaderMap, args: &Args) -> (Option<String>, Option<String>) {
    let basic = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Basic "))
        .and_then(|value| STANDARD.decode(value).ok())
        .and_then(|bytes| String::from_utf8(bytes).ok());
    match basic.as_deref().and_then(|pair| pair.split_once(':')) {
        Some((id, secret)) => (Some(id.to_owned()), Some(secret.to_owned())),
        None => (args.text("client_id"), args.text("client_secret")),
    }
}

fn authenticate(engine: &Engine, headers: &HeaderMap, args: &Args, auth: Auth) -> Result<Token, ApiError> {
    let bearer = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "))
        .map(|text| text.trim().to_owned());
    let text = bearer.or_else(|| args.form_token.clone()).filter(|text| !text.is_empty());
    let text = text.ok_or_else(|| refuse("not_authed"))?;
    if let Some(app) = engine.app(|app| app.app_token == text) {
        if auth != Auth::App {
            return Err(refuse("not_allowed_token_type"));
        }
        return Ok(Token {
            text,
            kind: TokenKind::App,
            app_id: app.app_id,
            team: None,
            enterprise: None,
            user: String::new(),
            bot_id: None,
            scopes: BTreeSet::from(["connections:write".to_owned(), "authorizations:read".to_owned()]),
            expires: None,
            revoked: false,
            exchanged: false,
        });
    }
    find_token(engine, &text, auth)
}

fn find_token(engine: &Engine, text: &str, auth: Auth) -> Result<Token, ApiError> {
    let token = lock(&engine.state).tokens.get(text).cloned().ok_or_else(|| refuse("invalid_auth"))?;
    if token.revoked {
        return Err(refuse(if token.kind == TokenKind::Bot { "account_inactive" } else { "token_revoked" }));
    }
    if token.expires.is_some_and(|expires| expires <= engine.world.clock.seconds()) {
        return Err(refuse("token_expired"));
    }
    if lock(&engine.state).users.get(&token.user).is_some_and(|user| user.deleted) {
        return Err(refuse("account_inactive"));
    }
    if auth == Auth::App {
        return Err(refuse("not_allowed_token_type"));
    }
    Ok(token)
}

/// Who may read files and pages: the token of a request outside the Web API.
pub fn file_token(engine: &Engine, headers: &HeaderMap) -> Option<Token> {
    authenticate(engine, headers, &Args::default(), Auth::Token).ok()
}

fn limit(engine: &Engine, method: &str, tier: Tier, caller: &Caller<'_>) -> Result<(), ApiError> {
    if caller.token.kind == TokenKind::Client {
        return Ok(());
    }
    let place = caller.token.team.clone().or_else(|| caller.token.enterprise.clone()).unwrap_or_default();
    let scope = format!("{}/{place}", caller.token.app_id);
    if method.starts_with("conversations.")
        && matches!(method, "conversations.history" | "conversations.replies")
        && caller.app.as_ref().is_some_and(|app| app.commercial)
    {
        return count_as(engine, method, 1, &scope);
    }
    if matches!(method, "chat.postMessage" | "chat.meMessage")
        && let Some(channel) = caller.args.text("channel")
    {
        let now = engine.world.clock.micros();
        let limits = &engine.config.limits;
        let mut limiter = lock(&engine.limiter);
        limiter
            .call(limits, &format!("posts {place}"), limits.posts_per_minute, now)
            .and_then(|()| limiter.post(limits, &channel, now))
            .map_err(|wait| ApiError { retry_after: Some(wait), ..refuse("ratelimited") })?;
    }
    count(engine, method, tier, &scope)
}

fn count(engine: &Engine, method: &str, tier: Tier, scope: &str) -> Result<(), ApiError> {
    count_as(engine, method, tier.per_minute(), scope)
}

fn count_as(engine: &Engine, method: &str, allowed: u32, scope: &str) -> Result<(), ApiError> {
    lock(&engine.limiter)
        .call(&engine.config.limits, &format!("{method} {scope}"), allowed, engine.world.clock.micros())
        .map_err(|wait| ApiError { retry_after: Some(wait), ..refuse("ratelimited") })
}
