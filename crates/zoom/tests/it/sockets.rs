//! Event connections against a server of this process.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use dragoman_model::codes;
use dragoman_platform::http::{HttpClient, HttpSettings, TcpDialer};
use dragoman_platform::{Connector as _, Delivery, Failure, Sink};
use dragoman_testkit::{SeededRandom, wait_until};
use dragoman_zoom::{ZoomConnector, ZoomSettings};
use futures_util::SinkExt as _;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::fake::{FakeZoom, Reply};
use crate::support::{NOW_MS, app, by, clock, event, message};

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
    zoom: FakeZoom,
    sink: Arc<Counting>,
    stop: CancellationToken,
    opened: mpsc::UnboundedReceiver<(String, Socket)>,
    ended: mpsc::UnboundedReceiver<Result<(), Failure>>,
    _tasks: JoinSet<()>,
}

impl Rig {
    async fn start() -> Self {
        let zoom = FakeZoom::start(|call| {
            assert_eq!(call.what, "POST /oauth/token");
            assert_eq!(call.form()["grant_type"], "client_credentials");
            Reply::from(json!({ "access_token": "own-token", "expires_in": 3_599 }))
        })
        .await;
        Self::with(zoom).await
    }

    async fn with(zoom: FakeZoom) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = |path: &str| Url::parse(&format!("{}/{path}", zoom.url())).unwrap();
        let settings = ZoomSettings {
            api_base: url("v2/"),
            oauth_base: url("oauth/"),
            ws_url: Url::parse(&format!("ws://{}/ws", listener.local_addr().unwrap())).unwrap(),
            compliance_url: url("oauth/data/compliance"),
            files_base: url("files/v2/"),
            file_hosts: Vec::new(),
            settle_ms: 20,
            channel_budget: true,
        };
        let http = HttpSettings { allow_private: true, ..HttpSettings::default() };
        let http = HttpClient::new(&http, Arc::new(TcpDialer)).unwrap();
        let connector = ZoomConnector::new(settings, http, clock(), Arc::new(SeededRandom::new(7)));
        let (open, opened) = mpsc::unbounded_channel();
        let (end, ended) = mpsc::unbounded_channel();
        let (sink, stop) = (Arc::new(Counting::default()), CancellationToken::new());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let mut asked = String::new();
                #[expect(clippy::result_large_err, reason = "the library's own types")]
                let look = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
                    request.uri().query().unwrap_or_default().clone_into(&mut asked);
                    Ok(response)
                };
                let Ok(socket) = tokio_tungstenite::accept_hdr_async(socket, look).await else { continue };
                let _ = open.send((asked, socket));
            }
        });
        let (taking, stopped) = (sink.clone(), stop.clone());
        tasks.spawn(async move {
            let _ = end.send(connector.listen(&app(), taking.as_ref(), stopped).await);
        });
        Self { zoom, sink, stop, opened, ended, _tasks: tasks }
    }

    async fn socket(&mut self) -> Socket {
        let (asked, socket) = tokio::time::timeout(LIMIT, self.opened.recv())
            .await
            .expect("a connection in time")
            .expect("the server runs");
        assert_eq!(asked, "subscriptionId=sub-1&access_token=own-token");
        socket
    }

    async fn greeted(&mut self) -> Socket {
        let mut socket = self.socket().await;
        say(&mut socket, &json!({ "module": "build_connection", "success": true, "content": "ok" })).await;
        socket
    }

    async fn end(&mut self) -> Result<(), Failure> {
        tokio::time::timeout(LIMIT, self.ended.recv())
            .await
            .expect("an end in time")
            .expect("the listener ran")
    }

    async fn gaps(&self, expected: u32) {
        let gaps = &self.sink.gaps;
        assert!(wait_until(|| gaps.load(Ordering::SeqCst) >= expected, LIMIT).await, "no gap {expected}");
        assert_eq!(gaps.load(Ordering::SeqCst), expected);
    }

    async fn taken(&self, expected: u32) {
        let taken = &self.sink.taken;
        assert!(wait_until(|| taken.load(Ordering::SeqCst) >= expected, LIMIT).await, "not taken {expected}");
    }
}

async fn say(socket: &mut Socket, frame: &Value) {
    socket.send(Message::text(frame.to_string())).await.unwrap();
}

fn posted(number: u64) -> Value {
    let body = event("team_chat.channel_message_posted", NOW_MS, &message(number, "hi"));
    serde_json::from_slice(&body).unwrap()
}

#[tokio::test]
async fn events_come_in_every_form() {
    let mut rig = Rig::start().await;
    let mut socket = rig.greeted().await;
    rig.gaps(1).await;
    say(&mut socket, &json!({ "module": "message", "content": posted(1).to_string() })).await;
    rig.taken(1).await;
    say(&mut socket, &json!({ "module": "message", "content": posted(2) })).await;
    rig.taken(2).await;
    say(&mut socket, &posted(3)).await;
    rig.taken(3).await;
    for nonsense in ["", "{", "[]", "{\"module\":\"heartbeat\",\"success\":true}", "{\"module\":\"message\"}"]
    {
        socket.send(Message::text(nonsense)).await.unwrap();
    }
    say(
        &mut socket,
        &json!({ "module": "message", "content": "{\"event\":\"bot_installed\",\"payload\":{}}" }),
    )
    .await;
    say(&mut socket, &json!({ "module": "message", "content": posted(4).to_string() })).await;
    rig.taken(4).await;
    assert_eq!(
        rig.sink.dropped.load(Ordering::SeqCst),
        2,
        "counted: what is not used, what is not understood"
    );
    rig.stop.cancel();
    assert_eq!(rig.end().await, Ok(()));
}

/// Nothing comes again: every new connection means that something was missed.
#[tokio::test]
async fn every_connection_is_preceded_by_a_gap() {
    let mut rig = Rig::start().await;
    for round in 1..=3 {
        let socket = rig.greeted().await;
        rig.gaps(round).await;
        drop(socket);
    }
    assert!(rig.zoom.calls().len() >= 3, "each has a token of its own");
}

#[tokio::test]
async fn what_could_not_be_kept_is_read_again() {
    let mut rig = Rig::start().await;
    let mut socket = rig.greeted().await;
    rig.gaps(1).await;
    rig.sink.refuses.store(true, Ordering::SeqCst);
    say(&mut socket, &json!({ "module": "message", "content": posted(1).to_string() })).await;
    rig.gaps(2).await;
    rig.sink.refuses.store(false, Ordering::SeqCst);
    // Of a stranger in a channel that nobody has used yet: whose it is will be found by reading.
    let mut object = message(2, "hi");
    object["channel_owner_account_id"] = json!("");
    let stranger = by("team_chat.channel_message_posted", NOW_MS, ("", "", "Stranger"), &object);
    let stranger = String::from_utf8(stranger.to_vec()).unwrap();
    say(&mut socket, &json!({ "module": "message", "content": stranger })).await;
    rig.gaps(3).await;
}

#[tokio::test]
async fn what_a_person_has_to_mend_ends_the_listening() {
    let refuses = FakeZoom::start(|_| Reply(401, "", json!({ "error": "invalid_client" }).to_string())).await;
    let mut rig = Rig::with(refuses).await;
    assert_eq!(rig.end().await, Err(Failure::SignIn(codes::SIGN_IN)));

    let mut rig = Rig::start().await;
    loop {
        tokio::select! {
            ended = rig.ended.recv() => {
                assert_eq!(ended, Some(Err(Failure::SignIn(codes::SIGN_IN))));
                break;
            }
            Some((_, mut socket)) = rig.opened.recv() => {
                say(&mut socket, &json!({ "module": "build_connection", "success": false, "content": "Invalid Token" })).await;
            }
            () = tokio::time::sleep(Duration::from_secs(30)) => panic!("it goes on"),
        }
    }
}
