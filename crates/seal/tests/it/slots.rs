use std::collections::BTreeSet;
use std::sync::Arc;

use dragoman_model::SlotId;
use dragoman_model::disk::Disk;
use dragoman_seal::{SLOT_LEN, SlotError, SlotLimits, SlotStore, StdDisk};

use crate::support::{CrashDisk, Seeded, error, secret};

const SMALL: SlotLimits = SlotLimits { segment: 4, limit: 10 };

fn open(disk: &dyn Disk, seed: u64) -> SlotStore {
    SlotStore::open(disk, "slots/secrets", SMALL, Seeded::new(seed)).expect("opened")
}

fn byte(store: &SlotStore, slot: SlotId) -> Option<u8> {
    store.read(slot).expect("read").map(|secret| secret.expose()[0])
}

fn write(store: &SlotStore, bytes: &[u8]) -> Vec<SlotId> {
    let secrets: Vec<_> = bytes.iter().map(|byte| (store.reserve().expect("room"), secret(*byte))).collect();
    let batch: Vec<_> = secrets.iter().map(|(slot, secret)| (*slot, secret)).collect();
    store.write_batch(&batch).expect("written");
    secrets.into_iter().map(|(slot, _)| slot).collect()
}

#[test]
fn secrets_last_from_writing_to_erasing() {
    let disk = CrashDisk::new();
    let store = open(disk.as_ref(), 1);
    let slots = write(&store, &[1, 2, 3]);
    disk.crash();
    let store = open(disk.as_ref(), 2);
    assert_eq!(slots.iter().map(|slot| byte(&store, *slot)).collect::<Vec<_>>(), [Some(1), Some(2), Some(3)]);
    assert_eq!(store.in_use(), 3);
    store.erase_batch(&slots[1..]).expect("erased");
    disk.crash();
    let store = open(disk.as_ref(), 3);
    assert_eq!(slots.iter().map(|slot| byte(&store, *slot)).collect::<Vec<_>>(), [Some(1), None, None]);
    let residue = disk.residue();
    assert!(!residue.contains(&2) || !residue.windows(8).any(|bytes| bytes == [2; 8] || bytes == [3; 8]));
}

#[test]
fn a_batch_is_one_write_and_one_sync() {
    let disk = CrashDisk::new();
    let store = open(disk.as_ref(), 1);
    store.release([store.reserve().expect("room")]);
    let before = disk.effort();
    let slots = write(&store, &[1, 2, 3, 4]);
    assert_eq!(disk.effort(), (before.0 + 1, before.1 + 1));
    store.erase_batch(&slots).expect("erased");
    assert_eq!(disk.effort(), (before.0 + 2, before.1 + 2));
    store.erase_batch(&slots).expect("nothing left to erase");
    store.write_batch(&[]).expect("nothing to write");
    assert_eq!(disk.effort(), (before.0 + 2, before.1 + 2));
}

#[test]
fn an_old_id_neither_reads_nor_erases_its_successor() {
    let disk = CrashDisk::new();
    let store = open(disk.as_ref(), 1);
    let old = write(&store, &[1])[0];
    store.erase_batch(&[old]).expect("erased");
    let new = write(&store, &[2])[0];
    assert_ne!(old, new, "the same slot under another id");
    assert_eq!((byte(&store, old), byte(&store, new)), (None, Some(2)));
    store.erase_batch(&[old]).expect("passed over");
    store.release([old]);
    assert_eq!(byte(&store, new), Some(2));
    let refused = error(store.write_batch(&[(old, &secret(3))]));
    assert!(matches!(refused, SlotError::NotReserved { .. }));
    assert_eq!(byte(&store, new), Some(2));
    assert!(i64::try_from(new.0).is_ok(), "ids fit a signed column");
}

#[test]
fn recovery_erases_what_no_row_names() {
    let disk = CrashDisk::new();
    let store = open(disk.as_ref(), 1);
    let slots = write(&store, &[1, 2, 3]);
    let store = open(disk.as_ref(), 2);
    assert_eq!(store.in_use(), 3, "nothing is given away before the rows were asked");
    let reserved = store.reserve().expect("room");
    store.write_batch(&[(reserved, &secret(4))]).expect("written");
    let named = BTreeSet::from([slots[1], SlotId(12_345)]);
    assert_eq!(store.erase_unnamed(&named).expect("erased"), 2);
    assert_eq!(slots.iter().map(|slot| byte(&store, *slot)).collect::<Vec<_>>(), [None, Some(2), None]);
    assert_eq!(byte(&store, reserved), Some(4), "what is new since opening is not judged");
    assert_eq!(store.erase_unnamed(&BTreeSet::new()).expect("done already"), 0);
    assert_eq!(store.in_use(), 2);
    assert!(!disk.residue().windows(8).any(|bytes| bytes == [1; 8] || bytes == [3; 8]));
}

#[test]
fn torn_slots_read_as_erased_and_are_cleared() {
    for torn_len in 1..SLOT_LEN {
        let disk = CrashDisk::new();
        let store = open(disk.as_ref(), 1);
        let slot = write(&store, &[7])[0];
        let file = disk.open("slots/secrets").expect("opened");
        let mut raw = [0; SLOT_LEN];
        file.read_at(&mut raw, 0).expect("read");
        for half in
            [[&raw[..torn_len], &[0; SLOT_LEN][torn_len..]], [&[0; SLOT_LEN][..torn_len], &raw[torn_len..]]]
        {
            file.write_at(&half.concat(), 0).expect("written");
            file.sync().expect("synced");
            let store = open(disk.as_ref(), 2);
            assert_eq!(byte(&store, slot), None, "torn at {torn_len}");
            assert_eq!(store.erase_unnamed(&BTreeSet::from([slot])).expect("erased"), 1);
            assert_eq!(store.in_use(), 0);
        }
        file.read_at(&mut raw, 0).expect("read");
        assert_eq!(raw, [0; SLOT_LEN]);
    }
}

#[test]
fn the_file_grows_by_segments_up_to_its_limit() {
    let disk = CrashDisk::new();
    let store = open(disk.as_ref(), 1);
    let slots: Vec<_> = (0..10).map(|_| store.reserve().expect("room")).collect();
    assert_eq!(slots.iter().collect::<BTreeSet<_>>().len(), 10);
    assert!(matches!(error(store.reserve()), SlotError::Full { limit: 10 }));
    store.release([slots[3]]);
    store.reserve().expect("room again");
    assert_eq!(disk.open("slots/secrets").and_then(|file| file.len()).expect("asked"), 10 * SLOT_LEN as u64);
}

#[test]
fn growth_cut_short_by_a_crash_is_made_up_for() {
    let disk = CrashDisk::new();
    let file = disk.open("slots/secrets").expect("opened");
    file.write_at(&[0; SLOT_LEN + 10], 0).expect("written");
    file.sync().expect("synced");
    disk.sync_dir("slots").expect("synced");
    let store = open(disk.as_ref(), 1);
    let slots = write(&store, &[1, 2, 3]);
    let store = open(disk.as_ref(), 2);
    assert_eq!(slots.iter().map(|slot| byte(&store, *slot)).collect::<Vec<_>>(), [Some(1), Some(2), Some(3)]);
}

#[test]
fn a_full_disk_stops_growth_and_nothing_else() {
    let disk = CrashDisk::new();
    let store = open(disk.as_ref(), 1);
    let slots = write(&store, &[1, 2, 3, 4]);
    disk.fail_write(true);
    assert!(matches!(error(store.reserve()), SlotError::Disk { .. }));
    disk.fail_write(false);
    store.erase_batch(&slots).expect("erasing needs no room");
    store.reserve().expect("room");
}

#[test]
fn after_a_failed_sync_nothing_is_written_until_opened_anew() {
    let disk = CrashDisk::new();
    let store = open(disk.as_ref(), 1);
    let kept = write(&store, &[1])[0];
    let slot = store.reserve().expect("room");
    disk.fail_sync(true);
    assert!(matches!(error(store.write_batch(&[(slot, &secret(2))])), SlotError::Disk { .. }));
    disk.fail_sync(false);
    assert!(matches!(error(store.write_batch(&[(slot, &secret(2))])), SlotError::Failed { .. }));
    assert!(matches!(error(store.erase_batch(&[kept])), SlotError::Failed { .. }));
    assert!(matches!(error(store.reserve()), SlotError::Failed { .. }));
    disk.crash();
    let store = open(disk.as_ref(), 2);
    assert_eq!((byte(&store, kept), byte(&store, slot)), (Some(1), None));
}

#[test]
fn threads_share_the_store_on_a_real_disk() {
    let folder = tempfile::tempdir().expect("a folder");
    let disk = StdDisk::open(folder.path()).expect("opened");
    let store = SlotStore::open(&disk, "secrets", SlotLimits { segment: 8, limit: 64 }, Seeded::new(1));
    let store = Arc::new(store.expect("opened"));
    let threads: Vec<_> = (1..=4_u8)
        .map(|thread| {
            let store = Arc::clone(&store);
            std::thread::spawn(move || {
                for round in 0..8_u8 {
                    let slots = write(&store, &[thread, thread + 10, round + 100]);
                    assert_eq!(byte(&store, slots[0]), Some(thread));
                    assert_eq!(byte(&store, slots[2]), Some(round + 100));
                    store.erase_batch(&slots).expect("erased");
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("the thread ends well");
    }
    assert_eq!(store.in_use(), 0);
    let left = std::fs::read(folder.path().join("secrets")).expect("read");
    assert!(!left.is_empty() && left.iter().all(|byte| *byte == 0));
}
