//! The authorise page: `/oauth/v2/authorize`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::extract::{Query, State as Extract};
use axum::response::{Html, IntoResponse, Redirect, Response};
use http::StatusCode;
use url::Url;

use super::config::SeedApp;
use super::engine::Engine;
use super::state::Code;
use crate::core::page::escape_html;
use crate::core::world::lock;

/// Seconds a code lives.
const CODE_LIFE: i64 = 600;

type Parameters = BTreeMap<String, String>;

struct Wish {
    app: SeedApp,
    redirect: Url,
    redirect_given: bool,
    scopes: BTreeSet<String>,
    user_scopes: BTreeSet<String>,
    challenge: Option<String>,
}

fn split(parameters: &Parameters, key: &str) -> BTreeSet<String> {
    parameters
        .get(key)
        .map(String::as_str)
        .unwrap_or_default()
        .split([',', ' '])
        .filter(|scope| !scope.is_empty())
        .map(str::to_owned)
        .collect()
}

fn wish(engine: &Engine, parameters: &Parameters) -> Result<Wish, &'static str> {
    let id = parameters.get("client_id").ok_or("invalid_client_id")?;
    let app = engine.app(|app| app.client_id == *id).ok_or("invalid_client_id")?;
    let given = parameters.get("redirect_uri").filter(|uri| !uri.is_empty());
    let text = match (given, app.redirect_urls.as_slice()) {
        (Some(given), _) => given.clone(),
        (None, [only]) => only.clone(),
        (None, _) => return Err("bad_redirect_uri"),
    };
    let redirect = Url::parse(&text).map_err(|_| "bad_redirect_uri")?;
    let loopback = matches!(redirect.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
    if redirect.scheme() != "https" && !loopback {
        return Err("bad_redirect_uri");
    }
    let below = |registered: &String| {
        text == *registered
            || text.strip_prefix(registered.as_str()).is_some_and(|rest| {
                registered.ends_with('/') || rest.starts_with('/') || rest.starts_with('?')
            })
    };
    if !app.redirect_urls.is_empty() && !app.redirect_urls.iter().any(below) {
        return Err("bad_redirect_uri");
    }
    let challenge = parameters.get("code_challenge").cloned();
    if challenge.is_some() {
        if !app.pkce {
            return Err("pkce_not_allowed");
        }
        if parameters.get("code_challenge_method").is_some_and(|method| method != "S256") {
            return Err("invalid_code_challenge_method");
        }
    }
    let scopes = split(parameters, "scope");
    let user_scopes = split(parameters, "user_scope");
    if scopes.is_empty() && user_scopes.is_empty() {
        return Err("no_scopes");
    }
    Ok(Wish { app, redirect, redirect_given: given.is_some(), scopes, user_scopes, challenge })
}

fn refusal(code: &str) -> Response {
    let page = format!(
        "<!doctype html><meta charset=utf-8><title>Something went wrong</title>{STYLE}<main><h1>Something went \
         wrong when authorising this app.</h1><p>Error details: <code>{}</code></p></main>",
        escape_html(code)
    );
    (StatusCode::OK, Html(page)).into_response()
}

const STYLE: &str = "<style>body{font:15px/1.5 system-ui,sans-serif;background:#f6f5f8;margin:0;color:#1d1c22}\
main{max-width:30rem;margin:3rem auto;background:#fff;border-radius:14px;padding:2rem;box-shadow:0 2px 18px #0001}\
h1{font-size:1.25rem;margin:0 0 1rem}ul{padding-left:1.2rem}select,button{font:inherit;padding:.55rem 1rem;\
border-radius:8px;border:1px solid #bbb}button{background:#146c5a;color:#fff;border:0;font-weight:600}\
button.no{background:#eee;color:#333}form{display:flex;gap:.6rem;flex-wrap:wrap;margin-top:1rem}\
code{background:#eee;border-radius:4px;padding:0 .3em}</style>";

fn joined(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().concat()
}

/// `GET /oauth/v2/authorize`.
pub async fn page(Extract(engine): Extract<Arc<Engine>>, Query(parameters): Query<Parameters>) -> Response {
    let wish = match wish(&engine, &parameters) {
        Ok(wish) => wish,
        Err(code) => return refusal(code),
    };
    if engine.config.auto_approve {
        return decide(&engine, &parameters, wish, None, None, true);
    }
    let state = lock(&engine.state);
    let team = parameters.get("team").cloned();
    let options = joined(
        state
            .users
            .values()
            .filter(|user| user.bot_id.is_none() && !user.deleted)
            .filter(|user| team.as_ref().is_none_or(|team| *team == user.team))
            .map(|user| {
                let place = state.teams.get(&user.team).map_or("", |team| team.name.as_str());
                let (id, name) = (escape_html(&user.id), escape_html(&user.real_name));
                format!("<option value=\"{id}\">{name} ({})</option>", escape_html(place))
            }),
    );
    let org = match &state.enterprise {
        Some((id, name)) => format!(
            "<label><input type=checkbox name=sim_place value=\"{}\"> for the whole organisation {}</label>",
            escape_html(id),
            escape_html(name)
        ),
        None => String::new(),
    };
    let hidden = joined(parameters.iter().map(|(key, value)| {
        format!("<input type=hidden name=\"{}\" value=\"{}\">", escape_html(key), escape_html(value))
    }));
    let wanted = wish.scopes.iter().chain(&wish.user_scopes);
    let scopes = joined(wanted.map(|scope| format!("<li><code>{}</code></li>", escape_html(scope))));
    let page = format!(
        "<!doctype html><meta charset=utf-8><meta name=viewport content=\"width=device-width\"><title>Authorise</title>\
         {STYLE}<main><h1>{} asks for permission to access your workspace</h1><ul>{scopes}</ul>\
         <form action=\"/oauth/v2/authorize/decision\">{hidden}<select name=sim_user data-test=approver>{options}\
         </select>{org}<button name=sim_allow value=1 data-test=allow>Allow</button>\
         <button class=no name=sim_allow value=0 data-test=cancel>Cancel</button></form></main>",
        escape_html(&wish.app.name)
    );
    Html(page).into_response()
}

/// The buttons of the page.
pub async fn decision(
    Extract(engine): Extract<Arc<Engine>>,
    Query(parameters): Query<Parameters>,
) -> Response {
    let wish = match wish(&engine, &parameters) {
        Ok(wish) => wish,
        Err(code) => return refusal(code),
    };
    let user = parameters.get("sim_user").cloned();
    let place = parameters.get("sim_place").cloned();
    let allow = parameters.get("sim_allow").is_some_and(|allow| allow == "1");
    decide(&engine, &parameters, wish, user, place, allow)
}

fn decide(
    engine: &Arc<Engine>,
    parameters: &Parameters,
    wish: Wish,
    user: Option<String>,
    place: Option<String>,
    allow: bool,
) -> Response {
    let mut target = wish.redirect.clone();
    let state_parameter = parameters.get("state").cloned();
    if allow {
        let wanted_team = parameters.get("team").cloned();
        let code = engine.operate(|desk| {
            let person = user.or_else(|| engine.config.approver.clone()).or_else(|| {
                desk.state
                    .users
                    .values()
                    .find(|user| {
                        user.bot_id.is_none() && wanted_team.as_ref().is_none_or(|team| *team == user.team)
                    })
                    .map(|user| user.id.clone())
            })?;
            let home = desk.state.users.get(&person)?.team.clone();
            let text = format!("{}.{}", desk.world.text(10, b"0123456789"), desk.world.hex(48));
            desk.state.codes.insert(
                text.clone(),
                Code {
                    app_id: wish.app.app_id.clone(),
                    place: place.unwrap_or(home),
                    user: person,
                    scopes: wish.scopes.clone(),
                    user_scopes: wish.user_scopes.clone(),
                    redirect_uri: wish
                        .redirect_given
                        .then(|| parameters.get("redirect_uri").cloned().unwrap_or_default()),
                    challenge: wish.challenge.clone(),
                    expires: desk.now / 1_000_000 + CODE_LIFE,
                },
            );
            Some(text)
        });
        let Some(code) = code else { return refusal("user_not_found") };
        target.query_pairs_mut().append_pair("code", &code);
    } else {
        target.query_pairs_mut().append_pair("error", "access_denied");
    }
    target.query_pairs_mut().append_pair("state", &state_parameter.unwrap_or_default());
    Redirect::to(target.as_str()).into_response()
}
