//! Long texts in parts.

use dragoman_markup::teams::Flavour;
use dragoman_markup::zoom::Offsets;
use dragoman_markup::{slack, split, teams, testing, webex, zoom};
use dragoman_model::{Block, Document, Inline, Mention, TextLimit, TextUnit};
use proptest::prelude::*;

fn limit(max: usize) -> TextLimit {
    TextLimit { max, unit: TextUnit::Chars }
}

fn slack_chars(document: &Document) -> usize {
    TextUnit::Chars.measure(&slack::render(document).text)
}

/// Everything that is shown, without line breaks.
fn shown(document: &Document) -> String {
    fn inlines(list: &[Inline], out: &mut String) {
        for inline in list {
            match inline {
                Inline::Text(text) | Inline::Code(text) => out.push_str(text),
                Inline::Strong(inner)
                | Inline::Emphasis(inner)
                | Inline::Strike(inner)
                | Inline::Underline(inner)
                | Inline::Link { text: inner, .. } => inlines(inner, out),
                Inline::Mention(_) => out.push_str("[mention]"),
                Inline::Emoji(_) => out.push_str("[emoji]"),
                Inline::Date { .. } => out.push_str("[date]"),
                Inline::Break => {}
            }
        }
    }
    fn blocks(list: &[Block], out: &mut String) {
        for block in list {
            match block {
                Block::Paragraph(text) | Block::Heading { text, .. } | Block::Unsupported { text, .. } => {
                    inlines(text, out);
                }
                Block::Quote(inner) => blocks(inner, out),
                Block::List { items, .. } => items.iter().for_each(|item| blocks(&item.blocks, out)),
                Block::Code { text, .. } => out.push_str(&text.replace('\n', "")),
                Block::Table { rows, .. } => rows.iter().flatten().for_each(|cell| inlines(cell, out)),
                Block::Rule => out.push_str("[rule]"),
            }
        }
    }
    let mut out = String::new();
    blocks(&document.blocks, &mut out);
    out
}

fn links(document: &Document) -> usize {
    let mut count = 0;
    document.visit_inlines(&mut |inline| count += usize::from(matches!(inline, Inline::Link { .. })));
    count
}

#[test]
fn short_texts_stay_whole() {
    let document = Document::plain("short");
    assert_eq!(split(&document, limit(100), &slack_chars), vec![document]);
    assert!(split(&Document::default(), limit(100), &slack_chars).is_empty());
}

#[test]
fn cuts_fall_between_blocks_then_lines_then_words() {
    let paragraph = |text: &str| Block::Paragraph(vec![Inline::Text(text.into())]);
    let document = Document { blocks: vec![paragraph(&"a".repeat(30)), paragraph(&"b".repeat(30))] };
    let parts = split(&document, limit(40), &slack_chars);
    assert_eq!(parts.len(), 2);
    assert_eq!(parts[0].blocks, document.blocks[..1]);

    let parts = split(&Document::plain("one two three four"), limit(9), &slack_chars);
    let texts: Vec<String> = parts.iter().map(dragoman_markup::plain).collect();
    assert_eq!(texts, ["one two ", "three ", "four"]);

    let parts = split(&Document::plain("first line\nsecond line"), limit(12), &slack_chars);
    let texts: Vec<String> = parts.iter().map(dragoman_markup::plain).collect();
    assert_eq!(texts, ["first line", "second line"]);
}

#[test]
fn code_is_closed_and_opened_again() {
    let text = (0..40).map(|n| format!("let x{n} = {n};")).collect::<Vec<_>>().join("\n");
    let document =
        Document { blocks: vec![Block::Code { language: Some("rust".into()), text: text.clone() }] };
    let parts = split(&document, limit(200), &slack_chars);
    assert!(parts.len() > 2);
    let mut lines = Vec::new();
    for part in &parts {
        assert!(slack_chars(part) <= 200);
        let [Block::Code { language, text }] = part.blocks.as_slice() else { panic!("not one code block") };
        assert_eq!(language.as_deref(), Some("rust"));
        lines.push(text.clone());
    }
    assert_eq!(lines.join("\n"), text);
}

#[test]
fn numbers_go_on_in_the_next_part() {
    let item = |n: usize| dragoman_model::ListItem {
        blocks: vec![Block::Paragraph(vec![Inline::Text(format!("item number {n}"))])],
    };
    let document =
        Document { blocks: vec![Block::List { start: Some(1), items: (1..=10).map(item).collect() }] };
    let parts = split(&document, limit(60), &slack_chars);
    let mut next = 1;
    for part in &parts {
        let [Block::List { start, items }] = part.blocks.as_slice() else { panic!("not one list") };
        assert_eq!(*start, Some(next));
        next += u32::try_from(items.len()).unwrap();
    }
    assert_eq!(next, 11);
}

#[test]
fn graphemes_and_mentions_stay_whole() {
    let family = "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}";
    let parts = split(&Document::plain(&family.repeat(20)), limit(12), &slack_chars);
    for part in &parts {
        assert_eq!(dragoman_markup::plain(part).replace(family, ""), "");
    }
    let mention = Inline::Mention(Mention::Person { id: "U0123456789ABCDEF".into(), name: String::new() });
    let document = Document { blocks: vec![Block::Paragraph(vec![mention; 10])] };
    let parts = split(&document, limit(50), &slack_chars);
    assert_eq!(parts.iter().map(|part| shown(part).matches("[mention]").count()).sum::<usize>(), 10);
}

#[test]
fn a_link_longer_than_the_limit_becomes_text() {
    let url = format!("https://a.example/{}", "x".repeat(300));
    let link = Inline::Link { url: url.clone(), text: Vec::new() };
    let document = Document { blocks: vec![Block::Paragraph(vec![link])] };
    let parts = split(&document, limit(100), &slack_chars);
    assert!(parts.iter().all(|part| slack_chars(part) <= 100));
    assert_eq!(parts.iter().map(shown).collect::<String>(), url);
}

#[test]
fn webex_counts_bytes_and_zoom_characters() {
    let text = "\u{65e5}\u{672c} **x** ".repeat(2000);
    let document = Document::plain(&text);
    let bytes = |part: &Document| webex::render(part).bytes();
    let parts = split(&document, TextLimit { max: webex::MAX_BYTES, unit: TextUnit::Bytes }, &bytes);
    assert!(parts.len() > 2);
    assert!(parts.iter().all(|part| bytes(part) <= webex::MAX_BYTES));
    assert!(parts[0..parts.len() - 1].iter().all(|part| bytes(part) > webex::MAX_BYTES / 2));
    assert_eq!(parts.iter().map(shown).collect::<String>(), text);

    let document = Document::plain(&"\u{1f44d}\u{1f3fd} ok ".repeat(600));
    let chars = |part: &Document| zoom::render(part, Offsets::SENDING).length();
    let parts = split(&document, limit(zoom::MAX_CHARS), &chars);
    assert!(parts.len() > 2);
    for part in &parts {
        let sent = zoom::render(part, Offsets::SENDING).message;
        assert!(sent.encode_utf16().count() <= zoom::MAX_CHARS && sent.chars().count() <= zoom::MAX_CHARS);
    }
    assert_eq!(parts.iter().map(shown).collect::<String>(), shown(&document));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn parts_fit_and_say_the_same(
        blocks in proptest::collection::vec(testing::block(), 4..30),
        max in 700_usize..1500,
    ) {
        let document = Document { blocks }.normalise();
        let measures: [&dyn Fn(&Document) -> usize; 4] = [
            &slack_chars,
            &|part| teams::render(part, Flavour::Graph).html.len(),
            &|part| webex::render(part).bytes(),
            &|part| zoom::render(part, Offsets::SENDING).length(),
        ];
        for measure in measures {
            let parts = split(&document, limit(max), measure);
            for part in &parts {
                prop_assert!(measure(part) <= max, "{} of {}", measure(part), max);
            }
            prop_assert_eq!(parts.iter().map(shown).collect::<String>(), shown(&document));
            prop_assert_eq!(parts.iter().map(links).sum::<usize>(), links(&document));
        }
    }
}
