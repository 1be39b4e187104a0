//! What the simulated Zoom knows: accounts, people, conversations, messages, files, grants.

use std::collections::BTreeSet;

use indexmap::{IndexMap, IndexSet};
use serde_json::Value;

use super::config::{SeedApp, SeedSubscription};
use super::error::{ApiError, no_channel, no_message, no_user};
use super::events::Outgoing;
use super::text::{At, Range};
use crate::core::Blob;

/// A company.
#[derive(Debug, Clone)]
pub struct Account {
    /// Account id.
    pub id: String,
    /// Name.
    pub name: String,
    /// Custom emoji: file id to name.
    pub emoji: IndexMap<String, String>,
    /// Messages are stored in Zoom's cloud; otherwise there are no pins and bookmarks.
    pub cloud_storage: bool,
    /// Files may be sent.
    pub files_allowed: bool,
}

/// A person.
#[derive(Debug, Clone)]
pub struct Person {
    /// User id.
    pub id: String,
    /// Member id.
    pub member_id: String,
    /// Account id.
    pub account: String,
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// Shown name.
    pub display_name: String,
    /// E-mail address.
    pub email: String,
    /// The role may act on people's chat messages and channels.
    pub admin: bool,
    /// Picture: a public address.
    pub picture: Option<String>,
    /// Contacts in other accounts.
    pub contacts: BTreeSet<String>,
    /// People whose messages are refused.
    pub blocked: BTreeSet<String>,
    /// Chat is switched off for this person.
    pub chat_disabled: bool,
    /// Deleted.
    pub deleted: bool,
    /// Milliseconds since 1970.
    pub created: i64,
}

impl Person {
    /// The local part of the person's JID.
    pub fn local(&self) -> String {
        self.id.to_lowercase()
    }

    /// The JID.
    pub fn jid(&self) -> String {
        format!("{}@xmpp.zoom.us", self.local())
    }
}

/// What a member of a channel may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Made it.
    Owner,
    /// Administers it.
    Admin,
    /// Anybody else.
    Member,
}

impl Role {
    /// As answers name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Member => "member",
        }
    }
}

/// What a channel has beside its messages.
#[derive(Debug, Clone)]
pub struct ChannelInfo {
    /// Name.
    pub name: String,
    /// 1 private, 2 private in the company, 3 public, 4 instant, 5 public with guests.
    pub kind: u8,
    /// Account that owns it.
    pub account: String,
    /// Archived.
    pub archived: bool,
    /// End-to-end encrypted.
    pub encrypted: bool,
    /// `channel_settings`.
    pub settings: Value,
    /// Bots in it: app ids.
    pub bots: IndexSet<String>,
    /// Pinned messages: id to who and when.
    pub pinned: IndexMap<String, (String, i64)>,
}

/// A conversation: a channel, or two people (or one and a bot) between themselves.
#[derive(Debug, Clone)]
pub struct Room {
    /// Channel id, or the session id of a direct conversation.
    pub id: String,
    /// What only channels have.
    pub channel: Option<ChannelInfo>,
    /// User ids and roles; in a direct conversation both (one only when it is with oneself or a bot).
    pub members: IndexMap<String, Role>,
    /// The bot of a direct conversation: app id.
    pub bot: Option<String>,
    /// Messages in order.
    pub messages: IndexMap<String, Message>,
}

impl Room {
    /// The other side of a direct conversation; oneself in a conversation with oneself.
    pub fn other<'a>(&'a self, user: &'a str) -> &'a str {
        self.members.keys().map(String::as_str).find(|member| *member != user).unwrap_or(user)
    }

    /// A message by its id, in any spelling.
    pub fn message(&self, id: &str) -> Result<&Message, ApiError> {
        self.messages.get(&plain_id(id)).filter(|message| !message.purged).ok_or_else(|| no_message(id))
    }
}

/// Upper case, without braces.
pub fn plain_id(id: &str) -> String {
    id.trim_matches(['{', '}']).to_ascii_uppercase()
}

/// Who wrote a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Author {
    /// A person.
    Person(String),
    /// An app's bot: app id.
    Bot(String),
}

/// A message.
#[derive(Debug, Clone)]
pub struct Message {
    /// Upper-case UUID.
    pub id: String,
    /// Who.
    pub author: Author,
    /// Text.
    pub text: String,
    /// Formats.
    pub ranges: Vec<Range>,
    /// Mentions.
    pub mentions: Vec<At>,
    /// File ids.
    pub files: Vec<String>,
    /// Sent with files.
    pub had_files: bool,
    /// Root of its thread.
    pub root: Option<String>,
    /// Milliseconds since 1970.
    pub at: i64,
    /// Edited.
    pub edited: bool,
    /// Deleted by somebody.
    pub deleted: bool,
    /// Removed by retention.
    pub purged: bool,
    /// Emoji (or the name of a custom one) to people, each in order.
    pub reactions: IndexMap<String, IndexSet<String>>,
    /// Cards: id and JSON text.
    pub cards: Vec<(String, String)>,
    /// Content of a bot's message.
    pub content: Option<Value>,
    /// The bot's text uses markup.
    pub markdown: bool,
    /// The only person who sees it.
    pub visible_to: Option<String>,
}

/// A file.
#[derive(Debug, Clone)]
pub struct File {
    /// File id.
    pub id: String,
    /// Name.
    pub name: String,
    /// Content.
    pub bytes: Blob,
    /// Who uploaded it.
    pub owner: String,
    /// Milliseconds since 1970.
    pub created: i64,
    /// Deleted.
    pub deleted: bool,
}

impl File {
    /// Extension in lower case, empty without one.
    pub fn extension(&self) -> String {
        self.name.rsplit_once('.').map(|(_, end)| end.to_lowercase()).unwrap_or_default()
    }

    /// SHA-256 of the content, in hex.
    pub fn digest(&self) -> String {
        let mut digest = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
        let mut at = 0;
        loop {
            let piece = self.bytes.read(at, 256 * 1024);
            if piece.is_empty() {
                return hex::encode(digest.finish());
            }
            digest.update(&piece);
            at += piece.len() as u64;
        }
    }

    /// Whether clients show it as a picture.
    pub fn is_image(&self) -> bool {
        matches!(self.extension().as_str(), "png" | "jpg" | "jpeg" | "gif")
    }
}

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// On behalf of a person who authorised.
    User,
    /// The app itself: chatbot and marketplace calls.
    Client,
    /// A server-to-server app in its account.
    Account,
}

/// An access token.
#[derive(Debug, Clone)]
pub struct Token {
    /// Its text.
    pub text: String,
    /// What for.
    pub kind: TokenKind,
    /// App.
    pub app_id: String,
    /// Account; empty for the app itself.
    pub account: String,
    /// Who authorised; empty for others.
    pub user: String,
    /// Scopes.
    pub scopes: BTreeSet<String>,
    /// Milliseconds since 1970.
    pub expires: i64,
    /// Dead.
    pub revoked: bool,
}

/// A refresh token.
#[derive(Debug, Clone)]
pub struct Refresh {
    /// App.
    pub app_id: String,
    /// Who.
    pub user: String,
    /// Milliseconds since 1970.
    pub expires: i64,
    /// From when on it is dead.
    pub dead_from: Option<i64>,
}

/// An authorisation code.
#[derive(Debug, Clone)]
pub struct Code {
    /// App.
    pub app_id: String,
    /// Who.
    pub user: String,
    /// Redirect address it was asked with.
    pub redirect_uri: String,
    /// PKCE: challenge and whether it is S256.
    pub challenge: Option<(String, bool)>,
    /// Milliseconds since 1970.
    pub expires: i64,
}

/// That somebody authorised an app.
#[derive(Debug, Clone)]
pub struct Grant {
    /// App.
    pub app_id: String,
    /// Account.
    pub account: String,
    /// Who; empty for a server-to-server app.
    pub user: String,
    /// Scopes.
    pub scopes: BTreeSet<String>,
}

/// The place of a list that goes on.
#[derive(Debug, Clone)]
pub struct PageMark {
    /// Which list: path and query without the mark.
    pub list: String,
    /// How many items were given out.
    pub offset: usize,
    /// Milliseconds since 1970.
    pub expires: i64,
}

/// A message that waits for its time.
#[derive(Debug, Clone)]
pub struct Scheduled {
    /// Draft id.
    pub id: String,
    /// Who.
    pub user: String,
    /// Body of the send.
    pub body: Value,
    /// Milliseconds since 1970.
    pub at: i64,
    /// Milliseconds since 1970.
    pub created: i64,
}

/// An event subscription and how it fares.
#[derive(Debug, Clone)]
pub struct Subscription {
    /// Its settings.
    pub seed: SeedSubscription,
    /// Made by API; those of the web form cannot be changed by API.
    pub by_api: bool,
    /// The people of a subscription that is not account-wide; empty: all who authorised.
    pub users: Vec<String>,
    /// The account it was made for; any when absent.
    pub account: Option<String>,
    /// Validations that failed in a row.
    pub failures: u32,
    /// Switched off.
    pub disabled: bool,
    /// The bearer token of its own header, and until when it lives (milliseconds since 1970).
    pub bearer: Option<(String, i64)>,
}

impl Subscription {
    /// A subscription as the web form makes it.
    pub fn of(seed: SeedSubscription) -> Self {
        Self {
            seed,
            by_api: false,
            users: Vec::new(),
            account: None,
            failures: 0,
            disabled: false,
            bearer: None,
        }
    }
}

/// A registered app.
#[derive(Debug, Clone)]
pub struct App {
    /// Its settings.
    pub seed: SeedApp,
    /// Its subscriptions.
    pub subscriptions: Vec<Subscription>,
}

/// Everything.
#[derive(Debug, Clone, Default)]
pub struct State {
    /// Apps.
    pub apps: Vec<App>,
    /// An event goes out once for each person who authorised, not once for each account.
    pub once_per_person: bool,
    /// Accounts.
    pub accounts: IndexMap<String, Account>,
    /// People of all accounts.
    pub people: IndexMap<String, Person>,
    /// Conversations.
    pub rooms: IndexMap<String, Room>,
    /// Files.
    pub files: IndexMap<String, File>,
    /// Access tokens.
    pub tokens: IndexMap<String, Token>,
    /// Refresh tokens.
    pub refreshes: IndexMap<String, Refresh>,
    /// Codes.
    pub codes: IndexMap<String, Code>,
    /// Grants.
    pub grants: Vec<Grant>,
    /// Places of lists.
    pub marks: IndexMap<String, PageMark>,
    /// Bookmarks: user, room, message.
    pub bookmarks: IndexSet<(String, String, String)>,
    /// Messages that wait.
    pub scheduled: IndexMap<String, Scheduled>,
    /// Messages that somebody marked as unread: user, message.
    pub unread: IndexSet<(String, String)>,
    /// Chat settings by person: starred channels and contacts.
    pub stars: IndexSet<(String, String)>,
    /// Reports to the data-compliance call.
    pub compliance: Vec<Value>,
    /// Events to be sent.
    pub outbox: Vec<Outgoing>,
    /// Time of the newest message, so that none has the same.
    pub last_at: i64,
}

impl State {
    /// A person by user id.
    pub fn person(&self, id: &str) -> Result<&Person, ApiError> {
        self.people.get(id).filter(|person| !person.deleted).ok_or_else(|| no_user(id))
    }

    /// A person by user id, member id, e-mail address or JID.
    pub fn find(&self, who: &str) -> Result<&Person, ApiError> {
        let local = who.split_once('@').map(|(local, _)| local).filter(|_| who.ends_with("@xmpp.zoom.us"));
        self.people
            .values()
            .find(|person| {
                !person.deleted
                    && (person.id == who
                        || person.member_id == who
                        || (!person.email.is_empty() && person.email.eq_ignore_ascii_case(who))
                        || local.is_some_and(|local| person.local() == local))
            })
            .ok_or_else(|| no_user(who))
    }

    /// A conversation.
    pub fn room(&self, id: &str) -> Result<&Room, ApiError> {
        self.rooms.get(id).ok_or_else(|| no_channel(id))
    }

    /// A conversation.
    pub fn room_mut(&mut self, id: &str) -> Result<&mut Room, ApiError> {
        self.rooms.get_mut(id).ok_or_else(|| no_channel(id))
    }

    /// A channel by id or JID, with what only channels have.
    pub fn channel(&self, id: &str) -> Result<(&Room, &ChannelInfo), ApiError> {
        let plain = id.strip_suffix("@conference.xmpp.zoom.us").unwrap_or(id);
        let room = self.rooms.get(plain).ok_or_else(|| no_channel(id))?;
        room.channel.as_ref().map(|info| (room, info)).ok_or_else(|| no_channel(id))
    }

    /// The session id of two people: lower-cased ids in order, joined by a colon.
    pub fn session(one: &str, two: &str) -> String {
        let (one, two) = (one.to_lowercase(), two.to_lowercase());
        if one <= two { format!("{one}:{two}") } else { format!("{two}:{one}") }
    }

    /// The direct conversation of two people; made when there is none.
    pub fn direct(&mut self, one: &str, two: &str) -> String {
        let id = Self::session(one, two);
        self.rooms.entry(id.clone()).or_insert_with(|| Room {
            id: id.clone(),
            channel: None,
            members: [one, two].into_iter().map(|user| (user.to_owned(), Role::Member)).collect(),
            bot: None,
            messages: IndexMap::new(),
        });
        id
    }

    /// The conversation of a person with an app's bot; made when there is none.
    pub fn direct_with_bot(&mut self, user: &str, app_id: &str, robot_jid: &str) -> String {
        let local = robot_jid.split('@').next().unwrap_or_default();
        let id = Self::session(user, local);
        self.rooms.entry(id.clone()).or_insert_with(|| Room {
            id: id.clone(),
            channel: None,
            members: IndexMap::from([(user.to_owned(), Role::Member)]),
            bot: Some(app_id.to_owned()),
            messages: IndexMap::new(),
        });
        id
    }

    /// An app.
    pub fn app(&self, app_id: &str) -> Option<&App> {
        self.apps.iter().find(|app| app.seed.app_id == app_id)
    }

    /// An app by its bot.
    pub fn app_of_robot(&self, robot_jid: &str) -> Option<&App> {
        self.apps.iter().find(|app| app.seed.robot_jid.as_deref() == Some(robot_jid))
    }

    /// Whether an app is authorised in an account.
    pub fn is_installed(&self, app_id: &str, account: &str) -> bool {
        self.grants.iter().any(|grant| grant.app_id == app_id && grant.account == account)
    }

    /// The conversation that a message is in.
    pub fn room_of(&self, message: &str) -> Option<&Room> {
        let id = plain_id(message);
        self.rooms.values().find(|room| room.messages.contains_key(&id))
    }
}
