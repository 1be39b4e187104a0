//! `oauth.v2.access` and `oauth.v2.exchange`: codes, refreshes, exchanges.

use std::collections::BTreeSet;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;
use indexmap::IndexMap;
use serde_json::{Map, Value, json};

use super::tools::members;
use crate::slack::args::Args;
use crate::slack::config::SeedApp;
use crate::slack::desk::Desk;
use crate::slack::dispatch::{ApiResult, client_credentials};
use crate::slack::engine::Engine;
use crate::slack::error::{ApiError, refuse};
use crate::slack::state::{Bot, Code, Install, Refresh, Token, TokenKind, User};

/// Seconds an access token lives with rotation.
const LIFE: i64 = 43_200;
/// Seconds a used refresh token keeps working.
const GRACE: i64 = 60;

/// Methods that authenticate with client credentials.
pub fn client_call(engine: &Arc<Engine>, method: &str, headers: &HeaderMap, args: &Args) -> ApiResult {
    let (id, secret) = client_credentials(headers, args);
    let app =
        id.and_then(|id| engine.app(|app| app.client_id == id)).ok_or_else(|| refuse("invalid_client_id"))?;
    let public = app.pkce && args.has("code_verifier") && secret.is_none();
    if !public && secret.as_deref() != Some(app.client_secret.as_str()) {
        return Err(refuse("bad_client_secret"));
    }
    engine.operate(|desk| match (method, args.text("grant_type").as_deref()) {
        ("oauth.v2.exchange", _) => exchange(desk, &app, args),
        (_, Some("refresh_token")) => refresh(desk, &app, args),
        (_, None | Some("authorization_code" | "")) => redeem(desk, &app, args),
        _ => Err(refuse("invalid_grant_type")),
    })
}

fn redeem(desk: &mut Desk<'_>, app: &SeedApp, args: &Args) -> ApiResult {
    let text = args.text("code").unwrap_or_default();
    let now = desk.now / 1_000_000;
    let code = desk.state.codes.get(&text).ok_or_else(|| refuse("invalid_code"))?.clone();
    if code.app_id != app.app_id || code.expires <= now {
        return Err(refuse("invalid_code"));
    }
    if code.redirect_uri != args.text("redirect_uri").filter(|uri| !uri.is_empty()) {
        return Err(refuse("bad_redirect_uri"));
    }
    match (&code.challenge, args.text("code_verifier")) {
        (Some(challenge), Some(verifier)) => {
            let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, verifier.as_bytes());
            if URL_SAFE_NO_PAD.encode(digest.as_ref()) != *challenge {
                return Err(refuse("invalid_code_verifier"));
            }
        }
        (Some(_), None) => return Err(refuse("invalid_code_verifier")),
        (None, Some(_)) if !app.pkce => return Err(refuse("pkce_not_allowed")),
        (None, _) => {}
    }
    desk.state.codes.shift_remove(&text);
    Ok(grant_tokens(desk, app, &code, None))
}

/// Makes or extends an installation and its tokens, and the answer that tells of them. `fixed` gives the bot
/// token's text.
pub fn grant_tokens(
    desk: &mut Desk<'_>,
    app: &SeedApp,
    code: &Code,
    fixed: Option<&str>,
) -> Map<String, Value> {
    let org = code.place.starts_with('E');
    let team = (!org).then(|| code.place.clone());
    let enterprise = org.then(|| code.place.clone());
    let home = team.clone().unwrap_or_else(|| {
        let owned =
            |team: &&crate::slack::state::Team| team.enterprise.as_deref() == Some(code.place.as_str());
        desk.state.teams.values().find(owned).map(|team| team.id.clone()).unwrap_or_default()
    });
    let known =
        desk.state.installs.iter().position(|known| {
            known.app_id == app.app_id && known.team == team && known.enterprise == enterprise
        });
    let index = known.unwrap_or_else(|| {
        desk.state.installs.push(Install {
            app_id: app.app_id.clone(),
            team: team.clone(),
            enterprise: enterprise.clone(),
            bot_user: None,
            bot_id: None,
            scopes: BTreeSet::new(),
            users: IndexMap::new(),
        });
        desk.state.installs.len() - 1
    });
    let mut answer = Map::new();
    if !code.scopes.is_empty() {
        let (bot_user, bot_id) = bot_identity(desk, app, index, &home);
        // Scopes only ever grow.
        let install = &mut desk.state.installs[index];
        install.scopes.extend(code.scopes.iter().cloned());
        let scopes = install.scopes.clone();
        let template = Token {
            text: String::new(),
            kind: TokenKind::Bot,
            app_id: app.app_id.clone(),
            team: team.clone(),
            enterprise: enterprise.clone(),
            user: bot_user.clone(),
            bot_id: Some(bot_id),
            scopes,
            expires: None,
            revoked: false,
            exchanged: false,
        };
        answer = issue(desk, app, template, fixed);
        answer.insert("bot_user_id".to_owned(), json!(bot_user));
    }
    let mut authed = Map::from_iter([("id".to_owned(), json!(code.user))]);
    if !code.user_scopes.is_empty() {
        let bot_id = shadow_bot(desk, app, &home);
        let granted = desk.state.installs[index].users.entry(code.user.clone()).or_default();
        granted.extend(code.user_scopes.iter().cloned());
        let scopes = granted.clone();
        let template = Token {
            text: String::new(),
            kind: TokenKind::User,
            app_id: app.app_id.clone(),
            team: team.clone(),
            enterprise: enterprise.clone(),
            user: code.user.clone(),
            bot_id: Some(bot_id),
            scopes,
            expires: None,
            revoked: false,
            exchanged: false,
        };
        authed.extend(issue(desk, app, template, None));
    }
    let enterprise_id = enterprise.or_else(|| {
        team.as_ref().and_then(|id| desk.state.teams.get(id)).and_then(|team| team.enterprise.clone())
    });
    let enterprise_name = desk.state.enterprise.as_ref().map(|(_, name)| name.clone());
    answer.extend(members([
        ("app_id", json!(app.app_id)),
        (
            "team",
            match team.as_ref().and_then(|id| desk.state.teams.get(id)) {
                Some(team) => json!({"id": team.id, "name": team.name}),
                None => Value::Null,
            },
        ),
        (
            "enterprise",
            match enterprise_id {
                Some(id) => json!({"id": id, "name": enterprise_name}),
                None => Value::Null,
            },
        ),
        ("is_enterprise_install", json!(org)),
        ("authed_user", Value::Object(authed)),
    ]));
    answer
}

fn bot_identity(desk: &mut Desk<'_>, app: &SeedApp, index: usize, home: &str) -> (String, String) {
    let install = &desk.state.installs[index];
    if let (Some(user), Some(bot)) = (&install.bot_user, &install.bot_id) {
        return (user.clone(), bot.clone());
    }
    let user_id = format!("U{}", desk.world.upper(10));
    let bot_id = format!("B{}", desk.world.upper(10));
    let now = desk.now / 1_000_000;
    desk.state.users.insert(
        user_id.clone(),
        User {
            id: user_id.clone(),
            team: home.to_owned(),
            handle: app.name.to_lowercase().replace(' ', "_"),
            real_name: app.name.clone(),
            display_name: String::new(),
            email: None,
            admin: false,
            deleted: false,
            guest: false,
            bot_id: Some(bot_id.clone()),
            updated: now,
        },
    );
    desk.state.bots.insert(
        bot_id.clone(),
        Bot {
            id: bot_id.clone(),
            app_id: app.app_id.clone(),
            team: home.to_owned(),
            user_id: Some(user_id.clone()),
            name: app.name.clone(),
            deleted: false,
            updated: now,
        },
    );
    let install = &mut desk.state.installs[index];
    install.bot_user = Some(user_id.clone());
    install.bot_id = Some(bot_id.clone());
    (user_id, bot_id)
}

/// The bot profile that posts with people's tokens carry: another one than the app's bot.
fn shadow_bot(desk: &mut Desk<'_>, app: &SeedApp, home: &str) -> String {
    let known = desk
        .state
        .bots
        .values()
        .find(|bot| bot.app_id == app.app_id && bot.team == home && bot.user_id.is_none())
        .map(|bot| bot.id.clone());
    known.unwrap_or_else(|| {
        let id = format!("B{}", desk.world.upper(10));
        let bot = Bot {
            id: id.clone(),
            app_id: app.app_id.clone(),
            team: home.to_owned(),
            user_id: None,
            name: app.name.clone(),
            deleted: false,
            updated: desk.now / 1_000_000,
        };
        desk.state.bots.insert(id.clone(), bot);
        id
    })
}

fn issue(desk: &mut Desk<'_>, app: &SeedApp, template: Token, fixed: Option<&str>) -> Map<String, Value> {
    let now = desk.now / 1_000_000;
    let (prefix, kind) = if template.kind == TokenKind::Bot { ("xoxb", "bot") } else { ("xoxp", "user") };
    let rotating = app.token_rotation;
    let text = match fixed {
        Some(text) => text.to_owned(),
        None if rotating => format!("xoxe.{prefix}-1-{}", desk.world.alnum(120)),
        None => {
            let digits = desk.world.text(11, b"0123456789");
            format!("{prefix}-{digits}-{}-{}", desk.world.text(12, b"0123456789"), desk.world.alnum(24))
        }
    };
    let scopes: Vec<&str> = template.scopes.iter().map(String::as_str).collect();
    let mut answer = members([
        ("access_token", json!(text)),
        ("token_type", json!(kind)),
        ("scope", json!(scopes.join(","))),
    ]);
    let mut token = Token { text: text.clone(), ..template.clone() };
    if rotating {
        token.expires = Some(now + LIFE);
        let refresh = format!("xoxe-1-{}", desk.world.alnum(140));
        answer.insert("expires_in".to_owned(), json!(LIFE));
        answer.insert("refresh_token".to_owned(), json!(refresh));
        desk.state.refreshes.insert(refresh, Refresh { template, used_until: None });
        // Two access tokens live side by side; the oldest goes.
        let mut active: Vec<String> = desk
            .state
            .tokens
            .values()
            .filter(|known| {
                !known.revoked
                    && known.kind == token.kind
                    && known.app_id == token.app_id
                    && known.team == token.team
                    && known.enterprise == token.enterprise
                    && known.user == token.user
                    && known.expires.is_some_and(|expires| expires > now)
            })
            .map(|known| known.text.clone())
            .collect();
        while active.len() > 1 {
            if let Some(known) = desk.state.tokens.get_mut(&active.remove(0)) {
                known.revoked = true;
            }
        }
    }
    desk.state.tokens.insert(text, token);
    answer
}

fn refresh(desk: &mut Desk<'_>, app: &SeedApp, args: &Args) -> ApiResult {
    let text = args.text("refresh_token").unwrap_or_default();
    let now = desk.now / 1_000_000;
    let known = desk.state.refreshes.get_mut(&text).ok_or_else(|| refuse("invalid_refresh_token"))?;
    if known.template.app_id != app.app_id || known.used_until.is_some_and(|until| until <= now) {
        return Err(refuse("invalid_refresh_token"));
    }
    known.used_until.get_or_insert(now + GRACE);
    let template = known.template.clone();
    let mut answer = issue(desk, app, template.clone(), None);
    answer.extend(place_members(desk, app, &template)?);
    Ok(answer)
}

fn place_members(desk: &Desk<'_>, app: &SeedApp, token: &Token) -> Result<Map<String, Value>, ApiError> {
    let install = desk.state.install_of(token).ok_or_else(|| refuse("invalid_refresh_token"))?;
    let team = install.team.as_ref().and_then(|id| desk.state.teams.get(id));
    let mut more = members([
        ("app_id", json!(app.app_id)),
        ("team", team.map_or(Value::Null, |team| json!({"id": team.id, "name": team.name}))),
        ("enterprise", install.enterprise.as_ref().map_or(Value::Null, |id| json!({"id": id}))),
        ("is_enterprise_install", json!(install.team.is_none())),
    ]);
    if token.kind == TokenKind::Bot {
        more.insert("bot_user_id".to_owned(), json!(token.user));
    } else {
        more.insert("user_id".to_owned(), json!(token.user));
    }
    Ok(more)
}

fn exchange(desk: &mut Desk<'_>, app: &SeedApp, args: &Args) -> ApiResult {
    if !app.token_rotation {
        return Err(refuse("token_rotation_not_enabled"));
    }
    let text = args.text("token").or_else(|| args.form_token.clone()).unwrap_or_default();
    let now = desk.now / 1_000_000;
    let known = desk.state.tokens.get_mut(&text).ok_or_else(|| refuse("authorization_not_found"))?;
    if known.app_id != app.app_id || known.revoked {
        return Err(refuse("authorization_not_found"));
    }
    if known.exchanged || known.expires.is_some() {
        return Err(refuse("token_already_exchanged"));
    }
    known.exchanged = true;
    known.expires = Some(now + LIFE);
    let template = Token { expires: None, exchanged: false, ..known.clone() };
    let mut answer = issue(desk, app, template.clone(), None);
    answer.extend(place_members(desk, app, &template)?);
    Ok(answer)
}
