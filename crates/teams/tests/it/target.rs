//! What goes out, and what the answers mean.

use std::sync::Arc;

use dragoman_model::codes::{ADDRESS_BLOCKED, CONVERSATION_GONE, NOT_JOINED, RATE_LIMITED, SIGN_IN};
use dragoman_model::{
    Block, Document, Emoji, Inline, Mention, Operation, Outcome, PersonId, Post, Spokesman, Version,
};
use dragoman_platform::{Connector as _, ConversationKind, Failure, TokenSet, TokenSlot};
use dragoman_seal::Token;
use serde_json::json;

use crate::fake::{Call, Reply};
use crate::support::{ANA, CHAT, Keeper, NOW_MS, ROOM, TEAM, TENANT, World, conversation, paragraph, post};

const ROOM_PATH: &str = "19%3Aroom%40thread.tacv2";

fn made(call: &Call) -> Option<Reply> {
    let post = call.method == "POST" && call.path.ends_with("/activities");
    post.then(|| Reply(201, None, json!({ "id": "1768039200500" }).to_string()))
}

#[tokio::test]
async fn a_post_carries_the_name_line_and_escapes_everything() {
    let world = World::start(made).await;
    let operation = Operation::Post(post(ROOM, vec![paragraph("1 < 2 & <at>x</at>")]));
    let outcome = world.connector.perform(&world.session(), &world.room(), &operation).await;
    assert_eq!(outcome, Outcome::made("1768039200500".into(), Some(Version(1_768_039_200_500))));
    let call = world.fake.calls().remove(0);
    assert_eq!(
        (call.line(), call.token()),
        (format!("POST /svc/v3/conversations/{ROOM_PATH}/activities"), "bot-token")
    );
    let body = call.json();
    assert_eq!((body["type"].as_str(), body["textFormat"].as_str()), (Some("message"), Some("xml")));
    let text = body["text"].as_str().unwrap();
    assert!(text.starts_with("<b>Bo &lt;Probe&gt; (Slack)</b><br/>"), "{text}");
    assert!(text.contains("1 &lt; 2 &amp; &lt;at&gt;x&lt;/at&gt;"), "{text}");
    assert!(body.get("entities").is_none());
}

#[tokio::test]
async fn replies_edits_deletions_and_reactions_have_their_paths() {
    let world = World::start(|call| {
        made(call).or_else(|| call.path.contains("/activities/").then(|| json!({ "id": "5" }).into()))
    })
    .await;
    let (session, room) = (world.session(), world.room());
    let mut reply = post(ROOM, vec![paragraph("re")]);
    reply.thread_root = Some("1".into());
    let spokesman = Spokesman::App;
    let emoji = Emoji::Unicode("\u{1f44d}".into());
    let (conversation, message, thread_root) = (ROOM.into(), "5".into(), Some("1".into()));
    let operations = [
        Operation::Post(reply.clone()),
        Operation::Edit { message: "5".into(), post: post(ROOM, vec![paragraph("new")]) },
        Operation::Delete {
            conversation: ROOM.into(),
            message: "5".into(),
            thread_root: None,
            spokesman: spokesman.clone(),
        },
        Operation::React {
            conversation: ROOM.into(),
            message: "5".into(),
            thread_root: None,
            emoji: emoji.clone(),
            spokesman: spokesman.clone(),
        },
        Operation::Unreact { conversation, message, thread_root, emoji, spokesman },
    ];
    for operation in &operations {
        let outcome = world.connector.perform(&session, &room, operation).await;
        assert!(matches!(outcome, Outcome::Done(_)), "{}: {outcome:?}", operation.name());
    }
    let thread = format!("{ROOM_PATH}%3Bmessageid%3D1");
    assert_eq!(
        world.fake.lines(),
        [
            format!("POST /svc/v3/conversations/{thread}/activities"),
            format!("PUT /svc/v3/conversations/{ROOM_PATH}/activities/5"),
            format!("DELETE /svc/v3/conversations/{ROOM_PATH}/activities/5"),
            format!("PUT /svc/v3/conversations/{ROOM_PATH}/activities/5/reactions/like"),
            format!("DELETE /svc/v3/conversations/{thread}/activities/5/reactions/like"),
        ]
    );
    // Chats have no threads.
    let mut in_chat = post(CHAT, vec![paragraph("re")]);
    in_chat.thread_root = Some("1".into());
    world.connector.perform(&session, &world.chat(), &Operation::Post(in_chat)).await;
    assert_eq!(world.fake.lines(), ["POST /svc/v3/conversations/19%3Achat%40thread.v2/activities"]);
}

#[tokio::test]
async fn mentions_match_their_text_and_carry_the_bots_ids() {
    let world = World::start(|call| {
        let member = call.path.ends_with(&format!("/members/{ANA}"));
        member.then(|| json!({ "id": "29:ana", "aadObjectId": ANA }).into()).or_else(|| made(call))
    })
    .await;
    let named = |id: &str, name: &str| Inline::Mention(Mention::Person { id: id.into(), name: name.into() });
    let blocks = vec![Block::Paragraph(vec![
        named(ANA, "Ana <Sample>"),
        Inline::Text(" ".into()),
        named("unknown", "Ed"),
        Inline::Text(" ".into()),
        Inline::Mention(Mention::Everyone),
    ])];
    let session = world.session();
    world.connector.perform(&session, &world.room(), &Operation::Post(post(ROOM, blocks))).await;
    let body = world.fake.calls().into_iter().find(|call| call.method == "POST").unwrap().json();
    let ids: Vec<&str> = body["entities"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["mentioned"]["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["29:ana", "unknown"]);
    for entity in body["entities"].as_array().unwrap() {
        assert!(body["text"].as_str().unwrap().contains(entity["text"].as_str().unwrap()), "{body}");
        assert_eq!(entity["text"], format!("<at>{}</at>", entity["mentioned"]["name"].as_str().unwrap()));
    }
    // A bot cannot call everybody.
    assert!(body["text"].as_str().unwrap().contains("@everyone"));
    // A person can.
    let (_, slot) = person();
    let set = TokenSet { access: Token::new("ana-token".into()), refresh: None, expires_at_ms: None };
    let session = world.session_with(Keeper::with(slot, set));
    for (conversation, place, kind) in [(ROOM, world.room(), "channel"), (CHAT, world.chat(), "chat")] {
        let everyone = Block::Paragraph(vec![Inline::Mention(Mention::Everyone)]);
        let operation = Operation::Post(as_person(post(conversation, vec![everyone])));
        world.connector.perform(&session, &place, &operation).await;
        let body = world.fake.calls().into_iter().find(|call| call.method == "POST").unwrap().json();
        let called = &body["mentions"][0]["mentioned"]["conversation"];
        assert_eq!(
            (&called["id"], &called["conversationIdentityType"]),
            (&json!(conversation), &json!(kind))
        );
    }
}

#[tokio::test]
async fn notices_of_our_own_have_no_name_line() {
    let world = World::start(made).await;
    let mut notice = post(ROOM, vec![paragraph("linked")]);
    notice.author.via = String::new();
    world.connector.perform(&world.session(), &world.room(), &Operation::Post(notice)).await;
    assert!(!world.fake.calls()[0].json()["text"].as_str().unwrap().contains("<b>"));
}

#[tokio::test]
async fn the_token_goes_to_listed_hosts_only_and_the_newest_address_counts() {
    let world = World::start(made).await;
    let operation = Operation::Post(post("19:far@thread.v2", vec![paragraph("x")]));
    let elsewhere = conversation("19:far@thread.v2", "http://127.0.0.2:1/");
    let outcome = world.connector.perform(&world.session(), &elsewhere, &operation).await;
    assert_eq!(outcome, Outcome::Refused(ADDRESS_BLOCKED));
    assert!(world.fake.all_calls().is_empty(), "not even a token was asked for");
    // An activity names another address of the service than the one that was remembered.
    let moved = format!("{}/moved/", world.fake.url());
    let mut activity =
        crate::support::activity(&world, "message", &json!({ "text": "x", "serviceUrl": moved }));
    activity["conversation"] =
        json!({ "id": "19:far@thread.v2", "tenantId": TENANT, "conversationType": "groupChat" });
    activity["channelData"] = json!({ "tenant": { "id": TENANT } });
    world.receive(&world.signed(&activity)).await.unwrap();
    world.fake.calls();
    world.connector.perform(&world.session(), &elsewhere, &operation).await;
    assert_eq!(world.fake.lines(), ["POST /moved/v3/conversations/19%3Afar%40thread.v2/activities"]);
}

#[tokio::test]
async fn one_token_serves_many_until_it_nears_its_end_and_is_replaced_once_when_refused() {
    let world = World::start(made).await;
    let (session, room) = (world.session(), world.room());
    let operation = Operation::Post(post(ROOM, vec![paragraph("x")]));
    let both = tokio::join!(
        world.connector.perform(&session, &room, &operation),
        world.connector.perform(&session, &room, &operation)
    );
    assert!(matches!(both, (Outcome::Done(_), Outcome::Done(_))));
    let tokens =
        |world: &World| world.fake.all_calls().iter().filter(|call| call.path.ends_with("/token")).count();
    assert_eq!(tokens(&world), 1, "one request for both");
    world.clock.advance(3_200_000);
    world.connector.perform(&session, &room, &operation).await;
    assert_eq!(tokens(&world), 0);
    world.clock.advance(120_000);
    world.connector.perform(&session, &room, &operation).await;
    assert_eq!(tokens(&world), 1, "ahead of its end");

    let refusing =
        World::start(|call| call.path.contains("/v3/").then(|| Reply::error(401, "Unauthorized"))).await;
    let outcome = refusing.connector.perform(&refusing.session(), &refusing.room(), &operation).await;
    assert_eq!(outcome, Outcome::SignIn(SIGN_IN));
    let lines: Vec<String> = refusing.fake.all_calls().iter().map(|call| call.path.clone()).collect();
    assert_eq!(lines.iter().filter(|path| path.ends_with("/token")).count(), 2);
    assert_eq!(lines.iter().filter(|path| path.contains("/v3/")).count(), 2);
}

#[tokio::test]
async fn a_login_service_that_refuses_or_is_away() {
    let operation = Operation::Post(post(ROOM, vec![paragraph("x")]));
    for (status, body, expected) in [
        (401, r#"{"error":"invalid_client","error_codes":[7000222]}"#, Outcome::SignIn(SIGN_IN)),
        (429, "{}", Outcome::retry_after(3_000, RATE_LIMITED)),
    ] {
        let world = World::start(move |call| {
            call.path.ends_with("/token").then(|| Reply(status, Some("3"), body.to_owned()))
        })
        .await;
        assert_eq!(world.connector.perform(&world.session(), &world.room(), &operation).await, expected);
    }
}

#[tokio::test]
async fn refusals_by_their_codes() {
    for (status, wait, body, expected) in [
        (429, Some("2.128"), r#"{"error":{"code":"Throttled"}}"#, Outcome::retry_after(2_128, RATE_LIMITED)),
        (
            403,
            None,
            r#"{"errorCode":209,"message":"{\r\n \"subCode\": \"MessageWritesBlocked\"\r\n}"}"#,
            Outcome::Gone(CONVERSATION_GONE),
        ),
    ] {
        let world = World::start(move |call| {
            call.path.contains("/v3/").then(|| Reply(status, wait, body.to_owned()))
        })
        .await;
        let operation = Operation::Post(post(ROOM, vec![paragraph("x")]));
        assert_eq!(world.connector.perform(&world.session(), &world.room(), &operation).await, expected);
    }
}

fn person() -> (PersonId, TokenSlot) {
    let person = PersonId::from("person-1");
    (person.clone(), TokenSlot::Person(person))
}

fn as_person(mut it: Post) -> Post {
    it.spokesman = Spokesman::Person(person().0);
    it
}

#[tokio::test]
async fn a_person_speaks_through_graph_in_their_own_name() {
    let world = World::start(|call| {
        if call.method == "POST" && call.path.ends_with("/messages") || call.path.ends_with("/replies") {
            return Some(Reply(201, None, json!({ "id": "1768039200500" }).to_string()));
        }
        call.path.starts_with("/v1.0/").then(|| Reply(204, None, String::new()))
    })
    .await;
    let (who, slot) = person();
    let set = TokenSet { access: Token::new("ana-token".into()), refresh: None, expires_at_ms: None };
    let session = world.session_with(Keeper::with(slot, set));
    let mention = Inline::Mention(Mention::Person { id: "oid-bo".into(), name: "Bo".into() });
    let mut reply = as_person(post(ROOM, vec![Block::Paragraph(vec![mention])]));
    reply.thread_root = Some("1".into());
    let spokesman = Spokesman::Person(who);
    let root = || Some("1".into());
    let emoji = Emoji::Unicode("\u{1f498}".into());
    for operation in [
        Operation::Post(as_person(post(ROOM, vec![paragraph("x")]))),
        Operation::Post(reply.clone()),
        Operation::Edit { message: "5".into(), post: reply },
        Operation::Delete {
            conversation: ROOM.into(),
            message: "5".into(),
            thread_root: root(),
            spokesman: spokesman.clone(),
        },
        Operation::React {
            conversation: ROOM.into(),
            message: "5".into(),
            thread_root: None,
            emoji: emoji.clone(),
            spokesman: spokesman.clone(),
        },
        Operation::Unreact {
            conversation: ROOM.into(),
            message: "5".into(),
            thread_root: None,
            emoji,
            spokesman,
        },
    ] {
        let outcome = world.connector.perform(&session, &world.room(), &operation).await;
        assert!(matches!(outcome, Outcome::Done(_)), "{}: {outcome:?}", operation.name());
    }
    let calls = world.fake.calls();
    assert!(calls.iter().all(|call| call.token() == "ana-token"));
    let base = format!("/v1.0/teams/{TEAM}/channels/{ROOM_PATH}/messages");
    let lines: Vec<String> = calls.iter().map(Call::line).collect();
    assert_eq!(
        lines,
        [
            format!("POST {base}"),
            format!("POST {base}/1/replies"),
            format!("PATCH {base}/1/replies/5"),
            format!("POST {base}/1/replies/5/softDelete"),
            format!("POST {base}/5/setReaction"),
            format!("POST {base}/5/unsetReaction"),
        ]
    );
    let first = calls[0].json();
    assert!(!first["body"]["content"].as_str().unwrap().contains("Slack"), "no name line");
    let second = calls[1].json();
    assert!(second["body"]["content"].as_str().unwrap().contains("<at id=\"0\">Bo</at>"), "{second}");
    assert_eq!(second["mentions"][0]["mentioned"]["user"]["id"], "oid-bo");
    assert_eq!(calls[4].json()["reactionType"], "\u{1f498}");
}

#[tokio::test]
async fn a_persons_token_is_refreshed_and_kept_before_it_is_used() {
    let world = World::start(|call| {
        if call.body.contains("grant_type=refresh_token") {
            assert!(call.body.contains("refresh_token=old-refresh"));
            return Some(
                json!({ "access_token": "fresh", "refresh_token": "new-refresh", "expires_in": 3600 }).into(),
            );
        }
        call.path
            .ends_with("/messages")
            .then(|| Reply(201, None, json!({ "id": "1768039200500" }).to_string()))
    })
    .await;
    let (_, slot) = person();
    let set = TokenSet {
        access: Token::new("old".into()),
        refresh: Some(Token::new("old-refresh".into())),
        expires_at_ms: Some(NOW_MS - 1),
    };
    let keeper = Keeper::with(slot.clone(), set);
    let session = world.session_with(keeper.clone());
    let operation = Operation::Post(as_person(post(ROOM, vec![paragraph("x")])));
    for _ in 0..2 {
        let outcome = world.connector.perform(&session, &world.room(), &operation).await;
        assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
    }
    assert_eq!(keeper.refresh_token(&slot), "new-refresh");
    let calls = world.fake.all_calls();
    assert_eq!(calls.iter().filter(|call| call.path.ends_with("/token")).count(), 1);
    assert!(calls.iter().filter(|call| call.path.ends_with("/messages")).all(|call| call.token() == "fresh"));
    // Nobody granted a token.
    let nobody = world.session_with(Arc::new(Keeper::default()));
    assert_eq!(world.connector.perform(&nobody, &world.room(), &operation).await, Outcome::SignIn(SIGN_IN));
}

#[tokio::test]
async fn parts_fit_with_their_name_line() {
    let world = World::quiet().await;
    let long = Document { blocks: vec![paragraph(&"words and & signs ".repeat(9_000))] };
    let mut it = post(ROOM, long.blocks);
    assert!(world.connector.split(&it).len() > 3);
    it.body = Document::plain("short");
    assert_eq!(world.connector.split(&it).len(), 1);
    it.body = Document::default();
    assert_eq!(world.connector.split(&it).len(), 1, "at least one part");
}

#[tokio::test]
async fn the_bots_chat_with_a_person_is_made_where_the_app_was_added() {
    let world = World::start(|call| {
        let create = call.line() == "POST /svc/v3/conversations";
        create.then(|| match call.json()["members"][0]["id"].as_str() {
            Some(ANA) => Reply(201, None, json!({ "id": "a:1ana" }).to_string()),
            _ => Reply(403, None, json!({ "error": { "code": "ForbiddenOperationException" } }).to_string()),
        })
    })
    .await;
    let (session, greeting) = (world.session(), post("", vec![]));
    let found = world.connector.direct(&session, &ANA.into(), None, &greeting).await.unwrap();
    let (direct, greeted) = (found.conversation, found.greeted);
    assert_eq!((direct.remote.as_str(), direct.kind, greeted), ("a:1ana", ConversationKind::Direct, false));
    assert_eq!(direct.facts["user"], ANA);
    let body = world.fake.calls().remove(0).json();
    assert_eq!((&body["isGroup"], body["tenantId"].as_str()), (&json!(false), Some(TENANT)));
    let refused = world.connector.direct(&session, &"29:bo".into(), None, &greeting).await.err();
    assert_eq!(refused, Some(Failure::Refused(NOT_JOINED)));
    let known = world.connector.direct(&session, &ANA.into(), Some(&"a:2".into()), &greeting).await.unwrap();
    assert_eq!(known.conversation.remote.as_str(), "a:2");
}
