//! The sealed record, format 1: how anything is encrypted here.
//!
//! ```text
//! k_enc (32) || k_commit (32) = HKDF-SHA-512(ikm = key, salt = 32 random bytes, info = header)
//! body = k_commit || AES-256-GCM(k_enc, nonce = 0, plain text, AAD = header)      (tag at the end, 16 bytes)
//! ```
//!
//! The salt makes `k_enc` single-use, so the nonce is fixed and no counter has to survive a crash. `k_commit`
//! binds the record to one key: GCM alone lets somebody who knows two keys make a ciphertext that opens under
//! both. It is compared in constant time before anything is opened. The header says what the record is and
//! where it belongs; a record moved elsewhere derives another key and does not open.
//!
//! A header is: version (1), suite (1), purpose, organisation, then what the purpose adds. Strings are a
//! 32-bit big-endian length and UTF-8 bytes, numbers are big-endian.
//!
//! | record | header after the organisation | stored as | salt |
//! | --- | --- | --- | --- |
//! | event | lane, event id, epoch id (u64), received at (i64, ms) | header, body | in the slot file |
//! | field, wrapped key | row, key version (u32) | version, suite, key version, salt, body | in the record |
//!
//! Suite 1 is HKDF-SHA-512, AES-256-GCM, a 32-byte commitment. A changed algorithm is a new suite byte.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hkdf;
use zeroize::Zeroizing;

use crate::secret::equal;

/// Format version of everything sealed here.
pub const VERSION: u8 = 1;
/// HKDF-SHA-512, AES-256-GCM, 32-byte commitment.
pub const SUITE: u8 = 1;
pub(crate) const SALT_LEN: usize = 32;
pub(crate) const COMMITMENT_LEN: usize = 32;
pub(crate) const TAG_LEN: usize = 16;

/// A record that is not what it should be: altered, cut short, moved, or sealed under another key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the record does not open: it was altered, cut short, moved from elsewhere or sealed under another key"
)]
pub struct Tampered;

/// A length for HKDF's output.
struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// HKDF-SHA-512 into `out`, which is at most 16 KiB long.
pub(crate) fn derive(key: &[u8; 32], salt: &[u8], info: &[&[u8]], out: &mut [u8]) {
    hkdf::Salt::new(hkdf::HKDF_SHA512, salt)
        .extract(key)
        .expand(info, Length(out.len()))
        .and_then(|okm| okm.fill(out))
        .expect("HKDF-SHA-512 gives up to 16320 bytes and ours ask for 64");
}

struct Keys(Zeroizing<[u8; 64]>);

impl Keys {
    fn new(key: &[u8; 32], salt: &[u8; SALT_LEN], header: &[u8]) -> Self {
        let mut keys = Zeroizing::new([0; 64]);
        derive(key, salt, &[header], keys.as_mut());
        Self(keys)
    }

    fn cipher(&self) -> LessSafeKey {
        let key = UnboundKey::new(&AES_256_GCM, &self.0[..32]).expect("the key has 32 bytes");
        LessSafeKey::new(key)
    }

    fn commitment(&self) -> &[u8] {
        &self.0[32..]
    }
}

/// The key is used for this one record, so one nonce is as good as another.
fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}

/// Appends the body to `out`.
pub(crate) fn seal(key: &[u8; 32], salt: &[u8; SALT_LEN], header: &[u8], plain: &[u8], out: &mut Vec<u8>) {
    let keys = Keys::new(key, salt, header);
    out.reserve_exact(COMMITMENT_LEN + plain.len() + TAG_LEN);
    out.extend_from_slice(keys.commitment());
    let start = out.len();
    out.extend_from_slice(plain);
    let tag = keys
        .cipher()
        .seal_in_place_separate_tag(nonce(), Aad::from(header), &mut out[start..])
        .expect("AES-GCM takes up to 64 GiB");
    out.extend_from_slice(tag.as_ref());
}

/// The plain text of a body.
pub(crate) fn open(
    key: &[u8; 32],
    salt: &[u8; SALT_LEN],
    header: &[u8],
    body: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Tampered> {
    let (commitment, sealed) = body.split_at_checked(COMMITMENT_LEN).ok_or(Tampered)?;
    let (cipher_text, tag) = sealed.split_at_checked(sealed.len().saturating_sub(TAG_LEN)).ok_or(Tampered)?;
    if tag.len() != TAG_LEN {
        return Err(Tampered);
    }
    let keys = Keys::new(key, salt, header);
    if !equal(keys.commitment(), commitment) {
        return Err(Tampered);
    }
    let mut plain = Zeroizing::new(vec![0; cipher_text.len()]);
    keys.cipher()
        .open_separate_gather(nonce(), Aad::from(header), cipher_text, tag, &mut plain)
        .map_err(|_| Tampered)?;
    Ok(plain)
}

/// Writes a header.
pub(crate) struct HeaderWriter(Vec<u8>);

impl HeaderWriter {
    pub(crate) fn new(purpose: &str, org: &str) -> Self {
        let mut header = Vec::with_capacity(160);
        header.extend_from_slice(&[VERSION, SUITE]);
        Self(header).text(purpose).text(org)
    }

    pub(crate) fn text(mut self, text: &str) -> Self {
        // No id comes near 4 GiB; one that did would make a header that does not parse.
        let len = u32::try_from(text.len()).unwrap_or(u32::MAX);
        self.0.extend_from_slice(&len.to_be_bytes());
        self.0.extend_from_slice(text.as_bytes());
        self
    }

    pub(crate) fn bytes<const N: usize>(mut self, bytes: [u8; N]) -> Self {
        self.0.extend_from_slice(&bytes);
        self
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// Reads what [`HeaderWriter`] wrote, from bytes that anybody may have touched.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn take(&mut self, len: usize) -> Result<&'a [u8], Tampered> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(Tampered)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Tampered> {
        self.take(N)?.try_into().map_err(|_| Tampered)
    }

    pub(crate) fn text(&mut self) -> Result<&'a str, Tampered> {
        let len = u32::from_be_bytes(self.array()?);
        let bytes = self.take(usize::try_from(len).map_err(|_| Tampered)?)?;
        std::str::from_utf8(bytes).map_err(|_| Tampered)
    }

    /// Version and suite, which must be ours.
    pub(crate) fn format(&mut self) -> Result<(), Tampered> {
        if self.array()? == [VERSION, SUITE] { Ok(()) } else { Err(Tampered) }
    }
}

#[cfg(test)]
#[path = "envelope/tests.rs"]
mod tests;
