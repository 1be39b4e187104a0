//! The bench the Zoom tests work on: a simulator, a client, and an app that receives.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use bytes::Bytes;
use dragoman_sim::core::{Answer, HttpClient, Server, World};
pub(super) use dragoman_sim::zoom::config::{
    BACKROOM, BRIDGE, GENERAL, IMANI, KESTREL, LAUNCH, RUI, SHARED, SOLVEIG, THEO, TUNDRA,
};
use dragoman_sim::zoom::outward::{hmac_hex, signature};
use dragoman_sim::zoom::{Transport, ZoomLimits, ZoomSim, ZoomSimConfig, ZoomTiming};
use http::{HeaderMap, Method, StatusCode};
use serde_json::{Value, json};
use tokio::sync::Notify;

pub(super) const TOKEN: &str = "test-access-token";
pub(super) const REFRESH: &str = "test-refresh-token";
pub(super) const APP: &str = "Dr4gomanAppId0Simulated";
pub(super) const CLIENT: (&str, &str) = ("DragomanClientIdSimulated", "DragomanClientSecretForSimulation");
pub(super) const SECRET: &str = "DrgSecretTokenSimulated";
pub(super) const ROBOT: &str = "v1dragomanbot0simulated@xmpp.zoom.us";
pub(super) const SUBSCRIPTION: &str = "sFrKestrelBridge0Events";
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// Long enough for something that must not come.
pub(super) const QUIET: Duration = Duration::from_millis(150);

/// One request that the app received.
#[derive(Debug, Clone)]
pub(super) struct Received {
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) json: Value,
}

impl Received {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub(super) fn object(&self) -> &Value {
        &self.json["payload"]["object"]
    }

    /// Whether the signature fits the received bytes.
    pub(super) fn is_signed(&self) -> bool {
        let timestamp = self.header("x-zm-request-timestamp").parse().unwrap_or(0);
        self.header("x-zm-signature") == signature(SECRET, timestamp, &self.body)
    }
}

#[derive(Clone, Default)]
pub(super) struct App {
    received: Arc<Mutex<Vec<Received>>>,
    answers: Arc<Mutex<Vec<Reply>>>,
    arrived: Arc<Notify>,
}

/// What the app answers next; afterwards 200 and the right answer to validations.
#[derive(Debug, Clone)]
pub(super) enum Reply {
    Status(u16),
    Slow,
    Redirect,
    Body(Value),
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
            panic!("the app did not receive {needed} such requests, only {:#?}", self.matching(&|_| true))
        })
    }

    /// The first event of this name.
    pub(super) async fn event(&self, name: &str) -> Value {
        self.events(1, name).await.remove(0)
    }

    /// The events of this name, once there are `needed`.
    pub(super) async fn events(&self, needed: usize, name: &str) -> Vec<Value> {
        let found = self.wait(needed, |request| request.json["event"] == name).await;
        found.into_iter().map(|request| request.json).collect()
    }

    pub(super) fn count(&self, name: &str) -> usize {
        self.matching(&|request| request.json["event"] == name).len()
    }

    pub(super) fn matching(&self, condition: &dyn Fn(&Received) -> bool) -> Vec<Received> {
        self.received.lock().unwrap().iter().filter(|request| condition(request)).cloned().collect()
    }
}

async fn receive(State(app): State<App>, request: Request<Body>) -> Response {
    let headers = request.headers().clone();
    let path = request.uri().path().to_owned();
    let body = to_bytes(request.into_body(), usize::MAX).await.unwrap();
    let json: Value = serde_json::from_slice(&body).unwrap_or_default();
    let plain = json["payload"]["plainToken"].as_str().map(str::to_owned);
    app.received.lock().unwrap().push(Received { path, headers, body, json });
    app.arrived.notify_waiters();
    let reply = {
        let mut answers = app.answers.lock().unwrap();
        if answers.is_empty() { None } else { Some(answers.remove(0)) }
    };
    match (reply, plain) {
        (None, Some(plain)) => {
            let proof = hmac_hex(SECRET, plain.as_bytes());
            axum::Json(json!({"plainToken": plain, "encryptedToken": proof})).into_response()
        }
        (None, None) => StatusCode::OK.into_response(),
        (Some(Reply::Status(status)), _) => StatusCode::from_u16(status).unwrap().into_response(),
        (Some(Reply::Slow), _) => std::future::pending().await,
        (Some(Reply::Redirect), _) => {
            (StatusCode::TEMPORARY_REDIRECT, [("location", "/elsewhere")]).into_response()
        }
        (Some(Reply::Body(body)), _) => axum::Json(body).into_response(),
    }
}

pub(super) struct Bench {
    pub(super) world: Arc<World>,
    pub(super) sim: ZoomSim,
    pub(super) app: App,
    pub(super) app_url: String,
    client: HttpClient,
}

/// The default world with the app authorised by the administrator; waits are short, limits off.
pub(super) fn config() -> ZoomSimConfig {
    let mut config = ZoomSimConfig::installed(TOKEN, REFRESH);
    config.timing = ZoomTiming {
        ack_deadline: Duration::from_millis(600),
        retries: vec![Duration::from_millis(40), Duration::from_millis(60), Duration::from_millis(80)],
        ..ZoomTiming::default()
    };
    config.limits = ZoomLimits { enabled: false, ..ZoomLimits::default() };
    config
}

impl Bench {
    pub(super) async fn new() -> Self {
        Self::with(config()).await
    }

    pub(super) async fn with(mut config: ZoomSimConfig) -> Self {
        let world = World::real(7);
        let app = App::default();
        let router = Router::new().fallback(any(receive)).with_state(app.clone());
        let listen = ([127, 0, 0, 1], 0).into();
        let server = Server::start(&world, &world.tasks, listen, None, router).await.unwrap();
        let app_url = format!("{}/zoom/events", server.base_url());
        for app in &mut config.apps {
            for subscription in &mut app.subscriptions {
                if subscription.transport == Transport::Webhook(None) {
                    subscription.transport = Transport::Webhook(Some(app_url.clone()));
                }
            }
            app.bot_endpoint = Some(format!("{}/zoom/bot", server.base_url()));
            app.deauthorization_url = Some(format!("{}/zoom/deauthorized", server.base_url()));
        }
        let sim = ZoomSim::start(&world, config).await.unwrap();
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

    /// A call below `/v2` with any token: status and body.
    pub(super) async fn call_as(&self, token: &str, method: Method, path: &str, body: Value) -> (u16, Value) {
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = self.send(method, &format!("/v2{path}"), &headers, body.as_bytes()).await;
        assert!(answer.headers.contains_key("x-zm-trackingid"), "every answer can be traced");
        (answer.status.as_u16(), serde_json::from_slice(&answer.body).unwrap_or_default())
    }

    /// A call below `/v2` with the app's token.
    pub(super) async fn call(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        self.call_as(TOKEN, method, path, body).await
    }

    /// A GET that must succeed.
    pub(super) async fn get(&self, path: &str) -> Value {
        let (status, body) = self.call(Method::GET, path, Value::Null).await;
        assert_eq!(status, 200, "{body}");
        body
    }

    /// Sends as the bridge user.
    pub(super) async fn post(&self, body: Value) -> (u16, Value) {
        self.call(Method::POST, &format!("/chat/users/{BRIDGE}/messages"), body).await
    }

    /// Sends a text to General as the bridge user and returns the id.
    pub(super) async fn say(&self, text: &str) -> String {
        let (status, body) = self.post(json!({"message": text, "to_channel": GENERAL})).await;
        assert_eq!(status, 201, "{body}");
        body["id"].as_str().unwrap().to_owned()
    }

    /// A message of General as the API shows it.
    pub(super) async fn message(&self, id: &str) -> (u16, Value) {
        let path = format!("/chat/users/{BRIDGE}/messages/{id}?to_channel={GENERAL}");
        self.call(Method::GET, &path, Value::Null).await
    }

    /// A form POST with client credentials: status and body.
    pub(super) async fn form(
        &self,
        path: &str,
        client: (&str, &str),
        fields: &[(&str, &str)],
    ) -> (u16, Value) {
        use base64::Engine as _;
        let pair = base64::engine::general_purpose::STANDARD.encode(format!("{}:{}", client.0, client.1));
        let basic = format!("Basic {pair}");
        let headers =
            [("authorization", basic.as_str()), ("content-type", "application/x-www-form-urlencoded")];
        let answer = self.send(Method::POST, path, &headers, encode(fields).as_bytes()).await;
        (answer.status.as_u16(), serde_json::from_slice(&answer.body).unwrap_or_default())
    }

    /// The bot's token.
    pub(super) async fn bot_token(&self) -> String {
        let (status, body) = self.form("/oauth/token", CLIENT, &[("grant_type", "client_credentials")]).await;
        assert_eq!(status, 200, "{body}");
        body["access_token"].as_str().unwrap().to_owned()
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

/// The code of a refusal.
pub(super) fn code(answer: &(u16, Value)) -> (u16, u64) {
    (answer.0, answer.1["code"].as_u64().unwrap_or(0))
}
