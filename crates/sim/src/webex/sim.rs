//! The simulator as tests and the demo hold it.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, State as Extract};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use http::{StatusCode, header};
use serde_json::Value;

use super::config::WebexSimConfig;
use super::engine::Engine;
use super::error::{ApiError, not_found};
use super::ids;
use super::state::Scan;
use super::{api, authorize, dispatch, page, seed, steer};
use crate::core::page::avatar_svg;
use crate::core::world::lock;
use crate::core::{CallLog, Changes, ControlContext, FaultBook, Server, World, control};

/// A running Webex.
#[derive(Clone)]
pub struct WebexSim {
    pub(super) engine: Arc<Engine>,
}

impl WebexSim {
    /// Starts a Webex on a world.
    ///
    /// # Errors
    /// When the address cannot be listened on or certificates cannot be read.
    pub async fn start(world: &Arc<World>, config: WebexSimConfig) -> anyhow::Result<Self> {
        let state = seed::seeded(&config, world);
        let (listen, tls) = (config.listen, config.tls.clone());
        let engine = Engine::new(world, config, state)?;
        let router = router(&engine);
        let server = Server::start(world, &engine.tasks, listen, tls.as_ref(), router).await?;
        // Set once, here.
        drop(engine.base.set(server.base_url()));
        Ok(Self { engine })
    }

    /// `http://127.0.0.1:PORT`; the API is below `/v1/`.
    pub fn base_url(&self) -> &str {
        self.engine.base()
    }

    /// Fault orders.
    pub fn faults(&self) -> &FaultBook {
        &self.engine.faults
    }

    /// Every call and delivery.
    pub fn log(&self) -> &CallLog {
        &self.engine.log
    }

    /// Every change of state.
    pub fn changes(&self) -> &Changes {
        &self.engine.changes
    }

    /// Ends everything and waits for it.
    pub async fn shutdown(&self) {
        self.engine.tasks.shutdown().await;
    }

    /// Refuses all calls of a token to a resource (`messages`, `people` …; empty: any) for a while, with the
    /// remaining seconds in `Retry-After`.
    pub fn limit(&self, token: &str, resource: &str, lasting: Duration) {
        let until = self.engine.world.clock.millis() + super::state::millis(lasting);
        lock(&self.engine.limiter).pause(token, resource, until);
    }

    /// Ends what a person (public id or UUID) granted to an integration.
    pub fn revoke(&self, person: &str, client_id: &str) {
        self.engine.operate(|desk| {
            if let Some(named) = ids::read("PEOPLE", person) {
                desk.state.revoke(&named.key, client_id);
            }
        });
    }

    /// Switches an account off, and its webhooks with it; or on again.
    pub fn set_active(&self, person: &str, active: bool) {
        self.engine.operate(|desk| {
            let Some(named) = ids::read("PEOPLE", person) else { return };
            if let Some(person) = desk.state.people.get_mut(&named.key) {
                person.active = active;
            }
            for webhook in desk.state.webhooks.values_mut().filter(|one| one.creator == named.key && !active)
            {
                webhook.active = false;
            }
        });
    }

    /// Gives a message (or a space) content that cannot be decrypted for now, or back what it had.
    pub fn set_decryptable(&self, id: &str, decryptable: bool) {
        self.engine.operate(|desk| {
            if let Some(named) = ids::read("MESSAGE", id).or_else(|| ids::read("ROOM", id)) {
                if decryptable {
                    desk.state.undecryptable.remove(&named.key);
                } else {
                    desk.state.undecryptable.insert(named.key);
                }
            }
        });
    }

    /// Sets what the scan says about a message's files.
    ///
    /// # Errors
    /// When there is no such message.
    pub fn set_scan(&self, message: &str, scan: Scan) -> Result<(), ApiError> {
        self.engine.operate(|desk| {
            let named = ids::read("MESSAGE", message).ok_or_else(|| not_found("message"))?;
            let room = desk.state.room_of(&named.key).ok_or_else(|| not_found("message"))?.uuid.clone();
            let message = desk.state.room_mut(&room)?.messages.get_mut(&named.key);
            for file in &mut message.ok_or_else(|| not_found("message"))?.files {
                file.scan = scan;
            }
            Ok(())
        })
    }

    /// Moves a space to another region; returns its new id.
    ///
    /// # Errors
    /// When there is no such space.
    pub fn migrate(&self, room: &str, cluster: &str) -> Result<String, ApiError> {
        self.engine.operate(|desk| {
            let named = ids::read("ROOM", room).ok_or_else(|| not_found("room"))?;
            desk.migrate(&named.key, cluster)?;
            Ok(desk.state.room(&named.key)?.id())
        })
    }

    /// All messages of a space in order, replies included, as the API shows them.
    pub fn messages(&self, room: &str) -> Vec<Value> {
        self.engine.operate(|desk| {
            let room = ids::read("ROOM", room).and_then(|named| desk.state.rooms.get(&named.key));
            let Some(room) = room else { return Vec::new() };
            let views = desk.views();
            room.messages
                .values()
                .filter(|message| !message.deleted)
                .map(|message| views.message(room, message))
                .collect()
        })
    }

    /// All webhooks, as the API shows them to their owners.
    pub fn webhooks(&self) -> Vec<Value> {
        lock(&self.engine.state).webhooks.values().map(super::hooks::Webhook::view).collect()
    }

    /// Switches a webhook (public id) off or on, as failures and a PUT do.
    pub fn set_webhook_active(&self, id: &str, active: bool) {
        let now = self.engine.world.clock.millis();
        self.engine.operate(|desk| {
            let named = ids::read("WEBHOOK", id);
            if let Some(webhook) = named.and_then(|named| desk.state.webhooks.get_mut(&named.key)) {
                if active {
                    webhook.activate(now);
                } else {
                    webhook.active = false;
                }
            }
        });
    }

    /// The public id of a space by its title.
    pub fn room_id(&self, title: &str) -> Option<String> {
        lock(&self.engine.state).rooms.values().find(|room| room.title == title).map(super::state::Room::id)
    }

    /// The public id of a person by name or address.
    pub fn person_id(&self, name: &str) -> Option<String> {
        lock(&self.engine.state)
            .people
            .values()
            .find(|person| person.display_name == name || person.email == name)
            .map(|person| ids::person(&person.uuid))
    }

    /// Public ids of the members of a space.
    pub fn members(&self, room: &str) -> Vec<String> {
        let state = lock(&self.engine.state);
        ids::read("ROOM", room)
            .and_then(|named| state.rooms.get(&named.key))
            .map(|room| room.members.keys().map(|member| ids::person(member)).collect())
            .unwrap_or_default()
    }

    /// Names and bytes of a message's files.
    pub fn files(&self, message: &str) -> Vec<(String, Vec<u8>)> {
        let state = lock(&self.engine.state);
        ids::read("MESSAGE", message)
            .and_then(|named| state.room_of(&named.key)?.message(&named.key))
            .map(|message| {
                message.files.iter().map(|file| (file.name.clone(), file.bytes.to_vec())).collect()
            })
            .unwrap_or_default()
    }

    /// The bytes of a message's files.
    pub fn file_bytes(&self, message: &str) -> Vec<Vec<u8>> {
        self.files(message).into_iter().map(|(_, bytes)| bytes).collect()
    }
}

/// `/avatars/{uuid}~1600`: public, without a token.
async fn avatar(Extract(engine): Extract<Arc<Engine>>, Path(name): Path<String>) -> Response {
    let uuid = name.split('~').next().unwrap_or_default();
    match lock(&engine.state).people.get(uuid) {
        Some(person) => {
            let svg = avatar_svg(&person.display_name, &person.uuid);
            ([(header::CONTENT_TYPE, "image/svg+xml")], svg).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

fn router(engine: &Arc<Engine>) -> Router {
    let context = ControlContext {
        world: Arc::clone(&engine.world),
        tasks: engine.tasks.clone(),
        log: engine.log.clone(),
        faults: engine.faults.clone(),
        changes: engine.changes.clone(),
    };
    Router::new()
        .route("/v1/{*path}", any(dispatch::call))
        .route("/avatars/{name}", get(avatar))
        .merge(api::oauth_router())
        .merge(authorize::router())
        .merge(page::router())
        .merge(steer::router())
        .layer(DefaultBodyLimit::disable())
        .with_state(Arc::clone(engine))
        .merge(control::router(context))
}
