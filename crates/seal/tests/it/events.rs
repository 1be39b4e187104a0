use std::sync::Arc;

use dragoman_model::{EventId, OrgId};
use dragoman_seal::{
    Content, EpochPolicy, EventHeader, Keyring, LocalKeys, OpenError, SealedRecord, SlotSecret, Tampered,
};
use proptest::prelude::*;

use crate::support::{CrashDisk, Seeded, TestClock, error, fresh, header, secret};

const PLAIN: &[u8] = b"{\"text\":\"the quick brown fox\"}";

async fn keyring(orgs: &[&str]) -> Keyring {
    let random = Seeded::new(1);
    let keyring = Keyring::open(
        Arc::new(LocalKeys::ephemeral(random.clone())),
        CrashDisk::new(),
        "epochs",
        TestClock::at(1_000_000),
        random,
        EpochPolicy::default(),
    )
    .expect("an empty folder opens");
    for org in orgs {
        let org = OrgId::new(*org);
        keyring.create_org(&org).await.expect("made");
        keyring.ready(&org).await.expect("ready");
    }
    keyring
}

fn sealed(keyring: &Keyring, header: &EventHeader) -> (SealedRecord, SlotSecret) {
    keyring.seal_event(header, &Content::copied_from(PLAIN), fresh()).expect("sealed")
}

#[tokio::test]
async fn an_event_opens_in_its_own_place_only() {
    let keyring = keyring(&["acme", "globex"]).await;
    let own = header("acme", "e1");
    let (record, salt) = sealed(&keyring, &own);
    let theirs = header("globex", "e1");
    let (other_record, other_salt) = sealed(&keyring, &theirs);
    assert!(keyring.open_event(&own, &record, Some(&salt)).is_ok_and(|plain| plain.expose() == PLAIN));
    let wrong = secret(1);
    let open = |header: &EventHeader, salt| error(keyring.open_event(header, &record, salt));
    assert_eq!(open(&header("globex", "e1"), Some(&salt)), OpenError::WrongOrg);
    for other in [
        EventHeader { event: EventId::new("e2"), ..own.clone() },
        EventHeader { lane: "c2".into(), ..own.clone() },
        EventHeader { received_at_ms: 43, ..own.clone() },
    ] {
        assert_eq!(open(&other, Some(&salt)), OpenError::WrongPlace);
    }
    assert_eq!(open(&own, None), OpenError::SlotErased);
    assert_eq!(open(&own, Some(&wrong)), OpenError::Tampered(Tampered));
    // The record of one event with the secret of another, and a header rewritten to pass for another's.
    assert_eq!(open(&own, Some(&other_salt)), OpenError::Tampered(Tampered));
    let (ours, theirs_len) = (record.as_bytes(), other_record.as_bytes().len() - PLAIN.len() - 48);
    let mut forged = other_record.as_bytes()[..theirs_len].to_vec();
    forged.extend_from_slice(&ours[ours.len() - PLAIN.len() - 48..]);
    let forged = SealedRecord::from_bytes(forged);
    for salt in [&salt, &other_salt] {
        let refused = error(keyring.open_event(&theirs, &forged, Some(salt)));
        assert_eq!(refused, OpenError::Tampered(Tampered));
    }
}

#[tokio::test]
async fn every_flipped_bit_and_every_cut_is_rejected() {
    let keyring = keyring(&["acme"]).await;
    let own = header("acme", "e1");
    let (record, salt) = sealed(&keyring, &own);
    let bytes = record.as_bytes();
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let flipped = SealedRecord::from_bytes(flipped);
        assert!(keyring.open_event(&own, &flipped, Some(&salt)).is_err(), "bit {bit}");
    }
    for bit in 0..256 {
        let mut flipped = *salt.expose();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(
            keyring.open_event(&own, &record, Some(&SlotSecret::new(flipped))).is_err(),
            "salt bit {bit}"
        );
    }
    for len in 0..bytes.len() {
        let cut = SealedRecord::from_bytes(bytes[..len].to_vec());
        assert!(keyring.open_event(&own, &cut, Some(&salt)).is_err(), "cut to {len}");
        let beheaded = SealedRecord::from_bytes(bytes[len + 1..].to_vec());
        assert!(keyring.open_event(&own, &beheaded, Some(&salt)).is_err(), "without the first {}", len + 1);
    }
}

/// What somebody may do to a record: change, insert, remove, repeat.
#[derive(Clone, Debug)]
enum Mutation {
    Set(prop::sample::Index, u8),
    Insert(prop::sample::Index, u8),
    Remove(prop::sample::Index),
    Repeat(prop::sample::Index, prop::sample::Index),
    Swap(prop::sample::Index, prop::sample::Index),
}

impl Mutation {
    fn apply(&self, bytes: &mut Vec<u8>) {
        let len = bytes.len().max(1);
        bytes.resize(len, 0);
        match self {
            Self::Set(at, byte) => bytes[at.index(len)] = *byte,
            Self::Insert(at, byte) => bytes.insert(at.index(len), *byte),
            Self::Remove(at) => {
                bytes.remove(at.index(len));
            }
            Self::Repeat(from, to) => {
                let part: Vec<u8> = bytes[from.index(len)..].to_vec();
                let to = to.index(len);
                bytes.splice(to..to, part);
            }
            Self::Swap(a, b) => bytes.swap(a.index(len), b.index(len)),
        }
    }
}

fn mutation() -> impl Strategy<Value = Mutation> {
    use prop::sample::Index;
    prop_oneof![
        any::<(Index, u8)>().prop_map(|(at, byte)| Mutation::Set(at, byte)),
        any::<(Index, u8)>().prop_map(|(at, byte)| Mutation::Insert(at, byte)),
        any::<Index>().prop_map(Mutation::Remove),
        any::<(Index, Index)>().prop_map(|(from, to)| Mutation::Repeat(from, to)),
        any::<(Index, Index)>().prop_map(|(a, b)| Mutation::Swap(a, b)),
    ]
}

#[test]
fn ten_thousand_mutations_are_rejected() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let keyring = runtime.block_on(keyring(&["acme"]));
    let own = header("acme", "e1");
    let (record, salt) = sealed(&keyring, &own);
    let config = ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(mutations in prop::collection::vec(mutation(), 1..6))| {
        let mut bytes = record.as_bytes().to_vec();
        for mutation in &mutations {
            mutation.apply(&mut bytes);
        }
        let opens = keyring.open_event(&own, &SealedRecord::from_bytes(bytes.clone()), Some(&salt)).is_ok();
        prop_assert_eq!(opens, bytes == record.as_bytes());
    });
}

#[tokio::test]
async fn fingerprints_tell_changes_within_one_epoch_and_organisation() {
    let keyring = keyring(&["acme", "globex"]).await;
    let (acme, globex) = (OrgId::new("acme"), OrgId::new("globex"));
    let epoch = keyring.current_epoch(&acme).expect("ready");
    let print = |bytes| keyring.fingerprint(&acme, epoch, bytes);
    assert_eq!(print(b"one"), print(b"one"));
    assert_ne!(print(b"one"), print(b"two"));
    let theirs = keyring.current_epoch(&globex).expect("ready");
    assert_ne!(print(b"one"), keyring.fingerprint(&globex, theirs, b"one"));
    assert_eq!(keyring.fingerprint(&globex, epoch, b"one"), Err(OpenError::EpochGone));
}
