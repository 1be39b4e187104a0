//! Where a range begins and ends. Zoom's reference counts from 0, does not name the unit, and has examples with
//! the last position inside the range and others with it behind: both are parameters.

use std::ops::Range;

use dragoman_model::TextUnit;

/// What a position counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Unit {
    /// Code units of UTF-16.
    #[default]
    Utf16,
    /// Unicode scalar values.
    Chars,
}

impl Unit {
    /// How many units a character takes.
    pub(super) fn width(self, c: char) -> usize {
        match self {
            Self::Utf16 => c.len_utf16(),
            Self::Chars => 1,
        }
    }

    /// The same as a unit of limits.
    pub fn text_unit(self) -> TextUnit {
        match self {
            Self::Utf16 => TextUnit::Utf16,
            Self::Chars => TextUnit::Chars,
        }
    }
}

/// What `end_position` names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// The last position of the range.
    Inclusive,
    /// The position behind the range.
    Exclusive,
    /// Not known: read as the last position, unless white space or punctuation stands there. Written as
    /// [`End::Inclusive`].
    Either,
}

/// How positions are read and written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Offsets {
    /// What a position counts.
    pub unit: Unit,
    /// What `end_position` names.
    pub end: End,
}

impl Offsets {
    /// How to send.
    pub const SENDING: Self = Self { unit: Unit::Utf16, end: End::Inclusive };
    /// How to read what the service sends.
    pub const READING: Self = Self { unit: Unit::Utf16, end: End::Either };

    /// `end_position` of a range that ends before `end`; the range is not empty.
    pub(super) fn written_end(self, end: usize) -> i64 {
        let end = if self.end == End::Exclusive { end } else { end.saturating_sub(1) };
        i64::try_from(end).unwrap_or(i64::MAX)
    }
}

/// A text with the byte at which each unit's character starts.
pub(super) struct Positions<'a> {
    text: &'a str,
    starts: Vec<usize>,
    end: End,
}

impl<'a> Positions<'a> {
    pub(super) fn new(text: &'a str, offsets: Offsets) -> Self {
        let mut starts = Vec::with_capacity(text.len());
        for (at, c) in text.char_indices() {
            starts.extend(std::iter::repeat_n(at, offsets.unit.width(c)));
        }
        Self { text, starts, end: offsets.end }
    }

    /// The bytes of a range, cut to the text. `None` for one that is reversed, empty or outside. Where two
    /// readings are possible, the one that `wanted` names goes before the usual one.
    pub(super) fn bytes(&self, start: i64, end: i64, wanted: &dyn Fn(&str) -> bool) -> Option<Range<usize>> {
        if end < 0 || end < start {
            return None;
        }
        let start = usize::try_from(start).unwrap_or(0);
        let end = usize::try_from(end).unwrap_or(usize::MAX);
        match self.end {
            End::Inclusive => self.inclusive(start, end),
            End::Exclusive => self.exclusive(start, end),
            End::Either => self.either(start, end, wanted),
        }
    }

    fn inclusive(&self, start: usize, end: usize) -> Option<Range<usize>> {
        let first = *self.starts.get(start)?;
        let last = *self.starts.get(end).or(self.starts.last())?;
        let width = self.text[last..].chars().next().map_or(0, char::len_utf8);
        (first <= last).then_some(first..last + width)
    }

    fn exclusive(&self, start: usize, end: usize) -> Option<Range<usize>> {
        let first = *self.starts.get(start)?;
        let last = self.starts.get(end).copied().unwrap_or(self.text.len());
        (first < last).then_some(first..last)
    }

    fn either(&self, start: usize, end: usize, wanted: &dyn Fn(&str) -> bool) -> Option<Range<usize>> {
        let long = self.inclusive(start, end)?;
        let Some(short) = self.exclusive(start, end) else { return Some(long) };
        if wanted(&self.text[long.clone()]) {
            return Some(long);
        }
        let at_end = self.text[short.end..long.end.max(short.end)].chars().next();
        if wanted(&self.text[short.clone()]) || at_end.is_some_and(is_separator) {
            return Some(short);
        }
        Some(long)
    }
}

fn is_separator(c: char) -> bool {
    c.is_whitespace()
        || c.is_ascii_punctuation()
        || matches!(c, '\u{2010}'..='\u{2027}' | '\u{2030}'..='\u{205e}' | '\u{3001}'..='\u{3003}' | '\u{ff01}')
}
