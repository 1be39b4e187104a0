//! Everything recorded goes through door and decoding; the snapshot holds kinds, counts, codes and digests.

use std::fmt::Write as _;
use std::path::Path;

use dragoman_model::{Author, Document, Happening, Inline, Message};
use dragoman_platform::{Connector as _, Session};
use dragoman_seal::Content;
use dragoman_testkit::{digest, payloads};
use dragoman_zoom::ZoomConnector;
use serde_json::Value;

use crate::fake::{FakeZoom, Reply, error};
use crate::support::{NOW_MS, app, connector, conversation, session, signed};

/// A Zoom that knows no message: what events of the old family say has to do.
async fn silent() -> FakeZoom {
    FakeZoom::start(|_| error(400, 300, "The message does not exist.")).await
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

async fn line(connector: &ZoomConnector, session: &Session, name: &str, body: Vec<u8>) -> String {
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
        Happening::Asked(asked) => format!("asked answer={}", asked.answer_at.is_some()),
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
async fn recorded_webhooks() {
    let Some(folder) = payloads() else { return };
    let zoom = silent().await;
    let (connector, session) = (connector(&zoom.url()), session());
    let mut lines = Vec::new();
    for part in ["webhooks", "webhooks-derived"] {
        for (name, body) in files(&folder.join("zoom").join(part)) {
            lines.push(line(&connector, &session, &format!("{part}/{name}"), body).await);
        }
    }
    for (name, body) in files(&folder.join("zoom/webhooks-real")) {
        let value: Value = serde_json::from_slice(&body).unwrap();
        // One file holds several.
        let mut bodies: Vec<(String, Value)> = value
            .as_object()
            .unwrap()
            .iter()
            .filter(|(_, value)| value.get("event").is_some())
            .map(|(key, value)| (format!("{name}#{key}"), value.clone()))
            .collect();
        if bodies.is_empty() {
            bodies.push((name, value));
        }
        for (name, body) in bodies {
            let name = format!("webhooks-real/{name}");
            lines.push(line(&connector, &session, &name, body.to_string().into_bytes()).await);
        }
    }
    assert!(lines.len() > 70, "{} files", lines.len());
    insta::assert_snapshot!("recorded_webhooks", lines.join("\n"));
}

#[tokio::test]
async fn recorded_messages_of_lists() {
    let Some(folder) = payloads() else { return };
    let mut lines = Vec::new();
    for file in [
        "responses/GET.chat-users-userId-messages.200.json",
        "responses-derived/list_messages.mixed.json",
        "responses-derived/list_messages.empty.json",
    ] {
        let bytes = std::fs::read(folder.join("zoom").join(file)).unwrap();
        let recorded: Value = serde_json::from_slice(&bytes).unwrap();
        let mut page = recorded["body"].clone();
        page["next_page_token"] = Value::from("");
        let page = page.to_string();
        let zoom = FakeZoom::start(move |call| match call.what.as_str() {
            what if what.ends_with("/messages") => Reply(200, "", page.clone()),
            _ => error(400, 200, "No permission."),
        })
        .await;
        for since_ms in [1_581_000_000_000_i64, 1_795_000_000_000] {
            let clock = std::sync::Arc::new(dragoman_testkit::ManualClock::new(since_ms + 500_000_000));
            let connector = crate::support::connector_with(&zoom.url(), clock);
            let mut query = dragoman_platform::HistoryQuery { since_ms, ..Default::default() };
            loop {
                let page = connector.history(&session(), &conversation(), &query).await.unwrap();
                lines.extend(page.messages.iter().map(|found| format!("{file}: {}", message(found))));
                let Some(next) = page.next else { break };
                query.cursor = Some(next);
            }
        }
    }
    insta::assert_snapshot!("recorded_messages_of_lists", lines.join("\n"));
}

#[tokio::test]
async fn damaged_events_are_survived() {
    use dragoman_model::Random as _;
    let Some(folder) = payloads() else { return };
    let zoom = silent().await;
    let (connector, session) = (connector(&zoom.url()), session());
    let random = dragoman_testkit::SeededRandom::new(1);
    let mut opened = 0;
    for (_, body) in files(&folder.join("zoom/webhooks")) {
        for _ in 0..40 {
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
