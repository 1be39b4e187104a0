//! Events over a connection that the gateway opens, as in Zoom's "Using WebSockets". Nothing is acknowledged and
//! nothing comes again: after every connection, what was missed is read.

use std::time::Duration;

use dragoman_model::{Random, codes};
use dragoman_platform::http::{Hosts, Stream};
use dragoman_platform::{App, Delivery, Failure, Rejection, Sink};
use dragoman_seal::Token;
use futures_util::stream::FuturesUnordered;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message as WsMessage;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::client::Client;
use crate::envelope::{self, Door};
use crate::tokens;
use crate::wire::socket::Frame;

/// Deliveries that may be on their way to the disk.
const IN_FLIGHT: usize = 256;
/// Zoom greets at once.
const HELLO: Duration = Duration::from_secs(15);
/// How often Zoom wants to hear from us; pings of the protocol do not count.
const HEARTBEAT: Duration = Duration::from_secs(30);
/// Silence, answers to heartbeats included, after which a connection is dead.
const SILENCE: Duration = Duration::from_secs(75);
/// For how long a close is waited for.
const CLOSE: Duration = Duration::from_secs(1);
/// The longest frame. Events are far below.
const LONGEST_FRAME: usize = 4 << 20;
/// Waits between attempts: this, doubled each time, with jitter.
const FIRST_WAIT_MS: u64 = 500;
/// The longest wait.
const LONGEST_WAIT_MS: u64 = 60_000;
/// A connection that lived so long was a good one: its end is no reason to wait.
const GOOD: Duration = Duration::from_secs(10);

type Socket = WebSocketStream<Box<dyn Stream>>;

/// Keeps an app's connection.
pub(crate) struct Listener<'a> {
    pub(crate) client: &'a Client,
    pub(crate) random: &'a dyn Random,
    pub(crate) app: &'a App,
    pub(crate) sink: &'a dyn Sink,
    pub(crate) hosts: Hosts,
}

/// How a connection ended.
enum End {
    /// It broke, or Zoom closed it.
    Broken,
    /// It never came about.
    Failed { after_ms: Option<u64> },
    /// The token was refused.
    Denied,
}

impl Listener<'_> {
    /// Listens until cancelled.
    pub(crate) async fn run(&self, stop: CancellationToken) -> Result<(), Failure> {
        let mut failures: u32 = 0;
        let mut denials: u32 = 0;
        while !stop.is_cancelled() {
            let began = Instant::now();
            let end = match self.open(&stop).await {
                Ok(socket) => self.converse(socket, &stop).await,
                Err(Open::Hopeless(failure)) => return Err(failure),
                Err(Open::Failed { after_ms }) => End::Failed { after_ms },
            };
            if stop.is_cancelled() {
                break;
            }
            let after_ms = match end {
                End::Denied if denials >= 3 => return Err(Failure::SignIn(codes::SIGN_IN)),
                End::Denied => {
                    denials += 1;
                    None
                }
                End::Broken => {
                    denials = 0;
                    None
                }
                End::Failed { after_ms } => after_ms,
            };
            failures = if began.elapsed() >= GOOD { 0 } else { failures.saturating_add(1) };
            if stop.run_until_cancelled(sleep(self.pause(failures, after_ms))).await.is_none() {
                break;
            }
        }
        Ok(())
    }

    /// The pause before the next attempt.
    fn pause(&self, failures: u32, after_ms: Option<u64>) -> Duration {
        let ladder = FIRST_WAIT_MS.saturating_mul(1 << failures.min(10)).min(LONGEST_WAIT_MS);
        let ladder = if failures == 0 { FIRST_WAIT_MS } else { ladder };
        let jitter = self.random.below(ladder / 2 + 1);
        Duration::from_millis(after_ms.unwrap_or(0).max(ladder / 2 + jitter))
    }

    async fn open(&self, stop: &CancellationToken) -> Result<Socket, Open> {
        let opening = async {
            let subscription = self.app.fact("subscription_id");
            if subscription.is_empty() {
                return Err(Open::Hopeless(Failure::SignIn(codes::CONFIG)));
            }
            let token = match tokens::own(self.client, self.app).await {
                Ok(token) => token,
                Err(failure @ Failure::SignIn(_)) => return Err(Open::Hopeless(failure)),
                Err(Failure::Retry { after_ms, .. }) => return Err(Open::Failed { after_ms }),
                Err(_) => return Err(Open::Failed { after_ms: None }),
            };
            self.connect(subscription, &token).await.ok_or(Open::Failed { after_ms: None })
        };
        let cancelled = Err(Open::Failed { after_ms: None });
        stop.run_until_cancelled(opening).await.unwrap_or(cancelled)
    }

    async fn connect(&self, subscription: &str, token: &Token) -> Option<Socket> {
        let base = &self.client.settings.ws_url;
        let stream = self.client.http.open(base, Some(&self.hosts)).await.ok()?;
        let address = address(base, subscription, token);
        let config = WebSocketConfig::default()
            .max_message_size(Some(LONGEST_FRAME))
            .max_frame_size(Some(LONGEST_FRAME));
        let shake = tokio_tungstenite::client_async_with_config(address.expose(), stream, Some(config));
        timeout(HELLO, shake).await.ok()?.ok().map(|(socket, _)| socket)
    }

    /// Reads frames and hands events on. Frames wait for the disk side by side.
    async fn converse(&self, mut socket: Socket, stop: &CancellationToken) -> End {
        let mut taking = FuturesUnordered::new();
        let mut greeted = false;
        let mut heard = Instant::now();
        let mut heartbeat = heard + HEARTBEAT;
        // What could not be taken does not come again: it is read like what came while there was no connection.
        let mut lost = false;
        let end = loop {
            let silence = heard + if greeted { SILENCE } else { HELLO };
            tokio::select! {
                () = stop.cancelled() => break End::Broken,
                () = sleep_until(silence) => break End::Broken,
                () = sleep_until(heartbeat) => {
                    heartbeat = Instant::now() + HEARTBEAT;
                    if socket.send(WsMessage::text(r#"{"module":"heartbeat"}"#)).await.is_err() {
                        break End::Broken;
                    }
                }
                Some(taken) = taking.next(), if !taking.is_empty() => {
                    let taken: bool = taken;
                    lost |= !taken;
                    if lost && taking.is_empty() {
                        lost = false;
                        self.sink.gap().await;
                    }
                }
                frame = socket.next(), if taking.len() < IN_FLIGHT => {
                    heard = Instant::now();
                    let text = match frame {
                        Some(Ok(WsMessage::Text(text))) => text,
                        Some(Ok(WsMessage::Close(_)) | Err(_)) | None => break End::Broken,
                        Some(Ok(_)) => continue,
                    };
                    match self.read(text.as_str()) {
                        Heard::Hello if !greeted => {
                            greeted = true;
                            self.sink.gap().await;
                        }
                        Heard::Denied => break End::Denied,
                        Heard::Event(delivery) => taking.push(self.sink.take(delivery)),
                        Heard::Unplaced => lost = true,
                        Heard::Hello | Heard::Nothing => {}
                    }
                    if lost && taking.is_empty() {
                        lost = false;
                        self.sink.gap().await;
                    }
                }
            }
        };
        let last = async {
            while let Some(taken) = taking.next().await {
                lost |= !taken;
            }
            if lost {
                self.sink.gap().await;
            }
            let _ = socket.close(None).await;
        };
        tokio::select! {
            () = last => {}
            () = sleep(CLOSE) => {}
        }
        end
    }

    fn read(&self, text: &str) -> Heard {
        let Ok(frame) = serde_json::from_str::<Frame<'_>>(text) else { return Heard::Nothing };
        let content = frame.content.map(serde_json::value::RawValue::get).unwrap_or_default();
        match frame.module.as_deref() {
            Some("build_connection") if frame.success == Some(false) => Heard::Denied,
            Some("build_connection") => Heard::Hello,
            Some("message") => match serde_json::from_str::<String>(content) {
                Ok(event) => self.event(event.as_bytes()),
                Err(_) => self.event(content.as_bytes()),
            },
            None if frame.event.is_some() => self.event(text.as_bytes()),
            _ => Heard::Nothing,
        }
    }

    fn event(&self, body: &[u8]) -> Heard {
        let door = Door { app: self.app, memory: &self.client.memory, now_ms: self.client.clock.now_ms() };
        match envelope::read(door, body) {
            Ok(delivery) => Heard::Event(delivery),
            Err(Rejection::Unavailable(_)) => Heard::Unplaced,
            Err(_) => Heard::Event(envelope::dropped(codes::MALFORMED)),
        }
    }
}

/// Why no connection came about.
enum Open {
    /// Try again.
    Failed { after_ms: Option<u64> },
    /// A person has to act.
    Hopeless(Failure),
}

/// What a frame says.
enum Heard {
    Hello,
    /// The token is refused.
    Denied,
    Event(Delivery),
    /// An event of which it is not known whose it is.
    Unplaced,
    Nothing,
}

/// The address with the token, which is a secret.
fn address(base: &Url, subscription: &str, token: &Token) -> Token {
    let mut url = base.clone();
    url.query_pairs_mut()
        .append_pair("subscriptionId", subscription)
        .append_pair("access_token", token.expose());
    Token::new(url.into())
}
