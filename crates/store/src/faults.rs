//! Places where the process can be made to die, so that recovery is tested where it matters.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Every fault point of the product, in the order in which a message passes them.
pub const POINTS: &[&str] = &[
    // Nothing of the event is written.
    "append.before",
    // Written, not synced, not acknowledged.
    "append.unsynced",
    // Synced, not acknowledged.
    "append.synced",
    // Ready to be acknowledged, not handed to its lanes.
    "dispatch.before",
    // Unsealed, nothing sent.
    "send.before",
    // A chunk of a file was read, and goes on.
    "file.moving",
    // Sent, the answer not read.
    "send.unanswered",
    // What somebody's reaction means is recorded, nothing is set.
    "reaction.recorded",
    // A reaction is set at the target, it is not recorded that it is.
    "reaction.set",
    // Two people both want a conversation, it is not open.
    "direct.agreed",
    // It is open, nobody is told.
    "direct.opened",
    // Somebody joined a conversation of several, nobody is told.
    "direct.joined",
    // Answered, nothing recorded.
    "settle.before",
    // Recorded, not synced.
    "settle.unsynced",
    // Settled and synced, the slot not erased.
    "settle.synced",
    // The tables are brought up to date with the journal, not committed.
    "flush.uncommitted",
    // They are; the journal still holds the same.
    "flush.committed",
    // About to overwrite a slot.
    "erase.before",
    // About to truncate the write-ahead log.
    "checkpoint.before",
    // A new epoch key is written, not in use yet.
    "epoch.created",
    // A step of the schema is applied, not committed.
    "migrate.uncommitted",
];

/// Kills the process at a named point, or never. Clones count together.
#[derive(Clone, Debug, Default)]
pub struct Faults(Option<Arc<Armed>>);

#[derive(Debug)]
struct Armed {
    point: String,
    left: AtomicU64,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Abort,
    Fail,
}

impl Faults {
    /// Never: what everything but crash tests uses.
    pub fn none() -> Self {
        Self(None)
    }

    /// Kills the process when the point is hit for the n-th time; 1 is the first.
    pub fn abort_at(point: &str, nth: u64) -> Self {
        Self::armed(point, nth, Kind::Abort)
    }

    /// Makes the n-th operation at the point report that the disk failed.
    pub fn fail_at(point: &str, nth: u64) -> Self {
        Self::armed(point, nth, Kind::Fail)
    }

    /// Reads `point` or `point:n`, as the variable `DRAGOMAN_FAULT` holds it.
    ///
    /// # Errors
    /// Says which points there are where the text names none of them.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (point, nth) = text.split_once(':').unwrap_or((text, "1"));
        let nth = nth.parse().ok().filter(|nth| *nth > 0);
        let nth = nth.ok_or_else(|| format!("'{text}': after the colon stands a number from 1"))?;
        if !POINTS.contains(&point) {
            return Err(format!("'{point}' is no fault point; there are: {}", POINTS.join(", ")));
        }
        Ok(Self::abort_at(point, nth))
    }

    fn armed(point: &str, nth: u64, kind: Kind) -> Self {
        debug_assert!(POINTS.contains(&point), "{point} is no fault point");
        Self(Some(Arc::new(Armed { point: point.to_owned(), left: AtomicU64::new(nth), kind })))
    }

    /// The running code is at this point. Does not return where the process is to die here.
    pub fn hit(&self, point: &str) {
        if self.due(point, |kind| matches!(kind, Kind::Abort)) {
            // As a kill from outside does it: nothing runs any more, not even a handler.
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
            std::process::abort();
        }
    }

    /// As [`Faults::hit`], and whether the operation is to fail here.
    pub fn fails(&self, point: &str) -> bool {
        self.hit(point);
        self.due(point, |kind| matches!(kind, Kind::Fail))
    }

    fn due(&self, point: &str, of_kind: impl Fn(&Kind) -> bool) -> bool {
        self.0.as_ref().is_some_and(|armed| {
            armed.point == point && of_kind(&armed.kind) && armed.left.fetch_sub(1, Ordering::SeqCst) == 1
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nth_hit_counts_and_only_it() {
        let faults = Faults::fail_at("settle.before", 2);
        let hits = ["settle.before", "send.before", "settle.before", "settle.before"];
        assert_eq!(hits.map(|point| faults.fails(point)), [false, false, true, false]);
    }

    #[test]
    fn the_variable_names_a_known_point_and_a_count() {
        assert!(Faults::parse("append.synced:3").is_ok());
        assert!(Faults::parse("append.synced").is_ok());
        assert!(Faults::parse("append.synced:0").is_err());
        assert!(Faults::parse("append").is_err_and(|error| error.contains("append.unsynced")));
    }
}
