//! Socket Mode.

use std::time::Duration;

use dragoman_sim::slack::{SlackSimConfig, SocketGap};
use futures_util::{SinkExt, StreamExt};
use http::Method;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::bench::{ANA, APP, Bench, GENERAL, PATIENCE, config, error};

const APP_TOKEN: &str = "xapp-1-A07DRAGOMAN-1-simulated";

struct Client(WebSocketStream<MaybeTlsStream<TcpStream>>);

async fn bench_with(change: impl FnOnce(&mut SlackSimConfig)) -> Bench {
    let mut config = config();
    config.apps[0].socket_mode = true;
    config.timing.ack_deadline = Duration::from_millis(250);
    change(&mut config);
    Bench::with(config).await
}

async fn url(bench: &Bench) -> String {
    let answer = bench.form(APP_TOKEN, "apps.connections.open", &[]).await;
    answer["url"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}

async fn connect(bench: &Bench) -> Client {
    let mut client = Client(connect_async(url(bench).await).await.unwrap().0);
    assert_eq!(client.frame().await["type"], "hello");
    client
}

impl Client {
    async fn next(&mut self) -> Option<Message> {
        tokio::time::timeout(PATIENCE, self.0.next()).await.expect("nothing came").and_then(Result::ok)
    }

    async fn frame(&mut self) -> Value {
        loop {
            match self.next().await {
                Some(Message::Text(text)) => return serde_json::from_str(&text).unwrap(),
                Some(Message::Ping(_) | Message::Pong(_)) => {}
                other => panic!("unexpected {other:?}"),
            }
        }
    }

    async fn acknowledge(&mut self, frame: &Value) {
        let text = json!({"envelope_id": frame["envelope_id"], "payload": {}}).to_string();
        self.0.send(Message::text(text)).await.unwrap();
    }
}

#[tokio::test]
async fn hello_then_envelopes_with_the_same_body_as_over_http() {
    let bench = bench_with(|_| {}).await;
    let mut client = Client(connect_async(url(&bench).await).await.unwrap().0);
    let hello = client.frame().await;
    assert_eq!((&hello["num_connections"], &hello["connection_info"]["app_id"]), (&json!(1), &json!(APP)));
    assert!(hello["debug_info"]["approximate_connection_time"].is_u64());
    bench.sim.post(ANA, GENERAL, "over the wire").unwrap();
    let frame = client.frame().await;
    assert_eq!((&frame["type"], &frame["accepts_response_payload"]), (&json!("events_api"), &json!(false)));
    assert_eq!((&frame["retry_attempt"], &frame["retry_reason"]), (&json!(0), &json!("")));
    assert_eq!(frame["payload"]["type"], "event_callback");
    assert_eq!(frame["payload"]["event"]["text"], "over the wire");
    client.acknowledge(&frame).await;
    bench
        .sim
        .log()
        .wait_for(1, PATIENCE, |entry| entry.path == "socket" && entry.status == 200)
        .await
        .unwrap();
    bench.done().await;
}

#[tokio::test]
async fn connection_urls_work_once_and_need_the_app_level_token() {
    let bench = bench_with(|config| config.timing.ticket_life = Duration::from_secs(20)).await;
    let answer = bench.form(super::bench::BOT, "apps.connections.open", &[]).await;
    assert_eq!(error(&answer), "not_allowed_token_type");
    let headers = [("authorization", "Bearer xapp-1-A07DRAGOMAN-1-simulated")];
    let answer = bench.send(Method::GET, "/api/apps.connections.open", &headers, b"").await;
    assert!(String::from_utf8_lossy(&answer.body).contains("insecure_request"));
    let once = url(&bench).await;
    let _client = connect_async(&once).await.unwrap();
    assert!(connect_async(&once).await.is_err());
    let late = url(&bench).await;
    bench.world.clock.advance(Duration::from_secs(21));
    assert!(connect_async(&late).await.is_err());
    bench.done().await;
}

#[tokio::test]
async fn unacknowledged_envelopes_come_again_and_count_on_their_own_connection() {
    let bench = bench_with(|_| {}).await;
    let mut client = connect(&bench).await;
    bench.sim.post(ANA, GENERAL, "again").unwrap();
    let first = client.frame().await;
    let second = client.frame().await;
    assert_eq!((&second["retry_attempt"], &second["retry_reason"]), (&json!(1), &json!("timeout")));
    assert_eq!(first["payload"]["event_id"], second["payload"]["event_id"]);
    client.acknowledge(&second).await;
    let mut other = connect(&bench).await;
    bench.sim.post(ANA, GENERAL, "next").unwrap();
    // Whoever got it, the other one's acknowledgement does not count.
    let (carrier, frame) = tokio::select! {
        frame = client.frame() => (1, frame),
        frame = other.frame() => (2, frame),
    };
    if carrier == 1 {
        other.acknowledge(&frame).await;
    } else {
        client.acknowledge(&frame).await;
    }
    let again = tokio::select! {
        frame = client.frame() => frame,
        frame = other.frame() => frame,
    };
    assert_eq!(again["retry_attempt"], 1);
    bench.done().await;
}

#[tokio::test]
async fn a_refresh_warns_asks_and_closes_while_the_new_connection_takes_over() {
    let bench = bench_with(|_| {}).await;
    let mut old = connect(&bench).await;
    bench.sim.refresh_sockets(APP);
    assert_eq!(old.frame().await["reason"], "warning");
    let mut new = connect(&bench).await;
    assert_eq!(old.frame().await["reason"], "refresh_requested");
    bench.sim.post(ANA, GENERAL, "to the new one").unwrap();
    let frame = new.frame().await;
    assert_eq!(frame["payload"]["event"]["text"], "to the new one");
    new.acknowledge(&frame).await;
    loop {
        match old.next().await {
            Some(Message::Close(_)) | None => break,
            Some(_) => {}
        }
    }
    bench.done().await;
}

#[tokio::test]
async fn events_wait_through_a_gap_or_are_lost() {
    let bench = bench_with(|_| {}).await;
    let client = connect(&bench).await;
    drop(client);
    tokio::time::timeout(PATIENCE, async {
        while bench.sim.sockets(APP) > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    bench.sim.post(ANA, GENERAL, "in between").unwrap();
    let mut client = connect(&bench).await;
    assert_eq!(client.frame().await["payload"]["event"]["text"], "in between");
    bench.done().await;

    let bench = bench_with(|config| config.doubts.socket_gap = SocketGap::Lose).await;
    bench.sim.post(ANA, GENERAL, "lost").unwrap();
    let lost = |entry: &dragoman_sim::core::LogEntry| entry.detail["failure"] == "no_connection";
    bench.sim.log().wait_for(1, PATIENCE, lost).await.unwrap();
    let mut client = connect(&bench).await;
    bench.sim.post(ANA, GENERAL, "found").unwrap();
    assert_eq!(client.frame().await["payload"]["event"]["text"], "found", "nothing is replayed");
    bench.done().await;
}

#[tokio::test]
async fn ten_connections_are_the_most() {
    let bench = bench_with(|_| {}).await;
    let mut clients = Vec::new();
    for _ in 0..10 {
        clients.push(connect(&bench).await);
    }
    let mut eleventh = Client(connect_async(url(&bench).await).await.unwrap().0);
    let frame = eleventh.frame().await;
    assert_eq!((&frame["type"], &frame["reason"]), (&json!("disconnect"), &json!("too_many_websockets")));
    assert_eq!(bench.sim.sockets(APP), 10);
    bench.sim.disconnect_sockets(APP, "link_disabled");
    assert_eq!(clients[0].frame().await["reason"], "link_disabled");
    bench.done().await;
}

#[tokio::test]
async fn a_cut_connection_gives_its_envelopes_back() {
    let bench = bench_with(|_| {}).await;
    let mut first = connect(&bench).await;
    bench.sim.post(ANA, GENERAL, "held").unwrap();
    let held = first.frame().await;
    bench.sim.cut_sockets(APP);
    let mut second = connect(&bench).await;
    let again = second.frame().await;
    assert_eq!(again["payload"]["event_id"], held["payload"]["event_id"]);
    assert_eq!(again["retry_attempt"].as_u64().map(|attempt| attempt > 0), Some(true));
    bench.done().await;
}

#[tokio::test]
async fn the_server_pings_and_answers_pings() {
    let bench = bench_with(|config| config.timing.socket_ping = Duration::from_millis(50)).await;
    let mut client = connect(&bench).await;
    client.0.send(Message::Ping(bytes::Bytes::from_static(b"are you there"))).await.unwrap();
    let (mut pinged, mut answered) = (false, false);
    while !(pinged && answered) {
        match client.next().await {
            Some(Message::Ping(_)) => pinged = true,
            Some(Message::Pong(content)) => answered = &content[..] == b"are you there",
            other => panic!("unexpected {other:?}"),
        }
    }
    bench.done().await;
}

#[tokio::test]
async fn with_socket_mode_on_nothing_goes_to_the_url() {
    let bench = bench_with(|_| {}).await;
    bench.sim.set_events_url(APP, Some(&bench.app_url));
    let mut client = connect(&bench).await;
    bench.sim.post(ANA, GENERAL, "here").unwrap();
    client.frame().await;
    assert!(bench.app.matching(&|_| true).is_empty());
    bench.done().await;
}
