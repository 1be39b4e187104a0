//! Slack: the connector. It knows Slack's wire formats and the connector seam; no store, no lane, no other
//! platform.

mod api;
mod capabilities;
mod catchup;
mod client;
mod commands;
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
mod operate;
mod package;
mod people;
mod permalinks;
mod reactions;
mod rooms;
mod settings;
mod socket;
mod tokens;
mod uploads;
mod verify;
mod wire;

pub use connector::SlackConnector;
pub use ids::PLATFORM;
pub use settings::SlackSettings;
