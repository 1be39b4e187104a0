use std::time::Duration;

use dragoman_sim::webex::{WebexDoubts, WebexLimits};
use serde_json::{Value, json};

use super::bench::{
    Bench, GENERAL, GITA, INES, LAUNCH, ORG, PATIENCE, SERVICE, TOKEN, config, id, message, person, personal,
    room,
};

#[tokio::test]
async fn webhooks_are_made_listed_changed_and_deleted() {
    let bench = Bench::new().await;
    let filter = format!("roomId={}", room(GENERAL));
    let made = bench
        .hook(TOKEN, json!({"resource": "messages", "event": "created", "filter": filter, "secret": "s"}))
        .await;
    assert_eq!((&made["filter"], made["secret"].as_str()), (&json!(filter), Some("s")));
    assert_eq!((made["status"].as_str(), made["ownedBy"].as_str()), (Some("active"), Some("creator")));
    assert_eq!(made["createdBy"], person(SERVICE));
    assert_eq!(made["orgId"], dragoman_sim::webex::ids::org(ORG));
    let list = bench.get(TOKEN, "/webhooks?max=100").await.1;
    assert_eq!(list["items"], json!([made]));
    let path = format!("/webhooks/{}", id(&made));
    let change = json!({"name": "other", "targetUrl": "https://new.example/hook", "secret": "t",
        "event": "deleted", "filter": "", "status": "inactive"});
    let changed = bench.put(TOKEN, &path, change).await.1;
    assert_eq!((changed["name"].as_str(), changed["secret"].as_str()), (Some("other"), Some("t")));
    assert_eq!((&changed["event"], &changed["filter"]), (&json!("created"), &json!(filter)), "cannot change");
    assert_eq!(changed["status"], "active", "a PUT cannot switch off");
    assert_eq!(bench.get(TOKEN, &path).await.1, changed);
    assert_eq!(bench.delete(TOKEN, &path).await.0, 204);
    assert_eq!(bench.get(TOKEN, &path).await.0, 404);
    bench.done().await;
}

#[tokio::test]
async fn malformed_webhooks_are_refused_in_the_services_words() {
    let bench = Bench::new().await;
    let good =
        json!({"name": "n", "targetUrl": "https://a.example/", "resource": "messages", "event": "created"});
    for (field, value, words) in [
        ("name", json!(""), "name cannot be empty"),
        ("targetUrl", Value::Null, "targetUrl cannot be null"),
        ("targetUrl", json!("nonsense"), "targetUrl is not a valid URL"),
        ("resource", json!("files"), "invalid value for resource"),
        ("event", json!("updated"), "invalid value for event: updated"),
        ("filter", json!("roomId=nonsense"), "invalid value for filter: roomId"),
        ("filter", json!("isLocked=true"), "invalid value for filter: isLocked"),
    ] {
        let mut bad = good.clone();
        bad[field] = value;
        let (status, body) = bench.post(TOKEN, "/webhooks", bad).await;
        assert_eq!((status, message(&body)), (400, words));
    }
    bench.done().await;
}

#[tokio::test]
async fn webhooks_belong_to_person_and_application() {
    let mut config = config();
    // The same person, through another application.
    config.orgs[0].people[3].token = Some(personal("bridge"));
    let bench = Bench::with(config).await;
    let made = bench.firehose(TOKEN).await;
    for other in [personal("bridge"), personal("gita.rao")] {
        assert_eq!(bench.get(&other, "/webhooks").await.1["items"], json!([]));
        assert_eq!(bench.get(&other, &format!("/webhooks/{}", id(&made))).await.0, 404);
        assert_eq!(bench.delete(&other, &format!("/webhooks/{}", id(&made))).await.0, 404);
    }
    bench.done().await;
}

#[tokio::test]
async fn equal_webhooks_deliver_twice_or_conflict() {
    let bench = Bench::new().await;
    let one = bench.firehose(TOKEN).await;
    let two = bench.firehose(TOKEN).await;
    assert_ne!(one["id"], two["id"]);
    let posted = bench.says(GENERAL, json!({"text": "twice"})).await;
    let told = bench.app.wait(2, |request| request.json["data"]["id"] == posted["id"]).await;
    assert_ne!(told[0].json["id"], told[1].json["id"]);
    bench.done().await;
    let mut config = config();
    config.doubts = WebexDoubts { equal_webhooks_conflict: true, ..WebexDoubts::default() };
    let bench = Bench::with(config).await;
    bench.firehose(TOKEN).await;
    let again = json!({"name": "n", "targetUrl": bench.app_url, "resource": "all", "event": "all"});
    assert_eq!(bench.post(TOKEN, "/webhooks", again).await.0, 409);
    bench.done().await;
}

#[tokio::test]
async fn a_put_without_secret_takes_it_away_or_not() {
    for drops in [true, false] {
        let mut config = config();
        config.doubts = WebexDoubts { put_drops_secret: drops, ..WebexDoubts::default() };
        let bench = Bench::with(config).await;
        let made = bench.firehose(TOKEN).await;
        let change = json!({"name": "n", "targetUrl": bench.app_url});
        let changed = bench.put(TOKEN, &format!("/webhooks/{}", id(&made)), change).await.1;
        assert_eq!(changed.get("secret").is_none(), drops);
        bench.done().await;
    }
}

#[tokio::test]
async fn filters_choose() {
    let bench = Bench::new().await;
    let both = format!("roomId={}&hasFiles=false", room(LAUNCH));
    bench.hook(TOKEN, json!({"resource": "messages", "event": "created", "filter": both})).await;
    let gita = format!("personEmail={}", "gita.rao@larkfield.example");
    bench.hook(TOKEN, json!({"resource": "messages", "event": "created", "filter": gita})).await;
    bench
        .hook(TOKEN, json!({"resource": "messages", "event": "created", "filter": "mentionedPeople=me"}))
        .await;
    let by_room = bench.says(LAUNCH, json!({"text": "one"})).await;
    bench.says(GENERAL, json!({"text": "none"})).await;
    let by_author = bench.sim.post(&person(GITA), &room(GENERAL), "two").unwrap();
    let by_mention = bench.sim.post(&person(INES), &room(GENERAL), "@Dragoman Bridge three").unwrap();
    let told = bench.app.wait(3, |_| true).await;
    let mut found: Vec<&str> = told.iter().map(|one| one.json["data"]["id"].as_str().unwrap()).collect();
    let mut wanted = [id(&by_room), by_author.as_str(), by_mention.as_str()];
    found.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(found, wanted);
    assert!(told.iter().all(|one| one.json["filter"].is_string()));
    bench.done().await;
}

#[tokio::test]
async fn a_hundred_failures_in_five_minutes_switch_a_webhook_off() {
    let mut config = config();
    config.limits = WebexLimits { webhook_failures: 4, ..config.limits };
    let bench = Bench::with(config).await;
    let made = bench.firehose(TOKEN).await;
    let status = || bench.sim.webhooks()[0]["status"].as_str().unwrap().to_owned();
    let fail = async |number: usize| {
        bench.app.next(&vec![500; number]);
        for _ in 0..number {
            let before = bench.sim.log().count(|entry| entry.detail["failure"] == "http_error");
            bench.sim.post(&person(GITA), &room(GENERAL), "to nobody").unwrap();
            let wanted = |entry: &dragoman_sim::core::LogEntry| entry.detail["failure"] == "http_error";
            bench.sim.log().wait_for(before + 1, PATIENCE, wanted).await.unwrap();
        }
    };
    fail(3).await;
    assert_eq!(status(), "active");
    // The others are too long ago by now.
    bench.world.clock.advance(Duration::from_mins(6));
    fail(3).await;
    assert_eq!(status(), "active");
    fail(1).await;
    settled(&bench, "inactive").await;
    let received = bench.app.matching(&|_| true).len();
    bench.sim.post(&person(GITA), &room(GENERAL), "lost").unwrap();
    // Switched on again, one failure is enough for five minutes.
    let path = format!("/webhooks/{}", id(&made));
    let on = json!({"name": "n", "targetUrl": bench.app_url, "status": "active"});
    assert_eq!(bench.put(TOKEN, &path, on.clone()).await.1["status"], "active");
    fail(1).await;
    settled(&bench, "inactive").await;
    assert_eq!(bench.app.matching(&|_| true).len(), received + 1, "what fell into the gap never comes");
    assert_eq!(bench.put(TOKEN, &path, on).await.1["status"], "active");
    bench.world.clock.advance(Duration::from_mins(6));
    fail(1).await;
    bench.sim.post(&person(GITA), &room(GENERAL), "after").unwrap();
    bench.app.wait(received + 3, |_| true).await;
    assert_eq!(status(), "active");
    bench.done().await;
}

/// The verdict on a delivery is recorded just after its log entry.
async fn settled(bench: &Bench, wanted: &str) {
    let reached = async {
        while bench.sim.webhooks()[0]["status"] != wanted {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, reached).await.expect("the webhook is switched");
}

#[tokio::test]
async fn webhooks_outlive_the_token_they_were_made_with() {
    let bench = Bench::new().await;
    bench.firehose(TOKEN).await;
    bench.world.clock.advance(Duration::from_hours(15 * 24));
    assert_eq!(bench.get(TOKEN, "/people/me").await.0, 401);
    bench.sim.post(&person(GITA), &room(GENERAL), "still told").unwrap();
    bench.app.event("messages.created").await;
    bench.done().await;
}

#[tokio::test]
async fn organisation_wide_webhooks_are_for_officers_spaces_and_files() {
    let bench = Bench::new().await;
    let ask = |resource: &str, filter: &str| {
        json!({"name": "n", "targetUrl": bench.app_url, "resource": resource, "event": "created",
            "ownedBy": "org", "filter": filter})
    };
    assert_eq!(bench.post(TOKEN, "/webhooks", ask("rooms", "")).await.0, 403);
    let ines = personal("ines.moreau");
    assert_eq!(bench.post(&ines, "/webhooks", ask("messages", "")).await.0, 400);
    assert_eq!(bench.post(&ines, "/webhooks", ask("messages", "hasFiles=true")).await.0, 200);
    assert_eq!(bench.post(&ines, "/webhooks", ask("rooms", "")).await.0, 200);
    assert_eq!(bench.post(&ines, "/webhooks", ask("rooms", "")).await.0, 409);
    let made = bench.sim.create_room(&person(GITA), "Without Ines").unwrap();
    assert_eq!(bench.app.event("rooms.created").await.json["data"]["id"], made.as_str());
    assert_eq!(bench.get(&ines, "/webhooks?ownedBy=org").await.1["items"].as_array().unwrap().len(), 2);
    bench.done().await;
}
