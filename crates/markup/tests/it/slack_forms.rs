//! Slack's forms, one by one.

use dragoman_markup::{Budget, plain, slack};
use dragoman_model::{Block, Document, Emoji, Inline, ListItem, Mention};
use serde_json::{Value, json};

fn text(text: &str) -> Inline {
    Inline::Text(text.into())
}

fn mrkdwn(input: &str) -> Vec<Block> {
    slack::parse_mrkdwn(input, Budget::default()).blocks
}

fn line(input: &str) -> Vec<Inline> {
    match mrkdwn(input).as_slice() {
        [Block::Paragraph(inlines)] => inlines.clone(),
        blocks => panic!("not one paragraph: {blocks:?}"),
    }
}

fn blocks(value: Value) -> Vec<Block> {
    slack::parse(Some(&value), "", Budget::default()).blocks
}

fn person(id: &str) -> Inline {
    Inline::Mention(Mention::Person { id: id.into(), name: String::new() })
}

#[test]
fn entities() {
    assert_eq!(line("<@U012AB3CD>"), [person("U012AB3CD")]);
    assert_eq!(line("<@U012AB3CD|old name>"), [person("U012AB3CD")]);
    assert_eq!(
        line("<#C123|general> <#C124|>"),
        [
            Inline::Mention(Mention::Conversation { id: "C123".into(), name: "general".into() }),
            text(" "),
            Inline::Mention(Mention::Conversation { id: "C124".into(), name: String::new() }),
        ]
    );
    assert_eq!(line("<!here|here>"), [Inline::Mention(Mention::Here)]);
    for everyone in ["<!channel>", "<!everyone>", "<!group>"] {
        assert_eq!(line(everyone), [Inline::Mention(Mention::Everyone)]);
    }
    assert_eq!(
        line("<!subteam^S1|@ops>"),
        [Inline::Mention(Mention::Group { id: "S1".into(), name: "ops".into() })]
    );
    assert_eq!(
        line("<!date^1392734382^{date} at {time}^https://a.example|Feb 18>"),
        [Inline::Date { seconds: 1_392_734_382, fallback: "Feb 18".into() }]
    );
    assert_eq!(line("<!foo|bar> <!foo>"), [text("bar <!foo>")]);
    assert_eq!(
        line("<https://a.example/?x=1&amp;y=2|a|b>"),
        [Inline::Link { url: "https://a.example/?x=1&y=2".into(), text: vec![text("a|b")] }]
    );
    assert_eq!(line("<javascript:alert(1)|go>"), [text("go")]);
    assert_eq!(line("a < b > c"), line("a &lt; b &gt; c"));
}

#[test]
fn three_escapes_once() {
    assert_eq!(line("&lt;!here&gt; &amp;lt; &quot;"), [text("<!here> &lt; &quot;")]);
}

#[test]
fn styles_nest_and_cross() {
    assert_eq!(line("*bold*"), [Inline::Strong(vec![text("bold")])]);
    assert_eq!(
        line("~_*all*_~"),
        [Inline::Strong(vec![Inline::Emphasis(vec![Inline::Strike(vec![text("all")])])])]
    );
    assert_eq!(
        line("*a _b* c_"),
        [
            Inline::Strong(vec![text("a "), Inline::Emphasis(vec![text("b")])]),
            Inline::Emphasis(vec![text(" c")])
        ]
    );
    assert_eq!(line("`*x* &amp; <https://a.example>`"), [Inline::Code("*x* & https://a.example".into())]);
    for literal in ["a*b*c", "**x**", "***x***", "@_x_", "*open", "* *", "``"] {
        let shown = plain(&slack::parse_mrkdwn(literal, Budget::default()));
        assert!(shown == literal || literal == "* *", "{literal}");
    }
}

#[test]
fn emoji_and_times() {
    assert_eq!(
        line(":wave::skin-tone-3: :slightly_smiling_face: :nope_nope: 10:30:45"),
        [
            Inline::Emoji(Emoji::Unicode("\u{1f44b}\u{1f3fc}".into())),
            text(" "),
            Inline::Emoji(Emoji::Unicode("\u{1f642}".into())),
            text(" :nope_nope: 10:30:45"),
        ]
    );
}

#[test]
fn fences_and_quotes() {
    assert_eq!(
        mrkdwn("see\n```\nlet a = 1 &lt; 2;\n  *b*\n```\ndone"),
        [
            Block::Paragraph(vec![text("see")]),
            Block::Code { language: None, text: "let a = 1 < 2;\n  *b*".into() },
            Block::Paragraph(vec![text("done")]),
        ]
    );
    assert_eq!(
        mrkdwn("&gt; one\n&gt; two\nafter"),
        [
            Block::Quote(vec![Block::Paragraph(vec![text("one"), Inline::Break, text("two")])]),
            Block::Paragraph(vec![text("after")]),
        ]
    );
    assert_eq!(
        mrkdwn("&gt;&gt;&gt;one\ntwo"),
        [Block::Quote(vec![Block::Paragraph(vec![text("one"), Inline::Break, text("two")])])]
    );
}

fn item(words: &str, nested: Vec<Block>) -> ListItem {
    let mut blocks = vec![Block::Paragraph(vec![text(words)])];
    blocks.extend(nested);
    ListItem { blocks }
}

#[test]
fn nested_lists_are_siblings() {
    let section =
        |words: &str| json!({ "type": "rich_text_section", "elements": [{ "type": "text", "text": words }] });
    let list = |style: &str, indent: u8, offset: u8, items: Vec<Value>| json!({ "type": "rich_text_list", "style": style, "indent": indent, "offset": offset, "border": 0, "elements": items });
    let value = json!([{ "type": "rich_text", "elements": [
        list("ordered", 0, 0, vec![section("one")]),
        list("bullet", 1, 0, vec![section("sub")]),
        list("ordered", 0, 1, vec![section("two")]),
    ]}]);
    let expected = vec![Block::List {
        start: Some(1),
        items: vec![
            item("one", vec![Block::List { start: None, items: vec![item("sub", vec![])] }]),
            item("two", vec![]),
        ],
    }];
    assert_eq!(blocks(value), expected);
    let sent = slack::render(&Document { blocks: expected }).blocks;
    assert_eq!(sent[0]["elements"][2]["offset"], 1);
    assert_eq!(sent[0]["elements"][1]["indent"], 1);
}

#[test]
fn rich_text_elements() {
    let value = json!([{ "type": "rich_text", "elements": [{ "type": "rich_text_section", "elements": [
        { "type": "text", "text": "Hi ", "style": { "bold": true, "italic": true } },
        { "type": "user", "user_id": "U1" },
        { "type": "broadcast", "range": "everyone" },
        { "type": "usergroup", "usergroup_id": "S1" },
        { "type": "channel", "channel_id": "C1" },
        { "type": "emoji", "name": "wave", "skin_tone": 3 },
        { "type": "emoji", "name": "blob", "url": "https://emoji.example/parrot.gif" },
        { "type": "emoji", "name": "new_one", "unicode": "1f44d-1f3fb" },
        { "type": "link", "url": "https://a.example" },
        { "type": "color", "value": "#ff0000" },
        { "type": "future", "text": "later" },
        { "type": "date", "timestamp": 5, "format": "{date}", "fallback": "then" },
    ]}]}]);
    assert_eq!(
        blocks(value),
        [Block::Paragraph(vec![
            Inline::Strong(vec![Inline::Emphasis(vec![text("Hi ")])]),
            person("U1"),
            Inline::Mention(Mention::Everyone),
            Inline::Mention(Mention::Group { id: "S1".into(), name: String::new() }),
            Inline::Mention(Mention::Conversation { id: "C1".into(), name: String::new() }),
            Inline::Emoji(Emoji::Unicode("\u{1f44b}\u{1f3fc}".into())),
            Inline::Emoji(Emoji::Custom {
                name: "blob".into(),
                url: Some("https://emoji.example/parrot.gif".into())
            }),
            Inline::Emoji(Emoji::Unicode("\u{1f44d}\u{1f3fb}".into())),
            Inline::Link { url: "https://a.example".into(), text: vec![] },
            text("#ff0000later"),
            Inline::Date { seconds: 5, fallback: "then".into() },
        ])]
    );
}

#[test]
fn blocks_of_apps() {
    let value = json!([
        { "type": "header", "text": { "type": "plain_text", "text": "Deploy" } },
        { "type": "section", "text": { "type": "mrkdwn", "text": "*ok*" }, "fields": [{ "type": "plain_text", "text": "f" }] },
        { "type": "context", "elements": [{ "type": "image", "image_url": "https://a.example/i.png", "alt_text": "i" },
                                          { "type": "mrkdwn", "text": "by <@U1>" }] },
        { "type": "divider" },
        { "type": "image", "image_url": "https://a.example/p.png", "alt_text": "graph" },
        { "type": "actions", "elements": [{ "type": "button", "text": { "type": "plain_text", "text": "Go" } }] },
        { "type": "carousel", "title": "Cards" },
        { "type": "table", "rows": [[{ "type": "raw_text", "text": "a" }, null], [{ "type": "raw_text", "text": "b" }]] },
    ]);
    assert_eq!(
        blocks(value),
        [
            Block::Heading { level: 1, text: vec![text("Deploy")] },
            Block::Paragraph(vec![
                Inline::Strong(vec![text("ok")]),
                Inline::Break,
                Inline::Break,
                text("f"),
                Inline::Break,
                Inline::Break,
                text("by "),
                person("U1"),
            ]),
            Block::Rule,
            Block::Paragraph(vec![Inline::Link {
                url: "https://a.example/p.png".into(),
                text: vec![text("graph")]
            }]),
            Block::Unsupported { kind: "actions".into(), text: vec![text("Go")] },
            Block::Unsupported { kind: "carousel".into(), text: vec![text("Cards")] },
            Block::Table {
                header: false,
                rows: vec![vec![vec![text("a")], vec![]], vec![vec![text("b")], vec![]]]
            },
        ]
    );
}

#[test]
fn markdown_blocks() {
    let value = json!([{ "type": "markdown",
        "text": "## Head\n\n- one\n  1. sub\n- [x] two\n\n> **q** [l](https://a.example)\n\n```rust\nlet x;\n```\n\n---\n\n|a|b|\n|-|-|\n|1|2|\n\nHi <@U1> &amp; ~~no~~" }]);
    let read = blocks(value);
    assert_eq!(read[0], Block::Heading { level: 1, text: vec![text("Head")] });
    assert_eq!(
        read[1],
        Block::List {
            start: None,
            items: vec![
                item("one", vec![Block::List { start: Some(1), items: vec![item("sub", vec![])] }]),
                item("\u{2611} two", vec![]),
            ]
        }
    );
    assert_eq!(
        read[2],
        Block::Quote(vec![Block::Paragraph(vec![
            Inline::Strong(vec![text("q")]),
            text(" "),
            Inline::Link { url: "https://a.example".into(), text: vec![text("l")] },
        ])])
    );
    assert_eq!(read[3], Block::Code { language: Some("rust".into()), text: "let x;".into() });
    assert_eq!(read[4], Block::Rule);
    assert!(matches!(&read[5], Block::Table { rows, .. } if rows.len() == 2));
    assert_eq!(read[6], Block::Paragraph(vec![text("Hi <@U1> & "), Inline::Strike(vec![text("no")])]));
}

#[test]
fn attachments() {
    let value = json!([
        { "pretext": "New *ticket*", "author_name": "Bo", "title": "T-1", "title_link": "https://t.example/1",
          "text": "It &lt;breaks&gt;", "fields": [{ "title": "Prio", "value": "high" }], "footer": "Tracker" },
        { "fallback": "only this" },
        { "fallback": "x", "blocks": [{ "type": "section", "text": { "type": "plain_text", "text": "block" } }] },
    ]);
    let read = plain(&slack::parse_attachments(&value, Budget::default()));
    assert_eq!(read, "New ticket\n> Bo\n> T-1\n> It <breaks>\n> Prio: high\n> Tracker\n> only this\n> block");
}

#[test]
fn text_stands_in_where_blocks_say_nothing() {
    let read = |value: Value| plain(&slack::parse(Some(&value), "*text*", Budget::default()));
    assert_eq!(read(json!([])), "text");
    assert_eq!(read(json!(null)), "text");
    assert_eq!(read(json!([{ "type": "rich_text", "elements": [] }])), "text");
    assert_eq!(plain(&slack::parse(None, "*text*", Budget::default())), "text");
}

#[test]
fn headings_dividers_and_tables_leave_as_blocks() {
    let document = Document {
        blocks: vec![
            Block::Heading { level: 2, text: vec![text("H <x>")] },
            Block::Paragraph(vec![text("p")]),
            Block::Rule,
            Block::Table { header: true, rows: vec![vec![vec![text("a")]], vec![vec![text("b")]]] },
            Block::Table { header: true, rows: vec![vec![vec![text("c")]]] },
        ],
    };
    let sent = slack::render(&document);
    let kinds: Vec<&str> =
        sent.blocks.as_array().unwrap().iter().map(|block| block["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["header", "rich_text", "divider", "table", "rich_text"]);
    assert_eq!(sent.text, "*H &lt;x&gt;*\np\n\u{2014}\u{2014}\u{2014}\n```\na\nb\n```\n```\nc\n```");
}
