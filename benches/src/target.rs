//! What stands at the other end: a server that answers posts at once, and asks the simulator everything else.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

use crate::clock;

/// Where the null server answers.
pub(crate) const NULL: &str = "/null";
/// Ids of messages look like milliseconds since 1970.
const FIRST_ID: u64 = 1_760_000_000_000;

/// Every message arrives sooner.
const PATIENCE: Duration = Duration::from_secs(20);

struct Shared {
    /// The simulator's address, once it runs.
    simulator: Arc<OnceLock<String>>,
    client: Client<HttpConnector, Full<Bytes>>,
    arrivals: UnboundedSender<Instant>,
    ids: AtomicU64,
}

/// The server, on a thread of its own.
pub(crate) struct Target {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// When heads of posted messages came in.
    arrivals: UnboundedReceiver<Instant>,
    simulator: Arc<OnceLock<String>>,
}

impl Target {
    /// Starts it.
    pub(crate) fn start() -> Result<Self> {
        let simulator = Arc::new(OnceLock::new());
        let (sender, arrivals) = unbounded_channel();
        let shared = Arc::new(Shared {
            simulator: Arc::clone(&simulator),
            client: Client::builder(TokioExecutor::new()).build_http(),
            arrivals: sender,
            ids: AtomicU64::new(FIRST_ID),
        });
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::Builder::new().name("target".to_owned()).spawn(move || {
            runtime.block_on(serve(listener, shared));
        })?;
        Ok(Self { address, arrivals, simulator })
    }

    /// When the next message came in.
    pub(crate) async fn arrival(&mut self) -> Result<Instant> {
        let came = tokio::time::timeout(PATIENCE, self.arrivals.recv()).await;
        came.context("a message was not relayed")?.context("the target has ended")
    }

    /// Forgets what came in.
    pub(crate) fn forget(&mut self) {
        while self.arrivals.try_recv().is_ok() {}
    }

    /// Its origin.
    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Names the simulator that is asked everything else.
    pub(crate) fn behind(&self, origin: &str) -> Result<()> {
        self.simulator.set(origin.to_owned()).ok().context("a target has one simulator")
    }
}

async fn serve(listener: std::net::TcpListener, shared: Arc<Shared>) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            let service = service_fn(move |request| {
                let shared = Arc::clone(&shared);
                async move { Ok::<_, Infallible>(answer(&shared, request).await) }
            });
            // How a connection ends is its client's affair.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn answer(shared: &Shared, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let came = clock::now();
    let path = request.uri().path();
    if path == NULL {
        let read = request.into_body().collect().await.is_ok();
        return respond(if read { StatusCode::OK } else { StatusCode::BAD_REQUEST }, Bytes::new());
    }
    if request.method() == Method::POST && path.ends_with("/activities") {
        // Nobody counts any more when this fails.
        let _ = shared.arrivals.send(came);
        let _ = request.into_body().collect().await;
        let id = shared.ids.fetch_add(1, Ordering::Relaxed);
        return respond(StatusCode::CREATED, Bytes::from(format!("{{\"id\":\"{id}\"}}")));
    }
    forward(shared, request).await.unwrap_or_else(|_| respond(StatusCode::BAD_GATEWAY, Bytes::new()))
}

async fn forward(shared: &Shared, request: Request<Incoming>) -> Result<Response<Full<Bytes>>> {
    let origin = shared.simulator.get().context("the simulator does not run yet")?;
    let (head, body) = request.into_parts();
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    let body = body.collect().await?.to_bytes();
    let mut asked =
        Request::builder().method(head.method).uri(format!("{origin}{path}")).body(Full::new(body))?;
    *asked.headers_mut() = head.headers;
    asked.headers_mut().remove(header::HOST);
    let (head, body) = shared.client.request(asked).await?.into_parts();
    let body = body.collect().await?.to_bytes();
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = head.status;
    *answer.headers_mut() = head.headers;
    answer.headers_mut().remove(header::TRANSFER_ENCODING);
    Ok(answer)
}

fn respond(status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    answer
}
