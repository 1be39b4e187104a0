//! Blocks of messages as pieces.

use dragoman_model::Document;
use serde_json::Value;

use super::elements::{array, inline, kind, readable, rich_text, string};
use super::flat::Piece;
use super::markdown::markdown;
use super::mrkdwn::{mrkdwn, mrkdwn_runs};
use super::pieces::{Gap, Pieces};
use crate::budget::Budget;
use crate::runs::{BOLD, Leaf, Run, clean, push_text};
use crate::uri::link_url;

/// A message's text. Blocks say it without ambiguity; where there are none, or none that can be read, the
/// mrkdwn of `text` does. Mentions carry ids and no names.
pub fn parse(blocks: Option<&Value>, text: &str, budget: Budget) -> Document {
    let mut pieces = Pieces::new(budget);
    if let Some(Value::Array(blocks)) = blocks {
        add_blocks(blocks, &mut pieces);
    }
    let document = pieces.finish();
    if !document.is_empty() {
        return document;
    }
    let fallback = super::mrkdwn::parse_mrkdwn(text, budget);
    if fallback.blocks.is_empty() { document } else { fallback }
}

/// Adds blocks, each a paragraph away from the one before.
pub(super) fn add_blocks(blocks: &[Value], pieces: &mut Pieces) {
    if !pieces.enter() {
        return;
    }
    for block in blocks {
        add_block(block, pieces);
    }
    pieces.leave();
}

fn add_block(block: &Value, pieces: &mut Pieces) {
    match kind(block) {
        "rich_text" => rich_text(block, Gap::Blank, pieces),
        "section" => section(block, pieces),
        "header" => {
            let mut runs = Vec::new();
            text_object(block.get("text"), &mut runs, pieces);
            pieces.push(Piece::Header(runs));
        }
        "context" => context(block, pieces),
        "divider" => pieces.push(Piece::Rule),
        "image" => {
            let runs = image(block);
            pieces.lines(false, runs, Gap::Blank);
        }
        "markdown" => markdown(string(block, "text"), pieces),
        "table" | "data_table" => table(block, pieces),
        "video" => {
            let url = [string(block, "title_url"), string(block, "video_url")].into_iter().find_map(link_url);
            let runs = labelled(url, &readable_title(block));
            pieces.lines(false, runs, Gap::Blank);
        }
        // A file stands in the message's own list of files.
        "file" => {}
        "actions" | "context_actions" => {
            let labels: Vec<String> =
                array(block, "elements").iter().map(readable).filter(|label| !label.is_empty()).collect();
            unsupported(kind(block), &labels.join(" \u{00b7} "), pieces);
        }
        other => {
            let mut text = readable(block);
            if text.is_empty() {
                text = readable_title(block);
            }
            unsupported(if other.is_empty() { "block" } else { other }, &text, pieces);
        }
    }
}

fn unsupported(kind: &str, text: &str, pieces: &mut Pieces) {
    let mut runs = Vec::new();
    push_text(&mut runs, text, 0);
    let kind: String = kind.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(40).collect();
    pieces.push(Piece::Unsupported { kind, runs });
}

fn readable_title(block: &Value) -> String {
    let title = block.get("title").map(|title| match title {
        Value::String(title) => title.clone(),
        title => string(title, "text").to_owned(),
    });
    title.filter(|title| !title.is_empty()).unwrap_or_else(|| string(block, "alt_text").to_owned())
}

/// A text object whose lines stand for themselves: mrkdwn with its quotes and code, or plain text.
fn text_lines(text: &Value, pieces: &mut Pieces) {
    if kind(text) == "mrkdwn" {
        mrkdwn(string(text, "text"), Gap::Blank, pieces);
        return;
    }
    let mut runs = Vec::new();
    text_object(Some(text), &mut runs, pieces);
    pieces.lines(false, runs, Gap::Blank);
}

/// A text object inside a line.
fn text_object(text: Option<&Value>, runs: &mut Vec<Run>, pieces: &mut Pieces) {
    let Some(text) = text else { return };
    match kind(text) {
        "mrkdwn" => runs.extend(mrkdwn_runs(string(text, "text"), &mut pieces.meter)),
        _ if text.get("emoji").and_then(Value::as_bool) == Some(false) => {
            push_text(runs, string(text, "text"), 0);
        }
        _ => super::mrkdwn::shortcodes(string(text, "text"), 0, runs, &mut pieces.meter),
    }
}

fn section(block: &Value, pieces: &mut Pieces) {
    if let Some(text) = block.get("text") {
        text_lines(text, pieces);
    }
    for field in array(block, "fields") {
        text_lines(field, pieces);
    }
    match block.get("accessory") {
        Some(accessory) if kind(accessory) == "image" => {
            let runs = image(accessory);
            pieces.lines(false, runs, Gap::Line);
        }
        Some(accessory) if link_url(string(accessory, "url")).is_some() => {
            let runs = labelled(link_url(string(accessory, "url")), &readable(accessory));
            pieces.lines(false, runs, Gap::Line);
        }
        _ => {}
    }
}

fn context(block: &Value, pieces: &mut Pieces) {
    let mut runs = Vec::new();
    for element in array(block, "elements") {
        // Pictures beside a context line are icons.
        if kind(element) == "image" {
            continue;
        }
        if !runs.is_empty() {
            runs.push(Run::text(" ", 0));
        }
        text_object(Some(element), &mut runs, pieces);
    }
    pieces.lines(false, runs, Gap::Blank);
}

/// A picture as a link, or as its description where it has no public address.
pub(super) fn image(block: &Value) -> Vec<Run> {
    let title = readable_title(block);
    let url = link_url(string(block, "image_url"));
    labelled(url, if title.is_empty() { "image" } else { &title })
}

/// A link with a label, or the label alone.
pub(super) fn labelled(url: Option<&str>, label: &str) -> Vec<Run> {
    let mut text = Vec::new();
    push_text(&mut text, &label.replace('\n', " "), 0);
    match url {
        Some(url) => vec![Run::new(Leaf::Link { url: url.to_owned(), text }, 0)],
        None => text,
    }
}

fn table(block: &Value, pieces: &mut Pieces) {
    let mut rows = Vec::new();
    for row in array(block, "rows") {
        let mut cells: Vec<Vec<Run>> = Vec::new();
        for cell in row.as_array().map_or(&[][..], Vec::as_slice) {
            let runs = match kind(cell) {
                "rich_text" => {
                    let mut runs: Vec<Run> = Vec::new();
                    for part in array(cell, "elements") {
                        if !runs.is_empty() {
                            runs.push(Run::new(Leaf::Break, 0));
                        }
                        runs.extend(inline(part, pieces));
                    }
                    runs
                }
                _ if !pieces.meter.take() => Vec::new(),
                _ => {
                    let text = readable(cell);
                    let mut runs = Vec::new();
                    if !text.trim().is_empty() {
                        push_text(&mut runs, &text, 0);
                    }
                    runs
                }
            };
            cells.push(runs);
        }
        if !cells.is_empty() {
            rows.push(cells);
        }
    }
    pieces.push(Piece::Table { rows });
}

/// A bold line.
pub(super) fn bold(text: &str) -> Run {
    Run::text(clean(text), BOLD)
}
