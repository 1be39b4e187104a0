//! Everything recorded goes through door and decoding; the snapshot holds kinds, counts, codes and digests.

use std::fmt::Write as _;
use std::path::Path;

use dragoman_model::{Author, Document, Happening, Inline, Message};
use dragoman_platform::{Connector as _, Session};
use dragoman_seal::Content;
use dragoman_slack::SlackConnector;
use dragoman_testkit::{digest, payloads};
use serde_json::{Value, json};

use crate::fake::{FakeSlack, Reply};
use crate::support::{NOW_MS, app, connector, session, signed};

/// A workspace in which everybody is a person.
async fn workspace() -> FakeSlack {
    FakeSlack::start(|call| {
        let user = call.form().remove("user").unwrap_or_default();
        Reply::from(json!({ "ok": true, "user": { "id": user, "team_id": "TOWN", "is_bot": false } }))
    })
    .await
}

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

async fn line(connector: &SlackConnector, session: &Session, name: &str, body: Vec<u8>) -> String {
    let mut line = name.to_owned();
    match connector.receive(&app(), &signed(body, NOW_MS)).await {
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
                let opened =
                    connector.open(session, item.feed, &Content::copied_from(item.payload.expose())).await;
                match opened {
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
        Happening::Posted(posted) => format!("posted {}", message(posted)),
        Happening::Changed { after, before } => {
            let same = before
                .as_ref()
                .map(|before| before.body == after.body && before.files.len() == after.files.len());
            format!("changed {} same={same:?}", message(after))
        }
        Happening::Deleted { thread_root, .. } => format!("deleted thread={}", thread_root.is_some()),
        Happening::ReactionAdded { .. } => "reaction added".to_owned(),
        Happening::ReactionRemoved { .. } => "reaction removed".to_owned(),
        Happening::Reactions { .. } | Happening::ReactionsListed { .. } => "reactions".to_owned(),
        Happening::FileAnswered { destination, .. } => {
            format!("file answered accepted={}", destination.is_some())
        }
        Happening::Notice(notice) => format!("notice {:?} text={}", notice.kind, notice.text.is_some()),
        Happening::Control(control) => {
            let debug = format!("{control:?}");
            format!("control {}", debug.split([' ', '{', '(']).next().unwrap_or_default())
        }
        Happening::Asked(asked) => format!("asked answer={}", asked.answer_at.is_some()),
        Happening::Ignored(code) => format!("ignored {code}"),
    }
}

fn message(message: &Message) -> String {
    let Author { user, kind, name, avatar_url } = &message.author;
    format!(
        "{kind:?} user={} name={} picture={} ours={} thread={} broadcast={} version={} files={} {}",
        user.is_some(),
        name.is_some(),
        avatar_url.is_some(),
        message.origin.ours,
        message.thread_root.is_some(),
        message.broadcast,
        message.version.is_some(),
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

#[tokio::test]
async fn recorded_events() {
    let Some(folder) = payloads() else { return };
    let slack = workspace().await;
    let (connector, session) = (connector(&slack.url()), session());
    let mut lines = Vec::new();
    for (name, body) in files(&folder.join("slack/events")) {
        lines.push(line(&connector, &session, &name, body).await);
    }
    // Frames of Socket Mode carry the same envelopes.
    for (name, body) in files(&folder.join("slack/socket-mode")) {
        let frame: Value = serde_json::from_slice(&body).unwrap();
        let Some(payload) = frame.get("payload").filter(|_| frame["type"] == "events_api") else { continue };
        lines.push(line(&connector, &session, &name, payload.to_string().into_bytes()).await);
    }
    // Every field that was ever seen, blanked: nothing to expect but an answer.
    let mut answers = 0;
    for (name, body) in files(&folder.join("slack/event-shapes")) {
        let shape: Value = serde_json::from_slice(&body).unwrap();
        let inner = if shape.get("event").is_some() { shape["event"].clone() } else { shape };
        let line = line(&connector, &session, &name, crate::support::event("Ev1", &inner).to_vec()).await;
        assert!(line.contains(": "), "{line}");
        answers += 1;
    }
    assert!(lines.len() > 60 && answers > 60, "{} and {answers} files", lines.len());
    insta::assert_snapshot!("recorded_events", lines.join("\n"));
}

#[tokio::test]
async fn recorded_messages_of_history() {
    let Some(folder) = payloads() else { return };
    let body = std::fs::read_to_string(folder.join("slack/objects/conversations.replies.with_replies.json"))
        .unwrap();
    let slack = FakeSlack::start(move |call| {
        // The recording names a next page; it is empty.
        let last = call.form().contains_key("cursor");
        if last { Reply::from(json!({ "ok": true, "messages": [] })) } else { Reply(200, None, body.clone()) }
    })
    .await;
    let connector = connector(&slack.url());
    let mut query = dragoman_platform::HistoryQuery::default();
    let mut lines: Vec<String> = Vec::new();
    loop {
        let page = connector.history(&session(), &crate::support::conversation(), &query).await.unwrap();
        lines.extend(page.messages.iter().map(message));
        query.cursor = page.next;
        if query.cursor.is_none() {
            break;
        }
    }
    insta::assert_snapshot!("recorded_messages_of_history", lines.join("\n"));
}

/// Damaged payloads, sealed or not, get an answer.
#[tokio::test]
async fn damaged_payloads_are_survived() {
    use dragoman_model::Random as _;
    let Some(folder) = payloads() else { return };
    let (connector, session) = (crate::support::offline(), session());
    let random = dragoman_testkit::SeededRandom::new(1);
    let mut opened = 0;
    for (_, body) in files(&folder.join("slack/events")) {
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
            opened += usize::from(
                connector.open(&session, "events", &Content::copied_from(&damaged)).await.is_ok(),
            );
            let _ = connector.receive(&app(), &signed(damaged, NOW_MS)).await;
        }
    }
    assert!(opened > 0, "no damage was slight");
}
