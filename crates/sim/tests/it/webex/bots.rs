use dragoman_sim::webex::{Post, WebexDoubts};
use serde_json::json;

use super::bench::{BOT_TOKEN, Bench, GENERAL, GITA, config, id, person, room};

fn with_bot(doubts: WebexDoubts) -> dragoman_sim::webex::WebexSimConfig {
    let mut config = config().with_bot_in(GENERAL);
    config.doubts = doubts;
    config
}

#[tokio::test]
async fn a_bot_sees_only_what_mentions_it() {
    let bench = Bench::with(with_bot(WebexDoubts::default())).await;
    let (general, gita) = (room(GENERAL), person(GITA));
    bench.firehose(BOT_TOKEN).await;
    let unseen = bench.sim.post(&gita, &general, "among people").unwrap();
    let all = bench.sim.post(&gita, &general, "@All look").unwrap();
    let seen = bench.sim.post(&gita, &general, "@Dragoman hello").unwrap();
    let told = bench.app.event("messages.created").await;
    assert_eq!(told.json["data"]["id"], seen.as_str());
    assert_eq!(bench.get(BOT_TOKEN, &format!("/messages/{unseen}")).await.0, 404);
    assert_eq!(bench.get(BOT_TOKEN, &format!("/messages/{all}")).await.0, 404);
    let message = bench.get(BOT_TOKEN, &format!("/messages/{seen}")).await.1;
    assert_eq!(message["text"], "Dragoman hello");
    assert_eq!(bench.get(BOT_TOKEN, &format!("/messages?roomId={general}")).await.0, 403);
    let list = bench.get(BOT_TOKEN, &format!("/messages?roomId={general}&mentionedPeople=me")).await.1;
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    let other = format!("/messages?roomId={general}&mentionedPeople={gita}");
    assert_eq!(bench.get(BOT_TOKEN, &other).await.0, 400);
    bench.done().await;
}

#[tokio::test]
async fn a_bot_hears_its_own_posts_and_all_of_a_conversation_with_it() {
    let bench = Bench::with(with_bot(WebexDoubts::default())).await;
    bench.firehose(BOT_TOKEN).await;
    let own = bench.post(BOT_TOKEN, "/messages", json!({"roomId": room(GENERAL), "text": "mine"})).await.1;
    let told = bench.app.event("messages.created").await;
    assert_eq!(told.json["data"]["id"], own["id"]);
    assert_eq!(told.json["actorId"], told.json["createdBy"]);
    assert_eq!(bench.get(BOT_TOKEN, &format!("/messages/{}", id(&own))).await.0, 200);
    let bot = bench.sim.person_id("Dragoman").unwrap();
    let direct = bench.sim.direct(&person(GITA), &bot).unwrap();
    let said = bench.sim.post(&person(GITA), &direct, "just us").unwrap();
    bench.app.wait(1, |request| request.json["data"]["id"] == said.as_str()).await;
    let list = bench.get(BOT_TOKEN, &format!("/messages?roomId={direct}")).await.1;
    assert_eq!(list["items"][0]["text"], "just us");
    bench.done().await;
}

#[tokio::test]
async fn what_bots_get_of_others_is_a_switch() {
    let doubts = WebexDoubts { bot_get_forbidden: true, bots_receive_all: true, ..WebexDoubts::default() };
    let bench = Bench::with(with_bot(doubts)).await;
    bench.firehose(BOT_TOKEN).await;
    let unseen = bench.sim.post(&person(GITA), &room(GENERAL), "among people").unwrap();
    assert_eq!(bench.get(BOT_TOKEN, &format!("/messages/{unseen}")).await.0, 403);
    let all = bench.sim.post(&person(GITA), &room(GENERAL), "@All look").unwrap();
    assert_eq!(bench.app.event("messages.created").await.json["data"]["id"], all.as_str());
    bench.done().await;
}

#[tokio::test]
async fn cards_are_clicked_by_others_and_the_inputs_have_to_be_fetched() {
    let bench = Bench::with(with_bot(WebexDoubts::default())).await;
    bench.firehose(BOT_TOKEN).await;
    bench.hook(BOT_TOKEN, json!({"resource": "attachmentActions", "event": "created"})).await;
    let card = json!({"contentType": "application/vnd.microsoft.card.adaptive", "content": {
        "type": "AdaptiveCard", "version": "1.3", "body": [],
        "actions": [{"type": "Action.Submit", "title": "Go", "data": {"go": "yes"}}]}});
    let body = json!({"roomId": room(GENERAL), "text": "a card", "attachments": [card]});
    let posted = bench.post(BOT_TOKEN, "/messages", body.clone()).await.1;
    assert_eq!(posted["attachments"][0]["content"]["actions"][0]["title"], "Go");
    let inputs = json!({"go": "yes"}).as_object().unwrap().clone();
    let action = bench.sim.click(&person(GITA), id(&posted), inputs).unwrap();
    let told = bench.app.wait(1, |request| request.name() == "attachmentActions.created").await;
    assert_eq!(told.len(), 1, "the firehose leaves cards out");
    assert_eq!(told[0].json["data"]["id"], action.as_str());
    assert!(told[0].json["data"].get("inputs").is_none());
    let fetched = bench.get(BOT_TOKEN, &format!("/attachment/actions/{action}")).await.1;
    assert_eq!((&fetched["inputs"], fetched["type"].as_str()), (&json!({"go": "yes"}), Some("submit")));
    let own = json!({"type": "submit", "messageId": posted["id"], "inputs": {}});
    let (status, refused) = bench.post(BOT_TOKEN, "/attachment/actions", own.clone()).await;
    assert_eq!(status, 400);
    assert_eq!(refused["message"], "Author of a card cannot submit a cardAction on that card");
    assert_eq!(bench.post(&super::bench::personal("gita.rao"), "/attachment/actions", own).await.0, 202);
    // One card, of a version that is known.
    let mut two = body.clone();
    two["attachments"].as_array_mut().unwrap().push(card_of("1.3"));
    assert_eq!(bench.post(BOT_TOKEN, "/messages", two).await.0, 400);
    let mut newer = body;
    newer["attachments"] = json!([card_of("1.5")]);
    assert_eq!(bench.post(BOT_TOKEN, "/messages", newer).await.0, 400);
    bench.done().await;
}

fn card_of(version: &str) -> serde_json::Value {
    json!({"contentType": "application/vnd.microsoft.card.adaptive",
        "content": {"type": "AdaptiveCard", "version": version, "body": []}})
}

#[tokio::test]
async fn a_card_of_another_bot_reaches_people_with_its_fallback_text() {
    let bench = Bench::with(with_bot(WebexDoubts::default())).await;
    let bot = bench.sim.person_id("Dragoman").unwrap();
    assert!(bench.sim.is_bot(&bot));
    let post = Post { text: "fallback", card: Some(card_of("1.2")), ..Post::default() };
    let posted = bench.sim.post_with(&bot, &room(GENERAL), &post).unwrap();
    let seen = bench.get(super::bench::TOKEN, &format!("/messages/{posted}")).await.1;
    assert_eq!(
        (seen["text"].as_str(), seen["attachments"].as_array().map(Vec::len)),
        (Some("fallback"), Some(1))
    );
    bench.done().await;
}

#[tokio::test]
async fn a_space_made_by_a_bot_belongs_to_the_first_person_who_joins() {
    let bench = Bench::with(super::bench::partner()).await;
    let made = bench.post(BOT_TOKEN, "/rooms", json!({"title": "Made by a bot"})).await.1;
    let jonas = person(dragoman_sim::webex::seed::JONAS);
    let body = json!({"roomId": made["id"], "personId": jonas});
    assert_eq!(bench.post(BOT_TOKEN, "/memberships", body).await.0, 200);
    let room = bench.get(BOT_TOKEN, &format!("/rooms/{}", id(&made))).await.1;
    assert_eq!(room["ownerId"], dragoman_sim::webex::ids::org(dragoman_sim::webex::seed::PARTNER_ORG));
    bench.done().await;
}
