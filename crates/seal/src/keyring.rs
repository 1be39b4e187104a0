//! The keys of all organisations, as the rest of the program uses them.
//!
//! Everything that may have to ask the key service is `async`; sealing and opening events never is: their
//! keys are made and unlocked ahead of time by [`Keyring::tick`], which the program calls every half minute
//! at the latest, from a task of its own (it writes and syncs small files).

mod state;

use std::io;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use dragoman_model::disk::Disk;
use dragoman_model::{Clock, OrgId, Random};

use crate::envelope::Tampered;
use crate::epochs::{EpochFolder, EpochId, EpochInfo, EpochPolicy};
use crate::event::{self, EventHeader, OpenError, SealedRecord};
use crate::field::{self, FieldRef, Root};
use crate::keyservice::{KeyService, KeyServiceError};
use crate::secret::{Content, Key32};
use crate::slots::{FreshSecret, SlotSecret};

use self::state::{EpochKey, Now, OrgKey, State};

/// How long an organisation's key stays unwrapped in memory.
const ORG_KEY_TTL_MS: i64 = 5 * 60_000;
const EPOCH_PURPOSE: &str = "epoch.key";

/// What can go wrong with keys.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// The organisation, or this version of its key, was never registered.
    #[error("no key of organisation {org} is known; it was deleted, or the store was not read yet")]
    UnknownOrg {
        /// Whose key was asked for.
        org: OrgId,
    },
    /// No epoch of the organisation is open, so nothing can be sealed for it. Answer 503 and try again.
    #[error(
        "no epoch key of organisation {org} is ready; the key service or the key folder has been out of reach"
    )]
    NoEpoch {
        /// Whose event was to be sealed.
        org: OrgId,
    },
    /// The key service did not give a key.
    #[error(transparent)]
    Service(#[from] KeyServiceError),
    /// A sealed field or key does not open.
    #[error(
        "{purpose} of organisation {org}, row {row}, does not open: altered, moved or sealed under another key"
    )]
    Tampered {
        /// Whose it should be.
        org: OrgId,
        /// What it should be.
        purpose: String,
        /// The row it was found in.
        row: String,
    },
    /// The key folder failed.
    #[error("the key folder could not be {action}; check that it is mounted, writable and not full")]
    Folder {
        /// What was being done.
        action: &'static str,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
}

/// What a call of [`Keyring::tick`] did and could not do.
#[derive(Debug, Default)]
pub struct TickReport {
    /// Epochs whose keys are gone, in memory and in the key folder. Whatever was sealed in them opens no
    /// more.
    pub destroyed: Vec<EpochInfo>,
    /// Epochs made.
    pub created: Vec<EpochInfo>,
    /// Organisations whose keys could not be made or unlocked; tried again at the next tick.
    pub failed: Vec<(OrgId, KeyringError)>,
    /// The key folder refused to destroy files; tried again at the next tick. Their keys are gone from
    /// memory.
    pub not_destroyed: Option<KeyringError>,
}

/// The keys of all organisations.
pub struct Keyring {
    service: Arc<dyn KeyService>,
    folder: EpochFolder,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    policy: EpochPolicy,
    state: RwLock<State>,
    written: Option<Box<dyn Fn() + Send + Sync>>,
}

impl Keyring {
    /// Reads the epoch files in `dir` of the key folder and destroys those that are over. Register every
    /// organisation next, then call [`Keyring::tick`] once before accepting anything.
    pub fn open(
        service: Arc<dyn KeyService>,
        key_folder: Arc<dyn Disk>,
        dir: &str,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        policy: EpochPolicy,
    ) -> Result<Self, KeyringError> {
        let folder = EpochFolder::new(key_folder, dir);
        let found = folder.scan().map_err(|source| KeyringError::Folder { action: "read", source })?;
        let keyring =
            Self { service, folder, clock, random, policy, state: RwLock::default(), written: None };
        let now = keyring.now();
        let mut state = keyring.write();
        for file in found {
            match file.epoch {
                None => state.broken.push(file.name),
                Some((info, _)) if policy.is_from_the_future(info.ends_ms, now.wall_ms) => {
                    state.dying.push(info);
                }
                Some((info, wrapped)) => {
                    let org = state.orgs.entry(info.org.clone()).or_default();
                    org.add(now.epoch(info, EpochKey::Wrapped(wrapped)));
                }
            }
        }
        drop(state);
        match keyring.retire(&mut TickReport::default()) {
            None => Ok(keyring),
            Some(error) => Err(error),
        }
    }

    /// Calls this between the writing of an epoch's file and its use, where crash tests let the process die.
    #[must_use]
    pub fn when_written(mut self, written: impl Fn() + Send + Sync + 'static) -> Self {
        self.written = Some(Box::new(written));
        self
    }

    /// Makes the first key of an organisation, registers it and returns its version and wrapped bytes for the
    /// store.
    pub async fn create_org(&self, org: &OrgId) -> Result<(u32, Vec<u8>), KeyringError> {
        self.new_version(org, 1).await
    }

    /// Makes the next key of an organisation, registers it and returns its version and wrapped bytes for the
    /// store. Fields sealed before stay readable while the older version is registered.
    pub async fn rotate_org(&self, org: &OrgId) -> Result<(u32, Vec<u8>), KeyringError> {
        let newest = self.newest_version(org)?;
        self.new_version(org, newest + 1).await
    }

    async fn new_version(&self, org: &OrgId, version: u32) -> Result<(u32, Vec<u8>), KeyringError> {
        let key = Key32::random(self.random.as_ref());
        let wrapped = self.service.wrap(org, &key).await?;
        let unwrapped = Some((Arc::new(Root::new(key)), self.now().monotonic_ms));
        let entry = OrgKey { wrapped: wrapped.clone(), unwrapped };
        self.write().orgs.entry(org.clone()).or_default().versions.insert(version, entry);
        Ok((version, wrapped))
    }

    /// Makes a stored key known. Does not ask the key service.
    pub fn register(&self, org: &OrgId, version: u32, wrapped: Vec<u8>) {
        let entry = OrgKey { wrapped, unwrapped: None };
        self.write().orgs.entry(org.clone()).or_default().versions.insert(version, entry);
    }

    /// Wraps a registered key again under the newest root key, for the store; `None` where it is already. For
    /// rotating the root key.
    pub async fn rewrap(&self, org: &OrgId, version: u32) -> Result<Option<Vec<u8>>, KeyringError> {
        let unknown = || KeyringError::UnknownOrg { org: org.clone() };
        let current = {
            let state = self.read();
            let entry = state.orgs.get(org).and_then(|it| it.versions.get(&version)).ok_or_else(unknown)?;
            self.service.is_current(&entry.wrapped)
        };
        if current {
            return Ok(None);
        }
        let key = self.org_key(org, version).await?;
        let wrapped = self.service.wrap(org, &key).await?;
        if let Some(entry) = self.write().orgs.get_mut(org).and_then(|it| it.versions.get_mut(&version)) {
            entry.wrapped.clone_from(&wrapped);
        }
        Ok(Some(wrapped))
    }

    /// Forgets a version of an organisation's key, once nothing in the store needs it.
    pub fn forget_version(&self, org: &OrgId, version: u32) {
        if let Some(org) = self.write().orgs.get_mut(org) {
            org.versions.remove(&version);
        }
    }

    /// Deletes an organisation's keys: forgets them and destroys its epochs at once. The store deletes the
    /// wrapped bytes first, rows after.
    pub fn destroy_org(&self, org: &OrgId) -> Result<Vec<EpochInfo>, KeyringError> {
        let mut state = self.write();
        if let Some(gone) = state.orgs.remove(org) {
            state.dying.extend(gone.epochs.into_iter().map(|epoch| epoch.info));
        }
        drop(state);
        let mut report = TickReport::default();
        match self.retire(&mut report) {
            None => Ok(report.destroyed),
            Some(error) => Err(error),
        }
    }

    /// Seals a field under the newest key of its organisation.
    pub async fn field_seal(&self, field: &FieldRef<'_>, plain: &[u8]) -> Result<Vec<u8>, KeyringError> {
        let version = self.newest_version(field.org)?;
        let key = self.org_key(field.org, version).await?;
        Ok(field::seal(field, version, &key, plain, self.random.as_ref()))
    }

    /// Opens a field, under whichever registered key it was sealed with.
    pub async fn field_open(&self, field: &FieldRef<'_>, sealed: &[u8]) -> Result<Content, KeyringError> {
        let tampered = |_: Tampered| tampered(field);
        let version = field::key_version(sealed).map_err(tampered)?;
        let key = match self.org_key(field.org, version).await {
            // A version that never was is as likely a flipped bit as a lost key; the organisation itself is
            // known.
            Err(KeyringError::UnknownOrg { .. }) if self.newest_version(field.org).is_ok() => {
                return Err(tampered(Tampered));
            }
            other => other?,
        };
        field::open(field, &key, sealed).map_err(tampered)
    }

    /// The digest to store beside a sealed field, so that it can be looked up, under the newest key. Equal
    /// for equal bytes within one organisation and purpose only.
    pub async fn digest(&self, org: &OrgId, purpose: &str, bytes: &[u8]) -> Result<[u8; 32], KeyringError> {
        let key = self.org_key(org, self.newest_version(org)?).await?;
        Ok(key.digest("look-up", purpose, bytes))
    }

    /// All digests that rows may hold while keys rotate, newest first.
    pub async fn digests(
        &self,
        org: &OrgId,
        purpose: &str,
        bytes: &[u8],
    ) -> Result<Vec<[u8; 32]>, KeyringError> {
        let versions: Vec<u32> = {
            let state = self.read();
            state.orgs.get(org).map(|it| it.versions.keys().rev().copied().collect()).unwrap_or_default()
        };
        let mut digests = Vec::with_capacity(versions.len());
        for version in versions {
            digests.push(self.org_key(org, version).await?.digest("look-up", purpose, bytes));
        }
        Ok(digests)
    }

    /// Seals an event under the organisation's current epoch. The record goes to the store, the secret to the
    /// slot file.
    pub fn seal_event(
        &self,
        header: &EventHeader,
        content: &Content,
        secret: FreshSecret,
    ) -> Result<(SealedRecord, SlotSecret), KeyringError> {
        let (epoch, key) =
            self.current(&header.org).ok_or_else(|| KeyringError::NoEpoch { org: header.org.clone() })?;
        Ok(event::seal(epoch, &key, header, content, secret))
    }

    /// Opens an event that has to be the one that `expected` (from its row) names. `secret` is what the slot
    /// file gave.
    pub fn open_event(
        &self,
        expected: &EventHeader,
        record: &SealedRecord,
        secret: Option<&SlotSecret>,
    ) -> Result<Content, OpenError> {
        event::open(expected, record, secret, |epoch| self.epoch_key(&expected.org, epoch))
    }

    /// The epoch that events are sealed in now, if one is ready.
    pub fn current_epoch(&self, org: &OrgId) -> Option<EpochId> {
        self.current(org).map(|(epoch, _)| epoch)
    }

    /// A keyed digest of content that dies with its epoch, to tell whether a text changed.
    pub fn fingerprint(&self, org: &OrgId, epoch: EpochId, bytes: &[u8]) -> Result<[u8; 32], OpenError> {
        Ok(self.epoch_key(org, epoch)?.digest("fingerprint", org.as_str(), bytes))
    }

    /// Destroys epochs that are over, makes the next ones ahead of time, unlocks those found at start,
    /// forgets organisation keys unwrapped minutes ago. Call it every half minute at the latest.
    pub async fn tick(&self) -> TickReport {
        let mut report = TickReport::default();
        report.not_destroyed = self.retire(&mut report);
        let orgs: Vec<OrgId> = self
            .read()
            .orgs
            .iter()
            .filter(|(_, it)| !it.versions.is_empty())
            .map(|(org, _)| org.clone())
            .collect();
        let mut made = Vec::new();
        for org in orgs {
            if let Err(error) = self.unlock_epochs(&org).await {
                report.failed.push((org.clone(), error));
            }
            match self.make_next(&org).await {
                Ok(next) => made.extend(next),
                Err(error) => report.failed.push((org, error)),
            }
        }
        match self.keep(made) {
            Ok(created) => report.created = created,
            Err((orgs, error)) => {
                // One cause for all of them; it is told once, with the first organisation.
                report.failed.extend(orgs.into_iter().next().map(|org| (org, error)));
            }
        }
        self.forget_org_keys();
        report
    }

    /// What [`Keyring::tick`] does for one organisation: makes it ready to seal events, at once after it was
    /// created.
    pub async fn ready(&self, org: &OrgId) -> Result<(), KeyringError> {
        self.unlock_epochs(org).await?;
        let made = self.make_next(org).await?;
        self.keep(made.into_iter().collect()).map(|_| ()).map_err(|(_, error)| error)
    }

    /// Whether [`Keyring::seal_event`] would work for every registered organisation.
    pub fn is_ready(&self) -> bool {
        let now = self.now();
        let state = self.read();
        state.orgs.values().filter(|it| !it.versions.is_empty()).all(|org| {
            org.epochs.iter().any(|epoch| !epoch.is_closed(now) && matches!(epoch.key, EpochKey::Open(_)))
        })
    }

    fn current(&self, org: &OrgId) -> Option<(EpochId, Arc<Root>)> {
        let now = self.now();
        let state = self.read();
        state.orgs.get(org)?.epochs.iter().find_map(|epoch| match &epoch.key {
            EpochKey::Open(key) if !epoch.is_closed(now) => Some((epoch.info.id, Arc::clone(key))),
            _ => None,
        })
    }

    fn epoch_key(&self, org: &OrgId, id: EpochId) -> Result<Arc<Root>, OpenError> {
        let now = self.now();
        let state = self.read();
        let epochs = state.orgs.get(org).map(|it| it.epochs.as_slice()).unwrap_or_default();
        match epochs.iter().find(|epoch| epoch.info.id == id && !epoch.is_over(now)).map(|epoch| &epoch.key) {
            None => Err(OpenError::EpochGone),
            Some(EpochKey::Open(key)) => Ok(Arc::clone(key)),
            Some(EpochKey::Wrapped(_)) => Err(OpenError::EpochLocked),
            Some(EpochKey::Unusable) => Err(OpenError::Tampered(Tampered)),
        }
    }

    /// Forgets keys of epochs that are over and destroys their files.
    fn retire(&self, report: &mut TickReport) -> Option<KeyringError> {
        let now = self.now();
        let mut guard = self.write();
        let state = &mut *guard;
        for org in state.orgs.values_mut() {
            state.dying.extend(org.epochs.extract_if(.., |epoch| epoch.is_over(now)).map(|epoch| epoch.info));
        }
        state.orgs.retain(|_, org| !(org.versions.is_empty() && org.epochs.is_empty()));
        let dying = std::mem::take(&mut state.dying);
        let broken = std::mem::take(&mut state.broken);
        drop(guard);
        let destroyed =
            self.folder.destroy(&dying).and_then(|()| self.folder.destroy_files(broken.iter().cloned()));
        match destroyed {
            Ok(()) => {
                report.destroyed.extend(dying);
                None
            }
            Err(source) => {
                let mut state = self.write();
                state.dying.extend(dying);
                state.broken.extend(broken);
                Some(KeyringError::Folder { action: "cleared of old keys", source })
            }
        }
    }

    /// Unwraps epochs found at start.
    async fn unlock_epochs(&self, org: &OrgId) -> Result<(), KeyringError> {
        let locked: Vec<(EpochInfo, Vec<u8>)> = {
            let state = self.read();
            let epochs = state.orgs.get(org).map(|it| it.epochs.as_slice()).unwrap_or_default();
            let locked = epochs.iter().filter_map(|epoch| match &epoch.key {
                EpochKey::Wrapped(wrapped) => Some((epoch.info.clone(), wrapped.clone())),
                _ => None,
            });
            locked.collect()
        };
        let mut first_error = None;
        for (info, wrapped) in locked {
            let row = info.row();
            let field = FieldRef { org, purpose: EPOCH_PURPOSE, row: &row };
            let opened = match field::key_version(&wrapped) {
                Err(Tampered) => Err(Tampered),
                Ok(version) => match self.org_key(org, version).await {
                    Ok(key) => field::open_key(&field, &key, &wrapped),
                    Err(KeyringError::UnknownOrg { .. }) => Err(Tampered),
                    Err(error) => return Err(error),
                },
            };
            let key = if let Ok(key) = opened {
                EpochKey::Open(Arc::new(Root::new(key)))
            } else {
                first_error.get_or_insert_with(|| tampered(&field));
                EpochKey::Unusable
            };
            let mut state = self.write();
            let epochs = state.orgs.get_mut(org).map(|it| it.epochs.as_mut_slice()).unwrap_or_default();
            if let Some(epoch) = epochs.iter_mut().find(|epoch| epoch.info.id == info.id) {
                epoch.key = key;
            }
        }
        first_error.map_or(Ok(()), Err)
    }

    /// The next epoch, if it is time for it; not yet written anywhere.
    async fn make_next(&self, org: &OrgId) -> Result<Option<(EpochInfo, Vec<u8>, Key32)>, KeyringError> {
        let now = self.now();
        let last_end = self.read().orgs.get(org).and_then(|it| it.last_end(now));
        let Some((starts_ms, ends_ms)) = self.policy.next(now.wall_ms, last_end) else {
            return Ok(None);
        };
        let version = self.newest_version(org)?;
        let org_key = self.org_key(org, version).await?;
        let mut id = [0; 8];
        self.random.fill(&mut id);
        let info = EpochInfo { id: EpochId(u64::from_be_bytes(id)), org: org.clone(), starts_ms, ends_ms };
        let key = Key32::random(self.random.as_ref());
        let row = info.row();
        let field = FieldRef { org, purpose: EPOCH_PURPOSE, row: &row };
        let wrapped = field::seal(&field, version, &org_key, key.expose(), self.random.as_ref());
        Ok(Some((info, wrapped, key)))
    }

    /// Writes new epochs to the key folder, then makes them usable.
    fn keep(
        &self,
        made: Vec<(EpochInfo, Vec<u8>, Key32)>,
    ) -> Result<Vec<EpochInfo>, (Vec<OrgId>, KeyringError)> {
        if made.is_empty() {
            return Ok(Vec::new());
        }
        let written = self.folder.write(made.iter().map(|(info, wrapped, _)| (info, wrapped.as_slice())));
        if let Some(written) = &self.written {
            written();
        }
        let now = self.now();
        let mut state = self.write();
        if let Err(source) = written {
            let infos: Vec<EpochInfo> = made.into_iter().map(|(info, ..)| info).collect();
            let orgs = infos.iter().map(|info| info.org.clone()).collect();
            // Some of them may have been written; none was used.
            state.dying.extend(infos);
            return Err((orgs, KeyringError::Folder { action: "given new keys", source }));
        }
        let mut created = Vec::with_capacity(made.len());
        for (info, _, key) in made {
            match state.orgs.get_mut(&info.org).filter(|org| !org.versions.is_empty()) {
                Some(org) => {
                    org.add(now.epoch(info.clone(), EpochKey::Open(Arc::new(Root::new(key)))));
                    created.push(info);
                }
                // The organisation was deleted meanwhile.
                None => state.dying.push(info),
            }
        }
        Ok(created)
    }

    fn newest_version(&self, org: &OrgId) -> Result<u32, KeyringError> {
        let state = self.read();
        let newest = state.orgs.get(org).and_then(|it| it.versions.last_key_value());
        newest.map(|(version, _)| *version).ok_or_else(|| KeyringError::UnknownOrg { org: org.clone() })
    }

    async fn org_key(&self, org: &OrgId, version: u32) -> Result<Arc<Root>, KeyringError> {
        let now_ms = self.now().monotonic_ms;
        let wrapped = {
            let state = self.read();
            let entry = state
                .orgs
                .get(org)
                .and_then(|it| it.versions.get(&version))
                .ok_or_else(|| KeyringError::UnknownOrg { org: org.clone() })?;
            match &entry.unwrapped {
                Some((key, since)) if now_ms - since < ORG_KEY_TTL_MS => return Ok(Arc::clone(key)),
                _ => entry.wrapped.clone(),
            }
        };
        let key = Arc::new(Root::new(self.service.unwrap(org, &wrapped).await?));
        if let Some(entry) = self.write().orgs.get_mut(org).and_then(|it| it.versions.get_mut(&version)) {
            entry.unwrapped = Some((Arc::clone(&key), now_ms));
        }
        Ok(key)
    }

    fn forget_org_keys(&self) {
        let now_ms = self.now().monotonic_ms;
        for entry in self.write().orgs.values_mut().flat_map(|org| org.versions.values_mut()) {
            entry.unwrapped.take_if(|(_, since)| now_ms - *since >= ORG_KEY_TTL_MS);
        }
    }

    fn now(&self) -> Now {
        Now { wall_ms: self.clock.now_ms(), monotonic_ms: self.clock.monotonic_ms() }
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        // Every change under the lock leaves the maps whole, so a panic elsewhere does not spoil them.
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn tampered(field: &FieldRef<'_>) -> KeyringError {
    KeyringError::Tampered {
        org: field.org.clone(),
        purpose: field.purpose.to_owned(),
        row: field.row.to_owned(),
    }
}
