//! The bot's feed: who is told what, when, and how often.

use std::time::Duration;

use dragoman_sim::core::{FaultKind, FaultOrder};
use dragoman_sim::teams::seed::{APP, DANA, EMRE, GENERAL, LAUNCH, LUNCH_CHAT, TEAM, TENANT};
use dragoman_sim::teams::{AppSeed, Author, Draft, Place};
use serde_json::{Value, json};

use super::harness::{Rig, general, quick};

async fn say(rig: &Rig, text: &str) -> String {
    let body = json!({"type": "message", "textFormat": "xml", "text": text});
    let path = rig.connector(&format!("v3/conversations/{GENERAL}/activities"));
    rig.post(&path, &rig.bot(), &body).await.json()["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_four_fates_of_a_message_arrive_with_one_id() {
    let rig = Rig::new().await;
    let id = rig.sim.post(DANA, GENERAL, Draft::html("<p>one</p>")).unwrap();
    let m = rig.inbox.activities(1, "message").await.remove(0);
    assert_eq!(m["id"], id);
    assert_eq!(m["text"], "one");
    assert_eq!(m["attachments"][0], json!({"contentType": "text/html", "content": "<p>one</p>"}));
    assert_eq!(m["conversation"]["id"], format!("{GENERAL};messageid={id}"));
    assert_eq!(m["from"]["aadObjectId"], DANA);
    assert_eq!(m["from"]["id"], rig.sim.bot_side_person(APP, DANA));
    assert_eq!(m["recipient"]["id"], format!("28:{APP}"));
    assert_eq!(m["serviceUrl"], rig.sim.service_url());

    rig.sim.edit(DANA, GENERAL, &id, Draft::html("<p>two</p>")).unwrap();
    let edit = rig.inbox.activities(1, "messageUpdate").await.remove(0);
    assert_eq!((&edit["id"], &edit["text"]), (&json!(id), &json!("two")));
    assert_eq!(edit["channelData"]["eventType"], "editMessage");
    rig.sim.delete(DANA, GENERAL, &id).unwrap();
    let gone = rig.inbox.activities(1, "messageDelete").await.remove(0);
    assert_eq!(gone["channelData"]["eventType"], "softDeleteMessage");
    assert!(gone["id"] == id && gone.get("text").is_none() && gone.get("attachments").is_none());
    rig.sim.undo_delete(DANA, GENERAL, &id).unwrap();
    let back = rig.inbox.activities(2, "messageUpdate").await.remove(1);
    assert_eq!(back["channelData"]["eventType"], "undeleteMessage");
    assert_eq!(back["text"], "two");
    rig.stop().await;
}

#[tokio::test]
async fn replies_name_their_root_in_the_conversation() {
    let rig = Rig::new().await;
    let root = rig.sim.post(DANA, GENERAL, Draft::text("root")).unwrap();
    let reply = rig.sim.reply(EMRE, GENERAL, &root, Draft::text("reply")).unwrap();
    let all = rig.inbox.activities(2, "message").await;
    let r = all.iter().find(|a| a["id"] == reply).unwrap();
    assert_eq!(r["conversation"]["id"], format!("{GENERAL};messageid={root}"));
    rig.stop().await;
}

#[tokio::test]
async fn without_consent_only_mentions_are_heard() {
    let mut config = quick();
    config.apps = vec![AppSeed { rsc: vec![], ..AppSeed::new(APP, "Dragoman", "s").installed_in(TEAM) }];
    let rig = Rig::with(config).await;
    rig.sim.post(DANA, GENERAL, Draft::text("unheard")).unwrap();
    let call = rig
        .sim
        .mentioning(Draft::html("<p><at id=\"0\">Dragoman</at>&nbsp;Hey</p>"), &Author::App(APP.into()));
    rig.sim.post(DANA, GENERAL, call).unwrap();
    let heard = rig.inbox.activities(1, "message").await;
    assert_eq!(heard.len(), 1);
    assert_eq!(heard[0]["text"], "<at>Dragoman</at> Hey");
    assert_eq!(heard[0]["entities"][0]["mentioned"], json!({"id": format!("28:{APP}"), "name": "Dragoman"}));
    assert!(heard[0]["attachments"][0]["content"].as_str().unwrap().contains("schema.skype.com/Mention"));
    rig.stop().await;
}

#[tokio::test]
async fn group_chats_speak_after_installation_and_personal_chats_always() {
    let rig = Rig::new().await;
    rig.sim.post(DANA, LUNCH_CHAT, Draft::text("before")).unwrap();
    rig.sim.install(APP, &Place::Chat(LUNCH_CHAT.into()), DANA);
    rig.inbox.activities(1, "installationUpdate").await;
    rig.sim.post(DANA, LUNCH_CHAT, Draft::text("after")).unwrap();
    let heard = rig.inbox.activities(1, "message").await;
    assert_eq!(heard[0]["text"], "after");
    assert_eq!(heard[0]["conversation"]["conversationType"], "groupChat");
    assert_eq!(heard[0]["conversation"]["id"], LUNCH_CHAT);
    rig.inbox.clear();

    rig.sim.install(APP, &Place::Person(EMRE.into()), EMRE);
    let chat = rig.sim.personal_chat_in_graph(APP, EMRE);
    assert_eq!(chat, format!("19:{EMRE}_{APP}@unq.gbl.spaces"));
    rig.sim.post(EMRE, &chat, Draft::text("hi bot")).unwrap();
    let heard = rig.inbox.activities(1, "message").await.remove(0);
    assert_eq!(heard["conversation"]["id"], rig.sim.personal_chat(APP, EMRE));
    assert_eq!(heard["conversation"]["conversationType"], "personal");
    assert!(heard["conversation"].get("isGroup").is_none());
    assert_eq!(heard["channelData"], json!({"tenant": {"id": TENANT}}));
    rig.stop().await;
}

#[tokio::test]
async fn bots_never_hear_themselves_but_graph_tells() {
    let rig = Rig::new().await;
    rig.subscribe(&rig.wish()).await;
    let id = say(&rig, "<b>Ana (Slack)</b><br/>hello").await;
    let item = rig.inbox.items(1).await.remove(0);
    assert_eq!(item["resourceData"]["id"], id, "one id on both sides");
    let m = rig.get(&format!("{}/{id}", general()), &rig.app()).await.json();
    assert_eq!(m["from"]["application"]["id"], APP);
    assert_eq!(m["from"]["application"]["applicationIdentityType"], "bot");
    assert!(m["from"]["user"].is_null());
    assert_eq!(m["body"]["content"], "<p><b>Ana (Slack)</b><br>hello</p>");
    // A person's message afterwards is the first that the bot hears.
    let other = rig.sim.post(DANA, GENERAL, Draft::text("person")).unwrap();
    let heard = rig.inbox.activities(1, "message").await;
    assert_eq!((heard.len(), &heard[0]["id"]), (1, &json!(other)));
    rig.stop().await;
}

#[tokio::test]
async fn delegated_posts_come_back_through_the_feed() {
    let rig = Rig::new().await;
    let body = json!({"body": {"contentType": "html", "content": "<p>as Dana</p>"}});
    let id = rig.post(&general(), &rig.writer(), &body).await.json()["id"].clone();
    let heard = rig.inbox.activities(1, "message").await;
    assert_eq!(heard[0]["id"], id);
    assert_eq!(heard[0]["from"]["aadObjectId"], DANA);
    rig.stop().await;
}

#[tokio::test]
async fn reactions_are_told_for_the_bots_own_messages_only() {
    let rig = Rig::new().await;
    let theirs = rig.sim.post(DANA, GENERAL, Draft::text("x")).unwrap();
    rig.sim.react(EMRE, GENERAL, &theirs, "👍", true).unwrap();
    let own = say(&rig, "hello").await;
    rig.sim.react(EMRE, GENERAL, &own, "👍", true).unwrap();
    let r = rig.inbox.activities(1, "messageReaction").await.remove(0);
    assert_eq!(r["reactionsAdded"], json!([{"type": "like"}]));
    assert_eq!((&r["id"], &r["replyToId"]), (&json!(own), &json!(own)));
    rig.sim.react(EMRE, GENERAL, &own, "👍", false).unwrap();
    rig.sim.react(EMRE, GENERAL, &own, "👀", true).unwrap();
    let all = rig.inbox.activities(3, "messageReaction").await;
    assert_eq!(all[1]["reactionsRemoved"], json!([{"type": "like"}]));
    assert_eq!(all[2]["reactionsAdded"], json!([{"type": "1f440_eyes"}]));
    rig.stop().await;
}

#[tokio::test]
async fn installing_tells_the_bot_twice() {
    let rig = Rig::new().await;
    rig.sim.uninstall(APP, &Place::Team(TEAM.into()), DANA);
    let removed = rig.inbox.activities(1, "installationUpdate").await.remove(0);
    assert_eq!(removed["action"], "remove");
    rig.inbox.activities(1, "conversationUpdate").await;
    rig.inbox.clear();
    rig.sim.post(DANA, GENERAL, Draft::text("unheard")).unwrap();
    rig.sim.install(APP, &Place::Team(TEAM.into()), EMRE);
    let add = rig.inbox.activities(1, "installationUpdate").await.remove(0);
    assert_eq!(add["action"], "add");
    assert_eq!(add["from"]["aadObjectId"], EMRE);
    assert_eq!(add["channelData"]["team"], json!({"aadGroupId": TEAM, "name": "Product", "id": GENERAL}));
    assert_eq!(add["channelData"]["settings"]["selectedChannel"]["id"], GENERAL);
    let update = rig.inbox.activities(1, "conversationUpdate").await.remove(0);
    assert_eq!(update["channelData"]["eventType"], "teamMemberAdded");
    assert_eq!(update["membersAdded"], json!([{"id": format!("28:{APP}")}]));
    assert!(rig.inbox.all().iter().all(|g| g.json()["type"] != "message"));
    rig.stop().await;
}

#[tokio::test]
async fn structure_changes_are_told() {
    let rig = Rig::new().await;
    rig.sim.rename_team(TEAM, DANA, "Products");
    rig.inbox.activities(1, "conversationUpdate").await;
    rig.sim.rename_channel(LAUNCH, DANA, "lift-off");
    rig.inbox.activities(2, "conversationUpdate").await;
    rig.sim.remove_channel(LAUNCH, DANA, true);
    rig.sim.remove_channel(LAUNCH, DANA, false);
    rig.inbox.activities(4, "conversationUpdate").await;
    rig.sim.remove_member(&Place::Team(TEAM.into()), DANA, EMRE);
    rig.sim.add_member(&Place::Team(TEAM.into()), DANA, EMRE);
    let all = rig.inbox.activities(6, "conversationUpdate").await;
    let mut events: Vec<&str> = all.iter().map(|a| a["channelData"]["eventType"].as_str().unwrap()).collect();
    events.sort_unstable();
    assert_eq!(
        events,
        [
            "channelDeleted",
            "channelRenamed",
            "channelRestored",
            "teamMemberAdded",
            "teamMemberRemoved",
            "teamRenamed"
        ]
    );
    let renamed = all.iter().find(|a| a["channelData"]["eventType"] == "channelRenamed").unwrap();
    assert_eq!(renamed["channelData"]["channel"], json!({"id": LAUNCH, "name": "lift-off"}));
    rig.stop().await;
}

#[tokio::test]
async fn an_unanswered_activity_comes_again_with_the_same_id() {
    let rig = Rig::new().await;
    rig.inbox.manner(|m| m.delay = Duration::from_millis(700));
    let id = rig.sim.post(DANA, GENERAL, Draft::text("x")).unwrap();
    let twice = rig.inbox.activities(2, "message").await;
    assert_eq!((&twice[0]["id"], &twice[1]["id"]), (&json!(id), &json!(id)));
    rig.stop().await;
}

#[tokio::test]
async fn a_refused_activity_is_lost_unless_the_doubt_says_otherwise() {
    let rig = Rig::new().await;
    rig.inbox.manner(|m| m.status = 500);
    rig.sim.post(DANA, GENERAL, Draft::text("lost")).unwrap();
    rig.inbox.activities(1, "message").await;
    rig.inbox.manner(|m| m.status = 200);
    rig.sim.post(DANA, GENERAL, Draft::text("kept")).unwrap();
    let all = rig.inbox.activities(2, "message").await;
    assert_eq!((all.len(), &all[1]["text"]), (2, &json!("kept")));
    rig.sim.with_config(|c| {
        c.doubts.bot_retries_refusals = true;
        c.timing.bot_deadline = 100;
    });
    rig.inbox.clear();
    rig.inbox.manner(|m| m.status = 500);
    rig.sim.post(DANA, GENERAL, Draft::text("again")).unwrap();
    let all = rig.inbox.activities(2, "message").await;
    assert_eq!(all[0]["id"], all[1]["id"]);
    rig.stop().await;
}

#[tokio::test]
async fn silence_swallows_the_feed() {
    let rig = Rig::new().await;
    let order = rig.sim.faults().add(FaultOrder::always("bot.*", FaultKind::Silence));
    rig.sim.post(DANA, GENERAL, Draft::text("swallowed")).unwrap();
    rig.sim.faults().lift(order);
    rig.sim.post(DANA, GENERAL, Draft::text("heard")).unwrap();
    let all = rig.inbox.activities(1, "message").await;
    assert_eq!((all.len(), &all[0]["text"]), (1, &json!("heard")));
    rig.stop().await;
}

#[tokio::test]
async fn requests_name_tenant_and_conversation() {
    let rig = Rig::new().await;
    rig.sim.post(DANA, GENERAL, Draft::text("x")).unwrap();
    let got = rig.inbox.wait(1, |g| g.path == "/api/messages").await.remove(0);
    assert_eq!(got.headers["x-ms-tenant-id"], TENANT);
    assert!(got.headers["x-ms-conversation-id"].to_str().unwrap().starts_with(GENERAL));
    let activity = json!({"type": "event", "name": "unheard-of", "conversation": {"id": GENERAL}, "serviceUrl": rig.sim.service_url()});
    rig.sim.send_activity(APP, &activity);
    let got: Vec<Value> = rig.inbox.activities(1, "event").await;
    assert_eq!(got[0]["name"], "unheard-of");
    rig.stop().await;
}

#[tokio::test]
async fn pressed_buttons_are_messages_without_text() {
    let rig = Rig::new().await;
    rig.sim.press_button(APP, DANA, GENERAL, &json!({"actionId": "info"}));
    let pressed = rig.inbox.activities(1, "message").await.remove(0);
    assert_eq!(pressed["value"], json!({"actionId": "info"}));
    assert!(pressed.get("text").is_none() && pressed["id"].as_str().unwrap().starts_with("f:"));
    rig.stop().await;
}

#[tokio::test]
async fn retention_deletes_what_anybody_wrote() {
    let rig = Rig::new().await;
    rig.subscribe(&rig.wish()).await;
    let id = rig.sim.post(DANA, GENERAL, Draft::text("old")).unwrap();
    rig.sim.purge(GENERAL, &id).unwrap();
    let gone = rig.inbox.activities(1, "messageDelete").await.remove(0);
    assert_eq!(gone["id"], id);
    assert_eq!(rig.inbox.items(2).await[1]["changeType"], "deleted");
    assert!(!rig.sim.message(GENERAL, &id).unwrap()["deletedDateTime"].is_null());
    rig.stop().await;
}
