//! Servers for what is measured to talk to: each on a thread of its own, with the simulators behind it for whatever it
//! does not answer itself.

use std::convert::Infallible;
use std::error::Error;
use std::net::SocketAddr;
use std::sync::OnceLock;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// Starts a server on a thread of this name; where it listens.
pub(crate) fn start<A, F, B>(name: &str, answer: A) -> Result<SocketAddr>
where
    A: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new().name(name.to_owned()).spawn(move || {
        runtime.block_on(serve(listener, answer));
    })?;
    Ok(address)
}

async fn serve<A, F, B>(listener: std::net::TcpListener, answer: A)
where
    A: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        let answer = answer.clone();
        connections.spawn(async move {
            let service = service_fn(move |request| {
                let answered = answer(request);
                async move { Ok::<_, Infallible>(answered.await) }
            });
            // How a connection ends is its client's affair.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
        while connections.try_join_next().is_some() {}
    }
}

/// The simulators behind a server, which runs before they do.
pub(crate) struct Behind<const N: usize> {
    origins: OnceLock<[String; N]>,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl<const N: usize> Behind<N> {
    /// Nobody yet.
    pub(crate) fn new() -> Self {
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { origins: OnceLock::new(), client }
    }

    /// Names them, once.
    pub(crate) fn name(&self, origins: [&str; N]) -> Result<()> {
        self.origins.set(origins.map(str::to_owned)).ok().context("other simulators stand there already")
    }

    /// Asks one of them, and hands on what it answers.
    pub(crate) async fn ask(
        &self,
        which: usize,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>> {
        let (head, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        self.ask_with(which, head, body).await
    }

    /// The same with a body that was read, or another one.
    pub(crate) async fn ask_with(
        &self,
        which: usize,
        head: Parts,
        body: Bytes,
    ) -> Result<Response<Full<Bytes>>> {
        let origin = self.origins.get().and_then(|origins| origins.get(which));
        let origin = origin.context("the simulators do not run yet")?;
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut asked =
            Request::builder().method(head.method).uri(format!("{origin}{path}")).body(Full::new(body))?;
        *asked.headers_mut() = head.headers;
        asked.headers_mut().remove(header::HOST);
        let (head, body) = self.client.request(asked).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        let mut answer = Response::new(Full::new(body));
        *answer.status_mut() = head.status;
        *answer.headers_mut() = head.headers;
        answer.headers_mut().remove(header::TRANSFER_ENCODING);
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http::StatusCode;

    use super::*;

    #[tokio::test]
    async fn what_a_server_does_not_answer_is_asked_of_who_stands_behind() {
        let behind = Arc::new(Behind::<1>::new());
        let asker = Arc::clone(&behind);
        let front = start("front", move |request| {
            let asker = Arc::clone(&asker);
            async move { asker.ask(0, request).await.unwrap_or_else(|_| status(StatusCode::BAD_GATEWAY)) }
        });
        let front = format!("http://{}", front.unwrap());
        let get = async |path: &str| {
            let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
            let (head, body) =
                client.get(format!("{front}{path}").parse().unwrap()).await.unwrap().into_parts();
            (head.status, body.collect().await.unwrap().to_bytes())
        };
        assert_eq!(get("/a?b=c").await.0, StatusCode::BAD_GATEWAY, "nobody stands behind it yet");
        let back = start("back", |request: Request<Incoming>| async move {
            let mut answer = status(StatusCode::IM_A_TEAPOT);
            *answer.body_mut() = Full::new(Bytes::from(request.uri().to_string()));
            answer
        });
        let back = format!("http://{}", back.unwrap());
        behind.name([&back]).unwrap();
        assert!(behind.name([&back]).is_err());
        assert_eq!(get("/a?b=c").await, (StatusCode::IM_A_TEAPOT, Bytes::from_static(b"/a?b=c")));
    }

    fn status(status: StatusCode) -> Response<Full<Bytes>> {
        let mut answer = Response::new(Full::default());
        *answer.status_mut() = status;
        answer
    }
}
