//! What the chat pages share: fixed assets and the stream of changes.

use std::convert::Infallible;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use http::header;
use serde_json::Value;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

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
