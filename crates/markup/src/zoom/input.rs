//! What a message of Zoom says, and what of it goes out again.

use super::offsets::Offsets;

/// A format, with its `format_attr`. Fonts, colours and indents are none: they change nothing that is said.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "testing", derive(Debug))]
pub enum Format {
    /// `Bold`.
    Bold,
    /// `Italic`.
    Italic,
    /// `Strikethrough`.
    Strikethrough,
    /// `Underline`.
    Underline,
    /// `BulletedList`, of whole lines.
    BulletedList,
    /// `NumberedList`, of whole lines.
    NumberedList,
    /// `Quote`, of whole lines.
    Quote,
    /// `Paragraph`: a heading of size 1 to 3.
    Paragraph(u8),
    /// `AddLink`, with an address of http or https.
    AddLink(String),
}

impl Format {
    /// The format of `format_type` and `format_attr`; `None` for those that change nothing that is said, and
    /// for unknown ones.
    pub fn read(kind: &str, attribute: &str) -> Option<Self> {
        Some(match kind {
            "Bold" => Self::Bold,
            "Italic" => Self::Italic,
            "Strikethrough" => Self::Strikethrough,
            "Underline" => Self::Underline,
            "BulletedList" => Self::BulletedList,
            "NumberedList" => Self::NumberedList,
            "Quote" => Self::Quote,
            "Paragraph" => match attribute {
                "h1" => Self::Paragraph(1),
                "h2" => Self::Paragraph(2),
                "h3" => Self::Paragraph(3),
                _ => return None,
            },
            "AddLink" => Self::AddLink(attribute.to_owned()),
            _ => return None,
        })
    }

    /// `format_type` and `format_attr`. The latter has to be sent also where it is empty: without it Zoom drops
    /// the range in silence.
    pub fn wire(&self) -> (&'static str, &str) {
        match self {
            Self::Bold => ("Bold", ""),
            Self::Italic => ("Italic", ""),
            Self::Strikethrough => ("Strikethrough", ""),
            Self::Underline => ("Underline", ""),
            Self::BulletedList => ("BulletedList", ""),
            Self::NumberedList => ("NumberedList", ""),
            Self::Quote => ("Quote", ""),
            Self::Paragraph(1) => ("Paragraph", "h1"),
            Self::Paragraph(2) => ("Paragraph", "h2"),
            Self::Paragraph(_) => ("Paragraph", "h3"),
            Self::AddLink(url) => ("AddLink", url),
        }
    }
}

/// One entry of `rich_text[]`.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "testing", derive(Debug))]
pub struct ZoomRange {
    /// `start_position`, from 0.
    pub start: i64,
    /// `end_position`.
    pub end: i64,
    /// What it does.
    pub format: Format,
}

/// One entry of `at_items[]`.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "testing", derive(Debug))]
pub struct ZoomMention {
    /// `start_position`, of the `@`.
    pub start: i64,
    /// `end_position`.
    pub end: i64,
    /// Whom: out of `at_contact_user_id`, `at_contact_member_id` and `at_contact` the one that the connector
    /// knows people by, and what goes out as `at_contact`. `None` is everybody (`at_type` 2).
    pub person: Option<String>,
    /// The name without `@`, where it is known; empty otherwise.
    pub name: String,
}

/// A message with what stands beside it.
#[derive(Clone, Copy)]
pub struct ZoomInput<'a> {
    /// `message`; empty where only files were sent.
    pub message: &'a str,
    /// In any order; where lines have two kinds, the later one holds.
    pub rich_text: &'a [ZoomRange],
    /// In any order.
    pub at_items: &'a [ZoomMention],
    /// How positions count; [`Offsets::READING`] for what the service sends.
    pub offsets: Offsets,
}

impl<'a> ZoomInput<'a> {
    /// A message without anything beside it.
    pub fn new(message: &'a str) -> Self {
        Self { message, rich_text: &[], at_items: &[], offsets: Offsets::READING }
    }
}
