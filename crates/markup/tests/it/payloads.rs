//! Recorded texts: a snapshot per folder, with file name, kinds, counts and a digest, and none of the text.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use dragoman_markup::teams::{MentionKind, TeamsInput, TeamsMention};
use dragoman_markup::webex::WebexInput;
use dragoman_markup::zoom::{Format, Offsets, ZoomInput, ZoomMention, ZoomRange};
use dragoman_markup::{Budget, canonical, degrade, slack, teams, webex, zoom};
use dragoman_model::{Block, Document, Emoji, Inline, Mention};
use serde_json::Value;

use crate::samples::{json_files, payloads};
use crate::webex_zoom::{through_webex, through_zoom};

fn count_block(block: &Block, kinds: &mut BTreeMap<String, usize>) {
    let kind = match block {
        Block::Paragraph(_) => "paragraph".to_owned(),
        Block::Heading { .. } => "heading".to_owned(),
        Block::Quote(blocks) => {
            for block in blocks {
                count_block(block, kinds);
            }
            "quote".to_owned()
        }
        Block::List { start, items } => {
            items.iter().flat_map(|item| &item.blocks).for_each(|block| count_block(block, kinds));
            if start.is_some() { "ordered list" } else { "bullet list" }.to_owned()
        }
        Block::Code { .. } => "code block".to_owned(),
        Block::Rule => "rule".to_owned(),
        Block::Table { .. } => "table".to_owned(),
        Block::Unsupported { kind, .. } => format!("unsupported {kind}"),
    };
    *kinds.entry(kind).or_default() += 1;
}

fn count_inline(inline: &Inline, kinds: &mut BTreeMap<String, usize>) {
    let kind = match inline {
        Inline::Text(_) => "text",
        Inline::Strong(_) => "strong",
        Inline::Emphasis(_) => "emphasis",
        Inline::Strike(_) => "strike",
        Inline::Underline(_) => "underline",
        Inline::Code(_) => "code",
        Inline::Link { .. } => "link",
        Inline::Mention(Mention::Person { .. }) => "person",
        Inline::Mention(Mention::Conversation { .. }) => "conversation",
        Inline::Mention(Mention::Group { .. }) => "group",
        Inline::Mention(Mention::Everyone) => "everyone",
        Inline::Mention(Mention::Here) => "here",
        Inline::Emoji(Emoji::Unicode(_)) => "emoji",
        Inline::Emoji(Emoji::Custom { .. }) => "custom emoji",
        Inline::Date { .. } => "date",
        Inline::Break => "break",
    };
    *kinds.entry(kind.to_owned()).or_default() += 1;
}

/// FNV-1a: tells trees apart, says nothing about their text.
fn digest(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

fn line(out: &mut String, name: &str, document: &Document) {
    let mut kinds = BTreeMap::new();
    document.blocks.iter().for_each(|block| count_block(block, &mut kinds));
    document.visit_inlines(&mut |inline| count_inline(inline, &mut kinds));
    let counts: Vec<String> = kinds.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
    writeln!(out, "{name}: {} #{:016x}", counts.join(", "), digest(&canonical(document))).unwrap();
}

/// Every object that looks like a Slack message, in order.
fn slack_messages<'a>(value: &'a Value, found: &mut Vec<&'a Value>) {
    match value {
        Value::Array(list) => list.iter().for_each(|inner| slack_messages(inner, found)),
        Value::Object(map) => {
            let is_text = map.get("text").is_some_and(Value::is_string) && map.contains_key("ts");
            if is_text || map.get("type").is_some_and(|kind| kind == "rich_text") {
                found.push(value);
                return;
            }
            map.values().for_each(|inner| slack_messages(inner, found));
        }
        _ => {}
    }
}

fn slack_document(message: &Value) -> Document {
    let budget = Budget::default();
    if message["type"] == "rich_text" {
        return slack::parse(Some(&Value::Array(vec![message.clone()])), "", budget);
    }
    let text = message["text"].as_str().unwrap_or_default();
    let mut document = slack::parse(message.get("blocks"), text, budget);
    if let Some(attachments) = message.get("attachments") {
        document.blocks.extend(slack::parse_attachments(attachments, budget).blocks);
    }
    document
}

fn slack_folder(folder: &str) -> Option<String> {
    let root = payloads()?;
    let mut out = String::new();
    for (name, value) in json_files(&root.join("slack").join(folder)) {
        let mut messages = Vec::new();
        slack_messages(&value, &mut messages);
        for message in messages {
            let document = slack_document(message);
            line(&mut out, &name, &document);
            let sent = slack::render(&document);
            let read = slack::parse(Some(&sent.blocks), "", Budget::default());
            assert!(read == degrade::slack(document.clone()).normalise(), "{name} does not read back");
        }
    }
    Some(out)
}

#[test]
fn slack_events() {
    let Some(found) = slack_folder("events") else { return };
    insta::assert_snapshot!(found);
}

#[test]
fn slack_objects() {
    let Some(found) = slack_folder("objects") else { return };
    insta::assert_snapshot!(found);
}

#[test]
fn slack_block_objects() {
    let Some(root) = payloads() else { return };
    let mut out = String::new();
    for (name, value) in json_files(&root.join("slack/objects")) {
        if !name.starts_with("blocks.") {
            continue;
        }
        for block in value.as_array().into_iter().flatten() {
            let document = slack::parse(Some(&Value::Array(vec![block.clone()])), "", Budget::default());
            line(&mut out, &name, &document);
        }
    }
    insta::assert_snapshot!(out);
}

/// Every object with a body, in order.
fn chat_messages<'a>(value: &'a Value, found: &mut Vec<&'a Value>) {
    match value {
        Value::Array(list) => list.iter().for_each(|inner| chat_messages(inner, found)),
        Value::Object(map) => {
            if map.get("body").and_then(|body| body.get("content")).is_some_and(Value::is_string) {
                found.push(value);
            }
            map.values().for_each(|inner| chat_messages(inner, found));
        }
        _ => {}
    }
}

fn teams_document(message: &Value) -> Document {
    let content = message["body"]["content"].as_str().unwrap_or_default();
    if message["body"]["contentType"] == "text" {
        return teams::parse_plain(content);
    }
    let mentions: Vec<TeamsMention> = message["mentions"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|mention| {
            let user = mention["mentioned"]["user"]["id"].as_str();
            TeamsMention {
                index: u32::try_from(mention["id"].as_u64().unwrap_or_default()).unwrap(),
                id: user.unwrap_or_default().to_owned(),
                name: mention["mentionText"].as_str().unwrap_or_default().to_owned(),
                kind: if user.is_some() { MentionKind::Person } else { MentionKind::Everyone },
            }
        })
        .collect();
    teams::parse(TeamsInput { html: content, mentions: &mentions, attachments: &[] }, Budget::default())
}

#[test]
fn teams_messages() {
    let Some(root) = payloads() else { return };
    let mut out = String::new();
    for (name, value) in json_files(&root.join("teams/graph/messages")) {
        let mut messages = Vec::new();
        chat_messages(&value, &mut messages);
        for message in messages {
            line(&mut out, &name, &teams_document(message));
        }
    }
    insta::assert_snapshot!(out);
}

#[test]
fn teams_activities() {
    let Some(root) = payloads() else { return };
    let mut out = String::new();
    for (name, value) in json_files(&root.join("teams/bot/activities")) {
        let html = value["attachments"]
            .as_array()
            .into_iter()
            .flatten()
            .find(|attachment| attachment["contentType"] == "text/html")
            .and_then(|attachment| attachment["content"].as_str());
        let Some(html) = html.or_else(|| value["text"].as_str()) else { continue };
        let mentions: Vec<TeamsMention> = value["entities"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|entity| entity["type"] == "mention")
            .zip(0..)
            .map(|(entity, index)| TeamsMention {
                index,
                id: entity["mentioned"]["id"].as_str().unwrap_or_default().to_owned(),
                name: entity["mentioned"]["name"].as_str().unwrap_or_default().to_owned(),
                kind: MentionKind::Person,
            })
            .collect();
        let input = TeamsInput { html, mentions: &mentions, attachments: &[] };
        line(&mut out, &name, &teams::parse(input, Budget::default()));
    }
    insta::assert_snapshot!(out);
}

/// Every object that a test of its own takes for a message, in order.
fn objects<'a>(value: &'a Value, wanted: &dyn Fn(&Value) -> bool, found: &mut Vec<&'a Value>) {
    if wanted(value) {
        found.push(value);
    }
    match value {
        Value::Array(list) => list.iter().for_each(|inner| objects(inner, wanted, found)),
        Value::Object(map) => map.values().for_each(|inner| objects(inner, wanted, found)),
        _ => {}
    }
}

#[test]
fn webex_messages() {
    let Some(root) = payloads() else { return };
    let mut out = String::new();
    for folder in ["messages", "webhooks", "doc-examples", "vectors"] {
        for (name, value) in json_files(&root.join("webex").join(folder)) {
            let is_message = |value: &Value| {
                value["text"].is_string() && (value.get("roomId").is_some() || value["html"].is_string())
            };
            let mut messages = Vec::new();
            objects(&value, &is_message, &mut messages);
            for message in messages {
                let text = message["text"].as_str().unwrap_or_default();
                let input = WebexInput { html: message["html"].as_str(), text };
                let document = webex::parse(input, Budget::default());
                assert!(!document.is_empty() || text.trim().is_empty(), "{name} reads as nothing");
                line(&mut out, &format!("{folder}/{name}"), &document);
                assert!(
                    through_webex(&document) == degrade::webex(document.clone()),
                    "{name} does not read back"
                );
            }
        }
    }
    insta::assert_snapshot!(out);
}

/// What the service made of markdown is what the tests' own reader makes of it.
#[test]
fn webex_markdown_vectors() {
    let Some(root) = payloads() else { return };
    let text = std::fs::read_to_string(root.join("webex/vectors/markup.json")).unwrap();
    let vectors: Value = serde_json::from_str(&text).unwrap();
    let mut count = 0;
    for vector in vectors["vectors"].as_array().unwrap() {
        let Some(markdown) = vector["markdown"].as_str() else { continue };
        assert!(
            crate::webex_service::html(markdown) == vector["html"].as_str().unwrap(),
            "vector {count} differs"
        );
        count += 1;
    }
    assert!(count >= 2);
}

fn number(value: &Value, key: &str) -> i64 {
    value[key].as_i64().unwrap_or(-1)
}

fn zoom_document(object: &Value, offsets: Offsets) -> Document {
    let word = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let list = |key: &str| object[key].as_array().cloned().unwrap_or_default();
    let rich_text: Vec<ZoomRange> = list("rich_text")
        .iter()
        .filter_map(|range| {
            let format = Format::read(&word(range, "format_type"), &word(range, "format_attr"))?;
            Some(ZoomRange {
                start: number(range, "start_position"),
                end: number(range, "end_position"),
                format,
            })
        })
        .collect();
    let at_items: Vec<ZoomMention> = list("at_items")
        .iter()
        .map(|item| ZoomMention {
            start: number(item, "start_position"),
            end: number(item, "end_position"),
            person: (item["at_type"] != 2).then(|| word(item, "at_contact")),
            name: String::new(),
        })
        .collect();
    let message = word(object, "message");
    let input = ZoomInput { message: &message, rich_text: &rich_text, at_items: &at_items, offsets };
    zoom::parse(input, Budget::default())
}

#[test]
fn zoom_messages() {
    let Some(root) = payloads() else { return };
    let mut out = String::new();
    let folders =
        ["webhooks", "webhooks-derived", "webhooks-real", "responses", "responses-derived", "requests"];
    for folder in folders {
        for (name, value) in json_files(&root.join("zoom").join(folder)) {
            let is_message = |value: &Value| {
                value["message"].is_string()
                    && ["rich_text", "at_items", "message_id", "channel_id", "to_channel", "id"]
                        .iter()
                        .any(|key| value.get(*key).is_some())
            };
            let mut messages = Vec::new();
            objects(&value, &is_message, &mut messages);
            for message in messages {
                let document = zoom_document(message, Offsets::READING);
                line(&mut out, &format!("{folder}/{name}"), &document);
                assert!(
                    through_zoom(&document, Offsets::SENDING) == degrade::zoom(document.clone()),
                    "{name} does not read back"
                );
            }
        }
    }
    insta::assert_snapshot!(out);
}

/// The importer's vectors say what counts as a style; its own Markdown is compared after the same spelling.
#[test]
fn mrkdwn_vectors() {
    let Some(root) = payloads() else { return };
    let text = std::fs::read_to_string(root.join("slack/vectors/mrkdwn_to_markdown.json")).unwrap();
    let vectors: Value = serde_json::from_str(&text).unwrap();
    let vectors = vectors["regular_tests"].as_array().unwrap();
    assert!(vectors.len() >= 19);
    for vector in vectors {
        let (name, input) = (vector["name"].as_str().unwrap(), vector["input"].as_str().unwrap());
        let found = zulip(&slack::parse_mrkdwn(input, Budget::default()));
        let expected = vector["conversion_output"].as_str().unwrap().trim_matches('\n');
        assert!(sorted_signs(&found) == sorted_signs(expected), "vector {name} differs");
    }
}

/// The text with signs that stand together in one order: which of two styles is the outer one says nothing.
fn sorted_signs(text: &str) -> String {
    let mut out = String::new();
    let mut signs = Vec::new();
    for c in text.chars().chain(['\0']) {
        if matches!(c, '*' | '~') {
            signs.push(c);
            continue;
        }
        signs.sort_unstable();
        out.extend(signs.drain(..));
        out.push(c);
    }
    out
}

fn zulip(document: &Document) -> String {
    let mut out = Vec::new();
    for block in &document.blocks {
        match block {
            Block::Paragraph(text) => out.push(zulip_inlines(text)),
            Block::Quote(blocks) => {
                let inner = zulip(&Document { blocks: blocks.clone() });
                out.extend(inner.split('\n').map(|line| format!(">{line}")));
            }
            _ => out.push(String::new()),
        }
    }
    out.join("\n")
}

/// The importer has no style over a line's end.
fn each_line(sign: &str, inner: &[Inline]) -> String {
    let lines: Vec<String> =
        zulip_inlines(inner).split('\n').map(|line| format!("{sign}{line}{sign}")).collect();
    lines.join("\n")
}

fn zulip_inlines(inlines: &[Inline]) -> String {
    let mut out = String::new();
    for inline in inlines {
        match inline {
            Inline::Text(text) => out.push_str(text),
            Inline::Strong(inner) => out.push_str(&each_line("**", inner)),
            Inline::Emphasis(inner) => out.push_str(&each_line("*", inner)),
            Inline::Strike(inner) => out.push_str(&each_line("~~", inner)),
            // The importer shows an address that is its own label without the scheme's markup.
            Inline::Link { url, .. } if url.starts_with("mailto:") => out.push_str(url),
            Inline::Link { url, text } if text.is_empty() => out.push_str(url),
            Inline::Link { url, text } => out.extend(["[", &zulip_inlines(text), "](", url, ")"]),
            Inline::Break => out.push('\n'),
            _ => {}
        }
    }
    out
}
