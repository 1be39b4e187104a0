//! What is rendered reads back as what the platform can hold.

use dragoman_markup::teams::{Flavour, TeamsInput, TeamsMention};
use dragoman_markup::{Budget, degrade, slack, teams, testing};
use dragoman_model::Document;
use proptest::prelude::*;

fn through_teams(document: &Document, flavour: Flavour) -> Document {
    let sent = teams::render(document, flavour);
    let mentions: Vec<TeamsMention> = sent
        .mentions
        .iter()
        .map(|m| TeamsMention { index: m.index, id: m.id.clone(), name: m.name.clone(), kind: m.kind })
        .collect();
    teams::parse(TeamsInput { html: &sent.html, mentions: &mentions, attachments: &[] }, Budget::default())
}

fn through_slack(document: &Document) -> Document {
    let sent = slack::render(document);
    slack::parse(Some(&sent.blocks), "", Budget::default())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn the_normal_form_is_known_when_it_is_seen(document in testing::document()) {
        let normal = document.clone().normalise();
        prop_assert!(normal.is_normal());
        prop_assert_eq!(document.is_normal(), document == normal);
    }

    #[test]
    fn html_is_never_longer_than_its_bound(document in testing::document()) {
        for flavour in [Flavour::Graph, Flavour::Bot] {
            let html = teams::render(&document, flavour).html;
            prop_assert!(html.len() <= teams::at_most(&document), "{html}");
        }
    }

    #[test]
    fn slack_reads_what_it_was_sent(document in testing::document()) {
        let expected = degrade::slack(document.clone()).normalise();
        prop_assert_eq!(through_slack(&document), expected.clone(), "{}", slack::render(&document).blocks);
        prop_assert_eq!(degrade::slack(expected.clone()), expected);
    }

    #[test]
    fn graph_reads_what_it_was_sent(document in testing::document()) {
        let expected = degrade::teams(document.clone()).normalise();
        prop_assert_eq!(through_teams(&document, Flavour::Graph), expected.clone(), "{}", teams::render(&document, Flavour::Graph).html);
        prop_assert_eq!(degrade::teams(expected.clone()), expected);
    }

    #[test]
    fn bots_read_what_they_sent(document in testing::document()) {
        let expected = degrade::teams_for(document.clone(), Flavour::Bot).normalise();
        prop_assert_eq!(through_teams(&document, Flavour::Bot), expected.clone(), "{}", teams::render(&document, Flavour::Bot).html);
        prop_assert_eq!(degrade::teams_for(expected.clone(), Flavour::Bot), expected);
    }
}
