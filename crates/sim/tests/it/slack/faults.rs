//! Fault orders: what goes wrong on command.

use std::time::Duration;

use dragoman_sim::core::{CallError, FaultKind, FaultOrder};
use http::Method;
use serde_json::{Value, json};

use super::bench::{ANA, Bench, GENERAL, LAUNCH, PATIENCE};

fn body() -> Value {
    json!({"channel": GENERAL, "text": "t"})
}

#[tokio::test]
async fn calls_can_be_cut_before_and_after_their_effect() {
    let bench = Bench::new().await;
    bench.sim.faults().add(FaultOrder::next(1, "chat.postMessage", FaultKind::ResetBefore));
    assert_eq!(bench.try_send("/api/chat.postMessage", &body()).await.unwrap_err(), CallError::Reset);
    assert_eq!(bench.sim.messages(GENERAL).len(), 0);
    bench.sim.faults().add(FaultOrder::next(1, "chat.*", FaultKind::ResetAfter));
    assert_eq!(bench.try_send("/api/chat.postMessage", &body()).await.unwrap_err(), CallError::Reset);
    assert_eq!(bench.sim.messages(GENERAL).len(), 1);
    bench.done().await;
}

#[tokio::test]
async fn calls_can_be_refused_failed_and_slowed() {
    let bench = Bench::new().await;
    let faults = bench.sim.faults();
    faults.add(FaultOrder::next(
        1,
        "chat.postMessage",
        FaultKind::RateLimited { retry_after: "soon".to_owned() },
    ));
    let answer = bench.try_send("/api/chat.postMessage", &body()).await.unwrap();
    assert_eq!((answer.status.as_u16(), answer.headers["retry-after"].to_str().unwrap()), (429, "soon"));
    faults.add(FaultOrder::next(1, "chat.postMessage", FaultKind::ServerErrorBefore { status: 502 }));
    let answer = bench.try_send("/api/chat.postMessage", &body()).await.unwrap();
    assert_eq!(answer.status, 502);
    assert!(answer.body.starts_with(b"<!DOCTYPE html"), "server trouble may answer HTML");
    assert_eq!(bench.sim.messages(GENERAL).len(), 0);
    faults.add(FaultOrder::next(1, "chat.postMessage", FaultKind::ServerErrorAfter { status: 500 }));
    assert_eq!(bench.try_send("/api/chat.postMessage", &body()).await.unwrap().status, 500);
    assert_eq!(bench.sim.messages(GENERAL).len(), 1);
    faults
        .add(FaultOrder::next(1, "chat.postMessage", FaultKind::Latency { ms: 80 }).in_conversation(LAUNCH));
    bench.post(GENERAL, "quick").await;
    bench.post(LAUNCH, "slow").await;
    let slow = bench.sim.log().wait_for(1, PATIENCE, |entry| entry.ms >= 80).await.unwrap();
    assert_eq!(slow[0].conversation.as_deref(), Some(LAUNCH));
    bench.done().await;
}

#[tokio::test]
async fn deliveries_can_be_doubled_dropped_delayed_swapped_and_silenced() {
    let bench = Bench::new().await;
    let faults = bench.sim.faults();
    let of = |text: &'static str| move |request: &super::bench::Received| request.event()["text"] == text;
    faults.add(FaultOrder::next(1, "message", FaultKind::Duplicate));
    bench.sim.post(ANA, GENERAL, "twice").unwrap();
    let both = bench.app.wait(2, of("twice")).await;
    assert_eq!(both[0].json["event_id"], both[1].json["event_id"]);
    faults.add(FaultOrder::next(1, "message", FaultKind::Drop));
    bench.sim.post(ANA, GENERAL, "never").unwrap();
    faults.add(FaultOrder::next(1, "message", FaultKind::Reorder));
    bench.sim.post(ANA, GENERAL, "second").unwrap();
    bench.sim.post(ANA, GENERAL, "first").unwrap();
    bench.app.wait(1, of("second")).await;
    let order: Vec<Value> = bench
        .app
        .matching(&|request| request.event()["text"] == "first" || request.event()["text"] == "second")
        .iter()
        .map(|request| request.event()["text"].clone())
        .collect();
    assert_eq!(order, ["first", "second"]);
    let silence = faults.add(FaultOrder::always("", FaultKind::Silence));
    bench.sim.post(ANA, GENERAL, "unheard").unwrap();
    faults.lift(silence);
    faults.add(FaultOrder::next(1, "message", FaultKind::Delay { ms: 100 }));
    bench.sim.post(ANA, GENERAL, "late").unwrap();
    bench.sim.post(ANA, GENERAL, "early").unwrap();
    bench.app.wait(1, of("late")).await;
    assert_eq!(bench.app.matching(&of("early")).len(), 1);
    assert!(bench.app.matching(&of("never")).is_empty() && bench.app.matching(&of("unheard")).is_empty());
    bench.done().await;
}

#[tokio::test]
async fn first_attempts_in_a_conversation_keep_their_order() {
    let bench = Bench::new().await;
    for index in 0..40 {
        bench.sim.post(ANA, GENERAL, &format!("m{index}")).unwrap();
    }
    let all = bench.app.wait(40, |request| request.event()["type"] == "message").await;
    let texts: Vec<String> =
        all.iter().map(|request| request.event()["text"].as_str().unwrap().to_owned()).collect();
    assert_eq!(texts, (0..40).map(|index| format!("m{index}")).collect::<Vec<_>>());
    bench.done().await;
}

#[tokio::test]
async fn faults_clock_and_log_are_controlled_over_http() {
    let bench = Bench::new().await;
    let order = json!({"matches": {"method": "chat.postMessage"}, "fault": {"kind": "rate_limited", "retry_after": "7"}, "count": 1});
    let headers = [("content-type", "application/json")];
    let answer = bench.send(Method::POST, "/_sim/faults", &headers, order.to_string().as_bytes()).await;
    assert_eq!(answer.status, 201);
    assert_eq!(bench.try_send("/api/chat.postMessage", &body()).await.unwrap().headers["retry-after"], "7");
    bench.post(GENERAL, "again").await;
    let log = bench.send(Method::GET, "/_sim/log?since=0", &[], b"").await;
    let log: Value = serde_json::from_slice(&log.body).unwrap();
    assert_eq!(log["entries"][0]["status"], 429);
    assert_eq!(log["entries"][0]["method"], "chat.postMessage");
    let before = bench.world.clock.seconds();
    bench.send(Method::POST, "/_sim/clock", &headers, br#"{"advance_ms":3600000}"#).await;
    assert!(bench.world.clock.seconds() >= before + 3_600);
    bench.done().await;
}

#[tokio::test]
async fn a_shut_down_simulator_leaves_nothing() {
    let bench = Bench::new().await;
    let url = format!("{}/api/auth.test", bench.sim.base_url());
    bench.sim.shutdown().await;
    let address = url.trim_start_matches("http://").split('/').next().unwrap().to_owned();
    let closed = tokio::time::timeout(Duration::from_secs(2), tokio::net::TcpStream::connect(address)).await;
    assert!(closed.unwrap().is_err());
    bench.world.tasks.shutdown().await;
}
