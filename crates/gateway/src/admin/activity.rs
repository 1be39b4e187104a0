//! The activity stream as server-sent events. It holds ids, kinds and codes.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use dragoman_relay::{Activity, Relay};
use futures_util::stream::unfold;
use http::{HeaderValue, StatusCode, header};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use super::api::ActivityInfo;
use super::desk::Desk;
use crate::http::{Answer, Body, respond};

/// A comment that often, so that both ends notice when the other is gone.
const HEARTBEAT: Duration = Duration::from_secs(15);

pub(super) fn stream(desk: &Desk) -> Answer {
    let mut answer = respond(StatusCode::OK, "text/event-stream", Bytes::new());
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer.map(|_| activity_body(&desk.relay, desk.stop.clone()))
}

/// What happens from now on until `stop`, one server-sent event each.
pub fn activity_body(relay: &Relay, stop: CancellationToken) -> Body {
    let events = unfold((relay.activity(), stop), |(mut activity, stop)| async move {
        let text = tokio::select! {
            () = stop.cancelled() => return None,
            () = tokio::time::sleep(HEARTBEAT) => ":\n\n".to_owned(),
            received = activity.recv() => match received {
                Ok(entry) => line(&view(&entry)),
                Err(RecvError::Lagged(missed)) => line(&missed_view(missed)),
                Err(RecvError::Closed) => return None,
            },
        };
        Some((Ok::<_, Infallible>(Frame::data(Bytes::from(text))), (activity, stop)))
    });
    StreamBody::new(events).boxed_unsync()
}

fn line(entry: &ActivityInfo) -> String {
    format!("data: {}\n\n", serde_json::to_string(entry).unwrap_or_default())
}

fn view(entry: &Activity) -> ActivityInfo {
    ActivityInfo {
        at_ms: entry.at_ms,
        stage: entry.stage.as_str().to_owned(),
        from: entry.from.as_ref().map(ToString::to_string),
        to: entry.to.as_ref().map(ToString::to_string),
        kind: entry.kind.clone(),
        code: entry.code.map(|code| code.to_string()),
        took_ms: entry.took_ms,
    }
}

fn missed_view(missed: u64) -> ActivityInfo {
    ActivityInfo {
        at_ms: 0,
        stage: "missed".to_owned(),
        from: None,
        to: None,
        kind: missed.to_string(),
        code: None,
        took_ms: 0,
    }
}
