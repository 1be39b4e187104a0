//! Operations: what is sent, and what the answers mean.

use dragoman_model::{
    Block, Document, Emoji, Inline, Operation, Outcome, PersonId, RemoteMessage, Spokesman, codes,
};
use dragoman_platform::{Connector as _, ConversationKind, Failure, Session, TokenSlot};
use serde_json::{Value, json};
use std::sync::Arc;

use crate::fake::{FakeSlack, Reply, error};
use crate::support::{Keeper, connector, conversation, installation, plain, post, session, session_with};

const TS: &str = "1760000001.000100";

fn made() -> Reply {
    Reply::from(json!({ "ok": true, "channel": "CROOM", "ts": TS, "message": { "ts": TS } }))
}

async fn perform(slack: &FakeSlack, session: &Session, operation: Operation) -> Outcome {
    connector(&slack.url()).perform(session, &conversation(), &operation).await
}

#[tokio::test]
async fn a_post_carries_author_thread_and_marker() {
    let slack = FakeSlack::start(|_| made()).await;
    let mut post = post("hello");
    post.thread_root = Some("1760000000.000100".into());
    post.broadcast = true;
    let outcome = perform(&slack, &session(), Operation::Post(post)).await;
    assert_eq!(outcome, Outcome::made(RemoteMessage::from(TS), None));
    let call = slack.call();
    assert_eq!(call.method, "chat.postMessage");
    assert_eq!(call.token(), "xoxb-1");
    assert_eq!(call.headers["content-type"], "application/json; charset=utf-8");
    let mut sent = call.json();
    assert_eq!(sent["blocks"][0]["type"], "rich_text");
    sent["blocks"] = Value::Null;
    assert_eq!(
        sent,
        json!({
            "channel": "CROOM", "text": "hello", "blocks": null,
            "thread_ts": "1760000000.000100", "reply_broadcast": true,
            "username": "Bo Probe (Teams)", "icon_url": "https://gateway.example/avatar/1",
            "unfurl_links": false, "unfurl_media": false,
            "metadata": { "event_type": "dragoman_copy", "event_payload": { "k": "marker-1" } },
        })
    );
}

#[tokio::test]
async fn faces() {
    let slack = FakeSlack::start(|_| made()).await;

    // Without the scope the name stands above the text.
    let mut limited = installation();
    limited.scopes.insert("chat:write".to_owned());
    let session = Session { installation: Arc::new(limited), ..session() };
    perform(&slack, &session, Operation::Post(post("hello"))).await;
    let sent = slack.call().json();
    assert!(sent.get("username").is_none());
    assert!(sent["text"].as_str().unwrap().starts_with("*Bo Probe (Teams)*"), "{sent}");

    // As the person: their token, no name.
    let keeper = Keeper::with(TokenSlot::App, plain("xoxb-1"));
    keeper.add(TokenSlot::Person(PersonId::from("p-1")), "xoxp-1");
    let mut own = post("hello");
    own.spokesman = Spokesman::Person(PersonId::from("p-1"));
    perform(&slack, &session_with(keeper), Operation::Post(own.clone())).await;
    let call = slack.call();
    assert_eq!(call.token(), "xoxp-1");
    assert!(call.json().get("username").is_none() && call.json()["text"] == "hello");

    // Who granted nothing cannot speak.
    own.spokesman = Spokesman::Person(PersonId::from("p-2"));
    let outcome = perform(&slack, &session, Operation::Post(own)).await;
    assert_eq!(outcome, Outcome::SignIn(codes::SIGN_IN));

    // Notices of the gateway's own.
    let mut notice = post("bridged");
    notice.author.via = String::new();
    perform(&slack, &session, Operation::Post(notice)).await;
    assert!(slack.call().json().get("username").is_none());
}

#[tokio::test]
async fn a_line_for_one_person_is_seen_by_nobody_else() {
    let slack = FakeSlack::start(|call| match call.json()["user"].as_str() {
        Some("UANA") => Reply::from(json!({ "ok": true, "message_ts": TS })),
        _ => Reply::from(json!({ "ok": false, "error": "user_not_in_channel" })),
    })
    .await;
    let whisper = async |user: &str| {
        let mut line = post("only you");
        line.author.via = String::new();
        line.thread_root = Some("1760000000.000100".into());
        connector(&slack.url()).whisper(&session(), &conversation(), &user.into(), &line).await
    };
    assert!(matches!(whisper("UANA").await, Outcome::Done(_)));
    let call = slack.call();
    let sent = call.json();
    assert_eq!(call.method, "chat.postEphemeral");
    assert_eq!((sent["user"].as_str(), sent["channel"].as_str()), (Some("UANA"), Some("CROOM")));
    assert_eq!(sent["thread_ts"], "1760000000.000100");
    assert!(sent.get("metadata").is_none() && sent.get("username").is_none(), "{sent}");
    assert_eq!(whisper("UGONE").await, Outcome::Refused(codes::REFUSED));
}

#[tokio::test]
async fn nothing_typed_becomes_a_mention() {
    let slack = FakeSlack::start(|_| made()).await;
    let mut wild = post("<!channel> <@UANA> & <#C1> <!subteam^S1>");
    wild.author.name = "<!here> *x*".to_owned();
    perform(&slack, &session(), Operation::Post(wild)).await;
    let sent = slack.call().json();
    let text = sent["text"].as_str().unwrap();
    assert!(!text.contains('<') && text.contains("&lt;!channel&gt;"), "{text}");
    let blocks = sent["blocks"].to_string();
    for kind in ["\"broadcast\"", "\"user\"", "\"usergroup\"", "\"channel\""] {
        assert!(!blocks.contains(&format!("\"type\":{kind}")), "{blocks}");
    }
}

#[tokio::test]
async fn edit_delete_react() {
    let slack = FakeSlack::start(|call| match call.method.as_str() {
        "chat.update" => Reply::from(json!({
            "ok": true, "ts": TS, "message": { "edited": { "user": "BOWN", "ts": "1760000009.000000" } },
        })),
        _ => Reply::from(json!({ "ok": true })),
    })
    .await;
    let edit = Operation::Edit { message: TS.into(), post: post("better") };
    let Outcome::Done(done) = perform(&slack, &session(), edit).await else { panic!("not done") };
    assert_eq!(done.version.unwrap().0, 1_760_000_009_000_000);
    let call = slack.call();
    assert_eq!(call.method, "chat.update");
    let sent = call.json();
    assert_eq!((sent["ts"].as_str(), sent["text"].as_str()), (Some(TS), Some("better")));
    assert_eq!(sent["metadata"]["event_payload"]["k"], "marker-1");
    assert!(sent["blocks"].is_array() && sent.get("username").is_none());

    let place = || ("CROOM".into(), RemoteMessage::from(TS), None, Spokesman::App);
    let (conversation, message, thread_root, spokesman) = place();
    perform(&slack, &session(), Operation::Delete { conversation, message, thread_root, spokesman }).await;
    let calls = slack.calls();
    assert_eq!(calls.len(), 2, "looked at for files, then deleted");
    let (look, call) = (&calls[0], &calls[1]);
    assert_eq!((look.method.as_str(), look.form()["latest"].as_str()), ("conversations.history", TS));
    assert_eq!((call.method.as_str(), call.json()), ("chat.delete", json!({ "channel": "CROOM", "ts": TS })));

    let thumb = Emoji::Unicode("\u{1f44d}\u{1f3fd}".to_owned());
    let (conversation, message, thread_root, spokesman) = place();
    let react = Operation::React { conversation, message, thread_root, emoji: thumb, spokesman };
    perform(&slack, &session(), react).await;
    let call = slack.call();
    assert_eq!(call.method, "reactions.add");
    assert_eq!(call.json(), json!({ "channel": "CROOM", "timestamp": TS, "name": "+1::skin-tone-4" }));

    let custom = Emoji::Custom { name: "party-blob".to_owned(), url: None };
    let (conversation, message, thread_root, spokesman) = place();
    let unreact = Operation::Unreact { conversation, message, thread_root, emoji: custom, spokesman };
    perform(&slack, &session(), unreact).await;
    let call = slack.call();
    assert_eq!(
        (call.method.as_str(), call.json()["name"].as_str()),
        ("reactions.remove", Some("party-blob"))
    );

    let unknown = Emoji::Unicode("\u{10ffff}".to_owned());
    let (conversation, message, thread_root, spokesman) = place();
    let react = Operation::React { conversation, message, thread_root, emoji: unknown, spokesman };
    assert_eq!(perform(&slack, &session(), react).await, Outcome::Refused(codes::REFUSED));
    assert!(slack.calls().is_empty());
}

#[tokio::test]
async fn refused_blocks_are_sent_again_as_text() {
    let slack =
        FakeSlack::start(
            |call| {
                if call.json().get("blocks").is_some() { error("invalid_blocks") } else { made() }
            },
        )
        .await;
    let outcome = perform(&slack, &session(), Operation::Post(post("hello"))).await;
    assert!(matches!(outcome, Outcome::Done(_)));
    assert_eq!(slack.calls().len(), 2);

    let stubborn = FakeSlack::start(|_| error("invalid_blocks")).await;
    let outcome = perform(&stubborn, &session(), Operation::Post(post("hello"))).await;
    assert_eq!(outcome, Outcome::Refused(codes::BAD_REQUEST));
    assert_eq!(stubborn.calls().len(), 2, "once more, not more often");
}

#[tokio::test]
async fn answers_of_slack() {
    let retry = |after_ms, code, whole_installation| Outcome::Retry { after_ms, code, whole_installation };
    let operations = || {
        let conversation = || "CROOM".into();
        let emoji = Emoji::Unicode("\u{1f44d}".to_owned());
        [
            Operation::Post(post("a")),
            Operation::Edit { message: TS.into(), post: post("a") },
            Operation::Delete {
                conversation: conversation(),
                message: TS.into(),
                thread_root: None,
                spokesman: Spokesman::App,
            },
            Operation::React {
                conversation: conversation(),
                message: TS.into(),
                thread_root: None,
                emoji,
                spokesman: Spokesman::App,
            },
        ]
    };
    let same = |outcome: Outcome| [outcome.clone(), outcome.clone(), outcome.clone(), outcome];
    let failed = || retry(None, codes::TARGET_FAILED, false);
    let table: Vec<(&str, [Outcome; 4])> = vec![
        ("ratelimited", same(retry(Some(30_000), codes::RATE_LIMITED, false))),
        ("message_limit_exceeded", same(retry(Some(30_000), codes::RATE_LIMITED, true))),
        ("internal_error", [Outcome::Unknown(codes::TARGET_FAILED), failed(), failed(), failed()]),
        ("fatal_error", [Outcome::Unknown(codes::TARGET_FAILED), failed(), failed(), failed()]),
        ("team_added_to_org", same(retry(Some(120_000), codes::TARGET_FAILED, true))),
        ("invalid_auth", same(Outcome::SignIn(codes::SIGN_IN))),
        ("account_inactive", same(Outcome::SignIn(codes::SIGN_IN))),
        (
            "missing_scope",
            [
                Outcome::SignIn(codes::SCOPE),
                Outcome::SignIn(codes::SCOPE),
                Outcome::SignIn(codes::SCOPE),
                Outcome::Refused(codes::SCOPE),
            ],
        ),
        ("channel_not_found", same(Outcome::Gone(codes::CONVERSATION_GONE))),
        ("is_archived", same(Outcome::Gone(codes::CONVERSATION_GONE))),
        (
            "message_not_found",
            [
                Outcome::MessageGone(codes::MESSAGE_GONE),
                Outcome::MessageGone(codes::MESSAGE_GONE),
                Outcome::done(),
                Outcome::MessageGone(codes::MESSAGE_GONE),
            ],
        ),
        ("already_reacted", same(Outcome::done())),
        ("msg_too_long", same(Outcome::Refused(codes::MESSAGE_TOO_LONG))),
        ("no_text", same(Outcome::Refused(codes::BAD_REQUEST))),
        ("a_code_of_next_year", same(Outcome::Refused(codes::REFUSED))),
    ];
    for (code, expected) in table {
        let slack = FakeSlack::start(move |_| error(code)).await;
        for (operation, expected) in operations().into_iter().zip(expected) {
            let name = operation.name();
            assert_eq!(perform(&slack, &session(), operation).await, expected, "{code} to {name}");
        }
    }
}

#[test]
fn parts_keep_their_order_and_nothing_is_lost() {
    let words: Vec<String> = (0..3_000).map(|number| format!("w{number}")).collect();
    let mut long = post("");
    long.body = Document { blocks: vec![Block::Paragraph(vec![Inline::Text(words.join(" "))])] };
    let parts = crate::support::offline().split(&long);
    assert!(parts.len() > 3);
    let texts: Vec<String> = parts.iter().map(|part| dragoman_markup::slack::render(part).text).collect();
    assert!(texts.iter().all(|text| text.chars().count() <= 4_000));
    let back: Vec<String> = texts.join(" ").split_whitespace().map(str::to_owned).collect();
    assert_eq!(back, words);
}

#[tokio::test]
async fn the_apps_conversation_with_a_person_is_opened_by_id() {
    let slack = FakeSlack::start(|_| Reply::from(json!({ "ok": true, "channel": { "id": "DANA" } }))).await;
    let connector = connector(&slack.url());
    let (session, greeting) = (session(), post(""));
    let found = connector.direct(&session, &"UANA".into(), None, &greeting).await.unwrap();
    let direct = (found.conversation.remote.as_str(), found.conversation.kind, found.greeted);
    assert_eq!(direct, ("DANA", ConversationKind::Direct, false));
    let call = slack.call();
    assert_eq!((call.method.as_str(), call.form()["users"].as_str()), ("conversations.open", "UANA"));

    // Where it is known, nobody is asked.
    let known = connector.direct(&session, &"UANA".into(), Some(&"DTWO".into()), &greeting).await.unwrap();
    assert_eq!(known.conversation.remote.as_str(), "DTWO");

    let mut limited = installation();
    limited.scopes.insert("chat:write".to_owned());
    let session = Session { installation: Arc::new(limited), ..session };
    let refused = connector.direct(&session, &"UANA".into(), None, &greeting).await.err();
    assert_eq!(refused, Some(Failure::Refused(codes::SCOPE)));
}
