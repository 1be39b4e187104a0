//! Input that is made to hurt: no panic, no deep recursion, no more time per byte than a small factor.

use std::time::{Duration, Instant};

use dragoman_markup::teams::{Flavour, TeamsAttachment, TeamsInput};
use dragoman_markup::webex::WebexInput;
use dragoman_markup::zoom::{End, Format, Offsets, Unit, ZoomInput, ZoomMention, ZoomRange};
use dragoman_markup::{Budget, canonical, plain, slack, teams, webex, zoom};
use dragoman_model::{Block, Document};
use proptest::prelude::*;
use serde_json::{Value, json};

const SIZE: usize = 200 * 1024;

fn repeated(unit: &str) -> String {
    unit.repeat(SIZE / unit.len())
}

fn ordinary() -> String {
    repeated(
        "Could you look at the build of *last night*? It fails on `main`, see <https://ci.example/4711|the log>. Thanks!\n",
    )
}

fn ordinary_html() -> String {
    repeated(
        "<p>Could you look at the build of <strong>last night</strong>? It fails, see <a href=\"https://ci.example/4711\">the log</a>.&nbsp;Thanks!</p>",
    )
}

/// How many times as long as what is ordinary, of the same size, anything may take.
const FACTOR: u32 = 20;

#[expect(clippy::disallowed_methods, reason = "the time that parsing takes is what is measured")]
fn time(work: &dyn Fn() -> Document) -> Duration {
    let start = Instant::now();
    let document = work();
    let elapsed = start.elapsed();
    assert!(canonical(&document).len() < 64 * SIZE);
    elapsed
}

/// It takes no longer than what is ordinary does [`FACTOR`] times right after it, on the same busy machine; in one of
/// three attempts.
fn keeps_up(name: &str, ordinary: &dyn Fn() -> Document, work: &dyn Fn() -> Document) {
    let is_quick = || {
        let taken = time(work);
        let mut usual = Duration::ZERO;
        (0..FACTOR).any(|_| {
            usual += time(ordinary);
            usual >= taken
        })
    };
    assert!((0..3).any(|_| is_quick()), "{name}: more than {FACTOR} times the time of what is ordinary");
}

fn slow_down(ordinary: &dyn Fn() -> Document, hostile: &[(&str, String)], parse: &dyn Fn(&str) -> Document) {
    for (name, text) in hostile {
        keeps_up(name, ordinary, &|| parse(text));
    }
}

#[test]
fn mrkdwn_takes_linear_time() {
    let units = [
        "*",
        "_",
        "~",
        "`",
        "```",
        "<",
        ">",
        "<@",
        "<!",
        "<a|",
        "&",
        "&amp",
        "&gt;",
        ":",
        ":a",
        ":a:",
        "_:",
        "* ",
        " *a",
        "*_~`",
        "\n",
        "\n>",
        ">>>",
        "::skin-tone-",
        "<>",
        "<|>",
        "\u{1f44d}",
        "*a* ",
        ":+1:",
        "_a_b",
        "<!date^1^{date}|",
    ];
    let hostile: Vec<(&str, String)> = units.iter().map(|unit| (*unit, repeated(unit))).collect();
    let text = ordinary();
    let parse = |text: &str| slack::parse_mrkdwn(text, Budget::default());
    slow_down(&|| parse(&text), &hostile, &parse);
}

#[test]
fn html_takes_linear_time() {
    let units = [
        "<",
        "<a",
        "<a ",
        "a b c d ",
        "<p>",
        "</p>",
        "<b>",
        "</b>",
        "<ul>",
        "<li>",
        "<ul><li>",
        "<table><tr><td>",
        "<td>",
        "</td>",
        "<blockquote>",
        "</blockquote>",
        "<at>",
        "<at id=0>",
        "</at>",
        "<br>",
        "&nbsp;",
        "&",
        "&a",
        "&#",
        "<!--",
        "<!-- -->",
        "<a href=\"https://a.example\">",
        "<code>",
        "<pre>",
        "<codeblock>",
        "<emoji alt=\"x\">",
        "<span itemtype=\"/Mention\">",
        " ",
        "\n",
        "<x y=",
        "<x y=\"",
        "<script>",
        "<attachment id=\"1\"/>",
        "<h1>",
        "<img src=x>",
        "\"",
        "='' a",
        "<hr>",
    ];
    let mut hostile: Vec<(&str, String)> = units.iter().map(|unit| (*unit, repeated(unit))).collect();
    hostile.push(("attributes", format!("<a {}>x", repeated("b c d/e "))));
    hostile.push(("quoted attributes", format!("<a {}>x", repeated("a=''b=\"\""))));
    let distinct: String = (0..SIZE / 8).map(|n| n.to_string() + "a ").collect();
    hostile.push(("distinct attributes", format!("<a {distinct}>x")));
    hostile.push(("tag after comment", format!("<!-- <a title=\" --><a {distinct}>x")));
    let html = ordinary_html();
    let parse = |html: &str| teams::parse(TeamsInput::new(html), Budget::default());
    slow_down(&|| parse(&html), &hostile, &parse);
}

#[test]
fn webex_takes_linear_time() {
    let mention = "<spark-mention data-object-type=\"person\" data-object-id=\"x\">";
    let units =
        ["<p>", "</p>", "<p>a", "<br>", "<br><br>a", mention, "</spark-mention>", "<pre><code>", "\u{200b}"];
    let hostile: Vec<(&str, String)> = units.iter().map(|unit| (*unit, repeated(unit))).collect();
    let html = ordinary_html();
    let parse = |html: &str| webex::parse(WebexInput { html: Some(html), text: "" }, Budget::default());
    slow_down(&|| parse(&html), &hostile, &parse);
    let words = ["*", "`", "``` ", "<@", " ", "a*", "!", "\\", "1.", "\n", "\n\n-", "_a"];
    let hostile: Vec<(&str, String)> = words.iter().map(|unit| (*unit, repeated(unit))).collect();
    let through = |text: &str| {
        let document = Document::plain(text);
        assert!(webex::render(&document).bytes() <= 8 * text.len());
        assert!(zoom::render(&document, Offsets::SENDING).message.len() <= text.len());
        document
    };
    let text = ordinary();
    slow_down(&|| through(&text), &hostile, &through);
}

#[test]
fn zoom_takes_linear_time() {
    let text = repeated("@Ana wrote **this** here\n");
    let all = i64::try_from(text.len()).unwrap();
    let formats = || {
        [
            Format::Bold,
            Format::BulletedList,
            Format::NumberedList,
            Format::Quote,
            Format::Paragraph(1),
            Format::AddLink("https://a.example/".into()),
        ]
    };
    let read = |rich_text: &[ZoomRange], at_items: &[ZoomMention]| {
        let input = ZoomInput { message: &text, rich_text, at_items, offsets: Offsets::READING };
        zoom::parse(input, Budget::default())
    };
    let range = |start, end, format| ZoomRange { start, end, format };
    let ordinary: Vec<ZoomRange> = (0..20_000).map(|n| range(n * 10, n * 10 + 5, Format::Bold)).collect();
    let usual = || read(&ordinary, &[]);
    for format in formats() {
        let nested: Vec<ZoomRange> = (0..20_000).map(|n| range(n, all - n, format.clone())).collect();
        let same: Vec<ZoomRange> = (0..20_000).map(|_| range(0, all, format.clone())).collect();
        for hostile in [nested, same] {
            keeps_up(&format!("{:?}", format.wire()), &usual, &|| read(&hostile, &[]));
        }
    }
    let everybody: Vec<ZoomMention> =
        (0..20_000).map(|n| ZoomMention { start: n, end: all, person: None, name: "all".into() }).collect();
    keeps_up("mentions", &usual, &|| read(&[], &everybody));
}

#[test]
fn rendering_takes_linear_time() {
    let hostile: Vec<(&str, String)> =
        ["*a* ", "&", "<", " ", "x", "\n", ":+1: "].iter().map(|unit| (*unit, repeated(unit))).collect();
    let through = |text: &str| {
        let document = slack::parse_mrkdwn(text, Budget::default());
        let html = teams::render(&document, Flavour::Graph).html;
        let blocks = slack::render(&document).blocks;
        assert!(!html.is_empty() || blocks == json!([]) || document.is_empty());
        document
    };
    let text = ordinary();
    slow_down(&|| through(&text), &hostile, &through);
}

#[test]
fn a_tag_that_is_too_long_is_skipped_and_reading_goes_on() {
    let attributes = "x y ".repeat(5000);
    let html = format!("<p>before</p><a {attributes}>link</a><p>after</p>");
    let read = plain(&teams::parse(TeamsInput::new(&html), Budget::default()));
    assert!(read.contains("before") && read.contains("link") && read.contains("after"));
    assert!(!read.contains("x y"));
    let html = format!("<p>before</p><!-- {} > --><p>after</p>", "a b ".repeat(5000));
    assert_eq!(plain(&teams::parse(TeamsInput::new(&html), Budget::default())), "before\nafter");
}

fn depth(blocks: &[Block]) -> usize {
    blocks
        .iter()
        .map(|block| match block {
            Block::Quote(inner) => 1 + depth(inner),
            Block::List { items, .. } => 1 + items.iter().map(|item| depth(&item.blocks)).max().unwrap_or(0),
            _ => 1,
        })
        .max()
        .unwrap_or(0)
}

#[test]
fn depth_is_bounded() {
    for unit in ["<blockquote>", "<ul><li>", "<div>", "<b>", "<table><tr><td>", "<span>"] {
        let html = format!("{}deep", unit.repeat(20_000));
        let document = teams::parse(TeamsInput::new(&html), Budget::default());
        assert!(depth(&document.blocks) <= 65, "{unit}");
        assert!(plain(&document).contains("deep"), "{unit}");
    }
    let mut nested = json!({ "type": "rich_text_section", "elements": [{ "type": "text", "text": "x" }] });
    for _ in 0..100 {
        nested = json!({ "type": "rich_text_section", "elements": [nested], "text": "deep" });
    }
    let blocks = json!([{ "type": "rich_text", "elements": [nested] }]);
    assert_eq!(plain(&slack::parse(Some(&blocks), "", Budget::default())), "deep");
    let deep = slack::parse_mrkdwn(&"&gt;".repeat(10_000), Budget::default());
    assert!(depth(&deep.blocks) < 5);
}

#[test]
fn over_budget_the_rest_is_text() {
    let small = Budget { depth: 4, bytes: 20, nodes: 5 };
    let read = plain(&slack::parse_mrkdwn("*one* *two* *three* *four* *five* *six*", small));
    for word in ["one", "two", "three", "four", "five", "six"] {
        assert!(read.contains(word), "{word}");
    }
    let read = plain(&teams::parse(TeamsInput::new(&"<b>a</b><i>b</i>".repeat(10)), small));
    assert!(read.matches('a').count() >= 10);
    let elements: Vec<Value> = (0..50)
        .map(|n| json!({ "type": "text", "text": format!("w{n} "), "style": { "bold": n % 2 == 0 } }))
        .collect();
    let blocks =
        json!([{ "type": "rich_text", "elements": [{ "type": "rich_text_section", "elements": elements }] }]);
    let read = plain(&slack::parse(Some(&blocks), "", small));
    assert!(read.contains("w0") && read.contains("w49"));
}

#[test]
fn an_attachment_has_one_place() {
    let attachments = [TeamsAttachment { id: "1".into(), document: Document::plain(&"long ".repeat(1000)) }];
    let html = "<attachment id=\"1\"></attachment>".repeat(1000);
    let input = TeamsInput { html: &html, mentions: &[], attachments: &attachments };
    assert_eq!(plain(&teams::parse(input, Budget::default())).matches("long").count(), 1000);
}

fn json_value() -> impl Strategy<Value = Value> {
    let word = proptest::sample::select(
        &[
            "rich_text",
            "rich_text_section",
            "rich_text_list",
            "rich_text_quote",
            "rich_text_preformatted",
            "text",
            "link",
            "user",
            "emoji",
            "date",
            "section",
            "header",
            "context",
            "table",
            "markdown",
            "mrkdwn",
            "plain_text",
            "https://a.example",
            "*x* `y`",
            "ordered",
            "bullet",
            "image",
            "actions",
        ][..],
    );
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(|n| json!(n)),
        word.prop_map(|word| json!(word)),
        "\\PC{0,8}".prop_map(Value::String),
    ];
    let key = proptest::sample::select(
        &[
            "type",
            "elements",
            "text",
            "url",
            "style",
            "indent",
            "offset",
            "border",
            "name",
            "user_id",
            "rows",
            "fields",
            "blocks",
            "attachments",
            "title",
            "fallback",
            "timestamp",
            "unicode",
            "skin_tone",
            "emoji",
            "accessory",
            "image_url",
            "alt_text",
            "message_blocks",
            "pretext",
        ][..],
    );
    leaf.prop_recursive(6, 64, 8, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            proptest::collection::btree_map(key.clone().prop_map(str::to_owned), inner, 0..8)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_text_is_read(text in "(\\PC|[<>&*_~`:|!@#^\\n \"'=/;-]){0,120}") {
        let budget = Budget::default();
        let _ = slack::parse_mrkdwn(&text, budget);
        let _ = teams::parse(TeamsInput::new(&text), budget);
        let _ = teams::parse_plain(&text);
        let _ = webex::parse(WebexInput { html: Some(&text), text: "" }, budget);
        let _ = webex::parse(WebexInput { html: None, text: &text }, budget);
        let _ = slack::parse(Some(&json!([{ "type": "markdown", "text": text }])), &text, budget);
        let _ = dragoman_markup::emoji::from_slack(&text);
        let _ = dragoman_markup::emoji::from_teams_reaction(&text);
    }

    #[test]
    fn any_json_is_read(value in json_value()) {
        let budget = Budget::default();
        let document = slack::parse(Some(&value), "x", budget);
        let _ = slack::parse(Some(&json!([value])), "x", budget);
        let _ = slack::parse_attachments(&value, budget);
        let _ = slack::parse_attachments(&json!([value]), budget);
        let read = slack::parse(Some(&slack::render(&document).blocks), "", budget);
        prop_assert_eq!(read, dragoman_markup::degrade::slack(document).normalise());
    }

    #[test]
    fn any_ranges_are_read(
        message in "(\\PC|[\n@ a\u{1f44d}]){0,40}",
        ranges in proptest::collection::vec((-3_i64..50, -3_i64..50, 0_usize..9), 0..12),
        huge in any::<bool>(),
    ) {
        let factor = if huge { i64::MAX / 64 } else { 1 };
        let kinds = ["Bold", "Italic", "Strikethrough", "Underline", "BulletedList", "NumberedList", "Quote", "Paragraph", "AddLink"];
        let rich_text: Vec<ZoomRange> = ranges
            .iter()
            .map(|(start, end, kind)| {
                let attribute = if kinds[*kind] == "Paragraph" { "h2" } else { "https://a.example/" };
                let format = Format::read(kinds[*kind], attribute).unwrap();
                ZoomRange { start: *start, end: end.saturating_mul(factor), format }
            })
            .collect();
        let at_items: Vec<ZoomMention> = ranges
            .iter()
            .map(|(start, end, kind)| ZoomMention {
                start: *end,
                end: start.saturating_mul(factor),
                person: (kind % 2 == 0).then(|| "person".to_owned()),
                name: String::new(),
            })
            .collect();
        for unit in [Unit::Utf16, Unit::Chars] {
            for end in [End::Inclusive, End::Exclusive, End::Either] {
                let offsets = Offsets { unit, end };
                let input = ZoomInput { message: &message, rich_text: &rich_text, at_items: &at_items, offsets };
                let document = zoom::parse(input, Budget::default());
                let read = crate::webex_zoom::through_zoom(&document, Offsets::SENDING);
                prop_assert_eq!(read, dragoman_markup::degrade::zoom(document));
            }
        }
    }
}
