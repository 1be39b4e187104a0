//! Requests and responses.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dragoman_seal::Content;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use url::Url;

/// The hosts that a group of requests may go to.
#[derive(Clone, Debug)]
pub struct Hosts(Arc<[String]>);

impl Hosts {
    /// Exact names, or `*.example.com` for everything below `example.com`.
    pub fn new<I: IntoIterator<Item = S>, S: AsRef<str>>(patterns: I) -> Self {
        Self(patterns.into_iter().map(|pattern| pattern.as_ref().to_ascii_lowercase()).collect())
    }

    /// The host of a base URL alone.
    pub fn of(url: &Url) -> Self {
        Self::new(url.host_str())
    }

    /// Whether a host is among them.
    pub fn allow(&self, host: &str) -> bool {
        self.0.iter().any(|pattern| match pattern.strip_prefix('*') {
            None => pattern.eq_ignore_ascii_case(host),
            Some(below) => {
                let end = host.len().checked_sub(below.len()).filter(|rest| *rest > 0 && below.len() > 1);
                end.and_then(|at| host.get(at..)).is_some_and(|end| end.eq_ignore_ascii_case(below))
            }
        })
    }
}

/// A request.
pub struct HttpRequest {
    /// Method.
    pub method: Method,
    /// Where to. Without user and password.
    pub url: Url,
    /// Headers. `Host` and lengths are set by the client.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// From the call to the last byte of the answer; `None` takes the client's.
    pub timeout: Option<Duration>,
    /// The largest answer in bytes; `None` takes the client's.
    pub cap: Option<usize>,
    /// The hosts that may be asked; `None` is any public one.
    pub hosts: Option<Hosts>,
    /// How many redirects are followed. Only for `GET` and `HEAD`, only to `hosts`, and without credentials but to
    /// hosts of `credentials`.
    pub redirects: u8,
    /// The hosts to which a redirect takes the credentials along; `None` is none, the first host included.
    pub credentials: Option<Hosts>,
}

impl HttpRequest {
    /// A request without body and headers.
    pub fn new(method: Method, url: Url) -> Self {
        Self {
            method,
            url,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            timeout: None,
            cap: None,
            hosts: None,
            redirects: 0,
            credentials: None,
        }
    }

    /// With a header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// With a bearer token; a token that is no header text is left out, and the platform will say so.
    #[must_use]
    pub fn bearer(mut self, token: &str) -> Self {
        if let Ok(mut value) = HeaderValue::from_str(&format!("Bearer {token}")) {
            value.set_sensitive(true);
            self.headers.insert(http::header::AUTHORIZATION, value);
        }
        self
    }

    /// With a body of a media type.
    #[must_use]
    pub fn body(mut self, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        self.headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        self.body = body.into();
        self
    }

    /// Follows up to `count` redirects within the hosts that may be asked, with the credentials only to `trusted`.
    #[must_use]
    pub fn following(mut self, count: u8, trusted: &Hosts) -> Self {
        self.redirects = count;
        self.credentials = Some(trusted.clone());
        self
    }

    /// Only to these hosts.
    #[must_use]
    pub fn only(mut self, hosts: &Hosts) -> Self {
        self.hosts = Some(hosts.clone());
        self
    }
}

/// A response, complete.
pub struct HttpResponse {
    /// Status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Content,
}

impl HttpResponse {
    /// Whether the body says that it is JSON.
    pub fn is_json(&self) -> bool {
        self.headers
            .get(http::header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| value.to_ascii_lowercase().contains("json"))
    }
}
