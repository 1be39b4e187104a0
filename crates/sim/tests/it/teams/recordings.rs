//! Shapes against traffic recorded from the live service, where the recordings are at hand.
#![expect(clippy::print_stdout, reason = "a skipped comparison says so")]

use std::path::PathBuf;

use dragoman_sim::teams::seed::{APP, DANA, EMRE, GENERAL, TEAM};
use dragoman_sim::teams::{Author, Draft, Place};
use serde_json::{Value, json};

use super::harness::{Rig, keys};

fn sample(path: &str) -> Option<Value> {
    let root = std::env::var_os("DRAGOMAN_PAYLOADS").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/platforms"),
        PathBuf::from,
    );
    let file = root.join("teams").join(path);
    match std::fs::read(&file) {
        Ok(bytes) => Some(serde_json::from_slice(&bytes).unwrap()),
        Err(e) => {
            assert!(std::env::var_os("CI").is_none(), "recordings are missing: {e}");
            println!("skipped: no recording of {path}");
            None
        }
    }
}

/// Every member of the recording must be there with the same kind of value; more is allowed where named.
fn same_shape(at: &str, recorded: &Value, ours: &Value, absent: &[&str]) {
    match (recorded, ours) {
        (Value::Object(a), Value::Object(_)) => {
            for (k, v) in a {
                let path = format!("{at}.{k}");
                if absent.contains(&path.as_str()) {
                    continue;
                }
                assert!(ours.get(k).is_some(), "{path} is missing; ours has {:?}", keys(ours));
                same_shape(&path, v, &ours[k], absent);
            }
        }
        (Value::Array(a), Value::Array(b)) => {
            if let (Some(x), Some(y)) = (a.first(), b.first()) {
                same_shape(&format!("{at}[0]"), x, y, absent);
            }
            assert_eq!(a.is_empty(), b.is_empty(), "{at}");
        }
        (Value::Null, _) | (_, Value::Null) => {}
        (a, b) => {
            assert_eq!(std::mem::discriminant(a), std::mem::discriminant(b), "{at}: {a} against {b}");
        }
    }
}

#[tokio::test]
async fn activities_have_the_recorded_members() {
    let rig = Rig::new().await;
    let call = rig
        .sim
        .mentioning(Draft::html("<p><at id=\"0\">Dragoman</at>&nbsp;Hey</p>"), &Author::App(APP.into()));
    let root = rig.sim.post(DANA, GENERAL, call).unwrap();
    rig.inbox.activities(1, "message").await;
    rig.sim.reply(EMRE, GENERAL, &root, Draft::html("<p>test</p>")).unwrap();
    let messages = rig.inbox.activities(2, "message").await;
    let path = rig.connector(&format!("v3/conversations/{GENERAL};messageid={root}/activities"));
    let own = rig.post(&path, &rig.bot(), &json!({"type": "message", "text": "hi"})).await.json();
    rig.sim.react(DANA, GENERAL, own["id"].as_str().unwrap(), "like", true).unwrap();
    let reaction = rig.inbox.activities(1, "messageReaction").await.remove(0);
    rig.sim.uninstall(APP, &Place::Team(TEAM.into()), DANA);
    rig.inbox.activities(1, "conversationUpdate").await;
    rig.inbox.clear();
    rig.sim.install(APP, &Place::Team(TEAM.into()), DANA);
    let install = rig.inbox.activities(1, "installationUpdate").await.remove(0);
    let added = rig.inbox.activities(1, "conversationUpdate").await.remove(0);
    let personal = rig.sim.personal_chat_in_graph(APP, DANA);
    rig.sim.install(APP, &Place::Person(DANA.into()), DANA);
    rig.inbox.clear();
    let id = rig.sim.post(DANA, &personal, Draft::html("<p>x</p>")).unwrap();
    rig.sim.delete(DANA, &personal, &id).unwrap();
    let deleted = rig.inbox.activities(1, "messageDelete").await.remove(0);
    for (file, ours, absent) in [
        ("message-channel-mention-recorded.json", &messages[0], vec![]),
        ("message-channel-reply.json", &messages[1], vec![]),
        // An older id of the conversation service that no receiver needs.
        ("message-reaction-channel-recorded.json", &reaction, vec![".channelData.legacy"]),
        ("installation-update-add-team.json", &install, vec![]),
        ("conversation-update-bot-added-recorded.json", &added, vec![]),
        ("message-delete-soft.json", &deleted, vec![]),
    ] {
        if let Some(recorded) = sample(&format!("bot/activities/{file}")) {
            println!("{file}");
            same_shape("", &recorded, ours, &absent);
        }
    }
    rig.stop().await;
}

#[tokio::test]
async fn answers_to_offers_have_the_recorded_members() {
    let rig = Rig::new().await;
    rig.sim.install(APP, &Place::Person(DANA.into()), DANA);
    let chat = rig.sim.personal_chat_in_graph(APP, DANA);
    let path = rig.connector(&format!("v3/conversations/{}/activities", rig.sim.personal_chat(APP, DANA)));
    let offer = json!({"type": "message", "attachments": [{
        "contentType": "application/vnd.microsoft.teams.card.file.consent", "name": "plan.txt",
        "content": {"description": "", "sizeInBytes": 3, "acceptContext": {}, "declineContext": {}},
    }]});
    // No documentation names its tag among the members.
    for (accept, file, absent) in [
        (true, "invoke-file-consent-accept.json", vec![".value.uploadInfo.etag"]),
        (false, "invoke-file-consent-decline.json", vec![]),
    ] {
        let sent = rig.post(&path, &rig.bot(), &offer).await.json();
        let id = sent["id"].as_str().unwrap();
        rig.inbox.clear();
        if accept {
            rig.sim.accept_file(DANA, &chat, id).unwrap();
        } else {
            rig.sim.decline_file(DANA, &chat, id).unwrap();
        }
        let told = rig.inbox.activities(1, "invoke").await.remove(0);
        if let Some(recorded) = sample(&format!("bot/activities/{file}")) {
            same_shape("", &recorded, &told, &absent);
        }
    }
    rig.stop().await;
}

#[tokio::test]
async fn graph_messages_have_the_published_members() {
    let rig = Rig::new().await;
    let root = rig.sim.post(DANA, GENERAL, Draft::html("<p>x</p>")).unwrap();
    let path = rig.connector(&format!("v3/conversations/{GENERAL};messageid={root}/activities"));
    let own = rig.post(&path, &rig.bot(), &json!({"type": "message", "text": "hi"})).await.json();
    let own = rig.sim.message(GENERAL, own["id"].as_str().unwrap()).unwrap();
    if let Some(recorded) = sample("graph/messages/recorded-thread-replies.json") {
        let mut bot = recorded[4].clone();
        bot.as_object_mut().unwrap().remove("attachments");
        same_shape("", &bot, &own, &[]);
        assert_eq!(keys(&own["from"]), keys(&bot["from"]), "no member for what it is not");
    }
    let ours = rig.get(&format!("{}/{root}", super::harness::general()), &rig.app()).await.json();
    if let Some(published) = sample("graph/messages/channel-get-message-html.json") {
        same_shape("", &published["response"]["body"], &ours, &[".from.conversation"]);
    }
    rig.stop().await;
}

#[tokio::test]
async fn errors_have_the_published_members() {
    let mut config = super::harness::quick();
    config.limits.graph = true;
    config.limits.speed = 0.1;
    let rig = Rig::with(config).await;
    rig.get(&super::harness::general(), &rig.app()).await;
    let r = rig.get(&super::harness::general(), &rig.app()).await;
    if let Some(published) = sample("graph/errors/throttled-429.json") {
        same_shape("", &published["response"]["body"], &r.json(), &[]);
    }
    rig.sim.block_writes(GENERAL, true);
    let path = rig.connector(&format!("v3/conversations/{GENERAL}/activities"));
    let r = rig.post(&path, &rig.bot(), &json!({"type": "message", "text": "hi"})).await;
    if let Some(published) = sample("bot/connector/error-403-conversation-blocked.json") {
        assert_eq!(published["response"]["body"], r.json());
    }
    rig.stop().await;
}
