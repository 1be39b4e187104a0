//! Rate limits: per second and per day for the account, and per channel with growing blocks.

use std::collections::{BTreeMap, VecDeque};

use super::api::Label;
use super::config::Plan;
use super::desk::iso;
use super::error::{ApiError, LimitHeaders, refuse};

const DAY: i64 = 86_400_000;
const PER_SECOND: &str = "You have reached the maximum per-second rate limit for this API. Try again later.";
const PER_DAY: &str = "You have reached the maximum daily rate limit for this API. Refer to the response header for details on when you can make another request.";

impl Label {
    fn category(self) -> &'static str {
        match self {
            Self::Light => "Light",
            Self::Medium | Self::File => "Medium",
            Self::Heavy => "Heavy",
            Self::Intensive => "Resource-intensive",
        }
    }

    /// Calls per window, the window in milliseconds, and calls per day where they are limited.
    fn allowance(self, plan: Plan) -> (usize, i64, Option<u64>) {
        match (self, plan) {
            (Self::File, _) | (Self::Medium, Plan::Pro) => (20, 1_000, None),
            (Self::Light, Plan::Free) => (4, 1_000, Some(6_000)),
            (Self::Light, Plan::Pro) => (30, 1_000, None),
            (Self::Light, Plan::Business) => (80, 1_000, None),
            (Self::Medium, Plan::Free) => (2, 1_000, Some(2_000)),
            (Self::Medium, Plan::Business) => (60, 1_000, None),
            (Self::Heavy, Plan::Free) => (1, 1_000, Some(1_000)),
            (Self::Heavy, Plan::Pro) => (10, 1_000, Some(30_000)),
            (Self::Heavy, Plan::Business) => (40, 1_000, Some(60_000)),
            (Self::Intensive, Plan::Free | Plan::Pro) => (10, 60_000, Some(30_000)),
            (Self::Intensive, Plan::Business) => (20, 60_000, Some(60_000)),
        }
    }
}

/// How many sends each window allows, and how long the channel is blocked beyond that (milliseconds).
const CHANNEL_WINDOWS: [(usize, i64, i64); 4] =
    [(10, 1_000, 10_000), (30, 10_000, 30_000), (60, 100_000, 60_000), (450, 1_000_000, 300_000)];

#[derive(Debug, Default)]
struct Sends {
    at: VecDeque<i64>,
    blocked_until: i64,
}

/// What was used up.
#[derive(Debug, Default)]
pub struct Limiter {
    recent: BTreeMap<(String, Label), VecDeque<i64>>,
    days: BTreeMap<(String, &'static str), (i64, u64)>,
    channels: BTreeMap<String, Sends>,
}

impl Limiter {
    /// Counts a call of an account's apps.
    ///
    /// # Errors
    /// When there were too many.
    pub fn call(&mut self, plan: Plan, account: &str, label: Label, now: i64) -> Result<(), ApiError> {
        let (most, window, daily) = label.allowance(plan);
        let recent = self.recent.entry((account.to_owned(), label)).or_default();
        while recent.front().is_some_and(|at| *at <= now - window) {
            recent.pop_front();
        }
        if recent.len() >= most {
            let limit = LimitHeaders {
                category: label.category(),
                kind: "QPS",
                limit: most as u64,
                retry_after: None,
            };
            return Err(ApiError { limit: Some(limit), ..refuse(429, 429, PER_SECOND) });
        }
        if let Some(daily) = daily {
            // Heavy and resource-intensive calls share their day.
            let shared = if label == Label::Intensive { "Heavy" } else { label.category() };
            let day = self.days.entry((account.to_owned(), shared)).or_default();
            if day.0 != now / DAY {
                *day = (now / DAY, 0);
            }
            if day.1 >= daily {
                let limit = LimitHeaders {
                    category: label.category(),
                    kind: "Daily-limit",
                    limit: daily,
                    retry_after: Some(iso((now / DAY + 1) * DAY)),
                };
                return Err(ApiError { limit: Some(limit), ..refuse(429, 429, PER_DAY) });
            }
            day.1 += 1;
        }
        recent.push_back(now);
        Ok(())
    }

    /// Counts a send to a channel.
    ///
    /// # Errors
    /// The milliseconds for which the channel stays blocked.
    pub fn send(&mut self, channel: &str, now: i64) -> Result<(), i64> {
        let sends = self.channels.entry(channel.to_owned()).or_default();
        if now < sends.blocked_until {
            return Err(sends.blocked_until - now);
        }
        while sends.at.front().is_some_and(|at| *at <= now - 1_000_000) {
            sends.at.pop_front();
        }
        for (most, window, block) in CHANNEL_WINDOWS.into_iter().rev() {
            if sends.at.iter().rev().take_while(|at| **at > now - window).count() >= most {
                sends.blocked_until = now + block;
                return Err(block);
            }
        }
        sends.at.push_back(now);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_days_run_out() {
        let mut limiter = Limiter::default();
        for _ in 0..2 {
            assert!(limiter.call(Plan::Free, "a", Label::Medium, 5).is_ok());
        }
        let refused = limiter.call(Plan::Free, "a", Label::Medium, 6).expect_err("two a second");
        assert_eq!(refused.limit.expect("headers").kind, "QPS");
        assert!(limiter.call(Plan::Free, "b", Label::Medium, 6).is_ok(), "another account");
        for step in 2..2_000_i64 {
            assert!(limiter.call(Plan::Free, "a", Label::Medium, step * 1_001).is_ok());
        }
        let refused = limiter.call(Plan::Free, "a", Label::Medium, 3_000_000).expect_err("2000 a day");
        let headers = refused.limit.expect("headers");
        assert_eq!(
            (headers.kind, headers.retry_after.as_deref()),
            ("Daily-limit", Some("1970-01-02T00:00:00Z"))
        );
        assert!(limiter.call(Plan::Free, "a", Label::Medium, DAY).is_ok());
    }

    #[test]
    fn channels_are_blocked_for_longer_and_longer() {
        let mut limiter = Limiter::default();
        for at in 0..10 {
            assert_eq!(limiter.send("c", at), Ok(()));
        }
        assert_eq!(limiter.send("c", 10), Err(10_000));
        assert_eq!(limiter.send("c", 5_010), Err(5_000));
        assert_eq!(limiter.send("d", 10), Ok(()));
        assert_eq!(limiter.send("c", 10_010), Ok(()));
        let mut limiter = Limiter::default();
        for step in 0..30 {
            assert_eq!(limiter.send("c", step * 200), Ok(()));
        }
        assert_eq!(limiter.send("c", 6_000), Err(30_000));
    }
}
