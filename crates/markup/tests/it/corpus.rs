//! The seeds of the fuzz targets, as plain tests.

use std::path::Path;

use dragoman_markup::teams::{Flavour, TeamsInput};
use dragoman_markup::webex::WebexInput;
use dragoman_markup::{Budget, degrade, slack, teams, webex};

use crate::webex_zoom::through_webex;

fn seeds(target: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let mut paths: Vec<_> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "{target} has no seeds");
    paths.iter().map(|path| String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned()).collect()
}

#[test]
fn slack_mrkdwn() {
    for seed in seeds("slack_mrkdwn") {
        let document = slack::parse_mrkdwn(&seed, Budget::default());
        let read = slack::parse(Some(&slack::render(&document).blocks), "", Budget::default());
        assert_eq!(read, degrade::slack(document).normalise());
    }
}

#[test]
fn slack_blocks() {
    for seed in seeds("slack_blocks") {
        let Ok(value) = serde_json::from_str::<serde_json::Value>(&seed) else { continue };
        let document = slack::parse(value.get("blocks").or(Some(&value)), "", Budget::default());
        let read = slack::parse(Some(&slack::render(&document).blocks), "", Budget::default());
        assert_eq!(read, degrade::slack(document).normalise());
    }
}

#[test]
fn teams_html() {
    for seed in seeds("teams_html") {
        let document = teams::parse(TeamsInput::new(&seed), Budget::default());
        let html = teams::render(&document, Flavour::Graph).html;
        let read = teams::parse(TeamsInput::new(&html), Budget::default());
        assert_eq!(read, degrade::teams(document).normalise());
    }
}

#[test]
fn webex_html() {
    for seed in seeds("webex_html") {
        let document = webex::parse(WebexInput { html: Some(&seed), text: "" }, Budget::default());
        assert_eq!(through_webex(&document), degrade::webex(document).normalise());
    }
}
