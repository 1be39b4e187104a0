//! Files that a bot gives: the card that offers one, the answer, the upload, the card that shows it.

use bytes::Bytes;
use dragoman_sim::core::{FaultKind, FaultOrder};
use dragoman_sim::teams::seed::{APP, APP_SECRET, DANA, EMRE, GENERAL, LUNCH_CHAT, TEAM, TENANT};
use dragoman_sim::teams::{AppSeed, BotSeed, Place, Refusal};
use http::Method;
use serde_json::{Value, json};

use super::harness::{Reply, Rig, quick};

const CONSENT: &str = "application/vnd.microsoft.teams.card.file.consent";
const INFO: &str = "application/vnd.microsoft.teams.card.file.info";
const PART: usize = 320 * 1024;

/// Dana with the app in her chats.
async fn rig() -> Rig {
    let rig = Rig::with_roles(&["Files.ReadWrite.All", "Chat.Read.All"]).await;
    rig.sim.install(APP, &Place::Person(DANA.into()), DANA);
    rig.inbox.activities(1, "conversationUpdate").await;
    rig
}

fn offer(name: &str, size: usize) -> Value {
    json!({"contentType": CONSENT, "name": name, "content": {
        "description": "What was agreed", "sizeInBytes": size,
        "acceptContext": {"ticket": "t-1"}, "declineContext": {"ticket": "t-2"},
    }})
}

fn activity(attachments: &[&Value]) -> Value {
    json!({"type": "message", "attachments": attachments})
}

/// The chat as Graph calls it.
fn chat(rig: &Rig) -> String {
    rig.sim.personal_chat_in_graph(APP, DANA)
}

async fn post_to(rig: &Rig, conversation: &str, body: &Value) -> Reply {
    let path = rig.connector(&format!("v3/conversations/{conversation}/activities"));
    rig.post(&path, &rig.bot(), body).await
}

async fn post(rig: &Rig, body: &Value) -> Reply {
    post_to(rig, &rig.sim.personal_chat(APP, DANA), body).await
}

/// Offers a file; the message's id.
async fn offered(rig: &Rig, name: &str, size: usize) -> String {
    let r = post(rig, &activity(&[&offer(name, size)])).await;
    assert_eq!(r.status, 201, "{:?}", r.bytes);
    r.json()["id"].as_str().unwrap().to_owned()
}

/// Offers a file and accepts it; what the bot is told.
async fn accepted(rig: &Rig, name: &str, size: usize) -> Value {
    let id = offered(rig, name, size).await;
    rig.inbox.clear();
    rig.sim.accept_file(DANA, &chat(rig), &id).unwrap();
    rig.inbox.activities(1, "invoke").await.remove(0)
}

async fn put(rig: &Rig, url: &str, range: &str, body: &[u8]) -> Reply {
    rig.call(Method::PUT, url, "", &[("content-range", range)], Bytes::copy_from_slice(body)).await
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap()
}

/// What the page says about the only card of a message.
async fn answer(rig: &Rig, id: &str) -> Value {
    let shown = rig.get(&format!("/_sim/messages?conversation={}", chat(rig)), "").await.json();
    let found = shown["messages"].as_array().unwrap().iter().find(|m| m["id"] == id).unwrap().clone();
    found["attachments"][0]["answer"].clone()
}

/// Waits until the page says this about a card.
async fn becomes(rig: &Rig, id: &str, wanted: Value) {
    let waiting = async {
        while answer(rig, id).await != wanted {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(8), waiting).await.expect("the answer did not come");
}

#[tokio::test]
async fn a_bot_offers_files_in_personal_chats_alone() {
    let rig = rig().await;
    let card = offer("plan.txt", 3);
    let id = offered(&rig, "plan.txt", 3).await;
    let path = format!("/v1.0/chats/{}/messages/{id}", chat(&rig));
    let m = rig.get(&path, &rig.app()).await.json();
    let shown = &m["attachments"][0];
    assert_eq!((&shown["contentType"], &shown["name"]), (&json!(CONSENT), &json!("plan.txt")));
    assert_eq!(serde_json::from_str::<Value>(text(shown, "content")).unwrap(), card["content"]);
    assert!(text(&m["body"], "content").starts_with("<attachment id="));

    let both = json!({"type": "message", "text": "look", "attachments": [card]});
    assert_eq!(post(&rig, &both).await.status, 201);
    assert_eq!(rig.sim.messages(&chat(&rig)).len(), 3, "text and card are two messages");

    rig.sim.install(APP, &Place::Chat(LUNCH_CHAT.into()), DANA);
    for conversation in [GENERAL, LUNCH_CHAT] {
        let r = post_to(&rig, conversation, &activity(&[&card])).await;
        assert_eq!((r.status, r.error().0.as_str()), (400, "Bad Argument"), "{conversation}");
        assert!(r.error().1.contains("personal"), "{:?}", r.error());
    }
    assert_eq!(post(&rig, &activity(&[&card, &card])).await.status, 400, "one at a time");
    rig.sim.with_app(APP, |app| {
        if let Some(bot) = &mut app.bot {
            bot.supports_files = false;
        }
    });
    let r = post(&rig, &activity(&[&card])).await;
    assert_eq!(r.status, 400);
    assert!(r.error().1.contains("supportsFiles"), "{:?}", r.error());
    rig.stop().await;
}

#[tokio::test]
async fn an_offer_needs_a_name_a_size_and_both_contexts() {
    let rig = rig().await;
    let good = offer("plan.txt", 3);
    for (path, values) in [
        ("/name", vec![json!(null), json!(""), json!(7), json!("a/b.txt")]),
        ("/content/sizeInBytes", vec![json!(null), json!(0), json!(-1), json!("3"), json!(1.5)]),
        ("/content/acceptContext", vec![json!("x"), json!(1)]),
        ("/content/declineContext", vec![json!("x"), json!([])]),
        ("/content", vec![json!(null)]),
    ] {
        for value in values {
            let mut bad = good.clone();
            *bad.pointer_mut(path).unwrap() = value.clone();
            let r = post(&rig, &activity(&[&bad])).await;
            assert_eq!((r.status, r.error().0.as_str()), (400, "Bad Argument"), "{path} {value}");
        }
    }
    for key in ["sizeInBytes", "acceptContext", "declineContext"] {
        let mut bad = good.clone();
        bad["content"].as_object_mut().unwrap().remove(key);
        assert_eq!(post(&rig, &activity(&[&bad])).await.status, 400, "without {key}");
    }
    let mut plain = good;
    plain["content"]["acceptContext"] = json!(null);
    plain["content"]["declineContext"] = json!({});
    plain["content"].as_object_mut().unwrap().remove("description");
    assert_eq!(post(&rig, &activity(&[&plain])).await.status, 201);
    assert_eq!(rig.sim.messages(&chat(&rig)).len(), 1);
    rig.stop().await;
}

#[tokio::test]
async fn accepting_tells_the_bot_where_to_put_the_file() {
    let rig = rig().await;
    let id = offered(&rig, "Größe & co.TXT", 3).await;
    rig.inbox.clear();
    rig.sim.accept_file(DANA, &chat(&rig), &id).unwrap();
    let got = rig.inbox.wait(1, |g| g.path == "/api/messages").await.remove(0);
    assert!(got.bearer().is_some_and(|token| token.split('.').count() == 3), "signed as all are");
    let told = got.json();
    assert_eq!((&told["type"], &told["name"]), (&json!("invoke"), &json!("fileConsent/invoke")));
    assert_eq!(told["replyToId"], id);
    assert!(text(&told, "id").starts_with("f:"));
    assert_eq!(told["from"]["aadObjectId"], DANA);
    assert_eq!(
        (&told["conversation"]["conversationType"], &told["conversation"]["id"]),
        (&json!("personal"), &json!(rig.sim.personal_chat(APP, DANA)))
    );
    assert_eq!(told["recipient"]["id"], format!("28:{APP}"));
    assert_eq!(told["channelData"]["tenant"]["id"], TENANT);
    let value = &told["value"];
    assert_eq!((&value["type"], &value["action"]), (&json!("fileUpload"), &json!("accept")));
    assert_eq!(value["context"], json!({"ticket": "t-1"}));
    let info = &value["uploadInfo"];
    let place = format!("/personal/{DANA}/Documents/Applications/Gr%C3%B6%C3%9Fe%20%26%20co.TXT");
    assert_eq!(info["contentUrl"], format!("{}{place}", rig.sim.base_url()));
    assert_eq!((&info["name"], &info["fileType"]), (&json!("Größe & co.TXT"), &json!("TXT")));
    assert_eq!(text(info, "uniqueId").len(), 36);
    assert!(text(info, "uploadUrl").starts_with(rig.sim.base_url()));
    becomes(&rig, &id, json!("accepted")).await;
    assert!(rig.sim.file_at(text(info, "contentUrl")).is_none(), "nothing is there yet");
    rig.stop().await;
}

#[tokio::test]
async fn declining_tells_the_bot_and_makes_no_room() {
    let rig = rig().await;
    let id = offered(&rig, "plan.txt", 3).await;
    rig.sim.decline_file(DANA, &chat(&rig), &id).unwrap();
    let told = rig.inbox.activities(1, "invoke").await.remove(0);
    assert_eq!((&told["name"], &told["replyToId"]), (&json!("fileConsent/invoke"), &json!(id)));
    assert_eq!(
        told["value"],
        json!({"type": "fileUpload", "action": "decline", "context": {"ticket": "t-2"}})
    );
    becomes(&rig, &id, json!("declined")).await;
    let again = accepted(&rig, "plan.txt", 3).await;
    assert_eq!(again["value"]["uploadInfo"]["name"], "plan.txt", "nobody was promised this name");
    rig.stop().await;
}

#[tokio::test]
async fn an_offer_is_answered_once_by_whom_it_was_made_to() {
    let rig = rig().await;
    let (chat, id) = (chat(&rig), offered(&rig, "plan.txt", 3).await);
    let sim = &rig.sim;
    assert_eq!(sim.accept_file(EMRE, &chat, &id), Err(Refusal::NotMember));
    assert_eq!(sim.accept_file(DANA, &chat, "77"), Err(Refusal::NoMessage));
    assert_eq!(sim.accept_file(DANA, "19:nowhere", &id), Err(Refusal::NoConversation));
    let words = post(&rig, &json!({"type": "message", "text": "words"})).await.json();
    assert_eq!(sim.decline_file(DANA, &chat, text(&words, "id")), Err(Refusal::NoOffer));
    sim.accept_file(DANA, &chat, &id).unwrap();
    assert_eq!(sim.accept_file(DANA, &chat, &id), Err(Refusal::Answered), "while the bot is asked");
    becomes(&rig, &id, json!("accepted")).await;
    assert_eq!(sim.decline_file(DANA, &chat, &id), Err(Refusal::Answered));

    let own = rig.connector(&format!("v3/conversations/{}/activities/{id}", sim.personal_chat(APP, DANA)));
    let next = activity(&[&offer("next.txt", 3)]);
    assert_eq!(rig.send(Method::PUT, &own, &rig.bot(), &next).await.status, 200);
    sim.decline_file(DANA, &chat, &id).unwrap();
    rig.inbox.activities(2, "invoke").await;
    assert_eq!(rig.send(Method::DELETE, &own, &rig.bot(), &Value::Null).await.status, 200);
    assert_eq!(sim.accept_file(DANA, &chat, &id), Err(Refusal::Deleted));
    rig.stop().await;
}

#[tokio::test]
async fn an_answer_that_the_bot_did_not_take_can_be_given_again() {
    let rig = rig().await;
    let (chat, id) = (chat(&rig), offered(&rig, "plan.txt", 3).await);
    rig.inbox.manner(|m| m.status = 500);
    rig.sim.accept_file(DANA, &chat, &id).unwrap();
    rig.inbox.activities(1, "invoke").await;
    becomes(&rig, &id, Value::Null).await;
    rig.inbox.manner(|m| m.status = 200);
    let silence = rig.sim.faults().add(FaultOrder::always("bot.*", FaultKind::Silence));
    rig.sim.accept_file(DANA, &chat, &id).unwrap();
    becomes(&rig, &id, Value::Null).await;
    rig.sim.faults().lift(silence);
    let told = accepted(&rig, "plan.txt", 3).await;
    assert_eq!(told["value"]["uploadInfo"]["name"], "plan.txt", "the name is nobody's yet");
    rig.sim.decline_file(DANA, &chat, &id).unwrap();
    becomes(&rig, &id, json!("declined")).await;
    rig.stop().await;
}

#[tokio::test]
async fn what_is_accepted_goes_up_in_the_stated_size() {
    let rig = rig().await;
    let total = PART + 5;
    let told = accepted(&rig, "big.bin", total).await;
    let info = &told["value"]["uploadInfo"];
    let url = text(info, "uploadUrl");
    let part = vec![7_u8; PART];
    let (first, last) =
        (format!("bytes 0-{}/{total}", PART - 1), format!("bytes {PART}-{}/{total}", total - 1));
    assert_eq!(put(&rig, url, "bytes 0-4/5", b"abcde").await.status, 400, "another size than was stated");
    assert_eq!(put(&rig, url, &last, b"abcde").await.status, 416, "not the next");
    let with_token = [("content-range", first.as_str())];
    let refused = rig.call(Method::PUT, url, &rig.bot(), &with_token, Bytes::from(part.clone())).await;
    assert_eq!(refused.status, 401, "the address takes no token");
    let between = put(&rig, url, &first, &part).await;
    assert_eq!((between.status, &between.json()["nextExpectedRanges"]), (202, &json!([format!("{PART}-")])));
    assert_eq!(put(&rig, url, &first, &part).await.status, 416, "there already");
    let made = put(&rig, url, &last, b"abcde").await;
    assert_eq!((made.status, &made.json()["webUrl"]), (201, &info["contentUrl"]));
    assert_eq!(made.json()["eTag"], format!("\"{{{}}},1\"", text(info, "uniqueId")));
    assert_eq!(made.json()["createdBy"], json!({"user": {"id": DANA}, "application": {"id": APP}}));
    assert_eq!(put(&rig, url, &last, b"abcde").await.status, 404, "over");
    assert_eq!(put(&rig, &format!("{url}0"), &first, &part).await.status, 404, "unknown");
    assert_eq!(rig.sim.file_at(text(info, "contentUrl")).unwrap().len(), total);

    let late = accepted(&rig, "late.bin", 1).await;
    rig.sim.expire_addresses();
    let url = text(&late["value"]["uploadInfo"], "uploadUrl");
    assert_eq!(put(&rig, url, "bytes 0-0/1", b"x").await.status, 404);
    rig.stop().await;
}

#[tokio::test]
async fn accepting_twice_the_same_name_promises_two_files() {
    let rig = rig().await;
    let [first, second] = [accepted(&rig, "plan.txt", 1).await, accepted(&rig, "plan.txt", 1).await];
    let [first, second] = [&first["value"]["uploadInfo"], &second["value"]["uploadInfo"]];
    assert_eq!((&first["name"], &second["name"]), (&json!("plan.txt"), &json!("plan 1.txt")));
    assert_ne!(first["uniqueId"], second["uniqueId"]);
    for (info, bytes) in [(second, b"b"), (first, b"a")] {
        assert_eq!(put(&rig, text(info, "uploadUrl"), "bytes 0-0/1", bytes).await.status, 201);
        assert_eq!(rig.sim.file_at(text(info, "contentUrl")).unwrap(), bytes);
    }
    rig.stop().await;
}

/// The card that shows an uploaded file.
fn info_card(info: &Value) -> Value {
    json!({"contentType": INFO, "contentUrl": info["contentUrl"], "name": info["name"],
        "content": {"uniqueId": text(info, "uniqueId").to_lowercase(), "fileType": info["fileType"]}})
}

#[tokio::test]
async fn a_file_info_card_names_what_was_accepted() {
    let other = "00000000-0000-4000-8000-0000000000aa";
    let mut config = quick();
    config.apps = [(APP, "Dragoman"), (other, "Other")]
        .map(|(id, name)| {
            let mut app =
                AppSeed::new(id, name, APP_SECRET).installed_in(TEAM).with_roles(&["Chat.Read.All"]);
            app.bot = Some(BotSeed { endpoint: None, multi_tenant: false, supports_files: true });
            app.installed_people = vec![DANA.into(), EMRE.into()];
            app
        })
        .into();
    let rig = Rig::with(config).await;
    let told = accepted(&rig, "plan.txt", 3).await;
    let info = &told["value"]["uploadInfo"];
    let card = info_card(info);
    assert_eq!(post(&rig, &activity(&[&card])).await.status, 400, "nothing is there yet");
    assert_eq!(put(&rig, text(info, "uploadUrl"), "bytes 0-2/3", b"abc").await.status, 201);

    let sent = post(&rig, &activity(&[&card])).await;
    assert_eq!(sent.status, 201, "{:?}", sent.bytes);
    let path = format!("/v1.0/chats/{}/messages", chat(&rig));
    let listed = rig.get(&path, &rig.app()).await.json();
    let m = listed["value"].as_array().unwrap().iter().find(|m| m["id"] == sent.json()["id"]).unwrap();
    let file = &m["attachments"][0];
    assert_eq!(
        (&file["contentType"], &file["name"], &file["contentUrl"]),
        (&json!(INFO), &json!("plan.txt"), &info["contentUrl"])
    );
    assert_eq!(file["id"], text(info, "uniqueId").to_lowercase());
    assert_eq!(rig.sim.file_at(text(file, "contentUrl")).unwrap(), b"abc");

    for (path, value) in [
        ("/contentUrl", json!(format!("{}x", text(info, "contentUrl")))),
        ("/contentUrl", json!(text(info, "contentUrl").replace("http://", "https://"))),
        ("/contentUrl", Value::Null),
        ("/content/uniqueId", json!("00000000-0000-4000-8000-000000000000")),
        ("/content/uniqueId", Value::Null),
        ("/name", Value::Null),
    ] {
        let mut bad = card.clone();
        *bad.pointer_mut(path).unwrap() = value.clone();
        let r = post(&rig, &activity(&[&bad])).await;
        assert_eq!((r.status, r.error().0.as_str()), (400, "Bad Argument"), "{path} {value}");
    }
    assert_eq!(post_to(&rig, GENERAL, &activity(&[&card])).await.status, 400, "people's chats alone");
    let emre = rig.sim.personal_chat(APP, EMRE);
    assert_eq!(post_to(&rig, &emre, &activity(&[&card])).await.status, 400, "another person's file");
    let chat = rig.sim.personal_chat(other, DANA);
    let path = rig.connector(&format!("v3/conversations/{chat}/activities"));
    let stolen = rig.post(&path, &rig.sim.bot_token(other), &activity(&[&card])).await;
    assert_eq!(stolen.status, 400, "another bot's");
    rig.stop().await;
}

#[tokio::test]
async fn the_page_shows_and_answers_offers() {
    let rig = rig().await;
    let script = String::from_utf8(rig.get("/_sim/page.js", "").await.bytes.to_vec()).unwrap();
    for hook in ["offer", "accept", "decline", CONSENT, INFO] {
        assert!(script.contains(&format!("\"{hook}\"")), "{hook}");
    }
    let [kept, unwanted] = [offered(&rig, "plan.txt", 3).await, offered(&rig, "b.txt", 3).await];
    let press = async |action: &str, id: &str, who: &str| {
        let body = json!({"as": who, "conversation": chat(&rig), "message": id});
        rig.post(&format!("/_sim/{action}"), "", &body).await
    };
    let shown = rig.get(&format!("/_sim/messages?conversation={}", chat(&rig)), "").await.json();
    let card = &shown["messages"][0]["attachments"][0];
    assert_eq!(
        (&card["type"], &card["name"], &card["answer"]),
        (&json!(CONSENT), &json!("plan.txt"), &Value::Null)
    );
    assert_eq!(
        (&card["content"]["sizeInBytes"], &card["content"]["description"]),
        (&json!(3), &json!("What was agreed"))
    );
    assert_eq!(press("accept", &kept, EMRE).await.status, 409, "not Emre's chat");
    assert_eq!(press("accept", &kept, DANA).await.json()["id"], kept);
    assert_eq!(press("decline", &unwanted, DANA).await.status, 200);
    becomes(&rig, &kept, json!("accepted")).await;
    becomes(&rig, &unwanted, json!("declined")).await;
    let again = press("accept", &unwanted, DANA).await;
    assert_eq!((again.status, &again.json()["error"]), (409, &json!("the card is answered already")));

    let told = rig.inbox.activities(2, "invoke").await;
    let told = told.iter().find(|a| a["value"]["action"] == "accept").unwrap();
    let info = &told["value"]["uploadInfo"];
    put(&rig, text(info, "uploadUrl"), "bytes 0-2/3", b"abc").await;
    assert_eq!(post(&rig, &activity(&[&info_card(info)])).await.status, 201);
    let shown = rig.get(&format!("/_sim/messages?conversation={}", chat(&rig)), "").await.json();
    let file = &shown["messages"][2]["attachments"][0];
    assert_eq!((&file["type"], &file["name"], &file["size"]), (&json!(INFO), &json!("plan.txt"), &json!(3)));
    let query =
        form_urlencoded::Serializer::new(String::new()).append_pair("address", text(file, "url")).finish();
    assert_eq!(&rig.get(&format!("/_sim/file?{query}"), "").await.bytes[..], b"abc");
    rig.stop().await;
}
