//! A clock that stands until the test moves it.

use std::sync::atomic::{AtomicI64, Ordering};

use dragoman_model::Clock;

/// A clock that stands until the test moves it.
#[derive(Debug)]
pub struct ManualClock {
    now_ms: AtomicI64,
    monotonic_ms: AtomicI64,
}

impl ManualClock {
    /// Stands at the given time, milliseconds since 1970; the monotonic clock at zero.
    pub fn new(now_ms: i64) -> Self {
        Self { now_ms: AtomicI64::new(now_ms), monotonic_ms: AtomicI64::new(0) }
    }

    /// Moves both clocks on.
    pub fn advance(&self, by_ms: i64) {
        assert!(by_ms >= 0, "the monotonic clock does not go backwards");
        self.now_ms.fetch_add(by_ms, Ordering::SeqCst);
        self.monotonic_ms.fetch_add(by_ms, Ordering::SeqCst);
    }

    /// Sets the wall clock, as when an operator or NTP moves it; the monotonic clock stays.
    pub fn set(&self, now_ms: i64) {
        self.now_ms.store(now_ms, Ordering::SeqCst);
    }
}

impl Default for ManualClock {
    /// Stands in November 2023.
    fn default() -> Self {
        Self::new(1_700_000_000_000)
    }
}

impl Clock for ManualClock {
    fn now_ms(&self) -> i64 {
        self.now_ms.load(Ordering::SeqCst)
    }

    fn monotonic_ms(&self) -> i64 {
        self.monotonic_ms.load(Ordering::SeqCst)
    }
}
