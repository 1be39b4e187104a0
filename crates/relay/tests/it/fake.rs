//! An invented platform with conversations that a test looks into, and calls that fail as it says.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use dragoman_model::capability::{Feature, Level, TextLimit, TextUnit};
use dragoman_model::event::{Author, AuthorKind, Notice, NoticeKind, Origin};
use dragoman_model::operation::Candidate;
use dragoman_model::{
    Capabilities, Clock, Destination, Document, Done, Emoji, Event, FileRef, Happening, ListedReaction,
    Marker, Message, Operation, Outcome, Platform, Post, RemoteConversation, RemoteMessage, RemoteUser,
    Spokesman, Version, codes,
};
use dragoman_platform::{
    App, Connector, Conversation, Delivery, Failure, Field, FileBytes, Grant, HistoryPage, HistoryQuery,
    Inbound, InstallError, Installation, Installed, Package, PackageRequest, Page, Profile, Rejection,
    Session, Share, Sink, TokenSet, Watch,
};
use dragoman_seal::Content;
use futures_util::{StreamExt as _, stream};
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
    /// Names of its files; what a file holds follows from its name.
    pub(crate) files: Vec<String>,
    /// What lies beside it and does not go with it.
    pub(crate) beside: Option<String>,
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
    /// Permissions that were ended.
    pub(crate) ended: Vec<String>,
    /// Who reacted to which message with what, where it tells.
    pub(crate) reactions: Option<BTreeMap<String, Vec<(String, String)>>>,
    /// From when on the app's own reactions stand at a message, or do no more.
    set: Vec<(i64, bool, String)>,
}

impl Room {
    /// What the app posts.
    fn take(&mut self, post: &Post, text: String, files: Vec<String>, now_ms: i64) -> Outcome {
        let id = format!("c{}", self.said.len());
        let leaves = self.cannot.iter().any(|cannot| cannot == "tidy");
        let beside = files.first().filter(|_| leaves).map(|name| format!("item of {name}"));
        self.said.push(Said {
            id: id.clone(),
            root: post.thread_root.as_ref().map(ToString::to_string),
            text,
            version: now_ms,
            sent_ms: now_ms,
            at_ms: now_ms,
            deleted: false,
            bot: false,
            marker: Some(post.marker.as_str().to_owned()),
            own: post.spokesman != Spokesman::App,
            files,
            beside: beside.clone(),
        });
        Outcome::Done(Done { message: Some(id.into()), version: Some(Version(now_ms)), beside })
    }

    pub(crate) fn find(&mut self, id: &str) -> Option<&mut Said> {
        self.said.iter_mut().find(|said| said.id == id)
    }

    /// The app's own reactions that stand there now: `ID EMOJI`.
    pub(crate) fn wears(&self, now_ms: i64) -> BTreeSet<String> {
        let mut done: Vec<_> = self.set.iter().filter(|(at_ms, ..)| *at_ms <= now_ms).collect();
        done.sort_by_key(|(at_ms, ..)| *at_ms);
        let last: BTreeMap<&String, bool> = done.into_iter().map(|(_, set, which)| (which, *set)).collect();
        last.into_iter().filter(|(_, set)| *set).map(|(which, _)| which.clone()).collect()
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
                let wanted: &[&str] = match trick.split_once('-').map_or(trick.as_str(), |(first, _)| first) {
                    "unreadable" => &["open", "message", "history", "find"],
                    "file" => &["download"],
                    "untidy" => &["discard"],
                    "profile" => &["profile"],
                    "link" => &["link"],
                    "revoke" => &["revoke"],
                    _ => &["perform", "share"],
                };
                wanted.contains(&call)
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
    let files = said.files.join("+");
    let fields = [kind, room, &said.id, root, &version, &sent, &at, bot, marker, &files, &said.text];
    Content::new(fields.join("\u{1f}").into_bytes())
}

fn message(said: &Said) -> Message {
    assert!(!said.text.contains("CRASH"), "a text that crashes the decoder");
    Message {
        id: said.id.as_str().into(),
        thread_root: said.root.as_deref().map(Into::into),
        broadcast: false,
        author: Author {
            user: Some(said.text.rsplit_once("says-").map_or("u1", |(_, who)| who).into()),
            kind: if said.bot { AuthorKind::Bot } else { AuthorKind::Person },
            name: Some("Ana".to_owned()),
            avatar_url: None,
        },
        body: Document::plain(&said.text),
        files: said.files.iter().map(|name| file(name)).collect(),
        sent_at_ms: said.sent_ms,
        edited_at_ms: (said.at_ms > said.sent_ms).then_some(said.at_ms),
        version: Some(Version(said.version)),
        origin: Origin { ours: said.shown_marker().is_some(), marker: said.shown_marker().map(Marker::new) },
    }
}

/// A file of this name: `NAME-SIZE`, or `NAME` alone, of which nobody knows the size before it was read.
fn file(name: &str) -> FileRef {
    let size = name.rsplit_once('-').and_then(|(_, size)| size.parse().ok());
    FileRef { id: format!("id-of-{name}"), name: name.to_owned(), media_type: None, size, permalink: None }
}

/// What it holds.
pub(crate) fn bytes_of(name: &str) -> Vec<u8> {
    // More than the spool takes, or less.
    let size = file(name).size.unwrap_or(if name.starts_with("vast") { 2_000 } else { 700 });
    name.bytes().cycle().take(usize::try_from(size).unwrap()).collect()
}

/// `joined u1 u2`, `topic new words`.
fn notice(said: &Said) -> Notice {
    let (word, rest) = said.text.split_once(' ').unwrap_or((&said.text, ""));
    let people = || rest.split(' ').map(RemoteUser::from);
    match word {
        "joined" => Notice::new(NoticeKind::Joined, people(), None),
        "left" => Notice::new(NoticeKind::Left, people(), None),
        _ => Notice::new(NoticeKind::Topic, None, Some(rest.to_owned())),
    }
}

fn emoji_of(text: &str) -> Emoji {
    match text.strip_prefix(':') {
        Some(name) => Emoji::Custom { name: name.trim_end_matches(':').to_owned(), url: None },
        None => Emoji::Unicode(text.to_owned()),
    }
}

fn reactions_of(people: &[(String, String)]) -> Vec<ListedReaction> {
    let one = |(who, emoji): &(String, String)| ListedReaction {
        emoji: emoji_of(emoji),
        by: vec![(who.as_str().into(), None)],
        complete: true,
    };
    people.iter().map(one).collect()
}

fn name_of(emoji: &Emoji) -> String {
    match emoji {
        Emoji::Unicode(characters) => characters.clone(),
        Emoji::Custom { name, .. } => format!(":{name}:"),
    }
}

/// The text of a post, with a sign in front of replies.
fn text_of(post: &Post) -> String {
    let text = dragoman_markup::plain(&post.body);
    let text = text.trim().to_owned();
    if post.thread_root.is_some() { format!(">{text}") } else { text }
}

/// What a trick makes of a call before anything is done.
async fn failed(trick: Option<&str>) -> Option<Outcome> {
    Some(match trick? {
        "retry" | "untidy" => Outcome::retry(codes::TARGET_FAILED),
        "slow-down" => Outcome::retry_after(7_000, codes::RATE_LIMITED),
        "refuse" => Outcome::Refused(codes::REFUSED),
        "keep" => Outcome::Refused(codes::NOT_EDITABLE),
        "sign-in" => Outcome::SignIn(codes::SIGN_IN),
        "gone" => Outcome::Gone(codes::CONVERSATION_GONE),
        "no-root" => Outcome::MessageGone(codes::MESSAGE_GONE),
        "lost" => Outcome::Unknown(codes::NO_ANSWER),
        "hang" => std::future::pending().await,
        _ => return None,
    })
}

/// How late the platform tells who somebody is, where it is slow.
const PROFILE_LATE: Duration = Duration::from_secs(5);
/// How much later the platform acts on a call, where it does that.
const LATER_MS: i64 = 20_000;
/// How much older than asked for may be what a platform without markers finds: clocks differ.
const CLOCKS_MS: i64 = 120_000;

/// What it makes of the answer.
async fn ended(trick: Option<&str>, outcome: Outcome) -> Outcome {
    match trick {
        Some("unanswered" | "unanswered-later") => Outcome::Unknown(codes::NO_ANSWER),
        Some("done-and-hang" | "done-later-and-hang") => std::future::pending().await,
        Some("late") => {
            tokio::time::sleep(Duration::from_secs(4)).await;
            outcome
        }
        _ => outcome,
    }
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
            levels: [
                (Feature::ThreadReply, Level::Native),
                (Feature::Edit, Level::Native),
                (Feature::OwnToken, Level::Native),
                (Feature::ReactionOwn, if can("react") { Level::Native } else { Level::Fallback }),
                (Feature::ReactionApp, if can("react") { Level::Partial } else { Level::Fallback }),
                (Feature::File, if can("files") { Level::Native } else { Level::Refused }),
            ]
            .into(),
            own_levels: BTreeMap::new(),
            text: TextLimit { max: 100, unit: TextUnit::Chars },
            reread: can("reread"),
            read_back: can("read-back"),
            history: can("history"),
            reorder_window_ms: 0,
            max_edits: (!can("edit-often")).then_some(2),
            unannounced_edits_ms: (!can("announce")).then_some(300_000),
            max_file_bytes: Some(1_000),
            file_needs_length: !can("guess-length"),
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
        let [kind, room, id, root, version, sent, at, bot, marker, files, text] = fields[..] else {
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
            files: files.split('+').filter(|name| !name.is_empty()).map(str::to_owned).collect(),
            beside: None,
        };
        // `+ana 👍` and `-ana 👍`.
        let (word, emoji) = text.split_once(' ').unwrap_or_default();
        let (by, emoji) = (word.get(1..).unwrap_or_default().into(), emoji_of(emoji));
        let happening = match kind {
            "reaction" if word.starts_with('+') => Happening::ReactionAdded { message: id.into(), by, emoji },
            "reaction" => Happening::ReactionRemoved { message: id.into(), by, emoji },
            "created" => Happening::Posted(Box::new(message(&said))),
            "changed" => Happening::Changed { after: Box::new(message(&said)), before: None },
            "conversation" => Happening::Notice(notice(&said)),
            "offer" => {
                let destination = (text == "yes").then(|| Destination("there".to_owned()));
                Happening::FileAnswered { offer: id.into(), destination }
            }
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
        let reactions = self.room(room, |room| room.reactions.clone());
        let reactions = reactions
            .map(|all| all.iter().map(|(id, people)| (id.as_str().into(), reactions_of(people))).collect());
        Ok(HistoryPage { messages: listed.map(message).collect(), reactions, next: None })
    }

    async fn reactions(
        &self,
        _session: &Session,
        conversation: &Conversation,
        _thread_root: Option<&RemoteMessage>,
        id: &RemoteMessage,
    ) -> Result<Option<Vec<ListedReaction>>, Failure> {
        let room = conversation.remote.as_str();
        self.readable(room, "message")?;
        self.room(room, |room| {
            room.calls.push("reactions".to_owned());
            let Some(reactions) = &room.reactions else {
                return Err(Failure::Refused(codes::NOT_REREADABLE));
            };
            let people = reactions.get(id.as_str()).cloned().unwrap_or_default();
            let there = room.find(id.as_str()).is_some_and(|said| !said.deleted);
            Ok(there.then(|| reactions_of(&people)))
        })
    }

    /// `fake://ROOM.ID`.
    fn linked(
        &self,
        _session: &Session,
        conversation: &Conversation,
        address: &str,
    ) -> Option<RemoteMessage> {
        let (room, id) = address.strip_prefix("fake://")?.split_once('.')?;
        (room == conversation.remote.as_str()).then(|| id.into())
    }

    async fn link(
        &self,
        _session: &Session,
        conversation: &Conversation,
        _thread_root: Option<&RemoteMessage>,
        message: &RemoteMessage,
    ) -> Result<Option<String>, Failure> {
        let room = conversation.remote.as_str();
        if self.trick(room, "link").is_some() {
            std::future::pending::<()>().await;
        }
        Ok(Some(format!("fake://{room}.{message}")))
    }

    async fn profile(
        &self,
        _session: &Session,
        conversation: &Conversation,
        user: &RemoteUser,
    ) -> Result<Option<Profile>, Failure> {
        if self.trick(conversation.remote.as_str(), "profile").is_some() {
            tokio::time::sleep(PROFILE_LATE).await;
        }
        // Whose id is a name, or begins so, is called so; the others nobody may look up.
        let id = user.as_str().strip_prefix("called-").unwrap_or(user.as_str());
        if id.chars().any(|c| c.is_ascii_digit()) {
            return Err(Failure::Refused(codes::SCOPE));
        }
        let mut name = id.to_owned();
        name[..1].make_ascii_uppercase();
        let profile = Profile {
            user: user.clone(),
            name,
            avatar_url: None,
            email: None,
            bot: false,
            deleted: false,
            external: false,
            guest: false,
        };
        Ok(Some(profile))
    }

    async fn profile_by_email(
        &self,
        _session: &Session,
        _conversation: &Conversation,
        _email: &str,
    ) -> Result<Option<Profile>, Failure> {
        Ok(None)
    }

    /// A part per `/`, but for those of addresses.
    fn split(&self, post: &Post) -> Vec<Document> {
        let text = dragoman_markup::plain(&post.body).replace("://", "\u{1}");
        text.trim().split('/').map(|part| Document::plain(&part.replace('\u{1}', "://"))).collect()
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
            Operation::React { message, emoji, .. } => format!("react {message} {}", name_of(emoji)),
            Operation::Unreact { message, emoji, .. } => format!("unreact {message} {}", name_of(emoji)),
        };
        let own = matches!(
            operation,
            Operation::Post(Post { spokesman: Spokesman::Person(_), .. })
                | Operation::Edit { post: Post { spokesman: Spokesman::Person(_), .. }, .. }
                | Operation::Delete { spokesman: Spokesman::Person(_), .. }
                | Operation::React { spokesman: Spokesman::Person(_), .. }
                | Operation::Unreact { spokesman: Spokesman::Person(_), .. }
        );
        let call = if own { format!("own {call}") } else { call };
        self.room(room, |room| room.calls.push(call));
        let trick = self.trick(room, "perform");
        if let Some(outcome) = failed(trick.as_deref()).await {
            return outcome;
        }
        let later = matches!(trick.as_deref(), Some("done-later-and-hang" | "unanswered-later"));
        let later_ms = if later { LATER_MS } else { 0 };
        let now_ms = self.clock.now_ms() + later_ms;
        let outcome = self.room(room, |room| match operation {
            Operation::Post(post) => room.take(post, text_of(post), Vec::new(), now_ms),
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
            Operation::React { message, emoji, .. } | Operation::Unreact { message, emoji, .. } => {
                let set = matches!(operation, Operation::React { .. });
                room.set.push((now_ms, set, format!("{message} {}", name_of(emoji))));
                Outcome::done()
            }
        });
        ended(trick.as_deref(), outcome).await
    }

    async fn download(
        &self,
        _session: &Session,
        conversation: &Conversation,
        _message: &RemoteMessage,
        file: &FileRef,
    ) -> Result<FileBytes, Failure> {
        let room = conversation.remote.as_str();
        self.room(room, |room| room.calls.push(format!("download {}", file.name)));
        let again = Failure::Retry { after_ms: None, code: codes::UNREACHABLE };
        let trick = self.trick(room, "download");
        let broken = match trick.as_deref() {
            Some("file-late") => return Err(again),
            Some("file-gone") => return Err(Failure::Gone(codes::MESSAGE_GONE)),
            Some("file-breaks") => Some(Err(again)),
            Some("file-hangs") => std::future::pending().await,
            _ => None,
        };
        let pause_ms = if trick.as_deref() == Some("file-trickles") { 20_000 } else { 0 };
        let bytes = bytes_of(&file.name);
        let whole = if broken.is_some() { bytes.len() / 2 } else { bytes.len() };
        let chunks: Vec<_> =
            bytes[..whole].chunks(64).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
        let chunks = stream::iter(chunks.into_iter().chain(broken)).then(move |chunk| async move {
            tokio::time::sleep(Duration::from_millis(pause_ms)).await;
            chunk
        });
        let chunks = Box::pin(chunks);
        Ok(FileBytes { size: file.size, media_type: Some("text/plain".to_owned()), chunks })
    }

    async fn share(
        &self,
        _session: &Session,
        conversation: &Conversation,
        share: &Share,
        mut bytes: FileBytes,
    ) -> Outcome {
        let room = conversation.remote.as_str();
        let reply = if share.post.thread_root.is_some() { ">" } else { "" };
        assert!(share.post.body.is_empty() && !share.post.author.name.is_empty());
        // Whoever it is for is asked first.
        let asks = self.room(room, |room| room.cannot.iter().any(|cannot| cannot == "put-files"));
        let offers = asks && share.destination.is_none();
        let call = format!("{} {reply}{}", if offers { "offer" } else { "share" }, share.name);
        self.room(room, |room| room.calls.push(call));
        let knows = self.room(room, |room| !room.cannot.iter().any(|cannot| cannot == "guess-length"));
        assert!(knows || bytes.size.is_some(), "a length is needed");
        let trick = self.trick(room, "share");
        if let Some(outcome) = failed(trick.as_deref()).await {
            return outcome;
        }
        let now_ms = self.clock.now_ms();
        if offers {
            let text = format!("{reply}[{}?]", share.name);
            let outcome =
                self.room(room, |room| room.take(&share.post, text, vec![share.name.clone()], now_ms));
            return ended(trick.as_deref(), outcome).await;
        }
        assert!(share.destination.as_ref().is_none_or(|it| it.0 == "there"), "it goes where it was let");
        let mut all = Vec::new();
        while let Some(chunk) = bytes.chunks.next().await {
            match chunk {
                Ok(chunk) => all.extend_from_slice(&chunk),
                Err(failure) => return failure.into_outcome(),
            }
        }
        assert!(bytes.size.is_none_or(|size| size == all.len() as u64), "the length is another");
        assert!(all == bytes_of(&share.name), "the bytes of {} are others", share.name);
        let text = format!("{reply}[{}]", share.name);
        let outcome = self.room(room, |room| room.take(&share.post, text, vec![share.name.clone()], now_ms));
        ended(trick.as_deref(), outcome).await
    }

    async fn discard(
        &self,
        _session: &Session,
        conversation: &Conversation,
        _spokesman: &Spokesman,
        beside: &str,
    ) -> Outcome {
        let room = conversation.remote.as_str();
        self.room(room, |room| room.calls.push(format!("discard {beside}")));
        let trick = self.trick(room, "discard");
        failed(trick.as_deref()).await.unwrap_or_else(Outcome::done)
    }

    async fn whisper(
        &self,
        _session: &Session,
        conversation: &Conversation,
        user: &RemoteUser,
        post: &Post,
    ) -> Outcome {
        let room = conversation.remote.as_str();
        self.room(room, |room| {
            if room.cannot.iter().any(|cannot| cannot == "whisper") {
                return Outcome::Refused(codes::NOT_CARRIED);
            }
            room.calls.push(format!("whisper {user} {}", text_of(post)));
            Outcome::done()
        })
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
        let now_ms = self.clock.now_ms();
        let (said, marks) =
            self.room(room, |room| (room.said.clone(), !room.cannot.iter().any(|cannot| cannot == "mark")));
        let own = post.spokesman != Spokesman::App;
        let since_ms = if marks { since_ms } else { since_ms - CLOCKS_MS };
        let may_be = |marker: &String| !marks || marker == post.marker.as_str();
        let ours = said
            .iter()
            .filter(|said| said.sent_ms <= now_ms && said.own == own)
            .filter(|said| said.sent_ms >= since_ms && said.marker.as_ref().is_some_and(may_be));
        Ok(ours
            .map(|said| Candidate {
                message: said.id.as_str().into(),
                at_ms: said.sent_ms,
                version: Some(Version(said.version)),
                same: said.text == text_of(post),
                file: said.files.first().cloned(),
                beside: said.beside.clone(),
            })
            .collect())
    }

    async fn revoke_person(&self, session: &Session, tokens: &TokenSet) -> Result<(), Failure> {
        let room = session.installation.id.as_str();
        let hangs = self.trick(room, "revoke").is_some();
        self.room(room, |room| room.ended.push(tokens.access.expose().to_owned()));
        if hangs {
            std::future::pending::<()>().await;
        }
        Ok(())
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
