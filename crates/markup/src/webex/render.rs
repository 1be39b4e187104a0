//! The tree as markdown of Webex, blocks.

use dragoman_model::{Block, Document, ListItem};

use super::lines::{heading, lines};
use super::mentions::broken;

/// How many bytes of `markdown`, and of `text`, one message takes (Webex for Developers, "Create a Message").
pub const MAX_BYTES: usize = 7439;

/// A text as `POST /messages` and `PUT /messages/{id}` take it.
#[derive(Clone)]
pub struct WebexText {
    /// The `markdown`. Empty where there is nothing to show.
    pub markdown: String,
    /// The `text` beside it: what is shown where markdown is not.
    pub text: String,
}

impl WebexText {
    /// The length that counts against [`MAX_BYTES`], in bytes: each of the two has to fit.
    pub fn bytes(&self) -> usize {
        self.markdown.len().max(self.text.len())
    }
}

/// The tree as markdown with a text beside it. No text of the tree can become a mention or markup; only
/// mentions of the tree mention.
///
/// A line break is two spaces and `\n`; what markdown would lose of spaces is a no-break space.
pub fn render(document: &Document) -> WebexText {
    let document = super::degrade(document);
    let text = broken(&crate::plain(&document));
    WebexText { markdown: blocks(&document.blocks).join("\n"), text }
}

/// Lines without line breaks.
fn blocks(list: &[Block]) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut neighbour: Option<(bool, bool)> = None;
    for (index, block) in list.iter().enumerate() {
        // Two lists that follow each other would be one if their signs were the same.
        let other = match (block, neighbour) {
            (Block::List { start, .. }, Some((ordered, other))) if ordered == start.is_some() => !other,
            _ => false,
        };
        if index > 0 && !joins(&list[index - 1], block) {
            out.push(String::new());
        }
        out.extend(self::block(block, other));
        neighbour = match block {
            Block::List { start, .. } => Some((start.is_some(), other)),
            _ => None,
        };
    }
    out
}

/// Whether a list may follow a text without an empty line: it looks better, and only lists that start as usual
/// are lists then.
fn joins(before: &Block, block: &Block) -> bool {
    matches!(before, Block::Paragraph(_)) && matches!(block, Block::List { start: None | Some(1), .. })
}

fn block(block: &Block, other: bool) -> Vec<String> {
    match block {
        Block::Paragraph(text) | Block::Unsupported { text, .. } => lines(text),
        Block::Heading { level, text } => vec![heading(*level, text)],
        Block::Quote(inner) => {
            let prefixed = |line: String| if line.is_empty() { ">".to_owned() } else { format!("> {line}") };
            blocks(inner).into_iter().map(prefixed).collect()
        }
        Block::List { start, items } => list(*start, items, other),
        Block::Code { language, text } => code(language.as_deref(), text),
        // Not `---` or `***`: these are something else under a text or in an item.
        Block::Rule => vec!["___".to_owned()],
        // Degrading leaves none.
        Block::Table { .. } => Vec::new(),
    }
}

fn list(start: Option<u32>, items: &[ListItem], other: bool) -> Vec<String> {
    let mut out = Vec::new();
    let mut number = start;
    for item in items {
        let sign = match number {
            Some(number) => format!("{number}{} ", if other { ')' } else { '.' }),
            None => if other { "+ " } else { "- " }.to_owned(),
        };
        let indent = " ".repeat(sign.len());
        for (index, line) in blocks(&item.blocks).into_iter().enumerate() {
            out.push(match (index, line.is_empty()) {
                (0, _) => format!("{sign}{line}"),
                (_, true) => line,
                (_, false) => format!("{indent}{line}"),
            });
        }
        number = number.map(|number| number.saturating_add(1).min(999_999_999));
    }
    out
}

fn code(language: Option<&str>, text: &str) -> Vec<String> {
    let text = broken(text);
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    let mut out = vec![format!("{fence}{}", language.unwrap_or_default())];
    out.extend(text.split('\n').map(str::to_owned));
    out.push(fence);
    out
}
