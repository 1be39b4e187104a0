//! Rich text between the canonical tree and each platform's markup: parsers, renderers, the emoji table, and
//! what every renderer needs (degrading, splitting, fingerprints, names). Pure; every parser takes any input,
//! in linear time, within a [`Budget`].

mod budget;
mod canonical;
pub mod degrade;
pub mod emoji;
pub mod name;
mod plain;
mod runs;
pub mod slack;
mod split;
pub mod teams;
#[cfg(feature = "testing")]
pub mod testing;
mod uri;
pub mod webex;
pub mod zoom;

pub use budget::Budget;
pub use canonical::canonical;
pub use plain::plain;
pub use split::split;
pub use uri::{link_url, webex_address, webex_message};
