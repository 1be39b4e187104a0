//! Failures of the relay's own workings, as opposed to those of platforms.

use dragoman_model::Code;
use dragoman_model::codes;
use dragoman_seal::{KeyringError, OpenError, SlotError};
use dragoman_store::StoreError;

/// Why the relay could not go on.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A key cannot be had.
    #[error(transparent)]
    Keys(#[from] KeyringError),
    /// The slot file failed.
    #[error(transparent)]
    Slots(#[from] SlotError),
    /// The slot file failed while a batch was written.
    #[error("{0}")]
    SlotFile(String),
    /// A sealed event does not open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Something sealed is not the text it must be.
    #[error("a sealed {0} is damaged; restore it from a backup or set it again")]
    Damaged(&'static str),
    /// The gateway is stopping.
    #[error("the gateway is stopping")]
    Stopping,
}

impl RelayError {
    /// The code that operators look up.
    pub fn code(&self) -> Code {
        match self {
            Self::Store(StoreError::Disk { .. }) | Self::Slots(_) | Self::SlotFile(_) => codes::DISK,
            Self::Store(StoreError::NewerSchema { .. }) => codes::NEWER_SCHEMA,
            Self::Store(StoreError::Locked { .. }) => codes::LOCKED,
            Self::Store(_) | Self::Stopping => codes::NOT_DURABLE,
            Self::Keys(_) | Self::Open(OpenError::EpochLocked) => codes::KEYS_UNAVAILABLE,
            Self::Open(OpenError::EpochGone | OpenError::SlotErased) => codes::KEY_GONE,
            Self::Open(OpenError::WrongOrg | OpenError::WrongPlace | OpenError::Tampered(_))
            | Self::Damaged(_) => codes::TAMPERED,
        }
    }
}
