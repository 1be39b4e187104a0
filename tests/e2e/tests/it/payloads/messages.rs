//! Messages as Graph shows them, with the ids of the live bridge.

use std::collections::BTreeMap;

use dragoman_sim::teams::seed;
use serde_json::{Value, json};

use super::bench::Pair;

/// The messages in a recording, oldest first. Of a request with its answer, only the answer is the service's.
pub(crate) fn found(recording: &Value) -> Vec<Value> {
    let mut out = Vec::new();
    let of = if recording.get("request").is_some() { &recording["response"]["body"] } else { recording };
    collect(of, &mut out);
    out.sort_by_key(|message| message["id"].as_str().map(|id| (id.len(), id.to_owned())));
    out
}

fn collect(value: &Value, out: &mut Vec<Value>) {
    match value {
        Value::Object(map) => {
            if is_message(value) {
                let mut message = value.clone();
                let replies = message.as_object_mut().and_then(|map| map.remove("replies"));
                if let Some(replies) = &replies {
                    collect(replies, out);
                }
                out.push(message);
            } else {
                map.values().for_each(|value| collect(value, out));
            }
        }
        Value::Array(list) => list.iter().for_each(|value| collect(value, out)),
        _ => {}
    }
}

fn is_message(value: &Value) -> bool {
    value["body"].get("content").is_some()
        && (value.get("from").is_some() || value.get("messageType").is_some())
}

/// Whether a recording is about a chat rather than a channel.
pub(crate) fn is_of_chat(recording: &Value) -> bool {
    let text = recording.to_string();
    let url = recording["request"]["url"].as_str().unwrap_or_default();
    text.contains("\"chatId\":\"") || url.contains("/chats/") || text.contains("\"resource\":\"chats(")
}

/// The resource of a message, as notifications write it.
pub(crate) fn resource(pair: &Pair, id: &str, root: Option<&str>) -> String {
    if pair.is_chat() {
        return format!("chats('{}')/messages('{id}')", pair.teams);
    }
    let channel = format!("teams('{}')/channels('{}')", seed::TEAM, pair.teams);
    match root {
        Some(root) => format!("{channel}/messages('{root}')/replies('{id}')"),
        None => format!("{channel}/messages('{id}')"),
    }
}

/// Rebases messages of one recording: ids become times from `now_ms` on, in the order of the recording.
pub(crate) fn rebased(
    messages: &[Value],
    pair: &Pair,
    now_ms: i64,
    prepared: &BTreeMap<String, String>,
    own_app: Option<&str>,
) -> Vec<Value> {
    let mut ids = prepared.clone();
    for (place, message) in messages.iter().enumerate() {
        let old = message["id"].as_str().unwrap_or_default().to_owned();
        let fresh = now_ms + i64::try_from(place).unwrap_or_default() * 10;
        ids.entry(old).or_insert_with(|| fresh.to_string());
    }
    let mut people = BTreeMap::new();
    messages.iter().map(|message| one(message, pair, &ids, own_app, &mut people)).collect()
}

fn one(
    message: &Value,
    pair: &Pair,
    ids: &BTreeMap<String, String>,
    own_app: Option<&str>,
    people: &mut BTreeMap<String, String>,
) -> Value {
    let mut out = message.clone();
    let id = &ids[message["id"].as_str().unwrap_or_default()];
    let created: i64 = id.parse().unwrap_or_default();
    out["id"] = json!(id);
    if out.get("etag").is_some() {
        out["etag"] = json!(id);
    }
    if let Some(root) = message["replyToId"].as_str() {
        out["replyToId"] = json!(ids.get(root).map_or(root, String::as_str));
    }
    let edited = !message["lastEditedDateTime"].is_null() || !message["deletedDateTime"].is_null();
    for (key, at) in [
        ("createdDateTime", created),
        ("lastModifiedDateTime", created + i64::from(edited)),
        ("lastEditedDateTime", created + 1),
        ("deletedDateTime", created + 1),
    ] {
        if message.get(key).is_some_and(Value::is_string) {
            out[key] = json!(time(at));
        }
    }
    if pair.is_chat() {
        out["chatId"] = json!(pair.teams);
    } else if message["channelIdentity"].is_object() {
        out["channelIdentity"] = json!({"teamId": seed::TEAM, "channelId": pair.teams});
    }
    identities(&mut out["from"], own_app, people);
    for list in ["mentions", "reactions"] {
        identities(&mut out[list], own_app, people);
    }
    // Absent members became null.
    if let Some(map) = out.as_object_mut() {
        map.retain(|key, value| !value.is_null() || message.get(key).is_some());
    }
    out
}

/// Accounts of people and of the recording's own bot, wherever they are.
fn identities(value: &mut Value, own_app: Option<&str>, people: &mut BTreeMap<String, String>) {
    const PEOPLE: [&str; 3] = [seed::DANA, seed::EMRE, seed::FARAH];
    match value {
        Value::Object(map) => {
            for (key, value) in map.iter_mut() {
                match (key.as_str(), value["id"].as_str().map(str::to_owned)) {
                    ("user", Some(id)) => {
                        let next = PEOPLE[people.len() % PEOPLE.len()];
                        value["id"] = json!(people.entry(id).or_insert_with(|| next.to_owned()));
                        if value.get("tenantId").is_some() {
                            value["tenantId"] = json!(seed::TENANT);
                        }
                    }
                    ("application", Some(id)) if own_app == Some(&id) => value["id"] = json!(seed::APP),
                    _ => identities(value, own_app, people),
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|value| identities(value, own_app, people)),
        _ => {}
    }
}

/// A time as Graph writes it.
pub(crate) fn time(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).expect("now is a time").to_string()
}
