//! The accept loop: connection cap, TLS, limits, admission by bytes in flight, orderly shutdown.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use dragoman_platform::http::Stream;
use http::header::{CONNECTION, CONTENT_ENCODING};
use http::{HeaderValue, StatusCode};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connection::{Held, Pulse, Watched, next_frame};
use super::listener::Listener;
use super::message::{Answer, Handler, Request, respond, unavailable};
use super::peer::TrustedProxies;
use super::tls::Tls;

/// What clients may use up.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections open at once. One more closes the oldest that is not in the middle of a request.
    pub connections: usize,
    /// Bytes of bodies held at once, from the first byte to the answer.
    pub bytes_in_flight: u32,
    /// From the first byte of a head (or the opening of the connection, or of TLS) to the end of the head.
    pub head: Duration,
    /// From the end of the head to the end of the body.
    pub body: Duration,
    /// From the end of the head to the end of the answer.
    pub answer: Duration,
    /// Between two requests.
    pub idle: Duration,
    /// How long shutdown waits for requests under way.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 2048,
            bytes_in_flight: 64 << 20,
            head: Duration::from_secs(5),
            body: Duration::from_secs(5),
            answer: Duration::from_secs(30),
            idle: Duration::from_secs(75),
            drain: Duration::from_secs(5),
        }
    }
}

/// The largest head of a request, in bytes.
const HEAD_CAP: usize = 32 << 10;

/// What a server is doing, for metrics.
#[derive(Default)]
pub struct Meter {
    /// Open connections.
    connections: AtomicU64,
    /// Bodies held, in bytes.
    bytes: AtomicU64,
    /// Requests turned away because too many bytes were in flight.
    turned_away: AtomicU64,
    /// Connections closed to make room, or because they were too slow.
    cut: AtomicU64,
}

impl Meter {
    /// Open connections.
    pub fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }

    /// Bodies held, in bytes.
    pub fn bytes_in_flight(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Requests turned away since the start.
    pub fn turned_away(&self) -> u64 {
        self.turned_away.load(Ordering::Relaxed)
    }

    /// Connections cut since the start.
    pub fn cut(&self) -> u64 {
        self.cut.load(Ordering::Relaxed)
    }
}

/// A server on one listener.
pub struct Server {
    /// Where connections come from.
    pub listener: Arc<dyn Listener>,
    /// TLS, unless somebody else does it.
    pub tls: Option<Tls>,
    /// Limits.
    pub limits: Limits,
    /// Proxies that are believed.
    pub proxies: TrustedProxies,
    /// What is served.
    pub handler: Arc<dyn Handler>,
    /// Figures.
    pub meter: Arc<Meter>,
    /// What shutdown waits for.
    pub tasks: TaskTracker,
    /// Ends it.
    pub stop: CancellationToken,
}

impl Server {
    /// Serves until cancelled. Returns when no connection is accepted any more and all that were have been
    /// told to end.
    pub async fn run(self) {
        let shared = Arc::new(Shared {
            budget: Arc::new(Semaphore::new(self.limits.bytes_in_flight as usize)),
            tls: self.tls,
            limits: self.limits,
            proxies: self.proxies,
            handler: self.handler,
            meter: self.meter,
            tasks: self.tasks,
            stop: self.stop,
            open: Mutex::default(),
        });
        if let Some(tls) = shared.tls.clone() {
            let stop = shared.stop.clone();
            shared.tasks.spawn(async move { tls.follow(stop).await });
        }
        let mut number = 0_u64;
        while let Some(accepted) = shared.stop.run_until_cancelled(self.listener.accept()).await {
            match accepted {
                Ok((stream, from)) => {
                    number += 1;
                    let pulse = shared.admit(number);
                    let shared = Arc::clone(&shared);
                    shared.tasks.clone().spawn(async move {
                        shared.connection(stream, from, &pulse).await;
                        shared.forget(number);
                    });
                }
                Err(error) => {
                    // Most often the descriptors are used up: room is made, and the others get on meanwhile.
                    tracing::warn!(%error, "a connection could not be accepted");
                    shared.make_room();
                    sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }
}

struct Shared {
    budget: Arc<Semaphore>,
    tls: Option<Tls>,
    limits: Limits,
    proxies: TrustedProxies,
    handler: Arc<dyn Handler>,
    meter: Arc<Meter>,
    tasks: TaskTracker,
    stop: CancellationToken,
    open: Mutex<BTreeMap<u64, Arc<Pulse>>>,
}

/// Spawns what hyper spawns where shutdown sees it.
#[derive(Clone)]
struct Tracked(TaskTracker);

impl<F> hyper::rt::Executor<F> for Tracked
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, future: F) {
        self.0.spawn(future);
    }
}

impl Shared {
    fn admit(&self, number: u64) -> Arc<Pulse> {
        let pulse = Arc::new(Pulse::new(self.limits));
        let full = {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            open.insert(number, Arc::clone(&pulse));
            self.meter.connections.store(open.len() as u64, Ordering::Relaxed);
            open.len() > self.limits.connections
        };
        if full {
            self.make_room();
        }
        pulse
    }

    fn forget(&self, number: u64) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.remove(&number);
        self.meter.connections.store(open.len() as u64, Ordering::Relaxed);
    }

    /// Closes the oldest connection that is not in the middle of a request; whoever is slow is the oldest.
    fn make_room(&self) {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let oldest = open.values().find(|pulse| pulse.is_idle() && !pulse.evict.is_cancelled());
        if let Some(oldest) = oldest {
            oldest.evict.cancel();
        }
    }

    async fn connection(self: &Arc<Self>, stream: Box<dyn Stream>, from: Option<IpAddr>, pulse: &Arc<Pulse>) {
        let stream = match &self.tls {
            None => stream,
            Some(tls) => {
                let handshake = timeout(self.limits.head, tls.acceptor().accept(stream));
                match pulse.evict.run_until_cancelled(handshake).await {
                    Some(Ok(Ok(stream))) => Box::new(stream) as Box<dyn Stream>,
                    _ => return self.cut(),
                }
            }
        };
        let io = TokioIo::new(Watched { stream, pulse: Arc::clone(pulse) });
        let builder = self.builder();
        let service = service_fn(|request| {
            let shared = Arc::clone(self);
            let pulse = Arc::clone(pulse);
            async move { Ok::<_, Infallible>(shared.serve(request, from, &pulse).await) }
        });
        let connection = builder.serve_connection(io, service);
        tokio::pin!(connection);
        let mut end = None;
        loop {
            tokio::select! {
                // In a fixed order, so that equal runs are equal.
                biased;
                // A client that breaks off, or sends what is not HTTP, is no news.
                _ = connection.as_mut() => return,
                () = pulse.expired() => return self.cut(),
                () = pulse.evict.cancelled() => return self.cut(),
                () = self.stop.cancelled(), if end.is_none() => {
                    connection.as_mut().graceful_shutdown();
                    end = Some(Instant::now() + self.limits.drain);
                }
                () = until(end) => return self.cut(),
            }
        }
    }

    fn cut(&self) {
        self.meter.cut.fetch_add(1, Ordering::Relaxed);
    }

    fn builder(&self) -> Builder<Tracked> {
        let mut builder = Builder::new(Tracked(self.tasks.clone()));
        builder.http1().timer(TokioTimer::new()).header_read_timeout(None).max_buf_size(HEAD_CAP);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(64)
            .max_header_list_size(16 << 10)
            .max_pending_accept_reset_streams(20)
            .max_local_error_reset_streams(64)
            .initial_stream_window_size(64 << 10)
            .initial_connection_window_size(1 << 20)
            .max_send_buf_size(64 << 10)
            .keep_alive_interval(Duration::from_secs(20))
            .keep_alive_timeout(Duration::from_secs(10));
        builder
    }

    async fn serve(
        &self,
        request: hyper::Request<Incoming>,
        from: Option<IpAddr>,
        pulse: &Arc<Pulse>,
    ) -> http::Response<Held> {
        let in_flight = pulse.begin(request.version());
        let answer = self.answer(request, from).await;
        answer.map(|body| Held::new(body, in_flight))
    }

    async fn answer(&self, request: hyper::Request<Incoming>, from: Option<IpAddr>) -> Answer {
        let (head, body) = request.into_parts();
        let Some(cap) = self.handler.body_cap(&head.method, head.uri.path()) else {
            return refuse(StatusCode::NOT_FOUND);
        };
        // A small compressed body may be a large one; no platform compresses what it sends.
        if head.headers.get(CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
            return refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE);
        }
        let (body, _held) = match timeout(self.limits.body, self.read(body, cap)).await {
            Ok(Ok(read)) => read,
            Ok(Err(StatusCode::SERVICE_UNAVAILABLE)) => return closing(unavailable()),
            Ok(Err(status)) => return refuse(status),
            Err(_) => return refuse(StatusCode::REQUEST_TIMEOUT),
        };
        let peer = self.proxies.peer(from, self.tls.is_some(), &head.headers);
        let request = Request {
            method: head.method,
            path: head.uri.path().to_owned(),
            query: head.uri.query().map(str::to_owned),
            headers: head.headers,
            body,
            peer,
        };
        self.handler.handle(request).await
    }

    /// The whole body, and the right to hold it.
    async fn read(&self, mut body: Incoming, cap: usize) -> Result<(Bytes, Reserved), StatusCode> {
        let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
        if announced > cap {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        let mut held = Reserved { permit: None, meter: Arc::clone(&self.meter), bytes: 0 };
        self.reserve(&mut held, announced)?;
        let mut bytes = BytesMut::with_capacity(announced);
        while let Some(frame) = next_frame(&mut body).await {
            let frame = frame.map_err(|_| StatusCode::BAD_REQUEST)?;
            if let Some(data) = frame.data_ref() {
                if bytes.len() + data.len() > cap {
                    return Err(StatusCode::PAYLOAD_TOO_LARGE);
                }
                let missing = (bytes.len() + data.len()).saturating_sub(held.bytes);
                self.reserve(&mut held, missing)?;
                bytes.extend_from_slice(data);
            }
        }
        Ok((bytes.freeze(), held))
    }

    fn reserve(&self, held: &mut Reserved, more: usize) -> Result<(), StatusCode> {
        if more == 0 {
            return Ok(());
        }
        let permits = u32::try_from(more).unwrap_or(u32::MAX);
        let Ok(permit) = Arc::clone(&self.budget).try_acquire_many_owned(permits) else {
            self.meter.turned_away.fetch_add(1, Ordering::Relaxed);
            return Err(StatusCode::SERVICE_UNAVAILABLE);
        };
        match &mut held.permit {
            Some(held) => held.merge(permit),
            None => held.permit = Some(permit),
        }
        held.bytes += more;
        self.meter.bytes.fetch_add(more as u64, Ordering::Relaxed);
        Ok(())
    }
}

/// Bytes of a body that count as in flight.
struct Reserved {
    permit: Option<OwnedSemaphorePermit>,
    meter: Arc<Meter>,
    bytes: usize,
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.meter.bytes.fetch_sub(self.bytes as u64, Ordering::Relaxed);
    }
}

fn refuse(status: StatusCode) -> Answer {
    closing(respond(status, "text/plain; charset=utf-8", Bytes::new()))
}

/// What is left of the body is not read.
fn closing(mut answer: Answer) -> Answer {
    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    answer
}

async fn until(end: Option<Instant>) {
    match end {
        Some(end) => sleep_until(end).await,
        None => std::future::pending().await,
    }
}
