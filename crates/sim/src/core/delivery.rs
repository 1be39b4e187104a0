//! Deliveries to the app: attempts on the platform's schedule, under the fault orders in force.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::client::{Answer, CallError, HttpClient};
use super::fault::FaultBook;
use super::log::{CallLog, LogEntry, LogKind};
use super::world::{Tasks, lock};

/// Something that delivers once (with its own repetitions) when called.
pub type DeliveryJob = Arc<dyn Fn(FirstAttempt) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// Tells the lane that the first attempt of a delivery is over; dropping it tells the same.
#[derive(Debug)]
pub struct FirstAttempt(CancellationToken);

impl FirstAttempt {
    /// The first attempt is over.
    pub fn over(&self) {
        self.0.cancel();
    }
}

impl Drop for FirstAttempt {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// What an attempt's outcome means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Delivered.
    Delivered,
    /// Try again on schedule; the reason is the platform's word for the failure.
    Retry(&'static str),
    /// Never try again.
    GiveUp(&'static str),
}

/// Makes headers and body of an attempt from its number (from 0) and why the attempt before it failed.
pub type MakeRequest = Arc<dyn Fn(u32, Option<&'static str>) -> (HeaderMap, Bytes) + Send + Sync>;

/// One thing to deliver over HTTP.
#[derive(Clone)]
pub struct Outbound {
    /// The platform's name.
    pub platform: &'static str,
    /// Type of what is delivered, as fault orders name it.
    pub method: String,
    /// Conversation it is about.
    pub conversation: Option<String>,
    /// Where to.
    pub url: String,
    /// How long the app may take to answer.
    pub deadline: Duration,
    /// Waits before the second, third … attempt.
    pub schedule: Vec<Duration>,
    /// The request of each attempt.
    pub request: MakeRequest,
    /// What an outcome means.
    pub judge: fn(&Result<Answer, CallError>) -> Verdict,
    /// Delivery id or other ids, for the log.
    pub label: Value,
    /// Told once at the end whether it was delivered.
    pub done: Option<Arc<dyn Fn(bool) + Send + Sync>>,
}

/// The delivery engine of one simulator. Deliveries run in parallel; first attempts in one conversation start in
/// order as long as the one before is answered within the stagger time.
#[derive(Clone)]
pub struct Delivery {
    client: HttpClient,
    faults: FaultBook,
    log: CallLog,
    tasks: Tasks,
    stagger: Duration,
    redirects: u8,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    lanes: BTreeMap<String, CancellationToken>,
    held: Option<(u64, String, DeliveryJob)>,
    held_id: u64,
}

const HELD_AT_MOST: Duration = Duration::from_secs(2);

impl Delivery {
    /// An engine; `stagger` is how long a first attempt waits for the one before it in its conversation.
    pub fn new(client: HttpClient, faults: FaultBook, log: CallLog, tasks: Tasks, stagger: Duration) -> Self {
        Self { client, faults, log, tasks, stagger, redirects: 0, state: Arc::default() }
    }

    /// Follows up to this many redirects per attempt.
    #[must_use]
    pub fn following(mut self, redirects: u8) -> Self {
        self.redirects = redirects;
        self
    }

    /// Delivers over HTTP.
    pub fn send(&self, outbound: Outbound) {
        let engine = self.clone();
        let outbound = Arc::new(outbound);
        let (platform, method, conversation) =
            (outbound.platform, outbound.method.clone(), outbound.conversation.clone());
        let job: DeliveryJob = Arc::new(move |first| {
            let (engine, outbound) = (engine.clone(), Arc::clone(&outbound));
            Box::pin(async move { engine.attempts(&outbound, first).await })
        });
        self.submit(platform, &method, conversation.as_deref(), job);
    }

    /// Runs any delivery under the fault orders: not at all, once or more often, later, or after the next one.
    pub fn submit(&self, platform: &'static str, method: &str, conversation: Option<&str>, job: DeliveryJob) {
        let lane = conversation.unwrap_or_default().to_owned();
        let faults = self.faults.for_delivery(platform, method, conversation);
        if faults.drop {
            self.log.add(entry(platform, method, "", conversation, 0, 0, 0, json!({"dropped": true})));
            return;
        }
        for _ in 0..faults.extra_copies {
            self.start(&lane, Arc::clone(&job), faults.delay);
        }
        if faults.reorder {
            self.hold(lane, job);
            return;
        }
        self.start(&lane, job, faults.delay);
        let held = lock(&self.state).held.take();
        if let Some((_, lane, job)) = held {
            self.start(&lane, job, None);
        }
    }

    fn hold(&self, lane: String, job: DeliveryJob) {
        let (id, before) = {
            let mut state = lock(&self.state);
            state.held_id += 1;
            let id = state.held_id;
            (id, state.held.replace((id, lane, job)))
        };
        if let Some((_, lane, job)) = before {
            self.start(&lane, job, None);
        }
        let engine = self.clone();
        self.tasks.spawn(async move {
            tokio::time::sleep(HELD_AT_MOST).await;
            let held = {
                let mut state = lock(&engine.state);
                if state.held.as_ref().is_some_and(|held| held.0 == id) { state.held.take() } else { None }
            };
            if let Some((_, lane, job)) = held {
                engine.start(&lane, job, None);
            }
        });
    }

    fn start(&self, lane: &str, job: DeliveryJob, delay: Option<Duration>) {
        let stagger = self.stagger;
        if let Some(delay) = delay {
            self.tasks.spawn(async move {
                tokio::time::sleep(delay).await;
                job(FirstAttempt(CancellationToken::new())).await;
            });
            return;
        }
        let own = CancellationToken::new();
        let before = lock(&self.state).lanes.insert(lane.to_owned(), own.clone());
        self.tasks.spawn(async move {
            let first = FirstAttempt(own);
            if let Some(before) = before
                && !stagger.is_zero()
            {
                let _waited = tokio::time::timeout(stagger, before.cancelled()).await;
            }
            job(first).await;
        });
    }

    async fn attempts(&self, outbound: &Outbound, first: FirstAttempt) {
        let mut reason = None;
        let mut attempt = 0_u32;
        let delivered = loop {
            let (headers, body) = (outbound.request)(attempt, reason);
            let started = tokio::time::Instant::now();
            let outcome = self.exchange(outbound, &headers, &body).await;
            let verdict = (outbound.judge)(&outcome);
            let status = outcome.as_ref().map_or(0, |answer| answer.status.as_u16());
            let failure = match verdict {
                Verdict::Delivered => None,
                Verdict::Retry(reason) | Verdict::GiveUp(reason) => Some(reason),
            };
            self.log.add(entry(
                outbound.platform,
                &outbound.method,
                &outbound.url,
                outbound.conversation.as_deref(),
                status,
                u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
                attempt,
                json!({"label": outbound.label, "failure": failure}),
            ));
            first.over();
            match verdict {
                Verdict::Delivered => break true,
                Verdict::GiveUp(_) => break false,
                Verdict::Retry(_) => match outbound.schedule.get(attempt as usize) {
                    Some(wait) => tokio::time::sleep(*wait).await,
                    None => break false,
                },
            }
            reason = failure;
            attempt += 1;
        };
        if let Some(done) = &outbound.done {
            done(delivered);
        }
    }

    async fn exchange(
        &self,
        outbound: &Outbound,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Result<Answer, CallError> {
        let mut url = outbound.url.clone();
        let mut left = self.redirects;
        loop {
            let answer = self
                .client
                .request(Method::POST, &url, headers.clone(), body.clone(), outbound.deadline)
                .await?;
            let next = answer
                .headers
                .get(http::header::LOCATION)
                .and_then(|value| value.to_str().ok())
                .filter(|_| answer.status.is_redirection() && left > 0)
                .and_then(|location| url::Url::parse(&url).ok()?.join(location).ok());
            match next {
                Some(next) => url = next.into(),
                None => return Ok(answer),
            }
            left -= 1;
        }
    }

    /// The log that attempts go into.
    pub fn log(&self) -> &CallLog {
        &self.log
    }
}

/// A log entry for one delivery attempt.
#[expect(clippy::too_many_arguments, reason = "one field each, in the order of the entry")]
pub fn entry(
    platform: &'static str,
    method: &str,
    path: &str,
    conversation: Option<&str>,
    status: u16,
    ms: u64,
    attempt: u32,
    detail: Value,
) -> LogEntry {
    LogEntry {
        seq: 0,
        at: 0,
        kind: LogKind::Delivery,
        platform,
        method: method.to_owned(),
        path: path.to_owned(),
        status,
        conversation: conversation.map(str::to_owned),
        ms,
        attempt,
        detail,
    }
}
