//! How long the HTML of a tree can be, without rendering it: most messages are far from any limit.

use dragoman_model::{Block, Document, Emoji, Inline, Mention};

/// Tags around a leaf in every style at once, with the number that tells two people of one name apart.
const AROUND: usize = 128;
/// `&nbsp;` and `&quot;`.
const LONGEST_SIGN: usize = 6;

/// No fewer bytes than the HTML of the tree has.
pub fn at_most(document: &Document) -> usize {
    blocks(&document.blocks)
}

fn blocks(list: &[Block]) -> usize {
    let size = |block: &Block| match block {
        Block::Paragraph(text) | Block::Heading { text, .. } => inlines(text),
        Block::Unsupported { kind, text } => leaf(kind) + inlines(text),
        Block::Quote(inner) => blocks(inner),
        Block::List { items, .. } => items.iter().map(|item| AROUND + blocks(&item.blocks)).sum(),
        Block::Code { language, text } => leaf(language.as_deref().unwrap_or_default()) + leaf(text),
        Block::Rule => 0,
        Block::Table { rows, .. } => {
            let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
            AROUND * rows.len() * (1 + columns)
                + rows.iter().flatten().map(|cell| inlines(cell)).sum::<usize>()
        }
    };
    list.iter().map(|block| AROUND + size(block)).sum()
}

fn inlines(list: &[Inline]) -> usize {
    let size = |inline: &Inline| match inline {
        Inline::Text(text)
        | Inline::Code(text)
        | Inline::Emoji(Emoji::Unicode(text) | Emoji::Custom { name: text, .. }) => leaf(text),
        Inline::Strong(inner)
        | Inline::Emphasis(inner)
        | Inline::Strike(inner)
        | Inline::Underline(inner) => inlines(inner),
        // An address without a text is shown itself.
        Inline::Link { url, text } => 2 * leaf(url) + inlines(text),
        Inline::Mention(Mention::Person { id, name }) => leaf(id.as_str()) + leaf(name),
        Inline::Mention(Mention::Conversation { id, name }) => leaf(id.as_str()) + leaf(name),
        Inline::Mention(Mention::Group { id, name }) => leaf(id) + leaf(name),
        Inline::Date { fallback, .. } => leaf(fallback),
        Inline::Mention(Mention::Everyone | Mention::Here) | Inline::Break => AROUND,
    };
    list.iter().map(size).sum()
}

/// Lines of a text have their own tags.
fn leaf(text: &str) -> usize {
    let lines = 1 + text.bytes().filter(|byte| *byte == b'\n').count();
    AROUND * lines + LONGEST_SIGN * text.len()
}
