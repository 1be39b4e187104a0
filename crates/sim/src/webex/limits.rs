//! Rate limits: per token and resource, per space, and pauses ordered by a test.

use std::collections::BTreeMap;

use super::config::WebexLimits;
use super::state::millis;

/// What was counted.
#[derive(Debug, Default)]
pub struct Limiter {
    minutes: BTreeMap<(String, String), (i64, u32)>,
    spaces: BTreeMap<String, (i64, f64)>,
    pauses: BTreeMap<(String, String), i64>,
}

fn seconds(ms: i64) -> u64 {
    u64::try_from(ms.max(1)).unwrap_or(1).div_ceil(1_000).max(1)
}

impl Limiter {
    /// Refuses all calls of a token to a resource (empty: to any) until a time in milliseconds.
    pub fn pause(&mut self, token: &str, resource: &str, until: i64) {
        self.pauses.insert((token.to_owned(), resource.to_owned()), until);
    }

    /// Counts a call; `Err` says after how many seconds to come back.
    pub fn call(
        &mut self,
        limits: &WebexLimits,
        token: &str,
        resource: &str,
        bot: bool,
        now: i64,
    ) -> Result<(), u64> {
        for resource in ["", resource] {
            let until = self.pauses.get(&(token.to_owned(), resource.to_owned())).copied().unwrap_or(0);
            if until > now {
                return Err(seconds(until - now));
            }
        }
        if !limits.enabled {
            return Ok(());
        }
        let busy = matches!(resource, "messages" | "people");
        let most = if busy { limits.busy_calls_per_minute } else { limits.calls_per_minute }
            * if bot { limits.bot_factor } else { 1 };
        let minute = millis(limits.minute).max(1);
        let count = self.minutes.entry((token.to_owned(), resource.to_owned())).or_default();
        if count.0 != now / minute {
            *count = (now / minute, 0);
        }
        count.1 += 1;
        if count.1 > most { Err(seconds(minute - now % minute)) } else { Ok(()) }
    }

    /// Counts a post into a space; `Err` says after how many seconds to come back.
    pub fn post(&mut self, limits: &WebexLimits, room: &str, now: i64) -> Result<(), u64> {
        if !limits.enabled {
            return Ok(());
        }
        let (at, left) = self.spaces.entry(room.to_owned()).or_insert((now, f64::from(limits.post_burst)));
        #[expect(clippy::cast_precision_loss, reason = "a span of time in milliseconds")]
        let gained = (now - *at) as f64 * limits.posts_per_second / 1_000.0;
        *left = (*left + gained).min(f64::from(limits.post_burst));
        *at = now;
        if *left < 1.0 {
            return Err(1);
        }
        *left -= 1.0;
        Ok(())
    }
}
