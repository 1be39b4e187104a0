//! The only place that calls Webex.

use std::sync::Arc;

use dragoman_model::{Clock, Random, codes};
use dragoman_platform::http::{
    Hosts, HttpClient, HttpRequest, HttpResponse, HttpStreamed, Upload, retry_after_ms,
};
use dragoman_platform::{Failure, Session, TokenSlot};
use dragoman_seal::Token;
use http::{HeaderMap, Method, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use crate::echo::Echoes;
use crate::errors::{self, Trouble};
use crate::link;
use crate::memory::Memory;
use crate::settings::WebexSettings;
use crate::tokens;
use crate::wire::answers::{Items, OAuth};

const JSON: &str = "application/json; charset=utf-8";
const FORM: &str = "application/x-www-form-urlencoded";
/// The longest answer to an upload, and the longest refusal of a file, in bytes.
const ANSWER: usize = 256 * 1_024;
/// Redirects on the way to a file.
const HOPS: u8 = 3;

/// A call.
#[derive(Clone)]
pub(crate) struct Call {
    method: Method,
    url: Url,
    json: Option<Value>,
}

impl Call {
    pub(crate) fn get(url: Url) -> Self {
        Self { method: Method::GET, url, json: None }
    }

    pub(crate) fn new(method: Method, url: Url) -> Self {
        Self { method, url, json: None }
    }

    pub(crate) fn json(self, body: Value) -> Self {
        Self { json: Some(body), ..self }
    }
}

/// A page of a list.
pub(crate) struct Listed<T> {
    pub(crate) items: Vec<T>,
    pub(crate) next: Option<Url>,
}

/// Calls.
pub(crate) struct Client {
    http: HttpClient,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) settings: WebexSettings,
    hosts: Hosts,
    token_hosts: Hosts,
    pub(crate) memory: Memory,
    pub(crate) echoes: Echoes,
}

impl Client {
    pub(crate) fn new(
        settings: WebexSettings,
        http: HttpClient,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Self {
        let (hosts, token_hosts) = (settings.api_hosts(), settings.token_hosts());
        let echoes = Echoes::new(random.as_ref());
        Self { http, clock, random, settings, hosts, token_hosts, memory: Memory::default(), echoes }
    }

    /// An address of the API.
    pub(crate) fn url(&self, path: &[&str], query: &[(&str, &str)]) -> Url {
        let mut url = self.settings.api_base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    /// Calls for an installation. A token that just ended is refreshed and the call repeated, once: Webex did nothing
    /// with the first.
    pub(crate) async fn call(
        &self,
        session: &Session,
        slot: &TokenSlot,
        call: &Call,
    ) -> Result<HttpResponse, Trouble> {
        let set = tokens::current(self, session, slot).await?;
        match self.ask(&set.access, call).await {
            Err(trouble) if trouble.status() == Some(401) && set.refresh.is_some() => {
                let set = tokens::refreshed(self, session, slot, &set).await?;
                self.ask(&set.access, call).await
            }
            other => other,
        }
    }

    /// Reads an object with the app's token.
    pub(crate) async fn read<T: DeserializeOwned>(&self, session: &Session, url: Url) -> Result<T, Trouble> {
        let response = self.call(session, &TokenSlot::App, &Call::get(url)).await?;
        understood(&response)
    }

    /// Reads a page of a list with the app's token.
    pub(crate) async fn list<T: DeserializeOwned>(
        &self,
        session: &Session,
        slot: &TokenSlot,
        url: Url,
    ) -> Result<Listed<T>, Trouble> {
        let response = self.call(session, slot, &Call::get(url)).await?;
        let Items { items } = understood(&response)?;
        Ok(Listed { items, next: link::next(&response.headers) })
    }

    /// Calls once, with this token, hosts of the settings only.
    pub(crate) async fn ask(&self, token: &Token, call: &Call) -> Result<HttpResponse, Trouble> {
        let mut request =
            HttpRequest::new(call.method.clone(), call.url.clone()).only(&self.hosts).bearer(token.expose());
        if let Some(json) = &call.json {
            request = request.body(JSON, json.to_string());
        }
        self.exchange(request).await
    }

    /// Opens a file for reading, with the app's token.
    pub(crate) async fn file(&self, session: &Session, url: Url) -> Result<HttpStreamed, Trouble> {
        let slot = TokenSlot::App;
        let set = tokens::current(self, session, &slot).await?;
        match self.fetch(&set.access, url.clone()).await {
            Err(trouble) if trouble.status() == Some(401) && set.refresh.is_some() => {
                let set = tokens::refreshed(self, session, &slot, &set).await?;
                self.fetch(&set.access, url).await
            }
            other => other,
        }
    }

    async fn fetch(&self, token: &Token, url: Url) -> Result<HttpStreamed, Trouble> {
        let request = HttpRequest::new(Method::GET, url).only(&self.hosts).following(HOPS, &self.hosts);
        let response = self.http.transfer(request.bearer(token.expose()), None).await;
        let response = response.map_err(Trouble::Http)?;
        if response.status.is_success() { Ok(response) } else { Err(self.refused(response).await) }
    }

    /// Posts a form with a file, once. Its bytes are gone then: where the token had just ended it is refreshed, and the
    /// call is to be made again.
    pub(crate) async fn upload(
        &self,
        session: &Session,
        slot: &TokenSlot,
        url: Url,
        upload: Upload,
    ) -> Result<HttpResponse, Trouble> {
        let set = tokens::current(self, session, slot).await?;
        let request = HttpRequest::new(Method::POST, url).only(&self.hosts).bearer(set.access.expose());
        let response = self.http.transfer(request, Some(upload)).await.map_err(Trouble::Http)?;
        if response.status.is_success() {
            return response.read(ANSWER).await.map_err(Trouble::Http);
        }
        let trouble = self.refused(response).await;
        if trouble.status() == Some(401) && set.refresh.is_some() {
            tokens::refreshed(self, session, slot, &set).await?;
            return Err(Trouble::Token(Failure::Retry { after_ms: None, code: codes::SIGN_IN }));
        }
        Err(trouble)
    }

    async fn refused(&self, response: HttpStreamed) -> Trouble {
        let (status, headers) = (response.status, response.headers.clone());
        // A refusal without words is one all the same.
        let body = response.read(ANSWER).await.ok();
        self.refusal(status, &headers, body.as_ref().map_or(&[], |answer| answer.body.expose()))
    }

    /// Asks for tokens.
    pub(crate) async fn tokens(&self, form: &[(&str, &str)]) -> Result<OAuth, Trouble> {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = HttpRequest::new(Method::POST, self.settings.token_url.clone())
            .only(&self.token_hosts)
            .body(FORM, body);
        understood(&self.exchange(request).await?)
    }

    async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, Trouble> {
        let response = self.http.send(request).await.map_err(Trouble::Http)?;
        if response.status.is_success() {
            return Ok(response);
        }
        Err(self.refusal(response.status, &response.headers, response.body.expose()))
    }

    fn refusal(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Trouble {
        let status = status.as_u16();
        if let Some(tracking) = headers.get("trackingid").and_then(|value| value.to_str().ok()) {
            // What Cisco's support asks for; it identifies a request, nobody and nothing else.
            tracing::debug!(status, tracking, "Webex refused a call");
        }
        let after_ms = retry_after_ms(headers, self.clock.now_ms());
        Trouble::Refused(errors::refusal(status, body, after_ms))
    }
}

/// The object in an answer.
pub(crate) fn understood<T: DeserializeOwned>(response: &HttpResponse) -> Result<T, Trouble> {
    serde_json::from_slice(response.body.expose()).map_err(|_| Trouble::Garbled)
}
