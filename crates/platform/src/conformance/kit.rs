//! What a connector tells the checks of itself.

use async_trait::async_trait;
use bytes::Bytes;
use dragoman_model::floor::Target;
use dragoman_model::{Document, Feature, Operation, Outcome};
use http::HeaderName;

use super::{FileManner, Script, Shared, door, files, setup, shape, target};
use crate::app::{App, Conversation, Installation};
use crate::connector::Connector;
use crate::failure::Failure;
use crate::file::FileBytes;
use crate::inbound::Inbound;

/// What the checks need to know of a connector.
#[async_trait]
pub trait Kit: Sync {
    /// The connector.
    fn connector(&self) -> &dyn Connector;

    /// An app registration that requests are meant for.
    fn app(&self) -> &App;

    /// What the connector's clock shows, milliseconds since 1970.
    fn now_ms(&self) -> i64;

    /// The body of an event: a person posted `text`. Another number is another message at another time.
    fn body(&self, number: u64, text: &str) -> Bytes;

    /// A request with this body that the platform sent at this moment, proof included.
    fn signed(&self, body: Bytes, at_ms: i64) -> Inbound;

    /// The header with the proof.
    fn proof(&self) -> HeaderName;

    /// Whether the proof covers the body.
    fn covers_body(&self) -> bool;

    /// Whether requests say when they were sent, under the proof. Where they do not, only what they bring tells that
    /// they came before.
    fn dated(&self) -> bool {
        true
    }

    /// How far the time of a request may lie in the past, in milliseconds.
    fn tolerance_ms(&self) -> i64;

    /// An installation with every scope.
    fn installation(&self) -> Installation;

    /// A conversation of it.
    fn conversation(&self) -> Conversation;

    /// What is sent for a text, in the form whose length the platform limits.
    fn rendered(&self, document: &Document) -> String;

    /// The row of the floor table.
    fn floor(&self) -> Target;

    /// Features that are below their floor, on the best rung that is offered, because they are not built yet. One that
    /// is not is an error, so that the list shrinks.
    fn not_yet(&self) -> &'static [Feature];

    /// Performs an operation of [`Kit::operations`] with a connector whose platform answers like this.
    async fn perform(&self, script: Script, operation: &Operation) -> Outcome;

    /// A post, an edit and a deletion in the conversation.
    fn operations(&self) -> Vec<Operation>;

    /// Shares a file of this name in the conversation, with a connector whose platform treats files like this.
    async fn share(&self, manner: FileManner, name: &str, file: FileBytes) -> Shared;

    /// Opens a file of a message at such a platform.
    async fn download(&self, manner: FileManner) -> Result<FileBytes, Failure>;
}

/// All checks.
pub async fn all(kit: &dyn Kit) {
    door(kit).await;
    setup(kit);
    shape(kit);
    target(kit).await;
    files(kit).await;
}
