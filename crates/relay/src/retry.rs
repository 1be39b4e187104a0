//! The retry ladder: what to do after a failure, as a pure decision.

use dragoman_model::{Code, Outcome, Random, codes};

/// Bounds of the ladder, all in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Ladder {
    /// The first pause.
    pub base_ms: u64,
    /// The longest pause.
    pub cap_ms: u64,
    /// After so long without success a leg becomes a dead letter.
    pub horizon_ms: i64,
}

impl Default for Ladder {
    fn default() -> Self {
        Self { base_ms: 500, cap_ms: 60_000, horizon_ms: 72 * 60 * 60 * 1000 }
    }
}

/// What to do next with a leg.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Try again then, milliseconds since 1970.
    Again {
        /// When.
        at_ms: i64,
        /// Why.
        code: Code,
    },
    /// It becomes a dead letter.
    Dead(Code),
    /// Look whether it was done.
    Look(Code),
}

impl Ladder {
    /// Judges an outcome that is not `Done`. `attempts` counts this one; `received_ms` is when the event was
    /// accepted.
    pub fn judge(
        &self,
        outcome: &Outcome,
        attempts: u32,
        received_ms: i64,
        now_ms: i64,
        random: &dyn Random,
    ) -> Verdict {
        let again = |after_ms: u64, code: Code| {
            let at_ms = now_ms.saturating_add(i64::try_from(after_ms).unwrap_or(i64::MAX));
            if at_ms.saturating_sub(received_ms) > self.horizon_ms {
                Verdict::Dead(codes::HORIZON)
            } else {
                Verdict::Again { at_ms, code }
            }
        };
        match outcome {
            Outcome::Done(_) => Verdict::Again { at_ms: now_ms, code: codes::TARGET_FAILED },
            Outcome::Retry { after_ms: Some(after_ms), code, .. } => {
                // Up to a tenth more, so that lanes that were told the same do not return together.
                again(after_ms + random.below(after_ms / 10 + 1), *code)
            }
            Outcome::Retry { after_ms: None, code, .. } => again(self.pause(attempts, random), *code),
            Outcome::SignIn(code) => again(self.cap_ms, *code),
            Outcome::Gone(code) | Outcome::Refused(code) | Outcome::MessageGone(code) => Verdict::Dead(*code),
            Outcome::Unknown(code) => Verdict::Look(*code),
        }
    }

    /// The pause after so many attempts: full jitter over a doubling range, never under a tenth of it.
    pub fn pause(&self, attempts: u32, random: &dyn Random) -> u64 {
        let range = self.base_ms.saturating_mul(1 << attempts.saturating_sub(1).min(16)).min(self.cap_ms);
        range / 10 + random.below(range - range / 10 + 1)
    }
}

/// A circuit breaker for one installation: after repeated failures of the platform itself, one probe every
/// ten seconds for all lanes together.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Breaker {
    failures: u32,
    probe_at_ms: i64,
    /// The platform asked for a pause of everything that goes through the installation.
    pause_until_ms: i64,
}

/// Failures in a row that open a breaker.
const TRIP: u32 = 5;
/// Milliseconds between probes.
const PROBE_MS: i64 = 10_000;

impl Breaker {
    /// Until when nothing goes out, if that is so; takes no probe.
    pub(crate) fn shut_until(&self, now_ms: i64) -> Option<i64> {
        let probe_at_ms = if self.failures < TRIP { 0 } else { self.probe_at_ms };
        Some(probe_at_ms.max(self.pause_until_ms)).filter(|until| *until > now_ms)
    }

    /// Whether a send may go out now; otherwise when to ask again. Asking takes the probe.
    pub(crate) fn admit(&mut self, now_ms: i64) -> Result<(), i64> {
        if let Some(until) = self.shut_until(now_ms) {
            return Err(until);
        }
        self.probe_at_ms = now_ms + PROBE_MS;
        Ok(())
    }

    /// Learns from an outcome.
    pub(crate) fn learn(&mut self, outcome: &Outcome, now_ms: i64) {
        if let Outcome::Retry { after_ms: Some(after_ms), whole_installation: true, .. } = outcome {
            let until_ms = now_ms.saturating_add(i64::try_from(*after_ms).unwrap_or(i64::MAX));
            self.pause_until_ms = self.pause_until_ms.max(until_ms);
        }
        let failed = matches!(
            outcome,
            Outcome::Retry { code: codes::TARGET_FAILED | codes::UNREACHABLE, .. } | Outcome::Unknown(_)
        );
        if failed {
            self.failures = self.failures.saturating_add(1);
            if self.failures == TRIP {
                self.probe_at_ms = now_ms + PROBE_MS;
            }
        } else {
            self.failures = 0;
        }
    }
}

/// Spaces sends into one conversation: a short burst, then one per interval; slower after the platform
/// complained, faster again with every success.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pace {
    next_ms: i64,
    penalty_ms: u64,
}

/// Sends that may go out at once before the interval applies.
const BURST: i64 = 5;

impl Pace {
    /// When the next send may go out.
    pub(crate) fn ready_at(&self, interval_ms: u64) -> i64 {
        self.next_ms - BURST * i64::try_from(interval_ms).unwrap_or(0)
    }

    /// Counts a send.
    pub(crate) fn sent(&mut self, interval_ms: u64, now_ms: i64) {
        let interval = i64::try_from(interval_ms + self.penalty_ms).unwrap_or(i64::MAX);
        self.next_ms = self.next_ms.max(now_ms).saturating_add(interval);
        self.penalty_ms = self.penalty_ms * 9 / 10;
    }

    /// The platform asked for less.
    pub(crate) fn complained(&mut self, interval_ms: u64) {
        self.penalty_ms = (self.penalty_ms * 2).clamp(interval_ms / 2, 60_000);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Half;
    impl Random for Half {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0x7f);
        }
    }

    fn judge(outcome: &Outcome, attempts: u32, now_ms: i64) -> Verdict {
        Ladder::default().judge(outcome, attempts, 0, now_ms, &Half)
    }

    #[test]
    fn refusals_die_and_lost_answers_are_looked_for() {
        assert_eq!(judge(&Outcome::Refused(codes::REFUSED), 1, 0), Verdict::Dead(codes::REFUSED));
        assert_eq!(judge(&Outcome::Unknown(codes::NO_ANSWER), 1, 0), Verdict::Look(codes::NO_ANSWER));
    }

    #[test]
    fn retry_after_is_never_shortened_and_stretched_by_a_tenth_at_most() {
        let Verdict::Again { at_ms, .. } = judge(&Outcome::retry_after(30_000, codes::RATE_LIMITED), 1, 1000)
        else {
            panic!("a rate limit is retried");
        };
        assert!((31_000..=34_000).contains(&at_ms), "{at_ms}");
    }

    #[test]
    fn pauses_grow_to_the_cap() {
        let ladder = Ladder::default();
        for attempts in 1..40 {
            assert!(ladder.pause(attempts, &Half) <= ladder.cap_ms);
        }
        assert!(ladder.pause(1, &Half) <= 500);
    }

    #[test]
    fn the_horizon_ends_it() {
        let late = Ladder::default().horizon_ms + 1;
        assert_eq!(judge(&Outcome::retry(codes::UNREACHABLE), 3, late), Verdict::Dead(codes::HORIZON));
    }

    #[test]
    fn an_open_breaker_lets_one_probe_through_in_ten_seconds() {
        let mut breaker = Breaker::default();
        for _ in 0..TRIP {
            breaker.learn(&Outcome::retry(codes::TARGET_FAILED), 0);
        }
        let admitted = (0..60_000).step_by(100).filter(|now| breaker.admit(*now).is_ok()).count();
        assert_eq!(admitted, 5);
        breaker.learn(&Outcome::done(), 60_000);
        assert_eq!(breaker.admit(60_000), Ok(()));
    }

    #[test]
    fn a_pause_for_the_installation_holds_every_lane() {
        let mut breaker = Breaker::default();
        let after_ms = Some(3_000);
        let pause = Outcome::Retry { after_ms, code: codes::RATE_LIMITED, whole_installation: true };
        breaker.learn(&pause, 1_000);
        assert_eq!(breaker.admit(3_999), Err(4_000));
        assert_eq!(breaker.admit(4_000), Ok(()));
    }

    #[test]
    fn a_burst_goes_out_at_once_and_then_one_per_interval() {
        let mut pace = Pace::default();
        let mut now = 1_000_000;
        let mut at = Vec::new();
        for _ in 0..8 {
            now = now.max(pace.ready_at(1000));
            at.push(now - 1_000_000);
            pace.sent(1000, now);
        }
        assert_eq!(at, [0, 0, 0, 0, 0, 0, 1000, 2000]);
    }
}
