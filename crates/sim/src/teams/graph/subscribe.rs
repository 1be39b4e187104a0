//! `/subscriptions`: create, read, renew, reauthorize, delete.

use std::sync::Arc;

use serde_json::Value;

use super::super::entra::Who;
use super::super::http::{Req, Res};
use super::super::ids::parse_iso;
use super::super::model::{Place, State};
use super::super::notify;
use super::super::sim::Inner;
use super::super::subscriptions::{
    Filter, Lives, Resource, Subscription, Wanted, certificate, lifetime, wanted,
};
use super::super::wire;
use super::call::{Call, Error, bad, error, not_found};

const REFUSED: &str = "Subscription validation request failed. Notification endpoint must respond with 200 OK to validation \
                       request.";
const IN_ALL: usize = 10_000;
const PER_USER: usize = 10;

fn invalid(message: impl Into<String>) -> Error {
    error(400, "InvalidRequest", message)
}

fn lives(state: &State) -> Lives {
    let t = &state.config.timing;
    Lives { max: t.subscription_max, without_lifecycle: t.subscription_max_without_lifecycle }
}

/// Checks that the resource exists and the caller may watch it, and that no quota is used up.
fn admissible(call: &Call<'_>, w: &Wanted) -> Result<(), Error> {
    let state = &call.core.tenant;
    let place = match &w.resource {
        Resource::Channel { team, channel } => {
            call.conversation(channel, Some(team))?;
            Some(Place::Team(team.clone()))
        }
        Resource::Chat(id) | Resource::ChatMembers(id) => {
            let c = call.conversation(id, None)?;
            Some(c.place())
        }
        Resource::ChannelList(Some(team)) | Resource::TeamMembers(team) => {
            state.teams.get(team).ok_or_else(|| not_found("No team found with Group Id."))?;
            Some(Place::Team(team.clone()))
        }
        Resource::UserChats(oid) => {
            if call.user().is_some_and(|u| u != oid) {
                return Err(error(
                    403,
                    "Forbidden",
                    "Only the own chats can be watched with a delegated token.",
                ));
            }
            None
        }
        _ => None,
    };
    call.need(&w.resource.rule(state.config.doubts.chat_rsc_may_subscribe), place.as_ref())?;
    let live = |s: &&Subscription| s.expires > call.req.now;
    let all = &call.core.subscriptions;
    let same = |s: &&Subscription| s.app == call.access.app && s.resource == w.resource;
    let limit = if matches!(w.resource, Resource::UserChats(_)) { PER_USER } else { 1 };
    if all.values().filter(live).filter(same).count() >= limit {
        return Err(error(
            403,
            "Forbidden",
            format!(
                "Number of subscriptions for the application and the resource has exceeded the limit of {limit}."
            ),
        ));
    }
    if all.values().filter(live).count() >= IN_ALL {
        return Err(error(
            403,
            "Forbidden",
            format!("Number of subscriptions in the organization has exceeded the limit of {IN_ALL}."),
        ));
    }
    Ok(())
}

/// `POST /subscriptions`
pub(super) async fn create(inner: &Arc<Inner>, req: &Req) -> Result<Res, Error> {
    let (mut w, who, app) = {
        let mut core = inner.core();
        let mut call = Call::open(&mut core, req)?;
        call.limit("Subscriptions", None, 30, None)?;
        let body = req.json().ok_or_else(|| bad("Unable to read JSON request payload."))?;
        let mut w = wanted(&body, req.now, lives(&call.core.tenant)).map_err(invalid)?;
        if let (Resource::UserChats(id), Some(oid)) = (&mut w.resource, call.user())
            && id == "me"
        {
            oid.clone_into(id);
        }
        admissible(&call, &w)?;
        (w, call.access.who.clone(), call.access.app.clone())
    };
    for url in std::iter::once(&w.url).chain(&w.lifecycle_url) {
        if !notify::validate(inner, url).await {
            return Err(invalid(REFUSED));
        }
    }
    let mut core = inner.core();
    let id = core.tenant.guid();
    let call = Call::open(&mut core, req)?;
    // Somebody may have taken the place during the handshake.
    admissible(&call, &w)?;
    let view = call.view();
    let subscription = Subscription {
        id: id.clone(),
        app,
        who,
        filter: Filter::parse(&w.resource_text),
        resource: w.resource,
        resource_text: w.resource_text,
        change_types: std::mem::take(&mut w.change_types),
        url: w.url,
        lifecycle_url: w.lifecycle_url,
        client_state: w.client_state,
        tls: w.tls,
        expires: w.expires,
        with_data: w.with_data,
        certificate: w.certificate,
        pause_at: None,
    };
    let object = subscription.json();
    notify::watch_end(inner, &core, &subscription);
    core.subscriptions.insert(id, subscription);
    Ok(Res::json(201, &wire::with_context(&view, "subscriptions/$entity", object)))
}

/// The caller's live subscription.
fn own(call: &Call<'_>, id: &str) -> Result<Subscription, Error> {
    let s = call.core.subscriptions.get(id).filter(|s| s.app == call.access.app && s.expires > call.req.now);
    let s = s.cloned().ok_or_else(|| error(404, "ResourceNotFound", "The object was not found."))?;
    match (&s.who, &call.access.who) {
        (Who::User(a), Who::User(b)) if a != b => {
            Err(error(404, "ResourceNotFound", "The object was not found."))
        }
        _ => Ok(s),
    }
}

/// `GET /subscriptions`
pub(super) fn list(call: &mut Call<'_>) -> Result<Res, Error> {
    call.limit("Subscriptions", None, 30, None)?;
    let items: Vec<Value> = call
        .core
        .subscriptions
        .values()
        .filter(|s| s.app == call.access.app && s.expires > call.req.now)
        .filter(|s| match (&s.who, &call.access.who) {
            (Who::User(a), Who::User(b)) => a == b,
            (Who::User(_) | Who::App, Who::App) => true,
            (Who::App, Who::User(_)) => false,
        })
        .map(Subscription::json)
        .collect();
    Ok(Res::json(200, &wire::collection(&call.view(), "subscriptions", items, None)))
}

/// `GET /subscriptions/{id}`
pub(super) fn get(call: &mut Call<'_>, id: &str) -> Result<Res, Error> {
    let s = own(call, id)?;
    Ok(Res::json(200, &wire::with_context(&call.view(), "subscriptions/$entity", s.json())))
}

/// `DELETE /subscriptions/{id}`
pub(super) fn delete(call: &mut Call<'_>, id: &str) -> Result<Res, Error> {
    own(call, id)?;
    call.core.subscriptions.remove(id);
    Ok(Res::empty(204))
}

/// `POST /subscriptions/{id}/reauthorize`
pub(super) fn reauthorize(call: &mut Call<'_>, id: &str) -> Result<Res, Error> {
    let s = own(call, id)?;
    still_allowed(call, &s)?;
    if let Some(s) = call.core.subscriptions.get_mut(id) {
        s.pause_at = None;
    }
    Ok(Res::empty(204))
}

fn still_allowed(call: &Call<'_>, s: &Subscription) -> Result<(), Error> {
    let place = match &s.resource {
        Resource::Channel { team, .. } | Resource::ChannelList(Some(team)) | Resource::TeamMembers(team) => {
            Some(Place::Team(team.clone()))
        }
        Resource::Chat(id) | Resource::ChatMembers(id) => Some(Place::Chat(id.clone())),
        _ => None,
    };
    call.need(&s.resource.rule(call.core.tenant.config.doubts.chat_rsc_may_subscribe), place.as_ref())
}

/// `PATCH /subscriptions/{id}`
pub(super) async fn renew(inner: &Arc<Inner>, req: &Req, id: &str) -> Result<Res, Error> {
    let body = req.json().ok_or_else(|| bad("Unable to read JSON request payload."))?;
    let url = body["notificationUrl"].as_str().map(str::to_owned);
    {
        let mut core = inner.core();
        let call = Call::open(&mut core, req)?;
        let s = own(&call, id)?;
        still_allowed(&call, &s)?;
        if body.get("lifecycleNotificationUrl").is_some_and(|u| u.as_str() != s.lifecycle_url.as_deref()) {
            return Err(invalid("lifecycleNotificationUrl cannot be changed."));
        }
        for fixed in ["resource", "changeType"] {
            if body.get(fixed).is_some() {
                return Err(invalid(format!("{fixed} cannot be changed.")));
            }
        }
    }
    if let Some(url) = &url
        && !notify::validate(inner, url).await
    {
        return Err(invalid(REFUSED));
    }
    let mut core = inner.core();
    let lives = lives(&core.tenant);
    let call = Call::open(&mut core, req)?;
    let mut s = own(&call, id)?;
    let view = call.view();
    if let Some(text) = body["expirationDateTime"].as_str() {
        let at = parse_iso(text)
            .ok_or_else(|| invalid("expirationDateTime is not a date and time in ISO 8601."))?;
        lifetime(at, req.now, lives, s.lifecycle_url.is_some()).map_err(invalid)?;
        s.expires = at;
    }
    if let Some(c) = certificate(&body, false).map_err(invalid)? {
        s.certificate = Some(c);
    }
    if let Some(url) = url {
        s.url = url;
    }
    if let Some(state) = body["clientState"].as_str() {
        s.client_state = Some(state.to_owned());
    }
    s.pause_at = None;
    let object = s.json();
    notify::watch_end(inner, &core, &s);
    core.subscriptions.insert(id.to_owned(), s);
    Ok(Res::json(200, &wire::with_context(&view, "subscriptions/$entity", object)))
}
