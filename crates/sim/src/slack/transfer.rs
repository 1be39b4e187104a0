//! Bytes: uploads, downloads, avatars.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{Path, Request, State as Extract};
use axum::response::{Html, IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};

use super::args::multipart;
use super::dispatch::file_token;
use super::engine::{Engine, PLATFORM};
use crate::core::fault::{FaultShape, guard};
use crate::core::page::avatar_svg;
use crate::core::world::lock;
use crate::core::{CallInfo, ConnControl};

const UPLOAD_CAP: usize = 256 * 1024 * 1024;

const SHAPE: FaultShape = FaultShape {
    rate_limited: |text| {
        (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, text.to_owned())], "slow down").into_response()
    },
    server_error: |status| {
        (StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY), "failed").into_response()
    },
};

/// `POST /upload/v1/{key}`: the raw bytes, or multipart with one part. No token is needed.
pub async fn upload(
    Extract(engine): Extract<Arc<Engine>>,
    Path(key): Path<String>,
    request: Request<Body>,
) -> Response {
    let connection = request.extensions().get::<ConnControl>().cloned();
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, UPLOAD_CAP).await else {
        return (StatusCode::PAYLOAD_TOO_LARGE, "too large").into_response();
    };
    let call = CallInfo {
        platform: PLATFORM,
        method: "POST /upload".to_owned(),
        path: "/upload/v1".to_owned(),
        conversation: None,
    };
    let inner = Arc::clone(&engine);
    let effect = async move {
        let content_type =
            parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        // Whatever else the label says, the body is the file.
        let bytes = if content_type.starts_with("multipart/form-data") {
            match multipart(content_type, &body).and_then(|parts| parts.into_iter().next()) {
                Some(part) => part.content,
                None => return (StatusCode::BAD_REQUEST, "malformed multipart body").into_response(),
            }
        } else {
            body
        };
        let mut state = lock(&inner.state);
        let Some(id) = state.uploads.get(&key).cloned() else {
            return (StatusCode::NOT_FOUND, "no such upload").into_response();
        };
        let Some(file) = state.files.get_mut(&id).filter(|file| !file.completed) else {
            return (StatusCode::GONE, "upload is over").into_response();
        };
        if bytes.len() as u64 != file.length {
            return (StatusCode::BAD_REQUEST, "length differs from the announced one").into_response();
        }
        file.bytes = bytes.to_vec();
        file.uploaded = true;
        format!("OK - {}", bytes.len()).into_response()
    };
    guard(&engine.faults, &engine.log, SHAPE, connection.as_ref(), call, effect).await
}

/// `GET /files-pri/{key}/download/{name}`.
pub async fn download_named(
    engine: Extract<Arc<Engine>>,
    Path((key, _name)): Path<(String, String)>,
    request: Request<Body>,
) -> Response {
    download(engine, key, request).await
}

/// `GET /files-pri/{key}/{name}`.
pub async fn view_named(
    engine: Extract<Arc<Engine>>,
    Path((key, _name)): Path<(String, String)>,
    request: Request<Body>,
) -> Response {
    download(engine, key, request).await
}

async fn download(Extract(engine): Extract<Arc<Engine>>, key: String, request: Request<Body>) -> Response {
    let connection = request.extensions().get::<ConnControl>().cloned();
    let headers = request.headers().clone();
    let call = CallInfo {
        platform: PLATFORM,
        method: "GET /files-pri".to_owned(),
        path: "/files-pri".to_owned(),
        conversation: None,
    };
    let inner = Arc::clone(&engine);
    let effect = async move { bytes_of(&inner, &key, &headers).unwrap_or_else(sign_in_page) };
    guard(&engine.faults, &engine.log, SHAPE, connection.as_ref(), call, effect).await
}

fn bytes_of(engine: &Engine, key: &str, headers: &HeaderMap) -> Option<Response> {
    let token = file_token(engine, headers)?;
    if !token.scopes.contains("files:read") {
        return None;
    }
    let id = key.split_once('-').map_or(key, |(_, id)| id);
    let state = lock(&engine.state);
    let file = state.files.get(id).filter(|file| !file.deleted && !file.mimetype.is_empty())?;
    let allowed = file.user == token.user
        || file.shares.iter().any(|(channel, _)| {
            state.channels.get(channel).is_some_and(|channel| channel.members.contains(&token.user))
        });
    allowed.then(|| ([(header::CONTENT_TYPE, file.mimetype.clone())], file.bytes.clone()).into_response())
}

/// Without access, or too early after the upload: 200 with a page.
fn sign_in_page() -> Response {
    Html("<!DOCTYPE html><html lang=\"en\"><head><title>Sign in</title></head><body>Sign in to see this file.</body></html>")
        .into_response()
}

/// `GET /avatars/{id}.svg`.
pub async fn avatar(Extract(engine): Extract<Arc<Engine>>, Path(file): Path<String>) -> Response {
    let id = file.trim_end_matches(".svg");
    let state = lock(&engine.state);
    let name = state
        .users
        .get(id)
        .map(|user| user.shown().to_owned())
        .or_else(|| state.bots.get(id).map(|bot| bot.name.clone()))
        .or_else(|| state.teams.get(id).map(|team| team.name.clone()));
    match name {
        Some(name) => (
            [(header::CONTENT_TYPE, "image/svg+xml"), (header::CACHE_CONTROL, "max-age=3600")],
            avatar_svg(&name, id),
        )
            .into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
