//! Events over WebSocket.

use std::time::Duration;

use dragoman_sim::zoom::{SocketContent, ZoomSimConfig};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::bench::*;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

fn over_socket() -> ZoomSimConfig {
    config().events_over_socket()
}

async fn open(bench: &Bench) -> Socket {
    let token = bench.bot_token().await;
    let url = format!("{}&access_token={token}", bench.sim.socket_url(SUBSCRIPTION));
    let (mut socket, _) = connect_async(url).await.unwrap();
    let hello = frame(&mut socket).await.unwrap();
    assert_eq!((&hello["module"], &hello["success"]), (&json!("build_connection"), &json!(true)));
    assert!(bench.sim.socket_connected(SUBSCRIPTION, true, PATIENCE).await);
    socket
}

/// The next frame; nothing when the connection ends.
async fn frame(socket: &mut Socket) -> Option<Value> {
    loop {
        let next = tokio::time::timeout(PATIENCE, socket.next()).await.expect("a frame in time");
        match next {
            Some(Ok(Message::Text(text))) => return Some(serde_json::from_str(&text).unwrap()),
            Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
            Some(Ok(_)) => {}
        }
    }
}

#[tokio::test]
async fn events_come_over_the_socket_as_json_text() {
    let bench = Bench::with(over_socket()).await;
    let mut socket = open(&bench).await;
    let id = bench.sim.post(THEO, GENERAL, "hello").unwrap();
    let message = frame(&mut socket).await.unwrap();
    assert_eq!(message["module"], "message");
    let event: Value = serde_json::from_str(message["content"].as_str().unwrap()).unwrap();
    assert_eq!(event["event"], "team_chat.channel_message_posted");
    assert_eq!(event["payload"]["object"]["message_id"], id);
    bench.done().await;
}

#[tokio::test]
async fn content_may_be_an_object_or_bare() {
    for form in [SocketContent::Object, SocketContent::Bare] {
        let mut config = over_socket();
        config.doubts.socket_content = form;
        let bench = Bench::with(config).await;
        let mut socket = open(&bench).await;
        bench.sim.post(THEO, GENERAL, "hello").unwrap();
        let message = frame(&mut socket).await.unwrap();
        let event = if form == SocketContent::Object { &message["content"] } else { &message };
        assert_eq!(event["event"], "team_chat.channel_message_posted");
        bench.done().await;
    }
}

#[tokio::test]
async fn heartbeats_are_texts_and_keep_the_socket_open() {
    let mut config = over_socket();
    config.timing.heartbeat_limit = Duration::from_millis(250);
    let bench = Bench::with(config).await;
    let mut socket = open(&bench).await;
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(120)).await;
        socket.send(Message::text(r#"{"module":"heartbeat"}"#)).await.unwrap();
        assert_eq!(frame(&mut socket).await.unwrap(), json!({"module": "heartbeat", "success": true}));
    }
    // Pings of the protocol do not count.
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        drop(socket.send(Message::Ping(bytes::Bytes::new())).await);
    }
    assert_eq!(frame(&mut socket).await, None);
    bench.done().await;
}

#[tokio::test]
async fn a_bad_token_is_told_and_closed() {
    let bench = Bench::with(over_socket()).await;
    for token in ["wrong", TOKEN] {
        let url = format!("{}&access_token={token}", bench.sim.socket_url(SUBSCRIPTION));
        let (mut socket, _) = connect_async(url).await.unwrap();
        let no = json!({"module": "build_connection", "success": false, "content": "Invalid Token"});
        assert_eq!(frame(&mut socket).await, Some(no));
        assert_eq!(frame(&mut socket).await, None);
    }
    bench.done().await;
}

#[tokio::test]
async fn the_token_may_come_in_a_header() {
    let bench = Bench::with(over_socket()).await;
    let mut request = bench.sim.socket_url(SUBSCRIPTION).into_client_request().unwrap();
    let token = bench.bot_token().await;
    request.headers_mut().insert("access_token", token.parse().unwrap());
    let (mut socket, _) = connect_async(request).await.unwrap();
    assert_eq!(frame(&mut socket).await.unwrap()["success"], true);
    bench.done().await;
}

#[tokio::test]
async fn a_new_connection_closes_the_old_one() {
    let bench = Bench::with(over_socket()).await;
    let mut old = open(&bench).await;
    let mut new = open(&bench).await;
    assert_eq!(frame(&mut old).await, None);
    bench.sim.post(THEO, GENERAL, "hello").unwrap();
    assert_eq!(frame(&mut new).await.unwrap()["module"], "message");
    bench.done().await;
}

#[tokio::test]
async fn nothing_is_kept_while_nobody_is_connected() {
    let bench = Bench::with(over_socket()).await;
    let socket = open(&bench).await;
    bench.sim.cut_socket(SUBSCRIPTION);
    assert!(bench.sim.socket_connected(SUBSCRIPTION, false, PATIENCE).await);
    drop(socket);
    bench.sim.post(THEO, GENERAL, "lost").unwrap();
    let lost =
        bench.sim.log().wait_for(1, PATIENCE, |entry| entry.detail["failure"] == "no_connection").await;
    assert!(lost.is_some());
    let mut socket = open(&bench).await;
    bench.sim.post(THEO, GENERAL, "heard").unwrap();
    let message = frame(&mut socket).await.unwrap();
    assert!(message["content"].as_str().unwrap().contains("heard"));
    // What was lost can be listed.
    let list = bench.get(&format!("/chat/users/{BRIDGE}/messages?to_channel={GENERAL}")).await;
    assert_eq!(list["messages"].as_array().unwrap().len(), 2);
    bench.sim.close_socket(SUBSCRIPTION);
    assert_eq!(frame(&mut socket).await, None);
    bench.done().await;
}

#[tokio::test]
async fn a_socket_may_outlive_its_token_or_not() {
    for outlives in [false, true] {
        let mut config = over_socket();
        config.timing.token_life = Duration::from_secs(1);
        config.doubts.socket_outlives_token = outlives;
        let bench = Bench::with(config).await;
        let mut socket = open(&bench).await;
        if outlives {
            tokio::time::sleep(Duration::from_millis(1_200)).await;
            bench.sim.post(THEO, GENERAL, "still here").unwrap();
            assert_eq!(frame(&mut socket).await.unwrap()["module"], "message");
        } else {
            assert_eq!(frame(&mut socket).await, None);
        }
        bench.done().await;
    }
}
