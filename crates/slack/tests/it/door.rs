//! The door: Slack's own signature example, challenges, what is dropped.

use std::sync::Arc;

use dragoman_model::{Document, EventKind, Happening, Outcome, codes};
use dragoman_platform::{Connector as _, Inbound, Rejection};
use dragoman_seal::Token;
use dragoman_testkit::{ManualClock, payloads};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{NOW_MS, app, connector_with, event, installation, offline, session, signed};

#[tokio::test]
async fn slacks_own_example_is_authentic() {
    let Some(folder) = payloads() else { return };
    let vector = std::fs::read(folder.join("slack/vectors/request_signing.json")).unwrap();
    let vector: Value = serde_json::from_slice(&vector).unwrap();
    let text = |key: &str| vector[key].as_str().unwrap().to_owned();
    let at_ms: i64 = text("timestamp").parse::<i64>().unwrap() * 1_000;
    let mut app = app();
    app.secrets.insert("signing_secret".to_owned(), Token::new(text("signing_secret")));
    let mut headers = HeaderMap::new();
    headers.insert("x-slack-request-timestamp", text("timestamp").parse().unwrap());
    headers.insert("x-slack-signature", text("signature").parse().unwrap());
    let request = Inbound {
        method: Method::POST,
        endpoint: "events".to_owned(),
        query: None,
        headers,
        body: text("body").into(),
    };
    let receive = async |now_ms: i64, request: &Inbound| {
        let connector = connector_with("http://127.0.0.1:9", Arc::new(ManualClock::new(now_ms)));
        connector.receive(&app, request).await.err().unwrap()
    };
    // The example is a slash command, not an event: authentic, and of no use at this endpoint.
    for offset_ms in [0, 300_000, -300_000] {
        assert_eq!(receive(at_ms + offset_ms, &request).await, Rejection::Malformed(codes::MALFORMED));
    }
    for offset_ms in [301_000, -301_000, i64::MAX / 2] {
        assert_eq!(receive(at_ms + offset_ms, &request).await, Rejection::Unauthentic(codes::STALE));
    }
    let mut altered = request.clone();
    altered.body = format!("{}x", text("body")).into();
    assert_eq!(receive(at_ms, &altered).await, Rejection::Unauthentic(codes::UNAUTHENTIC));
}

#[tokio::test]
async fn timestamps_that_are_no_numbers_and_doubled_headers_are_refused() {
    let (connector, app) = (offline(), app());
    for timestamp in ["", " ", "x", "1e9", "+1760000000", "-1", "99999999999999999999", "1760000000.0"] {
        let mut request = signed("{}", NOW_MS);
        request.headers.insert("x-slack-request-timestamp", HeaderValue::from_str(timestamp).unwrap());
        let refused = connector.receive(&app, &request).await.err().unwrap();
        assert_eq!(refused, Rejection::Unauthentic(codes::UNAUTHENTIC), "{timestamp}");
    }
    for name in ["x-slack-request-timestamp", "x-slack-signature"] {
        let mut request = signed("{}", NOW_MS);
        let again = request.headers[name].clone();
        request.headers.append(name, again);
        assert!(connector.receive(&app, &request).await.is_err(), "{name} twice");
    }
}

#[tokio::test]
async fn a_challenge_is_answered_and_leaves_nothing() {
    let body = json!({ "type": "url_verification", "challenge": "say\u{e4}this", "token": "unused" });
    let delivery = offline().receive(&app(), &signed(body.to_string(), NOW_MS)).await.unwrap();
    assert!(delivery.items.is_empty());
    assert_eq!(delivery.answer.status, StatusCode::OK);
    assert_eq!(delivery.answer.body.as_ref(), "say\u{e4}this".as_bytes());
}

#[tokio::test]
async fn what_is_not_relayed_is_acknowledged_and_counted() {
    let (connector, app) = (offline(), app());
    let hidden_parent = json!({
        "type": "message", "channel": "CROOM", "hidden": true, "ts": "1760000001.000100",
        "message": { "type": "message", "ts": "1760000000.000100", "reply_count": 1 },
    });
    for inner in [
        json!({ "type": "app_mention", "channel": "CROOM", "user": "UANA", "text": "hey", "ts": "1.000000" }),
        json!({ "type": "message", "subtype": "message_replied", "channel": "CROOM", "ts": "1.000000" }),
        hidden_parent,
        json!({ "type": "message", "subtype": "channel_join", "channel": "CROOM", "ts": "1.000000" }),
        json!({ "type": "message", "subtype": "never_seen", "hidden": true, "channel": "CROOM", "ts": "1.0" }),
        json!({ "type": "reaction_added", "user": "UANA", "reaction": "tada", "item": { "type": "file" } }),
        json!({ "type": "emoji_changed", "subtype": "add" }),
    ] {
        let delivery = connector.receive(&app, &signed(event("Ev1", &inner), NOW_MS)).await.unwrap();
        assert_eq!(delivery.answer.status, StatusCode::OK);
        assert!(delivery.items.is_empty(), "{inner}");
        assert_eq!(delivery.dropped, [codes::KIND], "{inner}");
    }
}

#[tokio::test]
async fn the_envelope_names_installation_message_and_thread() {
    let (connector, app) = (offline(), app());
    let receive = async |body: Value| {
        let mut delivery = connector.receive(&app, &signed(body.to_string(), NOW_MS)).await.unwrap();
        delivery.items.remove(0)
    };
    let reply = json!({
        "type": "event_callback", "event_id": "Ev1", "team_id": "TFOREIGN",
        "authorizations": [{ "team_id": null, "enterprise_id": "EORG", "is_enterprise_install": true }],
        "event": {
            "type": "message", "channel": "CROOM", "user": "WANA", "text": "a",
            "ts": "1760000002.000200", "thread_ts": "1760000000.000100", "event_ts": "1760000002.000200",
        },
    });
    let item = receive(reply).await;
    assert_eq!(item.workspace.as_str(), "EORG");
    assert_eq!(item.message.unwrap().as_str(), "1760000002.000200");
    assert_eq!(item.thread_root.unwrap().as_str(), "1760000000.000100");
    assert_eq!((item.kind, item.at_ms), (EventKind::Created, 1_760_000_002_000));

    let edited = json!({
        "type": "event_callback", "event_id": "Ev2", "team_id": "TOWN",
        "event": {
            "type": "message", "subtype": "message_changed", "channel": "CROOM", "hidden": true,
            "ts": "1760000009.000900", "event_ts": "1760000009.000900",
            "message": { "ts": "1760000000.000100", "thread_ts": "1760000000.000100", "text": "b" },
        },
    });
    let item = receive(edited.clone()).await;
    assert_eq!(item.kind, EventKind::Changed);
    assert_eq!(item.message.unwrap().as_str(), "1760000000.000100");
    assert!(item.thread_root.is_none(), "a root is not in its own thread");

    let mut tombstone = edited;
    tombstone["event"]["message"]["subtype"] = json!("tombstone");
    assert_eq!(receive(tombstone).await.kind, EventKind::Deleted);

    let limited = json!({
        "type": "app_rate_limited", "team_id": "TOWN", "minute_rate_limited": 1_760_000_040,
    });
    let item = receive(limited).await;
    assert_eq!((item.kind, item.conversation), (EventKind::Control, None));
    assert_eq!(item.at_ms, 1_760_000_040_000);
}

#[tokio::test]
async fn a_command_is_as_authentic_as_an_event_and_answers_go_to_slack_only() {
    let form =
        "team_id=TTOWN&user_id=UANA&trigger_id=7.8.x&text=list&response_url=https%3A%2F%2Fhooks.example%2F1";
    let mut request = signed(form, NOW_MS);
    request.endpoint = "commands".to_owned();
    let delivery = offline().receive(&app(), &request).await.unwrap();
    let item = &delivery.items[0];
    assert!(item.conversation.is_none() && item.kind == EventKind::Control);
    let event = offline().open(&session(), item.feed, &item.payload).await.unwrap();
    let Happening::Asked(asked) = event.happening else { panic!("something is asked for") };
    let words = Document::plain("hello");
    let outcome = offline().answer(&session(), asked.answer_at.as_deref().unwrap(), &words).await;
    assert!(!matches!(outcome, Outcome::Done(_) | Outcome::Unknown(_)), "another host is not asked");

    request.body = "team_id=TTOWN&user_id=UEVE&trigger_id=7.8.x".into();
    let forged = offline().receive(&app(), &request).await.err();
    assert!(matches!(forged, Some(Rejection::Unauthentic(_))));
}

#[tokio::test]
async fn what_the_app_says_in_its_own_conversations_is_not_for_it() {
    let said = |bot: Value| {
        json!({ "type": "message", "channel": "DANA", "channel_type": "im", "user": "UANA", "bot_id": bot,
            "text": "x", "ts": "1760000000.000100", "event_ts": "1760000000.000100" })
    };
    for (bot, own) in [(Value::Null, true), (json!("BOTHER"), true), (json!("BBOT"), false)] {
        let request = signed(event("Ev1", &said(bot.clone())), NOW_MS);
        let delivery = offline().receive(&app(), &request).await.unwrap();
        let mut installation = installation();
        installation.facts.insert("bot_id".to_owned(), "BBOT".to_owned());
        assert_eq!(offline().is_for_app(&installation, &delivery.items[0]), own, "{bot}");
    }
}
