//! The door: every form of signature, what is an item, what is dropped.

use aws_lc_rs::hmac::{HMAC_SHA1_FOR_LEGACY_USE_ONLY, HMAC_SHA256, HMAC_SHA512};
use bytes::Bytes;
use dragoman_model::{EventKind, codes};
use dragoman_platform::{Connector as _, Delivery, Rejection};
use dragoman_seal::Token;
use dragoman_testkit::payloads;
use http::StatusCode;
use serde_json::{Value, json};

use crate::support::{
    CLUSTER, NOW_MS, ORG, app, created, data, delivery, hmac_hex, id, message_id, message_key, offline,
    person, room, signed, uuid, with_headers,
};

async fn receive(body: Bytes) -> Delivery {
    offline().receive(&app(), &signed(body)).await.unwrap_or_else(|rejection| panic!("{rejection}"))
}

#[tokio::test]
async fn computed_signatures_are_authentic_in_every_form() {
    let Some(folder) = payloads() else { return };
    let file = std::fs::read(folder.join("webex/vectors/webhook-signatures.json")).unwrap();
    let vectors: Value = serde_json::from_slice(&file).unwrap();
    let vectors = vectors["vectors"].as_array().unwrap();
    assert!(vectors.len() >= 4);
    for vector in vectors {
        let text = |key: &str| vector[key].as_str().unwrap();
        let mut app = app();
        app.secrets.insert("webhook_secret".to_owned(), Token::new(text("secret").to_owned()));
        let body = Bytes::from(text("raw_body").to_owned());
        let (sha1, sha256, sha512) = (text("X-Spark-Signature"), text("sha256_hex"), text("sha512_hex"));
        for headers in [
            vec![("x-spark-signature", sha1.to_owned())],
            vec![("x-webex-signature", text("X-Webex-Signature (reported form)").to_owned())],
            vec![("x-webex-signature", format!("sha256={sha256}"))],
            vec![("x-webex-signature", sha256.to_owned())],
            vec![("x-webex-signature", sha512.to_uppercase())],
            vec![("x-webex-signature", format!("SHA-512={sha512} , sha-256=00"))],
            vec![("x-webex-signature", "v2;unheard-of".to_owned()), ("x-spark-signature", sha1.to_owned())],
            vec![("x-webex-signature", "sha256=00".to_owned()), ("x-webex-signature", sha256.to_owned())],
        ] {
            let list: Vec<(&'static str, &str)> =
                headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let request = with_headers(body.clone(), &list);
            let received = offline().receive(&app, &request).await;
            let understood = matches!(received, Ok(_) | Err(Rejection::Malformed(_)));
            assert!(understood, "{headers:?}");
            let mut altered = request;
            altered.body = [body.as_ref(), b" "].concat().into();
            let refused = offline().receive(&app, &altered).await.err().unwrap();
            assert_eq!(refused, Rejection::Unauthentic(codes::UNAUTHENTIC));
        }
    }
}

#[tokio::test]
async fn no_signature_or_none_that_holds_is_refused() {
    let body = created(1, 1);
    let sha1 = hmac_hex(HMAC_SHA1_FOR_LEGACY_USE_ONLY, &body);
    let sha256 = hmac_hex(HMAC_SHA256, &body);
    let sha512 = hmac_hex(HMAC_SHA512, &body);
    for headers in [
        &[][..],
        &[("x-spark-signature", "")],
        &[("x-webex-signature", "")],
        &[("x-spark-signature", sha256.as_str())],
        &[("x-webex-signature", sha1.as_str())],
        &[("x-webex-signature", &format!("sha512={sha256}"))],
        &[("x-webex-signature", &format!("md5={sha512}"))],
        &[("x-webex-signature", &sha256[..63])],
        &[("authorization", sha1.as_str())],
    ] {
        let refused = offline().receive(&app(), &with_headers(body.clone(), headers)).await.err().unwrap();
        assert_eq!(refused, Rejection::Unauthentic(codes::UNAUTHENTIC), "{headers:?}");
    }
    let mut without = app();
    without.secrets.clear();
    let refused = offline().receive(&without, &signed(body)).await.err().unwrap();
    assert_eq!(refused, Rejection::Unavailable(codes::CONFIG));
}

#[tokio::test]
async fn messages_become_items_without_keys_but_for_deletions() {
    let mut reply = data(7, 1);
    reply["parentId"] = json!(message_id(3));
    let delivered = receive(delivery("messages", "created", &reply)).await;
    let item = &delivered.items[0];
    assert_eq!(item.workspace.as_str(), ORG);
    assert_eq!(item.conversation.as_ref().unwrap().as_str(), room());
    assert_eq!(item.message.as_ref().unwrap().as_str(), message_key(7));
    assert_eq!(item.thread_root.as_ref().unwrap().as_str(), message_key(3));
    assert_eq!((item.kind, item.at_ms), (EventKind::Created, NOW_MS + 7));
    // The same id may come a second time, for an edit.
    assert_eq!(item.delivery_key, None);

    let mut edited = data(7, 1);
    edited["updated"] = json!("2025-10-09T09:00:00.000Z");
    let item = &receive(delivery("messages", "updated", &edited)).await.items[0];
    assert_eq!((item.kind, item.at_ms), (EventKind::Changed, 1_760_000_400_000));

    let deleted = || delivery("messages", "deleted", &data(7, 1));
    let (first, again) = (receive(deleted()).await, receive(deleted()).await);
    assert_eq!((first.items[0].kind, first.items[0].at_ms), (EventKind::Deleted, NOW_MS));
    assert!(first.items[0].delivery_key.is_some());
    assert_eq!(first.items[0].delivery_key, again.items[0].delivery_key);
}

#[tokio::test]
async fn our_own_words_are_echoes_before_any_answer() {
    for event in ["created", "updated", "deleted"] {
        let delivered = receive(delivery("messages", event, &data(1, 0))).await;
        assert!(delivered.items.is_empty());
        assert_eq!((delivered.dropped, delivered.answer.status), (vec![codes::ECHO], StatusCode::OK));
    }
    // By the key of the id, whatever the form of the id.
    let mut bare = data(1, 0);
    bare["personId"] = json!(uuid(3, 0));
    assert_eq!(receive(delivery("messages", "created", &bare)).await.dropped, [codes::ECHO]);
    bare["personId"] = json!(id(CLUSTER, "PEOPLE", &uuid(3, 0).to_uppercase()));
    assert_eq!(receive(delivery("messages", "created", &bare)).await.dropped, [codes::ECHO]);
}

#[tokio::test]
async fn ids_have_one_form_behind_the_door() {
    let mut padded = data(5, 1);
    padded["id"] = json!(format!("{}==", message_id(5)));
    padded["roomId"] = json!(format!("{}=", room()));
    let item = &receive(delivery("messages", "created", &padded)).await.items[0];
    assert_eq!(item.message.as_ref().unwrap().as_str(), message_key(5));
    assert_eq!(item.conversation.as_ref().unwrap().as_str(), room());
}

#[tokio::test]
async fn what_is_no_message_goes_to_the_gateway_or_nowhere() {
    let member = json!({ "id": "m", "roomId": room(), "personId": person(1) });
    for event in ["created", "deleted"] {
        let item = &receive(delivery("memberships", event, &member)).await.items[0];
        assert_eq!((item.kind, item.message.is_none()), (EventKind::Conversation, true));
    }
    let moved = json!({ "id": room(), "oldRoomId": id("us", "ROOM", &uuid(2, 1)) });
    let item = &receive(delivery("rooms", "migrated", &moved)).await.items[0];
    assert_eq!((item.kind, item.conversation.is_none()), (EventKind::Control, true));
    let action = json!({ "id": "a", "type": "submit", "roomId": room(), "messageId": message_id(1) });
    for (resource, event, data) in [
        ("attachmentActions", "created", &action),
        ("memberships", "updated", &member),
        ("rooms", "updated", &moved),
        ("rooms", "created", &moved),
        ("meetings", "started", &member),
        ("", "", &member),
    ] {
        let delivered = receive(delivery(resource, event, data)).await;
        assert_eq!((delivered.items.len(), delivered.dropped), (0, vec![codes::KIND]), "{resource} {event}");
    }
}
