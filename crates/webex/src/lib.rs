//! Webex: the connector. It knows Webex's wire formats and the connector seam; no store, no lane, no other
//! platform.

mod capabilities;
mod catchup;
mod client;
mod connector;
mod decode;
mod echo;
mod encode;
mod envelope;
mod errors;
mod files;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod ids;
mod install;
mod link;
mod memory;
mod operate;
mod package;
mod people;
mod permalinks;
mod rooms;
mod settings;
mod source;
mod tokens;
mod verify;
mod watchdog;
mod wire;

pub use connector::WebexConnector;
pub use ids::PLATFORM;
pub use settings::WebexSettings;
