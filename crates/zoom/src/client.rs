//! The only place that calls Zoom.

use std::sync::Arc;

use dragoman_model::Clock;
use dragoman_platform::http::{Hosts, HttpClient, HttpRequest, HttpResponse};
use dragoman_platform::{Session, TokenSlot};
use dragoman_seal::Token;
use http::header::{AUTHORIZATION, DATE};
use http::{HeaderMap, HeaderValue, Method};
use serde::de::DeserializeOwned;
use url::Url;

use crate::api::{Call, CallError};
use crate::budget::Budget;
use crate::errors::{self, Class};
use crate::memory::Memory;
use crate::people::Members;
use crate::settings::ZoomSettings;
use crate::tokens;

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

/// Calls operations.
pub(crate) struct Client {
    pub(crate) http: HttpClient,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) memory: Memory,
    pub(crate) budget: Budget,
    pub(crate) members: Members,
    pub(crate) settings: ZoomSettings,
    hosts: Hosts,
}

/// An answer, and when it was given on Zoom's clock.
pub(crate) struct Answered<T> {
    pub(crate) value: T,
    pub(crate) at_ms: i64,
}

impl Client {
    pub(crate) fn new(settings: ZoomSettings, http: HttpClient, clock: Arc<dyn Clock>) -> Self {
        let hosts = settings.hosts();
        Self {
            http,
            clock,
            memory: Memory::default(),
            budget: Budget::default(),
            members: Members::default(),
            settings,
            hosts,
        }
    }

    /// Calls a reading operation with the app's token.
    pub(crate) async fn read<T: DeserializeOwned>(
        &self,
        session: &Session,
        call: &Call,
    ) -> Result<T, CallError> {
        self.read_at(session, call).await.map(|answered| answered.value)
    }

    /// The same, with the time of the answer.
    pub(crate) async fn read_at<T: DeserializeOwned>(
        &self,
        session: &Session,
        call: &Call,
    ) -> Result<Answered<T>, CallError> {
        let response = self.call(session, &TokenSlot::App, call).await?;
        let value = serde_json::from_slice(response.body.expose()).map_err(|_| CallError::Garbled)?;
        Ok(Answered { value, at_ms: date_ms(&response.headers).unwrap_or_else(|| self.clock.now_ms()) })
    }

    /// Calls an operation for an installation. A token that does not work is refreshed and the call repeated, once:
    /// Zoom did nothing with the first.
    pub(crate) async fn call(
        &self,
        session: &Session,
        slot: &TokenSlot,
        call: &Call,
    ) -> Result<HttpResponse, CallError> {
        self.memory.learn(session, None);
        let set = tokens::current(self, session, slot).await?;
        match self.bearer(call, &set.access).await {
            Err(error) if error.class() == Some(Class::Expired) && set.refresh.is_some() => {
                let set = tokens::refreshed(self, session, slot, &set).await?;
                self.bearer(call, &set.access).await
            }
            other => other,
        }
    }

    /// Calls an operation once with a token.
    pub(crate) async fn bearer(&self, call: &Call, token: &Token) -> Result<HttpResponse, CallError> {
        let mut url = self.settings.api_base.join(&call.path).map_err(|_| CallError::Garbled)?;
        if !call.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&call.query);
        }
        let mut request = HttpRequest::new(call.method.clone(), url).only(&self.hosts).bearer(token.expose());
        if let Some(body) = &call.body {
            request = request.body(JSON, body.to_string());
        }
        self.exchange(request).await
    }

    /// Asks the token endpoint, as the app itself.
    pub(crate) async fn grant<T: DeserializeOwned>(
        &self,
        id: &str,
        secret: &Token,
        form: &[(&str, &str)],
    ) -> Result<T, CallError> {
        let url = self.settings.oauth_base.join("token").map_err(|_| CallError::Garbled)?;
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let response = self.as_app(url, id, secret, FORM, body).await?;
        serde_json::from_slice(response.body.expose()).map_err(|_| CallError::Garbled)
    }

    /// Posts JSON as the app itself.
    pub(crate) async fn report(
        &self,
        url: Url,
        id: &str,
        secret: &Token,
        body: String,
    ) -> Result<HttpResponse, CallError> {
        self.as_app(url, id, secret, JSON, body).await
    }

    async fn as_app(
        &self,
        url: Url,
        id: &str,
        secret: &Token,
        media: &'static str,
        body: String,
    ) -> Result<HttpResponse, CallError> {
        let mut request = HttpRequest::new(Method::POST, url).only(&self.hosts).body(media, body);
        if let Some(value) = basic(id, secret) {
            request = request.header(AUTHORIZATION, value);
        }
        self.exchange(request).await
    }

    async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, CallError> {
        let response = self.http.send(request).await.map_err(CallError::Http)?;
        if response.status.is_success() {
            return Ok(response);
        }
        let now_ms = self.clock.now_ms();
        let refusal = errors::refusal(response.status, &response.headers, response.body.expose(), now_ms);
        Err(CallError::Zoom(refusal))
    }
}

/// When an answer was given; whole seconds, so never later than it was.
fn date_ms(headers: &HeaderMap) -> Option<i64> {
    let text = headers.get(DATE)?.to_str().ok()?;
    let at = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(at.as_millisecond())
}

fn basic(id: &str, secret: &Token) -> Option<HeaderValue> {
    use base64::Engine as _;
    let pair = format!("{id}:{}", secret.expose());
    let text = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair));
    let mut value = HeaderValue::from_str(&text).ok()?;
    value.set_sensitive(true);
    Some(value)
}
