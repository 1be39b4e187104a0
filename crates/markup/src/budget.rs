//! What a parser may spend.

/// The limits of one parse. Beyond them the rest is plain text: never an error, never a deep recursion.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Budget {
    /// Nested blocks and inlines.
    pub depth: usize,
    /// Bytes of input that are read as markup.
    pub bytes: usize,
    /// Nodes of the tree.
    pub nodes: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { depth: 64, bytes: 1024 * 1024, nodes: 100_000 }
    }
}

impl Budget {
    /// The part of a text that is read as markup, and the rest.
    pub(crate) fn cut(self, text: &str) -> (&str, &str) {
        text.split_at(text.floor_char_boundary(self.bytes))
    }
}

/// Nodes that are still allowed.
pub(crate) struct Meter(usize);

impl Meter {
    pub(crate) fn new(budget: Budget) -> Self {
        Self(budget.nodes)
    }

    /// Takes one node; false when none is left.
    pub(crate) fn take(&mut self) -> bool {
        let left = self.0 > 0;
        self.0 = self.0.saturating_sub(1);
        left
    }

    /// Whether none is left.
    pub(crate) fn spent(&self) -> bool {
        self.0 == 0
    }
}
