//! What a Slack simulator is seeded with.

use std::net::SocketAddr;
use std::time::Duration;

use crate::core::ServerTls;

/// Everything that can be set before the start.
#[derive(Clone)]
pub struct SlackSimConfig {
    /// Loopback address to listen on; port 0 asks for a free one.
    pub listen: SocketAddr,
    /// Serve https.
    pub tls: Option<ServerTls>,
    /// Scheme and host of the links that it makes; its own address when absent. For real host names.
    pub public_base: Option<String>,
    /// Authorities (PEM) trusted when events are delivered over https.
    pub trusted_pem: Option<String>,
    /// The workspaces.
    pub workspaces: Vec<SeedWorkspace>,
    /// The organisation that owns the workspaces whose `in_enterprise` is set.
    pub enterprise: Option<SeedEnterprise>,
    /// The registered apps.
    pub apps: Vec<SeedApp>,
    /// The authorise page answers at once instead of asking.
    pub auto_approve: bool,
    /// Who approves when `auto_approve` is set: a user id; the first person of the workspace otherwise.
    pub approver: Option<String>,
    /// Waits and deadlines.
    pub timing: SlackTiming,
    /// Rate limits.
    pub limits: SlackLimits,
    /// What the workspaces' rules say of files.
    pub files: SlackFileRules,
    /// Answers to what the documentation leaves open.
    pub doubts: SlackDoubts,
}

/// What workspaces' rules say of files.
#[derive(Debug, Clone)]
pub struct SlackFileRules {
    /// Whether apps and people may upload.
    pub uploads: bool,
    /// The largest file in bytes.
    pub largest: u64,
    /// Endings of names that are not let in.
    pub blocked: Vec<String>,
}

impl Default for SlackFileRules {
    fn default() -> Self {
        Self { uploads: true, largest: 1 << 30, blocked: Vec::new() }
    }
}

/// An organisation (Enterprise Grid).
#[derive(Debug, Clone)]
pub struct SeedEnterprise {
    /// `E…`.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// A workspace.
#[derive(Debug, Clone, Default)]
pub struct SeedWorkspace {
    /// `T…`.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The part before `.slack.com`.
    pub domain: String,
    /// Whether it belongs to the organisation.
    pub in_enterprise: bool,
    /// Its people.
    pub people: Vec<SeedPerson>,
    /// Its channels.
    pub channels: Vec<SeedChannel>,
    /// Custom emoji: name and image URL (or `alias:other`).
    pub emoji: Vec<(String, String)>,
    /// User groups: id, handle, members.
    pub groups: Vec<(String, String, Vec<String>)>,
}

/// A person.
#[derive(Debug, Clone, Default)]
pub struct SeedPerson {
    /// `U…`.
    pub id: String,
    /// Legacy handle.
    pub handle: String,
    /// Full name.
    pub real_name: String,
    /// Display name; may be empty.
    pub display_name: String,
    /// E-mail address.
    pub email: String,
    /// Whether they administer the workspace.
    pub admin: bool,
    /// A token that acts as this person's own client does (not as an app with a user token): posts carry
    /// `client_msg_id` and no app. Lets SDK clients play people. All scopes.
    pub client_token: Option<String>,
}

/// A channel.
#[derive(Debug, Clone, Default)]
pub struct SeedChannel {
    /// `C…`.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Private or public.
    pub private: bool,
    /// User ids.
    pub members: Vec<String>,
    /// Other workspaces it is shared with (Slack Connect).
    pub shared_with: Vec<String>,
}

/// A registered app.
#[derive(Debug, Clone)]
pub struct SeedApp {
    /// `A…`.
    pub app_id: String,
    /// Its name, also that of its bot user.
    pub name: String,
    /// `<digits>.<digits>`.
    pub client_id: String,
    /// Secret for token calls.
    pub client_secret: String,
    /// Secret for signatures, used as text.
    pub signing_secret: String,
    /// The legacy `token` of event bodies.
    pub verification_token: String,
    /// `xapp-…`.
    pub app_token: String,
    /// Registered redirect URLs; a URL is accepted when it equals or is below one of them. Empty accepts all.
    pub redirect_urls: Vec<String>,
    /// Subscribed events.
    pub bot_events: Vec<String>,
    /// Request URL for events.
    pub events_url: Option<String>,
    /// Deliver over Socket Mode instead.
    pub socket_mode: bool,
    /// Tokens expire and rotate.
    pub token_rotation: bool,
    /// PKCE is allowed.
    pub pkce: bool,
    /// Distributed outside the Marketplace: one history call a minute, 15 items.
    pub commercial: bool,
    /// After three retries, hourly ones for a day.
    pub delayed_events: bool,
    /// Installations that exist from the start.
    pub installed: Vec<SeedInstall>,
}

/// An installation that exists from the start.
#[derive(Debug, Clone, Default)]
pub struct SeedInstall {
    /// `T…`, or `E…` for an organisation-wide installation.
    pub place: String,
    /// `xoxb-…`.
    pub bot_token: String,
    /// Bot scopes.
    pub scopes: Vec<String>,
    /// Channel ids the bot is in.
    pub member_of: Vec<String>,
    /// People's tokens given to the app: user id, token, scopes.
    pub user_tokens: Vec<(String, String, Vec<String>)>,
}

/// Waits and deadlines.
#[derive(Debug, Clone)]
pub struct SlackTiming {
    /// How long the app may take to acknowledge.
    pub ack_deadline: Duration,
    /// Waits before the retries of a delivery.
    pub retries: Vec<Duration>,
    /// Waits of the hourly retries of apps with delayed events.
    pub delayed_retry: Duration,
    /// How long an event waits for the one before it in its conversation to be answered; zero: not at all.
    pub stagger: Duration,
    /// From the completion of an upload to its message.
    pub share_delay: Duration,
    /// How long the answer of `chat.postMessage` is held back after its event went out.
    pub post_answer_delay: Duration,
    /// Life of a Socket Mode URL.
    pub ticket_life: Duration,
    /// Life of a Socket Mode connection before it is refreshed.
    pub socket_refresh: Duration,
    /// From the `warning` to `refresh_requested`, and from there to the close.
    pub socket_warning: Duration,
    /// Between pings of the server.
    pub socket_ping: Duration,
    /// From `chat.postMessage` with a link to its unfurl, when the simulator unfurls by itself.
    pub unfurl_delay: Duration,
}

impl Default for SlackTiming {
    fn default() -> Self {
        Self {
            ack_deadline: Duration::from_secs(3),
            retries: vec![Duration::ZERO, Duration::from_mins(1), Duration::from_mins(5)],
            delayed_retry: Duration::from_hours(1),
            stagger: Duration::from_millis(150),
            share_delay: Duration::from_millis(400),
            post_answer_delay: Duration::ZERO,
            ticket_life: Duration::from_secs(30),
            socket_refresh: Duration::from_hours(1),
            socket_warning: Duration::from_secs(10),
            socket_ping: Duration::from_secs(5),
            unfurl_delay: Duration::from_secs(1),
        }
    }
}

/// Rate limits.
#[derive(Debug, Clone)]
pub struct SlackLimits {
    /// Limits are enforced.
    pub enabled: bool,
    /// The length of the platform's minute, so that tests need not wait for it.
    pub minute: Duration,
    /// Factor on the calls a tier allows in a minute.
    pub tolerance: f64,
    /// Messages per second and channel.
    pub posts_per_second: f64,
    /// Messages at once per channel.
    pub post_burst: u32,
    /// Messages per minute and workspace.
    pub posts_per_minute: u32,
    /// Events per hour, workspace and app.
    pub events_per_hour: u64,
    /// From how many deliveries an hour on an app that fails is switched off.
    pub disable_from: u64,
}

impl Default for SlackLimits {
    fn default() -> Self {
        Self {
            enabled: true,
            minute: Duration::from_mins(1),
            tolerance: 1.2,
            posts_per_second: 1.0,
            post_burst: 4,
            posts_per_minute: 600,
            events_per_hour: 30_000,
            disable_from: 1_000,
        }
    }
}

/// How the announcement of a reply to its parent looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplyNotice {
    /// No event.
    None,
    /// `message_replied` with its subtype.
    WithSubtype,
    /// The same without the subtype.
    WithoutSubtype,
    /// `message_changed` of the parent.
    AsChange,
}

/// What happens to an event while no socket is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SocketGap {
    /// It waits this long for a connection, then it is lost.
    Hold(Duration),
    /// It is lost at once.
    Lose,
}

/// Statements that the documentation leaves open; both answers can be chosen.
#[derive(Debug, Clone)]
pub struct SlackDoubts {
    /// `chat.update` keeps a customised name and picture.
    pub update_keeps_identity: bool,
    /// A `thread_ts` that never existed is accepted (an orphan) instead of `thread_not_found`.
    pub orphan_replies: bool,
    /// An update made with blocks stamps `edited`.
    pub blocks_update_marks_edited: bool,
    /// `edited.user` of a bot's edit is its `B…` id.
    pub edited_by_bot_id: bool,
    /// Plain text posted by apps comes back with `rich_text` blocks made of it.
    pub app_text_gets_blocks: bool,
    /// `bot_profile` accompanies an app's own messages.
    pub bot_profile: bool,
    /// How replies show at their parent.
    pub reply_notice: ReplyNotice,
    /// `client_msg_id` of `chat.postMessage` makes a repeated post return the first one.
    pub client_msg_id_dedupes: bool,
    /// Events of foreign members of a shared channel carry the foreign workspace as outer `team_id`.
    pub foreign_outer_team: bool,
    /// Events while no socket is connected.
    pub socket_gap: SocketGap,
    /// Largest `metadata` in bytes.
    pub metadata_limit: usize,
    /// Longest `username` in characters; `None`: no limit.
    pub username_limit: Option<usize>,
    /// Distinct emoji per message.
    pub emoji_per_message: usize,
    /// Reactions per person and message.
    pub reactions_per_person: usize,
    /// `files.completeUploadExternal` takes `username` and `icon_*`.
    pub file_identity: bool,
    /// JSON escapes everything beyond ASCII.
    pub ascii_json: bool,
    /// Posts with links are unfurled by the simulator itself (unless the post said no).
    pub unfurls: bool,
    /// Style delimiters may have a space just inside them, as one large importer reads them.
    pub loose_emphasis: bool,
}

impl Default for SlackDoubts {
    fn default() -> Self {
        Self {
            update_keeps_identity: true,
            orphan_replies: false,
            blocks_update_marks_edited: false,
            edited_by_bot_id: false,
            app_text_gets_blocks: true,
            bot_profile: true,
            reply_notice: ReplyNotice::WithoutSubtype,
            client_msg_id_dedupes: false,
            foreign_outer_team: true,
            socket_gap: SocketGap::Hold(Duration::from_secs(10)),
            metadata_limit: 16 * 1024,
            username_limit: None,
            emoji_per_message: 50,
            reactions_per_person: 23,
            file_identity: true,
            ascii_json: false,
            unfurls: false,
            loose_emphasis: false,
        }
    }
}

/// The bot scopes a bridge asks for.
pub const BRIDGE_SCOPES: [&str; 25] = [
    "channels:history",
    "groups:history",
    "im:history",
    "mpim:history",
    "channels:read",
    "groups:read",
    "im:read",
    "mpim:read",
    "chat:write",
    "chat:write.customize",
    "channels:join",
    "im:write",
    "mpim:write",
    "reactions:read",
    "reactions:write",
    "files:read",
    "files:write",
    "users:read",
    "users:read.email",
    "team:read",
    "emoji:read",
    "usergroups:read",
    "metadata.message:read",
    "channels:manage",
    "groups:write",
];

/// The events a bridge subscribes to.
pub const BRIDGE_EVENTS: [&str; 39] = [
    "app_home_opened",
    "message.channels",
    "message.groups",
    "message.im",
    "message.mpim",
    "reaction_added",
    "reaction_removed",
    "file_deleted",
    "file_change",
    "file_shared",
    "member_joined_channel",
    "member_left_channel",
    "channel_rename",
    "channel_archive",
    "channel_unarchive",
    "channel_deleted",
    "channel_left",
    "channel_id_changed",
    "channel_shared",
    "channel_unshared",
    "channel_created",
    "group_rename",
    "group_archive",
    "group_unarchive",
    "group_deleted",
    "group_left",
    "user_change",
    "team_join",
    "emoji_changed",
    "team_rename",
    "team_domain_change",
    "subteam_created",
    "subteam_updated",
    "app_uninstalled",
    "tokens_revoked",
    "team_access_granted",
    "team_access_revoked",
    "user_status_changed",
    "channel_posting_permissions",
];

impl Default for SeedApp {
    fn default() -> Self {
        Self {
            app_id: "A07DRAGOMAN".to_owned(),
            name: "Dragoman".to_owned(),
            client_id: "1111111111.2222222222".to_owned(),
            client_secret: "slack-client-secret-for-simulation".to_owned(),
            signing_secret: "0123456789abcdef0123456789abcdef".to_owned(),
            verification_token: "simulated-verification-token".to_owned(),
            app_token: "xapp-1-A07DRAGOMAN-1-simulated".to_owned(),
            redirect_urls: Vec::new(),
            bot_events: BRIDGE_EVENTS.iter().map(|event| (*event).to_owned()).collect(),
            events_url: None,
            socket_mode: false,
            token_rotation: false,
            pkce: true,
            commercial: false,
            delayed_events: false,
            installed: Vec::new(),
        }
    }
}

impl Default for SlackSimConfig {
    /// The workspace "Harbor Works" with Ana Souza, Ben Okafor and Chloe Martin, the channels general, launch and
    /// the private backstage, and one app that is not installed yet.
    fn default() -> Self {
        let person = |id: &str, handle: &str, real: &str, display: &str, admin: bool| SeedPerson {
            id: id.to_owned(),
            handle: handle.to_owned(),
            real_name: real.to_owned(),
            display_name: display.to_owned(),
            email: format!("{handle}@harbor-works.example"),
            admin,
            client_token: Some(format!("xoxp-client-{handle}")),
        };
        let everyone = ["U07ANASOUZA", "U07BENOKAFOR", "U07CHLOEMARTIN"].map(str::to_owned).to_vec();
        let channel = |id: &str, name: &str, private: bool, members: &[String]| SeedChannel {
            id: id.to_owned(),
            name: name.to_owned(),
            private,
            members: members.to_vec(),
            shared_with: Vec::new(),
        };
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            public_base: None,
            tls: None,
            trusted_pem: None,
            workspaces: vec![SeedWorkspace {
                id: "T07HARBOR".to_owned(),
                name: "Harbor Works".to_owned(),
                domain: "harbor-works".to_owned(),
                in_enterprise: false,
                people: vec![
                    person("U07ANASOUZA", "ana.souza", "Ana Souza", "Ana", true),
                    person("U07BENOKAFOR", "ben.okafor", "Ben Okafor", "", false),
                    person("U07CHLOEMARTIN", "chloe.martin", "Chloe Martin", "Chloe", false),
                ],
                channels: vec![
                    channel("C07GENERAL", "general", false, &everyone),
                    channel("C07LAUNCH", "launch", false, &everyone),
                    channel("C07BACKSTAGE", "backstage", true, &everyone[..2]),
                ],
                emoji: vec![("harbor".to_owned(), "https://emoji.example/harbor.png".to_owned())],
                groups: vec![("S07CREW".to_owned(), "crew".to_owned(), everyone.clone())],
            }],
            enterprise: None,
            apps: vec![SeedApp::default()],
            auto_approve: false,
            approver: None,
            timing: SlackTiming::default(),
            files: SlackFileRules::default(),
            limits: SlackLimits::default(),
            doubts: SlackDoubts::default(),
        }
    }
}

impl SlackSimConfig {
    /// The default world with the first app already installed by `bot_token` and its bot in the given channels.
    #[must_use]
    pub fn installed(bot_token: &str, member_of: &[&str]) -> Self {
        let mut config = Self::default();
        let place = config.workspaces[0].id.clone();
        config.apps[0].installed.push(SeedInstall {
            place,
            bot_token: bot_token.to_owned(),
            scopes: BRIDGE_SCOPES.iter().map(|scope| (*scope).to_owned()).collect(),
            member_of: member_of.iter().map(|channel| (*channel).to_owned()).collect(),
            user_tokens: Vec::new(),
        });
        config
    }

    /// Adds a second workspace, "Tidewater Supply", with Dario Conti, in a channel shared with the first one
    /// (`C07SHARED`, Slack Connect).
    #[must_use]
    pub fn with_slack_connect(mut self) -> Self {
        let mut members: Vec<String> =
            self.workspaces[0].people.iter().map(|person| person.id.clone()).collect();
        members.push("U08DARIOCONTI".to_owned());
        self.workspaces[0].channels.push(SeedChannel {
            id: "C07SHARED".to_owned(),
            name: "tidewater-orders".to_owned(),
            private: false,
            members,
            shared_with: vec!["T08TIDEWATER".to_owned()],
        });
        self.workspaces.push(SeedWorkspace {
            id: "T08TIDEWATER".to_owned(),
            name: "Tidewater Supply".to_owned(),
            domain: "tidewater-supply".to_owned(),
            people: vec![SeedPerson {
                id: "U08DARIOCONTI".to_owned(),
                handle: "dario.conti".to_owned(),
                real_name: "Dario Conti".to_owned(),
                display_name: "Dario".to_owned(),
                email: "dario.conti@tidewater.example".to_owned(),
                admin: true,
                client_token: Some("xoxp-client-dario.conti".to_owned()),
            }],
            ..SeedWorkspace::default()
        });
        self
    }

    /// Puts the first workspace into the organisation "Harbor Group".
    #[must_use]
    pub fn with_enterprise(mut self) -> Self {
        self.enterprise =
            Some(SeedEnterprise { id: "E07HARBORGRP".to_owned(), name: "Harbor Group".to_owned() });
        self.workspaces[0].in_enterprise = true;
        self
    }
}
