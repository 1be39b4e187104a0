//! Signatures, headers, retries, validation.

use std::time::Duration;

use dragoman_sim::zoom::{BodyForm, CustomHeader, SignatureFault};
use serde_json::{Value, json};

use super::bench::*;

const POSTED: &str = "team_chat.channel_message_posted";

async fn delivered(bench: &Bench, text: &str) -> Received {
    bench.sim.post(THEO, GENERAL, text).unwrap();
    bench
        .app
        .wait(1, |request| request.json["event"].as_str().unwrap_or_default().trim() == POSTED)
        .await
        .remove(0)
}

#[tokio::test]
async fn deliveries_are_signed_over_the_raw_bytes() {
    let bench = Bench::new().await;
    let request = delivered(&bench, "naïve 👍").await;
    assert!(request.is_signed());
    // Compact, raw UTF-8: exactly as JavaScript writes it again.
    assert_eq!(request.body, request.json.to_string());
    assert!(String::from_utf8_lossy(&request.body).contains("naïve 👍"));
    assert_eq!(request.header("content-type"), "application/json; charset=utf-8");
    assert_eq!(request.header("user-agent"), "Zoom Marketplace/1.0a");
    assert_eq!(request.header("authorization"), "DrgVerificationToken01");
    assert!(request.header("traceparent").starts_with("00-"));
    for name in ["x-zm-request-id", "x-zm-trackingid", "x-zm-request-timestamp"] {
        assert!(!request.header(name).is_empty(), "{name}");
    }
    assert!(request.header("clientid").is_empty());
    assert!(request.json["event_ts"].as_i64().unwrap() > 1_600_000_000_000, "milliseconds");
    bench.done().await;
}

#[tokio::test]
async fn bodies_may_be_escaped_or_pretty() {
    for form in [BodyForm::Escaped, BodyForm::Pretty] {
        let mut config = config();
        config.doubts.body_form = form;
        config.apps[0].legacy = true;
        let bench = Bench::with(config).await;
        let request = delivered(&bench, "naïve 👍").await;
        assert!(request.is_signed());
        assert_eq!(request.body.is_ascii(), form == BodyForm::Escaped);
        assert_eq!(request.body.contains(&b'\n'), form == BodyForm::Pretty);
        assert_eq!(request.object()["message"], "naïve 👍");
        assert_eq!(request.header("clientid"), CLIENT.0);
        bench.done().await;
    }
}

#[tokio::test]
async fn signatures_of_text_beyond_ascii_may_be_faulty() {
    for fault in [SignatureFault::OverReserialised, SignatureFault::Wrong] {
        let mut config = config();
        config.doubts.body_form = BodyForm::Escaped;
        config.doubts.signature_fault = fault;
        let bench = Bench::with(config).await;
        let request = delivered(&bench, "naïve").await;
        assert!(!request.is_signed());
        let timestamp = request.header("x-zm-request-timestamp").parse().unwrap();
        let again = request.json.to_string();
        let fits = dragoman_sim::zoom::outward::signature(SECRET, timestamp, again.as_bytes());
        assert_eq!(request.header("x-zm-signature") == fits, fault == SignatureFault::OverReserialised);
        bench.sim.post(THEO, LAUNCH, "plain").unwrap();
        let plain = bench.app.wait(2, |request| request.json["event"] == POSTED).await.remove(1);
        assert!(plain.is_signed(), "ASCII bodies are well");
        bench.done().await;
    }
}

#[tokio::test]
async fn server_errors_and_silence_are_retried_three_times() {
    let bench = Bench::new().await;
    bench.app.next(&[Reply::Status(503), Reply::Slow, Reply::Status(500)]);
    let first = delivered(&bench, "hello").await;
    let all = bench.app.wait(4, |request| request.json["event"] == POSTED).await;
    assert!(all.iter().all(|request| request.body == first.body && request.is_signed()));
    bench.app.next(&[Reply::Status(500), Reply::Status(500), Reply::Status(500), Reply::Status(500)]);
    bench.sim.post(THEO, LAUNCH, "lost").unwrap();
    bench.app.wait(8, |request| request.json["event"] == POSTED).await;
    tokio::time::sleep(QUIET).await;
    assert_eq!(bench.app.count(POSTED), 8, "after three retries the event is dropped");
    bench.done().await;
}

#[tokio::test]
async fn the_schedule_of_retries_is_5_20_and_60_minutes() {
    let timing = dragoman_sim::zoom::ZoomTiming::default();
    assert_eq!(timing.retries, [5, 20, 60].map(Duration::from_mins));
    assert_eq!(timing.ack_deadline, Duration::from_secs(3));
    assert_eq!(timing.revalidation, Duration::from_hours(72));
}

#[tokio::test]
async fn redirects_and_client_errors_are_never_retried() {
    let bench = Bench::new().await;
    for (count, reply) in
        [Reply::Redirect, Reply::Status(429), Reply::Status(401), Reply::Status(202)].into_iter().enumerate()
    {
        bench.app.next(&[reply]);
        bench.sim.post(THEO, GENERAL, "once").unwrap();
        bench.app.wait(count + 1, |request| request.json["event"] == POSTED).await;
    }
    tokio::time::sleep(QUIET).await;
    assert_eq!(bench.app.count(POSTED), 4);
    bench.done().await;
}

#[tokio::test]
async fn an_unreachable_app_is_retried() {
    let bench = Bench::new().await;
    bench.sim.set_events_url(APP, Some("http://127.0.0.1:1/"));
    bench.sim.post(THEO, GENERAL, "hello").unwrap();
    let attempts = bench.sim.log().wait_for(4, PATIENCE, |entry| entry.method == POSTED).await.unwrap();
    assert!(attempts.iter().all(|entry| entry.detail["failure"] == "connection"));
    bench.done().await;
}

#[tokio::test]
async fn a_retry_may_keep_its_timestamp() {
    for fresh in [true, false] {
        let mut config = config();
        config.doubts.fresh_retry_timestamp = fresh;
        config.timing.retries = vec![Duration::from_millis(300)];
        let bench = Bench::with(config).await;
        bench.app.next(&[Reply::Status(500)]);
        delivered(&bench, "hello").await;
        bench.world.clock.advance(Duration::from_mins(5));
        let both = bench.app.wait(2, |request| request.json["event"] == POSTED).await;
        let same = both[0].header("x-zm-request-timestamp") == both[1].header("x-zm-request-timestamp");
        assert_eq!(same, !fresh);
        bench.done().await;
    }
}

#[tokio::test]
async fn saving_an_address_needs_the_right_answer_to_validation() {
    let bench = Bench::new().await;
    bench.sim.save_events_url(APP, &bench.app_url).await.unwrap();
    let asked =
        bench.app.wait(1, |request| request.json["event"] == "endpoint.url_validation").await.remove(0);
    assert!(asked.is_signed());
    assert_eq!(asked.json["payload"]["plainToken"].as_str().unwrap().len(), 22);
    for reply in [
        Reply::Status(204),
        Reply::Slow,
        Reply::Body(json!({"plainToken": "x", "encryptedToken": "y"})),
        Reply::Status(500),
    ] {
        bench.app.next(&[reply]);
        bench.sim.save_events_url(APP, &bench.app_url).await.unwrap_err();
    }
    bench.done().await;
    let mut config = config();
    config.doubts.signed_validation = false;
    let bench = Bench::with(config).await;
    bench.sim.save_events_url(APP, &bench.app_url).await.unwrap();
    let asked =
        bench.app.wait(1, |request| request.json["event"] == "endpoint.url_validation").await.remove(0);
    assert_eq!(asked.header("x-zm-signature"), "");
    bench.done().await;
}

#[tokio::test]
async fn validation_comes_back_and_switches_off_after_six_failures() {
    let mut config = config();
    config.timing.revalidation = Duration::from_millis(50);
    let bench = Bench::with(config).await;
    bench.app.wait(2, |request| request.json["event"] == "endpoint.url_validation").await;
    assert!(!bench.sim.is_disabled(SUBSCRIPTION));
    bench.app.next(&vec![Reply::Status(500); 40]);
    let mails = async {
        while !bench.sim.is_disabled(SUBSCRIPTION) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, mails).await.unwrap();
    assert_eq!(bench.sim.mails().len(), 3, "{:?}", bench.sim.mails());
    bench.sim.post(THEO, GENERAL, "unheard").unwrap();
    tokio::time::sleep(QUIET).await;
    assert_eq!(bench.app.count(POSTED), 0);
    bench.sim.set_events_url(APP, Some(&bench.app_url));
    assert!(!bench.sim.is_disabled(SUBSCRIPTION), "switching it on again is up to its owner");
    bench.done().await;
}

#[tokio::test]
async fn subscriptions_may_send_a_header_of_their_own() {
    let bench = Bench::new().await;
    let set = |header: CustomHeader| bench.sim.change_subscriptions(APP, |seed| seed.header = header.clone());
    set(CustomHeader::Basic("u".to_owned(), "p".to_owned()));
    assert_eq!(delivered(&bench, "basic").await.header("authorization"), "Basic dTpw");
    set(CustomHeader::Own("x-proof".to_owned(), "second".to_owned()));
    bench.sim.post(THEO, GENERAL, "own").unwrap();
    let own = bench.app.wait(2, |request| request.json["event"] == POSTED).await.remove(1);
    assert_eq!((own.header("x-proof"), own.header("authorization")), ("second", "DrgVerificationToken01"));
    let token_url = bench.app_url.replace("/zoom/events", "/token");
    set(CustomHeader::Bearer(token_url, "id".to_owned(), "secret".to_owned()));
    bench.app.next(&[Reply::Body(json!({"access_token": "made-by-us", "expires_in": 3_600}))]);
    for count in 3..5 {
        bench.sim.post(THEO, GENERAL, "bearer").unwrap();
        let last = bench.app.wait(count, |request| request.json["event"] == POSTED).await.remove(count - 1);
        assert_eq!(last.header("authorization"), "Bearer made-by-us");
    }
    let asked = bench.app.matching(&|request| request.path == "/token");
    assert_eq!(asked.len(), 1, "the token is kept");
    assert_eq!(&asked[0].body[..], b"grant_type=client_credentials");
    bench.done().await;
}

#[tokio::test]
async fn a_bearer_token_must_live_an_hour() {
    let bench = Bench::new().await;
    let token_url = bench.app_url.replace("/zoom/events", "/token");
    bench.sim.change_subscriptions(APP, |seed| {
        seed.header = CustomHeader::Bearer(token_url.clone(), "id".to_owned(), "secret".to_owned());
    });
    bench.app.next(&[Reply::Body(json!({"access_token": "short", "expires_in": 60}))]);
    assert_eq!(delivered(&bench, "x").await.header("authorization"), "DrgVerificationToken01");
    bench.done().await;
}

#[tokio::test]
async fn the_event_can_come_before_the_answer_of_the_send() {
    let mut config = config();
    config.timing.post_answer_delay = Duration::from_millis(200);
    let bench = Bench::with(config).await;
    let mut sending = Box::pin(bench.say("echo"));
    let hearing = bench.app.event(POSTED);
    let event = tokio::select! {
        biased;
        _ = sending.as_mut() => panic!("the answer came first"),
        event = hearing => event,
    };
    let id = sending.await;
    assert_eq!(event["payload"]["object"]["message_id"], id);
    bench.done().await;
}

#[tokio::test]
async fn event_names_may_carry_a_space() {
    let mut config = config();
    config.doubts.spaced_event_names = true;
    let bench = Bench::with(config).await;
    assert_eq!(delivered(&bench, "x").await.json["event"], format!("{POSTED} "));
    bench.done().await;
}

#[tokio::test]
async fn settings_can_be_steered_from_another_process() {
    let bench = Bench::new().await;
    let headers = [("content-type", "application/json")];
    let order = json!({"app": APP, "events_url": bench.app_url}).to_string();
    let answer = bench.send(http::Method::POST, "/_sim/zoom/app", &headers, order.as_bytes()).await;
    assert_eq!(answer.status, 200);
    bench.app.event("endpoint.url_validation").await;
    let order = json!({"app": APP, "events_url": "http://127.0.0.1:1/"}).to_string();
    assert_eq!(
        bench.send(http::Method::POST, "/_sim/zoom/app", &headers, order.as_bytes()).await.status,
        409
    );
    let order = json!({"app": APP, "user": THEO}).to_string();
    bench.send(http::Method::POST, "/_sim/zoom/deauthorize", &headers, order.as_bytes()).await;
    bench.app.event("app_deauthorized").await;
    bench.send(http::Method::POST, "/_sim/zoom/validate", &headers, b"").await;
    let asked: Vec<Value> = bench.app.events(2, "endpoint.url_validation").await;
    assert!(asked.len() >= 2);
    bench.done().await;
}
