//! The one that writes: batches of mutations, a transaction each.

use std::sync::Arc;

use rusqlite::Connection;

use super::conn::{self, Fail, Result};
use super::open::{self, Folder};
use super::write;
use crate::api::{Mutation, Reply};
use crate::error::StoreError;
use crate::faults::Faults;

/// What the committer is asked to do.
#[expect(clippy::large_enum_variant, reason = "nearly all are the large one")]
pub(super) enum Request {
    Commit(Mutation),
    Checkpoint,
}

type Answer = std::result::Result<Reply, StoreError>;

pub(super) struct Committer {
    folder: Arc<Folder>,
    faults: Faults,
    /// `None` after a failed commit: what is in the log beyond the last sync is unknown, so that the connection
    /// is not used again.
    conn: Option<Connection>,
}

impl Committer {
    pub(super) fn new(folder: Arc<Folder>, conn: Connection, faults: Faults) -> Self {
        Self { folder, faults, conn: Some(conn) }
    }

    /// Answers every request: first the mutations in their order, then, all of them answered alike, the log.
    pub(super) fn batch(&mut self, requests: Vec<Request>) -> Vec<Answer> {
        let mut answers: Vec<Option<Answer>> = Vec::new();
        let mut mutations = Vec::new();
        for request in requests {
            match request {
                Request::Commit(mutation) => {
                    mutations.push(mutation);
                    answers.push(None);
                }
                Request::Checkpoint => answers.push(Some(Ok(Reply::Done))),
            }
        }
        let mut done = self.commit(&mutations).into_iter();
        if answers.iter().any(Option::is_some) {
            let truncated = self.checkpoint();
            for answer in answers.iter_mut().flatten() {
                *answer = truncated.clone().map(|()| Reply::Done);
            }
        }
        let closed = || Err(StoreError::Closed);
        answers.into_iter().map(|answer| answer.or_else(|| done.next()).unwrap_or_else(closed)).collect()
    }

    /// On a disk that is full, nothing new is taken up while what is on its way still goes on: settling frees rows.
    fn commit(&mut self, mutations: &[Mutation]) -> Vec<Answer> {
        if mutations.is_empty() {
            return Vec::new();
        }
        let together: Vec<_> = mutations.iter().collect();
        let error = match self.attempt(&together) {
            Ok(answers) => return answers,
            Err(error) => error,
        };
        let others: Vec<_> = together.iter().copied().filter(|mutation| !is_append(mutation)).collect();
        let retried = if others.is_empty() || others.len() == together.len() {
            Vec::new()
        } else {
            self.attempt(&others).unwrap_or_default()
        };
        let mut retried = retried.into_iter();
        let answers = together.into_iter().map(|mutation| {
            let answer = if is_append(mutation) { None } else { retried.next() };
            answer.unwrap_or_else(|| Err(error.clone()))
        });
        answers.collect()
    }

    /// One transaction; the outer error is that of the disk, and nothing is durable.
    fn attempt(&mut self, mutations: &[&Mutation]) -> std::result::Result<Vec<Answer>, StoreError> {
        self.heal()?;
        let conn = self.conn.as_ref().ok_or(StoreError::Closed)?;
        match transaction(conn, mutations, &self.faults) {
            Ok(answers) => {
                hit(&self.faults, mutations, "append.synced", "settle.synced");
                let path = self.folder.shown();
                Ok(answers.into_iter().map(|answer| answer.map_err(|fail| fail.into_error(&path))).collect())
            }
            Err(error) => {
                let error = conn::classify(&error, &self.folder.shown());
                tracing::error!(%error, "a batch of writes failed and is taken back");
                // Readers stay connected, so that SQLite keeps what it knows of the last good commit and does not
                // take up the failed one from the log.
                self.conn = None;
                // At once, so that it does not come back when the process ends first; else with the next batch.
                let _ = self.heal();
                Err(error)
            }
        }
    }

    /// After a failure: a new connection, once everything up to the last good commit is in the database and
    /// the log, of which nobody knows what is durable, is empty.
    fn heal(&mut self) -> std::result::Result<(), StoreError> {
        if self.conn.is_some() {
            return Ok(());
        }
        let conn = open::writer(&self.folder.file)?;
        open::settle_log(&conn, &self.folder.shown())?;
        self.conn = Some(conn);
        Ok(())
    }

    fn checkpoint(&mut self) -> std::result::Result<(), StoreError> {
        self.faults.hit("checkpoint.before");
        self.heal()?;
        let Some(conn) = &self.conn else { return Err(StoreError::Closed) };
        match open::truncate(conn) {
            Ok(true) => Ok(()),
            Ok(false) => {
                tracing::debug!("the write-ahead log was being read and is truncated next time");
                Ok(())
            }
            Err(error) => {
                self.conn = None;
                Err(conn::classify(&error, &self.folder.shown()))
            }
        }
    }
}

/// The outer error is the disk's, and nothing of the batch is durable.
fn transaction(
    conn: &Connection,
    mutations: &[&Mutation],
    faults: &Faults,
) -> rusqlite::Result<Vec<Result<Reply>>> {
    hit(faults, mutations, "append.before", "settle.before");
    conn.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    let committed = answers(conn, mutations).and_then(|answers| {
        hit(faults, mutations, "append.unsynced", "settle.unsynced");
        if fails(faults, mutations) {
            return Err(injected());
        }
        conn.prepare_cached("COMMIT")?.execute([])?;
        Ok(answers)
    });
    if committed.is_err() && !conn.is_autocommit() {
        // The connection is given up anyway.
        let _ = conn.execute_batch("ROLLBACK");
    }
    committed
}

/// Nearly always all mutations succeed. Savepoints cost more than that saves: only a batch in which one fails is
/// begun anew with them.
fn answers(conn: &Connection, mutations: &[&Mutation]) -> rusqlite::Result<Vec<Result<Reply>>> {
    let mut done = Vec::with_capacity(mutations.len());
    for mutation in mutations {
        match write::apply(conn, mutation) {
            Ok(reply) => done.push(Ok(reply)),
            Err(fail) => {
                of_the_disk(fail)?;
                conn.prepare_cached("ROLLBACK")?.execute([])?;
                conn.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
                return mutations.iter().map(|mutation| step(conn, mutation)).collect();
            }
        }
    }
    Ok(done)
}

/// The outer error, if it is the disk's; else the failure is of one mutation only.
fn of_the_disk(fail: Fail) -> rusqlite::Result<Fail> {
    match fail {
        Fail::Sql(error) if matches!(conn::classify(&error, ""), StoreError::Disk { .. }) => Err(error),
        fail => Ok(fail),
    }
}

/// One mutation, taken back if it fails.
fn step(conn: &Connection, mutation: &Mutation) -> rusqlite::Result<Result<Reply>> {
    conn.prepare_cached("SAVEPOINT mutation")?.execute([])?;
    let answer = match write::apply(conn, mutation) {
        Err(fail) => Err(of_the_disk(fail)?),
        answer => answer,
    };
    if answer.is_err() {
        conn.prepare_cached("ROLLBACK TO mutation")?.execute([])?;
    }
    conn.prepare_cached("RELEASE mutation")?.execute([])?;
    Ok(answer)
}

fn is_append(mutation: &Mutation) -> bool {
    matches!(mutation, Mutation::Append { .. })
}

fn appends(mutations: &[&Mutation]) -> bool {
    mutations.iter().any(|mutation| is_append(mutation))
}

fn settles(mutations: &[&Mutation]) -> bool {
    mutations.iter().any(|mutation| matches!(mutation, Mutation::Settle(_)))
}

fn hit(faults: &Faults, mutations: &[&Mutation], append: &str, settle: &str) {
    if appends(mutations) {
        faults.hit(append);
    }
    if settles(mutations) {
        faults.hit(settle);
    }
}

fn fails(faults: &Faults, mutations: &[&Mutation]) -> bool {
    (appends(mutations) && faults.fails("append.unsynced"))
        || (settles(mutations) && faults.fails("settle.unsynced"))
}

fn injected() -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_IOERR_FSYNC), None)
}
