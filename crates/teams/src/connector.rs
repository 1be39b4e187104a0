//! The connector: which part answers what.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use dragoman_markup::split;
use dragoman_model::operation::Candidate;
use dragoman_model::{
    Capabilities, Clock, Document, Event, FileRef, ListedReaction, Message, Operation, Outcome, Platform,
    Post, Random, RemoteConversation, RemoteMessage, RemoteUser, Spokesman, TextLimit, TextUnit,
};
use dragoman_platform::http::HttpClient;
use dragoman_platform::{
    App, Connector, Conversation, Delivery, Direct, Example, Failure, Field, FileBytes, Grant, Granted,
    HistoryPage, HistoryQuery, Inbound, InstallError, Installation, Installed, Item, Package, PackageRequest,
    Page, Profile, Rejection, Session, Share, Sink, Watch,
};
use dragoman_seal::Content;
use tokio_util::sync::CancellationToken;

use crate::capabilities::{PERSON_LIMIT, TEXT_LIMIT};
use crate::client::Client;
use crate::envelope::BOT;
use crate::ids::is_personal;
use crate::keys::KeyCache;
use crate::memory::Memory;
use crate::settings::TeamsSettings;
use crate::{capabilities, encode, install, package};

/// Microsoft Teams.
pub struct TeamsConnector {
    pub(crate) client: Client,
    pub(crate) memory: Memory,
    pub(crate) bot_keys: KeyCache,
    pub(crate) login_keys: KeyCache,
}

impl TeamsConnector {
    /// A connector for all apps and tenants of a deployment. `http` has to reach the hosts of `settings`.
    pub fn new(
        settings: TeamsSettings,
        http: HttpClient,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Self {
        Self {
            client: Client::new(settings, http, clock, random),
            memory: Memory::default(),
            bot_keys: KeyCache::default(),
            login_keys: KeyCache::default(),
        }
    }
}

#[async_trait]
impl Connector for TeamsConnector {
    fn platform(&self) -> Platform {
        Platform("teams")
    }

    fn display_name(&self) -> &'static str {
        "Teams"
    }

    fn capabilities(&self, installation: &Installation, conversation: &Conversation) -> Capabilities {
        capabilities::capabilities(installation, conversation)
    }

    fn examples(&self) -> Vec<Example> {
        capabilities::examples()
    }

    async fn receive(&self, app: &App, request: &Inbound) -> Result<Delivery, Rejection> {
        self.receive_request(app, request).await
    }

    fn listens(&self, _app: &App) -> bool {
        false
    }

    async fn listen(&self, _app: &App, _sink: &dyn Sink, stop: CancellationToken) -> Result<(), Failure> {
        // Everything comes to the door.
        stop.cancelled().await;
        Ok(())
    }

    async fn open(&self, session: &Session, feed: &str, payload: &Content) -> Result<Event, Failure> {
        self.open_event(session, feed, payload).await
    }

    async fn message(
        &self,
        session: &Session,
        conversation: &Conversation,
        thread_root: Option<&RemoteMessage>,
        message: &RemoteMessage,
    ) -> Result<Option<Message>, Failure> {
        self.read_message(session, conversation, thread_root, message).await
    }

    async fn reactions(
        &self,
        session: &Session,
        conversation: &Conversation,
        thread_root: Option<&RemoteMessage>,
        message: &RemoteMessage,
    ) -> Result<Option<Vec<ListedReaction>>, Failure> {
        self.read_reactions(session, conversation, thread_root, message).await
    }

    async fn history(
        &self,
        session: &Session,
        conversation: &Conversation,
        query: &HistoryQuery,
    ) -> Result<HistoryPage, Failure> {
        self.read_history(session, conversation, query).await
    }

    async fn profile(
        &self,
        session: &Session,
        conversation: &Conversation,
        user: &RemoteUser,
    ) -> Result<Option<Profile>, Failure> {
        self.read_profile(session, conversation, user).await
    }

    async fn profile_by_email(
        &self,
        session: &Session,
        conversation: &Conversation,
        email: &str,
    ) -> Result<Option<Profile>, Failure> {
        self.read_profile_by_email(session, conversation, email).await
    }

    async fn download(
        &self,
        session: &Session,
        conversation: &Conversation,
        message: &RemoteMessage,
        file: &FileRef,
    ) -> Result<FileBytes, Failure> {
        self.download_file(session, conversation, message, file).await
    }

    fn linked(&self, session: &Session, conversation: &Conversation, address: &str) -> Option<RemoteMessage> {
        self.linked_message(session, conversation, address)
    }

    async fn link(
        &self,
        session: &Session,
        conversation: &Conversation,
        thread_root: Option<&RemoteMessage>,
        message: &RemoteMessage,
    ) -> Result<Option<String>, Failure> {
        self.message_address(session, conversation, thread_root, message).await
    }

    fn split(&self, post: &Post) -> Vec<Document> {
        let (max, unit) = match post.spokesman {
            Spokesman::App => (TEXT_LIMIT, TextUnit::Utf16),
            Spokesman::Person(_) => (PERSON_LIMIT, TextUnit::Bytes),
        };
        // Without rendering it: nearly every message is far below the limit.
        if encode::at_most(post) <= max {
            return vec![post.body.clone()];
        }
        let measure = |body: &Document| unit.measure(&encode::text_of(post, body).html);
        let parts = split(&post.body, TextLimit { max, unit }, &measure);
        if parts.is_empty() { vec![post.body.clone()] } else { parts }
    }

    async fn perform(
        &self,
        session: &Session,
        conversation: &Conversation,
        operation: &Operation,
    ) -> Outcome {
        self.perform_operation(session, conversation, operation).await
    }

    async fn share(
        &self,
        session: &Session,
        conversation: &Conversation,
        share: &Share,
        bytes: FileBytes,
    ) -> Outcome {
        self.share_file(session, conversation, share, bytes).await
    }

    async fn discard(
        &self,
        session: &Session,
        conversation: &Conversation,
        spokesman: &Spokesman,
        beside: &str,
    ) -> Outcome {
        self.discard_file(session, conversation, spokesman, beside).await
    }

    async fn find(
        &self,
        session: &Session,
        conversation: &Conversation,
        post: &Post,
        since_ms: i64,
    ) -> Result<Vec<Candidate>, Failure> {
        self.find_copies(session, conversation, post, since_ms).await
    }

    async fn conversation(
        &self,
        session: &Session,
        remote: &RemoteConversation,
    ) -> Result<Conversation, Failure> {
        self.read_conversation(session, remote).await
    }

    async fn conversations(
        &self,
        session: &Session,
        search: &str,
        cursor: Option<&str>,
    ) -> Result<Page<Conversation>, Failure> {
        self.list_conversations(session, search, cursor).await
    }

    async fn watch(
        &self,
        session: &Session,
        conversation: &Conversation,
        current: Option<&Watch>,
    ) -> Result<Watch, Failure> {
        self.watch_conversation(session, conversation, current).await
    }

    async fn unwatch(
        &self,
        session: &Session,
        _conversation: &Conversation,
        current: &Watch,
    ) -> Result<(), Failure> {
        self.unwatch_conversation(session, current).await
    }

    fn is_for_app(&self, _installation: &Installation, item: &Item) -> bool {
        item.feed == BOT && item.conversation.as_ref().is_some_and(|id| is_personal(id.as_str()))
    }

    async fn direct(
        &self,
        session: &Session,
        user: &RemoteUser,
        known: Option<&RemoteConversation>,
        _greeting: &Post,
    ) -> Result<Direct, Failure> {
        let conversation = self.personal_conversation(session, user, known).await?;
        Ok(Direct { conversation, greeted: false })
    }

    async fn find_person(
        &self,
        session: &Session,
        known: &[Conversation],
        email: &str,
    ) -> Result<Option<Profile>, Failure> {
        self.read_person_by_email(session, known, email).await
    }

    fn package(&self, request: &PackageRequest) -> Package {
        package::package(request)
    }

    fn features(&self) -> &'static [&'static str] {
        package::FEATURES
    }

    fn registration(&self) -> &'static [Field] {
        install::FIELDS
    }

    fn generated(&self) -> BTreeMap<String, String> {
        self.generate()
    }

    fn authorize_url(&self, app: &App, redirect_uri: &str, state: &str, code_challenge: &str) -> String {
        // Consent of an admin brings no code back: there is nothing for a challenge to protect.
        let _ = code_challenge;
        install::consent_url(&self.client.settings, app, redirect_uri, state)
    }

    async fn install(&self, app: &App, grant: &Grant) -> Result<Installed, InstallError> {
        self.finish_installation(app, grant).await
    }

    fn authorize_person_url(
        &self,
        app: &App,
        redirect_uri: &str,
        state: &str,
        code_challenge: &str,
    ) -> Option<String> {
        let settings = &self.client.settings;
        Some(install::authorize_person_url(settings, app, redirect_uri, state, code_challenge))
    }

    async fn grant_person(
        &self,
        app: &App,
        installation: &Installation,
        grant: &Grant,
    ) -> Result<Granted, InstallError> {
        let _ = installation;
        self.finish_grant(app, grant).await
    }
}
