//! Standard Markdown, as `markdown` blocks hold it.

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

use super::flat::{MAX_INDENT, Piece};
use super::flatten::{code_language, code_text};
use super::pieces::{Gap, Pieces};
use crate::runs::{BOLD, CODE, ITALIC, Leaf, Run, STRIKE, push_text};
use crate::uri::link_url;

/// Adds a text in Markdown. HTML in it is text, and so is what looks like a mention: Slack turns real ones into
/// rich text.
pub(super) fn markdown(text: &str, pieces: &mut Pieces) {
    let (text, over) = pieces.budget().cut(text);
    let options = Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TABLES | Options::ENABLE_TASKLISTS;
    let mut reader = Reader::default();
    for event in Parser::new_ext(text, options) {
        if pieces.meter.take() {
            reader.event(event, pieces);
        } else if let Event::Text(text) | Event::Code(text) = event {
            push_text(&mut reader.runs, &text, 0);
        }
    }
    reader.flush(pieces);
    pieces.text(over, Gap::Line);
}

#[derive(Default)]
struct Reader {
    runs: Vec<Run>,
    styles: Vec<u8>,
    link: Option<(String, usize)>,
    quotes: usize,
    /// For each open list the next number.
    lists: Vec<Option<u32>>,
    /// An item that waits for its text.
    item: Option<(u8, Option<u32>)>,
    code: Option<(Option<String>, String)>,
    heading: bool,
    table: Option<Vec<Vec<Vec<Run>>>>,
}

impl Reader {
    fn style(&self) -> u8 {
        self.styles.iter().fold(0, |all, style| all | style)
    }

    fn flush(&mut self, pieces: &mut Pieces) {
        let runs = std::mem::take(&mut self.runs);
        let quoted = self.quotes > 0;
        if let Some((indent, number)) = self.item.take() {
            pieces.push(Piece::Item { quoted, indent, number, runs });
        } else if self.heading {
            pieces.push(Piece::Header(runs));
        } else {
            pieces.lines(quoted, runs, Gap::Blank);
        }
    }

    fn event(&mut self, event: Event<'_>, pieces: &mut Pieces) {
        let styles = self.style();
        match event {
            Event::Start(tag) => self.start(tag, pieces),
            Event::End(tag) => self.end(tag, pieces),
            Event::Text(text) => match &mut self.code {
                Some((_, code)) => code.push_str(&text),
                None => push_text(&mut self.runs, &text, styles),
            },
            Event::Code(text) => push_text(&mut self.runs, &text, styles | CODE),
            Event::Html(text) | Event::InlineHtml(text) => {
                push_text(&mut self.runs, text.trim_end_matches('\n'), styles);
            }
            Event::SoftBreak | Event::HardBreak => self.runs.push(Run::new(Leaf::Break, 0)),
            Event::Rule => {
                self.flush(pieces);
                pieces.push(Piece::Rule);
            }
            Event::TaskListMarker(done) => {
                push_text(&mut self.runs, if done { "\u{2611} " } else { "\u{2610} " }, 0);
            }
            Event::InlineMath(text) | Event::DisplayMath(text) | Event::FootnoteReference(text) => {
                push_text(&mut self.runs, &text, styles);
            }
        }
    }

    fn start(&mut self, tag: Tag<'_>, pieces: &mut Pieces) {
        match tag {
            Tag::Strong => self.styles.push(BOLD),
            Tag::Emphasis => self.styles.push(ITALIC),
            Tag::Strikethrough => self.styles.push(STRIKE),
            Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. } if self.link.is_none() => {
                self.link = Some((dest_url.into_string(), self.runs.len()));
                self.runs.push(Run::barrier());
            }
            Tag::Heading { .. } => {
                self.flush(pieces);
                self.heading = true;
            }
            Tag::BlockQuote(_) => {
                self.flush(pieces);
                self.quotes += 1;
            }
            Tag::List(start) => {
                self.flush(pieces);
                self.lists.push(start.map(|start| u32::try_from(start).unwrap_or(u32::MAX).max(1)));
            }
            Tag::Item => {
                self.flush(pieces);
                let indent = u8::try_from(self.lists.len().saturating_sub(1)).unwrap_or(MAX_INDENT);
                if let Some(number) = self.lists.last_mut() {
                    self.item = Some((indent.min(MAX_INDENT), *number));
                    *number = number.map(|number| number.saturating_add(1));
                }
            }
            Tag::CodeBlock(kind) => {
                self.flush(pieces);
                let language = match kind {
                    CodeBlockKind::Fenced(info) => info.split_whitespace().next().and_then(code_language),
                    CodeBlockKind::Indented => None,
                };
                self.code = Some((language, String::new()));
            }
            Tag::Table(_) => {
                self.flush(pieces);
                self.table = Some(Vec::new());
            }
            Tag::TableHead => {
                self.styles.push(BOLD);
                self.row();
            }
            Tag::TableRow => self.row(),
            Tag::TableCell => self.runs.clear(),
            _ => {}
        }
    }

    fn row(&mut self) {
        if let Some(rows) = &mut self.table {
            rows.push(Vec::new());
        }
    }

    fn end(&mut self, tag: TagEnd, pieces: &mut Pieces) {
        match tag {
            TagEnd::Strong | TagEnd::Emphasis | TagEnd::Strikethrough | TagEnd::TableHead => {
                self.styles.pop();
            }
            TagEnd::Link | TagEnd::Image => self.end_link(),
            TagEnd::Paragraph => self.flush(pieces),
            TagEnd::Heading(_) => {
                self.flush(pieces);
                self.heading = false;
            }
            TagEnd::BlockQuote(_) => {
                self.flush(pieces);
                self.quotes = self.quotes.saturating_sub(1);
            }
            TagEnd::List(_) => {
                self.lists.pop();
            }
            TagEnd::Item if self.item.is_some() || !self.runs.is_empty() => self.flush(pieces),
            TagEnd::CodeBlock => {
                if let Some((language, text)) = self.code.take() {
                    pieces.push(Piece::Code { quoted: self.quotes > 0, language, text: code_text(&text) });
                }
            }
            TagEnd::TableCell => {
                let cell = std::mem::take(&mut self.runs);
                if let Some(row) = self.table.as_mut().and_then(|rows| rows.last_mut()) {
                    row.push(cell);
                }
            }
            TagEnd::Table => {
                if let Some(rows) = self.table.take() {
                    pieces.push(Piece::Table { rows });
                }
            }
            _ => {}
        }
    }

    fn end_link(&mut self) {
        let Some((url, from)) = self.link.take() else { return };
        let text = self.runs.split_off(from.min(self.runs.len()));
        match link_url(&url) {
            Some(url) => self.runs.push(Run::new(Leaf::Link { url: url.to_owned(), text }, 0)),
            None => self.runs.extend(text),
        }
    }
}
