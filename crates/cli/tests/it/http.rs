//! A person's HTTP client.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dragoman_platform::http::{HttpClient, HttpRequest, HttpSettings, TcpDialer};
use http::{HeaderValue, Method, StatusCode, header};
use serde_json::Value;
use url::Url;

/// Speaks to simulators and to the gateway on this machine.
#[derive(Clone)]
pub(crate) struct Http(HttpClient);

impl Http {
    pub(crate) fn new() -> Self {
        Self::trusting(None)
    }

    /// A client that trusts this authority (PEM) too.
    pub(crate) fn trusting(extra_ca: Option<Vec<u8>>) -> Self {
        let settings = HttpSettings { allow_private: true, extra_ca, ..HttpSettings::default() };
        Self(HttpClient::new(&settings, Arc::new(TcpDialer)).expect("a client"))
    }

    /// One GET; `None` when no answer came.
    pub(crate) async fn get(&self, url: &str) -> Option<(StatusCode, String)> {
        let answer = self.0.send(HttpRequest::new(Method::GET, url.parse().expect("a URL"))).await.ok()?;
        Some((answer.status, String::from_utf8_lossy(answer.body.expose()).into_owned()))
    }

    /// Follows redirects as a browser does; the last answer.
    pub(crate) async fn browse(&self, url: &str) -> (StatusCode, String) {
        let mut url = Url::parse(url).expect("a URL");
        for _ in 0..8 {
            let answer = self.0.send(HttpRequest::new(Method::GET, url.clone())).await.expect("an answer");
            let Some(location) = answer.headers.get(header::LOCATION) else {
                return (answer.status, String::from_utf8_lossy(answer.body.expose()).into_owned());
            };
            url = url.join(location.to_str().expect("ASCII")).expect("a URL");
        }
        panic!("{url} redirects without end");
    }

    /// A call with JSON and, where one is given, a bearer token.
    pub(crate) async fn call(&self, method: Method, url: &str, token: &str, body: &Value) -> Value {
        let mut request = HttpRequest::new(method, url.parse().expect("a URL"));
        if !token.is_empty() {
            let bearer = HeaderValue::from_str(&format!("Bearer {token}")).expect("ASCII");
            request.headers.insert(header::AUTHORIZATION, bearer);
        }
        if !body.is_null() {
            let json = HeaderValue::from_static("application/json; charset=utf-8");
            request.headers.insert(header::CONTENT_TYPE, json);
            request.body = Bytes::from(body.to_string());
        }
        let answer = self.0.send(request).await.expect("an answer");
        serde_json::from_slice(answer.body.expose()).unwrap_or_default()
    }
}

/// Asks until there is an answer; says what was missing where it does not come.
pub(crate) async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    };
    let answer = tokio::time::timeout(Duration::from_secs(30), asking).await;
    answer.unwrap_or_else(|_| panic!("{what}: not within 30 seconds"))
}
