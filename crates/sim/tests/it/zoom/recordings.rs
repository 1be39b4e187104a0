//! Shapes against Zoom's own samples, where they are at hand.
#![expect(clippy::print_stdout, reason = "a skipped comparison says so")]

use std::collections::BTreeSet;
use std::path::PathBuf;

use dragoman_sim::zoom::outward::signature;
use http::Method;
use serde_json::{Value, json};

use super::bench::*;

fn sample(path: &str) -> Option<Value> {
    let root = std::env::var_os("DRAGOMAN_PAYLOADS").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/platforms"),
        PathBuf::from,
    );
    match std::fs::read(root.join("zoom").join(path)) {
        Ok(bytes) => Some(serde_json::from_slice(&bytes).unwrap()),
        Err(error) => {
            assert!(std::env::var_os("CI").is_none(), "samples are missing: {error}");
            println!("skipped: no sample {path}");
            None
        }
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "text",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    }
}

/// Every member of ours is one of the sample's, with the same kind of value; with `whole` the other way as well.
fn compare(at: &str, sample: &Value, ours: &Value, whole: bool) {
    assert_eq!(kind(sample), kind(ours), "{at}: {sample} against {ours}");
    match (sample, ours) {
        (Value::Object(sample), Value::Object(ours)) => {
            let trimmed = |keys: serde_json::map::Keys<'_>| -> BTreeSet<String> {
                keys.map(|key| key.trim().to_owned()).collect()
            };
            let (known, made) = (trimmed(sample.keys()), trimmed(ours.keys()));
            let invented: Vec<&String> = made.difference(&known).collect();
            assert!(invented.is_empty(), "{at}: the sample has no {invented:?}");
            if whole {
                let missing: Vec<&String> = known.difference(&made).collect();
                assert!(missing.is_empty(), "{at}: ours lacks {missing:?}");
            }
            for (key, value) in ours {
                if let Some(sample) = sample.get(key) {
                    compare(&format!("{at}.{key}"), sample, value, whole);
                }
            }
        }
        (Value::Array(sample), Value::Array(ours)) => {
            if let Some(sample) = sample.first() {
                for item in ours {
                    compare(&format!("{at}[]"), sample, item, whole);
                }
            }
        }
        _ => {}
    }
}

#[tokio::test]
async fn events_have_the_members_of_the_samples() {
    let bench = Bench::with(config().with_outsider()).await;
    let root = bench.sim.post(THEO, GENERAL, "hello").unwrap();
    let plain = bench.app.event("team_chat.channel_message_posted").await;
    bench.sim.edit(THEO, GENERAL, &root, "hello again").unwrap();
    let updated = bench.app.event("team_chat.channel_message_updated").await;
    bench.sim.react(IMANI, GENERAL, &root, "👍").unwrap();
    let reaction = bench.app.event("team_chat.channel_reaction_added").await;
    bench.sim.reply(IMANI, GENERAL, &root, "reply").unwrap();
    let reply = bench.app.events(2, "team_chat.channel_message_posted").await.remove(1);
    bench.sim.post(IMANI, LAUNCH, "@Theo Lindqvist look").unwrap();
    let mention = bench.app.events(3, "team_chat.channel_message_posted").await.remove(2);
    bench.sim.post(IMANI, LAUNCH, "**bold** [x](https://example.com)\n> quote").unwrap();
    let rich = bench.app.events(4, "team_chat.channel_message_posted").await.remove(3);
    bench.sim.post(SOLVEIG, SHARED, "hi").unwrap();
    let stranger = bench.app.events(5, "team_chat.channel_message_posted").await.remove(4);
    bench.sim.delete(THEO, GENERAL, &root).unwrap();
    let deleted = bench.app.event("team_chat.channel_message_deleted").await;
    let direct = bench.sim.open_direct(THEO, IMANI).unwrap();
    let private = bench.sim.post(THEO, &direct, "psst").unwrap();
    let dm = bench.app.event("team_chat.dm_message_posted").await;
    bench.sim.delete(THEO, &direct, &private).unwrap();
    let dm_deleted = bench.app.event("team_chat.dm_message_deleted").await;
    bench.sim.command(THEO, GENERAL, "/dragoman hi");
    let files: [(&str, &Value, bool); 11] = [
        ("webhooks-derived/channel_message_posted.plain.json", &plain, true),
        ("webhooks-derived/channel_message_updated.json", &updated, true),
        ("webhooks-derived/channel_reaction_added.unicode.json", &reaction, true),
        ("webhooks-derived/channel_message_posted.thread_reply.json", &reply, true),
        ("webhooks-derived/channel_message_posted.mention.json", &mention, true),
        ("webhooks-derived/channel_message_posted.rich_text.json", &rich, true),
        ("webhooks-derived/channel_message_posted.external_user.json", &stranger, true),
        ("webhooks-derived/channel_message_deleted.json", &deleted, true),
        ("webhooks-derived/dm_message_posted.plain.json", &dm, true),
        ("webhooks-derived/dm_message_deleted.json", &dm_deleted, true),
        ("webhooks/team_chat.channel_message_posted.json", &mention, false),
    ];
    for (file, ours, whole) in files {
        if let Some(sample) = sample(file) {
            compare(file, &sample, ours, whole);
        }
    }
    bench.done().await;
}

#[tokio::test]
async fn room_events_have_the_members_of_the_samples() {
    let mut config = config();
    config.apps[0].subscriptions[0].events.push("team_chat.channel_app_added".to_owned());
    let bench = Bench::with(config).await;
    let room = bench.sim.create_channel(THEO, "New", false).unwrap();
    bench.sim.join(IMANI, &room, Some(THEO)).unwrap();
    bench.sim.join(RUI, &room, None).unwrap();
    bench.sim.leave(RUI, &room, None).unwrap();
    bench.sim.rename(THEO, &room, "Newer").unwrap();
    bench.sim.set_bot(THEO, &room, APP, true).unwrap();
    bench.sim.archive(THEO, &room, true).unwrap();
    bench.sim.archive(THEO, &room, false).unwrap();
    let direct = bench.sim.open_direct(THEO, IMANI).unwrap();
    let message = bench.sim.post(THEO, &direct, "x").unwrap();
    bench.sim.react(IMANI, &direct, &message, "👍").unwrap();
    bench.sim.delete_channel(THEO, &room).unwrap();
    bench.sim.deauthorize(APP, THEO);
    for name in [
        "chat_channel.created",
        "chat_channel.member_invited",
        "chat_channel.member_joined",
        "chat_channel.member_left",
        "chat_channel.updated",
        "chat_channel.deleted",
        "team_chat.channel_app_added",
        "team_chat.channel_archived",
        "team_chat.channel_unarchived",
        "team_chat.dm_reaction_added",
        "app_deauthorized",
    ] {
        let event = bench.app.event(name).await;
        if let Some(mut sample) = sample(&format!("webhooks/{name}.json")) {
            if name == "chat_channel.created" {
                // Zoom's own example lacks it, its type has it.
                sample["payload"]["object"]["id"] = json!("x");
            }
            compare(name, &sample, &event, true);
        }
    }
    bench.done().await;
}

#[tokio::test]
async fn answers_have_members_of_the_samples_only() {
    let mut config = config();
    config.apps[0].bot_in = vec![GENERAL.to_owned()];
    config.apps[0].scopes.push("team_chat:read:list_administrators:admin".to_owned());
    let bench = Bench::with(config).await;
    let root = bench.sim.post(THEO, GENERAL, "**root** @Imani Okoye").unwrap();
    bench.sim.react(IMANI, GENERAL, &root, "👍").unwrap();
    bench.sim.reply(IMANI, GENERAL, &root, "reply").unwrap();
    let who = format!("/chat/users/{BRIDGE}");
    for (file, path) in [
        (
            "GET.chat-users-userId-messages",
            format!("{who}/messages?to_channel={GENERAL}&include_deleted_and_edited_message=true"),
        ),
        ("GET.chat-users-userId-messages-messageId", format!("{who}/messages/{root}?to_channel={GENERAL}")),
        ("GET.chat-users-userId-channels", format!("{who}/channels")),
        ("GET.chat-users-userId-channels-channelId", format!("{who}/channels/{GENERAL}")),
        ("GET.chat-users-userId-channels-channelId-members", format!("{who}/channels/{GENERAL}/members")),
        ("GET.chat-channels", "/chat/channels".to_owned()),
        ("GET.chat-channels-channelId", format!("/chat/channels/{GENERAL}")),
        ("GET.chat-emoji", "/chat/emoji?search_key=kes".to_owned()),
        ("GET.users-userId", format!("/users/{THEO}")),
        ("GET.users", "/users".to_owned()),
    ] {
        let ours = bench.get(&path).await;
        if let Some(mut sample) = sample(&format!("responses/{file}.200.json")) {
            let body = &mut sample["body"];
            if file == "GET.chat-emoji" {
                body["total_records"] = json!(1);
            }
            if file == "GET.users" {
                let extra = json!({"language": "en-US"});
                body["users"][0].as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
            }
            compare(file, body, &ours, false);
        }
    }
    bench.done().await;
}

#[tokio::test]
async fn refusals_and_tokens_look_like_the_samples() {
    let bench = Bench::with(config().with_outsider()).await;
    let mut seen: Vec<(&str, (u16, Value))> = vec![
        ("400.validation", bench.post(json!({"message": "x".repeat(2_000), "to_channel": GENERAL})).await),
        ("404.channel", bench.post(json!({"message": "x", "to_channel": "none"})).await),
        ("404.user", bench.post(json!({"message": "x", "to_contact": "none"})).await),
        ("400.bad_json", bench.post(json!({"text": "x"})).await),
        ("401.invalid_token", bench.call_as("x", Method::GET, "/users/x", Value::Null).await),
    ];
    bench.world.clock.advance(std::time::Duration::from_hours(2));
    seen.push(("401.expired_token", bench.call(Method::GET, "/users/x", Value::Null).await));
    for (file, (status, body)) in seen {
        if let Some(sample) = sample(&format!("errors/{file}.json")) {
            assert_eq!(
                (&sample["status"], &sample["body"]["code"]),
                (&json!(status), &body["code"]),
                "{file}"
            );
            compare(file, &sample["body"], &body, true);
        }
    }
    let refreshed = bench
        .form("/oauth/token", CLIENT, &[("grant_type", "refresh_token"), ("refresh_token", REFRESH)])
        .await;
    let bot = bench.form("/oauth/token", CLIENT, &[("grant_type", "client_credentials")]).await;
    let wrong = bench.form("/oauth/token", (CLIENT.0, "x"), &[("grant_type", "client_credentials")]).await;
    let dead = bench
        .form("/oauth/token", CLIENT, &[("grant_type", "refresh_token"), ("refresh_token", REFRESH)])
        .await;
    for (file, (status, body)) in [
        ("token.refresh_token", refreshed),
        ("token.client_credentials", bot),
        ("token.error.invalid_client", wrong),
        ("token.error.invalid_grant", dead),
    ] {
        if let Some(sample) = sample(&format!("oauth/{file}.json")) {
            assert_eq!(sample["status"], status, "{file}");
            compare(file, &sample["body"], &body, true);
        }
    }
    bench.done().await;
}

#[tokio::test]
async fn sample_requests_are_understood() {
    let bench = Bench::new().await;
    let root = bench.say("root").await;
    for (file, expected) in [
        ("send.channel.plain", 201),
        ("send.channel.reply", 201),
        ("send.channel.rich_text", 201),
        ("send.channel.mention", 201),
        ("send.contact.plain", 201),
        ("update", 204),
        ("react.add", 204),
        ("react.remove", 204),
        ("mark_read", 204),
        ("list", 200),
        ("delete", 204),
    ] {
        let Some(sample) = sample(&format!("requests/{file}.json")) else { continue };
        let path = sample["path"].as_str().unwrap();
        let before = path.trim_start_matches("/v2").replace("/users/me/", &format!("/users/{BRIDGE}/"));
        // The sample's message is our root.
        let parts: Vec<&str> = before.split('/').collect();
        let path = match parts.get(5) {
            Some(id) => before.replace(id, &root),
            None => before.clone(),
        };
        let mut body = sample["body"].clone();
        let mut query = Vec::new();
        for (key, value) in sample["query"].as_object().into_iter().flatten() {
            let value = match key.as_str() {
                "to_channel" => GENERAL.to_owned(),
                "from" => "2026-09-01T00:00:00Z".to_owned(),
                "to" => "2036-09-01T00:00:00Z".to_owned(),
                _ => value.as_str().map_or_else(|| value.to_string(), str::to_owned),
            };
            query.push((key.clone(), value));
        }
        for (key, value) in
            [("to_channel", GENERAL), ("to_contact", THEO), ("reply_main_message_id", root.as_str())]
        {
            if body.get(key).is_some() {
                body[key] = json!(value);
            }
        }
        if body.get("at_items").is_some() {
            body["at_items"][0]["at_contact"] = json!(THEO);
        }
        let pairs: Vec<(&str, &str)> =
            query.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let method: Method = sample["method"].as_str().unwrap().parse().unwrap();
        let full = if pairs.is_empty() { path } else { format!("{path}?{}", encode(&pairs)) };
        let answer = bench.call(method, &full, body).await;
        assert_eq!(answer.0, expected, "{file}: {}", answer.1);
    }
    bench.done().await;
}

#[test]
fn signatures_are_those_of_the_vectors() {
    let Some(sample) = sample("signatures/vectors.json") else { return };
    for vector in sample["vectors"].as_array().unwrap() {
        let text = |key: &str| vector[key].as_str().unwrap_or_default();
        let timestamp = text("x-zm-request-timestamp").parse().unwrap();
        let made = signature(text("secret_token"), timestamp, text("body").as_bytes());
        assert_eq!(made, text("x-zm-signature"), "{}", text("name"));
    }
}
