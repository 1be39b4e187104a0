//! The connector.

use std::sync::Arc;

use async_trait::async_trait;
use dragoman_model::operation::Candidate;
use dragoman_model::{
    Capabilities, Clock, Document, Event, FileRef, Happening, ListedReaction, Message, Operation, Outcome,
    Platform, Post, Random, RemoteConversation, RemoteMessage, RemoteUser, codes,
};
use dragoman_platform::http::HttpClient;
use dragoman_platform::{
    App, Connector, Conversation, Delivery, Direct, Failure, Field, FileBytes, Grant, Granted, HistoryPage,
    HistoryQuery, Inbound, InstallError, Installation, Installed, Item, Package, PackageRequest, Page,
    Profile, Rejection, Session, Share, Sink, TokenSet, Watch,
};
use dragoman_seal::{Content, Token};
use tokio_util::sync::CancellationToken;

use crate::client::Client;
use crate::decode::{self, Own};
use crate::settings::SlackSettings;
use crate::{
    capabilities, catchup, commands, envelope, files, ids, install, operate, package, people, permalinks,
    reactions, rooms, socket, verify,
};

/// Slack.
pub struct SlackConnector {
    client: Client,
    settings: SlackSettings,
    random: Arc<dyn Random>,
}

impl SlackConnector {
    /// A connector that calls through `http`.
    pub fn new(
        settings: SlackSettings,
        http: HttpClient,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Self {
        let client = Client::new(&settings, http, clock);
        Self { client, settings, random }
    }
}

#[async_trait]
impl Connector for SlackConnector {
    fn platform(&self) -> Platform {
        ids::PLATFORM
    }

    fn display_name(&self) -> &'static str {
        "Slack"
    }

    fn capabilities(&self, installation: &Installation, conversation: &Conversation) -> Capabilities {
        capabilities::capabilities(installation, conversation)
    }

    async fn receive(&self, app: &App, request: &Inbound) -> Result<Delivery, Rejection> {
        let is_command = request.endpoint == commands::FEED;
        if !is_command && request.endpoint != envelope::FEED {
            return Err(Rejection::NoEndpoint);
        }
        let secret = app.secret("signing_secret").ok_or(Rejection::Unavailable(codes::CONFIG))?;
        let now_ms = self.client.clock.now_ms();
        verify::verify(secret, &request.headers, &request.body, now_ms)?;
        if is_command { commands::read(&request.body, now_ms) } else { envelope::read(&request.body) }
    }

    fn listens(&self, app: &App) -> bool {
        app.fact("transport") == "socket"
    }

    async fn listen(&self, app: &App, sink: &dyn Sink, stop: CancellationToken) -> Result<(), Failure> {
        let hosts = self.settings.socket_hosts();
        socket::Listener { client: &self.client, random: self.random.as_ref(), app, sink, hosts }
            .run(stop)
            .await
    }

    async fn open(&self, session: &Session, feed: &str, payload: &Content) -> Result<Event, Failure> {
        if feed == commands::FEED {
            return commands::event(payload.expose());
        }
        let decode::Decoded { mut event, ambiguous } = decode::event(payload.expose(), Own::of(session))?;
        if ambiguous
            && let Happening::Posted(message) | Happening::Changed { after: message, .. } =
                &mut event.happening
        {
            people::settle(&self.client, session, message).await?;
        }
        if let Happening::Posted(message) | Happening::Changed { after: message, .. } = &mut event.happening {
            // Also what was uploaded with a person's token.
            message.origin.ours |= self.client.uploads.hold_any(&message.files);
        }
        Ok(event)
    }

    async fn message(
        &self,
        session: &Session,
        conversation: &Conversation,
        thread_root: Option<&RemoteMessage>,
        message: &RemoteMessage,
    ) -> Result<Option<Message>, Failure> {
        catchup::message(&self.client, session, conversation, thread_root, message).await
    }

    async fn reactions(
        &self,
        session: &Session,
        conversation: &Conversation,
        _thread_root: Option<&RemoteMessage>,
        message: &RemoteMessage,
    ) -> Result<Option<Vec<ListedReaction>>, Failure> {
        reactions::read(&self.client, session, conversation, message).await
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
        session: &Session,
        conversation: &Conversation,
        _thread_root: Option<&RemoteMessage>,
        message: &RemoteMessage,
    ) -> Result<Option<String>, Failure> {
        permalinks::link(&self.client, session, &conversation.remote, message).await
    }

    fn split(&self, post: &Post) -> Vec<Document> {
        crate::encode::split(post)
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

    async fn whisper(
        &self,
        session: &Session,
        _conversation: &Conversation,
        user: &RemoteUser,
        post: &Post,
    ) -> Outcome {
        operate::whisper(&self.client, session, user, post).await
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
        _current: Option<&Watch>,
    ) -> Result<Watch, Failure> {
        rooms::watch(&self.client, session, conversation).await
    }

    async fn unwatch(
        &self,
        _session: &Session,
        _conversation: &Conversation,
        _current: &Watch,
    ) -> Result<(), Failure> {
        // The app stays: people invited it, and leaving is theirs to ask for.
        Ok(())
    }

    fn is_for_app(&self, installation: &Installation, item: &Item) -> bool {
        // An app is in no other direct conversation than its own. What it says there itself is for nobody.
        item.conversation.as_ref().is_some_and(|id| id.as_str().starts_with('D'))
            && !envelope::is_by(item.payload.expose(), installation.fact("bot_id"))
    }

    async fn direct(
        &self,
        session: &Session,
        user: &RemoteUser,
        known: Option<&RemoteConversation>,
        _greeting: &Post,
    ) -> Result<Direct, Failure> {
        let conversation = rooms::direct(&self.client, session, user, known).await?;
        Ok(Direct { conversation, greeted: false })
    }

    async fn answer(&self, _session: &Session, answer_at: &str, words: &Document) -> Outcome {
        commands::answer(&self.client, answer_at, words).await
    }

    async fn show_home(&self, session: &Session, user: &RemoteUser, page: &Document) -> Result<(), Failure> {
        operate::show_home(&self.client, session, user, page).await
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

    fn authorize_url(&self, app: &App, redirect_uri: &str, state: &str, code_challenge: &str) -> String {
        install::authorize_url(&self.settings, app, redirect_uri, state, code_challenge)
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
        Some(install::authorize_person_url(&self.settings, app, redirect_uri, state, code_challenge))
    }

    async fn grant_person(
        &self,
        app: &App,
        installation: &Installation,
        grant: &Grant,
    ) -> Result<Granted, InstallError> {
        install::grant_person(&self.client, app, installation, grant).await
    }

    async fn revoke_person(&self, _session: &Session, tokens: &TokenSet) -> Result<(), Failure> {
        install::revoke_person(&self.client, tokens).await
    }

    async fn adopt(&self, _app: &App, token: Token) -> Result<Installed, InstallError> {
        install::adopt(&self.client, token).await
    }
}
