//! Installations: links with a state that works once, the callback, and what is kept of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dragoman_model::{AppId, InstallationId, PersonId, Random, codes};
use dragoman_platform::{App, Grant, InstallError, Installed, TokenSlot};
use dragoman_relay::{ConsentLinks, Place, Relay};
use dragoman_seal::Token;
use dragoman_store::{AuditRow, InstallationRow, Mutation};
use http::StatusCode;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use crate::admin::Problem;
use crate::http::{Answer, Request, respond};
use crate::page::page;

/// How long a link works, in milliseconds.
const LINK_LIFE_MS: i64 = 15 * 60 * 1000;
/// Links under way at once; one more forgets the oldest.
const MOST_ATTEMPTS: usize = 256;

/// What somebody does whose permission was not taken.
const PERSON_AGAIN: &str = "start again, with `connect` to the app or `dragoman person token`";

/// How an attempt stands.
#[derive(Clone, Debug)]
pub enum Progress {
    /// Nobody has come back yet.
    Waiting,
    /// Installed.
    Done(InstallationId),
    /// It failed.
    Failed(Problem),
}

/// A link to send an admin's browser to.
#[derive(Clone, Debug)]
pub struct Started {
    /// The link.
    pub link: String,
    /// Names the attempt towards [`InstallDesk::watch`].
    pub ticket: String,
    /// End of the link, milliseconds since 1970.
    pub expires_ms: i64,
}

/// What a browser is sent for.
#[derive(Clone)]
enum Errand {
    /// To install an app.
    Install(AppId),
    /// To let a person speak in their own name.
    Person {
        /// Where.
        installation: InstallationId,
        /// Who.
        person: PersonId,
    },
}

struct Attempt {
    errand: Errand,
    verifier: Token,
    ticket: String,
    expires_ms: i64,
    progress: watch::Sender<Progress>,
}

/// Installations under way.
pub struct InstallDesk {
    relay: Relay,
    public_url: String,
    tasks: TaskTracker,
    /// By digest of the state, in the order of their tickets.
    attempts: Mutex<BTreeMap<Vec<u8>, Attempt>>,
    /// Results that somebody may still ask for.
    results: Mutex<BTreeMap<String, (i64, watch::Receiver<Progress>)>>,
}

impl InstallDesk {
    /// A desk; `public_url` is where browsers reach the gateway, without a slash at its end.
    pub fn new(relay: Relay, public_url: &str, tasks: TaskTracker) -> Self {
        let public_url = public_url.trim_end_matches('/').to_owned();
        Self { relay, public_url, tasks, attempts: Mutex::default(), results: Mutex::default() }
    }

    /// Where a platform sends browsers back to.
    pub fn redirect_uri(&self, platform: &str) -> String {
        format!("{}/oauth/{platform}/callback", self.public_url)
    }

    /// Starts an attempt for an app.
    pub fn start(&self, app: &AppId) -> Result<Started, Problem> {
        let directory = self.relay.directory();
        let app =
            directory.app(app).ok_or_else(|| Problem::no_such("app", app.as_str(), "dragoman app list"))?;
        let connector = self
            .relay
            .connectors()
            .get(app.platform.0)
            .ok_or_else(|| Problem::no_such("platform", app.platform.0, "dragoman app list"))?;
        let redirect = self.redirect_uri(app.platform.0);
        self.begin(Errand::Install(app.id.clone()), |state, challenge| {
            Ok(connector.authorize_url(app, &redirect, state, challenge))
        })
    }

    /// Starts the granting of a person's own token at an installation.
    pub(crate) fn start_person(&self, place: &Place, person: &PersonId) -> Result<Started, Problem> {
        let app = &place.session.app;
        let redirect = self.redirect_uri(app.platform.0);
        let installation = place.session.installation.id.clone();
        self.begin(Errand::Person { installation, person: person.clone() }, |state, challenge| {
            place.connector.authorize_person_url(app, &redirect, state, challenge).ok_or_else(|| {
                let what =
                    format!("people cannot grant tokens of their own through this {} app", app.platform);
                Problem::wrong(what, "their messages go out through the app, with their name")
            })
        })
    }

    fn begin(
        &self,
        errand: Errand,
        link: impl FnOnce(&str, &str) -> Result<String, Problem>,
    ) -> Result<Started, Problem> {
        let random = &**self.relay.random();
        let (state, verifier) = (secret(random), secret(random));
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.expose().as_bytes()));
        let link = link(state.expose(), &challenge)?;
        let now_ms = self.relay.clock().now_ms();
        let expires_ms = now_ms + LINK_LIFE_MS;
        let ticket = InstallationId::fresh(now_ms, random).to_string();
        let (progress, seen) = watch::channel(Progress::Waiting);
        let attempt = Attempt { errand, verifier, ticket: ticket.clone(), expires_ms, progress };
        self.remember(digest_of(state.expose()), attempt, seen, now_ms);
        Ok(Started { link, ticket, expires_ms })
    }

    fn remember(&self, key: Vec<u8>, attempt: Attempt, seen: watch::Receiver<Progress>, now_ms: i64) {
        let mut results = self.results.lock().unwrap_or_else(PoisonError::into_inner);
        results.retain(|_, (expires_ms, _)| *expires_ms + LINK_LIFE_MS > now_ms);
        results.insert(attempt.ticket.clone(), (attempt.expires_ms, seen));
        while results.len() > MOST_ATTEMPTS {
            results.pop_first();
        }
        drop(results);
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        attempts.retain(|_, attempt| attempt.expires_ms > now_ms);
        attempts.insert(key, attempt);
        if attempts.len() > MOST_ATTEMPTS {
            let oldest =
                attempts.iter().min_by(|a, b| a.1.ticket.cmp(&b.1.ticket)).map(|(key, _)| key.clone());
            oldest.and_then(|key| attempts.remove(&key));
        }
    }

    /// Follows an attempt; `None`: there is none, or it is over for long.
    pub fn watch(&self, ticket: &str) -> Option<watch::Receiver<Progress>> {
        let results = self.results.lock().unwrap_or_else(PoisonError::into_inner);
        results.get(ticket).map(|(_, seen)| seen.clone())
    }

    /// Answers a browser that comes back from `platform`.
    pub(crate) async fn callback(self: &Arc<Self>, platform: &str, request: &Request) -> Answer {
        if !self.relay.connectors().contains_key(platform) {
            return respond(StatusCode::NOT_FOUND, "text/plain; charset=utf-8", "");
        }
        if request.peer.secure == Some(false) {
            let what = "The proxy in front of the gateway let the browser come back over plain HTTP.";
            return page(
                StatusCode::FORBIDDEN,
                "Not installed",
                &[what, "Use the https address and start again."],
            );
        }
        let query = request.query.as_deref().unwrap_or_default();
        let query: Vec<(String, String)> =
            url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let Some(attempt) = self.take(&query) else {
            let what = "This link was used already, or is older than 15 minutes.";
            return page(
                StatusCode::BAD_REQUEST,
                "Not installed",
                &[what, "Start again with `dragoman install start`."],
            );
        };
        let grant = Grant {
            query,
            redirect_uri: self.redirect_uri(platform),
            code_verifier: attempt.verifier.expose().to_owned(),
        };
        // In a task of its own: a browser that goes away must not leave a code exchanged and a token lost.
        let desk = Arc::clone(self);
        let platform = platform.to_owned();
        let task = self.tasks.spawn(async move {
            let (result, answer) = match &attempt.errand {
                Errand::Install(app) => {
                    let result = desk.exchange(&platform, app, grant).await;
                    let answer = result_page(&result);
                    (result, answer)
                }
                Errand::Person { installation, person } => {
                    let result = desk.grant(&platform, installation, person, grant).await;
                    let answer = granted_page(&result);
                    (result, answer)
                }
            };
            attempt.progress.send_replace(match result {
                Ok((installation, _)) => Progress::Done(installation),
                Err(problem) => Progress::Failed(problem),
            });
            answer
        });
        task.await.unwrap_or_else(|_| {
            page(
                StatusCode::INTERNAL_SERVER_ERROR,
                "Not installed",
                &["The gateway is stopping. Start again later."],
            )
        })
    }

    /// The attempt that this state belongs to. Whatever comes of it, the state is used up.
    fn take(&self, query: &[(String, String)]) -> Option<Attempt> {
        let state = query.iter().find(|(name, _)| name == "state").map(|(_, value)| value)?;
        let attempt =
            self.attempts.lock().unwrap_or_else(PoisonError::into_inner).remove(&digest_of(state))?;
        (attempt.expires_ms > self.relay.clock().now_ms()).then_some(attempt)
    }

    async fn exchange(
        &self,
        platform: &str,
        app: &AppId,
        grant: Grant,
    ) -> Result<(InstallationId, String), Problem> {
        let directory = self.relay.directory();
        let app = directory.app(app).filter(|app| app.platform.0 == platform);
        let app = app.ok_or_else(|| Problem::no_such("app", platform, "dragoman app list"))?;
        let connector = self.relay.connectors().get(platform);
        let connector =
            connector.ok_or_else(|| Problem::no_such("platform", platform, "dragoman app list"))?;
        let installed = connector.install(app, &grant).await.map_err(|error| problem_of(&error))?;
        self.keep(app, installed, "installation.add").await
    }

    /// Takes a person's own token, if it is of the account that is linked.
    async fn grant(
        &self,
        platform: &str,
        installation: &InstallationId,
        person: &PersonId,
        grant: Grant,
    ) -> Result<(InstallationId, String), Problem> {
        let relay = &self.relay;
        let gone = || Problem::no_such("installation", installation.as_str(), "dragoman install list");
        let place = relay.directory().place(installation).cloned();
        let place = place.filter(|it| it.session.app.platform.0 == platform).ok_or_else(gone)?;
        let session = &place.session;
        let granted = place.connector.grant_person(&session.app, &session.installation, &grant).await;
        let granted = granted.map_err(|error| person_problem(&error))?;
        // As it is linked now: it may have been unlinked since the link was printed.
        let linked = relay.directory().account(installation, person).cloned();
        if linked.as_ref() != Some(&granted.user) {
            return Err(Problem::new(
                codes::REFUSED,
                "another account consented than the one that is linked to this person",
                format!("sign in there as the person and {PERSON_AGAIN}"),
            ));
        }
        session
            .tokens
            .put(&TokenSlot::Person(person.clone()), granted.tokens)
            .await
            .map_err(|error| Problem::new(error.0, "the token could not be stored", PERSON_AGAIN))?;
        let audit = AuditRow {
            org: Some(session.installation.org.clone()),
            at_ms: relay.clock().now_ms(),
            // Whoever printed the link, it was the person who consented.
            actor: "platform".to_owned(),
            act: "person.token-granted".to_owned(),
            subject: format!("{person} {installation}"),
        };
        relay.store().commit(Mutation::Audit(audit)).await?;
        relay.reload().await?;
        Ok((installation.clone(), place.name.clone()))
    }

    /// Takes over a token that an admin has already.
    pub(crate) async fn adopt(&self, app: &AppId, token: Token) -> Result<InstallationId, Problem> {
        let directory = self.relay.directory();
        let app =
            directory.app(app).ok_or_else(|| Problem::no_such("app", app.as_str(), "dragoman app list"))?;
        let connector = self.relay.connectors().get(app.platform.0);
        let connector =
            connector.ok_or_else(|| Problem::no_such("platform", app.platform.0, "dragoman app list"))?;
        let installed = connector.adopt(app, token).await.map_err(|error| problem_of(&error))?;
        self.keep(app, installed, "installation.adopt").await.map(|(id, _)| id)
    }

    /// Makes an installation durable: the row, then the token under it.
    async fn keep(
        &self,
        app: &App,
        installed: Installed,
        act: &str,
    ) -> Result<(InstallationId, String), Problem> {
        let relay = &self.relay;
        let now_ms = relay.clock().now_ms();
        let known = relay.directory().installation(&app.id, &installed.workspace).cloned();
        let id = known.unwrap_or_else(|| InstallationId::fresh(now_ms, &**relay.random()));
        let row = InstallationRow {
            id: id.clone(),
            org: app.org.clone(),
            app: app.id.clone(),
            workspace: installed.workspace,
            name: installed.name.clone(),
            facts: installed.facts,
            scopes: installed.scopes,
            trouble: None,
            created_ms: now_ms,
        };
        relay.install(row).await?;
        if let Some(tokens) = installed.tokens {
            let directory = relay.directory();
            let place = directory.place(&id).ok_or_else(Problem::stopping)?;
            place.session.tokens.put(&TokenSlot::App, tokens).await.map_err(|error| {
                Problem::new(
                    error.0,
                    "the token could not be stored",
                    "start again with `dragoman install start`",
                )
            })?;
        }
        let audit = AuditRow {
            org: Some(app.org.clone()),
            at_ms: now_ms,
            actor: "operator".to_owned(),
            act: act.to_owned(),
            subject: format!("{id} {}", app.id),
        };
        relay.store().commit(Mutation::Audit(audit)).await?;
        crate::steer::refresh(relay, &id);
        relay.hear_people(&id).await;
        Ok((id, installed.name))
    }
}

impl ConsentLinks for InstallDesk {
    fn link(&self, place: &Place, person: &PersonId) -> Option<String> {
        self.start_person(place, person).ok().map(|started| started.link)
    }
}

fn result_page(result: &Result<(InstallationId, String), Problem>) -> Answer {
    match result {
        Ok((_, name)) => {
            let done = format!("The app is installed in {name}.");
            let next =
                "You can close this window. The next step is shown where you ran `dragoman install start`.";
            page(StatusCode::OK, "Installed", &[&done, next])
        }
        Err(problem) => {
            let cure = format!("{} ({})", problem.cure, problem.code);
            page(StatusCode::BAD_REQUEST, "Not installed", &[&problem.what, &cure])
        }
    }
}

fn granted_page(result: &Result<(InstallationId, String), Problem>) -> Answer {
    match result {
        Ok((_, name)) => {
            let done = format!(
                "What you write elsewhere in bridged conversations now stands in your own name in {name}."
            );
            page(StatusCode::OK, "Granted", &[&done, "You can close this window."])
        }
        Err(problem) => {
            let cure = format!("{} ({})", problem.cure, problem.code);
            page(StatusCode::BAD_REQUEST, "Not granted", &[&problem.what, &cure])
        }
    }
}

/// The same for a person's own token.
fn person_problem(error: &InstallError) -> Problem {
    let again = PERSON_AGAIN;
    match error {
        InstallError::Denied => Problem::new(codes::REFUSED, "the person did not consent", again),
        InstallError::Rejected(why) => {
            Problem::new(codes::SIGN_IN, format!("the platform's grant was not taken: {why}"), again)
        }
        InstallError::Unreachable(code) => {
            Problem::new(*code, format!("the platform could not be reached ({code})"), again)
        }
    }
}

fn problem_of(error: &InstallError) -> Problem {
    let text = error.to_string();
    let (what, cure) = text.split_once("; ").unwrap_or((&text, "start again with `dragoman install start`"));
    let code = match error {
        InstallError::Denied => codes::REFUSED,
        InstallError::Rejected(_) => codes::SIGN_IN,
        InstallError::Unreachable(code) => *code,
    };
    Problem::new(code, what, cure)
}

/// 256 bits that nobody can guess.
fn secret(random: &dyn Random) -> Token {
    let mut bytes = [0_u8; 32];
    random.fill(&mut bytes);
    Token::new(URL_SAFE_NO_PAD.encode(bytes))
}

/// States are looked up by digest, so that the time of the look-up tells nothing.
fn digest_of(state: &str) -> Vec<u8> {
    digest(&SHA256, state.as_bytes()).as_ref().to_vec()
}
