//! mrkdwn ("Formatting text for app surfaces"), in one pass over the text.
//!
//! A style's content cannot hold its own sign, so only neighbouring signs can make a pair; pairs of different
//! signs may cross, which flags on runs do not mind.

use dragoman_model::{Document, Mention};

use super::flat::Piece;
use super::flatten::code_text;
use super::pieces::{Gap, Pieces};
use crate::budget::{Budget, Meter};
use crate::runs::{BOLD, CODE, ITALIC, Leaf, Run, STRIKE, clean, emoji_text, push_text, text_of};
use crate::uri::link_url;

const FENCE: &str = "```";

/// A text in mrkdwn. Mentions carry ids and no names.
pub fn parse_mrkdwn(text: &str, budget: Budget) -> Document {
    let mut pieces = Pieces::new(budget);
    mrkdwn(text, Gap::Line, &mut pieces);
    pieces.finish()
}

/// Adds a text in mrkdwn: fenced code, quoted lines, running text.
pub(super) fn mrkdwn(text: &str, first: Gap, pieces: &mut Pieces) {
    let (text, over) = pieces.budget().cut(text);
    let mut gap = first;
    let mut rest = text;
    while let Some(open) = rest.find(FENCE) {
        let Some(length) = rest[open + FENCE.len()..].find(FENCE) else { break };
        let code = &rest[open + FENCE.len()..open + FENCE.len() + length];
        let after = &rest[open + 2 * FENCE.len() + length..];
        lines(&rest[..open], gap, pieces);
        gap = Gap::Line;
        if code.trim().is_empty() {
            pieces.text(&rest[open..open + 2 * FENCE.len() + length], Gap::Line);
        } else {
            let code = code.strip_prefix('\n').unwrap_or(code);
            let runs = raw_runs(code);
            pieces.push(Piece::Code { quoted: false, language: None, text: code_text(&code_of(&runs)) });
        }
        rest = after.strip_prefix('\n').unwrap_or(after);
    }
    lines(rest, gap, pieces);
    pieces.text(over, Gap::Line);
}

fn code_of(runs: &[Run]) -> String {
    runs.iter()
        .map(|run| if run.is_break() { "\n".to_owned() } else { text_of(std::slice::from_ref(run)) })
        .collect()
}

fn lines(text: &str, first: Gap, pieces: &mut Pieces) {
    if text.is_empty() {
        return;
    }
    let mut gap = first;
    let mut to_the_end = false;
    let mut runs: Vec<Run> = Vec::new();
    let mut runs_quoted = false;
    for (index, line) in text.split('\n').enumerate() {
        let (quoted, content) = match unquote(line) {
            _ if to_the_end => (true, line),
            Some(content) => {
                to_the_end = line.starts_with("&gt;&gt;&gt;") || line.starts_with(">>>");
                (true, content)
            }
            None => (false, line),
        };
        if index > 0 {
            if quoted == runs_quoted {
                runs.push(Run::new(Leaf::Break, 0));
            } else {
                pieces.lines(runs_quoted, std::mem::take(&mut runs), gap);
                gap = Gap::Line;
            }
        }
        runs_quoted = quoted;
        line_runs(content, &mut runs, &mut pieces.meter);
    }
    pieces.lines(runs_quoted, runs, gap);
}

fn unquote(line: &str) -> Option<&str> {
    let content = ["&gt;&gt;&gt;", ">>>", "&gt;", ">"].iter().find_map(|sign| line.strip_prefix(sign))?;
    Some(content.strip_prefix(' ').unwrap_or(content))
}

/// Text in mrkdwn as runs: no fences, no quotes.
pub(super) fn mrkdwn_runs(text: &str, meter: &mut Meter) -> Vec<Run> {
    let mut runs = Vec::new();
    for (index, line) in text.split('\n').enumerate() {
        if index > 0 {
            runs.push(Run::new(Leaf::Break, 0));
        }
        line_runs(line, &mut runs, meter);
    }
    runs
}

/// A part of a line.
enum Token<'a> {
    /// Text, still escaped.
    Text(&'a str),
    /// `<…>`, without the brackets.
    Entity(&'a str),
    /// A sign that may open or close a style.
    Sign(u8),
}

/// One line. Over budget: its text.
fn line_runs(line: &str, runs: &mut Vec<Run>, meter: &mut Meter) {
    if line.is_empty() {
        return;
    }
    if meter.spent() {
        push_text(runs, &unescape(line), 0);
        return;
    }
    let tokens = tokens(line);
    let styles = pair(line, &tokens);
    for (index, (_, token)) in tokens.iter().enumerate() {
        let style = styles[index];
        if !meter.take() {
            let at = tokens[index].0;
            push_text(runs, &unescape(&line[at..]), 0);
            return;
        }
        match token {
            Token::Text(text) if style & CODE != 0 => push_text(runs, &unescape(text), style),
            Token::Text(text) => shortcodes(&unescape(text), style, runs, meter),
            Token::Entity(content) if style & CODE != 0 => {
                push_text(runs, &text_of(&[entity(content, 0)]), style);
            }
            Token::Entity(content) => runs.push(entity(content, style)),
            // Signs that made a pair are marked with a style of their own; the others are letters.
            Token::Sign(_) if style & PAIRED != 0 => {}
            Token::Sign(sign) => push_text(runs, char::from(*sign).encode_utf8(&mut [0; 4]), style),
        }
    }
}

const PAIRED: u8 = 128;

fn tokens(line: &str) -> Vec<(usize, Token<'_>)> {
    let bytes = line.as_bytes();
    let mut out = Vec::new();
    let mut text_from = 0;
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'<' => {
                // Up to the next bracket: a second opening one means that this one is only a sign.
                let end = bytes[at + 1..].iter().position(|b| matches!(b, b'<' | b'>')).map(|n| at + 1 + n);
                match end {
                    Some(end) if bytes[end] == b'>' && end > at + 1 => {
                        out.push((text_from, Token::Text(&line[text_from..at])));
                        out.push((at, Token::Entity(&line[at + 1..end])));
                        at = end + 1;
                        text_from = at;
                    }
                    Some(end) => at = end.max(at + 1),
                    None => at = bytes.len(),
                }
            }
            b':' => at += shortcode(line, at).unwrap_or(1),
            sign @ (b'*' | b'_' | b'~' | b'`') => {
                out.push((text_from, Token::Text(&line[text_from..at])));
                out.push((at, Token::Sign(sign)));
                at += 1;
                text_from = at;
            }
            _ => at += 1,
        }
    }
    out.push((text_from, Token::Text(&line[text_from..])));
    out.retain(|(_, token)| !matches!(token, Token::Text("")));
    out
}

/// The length of a short name with its colons, as in `:thumbs_up:`, whose underscores are no signs.
fn shortcode(line: &str, at: usize) -> Option<usize> {
    const LONGEST: usize = 64;
    let part =
        |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-' | b'+' | b'\'');
    let length = line.as_bytes()[at + 1..].iter().take(LONGEST).take_while(|b| part(b)).count();
    let end = at + 1 + length;
    let closed = length > 0 && line.as_bytes().get(end) == Some(&b':');
    (closed && crate::emoji::from_slack(line.get(at + 1..end)?).is_some()).then_some(length + 2)
}

/// For each token its styles; paired signs are marked.
fn pair(line: &str, tokens: &[(usize, Token<'_>)]) -> Vec<u8> {
    let mut styles = vec![0_u8; tokens.len()];
    // Code first: inside it nothing else counts.
    for (sign, style) in [(b'`', CODE), (b'*', BOLD), (b'_', ITALIC), (b'~', STRIKE)] {
        let mut open: Option<usize> = None;
        let mut toggles: Vec<(usize, usize)> = Vec::new();
        for (index, (at, token)) in tokens.iter().enumerate() {
            if !matches!(token, Token::Sign(found) if *found == sign) || styles[index] & CODE != 0 {
                continue;
            }
            match open {
                Some(start) if index > start + 1 && closes(line, *at, sign) => {
                    toggles.push((start, index));
                    open = None;
                }
                _ => open = opens(line, *at, sign).then_some(index),
            }
        }
        for (start, end) in toggles {
            styles[start] |= PAIRED;
            styles[end] |= PAIRED;
            for inner in &mut styles[start + 1..end] {
                *inner |= style;
            }
        }
    }
    styles
}

fn opens(line: &str, at: usize, sign: u8) -> bool {
    line[..at].chars().next_back().is_none_or(|before| {
        let blocked = matches!(
            before,
            '`' | '@' | '\\' | ')' | ']' | '}' | '"' | '\'' | '\u{201d}' | '\u{2019}' | '\u{00bb}'
        );
        !before.is_alphanumeric() && before != char::from(sign) && !blocked
    })
}

fn closes(line: &str, at: usize, sign: u8) -> bool {
    line[at + 1..].chars().next().is_none_or(|after| {
        let blocked = matches!(after, '`' | '@' | '(' | '[' | '{');
        !after.is_alphanumeric() && after != char::from(sign) && !blocked
    })
}

/// Text with the short names of known emoji in it.
pub(super) fn shortcodes(text: &str, styles: u8, runs: &mut Vec<Run>, meter: &mut Meter) {
    const LONGEST: usize = 64;
    let mut from = 0;
    let mut at = 0;
    while let Some(open) = text[at..].find(':').map(|n| at + n) {
        let after_word = text[..open].chars().next_back().is_some_and(char::is_alphanumeric);
        let window = &text.as_bytes()[open + 1..(open + 1 + LONGEST).min(text.len())];
        let mut end = None;
        if !after_word && let Some(length) = window.iter().position(|b| *b == b':').filter(|n| *n > 0) {
            end = Some(open + 1 + length);
            // A skin tone follows directly: `:wave::skin-tone-3:`.
            let tail = &text[open + 1 + length..];
            if tail.starts_with("::skin-tone-") && tail.as_bytes().get(13) == Some(&b':') {
                end = Some(open + 1 + length + 13);
            }
        }
        let found = end.and_then(|end| {
            let characters = crate::emoji::from_slack(text.get(open + 1..end)?)?;
            Some((end, characters))
        });
        match found {
            Some((end, characters)) if meter.take() => {
                push_text(runs, &text[from..open], styles);
                runs.push(Run::new(Leaf::Emoji(dragoman_model::Emoji::Unicode(characters)), styles));
                at = end + 1;
                from = at;
            }
            _ => at = open + 1,
        }
    }
    push_text(runs, &text[from..], styles);
}

/// What stands between angle brackets.
fn entity(content: &str, styles: u8) -> Run {
    let (target, label) = content.split_once('|').map_or((content, None), |(t, l)| (t, Some(l)));
    let name = String::new();
    let leaf = match target.as_bytes() {
        [b'@', _, ..] => Leaf::Mention(Mention::Person { id: target[1..].into(), name }),
        [b'#', _, ..] => Leaf::Mention(Mention::Conversation {
            id: target[1..].into(),
            name: plain(label.unwrap_or_default()),
        }),
        [b'!', ..] => return special(&target[1..], label, content, styles),
        _ => {
            let url = unescape(target);
            match link_url(&url) {
                Some(url) => {
                    let mut text = Vec::new();
                    push_text(&mut text, &plain(label.unwrap_or_default()), 0);
                    Leaf::Link { url: url.to_owned(), text }
                }
                None => Leaf::Text(label.map_or_else(|| format!("<{}>", plain(content)), plain)),
            }
        }
    };
    Run::new(leaf, styles)
}

fn special(command: &str, label: Option<&str>, content: &str, styles: u8) -> Run {
    let leaf = match command {
        "here" => Leaf::Mention(Mention::Here),
        "channel" | "everyone" | "group" => Leaf::Mention(Mention::Everyone),
        _ => {
            let mut parts = command.split('^');
            match (parts.next(), parts.next()) {
                (Some("subteam"), Some(id)) if !id.is_empty() => {
                    let name = plain(label.unwrap_or_default()).trim_start_matches('@').to_owned();
                    Leaf::Mention(Mention::Group { id: id.to_owned(), name })
                }
                (Some("date"), Some(seconds)) => match seconds.parse() {
                    Ok(seconds) => Leaf::Date { seconds, fallback: plain(label.unwrap_or_default()) },
                    Err(_) => Leaf::Text(plain(label.unwrap_or(content))),
                },
                _ => Leaf::Text(label.map_or_else(|| format!("<{}>", plain(content)), plain)),
            }
        }
    };
    Run::new(leaf, styles)
}

fn plain(text: &str) -> String {
    clean(&unescape(text))
}

/// Runs of text in which only entities count, for code.
fn raw_runs(text: &str) -> Vec<Run> {
    let mut runs = Vec::new();
    for (index, line) in text.split('\n').enumerate() {
        if index > 0 {
            runs.push(Run::new(Leaf::Break, 0));
        }
        for (_, token) in tokens(line) {
            match token {
                Token::Text(text) => push_text(&mut runs, &unescape(text), 0),
                Token::Entity(content) => {
                    let shown = match entity(content, 0) {
                        Run { leaf: Leaf::Emoji(emoji), .. } => emoji_text(&emoji),
                        run => text_of(&[run]),
                    };
                    push_text(&mut runs, &shown, 0);
                }
                Token::Sign(sign) => push_text(&mut runs, char::from(sign).encode_utf8(&mut [0; 4]), 0),
            }
        }
    }
    runs
}

/// Slack's three escapes, undone once.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        let tail = &rest[at..];
        let (c, length) = if tail.starts_with("&amp;") {
            ('&', 5)
        } else if tail.starts_with("&lt;") {
            ('<', 4)
        } else if tail.starts_with("&gt;") {
            ('>', 4)
        } else {
            ('&', 1)
        };
        out.push(c);
        rest = &tail[length..];
    }
    out.push_str(rest);
    out
}
