//! Who may do what: application roles, resource-specific grants, delegated scopes (Microsoft Graph permissions
//! reference).

/// The permissions of which a call needs one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    /// Application permissions; none when the call exists for people only.
    pub app: &'static [&'static str],
    /// Resource-specific permissions.
    pub rsc: &'static [&'static str],
    /// Delegated permissions.
    pub delegated: &'static [&'static str],
}

macro_rules! rules {
    ($($(#[$doc:meta])* $name:ident: $app:expr, $rsc:expr, $delegated:expr;)*) => {
        $($(#[$doc])* pub(super) const $name: Rule = Rule { app: &$app, rsc: &$rsc, delegated: &$delegated };)*
    };
}

rules! {
    READ_CHANNEL: ["ChannelMessage.Read.All", "Group.Read.All", "Group.ReadWrite.All"],
        ["ChannelMessage.Read.Group"],
        ["ChannelMessage.Read.All", "Group.Read.All", "Group.ReadWrite.All"];
    READ_CHAT: ["Chat.Read.All", "Chat.ReadWrite.All"], ["ChatMessage.Read.Chat"], ["Chat.Read", "Chat.ReadWrite"];
    SEND_CHANNEL: [], [], ["ChannelMessage.Send", "Group.ReadWrite.All"];
    SEND_CHAT: [], [], ["ChatMessage.Send", "Chat.ReadWrite", "Group.ReadWrite.All"];
    CHANGE_CHANNEL: [], [], ["ChannelMessage.ReadWrite", "Group.ReadWrite.All"];
    CHANGE_CHAT: [], [], ["Chat.ReadWrite", "Group.ReadWrite.All"];
    FLAG_CHANNEL: ["ChannelMessage.UpdatePolicyViolation.All", "Group.ReadWrite.All"], [], [];
    FLAG_CHAT: ["Chat.UpdatePolicyViolation.All", "Chat.ReadWrite.All"], [], [];
    TEAMS: ["Team.ReadBasic.All", "TeamSettings.Read.All", "TeamSettings.ReadWrite.All"], [],
        ["Team.ReadBasic.All", "TeamSettings.Read.All", "TeamSettings.ReadWrite.All"];
    TEAM: ["Team.ReadBasic.All", "TeamSettings.Read.All", "TeamSettings.ReadWrite.All", "Group.Read.All"],
        ["TeamSettings.Read.Group", "TeamSettings.ReadWrite.Group"],
        ["Team.ReadBasic.All", "TeamSettings.Read.All", "TeamSettings.ReadWrite.All"];
    CHANNELS: ["Channel.ReadBasic.All", "ChannelSettings.Read.All", "ChannelSettings.ReadWrite.All", "Group.Read.All"],
        ["ChannelSettings.Read.Group", "ChannelSettings.ReadWrite.Group"],
        ["Channel.ReadBasic.All", "ChannelSettings.Read.All", "ChannelSettings.ReadWrite.All"];
    TEAM_MEMBERS: ["TeamMember.Read.All", "TeamMember.ReadWrite.All"], ["TeamMember.Read.Group"],
        ["TeamMember.Read.All", "TeamMember.ReadWrite.All"];
    CHANNEL_MEMBERS: ["ChannelMember.Read.All", "ChannelMember.ReadWrite.All"],
        ["ChannelMember.Read.Group", "ChannelMember.ReadWrite.Group"],
        ["ChannelMember.Read.All", "ChannelMember.ReadWrite.All", "Group.Read.All"];
    CHATS: ["Chat.ReadBasic.All", "Chat.Read.All", "Chat.ReadWrite.All"], [],
        ["Chat.ReadBasic", "Chat.Read", "Chat.ReadWrite"];
    CHAT: ["Chat.ReadBasic.All", "Chat.Read.All", "Chat.ReadWrite.All"],
        ["ChatSettings.Read.Chat", "ChatSettings.ReadWrite.Chat", "Chat.Manage.Chat"],
        ["Chat.ReadBasic", "Chat.Read", "Chat.ReadWrite"];
    CHAT_MEMBERS: ["ChatMember.Read.All", "ChatMember.ReadWrite.All", "Chat.ReadBasic.All", "Chat.Read.All",
        "Chat.ReadWrite.All"], ["ChatMember.Read.Chat", "Chat.Manage.Chat"],
        ["ChatMember.Read", "Chat.ReadBasic", "Chat.Read", "Chat.ReadWrite"];
    RENAME_CHAT: ["Chat.ReadWrite.All"], ["ChatSettings.ReadWrite.Chat"], ["Chat.ReadWrite"];
    EXPORT_CHANNELS: ["ChannelMessage.Read.All"], [], [];
    EXPORT_CHATS: ["Chat.Read.All", "Chat.ReadWrite.All"], [], [];
    CREATE_CHAT: ["Chat.Create"], [], ["Chat.Create", "Chat.ReadWrite"];
    TEAM_GRANTS: ["TeamsAppInstallation.Read.All", "ResourceSpecificPermissionGrant.ReadForTeam.All"],
        ["TeamsAppInstallation.Read.Group", "TeamsApp.Read.Group"],
        ["ResourceSpecificPermissionGrant.ReadForTeam", "TeamsAppInstallation.ReadForTeam"];
    CHAT_GRANTS: ["TeamsAppInstallation.Read.All", "ResourceSpecificPermissionGrant.ReadForChat.All"],
        ["TeamsAppInstallation.Read.Chat", "Chat.Manage.Chat"],
        ["ResourceSpecificPermissionGrant.ReadForChat", "TeamsAppInstallation.ReadForChat"];
    USERS: ["User.ReadBasic.All", "User.Read.All", "User.ReadWrite.All", "Directory.Read.All"], [],
        ["User.ReadBasic.All", "User.Read.All", "User.ReadWrite.All", "Directory.Read.All"];
    ME: [], [], ["User.Read", "User.ReadBasic.All", "User.Read.All", "User.ReadWrite", "openid"];
    PHOTO: ["ProfilePhoto.Read.All", "User.Read.All", "User.ReadBasic.All"], [],
        ["ProfilePhoto.Read.All", "User.ReadBasic.All", "User.Read.All", "User.Read"];
    PRESENCE: ["Presence.Read.All", "Presence.ReadWrite.All"], [], ["Presence.Read.All"];
    FILES_FOLDER: ["Files.Read.All", "Files.ReadWrite.All", "Sites.Read.All", "Sites.ReadWrite.All"],
        ["File.Read.Group"], ["Files.Read", "Files.Read.All", "Files.ReadWrite", "Files.ReadWrite.All"];
    FILES_READ: ["Files.Read.All", "Files.ReadWrite.All", "Sites.Read.All", "Sites.ReadWrite.All"], [],
        ["Files.Read", "Files.Read.All", "Files.ReadWrite", "Files.ReadWrite.All", "Sites.Read.All", "Sites.ReadWrite.All"];
    FILES_WRITE: ["Files.ReadWrite.All", "Sites.ReadWrite.All"], [],
        ["Files.ReadWrite", "Files.ReadWrite.All", "Sites.ReadWrite.All"];
    SUBSCRIBE_CHAT: ["Chat.Read.All", "Chat.ReadWrite.All"], [], ["Chat.Read", "Chat.ReadWrite"];
    SUBSCRIBE_ALL_CHANNELS: ["ChannelMessage.Read.All"], [], [];
    SUBSCRIBE_ALL_CHATS: ["Chat.Read.All", "Chat.ReadWrite.All"], [], [];
    SUBSCRIBE_INSTALLED: ["Chat.Read.WhereInstalled", "Chat.ReadWrite.WhereInstalled"], [], [];
    SUBSCRIBE_CHANNELS: ["Channel.ReadBasic.All", "ChannelSettings.Read.All"], ["ChannelSettings.Read.Group"],
        ["Channel.ReadBasic.All"];
}

/// Scopes that only an administrator may grant.
pub(super) const ADMIN_SCOPES: [&str; 12] = [
    "ChannelMessage.Read.All",
    "ChannelMessage.ReadWrite",
    "ChannelMember.Read.All",
    "TeamMember.Read.All",
    "TeamSettings.Read.All",
    "ChannelSettings.Read.All",
    "Group.Read.All",
    "Group.ReadWrite.All",
    "Directory.Read.All",
    "User.Read.All",
    "Presence.ReadWrite.All",
    "Chat.ManageDeletion.All",
];

/// Scopes that the managed policy of newer tenants also reserves for administrators.
pub(super) const MANAGED_SCOPES: [&str; 4] =
    ["Chat.Read", "Chat.ReadWrite", "Files.Read.All", "OnlineMeetings.Read"];
