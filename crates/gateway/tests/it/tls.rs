//! TLS with the operator's own certificate.

use std::path::Path;
use std::sync::Arc;

use dragoman_gateway::http::{Tls, TlsError, TlsFiles};
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::rig::{Rig, read};

fn write(folder: &Path) -> (TlsFiles, CertificateDer<'static>) {
    let made = rcgen::generate_simple_self_signed(["gateway.example".to_owned()]).unwrap();
    let files = TlsFiles { certificate: folder.join("cert.pem"), key: folder.join("key.pem") };
    std::fs::write(&files.certificate, made.cert.pem()).unwrap();
    std::fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
    (files, made.cert.der().clone())
}

fn connector(certificate: &CertificateDer<'static>, protocol: &[u8]) -> TlsConnector {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    TlsConnector::from(Arc::new(config))
}

#[tokio::test]
async fn the_door_speaks_tls_with_the_given_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let (files, certificate) = write(folder.path());
    let rig = Rig::with(|settings| settings.tls = Some(files)).await;
    let name = ServerName::try_from("gateway.example").unwrap();
    let stream = TcpStream::connect(rig.door()).await.unwrap();
    let mut stream = connector(&certificate, b"http/1.1").connect(name.clone(), stream).await.unwrap();
    stream.write_all(b"GET /instance HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    assert_eq!(read(&mut stream).await.status, 200);
    let stream = TcpStream::connect(rig.door()).await.unwrap();
    let stream = connector(&certificate, b"h2").connect(name, stream).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    rig.end().await;
}

#[tokio::test]
async fn who_never_says_hello_is_let_go() {
    let folder = tempfile::tempdir().unwrap();
    let (files, _) = write(folder.path());
    let rig = Rig::with(|settings| {
        settings.tls = Some(files);
        settings.limits.head = std::time::Duration::from_millis(100);
    })
    .await;
    for silence in ["", "\u{16}\u{3}\u{1}", "GET / HTTP/1.1\r\n\r\n"] {
        let mut stream = TcpStream::connect(rig.door()).await.unwrap();
        stream.write_all(silence.as_bytes()).await.unwrap();
        assert_eq!(read(&mut stream).await.status, 0, "{silence:?}");
    }
    rig.end().await;
}

#[tokio::test]
async fn changed_files_are_taken_and_broken_ones_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let (files, _) = write(folder.path());
    let tls = Tls::load(files.clone()).await.unwrap();
    assert!(!tls.reload().await.unwrap(), "nothing changed");
    write(folder.path());
    assert!(tls.reload().await.unwrap());
    assert!(!tls.reload().await.unwrap());
    // Half of a pair was written so far.
    let other = rcgen::generate_simple_self_signed(["gateway.example".to_owned()]).unwrap();
    std::fs::write(&files.key, other.signing_key.serialize_pem()).unwrap();
    assert!(matches!(tls.reload().await, Err(TlsError::Pair(_))));
    std::fs::write(&files.certificate, "nonsense").unwrap();
    assert!(matches!(tls.reload().await, Err(TlsError::Content { what: "certificate", .. })));
    std::fs::remove_file(&files.certificate).unwrap();
    assert!(matches!(tls.reload().await, Err(TlsError::File { .. })));
}
