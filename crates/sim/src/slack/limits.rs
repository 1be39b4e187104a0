//! Rate limits: calls per method and workspace in windows of a minute, posts per channel and second.

use std::collections::BTreeMap;

use super::config::SlackLimits;

/// How often a method may be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tier {
    /// 1 a minute.
    One,
    /// 20 a minute.
    Two,
    /// 50 a minute.
    Three,
    /// 100 a minute.
    Four,
    /// Hundreds a minute.
    Special,
}

impl Tier {
    /// Calls a minute.
    pub fn per_minute(self) -> u32 {
        match self {
            Self::One => 1,
            Self::Two => 20,
            Self::Three => 50,
            Self::Four => 100,
            Self::Special => 600,
        }
    }
}

/// What has been counted. Times are microseconds since 1970.
#[derive(Debug, Default)]
pub struct Limiter {
    windows: BTreeMap<String, (i64, u32)>,
    buckets: BTreeMap<String, (i64, f64)>,
}

impl Limiter {
    /// Counts a call against `allowed` a minute.
    ///
    /// # Errors
    /// The seconds to wait, at least 1.
    pub fn call(&mut self, limits: &SlackLimits, key: &str, allowed: u32, now: i64) -> Result<(), u64> {
        if !limits.enabled {
            return Ok(());
        }
        let minute = i64::try_from(limits.minute.as_micros()).unwrap_or(60_000_000).max(1);
        let window = self.windows.entry(key.to_owned()).or_insert((now, 0));
        if now - window.0 >= minute {
            *window = (now, 0);
        }
        let most =
            if allowed <= 1 { f64::from(allowed) } else { (f64::from(allowed) * limits.tolerance).floor() };
        if f64::from(window.1) >= most {
            return Err(seconds(window.0 + minute - now));
        }
        window.1 += 1;
        Ok(())
    }

    /// Counts a post into a channel.
    ///
    /// # Errors
    /// The seconds to wait, at least 1.
    pub fn post(&mut self, limits: &SlackLimits, channel: &str, now: i64) -> Result<(), u64> {
        if !limits.enabled {
            return Ok(());
        }
        let most = f64::from(limits.post_burst.max(1));
        let bucket = self.buckets.entry(channel.to_owned()).or_insert((now, most));
        #[expect(clippy::cast_precision_loss, reason = "a pause of microseconds is far below 2^52")]
        let passed = (now - bucket.0).max(0) as f64 / 1e6;
        bucket.1 = (bucket.1 + passed * limits.posts_per_second).min(most);
        bucket.0 = now;
        if bucket.1 < 1.0 {
            let wait = (1.0 - bucket.1) / limits.posts_per_second.max(0.001);
            #[expect(clippy::cast_possible_truncation, reason = "at most 1000 s")]
            return Err(seconds((wait * 1e6) as i64));
        }
        bucket.1 -= 1.0;
        Ok(())
    }
}

fn seconds(micros: i64) -> u64 {
    u64::try_from((micros + 999_999) / 1_000_000).unwrap_or(1).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_fills_and_opens_again() {
        let limits = SlackLimits { tolerance: 1.0, ..SlackLimits::default() };
        let mut limiter = Limiter::default();
        for _ in 0..20 {
            assert_eq!(limiter.call(&limits, "m", 20, 0), Ok(()));
        }
        assert_eq!(limiter.call(&limits, "m", 20, 30_000_000), Err(30));
        assert_eq!(limiter.call(&limits, "other", 20, 30_000_000), Ok(()));
        assert_eq!(limiter.call(&limits, "m", 20, 60_000_000), Ok(()));
    }

    #[test]
    fn posts_come_one_a_second_after_the_burst() {
        let limits = SlackLimits { post_burst: 2, ..SlackLimits::default() };
        let mut limiter = Limiter::default();
        assert_eq!(limiter.post(&limits, "C1", 0), Ok(()));
        assert_eq!(limiter.post(&limits, "C1", 0), Ok(()));
        assert_eq!(limiter.post(&limits, "C1", 0), Err(1));
        assert_eq!(limiter.post(&limits, "C2", 0), Ok(()));
        assert_eq!(limiter.post(&limits, "C1", 1_000_000), Ok(()));
    }
}
