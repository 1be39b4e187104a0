//! What events say, and who hears of them.

use dragoman_sim::zoom::{AppKind, OLD_MESSAGE_EVENTS};
use http::Method;
use serde_json::{Value, json};

use super::bench::*;

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().map(|object| object.keys().map(String::as_str).collect()).unwrap_or_default()
}

fn hears_old(mut config: dragoman_sim::zoom::ZoomSimConfig) -> dragoman_sim::zoom::ZoomSimConfig {
    let events = &mut config.apps[0].subscriptions[0].events;
    events.extend(OLD_MESSAGE_EVENTS.map(str::to_owned));
    config
}

#[tokio::test]
async fn channel_messages_raise_the_new_family() {
    let bench = Bench::new().await;
    let id = bench.sim.post(THEO, GENERAL, "hello").unwrap();
    let event = bench.app.event("team_chat.channel_message_posted").await;
    let payload = &event["payload"];
    assert_eq!(payload["account_id"], KESTREL);
    assert_eq!((&payload["operator_id"], &payload["by_external_user"]), (&json!(THEO), &json!(false)));
    assert_eq!(payload["operator"], "theo.lindqvist@kestrel-outfitters.example");
    assert!(payload["operator_member_id"].as_str().unwrap().len() > 40);
    let object = &payload["object"];
    assert_eq!((&object["message_id"], &object["message"]), (&json!(id), &json!("hello")));
    assert_eq!((&object["channel_id"], &object["channel_name"]), (&json!(GENERAL), &json!("General")));
    assert_eq!(object["channel_owner_account_id"], KESTREL);
    assert!(object["timestamp"].is_i64() && object["date_time"].as_str().unwrap().ends_with('Z'));
    assert!(object.get("reply_main_message_id").is_none() && object.get("files").is_none());
    // Nowhere a name.
    assert!(!event.to_string().contains("Lindqvist\""));
    bench.sim.edit(THEO, GENERAL, &id, "hello again").unwrap();
    let event = bench.app.event("team_chat.channel_message_updated").await;
    assert_eq!(event["payload"]["object"]["message"], "hello again");
    bench.sim.delete(THEO, GENERAL, &id).unwrap();
    let event = bench.app.event("team_chat.channel_message_deleted").await;
    assert_eq!(
        keys(&event["payload"]["object"]),
        ["channel_id", "channel_name", "channel_owner_account_id", "date_time", "message_id", "timestamp"]
    );
    bench.done().await;
}

#[tokio::test]
async fn replies_name_their_root() {
    let bench = Bench::new().await;
    let root = bench.sim.post(THEO, GENERAL, "root").unwrap();
    bench.sim.reply(IMANI, GENERAL, &root, "reply").unwrap();
    let events = bench.app.events(2, "team_chat.channel_message_posted").await;
    let reply = events.iter().find(|event| event["payload"]["operator_id"] == IMANI).unwrap();
    assert_eq!(reply["payload"]["object"]["reply_main_message_id"], root);
    bench.done().await;
}

#[tokio::test]
async fn direct_messages_name_the_other_side() {
    let bench = Bench::new().await;
    let direct = bench.sim.open_direct(THEO, IMANI).unwrap();
    let id = bench.sim.post(THEO, &direct, "hi @Imani Okoye").unwrap();
    let event = bench.app.event("team_chat.dm_message_posted").await;
    let object = &event["payload"]["object"];
    assert_eq!(object["contact_id"], IMANI);
    assert_eq!(object["contact_email"], "imani.okoye@kestrel-outfitters.example");
    assert_eq!(object["contact_account_id"], KESTREL);
    let (one, two) = (THEO.to_lowercase(), IMANI.to_lowercase());
    assert_eq!(object["session_id"], if one < two { format!("{one}:{two}") } else { format!("{two}:{one}") });
    assert!(object.get("at_items").is_none(), "there are no mentions between two people");
    bench.sim.react(IMANI, &direct, &id, "🎉").unwrap();
    let event = bench.app.event("team_chat.dm_reaction_added").await;
    let object = &event["payload"]["object"];
    assert_eq!((&object["contact_id"], &object["emoji"]), (&json!(THEO), &json!("U+1f389")));
    assert!(object["emoji_time"].is_i64());
    bench.sim.delete(THEO, &direct, &id).unwrap();
    let event = bench.app.event("team_chat.dm_message_deleted").await;
    assert!(event["payload"]["object"].get("session_id").is_none());
    bench.done().await;
}

#[tokio::test]
async fn direct_examples_disagree_with_the_types() {
    let mut config = config();
    config.doubts.spaced_contact_account = true;
    config.doubts.numeric_emoji_time = false;
    let bench = Bench::with(config).await;
    let direct = bench.sim.open_direct(THEO, IMANI).unwrap();
    let id = bench.sim.post(THEO, &direct, "hi").unwrap();
    let event = bench.app.event("team_chat.dm_message_posted").await;
    assert_eq!(event["payload"]["object"]["contact_account_id "], KESTREL);
    bench.sim.react(IMANI, &direct, &id, "🎉").unwrap();
    let event = bench.app.event("team_chat.dm_reaction_added").await;
    assert!(event["payload"]["object"]["emoji_time"].is_string());
    bench.done().await;
}

#[tokio::test]
async fn strangers_come_with_empty_ids() {
    let bench = Bench::with(hears_old(config().with_outsider())).await;
    bench.sim.post(SOLVEIG, SHARED, "hi from outside").unwrap();
    let event = bench.app.event("team_chat.channel_message_posted").await;
    let payload = &event["payload"];
    assert_eq!(payload["by_external_user"], true);
    for key in ["account_id", "operator", "operator_id"] {
        assert_eq!(payload[key], "", "{key}");
    }
    let member = payload["operator_member_id"].as_str().unwrap();
    assert!(member.len() > 40);
    let list = bench.get(&format!("/chat/users/{BRIDGE}/messages?to_channel={SHARED}")).await;
    let item = &list["messages"][0];
    assert_eq!((&item["sender"], &item["sender_display_name"]), (&json!(""), &json!("Solveig Dahl")));
    assert_eq!(item["send_member_id"], member);
    let members = bench.get(&format!("/chat/users/{BRIDGE}/channels/{SHARED}/members")).await;
    let stranger =
        members["members"].as_array().unwrap().iter().find(|one| one["is_external"] == true).unwrap();
    assert_eq!(
        (&stranger["name"], &stranger["id"], &stranger["email"]),
        (&json!("Solveig Dahl"), &json!(""), &json!(""))
    );
    assert_eq!(stranger["member_id"], member);
    bench.sim.post(THEO, SHARED, "hi back").unwrap();
    bench.app.event("chat_message.sent").await;
    assert_eq!(bench.app.count("chat_message.sent"), 1, "the old family knows its own people only");
    bench.done().await;
}

#[tokio::test]
async fn the_old_family_is_poorer() {
    let bench = Bench::with(hears_old(config())).await;
    let root = bench.sim.post(THEO, GENERAL, "**root**").unwrap();
    let sent = bench.app.event("chat_message.sent").await;
    let object = &sent["payload"]["object"];
    assert_eq!((&object["id"], &object["type"]), (&json!(root), &json!("to_channel")));
    assert_eq!(object["parent_msg_id"], root, "seen on a root");
    assert!(object.get("rich_text").is_none() && object.get("contact_email").is_none());
    assert_eq!(keys(&sent["payload"]), ["account_id", "object", "operator", "operator_id"]);
    bench.sim.reply(IMANI, GENERAL, &root, "reply").unwrap();
    assert_eq!(bench.app.event("chat_message.replied").await["payload"]["object"]["parent_msg_id"], root);
    bench.sim.edit(THEO, GENERAL, &root, "changed").unwrap();
    bench.app.event("chat_message.updated").await;
    bench.sim.delete(THEO, GENERAL, &root).unwrap();
    bench.app.event("chat_message.deleted").await;
    bench.done().await;
    let mut config = hears_old(config());
    config.doubts.old_roots_have_parents = false;
    config.doubts.loose_examples = true;
    let bench = Bench::with(config).await;
    bench.sim.post(THEO, GENERAL, "root").unwrap();
    let sent = bench.app.event("chat_message.sent").await;
    assert!(sent["payload"]["object"].get("parent_msg_id").is_none());
    assert!(sent["payload"]["object"].get("contact_email").is_some());
    bench.done().await;
}

#[tokio::test]
async fn what_the_app_posts_comes_back() {
    let bench = Bench::new().await;
    let id = bench.say("mine").await;
    let event = bench.app.event("team_chat.channel_message_posted").await;
    assert_eq!(
        (&event["payload"]["object"]["message_id"], &event["payload"]["operator_id"]),
        (&json!(id), &json!(BRIDGE))
    );
    bench.done().await;
}

#[tokio::test]
async fn an_administrator_who_deletes_is_the_operator() {
    let bench = Bench::new().await;
    let id = bench.sim.post(IMANI, GENERAL, "rude").unwrap();
    bench.sim.delete_as_admin(THEO, GENERAL, &id).unwrap();
    let event = bench.app.event("team_chat.channel_message_deleted").await;
    assert_eq!(event["payload"]["operator_id"], THEO);
    bench.done().await;
}

#[tokio::test]
async fn an_account_wide_subscription_hears_conversations_without_the_bridge() {
    let bench = Bench::with(config().with_outsider()).await;
    bench.sim.post(THEO, BACKROOM, "between us").unwrap();
    let event = bench.app.event("team_chat.channel_message_posted").await;
    assert_eq!(event["payload"]["object"]["channel_id"], BACKROOM);
    bench.done().await;
}

#[tokio::test]
async fn a_user_subscription_hears_what_the_user_is_in() {
    let mut config = config();
    config.apps[0].kind = AppKind::User;
    config.apps[0].scopes = vec!["team_chat:read:user_message".to_owned()];
    config.apps[0].installed[0].user = IMANI.to_owned();
    config.apps[0].subscriptions[0].account_wide = false;
    let bench = Bench::with(config).await;
    let direct = bench.sim.open_direct(THEO, RUI).unwrap();
    bench.sim.post(THEO, &direct, "not for her").unwrap();
    bench.sim.post(THEO, GENERAL, "for all").unwrap();
    bench.app.event("team_chat.channel_message_posted").await;
    tokio::time::sleep(QUIET).await;
    assert_eq!(bench.app.count("team_chat.dm_message_posted"), 0);
    bench.done().await;
}

#[tokio::test]
async fn an_event_may_come_once_for_each_authorised_person() {
    for each in [false, true] {
        let mut config = config();
        config.apps[0].kind = AppKind::User;
        config.apps[0].scopes = vec!["team_chat:read:user_message".to_owned()];
        config.apps[0].subscriptions[0].account_wide = false;
        let mut second = config.apps[0].installed[0].clone();
        second.user = IMANI.to_owned();
        second.access_token = "second".to_owned();
        second.refresh_token = "second".to_owned();
        config.apps[0].installed.push(second);
        config.doubts.once_per_person = each;
        let bench = Bench::with(config).await;
        bench.sim.post(THEO, GENERAL, "hello").unwrap();
        let needed = if each { 2 } else { 1 };
        bench.app.events(needed, "team_chat.channel_message_posted").await;
        tokio::time::sleep(QUIET).await;
        assert_eq!(bench.app.count("team_chat.channel_message_posted"), needed);
        bench.done().await;
    }
}

#[tokio::test]
async fn events_need_their_scopes() {
    let mut config = config();
    config.apps[0].scopes.retain(|scope| scope != "team_chat:read:message_emoji:admin");
    let bench = Bench::with(config).await;
    let id = bench.sim.post(THEO, GENERAL, "hello").unwrap();
    bench.app.event("team_chat.channel_message_posted").await;
    bench.sim.react(IMANI, GENERAL, &id, "👍").unwrap();
    tokio::time::sleep(QUIET).await;
    assert_eq!(bench.app.count("team_chat.channel_reaction_added"), 0);
    bench.done().await;
}

#[tokio::test]
async fn encrypted_channels_raise_no_events() {
    let bench = Bench::new().await;
    let post = json!({"message": "x", "to_channel": LAUNCH});
    let (_, sent) = bench.post(post).await;
    bench.app.event("team_chat.channel_message_posted").await;
    bench.sim.change_state(|state| {
        state.rooms[LAUNCH].channel.as_mut().unwrap().encrypted = true;
    });
    let path = format!("/chat/users/{BRIDGE}/messages/{}?to_channel={LAUNCH}", sent["id"].as_str().unwrap());
    assert_eq!(bench.call(Method::DELETE, &path, Value::Null).await.0, 204);
    tokio::time::sleep(QUIET).await;
    assert_eq!(bench.app.count("team_chat.channel_message_deleted"), 0);
    bench.done().await;
}

#[tokio::test]
async fn range_ends_in_events_follow_their_switch() {
    for inclusive in [true, false] {
        let mut config = config();
        config.doubts.read_ends_inclusive = inclusive;
        let bench = Bench::with(config).await;
        bench.sim.post(THEO, GENERAL, "**bold** @all").unwrap();
        let event = bench.app.event("team_chat.channel_message_posted").await;
        let object = &event["payload"]["object"];
        assert_eq!(object["rich_text"][0]["end_position"], if inclusive { 3 } else { 4 });
        let at = &object["at_items"][0];
        assert_eq!((&at["at_type"], &at["at_contact"]), (&json!(2), &json!("")));
        assert_eq!(at["end_position"], if inclusive { 8 } else { 9 });
        bench.done().await;
    }
}
