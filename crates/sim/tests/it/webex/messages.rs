use dragoman_sim::webex::WebexDoubts;
use http::Method;
use serde_json::{Value, json};

use super::bench::{
    Bench, CLUSTER, GENERAL, GITA, HENRIK, LAUNCH, SERVICE, TOKEN, config, id, message, next_link, parts,
    person, personal, room,
};

#[tokio::test]
async fn a_post_answers_200_with_what_the_service_made_of_it() {
    let bench = Bench::new().await;
    let posted = bench
        .says(GENERAL, json!({"markdown": "**Ana:** hi\nthere <@personEmail:gita.rao@larkfield.example>"}))
        .await;
    assert_eq!(
        posted["html"],
        format!(
            "<p><strong>Ana:</strong> hi<br>there <spark-mention data-object-type=\"person\" data-object-id=\"{}\">Gita \
             Rao</spark-mention></p>",
            person(GITA)
        )
    );
    assert_eq!(posted["text"], "Ana: hi there Gita Rao");
    assert_eq!(posted["mentionedPeople"], json!([person(GITA)]));
    assert_eq!(posted["personEmail"], "bridge@larkfield.example");
    assert_eq!(posted["roomType"], "group");
    assert!(posted.get("updated").is_none() && posted.get("parentId").is_none());
    let plain = bench.says(GENERAL, json!({"text": "**not** markdown"})).await;
    assert_eq!(plain["text"], "**not** markdown");
    assert!(plain.get("html").is_none() && plain.get("markdown").is_none());
    let both = bench.says(GENERAL, json!({"text": "fallback", "markdown": "_shown_"})).await;
    assert_eq!((&both["text"], &both["html"]), (&json!("fallback"), &json!("<p><em>shown</em></p>")));
    let all = bench.says(GENERAL, json!({"markdown": "<@all> up"})).await;
    assert_eq!(all["mentionedGroups"], json!(["all"]));
    bench.done().await;
}

#[tokio::test]
async fn newlines_and_strikethrough_are_switches() {
    let mut config = config();
    config.doubts = WebexDoubts { newline_breaks: false, strikethrough: true, ..WebexDoubts::default() };
    let bench = Bench::with(config).await;
    let posted = bench.says(GENERAL, json!({"markdown": "a\nb ~~c~~"})).await;
    assert_eq!(posted["html"], "<p>a\nb <del>c</del></p>");
    assert_eq!(posted["text"], "a b c");
    bench.done().await;
}

#[tokio::test]
async fn posts_need_one_destination_and_some_content() {
    let bench = Bench::new().await;
    let refused = async |body: Value| {
        let (status, answer) = bench.post(TOKEN, "/messages", body).await;
        (status, message(&answer).to_owned())
    };
    let general = room(GENERAL);
    let one = "Exactly one of the destination fields must not be empty (roomId, toPersonEmail, toPersonId)";
    assert_eq!(refused(json!({"text": "x"})).await, (400, one.to_owned()));
    let two = json!({"roomId": general, "toPersonEmail": "gita.rao@larkfield.example", "text": "x"});
    assert_eq!(refused(two).await, (400, one.to_owned()));
    assert_eq!(refused(json!({"roomId": general})).await.1, "Both text and file cannot be empty.");
    assert_eq!(refused(json!({"roomId": general, "html": "<b>x</b>"})).await.0, 400);
    assert_eq!(refused(json!({"roomId": "!!", "text": "x"})).await.1, "Expect base64 ID or UUID.");
    let nowhere = room("00000000-0000-4000-8000-000000000000");
    let missing = refused(json!({"roomId": nowhere, "text": "x"})).await;
    assert_eq!(missing, (404, "Could not find a room with provided ID.".to_owned()));
    bench.done().await;
}

#[tokio::test]
async fn texts_are_limited_by_bytes() {
    let bench = Bench::new().await;
    let most = "é".repeat(3_719) + "x";
    assert_eq!(most.len(), 7_439);
    bench.says(GENERAL, json!({"text": most})).await;
    for field in ["text", "markdown"] {
        let (status, body) =
            bench.post(TOKEN, "/messages", json!({"roomId": room(GENERAL), field: format!("{most}y")})).await;
        assert_eq!(status, 400);
        assert_eq!(message(&body), "Unable to post message to room: \"The request payload is too big\"");
    }
    bench.done().await;
}

#[tokio::test]
async fn a_message_to_a_person_finds_or_makes_the_conversation() {
    let bench = Bench::new().await;
    let to = json!({"toPersonEmail": "gita.rao@larkfield.example", "text": "just you"});
    let (status, first) = bench.post(TOKEN, "/messages", to).await;
    assert_eq!((status, first["roomType"].as_str()), (200, Some("direct")));
    let (_, second) =
        bench.post(TOKEN, "/messages", json!({"toPersonId": person(GITA), "text": "again"})).await;
    assert_eq!(first["roomId"], second["roomId"]);
    let path = format!("/messages/direct?personId={}", person(SERVICE));
    let list = bench.get(&personal("gita.rao"), &path).await.1;
    assert_eq!(list["items"].as_array().unwrap().len(), 2);
    // Both sides see different titles.
    let path = format!("/rooms/{}", first["roomId"].as_str().unwrap());
    assert_eq!(bench.get(TOKEN, &path).await.1["title"], "Gita Rao");
    assert_eq!(bench.get(&personal("gita.rao"), &path).await.1["title"], "Dragoman Bridge");
    assert_eq!(bench.get(&personal("henrik.dahl"), &path).await.0, 404);
    let nobody = json!({"toPersonEmail": "who@else.example", "text": "x"});
    assert_eq!(bench.post(TOKEN, "/messages", nobody).await.0, 404);
    bench.done().await;
}

#[tokio::test]
async fn threads_have_one_level() {
    let bench = Bench::new().await;
    let root = bench.says(GENERAL, json!({"text": "root"})).await;
    let reply = bench.says(GENERAL, json!({"text": "reply", "parentId": id(&root)})).await;
    assert_eq!(reply["parentId"], root["id"]);
    let refused = async |to: &str, parent: &Value| {
        let body = json!({"roomId": room(to), "text": "x", "parentId": parent});
        bench.post(TOKEN, "/messages", body).await.0
    };
    assert_eq!(refused(GENERAL, &reply["id"]).await, 400, "a reply is no parent");
    assert_eq!(refused(LAUNCH, &root["id"]).await, 400, "nor a message of another space");
    let path = format!("/messages?roomId={}&parentId={}", room(GENERAL), id(&root));
    let replies = bench.get(TOKEN, &path).await.1;
    assert_eq!(replies["items"].as_array().unwrap().len(), 1);
    let shown = bench.get(TOKEN, &format!("/messages/{}", id(&root))).await.1;
    assert!(shown.get("replyCount").is_none());
    // Deleting the root leaves the replies.
    assert_eq!(bench.delete(TOKEN, &format!("/messages/{}", id(&root))).await.0, 204);
    assert_eq!(bench.get(TOKEN, &format!("/messages/{}", id(&reply))).await.0, 200);
    assert_eq!(refused(GENERAL, &root["id"]).await, 400, "nor a deleted one");
    bench.done().await;
}

#[tokio::test]
async fn bad_parents_and_lost_roots_are_switches() {
    let mut config = config();
    config.doubts =
        WebexDoubts { bad_parent_not_found: true, root_takes_replies: true, ..WebexDoubts::default() };
    let bench = Bench::with(config).await;
    let root = bench.says(GENERAL, json!({"text": "root"})).await;
    let reply = bench.says(GENERAL, json!({"text": "reply", "parentId": id(&root)})).await;
    let body = json!({"roomId": room(GENERAL), "text": "x", "parentId": reply["id"]});
    assert_eq!(bench.post(TOKEN, "/messages", body).await.0, 404);
    assert_eq!(bench.delete(TOKEN, &format!("/messages/{}", id(&root))).await.0, 204);
    assert_eq!(bench.get(TOKEN, &format!("/messages/{}", id(&reply))).await.0, 404);
    bench.done().await;
}

#[tokio::test]
async fn a_message_can_be_edited_ten_times() {
    let bench = Bench::new().await;
    let posted = bench.says(GENERAL, json!({"text": "v0"})).await;
    let path = format!("/messages/{}", id(&posted));
    let general = room(GENERAL);
    for version in 1..=10 {
        let (status, edited) =
            bench.put(TOKEN, &path, json!({"roomId": general, "markdown": format!("**v{version}**")})).await;
        assert_eq!(status, 200, "{edited}");
        assert_eq!(edited["text"], format!("v{version}"));
        assert_eq!((&edited["id"], &edited["created"]), (&posted["id"], &posted["created"]));
        assert!(edited["updated"].is_string());
    }
    let (status, body) = bench.put(TOKEN, &path, json!({"roomId": general, "text": "v11"})).await;
    assert_eq!(status, 400, "{body}");
    assert!(message(&body).contains("maximum number of edits"));
    let shown = bench.get(TOKEN, &path).await.1;
    assert_eq!(shown["text"], "v10");
    bench.done().await;
}

#[tokio::test]
async fn text_alone_takes_the_markdown_away() {
    let bench = Bench::new().await;
    let posted = bench.says(GENERAL, json!({"markdown": "**bold**"})).await;
    let body = json!({"roomId": room(GENERAL), "text": "plain"});
    let edited = bench.put(TOKEN, &format!("/messages/{}", id(&posted)), body).await.1;
    assert_eq!(edited["text"], "plain");
    assert!(edited.get("html").is_none() && edited.get("markdown").is_none());
    bench.done().await;
}

#[tokio::test]
async fn edits_need_the_space_the_author_and_no_files() {
    let bench = Bench::new().await;
    let posted = bench.says(GENERAL, json!({"text": "mine"})).await;
    let path = format!("/messages/{}", id(&posted));
    let general = room(GENERAL);
    assert_eq!(bench.put(TOKEN, &path, json!({"text": "no room"})).await.0, 400);
    assert_eq!(bench.put(TOKEN, &path, json!({"roomId": room(LAUNCH), "text": "other"})).await.0, 400);
    assert_eq!(
        bench.put(TOKEN, &path, json!({"roomId": general, "html": "<b>x</b>", "text": "x"})).await.0,
        400
    );
    assert_eq!(bench.put(TOKEN, &path, json!({"roomId": general})).await.0, 400);
    let other = bench.put(&personal("gita.rao"), &path, json!({"roomId": general, "text": "theirs"})).await;
    assert_eq!(other.0, 403);
    let card = json!([{"contentType": "application/vnd.microsoft.card.adaptive",
        "content": {"type": "AdaptiveCard", "version": "1.3", "body": []}}]);
    let carded = bench.says(GENERAL, json!({"text": "card", "attachments": card})).await;
    let path = format!("/messages/{}", id(&carded));
    assert_eq!(bench.put(TOKEN, &path, json!({"roomId": general, "text": "x"})).await.0, 400);
    bench.done().await;
}

#[tokio::test]
async fn deleted_messages_are_404_for_everybody_else() {
    let bench = Bench::new().await;
    let posted = bench.says(GENERAL, json!({"text": "gone soon"})).await;
    let path = format!("/messages/{}", id(&posted));
    let (status, body) = bench.delete(&personal("gita.rao"), &path).await;
    assert_eq!((status, message(&body)), (403, "Unable to delete message."));
    assert_eq!(bench.delete(TOKEN, &path).await.0, 204);
    assert_eq!(bench.get(TOKEN, &path).await.0, 404);
    assert_eq!(bench.delete(TOKEN, &path).await.0, 404);
    let list = bench.get(TOKEN, &format!("/messages?roomId={}", room(GENERAL))).await.1;
    assert_eq!(list["items"], json!([]));
    bench.done().await;
}

#[tokio::test]
async fn moderators_delete_what_others_wrote_and_alone_speak_in_announcement_mode() {
    let bench = Bench::new().await;
    let (general, gita) = (room(GENERAL), person(GITA));
    let posted = bench.says(GENERAL, json!({"text": "x"})).await;
    bench.sim.set_moderator(&gita, &general, &gita, true).unwrap();
    assert_eq!(bench.delete(&personal("gita.rao"), &format!("/messages/{}", id(&posted))).await.0, 204);
    bench.sim.set_announcement_only(&gita, &general, true).unwrap();
    assert_eq!(bench.post(TOKEN, "/messages", json!({"roomId": general, "text": "x"})).await.0, 403);
    let own = json!({"roomId": general, "text": "listen"});
    assert_eq!(bench.post(&personal("gita.rao"), "/messages", own).await.0, 200);
    bench.done().await;
}

#[tokio::test]
async fn lists_are_newest_first_and_paged_by_message() {
    let bench = Bench::new().await;
    for number in 0..5 {
        bench.says(GENERAL, json!({"text": number.to_string()})).await;
    }
    let mut url = format!("/messages?roomId={}&max=2", room(GENERAL));
    let mut texts = Vec::new();
    let mut links = Vec::new();
    loop {
        let answer = bench.call(TOKEN, Method::GET, &url, &Value::Null).await;
        for item in parts(&answer).1["items"].as_array().unwrap() {
            texts.push(item["text"].as_str().unwrap().to_owned());
        }
        let Some(next) = next_link(&answer) else { break };
        links.push(next.clone());
        url = next;
    }
    assert_eq!(texts, ["4", "3", "2", "1", "0"]);
    assert_eq!(links.len(), 2);
    assert!(links[0].contains("beforeMessage="));
    let (status, body) = bench.get(TOKEN, "/messages").await;
    assert_eq!((status, message(&body)), (400, "Required String parameter 'roomId' is not present"));
    let (status, _) = bench.get(TOKEN, &format!("/messages?roomId={}&before=nonsense", room(GENERAL))).await;
    assert_eq!(status, 400);
    let early = format!("/messages?roomId={}&before=2020-01-01T00:00:00.000Z", room(GENERAL));
    assert_eq!(bench.get(TOKEN, &early).await.1["items"], json!([]));
    bench.done().await;
}

#[tokio::test]
async fn a_max_beyond_the_cap_is_lowered_or_refused() {
    let bench = Bench::new().await;
    let path = format!("/messages?roomId={}&max=5000", room(GENERAL));
    assert_eq!(bench.get(TOKEN, &path).await.0, 200);
    bench.done().await;
    let mut config = config();
    config.doubts = WebexDoubts { large_max_refused: true, ..WebexDoubts::default() };
    let bench = Bench::with(config).await;
    assert_eq!(bench.get(TOKEN, &path).await.0, 400);
    assert_eq!(bench.get(TOKEN, "/rooms?max=5000").await.0, 400);
    bench.done().await;
}

#[tokio::test]
async fn what_people_type_has_html_only_when_it_is_rich() {
    let bench = Bench::new().await;
    let (general, gita) = (room(GENERAL), person(GITA));
    let plain = bench.sim.post(&gita, &general, "just words").unwrap();
    let shown = bench.get(TOKEN, &format!("/messages/{plain}")).await.1;
    assert_eq!(shown["text"], "just words");
    assert!(shown.get("html").is_none() && shown.get("markdown").is_none());
    let rich = bench.sim.post(&gita, &general, "hello @Henrik Dahl, **now**").unwrap();
    let shown = bench.get(TOKEN, &format!("/messages/{rich}")).await.1;
    assert_eq!(shown["text"], "hello Henrik Dahl, now");
    assert!(shown.get("markdown").is_none());
    assert_eq!(shown["mentionedPeople"], json!([person(HENRIK)]));
    assert!(shown["html"].as_str().unwrap().contains(&format!("data-object-id=\"{}\"", person(HENRIK))));
    bench.done().await;
}

#[tokio::test]
async fn typed_mentions_may_carry_the_bare_uuid() {
    let mut config = config();
    config.doubts = WebexDoubts { mentions_by_uuid: true, ..WebexDoubts::default() };
    let bench = Bench::with(config).await;
    let posted = bench.sim.post(&person(GITA), &room(GENERAL), "@Henrik Dahl and @All").unwrap();
    let shown = bench.get(TOKEN, &format!("/messages/{posted}")).await.1;
    assert!(shown["html"].as_str().unwrap().contains(&format!("data-object-id=\"{HENRIK}\"")));
    assert_eq!(shown["mentionedPeople"], json!([person(HENRIK)]));
    assert_eq!(shown["mentionedGroups"], json!(["all"]));
    bench.done().await;
}

#[tokio::test]
async fn a_reply_in_a_client_goes_to_the_root() {
    let bench = Bench::new().await;
    let root = bench.sim.post(&person(GITA), &room(GENERAL), "root").unwrap();
    let first = bench.sim.reply(&person(HENRIK), &root, "first").unwrap();
    let second = bench.sim.reply(&person(GITA), &first, "second").unwrap();
    let shown = bench.get(TOKEN, &format!("/messages/{second}")).await.1;
    assert_eq!(shown["parentId"], root);
    bench.sim.edit(&person(GITA), &second, "second thoughts").unwrap();
    assert!(bench.sim.edit(&person(HENRIK), &second, "mine now").is_err());
    bench.sim.delete(&person(HENRIK), &first).unwrap();
    let texts: Vec<Value> =
        bench.sim.messages(&room(GENERAL)).iter().map(|one| one["text"].clone()).collect();
    assert_eq!(texts, ["root", "second thoughts"]);
    bench.done().await;
}

#[tokio::test]
async fn what_retention_takes_away_is_gone_without_a_word() {
    let bench = Bench::new().await;
    bench.firehose(TOKEN).await;
    let posted = bench.sim.post(&person(GITA), &room(GENERAL), "old").unwrap();
    bench.sim.purge(&posted).unwrap();
    assert_eq!(bench.get(TOKEN, &format!("/messages/{posted}")).await.0, 404);
    let mark = bench.sim.post(&person(GITA), &room(GENERAL), "new").unwrap();
    bench.app.wait(1, |request| request.json["data"]["id"] == mark.as_str()).await;
    assert!(bench.app.matching(&|request| request.name() == "messages.deleted").is_empty());
    bench.done().await;
}

#[tokio::test]
async fn a_space_moved_to_another_region_has_new_ids() {
    let bench = Bench::new().await;
    bench.hook(TOKEN, json!({"resource": "rooms", "event": "migrated"})).await;
    let posted = bench.says(LAUNCH, json!({"text": "before"})).await;
    let moved = bench.sim.migrate(&room(LAUNCH), "us").unwrap();
    assert_ne!(moved, room(LAUNCH));
    let told = bench.app.event("rooms.migrated").await;
    assert_eq!(told.json["data"]["id"], moved);
    assert_eq!(bench.get(TOKEN, &format!("/rooms/{}", room(LAUNCH))).await.0, 404);
    assert_eq!(bench.get(TOKEN, &format!("/messages/{}", id(&posted))).await.0, 404);
    let list = bench.get(TOKEN, &format!("/messages?roomId={moved}")).await.1;
    assert_eq!(list["items"][0]["text"], "before");
    assert!(!list["items"][0]["id"].as_str().unwrap().is_empty());
    assert_eq!(CLUSTER, "urn:TEAM:eu-central-1_k");
    bench.done().await;
}

#[tokio::test]
async fn clients_copy_links_to_messages_of_their_spaces() {
    let bench = Bench::new().await;
    let posted = bench.says(GENERAL, json!({"text": "over here"})).await;
    let link = bench.sim.copy_link(GITA, id(&posted)).unwrap();
    let key = |kind: &str, id: &str| dragoman_sim::webex::ids::read(kind, id).unwrap().key;
    let (space, message) = (key("ROOM", posted["roomId"].as_str().unwrap()), key("MESSAGE", id(&posted)));
    assert_eq!(link, format!("webexteams://im?space={space}&message={message}"));
    assert!(bench.sim.copy_link(dragoman_sim::webex::seed::JONAS, id(&posted)).is_err());
    bench.done().await;
}
