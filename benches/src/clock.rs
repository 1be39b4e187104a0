//! The one place that asks for the time: measuring it is what this program is for.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Now, for durations.
#[expect(clippy::disallowed_methods, reason = "measuring time is what this program is for")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Now, in microseconds since 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "events carry the time of the machine that the gateway runs on"
)]
pub(crate) fn unix_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// From `start` until now, in microseconds.
pub(crate) fn us_since(start: Instant) -> f64 {
    now().duration_since(start).as_secs_f64() * 1e6
}

/// Keeps the thread until then. The timers of the runtime know milliseconds only.
#[expect(clippy::disallowed_methods, reason = "a load of so many requests a second is made of such waits")]
pub(crate) fn sleep_until(then: Instant) {
    std::thread::sleep(then.saturating_duration_since(now()));
}
