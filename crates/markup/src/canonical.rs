//! A tree as bytes that are equal exactly where trees say the same, for fingerprints.

use dragoman_model::{Block, Document, Emoji, Inline, Mention};

/// The bytes of a tree: every node with its kind and every text with its length, so that no two trees share
/// them. Names of mentions and addresses of emoji are left out where an id says it: they change without an edit.
pub fn canonical(document: &Document) -> Vec<u8> {
    let mut writer = Writer(Vec::with_capacity(1024));
    if document.is_normal() {
        writer.blocks(&document.blocks);
    } else {
        writer.blocks(&document.clone().normalise().blocks);
    }
    writer.0
}

struct Writer(Vec<u8>);

impl Writer {
    fn node(&mut self, kind: u8) {
        self.0.push(kind);
    }

    fn count(&mut self, count: usize) {
        self.0.extend(u64::try_from(count).unwrap_or(u64::MAX).to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.count(text.len());
        self.0.extend(text.as_bytes());
    }

    fn blocks(&mut self, blocks: &[Block]) {
        self.count(blocks.len());
        for block in blocks {
            match block {
                Block::Paragraph(text) => {
                    self.node(1);
                    self.inlines(text);
                }
                Block::Heading { level, text } => {
                    self.node(2);
                    self.node(*level);
                    self.inlines(text);
                }
                Block::Quote(blocks) => {
                    self.node(3);
                    self.blocks(blocks);
                }
                Block::List { start, items } => {
                    self.node(4);
                    self.node(u8::from(start.is_some()));
                    self.0.extend(start.unwrap_or(0).to_le_bytes());
                    self.count(items.len());
                    for item in items {
                        self.blocks(&item.blocks);
                    }
                }
                Block::Code { language, text } => {
                    self.node(5);
                    self.text(language.as_deref().unwrap_or_default());
                    self.text(text);
                }
                Block::Rule => self.node(6),
                Block::Table { header, rows } => {
                    self.node(7);
                    self.node(u8::from(*header));
                    self.count(rows.len());
                    for row in rows {
                        self.count(row.len());
                        for cell in row {
                            self.inlines(cell);
                        }
                    }
                }
                Block::Unsupported { kind, text } => {
                    self.node(8);
                    self.text(kind);
                    self.inlines(text);
                }
            }
        }
    }

    fn inlines(&mut self, inlines: &[Inline]) {
        self.count(inlines.len());
        for inline in inlines {
            match inline {
                Inline::Text(text) => self.leaf(20, text),
                Inline::Strong(inner) => self.style(21, inner),
                Inline::Emphasis(inner) => self.style(22, inner),
                Inline::Strike(inner) => self.style(23, inner),
                Inline::Underline(inner) => self.style(24, inner),
                Inline::Code(text) => self.leaf(25, text),
                Inline::Link { url, text } => {
                    self.leaf(26, url);
                    self.inlines(text);
                }
                Inline::Mention(mention) => self.mention(mention),
                Inline::Emoji(Emoji::Unicode(characters)) => self.leaf(33, characters),
                Inline::Emoji(Emoji::Custom { name, .. }) => self.leaf(34, name),
                Inline::Date { seconds, .. } => {
                    self.node(35);
                    self.0.extend(seconds.to_le_bytes());
                }
                Inline::Break => self.node(36),
            }
        }
    }

    fn leaf(&mut self, kind: u8, text: &str) {
        self.node(kind);
        self.text(text);
    }

    fn style(&mut self, kind: u8, inner: &[Inline]) {
        self.node(kind);
        self.inlines(inner);
    }

    fn mention(&mut self, mention: &Mention) {
        let (kind, id, name) = match mention {
            Mention::Person { id, name } => (27, id.as_str(), name.as_str()),
            Mention::Conversation { id, name } => (28, id.as_str(), name.as_str()),
            Mention::Group { id, name } => (29, id.as_str(), name.as_str()),
            Mention::Everyone => (30, "", ""),
            Mention::Here => (31, "", ""),
        };
        self.leaf(kind, id);
        self.text(if id.is_empty() { name } else { "" });
    }
}
