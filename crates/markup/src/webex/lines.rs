//! The tree as markdown of Webex, inlines: signs of text escaped, delimiters that hold wherever they stand.

use dragoman_model::Inline;

use super::mentions::{BREAKER, broken, markdown};
use crate::runs::{date_text, emoji_text, mention_text};

const NBSP: char = '\u{a0}';

/// A part of a line.
enum Token {
    Piece(String),
    Open(&'static str),
    Close(&'static str),
    Break,
}

/// The lines of a paragraph, hard breaks between.
pub(super) fn lines(text: &[Inline]) -> Vec<String> {
    let lines = joined(tokens(text, false));
    let last = lines.len().saturating_sub(1);
    lines.into_iter().enumerate().map(|(at, line)| if at < last { line + "  " } else { line }).collect()
}

/// A heading, which is one line.
pub(super) fn heading(level: u8, text: &[Inline]) -> String {
    let signs = "#".repeat(usize::from(level));
    format!("{signs} {}", joined(tokens(text, true)).join(" "))
}

fn tokens(text: &[Inline], heading: bool) -> Vec<Token> {
    let mut writer = Writer { tokens: Vec::new(), spaced: true, line_start: true, heading };
    writer.inlines(text);
    writer.tokens
}

struct Writer {
    tokens: Vec<Token>,
    /// Whether a space here would be lost: at the start of a line, or after another.
    spaced: bool,
    line_start: bool,
    heading: bool,
}

impl Writer {
    fn piece(&mut self, piece: String) {
        self.line_start = false;
        self.tokens.push(Token::Piece(piece));
    }

    fn inlines(&mut self, inlines: &[Inline]) {
        for inline in inlines {
            match inline {
                Inline::Text(text) => self.text(text),
                Inline::Strong(inner) => self.within("**", inner),
                Inline::Emphasis(inner) => self.within("*", inner),
                Inline::Strike(inner) => self.within("~~", inner),
                Inline::Underline(inner) => self.inlines(inner),
                Inline::Code(text) => self.code(text),
                Inline::Link { url, text } => self.link(url, text),
                Inline::Mention(mention) => match markdown(mention) {
                    Some(written) => {
                        self.piece(written);
                        self.spaced = false;
                    }
                    None => self.text(&mention_text(mention)),
                },
                Inline::Emoji(emoji) => self.text(&emoji_text(emoji)),
                Inline::Date { seconds, fallback } => self.text(&date_text(*seconds, fallback)),
                Inline::Break => {
                    self.tokens.push(Token::Break);
                    self.spaced = true;
                    self.line_start = true;
                }
            }
        }
    }

    fn within(&mut self, sign: &'static str, inner: &[Inline]) {
        self.line_start = false;
        self.tokens.push(Token::Open(sign));
        self.inlines(inner);
        self.tokens.push(Token::Close(sign));
    }

    fn link(&mut self, url: &str, text: &[Inline]) {
        // `![` would be a picture.
        if let Some(Token::Piece(before)) = self.tokens.last_mut()
            && before.ends_with('!')
        {
            before.truncate(before.len() - 1);
            before.push_str("\\!");
        }
        let starts_line = self.line_start;
        let at = self.tokens.len();
        self.piece("[".to_owned());
        if text.is_empty() {
            self.text(url);
        } else {
            self.inlines(text);
        }
        if starts_line && self.tokens[at..].iter().any(ends_label) {
            self.tokens.insert(at, Token::Piece(BREAKER.to_string()));
        }
        let mut end = "](".to_owned();
        for c in url.chars() {
            match c {
                '&' => end.push_str("&amp;"),
                '\\' | '(' | ')' => end.extend(['\\', c]),
                c => end.push(c),
            }
        }
        end.push(')');
        self.piece(end);
    }

    fn text(&mut self, text: &str) {
        let mut piece = String::with_capacity(text.len());
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        for (at, c) in text.char_indices() {
            let first = self.line_start && at == 0;
            let after_number = self.line_start && digits > 0 && at == digits;
            let space = c == ' ' && self.spaced;
            self.spaced = c == ' ';
            match c {
                _ if space => piece.push(NBSP),
                '&' => piece.push_str("&amp;"),
                '<' => piece.push_str("&lt;"),
                '>' => piece.push_str("&gt;"),
                '`' => piece.push_str("&#96;"),
                '\\' | '*' | '_' | '[' | ']' | '~' | '|' => piece.extend(['\\', c]),
                '#' if first || self.heading => piece.push_str("\\#"),
                '+' | '-' | '=' if first => piece.extend(['\\', c]),
                '.' | ')' if after_number => piece.extend(['\\', c]),
                c => piece.push(c),
            }
        }
        if !piece.is_empty() {
            self.piece(piece);
        }
    }

    fn code(&mut self, text: &str) {
        let mut inner = String::with_capacity(text.len());
        let last = text.len().saturating_sub(1);
        for (at, c) in text.char_indices() {
            let space = c == ' ' && (self.spaced || at == 0 || at == last);
            self.spaced = c == ' ' && !space;
            inner.push(if space { NBSP } else { c });
        }
        let inner = broken(&inner);
        let longest = inner.split(|c| c != '`').map(str::len).max().unwrap_or(0);
        let fence = "`".repeat(longest + 1);
        let pad = if inner.starts_with('`') || inner.ends_with('`') { " " } else { "" };
        self.piece(format!("{fence}{pad}{inner}{pad}{fence}"));
        self.spaced = false;
    }
}

/// Whether this is code that makes a `[` before it begin a link reference definition (`[label]: url`), which shows
/// nothing: `CommonMark` looks for those before it looks for code.
fn ends_label(token: &Token) -> bool {
    matches!(token, Token::Piece(piece) if piece.starts_with('`') && piece.contains("]:"))
}

/// The lines. `CommonMark` takes a delimiter for one only beside certain signs ("left-flanking",
/// "right-flanking"), and two that touch for one of another kind: there a sign of no width stands between.
fn joined(tokens: Vec<Token>) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let next = match tokens.peek() {
            Some(Token::Piece(piece)) => piece.chars().next(),
            Some(Token::Open(sign) | Token::Close(sign)) => sign.chars().next(),
            Some(Token::Break) | None => None,
        };
        let at_edge = |c: Option<char>| c.is_none_or(|c| c == ' ');
        let is_word = |c: Option<char>| c.is_some_and(is_word);
        match token {
            Token::Piece(piece) => line.push_str(&piece),
            Token::Open(sign) => {
                part(&mut line, sign);
                let before = line.chars().next_back();
                line.push_str(sign);
                let inner_space = next.is_none_or(char::is_whitespace);
                if inner_space || !(is_word(next) || at_edge(before)) {
                    line.push(BREAKER);
                }
            }
            Token::Close(sign) => {
                part(&mut line, sign);
                let before = line.chars().next_back();
                let inner_space = before.is_none_or(char::is_whitespace);
                let fits = is_word(before) || before == Some(BREAKER) || at_edge(next);
                if inner_space || !fits {
                    line.push(BREAKER);
                }
                line.push_str(sign);
            }
            Token::Break => lines.push(std::mem::take(&mut line)),
        }
    }
    lines.push(line);
    lines
}

/// Keeps a delimiter from joining the one before.
fn part(line: &mut String, sign: &str) {
    if sign.chars().next().is_some_and(|sign| line.ends_with(sign)) {
        line.push(BREAKER);
    }
}

/// Whether the sign is a letter or number for `CommonMark`; enclosed letters are symbols there.
fn is_word(c: char) -> bool {
    c.is_alphanumeric() && !matches!(c, '\u{24b6}'..='\u{24e9}' | '\u{1f130}'..='\u{1f189}')
}
