//! Microsoft Teams: bot feed and change notifications in, Bot Connector and Graph out.

mod body;
mod capabilities;
mod catchup;
mod client;
mod connector;
mod consent;
mod conversations;
mod crypt;
mod cutter;
mod decode;
mod door;
mod encode;
mod envelope;
mod errors;
mod files;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod ids;
mod install;
mod keys;
mod memory;
mod onedrive;
mod package;
mod perform;
mod permalinks;
mod places;
mod reactions;
mod settings;
mod source;
mod tokens;
mod verify;
mod watch;
mod wire;

pub use connector::TeamsConnector;
pub use settings::TeamsSettings;
