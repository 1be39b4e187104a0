use proptest::prelude::*;

use super::*;

fn text(text: &str) -> Inline {
    Inline::Text(text.to_owned())
}

fn link(url: &str, label: &str) -> Inline {
    let label = if label.is_empty() { Vec::new() } else { vec![text(label)] };
    Inline::Link { url: url.to_owned(), text: label }
}

fn paragraph(inlines: Vec<Inline>) -> Document {
    Document { blocks: vec![Block::Paragraph(inlines)] }
}

fn known() -> Links {
    Links::from([("x://here/1".to_owned(), "https://there/one".to_owned())])
}

#[test]
fn bare_addresses_are_found_between_words_and_marks() {
    let found = |words: &str| addresses(&paragraph(vec![text(words)])).into_iter().collect::<Vec<_>>();
    assert_eq!(found("see x://here/1, or (https://there/2)."), ["https://there/2", "x://here/1"]);
    assert_eq!(found("<x://here/1> and é.x://here/2!"), [".x://here/2", "x://here/1"]);
    assert_eq!(found("://nothing and x:// and 1 : // 2"), [""; 0]);
    let many: Vec<String> = (0..50).map(|n| format!("x://here/{n}")).collect();
    assert_eq!(found(&many.join(" ")).len(), MOST);
    assert_eq!(found(&format!("x://{}", "a".repeat(LONGEST))), [""; 0]);
}

#[test]
fn addresses_become_those_of_the_target_wherever_they_stand() {
    let body = Document {
        blocks: vec![
            Block::Quote(vec![Block::Paragraph(vec![link("x://here/1", "Ana"), text(" said")])]),
            Block::Paragraph(vec![
                Inline::Strong(vec![text("see x://here/1.")]),
                link("x://here/2", "other"),
            ]),
            Block::Code { language: None, text: "x://here/1".to_owned() },
            Block::Paragraph(vec![Inline::Code("x://here/1".to_owned()), link("x://here/1", "x://here/1")]),
        ],
    };
    let expected = Document {
        blocks: vec![
            Block::Quote(vec![Block::Paragraph(vec![link("https://there/one", "Ana"), text(" said")])]),
            Block::Paragraph(vec![
                Inline::Strong(vec![text("see "), link("https://there/one", LABEL), text(".")]),
                link("x://here/2", "other"),
            ]),
            Block::Code { language: None, text: "x://here/1".to_owned() },
            Block::Paragraph(vec![Inline::Code("x://here/1".to_owned()), link("https://there/one", LABEL)]),
        ],
    };
    assert!(rewrite(body, &known()) == expected);
}

#[test]
fn a_bare_address_without_counterpart_stays_text() {
    let body = paragraph(vec![text("see x://here/2 and x://here/1x")]);
    assert!(rewrite(body.clone(), &known()).normalise() == body.normalise());
}

proptest! {
    #[test]
    fn pieces_are_the_text_whatever_it_is(words in "[ a-z:/.,()<>é\u{1f600}]{0,60}") {
        let whole: String = pieces(&words).map(|piece| piece.text).collect();
        prop_assert_eq!(&whole, &words);
        for piece in pieces(&words).filter(|piece| piece.address) {
            prop_assert!(piece.text.contains("://"));
            prop_assert!(!piece.text.contains(char::is_whitespace));
        }
        let body = paragraph(vec![text(&words)]);
        prop_assert!(rewrite(body.clone(), &known()).normalise() == body.normalise() || words.contains("x://here/1"));
    }

    #[test]
    fn an_address_is_found_in_any_words(before in "([a-z]{1,5} ){0,3}", after in "( [a-z]{1,5}){0,3}") {
        let body = paragraph(vec![text(&format!("{before}x://here/1{after}"))]);
        prop_assert!(addresses(&body).contains("x://here/1"));
        let mut links = 0;
        rewrite(body, &known()).visit_inlines(&mut |inline| {
            links += usize::from(matches!(inline, Inline::Link { url, .. } if url == "https://there/one"));
        });
        prop_assert_eq!(links, 1);
    }
}
