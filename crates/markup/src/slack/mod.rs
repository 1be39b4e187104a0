//! Slack: `rich_text` and other blocks, attachments, mrkdwn.

mod attachments;
mod blocks;
mod elements;
mod fallback;
mod flat;
mod flatten;
mod markdown;
mod mrkdwn;
mod pieces;
mod render;

pub use attachments::parse_attachments;
pub use blocks::parse;
pub use mrkdwn::parse_mrkdwn;
pub use render::{SlackText, render};

pub(crate) use flat::assemble;
pub(crate) use flatten::{code_language, code_text, flatten, table_text};
