//! The Bot Connector: sending, threads, changes, rosters, refusals.

use dragoman_sim::teams::seed::{APP, DANA, EMRE, GENERAL, LAUNCH, LUNCH_CHAT, TEAM, TENANT};
use dragoman_sim::teams::{Draft, Place};
use http::Method;
use serde_json::{Value, json};

use super::harness::{Rig, general};

fn hello(text: &str) -> Value {
    json!({"type": "message", "textFormat": "xml", "text": text})
}

fn activities(rig: &Rig, conversation: &str) -> String {
    rig.connector(&format!("v3/conversations/{conversation}/activities"))
}

async fn send(rig: &Rig, conversation: &str, body: &Value) -> String {
    let r = rig.post(&activities(rig, conversation), &rig.bot(), body).await;
    assert_eq!(r.status, 201, "{:?}", r.bytes);
    r.json()["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_thread_is_named_in_the_conversation_and_nowhere_else() {
    let rig = Rig::new().await;
    let root = send(&rig, GENERAL, &hello("root")).await;
    let reply = send(&rig, &format!("{GENERAL};messageid={root}"), &hello("reply")).await;
    assert_eq!(rig.sim.message(GENERAL, &reply).unwrap()["replyToId"], root);
    let mut stray = hello("replyToId does not route");
    stray["replyToId"] = json!(root);
    let new = send(&rig, GENERAL, &stray).await;
    assert!(rig.sim.message(GENERAL, &new).unwrap()["replyToId"].is_null());
    let encoded = format!("{GENERAL};messageid={root}")
        .replace(':', "%3A")
        .replace('@', "%40")
        .replace(';', "%3B")
        .replace('=', "%3D");
    let third = send(&rig, &encoded, &hello("encoded")).await;
    assert_eq!(rig.sim.message(GENERAL, &third).unwrap()["replyToId"], root);
    let legacy = rig
        .post(
            &format!("{}/{root}", activities(&rig, &format!("{GENERAL};messageid={root}"))),
            &rig.bot(),
            &hello("x"),
        )
        .await;
    assert_eq!(legacy.status, 201);
    let nowhere =
        rig.post(&activities(&rig, &format!("{GENERAL};messageid=1")), &rig.bot(), &hello("x")).await;
    assert_eq!((nowhere.status, nowhere.error().0.as_str()), (404, "ConversationNotFound"));
    rig.stop().await;
}

#[tokio::test]
async fn any_prefix_before_v3_is_taken() {
    let rig = Rig::new().await;
    for prefix in ["", "/amer", "/amer/", "/teams/x/"] {
        let path = format!("{prefix}/v3/conversations/{GENERAL}/activities");
        assert_eq!(rig.post(&path, &rig.bot(), &hello("x")).await.status, 201, "{prefix}");
    }
    rig.stop().await;
}

#[tokio::test]
async fn the_three_text_formats() {
    let rig = Rig::new().await;
    for (format, text, content) in [
        (Some("xml"), "<b>A</b><br/>1 &lt; 2<script>x</script>", "<p><b>A</b><br>1 &lt; 2</p>"),
        (Some("plain"), "a <b>\nb", "<p>a &lt;b&gt;<br>b</p>"),
        (Some("markdown"), "**b** and _i_", "<p><b>b</b> and <i>i</i></p>"),
        (None, "one\ntwo\n\nthree", "<p>one two</p><p>three</p>"),
    ] {
        let mut body = json!({"type": "message", "text": text});
        if let Some(f) = format {
            body["textFormat"] = json!(f);
        }
        let id = send(&rig, GENERAL, &body).await;
        assert_eq!(rig.sim.message(GENERAL, &id).unwrap()["body"]["content"], content, "{format:?}");
    }
    rig.stop().await;
}

#[tokio::test]
async fn mentions_must_match_their_entity_exactly() {
    let rig = Rig::new().await;
    let mri = rig.sim.bot_side_person(APP, EMRE);
    let mut body = hello("Hey <at>Emre</at>");
    body["entities"] =
        json!([{"type": "mention", "text": "<at>Emre</at>", "mentioned": {"id": mri, "name": "Emre"}}]);
    let id = send(&rig, GENERAL, &body).await;
    let m = rig.sim.message(GENERAL, &id).unwrap();
    assert_eq!(m["body"]["content"], "<p>Hey <at id=\"0\">Emre</at></p>");
    assert_eq!(m["mentions"][0]["mentioned"]["user"]["id"], EMRE);
    body["entities"][0]["text"] = json!("<at>@Emre</at>");
    let id = send(&rig, GENERAL, &body).await;
    let m = rig.sim.message(GENERAL, &id).unwrap();
    assert_eq!(m["body"]["content"], "<p>Hey Emre</p>");
    assert_eq!(m["mentions"], json!([]));
    rig.stop().await;
}

#[tokio::test]
async fn text_and_card_together_lose_the_id() {
    let rig = Rig::new().await;
    let card = json!({"contentType": "application/vnd.microsoft.card.adaptive", "content": {"type": "AdaptiveCard", "body": []}});
    let both = json!({"type": "message", "text": "words", "attachments": [card]});
    let r = rig.post(&activities(&rig, GENERAL), &rig.bot(), &both).await;
    assert_eq!((r.status, r.json()), (201, json!({})));
    let all = rig.sim.messages(GENERAL);
    assert_eq!(all.len(), 2, "two messages");
    assert_eq!(all[1]["attachments"][0]["contentType"], "application/vnd.microsoft.card.adaptive");
    assert!(all[1]["body"]["content"].as_str().unwrap().starts_with("<attachment id="));
    rig.sim.with_config(|c| c.doubts.mixed_activity_loses_id = false);
    assert!(rig.post(&activities(&rig, GENERAL), &rig.bot(), &both).await.json()["id"].is_string());
    rig.stop().await;
}

#[tokio::test]
async fn attribution_needs_a_real_user() {
    let rig = Rig::new().await;
    let mut body = hello("x");
    let mri = rig.sim.bot_side_person(APP, EMRE);
    body["channelData"] =
        json!({"onBehalfOf": [{"itemid": 0, "mentionType": "person", "mri": mri, "displayName": "E"}]});
    let id = send(&rig, GENERAL, &body).await;
    assert_eq!(rig.sim.message(GENERAL, &id).unwrap()["onBehalfOf"]["user"]["id"], EMRE);
    body["channelData"]["onBehalfOf"][0]["mri"] = json!("29:stranger");
    assert_eq!(rig.post(&activities(&rig, GENERAL), &rig.bot(), &body).await.status, 400);
    rig.stop().await;
}

#[tokio::test]
async fn a_bot_changes_its_own_messages_only() {
    let rig = Rig::new().await;
    let id = send(&rig, GENERAL, &hello("one")).await;
    let path = format!("{}/{id}", activities(&rig, GENERAL));
    let r = rig.send(Method::PUT, &path, &rig.bot(), &hello("two")).await;
    assert_eq!((r.status, r.json()), (200, json!({"id": id})));
    let m = rig.sim.message(GENERAL, &id).unwrap();
    assert_eq!(m["body"]["content"], "<p>two</p>");
    assert!(!m["lastEditedDateTime"].is_null());
    let theirs = rig.sim.post(DANA, GENERAL, Draft::text("x")).unwrap();
    let foreign = format!("{}/{theirs}", activities(&rig, GENERAL));
    assert_eq!(rig.send(Method::PUT, &foreign, &rig.bot(), &hello("x")).await.status, 403);
    assert_eq!(rig.send(Method::DELETE, &foreign, &rig.bot(), &Value::Null).await.status, 403);
    assert_eq!(rig.send(Method::DELETE, &path, &rig.bot(), &Value::Null).await.status, 200);
    assert!(!rig.sim.message(GENERAL, &id).unwrap()["deletedDateTime"].is_null());
    let gone = rig.send(Method::PUT, &path, &rig.bot(), &hello("three")).await;
    assert_eq!((gone.status, gone.error().0.as_str()), (404, "ActivityNotFoundInConversation"));
    let never =
        rig.send(Method::PUT, &format!("{}/77", activities(&rig, GENERAL)), &rig.bot(), &hello("x")).await;
    assert_eq!(never.error().0, "ActivityNotFoundInConversation");
    rig.sim.with_config(|c| c.doubts.connector_delete_is_200 = false);
    let id = send(&rig, GENERAL, &hello("one")).await;
    let path = format!("{}/{id}", activities(&rig, GENERAL));
    assert_eq!(rig.send(Method::DELETE, &path, &rig.bot(), &Value::Null).await.status, 204);
    rig.stop().await;
}

#[tokio::test]
async fn reactions_of_the_bot_are_one_each() {
    let rig = Rig::new().await;
    let id = rig.sim.post(DANA, GENERAL, Draft::text("x")).unwrap();
    let path = format!("{}/{id}/reactions/1f440_eyes", activities(&rig, GENERAL));
    for _ in 0..2 {
        assert_eq!(rig.send(Method::PUT, &path, &rig.bot(), &Value::Null).await.status, 200);
    }
    let m = rig.sim.message(GENERAL, &id).unwrap();
    assert_eq!(m["reactions"].as_array().unwrap().len(), 1, "adding an existing one changes nothing");
    assert_eq!(m["reactions"][0]["reactionType"], "👀");
    assert_eq!(m["reactions"][0]["user"]["application"]["id"], APP);
    assert_eq!(rig.send(Method::DELETE, &path, &rig.bot(), &Value::Null).await.status, 200);
    assert_eq!(rig.sim.message(GENERAL, &id).unwrap()["reactions"], json!([]));
    rig.stop().await;
}

#[tokio::test]
async fn conversations_are_created_in_channels_and_with_people() {
    let rig = Rig::new().await;
    let path = rig.connector("v3/conversations");
    let thread = json!({
        "isGroup": true, "channelData": {"channel": {"id": LAUNCH}}, "bot": {"id": format!("28:{APP}")},
        "activity": hello("new thread"),
    });
    let r = rig.post(&path, &rig.bot(), &thread).await;
    assert_eq!(r.status, 201);
    let id = r.json()["activityId"].as_str().unwrap().to_owned();
    assert_eq!(r.json()["id"], format!("{LAUNCH};messageid={id}"));
    assert!(rig.sim.message(LAUNCH, &id).is_some());
    let personal = |member: String| {
        json!({
            "isGroup": false, "bot": {"id": format!("28:{APP}")}, "members": [{"id": member}], "tenantId": TENANT,
            "channelData": {"tenant": {"id": TENANT}},
        })
    };
    let r = rig.post(&path, &rig.bot(), &personal(EMRE.into())).await;
    assert_eq!((r.status, r.error().0.as_str()), (403, "ForbiddenOperationException"));
    rig.sim.install(APP, &Place::Person(EMRE.into()), EMRE);
    for member in [EMRE.to_owned(), rig.sim.bot_side_person(APP, EMRE)] {
        let r = rig.post(&path, &rig.bot(), &personal(member)).await;
        assert_eq!(r.status, 201);
        let chat = r.json()["id"].as_str().unwrap().to_owned();
        assert!(chat.starts_with("a:"));
        send(&rig, &chat, &hello("hi")).await;
    }
    assert_eq!(rig.sim.messages(&rig.sim.personal_chat_in_graph(APP, EMRE)).len(), 2);
    rig.stop().await;
}

#[tokio::test]
async fn rosters_are_paged_in_either_spelling() {
    let rig = Rig::new().await;
    for word in ["pagedMembers", "pagedmembers"] {
        let path = rig.connector(&format!("v3/conversations/{GENERAL}/{word}?pageSize=2"));
        let one = rig.get(&path, &rig.bot()).await.json();
        assert_eq!(one["members"].as_array().unwrap().len(), 2);
        let next = format!("{path}&continuationToken={}", one["continuationToken"].as_str().unwrap());
        let two = rig.get(&next, &rig.bot()).await.json();
        assert_eq!(two["members"].as_array().unwrap().len(), 1);
        assert!(two.get("continuationToken").is_none());
        let m = &one["members"][0];
        assert_eq!(m["aadObjectId"], DANA);
        assert_eq!((&m["givenName"], &m["userRole"]), (&json!("Dana"), &json!("user")));
    }
    let old =
        rig.get(&rig.connector(&format!("v3/conversations/{GENERAL}/members")), &rig.bot()).await.json();
    assert_eq!(old.as_array().unwrap().len(), 3);
    assert!(old[0]["objectId"].is_string());
    for id in [EMRE.to_owned(), rig.sim.bot_side_person(APP, EMRE)] {
        let one = rig
            .get(&rig.connector(&format!("v3/conversations/{GENERAL}/members/{id}")), &rig.bot())
            .await
            .json();
        assert_eq!(one["aadObjectId"], EMRE);
    }
    rig.stop().await;
}

#[tokio::test]
async fn teams_and_their_channels() {
    let rig = Rig::new().await;
    let team = rig.get(&rig.connector(&format!("v3/teams/{GENERAL}")), &rig.bot()).await.json();
    assert_eq!(team["aadGroupId"], TEAM);
    assert_eq!((&team["channelCount"], &team["memberCount"]), (&json!(2), &json!(3)));
    let list = rig.get(&rig.connector(&format!("v3/teams/{GENERAL}/conversations")), &rig.bot()).await.json();
    assert_eq!(list, json!({"conversations": [{"id": GENERAL}, {"id": LAUNCH, "name": "launch"}]}));
    rig.stop().await;
}

#[tokio::test]
async fn refusals_have_the_published_codes() {
    let rig = Rig::new().await;
    let to = |c: &str| activities(&rig, c);
    let none = rig.post(&to(GENERAL), "", &hello("x")).await;
    assert_eq!(none.status, 401);
    assert_eq!(none.json()["message"], "Authorization has been denied for this request.");
    let graph = rig.post(&to(GENERAL), &rig.app(), &hello("x")).await;
    assert_eq!(graph.status, 401, "a Graph token is no bot token");
    let elsewhere = rig.post(&to("19:nowhere@thread.tacv2"), &rig.bot(), &hello("x")).await;
    assert_eq!((elsewhere.status, elsewhere.error().0.as_str()), (404, "ConversationNotFound"));
    let chat = rig.post(&to(LUNCH_CHAT), &rig.bot(), &hello("x")).await;
    assert_eq!((chat.status, chat.error().0.as_str()), (403, "BotNotInConversationRoster"));
    let empty = rig.post(&to(GENERAL), &rig.bot(), &json!({"type": "message"})).await;
    assert_eq!((empty.status, empty.error().0.as_str()), (400, "Bad Argument"));
    let big = rig.post(&to(GENERAL), &rig.bot(), &hello(&"x".repeat(60_000))).await;
    assert_eq!((big.status, big.error().0.as_str()), (413, "MessageSizeTooBig"));
    let image = json!({"type": "message", "attachments": [{"contentType": "image/png",
        "contentUrl": format!("data:image/png;base64,{}", "A".repeat(200_000))}]});
    assert_eq!(rig.post(&to(GENERAL), &rig.bot(), &image).await.status, 201, "inline images do not count");
    rig.sim.block_writes(GENERAL, true);
    let blocked = rig.post(&to(GENERAL), &rig.bot(), &hello("x")).await;
    assert_eq!(blocked.status, 403);
    assert_eq!(blocked.json()["errorCode"], 209);
    let inner: Value = serde_json::from_str(blocked.json()["message"].as_str().unwrap()).unwrap();
    assert_eq!(inner["subCode"], "MessageWritesBlocked");
    rig.sim.block_writes(GENERAL, false);
    rig.sim.disable_bot(APP, true);
    let off = rig.post(&to(GENERAL), &rig.bot(), &hello("x")).await;
    assert_eq!((off.status, off.error().0.as_str()), (403, "BotDisabledByAdmin"));
    rig.sim.disable_bot(APP, false);
    rig.sim.with_app(APP, |a| a.bot = None);
    let gone = rig.post(&to(GENERAL), &rig.bot(), &hello("x")).await;
    assert_eq!((gone.status, gone.error().0.as_str()), (401, "BotNotRegistered"));
    rig.stop().await;
}

#[tokio::test]
async fn a_quoted_reply_is_completed_by_the_service() {
    let rig = Rig::new().await;
    rig.sim.install(APP, &Place::Chat(LUNCH_CHAT.into()), DANA);
    let id = rig.sim.post(DANA, LUNCH_CHAT, Draft::text("noon?")).unwrap();
    let body = json!({
        "type": "message", "textFormat": "xml", "text": format!("<quoted messageId=\"{id}\"/>yes"),
        "entities": [{"type": "quotedReply", "quotedReply": {"messageId": id}}],
    });
    let sent = send(&rig, LUNCH_CHAT, &body).await;
    let m = rig.sim.message(LUNCH_CHAT, &sent).unwrap();
    assert_eq!(m["attachments"][0]["contentType"], "messageReference");
    assert!(
        m["body"]["content"].as_str().unwrap().contains(&format!("<attachment id=\"{id}\"></attachment>yes"))
    );
    let _ = general();
    rig.stop().await;
}

#[tokio::test]
async fn a_person_may_block_the_bot() {
    let rig = Rig::new().await;
    rig.sim.install(APP, &Place::Person(EMRE.into()), EMRE);
    let chat = rig.sim.personal_chat(APP, EMRE);
    send(&rig, &chat, &hello("hi")).await;
    rig.sim.block_bot(APP, EMRE, true);
    let r = rig.post(&activities(&rig, &chat), &rig.bot(), &hello("hi")).await;
    assert_eq!((r.status, r.error().0.as_str()), (403, "ConversationBlockedByUser"));
    rig.sim.block_bot(APP, EMRE, false);
    send(&rig, &chat, &hello("hi")).await;
    rig.stop().await;
}
