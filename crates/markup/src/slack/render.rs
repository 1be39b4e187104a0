//! The tree as Slack blocks.

use dragoman_model::{Document, Emoji, Mention};
use serde_json::{Map, Value, json};

use super::fallback::fallback;
use super::flat::Piece;
use super::flatten::flatten;
use crate::runs::{BOLD, CODE, ITALIC, Leaf, Run, STRIKE, UNDERLINE, text_of};

/// A text as `chat.postMessage` takes it.
#[derive(Clone)]
pub struct SlackText {
    /// The `blocks`: rich text, with header, divider and table blocks between where needed; at most 50. Empty
    /// where there is nothing to show.
    pub blocks: Value,
    /// The `text`: the same as escaped mrkdwn, for notifications and screen readers.
    pub text: String,
}

/// The tree as blocks with a text beside them. No text of the tree can become a mention or markup.
pub fn render(document: &Document) -> SlackText {
    let pieces = flatten(document);
    let text = fallback(&pieces);
    let mut blocks = Vec::new();
    let mut elements: Vec<Value> = Vec::new();
    let mut pieces = pieces.into_iter().peekable();
    while let Some(piece) = pieces.next() {
        let special = match piece {
            Piece::Lines { quoted, runs } => {
                let kind = if quoted { "rich_text_quote" } else { "rich_text_section" };
                elements.push(json!({ "type": kind, "elements": inline_elements(&runs) }));
                continue;
            }
            Piece::Unsupported { runs, .. } => {
                elements.push(json!({ "type": "rich_text_section", "elements": inline_elements(&runs) }));
                continue;
            }
            Piece::Code { quoted, language, text } => {
                elements.push(code_element(quoted, language, &text));
                continue;
            }
            Piece::Item { quoted, indent, number, runs } => {
                let mut items = vec![section(&runs)];
                let mut last = number;
                while let Some(Piece::Item { runs, number, .. }) = pieces.next_if(|next| {
                    matches!(next, Piece::Item { quoted: q, indent: i, number: n, .. }
                        if *q == quoted && *i == indent && *n == last.map(|last| last.saturating_add(1)))
                }) {
                    items.push(section(&runs));
                    last = number;
                }
                elements.push(list_element(quoted, indent, number, items));
                continue;
            }
            Piece::Header(runs) => json!({
                "type": "header",
                "text": { "type": "plain_text", "text": text_of(&runs), "emoji": false },
            }),
            Piece::Rule => json!({ "type": "divider" }),
            Piece::Table { rows } => table_block(&rows),
        };
        close(&mut elements, &mut blocks);
        blocks.push(special);
    }
    close(&mut elements, &mut blocks);
    SlackText { blocks: Value::Array(blocks), text }
}

fn close(elements: &mut Vec<Value>, blocks: &mut Vec<Value>) {
    if !elements.is_empty() {
        blocks.push(json!({ "type": "rich_text", "elements": std::mem::take(elements) }));
    }
}

fn section(runs: &[Run]) -> Value {
    json!({ "type": "rich_text_section", "elements": inline_elements(runs) })
}

fn code_element(quoted: bool, language: Option<String>, text: &str) -> Value {
    let mut element = json!({
        "type": "rich_text_preformatted",
        "elements": [{ "type": "text", "text": text }],
        "border": u8::from(quoted),
    });
    if let Some(language) = language {
        element["language"] = Value::String(language);
    }
    element
}

fn list_element(quoted: bool, indent: u8, number: Option<u32>, items: Vec<Value>) -> Value {
    let style = if number.is_some() { "ordered" } else { "bullet" };
    let mut element = json!({
        "type": "rich_text_list",
        "style": style,
        "indent": indent,
        "border": u8::from(quoted),
        "elements": items,
    });
    if let Some(number) = number.filter(|number| *number > 1) {
        element["offset"] = Value::from(number - 1);
    }
    element
}

fn table_block(rows: &[Vec<Vec<Run>>]) -> Value {
    let cell = |runs: &Vec<Run>| match runs.as_slice() {
        [] => json!({ "type": "raw_text", "text": " " }),
        [Run { styles: 0, leaf: Leaf::Text(text) }] => json!({ "type": "raw_text", "text": text }),
        runs => json!({ "type": "rich_text", "elements": [section(runs)] }),
    };
    let rows: Vec<Vec<Value>> = rows.iter().map(|row| row.iter().map(cell).collect()).collect();
    json!({ "type": "table", "rows": rows })
}

/// Runs as the inline elements of rich text.
fn inline_elements(runs: &[Run]) -> Vec<Value> {
    let mut out: Vec<Value> = Vec::new();
    let mut text = String::new();
    let mut text_styles = 0;
    let close_text = |text: &mut String, styles: u8, out: &mut Vec<Value>| {
        if !text.is_empty() {
            out.push(styled(json!({ "type": "text", "text": std::mem::take(text) }), styles));
        }
    };
    for run in runs {
        let plain = match &run.leaf {
            Leaf::Text(part) => Some(part.as_str()),
            Leaf::Break => Some("\n"),
            _ => None,
        };
        if let Some(part) = plain {
            if run.styles != text_styles {
                close_text(&mut text, text_styles, &mut out);
                text_styles = run.styles;
            }
            text.push_str(part);
            continue;
        }
        close_text(&mut text, text_styles, &mut out);
        out.push(leaf_element(run));
    }
    close_text(&mut text, text_styles, &mut out);
    out
}

fn leaf_element(run: &Run) -> Value {
    match &run.leaf {
        Leaf::Link { url, text } => {
            let mut element = json!({ "type": "link", "url": url });
            if !text.is_empty() {
                element["text"] = Value::String(text_of(text));
            }
            let code = text.iter().any(|inner| inner.styles & CODE != 0);
            styled(element, run.styles | if code { CODE } else { 0 })
        }
        Leaf::Mention(mention) => styled(mention_element(mention), run.styles),
        Leaf::Emoji(Emoji::Unicode(characters)) => match crate::emoji::to_slack(characters) {
            Some(name) => styled(emoji_element(&name), run.styles),
            None => styled(json!({ "type": "text", "text": characters }), run.styles),
        },
        Leaf::Date { seconds, fallback } => {
            let mut element =
                json!({ "type": "date", "timestamp": seconds, "format": "{date_short_pretty} {time}" });
            if !fallback.is_empty() {
                element["fallback"] = Value::String(fallback.clone());
            }
            styled(element, run.styles)
        }
        Leaf::Text(_) | Leaf::Break | Leaf::Emoji(Emoji::Custom { .. }) => {
            styled(json!({ "type": "text", "text": text_of(std::slice::from_ref(run)) }), run.styles)
        }
    }
}

fn mention_element(mention: &Mention) -> Value {
    match mention {
        Mention::Person { id, .. } => json!({ "type": "user", "user_id": id.as_str() }),
        Mention::Conversation { id, .. } => json!({ "type": "channel", "channel_id": id.as_str() }),
        Mention::Group { id, .. } => json!({ "type": "usergroup", "usergroup_id": id }),
        Mention::Everyone => json!({ "type": "broadcast", "range": "channel" }),
        Mention::Here => json!({ "type": "broadcast", "range": "here" }),
    }
}

fn emoji_element(name: &str) -> Value {
    match name.split_once("::skin-tone-") {
        Some((base, tone)) => {
            json!({ "type": "emoji", "name": base, "skin_tone": tone.parse::<u8>().unwrap_or(2) })
        }
        None => json!({ "type": "emoji", "name": name }),
    }
}

fn styled(mut element: Value, styles: u8) -> Value {
    let names =
        [(BOLD, "bold"), (ITALIC, "italic"), (STRIKE, "strike"), (UNDERLINE, "underline"), (CODE, "code")];
    let style: Map<String, Value> = names
        .into_iter()
        .filter(|(style, _)| styles & style != 0)
        .map(|(_, name)| (name.to_owned(), Value::Bool(true)))
        .collect();
    if !style.is_empty() {
        element["style"] = Value::Object(style);
    }
    element
}
