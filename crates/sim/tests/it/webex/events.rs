use std::time::Duration;

use aws_lc_rs::hmac;
use dragoman_sim::core::{FaultKind, FaultOrder};
use dragoman_sim::webex::{EditNotice, NewSignature, WebexDoubts, WebexTiming};
use http::Method;
use serde_json::json;

use super::bench::{
    Bench, GENERAL, GITA, HENRIK, PATIENCE, SERVICE, TOKEN, config, id, person, personal, room,
};

fn mac(algorithm: hmac::Algorithm, body: &[u8]) -> String {
    hex::encode(hmac::sign(&hmac::Key::new(algorithm, b"s3cret"), body))
}

#[tokio::test]
async fn deliveries_name_the_message_but_do_not_carry_it() {
    let bench = Bench::new().await;
    let webhook = bench.firehose(TOKEN).await;
    let root = bench.sim.post(&person(GITA), &room(GENERAL), "a root").unwrap();
    let reply = bench.sim.reply(&person(HENRIK), &root, "@Gita Rao **yes**").unwrap();
    let told = bench.app.wait(1, |request| request.json["data"]["id"] == reply.as_str()).await[0].clone();
    let body = &told.json;
    assert_eq!(
        (&body["id"], &body["created"]),
        (&webhook["id"], &webhook["created"]),
        "those of the webhook"
    );
    assert_eq!((body["resource"].as_str(), body["event"].as_str()), (Some("messages"), Some("created")));
    assert_eq!(body["actorId"], person(HENRIK));
    assert_eq!(body["createdBy"], person(SERVICE));
    assert!(body.get("secret").is_none() && body.get("filter").is_none());
    let data = body["data"].as_object().unwrap();
    let mut keys: Vec<&str> = data.keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(
        keys,
        ["created", "id", "mentionedPeople", "parentId", "personEmail", "personId", "roomId", "roomType"]
    );
    assert_eq!(data["parentId"], root.as_str());
    let text = String::from_utf8(told.body.to_vec()).unwrap();
    assert!(!text.contains(": ") && !text.contains("\\/"), "compact: {text}");
    bench.done().await;
}

#[tokio::test]
async fn own_posts_come_back() {
    let bench = Bench::new().await;
    bench.firehose(TOKEN).await;
    let posted = bench.says(GENERAL, json!({"text": "echo"})).await;
    let told = bench.app.event("messages.created").await;
    assert_eq!(told.json["data"]["id"], posted["id"]);
    assert_eq!(told.json["data"]["personId"], person(SERVICE));
    bench.done().await;
}

#[tokio::test]
async fn deletions_tell_who_deleted_and_little_else() {
    for with_created in [false, true] {
        let mut config = config();
        config.doubts = WebexDoubts { deleted_with_created: with_created, ..WebexDoubts::default() };
        let bench = Bench::with(config).await;
        bench.firehose(TOKEN).await;
        let posted = bench.says(GENERAL, json!({"text": "gone soon"})).await;
        bench.sim.set_moderator(&person(GITA), &room(GENERAL), &person(GITA), true).unwrap();
        bench.sim.delete(&person(GITA), id(&posted)).unwrap();
        let told = bench.app.event("messages.deleted").await;
        assert_eq!(told.json["actorId"], person(GITA));
        assert_eq!(told.json["data"]["personId"], person(SERVICE));
        assert_eq!(told.json["data"].get("created").is_some(), with_created);
        assert_eq!(bench.get(TOKEN, &format!("/messages/{}", id(&posted))).await.0, 404);
        bench.done().await;
    }
}

#[tokio::test]
async fn edits_are_not_told_unless_a_switch_says_so() {
    for (notice, name) in [
        (EditNotice::None, None),
        (EditNotice::Updated, Some("messages.updated")),
        (EditNotice::SecondCreated, Some("messages.created")),
    ] {
        let mut config = config();
        config.doubts = WebexDoubts { edit_notice: notice, ..WebexDoubts::default() };
        let bench = Bench::with(config).await;
        bench.hook(TOKEN, json!({"resource": "messages", "event": "all"})).await;
        let only = json!({"name": "n", "targetUrl": "https://a.example/", "resource": "messages", "event": "updated"});
        let wanted = if notice == EditNotice::Updated { 200 } else { 400 };
        assert_eq!(bench.post(TOKEN, "/webhooks", only).await.0, wanted);
        let posted = bench.sim.post(&person(GITA), &room(GENERAL), "v1").unwrap();
        bench.app.event("messages.created").await;
        bench.sim.edit(&person(GITA), &posted, "v2").unwrap();
        let mark = bench.sim.post(&person(GITA), &room(GENERAL), "mark").unwrap();
        bench.app.wait(1, |request| request.json["data"]["id"] == mark.as_str()).await;
        let about: Vec<String> = bench
            .app
            .matching(&|request| request.json["data"]["id"] == posted.as_str())
            .iter()
            .map(super::bench::Received::name)
            .collect();
        let wanted: Vec<&str> = std::iter::once("messages.created").chain(name).collect();
        assert_eq!(about, wanted);
        let shown = bench.get(TOKEN, &format!("/messages/{posted}")).await.1;
        assert_eq!(shown["text"], "v2");
        assert!(shown["updated"].is_string());
        bench.done().await;
    }
}

#[tokio::test]
async fn deliveries_are_signed_in_every_form() {
    for (form, old) in [
        (NewSignature::Absent, true),
        (NewSignature::Labelled, true),
        (NewSignature::Labelled, false),
        (NewSignature::Prefixed, true),
        (NewSignature::Bare, true),
        (NewSignature::Unknown, true),
    ] {
        let mut config = config();
        config.doubts = WebexDoubts { new_signature: form, old_signature: old, ..WebexDoubts::default() };
        let bench = Bench::with(config).await;
        bench.firehose(TOKEN).await;
        bench.says(GENERAL, json!({"text": "signed 🙂"})).await;
        let told = bench.app.event("messages.created").await;
        let first = mac(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &told.body);
        assert_eq!(told.header("x-spark-signature"), old.then_some(first.as_str()));
        let (short, long) = (mac(hmac::HMAC_SHA256, &told.body), mac(hmac::HMAC_SHA512, &told.body));
        let newer = told.header("x-webex-signature");
        match form {
            NewSignature::Absent => assert_eq!(newer, None),
            NewSignature::Labelled => {
                assert_eq!(newer.unwrap(), format!("SHA-256={short}, SHA-512={long}"));
            }
            NewSignature::Prefixed => assert_eq!(newer.unwrap(), format!("sha256={short}")),
            NewSignature::Bare => assert_eq!(newer.unwrap(), short),
            NewSignature::Unknown => assert!(!newer.unwrap().contains(&short)),
        }
        bench.done().await;
    }
}

#[tokio::test]
async fn without_a_secret_nothing_is_signed() {
    let bench = Bench::new().await;
    bench.hook(TOKEN, json!({"resource": "messages", "event": "created"})).await;
    bench.says(GENERAL, json!({"text": "unsigned"})).await;
    let told = bench.app.event("messages.created").await;
    assert_eq!((told.header("x-spark-signature"), told.header("x-webex-signature")), (None, None));
    bench.done().await;
}

#[tokio::test]
async fn a_failed_delivery_is_lost() {
    let bench = Bench::new().await;
    bench.firehose(TOKEN).await;
    bench.app.next(&[503]);
    let lost = bench.sim.post(&person(GITA), &room(GENERAL), "lost").unwrap();
    let next = bench.sim.post(&person(GITA), &room(GENERAL), "next").unwrap();
    bench.app.wait(1, |request| request.json["data"]["id"] == next.as_str()).await;
    assert_eq!(bench.app.matching(&|request| request.json["data"]["id"] == lost.as_str()).len(), 1);
    let entries = bench.sim.log().since(0);
    let failed = entries.iter().find(|entry| entry.detail["failure"] == "http_error").unwrap();
    assert_eq!((failed.method.as_str(), failed.status), ("messages.created", 503));
    bench.done().await;
}

#[tokio::test]
async fn neighbours_can_change_places_and_come_twice_or_late() {
    let bench = Bench::new().await;
    bench.firehose(TOKEN).await;
    bench.sim.faults().add(FaultOrder::next(1, "messages.created", FaultKind::Reorder));
    let first = bench.sim.post(&person(GITA), &room(GENERAL), "first").unwrap();
    let second = bench.sim.post(&person(GITA), &room(GENERAL), "second").unwrap();
    let told = bench.app.wait(2, |_| true).await;
    let order: Vec<&str> = told.iter().map(|one| one.json["data"]["id"].as_str().unwrap()).collect();
    assert_eq!(order, [second.as_str(), first.as_str()]);
    // The fetched objects have the true order.
    let (one, two) = (
        bench.get(TOKEN, &format!("/messages/{first}")).await.1,
        bench.get(TOKEN, &format!("/messages/{second}")).await.1,
    );
    assert!(one["created"].as_str() <= two["created"].as_str());
    bench.sim.faults().add(FaultOrder::next(1, "messages.*", FaultKind::Duplicate));
    let twice = bench.sim.post(&person(GITA), &room(GENERAL), "twice").unwrap();
    bench.app.wait(2, |request| request.json["data"]["id"] == twice.as_str()).await;
    bench.sim.faults().add(FaultOrder::always("messages.*", FaultKind::Silence));
    let silent = bench.sim.post(&person(GITA), &room(GENERAL), "unheard").unwrap();
    bench.sim.faults().clear();
    let heard = bench.sim.post(&person(GITA), &room(GENERAL), "heard").unwrap();
    bench.app.wait(1, |request| request.json["data"]["id"] == heard.as_str()).await;
    assert!(bench.app.matching(&|request| request.json["data"]["id"] == silent.as_str()).is_empty());
    bench.done().await;
}

#[tokio::test]
async fn without_a_fault_a_space_keeps_its_order() {
    let bench = Bench::new().await;
    bench.firehose(TOKEN).await;
    let sent: Vec<String> = (0..20)
        .map(|number| bench.sim.post(&person(GITA), &room(GENERAL), &number.to_string()).unwrap())
        .collect();
    let told = bench.app.wait(20, |_| true).await;
    let order: Vec<&str> = told.iter().map(|one| one.json["data"]["id"].as_str().unwrap()).collect();
    assert_eq!(order, sent);
    bench.done().await;
}

#[tokio::test]
async fn an_own_event_can_arrive_before_the_answer() {
    let mut config = config();
    config.timing = WebexTiming { post_answer_delay: Duration::from_secs(30), ..WebexTiming::default() };
    let bench = Bench::with(config).await;
    bench.firehose(TOKEN).await;
    let body = json!({"roomId": room(GENERAL), "text": "early"});
    let call = bench.call(TOKEN, Method::POST, "/messages", &body);
    let told = async { bench.app.event("messages.created").await };
    tokio::select! {
        answer = call => panic!("the answer came first: {}", answer.status),
        told = told => assert_eq!(told.json["data"]["personId"], person(SERVICE)),
    }
    bench.done().await;
}

#[tokio::test]
async fn the_first_get_can_miss_a_message() {
    let mut config = config();
    config.doubts = WebexDoubts { first_get_missing: true, ..WebexDoubts::default() };
    let bench = Bench::with(config).await;
    let posted = bench.sim.post(&person(GITA), &room(GENERAL), "lagging").unwrap();
    let path = format!("/messages/{posted}");
    assert_eq!(bench.get(TOKEN, &path).await.0, 404);
    assert_eq!(bench.get(TOKEN, &path).await.0, 200);
    assert_eq!(bench.get(&personal("henrik.dahl"), &path).await.0, 404);
    let own = bench.says(GENERAL, json!({"text": "own"})).await;
    assert_eq!(bench.get(TOKEN, &format!("/messages/{}", id(&own))).await.0, 200);
    bench.done().await;
}

#[tokio::test]
async fn a_receiver_that_cannot_be_reached_is_a_failure() {
    let bench = Bench::new().await;
    let hook = json!({"name": "n", "targetUrl": "http://127.0.0.1:9/", "resource": "all", "event": "all"});
    assert_eq!(bench.post(TOKEN, "/webhooks", hook).await.0, 200);
    bench.says(GENERAL, json!({"text": "to nobody"})).await;
    let wanted = |entry: &dragoman_sim::core::LogEntry| entry.detail["failure"] == "connection_failed";
    bench.sim.log().wait_for(1, PATIENCE, wanted).await.expect("a failed delivery is logged");
    bench.done().await;
}

#[tokio::test]
async fn reactions_are_told_to_nobody() {
    let bench = Bench::new().await;
    bench.firehose(TOKEN).await;
    let posted = bench.sim.post(&person(GITA), &room(GENERAL), "like me").unwrap();
    bench.sim.react(&person(HENRIK), &posted, "thumbsup").unwrap();
    let mark = bench.sim.post(&person(GITA), &room(GENERAL), "mark").unwrap();
    bench.app.wait(1, |request| request.json["data"]["id"] == mark.as_str()).await;
    assert_eq!(bench.app.matching(&|_| true).len(), 2);
    let shown = bench.get(TOKEN, &format!("/messages/{posted}")).await.1;
    assert!(shown.get("reactions").is_none());
    bench.done().await;
}
