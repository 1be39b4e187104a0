//! Opening the file: lock, permissions, settings, schema.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, params};

use super::conn::classify;
use crate::error::StoreError;
use crate::faults::Faults;

/// The database inside the data folder.
const FILE: &str = "dragoman.sqlite";
/// Accepted writes that the database may lack.
pub(super) const JOURNAL: &str = "dragoman.journal";
/// Held locked while the store is open.
const LOCK: &str = "lock";
/// Steps from an empty file to the schema of this version.
const STEPS: &[&str] = &[
    include_str!("schema.sql"),
    include_str!("files.sql"),
    include_str!("notices.sql"),
    include_str!("reactions.sql"),
    include_str!("expiry.sql"),
    include_str!("talks.sql"),
    include_str!("beside.sql"),
];
/// Statements kept prepared per connection: more than there are.
const PREPARED: usize = 160;
/// How long a connection waits for another: reads wait for nobody, and the writer only when it truncates the log.
const PATIENCE: Duration = Duration::from_millis(250);
/// Pages in the log at which SQLite moves them by itself, should nobody ask for it: 64 MiB.
const LOG_PAGES: i64 = 16_384;

/// The folder, locked.
pub(super) struct Folder {
    /// The database file.
    pub(super) file: PathBuf,
    lock: File,
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Closing is not enough while a child process that was just forked holds a copy.
        let _ = self.lock.unlock();
    }
}

impl Folder {
    /// The folder.
    pub(super) fn path(&self) -> &Path {
        self.file.parent().unwrap_or(Path::new("."))
    }

    /// The journal's path, for people.
    pub(super) fn shown_journal(&self) -> String {
        self.path().join(JOURNAL).display().to_string()
    }

    /// The database's path, for people.
    pub(super) fn shown(&self) -> String {
        self.file.display().to_string()
    }
}

/// Locks the folder, making it and the file where they are missing.
pub(super) fn lock(folder: &Path) -> Result<Folder, StoreError> {
    let file = folder.join(FILE);
    let failed = |error: std::io::Error| StoreError::Disk {
        path: file.display().to_string(),
        cause: error.to_string(),
    };
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    let private = |path: &Path| {
        OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
    };
    let lock = private(&folder.join(LOCK)).map_err(failed)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(StoreError::Locked { path: folder.display().to_string() });
        }
        Err(TryLockError::Error(error)) => return Err(failed(error)),
    }
    // SQLite gives its other files the permissions of this one.
    drop(private(&file).map_err(failed)?);
    File::open(folder).and_then(|dir| dir.sync_all()).map_err(failed)?;
    Ok(Folder { file, lock })
}

/// The connection that writes.
pub(super) fn writer(file: &Path) -> Result<Connection, StoreError> {
    connect(file, false).map_err(|error| classify(&error, &file.display().to_string()))
}

/// A connection that reads.
pub(super) fn reader(file: &Path) -> Result<Connection, StoreError> {
    connect(file, true).map_err(|error| classify(&error, &file.display().to_string()))
}

fn connect(file: &Path, reads_only: bool) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(file, flags)?;
    conn.busy_timeout(PATIENCE)?;
    // Else statements whose plan could depend on an argument are compiled again whenever that changes, unless
    // SQLite was compiled without STAT4.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    conn.set_prepared_statement_cache_capacity(PREPARED);
    // The answer is a row, as are those of some others below.
    conn.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0))?;
    conn.pragma_update(None, "synchronous", "FULL")?;
    conn.pragma_update(None, "foreign_keys", true)?;
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    conn.pragma_update(None, "trusted_schema", false)?;
    conn.pragma_update_and_check(None, "secure_delete", true, |row| row.get::<_, i64>(0))?;
    conn.pragma_update_and_check(None, "wal_autocheckpoint", LOG_PAGES, |row| row.get::<_, i64>(0))?;
    conn.pragma_update(None, "cache_size", if reads_only { -4_096 } else { -32_768 })?;
    conn.pragma_update(None, "query_only", reads_only)?;
    Ok(conn)
}

/// Brings the schema up to this version, all steps in one transaction.
pub(super) fn migrate(conn: &Connection, path: &str, now_ms: i64, faults: &Faults) -> Result<(), StoreError> {
    let known = i64::try_from(STEPS.len()).unwrap_or(i64::MAX);
    let found = version(conn).map_err(|error| classify(&error, path))?;
    if found > known {
        return Err(StoreError::NewerSchema { found, known });
    }
    if found == known {
        return Ok(());
    }
    let run = || {
        let transaction = conn.unchecked_transaction()?;
        transaction.execute_batch(
            "CREATE TABLE IF NOT EXISTS migration (version INTEGER PRIMARY KEY, applied_ms INTEGER NOT NULL) STRICT",
        )?;
        for (step, number) in STEPS.iter().zip(1_i64..).filter(|(_, number)| *number > found) {
            transaction.execute_batch(step)?;
            transaction.execute(
                "INSERT INTO migration (version, applied_ms) VALUES (?1, ?2)",
                params![number, now_ms],
            )?;
        }
        faults.hit("migrate.uncommitted");
        transaction.commit()
    };
    run().map_err(|error| classify(&error, path))
}

/// Empties the log; whether nobody was in the way.
pub(super) fn truncate(conn: &Connection) -> rusqlite::Result<bool> {
    conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| Ok(row.get::<_, i64>(0)? == 0))
}

/// Moves what the log holds into the database. What can be read from the log need not be on the disk: a sync may
/// have failed, in this process or before it began. Only what is written anew is synced for certain.
pub(super) fn settle_log(conn: &Connection, path: &str) -> Result<(), StoreError> {
    if truncate(conn).map_err(|error| classify(&error, path))? {
        return Ok(());
    }
    let cause = "the write-ahead log is being read and cannot be emptied".to_owned();
    Err(StoreError::Disk { path: path.to_owned(), cause })
}

fn version(conn: &Connection) -> rusqlite::Result<i64> {
    if !conn.table_exists(None, "migration")? {
        return Ok(0);
    }
    let newest: Option<i64> = conn.query_row("SELECT MAX(version) FROM migration", [], |row| row.get(0))?;
    Ok(newest.unwrap_or(0))
}
