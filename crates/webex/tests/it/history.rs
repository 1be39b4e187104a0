//! Catching up: pages from old to new, edits from the organisation's events, our own copies.

use std::collections::BTreeSet;
use std::sync::Arc;

use dragoman_model::{Operation, Outcome};
use dragoman_platform::{Connector as _, Failure, HistoryQuery, Session, TokenSlot};
use serde_json::{Value, json};

use crate::fake::{Call, FakeWebex, Reply};
use crate::support::{
    CLUSTER, Keeper, NOW_MS, bot_installation, connector, conversation, id, installation, message_id,
    message_key, plain, post, room, session, session_of, time, uuid, wire,
};

/// A space with these messages, newest first as Webex lists them, in pages of `size`.
fn listed(all: &[Value], size: usize, call: &Call) -> Reply {
    assert_eq!(call.query["roomId"], room());
    let before = call.query.get("before").cloned().unwrap_or_else(|| "9".to_owned());
    let skip: usize = call.query.get("skip").map_or(0, |skip| skip.parse().unwrap());
    let mut fitting: Vec<Value> = all
        .iter()
        .filter(|message| message["created"].as_str().unwrap() < before.as_str())
        .cloned()
        .collect();
    fitting.reverse();
    let page: Vec<Value> = fitting.iter().skip(skip).take(size).cloned().collect();
    let reply = Reply::from(json!({ "items": page }));
    if skip + size >= fitting.len() {
        return reply;
    }
    let host = &call.headers["host"];
    let before = call.query.get("before").map(|before| format!("&before={before}")).unwrap_or_default();
    let next = format!("<http://{host}/v1/messages?roomId={}&skip={}{before}>", room(), skip + size);
    reply.with("Link", &format!("{next}; rel=\"next\""))
}

async fn all_pages(webex: &FakeWebex, session: &Session, since_ms: i64) -> Vec<String> {
    let connector = connector(&webex.url());
    let mut query = HistoryQuery { since_ms, threads: BTreeSet::new(), cursor: None };
    let mut found = Vec::new();
    loop {
        let page = connector.history(session, &conversation(), &query).await.unwrap();
        found.extend(page.messages.into_iter().map(|message| message.id.as_str().to_owned()));
        query.cursor = page.next;
        if query.cursor.is_none() {
            return found;
        }
    }
}

#[tokio::test]
async fn pages_come_from_old_to_new_without_gaps() {
    for size in [1, 2, 3, 7, 100] {
        // The fourth and the fifth were created in the same millisecond.
        let all: Vec<Value> = (1..=9)
            .map(|number| {
                let mut message = wire(number, 1, "x");
                if number == 5 {
                    message["created"] = json!(time(NOW_MS + 4));
                }
                message
            })
            .collect();
        let expected: Vec<String> = (3..=9).map(message_key).collect();
        let webex = FakeWebex::start(move |call| listed(&all, size, call)).await;
        let mut found = all_pages(&webex, &session(), NOW_MS + 3).await;
        if found[1] == message_key(5) {
            found.swap(1, 2);
        }
        assert_eq!(found, expected, "pages of {size}");
    }
}

#[tokio::test]
async fn an_empty_page_is_not_the_end_and_an_empty_space_is_empty() {
    let webex = FakeWebex::start(|call| {
        let host = &call.headers["host"];
        if call.query.contains_key("second") {
            Reply::from(json!({ "items": [wire(1, 1, "x")] }))
        } else {
            let next = format!("<http://{host}/v1/messages?roomId={}&second=1>; rel=\"next\"", room());
            Reply::from(json!({ "items": [] })).with("Link", &next)
        }
    })
    .await;
    assert_eq!(all_pages(&webex, &session(), 0).await, [message_key(1)]);
    let webex = FakeWebex::start(|_| Reply::from(json!({ "items": [] }))).await;
    assert!(all_pages(&webex, &session(), 0).await.is_empty());
}

#[tokio::test]
async fn a_next_page_elsewhere_gets_no_token() {
    let webex = FakeWebex::start(|_| {
        Reply::from(json!({ "items": [] })).with("Link", "<http://localhost:9/v1/messages>; rel=\"next\"")
    })
    .await;
    let query = HistoryQuery::default();
    let failure = connector(&webex.url()).history(&session(), &conversation(), &query).await.err();
    assert!(
        matches!(failure, Some(Failure::Retry { code, .. }) if code.as_str() == "DRG-ADDRESS-BLOCKED"),
        "{failure:?}"
    );
}

#[tokio::test]
async fn what_cannot_be_decrypted_is_left_out() {
    let mut spoilt = wire(1, 1, "eyJh");
    spoilt["errors"] = json!({ "text": { "code": "kms_failure" } });
    let all = vec![spoilt, wire(2, 1, "x")];
    let webex = FakeWebex::start(move |call| listed(&all, 9, call)).await;
    assert_eq!(all_pages(&webex, &session(), 0).await, [message_key(2)]);
}

#[tokio::test]
async fn a_bot_asks_for_what_mentions_it() {
    let webex = FakeWebex::start(|call| {
        assert_eq!(call.query["mentionedPeople"], "me");
        Reply::from(json!({ "items": [wire(1, 1, "x")] }))
    })
    .await;
    let session = session_of(bot_installation(), Keeper::with(TokenSlot::App, plain("bot")));
    assert_eq!(all_pages(&webex, &session, 0).await.len(), 1);
}

#[tokio::test]
async fn edits_of_older_messages_come_from_the_events_of_the_organisation() {
    let answer = |call: &Call| {
        if call.line == "GET events" {
            assert_eq!(
                (call.query["resource"].as_str(), call.query["type"].as_str()),
                ("messages", "updated")
            );
            assert_eq!(call.query["from"], time(NOW_MS + 5));
            let event = |number: u64, room: String| json!({ "data": { "id": message_id(number), "roomId": room, "text": "not read" } });
            let elsewhere = id(CLUSTER, "ROOM", &uuid(2, 9));
            let under_us = id("us", "ROOM", &uuid(2, 1));
            return Reply::from(
                json!({ "items": [event(1, under_us), event(2, elsewhere), event(6, room())] }),
            );
        }
        if call.line == format!("GET messages/{}", message_id(1)) {
            let mut edited = wire(1, 1, "better");
            edited["updated"] = json!(time(NOW_MS + 9));
            return Reply::from(edited);
        }
        if call.line.starts_with("GET messages/") {
            return Reply::from(wire(6, 1, "x"));
        }
        Reply::from(json!({ "items": [wire(6, 1, "x")] }))
    };
    let webex = FakeWebex::start(answer).await;
    let mut officer = installation();
    officer.scopes = ["spark:all", "spark-compliance:events_read"].map(str::to_owned).into();
    let session = session_of(officer, Keeper::with(TokenSlot::App, plain("token-1")));
    assert_eq!(all_pages(&webex, &session, NOW_MS + 5).await, [message_key(1), message_key(6)]);
    let webex = FakeWebex::start(answer).await;
    assert_eq!(all_pages(&webex, &crate::support::session(), NOW_MS + 5).await, [message_key(6)]);
    assert_eq!(webex.lines(), ["GET messages"], "not without the scope");
}

#[tokio::test]
async fn copies_are_found_by_what_they_say() {
    let mut wanted = post("see *this* & that\u{1f44d}");
    wanted.thread_root = Some(message_key(50).into());
    // What was sent is what Webex keeps; it is taken from a real send.
    let echo = FakeWebex::start(|_| Reply::from(wire(1, 0, "x"))).await;
    let outcome =
        connector(&echo.url()).perform(&session(), &conversation(), &Operation::Post(wanted.clone())).await;
    assert!(matches!(outcome, Outcome::Done(_)));
    let sent = Arc::new(echo.call().json());
    let kept = |number: u64, author: u64, change: &dyn Fn(&mut Value)| {
        let mut message = wire(number, author, "");
        message["parentId"] = json!(message_id(50));
        message["markdown"] = sent["markdown"].clone();
        message["text"] = sent["text"].clone();
        message["html"] = json!("<p><strong>Bo Probe (Slack):</strong> see *this* &amp; that\u{1f44d}</p>");
        change(&mut message);
        message
    };
    let all = vec![
        kept(1, 0, &|_| {}),
        kept(2, 1, &|_| {}),
        kept(3, 0, &|message| message["markdown"] = json!("other")),
        kept(4, 0, &|message| message["parentId"] = json!(message_id(51))),
        // Without the markdown what it shows is compared.
        kept(5, 0, &|message| {
            message.as_object_mut().unwrap().remove("markdown");
        }),
        kept(6, 0, &|message| {
            message.as_object_mut().unwrap().remove("markdown");
            message["html"] = json!("<p>other</p>");
        }),
    ];
    let webex = FakeWebex::start(move |call| listed(&all, 100, call)).await;
    let found = connector(&webex.url()).find(&session(), &conversation(), &wanted, NOW_MS).await.unwrap();
    let found: Vec<(&str, bool)> =
        found.iter().map(|candidate| (candidate.message.as_str(), candidate.same)).collect();
    let keys = [1, 3, 5].map(message_key);
    assert_eq!(found, [(keys[0].as_str(), true), (keys[1].as_str(), false), (keys[2].as_str(), true)]);
}
