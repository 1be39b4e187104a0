use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_trait::async_trait;
use dragoman_model::OrgId;
use dragoman_model::disk::Disk;
use dragoman_seal::{
    Content, EpochPolicy, EventHeader, FieldRef, Key32, KeyService, KeyServiceError, Keyring, KeyringError,
    LocalKeys, OpenError, SealedRecord, SlotSecret, Tampered,
};

use crate::support::{CrashDisk, MINUTE, Seeded, TestClock, error, fresh, header};

const START: i64 = 1_700_000_000_000;

/// Local keys that count their answers and can be out of reach.
struct Service {
    keys: LocalKeys,
    away: AtomicBool,
    unwrapped: AtomicU64,
}

impl Service {
    fn new() -> Arc<Self> {
        Arc::new(Self { keys: LocalKeys::ephemeral(Seeded::new(7)), away: false.into(), unwrapped: 0.into() })
    }

    fn answer(&self) -> Result<(), KeyServiceError> {
        if self.away.load(Ordering::Relaxed) {
            return Err(KeyServiceError::Unavailable { service: "test", reason: "out of reach".to_owned() });
        }
        Ok(())
    }
}

#[async_trait]
impl KeyService for Service {
    fn name(&self) -> &'static str {
        "test"
    }

    async fn wrap(&self, org: &OrgId, key: &Key32) -> Result<Vec<u8>, KeyServiceError> {
        self.answer()?;
        self.keys.wrap(org, key).await
    }

    async fn unwrap(&self, org: &OrgId, wrapped: &[u8]) -> Result<Key32, KeyServiceError> {
        self.answer()?;
        self.unwrapped.fetch_add(1, Ordering::Relaxed);
        self.keys.unwrap(org, wrapped).await
    }

    fn is_current(&self, wrapped: &[u8]) -> bool {
        self.keys.is_current(wrapped)
    }
}

/// A machine: what survives a restart, and the keyring that runs on it.
struct Machine {
    service: Arc<Service>,
    disk: Arc<CrashDisk>,
    clock: Arc<TestClock>,
    /// What the store holds.
    wrapped: Vec<(OrgId, u32, Vec<u8>)>,
    keyring: Keyring,
    restarts: u64,
}

fn open(service: &Arc<Service>, disk: &Arc<CrashDisk>, clock: &Arc<TestClock>, seed: u64) -> Keyring {
    let keyring = Keyring::open(
        service.clone(),
        disk.clone(),
        "epochs",
        clock.clone(),
        Seeded::new(seed),
        EpochPolicy::minutes(60).expect("an hour"),
    );
    keyring.expect("the key folder can be read")
}

impl Machine {
    async fn new(orgs: &[&str]) -> Self {
        let (service, disk, clock) = (Service::new(), CrashDisk::new(), TestClock::at(START));
        let keyring = open(&service, &disk, &clock, 1);
        let mut machine = Self { service, disk, clock, wrapped: Vec::new(), keyring, restarts: 1 };
        for org in orgs {
            let org = OrgId::new(*org);
            let (version, wrapped) = machine.keyring.create_org(&org).await.expect("made");
            machine.wrapped.push((org, version, wrapped));
        }
        machine.tick().await;
        machine
    }

    async fn tick(&self) {
        let report = self.keyring.tick().await;
        assert!(report.failed.is_empty() && report.not_destroyed.is_none(), "{report:?}");
    }

    /// Power cut and start.
    fn restart(&mut self) {
        self.disk.crash();
        self.restarts += 1;
        self.keyring = open(&self.service, &self.disk, &self.clock, self.restarts);
        for (org, version, wrapped) in &self.wrapped {
            self.keyring.register(org, *version, wrapped.clone());
        }
    }

    /// Time as it goes, with a tick every half minute.
    async fn pass(&self, ms: i64) {
        let mut left = ms;
        while left > 0 {
            let step = left.min(MINUTE / 2);
            self.clock.pass(step);
            self.tick().await;
            left -= step;
        }
    }

    fn seal(&self, header: &EventHeader) -> (SealedRecord, SlotSecret) {
        self.keyring.seal_event(header, &Content::copied_from(b"hello"), fresh()).expect("sealed")
    }

    fn open(
        &self,
        header: &EventHeader,
        record: &SealedRecord,
        secret: &SlotSecret,
    ) -> Result<(), OpenError> {
        let plain = self.keyring.open_event(header, record, Some(secret))?;
        assert_eq!(plain.expose(), b"hello");
        Ok(())
    }

    fn files(&self) -> usize {
        self.disk.list("epochs").expect("listed").len()
    }
}

#[tokio::test]
async fn events_open_across_restarts_until_their_epoch_is_over() {
    let mut machine = Machine::new(&["acme"]).await;
    machine.pass(30 * MINUTE).await;
    let header = header("acme", "e1");
    let (record, secret) = machine.seal(&header);
    machine.restart();
    assert_eq!(
        machine.open(&header, &record, &secret),
        Err(OpenError::EpochLocked),
        "nothing is unlocked before a tick"
    );
    machine.tick().await;
    assert_eq!(machine.open(&header, &record, &secret), Ok(()));
    // The epoch ends at 60 minutes and its key stays 15 more.
    machine.pass(44 * MINUTE + 30_000).await;
    assert_eq!(machine.open(&header, &record, &secret), Ok(()));
    machine.pass(30_000).await;
    assert_eq!(machine.open(&header, &record, &secret), Err(OpenError::EpochGone));
    machine.restart();
    machine.tick().await;
    assert_eq!(machine.open(&header, &record, &secret), Err(OpenError::EpochGone));
}

#[tokio::test]
async fn sealing_never_waits_and_no_arrival_outlives_75_minutes() {
    let machine = Machine::new(&["acme", "globex"]).await;
    let mut sealed = Vec::new();
    for minute in 0..240 {
        for org in ["acme", "globex"] {
            let header = header(org, &format!("e{minute}"));
            let (record, secret) = machine.seal(&header);
            sealed.push((minute, header, record, secret));
        }
        for (then, header, record, secret) in &sealed {
            let opens = machine.open(header, record, secret);
            let age = minute - then;
            assert!(opens == Ok(()) || opens == Err(OpenError::EpochGone));
            assert!(age > 15 || opens.is_ok(), "what may still rest must open: {age}");
            assert!(age < 75 || opens.is_err(), "after the horizon nothing opens: {age}");
        }
        // Current, next and draining.
        assert!(machine.files() <= 2 * 3);
        machine.pass(MINUTE).await;
    }
}

/// A thief copies key folder, records and slots every ten minutes and gets every other key later.
#[tokio::test]
async fn a_later_copy_of_everything_opens_nothing_older_than_75_minutes() {
    let machine = Machine::new(&["acme"]).await;
    let mut taken = Vec::new();
    for minute in 0..300_i64 {
        let header = header("acme", &format!("e{minute}"));
        let (record, secret) = machine.seal(&header);
        taken.push((minute, header, record, secret));
        machine.pass(MINUTE).await;
    }
    let stolen = machine.disk.copy();
    // The thief's clock is set to suit him: he opens the folder as of every minute and asks for all epochs
    // there are.
    let mut opened = Vec::new();
    for minute in 0..300 {
        let clock = TestClock::at(START + minute * MINUTE);
        let keyring = open(&machine.service, &stolen.copy(), &clock, 99);
        for (org, version, wrapped) in &machine.wrapped {
            keyring.register(org, *version, wrapped.clone());
        }
        let report = keyring.tick().await;
        assert!(report.failed.is_empty());
        for (then, header, record, secret) in &taken {
            if keyring.open_event(header, record, Some(secret)).is_ok() {
                opened.push(*then);
            }
        }
    }
    assert!(opened.contains(&299), "the thief does open what is recent, so the attack works");
    assert!(opened.iter().all(|then| 300 - then <= 75), "{:?}", opened.iter().min());
}

#[tokio::test]
async fn destroyed_keys_leave_no_trace_in_the_folder() {
    let machine = Machine::new(&["acme"]).await;
    let name = machine.disk.list("epochs").expect("listed").remove(0);
    let file = machine.disk.open(&format!("epochs/{name}")).expect("opened");
    let mut bytes = vec![0; usize::try_from(file.len().expect("asked")).expect("small")];
    file.read_at(&mut bytes, 0).expect("read");
    let wrapped = &bytes[bytes.len() - 48..];
    let found = |residue: &[u8]| residue.windows(48).any(|part| part == wrapped);
    assert!(found(&machine.disk.residue()));
    machine.pass(75 * MINUTE).await;
    assert!(!found(&machine.disk.residue()));
}

#[tokio::test]
async fn epochs_over_while_the_machine_was_off_are_destroyed_at_start() {
    let mut machine = Machine::new(&["acme"]).await;
    let header = header("acme", "e1");
    let (record, secret) = machine.seal(&header);
    assert_eq!(machine.files(), 1);
    machine.clock.pass(5 * 60 * MINUTE);
    machine.restart();
    assert_eq!(machine.files(), 0);
    machine.disk.crash();
    assert_eq!(machine.files(), 0, "and they stay destroyed");
    assert_eq!(machine.open(&header, &record, &secret), Err(OpenError::EpochGone));
}

#[tokio::test]
async fn an_epoch_is_on_the_disk_before_anything_is_sealed_in_it() {
    let machine = Machine::new(&[]).await;
    let org = OrgId::new("acme");
    machine.keyring.create_org(&org).await.expect("made");
    assert!(!machine.keyring.is_ready());
    let sealed = machine.keyring.seal_event(&header("acme", "e1"), &Content::new(Vec::new()), fresh());
    assert!(matches!(error(sealed), KeyringError::NoEpoch { .. }));
    machine.disk.fail_sync(true);
    assert!(matches!(error(machine.keyring.ready(&org).await), KeyringError::Folder { .. }));
    assert!(machine.keyring.current_epoch(&org).is_none());
    machine.disk.fail_sync(false);
    machine.keyring.ready(&org).await.expect("ready");
    assert!(machine.keyring.is_ready());
    machine.tick().await;
    machine.disk.crash();
    assert_eq!(machine.files(), 1, "the one that could not be synced is gone");
}

#[tokio::test]
async fn a_folder_that_refuses_is_tried_again_and_its_keys_are_forgotten_meanwhile() {
    let machine = Machine::new(&["acme"]).await;
    let header = header("acme", "e1");
    let (record, secret) = machine.seal(&header);
    machine.clock.pass(75 * MINUTE);
    machine.disk.fail_sync(true);
    let report = machine.keyring.tick().await;
    assert!(report.not_destroyed.is_some() && report.destroyed.is_empty() && !report.failed.is_empty());
    assert_eq!(machine.open(&header, &record, &secret), Err(OpenError::EpochGone));
    machine.disk.fail_sync(false);
    let report = machine.keyring.tick().await;
    assert!(report.not_destroyed.is_none());
    assert!(report.destroyed.len() >= 2, "the one that is over and the one that could not be synced");
    machine.disk.crash();
    assert_eq!(machine.files(), 1);
}

#[tokio::test]
async fn remains_of_a_crash_while_writing_are_removed() {
    let mut machine = Machine::new(&["acme"]).await;
    let whole = machine.disk.list("epochs").expect("listed").remove(0);
    for (name, bytes) in [("00.epoch", &b"DEP1"[..]), ("01.epoch", b""), ("notes.txt", b"not ours")] {
        let file = machine.disk.open(&format!("epochs/{name}")).expect("made");
        file.write_at(bytes, 0).expect("written");
        file.sync().expect("synced");
    }
    machine.disk.sync_dir("epochs").expect("synced");
    machine.restart();
    assert_eq!(machine.disk.list("epochs").expect("listed"), [whole, "notes.txt".to_owned()]);
}

#[tokio::test]
async fn an_altered_epoch_file_opens_nothing_and_stops_nothing() {
    let mut machine = Machine::new(&["acme"]).await;
    let header = header("acme", "e1");
    let (record, secret) = machine.seal(&header);
    let name = machine.disk.list("epochs").expect("listed").remove(0);
    let file = machine.disk.open(&format!("epochs/{name}")).expect("opened");
    // The last byte of the end: a later end would keep the key longer.
    let mut ends = [0];
    let at = 4 + 4 + 4 + 8 + 8 + 7;
    file.read_at(&mut ends, at).expect("read");
    file.write_at(&[ends[0] ^ 1], at).expect("written");
    file.sync().expect("synced");
    machine.restart();
    let report = machine.keyring.tick().await;
    assert!(matches!(report.failed[..], [(_, KeyringError::Tampered { .. })]), "{report:?}");
    assert_eq!(machine.open(&header, &record, &secret), Err(OpenError::Tampered(Tampered)));
    assert_eq!(report.created.len(), 1, "a new one takes its place");
    machine.seal(&header);
    machine.tick().await;
}

#[tokio::test]
async fn an_outage_of_the_key_service_is_sat_out() {
    let mut machine = Machine::new(&["acme"]).await;
    machine.pass(51 * MINUTE).await;
    assert_eq!(machine.files(), 2, "the next epoch is there");
    machine.service.away.store(true, Ordering::Relaxed);
    let header = header("acme", "e1");
    for _ in 0..(9 + 49) {
        machine.clock.pass(MINUTE);
        machine.keyring.tick().await;
        let (record, secret) = machine.seal(&header);
        assert_eq!(machine.open(&header, &record, &secret), Ok(()));
    }
    // A restart in the outage: nothing opens, nothing is lost, nothing is sealed that could not be opened.
    let (record, secret) = machine.seal(&header);
    machine.restart();
    let report = machine.keyring.tick().await;
    assert!(matches!(report.failed[..], [(_, KeyringError::Service(_)), ..]), "{report:?}");
    assert_eq!(machine.open(&header, &record, &secret), Err(OpenError::EpochLocked));
    assert!(machine.keyring.seal_event(&header, &Content::new(Vec::new()), fresh()).is_err());
    machine.service.away.store(false, Ordering::Relaxed);
    machine.tick().await;
    assert_eq!(machine.open(&header, &record, &secret), Ok(()));
}

#[tokio::test]
async fn clocks_that_jump_neither_stop_sealing_nor_stretch_the_horizon() {
    for jump in [-24 * 60, -60, -1, 1, 60, 24 * 60] {
        let machine = Machine::new(&["acme"]).await;
        machine.pass(5 * MINUTE).await;
        let header = header("acme", "e1");
        let (record, secret) = machine.seal(&header);
        machine.clock.jump(jump * MINUTE);
        for _ in 0..140 {
            machine.tick().await;
            machine.seal(&header);
            machine.clock.pass(MINUTE / 2);
        }
        assert_eq!(
            machine.open(&header, &record, &secret),
            Err(OpenError::EpochGone),
            "jump of {jump} minutes"
        );
        assert!(machine.files() <= 3);
    }
}

#[tokio::test]
async fn a_clock_set_back_across_a_restart_does_not_stretch_the_horizon() {
    let mut machine = Machine::new(&["acme"]).await;
    let header = header("acme", "e1");
    let (record, secret) = machine.seal(&header);
    machine.clock.jump(-24 * 60 * MINUTE);
    machine.restart();
    machine.tick().await;
    assert_eq!(machine.open(&header, &record, &secret), Err(OpenError::EpochGone), "its age is unknown");
    machine.seal(&header);
}

#[tokio::test]
async fn a_deleted_organisation_opens_nothing_at_once() {
    let mut machine = Machine::new(&["acme", "globex"]).await;
    let (ours, theirs) = (header("acme", "e1"), header("globex", "e1"));
    let (record, secret) = machine.seal(&ours);
    let (other, other_secret) = machine.seal(&theirs);
    let org = OrgId::new("acme");
    let destroyed = machine.keyring.destroy_org(&org).expect("destroyed");
    assert!(!destroyed.is_empty() && destroyed.iter().all(|epoch| epoch.org == org));
    assert_eq!(machine.open(&ours, &record, &secret), Err(OpenError::EpochGone));
    let field = FieldRef { org: &org, purpose: "installation.token", row: "i1" };
    assert!(matches!(error(machine.keyring.field_seal(&field, b"x").await), KeyringError::UnknownOrg { .. }));
    machine.restart();
    machine.tick().await;
    // Even where the store still has the wrapped key, as in a backup.
    assert_eq!(machine.open(&ours, &record, &secret), Err(OpenError::EpochGone));
    assert_eq!(machine.open(&theirs, &other, &other_secret), Ok(()));
}

#[tokio::test]
async fn organisation_keys_are_unwrapped_for_minutes_only() {
    let mut machine = Machine::new(&["acme"]).await;
    machine.restart();
    machine.tick().await;
    let org = OrgId::new("acme");
    let field = FieldRef { org: &org, purpose: "installation.token", row: "i1" };
    let sealed = machine.keyring.field_seal(&field, b"token").await.expect("sealed");
    let before = machine.service.unwrapped.load(Ordering::Relaxed);
    for _ in 0..10 {
        assert!(
            machine.keyring.field_open(&field, &sealed).await.is_ok_and(|plain| plain.expose() == b"token")
        );
    }
    assert_eq!(machine.service.unwrapped.load(Ordering::Relaxed), before);
    machine.pass(5 * MINUTE).await;
    machine.service.away.store(true, Ordering::Relaxed);
    assert!(matches!(error(machine.keyring.field_open(&field, &sealed).await), KeyringError::Service(_)));
    machine.service.away.store(false, Ordering::Relaxed);
    assert!(machine.keyring.field_open(&field, &sealed).await.is_ok());
}

#[tokio::test]
async fn rotating_an_organisations_key_keeps_old_fields_until_it_is_forgotten() {
    let machine = Machine::new(&["acme", "globex"]).await;
    let org = OrgId::new("acme");
    let field = FieldRef { org: &org, purpose: "person.mail", row: "p1" };
    let old = machine.keyring.field_seal(&field, b"ada@example.com").await.expect("sealed");
    let old_digest = machine.keyring.digest(&org, "person.mail", b"ada@example.com").await.expect("made");
    let (version, _) = machine.keyring.rotate_org(&org).await.expect("rotated");
    assert_eq!(version, 2);
    let new = machine.keyring.field_seal(&field, b"ada@example.com").await.expect("sealed");
    let new_digest = machine.keyring.digest(&org, "person.mail", b"ada@example.com").await.expect("made");
    assert_ne!(old_digest, new_digest);
    let all = machine.keyring.digests(&org, "person.mail", b"ada@example.com").await.expect("made");
    assert_eq!(all, [new_digest, old_digest]);
    assert!(machine.keyring.field_open(&field, &old).await.is_ok());
    machine.keyring.forget_version(&org, 1);
    assert!(matches!(error(machine.keyring.field_open(&field, &old).await), KeyringError::Tampered { .. }));
    assert!(machine.keyring.field_open(&field, &new).await.is_ok());
    let theirs = FieldRef { org: &OrgId::new("globex"), ..field };
    assert!(matches!(error(machine.keyring.field_open(&theirs, &new).await), KeyringError::Tampered { .. }));
}

#[tokio::test]
async fn wrapped_keys_follow_the_root_key() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("root.key");
    let keys = LocalKeys::create(&path, None, Seeded::new(1)).unwrap_or_else(|error| panic!("{error}"));
    let org = OrgId::new("acme");
    let on = |keys: LocalKeys| {
        let policy = EpochPolicy::default();
        Keyring::open(
            Arc::new(keys),
            CrashDisk::new(),
            "epochs",
            TestClock::at(START),
            Seeded::new(3),
            policy,
        )
        .expect("opened")
    };
    let keyring = on(keys);
    let (version, wrapped) = keyring.create_org(&org).await.expect("made");
    assert_eq!(keyring.rewrap(&org, version).await.expect("asked"), None);
    let field = FieldRef { org: &org, purpose: "person.mail", row: "p1" };
    let sealed = keyring.field_seal(&field, b"ada@example.com").await.expect("sealed");
    let keyring =
        on(LocalKeys::rotate(&path, None, Seeded::new(2)).unwrap_or_else(|error| panic!("{error}")));
    keyring.register(&org, version, wrapped);
    let wrapped = keyring.rewrap(&org, version).await.expect("asked").expect("wrapped again");
    let keyring =
        on(LocalKeys::retire(&path, None, Seeded::new(2)).unwrap_or_else(|error| panic!("{error}")));
    keyring.register(&org, version, wrapped);
    assert!(keyring.field_open(&field, &sealed).await.is_ok());
}

#[tokio::test]
async fn altered_fields_are_called_altered() {
    let machine = Machine::new(&["acme"]).await;
    let org = OrgId::new("acme");
    let field = FieldRef { org: &org, purpose: "person.mail", row: "p1" };
    let sealed = machine.keyring.field_seal(&field, b"ada@example.com").await.expect("sealed");
    for bit in 0..sealed.len() * 8 {
        let mut flipped = sealed.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let refused = error(machine.keyring.field_open(&field, &flipped).await);
        assert!(matches!(refused, KeyringError::Tampered { .. }), "bit {bit}: {refused}");
    }
}
