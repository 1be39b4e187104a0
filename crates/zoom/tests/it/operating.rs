//! Sends, edits, deletions and reactions, as Zoom is asked for them.

use dragoman_model::{
    Block, Document, Emoji, Feature, Inline, Level, Mention, Operation, Outcome, Post, Spokesman, codes,
};
use dragoman_platform::{Connector as _, Conversation, Failure};
use serde_json::{Value, json};

use crate::fake::{FakeZoom, Reply, done, error};
use crate::support::{
    CHANNEL, app, clock, connector, connector_with, conversation, direct, id, installation, offline, post,
    session,
};

const BASE: &str = "/v2/chat/users/Bridge%2DUser%2DId/messages";

fn made(number: u64) -> Reply {
    Reply(201, "", json!({ "id": id(number).to_lowercase() }).to_string())
}

async fn perform(zoom: &FakeZoom, conversation: &Conversation, operation: &Operation) -> Outcome {
    connector(&zoom.url()).perform(&session(), conversation, operation).await
}

fn rich() -> Post {
    let text = |text: &str| Inline::Text(text.to_owned());
    let mention =
        |id: &str, name: &str| Inline::Mention(Mention::Person { id: id.into(), name: name.to_owned() });
    let body = Document {
        blocks: vec![Block::Paragraph(vec![
            mention("Cy-User-Id", "Cy"),
            text(" read "),
            Inline::Emphasis(vec![text("this")]),
            text(" "),
            Inline::Mention(Mention::Everyone),
        ])],
    };
    Post { body, thread_root: Some(id(1).into()), ..post("") }
}

#[tokio::test]
async fn a_post_has_its_author_in_front_and_its_ranges_beside() {
    let zoom = FakeZoom::start(|_| made(7)).await;
    let outcome = perform(&zoom, &conversation(), &Operation::Post(rich())).await;
    assert_eq!(outcome, Outcome::made(id(7).into(), None), "the id has the form that events have");
    let call = zoom.call();
    assert_eq!((call.what.as_str(), call.token()), (format!("POST {BASE}").as_str(), "token-1"));
    let message = "Bo Probe (Slack): @Cy read this @all";
    let expected = json!({
        "message": message,
        "to_channel": CHANNEL,
        "reply_main_message_id": id(1),
        "rich_text": [
            { "start_position": 0, "end_position": 16, "format_type": "Bold", "format_attr": "" },
            { "start_position": 27, "end_position": 30, "format_type": "Italic", "format_attr": "" },
        ],
        "at_items": [
            { "at_type": 1, "at_contact": "Cy-User-Id", "start_position": 18, "end_position": 20 },
            { "at_type": 2, "start_position": 32, "end_position": 35 },
        ],
    });
    assert_eq!(call.json(), expected);
}

#[tokio::test]
async fn typed_signs_are_text() {
    let zoom = FakeZoom::start(|_| made(7)).await;
    let text = "@all @Cy *bold* <https://x.example|x> U+1F600";
    perform(&zoom, &conversation(), &Operation::Post(post(text))).await;
    let body = zoom.call().json();
    assert_eq!(body["message"], format!("Bo Probe (Slack): {text}"));
    assert_eq!(body["at_items"], Value::Null);
    assert_eq!(body["rich_text"].as_array().unwrap().len(), 1, "the author and nothing else");
}

#[tokio::test]
async fn a_direct_conversation_has_no_mentions() {
    let zoom = FakeZoom::start(|_| made(7)).await;
    perform(&zoom, &direct(), &Operation::Post(rich())).await;
    let body = zoom.call().json();
    assert_eq!((body["to_contact"].as_str(), body["at_items"].clone()), (Some("Ana-User-Id"), Value::Null));
    assert_eq!(body["to_channel"], Value::Null);
    let levels = offline().capabilities(&installation(), &direct());
    assert_eq!(levels.level(Feature::MentionPerson), Level::Fallback);
}

#[tokio::test]
async fn an_edit_brings_the_text_alone() {
    let zoom = FakeZoom::start(|_| done()).await;
    let operation = Operation::Edit { message: id(5).into(), post: rich() };
    let outcome = perform(&zoom, &conversation(), &operation).await;
    assert_eq!(outcome, Outcome::made(id(5).into(), None));
    let call = zoom.call();
    assert_eq!(call.what, format!("PUT {BASE}/{}", id(5).replace('-', "%2D")));
    let expected = json!({ "message": "Bo Probe (Slack): @Cy read this @all", "to_channel": CHANNEL });
    assert_eq!(call.json(), expected);
    // Told beforehand.
    assert_eq!(offline().capabilities(&installation(), &conversation()).level(Feature::Edit), Level::Partial);
}

#[tokio::test]
async fn deletions_and_reactions() {
    let zoom = FakeZoom::start(|call| {
        if call.what.contains("/chat/emoji") {
            let emojis =
                json!([{ "file_id": "E0", "name": "party hat" }, { "file_id": "E1", "name": "party" }]);
            return Reply::from(json!({ "emojis": emojis }));
        }
        done()
    })
    .await;
    let delete = Operation::Delete {
        conversation: CHANNEL.into(),
        message: id(5).into(),
        thread_root: None,
        spokesman: Spokesman::App,
    };
    assert_eq!(perform(&zoom, &conversation(), &delete).await, Outcome::done());
    let call = zoom.call();
    assert!(call.what.starts_with(&format!("DELETE {BASE}/")), "{}", call.what);
    assert_eq!(call.query["to_channel"], CHANNEL);

    let react = |emoji| Operation::React {
        conversation: CHANNEL.into(),
        message: id(5).into(),
        thread_root: None,
        emoji,
        spokesman: Spokesman::App,
    };
    let thumb = react(Emoji::Unicode("\u{1f44d}\u{1f3fd}".to_owned()));
    assert_eq!(perform(&zoom, &conversation(), &thumb).await, Outcome::done());
    let call = zoom.call();
    assert!(call.what.starts_with("PATCH ") && call.what.ends_with("/emoji_reactions"), "{}", call.what);
    assert_eq!(call.json(), json!({ "action": "add", "emoji": "U+1F44DU+1F3FD", "to_channel": CHANNEL }));
    let party = |name: &str| react(Emoji::Custom { name: name.to_owned(), url: None });
    assert_eq!(perform(&zoom, &conversation(), &party("party")).await, Outcome::done());
    let calls = zoom.calls();
    assert_eq!(calls[0].query["search_key"], "party");
    let expected =
        json!({ "action": "add", "custom_emoji": true, "custom_emoji_id": "E1", "to_channel": CHANNEL });
    assert_eq!(calls[1].json(), expected);
    for unknown in ["parrot", "ok"] {
        let outcome = perform(&zoom, &conversation(), &party(unknown)).await;
        assert_eq!(outcome, Outcome::Refused(codes::REFUSED), "{unknown}");
    }
}

#[tokio::test]
async fn refusals_are_told_apart() {
    let post = Operation::Post(post("x"));
    let edit = Operation::Edit { message: id(5).into(), post: crate::support::post("x") };
    let delete = Operation::Delete {
        conversation: CHANNEL.into(),
        message: id(5).into(),
        thread_root: None,
        spokesman: Spokesman::App,
    };
    let gone = Outcome::Gone(codes::CONVERSATION_GONE);
    let cases = [
        (&post, 404, 4130, "Channel does not exist: x.", gone.clone()),
        (&post, 400, 5419, "Can not send message to an E2E channel.", gone.clone()),
        (&post, 400, 5420, "Can not send message to an archived channel.", gone.clone()),
        (&post, 400, 5421, "Can not send message to a blocked contact.", gone),
        (&post, 400, 5402, "Cannot reply to a reply.", Outcome::Refused(codes::REFUSED)),
        (
            &post,
            400,
            4711,
            "Invalid access token, does not contain scopes:[x].",
            Outcome::SignIn(codes::SCOPE),
        ),
        (&post, 401, 124, "Access token is expired.", Outcome::SignIn(codes::SIGN_IN)),
        (&post, 400, 300, "Validation Failed.", Outcome::Refused(codes::BAD_REQUEST)),
        (&edit, 400, 300, "Message does not exist: x.", Outcome::MessageGone(codes::MESSAGE_GONE)),
        (
            &edit,
            400,
            200,
            "Only the sender of this message can make updates.",
            Outcome::Refused(codes::NOT_EDITABLE),
        ),
        (&delete, 400, 300, "Channel does not exist: x", Outcome::done()),
    ];
    for (operation, status, code, message, expected) in cases {
        let zoom = FakeZoom::start(move |_| error(status, code, message)).await;
        assert_eq!(perform(&zoom, &conversation(), operation).await, expected, "{code} {message}");
    }
    let failed = FakeZoom::start(|_| error(400, 5301, "Message sending failed.")).await;
    let outcome = perform(&failed, &conversation(), &post).await;
    assert!(matches!(outcome, Outcome::Retry { after_ms: Some(10_000), .. }), "{outcome:?}");
    let limited = FakeZoom::start(|_| {
        Reply(429, "X-RateLimit-Type: QPS\r\n", json!({ "code": 429, "message": "later" }).to_string())
    })
    .await;
    let expected =
        Outcome::Retry { after_ms: Some(1_000), code: codes::RATE_LIMITED, whole_installation: true };
    assert_eq!(perform(&limited, &conversation(), &post).await, expected);
}

/// Zoom denies a message for about a second after it was sent, and knows ids in one case only, perhaps.
#[tokio::test]
async fn an_edit_right_after_the_post_is_not_lost() {
    let zoom = FakeZoom::start(|call| match call.what.split(' ').next() {
        Some("POST") => made(7),
        _ => error(400, 300, "Message does not exist: x."),
    })
    .await;
    let clock = clock();
    let connector = connector_with(&zoom.url(), clock.clone());
    let perform =
        async |operation: &Operation| connector.perform(&session(), &conversation(), operation).await;
    let Outcome::Done(made) = perform(&Operation::Post(post("x"))).await else { panic!("not sent") };
    let edit = Operation::Edit { message: made.message.unwrap(), post: post("y") };
    assert!(matches!(perform(&edit).await, Outcome::Retry { after_ms: Some(20), .. }));
    let asked = zoom.calls().pop().unwrap().what;
    assert!(asked.ends_with(&id(7).to_lowercase().replace('-', "%2D")), "as Zoom wrote it: {asked}");
    clock.advance(60_000);
    assert_eq!(perform(&edit).await, Outcome::MessageGone(codes::MESSAGE_GONE));

    // After a restart nobody remembers how Zoom wrote the id: the other form is asked for as well.
    let lower = FakeZoom::start(|call| {
        let known = call.what.ends_with(&id(7).to_lowercase().replace('-', "%2D"));
        if known { done() } else { error(400, 300, "Message does not exist: x.") }
    })
    .await;
    let fresh = crate::support::connector(&lower.url());
    assert!(matches!(fresh.perform(&session(), &conversation(), &edit).await, Outcome::Done(_)));
    assert_eq!(lower.calls().len(), 2);
}

#[tokio::test]
async fn a_channel_is_not_sent_more_than_it_takes() {
    let zoom = FakeZoom::start(|_| made(7)).await;
    let clock = clock();
    let connector = connector_with(&zoom.url(), clock.clone());
    let operation = Operation::Post(post("x"));
    let mut sent = 0;
    let wait = loop {
        match connector.perform(&session(), &conversation(), &operation).await {
            Outcome::Done(_) => sent += 1,
            Outcome::Retry { after_ms: Some(wait), code: codes::RATE_LIMITED, whole_installation: false } => {
                break wait;
            }
            other => panic!("{other:?}"),
        }
    };
    assert!((5..=10).contains(&sent), "{sent} at once");
    assert_eq!(zoom.calls().len(), sent, "what is refused was not sent");
    clock.advance(i64::try_from(wait).unwrap());
    assert!(matches!(connector.perform(&session(), &conversation(), &operation).await, Outcome::Done(_)));
}

#[tokio::test]
async fn long_texts_are_split_with_the_author_in_every_part() {
    let long = post(&"many words and then some ".repeat(200));
    let parts = offline().split(&long);
    assert!(parts.len() > 4);
    let zoom = FakeZoom::start(|_| made(7)).await;
    for body in parts {
        let part = Post { body, ..long.clone() };
        assert!(matches!(perform(&zoom, &conversation(), &Operation::Post(part)).await, Outcome::Done(_)));
        let message = zoom.call().json()["message"].as_str().unwrap().to_owned();
        assert!(message.starts_with("Bo Probe (Slack): ") && message.encode_utf16().count() <= 1_024);
    }
    let nothing = Post {
        author: dragoman_model::ShownAuthor { name: String::new(), ..long.author.clone() },
        ..post("")
    };
    let outcome = perform(&zoom, &conversation(), &Operation::Post(nothing)).await;
    assert_eq!(outcome, Outcome::Refused(codes::EMPTY));
}

#[tokio::test]
async fn an_erasure_is_reported_with_what_the_event_said() {
    let receipt = json!({ "account_id": "acct", "user_id": "u", "signature": "s" }).to_string();
    let zoom = FakeZoom::start(|_| Reply(200, "", String::new())).await;
    assert_eq!(connector(&zoom.url()).uninstalled(&app(), &receipt).await, Ok(()));
    let call = zoom.call();
    assert_eq!(call.what, "POST /oauth/data/compliance");
    assert_eq!(call.headers["authorization"], "Basic Y2xpZW50LTE6Y2xpZW50LXNlY3JldA==");
    let expected = json!({
        "client_id": "client-1", "user_id": "u", "account_id": "acct", "compliance_completed": true,
        "deauthorization_event_received": { "account_id": "acct", "user_id": "u", "signature": "s" },
    });
    assert_eq!(call.json(), expected);
    // The call is retired: where it is gone, there is nobody to tell.
    let retired = FakeZoom::start(|_| Reply(404, "", "<html>".to_owned())).await;
    assert_eq!(connector(&retired.url()).uninstalled(&app(), &receipt).await, Ok(()));
    let down = FakeZoom::start(|_| Reply(503, "", String::new())).await;
    let failed = connector(&down.url()).uninstalled(&app(), &receipt).await;
    assert!(matches!(failed, Err(Failure::Retry { .. })), "{failed:?}");
}
