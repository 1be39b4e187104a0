//! Webhooks: what they ask for, whom they tell, how deliveries look and are signed, when they are switched off.

use std::collections::VecDeque;

use aws_lc_rs::hmac;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value, json};

use super::config::{EditNotice, NewSignature, WebexDoubts, WebexLimits};
use super::ids;
use super::state::{Kind, RoomKind, State, millis};

/// A webhook.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// UUID.
    pub uuid: String,
    /// Region.
    pub cluster: String,
    /// Name.
    pub name: String,
    /// Where deliveries go.
    pub target: String,
    /// `messages`, `memberships`, `rooms`, `attachmentActions`, `all`.
    pub resource: String,
    /// `created`, `updated`, `deleted`, `migrated`, `all`.
    pub event: String,
    /// Conditions joined with `&`, as given.
    pub filter: Option<String>,
    /// Signs the deliveries.
    pub secret: Option<String>,
    /// Delivers.
    pub active: bool,
    /// Milliseconds since 1970.
    pub created: i64,
    /// UUID of who made it.
    pub creator: String,
    /// UUID of the creator's organisation.
    pub org: String,
    /// Client id of the application it was made with.
    pub client: String,
    /// For the whole organisation.
    pub org_wide: bool,
    /// Times of failures, milliseconds since 1970.
    pub failures: VecDeque<i64>,
    /// When it was last switched on again.
    pub reactivated: Option<i64>,
}

/// Something that webhooks tell.
#[derive(Debug, Clone)]
pub struct Event {
    /// Resource.
    pub resource: &'static str,
    /// What happened to it.
    pub kind: &'static str,
    /// UUID of who did it.
    pub actor: String,
    /// UUID of the space.
    pub room: String,
    /// Group or 1:1.
    pub room_kind: RoomKind,
    /// UUID of the organisation that owns the space.
    pub org: String,
    /// UUIDs of those who see it.
    pub seen_by: Vec<String>,
    /// What filters look at; ids are UUIDs.
    pub facts: Vec<(&'static str, String)>,
    /// Everybody was mentioned.
    pub mentions_all: bool,
    /// UUID of the author of a message.
    pub author: String,
    /// The `data` of the delivery.
    pub data: Value,
}

impl Event {
    /// Its public room id, for logs and fault orders.
    pub fn room_id(&self) -> Option<String> {
        let key = if self.resource == "rooms" { "id" } else { "roomId" };
        self.data[key].as_str().map(str::to_owned)
    }

    fn has(&self, fact: &str, value: &str) -> bool {
        self.facts.iter().any(|(name, known)| *name == fact && known.eq_ignore_ascii_case(value))
    }
}

/// The events of a resource; `None` for an unknown one.
pub fn events_of(resource: &str, doubts: &WebexDoubts) -> Option<&'static [&'static str]> {
    Some(match resource {
        "messages" if doubts.edit_notice == EditNotice::Updated => &["created", "updated", "deleted", "all"],
        "messages" => &["created", "deleted", "all"],
        "memberships" => &["created", "updated", "deleted", "all"],
        "rooms" => &["created", "updated", "migrated", "all"],
        "attachmentActions" => &["created", "all"],
        "all" => &["all"],
        _ => return None,
    })
}

fn filters_of(resource: &str) -> &'static [&'static str] {
    match resource {
        "messages" => &[
            "roomId",
            "roomType",
            "personId",
            "personEmail",
            "mentionedPeople",
            "hasFiles",
            "hasAttachments",
        ],
        "memberships" => &["roomId", "personId", "personEmail", "isModerator"],
        "rooms" => &["type", "isLocked"],
        "attachmentActions" => &["roomId"],
        _ => &[],
    }
}

/// The conditions of a filter as facts; ids as UUIDs.
///
/// # Errors
/// The name of the condition that cannot be used.
pub fn conditions(
    state: &State,
    resource: &str,
    creator: &str,
    filter: &str,
) -> Result<Vec<(&'static str, String)>, String> {
    let mut found = Vec::new();
    for part in filter.split('&').filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').ok_or_else(|| part.to_owned())?;
        let known =
            *filters_of(resource).iter().find(|known| **known == name).ok_or_else(|| name.to_owned())?;
        let wrong = || name.to_owned();
        let value = match known {
            "roomId" => {
                let named = ids::read("ROOM", value).ok_or_else(wrong)?;
                let room = state.rooms.get(&named.key).filter(|room| named.is_in(&room.cluster));
                room.ok_or_else(wrong)?.uuid.clone()
            }
            "mentionedPeople" if value == "me" => creator.to_owned(),
            "personId" | "mentionedPeople" => ids::read("PEOPLE", value).ok_or_else(wrong)?.key,
            "roomType" | "type" if !matches!(value, "direct" | "group") => return Err(wrong()),
            "hasFiles" | "hasAttachments" | "isModerator" | "isLocked"
                if !matches!(value, "true" | "false") =>
            {
                return Err(wrong());
            }
            _ => value.to_owned(),
        };
        found.push((known, value));
    }
    Ok(found)
}

impl Webhook {
    /// Whether it tells its owner about an event.
    pub fn tells(&self, state: &State, doubts: &WebexDoubts, event: &Event) -> bool {
        // A firehose leaves cards out.
        let resource = self.resource == event.resource
            || (self.resource == "all" && event.resource != "attachmentActions");
        let kind = self.event == "all" || self.event == event.kind;
        if !self.active || !resource || !kind || !self.sees(state, doubts, event) {
            return false;
        }
        let filter = self.filter.as_deref().unwrap_or_default();
        conditions(state, event.resource, &self.creator, filter)
            .is_ok_and(|conditions| conditions.iter().all(|(fact, value)| event.has(fact, value)))
    }

    fn sees(&self, state: &State, doubts: &WebexDoubts, event: &Event) -> bool {
        if self.org_wide {
            return event.org == self.org
                && (event.resource == "rooms"
                    || (event.resource == "messages" && event.has("hasFiles", "true")));
        }
        if !event.seen_by.contains(&self.creator) {
            return false;
        }
        let bot = state.people.get(&self.creator).is_some_and(|person| person.kind == Kind::Bot);
        !bot || event.resource != "messages"
            || event.room_kind == RoomKind::Direct
            || event.author == self.creator
            || event.has("mentionedPeople", &self.creator)
            || (event.mentions_all && doubts.bots_receive_all)
    }

    /// Its public id.
    pub fn id(&self) -> String {
        ids::public(&self.cluster, "WEBHOOK", &self.uuid)
    }

    /// As the API shows it.
    pub fn view(&self) -> Value {
        let mut view = self.envelope();
        if let Some(secret) = &self.secret {
            view.insert("secret".to_owned(), json!(secret));
        }
        Value::Object(view)
    }

    fn envelope(&self) -> Map<String, Value> {
        let view = json!({
            "id": self.id(), "name": self.name, "targetUrl": self.target, "resource": self.resource,
            "event": self.event, "orgId": ids::org(&self.org), "createdBy": ids::person(&self.creator),
            "appId": ids::application(&self.client), "ownedBy": if self.org_wide { "org" } else { "creator" },
            "status": if self.active { "active" } else { "inactive" }, "created": ids::iso(self.created),
        });
        let Value::Object(mut view) = view else { return Map::new() };
        if let Some(filter) = &self.filter {
            view.insert("filter".to_owned(), json!(filter));
        }
        view
    }

    /// The body of a delivery.
    pub fn delivery(&self, event: &Event) -> String {
        let mut body = self.envelope();
        body.insert("resource".to_owned(), json!(event.resource));
        body.insert("event".to_owned(), json!(event.kind));
        body.insert("actorId".to_owned(), json!(ids::person(&event.actor)));
        body.insert("data".to_owned(), event.data.clone());
        Value::Object(body).to_string()
    }

    /// Counts a delivery that failed, and switches the webhook off when it is one too many.
    pub fn failed(&mut self, now: i64, limits: &WebexLimits) {
        let window = millis(limits.webhook_window);
        self.failures.push_back(now);
        while self.failures.front().is_some_and(|first| *first <= now - window) {
            self.failures.pop_front();
        }
        let on_probation = self.reactivated.is_some_and(|since| now < since + window);
        if on_probation || self.failures.len() >= limits.webhook_failures {
            self.active = false;
        }
    }

    /// Switches it on.
    pub fn activate(&mut self, now: i64) {
        if !self.active {
            self.active = true;
            self.reactivated = Some(now);
            self.failures.clear();
        }
    }
}

fn hex_mac(algorithm: hmac::Algorithm, secret: &str, body: &[u8]) -> String {
    hex::encode(hmac::sign(&hmac::Key::new(algorithm, secret.as_bytes()), body))
}

/// The headers of a delivery.
pub fn headers(secret: Option<&str>, doubts: &WebexDoubts, body: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let Some(secret) = secret else { return headers };
    let mut put = |name: &'static str, value: String| {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    if doubts.old_signature {
        put("x-spark-signature", hex_mac(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret, body));
    }
    let (short, long) = (hex_mac(hmac::HMAC_SHA256, secret, body), hex_mac(hmac::HMAC_SHA512, secret, body));
    match doubts.new_signature {
        NewSignature::Absent => {}
        NewSignature::Labelled => put("x-webex-signature", format!("SHA-256={short}, SHA-512={long}")),
        NewSignature::Prefixed => put("x-webex-signature", format!("sha256={short}")),
        NewSignature::Bare => put("x-webex-signature", short),
        NewSignature::Unknown => put("x-webex-signature", format!("v9;{}", &long[..24])),
    }
    headers
}
