//! What the page reads and does. Actions run through the same state code as the API.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Query, Request, State as Extract};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::{StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::core::page::{asset, avatar_svg, sent};
use crate::core::world::lock;
use crate::zoom::engine::Engine;
use crate::zoom::error::ApiError;
use crate::zoom::files;
use crate::zoom::people::Post;
use crate::zoom::sim::ZoomSim;
use crate::zoom::state::{Author, Person, Room, State};

/// Routes: `/`, its assets, `/avatars/{file}`, `/_sim/zoom/state`, `…/messages`, `…/act`, `…/upload`, `…/file/{id}`.
pub fn router() -> Router<Arc<Engine>> {
    Router::new()
        .route("/", get(|| async { asset("text/html; charset=utf-8", include_str!("page.html")) }))
        .route("/page.css", get(|| async { asset("text/css; charset=utf-8", include_str!("page.css")) }))
        .route("/page.js", get(|| async { asset("text/javascript; charset=utf-8", include_str!("page.js")) }))
        .route("/draw.js", get(|| async { asset("text/javascript; charset=utf-8", include_str!("draw.js")) }))
        .route("/healthz", get(|| async { "ok" }))
        .route("/avatars/{file}", get(avatar))
        .route("/_sim/zoom/state", get(state))
        .route("/_sim/zoom/messages", get(messages))
        .route("/_sim/zoom/act", post(act))
        .route("/_sim/zoom/upload", post(upload))
        .route("/_sim/zoom/file/{id}", get(file))
}

async fn avatar(Extract(engine): Extract<Arc<Engine>>, Path(file): Path<String>) -> Response {
    let id = file.trim_end_matches(".svg");
    let name =
        lock(&engine.state).people.get(id).map_or_else(|| id.to_owned(), |one| one.display_name.clone());
    ([(header::CONTENT_TYPE, "image/svg+xml")], avatar_svg(&name, id)).into_response()
}

#[derive(Deserialize)]
struct Who {
    #[serde(default)]
    user: String,
}

async fn state(Extract(engine): Extract<Arc<Engine>>, Query(who): Query<Who>) -> Response {
    let state = lock(&engine.state);
    let company = |person: &Person| state.accounts.get(&person.account).map(|account| account.name.clone());
    let live = || state.people.values().filter(|person| !person.deleted);
    let Some(me) = state.people.get(&who.user).or_else(|| live().next()) else {
        return Json(json!({"people": []})).into_response();
    };
    let people: Vec<Value> = live()
        .map(|person| {
            json!({"id": person.id, "name": person.display_name, "company": company(person),
                "foreign": person.account != me.account})
        })
        .collect();
    let rooms: Vec<Value> = state
        .rooms
        .values()
        .filter(|room| room.members.contains_key(&me.id))
        .map(|room| listed(&state, room, &me.id))
        .collect();
    let emoji: Vec<&String> =
        state.accounts.get(&me.account).into_iter().flat_map(|account| account.emoji.values()).collect();
    let bots: Vec<Value> = state
        .apps
        .iter()
        .filter(|app| app.seed.robot_jid.is_some())
        .map(|app| json!({"id": app.seed.app_id, "name": app.seed.name}))
        .collect();
    Json(json!({"company": company(me), "me": me.id, "people": people, "rooms": rooms, "emoji": emoji,
        "bots": bots}))
    .into_response()
}

fn listed(state: &State, room: &Room, me: &str) -> Value {
    let name = |id: &str| state.people.get(id).map_or(String::new(), |person| person.display_name.clone());
    let foreign = room.members.keys().any(|id| {
        let home = room.channel.as_ref().map(|info| info.account.as_str());
        state.people.get(id).is_some_and(|person| home.is_some_and(|home| home != person.account))
    });
    let last = room.messages.values().map(|message| message.at).max().unwrap_or(0);
    match (&room.channel, &room.bot) {
        (Some(info), _) => {
            json!({"id": room.id, "name": info.name, "kind": "channel", "private": info.kind == 1,
            "members": room.members.len(), "archived": info.archived, "foreign": foreign, "last": last})
        }
        (None, Some(app)) => json!({"id": room.id, "kind": "bot", "members": 2, "last": last,
            "name": state.app(app).map_or("", |app| app.seed.name.as_str())}),
        (None, None) => json!({"id": room.id, "name": name(room.other(me)), "kind": "direct", "last": last,
            "other": room.other(me), "members": room.members.len()}),
    }
}

#[derive(Deserialize)]
struct Which {
    room: String,
    #[serde(default)]
    user: String,
}

async fn messages(Extract(engine): Extract<Arc<Engine>>, Query(which): Query<Which>) -> Response {
    let mut list = ZoomSim { engine: Arc::clone(&engine) }.messages(&which.room, &which.user);
    let state = lock(&engine.state);
    let room = state.rooms.get(&which.room);
    for item in &mut list {
        let id = item["id"].as_str().unwrap_or_default().to_owned();
        let Some(message) = room.and_then(|room| room.message(&id).ok()) else { continue };
        item["author"] = match &message.author {
            Author::Person(user) => {
                let person = state.people.get(user);
                json!({"id": user, "name": person.map_or("", |person| person.display_name.as_str()), "bot": false,
                    "company": person.and_then(|person| state.accounts.get(&person.account))
                        .map(|account| account.name.clone())})
            }
            Author::Bot(app_id) => {
                let name = state.app(app_id).map_or("", |app| app.seed.name.as_str());
                json!({"id": app_id, "name": name, "bot": true, "markdown": message.markdown})
            }
        };
        // Half-open positions, whatever the switches say; custom emoji by name.
        item["ranges"] = message
            .ranges
            .iter()
            .map(|range| json!({"start": range.start, "end": range.end, "kind": range.kind, "attr": range.attr}))
            .collect();
        item["mentions"] = message
            .mentions
            .iter()
            .map(|at| json!({"start": at.start, "end": at.end, "user": at.user}))
            .collect();
        item["emoji"] =
            message.reactions.iter().map(|(emoji, users)| json!({"emoji": emoji, "users": users})).collect();
        item["root"] = json!(message.root);
        item["edited"] = json!(message.edited);
    }
    let utf16 = engine.config.doubts.utf16_positions;
    Json(json!({"messages": list, "utf16": utf16})).into_response()
}

#[derive(Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
enum Act {
    Post {
        user: String,
        room: String,
        text: String,
        #[serde(default)]
        root: Option<String>,
    },
    Edit {
        user: String,
        room: String,
        id: String,
        text: String,
    },
    Delete {
        user: String,
        room: String,
        id: String,
    },
    React {
        user: String,
        room: String,
        id: String,
        emoji: String,
    },
    Unreact {
        user: String,
        room: String,
        id: String,
        emoji: String,
    },
    Direct {
        user: String,
        other: String,
    },
    Bot {
        user: String,
        app: String,
    },
    Join {
        user: String,
        room: String,
        #[serde(default)]
        inviter: Option<String>,
    },
    Leave {
        user: String,
        room: String,
        #[serde(default)]
        actor: Option<String>,
    },
    Rename {
        user: String,
        room: String,
        name: String,
    },
    Archive {
        user: String,
        room: String,
        archived: bool,
    },
    Create {
        user: String,
        name: String,
        #[serde(default)]
        private: bool,
    },
    SetBot {
        user: String,
        room: String,
        app: String,
        inside: bool,
    },
}

async fn act(Extract(engine): Extract<Arc<Engine>>, Json(act): Json<Act>) -> Response {
    let sim = ZoomSim { engine };
    let done = perform(&sim, act);
    sim.changes().announce(json!({"type": "change"}));
    answer(done)
}

fn answer(done: Result<Value, ApiError>) -> Response {
    match done {
        Ok(value) => Json(json!({"ok": true, "result": value})).into_response(),
        Err(error) => {
            let body = json!({"ok": false, "error": error.message, "code": error.code});
            (StatusCode::CONFLICT, Json(body)).into_response()
        }
    }
}

fn perform(sim: &ZoomSim, act: Act) -> Result<Value, ApiError> {
    let nothing = |()| Value::Null;
    match act {
        Act::Post { user, room, text, root } => {
            if text.starts_with('/') && sim.command(&user, &room, &text) {
                return Ok(Value::Null);
            }
            let post = Post { text: &text, root: root.as_deref(), files: Vec::new() };
            sim.post_with(&user, &room, &post).map(Value::from)
        }
        Act::Edit { user, room, id, text } => sim.edit(&user, &room, &id, &text).map(nothing),
        Act::Delete { user, room, id } => sim.delete(&user, &room, &id).map(nothing),
        Act::React { user, room, id, emoji } => sim.react(&user, &room, &id, &emoji).map(nothing),
        Act::Unreact { user, room, id, emoji } => sim.unreact(&user, &room, &id, &emoji).map(nothing),
        Act::Direct { user, other } => sim.open_direct(&user, &other).map(Value::from),
        Act::Bot { user, app } => sim.open_direct_with_bot(&user, &app).map(Value::from),
        Act::Join { user, room, inviter } => sim.join(&user, &room, inviter.as_deref()).map(nothing),
        Act::Leave { user, room, actor } => sim.leave(&user, &room, actor.as_deref()).map(nothing),
        Act::Rename { user, room, name } => sim.rename(&user, &room, &name).map(nothing),
        Act::Archive { user, room, archived } => sim.archive(&user, &room, archived).map(nothing),
        Act::Create { user, name, private } => sim.create_channel(&user, &name, private).map(Value::from),
        Act::SetBot { user, room, app, inside } => sim.set_bot(&user, &room, &app, inside).map(nothing),
    }
}

async fn upload(
    Extract(engine): Extract<Arc<Engine>>,
    Query(query): Query<BTreeMap<String, String>>,
    request: Request<Body>,
) -> Response {
    let given = |key: &str| query.get(key).map(String::as_str).unwrap_or_default();
    let (parts, body) = request.into_parts();
    let files = match sent(&parts.headers, body, given("name")).await {
        Ok(files) => files,
        Err(answer) => return answer,
    };
    let post = Post {
        text: given("text"),
        root: Some(given("root")).filter(|root| !root.is_empty()),
        files: files.iter().map(|file| (&*file.name, &*file.bytes)).collect(),
    };
    answer(ZoomSim { engine }.post_with(given("user"), given("room"), &post).map(Value::from))
}

async fn file(Extract(engine): Extract<Arc<Engine>>, Path(id): Path<String>) -> Response {
    files::serve(&engine, &id)
}
