//! What the fuzzer feeds, and what must hold of any input.

mod holds;
mod targets;

pub use targets::{
    TARGETS, Target, slack_attachments, slack_blocks, slack_envelope, slack_mrkdwn, teams_activity,
    teams_html, teams_message, teams_notification, webex_envelope, webex_html, webex_message, zoom_event,
    zoom_message,
};
