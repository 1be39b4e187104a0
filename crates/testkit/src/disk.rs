//! A disk in memory that keeps what was synced and may lose or tear the rest.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dragoman_model::Random;
use dragoman_model::disk::{Disk, DiskFile};

/// What a real disk writes as a whole, in bytes.
const SECTOR: usize = 512;

/// How an operation fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DiskFault {
    /// ENOSPC. Nothing was written.
    NoSpace,
    /// EIO. Half of a write was written; what a failed sync should have made durable never will be, as on
    /// Linux, even when a later sync says it went well.
    Io,
}

impl DiskFault {
    fn error(self) -> io::Error {
        match self {
            Self::NoSpace => io::Error::from(ErrorKind::StorageFull),
            Self::Io => io::Error::other("injected input/output error"),
        }
    }
}

/// A disk in memory. Clones are the same disk.
///
/// Data is durable after the file's `sync`, names after `sync_dir` of their folder. A [`SimDisk::crash`] keeps
/// of everything else what the generator picks: names in the order in which they changed, data by sectors
/// in any order.
#[derive(Clone, Default)]
pub struct SimDisk(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// Names as programs see them.
    names: BTreeMap<String, u64>,
    /// Names that survive.
    durable_names: BTreeMap<String, u64>,
    /// Changes of names since, oldest first.
    pending_names: Vec<NameChange>,
    inodes: BTreeMap<u64, Inode>,
    next_inode: u64,
    /// Files opened before a crash are closed by it.
    boots: u64,
    operations: u64,
    faults: BTreeMap<u64, DiskFault>,
    full: bool,
}

#[derive(Clone)]
struct NameChange {
    dir: String,
    set: Vec<(String, Option<u64>)>,
}

#[derive(Default)]
struct Inode {
    data: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<Change>,
}

enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Len(usize),
}

impl SimDisk {
    /// An empty disk.
    pub fn new() -> Self {
        Self::default()
    }

    /// Cuts the power and starts the machine again. Open files fail from now on.
    pub fn crash(&self, random: &dyn Random) {
        let mut state = self.state();
        state.boots += 1;
        let changes = std::mem::take(&mut state.pending_names);
        let kept = usize::try_from(random.below(changes.len() as u64 + 1)).unwrap_or(changes.len());
        for change in changes.into_iter().take(kept) {
            apply_names(&mut state.durable_names, change.set);
        }
        state.names = state.durable_names.clone();
        for inode in state.inodes.values_mut() {
            inode.crash(random);
        }
        let named: Vec<u64> = state.names.values().copied().collect();
        state.inodes.retain(|number, _| named.contains(number));
    }

    /// Operations so far, reads included.
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// Lets the n-th operation from now fail; 1 is the next one.
    pub fn fail_nth(&self, nth: u64, fault: DiskFault) {
        let mut state = self.state();
        let at = state.operations + nth;
        state.faults.insert(at, fault);
    }

    /// From now on nothing can grow (`true`), or can again.
    pub fn set_full(&self, full: bool) {
        self.state().full = full;
    }

    /// All bytes that an attacker finds: of all files, what is durable and what may become so.
    pub fn residue(&self) -> Vec<u8> {
        let state = self.state();
        let mut found = Vec::new();
        for inode in state.inodes.values() {
            found.extend_from_slice(&inode.durable);
            found.extend_from_slice(&inode.data);
        }
        found
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn operation(&mut self) -> Result<(), DiskFault> {
        self.operations += 1;
        let at = self.operations;
        self.faults.remove(&at).map_or(Ok(()), Err)
    }

    fn rename_to(&mut self, dir: &str, set: Vec<(String, Option<u64>)>) {
        apply_names(&mut self.names, set.clone());
        self.pending_names.push(NameChange { dir: dir_of(dir).to_owned(), set });
    }
}

fn apply_names(names: &mut BTreeMap<String, u64>, set: Vec<(String, Option<u64>)>) {
    for (name, inode) in set {
        match inode {
            Some(inode) => names.insert(name, inode),
            None => names.remove(&name),
        };
    }
}

fn dir_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(dir, _)| dir)
}

impl Inode {
    fn crash(&mut self, random: &dyn Random) {
        // A crash that loses all or nothing is as likely as one that tears.
        let mode = random.below(3);
        for change in std::mem::take(&mut self.pending) {
            match change {
                Change::Len(len) => {
                    if mode == 1 || (mode == 2 && random.below(2) == 1) {
                        self.durable.resize(len, 0);
                    }
                }
                Change::Write { offset, bytes } => {
                    let mut at = 0;
                    while at < bytes.len() {
                        let end = (SECTOR - (offset + at) % SECTOR + at).min(bytes.len());
                        if mode == 1 || (mode == 2 && random.below(2) == 1) {
                            put(&mut self.durable, offset + at, &bytes[at..end]);
                        }
                        at = end;
                    }
                }
            }
        }
        self.data.clone_from(&self.durable);
    }
}

fn put(data: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    if data.len() < end {
        data.resize(end, 0);
    }
    data[offset..end].copy_from_slice(bytes);
}

impl Disk for SimDisk {
    fn open(&self, path: &str) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.state();
        state.operation().map_err(DiskFault::error)?;
        let inode = if let Some(inode) = state.names.get(path) {
            *inode
        } else {
            if state.full {
                return Err(DiskFault::NoSpace.error());
            }
            state.next_inode += 1;
            let inode = state.next_inode;
            state.inodes.insert(inode, Inode::default());
            state.rename_to(path, vec![(path.to_owned(), Some(inode))]);
            inode
        };
        Ok(Box::new(SimFile { disk: self.clone(), inode, boot: state.boots }))
    }

    fn exists(&self, path: &str) -> io::Result<bool> {
        let mut state = self.state();
        state.operation().map_err(DiskFault::error)?;
        Ok(state.names.contains_key(path))
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        let mut state = self.state();
        state.operation().map_err(DiskFault::error)?;
        if !state.names.contains_key(path) {
            return Err(ErrorKind::NotFound.into());
        }
        state.rename_to(path, vec![(path.to_owned(), None)]);
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        state.operation().map_err(DiskFault::error)?;
        let inode = *state.names.get(from).ok_or(ErrorKind::NotFound)?;
        state.rename_to(to, vec![(from.to_owned(), None), (to.to_owned(), Some(inode))]);
        Ok(())
    }

    fn list(&self, dir: &str) -> io::Result<Vec<String>> {
        let mut state = self.state();
        state.operation().map_err(DiskFault::error)?;
        let inside = state.names.keys().filter(|path| dir_of(path) == dir);
        Ok(inside.map(|path| path.rsplit('/').next().unwrap_or(path).to_owned()).collect())
    }

    fn sync_dir(&self, dir: &str) -> io::Result<()> {
        let mut state = self.state();
        state.operation().map_err(DiskFault::error)?;
        let (due, rest): (Vec<_>, Vec<_>) =
            std::mem::take(&mut state.pending_names).into_iter().partition(|change| change.dir == dir);
        state.pending_names = rest;
        for change in due {
            apply_names(&mut state.durable_names, change.set);
        }
        Ok(())
    }
}

struct SimFile {
    disk: SimDisk,
    inode: u64,
    boot: u64,
}

impl SimFile {
    /// Runs the operation, or the fault's half of it.
    fn with<T>(
        &self,
        run: impl FnOnce(&mut Inode, Option<DiskFault>, bool) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut state = self.disk.state();
        if state.boots != self.boot {
            return Err(io::Error::other("this file was open when the power was cut"));
        }
        let fault = state.operation().err();
        let full = state.full;
        let inode = state.inodes.get_mut(&self.inode).ok_or(ErrorKind::NotFound)?;
        run(inode, fault, full)
    }
}

impl DiskFile for SimFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.with(|inode, fault, _| {
            if let Some(fault) = fault {
                return Err(fault.error());
            }
            let start = index(offset)?.min(inode.data.len());
            let read = buffer.len().min(inode.data.len() - start);
            buffer[..read].copy_from_slice(&inode.data[start..start + read]);
            Ok(read)
        })
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let offset = index(offset)?;
        self.with(|inode, fault, full| {
            let fault =
                fault.or((full && offset + bytes.len() > inode.data.len()).then_some(DiskFault::NoSpace));
            let written = match fault {
                None => bytes,
                Some(DiskFault::NoSpace) => &[],
                Some(DiskFault::Io) => &bytes[..bytes.len() / 2],
            };
            if !written.is_empty() {
                put(&mut inode.data, offset, written);
                inode.pending.push(Change::Write { offset, bytes: written.to_vec() });
            }
            fault.map_or(Ok(()), |fault| Err(fault.error()))
        })
    }

    fn sync(&self) -> io::Result<()> {
        self.with(|inode, fault, _| {
            let pending = std::mem::take(&mut inode.pending);
            if let Some(fault) = fault {
                return Err(fault.error());
            }
            for change in pending {
                match change {
                    Change::Len(len) => inode.durable.resize(len, 0),
                    Change::Write { offset, bytes } => put(&mut inode.durable, offset, &bytes),
                }
            }
            Ok(())
        })
    }

    fn len(&self) -> io::Result<u64> {
        self.with(|inode, fault, _| fault.map_or(Ok(inode.data.len() as u64), |fault| Err(fault.error())))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let len = index(len)?;
        self.with(|inode, fault, full| {
            if let Some(fault) = fault.or((full && len > inode.data.len()).then_some(DiskFault::NoSpace)) {
                return Err(fault.error());
            }
            inode.data.resize(len, 0);
            inode.pending.push(Change::Len(len));
            Ok(())
        })
    }
}

fn index(offset: u64) -> io::Result<usize> {
    usize::try_from(offset).map_err(|_| ErrorKind::InvalidInput.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SeededRandom;

    fn content(disk: &SimDisk, path: &str) -> Vec<u8> {
        let file = disk.open(path).unwrap();
        let mut bytes = vec![0; usize::try_from(file.len().unwrap()).unwrap()];
        file.read_at(&mut bytes, 0).unwrap();
        bytes
    }

    #[test]
    fn what_was_synced_survives_every_crash() {
        for seed in 0..50 {
            let disk = SimDisk::new();
            let file = disk.open("a/log").unwrap();
            file.write_at(b"durable", 0).unwrap();
            file.sync().unwrap();
            disk.sync_dir("a").unwrap();
            file.write_at(&[7; 3000], 7).unwrap();
            disk.crash(&SeededRandom::new(seed));
            assert!(file.len().is_err(), "files from before the crash are closed");
            assert_eq!(&content(&disk, "a/log")[..7], b"durable");
        }
    }

    #[test]
    fn without_syncing_the_folder_a_new_file_may_vanish() {
        let vanished = (0..50).filter(|seed| {
            let disk = SimDisk::new();
            let file = disk.open("log").unwrap();
            file.write_at(b"x", 0).unwrap();
            file.sync().unwrap();
            disk.crash(&SeededRandom::new(*seed));
            !disk.exists("log").unwrap()
        });
        let vanished = vanished.count();
        assert!((1..50).contains(&vanished), "{vanished} of 50");
    }

    #[test]
    fn writes_tear_at_sectors() {
        let torn = (0..100).any(|seed| {
            let disk = SimDisk::new();
            let file = disk.open("log").unwrap();
            disk.sync_dir("").unwrap();
            file.write_at(&[1; 2048], 0).unwrap();
            disk.crash(&SeededRandom::new(seed));
            let found = content(&disk, "log");
            assert!(found.chunks(512).all(|sector| sector.iter().all(|byte| *byte == sector[0])));
            found.contains(&0) && found.contains(&1)
        });
        assert!(torn);
    }

    #[test]
    fn a_rename_is_whole_or_not_at_all() {
        for seed in 0..50 {
            let disk = SimDisk::new();
            disk.open("new").unwrap().write_at(b"n", 0).unwrap();
            disk.sync_dir("").unwrap();
            disk.rename("new", "old").unwrap();
            disk.crash(&SeededRandom::new(seed));
            assert_eq!(disk.list("").unwrap().len(), 1);
        }
    }

    #[test]
    fn a_failed_sync_loses_what_it_should_have_kept() {
        let disk = SimDisk::new();
        let file = disk.open("log").unwrap();
        disk.sync_dir("").unwrap();
        file.write_at(b"gone", 0).unwrap();
        disk.fail_nth(1, DiskFault::Io);
        assert!(file.sync().is_err());
        file.sync().unwrap();
        disk.crash(&SeededRandom::new(1));
        assert_eq!(content(&disk, "log"), b"");
    }

    #[test]
    fn a_full_disk_overwrites_but_does_not_grow() {
        let disk = SimDisk::new();
        let file = disk.open("log").unwrap();
        file.write_at(b"abcd", 0).unwrap();
        disk.set_full(true);
        file.write_at(b"x", 3).unwrap();
        assert_eq!(file.write_at(b"xy", 3).unwrap_err().kind(), ErrorKind::StorageFull);
        assert_eq!(content(&disk, "log"), b"abcx");
    }
}
