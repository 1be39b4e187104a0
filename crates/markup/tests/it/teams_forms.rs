//! Teams' forms, one by one.

use dragoman_markup::teams::{Flavour, MentionKind, TeamsAttachment, TeamsInput, TeamsMention};
use dragoman_markup::{Budget, degrade, plain, teams};
use dragoman_model::{Block, Document, Emoji, Inline, ListItem, Mention};

fn text(text: &str) -> Inline {
    Inline::Text(text.into())
}

fn html(html: &str) -> Vec<Block> {
    teams::parse(TeamsInput::new(html), Budget::default()).blocks
}

fn line(input: &str) -> Vec<Inline> {
    match html(input).as_slice() {
        [Block::Paragraph(inlines)] => inlines.clone(),
        blocks => panic!("not one paragraph: {blocks:?}"),
    }
}

fn mention(index: u32, id: &str, name: &str) -> TeamsMention {
    TeamsMention { index, id: id.into(), name: name.into(), kind: MentionKind::Person }
}

fn person(id: &str, name: &str) -> Inline {
    Inline::Mention(Mention::Person { id: id.into(), name: name.into() })
}

fn with_mentions(html: &str, mentions: &[TeamsMention]) -> Document {
    teams::parse(TeamsInput { html, mentions, attachments: &[] }, Budget::default())
}

fn paragraph(inlines: Vec<Inline>) -> Document {
    Document { blocks: vec![Block::Paragraph(inlines)] }
}

#[test]
fn paragraphs_are_lines_and_space_is_folded() {
    let ab = [text("a"), Inline::Break, text("b")];
    for same in [
        "<p>a</p><p>b</p>",
        "<div>a</div>\n<div>b</div>",
        "a<br>b",
        "<p>a<br></p><p>b</p>",
        "<div><div>a</div>b</div>",
    ] {
        assert_eq!(line(same), ab, "{same}");
    }
    assert_eq!(line("<p>a</p><p>&nbsp;</p><p>b</p>"), [text("a"), Inline::Break, Inline::Break, text("b")]);
    assert_eq!(line("<p>a</p><p><br></p><p>b</p>"), [text("a"), Inline::Break, Inline::Break, text("b")]);
    assert_eq!(line("<p> a \n\t b&nbsp; c&nbsp;</p>"), [text("a b  c")]);
    assert_eq!(
        line("a&amp;b &lt;c&gt; &quot;d&quot; &#39;e&#39; &auml;"),
        [text("a&b <c> \"d\" 'e' \u{e4}")]
    );
}

#[test]
fn styles_and_links() {
    assert_eq!(
        line("<strong>a <em>b</em></strong> <s>c</s><u>d</u> <code>e</code>"),
        [
            Inline::Strong(vec![text("a "), Inline::Emphasis(vec![text("b")])]),
            text(" "),
            Inline::Strike(vec![text("c")]),
            Inline::Underline(vec![text("d")]),
            text(" "),
            Inline::Code("e".into()),
        ]
    );
    assert_eq!(
        line("see <a href=\"https://a.example\" title=\"x\">https://a.example</a>"),
        [text("see "), Inline::Link { url: "https://a.example".into(), text: vec![] }]
    );
    assert_eq!(
        line("<a href=\"https://a.example\"><b>x</b> y</a>"),
        [Inline::Link {
            url: "https://a.example".into(),
            text: vec![Inline::Strong(vec![text("x")]), text(" y")]
        }]
    );
}

#[test]
fn blocks() {
    let item = |word: &str| ListItem { blocks: vec![Block::Paragraph(vec![text(word)])] };
    let mut outer = item("a");
    outer.blocks.push(Block::List { start: Some(1), items: vec![item("b")] });
    assert_eq!(
        html(
            "<h1>H</h1><ul>\n<li>a\n<ol>\n<li>b</li>\n</ol>\n</li>\n<li>c</li>\n</ul><blockquote>\n<p>q</p>\n</blockquote><hr><p>end</p>"
        ),
        [
            Block::Heading { level: 1, text: vec![text("H")] },
            Block::List { start: None, items: vec![outer, item("c")] },
            Block::Quote(vec![Block::Paragraph(vec![text("q")])]),
            Block::Rule,
            Block::Paragraph(vec![text("end")]),
        ]
    );
    assert_eq!(
        html(
            "<table><thead><tr><th>a</th><th>b</th></tr></thead><tbody><tr><td><p>1</p><p>2</p></td></tr></tbody></table>"
        ),
        [Block::Table {
            header: true,
            rows: vec![
                vec![vec![text("a")], vec![text("b")]],
                vec![vec![text("1"), Inline::Break, text("2")], vec![]],
            ]
        }]
    );
}

#[test]
fn code_blocks() {
    assert_eq!(
        html("<codeblock class=\"Python\"><code>def f():<br>&nbsp;&nbsp;return 1 &lt; 2</code></codeblock>"),
        [Block::Code { language: Some("Python".into()), text: "def f():\n  return 1 < 2".into() }]
    );
    assert_eq!(
        html("<pre>\na  b\n\tc\n</pre>x"),
        [Block::Code { language: None, text: "a  b\n\tc".into() }, Block::Paragraph(vec![text("x")])]
    );
}

#[test]
fn mentions_by_index() {
    let mentions = [mention(0, "id-a", "Ana"), mention(1, "id-a", "Souza"), mention(2, "id-b", "Bo")];
    assert_eq!(
        with_mentions(
            "<p>Hi <at id=\"2\">Bo</at>,&nbsp;<at id=\"0\">Ana</at>&nbsp;<at id=\"1\">Souza</at>!</p>",
            &mentions
        ),
        paragraph(vec![
            text("Hi "),
            person("id-b", "Bo"),
            text(",\u{20}"),
            person("id-a", "Ana Souza"),
            text("!")
        ])
    );
    assert_eq!(with_mentions("<at id=\"9\">No <b>One</b></at>", &mentions), paragraph(vec![text("No One")]));
    let everyone =
        [TeamsMention { index: 0, id: String::new(), name: "All".into(), kind: MentionKind::Everyone }];
    assert_eq!(
        with_mentions("<at id=\"0\">All</at>", &everyone),
        paragraph(vec![Inline::Mention(Mention::Everyone)])
    );
}

#[test]
fn mentions_of_bot_activities_go_by_order() {
    let mentions = [mention(0, "a", "Ana"), mention(1, "b", "Bo")];
    let expected = paragraph(vec![person("a", "Ana"), text(" and "), person("b", "Bo")]);
    assert_eq!(with_mentions("<at>Ana</at> and <at>Bo</at>", &mentions), expected);
    let span = |name: &str, id: u32| {
        format!(
            "<span itemtype=\"http://schema.skype.com/Mention\" itemscope=\"\" itemid=\"{id}\">{name}</span>"
        )
    };
    assert_eq!(
        with_mentions(&format!("<p>{} and {}</p>", span("Ana", 0), span("Bo", 1)), &mentions),
        expected
    );
}

#[test]
fn pictures_and_emoji() {
    assert_eq!(
        line(
            "<emoji id=\"1f440_eyes\" alt=\"\u{1f440}\" title=\"Eyes\"></emoji><customemoji id=\"x\" alt=\":party:\" source=\"https://g.example/hostedContents/1/$value\"></customemoji>"
        ),
        [
            Inline::Emoji(Emoji::Unicode("\u{1f440}".into())),
            Inline::Emoji(Emoji::Custom { name: "party".into(), url: None }),
        ]
    );
    assert_eq!(
        line(
            "<img alt=\"\u{1f600}\" itemtype=\"http://schema.skype.com/Emoji\" src=\"https://s.example/x.png\">"
        ),
        [Inline::Emoji(Emoji::Unicode("\u{1f600}".into()))]
    );
    assert_eq!(
        line(
            "<readonly><img itemtype=\"http://schema.skype.com/Giphy\" src=\"https://g.example/x.gif\"></readonly>"
        ),
        [Inline::Link { url: "https://g.example/x.gif".into(), text: vec![text("GIF")] }]
    );
    let hosted = "<p>see</p><img src=\"https://graph.example/v1.0/chats/1/messages/2/hostedContents/abc/$value\" alt=\"image\">";
    assert_eq!(line(hosted), [text("see")]);
    let images = teams::images(hosted, Budget::default());
    assert_eq!(images.len(), 1);
    assert!(images[0].src.ends_with("/hostedContents/abc/$value") && images[0].alt == "image");
    for address in [
        "https://bot.example/v3/conversations/x/members?x=hostedContents/a/$value",
        "https://bot.example/v3/conversations/x/members?x=/hostedContents/a/$value",
        "https://bot.example/v3/conversations/x/members#/hostedContents/a/$value",
        "https://x.example/hostedContents/b.png",
        "https://x.example/hostedContents/b/c/$value",
        "https://x.example/hostedContents//$value",
        "https://x.example/hostedContents/b/$value/c",
    ] {
        let picture = format!("<img src=\"{address}\" alt=\"image\">");
        assert!(teams::images(&picture, Budget::default()).is_empty(), "an author's own address: {address}");
        let shown = Inline::Link { url: address.into(), text: vec![text("image")] };
        assert_eq!(line(&picture), [shown], "it does not vanish");
    }
    for address in ["../hostedContents/a/$value", "download:a https://x.example/hostedContents/a/$value"] {
        let picture = format!("<img src=\"{address}\" alt=\"image\">");
        assert!(teams::images(&picture, Budget::default()).is_empty(), "no address of the web: {address}");
    }
}

#[test]
fn attachments_stand_in_their_place() {
    let quote = Document { blocks: vec![Block::Quote(vec![Block::Paragraph(vec![text("before")])])] };
    let attachments = [TeamsAttachment { id: "17".into(), document: quote.clone() }];
    for body in ["<attachment id=\"17\"></attachment><p>yes</p>", "<quoted messageId=\"17\"/><p>yes</p>"] {
        let input = TeamsInput { html: body, mentions: &[], attachments: &attachments };
        let read = teams::parse(input, Budget::default());
        assert_eq!(read.blocks, [quote.blocks[0].clone(), Block::Paragraph(vec![text("yes")])], "{body}");
    }
    assert!(html("<systemEventMessage/>").is_empty());
    assert!(html("<attachment id=\"99\"></attachment>").is_empty());
}

#[test]
fn plain_bodies_are_literal() {
    assert_eq!(
        teams::parse_plain("a <b>x</b> &amp;\r\nb"),
        paragraph(vec![text("a <b>x</b> &amp;"), Inline::Break, text("b")])
    );
    assert!(teams::parse_plain("").is_empty());
}

#[test]
fn graph_mentions_have_ids() {
    let document = paragraph(vec![
        person("a", "Ana <x> & Co"),
        text(" "),
        person("a", "Ana <x> & Co"),
        Inline::Mention(Mention::Everyone),
    ]);
    let sent = teams::render(&document, Flavour::Graph);
    assert_eq!(
        sent.html,
        "<p><at id=\"0\">Ana x Co</at> <at id=\"1\">Ana x Co</at><at id=\"2\">Everyone</at></p>"
    );
    assert_eq!(sent.mentions.len(), 3);
    assert_eq!(sent.mentions[2].kind, MentionKind::Everyone);
    assert_eq!(sent.mentions[1].id, "a");
}

#[test]
fn bot_mentions_are_told_apart_by_name() {
    let document =
        paragraph(vec![person("a", "Alex"), text(" "), person("b", "Alex"), text(" "), person("a", "Alex")]);
    let sent = teams::render(&document, Flavour::Bot);
    assert_eq!(sent.html, "<p><at>Alex</at> <at>Alex (2)</at> <at>Alex</at></p>");
    let names: Vec<(&str, &str)> = sent.mentions.iter().map(|m| (m.id.as_str(), m.name.as_str())).collect();
    assert_eq!(names, [("a", "Alex"), ("b", "Alex (2)")]);
}

#[test]
fn what_teams_would_ring_for_stays_text() {
    // Mentioning a channel notifies everybody in it; Slack's `#general` does not.
    let channel = Inline::Mention(Mention::Conversation { id: "C1".into(), name: "general".into() });
    let document = paragraph(vec![channel, text(" "), Inline::Mention(Mention::Here)]);
    assert_eq!(teams::render(&document, Flavour::Graph).html, "<p>#general @here</p>");
    assert_eq!(plain(&degrade::teams(document)), "#general @here");
}

#[test]
fn html_is_escaped_and_closed() {
    let document = Document {
        blocks: vec![
            Block::Heading { level: 5, text: vec![text("<h>")] },
            Block::Paragraph(vec![text("  a  b & \"c\""), Inline::Break, text(" d")]),
            Block::Code { language: Some("Rust".into()), text: "a < b\n  c".into() },
            Block::List {
                start: Some(3),
                items: vec![ListItem { blocks: vec![Block::Paragraph(vec![text("x")])] }],
            },
        ],
    };
    assert_eq!(
        teams::render(&document, Flavour::Graph).html,
        "<h3>&lt;h&gt;</h3><p>&nbsp;&nbsp;a &nbsp;b &amp; &quot;c&quot;<br>&nbsp;d</p>\
         <codeblock class=\"Rust\"><code>a &lt; b<br>&nbsp;&nbsp;c</code></codeblock><ol start=\"3\"><li>x</li></ol>"
    );
    assert!(teams::render(&document, Flavour::Bot).html.contains("<pre>a &lt; b\n  c</pre>"));
}
