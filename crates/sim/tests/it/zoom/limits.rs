//! Rate limits of the account and of a channel.

use std::time::Duration;

use dragoman_sim::zoom::{BlockedSend, Plan, ZoomLimits, ZoomSimConfig};
use http::Method;
use serde_json::json;

use super::bench::*;

fn limited(plan: Plan, per_channel: bool) -> ZoomSimConfig {
    let mut config = config();
    config.limits = ZoomLimits { enabled: true, plan, per_channel, ..ZoomLimits::default() };
    config
}

#[tokio::test]
async fn calls_per_second_are_refused_with_headers() {
    let bench = Bench::with(limited(Plan::Free, false)).await;
    let mut last = None;
    for _ in 0..4 {
        let bearer = format!("Bearer {TOKEN}");
        let path = format!("/v2/chat/users/{BRIDGE}/channels");
        let answer = bench.send(Method::GET, &path, &[("authorization", &bearer)], b"").await;
        last = Some(answer);
    }
    let answer = last.unwrap();
    assert_eq!(answer.status, 429);
    let header = |name: &str| answer.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    assert_eq!(header("x-ratelimit-category").as_deref(), Some("Medium"));
    assert_eq!(header("x-ratelimit-type").as_deref(), Some("QPS"));
    assert_eq!(header("x-ratelimit-limit").as_deref(), Some("2"));
    assert_eq!(header("x-ratelimit-remaining").as_deref(), Some("0"));
    assert_eq!(header("retry-after"), None);
    let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(body["code"], 429);
    bench.world.clock.advance(Duration::from_secs(1));
    bench.get(&format!("/chat/users/{BRIDGE}/channels")).await;
    bench.done().await;
}

#[tokio::test]
async fn retry_after_is_a_date_time_text() {
    let mut config = limited(Plan::Free, false);
    config.doubts.retry_after_per_second = true;
    let bench = Bench::with(config).await;
    let bearer = format!("Bearer {TOKEN}");
    let path = format!("/v2/chat/users/{BRIDGE}/channels");
    for _ in 0..3 {
        let answer = bench.send(Method::GET, &path, &[("authorization", &bearer)], b"").await;
        if answer.status == 429 {
            let text = answer.headers["retry-after"].to_str().unwrap();
            assert!(text.starts_with("20") && text.ends_with('Z'), "{text}");
        }
    }
    bench.done().await;
}

#[tokio::test]
async fn a_channel_is_blocked_after_ten_messages_in_a_second() {
    for blocked in [BlockedSend::TooMany, BlockedSend::Failed] {
        let mut config = limited(Plan::Business, true);
        config.doubts.blocked_send = blocked;
        let bench = Bench::with(config).await;
        for count in 0..10 {
            bench.say(&format!("m{count}")).await;
        }
        let refused = bench.post(json!({"message": "too many", "to_channel": GENERAL})).await;
        let expected = if blocked == BlockedSend::TooMany { (429, 429) } else { (400, 5_301) };
        assert_eq!(code(&refused), expected);
        assert_eq!(bench.post(json!({"message": "elsewhere", "to_channel": LAUNCH})).await.0, 201);
        bench.world.clock.advance(Duration::from_secs(9));
        assert_eq!(code(&bench.post(json!({"message": "early", "to_channel": GENERAL})).await), expected);
        bench.world.clock.advance(Duration::from_secs(2));
        bench.say("it reopens by itself").await;
        bench.done().await;
    }
}
