//! A person's HTTP client.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use dragoman_platform::http::{HttpClient, HttpRequest, HttpSettings, TcpDialer};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde_json::Value;
use url::Url;

/// Speaks to simulators and to the gateway on this machine.
#[derive(Clone)]
pub struct Http(HttpClient);

impl Http {
    /// A client without proxies.
    pub fn new() -> Result<Self> {
        let settings = HttpSettings { allow_private: true, ..HttpSettings::default() };
        Ok(Self(HttpClient::new(&settings, Arc::new(TcpDialer))?))
    }

    /// One request: status, headers and body as they came; redirects are not followed.
    pub async fn raw(
        &self,
        method: Method,
        url: &str,
        headers: HeaderMap,
        body: Vec<u8>,
    ) -> Result<(StatusCode, HeaderMap, Vec<u8>)> {
        let mut request = HttpRequest::new(method, Url::parse(url)?);
        request.headers = headers;
        request.body = Bytes::from(body);
        // The largest files that people send and fetch.
        request.cap = Some(2 << 30);
        request.timeout = Some(Duration::from_mins(10));
        let answer = self.0.send(request).await?;
        Ok((answer.status, answer.headers.clone(), answer.body.expose().to_vec()))
    }

    /// The text at an address.
    pub async fn text(&self, url: &str) -> Result<String> {
        let (status, _, body) = self.raw(Method::GET, url, HeaderMap::new(), Vec::new()).await?;
        ensure!(status.is_success(), "{url} answered {status}");
        Ok(String::from_utf8_lossy(&body).into_owned())
    }

    /// Follows redirects as a browser does; the last answer's status.
    pub async fn browse(&self, url: &str) -> Result<StatusCode> {
        let mut url = Url::parse(url)?;
        for _ in 0..8 {
            let (status, headers, _) =
                self.raw(Method::GET, url.as_str(), HeaderMap::new(), Vec::new()).await?;
            let Some(location) = headers.get(header::LOCATION) else { return Ok(status) };
            url = url.join(location.to_str()?)?;
        }
        bail!("{url} redirects without end")
    }

    /// A call with a bearer token; waits where the platform asks for patience.
    pub async fn call(
        &self,
        method: Method,
        url: &str,
        token: &str,
        content_type: &'static str,
        body: String,
    ) -> Result<Value> {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {token}"))?);
        if !body.is_empty() {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        for _ in 0..20 {
            let (status, answered, body) =
                self.raw(method.clone(), url, headers.clone(), body.clone().into_bytes()).await?;
            if status == StatusCode::TOO_MANY_REQUESTS {
                let wait = answered.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
                let seconds = wait.and_then(|value| value.parse::<f64>().ok()).unwrap_or(1.0);
                tokio::time::sleep(Duration::from_secs_f64(seconds.clamp(0.05, 30.0))).await;
                continue;
            }
            if body.is_empty() {
                ensure!(status.is_success(), "{url} answered {status}");
                return Ok(Value::Null);
            }
            return serde_json::from_slice(&body).context("the simulator did not answer with JSON");
        }
        bail!("{url} kept limiting the rate")
    }
}
