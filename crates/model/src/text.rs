//! Rich text as a tree: blocks of inlines. Every parser targets it, every renderer starts from it.
//!
//! Text of people: nothing here implements `Debug`, `Display` or `Serialize`, so that it cannot reach a log
//! or an error by accident. The feature `testing` adds `Debug` for assertions in tests.

use crate::ids::{RemoteConversation, RemoteUser};

/// A whole text. Adjacent `Text` inlines are merged and empty ones removed by [`Document::normalise`].
#[derive(Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "testing", derive(Debug))]
pub struct Document {
    /// Top-level blocks, in reading order.
    pub blocks: Vec<Block>,
}

/// A block.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "testing", derive(Debug))]
pub enum Block {
    /// Running text.
    Paragraph(Vec<Inline>),
    /// A heading; `level` is 1 to 6.
    Heading {
        /// 1 is the largest.
        level: u8,
        /// Its text.
        text: Vec<Inline>,
    },
    /// Quoted blocks.
    Quote(Vec<Block>),
    /// A list. Items hold blocks, so lists nest.
    List {
        /// The number of the first item; `None` is a bullet list.
        start: Option<u32>,
        /// In order.
        items: Vec<ListItem>,
    },
    /// Preformatted code.
    Code {
        /// The language, as the source named it.
        language: Option<String>,
        /// The code, lines separated by `\n`, no trailing line break.
        text: String,
    },
    /// A horizontal rule.
    Rule,
    /// A table. Every row has the same number of cells.
    Table {
        /// Whether the first row is a heading.
        header: bool,
        /// Rows of cells of inlines.
        rows: Vec<Vec<Vec<Inline>>>,
    },
    /// Something this tree has no word for, with the readable text that stands for it.
    Unsupported {
        /// What it was, in the source platform's word: `poll`, `actions`.
        kind: String,
        /// Readable text; may be empty.
        text: Vec<Inline>,
    },
}

/// One item of a list.
#[derive(Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "testing", derive(Debug))]
pub struct ListItem {
    /// Mostly one paragraph, then nested lists.
    pub blocks: Vec<Block>,
}

/// Text inside a block.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "testing", derive(Debug))]
pub enum Inline {
    /// Plain text without line breaks.
    Text(String),
    /// Bold.
    Strong(Vec<Inline>),
    /// Italic.
    Emphasis(Vec<Inline>),
    /// Struck through.
    Strike(Vec<Inline>),
    /// Underlined.
    Underline(Vec<Inline>),
    /// Inline code.
    Code(String),
    /// A link. `url` has one of the schemes http, https, mailto, tel; an empty `text` shows the URL.
    Link {
        /// Where to.
        url: String,
        /// What is shown.
        text: Vec<Inline>,
    },
    /// A mention.
    Mention(Mention),
    /// An emoji.
    Emoji(Emoji),
    /// A moment, shown in the reader's time zone where the platform can.
    Date {
        /// Seconds since 1970.
        seconds: i64,
        /// What a platform without such a thing shows.
        fallback: String,
    },
    /// A line break.
    Break,
}

/// Whom or what a mention names. Ids are those of the platform on whose side the tree currently is.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "testing", derive(Debug))]
pub enum Mention {
    /// A person, by id and by the name to show.
    Person {
        /// The platform's id.
        id: RemoteUser,
        /// The name without a leading `@`; empty when the source does not tell.
        name: String,
    },
    /// A conversation.
    Conversation {
        /// The platform's id.
        id: RemoteConversation,
        /// The name without a leading `#`; empty when the source does not tell.
        name: String,
    },
    /// Everybody in the conversation.
    Everyone,
    /// Everybody who is active.
    Here,
    /// A group of people (user group, tag, team).
    Group {
        /// The platform's id.
        id: String,
        /// The name without a leading `@`; empty when the source does not tell.
        name: String,
    },
}

/// An emoji.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "testing", derive(Debug))]
pub enum Emoji {
    /// A Unicode emoji with its skin tone, as characters.
    Unicode(String),
    /// A short name that is no Unicode emoji (a custom one), without colons.
    Custom {
        /// The short name.
        name: String,
        /// Its picture, where the platform gives a public one.
        url: Option<String>,
    },
}

impl Document {
    /// One paragraph of plain text; `\n` becomes a line break.
    pub fn plain(text: &str) -> Self {
        let mut inlines = Vec::new();
        for (index, line) in text.split('\n').enumerate() {
            if index > 0 {
                inlines.push(Inline::Break);
            }
            if !line.is_empty() {
                inlines.push(Inline::Text(line.to_owned()));
            }
        }
        if inlines.is_empty() { Self::default() } else { Self { blocks: vec![Block::Paragraph(inlines)] } }
    }

    /// Whether a reader would see nothing.
    pub fn is_empty(&self) -> bool {
        self.blocks.iter().all(block_is_empty)
    }

    /// The tree in its one canonical form: neighbouring texts merged, empty inlines, paragraphs, lists and
    /// tables removed, breaks at the edges of a block trimmed.
    #[must_use]
    pub fn normalise(self) -> Self {
        if self.is_normal() { self } else { Self { blocks: normalise_blocks(self.blocks) } }
    }

    /// Whether [`Document::normalise`] would change nothing.
    pub fn is_normal(&self) -> bool {
        self.blocks.iter().all(block_is_normal)
    }

    /// Calls `visit` for every inline, outer ones first.
    pub fn visit_inlines(&self, visit: &mut dyn FnMut(&Inline)) {
        for block in &self.blocks {
            visit_block(block, visit);
        }
    }

    /// Replaces every inline by what `map` makes of it, inner ones first.
    #[must_use]
    pub fn map_inlines(self, map: &mut dyn FnMut(Inline) -> Inline) -> Self {
        Self { blocks: self.blocks.into_iter().map(|block| map_block(block, map)).collect() }
    }
}

fn block_is_empty(block: &Block) -> bool {
    match block {
        Block::Paragraph(text) | Block::Heading { text, .. } => inlines_are_empty(text),
        Block::Quote(blocks) => blocks.iter().all(block_is_empty),
        Block::List { items, .. } => items.iter().all(|item| item.blocks.iter().all(block_is_empty)),
        Block::Code { text, .. } => text.is_empty(),
        Block::Rule | Block::Unsupported { .. } => false,
        Block::Table { rows, .. } => rows.iter().flatten().all(|cell| inlines_are_empty(cell)),
    }
}

fn inlines_are_empty(inlines: &[Inline]) -> bool {
    inlines.iter().all(|inline| match inline {
        Inline::Text(text) | Inline::Code(text) => text.trim().is_empty(),
        Inline::Strong(inner)
        | Inline::Emphasis(inner)
        | Inline::Strike(inner)
        | Inline::Underline(inner) => inlines_are_empty(inner),
        Inline::Break => true,
        Inline::Link { .. } | Inline::Mention(_) | Inline::Emoji(_) | Inline::Date { .. } => false,
    })
}

fn block_is_normal(block: &Block) -> bool {
    match block {
        Block::Paragraph(text) => !text.is_empty() && text_is_normal(text),
        Block::Heading { level, text } => (1..=6).contains(level) && !text.is_empty() && text_is_normal(text),
        Block::Quote(blocks) => !blocks.is_empty() && blocks.iter().all(block_is_normal),
        Block::List { items, .. } => {
            let item = |item: &ListItem| !item.blocks.is_empty() && item.blocks.iter().all(block_is_normal);
            !items.is_empty() && items.iter().all(item)
        }
        Block::Table { rows, .. } => {
            !rows.is_empty() && rows.iter().flatten().all(|cell| text_is_normal(cell))
        }
        Block::Unsupported { text, .. } => text_is_normal(text),
        Block::Code { text, .. } => !text.is_empty(),
        Block::Rule => true,
    }
}

fn text_is_normal(text: &[Inline]) -> bool {
    let edge = |inline: Option<&Inline>| matches!(inline, Some(Inline::Break));
    !edge(text.first()) && !edge(text.last()) && inlines_are_normal(text)
}

fn inlines_are_normal(inlines: &[Inline]) -> bool {
    let normal = |inline: &Inline| match inline {
        Inline::Text(text) | Inline::Code(text) => !text.is_empty(),
        Inline::Strong(inner)
        | Inline::Emphasis(inner)
        | Inline::Strike(inner)
        | Inline::Underline(inner) => !inner.is_empty() && inlines_are_normal(inner),
        Inline::Link { text, .. } => inlines_are_normal(text),
        Inline::Mention(_) | Inline::Emoji(_) | Inline::Date { .. } | Inline::Break => true,
    };
    let joins = |pair: &[Inline]| {
        matches!(
            pair,
            [Inline::Text(_), Inline::Text(_)]
                | [Inline::Strong(_), Inline::Strong(_)]
                | [Inline::Emphasis(_), Inline::Emphasis(_)]
                | [Inline::Strike(_), Inline::Strike(_)]
                | [Inline::Underline(_), Inline::Underline(_)]
        )
    };
    inlines.iter().all(normal) && !inlines.windows(2).any(joins)
}

fn normalise_blocks(blocks: Vec<Block>) -> Vec<Block> {
    blocks
        .into_iter()
        .filter_map(|block| {
            let block = match block {
                Block::Paragraph(text) => Block::Paragraph(trim_breaks(normalise_inlines(text))),
                Block::Heading { level, text } => {
                    Block::Heading { level: level.clamp(1, 6), text: trim_breaks(normalise_inlines(text)) }
                }
                Block::Quote(blocks) => Block::Quote(normalise_blocks(blocks)),
                Block::List { start, items } => Block::List {
                    start,
                    items: items
                        .into_iter()
                        .map(|item| ListItem { blocks: normalise_blocks(item.blocks) })
                        .filter(|item| !item.blocks.is_empty())
                        .collect(),
                },
                Block::Table { header, rows } => Block::Table {
                    header,
                    rows: rows
                        .into_iter()
                        .map(|row| row.into_iter().map(|cell| trim_breaks(normalise_inlines(cell))).collect())
                        .collect(),
                },
                Block::Unsupported { kind, text } => {
                    Block::Unsupported { kind, text: trim_breaks(normalise_inlines(text)) }
                }
                other @ (Block::Code { .. } | Block::Rule) => other,
            };
            let gone = match &block {
                Block::Paragraph(text) | Block::Heading { text, .. } => text.is_empty(),
                Block::Quote(blocks) => blocks.is_empty(),
                Block::List { items, .. } => items.is_empty(),
                Block::Code { text, .. } => text.is_empty(),
                Block::Table { rows, .. } => rows.is_empty(),
                Block::Rule | Block::Unsupported { .. } => false,
            };
            (!gone).then_some(block)
        })
        .collect()
}

fn normalise_inlines(inlines: Vec<Inline>) -> Vec<Inline> {
    let mut out: Vec<Inline> = Vec::with_capacity(inlines.len());
    for inline in inlines {
        let inline = match inline {
            Inline::Text(text) if text.is_empty() => continue,
            Inline::Code(text) if text.is_empty() => continue,
            Inline::Strong(inner) => Inline::Strong(normalise_inlines(inner)),
            Inline::Emphasis(inner) => Inline::Emphasis(normalise_inlines(inner)),
            Inline::Strike(inner) => Inline::Strike(normalise_inlines(inner)),
            Inline::Underline(inner) => Inline::Underline(normalise_inlines(inner)),
            Inline::Link { url, text } => Inline::Link { url, text: normalise_inlines(text) },
            other => other,
        };
        match (out.last_mut(), inline) {
            (Some(Inline::Text(before)), Inline::Text(text)) => before.push_str(&text),
            (Some(Inline::Strong(before)), Inline::Strong(inner))
            | (Some(Inline::Emphasis(before)), Inline::Emphasis(inner))
            | (Some(Inline::Strike(before)), Inline::Strike(inner))
            | (Some(Inline::Underline(before)), Inline::Underline(inner)) => {
                let mut joined = std::mem::take(before);
                joined.extend(inner);
                *before = normalise_inlines(joined);
            }
            (
                _,
                Inline::Strong(inner)
                | Inline::Emphasis(inner)
                | Inline::Strike(inner)
                | Inline::Underline(inner),
            ) if inner.is_empty() => {}
            (_, inline) => out.push(inline),
        }
    }
    out
}

fn trim_breaks(mut inlines: Vec<Inline>) -> Vec<Inline> {
    while matches!(inlines.last(), Some(Inline::Break)) {
        inlines.pop();
    }
    let lead = inlines.iter().take_while(|inline| matches!(inline, Inline::Break)).count();
    inlines.drain(..lead);
    inlines
}

fn visit_block(block: &Block, visit: &mut dyn FnMut(&Inline)) {
    match block {
        Block::Paragraph(text) | Block::Heading { text, .. } | Block::Unsupported { text, .. } => {
            visit_inlines(text, visit);
        }
        Block::Quote(blocks) => blocks.iter().for_each(|block| visit_block(block, visit)),
        Block::List { items, .. } => {
            items.iter().flat_map(|item| &item.blocks).for_each(|block| visit_block(block, visit));
        }
        Block::Table { rows, .. } => rows.iter().flatten().for_each(|cell| visit_inlines(cell, visit)),
        Block::Code { .. } | Block::Rule => {}
    }
}

fn visit_inlines(inlines: &[Inline], visit: &mut dyn FnMut(&Inline)) {
    for inline in inlines {
        visit(inline);
        match inline {
            Inline::Strong(inner)
            | Inline::Emphasis(inner)
            | Inline::Strike(inner)
            | Inline::Underline(inner)
            | Inline::Link { text: inner, .. } => visit_inlines(inner, visit),
            _ => {}
        }
    }
}

fn map_block(block: Block, map: &mut dyn FnMut(Inline) -> Inline) -> Block {
    match block {
        Block::Paragraph(text) => Block::Paragraph(map_inlines(text, map)),
        Block::Heading { level, text } => Block::Heading { level, text: map_inlines(text, map) },
        Block::Unsupported { kind, text } => Block::Unsupported { kind, text: map_inlines(text, map) },
        Block::Quote(blocks) => Block::Quote(blocks.into_iter().map(|block| map_block(block, map)).collect()),
        Block::List { start, items } => Block::List {
            start,
            items: items
                .into_iter()
                .map(|item| ListItem {
                    blocks: item.blocks.into_iter().map(|block| map_block(block, map)).collect(),
                })
                .collect(),
        },
        Block::Table { header, rows } => Block::Table {
            header,
            rows: rows
                .into_iter()
                .map(|row| row.into_iter().map(|cell| map_inlines(cell, map)).collect())
                .collect(),
        },
        other @ (Block::Code { .. } | Block::Rule) => other,
    }
}

fn map_inlines(inlines: Vec<Inline>, map: &mut dyn FnMut(Inline) -> Inline) -> Vec<Inline> {
    inlines
        .into_iter()
        .map(|inline| {
            let inline = match inline {
                Inline::Strong(inner) => Inline::Strong(map_inlines(inner, map)),
                Inline::Emphasis(inner) => Inline::Emphasis(map_inlines(inner, map)),
                Inline::Strike(inner) => Inline::Strike(map_inlines(inner, map)),
                Inline::Underline(inner) => Inline::Underline(map_inlines(inner, map)),
                Inline::Link { url, text } => Inline::Link { url, text: map_inlines(text, map) },
                other => other,
            };
            map(inline)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalise_merges_text_and_drops_what_is_empty() {
        let ragged = Document {
            blocks: vec![
                Block::Paragraph(vec![]),
                Block::Paragraph(vec![
                    Inline::Break,
                    Inline::Text("a".into()),
                    Inline::Text("b".into()),
                    Inline::Strong(vec![Inline::Text(String::new())]),
                    Inline::Break,
                ]),
            ],
        };
        let expected = Document { blocks: vec![Block::Paragraph(vec![Inline::Text("ab".into())])] };
        assert!(ragged.normalise() == expected);
    }

    #[test]
    fn plain_text_keeps_its_lines() {
        let document = Document::plain("a\n\nb");
        let expected = vec![Block::Paragraph(vec![
            Inline::Text("a".into()),
            Inline::Break,
            Inline::Break,
            Inline::Text("b".into()),
        ])];
        assert!(document.blocks == expected);
        assert!(Document::plain("").is_empty());
    }
}
