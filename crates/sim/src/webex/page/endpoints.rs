//! What the page reads and does. Actions run through the same state code as the API.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Query, Request, State as Extract};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::{StatusCode, header};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::core::page::{asset, sent};
use crate::core::world::lock;
use crate::webex::engine::Engine;
use crate::webex::error::ApiError;
use crate::webex::ids;
use crate::webex::people::Post;
use crate::webex::sim::WebexSim;
use crate::webex::state::{Kind, Person};
use crate::webex::views::Views;

/// Routes: `/`, `/page.css`, `/page.js`, `/_sim/webex/state`, `…/messages`, `…/act`, `…/upload`, `…/file/{id}/{n}`.
pub fn router() -> Router<Arc<Engine>> {
    Router::new()
        .route("/", get(|| async { asset("text/html; charset=utf-8", include_str!("page.html")) }))
        .route("/page.css", get(|| async { asset("text/css; charset=utf-8", include_str!("page.css")) }))
        .route("/page.js", get(|| async { asset("text/javascript; charset=utf-8", include_str!("page.js")) }))
        .route("/healthz", get(|| async { "ok" }))
        .route("/_sim/webex/state", get(state))
        .route("/_sim/webex/messages", get(messages))
        .route("/_sim/webex/act", post(act))
        .route("/_sim/webex/upload", post(upload))
        .route("/_sim/webex/file/{id}/{index}", get(file))
}

#[derive(Deserialize)]
struct Who {
    #[serde(default)]
    user: String,
}

async fn state(Extract(engine): Extract<Arc<Engine>>, Query(who): Query<Who>) -> Response {
    let state = lock(&engine.state);
    let named = ids::read("PEOPLE", &who.user);
    let me = named
        .and_then(|named| state.people.get(&named.key))
        .or_else(|| state.people.values().find(|person| person.kind == Kind::Person));
    let Some(me) = me else { return Json(json!({"people": []})).into_response() };
    let views = Views { state: &state, doubts: &engine.config.doubts, base: "" };
    let shown = |person: &Person| {
        json!({"id": ids::person(&person.uuid), "name": person.display_name, "email": person.email,
            "bot": person.kind == Kind::Bot, "avatar": format!("avatars/{}~80", person.uuid),
            "org": state.orgs.get(&person.org).map(|org| org.name.clone()), "outside": person.org != me.org})
    };
    let rooms: Vec<Value> = state
        .rooms
        .values()
        .filter(|room| room.has(&me.uuid))
        .map(|room| {
            let mut view = views.room(room, &me.uuid);
            let other = room.members.keys().find(|member| **member != me.uuid);
            view["members"] = json!(room.members.keys().map(|one| ids::person(one)).collect::<Vec<_>>());
            view["other"] = json!(other.map(|other| ids::person(other)));
            view["maySpeak"] = json!(!room.announcement_only || room.moderated_by(&me.uuid));
            view
        })
        .collect();
    Json(json!({
        "org": state.orgs.get(&me.org).map(|org| org.name.clone()), "me": ids::person(&me.uuid),
        "people": state.people.values().map(shown).collect::<Vec<_>>(), "rooms": rooms,
    }))
    .into_response()
}

#[derive(Deserialize)]
struct Which {
    room: String,
}

async fn messages(Extract(engine): Extract<Arc<Engine>>, Query(which): Query<Which>) -> Response {
    let state = lock(&engine.state);
    let named = ids::read("ROOM", &which.room);
    let Some(room) = named.and_then(|named| state.rooms.get(&named.key)) else {
        return Json(json!({"messages": []})).into_response();
    };
    let views = Views { state: &state, doubts: &engine.config.doubts, base: "" };
    let list: Vec<Value> = room
        .messages
        .values()
        .filter(|message| !message.deleted)
        .map(|message| {
            let mut view = views.message(room, message);
            let reactions: Map<String, Value> = message
                .reactions
                .iter()
                .map(|(name, people)| {
                    (name.clone(), json!(people.iter().map(|one| ids::person(one)).collect::<Vec<_>>()))
                })
                .collect();
            let files: Vec<Value> = message
                .files
                .iter()
                .map(|file| json!({"name": file.name, "type": file.content_type, "size": file.bytes.size()}))
                .collect();
            view["reactions"] = Value::Object(reactions);
            view["shownFiles"] = json!(files);
            view["via"] = json!(message.via);
            view
        })
        .collect();
    Json(json!({ "messages": list })).into_response()
}

#[derive(Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
enum Act {
    Post {
        user: String,
        room: String,
        text: String,
        #[serde(default)]
        parent: Option<String>,
    },
    Edit {
        user: String,
        message: String,
        text: String,
    },
    Delete {
        user: String,
        message: String,
    },
    React {
        user: String,
        message: String,
        name: String,
    },
    Click {
        user: String,
        message: String,
        inputs: Map<String, Value>,
    },
    Direct {
        user: String,
        other: String,
    },
    Create {
        user: String,
        title: String,
    },
    Rename {
        user: String,
        room: String,
        title: String,
    },
    Add {
        user: String,
        room: String,
        person: String,
    },
    Remove {
        user: String,
        room: String,
        person: String,
    },
}

async fn act(Extract(engine): Extract<Arc<Engine>>, Json(act): Json<Act>) -> Response {
    let sim = WebexSim { engine };
    let done = perform(&sim, act);
    sim.changes().announce(json!({"type": "change"}));
    answer(done)
}

fn answer(done: Result<Value, ApiError>) -> Response {
    match done {
        Ok(value) => Json(json!({"ok": true, "result": value})).into_response(),
        Err(error) => {
            (StatusCode::CONFLICT, Json(json!({"ok": false, "error": error.message}))).into_response()
        }
    }
}

fn perform(sim: &WebexSim, act: Act) -> Result<Value, ApiError> {
    let nothing = |()| Value::Null;
    match act {
        Act::Post { user, room, text, parent } => {
            let post = Post { text: &text, parent: parent.as_deref(), ..Post::default() };
            sim.post_with(&user, &room, &post).map(Value::from)
        }
        Act::Edit { user, message, text } => sim.edit(&user, &message, &text).map(nothing),
        Act::Delete { user, message } => sim.delete(&user, &message).map(nothing),
        Act::React { user, message, name } => sim.react(&user, &message, &name).map(nothing),
        Act::Click { user, message, inputs } => sim.click(&user, &message, inputs).map(Value::from),
        Act::Direct { user, other } => sim.direct(&user, &other).map(Value::from),
        Act::Create { user, title } => sim.create_room(&user, &title).map(Value::from),
        Act::Rename { user, room, title } => sim.rename(&user, &room, &title).map(nothing),
        Act::Add { user, room, person } => sim.add_member(&user, &room, &person).map(nothing),
        Act::Remove { user, room, person } => sim.remove_member(&user, &room, &person).map(nothing),
    }
}

#[derive(Deserialize)]
struct Upload {
    user: String,
    room: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    text: String,
    #[serde(default)]
    parent: Option<String>,
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
        parent: upload.parent.as_deref().filter(|parent| !parent.is_empty()),
        files: files.iter().map(|file| (&*file.name, &*file.bytes)).collect(),
        card: None,
    };
    answer(WebexSim { engine }.post_with(&upload.user, &upload.room, &post).map(Value::from))
}

async fn file(Extract(engine): Extract<Arc<Engine>>, Path((id, index)): Path<(String, usize)>) -> Response {
    let state = lock(&engine.state);
    let file = ids::read("MESSAGE", &id)
        .and_then(|named| state.room_of(&named.key)?.message(&named.key)?.files.get(index));
    match file {
        Some(file) => {
            ([(header::CONTENT_TYPE, file.content_type.clone())], file.bytes.body()).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
