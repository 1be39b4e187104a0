//! The chatbot: its token, sending, editing, deleting, what it hears.

use http::Method;
use serde_json::{Value, json};

use super::bench::*;

fn message(text: &str) -> Value {
    json!({"robot_jid": ROBOT, "to_jid": format!("{GENERAL}@conference.xmpp.zoom.us"), "account_id": KESTREL,
        "user_jid": format!("{}@xmpp.zoom.us", THEO.to_lowercase()),
        "content": {"head": {"text": "Alice Ang", "sub_head": {"text": "Slack #general"}},
            "body": [{"type": "message", "text": text}]}})
}

async fn bench() -> (Bench, String) {
    let mut config = config();
    config.apps[0].bot_in = vec![GENERAL.to_owned()];
    let bench = Bench::with(config).await;
    let token = bench.bot_token().await;
    (bench, token)
}

async fn send(bench: &Bench, token: &str, body: Value) -> (u16, Value) {
    bench.call_as(token, Method::POST, "/im/chat/messages", body).await
}

#[tokio::test]
async fn the_bot_sends_edits_and_deletes() {
    let (bench, token) = bench().await;
    let (status, sent) = send(&bench, &token, message("*hello*")).await;
    assert_eq!(status, 201);
    assert_eq!((&sent["robot_jid"], sent["sent_time"].as_str().unwrap().len()), (&json!(ROBOT), 19));
    let id = sent["message_id"].as_str().unwrap().to_owned();
    let list = bench.get(&format!("/chat/users/{BRIDGE}/messages?to_channel={GENERAL}")).await;
    assert_eq!(list["messages"][0]["bot_message"]["head"]["text"], "Alice Ang");
    assert_eq!(list["messages"][0]["message"], "Alice Ang\n*hello*");
    let path = format!("/im/chat/messages/{id}");
    let (status, changed) = bench.call_as(&token, Method::PUT, &path, message("changed")).await;
    assert_eq!((status, &changed["message_id"]), (200, &json!(id)));
    let gone = format!("{path}?account_id={KESTREL}&robot_jid={ROBOT}");
    assert_eq!(bench.call_as(&token, Method::DELETE, &gone, Value::Null).await.0, 200);
    assert_eq!(code(&bench.call_as(&token, Method::DELETE, &gone, Value::Null).await), (404, 8_001));
    assert!(bench.sim.messages(GENERAL, THEO).is_empty());
    bench.done().await;
    let mut config = config();
    config.apps[0].bot_in = vec![GENERAL.to_owned()];
    config.doubts.bot_update_no_content = true;
    let bench = Bench::with(config).await;
    let token = bench.bot_token().await;
    let (_, sent) = send(&bench, &token, message("x")).await;
    let path = format!("/im/chat/messages/{}", sent["message_id"].as_str().unwrap());
    assert_eq!(bench.call_as(&token, Method::PUT, &path, message("y")).await, (204, Value::Null));
    bench.done().await;
}

#[tokio::test]
async fn the_bot_needs_all_members_its_own_jid_and_a_place() {
    let (bench, token) = bench().await;
    for key in ["robot_jid", "to_jid", "account_id", "user_jid", "content"] {
        let mut body = message("x");
        body.as_object_mut().unwrap().remove(key);
        assert_eq!(code(&send(&bench, &token, body).await), (400, 7_001), "{key}");
    }
    let with = |key: &str, value: Value| {
        let mut body = message("x");
        body[key] = value;
        body
    };
    assert_eq!(code(&send(&bench, &token, with("robot_jid", json!("nobody"))).await), (404, 7_002));
    assert_eq!(
        code(&send(&bench, &token, with("robot_jid", json!("v1other@xmpp.zoom.us"))).await),
        (403, 7_003)
    );
    let elsewhere = json!(format!("{LAUNCH}@conference.xmpp.zoom.us"));
    let refused = send(&bench, &token, with("to_jid", elsewhere)).await;
    assert_eq!(refused, (403, json!({"code": 7_004, "message": "Not authorized.", "result": false})));
    assert_eq!(code(&send(&bench, &token, with("account_id", json!(TUNDRA))).await), (403, 7_004));
    bench.sim.set_bot(THEO, LAUNCH, APP, true).unwrap();
    bench.app.wait(0, |_| true).await;
    let here = json!(format!("{LAUNCH}@conference.xmpp.zoom.us"));
    assert_eq!(send(&bench, &token, with("to_jid", here)).await.0, 201);
    bench.done().await;
}

#[tokio::test]
async fn content_has_its_limits() {
    let (bench, token) = bench().await;
    assert_eq!(send(&bench, &token, message(&"x".repeat(4_096))).await.0, 201);
    assert_eq!(code(&send(&bench, &token, message(&"x".repeat(4_097))).await), (400, 7_001));
    let body = |blocks: Value| {
        let mut body = message("x");
        body["content"]["body"] = blocks;
        body
    };
    let buttons = |count: usize| json!([{"type": "actions", "items": vec![json!({"text": "ok", "value": "1"}); count]}]);
    assert_eq!(send(&bench, &token, body(buttons(5))).await.0, 201);
    assert_eq!(send(&bench, &token, body(buttons(6))).await.0, 400);
    let section = json!([{"type": "section", "sections": [{"type": "message", "text": "in"}]}]);
    assert_eq!(send(&bench, &token, body(section)).await.0, 201);
    assert_eq!(send(&bench, &token, body(json!([{"type": "table"}]))).await.0, 400);
    let mut styled = message("x");
    styled["is_markdown_support"] = json!(true);
    styled["content"]["head"]["style"] = json!({"bold": true});
    assert_eq!(send(&bench, &token, styled).await.0, 400, "style does not go with markup");
    bench.done().await;
}

#[tokio::test]
async fn bot_and_user_tokens_do_not_replace_each_other() {
    let (bench, token) = bench().await;
    let refused = send(&bench, TOKEN, message("x")).await;
    assert_eq!((code(&refused), &refused.1["message"]), ((401, 7_010), &json!("Invalid access token.")));
    let path = format!("/chat/users/{BRIDGE}/messages");
    let refused =
        bench.call_as(&token, Method::POST, &path, json!({"message": "x", "to_channel": GENERAL})).await;
    assert_eq!(refused, (401, json!({"code": 124, "message": "Invalid access token."})));
    bench.done().await;
}

#[tokio::test]
async fn bot_messages_may_raise_events() {
    for raise in [true, false] {
        let mut config = config();
        config.apps[0].bot_in = vec![GENERAL.to_owned()];
        config.doubts.bot_posts_raise_events = raise;
        let bench = Bench::with(config).await;
        let token = bench.bot_token().await;
        let (_, sent) = send(&bench, &token, message("x")).await;
        if raise {
            let event = bench.app.event("team_chat.channel_message_posted").await;
            assert_eq!(event["payload"]["object"]["message_id"], sent["message_id"]);
            assert_eq!(event["payload"]["operator_id"], "");
        } else {
            tokio::time::sleep(QUIET).await;
            assert_eq!(bench.app.count("team_chat.channel_message_posted"), 0);
        }
        bench.done().await;
    }
}

#[tokio::test]
async fn the_bot_replies_and_whispers() {
    let (bench, token) = bench().await;
    let root = bench.sim.post(THEO, GENERAL, "root").unwrap();
    let mut body = message("reply");
    body["reply_to"] = json!(root);
    let (_, sent) = send(&bench, &token, body).await;
    let list = bench.get(&format!("/chat/users/{BRIDGE}/messages?to_channel={GENERAL}")).await;
    assert_eq!(list["messages"][0]["reply_main_message_id"], root);
    assert_eq!(list["messages"][0]["id"], sent["message_id"]);
    let mut body = message("for you");
    body["visible_to_user"] = json!(IMANI);
    send(&bench, &token, body).await;
    assert_eq!(bench.sim.messages(GENERAL, IMANI).len(), 3);
    assert_eq!(bench.sim.messages(GENERAL, THEO).len(), 2);
    bench.done().await;
}

#[tokio::test]
async fn the_bot_hears_what_is_addressed_to_it() {
    let (bench, token) = bench().await;
    assert!(bench.sim.command(THEO, GENERAL, "/dragoman link here"));
    let heard = bench.app.wait(1, |request| request.json["event"] == "bot_notification").await.remove(0);
    assert!(heard.is_signed() && heard.path == "/zoom/bot");
    let payload = &heard.json["payload"];
    assert_eq!((&payload["cmd"], &payload["channelName"]), (&json!("link here"), &json!("General")));
    assert_eq!(payload["toJid"], format!("{GENERAL}@conference.xmpp.zoom.us"));
    assert_eq!((&payload["userId"], &payload["userName"]), (&json!(THEO), &json!("Theo Lindqvist")));
    assert!(payload.get("messageId").is_none() && payload.get("message_id").is_none());
    let direct = bench.sim.open_direct_with_bot(THEO, APP).unwrap();
    bench.sim.post(THEO, &direct, "hello bot").unwrap();
    let direct = bench.app.wait(2, |request| request.json["event"] == "bot_notification").await.remove(1);
    let payload = &direct.json["payload"];
    assert_eq!((&payload["toJid"], &payload["cmd"]), (&json!(ROBOT), &json!("hello bot")));
    // The answer goes to the person's JID.
    let mut answer = message("hello Theo");
    answer["to_jid"] = payload["userJid"].clone();
    assert_eq!(send(&bench, &token, answer).await.0, 201);
    bench.sim.post(IMANI, GENERAL, "@Dragoman are you there?").unwrap();
    let mention = bench.app.event("team_chat.app_mention").await;
    let object = &mention["payload"]["object"];
    assert_eq!((&object["type"], &object["channel_id"]), (&json!("to_channel"), &json!(GENERAL)));
    tokio::time::sleep(QUIET).await;
    assert_eq!(bench.app.count("team_chat.dm_message_posted"), 0, "nobody else hears the talk with a bot");
    bench.done().await;
}

#[tokio::test]
async fn adding_the_bot_to_a_channel_is_an_event() {
    let mut config = config();
    config.apps[0].subscriptions[0].events.push("team_chat.channel_app_added".to_owned());
    let bench = Bench::with(config).await;
    bench.sim.set_bot(THEO, LAUNCH, APP, true).unwrap();
    let event = bench.app.event("team_chat.channel_app_added").await;
    assert_eq!(event["payload"]["object"]["app_members"][0]["display_name"], "Dragoman");
    bench.done().await;
}
