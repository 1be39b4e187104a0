//! Recorded payloads: each is read, and what became of it is a snapshot without any of its text.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use dragoman_markup::canonical;
use dragoman_model::{Control, Event, Happening, Message};
use dragoman_platform::{App, Connector as _, Session};
use dragoman_testkit::{digest, payloads};
use serde_json::{Value, json};

use crate::support::{self, BOT_KEY, Keeper, NOW_MS, World};

fn files(folder: &Path) -> Vec<(String, Value)> {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
        .into_iter()
        .filter(|path| path.extension().is_some_and(|it| it == "json"))
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            (name, value)
        })
        .collect()
}

fn message(message: &Message) -> String {
    format!(
        "{:?} name={} user={} reply={} blocks={} files={} version={} ours={} {}",
        message.author.kind,
        message.author.name.is_some(),
        message.author.user.is_some(),
        message.thread_root.is_some(),
        message.body.blocks.len(),
        message.files.len(),
        message.version.is_some(),
        message.origin.ours,
        digest(&canonical(&message.body)),
    )
}

fn told(event: &Event) -> String {
    match &event.happening {
        Happening::Asked(asked) => format!("asked answer={}", asked.answer_at.is_some()),
        Happening::Posted(it) => format!("posted {}", message(it)),
        Happening::Changed { after, .. } => format!("changed {}", message(after)),
        Happening::Deleted { .. } => "deleted".to_owned(),
        Happening::ReactionAdded { .. } => "reaction added".to_owned(),
        Happening::ReactionRemoved { .. } => "reaction removed".to_owned(),
        Happening::Reactions { .. } | Happening::ReactionsListed { .. } => "reactions".to_owned(),
        Happening::FileAnswered { destination, .. } => {
            format!("file answered accepted={}", destination.is_some())
        }
        Happening::Notice(notice) => {
            format!(
                "notice {:?} user={} text={}",
                notice.kind,
                !notice.people.is_empty(),
                notice.text.is_some()
            )
        }
        Happening::Control(Control::Several(all)) => {
            let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
            for control in all {
                let kind = match control {
                    Control::Admitted { .. } => "admitted",
                    Control::Expelled { .. } => "expelled",
                    Control::Fact { .. } => "fact",
                    _ => "other",
                };
                *kinds.entry(kind).or_default() += 1;
            }
            format!("control {kinds:?}")
        }
        Happening::Control(Control::Shared { .. }) => "shared".to_owned(),
        Happening::Control(_) => "control".to_owned(),
        Happening::Ignored(code) => format!("ignored {code}"),
    }
}

/// The app and the tenant that a recorded activity is for.
fn app_of(activity: &Value) -> App {
    let mut app = support::app();
    let recipient = activity["recipient"]["id"].as_str().unwrap_or_default().trim_start_matches("28:");
    if !recipient.is_empty() {
        app.facts.insert("app_id".into(), recipient.into());
    }
    let tenant =
        activity["conversation"]["tenantId"].as_str().or(activity["channelData"]["tenant"]["id"].as_str());
    if let Some(tenant) = tenant {
        app.facts.insert("tenant_id".into(), tenant.into());
    }
    app
}

#[tokio::test]
async fn activities() {
    let Some(folder) = payloads() else { return };
    let world = World::quiet().await;
    let mut report = String::new();
    for (name, activity) in files(&folder.join("teams/bot/activities")) {
        let app = app_of(&activity);
        let mut claims = support::bot_claims(activity["serviceUrl"].as_str().unwrap_or_default(), NOW_MS);
        claims["aud"] = json!(app.fact("app_id"));
        let request = support::request("messages", &activity, Some(&BOT_KEY.sign(&claims)));
        let line = match world.connector.receive(&app, &request).await {
            Err(rejection) => format!("{}", rejection.status().as_u16()),
            Ok(delivery) => {
                let session =
                    Session { app: app.into(), ..world.session_with(std::sync::Arc::new(Keeper::default())) };
                let mut line = format!("{} items={}", delivery.answer.status.as_u16(), delivery.items.len());
                for item in &delivery.items {
                    let place = item.conversation.is_some();
                    let event = world.connector.open(&session, item.feed, &item.payload).await;
                    let event = event
                        .map_or_else(|failure| format!("failed {}", failure.code()), |event| told(&event));
                    let _ = write!(
                        line,
                        " | {} place={place} key={} | {event}",
                        item.kind.as_str(),
                        item.delivery_key.is_some()
                    );
                }
                line
            }
        };
        let _ = writeln!(report, "{name}: {line}");
    }
    insta::assert_snapshot!(report);
}

/// Every chatMessage in a file, wherever it stands.
fn messages(value: &Value, found: &mut Vec<Value>) {
    match value {
        Value::Object(fields) => {
            if fields.contains_key("body") && fields.contains_key("id") && fields.contains_key("from") {
                found.push(value.clone());
            }
            fields.values().for_each(|inner| messages(inner, found));
        }
        Value::Array(entries) => entries.iter().for_each(|entry| messages(entry, found)),
        _ => {}
    }
}

#[tokio::test]
async fn chat_messages() {
    let Some(folder) = payloads() else { return };
    let mut report = String::new();
    for (name, value) in files(&folder.join("teams/graph/messages")) {
        let mut found = Vec::new();
        messages(&value, &mut found);
        for message in found {
            let answer = message.clone();
            let world =
                World::start(move |call| call.path.contains("/messages/").then(|| answer.clone().into()))
                    .await;
            let item = json!({
                "changeType": "created", "tenantId": support::TENANT, "subscriptionId": "s", "clientState": "",
                "resource": format!("chats('{}')/messages('{}')", support::CHAT, message["id"].as_str().unwrap()),
            });
            let payload = dragoman_seal::Content::new(item.to_string().into_bytes());
            let event = world.connector.open(&world.session(), "graph", &payload).await;
            let line =
                event.map_or_else(|failure| format!("failed {}", failure.code()), |event| told(&event));
            let _ = writeln!(report, "{name}: {line}");
        }
    }
    insta::assert_snapshot!(report);
}

/// The item as if it were for our app, which is subscribed without content.
async fn for_us(mut item: Value) -> Value {
    let resource = item["resource"].as_str().unwrap_or_default();
    let conversation = resource
        .split_once("channels('")
        .or_else(|| resource.split_once("chats('"))
        .and_then(|(_, rest)| rest.split_once("')"))
        .map_or(support::CHAT, |(id, _)| id);
    item["clientState"] = json!(crate::door::client_state(conversation).await);
    item["tenantId"] = json!(support::TENANT);
    for key in ["encryptedContent", "EncryptedContent"] {
        item.as_object_mut().unwrap().remove(key);
    }
    item
}

#[tokio::test]
async fn notifications() {
    let Some(folder) = payloads() else { return };
    let world = World::quiet().await;
    let mut report = String::new();
    for (name, value) in files(&folder.join("teams/graph/notifications")) {
        let items = match &value["value"] {
            Value::Array(items) => items.clone(),
            _ if value.get("subscriptionId").is_some() => vec![value.clone()],
            _ => continue,
        };
        // As recorded they are for somebody else, or hold placeholders for ciphertext: nothing may come in.
        let stranger = world.receive(&crate::door::batch(&items, &[])).await.unwrap();
        assert_eq!((stranger.items.len(), stranger.dropped.len()), (0, items.len()), "{name}");
        let mut ours = Vec::new();
        for item in items {
            ours.push(for_us(item).await);
        }
        let delivery = world.receive(&crate::door::batch(&ours, &[])).await.unwrap();
        let _ = write!(report, "{name}: {} dropped={:?}", delivery.answer.status.as_u16(), delivery.dropped);
        for item in &delivery.items {
            let (place, reply) = (item.conversation.is_some(), item.thread_root.is_some());
            let _ = write!(report, " | {} {} place={place} reply={reply}", item.feed, item.kind.as_str());
        }
        report.push('\n');
    }
    insta::assert_snapshot!(report);
}
