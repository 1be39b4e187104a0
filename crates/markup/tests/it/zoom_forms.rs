//! The forms of Zoom, one by one.

use dragoman_markup::zoom::{End, Format, Offsets, Unit, ZoomInput, ZoomMention, ZoomRange, parse, render};
use dragoman_markup::{Budget, degrade};
use dragoman_model::{Block, Document, Inline, ListItem, Mention};

fn range(start: i64, end: i64, format: Format) -> ZoomRange {
    ZoomRange { start, end, format }
}

fn read(message: &str, rich_text: &[ZoomRange], at_items: &[ZoomMention], offsets: Offsets) -> Vec<Block> {
    parse(ZoomInput { message, rich_text, at_items, offsets }, Budget::default()).blocks
}

fn text(text: &str) -> Inline {
    Inline::Text(text.into())
}

fn bold(inner: &str) -> Inline {
    Inline::Strong(vec![text(inner)])
}

#[test]
fn an_end_is_read_either_way() {
    let expected = vec![Block::Paragraph(vec![text("so "), bold("this"), text(" is")])];
    for end in [6, 7] {
        assert_eq!(read("so this is", &[range(3, end, Format::Bold)], &[], Offsets::READING), expected);
    }
    let exact = Offsets { unit: Unit::Utf16, end: End::Inclusive };
    assert_eq!(read("so this is", &[range(3, 6, Format::Bold)], &[], exact), expected);
    let exact = Offsets { unit: Unit::Utf16, end: End::Exclusive };
    assert_eq!(read("so this is", &[range(3, 7, Format::Bold)], &[], exact), expected);
}

#[test]
fn positions_count_either_unit() {
    let message = "\u{1f44d}\u{1f3fd} na\u{ef}ve ok";
    let expected = vec![Block::Paragraph(vec![text("\u{1f44d}\u{1f3fd} na\u{ef}ve "), bold("ok")])];
    let utf16 = Offsets { unit: Unit::Utf16, end: End::Inclusive };
    assert_eq!(read(message, &[range(11, 12, Format::Bold)], &[], utf16), expected);
    let chars = Offsets { unit: Unit::Chars, end: End::Inclusive };
    assert_eq!(read(message, &[range(9, 10, Format::Bold)], &[], chars), expected);
    // Half a pair is the whole character.
    let whole = vec![Block::Paragraph(vec![bold("\u{1f44d}"), text("\u{1f3fd} na\u{ef}ve ok")])];
    assert_eq!(read(message, &[range(1, 1, Format::Bold)], &[], utf16), whole);
}

#[test]
fn a_mention_is_its_name() {
    let mention =
        |end, name: &str| ZoomMention { start: 0, end, person: Some("p1".into()), name: name.into() };
    let person = |name: &str| Inline::Mention(Mention::Person { id: "p1".into(), name: name.into() });
    let expected = vec![Block::Paragraph(vec![person("Jo Chill"), text(", hi")])];
    for end in [8, 9] {
        assert_eq!(read("@Jo Chill, hi", &[], &[mention(end, "")], Offsets::READING), expected);
    }
    // A name that ends in a sign is known only by itself.
    let expected = vec![Block::Paragraph(vec![person("Jo C."), text(" hi")])];
    assert_eq!(read("@Jo C. hi", &[], &[mention(5, "Jo C.")], Offsets::READING), expected);
    let all = ZoomMention { start: 0, end: 3, person: None, name: String::new() };
    let expected = vec![Block::Paragraph(vec![Inline::Mention(Mention::Everyone), text(" stand-up")])];
    assert_eq!(read("@all stand-up", &[], &[all], Offsets::READING), expected);
}

#[test]
fn lines_have_one_kind() {
    let message = "head\none\ntwo\nsaid\nmore\nrest";
    let ranges =
        [range(0, 3, Format::Paragraph(2)), range(6, 10, Format::BulletedList), range(13, 21, Format::Quote)];
    let item = |words: &str| ListItem { blocks: vec![Block::Paragraph(vec![text(words)])] };
    let expected = vec![
        Block::Heading { level: 2, text: vec![text("head")] },
        Block::List { start: None, items: vec![item("one"), item("two")] },
        Block::Quote(vec![Block::Paragraph(vec![text("said"), Inline::Break, text("more")])]),
        Block::Paragraph(vec![text("rest")]),
    ];
    assert_eq!(read(message, &ranges, &[], Offsets::READING), expected);
    let sent = render(&Document { blocks: expected }, Offsets::SENDING);
    assert_eq!(sent.message, message);
    assert_eq!(
        sent.rich_text,
        [range(0, 3, Format::Paragraph(2)), range(5, 11, Format::BulletedList), range(13, 21, Format::Quote),]
    );
}

#[test]
fn ranges_go_out_with_their_last_position() {
    let person = Mention::Person { id: "bo@example.com".into(), name: "Bo B".into() };
    let link = Inline::Link { url: "https://a.example/".into(), text: vec![text("here")] };
    let inlines = vec![bold("Ana (Slack):"), text(" "), Inline::Mention(person), text(" look "), link];
    let document = Document { blocks: vec![Block::Paragraph(inlines)] };
    let sent = render(&document, Offsets::SENDING);
    assert_eq!(sent.message, "Ana (Slack): @Bo B look here");
    let link = Format::AddLink("https://a.example/".into());
    assert_eq!(sent.rich_text, [range(0, 11, Format::Bold), range(24, 27, link)]);
    let [mention] = sent.at_items.as_slice() else { panic!("not one mention") };
    assert_eq!((mention.start, mention.end, mention.person.as_deref()), (13, 17, Some("bo@example.com")));
    assert_eq!(Format::Bold.wire(), ("Bold", ""));
}

#[test]
fn what_zoom_has_no_form_for_is_written() {
    let words = |words: &str| Block::Paragraph(vec![text(words)]);
    let item = |blocks| ListItem { blocks };
    let inner = Block::List { start: None, items: vec![item(vec![words("b")])] };
    let blocks = vec![
        Block::List { start: Some(4), items: vec![item(vec![words("a"), inner]), item(vec![words("c")])] },
        Block::Code { language: Some("rust".into()), text: "let x;".into() },
        Block::Paragraph(vec![Inline::Code("y".into())]),
        Block::Table { header: true, rows: vec![vec![vec![text("h")], vec![text("i")]]] },
        Block::Rule,
        Block::Paragraph(vec![Inline::Link { url: "tel:+15550100".into(), text: vec![text("call")] }]),
    ];
    let sent = render(&Document { blocks }, Offsets::SENDING);
    let expected = "4. a\n    \u{2022} b\n5. c\n\n```\nlet x;\n```\n\n`y`\n\nh | i\n\n\u{2014}\u{2014}\u{2014}\n\ncall (+15550100)";
    assert_eq!(sent.message, expected);
    assert!(sent.rich_text.iter().all(|range| range.format == Format::Bold));
}

#[test]
fn a_quote_keeps_links_and_italics() {
    let link = Inline::Link { url: "https://a.example/".into(), text: vec![bold("l")] };
    let inner = vec![bold("b"), Inline::Emphasis(vec![text("i")]), link];
    let document = Document { blocks: vec![Block::Quote(vec![Block::Paragraph(inner)])] };
    let kept = vec![
        text("b"),
        Inline::Emphasis(vec![text("i")]),
        Inline::Link { url: "https://a.example/".into(), text: vec![text("l")] },
    ];
    let expected = vec![Block::Quote(vec![Block::Paragraph(kept)])];
    assert_eq!(degrade::zoom(document).blocks, expected);
}

#[test]
fn formats_that_say_nothing_are_left_out() {
    for kind in ["FontSize", "FontColor", "BackgroundColor", "LeftIndent", "Blink", ""] {
        assert!(Format::read(kind, "x").is_none(), "{kind}");
    }
    assert!(Format::read("Paragraph", "h9").is_none());
    let link = Format::AddLink("javascript:alert(1)".into());
    assert_eq!(read("x", &[range(0, 0, link)], &[], Offsets::READING), Document::plain("x").blocks);
}
