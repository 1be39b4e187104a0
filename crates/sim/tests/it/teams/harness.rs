//! A simulator, a webhook receiver that can misbehave, and a plain HTTP client.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use dragoman_sim::core::{HttpClient, Server, Tasks, World};
use dragoman_sim::teams::seed::{APP, APP_SECRET, DANA, GENERAL, TEAM, TENANT};
use dragoman_sim::teams::{AppSeed, TeamsSim, TeamsSimConfig, TeamsTiming};
use http::{HeaderMap, HeaderValue, Method, Request};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tokio::sync::Notify;

/// What a webhook receiver got.
#[derive(Clone, Debug)]
pub(super) struct Got {
    pub path: String,
    pub query: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Got {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(super) fn bearer(&self) -> Option<&str> {
        self.headers.get("authorization")?.to_str().ok()?.strip_prefix("Bearer ")
    }
}

/// How the receiver answers.
#[derive(Clone, Debug)]
pub(super) struct Manner {
    pub status: u16,
    pub delay: Duration,
    pub validation: Validation,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Validation {
    Right,
    WrongText,
    WrongType,
    Late,
}

/// The receiver.
#[derive(Clone)]
pub(super) struct Inbox {
    pub url: String,
    got: Arc<Mutex<Vec<Got>>>,
    manner: Arc<Mutex<Manner>>,
    news: Arc<Notify>,
}

impl Inbox {
    async fn start(world: &Arc<World>, tasks: &Tasks) -> Self {
        let mut inbox = Self {
            url: String::new(),
            got: Arc::default(),
            manner: Arc::new(Mutex::new(Manner {
                status: 202,
                delay: Duration::ZERO,
                validation: Validation::Right,
            })),
            news: Arc::default(),
        };
        let copy = inbox.clone();
        let router = Router::new().fallback(move |request: Request<Body>| {
            let inbox = copy.clone();
            async move { inbox.take(request).await }
        });
        let server = Server::start(world, tasks, "127.0.0.1:0".parse().unwrap(), None, router).await.unwrap();
        inbox.url = server.base_url();
        inbox
    }

    async fn take(&self, request: Request<Body>) -> Response {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let manner = self.manner.lock().unwrap().clone();
        let query = parts.uri.query().unwrap_or("").to_owned();
        let got =
            Got { path: parts.uri.path().to_owned(), query: query.clone(), headers: parts.headers, body };
        self.got.lock().unwrap().push(got);
        self.news.notify_waiters();
        let token = form_urlencoded::parse(query.as_bytes()).find(|(k, _)| k == "validationToken");
        if let Some((_, token)) = token {
            let kind = if manner.validation == Validation::WrongType { "text/html" } else { "text/plain" };
            let text = if manner.validation == Validation::WrongText {
                "nonsense".into()
            } else {
                token.into_owned()
            };
            if manner.validation == Validation::Late {
                tokio::time::sleep(Duration::from_secs(2)).await;
            }
            return ([("content-type", kind)], text).into_response();
        }
        tokio::time::sleep(manner.delay).await;
        http::StatusCode::from_u16(manner.status).unwrap().into_response()
    }

    pub(super) fn manner(&self, change: impl FnOnce(&mut Manner)) {
        change(&mut self.manner.lock().unwrap());
    }

    pub(super) fn all(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }

    pub(super) fn clear(&self) {
        self.got.lock().unwrap().clear();
    }

    /// Waits until `n` requests that fit have come.
    pub(super) async fn wait(&self, n: usize, fits: impl Fn(&Got) -> bool) -> Vec<Got> {
        let waiting = async {
            loop {
                let news = self.news.notified();
                tokio::pin!(news);
                news.as_mut().enable();
                let found: Vec<Got> = self.all().into_iter().filter(|g| fits(g)).collect();
                if found.len() >= n {
                    return found;
                }
                news.await;
            }
        };
        let seen = || self.all().iter().map(|g| g.path.clone()).collect::<Vec<_>>();
        tokio::time::timeout(Duration::from_secs(8), waiting)
            .await
            .unwrap_or_else(|_| panic!("{n} fitting requests did not come; came: {:?}", seen()))
    }

    /// Waits for activities of a type.
    pub(super) async fn activities(&self, n: usize, kind: &str) -> Vec<Value> {
        let found = self.wait(n, |g| g.path == "/api/messages" && g.json()["type"] == kind).await;
        found.iter().map(Got::json).collect()
    }

    /// Waits for notification items.
    pub(super) async fn items(&self, n: usize) -> Vec<Value> {
        let waiting = async {
            loop {
                let news = self.news.notified();
                tokio::pin!(news);
                news.as_mut().enable();
                let found: Vec<Value> = self
                    .all()
                    .iter()
                    .filter(|g| g.path == "/notify" && !g.query.contains("validationToken"))
                    .flat_map(|g| g.json()["value"].as_array().cloned().unwrap())
                    .collect();
                if found.len() >= n {
                    return found;
                }
                news.await;
            }
        };
        tokio::time::timeout(Duration::from_secs(8), waiting).await.expect("the notifications did not come")
    }
}

/// An answer of the simulator.
#[derive(Debug)]
pub(super) struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub bytes: Bytes,
}

impl Reply {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes)
            .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&self.bytes)))
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().unwrap())
    }

    pub(super) fn error(&self) -> (String, String) {
        let e = self.json()["error"].clone();
        (e["code"].as_str().unwrap_or("").to_owned(), e["message"].as_str().unwrap_or("").to_owned())
    }
}

/// Simulator and receiver.
pub(super) struct Rig {
    pub world: Arc<World>,
    pub sim: TeamsSim,
    pub inbox: Inbox,
    client: HttpClient,
    tasks: Tasks,
}

/// The default tenant with fast deadlines and no limits.
pub(super) fn quick() -> TeamsSimConfig {
    let mut config = TeamsSimConfig { timing: TeamsTiming::fast(), ..TeamsSimConfig::default() };
    config.limits.graph = false;
    config.limits.connector = false;
    config
}

impl Rig {
    pub(super) async fn new() -> Self {
        Self::with(quick()).await
    }

    /// The default app with application permissions.
    pub(super) async fn with_roles(roles: &[&str]) -> Self {
        let mut config = quick();
        config.apps = vec![AppSeed::new(APP, "Dragoman", APP_SECRET).installed_in(TEAM).with_roles(roles)];
        Self::with(config).await
    }

    pub(super) async fn with(config: TeamsSimConfig) -> Self {
        let world = World::real(7);
        let tasks = world.tasks.child();
        let inbox = Inbox::start(&world, &tasks).await;
        let sim = TeamsSim::start(&world, config).await.unwrap();
        sim.set_bot_endpoint(APP, Some(&format!("{}/api/messages", inbox.url)));
        let client = HttpClient::new(&world, &tasks, None).unwrap();
        Self { world, sim, inbox, client, tasks }
    }

    pub(super) async fn stop(self) {
        self.sim.shutdown().await;
        self.tasks.shutdown().await;
    }

    pub(super) fn now(&self) -> u64 {
        u64::try_from(self.world.clock.millis()).unwrap()
    }

    /// A time in ISO 8601, so many minutes from now.
    pub(super) fn in_minutes(&self, n: i64) -> String {
        let ms = self.world.clock.millis() + n * 60_000;
        jiff::Timestamp::from_millisecond(ms).unwrap().to_string()
    }

    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        token: &str,
        headers: &[(&'static str, &str)],
        body: Bytes,
    ) -> Reply {
        let url =
            if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.sim.base_url()) };
        let mut map = HeaderMap::new();
        if !token.is_empty() {
            map.insert("authorization", HeaderValue::try_from(format!("Bearer {token}")).unwrap());
        }
        for (k, v) in headers {
            map.insert(*k, HeaderValue::from_str(v).unwrap());
        }
        let answer = self.client.request(method, &url, map, body, Duration::from_secs(10)).await.unwrap();
        Reply { status: answer.status.as_u16(), headers: answer.headers, bytes: answer.body }
    }

    pub(super) async fn get(&self, path: &str, token: &str) -> Reply {
        self.call(Method::GET, path, token, &[], Bytes::new()).await
    }

    pub(super) async fn send(&self, method: Method, path: &str, token: &str, body: &Value) -> Reply {
        let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
        self.call(method, path, token, &[("content-type", "application/json")], body).await
    }

    pub(super) async fn post(&self, path: &str, token: &str, body: &Value) -> Reply {
        self.send(Method::POST, path, token, body).await
    }

    pub(super) async fn form(&self, path: &str, pairs: &[(&str, &str)]) -> Reply {
        let mut s = form_urlencoded::Serializer::new(String::new());
        s.extend_pairs(pairs);
        let kind = [("content-type", "application/x-www-form-urlencoded")];
        self.call(Method::POST, path, "", &kind, Bytes::from(s.finish())).await
    }

    /// A token of Dana with these scopes.
    pub(super) fn dana(&self, scopes: &[&str]) -> String {
        self.sim.user_token(APP, DANA, scopes)
    }

    /// A token of Dana that may do everything with channel messages.
    pub(super) fn writer(&self) -> String {
        self.dana(&["ChannelMessage.Send", "ChannelMessage.ReadWrite", "ChannelMessage.Read.All"])
    }

    pub(super) fn app(&self) -> String {
        self.sim.app_token(APP)
    }

    pub(super) fn bot(&self) -> String {
        self.sim.bot_token(APP)
    }

    /// The body of a subscription on the General channel.
    pub(super) fn wish(&self) -> Value {
        json!({
            "changeType": "created,updated,deleted",
            "notificationUrl": format!("{}/notify", self.inbox.url),
            "lifecycleNotificationUrl": format!("{}/lifecycle", self.inbox.url),
            "resource": format!("/teams/{TEAM}/channels/{GENERAL}/messages"),
            "expirationDateTime": self.in_minutes(60 * 24),
            "clientState": "only-we-know",
        })
    }

    /// Subscribes and returns the subscription's id.
    pub(super) async fn subscribe(&self, wish: &Value) -> String {
        let r = self.post("/v1.0/subscriptions", &self.app(), wish).await;
        assert_eq!(r.status, 201, "{}", String::from_utf8_lossy(&r.bytes));
        let id = r.json()["id"].as_str().unwrap().to_owned();
        self.inbox.clear();
        id
    }

    /// The path of the connector as activities name it.
    pub(super) fn connector(&self, rest: &str) -> String {
        let url = self.sim.service_url();
        assert!(url.ends_with(&format!("/emea/{TENANT}/")));
        format!("{url}{rest}")
    }
}

/// The path of the General channel's messages.
pub(super) fn general() -> String {
    format!("/v1.0/teams/{TEAM}/channels/{GENERAL}/messages")
}

/// The names of a JSON object's members.
pub(super) fn keys(v: &Value) -> Vec<String> {
    v.as_object().map(|o| o.keys().cloned().collect()).unwrap_or_default()
}
