//! `rich_text` elements as pieces.

use dragoman_model::{Emoji, Mention};
use serde_json::Value;

use super::flat::{MAX_INDENT, Piece};
use super::flatten::{code_language, code_text};
use super::pieces::{Gap, Pieces};
use crate::runs::{BOLD, CODE, ITALIC, Leaf, Run, STRIKE, UNDERLINE, clean, push_text};
use crate::uri::link_url;

/// Reads the elements of one `rich_text` block; `first` is how far it stands from what is before.
pub(super) fn rich_text(block: &Value, first: Gap, pieces: &mut Pieces) {
    let mut gap = first;
    for element in array(block, "elements") {
        let quoted = element.get("border").and_then(Value::as_u64).is_some_and(|border| border > 0);
        match kind(element) {
            "rich_text_section" => {
                let runs = inline(element, pieces);
                pieces.lines(false, runs, gap);
            }
            "rich_text_quote" => {
                let runs = inline(element, pieces);
                pieces.lines(true, runs, gap);
            }
            "rich_text_preformatted" => pieces.push(Piece::Code {
                quoted,
                language: element.get("language").and_then(Value::as_str).and_then(code_language),
                text: code_text(&preformatted(element)),
            }),
            "rich_text_list" => list(element, quoted, pieces),
            _ => {
                let text = readable(element);
                pieces.text(&text, gap);
            }
        }
        gap = Gap::Line;
    }
}

fn list(element: &Value, quoted: bool, pieces: &mut Pieces) {
    let ordered = string(element, "style") == "ordered";
    let indent = element.get("indent").and_then(Value::as_u64).unwrap_or(0).min(u64::from(MAX_INDENT));
    let offset = element.get("offset").and_then(Value::as_u64).unwrap_or(0).min(u64::from(u32::MAX - 1));
    let mut number = u32::try_from(offset + 1).unwrap_or(u32::MAX);
    for item in array(element, "elements") {
        let runs = inline(item, pieces);
        pieces.push(Piece::Item {
            quoted,
            indent: u8::try_from(indent).unwrap_or(MAX_INDENT),
            number: ordered.then_some(number),
            runs,
        });
        number = number.saturating_add(1);
    }
}

fn preformatted(element: &Value) -> String {
    let mut text = String::new();
    for part in array(element, "elements") {
        let shown = string(part, "text");
        text.push_str(if shown.is_empty() { string(part, "url") } else { shown });
    }
    text
}

/// The runs of a section. Over budget: their text.
pub(super) fn inline(section: &Value, pieces: &mut Pieces) -> Vec<Run> {
    let mut runs = Vec::new();
    for element in array(section, "elements") {
        let styles = styles(element);
        if !pieces.meter.take() {
            push_text(&mut runs, &readable(element), 0);
            continue;
        }
        match kind(element) {
            "text" => push_text(&mut runs, string(element, "text"), styles),
            "link" => link(element, styles, &mut runs),
            "user" => mention(element, "user_id", styles, &mut runs),
            "usergroup" => mention(element, "usergroup_id", styles, &mut runs),
            "channel" => mention(element, "channel_id", styles, &mut runs),
            "broadcast" => match string(element, "range") {
                "here" => runs.push(Run::new(Leaf::Mention(Mention::Here), styles)),
                _ => runs.push(Run::new(Leaf::Mention(Mention::Everyone), styles)),
            },
            "emoji" => runs.push(Run::new(Leaf::Emoji(emoji(element)), styles)),
            "date" => match element.get("timestamp").and_then(Value::as_i64) {
                Some(seconds) => {
                    let fallback = clean(string(element, "fallback"));
                    runs.push(Run::new(Leaf::Date { seconds, fallback }, styles));
                }
                None => push_text(&mut runs, string(element, "fallback"), styles),
            },
            "color" => push_text(&mut runs, string(element, "value"), styles),
            _ => push_text(&mut runs, &readable(element), styles),
        }
    }
    runs
}

fn link(element: &Value, styles: u8, runs: &mut Vec<Run>) {
    let (url, label) = (string(element, "url"), string(element, "text"));
    let Some(url) = link_url(url) else {
        push_text(runs, if label.is_empty() { url } else { label }, styles);
        return;
    };
    let mut text = Vec::new();
    push_text(&mut text, label, styles & CODE);
    runs.push(Run::new(Leaf::Link { url: url.to_owned(), text }, styles));
}

fn mention(element: &Value, key: &str, styles: u8, runs: &mut Vec<Run>) {
    let (id, name) = (string(element, key), String::new());
    let mention = match key {
        _ if id.is_empty() => return,
        "user_id" => Mention::Person { id: id.into(), name },
        "channel_id" => Mention::Conversation { id: id.into(), name },
        _ => Mention::Group { id: id.to_owned(), name },
    };
    runs.push(Run::new(Leaf::Mention(mention), styles));
}

fn emoji(element: &Value) -> Emoji {
    let name = string(element, "name");
    let tone = element.get("skin_tone").and_then(Value::as_u64).filter(|tone| (2..=6).contains(tone));
    let known = match tone {
        Some(tone) if !name.contains("::") => crate::emoji::from_slack(&format!("{name}::skin-tone-{tone}")),
        _ => crate::emoji::from_slack(name),
    };
    let by_code = || element.get("unicode").and_then(Value::as_str).and_then(crate::emoji::characters);
    match known.or_else(by_code) {
        Some(characters) => Emoji::Unicode(characters),
        None => Emoji::Custom {
            name: clean(name).replace('\t', ""),
            url: element.get("url").and_then(Value::as_str).and_then(link_url).map(str::to_owned),
        },
    }
}

fn styles(element: &Value) -> u8 {
    let Some(style) = element.get("style").filter(|style| style.is_object()) else { return 0 };
    [("bold", BOLD), ("italic", ITALIC), ("strike", STRIKE), ("underline", UNDERLINE), ("code", CODE)]
        .into_iter()
        .filter(|(name, _)| style.get(name).and_then(Value::as_bool) == Some(true))
        .fold(0, |styles, (_, style)| styles | style)
}

/// Readable text of something unknown.
pub(super) fn readable(value: &Value) -> String {
    for key in ["text", "fallback", "alt_text", "title", "name", "url", "label", "description"] {
        match value.get(key) {
            Some(Value::String(text)) if !text.is_empty() => return text.clone(),
            Some(inner @ Value::Object(_)) => {
                if let Some(text) = inner.get("text").and_then(Value::as_str).filter(|text| !text.is_empty())
                {
                    return text.to_owned();
                }
            }
            _ => {}
        }
    }
    String::new()
}

pub(super) fn kind(value: &Value) -> &str {
    string(value, "type")
}

pub(super) fn string<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

pub(super) fn array<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}
