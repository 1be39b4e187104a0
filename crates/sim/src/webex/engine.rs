//! The running simulator: locked state, operations, and the deliveries that follow from them.

use std::sync::{Arc, Mutex, OnceLock};

use bytes::Bytes;
use serde_json::json;

use super::config::WebexSimConfig;
use super::desk::Desk;
use super::hooks::{self, Event, Webhook};
use super::limits::Limiter;
use super::state::State;
use crate::core::world::lock;
use crate::core::{
    Answer, CallError, CallLog, Changes, Delivery, FaultBook, HttpClient, Outbound, Tasks, Verdict, World,
};

/// Name in logs and fault orders.
pub const PLATFORM: &str = "webex";

/// The running simulator.
pub struct Engine {
    /// The world.
    pub world: Arc<World>,
    /// Configuration.
    pub config: WebexSimConfig,
    /// State.
    pub state: Mutex<State>,
    /// Rate limits.
    pub limiter: Mutex<Limiter>,
    /// Faults.
    pub faults: FaultBook,
    /// Log.
    pub log: CallLog,
    /// Changes for pages.
    pub changes: Changes,
    /// Tasks.
    pub tasks: Tasks,
    /// Deliveries.
    pub delivery: Delivery,
    /// Outbound HTTP.
    pub client: HttpClient,
    /// Where it can be reached; known once it listens.
    pub base: OnceLock<String>,
}

impl Engine {
    /// An engine that does not listen yet.
    pub fn new(world: &Arc<World>, config: WebexSimConfig, state: State) -> anyhow::Result<Arc<Self>> {
        let tasks = world.tasks.child();
        let faults = FaultBook::default();
        let log = CallLog::new(world);
        let client = HttpClient::new(world, &tasks, config.trusted_pem.as_deref())?;
        let delivery =
            Delivery::new(client.clone(), faults.clone(), log.clone(), tasks.clone(), config.timing.stagger);
        Ok(Arc::new(Self {
            world: Arc::clone(world),
            state: Mutex::new(state),
            limiter: Mutex::default(),
            faults,
            log,
            changes: Changes::default(),
            tasks,
            delivery,
            client,
            base: OnceLock::new(),
            config,
        }))
    }

    /// `http://127.0.0.1:PORT`.
    pub fn base(&self) -> &str {
        self.base.get().map_or("http://127.0.0.1:0", String::as_str)
    }

    /// Runs one operation on the state and delivers the events that follow from it.
    pub fn operate<T>(self: &Arc<Self>, operation: impl FnOnce(&mut Desk<'_>) -> T) -> T {
        let mut state = lock(&self.state);
        let result = operation(&mut Desk {
            state: &mut state,
            world: &self.world,
            config: &self.config,
            base: self.base(),
            now: self.world.clock.millis(),
        });
        for room in std::mem::take(&mut state.touched) {
            self.changes.announce(json!({"type": "change", "channel": room}));
        }
        for event in std::mem::take(&mut state.outbox) {
            self.changes.announce(json!({"type": "change", "channel": event.room_id()}));
            for webhook in state.webhooks.values() {
                if webhook.tells(&state, &self.config.doubts, &event) {
                    self.deliver(webhook, &event);
                }
            }
        }
        result
    }

    fn deliver(self: &Arc<Self>, webhook: &Webhook, event: &Event) {
        let body = Bytes::from(webhook.delivery(event));
        let headers = hooks::headers(webhook.secret.as_deref(), &self.config.doubts, &body);
        let engine = Arc::downgrade(self);
        let uuid = webhook.uuid.clone();
        self.delivery.send(Outbound {
            platform: PLATFORM,
            method: format!("{}.{}", event.resource, event.kind),
            conversation: event.room_id(),
            url: webhook.target.clone(),
            deadline: self.config.timing.ack_deadline,
            // What fails is lost.
            schedule: Vec::new(),
            request: Arc::new(move |_, _| (headers.clone(), body.clone())),
            judge,
            label: json!({"webhook": webhook.id(), "name": webhook.name, "id": event.data["id"]}),
            done: Some(Arc::new(move |delivered| {
                if let Some(engine) = engine.upgrade().filter(|_| !delivered) {
                    let now = engine.world.clock.millis();
                    if let Some(webhook) = lock(&engine.state).webhooks.get_mut(&uuid) {
                        webhook.failed(now, &engine.config.limits);
                    }
                }
            })),
        });
    }

    /// What the support of the service would ask for.
    pub fn tracking(&self, prefix: &str) -> String {
        format!("{prefix}{}", self.world.uuid().to_ascii_uppercase())
    }
}

fn judge(outcome: &Result<Answer, CallError>) -> Verdict {
    match outcome {
        Ok(answer) if answer.status.is_success() => Verdict::Delivered,
        Ok(_) => Verdict::GiveUp("http_error"),
        Err(CallError::Timeout) => Verdict::GiveUp("timeout"),
        Err(CallError::Connect | CallError::Reset) => Verdict::GiveUp("connection_failed"),
        Err(CallError::Tls) => Verdict::GiveUp("tls"),
        Err(CallError::Url) => Verdict::GiveUp("url"),
    }
}
