//! Socket Mode against a server of this process.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use dragoman_model::codes;
use dragoman_platform::{Connector as _, Delivery, Failure, Sink};
use dragoman_testkit::wait_until;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::CancellationToken;

use crate::fake::{FakeSlack, Reply, error};
use crate::support::{app, connector, event};

const LIMIT: Duration = Duration::from_secs(5);

/// Counts what it is given; refuses when told.
#[derive(Default)]
struct Counting {
    taken: AtomicU32,
    dropped: AtomicU32,
    gaps: AtomicU32,
    refuses: AtomicBool,
}

#[async_trait]
impl Sink for Counting {
    async fn take(&self, delivery: Delivery) -> bool {
        self.dropped.fetch_add(u32::try_from(delivery.dropped.len()).unwrap(), Ordering::SeqCst);
        self.taken.fetch_add(u32::try_from(delivery.items.len()).unwrap(), Ordering::SeqCst);
        !self.refuses.load(Ordering::SeqCst)
    }

    async fn gap(&self) {
        self.gaps.fetch_add(1, Ordering::SeqCst);
    }
}

type Socket = WebSocketStream<TcpStream>;

/// A listening connector, and the sockets that it opens.
struct Rig {
    slack: FakeSlack,
    sink: Arc<Counting>,
    stop: CancellationToken,
    opened: mpsc::UnboundedReceiver<Socket>,
    ended: mpsc::UnboundedReceiver<Result<(), Failure>>,
    _tasks: JoinSet<()>,
}

impl Rig {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("ws://{}/link/?ticket=", listener.local_addr().unwrap());
        let tickets = AtomicU32::new(0);
        let slack = FakeSlack::start(move |call| {
            assert_eq!((call.method.as_str(), call.token()), ("apps.connections.open", "xapp-1"));
            let ticket = tickets.fetch_add(1, Ordering::SeqCst);
            Reply::from(json!({ "ok": true, "url": format!("{address}{ticket}") }))
        })
        .await;
        Self::with(slack, Some(listener))
    }

    fn with(slack: FakeSlack, listener: Option<TcpListener>) -> Self {
        let (open, opened) = mpsc::unbounded_channel();
        let (end, ended) = mpsc::unbounded_channel();
        let (sink, stop) = (Arc::new(Counting::default()), CancellationToken::new());
        let mut tasks = JoinSet::new();
        if let Some(listener) = listener {
            tasks.spawn(async move {
                while let Ok((socket, _)) = listener.accept().await {
                    let _ = open.send(tokio_tungstenite::accept_async(socket).await.unwrap());
                }
            });
        }
        let connector = connector(&slack.url());
        let (taking, stopped) = (sink.clone(), stop.clone());
        tasks.spawn(async move {
            let _ = end.send(connector.listen(&app(), taking.as_ref(), stopped).await);
        });
        Self { slack, sink, stop, opened, ended, _tasks: tasks }
    }

    async fn socket(&mut self) -> Socket {
        tokio::time::timeout(LIMIT, self.opened.recv())
            .await
            .expect("a connection in time")
            .expect("the server runs")
    }

    async fn greeted(&mut self) -> Socket {
        let mut socket = self.socket().await;
        say(&mut socket, &json!({ "type": "hello", "num_connections": 1 })).await;
        socket
    }

    async fn end(&mut self) -> Result<(), Failure> {
        tokio::time::timeout(LIMIT, self.ended.recv())
            .await
            .expect("an end in time")
            .expect("the listener ran")
    }
}

async fn say(socket: &mut Socket, frame: &Value) {
    socket.send(Message::text(frame.to_string())).await.unwrap();
}

async fn hear(socket: &mut Socket) -> Option<Value> {
    loop {
        match tokio::time::timeout(Duration::from_millis(300), socket.next()).await {
            Ok(Some(Ok(Message::Text(text)))) => return serde_json::from_str(text.as_str()).ok(),
            Ok(Some(Ok(_))) => {}
            _ => return None,
        }
    }
}

fn frame(number: u32) -> Value {
    let inner = json!({ "type": "message", "channel": "CROOM", "user": "UANA", "text": "a", "ts": format!("{number}.000100") });
    let payload: Value = serde_json::from_slice(&event(&format!("Ev{number}"), &inner)).unwrap();
    json!({ "envelope_id": format!("e-{number}"), "type": "events_api", "payload": payload, "retry_attempt": 0 })
}

#[tokio::test]
async fn events_are_acknowledged_after_they_were_taken() {
    let mut rig = Rig::start().await;
    let mut first = rig.greeted().await;
    let mut second = rig.greeted().await;
    say(&mut first, &frame(1)).await;
    assert_eq!(hear(&mut first).await, Some(json!({ "envelope_id": "e-1" })));
    say(&mut second, &frame(2)).await;
    assert_eq!(hear(&mut second).await, Some(json!({ "envelope_id": "e-2" })));
    assert_eq!(rig.sink.taken.load(Ordering::SeqCst), 2);
    assert_eq!(rig.sink.gaps.load(Ordering::SeqCst), 1, "one gap: before the first connection");

    rig.sink.refuses.store(true, Ordering::SeqCst);
    say(&mut first, &frame(3)).await;
    assert_eq!(hear(&mut first).await, None, "not durable, not acknowledged");
    rig.sink.refuses.store(false, Ordering::SeqCst);

    // What is not used is acknowledged, what is not understood as well; both are counted.
    say(&mut first, &json!({ "type": "slash_commands", "envelope_id": "e-4", "payload": {} })).await;
    assert_eq!(hear(&mut first).await, Some(json!({ "envelope_id": "e-4" })));
    say(
        &mut first,
        &json!({ "type": "events_api", "envelope_id": "e-5", "payload": { "type": "event_callback" } }),
    )
    .await;
    assert_eq!(hear(&mut first).await, Some(json!({ "envelope_id": "e-5" })));
    assert_eq!(rig.sink.dropped.load(Ordering::SeqCst), 2);
    first.send(Message::text("nonsense {")).await.unwrap();
    say(&mut first, &frame(6)).await;
    assert_eq!(hear(&mut first).await, Some(json!({ "envelope_id": "e-6" })));

    rig.stop.cancel();
    assert_eq!(rig.end().await, Ok(()));
}

#[tokio::test]
async fn a_refresh_opens_the_new_connection_before_the_old_one_ends() {
    let mut rig = Rig::start().await;
    let mut old = rig.greeted().await;
    let _second = rig.greeted().await;
    say(&mut old, &json!({ "type": "disconnect", "reason": "refresh_requested" })).await;
    let mut new = rig.greeted().await;
    say(&mut old, &frame(1)).await;
    assert_eq!(hear(&mut old).await, Some(json!({ "envelope_id": "e-1" })), "the old one still works");
    say(&mut new, &frame(2)).await;
    assert_eq!(hear(&mut new).await, Some(json!({ "envelope_id": "e-2" })));
    drop(old);
    assert_eq!(rig.sink.gaps.load(Ordering::SeqCst), 1);
    rig.stop.cancel();
    assert_eq!(rig.end().await, Ok(()));
}

#[tokio::test]
async fn when_all_connections_were_gone_there_was_a_gap() {
    let mut rig = Rig::start().await;
    let first = rig.greeted().await;
    let second = rig.greeted().await;
    let gaps = rig.sink.clone();
    assert!(wait_until(|| gaps.gaps.load(Ordering::SeqCst) == 1, LIMIT).await);
    drop(first);
    drop(second);
    let mut third = rig.greeted().await;
    assert!(wait_until(|| gaps.gaps.load(Ordering::SeqCst) == 2, LIMIT).await, "no second gap");
    say(&mut third, &frame(1)).await;
    assert_eq!(hear(&mut third).await, Some(json!({ "envelope_id": "e-1" })));
    assert!(rig.slack.calls().len() >= 3, "every connection has an address of its own");
}

#[tokio::test]
async fn what_a_person_has_to_mend_ends_the_listening() {
    for code in ["invalid_auth", "not_authed", "account_inactive", "team_disabled", "user_removed_from_team"]
    {
        let slack = FakeSlack::start(move |_| error(code)).await;
        let mut rig = Rig::with(slack, None);
        assert_eq!(rig.end().await, Err(Failure::SignIn(codes::SIGN_IN)), "{code}");
    }
    let mut rig = Rig::start().await;
    let mut socket = rig.greeted().await;
    say(&mut socket, &json!({ "type": "disconnect", "reason": "link_disabled" })).await;
    assert_eq!(rig.end().await, Err(Failure::SignIn(codes::CONFIG)));
}

#[tokio::test]
async fn trouble_is_waited_out() {
    let tries = Arc::new(AtomicU32::new(0));
    let counted = tries.clone();
    let slack = FakeSlack::start(move |_| match counted.fetch_add(1, Ordering::SeqCst) {
        0 => Reply(503, None, "<html>".to_owned()),
        1 => error("internal_error"),
        // An address that is not Slack's is not gone to.
        _ => Reply::from(json!({ "ok": true, "url": "wss://elsewhere.example/link" })),
    })
    .await;
    let rig = Rig::with(slack, None);
    assert!(wait_until(|| tries.load(Ordering::SeqCst) >= 3, LIMIT).await);
    assert_eq!(rig.sink.gaps.load(Ordering::SeqCst), 0);
    rig.stop.cancel();
}
