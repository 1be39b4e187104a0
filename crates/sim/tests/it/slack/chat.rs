//! Posting, editing, deleting and reading messages.

use dragoman_sim::slack::SlackSimConfig;
use serde_json::{Value, json};

use super::bench::{ANA, BACKSTAGE, BEN, BOT, Bench, CHLOE, GENERAL, config, error};

async fn bench_with(change: impl FnOnce(&mut SlackSimConfig)) -> Bench {
    let mut config = config();
    change(&mut config);
    Bench::with(config).await
}

#[tokio::test]
async fn customised_posts_are_bot_messages_without_user() {
    let bench = Bench::new().await;
    let body = json!({"channel": GENERAL, "text": "hello", "username": "Dana (Teams)", "icon_url": "https://a.example/d.png",
        "icon_emoji": ":ship:"});
    let answer = bench.json(BOT, "chat.postMessage", body).await;
    let message = &answer["message"];
    assert_eq!(message["subtype"], "bot_message");
    assert_eq!(message["username"], "Dana (Teams)");
    assert_eq!(message["icons"]["emoji"], ":ship:", "the emoji wins over the URL");
    assert_eq!(message["app_id"], "A07DRAGOMAN");
    assert!(message.get("user").is_none());
    bench.done().await;
}

#[tokio::test]
async fn metadata_is_whole_only_when_asked_for() {
    let bench = Bench::new().await;
    let metadata = json!({"event_type": "bridge_origin", "event_payload": {"id": "1"}});
    bench.json(BOT, "chat.postMessage", json!({"channel": GENERAL, "text": "m", "metadata": metadata})).await;
    let plain = bench.get(BOT, "conversations.history", &[("channel", GENERAL), ("limit", "1")]).await;
    assert_eq!(plain["messages"][0]["metadata"], json!({"event_type": "bridge_origin"}));
    let fields = [("channel", GENERAL), ("limit", "1"), ("include_all_metadata", "true")];
    let full = bench.get(BOT, "conversations.history", &fields).await;
    assert_eq!(full["messages"][0]["metadata"], metadata);
    let wrong = json!({"channel": GENERAL, "text": "m", "metadata": {"event_type": "x"}});
    assert_eq!(error(&bench.json(BOT, "chat.postMessage", wrong).await), "invalid_metadata_schema");
    bench.done().await;
}

#[tokio::test]
async fn stamps_are_unique_and_grow_within_a_channel() {
    let bench = Bench::new().await;
    let mut stamps = Vec::new();
    for _ in 0..50 {
        stamps.push(bench.sim.post(ANA, GENERAL, "x").unwrap());
    }
    assert!(stamps.windows(2).all(|pair| pair[0] < pair[1]));
    assert!(stamps.iter().all(|ts| ts.len() == 17 && ts.as_bytes()[10] == b'.'));
    bench.done().await;
}

#[tokio::test]
async fn texts_are_limited_as_documented() {
    let bench = Bench::new().await;
    assert_eq!(
        error(&bench.json(BOT, "chat.postMessage", json!({"channel": GENERAL, "text": ""})).await),
        "no_text"
    );
    let long = "x".repeat(40_100);
    let answer = bench.json(BOT, "chat.postMessage", json!({"channel": GENERAL, "text": long})).await;
    assert_eq!(answer["warning"], "message_truncated");
    assert_eq!(answer["message"]["text"].as_str().unwrap().len(), 40_000);
    let ts = bench.post(GENERAL, "short").await;
    let body = json!({"channel": GENERAL, "ts": ts, "text": "x".repeat(4_001)});
    assert_eq!(error(&bench.json(BOT, "chat.update", body).await), "msg_too_long");
    let both = json!({"channel": GENERAL, "text": "a", "markdown_text": "b"});
    assert_eq!(error(&bench.json(BOT, "chat.postMessage", both).await), "markdown_text_conflict");
    bench.done().await;
}

#[tokio::test]
async fn blocks_are_checked_and_get_ids() {
    let bench = Bench::new().await;
    let post = async |blocks: Value| {
        bench.json(BOT, "chat.postMessage", json!({"channel": GENERAL, "text": "t", "blocks": blocks})).await
    };
    let many: Vec<Value> = (0..51).map(|_| json!({"type": "divider"})).collect();
    assert_eq!(error(&post(json!(many)).await), "invalid_blocks");
    assert_eq!(error(&post(json!("{")).await), "invalid_blocks_format");
    let empty = json!([{"type": "rich_text", "elements": [
        {"type": "rich_text_section", "elements": [{"type": "text", "text": ""}]}]}]);
    assert_eq!(error(&post(empty).await), "invalid_blocks");
    let fine = json!([{"type": "rich_text", "elements": [
        {"type": "rich_text_section", "elements": [{"type": "text", "text": "ok"}]}]}]);
    let answer = post(fine).await;
    assert!(answer["message"]["blocks"][0]["block_id"].as_str().is_some_and(|id| !id.is_empty()));
    bench.done().await;
}

#[tokio::test]
async fn a_post_needs_a_channel_that_is_open_and_joined() {
    let bench = Bench::new().await;
    let post = async |channel: &str| {
        bench.json(BOT, "chat.postMessage", json!({"channel": channel, "text": "t"})).await
    };
    assert_eq!(error(&post("C0NOWHERE").await), "channel_not_found");
    assert_eq!(error(&post(BACKSTAGE).await), "channel_not_found", "private ones are invisible");
    let other = bench.sim.create_channel(ANA, "elsewhere", false).unwrap();
    assert_eq!(error(&post(&other).await), "not_in_channel");
    bench.sim.archive(ANA, super::bench::LAUNCH, true).unwrap();
    assert_eq!(error(&post(super::bench::LAUNCH).await), "is_archived");
    bench.done().await;
}

#[tokio::test]
async fn a_user_id_as_channel_opens_the_direct_conversation() {
    let bench = Bench::new().await;
    let answer = bench.json(BOT, "chat.postMessage", json!({"channel": ANA, "text": "psst"})).await;
    let direct = answer["channel"].as_str().unwrap();
    assert!(direct.starts_with('D'));
    let opened = bench.form(BOT, "conversations.open", &[("users", ANA)]).await;
    assert_eq!(opened["channel"]["id"], direct);
    assert_eq!(opened["already_open"], true);
    // With another name on it, it ends with Slackbot.
    let named =
        bench.json(BOT, "chat.postMessage", json!({"channel": ANA, "text": "x", "username": "Dana"})).await;
    assert_ne!(named["channel"], direct);
    assert!(bench.sim.members(named["channel"].as_str().unwrap()).contains(&"USLACKBOT".to_owned()));
    bench.done().await;
}

#[tokio::test]
async fn threads_are_listed_parent_first_on_every_page() {
    let bench = Bench::new().await;
    let root = bench.sim.post(ANA, GENERAL, "root").unwrap();
    for index in 0..5 {
        bench.sim.reply(BEN, GENERAL, &root, &format!("reply {index}")).unwrap();
    }
    let body = json!({"channel": GENERAL, "text": "also here", "thread_ts": root, "reply_broadcast": true});
    let broadcast = bench.json(BOT, "chat.postMessage", body).await;
    assert_eq!(broadcast["message"]["subtype"], "thread_broadcast");
    assert_eq!(broadcast["message"]["root"]["text"], "root");
    let mut cursor = String::new();
    let mut texts = Vec::new();
    loop {
        let fields = [("channel", GENERAL), ("ts", root.as_str()), ("limit", "2"), ("cursor", &cursor)];
        let page = bench.form(BOT, "conversations.replies", &fields).await;
        let messages = page["messages"].as_array().unwrap();
        assert_eq!(messages[0]["ts"], root.as_str());
        assert_eq!(messages[0]["reply_count"], 6);
        texts.extend(messages[1..].iter().map(|message| message["text"].as_str().unwrap().to_owned()));
        if page["has_more"] == false {
            break;
        }
        cursor = page["response_metadata"]["next_cursor"].as_str().unwrap().to_owned();
    }
    assert_eq!(texts, ["reply 0", "reply 1", "reply 2", "reply 3", "reply 4", "also here"]);
    let history = bench.get(BOT, "conversations.history", &[("channel", GENERAL)]).await;
    let top: Vec<&str> =
        history["messages"].as_array().unwrap().iter().map(|m| m["text"].as_str().unwrap()).collect();
    assert_eq!(top, ["also here", "root"], "newest first, no replies but broadcasts");
    let missing = [("channel", GENERAL), ("ts", "1111111111.000000")];
    assert_eq!(error(&bench.form(BOT, "conversations.replies", &missing).await), "thread_not_found");
    bench.done().await;
}

#[tokio::test]
async fn history_takes_ranges_and_pages() {
    let bench = Bench::new().await;
    let stamps: Vec<String> =
        (0..10).map(|index| bench.sim.post(ANA, GENERAL, &format!("m{index}")).unwrap()).collect();
    let read = async |fields: &[(&str, &str)]| {
        let mut all = vec![("channel", GENERAL)];
        all.extend_from_slice(fields);
        let answer = bench.get(BOT, "conversations.history", &all).await;
        answer["messages"]
            .as_array()
            .unwrap()
            .iter()
            .map(|m| m["text"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(read(&[("oldest", &stamps[7])]).await, ["m9", "m8"]);
    assert_eq!(read(&[("oldest", &stamps[7]), ("inclusive", "true")]).await, ["m9", "m8", "m7"]);
    let one = [("oldest", stamps[3].as_str()), ("latest", &stamps[3]), ("inclusive", "1"), ("limit", "1")];
    assert_eq!(read(&one).await, ["m3"]);
    let page = bench.get(BOT, "conversations.history", &[("channel", GENERAL), ("limit", "4")]).await;
    assert_eq!(page["has_more"], true);
    let cursor = page["response_metadata"]["next_cursor"].as_str().unwrap();
    assert_eq!(read(&[("limit", "4"), ("cursor", cursor)]).await, ["m5", "m4", "m3", "m2"]);
    let other = bench.sim.create_channel(ANA, "quiet", false).unwrap();
    assert_eq!(
        error(&bench.get(BOT, "conversations.history", &[("channel", &other)]).await),
        "not_in_channel"
    );
    bench.done().await;
}

#[tokio::test]
async fn only_own_messages_can_be_changed_or_deleted() {
    let bench = Bench::new().await;
    let theirs = bench.sim.post(BEN, GENERAL, "mine").unwrap();
    let body = json!({"channel": GENERAL, "ts": theirs, "text": "yours"});
    assert_eq!(error(&bench.json(BOT, "chat.update", body.clone()).await), "cant_update_message");
    assert_eq!(error(&bench.json(BOT, "chat.delete", body.clone()).await), "cant_delete_message");
    assert_eq!(
        bench
            .form(
                "xoxp-client-ben.okafor",
                "chat.update",
                &[("channel", GENERAL), ("ts", &theirs), ("text", "better")]
            )
            .await["ok"],
        true
    );
    assert_eq!(
        error(
            &bench
                .form("xoxp-client-chloe.martin", "chat.delete", &[("channel", GENERAL), ("ts", &theirs)])
                .await
        ),
        "cant_delete_message"
    );
    assert_eq!(
        bench.form("xoxp-client-ana.souza", "chat.delete", &[("channel", GENERAL), ("ts", &theirs)]).await["ok"],
        true,
        "Ana administers the workspace"
    );
    assert_eq!(error(&bench.json(BOT, "chat.delete", body).await), "message_not_found");
    bench.done().await;
}

#[tokio::test]
async fn updates_keep_or_drop_blocks_attachments_and_metadata() {
    let bench = Bench::new().await;
    let metadata = json!({"event_type": "e", "event_payload": {}});
    let body = json!({"channel": GENERAL, "text": "t", "blocks": [{"type": "divider"}],
        "attachments": [{"text": "a"}], "metadata": metadata, "username": "Dana"});
    let ts = bench.json(BOT, "chat.postMessage", body).await["ts"].as_str().unwrap().to_owned();
    let update = async |mut body: Value| {
        body["channel"] = json!(GENERAL);
        body["ts"] = json!(ts);
        bench.json(BOT, "chat.update", body).await["message"].clone()
    };
    let message = update(json!({"attachments": []})).await;
    assert_eq!(message["blocks"][0]["type"], "divider", "with neither text nor blocks, blocks stay");
    assert!(message.get("attachments").is_none());
    assert_eq!(message["metadata"], metadata);
    let message = update(json!({"text": "new", "metadata": {}})).await;
    assert_eq!(message["blocks"][0]["type"], "rich_text", "text alone drops the old blocks");
    assert!(message.get("metadata").is_none());
    assert_eq!(message["username"], "Dana");
    assert!(message["edited"]["ts"].is_string());
    bench.done().await;
}

#[tokio::test]
async fn an_update_may_lose_the_customised_name() {
    let bench = bench_with(|config| config.doubts.update_keeps_identity = false).await;
    let body = json!({"channel": GENERAL, "text": "t", "username": "Dana"});
    let ts = bench.json(BOT, "chat.postMessage", body).await["ts"].clone();
    let answer = bench.json(BOT, "chat.update", json!({"channel": GENERAL, "ts": ts, "text": "u"})).await;
    assert!(answer["message"].get("username").is_none());
    assert_eq!(answer["message"]["user"], bench.bot_user().as_str());
    bench.done().await;
}

#[tokio::test]
async fn replies_to_nothing_are_refused_or_orphans() {
    let body = json!({"channel": GENERAL, "text": "t", "thread_ts": "1111111111.000000"});
    let bench = Bench::new().await;
    assert_eq!(error(&bench.json(BOT, "chat.postMessage", body.clone()).await), "thread_not_found");
    bench.done().await;
    let bench = bench_with(|config| config.doubts.orphan_replies = true).await;
    assert_eq!(bench.json(BOT, "chat.postMessage", body).await["ok"], true);
    bench.done().await;
}

#[tokio::test]
async fn client_msg_id_may_make_posts_idempotent() {
    let body =
        json!({"channel": GENERAL, "text": "t", "client_msg_id": "b2f9a6c0-0000-4000-8000-000000000001"});
    let bench = bench_with(|config| config.doubts.client_msg_id_dedupes = true).await;
    let first = bench.json(BOT, "chat.postMessage", body.clone()).await;
    let second = bench.json(BOT, "chat.postMessage", body.clone()).await;
    assert_eq!((first["ts"].clone(), &second["is_duplicate"]), (second["ts"].clone(), &json!(true)));
    bench.done().await;
    let bench = Bench::new().await;
    let first = bench.json(BOT, "chat.postMessage", body.clone()).await;
    assert_ne!(first["ts"], bench.json(BOT, "chat.postMessage", body).await["ts"]);
    bench.done().await;
}

#[tokio::test]
async fn reactions_belong_to_the_token_once_each() {
    let bench = Bench::new().await;
    let ts = bench.sim.post(ANA, GENERAL, "nice?").unwrap();
    let react = async |method: &str, name: &str| {
        bench.json(BOT, method, json!({"channel": GENERAL, "timestamp": ts, "name": name})).await
    };
    assert_eq!(react("reactions.add", "+1").await["ok"], true);
    assert_eq!(error(&react("reactions.add", "+1").await), "already_reacted");
    assert_eq!(react("reactions.add", "wave::skin-tone-3").await["ok"], true);
    assert_eq!(error(&react("reactions.add", "no_such_thing").await), "invalid_name");
    assert_eq!(react("reactions.add", "harbor").await["ok"], true, "custom emoji count");
    assert_eq!(error(&react("reactions.remove", "wave").await), "no_reaction", "the tone has to be named");
    let answer =
        bench.get(BOT, "reactions.get", &[("channel", GENERAL), ("timestamp", &ts), ("full", "true")]).await;
    assert_eq!(
        answer["message"]["reactions"][0],
        json!({"name": "+1", "users": [bench.bot_user()], "count": 1})
    );
    bench.done().await;
}

#[tokio::test]
async fn too_many_emoji_on_a_message() {
    let bench = bench_with(|config| {
        config.doubts.emoji_per_message = 2;
        config.doubts.reactions_per_person = 1;
    })
    .await;
    let ts = bench.sim.post(ANA, GENERAL, "x").unwrap();
    bench.sim.react(ANA, GENERAL, &ts, "+1").unwrap();
    assert_eq!(bench.sim.react(ANA, GENERAL, &ts, "eyes").unwrap_err().code, "too_many_reactions");
    bench.sim.react(BEN, GENERAL, &ts, "eyes").unwrap();
    assert_eq!(bench.sim.react(CHLOE, GENERAL, &ts, "tada").unwrap_err().code, "too_many_emoji");
    bench.done().await;
}

#[tokio::test]
async fn ephemeral_notes_leave_no_trace() {
    let bench = Bench::new().await;
    let body = json!({"channel": GENERAL, "user": ANA, "text": "only you"});
    assert!(bench.json(BOT, "chat.postEphemeral", body).await["message_ts"].is_string());
    let body = json!({"channel": GENERAL, "user": "U0NOBODY", "text": "x"});
    assert_eq!(error(&bench.json(BOT, "chat.postEphemeral", body).await), "user_not_in_channel");
    assert!(bench.sim.messages(GENERAL).is_empty());
    assert_eq!(bench.sim.whispers(ANA, GENERAL), ["only you"]);
    assert!(bench.sim.whispers(BEN, GENERAL).is_empty());
    bench.done().await;
}

#[tokio::test]
async fn permalinks_name_the_thread() {
    let bench = Bench::new().await;
    let root = bench.sim.post(ANA, GENERAL, "root").unwrap();
    let reply = bench.sim.reply(BEN, GENERAL, &root, "reply").unwrap();
    let link = async |ts: &str| {
        bench.get(BOT, "chat.getPermalink", &[("channel", GENERAL), ("message_ts", ts)]).await["permalink"]
            .clone()
    };
    assert_eq!(
        link(&root).await,
        format!("https://harbor-works.slack.com/archives/{GENERAL}/p{}", root.replace('.', ""))
    );
    assert!(link(&reply).await.as_str().unwrap().ends_with(&format!("?thread_ts={root}&cid={GENERAL}")));
    bench.done().await;
}
