//! The connector.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use dragoman_model::operation::Candidate;
use dragoman_model::{
    Capabilities, Clock, Document, Event, FileRef, Message, Operation, Outcome, Platform, Post, Random,
    RemoteConversation, RemoteMessage, RemoteUser, codes,
};
use dragoman_platform::http::HttpClient;
use dragoman_platform::{
    App, Connector, Conversation, Delivery, Direct, Failure, Field, FileBytes, Grant, Granted, HistoryPage,
    HistoryQuery, Inbound, InstallError, Installation, Installed, Item, Package, PackageRequest, Page,
    Profile, Rejection, Session, Share, Sink, Watch,
};
use dragoman_seal::{Content, Token};
use tokio_util::sync::CancellationToken;

use crate::client::Client;
use crate::settings::WebexSettings;
use crate::{
    capabilities, catchup, encode, envelope, files, ids, install, operate, package, people, permalinks,
    rooms, source, verify, watchdog,
};

/// Webex.
pub struct WebexConnector {
    client: Client,
}

impl WebexConnector {
    /// A connector that calls through `http`.
    pub fn new(
        settings: WebexSettings,
        http: HttpClient,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Self {
        Self { client: Client::new(settings, http, clock, random) }
    }
}

#[async_trait]
impl Connector for WebexConnector {
    fn platform(&self) -> Platform {
        ids::PLATFORM
    }

    fn display_name(&self) -> &'static str {
        "Webex"
    }

    fn capabilities(&self, installation: &Installation, conversation: &Conversation) -> Capabilities {
        capabilities::capabilities(installation, conversation)
    }

    async fn receive(&self, app: &App, request: &Inbound) -> Result<Delivery, Rejection> {
        if request.endpoint != envelope::FEED {
            return Err(Rejection::NoEndpoint);
        }
        let secret = app.secret("webhook_secret").ok_or(Rejection::Unavailable(codes::CONFIG))?;
        verify::verify(secret, &request.headers, &request.body)?;
        envelope::read(&request.body, self.client.clock.now_ms())
    }

    fn listens(&self, _app: &App) -> bool {
        false
    }

    async fn listen(&self, _app: &App, _sink: &dyn Sink, stop: CancellationToken) -> Result<(), Failure> {
        stop.cancelled().await;
        Ok(())
    }

    async fn open(&self, session: &Session, _feed: &str, payload: &Content) -> Result<Event, Failure> {
        source::open(&self.client, session, payload.expose()).await
    }

    async fn message(
        &self,
        session: &Session,
        conversation: &Conversation,
        _thread_root: Option<&RemoteMessage>,
        message: &RemoteMessage,
    ) -> Result<Option<Message>, Failure> {
        source::message(&self.client, session, conversation, message).await
    }

    async fn history(
        &self,
        session: &Session,
        conversation: &Conversation,
        query: &HistoryQuery,
    ) -> Result<HistoryPage, Failure> {
        catchup::history(&self.client, session, conversation, query).await
    }

    async fn profile(
        &self,
        session: &Session,
        _conversation: &Conversation,
        user: &RemoteUser,
    ) -> Result<Option<Profile>, Failure> {
        people::profile(&self.client, session, user).await
    }

    async fn profile_by_email(
        &self,
        session: &Session,
        _conversation: &Conversation,
        email: &str,
    ) -> Result<Option<Profile>, Failure> {
        people::by_email(&self.client, session, email).await
    }

    async fn download(
        &self,
        session: &Session,
        _conversation: &Conversation,
        _message: &RemoteMessage,
        file: &FileRef,
    ) -> Result<FileBytes, Failure> {
        files::download(&self.client, session, file).await
    }

    fn linked(
        &self,
        _session: &Session,
        conversation: &Conversation,
        address: &str,
    ) -> Option<RemoteMessage> {
        permalinks::linked(&conversation.remote, address)
    }

    async fn link(
        &self,
        _session: &Session,
        conversation: &Conversation,
        _thread_root: Option<&RemoteMessage>,
        message: &RemoteMessage,
    ) -> Result<Option<String>, Failure> {
        Ok(permalinks::link(&conversation.remote, message))
    }

    fn split(&self, post: &Post) -> Vec<Document> {
        encode::split(post)
    }

    async fn perform(
        &self,
        session: &Session,
        _conversation: &Conversation,
        operation: &Operation,
    ) -> Outcome {
        operate::perform(&self.client, session, operation).await
    }

    async fn share(
        &self,
        session: &Session,
        _conversation: &Conversation,
        share: &Share,
        bytes: FileBytes,
    ) -> Outcome {
        files::share(&self.client, session, share, bytes).await
    }

    async fn find(
        &self,
        session: &Session,
        conversation: &Conversation,
        post: &Post,
        since_ms: i64,
    ) -> Result<Vec<Candidate>, Failure> {
        catchup::find(&self.client, session, conversation, post, since_ms).await
    }

    async fn conversation(
        &self,
        session: &Session,
        remote: &RemoteConversation,
    ) -> Result<Conversation, Failure> {
        rooms::conversation(&self.client, session, remote).await
    }

    async fn conversations(
        &self,
        session: &Session,
        search: &str,
        cursor: Option<&str>,
    ) -> Result<Page<Conversation>, Failure> {
        rooms::conversations(&self.client, session, search, cursor).await
    }

    async fn watch(
        &self,
        session: &Session,
        conversation: &Conversation,
        current: Option<&Watch>,
    ) -> Result<Watch, Failure> {
        watchdog::watch(&self.client, session, conversation, current).await
    }

    async fn unwatch(
        &self,
        _session: &Session,
        _conversation: &Conversation,
        _current: &Watch,
    ) -> Result<(), Failure> {
        // The webhook is the installation's and serves its other conversations.
        Ok(())
    }

    fn is_for_app(&self, _installation: &Installation, item: &Item) -> bool {
        envelope::is_direct(item.payload.expose())
    }

    async fn watch_app(&self, session: &Session) -> Result<(), Failure> {
        watchdog::watch_installation(&self.client, session, None).await.map(drop)
    }

    async fn direct(
        &self,
        session: &Session,
        user: &RemoteUser,
        known: Option<&RemoteConversation>,
        greeting: &Post,
    ) -> Result<Direct, Failure> {
        let (room, greeted) = match known {
            Some(room) => (room.clone(), false),
            None => (operate::post_to_person(&self.client, session, user, greeting).await?, true),
        };
        let conversation = rooms::conversation(&self.client, session, &room).await?;
        Ok(Direct { conversation, greeted })
    }

    fn package(&self, request: &PackageRequest) -> Package {
        package::package(request)
    }

    fn features(&self) -> &'static [&'static str] {
        package::FEATURES
    }

    fn covers(&self, granted: &str, asked: &str) -> bool {
        capabilities::covers(granted, asked)
    }

    fn registration(&self) -> &'static [Field] {
        install::FIELDS
    }

    fn authorize_url(&self, app: &App, redirect_uri: &str, state: &str, code_challenge: &str) -> String {
        install::authorize_url(&self.client.settings, app, redirect_uri, state, code_challenge)
    }

    async fn install(&self, app: &App, grant: &Grant) -> Result<Installed, InstallError> {
        install::install(&self.client, app, grant).await
    }

    fn authorize_person_url(
        &self,
        app: &App,
        redirect_uri: &str,
        state: &str,
        code_challenge: &str,
    ) -> Option<String> {
        install::authorize_person_url(&self.client.settings, app, redirect_uri, state, code_challenge)
    }

    async fn grant_person(
        &self,
        app: &App,
        installation: &Installation,
        grant: &Grant,
    ) -> Result<Granted, InstallError> {
        install::grant_person(&self.client, app, installation, grant).await
    }

    fn generated(&self) -> BTreeMap<String, String> {
        install::generated(self.client.random.as_ref())
    }

    async fn adopt(&self, _app: &App, token: Token) -> Result<Installed, InstallError> {
        install::adopt(&self.client, token).await
    }
}
