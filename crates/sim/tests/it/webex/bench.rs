//! The bench the Webex tests work on: a simulator, a client, and an app that receives.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use bytes::Bytes;
use dragoman_sim::core::{Answer, HttpClient, Server, World};
use dragoman_sim::webex::{WebexLimits, WebexSim, WebexSimConfig, ids, seed};
use http::{HeaderMap, Method, StatusCode};
use serde_json::{Value, json};
use tokio::sync::Notify;

pub(super) use dragoman_sim::webex::seed::{BOT_TOKEN, GENERAL, GITA, HENRIK, INES, LAUNCH, ORG, SERVICE};

pub(super) const TOKEN: &str = "test-access-token_PE93_5d1a7c3e-90b2-4f6d-8a41-2c7e9b0f4d11";
pub(super) const REFRESH: &str = "test-refresh-token";
pub(super) const CLUSTER: &str = "urn:TEAM:eu-central-1_k";
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// One request that the app received.
#[derive(Debug, Clone)]
pub(super) struct Received {
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) json: Value,
}

impl Received {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// `messages.created` and the like.
    pub(super) fn name(&self) -> String {
        format!("{}.{}", self.json["resource"].as_str().unwrap(), self.json["event"].as_str().unwrap())
    }
}

#[derive(Clone, Default)]
pub(super) struct App {
    received: Arc<Mutex<Vec<Received>>>,
    statuses: Arc<Mutex<Vec<u16>>>,
    arrived: Arc<Notify>,
}

impl App {
    /// What the app answers next; afterwards 200.
    pub(super) fn next(&self, statuses: &[u16]) {
        self.statuses.lock().unwrap().extend(statuses);
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

    /// The first delivery of this name.
    pub(super) async fn event(&self, name: &str) -> Received {
        self.wait(1, |request| request.name() == name).await[0].clone()
    }

    pub(super) fn matching(&self, condition: &dyn Fn(&Received) -> bool) -> Vec<Received> {
        self.received.lock().unwrap().iter().filter(|request| condition(request)).cloned().collect()
    }
}

async fn receive(State(app): State<App>, request: Request<Body>) -> Response {
    let headers = request.headers().clone();
    if request.uri().path().starts_with("/public/") {
        return ([("content-type", "text/plain")], "a public file").into_response();
    }
    let body = to_bytes(request.into_body(), usize::MAX).await.unwrap();
    let json: Value = serde_json::from_slice(&body).unwrap_or_default();
    app.received.lock().unwrap().push(Received { headers, body, json });
    app.arrived.notify_waiters();
    let status = {
        let mut statuses = app.statuses.lock().unwrap();
        if statuses.is_empty() { 200 } else { statuses.remove(0) }
    };
    StatusCode::from_u16(status).unwrap().into_response()
}

pub(super) struct Bench {
    pub(super) world: Arc<World>,
    pub(super) sim: WebexSim,
    pub(super) app: App,
    pub(super) app_url: String,
    client: HttpClient,
}

/// The default world with the service account's grant; no rate limits.
pub(super) fn config() -> WebexSimConfig {
    let mut config = WebexSimConfig::installed(TOKEN, REFRESH);
    let all = ["spark:all", "spark:kms"].into_iter().chain(dragoman_sim::webex::USER_SCOPES);
    config.integrations[0].scopes = all.map(str::to_owned).collect();
    config.limits = WebexLimits { enabled: false, ..WebexLimits::default() };
    config
}

pub(super) fn room(uuid: &str) -> String {
    ids::public(CLUSTER, "ROOM", uuid)
}

pub(super) fn person(uuid: &str) -> String {
    ids::person(uuid)
}

/// The personal token of somebody of the first organisation.
pub(super) fn personal(mail: &str) -> String {
    format!("personal-{mail}_PE93_{ORG}")
}

impl Bench {
    pub(super) async fn new() -> Self {
        Self::with(config()).await
    }

    pub(super) async fn with(config: WebexSimConfig) -> Self {
        let world = World::real(7);
        let app = App::default();
        let router = Router::new().fallback(any(receive)).with_state(app.clone());
        let listen = ([127, 0, 0, 1], 0).into();
        let server = Server::start(&world, &world.tasks, listen, None, router).await.unwrap();
        let app_url = format!("{}/webex/events", server.base_url());
        let sim = WebexSim::start(&world, config).await.unwrap();
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
        self.try_send(method, path, headers, body).await.unwrap()
    }

    pub(super) async fn try_send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Answer, dragoman_sim::core::CallError> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(http::HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
        }
        let url =
            if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.sim.base_url()) };
        self.client.request(method, &url, map, Bytes::copy_from_slice(body), PATIENCE).await
    }

    /// A call with a token and a JSON body; path below `/v1`.
    pub(super) async fn call(&self, token: &str, method: Method, path: &str, body: &Value) -> Answer {
        let bearer = format!("Bearer {token}");
        let headers =
            [("authorization", bearer.as_str()), ("content-type", "application/json; charset=utf-8")];
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let path = if path.starts_with("http") { path.to_owned() } else { format!("/v1{path}") };
        self.send(method, &path, &headers, text.as_bytes()).await
    }

    pub(super) async fn get(&self, token: &str, path: &str) -> (u16, Value) {
        parts(&self.call(token, Method::GET, path, &Value::Null).await)
    }

    pub(super) async fn post(&self, token: &str, path: &str, body: Value) -> (u16, Value) {
        parts(&self.call(token, Method::POST, path, &body).await)
    }

    pub(super) async fn put(&self, token: &str, path: &str, body: Value) -> (u16, Value) {
        parts(&self.call(token, Method::PUT, path, &body).await)
    }

    pub(super) async fn delete(&self, token: &str, path: &str) -> (u16, Value) {
        parts(&self.call(token, Method::DELETE, path, &Value::Null).await)
    }

    /// A form to the token endpoints.
    pub(super) async fn form(&self, path: &str, fields: &[(&str, &str)]) -> (u16, Value) {
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        parts(&self.send(Method::POST, path, &headers, encode(fields).as_bytes()).await)
    }

    /// Posts as the service account; returns the message.
    pub(super) async fn says(&self, room_uuid: &str, body: Value) -> Value {
        let mut body = body;
        body["roomId"] = json!(room(room_uuid));
        let (status, message) = self.post(TOKEN, "/messages", body).await;
        assert_eq!(status, 200, "{message}");
        message
    }

    /// Registers the app for everything.
    pub(super) async fn firehose(&self, token: &str) -> Value {
        self.hook(token, json!({"resource": "all", "event": "all", "secret": "s3cret"})).await
    }

    /// Registers a webhook with name and address filled in.
    pub(super) async fn hook(&self, token: &str, body: Value) -> Value {
        let mut body = body;
        body["name"] = json!("bench");
        body["targetUrl"] = json!(self.app_url);
        let (status, webhook) = self.post(token, "/webhooks", body).await;
        assert_eq!(status, 200, "{webhook}");
        webhook
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

/// Status and JSON body.
pub(super) fn parts(answer: &Answer) -> (u16, Value) {
    (answer.status.as_u16(), serde_json::from_slice(&answer.body).unwrap_or_default())
}

/// Path and query of the `next` link, when there is one.
pub(super) fn next_link(answer: &Answer) -> Option<String> {
    let link = answer.headers.get("link")?.to_str().unwrap();
    let (url, rest) = link.strip_prefix('<').unwrap().split_once('>').unwrap();
    assert_eq!(rest, "; rel=\"next\"");
    Some(url.to_owned())
}

/// The id of an object.
pub(super) fn id(value: &Value) -> &str {
    value["id"].as_str().unwrap()
}

/// The text of a refusal.
pub(super) fn message(value: &Value) -> &str {
    value["message"].as_str().unwrap()
}

/// Somebody's uuid in the seed, for tests that name a person by mail.
pub(super) fn partner() -> WebexSimConfig {
    let grants = config();
    let mut config = WebexSimConfig::default().with_partner();
    config.integrations = grants.integrations;
    config.limits = grants.limits;
    assert!(config.rooms.iter().any(|room| room.uuid == seed::SHARED));
    config
}
