//! What the keyring holds in memory, and what of it may be used when.

use std::collections::BTreeMap;
use std::sync::Arc;

use dragoman_model::OrgId;

use crate::epochs::{EpochInfo, EpochPolicy};
use crate::field::Root;

#[derive(Default)]
pub(super) struct State {
    pub(super) orgs: BTreeMap<OrgId, Org>,
    /// Files that have to go, the keys being forgotten already.
    pub(super) dying: Vec<EpochInfo>,
    /// Files that are no whole epoch files: remains of a crash while writing.
    pub(super) broken: Vec<String>,
}

#[derive(Default)]
pub(super) struct Org {
    /// Wrapped keys by version; the highest seals.
    pub(super) versions: BTreeMap<u32, OrgKey>,
    /// Sorted by end.
    pub(super) epochs: Vec<Epoch>,
}

pub(super) struct OrgKey {
    pub(super) wrapped: Vec<u8>,
    /// The unwrapped key and when it was unwrapped, on the monotonic clock.
    pub(super) unwrapped: Option<(Arc<Root>, i64)>,
}

pub(super) struct Epoch {
    pub(super) info: EpochInfo,
    /// End of use on the monotonic clock, against a wall clock that is set back.
    pub(super) ends_monotonic_ms: i64,
    pub(super) key: EpochKey,
}

pub(super) enum EpochKey {
    Open(Arc<Root>),
    Wrapped(Vec<u8>),
    /// Its file was altered.
    Unusable,
}

/// Now, on both clocks.
#[derive(Clone, Copy)]
pub(super) struct Now {
    pub(super) wall_ms: i64,
    pub(super) monotonic_ms: i64,
}

impl Now {
    pub(super) fn epoch(self, info: EpochInfo, key: EpochKey) -> Epoch {
        let ends_monotonic_ms = self.monotonic_ms + (info.ends_ms - self.wall_ms);
        Epoch { info, ends_monotonic_ms, key }
    }
}

impl Epoch {
    /// How long it can still be used, by the clock that says less.
    pub(super) fn ends_in(&self, now: Now) -> i64 {
        (self.info.ends_ms - now.wall_ms).min(self.ends_monotonic_ms - now.monotonic_ms)
    }

    pub(super) fn unusable(&self) -> bool {
        matches!(self.key, EpochKey::Unusable)
    }

    pub(super) fn is_closed(&self, now: Now) -> bool {
        self.ends_in(now) <= 0
    }

    pub(super) fn is_over(&self, now: Now) -> bool {
        self.ends_in(now) <= -EpochPolicy::DRAIN_MS
    }
}

impl Org {
    /// When the last usable epoch ends, on the wall clock as it goes now.
    pub(super) fn last_end(&self, now: Now) -> Option<i64> {
        let open = self.epochs.iter().filter(|epoch| !epoch.is_closed(now) && !epoch.unusable());
        open.map(|epoch| epoch.ends_in(now) + now.wall_ms).max()
    }

    pub(super) fn add(&mut self, epoch: Epoch) {
        self.epochs.push(epoch);
        self.epochs.sort_by_key(|epoch| (epoch.info.ends_ms, epoch.info.id));
    }
}
