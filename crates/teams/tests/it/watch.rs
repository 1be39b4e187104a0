//! Subscriptions: made, renewed, adopted, refused, ended.

use dragoman_model::codes::{REFUSED, UNKNOWN_INSTALLATION};
use dragoman_platform::{Connector as _, Failure, Watch};
use serde_json::json;

use crate::fake::Reply;
use crate::support::{CHAT, NOW_MS, ROOM, TEAM, World, conversation};

const HOOKS: &str = "https://bridge.example/hooks/teams/app-1";

fn subscription(resource: &str, url: &str) -> serde_json::Value {
    json!({
        "id": "sub-1", "resource": resource, "notificationUrl": format!("{url}/notifications"),
        "lifecycleNotificationUrl": format!("{url}/lifecycle"), "includeResourceData": true,
        "expirationDateTime": "2026-01-13T10:00:00Z", "clientState": null,
    })
}

fn held(id: &str) -> Watch {
    Watch { id: id.into(), renew_at_ms: None, expires_at_ms: None, facts: dragoman_platform::Facts::new() }
}

#[tokio::test]
async fn a_channel_is_subscribed_with_everything_graph_demands() {
    let world = World::start(|call| {
        (call.line() == "POST /v1.0/subscriptions")
            .then(|| Reply(201, None, subscription("x", HOOKS).to_string()))
    })
    .await;
    let watch = world.connector.watch(&world.session(), &world.room(), None).await.unwrap();
    let three_days = 3 * 86_400_000;
    assert_eq!((watch.id.as_str(), watch.expires_at_ms), ("sub-1", Some(NOW_MS + three_days)));
    let renew = watch.renew_at_ms.unwrap() - NOW_MS;
    assert!(renew > three_days * 4 / 10 && renew < three_days * 6 / 10, "at half life, spread: {renew}");
    let call = world.fake.calls().remove(0);
    assert_eq!(call.token(), "graph-token");
    let body = call.json();
    assert_eq!(body["resource"], format!("/teams/{TEAM}/channels/{ROOM}/messages"));
    assert_eq!(body["changeType"], "created,updated,deleted");
    assert_eq!(body["notificationUrl"], format!("{HOOKS}/notifications"));
    assert_eq!(body["lifecycleNotificationUrl"], format!("{HOOKS}/lifecycle"));
    assert_eq!(body["includeResourceData"], true);
    assert!(body["clientState"].as_str().unwrap().len() <= 128);
    assert!(!body["encryptionCertificate"].as_str().unwrap().contains("BEGIN"));
    let end: i64 =
        body["expirationDateTime"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_millisecond()
            - NOW_MS;
    assert!(end <= 4_320 * 60_000 && end > 4_000 * 60_000);
    assert_eq!(watch.facts["team_guid"], TEAM);
    assert_eq!(watch.facts["graph"], "yes");
}

/// What was asked about subscriptions.
fn subscribing(world: &World) -> Vec<String> {
    world.fake.lines().into_iter().filter(|line| !line.ends_with("/filesFolder")).collect()
}

#[tokio::test]
async fn a_subscription_is_renewed_and_made_anew_when_it_lapsed() {
    let world = World::start(|call| match call.line().as_str() {
        "PATCH /v1.0/subscriptions/sub-1" => Some(subscription("x", HOOKS).into()),
        "PATCH /v1.0/subscriptions/lapsed" => Some(Reply::error(404, "ResourceNotFound")),
        "POST /v1.0/subscriptions" => Some(Reply(201, None, subscription("x", HOOKS).to_string())),
        _ => None,
    })
    .await;
    let (session, mut room) = (world.session(), world.room());
    let first = world.connector.watch(&session, &room, Some(&held("sub-1"))).await.unwrap();
    let lines = world.fake.calls();
    assert!(lines.len() == 2 && lines[1].path.ends_with("/filesFolder"), "renewed, and asked for the folder");
    assert!(
        lines[0].json().get("encryptionCertificate").is_some(),
        "the certificate is not known to be the same"
    );
    room.facts.extend(first.facts.clone());
    world.connector.watch(&session, &room, Some(&held("sub-1"))).await.unwrap();
    assert!(world.fake.calls()[0].json().get("encryptionCertificate").is_none());
    let anew = world.connector.watch(&session, &room, Some(&held("lapsed"))).await.unwrap();
    assert_eq!(anew.id, "sub-1");
    assert_eq!(subscribing(&world), ["PATCH /v1.0/subscriptions/lapsed", "POST /v1.0/subscriptions"]);
}

#[tokio::test]
async fn one_that_is_there_already_is_adopted_and_one_for_another_address_replaced() {
    for (url, expected) in [
        (
            HOOKS,
            vec!["POST /v1.0/subscriptions", "GET /v1.0/subscriptions", "PATCH /v1.0/subscriptions/sub-1"],
        ),
        (
            "https://old.example/hooks/teams/app-1",
            vec![
                "POST /v1.0/subscriptions",
                "GET /v1.0/subscriptions",
                "DELETE /v1.0/subscriptions/sub-1",
                "POST /v1.0/subscriptions",
            ],
        ),
    ] {
        let deleted = std::sync::atomic::AtomicBool::new(false);
        let world = World::start(move |call| match call.method.as_str() {
            "POST" if call.path.ends_with("/subscriptions") => {
                Some(if deleted.load(std::sync::atomic::Ordering::SeqCst) {
                    Reply(201, None, subscription("x", HOOKS).to_string())
                } else {
                    Reply::error(403, "Forbidden")
                })
            }
            "GET" if call.path.ends_with("/subscriptions") => {
                let other = json!({ "id": "other", "resource": "teams/x/channels/y/messages" });
                let ours =
                    subscription(&format!("teams/{TEAM}/channels/19%3aroom%40thread.tacv2/messages"), url);
                Some(json!({ "value": [other, ours] }).into())
            }
            "PATCH" => Some(subscription("x", HOOKS).into()),
            "DELETE" => {
                deleted.store(true, std::sync::atomic::Ordering::SeqCst);
                Some(Reply(204, None, String::new()))
            }
            _ => None,
        })
        .await;
        let watch = world.connector.watch(&world.session(), &world.room(), None).await.unwrap();
        assert_eq!(watch.id, "sub-1");
        assert_eq!(subscribing(&world), expected);
    }
}

#[tokio::test]
async fn without_the_permission_the_bot_serves_alone() {
    for (read, expected) in [(200, "yes"), (403, "no")] {
        let world = World::start(move |call| match (call.method.as_str(), call.path.as_str()) {
            ("POST", "/v1.0/subscriptions") => Some(Reply::error(403, "Forbidden")),
            ("GET", "/v1.0/subscriptions") => Some(json!({ "value": [] }).into()),
            ("GET", path) if path.ends_with("/messages?$top=1") => {
                Some(if read == 200 { json!({ "value": [] }).into() } else { Reply::error(403, "Forbidden") })
            }
            _ => None,
        })
        .await;
        let watch = world.connector.watch(&world.session(), &world.chat(), None).await.unwrap();
        assert_eq!((watch.id.as_str(), watch.facts["graph"].as_str()), ("", expected));
        assert!(watch.renew_at_ms.is_some_and(|at| at > NOW_MS), "tried again later");
        let mut chat = world.chat();
        chat.facts.extend(watch.facts);
        let capabilities = world.connector.capabilities(&world.session().installation, &chat);
        assert_eq!((capabilities.reread, capabilities.history), (read == 200, read == 200));
    }
}

#[tokio::test]
async fn a_full_quota_and_an_unknown_team_are_told_apart() {
    let world = World::start(|call| match call.method.as_str() {
        "POST" if call.path.ends_with("/subscriptions") => Some(Reply(
            403,
            None,
            json!({ "error": { "code": "Forbidden", "message": "The organisation has reached its subscription limit of 10000." } }).to_string(),
        )),
        "GET" if call.path.ends_with("/subscriptions") => Some(json!({ "value": [] }).into()),
        _ => None,
    })
    .await;
    let full = world.connector.watch(&world.session(), &world.room(), None).await;
    assert_eq!(full.err(), Some(Failure::Refused(REFUSED)));
    let mut stray = conversation("19:stray@thread.tacv2", &world.service_url());
    stray.facts.remove("team_id");
    stray.facts.remove("team_guid");
    let unknown = world.connector.watch(&world.session(), &stray, None).await;
    assert_eq!(unknown.err(), Some(Failure::Refused(UNKNOWN_INSTALLATION)));
}

#[tokio::test]
async fn an_end_is_an_end_even_twice() {
    let world =
        World::start(|call| (call.method == "DELETE").then(|| Reply::error(404, "ResourceNotFound"))).await;
    let (session, room) = (world.session(), world.room());
    assert_eq!(world.connector.unwatch(&session, &room, &held("sub-1")).await, Ok(()));
    world.fake.calls();
    assert_eq!(world.connector.unwatch(&session, &room, &held("")).await, Ok(()));
    let personal = conversation("a:ana", &world.service_url());
    let watch = world.connector.watch(&session, &personal, None).await.unwrap();
    assert_eq!((watch.id.as_str(), watch.renew_at_ms), ("", None));
    assert!(world.fake.all_calls().is_empty(), "nothing to do");
    assert!(world.connector.watch(&session, &conversation(CHAT, "http://x/"), None).await.is_err());
}
