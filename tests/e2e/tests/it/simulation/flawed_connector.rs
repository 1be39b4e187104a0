//! A connector with a planted bug.

use std::sync::Arc;

use async_trait::async_trait;
use dragoman_model::event::Origin;
use dragoman_model::operation::Candidate;
use dragoman_model::{
    AuthorKind, Capabilities, Document, Event, FileRef, Happening, Message, Operation, Outcome, Platform,
    Post, RemoteConversation, RemoteMessage, RemoteUser,
};
use dragoman_platform::{
    App, Connector, Conversation, Delivery, Failure, Field, FileBytes, Grant, HistoryPage, HistoryQuery,
    Inbound, InstallError, Installation, Installed, Package, PackageRequest, Page, Profile, Rejection,
    Session, Share, Sink, Watch,
};
use dragoman_seal::Content;
use tokio_util::sync::CancellationToken;

/// A connector that does not tell who sent a message: everybody seems to be a person.
pub(super) struct EchoBlind(pub(super) Arc<dyn Connector>);

fn blind(message: &mut Message) {
    message.origin = Origin::default();
    message.author.kind = AuthorKind::Person;
}

#[async_trait]
impl Connector for EchoBlind {
    fn platform(&self) -> Platform {
        self.0.platform()
    }

    fn display_name(&self) -> &'static str {
        self.0.display_name()
    }

    fn capabilities(&self, installation: &Installation, conversation: &Conversation) -> Capabilities {
        self.0.capabilities(installation, conversation)
    }

    async fn receive(&self, app: &App, request: &Inbound) -> Result<Delivery, Rejection> {
        self.0.receive(app, request).await
    }

    fn listens(&self, app: &App) -> bool {
        self.0.listens(app)
    }

    async fn listen(&self, app: &App, sink: &dyn Sink, stop: CancellationToken) -> Result<(), Failure> {
        self.0.listen(app, sink, stop).await
    }

    async fn open(&self, session: &Session, feed: &str, payload: &Content) -> Result<Event, Failure> {
        let mut event = self.0.open(session, feed, payload).await?;
        match &mut event.happening {
            Happening::Posted(message) => blind(message),
            Happening::Changed { after, before } => {
                blind(after);
                if let Some(before) = before {
                    blind(before);
                }
            }
            _ => {}
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
        self.0.message(session, conversation, thread_root, message).await
    }

    async fn history(
        &self,
        session: &Session,
        conversation: &Conversation,
        query: &HistoryQuery,
    ) -> Result<HistoryPage, Failure> {
        self.0.history(session, conversation, query).await
    }

    async fn profile(
        &self,
        session: &Session,
        conversation: &Conversation,
        user: &RemoteUser,
    ) -> Result<Option<Profile>, Failure> {
        self.0.profile(session, conversation, user).await
    }

    async fn profile_by_email(
        &self,
        session: &Session,
        conversation: &Conversation,
        email: &str,
    ) -> Result<Option<Profile>, Failure> {
        self.0.profile_by_email(session, conversation, email).await
    }

    async fn download(
        &self,
        session: &Session,
        conversation: &Conversation,
        message: &RemoteMessage,
        file: &FileRef,
    ) -> Result<FileBytes, Failure> {
        self.0.download(session, conversation, message, file).await
    }

    async fn share(
        &self,
        session: &Session,
        conversation: &Conversation,
        share: &Share,
        bytes: FileBytes,
    ) -> Outcome {
        self.0.share(session, conversation, share, bytes).await
    }

    fn split(&self, post: &Post) -> Vec<Document> {
        self.0.split(post)
    }

    async fn perform(
        &self,
        session: &Session,
        conversation: &Conversation,
        operation: &Operation,
    ) -> Outcome {
        self.0.perform(session, conversation, operation).await
    }

    async fn find(
        &self,
        session: &Session,
        conversation: &Conversation,
        post: &Post,
        since_ms: i64,
    ) -> Result<Vec<Candidate>, Failure> {
        self.0.find(session, conversation, post, since_ms).await
    }

    async fn conversation(
        &self,
        session: &Session,
        remote: &RemoteConversation,
    ) -> Result<Conversation, Failure> {
        self.0.conversation(session, remote).await
    }

    async fn conversations(
        &self,
        session: &Session,
        search: &str,
        cursor: Option<&str>,
    ) -> Result<Page<Conversation>, Failure> {
        self.0.conversations(session, search, cursor).await
    }

    async fn watch(
        &self,
        session: &Session,
        conversation: &Conversation,
        current: Option<&Watch>,
    ) -> Result<Watch, Failure> {
        self.0.watch(session, conversation, current).await
    }

    async fn unwatch(
        &self,
        session: &Session,
        conversation: &Conversation,
        current: &Watch,
    ) -> Result<(), Failure> {
        self.0.unwatch(session, conversation, current).await
    }

    fn package(&self, request: &PackageRequest) -> Package {
        self.0.package(request)
    }

    fn registration(&self) -> &'static [Field] {
        self.0.registration()
    }

    fn authorize_url(&self, app: &App, redirect_uri: &str, state: &str, code_challenge: &str) -> String {
        self.0.authorize_url(app, redirect_uri, state, code_challenge)
    }

    async fn install(&self, app: &App, grant: &Grant) -> Result<Installed, InstallError> {
        self.0.install(app, grant).await
    }
}
