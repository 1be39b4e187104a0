//! Message secrets, written and erased in batches on a thread of their own, beside the committer's.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use dragoman_model::SlotId;
use dragoman_seal::{SlotError, SlotSecret, SlotStore};
use dragoman_store::{Batcher, Begun};

use crate::error::RelayError;

enum Work {
    Write(Vec<(SlotId, SlotSecret)>),
    Erase(Vec<SlotId>),
}

/// Secrets on their way into their slots.
#[must_use]
pub struct Writing(Begun<Result<(), String>>);

impl Writing {
    /// When it returns well, they last.
    pub async fn end(self) -> Result<(), RelayError> {
        self.0.answer().await.map_err(|_| RelayError::Stopping)?.map_err(RelayError::SlotFile)
    }
}

/// The slot file as the relay uses it.
#[derive(Clone)]
pub struct Slots {
    file: Arc<SlotStore>,
    writer: Arc<Batcher<Work, Result<(), String>>>,
    /// Slots to erase with the next sweep.
    settled: Arc<Mutex<Vec<SlotId>>>,
}

impl Slots {
    /// Writes on a thread of its own.
    pub fn threaded(file: Arc<SlotStore>) -> std::io::Result<Self> {
        let writer = Batcher::spawn("slots", write_with(Arc::clone(&file)))?;
        Ok(Self { file, writer: Arc::new(writer), settled: Arc::default() })
    }

    /// Writes on the caller's thread, for simulations.
    pub fn inline(file: Arc<SlotStore>) -> Self {
        let writer = Batcher::inline(write_with(Arc::clone(&file)));
        Self { file, writer: Arc::new(writer), settled: Arc::default() }
    }

    /// A free slot.
    pub fn reserve(&self) -> Result<SlotId, SlotError> {
        self.file.reserve()
    }

    /// Begins to write secrets into reserved slots.
    pub fn begin(&self, secrets: Vec<(SlotId, SlotSecret)>) -> Writing {
        Writing(self.writer.begin(Work::Write(secrets)))
    }

    /// The secret in a slot; `None` when it is erased.
    pub fn read(&self, slot: SlotId) -> Result<Option<SlotSecret>, SlotError> {
        self.file.read(slot)
    }

    /// Marks slots for erasure; [`Slots::sweep`] erases them within a second.
    pub fn erase(&self, slots: Vec<SlotId>) {
        self.settled.lock().unwrap_or_else(PoisonError::into_inner).extend(slots);
    }

    /// Whether anything is marked for erasure.
    pub(crate) fn to_erase(&self) -> bool {
        !self.settled.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Erases what was marked, durably. Returns how many.
    pub async fn sweep(&self) -> Result<usize, RelayError> {
        let slots = std::mem::take(&mut *self.settled.lock().unwrap_or_else(PoisonError::into_inner));
        if slots.is_empty() {
            return Ok(0);
        }
        let erased = self.writer.call(Work::Erase(slots.clone())).await.map_err(|_| RelayError::Stopping)?;
        match erased {
            Ok(()) => Ok(slots.len()),
            Err(error) => {
                self.erase(slots);
                Err(RelayError::SlotFile(error))
            }
        }
    }

    /// Recovery: erases every slot that no row names.
    pub fn erase_unnamed(&self, named: Vec<SlotId>) -> Result<usize, RelayError> {
        let named: BTreeSet<SlotId> = named.into_iter().collect();
        Ok(self.file.erase_unnamed(&named)?)
    }

    /// Slots in use.
    pub fn in_use(&self) -> u64 {
        self.file.in_use()
    }
}

fn write_with(file: Arc<SlotStore>) -> impl FnMut(Vec<Work>) -> Vec<Result<(), String>> + Send + 'static {
    move |requests| {
        let mut writes: Vec<(SlotId, &SlotSecret)> = Vec::new();
        let mut erasures: Vec<SlotId> = Vec::new();
        for request in &requests {
            match request {
                Work::Write(secrets) => writes.extend(secrets.iter().map(|(slot, secret)| (*slot, secret))),
                Work::Erase(slots) => erasures.extend(slots),
            }
        }
        let written = if writes.is_empty() { Ok(()) } else { file.write_batch(&writes) };
        let written = written.map_err(|error| error.to_string());
        let erased = if erasures.is_empty() { Ok(()) } else { file.erase_batch(&erasures) };
        let erased = erased.map_err(|error| error.to_string());
        requests
            .iter()
            .map(|request| match request {
                Work::Write(_) => written.clone(),
                Work::Erase(_) => erased.clone(),
            })
            .collect()
    }
}
