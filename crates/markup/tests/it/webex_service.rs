//! What the service of Webex makes of markdown, as far as it is known: mentions found in the raw text, then
//! CommonMark with strikethrough and tables, a line break for every new line. A stricter reader than the real one.

use std::fmt::Write as _;

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

/// Mentions of the raw markdown, wherever they stand.
pub(crate) fn mentions(markdown: &str) -> usize {
    substituted(markdown).1
}

/// The `html` of the message.
pub(crate) fn html(markdown: &str) -> String {
    let (markdown, _) = substituted(markdown);
    let options = Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TABLES | Options::ENABLE_TASKLISTS;
    let mut out = String::new();
    for event in Parser::new_ext(&markdown, options) {
        match event {
            Event::Start(tag) => start(&tag, &mut out),
            Event::End(end) => self::end(end, &mut out),
            Event::Text(text) => escape(&text, &mut out),
            Event::Code(text) => {
                out.push_str("<code>");
                escape(&text, &mut out);
                out.push_str("</code>");
            }
            Event::Html(html) | Event::InlineHtml(html) => out.push_str(&html),
            Event::SoftBreak | Event::HardBreak => out.push_str("<br>"),
            Event::Rule => out.push_str("<hr>"),
            Event::TaskListMarker(done) => write!(out, "[task {done}]").unwrap(),
            _ => out.push_str("[unexpected]"),
        }
    }
    out
}

fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
}

fn start(tag: &Tag<'_>, out: &mut String) {
    match tag {
        Tag::List(Some(number)) => write!(out, "<ol start=\"{number}\">").unwrap(),
        Tag::CodeBlock(CodeBlockKind::Fenced(language)) if !language.is_empty() => {
            out.push_str("<pre><code class=\"language-");
            escape(language, out);
            out.push_str("\">");
        }
        Tag::CodeBlock(_) => out.push_str("<pre><code>"),
        Tag::Link { dest_url, .. } => {
            out.push_str("<a href=\"");
            escape(dest_url, out);
            out.push_str("\" rel=\"nofollow\">");
        }
        Tag::Image { .. } => out.push_str("[picture]"),
        tag => write!(out, "<{}>", name(tag.to_end())).unwrap(),
    }
}

fn end(end: TagEnd, out: &mut String) {
    match end {
        TagEnd::CodeBlock => out.push_str("</code></pre>"),
        end => write!(out, "</{}>", name(end)).unwrap(),
    }
}

fn name(end: TagEnd) -> String {
    match end {
        TagEnd::Paragraph => "p".into(),
        TagEnd::Heading(level) => format!("h{}", level as usize),
        TagEnd::BlockQuote(_) => "blockquote".into(),
        TagEnd::List(true) => "ol".into(),
        TagEnd::List(false) => "ul".into(),
        TagEnd::Item => "li".into(),
        TagEnd::Emphasis => "em".into(),
        TagEnd::Strong => "strong".into(),
        TagEnd::Strikethrough => "s".into(),
        TagEnd::Link => "a".into(),
        TagEnd::Table => "table".into(),
        TagEnd::TableHead | TagEnd::TableRow => "tr".into(),
        TagEnd::TableCell => "td".into(),
        _ => "span".into(),
    }
}

/// The markdown with its mentions as tags, and how many there were.
fn substituted(markdown: &str) -> (String, usize) {
    let mut out = String::new();
    let mut count = 0;
    let mut rest = markdown;
    while let Some(at) = rest.find("<@") {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let Some((tag, after)) = from.split_once('>').and_then(|(inside, after)| Some((tag(inside)?, after)))
        else {
            out.push_str("<@");
            rest = &from[2..];
            continue;
        };
        out.push_str(&tag);
        count += 1;
        rest = after;
    }
    out.push_str(rest);
    (out, count)
}

/// The tag of what stands between `<` and `>`.
fn tag(inside: &str) -> Option<String> {
    let inside = inside.strip_prefix("<@")?;
    if inside.eq_ignore_ascii_case("all") {
        return Some(
            "<spark-mention data-object-type=\"groupMention\" data-group-type=\"all\">All</spark-mention>"
                .into(),
        );
    }
    let (kind, who) = inside.split_once(':')?;
    if !kind.eq_ignore_ascii_case("personId") && !kind.eq_ignore_ascii_case("personEmail") {
        return None;
    }
    let (id, name) = who.split_once('|').unwrap_or((who, ""));
    let mut tag = "<spark-mention data-object-type=\"person\" data-object-id=\"".to_owned();
    escape(id, &mut tag);
    tag.push_str("\">");
    escape(name, &mut tag);
    tag.push_str("</spark-mention>");
    Some(tag)
}
