//! The tree as Webex can hold it.

use dragoman_model::{Block, Document, Emoji, Inline, ListItem};

use super::mentions::{BREAKER, kept};
use crate::runs::{
    CODE, ITALIC, Leaf, Run, UNDERLINE, build, canonical, clean, date_text, emoji_text, flatten_allowing,
    mention_text, text_of,
};
use crate::slack::{code_language, code_text, table_text};
use crate::teams::teams_runs;
use crate::uri::webex_url;

/// Markdown's largest number of an item.
const MAX_START: u32 = 999_999_999;

/// What a text is on Webex.
pub(crate) fn degrade(document: &Document) -> Document {
    Document { blocks: blocks(&document.blocks) }.normalise()
}

/// The tree that was read, with each paragraph apart.
pub(super) fn apart(document: Document) -> Document {
    Document { blocks: apart_blocks(document.blocks) }.normalise()
}

/// Paragraphs: an empty line ends one.
pub(super) fn paragraphs(runs: Vec<Run>) -> Vec<Block> {
    let mut out = Vec::new();
    let mut open: Vec<Run> = Vec::new();
    let mut breaks = 0;
    for run in teams_runs(runs) {
        if run.is_break() {
            breaks += 1;
            continue;
        }
        if breaks > 1 {
            out.push(Block::Paragraph(build(std::mem::take(&mut open))));
        } else if breaks == 1 {
            open.push(Run::new(Leaf::Break, 0));
        }
        breaks = 0;
        open.push(run);
    }
    if !open.is_empty() {
        out.push(Block::Paragraph(build(open)));
    }
    out
}

fn apart_blocks(blocks: Vec<Block>) -> Vec<Block> {
    blocks
        .into_iter()
        .flat_map(|block| match block {
            Block::Paragraph(text) => paragraphs(flatten(&text)),
            Block::Quote(inner) => vec![Block::Quote(apart_blocks(inner))],
            Block::List { start, items } => {
                let items =
                    items.into_iter().map(|item| ListItem { blocks: apart_blocks(item.blocks) }).collect();
                vec![Block::List { start, items }]
            }
            other => vec![other],
        })
        .collect()
}

fn blocks(list: &[Block]) -> Vec<Block> {
    list.iter().flat_map(block).collect()
}

fn block(block: &Block) -> Vec<Block> {
    match block {
        Block::Paragraph(text) => paragraphs(shown(flatten(text))),
        Block::Heading { level, text } => {
            let mut runs = teams_runs(shown(flatten(text)));
            for run in &mut runs {
                if run.is_break() {
                    *run = Run::text(" ", run.styles);
                }
            }
            let text = build(teams_runs(runs));
            one(!text.is_empty(), Block::Heading { level: (*level).clamp(1, 6), text })
        }
        Block::Quote(inner) => {
            let inner = blocks(inner);
            one(!inner.is_empty(), Block::Quote(inner))
        }
        Block::List { start, items } => {
            let items: Vec<ListItem> = items
                .iter()
                .map(|item| ListItem { blocks: blocks(&item.blocks) })
                .filter(|item| !item.blocks.is_empty())
                .collect();
            let start = start.map(|start| start.min(MAX_START));
            one(!items.is_empty(), Block::List { start, items })
        }
        Block::Code { language, text } => code(language.as_deref(), text),
        Block::Rule => vec![Block::Rule],
        Block::Table { rows, .. } => {
            let cell = |cell: &Vec<_>| canonical(shown(flatten(cell)));
            let rows: Vec<Vec<Vec<Run>>> = rows.iter().map(|row| row.iter().map(cell).collect()).collect();
            if rows.iter().flatten().all(Vec::is_empty) {
                return Vec::new();
            }
            code(None, &table_text(&rows))
        }
        Block::Unsupported { kind, text } => {
            let found = paragraphs(shown(flatten(text)));
            if found.is_empty() {
                return paragraphs(shown(vec![Run::text(format!("[{}]", clean(kind)), ITALIC)]));
            }
            found
        }
    }
}

fn one(wanted: bool, block: Block) -> Vec<Block> {
    if wanted { vec![block] } else { Vec::new() }
}

fn code(language: Option<&str>, text: &str) -> Vec<Block> {
    let text: String =
        text.chars().filter(|c| *c != BREAKER).map(|c| if c == '\u{a0}' { ' ' } else { c }).collect();
    let text = code_text(&text);
    one(!text.is_empty(), Block::Code { language: language.and_then(code_language), text })
}

fn flatten(inlines: &[Inline]) -> Vec<Run> {
    flatten_allowing(inlines, webex_url)
}

fn shown(runs: Vec<Run>) -> Vec<Run> {
    canonical(runs).into_iter().map(run).collect()
}

fn run(run: Run) -> Run {
    let styles = run.styles & !UNDERLINE;
    match run.leaf {
        Leaf::Text(text) => Run::text(spaces(&text), styles),
        Leaf::Emoji(emoji) => Run::text(spaces(&emoji_words(&emoji)), styles & !CODE),
        Leaf::Date { seconds, fallback } => Run::text(spaces(&date_text(seconds, &fallback)), styles),
        Leaf::Link { url, text } => {
            let text = text
                .into_iter()
                .map(|inner| {
                    let label = text_of(std::slice::from_ref(&inner));
                    Run::text(spaces(&clean(&label)), inner.styles & !UNDERLINE)
                })
                .collect();
            Run::new(Leaf::Link { url: address(&url), text }, styles)
        }
        Leaf::Mention(mention) => match kept(&mention) {
            Some(mention) => Run::new(Leaf::Mention(mention), styles),
            None => Run::text(spaces(&clean(&mention_text(&mention))), styles),
        },
        Leaf::Break => Run::new(Leaf::Break, styles),
    }
}

fn emoji_words(emoji: &Emoji) -> String {
    clean(&emoji_text(emoji))
}

/// HTML has one kind of space, and what keeps mentions apart is left out when the text is read.
fn spaces(text: &str) -> String {
    text.chars()
        .filter(|c| *c != BREAKER)
        .map(|c| if matches!(c, '\t' | '\u{a0}') { ' ' } else { c })
        .collect()
}

/// An address without the signs that could be more than an address in markdown.
fn address(url: &str) -> String {
    let mut out = String::with_capacity(url.len());
    for c in url.chars() {
        match c {
            '<' => out.push_str("%3C"),
            '>' => out.push_str("%3E"),
            '`' => out.push_str("%60"),
            BREAKER => out.push_str("%E2%80%8B"),
            c => out.push(c),
        }
    }
    out
}
