//! The names of all metrics, and the counters behind them. No label holds an id, a name or content.

use std::borrow::Cow;

use dragoman_model::{Code, Platform};
use dragoman_relay::{Activity, Stage};
use http::StatusCode;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// A label that is one of few words.
type Word = Cow<'static, str>;

/// Labels of a request at the door.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct HookLabels {
    platform: &'static str,
    status: u16,
}

/// One platform.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct PlatformLabels {
    platform: &'static str,
}

/// A platform and a code.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct CodeLabels {
    platform: &'static str,
    code: &'static str,
}

/// Where events ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct EventLabels {
    stage: &'static str,
    kind: Word,
    code: &'static str,
}

/// A state of things that are counted.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct StateLabels {
    state: &'static str,
}

/// All metrics.
pub struct Metrics {
    registry: Registry,
    hooks: Family<HookLabels, Counter>,
    hook_codes: Family<CodeLabels, Counter>,
    ack: Family<PlatformLabels, Histogram, fn() -> Histogram>,
    events: Family<EventLabels, Counter>,
    delivery: Histogram,
    unknown: Family<EventLabels, Counter>,
    missed: Counter,
    sockets: Family<PlatformLabels, Gauge>,
    socket_failures: Family<CodeLabels, Counter>,
    /// Figures read when they are asked for.
    pub(crate) gauges: Gauges,
}

/// Figures read when they are asked for.
#[derive(Default)]
pub(crate) struct Gauges {
    pub(crate) rest: Family<StateLabels, Gauge>,
    pub(crate) lanes: Gauge,
    pub(crate) deepest_lane: Gauge,
    pub(crate) unresolved: Gauge,
    pub(crate) bridges: Family<StateLabels, Gauge>,
    pub(crate) troubled: Gauge,
    pub(crate) watches_late: Gauge,
    pub(crate) connections: Gauge,
    pub(crate) bytes_in_flight: Gauge,
    pub(crate) turned_away: Gauge,
    pub(crate) cut: Gauge,
}

impl Gauges {
    /// Sets the figure of a state.
    pub(crate) fn set(family: &Family<StateLabels, Gauge>, state: &'static str, value: u64) {
        family.get_or_create(&StateLabels { state }).set(figure(value));
    }
}

/// A figure as gauges hold it.
pub(crate) fn figure(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("dragoman");
        let ack: Family<PlatformLabels, Histogram, fn() -> Histogram> =
            Family::new_with_constructor(ack_buckets);
        let metrics = Self {
            hooks: Family::default(),
            hook_codes: Family::default(),
            ack,
            events: Family::default(),
            delivery: Histogram::new(exponential_buckets(0.005, 2.0, 18)),
            unknown: Family::default(),
            missed: Counter::default(),
            sockets: Family::default(),
            socket_failures: Family::default(),
            gauges: Gauges::default(),
            registry: Registry::default(),
        };
        let gauges = &metrics.gauges;
        let all = &mut registry;
        all.register("hooks", "Requests of platforms, by status of the answer", metrics.hooks.clone());
        all.register("hook_codes", "Requests and items not accepted, by code", metrics.hook_codes.clone());
        all.register("ack_seconds", "From a complete request to its acknowledgement", metrics.ack.clone());
        all.register("events", "Legs by the stage that they reached", metrics.events.clone());
        all.register("delivery_seconds", "From acceptance to delivery", metrics.delivery.clone());
        all.register(
            "unknown_outcomes",
            "Sends whose outcome could not be found out",
            metrics.unknown.clone(),
        );
        all.register(
            "activity_missed",
            "Entries of the activity stream that metrics missed",
            metrics.missed.clone(),
        );
        all.register("sockets", "Connections to platforms held open", metrics.sockets.clone());
        all.register(
            "socket_failures",
            "Connections to platforms that failed, by code",
            metrics.socket_failures.clone(),
        );
        all.register("at_rest", "Rows by what they are", gauges.rest.clone());
        all.register("lanes", "Lanes with legs in them", gauges.lanes.clone());
        all.register("deepest_lane", "Legs in the fullest lane", gauges.deepest_lane.clone());
        all.register(
            "unresolved_sends",
            "Lanes that wait to learn what became of a send",
            gauges.unresolved.clone(),
        );
        all.register("bridges", "Bridges by state", gauges.bridges.clone());
        all.register("installations_in_trouble", "Installations that need a person", gauges.troubled.clone());
        all.register("watches_late", "Subscriptions past their time of renewal", gauges.watches_late.clone());
        all.register("connections", "Open connections at the door", gauges.connections.clone());
        all.register("bytes_in_flight", "Bytes of request bodies held", gauges.bytes_in_flight.clone());
        all.register(
            "turned_away",
            "Requests answered 503 because too much was in flight",
            gauges.turned_away.clone(),
        );
        all.register(
            "connections_cut",
            "Connections closed because they were slow or in the way",
            gauges.cut.clone(),
        );
        Self { registry, ..metrics }
    }
}

/// Buckets around the three seconds that platforms wait.
fn ack_buckets() -> Histogram {
    Histogram::new([0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 10.0])
}

impl Metrics {
    /// A request of a platform was answered.
    pub(crate) fn answered(&self, platform: Platform, status: StatusCode, took_ms: i64) {
        self.hooks.get_or_create(&HookLabels { platform: platform.0, status: status.as_u16() }).inc();
        if status.is_success() {
            self.ack.get_or_create(&PlatformLabels { platform: platform.0 }).observe(seconds(took_ms));
        }
    }

    /// A request, or an item of one, was not accepted.
    pub(crate) fn refused(&self, platform: Platform, code: Code) {
        self.hook_codes.get_or_create(&CodeLabels { platform: platform.0, code: code.as_str() }).inc();
    }

    /// Something happened to a leg.
    pub(crate) fn happened(&self, activity: &Activity) {
        let labels = EventLabels {
            stage: activity.stage.as_str(),
            kind: Cow::Owned(activity.kind.clone()),
            code: activity.code.map_or("", Code::as_str),
        };
        let unknown = [dragoman_model::codes::MAYBE_TWICE, dragoman_model::codes::MAYBE_LOST];
        if activity.code.is_some_and(|code| unknown.contains(&code)) {
            self.unknown.get_or_create(&labels).inc();
        }
        self.events.get_or_create(&labels).inc();
        if activity.stage == Stage::Delivered {
            self.delivery.observe(seconds(activity.took_ms));
        }
    }

    /// The activity stream was faster than the metrics.
    pub(crate) fn missed(&self, entries: u64) {
        self.missed.inc_by(entries);
    }

    /// A connection to a platform is kept open from now on, or no longer.
    pub(crate) fn socket(&self, platform: Platform, by: i64) {
        self.sockets.get_or_create(&PlatformLabels { platform: platform.0 }).inc_by(by);
    }

    /// A connection to a platform failed.
    pub(crate) fn socket_failed(&self, platform: Platform, code: Code) {
        self.socket_failures.get_or_create(&CodeLabels { platform: platform.0, code: code.as_str() }).inc();
    }

    /// All of it as OpenMetrics text.
    pub(crate) fn text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "durations in milliseconds fit a float exactly for 285,000 years"
)]
fn seconds(ms: i64) -> f64 {
    ms.max(0) as f64 / 1000.0
}
