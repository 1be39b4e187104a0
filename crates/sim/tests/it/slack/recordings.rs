//! Shapes against recorded and documented traffic, where the recordings are at hand.
#![expect(clippy::print_stdout, reason = "a skipped comparison says so")]

use std::path::PathBuf;

use dragoman_sim::slack::people::Post;
use http::Method;
use serde_json::{Value, json};

use super::bench::{ANA, APP, BEN, BOT, Bench, GENERAL, LAUNCH, TEAM, config};

fn sample(path: &str) -> Option<Value> {
    let root = std::env::var_os("DRAGOMAN_PAYLOADS").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/platforms"),
        PathBuf::from,
    );
    match std::fs::read(root.join("slack").join(path)) {
        Ok(bytes) => Some(serde_json::from_slice(&bytes).unwrap()),
        Err(error) => {
            assert!(std::env::var_os("CI").is_none(), "recordings are missing: {error}");
            println!("skipped: no recording of {path}");
            None
        }
    }
}

/// Every member of the recording has to be there with the same kind of value, except the named ones.
fn same_shape(at: &str, recorded: &Value, ours: &Value, absent: &[&str]) {
    match (recorded, ours) {
        (Value::Object(members), Value::Object(_)) => {
            for (key, value) in members {
                if absent.contains(&key.as_str()) {
                    continue;
                }
                let path = format!("{at}.{key}");
                assert!(ours.get(key).is_some(), "{path} is missing in {ours}");
                same_shape(&path, value, &ours[key], absent);
            }
        }
        (Value::Array(theirs), Value::Array(own)) => {
            if let (Some(theirs), Some(own)) = (theirs.first(), own.first()) {
                same_shape(&format!("{at}[0]"), theirs, own, absent);
            }
        }
        (Value::Null, _) | (_, Value::Null) => {}
        (theirs, own) => {
            assert_eq!(
                std::mem::discriminant(theirs),
                std::mem::discriminant(own),
                "{at}: {theirs} against {own}"
            );
        }
    }
}

fn check(path: &str, ours: &Value, absent: &[&str]) {
    if let Some(recorded) = sample(path) {
        same_shape(path, &recorded, ours, absent);
    }
}

#[tokio::test]
async fn events_have_the_recorded_members() {
    let mut config = config().with_enterprise();
    config.workspaces[0].in_enterprise = true;
    let bench = Bench::with(config).await;
    let sim = &bench.sim;
    let root = sim.post(ANA, GENERAL, "root").unwrap();
    let reply = sim.reply(BEN, GENERAL, &root, "reply").unwrap();
    let both = Post { text: "both", thread_ts: Some(&root), broadcast: true, ..Post::default() };
    sim.post_with(BEN, GENERAL, &both).unwrap();
    sim.edit(BEN, GENERAL, &reply, "edited").unwrap();
    sim.react(ANA, GENERAL, &reply, "eyes").unwrap();
    sim.unfurl(GENERAL, &reply, "https://a.example/x").unwrap();
    let lone = sim.post(ANA, GENERAL, "lone").unwrap();
    sim.delete(ANA, GENERAL, &lone).unwrap();
    sim.post_with(ANA, GENERAL, &Post { text: "pic", files: vec![("a.png", b"png")], ..Post::default() })
        .unwrap();
    sim.post_as_integration(GENERAL, "Robot", "beep").unwrap();
    bench.post(GENERAL, "own").await;
    let room = sim.create_channel(ANA, "room", false).unwrap();
    sim.join(&bench.bot_user(), &room, Some(ANA)).unwrap();
    sim.rename(ANA, LAUNCH, "lifted").unwrap();
    let bot = bench.bot_user();
    let direct = sim.open_direct(&[ANA, &bot]).unwrap();
    sim.post(ANA, &direct, "direct").unwrap();
    sim.change_display_name(BEN, "Benny").unwrap();
    bench.app.wait(1, |request| request.event()["type"] == "user_change").await;
    sim.uninstall(APP, TEAM);
    bench.app.wait(1, |request| request.event()["type"] == "app_uninstalled").await;
    let one = async |condition: &dyn Fn(&Value) -> bool| {
        bench.app.wait(1, |request| condition(request.event())).await.remove(0).json
    };
    let old = ["authed_users", "is_bot_user_member"];
    check(
        "events/message.2026_channel_root.json",
        &one(&|event| event["text"] == "root").await,
        &["user_id"],
    );
    check("events/message.2026_thread_reply.json", &one(&|event| event["text"] == "reply").await, &[]);
    check(
        "events/message.2026_own_app_blocks_in_thread.json",
        &one(&|event| event["text"] == "own").await,
        &["thread_ts", "parent_user_id", "blocks"],
    );
    check("events/message.2026_im.json", &one(&|event| event["text"] == "direct").await, &[]);
    check(
        "events/message.thread_broadcast.json",
        &one(&|event| event["subtype"] == "thread_broadcast").await,
        &[],
    );
    check(
        "events/message_changed.user_edit.json",
        &one(&|event| event["message"]["text"] == "edited").await,
        &[],
    );
    check(
        "events/message_deleted.2022.json",
        &one(&|event| event["subtype"] == "message_deleted").await,
        &[],
    );
    check(
        "events/message.bot_message_subtype.json",
        &one(&|event| event["subtype"] == "bot_message").await,
        &[],
    );
    check(
        "events/reaction_added.2026_on_bot_message.json",
        &one(&|event| event["type"] == "reaction_added").await,
        &[],
    );
    check(
        "events/member_joined_channel.2026_enterprise.json",
        &one(&|event| event["type"] == "member_joined_channel").await,
        &[],
    );
    check("events/channel_rename.json", &one(&|event| event["type"] == "channel_rename").await, &old);
    check("events/tokens_revoked.json", &one(&|event| event["type"] == "tokens_revoked").await, &[]);
    check("events/app_uninstalled.json", &one(&|event| event["type"] == "app_uninstalled").await, &[]);
    let pictures: Vec<String> = ["64", "80", "160", "360", "480", "720", "800", "960", "1024"]
        .iter()
        .flat_map(|size| ["", "_w", "_h"].map(|end| format!("thumb_{size}{end}")))
        .chain(["thumb_tiny", "original_w", "original_h"].map(str::to_owned))
        .collect();
    let pictures: Vec<&str> = pictures.iter().map(String::as_str).chain(old).collect();
    check("events/message.file_share.json", &one(&|event| event["subtype"] == "file_share").await, &pictures);
    check(
        "events/user_change.deactivated.json",
        &one(&|event| event["type"] == "user_change").await,
        &[
            "authed_users",
            "always_active",
            "email",
            "image_1024",
            "image_original",
            "is_custom_image",
            "guest_invited_by",
        ],
    );
    bench.done().await;
}

#[tokio::test]
async fn answers_have_the_recorded_members() {
    let bench = Bench::new().await;
    let bot = bench.sim.bot(APP, TEAM).unwrap();
    let ts = bench.sim.post(ANA, GENERAL, "hello").unwrap();
    bench.sim.react(BEN, GENERAL, &ts, "eyes").unwrap();
    check("api/auth.test.success_with_bot_token.json", &bench.form(BOT, "auth.test", &[]).await, &[]);
    check("api/bots.info.success.json", &bench.get(BOT, "bots.info", &[("bot", &bot.bot_id)]).await, &[]);
    check(
        "api/team.info.success.json",
        &bench.get(BOT, "team.info", &[]).await,
        &["enterprise_id", "enterprise_name"],
    );
    let info = bench.get(BOT, "conversations.info", &[("channel", GENERAL)]).await;
    check("api/conversations.info.success.json", &info, &["parent_conversation", "properties"]);
    let members = bench.get(BOT, "conversations.members", &[("channel", GENERAL)]).await;
    check("api/conversations.members.success.json", &members, &[]);
    let user = bench.get(BOT, "users.info", &[("user", ANA)]).await;
    check("api/users.info.success.json", &user, &["image_original", "has_2fa"]);
    let answer = bench
        .json(
            BOT,
            "chat.postMessage",
            json!({"channel": GENERAL, "text": "x", "username": "ecto1",
        "attachments": [{"text": "This is an attachment"}]}),
        )
        .await;
    check("api/chat.postMessage.success.json", &answer, &[]);
    let own = bench.post(GENERAL, "own").await;
    let answer = bench.json(BOT, "chat.update", json!({"channel": GENERAL, "ts": own, "text": "y"})).await;
    check("api/chat.update.success.json", &answer, &[]);
    let reactions = bench.get(BOT, "reactions.get", &[("channel", GENERAL), ("timestamp", &ts)]).await;
    check("api/reactions.get.success.json", &reactions, &[]);
    check("api/usergroups.list.success.json", &bench.get(BOT, "usergroups.list", &[]).await, &[]);
    let joined = bench.json(BOT, "conversations.join", json!({"channel": GENERAL})).await;
    check("api/conversations.join.success.json", &joined, &[]);
    let opened = bench.json(BOT, "conversations.open", json!({"users": ANA, "return_im": true})).await;
    let unread =
        ["no_op", "already_open", "last_read", "latest", "unread_count", "unread_count_display", "is_open"];
    check("api/conversations.open.success_with_return_im.json", &opened, &unread);
    let reserved =
        bench.form(BOT, "files.getUploadURLExternal", &[("filename", "a.txt"), ("length", "1")]).await;
    check("api/files.getUploadURLExternal.success.json", &reserved, &[]);
    bench.send(Method::POST, reserved["upload_url"].as_str().unwrap(), &[], b"x").await;
    let body = json!({"files": [{"id": reserved["file_id"], "title": "t"}], "channel_id": GENERAL});
    let done = bench.json(BOT, "files.completeUploadExternal", body).await;
    check("api/files.completeUploadExternal.success.json", &done, &[]);
    bench.done().await;
}
