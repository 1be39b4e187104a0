//! Files of chats: out of their senders' own drives, and into those of people who do it themselves.

use std::sync::Arc;

use bytes::Bytes;
use dragoman_model::{Done, Feature, Level, Outcome, PersonId, RemoteMessage, Spokesman, Version, codes};
use dragoman_platform::conformance::{FILE_TEXT, FileManner, Shared};
use dragoman_platform::{
    Connector as _, Conversation, Failure, FileBytes, Session, Share, TokenSet, TokenSlot,
};
use dragoman_seal::Token;
use futures_util::StreamExt as _;
use serde_json::{Value, json};

use crate::fake::{Call, Reply};
use crate::files::{bytes, file, share};
use crate::support::{ANA, APP, CHAT, Keeper, MESSAGE, TENANT, World, chat_message};

const BO: &str = "eeeeeeee-0000-4000-8000-000000000005";
const GUID: &str = "5A1B2C3D-0000-4000-8000-00000000000F";
const FOLDER: &str = "/v1.0/me/drive/root:/Microsoft%20Teams%20Chat%20Files";
const PUT: &str =
    "/v1.0/drives/b%21own/items/01CHAT:/Plan_.txt:/content?@microsoft.graph.conflictBehavior=rename";
const ITEM: &str = "drives/b%21own/items/01ITEM";
const PART: usize = 32 * 320 * 1024;

fn folder() -> Value {
    json!({ "id": "01CHAT", "parentReference": { "driveId": "b!own" } })
}

fn item(base: &str) -> Value {
    json!({ "id": "01ITEM", "name": "Plan_.txt", "eTag": format!("\"{{{GUID}}},1\""),
        "webUrl": format!("{base}/personal/ana/Documents/Plan_.txt"), "createdBy": { "user": { "id": ANA }, "application": { "id": APP } },
        "parentReference": { "driveId": "b!own", "id": "01CHAT" } })
}

/// A Graph that takes every step, from people alone.
fn takes(call: &Call) -> Option<Reply> {
    let base = format!("http://{}", call.headers.get("host")?);
    let path = call.path.split('?').next().unwrap_or_default();
    let last = path.rsplit('/').next().unwrap_or_default();
    if path.starts_with("/v1.0/") && call.token() != "ana-token" {
        return Some(Reply::error(403, "accessDenied"));
    }
    Some(match (call.method.as_str(), last) {
        ("GET", _) if path == FOLDER => folder().into(),
        ("POST", "createUploadSession") => json!({ "uploadUrl": format!("{base}/up/secret") }).into(),
        ("PUT", "content") => Reply(201, None, item(&base).to_string()),
        ("PUT", "secret") => {
            let (span, total) = call.headers["content-range"].split_once('/')?;
            let end: u64 = span.rsplit('-').next()?.parse().ok()?;
            if end + 1 == total.parse::<u64>().ok()? {
                Reply(201, None, item(&base).to_string())
            } else {
                Reply(202, None, "{}".to_owned())
            }
        }
        ("GET", "members") => json!({ "value": [
            { "userId": ANA, "tenantId": TENANT }, { "userId": BO, "tenantId": TENANT },
            { "userId": "ffffffff-0000-4000-8000-000000000006", "tenantId": "another" },
        ]})
        .into(),
        ("POST", "invite") => json!({ "value": [{ "id": "p" }] }).into(),
        ("POST", "messages") => Reply(201, None, json!({ "id": MESSAGE }).to_string()),
        ("DELETE", _) => Reply(204, None, String::new()),
        _ => return None,
    })
}

fn person() -> PersonId {
    PersonId::from("p-ana")
}

fn session(world: &World) -> Session {
    let set = TokenSet { access: Token::new("ana-token".to_owned()), refresh: None, expires_at_ms: None };
    world.session_with(Keeper::with(TokenSlot::Person(person()), set))
}

fn of_ana(caption: &str) -> Share {
    let mut share = share(caption);
    share.post.conversation = CHAT.into();
    share.post.spokesman = Spokesman::Person(person());
    share
}

async fn send(world: &World, bytes: FileBytes) -> Outcome {
    world.connector.share(&session(world), &world.chat(), &of_ana(""), bytes).await
}

/// What the contract's checks share in a chat.
pub(crate) async fn shared(manner: FileManner, name: &str, file: FileBytes) -> Shared {
    let world = World::start(move |call| {
        let last = call.path.split('?').next().unwrap_or_default().rsplit('/').next().unwrap_or_default();
        match (manner, last) {
            (FileManner::TooLarge, "content") => Some(Reply::error(413, "Code")),
            (FileManner::Forbids, "content") => Some(Reply::error(507, "Code")),
            (FileManner::LosesAnswer, "messages") => Some(Reply::error(502, "Code")),
            _ => takes(call),
        }
    })
    .await;
    let share = Share { name: name.to_owned(), ..of_ana("") };
    let outcome = world.connector.share(&session(&world), &world.chat(), &share, file).await;
    let calls = world.fake.calls();
    let messages = calls.iter().filter(|call| call.path.ends_with("/messages")).count();
    let requests = calls.into_iter().map(|call| format!("{} {}", call.line(), call.body)).collect();
    Shared { outcome, requests, messages }
}

/// What they open.
pub(crate) async fn downloaded(manner: FileManner) -> Result<FileBytes, Failure> {
    let world = holding(move |path| {
        (manner == FileManner::Gone && path.contains("/shares/")).then(|| Reply::error(404, "itemNotFound"))
    })
    .await;
    let file = file(&format!("guid sent:{ANA}"), Some("https://t-my.sharepoint.com/personal/ana/plan.txt"));
    world.connector.download(&world.session(), &world.chat(), &MESSAGE.into(), &file).await
}

#[tokio::test]
async fn people_put_it_into_their_own_drive_and_share_it_with_the_chat() {
    let world = World::start(takes).await;
    let share = of_ana("look");
    let outcome = world.connector.share(&session(&world), &world.chat(), &share, bytes(3)).await;
    let made = Outcome::Done(Done {
        message: Some(RemoteMessage::from(MESSAGE)),
        version: Some(Version(MESSAGE.parse().unwrap())),
        beside: Some(ITEM.to_owned()),
    });
    assert_eq!(outcome, made);
    let calls = world.fake.calls();
    let lines: Vec<String> = calls.iter().map(Call::line).collect();
    let chat = "/v1.0/chats/19%3Achat%40thread.v2";
    assert_eq!(
        lines,
        [
            format!("GET {FOLDER}"),
            format!("PUT {PUT}"),
            format!("GET {chat}/members"),
            format!("POST /v1.0/{ITEM}/invite"),
            format!("POST {chat}/messages"),
        ],
        "who may open it is settled before anybody is told"
    );
    let asked = calls[3].json();
    assert_eq!(
        asked,
        json!({ "recipients": [{ "objectId": BO }], "roles": ["read"], "requireSignIn": true,
            "sendInvitation": false })
    );
    let sent = calls[4].json();
    let content = sent["body"]["content"].as_str().unwrap();
    assert!(
        content.contains("look") && content.ends_with(&format!("<attachment id=\"{GUID}\"></attachment>"))
    );
    assert_eq!(
        (&sent["attachments"][0]["id"], &sent["attachments"][0]["contentType"]),
        (&json!(GUID), &json!("reference"))
    );
    // It is theirs, so only they can take it away again.
    let spokesman = Spokesman::Person(person());
    let discarded = world.connector.discard(&session(&world), &world.chat(), &spokesman, ITEM).await;
    assert_eq!(discarded, Outcome::done());
    let last = world.fake.calls().pop().unwrap();
    assert_eq!((last.line(), last.token()), (format!("DELETE /v1.0/{ITEM}"), "ana-token"));
}

#[tokio::test]
async fn the_folder_is_made_where_it_is_not_there_yet() {
    for made in [201, 409] {
        let asked = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let world = World::start(move |call| {
            let before = !asked.load(std::sync::atomic::Ordering::Relaxed);
            if call.path == FOLDER && before {
                return Some(Reply::error(404, "itemNotFound"));
            }
            if call.line() == "POST /v1.0/me/drive/root/children" {
                asked.store(true, std::sync::atomic::Ordering::Relaxed);
                let answer =
                    if made == 409 { json!({ "error": { "code": "nameAlreadyExists" } }) } else { folder() };
                return Some(Reply(made, None, answer.to_string()));
            }
            takes(call)
        })
        .await;
        let outcome = send(&world, bytes(3)).await;
        assert!(matches!(outcome, Outcome::Done(_)), "{made}: {outcome:?}");
        let calls = world.fake.calls();
        let make = calls.iter().find(|call| call.path.ends_with("/children")).unwrap().json();
        assert_eq!(
            make,
            json!({ "name": "Microsoft Teams Chat Files", "folder": {},
                "@microsoft.graph.conflictBehavior": "fail" })
        );
        assert!(calls.iter().any(|call| call.path == PUT), "{made}");
    }
}

#[tokio::test]
async fn large_ones_go_in_parts_without_the_apps_token() {
    let world = World::start(takes).await;
    assert!(matches!(send(&world, bytes(PART + 5)).await, Outcome::Done(_)));
    let calls = world.fake.calls();
    let parts: Vec<(usize, &str)> = calls
        .iter()
        .filter(|call| call.path == "/up/secret")
        .map(|call| (call.body.len(), call.token()))
        .collect();
    assert_eq!(parts, [(PART, ""), (5, "")]);
    assert!(calls.iter().all(|call| call.token() != "graph-token"));
}

#[tokio::test]
async fn what_fails_on_the_way_posts_nothing_and_leaves_nothing() {
    let retry = || Outcome::retry(codes::TARGET_FAILED);
    for (step, status, outcome, put) in [
        // People who granted their token before files were asked for.
        ("Files", 403, Outcome::Refused(codes::SCOPE), false),
        ("Files", 401, Outcome::SignIn(codes::SIGN_IN), false),
        ("Files", 503, retry(), false),
        ("content", 413, Outcome::Refused(codes::FILE_TOO_LARGE), false),
        ("content", 507, Outcome::Refused(codes::FILE_FORBIDDEN), false),
        ("members", 403, Outcome::Refused(codes::SCOPE), true),
        ("invite", 403, Outcome::Refused(codes::SCOPE), true),
        ("invite", 503, retry(), true),
    ] {
        let world = World::start(move |call| {
            let path = call.path.split('?').next().unwrap_or_default();
            if path.ends_with(step) { Some(Reply::error(status, "Code")) } else { takes(call) }
        })
        .await;
        assert_eq!(send(&world, bytes(3)).await, outcome, "{step} {status}");
        let lines = world.fake.lines();
        assert!(!lines.iter().any(|line| line.ends_with("/messages")), "{step} {status}");
        let removed = lines.last().is_some_and(|line| *line == format!("DELETE /v1.0/{ITEM}"));
        assert_eq!(removed, put, "{step} {status}: {lines:?}");
    }
    // Somebody without a drive.
    let world = World::start(|call| {
        let drive = call.path.starts_with("/v1.0/me/drive");
        if drive { Some(Reply::error(404, "ResourceNotFound")) } else { takes(call) }
    })
    .await;
    assert_eq!(send(&world, bytes(3)).await, Outcome::Refused(codes::NOT_CARRIED));
    // An organisation that shares with nobody says so one by one.
    let world = World::start(|call| {
        let refused = json!({ "value": [{ "error": { "code": "notAllowed" } }] });
        if call.path.ends_with("/invite") { Some(Reply(207, None, refused.to_string())) } else { takes(call) }
    })
    .await;
    assert_eq!(send(&world, bytes(3)).await, Outcome::Refused(codes::SCOPE));
    // One who cannot open it keeps it from nobody else.
    let world = World::start(|call| {
        let some = json!({ "value": [{ "error": { "code": "notAllowed" } }, { "id": "p" }] });
        if call.path.ends_with("/invite") { Some(Reply(207, None, some.to_string())) } else { takes(call) }
    })
    .await;
    assert!(matches!(send(&world, bytes(3)).await, Outcome::Done(_)));
    assert!(world.fake.lines().iter().any(|line| line.ends_with("/messages")));
    // Where nobody knows whether the message is there it may need its file; it goes before it is posted anew.
    let world = World::start(|call| {
        if call.path.ends_with("/messages") { Some(Reply::error(502, "Code")) } else { takes(call) }
    })
    .await;
    assert_eq!(send(&world, bytes(3)).await, Outcome::Unknown(codes::TARGET_FAILED));
    assert!(!world.fake.lines().iter().any(|line| line.starts_with("DELETE")));
    send(&world, bytes(3)).await;
    assert_eq!(world.fake.lines().first().unwrap(), &format!("DELETE /v1.0/{ITEM}"));
}

#[tokio::test]
async fn an_answer_that_nobody_understands_is_no_file_that_was_posted() {
    for (step, size, put) in [
        ("Files", 3, false),
        ("createUploadSession", PART + 5, false),
        ("members", 3, true),
        ("invite", 3, true),
    ] {
        let world = World::start(move |call| {
            let path = call.path.split('?').next().unwrap_or_default();
            if path.ends_with(step) { Some(Reply(200, None, "x".to_owned())) } else { takes(call) }
        })
        .await;
        assert_eq!(send(&world, bytes(size)).await, Outcome::retry(codes::TARGET_FAILED), "{step}");
        let lines = world.fake.lines();
        assert!(!lines.iter().any(|line| line.ends_with("/messages")), "{step}");
        let removed = lines.last().is_some_and(|line| *line == format!("DELETE /v1.0/{ITEM}"));
        assert_eq!(removed, put, "{step}: {lines:?}");
    }
}

#[tokio::test]
async fn the_app_puts_nothing_into_anybodys_drive_and_takes_nothing_out() {
    let world = World::start(takes).await;
    let mut share = of_ana("");
    share.post.spokesman = Spokesman::App;
    let outcome = world.connector.share(&session(&world), &world.chat(), &share, bytes(3)).await;
    assert_eq!((outcome, world.fake.calls().len()), (Outcome::Refused(codes::NOT_CARRIED), 0));
    let outcome = world.connector.discard(&session(&world), &world.chat(), &Spokesman::App, ITEM).await;
    assert_eq!((outcome, world.fake.calls().len()), (Outcome::Refused(codes::NOT_CARRIED), 0));
}

/// A Graph with Ana's drive and one file in it; Bo has none.
async fn holding(other: impl Fn(&str) -> Option<Reply> + Send + Sync + 'static) -> World {
    World::start(move |call| {
        let base = format!("http://{}", call.headers.get("host")?);
        if let Some(reply) = other(&call.path) {
            return Some(reply);
        }
        if call.path == format!("/v1.0/users/{ANA}/drive?$select=id") {
            return Some(json!({ "id": "b!own" }).into());
        }
        match call.path.as_str() {
            path if path.contains("/users/") => Some(Reply::error(404, "ResourceNotFound")),
            path if path.ends_with("/driveItem") => {
                // `https://board`, as sharing tokens begin with it.
                let drive = if path.contains("aHR0cHM6Ly9ib2FyZ") { "b!board" } else { "b!own" };
                Some(json!({ "id": "01ITEM", "parentReference": { "driveId": drive } }).into())
            }
            path if path == format!("/v1.0/{ITEM}/content") => {
                Some(Reply(302, None, format!("{base}/dl/secret")))
            }
            "/dl/secret" if call.token().is_empty() => Some(Reply(200, None, FILE_TEXT.to_owned())),
            path if path.ends_with(&format!("/messages/{MESSAGE}")) => {
                let mut message = chat_message(MESSAGE, "<attachment id=\"guid\"></attachment>");
                message["chatId"] = json!(CHAT);
                message["channelIdentity"] = Value::Null;
                message["attachments"] = json!([{ "id": "guid", "contentType": "reference", "name": "plan.txt",
                    "contentUrl": "https://t-my.sharepoint.com/personal/ana/plan.txt" }]);
                Some(message.into())
            }
            _ => None,
        }
    })
    .await
}

async fn text(file: Result<FileBytes, Failure>) -> Result<Vec<u8>, Failure> {
    let mut all = Vec::new();
    let mut chunks = file?.chunks;
    while let Some(chunk) = chunks.next().await {
        let chunk: Bytes = chunk?;
        all.extend_from_slice(&chunk);
    }
    Ok(all)
}

#[tokio::test]
async fn what_a_person_sent_comes_out_of_their_own_drive_alone() {
    let world = holding(|_| None).await;
    let (session, chat) = (world.session(), world.chat());
    let message = world.connector.message(&session, &chat, None, &MESSAGE.into()).await.unwrap().unwrap();
    let [sent] = message.files.as_slice() else { panic!("{} files", message.files.len()) };
    assert_eq!(sent.name, "plan.txt");
    let got = world.connector.download(&session, &chat, &message.id, sent).await;
    assert_eq!(text(got).await.unwrap(), FILE_TEXT.as_bytes());
    let last = world.fake.calls().pop().unwrap();
    assert_eq!((last.path.as_str(), last.token()), ("/dl/secret", ""), "the token stays behind");

    let own = "https://t-my.sharepoint.com/personal/ana/plan.txt";
    let forbidden = Failure::Refused(codes::FILE_FORBIDDEN);
    for (sender, address, failure) in [
        // The app may read it, its sender perhaps not.
        (ANA, "https://board.sharepoint.com/sites/Board/plan.txt", forbidden.clone()),
        // A guest, or somebody of another organisation, who names a file of Ana's.
        (BO, own, forbidden.clone()),
        ("", own, forbidden),
    ] {
        let file = file(&format!("guid sent:{sender}"), Some(address));
        let got = world.connector.download(&session, &chat, &MESSAGE.into(), &file).await;
        assert_eq!(got.err(), Some(failure), "{sender} {address}");
    }
    for (part, status, failure) in [
        ("/users/", 403, Failure::Refused(codes::SCOPE)),
        ("/shares/", 404, Failure::Refused(codes::FILE_GONE)),
        ("/shares/", 429, Failure::Retry { after_ms: None, code: codes::RATE_LIMITED }),
        ("/users/", 503, Failure::Retry { after_ms: None, code: codes::TARGET_FAILED }),
    ] {
        let world = holding(move |path| path.contains(part).then(|| Reply::error(status, "Code"))).await;
        let got = world.connector.download(&world.session(), &world.chat(), &MESSAGE.into(), sent).await;
        assert_eq!(got.err(), Some(failure), "{part} {status}");
    }
}

#[tokio::test]
async fn each_file_of_a_message_is_a_file_of_its_own_and_its_senders() {
    // An author writes the ids of attachments, but not who sent them: an id with a space is none.
    let ids = ["g1", "g2", &format!("g3 {BO}"), &format!("g4 sent:{BO}")].map(str::to_owned);
    let world = World::start(move |call| {
        let mut message = chat_message(MESSAGE, "<p>look</p>");
        message["chatId"] = json!(CHAT);
        message["channelIdentity"] = Value::Null;
        let reference = |id: &String| {
            json!({ "id": id, "contentType": "reference", "name": "plan.txt",
                "contentUrl": format!("https://t-my.sharepoint.com/personal/ana/{id}.txt") })
        };
        message["attachments"] = ids.iter().map(reference).collect();
        if call.path.ends_with(&format!("/messages/{MESSAGE}")) {
            return Some(message.into());
        }
        call.path.contains("/users/").then(|| Reply::error(404, "ResourceNotFound"))
    })
    .await;
    let (session, chat) = (world.session(), world.chat());
    let message = world.connector.message(&session, &chat, None, &MESSAGE.into()).await.unwrap().unwrap();
    let identities: std::collections::BTreeSet<&str> =
        message.files.iter().map(dragoman_model::FileRef::identity).collect();
    assert_eq!(identities, ["g1", "g2"].into());
    for file in &message.files {
        let got = world.connector.download(&session, &chat, &message.id, file).await;
        assert_eq!(got.err(), Some(Failure::Refused(codes::FILE_FORBIDDEN)));
        let asked = world.fake.calls().pop().unwrap().path;
        assert_eq!(asked, format!("/v1.0/users/{ANA}/drive?$select=id"), "{}", file.id);
    }
}

#[tokio::test]
async fn the_file_of_a_lost_answer_is_found_by_who_sent_it() {
    let world = World::start(|call| {
        if call.path.contains("/messages?") {
            let mut message = chat_message(MESSAGE, "<attachment id=\"guid\"></attachment>");
            message["attachments"] = json!([{ "id": "guid", "contentType": "reference", "name": "Plan_.txt",
                "contentUrl": "https://t-my.sharepoint.com/personal/ana/Plan_.txt" }]);
            return Some(json!({ "value": [message] }).into());
        }
        if call.token() != "ana-token" {
            return None;
        }
        if call.path.ends_with("/me/drive?$select=id") {
            return Some(json!({ "id": "b!own" }).into());
        }
        call.path.ends_with("/driveItem").then(|| item("https://t-my.sharepoint.com").into())
    })
    .await;
    let found =
        world.connector.find(&session(&world), &world.chat(), &of_ana("").post, 1_768_039_100_000).await;
    let found: Vec<_> = found.unwrap().into_iter().map(|it| (it.file, it.beside)).collect();
    assert_eq!(found, [(Some("Plan_.txt".to_owned()), Some(ITEM.to_owned()))]);
}

#[tokio::test]
async fn people_have_it_natively_where_files_are_switched_on_and_the_app_a_line() {
    let world = World::start(|call| {
        let made = json!({ "id": "sub-1", "expirationDateTime": "2026-01-13T00:00:00Z" });
        (call.line() == "POST /v1.0/subscriptions").then(|| Reply(201, None, made.to_string()))
    })
    .await;
    for (on, fact, own, asked) in
        [(true, "yes", Level::Native, Level::Partial), (false, "no", Level::Fallback, Level::Fallback)]
    {
        let mut session = world.session();
        let mut app = crate::support::app();
        app.features.extend(on.then(|| "files".to_owned()));
        session.app = Arc::new(app);
        let watch = world.connector.watch(&session, &world.chat(), None).await.unwrap();
        assert_eq!(watch.facts.get("files").map(String::as_str), Some(fact));
        let mut chat = world.chat();
        chat.facts.extend(watch.facts);
        let levels = |conversation: &Conversation| {
            let it = world.connector.capabilities(&session.installation, conversation);
            (it.level(Feature::File), it.own_level(Feature::File))
        };
        assert_eq!(levels(&chat), (Level::Fallback, own));
        // In somebody's own chat with the app nobody speaks but the two of them: they are asked.
        chat.remote = "a:personal".into();
        assert_eq!(levels(&chat), (asked, asked));
        let watch = world.connector.watch(&session, &chat, None).await.unwrap();
        assert_eq!(watch.facts.get("files").map(String::as_str), Some(fact));
    }
}
