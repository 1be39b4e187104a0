//! What Graph tells: recorded notifications, and recorded messages wrapped as rich notifications.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use dragoman_sim::teams::seed;
use http::{HeaderMap, HeaderValue, Method};
use serde_json::{Value, json};

use super::bench::{Bench, File, From, Pair, files};
use super::messages::{found, is_of_chat, rebased, resource, time};

/// The bot that took part in the recorded threads.
const RECORDED_BOT: &str = "11111111-2222-3333-4444-555555555555";

async fn send(bench: &Bench, endpoint: &str, body: &Value) -> Result<String> {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/json; charset=utf-8"));
    let url = bench.hook("teams", endpoint);
    let body = body.to_string().into_bytes();
    let (status, _, _) = bench.world.http.raw(Method::POST, &url, headers, body).await?;
    Ok(status.as_u16().to_string())
}

/// The check of an address: the answer is the token, decoded, as plain text.
async fn shake(bench: &Bench, file: &Value) -> Result<String> {
    let line = file["requestLine"].as_str().context("no request line")?;
    let query = line.split(['?', ' ']).nth(2).context("no query")?;
    let url = format!("{}?{query}", bench.hook("teams", "notifications"));
    let (status, headers, body) =
        bench.world.http.raw(Method::POST, &url, HeaderMap::new(), Vec::new()).await?;
    let plain = headers.get("content-type").is_some_and(|it| it.as_bytes().starts_with(b"text/plain"));
    let same = file["expectedResponse"]["body"].as_str().map(str::as_bytes) == Some(&body);
    Ok(format!("{}{}", status.as_u16(), if plain && same { " with the token" } else { "" }))
}

/// A notification in the sample's own envelope, with the subscription's secrets and the live ids.
struct Envelope<'a> {
    bench: &'a Bench,
    pair: &'a Pair,
    /// What an encrypted notification holds.
    plain: Option<Value>,
    /// The message and its root.
    id: String,
    root: Option<String>,
}

impl Envelope<'_> {
    fn rebased(&self, file: &Value) -> Result<Value> {
        let mut body = if file.get("value").is_some() { file.clone() } else { json!({"value": [file]}) };
        let resource_text = body["value"][0]["resource"].as_str().unwrap_or_default().to_owned();
        let live = self.resource(&resource_text);
        let plain = self.plain.clone().unwrap_or_else(|| json!({"id": self.id}));
        let made = self
            .bench
            .world
            .teams
            .notifications(&self.pair.teams, &[("created", live.clone(), plain)])
            .context("the conversation has no subscription")?;
        let item = &mut body["value"][0];
        for key in ["subscriptionId", "clientState", "tenantId", "subscriptionExpirationDateTime"] {
            item[key] = made["value"][0][key].clone();
        }
        if !resource_text.is_empty() {
            item["resource"] = json!(live);
        }
        if item.get("resourceData").is_some() {
            item["resourceData"]["@odata.id"] = json!(live);
            item["resourceData"]["id"] = made["value"][0]["resourceData"]["id"].clone();
        }
        for key in ["encryptedContent", "EncryptedContent"] {
            if item.get(key).is_some() {
                item[key] = made["value"][0]["encryptedContent"].clone();
            }
        }
        if body.get("validationTokens").is_some() {
            body["validationTokens"] = made["validationTokens"].clone();
        }
        Ok(body)
    }

    fn resource(&self, old: &str) -> String {
        if old.contains("essages") && !old.starts_with("users/") {
            return resource(self.pair, &self.id, self.root.as_deref());
        }
        let member =
            old.split_once("/members").map(|(_, rest)| format!("/members{rest}")).unwrap_or_default();
        match old.split(['(', '/']).next() {
            Some("chats") => format!("chats('{}'){member}", self.pair.teams),
            Some("teams") if old.contains("/channels") => {
                format!("teams('{}')/channels('{}')", seed::TEAM, self.pair.teams)
            }
            Some("teams") => format!("teams('{}'){member}", seed::TEAM),
            _ => old.to_owned(),
        }
    }
}

/// What the service shows decrypted of which resource.
fn decrypted_resource(name: &str, pair: &Pair) -> String {
    match name {
        "channel-decrypted.json" => format!("teams('{}')/channels('{}')", seed::TEAM, pair.teams),
        "chat-decrypted.json" => format!("chats('{}')", pair.teams),
        "chat-member-decrypted.json" => format!("chats('{}')/members('member')", pair.teams),
        _ => format!("teams('{}')/members('member')", seed::TEAM),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn notifications() {
    let Some(files) = files("teams/graph/notifications") else { return };
    let chats: Vec<bool> =
        files.iter().map(|file| file.name.starts_with("chat-") || is_of_chat(&file.json)).collect();
    let mut bench = Bench::start(&chats).await.unwrap();
    let mut lines = Vec::new();
    for (n, File { name, json }) in files.iter().enumerate() {
        let pair = bench.pairs[n].clone();
        let now_ms = bench.now_ms().await.unwrap();
        let mut first = "";
        let (endpoint, body) = if name == "validation-request.json" {
            ("", Value::Null)
        } else if name.ends_with("-decrypted.json") {
            let messages = rebased(&found(json), &pair, now_ms, &BTreeMap::new(), None);
            let change = match messages.first() {
                Some(message) => {
                    let id = message["id"].as_str().unwrap_or_default();
                    ("created", resource(&pair, id, None), message.clone())
                }
                None => ("created", decrypted_resource(name, &pair), json.clone()),
            };
            ("notifications", bench.world.teams.notifications(&pair.teams, &[change]).unwrap())
        } else {
            let item = if json.get("value").is_some() { &json["value"][0] } else { json };
            let about_message = item["resource"].as_str().is_some_and(|it| it.contains("/messages("));
            let reply = item["resource"].as_str().is_some_and(|it| it.contains("/replies("));
            let rich = item.get("encryptedContent").is_some();
            let root = reply.then(|| bench.post_at_teams(&pair, None));
            if let Some(root) = &root {
                first = "prepared, then ";
                bench.told_twice([root]).await.unwrap();
                bench.settle().await.unwrap();
            }
            // Later than the root, whose id is its time.
            let now_ms = bench.now_ms().await.unwrap();
            let plain = files
                .iter()
                .find(|it| {
                    it.name
                        == if about_message {
                            "chatmessage-decrypted.json".to_owned()
                        } else {
                            name.replace("with-data", "decrypted")
                        }
                })
                .filter(|_| rich);
            let plain = plain.map(|file| {
                let mut plain = rebased(&found(&file.json), &pair, now_ms, &BTreeMap::new(), None)
                    .pop()
                    .unwrap_or_else(|| file.json.clone());
                if let Some(root) = &root {
                    plain["replyToId"] = json!(root);
                }
                if about_message && !pair.is_chat() {
                    plain["chatId"] = Value::Null;
                }
                plain
            });
            // Without data the message is read at Graph, where it has to be.
            let mut envelope = Envelope { bench: &bench, pair: &pair, plain, id: now_ms.to_string(), root };
            let endpoint = if item.get("lifecycleEvent").is_some() { "lifecycle" } else { "notifications" };
            let body = envelope.rebased(json).unwrap();
            if about_message && !rich {
                first = "prepared silently, then ";
                envelope.id = bench.silently(&pair, || bench.post_at_teams(&pair, None));
                let live = resource(&pair, &envelope.id, None);
                let mut body = body;
                body["value"][0]["resource"] = json!(live);
                body["value"][0]["resourceData"]["id"] = json!(envelope.id);
                (endpoint, body)
            } else {
                (endpoint, body)
            }
        };
        let before = bench.before(From::Teams, &pair).await.unwrap();
        let answer = match endpoint {
            "" => shake(&bench, json).await.unwrap(),
            endpoint => send(&bench, endpoint, &body).await.unwrap(),
        };
        let outcome = bench.outcome(before, &answer).await.unwrap();
        lines.push(format!("{name}: {first}{outcome}"));
    }
    insta::assert_snapshot!("teams_graph_notifications", lines.join("\n"));
    bench.world.end().await.unwrap();
}

/// What a recorded request makes of a message, where its answer has no body: how the service shows it then.
fn changed(request: &Value, mut message: Value, now_ms: i64) -> Option<(&'static str, Value)> {
    let url = request["url"].as_str()?;
    let at = json!(time(now_ms));
    message["lastModifiedDateTime"] = at.clone();
    message["etag"] = json!(now_ms.to_string());
    let kind = match (request["method"].as_str()?, url.rsplit('/').next()?) {
        ("POST", "softDelete") => {
            message["deletedDateTime"] = at;
            message["body"] = json!({"contentType": "html", "content": ""});
            "deleted"
        }
        ("POST", "undoSoftDelete") => {
            message["deletedDateTime"] = Value::Null;
            message["body"] = json!({"contentType": "html", "content": "<p>prepared</p>"});
            "updated"
        }
        ("POST", "setReaction") => {
            let user = json!({"id": seed::EMRE, "displayName": null, "userIdentityType": "aadUser"});
            message["reactions"] = json!([{
                "reactionType": request["body"]["reactionType"], "createdDateTime": at,
                "user": {"application": null, "device": null, "user": user},
            }]);
            "updated"
        }
        ("PATCH", _) => {
            let from = message["from"].clone();
            for (key, value) in request["body"].as_object()? {
                message[key] = value.clone();
            }
            if request["body"].get("body").is_some() {
                message["from"] = from;
                message["lastEditedDateTime"] = at;
            }
            "updated"
        }
        _ => return None,
    };
    Some((kind, message))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages() {
    let Some(files) = files("teams/graph/messages") else { return };
    let chats: Vec<bool> = files.iter().map(|file| is_of_chat(&file.json)).collect();
    let mut bench = Bench::start(&chats).await.unwrap();
    // The messages that recordings answer or change.
    let mut prepared: Vec<BTreeMap<String, String>> = Vec::new();
    for (File { json, .. }, pair) in files.iter().zip(&bench.pairs) {
        let messages = found(json);
        let mut made = BTreeMap::new();
        for message in &messages {
            let Some(root) = message["replyToId"].as_str().filter(|_| !pair.is_chat()) else { continue };
            let known = messages.iter().any(|other| other["id"] == root) || made.contains_key(root);
            if !known {
                made.insert(root.to_owned(), bench.post_at_teams(pair, None));
            }
        }
        if messages.is_empty() && changed(&json["request"], json!({}), 0).is_some() {
            made.insert("changed".to_owned(), bench.post_at_teams(pair, None));
        }
        prepared.push(made);
    }
    bench.told_twice(prepared.iter().flat_map(BTreeMap::values)).await.unwrap();
    // What comes back was deleted before.
    for (File { json, .. }, (pair, made)) in files.iter().zip(bench.pairs.iter().zip(&prepared)) {
        let undone = json["request"]["url"].as_str().is_some_and(|url| url.ends_with("/undoSoftDelete"));
        if let Some(id) = made.get("changed").filter(|_| undone) {
            bench.world.teams.delete(seed::DANA, &pair.teams, id).unwrap();
            bench.told(id, 4).await.unwrap();
        }
    }
    bench.settle().await.unwrap();
    let mut lines = Vec::new();
    for (n, File { name, json }) in files.iter().enumerate() {
        let pair = bench.pairs[n].clone();
        let now_ms = bench.now_ms().await.unwrap();
        let messages = rebased(&found(json), &pair, now_ms, &prepared[n], Some(RECORDED_BOT));
        let mut changes: Vec<(&str, String, Value)> = Vec::new();
        for message in messages {
            let root = message["replyToId"].as_str().filter(|_| !pair.is_chat());
            let live = resource(&pair, message["id"].as_str().unwrap_or_default(), root);
            changes.push(("created", live, message));
        }
        if let Some(id) = prepared[n].get("changed") {
            let shown = bench.world.teams.message(&pair.teams, id).expect("it was posted");
            let (kind, message) = changed(&json["request"], shown, now_ms).expect("it was asked before");
            changes.push((kind, resource(&pair, id, None), message));
        }
        if changes.is_empty() {
            lines.push(format!(
                "{name}: left out: nothing that a gateway receives, an API call about no message's text"
            ));
            continue;
        }
        let body = bench.world.teams.notifications(&pair.teams, &changes).expect("a subscription");
        let before = bench.before(From::Teams, &pair).await.unwrap();
        let answer = send(&bench, "notifications", &body).await.unwrap();
        let outcome = bench.outcome(before, &answer).await.unwrap();
        let first = if prepared[n].is_empty() { "" } else { "prepared, then " };
        lines.push(format!("{name}: {first}{outcome}"));
    }
    insta::assert_snapshot!("teams_graph_messages", lines.join("\n"));
    bench.world.end().await.unwrap();
}
