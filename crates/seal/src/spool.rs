//! The sealed spool: files that have to rest for as long as it takes to post them, because their target asks for a
//! length that their source did not tell.
//!
//! A spooled file is a row of chunks of 64 KiB, each AES-256-GCM under a key that is random for this file and lives in
//! memory only. The nonce is the chunk's number; number and whether it is the last are authenticated, so that chunks
//! are not swapped, repeated or cut away. The file has no name any more as soon as it is open: it is gone with its last
//! handle, and a process that is killed leaves nothing that opens.
//!
//! Everything here blocks.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use dragoman_model::Random;
use zeroize::Zeroizing;

use crate::envelope::{TAG_LEN, Tampered};

/// Bytes of plain text in a chunk; the last one has fewer.
const CHUNK: usize = 64 << 10;

/// A folder for spooled files.
pub struct Spool {
    folder: PathBuf,
    random: Arc<dyn Random>,
    room: Arc<Room>,
}

/// How much the files of a folder may have together, and how much they have, in bytes of plain text.
struct Room {
    cap: u64,
    used: AtomicU64,
}

/// A file's share of the room; given back when it is gone.
struct Share {
    room: Arc<Room>,
    bytes: u64,
}

impl Share {
    fn grow(&mut self, bytes: u64) -> io::Result<()> {
        let taken = |used: u64| used.checked_add(bytes).filter(|used| *used <= self.room.cap);
        let full = |_| io::Error::new(io::ErrorKind::StorageFull, "the spool is full");
        self.room.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, taken).map_err(full)?;
        self.bytes += bytes;
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.room.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Spool {
    /// Opens the folder, making it where it is missing, and empties it: what an earlier process left there cannot be
    /// read by anybody. All its files together have `cap` bytes at most.
    pub fn open(folder: &Path, cap: u64, random: Arc<dyn Random>) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        for entry in folder.read_dir()? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                std::fs::remove_dir_all(entry.path())?;
            } else {
                std::fs::remove_file(entry.path())?;
            }
        }
        let room = Arc::new(Room { cap, used: AtomicU64::new(0) });
        Ok(Self { folder: folder.to_owned(), random, room })
    }

    /// How many bytes all files together may have.
    pub fn cap(&self) -> u64 {
        self.room.cap
    }

    /// How many bytes are in it now.
    pub fn used(&self) -> u64 {
        self.room.used.load(Ordering::Relaxed)
    }

    /// A new file under a key of its own.
    pub fn create(&self) -> io::Result<SpoolWriter> {
        let mut name = [0; 16];
        self.random.fill(&mut name);
        let path = self.folder.join(format!("{:032x}", u128::from_be_bytes(name)));
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
        std::fs::remove_file(&path)?;
        let mut key = Zeroizing::new([0; 32]);
        self.random.fill(key.as_mut());
        let key = UnboundKey::new(&AES_256_GCM, key.as_ref()).map_err(|_| io::Error::other("no cipher"))?;
        let plain = Zeroizing::new(Vec::with_capacity(CHUNK));
        let share = Share { room: Arc::clone(&self.room), bytes: 0 };
        Ok(SpoolWriter { file, key: LessSafeKey::new(key), plain, number: 0, size: 0, share })
    }
}

/// A spooled file that is being written.
pub struct SpoolWriter {
    file: File,
    key: LessSafeKey,
    plain: Zeroizing<Vec<u8>>,
    number: u64,
    size: u64,
    share: Share,
}

impl SpoolWriter {
    /// Appends bytes. [`io::ErrorKind::StorageFull`]: they are more than there is room for now.
    pub fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        self.share.grow(bytes.len() as u64)?;
        while !bytes.is_empty() {
            // A full chunk is sealed only when more comes: the last one says that it is.
            if self.plain.len() == CHUNK {
                self.seal(false)?;
            }
            let (now, later) = bytes.split_at(bytes.len().min(CHUNK - self.plain.len()));
            self.plain.extend_from_slice(now);
            bytes = later;
        }
        Ok(())
    }

    /// How many bytes were written.
    pub fn size(&self) -> u64 {
        self.size + self.plain.len() as u64
    }

    /// Ends it, to be read from the beginning.
    pub fn finish(mut self) -> io::Result<SpoolReader> {
        self.seal(true)?;
        self.file.seek(SeekFrom::Start(0))?;
        Ok(SpoolReader {
            file: self.file,
            key: self.key,
            number: 0,
            left: self.size,
            size: self.size,
            ended: false,
            _share: self.share,
        })
    }

    fn seal(&mut self, last: bool) -> io::Result<()> {
        let aad = Aad::from([u8::from(last)]);
        let tag = self
            .key
            .seal_in_place_separate_tag(nonce(self.number), aad, &mut self.plain)
            .map_err(|_| io::Error::other("a chunk could not be sealed"))?;
        self.file.write_all(&self.plain)?;
        self.file.write_all(tag.as_ref())?;
        self.size += self.plain.len() as u64;
        self.number += 1;
        self.plain.clear();
        Ok(())
    }
}

/// A spooled file that is being read. It is gone when this is dropped.
pub struct SpoolReader {
    file: File,
    key: LessSafeKey,
    number: u64,
    left: u64,
    size: u64,
    ended: bool,
    /// Given back with the file.
    _share: Share,
}

impl SpoolReader {
    /// How many bytes it has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The next chunk; `None` at the end. What was altered is an error that holds [`Tampered`].
    pub fn read(&mut self) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
        if self.ended {
            return Ok(None);
        }
        let length = usize::try_from(self.left).unwrap_or(CHUNK).min(CHUNK);
        self.left -= length as u64;
        let last = self.left == 0;
        let mut sealed = vec![0; length + TAG_LEN];
        self.file.read_exact(&mut sealed)?;
        let (bytes, tag) = sealed.split_at(length);
        let mut plain = Zeroizing::new(vec![0; length]);
        self.key
            .open_separate_gather(nonce(self.number), Aad::from([u8::from(last)]), bytes, tag, &mut plain)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, Tampered))?;
        self.number += 1;
        self.ended = last;
        Ok(Some(plain).filter(|plain| !plain.is_empty()))
    }
}

/// The key is used for this one file, so numbers never repeat under it.
fn nonce(number: u64) -> Nonce {
    let mut bytes = [0; 12];
    bytes[4..].copy_from_slice(&number.to_be_bytes());
    Nonce::assume_unique_for_key(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SystemRandom;

    fn spool(folder: &Path) -> Spool {
        Spool::open(folder, 1 << 30, Arc::new(SystemRandom)).unwrap()
    }

    fn read(mut reader: SpoolReader) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        while let Some(chunk) = reader.read()? {
            all.extend_from_slice(&chunk);
        }
        assert_eq!(all.len() as u64, reader.size());
        assert!(reader.read()?.is_none());
        Ok(all)
    }

    #[test]
    fn what_goes_in_comes_out_whatever_its_size() {
        let folder = tempfile::tempdir().unwrap();
        let spool = spool(folder.path());
        for size in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 17] {
            let bytes: Vec<u8> = (0..size).map(|at| u8::try_from(at % 251).unwrap()).collect();
            let mut writer = spool.create().unwrap();
            for piece in bytes.chunks(40_000) {
                writer.write(piece).unwrap();
            }
            assert_eq!(writer.size(), size as u64);
            assert!(read(writer.finish().unwrap()).unwrap() == bytes, "{size} bytes");
        }
    }

    #[test]
    fn nothing_of_it_is_on_the_disk_by_name_or_in_the_clear() {
        let folder = tempfile::tempdir().unwrap();
        let secret = b"the harbour closes at nine".repeat(9_000);
        let mut writer = spool(folder.path()).create().unwrap();
        writer.write(&secret).unwrap();
        let mut reader = writer.finish().unwrap();
        // The process could be killed here.
        assert_eq!(folder.path().read_dir().unwrap().count(), 0);
        let mut rests = Vec::new();
        reader.file.read_to_end(&mut rests).unwrap();
        assert!(rests.len() > secret.len());
        assert!(!rests.windows(12).any(|window| window == &secret[..12]));
    }

    #[test]
    fn what_a_killed_process_left_is_gone_after_the_next_start() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("spool")).unwrap();
        std::fs::write(folder.path().join("spool/0123"), b"x").unwrap();
        std::fs::create_dir(folder.path().join("spool/sub")).unwrap();
        let spool = spool(&folder.path().join("spool"));
        assert_eq!(spool.folder.read_dir().unwrap().count(), 0);
    }

    #[test]
    fn what_all_files_have_together_is_bounded_and_given_back() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::open(folder.path(), 100, Arc::new(SystemRandom)).unwrap();
        let mut one = spool.create().unwrap();
        let mut other = spool.create().unwrap();
        one.write(&[1; 60]).unwrap();
        let full = other.write(&[2; 41]).unwrap_err();
        assert_eq!((full.kind(), spool.used()), (io::ErrorKind::StorageFull, 60));
        other.write(&[2; 40]).unwrap();
        let reader = one.finish().unwrap();
        assert_eq!(spool.used(), 100);
        drop(other);
        assert_eq!(spool.used(), 60);
        drop(reader);
        assert_eq!(spool.used(), 0);
        spool.create().unwrap().write(&[3; 100]).unwrap();
        assert!(spool.create().unwrap().write(&[3; 101]).is_err());
        assert_eq!(spool.used(), 0);
    }

    #[test]
    fn an_altered_swapped_or_shortened_file_does_not_open() {
        let folder = tempfile::tempdir().unwrap();
        let spool = spool(folder.path());
        let make = || {
            let mut writer = spool.create().unwrap();
            writer.write(&vec![7; 2 * CHUNK + 5]).unwrap();
            writer.finish().unwrap()
        };
        let refused = |reader: SpoolReader| read(reader).is_err();
        let mut flipped = make();
        flipped.file.write_all(&[0]).unwrap();
        flipped.file.seek(SeekFrom::Start(0)).unwrap();
        assert!(refused(flipped));
        let mut swapped = make();
        let mut both = vec![0; 2 * (CHUNK + TAG_LEN)];
        swapped.file.read_exact(&mut both).unwrap();
        both.rotate_left(CHUNK + TAG_LEN);
        swapped.file.seek(SeekFrom::Start(0)).unwrap();
        swapped.file.write_all(&both).unwrap();
        swapped.file.seek(SeekFrom::Start(0)).unwrap();
        assert!(refused(swapped));
        // Somebody who could lengthen or shorten it cannot make another chunk the last.
        let mut shortened = make();
        shortened.left = 2 * CHUNK as u64;
        assert!(shortened.read().unwrap().is_some());
        assert!(shortened.read().is_err());
        // Each file has its own key.
        let (mut one, mut other) = (make(), make());
        let mut bytes = Vec::new();
        one.file.read_to_end(&mut bytes).unwrap();
        other.file.write_all(&bytes).unwrap();
        other.file.seek(SeekFrom::Start(0)).unwrap();
        assert!(refused(other));
    }
}
