//! Where a large file comes from and where it goes: a server that makes bytes up and counts bytes, and asks the
//! simulators everything else.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Either, Full};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::clock;
use crate::server::{self, Behind};

/// What a file is made of, over and over.
const PIECE: usize = 256 << 10;
/// The head of a form's part is shorter, in bytes.
const MOST_HEAD: usize = 4 << 10;
/// Every file arrives sooner.
const PATIENCE: Duration = Duration::from_mins(1);

type Answer = Response<Either<Full<Bytes>, Made>>;

/// What is told of a transfer.
enum Told {
    /// The file was asked for.
    Asked(Instant),
    /// A form was read to its end, with a file of so many bytes.
    Taken(Instant, Option<u64>),
}

struct Shared {
    /// The simulators that are asked everything else: source and target.
    behind: Behind<2>,
    size: u64,
    piece: Bytes,
    told: UnboundedSender<Told>,
}

/// The server, on a thread of its own.
pub(crate) struct Depot {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    told: UnboundedReceiver<Told>,
    shared: Arc<Shared>,
}

impl Depot {
    /// Starts it; every file has `size` bytes.
    pub(crate) fn start(size: u64) -> Result<Self> {
        let (sender, told) = unbounded_channel();
        let shared =
            Arc::new(Shared { behind: Behind::new(), size, piece: vec![b'x'; PIECE].into(), told: sender });
        let answering = Arc::clone(&shared);
        let address = server::start("depot", move |request| {
            let shared = Arc::clone(&answering);
            async move { answer(&shared, request).await.unwrap_or_else(|_| broken()) }
        })?;
        Ok(Self { address, told, shared })
    }

    /// Names the simulators that are asked everything else.
    pub(crate) fn before(&self, source: &str, target: &str) -> Result<()> {
        self.shared.behind.name([source, target])
    }

    /// How long the next file takes, in seconds, from the moment it is asked for.
    pub(crate) async fn transfer(&mut self) -> Result<f64> {
        let mut asked = None;
        loop {
            let told = tokio::time::timeout(PATIENCE, self.told.recv()).await;
            match told.context("a file was not relayed")?.context("the depot has ended")? {
                Told::Asked(at) => asked = Some(at),
                Told::Taken(at, bytes) => {
                    let bytes = bytes.context("what came is no form with a file")?;
                    let size = self.shared.size;
                    ensure!(bytes == size, "of a file of {size} bytes {bytes} came");
                    let asked = asked.context("a file came that nobody asked for")?;
                    return Ok(at.duration_since(asked).as_secs_f64());
                }
            }
        }
    }
}

fn broken() -> Answer {
    let mut answer = Response::new(Either::Left(Full::default()));
    *answer.status_mut() = StatusCode::BAD_GATEWAY;
    answer
}

async fn answer(shared: &Shared, request: Request<Incoming>) -> Result<Answer> {
    let path = request.uri().path();
    if request.method() == Method::GET && path.starts_with("/v1/contents/") {
        // Nobody counts any more when this fails.
        let _ = shared.told.send(Told::Asked(clock::now()));
        let made = Made { piece: shared.piece.clone(), left: shared.size };
        let mut answer = Response::new(Either::Right(made));
        let kind = http::HeaderValue::from_static("application/octet-stream");
        answer.headers_mut().insert(header::CONTENT_TYPE, kind);
        return Ok(answer);
    }
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let form = kind.is_some_and(|kind| kind.starts_with("multipart/form-data"));
    let which = usize::from(!path.starts_with("/v1/"));
    if !form || !path.ends_with("/files") {
        return Ok(shared.behind.ask(which, request).await?.map(Either::Left));
    }
    let boundary =
        kind.and_then(|kind| kind.split_once("boundary=")).map(|(_, boundary)| boundary.to_owned());
    let (mut head, mut body) = request.into_parts();
    let (mut bytes, mut begin) = (0, Vec::new());
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        bytes += data.len() as u64;
        begin.extend_from_slice(&data[..data.len().min(MOST_HEAD - begin.len())]);
    }
    let came = clock::now();
    let file = boundary.and_then(|boundary| file_in(&begin, &boundary, bytes));
    let _ = shared.told.send(Told::Taken(came, file));
    // The simulator is given another file in its place, so that there is one to be named.
    head.headers
        .insert(header::CONTENT_TYPE, http::HeaderValue::from_static("multipart/form-data; boundary=b"));
    head.headers.remove(header::CONTENT_LENGTH);
    let form =
        "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.bin\"\r\n\r\nx\r\n--b--\r\n";
    let form = Bytes::from_static(form.as_bytes());
    Ok(shared.behind.ask_with(which, head, form).await?.map(Either::Left))
}

/// How many bytes the file has in a form of so many that begins like this, and holds nothing else.
fn file_in(begin: &[u8], boundary: &str, bytes: u64) -> Option<u64> {
    let end = b"\r\n\r\n";
    let head = begin.windows(end.len()).position(|window| window == end)? + end.len();
    let frame = head + "\r\n----\r\n".len() + boundary.len();
    bytes.checked_sub(frame as u64)
}

/// A file that is made while it is sent, without copying anything.
struct Made {
    piece: Bytes,
    left: u64,
}

impl Body for Made {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        let count = usize::try_from(this.left).unwrap_or(usize::MAX).min(this.piece.len());
        if count == 0 {
            return Poll::Ready(None);
        }
        this.left -= count as u64;
        Poll::Ready(Some(Ok(Frame::data(this.piece.slice(..count)))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use super::file_in;

    #[test]
    fn a_file_is_measured_without_the_form_around_it() {
        let form = b"--b0\r\nContent-Disposition: form-data\r\n\r\n12345\r\n--b0--\r\n";
        assert_eq!(file_in(form, "b0", form.len() as u64), Some(5));
        // Only the head was kept of a larger one.
        assert_eq!(file_in(&form[..44], "b0", form.len() as u64 + 7), Some(12));
        assert_eq!(file_in(b"--b0\r\n", "b0", 1_000), None);
        assert_eq!(file_in(form, "b0", 20), None);
    }
}
