//! The connector, put together.

use std::sync::Arc;

use async_trait::async_trait;
use dragoman_model::operation::Candidate;
use dragoman_model::{
    Capabilities, Clock, Document, Event, FileRef, Happening, ListedReaction, Message, Operation, Outcome,
    Platform, Post, Random, RemoteConversation, RemoteMessage, RemoteUser, codes,
};
use dragoman_platform::http::HttpClient;
use dragoman_platform::{
    App, Connector, Conversation, ConversationKind, Delivery, Direct, Facts, Failure, Field, FileBytes,
    Grant, Granted, HistoryPage, HistoryQuery, Inbound, InstallError, Installation, Installed, Item, Package,
    PackageRequest, Page, Profile, Rejection, Session, Share, Sink, TokenSet, Watch,
};
use dragoman_seal::Content;
use tokio_util::sync::CancellationToken;

use crate::client::Client;
use crate::decode::{self, Own};
use crate::envelope::{self, Door};
use crate::settings::ZoomSettings;
use crate::{
    bot, capabilities, catchup, encode, files, ids, install, operate, package, people, permalinks, reactions,
    rooms, socket, tokens, verify,
};

/// Zoom Team Chat.
pub struct ZoomConnector {
    client: Client,
    random: Arc<dyn Random>,
}

impl ZoomConnector {
    /// A connector that calls through `http`.
    pub fn new(
        settings: ZoomSettings,
        http: HttpClient,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Self {
        Self { client: Client::new(settings, http, clock, Arc::clone(&random)), random }
    }

    fn door<'a>(&'a self, app: &'a App) -> Door<'a> {
        Door { app, memory: &self.client.memory, now_ms: self.client.clock.now_ms() }
    }

    /// Events of the old family have no formats, mentions and files: these are read. Where they cannot be, the text
    /// is what there is.
    async fn enrich(&self, session: &Session, event: &mut Event) -> Result<(), Failure> {
        let Some(remote) = event.conversation.clone() else { return Ok(()) };
        if ids::is_direct(&remote) {
            return Ok(());
        }
        let (Happening::Posted(message) | Happening::Changed { after: message, .. }) = &mut event.happening
        else {
            return Ok(());
        };
        let place = Conversation {
            remote,
            kind: ConversationKind::Channel,
            name: String::new(),
            external: false,
            joined: true,
            facts: Facts::new(),
        };
        match catchup::look(&self.client, session, &place, &message.id).await {
            Ok(Some(now)) => {
                message.body = now.body;
                message.files = now.files;
                message.thread_root = now.thread_root.or_else(|| message.thread_root.take());
                Ok(())
            }
            Err(failure @ Failure::Retry { .. }) => Err(failure),
            Ok(None) | Err(_) => Ok(()),
        }
    }
}

#[async_trait]
impl Connector for ZoomConnector {
    fn platform(&self) -> Platform {
        ids::PLATFORM
    }

    fn display_name(&self) -> &'static str {
        "Zoom"
    }

    fn capabilities(&self, installation: &Installation, conversation: &Conversation) -> Capabilities {
        capabilities::capabilities(installation, conversation)
    }

    async fn receive(&self, app: &App, request: &Inbound) -> Result<Delivery, Rejection> {
        if request.endpoint != envelope::FEED {
            return Err(Rejection::NoEndpoint);
        }
        let door = self.door(app);
        if !verify::is_signed(&request.headers)
            && let Some(token) = envelope::unsigned_validation(&request.body)
        {
            // Zoom is said to send these without a signature as well.
            let delivery = envelope::validated(app, &token)?;
            if !self.client.memory.may_validate(&app.id, door.now_ms) {
                return Err(Rejection::Unavailable(codes::BUSY));
            }
            return Ok(delivery);
        }
        let body = verify::verify(app, &request.headers, &request.body, door.now_ms)?;
        envelope::read(door, &body)
    }

    fn listens(&self, app: &App) -> bool {
        app.fact("transport") == "socket"
    }

    async fn listen(&self, app: &App, sink: &dyn Sink, stop: CancellationToken) -> Result<(), Failure> {
        let hosts = self.client.settings.socket_hosts();
        socket::Listener { client: &self.client, random: self.random.as_ref(), app, sink, hosts }
            .run(stop)
            .await
    }

    async fn open(&self, session: &Session, _feed: &str, payload: &Content) -> Result<Event, Failure> {
        let own = Own::of(session);
        let decode::Decoded { mut event, poor } = decode::event(payload.expose(), &own, &self.client.memory)?;
        self.client.memory.learn(session, event.conversation.as_ref());
        if poor {
            self.enrich(session, &mut event).await?;
        }
        Ok(event)
    }

    async fn message(
        &self,
        session: &Session,
        conversation: &Conversation,
        _thread_root: Option<&RemoteMessage>,
        message: &RemoteMessage,
    ) -> Result<Option<Message>, Failure> {
        catchup::message(&self.client, session, conversation, message).await
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
        conversation: &Conversation,
        user: &RemoteUser,
    ) -> Result<Option<Profile>, Failure> {
        people::profile(&self.client, session, conversation, user).await
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
        permalinks::link(&self.client, session, conversation, message).await
    }

    fn split(&self, post: &Post) -> Vec<Document> {
        encode::split(post)
    }

    async fn perform(
        &self,
        session: &Session,
        conversation: &Conversation,
        operation: &Operation,
    ) -> Outcome {
        operate::perform(&self.client, session, conversation, operation).await
    }

    async fn share(
        &self,
        session: &Session,
        conversation: &Conversation,
        share: &Share,
        bytes: FileBytes,
    ) -> Outcome {
        files::share(&self.client, session, conversation, share, bytes).await
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
        // Events are the account's, and the bridge user is in the channel because people added it.
        Ok(())
    }

    async fn uninstalled(&self, app: &App, receipt: &str) -> Result<(), Failure> {
        operate::uninstalled(&self.client, app, receipt).await
    }

    fn is_for_app(&self, installation: &Installation, item: &Item) -> bool {
        // Events come for direct conversations of the whole account; what is not the bridge user's is nobody's business.
        let own = installation.fact("bridge_user");
        item.conversation.as_ref().is_some_and(|pair| ids::is_of(pair, own))
            && !envelope::is_by(item.payload.expose(), own)
    }

    async fn direct(
        &self,
        session: &Session,
        user: &RemoteUser,
        _known: Option<&RemoteConversation>,
        _greeting: &Post,
    ) -> Result<Direct, Failure> {
        let conversation = rooms::direct(&self.client, session, user.as_str()).await?;
        Ok(Direct { conversation, greeted: false })
    }

    async fn answer(&self, session: &Session, answer_at: &str, words: &Document) -> Outcome {
        bot::answer(&self.client, session, answer_at, words).await
    }

    fn package(&self, request: &PackageRequest) -> Package {
        package::package(request)
    }

    fn features(&self) -> &'static [&'static str] {
        package::FEATURES
    }

    fn covers(&self, granted: &str, asked: &str) -> bool {
        package::covers(granted, asked)
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

    async fn revoke_person(&self, session: &Session, granted: &TokenSet) -> Result<(), Failure> {
        tokens::revoke_person(&self.client, &session.app, granted).await
    }
}
