//! One function per parser.

use dragoman_markup::teams::{MentionKind, TeamsInput, TeamsMention};
use dragoman_markup::webex::WebexInput;
use dragoman_markup::zoom::{End, Format, Offsets, Unit, ZoomInput, ZoomMention, ZoomRange};
use dragoman_markup::{Budget, slack, teams, webex, zoom};
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
    ("webex_envelope", webex_envelope),
    ("webex_html", webex_html),
    ("webex_message", webex_message),
    ("zoom_event", zoom_event),
    ("zoom_message", zoom_message),
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

/// The HTML of a Webex message, and the same as its plain text.
///
/// # Panics
/// When something does not hold.
pub fn webex_html(data: &[u8]) {
    let Ok(html) = std::str::from_utf8(data) else { return };
    everything(&webex::parse(WebexInput { html: Some(html), text: html }, Budget::default()));
    everything(&webex::parse(WebexInput { html: None, text: html }, Budget::default()));
}

/// A Zoom message with its ranges, under every reading of their positions.
///
/// # Panics
/// When something does not hold.
pub fn zoom_message(data: &[u8]) {
    let Ok(object) = serde_json::from_slice::<Value>(data) else { return };
    let list = |key: &str| object[key].as_array().cloned().unwrap_or_default();
    let position = |value: &Value, key: &str| value[key].as_i64().unwrap_or(-1);
    let word = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let range = |value: &Value| {
        let format = Format::read(&word(value, "format_type"), &word(value, "format_attr"))?;
        let (start, end) = (position(value, "start_position"), position(value, "end_position"));
        Some(ZoomRange { start, end, format })
    };
    let mention = |value: &Value| ZoomMention {
        start: position(value, "start_position"),
        end: position(value, "end_position"),
        person: (value["at_type"] != 2).then(|| word(value, "at_contact")),
        name: String::new(),
    };
    let message = word(&object, "message");
    let rich_text: Vec<ZoomRange> = list("rich_text").iter().filter_map(range).collect();
    let at_items: Vec<ZoomMention> = list("at_items").iter().map(mention).collect();
    for unit in [Unit::Utf16, Unit::Chars] {
        for end in [End::Inclusive, End::Exclusive, End::Either] {
            let offsets = Offsets { unit, end };
            let input = ZoomInput { message: &message, rich_text: &rich_text, at_items: &at_items, offsets };
            everything(&zoom::parse(input, Budget::default()));
        }
    }
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

/// A delivery of a Webex webhook.
///
/// # Panics
/// When something does not hold.
pub fn webex_envelope(data: &[u8]) {
    dragoman_webex::fuzzing::delivery(data).iter().for_each(bodies);
}

/// A message as Webex gives it.
///
/// # Panics
/// When something does not hold.
pub fn webex_message(data: &[u8]) {
    dragoman_webex::fuzzing::message(data).iter().for_each(bodies);
}

/// An event request of Zoom, with all that follows from it.
///
/// # Panics
/// When something does not hold.
pub fn zoom_event(data: &[u8]) {
    dragoman_zoom::fuzzing::events(data).iter().for_each(bodies);
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
