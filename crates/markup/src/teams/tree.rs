//! The blocks that are open while a body is read.

use dragoman_model::{Block, Document, Inline, ListItem};

use super::canonical::teams_runs;
use crate::runs::{Leaf, Run, build};

/// What a frame will become.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Root,
    Quote,
    List { start: Option<u32> },
    Item,
    Table,
    Row { header: bool },
    Cell,
    Heading(u8),
}

impl Kind {
    /// Whether only lines of text fit in.
    pub(super) fn is_inline(self) -> bool {
        matches!(self, Self::Cell | Self::Heading(_))
    }

    /// Whether text needs another frame first.
    fn holds_frames(self) -> bool {
        matches!(self, Self::List { .. } | Self::Table | Self::Row { .. })
    }
}

/// One open block.
pub(super) struct Frame {
    pub(super) kind: Kind,
    /// Blocks that are complete.
    blocks: Vec<Block>,
    /// The line of text that is being read.
    pub(super) runs: Vec<Run>,
    /// Whether the next text starts a new line.
    pub(super) new_line: bool,
    items: Vec<ListItem>,
    cells: Vec<Vec<Inline>>,
    rows: Vec<Vec<Vec<Inline>>>,
    header: bool,
}

impl Frame {
    pub(super) fn new(kind: Kind) -> Self {
        Self {
            kind,
            blocks: Vec::new(),
            runs: Vec::new(),
            new_line: false,
            items: Vec::new(),
            cells: Vec::new(),
            rows: Vec::new(),
            header: false,
        }
    }

    /// Whether nothing stands in the line yet.
    pub(super) fn at_line_start(&self) -> bool {
        self.runs.iter().rev().find(|run| !run.is_barrier()).is_none_or(Run::is_break)
    }

    /// Ends the paragraph.
    pub(super) fn flush(&mut self) {
        self.new_line = false;
        let runs = teams_runs(std::mem::take(&mut self.runs));
        if !runs.is_empty() {
            self.blocks.push(Block::Paragraph(build(runs)));
        }
    }

    pub(super) fn push(&mut self, block: Block) {
        self.flush();
        self.blocks.push(block);
    }

    /// Hands the finished frame to the one around it.
    pub(super) fn close_into(mut self, parent: &mut Self) {
        match self.kind {
            Kind::Cell => {
                let cell = build(teams_runs(self.runs));
                parent.cells.push(cell);
            }
            Kind::Heading(level) => {
                let text = build(teams_runs(self.runs));
                parent.push(Block::Heading { level, text });
            }
            Kind::Row { header } => {
                if !self.cells.is_empty() {
                    parent.header |= header && parent.rows.is_empty();
                    parent.rows.push(self.cells);
                }
            }
            Kind::Table => {
                let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
                self.rows.iter_mut().for_each(|row| row.resize(columns, Vec::new()));
                parent.push(Block::Table { header: self.header, rows: self.rows });
            }
            Kind::Item => {
                self.flush();
                parent.items.push(ListItem { blocks: self.blocks });
            }
            Kind::List { start } => parent.push(Block::List { start, items: self.items }),
            Kind::Quote => {
                self.flush();
                parent.push(Block::Quote(self.blocks));
            }
            Kind::Root => {
                self.flush();
                parent.blocks.extend(self.blocks);
            }
        }
    }

    fn row_is_empty(&self) -> bool {
        self.cells.is_empty()
    }
}

/// The open blocks, outermost first.
pub(super) struct Tree {
    frames: Vec<Frame>,
    depth: usize,
}

impl Tree {
    pub(super) fn new(depth: usize) -> Self {
        Self { frames: vec![Frame::new(Kind::Root)], depth }
    }

    pub(super) fn top(&mut self) -> &mut Frame {
        if self.frames.is_empty() {
            self.frames.push(Frame::new(Kind::Root));
        }
        let last = self.frames.len() - 1;
        &mut self.frames[last]
    }

    /// The frame that takes text: a list, table or row gets an item or cell first.
    pub(super) fn text_frame(&mut self) -> &mut Frame {
        while self.top().kind.holds_frames() {
            let inner = match self.top().kind {
                Kind::List { .. } => Kind::Item,
                Kind::Table => Kind::Row { header: false },
                _ => Kind::Cell,
            };
            self.frames.push(Frame::new(inner));
        }
        self.top()
    }

    /// Whether text would stand directly in a list, table or row.
    pub(super) fn between_frames(&mut self) -> bool {
        self.top().kind.holds_frames()
    }

    /// Opens a block; false where it cannot stand, or where the budget's depth is reached.
    pub(super) fn open(&mut self, kind: Kind) -> bool {
        if self.frames.len() >= self.depth.max(2) {
            return false;
        }
        if !matches!(kind, Kind::Item | Kind::Row { .. } | Kind::Cell) {
            let frame = self.text_frame();
            if frame.kind.is_inline() {
                return false;
            }
            frame.flush();
        }
        self.frames.push(Frame::new(kind));
        true
    }

    /// Closes the frames from the innermost down to and with one that `matches`; nothing where none does
    /// before `stop` says so.
    pub(super) fn close(&mut self, matches: impl Fn(Kind) -> bool, stop: impl Fn(Kind) -> bool) -> bool {
        for at in (1..self.frames.len()).rev() {
            let kind = self.frames[at].kind;
            if matches(kind) {
                self.close_to(at);
                return true;
            }
            if stop(kind) {
                return false;
            }
        }
        false
    }

    /// Whether a frame that `matches` is open inside the nearest one that `stop` names.
    pub(super) fn within(&self, matches: impl Fn(Kind) -> bool, stop: impl Fn(Kind) -> bool) -> bool {
        self.frames.iter().rev().map(|frame| frame.kind).take_while(|kind| !stop(*kind)).any(matches)
    }

    /// Marks the open row as a heading, as long as it has no cells yet.
    pub(super) fn mark_header(&mut self) {
        let top = self.top();
        if top.row_is_empty()
            && let Kind::Row { header } = &mut top.kind
        {
            *header = true;
        }
    }

    fn close_to(&mut self, at: usize) {
        while self.frames.len() > at.max(1) {
            if let Some(frame) = self.frames.pop() {
                frame.close_into(self.top());
            }
        }
    }

    pub(super) fn finish(mut self) -> Document {
        self.close_to(1);
        let root = self.top();
        root.flush();
        Document { blocks: std::mem::take(&mut root.blocks) }.normalise()
    }
}

/// Wraps the runs from the barrier at `start` on in a link.
pub(super) fn wrap_link(runs: &mut Vec<Run>, start: usize, url: &str) {
    let inner = runs.split_off(start.min(runs.len()));
    let (text, lost): (Vec<Run>, Vec<Run>) =
        inner.into_iter().partition(|run| !matches!(run.leaf, Leaf::Link { .. }));
    debug_assert!(lost.is_empty(), "a link inside a link is never opened");
    runs.push(Run::new(Leaf::Link { url: url.to_owned(), text }, 0));
}
