//! Shapes against recorded and documented traffic, where the recordings are at hand.
#![expect(clippy::print_stdout, reason = "a skipped comparison says so")]

use std::path::PathBuf;

use dragoman_sim::webex::Post;
use dragoman_sim::webex::WebexDoubts;
use dragoman_sim::webex::hooks::headers;
use dragoman_sim::webex::ids;
use dragoman_sim::webex::markdown::{Reading, render};
use serde_json::{Value, json};

use super::bench::{BOT_TOKEN, Bench, GENERAL, GITA, TOKEN, config, id, person, personal, room};

fn sample(path: &str) -> Option<Value> {
    let root = std::env::var_os("DRAGOMAN_PAYLOADS").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/platforms"),
        PathBuf::from,
    );
    match std::fs::read(root.join("webex").join(path)) {
        Ok(bytes) => Some(serde_json::from_slice(&bytes).unwrap()),
        Err(error) => {
            assert!(std::env::var_os("CI").is_none(), "recordings are missing: {error}");
            println!("skipped: no recording of {path}");
            None
        }
    }
}

/// Every member of the recording has to be there with the same kind of value, except the named ones.
fn same_shape(at: &str, recorded: &Value, ours: &Value, absent: &[&str]) {
    match (recorded, ours) {
        (Value::Object(members), Value::Object(_)) => {
            for (key, value) in members.iter().filter(|(key, _)| !absent.contains(&key.as_str())) {
                let path = format!("{at}.{key}");
                if value.is_null() {
                    continue;
                }
                assert!(ours.get(key).is_some(), "{path} is missing in {ours}");
                // The card is the sender's own.
                if key != "attachments" && key != "inputs" {
                    same_shape(&path, value, &ours[key], absent);
                }
            }
        }
        (Value::Array(theirs), Value::Array(own)) => {
            if let (Some(theirs), Some(own)) = (theirs.first(), own.first()) {
                same_shape(&format!("{at}[0]"), theirs, own, absent);
            }
        }
        (theirs, own) => {
            let same = std::mem::discriminant(theirs) == std::mem::discriminant(own);
            assert!(same, "{at}: {theirs} against {own}");
        }
    }
}

fn check(path: &str, ours: &Value, absent: &[&str]) {
    if let Some(recorded) = sample(path) {
        same_shape(path, &recorded, ours, absent);
    }
}

/// Nothing that the service does not send, either.
fn check_exactly(path: &str, ours: &Value, more: &[&str]) {
    check(path, ours, &[]);
    if let Some(recorded) = sample(path) {
        let extra: Vec<&String> = ours
            .as_object()
            .unwrap()
            .keys()
            .filter(|key| recorded.get(key.as_str()).is_none() && !more.contains(&key.as_str()))
            .collect();
        assert!(extra.is_empty(), "{path}: {extra:?} are not in the recording");
    }
}

#[tokio::test]
async fn messages_look_as_recorded() {
    let bench = Bench::with(config().with_bot_in(GENERAL)).await;
    let (gita, bot) = (person(GITA), bench.sim.person_id("Dragoman").unwrap());
    let direct = bench.sim.direct(&gita, &bot).unwrap();
    let get = async |id: &str| bench.get(BOT_TOKEN, &format!("/messages/{id}")).await.1;
    let plain = bench.sim.post(&gita, &direct, "This is a direct message").unwrap();
    check_exactly("messages/get.direct.text.json", &get(&plain).await, &[]);
    check_exactly("messages/get.direct.text-2.json", &get(&plain).await, &[]);
    let post = Post { text: "file", parent: Some(&plain), files: vec![("a.txt", b"a")], card: None };
    let file = bench.sim.post_with(&gita, &direct, &post).unwrap();
    check_exactly("messages/get.direct.file.json", &get(&file).await, &["text"]);
    let card = json!([{"contentType": "application/vnd.microsoft.card.adaptive",
        "content": {"type": "AdaptiveCard", "version": "1.3", "body": []}}]);
    let body = json!({"roomId": direct, "markdown": "Pick\none", "attachments": card, "parentId": plain});
    let carded = bench.post(BOT_TOKEN, "/messages", body).await.1;
    check_exactly("messages/get.direct.thread-reply.card-inputs.json", &carded, &[]);
    check_exactly("messages/get.group.thread-reply.card.json", &carded, &[]);
    let mention = bench.sim.post(&gita, &room(GENERAL), "@Dragoman hello").unwrap();
    check_exactly("messages/list-item.group.mention.json", &get(&mention).await, &[]);
    bench.done().await;
}

#[tokio::test]
async fn deliveries_look_as_recorded() {
    let bench = Bench::with(config().with_bot_in(GENERAL)).await;
    bench.firehose(BOT_TOKEN).await;
    bench.hook(BOT_TOKEN, json!({"resource": "attachmentActions", "event": "created"})).await;
    let (gita, bot) = (person(GITA), bench.sim.person_id("Dragoman").unwrap());
    let direct = bench.sim.direct(&gita, &bot).unwrap();
    let said = bench.sim.post(&gita, &direct, "hello").unwrap();
    let about = async |id: &str| {
        let found = bench.app.wait(1, |request| request.json["data"]["id"] == id).await;
        found[0].json.clone()
    };
    let told = about(&said).await;
    check_exactly("webhooks/messages.created.direct.json", &told, &[]);
    let root = bench.sim.post(&gita, &room(GENERAL), "@Dragoman hello").unwrap();
    let card = json!([{"contentType": "application/vnd.microsoft.card.adaptive",
        "content": {"type": "AdaptiveCard", "version": "1.3", "body": []}}]);
    let body = json!({"roomId": room(GENERAL), "text": "own", "parentId": root, "attachments": card});
    let own = bench.post(BOT_TOKEN, "/messages", body).await.1;
    check_exactly("webhooks/messages.created.bot-own-group-reply.json", &about(id(&own)).await, &[]);
    let action = bench.sim.click(&gita, id(&own), serde_json::Map::new()).unwrap();
    let clicked = about(&action).await;
    check_exactly("webhooks/attachmentActions.created.json", &clicked, &[]);
    check_exactly("webhooks/attachmentActions.created.direct.json", &clicked, &[]);
    if let Some(recorded) = sample("webhooks/attachmentActions.created.json") {
        let (theirs, ours) = (recorded["data"].as_object().unwrap(), clicked["data"].as_object().unwrap());
        assert_eq!(theirs.len(), ours.len(), "{ours:?}");
    }
    let fetched = bench.get(BOT_TOKEN, &format!("/attachment/actions/{action}")).await.1;
    check_exactly("attachment-actions/get.button.json", &fetched, &[]);
    bench.done().await;
}

#[tokio::test]
async fn other_objects_look_as_recorded() {
    let bench = Bench::with(super::bench::partner()).await;
    let general = bench.get(TOKEN, &format!("/rooms/{}", room(GENERAL))).await.1;
    check_exactly("rooms/get.group.json", &general, &[]);
    let direct = bench.sim.direct(&person(GITA), &person(super::bench::SERVICE)).unwrap();
    check("rooms/get.direct.json", &bench.get(TOKEN, &format!("/rooms/{direct}")).await.1, &[]);
    let jonas = person(dragoman_sim::webex::seed::JONAS);
    check("people/get.person.other-org.json", &bench.get(TOKEN, &format!("/people/{jonas}")).await.1, &[]);
    check("people/2016.me.person.json", &bench.get(TOKEN, "/people/me").await.1, &[]);
    let bot = bench.get(BOT_TOKEN, "/people/me").await.1;
    check("people/2019.me.bot.json", &bot, &["phoneNumbers", "status"]);
    let members = bench.get(TOKEN, "/memberships").await.1;
    check("doc-examples/GET_memberships.200.json", &members, &[]);
    check("rooms/2018.membership.create.json", &members["items"][0], &[]);
    let hook = bench.firehose(TOKEN).await;
    check_exactly("webhooks/2019.resource.firehose.json", &hook, &[]);
    check("webhooks/2019.list.json", &bench.get(TOKEN, "/webhooks").await.1, &[]);
    let team = bench.post(TOKEN, "/teams", json!({"name": "Crew"})).await.1;
    check("doc-examples/POST_teams.200.json", &team, &["description"]);
    check("doc-examples/GET_authorizations.200.json", &bench.get(TOKEN, "/authorizations").await.1, &[]);
    let expiry = bench.get(TOKEN, "/authorizations/tokenExpiry").await.1;
    check("doc-examples/GET_authorizations_tokenExpiry.200.json", &expiry, &[]);
    let refused = bench.get("unknown", "/rooms").await.1;
    check_exactly("errors/401.no-token.json", &refused, &[]);
    if let Some(recorded) = sample("errors/401.no-token.json") {
        assert_eq!((&recorded["message"], &recorded["errors"]), (&refused["message"], &refused["errors"]));
    }
    bench.sim.set_decryptable(&room(GENERAL), false);
    let hidden = bench.get(TOKEN, "/rooms?sortBy=created").await.1;
    let item = hidden["items"].as_array().unwrap().iter().find(|one| one.get("errors").is_some()).unwrap();
    check("errors/item-errors.kms_failure.json", &json!({"items": [item]}), &[]);
    let said = bench.says(GENERAL, json!({"text": "for the record"})).await;
    let events = bench.get(&personal("ines.moreau"), "/events?resource=messages").await.1;
    assert_eq!(events["items"][0]["data"]["id"], said["id"]);
    if let Some(recorded) = sample("doc-examples/GET_events.200.json") {
        let item = &recorded["items"][0];
        let fields = ["id", "resource", "type", "actorId", "orgId", "created", "data"];
        assert!(fields.iter().all(|key| item.get(key).is_some() && events["items"][0].get(key).is_some()));
    }
    bench.done().await;
}

#[test]
fn ids_signatures_and_markup_agree_with_the_vectors() {
    if let Some(vectors) = sample("vectors/ids.json") {
        let lists = [&vectors["real"], &vectors["built"]];
        for vector in lists.into_iter().flat_map(|list| list.as_array().unwrap()) {
            let text = |key: &str| vector[key].as_str().unwrap();
            let made = ids::public(text("cluster"), text("type"), text("key"));
            assert_eq!(made, text("id"));
            let read = ids::read(text("type"), text("id")).unwrap();
            assert_eq!((read.cluster.as_deref(), read.key.as_str()), (Some(text("cluster")), text("key")));
        }
    }
    if let Some(vectors) = sample("vectors/webhook-signatures.json") {
        for vector in vectors["vectors"].as_array().unwrap() {
            let body = vector["raw_body"].as_str().unwrap();
            let made = headers(vector["secret"].as_str(), &WebexDoubts::default(), body.as_bytes());
            assert_eq!(made["x-spark-signature"], vector["X-Spark-Signature"].as_str().unwrap());
            let newer = vector["X-Webex-Signature (reported form)"].as_str();
            if let Some(newer) = newer {
                assert_eq!(made["x-webex-signature"], newer);
            }
        }
    }
    if let Some(vectors) = sample("vectors/markup.json") {
        for vector in vectors["vectors"].as_array().unwrap() {
            let Some(markdown) = vector["markdown"].as_str() else { continue };
            let reading = Reading { newline_breaks: true, strikethrough: false };
            let made = render(markdown, reading, &|_, _| None);
            assert_eq!(made.html, vector["html"].as_str().unwrap());
            assert_eq!(made.text, vector["text"].as_str().unwrap());
        }
    }
}
