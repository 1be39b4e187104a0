//! The tree as Slack's flat sequence: what Slack has no form for becomes the nearest form that it has.

use dragoman_model::{Block, Document, Emoji, Inline, ListItem, Mention};

use super::flat::{MAX_INDENT, Piece, tidy};
use crate::runs::{
    BOLD, CODE, ITALIC, Leaf, Run, canonical, clean, date_text, emoji_text, flatten as flatten_inlines,
    mention_text, text_of,
};

const MAX_HEADER: usize = 150;
const MAX_ROWS: usize = 100;
const MAX_COLUMNS: usize = 20;
const MAX_TABLE_CHARS: usize = 10_000;
/// Blocks between the rich text; with the rich text around them they stay below Slack's 50.
const MAX_SPECIAL: usize = 24;
const RULE: &str = "\u{2014}\u{2014}\u{2014}";

/// The pieces, empty ones left out.
pub(crate) fn flatten(document: &Document) -> Vec<Piece> {
    let mut flattener = Flattener { pieces: Vec::new(), special: 0, table: false, open_item: false };
    flattener.blocks(&document.blocks, Place { quoted: false, level: 0 });
    tidy(flattener.pieces)
}

#[derive(Clone, Copy)]
struct Place {
    quoted: bool,
    /// Lists around.
    level: usize,
}

impl Place {
    fn is_top(self) -> bool {
        !self.quoted && self.level == 0
    }
}

struct Flattener {
    pieces: Vec<Piece>,
    special: usize,
    table: bool,
    /// Whether the last piece is an item whose text may still grow.
    open_item: bool,
}

impl Flattener {
    fn blocks(&mut self, blocks: &[Block], place: Place) {
        for block in blocks {
            self.block(block, place);
        }
    }

    fn block(&mut self, block: &Block, place: Place) {
        match block {
            Block::Paragraph(text) => self.lines(inline(text), place),
            Block::Heading { text, .. } => self.heading(text, place),
            Block::Quote(blocks) => {
                self.blocks(blocks, Place { quoted: place.quoted || place.level == 0, ..place });
            }
            Block::List { start, items } => self.list(*start, items, place),
            Block::Code { language, text } => self.code(language.as_deref(), text, place),
            Block::Rule if self.special(place) => self.pieces.push(Piece::Rule),
            Block::Rule => self.lines(vec![Run::text(RULE, 0)], place),
            Block::Table { header, rows } => self.table(*header, rows, place),
            Block::Unsupported { kind, text } => {
                let mut runs = canonical(inline(text));
                if runs.is_empty() {
                    runs.push(Run::text(format!("[{}]", clean(kind)), ITALIC));
                }
                self.lines(runs, place);
            }
        }
    }

    fn special(&mut self, place: Place) -> bool {
        let allowed = place.is_top() && self.special < MAX_SPECIAL;
        if allowed {
            self.special += 1;
            self.open_item = false;
        }
        allowed
    }

    fn lines(&mut self, runs: Vec<Run>, place: Place) {
        let runs = canonical(runs);
        if runs.is_empty() {
            return;
        }
        if place.level > 0 && self.open_item {
            if let Some(Piece::Item { runs: before, .. }) = self.pieces.last_mut() {
                if !before.is_empty() {
                    before.push(Run::new(Leaf::Break, 0));
                }
                before.extend(runs);
            }
            return;
        }
        self.open_item = false;
        match self.pieces.last_mut() {
            Some(Piece::Lines { quoted, runs: before }) if *quoted == place.quoted => {
                before.extend([Run::new(Leaf::Break, 0), Run::new(Leaf::Break, 0)]);
                before.extend(runs);
            }
            _ => self.pieces.push(Piece::Lines { quoted: place.quoted, runs }),
        }
    }

    fn heading(&mut self, text: &[Inline], place: Place) {
        let mut runs = canonical(inline(text));
        let plain = runs.iter().all(|run| matches!(run.leaf, Leaf::Text(_)));
        let chars = text_of(&runs).chars().count();
        if plain && chars > 0 && chars <= MAX_HEADER && self.special(place) {
            self.pieces.push(Piece::Header(vec![Run::text(text_of(&runs), 0)]));
            return;
        }
        for run in &mut runs {
            run.styles |= BOLD;
        }
        self.lines(runs, place);
    }

    fn list(&mut self, start: Option<u32>, items: &[ListItem], place: Place) {
        let indent = u8::try_from(place.level).unwrap_or(MAX_INDENT).min(MAX_INDENT);
        let mut number = start.map(|start| start.max(1));
        for item in items {
            // An item without any text would be a bullet of nothing: its blocks follow as they are.
            self.drop_empty_item();
            self.pieces.push(Piece::Item { quoted: place.quoted, indent, number, runs: Vec::new() });
            self.open_item = true;
            self.blocks(&item.blocks, Place { level: place.level + 1, ..place });
            number = number.map(|number| number.saturating_add(1));
        }
        self.drop_empty_item();
        self.open_item = false;
    }

    fn drop_empty_item(&mut self) {
        if matches!(self.pieces.last(), Some(Piece::Item { runs, .. }) if runs.is_empty()) {
            self.pieces.pop();
        }
    }

    fn code(&mut self, language: Option<&str>, text: &str, place: Place) {
        let text = code_text(text);
        if text.is_empty() {
            return;
        }
        self.drop_empty_item();
        self.open_item = false;
        let language = language.and_then(code_language);
        self.pieces.push(Piece::Code { quoted: place.quoted, language, text });
    }

    fn table(&mut self, header: bool, rows: &[Vec<Vec<Inline>>], place: Place) {
        let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
        if columns == 0 {
            return;
        }
        let cells: Vec<Vec<Vec<Run>>> = rows
            .iter()
            .enumerate()
            .map(|(index, row)| {
                let mut row: Vec<Vec<Run>> =
                    row.iter().map(|cell| Self::cell(cell, header && index == 0)).collect();
                row.resize_with(columns, Vec::new);
                row
            })
            .collect();
        if cells.iter().flatten().all(Vec::is_empty) {
            return;
        }
        let chars: usize = cells.iter().flatten().map(|cell| text_of(cell).chars().count()).sum();
        let fits = rows.len() <= MAX_ROWS && columns <= MAX_COLUMNS && chars <= MAX_TABLE_CHARS;
        if fits && !self.table && self.special(place) {
            self.table = true;
            self.pieces.push(Piece::Table { rows: cells });
        } else {
            self.code(None, &table_text(&cells), place);
        }
    }

    fn cell(cell: &[Inline], bold: bool) -> Vec<Run> {
        let mut runs = canonical(inline(cell));
        if runs.iter().all(|run| matches!(&run.leaf, Leaf::Text(text) if text.trim().is_empty())) {
            return Vec::new();
        }
        if bold {
            for run in &mut runs {
                run.styles |= BOLD;
            }
        }
        runs
    }
}

/// A table as lines of text, columns padded.
pub(crate) fn table_text(rows: &[Vec<Vec<Run>>]) -> String {
    let texts: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| text_of(cell)).collect()).collect();
    let columns = texts.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            let width = |row: &Vec<String>| row.get(column).map_or(0, |cell| cell.chars().count());
            texts.iter().map(width).max().unwrap_or(0).min(60)
        })
        .collect();
    let lines: Vec<String> = texts
        .iter()
        .map(|row| {
            let cells: Vec<String> =
                row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
            cells.join(" | ").trim_end().to_owned()
        })
        .collect();
    lines.join("\n")
}

/// Code without control characters and without line breaks at its end.
pub(crate) fn code_text(text: &str) -> String {
    let clean: String = text.chars().filter(|c| !c.is_control() || matches!(c, '\t' | '\n')).collect();
    clean.trim_end_matches('\n').to_owned()
}

/// A language that may stand beside code.
pub(crate) fn code_language(language: &str) -> Option<String> {
    let fits = (1..=32).contains(&language.len())
        && language.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '#' | '.' | '_' | '-'));
    fits.then(|| language.to_owned())
}

/// Whether Slack takes the text as an id; anything else could not be a mention.
pub(super) fn is_slack_id(id: &str) -> bool {
    id.len() >= 2 && id.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
}

/// Inlines as the runs that Slack can show.
fn inline(inlines: &[Inline]) -> Vec<Run> {
    canonical(flatten_inlines(inlines)).into_iter().map(shown).collect()
}

fn shown(run: Run) -> Run {
    let styles = run.styles;
    match run.leaf {
        Leaf::Link { url, text } => {
            let all_code = !text.is_empty() && text.iter().all(|inner| inner.styles & CODE != 0);
            let label = text_of(&text);
            let inner = if label.is_empty() {
                Vec::new()
            } else {
                vec![Run::text(label, if all_code { CODE } else { 0 })]
            };
            Run::new(Leaf::Link { url, text: inner }, styles)
        }
        Leaf::Emoji(Emoji::Unicode(characters)) => match crate::emoji::to_slack(&characters) {
            Some(name) => {
                let characters = crate::emoji::from_slack(&name).unwrap_or(characters);
                Run::new(Leaf::Emoji(Emoji::Unicode(characters)), styles)
            }
            None => Run::text(clean(&characters), styles),
        },
        Leaf::Emoji(custom) => Run::text(clean(&emoji_text(&custom)), styles),
        Leaf::Mention(mention) => match nameless(&mention) {
            Some(mention) => Run::new(Leaf::Mention(mention), styles),
            None => Run::text(clean(&mention_text(&mention)), styles),
        },
        Leaf::Date { seconds, fallback } if !(0..=253_402_300_799).contains(&seconds) => {
            Run::text(date_text(seconds, &fallback), styles)
        }
        leaf => Run::new(leaf, styles),
    }
}

fn nameless(mention: &Mention) -> Option<Mention> {
    let name = String::new();
    Some(match mention {
        Mention::Person { id, .. } if is_slack_id(id.as_str()) => Mention::Person { id: id.clone(), name },
        Mention::Conversation { id, .. } if is_slack_id(id.as_str()) => {
            Mention::Conversation { id: id.clone(), name }
        }
        Mention::Group { id, .. } if is_slack_id(id) => Mention::Group { id: id.clone(), name },
        Mention::Everyone => Mention::Everyone,
        Mention::Here => Mention::Here,
        _ => return None,
    })
}
