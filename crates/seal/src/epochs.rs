//! Epoch keys at rest: one small file each in the key folder, which belongs on another device than the data.
//!
//! A file is: magic `DEP1`, organisation (u32 length, UTF-8), epoch id (u64), starts (i64 ms), ends (i64 ms),
//! then the key wrapped under the organisation's key (see [`crate::envelope`]; its row is the three numbers,
//! so that a changed date does not open). Its name is the epoch id in hexadecimal and `.epoch`. Numbers are
//! big-endian.

use std::fmt;
use std::io;
use std::sync::Arc;

use dragoman_model::OrgId;
use dragoman_model::disk::Disk;

use crate::envelope::{Reader, Tampered};

const MAGIC: [u8; 4] = *b"DEP1";
const SUFFIX: &str = ".epoch";
const MINUTE_MS: i64 = 60_000;
/// No epoch file comes near this size; a larger one is not ours.
const MAX_FILE: u64 = 4096;

/// Names an epoch. Random, so that an id is never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EpochId(pub u64);

impl fmt::Display for EpochId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// An epoch: whose it is and when events may be sealed in it. Times are milliseconds since 1970, UTC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EpochInfo {
    /// Its id.
    pub id: EpochId,
    /// Whose it is.
    pub org: OrgId,
    /// First millisecond.
    pub starts_ms: i64,
    /// First millisecond after it.
    pub ends_ms: i64,
}

impl EpochInfo {
    /// The row that the wrapped key is bound to.
    pub(crate) fn row(&self) -> String {
        format!("{}/{}/{}", self.id, self.starts_ms, self.ends_ms)
    }

    fn file_name(&self) -> String {
        format!("{}{SUFFIX}", self.id)
    }

    fn encode(&self, wrapped: &[u8]) -> Vec<u8> {
        let org = self.org.as_str();
        let mut file = MAGIC.to_vec();
        // No id comes near 4 GiB; one that did would not parse.
        file.extend_from_slice(&u32::try_from(org.len()).unwrap_or(u32::MAX).to_be_bytes());
        file.extend_from_slice(org.as_bytes());
        file.extend_from_slice(&self.id.0.to_be_bytes());
        file.extend_from_slice(&self.starts_ms.to_be_bytes());
        file.extend_from_slice(&self.ends_ms.to_be_bytes());
        file.extend_from_slice(wrapped);
        file
    }

    fn parse(file: &[u8]) -> Result<(Self, Vec<u8>), Tampered> {
        let mut reader = Reader(file);
        if reader.array()? != MAGIC {
            return Err(Tampered);
        }
        let org = OrgId::new(reader.text()?);
        let id = EpochId(u64::from_be_bytes(reader.array()?));
        let starts_ms = i64::from_be_bytes(reader.array()?);
        let ends_ms = i64::from_be_bytes(reader.array()?);
        Ok((Self { id, org, starts_ms, ends_ms }, reader.0.to_vec()))
    }
}

/// How long epochs last. All in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochPolicy {
    length_ms: i64,
}

/// An epoch length that cannot be kept to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an epoch of {minutes} minutes is not possible: choose 1 to 60")]
pub struct BadEpochLength {
    /// What was asked for.
    pub minutes: i64,
}

impl Default for EpochPolicy {
    /// 59 minutes: with 15 minutes of drain, a minute is left to do the destroying within 75 minutes of
    /// arrival.
    fn default() -> Self {
        Self { length_ms: 59 * MINUTE_MS }
    }
}

impl EpochPolicy {
    /// How long after its end an epoch's key is kept: as long as any payload may rest.
    pub const DRAIN_MS: i64 = 15 * MINUTE_MS;

    /// Epochs of 1 to 60 minutes.
    pub fn minutes(minutes: i64) -> Result<Self, BadEpochLength> {
        if (1..=60).contains(&minutes) {
            Ok(Self { length_ms: minutes * MINUTE_MS })
        } else {
            Err(BadEpochLength { minutes })
        }
    }

    /// How long events are sealed in one epoch.
    pub fn length_ms(self) -> i64 {
        self.length_ms
    }

    /// How long before the end of an epoch the next one is made ready: long enough to sit out a short outage
    /// of the key service, short enough that no key lies about for long before it is used.
    pub fn lead_ms(self) -> i64 {
        (10 * MINUTE_MS).min(self.length_ms / 2)
    }

    /// When the next epoch has to be made, given the ends of the epochs there are: its start and end.
    pub(crate) fn next(self, now_ms: i64, last_end_ms: Option<i64>) -> Option<(i64, i64)> {
        let starts = last_end_ms.unwrap_or(now_ms).max(now_ms);
        (starts <= now_ms + self.lead_ms()).then(|| (starts, starts + self.length_ms))
    }

    /// Whether an epoch found at start ends further ahead than any epoch made by a right clock could: the
    /// clock was set back, so that its age is unknown.
    pub(crate) fn is_from_the_future(self, ends_ms: i64, now_ms: i64) -> bool {
        ends_ms > now_ms + self.lead_ms() + self.length_ms + MINUTE_MS
    }
}

/// The folder that the files lie in.
pub(crate) struct EpochFolder {
    disk: Arc<dyn Disk>,
    dir: String,
}

/// A file found in the folder. `epoch` is `None` where it is no whole epoch file.
pub(crate) struct Found {
    pub(crate) name: String,
    pub(crate) epoch: Option<(EpochInfo, Vec<u8>)>,
}

impl EpochFolder {
    pub(crate) fn new(disk: Arc<dyn Disk>, dir: &str) -> Self {
        Self { disk, dir: dir.to_owned() }
    }

    /// Writes epoch files. When it returns, they last.
    pub(crate) fn write<'a>(
        &self,
        epochs: impl Iterator<Item = (&'a EpochInfo, &'a [u8])>,
    ) -> io::Result<()> {
        for (info, wrapped) in epochs {
            let file = self.disk.open(&self.path(&info.file_name()))?;
            file.write_at(&info.encode(wrapped), 0)?;
            file.sync()?;
        }
        self.disk.sync_dir(&self.dir)
    }

    /// All epoch files, by name.
    pub(crate) fn scan(&self) -> io::Result<Vec<Found>> {
        let names = self.disk.list(&self.dir)?;
        names.into_iter().filter(|name| name.ends_with(SUFFIX)).map(|name| self.read(name)).collect()
    }

    fn read(&self, name: String) -> io::Result<Found> {
        let file = self.disk.open(&self.path(&name))?;
        let mut bytes = vec![0; usize::try_from(file.len()?.min(MAX_FILE)).unwrap_or(0)];
        let read = file.read_at(&mut bytes, 0)?;
        bytes.truncate(read);
        let epoch = EpochInfo::parse(&bytes).ok().filter(|(info, _)| info.file_name() == name);
        Ok(Found { name, epoch })
    }

    /// Overwrites and removes the files of epochs. When it returns, they are gone.
    pub(crate) fn destroy(&self, epochs: &[EpochInfo]) -> io::Result<()> {
        self.destroy_files(epochs.iter().map(EpochInfo::file_name))
    }

    /// Overwrites and removes files by name. When it returns, they are gone.
    pub(crate) fn destroy_files(&self, names: impl Iterator<Item = String>) -> io::Result<()> {
        let mut any = false;
        for name in names {
            any = true;
            let path = self.path(&name);
            if !self.disk.exists(&path)? {
                continue;
            }
            let file = self.disk.open(&path)?;
            let len = usize::try_from(file.len()?.min(MAX_FILE)).unwrap_or(0);
            file.write_at(&vec![0; len], 0)?;
            file.sync()?;
            self.disk.remove(&path)?;
        }
        if any { self.disk.sync_dir(&self.dir) } else { Ok(()) }
    }

    fn path(&self, name: &str) -> String {
        if self.dir.is_empty() { name.to_owned() } else { format!("{}/{name}", self.dir) }
    }
}

#[cfg(test)]
mod tests {
    use super::{EpochId, EpochInfo, EpochPolicy};
    use dragoman_model::OrgId;

    #[test]
    fn the_next_epoch_follows_without_a_gap_and_not_too_early() {
        let policy = EpochPolicy::default();
        let length = policy.length_ms();
        assert_eq!(policy.next(1_000, None), Some((1_000, 1_000 + length)));
        assert_eq!(
            policy.next(1_000, Some(500)),
            Some((1_000, 1_000 + length)),
            "after a pause it starts now"
        );
        let end = 1_000 + length;
        assert_eq!(policy.next(end - policy.lead_ms() - 1, Some(end)), None);
        assert_eq!(policy.next(end - policy.lead_ms(), Some(end)), Some((end, end + length)));
    }

    #[test]
    fn lengths_beyond_an_hour_are_refused() {
        assert!(EpochPolicy::minutes(61).is_err() && EpochPolicy::minutes(0).is_err());
        assert_eq!(EpochPolicy::minutes(5).map(EpochPolicy::length_ms), Ok(300_000));
    }

    #[test]
    fn files_parse_back_and_cut_ones_never_pass_for_another() {
        let info = EpochInfo { id: EpochId(7), org: OrgId::new("acme"), starts_ms: -1, ends_ms: 5 };
        let file = info.encode(b"wrapped");
        assert_eq!(EpochInfo::parse(&file), Ok((info, b"wrapped".to_vec())));
        for len in 0..file.len() - b"wrapped".len() {
            assert!(EpochInfo::parse(&file[..len]).is_err(), "cut to {len}");
        }
    }
}
