//! The shapes of events.

use dragoman_sim::slack::ReplyNotice;
use dragoman_sim::slack::people::Post;
use serde_json::{Value, json};

use super::bench::{ANA, APP, BEN, BOT, Bench, CHLOE, GENERAL, LAUNCH, TEAM, config};

fn subtype(event: &Value) -> &str {
    event["subtype"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn typed_messages_carry_rich_text_and_escaped_text() {
    let bench = Bench::new().await;
    let ts = bench.sim.post(ANA, GENERAL, "*hi* @Ben Okafor <b> & 🎉").unwrap();
    let event = bench.app.event(|event| event["type"] == "message").await;
    assert_eq!(event["text"], format!("*hi* <@{BEN}> &lt;b&gt; &amp; :tada:"));
    let elements = &event["blocks"][0]["elements"][0]["elements"];
    assert_eq!(elements[0], json!({"type": "text", "text": "hi", "style": {"bold": true}}));
    assert_eq!(elements[2], json!({"type": "user", "user_id": BEN}));
    assert_eq!(elements[3]["text"], " <b> & ", "rich text is not escaped");
    assert_eq!(elements[4], json!({"type": "emoji", "name": "tada", "unicode": "1f389"}));
    assert_eq!((event["ts"].as_str(), event["event_ts"].as_str()), (Some(ts.as_str()), Some(ts.as_str())));
    assert_eq!((event["channel"].as_str(), event["channel_type"].as_str()), (Some(GENERAL), Some("channel")));
    assert!(event["client_msg_id"].is_string() && event.get("bot_id").is_none());
    assert_eq!(event["team"], TEAM);
    bench.done().await;
}

#[tokio::test]
async fn own_posts_come_back_with_app_bot_and_metadata() {
    let bench = Bench::new().await;
    let metadata = json!({"event_type": "bridge_origin", "event_payload": {"k": "v"}});
    bench
        .json(BOT, "chat.postMessage", json!({"channel": GENERAL, "text": "plain", "metadata": metadata}))
        .await;
    bench
        .json(BOT, "chat.postMessage", json!({"channel": GENERAL, "text": "named", "username": "Dana"}))
        .await;
    let bot = bench.sim.bot(APP, TEAM).unwrap();
    let plain = bench.app.event(|event| event["text"] == "plain").await;
    assert_eq!((plain["app_id"].as_str(), plain["bot_id"].as_str()), (Some(APP), Some(bot.bot_id.as_str())));
    assert_eq!(plain["user"], bot.user_id.as_str());
    assert_eq!((subtype(&plain), &plain["metadata"]), ("", &metadata));
    assert!(plain.get("client_msg_id").is_none());
    let named = bench.app.event(|event| event["text"] == "named").await;
    assert_eq!((subtype(&named), &named["username"]), ("bot_message", &json!("Dana")));
    assert!(named.get("user").is_none() && named["app_id"] == APP);
    bench.done().await;
}

#[tokio::test]
async fn posts_with_a_persons_token_carry_another_bot_id() {
    let mut config = config();
    let scopes = vec!["chat:write".to_owned()];
    config.apps[0].installed[0].user_tokens = vec![(ANA.to_owned(), "xoxp-ana".to_owned(), scopes)];
    let bench = Bench::with(config).await;
    let body = json!({"channel": GENERAL, "text": "as me", "username": "ignored"});
    bench.json("xoxp-ana", "chat.postMessage", body).await;
    let event = bench.app.event(|event| event["text"] == "as me").await;
    assert_eq!((event["user"].as_str(), event["app_id"].as_str()), (Some(ANA), Some(APP)));
    assert_ne!(event["bot_id"], bench.sim.bot(APP, TEAM).unwrap().bot_id.as_str());
    assert!(event["bot_id"].is_string() && event.get("username").is_none());
    bench.done().await;
}

#[tokio::test]
async fn other_apps_webhooks_have_no_user() {
    let bench = Bench::new().await;
    bench.sim.post_as_integration(GENERAL, "Build robot", "done").unwrap();
    let event = bench.app.event(|event| subtype(event) == "bot_message").await;
    assert!(event.get("user").is_none() && event.get("app_id").is_none());
    assert_eq!(event["username"], "Build robot");
    bench.done().await;
}

#[tokio::test]
async fn edits_show_the_whole_new_and_old_state() {
    let bench = Bench::new().await;
    let ts = bench.sim.post(ANA, GENERAL, "before").unwrap();
    bench.sim.edit(ANA, GENERAL, &ts, "after").unwrap();
    let event = bench.app.event(|event| subtype(event) == "message_changed").await;
    assert_eq!(
        (&event["message"]["text"], &event["previous_message"]["text"]),
        (&json!("after"), &json!("before"))
    );
    assert_eq!(event["message"]["ts"], ts.as_str());
    assert_ne!(event["ts"], ts.as_str(), "the outer stamp is the event's");
    assert_eq!((&event["hidden"], &event["message"]["edited"]["user"]), (&json!(true), &json!(ANA)));
    assert!(event["message"]["edited"]["ts"].as_str().unwrap().ends_with(".000000"));
    assert!(event.get("user").is_none() && event.get("text").is_none());
    bench.done().await;
}

#[tokio::test]
async fn unfurls_change_a_message_without_an_edit() {
    let bench = Bench::new().await;
    let ts = bench.sim.post(ANA, GENERAL, "see https://news.example/a").unwrap();
    bench.sim.unfurl(GENERAL, &ts, "https://news.example/a").unwrap();
    let event = bench.app.event(|event| subtype(event) == "message_changed").await;
    assert_eq!(event["message"]["attachments"][0]["from_url"], "https://news.example/a");
    assert!(event["message"].get("edited").is_none());
    assert_eq!(event["message"]["text"], event["previous_message"]["text"]);
    bench.done().await;
}

#[tokio::test]
async fn links_may_unfurl_by_themselves_unless_the_post_says_no() {
    let mut config = config();
    config.doubts.unfurls = true;
    config.timing.unfurl_delay = std::time::Duration::from_millis(20);
    let bench = Bench::with(config).await;
    let quiet = json!({"channel": GENERAL, "text": "https://a.example/quiet", "unfurl_links": false});
    bench.json(BOT, "chat.postMessage", quiet).await;
    bench.post(GENERAL, "https://a.example/loud").await;
    let event = bench.app.event(|event| subtype(event) == "message_changed").await;
    assert_eq!(event["message"]["attachments"][0]["from_url"], "https://a.example/loud");
    bench.done().await;
}

#[tokio::test]
async fn deletions_name_the_message_and_a_parent_becomes_a_tombstone() {
    let bench = Bench::new().await;
    let lone = bench.sim.post(ANA, GENERAL, "lone").unwrap();
    bench.sim.delete(ANA, GENERAL, &lone).unwrap();
    let event = bench.app.event(|event| subtype(event) == "message_deleted").await;
    assert_eq!((&event["deleted_ts"], &event["previous_message"]["text"]), (&json!(lone), &json!("lone")));
    let root = bench.sim.post(ANA, GENERAL, "root").unwrap();
    let reply = bench.sim.reply(BEN, GENERAL, &root, "reply").unwrap();
    bench.sim.delete(ANA, GENERAL, &root).unwrap();
    let event = bench.app.event(|event| event["message"]["subtype"] == "tombstone").await;
    assert_eq!(subtype(&event), "message_changed");
    assert_eq!(
        (&event["message"]["user"], &event["message"]["text"]),
        (&json!("USLACKBOT"), &json!("This message was deleted."))
    );
    bench.sim.delete(BEN, GENERAL, &reply).unwrap();
    bench.app.event(|event| event["deleted_ts"] == root.as_str()).await;
    bench.done().await;
}

#[tokio::test]
async fn replies_are_announced_at_their_parent_as_chosen() {
    for (notice, expected) in [
        (ReplyNotice::WithSubtype, Some("message_replied")),
        (ReplyNotice::WithoutSubtype, Some("")),
        (ReplyNotice::AsChange, Some("message_changed")),
        (ReplyNotice::None, None),
    ] {
        let mut config = config();
        config.doubts.reply_notice = notice;
        let bench = Bench::with(config).await;
        let root = bench.sim.post(ANA, GENERAL, "root").unwrap();
        bench.sim.reply(BEN, GENERAL, &root, "reply").unwrap();
        let reply = bench.app.event(|event| event["text"] == "reply").await;
        assert_eq!((&reply["thread_ts"], &reply["parent_user_id"]), (&json!(root), &json!(ANA)));
        if let Some(expected) = expected {
            let event = bench.app.event(|event| event["message"]["reply_count"] == 1).await;
            assert_eq!((subtype(&event), &event["hidden"]), (expected, &json!(true)));
        }
        bench.done().await;
    }
}

#[tokio::test]
async fn a_late_broadcast_is_a_change_of_the_subtype_only() {
    let bench = Bench::new().await;
    let root = bench.sim.post(ANA, GENERAL, "root").unwrap();
    let reply = bench.sim.reply(BEN, GENERAL, &root, "reply").unwrap();
    bench.sim.broadcast(BEN, GENERAL, &reply).unwrap();
    let event = bench.app.event(|event| subtype(event) == "message_changed").await;
    assert_eq!(event["message"]["subtype"], "thread_broadcast");
    assert_eq!(event["message"]["text"], event["previous_message"]["text"]);
    let post = Post { text: "both", thread_ts: Some(&root), broadcast: true, ..Post::default() };
    bench.sim.post_with(ANA, GENERAL, &post).unwrap();
    let event = bench.app.event(|event| subtype(event) == "thread_broadcast").await;
    assert_eq!(event["root"]["ts"], root.as_str());
    bench.done().await;
}

#[tokio::test]
async fn reactions_name_the_item_and_its_author() {
    let bench = Bench::new().await;
    let ts = bench.sim.post(ANA, GENERAL, "nice").unwrap();
    bench.sim.react(BEN, GENERAL, &ts, "+1::skin-tone-4").unwrap();
    bench.sim.unreact(BEN, GENERAL, &ts, "+1::skin-tone-4").unwrap();
    let added = bench.app.event(|event| event["type"] == "reaction_added").await;
    assert_eq!(added["item"], json!({"type": "message", "channel": GENERAL, "ts": ts}));
    assert_eq!(
        (&added["reaction"], &added["user"], &added["item_user"]),
        (&json!("+1::skin-tone-4"), &json!(BEN), &json!(ANA))
    );
    bench.app.event(|event| event["type"] == "reaction_removed").await;
    let named =
        bench.json(BOT, "chat.postMessage", json!({"channel": GENERAL, "text": "n", "username": "D"})).await;
    bench.sim.react(CHLOE, GENERAL, named["ts"].as_str().unwrap(), "eyes").unwrap();
    let event = bench.app.event(|event| event["reaction"] == "eyes").await;
    assert!(event.get("item_user").is_none(), "messages without a user have none");
    bench.done().await;
}

#[tokio::test]
async fn actions_are_me_messages() {
    let bench = Bench::new().await;
    bench.sim.post_me(ANA, GENERAL, "waves").unwrap();
    let event = bench.app.event(|event| subtype(event) == "me_message").await;
    assert_eq!((&event["user"], &event["text"]), (&json!(ANA), &json!("waves")));
    bench.done().await;
}

#[tokio::test]
async fn membership_is_told_by_event_and_message() {
    let bench = Bench::new().await;
    let channel = bench.sim.create_channel(ANA, "rooftop", false).unwrap();
    bench.sim.join(&bench.bot_user(), &channel, Some(ANA)).unwrap();
    let event = bench.app.event(|event| event["type"] == "member_joined_channel").await;
    assert_eq!((&event["user"], &event["inviter"]), (&json!(bench.bot_user()), &json!(ANA)));
    assert_eq!((&event["channel_type"], &event["channel"]), (&json!("C"), &json!(channel)));
    bench.app.event(|event| subtype(event) == "channel_join").await;
    bench.sim.leave(CHLOE, LAUNCH, None).unwrap();
    bench.app.event(|event| event["type"] == "member_left_channel" && event["user"] == CHLOE).await;
    bench.sim.leave(&bench.bot_user(), &channel, Some(ANA)).unwrap();
    let event = bench.app.event(|event| event["type"] == "channel_left").await;
    assert_eq!((&event["channel"], &event["actor_id"]), (&json!(channel), &json!(ANA)));
    bench.done().await;
}

#[tokio::test]
async fn channel_changes_have_the_shapes_of_the_platform() {
    let bench = Bench::new().await;
    bench.sim.rename(ANA, LAUNCH, "lift-off").unwrap();
    let event = bench.app.event(|event| event["type"] == "channel_rename").await;
    assert_eq!(
        (&event["channel"]["id"], &event["channel"]["name"]),
        (&json!(LAUNCH), &json!("lift-off")),
        "an object"
    );
    let note = bench.app.event(|event| subtype(event) == "channel_name").await;
    assert_eq!((&note["old_name"], &note["name"]), (&json!("launch"), &json!("lift-off")));
    bench.sim.set_topic(ANA, LAUNCH, "T minus 3").unwrap();
    let note = bench.app.event(|event| subtype(event) == "channel_topic").await;
    assert_eq!(note["topic"], "T minus 3");
    bench.sim.archive(ANA, LAUNCH, true).unwrap();
    let event = bench.app.event(|event| event["type"] == "channel_archive").await;
    assert_eq!((&event["channel"], &event["user"]), (&json!(LAUNCH), &json!(ANA)), "a string");
    bench.sim.archive(ANA, LAUNCH, false).unwrap();
    bench.app.event(|event| event["type"] == "channel_unarchive").await;
    bench.sim.create_channel(BEN, "brand-new", false).unwrap();
    let event = bench.app.event(|event| event["type"] == "channel_created").await;
    assert_eq!(event["channel"]["creator"], BEN);
    bench.sim.share_channel(LAUNCH, "T08TIDEWATER", true).unwrap();
    let event = bench.app.event(|event| event["type"] == "channel_shared").await;
    assert_eq!(event["connected_team_id"], "T08TIDEWATER");
    bench.sim.change_channel_id(LAUNCH, "C07MOVED").unwrap();
    let event = bench.app.event(|event| event["type"] == "channel_id_changed").await;
    assert_eq!((&event["old_channel_id"], &event["new_channel_id"]), (&json!(LAUNCH), &json!("C07MOVED")));
    bench.sim.delete_channel(ANA, "C07MOVED").unwrap();
    bench.app.event(|event| event["type"] == "channel_deleted" && event["channel"] == "C07MOVED").await;
    bench.done().await;
}

#[tokio::test]
async fn people_who_change_are_announced_whole() {
    let bench = Bench::new().await;
    bench.sim.change_display_name(ANA, "Captain Ana").unwrap();
    let event = bench.app.event(|event| event["type"] == "user_change").await;
    assert_eq!(event["user"]["profile"]["display_name"], "Captain Ana");
    bench.sim.make_guest(ANA).unwrap();
    bench.app.event(|event| event["user"]["is_restricted"] == true).await;
    bench.sim.deactivate(BEN).unwrap();
    bench.app.event(|event| event["user"]["deleted"] == true).await;
    bench.done().await;
}

#[tokio::test]
async fn direct_messages_are_seen_by_the_bot_in_them_only() {
    let bench = Bench::new().await;
    let bot = bench.bot_user();
    let with_bot = bench.sim.open_direct(&[ANA, &bot]).unwrap();
    let without = bench.sim.open_direct(&[ANA, BEN]).unwrap();
    let group = bench.sim.open_direct(&[ANA, BEN, &bot]).unwrap();
    bench.sim.post(ANA, &without, "private").unwrap();
    bench.sim.post(ANA, &with_bot, "to the bot").unwrap();
    bench.sim.post(ANA, &group, "to the group").unwrap();
    let direct = bench.app.event(|event| event["text"] == "to the bot").await;
    assert_eq!(direct["channel_type"], "im");
    let event = bench.app.event(|event| event["text"] == "to the group").await;
    assert_eq!(event["channel_type"], "mpim");
    assert!(bench.app.matching(&|request| request.event()["text"] == "private").is_empty());
    bench.done().await;
}

#[tokio::test]
async fn a_persons_token_sees_their_direct_messages() {
    let mut config = config();
    let scopes = vec!["im:history".to_owned(), "chat:write".to_owned()];
    config.apps[0].installed[0].user_tokens = vec![(ANA.to_owned(), "xoxp-ana".to_owned(), scopes)];
    let bench = Bench::with(config).await;
    let direct = bench.sim.open_direct(&[ANA, BEN]).unwrap();
    bench.sim.post(BEN, &direct, "hello you").unwrap();
    let request = bench.app.wait(1, |request| request.event()["text"] == "hello you").await.remove(0);
    assert_eq!(request.json["authorizations"][0]["is_bot"], false);
    assert_eq!(request.json["authorizations"][0]["user_id"], ANA);
    bench.done().await;
}

#[tokio::test]
async fn an_uninstalled_app_is_told_and_its_tokens_die() {
    let bench = Bench::new().await;
    let bot = bench.bot_user();
    bench.sim.uninstall(APP, TEAM);
    let revoked = bench.app.wait(1, |request| request.event()["type"] == "tokens_revoked").await.remove(0);
    assert_eq!(revoked.event()["tokens"]["bot"], json!([bot]));
    assert!(revoked.json.get("authorizations").is_none());
    bench.app.wait(1, |request| request.event()["type"] == "app_uninstalled").await;
    assert_eq!(super::bench::error(&bench.form(BOT, "auth.test", &[]).await), "account_inactive");
    bench.done().await;
}

#[tokio::test]
async fn workspace_changes_are_told_to_every_app() {
    let bench = Bench::new().await;
    bench.sim.set_emoji(TEAM, "tug", Some("https://emoji.example/tug.png")).unwrap();
    let event = bench.app.event(|event| event["type"] == "emoji_changed").await;
    assert_eq!((&event["subtype"], &event["name"]), (&json!("add"), &json!("tug")));
    bench.sim.set_emoji(TEAM, "tug", None).unwrap();
    let event = bench.app.event(|event| event["subtype"] == "remove").await;
    assert_eq!(event["names"], json!(["tug"]));
    bench.sim.set_group(TEAM, "S07NIGHT", "night-shift", &[BEN.to_owned()]).unwrap();
    let event = bench.app.event(|event| event["type"] == "subteam_created").await;
    assert_eq!(event["subteam"]["handle"], "night-shift");
    bench.sim.set_group(TEAM, "S07NIGHT", "night-shift", &[]).unwrap();
    bench.app.event(|event| event["type"] == "subteam_updated").await;
    bench.sim.rename_team(TEAM, "Harbour Works").unwrap();
    let event = bench.app.event(|event| event["type"] == "team_rename").await;
    assert_eq!(event["name"], "Harbour Works");
    bench.done().await;
}

#[tokio::test]
async fn a_mentioned_app_hears_twice() {
    let mut config = config();
    config.apps[0].bot_events.push("app_mention".to_owned());
    config.apps[0].installed[0].scopes.push("app_mentions:read".to_owned());
    let bench = Bench::with(config).await;
    let ts = bench.sim.post(ANA, GENERAL, "@Dragoman are you there?").unwrap();
    let both = bench.app.wait(2, |request| request.event()["ts"] == ts.as_str()).await;
    let mut types: Vec<&str> = both.iter().map(|request| request.event()["type"].as_str().unwrap()).collect();
    types.sort_unstable();
    assert_eq!(types, ["app_mention", "message"]);
    assert_ne!(both[0].json["event_id"], both[1].json["event_id"]);
    bench.done().await;
}
