//! The demo: it leaves nothing behind, and its story is one document.

use std::collections::BTreeSet;
use std::fs;
use std::process::{Child, Command, Stdio};

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::http::{Http, eventually};
use crate::rig::{BINARY, line_of, signal_to, text};

fn demo(temporary: &TempDir, arguments: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    command.arg("demo").args(arguments).env("TMPDIR", temporary.path()).env_remove("RUST_LOG");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

async fn ends(mut child: Child, temporary: &TempDir, succeeds: bool) {
    let status = eventually("the demo ends", async || child.try_wait().expect("a child")).await;
    assert_eq!(status.success(), succeeds, "{status}");
    let left: Vec<_> = fs::read_dir(temporary.path()).expect("a folder").flatten().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn the_demo_ends_with_ctrl_c_and_leaves_nothing() {
    let temporary = TempDir::new().expect("a folder");
    let mut child = demo(&temporary, &[]).spawn().expect("the binary runs");
    let page = line_of(child.stdout.as_mut().expect("a pipe"), "http://127.0.0.1:");
    let (status, html) = Http::new().get(&page).await.expect("a page");
    assert!(status.is_success() && html.contains("Dragoman"), "{html}");
    assert_eq!(fs::read_dir(temporary.path()).expect("a folder").count(), 1);
    signal_to(&child, Signal::INT);
    ends(child, &temporary, true).await;
    assert!(Http::new().get(&page).await.is_none(), "nobody listens any more");
}

#[tokio::test]
async fn ctrl_c_while_the_demo_starts_leaves_nothing() {
    let temporary = TempDir::new().expect("a folder");
    let child = demo(&temporary, &[]).spawn().expect("the binary runs");
    eventually("it has begun", async || {
        fs::read_dir(temporary.path()).expect("a folder").next().is_some().then_some(())
    })
    .await;
    signal_to(&child, Signal::INT);
    ends(child, &temporary, true).await;
}

#[tokio::test]
async fn a_story_that_is_interrupted_fails_and_leaves_nothing() {
    let temporary = TempDir::new().expect("a folder");
    let child = demo(&temporary, &["--story"]).spawn().expect("the binary runs");
    eventually("it has begun", async || {
        fs::read_dir(temporary.path()).expect("a folder").next().is_some().then_some(())
    })
    .await;
    signal_to(&child, Signal::TERM);
    ends(child, &temporary, false).await;
}

#[test]
fn the_story_is_one_document_and_everything_in_it_arrived() {
    let temporary = TempDir::new().expect("a folder");
    let output = demo(&temporary, &["--story", "--json"]).output().expect("the binary runs");
    let story: Value = serde_json::from_slice(&output.stdout).expect("one JSON document");
    let steps = story["steps"].as_array().expect("steps");
    let failed: Vec<&Value> = steps.iter().filter(|step| step["ok"] != true).collect();
    assert!(output.status.success() && failed.is_empty(), "{failed:#?}");
    for key in ["bridge", "name", "feature", "from", "to", "detail"] {
        assert!(steps.iter().all(|step| step[key].is_string()), "{key}");
    }
    assert!(steps.iter().all(|step| step["ms"].is_u64()));
    let platforms = ["slack", "teams", "webex", "zoom"];
    for (from, to) in platforms.iter().flat_map(|from| platforms.iter().map(move |to| (from, to))) {
        let told = steps.iter().filter(|step| step["from"] == *from && step["to"] == *to);
        let features: BTreeSet<&str> = told.filter_map(|step| step["feature"].as_str()).collect();
        for feature in ["text", "thread-reply", "edit", "deletion", "mention-person", "author-name"] {
            assert!(features.contains(feature), "{from} to {to}: {feature}");
        }
    }
    let five = steps.iter().filter(|step| step["bridge"] == "five members").count();
    let acts = 5 * 7 + 4;
    assert_eq!(five, acts * 4, "five members, seven acts and reactions but on Webex, four readers");
    let told = [
        ("what was written before the link", 5 * 4),
        ("what was written during an outage", 4 * 3),
        ("what was edited during an outage", 4 * 3),
        ("what was deleted during an outage", 4 * 3),
        ("a forbidden file: its name only", 4 * 3),
        ("a forbidden file: its sender is told", 4),
        ("asked by the app's command", 3),
        ("shown on the app's page", 3),
    ];
    for (name, count) in told {
        assert_eq!(steps.iter().filter(|step| step["name"] == name).count(), count, "{name}");
    }
    for feature in ["own-token", "reaction-own"] {
        assert!(steps.iter().any(|step| step["feature"] == feature), "{feature}");
    }
    let late = steps.iter().filter(|step| step["ms"].as_u64() > Some(20_000));
    assert_eq!(late.count(), 0, "an edit that nobody announces is found within 20 seconds");
    assert_eq!(fs::read_dir(temporary.path()).expect("a folder").count(), 0);
}

#[test]
fn a_port_in_use_is_named_and_nothing_is_left() {
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let temporary = TempDir::new().expect("a folder");
    let output = demo(&temporary, &["--port", &port]).output().expect("the binary runs");
    let told = text(&output.stderr);
    assert!(!output.status.success() && told.contains(&port) && told.contains("--port"), "{told}");
    assert_eq!(fs::read_dir(temporary.path()).expect("a folder").count(), 0);
    let sim = Command::new(BINARY).args(["sim", "--slack-port", &port]).stdin(Stdio::null()).output();
    let told = text(&sim.expect("the binary runs").stderr);
    assert!(told.contains("--slack-port"), "{told}");
}
