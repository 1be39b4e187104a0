//! Apps, sessions, conversations and requests with invented names.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use aws_lc_rs::hmac;
use bytes::Bytes;
use dragoman_model::{
    AppId, Block, Document, Inline, InstallationId, Marker, OrgId, Platform, Post, ShownAuthor, Spokesman,
};
use dragoman_platform::http::{HttpClient, HttpSettings, TcpDialer};
use dragoman_platform::{
    App, Conversation, ConversationKind, Facts, Inbound, Installation, Session, TokenError, TokenKeeper,
    TokenSet, TokenSlot,
};
use dragoman_seal::Token;
use dragoman_testkit::{ManualClock, SeededRandom};
use dragoman_zoom::{ZoomConnector, ZoomSettings};
use http::{HeaderMap, Method};
use url::Url;

pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef";
pub(crate) const ACCOUNT: &str = "TownAccount";
pub(crate) const CHANNEL: &str = "5c0ffee05c0ffee05c0ffee05c0ffee0";
pub(crate) const BRIDGE: &str = "Bridge-User-Id";
pub(crate) const NOW_MS: i64 = 1_760_000_000_000;

pub(crate) fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(NOW_MS))
}

pub(crate) fn connector_with(base: &str, clock: Arc<ManualClock>) -> ZoomConnector {
    let url = |path: &str| Url::parse(&format!("{base}/{path}")).unwrap();
    let settings = ZoomSettings {
        api_base: url("v2/"),
        oauth_base: url("oauth/"),
        ws_url: Url::parse(&format!("{}/ws", base.replacen("http", "ws", 1))).unwrap(),
        compliance_url: url("oauth/data/compliance"),
        files_base: url("files/v2/"),
        file_hosts: Vec::new(),
        settle_ms: 20,
        channel_budget: true,
    };
    let http = HttpSettings {
        allow_private: true,
        total_timeout: Duration::from_millis(400),
        ..HttpSettings::default()
    };
    let http = HttpClient::new(&http, Arc::new(TcpDialer)).unwrap();
    ZoomConnector::new(settings, http, clock, Arc::new(SeededRandom::new(7)))
}

pub(crate) fn connector(base: &str) -> ZoomConnector {
    connector_with(base, clock())
}

/// A connector that is not meant to call anybody.
pub(crate) fn offline() -> ZoomConnector {
    connector("http://127.0.0.1:9")
}

pub(crate) fn app() -> App {
    let fact = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let secret = |key: &str, value: &str| (key.to_owned(), Token::new(value.to_owned()));
    App {
        id: AppId::from("app-1"),
        org: OrgId::from("org-1"),
        platform: Platform("zoom"),
        facts: Facts::from([
            fact("client_id", "client-1"),
            fact("bridge_user", "bridge@town.example"),
            fact("transport", "socket"),
            fact("subscription_id", "sub-1"),
        ]),
        secrets: BTreeMap::from([secret("secret_token", SECRET), secret("client_secret", "client-secret")]),
        features: BTreeSet::new(),
    }
}

pub(crate) fn installation() -> Installation {
    let fact = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    Installation {
        id: InstallationId::from("installation-1"),
        org: OrgId::from("org-1"),
        app: AppId::from("app-1"),
        workspace: ACCOUNT.into(),
        // The digest is that of bridge@town.example.
        facts: Facts::from([
            fact("bridge_user", BRIDGE),
            fact("bridge_mail", "6c522155751dddd02f909b3ff5d4ec37b172ef62162c05531719189e8e03688d"),
        ]),
        scopes: BTreeSet::new(),
    }
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

pub(crate) fn session_with(keeper: Arc<Keeper>) -> Session {
    Session { app: Arc::new(app()), installation: Arc::new(installation()), tokens: keeper }
}

pub(crate) fn session() -> Session {
    session_with(Keeper::with(TokenSlot::App, plain("token-1")))
}

pub(crate) fn conversation() -> Conversation {
    Conversation {
        remote: CHANNEL.into(),
        kind: ConversationKind::Channel,
        name: "room".to_owned(),
        external: false,
        joined: true,
        facts: Facts::new(),
    }
}

pub(crate) fn direct() -> Conversation {
    Conversation {
        remote: "bridge-user-id:ana-user-id".into(),
        kind: ConversationKind::Direct,
        facts: Facts::from([("contact".to_owned(), "Ana-User-Id".to_owned())]),
        ..conversation()
    }
}

pub(crate) fn post(text: &str) -> Post {
    Post {
        conversation: CHANNEL.into(),
        thread_root: None,
        broadcast: false,
        author: ShownAuthor {
            name: "Bo Probe".to_owned(),
            via: "Slack".to_owned(),
            avatar_url: Some("https://gateway.example/avatar/1".to_owned()),
        },
        spokesman: Spokesman::App,
        body: Document { blocks: vec![Block::Paragraph(vec![Inline::Text(text.to_owned())])] },
        marker: Marker::from("marker-1"),
    }
}

/// A request with this body, signed at a time by Zoom's published rule.
pub(crate) fn signed(body: impl Into<Bytes>, at_ms: i64) -> Inbound {
    let body = body.into();
    let signature = signature(&body, at_ms);
    let mut request = unsigned(body);
    request.headers.insert("x-zm-request-timestamp", (at_ms / 1_000).to_string().parse().unwrap());
    request.headers.insert("x-zm-signature", signature.parse().unwrap());
    request
}

pub(crate) fn signature(body: &[u8], at_ms: i64) -> String {
    let timestamp = (at_ms / 1_000).to_string();
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let base = [b"v0:", timestamp.as_bytes(), b":", body].concat();
    format!("v0={}", hex::encode(hmac::sign(&key, &base)))
}

pub(crate) fn unsigned(body: impl Into<Bytes>) -> Inbound {
    Inbound {
        method: Method::POST,
        endpoint: "events".to_owned(),
        query: None,
        headers: HeaderMap::new(),
        body: body.into(),
    }
}

/// An event of Ana's about this object.
pub(crate) fn event(name: &str, at_ms: i64, object: &serde_json::Value) -> Bytes {
    by(name, at_ms, ("ana@town.example", "Ana-User-Id", "Ana-Member-Id-that-is-longer-than-thirty"), object)
}

/// An event of somebody: address, user id, member id.
pub(crate) fn by(
    name: &str,
    at_ms: i64,
    (mail, user, member): (&str, &str, &str),
    object: &serde_json::Value,
) -> Bytes {
    let stranger = user.is_empty();
    let event = serde_json::json!({
        "event": name,
        "event_ts": at_ms,
        "payload": {
            "account_id": if stranger { "" } else { ACCOUNT },
            "operator": mail,
            "operator_id": user,
            "operator_member_id": member,
            "by_external_user": stranger,
            "object": object,
        },
    });
    Bytes::from(event.to_string())
}

/// A message id: a UUID as Zoom's events write them.
pub(crate) fn id(number: u64) -> String {
    format!("0A1B2C3D-0000-4000-8000-{number:012X}")
}

/// A message in the channel.
pub(crate) fn message(number: u64, text: &str) -> serde_json::Value {
    serde_json::json!({
        "message_id": id(number), "session_id": CHANNEL, "channel_id": CHANNEL, "channel_name": "room",
        "channel_owner_account_id": ACCOUNT, "date_time": "2025-10-09T08:53:20Z",
        "timestamp": NOW_MS + i64::try_from(number).unwrap(), "message": text,
    })
}
