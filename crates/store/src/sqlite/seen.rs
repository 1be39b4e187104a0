//! What is certainly not in the tables, so that they need not be asked while somebody waits for an acknowledgement.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use dragoman_model::{EventId, InstallationId, LegId};
use rusqlite::Connection;

use super::conn::{Result, first};
use crate::queries as q;
use crate::rows::NewEvent;

/// Deliveries that the first filter has room for.
const ROOM: usize = 65_536;

/// Bits of a filter for each delivery, and how many of them are set: of 400 that are new one is looked for in vain.
const BITS: usize = 16;
const SET: usize = 4;

/// Ids grow with time, so that what is greater than all ids of the tables is not there; of deliveries filters tell.
#[derive(Default)]
pub(super) struct Seen {
    /// The greatest ids in the tables.
    tables: Greatest,
    /// The greatest of those that are on their way there.
    coming: Greatest,
    /// From old to new; only the last still takes something in.
    deliveries: Vec<Filter>,
}

#[derive(Default)]
struct Greatest {
    event: String,
    leg: String,
}

impl Greatest {
    fn take_in(&mut self, event: &str, leg: &str) {
        if *event > *self.event {
            event.clone_into(&mut self.event);
        }
        if *leg > *self.leg {
            leg.clone_into(&mut self.leg);
        }
    }
}

/// A Bloom filter.
struct Filter {
    bits: Vec<u64>,
    room: usize,
    /// When the last of its deliveries may come again as a new one, milliseconds since 1970.
    until_ms: i64,
}

impl Filter {
    fn new(room: usize) -> Self {
        Self { bits: vec![0; (room * BITS).div_ceil(64)], room, until_ms: i64::MIN }
    }

    fn places(&self, hash: (u64, u64)) -> impl Iterator<Item = (usize, u64)> + use<> {
        let len = self.bits.len() as u64 * 64;
        (0..SET as u64).map(move |n| {
            let bit = hash.0.wrapping_add(hash.1.wrapping_mul(n)) % len;
            (usize::try_from(bit / 64).unwrap_or_default(), 1 << (bit % 64))
        })
    }

    fn add(&mut self, hash: (u64, u64), until_ms: i64) {
        for (word, bit) in self.places(hash) {
            self.bits[word] |= bit;
        }
        self.room = self.room.saturating_sub(1);
        self.until_ms = self.until_ms.max(until_ms);
    }

    fn may_have(&self, hash: (u64, u64)) -> bool {
        self.places(hash).all(|(word, bit)| self.bits[word] & bit != 0)
    }
}

fn hash(installation: &str, digest: &[u8]) -> (u64, u64) {
    let mut hasher = DefaultHasher::new();
    (installation, digest).hash(&mut hasher);
    let first = hasher.finish();
    hasher.write_u8(0);
    (first, hasher.finish() | 1)
}

impl Seen {
    /// What the tables hold.
    pub(super) fn read(conn: &Connection) -> Result<Self> {
        let greatest =
            |query| first(conn, query, [], |r| Ok(r.get::<_, Option<String>>(0)?.unwrap_or_default()));
        let event = greatest(&q::GREATEST_EVENT)?.unwrap_or_default();
        let leg = greatest(&q::GREATEST_LEG)?.unwrap_or_default();
        let rows = first(conn, &q::COUNT_DELIVERIES, [], |r| Ok(r.get::<_, i64>(0)?))?.unwrap_or(0);
        let mut filter = Filter::new(usize::try_from(rows).unwrap_or(0).max(ROOM));
        let mut statement = conn.prepare_cached(q::ALL_DELIVERIES.sqlite())?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let installation = row.get_ref(0)?.as_str().unwrap_or_default();
            let digest = row.get_ref(1)?.as_blob().unwrap_or_default();
            filter.add(hash(installation, digest), row.get(2)?);
        }
        let coming = Greatest { event: event.clone(), leg: leg.clone() };
        Ok(Self { tables: Greatest { event, leg }, coming, deliveries: vec![filter] })
    }

    /// Whether the tables may have an event of this id.
    pub(super) fn event(&self, id: &EventId) -> bool {
        *id.as_str() <= *self.tables.event
    }

    /// Whether the tables may have a leg of this id.
    pub(super) fn leg(&self, id: &LegId) -> bool {
        *id.as_str() <= *self.tables.leg
    }

    /// Whether the tables may have this delivery as one that is not new at the given time.
    pub(super) fn delivery(&self, installation: &InstallationId, digest: &[u8], at_ms: i64) -> bool {
        let hash = hash(installation.as_str(), digest);
        self.deliveries.iter().any(|filter| filter.until_ms > at_ms && filter.may_have(hash))
    }

    /// An event is on its way to the tables.
    pub(super) fn coming(&mut self, new: &NewEvent) {
        for leg in &new.legs {
            self.coming.take_in(new.event.id.as_str(), leg.id.as_str());
        }
        if let Some(digest) = &new.delivery_digest {
            let hash = hash(new.event.installation.as_str(), digest);
            self.filter(new.event.received_ms).add(hash, new.redelivery_until_ms);
        }
    }

    /// An event without a delivery went into the tables.
    pub(super) fn replayed(&mut self, event: &EventId, leg: &LegId) {
        self.coming.take_in(event.as_str(), leg.as_str());
        self.tables.take_in(event.as_str(), leg.as_str());
    }

    /// What was on its way is in the tables.
    pub(super) fn arrived(&mut self) {
        self.tables.take_in(&self.coming.event, &self.coming.leg);
    }

    /// The filter that still has room. Each has as much as all others together, so that they stay few.
    fn filter(&mut self, at_ms: i64) -> &mut Filter {
        if self.deliveries.last().is_none_or(|filter| filter.room == 0) {
            self.deliveries.retain(|filter| filter.until_ms > at_ms);
            let bits: usize = self.deliveries.iter().map(|filter| filter.bits.len() * 64).sum();
            self.deliveries.push(Filter::new((bits / BITS).max(ROOM)));
        }
        let last = self.deliveries.len() - 1;
        &mut self.deliveries[last]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_forget_nothing_that_counts_and_stay_few() {
        let mut seen = Seen::default();
        let key = |n: u32| hash("installation", &n.to_le_bytes());
        let until_ms = |n: u32| i64::from(n) + 500_000;
        for n in 0..1_000_000 {
            seen.filter(i64::from(n)).add(key(n), until_ms(n));
        }
        let at_ms = 1_000_000;
        let known = |n: u32| seen.delivery(&"installation".into(), &n.to_le_bytes(), at_ms);
        assert!((500_001..1_000_000).all(known));
        assert!(seen.deliveries.len() <= 5, "{}", seen.deliveries.len());
        let vain = (2_000_000..2_100_000).filter(|n| known(*n)).count();
        assert!(vain < 2_000, "{vain} of 100,000");
    }
}
