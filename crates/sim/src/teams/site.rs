//! The host of SharePoint's addresses that need no token: parts of uploads, bytes of files. A token there is refused.

use std::sync::Arc;

use axum::response::{IntoResponse as _, Response};
use http::{Method, StatusCode, header};
use serde_json::json;

use super::drive::{Part, media_type};
use super::http::{Req, Res};
use super::ids::iso;
use super::sim::Inner;

fn refused(status: u16, code: &str, message: &str) -> Response {
    Res::json(status, &json!({"error": {"code": code, "message": message}})).into_response()
}

fn gone() -> Response {
    refused(404, "itemNotFound", "The upload session was not found")
}

/// Answers below `/_api/upload/` and `/_api/download/`, and the addresses that people open in browsers.
pub(super) fn handle(inner: &Arc<Inner>, req: &Req) -> Response {
    let s: Vec<&str> = req.segments.iter().map(String::as_str).collect();
    if s.first() != Some(&"_api") {
        // A person would sign in here.
        return Res::html(403, "<!DOCTYPE html><title>Sign in to your account</title>".to_owned())
            .into_response();
    }
    if req.header("authorization").is_some() {
        return refused(401, "unauthenticated", "This address takes no Authorization header.");
    }
    match s.as_slice() {
        ["_api", "upload", key] => upload(inner, req, key),
        ["_api", "download", key] if req.method == Method::GET => {
            let item = inner.core().drives.at(key, req.now).cloned();
            let Some(item) = item else { return refused(401, "unauthenticated", "The address has expired.") };
            let mut response = Response::new(item.blob.body());
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(media_type(&item.name)));
            headers.insert(header::CONTENT_LENGTH, header::HeaderValue::from(item.blob.size()));
            response
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

fn upload(inner: &Arc<Inner>, req: &Req, key: &str) -> Response {
    let mut core = inner.core();
    let state = |core: &super::sim::Core| {
        core.drives.session(key, req.now).map(|session| {
            let wanted = format!("{}-", session.wanted());
            json!({"expirationDateTime": iso(session.expires), "nextExpectedRanges": [wanted]})
        })
    };
    match req.method {
        Method::GET => match state(&core) {
            Some(state) => Res::json(200, &state).into_response(),
            None => gone(),
        },
        Method::DELETE if core.drives.cancel(key) => Res::empty(204).into_response(),
        Method::DELETE => gone(),
        Method::PUT => {
            let range = req.header("content-range").and_then(content_range);
            let Some(range) = range else {
                return refused(400, "invalidRequest", "The Content-Range header is missing or malformed.");
            };
            match core.drives.part(key, range, &req.body, req.now) {
                Part::Accepted => match state(&core) {
                    Some(state) => Res::json(202, &state).into_response(),
                    None => gone(),
                },
                Part::Done(item) => {
                    let object = json!({
                        "id": item.id, "name": item.name, "size": item.blob.size(),
                        "eTag": format!("\"{{{}}},1\"", item.guid),
                        "webUrl": format!("{}{}", req.origin, item.path()),
                        "createdBy": item.by.shown(),
                        "file": {"mimeType": media_type(&item.name)},
                        "parentReference": {"driveId": item.folder.drive, "id": item.folder.id},
                    });
                    Res::json(201, &object).into_response()
                }
                Part::Range => refused(
                    416,
                    "invalidRange",
                    "The uploaded fragment overlaps with data that has already been received.",
                ),
                Part::Bad(why) => refused(400, "invalidRequest", why),
                Part::Conflict => refused(
                    409,
                    "nameAlreadyExists",
                    "An item with the same name already exists under the parent",
                ),
                Part::Gone => gone(),
            }
        }
        _ => StatusCode::METHOD_NOT_ALLOWED.into_response(),
    }
}

/// `bytes 0-327679/1000000`
fn content_range(text: &str) -> Option<(u64, u64, u64)> {
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    Some((first.parse().ok()?, last.parse().ok()?, total.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        assert_eq!(content_range("bytes 0-327679/1000000"), Some((0, 327_679, 1_000_000)));
        for bad in ["0-1/2", "bytes 0-1", "bytes */2", "bytes a-b/c", ""] {
            assert_eq!(content_range(bad), None, "{bad}");
        }
    }
}
