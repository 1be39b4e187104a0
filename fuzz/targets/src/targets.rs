//! One function per parser.

use dragoman_markup::teams::{MentionKind, TeamsInput, TeamsMention};
use dragoman_markup::{Budget, slack, teams};
use dragoman_model::{Event, Happening};
use serde_json::Value;

use crate::holds::everything;

/// Takes any bytes; panics when something does not hold.
pub type Target = fn(&[u8]);

/// Every target with its name, which is also the name of its corpus.
pub const TARGETS: &[(&str, Target)] = &[
    ("slack_attachments", slack_attachments),
    ("slack_blocks", slack_blocks),
    ("slack_envelope", slack_envelope),
    ("slack_mrkdwn", slack_mrkdwn),
    ("teams_activity", teams_activity),
    ("teams_html", teams_html),
    ("teams_message", teams_message),
    ("teams_notification", teams_notification),
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

/// An event request of Slack, with all that follows from it.
///
/// # Panics
/// When something does not hold.
pub fn slack_envelope(data: &[u8]) {
    dragoman_slack::fuzzing::events(data).iter().for_each(bodies);
}

/// An activity that a Teams bot receives.
///
/// # Panics
/// When something does not hold.
pub fn teams_activity(data: &[u8]) {
    dragoman_teams::fuzzing::activity(data).iter().for_each(bodies);
}

/// A message as Graph shows it, also the inside of a rich notification.
///
/// # Panics
/// When something does not hold.
pub fn teams_message(data: &[u8]) {
    dragoman_teams::fuzzing::message(data).iter().for_each(bodies);
}

/// A batch of change notifications.
///
/// # Panics
/// When something does not hold.
pub fn teams_notification(data: &[u8]) {
    dragoman_teams::fuzzing::notifications(data).iter().for_each(bodies);
}

fn bodies(event: &Event) {
    match &event.happening {
        Happening::Posted(message) => everything(&message.body),
        Happening::Changed { after, before } => {
            everything(&after.body);
            if let Some(before) = before {
                everything(&before.body);
            }
        }
        _ => {}
    }
}
