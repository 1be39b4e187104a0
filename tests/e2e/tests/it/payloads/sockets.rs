//! Frames of Slack's Socket Mode, sent over a connection that the gateway opened.

use std::collections::BTreeMap;
use std::time::Duration;

use dragoman_gateway::admin::api;
use dragoman_sim::slack::SeedApp;
use e2e::eventually;
use serde_json::Value;

use super::bench::{Bench, File, From, files};
use super::slack::live;

/// Farewells come last, the one after which nothing is opened any more at the very end.
fn turn(name: &str) -> u8 {
    match name {
        "disconnect.link_disabled.json" => 2,
        _ if name.starts_with("disconnect.") => 1,
        _ => 0,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames() {
    let Some(files) = files("slack/socket-mode") else { return };
    let app = SeedApp::default();
    let mut bench = Bench::start(&vec![false; files.len()]).await.unwrap();
    bench.world.slack.change_app(&app.app_id, |app| app.socket_mode = true);
    let secret = |text: &str| api::SecretText(text.to_owned());
    let values = [("transport", secret("socket")), ("app_token", secret(&app.app_token))];
    let values = values.map(|(key, value)| (key.to_owned(), value)).into();
    let set = api::AppSet { app: "slack".to_owned(), values, features: None };
    bench.world.ask(&set).await.unwrap();
    let within = Duration::from_secs(10);
    assert!(bench.world.slack.sockets_connected(&app.app_id, 2, within).await, "no connections");
    bench.settle().await.unwrap();
    let mut order: Vec<usize> = (0..files.len()).collect();
    order.sort_by_key(|n| (turn(&files[*n].name), *n));
    let mut lines = BTreeMap::new();
    for n in order {
        let File { name, json } = &files[n];
        let mut frame = json.clone();
        // A command is said in the workspace that the app is installed in, as an event happens there.
        let is_of_workspace =
            |payload: &&Value| payload.get("event").is_some() || payload.get("command").is_some();
        if let Some(payload) = frame.get("payload").filter(is_of_workspace) {
            let payload = live(&bench, n, name, &payload.clone(), &BTreeMap::new()).await.unwrap();
            frame["payload"] = payload;
        }
        let before = bench.before(From::Slack, &bench.pairs[n]).await.unwrap();
        let answer = answer(&bench, &app.app_id, &frame).await;
        let outcome = bench.outcome(before, &answer).await.unwrap();
        lines.insert(name.clone(), format!("{name}: {outcome}"));
    }
    let lines: Vec<String> = lines.into_values().collect();
    insta::assert_snapshot!("slack_socket_mode", lines.join("\n"));
    bench.world.end().await.unwrap();
}

/// What came of a frame at the connection itself.
async fn answer(bench: &Bench, app: &str, frame: &Value) -> String {
    let slack = &bench.world.slack;
    let opened = || slack.log().count(|entry| entry.method == "apps.connections.open");
    let before = opened();
    let within = Duration::from_secs(10);
    let has_envelope = frame.get("envelope_id").is_some();
    // A connection counts from its opening and takes frames from its greeting.
    let acknowledged = eventually("a greeted connection", within, async || {
        slack.send_frame(app, frame, within).await.ok_or_else(|| "none".to_owned())
    })
    .await
    .unwrap_or_else(|error| panic!("{frame} over {} connections: {error}", slack.sockets(app)));
    if has_envelope {
        return if acknowledged { "acknowledged" } else { "not acknowledged" }.to_owned();
    }
    match (frame["type"].as_str(), frame["reason"].as_str()) {
        (Some("disconnect"), Some("link_disabled")) => {
            eventually("no connection is left", within, async || {
                let count = slack.sockets(app);
                if count == 0 { Ok(()) } else { Err(format!("{count} connections")) }
            })
            .await
            .expect("the gateway does as it is told");
            "every connection given up".to_owned()
        }
        (Some("disconnect"), _) => {
            // Every connection was told that it ends: two others take over before that.
            eventually("other connections", within, async || {
                let count = opened() - before;
                if count == 2 { Ok(()) } else { Err(format!("{count} opened")) }
            })
            .await
            .expect("the gateway does as it is told");
            "other connections opened".to_owned()
        }
        _ => "taken".to_owned(),
    }
}
