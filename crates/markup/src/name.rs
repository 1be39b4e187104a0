//! Names that people gave themselves, made harmless.

use unicode_segmentation::UnicodeSegmentation;

const MAX_GRAPHEMES: usize = 80;

/// A name as it may be shown as an author: no control characters, no change of writing direction, nothing
/// invisible, no signs that look like markup or a mention; white space single, at most 80 graphemes.
pub fn neutralise(name: &str) -> String {
    let mut out = String::with_capacity(name.len().min(1024));
    let mut space = false;
    for c in name.chars() {
        if c.is_whitespace() || c.is_control() || is_markup(c) {
            space = true;
            continue;
        }
        if is_invisible(c) {
            continue;
        }
        if space && !out.is_empty() {
            out.push(' ');
        }
        space = false;
        out.push(c);
    }
    let mut graphemes = out.graphemes(true);
    let mut short: String = graphemes.by_ref().take(MAX_GRAPHEMES).map(bounded).collect();
    short.truncate(short.trim_end().len());
    short
}

/// Whether a sign of a name shows nothing: control characters, what changes the direction of writing, what joins or
/// varies other signs. White space is none of these.
pub fn is_hidden(sign: char) -> bool {
    let whitespace = sign.is_whitespace();
    (sign.is_control() && !whitespace)
        || is_invisible(sign)
        || matches!(sign, '\u{200d}' | '\u{fe00}'..='\u{fe0f}')
}

/// A letter with at most eight marks on it: stacked marks cover the lines above and below.
fn bounded(grapheme: &str) -> &str {
    grapheme.char_indices().nth(9).map_or(grapheme, |(end, _)| &grapheme[..end])
}

/// Signs of markup and mentions, and those that look like them.
fn is_markup(c: char) -> bool {
    matches!(
        c,
        '<' | '>'
            | '`'
            | '*'
            | '~'
            | '|'
            | '@'
            | '\u{ff20}'
            | '\u{fe6b}'
            | '\u{ff1c}'
            | '\u{ff1e}'
            | '\u{fe64}'
            | '\u{fe65}'
            | '\u{2039}'
            | '\u{203a}'
            | '\u{2329}'
            | '\u{232a}'
            | '\u{27e8}'
            | '\u{27e9}'
            | '\u{3008}'
            | '\u{3009}'
    )
}

/// Characters that show nothing or change the direction of what follows.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'
            | '\u{1160}'
            | '\u{17b4}'
            | '\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'
            | '\u{200c}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{2800}'
            | '\u{3164}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{e000}'..='\u{f8ff}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}
