//! The accept loop: HTTP/1 and HTTP/2, with or without TLS, on loopback.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use axum::Router;
use axum::body::Body;
use axum::middleware::map_response;
use axum::response::Response;
use http::HeaderValue;
use http::header::DATE;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::net::BoxIo;
use super::world::{Tasks, World};

/// A handle on the connection that a request came in on; in every request's extensions.
#[derive(Debug, Clone, Default)]
pub struct ConnControl(CancellationToken);

impl ConnControl {
    /// Closes the connection without an answer. The caller should wait with [`std::future::pending`] afterwards.
    pub fn cut(&self) {
        self.0.cancel();
    }
}

/// Certificate chain and key of a server, as PEM text.
#[derive(Clone)]
pub struct ServerTls {
    /// The certificate and what leads to its authority.
    pub chain_pem: String,
    /// The private key.
    pub key_pem: String,
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    scheme: &'static str,
}

impl Server {
    /// Listens and serves until `tasks` is shut down.
    ///
    /// # Errors
    /// When the address is not a loopback one or is taken, or the certificate cannot be read.
    pub async fn start(
        world: &Arc<World>,
        tasks: &Tasks,
        listen: SocketAddr,
        tls: Option<&ServerTls>,
        router: Router,
    ) -> anyhow::Result<Self> {
        let acceptor = tls.map(acceptor).transpose()?;
        let mut listener = world
            .net
            .listen(listen)
            .await
            .with_context(|| format!("the simulator cannot listen on {listen}"))?;
        let address = listener.local_addr()?;
        let clock = Arc::clone(world);
        let router = router.layer(map_response(move |response: Response| {
            let dated = dated(response, clock.clock.seconds());
            std::future::ready(dated)
        }));
        let scheme = if acceptor.is_some() { "https" } else { "http" };
        let connections = tasks.clone();
        tasks.spawn(async move {
            loop {
                let Ok((stream, _peer)) = listener.accept().await else {
                    // Out of descriptors, most likely: others must close first.
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                    continue;
                };
                let router = router.clone();
                let acceptor = acceptor.clone();
                let group = connections.clone();
                connections.spawn(async move {
                    let stream: BoxIo = match acceptor {
                        None => stream,
                        Some(acceptor) => match acceptor.accept(stream).await {
                            Ok(stream) => Box::new(stream),
                            Err(error) => {
                                tracing::debug!(%error, "a TLS handshake with the simulator failed");
                                return;
                            }
                        },
                    };
                    serve(stream, router, group).await;
                });
            }
        });
        Ok(Self { address, scheme })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:PORT` or the same with `https`.
    pub fn base_url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }
}

/// With the world's time instead of that of the machine, which a simulated world knows nothing of.
fn dated(mut response: Response, seconds: i64) -> Response {
    let now = jiff::Timestamp::from_second(seconds).ok();
    let text = now.map(|now| now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string());
    if let Some(value) = text.and_then(|text| HeaderValue::from_str(&text).ok()) {
        response.headers_mut().entry(DATE).or_insert(value);
    }
    response
}

async fn serve(stream: BoxIo, router: Router, group: Tasks) {
    let control = ConnControl::default();
    let cut = control.0.clone();
    let service = tower_fn(router, control);
    let mut builder = Builder::new(GroupExecutor(group));
    builder.http1().timer(TokioTimer::new()).half_close(true);
    builder.http2().timer(TokioTimer::new());
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    tokio::select! {
        // In a fixed order, so that equal runs are equal.
        biased;
        () = cut.cancelled() => {}
        result = connection => {
            if let Err(error) = result {
                tracing::debug!(%error, "a connection to the simulator ended early");
            }
        }
    }
}

fn tower_fn(
    router: Router,
    control: ConnControl,
) -> impl hyper::service::Service<
    http::Request<hyper::body::Incoming>,
    Response = http::Response<Body>,
    Error = std::convert::Infallible,
    Future: Send + 'static,
> + Clone
+ Send
+ 'static {
    let router = TowerToHyperService::new(router);
    ServiceWithControl { router, control }
}

#[derive(Clone)]
struct ServiceWithControl {
    router: TowerToHyperService<Router>,
    control: ConnControl,
}

impl hyper::service::Service<http::Request<hyper::body::Incoming>> for ServiceWithControl {
    type Response = http::Response<Body>;
    type Error = std::convert::Infallible;
    type Future = <TowerToHyperService<Router> as hyper::service::Service<
        http::Request<hyper::body::Incoming>,
    >>::Future;

    fn call(&self, mut request: http::Request<hyper::body::Incoming>) -> Self::Future {
        request.extensions_mut().insert(self.control.clone());
        self.router.call(request)
    }
}

#[derive(Clone)]
struct GroupExecutor(Tasks);

impl<F> hyper::rt::Executor<F> for GroupExecutor
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, future: F) {
        self.0.spawn(async move {
            future.await;
        });
    }
}

fn acceptor(tls: &ServerTls) -> anyhow::Result<TlsAcceptor> {
    let chain = CertificateDer::pem_slice_iter(tls.chain_pem.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .context("the simulator's certificate is not PEM")?;
    let key = PrivateKeyDer::from_pem_slice(tls.key_pem.as_bytes())
        .context("the simulator's private key is not PEM")?;
    let mut config =
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .context("certificate and key of the simulator do not belong together")?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
