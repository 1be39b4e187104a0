//! Simulators under names that are not theirs, through the proxy, with a throw-away authority.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use dragoman_sim::core::{Authority, HostTable, Proxy, Server, World};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

struct Stage {
    world: Arc<World>,
    proxy: Proxy,
    authority: String,
    server: SocketAddr,
}

async fn stage() -> Stage {
    let world = World::real(5);
    let authority = Authority::new(&world).unwrap();
    let tls = authority.certificate(["chat.example", "*.chat.example", "127.0.0.1"]).unwrap();
    let router = Router::new().route("/whoami", get(async || "the simulator"));
    let server = Server::start(&world, &world.tasks, ANY, Some(&tls), router).await.unwrap();
    let mut hosts = HostTable::default();
    hosts.add(["chat.example", "*.chat.example"], server.address());
    let proxy = Proxy::start(&world, &world.tasks, ANY, hosts).await.unwrap();
    Stage { authority: authority.pem().to_owned(), server: server.address(), proxy, world }
}

/// What the proxy answers to the first line of a request.
async fn asked(stage: &Stage, line: &str) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(stage.proxy.address()).await.unwrap();
    stream.write_all(format!("{line}\r\nHost: x\r\n\r\n").as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let status = String::from_utf8(head).unwrap().lines().next().unwrap_or_default().to_owned();
    (stream, status)
}

/// Fetches `/whoami` over TLS; `None` when the handshake fails.
async fn fetch(stage: &Stage, stream: TcpStream, name: &str) -> Option<String> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(stage.authority.as_bytes()).unwrap()).unwrap();
    let config =
        rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.ok()?;
    let request = "GET /whoami HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // The end of the connection may come without TLS's own goodbye.
    let _ = stream.read_to_end(&mut answer).await;
    Some(String::from_utf8(answer).unwrap())
}

#[tokio::test]
async fn names_of_the_table_lead_to_the_simulator_with_a_certificate_that_fits() {
    let stage = stage().await;
    assert_eq!(stage.proxy.url(), format!("http://{}", stage.proxy.address()));
    for name in ["chat.example", "files.chat.example"] {
        let (stream, status) = asked(&stage, &format!("CONNECT {name}:443 HTTP/1.1")).await;
        assert!(status.contains(" 200 "), "{name}: {status}");
        let answer = fetch(&stage, stream, name).await.expect(name);
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("the simulator"), "{answer}");
    }
    // This machine's servers are reached as they are.
    let (stream, status) = asked(&stage, &format!("CONNECT {} HTTP/1.1", stage.server)).await;
    assert!(status.contains(" 200 "), "{status}");
    assert!(fetch(&stage, stream, "127.0.0.1").await.is_some());
    // Another name than those of the certificate is not believed.
    let (stream, _) = asked(&stage, "CONNECT chat.example:443 HTTP/1.1").await;
    assert!(fetch(&stage, stream, "chat.example.org").await.is_none());
    stage.world.tasks.shutdown().await;
}

#[tokio::test]
async fn nothing_else_is_reached() {
    let stage = stage().await;
    for (line, wanted) in [
        ("CONNECT elsewhere.example:443 HTTP/1.1", " 403 "),
        ("CONNECT 192.0.2.1:443 HTTP/1.1", " 403 "),
        ("CONNECT chat.example HTTP/1.1", " 400 "),
        ("GET http://chat.example/whoami HTTP/1.1", " 405 "),
        ("CONNECT 127.0.0.1:1 HTTP/1.1", " 502 "),
    ] {
        let (mut stream, status) = asked(&stage, line).await;
        assert!(status.contains(wanted), "{line}: {status}");
        let mut rest = String::new();
        stream.read_to_string(&mut rest).await.unwrap();
        assert!(rest.contains("leads to simulators only"), "{rest}");
    }
    let far = SocketAddr::from(([192, 0, 2, 1], 0));
    assert!(Proxy::start(&stage.world, &stage.world.tasks, far, HostTable::default()).await.is_err());
    stage.world.tasks.shutdown().await;
}
