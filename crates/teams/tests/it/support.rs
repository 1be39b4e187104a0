//! Apps, sessions, conversations, tokens and requests with invented names.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use dragoman_model::{
    AppId, Block, Clock as _, Document, Event, Happening, Inline, InstallationId, Marker, Message, OrgId,
    Platform, Post, ShownAuthor, Spokesman,
};
use dragoman_platform::http::{HttpClient, HttpSettings, TcpDialer};
use dragoman_platform::{
    App, Connector as _, Conversation, ConversationKind, Delivery, Facts, Inbound, Installation, Rejection,
    Session, TokenError, TokenKeeper, TokenSet, TokenSlot,
};
use dragoman_seal::Token;
use dragoman_teams::{TeamsConnector, TeamsSettings};
use dragoman_testkit::{ManualClock, SeededRandom};
use http::{HeaderMap, Method};
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use crate::fake::Fake;

pub(crate) const APP: &str = "aaaaaaaa-0000-4000-8000-000000000001";
pub(crate) const TENANT: &str = "bbbbbbbb-0000-4000-8000-000000000002";
pub(crate) const TEAM: &str = "cccccccc-0000-4000-8000-000000000003";
pub(crate) const ANA: &str = "dddddddd-0000-4000-8000-000000000004";
pub(crate) const ROOM: &str = "19:room@thread.tacv2";
pub(crate) const TEAM_19: &str = "19:general@thread.tacv2";
pub(crate) const CHAT: &str = "19:chat@thread.v2";
/// 2026-01-10T10:00:00Z.
pub(crate) const NOW_MS: i64 = 1_768_039_200_000;
/// A message, a second ago.
pub(crate) const MESSAGE: &str = "1768039199000";

pub(crate) struct Signer {
    pub(crate) kid: &'static str,
    key: EncodingKey,
    n: String,
    e: String,
}

fn signer(kid: &'static str) -> Signer {
    let pair = rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).unwrap();
    let key = EncodingKey::from_rsa_pem(pair.serialize_pem().as_bytes()).unwrap();
    let jwk = Jwk::from_encoding_key(&key, Algorithm::RS256).unwrap();
    let AlgorithmParameters::RSA(parts) = jwk.algorithm else { panic!("an RSA key") };
    Signer { kid, key, n: parts.n, e: parts.e }
}

pub(crate) static BOT_KEY: LazyLock<Signer> = LazyLock::new(|| signer("bot-1"));
pub(crate) static LOGIN_KEY: LazyLock<Signer> = LazyLock::new(|| signer("login-1"));
/// Nobody publishes this one.
pub(crate) static FOREIGN_KEY: LazyLock<Signer> = LazyLock::new(|| signer("foreign-1"));

pub(crate) fn key_set(signer: &Signer, endorsements: &[&str]) -> Value {
    json!({ "keys": [
        { "kty": "RSA", "use": "sig", "kid": signer.kid, "n": signer.n, "e": signer.e, "endorsements": endorsements },
        { "kty": "EC", "kid": "other", "crv": "P-256", "x": "x", "y": "y" },
    ]})
}

impl Signer {
    pub(crate) fn sign(&self, claims: &Value) -> String {
        self.sign_as(self.kid, claims)
    }

    pub(crate) fn sign_as(&self, kid: &str, claims: &Value) -> String {
        let header = Header { kid: Some(kid.to_owned()), ..Header::new(Algorithm::RS256) };
        jsonwebtoken::encode(&header, claims, &self.key).unwrap()
    }
}

/// A world: the fake services, the clock, the connector.
pub(crate) struct World {
    pub(crate) fake: Fake,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) connector: TeamsConnector,
}

impl World {
    pub(crate) async fn start(
        handler: impl Fn(&crate::fake::Call) -> Option<crate::fake::Reply> + Send + Sync + 'static,
    ) -> Self {
        let fake = Fake::start(handler).await;
        let clock = Arc::new(ManualClock::new(NOW_MS));
        let connector = connector(&fake.url(), &fake.url(), clock.clone());
        Self { fake, clock, connector }
    }

    /// With tokens and keys only.
    pub(crate) async fn quiet() -> Self {
        Self::start(|_| None).await
    }

    pub(crate) fn service_url(&self) -> String {
        format!("{}/svc/", self.fake.url())
    }

    pub(crate) fn session(&self) -> Session {
        self.session_with(Arc::new(Keeper::default()))
    }

    pub(crate) fn session_with(&self, keeper: Arc<Keeper>) -> Session {
        Session {
            app: Arc::new(app()),
            installation: Arc::new(installation(&self.service_url())),
            tokens: keeper,
        }
    }

    pub(crate) fn room(&self) -> Conversation {
        conversation(ROOM, &self.service_url())
    }

    pub(crate) fn chat(&self) -> Conversation {
        conversation(CHAT, &self.service_url())
    }

    /// A request of the Bot Connector with a good token.
    pub(crate) fn signed(&self, activity: &Value) -> Inbound {
        let claims = bot_claims(activity["serviceUrl"].as_str().unwrap_or_default(), self.clock.now_ms());
        request("messages", activity, Some(&BOT_KEY.sign(&claims)))
    }

    pub(crate) async fn receive(&self, request: &Inbound) -> Result<Delivery, Rejection> {
        self.connector.receive(&app(), request).await
    }

    /// What comes out of an activity at the end: door, then decoding.
    pub(crate) async fn event(&self, activity: &Value) -> Event {
        let delivery = self.receive(&self.signed(activity)).await.unwrap();
        let item = &delivery.items[0];
        self.connector.open(&self.session(), item.feed, &item.payload).await.unwrap()
    }
}

pub(crate) fn connector(login_and_graph: &str, service: &str, clock: Arc<ManualClock>) -> TeamsConnector {
    let settings = TeamsSettings {
        public_url: "https://bridge.example".into(),
        login_base: login_and_graph.into(),
        graph_base: login_and_graph.into(),
        bot_openid_url: format!("{login_and_graph}/bot/openid"),
        allowed_service_hosts: vec![service.to_owned()],
        default_service_url: format!("{service}/svc/"),
        graph_pause_ms: 0,
        ..TeamsSettings::default()
    };
    let http = HttpSettings {
        allow_private: true,
        total_timeout: Duration::from_millis(700),
        ..HttpSettings::default()
    };
    let http = HttpClient::new(&http, Arc::new(TcpDialer)).unwrap();
    TeamsConnector::new(settings, http, clock, Arc::new(SeededRandom::new(7)))
}

pub(crate) fn bot_claims(service_url: &str, at_ms: i64) -> Value {
    json!({
        "iss": "https://api.botframework.com", "aud": APP, "serviceurl": service_url,
        "nbf": at_ms / 1000, "exp": at_ms / 1000 + 3600,
    })
}

pub(crate) fn request(endpoint: &str, body: &Value, token: Option<&str>) -> Inbound {
    let mut headers = HeaderMap::new();
    if let Some(token) = token {
        headers.insert("Authorization", format!("Bearer {token}").parse().unwrap());
    }
    Inbound {
        method: Method::POST,
        endpoint: endpoint.into(),
        query: None,
        headers,
        body: Bytes::from(body.to_string()),
    }
}

/// What the connector makes for a registration, made once.
static GENERATED: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| {
    let nowhere = "http://127.0.0.1:9";
    connector(nowhere, nowhere, Arc::new(ManualClock::new(NOW_MS))).generated()
});

fn bare_app() -> App {
    App {
        id: AppId::from("app-1"),
        org: OrgId::from("org-1"),
        platform: Platform("teams"),
        facts: Facts::from([("app_id".into(), APP.into()), ("tenant_id".into(), TENANT.into())]),
        secrets: BTreeMap::from([("client_secret".into(), Token::new("hush".into()))]),
        features: BTreeSet::new(),
    }
}

pub(crate) fn app() -> App {
    let mut app = bare_app();
    for (key, value) in &*GENERATED {
        if key == "certificate_id" {
            app.facts.insert(key.clone(), value.clone());
        } else {
            app.secrets.insert(key.clone(), Token::new(value.clone()));
        }
    }
    app
}

pub(crate) fn installation(service_url: &str) -> Installation {
    Installation {
        id: InstallationId::from("installation-1"),
        org: OrgId::from("org-1"),
        app: AppId::from("app-1"),
        workspace: TENANT.into(),
        facts: Facts::from([
            ("service_url".into(), service_url.into()),
            (format!("team:{TEAM_19}"), TEAM.into()),
        ]),
        scopes: BTreeSet::new(),
    }
}

pub(crate) fn conversation(id: &str, service_url: &str) -> Conversation {
    let mut facts = Facts::from([("service_url".into(), service_url.into())]);
    let channel = id.ends_with("@thread.tacv2") || id.ends_with("@thread.skype");
    if channel {
        facts.extend([("team_id".into(), TEAM_19.into()), ("team_guid".into(), TEAM.into())]);
    }
    Conversation {
        remote: id.into(),
        kind: if channel { ConversationKind::Channel } else { ConversationKind::Group },
        name: "room".into(),
        external: false,
        joined: true,
        facts,
    }
}

pub(crate) fn post(conversation: &str, blocks: Vec<Block>) -> Post {
    Post {
        conversation: conversation.into(),
        thread_root: None,
        broadcast: false,
        author: ShownAuthor { name: "Bo <Probe>".into(), via: "Slack".into(), avatar_url: None },
        spokesman: Spokesman::App,
        body: Document { blocks },
        marker: Marker::from("marker-1"),
    }
}

pub(crate) fn paragraph(text: &str) -> Block {
    Block::Paragraph(vec![Inline::Text(text.into())])
}

/// Tokens in memory.
#[derive(Default)]
pub(crate) struct Keeper {
    sets: Mutex<BTreeMap<TokenSlot, Arc<TokenSet>>>,
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl Keeper {
    pub(crate) fn with(slot: TokenSlot, set: TokenSet) -> Arc<Self> {
        let keeper = Self::default();
        keeper.sets.lock().unwrap().insert(slot, Arc::new(set));
        Arc::new(keeper)
    }

    pub(crate) fn refresh_token(&self, slot: &TokenSlot) -> String {
        self.sets.lock().unwrap()[slot].refresh.as_ref().unwrap().expose().to_owned()
    }
}

#[async_trait]
impl TokenKeeper for Keeper {
    async fn get(&self, slot: &TokenSlot) -> Result<Option<Arc<TokenSet>>, TokenError> {
        Ok(self.sets.lock().unwrap().get(slot).cloned())
    }

    async fn lock(&self, _slot: &TokenSlot) -> tokio::sync::OwnedMutexGuard<()> {
        self.turn.clone().lock_owned().await
    }

    async fn put(&self, slot: &TokenSlot, set: TokenSet) -> Result<(), TokenError> {
        self.sets.lock().unwrap().insert(slot.clone(), Arc::new(set));
        Ok(())
    }
}

/// An activity of Ana in the room.
pub(crate) fn activity(world: &World, kind: &str, more: &Value) -> Value {
    let mut activity = json!({
        "type": kind,
        "id": MESSAGE,
        "timestamp": "2026-01-10T09:59:59.0421337Z",
        "channelId": "msteams",
        "serviceUrl": world.service_url(),
        "from": { "id": "29:ana", "name": "Ana Sample", "aadObjectId": ANA },
        "conversation": {
            "isGroup": true, "conversationType": "channel", "tenantId": TENANT,
            "id": format!("{ROOM};messageid={MESSAGE}"),
        },
        "recipient": { "id": format!("28:{APP}"), "name": "Bridge" },
        "channelData": { "team": { "id": TEAM_19 }, "channel": { "id": ROOM }, "tenant": { "id": TENANT } },
    });
    for (key, value) in more.as_object().unwrap() {
        activity[key] = value.clone();
    }
    activity
}

/// A rich body.
pub(crate) fn html(text: &str) -> Value {
    json!([{ "contentType": "text/html", "content": text }])
}

/// A message as Graph shows it.
pub(crate) fn chat_message(id: &str, text: &str) -> Value {
    json!({
        "id": id, "replyToId": null, "etag": id, "messageType": "message",
        "createdDateTime": "2026-01-10T09:59:59Z", "lastModifiedDateTime": "2026-01-10T09:59:59Z",
        "lastEditedDateTime": null, "deletedDateTime": null, "subject": null, "chatId": null,
        "channelIdentity": { "teamId": TEAM, "channelId": ROOM },
        "from": { "application": null, "user": { "id": ANA, "displayName": "Ana Sample", "userIdentityType": "aadUser" } },
        "body": { "contentType": "html", "content": text },
        "attachments": [], "mentions": [], "reactions": [], "messageHistory": [],
        "policyViolation": null, "eventDetail": null,
    })
}

pub(crate) fn posted(event: Event) -> Message {
    match event.happening {
        Happening::Posted(message) => *message,
        Happening::Changed { after, .. } => *after,
        _ => panic!("no message"),
    }
}
