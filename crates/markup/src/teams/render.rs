//! The tree as HTML of Teams, by a serializer that escapes. Only tags and attributes that Teams keeps.

use std::fmt::Write as _;

use dragoman_model::{Block, Document, Inline, ListItem, Mention};

use super::input::MentionKind;
use super::mentions::Roster;

/// Who sends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flavour {
    /// Graph: `<at id="0">Name</at>`, code with its language.
    Graph,
    /// A bot (`textFormat` `xml`): `<at>Name</at>`, matched with the entities by its text.
    Bot,
}

/// A mention of a rendered text.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "testing", derive(Debug))]
pub struct RenderedMention {
    /// Graph: the `id` of the entry in `mentions[]`.
    pub index: u32,
    /// Who or what; empty for [`MentionKind::Everyone`], whose id is that of the conversation.
    pub id: String,
    /// The exact text between the tags: `mentionText` of Graph, and `<at>name</at>` is the `text` of a bot's
    /// entity. It holds no character that HTML escapes.
    pub name: String,
    /// What is mentioned.
    pub kind: MentionKind,
}

/// A text as Teams takes it.
#[derive(Clone)]
pub struct TeamsText {
    /// The HTML. Empty where there is nothing to show.
    pub html: String,
    /// Its mentions, by index.
    pub mentions: Vec<RenderedMention>,
}

/// The tree as HTML. No text of the tree can become a mention or markup.
pub fn render(document: &Document, flavour: Flavour) -> TeamsText {
    let document = crate::degrade::teams_of(document, flavour);
    let mut html =
        Html { out: String::with_capacity(1024), spaced: true, flavour, roster: Roster::new(flavour) };
    html.blocks(&document.blocks, false);
    TeamsText { html: html.out, mentions: html.roster.finish() }
}

struct Html {
    out: String,
    /// Whether a space here would be lost: at the start of a line, or after another.
    spaced: bool,
    flavour: Flavour,
    roster: Roster,
}

impl Html {
    fn open(&mut self, tag: &'static str) {
        self.out.push('<');
        self.out.push_str(tag);
        self.out.push('>');
    }

    fn open_with(&mut self, tag: &'static str, attribute: &'static str, value: &str) {
        self.out.push('<');
        self.out.push_str(tag);
        self.out.push(' ');
        self.out.push_str(attribute);
        self.out.push_str("=\"");
        self.escaped(value);
        self.out.push_str("\">");
    }

    fn close(&mut self, tag: &'static str) {
        self.out.push_str("</");
        self.out.push_str(tag);
        self.out.push('>');
    }

    fn escaped(&mut self, text: &str) {
        let mut plain = 0;
        for (at, byte) in text.bytes().enumerate() {
            let sign = match byte {
                b'&' => "&amp;",
                b'<' => "&lt;",
                b'>' => "&gt;",
                b'"' => "&quot;",
                _ => continue,
            };
            self.out.push_str(&text[plain..at]);
            self.out.push_str(sign);
            plain = at + 1;
        }
        self.out.push_str(&text[plain..]);
    }

    fn text(&mut self, text: &str) {
        for piece in text.split_inclusive(' ') {
            let word = piece.strip_suffix(' ');
            if let Some(word) = word.or(Some(piece)).filter(|word| !word.is_empty()) {
                self.escaped(word);
                self.spaced = false;
            }
            if word.is_some() {
                self.out.push_str(if self.spaced { "&nbsp;" } else { " " });
                self.spaced = true;
            }
        }
    }

    fn blocks(&mut self, blocks: &[Block], in_item: bool) {
        for block in blocks {
            self.spaced = true;
            self.block(block, in_item);
            self.spaced = true;
        }
    }

    fn block(&mut self, block: &Block, in_item: bool) {
        match block {
            Block::Paragraph(text) if in_item => self.inlines(text),
            Block::Paragraph(text) | Block::Unsupported { text, .. } => {
                self.open("p");
                self.inlines(text);
                self.close("p");
            }
            Block::Heading { level, text } => {
                let tag = match level {
                    1 => "h1",
                    2 => "h2",
                    _ => "h3",
                };
                self.open(tag);
                self.inlines(text);
                self.close(tag);
            }
            Block::Quote(blocks) => {
                self.open("blockquote");
                self.blocks(blocks, false);
                self.close("blockquote");
            }
            Block::List { start, items } => self.list(*start, items),
            Block::Code { language, text } => self.code(language.as_deref(), text),
            Block::Rule => self.open("hr"),
            Block::Table { header, rows } => self.table(*header, rows),
        }
    }

    fn list(&mut self, start: Option<u32>, items: &[ListItem]) {
        let tag = if start.is_some() { "ol" } else { "ul" };
        match start {
            Some(start) if start != 1 => self.open_with(tag, "start", &start.to_string()),
            _ => self.open(tag),
        }
        for item in items {
            self.open("li");
            self.blocks(&item.blocks, true);
            self.close("li");
        }
        self.close(tag);
    }

    fn code(&mut self, language: Option<&str>, text: &str) {
        if self.flavour == Flavour::Bot {
            self.open("pre");
            if text.starts_with('\n') {
                // HTML drops the first line break of `pre`.
                self.out.push('\n');
            }
            self.escaped(text);
            self.close("pre");
            return;
        }
        match language {
            Some(language) => self.open_with("codeblock", "class", language),
            None => self.open("codeblock"),
        }
        self.open("code");
        for (index, line) in text.split('\n').enumerate() {
            if index > 0 {
                self.open("br");
            }
            self.spaced = true;
            self.text(line);
        }
        self.close("code");
        self.close("codeblock");
    }

    fn table(&mut self, header: bool, rows: &[Vec<Vec<Inline>>]) {
        self.open("table");
        let (head, body) = rows.split_at(usize::from(header).min(rows.len()));
        if !head.is_empty() {
            self.open("thead");
            self.rows(head, "th");
            self.close("thead");
        }
        if !body.is_empty() {
            self.open("tbody");
            self.rows(body, "td");
            self.close("tbody");
        }
        self.close("table");
    }

    fn rows(&mut self, rows: &[Vec<Vec<Inline>>], tag: &'static str) {
        for row in rows {
            self.open("tr");
            for cell in row {
                self.open(tag);
                self.spaced = true;
                self.inlines(cell);
                self.close(tag);
            }
            self.close("tr");
        }
    }

    fn inlines(&mut self, inlines: &[Inline]) {
        for inline in inlines {
            match inline {
                Inline::Text(text) => self.text(text),
                Inline::Strong(inner) => self.within("strong", inner),
                Inline::Emphasis(inner) => self.within("em", inner),
                Inline::Strike(inner) => self.within("s", inner),
                Inline::Underline(inner) => self.within("u", inner),
                Inline::Code(text) => {
                    self.open("code");
                    self.text(text);
                    self.close("code");
                }
                Inline::Link { url, text } => {
                    self.open_with("a", "href", url);
                    if text.is_empty() {
                        self.text(url);
                    } else {
                        self.inlines(text);
                    }
                    self.close("a");
                }
                Inline::Mention(mention) => self.mention(mention),
                Inline::Emoji(emoji) => self.text(&crate::runs::emoji_text(emoji)),
                Inline::Date { seconds, fallback } => {
                    self.text(&crate::runs::date_text(*seconds, fallback));
                }
                Inline::Break => {
                    self.open("br");
                    self.spaced = true;
                }
            }
        }
    }

    fn within(&mut self, tag: &'static str, inner: &[Inline]) {
        self.open(tag);
        self.inlines(inner);
        self.close(tag);
    }

    fn mention(&mut self, mention: &Mention) {
        let Some((index, name)) = self.roster.add(mention) else {
            self.text(&crate::runs::mention_text(mention));
            return;
        };
        match self.flavour {
            Flavour::Graph => {
                let _ = write!(self.out, "<at id=\"{index}\">");
            }
            Flavour::Bot => self.open("at"),
        }
        // The name holds no character that needs escaping: it must equal the entry's to the letter.
        self.out.push_str(&name);
        self.close("at");
        self.spaced = false;
    }
}
