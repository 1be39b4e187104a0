//! Events over WebSocket: one connection per subscription, heartbeats as text, nothing kept, nothing acknowledged.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Query, Request, State as Extract};
use axum::response::{IntoResponse, Response};
use futures_util::{SinkExt, StreamExt};
use http::{StatusCode, header};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::sync::{Notify, mpsc};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::config::Transport;
use super::doubts::SocketContent;
use super::engine::{Engine, PLATFORM};
use super::state::TokenKind;
use crate::core::delivery::entry;
use crate::core::world::lock;

/// The last connection's number, and each subscription's connection.
type Open = (u64, BTreeMap<String, (u64, mpsc::UnboundedSender<Out>)>);

/// The connections of all subscriptions.
#[derive(Default)]
pub struct SocketHub {
    open: Mutex<Open>,
    changed: Notify,
}

enum Out {
    Text(String),
    Close,
    Cut,
}

impl SocketHub {
    fn enter(&self, subscription: &str) -> (u64, mpsc::UnboundedReceiver<Out>) {
        let (out, outgoing) = mpsc::unbounded_channel();
        let mut open = lock(&self.open);
        open.0 += 1;
        let id = open.0;
        if let Some((_, old)) = open.1.insert(subscription.to_owned(), (id, out)) {
            // A new connection closes the old one; it may be gone already.
            drop(old.send(Out::Close));
        }
        drop(open);
        self.changed.notify_waiters();
        (id, outgoing)
    }

    fn exit(&self, subscription: &str, id: u64) {
        let mut open = lock(&self.open);
        if open.1.get(subscription).is_some_and(|(known, _)| *known == id) {
            open.1.remove(subscription);
        }
        drop(open);
        self.changed.notify_waiters();
    }

    fn send(&self, subscription: &str, out: Out) -> bool {
        lock(&self.open).1.get(subscription).is_some_and(|(_, sender)| sender.send(out).is_ok())
    }

    /// Whether a subscription has a connection.
    pub fn is_connected(&self, subscription: &str) -> bool {
        lock(&self.open).1.contains_key(subscription)
    }

    /// Waits for a subscription to have a connection, or none; false when that does not happen in time.
    pub async fn wait(&self, subscription: &str, connected: bool, within: Duration) -> bool {
        let waiting = async {
            loop {
                let changed = self.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                if self.is_connected(subscription) == connected {
                    return;
                }
                changed.await;
            }
        };
        tokio::time::timeout(within, waiting).await.is_ok()
    }

    /// Sends a frame as it is; false without a connection.
    pub fn frame(&self, subscription: &str, text: String) -> bool {
        self.send(subscription, Out::Text(text))
    }

    /// Closes a subscription's connection.
    pub fn close(&self, subscription: &str) {
        self.send(subscription, Out::Close);
    }

    /// Cuts a subscription's connection without a word.
    pub fn cut(&self, subscription: &str) {
        self.send(subscription, Out::Cut);
    }
}

impl Engine {
    /// Sends an event over the connection of a subscription; without one it is lost.
    pub(super) fn push(self: &Arc<Self>, subscription: &str, name: &str, room: &str, body: &Value) {
        let text = match self.config.doubts.socket_content {
            SocketContent::Text => json!({"module": "message", "content": body.to_string()}).to_string(),
            SocketContent::Object => json!({"module": "message", "content": body}).to_string(),
            SocketContent::Bare => body.to_string(),
        };
        let engine = Arc::clone(self);
        let (id, event, place) = (subscription.to_owned(), name.to_owned(), room.to_owned());
        let job = Arc::new(move |first: crate::core::delivery::FirstAttempt| {
            let (engine, id, event, place, text) =
                (Arc::clone(&engine), id.clone(), event.clone(), place.clone(), text.clone());
            let sending = async move {
                let sent = engine.sockets.send(&id, Out::Text(text));
                let failure = if sent { None } else { Some("no_connection") };
                let detail = json!({"label": {"subscription": id}, "failure": failure});
                let status = if sent { 200 } else { 0 };
                engine.log.add(entry(PLATFORM, &event, "socket", Some(&place), status, 0, 0, detail));
                first.over();
            };
            Box::pin(sending) as std::pin::Pin<Box<dyn Future<Output = ()> + Send>>
        });
        self.delivery.submit(PLATFORM, name, Some(room), job);
    }

    /// Whether a token may open a subscription's connection, and until when it lives (milliseconds since 1970).
    fn socket_right(&self, subscription: &str, token: &str) -> Option<i64> {
        let state = lock(&self.state);
        let token = state.tokens.get(token)?;
        let owner = state.apps.iter().find(|app| {
            app.subscriptions
                .iter()
                .any(|known| known.seed.id == subscription && known.seed.transport == Transport::Socket)
        })?;
        let live = !token.revoked && token.expires > self.world.clock.millis();
        (live && token.kind != TokenKind::User && token.app_id == owner.seed.app_id).then_some(token.expires)
    }
}

/// `GET /ws?subscriptionId=…&access_token=…`; the token may be in a header of that name instead.
pub async fn link(
    Extract(engine): Extract<Arc<Engine>>,
    Query(query): Query<BTreeMap<String, String>>,
    mut request: Request<Body>,
) -> Response {
    let Some(key) = request.headers().get(header::SEC_WEBSOCKET_KEY).cloned() else {
        return (StatusCode::BAD_REQUEST, "not a WebSocket request").into_response();
    };
    let in_header = request.headers().get("access_token").and_then(|value| value.to_str().ok());
    let token = query.get("access_token").map(String::as_str).or(in_header).unwrap_or_default().to_owned();
    let subscription = query.get("subscriptionId").cloned().unwrap_or_default();
    let right = engine.socket_right(&subscription, &token);
    let upgrade = hyper::upgrade::on(&mut request);
    let group = engine.tasks.clone();
    group.spawn(async move {
        match upgrade.await {
            Ok(upgraded) => {
                let socket =
                    WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await;
                Box::pin(talk(engine, socket, subscription, right)).await;
            }
            Err(error) => tracing::debug!(%error, "a WebSocket upgrade failed"),
        }
    });
    (
        StatusCode::SWITCHING_PROTOCOLS,
        [
            (header::CONNECTION, "Upgrade".to_owned()),
            (header::UPGRADE, "websocket".to_owned()),
            (header::SEC_WEBSOCKET_ACCEPT, derive_accept_key(key.as_bytes())),
        ],
    )
        .into_response()
}

type Socket = WebSocketStream<TokioIo<hyper::upgrade::Upgraded>>;

async fn talk(engine: Arc<Engine>, mut socket: Socket, subscription: String, right: Option<i64>) {
    let Some(expires) = right else {
        let no = json!({"module": "build_connection", "success": false, "content": "Invalid Token"});
        drop(socket.send(Message::text(no.to_string())).await);
        drop(socket.close(None).await);
        return;
    };
    let hello =
        json!({"module": "build_connection", "success": true, "content": "WebSocket connection established"});
    if socket.send(Message::text(hello.to_string())).await.is_err() {
        return;
    }
    let (id, mut outgoing) = engine.sockets.enter(&subscription);
    let patience = engine.config.timing.heartbeat_limit;
    let left = u64::try_from(expires - engine.world.clock.millis()).unwrap_or(0);
    let life = if engine.config.doubts.socket_outlives_token {
        Duration::from_hours(24 * 365)
    } else {
        Duration::from_millis(left)
    };
    let mut silent = Box::pin(tokio::time::sleep(patience));
    let mut end = Box::pin(tokio::time::sleep(life));
    loop {
        tokio::select! {
            // In a fixed order, so that equal runs are equal.
            biased;
            incoming = socket.next() => match incoming {
                Some(Ok(Message::Text(text))) => {
                    let frame: Value = serde_json::from_str(&text).unwrap_or_default();
                    if frame["module"] == "heartbeat" {
                        silent.as_mut().reset(tokio::time::Instant::now() + patience);
                        let beat = json!({"module": "heartbeat", "success": true}).to_string();
                        if socket.send(Message::text(beat)).await.is_err() {
                            break;
                        }
                    }
                }
                // Pings of the protocol do not count as a heartbeat.
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Binary(_) | Message::Frame(_))) => {}
                Some(Ok(Message::Close(_)) | Err(_)) | None => break,
            },
            out = outgoing.recv() => match out {
                Some(Out::Text(text)) => {
                    if socket.send(Message::text(text)).await.is_err() {
                        break;
                    }
                }
                Some(Out::Close) => {
                    drop(socket.close(None).await);
                    break;
                }
                Some(Out::Cut) | None => break,
            },
            () = silent.as_mut() => {
                drop(socket.close(None).await);
                break;
            }
            () = end.as_mut() => {
                drop(socket.close(None).await);
                break;
            }
        }
    }
    engine.sockets.exit(&subscription, id);
}
