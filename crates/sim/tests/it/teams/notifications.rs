//! Change notifications: content, encryption, deadlines, repetition, slow receivers, batches, lifecycle.

use std::time::Duration;

use aws_lc_rs::cipher::{AES_256, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey};
use aws_lc_rs::hmac;
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::rsa::{OAEP_SHA1_MGF1SHA1, OaepPrivateDecryptingKey, PrivateDecryptingKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dragoman_sim::core::{FaultKind, FaultOrder};
use dragoman_sim::teams::seed::{APP, DANA, EMRE, GENERAL, LAUNCH, TEAM, TENANT};
use dragoman_sim::teams::{CHANGE_TRACKING, Draft, Twist};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::{Value, json};

use super::harness::{Got, Rig, general, quick};

/// A subscriber's key pair and certificate.
struct Subscriber {
    pair: rcgen::KeyPair,
    der: Vec<u8>,
}

impl Subscriber {
    fn new() -> Self {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
        let certificate =
            rcgen::CertificateParams::new(vec!["s".into()]).unwrap().self_signed(&pair).unwrap();
        Self { der: certificate.der().to_vec(), pair }
    }

    fn ask(&self, mut wish: Value, name: &str) -> Value {
        wish["includeResourceData"] = json!(true);
        wish["encryptionCertificate"] = json!(STANDARD.encode(&self.der));
        wish["encryptionCertificateId"] = json!(name);
        wish
    }

    /// The published procedure, step by step; none when the signature does not fit.
    fn open(&self, content: &Value) -> Option<Value> {
        let part = |k: &str| STANDARD.decode(content[k].as_str().unwrap()).unwrap();
        let key = PrivateDecryptingKey::from_pkcs8(&self.pair.serialize_der()).unwrap();
        let rsa = OaepPrivateDecryptingKey::new(key).unwrap();
        let mut out = vec![0; rsa.min_output_size()];
        let key = rsa.decrypt(&OAEP_SHA1_MGF1SHA1, &part("dataKey"), &mut out, None).unwrap().to_vec();
        assert_eq!(key.len(), 32);
        let mut data = part("data");
        hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, &key), &data, &part("dataSignature")).ok()?;
        let iv: [u8; 16] = key[..16].try_into().unwrap();
        let cipher =
            PaddedBlockDecryptingKey::cbc_pkcs7(UnboundCipherKey::new(&AES_256, &key).unwrap()).unwrap();
        let plain = cipher.decrypt(&mut data, DecryptionContext::Iv128(FixedLength::from(iv))).unwrap();
        Some(serde_json::from_slice(plain).unwrap())
    }
}

fn batches(rig: &Rig) -> Vec<Got> {
    rig.inbox.all().into_iter().filter(|g| g.path == "/notify").collect()
}

#[tokio::test]
async fn a_basic_item_names_the_resource() {
    let rig = Rig::new().await;
    let id = rig.subscribe(&rig.wish()).await;
    let root = rig.sim.post(DANA, GENERAL, Draft::text("root")).unwrap();
    rig.inbox.items(1).await;
    let reply = rig.sim.reply(EMRE, GENERAL, &root, Draft::text("reply")).unwrap();
    let items = rig.inbox.items(2).await;
    let base = format!("teams('{TEAM}')/channels('{GENERAL}')/messages('{root}')");
    assert_eq!(items[0]["resource"], base);
    assert_eq!(items[1]["resource"], format!("{base}/replies('{reply}')"));
    for i in &items {
        assert_eq!(i["subscriptionId"], id);
        assert_eq!(i["changeType"], "created");
        assert_eq!(i["clientState"], "only-we-know");
        assert_eq!(i["tenantId"], TENANT);
        assert_eq!(i["resourceData"]["@odata.type"], "#Microsoft.Graph.chatMessage");
        assert!(i.get("encryptedContent").is_none());
    }
    assert!(batches(&rig)[0].json().get("validationTokens").is_none());
    rig.stop().await;
}

#[tokio::test]
async fn each_change_has_its_type() {
    let rig = Rig::new().await;
    rig.subscribe(&rig.wish()).await;
    let id = rig.sim.post(DANA, GENERAL, Draft::text("x")).unwrap();
    rig.sim.edit(DANA, GENERAL, &id, Draft::text("y")).unwrap();
    rig.inbox.items(2).await;
    rig.sim.react(EMRE, GENERAL, &id, "👍", true).unwrap();
    rig.inbox.items(3).await;
    rig.sim.delete(DANA, GENERAL, &id).unwrap();
    rig.inbox.items(4).await;
    rig.sim.undo_delete(DANA, GENERAL, &id).unwrap();
    rig.inbox.items(5).await;
    rig.sim.touch(GENERAL, &id).unwrap();
    let items = rig.inbox.items(6).await;
    let kinds: Vec<&str> = items.iter().map(|i| i["changeType"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["created", "updated", "updated", "deleted", "updated", "updated"]);
    rig.sim.with_config(|c| c.doubts.channel_delete_is_deleted = false);
    rig.sim.delete(DANA, GENERAL, &id).unwrap();
    assert_eq!(rig.inbox.items(7).await[6]["changeType"], "updated", "the other answer to the doubt");
    rig.stop().await;
}

#[tokio::test]
async fn only_asked_change_types_and_filters_are_sent() {
    let rig = Rig::new().await;
    let mut wish = rig.wish();
    wish["changeType"] = json!("created");
    wish["resource"] = json!(format!("/teams/{TEAM}/channels/{GENERAL}/messages?$search=Hello"));
    rig.subscribe(&wish).await;
    rig.sim.post(DANA, GENERAL, Draft::text("nothing")).unwrap();
    let id = rig.sim.post(DANA, GENERAL, Draft::text("well, hello there")).unwrap();
    rig.sim.edit(DANA, GENERAL, &id, Draft::text("hello again")).unwrap();
    rig.sim.post(DANA, LAUNCH, Draft::text("hello elsewhere")).unwrap();
    let last = rig.sim.post(DANA, GENERAL, Draft::text("Hello last")).unwrap();
    let items = rig.inbox.items(2).await;
    let ids: Vec<&str> = items.iter().map(|i| i["resourceData"]["id"].as_str().unwrap()).collect();
    assert_eq!(ids, [id, last]);
    rig.stop().await;
}

#[tokio::test]
async fn rich_items_decrypt_to_the_message_and_carry_a_valid_token() {
    let rig = Rig::new().await;
    let subscriber = Subscriber::new();
    rig.subscribe(&subscriber.ask(rig.wish(), "cert-1")).await;
    let id = rig.sim.post(DANA, GENERAL, Draft::html("<p>grüezi <emoji alt=\"👀\"></emoji></p>")).unwrap();
    let item = rig.inbox.items(1).await.remove(0);
    let content = &item["encryptedContent"];
    assert_eq!(content["encryptionCertificateId"], "cert-1");
    assert_eq!(content["encryptionCertificateThumbprint"].as_str().unwrap().len(), 40);
    let opened = subscriber.open(content).unwrap();
    let mut read = rig.get(&format!("{}/{id}", general()), &rig.app()).await.json();
    read.as_object_mut().unwrap().remove("@odata.context");
    read["replies"] = json!([]);
    read["hostedContents"] = json!([]);
    assert_eq!(opened, read, "same as GET");

    let token = batches(&rig)[0].json()["validationTokens"][0].as_str().unwrap().to_owned();
    let document = rig.get("/common/.well-known/openid-configuration", "").await.json();
    let keys = rig.get(document["jwks_uri"].as_str().unwrap(), "").await.json();
    let kid = decode_header(&token).unwrap().kid.unwrap();
    let jwk = keys["keys"].as_array().unwrap().iter().find(|k| k["kid"] == kid).unwrap().clone();
    let key =
        DecodingKey::from_rsa_components(jwk["n"].as_str().unwrap(), jwk["e"].as_str().unwrap()).unwrap();
    let mut rules = Validation::new(Algorithm::RS256);
    rules.set_audience(&[APP]);
    rules.set_issuer(&[format!("https://sts.windows.net/{TENANT}/")]);
    let claims = decode::<Value>(&token, &key, &rules).unwrap().claims;
    assert_eq!(claims["appid"], CHANGE_TRACKING);
    assert_eq!(claims["tid"], TENANT);

    rig.sim.with_config(|c| c.doubts.validation_token_v2 = true);
    rig.inbox.clear();
    rig.sim.post(DANA, GENERAL, Draft::text("v2")).unwrap();
    rig.inbox.items(1).await;
    let token = batches(&rig)[0].json()["validationTokens"][0].as_str().unwrap().to_owned();
    rules.set_issuer(&[format!("https://login.microsoftonline.com/{TENANT}/v2.0")]);
    let claims = decode::<Value>(&token, &key, &rules).unwrap().claims;
    assert_eq!(claims["azp"], CHANGE_TRACKING);
    rig.stop().await;
}

#[tokio::test]
async fn certificates_rotate() {
    let rig = Rig::new().await;
    let (one, two) = (Subscriber::new(), Subscriber::new());
    let id = rig.subscribe(&one.ask(rig.wish(), "one")).await;
    rig.sim.post(DANA, GENERAL, Draft::text("1")).unwrap();
    rig.inbox.items(1).await;
    let change =
        json!({"encryptionCertificate": STANDARD.encode(&two.der), "encryptionCertificateId": "two"});
    let r = rig.send(http::Method::PATCH, &format!("/v1.0/subscriptions/{id}"), &rig.app(), &change).await;
    assert_eq!(r.status, 200);
    rig.sim.post(DANA, GENERAL, Draft::text("2")).unwrap();
    let items = rig.inbox.items(2).await;
    assert_eq!(items[0]["encryptedContent"]["encryptionCertificateId"], "one");
    assert_eq!(items[1]["encryptedContent"]["encryptionCertificateId"], "two");
    assert!(one.open(&items[0]["encryptedContent"]).is_some());
    assert_eq!(two.open(&items[1]["encryptedContent"]).unwrap()["body"]["content"], "2");
    rig.stop().await;
}

#[tokio::test]
async fn forged_notifications_can_be_ordered() {
    let rig = Rig::new().await;
    let subscriber = Subscriber::new();
    rig.subscribe(&subscriber.ask(rig.wish(), "c")).await;
    rig.sim.twist(Twist::NotificationTampered, 1);
    rig.sim.post(DANA, GENERAL, Draft::text("x")).unwrap();
    let item = rig.inbox.items(1).await.remove(0);
    assert!(subscriber.open(&item["encryptedContent"]).is_none(), "the signature does not fit");
    rig.sim.twist(Twist::NotificationWrongState, 1);
    rig.sim.post(DANA, GENERAL, Draft::text("x")).unwrap();
    assert_ne!(rig.inbox.items(2).await[1]["clientState"], "only-we-know");
    for twist in [
        Twist::NotificationWrongAudience,
        Twist::NotificationWrongIssuer,
        Twist::NotificationWrongPublisher,
        Twist::NotificationExpiredToken,
        Twist::NotificationWithoutToken,
    ] {
        rig.inbox.clear();
        rig.sim.twist(twist, 1);
        rig.sim.post(DANA, GENERAL, Draft::text("x")).unwrap();
        rig.inbox.items(1).await;
        let body = batches(&rig)[0].json();
        let claims = body["validationTokens"][0].as_str().map(|t| {
            use base64::engine::general_purpose::URL_SAFE_NO_PAD;
            serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(t.split('.').nth(1).unwrap()).unwrap())
                .unwrap()
        });
        let now = rig.now() / 1_000;
        let right = claims.is_some_and(|c| {
            c["aud"] == APP
                && c["appid"] == CHANGE_TRACKING
                && c["tid"] == TENANT
                && c["exp"].as_u64().unwrap() > now
        });
        assert!(!right, "{twist:?}");
    }
    rig.stop().await;
}

#[tokio::test]
async fn an_unanswered_or_refused_notification_is_repeated() {
    let rig = Rig::new().await;
    rig.subscribe(&rig.wish()).await;
    rig.inbox.manner(|m| m.status = 500);
    rig.sim.post(DANA, GENERAL, Draft::text("x")).unwrap();
    rig.inbox.items(3).await;
    rig.inbox.manner(|m| {
        m.status = 200;
        m.delay = Duration::from_millis(600);
    });
    rig.inbox.items(4).await;
    rig.inbox.manner(|m| m.delay = Duration::ZERO);
    let items = rig.inbox.items(5).await;
    assert!(items.iter().all(|i| *i == items[0]), "the same item each time");
    let took = rig
        .sim
        .log()
        .wait_for(1, Duration::from_secs(5), |e| e.method == "graph.notifications" && e.status == 200)
        .await;
    assert!(took.is_some());
    assert!(
        rig.sim.log().since(0).iter().any(|e| e.method == "graph.notifications" && e.status == 0),
        "deadline"
    );
    rig.stop().await;
}

#[tokio::test]
async fn repetition_ends_after_the_last_pause() {
    let rig = Rig::new().await;
    rig.sim.with_config(|c| c.timing.notification_backoff = vec![10, 10]);
    rig.subscribe(&rig.wish()).await;
    rig.inbox.manner(|m| m.status = 503);
    rig.sim.post(DANA, GENERAL, Draft::text("lost")).unwrap();
    rig.inbox.items(3).await;
    rig.inbox.manner(|m| m.status = 202);
    rig.sim.post(DANA, GENERAL, Draft::text("kept")).unwrap();
    let items = rig.inbox.items(4).await;
    assert_ne!(items[3]["resourceData"]["id"], items[2]["resourceData"]["id"]);
    rig.stop().await;
}

#[test]
fn published_backoff_lasts_four_hours() {
    let t = dragoman_sim::teams::TeamsTiming::default();
    let all: u64 = t.notification_backoff.iter().sum();
    assert!((3 * 3_600_000..=4 * 3_600_000).contains(&all), "{all}");
    assert_eq!((t.notification_deadline, t.slow_after, t.bot_deadline), (3_000, 2_900, 15_000));
    assert_eq!(t.subscription_max, 4_320 * 60_000);
}

#[tokio::test]
async fn slow_hosts_are_delayed_then_dropped() {
    let mut config = quick();
    config.timing.slow_sample = 10;
    config.timing.slow_after = 40;
    config.timing.slow_delay = 400;
    let rig = Rig::with(config).await;
    rig.subscribe(&rig.wish()).await;
    let say = |text: &str| rig.sim.post(DANA, GENERAL, Draft::text(text)).unwrap();
    for _ in 0..9 {
        say("fast");
    }
    rig.inbox.items(9).await;
    rig.inbox.manner(|m| m.delay = Duration::from_millis(80));
    say("slow");
    rig.inbox.items(10).await;
    let done = |n| rig.sim.log().wait_for(n, Duration::from_secs(5), |e| e.method == "graph.notifications");
    done(10).await.unwrap();
    rig.inbox.manner(|m| m.delay = Duration::from_millis(80));
    let start = rig.now();
    say("one of ten was slow: delayed, and slow again");
    rig.inbox.items(11).await;
    done(11).await.unwrap();
    assert!(rig.now() >= start + 400);
    say("two of eleven were slow: dropped");
    let entries = done(12).await.unwrap();
    assert_eq!(entries[11].detail["dropped"], "the host is slow");
    rig.world.clock.advance(Duration::from_secs(601));
    rig.inbox.manner(|m| m.delay = Duration::ZERO);
    say("the window is over");
    rig.inbox.items(12).await;
    rig.stop().await;
}

#[tokio::test]
async fn batches_mix_subscriptions() {
    let mut config = quick();
    config.timing.batch_window = 150;
    let rig = Rig::with(config).await;
    let a = rig.subscribe(&rig.wish()).await;
    let mut other = rig.wish();
    other["resource"] = json!(format!("/teams/{TEAM}/channels/{LAUNCH}/messages"));
    let b = rig.subscribe(&other).await;
    rig.sim.post(DANA, GENERAL, Draft::text("1")).unwrap();
    rig.sim.post(DANA, LAUNCH, Draft::text("2")).unwrap();
    rig.sim.post(DANA, GENERAL, Draft::text("3")).unwrap();
    let items = rig.inbox.items(3).await;
    assert_eq!(batches(&rig).len(), 1);
    for id in [a, b] {
        assert!(items.iter().any(|i| i["subscriptionId"] == id));
    }
    rig.stop().await;
}

#[tokio::test]
async fn duplicates_disorder_and_losses_can_be_ordered() {
    let rig = Rig::new().await;
    rig.subscribe(&rig.wish()).await;
    let faults = rig.sim.faults();
    faults.add(FaultOrder::next(1, "graph.created", FaultKind::Duplicate));
    rig.sim.post(DANA, GENERAL, Draft::text("twice")).unwrap();
    let items = rig.inbox.items(2).await;
    assert_eq!(items[0], items[1]);
    faults.add(FaultOrder::next(1, "graph.created", FaultKind::Reorder));
    let a = rig.sim.post(DANA, GENERAL, Draft::text("a")).unwrap();
    let b = rig.sim.post(DANA, GENERAL, Draft::text("b")).unwrap();
    let items = rig.inbox.items(4).await;
    assert_eq!([&items[2]["resourceData"]["id"], &items[3]["resourceData"]["id"]], [&json!(b), &json!(a)]);
    faults.add(FaultOrder::next(1, "graph.*", FaultKind::Drop));
    rig.sim.post(DANA, GENERAL, Draft::text("never")).unwrap();
    let c = rig.sim.post(DANA, GENERAL, Draft::text("c")).unwrap();
    assert_eq!(rig.inbox.items(5).await[4]["resourceData"]["id"], c);
    rig.sim.notify_again(GENERAL, &a).unwrap();
    assert_eq!(rig.inbox.items(6).await[5]["resourceData"]["id"], a);
    rig.stop().await;
}

#[tokio::test]
async fn lifecycle_events_go_to_their_own_url() {
    let rig = Rig::new().await;
    let id = rig.subscribe(&rig.wish()).await;
    for event in ["missed", "reauthorizationRequired", "subscriptionRemoved"] {
        assert!(rig.sim.lifecycle(&id, event));
    }
    let got = rig.inbox.wait(3, |g| g.path == "/lifecycle").await;
    let mut events: Vec<String> = Vec::new();
    for g in &got {
        let item = g.json()["value"][0].clone();
        assert_eq!(item["subscriptionId"], id);
        assert_eq!(item["clientState"], "only-we-know");
        assert_eq!(item["tenantId"], TENANT);
        events.push(item["lifecycleEvent"].as_str().unwrap().to_owned());
    }
    events.sort();
    assert_eq!(events, ["missed", "reauthorizationRequired", "subscriptionRemoved"]);
    assert_eq!(rig.get(&format!("/v1.0/subscriptions/{id}"), &rig.app()).await.status, 404);
    rig.stop().await;
}

#[tokio::test]
async fn ignored_reauthorization_pauses_delivery_and_loses_events() {
    let rig = Rig::new().await;
    let id = rig.subscribe(&rig.wish()).await;
    rig.sim.lifecycle(&id, "reauthorizationRequired");
    rig.inbox.wait(1, |g| g.path == "/lifecycle").await;
    rig.world.clock.advance(Duration::from_secs(1));
    rig.sim.post(DANA, GENERAL, Draft::text("lost")).unwrap();
    let r = rig.post(&format!("/v1.0/subscriptions/{id}/reauthorize"), &rig.app(), &Value::Null).await;
    assert_eq!(r.status, 204);
    let kept = rig.sim.post(DANA, GENERAL, Draft::text("kept")).unwrap();
    assert_eq!(rig.inbox.items(1).await[0]["resourceData"]["id"], kept);
    rig.stop().await;
}

#[tokio::test]
async fn tenant_wide_subscriptions_see_every_channel() {
    let rig = Rig::with_roles(&["ChannelMessage.Read.All", "Chat.Read.All"]).await;
    let mut wish = rig.wish();
    wish["resource"] = json!("/teams/getAllMessages");
    rig.subscribe(&wish).await;
    wish["resource"] = json!("/chats/getAllMessages");
    rig.subscribe(&wish).await;
    let chat = dragoman_sim::teams::seed::LUNCH_CHAT;
    rig.sim.post(DANA, LAUNCH, Draft::text("channel")).unwrap();
    rig.inbox.items(1).await;
    rig.sim.post(DANA, chat, Draft::text("chat")).unwrap();
    let items = rig.inbox.items(2).await;
    assert!(items[0]["resource"].as_str().unwrap().starts_with("teams("));
    assert!(items[1]["resource"].as_str().unwrap().starts_with(&format!("chats('{chat}')/messages(")));
    rig.stop().await;
}

#[tokio::test]
async fn channel_lists_and_members_are_watched() {
    let rig = Rig::new().await;
    let mut wish = rig.wish();
    wish["resource"] = json!(format!("/teams/{TEAM}/channels"));
    rig.subscribe(&wish).await;
    wish["resource"] = json!(format!("/teams/{TEAM}/members"));
    rig.subscribe(&wish).await;
    rig.sim.rename_channel(LAUNCH, DANA, "lift-off");
    let items = rig.inbox.items(1).await;
    assert_eq!(items[0]["resource"], format!("teams('{TEAM}')/channels('{LAUNCH}')"));
    assert_eq!(items[0]["changeType"], "updated");
    rig.sim.remove_member(&dragoman_sim::teams::Place::Team(TEAM.into()), DANA, EMRE);
    let items = rig.inbox.items(2).await;
    assert_eq!(items[1]["changeType"], "deleted");
    assert!(items[1]["resource"].as_str().unwrap().contains("/members('"));
    rig.stop().await;
}

#[tokio::test]
async fn reauthorization_is_asked_before_the_end_unless_renewed() {
    let mut config = quick();
    config.timing.reauthorize_before = 24 * 60 * 60_000 - 300;
    let rig = Rig::with(config).await;
    let id = rig.subscribe(&rig.wish()).await;
    let later = json!({"expirationDateTime": rig.in_minutes(2 * 24 * 60)});
    let r = rig.send(http::Method::PATCH, &format!("/v1.0/subscriptions/{id}"), &rig.app(), &later).await;
    assert_eq!(r.status, 200);
    let mut other = rig.wish();
    other["resource"] = json!(format!("/teams/{TEAM}/channels/{LAUNCH}/messages"));
    let second = rig.subscribe(&other).await;
    let got = rig.inbox.wait(1, |g| g.path == "/lifecycle").await;
    let item = got[0].json()["value"][0].clone();
    assert_eq!(
        (&item["lifecycleEvent"], &item["subscriptionId"]),
        (&json!("reauthorizationRequired"), &json!(second))
    );
    rig.stop().await;
}
