//! The forms of Webex, one by one.

use dragoman_markup::webex::{WebexInput, parse, render};
use dragoman_markup::{Budget, degrade, plain};
use dragoman_model::{Block, Document, Inline, ListItem, Mention};

use crate::webex_zoom::through_webex;

fn read(html: &str) -> Document {
    parse(WebexInput { html: Some(html), text: "" }, Budget::default())
}

fn paragraph(inlines: Vec<Inline>) -> Block {
    Block::Paragraph(inlines)
}

fn text(text: &str) -> Inline {
    Inline::Text(text.into())
}

fn markdown(blocks: Vec<Block>) -> String {
    render(&Document { blocks }).markdown
}

#[test]
fn paragraphs_stand_apart_and_lines_do_not() {
    let expected = vec![paragraph(vec![text("a"), Inline::Break, text("b")]), paragraph(vec![text("c")])];
    assert_eq!(read("<p>a<br>b</p><p>c</p>").blocks, expected);
    assert_eq!(read("a<br/>b<br><br>c").blocks, expected);
    let typed = parse(WebexInput { html: None, text: "a\nb\n\n\nc" }, Budget::default());
    assert_eq!(typed.blocks, expected);
    assert_eq!(markdown(expected), "a  \nb\n\nc");
}

#[test]
fn html_goes_before_text() {
    let both = WebexInput { html: Some("<p><strong>a</strong></p><p>b</p>"), text: "a b" };
    assert_eq!(plain(&parse(both, Budget::default())), "a\nb");
    let empty = WebexInput { html: Some(" "), text: "a <b>" };
    assert_eq!(parse(empty, Budget::default()), Document::plain("a <b>"));
}

#[test]
fn mentions_by_id_by_uuid_and_of_all() {
    let html = "<p><spark-mention data-object-id=\"Y2lz\" data-object-type=\"person\">Ana S</spark-mention>, \
        <webex-mention data-object-type='person' data-object-id='3cdd4059-9258-477d-b494-c133ac2cfad5'>Bo</webex-mention> \
        <spark-mention data-object-type=\"groupMention\" data-group-type=\"all\">All</spark-mention></p>";
    let person = |id: &str, name: &str| Inline::Mention(Mention::Person { id: id.into(), name: name.into() });
    let document = read(html);
    let expected = vec![
        person("Y2lz", "Ana S"),
        text(", "),
        person("3cdd4059-9258-477d-b494-c133ac2cfad5", "Bo"),
        text(" "),
        Inline::Mention(Mention::Everyone),
    ];
    assert_eq!(document.blocks, vec![paragraph(expected)]);
    assert_eq!(
        render(&document).markdown,
        "<@personId:Y2lz|Ana S>, <@personId:3cdd4059-9258-477d-b494-c133ac2cfad5|Bo> <@all>"
    );
    assert_eq!(render(&document).text, "@Ana S, @Bo @everyone");
}

#[test]
fn what_is_no_mention_is_its_text() {
    for html in [
        "<p><spark-mention>Ana</spark-mention></p>",
        "<p><spark-mention data-object-type=\"person\">Ana</spark-mention></p>",
        "<p><spark-mention data-object-type=\"groupMention\" data-group-type=\"moderators\">Ana</spark-mention></p>",
        "<p><at id=\"0\">Ana</at></p>",
    ] {
        assert_eq!(read(html), Document::plain("Ana"), "{html}");
    }
    let code = read(
        "<pre><code class=\"language-rust\">\n<spark-mention data-object-type=\"person\" data-object-id=\"x\">Ana</spark-mention>\n</code></pre>",
    );
    assert_eq!(code.blocks, vec![Block::Code { language: Some("rust".into()), text: "\nAna".into() }]);
}

#[test]
fn styles_hold_beside_any_sign() {
    let bold = |inner: &str| Inline::Strong(vec![text(inner)]);
    let cases = [
        (vec![bold("Ana (Slack):"), text(" hello")], "**Ana (Slack):** hello"),
        (vec![text("a"), bold("b."), text("c")], "a**b.\u{200b}**c"),
        (vec![text("a"), bold(" b "), text("c")], "a**\u{200b} b \u{200b}**c"),
        (vec![bold("a"), Inline::Emphasis(vec![text("b")])], "**a**\u{200b}*b*"),
        (vec![text("n"), bold("\u{1f130}"), text("n")], "n**\u{200b}\u{1f130}\u{200b}**n"),
    ];
    for (inlines, expected) in cases {
        let document = Document { blocks: vec![paragraph(inlines)] };
        assert_eq!(render(&document).markdown, expected);
        assert_eq!(through_webex(&document), document, "{expected}");
    }
}

/// `[label]: url` at the start of a paragraph defines a link and shows nothing, also where `]:` is inside code.
#[test]
fn a_link_is_no_definition() {
    let link = |inlines| Inline::Link { url: "https://a.example/".into(), text: inlines };
    let code = |code: &str| Inline::Code(code.into());
    let cases = [
        (vec![link(vec![code("]:")])], "\u{200b}[`]:`](https://a.example/)"),
        (vec![link(vec![text("a "), code("b]:c")])], "\u{200b}[a `b]:c`](https://a.example/)"),
        (vec![link(vec![text("a]: b")])], "[a\\]: b](https://a.example/)"),
        (vec![text("see "), link(vec![code("]:")])], "see [`]:`](https://a.example/)"),
    ];
    for (inlines, expected) in cases {
        let document = Document { blocks: vec![Block::Quote(vec![paragraph(inlines)])] };
        assert_eq!(render(&document).markdown, format!("> {expected}"));
        assert_eq!(through_webex(&document), document, "{expected}");
    }
}

#[test]
fn blocks_keep_their_form() {
    let item = |blocks| ListItem { blocks };
    let words = |words: &str| paragraph(vec![text(words)]);
    let nested = Block::List { start: Some(3), items: vec![item(vec![words("x")]), item(vec![words("y")])] };
    let bullets =
        Block::List { start: None, items: vec![item(vec![words("a"), nested]), item(vec![words("b")])] };
    let more = Block::List { start: None, items: vec![item(vec![Block::Rule])] };
    let quote = Block::Quote(vec![
        Block::Heading { level: 2, text: vec![text("C#")] },
        Block::Code { language: Some("c".into()), text: "```\n\n<@all>".into() },
    ]);
    let blocks = vec![words("list:"), bullets, more, quote];
    let expected = "list:\n- a\n\n  3. x\n  4. y\n- b\n\n+ ___\n\n> ## C\\#\n>\n> ````c\n> ```\n>\n> <\u{200b}@all>\n> ````";
    assert_eq!(markdown(blocks.clone()), expected);
    assert_eq!(through_webex(&Document { blocks: blocks.clone() }).blocks, blocks);
}

#[test]
fn tables_are_code_and_underlines_go() {
    let cell = |words: &str| vec![text(words)];
    let table =
        Block::Table { header: true, rows: vec![vec![cell("a"), cell("bb")], vec![cell("ccc"), cell("d")]] };
    let code = Block::Code { language: None, text: "a   | bb\nccc | d".into() };
    assert_eq!(degrade::webex(Document { blocks: vec![table] }).blocks, vec![code]);
    let underlined = Document { blocks: vec![paragraph(vec![Inline::Underline(vec![text("u")])])] };
    assert_eq!(degrade::webex(underlined.clone()), Document::plain("u"));
    assert_eq!(read("<p><u>u</u></p>"), underlined);
}
