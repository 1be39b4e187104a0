//! Encryption of everything that rests, and the keys for it: sealed events, epochs, secret slots, sealed
//! fields, locked key memory, the zeroing allocator. The only crate with `unsafe` in it.

mod alloc;
mod disk;
pub mod envelope;
mod epochs;
mod event;
mod field;
pub mod hygiene;
mod keyring;
mod keyservice;
mod local;
mod locked;
mod random;
mod secret;
mod slots;
mod spool;

pub use alloc::ZeroingAlloc;
pub use disk::StdDisk;
pub use envelope::Tampered;
pub use epochs::{BadEpochLength, EpochId, EpochInfo, EpochPolicy};
pub use event::{EventHeader, OpenError, SealedRecord};
pub use field::FieldRef;
pub use keyring::{Keyring, KeyringError, TickReport};
pub use keyservice::{KeyService, KeyServiceError};
pub use local::{KeyFileError, LocalKeys};
pub use locked::{Protection, protection};
pub use random::SystemRandom;
pub use secret::{Content, ContentString, Key32, Token, equal};
pub use slots::{FreshSecret, SLOT_LEN, SlotError, SlotLimits, SlotSecret, SlotStore};
pub use spool::{Spool, SpoolReader, SpoolWriter};
