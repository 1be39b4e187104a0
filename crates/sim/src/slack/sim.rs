//! The simulator as tests and the demo hold it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{any, get, post};
use serde_json::Value;

use super::config::{SeedApp, SlackSimConfig};
use super::engine::Engine;
use super::state::{Token, TokenKind};
use super::views::Meta;
use super::{authorize, commands, dispatch, page, seed, socket, steer, transfer};
use crate::core::world::lock;
use crate::core::{CallLog, Changes, ControlContext, FaultBook, Server, World, control};

/// Who an app's bot is in one workspace or organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BotIdentity {
    /// `U…`.
    pub user_id: String,
    /// `B…`.
    pub bot_id: String,
}

/// A running Slack.
#[derive(Clone)]
pub struct SlackSim {
    pub(super) engine: Arc<Engine>,
}

impl SlackSim {
    /// Starts a Slack on a world.
    ///
    /// # Errors
    /// When the address cannot be listened on or certificates cannot be read.
    pub async fn start(world: &Arc<World>, config: SlackSimConfig) -> anyhow::Result<Self> {
        let state = seed::seeded(&config, world);
        let (listen, tls, base) = (config.listen, config.tls.clone(), config.public_base.clone());
        let engine = Engine::new(world, config, state)?;
        let router = router(&engine);
        let server = Server::start(world, &engine.tasks, listen, tls.as_ref(), router).await?;
        // Set once, here.
        drop(engine.base.set(base.unwrap_or_else(|| server.base_url())));
        let _ = engine.address.set(server.address());
        engine.operate(seed::install);
        Ok(Self { engine })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.engine.address.get().copied().unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    /// `http://127.0.0.1:PORT`, or the host of its links; the Web API is below `/api/`.
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

    /// Sets an app's request URL, as somebody saving it in the settings does: it has to answer the challenge.
    ///
    /// # Errors
    /// When there is no such app or the challenge is not answered.
    pub async fn save_events_url(&self, app_id: &str, url: &str) -> anyhow::Result<()> {
        let app = self
            .engine
            .app(|app| app.app_id == app_id)
            .ok_or_else(|| anyhow::anyhow!("there is no app {app_id}"))?;
        anyhow::ensure!(self.engine.verify_url(&app, url).await, "{url} did not answer the challenge");
        self.set_events_url(app_id, Some(url));
        Ok(())
    }

    /// Sets an app's request URL without a challenge.
    pub fn set_events_url(&self, app_id: &str, url: Option<&str>) {
        self.engine.change_app(app_id, |app| {
            app.seed.events_url = url.map(str::to_owned);
            app.disabled = false;
        });
    }

    /// Changes any setting of an app.
    pub fn change_app(&self, app_id: &str, change: impl FnOnce(&mut SeedApp)) {
        self.engine.change_app(app_id, |app| change(&mut app.seed));
    }

    /// Whether deliveries to an app were switched off because too many failed.
    pub fn is_disabled(&self, app_id: &str) -> bool {
        lock(&self.engine.apps).iter().any(|app| app.seed.app_id == app_id && app.disabled)
    }

    /// The bot of an app in a place (`T…` or `E…`), when it is installed there.
    pub fn bot(&self, app_id: &str, place: &str) -> Option<BotIdentity> {
        let state = lock(&self.engine.state);
        let install = state.installs.iter().find(|install| {
            install.app_id == app_id
                && (install.team.as_deref() == Some(place)
                    || (install.team.is_none() && install.enterprise.as_deref() == Some(place)))
        })?;
        Some(BotIdentity { user_id: install.bot_user.clone()?, bot_id: install.bot_id.clone()? })
    }

    /// How many tokens of a person are good, of all that apps were granted.
    pub fn live_user_tokens(&self, user: &str) -> usize {
        let state = lock(&self.engine.state);
        let theirs = |token: &&Token| token.kind == TokenKind::User && token.user == user && !token.revoked;
        state.tokens.values().filter(theirs).count()
    }

    /// Ends every token of a person that apps were granted; the event about it is lost.
    pub fn end_user_tokens(&self, user: &str) {
        let mut state = lock(&self.engine.state);
        let theirs = |token: &&mut Token| token.kind == TokenKind::User && token.user == user;
        state.tokens.values_mut().filter(theirs).for_each(|token| token.revoked = true);
    }

    /// How many Socket Mode connections an app has.
    pub fn sockets(&self, app_id: &str) -> usize {
        self.engine.sockets.count(app_id)
    }

    /// Waits for an app's connections; false when they do not come in time.
    pub async fn sockets_connected(&self, app_id: &str, needed: usize, within: Duration) -> bool {
        self.engine.sockets.connected(app_id, needed, within).await
    }

    /// Asks an app's connections to be renewed, as happens every few hours.
    pub fn refresh_sockets(&self, app_id: &str) {
        self.engine.sockets.refresh(app_id);
    }

    /// Ends an app's connections with a `disconnect` of this reason.
    pub fn disconnect_sockets(&self, app_id: &str, reason: &'static str) {
        self.engine.sockets.disconnect(app_id, reason);
    }

    /// Cuts an app's connections without a word.
    pub fn cut_sockets(&self, app_id: &str) {
        self.engine.sockets.cut(app_id);
    }

    /// Sends a Socket Mode frame that was made elsewhere: an envelope over one of an app's connections, anything
    /// else over each. `None`: there is none; else whether the envelope was acknowledged in time.
    pub async fn send_frame(&self, app_id: &str, frame: &Value, within: Duration) -> Option<bool> {
        self.engine.frame(app_id, frame, within).await
    }

    /// The ephemeral messages that a person was shown in a conversation.
    pub fn whispers(&self, user: &str, channel: &str) -> Vec<String> {
        self.engine.operate(|desk| {
            let here = desk.state.whispers.iter().filter(|(to, at, _)| to == user && at == channel);
            here.map(|(.., text)| text.clone()).collect()
        })
    }

    /// All messages of a conversation in order, replies included, as `conversations.history` shows them.
    pub fn messages(&self, channel: &str) -> Vec<Value> {
        self.engine.operate(|desk| {
            let Some(channel) = desk.state.channels.get(channel) else { return Vec::new() };
            channel
                .messages
                .values()
                .map(|message| Value::Object(desk.views().message(channel, message, Meta::Full)))
                .collect()
        })
    }

    /// The id of a channel by its name.
    pub fn channel_id(&self, name: &str) -> Option<String> {
        let state = lock(&self.engine.state);
        state.channels.values().find(|channel| channel.name == name).map(|channel| channel.id.clone())
    }

    /// The id of a person by full or display name.
    pub fn person_id(&self, name: &str) -> Option<String> {
        let state = lock(&self.engine.state);
        state
            .users
            .values()
            .find(|user| user.real_name == name || user.display_name == name)
            .map(|user| user.id.clone())
    }

    /// Members of a conversation.
    pub fn members(&self, channel: &str) -> Vec<String> {
        let state = lock(&self.engine.state);
        state
            .channels
            .get(channel)
            .map(|channel| channel.members.iter().cloned().collect())
            .unwrap_or_default()
    }

    /// Every file that was uploaded and shared and not deleted since: its owner and its name.
    pub fn kept_files(&self) -> Vec<(String, String)> {
        let state = lock(&self.engine.state);
        let kept = state.files.values().filter(|file| file.completed && !file.deleted);
        kept.map(|file| (file.user.clone(), file.name.clone())).collect()
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
        .route("/api/{method}", any(dispatch::call))
        .route("/link/", get(socket::link))
        .route("/oauth/v2/authorize", get(authorize::page))
        .route("/oauth/v2/authorize/decision", get(authorize::decision))
        .route("/commands/{team}/{id}/{key}", post(commands::answer))
        .route("/upload/v1/{key}", post(transfer::upload))
        .route("/files-pri/{key}/{name}", get(transfer::view_named))
        .route("/files-pri/{key}/download/{name}", get(transfer::download_named))
        .route("/avatars/{file}", get(transfer::avatar))
        .merge(page::router())
        .merge(steer::router())
        .layer(DefaultBodyLimit::disable())
        .with_state(Arc::clone(engine))
        .merge(control::router(context))
}
