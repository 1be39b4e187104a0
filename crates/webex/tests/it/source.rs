//! Opening deliveries: one fetch, what it may find, and whose words it finds.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use dragoman_model::{
    AuthorKind, Block, Control, Happening, Inline, Mention, Message, Operation, Outcome, Spokesman, Version,
    codes,
};
use dragoman_platform::{Connector as _, Failure, TokenSlot};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::fake::{FakeWebex, Reply};
use crate::support::{
    CLUSTER, Keeper, NOW_MS, bot_installation, clock, connector, connector_with, content, conversation,
    created, data, delivery, id, message_id, message_key, person, plain, post, room, session, session_of,
    session_with, uuid, wire,
};

async fn opened(reply: Value) -> (Message, FakeWebex) {
    let webex = FakeWebex::start(move |_| Reply::from(reply.clone())).await;
    let event = connector(&webex.url()).open(&session(), "events", &content(&created(1, 1))).await.unwrap();
    assert_eq!(event.conversation.unwrap().as_str(), room());
    match event.happening {
        Happening::Posted(message) => (*message, webex),
        _ => panic!("not posted"),
    }
}

#[tokio::test]
async fn the_text_is_fetched_once_by_id() {
    let (message, webex) = opened(wire(1, 1, "hello")).await;
    let call = webex.call();
    assert_eq!(call.line, format!("GET messages/{}", message_id(1)));
    assert_eq!(call.token(), "token-1");
    assert_eq!(message.id.as_str(), message_key(1));
    assert_eq!(message.author.user.unwrap().as_str(), person(1));
    assert_eq!((message.author.kind, message.version), (AuthorKind::Person, Some(Version(0))));
    assert_eq!(message.sent_at_ms, NOW_MS + 1);
    assert!(!message.origin.ours);
    assert_eq!(message.body.blocks, [Block::Paragraph(vec![Inline::Text("hello".to_owned())])]);
}

#[tokio::test]
async fn html_counts_and_people_in_it_have_one_id() {
    let mut wire = wire(1, 1, "Bo and all hello");
    wire["html"] = json!(format!(
        "<p><spark-mention data-object-type=\"person\" data-object-id=\"{}\">Bo</spark-mention> and \
         <spark-mention data-object-type=\"groupMention\" data-group-type=\"all\">all</spark-mention> \
         <strong>hello</strong></p>",
        uuid(3, 2)
    ));
    wire["updated"] = json!("2025-10-09T09:00:00.000Z");
    let (message, _webex) = opened(wire).await;
    assert_eq!(message.version, Some(Version(1_760_000_400_000)));
    let mut mentions = Vec::new();
    message.body.visit_inlines(&mut |inline| {
        if let Inline::Mention(mention) = inline {
            mentions.push(mention.clone());
        }
    });
    assert_eq!(
        mentions,
        [Mention::Person { id: person(2).into(), name: "Bo".to_owned() }, Mention::Everyone]
    );
}

#[tokio::test]
async fn bots_are_told_by_their_address_and_cards_by_their_links() {
    let mut wire = wire(1, 1, "");
    wire["personEmail"] = json!("Helper@Webex.bot");
    wire["attachments"] = json!([{ "contentType": "application/vnd.microsoft.card.adaptive", "content": {
        "actions": [
            { "type": "Action.OpenUrl", "title": "Look", "url": "https://board.example/1" },
            { "type": "Action.OpenUrl", "title": "No", "url": "javascript:alert(1)" },
            { "type": "Action.Submit", "title": "Yes" },
        ],
    } }]);
    let (message, _webex) = opened(wire).await;
    assert_eq!(message.author.kind, AuthorKind::Bot);
    assert!(matches!(&message.body.blocks[0], Block::Unsupported { kind, .. } if kind == "card"));
    let link = Inline::Link {
        url: "https://board.example/1".to_owned(),
        text: vec![Inline::Text("Look".to_owned())],
    };
    assert_eq!(message.body.blocks[1], Block::Paragraph(vec![link]));
}

#[tokio::test]
async fn files_are_named_by_their_contents_and_hold_nothing_up() {
    let webex = FakeWebex::start(|call| {
        let named = "attachment; filename=\"plan.pdf\"";
        match call.line.as_str() {
            line if line.starts_with("GET messages/") => {
                let host = &call.headers["host"];
                let mut wire = wire(1, 1, "");
                let url = |number: u32| {
                    let content = id(CLUSTER, "CONTENT", &format!("{}/{number}", uuid(1, 1)));
                    json!(format!("http://{host}/v1/contents/{content}"))
                };
                wire["files"] = json!([url(0), url(1), "https://elsewhere.example/v1/contents/x"]);
                Reply::from(wire)
            }
            line if line.ends_with(&id(CLUSTER, "CONTENT", &format!("{}/0", uuid(1, 1)))) => {
                Reply::status(200)
                    .with("Content-Disposition", named)
                    .with("Content-Length", "9000")
                    .with("X", "y")
            }
            _ => Reply::status(423).with("Retry-After", "9"),
        }
    })
    .await;
    let event = connector(&webex.url()).open(&session(), "events", &content(&created(1, 1))).await.unwrap();
    let Happening::Posted(message) = event.happening else { panic!("not posted") };
    let names: Vec<&str> = message.files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["plan.pdf", "file", "file"]);
    assert_eq!(message.files[0].size, Some(9_000));
    assert_eq!(message.files[0].id, id(CLUSTER, "CONTENT", &format!("{}/0", uuid(1, 1))));
    let lines = webex.lines();
    assert_eq!(lines.len(), 3, "the token goes to the API's hosts only: {lines:?}");
    assert!(lines[1].starts_with("HEAD contents/"));
}

#[tokio::test]
async fn an_update_and_a_second_creation_are_read_as_they_are_now() {
    let mut edited = wire(1, 1, "better");
    edited["updated"] = json!("2025-10-09T09:00:00.000Z");
    let webex = FakeWebex::start(move |_| Reply::from(edited.clone())).await;
    let connector = connector(&webex.url());
    let update = delivery("messages", "updated", &data(1, 1));
    let event = connector.open(&session(), "events", &content(&update)).await.unwrap();
    let Happening::Changed { after, before: None } = event.happening else { panic!("not changed") };
    let event = connector.open(&session(), "events", &content(&created(1, 1))).await.unwrap();
    let Happening::Posted(again) = event.happening else { panic!("not posted") };
    assert_eq!((after.version, &after.body), (again.version, &again.body));
    assert!(again.version > Some(Version(0)), "the relay sees that it is newer than the copy");
}

#[tokio::test]
async fn what_is_not_there_may_still_come_and_is_then_given_up() {
    let there = Arc::new(AtomicU32::new(2));
    let count = there.clone();
    let webex = FakeWebex::start(move |_| {
        let missing = count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if missing.is_ok() { Reply::refused(404, "Not found.") } else { Reply::from(wire(1, 1, "late")) }
    })
    .await;
    let clock = clock();
    let connector = connector_with(&webex.url(), clock.clone());
    let open = async || connector.open(&session(), "events", &content(&created(1, 1))).await;
    for _ in 0..2 {
        let failure = open().await.err().unwrap();
        assert!(matches!(failure, Failure::Retry { after_ms: Some(_), .. }), "{failure:?}");
        clock.advance(700);
    }
    assert!(matches!(open().await.unwrap().happening, Happening::Posted(_)));

    there.store(u32::MAX, Ordering::SeqCst);
    assert!(open().await.is_err());
    clock.advance(5_000);
    let happening = open().await.unwrap().happening;
    assert!(matches!(happening, Happening::Ignored(codes::DELETED_MEANWHILE)));
}

#[tokio::test]
async fn ciphertext_is_never_relayed() {
    let mut spoilt = wire(1, 1, "eyJhbGciOiJkaXIifQ");
    spoilt["errors"] = json!({ "text": { "code": "kms_failure", "reason": "No answer." } });
    let webex = FakeWebex::start(move |_| Reply::from(spoilt.clone())).await;
    let failure = connector(&webex.url()).open(&session(), "events", &content(&created(1, 1))).await.err();
    assert_eq!(failure, Some(Failure::Retry { after_ms: None, code: codes::TARGET_FAILED }));
}

#[tokio::test]
async fn a_message_of_another_space_is_none_of_this_one() {
    let mut wire = wire(1, 1, "secret");
    wire["roomId"] = json!(id(CLUSTER, "ROOM", &uuid(2, 9)));
    let webex = FakeWebex::start(move |_| Reply::from(wire.clone())).await;
    let failure = connector(&webex.url()).open(&session(), "events", &content(&created(1, 1))).await.err();
    assert_eq!(failure, Some(Failure::Malformed(codes::MALFORMED)));
}

#[tokio::test]
async fn reading_again_tells_gone_from_invisible() {
    let room_there = FakeWebex::start(|call| {
        if call.line.starts_with("GET rooms/") {
            Reply::from(json!({ "id": room(), "type": "group" }))
        } else {
            Reply::refused(404, "")
        }
    })
    .await;
    let read = async |url: &str| {
        connector(url).message(&session(), &conversation(), None, &message_key(1).into()).await
    };
    assert!(read(&room_there.url()).await.unwrap().is_none());
    let expelled = FakeWebex::start(|_| Reply::refused(404, "")).await;
    assert_eq!(read(&expelled.url()).await.err(), Some(Failure::Gone(codes::CONVERSATION_GONE)));
}

#[tokio::test]
async fn a_bots_name_is_no_part_of_what_it_is_told() {
    let mut wire = wire(1, 1, "Helper hello");
    wire["html"] = json!(format!(
        "<p><spark-mention data-object-type=\"person\" data-object-id=\"{}\">Helper</spark-mention> hello</p>",
        person(0)
    ));
    let webex = FakeWebex::start(move |_| Reply::from(wire.clone())).await;
    let session = session_of(bot_installation(), Keeper::with(TokenSlot::App, plain("bot-token")));
    let event = connector(&webex.url()).open(&session, "events", &content(&created(1, 1))).await.unwrap();
    let Happening::Posted(message) = event.happening else { panic!("not posted") };
    assert_eq!(message.body.blocks, [Block::Paragraph(vec![Inline::Text("hello".to_owned())])]);
}

#[tokio::test]
async fn members_tell_of_the_app_and_of_outsiders() {
    let happening = async |event: &str, number: u64, org: &str| {
        let member = json!({
            "id": "m", "roomId": room(), "personId": person(number), "personEmail": "x@y.example",
            "personDisplayName": "X", "personOrgId": org,
        });
        let body = delivery("memberships", event, &member);
        let event = crate::support::offline().open(&session(), "events", &content(&body)).await.unwrap();
        event.happening
    };
    let (own, other) = (crate::support::org(), id("us", "ORGANIZATION", &uuid(9, 9)));
    assert!(matches!(
        happening("created", 0, &own).await,
        Happening::Control(Control::Admitted { conversation }) if conversation.as_str() == room()
    ));
    assert!(matches!(happening("deleted", 0, &own).await, Happening::Control(Control::Expelled { .. })));
    assert!(matches!(happening("created", 1, &own).await, Happening::Notice(_)));
    assert!(matches!(happening("deleted", 1, &other).await, Happening::Notice(_)));
    assert!(matches!(
        happening("created", 1, &other).await,
        Happening::Control(Control::Shared { external: true, .. })
    ));
}

/// From where to where, with what was missed meanwhile.
fn moved(happening: &Happening) -> (&str, &str) {
    let Happening::Control(Control::Several(controls)) = happening else { panic!("not moved") };
    match controls.as_slice() {
        [Control::Moved { from, to }, Control::Missed { conversation: Some(missed) }] if missed == to => {
            (from.as_str(), to.as_str())
        }
        _ => panic!("not moved"),
    }
}

#[tokio::test]
async fn a_space_that_moves_takes_its_bridge_along() {
    let (old, new) = (id("us", "ROOM", &uuid(2, 1)), room());
    for data in [
        json!({ "id": new, "oldRoomId": old }),
        json!({ "previousId": old, "newRoomId": new }),
        json!({ "roomId": new, "fromRoomId": old, "title": "x" }),
    ] {
        let body = delivery("rooms", "migrated", &data);
        let event = crate::support::offline().open(&session(), "events", &content(&body)).await.unwrap();
        assert_eq!(moved(&event.happening), (old.as_str(), new.as_str()), "{data}");
    }
    let body = delivery("rooms", "migrated", &json!({ "id": new }));
    let event = crate::support::offline().open(&session(), "events", &content(&body)).await.unwrap();
    assert!(matches!(event.happening, Happening::Ignored(codes::KIND)));
}

/// A post with a person's own token comes back as that person's words: before the answer, after it, or instead of it.
#[tokio::test]
async fn posts_in_a_persons_name_are_told_from_what_they_type() {
    // The answer comes after the event was seen, and the event after the post.
    let (posted, seen) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let answers = Arc::new(AtomicU32::new(0));
    let (count, gate, landed) = (answers.clone(), seen.clone(), posted.clone());
    let webex = FakeWebex::start(move |call| match call.line.as_str() {
        "GET people/me" => Reply::from(json!({ "id": person(1), "type": "person" })),
        "POST messages" if count.fetch_add(1, Ordering::SeqCst) > 0 => Reply::status(502),
        "POST messages" => {
            landed.notify_one();
            Reply::from(wire(1, 1, "hello")).after(&gate)
        }
        line => {
            let number = (1..9).find(|number| line.ends_with(&message_id(*number))).unwrap();
            if number == 3 {
                gate.notify_one();
            }
            Reply::from(wire(number, 1, if number == 3 { "typed" } else { "hello" }))
        }
    })
    .await;
    let keeper = Keeper::with(TokenSlot::App, plain("token-1"));
    keeper.add(TokenSlot::Person("anna".into()), "token-anna");
    let session = session_with(keeper);
    let connector = connector(&webex.url());
    let mut own = post("hello");
    own.spokesman = Spokesman::Person("anna".into());
    let operation = Operation::Post(own);
    let space = conversation();
    let ours = async |number: u64| {
        let event = connector.open(&session, "events", &content(&created(number, 1))).await.unwrap();
        let Happening::Posted(message) = event.happening else { panic!("not posted") };
        message.origin.ours
    };
    assert!(!ours(1).await, "nothing is under way yet");
    let (outcome, (mine, typed)) = tokio::join!(connector.perform(&session, &space, &operation), async {
        posted.notified().await;
        tokio::join!(ours(1), ours(3))
    });
    assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
    assert!(mine, "the event came before the answer");
    assert!(!typed, "what the person types meanwhile is theirs");
    let sent = webex.calls().into_iter().find(|call| call.line == "POST messages").unwrap();
    assert_eq!(sent.token(), "token-anna");
    assert_eq!(sent.json()["text"], "hello", "nobody is named: the account tells who it is");

    let outcome = connector.perform(&session, &space, &operation).await;
    assert!(matches!(outcome, Outcome::Unknown(_)), "{outcome:?}");
    assert!(!ours(3).await);
    assert!(ours(2).await, "the answer was lost, what it says is known");
    assert!(!ours(4).await, "the same once more is theirs");
}

/// The event names the new id alone, and its key tells which space it was.
#[tokio::test]
async fn a_watched_space_is_known_by_its_key_after_it_moved() {
    let webex = FakeWebex::start(|call| match call.line.as_str() {
        "GET webhooks" => Reply::from(json!({ "items": [] })),
        "POST webhooks" => Reply::from(json!({ "id": id(CLUSTER, "WEBHOOK", &uuid(4, 1)) })),
        line if line.starts_with("GET rooms/") => Reply::from(json!({ "id": room(), "type": "direct" })),
        _ => Reply::status(404),
    })
    .await;
    let connector = connector(&webex.url());
    connector.watch(&session(), &conversation(), None).await.unwrap();
    let moved = id("us", "ROOM", &uuid(2, 1));
    let body = delivery("rooms", "migrated", &json!({ "id": moved, "type": "group" }));
    let event = connector.open(&session(), "events", &content(&body)).await.unwrap();
    assert_eq!(self::moved(&event.happening), (room().as_str(), moved.as_str()));
}
