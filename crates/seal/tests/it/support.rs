//! Test doubles: a clock that is set, a seeded generator, a disk that forgets what was not synced.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use dragoman_model::disk::{Disk, DiskFile};
use dragoman_model::{Clock, EventId, OrgId, Random};
use dragoman_seal::{EventHeader, FreshSecret, SlotSecret};

pub(crate) const MINUTE: i64 = 60_000;

#[derive(Default)]
pub(crate) struct TestClock {
    wall: AtomicI64,
    monotonic: AtomicI64,
}

impl TestClock {
    pub(crate) fn at(ms: i64) -> Arc<Self> {
        Arc::new(Self { wall: AtomicI64::new(ms), monotonic: AtomicI64::new(0) })
    }

    pub(crate) fn pass(&self, ms: i64) {
        self.wall.fetch_add(ms, Ordering::Relaxed);
        self.monotonic.fetch_add(ms, Ordering::Relaxed);
    }

    /// Sets the wall clock forward or back without time passing.
    pub(crate) fn jump(&self, ms: i64) {
        self.wall.fetch_add(ms, Ordering::Relaxed);
    }
}

impl Clock for TestClock {
    fn now_ms(&self) -> i64 {
        self.wall.load(Ordering::Relaxed)
    }

    fn monotonic_ms(&self) -> i64 {
        self.monotonic.load(Ordering::Relaxed)
    }
}

/// SplitMix64.
pub(crate) struct Seeded(AtomicU64);

impl Seeded {
    pub(crate) fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(seed)))
    }
}

impl Random for Seeded {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let mut z = self
                .0
                .fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed)
                .wrapping_add(0x9e37_79b9_7f4a_7c15);
            z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
            chunk.copy_from_slice(&(z ^ z >> 31).to_le_bytes()[..chunk.len()]);
        }
    }
}

/// Another one each time.
pub(crate) fn fresh() -> FreshSecret {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    FreshSecret::random(&*Seeded::new(NEXT.fetch_add(1, Ordering::Relaxed)))
}

/// A disk in memory. [`CrashDisk::crash`] takes it back to what was synced, names and bytes apart.
#[derive(Default)]
pub(crate) struct CrashDisk(Arc<Mutex<Files>>);

#[derive(Default)]
struct Files {
    now: BTreeMap<String, u64>,
    durable: BTreeMap<String, u64>,
    bytes: BTreeMap<u64, (Vec<u8>, Vec<u8>)>,
    next: u64,
    fail_sync: bool,
    fail_write: bool,
    writes: u64,
    syncs: u64,
}

impl CrashDisk {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Power cut.
    pub(crate) fn crash(&self) {
        let mut files = self.0.lock().expect("no test panics with the lock held");
        files.now = files.durable.clone();
        for (now, durable) in files.bytes.values_mut() {
            now.clone_from(durable);
        }
    }

    pub(crate) fn fail_sync(&self, fail: bool) {
        self.0.lock().expect("unpoisoned").fail_sync = fail;
    }

    pub(crate) fn fail_write(&self, fail: bool) {
        self.0.lock().expect("unpoisoned").fail_write = fail;
    }

    /// Writes and syncs so far.
    pub(crate) fn effort(&self) -> (u64, u64) {
        let files = self.0.lock().expect("unpoisoned");
        (files.writes, files.syncs)
    }

    /// All bytes of all files ever made, synced and not: what somebody with the device in hand may find.
    pub(crate) fn residue(&self) -> Vec<u8> {
        let files = self.0.lock().expect("unpoisoned");
        files.bytes.values().flat_map(|(now, durable)| now.iter().chain(durable)).copied().collect()
    }

    /// The whole disk as a thief would copy it.
    pub(crate) fn copy(&self) -> Arc<Self> {
        let files = self.0.lock().expect("unpoisoned");
        let copy = Files {
            now: files.durable.clone(),
            durable: files.durable.clone(),
            bytes: files
                .bytes
                .iter()
                .map(|(id, (_, durable))| (*id, (durable.clone(), durable.clone())))
                .collect(),
            next: files.next,
            ..Files::default()
        };
        Arc::new(Self(Arc::new(Mutex::new(copy))))
    }
}

fn missing() -> io::Error {
    ErrorKind::NotFound.into()
}

impl Disk for CrashDisk {
    fn open(&self, path: &str) -> io::Result<Box<dyn DiskFile>> {
        let mut files = self.0.lock().expect("unpoisoned");
        let id = if let Some(id) = files.now.get(path) {
            *id
        } else {
            let id = files.next;
            files.next += 1;
            files.now.insert(path.to_owned(), id);
            files.bytes.insert(id, Default::default());
            id
        };
        Ok(Box::new(CrashFile { disk: Arc::clone(&self.0), id }))
    }

    fn exists(&self, path: &str) -> io::Result<bool> {
        Ok(self.0.lock().expect("unpoisoned").now.contains_key(path))
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.0.lock().expect("unpoisoned").now.remove(path).map(|_| ()).ok_or_else(missing)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut files = self.0.lock().expect("unpoisoned");
        let id = files.now.remove(from).ok_or_else(missing)?;
        files.now.insert(to.to_owned(), id);
        Ok(())
    }

    fn list(&self, dir: &str) -> io::Result<Vec<String>> {
        let files = self.0.lock().expect("unpoisoned");
        let prefix = format!("{dir}/");
        Ok(files.now.keys().filter_map(|path| path.strip_prefix(&prefix)).map(str::to_owned).collect())
    }

    fn sync_dir(&self, dir: &str) -> io::Result<()> {
        let mut files = self.0.lock().expect("unpoisoned");
        if files.fail_sync {
            return Err(ErrorKind::Other.into());
        }
        let here = |path: &String| path.rsplit_once('/').map_or("", |(dir, _)| dir) == dir;
        files.durable.retain(|path, _| !here(path));
        let now: Vec<_> =
            files.now.iter().filter(|(path, _)| here(path)).map(|(path, id)| (path.clone(), *id)).collect();
        files.durable.extend(now);
        Ok(())
    }
}

struct CrashFile {
    disk: Arc<Mutex<Files>>,
    id: u64,
}

impl CrashFile {
    fn with<T>(&self, act: impl FnOnce(&mut (Vec<u8>, Vec<u8>)) -> T) -> T {
        act(self
            .disk
            .lock()
            .expect("unpoisoned")
            .bytes
            .get_mut(&self.id)
            .expect("files stay until the disk goes"))
    }
}

impl DiskFile for CrashFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.with(|(now, _)| {
            let rest = now.get(usize::try_from(offset).expect("small")..).unwrap_or_default();
            let len = rest.len().min(buffer.len());
            buffer[..len].copy_from_slice(&rest[..len]);
            Ok(len)
        })
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut files = self.disk.lock().expect("unpoisoned");
        files.writes += 1;
        if files.fail_write {
            return Err(ErrorKind::StorageFull.into());
        }
        drop(files);
        self.with(|(now, _)| {
            let start = usize::try_from(offset).expect("small");
            now.resize(now.len().max(start + bytes.len()), 0);
            now[start..start + bytes.len()].copy_from_slice(bytes);
        });
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut files = self.disk.lock().expect("unpoisoned");
        files.syncs += 1;
        if files.fail_sync {
            return Err(ErrorKind::Other.into());
        }
        drop(files);
        self.with(|(now, durable)| durable.clone_from(now));
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.with(|(now, _)| now.len() as u64))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.with(|(now, _)| now.resize(usize::try_from(len).expect("small"), 0));
        Ok(())
    }
}

pub(crate) fn header(org: &str, event: &str) -> EventHeader {
    EventHeader { org: OrgId::new(org), lane: "c1".into(), event: EventId::new(event), received_at_ms: 42 }
}

/// The error of a result whose success has no `Debug`.
pub(crate) fn error<T, E>(result: Result<T, E>) -> E {
    match result {
        Ok(_) => panic!("this should have failed"),
        Err(error) => error,
    }
}

pub(crate) fn secret(byte: u8) -> SlotSecret {
    SlotSecret::new([byte; 32])
}
