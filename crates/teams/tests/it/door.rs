//! The door: tokens, claims, tenants; Graph's secrets, tokens and encryption.

use aws_lc_rs::cipher::{AES_256, EncryptionContext, PaddedBlockEncryptingKey, UnboundCipherKey};
use aws_lc_rs::hmac;
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::rsa::{OAEP_SHA1_MGF1SHA1, OaepPublicEncryptingKey, PrivateDecryptingKey};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use dragoman_model::codes::{KEYS_UNAVAILABLE, UNAUTHENTIC};
use dragoman_model::{Control, EventKind, Happening};
use dragoman_platform::{Connector as _, Inbound, Rejection};
use http::StatusCode;
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::{Value, json};

use crate::fake::Reply;
use crate::support::{
    APP, BOT_KEY, CHAT, FOREIGN_KEY, LOGIN_KEY, MESSAGE, NOW_MS, ROOM, TEAM, TENANT, World, activity, app,
    bot_claims, chat_message, html, request,
};

fn hello(world: &World) -> Value {
    activity(world, "message", &json!({ "text": "hello", "attachments": html("<p>hello</p>") }))
}

#[tokio::test]
async fn a_genuine_activity_comes_in_with_its_envelope() {
    let world = World::quiet().await;
    let delivery = world.receive(&world.signed(&hello(&world))).await.unwrap();
    assert_eq!(delivery.answer.status, StatusCode::OK);
    let item = &delivery.items[0];
    assert_eq!(item.workspace.as_str(), TENANT);
    assert_eq!(item.conversation.as_ref().unwrap().as_str(), ROOM);
    assert_eq!(item.message.as_ref().unwrap().as_str(), MESSAGE);
    assert_eq!(
        (item.kind, item.thread_root.is_none(), item.at_ms),
        (EventKind::Created, true, 1_768_039_199_000)
    );
    // The service repeats an activity after 15 seconds; an edit has the id of its message.
    let again = world.receive(&world.signed(&hello(&world))).await.unwrap();
    assert_eq!(item.delivery_key, again.items[0].delivery_key);
    let edit =
        activity(&world, "messageUpdate", &json!({ "timestamp": "2026-01-10T10:00:00Z", "text": "hi" }));
    let edit = world.receive(&world.signed(&edit)).await.unwrap();
    assert_ne!(item.delivery_key, edit.items[0].delivery_key);
    // Ids are milliseconds, and people write in two conversations in the same one.
    let conversation = json!({ "conversationType": "personal", "tenantId": TENANT, "id": "a:1elsewhere" });
    let elsewhere =
        json!({ "text": "hello", "attachments": html("<p>hello</p>"), "conversation": conversation });
    let elsewhere = activity(&world, "message", &elsewhere);
    let elsewhere = world.receive(&world.signed(&elsewhere)).await.unwrap();
    assert_eq!(elsewhere.items[0].message, item.message);
    assert_ne!(elsewhere.items[0].delivery_key, item.delivery_key);
}

#[tokio::test]
async fn a_reply_names_its_root_and_other_kinds_pass_by() {
    let world = World::quiet().await;
    let conversation = json!({ "conversationType": "channel", "tenantId": TENANT, "id": format!("{ROOM};messageid=1768039000000") });
    let reply = activity(&world, "message", &json!({ "text": "re", "conversation": conversation }));
    let delivery = world.receive(&world.signed(&reply)).await.unwrap();
    assert_eq!(delivery.items[0].thread_root.as_ref().unwrap().as_str(), "1768039000000");
    assert_eq!(delivery.items[0].conversation.as_ref().unwrap().as_str(), ROOM);
    for ignored in [
        activity(&world, "typing", &json!({})),
        activity(&world, "invoke", &json!({ "name": "fileConsent/invoke" })),
        activity(&world, "somethingNew", &json!({})),
        activity(&world, "message", &json!({ "value": { "actionId": "x" } })),
        activity(&world, "installationUpdate", &json!({ "action": "remove-upgrade" })),
    ] {
        let delivery = world.receive(&world.signed(&ignored)).await.unwrap();
        assert!(delivery.items.is_empty() && delivery.answer.status == StatusCode::OK, "{ignored}");
    }
}

#[tokio::test]
async fn every_wrong_token_is_refused() {
    let world = World::quiet().await;
    let url = world.service_url();
    let good = || bot_claims(&url, NOW_MS);
    let with = |key: &str, value: Value| {
        let mut claims = good();
        claims[key] = value;
        claims
    };
    let without = |key: &str| {
        let mut claims = good();
        claims.as_object_mut().unwrap().remove(key);
        claims
    };
    let now = NOW_MS / 1000;
    let hello = hello(&world);
    let try_token =
        async |token: Option<String>| world.receive(&request("messages", &hello, token.as_deref())).await;

    assert!(try_token(Some(BOT_KEY.sign(&good()))).await.is_ok());
    // What Microsoft's own validators accept as well.
    for accepted in [
        with("aud", json!(format!("api://{APP}"))),
        with("aud", json!(format!("api://botid-{APP}"))),
        with("aud", json!([APP])),
        with("serviceurl", json!(url.trim_end_matches('/'))),
        with("serviceUrl", json!(url)),
        {
            let mut it = without("serviceurl");
            it["serviceUrl"] = json!(url);
            it
        },
        with("exp", json!(now - 299)),
        with("nbf", json!(now + 299)),
    ] {
        assert!(try_token(Some(BOT_KEY.sign(&accepted))).await.is_ok(), "{accepted}");
    }
    for refused in [
        with("aud", json!("someone-else")),
        with("aud", json!([APP, "someone-else"])),
        with("aud", json!("")),
        without("aud"),
        with("iss", json!("https://sts.windows.net/x/")),
        with("iss", json!("https://api.botframework.us")),
        without("iss"),
        with("exp", json!(now - 301)),
        without("exp"),
        with("nbf", json!(now + 301)),
        with("serviceurl", json!("https://evil.example/")),
        with("serviceUrl", json!("https://evil.example/")),
        without("serviceurl"),
    ] {
        let rejection = try_token(Some(BOT_KEY.sign(&refused))).await.err().unwrap();
        assert_eq!(rejection.status(), StatusCode::UNAUTHORIZED, "{refused}");
    }
    assert_eq!(try_token(None).await.err().unwrap().status(), StatusCode::UNAUTHORIZED);
    // Signed by somebody else under a known key's name.
    let forged = FOREIGN_KEY.sign_as(BOT_KEY.kid, &good());
    assert_eq!(try_token(Some(forged)).await.err().unwrap(), Rejection::Unauthentic(UNAUTHENTIC));
    // Another algorithm with the public key as secret, and none at all.
    let header = |alg: &str| BASE64_URL.encode(format!(r#"{{"alg":"{alg}","kid":"{}"}}"#, BOT_KEY.kid));
    for alg in ["none", "HS256", "PS256"] {
        let token = format!("{}.{}.c2ln", header(alg), BASE64_URL.encode(good().to_string()));
        assert_eq!(try_token(Some(token)).await.err().unwrap().status(), StatusCode::UNAUTHORIZED, "{alg}");
    }
    for junk in ["", "a", "a.b", "a.b.c", "....", " "] {
        assert!(try_token(Some(junk.to_owned())).await.is_err());
    }
}

const BASE64_URL: base64::engine::GeneralPurpose = base64::prelude::BASE64_URL_SAFE_NO_PAD;

#[tokio::test]
async fn other_channels_tenants_and_unendorsed_keys_are_forbidden() {
    let world = World::quiet().await;
    for body in [
        activity(&world, "message", &json!({ "channelId": "webchat" })),
        activity(&world, "message", &json!({ "channelData": { "tenant": { "id": "another" } } })),
        activity(&world, "message", &json!({ "conversation": { "id": ROOM, "tenantId": "another" } })),
        activity(&world, "message", &json!({ "conversation": { "id": ROOM }, "channelData": {} })),
    ] {
        let rejection = world.receive(&world.signed(&body)).await.err().unwrap();
        assert_eq!(rejection.status(), StatusCode::FORBIDDEN, "{body}");
    }
    let unendorsed = World::start(|call| {
        (call.path == "/bot/keys").then(|| crate::support::key_set(&BOT_KEY, &["webchat"]).into())
    })
    .await;
    let rejection = unendorsed.receive(&unendorsed.signed(&hello(&unendorsed))).await.err().unwrap();
    assert_eq!(rejection, Rejection::Forbidden(UNAUTHENTIC));
}

#[tokio::test]
async fn keys_are_cached_for_a_day_and_fetched_once_more_for_an_unknown_one() {
    let world = World::quiet().await;
    let hello = hello(&world);
    for _ in 0..5 {
        world.receive(&world.signed(&hello)).await.unwrap();
    }
    let fetched =
        |world: &World| world.fake.all_calls().iter().filter(|call| call.path == "/bot/keys").count();
    assert_eq!(fetched(&world), 1);

    world.clock.advance(11_000);
    let unknown = BOT_KEY.sign_as("rotated", &bot_claims(&world.service_url(), NOW_MS));
    let unknown = request("messages", &hello, Some(&unknown));
    assert_eq!(world.receive(&unknown).await.err().unwrap(), Rejection::Unauthentic(UNAUTHENTIC));
    // Asked a moment ago: nobody can make us ask at every request.
    for _ in 0..5 {
        assert_eq!(world.receive(&unknown).await.err().unwrap(), Rejection::Unavailable(KEYS_UNAVAILABLE));
    }
    assert_eq!(fetched(&world), 1);
    world.receive(&world.signed(&hello)).await.unwrap();

    world.clock.advance(25 * 3_600_000);
    let fresh = BOT_KEY.sign(&bot_claims(&world.service_url(), NOW_MS + 25 * 3_600_000));
    world.receive(&request("messages", &hello, Some(&fresh))).await.unwrap();
    assert_eq!(fetched(&world), 1);
}

#[tokio::test]
async fn a_key_server_that_is_away_makes_the_sender_come_back() {
    let world = World::start(|call| call.path.starts_with("/bot/").then(|| Reply::error(503, "Away"))).await;
    let rejection = world.receive(&world.signed(&hello(&world))).await.err().unwrap();
    assert_eq!(rejection, Rejection::Unavailable(KEYS_UNAVAILABLE));
    assert_eq!(rejection.status(), StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn an_address_is_confirmed_with_the_decoded_token() {
    let world = World::quiet().await;
    for endpoint in ["notifications", "lifecycle"] {
        let query = "validationToken=Validation%3a+Testing+reachability+Request-Id%3a+00-%26%3cb%3e";
        let check = Inbound { query: Some(query.into()), ..request(endpoint, &json!(""), None) };
        let delivery = world.receive(&check).await.unwrap();
        assert_eq!(delivery.answer.body.as_ref(), b"Validation: Testing reachability Request-Id: 00-&<b>");
        assert_eq!(delivery.answer.status, StatusCode::OK);
        assert!(delivery.answer.content_type.starts_with("text/plain") && delivery.items.is_empty());
    }
}

/// Encrypts a message for the app's certificate as Graph does.
pub(crate) fn encrypted(message: &Value) -> Value {
    let app = app();
    let pem = app.secret("certificate_key").unwrap();
    let der = PrivatePkcs8KeyDer::from_pem_slice(pem.expose().as_bytes()).unwrap();
    let public = PrivateDecryptingKey::from_pkcs8(der.secret_pkcs8_der()).unwrap().public_key();
    let public = OaepPublicEncryptingKey::new(public).unwrap();
    let key = [9_u8; 32];
    let mut wrapped = vec![0; public.ciphertext_size()];
    let wrapped = public.encrypt(&OAEP_SHA1_MGF1SHA1, &key, &mut wrapped, None).unwrap();
    let mut data = message.to_string().into_bytes();
    let cipher = PaddedBlockEncryptingKey::cbc_pkcs7(UnboundCipherKey::new(&AES_256, &key).unwrap()).unwrap();
    let iv: [u8; 16] = key[..16].try_into().unwrap();
    cipher.less_safe_encrypt(&mut data, EncryptionContext::Iv128(FixedLength::from(iv))).unwrap();
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), &data);
    json!({
        "data": BASE64_STANDARD.encode(&data),
        "dataSignature": BASE64_STANDARD.encode(signature),
        "dataKey": BASE64_STANDARD.encode(wrapped),
        "encryptionCertificateId": app.fact("certificate_id"),
        "encryptionCertificateThumbprint": "00",
    })
}

/// The clientState that the app gave for a conversation: learnt from a subscription that it asks for.
pub(crate) async fn client_state(conversation: &str) -> String {
    let world = World::start(|call| {
        (call.path == "/v1.0/subscriptions").then(|| {
            Reply(
                201,
                None,
                json!({ "id": "sub-1", "expirationDateTime": "2026-01-13T00:00:00Z" }).to_string(),
            )
        })
    })
    .await;
    let conversation = crate::support::conversation(conversation, &world.service_url());
    world.connector.watch(&world.session(), &conversation, None).await.unwrap();
    world.fake.calls()[0].json()["clientState"].as_str().unwrap().to_owned()
}

pub(crate) fn resource(message: &str) -> String {
    format!("teams('{TEAM}')/channels('{ROOM}')/messages('{message}')")
}

pub(crate) fn validation_claims() -> Value {
    json!({
        "aud": APP, "iss": format!("https://sts.windows.net/{TENANT}/"), "tid": TENANT,
        "appid": "0bf30f3b-4a52-48df-9a82-234910c4a086", "nbf": NOW_MS / 1000, "exp": NOW_MS / 1000 + 3600,
    })
}

pub(crate) async fn rich(change: &str, message: &Value) -> Value {
    json!({
        "subscriptionId": "sub-1", "changeType": change, "tenantId": TENANT,
        "clientState": client_state(ROOM).await,
        "resource": resource(message["id"].as_str().unwrap()),
        "resourceData": { "@odata.type": "#Microsoft.Graph.chatMessage" },
        "encryptedContent": encrypted(message),
    })
}

pub(crate) fn batch(items: &[Value], tokens: &[String]) -> Inbound {
    request("notifications", &json!({ "value": items, "validationTokens": tokens }), None)
}

#[tokio::test]
async fn a_genuine_notification_is_sealed_still_encrypted() {
    let world = World::quiet().await;
    let item = rich("created", &chat_message(MESSAGE, "<p>secret words</p>")).await;
    let delivery = world.receive(&batch(&[item], &[LOGIN_KEY.sign(&validation_claims())])).await.unwrap();
    assert_eq!((delivery.answer.status, delivery.dropped.len()), (StatusCode::ACCEPTED, 0));
    let item = &delivery.items[0];
    assert_eq!(item.conversation.as_ref().unwrap().as_str(), ROOM);
    assert_eq!((item.kind, item.delivery_key.is_none()), (EventKind::Created, true));
    assert!(!String::from_utf8_lossy(item.payload.expose()).contains("secret words"));
    let event = world.connector.open(&world.session(), item.feed, &item.payload).await.unwrap();
    let message = crate::support::posted(event);
    assert_eq!(dragoman_markup::plain(&message.body), "secret words");
}

#[tokio::test]
async fn what_is_not_vouched_for_is_dropped_without_telling() {
    let world = World::quiet().await;
    let good = rich("created", &chat_message(MESSAGE, "<p>x</p>")).await;
    let token = LOGIN_KEY.sign(&validation_claims());
    let with = |key: &str, value: Value| {
        let mut item = good.clone();
        item[key] = value;
        item
    };
    let inner = |key: &str, value: Value| {
        let mut item = good.clone();
        item["encryptedContent"][key] = value;
        item
    };
    for bad in [
        with("clientState", json!("")),
        with("clientState", json!("0".repeat(64))),
        // Ours, but of another conversation.
        with("clientState", json!(client_state(CHAT).await)),
        with("resource", json!("teams('x')/channels('19:other@thread.tacv2')/messages('1')")),
        with("resource", json!("users('x')/events('1')")),
        with("tenantId", json!("another")),
        with("changeType", json!("invented")),
        inner("dataSignature", json!("AAAA")),
        inner("dataSignature", json!("")),
        inner("dataKey", json!("AAAA")),
        inner("data", json!("AAAA")),
        inner("encryptionCertificateId", json!("another")),
        json!(null),
        json!([1]),
    ] {
        let delivery =
            world.receive(&batch(&[bad.clone(), good.clone()], std::slice::from_ref(&token))).await.unwrap();
        assert_eq!(delivery.answer.status, StatusCode::ACCEPTED);
        assert_eq!((delivery.items.len(), delivery.dropped.len()), (1, 1), "{bad}");
    }
    let claims = |key: &str, value: Value| {
        let mut claims = validation_claims();
        claims[key] = value;
        claims
    };
    for bad in [
        claims("aud", json!("another")),
        claims("iss", json!("https://sts.windows.net/another/")),
        claims("iss", json!("https://login.microsoftonline.com/another/v2.0")),
        claims("tid", json!("another")),
        claims("appid", json!(APP)),
        claims("exp", json!(NOW_MS / 1000 - 301)),
    ] {
        let delivery =
            world.receive(&batch(std::slice::from_ref(&good), &[LOGIN_KEY.sign(&bad)])).await.unwrap();
        assert_eq!((delivery.items.len(), delivery.dropped), (0, vec![UNAUTHENTIC]), "{bad}");
    }
    let forged = FOREIGN_KEY.sign_as(LOGIN_KEY.kid, &validation_claims());
    for tokens in [vec![], vec![forged], vec!["junk".to_owned()]] {
        let delivery = world.receive(&batch(std::slice::from_ref(&good), &tokens)).await.unwrap();
        assert_eq!((delivery.answer.status, delivery.items.len()), (StatusCode::ACCEPTED, 0));
    }
}

#[tokio::test]
async fn tokens_of_both_versions_count_and_what_cannot_be_checked_comes_back() {
    let world = World::quiet().await;
    let item = rich("created", &chat_message(MESSAGE, "<p>x</p>")).await;
    let mut claims = validation_claims();
    claims.as_object_mut().unwrap().remove("appid");
    claims["azp"] = json!("0bf30f3b-4a52-48df-9a82-234910c4a086");
    claims["iss"] = json!(format!("https://login.microsoftonline.com/{TENANT}/v2.0"));
    let second = batch(std::slice::from_ref(&item), &[LOGIN_KEY.sign(&claims)]);
    assert_eq!(world.receive(&second).await.unwrap().items.len(), 1);

    let unknown = batch(std::slice::from_ref(&item), &[LOGIN_KEY.sign_as("rotated", &validation_claims())]);
    assert_eq!(world.receive(&unknown).await.err().unwrap(), Rejection::Unavailable(KEYS_UNAVAILABLE));
    // Who knows no secret costs no request for keys.
    let away = World::start(|call| call.path.starts_with("/common").then(|| Reply::error(503, "Away"))).await;
    let mut stranger = item.clone();
    stranger["clientState"] = json!("guess");
    let delivery = away.receive(&batch(&[stranger], &[LOGIN_KEY.sign(&validation_claims())])).await.unwrap();
    assert_eq!(delivery.dropped.len(), 1);
    assert!(away.fake.all_calls().is_empty());
    let rejection =
        away.receive(&batch(&[item], &[LOGIN_KEY.sign(&validation_claims())])).await.err().unwrap();
    assert_eq!(rejection, Rejection::Unavailable(KEYS_UNAVAILABLE));
}

#[tokio::test]
async fn lifecycle_notifications_name_their_subscription() {
    let world = World::quiet().await;
    let state = client_state(CHAT).await;
    let notification = |event: &str, state: &str| json!({ "lifecycleEvent": event, "subscriptionId": "sub-1", "tenantId": TENANT, "clientState": state });
    for (word, lost) in [("reauthorizationRequired", false), ("subscriptionRemoved", true), ("missed", true)]
    {
        let delivery = world.receive(&batch(&[notification(word, &state)], &[])).await.unwrap();
        let item = &delivery.items[0];
        assert_eq!((item.kind, item.conversation.is_none()), (EventKind::Control, true));
        let event = world.connector.open(&world.session(), item.feed, &item.payload).await.unwrap();
        let Happening::Control(Control::Subscription { id, lost: is_lost }) = event.happening else {
            panic!("{word}")
        };
        assert_eq!((id.as_str(), is_lost), ("sub-1", lost), "{word}");
    }
    for (word, state) in [("missed", "guess"), ("missed", ""), ("invented", &state)] {
        let delivery = world.receive(&batch(&[notification(word, state)], &[])).await.unwrap();
        assert_eq!((delivery.items.len(), delivery.dropped.len()), (0, 1), "{word} {state}");
    }
}
