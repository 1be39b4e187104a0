//! Deliveries of Webex, signed and posted, and the messages and people that are asked for after them.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use dragoman_sim::webex::hooks::headers;
use dragoman_sim::webex::seed::{HENRIK, ORG, SERVICE};
use dragoman_sim::webex::{SeedPerson, SeedRoom, WebexDoubts, ids};
use e2e::Options;
use http::Method;
use serde_json::{Map, Value, json};

use super::bench::{Bench, From, Pair, files};

const FOLDERS: [&str; 9] = [
    "attachment-actions",
    "doc-examples",
    "errors",
    "messages",
    "people",
    "rooms",
    "vectors",
    "webhooks",
    "websocket",
];
const CLUSTER: &str = "urn:TEAM:eu-central-1_k";

/// What a file is about.
enum Matter {
    /// A delivery, and the file that holds its message.
    Delivery(Option<&'static str>),
    /// A message that a delivery announces, or the first of a list.
    Message,
    /// A message that was edited, and whose edit is announced.
    Edit,
    Membership,
    Room,
    Action,
    /// The author of a message.
    Person,
    /// Nothing that a gateway is sent or asks for.
    Nothing(&'static str),
}

/// What comes of a file.
fn matter(folder: &str, name: &str) -> Matter {
    match (folder, name) {
        ("webhooks", "2019.list.json" | "2019.resource.firehose.json") => {
            Matter::Nothing("an answer about webhooks, no delivery")
        }
        ("webhooks", "messages.created.direct.json") => {
            Matter::Delivery(Some("messages/get.direct.text-2.json"))
        }
        ("webhooks", "2019.messages.created.file.json" | "UNCONFIRMED.messages.updated.json") => {
            Matter::Delivery(Some("messages/2019.by-bot.markdown-file.json"))
        }
        ("webhooks", _) => Matter::Delivery(None),
        ("messages", _) => Matter::Message,
        ("attachment-actions", _) => Matter::Action,
        ("rooms", "2018.membership.create.json") => Matter::Membership,
        ("rooms", _) => Matter::Room,
        ("people", _) => Matter::Person,
        ("websocket", _) => Matter::Nothing("the gateway opens no event connection to Webex"),
        ("vectors", _) => Matter::Nothing("vectors, which the connector's own tests read"),
        ("errors", _) => Matter::Nothing("an answer to calls, which the connector's own tests read"),
        _ if name.ends_with("request.json") => Matter::Nothing("a request to Webex"),
        (_, "PUT_messages_messageId.200.json") => Matter::Edit,
        (_, name) if name.contains("_messages") => Matter::Message,
        (_, name) if name.contains("team") => Matter::Nothing("teams are not read"),
        (_, name) if name.contains("_memberships") => Matter::Membership,
        (_, name) if name.contains("_rooms") => Matter::Room,
        (_, name) if name.contains("_people") => Matter::Person,
        (_, name) if name.contains("attachment_actions") => Matter::Action,
        (_, name) if name.contains("_events") => Matter::Nothing("compliance events are not read"),
        (_, name) if name.contains("_webhooks") => Matter::Nothing("an answer about webhooks, no delivery"),
        _ => Matter::Nothing("grants and tokens: nothing that is told"),
    }
}

fn person(n: usize) -> String {
    format!("{n:08x}-3b84-4d2f-9a16-e0b7f4c2d301")
}

fn room(n: usize) -> String {
    format!("{n:08x}-1f6a-11f1-9e2f-608c2d3e4f50")
}

fn now_iso(now_ms: i64) -> String {
    jiff::Timestamp::from_millisecond(now_ms)
        .expect("now is a time")
        .strftime("%Y-%m-%dT%H:%M:%S%.3fZ")
        .to_string()
}

/// From the ids of a recording to those of a live space.
struct Live<'a> {
    n: usize,
    pair: &'a Pair,
    base: &'a str,
    now_ms: i64,
    /// Of recorded messages; of what was prepared, the live one.
    messages: BTreeMap<String, String>,
    /// Who wrote as the account of the recording's own app.
    own: Option<String>,
}

impl Live<'_> {
    fn message(&mut self, old: &str) -> String {
        let fresh = self.messages.len();
        let new = || {
            ids::public(CLUSTER, "MESSAGE", &format!("{:04x}{fresh:04x}-1f6a-11f1-9e2f-608c2d3e4f50", self.n))
        };
        let made = new();
        self.messages.entry(old.to_owned()).or_insert(made).clone()
    }

    fn who(&self, old: &str) -> String {
        let own = self.own.as_deref() == Some(old) && old.len() > 40;
        ids::person(if own { SERVICE } else { return ids::person(&person(self.n)) })
    }

    /// A message, or what a delivery tells of one.
    fn rebase(&mut self, recorded: &Value) -> Value {
        let mut out = recorded.clone();
        let Some(map) = out.as_object_mut() else { return out };
        for (key, value) in map.iter_mut() {
            let Some(old) = value.as_str().map(str::to_owned) else { continue };
            match key.as_str() {
                "id" | "parentId" | "messageId" => *value = json!(self.message(&old)),
                "roomId" => *value = json!(self.pair.teams),
                "personId" => *value = json!(self.who(&old)),
                "personOrgId" => *value = json!(ids::org(ORG)),
                // Bots have addresses of their own.
                "personEmail" if !old.ends_with("@webex.bot") && !old.ends_with("@sparkbot.io") => {
                    *value = json!(format!("payload{:03}@larkfield.example", self.n));
                }
                "created" | "updated" => *value = json!(now_iso(self.now_ms)),
                "html" => *value = json!(mentions(&old)),
                _ => {}
            }
        }
        for list in ["mentionedPeople", "files"] {
            for value in map.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
                let old = value.as_str().unwrap_or_default();
                *value = if list == "files" {
                    json!(old.replace("https://webexapis.com", self.base))
                } else {
                    json!(ids::person(HENRIK))
                };
            }
        }
        out
    }
}

/// Whoever is mentioned becomes Henrik, by an id of the same form.
fn mentions(html: &str) -> String {
    let mut out = String::new();
    let mut rest = html;
    while let Some((before, after)) = rest.split_once("data-object-id=\"") {
        let (old, after) = after.split_once('"').unwrap_or((after, ""));
        let bare = old.len() == 36;
        let new = if bare { HENRIK.to_owned() } else { ids::person(HENRIK) };
        out.extend([before, "data-object-id=\"", &new, "\""]);
        rest = after;
    }
    out + rest
}

/// The message of a list, or of an answer about one.
fn first(json: &Value) -> Value {
    json.get("items").map_or_else(|| json.clone(), |items| items[0].clone())
}

/// A message as the gateway names it.
fn key(id: &str) -> String {
    ids::read("MESSAGE", id).map_or_else(|| id.to_owned(), |named| named.key)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// An envelope as the live webhook's, where the recording has the member.
fn envelope(recorded: &Value, webhook: &Value, actor: &str, data: Value) -> Value {
    let mut out = recorded.clone();
    for key in ["id", "name", "targetUrl", "orgId", "createdBy", "appId", "created"] {
        if out.get(key).is_some() {
            out[key] = webhook[key].clone();
        }
    }
    if out.get("actorId").is_some() {
        out["actorId"] = json!(actor);
    }
    out["data"] = data;
    out
}

fn told(webhook: &Value, resource: &str, event: &str, actor: &str, data: Value) -> Value {
    let mut out = webhook.clone();
    if let Some(map) = out.as_object_mut() {
        map.remove("secret");
    }
    out["resource"] = json!(resource);
    out["event"] = json!(event);
    out["actorId"] = json!(actor);
    out["data"] = data;
    out
}

/// What deliveries tell of a message: no content.
fn without_content(message: &Value) -> Value {
    let mut out = message.as_object().cloned().unwrap_or_else(Map::new);
    for key in ["text", "markdown", "html", "attachments", "toPersonId", "toPersonEmail", "isVoiceClip"] {
        out.remove(key);
    }
    out.retain(|_, value| !value.is_null());
    Value::Object(out)
}

async fn send(bench: &Bench, body: &Value) -> Result<String> {
    let webhooks = bench.world.webex().webhooks();
    let secret = webhooks.first().context("no webhook was made")?["secret"].as_str();
    let text = body.to_string().into_bytes();
    let mut headers = headers(secret, &WebexDoubts::default(), &text);
    headers.insert("content-type", http::HeaderValue::from_static("application/json"));
    let url = bench.hook("webex", "events");
    let (status, _, _) = bench.world.http.raw(Method::POST, &url, headers, text).await?;
    Ok(status.as_u16().to_string())
}

struct File {
    folder: &'static str,
    name: String,
    json: Value,
}

impl File {
    fn title(&self) -> String {
        format!("{}/{}", self.folder, self.name)
    }

    /// The recorded message that has to be there.
    fn message(&self, all: &[File]) -> Option<Value> {
        match matter(self.folder, &self.name) {
            Matter::Delivery(Some(title)) => {
                let mut message = all.iter().find(|file| file.title() == title)?.json.clone();
                message["id"] = self.json["data"]["id"].clone();
                Some(message)
            }
            Matter::Message | Matter::Edit => Some(first(&self.json)),
            Matter::Person => Some(json!({"id": "m", "roomId": "r", "roomType": "group", "personId": "p",
                "personEmail": "p@larkfield.example", "text": "by whom?", "created": ""})),
            _ => None,
        }
    }
}

async fn start(count: usize) -> Result<Bench> {
    let mut config = Options::webex_config();
    let mut conversations = Vec::new();
    for n in 0..count {
        config.orgs[0].people.push(SeedPerson {
            uuid: person(n),
            display_name: "Gita Rao".to_owned(),
            email: format!("payload{n:03}@larkfield.example"),
            ..SeedPerson::default()
        });
        config.rooms.push(SeedRoom {
            uuid: room(n),
            title: format!("Payload {n:03}"),
            org: ORG.to_owned(),
            members: vec![person(n), HENRIK.to_owned(), SERVICE.to_owned()],
            ..SeedRoom::default()
        });
        conversations.push(ids::public(CLUSTER, "ROOM", &room(n)));
    }
    let mut options = Options { webex: Some(config), fronts: true, bridge: false, ..Options::default() };
    // Edits are looked for where a test says that there was one.
    options.config = "[relay]\nedit_look_ms = 3600000\n".parse()?;
    Box::pin(Bench::between(From::Webex, options, conversations)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deliveries() {
    let mut all = Vec::new();
    for folder in FOLDERS {
        let Some(found) = files(&format!("webex/{folder}")) else { return };
        all.extend(found.into_iter().map(|file| File { folder, name: file.name, json: file.json }));
    }
    let mut lines = BTreeMap::new();
    let mut sent: Vec<&File> = Vec::new();
    for file in &all {
        match matter(file.folder, &file.name) {
            Matter::Nothing(why) => {
                lines.insert(file.title(), format!("{}: not sent: {why}", file.title()));
            }
            _ => sent.push(file),
        }
    }
    let mut bench = start(sent.len()).await.unwrap();
    let webhook = bench.world.webex().webhooks().remove(0);
    let front = bench.world.front("webex").clone();
    let pairs = bench.pairs.clone();
    // Roots first, and what is edited later.
    let mut prepared = Vec::new();
    for (n, (file, pair)) in sent.iter().zip(&pairs).enumerate() {
        let mut made = BTreeMap::new();
        let recorded = file.message(&all).or_else(|| file.json.get("data").cloned());
        let recorded = recorded.unwrap_or_default();
        let edited =
            matches!(matter(file.folder, &file.name), Matter::Edit) || file.json["event"] == "updated";
        let own = text(&recorded["id"]).to_owned();
        let root = Some(text(&recorded["parentId"])).filter(|root| !root.is_empty() && *root != own);
        for old in root.into_iter().chain(edited.then_some(own.as_str())) {
            let posted = bench.world.webex().post(&person(n), &pair.teams, "prepared").unwrap();
            bench.told(&key(&posted), 1).await.unwrap();
            made.insert(old.to_owned(), posted);
        }
        prepared.push(made);
    }
    bench.settle().await.unwrap();
    for (n, file) in sent.iter().enumerate() {
        let own = Some(text(&file.json["createdBy"]).to_owned()).filter(|own| !own.is_empty());
        let mut live = Live {
            n,
            pair: &pairs[n],
            base: front.base(),
            now_ms: bench.now_ms().await.unwrap(),
            messages: prepared[n].clone(),
            own,
        };
        let actor = ids::person(&person(n));
        let message = file.message(&all).map(|message| live.rebase(&message));
        if let Some(message) = &message {
            let path = format!("/v1/messages/{}", text(&message["id"]));
            front.answer(&path, "", message.clone());
        }
        let announced = || without_content(message.as_ref().unwrap_or(&Value::Null));
        let body = match matter(file.folder, &file.name) {
            Matter::Delivery(_) => {
                let data = live.rebase(&file.json["data"]);
                envelope(&file.json, &webhook, &actor, data)
            }
            Matter::Message => told(&webhook, "messages", "created", &actor, announced()),
            Matter::Edit => told(&webhook, "messages", "updated", &actor, announced()),
            Matter::Person => {
                let mut answer = first(&file.json);
                answer["id"] = json!(actor);
                front.answer(&format!("/v1/people/{actor}"), "", answer);
                told(&webhook, "messages", "created", &actor, announced())
            }
            Matter::Membership => {
                let mut data = live.rebase(&first(&file.json));
                data["id"] = first(&file.json)["id"].clone();
                told(&webhook, "memberships", "created", &actor, data)
            }
            Matter::Room => {
                let mut data = first(&file.json);
                data["id"] = json!(pairs[n].teams);
                told(&webhook, "rooms", "updated", &actor, data)
            }
            Matter::Action => {
                let mut data = live.rebase(&file.json);
                if let Some(map) = data.as_object_mut() {
                    map.remove("inputs");
                }
                told(&webhook, "attachmentActions", "created", &actor, data)
            }
            Matter::Nothing(_) => unreachable!("these are not sent"),
        };
        let before = bench.before(From::Webex, &pairs[n]).await.unwrap();
        let answer = send(&bench, &body).await.unwrap();
        let outcome = bench.outcome(before, &answer).await.unwrap();
        let first = if prepared[n].is_empty() { "" } else { "prepared, then " };
        lines.insert(file.title(), format!("{}: {first}{outcome}", file.title()));
    }
    let lines: Vec<String> = lines.into_values().collect();
    insta::assert_snapshot!("webex_deliveries", lines.join("\n"));
    bench.world.end().await.unwrap();
}

/// The list that is read after an absence.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists() {
    let Some(found) = files("webex/doc-examples") else { return };
    let names = ["GET_messages.200.json"];
    let mut bench = start(names.len()).await.unwrap();
    let front = bench.world.front("webex").clone();
    let pairs = bench.pairs.clone();
    let mut lines = Vec::new();
    for (n, name) in names.iter().enumerate() {
        let file = found.iter().find(|file| file.name == *name).expect("the file is there");
        let now_ms = bench.now_ms().await.unwrap();
        let mut live =
            Live { n, pair: &pairs[n], base: front.base(), now_ms, messages: BTreeMap::new(), own: None };
        let list: Vec<Value> =
            file.json["items"].as_array().into_iter().flatten().map(|item| live.rebase(item)).collect();
        for message in &list {
            front.answer(&format!("/v1/messages/{}", text(&message["id"])), "", message.clone());
        }
        front.answer("/v1/messages", &format!("roomId={}", pairs[n].teams), json!({ "items": list }));
        let before = bench.before(From::Webex, &pairs[n]).await.unwrap();
        bench.world.restart(None).await.unwrap();
        for message in &list {
            bench.told(&key(text(&message["id"])), 1).await.unwrap();
        }
        let outcome = bench.outcome(before, "caught up").await.unwrap();
        lines.push(format!("{name}: {outcome}"));
    }
    insta::assert_snapshot!("webex_lists", lines.join("\n"));
    bench.world.end().await.unwrap();
}
