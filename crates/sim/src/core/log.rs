//! What happened: every API call and every delivery attempt, for tests and for the person watching.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use tokio::sync::Notify;

use super::world::{World, lock};

const KEPT: usize = 200_000;

/// Which direction an entry is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LogKind {
    /// A request that the simulator answered.
    Call,
    /// One attempt to deliver something to the app.
    Delivery,
}

/// One line of the log.
#[derive(Debug, Clone, Serialize)]
pub struct LogEntry {
    /// Position, from 1.
    pub seq: u64,
    /// Milliseconds since 1970.
    pub at: i64,
    /// Call or delivery.
    pub kind: LogKind,
    /// The platform's name.
    pub platform: &'static str,
    /// API method, or the type of what was delivered.
    pub method: String,
    /// Path or URL.
    pub path: String,
    /// HTTP status; 0 when no answer was given or came.
    pub status: u16,
    /// The conversation, where there is one.
    pub conversation: Option<String>,
    /// Milliseconds from start to answer.
    pub ms: u64,
    /// Attempt number of a delivery, from 0.
    pub attempt: u32,
    /// Anything else: an error code, a delivery id, a fault that was applied.
    pub detail: Value,
}

/// The log of one simulator.
#[derive(Clone)]
pub struct CallLog {
    world: Arc<World>,
    inner: Arc<Inner>,
}

struct Inner {
    entries: Mutex<(u64, VecDeque<LogEntry>)>,
    added: Notify,
}

impl CallLog {
    /// An empty log.
    pub fn new(world: &Arc<World>) -> Self {
        let inner = Inner { entries: Mutex::new((0, VecDeque::new())), added: Notify::new() };
        Self { world: Arc::clone(world), inner: Arc::new(inner) }
    }

    /// Adds an entry; `seq` and `at` are filled in.
    pub fn add(&self, mut entry: LogEntry) {
        entry.at = self.world.clock.millis();
        {
            let mut entries = lock(&self.inner.entries);
            entries.0 += 1;
            entry.seq = entries.0;
            if entries.1.len() >= KEPT {
                entries.1.pop_front();
            }
            entries.1.push_back(entry);
        }
        self.inner.added.notify_waiters();
    }

    /// Entries after position `seq` (0 for all that are kept).
    pub fn since(&self, seq: u64) -> Vec<LogEntry> {
        lock(&self.inner.entries).1.iter().filter(|entry| entry.seq > seq).cloned().collect()
    }

    /// The position of the newest entry.
    pub fn position(&self) -> u64 {
        lock(&self.inner.entries).0
    }

    /// How many kept entries satisfy a condition.
    pub fn count(&self, condition: impl Fn(&LogEntry) -> bool) -> usize {
        lock(&self.inner.entries).1.iter().filter(|entry| condition(entry)).count()
    }

    /// Waits until `needed` entries satisfy a condition; `None` when that does not happen in time.
    pub async fn wait_for(
        &self,
        needed: usize,
        within: Duration,
        condition: impl Fn(&LogEntry) -> bool,
    ) -> Option<Vec<LogEntry>> {
        let waiting = async {
            loop {
                let added = self.inner.added.notified();
                tokio::pin!(added);
                added.as_mut().enable();
                let found: Vec<LogEntry> =
                    lock(&self.inner.entries).1.iter().filter(|entry| condition(entry)).cloned().collect();
                if found.len() >= needed {
                    return found;
                }
                added.await;
            }
        };
        tokio::time::timeout(within, waiting).await.ok()
    }
}
