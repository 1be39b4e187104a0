//! Everything the service knows.

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::config::{USER_SCOPES, WebexTiming};
use super::error::{ApiError, not_found};
use super::hooks::{Event, Webhook};
use super::ids;
use crate::core::Blob;

/// An organisation.
#[derive(Debug, Clone)]
pub struct Org {
    /// Its name.
    pub name: String,
    /// Its region.
    pub cluster: String,
}

/// What an account is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A person.
    Person,
    /// A bot.
    Bot,
}

impl Kind {
    /// As the API writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Bot => "bot",
        }
    }
}

/// A person or bot.
#[derive(Debug, Clone)]
pub struct Person {
    /// UUID.
    pub uuid: String,
    /// UUID of the organisation.
    pub org: String,
    /// Full name.
    pub display_name: String,
    /// Address.
    pub email: String,
    /// Person or bot.
    pub kind: Kind,
    /// Milliseconds since 1970.
    pub created: i64,
    /// May sign in.
    pub active: bool,
    /// Holds the role.
    pub compliance_officer: bool,
    /// Offered first when somebody authorises.
    pub service_account: bool,
}

impl Person {
    /// An active account.
    pub fn new(uuid: &str, org: &str, name: &str, email: &str, kind: Kind, now: i64) -> Self {
        Self {
            uuid: uuid.to_owned(),
            org: org.to_owned(),
            display_name: name.to_owned(),
            email: email.to_owned(),
            kind,
            created: now,
            active: true,
            compliance_officer: false,
            service_account: false,
        }
    }
}

/// Group or 1:1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoomKind {
    /// A space.
    Group,
    /// A conversation of two.
    Direct,
}

impl RoomKind {
    /// As the API writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Group => "group",
            Self::Direct => "direct",
        }
    }
}

/// Somebody's place in a space.
#[derive(Debug, Clone)]
pub struct Member {
    /// Moderates.
    pub moderator: bool,
    /// Hid the conversation.
    pub hidden: bool,
    /// Milliseconds since 1970.
    pub created: i64,
}

/// A space.
#[derive(Debug, Clone)]
pub struct Room {
    /// UUID.
    pub uuid: String,
    /// Region.
    pub cluster: String,
    /// Title; empty for 1:1.
    pub title: String,
    /// Group or 1:1.
    pub kind: RoomKind,
    /// UUID of the organisation that owns it.
    pub org: String,
    /// UUID of who made it.
    pub creator: String,
    /// Milliseconds since 1970.
    pub created: i64,
    /// Milliseconds since 1970.
    pub last_activity: i64,
    /// Moderated.
    pub locked: bool,
    /// Only moderators post.
    pub announcement_only: bool,
    /// Frozen by compliance.
    pub read_only: bool,
    /// Can be found and joined.
    pub public: bool,
    /// UUID of its team.
    pub team: Option<String>,
    /// Description of a public space.
    pub description: Option<String>,
    /// Members by UUID.
    pub members: IndexMap<String, Member>,
    /// Messages in order, by UUID.
    pub messages: IndexMap<String, Message>,
}

impl Room {
    /// An empty space.
    pub fn new(
        uuid: &str,
        cluster: &str,
        title: &str,
        kind: RoomKind,
        org: &str,
        creator: &str,
        now: i64,
    ) -> Self {
        Self {
            uuid: uuid.to_owned(),
            cluster: cluster.to_owned(),
            title: title.to_owned(),
            kind,
            org: org.to_owned(),
            creator: creator.to_owned(),
            created: now,
            last_activity: now,
            locked: false,
            announcement_only: false,
            read_only: false,
            public: false,
            team: None,
            description: None,
            members: IndexMap::new(),
            messages: IndexMap::new(),
        }
    }

    /// Its public id.
    pub fn id(&self) -> String {
        ids::public(&self.cluster, "ROOM", &self.uuid)
    }

    /// The public id of one of its messages.
    pub fn message_id(&self, uuid: &str) -> String {
        ids::public(&self.cluster, "MESSAGE", uuid)
    }

    /// Adds somebody.
    pub fn join(&mut self, person: &str, moderator: bool, now: i64) {
        let member = Member { moderator, hidden: false, created: now };
        self.members.insert(person.to_owned(), member);
    }

    /// Whether somebody is in it.
    pub fn has(&self, person: &str) -> bool {
        self.members.contains_key(person)
    }

    /// Whether somebody moderates it.
    pub fn moderated_by(&self, person: &str) -> bool {
        self.members.get(person).is_some_and(|member| member.moderator)
    }

    /// A message that was not deleted.
    pub fn message(&self, uuid: &str) -> Option<&Message> {
        self.messages.get(uuid).filter(|message| !message.deleted)
    }
}

/// What the scan for malware says about a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scan {
    /// Clean once this time has come (milliseconds since 1970).
    CleanFrom(i64),
    /// Still running until somebody says otherwise.
    Running,
    /// Infected.
    Infected,
    /// Encrypted or protected by a password.
    Unscannable,
}

/// A file of a message.
#[derive(Debug, Clone)]
pub struct Content {
    /// File name.
    pub name: String,
    /// Content type.
    pub content_type: String,
    /// The bytes.
    pub bytes: Blob,
    /// The scan.
    pub scan: Scan,
}

/// A message.
#[derive(Debug, Clone, Default)]
pub struct Message {
    /// Time based UUID.
    pub uuid: String,
    /// UUID of the thread's root.
    pub parent: Option<String>,
    /// UUID of the author.
    pub author: String,
    /// Name of the integration it came through.
    pub via: Option<String>,
    /// Plain text.
    pub text: Option<String>,
    /// As sent through the API.
    pub markdown: Option<String>,
    /// Rendered, or written by a client.
    pub html: Option<String>,
    /// Files.
    pub files: Vec<Content>,
    /// Cards.
    pub attachments: Vec<Value>,
    /// UUIDs of the people mentioned.
    pub mentioned: Vec<String>,
    /// Everybody is mentioned.
    pub mentions_all: bool,
    /// Reactions: name and UUIDs of people. Not visible through the API.
    pub reactions: IndexMap<String, Vec<String>>,
    /// Milliseconds since 1970.
    pub created: i64,
    /// Milliseconds since 1970.
    pub updated: Option<i64>,
    /// How often it was edited.
    pub edits: u32,
    /// Gone for everybody but compliance officers.
    pub deleted: bool,
    /// Gone for them too.
    pub purged: bool,
}

/// A click on a card.
#[derive(Debug, Clone)]
pub struct CardAction {
    /// UUID.
    pub uuid: String,
    /// UUID of the space.
    pub room: String,
    /// UUID of the message.
    pub message: String,
    /// UUID of the person.
    pub person: String,
    /// What was entered.
    pub inputs: Map<String, Value>,
    /// Milliseconds since 1970.
    pub created: i64,
}

/// A team.
#[derive(Debug, Clone)]
pub struct Team {
    /// UUID.
    pub uuid: String,
    /// Region.
    pub cluster: String,
    /// Name.
    pub name: String,
    /// UUID of who made it.
    pub creator: String,
    /// Milliseconds since 1970.
    pub created: i64,
    /// Members by UUID; whether they moderate.
    pub members: IndexMap<String, Member>,
}

/// An access token.
#[derive(Debug, Clone)]
pub struct Token {
    /// The token itself.
    pub text: String,
    /// UUID of who it acts as.
    pub person: String,
    /// Client id of the integration or bot.
    pub client: String,
    /// Scopes, bundles expanded.
    pub scopes: BTreeSet<String>,
    /// Milliseconds since 1970.
    pub expires: Option<i64>,
    /// No longer valid.
    pub revoked: bool,
}

impl Token {
    /// A valid token.
    pub fn new(
        text: &str,
        person: &str,
        client: &str,
        scopes: BTreeSet<String>,
        expires: Option<i64>,
    ) -> Self {
        Self {
            text: text.to_owned(),
            person: person.to_owned(),
            client: client.to_owned(),
            scopes,
            expires,
            revoked: false,
        }
    }
}

/// A refresh token.
#[derive(Debug, Clone)]
pub struct Refresh {
    /// UUID of who gave it.
    pub person: String,
    /// Client id.
    pub client: String,
    /// Scopes as asked for.
    pub scopes: BTreeSet<String>,
    /// Milliseconds since 1970.
    pub expires: i64,
    /// Milliseconds since 1970.
    pub created: i64,
    /// No longer valid.
    pub revoked: bool,
}

/// An authorisation code.
#[derive(Debug, Clone)]
pub struct Code {
    /// UUID of who authorised.
    pub person: String,
    /// Client id.
    pub client: String,
    /// Scopes as asked for.
    pub scopes: BTreeSet<String>,
    /// To be repeated at the exchange.
    pub redirect_uri: String,
    /// PKCE: challenge and whether it is a digest.
    pub challenge: Option<(String, bool)>,
    /// Milliseconds since 1970.
    pub expires: i64,
}

/// A device that waits for somebody to approve.
#[derive(Debug, Clone)]
pub struct Device {
    /// Client id.
    pub client: String,
    /// Scopes as asked for.
    pub scopes: BTreeSet<String>,
    /// What the person types.
    pub user_code: String,
    /// Milliseconds since 1970.
    pub expires: i64,
    /// UUID of who approved.
    pub person: Option<String>,
}

/// An entry of the events API.
#[derive(Debug, Clone)]
pub struct Record {
    /// UUID.
    pub uuid: String,
    /// `messages`, `memberships`, `rooms`, `attachmentActions`.
    pub resource: &'static str,
    /// `created`, `updated`, `deleted`.
    pub kind: &'static str,
    /// UUID of who did it.
    pub actor: String,
    /// UUID of the organisation.
    pub org: String,
    /// Milliseconds since 1970.
    pub created: i64,
    /// What it is about.
    pub data: Value,
}

/// Scopes with `spark:all` taken apart.
pub fn expand(scopes: impl Iterator<Item = String>) -> BTreeSet<String> {
    let mut all: BTreeSet<String> = scopes.collect();
    if all.contains("spark:all") {
        all.extend(USER_SCOPES.iter().map(|scope| (*scope).to_owned()));
    }
    all
}

/// State.
#[derive(Debug, Default)]
pub struct State {
    /// By UUID.
    pub orgs: IndexMap<String, Org>,
    /// By UUID.
    pub people: IndexMap<String, Person>,
    /// By UUID.
    pub rooms: IndexMap<String, Room>,
    /// By UUID.
    pub teams: IndexMap<String, Team>,
    /// By UUID.
    pub webhooks: IndexMap<String, Webhook>,
    /// By UUID.
    pub actions: IndexMap<String, CardAction>,
    /// By text.
    pub tokens: IndexMap<String, Token>,
    /// By text.
    pub refreshes: IndexMap<String, Refresh>,
    /// By text.
    pub codes: BTreeMap<String, Code>,
    /// By device code.
    pub devices: BTreeMap<String, Device>,
    /// Everything that happened, for compliance officers.
    pub records: Vec<Record>,
    /// UUIDs of messages and rooms whose content cannot be decrypted at the moment.
    pub undecryptable: BTreeSet<String>,
    /// Messages that a person has asked for, with [`super::WebexDoubts::first_get_missing`].
    pub asked: BTreeSet<(String, String)>,
    /// What webhooks have to tell.
    pub outbox: Vec<Event>,
    /// Spaces that look different without an event; for pages.
    pub touched: Vec<String>,
    /// In which space a message is.
    pub places: BTreeMap<String, String>,
}

impl State {
    /// The region of an organisation.
    pub fn cluster_of(&self, org: &str) -> String {
        self.orgs.get(org).map_or_else(|| ids::US.to_owned(), |org| org.cluster.clone())
    }

    /// A person.
    pub fn person(&self, uuid: &str) -> Result<&Person, ApiError> {
        self.people.get(uuid).ok_or_else(|| not_found("person"))
    }

    /// A person by address.
    pub fn by_email(&self, email: &str) -> Option<&Person> {
        self.people.values().find(|person| person.email.eq_ignore_ascii_case(email))
    }

    /// A space.
    pub fn room(&self, uuid: &str) -> Result<&Room, ApiError> {
        self.rooms.get(uuid).ok_or_else(|| not_found("room"))
    }

    /// A space, to be changed.
    pub fn room_mut(&mut self, uuid: &str) -> Result<&mut Room, ApiError> {
        self.rooms.get_mut(uuid).ok_or_else(|| not_found("room"))
    }

    /// The space of a message, deleted or not.
    pub fn room_of(&self, message: &str) -> Option<&Room> {
        self.rooms.get(self.places.get(message)?)
    }

    /// Adds a grant with given tokens.
    pub fn grant_as(
        &mut self,
        person: &str,
        client: &str,
        scopes: BTreeSet<String>,
        (access, refresh): (&str, &str),
        now: i64,
        timing: &WebexTiming,
    ) {
        let token = Token::new(
            access,
            person,
            client,
            expand(scopes.iter().cloned()),
            Some(now + millis(timing.access_life)),
        );
        self.tokens.insert(access.to_owned(), token);
        let known = Refresh {
            person: person.to_owned(),
            client: client.to_owned(),
            scopes,
            expires: now + millis(timing.refresh_life),
            created: now,
            revoked: false,
        };
        self.refreshes.insert(refresh.to_owned(), known);
    }

    /// Ends everything that a person gave to an application.
    pub fn revoke(&mut self, person: &str, client: &str) {
        for token in self.tokens.values_mut().filter(|one| one.person == person && one.client == client) {
            token.revoked = true;
        }
        for token in self.refreshes.values_mut().filter(|one| one.person == person && one.client == client) {
            token.revoked = true;
        }
    }
}

/// Milliseconds of a duration.
pub fn millis(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
