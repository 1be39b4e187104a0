//! Slack without a public address: the gateway opens the connections.

use http::Method;
use serde_json::{Value, json};

use crate::http::eventually;
use crate::world::World;

#[tokio::test]
async fn a_socket_that_was_cut_loses_nothing() {
    let world = World::start_in(None, true).await;
    let sims = &world.sims;
    let app = json!({"app": sims.slack("app_id")});
    eventually("both connections stand", async || {
        (sims.at_slack("slack/app", &app).await["sockets"] == 2).then_some(())
    })
    .await;
    world.relays_both_ways("through the socket").await;

    // Nothing is delivered, now or later, and the connections are gone: only history still has it.
    let silence = sims.at_slack("faults", &json!({"fault": {"kind": "silence"}})).await;
    sims.ana_says("launch", "missed").await;
    sims.ana_says("launch", "missed too").await;
    let cut = json!({"app": sims.slack("app_id"), "do": "cut"});
    sims.at_slack("slack/sockets", &cut).await;
    let url = format!("{}/_sim/faults/{}", sims.slack("base_url"), silence["id"]);
    sims.http.call(Method::DELETE, &url, "", &Value::Null).await;
    world.arrives_at_teams("missed too").await;
    world.relays_both_ways("through the next socket").await;

    let texts = sims.teams_texts("launch").await;
    let count = |words: &str| {
        texts.iter().filter(|text| text.ends_with(words) || text.contains(&format!("{words}<"))).count()
    };
    assert_eq!((count("missed"), count("missed too")), (1, 1), "once each: {texts:?}");
}
