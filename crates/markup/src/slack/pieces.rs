//! Collects pieces while parsing.

use dragoman_model::Document;

use super::flat::{Piece, assemble};
use crate::budget::{Budget, Meter};
use crate::runs::{Leaf, Run, push_text};

/// How far a text stands from the lines before it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Gap {
    /// On a line of its own.
    Line,
    /// With an empty line between.
    Blank,
}

/// Pieces in the making.
pub(super) struct Pieces {
    list: Vec<Piece>,
    pub(super) meter: Meter,
    budget: Budget,
    depth: usize,
}

impl Pieces {
    pub(super) fn new(budget: Budget) -> Self {
        Self { list: Vec::new(), meter: Meter::new(budget), budget, depth: 0 }
    }

    /// Goes one level down; false when the budget's depth is reached.
    pub(super) fn enter(&mut self) -> bool {
        let inside = self.depth < self.budget.depth;
        self.depth += usize::from(inside);
        inside
    }

    pub(super) fn leave(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    /// Adds running text. Over budget it loses its styles and joins what is there.
    pub(super) fn lines(&mut self, quoted: bool, runs: Vec<Run>, gap: Gap) {
        if runs.is_empty() {
            return;
        }
        if let Some(Piece::Lines { quoted: before, runs: already }) = self.list.last_mut()
            && *before == quoted
        {
            let wanted = if gap == Gap::Blank { 2 } else { 1 };
            let ends = already.iter().rev().take_while(|run| run.is_break()).count();
            let starts = runs.iter().take_while(|run| run.is_break()).count();
            for _ in (ends + starts)..wanted {
                already.push(Run::new(Leaf::Break, 0));
            }
            already.extend(runs);
        } else {
            self.list.push(Piece::Lines { quoted, runs });
        }
    }

    pub(super) fn text(&mut self, text: &str, gap: Gap) {
        let mut runs = Vec::new();
        push_text(&mut runs, text, 0);
        self.lines(false, runs, gap);
    }

    /// Adds any other piece.
    pub(super) fn push(&mut self, piece: Piece) {
        self.list.push(piece);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(super) fn finish(self) -> Document {
        assemble(self.list)
    }

    pub(super) fn into_list(self) -> Vec<Piece> {
        self.list
    }

    pub(super) fn budget(&self) -> Budget {
        self.budget
    }
}
