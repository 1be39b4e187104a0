//! The default tenant: an invented company with three people, one team, two channels and a group chat.

use std::net::{Ipv4Addr, SocketAddr};

use super::config::{
    AppSeed, BotSeed, ChannelSeed, ChatSeed, DEFAULT_RSC, DEFAULT_SCOPES, PersonSeed, TeamSeed, TeamsDoubts,
    TeamsLimits, TeamsSimConfig, TeamsTiming, TenantSeed,
};

/// Tenant id of the default tenant.
pub const TENANT: &str = "6f1c2a54-0b7e-4d3a-9c58-2e4b71d0a6f3";
/// App id of the default app and bot.
pub const APP: &str = "b7d3c9e1-52f4-4a86-8e0d-9a1f6c3b2d75";
/// Client secret of the default app.
pub const APP_SECRET: &str = "sim~teams-secret-Kq3v8";
/// Object id of Dana Lindqvist.
pub const DANA: &str = "11d0a6f3-7c25-4b8e-a1d9-3f5e2c8b4701";
/// Object id of Emre Kaya.
pub const EMRE: &str = "22e1b7c4-8d36-4c9f-b2ea-405f3d9c5812";
/// Object id of Farah Haddad.
pub const FARAH: &str = "33f2c8d5-9e47-4daf-83fb-51604ead6923";
/// Group id of the default team.
pub const TEAM: &str = "c4a8e2f0-6b1d-4e73-95c2-8d7f0a3b6e14";
/// The General channel, also the team's id in bot traffic.
pub const GENERAL: &str = "19:Fa1bR2ikAn3tGeN4eraL5xQz@thread.tacv2";
/// The channel `launch`.
pub const LAUNCH: &str = "19:5d0c7e3b9a8f4612b3d4c5e6f7a80912@thread.tacv2";
/// The group chat "Lunch".
pub const LUNCH_CHAT: &str = "19:a0b1c2d3e4f5461798a9bacbdcedfe0f@thread.v2";

impl Default for TeamsSimConfig {
    fn default() -> Self {
        Self {
            addr: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            tls: None,
            trusted_ca: None,
            tenant: TenantSeed {
                id: TENANT.into(),
                name: "Fabrikant GmbH".into(),
                domain: "fabrikant.example".into(),
            },
            people: vec![
                person(DANA, "Dana Lindqvist", "dana", true),
                person(EMRE, "Emre Kaya", "emre", true),
                person(FARAH, "Farah Haddad", "farah", false),
            ],
            teams: vec![TeamSeed {
                id: TEAM.into(),
                name: "Product".into(),
                owners: vec![DANA.into()],
                members: vec![EMRE.into(), FARAH.into()],
                channels: vec![
                    ChannelSeed {
                        id: GENERAL.into(),
                        name: "General".into(),
                        membership: "standard".into(),
                        members: vec![],
                    },
                    ChannelSeed {
                        id: LAUNCH.into(),
                        name: "launch".into(),
                        membership: "standard".into(),
                        members: vec![],
                    },
                ],
            }],
            chats: vec![ChatSeed {
                id: LUNCH_CHAT.into(),
                kind: "group".into(),
                topic: Some("Lunch".into()),
                members: vec![DANA.into(), EMRE.into(), FARAH.into()],
            }],
            apps: vec![AppSeed::new(APP, "Dragoman", APP_SECRET).installed_in(TEAM)],
            auto_approve: true,
            open_user_consent: false,
            region: "emea".into(),
            service_host: None,
            site_host: None,
            timing: TeamsTiming::default(),
            limits: TeamsLimits::default(),
            doubts: TeamsDoubts::default(),
        }
    }
}

fn person(id: &str, name: &str, alias: &str, photo: bool) -> PersonSeed {
    PersonSeed {
        id: id.into(),
        name: name.into(),
        upn: format!("{alias}@fabrikant.example"),
        mail: Some(format!("{alias}@fabrikant.example")),
        guest: false,
        photo,
        nameless_in_messages: false,
    }
}

impl AppSeed {
    /// A single-tenant app with a bot, the usual resource-specific permissions and no tenant-wide rights.
    pub fn new(id: &str, name: &str, secret: &str) -> Self {
        Self {
            id: id.into(),
            name: name.into(),
            secrets: vec![secret.into()],
            expired_secrets: vec![],
            certificates: vec![],
            roles: vec![],
            admin_scopes: vec![],
            declared_scopes: DEFAULT_SCOPES.map(String::from).to_vec(),
            redirect_uris: vec![],
            rsc: DEFAULT_RSC.map(String::from).to_vec(),
            catalog_id: format!("{}ca7a", id.get(..id.len().saturating_sub(4)).unwrap_or("")),
            bot: Some(BotSeed { endpoint: None, multi_tenant: false, supports_files: true }),
            installed_teams: vec![],
            installed_chats: vec![],
            installed_people: vec![],
        }
    }

    /// The same app standing installed in a team.
    #[must_use]
    pub fn installed_in(mut self, team: &str) -> Self {
        self.installed_teams.push(team.into());
        self
    }

    /// The same app with admin-granted application permissions.
    #[must_use]
    pub fn with_roles(mut self, roles: &[&str]) -> Self {
        self.roles.extend(roles.iter().map(ToString::to_string));
        self
    }

    /// The same app with its bot's messaging endpoint.
    #[must_use]
    pub fn with_endpoint(mut self, endpoint: &str) -> Self {
        self.bot =
            Some(BotSeed { endpoint: Some(endpoint.into()), multi_tenant: false, supports_files: true });
        self
    }
}
