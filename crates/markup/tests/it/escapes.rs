//! What was typed as text stays text on the other side.

use dragoman_markup::teams::{Flavour, TeamsInput};
use dragoman_markup::webex::WebexInput;
use dragoman_markup::zoom::{Offsets, ZoomInput};
use dragoman_markup::{Budget, degrade, slack, teams, testing, webex, zoom};
use dragoman_model::{Block, Document, Inline};
use proptest::prelude::*;

use crate::webex_service;

const TYPED: [&str; 14] = [
    "@channel",
    "@here",
    "@everyone",
    "<!here>",
    "<!channel>",
    "<!everyone|x>",
    "<!subteam^S0AAAA>",
    "<@U0AAAA>",
    "<@all>",
    "<#C0AAAA|general>",
    "<at>Ana</at>",
    "<at id=\"0\">Ana</at>",
    "&lt;!here&gt;",
    "<https://evil.example|bank.example>",
];

fn text(document: &Document) -> String {
    let mut out = String::new();
    document.visit_inlines(&mut |inline| match inline {
        Inline::Text(text) => out.push_str(text),
        Inline::Mention(_) => out.push_str("MENTION"),
        Inline::Link { .. } => out.push_str("LINK"),
        _ => {}
    });
    out
}

fn words() -> impl Strategy<Value = Document> {
    proptest::collection::vec(
        prop_oneof![testing::text(), proptest::sample::select(&TYPED[..]).prop_map(str::to_owned)],
        1..5,
    )
    .prop_map(|words| Document { blocks: vec![Block::Paragraph(vec![Inline::Text(words.concat())])] })
}

#[test]
fn typed_markup_is_escaped_on_slack() {
    for typed in TYPED {
        let sent = slack::render(&Document::plain(typed));
        assert!(!sent.text.contains('<'), "{typed}");
        assert_eq!(sent.blocks[0]["elements"][0]["elements"][0]["type"], "text", "{typed}");
        let back = slack::parse_mrkdwn(&sent.text, Budget::default());
        assert_eq!(text(&back), typed);
    }
}

#[test]
fn typed_markup_is_escaped_on_teams() {
    for typed in TYPED {
        for flavour in [Flavour::Graph, Flavour::Bot] {
            let sent = teams::render(&Document::plain(typed), flavour);
            assert!(sent.mentions.is_empty());
            assert!(!sent.html.contains("<at"), "{typed}");
            assert_eq!(text(&teams::parse(TeamsInput::new(&sent.html), Budget::default())), typed);
        }
    }
}

/// Signs that are markup for Webex, beside those of the other platforms.
const TYPED_MARKDOWN: [&str; 28] = [
    "<@All>",
    "<@personEmail:bo@example.com|Bo>",
    "<@personId:Y2lz>",
    "<spark-mention data-object-type=\"groupMention\" data-group-type=\"all\">All</spark-mention>",
    "<blockquote class=\"danger\">x</blockquote>",
    "**bold** __bold__",
    "*it* _it_",
    "~~gone~~ ~gone~",
    "`code` ``<@all>``",
    "```<@all>```",
    "[label](https://evil.example)",
    "![picture](https://evil.example/x.png)",
    "<https://evil.example>",
    "[ref]: https://evil.example",
    "# heading",
    "> quote",
    "- item",
    "+ item",
    "* item",
    "1. item",
    "1) item",
    "---",
    "___",
    "===",
    "a | b",
    "\\*x\\*",
    "&lt;@all&gt;",
    "&#60;@all&#62;",
];

#[test]
fn typed_markup_is_escaped_on_webex() {
    for typed in TYPED.into_iter().chain(TYPED_MARKDOWN) {
        let sent = webex::render(&Document::plain(typed));
        assert!(!sent.markdown.contains('<'), "{typed}");
        assert!(!sent.text.contains("<@"), "{typed}");
        assert_eq!(webex_service::mentions(&sent.markdown), 0, "{typed}");
        let html = webex_service::html(&sent.markdown);
        let read = webex::parse(WebexInput { html: Some(&html), text: "" }, Budget::default());
        assert_eq!(read, Document::plain(typed), "{html}");
    }
}

#[test]
fn code_mentions_nobody_on_webex() {
    for typed in TYPED.into_iter().chain(TYPED_MARKDOWN) {
        let code = Document {
            blocks: vec![
                Block::Paragraph(vec![Inline::Code(typed.into())]),
                Block::Code { language: None, text: typed.into() },
            ],
        };
        let sent = webex::render(&code);
        assert!(!sent.markdown.contains("<@") && !sent.text.contains("<@"), "{typed}");
        let html = webex_service::html(&sent.markdown);
        assert_eq!(
            webex::parse(WebexInput { html: Some(&html), text: "" }, Budget::default()),
            code,
            "{html}"
        );
    }
}

#[test]
fn labels_names_and_addresses_mention_nobody_on_webex() {
    let trap = "<@all> ](https://evil.example) **x**";
    let url = "https://a.example/<@all>?`x`)(&copy;\\";
    let name = "<@all>|<@personEmail:bo@example.com> _x_ [y](z)";
    let person = dragoman_model::Mention::Person { id: "Y2lz".into(), name: name.into() };
    let group = dragoman_model::Mention::Group { id: "g".into(), name: name.into() };
    let document = Document {
        blocks: vec![Block::Paragraph(vec![
            Inline::Link { url: url.into(), text: vec![Inline::Text(trap.into())] },
            Inline::Link { url: url.into(), text: vec![] },
            Inline::Mention(person),
            Inline::Mention(group),
            Inline::Mention(dragoman_model::Mention::Here),
            Inline::Mention(dragoman_model::Mention::Person { id: "x> <@all".into(), name: "Ana".into() }),
        ])],
    };
    let sent = webex::render(&document);
    assert_eq!(webex_service::mentions(&sent.markdown), 1, "{}", sent.markdown);
    let html = webex_service::html(&sent.markdown);
    let read = webex::parse(WebexInput { html: Some(&html), text: "" }, Budget::default());
    assert_eq!(read, degrade::webex(document));
}

#[test]
fn typed_markup_is_text_on_zoom() {
    for typed in TYPED.into_iter().chain(TYPED_MARKDOWN).chain(["@all", "@Ana"]) {
        let sent = zoom::render(&Document::plain(typed), Offsets::SENDING);
        assert_eq!(sent.message, typed);
        assert!(sent.rich_text.is_empty() && sent.at_items.is_empty(), "{typed}");
        assert_eq!(zoom::parse(ZoomInput::new(typed), Budget::default()), Document::plain(typed));
    }
}

#[test]
fn typed_markup_survives_every_pair() {
    for typed in TYPED {
        let document = Document::plain(typed);
        let over_slack = degrade::slack(document.clone());
        let over_both = degrade::teams(over_slack);
        let over_all = degrade::zoom(degrade::webex(over_both));
        assert_eq!(over_all, document);
    }
}

#[test]
fn markup_inside_labels_and_names_is_escaped() {
    let trap = "<!channel> & \"x\" <at>y</at>";
    let link =
        Inline::Link { url: "https://a.example/?q=<!here>|x".into(), text: vec![Inline::Text(trap.into())] };
    let document = Document { blocks: vec![Block::Paragraph(vec![link])] };
    let sent = slack::render(&document).text;
    assert_eq!(sent.matches('<').count(), 1, "only the link's own bracket");
    assert!(!sent.contains("<!"));
    let html = teams::render(&document, Flavour::Graph).html;
    assert!(!html.contains("<at"));
    assert_eq!(html.matches('<').count(), 4, "only p and a");
}

#[test]
fn links_of_other_schemes_are_text() {
    for url in [
        "javascript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "vbscript:x",
        "ftp://a.example/",
        " javascript:x",
        "java\nscript:x",
    ] {
        let link = Inline::Link { url: url.into(), text: vec![Inline::Text("go".into())] };
        let document = Document { blocks: vec![Block::Paragraph(vec![link])] };
        assert!(!slack::render(&document).blocks.to_string().contains("\"link\""), "{url}");
        assert!(!teams::render(&document, Flavour::Graph).html.contains("<a"), "{url}");
        assert!(!webex::render(&document).markdown.contains("]("), "{url}");
        assert!(zoom::render(&document, Offsets::SENDING).rich_text.is_empty(), "{url}");
        let html = format!("<p><a href=\"{url}\">go</a></p>");
        assert_eq!(text(&teams::parse(TeamsInput::new(&html), Budget::default())), "go", "{url}");
        let blocks = serde_json::json!([{ "type": "rich_text", "elements": [{ "type": "rich_text_section",
            "elements": [{ "type": "link", "url": url, "text": "go" }] }] }]);
        assert_eq!(text(&slack::parse(Some(&blocks), "", Budget::default())), "go", "{url}");
    }
}

#[test]
fn only_allowed_tags_and_attributes_leave() {
    let document = Document { blocks: vec![] };
    assert_eq!(teams::render(&document, Flavour::Graph).html, "");
    assert_eq!(slack::render(&document).text, "");
    assert_eq!(slack::render(&document).blocks, serde_json::json!([]));
}

fn tags(html: &str) -> Vec<String> {
    html.split('<').skip(1).map(|rest| rest.split('>').next().unwrap().to_owned()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_text_becomes_a_mention(document in words()) {
        let sent = slack::render(&document);
        prop_assert!(!sent.text.contains('<'));
        let kinds = sent.blocks.to_string();
        for kind in ["\"user\"", "\"broadcast\"", "\"usergroup\"", "\"channel\"", "\"link\""] {
            let needle = format!("\"type\":{kind}");
            prop_assert!(!kinds.contains(&needle), "{}", kinds);
        }
        for flavour in [Flavour::Graph, Flavour::Bot] {
            let sent = teams::render(&document, flavour);
            prop_assert!(sent.mentions.is_empty());
            prop_assert!(!sent.html.contains("<at"));
        }
    }

    #[test]
    fn only_mentions_mention_on_webex_and_zoom(document in testing::document()) {
        let mut wanted = 0;
        degrade::webex(document.clone()).visit_inlines(&mut |inline| {
            wanted += usize::from(matches!(inline, Inline::Mention(_)));
        });
        let sent = webex::render(&document);
        prop_assert_eq!(webex_service::mentions(&sent.markdown), wanted, "{}", sent.markdown);
        prop_assert_eq!(sent.markdown.matches("<@").count(), wanted);
        prop_assert!(!sent.text.contains("<@"));
        let mut wanted = 0;
        degrade::zoom(document.clone()).visit_inlines(&mut |inline| {
            wanted += usize::from(matches!(inline, Inline::Mention(_)));
        });
        prop_assert_eq!(zoom::render(&document, Offsets::SENDING).at_items.len(), wanted);
    }

    #[test]
    fn html_holds_only_what_teams_keeps(document in testing::document()) {
        for flavour in [Flavour::Graph, Flavour::Bot] {
            let sent = teams::render(&document, flavour);
            for tag in tags(&sent.html) {
                let (name, attributes) = tag.split_once(' ').unwrap_or((&tag, ""));
                let name = name.trim_start_matches('/');
                prop_assert!(
                    ["p", "strong", "em", "u", "s", "h1", "h2", "h3", "blockquote", "pre", "code", "ul", "ol",
                     "li", "table", "thead", "tbody", "tr", "th", "td", "hr", "a", "br", "at", "codeblock"]
                        .contains(&name),
                    "{}", tag
                );
                let fits = match name {
                    "a" => attributes.is_empty()
                        || ["http://", "https://", "mailto:", "tel:"]
                            .iter()
                            .any(|scheme| attributes.starts_with(&format!("href=\"{scheme}"))),
                    "at" => attributes.is_empty() || attributes.starts_with("id=\""),
                    "ol" => attributes.is_empty() || attributes.starts_with("start=\""),
                    "codeblock" => attributes.is_empty() || attributes.starts_with("class=\""),
                    _ => attributes.is_empty(),
                };
                prop_assert!(fits, "{}", tag);
            }
            for mention in &sent.mentions {
                let needle = format!(">{}</at>", mention.name);
                prop_assert!(sent.html.contains(&needle), "{} in {}", needle, sent.html);
            }
        }
    }

    #[test]
    fn slack_stays_within_fifty_blocks(blocks in proptest::collection::vec(testing::block(), 0..80)) {
        let sent = slack::render(&Document { blocks });
        prop_assert!(sent.blocks.as_array().unwrap().len() <= 50);
    }
}
