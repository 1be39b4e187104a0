//! Fault orders: what should go wrong, where and how often.

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use futures_util::{StreamExt as _, stream};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::log::{CallLog, LogEntry, LogKind};
use super::server::ConnControl;
use super::world::lock;

/// One kind of fault. The first seven hit API calls, the others deliveries to the app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FaultKind {
    /// The call is handled after this time.
    Latency {
        /// Milliseconds.
        ms: u64,
    },
    /// The call is refused as too frequent.
    RateLimited {
        /// The text of the `Retry-After` header.
        retry_after: String,
    },
    /// The server fails before anything happened.
    ServerErrorBefore {
        /// HTTP status.
        status: u16,
    },
    /// The server fails after the call took effect.
    ServerErrorAfter {
        /// HTTP status.
        status: u16,
    },
    /// The connection is cut before anything happened.
    ResetBefore,
    /// The connection is cut after the call took effect.
    ResetAfter,
    /// The answer breaks off after so many bytes of its body; one that is not longer comes whole.
    BreakOff {
        /// Bytes.
        after: usize,
    },
    /// The delivery is made twice.
    Duplicate,
    /// The delivery changes places with the next one (or goes out alone after two seconds).
    Reorder,
    /// The delivery is not made and not repeated.
    Drop,
    /// Nothing is delivered until the order is lifted; what fell into it never comes.
    Silence,
    /// The delivery is made later.
    Delay {
        /// Milliseconds.
        ms: u64,
    },
}

impl FaultKind {
    fn is_for_deliveries(&self) -> bool {
        matches!(self, Self::Duplicate | Self::Reorder | Self::Drop | Self::Silence | Self::Delay { .. })
    }
}

/// Which calls or deliveries an order is about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CallMatch {
    /// API method (`chat.postMessage`, `POST /v3/conversations/*/activities`) or the type of a delivery; `*` stands
    /// for any text; empty matches all.
    pub method: String,
    /// Only this conversation.
    pub conversation: Option<String>,
}

impl CallMatch {
    /// All calls of a method (a glob).
    pub fn method(glob: &str) -> Self {
        Self { method: glob.to_owned(), conversation: None }
    }

    fn fits(&self, method: &str, conversation: Option<&str>) -> bool {
        (self.method.is_empty() || glob(&self.method, method))
            && self.conversation.as_deref().is_none_or(|wanted| conversation == Some(wanted))
    }
}

/// An order to let something go wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultOrder {
    /// Given by the book when the order is accepted.
    #[serde(default)]
    pub id: u64,
    /// Only this platform; empty means any.
    #[serde(default)]
    pub platform: String,
    /// What it is about.
    #[serde(default)]
    pub matches: CallMatch,
    /// What goes wrong.
    pub fault: FaultKind,
    /// How many hits; absent: until lifted.
    #[serde(default)]
    pub count: Option<u32>,
}

impl FaultOrder {
    /// An order for every match, until lifted.
    pub fn always(method: &str, fault: FaultKind) -> Self {
        Self { id: 0, platform: String::new(), matches: CallMatch::method(method), fault, count: None }
    }

    /// An order for the next `count` matches.
    pub fn next(count: u32, method: &str, fault: FaultKind) -> Self {
        Self { count: Some(count), ..Self::always(method, fault) }
    }

    /// The same, for one conversation only.
    #[must_use]
    pub fn in_conversation(mut self, conversation: &str) -> Self {
        self.matches.conversation = Some(conversation.to_owned());
        self
    }
}

/// What to do with one delivery.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeliveryFaults {
    /// How often it is sent beyond the first time.
    pub extra_copies: u32,
    /// How much later.
    pub delay: Option<Duration>,
    /// Swap with the next one.
    pub reorder: bool,
    /// Do not send.
    pub drop: bool,
}

/// The orders in force.
#[derive(Debug, Clone, Default)]
pub struct FaultBook(Arc<Mutex<Orders>>);

#[derive(Debug, Default)]
struct Orders {
    last_id: u64,
    orders: Vec<FaultOrder>,
}

impl FaultBook {
    /// Accepts an order and returns its id.
    pub fn add(&self, mut order: FaultOrder) -> u64 {
        let mut book = lock(&self.0);
        book.last_id += 1;
        order.id = book.last_id;
        book.orders.push(order);
        book.last_id
    }

    /// Lifts one order; false when there is none of this id.
    pub fn lift(&self, id: u64) -> bool {
        let mut book = lock(&self.0);
        let before = book.orders.len();
        book.orders.retain(|order| order.id != id);
        book.orders.len() < before
    }

    /// Lifts all orders.
    pub fn clear(&self) {
        lock(&self.0).orders.clear();
    }

    /// The orders in force.
    pub fn orders(&self) -> Vec<FaultOrder> {
        lock(&self.0).orders.clone()
    }

    /// The faults that hit a call: the latencies together, and at most one other.
    pub fn for_call(&self, call: &CallInfo) -> (Duration, Option<FaultKind>) {
        let mut latency = Duration::ZERO;
        let mut other = None;
        self.hit(call.platform, &call.method, call.conversation.as_deref(), false, |kind| match kind {
            FaultKind::Latency { ms } => {
                latency += Duration::from_millis(*ms);
                true
            }
            kind if other.is_none() => {
                other = Some(kind.clone());
                true
            }
            _ => false,
        });
        (latency, other)
    }

    /// The faults that hit a delivery.
    pub fn for_delivery(&self, platform: &str, method: &str, conversation: Option<&str>) -> DeliveryFaults {
        let mut faults = DeliveryFaults::default();
        self.hit(platform, method, conversation, true, |kind| {
            match kind {
                FaultKind::Duplicate => faults.extra_copies += 1,
                FaultKind::Reorder => faults.reorder = true,
                FaultKind::Delay { ms } => {
                    faults.delay = Some(faults.delay.unwrap_or_default() + Duration::from_millis(*ms));
                }
                _ => faults.drop = true,
            }
            true
        });
        faults
    }

    fn hit(
        &self,
        platform: &str,
        method: &str,
        conversation: Option<&str>,
        deliveries: bool,
        mut take: impl FnMut(&FaultKind) -> bool,
    ) {
        let mut book = lock(&self.0);
        for order in &mut book.orders {
            let fits = order.fault.is_for_deliveries() == deliveries
                && (order.platform.is_empty() || order.platform == platform)
                && order.count != Some(0)
                && order.matches.fits(method, conversation);
            if fits
                && take(&order.fault)
                && let Some(left) = &mut order.count
            {
                *left -= 1;
            }
        }
        book.orders.retain(|order| order.count != Some(0));
    }
}

/// An API call, as faults and the log see it.
#[derive(Debug, Clone)]
pub struct CallInfo {
    /// The platform's name.
    pub platform: &'static str,
    /// API method.
    pub method: String,
    /// Path of the request.
    pub path: String,
    /// The conversation it is about.
    pub conversation: Option<String>,
}

/// How a platform words its refusals.
#[derive(Debug, Clone, Copy)]
pub struct FaultShape {
    /// The answer to a call that came too early; takes the text for `Retry-After`.
    pub rate_limited: fn(&str) -> Response,
    /// The answer of a failing server; takes the status.
    pub server_error: fn(u16) -> Response,
}

/// A remark of a handler for the log, in the response's extensions.
#[derive(Debug, Clone)]
pub struct CallNote(pub Value);

/// Runs an API call's effect under the orders in force, and logs it. Every handler of a platform goes through here.
pub async fn guard<F>(
    book: &FaultBook,
    log: &CallLog,
    shape: FaultShape,
    connection: Option<&ConnControl>,
    call: CallInfo,
    effect: F,
) -> Response
where
    F: Future<Output = Response> + Send,
{
    let started = tokio::time::Instant::now();
    let (latency, fault) = book.for_call(&call);
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    let answer = match &fault {
        Some(FaultKind::RateLimited { retry_after }) => Some((shape.rate_limited)(retry_after)),
        Some(FaultKind::ServerErrorBefore { status }) => Some((shape.server_error)(*status)),
        Some(FaultKind::ResetBefore) => None,
        Some(FaultKind::ServerErrorAfter { status }) => {
            let _lost = effect.await;
            Some((shape.server_error)(*status))
        }
        Some(FaultKind::ResetAfter) => {
            let _lost = effect.await;
            None
        }
        Some(FaultKind::BreakOff { after }) => Some(broken_off(effect.await, *after)),
        _ => Some(effect.await),
    };
    let mut detail = answer
        .as_ref()
        .and_then(|answer| answer.extensions().get::<CallNote>().cloned())
        .map_or_else(|| json!({}), |note| note.0);
    if let (Some(fault), Some(detail)) = (&fault, detail.as_object_mut()) {
        detail.insert("fault".to_owned(), json!(fault));
    }
    log.add(LogEntry {
        seq: 0,
        at: 0,
        kind: LogKind::Call,
        platform: call.platform,
        method: call.method,
        path: call.path,
        status: answer.as_ref().map_or(0, |answer| answer.status().as_u16()),
        conversation: call.conversation,
        ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        attempt: 0,
        detail,
    });
    match answer {
        Some(answer) => answer,
        None => match connection {
            Some(connection) => {
                connection.cut();
                std::future::pending().await
            }
            None => (shape.server_error)(502),
        },
    }
}

/// The answer, whose connection is cut in the middle of its body.
fn broken_off(answer: Response, after: usize) -> Response {
    let (parts, body) = answer.into_parts();
    let cut = || std::io::Error::other("broken off");
    // The pieces, how much is left of the answer, and whether the last piece was cut already.
    let state = (body.into_data_stream(), Some(after), false);
    let pieces = stream::unfold(state, move |(mut pieces, left, over)| async move {
        let left = left?;
        if over {
            return Some((Err(cut()), (pieces, None, true)));
        }
        match pieces.next().await? {
            Ok(piece) if piece.len() <= left => {
                let left = left - piece.len();
                Some((Ok(piece), (pieces, Some(left), false)))
            }
            Ok(piece) if left > 0 => Some((Ok(piece.slice(..left)), (pieces, Some(0), true))),
            _ => Some((Err(cut()), (pieces, None, true))),
        }
    });
    Response::from_parts(parts, Body::from_stream(pieces))
}

/// Whether a text fits a pattern in which `*` stands for any text.
pub fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn answers_break_off_in_their_body() {
        let answer = |text: &'static str| broken_off(Response::new(Body::from(text)), 4);
        let mut pieces = answer("too long").into_body().into_data_stream();
        assert_eq!(pieces.next().await.and_then(Result::ok).as_deref(), Some(&b"too "[..]));
        assert!(pieces.next().await.is_some_and(|piece| piece.is_err()));
        let whole = axum::body::to_bytes(answer("fits").into_body(), 100).await;
        assert_eq!(whole.ok().as_deref(), Some(&b"fits"[..]));
    }

    #[test]
    fn globs_match_whole_texts() {
        assert!(glob("chat.*", "chat.postMessage"));
        assert!(glob("POST /v3/conversations/*/activities", "POST /v3/conversations/a:b/activities"));
        assert!(!glob("POST /v3/conversations/*/activities", "POST /v3/conversations/a/activities/1"));
        assert!(!glob("chat.update", "chat.update2"));
        assert!(glob("*", ""));
    }

    #[test]
    fn counted_orders_run_out_and_silence_stays() {
        let book = FaultBook::default();
        book.add(FaultOrder::next(1, "message", FaultKind::Duplicate));
        let silence = book.add(FaultOrder::always("", FaultKind::Silence).in_conversation("C2"));
        assert_eq!(book.for_delivery("slack", "message", Some("C1")).extra_copies, 1);
        assert_eq!(book.for_delivery("slack", "message", Some("C1")), DeliveryFaults::default());
        assert!(book.for_delivery("slack", "message", Some("C2")).drop);
        assert!(book.lift(silence));
        assert!(!book.for_delivery("slack", "message", Some("C2")).drop);
    }
}
