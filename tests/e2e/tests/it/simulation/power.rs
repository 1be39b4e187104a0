//! Disks whose power fails in the middle of an operation, and one that only says that it syncs.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use dragoman_model::Random;
use dragoman_model::disk::{Disk, DiskFile};
use dragoman_testkit::SimDisk;

/// The power of one machine. Cut, its disks do nothing any more until the machine is started again.
#[derive(Default)]
pub(super) struct Power {
    /// Writes and syncs until the cut; negative: no cut is due.
    left: AtomicI64,
    cut: AtomicBool,
    /// Planted bug: syncs are only said to be done.
    pub(super) lying: AtomicBool,
}

impl Power {
    pub(super) fn new() -> Self {
        Self { left: AtomicI64::new(-1), ..Self::default() }
    }

    /// Cuts the power before the n-th write or sync from now; 0 is the next one.
    pub(super) fn cut_after(&self, operations: u8) {
        self.left.store(i64::from(operations), Ordering::SeqCst);
    }

    pub(super) fn is_cut(&self) -> bool {
        self.cut.load(Ordering::SeqCst)
    }

    pub(super) fn restore(&self) {
        self.left.store(-1, Ordering::SeqCst);
        self.cut.store(false, Ordering::SeqCst);
    }

    fn reads(&self) -> io::Result<()> {
        if self.is_cut() { Err(io::Error::other("the power is cut")) } else { Ok(()) }
    }

    fn writes(&self) -> io::Result<()> {
        let left = self.left.load(Ordering::SeqCst);
        if left == 0 {
            self.cut.store(true, Ordering::SeqCst);
        }
        if left >= 0 {
            self.left.store(left - 1, Ordering::SeqCst);
        }
        self.reads()
    }

    /// Whether a sync is to be passed on.
    fn syncs(&self) -> io::Result<bool> {
        self.writes()?;
        Ok(!self.lying.load(Ordering::SeqCst))
    }
}

/// A disk on a power supply.
#[derive(Clone)]
pub(super) struct PoweredDisk {
    disk: SimDisk,
    power: Arc<Power>,
}

impl PoweredDisk {
    pub(super) fn new(power: &Arc<Power>) -> Self {
        Self { disk: SimDisk::new(), power: Arc::clone(power) }
    }

    /// What was not synced is lost, torn or kept.
    pub(super) fn crash(&self, random: &dyn Random) {
        self.disk.crash(random);
    }
}

impl Disk for PoweredDisk {
    fn open(&self, path: &str) -> io::Result<Box<dyn DiskFile>> {
        self.power.reads()?;
        Ok(Box::new(PoweredFile { file: self.disk.open(path)?, power: Arc::clone(&self.power) }))
    }

    fn exists(&self, path: &str) -> io::Result<bool> {
        self.power.reads()?;
        self.disk.exists(path)
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.power.writes()?;
        self.disk.remove(path)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.power.writes()?;
        self.disk.rename(from, to)
    }

    fn list(&self, dir: &str) -> io::Result<Vec<String>> {
        self.power.reads()?;
        self.disk.list(dir)
    }

    fn sync_dir(&self, dir: &str) -> io::Result<()> {
        if self.power.syncs()? { self.disk.sync_dir(dir) } else { Ok(()) }
    }
}

struct PoweredFile {
    file: Box<dyn DiskFile>,
    power: Arc<Power>,
}

impl DiskFile for PoweredFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.power.reads()?;
        self.file.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.power.writes()?;
        self.file.write_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        if self.power.syncs()? { self.file.sync() } else { Ok(()) }
    }

    fn len(&self) -> io::Result<u64> {
        self.power.reads()?;
        self.file.len()
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.power.writes()?;
        self.file.set_len(len)
    }
}
