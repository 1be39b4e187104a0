//! The watchdog of webhooks.

use std::sync::{Arc, Mutex};

use dragoman_model::codes;
use dragoman_platform::{Connector as _, Failure, Watch};
use dragoman_testkit::ManualClock;
use dragoman_webex::WebexConnector;
use http::StatusCode;
use serde_json::{Value, json};

use crate::fake::{Call, FakeWebex, Reply};
use crate::support::{CLUSTER, SECRET, clock, connector_with, conversation, id, room, session, uuid};

type Hooks = Arc<Mutex<Vec<Value>>>;

/// Webhooks as Webex keeps them.
fn keep(hooks: &Hooks, refuse_all: bool, call: &Call) -> Reply {
    let mut hooks = hooks.lock().unwrap();
    let own = |line: &str| line.rsplit('/').next().unwrap().to_owned();
    match call.line.split_once(' ').unwrap() {
        ("GET", "webhooks") => Reply::from(json!({ "items": *hooks })),
        ("POST", _) if refuse_all && call.json()["resource"] == "all" => {
            Reply::refused(400, "no such resource")
        }
        ("POST", _) => {
            let mut hook = call.json();
            hook["id"] = json!(id(CLUSTER, "WEBHOOK", &uuid(4, hooks.len() as u64 + 1)));
            hook["status"] = json!("active");
            hooks.push(hook.clone());
            Reply::from(hook)
        }
        ("PUT", line) => {
            let hook = hooks.iter_mut().find(|hook| hook["id"] == own(line)).unwrap();
            for (key, value) in call.json().as_object().unwrap() {
                hook[key] = value.clone();
            }
            Reply::from(hook.clone())
        }
        ("DELETE", line) => {
            hooks.retain(|hook| hook["id"] != own(line));
            Reply::status(StatusCode::NO_CONTENT.as_u16())
        }
        (_, line) if line.starts_with("rooms/") => Reply::from(
            json!({ "id": room(), "type": "group", "title": "room", "ownerId": crate::support::org() }),
        ),
        _ => Reply::from(json!({ "items": [] })),
    }
}

struct Stage {
    hooks: Hooks,
    webex: FakeWebex,
    clock: Arc<ManualClock>,
    connector: WebexConnector,
}

async fn stage(refuse_all: bool) -> Stage {
    let hooks = Hooks::default();
    let kept = hooks.clone();
    let webex = FakeWebex::start(move |call| keep(&kept, refuse_all, call)).await;
    let clock = clock();
    let connector = connector_with(&webex.url(), clock.clone());
    Stage { hooks, webex, clock, connector }
}

impl Stage {
    async fn watch(&self, current: Option<&Watch>) -> Watch {
        self.connector.watch(&session(), &conversation(), current).await.unwrap()
    }

    /// What was asked about webhooks since the last time.
    fn asked(&self) -> Vec<String> {
        let calls = self.webex.lines().into_iter().filter(|line| line.contains("webhooks"));
        calls.map(|line| line.split('/').next().unwrap().to_owned()).collect()
    }
}

#[tokio::test]
async fn one_webhook_serves_all_and_is_looked_at_seldom() {
    let stage = stage(false).await;
    let first = stage.watch(None).await;
    assert_eq!(stage.asked(), ["GET webhooks", "POST webhooks"]);
    let hook = stage.hooks.lock().unwrap()[0].clone();
    assert_eq!(
        (&hook["resource"], &hook["event"], &hook["secret"]),
        (&json!("all"), &json!("all"), &json!(SECRET))
    );
    assert_eq!(hook["targetUrl"], "https://gateway.example/hooks/webex/app-1/events");
    let in_ms = first.renew_at_ms.unwrap() - crate::support::NOW_MS;
    assert!((180_000..=240_000).contains(&in_ms), "{in_ms}");

    let other = stage.watch(None).await;
    assert_eq!((other.id.as_str(), stage.asked().len()), (first.id.as_str(), 0), "one look counts for all");
    stage.clock.advance(200_000);
    let again = stage.watch(Some(&first)).await;
    assert_eq!((again.id.as_str(), stage.asked()), (first.id.as_str(), vec!["GET webhooks".to_owned()]));
}

#[tokio::test]
async fn a_dead_webhook_is_revived_and_every_conversation_told() {
    let stage = stage(false).await;
    let first = stage.watch(None).await;
    stage.hooks.lock().unwrap()[0]["status"] = json!("inactive");
    stage.clock.advance(200_000);
    stage.asked();
    let second = stage.watch(Some(&first)).await;
    assert_ne!(second.id, first.id, "another id lets the relay read the gap");
    assert_eq!(stage.asked(), ["GET webhooks", "PUT webhooks"]);
    assert_eq!(stage.hooks.lock().unwrap()[0]["status"], "active");
    assert_eq!(stage.hooks.lock().unwrap()[0]["secret"], SECRET, "the secret is always sent");
    // Another conversation of the installation, which has the old id still.
    assert_eq!(stage.watch(Some(&first)).await.id, second.id);
    stage.clock.advance(200_000);
    assert_eq!(stage.watch(Some(&second)).await.id, second.id);

    stage.hooks.lock().unwrap().clear();
    stage.clock.advance(200_000);
    assert_ne!(stage.watch(Some(&second)).await.id, second.id, "it was deleted, and there is a new one");
}

#[tokio::test]
async fn a_restart_changes_nothing() {
    let stage = stage(false).await;
    let first = stage.watch(None).await;
    let restarted = connector_with(&stage.webex.url(), clock());
    let again = restarted.watch(&session(), &conversation(), Some(&first)).await.unwrap();
    assert_eq!(again.id, first.id);
}

#[tokio::test]
async fn single_webhooks_serve_where_the_firehose_is_refused() {
    let stage = stage(true).await;
    let first = stage.watch(None).await;
    let kinds: Vec<(String, String)> = stage
        .hooks
        .lock()
        .unwrap()
        .iter()
        .map(|hook| {
            (hook["resource"].as_str().unwrap().to_owned(), hook["event"].as_str().unwrap().to_owned())
        })
        .collect();
    assert!(kinds.contains(&("messages".to_owned(), "created".to_owned())));
    assert!(kinds.contains(&("messages".to_owned(), "deleted".to_owned())));
    assert_eq!(kinds.len(), 5);
    stage.clock.advance(200_000);
    stage.asked();
    assert_eq!(stage.watch(Some(&first)).await.id, first.id);
    assert_eq!(stage.asked(), ["GET webhooks"], "no further attempt at the firehose");
}

#[tokio::test]
async fn doubles_and_strangers_are_told_apart() {
    let stage = stage(false).await;
    let first = stage.watch(None).await;
    {
        let mut hooks = stage.hooks.lock().unwrap();
        let mut double = hooks[0].clone();
        double["id"] = json!(id(CLUSTER, "WEBHOOK", &uuid(4, 8)));
        hooks.push(double);
        hooks.push(json!({
            "id": "stranger", "name": "somebody's", "targetUrl": "https://elsewhere.example/", "resource": "all",
            "event": "all", "status": "inactive",
        }));
    }
    stage.clock.advance(200_000);
    assert_eq!(stage.watch(Some(&first)).await.id, first.id);
    let hooks = stage.hooks.lock().unwrap();
    let left: Vec<&str> = hooks.iter().map(|hook| hook["name"].as_str().unwrap()).collect();
    assert_eq!(left, ["dragoman app-1", "somebody's"]);
}

#[tokio::test]
async fn a_watchdog_that_cannot_look_says_so() {
    let webex = FakeWebex::start(|call| {
        if call.line == "GET webhooks" { Reply::status(503) } else { keep(&Hooks::default(), false, call) }
    })
    .await;
    let connector = connector_with(&webex.url(), clock());
    let failure = connector.watch(&session(), &conversation(), None).await.err();
    assert_eq!(failure, Some(Failure::Retry { after_ms: None, code: codes::TARGET_FAILED }));
}
