//! Event subscriptions made by API.

use http::Method;
use serde_json::{Value, json};

use super::bench::*;

const PATH: &str = "/marketplace/app/event_subscription";

fn wish(bench: &Bench) -> Value {
    json!({"events": ["team_chat.channel_message_posted"], "event_subscription_name": "second",
        "event_webhook_url": bench.app_url, "subscription_scope": "user", "user_ids": [THEO]})
}

#[tokio::test]
async fn a_subscription_is_made_extended_and_removed() {
    let bench = Bench::new().await;
    let token = bench.bot_token().await;
    let (status, made) = bench.call_as(&token, Method::POST, PATH, wish(&bench)).await;
    assert_eq!(status, 201, "{made}");
    bench.app.event("endpoint.url_validation").await;
    let id = made["event_subscription_id"].as_str().unwrap().to_owned();
    bench.sim.post(IMANI, GENERAL, "twice").unwrap();
    bench.app.events(2, "team_chat.channel_message_posted").await;
    let list = bench.call_as(&token, Method::GET, PATH, Value::Null).await.1;
    assert_eq!(list["event_subscriptions"].as_array().unwrap().len(), 2);
    let one = format!("{PATH}/{id}");
    let more = json!({"user_ids": [THEO], "account_id": KESTREL});
    assert_eq!(bench.call_as(&token, Method::PATCH, &one, more).await.0, 204);
    let form = format!("{PATH}/{SUBSCRIPTION}");
    assert_eq!(
        code(&bench.call_as(&token, Method::DELETE, &form, Value::Null).await),
        (404, 1_601),
        "made in the web form"
    );
    assert_eq!(bench.call_as(&token, Method::DELETE, &one, Value::Null).await.0, 204);
    bench.done().await;
}

#[tokio::test]
async fn subscriptions_are_refused_for_good_reasons() {
    let bench = Bench::new().await;
    let token = bench.bot_token().await;
    let with = |key: &str, value: Value| {
        let mut body = wish(&bench);
        body[key] = value;
        body
    };
    let refused = async |body: Value| code(&bench.call_as(&token, Method::POST, PATH, body).await);
    assert_eq!(refused(with("events", json!([]))).await, (400, 1_500));
    assert_eq!(refused(with("events", json!(["team_chat.reaction_added"]))).await, (404, 1_601));
    assert_eq!(refused(with("events", json!(["team_chat.channel_pin_added"]))).await, (400, 1_602));
    assert_eq!(refused(with("user_ids", json!([RUI]))).await, (400, 1_300));
    assert_eq!(refused(with("subscription_scope", json!("world"))).await, (400, 1_500));
    let header =
        json!({"custom_header_type": 3, "custom_header_key": "not allowed", "custom_header_value": "x"});
    assert_eq!(refused(with("custom_header", header)).await, (400, 1_500));
    assert_eq!(refused(with("custom_header", json!({"custom_header_type": 9}))).await, (404, 1_801));
    assert_eq!(refused(with("event_webhook_url", json!("http://127.0.0.1:1/"))).await, (404, 1_701));
    let refused = bench.call(Method::POST, PATH, wish(&bench)).await;
    assert_eq!(code(&refused), (401, 124), "a person's token does not do");
    bench.done().await;
}
