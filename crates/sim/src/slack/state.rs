//! What the simulated Slack knows: workspaces, people, channels, messages, files, tokens.

use std::collections::{BTreeMap, BTreeSet};

use indexmap::{IndexMap, IndexSet};
use serde_json::{Map, Value, json};

use super::error::{ApiError, refuse};
use super::events::Event;
use crate::core::Blob;

/// A workspace.
#[derive(Debug, Clone)]
pub struct Team {
    /// `T…`.
    pub id: String,
    /// Name.
    pub name: String,
    /// The part before `.slack.com`.
    pub domain: String,
    /// The organisation.
    pub enterprise: Option<String>,
    /// Custom emoji.
    pub emoji: IndexMap<String, String>,
    /// User groups: id to handle and members.
    pub groups: IndexMap<String, (String, Vec<String>)>,
}

/// A person or a bot's user.
#[derive(Debug, Clone)]
pub struct User {
    /// `U…`.
    pub id: String,
    /// `T…`.
    pub team: String,
    /// Legacy handle.
    pub handle: String,
    /// Full name.
    pub real_name: String,
    /// Display name, perhaps empty.
    pub display_name: String,
    /// E-mail address.
    pub email: Option<String>,
    /// Whether they administer the workspace.
    pub admin: bool,
    /// Deactivated.
    pub deleted: bool,
    /// A guest of some channels.
    pub guest: bool,
    /// The bot profile, when it is a bot's user.
    pub bot_id: Option<String>,
    /// Seconds since 1970 of the last change.
    pub updated: i64,
}

impl User {
    /// The name that clients show.
    pub fn shown(&self) -> &str {
        if self.display_name.is_empty() { &self.real_name } else { &self.display_name }
    }
}

/// A bot profile.
#[derive(Debug, Clone)]
pub struct Bot {
    /// `B…`.
    pub id: String,
    /// `A…`.
    pub app_id: String,
    /// Workspace.
    pub team: String,
    /// Its user; absent for the profile that stands behind user tokens.
    pub user_id: Option<String>,
    /// Name.
    pub name: String,
    /// Uninstalled.
    pub deleted: bool,
    /// Seconds since 1970.
    pub updated: i64,
}

/// What kind of conversation it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Public channel.
    Public,
    /// Private channel.
    Private,
    /// Group of people.
    Mpim,
    /// Two people.
    Im,
}

impl Kind {
    /// `channel_type` of events.
    pub fn channel_type(self) -> &'static str {
        match self {
            Self::Public => "channel",
            Self::Private => "group",
            Self::Mpim => "mpim",
            Self::Im => "im",
        }
    }

    /// The family in scope names.
    pub fn family(self) -> &'static str {
        match self {
            Self::Public => "channels",
            Self::Private => "groups",
            Self::Mpim => "mpim",
            Self::Im => "im",
        }
    }

    /// The event subscription for its messages.
    pub fn message_event(self) -> String {
        format!("message.{}", self.family())
    }
}

/// A conversation.
#[derive(Debug, Clone)]
pub struct Channel {
    /// `C…`, `G…` or `D…`.
    pub id: String,
    /// Host workspace.
    pub team: String,
    /// Name; empty for a direct message.
    pub name: String,
    /// Kind.
    pub kind: Kind,
    /// User ids.
    pub members: IndexSet<String>,
    /// Seconds since 1970.
    pub created: i64,
    /// Who made it.
    pub creator: String,
    /// Archived.
    pub archived: bool,
    /// Topic: text, who, when (seconds).
    pub topic: (String, String, i64),
    /// Purpose, likewise.
    pub purpose: (String, String, i64),
    /// Former names.
    pub previous_names: Vec<String>,
    /// Other workspaces it is shared with.
    pub shared_with: Vec<String>,
    /// Milliseconds since 1970.
    pub updated: i64,
    /// Messages by `ts`; changed in place, but added and removed by the methods.
    pub messages: BTreeMap<String, Message>,
    threads: BTreeMap<String, BTreeSet<String>>,
    last_micros: i64,
}

impl Channel {
    /// A new conversation.
    pub fn new(id: &str, team: &str, name: &str, kind: Kind, creator: &str, now: i64) -> Self {
        Self {
            id: id.to_owned(),
            team: team.to_owned(),
            name: name.to_owned(),
            kind,
            members: IndexSet::new(),
            created: now / 1_000_000,
            creator: creator.to_owned(),
            archived: false,
            topic: (String::new(), String::new(), 0),
            purpose: (String::new(), String::new(), 0),
            previous_names: Vec::new(),
            shared_with: Vec::new(),
            updated: now / 1_000,
            messages: BTreeMap::new(),
            threads: BTreeMap::new(),
            last_micros: 0,
        }
    }

    /// The next time stamp: unique in this conversation and growing.
    pub fn next_ts(&mut self, now: i64) -> String {
        self.last_micros = now.max(self.last_micros + 1);
        ts_of(self.last_micros)
    }

    /// Whether members of other workspaces are in it.
    pub fn is_ext_shared(&self) -> bool {
        !self.shared_with.is_empty()
    }

    /// Whether a workspace sees it.
    pub fn belongs_to(&self, team: &str) -> bool {
        self.team == team || self.shared_with.iter().any(|other| other == team)
    }

    /// Adds a message.
    pub fn insert(&mut self, message: Message) {
        if let Some(root) = &message.thread_ts {
            self.threads.entry(root.clone()).or_default().insert(message.ts.clone());
        }
        self.messages.insert(message.ts.clone(), message);
    }

    /// Removes a message.
    pub fn remove(&mut self, ts: &str) {
        let Some(message) = self.messages.remove(ts) else { return };
        if let Some(root) = message.thread_ts
            && let Some(replies) = self.threads.get_mut(&root)
        {
            replies.remove(ts);
        }
    }

    /// Replies of a thread, oldest first.
    pub fn replies<'a>(&'a self, root: &str) -> impl Iterator<Item = &'a Message> {
        self.threads.get(root).into_iter().flatten().filter_map(|ts| self.messages.get(ts))
    }
}

/// Microseconds since 1970 as a `ts`.
pub fn ts_of(micros: i64) -> String {
    format!("{:010}.{:06}", micros / 1_000_000, micros.rem_euclid(1_000_000))
}

/// Whether a text has the form of a `ts`.
pub fn is_ts(text: &str) -> bool {
    text.split_once('.').is_some_and(|(seconds, micros)| {
        !seconds.is_empty()
            && !micros.is_empty()
            && seconds.bytes().chain(micros.bytes()).all(|byte| byte.is_ascii_digit())
    })
}

/// Who wrote a message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Author {
    /// The user shown as author; none for customised and webhook posts.
    pub user: Option<String>,
    /// The user whose token made it: decides who may change it.
    pub owner: String,
    /// Bot profile.
    pub bot_id: Option<String>,
    /// App.
    pub app_id: Option<String>,
    /// Customised name.
    pub username: Option<String>,
    /// Customised picture.
    pub icons: Option<Value>,
    /// Workspace of the author.
    pub team: String,
}

/// A message.
#[derive(Debug, Clone, Default)]
pub struct Message {
    /// Its id within the conversation.
    pub ts: String,
    /// Root of its thread; equal to `ts` on a parent is derived, not kept here.
    pub thread_ts: Option<String>,
    /// Author.
    pub author: Author,
    /// Subtype.
    pub subtype: Option<String>,
    /// mrkdwn.
    pub text: String,
    /// Blocks.
    pub blocks: Vec<Value>,
    /// Attachments, unfurls included.
    pub attachments: Vec<Value>,
    /// File ids.
    pub files: Vec<String>,
    /// Whether the files were uploaded with it.
    pub upload: bool,
    /// Who edited and the edit's `ts`.
    pub edited: Option<(String, String)>,
    /// Metadata of the app.
    pub metadata: Option<Value>,
    /// Set by people's clients.
    pub client_msg_id: Option<String>,
    /// Reactions: emoji to user ids.
    pub reactions: IndexMap<String, IndexSet<String>>,
    /// Further members of the event (topic, inviter …).
    pub extra: Map<String, Value>,
    /// Seen by one person only; never in history.
    pub ephemeral_for: Option<String>,
}

/// A file.
#[derive(Debug, Clone, Default)]
pub struct File {
    /// `F…`.
    pub id: String,
    /// Owner.
    pub user: String,
    /// Workspace.
    pub team: String,
    /// The app that uploaded it.
    pub app_id: Option<String>,
    /// Name.
    pub name: String,
    /// Title.
    pub title: String,
    /// Declared size.
    pub length: u64,
    /// Content.
    pub bytes: Blob,
    /// The bytes have arrived.
    pub uploaded: bool,
    /// The upload was completed.
    pub completed: bool,
    /// Seconds since 1970.
    pub created: i64,
    /// Where it is shared: conversation and message.
    pub shares: Vec<(String, String)>,
    /// Deleted: `mode` is `tombstone`.
    pub deleted: bool,
    /// Alternative text.
    pub alt_txt: Option<String>,
    /// MIME type, once processed.
    pub mimetype: String,
}

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// `xoxb`.
    Bot,
    /// `xoxp` given to an app.
    User,
    /// A person's own client; an extension of the simulator.
    Client,
    /// `xapp`.
    App,
}

/// A token.
#[derive(Debug, Clone)]
pub struct Token {
    /// The secret.
    pub text: String,
    /// What it is for.
    pub kind: TokenKind,
    /// The app.
    pub app_id: String,
    /// The workspace; none for organisation-wide and app-level ones.
    pub team: Option<String>,
    /// The organisation of an organisation-wide installation.
    pub enterprise: Option<String>,
    /// The bot user or person.
    pub user: String,
    /// Bot profile that posts carry.
    pub bot_id: Option<String>,
    /// Scopes.
    pub scopes: BTreeSet<String>,
    /// Seconds since 1970.
    pub expires: Option<i64>,
    /// Revoked.
    pub revoked: bool,
    /// Turned into a rotating pair.
    pub exchanged: bool,
}

/// A refresh token.
#[derive(Debug, Clone)]
pub struct Refresh {
    /// The access token it belongs to is for this app, place and user.
    pub template: Token,
    /// Seconds since 1970 from which it no longer works.
    pub used_until: Option<i64>,
}

/// An authorisation code.
#[derive(Debug, Clone)]
pub struct Code {
    /// The app.
    pub app_id: String,
    /// `T…` or `E…`.
    pub place: String,
    /// Who approved.
    pub user: String,
    /// Bot scopes.
    pub scopes: BTreeSet<String>,
    /// User scopes.
    pub user_scopes: BTreeSet<String>,
    /// Redirect URL of the authorisation.
    pub redirect_uri: Option<String>,
    /// PKCE challenge.
    pub challenge: Option<String>,
    /// Seconds since 1970.
    pub expires: i64,
}

/// An installation of an app in a workspace or organisation.
#[derive(Debug, Clone)]
pub struct Install {
    /// The app.
    pub app_id: String,
    /// Workspace; none: organisation-wide.
    pub team: Option<String>,
    /// Organisation.
    pub enterprise: Option<String>,
    /// Bot user, when it has bot scopes.
    pub bot_user: Option<String>,
    /// Bot profile.
    pub bot_id: Option<String>,
    /// Bot scopes.
    pub scopes: BTreeSet<String>,
    /// Users whose token the app holds, with scopes.
    pub users: IndexMap<String, BTreeSet<String>>,
}

impl Install {
    /// Whether the installation covers a workspace.
    pub fn covers(&self, team: &Team) -> bool {
        match &self.team {
            Some(own) => *own == team.id,
            None => self.enterprise.is_some() && self.enterprise == team.enterprise,
        }
    }
}

/// All of it.
#[derive(Debug, Default)]
pub struct State {
    /// Workspaces.
    pub teams: IndexMap<String, Team>,
    /// Organisation: id and name.
    pub enterprise: Option<(String, String)>,
    /// People and bots' users.
    pub users: IndexMap<String, User>,
    /// Bot profiles.
    pub bots: IndexMap<String, Bot>,
    /// Conversations.
    pub channels: IndexMap<String, Channel>,
    /// Files.
    pub files: IndexMap<String, File>,
    /// Upload URLs: key to file.
    pub uploads: IndexMap<String, String>,
    /// Access tokens.
    pub tokens: IndexMap<String, Token>,
    /// Refresh tokens.
    pub refreshes: IndexMap<String, Refresh>,
    /// Authorisation codes.
    pub codes: IndexMap<String, Code>,
    /// Installations.
    pub installs: Vec<Install>,
    /// Events to deliver when the current operation is over.
    pub outbox: Vec<Event>,
    /// Pages of apps, by app and person.
    pub homes: BTreeMap<(String, String), Value>,
    /// Contexts of delivered events: what `apps.event.authorizations.list` answers.
    pub contexts: IndexMap<String, (String, Value)>,
    /// Posts by `client_msg_id`: conversation and `ts`.
    pub client_ids: IndexMap<String, (String, String)>,
    /// Ephemeral messages as people's clients show them until they are loaded anew: user, conversation, text.
    pub whispers: Vec<(String, String, String)>,
}

impl State {
    /// A conversation.
    pub fn channel(&self, id: &str) -> Result<&Channel, ApiError> {
        self.channels.get(id).ok_or_else(|| refuse("channel_not_found"))
    }

    /// A conversation, to change.
    pub fn channel_mut(&mut self, id: &str) -> Result<&mut Channel, ApiError> {
        self.channels.get_mut(id).ok_or_else(|| refuse("channel_not_found"))
    }

    /// A message.
    pub fn message(&self, channel: &str, ts: &str) -> Result<&Message, ApiError> {
        self.channel(channel)?.messages.get(ts).ok_or_else(|| refuse("message_not_found"))
    }

    /// A user.
    pub fn user(&self, id: &str) -> Result<&User, ApiError> {
        self.users.get(id).ok_or_else(|| refuse("user_not_found"))
    }

    /// The conversation of exactly these people, if there is one.
    pub fn direct(&self, kind: Kind, members: &BTreeSet<String>) -> Option<&Channel> {
        self.channels.values().find(|channel| {
            channel.kind == kind
                && channel.members.len() == members.len()
                && channel.members.iter().all(|member| members.contains(member))
        })
    }

    /// The installation a token belongs to.
    pub fn install_of(&self, token: &Token) -> Option<&Install> {
        self.installs.iter().find(|install| {
            install.app_id == token.app_id
                && install.team == token.team
                && install.enterprise == token.enterprise
        })
    }

    /// `{"enterprise_id":…,"team_id":…,"user_id":…,"is_bot":…,"is_enterprise_install":…}`.
    pub fn authorization(&self, install: &Install, user: &str, is_bot: bool) -> Value {
        let enterprise = install
            .enterprise
            .clone()
            .or_else(|| install.team.as_ref().and_then(|team| self.teams.get(team)?.enterprise.clone()));
        json!({
            "enterprise_id": enterprise,
            "team_id": install.team,
            "user_id": user,
            "is_bot": is_bot,
            "is_enterprise_install": install.team.is_none(),
        })
    }
}
