//! Files into a person's own chat with the bot: asked for, accepted, put where they said.

use dragoman_model::{Destination, EventKind, Feature, Happening, Level, Outcome, codes};
use dragoman_platform::{Connector as _, Conversation, ConversationKind, Share};
use serde_json::{Value, json};

use crate::fake::{Call, Reply};
use crate::files::{bytes, share};
use crate::support::{ANA, APP, MESSAGE, TENANT, World, activity, chat_message, conversation};

const CHAT: &str = "a:ana";
const ASKS: &str = "application/vnd.microsoft.teams.card.file.consent";
const SHOWS: &str = "application/vnd.microsoft.teams.card.file.info";
const PART: usize = 32 * 320 * 1024;

fn chat(world: &World) -> Conversation {
    let mut chat = conversation(CHAT, &world.service_url());
    chat.kind = ConversationKind::Direct;
    chat.facts.extend([("user".to_owned(), ANA.to_owned()), ("files".to_owned(), "yes".to_owned())]);
    chat
}

/// A session that has so many bytes already. `None`: it is over.
fn takes(call: &Call, has: Option<usize>) -> Option<Reply> {
    if call.path == "/up/secret" {
        let Some(has) = has else { return Some(Reply::error(404, "itemNotFound")) };
        if call.method == "GET" {
            return Some(json!({ "nextExpectedRanges": [format!("{has}-")] }).into());
        }
        let (span, total) = call.headers.get("content-range")?.strip_prefix("bytes ")?.split_once('/')?;
        let end: usize = span.split_once('-')?.1.parse().ok()?;
        let whole = end + 1 == total.parse::<usize>().ok()?;
        return Some(Reply(if whole { 201 } else { 202 }, None, json!({ "id": "01ITEM" }).to_string()));
    }
    let posted = call.method == "POST" && call.path.ends_with("/activities");
    posted.then(|| Reply(201, None, json!({ "id": MESSAGE }).to_string()))
}

fn upload(world: &World) -> Value {
    json!({ "uploadUrl": format!("{}/up/secret", world.fake.url()), "name": "Plan_ 1.txt",
        "contentUrl": "https://t-my.sharepoint.com/personal/ana/Documents/Applications/Plan_ 1.txt",
        "uniqueId": "5A1B2C3D-0000-4000-8000-00000000000F", "fileType": "txt" })
}

fn of(world: &World, destination: bool) -> Share {
    let mut share = share("");
    share.post.conversation = CHAT.into();
    share.destination = destination.then(|| Destination(upload(world).to_string()));
    share
}

async fn send(world: &World, destination: bool, size: usize) -> Outcome {
    let share = of(world, destination);
    world.connector.share(&world.session(), &chat(world), &share, bytes(size)).await
}

#[tokio::test]
async fn the_bot_asks_with_a_card() {
    let world = World::start(|call| takes(call, Some(0))).await;
    let capabilities = |chat| world.connector.capabilities(&world.session().installation, &chat);
    assert_eq!(capabilities(chat(&world)).level(Feature::File), Level::Partial);
    let mut off = chat(&world);
    off.facts.insert("files".to_owned(), "no".to_owned());
    assert_eq!(capabilities(off).level(Feature::File), Level::Fallback);

    let Outcome::Done(done) = send(&world, false, 3).await else { panic!("it is posted") };
    assert_eq!((done.message.unwrap().as_str(), done.beside), (MESSAGE, None));
    let calls = world.fake.calls();
    let sent = calls.last().unwrap();
    assert_eq!(
        (sent.line().as_str(), sent.token()),
        ("POST /svc/v3/conversations/a%3Aana/activities", "bot-token")
    );
    let context = json!({ "marker": "marker-1" });
    let content = json!({ "description": "Ana <b> (Slack)", "sizeInBytes": 3, "acceptContext": context,
        "declineContext": context });
    let card = json!({ "contentType": ASKS, "name": "Plan_.txt", "content": content });
    assert_eq!(sent.json(), json!({ "type": "message", "attachments": [card] }));
    assert_eq!(send(&world, false, 0).await, Outcome::Refused(codes::FILE_EMPTY));
}

#[tokio::test]
async fn an_answer_tells_where_it_may_go() {
    let world = World::quiet().await;
    let answered = async |value: Value, kind: &str| {
        let at = json!({ "conversationType": kind, "tenantId": TENANT, "id": CHAT });
        let body = json!({ "name": "fileConsent/invoke", "replyToId": MESSAGE, "value": value, "conversation": at,
            "channelData": { "tenant": { "id": TENANT } } });
        let activity = activity(&world, "invoke", &body);
        let delivery = world.receive(&world.signed(&activity)).await.unwrap();
        let item = delivery.items.first()?;
        assert_eq!((item.kind, item.message.as_ref().unwrap().as_str()), (EventKind::Offer, MESSAGE));
        assert_eq!(item.conversation.as_ref().unwrap().as_str(), CHAT);
        Some(world.connector.open(&world.session(), item.feed, &item.payload).await.unwrap().happening)
    };
    let info = upload(&world);
    let accept = json!({ "type": "fileUpload", "action": "accept", "context": {}, "uploadInfo": info });
    match answered(accept.clone(), "personal").await {
        Some(Happening::FileAnswered { offer, destination: Some(Destination(words)) }) => {
            assert_eq!(offer.as_str(), MESSAGE);
            assert_eq!(serde_json::from_str::<Value>(&words).unwrap(), info);
        }
        _ => panic!("it is accepted"),
    }
    let decline = json!({ "type": "fileUpload", "action": "decline", "context": {} });
    let declined = answered(decline, "personal").await;
    assert!(matches!(declined, Some(Happening::FileAnswered { destination: None, .. })));
    for (odd, code) in [
        (json!({ "action": "accept" }), codes::MALFORMED),
        (json!({ "action": "accept", "uploadInfo": { "uploadUrl": "https://x" } }), codes::MALFORMED),
        (json!({ "action": "wave" }), codes::KIND),
        (json!("accept"), codes::KIND),
    ] {
        let ignored = answered(odd.clone(), "personal").await;
        assert!(matches!(ignored, Some(Happening::Ignored(why)) if why == code), "{odd}");
    }
    assert!(answered(accept, "groupChat").await.is_none(), "such cards are in personal chats");
}

#[tokio::test]
async fn what_is_accepted_goes_there_in_parts_and_is_shown() {
    for (has, ranges) in [
        (
            0,
            vec![
                format!("bytes 0-{}/{}", PART - 1, PART + 5),
                format!("bytes {PART}-{}/{}", PART + 4, PART + 5),
            ],
        ),
        // An earlier attempt came so far.
        (PART, vec![format!("bytes {PART}-{}/{}", PART + 4, PART + 5)]),
    ] {
        let world = World::start(move |call| takes(call, Some(has))).await;
        assert!(matches!(send(&world, true, PART + 5).await, Outcome::Done(_)));
        let calls = world.fake.calls();
        let puts: Vec<&Call> = calls.iter().filter(|call| call.method == "PUT").collect();
        let sent: Vec<&String> = puts.iter().map(|call| &call.headers["content-range"]).collect();
        assert_eq!(sent, ranges.iter().collect::<Vec<_>>());
        assert!(calls.iter().filter(|call| call.path == "/up/secret").all(|call| call.token().is_empty()));
        let info = upload(&world);
        let content = json!({ "uniqueId": info["uniqueId"], "fileType": "txt" });
        let card = json!({ "contentType": SHOWS, "contentUrl": info["contentUrl"], "name": "Plan_ 1.txt",
            "content": content });
        assert_eq!(calls.last().unwrap().json(), json!({ "type": "message", "attachments": [card] }));
    }
}

#[tokio::test]
async fn where_that_is_over_the_bot_asks_again() {
    let world = World::start(|call| takes(call, None)).await;
    assert!(matches!(send(&world, true, 3).await, Outcome::Done(_)));
    let calls = world.fake.calls();
    assert_eq!(calls.last().unwrap().json()["attachments"][0]["contentType"], ASKS);
    let busy = World::start(|call| (call.path == "/up/secret").then(|| Reply::error(503, "busy"))).await;
    assert!(matches!(send(&busy, true, 3).await, Outcome::Retry { code: codes::TARGET_FAILED, .. }));
    let full = World::start(|call| {
        let put = call.path == "/up/secret" && call.method == "PUT";
        if put { Some(Reply::error(507, "quotaLimitReached")) } else { takes(call, Some(0)) }
    })
    .await;
    assert_eq!(send(&full, true, 3).await, Outcome::Refused(codes::FILE_FORBIDDEN));
    // Nobody's address is written to because a message says so.
    let mut share = of(&world, true);
    share.destination =
        Some(Destination(upload(&world).to_string().replace("127.0.0.1", "elsewhere.example")));
    world.fake.calls();
    let outcome = world.connector.share(&world.session(), &chat(&world), &share, bytes(3)).await;
    assert!(!matches!(outcome, Outcome::Done(_)), "{outcome:?}");
    assert!(world.fake.calls().iter().all(|call| call.method != "POST"));
}

#[tokio::test]
async fn a_card_is_found_by_its_post_and_a_file_by_its_name() {
    let world = World::start(|call| {
        let message = |id: &str, kind: &str, content: &Value| {
            let mut message = chat_message(id, "<attachment id=\"x\"></attachment>");
            message["from"] = json!({ "application": { "id": APP, "displayName": "Dragoman" } });
            message["attachments"] =
                json!([{ "id": "x", "contentType": kind, "name": "Plan_.txt", "content": content.to_string() }]);
            message
        };
        let asks = |marker: &str| json!({ "description": "Ana <b> (Slack)", "acceptContext": { "marker": marker } });
        let all = json!([
            message("1768039199001", ASKS, &asks("marker-1")),
            message("1768039199002", ASKS, &asks("marker-2")),
            message("1768039199003", SHOWS, &json!({})),
        ]);
        call.path.contains("/messages?").then(|| json!({ "value": all }).into())
    })
    .await;
    let post = of(&world, false).post;
    let found =
        world.connector.find(&world.session(), &chat(&world), &post, 1_768_039_100_000).await.unwrap();
    let found: Vec<_> = found.iter().map(|it| (it.message.as_str(), it.same, it.file.as_deref())).collect();
    assert_eq!(
        found,
        [("1768039199001", true, Some("Plan_.txt")), ("1768039199003", true, Some("Plan_.txt")),]
    );
}
