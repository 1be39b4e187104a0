//! HTML of message bodies: what the service keeps of it, and what bots see instead.

use std::fmt::Write as _;

/// A piece of HTML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// Text with its entities decoded.
    Text(String),
    /// An opening tag.
    Start {
        /// Lower-case name.
        name: String,
        /// Attributes with decoded values.
        attrs: Vec<(String, String)>,
        /// Whether it ends in `/>`.
        closed: bool,
    },
    /// A closing tag.
    End(String),
}

const VOID: [&str; 3] = ["br", "hr", "img"];
const KEPT: [&str; 33] = [
    "p",
    "div",
    "span",
    "br",
    "b",
    "strong",
    "i",
    "em",
    "u",
    "s",
    "strike",
    "h1",
    "h2",
    "h3",
    "blockquote",
    "pre",
    "code",
    "ul",
    "ol",
    "li",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "hr",
    "a",
    "img",
    "at",
    "attachment",
    "codeblock",
    "quoted",
];
const PRIVATE: [&str; 4] = ["emoji", "customemoji", "readonly", "systemeventmessage"];
const DROPPED_WHOLE: [&str; 8] =
    ["script", "style", "iframe", "object", "head", "title", "noscript", "template"];
const BLOCK: [&str; 14] =
    ["p", "div", "h1", "h2", "h3", "blockquote", "pre", "ul", "ol", "li", "table", "tr", "hr", "codeblock"];

/// Escapes text for HTML; a no-break space becomes `&nbsp;` as in received bodies.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('\u{a0}', "&nbsp;")
}

fn escape_attr(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;")
}

/// Decodes the entities that message bodies use; unknown ones stay as they are.
pub(super) fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let decoded = rest[1..].find(';').filter(|n| *n > 0 && *n <= 10).and_then(|n| {
            let name = &rest[1..=n];
            let c = match name {
                "amp" => Some('&'),
                "lt" => Some('<'),
                "gt" => Some('>'),
                "quot" => Some('"'),
                "apos" => Some('\''),
                "nbsp" => Some('\u{a0}'),
                _ => name.strip_prefix('#').and_then(|num| {
                    num.strip_prefix(['x', 'X'])
                        .map_or_else(|| num.parse().ok(), |hex| u32::from_str_radix(hex, 16).ok())
                        .and_then(char::from_u32)
                }),
            };
            c.map(|c| (c, n + 2))
        });
        if let Some((c, len)) = decoded {
            out.push(c);
            rest = &rest[len..];
        } else {
            out.push('&');
            rest = &rest[1..];
        }
    }
    out.push_str(rest);
    out
}

/// Splits HTML into tokens; comments and declarations vanish, a lone `<` is text.
pub(super) fn tokens(html: &str) -> Vec<Token> {
    let mut out = Vec::new();
    let mut text = String::new();
    let mut rest = html;
    while !rest.is_empty() {
        let Some(at) = rest.find('<') else {
            text.push_str(rest);
            break;
        };
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(comment) = rest.strip_prefix("<!--") {
            rest = comment.find("-->").map_or("", |n| &comment[n + 3..]);
            continue;
        }
        let next = rest[1..].chars().next().unwrap_or(' ');
        if next == '!' || next == '?' {
            rest = rest.find('>').map_or("", |n| &rest[n + 1..]);
        } else if next.is_ascii_alphabetic() || next == '/' {
            let Some(end) = tag_end(rest) else {
                text.push_str(rest);
                break;
            };
            if !text.is_empty() {
                out.push(Token::Text(unescape(&std::mem::take(&mut text))));
            }
            out.push(tag(&rest[1..end]));
            rest = &rest[end + 1..];
        } else {
            text.push('<');
            rest = &rest[1..];
        }
    }
    if !text.is_empty() {
        out.push(Token::Text(unescape(&text)));
    }
    out
}

fn tag_end(html: &str) -> Option<usize> {
    let mut quote = None;
    for (i, c) in html.char_indices() {
        match (quote, c) {
            (None, '>') => return Some(i),
            (None, '"' | '\'') => quote = Some(c),
            (Some(q), c) if c == q => quote = None,
            _ => {}
        }
    }
    None
}

fn tag(inner: &str) -> Token {
    if let Some(name) = inner.strip_prefix('/') {
        return Token::End(name.trim().to_ascii_lowercase());
    }
    let closed = inner.ends_with('/');
    let inner = inner.strip_suffix('/').unwrap_or(inner);
    let end = inner.find(|c: char| c.is_whitespace()).unwrap_or(inner.len());
    let name = inner[..end].to_ascii_lowercase();
    let mut attrs = Vec::new();
    let mut rest = inner[end..].trim_start();
    while !rest.is_empty() {
        let stop = rest.find(|c: char| c.is_whitespace() || c == '=').unwrap_or(rest.len());
        let key = rest[..stop].to_ascii_lowercase();
        rest = rest[stop..].trim_start();
        let mut value = String::new();
        if let Some(after) = rest.strip_prefix('=') {
            let after = after.trim_start();
            if let Some(q) = after.chars().next().filter(|c| *c == '"' || *c == '\'') {
                let body = &after[1..];
                let n = body.find(q).unwrap_or(body.len());
                value = unescape(&body[..n]);
                rest = body.get(n + 1..).unwrap_or("").trim_start();
            } else {
                let n = after.find(char::is_whitespace).unwrap_or(after.len());
                value = unescape(&after[..n]);
                rest = after[n..].trim_start();
            }
        }
        if key.is_empty() {
            rest = rest.get(1..).unwrap_or("");
        } else {
            attrs.push((key, value));
        }
    }
    Token::Start { name, attrs, closed }
}

/// The value of an attribute.
pub(super) fn attr<'a>(attrs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    attrs.iter().find(|(k, _)| k == name).map(|(_, v)| v.as_str())
}

fn keeps_attr(tag: &str, key: &str, value: &str) -> bool {
    match (tag, key) {
        ("a", "href") => {
            let v = value.trim().to_ascii_lowercase();
            ["http:", "https:", "mailto:", "tel:"].iter().any(|s| v.starts_with(s))
        }
        ("img", "src") => !value.trim().to_ascii_lowercase().starts_with("javascript:"),
        ("img", "alt" | "width" | "height" | "itemtype")
        | ("at" | "attachment" | "emoji" | "customemoji", "id")
        | ("emoji" | "customemoji", "alt" | "title" | "source")
        | ("codeblock", "class")
        | ("quoted", "messageid") => true,
        _ => false,
    }
}

/// What the service stores of HTML: known tags, known attributes, every tag closed. `client` is true for
/// Teams' own clients, which may also write the private tags (emoji).
pub(super) fn sanitise(html: &str, client: bool) -> String {
    let mut out = String::with_capacity(html.len());
    let mut open: Vec<String> = Vec::new();
    let mut skipping: Option<String> = None;
    for token in tokens(html) {
        if let Some(name) = &skipping {
            if matches!(&token, Token::End(n) if n == name) {
                skipping = None;
            }
            continue;
        }
        match token {
            Token::Text(t) => out.push_str(&escape(&t)),
            Token::Start { name, attrs, closed } => {
                if DROPPED_WHOLE.contains(&name.as_str()) {
                    skipping = (!closed).then_some(name);
                    continue;
                }
                let private = client && PRIVATE.contains(&name.as_str());
                if !private && !KEPT.contains(&name.as_str()) {
                    continue;
                }
                let _ = write!(out, "<{name}");
                for (k, v) in attrs.iter().filter(|(k, v)| keeps_attr(&name, k, v)) {
                    let _ = write!(
                        out,
                        " {}=\"{}\"",
                        if k == "messageid" { "messageId" } else { k },
                        escape_attr(v)
                    );
                }
                out.push('>');
                if VOID.contains(&name.as_str()) {
                } else if closed {
                    let _ = write!(out, "</{name}>");
                } else {
                    open.push(name);
                }
            }
            Token::End(name) => {
                if let Some(at) = open.iter().rposition(|n| *n == name) {
                    for n in open.split_off(at).into_iter().rev() {
                        let _ = write!(out, "</{n}>");
                    }
                }
            }
        }
    }
    for n in open.into_iter().rev() {
        let _ = write!(out, "</{n}>");
    }
    out
}

/// Wraps content that has no block element at its top into a paragraph.
pub(super) fn paragraph(html: &str) -> String {
    let blocks = tokens(html).iter().any(
        |t| matches!(t, Token::Start { name, .. } if BLOCK.contains(&name.as_str()) || name == "attachment"),
    );
    if blocks { html.to_owned() } else { format!("<p>{html}</p>") }
}

/// The plain `text` of an activity: tags gone, mentions as `<at>Name</at>`, emoji as their character.
pub(super) fn activity_text(html: &str) -> String {
    let mut out = String::new();
    for token in tokens(html) {
        match token {
            Token::Text(t) => out.push_str(&t.replace('\u{a0}', " ")),
            Token::Start { name, attrs, .. } => match name.as_str() {
                "at" => out.push_str("<at>"),
                "emoji" | "customemoji" => out.push_str(attr(&attrs, "alt").unwrap_or("")),
                "img" if attr(&attrs, "itemtype").is_some_and(|t| t.ends_with("/Emoji")) => {
                    out.push_str(attr(&attrs, "alt").unwrap_or(""));
                }
                "br" => out.push('\n'),
                n if BLOCK.contains(&n) && !out.is_empty() && !out.ends_with('\n') => out.push('\n'),
                _ => {}
            },
            Token::End(name) if name == "at" => out.push_str("</at>"),
            Token::End(_) => {}
        }
    }
    out.trim().to_owned()
}

/// The rich body of an activity: mentions as Skype spans in the order of the entities.
pub(super) fn activity_html(html: &str) -> String {
    let mut out = String::new();
    for token in tokens(html) {
        match token {
            Token::Text(t) => out.push_str(&escape(&t)),
            Token::Start { name, attrs, .. } if name == "at" => {
                let _ = write!(
                    out,
                    "<span itemtype=\"http://schema.skype.com/Mention\" itemscope=\"\" itemid=\"{}\">",
                    attr(&attrs, "id").unwrap_or("0")
                );
            }
            Token::Start { name, attrs, .. } => {
                let _ = write!(out, "<{name}");
                for (k, v) in &attrs {
                    let _ = write!(out, " {k}=\"{}\"", escape_attr(v));
                }
                out.push('>');
            }
            Token::End(name) if name == "at" => out.push_str("</span>"),
            Token::End(name) => {
                let _ = write!(out, "</{name}>");
            }
        }
    }
    out
}

/// Bot text in `plain` format.
pub(super) fn from_plain(text: &str) -> String {
    with_mentions(text, |t| escape(t).replace('\n', "<br>"))
}

/// Bot text in `xml` format.
pub(super) fn from_xml(text: &str) -> String {
    sanitise(text, false)
}

/// Keeps `<at>…</at>` while the rest of the text is converted.
fn with_mentions(text: &str, convert: impl Fn(&str) -> String) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("<at>") {
        let Some(end) = rest[start..].find("</at>") else { break };
        out.push_str(&convert(&rest[..start]));
        let _ = write!(out, "<at>{}</at>", escape(&rest[start + 4..start + end]));
        rest = &rest[start + end + 5..];
    }
    out.push_str(&convert(rest));
    out
}

/// Bot text in Teams' Markdown: bold, italic, strike, code, links, lists, quotes, headings, fenced code. One
/// newline is a space, two make a paragraph, HTML passes through the sanitiser.
pub(super) fn from_markdown(text: &str) -> String {
    let mut out = String::new();
    let mut paragraph: Vec<&str> = Vec::new();
    let mut list: Option<(&str, Vec<String>)> = None;
    let mut lines = text.lines().peekable();
    let flush = |out: &mut String, paragraph: &mut Vec<&str>| {
        if !paragraph.is_empty() {
            let _ = write!(out, "<p>{}</p>", inline(&paragraph.join(" ")));
            paragraph.clear();
        }
    };
    let flush_list = |out: &mut String, list: &mut Option<(&str, Vec<String>)>| {
        if let Some((tag, items)) = list.take() {
            let _ = write!(out, "<{tag}>");
            for i in items {
                let _ = write!(out, "<li>{i}</li>");
            }
            let _ = write!(out, "</{tag}>");
        }
    };
    while let Some(line) = lines.next() {
        let trimmed = line.trim();
        let item = list_item(trimmed);
        if item.is_none() {
            flush_list(&mut out, &mut list);
        }
        if trimmed.starts_with("```") {
            flush(&mut out, &mut paragraph);
            let code: Vec<_> =
                lines.by_ref().take_while(|l| !l.trim().starts_with("```")).map(escape).collect();
            let _ = write!(out, "<pre>{}</pre>", code.join("<br>"));
        } else if trimmed.is_empty() {
            flush(&mut out, &mut paragraph);
        } else if let Some((tag, content)) = item {
            flush(&mut out, &mut paragraph);
            if list.as_ref().is_some_and(|(t, _)| *t != tag) {
                flush_list(&mut out, &mut list);
            }
            list.get_or_insert_with(|| (tag, Vec::new())).1.push(inline(content));
        } else if let Some(quote) = trimmed.strip_prefix('>') {
            flush(&mut out, &mut paragraph);
            let mut quoted = vec![quote.trim()];
            while let Some(next) = lines.peek().and_then(|l| l.trim().strip_prefix('>')) {
                quoted.push(next.trim());
                lines.next();
            }
            let _ = write!(out, "<blockquote>{}</blockquote>", inline(&quoted.join(" ")));
        } else if let Some((level, heading)) = heading(trimmed) {
            flush(&mut out, &mut paragraph);
            let _ = write!(out, "<h{level}>{}</h{level}>", inline(heading));
        } else {
            paragraph.push(trimmed);
        }
    }
    flush_list(&mut out, &mut list);
    flush(&mut out, &mut paragraph);
    sanitise(&out, false)
}

fn heading(line: &str) -> Option<(usize, &str)> {
    let level = line.bytes().take_while(|b| *b == b'#').count();
    (1..=6)
        .contains(&level)
        .then(|| line[level..].strip_prefix(' '))
        .flatten()
        .map(|t| (level.min(3), t.trim()))
}

fn list_item(line: &str) -> Option<(&'static str, &str)> {
    if let Some(rest) = ["- ", "* ", "+ "].iter().find_map(|m| line.strip_prefix(m)) {
        return Some(("ul", rest));
    }
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    (digits > 0).then(|| line[digits..].strip_prefix(". ")).flatten().map(|r| ("ol", r))
}

/// Inline Markdown; HTML in it is left for the sanitiser.
fn inline(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some(escaped) = rest.strip_prefix('\\')
            && let Some(p) = escaped.chars().next().filter(char::is_ascii_punctuation)
        {
            out.push_str(&escape(&p.to_string()));
            rest = &escaped[p.len_utf8()..];
            continue;
        }
        let span = [("**", "b"), ("__", "b"), ("~~", "s"), ("`", "code"), ("*", "i"), ("_", "i")]
            .into_iter()
            .find_map(|(mark, tag)| {
                let body = rest.strip_prefix(mark)?;
                let inner_word =
                    mark.starts_with('_') && out.chars().last().is_some_and(char::is_alphanumeric);
                let n = body.find(mark).filter(|n| *n > 0 && !inner_word && !body.starts_with(' '))?;
                Some((tag, &body[..n], &body[n + mark.len()..]))
            });
        if let Some((tag, body, after)) = span {
            let body = if tag == "code" { escape(body) } else { inline(body) };
            let _ = write!(out, "<{tag}>{body}</{tag}>");
            rest = after;
        } else if let Some((label, url, after)) = link(rest) {
            let _ = write!(out, "<a href=\"{}\">{}</a>", escape_attr(url), inline(label));
            rest = after;
        } else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    out
}

fn link(text: &str) -> Option<(&str, &str, &str)> {
    let body = text.strip_prefix('[')?;
    let close = body.find("](")?;
    let end = body[close + 2..].find(')')?;
    Some((&body[..close], &body[close + 2..close + 2 + end], &body[close + 3 + end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sanitiser_keeps_known_tags_and_closes_them() {
        assert_eq!(
            sanitise("<p onclick=x>a <b>b<script>alert(1)</script> <font>c</font>", false),
            "<p>a <b>b c</b></p>"
        );
        assert_eq!(sanitise("<a href='javascript:x' title=y>l</a>", false), "<a>l</a>");
        assert_eq!(
            sanitise("<img src=\"https://x.example/i.png\" style=\"w\" width=3>", false),
            "<img src=\"https://x.example/i.png\" width=\"3\">"
        );
        assert_eq!(sanitise("<emoji alt=\"👀\"></emoji>x", false), "x");
        assert_eq!(sanitise("<emoji alt=\"👀\"></emoji>", true), "<emoji alt=\"👀\"></emoji>");
        assert_eq!(sanitise("a < b &amp; c &copy; <!-- x --> d", false), "a &lt; b &amp; c &amp;copy;  d");
    }

    #[test]
    fn activity_forms_follow_the_recordings() {
        let html = "<p><at id=\"0\">Dragoman</at>&nbsp;Hey</p>";
        assert_eq!(activity_text(html), "<at>Dragoman</at> Hey");
        assert_eq!(
            activity_html(html),
            "<p><span itemtype=\"http://schema.skype.com/Mention\" itemscope=\"\" itemid=\"0\">Dragoman</span>&nbsp;Hey</p>"
        );
        assert_eq!(activity_text("<p>a</p><p>b<br>c</p>"), "a\nb\nc");
        assert_eq!(activity_text("hi <emoji alt=\"👀\"></emoji>"), "hi 👀");
    }

    #[test]
    fn bot_text_formats() {
        assert_eq!(from_plain("a <b>\nc <at>Dana</at>"), "a &lt;b&gt;<br>c <at>Dana</at>");
        assert_eq!(from_xml("<b>Ana (Slack)</b><br/>1 &lt; 2"), "<b>Ana (Slack)</b><br>1 &lt; 2");
        assert_eq!(
            from_markdown("**b** _i_ ~~s~~ `c<d` [l](https://x.example)\nsame\n\nnext snake_case_word"),
            "<p><b>b</b> <i>i</i> <s>s</s> <code>c&lt;d</code> <a href=\"https://x.example\">l</a> same</p>\
             <p>next snake_case_word</p>"
        );
        assert_eq!(from_markdown("- a\n- b\n> q"), "<ul><li>a</li><li>b</li></ul><blockquote>q</blockquote>");
        assert_eq!(from_markdown("\\*no\\* <script>x</script>"), "<p>*no* </p>");
    }
}
