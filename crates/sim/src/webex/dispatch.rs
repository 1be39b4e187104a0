//! From a request below `/v1/` to its answer: token, limits, body, the call, headers.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{Path, Request, State as Extract};
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use serde_json::{Value, json};

use super::api;
use super::body::Fields;
use super::engine::{Engine, PLATFORM};
use super::error::{ApiError, forbidden, refuse, too_many, unauthorized};
use super::ids;
use super::state::{Content, Kind, Person, Room, Token};
use crate::core::fault::{FaultShape, guard};
use crate::core::world::lock;
use crate::core::{CallInfo, ConnControl, multipart};

/// The content type of answers.
pub const JSON: &str = "application/json;charset=UTF-8";

const BODY_CAP: usize = 4 * 1024 * 1024;

/// Who calls, with what.
pub struct Caller {
    /// The token.
    pub token: Token,
    /// Who it acts as.
    pub person: Person,
    /// Query, in order.
    pub query: Vec<(String, String)>,
    /// Body.
    pub fields: Fields,
    /// Path below `/v1`, as in links.
    pub path: String,
}

impl Caller {
    /// A query parameter.
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// Whether the token has a scope.
    pub fn has(&self, scope: &str) -> bool {
        self.token.scopes.contains(scope)
    }

    /// Refuses without a scope.
    pub fn needs(&self, scope: &str) -> Result<(), ApiError> {
        if self.has(scope) { Ok(()) } else { Err(forbidden()) }
    }

    /// Whether it acts as a bot.
    pub fn is_bot(&self) -> bool {
        self.person.kind == Kind::Bot
    }

    /// Whether a compliance officer calls with a compliance scope.
    pub fn complies(&self, scope: &str) -> bool {
        self.person.compliance_officer && self.has(scope)
    }
}

/// What a call answers.
pub enum Reply {
    /// 200 with a JSON body.
    Ok(Value),
    /// 202 with a JSON body.
    Accepted(Value),
    /// 204.
    Empty,
    /// 200 with a list, and the query of the next page.
    Page(Vec<Value>, Option<Vec<(String, String)>>),
    /// Bytes of a file.
    File(Content),
}

/// What a call answers, or why not.
pub type ApiResult = Result<Reply, ApiError>;

/// How faults look here.
pub(super) const SHAPE: FaultShape = FaultShape { rate_limited: limited, server_error: broken };

fn limited(retry_after: &str) -> Response {
    let mut answer = too_many(1).response("");
    match HeaderValue::from_str(retry_after) {
        Ok(value) if !retry_after.is_empty() => drop(answer.headers_mut().insert(header::RETRY_AFTER, value)),
        _ => drop(answer.headers_mut().remove(header::RETRY_AFTER)),
    }
    answer
}

fn broken(status: u16) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let page =
        "<html><head><title>Service unavailable</title></head><body>Something went wrong</body></html>";
    (status, [(header::CONTENT_TYPE, "text/html")], page).into_response()
}

/// `/v1/{path}`.
pub async fn call(
    Extract(engine): Extract<Arc<Engine>>,
    Path(path): Path<String>,
    request: Request<Body>,
) -> Response {
    let connection = request.extensions().get::<ConnControl>().cloned();
    let (parts, body) = request.into_parts();
    let segments: Vec<String> = path.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
    let query: Vec<(String, String)> =
        form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
    let content_type = parts
        .headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("application/json");
    let has_body = matches!(parts.method, Method::POST | Method::PUT | Method::PATCH);
    let fields = if !has_body {
        Ok(Fields::default())
    } else if content_type.trim_start().to_ascii_lowercase().starts_with("multipart/form-data") {
        // One byte more than is taken, so that it is seen to be too much.
        let most = u64::try_from(engine.config.limits.file_bytes).unwrap_or(u64::MAX).saturating_add(1);
        Fields::form(multipart::form(content_type, body, most).await)
    } else {
        match to_bytes(body, BODY_CAP).await {
            Ok(body) => Fields::read(content_type, &body),
            Err(_) => Err(refuse(413, "The request payload is too big")),
        }
    };
    let names: Vec<&str> = segments.iter().map(String::as_str).collect();
    let info = CallInfo {
        platform: PLATFORM,
        method: format!("{} {}", parts.method, pattern(&names)),
        path: parts.uri.path().to_owned(),
        conversation: conversation(&engine, &names, &query, fields.as_ref().ok()),
    };
    let posts = parts.method == Method::POST && names == ["messages"];
    let inner = Arc::clone(&engine);
    let effect = async move {
        let answer = respond(&inner, &parts, &segments, query, fields).await;
        let hold = inner.config.timing.post_answer_delay;
        if posts && !hold.is_zero() {
            tokio::time::sleep(hold).await;
        }
        answer
    };
    let mut answer = guard(&engine.faults, &engine.log, SHAPE, connection.as_ref(), info, effect).await;
    let name = HeaderName::from_static("trackingid");
    if !answer.headers().contains_key(&name)
        && let Ok(value) = HeaderValue::from_str(&engine.tracking("ROUTER_"))
    {
        answer.headers_mut().insert(name, value);
    }
    answer
}

/// `/messages/{id}` for `/messages/Y2lz…`.
fn pattern(segments: &[&str]) -> String {
    let known = |part: &str| part.len() < 24 && part.chars().all(|c| c.is_ascii_alphabetic() || c == '_');
    let parts: Vec<&str> = segments.iter().map(|part| if known(part) { *part } else { "{id}" }).collect();
    format!("/{}", parts.join("/"))
}

fn conversation(
    engine: &Engine,
    segments: &[&str],
    query: &[(String, String)],
    fields: Option<&Fields>,
) -> Option<String> {
    let given = query
        .iter()
        .find(|(key, _)| key == "roomId")
        .map(|(_, value)| value.clone())
        .or_else(|| fields.and_then(|fields| fields.text("roomId")));
    if given.is_some() {
        return given;
    }
    match segments {
        ["messages", id] => {
            let uuid = ids::read("MESSAGE", id)?.key;
            lock(&engine.state).room_of(&uuid).map(Room::id)
        }
        ["rooms", id, ..] => Some((*id).to_owned()),
        ["contents", id] => {
            let key = ids::read("CONTENT", id)?.key;
            lock(&engine.state).room_of(key.split('/').next()?).map(Room::id)
        }
        _ => None,
    }
}

async fn respond(
    engine: &Arc<Engine>,
    parts: &Parts,
    segments: &[String],
    query: Vec<(String, String)>,
    fields: Result<Fields, ApiError>,
) -> Response {
    match handle(engine, parts, segments, query, fields).await {
        Ok((reply, caller)) => answer(engine, parts, reply, &caller),
        Err(error) => {
            let tracking = engine.tracking(error.prefix);
            let mut answer = error.response(&tracking);
            if let Ok(value) = HeaderValue::from_str(&tracking) {
                answer.headers_mut().insert(HeaderName::from_static("trackingid"), value);
            }
            answer
        }
    }
}

async fn handle(
    engine: &Arc<Engine>,
    parts: &Parts,
    segments: &[String],
    query: Vec<(String, String)>,
    fields: Result<Fields, ApiError>,
) -> Result<(Reply, Caller), ApiError> {
    let (token, person) = authenticate(engine, parts)?;
    let path = format!("/v1/{}", segments.join("/"));
    let caller = Caller { token, person, query, fields: fields?, path };
    limit(engine, &caller, segments)?;
    let fetched = api::fetch_files(engine, &parts.method, segments, &caller).await?;
    let names: Vec<&str> = segments.iter().map(String::as_str).collect();
    let reply = api::route(engine, &parts.method, &names, &caller, fetched)?;
    Ok((reply, caller))
}

fn authenticate(engine: &Engine, parts: &Parts) -> Result<(Token, Person), ApiError> {
    let text = parts
        .headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim())
        .ok_or_else(unauthorized)?;
    let now = engine.world.clock.millis();
    let state = lock(&engine.state);
    let token = state
        .tokens
        .get(text)
        .filter(|token| !token.revoked && token.expires.is_none_or(|expires| expires > now))
        .ok_or_else(unauthorized)?;
    let person = state.people.get(&token.person).filter(|person| person.active).ok_or_else(unauthorized)?;
    Ok((token.clone(), person.clone()))
}

fn limit(engine: &Engine, caller: &Caller, segments: &[String]) -> Result<(), ApiError> {
    let resource = segments.first().map_or("", String::as_str);
    let now = engine.world.clock.millis();
    lock(&engine.limiter)
        .call(&engine.config.limits, &caller.token.text, resource, caller.is_bot(), now)
        .map_err(too_many)
}

fn answer(engine: &Engine, parts: &Parts, reply: Reply, caller: &Caller) -> Response {
    match reply {
        Reply::Ok(value) => {
            (StatusCode::OK, [(header::CONTENT_TYPE, JSON)], value.to_string()).into_response()
        }
        Reply::Accepted(value) => {
            (StatusCode::ACCEPTED, [(header::CONTENT_TYPE, JSON)], value.to_string()).into_response()
        }
        Reply::Empty => StatusCode::NO_CONTENT.into_response(),
        Reply::Page(items, next) => {
            let body = json!({ "items": items }).to_string();
            let mut answer = (StatusCode::OK, [(header::CONTENT_TYPE, JSON)], body).into_response();
            if let Some(next) = next {
                let mut text = form_urlencoded::Serializer::new(String::new());
                text.extend_pairs(next);
                let base = engine.config.link_base.as_deref().unwrap_or(engine.base());
                let link = format!("<{base}{}?{}>; rel=\"next\"", caller.path, text.finish());
                if let Ok(value) = HeaderValue::from_str(&link) {
                    answer.headers_mut().insert(header::LINK, value);
                }
            }
            answer
        }
        Reply::File(content) => {
            let disposition = format!("attachment; filename=\"{}\"", header_safe(&content.name));
            let length = content.bytes.size();
            let told = !engine.config.doubts.contents_without_length;
            let body = match parts.method {
                // An empty body would tell a length of its own.
                _ if !told => content.bytes.chunked(),
                Method::HEAD => Body::empty(),
                _ => content.bytes.body(),
            };
            let mut answer = (StatusCode::OK, body).into_response();
            let headers = answer.headers_mut();
            if told {
                headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
            }
            for (name, value) in
                [(header::CONTENT_TYPE, content.content_type), (header::CONTENT_DISPOSITION, disposition)]
            {
                if let Ok(value) = HeaderValue::from_str(&value) {
                    headers.insert(name, value);
                }
            }
            // Names beyond ASCII are told twice.
            if !content.name.is_ascii() {
                let encoded =
                    percent_encoding::utf8_percent_encode(&content.name, percent_encoding::NON_ALPHANUMERIC);
                let both = format!(
                    "attachment; filename=\"{}\"; filename*=UTF-8''{encoded}",
                    header_safe(&content.name)
                );
                if let Ok(value) = HeaderValue::from_str(&both) {
                    headers.insert(header::CONTENT_DISPOSITION, value);
                }
            }
            answer
        }
    }
}

fn header_safe(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_graphic() && c != '"' || c == ' ' { c } else { '_' }).collect()
}

/// A page of items that are in order: `key` names each, `from` is the key of the last one of the page before.
pub fn paged<T>(
    caller: &Caller,
    doubts: &super::config::WebexDoubts,
    items: &[T],
    (default, cap): (usize, usize),
    key: impl Fn(&T) -> String,
    view: impl Fn(&T) -> Value,
) -> ApiResult {
    let max = match caller.query("max") {
        None => default,
        Some(text) => match text.parse::<usize>() {
            Ok(max) if max > 0 && (max <= cap || !doubts.large_max_refused) => max.min(cap),
            _ => return Err(refuse(400, "The max parameter is out of range.")),
        },
    };
    let from = caller.query("cursor");
    let first = match from {
        None | Some("start") => 0,
        Some(from) => items.iter().position(|item| key(item) == from).map_or(items.len(), |at| at + 1),
    };
    let next = |cursor: String| {
        let mut query: Vec<(String, String)> =
            caller.query.iter().filter(|(name, _)| name != "cursor").cloned().collect();
        query.push(("cursor".to_owned(), cursor));
        query
    };
    if doubts.empty_first_page && from.is_none() {
        return Ok(Reply::Page(Vec::new(), Some(next("start".to_owned()))));
    }
    let rest = items.get(first..).unwrap_or_default();
    let page = rest.get(..max.min(rest.len())).unwrap_or_default();
    let more = page.last().filter(|_| rest.len() > page.len()).map(|last| next(key(last)));
    Ok(Reply::Page(page.iter().map(view).collect(), more))
}
