//! A Slack text is a flat sequence: nested lists are siblings with a larger indent, quotes hold lines, code and
//! lists by a border. This is that sequence, and the tree that it stands for.

use dragoman_model::{Block, Document, Inline, ListItem};

use crate::runs::{Run, build, canonical};

/// Slack's deepest list.
pub(crate) const MAX_INDENT: u8 = 8;

/// One piece of a text.
#[derive(Clone)]
pub(crate) enum Piece {
    /// Running text, with its line breaks.
    Lines { quoted: bool, runs: Vec<Run> },
    /// One item of a list; `number` is that of an ordered one.
    Item { quoted: bool, indent: u8, number: Option<u32>, runs: Vec<Run> },
    /// Preformatted.
    Code { quoted: bool, language: Option<String>, text: String },
    /// A header block.
    Header(Vec<Run>),
    /// A divider.
    Rule,
    /// A table; its first row may be a heading.
    Table { rows: Vec<Vec<Vec<Run>>> },
    /// Something without a word in the tree.
    Unsupported { kind: String, runs: Vec<Run> },
}

impl Piece {
    fn quoted(&self) -> bool {
        match self {
            Self::Lines { quoted, .. } | Self::Item { quoted, .. } | Self::Code { quoted, .. } => *quoted,
            _ => false,
        }
    }
}

/// The pieces without the empty ones, list items one level below the item that they stand under.
pub(crate) fn tidy(pieces: Vec<Piece>) -> Vec<Piece> {
    let kept = pieces
        .into_iter()
        .filter_map(|piece| match piece {
            Piece::Lines { quoted, runs } => {
                let runs = canonical(runs);
                (!runs.is_empty()).then_some(Piece::Lines { quoted, runs })
            }
            Piece::Item { quoted, indent, number, runs } => {
                let runs = canonical(runs);
                (!runs.is_empty()).then_some(Piece::Item { quoted, indent, number, runs })
            }
            Piece::Header(runs) => {
                let runs = canonical(runs);
                (!runs.is_empty()).then_some(Piece::Header(runs))
            }
            Piece::Code { text, .. } if text.is_empty() => None,
            Piece::Table { rows } if rows.iter().flatten().all(Vec::is_empty) => None,
            piece => Some(piece),
        })
        .collect();
    levelled(kept)
}

fn levelled(mut pieces: Vec<Piece>) -> Vec<Piece> {
    let mut above: Vec<u8> = Vec::new();
    let mut above_quoted = false;
    for piece in &mut pieces {
        let Piece::Item { quoted, indent, .. } = piece else {
            above.clear();
            continue;
        };
        if *quoted != above_quoted {
            above.clear();
            above_quoted = *quoted;
        }
        while above.last().is_some_and(|top| top > indent) {
            above.pop();
        }
        if above.last() != Some(indent) {
            above.push(*indent);
        }
        *indent = u8::try_from(above.len() - 1).unwrap_or(MAX_INDENT).min(MAX_INDENT);
    }
    pieces
}

/// The tree.
pub(crate) fn assemble(pieces: Vec<Piece>) -> Document {
    let mut blocks = Vec::new();
    let mut quote: Vec<Piece> = Vec::new();
    let mut open: Vec<Piece> = Vec::new();
    for piece in tidy(pieces) {
        if piece.quoted() {
            blocks.extend(sequence(std::mem::take(&mut open)));
            quote.push(piece);
        } else {
            close_quote(&mut quote, &mut blocks);
            open.push(piece);
        }
    }
    close_quote(&mut quote, &mut blocks);
    blocks.extend(sequence(open));
    Document { blocks }.normalise()
}

fn close_quote(quote: &mut Vec<Piece>, blocks: &mut Vec<Block>) {
    if !quote.is_empty() {
        blocks.push(Block::Quote(sequence(std::mem::take(quote))));
    }
}

fn sequence(pieces: Vec<Piece>) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lists = Lists::default();
    for piece in pieces {
        if let Piece::Item { indent, number, runs, .. } = piece {
            lists.item(indent.min(MAX_INDENT), number, build(runs), &mut blocks);
            continue;
        }
        lists.finish(&mut blocks);
        match piece {
            Piece::Lines { runs, .. } => blocks.push(Block::Paragraph(build(runs))),
            Piece::Code { language, text, .. } => blocks.push(Block::Code { language, text }),
            Piece::Header(runs) => blocks.push(Block::Heading { level: 1, text: build(runs) }),
            Piece::Rule => blocks.push(Block::Rule),
            Piece::Table { rows } => blocks.push(Block::Table { header: false, rows: cells(rows) }),
            Piece::Unsupported { kind, runs } => blocks.push(Block::Unsupported { kind, text: build(runs) }),
            Piece::Item { .. } => {}
        }
    }
    lists.finish(&mut blocks);
    blocks
}

fn cells(rows: Vec<Vec<Vec<Run>>>) -> Vec<Vec<Vec<Inline>>> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    if columns == 0 {
        return Vec::new();
    }
    rows.into_iter()
        .map(|row| {
            let mut row: Vec<Vec<Inline>> = row.into_iter().map(build).collect();
            row.resize(columns, Vec::new());
            row
        })
        .collect()
}

#[derive(Default)]
struct Lists {
    stack: Vec<Level>,
}

struct Level {
    indent: u8,
    start: Option<u32>,
    next: u32,
    items: Vec<ListItem>,
}

impl Lists {
    fn item(&mut self, indent: u8, number: Option<u32>, text: Vec<Inline>, blocks: &mut Vec<Block>) {
        while self.stack.last().is_some_and(|top| top.indent > indent) {
            self.close(blocks);
        }
        let goes_on = self.stack.last().is_some_and(|top| {
            top.indent == indent
                && top.start.is_some() == number.is_some()
                && number.is_none_or(|number| number == top.next)
        });
        if !goes_on {
            if self.stack.last().is_some_and(|top| top.indent == indent) {
                self.close(blocks);
            }
            let next = number.unwrap_or(1);
            self.stack.push(Level { indent, start: number, next, items: Vec::new() });
        }
        if let Some(top) = self.stack.last_mut() {
            top.next = top.next.saturating_add(1);
            top.items.push(ListItem { blocks: vec![Block::Paragraph(text)] });
        }
    }

    fn close(&mut self, blocks: &mut Vec<Block>) {
        let Some(level) = self.stack.pop() else { return };
        let list = Block::List { start: level.start, items: level.items };
        match self.stack.last_mut().and_then(|parent| parent.items.last_mut()) {
            Some(item) => item.blocks.push(list),
            None => blocks.push(list),
        }
    }

    fn finish(&mut self, blocks: &mut Vec<Block>) {
        while !self.stack.is_empty() {
            self.close(blocks);
        }
    }
}
