//! Frames of Zoom's event connections, sent over one that the gateway opened.

use std::collections::BTreeMap;
use std::time::Duration;

use dragoman_gateway::admin::api;
use dragoman_sim::core::LogKind;
use dragoman_sim::zoom::{SeedApp, SeedSubscription};
use serde_json::{Value, json};

use super::bench::{From, files};
use super::zoom::{Live, start};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames() {
    let Some(files) = files("zoom/websocket") else { return };
    let frames: Vec<&Value> = files.iter().filter_map(|file| file.json.as_array()).flatten().collect();
    let blank = json!({"event": "", "payload": {"object": {}}});
    let mut bench = start(&vec![&blank; frames.len()]).await.unwrap();
    let zoom = bench.world.zoom().clone();
    let (app, subscription) = (SeedApp::default(), SeedSubscription::default().id);
    zoom.use_socket(&app.app_id);
    let secret = |text: &str| api::SecretText(text.to_owned());
    let values = [("transport", secret("socket")), ("subscription_id", secret(&subscription))];
    let values = values.map(|(key, value)| (key.to_owned(), value)).into();
    let set = api::AppSet { app: "zoom".to_owned(), values, features: None };
    bench.world.ask(&set).await.unwrap();
    let within = Duration::from_secs(10);
    assert!(zoom.socket_connected(&subscription, true, within).await, "no connection");
    bench.settle().await.unwrap();
    let pairs = bench.pairs.clone();
    let mut lines = Vec::new();
    for (n, frame) in frames.iter().enumerate() {
        let what = format!("{} {} {}", n + 1, frame["frame"]["module"], frame["frame"]["success"]);
        if frame["dir"] != "server" {
            let beats = || {
                zoom.log().count(|entry| entry.kind == LogKind::Call && entry.method.contains("heartbeat"))
            };
            lines.push(format!("{what}: not sent: it is the gateway that sends this ({} calls)", beats()));
            continue;
        }
        let mut live = frame["frame"].clone();
        if let Some(event) =
            live["content"].as_str().and_then(|text| serde_json::from_str::<Value>(text).ok())
        {
            let now_ms = bench.now_ms().await.unwrap();
            let event = Live { n, now_ms, messages: BTreeMap::new() }.event(&event);
            live["content"] = json!(event.to_string());
        }
        let before = bench.before(From::Zoom, &pairs[n]).await.unwrap();
        assert!(zoom.send_frame(&subscription, &live), "the connection is there");
        let answer = if live["success"] == false {
            // Such a connection is of no use.
            assert!(zoom.socket_connected(&subscription, false, within).await, "the gateway hangs up");
            assert!(zoom.socket_connected(&subscription, true, within).await, "and tries again");
            "another connection opened"
        } else {
            "taken"
        };
        if live["module"] == "message" {
            let event: Value = serde_json::from_str(live["content"].as_str().unwrap_or_default()).unwrap();
            bench
                .told(event["payload"]["object"]["message_id"].as_str().unwrap_or_default(), 1)
                .await
                .unwrap();
        }
        lines.push(format!("{what}: {}", bench.outcome(before, answer).await.unwrap()));
    }
    insta::assert_snapshot!("zoom_websocket", lines.join("\n"));
    bench.world.end().await.unwrap();
}
