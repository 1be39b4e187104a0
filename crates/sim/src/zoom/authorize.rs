//! The consent page: `/oauth/authorize`.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Query, State as Extract};
use axum::response::{Html, IntoResponse, Redirect, Response};
use http::StatusCode;
use url::Url;

use super::config::{AppKind, SeedApp};
use super::engine::Engine;
use super::state::{Code, State};
use crate::core::page::escape_html;
use crate::core::world::lock;

/// Milliseconds a code lives.
const CODE_LIFE: i64 = 5 * 60_000;

type Parameters = BTreeMap<String, String>;

struct Wish {
    app: SeedApp,
    redirect: Url,
    text: String,
    challenge: Option<(String, bool)>,
}

/// What somebody asks for; otherwise the number and the words of Zoom's list of OAuth codes.
fn wish(engine: &Engine, parameters: &Parameters) -> Result<Wish, (u32, &'static str)> {
    let given = |key: &str| parameters.get(key).map(String::as_str).unwrap_or_default();
    if given("client_id").is_empty() {
        return Err((4_706, "Client ID is missing."));
    }
    let app = lock(&engine.state)
        .apps
        .iter()
        .map(|app| app.seed.clone())
        .find(|app| app.client_id == given("client_id"));
    let app = app.ok_or((4_702, "Invalid client."))?;
    if given("response_type") != "code" {
        return Err((4_705, "The response type is not supported."));
    }
    let text = given("redirect_uri").to_owned();
    let allowed = app.redirect_urls.is_empty() || app.redirect_urls.contains(&text);
    let redirect = Url::parse(&text).ok().filter(|_| allowed).ok_or((4_709, "Redirect URI mismatch."))?;
    if app.kind == AppKind::ServerToServer {
        return Err((4_705, "Grant type not supported."));
    }
    let challenge = match (given("code_challenge"), given("code_challenge_method")) {
        ("", _) => None,
        (challenge, "S256") => Some((challenge.to_owned(), true)),
        (challenge, "" | "plain") => Some((challenge.to_owned(), false)),
        _ => return Err((4_700, "Invalid code challenge method.")),
    };
    Ok(Wish { app, redirect, text, challenge })
}

fn refusal((code, words): (u32, &str)) -> Response {
    let page = format!(
        "<!doctype html><meta charset=utf-8><title>Invalid request</title>{STYLE}<main><h1>Invalid request</h1>\
         <p data-test=refusal>{} ({code})</p></main>",
        escape_html(words)
    );
    (StatusCode::BAD_REQUEST, Html(page)).into_response()
}

const STYLE: &str = "<style>body{font:15px/1.55 system-ui,sans-serif;background:#eef2f8;margin:0;color:#16202e}\
main{max-width:32rem;margin:3rem auto;background:#fff;border-radius:16px;padding:2rem;box-shadow:0 3px 24px #0b3a7a1a}\
h1{font-size:1.25rem;margin:0 0 .6rem}ul{padding-left:1.2rem;columns:1;max-height:14rem;overflow:auto}\
select,button{font:inherit;padding:.55rem 1.1rem;border-radius:10px;border:1px solid #b9c4d4}\
button{background:#0b5cd6;color:#fff;border:0;font-weight:600}button.no{background:#e8edf5;color:#22314a}\
form{display:flex;gap:.6rem;flex-wrap:wrap;margin-top:1.1rem}code{background:#eef2f8;border-radius:4px;padding:0 .3em}</style>";

/// Who may approve an app: administrators for admin-managed ones.
fn approvers<'s>(state: &'s State, app: &SeedApp) -> Vec<&'s super::state::Person> {
    let may = |person: &&super::state::Person| !person.deleted && (person.admin || app.kind == AppKind::User);
    state.people.values().filter(may).collect()
}

/// `GET /oauth/authorize`
pub async fn page(Extract(engine): Extract<Arc<Engine>>, Query(parameters): Query<Parameters>) -> Response {
    let wish = match wish(&engine, &parameters) {
        Ok(wish) => wish,
        Err(error) => return refusal(error),
    };
    if engine.config.auto_approve {
        return decide(&engine, &parameters, wish, None, true);
    }
    let state = lock(&engine.state);
    let offer = |person: &super::state::Person| {
        let company = state.accounts.get(&person.account).map_or("", |account| account.name.as_str());
        let (id, name) = (escape_html(&person.id), escape_html(&person.display_name));
        format!("<option value=\"{id}\">{name} ({})</option>", escape_html(company))
    };
    let options: Vec<String> = approvers(&state, &wish.app).into_iter().map(offer).collect();
    let options = options.concat();
    let keep = |(key, value): (&String, &String)| {
        format!("<input type=hidden name=\"{}\" value=\"{}\">", escape_html(key), escape_html(value))
    };
    let hidden: Vec<String> = parameters.iter().map(keep).collect();
    let hidden = hidden.concat();
    let scopes: Vec<String> =
        wish.app.scopes.iter().map(|scope| format!("<li><code>{}</code></li>", escape_html(scope))).collect();
    let page = format!(
        "<!doctype html><meta charset=utf-8><meta name=viewport content=\"width=device-width\"><title>Authorize</title>\
         {STYLE}<main><h1>You are about to add {}</h1><p>It will be able to:</p><ul>{}</ul>\
         <form action=\"/oauth/authorize/decision\">{hidden}<select name=sim_user data-test=approver>{options}\
         </select><button name=sim_allow value=1 data-test=allow>Allow</button>\
         <button class=no name=sim_allow value=0 data-test=cancel>Decline</button></form></main>",
        escape_html(&wish.app.name),
        scopes.concat()
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
        Err(error) => return refusal(error),
    };
    let user = parameters.get("sim_user").cloned();
    let allow = parameters.get("sim_allow").is_some_and(|allow| allow == "1");
    decide(&engine, &parameters, wish, user, allow)
}

fn decide(
    engine: &Arc<Engine>,
    parameters: &Parameters,
    wish: Wish,
    user: Option<String>,
    allow: bool,
) -> Response {
    let mut target = wish.redirect.clone();
    if allow {
        let code = engine.operate(|desk| {
            let named = user.or_else(|| engine.config.approver.clone());
            let may = approvers(desk.state, &wish.app);
            let person = match named {
                Some(named) => may.into_iter().find(|person| person.id == named)?,
                None => may.into_iter().next()?,
            };
            let user = person.id.clone();
            let text = desk.world.alnum(34);
            let code = Code {
                app_id: wish.app.app_id.clone(),
                user,
                redirect_uri: wish.text.clone(),
                challenge: wish.challenge.clone(),
                expires: desk.now + CODE_LIFE,
            };
            desk.state.codes.insert(text.clone(), code);
            Some(text)
        });
        let Some(code) = code else {
            return refusal((4_700, "You cannot authorize the app. Ask an administrator."));
        };
        target.query_pairs_mut().append_pair("code", &code);
    } else {
        target.query_pairs_mut().append_pair("error", "access_denied");
    }
    if let Some(state) = parameters.get("state") {
        target.query_pairs_mut().append_pair("state", state);
    }
    Redirect::to(target.as_str()).into_response()
}
