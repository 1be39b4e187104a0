//! Bodies that are never whole in memory: uploads read while they are sent, answers read as they come.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use dragoman_model::{Random, codes};
use dragoman_seal::Content;
use futures_util::{StreamExt as _, stream};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;

use super::error::{HttpError, LostFault};
use super::exchange::HttpResponse;
use crate::failure::Failure;
use crate::file::{Chunks, FileBytes};

/// What the type is called of which nothing is known.
const ANY_TYPE: &str = "application/octet-stream";

/// How many silent spells a source gets before its reader is given up: its own limit comes first.
const SOURCE_SPELLS: u8 = 3;

/// A request body that is read while it is sent. Content: nothing here is printed or kept.
pub struct Upload {
    pub(super) content_type: HeaderValue,
    length: Option<u64>,
    chunks: Chunks,
}

impl Upload {
    /// The file as the whole body. A `Content-Type` of the request goes before the file's own.
    pub fn raw(bytes: FileBytes) -> Self {
        let content_type = media_type(bytes.media_type.as_deref());
        Self { content_type, length: bytes.size, chunks: Box::pin(Counted::new(bytes).stream()) }
    }

    /// Whether it is known to have no bytes at all.
    pub(super) fn is_empty(&self) -> bool {
        self.length == Some(0)
    }
}

/// The beginning of a `multipart/form-data` body (RFC 7578): text fields, then one file.
pub struct Multipart {
    boundary: String,
    head: Vec<u8>,
}

impl Multipart {
    /// An empty form. Its boundary is random, so that no file can be written that ends its own part.
    pub fn new(random: &dyn Random) -> Self {
        let mut bytes = [0_u8; 16];
        random.fill(&mut bytes);
        let boundary = format!("dragoman-{:032x}", u128::from_be_bytes(bytes));
        Self { boundary, head: Vec::new() }
    }

    /// With a text field.
    #[must_use]
    pub fn field(mut self, name: &str, value: &str) -> Self {
        let disposition = format!("form-data; name=\"{}\"", quoted(name));
        self.part(&disposition, "text/plain; charset=utf-8");
        self.head.extend_from_slice(value.as_bytes());
        self.head.extend_from_slice(b"\r\n");
        self
    }

    /// With the file, which ends it. Its name may hold any characters: quotes and line ends are written as browsers
    /// write them (`%22`, `%0D`, `%0A`), everything else as UTF-8. The length is known when the file's is.
    pub fn file(
        mut self,
        name: &str,
        file_name: &str,
        file_type: Option<&str>,
        bytes: FileBytes,
    ) -> Result<Upload, HttpError> {
        let disposition = format!("form-data; name=\"{}\"; filename=\"{}\"", quoted(name), quoted(file_name));
        let file_type = media_type(file_type.or(bytes.media_type.as_deref()));
        self.part(&disposition, file_type.to_str().unwrap_or(ANY_TYPE));
        let tail = Bytes::from(format!("\r\n--{}--\r\n", self.boundary));
        let head = Bytes::from(self.head);
        let frame = u64::try_from(head.len() + tail.len()).unwrap_or(u64::MAX);
        let file = Counted::new(bytes);
        let length = file.left.map(|size| size.saturating_add(frame));
        let chunks = stream::iter([Ok(head)]).chain(file.stream()).chain(stream::iter([Ok(tail)]));
        let content_type = HeaderValue::try_from(format!("multipart/form-data; boundary={}", self.boundary))
            .map_err(|_| HttpError::Invalid("the boundary is no header text"))?;
        Ok(Upload { content_type, length, chunks: Box::pin(chunks) })
    }

    fn part(&mut self, disposition: &str, content_type: &str) {
        let lines = format!(
            "--{}\r\nContent-Disposition: {disposition}\r\nContent-Type: {content_type}\r\n\r\n",
            self.boundary
        );
        self.head.extend_from_slice(lines.as_bytes());
    }
}

/// A file whose bytes have to be as many as were announced.
struct Counted {
    left: Option<u64>,
    /// Asked once more after its end, which not every stream bears.
    chunks: stream::Fuse<Chunks>,
}

impl Counted {
    fn new(bytes: FileBytes) -> Self {
        Self { left: bytes.size, chunks: bytes.chunks.fuse() }
    }

    /// The chunks, and an error where there are more or fewer bytes than announced. After an error nothing follows,
    /// not the end of a form either: the reader stops there.
    fn stream(self) -> impl stream::Stream<Item = Result<Bytes, Failure>> + Send {
        stream::unfold(Some(self), |state| async move {
            let mut this = state?;
            let next = this.next().await.transpose()?;
            Some(match next {
                Ok(chunk) => (Ok(chunk), Some(this)),
                Err(failure) => (Err(failure), None),
            })
        })
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        let Some(chunk) = self.chunks.next().await.transpose()? else {
            return if self.left.is_some_and(|left| left > 0) { Err(cut_short()) } else { Ok(None) };
        };
        self.take(chunk.len())?;
        // With the last byte announced the connection stops asking, so that what is too much has to be seen before.
        while self.left == Some(0) && !chunk.is_empty() {
            match self.chunks.next().await.transpose()? {
                Some(more) => self.take(more.len())?,
                None => break,
            }
        }
        Ok(Some(chunk))
    }

    fn take(&mut self, count: usize) -> Result<(), Failure> {
        let Some(left) = &mut self.left else { return Ok(()) };
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        *left = left.checked_sub(count).ok_or(Failure::Malformed(codes::MALFORMED))?;
        Ok(())
    }
}

fn cut_short() -> Failure {
    Failure::Retry { after_ms: None, code: codes::NO_ANSWER }
}

fn media_type(stated: Option<&str>) -> HeaderValue {
    let stated = stated.filter(|text| !text.is_empty()).and_then(|text| HeaderValue::from_str(text).ok());
    stated.filter(|value| value.to_str().is_ok()).unwrap_or(HeaderValue::from_static(ANY_TYPE))
}

/// Names in `Content-Disposition`, as the HTML standard's multipart/form-data encoding writes them.
fn quoted(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for sign in name.chars() {
        match sign {
            '"' => out.push_str("%22"),
            '\r' => out.push_str("%0D"),
            '\n' => out.push_str("%0A"),
            sign if sign.is_control() => out.push('_'),
            sign => out.push(sign),
        }
    }
    out
}

/// A response whose body is read as it comes.
pub struct HttpStreamed {
    /// Status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// How long the body will be, where the answer says so.
    pub size: Option<u64>,
    /// The body. What is not read is not fetched; a body that breaks off or falls silent ends in an error.
    pub body: Chunks,
    pub(super) host: String,
    /// How long reading an answer may take.
    pub(super) limit: Duration,
}

impl HttpStreamed {
    /// The body as a file, with the length and the type that the answer states.
    pub fn into_file(self) -> FileBytes {
        let stated = self.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        FileBytes { size: self.size, media_type: stated.map(str::to_owned), chunks: self.body }
    }

    /// Reads the whole body, where it is an answer and no file. At most `cap` bytes, and within the time that any answer
    /// has.
    pub async fn read(self, cap: usize) -> Result<HttpResponse, HttpError> {
        let (limit, host) = (self.limit, self.host.clone());
        let read = tokio::time::timeout(limit, self.read_on(cap)).await;
        read.unwrap_or(Err(HttpError::Lost { host, fault: LostFault::Timeout }))
    }

    async fn read_on(mut self, cap: usize) -> Result<HttpResponse, HttpError> {
        let announced = self.size.map_or(0, |size| usize::try_from(size).unwrap_or(usize::MAX));
        if announced > cap {
            return Err(HttpError::TooLarge { host: self.host, cap });
        }
        let mut bytes = Vec::with_capacity(announced);
        while let Some(chunk) = self.body.next().await {
            let Ok(chunk) = chunk else {
                return Err(HttpError::Lost { host: self.host, fault: LostFault::Reset });
            };
            if bytes.len() + chunk.len() > cap {
                return Err(HttpError::TooLarge { host: self.host, cap });
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(HttpResponse { status: self.status, headers: self.headers, body: Content::new(bytes) })
    }
}

/// The body of an answer as chunks. `idle` is the longest silence while somebody waits for more.
pub(super) fn chunks(body: Incoming, idle: Duration) -> Chunks {
    Box::pin(stream::unfold(Some(body), move |state| async move {
        let mut body = state?;
        loop {
            match tokio::time::timeout(idle, body.frame()).await {
                Err(_) | Ok(Some(Err(_))) => return Some((Err(cut_short()), None)),
                Ok(None) => return None,
                Ok(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) if !data.is_empty() => return Some((Ok(data), Some(body))),
                    _ => {}
                },
            }
        }
    }))
}

/// How far an upload has come: written by the connection, read by who waits for the answer.
#[derive(Default)]
pub(super) struct Meter {
    sent: AtomicU64,
    /// The connection wants more and the file has none yet.
    hungry: AtomicBool,
    whole: AtomicBool,
    failure: Mutex<Option<Failure>>,
}

impl Meter {
    fn fail(&self, failure: Failure) {
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
    }

    /// Why the file could not be read to its end.
    pub(super) fn failure(&self) -> Option<Failure> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the connection has taken the last byte.
    pub(super) fn whole(&self) -> bool {
        self.whole.load(Ordering::Acquire)
    }

    /// Waits for an answer as long as something moves. `None`: it was silent for `idle`.
    pub(super) async fn watch<F: Future>(&self, idle: Duration, answer: F) -> Option<F::Output> {
        let mut answer = pin!(answer);
        let mut seen = 0;
        let mut hungry = 0;
        loop {
            if let Ok(answer) = tokio::time::timeout(idle, &mut answer).await {
                return Some(answer);
            }
            let sent = self.sent.load(Ordering::Acquire);
            if sent != seen {
                (seen, hungry) = (sent, 0);
                continue;
            }
            hungry += 1;
            if !self.hungry.load(Ordering::Acquire) {
                return None;
            }
            if hungry >= SOURCE_SPELLS {
                self.fail(cut_short());
                return None;
            }
        }
    }
}

/// A request's body: bytes, or a file on its way.
pub(super) enum Outgoing {
    Whole(Full<Bytes>),
    Streamed { left: Option<u64>, chunks: Chunks, meter: Arc<Meter> },
}

impl Outgoing {
    pub(super) fn streamed(upload: Upload, meter: Arc<Meter>) -> Self {
        meter.whole.store(upload.is_empty(), Ordering::Release);
        Self::Streamed { left: upload.length, chunks: upload.chunks, meter }
    }
}

/// The file could not be read; the connection is cut. Says nothing: the failure is in the meter.
#[derive(Debug, thiserror::Error)]
#[error("the body broke off")]
pub(super) struct BodyCut;

impl Body for Outgoing {
    type Data = Bytes;
    type Error = BodyCut;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyCut>>> {
        let (left, chunks, meter) = match self.get_mut() {
            Self::Whole(full) => {
                return Pin::new(full).poll_frame(cx).map_err(|never| match never {});
            }
            Self::Streamed { left, chunks, meter } => (left, chunks, meter),
        };
        let next = chunks.poll_next_unpin(cx);
        meter.hungry.store(next.is_pending(), Ordering::Release);
        let Poll::Ready(next) = next else { return Poll::Pending };
        let short = left.is_some_and(|left| left > 0);
        let failure = match next {
            Some(Ok(chunk)) => {
                let count = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
                let rest = left.map(|left| left.checked_sub(count));
                if rest != Some(None) {
                    *left = rest.flatten();
                    meter.sent.fetch_add(count, Ordering::AcqRel);
                    meter.whole.store(*left == Some(0), Ordering::Release);
                    return Poll::Ready(Some(Ok(Frame::data(chunk))));
                }
                Failure::Malformed(codes::MALFORMED)
            }
            Some(Err(failure)) => failure,
            None if short => cut_short(),
            None => {
                meter.whole.store(true, Ordering::Release);
                return Poll::Ready(None);
            }
        };
        meter.whole.store(false, Ordering::Release);
        meter.fail(failure);
        Poll::Ready(Some(Err(BodyCut)))
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(full) => full.is_end_stream(),
            Self::Streamed { left, .. } => *left == Some(0),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(full) => full.size_hint(),
            Self::Streamed { left, .. } => left.map_or_else(SizeHint::default, SizeHint::with_exact),
        }
    }
}
