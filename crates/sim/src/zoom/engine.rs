//! The running simulator: locked state, operations, and the deliveries that follow from them.

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use serde_json::json;

use super::api::post_from;
use super::config::ZoomSimConfig;
use super::desk::Desk;
use super::limits::Limiter;
use super::socket::SocketHub;
use super::state::State;
use crate::core::world::lock;
use crate::core::{CallLog, Changes, Delivery, FaultBook, HttpClient, Tasks, World};

/// Name in logs and fault orders.
pub const PLATFORM: &str = "zoom";

/// The running simulator.
pub struct Engine {
    /// The world.
    pub world: Arc<World>,
    /// Configuration.
    pub config: ZoomSimConfig,
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
    /// WebSocket connections.
    pub sockets: SocketHub,
    /// E-mails to the app's owner.
    pub mails: Mutex<Vec<String>>,
    /// Where it can be reached; known once it listens.
    pub base: OnceLock<String>,
    /// Where the file host can be reached.
    pub files_base: OnceLock<String>,
}

impl Engine {
    /// An engine that does not listen yet.
    ///
    /// # Errors
    /// When the trusted authorities are not readable.
    pub fn new(world: &Arc<World>, config: ZoomSimConfig, state: State) -> anyhow::Result<Arc<Self>> {
        let tasks = world.tasks.child();
        let faults = FaultBook::default();
        let log = CallLog::new(world);
        let client = HttpClient::new(world, &tasks, config.trusted_pem.as_deref())?;
        let stagger = config.timing.stagger;
        let delivery = Delivery::new(client.clone(), faults.clone(), log.clone(), tasks.clone(), stagger);
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
            sockets: SocketHub::default(),
            mails: Mutex::default(),
            base: OnceLock::new(),
            files_base: OnceLock::new(),
            config,
        }))
    }

    /// `http://127.0.0.1:PORT`.
    pub fn base(&self) -> &str {
        self.base.get().map_or("http://127.0.0.1:0", String::as_str)
    }

    /// The same for the file host.
    pub fn files_base(&self) -> &str {
        self.files_base.get().map_or("http://127.0.0.1:0", String::as_str)
    }

    /// A tracking id, as answers and deliveries carry one.
    pub fn tracking_id(&self) -> String {
        format!("v=2.0;clid=us06;rid=WEB_{}", self.world.hex(32))
    }

    /// Runs one operation on the state and delivers the events that follow from it.
    pub fn operate<T>(self: &Arc<Self>, operation: impl FnOnce(&mut Desk<'_>) -> T) -> T {
        let mut state = lock(&self.state);
        let (result, later) = {
            let mut desk = Desk {
                state: &mut state,
                world: &self.world,
                config: &self.config,
                base: self.base(),
                files_base: self.files_base(),
                now: self.world.clock.millis(),
                later: Vec::new(),
            };
            let result = operation(&mut desk);
            (result, desk.later)
        };
        for outgoing in std::mem::take(&mut state.outbox) {
            self.changes.announce(json!({"type": "change", "room": outgoing.room()}));
            self.send_out(&mut state, outgoing);
        }
        drop(state);
        for (draft, wait) in later {
            self.send_later(draft, Duration::from_millis(u64::try_from(wait).unwrap_or(0)));
        }
        result
    }

    fn send_later(self: &Arc<Self>, draft: String, wait: Duration) {
        let engine = Arc::clone(self);
        self.tasks.spawn(async move {
            tokio::time::sleep(wait).await;
            engine.operate(|desk| {
                // It may have been taken back.
                if let Some(waiting) = desk.state.scheduled.shift_remove(&draft) {
                    // What the platform would refuse by now is lost, as there.
                    drop(post_from(desk, &waiting.user, &waiting.body));
                }
            });
        });
    }
}
