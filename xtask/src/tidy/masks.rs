//! Just enough of Rust's lexical rules to tell code from comments, strings and unit tests.

/// What a stretch of source text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Code,
    Comment,
    Literal,
}

/// The text with comments blanked; lines and columns stay.
pub(crate) fn without_comments(text: &str) -> String {
    blank(text, |kind| kind == Kind::Comment)
}

/// The text with comments and the insides of string and character literals blanked; lines and columns stay.
pub(crate) fn code_only(text: &str) -> String {
    blank(text, |kind| kind != Kind::Code)
}

/// The text up to its unit tests.
pub(crate) fn without_unit_tests(text: &str) -> &str {
    let mut offset = 0;
    let mut attribute = None;
    for line in text.split_inclusive('\n') {
        let trimmed = line.trim();
        if trimmed.starts_with("#[cfg(test)]") || trimmed.starts_with("#[cfg(all(test") {
            attribute = Some(offset);
        }
        if let Some(start) = attribute {
            let rest = trimmed.trim_start_matches("#[cfg(test)]").trim();
            if rest.starts_with("mod ") && rest.ends_with('{') {
                return &text[..start];
            }
            if !rest.is_empty() && !rest.starts_with("#[") && !rest.starts_with("//") {
                attribute = None;
            }
        }
        offset += line.len();
    }
    text
}

fn blank(text: &str, hides: impl Fn(Kind) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for (kind, part) in parts(text) {
        if hides(kind) {
            out.extend(part.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        } else {
            out.push_str(part);
        }
    }
    out
}

fn parts(text: &str) -> Vec<(Kind, &str)> {
    let bytes = text.as_bytes();
    let mut parts = Vec::new();
    let mut start = 0;
    let mut at = 0;
    while at < bytes.len() {
        let (kind, end) = match bytes[at] {
            b'/' if bytes.get(at + 1) == Some(&b'/') => {
                (Kind::Comment, text[at..].find('\n').map_or(bytes.len(), |n| at + n))
            }
            b'/' if bytes.get(at + 1) == Some(&b'*') => (Kind::Comment, block_comment_end(bytes, at)),
            b'"' => (Kind::Literal, string_end(bytes, at + 1)),
            b'r' if !continues_word(bytes, at) => match raw_string_end(text, at) {
                Some(end) => (Kind::Literal, end),
                None => (Kind::Code, at + 1),
            },
            b'\'' => match char_end(text, at) {
                Some(end) => (Kind::Literal, end),
                None => (Kind::Code, at + 1),
            },
            _ => (Kind::Code, at + 1),
        };
        if kind != Kind::Code {
            parts.push((Kind::Code, &text[start..at]));
            parts.push((kind, &text[at..end]));
            start = end;
        }
        at = end;
    }
    parts.push((Kind::Code, &text[start..]));
    parts
}

/// Whether the letter at `at` belongs to a longer word (`b` and `c` before a raw string are no such word).
fn continues_word(bytes: &[u8], at: usize) -> bool {
    let word = |index: usize| bytes[index].is_ascii_alphanumeric() || bytes[index] == b'_';
    match at.checked_sub(1) {
        Some(before) if matches!(bytes[before], b'b' | b'c') => before.checked_sub(1).is_some_and(word),
        Some(before) => word(before),
        None => false,
    }
}

fn block_comment_end(bytes: &[u8], from: usize) -> usize {
    let mut depth = 0_usize;
    let mut at = from;
    while at + 1 < bytes.len() {
        match &bytes[at..at + 2] {
            b"/*" => {
                depth += 1;
                at += 2;
            }
            b"*/" => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    bytes.len()
}

fn string_end(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

fn raw_string_end(text: &str, at: usize) -> Option<usize> {
    let hashes = text[at + 1..].bytes().take_while(|byte| *byte == b'#').count();
    let open = at + 1 + hashes;
    if text.as_bytes().get(open) != Some(&b'"') {
        return None;
    }
    let close = format!("\"{}", "#".repeat(hashes));
    Some(text[open + 1..].find(&close).map_or(text.len(), |n| open + 1 + n + close.len()))
}

/// The end of a character literal; `None` for a lifetime.
fn char_end(text: &str, at: usize) -> Option<usize> {
    let rest = &text[at + 1..];
    let mut chars = rest.char_indices();
    let (_, first) = chars.next()?;
    if first == '\\' {
        // The escaped character itself may be a quote.
        let escaped = chars.next()?.0;
        let close = rest[escaped + 1..].find('\'')?;
        return Some(at + 1 + escaped + 1 + close + 1);
    }
    let (index, second) = chars.next()?;
    (second == '\'').then_some(at + 1 + index + 1)
}
