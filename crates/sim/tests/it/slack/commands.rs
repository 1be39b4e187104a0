//! Slash commands and homes.

use http::Method;
use serde_json::{Value, json};

use super::bench::{ANA, APP, BEN, BOT, Bench, GENERAL, Reply, SECRET, config, error};

fn fields(body: &[u8]) -> std::collections::BTreeMap<String, String> {
    form_urlencoded::parse(body).into_owned().collect()
}

async fn bench() -> Bench {
    let mut config = config();
    config.apps[0].installed[0].scopes.push("commands".to_owned());
    let bench = Bench::with(config).await;
    bench.sim.set_command_url(APP, &bench.app_url);
    bench
}

#[tokio::test]
async fn a_command_is_a_signed_form_that_is_answered_to_its_author_alone() {
    let bench = bench().await;
    bench.sim.command(APP, ANA, GENERAL, "hi & <bye>").await.unwrap();
    let seen = bench
        .app
        .wait(1, |request| request.header("content-type") == Some("application/x-www-form-urlencoded"))
        .await;
    let request = &seen[0];
    let form = fields(&request.body);
    assert_eq!((form["text"].as_str(), form["command"].as_str()), ("hi & <bye>", "/dragoman"));
    assert_eq!((form["user_id"].as_str(), form["channel_id"].as_str()), (ANA, GENERAL));
    let seconds: i64 = request.header("x-slack-request-timestamp").unwrap().parse().unwrap();
    let signature = dragoman_sim::slack::engine::signature(SECRET, seconds, &request.body);
    assert_eq!(request.header("x-slack-signature"), Some(signature.as_str()));
    assert!(bench.sim.ephemerals(ANA).is_empty(), "an empty acknowledgement says nothing");

    let url = form["response_url"].clone();
    let say = async |body: Value| {
        let headers = [("content-type", "application/json")];
        let answer = bench.send(Method::POST, &url, &headers, body.to_string().as_bytes()).await;
        (answer.status.as_u16(), String::from_utf8_lossy(&answer.body).into_owned())
    };
    assert_eq!(say(json!({"response_type": "ephemeral"})).await.0, 400, "there is nothing to show");
    for n in 0..5 {
        let (status, body) = say(json!({"response_type": "ephemeral", "text": format!("answer {n}")})).await;
        assert_eq!((status, body.as_str()), (200, "ok"));
    }
    assert_eq!(say(json!({"text": "once more"})).await.0, 404, "five answers are the most");
    let shown: Vec<String> = bench.sim.ephemerals(ANA).into_iter().map(|shown| shown.text).collect();
    assert_eq!(shown, ["answer 0", "answer 1", "answer 2", "answer 3", "answer 4"]);
    assert!(bench.sim.ephemerals(BEN).is_empty() && bench.sim.messages(GENERAL).is_empty());
    bench.done().await;
}

#[tokio::test]
async fn a_command_that_nobody_acknowledges_times_out_and_one_without_its_scope_is_none() {
    let bench = bench().await;
    bench.app.next(&[Reply::Slow, Reply::Status(500)]);
    bench.sim.command(APP, ANA, GENERAL, "one").await.unwrap();
    bench.sim.command(APP, ANA, GENERAL, "two").await.unwrap();
    let shown: Vec<String> = bench.sim.ephemerals(ANA).into_iter().map(|shown| shown.text).collect();
    assert_eq!(shown, ["operation_timeout", "dispatch_failed"], "and it is not tried again");
    bench.done().await;

    let bench = Bench::new().await;
    let refused = bench.sim.command(APP, ANA, GENERAL, "one").await.unwrap_err();
    assert_eq!(refused.code, "invalid_command");
    bench.done().await;
}

#[tokio::test]
async fn a_home_is_published_for_one_person_and_its_opening_is_told() {
    let bench = Bench::new().await;
    bench.sim.open_home(APP, ANA, "home").unwrap();
    let event = bench.app.event(|event| event["type"] == "app_home_opened").await;
    assert_eq!((&event["user"], &event["tab"]), (&json!(ANA), &json!("home")));
    assert!(event["channel"].as_str().unwrap().starts_with('D') && event.get("view").is_none());
    let blocks = json!([{"type": "section", "text": {"type": "mrkdwn", "text": "hello"}}]);
    let view = json!({"user_id": ANA, "view": {"type": "home", "blocks": blocks}});
    let answer = bench.json(BOT, "views.publish", view).await;
    assert_eq!((&answer["ok"], &answer["view"]["blocks"]), (&json!(true), &blocks));
    assert_eq!(bench.sim.home(APP, ANA).unwrap()["blocks"], blocks);
    assert!(bench.sim.home(APP, BEN).is_none());
    for (wrong, code) in [
        (json!({"view": {"type": "home", "blocks": []}}), "invalid_arguments"),
        (json!({"user_id": ANA, "view": {"type": "modal", "blocks": []}}), "invalid_arguments"),
        (json!({"user_id": "U0NOBODY", "view": {"type": "home", "blocks": []}}), "user_not_found"),
        (
            json!({"user_id": ANA, "view": {"type": "home", "blocks": vec![json!({"type": "divider"}); 101]}}),
            "invalid_blocks",
        ),
    ] {
        assert_eq!(error(&bench.json(BOT, "views.publish", wrong).await), code);
    }
    bench.done().await;
}
