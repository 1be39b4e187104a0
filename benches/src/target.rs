//! What stands at the other end: a server that answers posts at once, and asks the simulator everything else.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::clock;
use crate::server::{self, Behind};

/// Where the null server answers.
pub(crate) const NULL: &str = "/null";
/// Ids of messages look like milliseconds since 1970.
const FIRST_ID: u64 = 1_760_000_000_000;

/// Every message arrives sooner.
const PATIENCE: Duration = Duration::from_secs(20);

struct Shared {
    /// The simulator.
    behind: Behind<1>,
    arrivals: UnboundedSender<Instant>,
    ids: AtomicU64,
}

/// The server, on a thread of its own.
pub(crate) struct Target {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// When heads of posted messages came in.
    arrivals: UnboundedReceiver<Instant>,
    shared: Arc<Shared>,
}

impl Target {
    /// Starts it.
    pub(crate) fn start() -> Result<Self> {
        let (sender, arrivals) = unbounded_channel();
        let shared =
            Arc::new(Shared { behind: Behind::new(), arrivals: sender, ids: AtomicU64::new(FIRST_ID) });
        let answering = Arc::clone(&shared);
        let address = server::start("target", move |request| {
            let shared = Arc::clone(&answering);
            async move { answer(&shared, request).await }
        })?;
        Ok(Self { address, arrivals, shared })
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
        self.shared.behind.name([origin])
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
    let answer = shared.behind.ask(0, request).await;
    answer.unwrap_or_else(|_| respond(StatusCode::BAD_GATEWAY, Bytes::new()))
}

fn respond(status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    answer
}
