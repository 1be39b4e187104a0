//! The door: what is not authentic stays out, and nothing of people is read.

use bytes::Bytes;
use http::{HeaderName, HeaderValue};

use super::Kit;
use crate::inbound::{Inbound, Item};

/// Texts that try to be more than text.
const TEXTS: &[&str] = &[
    "hello",
    "",
    "\"},\"ts\":\"1.000001\",\"id\":\"forged\"",
    "<!channel> <at>everyone</at> @all \\ \u{202e} \u{0}",
    "\u{1f469}\u{200d}\u{1f467} \u{feff} {\"type\":\"message\"}",
];

/// Forged, altered, stale and cut requests; delivery keys; envelopes that do not depend on text.
pub async fn door(kit: &dyn Kit) {
    let genuine = kit.signed(kit.body(1, TEXTS[0]), kit.now_ms());
    let (connector, app) = (kit.connector(), kit.app());
    assert!(connector.receive(app, &genuine).await.is_ok(), "a genuine request is refused");
    proof_is_checked(kit, &genuine).await;
    if kit.dated() {
        age_is_checked(kit).await;
    }
    bodies_are_survived(kit).await;
    keys_name_deliveries(kit).await;
    envelopes_hold_no_text(kit).await;
    let elsewhere = Inbound { endpoint: "no-such-endpoint".to_owned(), ..genuine };
    assert!(connector.receive(app, &elsewhere).await.is_err(), "an unknown endpoint is accepted");
}

async fn proof_is_checked(kit: &dyn Kit, genuine: &Inbound) {
    let (connector, app, header) = (kit.connector(), kit.app(), kit.proof());
    let refused = async |request: &Inbound, what: &str| {
        assert!(connector.receive(app, request).await.is_err(), "{what} is accepted");
    };
    let proof = genuine.headers.get(&header).expect("the kit signs with this header").as_bytes().to_vec();

    let mut without = genuine.clone();
    without.headers.remove(&header);
    refused(&without, "a request without proof").await;

    let mut other = genuine.clone();
    other.headers.insert(&header, HeaderValue::from_static("other"));
    refused(&other, "a request with another proof").await;

    for at in 0..proof.len() {
        let mut altered = proof.clone();
        altered[at] ^= 1;
        if let Some(request) = with_proof(genuine, &header, &altered) {
            refused(&request, &format!("a proof with byte {at} altered")).await;
        }
        if let Some(request) = with_proof(genuine, &header, &proof[..at]) {
            refused(&request, &format!("a proof cut to {at} bytes")).await;
        }
    }
    if kit.covers_body() {
        for at in 0..genuine.body.len() {
            let mut body = genuine.body.to_vec();
            body[at] ^= 1;
            let request = Inbound { body: body.into(), ..genuine.clone() };
            refused(&request, &format!("a body with byte {at} altered")).await;
        }
        let longer = Bytes::from([genuine.body.as_ref(), b" "].concat());
        refused(&Inbound { body: longer, ..genuine.clone() }, "a body with a byte more").await;
    }
}

fn with_proof(genuine: &Inbound, header: &HeaderName, proof: &[u8]) -> Option<Inbound> {
    let mut request = genuine.clone();
    request.headers.insert(header, HeaderValue::from_bytes(proof).ok()?);
    Some(request)
}

async fn age_is_checked(kit: &dyn Kit) {
    let (connector, app) = (kit.connector(), kit.app());
    let body = || kit.body(1, TEXTS[0]);
    let stale = kit.signed(body(), kit.now_ms() - kit.tolerance_ms() - 60_000);
    assert!(connector.receive(app, &stale).await.is_err(), "a stale request is accepted");
    let recent = kit.signed(body(), kit.now_ms() - kit.tolerance_ms() / 2);
    assert!(connector.receive(app, &recent).await.is_ok(), "a request within the tolerance is refused");
}

/// Authentic nonsense gets an answer; whichever it is, nothing panics.
async fn bodies_are_survived(kit: &dyn Kit) {
    let (connector, app) = (kit.connector(), kit.app());
    let whole = kit.body(1, TEXTS[1]);
    let mut bodies: Vec<Bytes> = (0..whole.len()).map(|end| whole.slice(..end)).collect();
    let odd = ["null", "[]", "{}", "0", "\"\"", "{\"type\":[]}", "{\"value\":{}}"];
    bodies.extend(odd.map(Bytes::from));
    bodies.push(Bytes::from("[".repeat(100_000)));
    bodies.push(Bytes::from("{\"event\":".repeat(50_000)));
    bodies.push(Bytes::from_static(b"\xff\xfe\x00"));
    for body in bodies {
        let outcome = connector.receive(app, &kit.signed(body, kit.now_ms())).await;
        if let Ok(delivery) = outcome {
            assert!(delivery.answer.status.as_u16() < 600, "an answer has a status");
        }
    }
}

async fn keys_name_deliveries(kit: &dyn Kit) {
    let mut keys = Vec::new();
    for number in 1..=20 {
        let first = items(kit, number, "same text").await;
        let again = items(kit, number, "same text").await;
        let key = |items: &[Item]| items.iter().map(|item| item.delivery_key.clone()).collect::<Vec<_>>();
        assert_eq!(key(&first), key(&again), "a redelivery has another key");
        keys.extend(key(&first).into_iter().flatten());
    }
    let count = keys.len();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), count, "two deliveries have the same key");
}

async fn envelopes_hold_no_text(kit: &dyn Kit) {
    let plain: Vec<String> = items(kit, 7, TEXTS[0]).await.iter().map(envelope).collect();
    assert!(!plain.is_empty(), "a posted message yields no item");
    let long = "\u{e4}".repeat(3_000);
    for text in TEXTS.iter().copied().chain([long.as_str()]) {
        let other: Vec<String> = items(kit, 7, text).await.iter().map(envelope).collect();
        assert_eq!(plain, other, "an envelope depends on text");
    }
}

async fn items(kit: &dyn Kit, number: u64, text: &str) -> Vec<Item> {
    let request = kit.signed(kit.body(number, text), kit.now_ms());
    let delivery = kit.connector().receive(kit.app(), &request).await;
    delivery.map_or_else(|rejection| panic!("refused: {rejection}"), |delivery| delivery.items)
}

fn envelope(item: &Item) -> String {
    let Item { workspace, conversation, message, thread_root, kind, delivery_key, at_ms, feed, .. } = item;
    format!(
        "{workspace:?} {conversation:?} {message:?} {thread_root:?} {kind:?} {delivery_key:?} {at_ms} {feed}"
    )
}
