//! Apps, sessions, conversations and deliveries with invented names.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::Bytes;
use dragoman_model::{
    AppId, Block, Document, Inline, InstallationId, Marker, OrgId, Platform, Post, ShownAuthor, Spokesman,
};
use dragoman_platform::http::{HttpClient, HttpSettings, TcpDialer};
use dragoman_platform::{
    App, Conversation, ConversationKind, Facts, Inbound, Installation, Session, TokenError, TokenKeeper,
    TokenSet, TokenSlot,
};
use dragoman_seal::{Content, Token};
use dragoman_testkit::{ManualClock, SeededRandom};
use dragoman_webex::{WebexConnector, WebexSettings};
use http::{HeaderMap, Method};
use serde_json::{Value, json};
use url::Url;

pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef";
pub(crate) const NOW_MS: i64 = 1_760_000_000_000;
pub(crate) const CLUSTER: &str = "urn:TEAM:eu-central-1_k";
pub(crate) const ORG: &str = "0f0f0f0f-0000-4000-8000-000000000001";

/// A UUID of a kind and number.
pub(crate) fn uuid(kind: u32, number: u64) -> String {
    format!("{kind:08x}-0000-4000-8000-{number:012x}")
}

pub(crate) fn id(cluster: &str, kind: &str, key: &str) -> String {
    STANDARD_NO_PAD.encode(format!("ciscospark://{cluster}/{kind}/{key}"))
}

pub(crate) fn message_id(number: u64) -> String {
    id(CLUSTER, "MESSAGE", &uuid(1, number))
}

/// The same as the relay names it.
pub(crate) fn message_key(number: u64) -> String {
    uuid(1, number)
}

pub(crate) fn room() -> String {
    id(CLUSTER, "ROOM", &uuid(2, 1))
}

pub(crate) fn org() -> String {
    id("us", "ORGANIZATION", ORG)
}

/// The account of the gateway is number 0.
pub(crate) fn person(number: u64) -> String {
    id("us", "PEOPLE", &uuid(3, number))
}

pub(crate) fn time(ms: i64) -> String {
    let at = jiff::Timestamp::from_millisecond(ms).unwrap();
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

pub(crate) fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(NOW_MS))
}

pub(crate) fn connector_with(base: &str, clock: Arc<ManualClock>) -> WebexConnector {
    let url = |path: &str| Url::parse(&format!("{base}/v1/{path}")).unwrap();
    let settings = WebexSettings {
        public_url: "https://gateway.example".to_owned(),
        api_base: url(""),
        authorize_url: url("authorize"),
        token_url: url("access_token"),
        api_aliases: vec!["api.ciscospark.com".to_owned()],
    };
    let http = HttpSettings {
        allow_private: true,
        total_timeout: Duration::from_millis(400),
        ..HttpSettings::default()
    };
    let http = HttpClient::new(&http, Arc::new(TcpDialer)).unwrap();
    WebexConnector::new(settings, http, clock, Arc::new(SeededRandom::new(7)))
}

pub(crate) fn connector(base: &str) -> WebexConnector {
    connector_with(base, clock())
}

/// A connector that is not meant to call anybody.
pub(crate) fn offline() -> WebexConnector {
    connector("http://127.0.0.1:9")
}

pub(crate) fn app() -> App {
    let secret = |key: &str, value: &str| (key.to_owned(), Token::new(value.to_owned()));
    App {
        id: AppId::from("app-1"),
        org: OrgId::from("org-1"),
        platform: Platform("webex"),
        facts: Facts::from([("client_id".to_owned(), "C1".to_owned())]),
        secrets: BTreeMap::from([secret("webhook_secret", SECRET), secret("client_secret", "client-secret")]),
        features: BTreeSet::new(),
    }
}

pub(crate) fn installation() -> Installation {
    Installation {
        id: InstallationId::from("installation-1"),
        org: OrgId::from("org-1"),
        app: AppId::from("app-1"),
        workspace: ORG.into(),
        facts: Facts::from([
            ("person_id".to_owned(), person(0)),
            ("account".to_owned(), "integration".to_owned()),
        ]),
        scopes: BTreeSet::new(),
    }
}

pub(crate) fn bot_installation() -> Installation {
    let mut installation = installation();
    installation.facts.insert("account".to_owned(), "bot".to_owned());
    installation
}

/// Tokens in memory; counts how often a set was stored.
#[derive(Default)]
pub(crate) struct Keeper {
    sets: Mutex<BTreeMap<TokenSlot, Arc<TokenSet>>>,
    lock: Arc<tokio::sync::Mutex<()>>,
    pub(crate) puts: Mutex<u32>,
}

impl Keeper {
    pub(crate) fn with(slot: TokenSlot, set: TokenSet) -> Arc<Self> {
        let keeper = Self::default();
        keeper.sets.lock().unwrap().insert(slot, Arc::new(set));
        Arc::new(keeper)
    }

    pub(crate) fn add(&self, slot: TokenSlot, access: &str) {
        self.sets.lock().unwrap().insert(slot, Arc::new(plain(access)));
    }
}

#[async_trait]
impl TokenKeeper for Keeper {
    async fn get(&self, slot: &TokenSlot) -> Result<Option<Arc<TokenSet>>, TokenError> {
        Ok(self.sets.lock().unwrap().get(slot).cloned())
    }

    async fn lock(&self, _slot: &TokenSlot) -> tokio::sync::OwnedMutexGuard<()> {
        self.lock.clone().lock_owned().await
    }

    async fn put(&self, slot: &TokenSlot, set: TokenSet) -> Result<(), TokenError> {
        self.sets.lock().unwrap().insert(slot.clone(), Arc::new(set));
        *self.puts.lock().unwrap() += 1;
        Ok(())
    }
}

pub(crate) fn plain(access: &str) -> TokenSet {
    TokenSet { access: Token::new(access.to_owned()), refresh: None, expires_at_ms: None }
}

pub(crate) fn session_of(installation: Installation, keeper: Arc<Keeper>) -> Session {
    Session { app: Arc::new(app()), installation: Arc::new(installation), tokens: keeper }
}

pub(crate) fn session_with(keeper: Arc<Keeper>) -> Session {
    session_of(installation(), keeper)
}

pub(crate) fn session() -> Session {
    session_with(Keeper::with(TokenSlot::App, plain("token-1")))
}

pub(crate) fn conversation() -> Conversation {
    Conversation {
        remote: room().into(),
        kind: ConversationKind::Channel,
        name: "room".to_owned(),
        external: false,
        joined: true,
        facts: Facts::new(),
    }
}

pub(crate) fn post_of(body: Vec<Block>) -> Post {
    Post {
        conversation: room().into(),
        thread_root: None,
        broadcast: false,
        author: ShownAuthor { name: "Bo Probe".to_owned(), via: "Slack".to_owned(), avatar_url: None },
        spokesman: Spokesman::App,
        body: Document { blocks: body },
        marker: Marker::from("marker-1"),
    }
}

pub(crate) fn post(text: &str) -> Post {
    post_of(vec![Block::Paragraph(vec![Inline::Text(text.to_owned())])])
}

/// A delivery about something, in the form Webex sends.
pub(crate) fn delivery(resource: &str, event: &str, data: &Value) -> Bytes {
    let envelope = json!({
        "id": id(CLUSTER, "WEBHOOK", &uuid(4, 1)), "name": "dragoman app-1",
        "targetUrl": "https://gateway.example/hooks/webex/app-1/events", "resource": resource, "event": event,
        "orgId": org(), "createdBy": person(0), "appId": id("us", "APPLICATION", "C1"), "ownedBy": "creator",
        "status": "active", "created": "2026-01-01T00:00:00.000Z", "actorId": person(1), "data": data,
    });
    Bytes::from(envelope.to_string())
}

/// The data of a message event.
pub(crate) fn data(number: u64, author: u64) -> Value {
    json!({
        "id": message_id(number), "roomId": room(), "roomType": "group", "personId": person(author),
        "personEmail": "somebody@harbour.example", "created": time(NOW_MS + number.cast_signed()),
    })
}

pub(crate) fn created(number: u64, author: u64) -> Bytes {
    delivery("messages", "created", &data(number, author))
}

/// A message as `GET /messages/{id}` gives it.
pub(crate) fn wire(number: u64, author: u64, text: &str) -> Value {
    let mut message = data(number, author);
    message["text"] = json!(text);
    message
}

pub(crate) fn hmac_hex(algorithm: hmac::Algorithm, body: &[u8]) -> String {
    hex::encode(hmac::sign(&hmac::Key::new(algorithm, SECRET.as_bytes()), body))
}

/// A request with this body, signed in the documented way.
pub(crate) fn signed(body: impl Into<Bytes>) -> Inbound {
    let body = body.into();
    let signature = hmac_hex(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &body);
    with_headers(body, &[("x-spark-signature", &signature)])
}

pub(crate) fn with_headers(body: Bytes, list: &[(&'static str, &str)]) -> Inbound {
    let mut headers = HeaderMap::new();
    for (name, value) in list {
        headers.append(*name, value.parse().unwrap());
    }
    Inbound { method: Method::POST, endpoint: "events".to_owned(), query: None, headers, body }
}

pub(crate) fn content(body: &Bytes) -> Content {
    Content::copied_from(body)
}
