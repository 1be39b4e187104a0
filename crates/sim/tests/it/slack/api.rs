//! Calling the Web API: arguments, tokens, scopes, limits.

use std::time::Duration;

use dragoman_sim::slack::SlackLimits;
use http::Method;
use serde_json::json;

use super::bench::{ANA, APP, BACKSTAGE, BOT, Bench, GENERAL, TEAM, config, error};

#[tokio::test]
async fn arguments_come_as_form_json_query_and_multipart() {
    let bench = Bench::new().await;
    let by_json = bench.json(BOT, "chat.postMessage", json!({"channel": GENERAL, "text": "j"})).await;
    assert_eq!(by_json["ok"], true);
    let blocks = json!([{"type": "section", "text": {"type": "mrkdwn", "text": "in a form"}}]).to_string();
    let by_form = bench.form(BOT, "chat.postMessage", &[("channel", GENERAL), ("blocks", &blocks)]).await;
    assert_eq!(by_form["message"]["blocks"][0]["text"]["text"], "in a form");
    let by_query = bench.get(BOT, "conversations.info", &[("channel", GENERAL)]).await;
    assert_eq!(by_query["channel"]["name"], "general");
    let body = format!(
        "--b\r\nContent-Disposition: form-data; name=\"channel\"\r\n\r\n{GENERAL}\r\n--b\r\n\
         Content-Disposition: form-data; name=\"text\"\r\n\r\nm\r\n--b--\r\n"
    );
    let headers =
        [("authorization", "Bearer xoxb-test"), ("content-type", "multipart/form-data; boundary=b")];
    let answer = bench.send(Method::POST, "/api/chat.postMessage", &headers, body.as_bytes()).await;
    assert!(String::from_utf8_lossy(&answer.body).contains(r#""ok":true"#));
    // null means the default
    let with_null = bench
        .json(BOT, "chat.postMessage", json!({"channel": GENERAL, "text": "n", "thread_ts": null}))
        .await;
    assert_eq!(with_null["ok"], true);
    bench.done().await;
}

#[tokio::test]
async fn json_is_ignored_where_a_method_takes_none() {
    let bench = Bench::new().await;
    let answer = bench.json(BOT, "conversations.info", json!({"channel": GENERAL})).await;
    assert_eq!(error(&answer), "invalid_arguments");
    assert!(
        answer["response_metadata"]["messages"][0]
            .as_str()
            .unwrap()
            .contains("missing required field: channel")
    );
    assert_eq!(error(&bench.json(BOT, "users.info", json!({"user": ANA})).await), "user_not_found");
    bench.done().await;
}

#[tokio::test]
async fn tokens_are_taken_from_header_or_form_but_never_from_the_query() {
    let bench = Bench::new().await;
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let answer = bench.send(Method::POST, "/api/auth.test", &form, b"token=xoxb-test").await;
    assert!(String::from_utf8_lossy(&answer.body).contains(r#""ok":true"#));
    let answer = bench.send(Method::GET, "/api/auth.test?token=xoxb-test", &[], b"").await;
    assert!(String::from_utf8_lossy(&answer.body).contains("not_authed"));
    let lower = [("authorization", "bearer xoxb-test")];
    let answer = bench.send(Method::GET, "/api/auth.test", &lower, b"").await;
    assert!(String::from_utf8_lossy(&answer.body).contains("not_authed"));
    assert_eq!(error(&bench.form("xoxb-wrong", "auth.test", &[]).await), "invalid_auth");
    bench.done().await;
}

#[tokio::test]
async fn malformed_bodies_have_their_own_errors() {
    let bench = Bench::new().await;
    let send = async |content_type: &'static str, body: &'static [u8]| {
        let headers = [("authorization", "Bearer xoxb-test"), ("content-type", content_type)];
        let answer = bench.send(Method::POST, "/api/chat.postMessage", &headers, body).await;
        assert_eq!(answer.status, 200);
        serde_json::from_slice::<serde_json::Value>(&answer.body).unwrap()["error"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(send("application/json", b"{").await, "invalid_json");
    assert_eq!(send("application/json", b"[]").await, "json_not_object");
    assert_eq!(send("text/plain", b"x").await, "invalid_post_type");
    assert_eq!(send("multipart/form-data", b"x").await, "invalid_form_data");
    assert_eq!(error(&bench.form(BOT, "chat.nothing", &[]).await), "unknown_method");
    assert_eq!(error(&bench.form(BOT, "files.upload", &[]).await), "method_deprecated");
    bench.done().await;
}

#[tokio::test]
async fn charset_warnings_and_escaped_slashes() {
    let bench = Bench::new().await;
    let headers = [("authorization", "Bearer xoxb-test"), ("content-type", "application/json")];
    let answer = bench.send(Method::POST, "/api/auth.test", &headers, b"{}").await;
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert!(text.contains("missing_charset"), "{text}");
    assert!(text.contains(r"https:\/\/harbor-works.slack.com\/"), "{text}");
    bench.done().await;
}

#[tokio::test]
async fn missing_scopes_name_what_is_needed_and_provided() {
    let mut config = config();
    config.apps[0].installed[0].scopes = vec!["chat:write".to_owned(), "channels:history".to_owned()];
    config.apps[0].installed[0].member_of.push(BACKSTAGE.to_owned());
    let bench = Bench::with(config).await;
    let answer = bench.get(BOT, "conversations.list", &[]).await;
    assert_eq!(error(&answer), "missing_scope");
    assert_eq!(answer["needed"], "channels:read,groups:read,mpim:read,im:read");
    assert_eq!(answer["provided"], "channels:history,chat:write");
    let answer = bench.get(BOT, "conversations.history", &[("channel", BACKSTAGE)]).await;
    assert_eq!(answer["needed"], "groups:history");
    let named = json!({"channel": GENERAL, "text": "x", "username": "Somebody"});
    assert_eq!(bench.json(BOT, "chat.postMessage", named).await["needed"], "chat:write.customize");
    bench.done().await;
}

#[tokio::test]
async fn answers_carry_request_id_and_scopes() {
    let bench = Bench::new().await;
    let answer =
        bench.send(Method::GET, "/api/team.info", &[("authorization", "Bearer xoxb-test")], b"").await;
    assert!(answer.headers["x-oauth-scopes"].to_str().unwrap().contains("team:read"));
    assert_eq!(answer.headers["x-accepted-oauth-scopes"], "team:read");
    assert_eq!(answer.headers["x-slack-req-id"].len(), 32);
    bench.done().await;
}

#[tokio::test]
async fn auth_test_tells_who_the_token_is() {
    let bench = Bench::new().await;
    let bot = bench.sim.bot(APP, TEAM).unwrap();
    let answer = bench.form(BOT, "auth.test", &[]).await;
    assert_eq!(answer["user_id"], bot.user_id.as_str());
    assert_eq!(answer["bot_id"], bot.bot_id.as_str());
    assert_eq!(answer["team_id"], TEAM);
    assert_eq!(answer["url"], "https://harbor-works.slack.com/");
    assert_eq!(answer["is_enterprise_install"], false);
    bench.done().await;
}

#[tokio::test]
async fn a_tier_allows_its_calls_and_then_answers_429_with_retry_after() {
    let mut config = config();
    config.limits = SlackLimits { tolerance: 1.0, minute: Duration::from_secs(40), ..SlackLimits::default() };
    let bench = Bench::with(config).await;
    for _ in 0..20 {
        assert_eq!(bench.get(BOT, "emoji.list", &[]).await["ok"], true);
    }
    let answer =
        bench.send(Method::GET, "/api/emoji.list", &[("authorization", "Bearer xoxb-test")], b"").await;
    assert_eq!(answer.status, 429);
    let wait: u64 = answer.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=40).contains(&wait));
    assert_eq!(&answer.body[..], br#"{"ok":false,"error":"ratelimited"}"#);
    assert_eq!(bench.get(BOT, "team.info", &[]).await["ok"], true, "other methods are unaffected");
    bench.world.clock.advance(Duration::from_secs(40));
    assert_eq!(bench.get(BOT, "emoji.list", &[]).await["ok"], true);
    bench.done().await;
}

#[tokio::test]
async fn posting_is_one_a_second_per_channel_after_a_burst() {
    let mut config = config();
    config.limits = SlackLimits { post_burst: 3, posts_per_second: 0.01, ..SlackLimits::default() };
    let bench = Bench::with(config).await;
    for _ in 0..3 {
        bench.post(GENERAL, "burst").await;
    }
    let headers =
        [("authorization", "Bearer xoxb-test"), ("content-type", "application/json; charset=utf-8")];
    let body = json!({"channel": GENERAL, "text": "too much"}).to_string();
    let answer = bench.send(Method::POST, "/api/chat.postMessage", &headers, body.as_bytes()).await;
    assert_eq!(answer.status, 429);
    bench.post(super::bench::LAUNCH, "another channel").await;
    bench.world.clock.advance(Duration::from_secs(100));
    bench.post(GENERAL, "again").await;
    bench.done().await;
}

#[tokio::test]
async fn commercial_apps_get_one_history_call_a_minute_and_fifteen_items() {
    let mut config = config();
    config.apps[0].commercial = true;
    config.limits = SlackLimits { post_burst: 100, ..SlackLimits::default() };
    let bench = Bench::with(config).await;
    for index in 0..20 {
        bench.sim.post(ANA, GENERAL, &format!("message {index}")).unwrap();
    }
    let first = bench.get(BOT, "conversations.history", &[("channel", GENERAL), ("limit", "200")]).await;
    assert_eq!(first["messages"].as_array().unwrap().len(), 15);
    let path = format!("/api/conversations.history?channel={GENERAL}");
    let answer = bench.send(Method::GET, &path, &[("authorization", "Bearer xoxb-test")], b"").await;
    assert_eq!(answer.status, 429);
    bench.done().await;
}

#[tokio::test]
async fn lists_are_paged_by_cursor() {
    let bench = Bench::new().await;
    let mut names = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = bench.form(BOT, "users.list", &[("limit", "2"), ("cursor", &cursor)]).await;
        names.extend(page["members"].as_array().unwrap().iter().map(|user| user["real_name"].to_string()));
        cursor = page["response_metadata"]["next_cursor"].as_str().unwrap_or_default().to_owned();
        if cursor.is_empty() {
            break;
        }
        assert!(cursor.ends_with('='), "cursors need to be encoded: {cursor}");
    }
    assert_eq!(names.len(), 4, "{names:?}");
    assert_eq!(error(&bench.form(BOT, "users.list", &[("cursor", "nonsense")]).await), "invalid_cursor");
    bench.done().await;
}

#[tokio::test]
async fn people_are_found_by_id_and_mail() {
    let bench = Bench::new().await;
    let user = bench.get(BOT, "users.info", &[("user", ANA)]).await["user"].clone();
    assert_eq!(user["profile"]["display_name"], "Ana");
    assert_eq!(user["profile"]["email"], "ana.souza@harbor-works.example");
    let image = user["profile"]["image_192"].as_str().unwrap();
    let picture = bench.send(Method::GET, image, &[], b"").await;
    assert_eq!(picture.headers["content-type"], "image/svg+xml");
    let found = bench.get(BOT, "users.lookupByEmail", &[("email", "BEN.okafor@harbor-works.example")]).await;
    assert_eq!(found["user"]["real_name"], "Ben Okafor");
    assert_eq!(
        error(&bench.get(BOT, "users.lookupByEmail", &[("email", "no@no.example")]).await),
        "users_not_found"
    );
    let bot = bench.sim.bot(APP, TEAM).unwrap();
    assert_eq!(bench.get(BOT, "users.info", &[("user", &bot.user_id)]).await["user"]["is_bot"], true);
    assert_eq!(error(&bench.get(BOT, "users.info", &[("user", &bot.bot_id)]).await), "user_not_found");
    let info = bench.get(BOT, "bots.info", &[("bot", &bot.bot_id)]).await;
    assert_eq!(info["bot"]["user_id"], bot.user_id.as_str());
    assert_eq!(error(&bench.get(BOT, "bots.info", &[("bot", "B0")]).await), "bot_not_found");
    bench.done().await;
}

#[tokio::test]
async fn workspace_emoji_and_groups_are_listed() {
    let bench = Bench::new().await;
    let team = bench.get(BOT, "team.info", &[]).await;
    assert_eq!(
        (team["team"]["name"].as_str(), team["team"]["domain"].as_str()),
        (Some("Harbor Works"), Some("harbor-works"))
    );
    assert_eq!(
        bench.get(BOT, "emoji.list", &[]).await["emoji"]["harbor"],
        "https://emoji.example/harbor.png"
    );
    let groups = bench.get(BOT, "usergroups.list", &[("include_users", "true")]).await;
    assert_eq!(groups["usergroups"][0]["handle"], "crew");
    assert_eq!(groups["usergroups"][0]["user_count"], "3");
    assert_eq!(groups["usergroups"][0]["users"].as_array().unwrap().len(), 3);
    bench.done().await;
}
