//! The only place that calls Webex.

use std::sync::Arc;

use dragoman_model::{Clock, Random};
use dragoman_platform::http::{Hosts, HttpClient, HttpRequest, HttpResponse, retry_after_ms};
use dragoman_platform::{Session, TokenSlot};
use dragoman_seal::Token;
use http::Method;
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
        if let Some(tracking) = response.headers.get("trackingid").and_then(|value| value.to_str().ok()) {
            // What Cisco's support asks for; it identifies a request, nobody and nothing else.
            tracing::debug!(status = response.status.as_u16(), tracking, "Webex refused a call");
        }
        let after_ms = retry_after_ms(&response.headers, self.clock.now_ms());
        let status = response.status.as_u16();
        Err(Trouble::Refused(errors::refusal(status, response.body.expose(), after_ms)))
    }
}

/// The object in an answer.
pub(crate) fn understood<T: DeserializeOwned>(response: &HttpResponse) -> Result<T, Trouble> {
    serde_json::from_slice(response.body.expose()).map_err(|_| Trouble::Garbled)
}
