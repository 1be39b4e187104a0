//! Connections that the gateway opens to platforms which send events that way: one task per app, started
//! again with back-off, replaced when the app's registration changes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use dragoman_model::AppId;
use dragoman_platform::{App, Connector, Delivery, Failure, Sink};
use dragoman_relay::{Directory, Relay};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::metrics::Metrics;
use crate::steer;

/// How often the directory is looked at for apps that came, changed or went.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The first pause after a failure, the longest, and how long a connection must hold to start over at the
/// first. In milliseconds.
const FIRST_PAUSE_MS: u64 = 1_000;
const LONGEST_PAUSE_MS: u64 = 60_000;
const STEADY: Duration = Duration::from_mins(2);
/// A connection opened again has this long to come up before what was missed is fetched.
const SETTLE: Duration = Duration::from_secs(5);

struct Listening {
    app: Arc<App>,
    stop: CancellationToken,
}

/// Keeps the sockets of all apps open until cancelled.
pub(crate) async fn supervise(
    relay: Relay,
    metrics: Arc<Metrics>,
    tasks: TaskTracker,
    stop: CancellationToken,
) {
    let mut listening: BTreeMap<AppId, Listening> = BTreeMap::new();
    let mut seen: Option<Arc<Directory>> = None;
    loop {
        let directory = relay.directory();
        if !seen.as_ref().is_some_and(|seen| Arc::ptr_eq(seen, &directory)) {
            listening.retain(|id, running| {
                let same = directory.app(id).is_some_and(|app| same_registration(app, &running.app));
                if !same {
                    running.stop.cancel();
                }
                same
            });
            for app in directory.apps() {
                let Some(connector) = relay.connectors().get(app.platform.0) else { continue };
                if listening.contains_key(&app.id) || !connector.listens(app) {
                    continue;
                }
                let stop = stop.child_token();
                let task = Socket {
                    relay: relay.clone(),
                    app: Arc::clone(app),
                    connector: Arc::clone(connector),
                    metrics: Arc::clone(&metrics),
                    tasks: tasks.clone(),
                    stop: stop.clone(),
                };
                tasks.spawn(async move { task.run().await });
                listening.insert(app.id.clone(), Listening { app: Arc::clone(app), stop });
            }
            seen = Some(directory);
        }
        if stop.run_until_cancelled(sleep(LOOK_EVERY)).await.is_none() {
            return;
        }
    }
}

fn same_registration(a: &App, b: &App) -> bool {
    a.facts == b.facts
        && a.features == b.features
        && a.secrets.len() == b.secrets.len()
        && a.secrets.iter().all(|(name, secret)| {
            b.secrets.get(name).is_some_and(|other| secret.matches(other.expose().as_bytes()))
        })
}

#[derive(Clone)]
struct Socket {
    relay: Relay,
    app: Arc<App>,
    connector: Arc<dyn Connector>,
    metrics: Arc<Metrics>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Socket {
    async fn run(&self) {
        let mut failures = 0_u32;
        let mut again = false;
        while !self.stop.is_cancelled() {
            let opened = Instant::now();
            self.metrics.socket(self.app.platform, 1);
            let ended = self.listen(again).await;
            self.metrics.socket(self.app.platform, -1);
            if self.stop.is_cancelled() {
                return;
            }
            if opened.elapsed() > STEADY {
                failures = 0;
            }
            failures += 1;
            again = true;
            let pause = match ended {
                Ok(()) => Duration::from_millis(LONGEST_PAUSE_MS),
                Err(failure) => {
                    let code = failure.code();
                    self.metrics.socket_failed(self.app.platform, code);
                    tracing::warn!(app = %self.app.id, %code, failures, "the connection for events ended");
                    Duration::from_millis(self.pause(failures, &failure))
                }
            };
            self.stop.run_until_cancelled(sleep(pause)).await;
        }
    }

    /// Listens; when this is not the first time, fetches what was missed once the connection had time to
    /// come up.
    async fn listen(&self, again: bool) -> Result<(), Failure> {
        let listen = self.connector.listen(&self.app, self, self.stop.clone());
        let missed = async {
            if again {
                sleep(SETTLE).await;
                self.gap().await;
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            // In a fixed order, so that equal runs are equal.
            biased;
            ended = listen => ended,
            () = missed => Ok(()),
        }
    }

    fn pause(&self, failures: u32, failure: &Failure) -> u64 {
        let asked = match failure {
            Failure::Retry { after_ms, .. } => after_ms.unwrap_or(0),
            // A person has to act; until then there is little sense in asking often.
            Failure::SignIn(_) | Failure::Refused(_) => LONGEST_PAUSE_MS,
            Failure::Gone(_) | Failure::Malformed(_) => 0,
        };
        let doubled =
            FIRST_PAUSE_MS.saturating_mul(1 << failures.min(10).saturating_sub(1)).min(LONGEST_PAUSE_MS);
        doubled.max(asked) / 2 + self.relay.random().below(doubled / 2 + 1) + asked / 2
    }
}

#[async_trait]
impl Sink for Socket {
    async fn take(&self, delivery: Delivery) -> bool {
        // In a task of its own: a socket that ends must not leave an event durable and never handed on.
        let (relay, app) = (self.relay.clone(), Arc::clone(&self.app));
        let (answer, answered) = oneshot::channel();
        self.tasks.spawn(async move { relay.accept(&app, delivery, answer).await });
        match answered.await {
            Ok(Ok(accepted)) => {
                for code in accepted.dropped {
                    self.metrics.refused(self.app.platform, code);
                }
                true
            }
            Ok(Err(error)) => {
                tracing::error!(app = %self.app.id, code = %error.code(), "an event could not be made durable");
                self.metrics.refused(self.app.platform, error.code());
                false
            }
            Err(_) => false,
        }
    }

    async fn gap(&self) {
        let conversations = steer::bridged_of(&self.relay, |place| place.session.app.id == self.app.id);
        for conversation in conversations {
            self.relay.catch_up_later(conversation);
        }
    }
}
