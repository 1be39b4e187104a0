//! What clients may use up, and how the server ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use dragoman_gateway::http::{Answer, Handler, Limits, Meter, Request, Server, Tcp, TrustedProxies, respond};
use dragoman_testkit::wait_until;
use http::{Method, StatusCode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::rig::{raw, read};

const CAP: usize = 1000;
const LONG: Duration = Duration::from_secs(20);

/// Answers with the length of the body; on `/slow` only when it is let go.
struct Echo {
    go: Semaphore,
    inside: AtomicUsize,
    seen: AtomicUsize,
}

#[async_trait]
impl Handler for Echo {
    fn body_cap(&self, _: &Method, path: &str) -> Option<usize> {
        path.starts_with('/').then_some(CAP)
    }

    async fn handle(&self, request: Request) -> Answer {
        self.seen.fetch_add(1, Ordering::SeqCst);
        if request.path == "/slow" {
            self.inside.fetch_add(1, Ordering::SeqCst);
            self.go.acquire().await.unwrap().forget();
        }
        respond(StatusCode::OK, "text/plain", request.body.len().to_string())
    }
}

struct Served {
    address: std::net::SocketAddr,
    echo: Arc<Echo>,
    meter: Arc<Meter>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

async fn serve(limits: Limits) -> Served {
    let tcp = Tcp::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = tcp.address().unwrap();
    let echo =
        Arc::new(Echo { go: Semaphore::new(0), inside: AtomicUsize::new(0), seen: AtomicUsize::new(0) });
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let meter = Arc::new(Meter::default());
    let server = Server {
        listener: Arc::new(tcp),
        tls: None,
        limits,
        proxies: TrustedProxies::default(),
        handler: echo.clone(),
        meter: meter.clone(),
        tasks: tasks.clone(),
        stop: stop.clone(),
    };
    tasks.spawn(server.run());
    Served { address, echo, meter, stop, tasks }
}

impl Served {
    async fn end(&self) {
        self.stop.cancel();
        self.tasks.close();
        tokio::time::timeout(LONG, self.tasks.wait()).await.unwrap();
    }
}

fn short() -> Limits {
    let short = Duration::from_millis(150);
    Limits { head: short, body: short, idle: short, ..Limits::default() }
}

fn post(path: &str, extra: &str, body: &str) -> Vec<u8> {
    format!("POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{extra}\r\n{body}").into_bytes()
}

#[tokio::test]
async fn bodies_are_capped_whether_announced_or_not() {
    let served = serve(Limits::default()).await;
    let fits = "x".repeat(CAP);
    let announced = |body: &str| post("/", &format!("content-length: {}\r\n", body.len()), body);
    let chunked = |body: &str| {
        post("/", "transfer-encoding: chunked\r\n", &format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len()))
    };
    assert_eq!(raw(served.address, &announced(&fits)).await.text(), CAP.to_string());
    assert_eq!(raw(served.address, &chunked(&fits)).await.text(), CAP.to_string());
    let large = "x".repeat(CAP + 1);
    assert_eq!(raw(served.address, &announced(&large)).await.status, 413);
    assert_eq!(raw(served.address, &chunked(&large)).await.status, 413);
    served.end().await;
}

#[tokio::test]
async fn compressed_bodies_and_two_lengths_are_refused() {
    let served = serve(Limits::default()).await;
    let gzip = post("/", "content-encoding: gzip\r\ncontent-length: 1\r\n", "x");
    assert_eq!(raw(served.address, &gzip).await.status, 415);
    let smuggled = post("/", "content-length: 3\r\ncontent-length: 5\r\n", "hello");
    assert_eq!(raw(served.address, &smuggled).await.status, 400);
    let served_one = post("/", "content-encoding: identity\r\ncontent-length: 1\r\n", "x");
    assert_eq!(raw(served.address, &served_one).await.status, 200);
    let head = format!("GET / HTTP/1.1\r\nhost: x\r\nx-large: {}\r\n\r\n", "y".repeat(64 << 10));
    assert_ne!(raw(served.address, head.as_bytes()).await.status, 200);
    served.end().await;
}

#[tokio::test]
async fn slow_heads_slow_bodies_and_idle_connections_are_closed() {
    let served = serve(short()).await;
    for beginning in ["", "GET / HT", "GET / HTTP/1.1\r\nhost: x\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        stream.write_all(beginning.as_bytes()).await.unwrap();
        let mut rest = Vec::new();
        // Whatever it is told, it is let go.
        let _ = tokio::time::timeout(LONG, stream.read_to_end(&mut rest)).await.unwrap();
        assert!(!rest.starts_with(b"HTTP/1.1 200"), "{beginning:?}");
    }
    let half = post("/", "content-length: 10\r\n", "half");
    assert_eq!(raw(served.address, &half).await.status, 408);
    let mut idle = TcpStream::connect(served.address).await.unwrap();
    idle.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    assert_eq!(read(&mut idle).await.status, 200);
    served.end().await;
}

#[tokio::test]
async fn a_slow_drip_does_not_keep_a_connection() {
    let served = serve(short()).await;
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    let drip = async {
        loop {
            if stream.write_all(b"G").await.is_err() {
                return;
            }
            let _ = stream.flush().await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(LONG, drip).await.unwrap();
    let meter = served.meter.clone();
    assert!(wait_until(|| meter.connections() == 0, LONG).await);
    served.end().await;
}

#[tokio::test]
async fn too_many_slow_connections_make_room_for_quick_ones() {
    let served = serve(Limits { connections: 8, ..Limits::default() }).await;
    let mut slow = Vec::new();
    for _ in 0..40 {
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost:").await.unwrap();
        slow.push(stream);
    }
    for _ in 0..20 {
        assert_eq!(raw(served.address, &post("/", "content-length: 1\r\n", "x")).await.status, 200);
    }
    let meter = served.meter.clone();
    assert!(wait_until(|| meter.connections() <= 8, LONG).await, "{}", meter.connections());
    assert!(meter.cut() >= 32);
    drop(slow);
    served.end().await;
}

#[tokio::test]
async fn bytes_in_flight_are_bounded_and_given_back() {
    let served = serve(Limits { bytes_in_flight: 1500, ..Limits::default() }).await;
    let body = "x".repeat(CAP);
    let slow = post("/slow", &format!("content-length: {CAP}\r\n"), &body);
    let mut first = TcpStream::connect(served.address).await.unwrap();
    first.write_all(&slow).await.unwrap();
    let echo = served.echo.clone();
    assert!(wait_until(|| echo.inside.load(Ordering::SeqCst) == 1, LONG).await);
    let second = post("/", &format!("content-length: {CAP}\r\n"), &body);
    let got = raw(served.address, &second).await;
    assert_eq!(got.status, 503);
    assert!(got.head.contains("retry-after: 1"), "{}", got.head);
    // Small ones still pass.
    assert_eq!(raw(served.address, &post("/", "content-length: 1\r\n", "x")).await.status, 200);
    assert_eq!((served.meter.bytes_in_flight(), served.meter.turned_away()), (1000, 1));
    served.echo.go.add_permits(1);
    assert_eq!(read(&mut first).await.status, 200);
    assert_eq!(raw(served.address, &second).await.status, 200);
    assert_eq!(served.meter.bytes_in_flight(), 0);
    served.end().await;
}

#[tokio::test]
async fn shutdown_finishes_what_was_begun_and_takes_nothing_new() {
    let served = serve(Limits::default()).await;
    let mut under_way = TcpStream::connect(served.address).await.unwrap();
    under_way.write_all(&post("/slow", "content-length: 1\r\n", "x")).await.unwrap();
    let mut idle = TcpStream::connect(served.address).await.unwrap();
    idle.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut first = [0; 12];
    idle.read_exact(&mut first).await.unwrap();
    let echo = served.echo.clone();
    assert!(wait_until(|| echo.inside.load(Ordering::SeqCst) == 1, LONG).await);
    served.stop.cancel();
    // The idle one is closed at once, new ones are refused.
    let mut rest = Vec::new();
    tokio::time::timeout(LONG, idle.read_to_end(&mut rest)).await.unwrap().unwrap();
    let refused =
        tokio::time::timeout(LONG, async { while TcpStream::connect(served.address).await.is_ok() {} });
    refused.await.unwrap();
    served.echo.go.add_permits(1);
    assert_eq!(read(&mut under_way).await.status, 200);
    served.end().await;
}

#[tokio::test]
async fn shutdown_does_not_wait_for_ever() {
    let served = serve(Limits { drain: Duration::from_millis(100), ..Limits::default() }).await;
    let mut stuck = TcpStream::connect(served.address).await.unwrap();
    stuck.write_all(&post("/slow", "content-length: 1\r\n", "x")).await.unwrap();
    let echo = served.echo.clone();
    assert!(wait_until(|| echo.inside.load(Ordering::SeqCst) == 1, LONG).await);
    served.end().await;
    assert_eq!(read(&mut stuck).await.status, 0);
}

/// A frame of HTTP/2.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend_from_slice(&[kind, flags]);
    frame.extend_from_slice(&stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// `GET http://x/` in the static table of HPACK, and one literal.
const GET_ROOT: &[u8] = &[0x82, 0x86, 0x84, 0x41, 0x01, b'x'];
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// Writes until the other end has enough; whether it had.
async fn flood(served: &Served, next: impl Fn(u32) -> Vec<u8>) -> bool {
    let stream = TcpStream::connect(served.address).await.unwrap();
    let (mut reader, mut writer) = stream.into_split();
    let reading = async {
        let mut rest = Vec::new();
        let _ = reader.read_to_end(&mut rest).await;
    };
    let writing = async {
        let mut hello = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        hello.extend(frame(SETTINGS, 0, 0, &[]));
        if writer.write_all(&hello).await.is_err() {
            return;
        }
        for n in 0..200_000_u32 {
            if writer.write_all(&next(n)).await.is_err() {
                return;
            }
        }
        std::future::pending::<()>().await;
    };
    let over = async {
        tokio::select! {
            () = reading => {}
            () = writing => {}
        }
    };
    tokio::time::timeout(LONG, over).await.is_ok()
}

#[tokio::test]
async fn streams_reset_in_a_hurry_end_the_connection_only() {
    let served = serve(Limits::default()).await;
    let reset = |n: u32| {
        let stream = 2 * n + 1;
        let mut both = frame(
            HEADERS,
            END_HEADERS | END_STREAM,
            stream,
            &[&GET_ROOT[..2], &[0x04, 5], b"/slow", &GET_ROOT[3..]].concat(),
        );
        both.extend(frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
        both
    };
    assert!(flood(&served, reset).await, "the flood is still let in");
    assert_eq!(raw(served.address, &post("/", "content-length: 1\r\n", "x")).await.status, 200);
    assert!(served.echo.inside.load(Ordering::SeqCst) < 1000);
    served.end().await;
}

#[tokio::test]
async fn a_head_without_end_ends_the_connection_only() {
    let served = serve(Limits::default()).await;
    let filler = [0x00, 0x01, b'a', 0x01, b'b'].repeat(1000);
    let endless = |n: u32| match n {
        0 => frame(HEADERS, END_STREAM, 1, GET_ROOT),
        _ => frame(CONTINUATION, 0, 1, &filler),
    };
    assert!(flood(&served, endless).await, "the flood is still let in");
    // A head that becomes large only when it is unpacked: one long entry, named again and again.
    let mut entry = vec![0x40, 0x01, b'a', 0x7f, 0xe1, 0x1e];
    entry.extend(vec![b'b'; 4000]);
    let bomb = move |n: u32| {
        let head = if n == 0 { [GET_ROOT, &entry].concat() } else { [GET_ROOT, &[0xbe; 8000][..]].concat() };
        frame(HEADERS, END_HEADERS | END_STREAM, 2 * n + 1, &head)
    };
    let _ = tokio::time::timeout(Duration::from_secs(1), flood(&served, bomb)).await;
    assert!(served.echo.seen.load(Ordering::SeqCst) <= 1, "only the first, which is small, may pass");
    assert_eq!(raw(served.address, &post("/", "content-length: 1\r\n", "x")).await.status, 200);
    served.end().await;
}
