//! Event subscriptions made by API.

use serde_json::{Value, json};

use super::channels::page;
use crate::zoom::call::{Call, Reply};
use crate::zoom::config::{CustomHeader, SeedApp, SeedSubscription, Transport};
use crate::zoom::desk::Desk;
use crate::zoom::error::{ApiError, no_user, refuse};
use crate::zoom::events::scopes;
use crate::zoom::state::Subscription;

const MOST: usize = 20;

fn bad_field(text: &str) -> ApiError {
    refuse(400, 1_500, text)
}

/// The own header of a subscription.
fn header(value: &Value) -> Result<CustomHeader, ApiError> {
    if value.is_null() {
        return Ok(CustomHeader::None);
    }
    let text = |key: &str, name: &str, most: usize| {
        let text = value[key].as_str().filter(|text| !text.is_empty());
        let text = text.ok_or_else(|| bad_field(&format!("The {name} is required.")))?;
        if text.len() > most {
            return Err(bad_field(&format!("The length of {name} exceeds the limit of {most}.")));
        }
        if text.contains(['\n', '\r']) {
            return Err(bad_field("The input value can't contain line feed."));
        }
        Ok(text.to_owned())
    };
    match value["custom_header_type"].as_i64() {
        Some(0) => Ok(CustomHeader::None),
        Some(1) => {
            Ok(CustomHeader::Basic(text("username", "username", 256)?, text("password", "password", 256)?))
        }
        Some(2) => Ok(CustomHeader::Bearer(
            text("token_url", "token url", 1_000)?,
            text("client_id", "client id", 256)?,
            text("client_secret", "client secret", 256)?,
        )),
        Some(3) => {
            let key = text("custom_header_key", "custom header key", 256)?;
            if key.contains(' ') {
                return Err(bad_field("The input value can't contain space."));
            }
            let sound = key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            if !sound || !key.to_ascii_lowercase().starts_with("x-") {
                return Err(bad_field("The custom header key can only contain letters, numbers, and -."));
            }
            if key.to_ascii_lowercase().starts_with("x-zm-") {
                return Err(bad_field("The custom header key is reserved by Zoom."));
            }
            Ok(CustomHeader::Own(key, text("custom_header_value", "custom header value", 256)?))
        }
        other => {
            let shown = other.map_or(String::new(), |kind| kind.to_string());
            Err(refuse(404, 1_801, format!("The custom header type validate failed: {shown}.")))
        }
    }
}

fn app(desk: &Desk<'_>, call: &Call) -> Result<SeedApp, ApiError> {
    let app = desk.state.app(&call.token.app_id).map(|app| app.seed.clone());
    app.ok_or_else(crate::zoom::error::bad_token)
}

/// Whether an app's scopes let it hear of an event.
pub(super) fn allowed(app: &SeedApp, event: &str) -> Option<bool> {
    let needed = scopes(event)?;
    let has = |scope: &&str| {
        app.scopes
            .iter()
            .any(|own| own == scope || own.strip_suffix(":admin").is_some_and(|own| own == *scope))
    };
    Some(needed.is_empty() || needed.iter().any(has))
}

fn people(desk: &Desk<'_>, app: &SeedApp, value: &Value, refused: u32) -> Result<Vec<String>, ApiError> {
    let mut users = Vec::new();
    for id in value.as_array().into_iter().flatten().filter_map(Value::as_str) {
        let person = desk.state.find(id)?;
        if !desk.state.grants.iter().any(|grant| grant.app_id == app.app_id && grant.user == person.id) {
            return Err(refuse(400, refused, format!("The user don't authorize the app: {id}.")));
        }
        users.push(person.id.clone());
    }
    if users.len() > 10 {
        return Err(bad_field("Too many user ids."));
    }
    Ok(users)
}

/// `POST /marketplace/app/event_subscription`; the address was validated before.
pub(super) fn create(desk: &mut Desk<'_>, call: &Call) -> Reply {
    let members = [
        "events",
        "event_subscription_name",
        "event_webhook_url",
        "user_ids",
        "subscription_scope",
        "account_id",
        "custom_header",
    ];
    call.object(desk, &members)?;
    let app = app(desk, call)?;
    let events: Vec<String> = call.body["events"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect();
    if events.is_empty() {
        return Err(bad_field("The events list is empty."));
    }
    for event in &events {
        match allowed(&app, event) {
            None => return Err(refuse(404, 1_601, format!("App event not exists: {event}"))),
            Some(false) => {
                return Err(refuse(400, 1_602, format!("The event is not allowed for the app: {event}")));
            }
            Some(true) => {}
        }
    }
    let url = call.text("event_webhook_url").filter(|url| !url.is_empty());
    let url = url.ok_or_else(|| bad_field("The event webhook url is empty."))?.to_owned();
    let account_wide = match call.text("subscription_scope") {
        Some("user") => false,
        Some("account" | "master_account") => true,
        _ => return Err(bad_field("The subscription scope is invalid.")),
    };
    let users = people(desk, &app, &call.body["user_ids"], 1_300)?;
    let header = header(&call.body["custom_header"])?;
    if !call.validated {
        return Err(refuse(404, 1_701, format!("The event webhook url validate failed: {url}.")));
    }
    let id = desk.world.alnum(22);
    let account = call.text("account_id").map(str::to_owned);
    let entry = desk.state.apps.iter_mut().find(|known| known.seed.app_id == app.app_id);
    let entry = entry.ok_or_else(crate::zoom::error::bad_token)?;
    if entry.subscriptions.len() >= MOST {
        return Err(bad_field("The number of event subscriptions exceeds the limit of 20."));
    }
    let seed = SeedSubscription {
        id: id.clone(),
        name: call.text("event_subscription_name").unwrap_or_default().to_owned(),
        events,
        transport: Transport::Webhook(Some(url)),
        account_wide,
        header,
    };
    entry.subscriptions.push(Subscription { by_api: true, users, account, ..Subscription::of(seed) });
    Ok((201, json!({"event_subscription_id": id})))
}

fn own<'d>(desk: &'d mut Desk<'_>, call: &Call, id: &str) -> Result<&'d mut Subscription, ApiError> {
    desk.state
        .apps
        .iter_mut()
        .filter(|app| app.seed.app_id == call.token.app_id)
        .flat_map(|app| app.subscriptions.iter_mut())
        .find(|subscription| subscription.seed.id == id && subscription.by_api)
        .ok_or_else(|| refuse(404, 1_601, format!("App event subscription is invalid: {id}")))
}

/// `PATCH /marketplace/app/event_subscription/{id}`: more people.
pub(super) fn extend(desk: &mut Desk<'_>, call: &Call) -> Reply {
    call.object(desk, &["user_ids", "account_id"])?;
    let app = app(desk, call)?;
    let users = people(desk, &app, &call.body["user_ids"], 1_002)?;
    let subscription = own(desk, call, &call.path[0])?;
    for user in users {
        if !subscription.users.contains(&user) {
            subscription.users.push(user);
        }
    }
    Ok((204, Value::Null))
}

fn remove(desk: &mut Desk<'_>, call: &Call, id: &str) -> Reply {
    own(desk, call, id)?;
    for app in desk.state.apps.iter_mut().filter(|app| app.seed.app_id == call.token.app_id) {
        app.subscriptions.retain(|subscription| subscription.seed.id != id);
    }
    Ok((204, Value::Null))
}

/// `DELETE /marketplace/app/event_subscription/{id}`
pub(super) fn delete(desk: &mut Desk<'_>, call: &Call) -> Reply {
    remove(desk, call, &call.path[0])
}

/// `DELETE /marketplace/app/event_subscription`: certain people, or all of it.
pub(super) fn unsubscribe(desk: &mut Desk<'_>, call: &Call) -> Reply {
    let id = call.query("event_subscription_id").unwrap_or_default().to_owned();
    let users = call.query("user_ids").unwrap_or_default();
    if users.is_empty() {
        return remove(desk, call, &id);
    }
    for who in users.split(',') {
        desk.state.find(who).map_err(|_| no_user(who))?;
    }
    own(desk, call, &id)?.users.retain(|user| !users.split(',').any(|gone| gone == user));
    Ok((204, Value::Null))
}

/// `GET /marketplace/app/event_subscription`
pub(super) fn list(desk: &mut Desk<'_>, call: &Call) -> Reply {
    let items = desk
        .state
        .apps
        .iter()
        .filter(|app| app.seed.app_id == call.token.app_id)
        .flat_map(|app| app.subscriptions.iter())
        .map(|subscription| {
            let url = match &subscription.seed.transport {
                Transport::Webhook(url) => url.clone().unwrap_or_default(),
                Transport::Socket => String::new(),
            };
            json!({"event_subscription_id": subscription.seed.id, "events": subscription.seed.events,
                "event_subscription_name": subscription.seed.name, "event_webhook_url": url,
                "subscription_scope": if subscription.seed.account_wide { "account" } else { "user" },
                "created_source": if subscription.by_api { "openapi" } else { "default" }})
        })
        .collect();
    page(desk, call, items, "event_subscriptions", (30, 100))
}
