//! `/webhooks`.

use std::collections::VecDeque;

use url::Url;

use super::super::desk::Desk;
use super::super::dispatch::{ApiResult, Caller, Reply, paged};
use super::super::error::{ApiError, bad_id, forbidden, not_found, refuse};
use super::super::hooks::{Webhook, conditions, events_of};
use super::super::ids;

/// Webhooks belong to a person and an application.
fn owned(webhook: &Webhook, caller: &Caller) -> bool {
    webhook.creator == caller.person.uuid && webhook.client == caller.token.client
}

fn find(desk: &Desk<'_>, caller: &Caller, id: &str) -> Result<String, ApiError> {
    let named = ids::read("WEBHOOK", id).ok_or_else(bad_id)?;
    desk.state
        .webhooks
        .get(&named.key)
        .filter(|webhook| named.is_in(&webhook.cluster) && owned(webhook, caller))
        .map(|webhook| webhook.uuid.clone())
        .ok_or_else(|| not_found("webhook"))
}

/// `GET /webhooks`.
pub(super) fn list(desk: &mut Desk<'_>, caller: &Caller) -> ApiResult {
    let org_wide = caller.query("ownedBy") == Some("org");
    let found: Vec<&Webhook> = desk
        .state
        .webhooks
        .values()
        .filter(|webhook| owned(webhook, caller) && (!org_wide || webhook.org_wide))
        .collect();
    paged(caller, &desk.config.doubts, &found, (100, 100), |webhook| webhook.id(), |webhook| webhook.view())
}

fn target(text: Option<String>) -> Result<String, ApiError> {
    let text = text.ok_or_else(|| refuse(400, "targetUrl cannot be null"))?;
    match Url::parse(&text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(text),
        _ => Err(refuse(400, "targetUrl is not a valid URL")),
    }
}

fn readable(caller: &Caller, resource: &str) -> Result<(), ApiError> {
    let scopes: &[&str] = match resource {
        "messages" | "attachmentActions" => &["spark:messages_read"],
        "memberships" => &["spark:memberships_read"],
        "rooms" => &["spark:rooms_read"],
        _ => &["spark:messages_read", "spark:memberships_read", "spark:rooms_read"],
    };
    scopes.iter().try_for_each(|scope| caller.needs(scope))
}

/// `POST /webhooks`.
pub(super) fn create(desk: &mut Desk<'_>, caller: &Caller) -> ApiResult {
    let fields = &caller.fields;
    let name = fields.text("name").ok_or_else(|| refuse(400, "name cannot be empty"))?;
    let target = target(fields.text("targetUrl"))?;
    let resource = fields.text("resource").ok_or_else(|| refuse(400, "resource cannot be null"))?;
    let event = fields.text("event").ok_or_else(|| refuse(400, "event cannot be null"))?;
    let allowed =
        events_of(&resource, &desk.config.doubts).ok_or_else(|| refuse(400, "invalid value for resource"))?;
    if !allowed.contains(&event.as_str()) {
        return Err(refuse(400, &format!("invalid value for event: {event}")));
    }
    readable(caller, &resource)?;
    let filter = fields.text("filter");
    if let Some(filter) = &filter {
        conditions(desk.state, &resource, &caller.person.uuid, filter)
            .map_err(|name| refuse(400, &format!("invalid value for filter: {name}")))?;
    }
    let org_wide = fields.text("ownedBy").as_deref() == Some("org");
    if org_wide && !caller.person.compliance_officer {
        return Err(forbidden());
    }
    let files_only = filter.as_deref().is_some_and(|filter| filter.contains("hasFiles=true"));
    if org_wide && resource != "rooms" && !(resource == "messages" && files_only) {
        return Err(refuse(400, "ownedBy org is only supported for rooms and for messages with files."));
    }
    let mine = |webhook: &&Webhook| owned(webhook, caller);
    if desk.state.webhooks.values().filter(mine).count() >= 30_000 {
        return Err(refuse(400, "Too many webhooks."));
    }
    let equal = |webhook: &Webhook| {
        webhook.target == target
            && webhook.resource == resource
            && webhook.event == event
            && webhook.filter == filter
    };
    let taken = desk.state.webhooks.values().filter(mine).any(equal);
    if taken && (desk.config.doubts.equal_webhooks_conflict || org_wide) {
        return Err(refuse(409, "The webhook already exists."));
    }
    let uuid = desk.world.uuid();
    let webhook = Webhook {
        uuid: uuid.clone(),
        cluster: desk.state.cluster_of(&caller.person.org),
        name,
        target,
        resource,
        event,
        filter,
        secret: fields.text("secret"),
        active: true,
        created: desk.now,
        creator: caller.person.uuid.clone(),
        org: caller.person.org.clone(),
        client: caller.token.client.clone(),
        org_wide,
        failures: VecDeque::new(),
        reactivated: None,
    };
    let view = webhook.view();
    desk.state.webhooks.insert(uuid, webhook);
    Ok(Reply::Ok(view))
}

/// `GET /webhooks/{id}`.
pub(super) fn get(desk: &mut Desk<'_>, caller: &Caller, id: &str) -> ApiResult {
    let uuid = find(desk, caller, id)?;
    Ok(Reply::Ok(desk.state.webhooks[&uuid].view()))
}

/// `PUT /webhooks/{id}`: name, address, secret, and back to active. Everything else is ignored.
pub(super) fn update(desk: &mut Desk<'_>, caller: &Caller, id: &str) -> ApiResult {
    let uuid = find(desk, caller, id)?;
    let fields = &caller.fields;
    let name = fields.text("name").ok_or_else(|| refuse(400, "name cannot be empty"))?;
    let target = target(fields.text("targetUrl"))?;
    let (now, drops) = (desk.now, desk.config.doubts.put_drops_secret);
    let webhook = desk.state.webhooks.get_mut(&uuid).ok_or_else(|| not_found("webhook"))?;
    webhook.name = name;
    webhook.target = target;
    match fields.text("secret") {
        Some(secret) => webhook.secret = Some(secret),
        None if drops => webhook.secret = None,
        None => {}
    }
    if fields.text("status").as_deref() == Some("active") {
        webhook.activate(now);
    }
    Ok(Reply::Ok(webhook.view()))
}

/// `DELETE /webhooks/{id}`.
pub(super) fn delete(desk: &mut Desk<'_>, caller: &Caller, id: &str) -> ApiResult {
    let uuid = find(desk, caller, id)?;
    desk.state.webhooks.shift_remove(&uuid);
    Ok(Reply::Empty)
}
