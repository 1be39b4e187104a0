//! Setting up: what a registration is made of, consent of an admin, and whether the tokens work.

use std::collections::{BTreeMap, BTreeSet};

use dragoman_model::codes::CONFIG;
use dragoman_model::{RemoteUser, RemoteWorkspace};
use dragoman_platform::{App, Facts, Failure, Field, Grant, Granted, InstallError, Installed, TokenSet};

use crate::connector::TeamsConnector;
use crate::crypt;
use crate::settings::TeamsSettings;
use crate::tokens::Audience;
use crate::wire::Collection;
use crate::wire::directory::{Organization, User};

/// What `app add` asks for, and what is made.
pub(crate) const FIELDS: &[Field] = &[
    Field {
        key: "app_id",
        help: "Application (client) id of the Entra app registration, which is also the bot's id; on its overview page",
        secret: false,
        required: true,
        required_with: None,
    },
    Field {
        key: "tenant_id",
        help: "Directory (tenant) id of the organisation; on the same page",
        secret: false,
        required: true,
        required_with: None,
    },
    Field {
        key: "client_secret",
        help: "Value of a client secret, from Certificates & secrets; it is shown once",
        secret: true,
        required: true,
        required_with: None,
    },
    Field {
        key: "notification_secret",
        help: "Secret that recognises change notifications; made by Dragoman when left out",
        secret: true,
        required: false,
        required_with: None,
    },
    Field {
        key: "certificate",
        help: "Certificate (PEM) for which Graph encrypts notifications; made by Dragoman when left out",
        secret: true,
        required: false,
        required_with: None,
    },
    Field {
        key: "certificate_key",
        help: "Private key (PEM, PKCS#8, RSA) of that certificate; made by Dragoman when left out",
        secret: true,
        required: false,
        required_with: None,
    },
    Field {
        key: "certificate_id",
        help: "Name of that certificate, free to choose; made by Dragoman when left out",
        secret: false,
        required: false,
        required_with: None,
    },
];

/// Where an admin consents for the whole organisation.
pub(crate) fn consent_url(settings: &TeamsSettings, app: &App, redirect_uri: &str, state: &str) -> String {
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("client_id", app.fact("app_id"))
        .append_pair("scope", &settings.graph_scope)
        .append_pair("redirect_uri", redirect_uri)
        .append_pair("state", state)
        .finish();
    let login = settings.login_base.trim_end_matches('/');
    format!("{login}/{}/v2.0/adminconsent?{query}", crate::ids::segment(app.fact("tenant_id")))
}

/// What a person grants, in Graph's words: to post as them, and to edit and delete what was posted so ("Microsoft Graph
/// permissions reference"; `ChannelMessage.ReadWrite` needs the admin's consent, which the installation gives).
const PERSON_SCOPES: [&str; 5] =
    ["ChannelMessage.Send", "ChannelMessage.ReadWrite", "ChatMessage.Send", "Chat.ReadWrite", "User.Read"];

/// What a person grants beside where files are carried: to put those of their chats into their own drive. Who granted
/// their token before it was asked for has such files shown as links.
pub(crate) const PERSON_FILES: &str = "Files.ReadWrite";

fn person_scopes(settings: &TeamsSettings, app: &App) -> String {
    let graph = settings.graph_scope.strip_suffix(".default").unwrap_or_default();
    let files = app.features.contains("files").then_some(PERSON_FILES);
    let scopes = PERSON_SCOPES.into_iter().chain(files).map(|scope| format!("{graph}{scope}"));
    scopes.chain(["offline_access".to_owned()]).collect::<Vec<_>>().join(" ")
}

/// Where a person grants a token of their own.
pub(crate) fn authorize_person_url(
    settings: &TeamsSettings,
    app: &App,
    redirect_uri: &str,
    state: &str,
    code_challenge: &str,
) -> String {
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("client_id", app.fact("app_id"))
        .append_pair("response_type", "code")
        .append_pair("response_mode", "query")
        .append_pair("scope", &person_scopes(settings, app))
        .append_pair("redirect_uri", redirect_uri)
        .append_pair("state", state)
        .append_pair("code_challenge", code_challenge)
        .append_pair("code_challenge_method", "S256")
        .finish();
    let login = settings.login_base.trim_end_matches('/');
    format!("{login}/{}/oauth2/v2.0/authorize?{query}", crate::ids::segment(app.fact("tenant_id")))
}

impl TeamsConnector {
    /// Exchanges the code for a person's token. The tenant's own endpoint gives tokens of the tenant alone.
    pub(crate) async fn finish_grant(&self, app: &App, grant: &Grant) -> Result<Granted, InstallError> {
        let told =
            |name: &str| grant.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        match told("error") {
            Some("access_denied" | "consent_required") => return Err(InstallError::Denied),
            Some(error) => return Err(InstallError::Rejected(printable(error))),
            None => {}
        }
        let code =
            told("code").ok_or_else(|| InstallError::Rejected("the callback brought no code".to_owned()))?;
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &grant.redirect_uri),
            ("code_verifier", &grant.code_verifier),
            ("scope", &person_scopes(&self.client.settings, app)),
        ];
        let now_ms = self.client.clock.now_ms();
        let answer = self.client.token(app, &form).await.map_err(|failure| why(&failure, "the code"))?;
        let granted = answer.scope.as_deref().unwrap_or_default().to_ascii_lowercase();
        let granted: Vec<&str> =
            granted.split_ascii_whitespace().filter_map(|scope| scope.rsplit('/').next()).collect();
        let lacks = |scope: &&str| !granted.contains(&scope.to_ascii_lowercase().as_str());
        if let Some(scope) = PERSON_SCOPES.iter().find(|scope| !granted.is_empty() && lacks(scope)) {
            return Err(InstallError::Rejected(format!("{scope} was not granted")));
        }
        let url = self.client.graph_url("me?$select=id");
        let me: User = self
            .client
            .json_with(&answer.access_token, url)
            .await
            .map_err(|trouble| why(&trouble.failure(), "the token"))?;
        if me.id.is_empty() {
            return Err(InstallError::Rejected("Graph did not say whose token it is".to_owned()));
        }
        let tokens = TokenSet {
            access: answer.access_token,
            refresh: answer.refresh_token,
            expires_at_ms: Some(now_ms + answer.expires_in.max(1) * 1000),
        };
        Ok(Granted { user: RemoteUser::from(me.id), tokens })
    }

    /// The certificate and the secret of notifications for a new registration. Certificate, key and name belong
    /// together: who brings one brings all three.
    pub(crate) fn generate(&self) -> BTreeMap<String, String> {
        let mut bytes = [0_u8; 32];
        self.client.random.fill(&mut bytes);
        let mut made = BTreeMap::from([("notification_secret".to_owned(), hex::encode(bytes))]);
        match crypt::make_certificate(self.client.clock.now_ms()) {
            Ok(certificate) => made.extend([
                ("certificate".to_owned(), certificate.certificate_pem),
                ("certificate_key".to_owned(), certificate.key_pem.expose().to_owned()),
                ("certificate_id".to_owned(), certificate.id),
            ]),
            // A registration without one says so when a conversation is to be watched.
            Err(_) => {
                tracing::error!(code = %CONFIG, "no certificate for change notifications could be made");
            }
        }
        made
    }

    pub(crate) async fn finish_installation(
        &self,
        app: &App,
        grant: &Grant,
    ) -> Result<Installed, InstallError> {
        let told =
            |name: &str| grant.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        match told("error") {
            Some("access_denied" | "consent_required") => return Err(InstallError::Denied),
            Some(error) => return Err(InstallError::Rejected(printable(error))),
            None => {}
        }
        let tenant = app.fact("tenant_id");
        if told("tenant").is_some_and(|it| !it.eq_ignore_ascii_case(tenant)) {
            return Err(InstallError::Rejected(
                "consent was given in another tenant than the app's".to_owned(),
            ));
        }
        for audience in [Audience::Bot, Audience::Graph] {
            self.client.client_credentials(app, audience).await.map_err(|failure| match failure {
                Failure::Retry { code, .. } => InstallError::Unreachable(code),
                _ => {
                    InstallError::Rejected("no token for this app id, tenant id and client secret".to_owned())
                }
            })?;
        }
        // Reading the organisation's name needs a permission that nothing else does: its absence is no fault.
        let url = self.client.graph_url("organization?$select=displayName");
        let name = self
            .client
            .app_json::<Collection<Organization>>(app, url)
            .await
            .ok()
            .and_then(|mut found| found.value.pop())
            .and_then(|organization| organization.display_name)
            .unwrap_or_else(|| tenant.to_owned());
        Ok(Installed {
            workspace: RemoteWorkspace::from(tenant),
            name,
            facts: Facts::new(),
            scopes: BTreeSet::new(),
            tokens: None,
        })
    }
}

fn why(failure: &Failure, what: &str) -> InstallError {
    match failure {
        Failure::Retry { code, .. } => InstallError::Unreachable(*code),
        _ => InstallError::Rejected(format!("Microsoft refused {what}")),
    }
}

/// An error word of a query, as it can be shown.
fn printable(word: &str) -> String {
    word.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-')).take(64).collect()
}
