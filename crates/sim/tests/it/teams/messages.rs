//! Graph: sending, reading, editing, deleting, reacting.

use dragoman_sim::teams::seed::{DANA, EMRE, GENERAL, LAUNCH, LUNCH_CHAT, TEAM, TENANT};
use dragoman_sim::teams::{Draft, Refusal};
use http::Method;
use serde_json::{Value, json};

use super::harness::{Rig, general};

fn text(s: &str) -> Value {
    json!({"body": {"content": s}})
}

#[tokio::test]
async fn a_sent_message_has_the_published_shape() {
    let rig = Rig::new().await;
    let r = rig.post(&general(), &rig.writer(), &text("Hello World")).await;
    assert_eq!(r.status, 201);
    let m = r.json();
    let id = m["id"].as_str().unwrap().to_owned();
    let ms: u64 = id.parse().unwrap();
    assert!(ms.abs_diff(rig.now()) < 60_000, "ids are milliseconds");
    assert_eq!(m["etag"], id);
    assert_eq!(m["body"], json!({"contentType": "text", "content": "Hello World"}));
    assert_eq!(m["channelIdentity"], json!({"teamId": TEAM, "channelId": GENERAL}));
    assert_eq!(m["from"]["user"]["id"], DANA);
    assert_eq!(m["from"]["user"]["@odata.type"], "#microsoft.graph.teamworkUserIdentity");
    assert_eq!(m["from"]["user"]["tenantId"], TENANT);
    for null in ["replyToId", "lastEditedDateTime", "deletedDateTime", "chatId", "eventDetail", "subject"] {
        assert!(m[null].is_null(), "{null}");
    }
    assert!(m["@odata.context"].as_str().unwrap().starts_with(rig.sim.base_url()));
    assert!(m["webUrl"].as_str().unwrap().contains(&format!("parentMessageId={id}")));
    assert!(!r.header("request-id").is_empty());
    let read = rig.get(&format!("{}/{id}", general()), &rig.app()).await;
    assert_eq!(read.json()["id"], id);
    rig.stop().await;
}

#[tokio::test]
async fn paths_are_understood_raw_encoded_and_with_empty_segments() {
    let rig = Rig::new().await;
    let id = rig.sim.post(DANA, GENERAL, Draft::text("x")).unwrap();
    let encoded = GENERAL.replace(':', "%3A").replace('@', "%40");
    for path in [
        format!("/v1.0//teams/{TEAM}/channels/{encoded}/messages/{id}"),
        format!("/v1.0/teams/{TEAM}/channels/{GENERAL}/messages/{id}"),
        format!("/beta/teams('{TEAM}')/channels('{encoded}')/messages('{id}')"),
    ] {
        assert_eq!(rig.get(&path, &rig.app()).await.status, 200, "{path}");
    }
    rig.stop().await;
}

#[tokio::test]
async fn html_is_sanitised_silently() {
    let rig = Rig::new().await;
    let body = json!({"body": {"contentType": "html", "content": "<p onclick='x'>a<script>b</script><blink>c</blink><b>d"}});
    let m = rig.post(&general(), &rig.writer(), &body).await.json();
    assert_eq!(m["body"]["content"], "<p>ac<b>d</b></p>");
    rig.stop().await;
}

#[tokio::test]
async fn mentions_need_their_marker_and_are_completed() {
    let rig = Rig::new().await;
    let mention =
        json!([{"id": 0, "mentionText": "Emre", "mentioned": {"user": {"id": EMRE, "displayName": "E"}}}]);
    let good = json!({"body": {"contentType": "html", "content": "hi <at id=\"0\">Emre</at> <at id=\"7\">Nobody</at>"}, "mentions": mention});
    let m = rig.post(&general(), &rig.writer(), &good).await.json();
    assert_eq!(m["body"]["content"], "hi <at id=\"0\">Emre</at> Nobody");
    assert_eq!(m["mentions"][0]["mentioned"]["user"]["displayName"], "Emre Kaya");
    let bad = json!({"body": {"contentType": "html", "content": "hi"}, "mentions": mention});
    let r = rig.post(&general(), &rig.writer(), &bad).await;
    assert_eq!(r.status, 400);
    assert!(r.error().1.contains("contains marker for mention with Id '0'"));
    rig.stop().await;
}

#[tokio::test]
async fn replies_go_to_roots_only() {
    let rig = Rig::new().await;
    let root = rig.sim.post(DANA, GENERAL, Draft::text("root")).unwrap();
    let r = rig.post(&format!("{}/{root}/replies", general()), &rig.writer(), &text("reply")).await;
    assert_eq!(r.status, 201);
    assert_eq!(r.json()["replyToId"], root);
    let reply = r.json()["id"].as_str().unwrap().to_owned();
    let path = format!("{}/{root}/replies/{reply}", general());
    assert_eq!(rig.get(&path, &rig.app()).await.json()["id"], reply);
    let nested = rig.post(&format!("{}/{reply}/replies", general()), &rig.writer(), &text("no")).await;
    assert_eq!(nested.status, 400);
    assert_eq!(rig.sim.reply(DANA, GENERAL, &reply, Draft::text("no")), Err(Refusal::NotARoot));
    rig.stop().await;
}

#[tokio::test]
async fn ids_are_unique_in_a_conversation_and_rise() {
    let rig = Rig::new().await;
    let ids: Vec<u64> =
        (0..50).map(|_| rig.sim.post(DANA, GENERAL, Draft::text("x")).unwrap().parse().unwrap()).collect();
    assert!(ids.windows(2).all(|w| w[0] < w[1]));
    rig.stop().await;
}

#[tokio::test]
async fn edit_delete_undo_and_react_move_the_right_times() {
    let rig = Rig::new().await;
    let token = rig.writer();
    let id = rig.post(&general(), &token, &text("one")).await.json()["id"].as_str().unwrap().to_owned();
    let path = format!("{}/{id}", general());
    let read = async || rig.get(&path, &rig.app()).await.json();
    let etag = |m: &Value| m["etag"].as_str().unwrap().parse::<u64>().unwrap();
    let before = read().await;

    let r = rig.post(&format!("{path}/setReaction"), &token, &json!({"reactionType": "💘"})).await;
    assert_eq!((r.status, r.bytes.len()), (204, 0));
    let reacted = read().await;
    assert!(etag(&reacted) > etag(&before));
    assert!(reacted["lastEditedDateTime"].is_null(), "a reaction is no edit");
    assert_ne!(reacted["lastModifiedDateTime"], before["lastModifiedDateTime"]);
    assert_eq!(reacted["reactions"][0]["reactionType"], "💘");
    assert!(reacted["reactions"][0]["user"]["user"]["displayName"].is_null());
    assert_eq!(reacted["messageHistory"][0]["actions"], "reactionAdded");
    let word = rig.post(&format!("{path}/setReaction"), &token, &json!({"reactionType": "like"})).await;
    assert_eq!(word.status, 400, "writing takes unicode only");

    assert_eq!(rig.send(Method::PATCH, &path, &token, &text("two")).await.status, 204);
    let edited = read().await;
    assert_eq!(edited["body"]["content"], "two");
    assert!(!edited["lastEditedDateTime"].is_null() && etag(&edited) > etag(&reacted));

    assert_eq!(rig.post(&format!("{path}/softDelete"), &token, &Value::Null).await.status, 204);
    let deleted = read().await;
    assert_eq!(deleted["body"]["content"], "");
    assert!(!deleted["deletedDateTime"].is_null());
    assert_eq!(rig.post(&format!("{path}/undoSoftDelete"), &token, &Value::Null).await.status, 204);
    let back = read().await;
    assert_eq!(back["body"]["content"], "two");
    assert!(back["deletedDateTime"].is_null());
    assert_eq!(
        rig.post(&format!("{path}/unsetReaction"), &token, &json!({"reactionType": "💘"})).await.status,
        204
    );
    assert_eq!(read().await["reactions"], json!([]));
    rig.stop().await;
}

#[tokio::test]
async fn only_the_author_may_change_a_message() {
    let rig = Rig::new().await;
    let id = rig.sim.post(EMRE, GENERAL, Draft::text("mine")).unwrap();
    let path = format!("{}/{id}", general());
    assert_eq!(rig.send(Method::PATCH, &path, &rig.writer(), &text("x")).await.status, 403);
    assert_eq!(rig.post(&format!("{path}/softDelete"), &rig.writer(), &Value::Null).await.status, 403);
    assert_eq!(rig.sim.edit(DANA, GENERAL, &id, Draft::text("x")), Err(Refusal::NotAuthor));
    rig.stop().await;
}

#[tokio::test]
async fn chats_have_no_threads_but_quotes() {
    let rig = Rig::new().await;
    let token = rig.dana(&["ChatMessage.Send", "Chat.ReadWrite"]);
    let path = format!("/v1.0/chats/{LUNCH_CHAT}/messages");
    let first = rig.post(&path, &token, &text("noon?")).await.json();
    assert_eq!(first["chatId"], LUNCH_CHAT);
    assert!(first["channelIdentity"].is_null() && first["webUrl"].is_null());
    let quote = json!({"messageIds": [first["id"]], "replyMessage": text("yes")});
    let r = rig.post(&format!("{path}/replyWithQuote"), &token, &quote).await;
    assert_eq!(r.status, 201);
    let m = r.json();
    assert!(m["replyToId"].is_null());
    assert_eq!(m["attachments"][0]["contentType"], "messageReference");
    assert_eq!(m["attachments"][0]["id"], first["id"]);
    let content: Value = serde_json::from_str(m["attachments"][0]["content"].as_str().unwrap()).unwrap();
    assert_eq!(content["messagePreview"], "noon?");
    let user_form = format!("/v1.0/users/{DANA}/chats/{LUNCH_CHAT}/messages/{}", m["id"].as_str().unwrap());
    assert_eq!(rig.post(&format!("{user_form}/softDelete"), &token, &Value::Null).await.status, 204);
    rig.stop().await;
}

#[tokio::test]
async fn inline_images_are_hosted() {
    let rig = Rig::new().await;
    let body = json!({
        "body": {"contentType": "html", "content": "<img src=\"../hostedContents/1/$value\" style=\"x\" width=\"3\">"},
        "hostedContents": [{"@microsoft.graph.temporaryId": "1", "contentBytes": "iVBORw==", "contentType": "image/png"}],
    });
    let m = rig.post(&general(), &rig.writer(), &body).await.json();
    let content = m["body"]["content"].as_str().unwrap();
    let url = content.split('"').nth(1).unwrap();
    assert!(url.starts_with(rig.sim.base_url()) && url.ends_with("/$value"), "{content}");
    let image = rig.get(url, &rig.app()).await;
    assert_eq!((image.status, image.header("content-type")), (200, "image/png"));
    assert_eq!(&image.bytes[..], b"\x89PNG");
    rig.stop().await;
}

#[tokio::test]
async fn system_events_show_by_name_only_on_request() {
    let rig = Rig::new().await;
    let detail = json!({"@odata.type": "#microsoft.graph.teamDescriptionUpdatedEventMessageDetail", "teamDescription": "d"});
    let id = rig.sim.system_event(GENERAL, detail).unwrap();
    let path = format!("{}/{id}", general());
    let plain = rig.get(&path, &rig.app()).await.json();
    assert_eq!(plain["messageType"], "unknownFutureValue");
    assert!(plain["from"].is_null());
    assert_eq!(plain["body"]["content"], "<systemEventMessage/>");
    let prefer = [("prefer", "include-unknown-enum-members")];
    let named = rig.call(Method::GET, &path, &rig.app(), &prefer, bytes::Bytes::new()).await.json();
    assert_eq!(named["messageType"], "systemEventMessage");
    assert!(named["eventDetail"]["@odata.type"].as_str().unwrap().contains("teamDescriptionUpdated"));
    rig.stop().await;
}

#[tokio::test]
async fn display_names_may_be_null() {
    let mut config = super::harness::quick();
    config.people[1].nameless_in_messages = true;
    let rig = Rig::with(config).await;
    let id = rig.sim.post(EMRE, GENERAL, Draft::text("x")).unwrap();
    let m = rig.get(&format!("{}/{id}", general()), &rig.app()).await.json();
    assert!(m["from"]["user"]["displayName"].is_null());
    rig.stop().await;
}

#[tokio::test]
async fn bodies_over_28_kb_are_refused() {
    let rig = Rig::new().await;
    let r = rig.post(&general(), &rig.writer(), &text(&"x".repeat(29 * 1024))).await;
    assert_eq!((r.status, r.error().0.as_str()), (413, "RequestEntityTooLarge"));
    rig.stop().await;
}

#[tokio::test]
async fn archived_teams_refuse_writes() {
    let rig = Rig::new().await;
    rig.sim.archive_team(TEAM, DANA, true);
    assert_eq!(rig.post(&general(), &rig.writer(), &text("x")).await.status, 403);
    rig.sim.archive_team(TEAM, DANA, false);
    assert_eq!(rig.post(&general(), &rig.writer(), &text("x")).await.status, 201);
    rig.stop().await;
}

#[tokio::test]
async fn a_policy_violation_is_set_by_the_app_and_shows() {
    let rig = Rig::with_roles(&["ChannelMessage.UpdatePolicyViolation.All"]).await;
    let id = rig.sim.post(DANA, LAUNCH, Draft::text("secret")).unwrap();
    let path = format!("/v1.0/teams/{TEAM}/channels/{LAUNCH}/messages/{id}");
    let r = rig
        .send(Method::PATCH, &path, &rig.app(), &json!({"policyViolation": {"dlpAction": "blockAccess"}}))
        .await;
    assert_eq!(r.status, 200);
    assert_eq!(rig.get(&path, &rig.app()).await.json()["policyViolation"]["dlpAction"], "blockAccess");
    assert_eq!(rig.send(Method::PATCH, &path, &rig.app(), &text("x")).await.status, 403);
    rig.stop().await;
}
