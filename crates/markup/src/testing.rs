//! Generators of trees for property tests, here and in other crates.

use dragoman_model::{Block, Document, Emoji, Inline, ListItem, Mention};
use proptest::collection::vec;
use proptest::prelude::*;

const NAMES: [&str; 6] =
    ["Ana Souza", "Bo", "R&D <lead>", "Zo\u{eb} *star*", "Mel \"M\" O'Hara", "\u{202e}evil\u{200b} name"];

/// Texts that have broken renderers: markup of every platform, mentions typed as text, odd spaces.
const TRICKY: [&str; 34] = [
    "@channel",
    "@here",
    "<!here>",
    "<!channel|x>",
    "<@U0AAAA>",
    "<#C0AAAA|general>",
    "<@all>",
    "<at>Ana</at>",
    "<at id=\"0\">Ana</at>",
    "&lt;!here&gt;",
    "&amp;",
    "&nbsp;",
    "<b>x</b>",
    "<br>",
    "<script>alert(1)</script>",
    "*bold*",
    "_it_",
    "~no~",
    "`code`",
    "```",
    "> quote",
    "- item",
    "1. item",
    "# head",
    ":smile:",
    ":wave::skin-tone-3:",
    "  two  ",
    "\t",
    "\u{a0}",
    "\u{1f44b}\u{1f3fd}",
    "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}",
    "e\u{301}",
    "|",
    "http://example.com/?a=1&b=<2>",
];

/// A text without line breaks, often with a trap in it.
pub fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-zA-Z0-9 .,!?]{0,24}",
        3 => proptest::sample::select(&TRICKY[..]).prop_map(str::to_owned),
        1 => "\\PC{0,12}",
        1 => ("[a-z]{1,6}", proptest::sample::select(&TRICKY[..])).prop_map(|(a, b)| format!("{a}{b}{a}")),
    ]
}

fn id(prefix: &'static str) -> impl Strategy<Value = (String, String)> {
    "[A-Z0-9]{4,6}".prop_map(move |id| {
        // A person has one name, and some names are shared.
        let sum: usize = id.bytes().map(usize::from).sum();
        (format!("{prefix}{id}"), NAMES[sum % NAMES.len()].to_owned())
    })
}

/// A mention, with ids that every platform takes.
pub fn mention() -> impl Strategy<Value = Mention> {
    prop_oneof![
        4 => id("U").prop_map(|(id, name)| Mention::Person { id: id.into(), name }),
        1 => id("C").prop_map(|(id, name)| Mention::Conversation { id: id.into(), name }),
        1 => id("S").prop_map(|(id, name)| Mention::Group { id, name }),
        1 => Just(Mention::Everyone),
        1 => Just(Mention::Here),
    ]
}

/// An emoji: known, with a tone, unknown, custom.
pub fn emoji() -> impl Strategy<Value = Emoji> {
    prop_oneof![
        proptest::sample::select(
            &["\u{1f44d}", "\u{2764}\u{fe0f}", "\u{1f44b}\u{1f3fd}", "\u{1f1e9}\u{1f1ea}", "\u{1f600}"][..]
        )
        .prop_map(|characters| Emoji::Unicode(characters.to_owned())),
        Just(Emoji::Unicode("\u{1fabf}\u{1fabf}".to_owned())),
        "[a-z_]{2,10}".prop_map(|name| Emoji::Custom { name, url: None }),
    ]
}

fn url() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "https://[a-z]{2,8}\\.example/[a-zA-Z0-9?&=%#|'\"<>-]{0,12}",
        1 => Just("mailto:ana@example.com".to_owned()),
        1 => Just("tel:+15550100".to_owned()),
        1 => Just("javascript:alert(1)".to_owned()),
        1 => Just("ftp://example.com/x".to_owned()),
    ]
}

/// An inline, nested up to four deep.
pub fn inline() -> impl Strategy<Value = Inline> {
    let leaf = prop_oneof![
        8 => text().prop_map(Inline::Text),
        2 => text().prop_map(Inline::Code),
        1 => mention().prop_map(Inline::Mention),
        1 => emoji().prop_map(Inline::Emoji),
        1 => (0_i64..4_000_000_000, text()).prop_map(|(seconds, fallback)| Inline::Date { seconds, fallback }),
        2 => Just(Inline::Break),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Inline::Strong),
            vec(inner.clone(), 0..4).prop_map(Inline::Emphasis),
            vec(inner.clone(), 0..4).prop_map(Inline::Strike),
            vec(inner.clone(), 0..4).prop_map(Inline::Underline),
            (url(), vec(inner, 0..3)).prop_map(|(url, text)| Inline::Link { url, text }),
        ]
    })
}

fn inlines() -> impl Strategy<Value = Vec<Inline>> {
    vec(inline(), 0..5)
}

fn code() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z(){};=<>&\" \n\t]{0,40}", vec(text(), 0..4).prop_map(|lines| lines.join("\n")),]
}

fn table() -> impl Strategy<Value = Block> {
    (any::<bool>(), 1_usize..4).prop_flat_map(|(header, columns)| {
        vec(vec(vec(inline(), 0..3), columns), 1..4).prop_map(move |rows| Block::Table { header, rows })
    })
}

/// A block, nested up to four deep.
pub fn block() -> impl Strategy<Value = Block> {
    let leaf = prop_oneof![
        6 => inlines().prop_map(Block::Paragraph),
        2 => (1_u8..=6, inlines()).prop_map(|(level, text)| Block::Heading { level, text }),
        2 => (proptest::option::of("[a-zA-Z+#]{1,8}"), code())
            .prop_map(|(language, text)| Block::Code { language, text }),
        1 => Just(Block::Rule),
        1 => table(),
        1 => ("[a-z_]{1,8}", inlines()).prop_map(|(kind, text)| Block::Unsupported { kind, text }),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Block::Quote),
            (
                proptest::option::of(0_u32..50),
                vec(vec(inner, 0..3).prop_map(|blocks| ListItem { blocks }), 0..4)
            )
                .prop_map(|(start, items)| Block::List { start, items }),
        ]
    })
}

/// A whole text.
pub fn document() -> impl Strategy<Value = Document> {
    vec(block(), 0..5).prop_map(|blocks| Document { blocks })
}
