//! Registration and OAuth, as in Slack's "Installing with OAuth".

use std::collections::BTreeSet;

use dragoman_model::{RemoteUser, RemoteWorkspace, codes};
use dragoman_platform::{
    App, Facts, Failure, Field, Grant, Granted, InstallError, Installation, Installed, TokenSet,
};
use dragoman_seal::Token;

use crate::api::{Arguments, CallError};
use crate::client::{Client, Proof, understand};
use crate::package;
use crate::settings::SlackSettings;
use crate::tokens;
use crate::wire::answers::{AuthTest, Form, Named, Nothing, OAuth};

/// What an app registration holds.
pub(crate) const FIELDS: &[Field] = &[
    Field {
        key: "client_id",
        help: "Client ID: api.slack.com/apps, your app, Basic Information, App Credentials",
        secret: false,
        required: true,
        required_with: None,
    },
    Field {
        key: "client_secret",
        help: "Client Secret: Basic Information, App Credentials",
        secret: true,
        required: true,
        required_with: None,
    },
    Field {
        key: "signing_secret",
        help: "Signing Secret: Basic Information, App Credentials",
        secret: true,
        required: true,
        required_with: None,
    },
    Field {
        key: "transport",
        help: "`http` (default) or `socket`: how events come; `socket` needs no public address",
        secret: false,
        required: false,
        required_with: None,
    },
    Field {
        key: "app_token",
        help: "App-level token (xapp-…) with connections:write, for `socket`: Basic Information, App-Level Tokens",
        secret: true,
        required: false,
        required_with: Some(("transport", "socket")),
    },
    Field {
        key: "pkce",
        help: "`true` only if PKCE was switched on in OAuth & Permissions; the gateway does not need it",
        secret: false,
        required: false,
        required_with: None,
    },
    Field {
        key: "app_id",
        help: "App ID (A…); learnt at installation where it is not given",
        secret: false,
        required: false,
        required_with: None,
    },
];

/// Whether the app is switched to PKCE in its settings. Others refuse its arguments, and the switch cannot be
/// undone: it makes the app a public client whose refresh tokens end after thirty days (Slack's "Using PKCE").
/// A gateway keeps a client secret and does not need it.
fn uses_pkce(app: &App) -> bool {
    app.fact("pkce") == "true"
}

/// The consent page.
pub(crate) fn authorize_url(
    settings: &SlackSettings,
    app: &App,
    redirect_uri: &str,
    state: &str,
    code_challenge: &str,
) -> String {
    let scopes: Vec<String> = package::scopes(&app.features).into_iter().map(|scope| scope.name).collect();
    let mut url = settings.authorize_url.clone();
    url.query_pairs_mut()
        .append_pair("client_id", app.fact("client_id"))
        .append_pair("scope", &scopes.join(","))
        .append_pair("redirect_uri", redirect_uri)
        .append_pair("state", state);
    challenge(&mut url, app, code_challenge);
    url.into()
}

/// What a person grants: to post as them, and to edit and delete what was posted so.
const PERSON_SCOPE: &str = "chat:write";

/// Everything that people are asked for, each with its reason; what is not granted beyond the first, the app does.
/// Asked for where the app itself may do the same.
pub(crate) const PERSON_SCOPES: [(&str, &str); 3] = [
    (PERSON_SCOPE, "post, edit and delete their copies in their own name"),
    ("reactions:write", "react in their own name"),
    ("files:write", "post their files in their own name, and delete them with their messages"),
];

/// The scopes that people are asked for.
fn person_scopes(app: &App) -> String {
    let may = package::scopes(&app.features);
    let asked =
        PERSON_SCOPES.iter().map(|(name, _)| *name).filter(|name| may.iter().any(|it| it.name == *name));
    asked.collect::<Vec<_>>().join(",")
}

/// The consent page for a person's own token.
pub(crate) fn authorize_person_url(
    settings: &SlackSettings,
    app: &App,
    redirect_uri: &str,
    state: &str,
    code_challenge: &str,
) -> String {
    let mut url = settings.authorize_url.clone();
    url.query_pairs_mut()
        .append_pair("client_id", app.fact("client_id"))
        .append_pair("user_scope", &person_scopes(app))
        .append_pair("redirect_uri", redirect_uri)
        .append_pair("state", state);
    challenge(&mut url, app, code_challenge);
    url.into()
}

fn challenge(url: &mut url::Url, app: &App, code_challenge: &str) {
    if uses_pkce(app) {
        url.query_pairs_mut()
            .append_pair("code_challenge", code_challenge)
            .append_pair("code_challenge_method", "S256");
    }
}

/// Ends a person's token ("auth.revoke"); one that has ended already is fine.
pub(crate) async fn revoke_person(client: &Client, tokens: &TokenSet) -> Result<(), Failure> {
    let proof = Proof::Bearer(&tokens.access);
    match client.ask::<Nothing>("auth.revoke", &Arguments::Form(Form::new()), &proof).await {
        Ok(_) => Ok(()),
        Err(error) => match error.failure() {
            Failure::SignIn(_) => Ok(()),
            failure => Err(failure),
        },
    }
}

/// Exchanges the code for a person's token, which is beside the app's in the answer.
pub(crate) async fn grant_person(
    client: &Client,
    app: &App,
    installation: &Installation,
    grant: &Grant,
) -> Result<Granted, InstallError> {
    let answer = exchange(client, app, grant).await?;
    let place = if answer.is_enterprise_install.unwrap_or(false) { &answer.enterprise } else { &answer.team };
    let teams =
        [installation.workspace.as_str(), installation.fact("team_id"), installation.fact("enterprise_id")];
    if !place.as_ref().is_some_and(|named| teams.contains(&named.id.as_str())) {
        return Err(rejected("it was granted in another workspace"));
    }
    let person = answer.authed_user.ok_or_else(|| rejected("no token of a person was granted"))?;
    let scopes = person.scope.as_deref().unwrap_or_default();
    if !scopes.split(',').any(|scope| scope.trim() == PERSON_SCOPE) {
        return Err(rejected("chat:write was not granted"));
    }
    let expires = person.expires_in.map(|seconds| seconds.saturating_mul(1_000));
    let access = person.access_token.ok_or_else(|| rejected("no token of a person was granted"))?;
    let tokens = TokenSet {
        access,
        refresh: person.refresh_token,
        expires_at_ms: expires.map(|life_ms| client.clock.now_ms().saturating_add(life_ms)),
    };
    Ok(Granted { user: RemoteUser::from(person.id), tokens })
}

/// Exchanges the code and learns who we are.
pub(crate) async fn install(client: &Client, app: &App, grant: &Grant) -> Result<Installed, InstallError> {
    let answer = exchange(client, app, grant).await?;
    let token = answer.access_token.as_ref().ok_or_else(|| rejected("no bot token was granted"))?;
    let test: AuthTest = client
        .ask("auth.test", &Arguments::Form(Form::new()), &Proof::Bearer(token))
        .await
        .map_err(|error| why(&error))?;
    finish(answer, test, client.clock.now_ms())
}

async fn exchange(client: &Client, app: &App, grant: &Grant) -> Result<OAuth, InstallError> {
    let asked = |key: &str| grant.query.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
    match asked("error") {
        Some("access_denied") => return Err(InstallError::Denied),
        Some(other) => return Err(rejected(other)),
        None => {}
    }
    let code = asked("code").ok_or_else(|| rejected("the callback brought no code"))?;
    let secret = app.secret("client_secret").ok_or_else(|| rejected("the app has no client secret"))?;
    let mut form = Form::from([("code", code.to_owned()), ("redirect_uri", grant.redirect_uri.clone())]);
    if uses_pkce(app) {
        form.insert("code_verifier", grant.code_verifier.clone());
    }
    let proof = Proof::Client { id: app.fact("client_id"), secret };
    client.ask("oauth.v2.access", &Arguments::Form(form), &proof).await.map_err(|error| why(&error))
}

/// Takes over a bot token that an admin copied from the app's settings. Its scopes come as a header of every
/// answer.
pub(crate) async fn adopt(client: &Client, token: Token) -> Result<Installed, InstallError> {
    if !token.expose().starts_with("xoxb-") {
        return Err(rejected("it is no bot token: copy the Bot User OAuth Token (xoxb-…)"));
    }
    let arguments = Arguments::Form(Form::new());
    let response = client
        .exchange("auth.test", &arguments, &Proof::Bearer(&token))
        .await
        .map_err(|error| why(&error))?;
    let test: AuthTest = understand(&response, client.clock.now_ms()).map_err(|error| why(&error))?;
    let scopes = response.headers.get("x-oauth-scopes").and_then(|value| value.to_str().ok());
    let whole_organisation = test.is_enterprise_install.unwrap_or(false);
    let team = test.team_id.clone().filter(|_| !whole_organisation);
    let answer = OAuth {
        access_token: Some(token),
        refresh_token: None,
        expires_in: None,
        scope: scopes.map(str::to_owned),
        bot_user_id: test.user_id.clone(),
        app_id: test.app_id.clone(),
        team: team.map(|id| Named { id, name: test.team.clone() }),
        enterprise: test.enterprise_id.clone().map(|id| Named { id, name: None }),
        is_enterprise_install: test.is_enterprise_install,
        authed_user: None,
    };
    finish(answer, test, client.clock.now_ms())
}

fn finish(answer: OAuth, test: AuthTest, now_ms: i64) -> Result<Installed, InstallError> {
    let whole_organisation = answer.is_enterprise_install.unwrap_or(false);
    let place = if whole_organisation { &answer.enterprise } else { &answer.team };
    let (id, name) = match place {
        Some(named) => (named.id.clone(), named.name.clone().unwrap_or_default()),
        None => (test.team_id.clone().ok_or_else(|| rejected("no workspace was named"))?, String::new()),
    };
    let enterprise = answer.enterprise.as_ref().map(|named| named.id.clone()).or(test.enterprise_id);
    let mut facts = Facts::new();
    let mut keep = |key: &str, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            facts.insert(key.to_owned(), value);
        }
    };
    keep("team_id", answer.team.as_ref().map(|named| named.id.clone()).or(test.team_id));
    keep("enterprise_id", enterprise);
    keep("bot_user_id", answer.bot_user_id.clone().or(test.user_id));
    keep("bot_id", test.bot_id);
    keep("app_id", answer.app_id.clone().or(test.app_id));
    keep("url", test.url);
    let scopes: BTreeSet<String> = answer
        .scope
        .as_deref()
        .unwrap_or_default()
        .split(',')
        .map(str::trim)
        .filter(|scope| !scope.is_empty())
        .map(str::to_owned)
        .collect();
    Ok(Installed {
        workspace: RemoteWorkspace::from(id),
        name,
        facts,
        scopes,
        tokens: tokens::set_of(answer, now_ms),
    })
}

fn rejected(why: &str) -> InstallError {
    InstallError::Rejected(why.to_owned())
}

fn why(error: &CallError) -> InstallError {
    match error {
        CallError::Slack { error, .. } if error == "ratelimited" => {
            InstallError::Unreachable(codes::RATE_LIMITED)
        }
        CallError::Slack { error, .. } => rejected(error),
        other => InstallError::Unreachable(other.clone().failure().code()),
    }
}
