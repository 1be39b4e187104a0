//! Published limits of Graph and the connector.

use std::time::Duration;

use dragoman_sim::teams::seed::{APP, GENERAL, LAUNCH, TEAM};
use serde_json::json;

use super::harness::{Rig, general, quick};

#[tokio::test]
async fn graph_allows_one_request_per_second_and_conversation() {
    let mut config = quick();
    config.limits.graph = true;
    config.limits.speed = 0.1;
    let rig = Rig::with(config).await;
    let app = rig.app();
    assert_eq!(rig.get(&general(), &app).await.status, 200);
    rig.world.clock.advance(Duration::from_millis(2_500));
    let r = rig.get(&general(), &app).await;
    assert_eq!((r.status, r.error().0.as_str()), (429, "TooManyRequests"));
    let wait: f64 = r.header("retry-after").parse().unwrap();
    assert!(wait > 0.0 && wait <= 7.5, "{wait}");
    assert_eq!(r.header("x-ms-throttle-scope"), format!("Application/Read/{APP}/{GENERAL}"));
    assert_eq!(r.json()["error"]["innerError"]["status"], "429");
    let other = format!("/v1.0/teams/{TEAM}/channels/{LAUNCH}/messages");
    assert_eq!(rig.get(&other, &app).await.status, 200, "another channel has its own budget");
    rig.world.clock.advance(Duration::from_secs(5));
    assert_eq!(rig.get(&general(), &app).await.status, 429, "requests during the wait count");
    rig.world.clock.advance(Duration::from_millis(10_001));
    assert_eq!(rig.get(&general(), &app).await.status, 200);
    rig.stop().await;
}

#[tokio::test]
async fn a_person_sends_once_per_second_over_all_conversations() {
    let mut config = quick();
    config.limits.graph = true;
    config.limits.speed = 0.1;
    let rig = Rig::with(config).await;
    let body = json!({"body": {"content": "x"}});
    let other = format!("/v1.0/teams/{TEAM}/channels/{LAUNCH}/messages");
    assert_eq!(rig.post(&general(), &rig.writer(), &body).await.status, 201);
    assert_eq!(rig.post(&other, &rig.writer(), &body).await.status, 429);
    rig.stop().await;
}

#[tokio::test]
async fn the_tenant_budget_is_shared_by_all_conversations() {
    let mut config = quick();
    config.limits.graph = true;
    config.limits.speed = 0.1;
    let rig = Rig::with(config).await;
    let dana = rig.app();
    let mut refused = None;
    for _ in 0..40 {
        let r = rig.get(&format!("/v1.0/subscriptions?n={}", 1), &dana).await;
        if r.status == 429 {
            refused = Some(r.header("x-ms-throttle-scope").to_owned());
            break;
        }
    }
    assert!(refused.unwrap().starts_with("Tenant_Application/"));
    rig.stop().await;
}

#[tokio::test]
async fn a_bot_sends_seven_per_second_into_a_conversation() {
    let mut config = quick();
    config.limits.connector = true;
    config.limits.speed = 0.1;
    let rig = Rig::with(config).await;
    let path = rig.connector(&format!("v3/conversations/{GENERAL}/activities"));
    let body = json!({"type": "message", "text": "x"});
    let bot = rig.bot();
    for n in 0..7 {
        assert_eq!(rig.post(&path, &bot, &body).await.status, 201, "{n}");
    }
    let r = rig.post(&path, &bot, &body).await;
    assert_eq!((r.status, r.error().0.as_str()), (429, "Throttled"));
    assert!(r.header("retry-after").parse::<f64>().unwrap() > 0.0);
    let other = rig.connector(&format!("v3/conversations/{LAUNCH}/activities"));
    assert_eq!(rig.post(&other, &bot, &body).await.status, 201);
    rig.world.clock.advance(Duration::from_secs(30));
    assert_eq!(rig.post(&path, &bot, &body).await.status, 201);
    rig.stop().await;
}

#[tokio::test]
async fn half_a_minute_holds_sixty() {
    let mut config = quick();
    config.limits.connector = true;
    let rig = Rig::with(config).await;
    let path = rig.connector(&format!("v3/conversations/{GENERAL}/activities"));
    let body = json!({"type": "message", "text": "x"});
    let bot = rig.bot();
    let mut sent = 0;
    while rig.post(&path, &bot, &body).await.status == 201 {
        sent += 1;
        rig.world.clock.advance(Duration::from_millis(300));
        assert!(sent < 100);
    }
    assert!((50..=60).contains(&sent), "{sent} within half a minute");
    rig.stop().await;
}
