//! Bytes of a file: small ones in memory, large ones in a temporary file that goes with them.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;

/// Larger files are kept on disk.
const IN_MEMORY: usize = 4 * 1024 * 1024;
/// How much of a file is read at once.
const PIECE: usize = 64 * 1024;

static COUNTER: AtomicU64 = AtomicU64::new(0);

/// The bytes of a file; cheap to clone.
#[derive(Clone, Debug)]
pub struct Blob(Arc<Kept>);

#[derive(Debug)]
enum Kept {
    Memory(Vec<u8>),
    Disk { path: TempPath, len: u64 },
}

/// Removes its file.
#[derive(Debug)]
struct TempPath(PathBuf);

impl Drop for TempPath {
    fn drop(&mut self) {
        // Whoever cleans the folder for temporary files does the rest.
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Default for Blob {
    fn default() -> Self {
        Self::from(Vec::new())
    }
}

impl From<Vec<u8>> for Blob {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Kept::Memory(bytes)))
    }
}

impl From<&[u8]> for Blob {
    fn from(bytes: &[u8]) -> Self {
        Self::from(bytes.to_vec())
    }
}

impl Blob {
    /// How many bytes.
    pub fn size(&self) -> u64 {
        match &*self.0 {
            Kept::Memory(bytes) => bytes.len() as u64,
            Kept::Disk { len, .. } => *len,
        }
    }

    /// At most `max` bytes from a place; empty at the end, or when the disk fails.
    pub fn read(&self, from: u64, max: usize) -> Bytes {
        match &*self.0 {
            Kept::Memory(bytes) => {
                let from = usize::try_from(from).unwrap_or(usize::MAX).min(bytes.len());
                Bytes::copy_from_slice(&bytes[from..bytes.len().min(from.saturating_add(max))])
            }
            Kept::Disk { path, .. } => {
                let read = || -> std::io::Result<Vec<u8>> {
                    let mut file = File::open(&path.0)?;
                    file.seek(SeekFrom::Start(from))?;
                    let mut bytes = Vec::with_capacity(max);
                    file.take(max as u64).read_to_end(&mut bytes)?;
                    Ok(bytes)
                };
                Bytes::from(read().unwrap_or_default())
            }
        }
    }

    /// All of it, for what is small.
    pub fn to_vec(&self) -> Vec<u8> {
        self.read(0, usize::try_from(self.size()).unwrap_or(usize::MAX)).to_vec()
    }

    /// A response body that is read as it is sent, its length told first.
    pub fn body(&self) -> Body {
        if let Kept::Memory(bytes) = &*self.0 {
            return Body::from(bytes.clone());
        }
        self.chunked()
    }

    /// The same, its length not told.
    pub fn chunked(&self) -> Body {
        let all = self.clone();
        Body::from_stream(stream::unfold(0_u64, move |at| {
            let piece = all.read(at, PIECE);
            let next = at + piece.len() as u64;
            std::future::ready((!piece.is_empty()).then_some((Ok::<_, std::io::Error>(piece), next)))
        }))
    }
}

/// Bytes on their way into a [`Blob`].
#[derive(Debug, Default)]
pub struct BlobWriter {
    memory: Vec<u8>,
    disk: Option<(File, TempPath)>,
    len: u64,
}

impl BlobWriter {
    /// How many bytes there are so far.
    pub fn size(&self) -> u64 {
        self.len
    }

    /// Appends.
    ///
    /// # Errors
    /// When the folder for temporary files cannot be written.
    pub fn push(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.len += bytes.len() as u64;
        if let Some((file, _)) = &mut self.disk {
            return file.write_all(bytes);
        }
        self.memory.extend_from_slice(bytes);
        if self.memory.len() > IN_MEMORY {
            let number = COUNTER.fetch_add(1, Ordering::Relaxed);
            let path = std::env::temp_dir().join(format!("dragoman-sim-{}-{number}", std::process::id()));
            let mut file = File::create(&path)?;
            let path = TempPath(path);
            file.write_all(&self.memory)?;
            self.memory = Vec::new();
            self.disk = Some((file, path));
        }
        Ok(())
    }

    /// The end.
    pub fn finish(self) -> Blob {
        Blob(Arc::new(match self.disk {
            None => Kept::Memory(self.memory),
            Some((_, path)) => Kept::Disk { path, len: self.len },
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_files_are_on_disk_and_go_with_their_last_owner() {
        let mut writer = BlobWriter::default();
        for number in 0..3_u8 {
            writer.push(&vec![number; 2 * 1024 * 1024]).unwrap();
        }
        let blob = writer.finish();
        let Kept::Disk { path, .. } = &*blob.0 else { panic!("in memory") };
        let path = path.0.clone();
        assert_eq!(blob.size(), 6 * 1024 * 1024);
        assert_eq!(blob.read(2 * 1024 * 1024 - 1, 2)[..], [0, 1]);
        assert!(blob.read(6 * 1024 * 1024, 9).is_empty());
        let other = blob.clone();
        drop(blob);
        assert!(path.exists());
        drop(other);
        assert!(!path.exists());
    }

    #[test]
    fn small_files_are_in_memory() {
        let mut writer = BlobWriter::default();
        writer.push(b"abc").unwrap();
        let blob = writer.finish();
        assert!(matches!(&*blob.0, Kept::Memory(_)));
        assert_eq!((blob.size(), &blob.read(1, 9)[..], blob.to_vec()), (3, &b"bc"[..], b"abc".to_vec()));
    }
}
