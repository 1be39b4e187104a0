//! The client against a server of this process, and the address guard against its vectors.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use http::{Method, StatusCode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

use super::dial::admit;
use super::*;

/// Every way of saying "inside" that is known to have worked somewhere.
const VECTORS: &[&str] = &[
    "https://127.0.0.1/",
    "https://127.1/",
    "https://127.0.1/",
    "https://127.255.255.254/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.0.0.1/",
    "https://0x7f.1/",
    "https://0177.0.0.1/",
    "https://0177.1/",
    "https://017700000001/",
    "https://127.0.0.1./",
    "https://①②⑦.⓪.⓪.①/",
    "https://127。0。0。1/",
    "https://%31%32%37.0.0.1/",
    "https://0.0.0.0/",
    "https://0/",
    "https://0.1.2.3/",
    "https://10.0.0.1/",
    "https://10.255.255.255/",
    "https://0xa000001/",
    "https://167772161/",
    "https://100.64.0.1/",
    "https://100.127.255.254/",
    "https://100.100.100.200/",
    "https://169.254.0.1/",
    "https://169.254.169.254/",
    "https://169.254.170.2/",
    "https://2852039166/",
    "https://0xa9fea9fe/",
    "https://0xa9.0xfe.0xa9.0xfe/",
    "https://0251.0376.0251.0376/",
    "https://169.16689662/",
    "https://172.16.0.1/",
    "https://172.31.255.255/",
    "https://192.0.0.1/",
    "https://192.0.0.192/",
    "https://192.0.2.1/",
    "https://192.88.99.1/",
    "https://192.168.0.1/",
    "https://192.168.255.255/",
    "https://198.18.0.1/",
    "https://198.19.255.255/",
    "https://198.51.100.1/",
    "https://203.0.113.1/",
    "https://168.63.129.16/",
    "https://224.0.0.1/",
    "https://239.255.255.250/",
    "https://240.0.0.1/",
    "https://255.255.255.255/",
    "https://[::]/",
    "https://[::1]/",
    "https://[0:0:0:0:0:0:0:1]/",
    "https://[::127.0.0.1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[::ffff:10.0.0.1]/",
    "https://[::ffff:169.254.169.254]/",
    "https://[::ffff:0:127.0.0.1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[64:ff9b::a9fe:a9fe]/",
    "https://[64:ff9b:1::a00:1]/",
    "https://[100::1]/",
    "https://[2001::1]/",
    "https://[2001:0:7f00:1::]/",
    "https://[2001:2::1]/",
    "https://[2001:10::1]/",
    "https://[2001:20::1]/",
    "https://[2001:db8::1]/",
    "https://[2002:7f00:1::]/",
    "https://[2002:a9fe:a9fe::1]/",
    "https://[2002:c0a8:1::1]/",
    "https://[3fff::1]/",
    "https://[5f00::1]/",
    "https://[fc00::1]/",
    "https://[fd00:ec2::254]/",
    "https://[fd20:ce::254]/",
    "https://[fe80::1]/",
    "https://[fec0::1]/",
    "https://[ff02::1]/",
    "https://[2a00:1450::5efe:7f00:1]/",
    "https://[2a00:1450::200:5efe:a00:1]/",
    "https://localhost/",
    "https://LOCALHOST./",
    "https://a.localhost/",
    "https://metadata.google.internal/",
    "https://printer.local/",
    "http://slack.com/",
    "https://user@slack.com/",
    "https://slack.com:pass@127.0.0.1/",
    "file:///etc/passwd",
    "gopher://slack.com/",
    "ftp://slack.com/",
];

/// Counts how often it is asked; connects to nothing.
#[derive(Default)]
struct NoDialer(AtomicUsize);

#[async_trait]
impl Dialer for NoDialer {
    async fn dial(&self, _: &str, _: u16, _: Reach) -> io::Result<Box<dyn Stream>> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Err(io::ErrorKind::ConnectionRefused.into())
    }
}

fn get(url: &str) -> HttpRequest {
    HttpRequest::new(Method::GET, Url::parse(url).unwrap())
}

#[tokio::test]
async fn no_vector_reaches_the_dialer() {
    let dialer = Arc::new(NoDialer::default());
    let proxied = HttpSettings {
        proxy: Some(Proxy::parse("http://proxy.example:3128", vec![]).unwrap()),
        ..HttpSettings::default()
    };
    for settings in [HttpSettings::default(), proxied] {
        let client = HttpClient::new(&settings, dialer.clone()).unwrap();
        for vector in VECTORS {
            let Ok(url) = Url::parse(vector) else { continue };
            let answer = client.send(HttpRequest::new(Method::GET, url.clone())).await;
            let refused = matches!(answer, Err(HttpError::Blocked { .. } | HttpError::Invalid(_)));
            assert!(refused, "{vector} was let through");
            let socket = client.open(&url, None).await;
            assert!(socket.is_err(), "{vector} was let through for a socket");
        }
    }
    assert_eq!(dialer.0.load(Ordering::SeqCst), 0, "a connection was attempted");
    assert!(VECTORS.len() >= 80);
}

#[test]
fn a_name_is_judged_by_all_its_addresses_after_resolution() {
    let public: SocketAddr = "8.8.8.8:443".parse().unwrap();
    let public6: SocketAddr = "[2a00:1450:4001:81b::200e]:443".parse().unwrap();
    let private: SocketAddr = "10.1.2.3:443".parse().unwrap();
    assert!(admit(vec![public, public6], Reach::Public).is_ok());
    assert!(admit(vec![public, private], Reach::Public).is_err());
    assert!(admit(vec![private], Reach::Public).is_err());
    assert!(admit(vec![private], Reach::Any).is_ok());
}

#[tokio::test]
async fn the_real_dialer_checks_what_it_resolved() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let refused = TcpDialer.dial("localhost", port, Reach::Public).await.err().unwrap();
    assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
    assert!(TcpDialer.dial("127.0.0.1", port, Reach::Any).await.is_ok());
}

/// What the test server does with the bytes of a connection.
#[derive(Clone, Copy)]
enum Manners {
    /// Sends this as soon as a head was read, again for every head on the connection.
    Says(&'static str),
    /// Reads the head and closes.
    HangsUp,
    /// Reads the head and says nothing.
    Silent,
}

/// A server that speaks bytes, so that no HTTP library of ours tests itself. Gives its port and what it read.
async fn server(manners: Manners) -> (u16, tokio::sync::mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (heard, hears) = tokio::sync::mpsc::unbounded_channel();
    let mut tasks = tokio::task::JoinSet::new();
    let serve = async move {
        loop {
            let Ok((socket, _)) = listener.accept().await else { return };
            let heard = heard.clone();
            tasks.spawn(async move { converse(socket, manners, heard).await });
        }
    };
    let mut keeper = tokio::task::JoinSet::new();
    keeper.spawn(serve);
    keeper.detach_all();
    (port, hears)
}

async fn converse(
    mut socket: TcpStream,
    manners: Manners,
    heard: tokio::sync::mpsc::UnboundedSender<String>,
) {
    let mut buffer = vec![0; 65_536];
    loop {
        let mut text = String::new();
        while !text.contains("\r\n\r\n") {
            match socket.read(&mut buffer).await {
                Ok(0) | Err(_) => return,
                Ok(count) => text.push_str(&String::from_utf8_lossy(&buffer[..count])),
            }
        }
        let _ = heard.send(text);
        match manners {
            Manners::Says(answer) => {
                if socket.write_all(answer.as_bytes()).await.is_err() {
                    return;
                }
            }
            Manners::HangsUp => return,
            Manners::Silent => std::future::pending::<()>().await,
        }
    }
}

fn local() -> HttpClient {
    let settings = HttpSettings {
        allow_private: true,
        total_timeout: Duration::from_millis(500),
        body_cap: 64,
        ..HttpSettings::default()
    };
    HttpClient::new(&settings, Arc::new(TcpDialer)).unwrap()
}

#[tokio::test]
async fn an_answer_arrives_and_the_connection_is_used_again() {
    let (port, mut hears) = server(Manners::Says(
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: application/json\r\n\r\n{}",
    ))
    .await;
    let client = local();
    for _ in 0..2 {
        let request =
            HttpRequest::new(Method::POST, Url::parse(&format!("http://127.0.0.1:{port}/a?b=c")).unwrap())
                .bearer("t0ken")
                .body("application/json", "[]");
        let answer = client.send(request).await.unwrap();
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.body.expose(), b"{}");
        assert!(answer.is_json());
        let heard = hears.recv().await.unwrap();
        assert!(heard.starts_with("POST /a?b=c HTTP/1.1\r\n"));
        assert!(heard.contains("authorization: Bearer t0ken\r\n"));
    }
}

#[tokio::test]
async fn failures_tell_whether_anything_was_sent() {
    let client = local();
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let (hangs_up, _a) = server(Manners::HangsUp).await;
    let (silent, _b) = server(Manners::Silent).await;
    let (garbles, _c) = server(Manners::Says("SMTP nonsense\r\n\r\n")).await;
    let (cut, _d) = server(Manners::Says("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")).await;
    let (large, _e) = server(Manners::Says("HTTP/1.1 200 OK\r\nContent-Length: 65\r\n\r\n")).await;
    let (endless, _f) = server(Manners::Says(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n\
         0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\r\n1\r\nx\r\n",
    ))
    .await;
    for (port, nothing_sent, expected) in [
        (closed, true, "Connect"),
        (hangs_up, false, "Reset"),
        (silent, false, "Timeout"),
        (garbles, false, "Garbled"),
        (cut, false, "Timeout"),
        (large, false, "TooLarge"),
        (endless, false, "TooLarge"),
    ] {
        let mut request = get(&format!("http://127.0.0.1:{port}/secret-path?token=secret"));
        request.method = Method::POST;
        let error = client.send(request.bearer("secret")).await.err().unwrap();
        assert_eq!(error.nothing_sent(), nothing_sent, "{error:?}");
        assert!(format!("{error:?}").contains(expected), "{error:?} is not {expected}");
        assert!(!format!("{error:?} {error}").contains("secret"), "{error:?}");
    }
}

#[tokio::test]
async fn redirects_go_to_listed_hosts_only_and_without_credentials() {
    let (end, mut hears) = server(Manners::Says("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nend")).await;
    let location: &'static str =
        format!("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{end}/\r\nContent-Length: 0\r\n\r\n")
            .leak();
    let (start, _hears) = server(Manners::Says(location)).await;
    let client = local();
    let url = format!("http://localhost:{start}/");

    let plain = client.send(get(&url)).await.unwrap();
    assert_eq!(plain.status, StatusCode::FOUND, "not followed unless asked");

    let mut request = get(&url).bearer("t0ken").only(&Hosts::new(["localhost", "127.0.0.1"]));
    request.redirects = 1;
    assert_eq!(client.send(request).await.unwrap().body.expose(), b"end");
    assert!(!hears.recv().await.unwrap().contains("t0ken"));

    let mut request = get(&url).only(&Hosts::new(["localhost"]));
    request.redirects = 1;
    assert!(matches!(client.send(request).await, Err(HttpError::Blocked { .. })));

    let request = get(&url).only(&Hosts::new(["slack.com"]));
    assert!(matches!(client.send(request).await, Err(HttpError::Blocked { .. })));
}

#[tokio::test]
async fn a_proxy_is_asked_for_a_tunnel_and_exceptions_are_not() {
    // The answer of the proxy is followed by the answer of the server behind the tunnel.
    let (proxy, mut hears) = server(Manners::Says("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")).await;
    let settings = HttpSettings {
        allow_private: true,
        proxy: Some(
            Proxy::parse(&format!("http://ann:p%40ss@127.0.0.1:{proxy}"), vec![".local.test".into()])
                .unwrap(),
        ),
        ..HttpSettings::default()
    };
    let client = HttpClient::new(&settings, Arc::new(TcpDialer)).unwrap();
    let answer = client.send(get("http://slack.example/x")).await.unwrap();
    assert_eq!(answer.status, StatusCode::OK);
    let asked = hears.recv().await.unwrap();
    assert!(asked.starts_with("CONNECT slack.example:80 HTTP/1.1\r\n"), "{asked}");
    assert!(asked.contains("Proxy-Authorization: Basic YW5uOnBAc3M=\r\n"));
    assert!(hears.recv().await.unwrap().starts_with("GET /x HTTP/1.1\r\n"));

    let direct = client.send(get("http://nowhere.local.test:9/")).await;
    assert!(matches!(direct, Err(HttpError::Connect { fault: ConnectFault::Network, .. })));

    let (rude, _hears) = server(Manners::Says("HTTP/1.1 403 Forbidden\r\n\r\n")).await;
    let settings = HttpSettings {
        proxy: Some(Proxy::parse(&format!("http://127.0.0.1:{rude}"), vec![]).unwrap()),
        ..settings
    };
    let client = HttpClient::new(&settings, Arc::new(TcpDialer)).unwrap();
    let refused = client.send(get("http://slack.example/x")).await;
    assert!(matches!(refused, Err(HttpError::Connect { fault: ConnectFault::Proxy, .. })));
}

#[test]
fn hosts_match_exactly_or_below() {
    let hosts = Hosts::new(["slack.com", "*.slack.com", "*"]);
    for (host, allowed) in [
        ("slack.com", true),
        ("SLACK.com", true),
        ("files.slack.com", true),
        ("evilslack.com", false),
        ("slack.com.evil.example", false),
        (".slack.com", false),
        ("", false),
    ] {
        assert_eq!(hosts.allow(host), allowed, "{host}");
    }
}

#[test]
fn settings_that_make_no_sense_are_errors() {
    for url in ["", "proxy:3128", "https://proxy.example:1", "socks5://proxy.example:1"] {
        assert!(Proxy::parse(url, vec![]).is_err(), "{url}");
    }
    let settings = HttpSettings { extra_ca: Some(b"no certificate".to_vec()), ..HttpSettings::default() };
    assert!(matches!(HttpClient::new(&settings, Arc::new(TcpDialer)), Err(SetupError::ExtraCa)));
}

/// A server behind TLS that offers these protocols and answers in HTTP/1, or in HTTP/2 where that was chosen.
async fn tls_server(versions: &[&'static rustls::SupportedProtocolVersion], alpn: &[u8]) -> (u16, Vec<u8>) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = rustls_pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    config.alpn_protocols = vec![alpn.to_vec()];
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut keeper = tokio::task::JoinSet::new();
    keeper.spawn(async move {
        let mut connections = tokio::task::JoinSet::new();
        while let Ok((socket, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            connections.spawn(async move {
                let Ok(stream) = acceptor.accept(socket).await else { return };
                let service =
                    hyper::service::service_fn(|request: http::Request<hyper::body::Incoming>| async move {
                        let version = format!("{:?}", request.version());
                        Ok::<_, std::convert::Infallible>(http::Response::new(http_body_util::Full::new(
                            bytes::Bytes::from(version),
                        )))
                    });
                let builder =
                    hyper_util::server::conn::auto::Builder::new(hyper_util::rt::TokioExecutor::new());
                let _ = builder.serve_connection(hyper_util::rt::TokioIo::new(stream), service).await;
            });
        }
    });
    keeper.detach_all();
    (port, made.cert.pem().into_bytes())
}

async fn over_tls(port: u16, extra_ca: Option<Vec<u8>>) -> Result<Vec<u8>, HttpError> {
    let settings = HttpSettings { allow_private: true, extra_ca, ..HttpSettings::default() };
    let client = HttpClient::new(&settings, Arc::new(TcpDialer)).unwrap();
    let response = client.send(get(&format!("https://localhost:{port}/"))).await?;
    Ok(response.body.expose().to_vec())
}

#[tokio::test]
async fn certificates_are_checked_and_the_best_protocol_is_spoken() {
    use rustls::version::{TLS12, TLS13};
    for (versions, alpn, spoken) in [
        (&[&TLS13][..], &b"h2"[..], "HTTP/2.0"),
        (&[&TLS13][..], b"http/1.1", "HTTP/1.1"),
        (&[&TLS12][..], b"h2", "HTTP/2.0"),
    ] {
        let (port, ca) = tls_server(versions, alpn).await;
        assert_eq!(over_tls(port, Some(ca)).await.unwrap(), spoken.as_bytes());
        let unknown = over_tls(port, None).await;
        assert!(
            matches!(unknown, Err(HttpError::Connect { fault: ConnectFault::Tls, .. })),
            "unknown authority"
        );
    }
    // Another name than the certificate's.
    let (port, ca) = tls_server(&[&TLS13], b"h2").await;
    let settings = HttpSettings { allow_private: true, extra_ca: Some(ca), ..HttpSettings::default() };
    let client = HttpClient::new(&settings, Arc::new(TcpDialer)).unwrap();
    let other = client.send(get(&format!("https://127.0.0.1:{port}/"))).await;
    assert!(matches!(other, Err(HttpError::Connect { fault: ConnectFault::Tls, .. })));
    assert!(client.open(&Url::parse(&format!("wss://127.0.0.1:{port}/")).unwrap(), None).await.is_err());
}

/// Never connects.
struct Nowhere;

#[async_trait]
impl Dialer for Nowhere {
    async fn dial(&self, _: &str, _: u16, _: Reach) -> io::Result<Box<dyn Stream>> {
        std::future::pending().await
    }
}

#[tokio::test]
async fn connecting_has_its_own_limit() {
    let settings = HttpSettings { connect_timeout: Duration::from_millis(20), ..HttpSettings::default() };
    let client = HttpClient::new(&settings, Arc::new(Nowhere)).unwrap();
    let slow = client.send(get("https://slack.com/")).await.err().unwrap();
    assert!(matches!(slow, HttpError::Connect { fault: ConnectFault::Timeout, .. }));
    assert!(slow.nothing_sent());
}
