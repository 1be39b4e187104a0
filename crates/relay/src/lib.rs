//! The relay: takes authentic events from the door, makes them durable, and brings each, in order and once, to
//! every other member of its bridge. Knows `dyn Connector`; no platform by name.

mod acquaintances;
mod activity;
mod admit;
mod catchup;
mod control;
mod core;
mod deliver;
mod directory;
mod error;
mod files;
mod freight;
mod glance;
mod intake;
mod keeper;
mod lanes;
mod leg;
mod notes;
mod notices;
mod open;
mod pending;
mod people;
mod perform;
mod plan;
mod policy;
mod retry;
mod rounds;
mod settle;
mod slots;
mod tokens;
mod turn;
mod uninstall;
mod unknown;
mod vault;
mod voice;

pub use crate::core::{AvatarLinks, Parts, Relay, Timing};
pub use acquaintances::Acquaintance;
pub use activity::{Activity, Stage};
pub use directory::{Bridge, Directory, Place, Route, Spot};
pub use error::RelayError;
pub use intake::Accepted;
pub use policy::{FilePolicy, POLICIES, Policy};
pub use retry::Ladder;
pub use slots::Slots;
pub use tokens::StoredTokens;
pub use vault::Vault;
