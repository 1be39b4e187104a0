//! The keyring with the words of the relay: organisations from rows, sealed texts, digests, fingerprints.

use std::sync::Arc;

use dragoman_model::{Marker, OrgId, RemoteMessage};
use dragoman_seal::{ContentString, EpochId, FieldRef, Keyring};
use dragoman_store::OrgRow;

use crate::error::RelayError;

/// The keyring as the relay uses it.
pub struct Vault {
    keyring: Arc<Keyring>,
}

impl Vault {
    /// Wraps a keyring.
    pub fn new(keyring: Arc<Keyring>) -> Self {
        Self { keyring }
    }

    /// The keyring itself.
    pub fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    /// Makes an organisation's keys known and its epoch key ready.
    pub async fn register_org(&self, org: &OrgRow) -> Result<(), RelayError> {
        for (version, wrapped) in &org.wrapped_keys {
            self.keyring.register(&org.id, *version, wrapped.clone());
        }
        self.keyring.ready(&org.id).await?;
        Ok(())
    }

    /// Seals a text.
    pub async fn seal_text(&self, field: &FieldRef<'_>, text: &str) -> Result<Vec<u8>, RelayError> {
        Ok(self.keyring.field_seal(field, text.as_bytes()).await?)
    }

    /// Opens a sealed text.
    pub async fn open_text(&self, field: &FieldRef<'_>, sealed: &[u8]) -> Result<ContentString, RelayError> {
        let plain = self.keyring.field_open(field, sealed).await?;
        let text = String::from_utf8(plain.expose().to_vec()).map_err(|_| RelayError::Damaged("text"))?;
        Ok(ContentString::new(text))
    }

    /// A keyed digest for look-ups.
    pub async fn digest(&self, org: &OrgId, purpose: &str, bytes: &[u8]) -> Result<Vec<u8>, RelayError> {
        Ok(self.keyring.digest(org, purpose, bytes).await?.to_vec())
    }

    /// The marker of one part of a leg.
    pub async fn marker(&self, org: &OrgId, leg: &str, part: u32) -> Result<Marker, RelayError> {
        let digest = self.keyring.digest(org, "marker", format!("{leg}/{part}").as_bytes()).await?;
        Ok(Marker::new(hex(&digest[..16])))
    }

    /// What ties the copy of a file to the file, by [`dragoman_model::FileRef::identity`]. Keyed all the same: on some
    /// platforms that is an address.
    pub async fn file_key(
        &self,
        org: &OrgId,
        message: &RemoteMessage,
        file: &str,
    ) -> Result<String, RelayError> {
        let digest = self.keyring.digest(org, "file", format!("{message}/{file}").as_bytes()).await?;
        Ok(hex(&digest[..16]))
    }

    /// The fingerprint of a text under the current epoch key, with the name of that epoch. `None` while no
    /// epoch is open.
    pub fn fingerprint(&self, org: &OrgId, canonical: &[u8]) -> Option<(String, Vec<u8>)> {
        let epoch = self.keyring.current_epoch(org)?;
        let digest = self.keyring.fingerprint(org, epoch, canonical).ok()?;
        Some((epoch.0.to_string(), digest.to_vec()))
    }

    /// Whether a text has the fingerprint that was made in an epoch. `None`: that epoch's key is destroyed.
    pub fn same_fingerprint(
        &self,
        org: &OrgId,
        epoch: &str,
        digest: &[u8],
        canonical: &[u8],
    ) -> Option<bool> {
        let epoch = EpochId(epoch.parse().ok()?);
        let now = self.keyring.fingerprint(org, epoch, canonical).ok()?;
        Some(dragoman_seal::equal(&now, digest))
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
