//! `auth.*`, `apps.*`, `api.test`.

use std::sync::Arc;

use serde_json::{Map, json};

use super::tools::members;
use crate::core::world::lock;
use crate::slack::desk::Desk;
use crate::slack::dispatch::{ApiResult, Caller};
use crate::slack::engine::Engine;
use crate::slack::error::{missing, refuse};
use crate::slack::events::{Audience, Event};
use crate::slack::state::TokenKind;
use crate::slack::views::into_map;

pub(super) fn api_test(_desk: &mut Desk<'_>, caller: &Caller<'_>) -> ApiResult {
    match caller.args.text("error") {
        Some(error) => Err(refuse(&error)),
        None => Ok(Map::new()),
    }
}

pub(super) fn auth_test(desk: &mut Desk<'_>, caller: &Caller<'_>) -> ApiResult {
    let token = &caller.token;
    let user = desk.state.user(&token.user)?;
    let team = desk.state.teams.get(token.team.as_ref().unwrap_or(&user.team));
    let team = team.ok_or_else(|| refuse("team_not_found"))?;
    let mut answer = members([
        ("url", json!(format!("https://{}.slack.com/", team.domain))),
        ("team", json!(team.name)),
        ("user", json!(user.handle)),
        ("team_id", json!(token.team.as_ref().or(token.enterprise.as_ref()))),
        ("user_id", json!(user.id)),
        ("is_enterprise_install", json!(token.team.is_none())),
    ]);
    if token.kind == TokenKind::Bot {
        answer.insert("bot_id".to_owned(), json!(token.bot_id));
        answer.insert("app_id".to_owned(), json!(token.app_id));
        answer.insert("app_name".to_owned(), json!(caller.app.as_ref().map(|app| app.name.clone())));
    }
    if let Some(enterprise) = team.enterprise.as_ref() {
        answer.insert("enterprise_id".to_owned(), json!(enterprise));
    }
    if let Some(expires) = token.expires {
        answer.insert("expires_in".to_owned(), json!(expires - desk.now / 1_000_000));
    }
    Ok(answer)
}

fn revoked_event(desk: &mut Desk<'_>, app_id: &str, place: &str, oauth: &[String], bot: &[String]) {
    let body = json!({"type": "tokens_revoked", "tokens": {"oauth": oauth, "bot": bot}});
    desk.push(Event {
        subscription: "tokens_revoked".to_owned(),
        scope: String::new(),
        audience: Audience::Install { app_id: app_id.to_owned(), place: place.to_owned() },
        team: place.to_owned(),
        body: into_map(body),
    });
}

/// Removes an installation: tokens die, the bot leaves, the app is told.
pub fn uninstall_place(desk: &mut Desk<'_>, app_id: &str, place: &str) {
    let at_place = |team: Option<&String>, enterprise: Option<&String>| {
        team.map(String::as_str) == Some(place)
            || (team.is_none() && enterprise.map(String::as_str) == Some(place))
    };
    let mut users = Vec::new();
    let mut bots = Vec::new();
    for token in desk.state.tokens.values_mut() {
        if token.app_id == app_id
            && !token.revoked
            && at_place(token.team.as_ref(), token.enterprise.as_ref())
        {
            match token.kind {
                TokenKind::Bot => bots.push(token.user.clone()),
                TokenKind::User => users.push(token.user.clone()),
                TokenKind::Client | TokenKind::App => continue,
            }
            token.revoked = true;
        }
    }
    bots.dedup();
    users.dedup();
    desk.state.refreshes.retain(|_, refresh| {
        let template = &refresh.template;
        !(template.app_id == app_id && at_place(template.team.as_ref(), template.enterprise.as_ref()))
    });
    desk.state.installs.retain(|install| {
        !(install.app_id == app_id && at_place(install.team.as_ref(), install.enterprise.as_ref()))
    });
    for bot in &bots {
        for channel in desk.state.channels.values_mut() {
            channel.members.shift_remove(bot);
        }
    }
    revoked_event(desk, app_id, place, &users, &bots);
    desk.push(Event {
        subscription: "app_uninstalled".to_owned(),
        scope: String::new(),
        audience: Audience::Install { app_id: app_id.to_owned(), place: place.to_owned() },
        team: place.to_owned(),
        body: into_map(json!({"type": "app_uninstalled"})),
    });
}

pub(super) fn auth_revoke(desk: &mut Desk<'_>, caller: &Caller<'_>) -> ApiResult {
    if caller.args.flag("test") == Some(true) {
        return Ok(members([("revoked", json!(false))]));
    }
    let token = caller.token.clone();
    let place = token.team.clone().or_else(|| token.enterprise.clone()).unwrap_or_default();
    let rotating = token.expires.is_some();
    if token.kind == TokenKind::Bot && !rotating {
        uninstall_place(desk, &token.app_id, &place);
        return Ok(members([("revoked", json!(true))]));
    }
    desk.state.tokens.get_mut(&token.text).ok_or_else(|| refuse("invalid_auth"))?.revoked = true;
    if token.kind == TokenKind::User {
        for install in &mut desk.state.installs {
            if install.app_id == token.app_id && !rotating {
                install.users.shift_remove(&token.user);
            }
        }
        revoked_event(desk, &token.app_id, &place, &[token.user], &[]);
    }
    Ok(members([("revoked", json!(true))]))
}

pub(super) fn uninstall(desk: &mut Desk<'_>, caller: &Caller<'_>) -> ApiResult {
    let app = caller.app.as_ref().ok_or_else(|| refuse("invalid_auth"))?;
    if caller.args.text("client_id").as_deref() != Some(app.client_id.as_str()) {
        return Err(refuse("client_id_token_mismatch"));
    }
    if caller.args.text("client_secret").as_deref() != Some(app.client_secret.as_str()) {
        return Err(refuse("bad_client_secret"));
    }
    let place = caller.token.team.clone().or_else(|| caller.token.enterprise.clone()).unwrap_or_default();
    uninstall_place(desk, &app.app_id, &place);
    Ok(Map::new())
}

/// Methods of app-level tokens.
pub fn app_call(engine: &Arc<Engine>, method: &str, caller: &Caller<'_>) -> ApiResult {
    let app = caller.app.as_ref().ok_or_else(|| refuse("invalid_auth"))?;
    if method == "apps.connections.open" {
        if !app.socket_mode {
            return Err(refuse("forbidden_team"));
        }
        let ticket = engine.world.uuid();
        let life = i64::try_from(engine.config.timing.ticket_life.as_micros()).unwrap_or(i64::MAX);
        engine.sockets.issue(ticket.clone(), &app.app_id, engine.world.clock.micros().saturating_add(life));
        let base = engine.base().replacen("http", "ws", 1);
        return Ok(members([("url", json!(format!("{base}/link/?ticket={ticket}&app_id={}", app.app_id)))]));
    }
    let context = caller.args.text("event_context").ok_or_else(|| missing("event_context"))?;
    let state = lock(&engine.state);
    let (owner, all) = state.contexts.get(&context).ok_or_else(|| refuse("invalid_event_context"))?;
    if *owner != app.app_id {
        return Err(refuse("invalid_event_context"));
    }
    Ok(members([("authorizations", all.clone())]))
}
