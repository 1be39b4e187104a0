//! Slash commands and app homes: what a person gives to `/command`, the answers that only they see, and the page of an
//! app in their sidebar.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, State as Extract};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde_json::{Value, json};

use super::api::members;
use super::desk::{Desk, Draft};
use super::dispatch::{ApiResult, Caller};
use super::engine::{Engine, signature};
use super::error::{ApiError, missing, refuse};
use super::events::{Audience, Event};
use super::sim::SlackSim;
use super::state::{Author, Install, State, TokenKind};
use crate::core::world::lock;

/// An address for answers works so often.
const MOST_ANSWERS: u32 = 5;
/// And so long, in seconds.
const ANSWERS_FOR: i64 = 30 * 60;
/// Blocks of a home.
const MOST_BLOCKS: usize = 100;

/// What there is of commands and homes.
#[derive(Debug, Default)]
pub struct Commands {
    /// Where an app takes commands.
    urls: BTreeMap<String, String>,
    /// Addresses for answers, by the last part of their path.
    addresses: BTreeMap<String, Address>,
    /// What is shown to one person only, in order.
    shown: Vec<Ephemeral>,
}

#[derive(Debug, Clone)]
struct Address {
    user: String,
    channel: String,
    app: String,
    bot: String,
    left: u32,
    until: i64,
}

/// A message that one person sees and nothing keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ephemeral {
    /// Who.
    pub user: String,
    /// Where.
    pub channel: String,
    /// What it says, with its blocks behind.
    pub text: String,
}

impl SlackSim {
    /// Sets the URL of an app's command, as its settings do.
    pub fn set_command_url(&self, app_id: &str, url: &str) {
        lock(&self.engine.commands).urls.insert(app_id.to_owned(), url.to_owned());
    }

    /// A person gives something to an app's command in a conversation. What the acknowledgement says is shown to them;
    /// so is that there was none in three seconds.
    pub async fn command(&self, app_id: &str, user: &str, channel: &str, text: &str) -> Result<(), ApiError> {
        let engine = &self.engine;
        let app = engine.app(|app| app.app_id == app_id).ok_or_else(|| refuse("unknown_app"))?;
        let (fields, key) = engine.operate(|desk| form(desk, &app.app_id, user, channel, text))?;
        let bot = {
            let state = lock(&engine.state);
            let team = state.user(user)?.team.clone();
            installed(&state, app_id, &team)?.bot_user.clone().unwrap_or_default()
        };
        let address = Address {
            user: user.to_owned(),
            channel: channel.to_owned(),
            app: app_id.to_owned(),
            bot,
            left: MOST_ANSWERS,
            until: engine.world.clock.seconds() + ANSWERS_FOR,
        };
        lock(&engine.commands).addresses.insert(key, address);
        let show = |text: String| {
            let shown = Ephemeral { user: user.to_owned(), channel: channel.to_owned(), text };
            lock(&engine.commands).shown.push(shown);
        };
        let deadline = engine.config.timing.ack_deadline;
        if app.socket_mode {
            let payload: serde_json::Map<String, Value> =
                fields.into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect();
            let frame = json!({ "envelope_id": engine.world.uuid(), "type": "slash_commands",
                "accepts_response_payload": true, "payload": payload });
            if engine.frame(app_id, &frame, deadline).await != Some(true) {
                show("operation_timeout".to_owned());
            }
            return Ok(());
        }
        let url = lock(&engine.commands).urls.get(app_id).cloned();
        let url = url.ok_or_else(|| refuse("dispatch_unknown_error"))?;
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(&fields);
        let body = Bytes::from(body.finish());
        let seconds = engine.world.clock.seconds();
        let mut headers = HeaderMap::new();
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(header::CONTENT_TYPE, form);
        let agent = HeaderValue::from_static("Slackbot 1.0 (+https://api.slack.com/robots)");
        headers.insert(header::USER_AGENT, agent);
        headers.insert("x-slack-request-timestamp", HeaderValue::from(seconds));
        if let Ok(value) = HeaderValue::from_str(&signature(&app.signing_secret, seconds, &body)) {
            headers.insert("x-slack-signature", value);
        }
        match engine.client.request(Method::POST, &url, headers, body, deadline).await {
            Ok(answer) if answer.status == StatusCode::OK => {
                let said = String::from_utf8_lossy(&answer.body).into_owned();
                let said = match serde_json::from_str::<Value>(&said) {
                    Ok(said) => spoken(&said),
                    Err(_) => said,
                };
                if !said.is_empty() {
                    show(said);
                }
            }
            Ok(_) => show("dispatch_failed".to_owned()),
            Err(_) => show("operation_timeout".to_owned()),
        }
        Ok(())
    }

    /// What was shown to a person alone, in order.
    pub fn ephemerals(&self, user: &str) -> Vec<Ephemeral> {
        lock(&self.engine.commands).shown.iter().filter(|shown| shown.user == user).cloned().collect()
    }

    /// A person opens an app's page: its `home` or `messages` tab.
    pub fn open_home(&self, app_id: &str, user: &str, tab: &str) -> Result<(), ApiError> {
        let view = self.home(app_id, user);
        self.engine.operate(|desk| {
            let team = desk.state.user(user)?.team.clone();
            let bot = installed(desk.state, app_id, &team)?.bot_user.clone();
            let bot = bot.ok_or_else(|| refuse("app_not_found"))?;
            let (channel, _) = desk.open(&team, &[user.to_owned(), bot.clone()]);
            let event_ts = super::state::ts_of(desk.now);
            let mut body = members([
                ("type", json!("app_home_opened")),
                ("user", json!(user)),
                ("channel", json!(channel)),
                ("tab", json!(tab)),
                ("event_ts", json!(event_ts)),
            ]);
            if let Some(view) = view.filter(|_| tab == "home") {
                body.insert("view".to_owned(), view);
            }
            desk.state.outbox.push(Event {
                subscription: "app_home_opened".to_owned(),
                scope: String::new(),
                audience: Audience::User(bot),
                team,
                body,
            });
            Ok(())
        })
    }

    /// The page that an app published for a person.
    pub fn home(&self, app_id: &str, user: &str) -> Option<Value> {
        lock(&self.engine.state).homes.get(&(app_id.to_owned(), user.to_owned())).cloned()
    }
}

/// The installation that has a command in a workspace.
fn installed<'s>(state: &'s State, app_id: &str, team: &str) -> Result<&'s Install, ApiError> {
    let known = state.teams.get(team).ok_or_else(|| refuse("team_not_found"))?;
    let mut here = state.installs.iter().filter(|install| install.covers(known));
    here.find(|install| install.app_id == app_id).ok_or_else(|| refuse("app_not_found"))
}

type Form = Vec<(&'static str, String)>;

/// The fields of a command, and the key of the address for its answers.
fn form(
    desk: &mut Desk<'_>,
    app_id: &str,
    user: &str,
    channel: &str,
    text: &str,
) -> Result<(Form, String), ApiError> {
    let person = desk.state.user(user)?.clone();
    let install = installed(desk.state, app_id, &person.team)?;
    // Slack takes the command for a message then, and says that there is no such command.
    if !install.scopes.contains("commands") {
        return Err(refuse("invalid_command"));
    }
    let whole = install.team.is_none();
    let team = desk.state.teams.get(&person.team).ok_or_else(|| refuse("team_not_found"))?;
    let room = desk.state.channel(channel)?;
    if !room.members.contains(user) {
        return Err(refuse("not_in_channel"));
    }
    let name = match room.kind {
        super::state::Kind::Im => "directmessage".to_owned(),
        _ => room.name.clone(),
    };
    let (digits, key) = (desk.world.hex(12), desk.world.alnum(24));
    let trigger = format!("{}.{}.{}", desk.now / 1_000, digits, desk.world.hex(32));
    let mut fields = vec![
        ("token", String::new()),
        ("team_id", team.id.clone()),
        ("team_domain", team.domain.clone()),
        ("channel_id", channel.to_owned()),
        ("channel_name", name),
        ("user_id", user.to_owned()),
        ("user_name", person.display_name.clone()),
        ("command", "/dragoman".to_owned()),
        ("text", text.to_owned()),
        ("api_app_id", app_id.to_owned()),
        ("is_enterprise_install", whole.to_string()),
        ("response_url", format!("{}/commands/{}/{digits}/{key}", desk.base, team.id)),
        ("trigger_id", trigger),
    ];
    if let Some(enterprise) = &team.enterprise {
        fields.push(("enterprise_id", enterprise.clone()));
    }
    Ok((fields, key))
}

/// `POST /commands/{team}/{id}/{key}`: an answer to a command.
pub async fn answer(
    Extract(engine): Extract<Arc<Engine>>,
    Path((_, _, key)): Path<(String, String, String)>,
    body: Bytes,
) -> Response {
    let no = |status: StatusCode, error: &str| {
        (status, axum::Json(json!({"ok": false, "error": error}))).into_response()
    };
    let Ok(said) = serde_json::from_slice::<Value>(&body) else {
        return no(StatusCode::BAD_REQUEST, "invalid_payload");
    };
    let text = spoken(&said);
    if text.is_empty() {
        return no(StatusCode::BAD_REQUEST, "no_text");
    }
    let now = engine.world.clock.seconds();
    let address = {
        let mut commands = lock(&engine.commands);
        let Some(address) = commands.addresses.get_mut(&key) else {
            return no(StatusCode::NOT_FOUND, "no_service");
        };
        if address.until < now {
            return no(StatusCode::NOT_FOUND, "expired_url");
        }
        if address.left == 0 {
            return no(StatusCode::NOT_FOUND, "used_url");
        }
        address.left -= 1;
        address.clone()
    };
    if said["response_type"] == "in_channel" {
        let posted = engine.operate(|desk| {
            let team = desk.state.user(&address.bot)?.team.clone();
            let author = Author {
                user: Some(address.bot.clone()),
                owner: address.bot.clone(),
                app_id: Some(address.app.clone()),
                team,
                ..Author::default()
            };
            desk.post(&address.channel, author, Draft { text, ..Draft::default() })
        });
        return match posted {
            Ok(_) => "ok".into_response(),
            Err(error) => no(StatusCode::NOT_FOUND, &error.code),
        };
    }
    let shown = Ephemeral { user: address.user, channel: address.channel, text };
    lock(&engine.commands).shown.push(shown);
    engine.changes.announce(json!({"type": "change"}));
    "ok".into_response()
}

/// A text with its blocks, as far as they are there.
fn spoken(said: &Value) -> String {
    let text = said["text"].as_str().unwrap_or_default();
    match said["blocks"].as_array().filter(|blocks| !blocks.is_empty()) {
        Some(blocks) => format!("{text}\n{}", Value::Array(blocks.clone())),
        None => text.to_owned(),
    }
}

/// `views.publish`
pub(super) fn publish(desk: &mut Desk<'_>, caller: &Caller<'_>) -> ApiResult {
    if caller.token.kind != TokenKind::Bot {
        return Err(refuse("not_allowed_token_type"));
    }
    let user = caller.args.required("user_id")?;
    let view = caller.args.json("view")?.ok_or_else(|| missing("view"))?;
    if view["type"] != "home" {
        return Err(refuse("invalid_arguments"));
    }
    let blocks = view["blocks"].as_array().ok_or_else(|| missing("blocks"))?;
    if blocks.len() > MOST_BLOCKS || !blocks.iter().all(|block| block["type"].is_string()) {
        return Err(refuse("invalid_blocks"));
    }
    if desk.state.user(&user).is_err() {
        return Err(refuse("user_not_found"));
    }
    let id = format!("V{}", desk.world.upper(10));
    let shown = json!({ "id": id, "type": "home", "blocks": blocks, "app_id": caller.token.app_id,
        "bot_id": caller.token.bot_id, "hash": desk.world.hex(8) });
    desk.state.homes.insert((caller.token.app_id.clone(), user), shown.clone());
    Ok(members([("view", shown)]))
}
