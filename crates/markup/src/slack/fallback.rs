//! The pieces as mrkdwn, for `text` beside the blocks.

use dragoman_model::{Emoji, Mention};

use super::flat::Piece;
use super::flatten::table_text;
use crate::runs::{BOLD, CODE, ITALIC, Leaf, Run, STRIKE, date_text, emoji_text, text_of};

/// The text. Everything that people typed is escaped.
pub(super) fn fallback(pieces: &[Piece]) -> String {
    let mut lines: Vec<String> = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Lines { quoted, runs } => {
                let text = mrkdwn(runs);
                let sign = if *quoted { "> " } else { "" };
                lines.extend(text.split('\n').map(|line| format!("{sign}{line}")));
            }
            Piece::Item { quoted, indent, number, runs } => {
                let sign = if *quoted { "> " } else { "" };
                let space = "    ".repeat(usize::from(*indent));
                let bullet = number.map_or_else(|| "\u{2022}".to_owned(), |number| format!("{number}."));
                lines.push(format!("{sign}{space}{bullet} {}", mrkdwn(runs)));
            }
            Piece::Code { text, .. } => lines.push(fenced(text)),
            Piece::Header(runs) => lines.push(mrkdwn(&[Run::text(text_of(runs), BOLD)])),
            Piece::Rule => lines.push("\u{2014}\u{2014}\u{2014}".to_owned()),
            Piece::Table { rows } => lines.push(fenced(&table_text(rows))),
            Piece::Unsupported { runs, .. } => lines.push(mrkdwn(runs)),
        }
    }
    lines.join("\n")
}

fn fenced(text: &str) -> String {
    // A zero-width space keeps a fence inside the code from closing it.
    format!("```\n{}\n```", escape(text).replace("```", "``\u{200b}`"))
}

/// Text with Slack's three escapes.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            c => out.push(c),
        }
    }
    out
}

fn mrkdwn(runs: &[Run]) -> String {
    let mut out = String::new();
    let mut runs = runs.iter().peekable();
    while let Some(run) = runs.next() {
        let shown = leaf(&run.leaf);
        let signs = signs(run.styles);
        let apart = |c: Option<char>| c.is_none_or(char::is_whitespace);
        let next = runs.peek().and_then(|next| leaf(&next.leaf).chars().next());
        let fits = apart(out.chars().next_back())
            && apart(next)
            && !shown.trim().is_empty()
            && !shown.contains(['\n', '*', '_', '~', '`']);
        if fits {
            out.push_str(&signs);
            out.push_str(&shown);
            out.extend(signs.chars().rev());
        } else {
            out.push_str(&shown);
        }
    }
    out
}

fn signs(styles: u8) -> String {
    [(BOLD, '*'), (ITALIC, '_'), (STRIKE, '~'), (CODE, '`')]
        .into_iter()
        .filter(|(style, _)| styles & style != 0)
        .map(|(_, sign)| sign)
        .collect()
}

fn leaf(leaf: &Leaf) -> String {
    match leaf {
        Leaf::Text(text) => escape(text),
        Leaf::Break => "\n".to_owned(),
        Leaf::Link { url, text } if text.is_empty() => format!("<{}>", target(url)),
        Leaf::Link { url, text } => format!("<{}|{}>", target(url), escape(&text_of(text))),
        Leaf::Mention(Mention::Person { id, .. }) => format!("<@{id}>"),
        Leaf::Mention(Mention::Conversation { id, .. }) => format!("<#{id}>"),
        Leaf::Mention(Mention::Group { id, .. }) => format!("<!subteam^{id}>"),
        Leaf::Mention(Mention::Everyone) => "<!channel>".to_owned(),
        Leaf::Mention(Mention::Here) => "<!here>".to_owned(),
        Leaf::Emoji(Emoji::Unicode(characters)) => {
            crate::emoji::to_slack(characters).map_or_else(|| escape(characters), |name| format!(":{name}:"))
        }
        Leaf::Emoji(custom @ Emoji::Custom { .. }) => escape(&emoji_text(custom)),
        Leaf::Date { seconds, fallback } => format!(
            "<!date^{seconds}^{{date_short_pretty}} {{time}}|{}>",
            escape(&date_text(*seconds, fallback)).replace('|', "/")
        ),
    }
}

/// An address inside `<…>`: a bar would end it.
fn target(url: &str) -> String {
    escape(url).replace('|', "%7C")
}
