//! Zoom Team Chat: the connector. It knows Zoom's wire formats and the connector seam; no store, no lane, no other
//! platform.

mod api;
mod bot;
mod budget;
mod capabilities;
mod catchup;
mod client;
mod connector;
mod decode;
mod encode;
mod envelope;
mod errors;
mod files;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod ids;
mod install;
mod memory;
mod operate;
mod package;
mod people;
mod permalinks;
mod reactions;
mod rooms;
mod settings;
mod socket;
mod tokens;
mod verify;
mod wire;

pub use connector::ZoomConnector;
pub use ids::PLATFORM;
pub use settings::ZoomSettings;
