//! The only place that calls Zoom.

use std::sync::Arc;

use dragoman_model::{Clock, Random, codes};
use dragoman_platform::http::{
    Hosts, HttpClient, HttpError, HttpRequest, HttpResponse, HttpStreamed, Upload,
};
use dragoman_platform::{Failure, Session, TokenSlot};
use dragoman_seal::Token;
use http::header::{AUTHORIZATION, DATE, LOCATION};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
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
/// The longest answer to an upload, and the longest refusal of a file, in bytes.
const ANSWER: usize = 256 * 1_024;
/// Redirects on the way to a file.
const HOPS: u8 = 3;

/// Calls operations.
pub(crate) struct Client {
    pub(crate) http: HttpClient,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) memory: Memory,
    pub(crate) budget: Budget,
    pub(crate) members: Members,
    pub(crate) settings: ZoomSettings,
    hosts: Hosts,
    file_hosts: Hosts,
}

/// An answer, and when it was given on Zoom's clock.
pub(crate) struct Answered<T> {
    pub(crate) value: T,
    pub(crate) at_ms: i64,
}

impl Client {
    pub(crate) fn new(
        settings: ZoomSettings,
        http: HttpClient,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Self {
        let (hosts, file_hosts) = (settings.hosts(), settings.file_hosts());
        Self {
            http,
            clock,
            random,
            memory: Memory::default(),
            budget: Budget::default(),
            members: Members::default(),
            settings,
            hosts,
            file_hosts,
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

    /// Opens a file for reading by the address that Zoom gave for it. The address lets one in by itself; hosts of Zoom
    /// may want the token too, others never see it.
    pub(crate) async fn file(&self, session: &Session, url: Url) -> Result<HttpStreamed, CallError> {
        let request = HttpRequest::new(Method::GET, url.clone());
        let request = if url.host_str().is_some_and(|host| self.file_hosts.allow(host)) {
            let set = tokens::current(self, session, &TokenSlot::App).await?;
            let request = request.only(&self.file_hosts).following(HOPS, &self.file_hosts);
            request.bearer(set.access.expose())
        } else {
            request.only(&Hosts::of(&url))
        };
        let response = self.http.transfer(request, None).await.map_err(CallError::Http)?;
        if response.status.is_success() { Ok(response) } else { Err(self.refused(response).await) }
    }

    /// Where the file host sends an upload on to, asked without one. `None`: it takes it.
    pub(crate) async fn way(
        &self,
        session: &Session,
        slot: &TokenSlot,
        url: &Url,
    ) -> Result<Option<Url>, CallError> {
        let set = tokens::current(self, session, slot).await?;
        let request = HttpRequest::new(Method::POST, url.clone()).only(&self.file_hosts);
        let response = self.http.send(request.bearer(set.access.expose())).await.map_err(CallError::Http)?;
        self.onward(url, response.status, &response.headers)
    }

    /// Where a redirect leads: to hosts of Zoom only, since the token goes along.
    fn onward(&self, url: &Url, status: StatusCode, headers: &HeaderMap) -> Result<Option<Url>, CallError> {
        let to = headers.get(LOCATION).and_then(|value| value.to_str().ok());
        let Some(to) = to.filter(|_| matches!(status.as_u16(), 301 | 302 | 307 | 308)) else {
            return Ok(None);
        };
        let next = url.join(to).map_err(|_| CallError::Garbled)?;
        let host = next.host_str().unwrap_or_default();
        if self.file_hosts.allow(host) {
            Ok(Some(next))
        } else {
            Err(CallError::Http(HttpError::Blocked { host: host.to_owned() }))
        }
    }

    /// Posts a form with a file, once. Its bytes are gone then: where the token had just ended it is refreshed, where
    /// the host sends uploads on that is remembered, and the call is to be made again.
    pub(crate) async fn upload(
        &self,
        session: &Session,
        slot: &TokenSlot,
        url: Url,
        upload: Upload,
    ) -> Result<HttpResponse, CallError> {
        let again = |code| CallError::Token(Failure::Retry { after_ms: None, code });
        let set = tokens::current(self, session, slot).await?;
        let request = HttpRequest::new(Method::POST, url.clone()).only(&self.file_hosts);
        let request = request.bearer(set.access.expose());
        let response = self.http.transfer(request, Some(upload)).await.map_err(CallError::Http)?;
        if response.status.is_success() {
            return response.read(ANSWER).await.map_err(CallError::Http);
        }
        if let Some(next) = self.onward(&url, response.status, &response.headers)? {
            let installation = &session.installation.id;
            self.memory.learn_way(installation, &url, &next, self.clock.monotonic_ms());
            return Err(again(codes::TARGET_FAILED));
        }
        self.memory.forget_way(&session.installation.id);
        let error = self.refused(response).await;
        if error.class() == Some(Class::Expired) && set.refresh.is_some() {
            tokens::refreshed(self, session, slot, &set).await?;
            return Err(again(codes::SIGN_IN));
        }
        Err(error)
    }

    async fn refused(&self, response: HttpStreamed) -> CallError {
        let (status, headers) = (response.status, response.headers.clone());
        // A refusal without words is one all the same.
        let body = response.read(ANSWER).await.ok();
        let body = body.as_ref().map_or(&[][..], |answer| answer.body.expose());
        CallError::Zoom(errors::refusal(status, &headers, body, self.clock.now_ms()))
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

    /// Ends a token, and what was granted with it.
    pub(crate) async fn revoke(&self, id: &str, secret: &Token, token: &Token) -> Result<(), CallError> {
        let url = self.settings.oauth_base.join("revoke").map_err(|_| CallError::Garbled)?;
        let pairs = [("token", token.expose())];
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        self.as_app(url, id, secret, FORM, body).await.map(drop)
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
