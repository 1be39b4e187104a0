//! The bench the Slack tests work on: a simulator, a client, and an app that receives.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use bytes::Bytes;
use dragoman_sim::core::{Answer, HttpClient, Server, World};
use dragoman_sim::slack::{SlackLimits, SlackSim, SlackSimConfig, SlackTiming};
use http::{HeaderMap, Method, StatusCode};
use serde_json::{Value, json};
use tokio::sync::Notify;

pub(super) const BOT: &str = "xoxb-test";
pub(super) const APP: &str = "A07DRAGOMAN";
pub(super) const TEAM: &str = "T07HARBOR";
pub(super) const GENERAL: &str = "C07GENERAL";
pub(super) const LAUNCH: &str = "C07LAUNCH";
pub(super) const BACKSTAGE: &str = "C07BACKSTAGE";
pub(super) const ANA: &str = "U07ANASOUZA";
pub(super) const BEN: &str = "U07BENOKAFOR";
pub(super) const CHLOE: &str = "U07CHLOEMARTIN";
pub(super) const SECRET: &str = "0123456789abcdef0123456789abcdef";
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// One request that the app received.
#[derive(Debug, Clone)]
pub(super) struct Received {
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) json: Value,
}

impl Received {
    pub(super) fn event(&self) -> &Value {
        &self.json["event"]
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

#[derive(Clone, Default)]
pub(super) struct App {
    received: Arc<Mutex<Vec<Received>>>,
    answers: Arc<Mutex<Vec<Reply>>>,
    arrived: Arc<Notify>,
}

/// What the app answers next; afterwards 200.
#[derive(Debug, Clone)]
pub(super) enum Reply {
    Status(u16),
    NoRetry,
    Slow,
    Redirect(String),
    Challenge,
}

impl App {
    pub(super) fn next(&self, replies: &[Reply]) {
        self.answers.lock().unwrap().extend(replies.iter().cloned());
    }

    /// All requests, once there are `needed` that satisfy the condition.
    pub(super) async fn wait(&self, needed: usize, condition: impl Fn(&Received) -> bool) -> Vec<Received> {
        let waiting = async {
            loop {
                let arrived = self.arrived.notified();
                tokio::pin!(arrived);
                arrived.as_mut().enable();
                let found = self.matching(&condition);
                if found.len() >= needed {
                    return found;
                }
                arrived.await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| {
            panic!("the app did not receive {needed} such events, only {:#?}", self.matching(&|_| true))
        })
    }

    /// The first request whose inner event satisfies the condition.
    pub(super) async fn event(&self, condition: impl Fn(&Value) -> bool) -> Value {
        self.wait(1, |request| condition(request.event())).await[0].event().clone()
    }

    pub(super) fn matching(&self, condition: &dyn Fn(&Received) -> bool) -> Vec<Received> {
        self.received.lock().unwrap().iter().filter(|request| condition(request)).cloned().collect()
    }
}

async fn receive(State(app): State<App>, request: Request<Body>) -> Response {
    let headers = request.headers().clone();
    let body = to_bytes(request.into_body(), usize::MAX).await.unwrap();
    let json: Value = serde_json::from_slice(&body).unwrap_or_default();
    let challenge = json["challenge"].as_str().map(str::to_owned);
    app.received.lock().unwrap().push(Received { headers, body, json });
    app.arrived.notify_waiters();
    let reply = {
        let mut answers = app.answers.lock().unwrap();
        if answers.is_empty() { None } else { Some(answers.remove(0)) }
    };
    match reply {
        None => StatusCode::OK.into_response(),
        Some(Reply::Status(status)) => StatusCode::from_u16(status).unwrap().into_response(),
        Some(Reply::NoRetry) => (StatusCode::BAD_REQUEST, [("x-slack-no-retry", "1")]).into_response(),
        Some(Reply::Slow) => std::future::pending().await,
        Some(Reply::Redirect(to)) => (StatusCode::TEMPORARY_REDIRECT, [("location", to)]).into_response(),
        Some(Reply::Challenge) => challenge.unwrap_or_default().into_response(),
    }
}

pub(super) struct Bench {
    pub(super) world: Arc<World>,
    pub(super) sim: SlackSim,
    pub(super) app: App,
    pub(super) app_url: String,
    client: HttpClient,
}

/// The default world with the app installed and its bot in general and launch; waits are short.
pub(super) fn config() -> SlackSimConfig {
    let mut config = SlackSimConfig::installed(BOT, &[GENERAL, LAUNCH]);
    config.timing = SlackTiming {
        ack_deadline: Duration::from_millis(600),
        retries: vec![Duration::ZERO, Duration::from_millis(60), Duration::from_millis(120)],
        share_delay: Duration::from_millis(30),
        socket_warning: Duration::from_millis(150),
        ..SlackTiming::default()
    };
    config.limits = SlackLimits { enabled: false, ..SlackLimits::default() };
    config
}

impl Bench {
    pub(super) async fn new() -> Self {
        Self::with(config()).await
    }

    pub(super) async fn with(mut config: SlackSimConfig) -> Self {
        let world = World::real(7);
        let app = App::default();
        let router = Router::new().fallback(any(receive)).with_state(app.clone());
        let listen = ([127, 0, 0, 1], 0).into();
        let server = Server::start(&world, &world.tasks, listen, None, router).await.unwrap();
        let app_url = format!("{}/slack/events", server.base_url());
        if !config.apps[0].socket_mode {
            config.apps[0].events_url = Some(app_url.clone());
        }
        let sim = SlackSim::start(&world, config).await.unwrap();
        let client = HttpClient::new(&world, &world.tasks, None).unwrap();
        Self { world, sim, app, app_url, client }
    }

    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(http::HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
        }
        let url =
            if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.sim.base_url()) };
        self.client.request(method, &url, map, Bytes::copy_from_slice(body), PATIENCE).await.unwrap()
    }

    pub(super) async fn try_send(
        &self,
        path: &str,
        body: &Value,
    ) -> Result<Answer, dragoman_sim::core::CallError> {
        let mut map = HeaderMap::new();
        map.insert("authorization", format!("Bearer {BOT}").parse().unwrap());
        map.insert("content-type", "application/json; charset=utf-8".parse().unwrap());
        let url = format!("{}{path}", self.sim.base_url());
        self.client.request(Method::POST, &url, map, Bytes::from(body.to_string()), PATIENCE).await
    }

    /// JSON call with a token.
    pub(super) async fn json(&self, token: &str, method: &str, body: Value) -> Value {
        let bearer = format!("Bearer {token}");
        let headers =
            [("authorization", bearer.as_str()), ("content-type", "application/json; charset=utf-8")];
        let answer =
            self.send(Method::POST, &format!("/api/{method}"), &headers, body.to_string().as_bytes()).await;
        serde_json::from_slice(&answer.body).unwrap()
    }

    /// Form call with a token.
    pub(super) async fn form(&self, token: &str, method: &str, fields: &[(&str, &str)]) -> Value {
        let bearer = format!("Bearer {token}");
        let headers =
            [("authorization", bearer.as_str()), ("content-type", "application/x-www-form-urlencoded")];
        let answer =
            self.send(Method::POST, &format!("/api/{method}"), &headers, encode(fields).as_bytes()).await;
        serde_json::from_slice(&answer.body).unwrap()
    }

    /// GET with a query string.
    pub(super) async fn get(&self, token: &str, method: &str, fields: &[(&str, &str)]) -> Value {
        let bearer = format!("Bearer {token}");
        let path = format!("/api/{method}?{}", encode(fields));
        let answer = self.send(Method::GET, &path, &[("authorization", &bearer)], b"").await;
        serde_json::from_slice(&answer.body).unwrap()
    }

    /// Posts as the bot and returns the `ts`.
    pub(super) async fn post(&self, channel: &str, text: &str) -> String {
        let answer = self.json(BOT, "chat.postMessage", json!({"channel": channel, "text": text})).await;
        assert_eq!(answer["ok"], true, "{answer}");
        answer["ts"].as_str().unwrap().to_owned()
    }

    pub(super) fn bot_user(&self) -> String {
        self.sim.bot(APP, TEAM).unwrap().user_id
    }

    pub(super) async fn done(self) {
        self.sim.shutdown().await;
        self.world.tasks.shutdown().await;
    }
}

pub(super) fn encode(fields: &[(&str, &str)]) -> String {
    let mut text = form_urlencoded::Serializer::new(String::new());
    text.extend_pairs(fields);
    text.finish()
}

/// The `error` of an answer.
pub(super) fn error(answer: &Value) -> &str {
    assert_eq!(answer["ok"], false, "{answer}");
    answer["error"].as_str().unwrap_or_default()
}
