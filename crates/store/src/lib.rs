//! What is kept: organisations, apps, installations, bridges, people (encrypted), the message map, and events
//! (sealed) on their way. All SQL of the product is here. Content is never here in the clear; what is sealed
//! is opened elsewhere.

mod amend;
pub mod api;
pub mod batch;
mod bridging;
pub mod error;
pub mod faults;
mod journal;
mod merge;
pub mod model;
mod queries;
mod reactions;
pub mod rows;
mod sqlite;

pub use amend::{Amendment, WatchColumns};
pub use api::{Appended, AppendedLeg, Mutation, Reply, Settled, Store};
pub use batch::{Batcher, Begun};
pub use error::StoreError;
pub use faults::{Faults, POINTS};
pub use model::ModelStore;
pub use reactions::{ReactionKey, ReactionRow, Standing};
pub use rows::{
    AccountRow, AppRow, AuditRow, BridgePast, BridgeRow, BridgeState, ClaimedLane, ConversationRow, CopyRow,
    Counts, DeadLetterRow, EventRow, InstallationRow, LaneId, LaneRow, Lease, LegRow, NewEvent, NewLeg,
    Notices, OrgRow, OriginalRow, Receipt, SealedPayload, Settlement, TokenRow, TombstoneRow,
};
pub use sqlite::SqliteStore;
