//! Emoji between Unicode, Slack's short names and the reaction types of Teams bots.

mod slack;
mod table;
mod teams;

pub use slack::{from_slack, to_slack};
pub(crate) use table::characters;
pub use table::is_emoji;
pub use teams::{from_teams_reaction, to_teams_reaction};
