//! Registration and OAuth, as in Webex's "Integrations & Authorization"; bots by their token.

use std::collections::{BTreeMap, BTreeSet};

use dragoman_model::{Random, codes};
use dragoman_platform::{App, Facts, Field, Grant, Granted, InstallError, Installation, Installed, TokenSet};
use dragoman_seal::Token;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::capabilities::{self, ACCOUNT, BOT};
use crate::client::{Call, Client, understood};
use crate::errors::Trouble;
use crate::settings::WebexSettings;
use crate::wire::answers::{OAuth, Person};
use crate::{ids, package, tokens};

/// What an app registration holds.
pub(crate) const FIELDS: &[Field] = &[
    Field {
        key: "client_id",
        help: "Client ID: developer.webex.com, My Webex Apps, your integration",
        secret: false,
        required: false,
        required_with: Some((ACCOUNT, "integration")),
    },
    Field {
        key: "client_secret",
        help: "Client Secret: shown once when the integration is created",
        secret: true,
        required: false,
        required_with: Some((ACCOUNT, "integration")),
    },
    Field {
        key: ACCOUNT,
        help: "`integration` (default: an account of its own relays everything in its spaces) or `bot` (only what mentions it, and direct messages)",
        secret: false,
        required: false,
        required_with: None,
    },
    Field {
        key: "webhook_secret",
        help: "Signs what Webex delivers; made by the gateway",
        secret: true,
        required: true,
        required_with: None,
    },
];

/// What only the gateway has to know.
pub(crate) fn generated(random: &dyn Random) -> BTreeMap<String, String> {
    let mut bytes = [0_u8; 32];
    random.fill(&mut bytes);
    let fact = |key: &str, value: String| (key.to_owned(), value);
    BTreeMap::from([fact("webhook_secret", hex::encode(bytes)), fact(ACCOUNT, "integration".to_owned())])
}

/// The consent page. Spaces are `%20` here, not `+`.
pub(crate) fn authorize_url(
    settings: &WebexSettings,
    app: &App,
    redirect_uri: &str,
    state: &str,
    code_challenge: &str,
) -> String {
    let scopes: Vec<String> = package::scopes(&app.features).into_iter().map(|scope| scope.name).collect();
    let asked = Asked { redirect_uri, state, code_challenge };
    consent_url(settings, app, &scopes.join(" "), &asked)
}

/// The consent page for a person's own token.
pub(crate) fn authorize_person_url(
    settings: &WebexSettings,
    app: &App,
    redirect_uri: &str,
    state: &str,
    code_challenge: &str,
) -> Option<String> {
    // A bot is no integration: there is no client that a person could grant anything.
    let integration = !app.fact("client_id").is_empty() && app.fact(ACCOUNT) != BOT;
    let asked = Asked { redirect_uri, state, code_challenge };
    integration.then(|| consent_url(settings, app, &PERSON_SCOPES.join(" "), &asked))
}

/// What a person grants: to post as them, to edit and delete what was posted so, to find it again after a lost answer,
/// and to say who they are.
const PERSON_SCOPES: [&str; 3] = ["spark:messages_read", "spark:messages_write", "spark:people_read"];

/// What goes with the request and comes back.
struct Asked<'a> {
    redirect_uri: &'a str,
    state: &'a str,
    code_challenge: &'a str,
}

fn consent_url(settings: &WebexSettings, app: &App, scopes: &str, asked: &Asked<'_>) -> String {
    let Asked { redirect_uri, state, code_challenge } = *asked;
    let pairs = [
        ("response_type", "code"),
        ("client_id", app.fact("client_id")),
        ("redirect_uri", redirect_uri),
        ("scope", scopes),
        ("state", state),
        ("code_challenge", code_challenge),
        ("code_challenge_method", "S256"),
    ];
    let query: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)))
        .collect();
    let mut url = settings.authorize_url.clone();
    url.set_query(Some(&query.join("&")));
    url.into()
}

/// Exchanges the code and learns which account it is.
pub(crate) async fn install(client: &Client, app: &App, grant: &Grant) -> Result<Installed, InstallError> {
    let (set, scopes) = exchange(client, app, grant).await?;
    let me = me(client, &set.access).await?;
    finish(me, scopes, set)
}

/// Exchanges the code for a person's token.
pub(crate) async fn grant_person(
    client: &Client,
    app: &App,
    installation: &Installation,
    grant: &Grant,
) -> Result<Granted, InstallError> {
    let (tokens, scopes) = exchange(client, app, grant).await?;
    let granted = |asked: &str| scopes.is_empty() || scopes.iter().any(|it| capabilities::covers(it, asked));
    if !PERSON_SCOPES.iter().all(|asked| granted(asked)) {
        return Err(rejected("not everything that was asked for was granted"));
    }
    let me = me(client, &tokens.access).await?;
    let user = ids::person(&me.id);
    if user.as_str() == installation.fact("person_id") {
        return Err(rejected("that is the account of the gateway itself; sign in as the person"));
    }
    Ok(Granted { user, tokens })
}

async fn exchange(
    client: &Client,
    app: &App,
    grant: &Grant,
) -> Result<(TokenSet, BTreeSet<String>), InstallError> {
    let asked = |key: &str| grant.query.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
    match asked("error") {
        Some("access_denied") => return Err(InstallError::Denied),
        Some("invalid_scope") => {
            return Err(rejected("the integration does not have all scopes that the app's features need"));
        }
        Some(_) => return Err(rejected("the consent page sent an error back")),
        None => {}
    }
    let code = asked("code").ok_or_else(|| rejected("the callback brought no code"))?;
    let secret = app.secret("client_secret").ok_or_else(|| rejected("the app has no client secret"))?;
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", app.fact("client_id")),
        ("client_secret", secret.expose()),
        ("code", code),
        ("redirect_uri", &grant.redirect_uri),
        ("code_verifier", &grant.code_verifier),
    ];
    let answer: OAuth = client.tokens(&form).await.map_err(|trouble| why(&trouble))?;
    let scopes = answer.scope.as_deref().unwrap_or_default();
    let scopes: BTreeSet<String> = scopes.split_ascii_whitespace().map(str::to_owned).collect();
    let set = tokens::set_of(answer, client.clock.now_ms());
    let set = set.ok_or_else(|| rejected("no token was granted"))?;
    Ok((set, scopes))
}

/// Takes over a bot's token. It does not end, and a bot has no scopes.
pub(crate) async fn adopt(client: &Client, token: Token) -> Result<Installed, InstallError> {
    let me = me(client, &token).await?;
    if me.kind.as_deref() != Some(BOT) {
        return Err(rejected(
            "it is no bot's token: for an account of a person use `dragoman install start webex`, so that the token can be renewed",
        ));
    }
    finish(me, BTreeSet::new(), TokenSet { access: token, refresh: None, expires_at_ms: None })
}

async fn me(client: &Client, token: &Token) -> Result<Person, InstallError> {
    let call = Call::get(client.url(&["people", "me"], &[]));
    let response = client.ask(token, &call).await.map_err(|trouble| why(&trouble))?;
    understood(&response).map_err(|trouble| why(&trouble))
}

fn finish(me: Person, scopes: BTreeSet<String>, set: TokenSet) -> Result<Installed, InstallError> {
    let org = me.org_id.as_deref().filter(|org| !org.is_empty());
    let workspace = ids::organisation(org.ok_or_else(|| rejected("the account's organisation is not told"))?);
    let bot = me.kind.as_deref() == Some(BOT);
    let account = if bot { BOT } else { "integration" };
    let fact = |key: &str, value: String| (key.to_owned(), value);
    // The organisation's name needs an administrator's scope; the domain of its account names it as well.
    let domain =
        me.emails.iter().find_map(|email| email.split_once('@')).map(|(_, domain)| domain.to_owned());
    let name = if bot { me.display_name } else { domain };
    Ok(Installed {
        facts: Facts::from([
            fact("person_id", ids::person(&me.id).as_str().to_owned()),
            fact(ACCOUNT, account.to_owned()),
        ]),
        name: name.filter(|name| !name.is_empty()).unwrap_or_else(|| workspace.to_string()),
        workspace,
        scopes,
        tokens: Some(set),
    })
}

fn rejected(why: &str) -> InstallError {
    InstallError::Rejected(why.to_owned())
}

fn why(trouble: &Trouble) -> InstallError {
    match trouble {
        Trouble::Refused(refusal) if refusal.status == 429 || refusal.status >= 500 => {
            InstallError::Unreachable(trouble.clone().failure().code())
        }
        Trouble::Refused(refusal) => {
            InstallError::Rejected(format!("it answered with status {}", refusal.status))
        }
        Trouble::Garbled => InstallError::Unreachable(codes::MALFORMED),
        other => InstallError::Unreachable(other.clone().failure().code()),
    }
}
