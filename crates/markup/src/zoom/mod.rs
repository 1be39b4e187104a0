//! Zoom Team Chat: a plain `message` with ranges of formats (`rich_text`) and of mentions (`at_items`) beside it
//! (Zoom API Reference, "Send a chat message" and the events `team_chat.channel_message_posted` and
//! `team_chat.dm_message_posted`).

mod input;
mod lines;
mod offsets;
mod parse;
mod ranges;
mod render;

pub use input::{Format, ZoomInput, ZoomMention, ZoomRange};
pub use offsets::{End, Offsets, Unit};
pub use parse::parse;
pub use render::{MAX_CHARS, ZoomText, render};

pub(crate) use lines::degrade;
