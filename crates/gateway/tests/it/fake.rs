//! A platform invented for these tests.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use dragoman_model::operation::Candidate;
use dragoman_model::{
    Block, Capabilities, Document, Event, EventKind, Feature, Inline, Level, Message, Operation, Outcome,
    Platform, Post, RemoteConversation, RemoteMessage, RemoteUser, TextLimit, TextUnit, codes,
};
use dragoman_platform::{
    Answer, App, Connector, Conversation, ConversationKind, Delivery, Facts, Failure, Field, Grant, Granted,
    HistoryPage, HistoryQuery, Inbound, InstallError, Installation, Installed, Item, Package, PackageFile,
    PackageRequest, Page, Profile, Rejection, Scope, Session, Sink, TokenSet, Watch,
};
use dragoman_seal::{Content, Token};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// A conversation of the platform.
#[derive(Clone)]
pub(crate) struct Room {
    pub(crate) name: &'static str,
    pub(crate) external: bool,
    pub(crate) joined: bool,
}

/// What the platform remembers, and how it behaves.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) rooms: BTreeMap<&'static str, Room>,
    /// Room and text of what was posted.
    pub(crate) posts: Vec<(String, String)>,
    pub(crate) watched: Vec<String>,
    pub(crate) unwatched: Vec<String>,
    pub(crate) avatar: Option<String>,
    pub(crate) listens: bool,
    /// How often a socket was opened, and what it delivers before it fails.
    pub(crate) opened: u32,
    pub(crate) deliveries: Vec<String>,
    pub(crate) taken: Vec<bool>,
    /// Verifiers and queries that came back from the consent page.
    pub(crate) grants: Vec<(String, Vec<(String, String)>)>,
    pub(crate) refuses: bool,
    /// The signature check hangs, as when public keys cannot be fetched.
    pub(crate) keys_hang: bool,
    pub(crate) histories: u32,
}

/// The platform's connector.
pub(crate) struct Fake {
    name: &'static str,
    state: Mutex<State>,
    pub(crate) end_socket: Notify,
}

/// What people grant.
pub(crate) const PERSONS: &str = "token-of-a-person-1234";

const FIELDS: &[Field] = &[
    Field { key: "client_id", help: "on the app's page", secret: false, required: true, required_with: None },
    Field {
        key: "signing_secret",
        help: "on the app's page",
        secret: true,
        required: true,
        required_with: None,
    },
    Field {
        key: "certificate",
        help: "made by the gateway",
        secret: false,
        required: false,
        required_with: None,
    },
];

pub(crate) const SIGNING_SECRET: &str = "signing-canary-5f1d";
pub(crate) const TOKEN: &str = "token-canary-77aa";

impl Fake {
    pub(crate) fn new(name: &'static str) -> Self {
        let room = |name, external, joined| Room { name, external, joined };
        let rooms = BTreeMap::from([
            ("r1", room("general", false, true)),
            ("r2", room("random", false, true)),
            ("r3", room("partners", true, true)),
            ("r4", room("closed", false, false)),
            ("r5", room("twin", false, true)),
            ("r6", room("twin", false, true)),
        ]);
        let state = State { rooms, ..State::default() };
        Self { name, state: Mutex::new(state), end_socket: Notify::new() }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn room(&self, remote: &str) -> Option<Conversation> {
        self.state().rooms.get(remote).map(|room| Conversation {
            remote: remote.into(),
            kind: ConversationKind::Channel,
            name: room.name.to_owned(),
            external: room.external,
            joined: room.joined,
            facts: Facts::new(),
        })
    }
}

/// One event as this platform writes it: `workspace room message key`.
pub(crate) fn event_body(key: &str) -> String {
    format!("W1 r1 m-{key} {key} content-canary-c0ffee")
}

fn items(body: &[u8]) -> Option<Vec<Item>> {
    let text = std::str::from_utf8(body).ok()?;
    let mut words = text.split(' ');
    let (workspace, room, message, key) = (words.next()?, words.next()?, words.next()?, words.next()?);
    Some(vec![Item {
        workspace: workspace.into(),
        conversation: Some(room.into()),
        message: Some(message.into()),
        thread_root: None,
        kind: EventKind::Created,
        delivery_key: Some(key.into()),
        at_ms: 1,
        feed: "test",
        payload: Content::copied_from(body),
    }])
}

fn words_of(document: &Document) -> String {
    let mut text = String::new();
    for block in &document.blocks {
        if let Block::Paragraph(inlines) = block {
            for inline in inlines {
                if let Inline::Text(words) = inline {
                    text.push_str(words);
                }
            }
        }
    }
    text
}

#[async_trait]
impl Connector for Fake {
    fn platform(&self) -> Platform {
        Platform(self.name)
    }

    fn display_name(&self) -> &'static str {
        self.name
    }

    fn capabilities(&self, _: &Installation, _: &Conversation) -> Capabilities {
        Capabilities {
            levels: BTreeMap::from([(Feature::Text, Level::Native)]),
            own_levels: BTreeMap::new(),
            text: TextLimit { max: 1000, unit: TextUnit::Chars },
            reread: true,
            read_back: true,
            history: true,
            reorder_window_ms: 0,
            max_edits: None,
            unannounced_edits_ms: None,
            max_file_bytes: None,
            file_needs_length: false,
            send_interval_ms: 0,
        }
    }

    async fn receive(&self, app: &App, request: &Inbound) -> Result<Delivery, Rejection> {
        if self.state().keys_hang {
            std::future::pending::<()>().await;
        }
        if request.endpoint != "events" {
            return Err(Rejection::NoEndpoint);
        }
        let signature = request.headers.get("x-signature").map_or(&b""[..], |value| value.as_bytes());
        if !app.secret("signing_secret").is_some_and(|secret| secret.matches(signature)) {
            return Err(Rejection::Unauthentic(codes::UNAUTHENTIC));
        }
        if let Some(challenge) = request.query.as_deref().and_then(|query| query.strip_prefix("challenge=")) {
            return Ok(Delivery {
                items: vec![],
                answer: Answer::text(challenge.to_owned()),
                dropped: vec![],
            });
        }
        let items = items(&request.body).ok_or(Rejection::Malformed(codes::MALFORMED))?;
        Ok(Delivery { items, answer: Answer::text("ok"), dropped: vec![] })
    }

    fn listens(&self, app: &App) -> bool {
        self.state().listens && app.fact("client_id") == "socket"
    }

    async fn listen(&self, _: &App, sink: &dyn Sink, stop: CancellationToken) -> Result<(), Failure> {
        let deliveries = {
            let mut state = self.state();
            state.opened += 1;
            std::mem::take(&mut state.deliveries)
        };
        for body in deliveries {
            let items = items(body.as_bytes()).unwrap_or_default();
            let taken = sink.take(Delivery { items, answer: Answer::text(""), dropped: vec![] }).await;
            self.state().taken.push(taken);
        }
        tokio::select! {
            () = stop.cancelled() => Ok(()),
            () = self.end_socket.notified() => Err(Failure::Retry { after_ms: None, code: codes::NO_ANSWER }),
        }
    }

    async fn open(&self, _: &Session, _: &str, _: &Content) -> Result<Event, Failure> {
        Err(Failure::Malformed(codes::MALFORMED))
    }

    async fn message(
        &self,
        _: &Session,
        _: &Conversation,
        _: Option<&RemoteMessage>,
        _: &RemoteMessage,
    ) -> Result<Option<Message>, Failure> {
        Ok(None)
    }

    async fn history(&self, _: &Session, _: &Conversation, _: &HistoryQuery) -> Result<HistoryPage, Failure> {
        self.state().histories += 1;
        Ok(HistoryPage { messages: vec![], reactions: None, next: None })
    }

    async fn profile(
        &self,
        _: &Session,
        _: &Conversation,
        user: &RemoteUser,
    ) -> Result<Option<Profile>, Failure> {
        Ok((user.as_str() != "nobody").then(|| Profile {
            user: user.clone(),
            name: "Ada Lovelace".to_owned(),
            avatar_url: self.state().avatar.clone(),
            email: user.as_str().contains("mail").then(|| "Ada@acme.example".to_owned()),
            bot: false,
            deleted: false,
            external: user.as_str().starts_with("guest"),
            guest: false,
        }))
    }

    async fn profile_by_email(
        &self,
        _: &Session,
        _: &Conversation,
        _: &str,
    ) -> Result<Option<Profile>, Failure> {
        Ok(None)
    }

    fn split(&self, post: &Post) -> Vec<Document> {
        vec![post.body.clone()]
    }

    async fn perform(&self, _: &Session, conversation: &Conversation, operation: &Operation) -> Outcome {
        let Operation::Post(post) = operation else { return Outcome::done() };
        let mut state = self.state();
        state.posts.push((conversation.remote.to_string(), words_of(&post.body)));
        let id = format!("copy-{}", state.posts.len());
        Outcome::made(id.as_str().into(), None)
    }

    async fn find(&self, _: &Session, _: &Conversation, _: &Post, _: i64) -> Result<Vec<Candidate>, Failure> {
        Ok(vec![])
    }

    async fn conversation(&self, _: &Session, remote: &RemoteConversation) -> Result<Conversation, Failure> {
        self.room(remote.as_str()).ok_or(Failure::Gone(codes::CONVERSATION_GONE))
    }

    async fn conversations(
        &self,
        _: &Session,
        search: &str,
        cursor: Option<&str>,
    ) -> Result<Page<Conversation>, Failure> {
        let rooms: Vec<&str> = self.state().rooms.keys().copied().collect();
        // One a page, so that nobody forgets to turn pages.
        let at: usize = cursor.map_or(0, |cursor| cursor.parse().unwrap());
        let items = rooms.get(at).and_then(|remote| self.room(remote)).into_iter();
        let next = (at + 1 < rooms.len()).then(|| (at + 1).to_string());
        Ok(Page { items: items.filter(|room| room.name.contains(search)).collect(), next })
    }

    async fn watch(
        &self,
        _: &Session,
        conversation: &Conversation,
        _: Option<&Watch>,
    ) -> Result<Watch, Failure> {
        self.state().watched.push(conversation.remote.to_string());
        Ok(Watch {
            id: format!("watch-{}", conversation.remote),
            renew_at_ms: None,
            expires_at_ms: None,
            facts: Facts::new(),
        })
    }

    async fn unwatch(&self, _: &Session, _: &Conversation, current: &Watch) -> Result<(), Failure> {
        self.state().unwatched.push(current.id.clone());
        Ok(())
    }

    fn package(&self, request: &PackageRequest) -> Package {
        let text = format!("{}/hooks/{}/{}/events", request.public_url, self.name, request.app);
        Package {
            files: vec![PackageFile { name: "manifest.txt".to_owned(), bytes: text.into_bytes() }],
            steps: vec![format!("Upload manifest.txt as {}.", request.name)],
            scopes: scopes(&request.features),
        }
    }

    fn features(&self) -> &'static [&'static str] {
        &["relay", "faces"]
    }

    fn registration(&self) -> &'static [Field] {
        FIELDS
    }

    fn authorize_url(&self, app: &App, redirect_uri: &str, state: &str, code_challenge: &str) -> String {
        let client = app.fact("client_id");
        format!(
            "https://{}.example/consent?client={client}&to={redirect_uri}&state={state}&challenge={code_challenge}",
            self.name
        )
    }

    async fn install(&self, _: &App, grant: &Grant) -> Result<Installed, InstallError> {
        let refuses = {
            let mut state = self.state();
            state.grants.push((grant.code_verifier.clone(), grant.query.clone()));
            state.refuses
        };
        tokio::task::yield_now().await;
        if refuses {
            return Err(InstallError::Rejected("<b>bad_code</b>".to_owned()));
        }
        Ok(installed("W1"))
    }

    fn authorize_person_url(
        &self,
        app: &App,
        redirect_uri: &str,
        state: &str,
        code_challenge: &str,
    ) -> Option<String> {
        // Only this one has tokens of people.
        (self.name == "alpha").then(|| self.authorize_url(app, redirect_uri, state, code_challenge))
    }

    async fn grant_person(&self, _: &App, _: &Installation, grant: &Grant) -> Result<Granted, InstallError> {
        let who = grant.query.iter().find(|(name, _)| name == "who").map(|(_, who)| who.as_str());
        let user = who.map(RemoteUser::from).ok_or(InstallError::Denied)?;
        self.state().grants.push((grant.code_verifier.clone(), grant.query.clone()));
        let tokens = TokenSet { access: Token::new(PERSONS.to_owned()), refresh: None, expires_at_ms: None };
        Ok(Granted { user, tokens })
    }

    fn generated(&self) -> BTreeMap<String, String> {
        BTreeMap::from([("certificate".to_owned(), "made-certificate".to_owned())])
    }

    async fn adopt(&self, app: &App, token: Token) -> Result<Installed, InstallError> {
        if !token.matches(TOKEN.as_bytes()) {
            return Err(InstallError::Rejected("invalid_auth".to_owned()));
        }
        // The app `a3` is another workspace's.
        Ok(installed(if app.fact("client_id") == "a3" { "W2" } else { "W1" }))
    }
}

fn scopes(features: &BTreeSet<String>) -> Vec<Scope> {
    let all = [("read", "relay", "to read what is relayed"), ("look", "faces", "to see people's pictures")];
    let asked = all.into_iter().filter(|(_, feature, _)| *feature == "relay" || features.contains(*feature));
    asked.map(|(name, feature, reason)| Scope { name: name.to_owned(), feature, reason }).collect()
}

fn installed(workspace: &str) -> Installed {
    Installed {
        workspace: workspace.into(),
        name: "Acme".to_owned(),
        facts: Facts::new(),
        scopes: BTreeSet::from(["read".to_owned(), "shout".to_owned()]),
        tokens: Some(TokenSet { access: Token::new(TOKEN.to_owned()), refresh: None, expires_at_ms: None }),
    }
}
