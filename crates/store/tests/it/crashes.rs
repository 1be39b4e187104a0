//! What was answered survives whatever comes after.

use std::process::Command;

use dragoman_model::Random as _;
use dragoman_store::{Faults, ModelStore, Mutation, SqliteStore, Store, StoreError, faults};
use dragoman_testkit::{DiskFault, ManualClock, SeededRandom, SimDisk};

use crate::rows::*;

fn numbered(n: u64) -> Mutation {
    Mutation::PutOrg(org(&format!("o{n:04}")))
}

#[tokio::test]
async fn the_model_loses_nothing_that_was_answered_when_the_power_is_cut() {
    for seed in 0..200 {
        let random = SeededRandom::new(seed);
        let disk = SimDisk::new();
        let mut answered = 0;
        for _ in 0..5 {
            let store = ModelStore::open(&disk).unwrap();
            assert_eq!(store.orgs().await.unwrap().len() as u64, answered, "seed {seed}");
            for _ in 0..random.below(5) {
                store.commit(numbered(answered)).await.unwrap();
                answered += 1;
            }
            disk.crash(&random);
        }
    }
}

#[tokio::test]
async fn the_model_survives_a_failure_of_every_disk_operation() {
    for fault in [DiskFault::Io, DiskFault::NoSpace] {
        for nth in 1..60 {
            let random = SeededRandom::new(nth);
            let disk = SimDisk::new();
            disk.fail_nth(nth, fault);
            let mut answered = Vec::new();
            for n in 0..10 {
                // Opening may be what fails; the next attempt goes on.
                let Ok(store) = ModelStore::open(&disk) else { continue };
                for n in [2 * n, 2 * n + 1] {
                    match store.commit(numbered(n)).await {
                        Ok(_) => answered.push(format!("o{n:04}")),
                        Err(StoreError::Disk { .. }) => {}
                        Err(other) => panic!("{other}"),
                    }
                }
            }
            disk.crash(&random);
            let store = ModelStore::open(&disk).unwrap();
            let found: Vec<_> =
                store.orgs().await.unwrap().into_iter().map(|org| org.id.to_string()).collect();
            assert_eq!(found, answered, "{fault:?} at operation {nth}");
        }
    }
}

const FOLDER: &str = "DRAGOMAN_TEST_FOLDER";
const FAULT: &str = "DRAGOMAN_FAULT";

/// Runs in a process of its own and dies at a fault point. Notes in a file, synced, what was answered.
#[tokio::test]
#[ignore = "a part of the test below"]
async fn child() {
    let folder = std::path::PathBuf::from(std::env::var_os(FOLDER).unwrap());
    let faults = Faults::parse(&std::env::var(FAULT).unwrap()).unwrap();
    let store = SqliteStore::open_with_faults(&folder.join("data"), &ManualClock::default(), faults).unwrap();
    if store.orgs().await.unwrap().is_empty() {
        store.commit(Mutation::PutOrg(org("o1"))).await.unwrap();
        store.commit(Mutation::PutApp(app("a1", "o1"))).await.unwrap();
        store.commit(Mutation::PutInstallation(installation("i1", "o1", "a1"))).await.unwrap();
        for id in ["c1", "c2"] {
            store.commit(Mutation::PutConversation(conversation(id, "o1", "i1"))).await.unwrap();
        }
    }
    for n in 0..20 {
        let id = format!("e{n}");
        store.commit(append(vec![event(&id, "o1", "i1", "c1", &["c2"])])).await.unwrap();
        std::fs::write(folder.join(format!("appended-{id}")), "").unwrap();
        if n % 2 == 0 {
            store.commit(settle(settlement(&format!("{id}-c2"), "c2", 1))).await.unwrap();
            std::fs::write(folder.join(format!("settled-{id}")), "").unwrap();
        }
        store.checkpoint().await.unwrap();
    }
}

#[tokio::test]
async fn sqlite_loses_nothing_that_was_answered_wherever_the_process_dies() {
    let here = ["append", "settle.unsynced", "settle.synced", "flush", "checkpoint", "migrate"];
    let points = faults::POINTS.iter().filter(|point| here.iter().any(|start| point.starts_with(start)));
    for (point, nth) in points.flat_map(|point| [(point, 1), (point, 5)]) {
        if point.starts_with("migrate") && nth > 1 {
            continue;
        }
        let folder = tempfile::tempdir().unwrap();
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crashes::child", "--ignored", "--test-threads=1"])
            .env(FOLDER, folder.path())
            .env(FAULT, format!("{point}:{nth}"))
            .output()
            .unwrap()
            .status;
        assert!(!status.success(), "{point}:{nth} was not hit");

        let store = SqliteStore::open(&folder.path().join("data"), &ManualClock::default()).unwrap();
        let legs = store.legs(&lane("c2"), None, 100).await.unwrap();
        let waiting: Vec<_> = legs.iter().map(|leg| leg.event.id.to_string()).collect();
        for n in 0..20 {
            let id = format!("e{n}");
            let noted = |what: &str| folder.path().join(format!("{what}-{id}")).exists();
            if noted("settled") {
                assert!(!waiting.contains(&id), "{point}:{nth}: {id} was settled");
            } else if noted("appended") && n % 2 == 1 {
                assert!(waiting.contains(&id), "{point}:{nth}: {id} was appended");
            }
        }
        // What was on its way is there whole or not at all.
        let counts = store.counts().await.unwrap();
        assert_eq!((counts.events, counts.payloads), (counts.legs, counts.legs), "{point}:{nth}");
    }
}
