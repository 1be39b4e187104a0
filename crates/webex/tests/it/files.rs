//! Files: what is asked, what is sent, what answers mean.

use bytes::Bytes;
use dragoman_model::{FileRef, Outcome, Spokesman, codes};
use dragoman_platform::conformance::{FILE_TEXT, FileManner};
use dragoman_platform::{Connector as _, Failure, FileBytes, Share, TokenSet, TokenSlot};
use dragoman_seal::Token;
use futures_util::{StreamExt as _, stream};
use serde_json::json;

use crate::fake::{Call, FakeWebex, Reply};
use crate::support::{
    CLUSTER, Keeper, clock, connector, connector_with, conversation, id, message_id, message_key, plain,
    post, room, session, session_with, uuid, wire,
};

fn content() -> String {
    id(CLUSTER, "CONTENT", &format!("{}/0", uuid(1, 5)))
}

pub(crate) fn file() -> FileRef {
    FileRef { id: content(), name: "plan.txt".to_owned(), media_type: None, size: None, permalink: None }
}

pub(crate) fn share(text: &str) -> Share {
    let mut post = post(text);
    if text.is_empty() {
        post.body = dragoman_model::Document::default();
    }
    Share {
        post,
        name: "a \"plan\" for \u{fc}.txt".to_owned(),
        media_type: Some("text/plain".to_owned()),
        destination: None,
    }
}

fn bytes(text: &'static str) -> FileBytes {
    let size = u64::try_from(text.len()).ok();
    let chunks = stream::iter([Ok(Bytes::from_static(text.as_bytes()))]).boxed();
    FileBytes { size, media_type: None, chunks }
}

async fn read(file: FileBytes) -> String {
    let chunks: Vec<_> = file.chunks.map(Result::unwrap).collect().await;
    String::from_utf8(chunks.concat()).unwrap()
}

/// A Webex for the checks that every connector passes.
pub(crate) async fn treating(manner: FileManner) -> FakeWebex {
    FakeWebex::start(move |_| match manner {
        FileManner::TooLarge => Reply::refused(400, "The file is too big."),
        FileManner::Forbids => Reply::refused(400, "This kind of file is blocked."),
        FileManner::LosesAnswer => Reply::status(502),
        FileManner::Obliging | FileManner::Gone => Reply::from(wire(1, 0, "x")),
    })
    .await
}

/// The same with one file.
pub(crate) async fn holding_one(manner: FileManner) -> FakeWebex {
    FakeWebex::start(move |_| match manner {
        FileManner::Gone => Reply::status(404),
        _ => Reply::plain(FILE_TEXT),
    })
    .await
}

#[tokio::test]
async fn a_file_is_read_from_its_contents() {
    let webex = FakeWebex::start(|_| Reply::from(json!("the plan"))).await;
    let opened = connector(&webex.url())
        .download(&session(), &conversation(), &message_key(5).into(), &file())
        .await
        .ok()
        .unwrap();
    assert_eq!(opened.size, Some(10));
    assert_eq!(read(opened).await, "\"the plan\"");
    let call = webex.call();
    assert_eq!(call.line, format!("GET contents/{}", content()));
    assert_eq!(
        (call.token(), call.query.len()),
        ("token-1", 0),
        "nothing that could not be scanned is allowed"
    );
}

#[tokio::test]
async fn what_is_withheld_is_refused_and_what_is_being_scanned_is_waited_for() {
    let webex = FakeWebex::start(|_| Reply::status(423).with("Retry-After", "2")).await;
    let clock = clock();
    let connector = connector_with(&webex.url(), clock.clone());
    let (session, conversation, message) = (session(), conversation(), message_key(5).into());
    let failure = async || {
        let file = file();
        connector.download(&session, &conversation, &message, &file).await.err().unwrap()
    };
    let wait = Failure::Retry { after_ms: Some(2_000), code: codes::TARGET_FAILED };
    assert_eq!(failure().await, wait);
    clock.advance(30_000);
    assert_eq!(failure().await, wait);
    clock.advance(40_000);
    assert_eq!(failure().await, Failure::Refused(codes::FILE_FORBIDDEN), "a minute is enough");
    for (status, expected) in [
        (410, Failure::Refused(codes::FILE_FORBIDDEN)),
        (428, Failure::Refused(codes::FILE_FORBIDDEN)),
        (404, Failure::Refused(codes::FILE_GONE)),
        (403, Failure::Refused(codes::SCOPE)),
        (401, Failure::SignIn(codes::SIGN_IN)),
        (503, Failure::Retry { after_ms: None, code: codes::TARGET_FAILED }),
    ] {
        let webex = FakeWebex::start(move |_| Reply::status(status)).await;
        let connector = crate::support::connector(&webex.url());
        let failed = connector.download(&session, &conversation, &message, &file()).await.err();
        assert_eq!(failed, Some(expected), "{status}");
    }
}

#[tokio::test]
async fn a_token_that_ended_is_refreshed_before_a_file_is_read_again() {
    let webex = FakeWebex::start(|call: &Call| match (call.line.as_str(), call.token()) {
        ("POST access_token", _) => Reply::from(
            json!({ "access_token": "token-2", "refresh_token": "refresh-2", "expires_in": 1_000_000 }),
        ),
        (_, "token-2") => Reply::from(json!("x")),
        _ => Reply::status(401),
    })
    .await;
    let ended = || {
        let refresh = Some(Token::new("refresh-1".to_owned()));
        Keeper::with(TokenSlot::App, TokenSet { refresh, ..plain("token-1") })
    };
    let connector = connector(&webex.url());
    let message = message_key(5).into();
    let opened = connector.download(&session_with(ended()), &conversation(), &message, &file()).await;
    assert_eq!(read(opened.ok().unwrap()).await, "\"x\"");
    let lines: Vec<String> = webex.lines();
    assert_eq!(lines[1], "POST access_token");
    // An upload is not at hand any more: it is made again by whoever has the bytes.
    let keeper = ended();
    let session = session_with(keeper.clone());
    let outcome = connector.share(&session, &conversation(), &share("hi"), bytes("b")).await;
    assert!(matches!(outcome, Outcome::Retry { code: codes::SIGN_IN, .. }), "{outcome:?}");
    assert_eq!(*keeper.puts.lock().unwrap(), 1);
}

#[tokio::test]
async fn a_file_goes_out_in_one_form_with_its_author() {
    let webex = FakeWebex::start(|_| Reply::from(wire(1, 0, "x"))).await;
    let mut share = share("");
    share.post.thread_root = Some(message_key(9).into());
    let outcome =
        connector(&webex.url()).share(&session(), &conversation(), &share, bytes("the bytes")).await;
    assert!(
        matches!(&outcome, Outcome::Done(done) if done.message == Some(message_key(1).into())),
        "{outcome:?}"
    );
    let call = webex.call();
    assert_eq!((call.line.as_str(), call.token()), ("POST messages", "token-1"));
    let boundary = call.headers["content-type"].strip_prefix("multipart/form-data; boundary=").unwrap();
    let parts: Vec<&str> = call.body.split(&format!("--{boundary}")).collect();
    let part = |name: &str| {
        let found: Vec<&&str> =
            parts.iter().filter(|part| part.contains(&format!(" name=\"{name}\""))).collect();
        assert_eq!(found.len(), 1, "{name}");
        (*found[0]).split_once("\r\n\r\n").map(|(head, text)| (head, text.trim_end_matches("\r\n"))).unwrap()
    };
    assert_eq!(part("roomId").1, room());
    assert_eq!(part("parentId").1, message_id(9));
    assert_eq!(part("markdown").1, "**Bo Probe (Slack):**");
    let (head, text) = part("files");
    assert!(head.contains("filename=\"a %22plan%22 for \u{fc}.txt\""), "{head}");
    assert!(head.contains("Content-Type: text/plain"), "{head}");
    assert_eq!(text, "the bytes");
    assert_eq!(parts.len(), 2 + 5);
}

#[tokio::test]
async fn in_a_persons_own_name_nobody_is_named() {
    let webex = FakeWebex::start(|call| {
        if call.line == "GET people/me" {
            return Reply::from(json!({ "id": crate::support::person(7), "emails": [] }));
        }
        Reply::from(wire(1, 7, "x"))
    })
    .await;
    let keeper = Keeper::with(TokenSlot::App, plain("token-1"));
    keeper.add(TokenSlot::Person("person-7".into()), "own-token");
    let mut share = share("");
    share.post.spokesman = Spokesman::Person("person-7".into());
    let outcome =
        connector(&webex.url()).share(&session_with(keeper), &conversation(), &share, bytes("b")).await;
    assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
    let call = webex.calls().pop().unwrap();
    assert_eq!(call.token(), "own-token");
    assert!(
        !call.body.contains("name=\"markdown\"") && !call.body.contains("name=\"text\""),
        "{}",
        call.body
    );
}

#[tokio::test]
async fn answers_to_a_file() {
    let retry =
        |after_ms, code| Outcome::Retry { after_ms, code, whole_installation: code == codes::RATE_LIMITED };
    for (reply, expected) in [
        (Reply::refused(400, "The file is too big."), Outcome::Refused(codes::FILE_TOO_LARGE)),
        (Reply::status(413), Outcome::Refused(codes::FILE_TOO_LARGE)),
        (Reply::status(403), Outcome::Gone(codes::CONVERSATION_GONE)),
        (Reply::status(429).with("Retry-After", "7"), retry(Some(7_000), codes::RATE_LIMITED)),
        (Reply::status(502), Outcome::Unknown(codes::TARGET_FAILED)),
        (Reply::from(json!({})), Outcome::Unknown(codes::NO_ANSWER)),
    ] {
        let webex = FakeWebex::start(move |_| reply.clone()).await;
        let outcome =
            connector(&webex.url()).share(&session(), &conversation(), &share("hi"), bytes("b")).await;
        assert_eq!(outcome, expected);
    }
    let webex = FakeWebex::start(|_| Reply::status(500)).await;
    let large = FileBytes { size: Some(100_000_001), ..bytes("b") };
    let outcome = connector(&webex.url()).share(&session(), &conversation(), &share("hi"), large).await;
    assert_eq!(outcome, Outcome::Refused(codes::FILE_TOO_LARGE));
    assert!(webex.calls().is_empty());
}

#[tokio::test]
async fn a_source_that_breaks_off_posts_nothing() {
    let webex = FakeWebex::start(|_| Reply::from(wire(1, 0, "x"))).await;
    let broken = Failure::Refused(codes::FILE_GONE);
    let chunks = stream::iter([Ok(Bytes::from_static(b"ab")), Err(broken)]).boxed();
    let half = FileBytes { size: Some(9), media_type: None, chunks };
    let outcome = connector(&webex.url()).share(&session(), &conversation(), &share("hi"), half).await;
    assert_eq!(outcome, Outcome::Refused(codes::FILE_GONE));
    assert!(webex.calls().is_empty(), "no request was complete");
}

#[tokio::test]
async fn a_file_in_reply_to_a_reply_finds_the_root_at_its_second_try() {
    let webex = FakeWebex::start(|call| {
        if call.line.starts_with("GET messages/") {
            let mut reply = wire(5, 1, "x");
            reply["parentId"] = json!(message_id(4));
            Reply::from(reply)
        } else if call.body.contains(&message_id(4)) {
            Reply::from(wire(1, 0, "x"))
        } else {
            Reply::refused(400, "Unable to post message to room.")
        }
    })
    .await;
    let connector = connector(&webex.url());
    let mut share = share("hi");
    share.post.thread_root = Some(message_key(5).into());
    let first = connector.share(&session(), &conversation(), &share, bytes("b")).await;
    assert!(matches!(first, Outcome::Retry { after_ms: Some(0), .. }), "{first:?}");
    let second = connector.share(&session(), &conversation(), &share, bytes("b")).await;
    assert!(matches!(second, Outcome::Done(_)), "{second:?}");
}

#[tokio::test]
async fn what_is_read_flows_into_what_is_sent() {
    let webex = FakeWebex::start(|call| {
        if call.line.starts_with("GET contents/") {
            return Reply::from(json!("the plan"));
        }
        Reply::from(wire(1, 0, "x"))
    })
    .await;
    let connector = connector(&webex.url());
    let (session, conversation) = (session(), conversation());
    let opened =
        connector.download(&session, &conversation, &message_key(5).into(), &file()).await.ok().unwrap();
    let outcome = connector.share(&session, &conversation, &share("hi"), opened).await;
    assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
    let sent = webex.calls().pop().unwrap().body;
    assert!(sent.contains("\r\n\r\n\"the plan\"\r\n--"), "{sent}");
}
