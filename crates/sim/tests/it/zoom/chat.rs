//! Sending, reading, editing, deleting, threads, reactions.

use dragoman_sim::zoom::people::Post;
use dragoman_sim::zoom::{ZoomDoubts, ZoomTiming};
use http::Method;
use serde_json::{Value, json};
use std::time::Duration;

use super::bench::*;

#[tokio::test]
async fn messages_are_sent_read_edited_and_deleted() {
    let bench = Bench::new().await;
    let id = bench.say("hello 👋").await;
    let (status, message) = bench.message(&id).await;
    assert_eq!(status, 200);
    assert_eq!(message["message"], "hello 👋");
    assert_eq!(message["sender"], "dragoman.bridge@kestrel-outfitters.example");
    assert_eq!(message["sender_display_name"], "Dragoman Bridge");
    assert_eq!(message["message_type"], "plain_text_message");
    let path = format!("/chat/users/{BRIDGE}/messages/{id}");
    let edit = bench.call(Method::PUT, &path, json!({"message": "bye", "to_channel": GENERAL})).await;
    assert_eq!(edit, (204, Value::Null));
    assert_eq!(bench.message(&id).await.1["message"], "bye");
    let gone = bench.call(Method::DELETE, &format!("{path}?to_channel={GENERAL}"), Value::Null).await;
    assert_eq!(gone, (204, Value::Null));
    assert_eq!(code(&bench.message(&id).await), (400, 300));
    let again = bench.call(Method::DELETE, &format!("{path}?to_channel={GENERAL}"), Value::Null).await;
    assert_eq!(code(&again), (400, 300));
    bench.done().await;
}

#[tokio::test]
async fn a_message_has_at_most_1024_characters() {
    let bench = Bench::new().await;
    let long = |count: usize| json!({"message": "x".repeat(count), "to_channel": GENERAL});
    assert_eq!(bench.post(long(1_024)).await.0, 201);
    let refused = bench.post(long(1_025)).await;
    assert_eq!(code(&refused), (400, 300));
    assert_eq!(refused.1["errors"][0]["field"], "message");
    // A letter outside the basic plane counts twice unless switched.
    let wide = json!({"message": "👍".repeat(513), "to_channel": GENERAL});
    assert_eq!(bench.post(wide.clone()).await.0, 400);
    assert_eq!(code(&bench.post(json!({"message": "", "to_channel": GENERAL})).await), (400, 300));
    let id = bench.say("short").await;
    let path = format!("/chat/users/{BRIDGE}/messages/{id}");
    assert_eq!(bench.call(Method::PUT, &path, long(1_025)).await.0, 400);
    bench.done().await;
    let mut config = config();
    config.doubts.utf16_positions = false;
    let bench = Bench::with(config).await;
    assert_eq!(bench.post(wide).await.0, 201);
    bench.done().await;
}

#[tokio::test]
async fn a_send_needs_somewhere_to_go() {
    let bench = Bench::new().await;
    assert_eq!(code(&bench.post(json!({"message": "x"})).await), (400, 300));
    assert_eq!(code(&bench.post(json!({"message": "x", "to_channel": "nowhere"})).await), (404, 4_130));
    assert_eq!(code(&bench.post(json!({"message": "x", "to_channel": BACKROOM})).await), (404, 4_130));
    assert_eq!(
        code(&bench.post(json!({"message": "x", "to_contact": "no@one.example"})).await),
        (404, 1_001)
    );
    for who in [THEO, "theo.lindqvist@kestrel-outfitters.example"] {
        assert_eq!(bench.post(json!({"message": "x", "to_contact": who})).await.0, 201);
    }
    bench.done().await;
}

#[tokio::test]
async fn unknown_members_give_a_misleading_refusal() {
    let bench = Bench::new().await;
    let body = json!({"message": "x", "to_channel": GENERAL, "shown_name": "Alice"});
    let refused = bench.post(body.clone()).await;
    assert_eq!(code(&refused), (400, 300));
    assert_eq!(refused.1["message"], "Request Body should be a valid JSON object.");
    let bearer = format!("Bearer {TOKEN}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let path = format!("/v2/chat/users/{BRIDGE}/messages");
    assert_eq!(bench.send(Method::POST, &path, &headers, b"{no json").await.status, 400);
    bench.done().await;
    let mut config = config();
    config.doubts.strict_bodies = false;
    let bench = Bench::with(config).await;
    assert_eq!(bench.post(body).await.0, 201);
    bench.done().await;
}

#[tokio::test]
async fn edits_take_no_formats_and_lose_those_there_were() {
    let bench = Bench::new().await;
    let bold = json!([{"start_position": 0, "end_position": 4, "format_type": "Bold", "format_attr": ""}]);
    let at = json!([{"at_type": 1, "at_contact": THEO, "start_position": 6, "end_position": 20}]);
    let body =
        json!({"message": "hello @Theo Lindqvist", "to_channel": GENERAL, "rich_text": bold, "at_items": at});
    let (_, sent) = bench.post(body).await;
    let id = sent["id"].as_str().unwrap().to_owned();
    let message = bench.message(&id).await.1;
    assert_eq!(message["rich_text"][0]["end_position"], 4);
    // In answers a mention names the user id, in events the e-mail address.
    assert_eq!(message["at_items"][0]["at_contact"], THEO);
    let event = bench.app.event("team_chat.channel_message_posted").await;
    let item = &event["payload"]["object"]["at_items"][0];
    assert_eq!(item["at_contact"], "theo.lindqvist@kestrel-outfitters.example");
    assert_eq!(item["at_contact_user_id"], THEO);
    let path = format!("/chat/users/{BRIDGE}/messages/{id}");
    let with_formats = json!({"message": "hello", "to_channel": GENERAL, "rich_text": bold});
    assert_eq!(code(&bench.call(Method::PUT, &path, with_formats).await), (400, 300));
    let (status, _) = bench
        .call(Method::PUT, &path, json!({"message": "hello @Theo Lindqvist", "to_channel": GENERAL}))
        .await;
    assert_eq!(status, 204);
    let message = bench.message(&id).await.1;
    assert!(message.get("rich_text").is_none() && message.get("at_items").is_none(), "{message}");
    let event = bench.app.event("team_chat.channel_message_updated").await;
    assert_eq!(event["payload"]["object"]["message"], "hello @Theo Lindqvist");
    assert!(event["payload"]["object"].get("rich_text").is_none());
    bench.done().await;
}

#[tokio::test]
async fn only_the_sender_edits_and_deletes() {
    let bench = Bench::new().await;
    let id = bench.sim.post(IMANI, GENERAL, "mine").unwrap();
    let path = format!("/chat/users/{BRIDGE}/messages/{id}");
    let edit = bench.call(Method::PUT, &path, json!({"message": "x", "to_channel": GENERAL})).await;
    assert_eq!(code(&edit), (400, 200));
    assert_eq!(edit.1["message"], "Only the sender of this message can make updates.");
    let gone = bench.call(Method::DELETE, &format!("{path}?to_channel={GENERAL}"), Value::Null).await;
    assert_eq!(code(&gone), (400, 200));
    let own = format!("/chat/users/{IMANI}/messages/{id}");
    assert_eq!(bench.call(Method::PUT, &own, json!({"message": "x", "to_channel": GENERAL})).await.0, 204);
    bench.done().await;
}

#[tokio::test]
async fn replies_go_to_roots_only() {
    let bench = Bench::new().await;
    let root = bench.say("root").await;
    let reply = |to: &str| json!({"message": "reply", "to_channel": GENERAL, "reply_main_message_id": to});
    let (_, sent) = bench.post(reply(&root)).await;
    let child = sent["id"].as_str().unwrap();
    assert_eq!(bench.message(child).await.1["reply_main_message_id"], root);
    let refused = bench.post(reply(child)).await;
    assert_eq!(code(&refused), (400, 5_402));
    assert_eq!(code(&bench.post(reply("00000000-0000-4000-8000-000000000000")).await), (400, 300));
    bench.done().await;
}

#[tokio::test]
async fn message_ids_are_found_in_any_spelling() {
    let bench = Bench::new().await;
    let id = bench.say("hello").await;
    assert_eq!(id, id.to_uppercase());
    assert_eq!(bench.message(&id.to_lowercase()).await.0, 200);
    assert_eq!(bench.message(&format!("%7B{id}%7D")).await.0, 200);
    bench.done().await;
    let mut config = config();
    config.doubts.lower_case_ids = true;
    let bench = Bench::with(config).await;
    let id = bench.say("hello").await;
    assert_eq!(id, id.to_lowercase());
    let event = bench.app.event("team_chat.channel_message_posted").await;
    assert_eq!(event["payload"]["object"]["message_id"], id.to_uppercase());
    bench.done().await;
}

#[tokio::test]
async fn lists_are_paged_and_cover_a_day_unless_told_otherwise() {
    let mut config = config();
    config.timing.token_life = Duration::from_hours(1_000);
    let bench = Bench::with(config).await;
    for count in 0..5 {
        bench.say(&format!("m{count}")).await;
    }
    let path = format!("/chat/users/{BRIDGE}/messages?to_channel={GENERAL}&page_size=2");
    let mut texts = Vec::new();
    let mut token = String::new();
    loop {
        let page = bench.get(&format!("{path}&next_page_token={token}")).await;
        let items = page["messages"].as_array().unwrap();
        texts.extend(items.iter().map(|item| item["message"].as_str().unwrap().to_owned()));
        token = page["next_page_token"].as_str().unwrap().to_owned();
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(texts, ["m4", "m3", "m2", "m1", "m0"]);
    let first = bench.get(&path).await["next_page_token"].as_str().unwrap().to_owned();
    bench.world.clock.advance(Duration::from_mins(16));
    let late = bench.call(Method::GET, &format!("{path}&next_page_token={first}"), Value::Null).await;
    assert_eq!(late.1["message"], "The next page token is invalid or expired.");
    bench.world.clock.advance(Duration::from_hours(48));
    assert_eq!(bench.get(&path).await["messages"], json!([]), "yesterday's are not in today's list");
    let since = format!("{path}&from=2020-01-01T00:00:00Z");
    let too_old = bench.call(Method::GET, &since, Value::Null).await;
    assert_eq!(too_old.1["message"], "Only provide past chat messages in recent 6 months.");
    let many = bench.call(Method::GET, &path.replace("page_size=2", "page_size=51"), Value::Null).await;
    assert_eq!(code(&many), (400, 300));
    bench.done().await;
}

#[tokio::test]
async fn lists_may_begin_with_the_oldest() {
    let mut config = config();
    config.doubts.newest_first = false;
    let bench = Bench::with(config).await;
    bench.say("one").await;
    bench.say("two").await;
    let page = bench.get(&format!("/chat/users/{BRIDGE}/messages?to_channel={GENERAL}")).await;
    assert_eq!(page["messages"][0]["message"], "one");
    bench.done().await;
}

#[tokio::test]
async fn lists_show_deleted_and_edited_messages_when_asked() {
    let bench = Bench::new().await;
    let edited = bench.sim.post(THEO, GENERAL, "before").unwrap();
    bench.sim.edit(THEO, GENERAL, &edited, "after").unwrap();
    let deleted = bench.sim.post(THEO, GENERAL, "gone").unwrap();
    bench.sim.delete(THEO, GENERAL, &deleted).unwrap();
    let reply = bench.sim.reply(IMANI, GENERAL, &edited, "reply").unwrap();
    let path = format!("/chat/users/{BRIDGE}/messages?to_channel={GENERAL}");
    let plain = bench.get(&path).await;
    assert_eq!(plain["messages"].as_array().unwrap().len(), 2);
    assert!(plain["messages"][0].get("status").is_none());
    let all = bench.get(&format!("{path}&include_deleted_and_edited_message=true")).await;
    let status = |id: &str| {
        let items = all["messages"].as_array().unwrap();
        items.iter().find(|item| item["id"] == id).map(|item| item["status"].clone()).unwrap()
    };
    assert_eq!(
        (status(&edited), status(&deleted), status(&reply)),
        (json!("Edited"), json!("Deleted"), json!("Normal"))
    );
    let roots = bench.get(&format!("{path}&exclude_child_message=true")).await;
    assert_eq!(roots["messages"].as_array().unwrap().len(), 1);
    let found = bench.get(&format!("{path}&search_type=message&search_key=AFTER")).await;
    assert_eq!(found["messages"].as_array().unwrap().len(), 1);
    bench.done().await;
}

#[tokio::test]
async fn threads_have_their_own_shape_and_errors() {
    let bench = Bench::new().await;
    let root = bench.sim.post(THEO, GENERAL, "root").unwrap();
    for text in ["one", "two", "three"] {
        bench.sim.reply(IMANI, GENERAL, &root, text).unwrap();
    }
    let path = format!("/chat/users/{BRIDGE}/messages/{root}/thread?to_channel={GENERAL}");
    let refused = |answer: (u16, Value)| answer.1["code"].as_u64().unwrap();
    assert_eq!(refused(bench.call(Method::GET, &path, Value::Null).await), 4_233);
    let path = format!("{path}&from=2026-01-01T00:00:00Z");
    assert_eq!(refused(bench.call(Method::GET, &format!("{path}&limit=101"), Value::Null).await), 4_231);
    assert_eq!(refused(bench.call(Method::GET, &format!("{path}&sort=up"), Value::Null).await), 4_232);
    let nowhere = path.replace(&format!("to_channel={GENERAL}&"), "");
    assert_eq!(refused(bench.call(Method::GET, &nowhere, Value::Null).await), 4_234);
    let other = path.replace(&root, "00000000-0000-4000-8000-000000000000");
    assert_eq!(refused(bench.call(Method::GET, &other, Value::Null).await), 4_131);
    let thread = bench.get(&format!("{path}&sort=asc&limit=2&need_main_message=true")).await;
    assert_eq!(thread["total"], 3);
    assert_eq!(thread["messages"][0]["msg_id"], format!("{{{root}}}"));
    assert_eq!(thread["messages"][0]["is_reply"], false);
    assert_eq!(thread["messages"][1]["message"], "one");
    assert_eq!(thread["messages"][1]["sender_user_id"], IMANI);
    bench.done().await;
}

#[tokio::test]
async fn reactions_are_added_once_and_removed() {
    let bench = Bench::new().await;
    let id = bench.sim.post(THEO, GENERAL, "nice").unwrap();
    let path = format!("/chat/users/{BRIDGE}/messages/{id}/emoji_reactions");
    let react = |action: &str| json!({"action": action, "emoji": "U+1F44D", "to_channel": GENERAL});
    for _ in 0..2 {
        assert_eq!(bench.call(Method::PATCH, &path, react("add")).await.0, 204);
    }
    let shown = &bench.message(&id).await.1["reactions"][0];
    assert_eq!((&shown["emoji"], &shown["total_count"]), (&json!("U+1F44D"), &json!(1)));
    assert_eq!(shown["user_ids"], json!([BRIDGE]));
    let event = bench.app.event("team_chat.channel_reaction_added").await;
    let object = &event["payload"]["object"];
    assert_eq!((&object["emoji"], &object["msg_id"]), (&json!("U+1f44d"), &json!(id)));
    assert!(object["emoji_time"].is_string() && object.get("message_id").is_none());
    assert_eq!(bench.call(Method::PATCH, &path, react("remove")).await.0, 204);
    bench.app.event("team_chat.channel_reaction_removed").await;
    assert_eq!(bench.app.count("team_chat.channel_reaction_added"), 1);
    let wrong = json!({"action": "add", "emoji": "thumbsup", "to_channel": GENERAL});
    assert_eq!(code(&bench.call(Method::PATCH, &path, wrong).await), (400, 300));
    bench.done().await;
}

#[tokio::test]
async fn custom_emoji_are_sent_by_file_and_come_by_name() {
    let bench = Bench::new().await;
    let id = bench.say("nice").await;
    let found = bench.get("/chat/emoji?search_key=kest").await;
    let emoji = found["emojis"][0]["file_id"].as_str().unwrap().to_owned();
    assert_eq!(code(&bench.call(Method::GET, "/chat/emoji?search_key=ke", Value::Null).await), (400, 5_333));
    let path = format!("/chat/users/{THEO}/messages/{id}/emoji_reactions");
    let body =
        json!({"action": "add", "custom_emoji": true, "custom_emoji_id": emoji, "to_channel": GENERAL});
    assert_eq!(bench.call(Method::PATCH, &path, body).await.0, 204);
    let event = bench.app.event("team_chat.channel_reaction_added").await;
    assert_eq!(event["payload"]["object"]["emoji"], "kestrel");
    bench.done().await;
}

#[tokio::test]
async fn emoji_sequences_come_as_several_codes() {
    for separator in ["", " "] {
        let mut config = config();
        config.doubts = ZoomDoubts { emoji_separator: separator, ..ZoomDoubts::default() };
        let bench = Bench::with(config).await;
        let id = bench.say("nice").await;
        bench.sim.react(THEO, GENERAL, &id, "👍🏽").unwrap();
        let event = bench.app.event("team_chat.channel_reaction_added").await;
        assert_eq!(event["payload"]["object"]["emoji"], format!("U+1f44d{separator}U+1f3fd"));
        bench.done().await;
    }
}

#[tokio::test]
async fn a_message_may_not_exist_for_a_second_after_it_was_sent() {
    let mut config = config();
    config.timing = ZoomTiming { settle: Duration::from_secs(1), ..config.timing };
    let bench = Bench::with(config).await;
    let id = bench.say("new").await;
    let path = format!("/chat/users/{BRIDGE}/messages/{id}");
    let edit = json!({"message": "x", "to_channel": GENERAL});
    let refused = bench.call(Method::PUT, &path, edit.clone()).await;
    assert_eq!(code(&refused), (400, 300));
    assert!(refused.1["message"].as_str().unwrap().contains("does not exist"));
    bench.world.clock.advance(Duration::from_secs(1));
    assert_eq!(bench.call(Method::PUT, &path, edit).await.0, 204);
    bench.done().await;
}

#[tokio::test]
async fn some_conversations_refuse_sends() {
    let mut config = config();
    config.accounts[0].channels[1].encrypted = true;
    let bench = Bench::with(config).await;
    assert_eq!(code(&bench.post(json!({"message": "x", "to_channel": LAUNCH})).await), (400, 5_419));
    bench.sim.post(THEO, LAUNCH, "secret").unwrap_err();
    bench.sim.archive(THEO, GENERAL, true).unwrap();
    assert_eq!(code(&bench.post(json!({"message": "x", "to_channel": GENERAL})).await), (400, 5_420));
    bench.sim.archive(THEO, GENERAL, false).unwrap();
    bench.sim.set_posting(THEO, GENERAL, 2).unwrap();
    assert_eq!(code(&bench.post(json!({"message": "x", "to_channel": GENERAL})).await), (400, 5_301));
    bench
        .sim
        .change_person(RUI, |person| {
            person.blocked.insert(BRIDGE.to_owned());
        })
        .unwrap();
    assert_eq!(code(&bench.post(json!({"message": "x", "to_contact": RUI})).await), (400, 5_421));
    bench.sim.change_person(BRIDGE, |person| person.chat_disabled = true).unwrap();
    assert_eq!(code(&bench.post(json!({"message": "x", "to_contact": THEO})).await), (400, 5_418));
    bench.sim.change_person(BRIDGE, |person| person.deleted = true).unwrap();
    assert_eq!(code(&bench.post(json!({"message": "x", "to_contact": THEO})).await), (404, 1_001));
    bench.done().await;
}

#[tokio::test]
async fn what_retention_removed_does_not_exist() {
    let bench = Bench::new().await;
    let id = bench.say("old").await;
    bench.app.event("team_chat.channel_message_posted").await;
    bench.sim.purge(GENERAL, &id).unwrap();
    assert_eq!(code(&bench.message(&id).await), (400, 300));
    assert_eq!(bench.app.count("team_chat.channel_message_deleted"), 0);
    bench.done().await;
}

#[tokio::test]
async fn cards_and_read_marks() {
    let bench = Bench::new().await;
    let card = json!([{"card_json": "{\"content\":{}}"}]);
    let (_, sent) =
        bench.post(json!({"message": "card", "to_channel": GENERAL, "interactive_cards": card})).await;
    let id = sent["id"].as_str().unwrap().to_owned();
    let shown = bench.message(&id).await.1;
    let card_id = shown["interactive_cards"][0]["card_id"].as_str().unwrap().to_owned();
    let path = format!("/chat/users/{BRIDGE}/messages/{id}");
    let keep = json!({"message": "card", "to_channel": GENERAL, "interactive_cards": [{"card_id": card_id}]});
    assert_eq!(bench.call(Method::PUT, &path, keep).await.0, 204);
    let unknown = json!({"message": "card", "to_channel": GENERAL, "interactive_cards": [{"card_id": "x"}]});
    assert_eq!(code(&bench.call(Method::PUT, &path, unknown).await), (400, 5_046));
    let broken = json!([{"card_json": "{"}]);
    let refused =
        bench.post(json!({"message": "x", "to_channel": GENERAL, "interactive_cards": broken})).await;
    assert_eq!(code(&refused), (400, 5_405));
    let mark = json!({"action": "unread", "timestamp": 1, "to_channel": GENERAL});
    assert_eq!(bench.call(Method::PATCH, &format!("{path}/status"), mark).await.0, 204);
    bench.done().await;
}

#[tokio::test]
async fn sessions_tell_which_conversations_had_traffic() {
    let bench = Bench::new().await;
    bench.say("hello").await;
    let direct = bench.sim.open_direct(THEO, BRIDGE).unwrap();
    bench.sim.post(THEO, &direct, "psst").unwrap();
    let all = bench.get(&format!("/chat/users/{BRIDGE}/sessions")).await;
    assert_eq!(all["sessions"].as_array().unwrap().len(), 2);
    let groups = bench.get(&format!("/chat/users/{BRIDGE}/sessions?type=groupchat")).await;
    assert_eq!(groups["sessions"][0]["channel_id"], GENERAL);
    let people = bench.get(&format!("/chat/users/{BRIDGE}/sessions?type=1:1")).await;
    assert_eq!(people["sessions"][0]["peer_contact_user_id"], THEO);
    let none = bench.get(&format!("/chat/users/{BRIDGE}/sessions?from=2099-01-01T00:00:00Z")).await;
    assert_eq!(none["sessions"], json!([]));
    bench.done().await;
}

#[tokio::test]
async fn scheduled_messages_wait_for_their_time() {
    let bench = Bench::new().await;
    let send = |time: String| {
        let body = json!({"message": "later", "to_channel": GENERAL, "scheduled_time": time});
        bench.call(Method::POST, "/chat/users/me/messages", body)
    };
    let ahead = |minutes: i64| dragoman_sim::zoom::desk::iso(bench.world.clock.millis() + minutes * 60_000);
    assert_eq!(code(&send(ahead(10)).await), (400, 300));
    let (status, sent) = send(ahead(45)).await;
    assert_eq!(status, 201);
    let refused = bench.call(Method::GET, "/chat/messages/schedule", Value::Null).await;
    assert_eq!(code(&refused), (400, 4_711), "this list is for user-managed apps");
    assert!(bench.sim.messages(GENERAL, THEO).is_empty());
    assert!(!sent["id"].as_str().unwrap().is_empty());
    bench.done().await;
}

#[tokio::test]
async fn people_type_markup_that_becomes_ranges() {
    let bench = Bench::new().await;
    let text = "**bold** and [link](https://example.com)\n> quoted\n@Imani Okoye, @all";
    let id = bench.sim.post_with(THEO, GENERAL, &Post { text, ..Post::default() }).unwrap();
    let message = bench.message(&id).await.1;
    assert_eq!(message["message"], "bold and link\nquoted\n@Imani Okoye, @all");
    let kinds: Vec<&str> = message["rich_text"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["format_type"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["Bold", "AddLink", "Quote"]);
    assert_eq!(message["rich_text"][1]["format_attr"], "https://example.com");
    assert_eq!(message["at_items"][0]["at_contact"], IMANI);
    assert_eq!(message["at_items"][1]["at_type"], 2);
    bench.done().await;
}

#[tokio::test]
async fn clients_copy_links_to_messages_of_their_channels() {
    use base64::Engine as _;
    let bench = Bench::new().await;
    let id = bench.say("over here").await;
    let link = bench.sim.copy_link(IMANI, GENERAL, &id).unwrap();
    let packed = link.strip_prefix("https://zoom.us/launch/chat/v2/").unwrap();
    let target = base64::engine::general_purpose::STANDARD.decode(packed).unwrap();
    let target: Value = serde_json::from_slice(&target).unwrap();
    let message = bench.message(&id).await.1;
    assert_eq!(target["sid"], format!("{GENERAL}@conference.xmpp.zoom.us"));
    assert_eq!(target["mid"], message["id"]);
    assert_eq!(target["time"], message["timestamp"]);
    assert!(bench.sim.copy_link(IMANI, GENERAL, "0A1B2C3D-0000-4000-8000-0123456789AB").is_err());
    bench.done().await;
}
