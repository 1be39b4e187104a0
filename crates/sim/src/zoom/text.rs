//! Rich text ranges and mentions: what is taken, what is dropped in silence, what grows.

use serde_json::{Value, json};

use super::doubts::ZoomDoubts;
use super::error::{ApiError, invalid};

/// A formatted part of a text; positions are half-open and count as the switches say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    /// First position.
    pub start: usize,
    /// Position after the last.
    pub end: usize,
    /// `format_type`.
    pub kind: String,
    /// `format_attr`.
    pub attr: String,
}

/// A mention; positions likewise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct At {
    /// First position.
    pub start: usize,
    /// Position after the last.
    pub end: usize,
    /// The person; everybody when absent.
    pub user: Option<String>,
}

const KINDS: [&str; 13] = [
    "Bold",
    "Italic",
    "Strikethrough",
    "BulletedList",
    "NumberedList",
    "Underline",
    "FontSize",
    "FontColor",
    "BackgroundColor",
    "LeftIndent",
    "Paragraph",
    "Quote",
    "AddLink",
];

/// The text as a list of units that positions count.
pub fn units(doubts: &ZoomDoubts, text: &str) -> Vec<u32> {
    if doubts.utf16_positions {
        text.encode_utf16().map(u32::from).collect()
    } else {
        text.chars().map(u32::from).collect()
    }
}

/// The text between two positions.
pub fn slice(doubts: &ZoomDoubts, text: &str, start: usize, end: usize) -> String {
    let units = units(doubts, text);
    let part = units.get(start.min(units.len())..end.min(units.len())).unwrap_or_default();
    if doubts.utf16_positions {
        let narrow: Vec<u16> = part.iter().filter_map(|unit| u16::try_from(*unit).ok()).collect();
        String::from_utf16_lossy(&narrow)
    } else {
        part.iter().filter_map(|unit| char::from_u32(*unit)).collect()
    }
}

fn positions(doubts: &ZoomDoubts, item: &Value, len: usize) -> Option<(usize, usize)> {
    let position = |key: &str| item[key].as_i64().and_then(|at| usize::try_from(at).ok());
    let (start, end) = (position("start_position")?, position("end_position")?);
    let end = if doubts.ends_inclusive { end + 1 } else { end };
    (start < end && end <= len).then_some((start, end))
}

fn attr_fits(kind: &str, attr: &str) -> bool {
    match kind {
        "AddLink" => attr.starts_with("https://") || attr.starts_with("http://"),
        "Paragraph" => matches!(attr, "h1" | "h2" | "h3"),
        "FontSize" => matches!(attr, "s" | "m" | "l"),
        "FontColor" | "BackgroundColor" => {
            attr.len() == 6 && attr.bytes().all(|byte| byte.is_ascii_hexdigit())
        }
        "LeftIndent" => attr.parse::<u32>().is_ok(),
        _ => true,
    }
}

/// The `rich_text` of a send. Unknown formats are refused; ranges outside the text, reversed, without
/// `format_attr`, with one that does not fit, and links over several lines are dropped.
///
/// # Errors
/// When the member is no list of objects with known formats.
pub fn rich_text(doubts: &ZoomDoubts, text: &str, value: &Value) -> Result<Vec<Range>, ApiError> {
    let items = match value {
        Value::Null => return Ok(Vec::new()),
        Value::Array(items) => items,
        _ => return Err(invalid("rich_text")),
    };
    let units = units(doubts, text);
    let mut ranges = Vec::new();
    for item in items {
        let kind = item["format_type"].as_str().ok_or_else(|| invalid("rich_text.format_type"))?;
        if !KINDS.contains(&kind) {
            return Err(invalid("rich_text.format_type"));
        }
        let attr = item.get("format_attr").and_then(Value::as_str);
        if attr.is_none() && doubts.attr_required {
            continue;
        }
        let attr = attr.unwrap_or_default();
        let Some((start, end)) = positions(doubts, item, units.len()) else { continue };
        let lines = units[start..end].contains(&u32::from('\n'));
        if !attr_fits(kind, attr) || (kind == "AddLink" && lines) {
            continue;
        }
        let mut range = Range { start, end, kind: kind.to_owned(), attr: attr.to_owned() };
        if matches!(kind, "BulletedList" | "NumberedList" | "LeftIndent" | "Paragraph" | "Quote") {
            grow(&units, &mut range);
        }
        settle(&mut ranges, range);
    }
    Ok(ranges)
}

/// Block formats cover whole lines.
fn grow(units: &[u32], range: &mut Range) {
    let newline = u32::from('\n');
    while range.start > 0 && units[range.start - 1] != newline {
        range.start -= 1;
    }
    while range.end < units.len() && units[range.end - 1] != newline && units[range.end] != newline {
        range.end += 1;
    }
}

/// Adds a range; formats that exclude each other give way to the newer one.
fn settle(ranges: &mut Vec<Range>, range: Range) {
    let cleared: &[&str] = match range.kind.as_str() {
        "BulletedList" => &["NumberedList", "Quote", "LeftIndent"],
        "NumberedList" => &["BulletedList", "Quote", "LeftIndent"],
        "Quote" => &[
            "Bold",
            "Strikethrough",
            "Underline",
            "FontSize",
            "FontColor",
            "BackgroundColor",
            "LeftIndent",
            "Paragraph",
        ],
        "AddLink" => &["BackgroundColor", "FontColor", "Underline"],
        _ => &[],
    };
    ranges.retain(|known| {
        let apart = known.end <= range.start || range.end <= known.start;
        apart || !cleared.contains(&known.kind.as_str())
    });
    ranges.push(range);
}

/// The `at_items` of a send; `find` knows people by e-mail address, user id or member id. A mention whose text
/// does not begin with `@`, or outside the text, is dropped.
///
/// # Errors
/// When the member is no list of objects with a known type, or a person is unknown (whom `find` refuses).
pub fn at_items(
    doubts: &ZoomDoubts,
    text: &str,
    value: &Value,
    find: impl Fn(&str) -> Result<String, ApiError>,
) -> Result<Vec<At>, ApiError> {
    let items = match value {
        Value::Null => return Ok(Vec::new()),
        Value::Array(items) => items,
        _ => return Err(invalid("at_items")),
    };
    let units = units(doubts, text);
    let mut mentions = Vec::new();
    for item in items {
        let user = match item["at_type"].as_u64() {
            Some(1) => {
                let who = item["at_contact"].as_str().ok_or_else(|| invalid("at_items.at_contact"))?;
                Some(find(who)?)
            }
            Some(2) => None,
            _ => return Err(invalid("at_items.at_type")),
        };
        let Some((start, end)) = positions(doubts, item, units.len()) else { continue };
        if units[start] == u32::from('@') {
            mentions.push(At { start, end, user });
        }
    }
    Ok(mentions)
}

/// A range as answers and events show it.
pub fn shown(doubts: &ZoomDoubts, range: &Range) -> Value {
    json!({"start_position": range.start, "end_position": end_of(doubts, range.end),
        "format_type": range.kind, "format_attr": range.attr})
}

/// The end position as answers and events show it.
pub fn end_of(doubts: &ZoomDoubts, end: usize) -> usize {
    if doubts.read_ends_inclusive { end.saturating_sub(1) } else { end }
}

/// An emoji out of a run of `U+hex`.
pub fn emoji_of(code: &str) -> Option<String> {
    let mut text = String::new();
    let upper = code.trim().to_ascii_uppercase();
    for part in upper.strip_prefix("U+")?.split("U+") {
        let digits = part.trim_matches([' ', '-', ',', '_']);
        text.push(char::from_u32(u32::from_str_radix(digits, 16).ok()?)?);
    }
    (!text.is_empty()).then_some(text)
}

/// The code of an emoji: `U+1f44d`, sequences with the separator between.
pub fn code_of(emoji: &str, separator: &str, upper: bool) -> String {
    let codes: Vec<String> = emoji
        .chars()
        .map(|point| {
            let number = u32::from(point);
            if upper { format!("U+{number:X}") } else { format!("U+{number:x}") }
        })
        .collect();
    codes.join(separator)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(start: usize, end: usize, kind: &str, attr: &str) -> Value {
        json!({"start_position": start, "end_position": end, "format_type": kind, "format_attr": attr})
    }

    fn read(text: &str, items: &[Value]) -> Vec<(usize, usize, String)> {
        let ranges = rich_text(&ZoomDoubts::default(), text, &json!(items)).expect("known formats");
        ranges.into_iter().map(|range| (range.start, range.end, range.kind)).collect()
    }

    #[test]
    fn ends_are_inclusive_unless_switched() {
        assert_eq!(read("Hello you", &[range(0, 4, "Bold", "")]), [(0, 5, "Bold".to_owned())]);
        let doubts = ZoomDoubts { ends_inclusive: false, ..ZoomDoubts::default() };
        let ranges = rich_text(&doubts, "Hello you", &json!([range(0, 5, "Bold", "")])).expect("known");
        assert_eq!((ranges[0].start, ranges[0].end), (0, 5));
        assert_eq!(shown(&doubts, &ranges[0])["end_position"], 4);
    }

    #[test]
    fn ranges_that_do_not_fit_are_dropped_in_silence() {
        let silent = json!({"start_position": 0, "end_position": 1, "format_type": "Bold"});
        let items = [
            silent,
            range(0, 9, "Bold", ""),
            range(3, 1, "Italic", ""),
            range(0, 1, "AddLink", "ftp://example.com"),
            range(0, 3, "AddLink", "https://example.com"),
            range(0, 1, "Paragraph", "h9"),
        ];
        assert_eq!(read("a\nbc", &items), []);
        assert_eq!(
            rich_text(&ZoomDoubts::default(), "a", &json!([range(0, 0, "Code", "")])).map_err(|e| e.code),
            Err(300)
        );
    }

    #[test]
    fn block_formats_grow_to_whole_lines_and_clear_each_other() {
        let items =
            [range(0, 0, "BulletedList", ""), range(4, 5, "Quote", ""), range(5, 5, "NumberedList", "")];
        let found = read("one\ntwo\nthree", &items);
        assert_eq!(found, [(0, 3, "BulletedList".to_owned()), (4, 7, "NumberedList".to_owned())]);
        let items = [range(4, 6, "Bold", ""), range(4, 6, "Italic", ""), range(5, 5, "Quote", "")];
        let kinds: Vec<String> = read("one\ntwo", &items).into_iter().map(|(_, _, kind)| kind).collect();
        assert_eq!(kinds, ["Italic", "Quote"]);
        let items = [range(0, 2, "Underline", ""), range(0, 2, "AddLink", "https://example.com")];
        let kinds: Vec<String> = read("one", &items).into_iter().map(|(_, _, kind)| kind).collect();
        assert_eq!(kinds, ["AddLink"]);
    }

    #[test]
    fn positions_count_utf16_units_unless_switched() {
        let doubts = ZoomDoubts::default();
        let ranges = rich_text(&doubts, "👍🏽 ok", &json!([range(5, 6, "Bold", "")])).expect("known");
        assert_eq!(slice(&doubts, "👍🏽 ok", ranges[0].start, ranges[0].end), "ok");
        let doubts = ZoomDoubts { utf16_positions: false, ..doubts };
        let ranges = rich_text(&doubts, "👍🏽 ok", &json!([range(3, 4, "Bold", "")])).expect("known");
        assert_eq!(slice(&doubts, "👍🏽 ok", ranges[0].start, ranges[0].end), "ok");
    }

    #[test]
    fn mentions_need_their_sign() {
        let find = |who: &str| Ok(who.to_owned());
        let items = json!([
            {"at_type": 1, "at_contact": "u1", "start_position": 0, "end_position": 4},
            {"at_type": 1, "at_contact": "u1", "start_position": 1, "end_position": 4},
            {"at_type": 2, "start_position": 6, "end_position": 9},
        ]);
        let found = at_items(&ZoomDoubts::default(), "@Theo @all", &items, find).expect("known types");
        assert_eq!(
            found,
            [At { start: 0, end: 5, user: Some("u1".to_owned()) }, At { start: 6, end: 10, user: None }]
        );
        assert!(at_items(&ZoomDoubts::default(), "@a", &json!([{"at_type": 3}]), find).is_err());
    }

    #[test]
    fn emoji_codes_go_both_ways() {
        assert_eq!(emoji_of("U+1F44D").as_deref(), Some("👍"));
        assert_eq!(emoji_of("u+1f44dU+1F3FD").as_deref(), Some("👍🏽"));
        assert_eq!(emoji_of("U+1F44D U+1F3FD").as_deref(), Some("👍🏽"));
        assert_eq!(emoji_of("thumbsup"), None);
        assert_eq!(code_of("👍🏽", " ", false), "U+1f44d U+1f3fd");
        assert_eq!(code_of("👍", "", true), "U+1F44D");
    }
}
