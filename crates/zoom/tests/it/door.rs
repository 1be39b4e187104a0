//! The door: Zoom's signature vectors, the fallback, validation of our address, whose an event is.

use std::sync::Arc;

use dragoman_model::{EventKind, codes};
use dragoman_platform::{App, Connector as _, Delivery, Inbound, Rejection};
use dragoman_seal::{Content, Token};
use dragoman_testkit::{ManualClock, payloads};
use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};

use crate::support::{
    ACCOUNT, CHANNEL, NOW_MS, app, by, connector_with, event, id, message, offline, session, signature,
    signed, unsigned,
};

fn vectors() -> Option<Value> {
    let bytes = std::fs::read(payloads()?.join("zoom/signatures/vectors.json")).unwrap();
    Some(serde_json::from_slice(&bytes).unwrap())
}

fn app_of(secret: &Value) -> App {
    let mut app = app();
    app.secrets.insert("secret_token".to_owned(), Token::new(secret.as_str().unwrap().to_owned()));
    app
}

async fn received(vector: &Value, request: &Inbound, late_ms: i64) -> Result<Delivery, Rejection> {
    let at_s: i64 = vector["x-zm-request-timestamp"].as_str().unwrap().parse().unwrap();
    let clock = Arc::new(ManualClock::new(at_s * 1_000 + late_ms));
    let connector = connector_with("http://127.0.0.1:9", clock);
    connector.receive(&app_of(&vector["secret_token"]), request).await
}

fn request(vector: &Value) -> Inbound {
    let mut request = unsigned(vector["body"].as_str().unwrap().to_owned());
    for header in ["x-zm-request-timestamp", "x-zm-signature"] {
        request.headers.insert(header, vector[header].as_str().unwrap().parse().unwrap());
    }
    request
}

#[tokio::test]
async fn zooms_signature_vectors() {
    let Some(vectors) = vectors() else { return };
    let list = vectors["vectors"].as_array().unwrap();
    assert!(list.len() >= 5);
    for vector in list {
        let (name, genuine) = (&vector["name"], request(vector));
        // Some bodies are no whole events: authentic is enough.
        let answer = received(vector, &genuine, 0).await;
        assert!(!matches!(answer, Err(Rejection::Unauthentic(_))), "{name}");
        for late_ms in [600_000, -600_000] {
            let stale = received(vector, &genuine, late_ms).await.err();
            assert_eq!(stale, Some(Rejection::Unauthentic(codes::STALE)), "{name}");
        }
        let mut bare = genuine.clone();
        let signature = vector["x-zm-signature"].as_str().unwrap().trim_start_matches("v0=");
        bare.headers.insert("x-zm-signature", signature.parse().unwrap());
        let bare = received(vector, &bare, 0).await.err();
        assert_eq!(bare, Some(Rejection::Unauthentic(codes::UNAUTHENTIC)), "{name}");
    }
    let plain = list.iter().find(|vector| vector["name"] == "plain message").unwrap();
    let mut longer = request(plain);
    longer.body = format!("{} ", plain["body"].as_str().unwrap()).into();
    let refused = received(plain, &longer, 0).await.err();
    assert_eq!(refused, Some(Rejection::Unauthentic(codes::UNAUTHENTIC)), "a space more");
}

#[tokio::test]
async fn our_address_is_validated_with_and_without_a_signature() {
    let Some(vectors) = vectors() else { return };
    let vector = &vectors["vectors"][0];
    let signed = received(vector, &request(vector), 0).await.ok().unwrap();
    let expected = &vectors["url_validation"];
    let unsigned = json!({
        "event": "endpoint.url_validation", "event_ts": 1,
        "payload": { "plainToken": expected["plainToken"] },
    });
    let unsigned = crate::support::unsigned(unsigned.to_string());
    let unsigned = received(vector, &unsigned, 0).await.ok().unwrap();
    for delivery in [signed, unsigned] {
        assert_eq!(delivery.answer.status, StatusCode::OK);
        assert!(delivery.items.is_empty());
        let answer: Value = serde_json::from_slice(&delivery.answer.body).unwrap();
        assert_eq!(answer["plainToken"], expected["plainToken"]);
        assert_eq!(answer["encryptedToken"], expected["encryptedToken"]);
    }
}

/// Whoever gets a token of his choice signed can forge events: they are signed with the same secret.
#[tokio::test]
async fn the_validator_signs_nothing_but_tokens_of_zooms_form() {
    let connector = offline();
    let ask = |token: &str| {
        json!({ "event": "endpoint.url_validation", "payload": { "plainToken": token }, "event_ts": NOW_MS })
            .to_string()
    };
    let forged = format!(
        "v0:{}:{}",
        NOW_MS / 1_000,
        String::from_utf8_lossy(&event("team_chat.channel_message_posted", NOW_MS, &message(1, "forged")))
    );
    let long = "a".repeat(65);
    let bad =
        ["", "short", "has space in it", "v0:1795254031", "dots.in.token", "tab\tin-token", &long, &forged];
    for token in bad {
        for request in [unsigned(ask(token)), signed(ask(token), NOW_MS)] {
            let refused = connector.receive(&app(), &request).await.err();
            assert!(
                matches!(refused, Some(Rejection::Malformed(_) | Rejection::Unauthentic(_))),
                "{token}: {refused:?}"
            );
        }
    }
    // A signature that does not hold is not ignored.
    let mut wrong = signed(ask("qwertyuiopasdfghjklzxc"), NOW_MS);
    wrong.headers.insert("x-zm-signature", HeaderValue::from_static("v0=00"));
    let refused = connector.receive(&app(), &wrong).await.err();
    assert_eq!(refused, Some(Rejection::Unauthentic(codes::UNAUTHENTIC)));
}

#[tokio::test]
async fn unsigned_validations_are_few() {
    let clock = crate::support::clock();
    let connector = connector_with("http://127.0.0.1:9", clock.clone());
    let body =
        json!({ "event": "endpoint.url_validation", "payload": { "plainToken": "qwertyuiopasdfghjklzxc" } });
    let body = body.to_string();
    let mut answered = 0;
    for _ in 0..50 {
        match connector.receive(&app(), &unsigned(body.clone())).await {
            Ok(_) => answered += 1,
            // Never 4xx: Zoom would not ask again.
            Err(rejection) => assert_eq!(rejection.status(), StatusCode::SERVICE_UNAVAILABLE),
        }
    }
    assert!((1..10).contains(&answered), "{answered}");
    assert!(
        connector.receive(&app(), &signed(body.clone(), NOW_MS)).await.is_ok(),
        "signed ones are not limited"
    );
    clock.advance(61_000);
    assert!(connector.receive(&app(), &unsigned(body)).await.is_ok(), "and the limit ends");
}

#[tokio::test]
async fn a_signature_over_the_compact_form_counts_for_text_beyond_ascii_only() {
    let connector = offline();
    let sent = |text: &str| {
        let event = event("team_chat.channel_message_posted", NOW_MS, &message(1, text));
        let value: Value = serde_json::from_slice(&event).unwrap();
        (serde_json::to_vec_pretty(&value).unwrap(), serde_json::to_vec(&value).unwrap())
    };
    let mut outcomes = Vec::new();
    for text in ["na\u{ef}ve \u{1f44d}", "plain"] {
        let (pretty, compact) = sent(text);
        let mut request = signed(pretty, NOW_MS);
        request.headers.insert("x-zm-signature", signature(&compact, NOW_MS).parse().unwrap());
        outcomes.push(connector.receive(&app(), &request).await);
    }
    let plain = outcomes.pop().unwrap().err();
    assert_eq!(plain, Some(Rejection::Unauthentic(codes::UNAUTHENTIC)));
    let fallback = outcomes.pop().unwrap().ok().unwrap();
    let (_, compact) = sent("na\u{ef}ve \u{1f44d}");
    assert_eq!(fallback.items[0].payload.expose(), compact, "what was signed is what is read");

    // Escapes on the wire, raw text signed.
    let escaped = br#"{"event":"team_chat.channel_message_deleted","event_ts":1,"payload":{"account_id":"A","object":{"message_id":"m","channel_id":"c","channel_name":"\u00e9"}}}"#;
    let raw = String::from_utf8(escaped.to_vec()).unwrap().replace("\\u00e9", "\u{e9}");
    let mut request = signed(escaped.to_vec(), NOW_MS);
    request.headers.insert("x-zm-signature", signature(raw.as_bytes(), NOW_MS).parse().unwrap());
    assert!(connector.receive(&app(), &request).await.is_ok());
}

#[tokio::test]
async fn a_header_of_its_own_is_the_second_proof_where_it_is_registered() {
    let connector = offline();
    let body = event("team_chat.channel_message_posted", NOW_MS, &message(1, "\u{1f44d}"));
    let mut request = signed(body, NOW_MS);
    request.headers.insert("x-zm-signature", HeaderValue::from_static("v0=does-not-fit"));
    request.headers.insert("x-bridge-proof", HeaderValue::from_static("0123456789abcdef"));
    assert!(connector.receive(&app(), &request).await.is_err(), "nobody registered it");
    let mut with_header = app();
    with_header.facts.insert("header_name".to_owned(), "x-bridge-proof".to_owned());
    with_header.secrets.insert("header_value".to_owned(), Token::new("0123456789abcdef".to_owned()));
    assert!(connector.receive(&with_header, &request).await.is_ok());
    request.headers.insert("x-bridge-proof", HeaderValue::from_static("0123456789abcdeF"));
    assert!(connector.receive(&with_header, &request).await.is_err());
    request.headers.remove("x-bridge-proof");
    assert!(connector.receive(&with_header, &request).await.is_err());
}

#[tokio::test]
async fn what_strangers_do_finds_its_installation() {
    let connector = offline();
    let mut object = message(1, "hi");
    object["channel_owner_account_id"] = json!("");
    let stranger = ("", "", "Stranger-Member-Id");
    let body = |object: &Value| by("team_chat.channel_message_posted", NOW_MS, stranger, object);
    // Nobody knows yet: Zoom sends it again after 503.
    let early = connector.receive(&app(), &signed(body(&object), NOW_MS)).await.err().unwrap();
    assert_eq!(early.status(), StatusCode::SERVICE_UNAVAILABLE);
    // The owner's account is better than none, and wrong in somebody else's channel.
    let mut owned = object.clone();
    owned["channel_owner_account_id"] = json!("OtherAccount");
    let named = connector.receive(&app(), &signed(body(&owned), NOW_MS)).await.ok().unwrap();
    assert_eq!(named.items[0].workspace, "OtherAccount".into());
    // Once the channel was used, its account is known.
    let content = Content::copied_from(&event("team_chat.channel_message_posted", NOW_MS, &message(2, "x")));
    connector.open(&session(), "events", &content).await.unwrap();
    for object in [&object, &owned] {
        let delivery = connector.receive(&app(), &signed(body(object), NOW_MS)).await.ok().unwrap();
        let item = &delivery.items[0];
        assert_eq!(item.workspace, ACCOUNT.into());
        assert_eq!(item.conversation, Some(CHANNEL.into()));
        assert_eq!(item.message, Some(id(1).into()));
    }
}

#[tokio::test]
async fn envelopes_of_messages() {
    let connector = offline();
    let receive = async |body: bytes::Bytes| {
        let delivery = connector.receive(&app(), &signed(body, NOW_MS)).await.ok().unwrap();
        delivery.items.into_iter().next().unwrap()
    };
    let mut reply = message(2, "re");
    reply["reply_main_message_id"] = json!(id(1).to_lowercase());
    let posted = receive(event("team_chat.channel_message_posted ", NOW_MS + 9, &reply)).await;
    assert_eq!(
        (posted.kind, posted.at_ms),
        (EventKind::Created, NOW_MS + 2),
        "a message stands where it was sent"
    );
    assert_eq!((posted.message, posted.thread_root), (Some(id(2).into()), Some(id(1).into())));

    let updated = receive(event("team_chat.channel_message_updated", NOW_MS + 9, &message(1, "new"))).await;
    assert_eq!((updated.kind, updated.at_ms), (EventKind::Changed, NOW_MS + 9));
    let again = receive(event("team_chat.channel_message_updated", NOW_MS + 10, &message(1, "newer"))).await;
    assert_ne!(updated.delivery_key, again.delivery_key, "two edits are two events");
    assert!(updated.delivery_key.is_some());

    let renamed = async |id: &str| receive(event("user.updated", NOW_MS + 9, &json!({ "id": id }))).await;
    let (bo, cy) = (renamed("bo").await, renamed("cy").await);
    assert_eq!((bo.kind, &bo.conversation), (EventKind::Control, &None));
    assert_ne!(bo.delivery_key, cy.delivery_key, "two people at the same moment");

    let old = json!({
        "id": "old-1", "type": "to_channel", "channel_id": CHANNEL, "timestamp": 5, "message": "x",
        "parent_msg_id": "old-1",
    });
    let old = receive(event("chat_message.sent", NOW_MS, &old)).await;
    assert_eq!((old.kind, old.message, old.thread_root), (EventKind::Created, Some("old-1".into()), None));

    // The two sides of a direct conversation, and a deletion that names no session.
    let to_bo =
        json!({ "message_id": id(3), "contact_id": "Bo-User-Id", "contact_email": "bo@town.example" });
    let there = receive(event("team_chat.dm_message_posted", NOW_MS, &to_bo)).await;
    let to_ana = json!({ "message_id": id(4), "contact_id": "Ana-User-Id" });
    let bo = ("bo@town.example", "Bo-User-Id", "Bo-Member-Id");
    let back = receive(by("team_chat.dm_message_deleted", NOW_MS, bo, &to_ana)).await;
    assert_eq!(there.conversation, back.conversation);
    assert_eq!(there.conversation, Some("ana-user-id:bo-user-id".into()));

    let gone = json!({
        "event": "app_deauthorized",
        "payload": { "account_id": ACCOUNT, "user_id": "u", "deauthorization_time": "2025-10-09T08:53:20Z" },
    });
    let gone = receive(gone.to_string().into()).await;
    assert_eq!((gone.kind, gone.conversation), (EventKind::Control, None));
    assert!(gone.delivery_key.is_some());

    for name in ["team_chat.file_shared", "team_chat.app_mention", "something.new"] {
        let request = signed(event(name, NOW_MS, &json!({})), NOW_MS);
        let delivery = connector.receive(&app(), &request).await.ok().unwrap();
        assert_eq!((delivery.dropped, delivery.items.len()), (vec![codes::KIND], 0), "{name}");
        assert_eq!(delivery.answer.status, StatusCode::OK, "{name}");
    }
}

#[tokio::test]
async fn a_command_of_the_app_names_no_conversation_and_comes_once() {
    let body = |trigger: &str| {
        json!({ "event": "bot_notification", "event_ts": NOW_MS, "payload": {
            "accountId": ACCOUNT, "cmd": "dm bo@town.example hi", "name": "Bridge", "robotJid": "v1x@xmpp.zoom.us",
            "timestamp": NOW_MS - 5, "toJid": format!("{CHANNEL}@conference.xmpp.zoom.us"), "userId": "Ana-User-Id",
            "userJid": "ana-user-id@xmpp.zoom.us", "userName": "Ana Probe", "triggerId": trigger,
        } })
        .to_string()
    };
    let receive = async |body: String| offline().receive(&app(), &signed(body, NOW_MS)).await.unwrap();
    let (first, again, other) =
        (receive(body("t1")).await, receive(body("t1")).await, receive(body("t2")).await);
    let item = &first.items[0];
    assert_eq!((item.workspace.as_str(), item.kind, item.at_ms), (ACCOUNT, EventKind::Control, NOW_MS - 5));
    assert!(item.conversation.is_none() && item.message.is_none());
    assert_eq!(item.delivery_key, again.items[0].delivery_key);
    assert_ne!(item.delivery_key, other.items[0].delivery_key);
    let event = offline().open(&session(), item.feed, &item.payload).await.unwrap();
    let dragoman_model::Happening::Asked(asked) = event.happening else { panic!("something is asked for") };
    assert_eq!(asked.user.as_str(), "Ana-User-Id");
    assert_eq!(dragoman_markup::plain(&asked.words), "dm bo@town.example hi");
    let nobody = body("t1").replace("Ana-User-Id", "");
    assert!(matches!(offline().receive(&app(), &signed(nobody, NOW_MS)).await, Err(Rejection::Malformed(_))));
}
