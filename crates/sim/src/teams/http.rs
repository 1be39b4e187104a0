//! Requests and answers in the form that the handlers share.

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde_json::Value;

use super::ids;

/// A request, its path taken apart.
pub(super) struct Req {
    pub method: Method,
    /// Host without port, lower case.
    pub host: String,
    /// Scheme and authority by which the caller reached the simulator.
    pub origin: String,
    /// Path as sent.
    pub path: String,
    /// Decoded path segments; empty ones are dropped, OData keys `name('x')` are taken apart.
    pub segments: Vec<String>,
    /// Decoded query.
    pub query: Vec<(String, String)>,
    /// The query as sent.
    pub raw_query: String,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// Milliseconds since 1970.
    pub now: u64,
}

impl Req {
    pub(super) fn query(&self, name: &str) -> Option<&str> {
        // Graph accepts OData options with and without the dollar sign.
        let bare = name.trim_start_matches('$');
        self.query
            .iter()
            .find(|(k, _)| k.trim_start_matches('$').eq_ignore_ascii_case(bare))
            .map(|(_, v)| v.as_str())
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|v| v.to_str().ok())
    }

    pub(super) fn bearer(&self) -> Option<&str> {
        let value = self.header("authorization")?;
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
    }

    pub(super) fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    pub(super) fn form(&self) -> Vec<(String, String)> {
        form_urlencoded::parse(&self.body).into_owned().collect()
    }
}

/// Takes a path apart.
pub(super) fn segments(path: &str) -> Vec<String> {
    let mut out = Vec::new();
    for raw in path.split('/').filter(|s| !s.is_empty()) {
        let s = ids::decode(raw);
        // A path below an item, which generated clients send as one segment: `{folder}%3A%2Fplan.pdf%3A`.
        if let Some((item, name)) = s.split_once(":/").filter(|(_, name)| name.ends_with(':')) {
            out.extend([format!("{item}:"), name.to_owned()]);
            continue;
        }
        let keyed = s.strip_suffix("')").and_then(|s| s.split_once("('"));
        match keyed {
            Some((name, key)) => out.extend([name.to_owned(), key.to_owned()]),
            None => out.push(s),
        }
    }
    out
}

/// An answer.
#[derive(Debug)]
pub(super) struct Res {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Bytes,
}

impl Res {
    pub(super) fn json(status: u16, value: &Value) -> Self {
        Self::bytes(status, "application/json; charset=utf-8", value.to_string())
    }

    pub(super) fn empty(status: u16) -> Self {
        Self { status, headers: vec![], body: Bytes::new() }
    }

    pub(super) fn html(status: u16, page: String) -> Self {
        Self::bytes(status, "text/html; charset=utf-8", page)
    }

    pub(super) fn bytes(status: u16, content_type: &str, body: impl Into<Bytes>) -> Self {
        Self { status, headers: vec![("content-type", content_type.to_owned())], body: body.into() }
    }

    pub(super) fn redirect(to: String) -> Self {
        Self::empty(302).with("location", to)
    }

    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

impl IntoResponse for Res {
    fn into_response(self) -> Response {
        let mut response = Response::new(self.body.into());
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().append(HeaderName::from_static(name), value);
            }
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_in_every_spelling() {
        let wanted = ["v1.0", "teams", "T", "channels", "19:x@thread.tacv2", "messages"];
        assert_eq!(segments("/v1.0//teams/T/channels/19%3Ax%40thread.tacv2/messages"), wanted);
        assert_eq!(segments("/v1.0/teams('T')/channels('19:x@thread.tacv2')/messages"), wanted);
    }
}
