//! A file of mutations. Each is framed by its length and a checksum; what a crash tore off is cut away.

use std::io;

use dragoman_model::disk::{Disk, DiskFile};

use crate::api::Mutation;

/// Length and checksum.
const HEADER: usize = 12;

/// The open journal.
pub(super) struct Journal {
    file: Box<dyn DiskFile>,
    /// Up to here everything is whole and synced.
    len: u64,
    /// Whether there may be bytes beyond, left by a write or sync that failed.
    dirty: bool,
}

impl Journal {
    /// Opens or creates the file; what it holds.
    pub(super) fn open(disk: &dyn Disk, path: &str) -> io::Result<(Self, Vec<Mutation>)> {
        let file = disk.open(path)?;
        disk.sync_dir(path.rsplit_once('/').map_or("", |(dir, _)| dir))?;
        let mut bytes = vec![0; usize::try_from(file.len()?).map_err(io::Error::other)?];
        let read = file.read_at(&mut bytes, 0)?;
        bytes.truncate(read);
        let (mutations, len) = parse(&bytes);
        let mut journal = Self { file, len, dirty: true };
        // What can be read need not be on the disk: a sync may have failed before this process began. Only what is
        // written anew is synced for certain.
        bytes.truncate(usize::try_from(len).map_err(io::Error::other)?);
        journal.file.write_at(&bytes, 0)?;
        journal.clean()?;
        Ok((journal, mutations))
    }

    /// Appends and syncs.
    pub(super) fn append(&mut self, mutation: &Mutation) -> io::Result<()> {
        self.clean()?;
        let frame = frame(mutation)?;
        self.dirty = true;
        let written = self.file.write_at(&frame, self.len).and_then(|()| self.file.sync());
        if let Err(error) = written {
            // At once, so that it does not come back when the process ends first; else with the next append.
            let _ = self.clean();
            return Err(error);
        }
        self.len += frame.len() as u64;
        self.dirty = false;
        Ok(())
    }

    /// Cuts off what is not known to be whole. Never syncs the same bytes again.
    fn clean(&mut self) -> io::Result<()> {
        if self.dirty {
            self.file.set_len(self.len)?;
            self.file.sync()?;
            self.dirty = false;
        }
        Ok(())
    }
}

fn frame(mutation: &Mutation) -> io::Result<Vec<u8>> {
    let body = serde_json::to_vec(mutation).map_err(io::Error::other)?;
    let len = u32::try_from(body.len()).map_err(io::Error::other)?;
    let mut frame = Vec::with_capacity(HEADER + body.len());
    frame.extend_from_slice(&len.to_le_bytes());
    frame.extend_from_slice(&checksum(&body).to_le_bytes());
    frame.extend_from_slice(&body);
    Ok(frame)
}

/// The whole frames from the start, and where they end.
fn parse(bytes: &[u8]) -> (Vec<Mutation>, u64) {
    let mut mutations = Vec::new();
    let mut at = 0;
    while let Some((mutation, len)) = parse_one(&bytes[at..]) {
        mutations.push(mutation);
        at += len;
    }
    (mutations, at as u64)
}

fn parse_one(bytes: &[u8]) -> Option<(Mutation, usize)> {
    let (len, rest) = bytes.split_first_chunk::<4>()?;
    let (sum, rest) = rest.split_first_chunk::<8>()?;
    let len = usize::try_from(u32::from_le_bytes(*len)).ok()?;
    let body = rest.get(..len)?;
    if checksum(body) != u64::from_le_bytes(*sum) {
        return None;
    }
    Some((serde_json::from_slice(body).ok()?, HEADER + len))
}

/// FNV-1a: tells torn from whole, against nobody's malice.
fn checksum(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}
