//! How long a connection may take for what it is doing.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use dragoman_platform::http::Stream;
use http_body::{Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::message::Body;
use super::server::Limits;

/// What a connection does and until when it may.
pub(super) struct Pulse {
    limits: Limits,
    state: Mutex<State>,
    changed: Notify,
    /// Makes room for a newer connection.
    pub(super) evict: CancellationToken,
}

struct State {
    requests: usize,
    reading_head: bool,
    streams: bool,
    deadline: Instant,
    /// When the watch over the deadline wakes: by itself it finds out that there is more time, not that there is less.
    watched: Instant,
}

impl Pulse {
    pub(super) fn new(limits: Limits) -> Self {
        let deadline = Instant::now() + limits.head;
        let state = State { requests: 0, reading_head: true, streams: false, deadline, watched: deadline };
        Self { limits, state: Mutex::new(state), changed: Notify::new(), evict: CancellationToken::new() }
    }

    /// Whether nothing would be lost by closing it.
    pub(super) fn is_idle(&self) -> bool {
        self.state().requests == 0
    }

    /// Returns when it took too long for what it is doing.
    pub(super) async fn expired(&self) {
        loop {
            let deadline = {
                let mut state = self.state();
                state.watched = state.deadline;
                state.deadline
            };
            tokio::select! {
                // In a fixed order, so that equal runs are equal.
                biased;
                () = sleep_until(deadline) => {
                    if self.state().deadline <= Instant::now() {
                        return;
                    }
                }
                () = self.changed.notified() => {}
            }
        }
    }

    /// A request's head is complete.
    pub(super) fn begin(self: &Arc<Self>, version: http::Version) -> InFlight {
        let mut state = self.state();
        state.requests += 1;
        state.reading_head = false;
        state.streams |= version == http::Version::HTTP_2;
        self.allow(&mut state, self.limits.answer);
        drop(state);
        InFlight(Arc::clone(self))
    }

    fn bytes_came(&self) {
        let mut state = self.state();
        // On HTTP/2 bytes between requests are mostly pings and window updates.
        if state.requests == 0 && !state.reading_head && !state.streams {
            state.reading_head = true;
            self.allow(&mut state, self.limits.head);
        }
    }

    fn end(&self) {
        let mut state = self.state();
        state.requests -= 1;
        if state.requests == 0 {
            self.allow(&mut state, self.limits.idle);
        }
    }

    fn allow(&self, state: &mut State, time: Duration) {
        state.deadline = Instant::now() + time;
        if state.deadline < state.watched {
            self.changed.notify_one();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request whose answer is not complete.
pub(super) struct InFlight(Arc<Pulse>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// An answer's body that ends its request when it ends.
pub(super) struct Held {
    inner: Body,
    _request: InFlight,
}

impl Held {
    pub(super) fn new(inner: Body, request: InFlight) -> Self {
        Self { inner, _request: request }
    }
}

impl http_body::Body for Held {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Pin::new(&mut self.inner).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// A stream that reports when bytes come in.
pub(super) struct Watched {
    pub(super) stream: Box<dyn Stream>,
    pub(super) pulse: Arc<Pulse>,
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.pulse.bytes_came();
        }
        read
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

/// The next frame of a request's body.
pub(super) async fn next_frame(
    body: &mut hyper::body::Incoming,
) -> Option<Result<Frame<Bytes>, hyper::Error>> {
    poll_fn(|cx| http_body::Body::poll_frame(Pin::new(&mut *body), cx)).await
}
