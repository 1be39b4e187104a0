//! Socket Mode: two connections that the gateway opens, so that one can be exchanged while the other works.

use std::pin::Pin;
use std::time::Duration;

use dragoman_model::{Random, codes};
use dragoman_platform::http::{Hosts, Stream};
use dragoman_platform::{App, Delivery, Failure, Sink};
use futures_util::stream::FuturesUnordered;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message as WsMessage;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::api::{Arguments, CallError};
use crate::client::{Client, Proof};
use crate::wire::answers::{Form, SocketUrl};
use crate::wire::socket::Frame;
use crate::{commands, envelope};

/// Connections that are kept. Slack allows ten per app.
const CONNECTIONS: usize = 2;
/// Deliveries of one connection that may be on their way to the disk.
const IN_FLIGHT: usize = 256;
/// Slack greets at once.
const HELLO: Duration = Duration::from_secs(15);
/// How often we ask whether the other side lives.
const PING: Duration = Duration::from_secs(10);
/// Silence, answers to pings included, after which a connection is dead.
const SILENCE: Duration = Duration::from_secs(30);
/// Slack may not answer a close.
const CLOSE: Duration = Duration::from_secs(1);
/// The longest frame. Event payloads are far below.
const LONGEST_FRAME: usize = 8 << 20;
/// Waits between attempts: this, doubled each time, with jitter.
const FIRST_WAIT_MS: u64 = 500;
/// Between two attempts, whatever became of the first.
const BETWEEN: Duration = Duration::from_millis(250);
/// A connection that lived so long was a good one: its end is no reason to wait.
const GOOD: Duration = Duration::from_secs(10);
/// The longest wait.
const LONGEST_WAIT_MS: u64 = 60_000;

type Socket = WebSocketStream<Box<dyn Stream>>;

/// What a connection tells while it lives.
enum News {
    /// Slack greeted: events come.
    Live,
    /// Slack is going to close it.
    Leaving,
}

/// How a connection ended.
struct End {
    id: u64,
    why: Why,
}

enum Why {
    /// It broke, or Slack closed it, after living long enough to count as good or not.
    Closed { good: bool },
    /// It never came about.
    Failed { after_ms: Option<u64> },
    /// A person has to act.
    Hopeless(Failure),
}

/// Keeps an app's connections.
pub(crate) struct Listener<'a> {
    pub(crate) client: &'a Client,
    pub(crate) random: &'a dyn Random,
    pub(crate) app: &'a App,
    pub(crate) sink: &'a dyn Sink,
    pub(crate) hosts: Hosts,
}

/// What is known of a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Opening,
    Live,
    Leaving,
}

type Connections<'f> = FuturesUnordered<Pin<Box<dyn Future<Output = End> + Send + 'f>>>;

impl Listener<'_> {
    /// Listens until cancelled.
    pub(crate) async fn run(&self, stop: CancellationToken) -> Result<(), Failure> {
        let (tell, mut news) = mpsc::channel::<(u64, News)>(16);
        let mut connections: Connections<'_> = FuturesUnordered::new();
        let mut states: Vec<(u64, State)> = Vec::new();
        let mut next_id = 0;
        let mut failures: u32 = 0;
        let mut not_before = Instant::now();
        loop {
            let wanted = CONNECTIONS.saturating_sub(kept(&states));
            let wait = wanted > 0;
            tokio::select! {
                () = stop.cancelled() => break,
                Some((id, what)) = news.recv() => {
                    let gap = matches!(what, News::Live) && !any_open(&states);
                    let state = if matches!(what, News::Live) { State::Live } else { State::Leaving };
                    set(&mut states, id, state);
                    if gap {
                        self.sink.gap().await;
                    }
                }
                Some(End { id, why }) = connections.next() => {
                    states.retain(|(known, _)| *known != id);
                    match why {
                        Why::Hopeless(failure) => return Err(failure),
                        Why::Closed { good: true } => failures = 0,
                        Why::Closed { good: false } => {
                            failures = failures.saturating_add(1);
                            not_before = Instant::now() + self.pause(failures, None);
                        }
                        Why::Failed { after_ms } => {
                            failures = failures.saturating_add(1);
                            not_before = Instant::now() + self.pause(failures, after_ms);
                        }
                    }
                }
                () = sleep_until(not_before), if wait => {
                    next_id += 1;
                    not_before = Instant::now() + BETWEEN;
                    states.push((next_id, State::Opening));
                    connections.push(Box::pin(self.connection(next_id, tell.clone(), stop.clone())));
                }
            }
        }
        // What was taken is still acknowledged, for as long as closing may take.
        let _ = timeout(CLOSE * 2, async { while connections.next().await.is_some() {} }).await;
        Ok(())
    }

    /// The pause before the next attempt.
    fn pause(&self, failures: u32, after_ms: Option<u64>) -> Duration {
        let ladder = FIRST_WAIT_MS.saturating_mul(1 << failures.min(10)).min(LONGEST_WAIT_MS);
        let jitter = self.random.below(ladder / 2 + 1);
        Duration::from_millis(after_ms.unwrap_or(0).max(ladder / 2 + jitter))
    }

    async fn connection(&self, id: u64, tell: mpsc::Sender<(u64, News)>, stop: CancellationToken) -> End {
        let socket = tokio::select! {
            () = stop.cancelled() => return End { id, why: Why::Closed { good: true } },
            opened = self.open() => match opened {
                Ok(socket) => socket,
                Err(why) => return End { id, why },
            },
        };
        let why = self.converse(socket, id, &tell, &stop).await;
        End { id, why }
    }

    /// Asks for an address, which works once, and goes there.
    async fn open(&self) -> Result<Socket, Why> {
        let token = self.app.secret("app_token").ok_or(Why::Hopeless(Failure::SignIn(codes::CONFIG)))?;
        let answer: Result<SocketUrl, CallError> = self
            .client
            .ask("apps.connections.open", &Arguments::Form(Form::new()), &Proof::Bearer(token))
            .await;
        let failed = Why::Failed { after_ms: None };
        let address = match answer.map_err(CallError::failure) {
            Ok(answer) => answer.url,
            Err(failure @ Failure::SignIn(_)) => return Err(Why::Hopeless(failure)),
            Err(Failure::Retry { after_ms, .. }) => return Err(Why::Failed { after_ms }),
            Err(_) => return Err(failed),
        };
        let Ok(url) = Url::parse(address.expose()) else { return Err(failed) };
        let Ok(stream) = self.client.http.open(&url, Some(&self.hosts)).await else { return Err(failed) };
        let config = WebSocketConfig::default()
            .max_message_size(Some(LONGEST_FRAME))
            .max_frame_size(Some(LONGEST_FRAME));
        let shake = tokio_tungstenite::client_async_with_config(address.expose(), stream, Some(config));
        match timeout(HELLO, shake).await {
            Ok(Ok((socket, _))) => Ok(socket),
            _ => Err(failed),
        }
    }

    /// The id to acknowledge, once that is allowed.
    async fn take(&self, envelope_id: String, delivery: Delivery) -> Option<String> {
        self.sink.take(delivery).await.then_some(envelope_id)
    }

    /// Reads frames; acknowledges each after the sink took it. Frames wait for the disk side by side.
    async fn converse(
        &self,
        mut socket: Socket,
        id: u64,
        tell: &mpsc::Sender<(u64, News)>,
        stop: &CancellationToken,
    ) -> Why {
        let mut taking = FuturesUnordered::new();
        let began = Instant::now();
        let mut greeted = false;
        let mut heard = began;
        let mut ping = Instant::now() + PING;
        let hopeless = loop {
            let silence = heard + if greeted { SILENCE } else { HELLO };
            tokio::select! {
                () = stop.cancelled() => break None,
                () = sleep_until(silence) => break None,
                () = sleep_until(ping) => {
                    ping = Instant::now() + PING;
                    if socket.send(WsMessage::Ping(bytes::Bytes::new())).await.is_err() {
                        break None;
                    }
                }
                Some(acknowledged) = taking.next(), if !taking.is_empty() => {
                    let acknowledged: Option<String> = acknowledged;
                    if let Some(envelope_id) = acknowledged
                        && socket.send(acknowledgement(&envelope_id)).await.is_err()
                    {
                        break None;
                    }
                }
                frame = socket.next(), if taking.len() < IN_FLIGHT => {
                    heard = Instant::now();
                    let text = match frame {
                        Some(Ok(WsMessage::Text(text))) => text,
                        Some(Ok(WsMessage::Close(_)) | Err(_)) | None => break None,
                        Some(Ok(_)) => continue,
                    };
                    match read(text.as_str(), self.client.clock.now_ms()) {
                        Heard::Hello => {
                            greeted = true;
                            let _ = tell.send((id, News::Live)).await;
                        }
                        Heard::Leaving => {
                            let _ = tell.send((id, News::Leaving)).await;
                        }
                        Heard::Disabled => break Some(Failure::SignIn(codes::CONFIG)),
                        Heard::Event { envelope_id, delivery } => {
                            taking.push(self.take(envelope_id, delivery));
                        }
                        Heard::Nothing => {}
                    }
                }
            }
        };
        // What is being made durable is acknowledged if that is still possible; if not, Slack sends it again.
        let last = async {
            while let Some(acknowledged) = taking.next().await {
                if let Some(envelope_id) = acknowledged {
                    let _ = socket.send(acknowledgement(&envelope_id)).await;
                }
            }
            let _ = socket.close(None).await;
        };
        tokio::select! {
            () = last => {}
            () = sleep(CLOSE) => {}
        }
        match hopeless {
            Some(failure) => Why::Hopeless(failure),
            None => Why::Closed { good: greeted && began.elapsed() >= GOOD },
        }
    }
}

/// Connections that need no replacement.
fn kept(states: &[(u64, State)]) -> usize {
    states.iter().filter(|(_, state)| *state != State::Leaving).count()
}

/// Whether events come through any of them.
fn any_open(states: &[(u64, State)]) -> bool {
    states.iter().any(|(_, state)| *state != State::Opening)
}

fn set(states: &mut [(u64, State)], id: u64, state: State) {
    if let Some(entry) = states.iter_mut().find(|(known, _)| *known == id) {
        entry.1 = state;
    }
}

fn acknowledgement(envelope_id: &str) -> WsMessage {
    WsMessage::text(json!({ "envelope_id": envelope_id }).to_string())
}

/// What a frame says.
enum Heard {
    Hello,
    /// Slack closes this connection soon.
    Leaving,
    /// Socket Mode was switched off.
    Disabled,
    Event {
        envelope_id: String,
        delivery: Delivery,
    },
    Nothing,
}

fn read(text: &str, now_ms: i64) -> Heard {
    let Ok(frame) = serde_json::from_str::<Frame<'_>>(text) else { return Heard::Nothing };
    let kind = frame.kind.as_deref().unwrap_or_default();
    match (kind, frame.envelope_id) {
        ("hello", _) => Heard::Hello,
        ("disconnect", _) => match frame.reason.as_deref() {
            Some("link_disabled" | "socket_mode_disabled") => Heard::Disabled,
            _ => Heard::Leaving,
        },
        ("events_api", Some(envelope_id)) => {
            let payload = frame.payload.map(serde_json::value::RawValue::get).unwrap_or_default();
            // What cannot be read will not be readable the next time: it is counted and acknowledged.
            let delivery =
                envelope::read(payload.as_bytes()).unwrap_or_else(|_| envelope::dropped(codes::MALFORMED));
            Heard::Event { envelope_id: envelope_id.into_owned(), delivery }
        }
        ("slash_commands", Some(envelope_id)) => {
            let payload = frame.payload.map(serde_json::value::RawValue::get).unwrap_or_default();
            let delivery =
                commands::read_frame(payload, now_ms).unwrap_or_else(|_| envelope::dropped(codes::MALFORMED));
            Heard::Event { envelope_id: envelope_id.into_owned(), delivery }
        }
        // Buttons are acknowledged, counted and not used.
        (_, Some(envelope_id)) => {
            Heard::Event { envelope_id: envelope_id.into_owned(), delivery: envelope::dropped(codes::KIND) }
        }
        _ => Heard::Nothing,
    }
}
