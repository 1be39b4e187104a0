//! Subscriptions: handshake, rules, quotas, renewal, end.

use std::time::Duration;

use dragoman_sim::teams::seed::{APP, DANA, GENERAL, LAUNCH, LUNCH_CHAT, TEAM};
use dragoman_sim::teams::{Draft, Place};
use http::Method;
use serde_json::{Value, json};

use super::harness::{Rig, Validation, quick};

async fn refused(rig: &Rig, wish: &Value) -> (u16, String) {
    let r = rig.post("/v1.0/subscriptions", &rig.app(), wish).await;
    (r.status, r.error().1)
}

fn with(mut wish: Value, key: &str, value: Value) -> Value {
    wish[key] = value;
    wish
}

#[tokio::test]
async fn both_urls_are_validated_with_the_real_form_of_token() {
    let rig = Rig::new().await;
    let r = rig.post("/v1.0/subscriptions", &rig.app(), &rig.wish()).await;
    assert_eq!(r.status, 201);
    let s = r.json();
    assert_eq!(s["applicationId"], APP);
    assert_eq!(s["clientState"], "only-we-know");
    assert_eq!(s["changeType"], "created,deleted,updated");
    assert!(s["encryptionCertificate"].is_null());
    let calls = rig.inbox.all();
    assert_eq!(calls.iter().map(|c| c.path.as_str()).collect::<Vec<_>>(), ["/notify", "/lifecycle"]);
    for c in &calls {
        assert!(
            c.query.starts_with(
                "validationToken=Validation%3a+Testing+client+application+reachability+for+subscription+Request-Id%3a+"
            ),
            "{}",
            c.query
        );
        assert_eq!(c.headers["content-type"], "text/plain; charset=utf-8");
        assert!(c.body.is_empty());
    }
    rig.stop().await;
}

#[tokio::test]
async fn a_failed_handshake_refuses_the_subscription() {
    let rig = Rig::new().await;
    for manner in [Validation::WrongText, Validation::WrongType, Validation::Late] {
        rig.inbox.manner(|m| m.validation = manner);
        let (status, message) = refused(&rig, &rig.wish()).await;
        assert_eq!(status, 400, "{manner:?}");
        assert!(message.starts_with("Subscription validation request failed."), "{message}");
    }
    let nowhere = with(rig.wish(), "notificationUrl", json!("http://127.0.0.1:1/x"));
    assert_eq!(refused(&rig, &nowhere).await.0, 400);
    assert!(rig.sim.subscriptions().is_empty());
    rig.stop().await;
}

#[tokio::test]
async fn lifetimes_are_limited() {
    let rig = Rig::new().await;
    let wish = |minutes: i64| with(rig.wish(), "expirationDateTime", json!(rig.in_minutes(minutes)));
    let (status, message) = refused(&rig, &wish(3 * 24 * 60 + 5)).await;
    assert_eq!(status, 400);
    assert!(message.contains("4320 minutes"), "{message}");
    assert_eq!(refused(&rig, &wish(-1)).await.0, 400);
    let mut hour = wish(65);
    hour.as_object_mut().unwrap().remove("lifecycleNotificationUrl");
    let (status, message) = refused(&rig, &hour).await;
    assert_eq!(status, 400);
    assert!(message.starts_with("lifecycleNotificationUrl is a required property"), "{message}");
    hour["expirationDateTime"] = json!(rig.in_minutes(59));
    assert_eq!(rig.post("/v1.0/subscriptions", &rig.app(), &hour).await.status, 201);
    rig.stop().await;
}

#[tokio::test]
async fn malformed_wishes_are_named() {
    let rig = Rig::new().await;
    for (key, value, part) in [
        ("resource", json!("/me/messages"), "is not supported"),
        ("changeType", json!("created,invented"), "'invented'"),
        ("clientState", json!("x".repeat(129)), "128"),
        ("includeResourceData", json!(true), "encryptionCertificate is required"),
        ("notificationUrl", json!("ftp://x"), "https"),
        ("expirationDateTime", json!("tomorrow"), "ISO 8601"),
    ] {
        let (status, message) = refused(&rig, &with(rig.wish(), key, value)).await;
        assert!(status == 400 && message.contains(part), "{key}: {message}");
    }
    let garbage =
        json!({"encryptionCertificate": "AAAA", "encryptionCertificateId": "c", "includeResourceData": true});
    let mut wish = rig.wish();
    for (k, v) in garbage.as_object().unwrap() {
        wish[k] = v.clone();
    }
    assert_eq!(refused(&rig, &wish).await.0, 400);
    assert!(rig.inbox.all().is_empty(), "nobody is called for a malformed wish");
    rig.stop().await;
}

#[tokio::test]
async fn one_subscription_per_app_and_channel() {
    let rig = Rig::new().await;
    rig.subscribe(&rig.wish()).await;
    let (status, message) = refused(&rig, &rig.wish()).await;
    assert_eq!(status, 403);
    assert!(message.contains("exceeded the limit of 1"), "{message}");
    let launch = with(rig.wish(), "resource", json!(format!("/teams/{TEAM}/channels/{LAUNCH}/messages")));
    rig.subscribe(&launch).await;
    rig.stop().await;
}

#[tokio::test]
async fn missing_permission_is_refused() {
    let rig = Rig::new().await;
    for resource in ["/teams/getAllMessages", "/chats/getAllMessages"] {
        let (status, message) = refused(&rig, &with(rig.wish(), "resource", json!(resource))).await;
        assert_eq!(status, 403);
        assert!(message.starts_with("Missing role permissions on the request."), "{message}");
    }
    rig.stop().await;
}

#[tokio::test]
async fn chat_rsc_for_subscriptions_is_a_doubt() {
    let rig = Rig::new().await;
    rig.sim.install(APP, &Place::Chat(LUNCH_CHAT.into()), DANA);
    let wish = with(rig.wish(), "resource", json!(format!("/chats/{LUNCH_CHAT}/messages")));
    assert_eq!(refused(&rig, &wish).await.0, 403);
    rig.sim.with_config(|c| c.doubts.chat_rsc_may_subscribe = true);
    rig.subscribe(&wish).await;
    rig.stop().await;
}

#[tokio::test]
async fn renewal_reauthorization_and_deletion() {
    let rig = Rig::new().await;
    let id = rig.subscribe(&rig.wish()).await;
    let path = format!("/v1.0/subscriptions/{id}");
    let later = rig.in_minutes(2 * 24 * 60);
    let r = rig.send(Method::PATCH, &path, &rig.app(), &json!({"expirationDateTime": later})).await;
    assert_eq!(r.status, 200);
    assert_eq!(r.json()["expirationDateTime"], later);
    assert!(rig.inbox.all().is_empty(), "renewing does not validate");
    let moved = json!({"notificationUrl": format!("{}/other", rig.inbox.url)});
    assert_eq!(rig.send(Method::PATCH, &path, &rig.app(), &moved).await.status, 200);
    assert_eq!(rig.inbox.all()[0].path, "/other", "a changed address is validated");
    for fixed in [
        json!({"resource": "/chats/getAllMessages"}),
        json!({"changeType": "created"}),
        json!({"lifecycleNotificationUrl": "http://127.0.0.1:1/"}),
        json!({"expirationDateTime": rig.in_minutes(5_000)}),
    ] {
        assert_eq!(rig.send(Method::PATCH, &path, &rig.app(), &fixed).await.status, 400, "{fixed}");
    }
    assert_eq!(rig.post(&format!("{path}/reauthorize"), &rig.app(), &Value::Null).await.status, 204);
    let list = rig.get("/v1.0/subscriptions", &rig.app()).await.json();
    assert_eq!(list["value"][0]["id"], id);
    assert_eq!(rig.get(&path, &rig.app()).await.status, 200);
    assert_eq!(rig.send(Method::DELETE, &path, &rig.app(), &Value::Null).await.status, 204);
    assert_eq!(rig.get(&path, &rig.app()).await.status, 404);
    rig.subscribe(&rig.wish()).await;
    rig.stop().await;
}

#[tokio::test]
async fn a_lapsed_subscription_is_gone() {
    let rig = Rig::new().await;
    let id = rig.subscribe(&rig.wish()).await;
    rig.world.clock.advance(Duration::from_hours(25));
    rig.sim.post(DANA, GENERAL, Draft::text("unseen")).unwrap();
    let r = rig
        .send(
            Method::PATCH,
            &format!("/v1.0/subscriptions/{id}"),
            &rig.app(),
            &json!({"expirationDateTime": rig.in_minutes(60)}),
        )
        .await;
    assert_eq!((r.status, r.error().0.as_str()), (404, "ResourceNotFound"));
    let new = rig.subscribe(&rig.wish()).await;
    assert_ne!(new, id);
    rig.sim.post(DANA, GENERAL, Draft::text("seen")).unwrap();
    let items = rig.inbox.items(1).await;
    assert_eq!(items[0]["subscriptionId"], new);
    rig.stop().await;
}

#[tokio::test]
async fn delegated_subscriptions_belong_to_their_person() {
    let mut config = quick();
    config.apps[0].roles.push("ChannelMessage.Read.All".into());
    let rig = Rig::with(config).await;
    let token = rig.dana(&["ChannelMessage.Read.All"]);
    let r = rig.post("/v1.0/subscriptions", &token, &rig.wish()).await;
    assert_eq!(r.status, 201);
    assert_eq!(r.json()["creatorId"], DANA);
    let emre = rig.sim.user_token(APP, dragoman_sim::teams::seed::EMRE, &["ChannelMessage.Read.All"]);
    let list = rig.get("/v1.0/subscriptions", &emre).await.json();
    assert_eq!(list["value"], json!([]));
    rig.stop().await;
}

#[tokio::test]
async fn a_delegated_subscription_dies_with_its_consent() {
    let rig = Rig::new().await;
    let r = rig.post("/v1.0/subscriptions", &rig.dana(&["ChannelMessage.Read.All"]), &rig.wish()).await;
    assert_eq!(r.status, 201);
    rig.inbox.clear();
    rig.sim.revoke_consent(APP, DANA);
    let got = rig.inbox.wait(1, |g| g.path == "/lifecycle").await;
    assert_eq!(got[0].json()["value"][0]["lifecycleEvent"], "subscriptionRemoved");
    assert!(rig.sim.subscriptions().is_empty());
    rig.stop().await;
}
