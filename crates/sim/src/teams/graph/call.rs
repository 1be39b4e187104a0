//! One call to Graph: who calls, what they may, how refusals look.

use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::super::entra::{Access, Audience, Who};
use super::super::http::{Req, Res};
use super::super::ids::iso;
use super::super::limits::{Rule as Limit, seconds};
use super::super::model::{Author, Conversation, Place, Refusal};
use super::super::rights::Rule;
use super::super::sim::Core;
use super::super::wire::View;

/// A refusal.
#[derive(Debug)]
pub(super) struct Error {
    pub status: u16,
    pub code: &'static str,
    pub message: String,
    pub retry_after: Option<(String, String)>,
}

/// Builds a refusal.
pub(super) fn error(status: u16, code: &'static str, message: impl Into<String>) -> Error {
    Error { status, code, message: message.into(), retry_after: None }
}

pub(super) fn bad(message: impl Into<String>) -> Error {
    error(400, "BadRequest", message)
}

pub(super) fn not_found(message: impl Into<String>) -> Error {
    error(404, "NotFound", message)
}

impl From<Refusal> for Error {
    fn from(r: Refusal) -> Self {
        match r {
            Refusal::NoConversation => not_found("Conversation not found."),
            Refusal::NoMessage => not_found("Message not found."),
            Refusal::NotARoot => bad("Replies can be sent to the root message of a thread only."),
            Refusal::NotAuthor => {
                error(403, "Forbidden", "InsufficientPrivileges: only the author may change the message.")
            }
            Refusal::NotMember => {
                error(403, "Forbidden", "InsufficientPrivileges: the user is not part of the conversation.")
            }
            Refusal::Blocked => error(403, "Forbidden", "The conversation is read-only or archived."),
            Refusal::Deleted => bad("The message is deleted."),
            Refusal::BadName => bad("The provided name cannot be the name of a file."),
            Refusal::NoOffer | Refusal::Answered => bad("The message offers no file."),
        }
    }
}

/// The body of an error.
pub(super) fn body(e: &Error, request_id: &str, client_id: &str, date: &str) -> Res {
    let mut inner = json!({"date": date, "request-id": request_id, "client-request-id": client_id});
    if e.status == 429 {
        inner["code"] = json!("429");
        inner["status"] = json!("429");
        inner["message"] = json!("Please retry after");
    }
    let mut res =
        Res::json(e.status, &json!({"error": {"code": e.code, "message": e.message, "innerError": inner}}));
    if let Some((after, scope)) = &e.retry_after {
        res = res.with("retry-after", after.clone());
        if !scope.is_empty() {
            res = res.with("x-ms-throttle-scope", scope.clone());
        }
    }
    res
}

/// The answer when a bucket is empty, with a `Retry-After` text.
pub(in super::super) fn throttled(retry_after: &str) -> Response {
    let mut e = error(429, "TooManyRequests", "Please retry again later.");
    e.retry_after = Some((retry_after.to_owned(), "Tenant_Application/ReadWrite/sim/sim".into()));
    body(&e, "00000000-0000-4000-8000-000000000429", "", &iso(0)).into_response()
}

/// The answer of a failing service.
pub(in super::super) fn broken(status: u16) -> Response {
    let (code, text) = match status {
        503 => ("ServiceUnavailable", "Service unavailable."),
        504 => ("GatewayTimeout", "The gateway timed out."),
        502 => ("BadGateway", "Bad gateway."),
        412 => ("PreconditionFailed", "Precondition failed."),
        _ => ("InternalServerError", "An internal server error occurred."),
    };
    body(&error(status, code, text), "00000000-0000-4000-8000-000000000500", "", &iso(0)).into_response()
}

/// A call with a valid token.
pub(super) struct Call<'a> {
    pub core: &'a mut Core,
    pub req: &'a Req,
    pub access: Access,
}

impl<'a> Call<'a> {
    /// Reads the token.
    pub(super) fn open(core: &'a mut Core, req: &'a Req) -> Result<Self, Error> {
        let denied = |text: &str| error(401, "InvalidAuthenticationToken", text);
        let token = req.bearer().ok_or_else(|| denied("Access token is empty."))?;
        let access = core.entra.access.get(token).cloned();
        let access =
            access.ok_or_else(|| denied("IDX14100: JWT is not well formed or its signature is invalid."))?;
        if access.audience != Audience::Graph {
            return Err(denied("Access token validation failure. Invalid audience."));
        }
        if access.expires <= req.now {
            return Err(denied("Lifetime validation failed, the token is expired."));
        }
        Ok(Self { core, req, access })
    }

    /// How objects are written for this caller.
    pub(super) fn view(&self) -> View {
        let prefer = self.req.header("prefer").unwrap_or("");
        View {
            origin: self.req.origin.clone(),
            unknown_members: prefer.to_ascii_lowercase().contains("include-unknown-enum-members"),
        }
    }

    /// The person behind a delegated token.
    pub(super) fn user(&self) -> Option<&str> {
        match &self.access.who {
            Who::User(oid) => Some(oid),
            Who::App => None,
        }
    }

    /// The person as author; a refusal for application tokens.
    pub(super) fn person(&self) -> Result<Author, Error> {
        self.user().map(|oid| Author::User(oid.to_owned())).ok_or_else(|| {
            error(403, "Forbidden", "Requested API is not supported in application-only context")
        })
    }

    /// Checks the permissions of a call.
    pub(super) fn need(&self, rule: &Rule, place: Option<&Place>) -> Result<(), Error> {
        let list = |l: &[&str]| l.join(", ");
        match &self.access.who {
            Who::User(_) => {
                let has = rule.delegated.iter().any(|s| self.access.scopes.contains(*s));
                if has {
                    return Ok(());
                }
                let scopes: Vec<&str> = self.access.scopes.iter().map(String::as_str).collect();
                Err(error(
                    403,
                    "Forbidden",
                    format!(
                        "Missing scope permissions on the request. API requires one of '{}'. Scopes on the request '{}'",
                        list(rule.delegated),
                        list(&scopes)
                    ),
                ))
            }
            Who::App if rule.app.is_empty() && rule.rsc.is_empty() => {
                Err(error(403, "Forbidden", "Requested API is not supported in application-only context"))
            }
            Who::App => {
                let roles = self.core.tenant.apps.get(&self.access.app).map(|a| a.seed.roles.clone());
                let roles = roles.unwrap_or_default();
                let grants = place.map(|p| self.core.tenant.grants(&self.access.app, p)).unwrap_or_default();
                let has = rule.app.iter().any(|r| roles.iter().any(|x| x == r))
                    || rule.rsc.iter().any(|r| grants.iter().any(|x| x == r));
                if has {
                    return Ok(());
                }
                let wanted: Vec<&str> = rule.app.iter().chain(rule.rsc).copied().collect();
                Err(error(
                    403,
                    "Forbidden",
                    format!(
                        "Missing role permissions on the request. API requires one of '{}'. Roles on the request \
                         '{}'. Resource specific consent grants on the request '{}'.",
                        list(&wanted),
                        roles.join(", "),
                        grants.join(", ")
                    ),
                ))
            }
        }
    }

    /// A conversation that the caller may look at, without its messages.
    pub(super) fn conversation(&self, id: &str, team: Option<&str>) -> Result<Conversation, Error> {
        let c = self.core.tenant.conversations.get(id).filter(|c| !c.removed && c.team.as_deref() == team);
        let c = c.ok_or_else(|| {
            not_found(if team.is_some() { "The channel was not found." } else { "The chat was not found." })
        })?;
        if self.user().is_some_and(|oid| !self.core.tenant.sees(oid, c)) {
            return Err(Refusal::NotMember.into());
        }
        Ok(c.head())
    }

    /// The same conversation with its messages.
    pub(super) fn full(&self, head: &Conversation) -> Result<&Conversation, Error> {
        self.core.tenant.conversations.get(&head.id).ok_or_else(|| Refusal::NoConversation.into())
    }

    /// Checks permissions in the place of a conversation.
    pub(super) fn need_in(&self, rule: &Rule, c: &Conversation) -> Result<(), Error> {
        let place = c.place();
        self.need(rule, Some(&place))
    }

    /// Counts the call against the published limits: per resource, per user, per app and tenant.
    pub(super) fn limit(
        &mut self,
        class: &str,
        resource: Option<(&str, usize)>,
        tenant: usize,
        user: Option<usize>,
    ) -> Result<(), Error> {
        let limits = self.core.tenant.config.limits.clone();
        if !limits.graph {
            return Ok(());
        }
        let app = self.access.app.clone();
        let tid = self.core.tenant.config.tenant.id.clone();
        let mut worst: Option<(u64, String)> = None;
        let mut check = |core: &mut Core, key: String, rule: Limit, scope: String| {
            if let Err(ms) = core.windows.hit(&key, &[rule], limits.speed, self.req.now)
                && worst.as_ref().is_none_or(|(w, _)| ms > *w)
            {
                worst = Some((ms, scope));
            }
        };
        if let Some((id, max)) = resource {
            let key = format!("graph|{class}|{app}|{id}");
            check(self.core, key, (max, 1_000), format!("Application/{class}/{app}/{id}"));
        }
        if let (Some(max), Who::User(oid)) = (user, &self.access.who) {
            let key = format!("graph|{class}|{app}|user|{oid}");
            check(self.core, key, (max, 1_000), format!("Application/{class}/{app}/{oid}"));
        }
        let key = format!("graph|{class}|{app}");
        check(self.core, key, (tenant, 1_000), format!("Tenant_Application/{class}/{app}/{tid}"));
        let Some((ms, scope)) = worst else { return Ok(()) };
        let mut e = error(429, "TooManyRequests", "Please retry again later.");
        e.retry_after = Some((seconds(ms), scope));
        Err(e)
    }
}
