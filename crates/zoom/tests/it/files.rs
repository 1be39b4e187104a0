//! Files: what is asked, what is sent, what answers mean.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use dragoman_model::{Document, FileRef, Operation, Outcome, Spokesman, codes};
use dragoman_platform::conformance::{FILE_TEXT, FileManner};
use dragoman_platform::{Connector as _, Failure, FileBytes, Installation, Session, Share, TokenSlot};
use futures_util::{StreamExt as _, stream};
use serde_json::json;

use crate::fake::{Call, FakeZoom, Reply, done, error};
use crate::support::{
    CHANNEL, Keeper, connector, conversation, id, installation, plain, post, session, session_with,
};

const UPLOAD: &str = "POST /files/v2/chat/users/Bridge%2DUser%2DId/files";
const SEND: &str = "POST /v2/chat/users/Bridge%2DUser%2DId/messages";

fn file() -> FileRef {
    FileRef {
        id: "file/1".to_owned(),
        name: "plan.txt".to_owned(),
        media_type: None,
        size: None,
        permalink: None,
    }
}

pub(crate) fn share(text: &str) -> Share {
    let mut post = post(text);
    if text.is_empty() {
        post.body = Document::default();
    }
    Share {
        post,
        name: "a \"plan\".txt".to_owned(),
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

fn made(number: u64) -> Reply {
    Reply(201, "", json!({ "id": id(number).to_lowercase() }).to_string())
}

/// Takes every upload and every message.
fn obliging(call: &Call) -> Reply {
    match call.what.as_str() {
        what if what.ends_with("/files") && call.body.is_empty() => error(400, 300, "file"),
        what if what.ends_with("/files") => Reply(201, "", json!({ "id": "file-1" }).to_string()),
        what if what.ends_with("/messages") => made(7),
        what => panic!("{what}"),
    }
}

fn granted(scopes: &[&str]) -> Session {
    let scopes: BTreeSet<String> = scopes.iter().map(|scope| (*scope).to_owned()).collect();
    let installation = Installation { scopes, ..installation() };
    Session { installation: Arc::new(installation), ..session() }
}

pub(crate) async fn download(zoom: &FakeZoom) -> Result<FileBytes, Failure> {
    connector(&zoom.url()).download(&session(), &conversation(), &id(1).into(), &file()).await
}

/// A Zoom for the checks that every connector passes.
pub(crate) async fn treating(manner: FileManner) -> FakeZoom {
    FakeZoom::start(move |call| match manner {
        FileManner::TooLarge if !call.body.is_empty() => error(400, 300, "Maximum file size exceeded: 1"),
        FileManner::Forbids if !call.body.is_empty() => error(400, 5_403, ""),
        FileManner::LosesAnswer if call.what.ends_with("/messages") => Reply(500, "", String::new()),
        _ => obliging(call),
    })
    .await
}

/// The same with one file.
pub(crate) async fn holding_one(manner: FileManner) -> FakeZoom {
    let base = Arc::new(std::sync::Mutex::new(String::new()));
    let own = base.clone();
    let zoom = FakeZoom::start(move |call| match call.what.as_str() {
        _ if manner == FileManner::Gone => error(404, 404, ""),
        "GET /v2/chat/files/file%2F1" => {
            let url = format!("{}/download/1", own.lock().unwrap());
            Reply::from(json!({ "file_id": "file/1", "length": FILE_TEXT.len(), "download_url": url }))
        }
        _ => Reply(200, "", FILE_TEXT.to_owned()),
    })
    .await;
    *base.lock().unwrap() = zoom.url();
    zoom
}

#[tokio::test]
async fn a_file_is_read_by_the_address_that_zoom_gives_for_it() {
    let base = Arc::new(std::sync::Mutex::new(String::new()));
    let own = base.clone();
    let zoom = FakeZoom::start(move |call| match call.what.as_str() {
        "GET /v2/chat/files/file%2F1" => {
            let url = format!("{}/download/1?jwt=x", own.lock().unwrap());
            Reply::from(json!({ "file_id": "file/1", "length": 8, "download_url": url }))
        }
        "GET /download/1" => Reply(302, "Location: /other\r\n", String::new()),
        "GET /other" => Reply(200, "", "the plan".to_owned()),
        what => panic!("{what}"),
    })
    .await;
    *base.lock().unwrap() = zoom.url();
    let opened = download(&zoom).await.ok().unwrap();
    assert_eq!(opened.size, Some(8));
    assert_eq!(read(opened).await, "the plan");
    let calls = zoom.calls();
    assert_eq!(calls.len(), 3);
    assert_eq!(calls[1].query["jwt"], "x");
    assert!(calls.iter().all(|call| call.token() == "token-1"), "hosts of Zoom may want the token");
}

#[tokio::test]
async fn a_token_goes_to_no_other_host() {
    let elsewhere = FakeZoom::start(|_| Reply(200, "", "the plan".to_owned())).await;
    let url = elsewhere.url().replace("127.0.0.1", "localhost");
    let zoom = FakeZoom::start(move |_| Reply::from(json!({ "download_url": format!("{url}/x") }))).await;
    let opened = download(&zoom).await.ok().unwrap();
    assert_eq!(read(opened).await, "the plan");
    assert_eq!(elsewhere.call().token(), "", "the address lets one in by itself");
    // A redirect of an upload to another host is not followed: the token would go along.
    let zoom = FakeZoom::start(|_| Reply(307, "Location: http://localhost:9/x\r\n", String::new())).await;
    let outcome = connector(&zoom.url()).share(&session(), &conversation(), &share("hi"), bytes("b")).await;
    assert!(matches!(outcome, Outcome::Retry { code: codes::ADDRESS_BLOCKED, .. }), "{outcome:?}");
}

#[tokio::test]
async fn a_file_that_cannot_be_read_stops_no_message() {
    for (reply, expected) in [
        ((404, 404), Failure::Refused(codes::FILE_GONE)),
        ((403, 403), Failure::Refused(codes::SCOPE)),
        ((400, 4_711), Failure::Refused(codes::SCOPE)),
        ((401, 401), Failure::Refused(codes::SCOPE)),
        ((500, 500), Failure::Retry { after_ms: None, code: codes::TARGET_FAILED }),
    ] {
        let (status, code) = reply;
        let zoom = FakeZoom::start(move |_| error(status, code, "does not contain scopes")).await;
        assert_eq!(download(&zoom).await.err(), Some(expected), "{status} {code}");
    }
    let zoom = FakeZoom::start(|_| Reply::from(json!({ "file_id": "x" }))).await;
    assert_eq!(download(&zoom).await.err(), Some(Failure::Refused(codes::FILE_GONE)));
}

#[tokio::test]
async fn a_file_is_uploaded_and_named_in_a_message_with_its_author() {
    let zoom = FakeZoom::start(obliging).await;
    let connector = connector(&zoom.url());
    let mut share = share("");
    share.post.thread_root = Some(id(1).into());
    let outcome = connector.share(&session(), &conversation(), &share, bytes("the bytes")).await;
    assert_eq!(outcome, Outcome::made(id(7).into(), None));
    let calls = zoom.calls();
    let asked: Vec<&str> = calls.iter().map(|call| call.what.as_str()).collect();
    assert_eq!(asked, [UPLOAD, UPLOAD, SEND], "first the way is asked for");
    assert_eq!(calls[1].query["postToPersonalChat"], "false");
    let body = &calls[1].body;
    assert!(body.contains("form-data; name=\"file\"; filename=\"a %22plan%22.txt\"\r\n"), "{body}");
    assert!(body.contains("\r\n\r\nthe bytes\r\n--"), "{body}");
    let sent = calls[2].json();
    assert_eq!(sent["message"], "Bo Probe (Slack):");
    assert_eq!(sent["file_ids"], json!(["file-1"]));
    assert_eq!((&sent["to_channel"], &sent["reply_main_message_id"]), (&json!(CHANNEL), &json!(id(1))));
    assert!(calls.iter().all(|call| call.token() == "token-1"));
    // The way is known for a while.
    connector.share(&session(), &conversation(), &share, bytes("b")).await;
    assert_eq!(zoom.calls().len(), 2);
}

#[tokio::test]
async fn an_upload_goes_where_the_file_host_sends_it() {
    let other = FakeZoom::start(obliging).await;
    let (to, early) = (other.url(), Arc::new(std::sync::atomic::AtomicBool::new(true)));
    let asks = early.clone();
    let location: &'static str = Box::leak(
        format!("Location: {to}/files/v2/chat/users/Bridge%2DUser%2DId/files?postToPersonalChat=false\r\n")
            .into_boxed_str(),
    );
    let zoom = FakeZoom::start(move |call| match call.what.as_str() {
        UPLOAD if call.body.is_empty() && !asks.load(std::sync::atomic::Ordering::SeqCst) => {
            error(400, 300, "file")
        }
        UPLOAD => Reply(307, location, String::new()),
        _ => obliging(call),
    })
    .await;
    let connector = connector(&zoom.url());
    let outcome = connector.share(&session(), &conversation(), &share("hi"), bytes("the bytes")).await;
    assert_eq!(outcome, Outcome::made(id(7).into(), None));
    let there = other.calls();
    assert_eq!(there.len(), 2, "asked, and sent");
    assert!(there[1].body.contains("the bytes") && there[1].token() == "token-1");
    assert!(zoom.calls().iter().all(|call| !call.body.contains("the bytes")), "sent once");
    // Where only a whole upload is sent on, the second try goes there.
    early.store(false, std::sync::atomic::Ordering::SeqCst);
    let connector = crate::support::connector(&zoom.url());
    let first = connector.share(&session(), &conversation(), &share("hi"), bytes("the bytes")).await;
    assert!(matches!(first, Outcome::Retry { .. }), "{first:?}");
    let second = connector.share(&session(), &conversation(), &share("hi"), bytes("the bytes")).await;
    assert_eq!(second, Outcome::made(id(7).into(), None));
}

#[tokio::test]
async fn in_a_persons_own_name_a_file_stands_alone_or_with_its_name() {
    let zoom = FakeZoom::start(|call| match call.what.as_str() {
        "POST /v2/chat/users/me/messages" if call.json()["message"] == "" => {
            error(400, 300, "Invalid parameter: message.")
        }
        _ => obliging(call),
    })
    .await;
    let keeper = Keeper::with(TokenSlot::Person("person-7".into()), plain("own-token"));
    let mut share = share("");
    share.post.spokesman = Spokesman::Person("person-7".into());
    let outcome =
        connector(&zoom.url()).share(&session_with(keeper), &conversation(), &share, bytes("b")).await;
    assert_eq!(outcome, Outcome::made(id(7).into(), None));
    let calls = zoom.calls();
    assert_eq!(calls[0].what, "POST /files/v2/chat/users/me/files");
    let texts: Vec<_> = calls[2..].iter().map(|call| call.json()["message"].clone()).collect();
    assert_eq!(texts, [json!(""), json!("a \"plan\".txt")]);
    assert!(calls.iter().all(|call| call.token() == "own-token"));
}

#[tokio::test]
async fn answers_to_an_upload_and_to_its_message() {
    let again = |code| Outcome::Retry { after_ms: None, code, whole_installation: false };
    for (status, code, text, expected) in [
        (400, 300, "Maximum file size exceeded: 1", Outcome::Refused(codes::FILE_TOO_LARGE)),
        (400, 4_711, "does not contain scopes", Outcome::Refused(codes::SCOPE)),
        (400, 5_403, "", Outcome::Refused(codes::REFUSED)),
        (502, 0, "", again(codes::TARGET_FAILED)),
    ] {
        let zoom = FakeZoom::start(move |call| {
            if call.body.is_empty() { error(400, 300, "file") } else { error(status, code, text) }
        })
        .await;
        let outcome =
            connector(&zoom.url()).share(&session(), &conversation(), &share("hi"), bytes("b")).await;
        assert_eq!(outcome, expected, "{status} {code}");
    }
    let zoom = FakeZoom::start(|call| match call.what.as_str() {
        SEND => Reply(500, "", String::new()),
        _ => obliging(call),
    })
    .await;
    let outcome = connector(&zoom.url()).share(&session(), &conversation(), &share("hi"), bytes("b")).await;
    assert_eq!(outcome, Outcome::Unknown(codes::TARGET_FAILED));
    let large = FileBytes { size: Some((1 << 30) + 1), ..bytes("b") };
    let outcome = connector(&zoom.url()).share(&session(), &conversation(), &share("hi"), large).await;
    assert_eq!(outcome, Outcome::Refused(codes::FILE_TOO_LARGE));
}

#[tokio::test]
async fn a_source_that_breaks_off_posts_nothing() {
    let zoom = FakeZoom::start(obliging).await;
    let broken = Failure::Refused(codes::FILE_GONE);
    let chunks = stream::iter([Ok(Bytes::from_static(b"ab")), Err(broken)]).boxed();
    let half = FileBytes { size: Some(9), media_type: None, chunks };
    let outcome = connector(&zoom.url()).share(&session(), &conversation(), &share("hi"), half).await;
    assert_eq!(outcome, Outcome::Refused(codes::FILE_GONE));
    assert!(zoom.calls().iter().all(|call| call.what != SEND));
}

#[tokio::test]
async fn a_copy_takes_its_files_with_it_where_the_app_may_delete_them() {
    let zoom = FakeZoom::start(|call| match call.what.split_once(' ').unwrap() {
        ("GET", _) => Reply::from(
            json!({ "id": id(7), "files": [{ "file_id": "f1" }, { "file_id": "f2" }], "file_id": "f1" }),
        ),
        ("DELETE", path) if path.ends_with("/f2") => error(404, 404, "Resource not found."),
        _ => done(),
    })
    .await;
    let operation = Operation::Delete {
        conversation: CHANNEL.into(),
        message: id(7).into(),
        thread_root: None,
        spokesman: Spokesman::App,
    };
    let connector = connector(&zoom.url());
    let may = granted(&["team_chat:delete:file:admin"]);
    let outcome = connector.perform(&may, &conversation(), &operation).await;
    assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
    let calls: Vec<String> = zoom.calls().into_iter().map(|call| call.what).collect();
    assert_eq!(calls[2..], ["DELETE /v2/chat/files/f1", "DELETE /v2/chat/files/f2"]);
    let may_not = granted(&["team_chat:delete:user_message:admin"]);
    connector.perform(&may_not, &conversation(), &operation).await;
    assert_eq!(zoom.calls().len(), 1, "the message alone");
}
