//! Files as the core sees them. The real disk lives in `seal`; simulations bring one that crashes, tears
//! writes and forgets what was not synced. All calls block.

use std::io;

/// A folder with files in it. Paths are relative to the disk's root and separated by `/`.
pub trait Disk: Send + Sync {
    /// Opens a file for reading and writing, creating it (readable by its owner only) where it is missing.
    fn open(&self, path: &str) -> io::Result<Box<dyn DiskFile>>;
    /// Whether the file is there.
    fn exists(&self, path: &str) -> io::Result<bool>;
    /// Removes a file. Durable after [`Disk::sync_dir`].
    fn remove(&self, path: &str) -> io::Result<()>;
    /// Renames a file over another. Durable after [`Disk::sync_dir`].
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Names of the files in a folder, sorted. A missing folder is empty.
    fn list(&self, dir: &str) -> io::Result<Vec<String>>;
    /// Makes creations, removals and renames in a folder durable.
    fn sync_dir(&self, dir: &str) -> io::Result<()>;
}

/// Bytes that [`DiskFile::fill`] writes at a time.
const PIECE: usize = 16 * 1024;

/// An open file.
pub trait DiskFile: Send + Sync {
    /// Reads at an offset; fewer bytes than asked for means the end of the file.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes all bytes at an offset. Durable after [`DiskFile::sync`].
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Writes zeros, so that what is written there later changes no metadata. In pieces: one large write is one large
    /// folio of the system's cache, and some file systems look through all blocks of a folio for every byte that
    /// changes in it (ext4: a tenth of a millisecond where it is a few MiB).
    fn fill(&self, offset: u64, len: u64) -> io::Result<()> {
        for at in (0..len).step_by(PIECE) {
            let piece = usize::try_from(len - at).map_or(PIECE, |rest| rest.min(PIECE));
            self.write_at(&[0; PIECE][..piece], offset + at)?;
        }
        Ok(())
    }
    /// Makes written data and the length durable.
    fn sync(&self) -> io::Result<()>;
    /// Length in bytes.
    fn len(&self) -> io::Result<u64>;
    /// Whether nothing is in the file.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
    /// Cuts or extends (with zeros) the file.
    fn set_len(&self, len: u64) -> io::Result<()>;
}
