//! What a Webex simulator is seeded with.

use std::net::SocketAddr;
use std::time::Duration;

use crate::core::ServerTls;

/// Everything that can be set before the start.
#[derive(Clone)]
pub struct WebexSimConfig {
    /// Loopback address to listen on; port 0 asks for a free one.
    pub listen: SocketAddr,
    /// Serve https.
    pub tls: Option<ServerTls>,
    /// Authorities (PEM) trusted when webhooks are delivered over https.
    pub trusted_pem: Option<String>,
    /// The organisations.
    pub orgs: Vec<SeedOrg>,
    /// The spaces.
    pub rooms: Vec<SeedRoom>,
    /// The registered integrations.
    pub integrations: Vec<SeedIntegration>,
    /// The registered bots.
    pub bots: Vec<SeedBot>,
    /// The authorise page answers at once instead of asking.
    pub auto_approve: bool,
    /// Who approves when `auto_approve` is set: a person's uuid; the service account otherwise.
    pub approver: Option<String>,
    /// Scheme and host of `next` links, where they shall differ from the simulator's own.
    pub link_base: Option<String>,
    /// Waits and deadlines.
    pub timing: WebexTiming,
    /// Rate limits and the like.
    pub limits: WebexLimits,
    /// Answers to what the documentation leaves open.
    pub doubts: WebexDoubts,
}

/// An organisation.
#[derive(Debug, Clone, Default)]
pub struct SeedOrg {
    /// UUID.
    pub uuid: String,
    /// Its name.
    pub name: String,
    /// Where its data lives: `us` or `urn:TEAM:<region>_<letter>`.
    pub cluster: String,
    /// Its people.
    pub people: Vec<SeedPerson>,
}

/// A person.
#[derive(Debug, Clone, Default)]
pub struct SeedPerson {
    /// UUID.
    pub uuid: String,
    /// Full name.
    pub display_name: String,
    /// E-mail address.
    pub email: String,
    /// Holds the compliance officer role.
    pub compliance_officer: bool,
    /// The account that the bridge is meant to use; offered first when somebody authorises.
    pub service_account: bool,
    /// A personal access token of the developer portal; lets SDK clients play people. All user scopes.
    pub token: Option<String>,
}

/// A space.
#[derive(Debug, Clone, Default)]
pub struct SeedRoom {
    /// UUID.
    pub uuid: String,
    /// Its title.
    pub title: String,
    /// UUID of the organisation that owns it.
    pub org: String,
    /// UUIDs of people and bots.
    pub members: Vec<String>,
    /// UUIDs of moderators; any make the space a moderated (locked) one.
    pub moderators: Vec<String>,
    /// Only moderators may post.
    pub announcement_only: bool,
}

/// A registered integration.
#[derive(Debug, Clone)]
pub struct SeedIntegration {
    /// `C` and 64 hexadecimal digits.
    pub client_id: String,
    /// Secret for token calls.
    pub client_secret: String,
    /// Its name.
    pub name: String,
    /// Registered redirect URIs; one of them has to be given byte for byte. Empty accepts all.
    pub redirect_uris: Vec<String>,
    /// Registered scopes; more is refused.
    pub scopes: Vec<String>,
    /// Grants that exist from the start.
    pub granted: Vec<SeedGrant>,
}

/// A grant that exists from the start.
#[derive(Debug, Clone, Default)]
pub struct SeedGrant {
    /// UUID of the person.
    pub person: String,
    /// The access token.
    pub access_token: String,
    /// The refresh token.
    pub refresh_token: String,
    /// Scopes; empty means all that are registered.
    pub scopes: Vec<String>,
}

/// A registered bot.
#[derive(Debug, Clone, Default)]
pub struct SeedBot {
    /// UUID of its account.
    pub uuid: String,
    /// Its name.
    pub display_name: String,
    /// `name@webex.bot`.
    pub email: String,
    /// Its token, which does not expire.
    pub token: String,
    /// `C` and 64 hexadecimal digits.
    pub client_id: String,
    /// UUID of the organisation of its owner.
    pub org: String,
}

/// Waits and deadlines.
#[derive(Debug, Clone)]
pub struct WebexTiming {
    /// How long the app may take to acknowledge a delivery.
    pub ack_deadline: Duration,
    /// How long a delivery waits for the one before it in its space to be answered; zero: not at all.
    pub stagger: Duration,
    /// How long the answer to a post is held back after its webhooks went out.
    pub post_answer_delay: Duration,
    /// How long files are scanned before they can be downloaded.
    pub scan: Duration,
    /// How soon a file that is being scanned should be asked for again.
    pub scan_retry_after: Duration,
    /// Life of an authorisation code.
    pub code_life: Duration,
    /// Life of an access token.
    pub access_life: Duration,
    /// Life of a refresh token since its last use.
    pub refresh_life: Duration,
}

impl Default for WebexTiming {
    fn default() -> Self {
        Self {
            ack_deadline: Duration::from_secs(10),
            stagger: Duration::from_millis(150),
            post_answer_delay: Duration::ZERO,
            scan: Duration::ZERO,
            scan_retry_after: Duration::from_secs(1),
            code_life: Duration::from_mins(2),
            access_life: Duration::from_hours(14 * 24),
            refresh_life: Duration::from_hours(90 * 24),
        }
    }
}

/// Rate limits and the like.
#[derive(Debug, Clone)]
pub struct WebexLimits {
    /// Rate limits are enforced.
    pub enabled: bool,
    /// The length of the platform's minute, so that tests need not wait for it.
    pub minute: Duration,
    /// Calls a minute, token and resource.
    pub calls_per_minute: u32,
    /// The same for `/messages` and `/people`.
    pub busy_calls_per_minute: u32,
    /// Factor for bots.
    pub bot_factor: u32,
    /// Posts a second into one space, by all tokens.
    pub posts_per_second: f64,
    /// Posts at once into one space.
    pub post_burst: u32,
    /// Failed deliveries within five minutes that switch a webhook off.
    pub webhook_failures: usize,
    /// The five minutes in which they count, and in which one failure is enough after a re-activation.
    pub webhook_window: Duration,
    /// Longest text or markdown, in bytes.
    pub text_bytes: usize,
    /// Edits of one message.
    pub edits: u32,
    /// Largest file, in bytes.
    pub file_bytes: usize,
}

impl Default for WebexLimits {
    fn default() -> Self {
        Self {
            enabled: true,
            minute: Duration::from_mins(1),
            calls_per_minute: 300,
            busy_calls_per_minute: 1_200,
            bot_factor: 3,
            posts_per_second: 4.0,
            post_burst: 12,
            webhook_failures: 100,
            webhook_window: Duration::from_mins(5),
            text_bytes: 7_439,
            edits: 10,
            file_bytes: 100 * 1024 * 1024,
        }
    }
}

/// What webhooks tell about an edit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EditNotice {
    /// Nothing.
    None,
    /// `messages`/`updated`, to webhooks for `updated` (which can be made then) or `all`.
    Updated,
    /// A second `messages`/`created` with the same id.
    SecondCreated,
}

/// The form of the newer signature header, `X-Webex-Signature`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewSignature {
    /// No such header.
    Absent,
    /// `SHA-256=<hex>, SHA-512=<hex>`.
    Labelled,
    /// `sha256=<hex>`.
    Prefixed,
    /// The hexadecimal SHA-256 alone.
    Bare,
    /// Something that no reader of the documentation expects.
    Unknown,
}

/// Statements that the documentation leaves open; both answers can be chosen.
#[derive(Debug, Clone)]
pub struct WebexDoubts {
    /// What is told about edits.
    pub edit_notice: EditNotice,
    /// The newer signature header.
    pub new_signature: NewSignature,
    /// The documented `X-Spark-Signature` is sent.
    pub old_signature: bool,
    /// A bot's GET of a group message that does not mention it is 403 instead of 404.
    pub bot_get_forbidden: bool,
    /// Bots receive messages to `<@all>`.
    pub bots_receive_all: bool,
    /// The first GET of a message by a person who did not post it is 404.
    pub first_get_missing: bool,
    /// `messages`/`deleted` carries `created`.
    pub deleted_with_created: bool,
    /// `rooms` events carry the title.
    pub room_events_with_title: bool,
    /// A parent that is a reply, of another space or deleted is 404 instead of 400.
    pub bad_parent_not_found: bool,
    /// Deleting a thread's root deletes its replies.
    pub root_takes_replies: bool,
    /// A refresh gives a new refresh token.
    pub refresh_rotates: bool,
    /// A refresh ends the access tokens given before.
    pub refresh_ends_access: bool,
    /// A PUT of a webhook without `secret` takes the secret away.
    pub put_drops_secret: bool,
    /// A second webhook equal to an existing one is 409.
    pub equal_webhooks_conflict: bool,
    /// Membership ids are in the region `us` instead of that of the space.
    pub memberships_in_us: bool,
    /// Mentions typed by people carry the bare uuid instead of the public id.
    pub mentions_by_uuid: bool,
    /// A single newline in markdown is a line break.
    pub newline_breaks: bool,
    /// `~~text~~` is struck through.
    pub strikethrough: bool,
    /// The first page of every list is empty and has a next one.
    pub empty_first_page: bool,
    /// A `max` beyond the cap is refused instead of lowered.
    pub large_max_refused: bool,
    /// Contents come without their length.
    pub contents_without_length: bool,
}

impl Default for WebexDoubts {
    fn default() -> Self {
        Self {
            edit_notice: EditNotice::None,
            new_signature: NewSignature::Labelled,
            old_signature: true,
            bot_get_forbidden: false,
            bots_receive_all: false,
            first_get_missing: false,
            deleted_with_created: false,
            room_events_with_title: false,
            bad_parent_not_found: false,
            root_takes_replies: false,
            refresh_rotates: false,
            refresh_ends_access: false,
            put_drops_secret: true,
            equal_webhooks_conflict: false,
            memberships_in_us: false,
            mentions_by_uuid: false,
            newline_breaks: true,
            strikethrough: false,
            empty_first_page: false,
            large_max_refused: false,
            contents_without_length: false,
        }
    }
}

/// The scopes a bridge asks for.
pub const BRIDGE_SCOPES: [&str; 6] = [
    "spark:messages_read",
    "spark:messages_write",
    "spark:people_read",
    "spark:rooms_read",
    "spark:memberships_read",
    "spark:kms",
];

/// What `spark:all` bundles.
pub const USER_SCOPES: [&str; 12] = [
    "spark:messages_read",
    "spark:messages_write",
    "spark:people_read",
    "spark:people_write",
    "spark:rooms_read",
    "spark:rooms_write",
    "spark:memberships_read",
    "spark:memberships_write",
    "spark:teams_read",
    "spark:teams_write",
    "spark:team_memberships_read",
    "spark:team_memberships_write",
];
