//! Catching up and looking for copies.

use dragoman_markup::plain;
use dragoman_model::operation::Candidate;
use dragoman_model::{Block, Inline, Mention, Operation};
use dragoman_platform::{Connector as _, HistoryQuery};
use serde_json::{Value, json};

use crate::fake::Reply;
use crate::support::{ANA, APP, CHAT, NOW_MS, ROOM, World, chat_message, paragraph, post};

/// A message of the room, made at so many seconds before now.
fn said(ago: i64, text: &str) -> Value {
    let made = NOW_MS - ago * 1000;
    let time = jiff::Timestamp::from_millisecond(made).unwrap().to_string();
    let mut message = chat_message(&made.to_string(), &format!("<p>{text}</p>"));
    message["createdDateTime"] = json!(time);
    message["lastModifiedDateTime"] = json!(time);
    message
}

fn texts(messages: &[dragoman_model::Message]) -> Vec<String> {
    messages.iter().map(|message| plain(&message.body)).collect()
}

#[tokio::test]
async fn a_channel_is_read_thread_by_thread_until_older_than_asked() {
    let world = World::start(|call| {
        let path = call.path.as_str();
        if path.ends_with("/messages?$top=50&$expand=replies") {
            // An old root whose thread moved last comes first.
            let mut old = said(9_000, "old root");
            old["replies"] = json!([said(10, "new reply"), said(8_000, "old reply")]);
            old["replies@odata.nextLink"] = json!(format!("http://{}/v1.0/more-replies", call.headers["host"]));
            let mut gone = said(30, "");
            gone["deletedDateTime"] = json!("2026-01-10T09:59:50Z");
            let system = json!({ "id": "1", "messageType": "systemEventMessage", "lastModifiedDateTime": "2026-01-10T09:59:50Z" });
            Some(json!({ "value": [old, said(20, "root"), gone, system], "@odata.nextLink": format!("http://{}/v1.0/page2", call.headers["host"]) }).into())
        } else if path.ends_with("/more-replies") {
            Some(json!({ "value": [said(40, "earlier reply"), said(7_000, "ancient reply")] }).into())
        } else if path.ends_with("/page2") {
            Some(json!({ "value": [said(60, "first"), said(5_000, "too old")], "@odata.nextLink": "http://never/" }).into())
        } else if path.contains("/messages/77/replies") {
            Some(json!({ "value": [said(50, "in a quiet thread")] }).into())
        } else {
            path.contains("/messages/78/replies").then(|| Reply::error(404, "NotFound"))
        }
    })
    .await;
    let query =
        HistoryQuery { since_ms: NOW_MS - 100_000, threads: ["77".into(), "78".into()].into(), cursor: None };
    let page = world.connector.history(&world.session(), &world.room(), &query).await.unwrap();
    assert_eq!(texts(&page.messages), ["first", "in a quiet thread", "earlier reply", "root", "new reply"]);
    assert!(page.next.is_none());
}

#[tokio::test]
async fn links_to_other_hosts_are_not_followed() {
    let world = World::start(|call| {
        let value = json!({ "value": [said(1, "x")], "@odata.nextLink": "http://127.0.0.9:1/v1.0/steal" });
        call.path.contains("/messages?").then(|| value.into())
    })
    .await;
    let query = HistoryQuery { since_ms: NOW_MS - 100_000, ..HistoryQuery::default() };
    assert!(world.connector.history(&world.session(), &world.room(), &query).await.is_err());
}

#[tokio::test]
async fn a_chat_is_read_with_a_date() {
    let world = World::start(|call| {
        call.path.contains("/messages?").then(|| json!({ "value": [said(1, "b"), said(2, "a")] }).into())
    })
    .await;
    let query = HistoryQuery { since_ms: NOW_MS - 60_000, ..HistoryQuery::default() };
    let page = world.connector.history(&world.session(), &world.chat(), &query).await.unwrap();
    assert_eq!(texts(&page.messages), ["a", "b"]);
    let line = world.fake.lines().remove(0);
    assert!(line.contains("$filter=lastModifiedDateTime%20gt%202026-01-10T09%3A59%3A00.000Z"), "{line}");
    assert!(line.contains(&CHAT.replace(':', "%3A").replace('@', "%40")), "{line}");
}

#[tokio::test]
async fn copies_are_found_by_what_they_say_oldest_first() {
    let blocks = vec![
        Block::Paragraph(vec![
            Inline::Text("see ".into()),
            Inline::Mention(Mention::Person { id: ANA.into(), name: "Ana Sample".into() }),
            Inline::Text(" & <this>".into()),
        ]),
        Block::Code { language: None, text: "a\n  b".into() },
    ];
    let wanted = post(ROOM, blocks);
    // What the service makes of the text: learnt by sending it.
    let sender = World::start(|call| {
        (call.method == "POST")
            .then(|| Reply(201, None, json!({ "id": "1" }).to_string()))
            .filter(|_| call.path.contains("/v3/"))
    })
    .await;
    sender.connector.perform(&sender.session(), &sender.room(), &Operation::Post(wanted.clone())).await;
    let sent = sender.fake.calls().into_iter().find(|call| call.method == "POST").unwrap().json();
    let stored = sent["text"]
        .as_str()
        .unwrap()
        .replace("<at>", "<at id=\"0\">")
        .replace("<br/>", "<br>\n")
        .replace(" &amp;", "&nbsp;&amp;");
    let world = World::start(move |call| {
        let copy = |ago: i64, text: &str| {
            let mut message = said(ago, "");
            message["body"]["content"] = json!(text);
            message["from"] = json!({ "application": { "id": APP, "displayName": "Bridge" } });
            message["mentions"] =
                json!([{ "id": 0, "mentionText": "Ana Sample", "mentioned": { "user": { "id": ANA } } }]);
            message
        };
        let mut person = copy(6, &stored);
        person["from"] = json!({ "user": { "id": ANA } });
        let mut gone = copy(7, &stored);
        gone["deletedDateTime"] = json!("2026-01-10T09:59:50Z");
        let value = json!([
            copy(2, &stored),
            copy(3, "<p>other</p>"),
            copy(4, &stored),
            copy(5, "<p><b>Bo Probe (Slack)</b><br>an earlier text</p>"),
            person,
            gone,
            copy(900, &stored)
        ]);
        call.path.contains("/messages?$top=50").then(|| json!({ "value": value }).into())
    })
    .await;
    let found =
        world.connector.find(&world.session(), &world.room(), &wanted, NOW_MS - 10_000).await.unwrap();
    let at = |found: &[Candidate]| -> Vec<(i64, bool)> {
        found.iter().map(|candidate| ((NOW_MS - candidate.at_ms) / 1000, candidate.same)).collect()
    };
    assert_eq!(at(&found), [(5, false), (4, true), (2, true)]);
    let others = world
        .connector
        .find(&world.session(), &world.room(), &post(ROOM, vec![paragraph("else")]), 0)
        .await
        .unwrap();
    assert_eq!(at(&others), [(900, false), (5, false), (4, false), (2, false)]);
}
