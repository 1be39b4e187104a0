//! Health and metrics, on a listener of their own.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use dragoman_model::{Code, codes};
use dragoman_relay::Relay;
use dragoman_store::{BridgeState, LaneRow, LegRow, StoreError};
use http::{Method, StatusCode};
use tokio::sync::broadcast::error::RecvError;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::admin::{busy_lanes, late_watches};
use crate::http::{Answer, Handler, Meter, Request, respond};
use crate::metrics::{Gauges, Metrics, figure};

const TEXT: &str = "text/plain; charset=utf-8";
/// Prometheus's own name for its text format.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// Figures that take longer than this are left as they were.
const FIGURES_WITHIN: Duration = Duration::from_secs(2);

/// Lanes whose first leg is looked at for one scrape.
const MOST_HEADS: usize = 500;

/// The handler of the listener for operators.
pub(crate) struct Ops {
    pub(crate) relay: Relay,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) door: Arc<Meter>,
    pub(crate) stop: CancellationToken,
}

#[async_trait]
impl Handler for Ops {
    fn body_cap(&self, method: &Method, path: &str) -> Option<usize> {
        let reads = matches!(*method, Method::GET | Method::HEAD);
        (reads && matches!(path, "/healthz" | "/readyz" | "/metrics")).then_some(0)
    }

    async fn handle(&self, request: Request) -> Answer {
        match request.path.as_str() {
            "/metrics" => self.metrics().await,
            "/readyz" => match self.why_not_ready().await {
                None => respond(StatusCode::OK, TEXT, "ready\n"),
                Some(code) => respond(StatusCode::SERVICE_UNAVAILABLE, TEXT, format!("{code}\n")),
            },
            _ => respond(StatusCode::OK, TEXT, "alive\n"),
        }
    }
}

impl Ops {
    /// Whether an event that came now could be made durable.
    async fn why_not_ready(&self) -> Option<Code> {
        if self.stop.is_cancelled() {
            return Some(codes::NOT_RUNNING);
        }
        if !self.relay.vault().keyring().is_ready() {
            return Some(codes::KEYS_UNAVAILABLE);
        }
        match timeout(FIGURES_WITHIN, self.relay.store().counts()).await {
            Ok(Ok(_)) => None,
            Ok(Err(error)) => Some(dragoman_relay::RelayError::Store(error).code()),
            Err(_) => Some(codes::NOT_DURABLE),
        }
    }

    async fn metrics(&self) -> Answer {
        // A store that fails shows in other metrics; those that do not need it are still worth reading.
        let _ = timeout(FIGURES_WITHIN, self.figures()).await;
        match self.metrics.text() {
            Ok(text) => respond(StatusCode::OK, OPEN_METRICS, text),
            Err(_) => respond(StatusCode::INTERNAL_SERVER_ERROR, TEXT, ""),
        }
    }

    async fn figures(&self) -> Result<(), StoreError> {
        let gauges = &self.metrics.gauges;
        gauges.connections.set(figure(self.door.connections()));
        gauges.bytes_in_flight.set(figure(self.door.bytes_in_flight()));
        gauges.turned_away.set(figure(self.door.turned_away()));
        gauges.cut.set(figure(self.door.cut()));
        let directory = self.relay.directory();
        for state in [BridgeState::Active, BridgeState::Paused, BridgeState::Ended] {
            let count = directory.bridges().filter(|bridge| bridge.row.state == state).count();
            Gauges::set(&gauges.bridges, state.as_str(), count as u64);
        }
        let troubled = directory.places().filter(|place| place.trouble.is_some()).count();
        gauges.troubled.set(figure(troubled as u64));
        let late = late_watches(&directory, self.relay.clock().now_ms());
        gauges.watches_late.set(figure(late as u64));
        let counts = self.relay.store().counts().await?;
        for (state, value) in [
            ("events", counts.events),
            ("payloads", counts.payloads),
            ("legs", counts.legs),
            ("originals", counts.originals),
            ("copies", counts.copies),
            ("dead-letters", counts.dead_letters),
        ] {
            Gauges::set(&gauges.rest, state, value);
        }
        let lanes = busy_lanes(&self.relay).await?;
        gauges.lanes.set(figure(lanes.len() as u64));
        gauges.deepest_lane.set(figure(lanes.iter().map(|lane| lane.depth).max().unwrap_or(0)));
        gauges.unresolved.set(figure(self.unresolved(&lanes).await?));
        Ok(())
    }

    /// Lanes whose first leg was sent and not answered.
    async fn unresolved(&self, lanes: &[LaneRow]) -> Result<u64, StoreError> {
        let mut count = 0;
        for lane in lanes.iter().take(MOST_HEADS) {
            let head = self.relay.store().legs(&lane.id, None, 1).await?;
            let unknown = |leg: &LegRow| leg.code.as_deref() == Some(codes::NO_ANSWER.as_str());
            count += u64::from(head.first().is_some_and(unknown));
        }
        Ok(count)
    }
}

/// Counts what happens until cancelled.
pub(crate) async fn follow(relay: Relay, metrics: Arc<Metrics>, stop: CancellationToken) {
    let mut activity = relay.activity();
    // The relay goes on for a moment after the door is closed; what happens then is in the receipts.
    while let Some(received) = stop.run_until_cancelled(activity.recv()).await {
        match received {
            Ok(entry) => metrics.happened(&entry),
            Err(RecvError::Lagged(entries)) => metrics.missed(entries),
            Err(RecvError::Closed) => return,
        }
    }
}
