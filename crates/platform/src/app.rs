//! App registrations, installations, conversations and people, as connectors see them.

use std::collections::{BTreeMap, BTreeSet};

use dragoman_model::{
    AppId, InstallationId, OrgId, Platform, RemoteConversation, RemoteUser, RemoteWorkspace,
};
use dragoman_seal::Token;

/// What a connector wants remembered about an app, an installation or a conversation: ids, addresses. No
/// personal data, no secrets.
pub type Facts = BTreeMap<String, String>;

/// The fact about a conversation that an operator allowed outsiders in it: `yes`.
pub const ALLOW_EXTERNAL: &str = "allow_external";

/// An organisation's own app on a platform.
pub struct App {
    /// Ours.
    pub id: AppId,
    /// Whose.
    pub org: OrgId,
    /// On which platform.
    pub platform: Platform,
    /// Public ids in the connector's own words: `client_id`, `app_id`, `tenant_id`.
    pub facts: Facts,
    /// Secrets in the connector's own words: `client_secret`, `signing_secret`.
    pub secrets: BTreeMap<String, Token>,
    /// Names of the features that are switched on; scopes follow from them.
    pub features: BTreeSet<String>,
}

impl App {
    /// A public id, or the empty text.
    pub fn fact(&self, key: &str) -> &str {
        self.facts.get(key).map_or("", String::as_str)
    }

    /// A secret.
    pub fn secret(&self, key: &str) -> Option<&Token> {
        self.secrets.get(key)
    }
}

/// An app installed in one workspace, tenant or account. Its tokens are with the session's keeper.
#[derive(Clone, Debug)]
pub struct Installation {
    /// Ours.
    pub id: InstallationId,
    /// Whose.
    pub org: OrgId,
    /// Which app.
    pub app: AppId,
    /// Where.
    pub workspace: RemoteWorkspace,
    /// Public ids in the connector's own words: `bot_user_id`, `bot_id`.
    pub facts: Facts,
    /// Scopes that were granted.
    pub scopes: BTreeSet<String>,
}

impl Installation {
    /// A public id, or the empty text.
    pub fn fact(&self, key: &str) -> &str {
        self.facts.get(key).map_or("", String::as_str)
    }
}

/// A conversation with what its connector wants to know about it.
#[derive(Clone)]
pub struct Conversation {
    /// The platform's id.
    pub remote: RemoteConversation,
    /// What kind.
    pub kind: ConversationKind,
    /// Its name for operators; empty in direct messages.
    pub name: String,
    /// Whether people of other organisations are in it.
    pub external: bool,
    /// Whether the app can read and write there now.
    pub joined: bool,
    /// What the connector wants remembered: `service_url`, `team_id`.
    pub facts: Facts,
}

impl Conversation {
    /// A remembered fact, or the empty text.
    pub fn fact(&self, key: &str) -> &str {
        self.facts.get(key).map_or("", String::as_str)
    }
}

/// Kinds of conversation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ConversationKind {
    /// A channel or space.
    Channel,
    /// A chat of several people.
    Group,
    /// A chat of two.
    Direct,
}

impl ConversationKind {
    /// The word that rows use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Channel => "channel",
            Self::Group => "group",
            Self::Direct => "direct",
        }
    }

    /// Reads the word that [`ConversationKind::as_str`] writes.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Channel, Self::Group, Self::Direct].into_iter().find(|kind| kind.as_str() == word)
    }
}

/// A person or bot as the platform's directory shows them. Personal data: cached encrypted, never logged.
#[derive(Clone)]
pub struct Profile {
    /// The platform's id.
    pub user: RemoteUser,
    /// The name to show.
    pub name: String,
    /// A public picture.
    pub avatar_url: Option<String>,
    /// The e-mail address, as far as the platform vouches for it.
    pub email: Option<String>,
    /// Whether it is no human.
    pub bot: bool,
    /// Whether the account is closed.
    pub deleted: bool,
    /// Whether the person belongs to another organisation.
    pub external: bool,
    /// Whether the person is a guest of the workspace.
    pub guest: bool,
}
