use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use dragoman_model::OrgId;
use dragoman_seal::{Key32, KeyFileError, KeyService, KeyServiceError, LocalKeys, SystemRandom, Token};

use crate::support::{Seeded, error};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

fn private(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).expect("written");
    fs::set_permissions(path, Permissions::from_mode(0o600)).expect("private");
}

#[tokio::test]
async fn a_made_file_is_private_opens_again_and_is_never_overwritten() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("keys/root.key");
    let org = OrgId::new("acme");
    let key = Key32::random(&SystemRandom);
    let made = LocalKeys::create(&path, None, Seeded::new(1)).unwrap_or_else(|error| panic!("{error}"));
    let wrapped = made.wrap(&org, &key).await.expect("wrapped");
    assert_eq!((mode(&path), mode(&folder.path().join("keys"))), (0o600, 0o700));
    let opened = LocalKeys::open(&path, None, Seeded::new(2)).unwrap_or_else(|error| panic!("{error}"));
    assert!(opened.unwrap(&org, &wrapped).await.is_ok_and(|again| again.expose() == key.expose()));
    assert!(opened.is_current(&wrapped));
    let again = error(LocalKeys::create(&path, None, Seeded::new(3)));
    assert!(matches!(again, KeyFileError::Exists { .. }));
    let none = error(LocalKeys::open(&folder.path().join("other"), None, Seeded::new(1)));
    assert!(none.to_string().contains("dragoman init"), "{none}");
}

#[test]
fn files_that_others_can_read_are_refused_with_the_command_that_helps() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("root.key");
    assert!(LocalKeys::create(&path, None, Seeded::new(1)).is_ok());
    for bits in [0o640, 0o604, 0o660, 0o666, 0o601, 0o610, 0o644] {
        fs::set_permissions(&path, Permissions::from_mode(bits)).expect("changed");
        let refused = error(LocalKeys::open(&path, None, Seeded::new(1))).to_string();
        assert!(refused.contains(&format!("chmod 600 {}", path.display())), "{refused}");
        assert!(refused.contains(&format!("{bits:o}")), "{refused}");
    }
    fs::set_permissions(&path, Permissions::from_mode(0o400)).expect("changed");
    assert!(LocalKeys::open(&path, None, Seeded::new(1)).is_ok());
}

#[tokio::test]
async fn a_passphrase_protects_the_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("root.key");
    let passphrase = Token::new("correct horse".to_owned());
    let made =
        LocalKeys::create(&path, Some(&passphrase), Seeded::new(1)).unwrap_or_else(|error| panic!("{error}"));
    let org = OrgId::new("acme");
    let wrapped = made.wrap(&org, &Key32::random(&SystemRandom)).await.expect("wrapped");
    let none = error(LocalKeys::open(&path, None, Seeded::new(2)));
    assert!(matches!(none, KeyFileError::NeedsPassphrase { .. }));
    let wrong = Token::new("correct hors".to_owned());
    let wrong = error(LocalKeys::open(&path, Some(&wrong), Seeded::new(2)));
    assert!(matches!(wrong, KeyFileError::WrongPassphrase { .. }));
    let opened =
        LocalKeys::open(&path, Some(&passphrase), Seeded::new(2)).unwrap_or_else(|error| panic!("{error}"));
    assert!(opened.unwrap(&org, &wrapped).await.is_ok());
    // Whoever can write the file must not be able to make the start take all memory.
    let text = fs::read_to_string(&path).expect("read").replace("65536", "4000000000");
    private(&path, text.as_bytes());
    let greedy = error(LocalKeys::open(&path, Some(&passphrase), Seeded::new(2)));
    assert!(greedy.to_string().contains("1 GiB"), "{greedy}");
}

#[tokio::test]
async fn raw_and_hexadecimal_files_and_credentials_are_the_same_key() {
    let folder = tempfile::tempdir().expect("a folder");
    let (raw, text) = (folder.path().join("raw"), folder.path().join("text"));
    private(&raw, &[0xab; 32]);
    private(&text, format!("{}\n", "ab".repeat(32)).as_bytes());
    let org = OrgId::new("acme");
    let first = LocalKeys::open(&raw, None, Seeded::new(1)).unwrap_or_else(|error| panic!("{error}"));
    let wrapped = first.wrap(&org, &Key32::random(&SystemRandom)).await.expect("wrapped");
    let second = LocalKeys::open(&text, None, Seeded::new(1)).unwrap_or_else(|error| panic!("{error}"));
    assert!(second.unwrap(&org, &wrapped).await.is_ok());
    // systemd shows the access list of a credential as group permissions.
    fs::set_permissions(&raw, Permissions::from_mode(0o440)).expect("changed");
    let third = LocalKeys::from_credential(folder.path(), "raw", None, Seeded::new(1));
    assert!(third.unwrap_or_else(|error| panic!("{error}")).unwrap(&org, &wrapped).await.is_ok());
}

#[tokio::test]
async fn keys_follow_each_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("root.key");
    let org = OrgId::new("acme");
    let old = LocalKeys::create(&path, None, Seeded::new(1)).unwrap_or_else(|error| panic!("{error}"));
    let wrapped = old.wrap(&org, &Key32::random(&SystemRandom)).await.expect("wrapped");
    let both = LocalKeys::rotate(&path, None, Seeded::new(2)).unwrap_or_else(|error| panic!("{error}"));
    assert!(!both.is_current(&wrapped) && both.unwrap(&org, &wrapped).await.is_ok());
    let rewrapped = both.wrap(&org, &Key32::random(&SystemRandom)).await.expect("wrapped");
    assert!(both.is_current(&rewrapped));
    let new = LocalKeys::retire(&path, None, Seeded::new(3)).unwrap_or_else(|error| panic!("{error}"));
    assert!(matches!(error(new.unwrap(&org, &wrapped).await), KeyServiceError::UnknownRootKey { .. }));
    let again = LocalKeys::open(&path, None, Seeded::new(4)).unwrap_or_else(|error| panic!("{error}"));
    assert!(again.unwrap(&org, &rewrapped).await.is_ok() && again.unwrap(&org, &wrapped).await.is_err());
    assert_eq!(mode(&path), 0o600);
    assert_eq!(fs::read_dir(folder.path()).expect("listed").count(), 1, "nothing is left over");
}

#[tokio::test]
async fn wrapped_keys_open_for_their_organisation_and_unaltered_only() {
    let keys = LocalKeys::ephemeral(Seeded::new(1));
    let org = OrgId::new("acme");
    let wrapped = keys.wrap(&org, &Key32::random(&SystemRandom)).await.expect("wrapped");
    let other = error(keys.unwrap(&OrgId::new("globex"), &wrapped).await);
    assert_eq!(other, KeyServiceError::Tampered { org: OrgId::new("globex") });
    for bit in 0..wrapped.len() * 8 {
        let mut flipped = wrapped.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(keys.unwrap(&org, &flipped).await.is_err(), "bit {bit}");
    }
    for len in 0..wrapped.len() {
        assert!(keys.unwrap(&org, &wrapped[..len]).await.is_err(), "cut to {len}");
    }
}

#[test]
fn damaged_files_are_named_without_being_quoted() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("root.key");
    assert!(LocalKeys::create(&path, None, Seeded::new(1)).is_ok());
    let good = fs::read_to_string(&path).expect("read");
    let key = good.split('"').find(|part| part.len() == 64).expect("the key").to_owned();
    let damaged = [
        String::new(),
        good.replace("\"version\": 1", "\"version\": 2"),
        good.replace("dragoman-keys", "other-keys"),
        good.replace("\"keys\"", "\"other\""),
        good.replace("\"key\": ", "\"key\": 1, \"x\": "),
        good.replace("\"version\": 1", &format!("\"version\": \"{key}\"")),
        good.replace(&key, &key[1..]),
        good.replacen("\"current\": \"", "\"current\": \"00", 1),
        good[..good.len() / 2].to_owned(),
    ];
    for (index, text) in damaged.iter().enumerate() {
        private(&path, text.as_bytes());
        let refused = error(LocalKeys::open(&path, None, Seeded::new(1)));
        assert!(matches!(refused, KeyFileError::Format { .. }), "{index}: {refused}");
        let said = format!("{refused} {refused:?}");
        assert!(said.contains("root.key") && !said.contains(&key[1..]), "{index}");
    }
}
