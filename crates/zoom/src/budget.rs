//! What a channel may be sent: Zoom closes a channel for up to five minutes after too many messages in one of four
//! windows ("Send a chat message", `to_channel`).

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use dragoman_model::{RemoteConversation, RemoteWorkspace};

/// Length of a window in milliseconds, and how many sends we allow ourselves in it: somewhat less than Zoom does,
/// because it counts when they arrive.
const WINDOWS: [(i64, usize); 4] = [(1_000, 8), (10_000, 28), (100_000, 57), (1_000_000, 440)];
/// The longest window.
const LONGEST_MS: i64 = 1_000_000;
/// How many channels are remembered before those that are quiet are forgotten.
const CHANNELS: usize = 1_024;

/// The times of recent sends, on a clock that never goes backwards.
#[derive(Default)]
pub(crate) struct Budget(Mutex<BTreeMap<(RemoteWorkspace, RemoteConversation), VecDeque<i64>>>);

impl Budget {
    /// Takes the right to send one message now, or tells for how many milliseconds there is none.
    pub(crate) fn take(
        &self,
        workspace: &RemoteWorkspace,
        channel: &RemoteConversation,
        now_ms: i64,
    ) -> Result<(), u64> {
        let mut channels = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if channels.len() > CHANNELS {
            channels.retain(|_, sends| sends.back().is_some_and(|last| now_ms - last < LONGEST_MS));
        }
        let sends = channels.entry((workspace.clone(), channel.clone())).or_default();
        while sends.front().is_some_and(|first| now_ms - first >= LONGEST_MS) {
            sends.pop_front();
        }
        let wait = WINDOWS
            .iter()
            .filter_map(|(length, most)| {
                let oldest = sends.len().checked_sub(*most).and_then(|at| sends.get(at))?;
                Some(length - (now_ms - oldest)).filter(|wait| *wait > 0)
            })
            .max();
        if let Some(wait) = wait {
            return Err(wait.unsigned_abs());
        }
        sends.push_back(now_ms);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Zoom's own windows.
    const ZOOM: [(i64, usize); 4] = [(1_000, 10), (10_000, 30), (100_000, 60), (1_000_000, 450)];

    #[test]
    fn no_window_of_zoom_is_ever_full() {
        let budget = Budget::default();
        let (workspace, channel) = ("acct".into(), "chan".into());
        let (mut now, mut sent) = (0_i64, Vec::new());
        while now < 3_000_000 {
            match budget.take(&workspace, &channel, now) {
                Ok(()) => sent.push(now),
                Err(wait) => now += i64::try_from(wait).unwrap(),
            }
        }
        for (length, most) in ZOOM {
            for (index, at) in sent.iter().enumerate() {
                let within = sent[index..].iter().take_while(|other| **other - at < length).count();
                assert!(within <= most, "{within} within {length} ms");
            }
        }
        assert!(sent.len() > 3 * 430, "and what is allowed is used: {}", sent.len());
    }

    #[test]
    fn channels_do_not_count_against_each_other() {
        let budget = Budget::default();
        let account = RemoteWorkspace::from("acct");
        for _ in 0..8 {
            assert_eq!(budget.take(&account, &"one".into(), 0), Ok(()));
        }
        assert_eq!(budget.take(&account, &"one".into(), 0), Err(1_000));
        assert_eq!(budget.take(&account, &"two".into(), 0), Ok(()));
        assert_eq!(budget.take(&"other".into(), &"one".into(), 0), Ok(()));
    }
}
