//! Bytes: uploads, downloads, avatars.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{Path, Request, State as Extract};
use axum::response::{Html, IntoResponse, Response};
use futures_util::StreamExt as _;
use http::{HeaderMap, StatusCode, header};

use super::args::multipart;
use super::dispatch::file_token;
use super::engine::{Engine, PLATFORM};
use crate::core::fault::{FaultShape, guard};
use crate::core::page::avatar_svg;
use crate::core::world::lock;
use crate::core::{Blob, BlobWriter, CallInfo, ConnControl};

const MULTIPART_CAP: usize = 256 * 1024 * 1024;

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
    let content_type =
        parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    // Whatever else the label says, the body is the file.
    let taken = if content_type.starts_with("multipart/form-data") {
        match to_bytes(body, MULTIPART_CAP).await {
            Ok(body) => multipart(content_type, &body)
                .and_then(|parts| parts.into_iter().next())
                .map(|part| Blob::from(&part.content[..]))
                .ok_or((StatusCode::BAD_REQUEST, "malformed multipart body")),
            Err(_) => Err((StatusCode::PAYLOAD_TOO_LARGE, "too large")),
        }
    } else {
        raw(body).await
    };
    let call = CallInfo {
        platform: PLATFORM,
        method: "POST /upload".to_owned(),
        path: "/upload/v1".to_owned(),
        conversation: None,
    };
    let inner = Arc::clone(&engine);
    let effect = async move {
        let bytes = match taken {
            Ok(bytes) => bytes,
            Err(refused) => return refused.into_response(),
        };
        let mut state = lock(&inner.state);
        let Some(id) = state.uploads.get(&key).cloned() else {
            return (StatusCode::NOT_FOUND, "no such upload").into_response();
        };
        let Some(file) = state.files.get_mut(&id).filter(|file| !file.completed) else {
            return (StatusCode::GONE, "upload is over").into_response();
        };
        if bytes.size() != file.length {
            return (StatusCode::BAD_REQUEST, "length differs from the announced one").into_response();
        }
        let answer = format!("OK - {}", bytes.size());
        file.bytes = bytes;
        file.uploaded = true;
        answer.into_response()
    };
    guard(&engine.faults, &engine.log, SHAPE, connection.as_ref(), call, effect).await
}

/// The whole body, on disk where it is large.
async fn raw(body: Body) -> Result<Blob, (StatusCode, &'static str)> {
    let mut pieces = body.into_data_stream();
    let mut written = BlobWriter::default();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|_| (StatusCode::BAD_REQUEST, "the body broke off"))?;
        written.push(&piece).map_err(|_| (StatusCode::INSUFFICIENT_STORAGE, "the disk is full"))?;
    }
    Ok(written.finish())
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
    let headers = [
        (header::CONTENT_TYPE, file.mimetype.clone()),
        (header::CONTENT_LENGTH, file.bytes.size().to_string()),
    ];
    allowed.then(|| (headers, file.bytes.body()).into_response())
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
