//! A tree as text, for reading without markup.

use dragoman_model::{Block, Document, Inline};

use crate::runs::{date_text, emoji_text, mention_text};

/// The text without any markup: blocks on lines of their own, items with a bullet or number, links by their
/// text, mentions as `@name`.
pub fn plain(document: &Document) -> String {
    let mut lines = Vec::new();
    blocks(&document.blocks, "", &mut lines);
    lines.join("\n")
}

fn blocks(list: &[Block], indent: &str, lines: &mut Vec<String>) {
    for block in list {
        match block {
            Block::Paragraph(text) | Block::Heading { text, .. } => push(&inlines(text), indent, lines),
            Block::Unsupported { kind, text } => {
                let text = inlines(text);
                push(if text.is_empty() { kind } else { &text }, indent, lines);
            }
            Block::Quote(inner) => blocks(inner, &format!("{indent}> "), lines),
            Block::List { start, items } => {
                for (index, item) in items.iter().enumerate() {
                    let index = u32::try_from(index).unwrap_or(u32::MAX);
                    let sign = start.map_or_else(
                        || "\u{2022} ".to_owned(),
                        |start| format!("{}. ", start.saturating_add(index)),
                    );
                    let mut inner = Vec::new();
                    blocks(&item.blocks, "", &mut inner);
                    for (row, line) in inner.into_iter().enumerate() {
                        let lead = if row == 0 { sign.as_str() } else { "  " };
                        lines.push(format!("{indent}{lead}{line}"));
                    }
                }
            }
            Block::Code { text, .. } => push(text, indent, lines),
            Block::Rule => lines.push(format!("{indent}---")),
            Block::Table { rows, .. } => {
                for row in rows {
                    let cells: Vec<String> =
                        row.iter().map(|cell| inlines(cell).replace('\n', " ")).collect();
                    lines.push(format!("{indent}{}", cells.join(" | ")));
                }
            }
        }
    }
}

fn push(text: &str, indent: &str, lines: &mut Vec<String>) {
    lines.extend(text.split('\n').map(|line| format!("{indent}{line}")));
}

fn inlines(list: &[Inline]) -> String {
    let mut out = String::new();
    for inline in list {
        match inline {
            Inline::Text(text) | Inline::Code(text) => out.push_str(text),
            Inline::Strong(inner)
            | Inline::Emphasis(inner)
            | Inline::Strike(inner)
            | Inline::Underline(inner) => out.push_str(&inlines(inner)),
            Inline::Link { url, text } if text.is_empty() => out.push_str(url),
            Inline::Link { text, .. } => out.push_str(&inlines(text)),
            Inline::Mention(mention) => out.push_str(&mention_text(mention)),
            Inline::Emoji(emoji) => out.push_str(&emoji_text(emoji)),
            Inline::Date { seconds, fallback } => out.push_str(&date_text(*seconds, fallback)),
            Inline::Break => out.push('\n'),
        }
    }
    out
}
