//! The real disk: [`Disk`] on `std::fs`, private files below one folder.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use dragoman_model::disk::{BLOCK, Disk, DiskFile};

/// A folder of the file system. Files are made with mode 0600, folders with 0700; symbolic links are not
/// followed.
pub struct StdDisk {
    root: PathBuf,
}

impl StdDisk {
    /// Opens the folder, making it and what is above it where missing.
    pub fn open(root: impl Into<PathBuf>) -> io::Result<Self> {
        let root = root.into();
        make_dir(&root)?;
        if let Some(parent) = root.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            // The folder above may be closed to us, and then it was there before.
            File::open(parent).and_then(|parent| parent.sync_all()).ok();
        }
        Ok(Self { root })
    }

    /// The folder that all paths are relative to.
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn resolve(&self, path: &str) -> io::Result<PathBuf> {
        let relative = Path::new(path);
        if relative.components().any(|part| !matches!(part, Component::Normal(_) | Component::CurDir)) {
            return Err(io::Error::new(ErrorKind::InvalidInput, format!("'{path}' leaves the data folder")));
        }
        Ok(self.root.join(relative))
    }
}

impl StdDisk {
    fn open_with(&self, path: &str, flags: i32) -> io::Result<File> {
        let full = self.resolve(path)?;
        if let Some(parent) = full.parent() {
            make_dir(parent)?;
        }
        OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW | flags)
            .open(full)
    }
}

fn make_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

impl Disk for StdDisk {
    fn open(&self, path: &str) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(StdFile(self.open_with(path, 0)?)))
    }

    fn open_for_blocks(&self, path: &str) -> io::Result<Box<dyn DiskFile>> {
        let file = StdFile(self.open_with(path, 0)?);
        match self.open_with(path, libc::O_DIRECT | libc::O_DSYNC) {
            Ok(past) => Ok(Box::new(BlockFile { file, past, works: AtomicBool::new(true) })),
            Err(error) if is_refused(&error) => Ok(Box::new(file)),
            Err(error) => Err(error),
        }
    }

    fn exists(&self, path: &str) -> io::Result<bool> {
        self.resolve(path)?.try_exists()
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        fs::remove_file(self.resolve(path)?)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.resolve(from)?, self.resolve(to)?)
    }

    fn list(&self, dir: &str) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(self.resolve(dir)?) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry?;
            // We make no other names; whatever else lies there is not ours.
            if entry.file_type()?.is_file()
                && let Ok(name) = entry.file_name().into_string()
            {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn sync_dir(&self, dir: &str) -> io::Result<()> {
        let full = self.resolve(dir)?;
        make_dir(&full)?;
        // The folder itself may be new, so its entry above has to last as well.
        for folder in full.ancestors().take_while(|folder| folder.starts_with(&self.root)) {
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    }
}

struct StdFile(File);

impl DiskFile for StdFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut done = 0;
        while done < buffer.len() {
            match self.0.read_at(&mut buffer[done..], offset + done as u64) {
                Ok(0) => break,
                Ok(read) => done += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }
}

/// Blocks up to so many bytes go past the system's cache; what is longer is not worth a copy.
const PAST_THE_CACHE: usize = 64 * 1024;

/// Not every file system has a way past the system's cache.
fn is_refused(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported)
}

/// A file that is also open past the system's cache: one write that is durable when it returns costs little more than
/// half of a write and a sync.
struct BlockFile {
    file: StdFile,
    past: File,
    /// Cleared where the file system refuses what it agreed to.
    works: AtomicBool,
}

impl DiskFile for BlockFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }

    fn write_blocks(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        if bytes.len() <= PAST_THE_CACHE && self.works.load(Ordering::Relaxed) {
            // Memory has to be aligned as the file is.
            let mut room = vec![0; bytes.len() + BLOCK];
            let start = room.as_ptr().align_offset(BLOCK);
            let aligned = &mut room[start..start + bytes.len()];
            aligned.copy_from_slice(bytes);
            match self.past.write_all_at(aligned, offset) {
                Err(error) if is_refused(&error) => {
                    self.works.store(false, Ordering::Relaxed);
                }
                written => return written,
            }
        }
        self.file.write_at(bytes, offset)?;
        self.file.sync()
    }

    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }
}
