//! What only SQLite can get wrong.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use dragoman_model::Clock;
use dragoman_testkit::ManualClock;
use rusqlite::{Connection, params};
use tempfile::TempDir;

use super::committer::{Committer, Request};
use super::{SqliteStore, open};
use crate::api::{Mutation, Store as _};
use crate::batch::Worker as _;
use crate::error::StoreError;
use crate::faults::Faults;
use crate::queries::{self, Query};
use crate::rows::{Lease, OrgRow};

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn fresh(folder: &Path) -> SqliteStore {
    SqliteStore::open(folder, &ManualClock::default()).unwrap()
}

fn org(id: &str, name: &str) -> Mutation {
    Mutation::PutOrg(OrgRow {
        id: id.into(),
        name: name.to_owned(),
        wrapped_keys: [(1, vec![1, 2])].into(),
        policy: [("relay_bots".to_owned(), "no".to_owned())].into(),
        created_ms: 1,
    })
}

#[test]
fn arguments_bind_by_number_whatever_order_the_text_names_them_in() {
    static SWAPPED: Query = Query::for_test("SELECT $2, $1");
    let conn = Connection::open_in_memory().unwrap();
    let mut statement = conn.prepare(SWAPPED.sqlite()).unwrap();
    let row = statement.query_row(params!["first", "second"], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
    });
    assert_eq!(row.unwrap(), ("second".to_owned(), "first".to_owned()));
}

#[test]
fn queries_keep_to_what_every_engine_knows() {
    for (name, query) in queries::ALL {
        for foreign in
            ["?", "->", "::", "json_", "IFNULL", "GLOB", "ILIKE", "rowid", "OR REPLACE", "unixepoch"]
        {
            assert!(!query.text().contains(foreign), "{name} says {foreign}");
        }
    }
}

/// Set-up is read at start and by operators; figures, recovery and removal of an organisation are rare.
const MAY_SCAN: &[&str] = &[
    "ORGS",
    "APPS",
    "INSTALLATIONS",
    "CONVERSATIONS",
    "BRIDGES",
    "BRIDGE_MEMBERS",
    "NAMED_SLOTS",
    "ALL_DELIVERIES",
    "RECEIPTS",
    "AUDIT",
    "DEAD_LETTERS",
    "SLOTS_OF_ORG",
];

#[test]
fn no_look_up_reads_a_whole_table() {
    let folder = folder();
    let store = fresh(folder.path());
    let conn = open::reader(store.path()).unwrap();
    for (name, query) in queries::ALL {
        if MAY_SCAN.contains(name) || name.starts_with("COUNT_") {
            continue;
        }
        let mut statement = conn.prepare(&format!("EXPLAIN QUERY PLAN {}", query.sqlite())).unwrap();
        let arguments = statement.parameter_count();
        let nulls = vec![rusqlite::types::Null; arguments];
        let plan = statement.query_map(rusqlite::params_from_iter(nulls), |row| row.get::<_, String>(3));
        for step in plan.unwrap() {
            let step = step.unwrap();
            let harmless = step.contains("SCAN CONSTANT ROW");
            assert!(harmless || !step.contains("SCAN"), "{name}: {step}");
            assert!(!step.contains("TEMP B-TREE"), "{name}: {step}");
        }
    }
}

#[test]
fn a_second_process_is_told_that_the_folder_is_taken() {
    let folder = folder();
    let first = fresh(folder.path());
    let second = SqliteStore::open(folder.path(), &ManualClock::default());
    assert!(matches!(second, Err(StoreError::Locked { .. })));
    drop(first);
    fresh(folder.path());
}

#[tokio::test]
async fn a_newer_schema_is_left_alone() {
    let folder = folder();
    let store = fresh(folder.path());
    store.commit(org("o", "Org")).await.unwrap();
    drop(store);
    let file = folder.path().join("dragoman.sqlite");
    let conn = Connection::open(&file).unwrap();
    conn.execute("INSERT INTO migration (version, applied_ms) VALUES (99, 0)", []).unwrap();
    drop(conn);
    let refused = SqliteStore::open(folder.path(), &ManualClock::default());
    assert!(matches!(refused, Err(StoreError::NewerSchema { found: 99, known: 7 })));
    let conn = Connection::open(&file).unwrap();
    conn.execute("DELETE FROM migration WHERE version = 99", []).unwrap();
    drop(conn);
    assert_eq!(fresh(folder.path()).orgs().await.unwrap().len(), 1);
}

#[tokio::test]
async fn only_the_owner_reads_the_files() {
    let folder = folder();
    let store = fresh(folder.path());
    store.commit(org("o", "Org")).await.unwrap();
    let mut seen = 0;
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", entry.path());
        seen += 1;
    }
    assert!(seen >= 4, "database, log, journal and lock, found {seen}");
}

#[tokio::test]
async fn writing_is_synchronous_and_deleting_overwrites() {
    let folder = folder();
    let store = fresh(folder.path());
    let conn = open::writer(store.path()).unwrap();
    let pragma =
        |name: &str| conn.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(pragma("synchronous"), 2);
    assert_eq!(pragma("secure_delete"), 1);
    assert_eq!(pragma("foreign_keys"), 1);
}

#[tokio::test]
async fn after_a_checkpoint_the_log_is_empty() {
    let folder = folder();
    let store = fresh(folder.path());
    store.commit(org("o", "Org")).await.unwrap();
    let log = folder.path().join("dragoman.sqlite-wal");
    assert!(std::fs::metadata(&log).unwrap().len() > 0);
    store.checkpoint().await.unwrap();
    assert_eq!(std::fs::metadata(&log).unwrap().len(), 0);
}

#[tokio::test]
async fn one_refused_write_leaves_its_neighbours_alone() {
    let folder = folder();
    let store = Arc::new(fresh(folder.path()));
    let writes = (0..50).map(|n| {
        let name = if n % 5 == 0 { "same".to_owned() } else { format!("org {n}") };
        let store = Arc::clone(&store);
        async move { store.commit(org(&format!("o{n}"), &name)).await.is_ok() }
    });
    let mut tasks = tokio::task::JoinSet::new();
    writes.for_each(|write| drop(tasks.spawn(write)));
    let done = tasks.join_all().await.into_iter().filter(|done| *done).count();
    assert_eq!(done, 41);
    assert_eq!(store.orgs().await.unwrap().len(), 41);
}

#[tokio::test]
async fn a_failed_sync_fails_the_batch_and_nothing_of_it_comes_back() {
    let folder = folder();
    let clock = ManualClock::default();
    let faults = Faults::fail_at("append.unsynced", 1);
    let store = SqliteStore::open_with_faults(folder.path(), &clock, faults.clone()).unwrap();
    drop(store);

    let locked = Arc::new(open::lock(folder.path()).unwrap());
    let reader = open::reader(&locked.file).unwrap();
    let conn = open::writer(&locked.file).unwrap();
    let mut committer = Committer::new(Arc::clone(&locked), conn, faults).unwrap();
    let empty = Lease { owner: "w".to_owned(), now_ms: clock.now_ms(), until_ms: 0 };
    let append = Mutation::Append { events: Vec::new(), lease: empty };
    let three = || {
        let appends = [append.clone(), append.clone()].map(Request::Commit);
        appends.into_iter().chain([Request::Commit(org("o", "Org"))]).collect()
    };
    let answers = committer.batch(three());
    for answer in &answers[..2] {
        assert!(matches!(answer, Err(StoreError::Disk { .. })), "{answer:?}");
    }
    assert!(answers[2].is_ok(), "what is on its way goes on");
    let orgs = || reader.query_row("SELECT COUNT(*) FROM org", [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(orgs(), 1);
    assert!(committer.batch(three()).iter().all(Result::is_ok));
}

#[tokio::test]
async fn a_full_disk_refuses_the_batch_and_then_goes_on() {
    let folder = folder();
    let store = fresh(folder.path());
    store.commit(org("o", "Org")).await.unwrap();
    drop(store);

    let locked = Arc::new(open::lock(folder.path()).unwrap());
    let conn = open::writer(&locked.file).unwrap();
    conn.query_row("PRAGMA max_page_count = 1", [], |row| row.get::<_, i64>(0)).unwrap();
    let reader = open::reader(&locked.file).unwrap();
    let mut committer = Committer::new(Arc::clone(&locked), conn, Faults::none()).unwrap();
    let long = "x".repeat(40_000);
    let both = vec![Request::Commit(org("p", "Small")), Request::Commit(org("q", &long))];
    for answer in committer.batch(both) {
        assert!(matches!(answer, Err(StoreError::Disk { .. })), "{answer:?}");
    }
    // The connection was given up with the failure, and its limit with it.
    assert!(committer.batch(vec![Request::Commit(org("q", &long))])[0].is_ok());
    drop(committer);
    drop(reader);
    drop(locked);
    let ids = fresh(folder.path()).orgs().await.unwrap().into_iter().map(|org| org.id.to_string());
    assert_eq!(ids.collect::<Vec<_>>(), ["o", "q"]);
}

#[tokio::test]
async fn a_map_from_before_files_is_taken_over() {
    let folder = folder();
    let conn = Connection::open(folder.path().join("dragoman.sqlite")).unwrap();
    conn.execute_batch(
        "CREATE TABLE migration (version INTEGER PRIMARY KEY, applied_ms INTEGER NOT NULL) STRICT",
    )
    .unwrap();
    conn.execute_batch(include_str!("schema.sql")).unwrap();
    conn.execute_batch(
        "INSERT INTO migration VALUES (1, 1);
         INSERT INTO original VALUES ('c1', 'm', 'b', NULL, 1, 1, 1, FALSE);
         INSERT INTO copy VALUES ('c1', 'm', 'c2', 0, 'x', NULL, 'app', 2, 3, NULL, NULL)",
    )
    .unwrap();
    drop(conn);
    let store = fresh(folder.path());
    let copies = store.copies((&"c1".into(), &"m".into()), &"c2".into()).await.unwrap();
    assert_eq!(copies.len(), 1);
    assert_eq!((copies[0].edits, copies[0].file.as_deref()), (2, None));
}
