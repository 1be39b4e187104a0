//! What real bridges stumbled over.

use std::sync::Arc;
use std::time::Duration;

use dragoman_sim::core::World;
use dragoman_sim::slack::{SlackSim, SlackSimConfig};
use serde_json::{Value, json};

use super::bench::{ANA, APP, BOT, Bench, GENERAL, TEAM, config, error};

fn changes(bench: &Bench) -> Vec<Value> {
    bench
        .app
        .matching(&|request| request.event()["subtype"] == "message_changed")
        .iter()
        .map(|request| request.event().clone())
        .collect()
}

#[tokio::test]
async fn one_change_can_be_told_fifty_times() {
    use dragoman_sim::core::{FaultKind, FaultOrder};
    let bench = Bench::new().await;
    let ts = bench.sim.post(ANA, GENERAL, "https://a.example/x").unwrap();
    for _ in 0..49 {
        bench.sim.faults().add(FaultOrder::next(1, "message.message_changed", FaultKind::Duplicate));
    }
    bench.sim.unfurl(GENERAL, &ts, "https://a.example/x").unwrap();
    bench.app.wait(50, |request| request.event()["subtype"] == "message_changed").await;
    assert!(changes(&bench).windows(2).all(|pair| pair[0] == pair[1]));
    bench.done().await;
}

#[tokio::test]
async fn own_posts_unfurl_as_changes_of_the_app() {
    let bench = Bench::new().await;
    let ts = bench.post(GENERAL, "https://a.example/x").await;
    bench.sim.unfurl(GENERAL, &ts, "https://a.example/x").unwrap();
    let plain = bench.app.event(|event| event["ts"] == ts.as_str()).await;
    assert!(plain.get("subtype").is_none());
    let change = bench.app.event(|event| event["subtype"] == "message_changed").await;
    assert_eq!((&change["message"]["app_id"], &change["message"]["ts"]), (&json!(APP), &json!(ts)));
    assert!(change["message"].get("edited").is_none());
    bench.done().await;
}

#[tokio::test]
async fn updates_by_apps_mark_edits_as_chosen() {
    for (marks, by_bot_id) in [(false, false), (true, true)] {
        let mut config = config();
        config.doubts.blocks_update_marks_edited = marks;
        config.doubts.edited_by_bot_id = by_bot_id;
        let bench = Bench::with(config).await;
        let ts = bench.post(GENERAL, "before").await;
        let blocks = json!([{"type": "section", "text": {"type": "mrkdwn", "text": "after"}}]);
        let body = json!({"channel": GENERAL, "ts": ts, "text": "after", "blocks": blocks});
        bench.json(BOT, "chat.update", body).await;
        let change = bench.app.event(|event| event["subtype"] == "message_changed").await;
        assert_eq!(change["message"].get("edited").is_some(), marks);
        bench.json(BOT, "chat.update", json!({"channel": GENERAL, "ts": ts, "text": "again"})).await;
        let bot = bench.sim.bot(APP, TEAM).unwrap();
        let editor = if by_bot_id { bot.bot_id } else { bot.user_id };
        bench.app.event(|event| event["message"]["edited"]["user"] == editor.as_str()).await;
        bench.done().await;
    }
}

#[tokio::test]
async fn messages_may_have_no_text() {
    let bench = Bench::new().await;
    let blocks = json!([{"type": "header", "text": {"type": "plain_text", "text": "only blocks"}}]);
    bench.json(BOT, "chat.postMessage", json!({"channel": GENERAL, "blocks": blocks})).await;
    let event = bench.app.event(|event| event["blocks"][0]["type"] == "header").await;
    assert_eq!(event["text"], "");
    let attachments = json!([{"text": "only an attachment"}]);
    bench.json(BOT, "chat.postMessage", json!({"channel": GENERAL, "attachments": attachments})).await;
    let event = bench.app.event(|event| event["attachments"][0]["id"] == 1).await;
    assert_eq!((&event["text"], event.get("blocks")), (&json!(""), None));
    bench.done().await;
}

#[tokio::test]
async fn dead_tokens_say_how_they_died() {
    let mut config = config();
    let scopes = vec!["chat:write".to_owned()];
    config.apps[0].installed[0].user_tokens = vec![(ANA.to_owned(), "xoxp-ana".to_owned(), scopes)];
    let bench = Bench::with(config).await;
    assert_eq!(bench.form("xoxp-ana", "auth.test", &[]).await["ok"], true);
    bench.form("xoxp-ana", "auth.revoke", &[]).await;
    assert_eq!(error(&bench.form("xoxp-ana", "auth.test", &[]).await), "token_revoked");
    let revoked = bench.app.event(|event| event["type"] == "tokens_revoked").await;
    assert_eq!(revoked["tokens"], json!({"oauth": [ANA], "bot": []}));
    assert_eq!(bench.form(BOT, "auth.test", &[]).await["ok"], true, "the bot stays");
    bench.sim.uninstall(APP, TEAM);
    assert_eq!(error(&bench.form(BOT, "auth.test", &[]).await), "account_inactive");
    bench.done().await;
}

#[tokio::test]
async fn a_clock_that_is_off_shows_in_the_signatures() {
    let bench = Bench::new().await;
    let before = bench.world.clock.seconds();
    bench.world.clock.advance(Duration::from_secs(400));
    bench.sim.post(ANA, GENERAL, "from the future").unwrap();
    let request = bench.app.wait(1, |request| request.event()["type"] == "message").await.remove(0);
    let stamp: i64 = request.header("x-slack-request-timestamp").unwrap().parse().unwrap();
    assert!(stamp - before >= 400);
    bench.done().await;
}

#[tokio::test]
async fn equal_seeds_give_equal_worlds() {
    let make = async |seed| {
        let world: Arc<World> = World::real(seed);
        let sim = SlackSim::start(&world, SlackSimConfig::installed(BOT, &[GENERAL])).await.unwrap();
        let bot = sim.bot(APP, TEAM).unwrap();
        let channel = sim.create_channel(ANA, "seeded", false).unwrap();
        sim.shutdown().await;
        (bot.user_id, bot.bot_id, channel)
    };
    assert_eq!(make(5).await, make(5).await);
    assert_ne!(make(5).await, make(6).await);
}
