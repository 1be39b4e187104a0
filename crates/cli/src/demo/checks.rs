//! What the rows of the script look for in what a reader shows.

use serde_json::Value;

use super::sides::Seen;

pub(super) fn any(_: &Seen) -> bool {
    true
}

/// A text element of a `rich_text` block with this style.
pub(super) fn styled(value: &Value, style: &str) -> bool {
    match value {
        Value::Array(items) => items.iter().any(|item| styled(item, style)),
        Value::Object(fields) => {
            fields.get("style").is_some_and(|styles| styles[style] == true)
                || fields.values().any(|field| styled(field, style))
        }
        _ => false,
    }
}

/// An element or block of this type.
pub(super) fn typed(value: &Value, kind: &str) -> bool {
    match value {
        Value::Array(items) => items.iter().any(|item| typed(item, kind)),
        Value::Object(fields) => {
            fields.get("type").is_some_and(|found| found == kind)
                || fields.values().any(|field| typed(field, kind))
        }
        _ => false,
    }
}

pub(super) fn blocks(seen: &Seen) -> &Value {
    &seen.raw["blocks"]
}

pub(super) fn one_of(seen: &Seen, tags: &[&str]) -> bool {
    tags.iter().any(|tag| seen.markup.contains(tag))
}

/// A range of a Zoom message with this format; the author's name in front is one, too.
pub(super) fn ranged(seen: &Seen, kind: &str) -> usize {
    let ranges = seen.raw["rich_text"].as_array();
    ranges.map_or(0, |all| all.iter().filter(|range| range["format_type"] == kind).count())
}

pub(super) fn in_thread(seen: &Seen) -> bool {
    seen.thread_root.is_some()
}

/// Whether a list has anything in it.
pub(super) fn filled(list: &Value) -> bool {
    list.as_array().is_some_and(|all| !all.is_empty())
}

/// Whether a list has an entry with this value.
pub(super) fn named(list: &Value, key: &str, value: &str) -> bool {
    list.as_array().is_some_and(|all| all.iter().any(|one| one[key] == value))
}

/// The words of the card.
pub(super) fn berth(seen: &Seen) -> bool {
    seen.markup.contains("Berth plan") && seen.markup.contains("Pier two is free")
}

pub(super) fn at_ten(seen: &Seen) -> bool {
    seen.markup.contains("now at ten")
}
