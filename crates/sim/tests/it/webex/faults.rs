use std::time::Duration;

use dragoman_sim::core::{CallError, FaultKind, FaultOrder};
use dragoman_sim::webex::Scan;
use http::Method;
use serde_json::{Value, json};

use super::bench::{Bench, GENERAL, LAUNCH, TOKEN, id, room};

#[tokio::test]
async fn faults_hit_calls_before_or_after_their_effect() {
    let bench = Bench::new().await;
    let say = async |text: &str| {
        let body = json!({"roomId": room(GENERAL), "text": text});
        bench.call(TOKEN, Method::POST, "/messages", &body).await
    };
    let faults = bench.sim.faults();
    faults.add(FaultOrder::next(1, "POST /messages", FaultKind::ServerErrorBefore { status: 502 }));
    let refused = say("never").await;
    assert_eq!(refused.status, 502);
    assert!(serde_json::from_slice::<Value>(&refused.body).is_err());
    faults.add(FaultOrder::next(1, "POST /messages", FaultKind::ServerErrorAfter { status: 503 }));
    assert_eq!(say("yet there").await.status, 503);
    let texts: Vec<Value> =
        bench.sim.messages(&room(GENERAL)).iter().map(|one| one["text"].clone()).collect();
    assert_eq!(texts, ["yet there"]);
    faults.add(FaultOrder::next(1, "POST /messages", FaultKind::RateLimited { retry_after: "3600".into() }));
    assert_eq!(say("x").await.headers["retry-after"], "3600");
    faults.add(FaultOrder::next(1, "POST /messages", FaultKind::RateLimited { retry_after: String::new() }));
    let unsaid = say("x").await;
    assert_eq!(unsaid.status, 429);
    assert!(!unsaid.headers.contains_key("retry-after"));
    faults.add(FaultOrder::next(1, "POST /messages", FaultKind::ResetAfter));
    let bearer = format!("Bearer {TOKEN}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let body = json!({"roomId": room(GENERAL), "text": "cut"}).to_string();
    let cut = bench.try_send(Method::POST, "/v1/messages", &headers, body.as_bytes()).await;
    assert_eq!(cut.err(), Some(CallError::Reset));
    assert_eq!(bench.sim.messages(&room(GENERAL)).len(), 2);
    bench.done().await;
}

#[tokio::test]
async fn faults_can_be_for_one_space() {
    let bench = Bench::new().await;
    let order = FaultOrder::always("* /messages*", FaultKind::ServerErrorBefore { status: 500 });
    bench.sim.faults().add(order.in_conversation(&room(LAUNCH)));
    let posted = bench.says(GENERAL, json!({"text": "fine"})).await;
    assert_eq!(bench.get(TOKEN, &format!("/messages/{}", id(&posted))).await.0, 200);
    let body = json!({"roomId": room(LAUNCH), "text": "x"});
    assert_eq!(bench.post(TOKEN, "/messages", body).await.0, 500);
    assert_eq!(bench.get(TOKEN, &format!("/messages?roomId={}", room(LAUNCH))).await.0, 500);
    bench.done().await;
}

#[tokio::test]
async fn the_log_shows_calls_by_pattern_and_space() {
    let bench = Bench::new().await;
    let posted = bench.says(GENERAL, json!({"text": "logged"})).await;
    bench.get(TOKEN, &format!("/messages/{}", id(&posted))).await;
    let seen: Vec<(String, Option<String>)> =
        bench.sim.log().since(0).into_iter().map(|entry| (entry.method, entry.conversation)).collect();
    let general = Some(room(GENERAL));
    assert_eq!(
        seen,
        [("POST /messages".to_owned(), general.clone()), ("GET /messages/{id}".to_owned(), general)]
    );
    bench.done().await;
}

#[tokio::test]
async fn another_process_can_steer_over_http() {
    let bench = Bench::new().await;
    let order = async |path: &str, body: Value| {
        let headers = [("content-type", "application/json")];
        bench.send(Method::POST, path, &headers, body.to_string().as_bytes()).await.status.as_u16()
    };
    let limit = json!({"token": TOKEN, "seconds": 60});
    assert_eq!(order("/_sim/webex/limit", limit).await, 204);
    assert_eq!(bench.get(TOKEN, "/rooms").await.0, 429);
    bench.world.clock.advance(Duration::from_mins(1));
    let webhook = bench.firehose(TOKEN).await;
    assert_eq!(order("/_sim/webex/webhook", json!({"id": webhook["id"], "active": false})).await, 204);
    let list = bench.send(Method::GET, "/_sim/webex/webhooks", &[], b"").await;
    let list: Value = serde_json::from_slice(&list.body).unwrap();
    assert_eq!(list["items"][0]["status"], "inactive");
    let posted = bench.says(GENERAL, json!({"text": "x"})).await;
    assert_eq!(order("/_sim/webex/decryptable", json!({"id": posted["id"], "on": false})).await, 204);
    let shown = bench.get(TOKEN, &format!("/messages/{}", id(&posted))).await.1;
    assert_eq!(shown["errors"]["text"]["code"], "kms_failure");
    assert_eq!(order("/_sim/webex/scan", json!({"message": "nonsense", "state": "infected"})).await, 409);
    bench.sim.set_scan(id(&posted), Scan::Infected).unwrap();
    let who = super::bench::person(super::bench::SERVICE);
    let client = dragoman_sim::webex::SeedIntegration::default().client_id;
    assert_eq!(order("/_sim/webex/revoke", json!({"person": who, "client_id": client})).await, 204);
    assert_eq!(bench.get(TOKEN, "/rooms").await.0, 401);
    bench.done().await;
}
