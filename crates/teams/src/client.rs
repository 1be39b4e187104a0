//! The only I/O: requests to Entra, Graph, the Bot Connector and the Bot Framework's login service.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use dragoman_model::codes::{ADDRESS_BLOCKED, CONFIG, MALFORMED, SIGN_IN};
use dragoman_model::{Clock, Random};
use dragoman_platform::http::{
    Hosts, HttpClient, HttpRequest, HttpResponse, HttpStreamed, Upload, retry_after_ms,
};
use dragoman_platform::{App, Failure, Session, TokenSet, TokenSlot};
use dragoman_seal::Token;
use http::{HeaderName, HeaderValue, Method};
use serde::de::DeserializeOwned;
use url::Url;

use crate::errors::{Trouble, refusal, token_failure};
use crate::ids::Services;
use crate::settings::TeamsSettings;
use crate::tokens::{Audience, Tokens};
use crate::verify::Keys;
use crate::wire::auth::{Metadata, TokenAnswer};

/// The largest token answer or key set.
const SMALL: usize = 512 * 1024;

/// Redirects that lead from an address of Graph to the bytes of a file.
const HOPS: u8 = 3;

/// Who speaks to Graph.
#[derive(Clone)]
pub(crate) enum Voice {
    /// The app.
    App,
    /// A person who granted a token.
    Person(dragoman_model::PersonId),
}

/// A request as its caller thinks of it.
pub(crate) struct Call {
    method: Method,
    url: String,
    json: Option<Bytes>,
}

impl Call {
    /// Without a body.
    pub(crate) fn new(method: Method, url: String) -> Self {
        Self { method, url, json: None }
    }

    /// A read.
    pub(crate) fn get(url: String) -> Self {
        Self::new(Method::GET, url)
    }

    /// With a JSON body.
    pub(crate) fn json(mut self, body: Vec<u8>) -> Self {
        self.json = Some(body.into());
        self
    }
}

/// The client.
pub(crate) struct Client {
    pub(crate) settings: TeamsSettings,
    http: HttpClient,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    tokens: Tokens,
    services: Services,
    file_hosts: Vec<String>,
    turns: Turns,
}

/// When a conversation was or will be read last, by its address; milliseconds on a clock that never goes backwards.
type Turns = Mutex<BTreeMap<String, i64>>;

impl Client {
    pub(crate) fn new(
        settings: TeamsSettings,
        http: HttpClient,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Self {
        let services = Services::new(&settings.allowed_service_hosts);
        let file_hosts = settings.file_host_patterns();
        Self {
            settings,
            http,
            clock,
            random,
            tokens: Tokens::default(),
            services,
            file_hosts,
            turns: Turns::default(),
        }
    }

    /// A Graph address below `/v1.0`.
    pub(crate) fn graph_url(&self, path: &str) -> String {
        format!("{}/v1.0/{}", self.settings.graph_base.trim_end_matches('/'), path.trim_start_matches('/'))
    }

    /// Calls Graph.
    pub(crate) async fn graph(
        &self,
        session: &Session,
        voice: &Voice,
        call: &Call,
    ) -> Result<HttpResponse, Trouble> {
        // Links to further pages come from answers: the token follows them to Graph alone.
        let base =
            Url::parse(&self.settings.graph_base).map_err(|_| Trouble::Token(Failure::Refused(CONFIG)))?;
        let url = Url::parse(&call.url).map_err(|_| Trouble::Token(Failure::Malformed(MALFORMED)))?;
        if url.origin() != base.origin() {
            return Err(Trouble::Token(Failure::Malformed(MALFORMED)));
        }
        match voice {
            Voice::App => self.as_app(&session.app, Audience::Graph, call, url).await,
            Voice::Person(_) => self.as_person(session, voice, call, url).await,
        }
    }

    /// Calls the Bot Connector at a service URL, which has to be on the list of those that may see the token.
    pub(crate) async fn bot(
        &self,
        app: &App,
        service_url: &str,
        method: Method,
        path: &str,
        json: Option<Vec<u8>>,
    ) -> Result<HttpResponse, Trouble> {
        let url = Url::parse(&format!("{}/{path}", service_url.trim_end_matches('/')));
        let Some(url) = url.ok().filter(|url| self.services.include(url)) else {
            return Err(Trouble::Token(Failure::Refused(ADDRESS_BLOCKED)));
        };
        let call = Call { method, url: String::new(), json: json.map(Bytes::from) };
        self.as_app(app, Audience::Bot, &call, url).await
    }

    async fn as_app(
        &self,
        app: &App,
        audience: Audience,
        call: &Call,
        url: Url,
    ) -> Result<HttpResponse, Trouble> {
        let token = self.tokens.get(self, app, audience, None).await.map_err(Trouble::Token)?;
        match self.once(call, &url, &token).await {
            Err(trouble) if trouble.status() == Some(401) => {
                // Revoked or rotated before its end: one fresh token, one more try.
                let token =
                    self.tokens.get(self, app, audience, Some(&token)).await.map_err(Trouble::Token)?;
                self.once(call, &url, &token).await
            }
            answer => answer,
        }
    }

    async fn as_person(
        &self,
        session: &Session,
        voice: &Voice,
        call: &Call,
        url: Url,
    ) -> Result<HttpResponse, Trouble> {
        let Voice::Person(person) = voice else { return Err(Trouble::Token(Failure::SignIn(SIGN_IN))) };
        let slot = TokenSlot::Person(person.clone());
        let set = self.person_token(session, &slot, None).await.map_err(Trouble::Token)?;
        match self.once(call, &url, &set.access).await {
            Err(trouble) if trouble.status() == Some(401) => {
                let set = self.person_token(session, &slot, Some(&set)).await.map_err(Trouble::Token)?;
                self.once(call, &url, &set.access).await
            }
            answer => answer,
        }
    }

    /// A person's token, refreshed where it ended or was refused. The new pair is durable before it is used.
    async fn person_token(
        &self,
        session: &Session,
        slot: &TokenSlot,
        refused: Option<&Arc<TokenSet>>,
    ) -> Result<Arc<TokenSet>, Failure> {
        let gone = Failure::SignIn(SIGN_IN);
        let read = || async {
            session.tokens.get(slot).await.map_err(|error| Failure::Retry { after_ms: None, code: error.0 })
        };
        let usable = |set: &Arc<TokenSet>| {
            let lasts = set.expires_at_ms.is_none_or(|end| self.clock.now_ms() + 60_000 < end);
            lasts && refused.is_none_or(|refused| !set.access.matches(refused.access.expose().as_bytes()))
        };
        let set = read().await?.ok_or_else(|| gone.clone())?;
        if usable(&set) {
            return Ok(set);
        }
        let _turn = session.tokens.lock(slot).await;
        let set = read().await?.ok_or_else(|| gone.clone())?;
        if usable(&set) {
            return Ok(set);
        }
        let refresh = set.refresh.as_ref().ok_or(gone)?;
        let app = &session.app;
        let now = self.clock.now_ms();
        let answer = self
            .token(
                app,
                &[
                    ("grant_type", "refresh_token"),
                    ("refresh_token", refresh.expose()),
                    ("scope", &format!("{} offline_access", self.settings.graph_scope)),
                ],
            )
            .await?;
        let fresh = TokenSet {
            access: answer.access_token,
            refresh: answer.refresh_token.or_else(|| Some(refresh.duplicate())),
            expires_at_ms: Some(now + answer.expires_in.max(1) * 1000),
        };
        session
            .tokens
            .put(slot, fresh)
            .await
            .map_err(|error| Failure::Retry { after_ms: None, code: error.0 })?;
        read().await?.ok_or(Failure::SignIn(SIGN_IN))
    }

    /// One request, once. Any answer but 2xx is a refusal.
    async fn once(&self, call: &Call, url: &Url, token: &Token) -> Result<HttpResponse, Trouble> {
        // It follows no redirect, so that the token goes to this host alone.
        let mut request = HttpRequest::new(call.method.clone(), url.clone()).bearer(token.expose()).header(
            HeaderName::from_static("prefer"),
            // Else system events are shown as `unknownFutureValue`.
            HeaderValue::from_static("include-unknown-enum-members"),
        );
        if let Some(json) = &call.json {
            request = request.body("application/json", json.clone());
        }
        let response = self.http.send(request).await.map_err(Trouble::Http)?;
        if response.status.is_success() {
            return Ok(response);
        }
        let after_ms = retry_after_ms(&response.headers, self.clock.now_ms());
        let scope = response.headers.get("x-ms-throttle-scope").and_then(|value| value.to_str().ok());
        Err(Trouble::Refused(refusal(response.status.as_u16(), response.body.expose(), after_ms, scope)))
    }

    /// Whether an address is Graph's, so that its token may go there.
    pub(crate) fn is_graph(&self, url: &Url) -> bool {
        Url::parse(&self.settings.graph_base).is_ok_and(|base| base.origin() == url.origin())
    }

    /// Whether an address is one that may see the bot's token.
    pub(crate) fn is_service(&self, url: &Url) -> bool {
        self.services.include(url)
    }

    /// Opens what is at an address of a service. Where it leads on to a file's own address, the token stays behind:
    /// such addresses refuse it.
    pub(crate) async fn fetch(
        &self,
        app: &App,
        audience: Audience,
        url: Url,
    ) -> Result<HttpStreamed, Trouble> {
        let token = self.tokens.get(self, app, audience, None).await.map_err(Trouble::Token)?;
        match self.fetch_with(&url, Some(&token)).await {
            Err(trouble) if trouble.status() == Some(401) => {
                let token =
                    self.tokens.get(self, app, audience, Some(&token)).await.map_err(Trouble::Token)?;
                self.fetch_with(&url, Some(&token)).await
            }
            answer => answer,
        }
    }

    /// Opens what is at a file's own address, without a token.
    pub(crate) async fn fetch_open(&self, url: Url) -> Result<HttpStreamed, Trouble> {
        self.fetch_with(&url, None).await
    }

    async fn fetch_with(&self, url: &Url, token: Option<&Token>) -> Result<HttpStreamed, Trouble> {
        let mut request = HttpRequest::new(Method::GET, url.clone());
        if let Some(token) = token {
            let own = url.host_str().unwrap_or_default().to_owned();
            request = request.bearer(token.expose()).only(&Hosts::new(self.file_hosts.iter().chain([&own])));
        } else {
            request = request.only(&Hosts::new(&self.file_hosts));
        }
        request.redirects = HOPS;
        self.streamed(request, None).await
    }

    /// Writes bytes with somebody's token, once: they are gone afterwards.
    pub(crate) async fn put(
        &self,
        session: &Session,
        voice: &Voice,
        url: &str,
        upload: Upload,
    ) -> Result<HttpStreamed, Trouble> {
        let url = Url::parse(url).map_err(|_| Trouble::Token(Failure::Refused(CONFIG)))?;
        let request = |token: &Token| {
            HttpRequest::new(Method::PUT, url.clone()).bearer(token.expose()).only(&Hosts::of(&url))
        };
        let refused = |answer: &Result<_, Trouble>| answer.as_ref().is_err_and(|it| it.status() == Some(401));
        // Revoked before its end: the next attempt has another.
        let again = Trouble::Token(Failure::Retry { after_ms: None, code: SIGN_IN });
        match voice {
            Voice::App => {
                let app = &session.app;
                let token =
                    self.tokens.get(self, app, Audience::Graph, None).await.map_err(Trouble::Token)?;
                let answer = self.streamed(request(&token), Some(upload)).await;
                if refused(&answer) {
                    let fresh = self.tokens.get(self, app, Audience::Graph, Some(&token)).await;
                    return Err(fresh.map_or_else(Trouble::Token, |_| again));
                }
                answer
            }
            Voice::Person(person) => {
                let slot = TokenSlot::Person(person.clone());
                let set = self.person_token(session, &slot, None).await.map_err(Trouble::Token)?;
                let answer = self.streamed(request(&set.access), Some(upload)).await;
                if refused(&answer) {
                    let fresh = self.person_token(session, &slot, Some(&set)).await;
                    return Err(fresh.map_or_else(Trouble::Token, |_| again));
                }
                answer
            }
        }
    }

    /// Writes a part to an upload session, whose address needs no token.
    pub(crate) async fn put_part(
        &self,
        url: Url,
        range: &str,
        upload: Upload,
    ) -> Result<HttpStreamed, Trouble> {
        let range = HeaderValue::from_str(range).map_err(|_| Trouble::Garbled)?;
        let request = HttpRequest::new(Method::PUT, url)
            .header(http::header::CONTENT_RANGE, range)
            .only(&Hosts::new(&self.file_hosts));
        self.streamed(request, Some(upload)).await
    }

    /// Gives an upload session up; it would end by itself.
    pub(crate) async fn close_session(&self, url: Url) {
        let request = HttpRequest::new(Method::DELETE, url).only(&Hosts::new(&self.file_hosts));
        if self.http.send(request).await.is_err() {
            tracing::debug!("an upload session was left to end by itself");
        }
    }

    async fn streamed(&self, request: HttpRequest, upload: Option<Upload>) -> Result<HttpStreamed, Trouble> {
        let answer = self.http.transfer(request, upload).await.map_err(Trouble::Http)?;
        if answer.status.is_success() {
            return Ok(answer);
        }
        let after_ms = retry_after_ms(&answer.headers, self.clock.now_ms());
        let scope = answer.headers.get("x-ms-throttle-scope").and_then(|value| value.to_str().ok());
        let scope = scope.map(str::to_owned);
        let status = answer.status.as_u16();
        let body = answer.read(SMALL).await.map(|answer| answer.body.expose().to_vec()).unwrap_or_default();
        Err(Trouble::Refused(refusal(status, &body, after_ms, scope.as_deref())))
    }

    /// A token for the app itself.
    pub(crate) async fn client_credentials(
        &self,
        app: &App,
        audience: Audience,
    ) -> Result<TokenAnswer, Failure> {
        let scope = match audience {
            Audience::Bot => &self.settings.bot_scope,
            Audience::Graph => &self.settings.graph_scope,
        };
        self.token(app, &[("grant_type", "client_credentials"), ("scope", scope)]).await
    }

    /// Asks the tenant's token endpoint.
    pub(crate) async fn token(&self, app: &App, grant: &[(&str, &str)]) -> Result<TokenAnswer, Failure> {
        let (id, tenant) = (app.fact("app_id"), app.fact("tenant_id"));
        let Some(secret) = app.secret("client_secret").filter(|_| !id.is_empty() && !tenant.is_empty())
        else {
            return Err(Failure::SignIn(CONFIG));
        };
        let url = format!(
            "{}/{}/oauth2/v2.0/token",
            self.settings.login_base.trim_end_matches('/'),
            crate::ids::segment(tenant)
        );
        let url = Url::parse(&url).map_err(|_| Failure::Refused(CONFIG))?;
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("client_id", id)
            .append_pair("client_secret", secret.expose())
            .extend_pairs(grant)
            .finish();
        let mut request = HttpRequest::new(Method::POST, url.clone())
            .only(&Hosts::of(&url))
            .body("application/x-www-form-urlencoded", form);
        request.cap = Some(SMALL);
        // Nobody gets two tokens by asking twice, so a lost answer is no more than a delay.
        let response =
            self.http.send(request).await.map_err(dragoman_platform::http::HttpError::into_failure)?;
        if !response.status.is_success() {
            let after_ms = retry_after_ms(&response.headers, self.clock.now_ms());
            return Err(token_failure(response.status.as_u16(), response.body.expose(), after_ms));
        }
        serde_json::from_slice(response.body.expose()).map_err(|_| Failure::Malformed(MALFORMED))
    }

    /// The key set that OpenID metadata names. `None`: out of reach, or not understood.
    pub(crate) async fn fetch_keys(&self, metadata_url: &str) -> Option<Keys> {
        let url = Url::parse(metadata_url).ok()?;
        let hosts = Hosts::of(&url);
        let metadata: Metadata = serde_json::from_slice(&self.public(url, &hosts).await?).ok()?;
        // Keys are taken from the host of the metadata only.
        let keys = Url::parse(&metadata.jwks_uri).ok()?;
        Keys::parse(&self.public(keys, &hosts).await?)
    }

    async fn public(&self, url: Url, hosts: &Hosts) -> Option<Vec<u8>> {
        let mut request = HttpRequest::new(Method::GET, url).only(hosts);
        request.cap = Some(SMALL);
        request.timeout = Some(Duration::from_secs(5));
        let response = self.http.send(request).await.ok()?;
        response.status.is_success().then(|| response.body.expose().to_vec())
    }

    /// Reads JSON from Graph.
    pub(crate) async fn graph_json<T: DeserializeOwned>(
        &self,
        session: &Session,
        url: String,
    ) -> Result<T, Trouble> {
        self.turn(&url).await;
        self.json_as(session, &Voice::App, &Call::get(url)).await
    }

    /// Reads JSON from Graph as somebody.
    pub(crate) async fn json_as<T: DeserializeOwned>(
        &self,
        session: &Session,
        voice: &Voice,
        call: &Call,
    ) -> Result<T, Trouble> {
        let response = self.graph(session, voice, call).await?;
        serde_json::from_slice(response.body.expose()).map_err(|_| Trouble::Garbled)
    }

    /// Waits for a turn to read a conversation. Graph grants one read a second and counts those that it refuses too, so
    /// that several members of a bridge who read the same message would keep each other from it for ever.
    pub(crate) async fn turn(&self, url: &str) {
        let pause_ms = i64::try_from(self.settings.graph_pause_ms).unwrap_or(i64::MAX);
        let Some((place, _)) = url.split_once("/messages").filter(|_| pause_ms > 0) else { return };
        let now_ms = self.clock.monotonic_ms();
        let at_ms = {
            let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
            turns.retain(|_, last_ms| last_ms.saturating_add(pause_ms) > now_ms);
            let at_ms = turns.get(place).map_or(now_ms, |last_ms| last_ms.saturating_add(pause_ms));
            turns.insert(place.to_owned(), at_ms);
            at_ms
        };
        if let Ok(wait_ms) = u64::try_from(at_ms - now_ms) {
            tokio::time::sleep(Duration::from_millis(wait_ms)).await;
        }
    }

    /// Reads JSON from Graph before there is an installation.
    pub(crate) async fn app_json<T: DeserializeOwned>(&self, app: &App, url: String) -> Result<T, Trouble> {
        let call = Call::get(url);
        let url = Url::parse(&call.url).map_err(|_| Trouble::Token(Failure::Refused(CONFIG)))?;
        let response = self.as_app(app, Audience::Graph, &call, url).await?;
        serde_json::from_slice(response.body.expose()).map_err(|_| Trouble::Garbled)
    }

    /// Reads JSON from Graph with a token that is not kept yet.
    pub(crate) async fn json_with<T: DeserializeOwned>(
        &self,
        token: &Token,
        url: String,
    ) -> Result<T, Trouble> {
        let call = Call::get(url);
        let url = Url::parse(&call.url).map_err(|_| Trouble::Token(Failure::Refused(CONFIG)))?;
        let response = self.once(&call, &url, token).await?;
        serde_json::from_slice(response.body.expose()).map_err(|_| Trouble::Garbled)
    }

    /// Reads JSON from the Bot Connector.
    pub(crate) async fn bot_json<T: DeserializeOwned>(
        &self,
        app: &App,
        service_url: &str,
        path: &str,
    ) -> Result<T, Trouble> {
        let response = self.bot(app, service_url, Method::GET, path, None).await?;
        serde_json::from_slice(response.body.expose()).map_err(|_| Trouble::Garbled)
    }

    /// The pause between two requests of one read.
    pub(crate) async fn pause(&self) {
        if self.settings.graph_pause_ms > 0 {
            tokio::time::sleep(Duration::from_millis(self.settings.graph_pause_ms)).await;
        }
    }
}
