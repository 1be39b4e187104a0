//! What the page reads and does. Actions run through the same state code as the Web API.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Query, Request, State as Extract};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::{StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::core::page::{asset, sent};
use crate::core::world::lock;
use crate::slack::emoji;
use crate::slack::engine::Engine;
use crate::slack::error::ApiError;
use crate::slack::people::Post;
use crate::slack::sim::SlackSim;
use crate::slack::state::{Channel, Kind, State};

/// Routes: `/`, `/page.css`, `/page.js`, `/_sim/slack/state`, `…/messages`, `…/act`, `…/upload`, `…/file/{id}`.
pub fn router() -> Router<Arc<Engine>> {
    Router::new()
        .route("/", get(|| async { asset("text/html; charset=utf-8", include_str!("page.html")) }))
        .route("/page.css", get(|| async { asset("text/css; charset=utf-8", include_str!("page.css")) }))
        .route("/page.js", get(|| async { asset("text/javascript; charset=utf-8", include_str!("page.js")) }))
        .route(
            "/richtext.js",
            get(|| async { asset("text/javascript; charset=utf-8", include_str!("richtext.js")) }),
        )
        .route("/healthz", get(|| async { "ok" }))
        .route("/_sim/slack/state", get(state))
        .route("/_sim/slack/messages", get(messages))
        .route("/_sim/slack/act", post(act))
        .route("/_sim/slack/upload", post(upload))
        .route("/_sim/slack/file/{id}", get(file))
}

#[derive(Deserialize)]
struct Who {
    #[serde(default)]
    user: String,
}

async fn state(Extract(engine): Extract<Arc<Engine>>, Query(who): Query<Who>) -> Response {
    let state = lock(&engine.state);
    let people: Vec<Value> = state
        .users
        .values()
        .filter(|user| user.bot_id.is_none() && !user.deleted)
        .map(|user| json!({"id": user.id, "name": user.shown(), "real_name": user.real_name, "team": user.team}))
        .collect();
    let user = state.users.get(&who.user).or_else(|| state.users.values().find(|user| user.bot_id.is_none()));
    let Some(user) = user else { return Json(json!({"people": []})).into_response() };
    let team = state.teams.get(&user.team);
    let channels: Vec<Value> = state
        .channels
        .values()
        .filter(|channel| channel.members.contains(&user.id))
        .map(|channel| listed(&state, channel, &user.id))
        .collect();
    let names: Value = state
        .users
        .values()
        .map(|user| {
            let team = state.teams.get(&user.team).map(|team| team.name.clone());
            (
                user.id.clone(),
                json!({"name": user.shown(), "bot": user.bot_id.is_some(), "handle": user.handle, "team": team}),
            )
        })
        .collect::<serde_json::Map<_, _>>()
        .into();
    let groups: Value = team
        .map(|team| {
            team.groups
                .iter()
                .map(|(id, (handle, _))| (id.clone(), json!(handle)))
                .collect::<serde_json::Map<_, _>>()
        })
        .unwrap_or_default()
        .into();
    let emoji: Value = emoji::KNOWN
        .iter()
        .filter(|(_, character)| !character.is_empty())
        .map(|(name, character)| ((*name).to_owned(), json!(character)))
        .collect::<serde_json::Map<_, _>>()
        .into();
    Json(json!({
        "workspace": team.map(|team| team.name.clone()), "me": user.id, "people": people, "channels": channels,
        "names": names, "groups": groups, "emoji": emoji,
    }))
    .into_response()
}

fn listed(state: &State, channel: &Channel, me: &str) -> Value {
    let others: Vec<&str> = channel
        .members
        .iter()
        .filter(|member| *member != me)
        .map(|member| state.users.get(member).map_or("Slackbot", |user| user.shown()))
        .collect();
    let name = match channel.kind {
        Kind::Im | Kind::Mpim => others.join(", "),
        Kind::Public | Kind::Private => channel.name.clone(),
    };
    let other = channel.members.iter().find(|member| *member != me);
    json!({
        "id": channel.id, "name": name, "kind": channel.kind.channel_type(), "members": channel.members.len(),
        "topic": channel.topic.0, "archived": channel.archived, "shared": channel.is_ext_shared(),
        "other": if channel.kind == Kind::Im { json!(other) } else { Value::Null },
    })
}

#[derive(Deserialize)]
struct Which {
    channel: String,
}

async fn messages(Extract(engine): Extract<Arc<Engine>>, Query(which): Query<Which>) -> Response {
    let list = SlackSim { engine }.messages(&which.channel);
    Json(json!({"messages": list})).into_response()
}

#[derive(Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
enum Act {
    Post {
        user: String,
        channel: String,
        text: String,
        #[serde(default)]
        thread_ts: Option<String>,
        #[serde(default)]
        broadcast: bool,
    },
    Edit {
        user: String,
        channel: String,
        ts: String,
        text: String,
    },
    Delete {
        user: String,
        channel: String,
        ts: String,
    },
    React {
        user: String,
        channel: String,
        ts: String,
        name: String,
    },
    Unreact {
        user: String,
        channel: String,
        ts: String,
        name: String,
    },
    Unfurl {
        channel: String,
        ts: String,
        url: String,
    },
    Direct {
        members: Vec<String>,
    },
    Join {
        user: String,
        channel: String,
        #[serde(default)]
        inviter: Option<String>,
    },
    Leave {
        user: String,
        channel: String,
    },
    Rename {
        user: String,
        channel: String,
        name: String,
    },
    Topic {
        user: String,
        channel: String,
        text: String,
    },
    Archive {
        user: String,
        channel: String,
        archived: bool,
    },
    Create {
        user: String,
        name: String,
        #[serde(default)]
        private: bool,
    },
}

async fn act(Extract(engine): Extract<Arc<Engine>>, Json(act): Json<Act>) -> Response {
    let sim = SlackSim { engine };
    let done = perform(&sim, act);
    sim.changes().announce(json!({"type": "change"}));
    answer(done)
}

fn answer(done: Result<Value, ApiError>) -> Response {
    match done {
        Ok(value) => Json(json!({"ok": true, "result": value})).into_response(),
        Err(error) => (StatusCode::CONFLICT, Json(json!({"ok": false, "error": error.code}))).into_response(),
    }
}

fn perform(sim: &SlackSim, act: Act) -> Result<Value, ApiError> {
    let nothing = |()| Value::Null;
    match act {
        Act::Post { user, channel, text, thread_ts, broadcast } => {
            let post = Post { text: &text, thread_ts: thread_ts.as_deref(), broadcast, files: Vec::new() };
            sim.post_with(&user, &channel, &post).map(Value::from)
        }
        Act::Edit { user, channel, ts, text } => sim.edit(&user, &channel, &ts, &text).map(nothing),
        Act::Delete { user, channel, ts } => sim.delete(&user, &channel, &ts).map(nothing),
        Act::React { user, channel, ts, name } => sim.react(&user, &channel, &ts, &name).map(nothing),
        Act::Unreact { user, channel, ts, name } => sim.unreact(&user, &channel, &ts, &name).map(nothing),
        Act::Unfurl { channel, ts, url } => sim.unfurl(&channel, &ts, &url).map(nothing),
        Act::Direct { members } => {
            let members: Vec<&str> = members.iter().map(String::as_str).collect();
            sim.open_direct(&members).map(Value::from)
        }
        Act::Join { user, channel, inviter } => sim.join(&user, &channel, inviter.as_deref()).map(nothing),
        Act::Leave { user, channel } => sim.leave(&user, &channel, None).map(nothing),
        Act::Rename { user, channel, name } => sim.rename(&user, &channel, &name).map(nothing),
        Act::Topic { user, channel, text } => sim.set_topic(&user, &channel, &text).map(nothing),
        Act::Archive { user, channel, archived } => sim.archive(&user, &channel, archived).map(nothing),
        Act::Create { user, name, private } => sim.create_channel(&user, &name, private).map(Value::from),
    }
}

#[derive(Deserialize)]
struct Upload {
    user: String,
    channel: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    text: String,
    #[serde(default)]
    thread_ts: Option<String>,
}

async fn upload(
    Extract(engine): Extract<Arc<Engine>>,
    Query(upload): Query<Upload>,
    request: Request<Body>,
) -> Response {
    let (parts, body) = request.into_parts();
    let files = match sent(&parts.headers, body, &upload.name).await {
        Ok(files) => files,
        Err(answer) => return answer,
    };
    let post = Post {
        text: &upload.text,
        thread_ts: upload.thread_ts.as_deref().filter(|ts| !ts.is_empty()),
        broadcast: false,
        files: files.iter().map(|file| (&*file.name, &*file.bytes)).collect(),
    };
    answer(SlackSim { engine }.post_with(&upload.user, &upload.channel, &post).map(Value::from))
}

async fn file(Extract(engine): Extract<Arc<Engine>>, Path(id): Path<String>) -> Response {
    let state = lock(&engine.state);
    match state.files.get(&id).filter(|file| !file.deleted) {
        Some(file) => ([(header::CONTENT_TYPE, file.mimetype.clone())], file.bytes.body()).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
