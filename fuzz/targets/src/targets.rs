//! One function per parser.

use dragoman_markup::teams::{MentionKind, TeamsInput, TeamsMention};
use dragoman_markup::{Budget, slack, teams};
use serde_json::Value;

use crate::holds::everything;

/// Takes any bytes; panics when something does not hold.
pub type Target = fn(&[u8]);

/// Every target with its name, which is also the name of its corpus.
pub const TARGETS: &[(&str, Target)] = &[
    ("slack_attachments", slack_attachments),
    ("slack_blocks", slack_blocks),
    ("slack_mrkdwn", slack_mrkdwn),
    ("teams_html", teams_html),
];

/// The blocks of a Slack message.
///
/// # Panics
/// When something does not hold.
pub fn slack_blocks(data: &[u8]) {
    if let Ok(blocks) = serde_json::from_slice::<Value>(data) {
        everything(&slack::parse(Some(&blocks), "the text beside", Budget::default()));
    }
}

/// The attachments of a Slack message.
///
/// # Panics
/// When something does not hold.
pub fn slack_attachments(data: &[u8]) {
    if let Ok(attachments) = serde_json::from_slice::<Value>(data) {
        everything(&slack::parse_attachments(&attachments, Budget::default()));
    }
}

/// The text of a Slack message without blocks.
///
/// # Panics
/// When something does not hold.
pub fn slack_mrkdwn(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        everything(&slack::parse_mrkdwn(text, Budget::default()));
    }
}

/// The body of a Teams message with two mentions beside it.
///
/// # Panics
/// When something does not hold.
pub fn teams_html(data: &[u8]) {
    let Ok(html) = std::str::from_utf8(data) else { return };
    let mention =
        |index, id: &str, name: &str, kind| TeamsMention { index, id: id.into(), name: name.into(), kind };
    let mentions = [
        mention(0, "11d0a6f3-7c25-4b8e-a1d9-3f5e2c8b4701", "Dana Lindqvist", MentionKind::Person),
        mention(1, "19:pier@thread.tacv2", "launch", MentionKind::Conversation),
    ];
    let input = TeamsInput { html, mentions: &mentions, attachments: &[] };
    everything(&teams::parse(input, Budget::default()));
    let _ = teams::images(html, Budget::default());
    everything(&teams::parse_plain(html));
}
