//! Webhooks: authenticate, make durable, acknowledge. Nothing here waits for a key service, a target or a
//! name server; what a connector needs to check a signature is the one exception, and it is bounded.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use dragoman_model::{AppId, Clock, codes};
use dragoman_platform::{Answer as Hook, App, Delivery, Inbound};
use dragoman_relay::{Accepted, Relay, RelayError};
use governor::clock::Clock as RateClock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use http::StatusCode;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::task::TaskTracker;

use crate::http::{Answer, Request, respond, unavailable};
use crate::metrics::Metrics;

/// How much one app may send.
#[derive(Clone, Copy, Debug)]
pub struct HookRate {
    /// Requests a second.
    pub per_second: NonZeroU32,
    /// At once.
    pub burst: NonZeroU32,
}

impl Default for HookRate {
    fn default() -> Self {
        let number = |n| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN);
        Self { per_second: number(1000), burst: number(5000) }
    }
}

/// The platforms give up after three seconds; an answer that cannot come in time is 503.
const CHECK_WITHIN: Duration = Duration::from_secs(2);
/// Both together.
const ANSWER_WITHIN: Duration = Duration::from_millis(2800);

/// Our clock in the words of the rate limiter.
#[derive(Clone)]
struct Ticks(Arc<dyn Clock>);

impl RateClock for Ticks {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::from(Duration::from_millis(self.0.monotonic_ms().unsigned_abs()))
    }
}

/// The door for webhooks.
pub(crate) struct Hooks {
    relay: Relay,
    metrics: Arc<Metrics>,
    rate: RateLimiter<AppId, HashMapStateStore<AppId>, Ticks, NoOpMiddleware<Nanos>>,
    tasks: TaskTracker,
}

impl Hooks {
    pub(crate) fn new(relay: Relay, metrics: Arc<Metrics>, rate: HookRate, tasks: TaskTracker) -> Self {
        let quota = Quota::per_second(rate.per_second).allow_burst(rate.burst);
        let clock = Ticks(Arc::clone(relay.clock()));
        let rate = RateLimiter::new(quota, HashMapStateStore::default(), clock);
        Self { relay, metrics, rate, tasks }
    }

    /// Answers `/hooks/{platform}/{app}/{endpoint}`; `rest` is what follows `/hooks/`.
    pub(crate) async fn answer(&self, rest: &str, request: Request) -> Answer {
        let started_ms = self.relay.clock().monotonic_ms();
        let nothing = || respond(StatusCode::NOT_FOUND, "text/plain; charset=utf-8", "");
        let Some((platform, app, endpoint)) = split(rest) else { return nothing() };
        let directory = self.relay.directory();
        let Some(app) = directory.app(&app).filter(|app| app.platform.0 == platform) else {
            return nothing();
        };
        let inbound = Inbound {
            method: request.method,
            endpoint: endpoint.to_owned(),
            query: request.query,
            headers: request.headers,
            body: request.body,
        };
        let answer = self.judge(app, &inbound).await;
        let took_ms = self.relay.clock().monotonic_ms() - started_ms;
        self.metrics.answered(app.platform, answer.status(), took_ms);
        answer
    }

    async fn judge(&self, app: &Arc<App>, inbound: &Inbound) -> Answer {
        let platform = app.platform;
        let deadline = Instant::now() + ANSWER_WITHIN;
        let Some(connector) = self.relay.connectors().get(platform.0) else { return unavailable() };
        let delivery = match timeout(CHECK_WITHIN, connector.receive(app, inbound)).await {
            Ok(Ok(delivery)) => delivery,
            Ok(Err(rejection)) => {
                let status = rejection.status();
                self.metrics.refused(platform, code_of(&rejection));
                if status == StatusCode::SERVICE_UNAVAILABLE {
                    return unavailable();
                }
                tracing::debug!(%platform, %rejection, "a request was refused");
                return respond(status, "text/plain; charset=utf-8", "");
            }
            Err(_) => {
                self.metrics.refused(platform, codes::KEYS_UNAVAILABLE);
                return unavailable();
            }
        };
        // After the signature, so that a stranger cannot use up what the platform may send.
        if self.rate.check_key(&app.id).is_err() {
            self.metrics.refused(platform, codes::BUSY);
            return unavailable();
        }
        let hook = delivery.answer.clone();
        match self.keep(app, delivery, deadline).await {
            Some(Ok(accepted)) => {
                for code in accepted.dropped {
                    self.metrics.refused(platform, code);
                }
                finish(hook)
            }
            Some(Err(error)) => {
                tracing::error!(%platform, code = %error.code(), "an event could not be made durable; answered 503");
                self.metrics.refused(platform, error.code());
                unavailable()
            }
            None => {
                self.metrics.refused(platform, codes::BUSY);
                unavailable()
            }
        }
    }

    /// Makes a delivery durable, in a task of its own: a client that goes away must not leave an event that
    /// is durable and was never handed on. `None`: not in time; what becomes durable nevertheless is known when
    /// the platform sends it again.
    async fn keep(
        &self,
        app: &Arc<App>,
        delivery: Delivery,
        deadline: Instant,
    ) -> Option<Result<Accepted, RelayError>> {
        if delivery.items.is_empty() {
            return Some(Ok(Accepted { fresh: 0, dropped: delivery.dropped }));
        }
        let relay = self.relay.clone();
        let app = Arc::clone(app);
        let (answer, answered) = oneshot::channel();
        self.tasks.spawn(async move { relay.accept(&app, delivery, answer).await });
        timeout_at(deadline, answered).await.ok()?.ok()
    }
}

fn split(rest: &str) -> Option<(&str, AppId, &str)> {
    let (platform, rest) = rest.split_once('/')?;
    let (app, endpoint) = rest.split_once('/').unwrap_or((rest, ""));
    Some((platform, AppId::from(app), endpoint))
}

fn finish(hook: Hook) -> Answer {
    respond(hook.status, hook.content_type, hook.body)
}

fn code_of(rejection: &dragoman_platform::Rejection) -> dragoman_model::Code {
    use dragoman_platform::Rejection as R;
    match rejection {
        R::Unauthentic(code) | R::Forbidden(code) | R::Malformed(code) | R::Unavailable(code) => *code,
        R::NoEndpoint => codes::BAD_REQUEST,
    }
}
