//! Where Teams is: every address is a setting, so that national clouds and simulators plug in.

/// Addresses and names of the services. The default is the global cloud.
#[derive(Clone, Debug)]
pub struct TeamsSettings {
    /// Where platforms reach the gateway, without a trailing slash; notification URLs are made from it.
    pub public_url: String,
    /// Entra: `https://login.microsoftonline.com`.
    pub login_base: String,
    /// Graph without version: `https://graph.microsoft.com`.
    pub graph_base: String,
    /// The scope of Graph tokens: `https://graph.microsoft.com/.default`.
    pub graph_scope: String,
    /// The OpenID metadata of the Bot Framework.
    pub bot_openid_url: String,
    /// Who issues the Bot Connector's tokens.
    pub bot_issuer: String,
    /// The scope of bot tokens.
    pub bot_scope: String,
    /// Where bot tokens may be sent: a host, reached by HTTPS, or a whole origin (`http://127.0.0.1:4101`).
    pub allowed_service_hosts: Vec<String>,
    /// The service URL where no activity named one yet.
    pub default_service_url: String,
    /// The pause between two requests of one read of a conversation, in milliseconds: Graph grants one a
    /// second ("Microsoft Graph service-specific throttling limits").
    pub graph_pause_ms: u64,
}

impl TeamsSettings {
    /// Patterns of the hosts that have files: those of SharePoint and OneDrive in all clouds, and Graph's own.
    pub(crate) fn file_host_patterns(&self) -> Vec<String> {
        let own = url::Url::parse(&self.graph_base).ok();
        let own = own.and_then(|url| url.host_str().map(str::to_owned));
        let clouds =
            ["*.sharepoint.com", "*.sharepoint.us", "*.sharepoint-mil.us", "*.sharepoint.cn", "*.svc.ms"];
        clouds.map(str::to_owned).into_iter().chain(own).collect()
    }
}

impl Default for TeamsSettings {
    fn default() -> Self {
        Self {
            public_url: String::new(),
            login_base: "https://login.microsoftonline.com".to_owned(),
            graph_base: "https://graph.microsoft.com".to_owned(),
            graph_scope: "https://graph.microsoft.com/.default".to_owned(),
            bot_openid_url: "https://login.botframework.com/v1/.well-known/openidconfiguration".to_owned(),
            bot_issuer: "https://api.botframework.com".to_owned(),
            bot_scope: "https://api.botframework.com/.default".to_owned(),
            allowed_service_hosts: [
                "smba.trafficmanager.net",
                "smba.infra.gcc.teams.microsoft.com",
                "smba.infra.gov.teams.microsoft.us",
                "smba.infra.dod.teams.microsoft.us",
            ]
            .map(str::to_owned)
            .to_vec(),
            default_service_url: "https://smba.trafficmanager.net/teams/".to_owned(),
            graph_pause_ms: 1_050,
        }
    }
}
