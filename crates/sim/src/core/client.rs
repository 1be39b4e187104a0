//! The outbound HTTP client that deliveries use: one connection per request, answers capped.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio_rustls::TlsConnector;
use url::Url;

use super::net::BoxIo;
use super::world::{Tasks, World};

const ANSWER_CAP: usize = 16 * 1024 * 1024;

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// Body, at most 4 MiB.
    pub body: Bytes,
}

/// Why nothing came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The address is not an absolute http or https URL.
    #[error("the URL is not an absolute http or https URL")]
    Url,
    /// No connection could be made.
    #[error("no connection could be made")]
    Connect,
    /// The TLS handshake failed, for example because the certificate's authority is not known.
    #[error("the TLS handshake failed")]
    Tls,
    /// The connection ended before the answer was complete.
    #[error("the connection ended before the answer was complete")]
    Reset,
    /// The answer took longer than allowed.
    #[error("the answer took longer than allowed")]
    Timeout,
}

/// An HTTP client on the world's network.
#[derive(Clone)]
pub struct HttpClient {
    world: Arc<World>,
    tasks: Tasks,
    tls: TlsConnector,
}

impl HttpClient {
    /// A client that trusts the given authorities (PEM) for https.
    ///
    /// # Errors
    /// When the authorities are not readable PEM certificates.
    pub fn new(world: &Arc<World>, tasks: &Tasks, trusted_pem: Option<&str>) -> anyhow::Result<Self> {
        let mut roots = rustls::RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(trusted_pem.unwrap_or_default().as_bytes()) {
            roots.add(certificate.context("a trusted certificate is not PEM")?)?;
        }
        let config = rustls::ClientConfig::builder_with_provider(Arc::new(
            rustls::crypto::aws_lc_rs::default_provider(),
        ))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
        Ok(Self { world: Arc::clone(world), tasks: tasks.clone(), tls: TlsConnector::from(Arc::new(config)) })
    }

    /// Sends one request and reads the whole answer within `within`.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn request(
        &self,
        method: Method,
        url: &str,
        headers: HeaderMap,
        body: Bytes,
        within: Duration,
    ) -> Result<Answer, CallError> {
        tokio::time::timeout(within, self.exchange(method, url, headers, body))
            .await
            .unwrap_or(Err(CallError::Timeout))
    }

    async fn exchange(
        &self,
        method: Method,
        url: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Answer, CallError> {
        let url = Url::parse(url).map_err(|_| CallError::Url)?;
        let host = url.host_str().ok_or(CallError::Url)?;
        let port = url.port_or_known_default().ok_or(CallError::Url)?;
        let stream = self.world.net.connect(host, port).await.map_err(|_| CallError::Connect)?;
        let stream: BoxIo = match url.scheme() {
            "http" => stream,
            "https" => {
                let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
                let name = ServerName::try_from(bare).map_err(|_| CallError::Url)?;
                Box::new(self.tls.connect(name, stream).await.map_err(|_| CallError::Tls)?)
            }
            _ => return Err(CallError::Url),
        };
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|_| CallError::Reset)?;
        self.tasks.spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a delivery connection ended early");
            }
        });
        let path = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        let authority = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        let mut request = http::Request::builder()
            .method(method)
            .uri(path)
            .header(http::header::HOST, authority)
            .header(http::header::CONNECTION, "close")
            .body(Full::new(body))
            .map_err(|_| CallError::Url)?;
        request.headers_mut().extend(headers);
        let response = sender.send_request(request).await.map_err(|_| CallError::Reset)?;
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, ANSWER_CAP).collect().await.map_err(|_| CallError::Reset)?.to_bytes();
        Ok(Answer { status: parts.status, headers: parts.headers, body })
    }
}
