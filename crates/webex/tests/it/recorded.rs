//! Everything recorded goes through door and decoding; the snapshot holds kinds, counts, codes and digests.

use std::fmt::Write as _;
use std::path::Path;

use dragoman_model::{Author, Document, Happening, Inline, Message};
use dragoman_platform::{Connector as _, HistoryQuery, Session};
use dragoman_seal::Content;
use dragoman_testkit::{digest, payloads};
use dragoman_webex::WebexConnector;
use serde_json::{Value, json};

use crate::fake::{FakeWebex, Reply};
use crate::support::{app, connector, conversation, offline, session, signed};

fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(&path).unwrap()))
        .collect();
    files.sort();
    files
}

async fn line(connector: &WebexConnector, session: &Session, name: &str, body: Vec<u8>) -> String {
    let mut line = name.to_owned();
    match connector.receive(&app(), &signed(body)).await {
        Err(rejection) => write!(line, ": refused {rejection:?}").unwrap(),
        Ok(delivery) => {
            write!(line, ": {}", delivery.answer.status.as_u16()).unwrap();
            for code in &delivery.dropped {
                write!(line, ", dropped {code}").unwrap();
            }
            for item in &delivery.items {
                let flags = [
                    ("conversation", item.conversation.is_some()),
                    ("message", item.message.is_some()),
                    ("thread", item.thread_root.is_some()),
                    ("key", item.delivery_key.is_some()),
                ];
                let set: Vec<&str> = flags.iter().filter(|(_, set)| *set).map(|(name, _)| *name).collect();
                write!(line, ", {} [{}]", item.kind.as_str(), set.join(" ")).unwrap();
                let payload = Content::copied_from(item.payload.expose());
                match connector.open(session, item.feed, &payload).await {
                    Err(failure) => write!(line, ", not opened {failure:?}").unwrap(),
                    Ok(event) => write!(line, " -> {}", happening(&event.happening)).unwrap(),
                }
            }
        }
    }
    line
}

fn happening(happening: &Happening) -> String {
    match happening {
        Happening::Asked(asked) => format!("asked answer={}", asked.answer_at.is_some()),
        Happening::Posted(posted) => format!("posted {}", message(posted)),
        Happening::Changed { after, .. } => format!("changed {}", message(after)),
        Happening::Deleted { thread_root, .. } => format!("deleted thread={}", thread_root.is_some()),
        Happening::Ignored(code) => format!("ignored {code}"),
        Happening::FileAnswered { destination, .. } => {
            format!("file answered accepted={}", destination.is_some())
        }
        Happening::Notice(notice) => format!("notice {:?}", notice.kind),
        Happening::Control(control) => {
            let debug = format!("{control:?}");
            format!("control {}", debug.split([' ', '{', '(']).next().unwrap_or_default())
        }
        Happening::ReactionAdded { .. }
        | Happening::ReactionRemoved { .. }
        | Happening::Reactions { .. }
        | Happening::ReactionsListed { .. } => "reaction".to_owned(),
    }
}

fn message(message: &Message) -> String {
    let Author { user, kind, name, avatar_url } = &message.author;
    format!(
        "{kind:?} user={} name={} picture={} ours={} thread={} version={:?} files={} {}",
        user.is_some(),
        name.is_some(),
        avatar_url.is_some(),
        message.origin.ours,
        message.thread_root.is_some(),
        message.version.map(|version| version.0 > 0),
        message.files.len(),
        shape(&message.body),
    )
}

fn shape(body: &Document) -> String {
    let (mut inlines, mut mentions) = (0, 0);
    body.visit_inlines(&mut |inline| {
        inlines += 1;
        mentions += usize::from(matches!(inline, Inline::Mention(_)));
    });
    let digest = digest(format!("{body:?}").as_bytes());
    format!("blocks={} inlines={inlines} mentions={mentions} {digest}", body.blocks.len())
}

/// What is fetched for a recorded delivery is the recorded message with its id, or a plain one.
#[tokio::test]
async fn recorded_deliveries() {
    let Some(folder) = payloads() else { return };
    let messages: Vec<Value> = files(&folder.join("webex/messages"))
        .into_iter()
        .map(|(_, body)| serde_json::from_slice(&body).unwrap())
        .collect();
    let webex = FakeWebex::start(move |call| {
        let id = call.line.rsplit('/').next().unwrap_or_default();
        let known = messages.iter().find(|message| message["id"] == id).cloned();
        Reply::from(
            known.unwrap_or_else(|| json!({ "id": id, "text": "plain", "created": "2026-01-01T00:00:00Z" })),
        )
    })
    .await;
    let (connector, session) = (connector(&webex.url()), session());
    let mut lines = Vec::new();
    for (name, body) in files(&folder.join("webex/webhooks")) {
        lines.push(line(&connector, &session, &name, body).await);
    }
    assert!(lines.len() >= 9, "{} files", lines.len());
    insta::assert_snapshot!("recorded_deliveries", lines.join("\n"));
}

/// Every recorded message as an entry of a list, and documentation examples with their artefacts.
#[tokio::test]
async fn recorded_messages() {
    let Some(folder) = payloads() else { return };
    let mut lines = Vec::new();
    let mut all = files(&folder.join("webex/messages"));
    let examples = files(&folder.join("webex/doc-examples"));
    all.extend(examples.into_iter().filter(|(name, _)| name.contains("_messages") && name.contains(".200")));
    for (name, body) in all {
        let recorded: Value = serde_json::from_slice(&body).unwrap();
        let items = if recorded["items"].is_array() { recorded["items"].clone() } else { json!([recorded]) };
        let count = items.as_array().unwrap().len();
        let webex = FakeWebex::start(move |_| Reply::from(json!({ "items": items }))).await;
        let query = HistoryQuery::default();
        let page = connector(&webex.url()).history(&session(), &conversation(), &query).await.unwrap();
        assert_eq!(page.messages.len(), count, "{name}");
        lines.extend(page.messages.iter().map(|found| format!("{name}: {}", message(found))));
    }
    assert!(lines.len() >= 14, "{} messages", lines.len());
    insta::assert_snapshot!("recorded_messages", lines.join("\n"));
}

/// Recorded refusals are read without their words.
#[tokio::test]
async fn recorded_refusals_and_objects() {
    let Some(folder) = payloads() else { return };
    let read = |path: &str| std::fs::read_to_string(folder.join("webex").join(path)).unwrap();
    let mut lines = Vec::new();
    for (name, status) in [("401.no-token.json", 401), ("415.content-type.json", 415)] {
        let body: Value = serde_json::from_str(&read(&format!("errors/{name}"))).unwrap();
        let text = body["message"].as_str().unwrap().to_owned();
        let webex = FakeWebex::start(move |_| Reply::refused(status, &text)).await;
        let failure = connector(&webex.url()).conversation(&session(), &"x".into()).await.err().unwrap();
        lines.push(format!("{name}: {failure:?}"));
    }
    for name in ["rooms/get.group.json", "rooms/get.direct.json"] {
        let body: Value = serde_json::from_str(&read(name)).unwrap();
        let webex = FakeWebex::start(move |call| {
            if call.line == "GET memberships" { Reply::from(json!({})) } else { Reply::from(body.clone()) }
        })
        .await;
        let found = connector(&webex.url()).conversation(&session(), &"x".into()).await.unwrap();
        lines.push(format!(
            "{name}: {:?} name={} external={} joined={} {}",
            found.kind,
            !found.name.is_empty(),
            found.external,
            found.joined,
            digest(found.remote.as_str().as_bytes())
        ));
    }
    for name in ["people/2016.me.person.json", "people/2019.me.bot.json", "people/get.person.other-org.json"]
    {
        let body: Value = serde_json::from_str(&read(name)).unwrap();
        let webex = FakeWebex::start(move |_| Reply::from(body.clone())).await;
        let found = connector(&webex.url()).profile(&session(), &conversation(), &"x".into()).await.unwrap();
        let found = found.unwrap();
        lines.push(format!(
            "{name}: bot={} external={} picture={} email={} {}",
            found.bot,
            found.external,
            found.avatar_url.is_some(),
            found.email.is_some(),
            digest(found.name.as_bytes())
        ));
    }
    let spoilt: Value = serde_json::from_str(&read("errors/item-errors.kms_failure.json")).unwrap();
    let webex = FakeWebex::start(move |_| Reply::from(spoilt.clone())).await;
    let page = connector(&webex.url()).conversations(&session(), "", None).await.unwrap();
    assert!(page.items.iter().all(|found| found.name.is_empty()), "ciphertext is no name");
    insta::assert_snapshot!("recorded_refusals_and_objects", lines.join("\n"));
}

/// Damaged payloads, sealed or not, get an answer.
#[tokio::test]
async fn damaged_payloads_are_survived() {
    use dragoman_model::Random as _;
    let Some(folder) = payloads() else { return };
    let (connector, session) = (offline(), session());
    let random = dragoman_testkit::SeededRandom::new(1);
    let mut received = 0;
    for (_, body) in files(&folder.join("webex/webhooks")) {
        for _ in 0..60 {
            let mut damaged = body.clone();
            for _ in 0..=random.below(3) {
                let at = usize::try_from(random.below(damaged.len() as u64)).unwrap();
                match random.below(3) {
                    0 => damaged[at] = b"\"{}[]:,0ntf\\"[usize::try_from(random.below(12)).unwrap()],
                    1 => damaged.truncate(at.max(1)),
                    _ => {
                        damaged.remove(at);
                        damaged.push(b' ');
                    }
                }
            }
            let _ = connector.open(&session, "events", &Content::copied_from(&damaged)).await;
            received += usize::from(connector.receive(&app(), &signed(damaged)).await.is_ok());
        }
    }
    assert!(received > 0, "no damage was slight");
}
