//! The authorise page: `/v1/authorize`, and the page on which devices are approved.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::Router;
use axum::extract::{Query, State as Extract};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::get;
use http::StatusCode;
use url::Url;

use super::config::SeedIntegration;
use super::engine::Engine;
use super::state::{Code, Kind, Person, millis};
use crate::core::page::escape_html;
use crate::core::world::lock;

type Parameters = BTreeMap<String, String>;

struct Wish {
    integration: SeedIntegration,
    redirect: Url,
    redirect_text: String,
    state: Option<String>,
    scopes: BTreeSet<String>,
    challenge: Option<(String, bool)>,
}

enum No {
    /// Shown, since there is no place to go back to.
    Page(&'static str),
    /// Told to the application.
    Back(Box<Url>, &'static str, Option<String>),
}

/// Routes of the pages.
pub fn router() -> Router<Arc<Engine>> {
    Router::new()
        .route("/v1/authorize", get(page))
        .route("/v1/authorize/decision", get(decision))
        .route("/v1/device", get(approve_device))
}

/// Scopes separated by spaces.
pub fn parse_scopes(text: &str) -> BTreeSet<String> {
    text.split([' ', '+']).filter(|scope| !scope.is_empty()).map(str::to_owned).collect()
}

fn wish(engine: &Engine, parameters: &Parameters) -> Result<Wish, No> {
    let given = |name: &str| parameters.get(name).filter(|value| !value.is_empty());
    let integration = given("client_id")
        .and_then(|id| engine.config.integrations.iter().find(|known| known.client_id == *id))
        .cloned()
        .ok_or(No::Page("The client_id is not known."))?;
    let redirect_text = given("redirect_uri").cloned().ok_or(No::Page("The redirect_uri is missing."))?;
    let registered = &integration.redirect_uris;
    if !registered.is_empty() && !registered.contains(&redirect_text) {
        return Err(No::Page("The redirect_uri is not a registered one."));
    }
    let redirect = Url::parse(&redirect_text).map_err(|_| No::Page("The redirect_uri is not a URL."))?;
    let state = given("state").cloned();
    let back = |code: &'static str| No::Back(Box::new(redirect.clone()), code, state.clone());
    if given("response_type").is_none_or(|kind| kind != "code") {
        return Err(back("unsupported_response_type"));
    }
    let scopes = parse_scopes(parameters.get("scope").map_or("", String::as_str));
    if scopes.is_empty() || !scopes.iter().all(|scope| integration.scopes.contains(scope)) {
        return Err(back("invalid_scope"));
    }
    let challenge = match given("code_challenge") {
        None => None,
        Some(challenge) => match given("code_challenge_method").map(String::as_str) {
            Some("S256") => Some((challenge.clone(), true)),
            None | Some("plain") => Some((challenge.clone(), false)),
            Some(_) => return Err(back("invalid_request")),
        },
    };
    Ok(Wish { integration, redirect, redirect_text, state, scopes, challenge })
}

fn refusal(no: No) -> Response {
    match no {
        No::Page(text) => {
            let page = format!(
                "<!doctype html><meta charset=utf-8><title>Something went wrong</title>{STYLE}<main><h1>Something \
                 went wrong</h1><p>{}</p></main>",
                escape_html(text)
            );
            (StatusCode::BAD_REQUEST, Html(page)).into_response()
        }
        No::Back(redirect, code, state) => back(*redirect, "error", code, state),
    }
}

fn back(mut redirect: Url, name: &str, value: &str, state: Option<String>) -> Response {
    redirect.query_pairs_mut().append_pair(name, value);
    if let Some(state) = state {
        redirect.query_pairs_mut().append_pair("state", &state);
    }
    // Status 302, as the service answers.
    (StatusCode::FOUND, [(http::header::LOCATION, redirect.to_string())]).into_response()
}

const STYLE: &str = "<style>body{font:15px/1.5 system-ui,sans-serif;background:#eef3f4;margin:0;color:#16262b}\
main{max-width:30rem;margin:3rem auto;background:#fff;border-radius:16px;padding:2rem;box-shadow:0 2px 18px #0001}\
h1{font-size:1.25rem;margin:0 0 1rem}ul{padding-left:1.2rem}select,button{font:inherit;padding:.55rem 1.1rem;\
border-radius:20px;border:1px solid #b5c3c7}button{background:#0b6b7c;color:#fff;border:0;font-weight:600}\
button.no{background:#e8eef0;color:#24363b}form{display:flex;gap:.6rem;flex-wrap:wrap;margin-top:1rem}\
code{background:#e8eef0;border-radius:4px;padding:0 .3em}</style>";

fn joined(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().concat()
}

fn people(engine: &Engine) -> Vec<Person> {
    let state = lock(&engine.state);
    let mut people: Vec<Person> =
        state.people.values().filter(|one| one.kind == Kind::Person && one.active).cloned().collect();
    // The service account is the usual one.
    people.sort_by_key(|person| !person.service_account);
    people
}

async fn page(Extract(engine): Extract<Arc<Engine>>, Query(parameters): Query<Parameters>) -> Response {
    let wish = match wish(&engine, &parameters) {
        Ok(wish) => wish,
        Err(no) => return refusal(no),
    };
    let people = people(&engine);
    if engine.config.auto_approve {
        let chosen = engine.config.approver.clone().or_else(|| people.first().map(|one| one.uuid.clone()));
        return decide(&engine, wish, chosen, true);
    }
    let options = joined(people.iter().map(|person| {
        let (id, name) = (escape_html(&person.uuid), escape_html(&person.display_name));
        format!("<option value=\"{id}\">{name} ({})</option>", escape_html(&person.email))
    }));
    let hidden = joined(parameters.iter().map(|(key, value)| {
        format!("<input type=hidden name=\"{}\" value=\"{}\">", escape_html(key), escape_html(value))
    }));
    let scopes =
        joined(wish.scopes.iter().map(|scope| format!("<li><code>{}</code></li>", escape_html(scope))));
    Html(format!(
        "<!doctype html><meta charset=utf-8><meta name=viewport content=\"width=device-width\"><title>Authorise</title>\
         {STYLE}<main><h1>{} wants to use your account</h1><ul>{scopes}</ul>\
         <form action=\"/v1/authorize/decision\">{hidden}<select name=sim_user data-test=approver>{options}\
         </select><button name=sim_allow value=1 data-test=allow>Accept</button>\
         <button class=no name=sim_allow value=0 data-test=cancel>Decline</button></form></main>",
        escape_html(&wish.integration.name)
    ))
    .into_response()
}

async fn decision(Extract(engine): Extract<Arc<Engine>>, Query(parameters): Query<Parameters>) -> Response {
    match wish(&engine, &parameters) {
        Ok(wish) => {
            let allow = parameters.get("sim_allow").is_some_and(|allow| allow == "1");
            decide(&engine, wish, parameters.get("sim_user").cloned(), allow)
        }
        Err(no) => refusal(no),
    }
}

fn decide(engine: &Arc<Engine>, wish: Wish, person: Option<String>, allow: bool) -> Response {
    if !allow {
        return back(wish.redirect, "error", "access_denied", wish.state);
    }
    let code = engine.operate(|desk| {
        let person = desk.state.people.get(&person?).filter(|person| person.active)?.uuid.clone();
        let text = desk.world.alnum(64);
        let code = Code {
            person,
            client: wish.integration.client_id.clone(),
            scopes: wish.scopes.clone(),
            redirect_uri: wish.redirect_text.clone(),
            challenge: wish.challenge.clone(),
            expires: desk.now + millis(desk.config.timing.code_life),
        };
        desk.state.codes.insert(text.clone(), code);
        Some(text)
    });
    match code {
        Some(code) => back(wish.redirect, "code", &code, wish.state),
        None => refusal(No::Page("There is no such person.")),
    }
}

async fn approve_device(
    Extract(engine): Extract<Arc<Engine>>,
    Query(parameters): Query<Parameters>,
) -> Response {
    let user_code = parameters.get("userCode").map_or("", String::as_str);
    if let Some(person) = parameters.get("sim_user") {
        engine.operate(|desk| {
            if let Some(device) = desk.state.devices.values_mut().find(|one| one.user_code == user_code) {
                device.person = Some(person.clone());
            }
        });
        return Redirect::to("/").into_response();
    }
    let options = joined(people(&engine).iter().map(|person| {
        let (id, name) = (escape_html(&person.uuid), escape_html(&person.display_name));
        format!("<option value=\"{id}\">{name}</option>")
    }));
    Html(format!(
        "<!doctype html><meta charset=utf-8><title>Device</title>{STYLE}<main><h1>A device wants to use your account</h1>\
         <form><input name=userCode value=\"{}\"><select name=sim_user>{options}</select><button>Accept</button></form>\
         </main>",
        escape_html(user_code)
    ))
    .into_response()
}
