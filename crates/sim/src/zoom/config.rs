//! What a Zoom simulator is seeded with.

use std::net::SocketAddr;
use std::time::Duration;

pub use super::doubts::{BlockedSend, BodyForm, SignatureFault, SocketContent, ZoomDoubts};
use crate::core::ServerTls;

/// Everything that can be set before the start.
#[derive(Clone)]
pub struct ZoomSimConfig {
    /// Loopback address to listen on; port 0 asks for a free one.
    pub listen: SocketAddr,
    /// Loopback address of the file host, which is another one than that of the API.
    pub files_listen: SocketAddr,
    /// Serve https.
    pub tls: Option<ServerTls>,
    /// Authorities (PEM) trusted when events are delivered over https.
    pub trusted_pem: Option<String>,
    /// What token answers name as `api_url`; the simulator's own address when absent.
    pub api_url: Option<String>,
    /// The accounts (companies). Apps are installed in the first one unless told otherwise.
    pub accounts: Vec<SeedAccount>,
    /// The registered apps.
    pub apps: Vec<SeedApp>,
    /// The consent page answers at once instead of asking.
    pub auto_approve: bool,
    /// Who approves when `auto_approve` is set: a user id; the first administrator otherwise.
    pub approver: Option<String>,
    /// Waits and deadlines.
    pub timing: ZoomTiming,
    /// Rate limits.
    pub limits: ZoomLimits,
    /// Answers to what the documentation leaves open.
    pub doubts: ZoomDoubts,
}

/// A company.
#[derive(Debug, Clone, Default)]
pub struct SeedAccount {
    /// Account id, 22 characters.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its people.
    pub people: Vec<SeedPerson>,
    /// Channels it owns.
    pub channels: Vec<SeedChannel>,
    /// Custom emoji: file id and name.
    pub emoji: Vec<(String, String)>,
}

/// A person.
#[derive(Debug, Clone, Default)]
pub struct SeedPerson {
    /// User id, 22 characters, case matters.
    pub id: String,
    /// Member id: long, valid also for strangers.
    pub member_id: String,
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// E-mail address.
    pub email: String,
    /// Whether the role lets apps act on people's chat messages and channels.
    pub admin: bool,
    /// People of other accounts whose contact this person is (user ids).
    pub contacts: Vec<String>,
}

/// A channel.
#[derive(Debug, Clone, Default)]
pub struct SeedChannel {
    /// 32 hexadecimal characters.
    pub id: String,
    /// Its name.
    pub name: String,
    /// 1 private, 2 private in the company, 3 public, 4 instant, 5 public with guests.
    pub kind: u8,
    /// User ids; the first one owns it.
    pub members: Vec<String>,
    /// End-to-end encrypted.
    pub encrypted: bool,
}

/// Who grants an app its rights, and for whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppKind {
    /// General app that each person authorises for themselves.
    User,
    /// General app that an administrator authorises for the account.
    Admin,
    /// Server-to-server app of one account.
    ServerToServer,
}

/// A registered app.
#[derive(Debug, Clone)]
pub struct SeedApp {
    /// App id of the marketplace.
    pub app_id: String,
    /// Its name, also that of its bot.
    pub name: String,
    /// Kind.
    pub kind: AppKind,
    /// OAuth client id.
    pub client_id: String,
    /// OAuth client secret.
    pub client_secret: String,
    /// Secret token for signatures and validation.
    pub secret_token: String,
    /// The old verification token, sent as `authorization`.
    pub verification_token: String,
    /// Allowed redirect addresses, compared exactly. Empty accepts all.
    pub redirect_urls: Vec<String>,
    /// Scopes that the app asks for.
    pub scopes: Vec<String>,
    /// The bot (`v1…@xmpp.zoom.us`), where the app has one.
    pub robot_jid: Option<String>,
    /// Channels the bot is in from the start.
    pub bot_in: Vec<String>,
    /// Where chatbot events go.
    pub bot_endpoint: Option<String>,
    /// Where `app_deauthorized` goes.
    pub deauthorization_url: Option<String>,
    /// Event subscriptions made in the web form.
    pub subscriptions: Vec<SeedSubscription>,
    /// The account of a server-to-server app.
    pub account: Option<String>,
    /// Authorisations that exist from the start.
    pub installed: Vec<SeedInstall>,
    /// Deliveries carry the `clientid` header of older apps.
    pub legacy: bool,
}

/// How events travel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transport {
    /// To this address; nothing is sent while there is none.
    Webhook(Option<String>),
    /// Over the WebSocket connection of the subscription.
    Socket,
}

/// What is sent beside the signature, per subscription.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum CustomHeader {
    /// Nothing.
    #[default]
    None,
    /// Basic credentials: user name, password.
    Basic(String, String),
    /// A bearer token from the app's own token address: address, client id, client secret.
    Bearer(String, String, String),
    /// A header of its own: name (`x-…`), value.
    Own(String, String),
}

/// An event subscription.
#[derive(Debug, Clone)]
pub struct SeedSubscription {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Event names.
    pub events: Vec<String>,
    /// How events travel.
    pub transport: Transport,
    /// All people of the account, or only those who added the app.
    pub account_wide: bool,
    /// What is sent beside the signature.
    pub header: CustomHeader,
}

/// An authorisation that exists from the start.
#[derive(Debug, Clone, Default)]
pub struct SeedInstall {
    /// Who authorised: a user id.
    pub user: String,
    /// Access token.
    pub access_token: String,
    /// Refresh token.
    pub refresh_token: String,
}

/// Waits and deadlines.
#[derive(Debug, Clone)]
pub struct ZoomTiming {
    /// How long the app may take to acknowledge.
    pub ack_deadline: Duration,
    /// Waits before the retries of a delivery.
    pub retries: Vec<Duration>,
    /// Between two validations of an endpoint.
    pub revalidation: Duration,
    /// How long an event waits for the one before it in its conversation to be answered; zero: not at all.
    pub stagger: Duration,
    /// How long the answer of a send is held back after its event went out.
    pub post_answer_delay: Duration,
    /// How long a message that was just sent "does not exist" for other calls.
    pub settle: Duration,
    /// Life of an access token.
    pub token_life: Duration,
    /// Life of a refresh token.
    pub refresh_life: Duration,
    /// A socket without a heartbeat for this long is closed.
    pub heartbeat_limit: Duration,
}

impl Default for ZoomTiming {
    fn default() -> Self {
        Self {
            ack_deadline: Duration::from_secs(3),
            retries: vec![Duration::from_mins(5), Duration::from_mins(20), Duration::from_hours(1)],
            revalidation: Duration::from_hours(72),
            stagger: Duration::from_millis(150),
            post_answer_delay: Duration::ZERO,
            settle: Duration::ZERO,
            token_life: Duration::from_secs(3_599),
            refresh_life: Duration::from_hours(90 * 24),
            heartbeat_limit: Duration::from_secs(75),
        }
    }
}

/// What the customer pays for: decides the account-wide limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// Free.
    Free,
    /// Pro.
    Pro,
    /// Business and up.
    Business,
}

/// Rate limits.
#[derive(Debug, Clone)]
pub struct ZoomLimits {
    /// Limits are enforced.
    pub enabled: bool,
    /// The customer's plan.
    pub plan: Plan,
    /// The limits on sending to one channel are enforced.
    pub per_channel: bool,
    /// Largest file, in bytes.
    pub file_bytes: u64,
}

impl Default for ZoomLimits {
    fn default() -> Self {
        Self { enabled: true, plan: Plan::Business, per_channel: true, file_bytes: 1 << 30 }
    }
}

/// The scopes an admin-managed bridge asks for.
pub const BRIDGE_SCOPES: [&str; 30] = [
    "imchat:bot",
    "team_chat:write:user_message:admin",
    "team_chat:update:user_message:admin",
    "team_chat:delete:user_message:admin",
    "team_chat:read:user_message:admin",
    "team_chat:read:list_user_messages:admin",
    "team_chat:read:thread_message:admin",
    "team_chat:read:list_user_channels:admin",
    "team_chat:read:list_channels:admin",
    "team_chat:read:channel:admin",
    "team_chat:read:user_channel:admin",
    "team_chat:write:user_channel:admin",
    "team_chat:update:user_channel:admin",
    "team_chat:update:channel:admin",
    "team_chat:delete:user_channel:admin",
    "team_chat:delete:member:admin",
    "team_chat:read:list_members:admin",
    "team_chat:write:members:admin",
    "team_chat:update:message_emoji:admin",
    "team_chat:read:message_emoji:admin",
    "team_chat:read:list_custom_emojis:admin",
    "team_chat:write:files:admin",
    "team_chat:write:message_files:admin",
    "team_chat:read:file:admin",
    "team_chat:read:list_user_sessions:admin",
    "team_chat:update:message_status:admin",
    "team_chat:update:archive_channels:admin",
    "team_chat:read:archive_channels:admin",
    "user:read:user:admin",
    "user:read:list_users:admin",
];

/// The events a bridge subscribes to.
pub const BRIDGE_EVENTS: [&str; 21] = [
    "team_chat.channel_message_posted",
    "team_chat.channel_message_updated",
    "team_chat.channel_message_deleted",
    "team_chat.dm_message_posted",
    "team_chat.dm_message_updated",
    "team_chat.dm_message_deleted",
    "team_chat.channel_reaction_added",
    "team_chat.channel_reaction_removed",
    "team_chat.dm_reaction_added",
    "team_chat.dm_reaction_removed",
    "team_chat.file_shared",
    "team_chat.file_deleted",
    "team_chat.channel_archived",
    "team_chat.channel_unarchived",
    "chat_channel.created",
    "chat_channel.updated",
    "chat_channel.deleted",
    "chat_channel.member_invited",
    "chat_channel.member_joined",
    "chat_channel.member_left",
    "chat_channel.member_removed",
];

/// The four events of the old message family.
pub const OLD_MESSAGE_EVENTS: [&str; 4] =
    ["chat_message.sent", "chat_message.replied", "chat_message.updated", "chat_message.deleted"];

impl Default for SeedSubscription {
    fn default() -> Self {
        Self {
            id: "sFrKestrelBridge0Events".to_owned(),
            name: "bridge".to_owned(),
            events: BRIDGE_EVENTS.iter().map(|event| (*event).to_owned()).collect(),
            transport: Transport::Webhook(None),
            account_wide: true,
            header: CustomHeader::None,
        }
    }
}

impl Default for SeedApp {
    fn default() -> Self {
        Self {
            app_id: "Dr4gomanAppId0Simulated".to_owned(),
            name: "Dragoman".to_owned(),
            kind: AppKind::Admin,
            client_id: "DragomanClientIdSimulated".to_owned(),
            client_secret: "DragomanClientSecretForSimulation".to_owned(),
            secret_token: "DrgSecretTokenSimulated".to_owned(),
            verification_token: "DrgVerificationToken01".to_owned(),
            redirect_urls: Vec::new(),
            scopes: BRIDGE_SCOPES.iter().map(|scope| (*scope).to_owned()).collect(),
            robot_jid: Some("v1dragomanbot0simulated@xmpp.zoom.us".to_owned()),
            bot_in: Vec::new(),
            bot_endpoint: None,
            deauthorization_url: None,
            subscriptions: vec![SeedSubscription::default()],
            account: None,
            installed: Vec::new(),
            legacy: false,
        }
    }
}

/// Account of the default world.
pub const KESTREL: &str = "kEsTrELOutf1tters0Acct";
/// Theo Lindqvist, administrator.
pub const THEO: &str = "tHeoL1ndqv1st0Kestrel1";
/// Imani Okoye.
pub const IMANI: &str = "iMan1Okoye00Kestrel02A";
/// Rui Carvalho.
pub const RUI: &str = "rU1Carvalh0Kestrel003B";
/// The licensed user that a bridge posts as.
pub const BRIDGE: &str = "br1dgeUser0Kestrel004C";
/// The channel "General".
pub const GENERAL: &str = "6e65657261676c00aa11bb22cc33dd44";
/// The channel "Launch".
pub const LAUNCH: &str = "6c61756e636800ee55ff66aa77bb88cc";
/// The private channel "Backroom" (Theo and Imani).
pub const BACKROOM: &str = "6261636b726f6f6d00112233445566ff";
/// The account of [`ZoomSimConfig::with_outsider`].
pub const TUNDRA: &str = "tUndRaFr31ght0Account9";
/// Solveig Dahl of the other account.
pub const SOLVEIG: &str = "sOlve1gDahl0Tundra001D";
/// The channel that she shares.
pub const SHARED: &str = "73686172656400ab12cd34ef56ab78cd";

fn person(id: &str, first: &str, last: &str, domain: &str, admin: bool) -> SeedPerson {
    let member: String = id.chars().rev().cycle().filter(char::is_ascii_alphanumeric).take(62).collect();
    SeedPerson {
        id: id.to_owned(),
        member_id: format!("1v{member}"),
        first_name: first.to_owned(),
        last_name: last.to_owned(),
        email: format!("{}.{}@{domain}", first.to_lowercase(), last.to_lowercase()),
        admin,
        contacts: Vec::new(),
    }
}

fn channel(id: &str, name: &str, kind: u8, members: &[&str]) -> SeedChannel {
    SeedChannel {
        id: id.to_owned(),
        name: name.to_owned(),
        kind,
        members: members.iter().map(|member| (*member).to_owned()).collect(),
        encrypted: false,
    }
}

impl Default for ZoomSimConfig {
    /// The account "Kestrel Outfitters" with Theo Lindqvist (administrator), Imani Okoye, Rui Carvalho and the
    /// licensed user "Dragoman Bridge", the channels General, Launch and the private Backroom, and one
    /// admin-managed app that is not authorised yet.
    fn default() -> Self {
        let domain = "kestrel-outfitters.example";
        let everyone = [THEO, IMANI, RUI, BRIDGE];
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            files_listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            tls: None,
            trusted_pem: None,
            api_url: None,
            accounts: vec![SeedAccount {
                id: KESTREL.to_owned(),
                name: "Kestrel Outfitters".to_owned(),
                people: vec![
                    person(THEO, "Theo", "Lindqvist", domain, true),
                    person(IMANI, "Imani", "Okoye", domain, false),
                    person(RUI, "Rui", "Carvalho", domain, false),
                    person(BRIDGE, "Dragoman", "Bridge", domain, false),
                ],
                channels: vec![
                    channel(GENERAL, "General", 3, &everyone),
                    channel(LAUNCH, "Launch", 3, &everyone),
                    channel(BACKROOM, "Backroom", 1, &everyone[..2]),
                ],
                emoji: vec![("bKgKestrelEmojiFile001".to_owned(), "kestrel".to_owned())],
            }],
            apps: vec![SeedApp::default()],
            auto_approve: false,
            approver: None,
            timing: ZoomTiming::default(),
            limits: ZoomLimits::default(),
            doubts: ZoomDoubts::default(),
        }
    }
}

impl ZoomSimConfig {
    /// The default world with the first app already authorised by the administrator with these tokens.
    #[must_use]
    pub fn installed(access_token: &str, refresh_token: &str) -> Self {
        let mut config = Self::default();
        config.apps[0].installed.push(SeedInstall {
            user: THEO.to_owned(),
            access_token: access_token.to_owned(),
            refresh_token: refresh_token.to_owned(),
        });
        config
    }

    /// Sends the first app's events to this address.
    #[must_use]
    pub fn events_to(mut self, url: &str) -> Self {
        for subscription in &mut self.apps[0].subscriptions {
            subscription.transport = Transport::Webhook(Some(url.to_owned()));
        }
        self
    }

    /// Sends the first app's events over its WebSocket.
    #[must_use]
    pub fn events_over_socket(mut self) -> Self {
        for subscription in &mut self.apps[0].subscriptions {
            subscription.transport = Transport::Socket;
        }
        self
    }

    /// Adds a second account, "Tundra Freight", with Solveig Dahl, in the channel "Freight desk" of the first one.
    #[must_use]
    pub fn with_outsider(mut self) -> Self {
        let shared = channel(SHARED, "Freight desk", 5, &[THEO, IMANI, BRIDGE, SOLVEIG]);
        self.accounts[0].channels.push(shared);
        let mut solveig = person(SOLVEIG, "Solveig", "Dahl", "tundra-freight.example", true);
        solveig.contacts = vec![THEO.to_owned(), BRIDGE.to_owned()];
        self.accounts.push(SeedAccount {
            id: TUNDRA.to_owned(),
            name: "Tundra Freight".to_owned(),
            people: vec![solveig],
            ..SeedAccount::default()
        });
        self
    }
}
