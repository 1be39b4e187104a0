//! From markdown to the HTML and plain text that the service keeps, with mentions.

use std::fmt::Write as _;

use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use crate::core::page::escape_html;

/// Opens and closes the place of a mention while markdown is read.
const OPEN: char = '\u{e000}';
const CLOSE: char = '\u{e001}';

/// What a message's text became.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rendered {
    /// HTML.
    pub html: String,
    /// Plain text: blocks joined by a space, no marks.
    pub text: String,
    /// UUIDs of the people mentioned.
    pub mentioned: Vec<String>,
    /// Everybody is mentioned.
    pub all: bool,
    /// Something beyond paragraphs and line breaks is in it.
    pub rich: bool,
}

/// A person that a mention may be about.
#[derive(Debug, Clone)]
pub struct Mentioned {
    /// UUID.
    pub uuid: String,
    /// What `data-object-id` says.
    pub object_id: String,
    /// Name shown unless the mention brings its own.
    pub name: String,
}

/// How markdown is read.
#[derive(Debug, Clone, Copy)]
pub struct Reading {
    /// A single newline is a line break.
    pub newline_breaks: bool,
    /// `~~` strikes through.
    pub strikethrough: bool,
}

struct Spot {
    html: String,
    text: String,
}

/// Renders markdown. `find` looks a person up by `personEmail` or `personId` and what follows the colon.
pub fn render(markdown: &str, reading: Reading, find: &dyn Fn(&str, &str) -> Option<Mentioned>) -> Rendered {
    let mut rendered = Rendered::default();
    let (prepared, spots) = mentions(markdown, find, &mut rendered);
    let mut options = Options::empty();
    options.set(Options::ENABLE_STRIKETHROUGH, reading.strikethrough);
    let mut writer = Writer { reading, html: String::new(), text: String::new(), rich: false, image: 0 };
    for event in Parser::new_ext(&prepared, options) {
        writer.event(event);
    }
    rendered.rich = writer.rich || !spots.is_empty();
    rendered.html = fill(&writer.html, &spots, |spot| &spot.html);
    rendered.text = fill(writer.text.trim(), &spots, |spot| &spot.text);
    rendered
}

/// Takes the mention patterns out. They are looked for before anything else, in code as well.
fn mentions(
    markdown: &str,
    find: &dyn Fn(&str, &str) -> Option<Mentioned>,
    rendered: &mut Rendered,
) -> (String, Vec<Spot>) {
    let mut out = String::with_capacity(markdown.len());
    let mut spots = Vec::new();
    let mut rest = markdown;
    while let Some(at) = rest.find("<@") {
        out.push_str(&rest[..at]);
        let after = &rest[at + 2..];
        let Some(end) = after.find('>') else {
            out.push_str("<@");
            rest = after;
            continue;
        };
        let inner = &after[..end];
        let (target, label) = inner.split_once('|').map_or((inner, None), |(to, label)| (to, Some(label)));
        let spot = if target.eq_ignore_ascii_case("all") {
            rendered.all = true;
            Some(Spot {
                html: "<spark-mention data-object-type=\"groupMention\" data-group-type=\"all\">All</spark-mention>"
                    .to_owned(),
                text: label.unwrap_or("All").to_owned(),
            })
        } else {
            target.split_once(':').filter(|(key, _)| matches!(*key, "personEmail" | "personId")).map(
                |(key, value)| {
                    let Some(person) = find(key, value) else {
                        // Whoever is not known stays a name.
                        let shown = label.unwrap_or(value);
                        return Spot { html: escape_html(shown), text: shown.to_owned() };
                    };
                    let shown = label.unwrap_or(&person.name);
                    if !rendered.mentioned.contains(&person.uuid) {
                        rendered.mentioned.push(person.uuid.clone());
                    }
                    Spot {
                        html: format!(
                            "<spark-mention data-object-type=\"person\" data-object-id=\"{}\">{}</spark-mention>",
                            person.object_id,
                            escape_html(shown)
                        ),
                        text: shown.to_owned(),
                    }
                },
            )
        };
        if let Some(spot) = spot {
            let _written = write!(out, "{OPEN}{}{CLOSE}", spots.len());
            spots.push(spot);
            rest = &after[end + 1..];
        } else {
            out.push_str("<@");
            rest = after;
        }
    }
    out.push_str(rest);
    (out, spots)
}

fn fill(text: &str, spots: &[Spot], part: impl Fn(&Spot) -> &String) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(OPEN) {
        out.push_str(&rest[..at]);
        let after = &rest[at + OPEN.len_utf8()..];
        let Some(end) = after.find(CLOSE) else { break };
        if let Some(spot) = after[..end].parse::<usize>().ok().and_then(|index| spots.get(index)) {
            out.push_str(part(spot));
        }
        rest = &after[end + CLOSE.len_utf8()..];
    }
    out.push_str(rest);
    out
}

struct Writer {
    reading: Reading,
    html: String,
    text: String,
    rich: bool,
    image: u32,
}

impl Writer {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) if self.image == 0 => {
                self.html.push_str(&escape_text(&text));
                self.text.push_str(&text);
            }
            Event::Code(text) => {
                self.rich = true;
                let _written = write!(self.html, "<code>{}</code>", escape_text(&text));
                self.text.push_str(&text);
            }
            Event::SoftBreak if self.reading.newline_breaks => self.line(),
            Event::SoftBreak => {
                self.html.push('\n');
                self.space();
            }
            Event::HardBreak => self.line(),
            Event::Rule => {
                self.rich = true;
                self.html.push_str("<hr>");
                self.space();
            }
            Event::Html(raw) | Event::InlineHtml(raw) => self.raw(&raw),
            _ => {}
        }
    }

    fn line(&mut self) {
        self.html.push_str("<br>");
        self.space();
    }

    fn space(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with([' ', '\n']) {
            self.text.push(' ');
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        let text = match tag {
            Tag::Paragraph => "<p>".to_owned(),
            Tag::Heading { level, .. } => format!("<h{}>", depth(level)),
            Tag::BlockQuote(_) => "<blockquote>".to_owned(),
            Tag::CodeBlock(kind) => match kind {
                CodeBlockKind::Fenced(language) if !language.is_empty() => {
                    format!("<pre><code class=\"language-{}\">", escape_html(&language))
                }
                _ => "<pre><code>".to_owned(),
            },
            Tag::List(Some(1)) => "<ol>".to_owned(),
            Tag::List(Some(first)) => format!("<ol start=\"{first}\">"),
            Tag::List(None) => "<ul>".to_owned(),
            Tag::Item => "<li>".to_owned(),
            Tag::Emphasis => "<em>".to_owned(),
            Tag::Strong => "<strong>".to_owned(),
            Tag::Strikethrough => "<del>".to_owned(),
            Tag::Link { dest_url, .. } => {
                format!("<a href=\"{}\" rel=\"nofollow\">", escape_html(&dest_url))
            }
            Tag::Image { .. } => {
                self.image += 1;
                return;
            }
            _ => return,
        };
        if text != "<p>" {
            self.rich = true;
        }
        if !matches!(text.as_str(), "<em>" | "<strong>" | "<del>") && !text.starts_with("<a ") {
            self.space();
        }
        self.html.push_str(&text);
    }

    fn end(&mut self, tag: TagEnd) {
        let text = match tag {
            TagEnd::Paragraph => "</p>",
            TagEnd::Heading(level) => {
                let _written = write!(self.html, "</h{}>", depth(level));
                ""
            }
            TagEnd::BlockQuote(_) => "</blockquote>",
            TagEnd::CodeBlock => "</code></pre>",
            TagEnd::List(true) => "</ol>",
            TagEnd::List(false) => "</ul>",
            TagEnd::Item => "</li>",
            TagEnd::Emphasis => "</em>",
            TagEnd::Strong => "</strong>",
            TagEnd::Strikethrough => "</del>",
            TagEnd::Link => "</a>",
            TagEnd::Image => {
                self.image = self.image.saturating_sub(1);
                return;
            }
            _ => return,
        };
        self.html.push_str(text);
        if !matches!(tag, TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough | TagEnd::Link) {
            self.space();
        }
    }

    /// HTML in markdown is interpreted: known tags stay, of others only the content does.
    fn raw(&mut self, raw: &str) {
        self.rich = true;
        let mut rest = raw;
        while let Some(at) = rest.find('<') {
            self.html.push_str(&rest[..at]);
            self.text.push_str(&rest[..at]);
            let Some(end) = rest[at..].find('>') else { break };
            let tag = &rest[at..=at + end];
            let name: String = tag
                .trim_start_matches(['<', '/'])
                .chars()
                .take_while(char::is_ascii_alphanumeric)
                .collect::<String>()
                .to_ascii_lowercase();
            if KEPT_TAGS.contains(&name.as_str()) {
                self.html.push_str(tag);
            }
            rest = &rest[at + end + 1..];
        }
        self.html.push_str(rest.trim_end_matches('\n'));
        self.text.push_str(rest.trim_end_matches('\n'));
    }
}

const KEPT_TAGS: [&str; 26] = [
    "p",
    "br",
    "strong",
    "b",
    "em",
    "i",
    "u",
    "s",
    "del",
    "strike",
    "code",
    "pre",
    "blockquote",
    "ul",
    "ol",
    "li",
    "a",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "div",
    "span",
];

/// Between tags, quotes stay as they are.
fn escape_text(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn depth(level: HeadingLevel) -> u8 {
    match level {
        HeadingLevel::H1 => 1,
        HeadingLevel::H2 => 2,
        HeadingLevel::H3 => 3,
        HeadingLevel::H4 => 4,
        HeadingLevel::H5 => 5,
        HeadingLevel::H6 => 6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const READING: Reading = Reading { newline_breaks: true, strikethrough: false };

    fn plain(markdown: &str) -> Rendered {
        render(markdown, READING, &|key, value| {
            (key == "personEmail" && value == "gita@larkfield.example").then(|| Mentioned {
                uuid: "u-1".to_owned(),
                object_id: "ID".to_owned(),
                name: "Gita Rao".to_owned(),
            })
        })
    }

    #[test]
    fn blocks_become_paragraphs_and_text_joins_them_by_spaces() {
        let both = plain("**News**\n\nfirst line\nsecond <3 line");
        assert_eq!(both.html, "<p><strong>News</strong></p><p>first line<br>second &lt;3 line</p>");
        assert_eq!(both.text, "News first line second <3 line");
        let list = plain("3. a\n4. b\n\n> said\n\n`x<y` [t](https://a.example/?b=1&c=2)");
        assert_eq!(
            list.html,
            "<ol start=\"3\"><li>a</li><li>b</li></ol><blockquote><p>said</p></blockquote><p><code>x&lt;y</code> \
             <a href=\"https://a.example/?b=1&amp;c=2\" rel=\"nofollow\">t</a></p>"
        );
        assert_eq!(list.text, "a b said x<y t");
    }

    #[test]
    fn mentions_work_even_in_code_and_unknown_people_stay_names() {
        let rendered = plain("hi <@personEmail:gita@larkfield.example|G> and `<@ALL>`");
        assert_eq!(rendered.mentioned, ["u-1"]);
        assert!(rendered.all);
        assert_eq!(
            rendered.html,
            "<p>hi <spark-mention data-object-type=\"person\" data-object-id=\"ID\">G</spark-mention> and <code>\
             <spark-mention data-object-type=\"groupMention\" data-group-type=\"all\">All</spark-mention></code></p>"
        );
        assert_eq!(rendered.text, "hi G and All");
        let nobody = plain("<@personEmail:who@else.example|Who> <@personId:??>");
        assert_eq!(nobody.html, "<p>Who ??</p>");
        assert!(nobody.mentioned.is_empty());
    }

    #[test]
    fn raw_html_is_interpreted_and_images_and_tables_are_not_shown_as_such() {
        assert_eq!(
            plain("<blockquote class=\"danger\">stop</blockquote>").html,
            "<blockquote class=\"danger\">stop</blockquote>"
        );
        assert_eq!(plain("a <u>b</u> <script>c</script>").html, "<p>a <u>b</u> c</p>");
        assert_eq!(plain("see ![alt](https://a.example/x.png)").html, "<p>see </p>");
        assert_eq!(plain("|a|b|\n|-|-|\n|1|2|").html, "<p>|a|b|<br>|-|-|<br>|1|2|</p>");
        assert_eq!(plain("~~no~~").html, "<p>~~no~~</p>");
        let struck = render("~~no~~", Reading { strikethrough: true, ..READING }, &|_, _| None);
        assert_eq!(struck.html, "<p><del>no</del></p>");
        assert!(!plain("just words").rich);
    }
}
