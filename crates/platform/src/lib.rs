//! The seam between the core and the platforms: what a connector is, what it is given, how it answers, and
//! the HTTP client that all connectors share. It knows no platform.

pub mod app;
pub mod byline;
#[cfg(feature = "testing")]
pub mod conformance;
pub mod connector;
pub mod example;
pub mod failure;
pub mod file;
pub mod http;
pub mod inbound;
pub mod install;
pub mod session;

pub use app::{ALLOW_EXTERNAL, App, Conversation, ConversationKind, Facts, Installation, Profile};
pub use connector::{Connector, Direct, HistoryPage, HistoryQuery, Page, Sink, Watch};
pub use example::Example;
pub use failure::Failure;
pub use file::{Chunks, FileBytes, Share};
pub use inbound::{Answer, Delivery, Inbound, Item, Rejection};
pub use install::{
    Field, Grant, Granted, InstallError, Installed, Package, PackageFile, PackageRequest, Scope,
};
pub use session::{Session, TokenError, TokenKeeper, TokenSet, TokenSlot};
