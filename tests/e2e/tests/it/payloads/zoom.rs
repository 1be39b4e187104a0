//! Events of Zoom, signed and posted, and what is asked for after them.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use dragoman_sim::zoom::config::{BRIDGE, KESTREL};
use dragoman_sim::zoom::outward::signature;
use dragoman_sim::zoom::{SeedApp, SeedChannel, SeedPerson};
use e2e::Options;
use http::{HeaderMap, HeaderValue, Method};
use serde_json::{Value, json};

use super::bench::{Bench, From, Pair, files};

const FOLDERS: [&str; 3] = ["webhooks", "webhooks-derived", "webhooks-real"];
/// Why the other files are not sent.
const NOT_SENT: [(&str, &str); 10] = [
    ("app-manifests/", "what an administrator uploads"),
    ("errors/", "answers to calls, which the connector's own tests read"),
    ("events.json", "a list of events, no event"),
    ("headers.sample.json", "headers; what is sent has them"),
    ("oauth/", "answers of the token endpoint, which the connector's own tests read"),
    ("operations.json", "a list of calls"),
    ("requests/", "requests to Zoom"),
    (
        "responses/ and responses-derived/, but messages and people",
        "answers to calls that are not about a message",
    ),
    ("signatures/", "vectors, which the connector's own tests read"),
    ("websocket/", "sent over an event connection, by another test"),
];

pub(super) fn person(n: usize) -> String {
    format!("pAyl0adPers0n{n:03}Zoom0A")
}

fn member(n: usize) -> String {
    format!("1vPayloadMember{n:03}IdThatIsLongerThanAnyUserIdEverIs0123456789ab")
}

fn mail(n: usize) -> String {
    format!("payload{n:03}@kestrel-outfitters.example")
}

fn channel(n: usize) -> String {
    format!("{n:032x}")
}

/// A direct conversation has a person at the other end instead of a channel.
fn is_direct(event: &Value) -> bool {
    text(&event["event"]).contains(".dm_") || event["payload"]["object"]["type"] == "to_contact"
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default().trim()
}

/// What ends the installation comes last.
fn turn(event: &str) -> u8 {
    u8::from(event == "app_deauthorized")
}

/// A bench with a conversation for each event.
pub(super) async fn start(events: &[&Value]) -> Result<Bench> {
    let mut config = Options::zoom_config();
    let mut conversations = Vec::new();
    let account = config.accounts.first_mut().context("the simulated Zoom has no account")?;
    for (n, event) in events.iter().enumerate() {
        account.people.push(SeedPerson {
            id: person(n),
            member_id: member(n),
            first_name: "Imani".to_owned(),
            last_name: "Okoye".to_owned(),
            email: mail(n),
            ..SeedPerson::default()
        });
        account.channels.push(SeedChannel {
            id: channel(n),
            name: format!("Payload {n:03}"),
            kind: 3,
            members: [BRIDGE.to_owned(), person(n)].to_vec(),
            encrypted: false,
        });
        conversations.push(if is_direct(event) { format!("dm:{}", person(n)) } else { channel(n) });
    }
    let options = Options { zoom: Some(config), fronts: true, bridge: false, ..Options::default() };
    Box::pin(Bench::between(From::Zoom, options, conversations)).await
}

/// From the ids of a recording to those of a live channel.
pub(super) struct Live {
    pub(super) n: usize,
    pub(super) now_ms: i64,
    /// Of recorded messages; of what was prepared, the live one.
    pub(super) messages: BTreeMap<String, String>,
}

impl Live {
    fn message(&mut self, old: &str) -> String {
        let made = format!("{:08X}-4FFD-4644-BFB2-{:012X}", self.n, self.messages.len() + 1);
        self.messages.entry(old.to_owned()).or_insert(made).clone()
    }

    fn iso(&self) -> String {
        jiff::Timestamp::from_second(self.now_ms / 1000).expect("now is a time").to_string()
    }

    /// An event.
    pub(super) fn event(&mut self, recorded: &Value) -> Value {
        let mut out = recorded.clone();
        if out.get("event_ts").is_some() {
            out["event_ts"] = json!(self.now_ms);
        }
        let name = text(&recorded["event"]).to_owned();
        let payload = &mut out["payload"];
        let external = payload["by_external_user"] == true;
        for (key, new) in [
            ("account_id", KESTREL.to_owned()),
            ("accountId", KESTREL.to_owned()),
            ("operator", mail(self.n)),
            ("operator_id", person(self.n)),
            ("user_id", person(self.n)),
            ("userId", person(self.n)),
            ("client_id", SeedApp::default().client_id),
        ] {
            // What a stranger does tells nothing of these.
            if !text(&payload[key]).is_empty() {
                payload[key] = json!(new);
            }
        }
        if !external && !text(&payload["operator_member_id"]).is_empty() {
            payload["operator_member_id"] = json!(member(self.n));
        }
        if payload.get("timestamp").is_some() {
            payload["timestamp"] = json!(self.now_ms);
        }
        if let Some(object) = payload.get_mut("object") {
            self.object(&name, object);
        }
        // Absent members became null above.
        tidy(payload);
        out
    }

    fn object(&mut self, event: &str, object: &mut Value) {
        let of_channel = event.starts_with("chat_channel.") || event.ends_with("archived");
        let Some(map) = object.as_object_mut() else { return };
        for (key, value) in map.iter_mut() {
            let old = text(value).to_owned();
            let id_of_channel = key == "id" && of_channel;
            match key.trim() {
                _ if id_of_channel => *value = json!(channel(self.n)),
                "channel_id" if !old.is_empty() => *value = json!(channel(self.n)),
                "message_id" | "msg_id" | "id" | "reply_main_message_id" | "parent_msg_id" => {
                    *value = json!(self.message(&old));
                }
                "contact_id" => *value = json!(BRIDGE),
                "contact_email" => *value = json!("dragoman.bridge@kestrel-outfitters.example"),
                "contact_account_id" | "channel_owner_account_id" => *value = json!(KESTREL),
                "timestamp" => *value = json!(self.now_ms),
                "date_time" | "msg_time" => *value = json!(self.iso()),
                _ => {}
            }
        }
        for at in object["at_items"].as_array_mut().into_iter().flatten().filter(|at| at["at_type"] != 2) {
            at["at_contact"] = json!(mail(self.n));
            at["at_contact_user_id"] = json!(person(self.n));
            at["at_contact_member_id"] = json!(member(self.n));
        }
        for one in object["members"].as_array_mut().into_iter().flatten() {
            one["id"] = json!(person(self.n));
        }
        tidy(object);
    }
}

fn tidy(value: &mut Value) {
    if let Some(map) = value.as_object_mut() {
        map.retain(|_, value| !value.is_null());
    }
}

/// The messages that an event is about and does not bring: its root, and the message itself unless it brings it.
fn needed(event: &Value) -> Vec<(String, Option<String>)> {
    let object = &event["payload"]["object"];
    let name = text(&event["event"]);
    let of = |keys: &[&str]| {
        keys.iter().map(|key| text(&object[key])).find(|id| !id.is_empty()).map(str::to_owned)
    };
    let known = name.starts_with("team_chat.channel_m")
        || name.starts_with("team_chat.dm_m")
        || name.starts_with("chat_message.")
        || name.contains("reaction");
    let Some(own) = of(&["message_id", "msg_id", "id"]).filter(|_| known) else { return Vec::new() };
    let root = of(&["reply_main_message_id", "parent_msg_id"]).filter(|root| *root != own);
    let mut found: Vec<(String, Option<String>)> = root.iter().map(|root| (root.clone(), None)).collect();
    if !name.ends_with("posted") && !name.ends_with("sent") && !name.ends_with("replied") {
        found.push((own, root));
    }
    found
}

/// Posts what an event is about; live ids by the recorded ones.
async fn prepare(bench: &Bench, n: usize, event: &Value) -> Result<BTreeMap<String, String>> {
    let zoom = bench.world.zoom().clone();
    let place = if is_direct(event) {
        zoom.open_direct(&person(n), BRIDGE).map_err(|error| anyhow::anyhow!("{}", error.message))?
    } else {
        channel(n)
    };
    let mut made: BTreeMap<String, String> = BTreeMap::new();
    for (old, root) in needed(event) {
        let posted = match &root {
            Some(root) => zoom.reply(&person(n), &place, &made[root], "prepared"),
            None => zoom.post(&person(n), &place, "prepared"),
        };
        let posted = posted.map_err(|error| anyhow::anyhow!("{}", error.message))?;
        bench.told(&posted, 1).await?;
        made.insert(old, posted);
    }
    Ok(made)
}

async fn send(bench: &Bench, body: &Value) -> Result<String> {
    let seconds = bench.now_ms().await? / 1_000;
    let text = body.to_string().into_bytes();
    let signed = signature(&SeedApp::default().secret_token, seconds, &text);
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/json; charset=utf-8"));
    headers.insert("x-zm-request-timestamp", HeaderValue::from(seconds));
    headers.insert("x-zm-signature", HeaderValue::from_str(&signed)?);
    let url = bench.hook("zoom", "events");
    let (status, _, answer) = bench.world.http.raw(Method::POST, &url, headers, text).await?;
    let answer: Value = serde_json::from_slice(&answer).unwrap_or_default();
    let token = &body["payload"]["plainToken"];
    let proved = token.is_string() && answer["plainToken"] == *token && answer["encryptedToken"].is_string();
    Ok(format!("{}{}", status.as_u16(), if proved { " with the token's proof" } else { "" }))
}

/// A recording may hold several events.
fn events_in(title: &str, json: &Value) -> Vec<(String, Value)> {
    if json.get("event").is_some() {
        return vec![(title.to_owned(), json.clone())];
    }
    let map = json.as_object().into_iter().flatten();
    map.filter(|(_, value)| value.get("event").is_some())
        .map(|(key, value)| (format!("{title} {key}"), value.clone()))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events() {
    let mut all = Vec::new();
    for folder in FOLDERS {
        let Some(found) = files(&format!("zoom/{folder}")) else { return };
        for file in found {
            let title = format!("{folder}/{}", file.name);
            let events = events_in(&title, &file.json);
            assert!(!events.is_empty(), "{title} holds no event");
            all.extend(events);
        }
    }
    all.sort_by_key(|(title, event)| (turn(text(&event["event"])), title.clone()));
    let list: Vec<&Value> = all.iter().map(|(_, event)| event).collect();
    let mut bench = start(&list).await.unwrap();
    let mut prepared = Vec::new();
    for (n, (_, event)) in all.iter().enumerate() {
        prepared.push(prepare(&bench, n, event).await.unwrap());
    }
    bench.settle().await.unwrap();
    let pairs = bench.pairs.clone();
    let mut lines: BTreeMap<String, String> =
        NOT_SENT.iter().map(|(what, why)| ((*what).to_owned(), format!("{what}: not sent: {why}"))).collect();
    for (n, (title, event)) in all.iter().enumerate() {
        let now_ms = bench.now_ms().await.unwrap();
        let body = Live { n, now_ms, messages: prepared[n].clone() }.event(event);
        if text(&event["event"]) == "chat_message.updated" {
            // These come without formats, so that the message itself is read.
            let object = &body["payload"]["object"];
            let path = format!("/v2/chat/users/{BRIDGE}/messages/{}", text(&object["id"]));
            bench.world.front("zoom").answer(&path, "", edited(object, n));
        }
        let made = line(&mut bench, title, &pairs[n], &body, !prepared[n].is_empty()).await.unwrap();
        lines.insert(title.clone(), made);
    }
    let lines: Vec<String> = lines.into_values().collect();
    insta::assert_snapshot!("zoom_events", lines.join("\n"));
    bench.world.end().await.unwrap();
}

/// A message as Zoom shows it after an edit.
fn edited(object: &Value, n: usize) -> Value {
    json!({"id": object["id"], "message": object["message"], "date_time": object["date_time"],
        "timestamp": object["timestamp"], "sender": mail(n), "sender_display_name": "Imani Okoye",
        "send_member_id": member(n), "message_type": "plain_text_message"})
}

async fn line(bench: &mut Bench, title: &str, pair: &Pair, body: &Value, prepared: bool) -> Result<String> {
    let before = bench.before(From::Zoom, pair).await?;
    let answer = send(bench, body).await?;
    let outcome = bench.outcome(before, &answer).await?;
    Ok(format!("{title}: {}{outcome}", if prepared { "prepared, then " } else { "" }))
}

/// Answers about messages and people, which are asked for after an event of the old family and after an absence.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers() {
    const LISTS: [&str; 3] = [
        "responses/GET.chat-users-userId-messages.200.json",
        "responses-derived/list_messages.mixed.json",
        "responses-derived/list_messages.empty.json",
    ];
    const ONE: &str = "responses/GET.chat-users-userId-messages-messageId.200.json";
    const PEOPLE: [&str; 2] =
        ["responses/GET.users-userId.200.json", "responses-derived/get_user.minimal.json"];
    let mut found = BTreeMap::new();
    for folder in ["responses", "responses-derived"] {
        let Some(files) = files(&format!("zoom/{folder}")) else { return };
        found.extend(
            files.into_iter().map(|file| (format!("{folder}/{}", file.name), file.json["body"].clone())),
        );
    }
    let old = json!({"event": "chat_message.sent", "event_ts": 0, "payload": {
        "account_id": "a", "operator": "o", "operator_id": "o",
        "object": {"id": "m", "type": "to_channel", "date_time": "", "timestamp": 0, "session_id": "s",
            "channel_id": "c", "channel_name": "c", "message": "told without its form"}}});
    let mut bench = start(&[&old; 6]).await.unwrap();
    let front = bench.world.front("zoom").clone();
    let pairs = bench.pairs.clone();
    let mut lines = Vec::new();
    let titles = [ONE].into_iter().chain(PEOPLE).chain(LISTS);
    for (n, title) in titles.enumerate() {
        let now_ms = bench.now_ms().await.unwrap();
        let mut live = Live { n, now_ms, messages: BTreeMap::new() };
        let recorded = found.get(title).expect("the file is there");
        let messages = format!("/v2/chat/users/{BRIDGE}/messages");
        if LISTS.contains(&title) {
            let mut list = recorded.clone();
            list["next_page_token"] = json!("");
            for (place, message) in list["messages"].as_array_mut().into_iter().flatten().enumerate() {
                live.now_ms = now_ms + i64::try_from(place).unwrap_or(0);
                live.object("listed", message);
                front.answer(&format!("{messages}/{}", text(&message["id"])), "", message.clone());
            }
            front.answer(&messages, &format!("to_channel={}", channel(n)), list.clone());
            let before = bench.before(From::Zoom, &pairs[n]).await.unwrap();
            bench.world.restart(None).await.unwrap();
            for message in list["messages"].as_array().into_iter().flatten() {
                if message["status"] != "Deleted" {
                    bench.told(text(&message["id"]), 1).await.unwrap();
                }
            }
            // Reactions to them come after them.
            bench.world.settled(std::time::Duration::from_secs(20)).await.unwrap();
            lines.push(format!("{title}: {}", bench.outcome(before, "caught up").await.unwrap()));
            continue;
        }
        let event = live.event(&old);
        if title == ONE {
            let mut message = recorded.clone();
            let own = live.message("m");
            live.messages.insert(text(&message["id"]).to_owned(), own);
            live.object("listed", &mut message);
            let root = text(&message["reply_main_message_id"]).to_owned();
            let path = |id: &str| format!("{messages}/{id}");
            front.answer(&path(text(&message["id"])), "", message.clone());
            // The root of the recorded thread is nowhere.
            assert!(!root.is_empty());
        } else {
            let mut answer = recorded.clone();
            answer["id"] = json!(person(n));
            front.answer(&format!("/v2/users/{}", person(n)), "", answer);
        }
        lines.push(line(&mut bench, title, &pairs[n], &event, false).await.unwrap());
    }
    insta::assert_snapshot!("zoom_answers", lines.join("\n"));
    bench.world.end().await.unwrap();
}
