//! What a simulated tenant is made of, and how strictly and how fast it behaves.

use std::net::SocketAddr;

/// The permissions that the published app package asks for in a team or chat.
pub const DEFAULT_RSC: [&str; 7] = [
    "ChannelMessage.Read.Group",
    "ChatMessage.Read.Chat",
    "ChannelMember.Read.Group",
    "TeamMember.Read.Group",
    "ChatMember.Read.Chat",
    "ChannelSettings.Read.Group",
    "TeamSettings.Read.Group",
];

/// The delegated permissions that the registration of a gateway lists.
pub const DEFAULT_SCOPES: [&str; 7] = [
    "ChannelMessage.Send",
    "ChannelMessage.ReadWrite",
    "ChatMessage.Send",
    "Chat.ReadWrite",
    "Team.ReadBasic.All",
    "Channel.ReadBasic.All",
    "User.Read",
];

/// Everything a [`TeamsSim`](super::TeamsSim) starts from.
#[derive(Clone, Debug)]
pub struct TeamsSimConfig {
    /// Where to listen; loopback only. Port 0 picks a free one.
    pub addr: SocketAddr,
    /// Certificate chain and private key, both PEM, to serve TLS; plain HTTP when absent.
    pub tls: Option<(String, String)>,
    /// PEM of certificate authorities that webhook receivers may show, for `https` notification URLs.
    pub trusted_ca: Option<String>,
    /// The tenant.
    pub tenant: TenantSeed,
    /// The people of the tenant.
    pub people: Vec<PersonSeed>,
    /// The teams with their channels.
    pub teams: Vec<TeamSeed>,
    /// The group chats and one-to-one chats between people.
    pub chats: Vec<ChatSeed>,
    /// The app registrations.
    pub apps: Vec<AppSeed>,
    /// When true, `authorize` and `adminconsent` answer at once with a redirect instead of showing a page.
    pub auto_approve: bool,
    /// When true, people may consent to everything that needs no admin role. When false the managed policy
    /// applies, which also reserves `Chat.Read`, `Chat.ReadWrite`, `Files.Read.All` for admins.
    pub open_user_consent: bool,
    /// The region segment of `serviceUrl`, for instance `emea`.
    pub region: String,
    /// The host part that `serviceUrl` names; the simulator's own base URL when absent. With real host names:
    /// `https://smba.trafficmanager.net`.
    pub service_host: Option<String>,
    /// Scheme and host of the tenant's sites, where files are; elsewhere they have the address of the request.
    pub site_host: Option<String>,
    /// Deadlines and pauses.
    pub timing: TeamsTiming,
    /// Request limits.
    pub limits: TeamsLimits,
    /// Behaviours of which no source is certain.
    pub doubts: TeamsDoubts,
}

/// The tenant's names.
#[derive(Clone, Debug)]
pub struct TenantSeed {
    /// Tenant id, a GUID.
    pub id: String,
    /// Display name.
    pub name: String,
    /// Verified domain.
    pub domain: String,
}

/// One account of the directory.
#[derive(Clone, Debug)]
pub struct PersonSeed {
    /// Entra object id, a GUID.
    pub id: String,
    /// Full name.
    pub name: String,
    /// Sign-in name; guests carry `#EXT#`.
    pub upn: String,
    /// Mail address.
    pub mail: Option<String>,
    /// `Member` or `Guest`.
    pub guest: bool,
    /// Whether a profile photo exists; else the photo endpoints answer 404.
    pub photo: bool,
    /// Messages of this person carry `displayName: null`, as live traffic at times does.
    pub nameless_in_messages: bool,
}

/// One team.
#[derive(Clone, Debug)]
pub struct TeamSeed {
    /// GUID of the Microsoft 365 group.
    pub id: String,
    /// Display name.
    pub name: String,
    /// Object ids of owners, then of members.
    pub owners: Vec<String>,
    /// Object ids of ordinary members.
    pub members: Vec<String>,
    /// The channels, General first: its id is also the team's id in bot traffic.
    pub channels: Vec<ChannelSeed>,
}

/// One channel.
#[derive(Clone, Debug)]
pub struct ChannelSeed {
    /// `19:…@thread.tacv2`.
    pub id: String,
    /// Display name.
    pub name: String,
    /// `standard`, `private` or `shared`.
    pub membership: String,
    /// Members of a private or shared channel; ignored for standard ones.
    pub members: Vec<String>,
}

/// One chat between people.
#[derive(Clone, Debug)]
pub struct ChatSeed {
    /// `19:…@thread.v2`, `19:meeting_…@thread.v2`, or `19:{oid}_{oid}@unq.gbl.spaces`.
    pub id: String,
    /// `oneOnOne`, `group` or `meeting`.
    pub kind: String,
    /// Topic of a group chat.
    pub topic: Option<String>,
    /// Object ids.
    pub members: Vec<String>,
}

/// One app registration, with its bot if it has one.
#[derive(Clone, Debug)]
pub struct AppSeed {
    /// Application (client) id; also the bot's id.
    pub id: String,
    /// Display name; the bot's name in conversations.
    pub name: String,
    /// Client secrets that are valid.
    pub secrets: Vec<String>,
    /// Client secrets that have expired (AADSTS7000222).
    pub expired_secrets: Vec<String>,
    /// Certificates (PEM) that may sign a client assertion.
    pub certificates: Vec<String>,
    /// Application permissions that an admin has granted.
    pub roles: Vec<String>,
    /// Delegated permissions that an admin has granted for everybody.
    pub admin_scopes: Vec<String>,
    /// Delegated permissions that the registration lists: what admin consent to `/.default` grants.
    pub declared_scopes: Vec<String>,
    /// Redirect addresses; any is accepted when empty.
    pub redirect_uris: Vec<String>,
    /// Resource-specific permissions that an installation grants.
    pub rsc: Vec<String>,
    /// Id of the app in the tenant's catalogue.
    pub catalog_id: String,
    /// The bot.
    pub bot: Option<BotSeed>,
    /// Teams (group ids) in which the app stands installed at the start.
    pub installed_teams: Vec<String>,
    /// Chats in which the app stands installed at the start.
    pub installed_chats: Vec<String>,
    /// People for whom the app stands installed personally at the start.
    pub installed_people: Vec<String>,
}

/// The bot resource of an app.
#[derive(Clone, Debug)]
pub struct BotSeed {
    /// The messaging endpoint; activities are dropped when absent.
    pub endpoint: Option<String>,
    /// Old multi-tenant bots take their tokens from the tenant `botframework.com`.
    pub multi_tenant: bool,
    /// `supportsFiles` of its package: people may send it files in their own chat with it.
    pub supports_files: bool,
}

/// Deadlines and pauses, all in milliseconds. The defaults are those of the service; tests shorten them.
#[derive(Clone, Debug)]
pub struct TeamsTiming {
    /// From a change to the notification ("average less than 10 seconds, maximum 1 minute").
    pub notification_delay: u64,
    /// How long notifications for one address are gathered into a batch.
    pub batch_window: u64,
    /// Answer deadline of a notification.
    pub notification_deadline: u64,
    /// Pauses before the repeated deliveries of a notification.
    pub notification_backoff: Vec<u64>,
    /// An answer later than this counts as slow.
    pub slow_after: u64,
    /// The window of the slow share.
    pub slow_window: u64,
    /// The delay imposed on a slow host.
    pub slow_delay: u64,
    /// Answers needed before the slow share counts.
    pub slow_sample: u32,
    /// Answer deadline of the validation handshake.
    pub validation_deadline: u64,
    /// How long a bot may take to answer an activity before it is sent again.
    pub bot_deadline: u64,
    /// How often an unanswered activity is sent again.
    pub bot_retries: u32,
    /// Life of access tokens.
    pub access_token: u64,
    /// Life of refresh tokens.
    pub refresh_token: u64,
    /// Life of authorization codes.
    pub code: u64,
    /// Longest life of a subscription on messages.
    pub subscription_max: u64,
    /// Longest life of such a subscription without a lifecycle URL.
    pub subscription_max_without_lifecycle: u64,
    /// How long before its end a subscription gets `reauthorizationRequired` by itself; 0 for never.
    pub reauthorize_before: u64,
    /// How long after `reauthorizationRequired` delivery goes on when nobody answers.
    pub reauthorize_grace: u64,
}

impl Default for TeamsTiming {
    fn default() -> Self {
        const MINUTE: u64 = 60_000;
        Self {
            notification_delay: 0,
            batch_window: 0,
            notification_deadline: 3_000,
            notification_backoff: vec![
                10_000,
                30_000,
                MINUTE,
                2 * MINUTE,
                5 * MINUTE,
                10 * MINUTE,
                20 * MINUTE,
                30 * MINUTE,
                60 * MINUTE,
                110 * MINUTE,
            ],
            slow_after: 2_900,
            slow_window: 10 * MINUTE,
            slow_delay: 10 * MINUTE,
            slow_sample: 100,
            validation_deadline: 10_000,
            bot_deadline: 15_000,
            bot_retries: 1,
            access_token: 3_599_000,
            refresh_token: 90 * 24 * 60 * MINUTE,
            code: 10 * MINUTE,
            subscription_max: 4_320 * MINUTE,
            subscription_max_without_lifecycle: 60 * MINUTE,
            reauthorize_before: 0,
            reauthorize_grace: 15 * MINUTE,
        }
    }
}

impl TeamsTiming {
    /// The service's schedule shortened for tests: the same order of events in tenths of seconds.
    pub fn fast() -> Self {
        Self {
            notification_backoff: vec![50, 100, 200, 400, 800],
            notification_deadline: 400,
            slow_after: 300,
            slow_delay: 500,
            validation_deadline: 500,
            bot_deadline: 500,
            reauthorize_grace: 300,
            ..Self::default()
        }
    }
}

/// Which request limits hold.
#[derive(Clone, Debug)]
pub struct TeamsLimits {
    /// Graph: one request per second per conversation and user, and the per-tenant budgets.
    pub graph: bool,
    /// Bot Connector: 7 in 1 s, 8 in 2 s, 60 in 30 s, 1800 in 3600 s.
    pub connector: bool,
    /// Seconds of the published windows are divided by this; 1.0 is the service.
    pub speed: f64,
    /// Largest bot message in bytes of UTF-16.
    pub bot_message_bytes: usize,
    /// Largest Graph message body in bytes of UTF-8.
    pub graph_message_bytes: usize,
}

impl Default for TeamsLimits {
    fn default() -> Self {
        Self {
            graph: true,
            connector: true,
            speed: 1.0,
            bot_message_bytes: 100 * 1024,
            graph_message_bytes: 28 * 1024,
        }
    }
}

/// Behaviours on which the sources are silent or disagree; both answers can be set.
#[derive(Clone, Debug)]
pub struct TeamsDoubts {
    /// `ChatMessage.Read.Chat` is enough to subscribe to `/chats/{id}/messages`. The permission table of the
    /// v1.0 reference names `Chat.Read.All` only.
    pub chat_rsc_may_subscribe: bool,
    /// A soft delete in a channel is notified as `deleted`; else as `updated`.
    pub channel_delete_is_deleted: bool,
    /// Validation tokens are issued by the v2.0 endpoint (`azp`); else v1.0 (`appid`).
    pub validation_token_v2: bool,
    /// A bot activity answered with an error or refused connection is sent again as if it had timed out.
    pub bot_retries_refusals: bool,
    /// The service URL claim is spelled `serviceUrl` as in the reference; else `serviceurl` as on the wire.
    pub service_url_claim_camel_case: bool,
    /// `@odata.type` of notified messages is written `#Microsoft.Graph.chatMessage`; else with `ChatMessage`.
    pub odata_type_lower_case: bool,
    /// `GET …/messages/delta` of a channel answers; else 404.
    pub channel_delta_answers: bool,
    /// Sending text and a card in one activity gives no message id back.
    pub mixed_activity_loses_id: bool,
    /// A connector delete answers 200; else 204.
    pub connector_delete_is_200: bool,
    /// The folder of a channel is not there before somebody put a file into it in a client; else always.
    pub files_folder_late: bool,
}

impl Default for TeamsDoubts {
    fn default() -> Self {
        Self {
            chat_rsc_may_subscribe: false,
            channel_delete_is_deleted: true,
            validation_token_v2: false,
            bot_retries_refusals: false,
            service_url_claim_camel_case: false,
            odata_type_lower_case: true,
            channel_delta_answers: false,
            mixed_activity_loses_id: true,
            connector_delete_is_200: true,
            files_folder_late: false,
        }
    }
}
