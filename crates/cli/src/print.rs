//! Printing: tables for people, one JSON document for programs.

use std::io::Write as _;

use anyhow::Result;
use dragoman_relay::RelayError;
use serde::Serialize;

/// Prints a line on standard output; a reader that went away is no failure.
pub(crate) fn line(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// Prints text that ends its own lines.
pub(crate) fn raw(text: &str) {
    let _ = write!(std::io::stdout().lock(), "{text}");
}

/// Prints a hint on standard error, so that it does not disturb data.
pub(crate) fn hint(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// A failure with its causes, and the code under which it is explained where it has one.
pub(crate) fn failure(error: &anyhow::Error) -> String {
    let text = format!("{error:#}");
    let code = error.chain().find_map(|cause| cause.downcast_ref::<RelayError>()).map(RelayError::code);
    match code {
        Some(code) if !text.contains(code.as_str()) => format!("{text} ({code})"),
        _ => text,
    }
}

/// Prints a value as one JSON document.
pub(crate) fn json<T: Serialize>(value: &T) -> Result<()> {
    line(&serde_json::to_string_pretty(value)?);
    Ok(())
}

/// Prints rows under headings, columns as wide as they need.
pub(crate) fn table(headings: &[&str], rows: &[Vec<String>]) {
    if rows.is_empty() {
        hint("nothing to show");
        return;
    }
    let widths: Vec<usize> = headings
        .iter()
        .enumerate()
        .map(|(column, heading)| {
            let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
            cells.chain([heading.chars().count()]).max().unwrap_or(0)
        })
        .collect();
    let print = |cells: &mut dyn Iterator<Item = &str>| {
        let padded: Vec<String> = cells
            .zip(&widths)
            .map(|(cell, width)| format!("{cell}{}", " ".repeat(width.saturating_sub(cell.chars().count()))))
            .collect();
        line(padded.join("  ").trim_end());
    };
    print(&mut headings.iter().copied());
    for row in rows {
        print(&mut row.iter().map(String::as_str));
    }
}

/// A moment for people, UTC.
pub(crate) fn moment(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms)
        .map_or_else(|_| ms.to_string(), |at| at.strftime("%F %T").to_string())
}
