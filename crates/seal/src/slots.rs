//! The slot file: 32-byte message secrets, outside the database, each erasable by one small write.
//!
//! Deleting a row does not delete its bytes: a database keeps them in its log, its free pages and its
//! backups. Erasing the secret that the row's key is derived from does.
//!
//! The file is an array of 64-byte slots, preallocated segment by segment so that writing a secret changes no
//! file metadata:
//!
//! ```text
//! 0..32 secret · 32..36 generation (big-endian, never 0) · 36..64 check: SHA-256 of slot number, secret, generation, cut to 28 bytes
//! ```
//!
//! An erased slot is 64 zeroes. A slot whose check is wrong was torn by a power cut before it was synced, so
//! nothing acknowledged depends on it: it reads as erased. A [`SlotId`] holds the slot's number (40 bits) and
//! the generation (23 bits, random per reservation), so that an id kept too long does not read its
//! successor's secret.
//!
//! Everything blocks. The caller gathers what has come up and passes it as one batch: one sync each.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_lc_rs::digest;
use dragoman_model::disk::{Disk, DiskFile};
use dragoman_model::{Random, SlotId};
use zeroize::Zeroizing;

use crate::secret::equal;

/// Bytes per slot.
pub const SLOT_LEN: usize = 64;
const NUMBER_BITS: u32 = 40;
const GENERATION_MASK: u32 = (1 << 23) - 1;

/// The secret of one message: the salt of its key. Overwritten in memory when dropped.
pub struct SlotSecret(Zeroizing<[u8; 32]>);

impl SlotSecret {
    /// Takes given bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes. Whoever calls this answers for where they go.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// A second copy, on purpose: one for the slot file, one handed on in memory.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        Self::new(*self.0)
    }
}

/// A secret that nothing was sealed under yet. One use, so that no key is ever used twice; its way to the disk may begin
/// before.
pub struct FreshSecret(SlotSecret);

impl FreshSecret {
    /// Makes one.
    pub fn random(random: &dyn Random) -> Self {
        let mut secret = Zeroizing::new([0; 32]);
        random.fill(secret.as_mut());
        Self(SlotSecret(secret))
    }

    /// What goes into the slot.
    pub fn to_write(&self) -> SlotSecret {
        self.0.duplicate()
    }

    /// Now it is used.
    pub(crate) fn into_used(self) -> SlotSecret {
        self.0
    }
}

/// What can go wrong with the slot file.
#[derive(Debug, thiserror::Error)]
pub enum SlotError {
    /// The limit on messages in flight is reached. Nothing was reserved; refuse the delivery with 503.
    #[error("all {limit} message slots are in use; the platform will send the message again")]
    Full {
        /// The configured number of slots.
        limit: u64,
    },
    /// The disk failed. Nobody knows what is in the slots concerned: erase them.
    #[error("the slot file '{path}' failed while {action}; check that its disk is not full and in order")]
    Disk {
        /// Relative to its disk.
        path: String,
        /// What was being done.
        action: &'static str,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// A secret was to be written into a slot that is not reserved for it: a mistake in the caller.
    #[error("slot {slot} is not reserved for the secret that was to be written into it; please report this")]
    NotReserved {
        /// The slot's number.
        slot: u64,
    },
    /// An earlier write or sync failed; see [`SlotError::Disk`].
    #[error(
        "the slot file '{path}' failed earlier and takes no writes; restart to recover from what is on the disk"
    )]
    Failed {
        /// Relative to its disk.
        path: String,
    },
}

/// Sizes of the slot file.
#[derive(Clone, Copy, Debug)]
pub struct SlotLimits {
    /// Slots added at a time.
    pub segment: u64,
    /// Slots at most, so messages in flight at most.
    pub limit: u64,
}

impl Default for SlotLimits {
    /// 1 MiB at a time, 64 MiB (a million messages in flight) at most.
    fn default() -> Self {
        Self { segment: 16 * 1024, limit: 1024 * 1024 }
    }
}

/// The slot file. All methods take `&self` and may be called from any thread.
pub struct SlotStore {
    file: Box<dyn DiskFile>,
    path: String,
    random: Arc<dyn Random>,
    limits: SlotLimits,
    failed: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Slots in the file.
    len: u64,
    /// Numbers of slots that are zero on disk and belong to nobody. Lowest first, so that a batch is one run
    /// of the file.
    free: BTreeSet<u64>,
    /// All other slots with the generation that they were reserved for; `None` where recovery found a torn
    /// one.
    used: BTreeMap<u64, Option<u32>>,
    /// Numbers among `used` that recovery found and nobody has decided on yet.
    found: BTreeSet<u64>,
}

impl State {
    /// Whether this id, and no later one for the same slot, holds the slot.
    fn holds(&self, slot: SlotId) -> bool {
        self.used.get(&number(slot)) == Some(&Some(generation(slot)))
    }

    fn give_back(&mut self, numbers: impl IntoIterator<Item = u64>) {
        for number in numbers {
            if self.used.remove(&number).is_some() {
                self.found.remove(&number);
                self.free.insert(number);
            }
        }
    }
}

impl SlotStore {
    /// Opens or creates the file and reads which slots are in use. Call [`SlotStore::erase_unnamed`] next.
    pub fn open(
        disk: &dyn Disk,
        path: &str,
        limits: SlotLimits,
        random: Arc<dyn Random>,
    ) -> Result<Self, SlotError> {
        let failing = |action| move |source| SlotError::Disk { path: path.to_owned(), action, source };
        let file = disk.open(path).map_err(failing("opening"))?;
        disk.sync_dir(path.rsplit_once('/').map_or("", |(dir, _)| dir)).map_err(failing("creating"))?;
        let state = scan(file.as_ref()).map_err(failing("reading"))?;
        Ok(Self {
            file,
            path: path.to_owned(),
            random,
            limits,
            failed: AtomicBool::new(false),
            state: Mutex::new(state),
        })
    }

    /// Reserves a slot for a message about to be written. Adds a segment to the file when none is free
    /// (milliseconds), else touches memory only.
    pub fn reserve(&self) -> Result<SlotId, SlotError> {
        self.usable()?;
        let mut state = self.lock();
        if state.free.is_empty() {
            self.grow(&mut state)?;
        }
        let number = state.free.pop_first().ok_or(SlotError::Full { limit: self.limits.limit })?;
        let mut generation = [0; 4];
        self.random.fill(&mut generation);
        let generation = (u32::from_be_bytes(generation) & GENERATION_MASK).max(1);
        state.used.insert(number, Some(generation));
        Ok(slot_id(number, generation))
    }

    /// Gives back slots that were reserved and never written.
    pub fn release(&self, slots: impl IntoIterator<Item = SlotId>) {
        let mut state = self.lock();
        let held: Vec<_> = slots.into_iter().filter(|slot| state.holds(*slot)).map(number).collect();
        state.give_back(held);
    }

    /// Writes secrets into reserved slots and syncs once. When it returns, they last. Where it fails, erase
    /// the slots rather than release them.
    pub fn write_batch(&self, secrets: &[(SlotId, &SlotSecret)]) -> Result<(), SlotError> {
        let state = self.lock();
        if let Some((slot, _)) = secrets.iter().find(|(slot, _)| !state.holds(*slot)) {
            return Err(SlotError::NotReserved { slot: number(*slot) });
        }
        drop(state);
        let mut slots: Vec<_> =
            secrets.iter().map(|(id, secret)| (number(*id), encode(*id, secret))).collect();
        self.put(&mut slots, "writing secrets")
    }

    /// Overwrites slots with zeroes and syncs once. When it returns, their secrets are gone from the file and
    /// the slots are free again. Slots that were erased before are passed over, whoever holds them now.
    pub fn erase_batch(&self, slots: &[SlotId]) -> Result<(), SlotError> {
        let state = self.lock();
        let held = slots.iter().copied().filter(|slot| state.holds(*slot)).map(number).collect();
        drop(state);
        self.erase_numbers(held)
    }

    /// The secret in a slot; `None` where it was erased, never written, torn, or belongs to another message
    /// by now.
    pub fn read(&self, slot: SlotId) -> Result<Option<SlotSecret>, SlotError> {
        let mut raw = Zeroizing::new([0; SLOT_LEN]);
        let read = self
            .file
            .read_at(raw.as_mut(), number(slot) * SLOT_LEN as u64)
            .map_err(|source| self.disk_error("reading", source))?;
        if read < SLOT_LEN || decode(number(slot), &raw) != Some(generation(slot)) {
            return Ok(None);
        }
        let mut secret = Zeroizing::new([0; 32]);
        secret.copy_from_slice(&raw[..32]);
        Ok(Some(SlotSecret(secret)))
    }

    /// Recovery: erases every slot found at opening that no row names, torn ones included, and returns how
    /// many that were. Call it before the first reservation is written.
    pub fn erase_unnamed(&self, named: &BTreeSet<SlotId>) -> Result<usize, SlotError> {
        let mut state = self.lock();
        let named = |number, generation: Option<u32>| {
            generation.is_some_and(|it| named.contains(&slot_id(number, it)))
        };
        let unnamed: BTreeSet<u64> = std::mem::take(&mut state.found)
            .into_iter()
            .filter(|number| !named(*number, state.used.get(number).copied().flatten()))
            .collect();
        drop(state);
        let count = unnamed.len();
        self.erase_numbers(unnamed)?;
        Ok(count)
    }

    /// Slots that are neither free nor beyond the end of the file: messages in flight.
    pub fn in_use(&self) -> u64 {
        self.lock().used.len() as u64
    }

    fn erase_numbers(&self, numbers: BTreeSet<u64>) -> Result<(), SlotError> {
        let mut slots: Vec<_> =
            numbers.iter().map(|number| (*number, Zeroizing::new([0; SLOT_LEN]))).collect();
        self.put(&mut slots, "erasing secrets")?;
        self.lock().give_back(numbers);
        Ok(())
    }

    fn put(
        &self,
        slots: &mut [(u64, Zeroizing<[u8; SLOT_LEN]>)],
        action: &'static str,
    ) -> Result<(), SlotError> {
        self.usable()?;
        if slots.is_empty() {
            return Ok(());
        }
        slots.sort_unstable_by_key(|(number, _)| *number);
        for run in slots.chunk_by(|(a, _), (b, _)| a + 1 == *b) {
            let mut bytes = Zeroizing::new(Vec::with_capacity(run.len() * SLOT_LEN));
            for (_, slot) in run {
                bytes.extend_from_slice(slot.as_ref());
            }
            self.file
                .write_at(&bytes, run[0].0 * SLOT_LEN as u64)
                .map_err(|source| self.disk_error(action, source))?;
        }
        self.file.sync().map_err(|source| self.fail(action, source))
    }

    fn grow(&self, state: &mut State) -> Result<(), SlotError> {
        let add = self.limits.segment.min(self.limits.limit.saturating_sub(state.len));
        let bytes = add * SLOT_LEN as u64;
        if bytes == 0 {
            return Err(SlotError::Full { limit: self.limits.limit });
        }
        // Written, not only lengthened: a hole would be allocated under the first secret's sync.
        // A full disk stops growth only: erasing what is there needs no more room.
        let action = "adding a segment";
        self.file
            .fill(state.len * SLOT_LEN as u64, bytes)
            .map_err(|source| self.disk_error(action, source))?;
        self.file.sync().map_err(|source| self.fail(action, source))?;
        state.free.extend(state.len..state.len + add);
        state.len += add;
        Ok(())
    }

    fn usable(&self) -> Result<(), SlotError> {
        if self.failed.load(Ordering::Acquire) {
            Err(SlotError::Failed { path: self.path.clone() })
        } else {
            Ok(())
        }
    }

    fn fail(&self, action: &'static str, source: io::Error) -> SlotError {
        self.failed.store(true, Ordering::Release);
        self.disk_error(action, source)
    }

    fn disk_error(&self, action: &'static str, source: io::Error) -> SlotError {
        SlotError::Disk { path: self.path.clone(), action, source }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The sets are changed by single calls that leave them whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn slot_id(number: u64, generation: u32) -> SlotId {
    SlotId(u64::from(generation) << NUMBER_BITS | number)
}

fn number(slot: SlotId) -> u64 {
    slot.0 & ((1 << NUMBER_BITS) - 1)
}

fn generation(slot: SlotId) -> u32 {
    u32::try_from(slot.0 >> NUMBER_BITS).unwrap_or(0)
}

fn check(number: u64, secret: &[u8], generation: &[u8]) -> digest::Digest {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(&number.to_be_bytes());
    context.update(secret);
    context.update(generation);
    context.finish()
}

fn encode(slot: SlotId, secret: &SlotSecret) -> Zeroizing<[u8; SLOT_LEN]> {
    let mut raw = Zeroizing::new([0; SLOT_LEN]);
    let generation = generation(slot).to_be_bytes();
    raw[..32].copy_from_slice(secret.expose());
    raw[32..36].copy_from_slice(&generation);
    raw[36..].copy_from_slice(&check(number(slot), secret.expose(), &generation).as_ref()[..28]);
    raw
}

/// The generation of a whole slot.
fn decode(number: u64, raw: &[u8; SLOT_LEN]) -> Option<u32> {
    let generation = u32::from_be_bytes([raw[32], raw[33], raw[34], raw[35]]);
    let whole = generation != 0 && equal(&check(number, &raw[..32], &raw[32..36]).as_ref()[..28], &raw[36..]);
    whole.then_some(generation)
}

fn scan(file: &dyn DiskFile) -> io::Result<State> {
    let mut state = State::default();
    let mut buffer = Zeroizing::new(vec![0; 16 * 1024 * SLOT_LEN]);
    loop {
        let read = file.read_at(&mut buffer, state.len * SLOT_LEN as u64)?;
        // Less than a slot at the end is growth cut short by a crash; growing again overwrites it.
        let (slots, _) = buffer[..read].as_chunks::<SLOT_LEN>();
        for raw in slots {
            if raw == &[0; SLOT_LEN] {
                state.free.insert(state.len);
            } else {
                state.used.insert(state.len, decode(state.len, raw));
                state.found.insert(state.len);
            }
            state.len += 1;
        }
        if read < buffer.len() {
            return Ok(state);
        }
    }
}
