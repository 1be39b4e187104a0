//! The only place that calls Slack's Web API.

use std::sync::Arc;

use dragoman_model::Clock;
use dragoman_platform::Session;
use dragoman_platform::TokenSlot;
use dragoman_platform::http::{Hosts, HttpClient, HttpRequest, HttpResponse, retry_after_ms};
use dragoman_seal::Token;
use http::header::AUTHORIZATION;
use http::{HeaderValue, Method, StatusCode};
use serde::de::DeserializeOwned;
use url::Url;

use crate::api::{Arguments, CallError};
use crate::people::KnownBots;
use crate::settings::SlackSettings;
use crate::tokens;
use crate::uploads::Uploads;
use crate::wire::answers::{Form, Head};

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json; charset=utf-8";

/// How a call proves who is calling.
pub(crate) enum Proof<'a> {
    /// A token of an installation or of the app.
    Bearer(&'a Token),
    /// The app's client id and secret.
    Client { id: &'a str, secret: &'a Token },
}

/// Calls methods.
pub(crate) struct Client {
    pub(crate) http: HttpClient,
    pub(crate) clock: Arc<dyn Clock>,
    base: Url,
    hosts: Hosts,
    file_hosts: Hosts,
    pub(crate) bots: KnownBots,
    pub(crate) uploads: Uploads,
}

impl Client {
    pub(crate) fn new(settings: &SlackSettings, http: HttpClient, clock: Arc<dyn Clock>) -> Self {
        Self {
            http,
            clock,
            base: settings.api_base.clone(),
            hosts: settings.api_hosts(),
            file_hosts: settings.file_hosts(),
            bots: KnownBots::default(),
            uploads: Uploads::default(),
        }
    }

    /// The hosts that files come from and go to; no others see a token.
    pub(crate) fn file_hosts(&self) -> &Hosts {
        &self.file_hosts
    }

    /// Calls a reading method with the app's token.
    pub(crate) async fn read<T: DeserializeOwned>(
        &self,
        session: &Session,
        method: &str,
        form: Form,
    ) -> Result<T, CallError> {
        self.call(session, &TokenSlot::App, method, &Arguments::Form(form)).await
    }

    /// Calls a method for an installation. A token that just ended is refreshed and the call repeated, once:
    /// Slack did nothing with the first.
    pub(crate) async fn call<T: DeserializeOwned>(
        &self,
        session: &Session,
        slot: &TokenSlot,
        method: &str,
        arguments: &Arguments,
    ) -> Result<T, CallError> {
        let set = tokens::current(self, session, slot).await?;
        let first = self.ask(method, arguments, &Proof::Bearer(&set.access)).await;
        match first {
            Err(error) if error.word() == "token_expired" && set.refresh.is_some() => {
                let set = tokens::refreshed(self, session, slot, &set).await?;
                self.ask(method, arguments, &Proof::Bearer(&set.access)).await
            }
            other => other,
        }
    }

    /// Calls a method once.
    pub(crate) async fn ask<T: DeserializeOwned>(
        &self,
        method: &str,
        arguments: &Arguments,
        proof: &Proof<'_>,
    ) -> Result<T, CallError> {
        let response = self.exchange(method, arguments, proof).await?;
        understand(&response, self.clock.now_ms())
    }

    /// Calls a method once and gives the whole answer, for what is in its headers.
    pub(crate) async fn exchange(
        &self,
        method: &str,
        arguments: &Arguments,
        proof: &Proof<'_>,
    ) -> Result<HttpResponse, CallError> {
        let url = self.base.join(method).map_err(|_| CallError::Garbled)?;
        let mut request = HttpRequest::new(Method::POST, url).only(&self.hosts);
        request = match arguments {
            Arguments::Form(form) => {
                let mut body = form_urlencoded::Serializer::new(String::new());
                body.extend_pairs(form);
                request.body(FORM, body.finish())
            }
            Arguments::Json(value) => request.body(JSON, value.to_string()),
        };
        request = match proof {
            Proof::Bearer(token) => request.bearer(token.expose()),
            Proof::Client { id, secret } => match basic(id, secret) {
                Some(value) => request.header(AUTHORIZATION, value),
                None => request,
            },
        };
        self.http.send(request).await.map_err(CallError::Http)
    }
}

/// Client id and secret, percent-encoded first as RFC 6749 has it.
fn basic(id: &str, secret: &Token) -> Option<HeaderValue> {
    use base64::Engine as _;
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = format!("{}:{}", encode(id), encode(secret.expose()));
    let text = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair));
    let mut value = HeaderValue::from_str(&text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Slack says what happened in the body; 429 and server trouble in the status.
pub(crate) fn understand<T: DeserializeOwned>(response: &HttpResponse, now_ms: i64) -> Result<T, CallError> {
    let retry_after_ms = retry_after_ms(&response.headers, now_ms);
    if response.status == StatusCode::TOO_MANY_REQUESTS {
        return Err(CallError::Slack { error: "ratelimited".to_owned(), retry_after_ms });
    }
    let body = response.body.expose();
    let Ok(head) = serde_json::from_slice::<Head>(body) else {
        return Err(if response.status.is_success() {
            CallError::Garbled
        } else {
            CallError::Status { status: response.status, retry_after_ms }
        });
    };
    match head.error {
        Some(error) if !head.ok => Err(CallError::Slack { error, retry_after_ms }),
        _ if !response.status.is_success() => {
            Err(CallError::Status { status: response.status, retry_after_ms })
        }
        _ if !head.ok => Err(CallError::Garbled),
        _ => serde_json::from_slice(body).map_err(|_| CallError::Garbled),
    }
}
