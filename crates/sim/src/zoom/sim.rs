//! The simulator as tests and the demo hold it.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{any, get, post};
use serde_json::Value;

use super::config::{SeedApp, SeedSubscription, Transport, ZoomSimConfig};
use super::engine::Engine;
use super::state::State;
use super::{authorize, dispatch, files, oauth, page, seed, socket, steer};
use crate::core::world::lock;
use crate::core::{CallLog, Changes, ControlContext, FaultBook, Server, World, control};

/// A running Zoom.
#[derive(Clone)]
pub struct ZoomSim {
    pub(super) engine: Arc<Engine>,
}

impl ZoomSim {
    /// Starts a Zoom on a world.
    ///
    /// # Errors
    /// When an address cannot be listened on or certificates cannot be read.
    pub async fn start(world: &Arc<World>, config: ZoomSimConfig) -> anyhow::Result<Self> {
        let state = seed::seeded(&config, world);
        let (listen, files_listen, tls) = (config.listen, config.files_listen, config.tls.clone());
        let engine = Engine::new(world, config, state)?;
        let router = router(&engine);
        let server = Server::start(world, &engine.tasks, listen, tls.as_ref(), router).await?;
        let router = files_router(&engine);
        let files = Server::start(world, &engine.tasks, files_listen, tls.as_ref(), router).await?;
        // Set once, here.
        drop(engine.base.set(server.base_url()));
        drop(engine.files_base.set(files.base_url()));
        engine.operate(seed::install)?;
        engine.keep_validating();
        Ok(Self { engine })
    }

    /// `http://127.0.0.1:PORT`: consent page and tokens below `/oauth`, the API below `/v2`, WebSocket at `/ws`.
    pub fn base_url(&self) -> &str {
        self.engine.base()
    }

    /// The file host, below `/v2` too.
    pub fn files_url(&self) -> &str {
        self.engine.files_base()
    }

    /// `ws://127.0.0.1:PORT/ws?subscriptionId=…`, as the app's settings show it.
    pub fn socket_url(&self, subscription: &str) -> String {
        format!("{}/ws?subscriptionId={subscription}", self.engine.base().replacen("http", "ws", 1))
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

    /// Saves the address of an app's subscriptions, as somebody does in its settings: it has to answer validation.
    ///
    /// # Errors
    /// When there is no such app or it does not answer as it must.
    pub async fn save_events_url(&self, app_id: &str, url: &str) -> anyhow::Result<()> {
        let known = lock(&self.engine.state).app(app_id).is_some();
        anyhow::ensure!(known, "there is no app {app_id}");
        anyhow::ensure!(self.engine.validate(app_id, url).await, "{url} did not answer the validation");
        self.set_events_url(app_id, Some(url));
        Ok(())
    }

    /// Sets the address of an app's subscriptions without validation.
    pub fn set_events_url(&self, app_id: &str, url: Option<&str>) {
        self.change_subscriptions(app_id, |seed| {
            seed.transport = Transport::Webhook(url.map(str::to_owned));
        });
    }

    /// Lets an app's subscriptions use the WebSocket.
    pub fn use_socket(&self, app_id: &str) {
        self.change_subscriptions(app_id, |seed| seed.transport = Transport::Socket);
    }

    /// Changes the settings of all subscriptions of an app, and switches them on.
    pub fn change_subscriptions(&self, app_id: &str, change: impl Fn(&mut SeedSubscription)) {
        self.change_state(|state| {
            for app in state.apps.iter_mut().filter(|app| app.seed.app_id == app_id) {
                for subscription in &mut app.subscriptions {
                    change(&mut subscription.seed);
                    subscription.disabled = false;
                    subscription.failures = 0;
                }
            }
        });
    }

    /// Changes any setting of an app.
    pub fn change_app(&self, app_id: &str, change: impl FnOnce(&mut SeedApp)) {
        self.change_state(|state| {
            if let Some(app) = state.apps.iter_mut().find(|app| app.seed.app_id == app_id) {
                change(&mut app.seed);
            }
        });
    }

    /// Changes anything, without events.
    pub fn change_state<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut lock(&self.engine.state))
    }

    /// Validates all endpoints now instead of in 72 hours.
    pub async fn validate_all(&self) {
        self.engine.validate_all().await;
    }

    /// Whether a subscription was switched off because validation failed too often.
    pub fn is_disabled(&self, subscription: &str) -> bool {
        lock(&self.engine.state)
            .apps
            .iter()
            .flat_map(|app| app.subscriptions.iter())
            .any(|known| known.seed.id == subscription && known.disabled)
    }

    /// E-mails that went to the app's owner.
    pub fn mails(&self) -> Vec<String> {
        lock(&self.engine.mails).clone()
    }

    /// What the data-compliance call was told.
    pub fn compliance_reports(&self) -> Vec<Value> {
        lock(&self.engine.state).compliance.clone()
    }

    /// Waits for a subscription's WebSocket to be there, or gone; false when that does not happen in time.
    pub async fn socket_connected(&self, subscription: &str, connected: bool, within: Duration) -> bool {
        self.engine.sockets.wait(subscription, connected, within).await
    }

    /// Sends a frame over a subscription's WebSocket as it is; false without one.
    pub fn send_frame(&self, subscription: &str, frame: &Value) -> bool {
        self.engine.sockets.frame(subscription, frame.to_string())
    }

    /// Closes a subscription's WebSocket.
    pub fn close_socket(&self, subscription: &str) {
        self.engine.sockets.close(subscription);
    }

    /// Cuts a subscription's WebSocket without a word.
    pub fn cut_socket(&self, subscription: &str) {
        self.engine.sockets.cut(subscription);
    }

    /// The id of a channel by its name.
    pub fn channel_id(&self, name: &str) -> Option<String> {
        let state = lock(&self.engine.state);
        state
            .rooms
            .values()
            .find(|room| room.channel.as_ref().is_some_and(|info| info.name == name))
            .map(|room| room.id.clone())
    }

    /// The user id of a person by the shown name.
    pub fn person_id(&self, name: &str) -> Option<String> {
        let state = lock(&self.engine.state);
        state.people.values().find(|person| person.display_name == name).map(|person| person.id.clone())
    }

    /// User ids of a conversation's members.
    pub fn members(&self, room: &str) -> Vec<String> {
        let state = lock(&self.engine.state);
        state.rooms.get(room).map(|room| room.members.keys().cloned().collect()).unwrap_or_default()
    }

    /// Names and bytes of the files of a message.
    pub fn files_of(&self, channel: &str, message: &str) -> Vec<(String, Vec<u8>)> {
        let state = lock(&self.engine.state);
        let message = state.rooms.get(channel).and_then(|room| room.message(message).ok());
        let ids = message.map(|message| message.files.clone()).unwrap_or_default();
        let files = ids.iter().filter_map(|id| state.files.get(id)).filter(|file| !file.deleted);
        files.map(|file| (file.name.clone(), file.bytes.to_vec())).collect()
    }

    /// Every file that is not deleted: its owner and its name.
    pub fn kept_files(&self) -> Vec<(String, String)> {
        let state = lock(&self.engine.state);
        let kept = state.files.values().filter(|file| !file.deleted);
        kept.map(|file| (file.owner.clone(), file.name.clone())).collect()
    }

    /// The bytes of a file.
    pub fn file_bytes(&self, id: &str) -> Option<Vec<u8>> {
        lock(&self.engine.state).files.get(id).filter(|file| !file.deleted).map(|file| file.bytes.to_vec())
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
        .route("/v2/{*path}", any(dispatch::call))
        .route("/oauth/authorize", get(authorize::page))
        .route("/oauth/authorize/decision", get(authorize::decision))
        .route("/oauth/token", post(oauth::token))
        .route("/oauth/revoke", post(oauth::revoke))
        .route("/oauth/data/compliance", post(oauth::compliance))
        .route("/ws", get(socket::link))
        .merge(page::router())
        .merge(steer::router())
        .fallback(dispatch::lost)
        .layer(DefaultBodyLimit::disable())
        .with_state(Arc::clone(engine))
        .merge(control::router(context))
}

fn files_router(engine: &Arc<Engine>) -> Router {
    Router::new()
        .route("/v2/{*path}", any(dispatch::upload))
        .route("/file/download/{id}", get(files::download))
        .layer(DefaultBodyLimit::disable())
        .with_state(Arc::clone(engine))
}
