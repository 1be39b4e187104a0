//! The connector: everything the core knows of a platform.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use dragoman_model::operation::Candidate;
use dragoman_model::{
    Capabilities, Document, Event, FileRef, ListedReaction, Message, Operation, Outcome, Platform, Post,
    RemoteConversation, RemoteMessage, RemoteUser, Spokesman, codes,
};
use dragoman_seal::{Content, Token};
use tokio_util::sync::CancellationToken;

use crate::app::{App, Conversation, ConversationKind, Installation, Profile};
use crate::example::Example;
use crate::failure::Failure;
use crate::file::{FileBytes, Share};
use crate::inbound::{Delivery, Inbound, Item, Rejection};
use crate::install::{Grant, Granted, InstallError, Installed, Package, PackageRequest};
use crate::session::{Session, TokenSet};

/// A platform. The contract, as MUSTs, is `docs/CONNECTORS.md`; the conformance kit holds every connector to
/// it. A connector classifies failures and never retries, except for one token refresh per call.
#[async_trait]
pub trait Connector: Send + Sync {
    /// Its name.
    fn platform(&self) -> Platform;

    /// The name as people write it: `Slack`, `Teams`.
    fn display_name(&self) -> &'static str;

    /// What a conversation can carry, from data alone.
    fn capabilities(&self, installation: &Installation, conversation: &Conversation) -> Capabilities;

    /// The kinds of conversation that differ in what they carry, each with everything granted.
    fn examples(&self) -> Vec<Example> {
        vec![Example::new("", ConversationKind::Channel)]
    }

    // The door.

    /// Authenticates a request over its exact bytes and reads its envelopes, no text. Does no I/O but
    /// fetching the platform's public keys.
    async fn receive(&self, app: &App, request: &Inbound) -> Result<Delivery, Rejection>;

    /// Whether events of this app come through a connection that the gateway opens.
    fn listens(&self, app: &App) -> bool;

    /// Keeps such connections open until cancelled; every delivery goes to the sink and is acknowledged to
    /// the platform only after the sink took it. Returns when cancelled or when a person has to act.
    async fn listen(&self, app: &App, sink: &dyn Sink, stop: CancellationToken) -> Result<(), Failure>;

    // The source.

    /// Decodes a sealed payload of a feed; fetches the message where the event has no content.
    async fn open(&self, session: &Session, feed: &str, payload: &Content) -> Result<Event, Failure>;

    /// Reads a message in its current state. `None`: it is deleted.
    async fn message(
        &self,
        session: &Session,
        conversation: &Conversation,
        thread_root: Option<&RemoteMessage>,
        message: &RemoteMessage,
    ) -> Result<Option<Message>, Failure>;

    /// Reads the reactions that stand at a message, without the app's own. `None`: the message is deleted. Refused where
    /// the platform does not tell, or the app may not know.
    async fn reactions(
        &self,
        _session: &Session,
        _conversation: &Conversation,
        _thread_root: Option<&RemoteMessage>,
        _message: &RemoteMessage,
    ) -> Result<Option<Vec<ListedReaction>>, Failure> {
        Err(Failure::Refused(codes::NOT_REREADABLE))
    }

    /// Lists messages of a conversation, oldest first within a page, pages from old to new.
    async fn history(
        &self,
        session: &Session,
        conversation: &Conversation,
        query: &HistoryQuery,
    ) -> Result<HistoryPage, Failure>;

    /// Looks a person up. `None`: there is no such person.
    async fn profile(
        &self,
        session: &Session,
        conversation: &Conversation,
        user: &RemoteUser,
    ) -> Result<Option<Profile>, Failure>;

    /// Looks a person up by verified e-mail address. `None`: nobody, or it may not be asked.
    async fn profile_by_email(
        &self,
        session: &Session,
        conversation: &Conversation,
        email: &str,
    ) -> Result<Option<Profile>, Failure>;

    /// Opens a file of a message for reading, from the beginning. Bytes flow as they are read.
    async fn download(
        &self,
        _session: &Session,
        _conversation: &Conversation,
        _message: &RemoteMessage,
        _file: &FileRef,
    ) -> Result<FileBytes, Failure> {
        Err(Failure::Refused(codes::NOT_CARRIED))
    }

    /// The message of this conversation that an address means, as the platform's clients copy it. From the address alone;
    /// `None`: it means something else, or a message elsewhere.
    fn linked(
        &self,
        _session: &Session,
        _conversation: &Conversation,
        _address: &str,
    ) -> Option<RemoteMessage> {
        None
    }

    // The target.

    /// The address of a message, for people who can see it anyway, as [`Connector::linked`] reads it. `None`: messages
    /// of this conversation have none.
    async fn link(
        &self,
        _session: &Session,
        _conversation: &Conversation,
        _thread_root: Option<&RemoteMessage>,
        _message: &RemoteMessage,
    ) -> Result<Option<String>, Failure> {
        Ok(None)
    }

    /// The bodies of the messages that this post becomes, each within the limit after rendering; at least one.
    fn split(&self, post: &Post) -> Vec<Document>;

    /// Does one operation, once.
    async fn perform(&self, session: &Session, conversation: &Conversation, operation: &Operation)
    -> Outcome;

    /// Posts one file, once. Reads `bytes` no faster than the platform takes them; an error in them means that nothing
    /// was posted.
    async fn share(
        &self,
        _session: &Session,
        _conversation: &Conversation,
        _share: &Share,
        _bytes: FileBytes,
    ) -> Outcome {
        Outcome::Refused(codes::NOT_CARRIED)
    }

    /// Deletes what lies beside a copy that is deleted: what [`dragoman_model::Done::beside`] named when it was posted,
    /// in that name. What is gone already is done.
    async fn discard(
        &self,
        _session: &Session,
        _conversation: &Conversation,
        _spokesman: &Spokesman,
        _beside: &str,
    ) -> Outcome {
        Outcome::done()
    }

    /// Posts a line of our own that only one person of the conversation sees, once. Refused where the platform has no
    /// such thing, or where the person is not there.
    async fn whisper(
        &self,
        _session: &Session,
        _conversation: &Conversation,
        _user: &RemoteUser,
        _post: &Post,
    ) -> Outcome {
        Outcome::Refused(codes::NOT_CARRIED)
    }

    /// Looks for a copy of a post among the newest messages in its thread, not older than `since_ms`, oldest first.
    ///
    /// Where the platform carries markers: what has the post's. Where it does not: everything that the app posted and
    /// that begins with an author's name, whatever it says; an earlier attempt may have had another text. In a person's
    /// own name copies look like what they type: only what says the same.
    ///
    /// Copies of files are found in the same way, with [`Candidate::file`], also where a file's message says nothing.
    async fn find(
        &self,
        session: &Session,
        conversation: &Conversation,
        post: &Post,
        since_ms: i64,
    ) -> Result<Vec<Candidate>, Failure>;

    // Conversations and subscriptions.

    /// Reads a conversation.
    async fn conversation(
        &self,
        session: &Session,
        remote: &RemoteConversation,
    ) -> Result<Conversation, Failure>;

    /// Lists conversations whose name contains `search`.
    async fn conversations(
        &self,
        session: &Session,
        search: &str,
        cursor: Option<&str>,
    ) -> Result<Page<Conversation>, Failure>;

    /// Sees to it that events of a bridged conversation arrive: joins, subscribes or renews. Called when the
    /// conversation is bridged, at `renew_at_ms`, and when a subscription is in doubt.
    async fn watch(
        &self,
        session: &Session,
        conversation: &Conversation,
        current: Option<&Watch>,
    ) -> Result<Watch, Failure>;

    /// Ends a subscription.
    async fn unwatch(
        &self,
        session: &Session,
        conversation: &Conversation,
        current: &Watch,
    ) -> Result<(), Failure>;

    /// Reports to the platform that everything kept for an installation was deleted, with what
    /// [`dragoman_model::Control::Uninstalled`] brought. Called until it succeeds.
    async fn uninstalled(&self, _app: &App, _receipt: &str) -> Result<(), Failure> {
        Ok(())
    }

    // The app's own conversations with people.

    /// Whether an item of a conversation that is not bridged was said to the app itself, in its own conversation with
    /// one person. Decided without reading text; where in doubt, no: what is not for the app must not be kept.
    fn is_for_app(&self, _installation: &Installation, _item: &Item) -> bool {
        false
    }

    /// Sees to it that what people say to the app arrives although none of its conversations is bridged, where that
    /// needs a subscription. Called every few minutes.
    async fn watch_app(&self, _session: &Session) -> Result<(), Failure> {
        Ok(())
    }

    /// The app's conversation with a person. `known`: its id, where the person wrote there; else it is found or made.
    /// Where the platform makes it by a first message only, `greeting` is posted, once; its `conversation` is not read.
    /// What the person or an admin has to do first is `Refused`.
    async fn direct(
        &self,
        _session: &Session,
        _user: &RemoteUser,
        _known: Option<&RemoteConversation>,
        _greeting: &Post,
    ) -> Result<Direct, Failure> {
        Err(Failure::Refused(codes::NOT_CARRIED))
    }

    /// Answers what was given to the platform's own command, where it was typed, so that only its author sees it.
    /// `answer_at` is what [`dragoman_model::Asked`] brought. Refused where that cannot be done any more: then it is said
    /// in the person's conversation with the app.
    async fn answer(&self, _session: &Session, _answer_at: &str, _words: &Document) -> Outcome {
        Outcome::Refused(codes::NOT_CARRIED)
    }

    /// Shows a person the app's own page, where the platform has such a thing.
    async fn show_home(
        &self,
        _session: &Session,
        _user: &RemoteUser,
        _page: &Document,
    ) -> Result<(), Failure> {
        Ok(())
    }

    /// Looks for a person by verified e-mail address where no conversation with them is at hand: in the directory, and
    /// among the people of `known` conversations of the installation. `None`: nobody, or it may not be asked.
    async fn find_person(
        &self,
        session: &Session,
        known: &[Conversation],
        email: &str,
    ) -> Result<Option<Profile>, Failure> {
        let Some(any) = known.first() else { return Ok(None) };
        self.profile_by_email(session, any, email).await
    }

    // Setting up.

    /// The manifest or package, the steps and the scopes with reasons.
    fn package(&self, request: &PackageRequest) -> Package;

    /// Names of the features that an app can be given, as [`PackageRequest`] takes them; scopes follow from
    /// them. Empty: it takes none.
    fn features(&self) -> &'static [&'static str] {
        &[]
    }

    /// Whether a granted scope gives what a scope of [`Connector::package`] asks for, under another name too.
    fn covers(&self, granted: &str, asked: &str) -> bool {
        granted == asked
    }

    /// The facts and secrets that `app add` has to ask for, and those it makes itself.
    fn registration(&self) -> &'static [crate::install::Field];

    /// Where an admin's browser is sent.
    fn authorize_url(&self, app: &App, redirect_uri: &str, state: &str, code_challenge: &str) -> String;

    /// Exchanges what the browser brought back.
    async fn install(&self, app: &App, grant: &Grant) -> Result<Installed, InstallError>;

    /// Where a person's browser is sent to let the gateway speak in their name there, as [`Connector::authorize_url`]. The
    /// scopes are those that posting, editing and deleting as that person need. `None`: the platform has no such tokens.
    fn authorize_person_url(
        &self,
        _app: &App,
        _redirect_uri: &str,
        _state: &str,
        _code_challenge: &str,
    ) -> Option<String> {
        None
    }

    /// Exchanges what a person's browser brought back, and tells whose account it is. A token that cannot post, edit
    /// and delete, or that is of another workspace than the installation, is rejected.
    async fn grant_person(
        &self,
        _app: &App,
        _installation: &Installation,
        _grant: &Grant,
    ) -> Result<Granted, InstallError> {
        Err(InstallError::Rejected("this platform has no tokens of people".to_owned()))
    }

    /// Ends a person's own token at the platform, with what was granted by it and no more. Where the platform has nothing
    /// of the kind, it is forgotten here only.
    async fn revoke_person(&self, _session: &Session, _tokens: &TokenSet) -> Result<(), Failure> {
        Ok(())
    }

    /// What the connector makes itself for a new app, by the names of [`Connector::registration`]: a
    /// certificate, a secret that only the gateway has to know.
    fn generated(&self) -> BTreeMap<String, String> {
        BTreeMap::new()
    }

    /// Takes over a token that an admin has already, instead of [`Connector::install`].
    async fn adopt(&self, _app: &App, _token: Token) -> Result<Installed, InstallError> {
        Err(InstallError::Rejected("this platform has no tokens to take over".to_owned()))
    }
}

/// Where deliveries of a listening connector go.
#[async_trait]
pub trait Sink: Send + Sync {
    /// Takes a delivery. Returns after everything in it is durable; `false` means that it could not be made
    /// durable and must not be acknowledged.
    async fn take(&self, delivery: Delivery) -> bool;

    /// Events may have been lost while no connection was open.
    async fn gap(&self);
}

/// What to list.
#[derive(Clone, Default)]
pub struct HistoryQuery {
    /// From here, milliseconds since 1970.
    pub since_ms: i64,
    /// Roots of threads whose replies are wanted too, even when the root is older.
    pub threads: BTreeSet<RemoteMessage>,
    /// Where the last page ended.
    pub cursor: Option<String>,
}

/// A page of history.
pub struct HistoryPage {
    /// Oldest first.
    pub messages: Vec<Message>,
    /// The reactions that stand at them, as [`Connector::reactions`] reads them; messages without are left out. `None`:
    /// the platform does not tell, or the app may not know.
    pub reactions: Option<BTreeMap<RemoteMessage, Vec<ListedReaction>>>,
    /// Where the next page begins; `None` ends it.
    pub next: Option<String>,
}

/// A page of anything.
pub struct Page<T> {
    /// The entries.
    pub items: Vec<T>,
    /// Where the next page begins; `None` ends it.
    pub next: Option<String>,
}

/// A subscription to the events of a conversation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Watch {
    /// The platform's id; empty where the platform needs none.
    pub id: String,
    /// When to call `watch` again, milliseconds since 1970; `None` is never.
    pub renew_at_ms: Option<i64>,
    /// When it ends, milliseconds since 1970.
    pub expires_at_ms: Option<i64>,
    /// Facts learnt on the way, to be remembered with the conversation.
    pub facts: crate::app::Facts,
}

/// A direct conversation of the app with a person.
pub struct Direct {
    /// The conversation.
    pub conversation: Conversation,
    /// The message that was posted there on the way, where the platform makes such conversations by posting only.
    pub greeted: bool,
}
