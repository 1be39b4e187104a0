//! The client.

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use dragoman_seal::Content;
use http::header::{
    AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, LOCATION, PROXY_AUTHORIZATION, USER_AGENT,
};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Incoming};
use hyper_util::client::legacy::{Client, Error as PoolError};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;
use url::Url;

use super::connect::{OpenError, Opener, PoolConnector, is_private_name};
use super::dial::{Dialer, Reach, Stream};
use super::error::{ConnectFault, HttpError, LostFault, SetupError};
use super::exchange::{Hosts, HttpRequest, HttpResponse};
use super::settings::HttpSettings;
use super::tls;
use super::transfer::{self, HttpStreamed, Meter, Outgoing, Upload};

/// How the gateway names itself.
const AGENT: &str = concat!("dragoman/", env!("CARGO_PKG_VERSION"));

/// An HTTP client with a pool of connections. Cloning is cheap and shares the pool.
#[derive(Clone)]
pub struct HttpClient {
    inner: Arc<Inner>,
}

struct Inner {
    pool: Client<PoolConnector, Outgoing>,
    opener: Arc<Opener>,
    socket_tls: Arc<ClientConfig>,
    total_timeout: Duration,
    body_cap: usize,
    allow_private: bool,
}

impl HttpClient {
    /// A client that opens its connections through `dialer`.
    pub fn new(settings: &HttpSettings, dialer: Arc<dyn Dialer>) -> Result<Self, SetupError> {
        let extra_ca = settings.extra_ca.as_deref();
        let opener = Arc::new(Opener {
            dialer,
            proxy: settings.proxy.clone(),
            reach: if settings.allow_private { Reach::Any } else { Reach::Public },
            timeout: settings.connect_timeout,
        });
        let connector =
            PoolConnector { opener: opener.clone(), tls: tls::config(extra_ca, &[b"h2", b"http/1.1"])? };
        let pool = Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_mins(1))
            .pool_max_idle_per_host(128)
            .http2_keep_alive_interval(Duration::from_secs(20))
            .http2_keep_alive_timeout(Duration::from_secs(10))
            .build(connector);
        Ok(Self {
            inner: Arc::new(Inner {
                pool,
                opener,
                socket_tls: tls::config(extra_ca, &[b"http/1.1"])?,
                total_timeout: settings.total_timeout,
                body_cap: settings.body_cap,
                allow_private: settings.allow_private,
            }),
        })
    }

    /// Sends a request once and reads the whole answer. Any status is an answer. Nothing is retried but a
    /// request that a pooled connection, closed meanwhile, had not begun to send.
    pub async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let limit = request.timeout.unwrap_or(self.inner.total_timeout);
        let host = host_of(&request.url);
        // On the way the connection has its own, shorter limit; after it, silence means that the request may
        // have been received.
        tokio::time::timeout(limit, self.follow(request))
            .await
            .unwrap_or(Err(HttpError::Lost { host, fault: LostFault::Timeout }))
    }

    /// Opens a connection for a WebSocket: `ws` and `wss` URLs are taken as `http` and `https`.
    pub async fn open(&self, url: &Url, hosts: Option<&Hosts>) -> Result<Box<dyn Stream>, HttpError> {
        let secure = self.admit(url, hosts)?;
        let host = host_of(url);
        let port = url.port().unwrap_or(if secure { 443 } else { 80 });
        let tls = secure.then(|| self.inner.socket_tls.clone());
        self.inner.opener.open(&host, port, tls).await.map(|(stream, _)| stream).map_err(
            |error| match error {
                OpenError::Blocked(_) => HttpError::Blocked { host },
                OpenError::Fault(fault) => HttpError::Connect { host, fault },
            },
        )
    }

    async fn follow(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        loop {
            self.admit(&request.url, request.hosts.as_ref())?;
            let cap = request.cap.unwrap_or(self.inner.body_cap);
            let whole = Outgoing::Whole(Full::new(request.body.clone()));
            let response = self.inner.pool.request(assemble(&mut request, whole)?).await;
            let response = response.map_err(|error| classify(&error, host_of(&request.url)))?;
            let (head, body) = response.into_parts();
            if let Some(next) = next_hop(&request, head.status, &head.headers) {
                go_on(&mut request, next?);
                continue;
            }
            let body = read(body, cap, &request.url).await?;
            return Ok(HttpResponse { status: head.status, headers: head.headers, body });
        }
    }

    /// Sends a request once, with a body that is read while it is sent, and gives the answer as soon as its head is
    /// there. Any status is an answer. There is no limit of size, and none of time as long as something
    /// moves: `timeout` of the request (or the client's) is the longest time without any progress, in either direction;
    /// whoever reads the body sees to its pace; `cap` is not used. Bytes are read from
    /// `upload` no faster than the host takes them.
    ///
    /// Redirects are followed as by [`HttpClient::send`]; an upload is answered with the redirect itself, since its
    /// bytes are gone.
    pub async fn transfer(
        &self,
        mut request: HttpRequest,
        mut upload: Option<Upload>,
    ) -> Result<HttpStreamed, HttpError> {
        let idle = request.timeout.unwrap_or(self.inner.total_timeout);
        if let Some(upload) = &upload {
            request.redirects = 0;
            request.headers.entry(CONTENT_TYPE).or_insert_with(|| upload.content_type.clone());
            if upload.is_empty() {
                // Left out otherwise, and some servers insist.
                request.headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
            }
        }
        let streamed = upload.is_some();
        loop {
            self.admit(&request.url, request.hosts.as_ref())?;
            let meter = Arc::new(Meter::default());
            let body = match upload.take() {
                Some(upload) => Outgoing::streamed(upload, meter.clone()),
                None => Outgoing::Whole(Full::new(request.body.clone())),
            };
            let host = host_of(&request.url);
            let sending = self.inner.pool.request(assemble(&mut request, body)?);
            let answer = meter.watch(idle, sending).await;
            let answer = answer.map_or(Err(LostFault::Timeout.at(&host)), |answer| {
                answer.map_err(|error| classify(&error, host.clone()))
            });
            if let Some(failure) = meter.failure() {
                return Err(HttpError::Source(failure));
            }
            let response = answer.map_err(|error| match error {
                // Nobody acts on a body that has no end yet.
                HttpError::Lost { host, fault } if streamed && !meter.whole() => {
                    HttpError::Cut { host, fault }
                }
                error => error,
            })?;
            let (head, body) = response.into_parts();
            if let Some(next) = next_hop(&request, head.status, &head.headers) {
                go_on(&mut request, next?);
                continue;
            }
            let size = body.size_hint().exact();
            let body = transfer::chunks(body, idle);
            let (status, headers) = (head.status, head.headers);
            return Ok(HttpStreamed { status, headers, size, body, host, limit: idle });
        }
    }

    /// Judges a URL before anything is resolved; tells whether TLS is used.
    fn admit(&self, url: &Url, hosts: Option<&Hosts>) -> Result<bool, HttpError> {
        let host = url.host_str().ok_or(HttpError::Invalid("the URL has no host"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(HttpError::Invalid("the URL holds a user or a password"));
        }
        let secure = match url.scheme() {
            "https" | "wss" => true,
            "http" | "ws" => false,
            _ => return Err(HttpError::Invalid("the URL is not of HTTP")),
        };
        let listed = hosts.is_none_or(|hosts| hosts.allow(host));
        let public = self.inner.allow_private || (secure && !is_private_name(host));
        if listed && public { Ok(secure) } else { Err(HttpError::Blocked { host: host.to_owned() }) }
    }
}

fn host_of(url: &Url) -> String {
    url.host_str().unwrap_or_default().to_owned()
}

/// Turns a request to where a redirect leads. Credentials go along only to hosts that were named for them.
fn go_on(request: &mut HttpRequest, next: Url) {
    let trusted = request.credentials.as_ref();
    let secure = next.scheme() == request.url.scheme() || next.scheme() == "https";
    if !secure || !trusted.is_some_and(|hosts| hosts.allow(next.host_str().unwrap_or_default())) {
        for name in [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION] {
            request.headers.remove(name);
        }
    }
    request.url = next;
    request.redirects -= 1;
}

fn assemble(request: &mut HttpRequest, body: Outgoing) -> Result<Request<Outgoing>, HttpError> {
    let uri: Uri =
        request.url.as_str().parse().map_err(|_| HttpError::Invalid("the URL is not understood"))?;
    let mut built = Request::new(body);
    *built.method_mut() = request.method.clone();
    *built.uri_mut() = uri;
    // After a redirect they are needed again.
    *built.headers_mut() =
        if request.redirects == 0 { std::mem::take(&mut request.headers) } else { request.headers.clone() };
    built.headers_mut().entry(USER_AGENT).or_insert(HeaderValue::from_static(AGENT));
    Ok(built)
}

/// Where a redirect leads, if it is one that is followed.
fn next_hop(
    request: &HttpRequest,
    status: StatusCode,
    headers: &HeaderMap,
) -> Option<Result<Url, HttpError>> {
    let moved = matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308);
    let repeatable = request.method == Method::GET || request.method == Method::HEAD;
    if !moved || !repeatable || request.redirects == 0 {
        return None;
    }
    let target = headers.get(LOCATION)?.to_str().ok()?;
    let next = request.url.join(target).map_err(|_| HttpError::Invalid("the redirect is not understood"));
    Some(next.and_then(|next| match &request.hosts {
        Some(hosts) if hosts.allow(next.host_str().unwrap_or_default()) => Ok(next),
        _ => Err(HttpError::Blocked { host: next.host_str().unwrap_or_default().to_owned() }),
    }))
}

async fn read(mut body: Incoming, cap: usize, url: &Url) -> Result<Content, HttpError> {
    let too_large = || HttpError::TooLarge { host: host_of(url), cap };
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > cap {
        return Err(too_large());
    }
    let mut bytes = Vec::with_capacity(announced);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| HttpError::Lost { host: host_of(url), fault: LostFault::Reset })?;
        if let Some(data) = frame.data_ref() {
            if bytes.len() + data.len() > cap {
                return Err(too_large());
            }
            bytes.extend_from_slice(data);
        }
    }
    Ok(Content::new(bytes))
}

fn classify(error: &PoolError, host: String) -> HttpError {
    let mut cause = error.source();
    while let Some(inner) = cause {
        match inner.downcast_ref::<OpenError>() {
            Some(OpenError::Blocked(_)) => return HttpError::Blocked { host },
            Some(OpenError::Fault(fault)) => return HttpError::Connect { host, fault: *fault },
            None => {}
        }
        if inner.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse) {
            return HttpError::Lost { host, fault: LostFault::Garbled };
        }
        cause = inner.source();
    }
    if error.is_connect() {
        return HttpError::Connect { host, fault: ConnectFault::Network };
    }
    HttpError::Lost { host, fault: LostFault::Reset }
}
