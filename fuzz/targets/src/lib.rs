//! What the fuzzer feeds, and what must hold of any input.

mod holds;
mod targets;

pub use targets::{TARGETS, Target, slack_attachments, slack_blocks, slack_mrkdwn, teams_html};
