//! The Events API over HTTP: signatures, envelope, retries, switching off.

use aws_lc_rs::hmac;
use dragoman_sim::slack::SlackSimConfig;
use serde_json::json;

use super::bench::{
    ANA, APP, BACKSTAGE, BOT, Bench, GENERAL, PATIENCE, Received, Reply, SECRET, TEAM, config,
};

fn is_message(request: &Received) -> bool {
    request.event()["type"] == "message"
}

fn signed(request: &Received) -> bool {
    let stamp = request.header("x-slack-request-timestamp").unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let mut base = format!("v0:{stamp}:").into_bytes();
    base.extend_from_slice(&request.body);
    request.header("x-slack-signature").unwrap() == format!("v0={}", hex::encode(hmac::sign(&key, &base)))
}

#[tokio::test]
async fn deliveries_are_signed_over_the_raw_bytes() {
    let bench = Bench::new().await;
    bench.sim.post(ANA, GENERAL, "olá 🚢 a/b").unwrap();
    let request = bench.app.wait(1, is_message).await.remove(0);
    assert!(signed(&request));
    let stamp: i64 = request.header("x-slack-request-timestamp").unwrap().parse().unwrap();
    assert!((bench.world.clock.seconds() - stamp).abs() < 5);
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert!(request.header("user-agent").unwrap().starts_with("Slackbot 1.0"));
    assert!(String::from_utf8_lossy(&request.body).contains(r"a\/b"), "slashes are escaped");
    bench.done().await;
}

#[tokio::test]
async fn bodies_may_escape_everything_beyond_ascii() {
    let mut config = config();
    config.doubts.ascii_json = true;
    let bench = Bench::with(config).await;
    bench.sim.post(ANA, GENERAL, "olá 🐙").unwrap();
    let request = bench.app.wait(1, is_message).await.remove(0);
    assert!(request.body.is_ascii() && signed(&request));
    assert_eq!(request.event()["text"], "olá 🐙");
    bench.done().await;
}

#[tokio::test]
async fn the_envelope_is_complete() {
    let bench = Bench::new().await;
    bench.sim.post(ANA, GENERAL, "hi").unwrap();
    let body = bench.app.wait(1, is_message).await.remove(0).json;
    assert_eq!(body["type"], "event_callback");
    assert_eq!((body["team_id"].as_str(), body["context_team_id"].as_str()), (Some(TEAM), Some(TEAM)));
    assert_eq!((body["api_app_id"].as_str(), &body["context_enterprise_id"]), (Some(APP), &json!(null)));
    assert_eq!(body["is_ext_shared_channel"], false);
    assert_eq!(
        body["authorizations"],
        json!([{"enterprise_id": null, "team_id": TEAM, "user_id": bench.bot_user(),
        "is_bot": true, "is_enterprise_install": false}])
    );
    assert!(body["event_id"].as_str().unwrap().starts_with("Ev"));
    assert!(body["event_context"].as_str().unwrap().starts_with("4-"));
    assert!(body["event_time"].is_i64() && body["token"].is_string());
    let context = body["event_context"].as_str().unwrap();
    let listed = bench
        .form(
            "xapp-1-A07DRAGOMAN-1-simulated",
            "apps.event.authorizations.list",
            &[("event_context", context)],
        )
        .await;
    assert_eq!(listed["authorizations"], body["authorizations"]);
    bench.done().await;
}

#[tokio::test]
async fn url_verification_needs_the_challenge_back() {
    let bench = Bench::new().await;
    bench.app.next(&[Reply::Challenge]);
    bench.sim.save_events_url(APP, &bench.app_url).await.unwrap();
    let request = bench.app.wait(1, |request| request.json["type"] == "url_verification").await.remove(0);
    assert!(signed(&request) && request.json.get("event").is_none());
    bench.app.next(&[Reply::Status(200)]);
    assert!(bench.sim.save_events_url(APP, &bench.app_url).await.is_err());
    bench.done().await;
}

#[tokio::test]
async fn failed_deliveries_are_retried_three_times_with_reasons() {
    let bench = Bench::new().await;
    bench.app.next(&[Reply::Status(500), Reply::Slow, Reply::Status(404)]);
    bench.sim.post(ANA, GENERAL, "hard").unwrap();
    let tries = bench.app.wait(4, is_message).await;
    let seen: Vec<_> = tries
        .iter()
        .map(|request| (request.header("x-slack-retry-num"), request.header("x-slack-retry-reason")))
        .collect();
    assert_eq!(
        seen,
        [
            (None, None),
            (Some("1"), Some("http_error")),
            (Some("2"), Some("http_timeout")),
            (Some("3"), Some("http_error")),
        ]
    );
    assert!(
        tries.iter().all(|request| request.body == tries[0].body && signed(request)),
        "same body, own signature"
    );
    bench.done().await;
}

#[tokio::test]
async fn after_three_retries_an_event_is_lost_unless_delayed_events_are_on() {
    for delayed in [false, true] {
        let mut config = config();
        config.apps[0].delayed_events = delayed;
        config.timing.delayed_retry = std::time::Duration::from_millis(20);
        let bench = Bench::with(config).await;
        bench.app.next(&vec![Reply::Status(500); 6]);
        bench.sim.post(ANA, GENERAL, "lost?").unwrap();
        let expected = if delayed { 7 } else { 4 };
        bench.app.wait(expected, is_message).await;
        bench.sim.post(ANA, GENERAL, "marker").unwrap();
        let log = bench.sim.log();
        log.wait_for(1, PATIENCE, |entry| entry.status == 200).await.unwrap();
        let all = bench.app.matching(&|request| request.event()["text"] == "lost?");
        assert_eq!(all.len(), expected);
        bench.done().await;
    }
}

#[tokio::test]
async fn no_retry_header_ends_the_retries() {
    let bench = Bench::new().await;
    bench.app.next(&[Reply::NoRetry]);
    bench.sim.post(ANA, GENERAL, "once").unwrap();
    bench.sim.log().wait_for(1, PATIENCE, |entry| entry.status == 400).await.unwrap();
    bench.sim.post(ANA, GENERAL, "next").unwrap();
    bench.app.wait(1, |request| request.event()["text"] == "next").await;
    assert_eq!(bench.app.matching(&|request| request.event()["text"] == "once").len(), 1);
    bench.done().await;
}

#[tokio::test]
async fn two_redirects_are_followed_and_no_more() {
    let bench = Bench::new().await;
    let to = || Reply::Redirect(bench.app_url.clone());
    bench.app.next(&[to(), to()]);
    bench.sim.post(ANA, GENERAL, "round").unwrap();
    bench.sim.log().wait_for(1, PATIENCE, |entry| entry.status == 200 && entry.attempt == 0).await.unwrap();
    bench.app.next(&[to(), to(), to()]);
    bench.sim.post(ANA, GENERAL, "and round").unwrap();
    let retried = bench.app.wait(1, |request| request.header("x-slack-retry-num").is_some()).await;
    assert_eq!(retried[0].header("x-slack-retry-reason"), Some("too_many_redirects"));
    bench.done().await;
}

#[tokio::test]
async fn an_unreachable_app_is_a_connection_failure() {
    let bench = Bench::new().await;
    bench.sim.set_events_url(APP, Some("http://127.0.0.1:1/none"));
    bench.sim.post(ANA, GENERAL, "void").unwrap();
    let tries = bench.sim.log().wait_for(4, PATIENCE, |entry| entry.status == 0).await.unwrap();
    assert_eq!(tries[3].detail["failure"], "connection_failed");
    bench.done().await;
}

#[tokio::test]
async fn subscriptions_are_switched_off_when_nearly_all_deliveries_fail() {
    let mut config = config();
    config.limits.disable_from = 5;
    config.timing.retries = Vec::new();
    let bench = Bench::with(config).await;
    bench.app.next(&vec![Reply::Status(500); 5]);
    for _ in 0..5 {
        bench.sim.post(ANA, GENERAL, "x").unwrap();
    }
    bench.sim.log().wait_for(5, PATIENCE, |entry| entry.status == 500).await.unwrap();
    tokio::time::timeout(PATIENCE, async {
        while !bench.sim.is_disabled(APP) {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    bench.sim.post(ANA, GENERAL, "unheard").unwrap();
    bench.app.next(&[Reply::Challenge]);
    bench.sim.save_events_url(APP, &bench.app_url).await.unwrap();
    bench.sim.post(ANA, GENERAL, "heard").unwrap();
    bench.app.wait(1, |request| request.event()["text"] == "heard").await;
    assert!(bench.app.matching(&|request| request.event()["text"] == "unheard").is_empty());
    bench.done().await;
}

#[tokio::test]
async fn too_many_events_an_hour_are_dropped_and_announced_once_a_minute() {
    let mut config = config();
    config.limits.events_per_hour = 3;
    let bench = Bench::with(config).await;
    for index in 0..8 {
        bench.sim.post(ANA, GENERAL, &format!("m{index}")).unwrap();
    }
    let notice = bench.app.wait(1, |request| request.json["type"] == "app_rate_limited").await.remove(0);
    assert!(signed(&notice) && notice.json.get("event").is_none());
    assert_eq!(notice.json["team_id"], TEAM);
    assert_eq!(notice.json["minute_rate_limited"].as_i64().unwrap() % 60, 0);
    bench.app.wait(3, is_message).await;
    bench.done().await;
}

#[tokio::test]
async fn only_conversations_of_the_bot_and_subscribed_events_are_delivered() {
    let mut config = config();
    config.apps[0].bot_events.retain(|event| event != "reaction_added");
    let bench = Bench::with(config).await;
    bench.sim.post(ANA, BACKSTAGE, "secret").unwrap();
    let ts = bench.sim.post(ANA, GENERAL, "open").unwrap();
    bench.sim.react(ANA, GENERAL, &ts, "+1").unwrap();
    bench.sim.post(ANA, GENERAL, "last").unwrap();
    bench.app.wait(1, |request| request.event()["text"] == "last").await;
    assert!(bench.app.matching(&|request| request.event()["text"] == "secret").is_empty());
    assert!(bench.app.matching(&|request| request.event()["type"] == "reaction_added").is_empty());
    bench.done().await;
}

#[tokio::test]
async fn an_own_event_can_arrive_before_the_answer() {
    let mut config = config();
    config.timing.post_answer_delay = std::time::Duration::from_millis(200);
    let bench = Bench::with(config).await;
    let (_, arrived) = tokio::join!(bench.post(GENERAL, "echo"), async {
        bench.app.wait(1, is_message).await;
        bench.sim.log().count(|entry| entry.method == "chat.postMessage")
    });
    assert_eq!(arrived, 0, "the answer was not given yet");
    bench.done().await;
}

#[tokio::test]
async fn shared_channels_name_the_foreign_team_outside_and_ours_in_context() {
    for foreign in [true, false] {
        let mut config: SlackSimConfig = config().with_slack_connect();
        config.apps[0].installed[0].member_of.push("C07SHARED".to_owned());
        config.doubts.foreign_outer_team = foreign;
        let bench = Bench::with(config).await;
        bench.sim.post("U08DARIOCONTI", "C07SHARED", "from outside").unwrap();
        let body = bench.app.wait(1, is_message).await.remove(0).json;
        assert_eq!(body["team_id"], if foreign { "T08TIDEWATER" } else { TEAM });
        assert_eq!((&body["context_team_id"], &body["is_ext_shared_channel"]), (&json!(TEAM), &json!(true)));
        assert_eq!(body["authorizations"][0]["team_id"], TEAM);
        assert_eq!(body["event"]["user_team"], "T08TIDEWATER");
        let user = bench.get(BOT, "users.info", &[("user", "U08DARIOCONTI")]).await;
        assert!(user["user"]["profile"].get("email").is_none(), "externals show no address");
        let listed = bench.get(BOT, "users.list", &[]).await;
        assert!(!listed.to_string().contains("U08DARIOCONTI"));
        bench.done().await;
    }
}

#[tokio::test]
async fn organisation_installs_have_their_own_authorisation() {
    let mut config = config().with_enterprise();
    config.apps[0].installed[0].place = "E07HARBORGRP".to_owned();
    let bench = Bench::with(config).await;
    bench.sim.post(ANA, GENERAL, "org").unwrap();
    let body = bench.app.wait(1, is_message).await.remove(0).json;
    assert_eq!(body["authorizations"][0]["team_id"], json!(null));
    assert_eq!(body["authorizations"][0]["enterprise_id"], "E07HARBORGRP");
    assert_eq!(body["authorizations"][0]["is_enterprise_install"], true);
    assert_eq!((&body["team_id"], &body["enterprise_id"]), (&json!(TEAM), &json!("E07HARBORGRP")));
    assert_eq!(super::bench::error(&bench.get(BOT, "users.list", &[]).await), "invalid_arguments");
    assert_eq!(bench.get(BOT, "users.list", &[("team_id", TEAM)]).await["ok"], true);
    bench.done().await;
}
