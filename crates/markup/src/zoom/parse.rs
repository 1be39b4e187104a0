//! Messages of Zoom as trees.

use dragoman_model::{Document, Mention};

use super::input::ZoomInput;
use super::lines::{Line, assemble};
use super::ranges::{Ranges, Span, Thing};
use crate::budget::Budget;
use crate::runs::{BOLD, ITALIC, Leaf, Run, STRIKE, UNDERLINE, push_text};

/// A message. Nothing in its text is markup; ranges that are reversed, outside or of no known format count for
/// nothing, and of links and mentions that overlap the first one holds.
pub fn parse(input: ZoomInput<'_>, budget: Budget) -> Document {
    let (text, over) = budget.cut(input.message);
    let mut starts = vec![0];
    starts.extend(text.match_indices('\n').map(|(at, _)| at + 1));
    let ranges = Ranges::new(text, &starts, input, budget);
    let mut reader = Reader { text, ranges: &ranges, edge: 0, span: 0, open: [0; 4] };
    let mut lines = Vec::with_capacity(starts.len());
    for (index, (start, kind)) in starts.iter().zip(&ranges.kinds).enumerate() {
        let end = starts.get(index + 1).map_or(text.len(), |next| next - 1);
        lines.push(Line { kind: *kind, runs: reader.line(*start, end) });
    }
    let mut document = assemble(lines);
    if !over.is_empty() {
        document.blocks.extend(Document::plain(over).blocks);
    }
    document
}

const STYLES: [u8; 4] = [BOLD, ITALIC, STRIKE, UNDERLINE];

struct Reader<'a> {
    text: &'a str,
    ranges: &'a Ranges,
    /// The next edge of a style.
    edge: usize,
    /// The next link or mention.
    span: usize,
    /// How many ranges of each style are open.
    open: [u32; 4],
}

impl<'a> Reader<'a> {
    fn line(&mut self, start: usize, end: usize) -> Vec<Run> {
        let mut runs = Vec::new();
        let mut at = start;
        while at < end {
            match self.next_span(at) {
                Some(span) if span.range.start == at => {
                    let part = self.part(at, span.range.end);
                    runs.extend(whole(span, part));
                    at = span.range.end;
                }
                span => {
                    let until = span.map_or(end, |span| span.range.start.min(end));
                    runs.extend(self.part(at, until));
                    at = until;
                }
            }
        }
        runs
    }

    /// The link or mention at or behind a byte.
    fn next_span(&mut self, at: usize) -> Option<&'a Span> {
        while self.ranges.spans.get(self.span).is_some_and(|span| span.range.start < at) {
            self.span += 1;
        }
        self.ranges.spans.get(self.span)
    }

    /// Text with its styles.
    fn part(&mut self, start: usize, end: usize) -> Vec<Run> {
        let mut runs = Vec::new();
        let mut at = start;
        while at < end {
            while let Some(edge) = self.ranges.edges.get(self.edge).filter(|edge| edge.at <= at) {
                for (open, style) in self.open.iter_mut().zip(STYLES) {
                    if style == edge.style {
                        *open = if edge.begins { open.saturating_add(1) } else { open.saturating_sub(1) };
                    }
                }
                self.edge += 1;
            }
            let next = self.ranges.edges.get(self.edge).map_or(end, |edge| edge.at.min(end));
            let styles = self
                .open
                .iter()
                .zip(STYLES)
                .filter(|(open, _)| **open > 0)
                .fold(0, |all, (_, style)| all | style);
            push_text(&mut runs, &self.text[at..next], styles);
            at = next;
        }
        runs
    }
}

/// The link or mention that the part is.
fn whole(span: &Span, part: Vec<Run>) -> Option<Run> {
    let styles = part.iter().fold(u8::MAX, |common, run| common & run.styles);
    if part.is_empty() {
        return None;
    }
    Some(match &span.thing {
        Thing::Link(url) => Run::new(Leaf::Link { url: url.clone(), text: part }, 0),
        Thing::Mention(mention) => {
            let mention: Mention = mention.clone();
            Run::new(Leaf::Mention(mention), styles)
        }
    })
}
