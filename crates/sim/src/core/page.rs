//! What the chat pages share: the client itself, fixed assets, files that people send, and the stream of changes.

use std::convert::Infallible;

use axum::Json;
use axum::body::Body;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use http::{HeaderMap, StatusCode, header};
use serde_json::{Value, json};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use super::multipart::form;

/// The script of the chat client; a platform's page tells it what its messages are.
pub const CLIENT: &str = include_str!("page/chat.js");
/// The style that all pages have in common.
pub const SKELETON: &str = include_str!("page/chat.css");
/// The largest file that a page takes, in bytes.
const LARGEST: u64 = 64 * 1024 * 1024;

/// A file that somebody sends from a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// Its name.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Pasted into the text, not attached.
    pub pasted: bool,
}

/// The files of a request: the parts of a form that have a file name, or the whole body under this name.
///
/// # Errors
/// With the answer, when there is none, one is too large, or the body breaks off.
pub async fn sent(headers: &HeaderMap, body: Body, name: &str) -> Result<Vec<Sent>, Response> {
    let refuse =
        |status: StatusCode, why: &str| (status, Json(json!({"ok": false, "error": why}))).into_response();
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !kind.starts_with("multipart/form-data") {
        let most = usize::try_from(LARGEST).unwrap_or(usize::MAX);
        let bytes = axum::body::to_bytes(body, most).await;
        let bytes = bytes.map_err(|_| refuse(StatusCode::PAYLOAD_TOO_LARGE, "The file is too large."))?;
        return Ok(vec![Sent { name: name.to_owned(), bytes: bytes.to_vec(), pasted: false }]);
    }
    let parts = form(kind, body, LARGEST).await;
    let parts = parts.map_err(|_| refuse(StatusCode::BAD_REQUEST, "The files did not arrive."))?;
    if parts.iter().any(|part| part.size > LARGEST) {
        return Err(refuse(StatusCode::PAYLOAD_TOO_LARGE, "The file is too large."));
    }
    let files: Vec<Sent> = parts
        .iter()
        .filter_map(|part| {
            // Browsers escape quotes, and nothing else, this way.
            let name = part.parameter("filename")?.value.replace("%22", "\"");
            let pasted = part.parameter("name").is_some_and(|field| field.value == "pasted");
            Some(Sent { name, bytes: part.content.to_vec(), pasted })
        })
        .collect();
    if files.is_empty() {
        return Err(refuse(StatusCode::BAD_REQUEST, "There is no file."));
    }
    Ok(files)
}

/// Announces changes of state to the pages that are open.
#[derive(Debug, Clone)]
pub struct Changes(broadcast::Sender<Value>);

impl Default for Changes {
    fn default() -> Self {
        Self(broadcast::channel(1_024).0)
    }
}

impl Changes {
    /// Announces a change.
    pub fn announce(&self, change: Value) {
        // Nobody listening is no error.
        drop(self.0.send(change));
    }

    /// Every change from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Value> {
        self.0.subscribe()
    }

    /// A stream of server-sent events; a page that fell behind gets `{"type":"reload"}`.
    pub fn stream(&self, until: CancellationToken) -> Response {
        let receiver = self.subscribe();
        let events = stream::unfold((receiver, until), |(mut receiver, until)| async move {
            let change = tokio::select! {
                // In a fixed order, so that equal runs are equal.
                biased;
                () = until.cancelled() => return None,
                change = receiver.recv() => change,
            };
            let data = match change {
                Ok(value) => value.to_string(),
                Err(broadcast::error::RecvError::Lagged(_)) => r#"{"type":"reload"}"#.to_owned(),
                Err(broadcast::error::RecvError::Closed) => return None,
            };
            Some((Ok::<Event, Infallible>(Event::default().data(data)), (receiver, until)))
        });
        Sse::new(events).keep_alive(KeepAlive::default()).into_response()
    }
}

/// A fixed asset.
pub fn asset(content_type: &'static str, body: &'static str) -> Response {
    ([(header::CONTENT_TYPE, content_type), (header::CACHE_CONTROL, "no-cache")], body).into_response()
}

/// Escapes text for HTML, attributes included.
pub fn escape_html(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// A round picture with a person's initials, as SVG; the colour follows from the seed.
pub fn avatar_svg(name: &str, seed: &str) -> String {
    const COLOURS: [&str; 10] = [
        "#4f6bed", "#c2513b", "#2f8f6b", "#8a55c7", "#b3791b", "#2b7fa6", "#b2457c", "#5a7d2a", "#6a5acd",
        "#a0522d",
    ];
    let sum: usize = seed.bytes().map(usize::from).sum();
    let colour = COLOURS[sum % COLOURS.len()];
    let initials: String = name
        .split_whitespace()
        .take(2)
        .filter_map(|word| word.chars().next())
        .flat_map(char::to_uppercase)
        .collect();
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 96 96\"><rect width=\"96\" height=\"96\" rx=\"18\" \
         fill=\"{colour}\"/><text x=\"48\" y=\"61\" text-anchor=\"middle\" font-family=\"system-ui,sans-serif\" \
         font-size=\"38\" font-weight=\"600\" fill=\"#fff\">{}</text></svg>",
        escape_html(&initials)
    )
}
