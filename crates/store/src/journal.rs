//! A file of mutations, synced before anybody is answered. Each is framed by its length, a checksum and a number;
//! what a crash tore off is cut away.

use std::io;

use dragoman_model::disk::{Disk, DiskFile};

use crate::api::Mutation;

/// Length of the body, checksum, number with the format before it.
const HEADER: usize = 16;

/// How bodies are written: raised with every change of what a mutation consists of, as a body does not name its parts.
const FORMAT: u64 = 3;

/// The number's bits below the format.
const NUMBER: u64 = (1 << 56) - 1;

/// The open journal.
///
/// Where the frames are done elsewhere, [`Journal::rewind`] starts anew at the beginning of the file, over room that is
/// allocated already. Numbers go on, so that what is left of an earlier round never counts.
pub(crate) struct Journal {
    file: Box<dyn DiskFile>,
    /// Where the next frame goes: up to here everything is whole and synced.
    at: u64,
    /// The number of the next frame.
    next: u64,
    /// Bytes of the file that are written and may be written over without the file growing.
    room: u64,
    /// How much the file grows at a time; 0 is as much as is needed.
    step: u64,
    /// Up to here lie frames that [`Journal::wipe`] has not overwritten yet.
    used: u64,
    /// Whether there may be bytes beyond, left by a write or sync that failed.
    dirty: bool,
    frames: Vec<u8>,
}

/// What a journal held when it was opened.
pub(crate) struct Found {
    /// With their numbers, in their order.
    pub(crate) mutations: Vec<(u64, Mutation)>,
    /// Whether frames between the one asked for and the first that is there are missing.
    pub(crate) gap: bool,
    /// Whether there is one beyond the one asked for that another version wrote.
    pub(crate) foreign: bool,
}

impl Journal {
    /// Opens or creates the file; what it holds beyond the frame of the given number.
    pub(crate) fn open(disk: &dyn Disk, path: &str, done: u64, step: u64) -> io::Result<(Self, Found)> {
        let file = disk.open(path)?;
        disk.sync_dir(path.rsplit_once('/').map_or("", |(dir, _)| dir))?;
        let room = file.len()?;
        let mut bytes = vec![0; usize::try_from(room).map_err(io::Error::other)?];
        let read = file.read_at(&mut bytes, 0)?;
        bytes.truncate(read);
        let (frames, foreign) = parse(&bytes);
        let foreign = foreign.is_some_and(|number| number > done);
        let at = frames.last().map_or(0, |frame| frame.end);
        let gap = frames.first().is_some_and(|first| first.number > done + 1);
        let last = frames.last().map_or(done, |frame| frame.number.max(done));
        let fresh = frames.into_iter().filter(|frame| frame.number > done);
        let found =
            Found { mutations: fresh.map(|frame| (frame.number, frame.mutation)).collect(), gap, foreign };
        let journal =
            Self { file, at, next: last + 1, room, step, used: room, dirty: true, frames: Vec::new() };
        Ok((journal, found))
    }

    /// Makes certain what was found. What can be read need not be on the disk: a sync may have failed before this
    /// process began. Only what is written anew is synced for certain.
    pub(crate) fn confirm(&mut self) -> io::Result<()> {
        let mut bytes = vec![0; usize::try_from(self.at).map_err(io::Error::other)?];
        self.file.read_at(&mut bytes, 0)?;
        self.file.write_at(&bytes, 0)?;
        self.clean()
    }

    /// Appends all, and syncs once. In between `written` has a say.
    pub(crate) fn append<'a>(
        &mut self,
        mutations: impl IntoIterator<Item = &'a Mutation>,
        written: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        self.clean()?;
        let mut frames = std::mem::take(&mut self.frames);
        frames.clear();
        let mut next = self.next;
        for mutation in mutations {
            frames = frame(frames, next, mutation)?;
            next += 1;
        }
        self.dirty = true;
        let appended = self.grow(frames.len() as u64).and_then(|()| {
            self.file.write_at(&frames, self.at)?;
            written()?;
            self.file.sync()
        });
        let len = frames.len() as u64;
        self.frames = frames;
        // Never given again: should frames of a failed append come back, a later flush has left them behind.
        self.next = next;
        if let Err(error) = appended {
            // At once, so that it does not come back when the process ends first; else with the next append.
            let _ = self.clean();
            return Err(error);
        }
        self.at += len;
        self.room = self.room.max(self.at);
        self.used = self.used.max(self.at);
        self.dirty = false;
        Ok(())
    }

    /// Bytes of frames since the beginning of the file.
    pub(crate) fn len(&self) -> u64 {
        self.at
    }

    /// The number of the last frame.
    pub(crate) fn last(&self) -> u64 {
        self.next - 1
    }

    /// Everything that was appended is durable elsewhere: starts anew.
    pub(crate) fn rewind(&mut self) {
        self.at = 0;
    }

    /// After [`Journal::rewind`]: overwrites with zeros what earlier rounds left.
    pub(crate) fn wipe(&mut self) -> io::Result<()> {
        if self.used == 0 || self.at > 0 {
            return Ok(());
        }
        self.clean()?;
        self.file.fill(0, self.used.min(self.room))?;
        self.file.sync()?;
        self.used = 0;
        Ok(())
    }

    /// Allocates room, so that the first frames find it.
    pub(crate) fn prepare(&mut self) -> io::Result<()> {
        self.clean()?;
        self.grow(1)
    }

    /// Sees to it that so many bytes fit. Written, not only lengthened: a hole would be allocated under the next sync.
    fn grow(&mut self, more: u64) -> io::Result<()> {
        if self.step == 0 || self.at + more <= self.room {
            return Ok(());
        }
        let missing = (self.at + more - self.room).next_multiple_of(self.step);
        self.file.fill(self.room, missing)?;
        self.file.sync()?;
        self.room += missing;
        Ok(())
    }

    /// Cuts off what is not known to be whole. Never syncs the same bytes again.
    fn clean(&mut self) -> io::Result<()> {
        if self.dirty {
            self.file.set_len(self.at)?;
            self.file.sync()?;
            self.room = self.at;
            self.used = self.used.min(self.at);
            self.dirty = false;
        }
        Ok(())
    }
}

struct Frame {
    number: u64,
    mutation: Mutation,
    end: u64,
}

fn frame(mut frames: Vec<u8>, number: u64, mutation: &Mutation) -> io::Result<Vec<u8>> {
    let start = frames.len();
    frames.extend_from_slice(&[0; HEADER]);
    let mut frames = postcard::to_extend(mutation, frames).map_err(io::Error::other)?;
    let body = u32::try_from(frames.len() - start - HEADER).map_err(io::Error::other)?;
    frames[start..start + 4].copy_from_slice(&body.to_le_bytes());
    let number = FORMAT << NUMBER.count_ones() | number;
    frames[start + 8..start + HEADER].copy_from_slice(&number.to_le_bytes());
    let sum = crc32fast::hash(&frames[start + 8..]);
    frames[start + 4..start + 8].copy_from_slice(&sum.to_le_bytes());
    Ok(frames)
}

/// The whole frames from the start, as far as their numbers grow: those of an earlier round are lower. And the number of
/// the first that this version cannot read.
fn parse(bytes: &[u8]) -> (Vec<Frame>, Option<u64>) {
    let mut frames: Vec<Frame> = Vec::new();
    let mut at = 0;
    while let Some(found) = parse_one(bytes, at) {
        let number = found.as_ref().map_or_else(|foreign| *foreign, |frame| frame.number);
        if frames.last().is_some_and(|before| number <= before.number) {
            break;
        }
        let Ok(frame) = found else { return (frames, Some(number)) };
        at = usize::try_from(frame.end).unwrap_or(bytes.len());
        frames.push(frame);
    }
    (frames, None)
}

/// A whole frame, or the number of one that this version cannot read.
fn parse_one(bytes: &[u8], at: usize) -> Option<Result<Frame, u64>> {
    let (len, rest) = bytes.get(at..)?.split_first_chunk::<4>()?;
    let (sum, rest) = rest.split_first_chunk::<4>()?;
    let len = usize::try_from(u32::from_le_bytes(*len)).ok()?;
    let numbered = rest.get(..len.checked_add(8)?)?;
    if crc32fast::hash(numbered) != u32::from_le_bytes(*sum) {
        return None;
    }
    let (number, body) = numbered.split_first_chunk::<8>()?;
    let number = u64::from_le_bytes(*number);
    let (format, number) = (number >> NUMBER.count_ones(), number & NUMBER);
    let end = (at + HEADER + len) as u64;
    match postcard::from_bytes(body) {
        Ok(mutation) if format == FORMAT => Some(Ok(Frame { number, mutation, end })),
        _ => Some(Err(number)),
    }
}

#[cfg(test)]
mod tests {
    use dragoman_testkit::SimDisk;

    use super::*;

    const PATH: &str = "journal";

    fn note(n: u64) -> Mutation {
        Mutation::DropDeadLetter(format!("leg {n}").as_str().into())
    }

    fn numbers(found: &Found) -> Vec<String> {
        found.mutations.iter().map(|(_, mutation)| format!("{mutation:?}")).collect()
    }

    fn open(disk: &SimDisk, done: u64) -> (Journal, Found) {
        Journal::open(disk, PATH, done, 4_096).unwrap()
    }

    #[test]
    fn only_frames_of_the_last_round_count() {
        let disk = SimDisk::new();
        let (mut journal, found) = open(&disk, 0);
        assert!(numbers(&found).is_empty());
        journal.append([&note(1), &note(2), &note(3)], || Ok(())).unwrap();
        journal.rewind();
        journal.append([&note(4)], || Ok(())).unwrap();
        drop(journal);
        // Frames two and three still lie behind the fourth.
        let (journal, found) = open(&disk, 3);
        assert_eq!((numbers(&found), found.gap), (vec![format!("{:?}", note(4))], false));
        assert_eq!(journal.last(), 4);
        drop(journal);
        let (journal, found) = open(&disk, 4);
        assert_eq!((found.mutations.len(), journal.last()), (0, 4), "done already");
        let (_, found) = open(&disk, 1);
        assert!(found.gap, "frames two and three are needed and gone");
    }

    #[test]
    fn a_wiped_journal_holds_nothing() {
        let disk = SimDisk::new();
        let (mut journal, _) = open(&disk, 0);
        journal.append([&note(1), &note(2)], || Ok(())).unwrap();
        journal.rewind();
        journal.wipe().unwrap();
        let file = disk.open(PATH).unwrap();
        let mut bytes = vec![1; usize::try_from(file.len().unwrap()).unwrap()];
        file.read_at(&mut bytes, 0).unwrap();
        assert!(bytes.len() >= 4_096 && bytes.iter().all(|byte| *byte == 0));
    }

    /// A journal of two frames of equal length, as it lies on the disk.
    fn two_frames(disk: &SimDisk) -> Vec<u8> {
        let (mut journal, _) = open(disk, 0);
        journal.append([&note(1), &note(2)], || Ok(())).unwrap();
        let mut bytes = vec![0; usize::try_from(journal.len()).unwrap()];
        disk.open(PATH).unwrap().read_at(&mut bytes, 0).unwrap();
        bytes
    }

    #[test]
    fn a_frame_that_changed_by_one_bit_ends_the_journal() {
        let whole = two_frames(&SimDisk::new());
        for bit in 0..whole.len() * 8 {
            let mut bent = whole.clone();
            bent[bit / 8] ^= 1 << (bit % 8);
            let (frames, foreign) = parse(&bent);
            assert!(frames.len() < 2 && foreign.is_none(), "bit {bit}");
        }
    }

    #[test]
    fn a_frame_of_another_version_is_told_apart_from_a_torn_one() {
        let disk = SimDisk::new();
        let mut bytes = two_frames(&disk);
        let second = bytes.len() / 2;
        bytes[second + HEADER - 1] += 1;
        let sum = crc32fast::hash(&bytes[second + 8..]);
        bytes[second + 4..second + 8].copy_from_slice(&sum.to_le_bytes());
        disk.open(PATH).unwrap().write_at(&bytes, 0).unwrap();
        let (_, found) = open(&disk, 0);
        assert_eq!((found.mutations.len(), found.foreign), (1, true));
        let (_, found) = open(&disk, 2);
        assert!(!found.foreign, "done already");
    }
}
