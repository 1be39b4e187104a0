//! Socket Mode: single-use URLs, hello, envelopes, acknowledgements, refresh.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Query, Request, State as Extract};
use axum::response::{IntoResponse, Response};
use futures_util::{SinkExt, StreamExt};
use http::{StatusCode, header};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::config::{SeedApp, SocketGap};
use super::engine::{Engine, PLATFORM};
use super::events::Envelope;
use crate::core::delivery::entry;
use crate::core::world::lock;

const MOST_CONNECTIONS: usize = 10;

/// The connections of all apps.
#[derive(Default)]
pub struct SocketHub {
    hub: Mutex<Hub>,
    arrived: Notify,
}

#[derive(Default)]
struct Hub {
    tickets: BTreeMap<String, (String, i64)>,
    connections: Vec<Connection>,
    last_id: u64,
    turn: usize,
    acks: BTreeMap<String, (u64, oneshot::Sender<()>)>,
}

struct Connection {
    id: u64,
    app_id: String,
    out: mpsc::UnboundedSender<Out>,
    live: bool,
}

enum Out {
    Text(String),
    Refresh,
    Goodbye(&'static str),
    Cut,
}

impl SocketHub {
    /// Remembers a single-use ticket until `expires` (microseconds since 1970).
    pub fn issue(&self, ticket: String, app_id: &str, expires: i64) {
        lock(&self.hub).tickets.insert(ticket, (app_id.to_owned(), expires));
    }

    /// How many connections of an app are open.
    pub fn count(&self, app_id: &str) -> usize {
        lock(&self.hub).connections.iter().filter(|connection| connection.app_id == app_id).count()
    }

    /// Waits until an app has at least `needed` connections; false when that does not happen in time.
    pub async fn connected(&self, app_id: &str, needed: usize, within: Duration) -> bool {
        let waiting = async {
            loop {
                let arrived = self.arrived.notified();
                tokio::pin!(arrived);
                arrived.as_mut().enable();
                if self.count(app_id) >= needed {
                    return;
                }
                arrived.await;
            }
        };
        tokio::time::timeout(within, waiting).await.is_ok()
    }

    /// Asks every connection of an app to be renewed: `warning`, then `refresh_requested`, then the close.
    pub fn refresh(&self, app_id: &str) {
        self.tell(app_id, || Out::Refresh);
    }

    /// Ends every connection of an app with a `disconnect` of this reason.
    pub fn disconnect(&self, app_id: &str, reason: &'static str) {
        self.tell(app_id, || Out::Goodbye(reason));
    }

    /// Cuts every connection of an app without a word.
    pub fn cut(&self, app_id: &str) {
        self.tell(app_id, || Out::Cut);
    }

    fn tell(&self, app_id: &str, out: impl Fn() -> Out) {
        for connection in lock(&self.hub).connections.iter().filter(|connection| connection.app_id == app_id)
        {
            // A connection that is gone needs no word.
            drop(connection.out.send(out()));
        }
    }

    fn enter(&self, app_id: &str) -> Option<(u64, mpsc::UnboundedReceiver<Out>, usize)> {
        let mut hub = lock(&self.hub);
        let count = hub.connections.iter().filter(|connection| connection.app_id == app_id).count();
        if count >= MOST_CONNECTIONS {
            return None;
        }
        hub.last_id += 1;
        let id = hub.last_id;
        let (out, outgoing) = mpsc::unbounded_channel();
        hub.connections.push(Connection { id, app_id: app_id.to_owned(), out, live: false });
        Some((id, outgoing, count + 1))
    }

    fn set_live(&self, id: u64, live: bool) {
        for connection in &mut lock(&self.hub).connections {
            if connection.id == id {
                connection.live = live;
            }
        }
        self.arrived.notify_waiters();
    }

    fn exit(&self, id: u64) {
        let mut hub = lock(&self.hub);
        hub.connections.retain(|connection| connection.id != id);
        hub.acks.retain(|_, (connection, _)| *connection != id);
    }

    fn acknowledge(&self, connection: u64, envelope_id: &str) {
        let mut hub = lock(&self.hub);
        // Only the connection that carried an envelope can acknowledge it.
        if hub.acks.get(envelope_id).is_some_and(|(id, _)| *id == connection)
            && let Some((_, acknowledged)) = hub.acks.remove(envelope_id)
        {
            let _gone = acknowledged.send(());
        }
    }

    fn send(&self, app_id: &str, envelope_id: &str, text: String) -> Option<oneshot::Receiver<()>> {
        let mut hub = lock(&self.hub);
        let live: Vec<usize> = hub
            .connections
            .iter()
            .enumerate()
            .filter(|(_, connection)| connection.live && connection.app_id == app_id)
            .map(|(index, _)| index)
            .collect();
        if live.is_empty() {
            return None;
        }
        hub.turn = hub.turn.wrapping_add(1);
        let index = live[hub.turn % live.len()];
        let id = hub.connections[index].id;
        let (acknowledged, answer) = oneshot::channel();
        hub.acks.insert(envelope_id.to_owned(), (id, acknowledged));
        drop(hub.connections[index].out.send(Out::Text(text)));
        Some(answer)
    }

    async fn wait_live(&self, app_id: &str, within: Duration) -> bool {
        let waiting = async {
            loop {
                let arrived = self.arrived.notified();
                tokio::pin!(arrived);
                arrived.as_mut().enable();
                if lock(&self.hub).connections.iter().any(|other| other.live && other.app_id == app_id) {
                    return;
                }
                arrived.await;
            }
        };
        tokio::time::timeout(within, waiting).await.is_ok()
    }
}

impl Engine {
    /// Sends a frame that was made elsewhere: an envelope over one of the app's connections, anything else over
    /// each. `None`: there is none; else whether the envelope was acknowledged in time.
    pub async fn frame(&self, app_id: &str, frame: &Value, within: Duration) -> Option<bool> {
        let Some(envelope_id) = frame["envelope_id"].as_str() else {
            // Counted first: a farewell ends them at once.
            let any = self.sockets.count(app_id) > 0;
            self.sockets.tell(app_id, || Out::Text(frame.to_string()));
            return any.then_some(false);
        };
        let answer = self.sockets.send(app_id, envelope_id, frame.to_string())?;
        Some(matches!(tokio::time::timeout(within, answer).await, Ok(Ok(()))))
    }

    /// Delivers an envelope over one of the app's connections, again when it is not acknowledged.
    pub fn deliver_by_socket(self: &Arc<Self>, app: &SeedApp, envelope: Envelope) {
        let app_id = app.app_id.clone();
        let engine = Arc::clone(self);
        let (name, channel) = (envelope.name.clone(), envelope.channel.clone());
        let envelope = Arc::new(envelope);
        self.delivery.submit(
            PLATFORM,
            &name,
            channel.as_deref(),
            Arc::new(move |first| {
                let (engine, envelope, app_id) = (Arc::clone(&engine), Arc::clone(&envelope), app_id.clone());
                Box::pin(async move {
                    let mut schedule = engine.config.timing.retries.iter();
                    let mut attempt = 0_u32;
                    loop {
                        let outcome = engine.socket_attempt(&app_id, &envelope, attempt).await;
                        first.over();
                        if outcome != Attempt::Unacknowledged {
                            return;
                        }
                        let Some(wait) = schedule.next() else { return };
                        tokio::time::sleep(*wait).await;
                        attempt += 1;
                    }
                })
            }),
        );
    }

    async fn socket_attempt(&self, app_id: &str, envelope: &Envelope, attempt: u32) -> Attempt {
        let envelope_id = self.world.uuid();
        let reason = if attempt == 0 { "" } else { "timeout" };
        let frame = json!({"envelope_id": envelope_id, "type": "events_api", "accepts_response_payload": false,
            "retry_attempt": attempt, "retry_reason": reason, "payload": envelope.body});
        let text = self.encode(&frame);
        let started = tokio::time::Instant::now();
        let mut answer = self.sockets.send(app_id, &envelope_id, text.clone());
        if answer.is_none() {
            let hold = match self.config.doubts.socket_gap {
                SocketGap::Hold(hold) => hold,
                SocketGap::Lose => Duration::ZERO,
            };
            if !hold.is_zero() && self.sockets.wait_live(app_id, hold).await {
                answer = self.sockets.send(app_id, &envelope_id, text);
            }
        }
        let outcome = match answer {
            None => Attempt::Lost,
            Some(answer) => match tokio::time::timeout(self.config.timing.ack_deadline, answer).await {
                Ok(Ok(())) => Attempt::Acknowledged,
                _ => Attempt::Unacknowledged,
            },
        };
        let ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let (status, failure) = match outcome {
            Attempt::Acknowledged => (200, None),
            Attempt::Unacknowledged => (0, Some("timeout")),
            Attempt::Lost => (0, Some("no_connection")),
        };
        let detail = json!({"label": {"event_id": envelope.event_id, "app_id": app_id}, "failure": failure});
        let channel = envelope.channel.as_deref();
        self.log.add(entry(PLATFORM, &envelope.name, "socket", channel, status, ms, attempt, detail));
        outcome
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attempt {
    Acknowledged,
    Unacknowledged,
    Lost,
}

/// The query of a Socket Mode URL.
#[derive(Debug, Deserialize)]
pub struct Link {
    ticket: String,
    #[serde(default)]
    debug_reconnects: bool,
}

/// Upgrades to a WebSocket when the ticket is good.
pub async fn link(
    Extract(engine): Extract<Arc<Engine>>,
    Query(query): Query<Link>,
    mut request: Request<Body>,
) -> Response {
    let ticket = lock(&engine.sockets.hub).tickets.remove(&query.ticket);
    let now = engine.world.clock.micros();
    let Some((app_id, _)) = ticket.filter(|(_, expires)| *expires > now) else {
        return (StatusCode::FORBIDDEN, "invalid ticket").into_response();
    };
    let Some(key) = request.headers().get(header::SEC_WEBSOCKET_KEY).cloned() else {
        return (StatusCode::BAD_REQUEST, "not a WebSocket request").into_response();
    };
    let upgrade = hyper::upgrade::on(&mut request);
    let group = engine.tasks.clone();
    group.spawn(async move {
        match upgrade.await {
            Ok(upgraded) => {
                let socket =
                    WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await;
                Box::pin(talk(engine, socket, app_id, query.debug_reconnects)).await;
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

async fn talk(engine: Arc<Engine>, mut socket: Socket, app_id: String, debug_reconnects: bool) {
    let Some((id, mut outgoing, count)) = engine.sockets.enter(&app_id) else {
        let text = farewell(&engine, "too_many_websockets");
        drop(socket.send(Message::text(text)).await);
        drop(socket.close(None).await);
        return;
    };
    let timing = &engine.config.timing;
    let life = if debug_reconnects { Duration::from_mins(6) } else { timing.socket_refresh };
    let hello = json!({"type": "hello", "num_connections": count, "connection_info": {"app_id": app_id},
        "debug_info": {"host": "applink-simulated-1", "build_number": 54,
            "approximate_connection_time": life.as_secs()}});
    let mut ping = tokio::time::interval(timing.socket_ping);
    ping.tick().await;
    // Warning, request, close: each after its own wait.
    let mut stage = Stage::Steady;
    let mut alarm = Box::pin(tokio::time::sleep(life));
    let mut alive = socket.send(Message::text(hello.to_string())).await.is_ok();
    engine.sockets.set_live(id, alive);
    while alive {
        tokio::select! {
            // In a fixed order, so that equal runs are equal.
            biased;
            incoming = socket.next() => match incoming {
                Some(Ok(Message::Text(text))) => {
                    if let Ok(frame) = serde_json::from_str::<Value>(&text)
                        && let Some(envelope) = frame["envelope_id"].as_str()
                    {
                        engine.sockets.acknowledge(id, envelope);
                    }
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => alive = false,
                Some(Ok(_)) => {}
            },
            out = outgoing.recv() => match out {
                Some(Out::Text(text)) => alive = socket.send(Message::text(text)).await.is_ok(),
                Some(Out::Refresh) => {
                    stage = Stage::Steady;
                    alarm.as_mut().reset(tokio::time::Instant::now());
                }
                Some(Out::Goodbye(reason)) => {
                    drop(socket.send(Message::text(farewell(&engine, reason))).await);
                    drop(socket.close(None).await);
                    alive = false;
                }
                Some(Out::Cut) | None => alive = false,
            },
            _ = ping.tick() => {
                alive = socket.send(Message::Ping(bytes::Bytes::from_static(b"ping"))).await.is_ok();
            }
            () = alarm.as_mut() => {
                let next = tokio::time::Instant::now() + timing.socket_warning;
                match stage {
                    Stage::Steady => {
                        alive = socket.send(Message::text(farewell(&engine, "warning"))).await.is_ok();
                        stage = Stage::Warned;
                    }
                    Stage::Warned => {
                        engine.sockets.set_live(id, false);
                        alive = socket.send(Message::text(farewell(&engine, "refresh_requested"))).await.is_ok();
                        stage = Stage::Asked;
                    }
                    Stage::Asked => {
                        drop(socket.close(None).await);
                        alive = false;
                    }
                }
                alarm.as_mut().reset(next);
            }
        }
    }
    engine.sockets.exit(id);
}

#[derive(Debug, Clone, Copy)]
enum Stage {
    Steady,
    Warned,
    Asked,
}

fn farewell(engine: &Engine, reason: &str) -> String {
    let host = format!("applink-{}", engine.world.hex(6));
    json!({"type": "disconnect", "reason": reason, "debug_info": {"host": host}}).to_string()
}
