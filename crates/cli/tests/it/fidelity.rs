//! `fidelity`: of platforms without a gateway, of conversations with the scopes that they have; and `doctor` on
//! scopes.

use std::fs;
use std::path::Path;
use std::process::Command;

use http::Method;
use serde_json::Value;

use crate::rig::{BINARY, Rig, text};
use crate::sims::Sims;
use crate::world::{add_slack, add_teams, enter_team, install, link};

fn told(arguments: &[&str]) -> String {
    let mut command = Command::new(BINARY);
    let output = command.arg("fidelity").args(arguments).output().expect("the binary runs");
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

fn ways(arguments: &[&str]) -> Vec<Value> {
    let told = told(&[arguments, &["--json"]].concat());
    serde_json::from_str::<Value>(&told).expect("JSON").as_array().cloned().expect("a list")
}

fn level(ways: &Value, into: &str, feature: &str) -> String {
    let ways = ways.as_array().expect("a list");
    let way = ways.iter().find(|way| way["to"]["platform"] == into).expect("a way");
    let features = way["features"].as_array().expect("a list");
    let found = features.iter().find(|it| it["feature"] == feature).expect("a feature");
    found["level"].as_str().expect("a level").to_owned()
}

#[test]
fn the_page_is_what_the_connectors_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/FIDELITY.md");
    let page = fs::read_to_string(&path).expect("docs/FIDELITY.md");
    let fresh = told(&["--markdown"]);
    assert!(
        page == fresh,
        "docs/FIDELITY.md is not what the connectors say; run\n  cargo run -p dragoman-cli -- fidelity --markdown > docs/FIDELITY.md"
    );
}

#[test]
fn without_arguments_it_is_the_whole_matrix() {
    let all = ways(&[]);
    let mut kinds: Vec<&str> = all.iter().map(|way| way["to"]["name"].as_str().expect("a name")).collect();
    kinds.sort_unstable();
    kinds.dedup();
    assert!(kinds.contains(&"Slack") && kinds.iter().any(|kind| kind.ends_with("channel")), "{kinds:?}");
    assert_eq!(all.len(), kinds.len() * kinds.len(), "every ordered pair, two of the same too");
    let table = told(&[]);
    assert!(table.starts_with("FEATURE") && table.contains("INTO Slack"), "{table}");
    assert!(table.lines().any(|line| line.starts_with("deletion") && line.contains("native")), "{table}");
}

#[test]
fn two_platforms_are_told_both_ways() {
    let some = ways(&["slack", "teams"]);
    let into = |platform: &str| some.iter().filter(|way| way["to"]["platform"] == platform).count();
    assert_eq!((into("slack"), into("teams")), (2, 2), "a channel and a chat differ");
    assert_eq!(ways(&["slack", "slack"]).len(), 1);
    let table = told(&["slack", "teams"]);
    assert!(table.contains(" → Slack") && table.contains("UTF-16 units"), "{table}");
    for (wrong, cure) in
        [(&["slak", "teams"][..], "slack"), (&["slack"], "two or more"), (&["slack", "teams:#x"], "only")]
    {
        let output = Command::new(BINARY).arg("fidelity").args(wrong).output().expect("the binary runs");
        assert!(!output.status.success() && text(&output.stderr).contains(cure), "{wrong:?}");
    }
}

#[tokio::test]
async fn what_passes_follows_the_scopes_and_doctor_knows_what_is_too_much() {
    let sims = Sims::start(&[]);
    let rig = Rig::new(&sims.config());
    let refused = rig.refused(&["fidelity", "slack:#launch", "teams:#launch"]);
    assert!(refused.contains("dragoman serve"), "{refused}");
    let _gateway = rig.serve().await;
    rig.ok(&["org", "add", "Harbor Works"]);
    add_slack(&rig, &sims, false).await;
    add_teams(&rig, &sims).await;
    let odd = rig.refused(&["app", "set", "slack", "--features", "smells"]);
    assert!(odd.contains("'smells'") && odd.contains("reactions"), "{odd}");
    rig.ok(&["app", "set", "slack", "--features", "messages"]);
    // Slack adds what is granted to what was granted before, so that has to go first.
    let url = format!(
        "{}/api/apps.uninstall?client_id={}&client_secret={}",
        sims.slack("base_url"),
        sims.slack("client_id"),
        sims.slack("client_secret")
    );
    let gone = sims.http.call(Method::GET, &url, sims.slack("bot_token"), &Value::Null).await;
    assert_eq!(gone["ok"], true, "{gone}");
    install(&rig, &sims, "slack").await;
    install(&rig, &sims, "teams").await;
    enter_team(&sims).await;
    link(&rig, &["slack:#launch", "teams:#launch"]).await;
    let scopes = || {
        let (table, _) = rig.ok(&["doctor"]);
        let found: Vec<String> =
            table.lines().filter(|line| line.contains(" scopes ")).map(str::to_owned).collect();
        found.into_iter().find(|line| line.contains("Slack")).expect("a line on Slack")
    };

    let pair = ["fidelity", "slack:#launch", "teams:#launch"];
    assert_eq!(level(&rig.json(&pair), "slack", "reaction-app"), "fallback", "it may not react");
    assert!(scopes().starts_with('✓'), "{}", scopes());
    let (table, _) = rig.ok(&pair);
    assert!(table.contains("INTO Slack #launch") || table.contains("INTO Slack launch"), "{table}");

    rig.ok(&["app", "set", "slack", "--features", "messages,reactions"]);
    let lacks = scopes();
    assert!(lacks.starts_with('!') && lacks.contains("lacks reactions:read (reactions)"), "{lacks}");
    install(&rig, &sims, "slack").await;
    assert!(scopes().starts_with('✓'), "{}", scopes());
    assert_eq!(level(&rig.json(&pair), "slack", "reaction-app"), "partial");

    rig.ok(&["app", "set", "slack", "--features", "messages"]);
    let needless = scopes();
    assert!(needless.starts_with('!') && needless.contains("granted reactions:read, reactions:write"));
}
