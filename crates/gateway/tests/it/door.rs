//! Webhooks: who is let in, and what is answered when something below fails.

use std::num::NonZeroU32;
use std::time::Duration;

use dragoman_gateway::HookRate;
use dragoman_testkit::wait_until;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio_util::task::TaskTracker;

use crate::fake::{SIGNING_SECRET, event_body};
use crate::rig::Rig;

#[tokio::test]
async fn an_authentic_event_is_durable_when_it_is_answered() {
    let rig = Rig::new().await;
    let (app, _) = rig.bridged().await;
    let before = rig.store.counts().await.unwrap();
    let got = rig.hook(&app, SIGNING_SECRET, &event_body("k1")).await;
    assert_eq!((got.status, got.text().as_str()), (200, "ok"));
    let store = rig.store.clone();
    // On its way, or already settled into a dead letter: in no case unknown.
    let after = store.counts().await.unwrap();
    assert_eq!(after.events + after.dead_letters, before.events + before.dead_letters + 1);
    // The platform sends it again: the same answer, nothing new.
    assert_eq!(rig.hook(&app, SIGNING_SECRET, &event_body("k1")).await.status, 200);
    let again = store.counts().await.unwrap();
    assert_eq!(again.events + again.dead_letters, after.events + after.dead_letters);
    rig.end().await;
}

#[tokio::test]
async fn what_is_not_authentic_not_understood_or_not_there_is_refused() {
    let rig = Rig::new().await;
    let (app, _) = rig.bridged().await;
    assert_eq!(rig.hook(&app, "wrong", &event_body("k1")).await.status, 401);
    assert_eq!(rig.hook(&app, SIGNING_SECRET, "nonsense").await.status, 400);
    let door = rig.door();
    for path in [
        "/".to_owned(),
        "/hooks/alpha".to_owned(),
        "/hooks/alpha/unknown/events".to_owned(),
        // The app is there, on another platform.
        format!("/hooks/beta/{}/events", app.id),
        format!("/hooks/alpha/{}/nothing", app.id),
        "/metrics".to_owned(),
        "/healthz".to_owned(),
    ] {
        assert_eq!(rig.get(door, &path).await.status, 404, "{path}");
    }
    assert_eq!(rig.store.counts().await.unwrap().events, 0);
    rig.end().await;
}

#[tokio::test]
async fn a_challenge_is_answered_without_a_write() {
    let rig = Rig::new().await;
    let (app, _) = rig.bridged().await;
    rig.disk.set_full(true);
    let request = format!(
        "GET /hooks/alpha/{}/events?challenge=abc HTTP/1.1\r\nhost: x\r\nx-signature: {SIGNING_SECRET}\r\nconnection: close\r\n\r\n",
        app.id
    );
    let got = crate::rig::raw(rig.door(), request.as_bytes()).await;
    assert_eq!((got.status, got.text().as_str()), (200, "abc"));
    rig.end().await;
}

#[tokio::test]
async fn what_cannot_be_made_durable_gets_503_and_is_taken_when_it_comes_again() {
    let rig = Rig::new().await;
    let (app, _) = rig.bridged().await;
    rig.disk.set_full(true);
    for attempt in 0..3 {
        let got = rig.hook(&app, SIGNING_SECRET, &event_body("k1")).await;
        assert_eq!(got.status, 503, "attempt {attempt}");
        assert!(got.head.contains("retry-after: 1"), "{}", got.head);
    }
    assert_eq!(rig.store.counts().await.unwrap().events, 0);
    rig.disk.set_full(false);
    assert_eq!(rig.hook(&app, SIGNING_SECRET, &event_body("k1")).await.status, 200);
    let counts = rig.store.counts().await.unwrap();
    assert_eq!(counts.events + counts.dead_letters, 1);
    rig.end().await;
}

#[tokio::test]
async fn a_check_that_hangs_is_answered_before_the_platform_gives_up() {
    let rig = Rig::new().await;
    let (app, _) = rig.bridged().await;
    rig.alpha.state().keys_hang = true;
    let body = event_body("k1");
    let answer = rig.hook(&app, SIGNING_SECRET, &body);
    let got = tokio::time::timeout(Duration::from_millis(2900), answer).await.unwrap();
    assert_eq!(got.status, 503);
    rig.end().await;
}

#[tokio::test]
async fn a_flood_of_one_app_gets_503_and_leaves_the_others_alone() {
    let few = NonZeroU32::new(2).unwrap();
    let rig = Rig::with(|settings| settings.rate = HookRate { per_second: few, burst: few }).await;
    let (app, _) = rig.bridged().await;
    // Strangers use nothing up.
    for _ in 0..5 {
        assert_eq!(rig.hook(&app, "wrong", &event_body("x")).await.status, 401);
    }
    let mut answers = Vec::new();
    for n in 0..4 {
        answers.push(rig.hook(&app, SIGNING_SECRET, &event_body(&n.to_string())).await.status);
    }
    assert_eq!(answers, [200, 200, 503, 503]);
    let other = rig.app("alpha", "a2").await;
    assert_eq!(rig.hook(&other, SIGNING_SECRET, &event_body("k")).await.status, 200);
    rig.clock.advance(1000);
    assert_eq!(rig.hook(&app, SIGNING_SECRET, &event_body("later")).await.status, 200);
    rig.end().await;
}

#[tokio::test]
async fn an_event_whose_sender_went_away_is_still_handed_on() {
    let rig = Rig::new().await;
    let (app, _) = rig.bridged().await;
    let body = event_body("k1");
    let request = format!(
        "POST /hooks/alpha/{}/events HTTP/1.1\r\nhost: x\r\nx-signature: {SIGNING_SECRET}\r\ncontent-length: {}\r\n\r\n{body}",
        app.id,
        body.len()
    );
    let mut stream = TcpStream::connect(rig.door()).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    drop(stream);
    // The connector of these tests cannot read it, so that handed on it ends as a dead letter.
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    loop {
        let counts = rig.store.counts().await.unwrap();
        if counts.dead_letters == 1 && counts.events == 0 {
            break;
        }
        if tokio::time::Instant::now() > deadline {
            // The bytes may not have been read at all before the connection was gone; then nothing is known.
            assert_eq!((counts.events, counts.dead_letters), (0, 0));
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    rig.end().await;
}

#[tokio::test]
async fn http_2_works_too() {
    let rig = Rig::new().await;
    let (app, _) = rig.bridged().await;
    let stream = TcpStream::connect(rig.door()).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let client = TaskTracker::new();
    client.spawn(connection);
    for n in 0..3 {
        let request = http::Request::post(format!("http://x/hooks/alpha/{}/events", app.id))
            .header("x-signature", SIGNING_SECRET)
            .body(http_body_util::Full::new(bytes::Bytes::from(event_body(&n.to_string()))))
            .unwrap();
        let response = sender.send_request(request).await.unwrap();
        assert_eq!((response.status().as_u16(), response.version()), (200, http::Version::HTTP_2));
    }
    let meter = rig.gateway.meter().clone();
    assert_eq!(meter.connections(), 1);
    drop(sender);
    assert!(wait_until(|| meter.connections() == 0, Duration::from_secs(10)).await, "the connection stays");
    rig.end().await;
}
