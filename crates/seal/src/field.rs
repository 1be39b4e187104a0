//! Encryption of single fields (tokens, personal data, wrapped keys) and keyed digests to look them up by.

use std::sync::{PoisonError, RwLock};

use aws_lc_rs::hmac;
use dragoman_model::{OrgId, Random};
use zeroize::Zeroizing;

use crate::envelope::{self, HeaderWriter, Reader, SALT_LEN, SUITE, Tampered, VERSION};
use crate::secret::{Content, Key32};

/// Where a field belongs. A sealed field opens in its own place only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldRef<'a> {
    /// Whose it is.
    pub org: &'a OrgId,
    /// What it is, written `table.column`; never changed once in use.
    pub purpose: &'a str,
    /// The id of its row.
    pub row: &'a str,
}

impl FieldRef<'_> {
    fn header(&self, key_version: u32) -> Vec<u8> {
        HeaderWriter::new(self.purpose, self.org.as_str())
            .text(self.row)
            .bytes(key_version.to_be_bytes())
            .finish()
    }
}

/// Seals a field under a key of the given version.
pub(crate) fn seal(
    field: &FieldRef<'_>,
    key_version: u32,
    key: &Key32,
    plain: &[u8],
    random: &dyn Random,
) -> Vec<u8> {
    let mut salt = [0; SALT_LEN];
    random.fill(&mut salt);
    let mut sealed = vec![VERSION, SUITE];
    sealed.extend_from_slice(&key_version.to_be_bytes());
    sealed.extend_from_slice(&salt);
    envelope::seal(key.expose(), &salt, &field.header(key_version), plain, &mut sealed);
    sealed
}

/// The version of the key that a field was sealed under, as the record claims.
pub(crate) fn key_version(sealed: &[u8]) -> Result<u32, Tampered> {
    let mut reader = Reader(sealed);
    reader.format()?;
    Ok(u32::from_be_bytes(reader.array()?))
}

/// Opens a field.
pub(crate) fn open(field: &FieldRef<'_>, key: &Key32, sealed: &[u8]) -> Result<Content, Tampered> {
    open_raw(field, key, sealed).map(|mut plain| Content::new(std::mem::take(&mut *plain)))
}

/// Opens a wrapped key straight into protected memory.
pub(crate) fn open_key(field: &FieldRef<'_>, key: &Key32, sealed: &[u8]) -> Result<Key32, Tampered> {
    let plain = open_raw(field, key, sealed)?;
    Key32::build(|place| {
        if plain.len() != place.len() {
            return Err(Tampered);
        }
        place.copy_from_slice(&plain);
        Ok(())
    })
}

fn open_raw(field: &FieldRef<'_>, key: &Key32, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Tampered> {
    let mut reader = Reader(sealed);
    reader.format()?;
    let key_version = u32::from_be_bytes(reader.array()?);
    let salt = reader.array()?;
    envelope::open(key.expose(), &salt, &field.header(key_version), reader.0)
}

/// A key, and the digest keys derived from it so far: they die with it and lie in protected memory as well.
pub(crate) struct Root {
    key: Key32,
    derived: RwLock<Vec<Derived>>,
}

struct Derived {
    label: &'static str,
    purpose: Box<str>,
    key: Key32,
}

impl Root {
    pub(crate) fn new(key: Key32) -> Self {
        Self { key, derived: RwLock::default() }
    }

    /// A keyed digest: HMAC-SHA-256 under a key derived for this label and purpose, so that a dump cannot be matched
    /// against a dictionary and digests of two purposes or organisations cannot be matched with each other. Labels
    /// and purposes are a few words of ours, never input.
    pub(crate) fn digest(&self, label: &'static str, purpose: &str, bytes: &[u8]) -> [u8; 32] {
        let is_it = |derived: &&Derived| derived.label == label && *derived.purpose == *purpose;
        // Entries are pushed whole, so a panic elsewhere does not spoil them.
        if let Some(known) = self.derived.read().unwrap_or_else(PoisonError::into_inner).iter().find(is_it) {
            return tag(&known.key, bytes);
        }
        let mut derived = self.derived.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = derived.iter().find(is_it) {
            return tag(&known.key, bytes);
        }
        let mut key = Zeroizing::new([0; 32]);
        let info = HeaderWriter::new(purpose, label).finish();
        envelope::derive(self.key.expose(), label.as_bytes(), &[&info], key.as_mut());
        let key = Key32::take_from(&mut key);
        let tag = tag(&key, bytes);
        derived.push(Derived { label, purpose: purpose.into(), key });
        tag
    }
}

impl std::ops::Deref for Root {
    type Target = Key32;

    fn deref(&self) -> &Key32 {
        &self.key
    }
}

fn tag(key: &Key32, bytes: &[u8]) -> [u8; 32] {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.expose()), bytes);
    tag.as_ref().try_into().expect("SHA-256 gives 32 bytes")
}

#[cfg(test)]
mod tests {
    use super::{FieldRef, Root, key_version, open, open_key, seal};
    use crate::{Key32, SystemRandom};
    use dragoman_model::OrgId;

    #[test]
    fn a_field_opens_in_its_own_place_only() {
        let (acme, globex) = (OrgId::new("acme"), OrgId::new("globex"));
        let key = Key32::random(&SystemRandom);
        let place = FieldRef { org: &acme, purpose: "installation.token", row: "i1" };
        let sealed = seal(&place, 3, &key, b"token", &SystemRandom);
        assert_eq!(key_version(&sealed), Ok(3));
        assert!(open(&place, &key, &sealed).is_ok_and(|plain| plain.expose() == b"token"));
        for elsewhere in [
            FieldRef { org: &globex, ..place },
            FieldRef { purpose: "installation.refresh", ..place },
            FieldRef { row: "i2", ..place },
            // Parts that run together when joined are still different parts.
            FieldRef { purpose: "installation.tokeni", row: "1", ..place },
        ] {
            assert!(open(&elsewhere, &key, &sealed).is_err());
        }
        assert!(open(&place, &Key32::random(&SystemRandom), &sealed).is_err());
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_rejected() {
        let acme = OrgId::new("acme");
        let key = Key32::random(&SystemRandom);
        let place = FieldRef { org: &acme, purpose: "person.mail", row: "p1" };
        let sealed = seal(&place, 1, &key, b"ada@example.com", &SystemRandom);
        for bit in 0..sealed.len() * 8 {
            let mut flipped = sealed.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(open(&place, &key, &flipped).is_err(), "bit {bit}");
        }
        for len in 0..sealed.len() {
            assert!(open(&place, &key, &sealed[..len]).is_err(), "cut to {len}");
        }
    }

    #[test]
    fn a_wrapped_key_must_have_the_length_of_a_key() {
        let acme = OrgId::new("acme");
        let key = Key32::random(&SystemRandom);
        let place = FieldRef { org: &acme, purpose: "epoch.key", row: "1" };
        let inner = Key32::random(&SystemRandom);
        let wrapped = seal(&place, 1, &key, inner.expose(), &SystemRandom);
        assert!(open_key(&place, &key, &wrapped).is_ok_and(|opened| opened.expose() == inner.expose()));
        let short = seal(&place, 1, &key, &inner.expose()[..31], &SystemRandom);
        assert!(open_key(&place, &key, &short).is_err());
    }

    #[test]
    fn digests_differ_by_key_label_purpose_and_bytes() {
        let root = Root::new(Key32::random(&SystemRandom));
        let base = root.digest("look-up", "person.mail", b"ada@example.com");
        assert_eq!(base, root.digest("look-up", "person.mail", b"ada@example.com"));
        assert_eq!(base, Root::new(root.duplicate()).digest("look-up", "person.mail", b"ada@example.com"));
        assert_ne!(base, root.digest("look-up", "person.name", b"ada@example.com"));
        assert_ne!(base, root.digest("fingerprint", "person.mail", b"ada@example.com"));
        assert_ne!(base, root.digest("look-up", "person.mail", b"bob@example.com"));
        let other = Root::new(Key32::random(&SystemRandom));
        assert_ne!(base, other.digest("look-up", "person.mail", b"ada@example.com"));
    }
}
