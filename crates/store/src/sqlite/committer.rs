//! The one that writes: to the journal what a message needs, and to the tables, later or at once, everything.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use dragoman_seal::StdDisk;
use rusqlite::Connection;

use super::conn::{self, Fail, Result};
use super::hot::{self, Hot, Taken};
use super::open::{self, Folder};
use super::overlay::Overlay;
use super::seen::Seen;
use super::{flush, write};
use crate::api::{Mutation, Reply};
use crate::batch::Worker;
use crate::error::StoreError;
use crate::faults::Faults;
use crate::journal::{Found, Journal};

/// What the committer is asked to do.
#[expect(clippy::large_enum_variant, reason = "nearly all are the large one")]
pub(super) enum Request {
    Commit(Mutation),
    /// Bring the tables up to date.
    Flush,
    Checkpoint,
}

type Answer = std::result::Result<Reply, StoreError>;

/// Writes that the tables may lack: how many, and how many bytes of journal, before they are brought up to date.
const LACKING: usize = 2_048;
const JOURNAL_BYTES: u64 = 3 << 20;
/// By how much the journal grows.
const JOURNAL_STEP: u64 = 4 << 20;

pub(super) struct Committer {
    folder: Arc<Folder>,
    faults: Faults,
    /// `None` after a failed commit: what is in the log beyond the last sync is unknown, so that the connection
    /// is not used again.
    conn: Option<Connection>,
    journal: Journal,
    hot: Hot,
    lacking: Arc<Lacking>,
}

/// What the tables lack, for readers.
#[derive(Default)]
pub(super) struct Lacking {
    /// Anything at all.
    pub(super) any: AtomicBool,
    /// Of the message map.
    pub(super) map: RwLock<Overlay>,
}

impl Committer {
    pub(super) fn new(
        folder: Arc<Folder>,
        conn: Connection,
        faults: Faults,
    ) -> std::result::Result<Self, StoreError> {
        let shown = folder.shown();
        let applied = flush::applied(&conn).map_err(|fail| fail.into_error(&shown))?;
        let next_seq = flush::next_seq(&conn).map_err(|fail| fail.into_error(&shown))?;
        let (journal, found) = StdDisk::open(folder.path())
            .and_then(|disk| Journal::open(&disk, open::JOURNAL, applied, JOURNAL_STEP))
            .map_err(|error| journal_failed(&folder, &error))?;
        let seen = Seen::read(&conn).map_err(|fail| fail.into_error(&shown))?;
        let hot = Hot::starting_at(next_seq, seen);
        let mut new = Self { folder, faults, conn: Some(conn), journal, hot, lacking: Arc::default() };
        new.recover(found)?;
        Ok(new)
    }

    pub(super) fn lacking(&self) -> Arc<Lacking> {
        Arc::clone(&self.lacking)
    }

    /// Does again what the journal holds beyond the tables, as it was done then.
    fn recover(&mut self, found: Found) -> std::result::Result<(), StoreError> {
        if found.gap {
            return Err(StoreError::Damaged {
                table: "journal",
                key: self.folder.shown_journal(),
                what: "it is newer than the database; restore both from one backup, or move it away and lose what it holds",
            });
        }
        if found.foreign {
            return Err(StoreError::Damaged {
                table: "journal",
                key: self.folder.shown_journal(),
                what: "another version of dragoman wrote it and did not end properly; start that version once more and stop it, then this one",
            });
        }
        if !found.mutations.is_empty() {
            tracing::info!(
                writes = found.mutations.len(),
                "the journal holds writes that the database lacks"
            );
        }
        for (number, mutation) in found.mutations {
            match self.take(mutation) {
                Ok(Err(error @ (StoreError::Disk { .. } | StoreError::Damaged { .. }))) => return Err(error),
                // What was refused then is refused now.
                Ok(_) => {}
                Err(mutation) => drop(self.tables(&[&mutation], number)?),
            }
        }
        self.tables(&[], self.journal.last())?;
        self.journal.prepare().map_err(|error| journal_failed(&self.folder, &error))
    }

    /// Answers every request. What the journal takes comes first, then what is done in the tables, then the log.
    fn answer(&mut self, requests: Vec<Request>) -> Vec<Answer> {
        let mut answers: Vec<Option<Answer>> = requests.iter().map(|_| None).collect();
        let fast = |request: &Request| matches!(request, Request::Commit(it) if hot::takes(it));
        let noted = requests.iter().any(fast).then(|| self.note(&requests));
        let checkpoint = requests.iter().any(|request| matches!(request, Request::Checkpoint));
        let asked = checkpoint || requests.iter().any(|request| matches!(request, Request::Flush));
        let mut slow = Vec::new();
        for ((at, request), answer) in requests.into_iter().enumerate().zip(&mut answers) {
            let Request::Commit(mutation) = request else { continue };
            let untaken = match &noted {
                Some(Ok(())) if hot::takes(&mutation) => match self.take(mutation) {
                    Ok(taken) => {
                        *answer = Some(taken);
                        continue;
                    }
                    Err(mutation) => mutation,
                },
                _ => mutation,
            };
            match &noted {
                // On a disk that is full, nothing new is taken up while what is on its way still goes on: settling
                // frees rows.
                Some(Err(error)) if is_append(&untaken) => *answer = Some(Err(error.clone())),
                _ => slow.push((at, untaken)),
            }
        }
        let mutations: Vec<_> = slow.iter().map(|(_, mutation)| mutation).collect();
        let mut done = Ok(());
        // After a failure the tables learn that frames which may still come back are not to count.
        let failed = matches!(noted, Some(Err(_)));
        if !mutations.is_empty() || failed || asked && self.hot.writes() > 0 {
            match self.tables(&mutations, self.journal.last()) {
                Ok(replies) => {
                    for ((at, _), reply) in slow.iter().zip(replies) {
                        answers[*at] = Some(reply);
                    }
                }
                Err(error) => done = Err(error),
            }
        }
        if done.is_ok() && checkpoint {
            done = self.checkpoint();
        }
        answers
            .into_iter()
            .map(|answer| answer.unwrap_or_else(|| done.clone().map(|()| Reply::Done)))
            .collect()
    }

    /// Makes durable what the journal takes.
    fn note(&mut self, requests: &[Request]) -> std::result::Result<(), StoreError> {
        let mutations: Vec<&Mutation> = requests
            .iter()
            .filter_map(|request| match request {
                Request::Commit(mutation) if hot::takes(mutation) => Some(mutation),
                _ => None,
            })
            .collect();
        self.heal()?;
        hit(&self.faults, &mutations, "append.before", "settle.before");
        let faults = &self.faults;
        let noted = self.journal.append(mutations.iter().copied(), || {
            hit(faults, &mutations, "append.unsynced", "settle.unsynced");
            if fails(faults, &mutations) { Err(std::io::Error::other("injected")) } else { Ok(()) }
        });
        if let Err(error) = noted {
            tracing::error!(%error, "the journal cannot be written, and what it was to take is taken back");
            return Err(journal_failed(&self.folder, &error));
        }
        hit(&self.faults, &mutations, "append.synced", "settle.synced");
        Ok(())
    }

    /// Answers a mutation that is durable, or gives it back: the tables have to be asked.
    #[expect(clippy::result_large_err, reason = "given back on the slow way only")]
    fn take(&mut self, mutation: Mutation) -> std::result::Result<Answer, Mutation> {
        let Some(conn) = &self.conn else {
            return if is_append(&mutation) { Ok(Err(StoreError::Closed)) } else { Err(mutation) };
        };
        let reply = match mutation {
            Mutation::Append { events, lease } => self.hot.append(conn, events, &lease).map(Reply::Appended),
            Mutation::Settle(settlement) => {
                let mut map = self.lacking.map.write().unwrap_or_else(PoisonError::into_inner);
                match self.hot.settle(conn, settlement, &mut map) {
                    Ok(Taken::Yes(settled)) => Ok(Reply::Settled(settled)),
                    Ok(Taken::No(settlement)) => return Err(Mutation::Settle(settlement)),
                    Err(fail) => Err(fail),
                }
            }
            other => return Err(other),
        };
        self.lacking.any.store(true, Ordering::Release);
        Ok(reply.map_err(|fail| fail.into_error(&self.folder.shown())))
    }

    /// Brings the tables up to date with the journal up to a frame and does mutations there, in one transaction. The
    /// outer error is the disk's, and the tables are as they were.
    fn tables(&mut self, mutations: &[&Mutation], upto: u64) -> std::result::Result<Vec<Answer>, StoreError> {
        self.heal()?;
        let conn = self.conn.as_ref().ok_or(StoreError::Closed)?;
        let behind = Behind { hot: &self.hot, upto };
        match transaction(conn, &behind, mutations, &self.faults) {
            Ok(replies) => {
                if self.hot.writes() > 0 {
                    self.faults.hit("flush.committed");
                }
                if upto == self.journal.last() {
                    self.journal.rewind();
                }
                self.hot.flushed();
                *self.lacking.map.write().unwrap_or_else(PoisonError::into_inner) = Overlay::default();
                self.lacking.any.store(false, Ordering::Release);
                hit(&self.faults, mutations, "append.synced", "settle.synced");
                for (mutation, reply) in mutations.iter().zip(&replies) {
                    if let Ok(reply) = reply {
                        self.hot.done_in_tables(mutation, reply);
                    }
                }
                let path = self.folder.shown();
                Ok(replies.into_iter().map(|answer| answer.map_err(|fail| fail.into_error(&path))).collect())
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
            Ok(true) => {}
            Ok(false) => tracing::debug!("the write-ahead log was being read and is truncated next time"),
            Err(error) => {
                self.conn = None;
                return Err(conn::classify(&error, &self.folder.shown()));
            }
        }
        self.journal.wipe().map_err(|error| journal_failed(&self.folder, &error))
    }
}

impl Worker<Request, Answer> for Committer {
    fn batch(&mut self, requests: Vec<Request>) -> Vec<Answer> {
        self.answer(requests)
    }

    /// What waits for the tables is not to hold up what the journal takes.
    fn rank(&self, request: &Request) -> u8 {
        match request {
            Request::Commit(mutation) if hot::takes(mutation) => 0,
            Request::Commit(_) | Request::Flush => 1,
            Request::Checkpoint => 2,
        }
    }

    fn tidy(&mut self, resting: bool) {
        let due = self.hot.writes() >= LACKING || self.journal.len() >= JOURNAL_BYTES;
        if due || resting && self.hot.writes() > 0 {
            // Reported there; tried again with the next batch.
            let _ = self.tables(&[], self.journal.last());
        }
    }
}

fn journal_failed(folder: &Folder, error: &std::io::Error) -> StoreError {
    StoreError::Disk { path: folder.shown_journal(), cause: error.to_string() }
}

/// What the tables are behind with.
struct Behind<'a> {
    hot: &'a Hot,
    /// The journal's last frame.
    upto: u64,
}

impl Behind<'_> {
    fn catch_up(&self, conn: &Connection, sparing: bool) -> Result<()> {
        flush::write(conn, self.hot, self.upto, sparing)
    }
}

/// The outer error is the disk's, and nothing of the batch is durable.
fn transaction(
    conn: &Connection,
    behind: &Behind<'_>,
    mutations: &[&Mutation],
    faults: &Faults,
) -> rusqlite::Result<Vec<Result<Reply>>> {
    hit(faults, mutations, "append.before", "settle.before");
    conn.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    let committed = answers(conn, behind, mutations).and_then(|answers| {
        if behind.hot.writes() > 0 {
            faults.hit("flush.uncommitted");
        }
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
fn answers(
    conn: &Connection,
    behind: &Behind<'_>,
    mutations: &[&Mutation],
) -> rusqlite::Result<Vec<Result<Reply>>> {
    let mut done = Vec::with_capacity(mutations.len());
    if let Err(fail) = behind.catch_up(conn, false) {
        fail.unless_of_the_disk()?;
        return anew(conn, behind, mutations);
    }
    for mutation in mutations {
        match write::apply(conn, mutation) {
            Ok(reply) => done.push(Ok(reply)),
            Err(fail) => {
                fail.unless_of_the_disk()?;
                return anew(conn, behind, mutations);
            }
        }
    }
    Ok(done)
}

fn anew(
    conn: &Connection,
    behind: &Behind<'_>,
    mutations: &[&Mutation],
) -> rusqlite::Result<Vec<Result<Reply>>> {
    conn.prepare_cached("ROLLBACK")?.execute([])?;
    conn.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    if let Err(fail) = behind.catch_up(conn, true) {
        return Err(match fail {
            Fail::Sql(error) => error,
            Fail::Refused(error) => rusqlite::Error::ToSqlConversionFailure(Box::new(error)),
        });
    }
    mutations.iter().map(|mutation| step(conn, mutation)).collect()
}

/// One mutation, taken back if it fails.
fn step(conn: &Connection, mutation: &Mutation) -> rusqlite::Result<Result<Reply>> {
    conn.prepare_cached("SAVEPOINT mutation")?.execute([])?;
    let answer = match write::apply(conn, mutation) {
        Err(fail) => Err(fail.unless_of_the_disk()?),
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
