//! Long texts in parts that a platform takes.

use dragoman_model::{Block, Document, Inline, ListItem, TextLimit};
use unicode_segmentation::UnicodeSegmentation;

/// How fine a cut is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    /// Between blocks and items.
    Block,
    /// Between lines and rows of tables.
    Line,
    /// After a space.
    Word,
    /// Between characters that people see.
    Grapheme,
}

/// No platform shows so many characters in one unit of its limit.
const HOPELESS: usize = 4;

/// The text in parts of at most `limit.max` each, as `measure` counts them (after rendering, in the limit's
/// unit). Cuts fall between blocks if that fills a part at least half, else between lines, words, graphemes;
/// never inside a mention, link or emoji. Code that is cut is code on both sides. Only what cannot be cut at
/// all may be longer than the limit.
pub fn split(document: &Document, limit: TextLimit, measure: &dyn Fn(&Document) -> usize) -> Vec<Document> {
    let measure = &|part: &Document| {
        // Rendering all of a very long text again and again only to learn that it is too long takes long.
        let hopeless = limit.max.saturating_mul(HOPELESS);
        if longer_than(&part.blocks, hopeless) { usize::MAX } else { measure(part) }
    };
    let mut parts = Vec::new();
    let mut rest = document.clone().normalise();
    while !rest.blocks.is_empty() && measure(&rest) > limit.max {
        let (head, tail) = first_part(&rest, limit.max, measure);
        if !head.blocks.is_empty() {
            parts.push(head);
        }
        rest = tail;
    }
    if !rest.blocks.is_empty() {
        parts.push(rest);
    }
    parts
}

fn first_part(rest: &Document, max: usize, measure: &dyn Fn(&Document) -> usize) -> (Document, Document) {
    let mut best: Option<(usize, Level, usize)> = None;
    for level in [Level::Block, Level::Line, Level::Word, Level::Grapheme] {
        if level == Level::Grapheme && best.is_some() {
            break;
        }
        let Some((units, size)) = most(&rest.blocks, level, max, measure) else { continue };
        if best.is_none_or(|(before, _, _)| size > before) {
            best = Some((size, level, units));
        }
        if size.saturating_mul(2) >= max {
            break;
        }
    }
    match best {
        Some((_, level, units)) => {
            let (head, tail) = cut(&rest.blocks, level, units, true).0;
            (Document { blocks: head }.normalise(), Document { blocks: tail }.normalise())
        }
        None => first_atom(rest, max, measure),
    }
}

/// The most units that fit, with their size; `None` where not even one does.
fn most(
    blocks: &[Block],
    level: Level,
    max: usize,
    measure: &dyn Fn(&Document) -> usize,
) -> Option<(usize, usize)> {
    let try_units = |units: usize| {
        let ((head, _), all) = cut(blocks, level, units, false);
        (measure(&Document { blocks: head }.normalise()), all)
    };
    let (mut fits, mut size) = (0, 0);
    let mut over = 1;
    loop {
        let (measured, all) = try_units(over);
        if measured > max {
            break;
        }
        (fits, size) = (over, measured);
        if all {
            return Some((fits, size));
        }
        over = over.saturating_mul(2);
    }
    while over - fits > 1 {
        let middle = fits + (over - fits) / 2;
        let (measured, _) = try_units(middle);
        if measured > max {
            over = middle;
        } else {
            (fits, size) = (middle, measured);
        }
    }
    (fits > 0).then_some((fits, size))
}

/// Where the first thing alone is too long: a link becomes text, which can be cut; anything else goes alone.
fn first_atom(rest: &Document, max: usize, measure: &dyn Fn(&Document) -> usize) -> (Document, Document) {
    let ((head, tail), _) = cut(&rest.blocks, Level::Grapheme, 1, true);
    let mut unlinked = false;
    let head = Document { blocks: head }.map_inlines(&mut |inline| match inline {
        Inline::Link { url, text } => {
            unlinked = true;
            if text.is_empty() { Inline::Text(url) } else { as_text(url, text) }
        }
        other => other,
    });
    if !unlinked {
        return (head.normalise(), Document { blocks: tail }.normalise());
    }
    // The head is text now. What of it does not fit goes before the rest.
    match most(&head.blocks, Level::Grapheme, max, measure) {
        Some((units, _)) => {
            let ((head, mut more), _) = cut(&head.blocks, Level::Grapheme, units, true);
            more.extend(tail);
            (Document { blocks: head }.normalise(), Document { blocks: more }.normalise())
        }
        None => (head.normalise(), Document { blocks: tail }.normalise()),
    }
}

fn as_text(url: String, text: Vec<Inline>) -> Inline {
    let document = Document { blocks: vec![Block::Paragraph(text)] };
    let label = crate::plain(&document);
    Inline::Text(if label.is_empty() { url } else { format!("{label} ({url})") })
}

/// The first `units` of the blocks, the others (if wanted), and whether the first are all.
fn cut(blocks: &[Block], level: Level, units: usize, tail: bool) -> ((Vec<Block>, Vec<Block>), bool) {
    let mut cutter = Cutter { level, left: units, tail };
    let parts = cutter.blocks(blocks);
    (parts, cutter.left > 0)
}

struct Cutter {
    level: Level,
    /// Units that still go to the head.
    left: usize,
    /// Whether the tail is wanted.
    tail: bool,
}

impl Cutter {
    fn done(&self) -> bool {
        self.left == 0 && !self.tail
    }

    fn spend(&mut self) {
        self.left = self.left.saturating_sub(1);
    }

    fn blocks(&mut self, blocks: &[Block]) -> (Vec<Block>, Vec<Block>) {
        let (mut head, mut tail) = (Vec::new(), Vec::new());
        for block in blocks {
            if self.done() {
                break;
            }
            if self.left == 0 {
                tail.push(block.clone());
                continue;
            }
            let (first, second) = self.block(block);
            head.extend(first);
            tail.extend(second);
        }
        (head, tail)
    }

    fn block(&mut self, block: &Block) -> (Vec<Block>, Vec<Block>) {
        match block {
            Block::Quote(inner) => {
                let (head, tail) = self.blocks(inner);
                (some(head, Block::Quote), some(tail, Block::Quote))
            }
            Block::List { start, items } => self.list(*start, items),
            whole if self.level == Level::Block => {
                self.spend();
                (vec![whole.clone()], Vec::new())
            }
            Block::Rule => {
                self.spend();
                (vec![Block::Rule], Vec::new())
            }
            Block::Paragraph(text) => {
                let (head, tail) = self.lines(text);
                (some(head, Block::Paragraph), some(tail, Block::Paragraph))
            }
            Block::Heading { level, text } => {
                let (head, tail) = self.lines(text);
                let heading = |text| Block::Heading { level: *level, text };
                (some(head, heading), some(tail, heading))
            }
            Block::Unsupported { kind, text } if text.is_empty() => {
                self.spend();
                (vec![Block::Unsupported { kind: kind.clone(), text: Vec::new() }], Vec::new())
            }
            Block::Unsupported { kind, text } => {
                let (head, tail) = self.lines(text);
                let unsupported = |text| Block::Unsupported { kind: kind.clone(), text };
                (some(head, unsupported), some(tail, Block::Paragraph))
            }
            Block::Code { language, text } => {
                let (head, tail) = self.code(text);
                let code = |text| Block::Code { language: language.clone(), text };
                (head.map(code).into_iter().collect(), tail.map(code).into_iter().collect())
            }
            Block::Table { header, rows } if self.level == Level::Line => {
                let at = self.left.min(rows.len());
                self.left -= at;
                let (head, tail) = rows.split_at(at);
                let table = |header, rows: &[Vec<Vec<Inline>>]| {
                    some(rows.to_vec(), |rows| Block::Table { header, rows })
                };
                (table(*header, head), table(false, tail))
            }
            // A row that does not fit is no table any more: its cells are lines.
            Block::Table { rows, .. } => {
                let cells: Vec<Block> = rows.iter().flatten().cloned().map(Block::Paragraph).collect();
                self.blocks(&cells)
            }
        }
    }

    fn list(&mut self, start: Option<u32>, items: &[ListItem]) -> (Vec<Block>, Vec<Block>) {
        let (mut head, mut tail) = (Vec::new(), Vec::new());
        let mut tail_start = start;
        for (index, item) in items.iter().enumerate() {
            if self.done() {
                break;
            }
            let (first, second) =
                if self.left == 0 { (Vec::new(), item.blocks.clone()) } else { self.blocks(&item.blocks) };
            if !first.is_empty() {
                head.push(ListItem { blocks: first });
            }
            if !second.is_empty() {
                if tail.is_empty() {
                    let index = u32::try_from(index).unwrap_or(u32::MAX);
                    tail_start = start.map(|start| start.saturating_add(index));
                }
                tail.push(ListItem { blocks: second });
            }
        }
        (
            some(head, |items| Block::List { start, items }),
            some(tail, |items| Block::List { start: tail_start, items }),
        )
    }

    /// A block of lines; its end is the end of a line.
    fn lines(&mut self, text: &[Inline]) -> (Vec<Inline>, Vec<Inline>) {
        let (head, tail) = self.inlines(text);
        if self.level == Level::Line && tail.is_empty() {
            self.spend();
        }
        (head, tail)
    }

    fn inlines(&mut self, inlines: &[Inline]) -> (Vec<Inline>, Vec<Inline>) {
        let (mut head, mut tail) = (Vec::new(), Vec::new());
        for inline in inlines {
            if self.done() {
                break;
            }
            if self.left == 0 {
                tail.push(inline.clone());
                continue;
            }
            match inline {
                Inline::Text(text) => {
                    let (first, second) = self.text(text);
                    head.extend(first.map(Inline::Text));
                    tail.extend(second.map(Inline::Text));
                }
                Inline::Code(text) => {
                    let (first, second) = self.text(text);
                    head.extend(first.map(Inline::Code));
                    tail.extend(second.map(Inline::Code));
                }
                Inline::Strong(inner) => self.styled(inner, Inline::Strong, &mut head, &mut tail),
                Inline::Emphasis(inner) => self.styled(inner, Inline::Emphasis, &mut head, &mut tail),
                Inline::Strike(inner) => self.styled(inner, Inline::Strike, &mut head, &mut tail),
                Inline::Underline(inner) => self.styled(inner, Inline::Underline, &mut head, &mut tail),
                Inline::Break => {
                    self.spend();
                    head.push(Inline::Break);
                }
                atom
                @ (Inline::Link { .. } | Inline::Mention(_) | Inline::Emoji(_) | Inline::Date { .. }) => {
                    if self.level != Level::Line {
                        self.spend();
                    }
                    head.push(atom.clone());
                }
            }
        }
        (head, tail)
    }

    fn styled(
        &mut self,
        inner: &[Inline],
        style: fn(Vec<Inline>) -> Inline,
        head: &mut Vec<Inline>,
        tail: &mut Vec<Inline>,
    ) {
        let (first, second) = self.inlines(inner);
        head.extend(some(first, style));
        tail.extend(some(second, style));
    }

    fn text(&mut self, text: &str) -> (Option<String>, Option<String>) {
        let at = match self.level {
            Level::Block | Level::Line => text.len(),
            Level::Word => self.take(text.split_inclusive(' ').map(str::len)),
            Level::Grapheme => self.take(text.graphemes(true).map(str::len)),
        };
        let (head, tail) = text.split_at(at);
        (some_text(head), some_text(tail))
    }

    fn code(&mut self, text: &str) -> (Option<String>, Option<String>) {
        let at = match self.level {
            Level::Block => text.len(),
            Level::Line => self.take(text.split_inclusive('\n').map(str::len)),
            Level::Word => self.take(text.split_inclusive([' ', '\n']).map(str::len)),
            Level::Grapheme => self.take(text.graphemes(true).map(str::len)),
        };
        let (head, tail) = text.split_at(at);
        let head = if tail.is_empty() { head } else { head.strip_suffix('\n').unwrap_or(head) };
        (some_text(head), some_text(tail))
    }

    /// The length of the first units.
    fn take(&mut self, lengths: impl Iterator<Item = usize>) -> usize {
        let mut at = 0;
        for length in lengths {
            if self.left == 0 {
                break;
            }
            self.left -= 1;
            at += length;
        }
        at
    }
}

/// Whether the blocks show more bytes of text than that.
fn longer_than(blocks: &[Block], bytes: usize) -> bool {
    fn spend(left: &mut usize, text: &str) -> bool {
        let over = text.len() > *left;
        *left = left.saturating_sub(text.len());
        over
    }
    fn inlines(list: &[Inline], left: &mut usize) -> bool {
        list.iter().any(|inline| match inline {
            Inline::Text(text) | Inline::Code(text) => spend(left, text),
            Inline::Strong(inner)
            | Inline::Emphasis(inner)
            | Inline::Strike(inner)
            | Inline::Underline(inner)
            | Inline::Link { text: inner, .. } => inlines(inner, left),
            _ => false,
        })
    }
    fn over(list: &[Block], left: &mut usize) -> bool {
        list.iter().any(|block| match block {
            Block::Paragraph(text) | Block::Heading { text, .. } | Block::Unsupported { text, .. } => {
                inlines(text, left)
            }
            Block::Quote(inner) => over(inner, left),
            Block::List { items, .. } => items.iter().any(|item| over(&item.blocks, left)),
            Block::Code { text, .. } => spend(left, text),
            Block::Table { rows, .. } => rows.iter().flatten().any(|cell| inlines(cell, left)),
            Block::Rule => false,
        })
    }
    // A character is at most four bytes.
    over(blocks, &mut bytes.saturating_mul(4))
}

fn some<T, B>(list: Vec<T>, wrap: impl FnOnce(Vec<T>) -> B) -> Vec<B> {
    if list.is_empty() { Vec::new() } else { vec![wrap(list)] }
}

fn some_text(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}
