//! Operations: what is sent, and what answers mean.

use dragoman_model::{
    Block, Capabilities, Done, Emoji, Feature, Inline, Level, Mention, Operation, Outcome, Spokesman,
    Version, codes,
};
use dragoman_platform::{Connector as _, ConversationKind, TokenSet, TokenSlot};
use dragoman_seal::Token;
use serde_json::json;

use crate::fake::{Call, FakeWebex, Reply};
use crate::support::{
    Keeper, NOW_MS, app, connector, conversation, data, delivery, installation, message_id, message_key,
    offline, person, plain, post, post_of, room, session, session_with, signed, wire,
};

async fn performed(
    operation: &Operation,
    answer: impl Fn(&Call) -> Reply + Send + Sync + 'static,
) -> (Outcome, Vec<Call>) {
    let webex = FakeWebex::start(answer).await;
    let outcome = connector(&webex.url()).perform(&session(), &conversation(), operation).await;
    (outcome, webex.calls())
}

fn edit(text: &str) -> Operation {
    Operation::Edit { message: message_key(1).into(), post: post(text) }
}

#[tokio::test]
async fn a_post_names_its_author_and_has_markdown_and_text() {
    let body = vec![Block::Paragraph(vec![
        Inline::Text("see ".to_owned()),
        Inline::Strong(vec![Inline::Text("this".to_owned())]),
        Inline::Text(" <@all> *x*".to_owned()),
    ])];
    let mut post = post_of(body);
    post.thread_root = Some(message_key(9).into());
    let (outcome, calls) = performed(&Operation::Post(post), |_| Reply::from(wire(1, 0, "x"))).await;
    assert_eq!(outcome, Outcome::made(message_key(1).into(), Some(Version(0))));
    let sent = calls[0].json();
    assert_eq!((calls.len(), calls[0].line.as_str()), (1, "POST messages"));
    assert!(calls[0].headers["content-type"].starts_with("application/json"));
    let keys: Vec<&String> = sent.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["markdown", "parentId", "roomId", "text"], "never html");
    assert_eq!(
        (sent["roomId"].as_str().unwrap(), sent["parentId"].as_str().unwrap()),
        (room().as_str(), message_id(9).as_str())
    );
    let markdown = sent["markdown"].as_str().unwrap();
    assert!(markdown.starts_with("**Bo Probe (Slack):** see **this** "), "{markdown}");
    assert!(!markdown.contains("<@"), "{markdown}");
    assert!(sent["text"].as_str().unwrap().starts_with("Bo Probe (Slack): see this "));
    assert!(!sent["text"].as_str().unwrap().contains("<@"));
}

#[tokio::test]
async fn only_mentions_of_the_tree_mention() {
    let mention =
        |id: &str| Inline::Mention(Mention::Person { id: id.into(), name: "Bo |> <@all>".to_owned() });
    let body = vec![Block::Paragraph(vec![mention(&person(2)), Inline::Mention(Mention::Everyone)])];
    let (_, calls) = performed(&Operation::Post(post_of(body)), |_| Reply::from(wire(1, 0, "x"))).await;
    let markdown = calls[0].json()["markdown"].as_str().unwrap().to_owned();
    assert_eq!(markdown.matches("<@").count(), 2, "{markdown}");
    assert!(markdown.contains(&format!("<@personId:{}|", person(2))) && markdown.contains("<@all>"));
    let mut sly = post_of(vec![Block::Code { language: None, text: "<@all>".to_owned() }]);
    sly.author.name = "<@all> **x** [y](https://z.example)".to_owned();
    let (_, calls) = performed(&Operation::Post(sly), |_| Reply::from(wire(1, 0, "x"))).await;
    assert!(!calls[0].json()["markdown"].as_str().unwrap().contains("<@"));
}

#[tokio::test]
async fn a_reply_to_a_reply_goes_to_the_root() {
    let mut post = post("hello");
    post.thread_root = Some(message_key(5).into());
    let (outcome, calls) = performed(&Operation::Post(post.clone()), |call| {
        if call.line.starts_with("GET messages/") {
            let mut reply = wire(5, 1, "x");
            reply["parentId"] = json!(message_id(4));
            Reply::from(reply)
        } else if call.json()["parentId"] == json!(message_id(4)) {
            Reply::from(wire(1, 0, "x"))
        } else {
            Reply::refused(400, "Unable to post message to room.")
        }
    })
    .await;
    assert_eq!(outcome, Outcome::made(message_key(1).into(), Some(Version(0))));
    assert_eq!(calls.len(), 3);
    for status in [400, 404] {
        let (outcome, _) =
            performed(&Operation::Post(post.clone()), move |_| Reply::refused(status, "")).await;
        assert_eq!(outcome, Outcome::MessageGone(codes::MESSAGE_GONE), "the relay posts it without a root");
    }
}

#[tokio::test]
async fn edits_send_the_space_again_and_learn_the_version() {
    let (outcome, calls) = performed(&edit("new"), |_| {
        let mut wire = wire(1, 0, "new");
        wire["updated"] = json!("2025-10-09T09:00:00.000Z");
        Reply::from(wire)
    })
    .await;
    assert_eq!(calls[0].line, format!("PUT messages/{}", message_id(1)));
    let sent = calls[0].json();
    let keys: Vec<&String> = sent.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["markdown", "roomId", "text"]);
    let done = Done {
        message: Some(message_key(1).into()),
        version: Some(Version(1_760_000_400_000)),
        beside: None,
    };
    assert_eq!(outcome, Outcome::Done(done));
    for (status, text) in [(400, "The edit limit is reached."), (400, "Files cannot be edited"), (403, "")] {
        let (outcome, _) = performed(&edit("x"), move |_| Reply::refused(status, text)).await;
        assert_eq!(outcome, Outcome::Refused(codes::NOT_EDITABLE));
    }
}

#[tokio::test]
async fn deleting_what_is_gone_is_done() {
    let operation = |spokesman| Operation::Delete {
        conversation: room().into(),
        message: message_key(1).into(),
        thread_root: None,
        spokesman,
    };
    for status in [204, 404, 410] {
        let (outcome, calls) = performed(&operation(Spokesman::App), move |_| Reply::status(status)).await;
        assert_eq!(outcome, Outcome::done(), "{status}");
        assert_eq!(calls[0].line, format!("DELETE messages/{}", message_id(1)));
    }
    let (outcome, calls) =
        performed(&operation(Spokesman::Person("nobody".into())), |_| Reply::status(204)).await;
    assert_eq!((outcome, calls.len()), (Outcome::SignIn(codes::SIGN_IN), 0), "no token, no call");
}

#[tokio::test]
async fn reactions_have_no_interface_and_cost_no_call() {
    let operation = Operation::React {
        conversation: room().into(),
        message: message_key(1).into(),
        thread_root: None,
        emoji: Emoji::Unicode("\u{1f44d}".to_owned()),
        spokesman: Spokesman::App,
    };
    let (outcome, calls) = performed(&operation, |_| Reply::status(200)).await;
    assert_eq!((outcome, calls.len()), (Outcome::Refused(codes::NOT_CARRIED), 0));
}

#[tokio::test]
async fn an_hour_of_waiting_is_passed_on() {
    for (header, expected) in [(Some("3600"), 3_600_000), (None, 15_000)] {
        let (outcome, _) = performed(&Operation::Post(post("x")), move |_| {
            let reply = Reply::status(429);
            if let Some(seconds) = header { reply.with("Retry-After", seconds) } else { reply }
        })
        .await;
        let wait =
            Outcome::Retry { after_ms: Some(expected), code: codes::RATE_LIMITED, whole_installation: true };
        assert_eq!(outcome, wait);
    }
}

fn ending_at(end_ms: i64) -> TokenSet {
    TokenSet {
        access: Token::new("old".to_owned()),
        refresh: Some(Token::new("refresh-1".to_owned())),
        expires_at_ms: Some(end_ms),
    }
}

#[tokio::test]
async fn tokens_are_refreshed_ahead_and_after_a_401_once() {
    const DAY_MS: i64 = 86_400_000;
    for (end_ms, refreshes) in [(NOW_MS + 10 * DAY_MS, true), (NOW_MS + DAY_MS, false), (NOW_MS - 1, false)] {
        let webex = FakeWebex::start(|call| match (call.line.as_str(), call.token()) {
            ("POST access_token", _) => Reply::from(json!({
                "access_token": "new", "expires_in": 1_209_599, "refresh_token": "refresh-2",
                "refresh_token_expires_in": 7_775_999, "token_type": "Bearer",
            })),
            (_, "new") => Reply::from(wire(1, 0, "x")),
            _ => Reply::refused(401, "The request requires a valid access token."),
        })
        .await;
        let keeper = Keeper::with(TokenSlot::App, ending_at(end_ms));
        let session = session_with(keeper.clone());
        let connector = connector(&webex.url());
        for _ in 0..2 {
            let outcome = connector.perform(&session, &conversation(), &Operation::Post(post("x"))).await;
            assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
        }
        let calls = webex.calls();
        let lines: Vec<&str> = calls.iter().map(|call| call.line.as_str()).collect();
        let ahead = ["POST access_token", "POST messages", "POST messages"];
        let late = ["POST messages", "POST access_token", "POST messages", "POST messages"];
        assert_eq!(lines, if refreshes { &late[..] } else { &ahead[..] });
        let form = calls.iter().find(|call| call.line == "POST access_token").unwrap().form();
        assert_eq!(
            (form["grant_type"].as_str(), form["refresh_token"].as_str()),
            ("refresh_token", "refresh-1")
        );
        assert_eq!((form["client_id"].as_str(), form["client_secret"].as_str()), ("C1", "client-secret"));
        assert_eq!(*keeper.puts.lock().unwrap(), 1);
    }
}

#[tokio::test]
async fn a_refresh_that_fails_is_told_apart() {
    for (status, expected) in [
        (400, Outcome::SignIn(codes::SIGN_IN)),
        (401, Outcome::SignIn(codes::SIGN_IN)),
        (503, Outcome::Retry { after_ms: None, code: codes::TARGET_FAILED, whole_installation: false }),
    ] {
        let webex = FakeWebex::start(move |_| Reply::refused(status, "no")).await;
        let session = session_with(Keeper::with(TokenSlot::App, ending_at(NOW_MS - 1)));
        let connector = connector(&webex.url());
        let outcome = connector.perform(&session, &conversation(), &Operation::Post(post("x"))).await;
        assert_eq!(outcome, expected);
        assert_eq!(webex.lines(), ["POST access_token"], "nothing was posted");
    }
    // What does not end and is refused needs a person.
    let webex = FakeWebex::start(|_| Reply::refused(401, "")).await;
    let session = session_with(Keeper::with(TokenSlot::App, plain("bot")));
    let outcome =
        connector(&webex.url()).perform(&session, &conversation(), &Operation::Post(post("x"))).await;
    assert_eq!(outcome, Outcome::SignIn(codes::SIGN_IN));
}

#[tokio::test]
async fn long_names_and_texts_fit() {
    let mut long = post(&"\u{20ac}<&*_ ".repeat(3_000));
    long.author.name = "\u{1f469}".repeat(300);
    let parts = offline().split(&long);
    assert!(parts.len() > 2);
    for part in parts {
        let operation = Operation::Post(dragoman_model::Post { body: part, ..long.clone() });
        let (_, calls) = performed(&operation, |_| Reply::from(wire(1, 0, "x"))).await;
        for key in ["markdown", "text"] {
            let length = calls[0].json()[key].as_str().unwrap().len();
            assert!(length <= 7_439, "{key} has {length} bytes");
        }
    }
}

#[test]
fn capabilities_follow_the_scopes_and_the_account() {
    let all: Capabilities = offline().capabilities(&installation(), &conversation());
    assert_eq!((all.max_edits, all.unannounced_edits_ms), (Some(10), Some(300_000)));
    assert_eq!(all.reorder_window_ms, 300);
    assert!(all.reread && all.history && all.read_back);
    assert_eq!(all.level(Feature::Edit), Level::Partial);
    let mut poor = installation();
    poor.scopes = ["spark:messages_write".to_owned()].into();
    assert!(!offline().capabilities(&poor, &conversation()).reread);
    poor.scopes = ["spark:all".to_owned()].into();
    assert!(offline().capabilities(&poor, &conversation()).reread);
    let bot = offline().capabilities(&crate::support::bot_installation(), &conversation());
    assert!(bot.reread && !bot.read_back, "no list shows a bot its own posts");
}

#[tokio::test]
async fn a_direct_space_is_made_by_its_first_message() {
    let webex = FakeWebex::start(|call| match call.line.as_str() {
        "POST messages" => Reply::from(wire(1, 0, "x")),
        _ => Reply::from(json!({ "id": room(), "type": "direct", "title": "Ana" })),
    })
    .await;
    let (connector, session) = (connector(&webex.url()), session());
    let person = person(4);
    let found = connector.direct(&session, &person.as_str().into(), None, &post("hello")).await.unwrap();
    assert!(found.greeted && found.conversation.name.is_empty());
    assert_eq!(found.conversation.kind, ConversationKind::Direct);
    let sent = webex.calls()[0].json();
    assert_eq!(sent["toPersonId"].as_str(), Some(person.as_str()));
    assert!(sent.get("roomId").is_none() && sent["markdown"].as_str().unwrap().ends_with("hello"));

    let known = Some(found.conversation.remote.clone());
    let again = connector.direct(&session, &person.as_str().into(), known.as_ref(), &post("hello")).await;
    assert!(!again.unwrap().greeted);
    let calls = webex.calls();
    assert!(
        !calls.is_empty() && calls.iter().all(|call| call.line != "POST messages"),
        "nobody is greeted twice"
    );
}

#[tokio::test]
async fn only_direct_spaces_are_the_apps_own() {
    let connector = offline();
    for (kind, own) in [("direct", true), ("group", false)] {
        let mut data = data(1, 4);
        data["roomType"] = json!(kind);
        let request = signed(delivery("messages", "created", &data));
        let delivery = connector.receive(&app(), &request).await.unwrap();
        assert_eq!(connector.is_for_app(&installation(), &delivery.items[0]), own, "{kind}");
    }
}
