//! Files: into the folder of a channel with a message that names them, and out of messages.

use bytes::Bytes;
use dragoman_model::{
    Block, Done, Feature, FileRef, Inline, Level, Outcome, PersonId, RemoteMessage, Spokesman, Version, codes,
};
use dragoman_platform::conformance::{FILE_TEXT, FileManner};
use dragoman_platform::{
    Chunks, Connector as _, Conversation, Failure, FileBytes, Share, TokenSet, TokenSlot,
};
use dragoman_seal::Token;
use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};

use crate::fake::{Call, Reply};
use crate::support::{ANA, APP, CHAT, Keeper, MESSAGE, ROOM, TEAM, World, chat_message, paragraph, post};

const GUID: &str = "5A1B2C3D-0000-4000-8000-00000000000F";
const PART: usize = 32 * 320 * 1024;

pub(crate) fn bytes(size: usize) -> FileBytes {
    // Chunks that fit no border.
    let all = vec![b'x'; size];
    let parts: Vec<Result<Bytes, Failure>> =
        all.chunks(70_001).map(|part| Ok(Bytes::copy_from_slice(part))).collect();
    let chunks: Chunks = Box::pin(stream::iter(parts));
    FileBytes { size: Some(size as u64), media_type: Some("text/plain".to_owned()), chunks }
}

pub(crate) fn share(caption: &str) -> Share {
    let blocks = if caption.is_empty() { vec![] } else { vec![paragraph(caption)] };
    let mut post = post(ROOM, blocks);
    "Ana <b>".clone_into(&mut post.author.name);
    "Slack".clone_into(&mut post.author.via);
    Share { post, name: "Plan?.txt".to_owned(), media_type: None, destination: None }
}

fn item(base: &str) -> Value {
    json!({ "id": "01ITEM", "name": "Plan_.txt", "size": 3, "eTag": format!("\"{{{GUID}}},1\""),
        "webUrl": format!("{base}/sites/T/Shared%20Documents/Room/Plan_.txt?a=1&b"),
        "parentReference": { "driveId": "b!drive", "id": "01FOLDER" } })
}

/// A Graph and a Bot Connector that take every step.
fn takes(call: &Call) -> Option<Reply> {
    let base = format!("http://{}", call.headers.get("host")?);
    let path = call.path.split('?').next().unwrap_or_default();
    if path.ends_with("/filesFolder") {
        return Some(json!({ "id": "01FOLDER", "parentReference": { "driveId": "b!drive" } }).into());
    }
    if path.ends_with("/createUploadSession") {
        return Some(
            json!({ "uploadUrl": format!("{base}/up/secret"), "expirationDateTime": "2030-01-01T00:00:00Z" })
                .into(),
        );
    }
    if call.method == "PUT" && path.ends_with("/content") {
        return Some(Reply(201, None, item(&base).to_string()));
    }
    if call.method == "PUT" && path == "/up/secret" {
        let range = call.headers.get("content-range")?;
        let (span, total) = range.strip_prefix("bytes ")?.split_once('/')?;
        let end: u64 = span.split_once('-')?.1.parse().ok()?;
        return Some(if end + 1 == total.parse::<u64>().ok()? {
            Reply(201, None, item(&base).to_string())
        } else {
            Reply(202, None, json!({ "nextExpectedRanges": [format!("{}-", end + 1)] }).to_string())
        });
    }
    if call.method == "POST" && path.ends_with("/activities") || path.ends_with("/messages") {
        return Some(Reply(201, None, json!({ "id": MESSAGE }).to_string()));
    }
    (call.method == "DELETE").then(|| Reply(204, None, String::new()))
}

/// A Teams for the checks that every connector passes.
pub(crate) async fn treating(manner: FileManner) -> World {
    World::start(move |call| {
        let path = call.path.split('?').next().unwrap_or_default();
        let answer = match manner {
            FileManner::TooLarge if path.ends_with("/content") => Reply::error(413, "Code"),
            FileManner::Forbids if path.ends_with("/content") => Reply::error(507, "Code"),
            FileManner::LosesAnswer if path.ends_with("/activities") => Reply::error(502, "ServiceError"),
            _ => return takes(call),
        };
        Some(answer)
    })
    .await
}

/// The same with one file.
pub(crate) async fn holding_one(manner: FileManner) -> World {
    World::start(move |call| {
        let base = format!("http://{}", call.headers.get("host")?);
        let folder = json!({ "id": "f", "parentReference": { "driveId": "team" } });
        match call.path.as_str() {
            path if path.ends_with("/filesFolder") => Some(folder.into()),
            path if manner == FileManner::Gone && path.contains("/shares/") => {
                Some(Reply::error(404, "itemNotFound"))
            }
            path if path.ends_with("/driveItem") => Some(folder.into()),
            "/dl/secret" => Some(Reply(200, None, FILE_TEXT.to_owned())),
            path if path.ends_with("/content") => Some(Reply(302, None, format!("{base}/dl/secret"))),
            _ => None,
        }
    })
    .await
}

async fn send(world: &World, share: &Share, bytes: FileBytes) -> Outcome {
    world.connector.share(&world.session(), &world.room(), share, bytes).await
}

fn made() -> Outcome {
    Outcome::Done(Done {
        message: Some(RemoteMessage::from(MESSAGE)),
        version: Some(Version(MESSAGE.parse().unwrap())),
        beside: Some(ITEM.to_owned()),
    })
}

/// Where the file lies.
const ITEM: &str = "drives/b%21drive/items/01ITEM";

#[tokio::test]
async fn the_bot_puts_a_file_into_the_folder_and_links_to_it() {
    let world = World::start(takes).await;
    let mut share = share("");
    share.post.thread_root = Some("1768039198000".into());
    assert_eq!(send(&world, &share, bytes(3)).await, made());
    let calls = world.fake.calls();
    let put = calls.iter().find(|call| call.method == "PUT").unwrap();
    assert_eq!(
        put.path,
        "/v1.0/drives/b%21drive/items/01FOLDER:/Plan_.txt:/content?@microsoft.graph.conflictBehavior=rename"
    );
    assert_eq!((put.body.as_str(), put.token()), ("xxx", "graph-token"));
    let sent = calls.last().unwrap();
    assert!(sent.path.contains("messageid%3D1768039198000"), "{}", sent.path);
    assert_eq!(sent.token(), "bot-token");
    let text = sent.json()["text"].as_str().unwrap().to_owned();
    assert!(text.starts_with("<b>Ana &lt;b&gt; (Slack)</b><br/>\u{1f4ce} <a href=\"http"), "{text}");
    assert!(text.ends_with("Plan_.txt?a=1&amp;b\">Plan_.txt</a>"), "{text}");

    // Whoever deletes the message takes the file along; what is gone already is done.
    for _ in 0..2 {
        let discarded = world.connector.discard(&world.session(), &world.room(), &Spokesman::App, ITEM).await;
        assert_eq!(discarded, Outcome::done());
        assert_eq!(world.fake.lines(), ["DELETE /v1.0/drives/b%21drive/items/01ITEM"]);
    }
}

#[tokio::test]
async fn a_person_refers_to_the_file_as_teams_does() {
    let world = World::start(takes).await;
    let mut share = share("look");
    let person = PersonId::from("p-1");
    share.post.spokesman = Spokesman::Person(person.clone());
    let set = TokenSet { access: Token::new("person-token".to_owned()), refresh: None, expires_at_ms: None };
    let session = world.session_with(Keeper::with(TokenSlot::Person(person), set));
    let outcome = world.connector.share(&session, &world.room(), &share, bytes(3)).await;
    assert_eq!(outcome, made());
    let calls = world.fake.calls();
    assert!(calls.iter().filter(|call| call.method == "PUT").all(|call| call.token() == "graph-token"));
    let sent = calls.last().unwrap();
    assert_eq!(
        (
            sent.path.ends_with(&format!("/teams/{TEAM}/channels/19%3Aroom%40thread.tacv2/messages")),
            sent.token()
        ),
        (true, "person-token")
    );
    let body = sent.json();
    let content = body["body"]["content"].as_str().unwrap();
    assert!(
        content.contains("look") && content.ends_with(&format!("<attachment id=\"{GUID}\"></attachment>")),
        "{content}"
    );
    assert_eq!(
        (&body["attachments"][0]["id"], &body["attachments"][0]["name"]),
        (&json!(GUID), &json!("Plan_.txt"))
    );
}

#[tokio::test]
async fn a_refused_token_of_the_app_is_nobody_elses() {
    let refusing = async |step: &'static str| {
        World::start(move |call| {
            let path = call.path.split('?').next().unwrap_or_default();
            let refused = call.token() == "graph-token" && path.ends_with(step);
            if refused { Some(Reply::error(401, "InvalidAuthenticationToken")) } else { takes(call) }
        })
        .await
    };
    let person = PersonId::from("p-1");
    let session = |world: &World| {
        let access = Token::new("person-token".to_owned());
        let set = TokenSet { access, refresh: None, expires_at_ms: None };
        world.session_with(Keeper::with(TokenSlot::Person(person.clone()), set))
    };
    for (step, size) in [("/filesFolder", 3), ("/createUploadSession", PART + 5)] {
        for (spokesman, outcome) in [
            (Spokesman::Person(person.clone()), Outcome::Refused(codes::SIGN_IN)),
            (Spokesman::App, Outcome::SignIn(codes::SIGN_IN)),
        ] {
            let world = refusing(step).await;
            let mut share = share("");
            share.post.spokesman = spokesman;
            let got = world.connector.share(&session(&world), &world.room(), &share, bytes(size)).await;
            assert_eq!(got, outcome, "{step}");
        }
    }
    let world = refusing("/items/01ITEM").await;
    for (spokesman, outcome) in [
        (Spokesman::Person(person.clone()), Outcome::retry(codes::SIGN_IN)),
        (Spokesman::App, Outcome::SignIn(codes::SIGN_IN)),
    ] {
        let got = world.connector.discard(&session(&world), &world.room(), &spokesman, ITEM).await;
        assert_eq!(got, outcome, "{spokesman:?}");
    }
    // Their own is theirs: the message itself is posted with it.
    let world = World::start(|call| {
        let refused = call.token() == "person-token";
        if refused { Some(Reply::error(401, "InvalidAuthenticationToken")) } else { takes(call) }
    })
    .await;
    let mut share = share("");
    share.post.spokesman = Spokesman::Person(person.clone());
    let got = world.connector.share(&session(&world), &world.room(), &share, bytes(3)).await;
    assert_eq!(got, Outcome::SignIn(codes::SIGN_IN));
}

#[tokio::test]
async fn a_file_that_somebody_has_open_stays_and_nothing_waits_for_it() {
    let world = World::start(|call| {
        if call.method == "DELETE" { Some(Reply::error(423, "resourceLocked")) } else { takes(call) }
    })
    .await;
    let got = world.connector.discard(&world.session(), &world.room(), &Spokesman::App, ITEM).await;
    assert_eq!(got, Outcome::Refused(codes::FILE_REFUSED));
}

#[tokio::test]
async fn large_files_go_in_parts_that_are_multiples_of_320_kib() {
    let world = World::start(takes).await;
    assert_eq!(send(&world, &share(""), bytes(2 * PART + 5)).await, made());
    let calls = world.fake.calls();
    let open = calls.iter().find(|call| call.path.ends_with(":/createUploadSession")).unwrap();
    assert_eq!(open.json()["item"]["@microsoft.graph.conflictBehavior"], "rename");
    let parts: Vec<&Call> = calls.iter().filter(|call| call.path == "/up/secret").collect();
    let total = 2 * PART + 5;
    let ranges: Vec<&str> = parts.iter().map(|call| call.headers["content-range"].as_str()).collect();
    assert_eq!(
        ranges,
        [
            format!("bytes 0-{}/{total}", PART - 1),
            format!("bytes {PART}-{}/{total}", 2 * PART - 1),
            format!("bytes {}-{}/{total}", 2 * PART, total - 1),
        ]
    );
    assert_eq!(parts.iter().map(|call| call.body.len()).collect::<Vec<_>>(), [PART, PART, 5]);
    assert!(parts.iter().all(|call| call.token().is_empty()), "such addresses refuse tokens");
}

#[tokio::test]
async fn what_fails_on_the_way_posts_nothing_and_says_why() {
    let retry = |code| Outcome::retry(code);
    for (step, status, outcome) in [
        ("filesFolder", 403, Outcome::Refused(codes::SCOPE)),
        ("filesFolder", 404, Outcome::Refused(codes::NOT_CARRIED)),
        ("filesFolder", 503, retry(codes::TARGET_FAILED)),
        ("/content", 403, Outcome::Refused(codes::SCOPE)),
        ("/content", 413, Outcome::Refused(codes::FILE_TOO_LARGE)),
        ("/content", 507, Outcome::Refused(codes::FILE_FORBIDDEN)),
        ("/content", 423, retry(codes::TARGET_FAILED)),
        ("/content", 500, retry(codes::TARGET_FAILED)),
    ] {
        let world = World::start(move |call| {
            let path = call.path.split('?').next().unwrap_or_default();
            if path.ends_with(step) { Some(Reply::error(status, "Code")) } else { takes(call) }
        })
        .await;
        assert_eq!(send(&world, &share(""), bytes(3)).await, outcome, "{step} {status}");
        assert!(!world.fake.lines().iter().any(|line| line.contains("/activities")), "{step} {status}");
    }
    let world = World::start(takes).await;
    let cut = stream::iter([Ok(Bytes::from_static(b"ab")), Err(Failure::Refused(codes::FILE_GONE))]);
    let file = FileBytes { size: Some(9), media_type: None, chunks: Box::pin(cut) };
    assert_eq!(send(&world, &share(""), file).await, Outcome::Refused(codes::FILE_GONE));
    let file = FileBytes { size: None, ..bytes(1) };
    assert_eq!(send(&world, &share(""), file).await, Outcome::Refused(codes::BAD_REQUEST));
    let mut chat = share("");
    chat.post.conversation = CHAT.into();
    let outcome = world.connector.share(&world.session(), &world.chat(), &chat, bytes(1)).await;
    assert_eq!(outcome, Outcome::Refused(codes::NOT_CARRIED));
}

#[tokio::test]
async fn a_broken_session_is_closed_and_a_refused_message_takes_its_file_along() {
    let world = World::start(|call| {
        let second = call.headers.get("content-range").is_some_and(|range| !range.starts_with("bytes 0-"));
        if second { Some(Reply::error(503, "Busy")) } else { takes(call) }
    })
    .await;
    assert_eq!(send(&world, &share(""), bytes(PART + 5)).await, Outcome::retry(codes::TARGET_FAILED));
    assert_eq!(world.fake.lines().last().unwrap(), "DELETE /up/secret");

    let world = World::start(|call| {
        if call.path.ends_with("/activities") {
            Some(Reply::error(403, "MessageWritesBlocked"))
        } else {
            takes(call)
        }
    })
    .await;
    assert_eq!(send(&world, &share(""), bytes(3)).await, Outcome::Gone(codes::CONVERSATION_GONE));
    assert_eq!(world.fake.lines().last().unwrap(), "DELETE /v1.0/drives/b%21drive/items/01ITEM");

    // Nobody knows whether the message is there: it may need its file.
    let world = World::start(|call| {
        if call.path.ends_with("/activities") { Some(Reply::error(502, "ServiceError")) } else { takes(call) }
    })
    .await;
    assert_eq!(send(&world, &share(""), bytes(3)).await, Outcome::Unknown(codes::TARGET_FAILED));
    assert!(!world.fake.lines().iter().any(|line| line.starts_with("DELETE")));
}

#[tokio::test]
async fn the_copy_of_a_file_is_found_with_its_name() {
    let world = World::start(|call| {
        call.path.contains("/messages?").then(|| {
            let mut linked = chat_message(
                MESSAGE,
                "<p><b>Ana &lt;b&gt; (Slack)</b><br>\u{1f4ce} <a href=\"https://x.sharepoint.com/Plan_.txt\">Plan_.txt</a></p>",
            );
            linked["from"] = json!({ "application": { "id": APP, "applicationIdentityType": "bot" } });
            let mut text = chat_message("1768039199001", "<p><b>Ana &lt;b&gt; (Slack)</b><br>hello</p>");
            text["from"] = linked["from"].clone();
            json!({ "value": [text, linked] }).into()
        })
    })
    .await;
    let found =
        world.connector.find(&world.session(), &world.room(), &share("").post, 1_768_039_100_000).await;
    let found: Vec<_> =
        found.unwrap().into_iter().map(|it| (it.message.as_str().to_owned(), it.file)).collect();
    assert_eq!(
        found,
        [(MESSAGE.to_owned(), Some("Plan_.txt".to_owned())), ("1768039199001".to_owned(), None)]
    );
}

/// A Graph with one message of the app's, which links to a file that somebody made.
async fn linking(maker: Value) -> World {
    World::start(move |call| {
        let base = format!("http://{}", call.headers.get("host")?);
        if call.path.contains("/messages?") {
            let link = "https://x.sharepoint.com/Budget.xlsx";
            let text = format!(
                "<p><b>Ana &lt;b&gt; (Slack)</b><br>\u{1f4ce} <a href=\"{link}\">Budget.xlsx</a></p>"
            );
            let mut linked = chat_message(MESSAGE, &text);
            linked["from"] = json!({ "application": { "id": APP, "applicationIdentityType": "bot" } });
            return Some(json!({ "value": [linked] }).into());
        }
        if call.path.ends_with("/driveItem") {
            let mut item = item(&base);
            item["createdBy"] = maker.clone();
            return Some(item.into());
        }
        takes(call)
    })
    .await
}

#[tokio::test]
async fn a_document_that_an_author_links_to_is_not_beside_their_message() {
    for (maker, beside) in [
        (json!({ "user": { "id": ANA } }), None),
        (Value::Null, None),
        (json!({ "application": { "id": "another" }, "user": null }), None),
        (json!({ "application": { "id": APP.to_uppercase() } }), Some(ITEM.to_owned())),
    ] {
        let world = linking(maker.clone()).await;
        // What is taken back is looked for without its text.
        let found =
            world.connector.find(&world.session(), &world.room(), &share("").post, 1_768_039_100_000).await;
        let found: Vec<_> = found.unwrap().into_iter().map(|it| (it.file, it.beside)).collect();
        assert_eq!(found, [(Some("Budget.xlsx".to_owned()), beside)], "{maker}");
    }
}

#[tokio::test]
async fn a_text_that_ends_like_the_message_of_a_file_is_found_as_a_text() {
    let world = linking(Value::Null).await;
    let mut text = share("").post;
    text.body.blocks = vec![Block::Paragraph(vec![
        Inline::Text("\u{1f4ce} ".to_owned()),
        Inline::Link {
            url: "https://x.sharepoint.com/Budget.xlsx".to_owned(),
            text: vec![Inline::Text("Budget.xlsx".to_owned())],
        },
    ])];
    let found = world.connector.find(&world.session(), &world.room(), &text, 1_768_039_100_000).await;
    let found: Vec<_> = found.unwrap().into_iter().map(|it| (it.same, it.file, it.beside)).collect();
    assert_eq!(found, [(true, None, None)]);
}

pub(crate) fn file(id: &str, link: Option<&str>) -> FileRef {
    let permalink = link.map(str::to_owned);
    FileRef { id: id.to_owned(), name: "a".to_owned(), media_type: None, size: None, permalink }
}

async fn fetch(world: &World, file: &FileRef) -> Result<Vec<u8>, Failure> {
    let message = RemoteMessage::from(MESSAGE);
    let mut file = world.connector.download(&world.session(), &world.room(), &message, file).await?;
    let mut all = Vec::new();
    while let Some(chunk) = file.chunks.next().await {
        all.extend_from_slice(&chunk?);
    }
    Ok(all)
}

#[tokio::test]
async fn references_lead_to_bytes_and_the_token_stays_behind() {
    // `https://y.`, as sharing tokens begin with it.
    let other = "aHR0cHM6Ly95L".to_owned();
    let world = World::start(move |call| {
        let base = format!("http://{}", call.headers.get("host")?);
        match call.path.as_str() {
            path if path.ends_with("/filesFolder") => {
                Some(json!({ "id": "f", "parentReference": { "driveId": "team" } }).into())
            }
            path if path.starts_with("/v1.0/shares/u!") && path.ends_with("/driveItem") => {
                let drive = if path.contains(&other) { "somebodys" } else { "team" };
                Some(json!({ "id": "i", "parentReference": { "driveId": drive } }).into())
            }
            "/v1.0/drives/team/items/i/content" => Some(Reply(302, None, format!("{base}/dl/secret"))),
            "/dl/secret" if call.token().is_empty() => Some(Reply(200, None, "content".to_owned())),
            "/dl/secret" => Some(Reply::error(401, "unauthenticated")),
            _ => None,
        }
    })
    .await;
    let reference = file("guid", Some("https://x.sharepoint.com/sites/T/a%20b.txt"));
    assert_eq!(fetch(&world, &reference).await.unwrap(), b"content");
    let calls = world.fake.calls();
    let [_, asked, first, second] = &calls[..] else { panic!("{} calls", calls.len()) };
    let token = asked.path.trim_start_matches("/v1.0/shares/u!").trim_end_matches("/driveItem");
    assert!(token.starts_with("aHR0cHM6Ly94LnNoYXJlcG9pbnQ") && !token.contains('='), "{token}");
    assert_eq!((first.token(), second.token()), ("graph-token", ""));
    let elsewhere = file("guid", Some("https://y.sharepoint.com/sites/Board/plan.txt"));
    let refused = Some(Failure::Refused(codes::FILE_FORBIDDEN));
    assert_eq!(fetch(&world, &elsewhere).await.err(), refused, "the app may read it, its author perhaps not");
}

#[tokio::test]
async fn pasted_pictures_come_from_graph_and_from_the_connector_with_their_own_tokens() {
    let world = World::start(|call| {
        let known =
            call.path.ends_with("/$value") || call.path.ends_with("/views/original") || call.path == "/open";
        known.then(|| Reply(200, None, call.token().to_owned()))
    })
    .await;
    let base = world.fake.url();
    let room = format!("{base}/v1.0/teams/{TEAM}/channels/{ROOM}/messages");
    let link = Some("https://teams.microsoft.com/l");
    let hosted = format!("{room}/1/replies/{MESSAGE}/hostedContents/h/$value");
    assert_eq!(fetch(&world, &file(&hosted, link)).await.unwrap(), b"graph-token");
    for forged in [
        format!("{room}/1/hostedContents/h/$value"),
        format!("{room}/{MESSAGE}/hostedContents/h/$value?x"),
        format!("{base}/v1.0/chats/c/messages/{MESSAGE}/hostedContents/h/$value"),
        format!("{base}/v1.0/users?x=/hostedContents/h/$value"),
        format!("{base}/svc/v3/conversations/x/members?x=/hostedContents/a/$value"),
        format!("{base}/svc/v3/conversations/x/members?x=hostedContents/a/$value"),
        format!("{base}/svc/v3/conversations/x/members?x=/v3/attachments/1/views/original"),
        format!("{base}/svc/v3/conversations/x/members"),
        format!("{base}/svc/v3/conversations/x/v3/attachments/1/views/original"),
        format!("{base}/svc/v3/attachments/..%2Fconversations%2Fx%2Fmembers%3F/views/original"),
        format!("{base}/svc/v3/attachments/1/views/../../../conversations/x/views/original"),
        format!("{base}/svc/v3/attachments/1/views/original?x"),
        format!("{base}/svc/v3/attachments/1"),
        format!("{base}/svc"),
    ] {
        let blocked = Some(Failure::Refused(codes::ADDRESS_BLOCKED));
        assert_eq!(fetch(&world, &file(&forged, link)).await.err(), blocked, "{forged}");
    }
    let shown = format!("{base}/svc/v3/attachments/1/views/original");
    assert_eq!(fetch(&world, &file(&shown, None)).await.unwrap(), b"bot-token");
    let open = format!("{base}/open");
    let sent = file(&format!("guid download:{open}"), None);
    assert_eq!(fetch(&world, &sent).await.unwrap(), b"");
}

#[tokio::test]
async fn no_token_follows_an_address_out_of_a_message() {
    let world = World::quiet().await;
    let elsewhere = World::start(|_| Some(Reply(200, None, "stolen".to_owned()))).await;
    let away = elsewhere.fake.url().replace("127.0.0.1", "localhost");
    let hosted = format!("{away}/v1.0/chats/c/messages/1/hostedContents/h/$value");
    let shown = format!("{away}/v3/attachments/1");
    for file in [file(&hosted, None), file(&shown, None)] {
        assert_eq!(fetch(&world, &file).await.err(), Some(Failure::Refused(codes::ADDRESS_BLOCKED)));
    }
    let open = format!("{away}/x");
    let failure = fetch(&world, &file(&format!("guid download:{open}"), None)).await.err();
    assert_eq!(failure, Some(Failure::Retry { after_ms: None, code: codes::ADDRESS_BLOCKED }));
    assert!(elsewhere.fake.all_calls().is_empty());
}

#[tokio::test]
async fn refused_downloads_are_the_files_own_matter() {
    for (status, failure) in [
        (403, Failure::Refused(codes::SCOPE)),
        (404, Failure::Refused(codes::FILE_GONE)),
        (410, Failure::Refused(codes::FILE_GONE)),
        (429, Failure::Retry { after_ms: None, code: codes::RATE_LIMITED }),
        (503, Failure::Retry { after_ms: None, code: codes::TARGET_FAILED }),
    ] {
        let world = World::start(move |call| {
            if call.path.ends_with("/filesFolder") {
                return Some(json!({ "id": "f", "parentReference": { "driveId": "team" } }).into());
            }
            call.path.contains("/shares/").then(|| Reply::error(status, "Code"))
        })
        .await;
        let reference = file("guid", Some("https://x.sharepoint.com/a"));
        assert_eq!(fetch(&world, &reference).await.err(), Some(failure), "{status}");
    }
    let world = World::quiet().await;
    assert_eq!(fetch(&world, &file("guid", None)).await.err(), Some(Failure::Refused(codes::FILE_GONE)));
}

#[tokio::test]
async fn capabilities_follow_what_graph_grants() {
    let levels = |world: &World, conversation: &Conversation| {
        let it = world.connector.capabilities(&world.session().installation, conversation);
        (it.level(Feature::File), it.own_level(Feature::File))
    };
    let subscribes = |call: &Call| {
        let made = json!({ "id": "sub-1", "expirationDateTime": "2026-01-13T00:00:00Z" });
        (call.line() == "POST /v1.0/subscriptions").then(|| Reply(201, None, made.to_string()))
    };
    let granted = World::start(move |call| subscribes(call).or_else(|| takes(call))).await;
    let read_only = World::start(move |call| {
        let write = call.path.ends_with("/createUploadSession");
        subscribes(call).or_else(|| if write { Some(Reply::error(403, "accessDenied")) } else { takes(call) })
    })
    .await;
    let busy = World::start(move |call| {
        let folder = call.path.ends_with("/filesFolder");
        subscribes(call).or_else(|| folder.then(|| Reply::error(503, "Busy")))
    })
    .await;
    for (world, fact, expected) in [
        (&granted, Some("yes"), (Level::Partial, Level::Native)),
        (&read_only, Some("no"), (Level::Fallback, Level::Fallback)),
        (&busy, None, (Level::Fallback, Level::Fallback)),
    ] {
        let watch = world.connector.watch(&world.session(), &world.room(), None).await.unwrap();
        assert_eq!(watch.facts.get("files").map(String::as_str), fact);
        let mut room = world.room();
        room.facts.extend(watch.facts);
        assert_eq!(levels(world, &room), expected);
    }
    assert_eq!(granted.fake.lines().last().unwrap(), "DELETE /up/secret", "nothing is left behind");
}
