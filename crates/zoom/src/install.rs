//! Registration and OAuth, as in Zoom's "OAuth 2.0" guide.

use std::collections::BTreeSet;

use dragoman_model::{PersonId, RemoteUser, RemoteWorkspace, codes};
use dragoman_platform::{
    App, Facts, Field, Grant, Granted, InstallError, Installation, Installed, TokenSet, TokenSlot,
};
use dragoman_seal::Token;

use crate::api::{Call, CallError, segment};
use crate::client::Client;
use crate::decode::mail_digest;
use crate::errors::Class;
use crate::settings::ZoomSettings;
use crate::tokens;
use crate::wire::answers::User;

const fn field(key: &'static str, help: &'static str, secret: bool, required: bool) -> Field {
    Field { key, help, secret, required, required_with: None }
}

/// What an app registration holds.
pub(crate) const FIELDS: &[Field] = &[
    field("client_id", "Client ID: marketplace.zoom.us, your app, App Credentials", false, true),
    field("client_secret", "Client Secret: App Credentials", true, true),
    field(
        "secret_token",
        "Secret Token: Features, Access; development and production have one each",
        true,
        true,
    ),
    field(
        "bridge_user",
        "e-mail address or user id of the licensed user that posts the copies; the installing administrator where it is not given",
        false,
        false,
    ),
    field(
        "transport",
        "`http` (default) or `socket`: how events come; `socket` needs no public address, but only serves your own account",
        false,
        false,
    ),
    Field {
        key: "subscription_id",
        help: "the subscriptionId in the address of the event connection, for `socket`: Features, Access, Event Subscription",
        secret: false,
        required: false,
        required_with: Some(("transport", "socket")),
    },
    field(
        tokens::PERSON_CLIENT_ID,
        "Client ID of a second, user-managed app, for people who speak in their own name; with the scopes team_chat:write:user_message, team_chat:update:user_message, team_chat:delete:user_message and user:read:user",
        false,
        false,
    ),
    field(tokens::PERSON_CLIENT_SECRET, "Client Secret of that second app", true, false),
    field(
        "header_name",
        "name of a custom header that the event subscription sends, as a second proof beside the signature",
        false,
        false,
    ),
    Field {
        key: "header_value",
        help: "value of that header: 16 characters or more that only Zoom knows",
        secret: true,
        required: false,
        required_with: None,
    },
];

/// The consent page.
pub(crate) fn authorize_url(
    settings: &ZoomSettings,
    app: &App,
    redirect_uri: &str,
    state: &str,
    code_challenge: &str,
) -> String {
    consent_url(settings, app.fact("client_id"), [redirect_uri, state, code_challenge])
}

/// The consent page for a person's own token. `None`: there is no app that a person could grant it to.
pub(crate) fn authorize_person_url(
    settings: &ZoomSettings,
    app: &App,
    redirect_uri: &str,
    state: &str,
    code_challenge: &str,
) -> Option<String> {
    let id = app.fact(tokens::PERSON_CLIENT_ID);
    let asked = [redirect_uri, state, code_challenge];
    (!id.is_empty() && app.secret(tokens::PERSON_CLIENT_SECRET).is_some())
        .then(|| consent_url(settings, id, asked))
}

fn consent_url(
    settings: &ZoomSettings,
    client_id: &str,
    [redirect_uri, state, code_challenge]: [&str; 3],
) -> String {
    let mut url = settings.oauth_base.clone();
    url.set_path(&format!("{}authorize", url.path()));
    url.query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", client_id)
        .append_pair("redirect_uri", redirect_uri)
        .append_pair("state", state)
        .append_pair("code_challenge", code_challenge)
        .append_pair("code_challenge_method", "S256");
    url.into()
}

/// Exchanges the code and learns who the bridge user is.
pub(crate) async fn install(client: &Client, app: &App, grant: &Grant) -> Result<Installed, InstallError> {
    let (set, scopes) = exchange(client, app, &TokenSlot::App, grant).await?;
    let bridge = app.fact("bridge_user");
    let user = user(client, &set.access, bridge).await?;
    let account = user.account_id.filter(|account| !account.is_empty());
    let account =
        account.ok_or_else(|| rejected("Zoom did not name the account; grant user:read:user:admin"))?;
    let mut facts = Facts::from([("bridge_user".to_owned(), user.id)]);
    if let Some(mail) = user.email.filter(|mail| !mail.is_empty()) {
        facts.insert("bridge_mail".to_owned(), mail_digest(&mail));
    }
    Ok(Installed {
        workspace: RemoteWorkspace::from(account),
        name: user.company.unwrap_or_default(),
        facts,
        scopes,
        tokens: Some(set),
    })
}

/// Exchanges the code for a person's token.
pub(crate) async fn grant_person(
    client: &Client,
    app: &App,
    installation: &Installation,
    grant: &Grant,
) -> Result<Granted, InstallError> {
    // Whose it is comes out below; all people use one app.
    let slot = TokenSlot::Person(PersonId::from(""));
    let (tokens, scopes) = exchange(client, app, &slot, grant).await?;
    let has = |asked: &str| {
        scopes.is_empty()
            || scopes
                .iter()
                .map(|scope| scope.strip_suffix(":admin").unwrap_or(scope))
                .any(|scope| scope == asked)
    };
    let verbs = ["write", "update", "delete"];
    if !has("chat_message:write") && !verbs.iter().all(|verb| has(&format!("team_chat:{verb}:user_message")))
    {
        return Err(rejected("not everything that posting, editing and deleting need was granted"));
    }
    let user = user(client, &tokens.access, "").await?;
    if user.account_id.is_some_and(|account| account != installation.workspace.as_str()) {
        return Err(rejected("it was granted in another account"));
    }
    if user.id == installation.fact("bridge_user") {
        return Err(rejected("that is the user who posts for everybody; sign in as the person"));
    }
    Ok(Granted { user: RemoteUser::from(user.id), tokens })
}

/// A user as a token shows them; an empty id means the token's own.
async fn user(client: &Client, token: &Token, id: &str) -> Result<User, InstallError> {
    let path = format!("users/{}", if id.is_empty() { "me".to_owned() } else { segment(id) });
    let user =
        client.bearer(&Call::get(path), token).await.map_err(|error| why(&error, "the bridge user"))?;
    serde_json::from_slice(user.body.expose())
        .map_err(|_| rejected("the answer about the bridge user was not understood"))
}

async fn exchange(
    client: &Client,
    app: &App,
    slot: &TokenSlot,
    grant: &Grant,
) -> Result<(TokenSet, BTreeSet<String>), InstallError> {
    let asked = |key: &str| grant.query.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
    match asked("error") {
        Some("access_denied") => return Err(InstallError::Denied),
        Some(_) => return Err(rejected("the consent page reported an error")),
        None => {}
    }
    let code = asked("code").ok_or_else(|| rejected("the callback brought no code"))?;
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", grant.redirect_uri.as_str()),
        ("code_verifier", grant.code_verifier.as_str()),
    ];
    let answer = tokens::grant(client, app, slot, &form).await.map_err(|error| why(&error, "the code"))?;
    let scopes: BTreeSet<String> =
        answer.scope.as_deref().unwrap_or_default().split_whitespace().map(str::to_owned).collect();
    let set =
        tokens::set_of(answer, client.clock.now_ms()).ok_or_else(|| rejected("no token was granted"))?;
    Ok((set, scopes))
}

fn rejected(why: &str) -> InstallError {
    InstallError::Rejected(why.to_owned())
}

fn why(error: &CallError, what: &str) -> InstallError {
    match error.class() {
        Some(Class::Wait | Class::WaitHere) => InstallError::Unreachable(codes::RATE_LIMITED),
        Some(Class::Transient | Class::Ambiguous) => InstallError::Unreachable(codes::TARGET_FAILED),
        Some(Class::Person) => rejected("there is no user as bridge_user says"),
        Some(_) => rejected(&format!("Zoom refused {what}")),
        None => InstallError::Unreachable(error.clone().failure().code()),
    }
}
