//! Sealed events: a message as its platform sent it, under a key that two other places hold half of each.
//!
//! The record goes to the database, its salt (the [`SlotSecret`]) to the slot file, the epoch key lies in the
//! key folder. See [`crate::envelope`] for the format.

use std::sync::Arc;

use dragoman_model::{EventId, OrgId};

use crate::envelope::{self, HeaderWriter, Reader, Tampered};
use crate::epochs::EpochId;
use crate::field::Root;
use crate::secret::{Content, Key32};
use crate::slots::{FreshSecret, SlotSecret};

const PURPOSE: &str = "event";

/// What an event is bound to. Opening needs the same header, as the row has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventHeader {
    /// Whose it is.
    pub org: OrgId,
    /// The source conversation's id, or the installation's for the control lane.
    pub lane: Box<str>,
    /// The event's id.
    pub event: EventId,
    /// When it was received, milliseconds since 1970, UTC.
    pub received_at_ms: i64,
}

impl EventHeader {
    fn encode(&self, epoch: EpochId) -> Vec<u8> {
        HeaderWriter::new(PURPOSE, self.org.as_str())
            .text(&self.lane)
            .text(self.event.as_str())
            .bytes(epoch.0.to_be_bytes())
            .bytes(self.received_at_ms.to_be_bytes())
            .finish()
    }
}

/// A sealed event, as it is stored. Tells nothing without epoch key and slot secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedRecord(Vec<u8>);

impl SealedRecord {
    /// Takes the bytes of a stored record. They are judged when it is opened.
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes to store.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes to store, without a copy.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// The epoch that the record claims to be sealed in.
    pub fn epoch(&self) -> Result<EpochId, Tampered> {
        Ok(Parts::parse(&self.0)?.epoch)
    }
}

/// Why an event does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The horizon has passed: its key is destroyed. Read the message again at its source.
    #[error(
        "the key of this event's hour has been destroyed; its message has to be read again at its source"
    )]
    EpochGone,
    /// The key exists and is not unlocked, because the key service has not answered since start. Try again.
    #[error(
        "the key of this event's hour is not unlocked yet, because the key service does not answer; try again later"
    )]
    EpochLocked,
    /// Its secret was erased, which means that it was settled.
    #[error("the secret of this event has been erased, so it was settled before")]
    SlotErased,
    /// The record belongs to another organisation than its row.
    #[error("the record belongs to another organisation than its row; the store has been tampered with")]
    WrongOrg,
    /// The record belongs to another lane, event or time than its row.
    #[error("the record belongs to another row; the store has been tampered with")]
    WrongPlace,
    /// The record, its header or its secret was altered.
    #[error("{0}")]
    Tampered(#[from] Tampered),
}

struct Parts<'a> {
    org: &'a str,
    lane: &'a str,
    event: &'a str,
    epoch: EpochId,
    received_at_ms: i64,
    header: &'a [u8],
    body: &'a [u8],
}

impl<'a> Parts<'a> {
    fn parse(record: &'a [u8]) -> Result<Self, Tampered> {
        let mut reader = Reader(record);
        reader.format()?;
        if reader.text()? != PURPOSE {
            return Err(Tampered);
        }
        let (org, lane, event) = (reader.text()?, reader.text()?, reader.text()?);
        let epoch = EpochId(u64::from_be_bytes(reader.array()?));
        let received_at_ms = i64::from_be_bytes(reader.array()?);
        let body = reader.0;
        let header = &record[..record.len() - body.len()];
        Ok(Self { org, lane, event, epoch, received_at_ms, header, body })
    }
}

/// Seals an event under an epoch key and a secret.
pub(crate) fn seal(
    epoch: EpochId,
    key: &Key32,
    header: &EventHeader,
    content: &Content,
    secret: FreshSecret,
) -> (SealedRecord, SlotSecret) {
    let secret = secret.into_used();
    let encoded = header.encode(epoch);
    let mut record =
        Vec::with_capacity(encoded.len() + envelope::COMMITMENT_LEN + content.len() + envelope::TAG_LEN);
    record.extend_from_slice(&encoded);
    envelope::seal(key.expose(), secret.expose(), &encoded, content.expose(), &mut record);
    (SealedRecord(record), secret)
}

/// Opens an event that has to be the one that `expected` names. `key_of` finds the epoch's key.
pub(crate) fn open(
    expected: &EventHeader,
    record: &SealedRecord,
    secret: Option<&SlotSecret>,
    key_of: impl FnOnce(EpochId) -> Result<Arc<Root>, OpenError>,
) -> Result<Content, OpenError> {
    let parts = Parts::parse(&record.0)?;
    if parts.org != expected.org.as_str() {
        return Err(OpenError::WrongOrg);
    }
    let place = (parts.lane, parts.event, parts.received_at_ms);
    if place != (&*expected.lane, expected.event.as_str(), expected.received_at_ms) {
        return Err(OpenError::WrongPlace);
    }
    let key = key_of(parts.epoch)?;
    let secret = secret.ok_or(OpenError::SlotErased)?;
    let mut plain = envelope::open(key.expose(), secret.expose(), parts.header, parts.body)?;
    Ok(Content::new(std::mem::take(&mut *plain)))
}
