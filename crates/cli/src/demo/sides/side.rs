//! People at the simulators, acting and reading through the platforms' own public APIs: the judge of the story
//! never asks the gateway.

use anyhow::{Context as _, Result, bail, ensure};
use async_trait::async_trait;
use bytes::Bytes;
use dragoman_platform::http::{HttpClient, HttpRequest, HttpResponse};
use http::{HeaderMap, HeaderValue, Method, header};
use serde_json::Value;
use url::Url;

/// A message as the target's public API shows it.
pub(crate) struct Seen {
    /// The platform's id.
    pub(crate) id: String,
    /// The root of its thread, where it is a reply.
    pub(crate) thread_root: Option<String>,
    /// The whole object.
    pub(crate) raw: Value,
    /// Text and markup in one string, as the platform holds it.
    pub(crate) markup: String,
    /// The author as shown.
    pub(crate) author: String,
}

/// A conversation at a simulator, with a person in it.
#[async_trait]
pub(crate) trait Side: Send + Sync {
    /// `slack`, `teams`, `webex`, `zoom`.
    fn platform(&self) -> &'static str;
    /// Posts as the person; `markup` is in the platform's own.
    async fn post(&self, markup: &str, thread: Option<&str>) -> Result<String>;
    /// Posts a reply that is also sent to the conversation, where the platform has such a thing.
    async fn broadcast(&self, markup: &str, thread: &str) -> Result<String>;
    /// Edits what the person posted.
    async fn edit(&self, id: &str, thread: Option<&str>, markup: &str) -> Result<()>;
    /// Deletes what the person posted.
    async fn delete(&self, id: &str, thread: Option<&str>) -> Result<()>;
    /// Posts a card with the mark in its title, where people can, or their client does for them.
    async fn card(&self, mark: &str) -> Result<String> {
        bail!("nobody posts a card there: {mark}")
    }
    /// Posts a quote of a message with words below it, where that is more than a line of text.
    async fn quote(&self, quoted: &str, id: &str, markup: &str) -> Result<String> {
        bail!("nobody quotes {id} there: {quoted} {markup}")
    }
    /// The link to a message, as the person's client copies it.
    async fn link(&self, id: &str) -> Result<String>;
    /// Does something to the conversation that its members are told of, and tells by which word the notice is
    /// known: the mark, or a name.
    async fn change(&self, mark: &str) -> Result<String>;
    /// Reacts with a thumb up, or takes that back; where nothing of it reaches an app, this fails.
    async fn react(&self, id: &str, add: bool) -> Result<()>;
    /// Posts a file as the person, without a text.
    async fn post_file(&self, name: &str, bytes: &[u8]) -> Result<()>;
    /// Takes the files that the person is offered, where apps ask first.
    async fn accept_files(&self) -> Result<()> {
        Ok(())
    }
    /// The files of a message as the API gives them: names with bytes.
    async fn files(&self, message: &Seen) -> Result<Vec<(String, Vec<u8>)>>;
    /// Reads the conversation, threads included; deleted messages are not in it.
    async fn read(&self) -> Result<Vec<Seen>>;
    /// The person's name.
    fn person(&self) -> &str;
}

/// One request for bytes or with them, with a token or without; redirects are not followed.
pub(super) async fn exchange(
    http: &HttpClient,
    method: Method,
    url: &str,
    token: Option<&str>,
    body: &[u8],
) -> Result<HttpResponse> {
    let mut request = HttpRequest::new(method, Url::parse(url)?);
    if let Some(token) = token {
        request = request.bearer(token);
    }
    request.body = Bytes::copy_from_slice(body);
    Ok(http.send(request).await?)
}

/// Calls a simulator's API with a person's token; waits where it says so.
pub(super) async fn send(
    http: &HttpClient,
    method: Method,
    url: Url,
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
        let request = HttpRequest {
            method: method.clone(),
            url: url.clone(),
            headers: headers.clone(),
            body: Bytes::from(body.clone()),
            timeout: None,
            cap: Some(16 << 20),
            hosts: None,
            redirects: 0,
            credentials: None,
        };
        let answer = http.send(request).await?;
        if answer.status == http::StatusCode::TOO_MANY_REQUESTS {
            // People wait as they are told, too.
            let wait = answer.headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
            let seconds = wait.and_then(|value| value.parse::<f64>().ok()).unwrap_or(1.0);
            tokio::time::sleep(std::time::Duration::from_secs_f64(seconds.clamp(0.05, 30.0))).await;
            continue;
        }
        if answer.body.is_empty() {
            ensure!(answer.status.is_success(), "the simulator answered {}", answer.status);
            return Ok(Value::Null);
        }
        return serde_json::from_slice(answer.body.expose())
            .context("the simulator did not answer with JSON");
    }
    bail!("the simulator kept limiting the rate")
}
