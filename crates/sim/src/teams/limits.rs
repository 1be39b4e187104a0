//! Request limits as sliding windows. Refused requests count, as they do at the service.

use std::collections::{BTreeMap, VecDeque};

/// So many requests in so many milliseconds.
pub(super) type Rule = (usize, u64);

/// 50 requests per second of one app in one tenant, over all conversations.
pub(super) const BOT_ALL: [Rule; 1] = [(50, 1_000)];
/// Sending into one conversation by one bot.
pub(super) const BOT_SEND: [Rule; 4] = [(7, 1_000), (8, 2_000), (60, 30_000), (1_800, 3_600_000)];
/// Reading members and conversations by one bot.
pub(super) const BOT_READ: [Rule; 4] = [(14, 1_000), (16, 2_000), (120, 30_000), (3_600, 3_600_000)];
/// Sending into one conversation by all bots together.
pub(super) const BOTS_TOGETHER: [Rule; 2] = [(14, 1_000), (16, 2_000)];
/// The deprecated list of all members.
pub(super) const BOT_MEMBERS: [Rule; 1] = [(5, 60_000)];
/// Reactions of a bot.
pub(super) const BOT_REACT: [Rule; 1] = [(2, 1_000)];

/// The counters.
#[derive(Default)]
pub(super) struct Windows {
    marks: BTreeMap<String, VecDeque<u64>>,
}

impl Windows {
    /// Counts a request; the milliseconds to wait when a rule is broken. `speed` shortens the windows.
    pub(super) fn hit(&mut self, key: &str, rules: &[Rule], speed: f64, now: u64) -> Result<(), u64> {
        let rules: Vec<Rule> = rules.iter().map(|(max, window)| (*max, shorten(*window, speed))).collect();
        let longest = rules.iter().map(|r| r.1).max().unwrap_or(0);
        let marks = self.marks.entry(key.to_owned()).or_default();
        while marks.front().is_some_and(|t| t + longest <= now) {
            marks.pop_front();
        }
        let wait = rules
            .iter()
            .filter_map(|(max, window)| {
                let inside: Vec<u64> = marks.iter().copied().filter(|t| t + window > now).collect();
                (inside.len() >= *max).then(|| inside[inside.len() - max] + window - now)
            })
            .max();
        marks.push_back(now);
        wait.map_or(Ok(()), Err)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "windows are at most an hour of milliseconds"
)]
fn shorten(window: u64, speed: f64) -> u64 {
    (window as f64 / speed.max(0.001)).ceil() as u64
}

/// Seconds with up to three decimals, as `Retry-After` carries them.
pub(super) fn seconds(ms: u64) -> String {
    let text = format!("{}.{:03}", ms / 1_000, ms % 1_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_refuse_and_recover() {
        let mut w = Windows::default();
        for i in 0..7 {
            assert_eq!(w.hit("c", &BOT_SEND, 1.0, i), Ok(()));
        }
        assert_eq!(w.hit("c", &BOT_SEND, 1.0, 10), Err(990));
        assert_eq!(w.hit("other", &BOT_SEND, 1.0, 10), Ok(()));
        assert_eq!(w.hit("c", &BOT_SEND, 1.0, 2_100), Ok(()), "after the two-second window it flows again");
        assert_eq!(w.hit("d", &[(1, 1_000)], 10.0, 0), Ok(()));
        assert_eq!(w.hit("d", &[(1, 1_000)], 10.0, 101), Ok(()), "speed shortens windows");
        assert_eq!(seconds(2_128), "2.128");
        assert_eq!(seconds(1_000), "1");
    }
}
