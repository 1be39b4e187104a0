//! Fault orders on Zoom's calls and deliveries.

use dragoman_sim::core::{FaultKind, FaultOrder};
use http::Method;
use serde_json::{Value, json};

use super::bench::*;

const SEND: &str = "POST /chat/users/*/messages";
const POSTED: &str = "team_chat.channel_message_posted";

#[tokio::test]
async fn calls_fail_before_or_after_they_took_effect() {
    let bench = Bench::new().await;
    let body = || json!({"message": "x", "to_channel": GENERAL});
    bench.sim.faults().add(FaultOrder::next(1, SEND, FaultKind::ServerErrorBefore { status: 503 }));
    assert_eq!(send(&bench, body()).await, 503);
    assert!(bench.sim.messages(GENERAL, THEO).is_empty());
    bench.sim.faults().add(FaultOrder::next(1, SEND, FaultKind::ServerErrorAfter { status: 500 }));
    assert_eq!(send(&bench, body()).await, 500);
    assert_eq!(bench.sim.messages(GENERAL, THEO).len(), 1);
    bench.sim.faults().add(FaultOrder::next(
        1,
        SEND,
        FaultKind::RateLimited { retry_after: "2026-11-23T00:00:00Z".to_owned() },
    ));
    assert_eq!(send(&bench, body()).await, 429);
    assert_eq!(send(&bench, body()).await, 201);
    bench.done().await;
}

async fn send(bench: &Bench, body: Value) -> u16 {
    let bearer = format!("Bearer {TOKEN}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let path = format!("/v2/chat/users/{BRIDGE}/messages");
    bench.send(Method::POST, &path, &headers, body.to_string().as_bytes()).await.status.as_u16()
}

#[tokio::test]
async fn orders_can_be_for_one_conversation() {
    let bench = Bench::new().await;
    bench
        .sim
        .faults()
        .add(FaultOrder::always(SEND, FaultKind::ServerErrorBefore { status: 500 }).in_conversation(LAUNCH));
    assert_eq!(send(&bench, json!({"message": "x", "to_channel": GENERAL})).await, 201);
    assert_eq!(send(&bench, json!({"message": "x", "to_channel": LAUNCH})).await, 500);
    bench.done().await;
}

#[tokio::test]
async fn deliveries_are_doubled_dropped_and_swapped() {
    let bench = Bench::new().await;
    bench.sim.faults().add(FaultOrder::next(1, POSTED, FaultKind::Duplicate));
    bench.sim.post(THEO, GENERAL, "twice").unwrap();
    let both = bench.app.wait(2, |request| request.json["event"] == POSTED).await;
    assert_eq!(both[0].body, both[1].body);
    bench.sim.faults().add(FaultOrder::next(1, POSTED, FaultKind::Drop));
    bench.sim.post(THEO, GENERAL, "dropped").unwrap();
    bench.sim.faults().add(FaultOrder::next(1, POSTED, FaultKind::Reorder));
    bench.sim.post(THEO, GENERAL, "second").unwrap();
    bench.sim.post(THEO, GENERAL, "first").unwrap();
    let all = bench.app.wait(4, |request| request.json["event"] == POSTED).await;
    let texts: Vec<&Value> = all.iter().map(|request| &request.object()["message"]).collect();
    assert_eq!(texts, ["twice", "twice", "first", "second"]);
    bench.done().await;
}

#[tokio::test]
async fn the_token_address_can_fail() {
    let bench = Bench::new().await;
    bench.sim.faults().add(FaultOrder::next(
        1,
        "POST /oauth/token",
        FaultKind::ServerErrorAfter { status: 502 },
    ));
    let fields = [("grant_type", "refresh_token"), ("refresh_token", REFRESH)];
    assert_eq!(bench.form("/oauth/token", CLIENT, &fields).await.0, 502);
    // The rotation happened, the new token is lost.
    assert_eq!(bench.form("/oauth/token", CLIENT, &fields).await.1["error"], "invalid_grant");
    bench.done().await;
}
