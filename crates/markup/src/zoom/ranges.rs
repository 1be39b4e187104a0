//! Ranges of a message, sorted out: which kind each line is, which styles hold where, what is one thing.

use std::ops::Range;

use dragoman_model::Mention;

use super::input::{Format, ZoomInput, ZoomMention};
use super::lines::{Kind, is_web};
use super::offsets::Positions;
use crate::budget::Budget;
use crate::runs::{BOLD, ITALIC, STRIKE, UNDERLINE};
use crate::uri::link_url;

/// What a part of a line is as a whole.
pub(super) enum Thing {
    Link(String),
    Mention(Mention),
}

/// A link or a mention, in bytes of the message.
pub(super) struct Span {
    pub(super) range: Range<usize>,
    pub(super) thing: Thing,
}

/// A style begins or ends at a byte.
pub(super) struct Edge {
    pub(super) at: usize,
    pub(super) style: u8,
    pub(super) begins: bool,
}

/// All ranges of a message.
pub(super) struct Ranges {
    /// For each line.
    pub(super) kinds: Vec<Kind>,
    /// By position.
    pub(super) edges: Vec<Edge>,
    /// By position, without overlaps, each within a line.
    pub(super) spans: Vec<Span>,
}

impl Ranges {
    /// Sorts out what stands beside `text`, whose lines start at `starts`. More ranges than the budget's nodes
    /// are left out.
    pub(super) fn new(text: &str, starts: &[usize], input: ZoomInput<'_>, budget: Budget) -> Self {
        let positions = Positions::new(text, input.offsets);
        let mut painted: Vec<(Range<usize>, Kind)> = Vec::new();
        let mut edges = Vec::new();
        let mut spans = Vec::new();
        for range in input.rich_text.iter().take(budget.nodes) {
            let wanted = |part: &str| matches!(&range.format, Format::AddLink(url) if url == part);
            let Some(bytes) = positions.bytes(range.start, range.end, &wanted) else { continue };
            let kind = match &range.format {
                Format::BulletedList => Kind::Bullet,
                Format::NumberedList => Kind::Number,
                Format::Quote => Kind::Quote,
                Format::Paragraph(level) => Kind::Heading((*level).clamp(1, 3)),
                Format::AddLink(url) => {
                    if let Some(url) = link_url(url).filter(|url| is_web(url)) {
                        let thing = Thing::Link(url.to_owned());
                        spans.push(Span { range: within_line(text, bytes), thing });
                    }
                    continue;
                }
                style => {
                    let style = style_of(style);
                    edges.push(Edge { at: bytes.start, style, begins: true });
                    edges.push(Edge { at: bytes.end, style, begins: false });
                    continue;
                }
            };
            painted.push((touched(starts, &bytes), kind));
        }
        let links = spans.len();
        for item in input.at_items.iter().take(budget.nodes.saturating_sub(links)) {
            spans.extend(mention(text, &positions, item));
        }
        edges.sort_by_key(|edge| edge.at);
        Self { kinds: paint(starts.len(), &painted), edges, spans: apart(spans) }
    }
}

fn style_of(format: &Format) -> u8 {
    match format {
        Format::Bold => BOLD,
        Format::Italic => ITALIC,
        Format::Strikethrough => STRIKE,
        _ => UNDERLINE,
    }
}

fn mention(text: &str, positions: &Positions<'_>, item: &ZoomMention) -> Option<Span> {
    let wanted =
        |part: &str| !item.name.is_empty() && part.strip_prefix('@').is_some_and(|name| name == item.name);
    let range = within_line(text, positions.bytes(item.start, item.end, &wanted)?);
    let shown = crate::runs::clean(text[range.clone()].trim_start_matches('@'));
    let mention = match &item.person {
        None => Mention::Everyone,
        Some(id) if id.is_empty() || shown.trim().is_empty() => return None,
        Some(id) => Mention::Person { id: id.as_str().into(), name: shown.trim().to_owned() },
    };
    Some(Span { range, thing: Thing::Mention(mention) })
}

/// The part before the first line break.
fn within_line(text: &str, range: Range<usize>) -> Range<usize> {
    let end = text[range.clone()].find('\n').map_or(range.end, |at| range.start + at);
    range.start..end
}

/// The lines that a range touches.
fn touched(starts: &[usize], bytes: &Range<usize>) -> Range<usize> {
    let line = |at: usize| starts.partition_point(|start| *start <= at).saturating_sub(1);
    line(bytes.start)..line(bytes.end.saturating_sub(1)) + 1
}

/// The kind of each line: the last range that touches it says. Every line is painted once, however many ranges
/// there are.
fn paint(lines: usize, painted: &[(Range<usize>, Kind)]) -> Vec<Kind> {
    let mut kinds = vec![Kind::Plain; lines];
    // The next line at or behind each that has no paint yet.
    let mut free: Vec<usize> = (0..=lines).collect();
    for (range, kind) in painted.iter().rev() {
        let mut line = find(&mut free, range.start.min(lines));
        while line < range.end.min(lines) {
            kinds[line] = *kind;
            free[line] = line + 1;
            line = find(&mut free, line + 1);
        }
    }
    kinds
}

fn find(free: &mut [usize], line: usize) -> usize {
    let mut root = line;
    while free[root] != root {
        root = free[root];
    }
    let mut at = line;
    while free[at] != root {
        at = std::mem::replace(&mut free[at], root);
    }
    root
}

/// By position; of two that overlap the first, and the longer of two that start together.
fn apart(mut spans: Vec<Span>) -> Vec<Span> {
    spans.retain(|span| span.range.start < span.range.end);
    spans.sort_by_key(|span| (span.range.start, std::cmp::Reverse(span.range.end)));
    let mut end = 0;
    spans.retain(|span| {
        let fits = span.range.start >= end;
        if fits {
            end = span.range.end;
        }
        fits
    });
    spans
}
