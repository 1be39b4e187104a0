//! Files: three steps out, one way in, and what becomes of both when something is missing.

use std::sync::Mutex;

use bytes::Bytes;
use dragoman_model::{
    Code, Document, FileRef, Marker, Operation, Outcome, PersonId, RemoteMessage, Spokesman, codes,
};
use dragoman_platform::conformance::{FILE_TEXT, FileManner};
use dragoman_platform::{Chunks, Connector as _, Failure, FileBytes, Session, Share, TokenSlot};
use dragoman_slack::SlackConnector;
use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};

use crate::fake::{Call, FakeSlack, Reply, error};
use crate::support::{Keeper, connector, conversation, plain, post, session, session_with};

const TS: &str = "1760000001.000100";

fn chunks(parts: &[&str]) -> Chunks {
    let parts: Vec<Result<Bytes, Failure>> =
        parts.iter().map(|part| Ok(Bytes::from((*part).to_owned()))).collect();
    Box::pin(stream::iter(parts))
}

fn bytes(parts: &[&str]) -> FileBytes {
    let size = parts.iter().map(|part| part.len() as u64).sum();
    FileBytes { size: Some(size), media_type: Some("text/plain".to_owned()), chunks: chunks(parts) }
}

pub(crate) fn share(caption: &str) -> Share {
    let mut post = post(caption);
    if caption.is_empty() {
        post.body = Document::default();
    }
    Share { post, name: "plan.txt".to_owned(), media_type: Some("text/plain".to_owned()), destination: None }
}

fn shared(ts: Option<&str>) -> Reply {
    let shares = ts.map_or(json!({}), |ts| json!({ "public": { "CROOM": [{ "ts": ts }] } }));
    Reply::from(json!({ "ok": true, "file": { "id": "F1", "name": "plan.txt", "shares": shares } }))
}

/// Takes every step; `complete` answers the last one.
fn takes(base: &Mutex<String>, call: &Call, complete: impl Fn(&Value) -> Reply) -> Reply {
    match call.method.as_str() {
        "files.getUploadURLExternal" => {
            let url = format!("{}/upload/v1/secret", base.lock().unwrap());
            Reply::from(json!({ "ok": true, "upload_url": url, "file_id": "F1" }))
        }
        "/upload/v1/secret" => Reply(200, None, format!("OK - {}", call.body.len())),
        "files.completeUploadExternal" => complete(&call.json()),
        "files.info" => shared(Some(TS)),
        _ => Reply::from(json!({ "ok": true })),
    }
}

async fn slack(complete: impl Fn(&Value) -> Reply + Send + Sync + 'static) -> FakeSlack {
    let base = std::sync::Arc::new(Mutex::new(String::new()));
    let inner = base.clone();
    let slack = FakeSlack::start(move |call| takes(&inner, call, &complete)).await;
    *base.lock().unwrap() = slack.url();
    slack
}

/// A Slack for the checks that every connector passes.
pub(crate) async fn treating(manner: FileManner) -> FakeSlack {
    match manner {
        FileManner::TooLarge => FakeSlack::start(|_| error("file_upload_size_restricted")).await,
        FileManner::Forbids => FakeSlack::start(|_| error("file_type_not_allowed")).await,
        FileManner::LosesAnswer => slack(|_| Reply(502, None, String::new())).await,
        FileManner::Obliging | FileManner::Gone => slack(done).await,
    }
}

/// The same with one file.
pub(crate) async fn holding_one(manner: FileManner) -> FakeSlack {
    if manner == FileManner::Gone {
        return FakeSlack::start(|_| error("file_not_found")).await;
    }
    let size = FILE_TEXT.len();
    holding(move |base| at(base, &json!({ "size": size })), FILE_TEXT).await
}

fn done(_: &Value) -> Reply {
    Reply::from(json!({ "ok": true, "files": [{ "id": "F1", "shares": {} }] }))
}

async fn send(connector: &SlackConnector, session: &Session, share: &Share, bytes: FileBytes) -> Outcome {
    connector.share(session, &conversation(), share, bytes).await
}

#[tokio::test]
async fn a_file_goes_out_in_three_steps_and_its_message_is_learnt() {
    let slack = slack(done).await;
    let mut share = share("look");
    share.post.thread_root = Some("1760000000.000100".into());
    let connector = connector(&slack.url());
    let outcome = send(&connector, &session(), &share, bytes(&["a=1&", "b=2"])).await;
    assert_eq!(outcome, Outcome::made(RemoteMessage::from(TS), None));
    let calls = slack.calls();
    let names: Vec<&str> = calls.iter().map(|call| call.method.as_str()).collect();
    let steps =
        ["files.getUploadURLExternal", "/upload/v1/secret", "files.completeUploadExternal", "files.info"];
    assert_eq!(names, steps);
    assert_eq!((calls[0].form()["filename"].as_str(), calls[0].form()["length"].as_str()), ("plan.txt", "7"));
    // The bytes as they are, and no token to where they go.
    assert_eq!((calls[1].body.as_str(), calls[1].token()), ("a=1&b=2", ""));
    let mut last = calls[2].json();
    assert_eq!(last["blocks"][0]["block_id"], "dragoman_copy/marker-1");
    last["blocks"] = Value::Null;
    assert_eq!(
        last,
        json!({
            "files": [{ "id": "F1", "title": "plan.txt" }], "channel_id": "CROOM", "blocks": null,
            "thread_ts": "1760000000.000100", "username": "Bo Probe (Teams)",
            "icon_url": "https://gateway.example/avatar/1",
        })
    );
}

#[tokio::test]
async fn without_text_there_is_no_caption_and_names_lose_what_slack_refuses() {
    let slack = slack(done).await;
    let mut share = share("");
    share.name = "plan\u{7}\n.tar.gz".to_owned();
    let connector = connector(&slack.url());
    assert!(matches!(send(&connector, &session(), &share, bytes(&["x"])).await, Outcome::Done(_)));
    let calls = slack.calls();
    assert_eq!(calls[0].form()["filename"], "plan.tar.gz");
    let last = calls[2].json();
    assert!(last.get("blocks").is_none() && last.get("initial_comment").is_none(), "{last}");
    // Named by nothing that can be read.
    share.name = "\u{0}\u{1}".to_owned();
    send(&connector, &session(), &share, bytes(&["x"])).await;
    assert_eq!(slack.calls()[0].form()["filename"], "file");
}

#[tokio::test]
async fn what_slack_does_not_take_is_left_out_one_by_one() {
    // An older Slack knows no name in the last step.
    let older =
        slack(|last| if last.get("username").is_some() { error("invalid_arguments") } else { done(last) })
            .await;
    let outcome = send(&connector(&older.url()), &session(), &share("look"), bytes(&["x"])).await;
    assert_eq!(outcome, Outcome::made(RemoteMessage::from(TS), None));
    let last =
        older.calls().into_iter().rfind(|call| call.method.starts_with("files.complete")).unwrap().json();
    assert!(last["blocks"].to_string().contains("Bo Probe (Teams)"), "{last}");
    // One that takes no blocks gets the caption as text.
    let plain =
        slack(|last| if last.get("blocks").is_some() { error("invalid_blocks") } else { done(last) }).await;
    let outcome = send(&connector(&plain.url()), &session(), &share("*look* & see"), bytes(&["x"])).await;
    assert_eq!(outcome, Outcome::made(RemoteMessage::from(TS), None));
    let last =
        plain.calls().into_iter().rfind(|call| call.method.starts_with("files.complete")).unwrap().json();
    assert!(last["initial_comment"].as_str().unwrap().contains("&amp; see"), "{last}");
    assert_eq!(last["username"], "Bo Probe (Teams)");
}

#[tokio::test]
async fn as_a_person_the_token_is_theirs() {
    let slack = slack(done).await;
    let keeper = Keeper::with(TokenSlot::App, plain("xoxb-1"));
    keeper.add(TokenSlot::Person(PersonId::from("p-1")), "xoxp-1");
    let mut share = share("look");
    share.post.spokesman = Spokesman::Person(PersonId::from("p-1"));
    send(&connector(&slack.url()), &session_with(keeper), &share, bytes(&["x"])).await;
    let calls = slack.calls();
    assert_eq!((calls[0].token(), calls[2].token(), calls[3].token()), ("xoxp-1", "xoxp-1", "xoxb-1"));
    assert!(calls[2].json().get("username").is_none());
}

#[tokio::test]
async fn what_cannot_go_is_refused_before_anything_is_asked() {
    let slack = slack(done).await;
    let connector = connector(&slack.url());
    for (size, code) in [
        (Some(0), codes::FILE_EMPTY),
        (Some((1 << 30) + 1), codes::FILE_TOO_LARGE),
        (None, codes::BAD_REQUEST),
    ] {
        let bytes = FileBytes { size, media_type: None, chunks: chunks(&[]) };
        assert_eq!(send(&connector, &session(), &share(""), bytes).await, Outcome::Refused(code));
    }
    assert!(slack.calls().is_empty());
}

#[tokio::test]
async fn the_first_step_tells_of_rules_and_limits() {
    for (word, outcome) in [
        ("file_uploads_disabled", Outcome::Refused(codes::FILE_FORBIDDEN)),
        ("file_type_not_allowed", Outcome::Refused(codes::FILE_FORBIDDEN)),
        ("storage_limit_reached", Outcome::Refused(codes::FILE_FORBIDDEN)),
        ("file_upload_size_restricted", Outcome::Refused(codes::FILE_TOO_LARGE)),
        ("missing_scope", Outcome::Refused(codes::SCOPE)),
        ("internal_error", Outcome::retry(codes::TARGET_FAILED)),
        ("ratelimited", Outcome::retry_after(30_000, codes::RATE_LIMITED)),
        ("account_inactive", Outcome::SignIn(codes::SIGN_IN)),
    ] {
        let slack = FakeSlack::start(move |_| error(word)).await;
        assert_eq!(
            send(&connector(&slack.url()), &session(), &share(""), bytes(&["x"])).await,
            outcome,
            "{word}"
        );
        assert_eq!(slack.calls().len(), 1, "{word}");
    }
}

#[tokio::test]
async fn a_source_that_breaks_off_posts_nothing() {
    let slack = slack(done).await;
    let gone = Failure::Refused(codes::FILE_GONE);
    let cut = stream::iter([Ok(Bytes::from_static(b"ab")), Err(gone)]);
    let bytes = FileBytes { size: Some(9), media_type: None, chunks: Box::pin(cut) };
    let outcome = send(&connector(&slack.url()), &session(), &share(""), bytes).await;
    assert_eq!(outcome, Outcome::Refused(codes::FILE_GONE));
    assert!(slack.calls().iter().all(|call| !call.method.starts_with("files.complete")));
}

#[tokio::test]
async fn a_refused_share_leaves_no_file_behind() {
    let slack = slack(|_| error("not_in_channel")).await;
    let outcome = send(&connector(&slack.url()), &session(), &share(""), bytes(&["x"])).await;
    assert_eq!(outcome, Outcome::Gone(codes::CONVERSATION_GONE));
    let last = slack.calls().pop().unwrap();
    assert_eq!((last.method.as_str(), last.form()["file"].as_str()), ("files.delete", "F1"));
}

#[tokio::test]
async fn a_lost_answer_is_settled_by_the_file_itself() {
    let slack = slack(|_| Reply(502, None, "<!DOCTYPE html>".to_owned())).await;
    let outcome = send(&connector(&slack.url()), &session(), &share(""), bytes(&["x"])).await;
    assert_eq!(outcome, Outcome::made(RemoteMessage::from(TS), None));
}

pub(crate) fn picture(id: &str) -> FileRef {
    FileRef { id: id.to_owned(), name: "a.png".to_owned(), media_type: None, size: None, permalink: None }
}

async fn fetch(slack: &FakeSlack) -> Result<(FileBytes, Vec<u8>), Failure> {
    let connector = connector(&slack.url());
    let mut file = connector.download(&session(), &conversation(), &TS.into(), &picture("F1")).await?;
    let mut all = Vec::new();
    while let Some(chunk) = file.chunks.next().await {
        all.extend_from_slice(&chunk?);
    }
    Ok((file, all))
}

/// A Slack with one file of this kind, and these bytes.
async fn holding(file: impl Fn(&str) -> Value + Send + Sync + 'static, body: &'static str) -> FakeSlack {
    let base = std::sync::Arc::new(Mutex::new(String::new()));
    let inner = base.clone();
    let slack = FakeSlack::start(move |call| match call.method.as_str() {
        "files.info" => Reply::from(json!({ "ok": true, "file": file(&inner.lock().unwrap()) })),
        _ => Reply(200, None, body.to_owned()),
    })
    .await;
    *base.lock().unwrap() = slack.url();
    slack
}

fn at(base: &str, more: &Value) -> Value {
    let mut file = json!({
        "id": "F1", "name": "a.png", "mimetype": "image/png", "mode": "hosted", "size": 8, "created": 1_750_000_000,
        "url_private_download": format!("{base}/files-pri/T-F1/download/a.png"),
    });
    for (key, value) in more.as_object().unwrap() {
        file[key] = value.clone();
    }
    file
}

#[tokio::test]
async fn bytes_come_with_the_token_from_where_slack_says_now() {
    let slack = holding(|base| at(base, &json!({})), "pngbytes").await;
    let (file, all) = fetch(&slack).await.unwrap_or_else(|failure| panic!("{failure}"));
    assert_eq!((all.as_slice(), file.size), (&b"pngbytes"[..], Some(8)));
    let calls = slack.calls();
    assert_eq!(calls[1].method, "/files-pri/T-F1/download/a.png");
    assert_eq!(calls[1].token(), "xoxb-1");
}

#[tokio::test]
async fn a_page_instead_of_bytes_is_early_or_forbidden() {
    const PAGE: &str = "<!DOCTYPE html><html><body>Sign in</body></html>";
    let failed = async |slack: &FakeSlack| fetch(slack).await.err().expect("no file");
    let old = holding(|base| at(base, &json!({})), PAGE).await;
    assert_eq!(failed(&old).await, Failure::Refused(codes::SCOPE));
    let young = holding(|base| at(base, &json!({ "created": 1_759_999_990 })), PAGE).await;
    let retry = Failure::Retry { after_ms: Some(5_000), code: codes::TARGET_FAILED };
    assert_eq!(failed(&young).await, retry);
    // A page that somebody shared is a file like any other.
    let theirs =
        holding(|base| at(base, &json!({ "mimetype": "text/html", "size": PAGE.len() })), PAGE).await;
    assert_eq!(fetch(&theirs).await.map(|(_, all)| all).ok().unwrap(), PAGE.as_bytes());
}

#[tokio::test]
async fn files_that_have_no_bytes_say_why() {
    let table: [(Value, Code); 9] = [
        (json!({ "mode": "tombstone" }), codes::FILE_GONE),
        (json!({ "mode": "file_access", "file_access": "file_not_found" }), codes::FILE_GONE),
        (json!({ "mode": "file_access", "file_access": "file_deleted" }), codes::FILE_GONE),
        (json!({ "file_access": "access_denied" }), codes::SCOPE),
        (json!({ "mode": "external", "is_external": true }), codes::NOT_CARRIED),
        (json!({ "is_external": true }), codes::NOT_CARRIED),
        (json!({ "mode": "hidden_by_limit" }), codes::NOT_CARRIED),
        (json!({ "mode": "canvas" }), codes::NOT_CARRIED),
        (json!({ "url_private_download": "" }), codes::NOT_CARRIED),
    ];
    for (more, code) in table {
        let shown = more.to_string();
        let slack = holding(move |base| at(base, &more), "secret").await;
        assert_eq!(fetch(&slack).await.err(), Some(Failure::Refused(code)), "{shown}");
        assert_eq!(slack.calls().len(), 1, "{shown}: nothing was fetched");
    }
    for (word, failure) in [
        ("file_deleted", Failure::Refused(codes::FILE_GONE)),
        ("file_not_found", Failure::Refused(codes::FILE_GONE)),
        ("access_denied", Failure::Refused(codes::SCOPE)),
        ("missing_scope", Failure::Refused(codes::SCOPE)),
    ] {
        let slack = FakeSlack::start(move |_| error(word)).await;
        assert_eq!(fetch(&slack).await.err(), Some(failure), "{word}");
    }
}

#[tokio::test]
async fn the_token_goes_to_slack_alone() {
    let elsewhere = FakeSlack::start(|_| Reply(200, None, "stolen".to_owned())).await;
    // A name of this machine that is not the one of the API.
    let foreign = elsewhere.url().replace("127.0.0.1", "localhost");
    let slack =
        holding(move |base| at(base, &json!({ "url_private_download": format!("{foreign}/x") })), "").await;
    let failure = fetch(&slack).await.err();
    assert_eq!(failure, Some(Failure::Retry { after_ms: None, code: codes::ADDRESS_BLOCKED }));
    assert!(elsewhere.calls().is_empty());
}

fn ours(ts: &str, name: &str, blocks: &Value) -> Value {
    json!({
        "type": "message", "subtype": "file_share", "ts": ts, "app_id": "AOWN", "bot_id": "BOWN", "username": name,
        "text": "", "blocks": blocks, "files": [{ "id": "F9", "name": "plan.txt", "mode": "hosted" }],
    })
}

#[tokio::test]
async fn file_messages_of_ours_are_found_by_caption_or_author() {
    let marked = json!([{ "type": "rich_text", "block_id": "dragoman_copy/marker-1", "elements": [
        { "type": "rich_text_section", "elements": [{ "type": "text", "text": "look" }] } ] }]);
    let listing = json!([
        ours("1760000003.000100", "Bo Probe (Teams)", &marked),
        ours("1760000002.000100", "Bo Probe (Teams)", &json!([])),
        ours("1760000001.000100", "Cy Else (Teams)", &json!([])),
        { "type": "message", "ts": "1760000000.500100", "user": "UANA", "app_id": "AOWN", "bot_id": "BOWN", "text": "",
          "files": [{ "id": "F7", "name": "plan.txt", "mode": "hosted" }] },
        { "type": "message", "ts": "1760000000.000100", "user": "UANA", "text": "", "files": [{ "id": "F8" }] },
    ]);
    let slack = FakeSlack::start(move |_| Reply::from(json!({ "ok": true, "messages": listing }))).await;
    let connector = connector(&slack.url());
    let found = async |share: &Share| {
        let found = connector.find(&session(), &conversation(), &share.post, 1_760_000_000_000).await;
        let found = found.unwrap_or_else(|failure| panic!("{failure}"));
        found.into_iter().map(|it| (it.message.as_str().to_owned(), it.same, it.file)).collect::<Vec<_>>()
    };
    let file = || Some("plan.txt".to_owned());
    let captioned = found(&share("look")).await;
    assert_eq!(captioned, [("1760000003.000100".to_owned(), true, file())]);
    // Each is looked for among what the same token posted: no other deletes it.
    let speaks = Spokesman::Person("p-ana".into());
    for (spokesman, ts) in [(Spokesman::App, "1760000002.000100"), (speaks, "1760000000.500100")] {
        let mut share = share("");
        share.post.marker = Marker::from("other");
        share.post.spokesman = spokesman;
        assert_eq!(found(&share).await, [(ts.to_owned(), true, file())]);
    }
    // Of a text nothing is found that is only a file.
    let text = found(&Share {
        post: {
            let mut it = post("hello");
            it.marker = Marker::from("other");
            it
        },
        ..share("")
    })
    .await;
    assert_eq!(text, []);
}

#[tokio::test]
async fn files_go_before_their_message() {
    let blocks = json!([]);
    let slack = FakeSlack::start(move |call| match call.method.as_str() {
        "conversations.replies" => Reply::from(json!({ "ok": true, "messages": [ours(TS, "Bo", &blocks)] })),
        "files.delete" => error("file_deleted"),
        _ => Reply::from(json!({ "ok": true })),
    })
    .await;
    let delete = Operation::Delete {
        conversation: "CROOM".into(),
        message: TS.into(),
        thread_root: Some("1760000000.000100".into()),
        spokesman: Spokesman::App,
    };
    let outcome = connector(&slack.url()).perform(&session(), &conversation(), &delete).await;
    assert_eq!(outcome, Outcome::done());
    let names: Vec<String> = slack.calls().into_iter().map(|call| call.method).collect();
    assert_eq!(names, ["conversations.replies", "files.delete", "chat.delete"]);
}
