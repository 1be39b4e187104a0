use dragoman_sim::webex::seed::JONAS;
use serde_json::{Value, json};

use super::bench::{BOT_TOKEN, Bench, GITA, TOKEN, id, message, partner, person, personal};

#[tokio::test]
async fn people_are_found_by_address_name_and_ids() {
    let bench = Bench::new().await;
    let me = bench.get(TOKEN, "/people/me").await.1;
    assert_eq!((me["displayName"].as_str(), me["type"].as_str()), (Some("Dragoman Bridge"), Some("person")));
    let by_mail = bench.get(TOKEN, "/people?email=gita.rao@larkfield.example").await.1;
    assert_eq!(by_mail["items"][0]["id"], person(GITA));
    assert_eq!(by_mail["items"][0]["firstName"], "Gita");
    let by_name = bench.get(TOKEN, "/people?displayName=hen").await.1;
    assert_eq!(by_name["items"][0]["displayName"], "Henrik Dahl");
    let unknown = dragoman_sim::webex::ids::person("00000000-0000-4000-8000-000000000000");
    let by_ids = bench.get(TOKEN, &format!("/people?id={},{unknown}", person(GITA))).await.1;
    assert_eq!(by_ids["items"].as_array().unwrap().len(), 1);
    assert_eq!(by_ids["notFoundIds"], json!([unknown]));
    let (status, body) = bench.get(TOKEN, "/people").await;
    assert_eq!((status, message(&body)), (400, "Email or displayName should be specified."));
    let many = vec![person(GITA); 86].join(",");
    assert_eq!(bench.get(TOKEN, &format!("/people?id={many}")).await.0, 400);
    bench.done().await;
}

#[tokio::test]
async fn people_of_another_organisation_are_found_by_id_only_and_show_less() {
    let bench = Bench::with(partner()).await;
    let by_mail = bench.get(TOKEN, "/people?email=jonas.weber@quayside.example").await.1;
    assert_eq!(by_mail["items"], json!([]));
    let (status, jonas) = bench.get(TOKEN, &format!("/people/{}", person(JONAS))).await;
    assert_eq!((status, jonas["displayName"].as_str()), (200, Some("Jonas Weber")));
    assert!(jonas.get("status").is_none());
    let gita = bench.get(TOKEN, &format!("/people/{}", person(GITA))).await.1;
    assert!(gita["status"].is_string());
    bench.done().await;
}

#[tokio::test]
async fn a_space_of_a_partner_is_in_the_partners_region() {
    let bench = Bench::with(partner()).await;
    let shared = bench.sim.room_id("Quayside orders").unwrap();
    let named = dragoman_sim::webex::ids::read("ROOM", &shared).unwrap();
    assert_eq!(named.cluster.as_deref(), Some("us"));
    let posted = bench.post(TOKEN, "/messages", json!({"roomId": shared, "text": "hello"})).await.1;
    let named = dragoman_sim::webex::ids::read("MESSAGE", id(&posted)).unwrap();
    assert_eq!(named.cluster.as_deref(), Some("us"));
    let jonas = format!("personal-jonas.weber_PF84_{}", dragoman_sim::webex::seed::PARTNER_ORG);
    let seen = bench.get(&jonas, &format!("/messages?roomId={shared}")).await.1;
    assert_eq!(seen["items"][0]["text"], "hello");
    bench.done().await;
}

#[tokio::test]
async fn bots_have_a_fixed_set_of_rights_and_their_own_kind() {
    let bench = Bench::new().await;
    let bot = bench.get(BOT_TOKEN, "/people/me").await.1;
    assert_eq!((bot["type"].as_str(), &bot["emails"]), (Some("bot"), &json!(["dragoman@webex.bot"])));
    assert!(bot.get("firstName").is_none());
    assert_eq!(bench.get(BOT_TOKEN, "/rooms").await.1["items"], json!([]));
    assert_eq!(bench.get(BOT_TOKEN, "/events").await.0, 403);
    bench.done().await;
}

#[tokio::test]
async fn pictures_are_public_and_a_new_name_is_told_to_nobody() {
    let bench = Bench::new().await;
    bench.firehose(TOKEN).await;
    let gita = bench.get(TOKEN, &format!("/people/{}", person(GITA))).await.1;
    let url = gita["avatar"].as_str().unwrap();
    assert!(url.ends_with("~1600"), "{url}");
    let picture = bench.send(http::Method::GET, url, &[], b"").await;
    assert_eq!(picture.status, 200);
    assert_eq!(picture.headers["content-type"], "image/svg+xml");
    bench.sim.set_name(&person(GITA), "Gita Rao-Lindqvist").unwrap();
    let gita = bench.get(TOKEN, &format!("/people/{}", person(GITA))).await.1;
    assert_eq!(gita["displayName"], "Gita Rao-Lindqvist");
    assert!(bench.app.matching(&|_| true).is_empty());
    bench.done().await;
}

#[tokio::test]
async fn a_deactivated_person_is_signed_out_and_loses_the_webhooks() {
    let bench = Bench::new().await;
    let token = personal("gita.rao");
    bench.firehose(&token).await;
    bench.sim.set_active(&person(GITA), false);
    assert_eq!(bench.get(&token, "/people/me").await.0, 401);
    assert_eq!(bench.sim.webhooks()[0]["status"], "inactive");
    let gita: Value = bench.get(TOKEN, &format!("/people/{}", person(GITA))).await.1;
    assert_eq!(gita["loginEnabled"], false);
    bench.done().await;
}
