//! Webex and Zoom: what is rendered reads back as what the platform can hold, from any of the four to any other.

use dragoman_markup::teams::{Flavour, TeamsInput, TeamsMention};
use dragoman_markup::webex::WebexInput;
use dragoman_markup::zoom::{End, Offsets, Unit, ZoomInput};
use dragoman_markup::{Budget, degrade, slack, teams, testing, webex, zoom};
use dragoman_model::{Block, Document, Inline};
use proptest::prelude::*;

use crate::webex_service;

pub(crate) fn through_webex(document: &Document) -> Document {
    let sent = webex::render(document);
    let html = webex_service::html(&sent.markdown);
    webex::parse(WebexInput { html: Some(&html), text: "" }, Budget::default())
}

pub(crate) fn through_zoom(document: &Document, offsets: Offsets) -> Document {
    let sent = zoom::render(document, offsets);
    let input =
        ZoomInput { message: &sent.message, rich_text: &sent.rich_text, at_items: &sent.at_items, offsets };
    zoom::parse(input, Budget::default())
}

fn through_teams(document: &Document) -> Document {
    let sent = teams::render(document, Flavour::Graph);
    let mentions: Vec<TeamsMention> = sent
        .mentions
        .iter()
        .map(|m| TeamsMention { index: m.index, id: m.id.clone(), name: m.name.clone(), kind: m.kind })
        .collect();
    teams::parse(TeamsInput { html: &sent.html, mentions: &mentions, attachments: &[] }, Budget::default())
}

fn through_slack(document: &Document) -> Document {
    slack::parse(Some(&slack::render(document).blocks), "", Budget::default())
}

struct Platform {
    name: &'static str,
    through: fn(&Document) -> Document,
    degrade: fn(Document) -> Document,
}

const PLATFORMS: [Platform; 4] = [
    Platform { name: "slack", through: through_slack, degrade: degrade::slack },
    Platform { name: "teams", through: through_teams, degrade: degrade::teams },
    Platform { name: "webex", through: through_webex, degrade: degrade::webex },
    Platform {
        name: "zoom",
        through: |document| through_zoom(document, Offsets::SENDING),
        degrade: degrade::zoom,
    },
];

fn offsets() -> impl Strategy<Value = Offsets> {
    (
        proptest::sample::select(&[Unit::Utf16, Unit::Chars][..]),
        proptest::sample::select(&[End::Inclusive, End::Exclusive][..]),
    )
        .prop_map(|(unit, end)| Offsets { unit, end })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn webex_reads_what_it_was_sent(document in testing::document()) {
        let expected = degrade::webex(document.clone()).normalise();
        let sent = webex::render(&document).markdown;
        prop_assert_eq!(through_webex(&document), expected.clone(), "{}\n{}", &sent, webex_service::html(&sent));
        prop_assert_eq!(degrade::webex(expected.clone()), expected);
    }

    #[test]
    fn zoom_reads_what_it_was_sent(document in testing::document(), offsets in offsets()) {
        let expected = degrade::zoom(document.clone()).normalise();
        let sent = zoom::render(&document, offsets);
        prop_assert_eq!(through_zoom(&document, offsets), expected.clone(), "{}\n{:?}", sent.message, sent.rich_text);
        prop_assert_eq!(degrade::zoom(expected.clone()), expected);
    }

    #[test]
    fn every_pair_holds_what_both_can(document in testing::document()) {
        for from in &PLATFORMS {
            let read = (from.through)(&document);
            for to in PLATFORMS.iter().filter(|to| to.name != from.name) {
                let expected = (to.degrade)((from.degrade)(document.clone())).normalise();
                prop_assert_eq!((to.through)(&read), expected, "{} to {}", from.name, to.name);
            }
        }
    }

    /// Words with spaces between read the same whichever of both Zoom means by the end of a range.
    #[test]
    fn zoom_reads_both_ends(
        words in proptest::collection::vec(("[a-z\u{e9}\u{65e5}\u{1f44d}]{0,3}[a-z\u{65e5}]", 0_u8..4, any::<bool>()), 1..12),
        unit in proptest::sample::select(&[Unit::Utf16, Unit::Chars][..]),
    ) {
        let mut inlines = Vec::new();
        for (word, style, line) in words {
            let word = vec![Inline::Text(word)];
            inlines.push(match style {
                0 => Inline::Strong(word),
                1 => Inline::Emphasis(word),
                2 => Inline::Link { url: "https://a.example/x".into(), text: word },
                _ => Inline::Strike(word),
            });
            inlines.push(if line { Inline::Break } else { Inline::Text(", ".into()) });
        }
        let document = Document { blocks: vec![Block::Paragraph(inlines)] };
        let expected = degrade::zoom(document.clone());
        for end in [End::Inclusive, End::Exclusive] {
            let sent = zoom::render(&document, Offsets { unit, end });
            let input = ZoomInput {
                message: &sent.message,
                rich_text: &sent.rich_text,
                at_items: &sent.at_items,
                offsets: Offsets { unit, end: End::Either },
            };
            prop_assert_eq!(zoom::parse(input, Budget::default()), expected.clone());
        }
    }
}
