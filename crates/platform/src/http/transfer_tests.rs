//! Uploads and downloads against servers that speak bytes.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use dragoman_model::{Code, Outcome, Random, codes};
use futures_util::{StreamExt as _, stream};
use http::{Method, StatusCode};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use url::Url;

use super::*;
use crate::failure::Failure;
use crate::file::FileBytes;

const MIB: usize = 1 << 20;

/// A server for one connection.
async fn serve<F, T>(talk: impl FnOnce(TcpStream) -> F + Send + 'static) -> (Url, JoinHandle<T>)
where
    F: Future<Output = T> + Send,
    T: Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://127.0.0.1:{}/", listener.local_addr().unwrap().port());
    let task = tokio::task::spawn_blocking(move || {
        tokio::runtime::Handle::current().block_on(async move {
            let (socket, _) = listener.accept().await.unwrap();
            talk(socket).await
        })
    });
    (url.parse().unwrap(), task)
}

/// Reads a head; gives it and what came behind it already. What breaks off is as short as it came.
async fn head(socket: &mut TcpStream) -> (String, Vec<u8>) {
    let mut read = Vec::new();
    loop {
        if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            let rest = read.split_off(end + 4);
            return (String::from_utf8(read).unwrap(), rest);
        }
        if !matches!(socket.read_buf(&mut read).await, Ok(count) if count > 0) {
            return (String::from_utf8(read).unwrap(), Vec::new());
        }
    }
}

/// Takes an upload whole and answers; gives head and body. A body that breaks off stays as short as it came.
async fn take(mut socket: TcpStream) -> (String, Vec<u8>) {
    let (head, mut body) = head(&mut socket).await;
    let length =
        head.split("content-length: ").nth(1).map(|rest| rest.lines().next().unwrap().parse().unwrap());
    loop {
        let all = match length {
            Some(length) => body.len() >= length,
            None => body.ends_with(b"0\r\n\r\n"),
        };
        if all {
            let _ = socket.write_all(b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}").await;
            return (head, body);
        }
        if !matches!(socket.read_buf(&mut body).await, Ok(count) if count > 0) {
            return (head, body);
        }
    }
}

fn client(idle_ms: u64) -> HttpClient {
    let settings = HttpSettings {
        allow_private: true,
        total_timeout: Duration::from_millis(idle_ms),
        body_cap: 64,
        ..HttpSettings::default()
    };
    HttpClient::new(&settings, Arc::new(TcpDialer)).unwrap()
}

fn post(url: &Url) -> HttpRequest {
    HttpRequest::new(Method::POST, url.clone())
}

fn file(size: Option<usize>, chunks: Vec<Result<Bytes, Failure>>) -> FileBytes {
    FileBytes {
        size: size.map(|size| u64::try_from(size).unwrap()),
        media_type: Some("image/png".to_owned()),
        chunks: Box::pin(stream::iter(chunks)),
    }
}

fn parts(texts: &[&'static str]) -> Vec<Result<Bytes, Failure>> {
    texts.iter().map(|text| Ok(Bytes::from_static(text.as_bytes()))).collect()
}

fn retry(code: Code) -> Failure {
    Failure::Retry { after_ms: None, code }
}

struct Fixed;

impl Random for Fixed {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(0xab);
    }
}

#[tokio::test]
async fn an_upload_states_its_length_where_that_is_known_and_is_chunked_where_it_is_not() {
    for (size, stated, body) in [
        (Some(9), "content-length: 9\r\n", "onetwosix"),
        (None, "transfer-encoding: chunked\r\n", "3\r\none\r\n3\r\ntwo\r\n3\r\nsix\r\n0\r\n\r\n"),
    ] {
        let (url, server) = serve(take).await;
        let bytes = file(size, parts(&["one", "two", "six"]));
        let answer =
            client(10_000).transfer(post(&url).bearer("t0ken"), Some(Upload::raw(bytes))).await.unwrap();
        assert_eq!((answer.status, answer.size), (StatusCode::CREATED, Some(2)));
        assert_eq!(answer.read(64).await.unwrap().body.expose(), b"{}");
        let (head, sent) = server.await.unwrap();
        assert!(head.contains(stated) && head.contains("content-type: image/png\r\n"), "{head}");
        assert!(head.contains("authorization: Bearer t0ken\r\n"), "{head}");
        assert_eq!(String::from_utf8(sent).unwrap(), body);
    }
}

#[tokio::test]
async fn an_empty_file_is_an_upload_too() {
    let (url, server) = serve(take).await;
    let answer = client(10_000).transfer(post(&url), Some(Upload::raw(file(Some(0), vec![])))).await.unwrap();
    assert_eq!(answer.status, StatusCode::CREATED);
    assert_eq!(server.await.unwrap().1, b"");
}

#[tokio::test]
async fn a_form_is_well_formed_whatever_the_file_is_called() {
    let (url, server) = serve(take).await;
    let form = Multipart::new(&Fixed).field("roomId", "r\u{f6}om").field("text", "a\r\n--b");
    let name = "x\"; filename=\"y\r\nContent-Type: text/html\r\n\r\n\u{7}\u{1F600}\\.png";
    let upload =
        form.file("files", name, Some("image/\u{1}"), file(Some(6), parts(&["by", "tes!"]))).unwrap();
    client(10_000).transfer(post(&url), Some(upload)).await.unwrap();
    let (head, body) = server.await.unwrap();
    let boundary = format!("dragoman-{}", "ab".repeat(16));
    assert!(head.contains(&format!("content-type: multipart/form-data; boundary={boundary}\r\n")), "{head}");
    let expected = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"roomId\"\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n\
         r\u{f6}om\r\n\
         --{boundary}\r\nContent-Disposition: form-data; name=\"text\"\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n\
         a\r\n--b\r\n\
         --{boundary}\r\nContent-Disposition: form-data; name=\"files\"; \
         filename=\"x%22; filename=%22y%0D%0AContent-Type: text/html%0D%0A%0D%0A_\u{1F600}\\.png\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n\
         bytes!\r\n--{boundary}--\r\n"
    );
    assert_eq!(String::from_utf8(body).unwrap(), expected);
    assert!(head.contains(&format!("content-length: {}\r\n", expected.len())), "{head}");
}

#[tokio::test]
async fn a_file_that_cannot_be_read_to_its_announced_end_is_never_posted() {
    let broken = || Err(retry(codes::UNREACHABLE));
    let cases = [
        (Some(9), [parts(&["one"]), vec![broken()]].concat(), retry(codes::UNREACHABLE)),
        (None, [parts(&["one"]), vec![broken()]].concat(), retry(codes::UNREACHABLE)),
        (Some(9), parts(&["one", "two"]), retry(codes::NO_ANSWER)),
        (Some(4), parts(&["one", "two"]), Failure::Malformed(codes::MALFORMED)),
        (Some(3), parts(&["one", "two"]), Failure::Malformed(codes::MALFORMED)),
    ];
    for (size, chunks, expected) in cases {
        for form in [false, true] {
            let (url, server) = serve(take).await;
            let bytes = file(size, chunks.clone());
            let upload = if form {
                Multipart::new(&Fixed).file("file", "n", None, bytes).unwrap()
            } else {
                Upload::raw(bytes)
            };
            let error = client(10_000).transfer(post(&url), Some(upload)).await.err().unwrap();
            assert_eq!(error, HttpError::Source(expected.clone()));
            assert!(error.nothing_sent());
            assert!(!matches!(error.into_send_outcome(), Outcome::Unknown(_)));
            let (head, body) = server.await.unwrap();
            let length = format!("content-length: {}\r\n", body.len());
            let whole = body.ends_with(b"0\r\n\r\n") || body.ends_with(b"--\r\n") || head.contains(&length);
            assert!(!whole, "{head} {}", String::from_utf8_lossy(&body));
        }
    }
}

/// A file of 256 MiB that counts what is read of it.
fn long(read: &Arc<AtomicUsize>) -> FileBytes {
    let read = read.clone();
    let chunk = Bytes::from(vec![7; MIB / 4]);
    let chunks = stream::repeat(chunk).take(1024).map(move |chunk| {
        read.fetch_add(chunk.len(), Ordering::SeqCst);
        Ok(chunk)
    });
    FileBytes { size: Some(256 << 20), media_type: None, chunks: Box::pin(chunks) }
}

#[tokio::test]
async fn a_host_that_takes_nothing_is_given_nothing_and_half_an_upload_is_none() {
    let (url, server) = serve(|mut socket| async move {
        head(&mut socket).await;
        socket
    })
    .await;
    let read = Arc::new(AtomicUsize::new(0));
    let error = client(300).transfer(post(&url), Some(Upload::raw(long(&read)))).await.err().unwrap();
    assert!(matches!(error, HttpError::Cut { fault: LostFault::Timeout, .. }), "{error}");
    assert!(matches!(error.into_send_outcome(), Outcome::Retry { .. }));
    // What the kernel's buffers take, no more.
    assert!(read.load(Ordering::SeqCst) < 32 * MIB, "{}", read.load(Ordering::SeqCst));
    drop(server.await.unwrap());

    let (url, server) = serve(|mut socket| async move { head(&mut socket).await }).await;
    let error = client(10_000).transfer(post(&url), Some(Upload::raw(long(&read)))).await.err().unwrap();
    assert!(matches!(error, HttpError::Cut { fault: LostFault::Reset, .. }), "{error}");
    server.await.unwrap();

    // Taken whole, no answer: nobody knows.
    let (url, server) = serve(|mut socket| async move {
        let (_, mut body) = head(&mut socket).await;
        while body.len() < 3 {
            socket.read_buf(&mut body).await.unwrap();
        }
    })
    .await;
    let upload = Upload::raw(file(Some(3), parts(&["one"])));
    let error = client(10_000).transfer(post(&url), Some(upload)).await.err().unwrap();
    assert!(matches!(error, HttpError::Lost { fault: LostFault::Reset, .. }), "{error}");
    assert!(matches!(error.into_send_outcome(), Outcome::Unknown(_)));
    server.await.unwrap();
}

#[tokio::test]
async fn what_moves_has_time_and_what_is_silent_has_not() {
    const IDLE: u64 = 1_500;
    // A source with pauses that are together longer than the limit.
    let slow = stream::iter(0..5).then(|_| async {
        tokio::time::sleep(Duration::from_millis(IDLE / 3)).await;
        Ok(Bytes::from_static(b"x"))
    });
    let (url, server) = serve(take).await;
    let bytes = FileBytes { size: Some(5), media_type: None, chunks: Box::pin(slow) };
    let answer = client(IDLE).transfer(post(&url), Some(Upload::raw(bytes))).await.unwrap();
    assert_eq!((answer.status, server.await.unwrap().1.len()), (StatusCode::CREATED, 5));

    // A source that never goes on: its fault, and nothing was posted.
    let (url, server) = serve(take).await;
    let bytes = FileBytes { size: Some(5), media_type: None, chunks: Box::pin(stream::pending()) };
    let error = client(100).transfer(post(&url), Some(Upload::raw(bytes))).await.err().unwrap();
    assert_eq!(error, HttpError::Source(retry(codes::NO_ANSWER)));
    server.await.unwrap();

    // An answer in pieces, then one that falls silent.
    let (url, server) = serve(|mut socket| async move {
        head(&mut socket).await;
        socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n").await.unwrap();
        for _ in 0..4 {
            tokio::time::sleep(Duration::from_millis(IDLE / 3)).await;
            socket.write_all(b"x").await.unwrap();
        }
        socket
    })
    .await;
    let mut answer = client(IDLE).transfer(HttpRequest::new(Method::GET, url), None).await.unwrap();
    for _ in 0..4 {
        assert_eq!(answer.body.next().await.unwrap().unwrap(), "x");
    }
    assert_eq!(answer.body.next().await.unwrap().err().unwrap(), retry(codes::NO_ANSWER));
    assert!(answer.body.next().await.is_none());
    drop(server.await.unwrap());
}

/// A connection that notes from which addresses it is written.
struct Noted {
    stream: TcpStream,
    from: Arc<Mutex<Vec<usize>>>,
}

impl AsyncRead for Noted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Noted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.from.lock().unwrap().push(bytes.as_ptr().addr());
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.from.lock().unwrap().extend(slices.iter().map(|slice| slice.as_ptr().addr()));
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Makes such connections.
struct Noting(Arc<Mutex<Vec<usize>>>);

#[async_trait]
impl Dialer for Noting {
    async fn dial(&self, host: &str, port: u16, _: Reach) -> io::Result<Box<dyn Stream>> {
        let stream = TcpStream::connect((host, port)).await?;
        Ok(Box::new(Noted { stream, from: Arc::clone(&self.0) }))
    }
}

#[tokio::test]
async fn a_chunk_is_written_from_where_it_was_read_to() {
    let (url, server) = serve(take).await;
    let chunks = [Bytes::from(vec![1; 70_000]), Bytes::from(vec![2; 3])];
    let from: Arc<Mutex<Vec<usize>>> = Arc::default();
    let settings = HttpSettings { allow_private: true, ..HttpSettings::default() };
    let client = HttpClient::new(&settings, Arc::new(Noting(Arc::clone(&from)))).unwrap();
    let bytes = file(Some(70_003), chunks.iter().cloned().map(Ok).collect());
    client.transfer(post(&url), Some(Upload::raw(bytes))).await.unwrap();
    assert_eq!(server.await.unwrap().1, chunks.concat());
    let from = from.lock().unwrap();
    for chunk in chunks {
        assert!(from.contains(&chunk.as_ptr().addr()), "a chunk of {} bytes was copied", chunk.len());
    }
}

#[tokio::test]
async fn an_answer_flows_as_it_is_read_whatever_its_size() {
    let (url, server) = serve(|mut socket| async move {
        head(&mut socket).await;
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Type: image/gif\r\nContent-Length: {}\r\n\r\n", 256 * MIB);
        socket.write_all(head.as_bytes()).await.unwrap();
        let chunk = vec![7; MIB / 4];
        let mut written = 0;
        while written < 256 * MIB {
            match socket.write(&chunk).await {
                Ok(count) => written += count,
                Err(_) => break,
            }
        }
        written
    })
    .await;
    let answer = client(10_000).transfer(HttpRequest::new(Method::GET, url), None).await.unwrap();
    let mut file = answer.into_file();
    assert_eq!((file.size, file.media_type.as_deref()), (Some(256 << 20), Some("image/gif")));
    let mut read = 0;
    while read < 8 * MIB {
        read += file.chunks.next().await.unwrap().unwrap().len();
    }
    drop(file);
    let written = server.await.unwrap();
    assert!(written < 64 * MIB, "{written}");
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_no_file() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    ] {
        let (url, server) = serve(move |mut socket| async move {
            head(&mut socket).await;
            socket.write_all(answer.as_bytes()).await.unwrap();
        })
        .await;
        let mut answer = client(10_000).transfer(HttpRequest::new(Method::GET, url), None).await.unwrap();
        assert_eq!(answer.body.next().await.unwrap().unwrap(), "half");
        assert_eq!(answer.body.next().await.unwrap().err().unwrap(), retry(codes::NO_ANSWER));
        assert!(answer.body.next().await.is_none());
        server.await.unwrap();
    }
    let (url, _server) = serve(|mut socket| async move {
        head(&mut socket).await;
        socket
            .write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfour\r\n0\r\n\r\n")
            .await
            .unwrap();
    })
    .await;
    let answer = client(10_000).transfer(HttpRequest::new(Method::GET, url), None).await.unwrap();
    assert!(matches!(answer.read(3).await, Err(HttpError::TooLarge { cap: 3, .. })));
}

#[tokio::test]
async fn credentials_go_along_only_where_they_are_trusted() {
    for (trusted, carried) in [("127.0.0.1", true), ("*.slack.com", false)] {
        let (end, second) = serve(|mut socket| async move {
            let (head, _) = head(&mut socket).await;
            socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nend").await.unwrap();
            head
        })
        .await;
        let (start, first) = serve(move |mut socket| async move {
            head(&mut socket).await;
            let moved = format!("HTTP/1.1 302 Found\r\nLocation: {end}\r\nContent-Length: 0\r\n\r\n");
            socket.write_all(moved.as_bytes()).await.unwrap();
        })
        .await;
        let request = HttpRequest::new(Method::GET, start)
            .bearer("t0ken")
            .only(&Hosts::new(["127.0.0.1"]))
            .following(2, &Hosts::new([trusted]));
        let answer = client(10_000).transfer(request, None).await.unwrap();
        assert_eq!(answer.read(64).await.unwrap().body.expose(), b"end");
        first.await.unwrap();
        assert_eq!(second.await.unwrap().contains("t0ken"), carried, "{trusted}");
    }
}

#[tokio::test]
async fn an_upload_gets_the_redirect_itself_and_the_guard_holds() {
    let (url, server) = serve(|mut socket| async move {
        head(&mut socket).await;
        socket
            .write_all(b"HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n")
            .await
            .unwrap();
    })
    .await;
    let hosts = Hosts::new(["127.0.0.1"]);
    let request = post(&url).only(&hosts).following(3, &hosts);
    let upload = || Some(Upload::raw(file(Some(3), parts(&["one"]))));
    let answer = client(10_000).transfer(request, upload()).await.unwrap();
    assert_eq!(answer.status, StatusCode::TEMPORARY_REDIRECT);
    server.await.unwrap();

    let elsewhere = post(&url).only(&Hosts::new(["slack.com"]));
    assert!(matches!(client(100).transfer(elsewhere, upload()).await, Err(HttpError::Blocked { .. })));
    let strict = HttpClient::new(&HttpSettings::default(), Arc::new(TcpDialer)).unwrap();
    for inside in ["http://slack.com/", "https://127.0.0.1/", "https://[::ffff:10.0.0.1]/"] {
        let answer = strict.transfer(post(&inside.parse().unwrap()), upload()).await;
        assert!(matches!(answer, Err(HttpError::Blocked { .. })), "{inside}");
    }
}
