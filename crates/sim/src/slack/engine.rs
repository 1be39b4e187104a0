//! The running simulator: locked state, operations, and the deliveries that follow from them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use aws_lc_rs::hmac;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use serde_json::{Value, json};

use super::commands::Commands;
use super::config::{SeedApp, SlackSimConfig};
use super::desk::{Desk, Later};
use super::events::{Envelope, envelope};
use super::limits::Limiter;
use super::socket::SocketHub;
use super::state::State;
use crate::core::world::lock;
use crate::core::{
    Answer, CallError, CallLog, Changes, Delivery, FaultBook, HttpClient, Outbound, Tasks, Verdict, World,
};

/// Name in logs and fault orders.
pub const PLATFORM: &str = "slack";

/// What can change about an app while the simulator runs, and what is counted about it.
#[derive(Debug, Clone)]
pub struct AppState {
    /// The app.
    pub seed: SeedApp,
    /// Subscriptions were switched off because deliveries failed.
    pub disabled: bool,
    hour: i64,
    delivered: u64,
    failed: u64,
    per_team: BTreeMap<String, u64>,
    limited_minute: BTreeMap<String, i64>,
}

impl AppState {
    fn new(seed: SeedApp) -> Self {
        Self {
            seed,
            disabled: false,
            hour: 0,
            delivered: 0,
            failed: 0,
            per_team: BTreeMap::new(),
            limited_minute: BTreeMap::new(),
        }
    }
}

/// The running simulator.
pub struct Engine {
    /// The world.
    pub world: Arc<World>,
    /// Configuration.
    pub config: SlackSimConfig,
    /// State.
    pub state: Mutex<State>,
    /// Apps.
    pub apps: Mutex<Vec<AppState>>,
    /// Rate limits.
    pub limiter: Mutex<Limiter>,
    /// Faults.
    pub faults: FaultBook,
    /// Log.
    pub log: CallLog,
    /// Changes for pages.
    pub changes: Changes,
    /// Tasks.
    pub tasks: Tasks,
    /// Deliveries.
    pub delivery: Delivery,
    /// Outbound HTTP.
    pub client: HttpClient,
    /// Socket Mode.
    pub sockets: SocketHub,
    /// Slash commands.
    pub commands: Mutex<Commands>,
    /// Where it can be reached; known once it listens.
    pub base: OnceLock<String>,
    /// Where it listens; known then too.
    pub address: OnceLock<SocketAddr>,
}

impl Engine {
    /// An engine that does not listen yet.
    pub fn new(world: &Arc<World>, config: SlackSimConfig, state: State) -> anyhow::Result<Arc<Self>> {
        let tasks = world.tasks.child();
        let faults = FaultBook::default();
        let log = CallLog::new(world);
        let client = HttpClient::new(world, &tasks, config.trusted_pem.as_deref())?;
        let delivery =
            Delivery::new(client.clone(), faults.clone(), log.clone(), tasks.clone(), config.timing.stagger)
                .following(2);
        let apps = config.apps.iter().cloned().map(AppState::new).collect();
        Ok(Arc::new(Self {
            world: Arc::clone(world),
            state: Mutex::new(state),
            apps: Mutex::new(apps),
            limiter: Mutex::default(),
            faults,
            log,
            changes: Changes::default(),
            tasks,
            delivery,
            client,
            sockets: SocketHub::default(),
            commands: Mutex::default(),
            base: OnceLock::new(),
            address: OnceLock::new(),
            config,
        }))
    }

    /// `http://127.0.0.1:PORT`.
    pub fn base(&self) -> &str {
        self.base.get().map_or("http://127.0.0.1:0", String::as_str)
    }

    /// An app by a condition.
    pub fn app(&self, condition: impl Fn(&SeedApp) -> bool) -> Option<SeedApp> {
        lock(&self.apps).iter().map(|app| &app.seed).find(|app| condition(app)).cloned()
    }

    /// Changes an app's settings.
    pub fn change_app(&self, app_id: &str, change: impl FnOnce(&mut AppState)) {
        if let Some(app) = lock(&self.apps).iter_mut().find(|app| app.seed.app_id == app_id) {
            change(app);
        }
    }

    /// Runs one operation on the state and delivers the events that follow from it.
    pub fn operate<T>(self: &Arc<Self>, operation: impl FnOnce(&mut Desk<'_>) -> T) -> T {
        let mut state = lock(&self.state);
        let (result, later) = {
            let mut desk = Desk {
                state: &mut state,
                world: &self.world,
                config: &self.config,
                base: self.base(),
                now: self.world.clock.micros(),
                later: Vec::new(),
            };
            let result = operation(&mut desk);
            (result, desk.later)
        };
        let apps: Vec<SeedApp> =
            lock(&self.apps).iter().filter(|app| !app.disabled).map(|app| app.seed.clone()).collect();
        for event in std::mem::take(&mut state.outbox) {
            self.changes.announce(json!({"type": "change", "channel": event.channel()}));
            for app in &apps {
                if let Some(envelope) = envelope(&mut state, &self.config.doubts, &self.world, app, &event) {
                    self.deliver(app, envelope);
                }
            }
        }
        drop(state);
        for (wait, later) in later {
            self.schedule(wait, later);
        }
        result
    }

    fn schedule(self: &Arc<Self>, wait: Duration, later: Later) {
        let engine = Arc::clone(self);
        self.tasks.spawn(async move {
            tokio::time::sleep(wait).await;
            engine.operate(|desk| match later {
                // The message may be gone by now, which is nobody's fault.
                Later::Unfurl { channel, ts, url } => drop(desk.unfurl(&channel, &ts, &url)),
                Later::Share(share) => desk.share(&share),
            });
        });
    }

    fn deliver(self: &Arc<Self>, app: &SeedApp, envelope: Envelope) {
        match self.count(app, &envelope) {
            Flow::Pass => {}
            Flow::Dropped => return,
            Flow::Announce(minute) => {
                let body = json!({"token": app.verification_token, "type": "app_rate_limited",
                    "team_id": envelope.place, "minute_rate_limited": minute, "api_app_id": app.app_id});
                let notice =
                    Envelope { name: "app_rate_limited".to_owned(), channel: None, body, ..envelope };
                self.transmit(app, notice);
                return;
            }
        }
        self.transmit(app, envelope);
    }

    fn transmit(self: &Arc<Self>, app: &SeedApp, envelope: Envelope) {
        if app.socket_mode {
            self.deliver_by_socket(app, envelope);
        } else if let Some(url) = app.events_url.clone() {
            self.delivery.send(self.outbound(app, &url, envelope));
        }
    }

    fn outbound(self: &Arc<Self>, app: &SeedApp, url: &str, envelope: Envelope) -> Outbound {
        let body = Bytes::from(self.encode(&envelope.body));
        let secret = app.signing_secret.clone();
        let world = Arc::clone(&self.world);
        let mut schedule = self.config.timing.retries.clone();
        if app.delayed_events {
            schedule.extend(std::iter::repeat_n(self.config.timing.delayed_retry, 24));
        }
        let engine = Arc::downgrade(self);
        let app_id = app.app_id.clone();
        Outbound {
            platform: PLATFORM,
            method: envelope.name,
            conversation: envelope.channel,
            url: url.to_owned(),
            deadline: self.config.timing.ack_deadline,
            schedule,
            request: Arc::new(move |attempt, reason| {
                let mut headers = signed_headers(&secret, world.clock.seconds(), &body);
                if attempt > 0 {
                    headers.insert("x-slack-retry-num", HeaderValue::from(attempt));
                    headers.insert(
                        "x-slack-retry-reason",
                        HeaderValue::from_static(reason.unwrap_or("unknown_error")),
                    );
                }
                (headers, body.clone())
            }),
            judge,
            label: json!({
                "event_id": envelope.event_id,
                "app_id": app.app_id,
                "ts": envelope.body["event"]["ts"],
            }),
            done: Some(Arc::new(move |delivered| {
                if let Some(engine) = engine.upgrade() {
                    engine.judged(&app_id, delivered);
                }
            })),
        }
    }

    /// JSON as Slack writes it: slashes escaped, and everything beyond ASCII where that is switched on.
    pub fn encode(&self, value: &Value) -> String {
        let text = value.to_string().replace('/', "\\/");
        if !self.config.doubts.ascii_json {
            return text;
        }
        let mut out = String::with_capacity(text.len());
        let mut units = [0_u16; 2];
        for character in text.chars() {
            if character.is_ascii() {
                out.push(character);
            } else {
                for unit in character.encode_utf16(&mut units) {
                    out.push_str("\\u");
                    out.push_str(&hex::encode(unit.to_be_bytes()));
                }
            }
        }
        out
    }

    fn count(&self, app: &SeedApp, envelope: &Envelope) -> Flow {
        let now = self.world.clock.seconds();
        let most = self.config.limits.events_per_hour;
        let mut apps = lock(&self.apps);
        let Some(app) = apps.iter_mut().find(|known| known.seed.app_id == app.app_id) else {
            return Flow::Pass;
        };
        app.turn(now);
        let count = app.per_team.entry(envelope.place.clone()).or_default();
        *count += 1;
        if *count <= most {
            return Flow::Pass;
        }
        let minute = now - now % 60;
        if app.limited_minute.insert(envelope.place.clone(), minute) == Some(minute) {
            Flow::Dropped
        } else {
            Flow::Announce(minute)
        }
    }

    fn judged(&self, app_id: &str, delivered: bool) {
        let now = self.world.clock.seconds();
        let from = self.config.limits.disable_from;
        self.change_app(app_id, |app| {
            app.turn(now);
            app.delivered += u64::from(delivered);
            app.failed += u64::from(!delivered);
            let all = app.delivered + app.failed;
            if all >= from && app.failed * 100 > all * 95 {
                app.disabled = true;
            }
        });
    }

    /// Sends `url_verification` to an app's request URL; true when the challenge came back.
    pub async fn verify_url(&self, app: &SeedApp, url: &str) -> bool {
        let challenge = self.world.alnum(52);
        let body =
            json!({"token": app.verification_token, "challenge": challenge, "type": "url_verification"});
        let body = Bytes::from(self.encode(&body));
        let headers = signed_headers(&app.signing_secret, self.world.clock.seconds(), &body);
        let answer =
            self.client.request(Method::POST, url, headers, body, self.config.timing.ack_deadline).await;
        let Ok(answer) = answer else { return false };
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        let json = serde_json::from_str::<Value>(&text).ok();
        answer.status.is_success()
            && (text.trim() == challenge
                || json.is_some_and(|json| json["challenge"] == challenge.as_str())
                || text.trim() == format!("challenge={challenge}"))
    }
}

enum Flow {
    Pass,
    Dropped,
    Announce(i64),
}

impl AppState {
    fn turn(&mut self, now: i64) {
        if now / 3_600 != self.hour {
            self.hour = now / 3_600;
            self.delivered = 0;
            self.failed = 0;
            self.per_team.clear();
        }
    }
}

fn judge(outcome: &Result<Answer, CallError>) -> Verdict {
    match outcome {
        Ok(answer) if answer.status.is_success() => Verdict::Delivered,
        Ok(answer) if answer.status.is_redirection() => Verdict::Retry("too_many_redirects"),
        Ok(answer) if answer.headers.get("x-slack-no-retry").is_some_and(|value| value == "1") => {
            Verdict::GiveUp("http_error")
        }
        Ok(_) => Verdict::Retry("http_error"),
        Err(CallError::Timeout) => Verdict::Retry("http_timeout"),
        Err(CallError::Connect | CallError::Reset) => Verdict::Retry("connection_failed"),
        Err(CallError::Tls) => Verdict::Retry("ssl_error"),
        Err(CallError::Url) => Verdict::Retry("unknown_error"),
    }
}

/// `v0=` and the lower-case hex HMAC-SHA256 over `v0:timestamp:body`.
pub fn signature(secret: &str, timestamp: i64, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let mut context = hmac::Context::with_key(&key);
    context.update(format!("v0:{timestamp}:").as_bytes());
    context.update(body);
    format!("v0={}", hex::encode(context.sign()))
}

fn signed_headers(secret: &str, timestamp: i64, body: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(
        http::header::USER_AGENT,
        HeaderValue::from_static("Slackbot 1.0 (+https://api.slack.com/robots)"),
    );
    headers.insert("x-slack-request-timestamp", HeaderValue::from(timestamp));
    if let Ok(value) = HeaderValue::from_str(&signature(secret, timestamp, body)) {
        headers.insert("x-slack-signature", value);
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::signature;

    #[test]
    fn signature_of_the_published_example() {
        // Slack, "Verifying requests from Slack".
        let body = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&\
                    channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&\
                    response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F\
                    96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
        assert_eq!(
            signature("8f742231b10e8888abcd99yyyzzz85a5", 1_531_420_618, body.as_bytes()),
            "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
        );
    }
}
