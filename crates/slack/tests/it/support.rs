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
use dragoman_slack::{SlackConnector, SlackSettings};
use dragoman_testkit::{ManualClock, SeededRandom};
use http::{HeaderMap, Method};
use url::Url;

pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef";
pub(crate) const NOW_MS: i64 = 1_760_000_000_000;

pub(crate) fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(NOW_MS))
}

pub(crate) fn connector_with(base: &str, clock: Arc<ManualClock>) -> SlackConnector {
    let settings = SlackSettings {
        api_base: Url::parse(&format!("{base}/api/")).unwrap(),
        authorize_url: Url::parse(&format!("{base}/oauth/v2/authorize")).unwrap(),
    };
    let http = HttpSettings {
        allow_private: true,
        total_timeout: Duration::from_millis(400),
        ..HttpSettings::default()
    };
    let http = HttpClient::new(&http, Arc::new(TcpDialer)).unwrap();
    SlackConnector::new(settings, http, clock, Arc::new(SeededRandom::new(7)))
}

pub(crate) fn connector(base: &str) -> SlackConnector {
    connector_with(base, clock())
}

/// A connector that is not meant to call anybody.
pub(crate) fn offline() -> SlackConnector {
    connector("http://127.0.0.1:9")
}

pub(crate) fn app() -> App {
    let fact = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let secret = |key: &str, value: &str| (key.to_owned(), Token::new(value.to_owned()));
    App {
        id: AppId::from("app-1"),
        org: OrgId::from("org-1"),
        platform: Platform("slack"),
        facts: Facts::from([fact("client_id", "111.222"), fact("app_id", "AOWN")]),
        secrets: BTreeMap::from([
            secret("signing_secret", SECRET),
            secret("client_secret", "client-secret"),
            secret("app_token", "xapp-1"),
        ]),
        features: BTreeSet::new(),
    }
}

pub(crate) fn installation() -> Installation {
    let fact = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    Installation {
        id: InstallationId::from("installation-1"),
        org: OrgId::from("org-1"),
        app: AppId::from("app-1"),
        workspace: "TOWN".into(),
        facts: Facts::from([
            fact("team_id", "TOWN"),
            fact("bot_user_id", "UBOT"),
            fact("bot_id", "BOWN"),
            fact("app_id", "AOWN"),
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

pub(crate) fn session_with(keeper: Arc<Keeper>) -> Session {
    Session { app: Arc::new(app()), installation: Arc::new(installation()), tokens: keeper }
}

pub(crate) fn session() -> Session {
    session_with(Keeper::with(TokenSlot::App, plain("xoxb-1")))
}

pub(crate) fn conversation() -> Conversation {
    Conversation {
        remote: "CROOM".into(),
        kind: ConversationKind::Channel,
        name: "room".to_owned(),
        external: false,
        joined: true,
        facts: Facts::new(),
    }
}

pub(crate) fn post(text: &str) -> Post {
    Post {
        conversation: "CROOM".into(),
        thread_root: None,
        broadcast: false,
        author: ShownAuthor {
            name: "Bo Probe".to_owned(),
            via: "Teams".to_owned(),
            avatar_url: Some("https://gateway.example/avatar/1".to_owned()),
        },
        spokesman: Spokesman::App,
        body: Document { blocks: vec![Block::Paragraph(vec![Inline::Text(text.to_owned())])] },
        marker: Marker::from("marker-1"),
    }
}

/// A request with this body, signed at a time by Slack's published rule.
pub(crate) fn signed(body: impl Into<Bytes>, at_ms: i64) -> Inbound {
    let body = body.into();
    let timestamp = (at_ms / 1_000).to_string();
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let base = [b"v0:", timestamp.as_bytes(), b":", body.as_ref()].concat();
    let signature = format!("v0={}", hex::encode(hmac::sign(&key, &base)));
    let mut headers = HeaderMap::new();
    headers.insert("X-Slack-Request-Timestamp", timestamp.parse().unwrap());
    headers.insert("X-Slack-Signature", signature.parse().unwrap());
    Inbound { method: Method::POST, endpoint: "events".to_owned(), query: None, headers, body }
}

/// An event with this inner part, in the form Slack sends.
pub(crate) fn event(id: &str, inner: &serde_json::Value) -> Bytes {
    let envelope = serde_json::json!({
        "token": "unused", "team_id": "TOWN", "api_app_id": "AOWN", "event": inner,
        "type": "event_callback", "event_id": id, "event_time": NOW_MS / 1_000,
        "authorizations": [{ "enterprise_id": null, "team_id": "TOWN", "user_id": "UBOT", "is_bot": true }],
        "is_ext_shared_channel": false,
    });
    Bytes::from(envelope.to_string())
}
