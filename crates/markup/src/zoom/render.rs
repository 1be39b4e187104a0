//! The tree as a message of Zoom with its ranges.

use dragoman_model::{Document, Mention};

use super::input::{Format, ZoomMention, ZoomRange};
use super::lines::{Kind, Line, lines};
use super::offsets::{Offsets, Unit};
use crate::runs::{BOLD, ITALIC, Leaf, Run, STRIKE, UNDERLINE};

/// How many characters one message of a user takes (Zoom API Reference, "Send a chat message").
pub const MAX_CHARS: usize = 1024;

const STYLES: [(u8, Format); 4] = [
    (BOLD, Format::Bold),
    (ITALIC, Format::Italic),
    (STRIKE, Format::Strikethrough),
    (UNDERLINE, Format::Underline),
];

/// A text as `POST /chat/users/{userId}/messages` takes it. An edit takes the `message` alone: formats and
/// mentions are lost there.
#[derive(Clone)]
pub struct ZoomText {
    /// The `message`. Empty where there is nothing to show.
    pub message: String,
    /// The `rich_text`: kinds of lines first, then by position.
    pub rich_text: Vec<ZoomRange>,
    /// The `at_items`, by position. Without them (in edits and direct conversations) the message still reads
    /// `@Name` and mentions nobody.
    pub at_items: Vec<ZoomMention>,
}

impl ZoomText {
    /// The length that counts against [`MAX_CHARS`]. What Zoom counts is not told, so the unit that gives the
    /// larger number does.
    pub fn length(&self) -> usize {
        Unit::Utf16.text_unit().measure(&self.message)
    }
}

/// The tree as a message. No text of the tree can become a mention or a format: Zoom reads only the ranges.
pub fn render(document: &Document, offsets: Offsets) -> ZoomText {
    let mut writer = Writer {
        offsets,
        message: String::new(),
        at: 0,
        kinds: Vec::new(),
        styles: Vec::new(),
        open: [None; 4],
        at_items: Vec::new(),
    };
    let mut block: Option<(Kind, usize, usize)> = None;
    for (index, Line { kind, runs }) in lines(document).into_iter().enumerate() {
        if index > 0 {
            writer.push("\n");
        }
        let start = writer.at;
        writer.runs(&runs, 0);
        writer.close_styles();
        let end = writer.at;
        block = match block {
            Some((before, start, _)) if before == kind && !matches!(kind, Kind::Heading(_)) => {
                Some((kind, start, end))
            }
            before => {
                writer.close_block(before);
                Some((kind, start, end))
            }
        };
    }
    writer.close_block(block);
    writer.styles.sort_by_key(|range| range.start);
    let mut rich_text = writer.kinds;
    rich_text.extend(writer.styles);
    ZoomText { message: writer.message, rich_text, at_items: writer.at_items }
}

struct Writer {
    offsets: Offsets,
    message: String,
    /// Units written.
    at: usize,
    kinds: Vec<ZoomRange>,
    styles: Vec<ZoomRange>,
    /// For each style the range that may still grow.
    open: [Option<(usize, usize)>; 4],
    at_items: Vec<ZoomMention>,
}

impl Writer {
    fn push(&mut self, text: &str) {
        self.message.push_str(text);
        self.at += text.chars().map(|c| self.offsets.unit.width(c)).sum::<usize>();
    }

    fn runs(&mut self, runs: &[Run], around: u8) {
        for run in runs {
            let start = self.at;
            let styles = run.styles | around;
            match &run.leaf {
                Leaf::Text(text) => {
                    self.push(text);
                    self.style(start, styles);
                }
                Leaf::Link { url, text } => {
                    if text.is_empty() {
                        self.push(url);
                        self.style(start, styles);
                    } else {
                        self.runs(text, styles);
                    }
                    let format = Format::AddLink(url.clone());
                    let range = self.range(start, self.at, format);
                    self.styles.extend(range);
                }
                Leaf::Mention(mention) => {
                    self.mention(mention);
                    self.style(start, styles);
                }
                // Lines hold none of these.
                Leaf::Emoji(_) | Leaf::Date { .. } | Leaf::Break => {}
            }
        }
    }

    fn mention(&mut self, mention: &Mention) {
        let (person, name) = match mention {
            Mention::Person { id, name } => (Some(id.as_str().to_owned()), name.clone()),
            _ => (None, "all".to_owned()),
        };
        let start = self.at;
        self.push("@");
        self.push(&name);
        let (start, end) = (position(start), self.offsets.written_end(self.at));
        self.at_items.push(ZoomMention { start, end, person, name });
    }

    fn range(&self, start: usize, end: usize, format: Format) -> Option<ZoomRange> {
        (end > start).then(|| ZoomRange {
            start: position(start),
            end: self.offsets.written_end(end),
            format,
        })
    }

    /// Styles what was written since `start`.
    fn style(&mut self, start: usize, styles: u8) {
        for (index, (style, format)) in STYLES.into_iter().enumerate() {
            if styles & style == 0 || self.at == start {
                continue;
            }
            self.open[index] = match self.open[index] {
                Some((first, end)) if end == start => Some((first, self.at)),
                Some((first, end)) => {
                    let range = self.range(first, end, format);
                    self.styles.extend(range);
                    Some((start, self.at))
                }
                None => Some((start, self.at)),
            };
        }
    }

    fn close_styles(&mut self) {
        for (index, (_, format)) in STYLES.into_iter().enumerate() {
            if let Some((start, end)) = self.open[index].take() {
                let range = self.range(start, end, format);
                self.styles.extend(range);
            }
        }
    }

    fn close_block(&mut self, block: Option<(Kind, usize, usize)>) {
        let Some((kind, start, end)) = block else { return };
        let format = match kind {
            Kind::Plain => return,
            Kind::Bullet => Format::BulletedList,
            Kind::Number => Format::NumberedList,
            Kind::Quote => Format::Quote,
            Kind::Heading(level) => Format::Paragraph(level),
        };
        let range = self.range(start, end, format);
        self.kinds.extend(range);
    }
}

fn position(at: usize) -> i64 {
    i64::try_from(at).unwrap_or(i64::MAX)
}
