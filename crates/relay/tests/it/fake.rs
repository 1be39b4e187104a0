//! An invented platform with conversations that a test looks into, and calls that fail as it says.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use dragoman_model::capability::{Feature, Level, TextLimit, TextUnit};
use dragoman_model::event::{Author, AuthorKind, Origin};
use dragoman_model::operation::Candidate;
use dragoman_model::{
    Capabilities, Clock, Document, Event, Happening, Marker, Message, Operation, Outcome, Platform, Post,
    RemoteConversation, RemoteMessage, RemoteUser, Spokesman, Version, codes,
};
use dragoman_platform::{
    App, Connector, Conversation, Delivery, Failure, Field, Grant, HistoryPage, HistoryQuery, Inbound,
    InstallError, Installation, Installed, Package, PackageRequest, Page, Profile, Rejection, Session, Sink,
    Watch,
};
use dragoman_seal::Content;
use tokio_util::sync::CancellationToken;

/// A message there.
#[derive(Clone)]
pub(crate) struct Said {
    pub(crate) id: String,
    pub(crate) root: Option<String>,
    pub(crate) text: String,
    pub(crate) version: i64,
    pub(crate) sent_ms: i64,
    /// When something happened to it last.
    pub(crate) at_ms: i64,
    pub(crate) deleted: bool,
    /// Another app said it.
    pub(crate) bot: bool,
    pub(crate) marker: Option<String>,
    /// In its author's own name: nobody is shown the marker.
    pub(crate) own: bool,
}

impl Said {
    fn shown_marker(&self) -> Option<&str> {
        self.marker.as_deref().filter(|_| !self.own)
    }
}

/// A conversation.
#[derive(Default)]
pub(crate) struct Room {
    pub(crate) said: Vec<Said>,
    /// What happens to the next calls, in order.
    pub(crate) tricks: VecDeque<String>,
    /// Calls so far.
    pub(crate) calls: Vec<String>,
    /// What it cannot do.
    pub(crate) cannot: Vec<String>,
}

impl Room {
    pub(crate) fn find(&mut self, id: &str) -> Option<&mut Said> {
        self.said.iter_mut().find(|said| said.id == id)
    }
}

/// The platform.
pub(crate) struct Fake {
    pub(crate) clock: Arc<dyn Clock>,
    rooms: Mutex<BTreeMap<String, Room>>,
}

impl Fake {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, rooms: Mutex::default() }
    }

    pub(crate) fn rooms(&self) -> MutexGuard<'_, BTreeMap<String, Room>> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn room<T>(&self, id: &str, act: impl FnOnce(&mut Room) -> T) -> T {
        act(self.rooms().entry(id.to_owned()).or_default())
    }

    fn trick(&self, room: &str, call: &str) -> Option<String> {
        self.room(room, |room| {
            let due = room.tricks.front().is_some_and(|trick| {
                let read = trick.starts_with("unreadable");
                read == matches!(call, "open" | "message" | "history" | "find")
            });
            if due { room.tricks.pop_front() } else { None }
        })
    }

    fn readable(&self, room: &str, call: &str) -> Result<(), Failure> {
        match self.trick(room, call) {
            Some(_) => Err(Failure::Retry { after_ms: None, code: codes::UNREACHABLE }),
            None => Ok(()),
        }
    }
}

/// What an event's payload says.
pub(crate) fn payload(kind: &str, room: &str, said: &Said) -> Content {
    let root = said.root.as_deref().unwrap_or_default();
    let marker = said.shown_marker().unwrap_or_default();
    let (version, sent, at) = (said.version.to_string(), said.sent_ms.to_string(), said.at_ms.to_string());
    let bot = if said.bot { "bot" } else { "" };
    let fields = [kind, room, &said.id, root, &version, &sent, &at, bot, marker, &said.text];
    Content::new(fields.join("\u{1f}").into_bytes())
}

fn message(said: &Said) -> Message {
    assert!(!said.text.contains("CRASH"), "a text that crashes the decoder");
    Message {
        id: said.id.as_str().into(),
        thread_root: said.root.as_deref().map(Into::into),
        broadcast: false,
        author: Author {
            user: Some("u1".into()),
            kind: if said.bot { AuthorKind::Bot } else { AuthorKind::Person },
            name: Some("Ana".to_owned()),
            avatar_url: None,
        },
        body: Document::plain(&said.text),
        files: Vec::new(),
        sent_at_ms: said.sent_ms,
        version: Some(Version(said.version)),
        origin: Origin { ours: said.shown_marker().is_some(), marker: said.shown_marker().map(Marker::new) },
    }
}

/// The text of a post, with a sign in front of replies.
fn text_of(post: &Post) -> String {
    let text = dragoman_markup::plain(&post.body);
    let text = text.trim().to_owned();
    if post.thread_root.is_some() { format!(">{text}") } else { text }
}

#[async_trait]
impl Connector for Fake {
    fn platform(&self) -> Platform {
        Platform("fake")
    }

    fn display_name(&self) -> &'static str {
        "Fake"
    }

    fn capabilities(&self, _installation: &Installation, conversation: &Conversation) -> Capabilities {
        let can = |what: &str| {
            self.room(conversation.remote.as_str(), |room| !room.cannot.iter().any(|cannot| cannot == what))
        };
        Capabilities {
            levels: [Feature::ThreadReply, Feature::Edit, Feature::OwnToken]
                .into_iter()
                .map(|feature| (feature, Level::Native))
                .collect(),
            own_levels: BTreeMap::new(),
            text: TextLimit { max: 100, unit: TextUnit::Chars },
            reread: can("reread"),
            read_back: can("read-back"),
            history: can("history"),
            reorder_window_ms: 0,
            max_edits: (!can("edit-often")).then_some(2),
            unannounced_edits_ms: (!can("announce")).then_some(300_000),
            max_file_bytes: None,
            file_needs_length: false,
            send_interval_ms: 0,
        }
    }

    async fn receive(&self, _app: &App, _request: &Inbound) -> Result<Delivery, Rejection> {
        Err(Rejection::NoEndpoint)
    }

    fn listens(&self, _app: &App) -> bool {
        false
    }

    async fn listen(&self, _app: &App, _sink: &dyn Sink, _stop: CancellationToken) -> Result<(), Failure> {
        Ok(())
    }

    async fn open(&self, _session: &Session, _feed: &str, payload: &Content) -> Result<Event, Failure> {
        let text = String::from_utf8_lossy(payload.expose()).into_owned();
        let fields: Vec<&str> = text.split('\u{1f}').collect();
        let [kind, room, id, root, version, sent, at, bot, marker, text] = fields[..] else {
            return Err(Failure::Malformed(codes::MALFORMED));
        };
        self.readable(room, "open")?;
        let filled = |field: &str| (!field.is_empty()).then(|| field.to_owned());
        let said = Said {
            id: id.to_owned(),
            root: filled(root),
            text: text.to_owned(),
            version: version.parse().unwrap_or_default(),
            sent_ms: sent.parse().unwrap_or_default(),
            at_ms: at.parse().unwrap_or_default(),
            deleted: false,
            bot: !bot.is_empty(),
            marker: filled(marker),
            own: false,
        };
        let happening = match kind {
            "created" => Happening::Posted(Box::new(message(&said))),
            "changed" => Happening::Changed { after: Box::new(message(&said)), before: None },
            _ => Happening::Deleted { message: id.into(), thread_root: None },
        };
        Ok(Event { conversation: Some(room.into()), at_ms: said.at_ms, happening })
    }

    async fn message(
        &self,
        _session: &Session,
        conversation: &Conversation,
        _thread_root: Option<&RemoteMessage>,
        id: &RemoteMessage,
    ) -> Result<Option<Message>, Failure> {
        let room = conversation.remote.as_str();
        self.readable(room, "message")?;
        let found = self.room(room, |room| room.find(id.as_str()).cloned());
        Ok(found.filter(|said| !said.deleted).map(|said| message(&said)))
    }

    async fn history(
        &self,
        _session: &Session,
        conversation: &Conversation,
        query: &HistoryQuery,
    ) -> Result<HistoryPage, Failure> {
        let room = conversation.remote.as_str();
        self.readable(room, "history")?;
        let said = self.room(room, |room| room.said.clone());
        let listed = said.iter().filter(|said| !said.deleted && said.sent_ms >= query.since_ms);
        Ok(HistoryPage { messages: listed.map(message).collect(), next: None })
    }

    async fn profile(
        &self,
        _session: &Session,
        _conversation: &Conversation,
        _user: &RemoteUser,
    ) -> Result<Option<Profile>, Failure> {
        Err(Failure::Refused(codes::SCOPE))
    }

    async fn profile_by_email(
        &self,
        _session: &Session,
        _conversation: &Conversation,
        _email: &str,
    ) -> Result<Option<Profile>, Failure> {
        Ok(None)
    }

    /// A part per `/`.
    fn split(&self, post: &Post) -> Vec<Document> {
        let text = dragoman_markup::plain(&post.body);
        text.trim().split('/').map(Document::plain).collect()
    }

    async fn perform(
        &self,
        _session: &Session,
        conversation: &Conversation,
        operation: &Operation,
    ) -> Outcome {
        let room = conversation.remote.as_str();
        let call = match operation {
            Operation::Post(post) => format!("post {}", text_of(post)),
            Operation::Edit { post, .. } => format!("edit {}", text_of(post)),
            Operation::Delete { .. } => "delete".to_owned(),
            _ => "react".to_owned(),
        };
        let own = matches!(
            operation,
            Operation::Post(Post { spokesman: Spokesman::Person(_), .. })
                | Operation::Edit { post: Post { spokesman: Spokesman::Person(_), .. }, .. }
                | Operation::Delete { spokesman: Spokesman::Person(_), .. }
        );
        let call = if own { format!("own {call}") } else { call };
        self.room(room, |room| room.calls.push(call));
        let trick = self.trick(room, "perform");
        match trick.as_deref() {
            Some("retry") => return Outcome::retry(codes::TARGET_FAILED),
            Some("slow-down") => return Outcome::retry_after(7_000, codes::RATE_LIMITED),
            Some("refuse") => return Outcome::Refused(codes::REFUSED),
            Some("keep") => return Outcome::Refused(codes::NOT_EDITABLE),
            Some("sign-in") => return Outcome::SignIn(codes::SIGN_IN),
            Some("gone") => return Outcome::Gone(codes::CONVERSATION_GONE),
            Some("no-root") => return Outcome::MessageGone(codes::MESSAGE_GONE),
            Some("lost") => return Outcome::Unknown(codes::NO_ANSWER),
            Some("hang") => std::future::pending().await,
            _ => {}
        }
        let now_ms = self.clock.now_ms();
        let outcome = self.room(room, |room| match operation {
            Operation::Post(post) => {
                let id = format!("c{}", room.said.len());
                room.said.push(Said {
                    id: id.clone(),
                    root: post.thread_root.as_ref().map(ToString::to_string),
                    text: text_of(post),
                    version: now_ms,
                    sent_ms: now_ms,
                    at_ms: now_ms,
                    deleted: false,
                    bot: false,
                    marker: Some(post.marker.as_str().to_owned()),
                    own,
                });
                Outcome::made(id.into(), Some(Version(now_ms)))
            }
            Operation::Edit { message, post } => match room.find(message.as_str()) {
                Some(said) if !said.deleted => {
                    said.text = text_of(post);
                    Outcome::done()
                }
                _ => Outcome::MessageGone(codes::MESSAGE_GONE),
            },
            Operation::Delete { message, .. } => match room.find(message.as_str()) {
                Some(said) if !said.deleted => {
                    said.deleted = true;
                    Outcome::done()
                }
                _ => Outcome::MessageGone(codes::MESSAGE_GONE),
            },
            _ => Outcome::done(),
        });
        match trick.as_deref() {
            Some("unanswered") => Outcome::Unknown(codes::NO_ANSWER),
            Some("done-and-hang") => std::future::pending().await,
            Some("late") => {
                tokio::time::sleep(Duration::from_secs(4)).await;
                outcome
            }
            _ => outcome,
        }
    }

    async fn find(
        &self,
        _session: &Session,
        conversation: &Conversation,
        post: &Post,
        since_ms: i64,
    ) -> Result<Vec<Candidate>, Failure> {
        let room = conversation.remote.as_str();
        self.room(room, |room| room.calls.push("find".to_owned()));
        self.readable(room, "find")?;
        let said = self.room(room, |room| room.said.clone());
        let ours = said
            .iter()
            .filter(|said| said.sent_ms >= since_ms && said.marker.as_deref() == Some(post.marker.as_str()));
        Ok(ours
            .map(|said| Candidate {
                message: said.id.as_str().into(),
                at_ms: said.sent_ms,
                version: Some(Version(said.version)),
                same: said.text == text_of(post),
                file: None,
            })
            .collect())
    }

    async fn conversation(
        &self,
        _session: &Session,
        _remote: &RemoteConversation,
    ) -> Result<Conversation, Failure> {
        Err(Failure::Refused(codes::NOT_FOUND))
    }

    async fn conversations(
        &self,
        _session: &Session,
        _search: &str,
        _cursor: Option<&str>,
    ) -> Result<Page<Conversation>, Failure> {
        Ok(Page { items: Vec::new(), next: None })
    }

    async fn watch(
        &self,
        _session: &Session,
        _conversation: &Conversation,
        _current: Option<&Watch>,
    ) -> Result<Watch, Failure> {
        Ok(Watch {
            id: String::new(),
            renew_at_ms: None,
            expires_at_ms: None,
            facts: dragoman_platform::Facts::new(),
        })
    }

    async fn unwatch(
        &self,
        _session: &Session,
        _conversation: &Conversation,
        _current: &Watch,
    ) -> Result<(), Failure> {
        Ok(())
    }

    fn package(&self, _request: &PackageRequest) -> Package {
        Package { files: Vec::new(), steps: Vec::new(), scopes: Vec::new() }
    }

    fn registration(&self) -> &'static [Field] {
        &[]
    }

    fn authorize_url(&self, _app: &App, _redirect: &str, _state: &str, _challenge: &str) -> String {
        String::new()
    }

    async fn install(&self, _app: &App, _grant: &Grant) -> Result<Installed, InstallError> {
        Err(InstallError::Rejected("not here".to_owned()))
    }
}
