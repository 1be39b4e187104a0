//! Change notifications: what is told to whom, encryption, batches, repetition, slow receivers, lifecycle.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::cipher::{AES_256, EncryptionContext, PaddedBlockEncryptingKey, UnboundCipherKey};
use aws_lc_rs::hmac;
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::rsa::{OAEP_SHA1_MGF1SHA1, OaepPublicEncryptingKey, PublicEncryptingKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use serde_json::{Value, json};

use super::ids::{digest, iso, token};
use super::keys::{public_key, thumbprint};
use super::model::Change;
use super::sim::{Core, Inner, PLATFORM, Twist};
use super::subscriptions::{Subscription, change_type};
use super::wire::{View, message_resource, notified_message};
use crate::core::delivery::{DeliveryJob, entry};

/// The publisher of change notifications, in the `appid` or `azp` claim of validation tokens.
pub const CHANGE_TRACKING: &str = "0bf30f3b-4a52-48df-9a82-234910c4a086";

/// One entry of a notification's `value`.
#[derive(Clone)]
pub(super) struct Item {
    pub subscription: String,
    pub app: String,
    pub url: String,
    pub value: Value,
}

/// Items waiting for their batch, and the record of slow hosts.
#[derive(Default)]
pub(super) struct Outbox {
    waiting: BTreeMap<String, Vec<Item>>,
    hosts: BTreeMap<String, Host>,
}

#[derive(Default)]
struct Host {
    since: u64,
    answers: u32,
    slow: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Pace {
    Normal,
    Delayed,
    Dropped,
}

impl Outbox {
    fn pace(&mut self, host: &str, now: u64, window: u64, sample: u32) -> Pace {
        let h = self.hosts.entry(host.to_owned()).or_default();
        if now >= h.since + window {
            *h = Host { since: now, ..Host::default() };
        }
        if h.answers < sample {
            Pace::Normal
        } else if h.slow * 100 >= h.answers * 15 {
            Pace::Dropped
        } else if h.slow * 100 >= h.answers * 10 {
            Pace::Delayed
        } else {
            Pace::Normal
        }
    }

    fn account(&mut self, host: &str, slow: bool) {
        let h = self.hosts.entry(host.to_owned()).or_default();
        h.answers += 1;
        h.slow += u32::from(slow);
    }
}

/// Checks that a certificate's key can be used: RSA of 2048 to 4096 bits.
pub(super) fn usable(der: &[u8]) -> Result<(), String> {
    let key = encrypting_key(der).ok_or("encryptionCertificate holds no RSA key.")?;
    if (2_048..=4_096).contains(&key.key_size_bits()) {
        Ok(())
    } else {
        Err("The key of encryptionCertificate must have 2048 to 4096 bits.".into())
    }
}

fn encrypting_key(der: &[u8]) -> Option<OaepPublicEncryptingKey> {
    let spki = public_key(der)?;
    OaepPublicEncryptingKey::new(PublicEncryptingKey::from_der(&spki).ok()?).ok()
}

/// Encrypts a resource for a subscriber: AES-256-CBC with PKCS#7 padding, the first 16 key bytes as the
/// initialisation vector; HMAC-SHA-256 over the ciphertext; the key under RSA-OAEP with SHA-1.
pub(super) fn encrypt(
    certificate: &[u8],
    name: &str,
    key: [u8; 32],
    plain: &[u8],
    tampered: bool,
) -> Option<Value> {
    let mut iv = [0; 16];
    iv.copy_from_slice(&key[..16]);
    let cipher = PaddedBlockEncryptingKey::cbc_pkcs7(UnboundCipherKey::new(&AES_256, &key).ok()?).ok()?;
    let mut data = plain.to_vec();
    cipher.less_safe_encrypt(&mut data, EncryptionContext::Iv128(FixedLength::from(iv))).ok()?;
    let mut signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), &data).as_ref().to_vec();
    if tampered {
        signature[0] ^= 1;
    }
    let rsa = encrypting_key(certificate)?;
    let mut wrapped = vec![0; rsa.ciphertext_size()];
    let wrapped = rsa.encrypt(&OAEP_SHA1_MGF1SHA1, &key, &mut wrapped, None).ok()?;
    Some(json!({
        "data": STANDARD.encode(&data),
        "dataSignature": STANDARD.encode(signature),
        "dataKey": STANDARD.encode(wrapped),
        "encryptionCertificateId": name,
        "encryptionCertificateThumbprint": thumbprint(certificate),
    }))
}

/// Tells every subscriber about a change of a message.
pub(super) fn on_change(inner: &Arc<Inner>, change: &Change) {
    let mut core = inner.core();
    let view = View { origin: inner.graph_origin(&core), unknown_members: true };
    let doubts = core.tenant.config.doubts.clone();
    let Some(conversation) = core.tenant.conversations.get(&change.conversation) else { return };
    let Some(message) = conversation.messages.get(&change.message) else { return };
    let kind = change_type(&change.kind, conversation.is_channel(), doubts.channel_delete_is_deleted);
    let now = inner.now();
    let told: Vec<Subscription> = core
        .subscriptions
        .values()
        .filter(|s| s.live(now) && s.change_types.contains(kind) && s.filter.lets_through(message))
        .filter(|s| s.resource.covers(&core.tenant, &s.app, conversation))
        .cloned()
        .collect();
    let resource = message_resource(conversation, change.message, change.root);
    let odata_type = if doubts.odata_type_lower_case {
        "#Microsoft.Graph.chatMessage"
    } else {
        "#Microsoft.Graph.ChatMessage"
    };
    let object = notified_message(&core.tenant, &view, conversation, message).to_string();
    let data = json!({"id": change.message.to_string(), "@odata.type": odata_type, "@odata.id": resource});
    let items: Vec<Item> =
        told.iter().map(|s| item(&mut core, s, kind, &resource, &data, object.as_bytes())).collect();
    drop(core);
    for i in items {
        submit(inner, &format!("graph.{kind}"), Some(&change.conversation), i);
    }
}

/// Tells subscribers about a change in the list of channels or members.
pub(super) fn on_structure(
    inner: &Arc<Inner>,
    kind: &str,
    resource: &str,
    odata_type: &str,
    object: &Value,
    watches: impl Fn(&Subscription) -> bool,
) {
    let mut core = inner.core();
    let now = inner.now();
    let told: Vec<Subscription> = core
        .subscriptions
        .values()
        .filter(|s| s.live(now) && s.change_types.contains(kind) && watches(s))
        .cloned()
        .collect();
    let data = json!({"id": object["id"], "@odata.type": odata_type, "@odata.id": resource});
    let text = object.to_string();
    let items: Vec<Item> =
        told.iter().map(|s| item(&mut core, s, kind, resource, &data, text.as_bytes())).collect();
    drop(core);
    for i in items {
        submit(inner, &format!("graph.{kind}"), None, i);
    }
}

fn item(core: &mut Core, s: &Subscription, kind: &str, resource: &str, data: &Value, object: &[u8]) -> Item {
    let state = client_state(core, s);
    let mut value = json!({
        "subscriptionId": s.id,
        "changeType": kind,
        "clientState": state,
        "subscriptionExpirationDateTime": iso(s.expires).replace('Z', "+00:00"),
        "resource": resource,
        "resourceData": data,
        "tenantId": core.tenant.config.tenant.id,
    });
    if let Some((der, name)) = s.certificate.as_ref().filter(|_| s.with_data) {
        let key = core.tenant.random();
        let tampered = core.twisted(Twist::NotificationTampered);
        value["encryptedContent"] = encrypt(der, name, key, object, tampered).unwrap_or_default();
    }
    Item { subscription: s.id.clone(), app: s.app.clone(), url: s.url.clone(), value }
}

/// A batch about objects that were made elsewhere, for the live subscription that covers a conversation. Each
/// change is a change type, a resource and the object itself.
pub(super) fn made_elsewhere(
    inner: &Inner,
    conversation: &str,
    changes: &[(&str, String, Value)],
) -> Option<Value> {
    let now = inner.now();
    let mut core = inner.core();
    let c = core.tenant.conversations.get(conversation)?;
    let covers = |s: &&Subscription| s.live(now) && s.resource.covers(&core.tenant, &s.app, c);
    let s = core.subscriptions.values().find(covers)?.clone();
    let items: Vec<Item> = changes
        .iter()
        .map(|(kind, resource, object)| {
            let data = json!({
                "id": object["id"], "@odata.type": "#Microsoft.Graph.chatMessage", "@odata.id": resource,
            });
            item(&mut core, &s, kind, resource, &data, object.to_string().as_bytes())
        })
        .collect();
    Some(batch(&mut core, now, &items))
}

fn client_state(core: &mut Core, s: &Subscription) -> Value {
    if core.twisted(Twist::NotificationWrongState) { json!("somebody-else") } else { json!(s.client_state) }
}

/// Sends a lifecycle event of a subscription (`reauthorizationRequired`, `subscriptionRemoved`, `missed`). False
/// when it has no lifecycle URL or does not exist.
pub(super) fn lifecycle(inner: &Arc<Inner>, subscription: &str, event: &str) -> bool {
    let mut core = inner.core();
    let Some(s) = core.subscriptions.get(subscription).cloned() else { return false };
    let grace = core.tenant.config.timing.reauthorize_grace;
    match event {
        "subscriptionRemoved" => {
            core.subscriptions.remove(subscription);
        }
        "reauthorizationRequired" => {
            if let Some(s) = core.subscriptions.get_mut(subscription) {
                s.pause_at = Some(inner.now() + grace);
            }
        }
        _ => {}
    }
    let Some(url) = s.lifecycle_url.clone() else { return false };
    let state = client_state(&mut core, &s);
    let value = json!({
        "lifecycleEvent": event,
        "subscriptionId": s.id,
        "subscriptionExpirationDateTime": iso(s.expires).replace('Z', "+00:00"),
        "tenantId": core.tenant.config.tenant.id,
        "clientState": state,
    });
    drop(core);
    let item = Item { subscription: s.id, app: s.app, url, value };
    submit(inner, &format!("graph.lifecycle.{event}"), None, item);
    true
}

/// Asks for reauthorization before a subscription ends, when the configuration says so.
pub(super) fn watch_end(inner: &Arc<Inner>, core: &Core, s: &Subscription) {
    let before = core.tenant.config.timing.reauthorize_before;
    if before == 0 {
        return;
    }
    let wait = s.expires.saturating_sub(inner.now()).saturating_sub(before);
    let (weak, id, expires) = (Arc::downgrade(inner), s.id.clone(), s.expires);
    inner.tasks.spawn(async move {
        tokio::time::sleep(Duration::from_millis(wait)).await;
        let Some(inner) = weak.upgrade() else { return };
        let same = inner.core().subscriptions.get(&id).is_some_and(|s| s.expires == expires);
        if same {
            lifecycle(&inner, &id, "reauthorizationRequired");
        }
    });
}

fn submit(inner: &Arc<Inner>, method: &str, conversation: Option<&str>, item: Item) {
    let weak = Arc::downgrade(inner);
    let job: DeliveryJob = Arc::new(move |first| {
        let (weak, item) = (weak.clone(), item.clone());
        Box::pin(async move {
            let Some(inner) = weak.upgrade() else { return };
            let timing = inner.core().tenant.config.timing.clone();
            tokio::time::sleep(Duration::from_millis(timing.notification_delay)).await;
            if timing.batch_window == 0 {
                send(&inner, vec![item], Some(first)).await;
                return;
            }
            let opens = {
                let mut core = inner.core();
                let waiting = core.outbox.waiting.entry(item.url.clone()).or_default();
                waiting.push(item.clone());
                waiting.len() == 1
            };
            first.over();
            if opens {
                tokio::time::sleep(Duration::from_millis(timing.batch_window)).await;
                let batch = inner.core().outbox.waiting.remove(&item.url).unwrap_or_default();
                send(&inner, batch, None).await;
            }
        })
    });
    inner.delivery.submit(PLATFORM, method, conversation, job);
}

/// Posts a batch until it is taken or four hours of back-off are over.
async fn send(inner: &Arc<Inner>, mut items: Vec<Item>, first: Option<crate::core::delivery::FirstAttempt>) {
    let Some(url) = items.first().map(|i| i.url.clone()) else { return };
    let host = url::Url::parse(&url).ok().and_then(|u| u.host_str().map(str::to_owned)).unwrap_or_default();
    let timing = inner.core().tenant.config.timing.clone();
    let pace = inner.core().outbox.pace(&host, inner.now(), timing.slow_window, timing.slow_sample);
    let method = "graph.notifications";
    match pace {
        Pace::Dropped => {
            let note = json!({"items": items.len(), "dropped": "the host is slow"});
            inner.log.add(entry(PLATFORM, method, &url, None, 0, 0, 0, note));
            return;
        }
        Pace::Delayed => tokio::time::sleep(Duration::from_millis(timing.slow_delay)).await,
        Pace::Normal => {}
    }
    let mut attempt = 0_u32;
    loop {
        let body = batch(&mut inner.core(), inner.now(), &items);
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("application/json; charset=utf-8"));
        let started = tokio::time::Instant::now();
        let answer = inner
            .client
            .request(
                Method::POST,
                &url,
                headers,
                Bytes::from(body.to_string()),
                Duration::from_millis(timing.notification_deadline),
            )
            .await;
        let ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let status = answer.as_ref().map_or(0, |a| a.status.as_u16());
        inner.core().outbox.account(&host, ms > timing.slow_after);
        let note = json!({"items": items.len(), "failure": answer.as_ref().err().map(ToString::to_string)});
        inner.log.add(entry(PLATFORM, method, &url, None, status, ms, attempt, note));
        if let Some(first) = &first {
            first.over();
        }
        if (200..300).contains(&status) {
            return;
        }
        let Some(wait) = timing.notification_backoff.get(attempt as usize) else { return };
        tokio::time::sleep(Duration::from_millis(*wait)).await;
        attempt += 1;
        // A subscription that was deleted meanwhile is told nothing more, except about its end.
        let core = inner.core();
        items.retain(|i| {
            i.value.get("changeType").is_none() || core.subscriptions.contains_key(&i.subscription)
        });
        if items.is_empty() {
            return;
        }
    }
}

fn batch(core: &mut Core, now: u64, items: &[Item]) -> Value {
    let mut body = json!({"value": items.iter().map(|i| i.value.clone()).collect::<Vec<_>>()});
    let mut apps: Vec<&String> =
        items.iter().filter(|i| i.value.get("encryptedContent").is_some()).map(|i| &i.app).collect();
    apps.sort_unstable();
    apps.dedup();
    if !apps.is_empty() && !core.twisted(Twist::NotificationWithoutToken) {
        body["validationTokens"] = apps.into_iter().map(|a| json!(validation_token(core, a, now))).collect();
    }
    body
}

fn validation_token(core: &mut Core, app: &str, now: u64) -> String {
    let foreign = "00000000-0000-4000-8000-00000000f0f0";
    let pick = |core: &mut Core, twist, right: &str| {
        if core.twisted(twist) { foreign.to_owned() } else { right.to_owned() }
    };
    let home = core.tenant.config.tenant.id.clone();
    let tenant = pick(core, Twist::NotificationWrongIssuer, &home);
    let audience = pick(core, Twist::NotificationWrongAudience, app);
    let publisher = pick(core, Twist::NotificationWrongPublisher, CHANGE_TRACKING);
    let v2 = core.tenant.config.doubts.validation_token_v2;
    let issuer = if v2 {
        format!("https://login.microsoftonline.com/{tenant}/v2.0")
    } else {
        format!("https://sts.windows.net/{tenant}/")
    };
    let expires = if core.twisted(Twist::NotificationExpiredToken) {
        now / 1_000 - 3_600
    } else {
        now / 1_000 + 29_100
    };
    let start = now / 1_000;
    let mut claims = json!({
        "aud": audience, "iss": issuer, "iat": start, "nbf": start, "exp": expires, "tid": tenant,
        "aio": token(&digest(&["aio", app, &now.to_string()])[..24]),
        "uti": token(&digest(&["uti", app, &now.to_string()])[..16]),
        "idp": format!("https://sts.windows.net/{tenant}/"),
        "ver": if v2 { "2.0" } else { "1.0" },
    });
    claims[if v2 { "azp" } else { "appid" }] = json!(publisher);
    claims[if v2 { "azpacr" } else { "appidacr" }] = json!("2");
    core.login.sign(&claims, None)
}

/// The handshake with a notification URL: it must answer 200 with the decoded token as plain text within the
/// deadline.
pub(super) async fn validate(inner: &Arc<Inner>, url: &str) -> bool {
    let (id, deadline) = {
        let mut core = inner.core();
        (core.tenant.guid(), core.tenant.config.timing.validation_deadline)
    };
    let text =
        format!("Validation: Testing client application reachability for subscription Request-Id: {id}");
    let encoded = text.replace(':', "%3a").replace(' ', "+");
    let mark = if url.contains('?') { '&' } else { '?' };
    let target = format!("{url}{mark}validationToken={encoded}");
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("text/plain; charset=utf-8"));
    let started = tokio::time::Instant::now();
    let answer = inner
        .client
        .request(Method::POST, &target, headers, Bytes::new(), Duration::from_millis(deadline))
        .await;
    let ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let status = answer.as_ref().map_or(0, |a| a.status.as_u16());
    let valid = answer.is_ok_and(|a| {
        let plain = a.headers.get("content-type").and_then(|v| v.to_str().ok());
        status == 200 && plain.is_some_and(|t| t.starts_with("text/plain")) && a.body == text.as_bytes()
    });
    inner.log.add(entry(PLATFORM, "graph.validation", url, None, status, ms, 0, json!({"valid": valid})));
    valid
}
