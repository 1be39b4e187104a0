//! Deliveries to the app: bodies, signatures, headers, who receives what.

use std::sync::Arc;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use super::config::{CustomHeader, SeedApp, Transport};
use super::doubts::{BodyForm, SignatureFault};
use super::engine::{Engine, PLATFORM};
use super::events::{Audience, Event, Outgoing, body};
use super::state::{Grant, State, Subscription};
use crate::core::{Answer, CallError, Outbound, Verdict};

/// Lower-case hex HMAC-SHA256.
pub fn hmac_hex(secret: &str, message: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    hex::encode(hmac::sign(&key, message))
}

/// `v0=` and the lower-case hex HMAC-SHA256 over `v0:timestamp:body`.
pub fn signature(secret: &str, timestamp: i64, body: &[u8]) -> String {
    let mut message = format!("v0:{timestamp}:").into_bytes();
    message.extend_from_slice(body);
    format!("v0={}", hmac_hex(secret, &message))
}

/// JSON with everything beyond ASCII escaped.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut units = [0_u16; 2];
    for character in text.chars() {
        if character.is_ascii() {
            out.push(character);
        } else {
            for unit in character.encode_utf16(&mut units) {
                out.push_str("\\u");
                out.push_str(&hex::encode(unit.to_be_bytes()));
            }
        }
    }
    out
}

/// What of a delivery does not change between attempts.
struct Letter {
    sent: Bytes,
    signed: Bytes,
    wrong: bool,
}

/// What an answer means: only 5xx and transport faults are repeated.
fn judge(outcome: &Result<Answer, CallError>) -> Verdict {
    match outcome {
        Ok(answer) if matches!(answer.status.as_u16(), 200 | 204) => Verdict::Delivered,
        Ok(answer) if answer.status.is_server_error() => Verdict::Retry("http_5xx"),
        Ok(_) => Verdict::GiveUp("http_status"),
        Err(CallError::Timeout) => Verdict::Retry("timeout"),
        Err(CallError::Connect | CallError::Reset) => Verdict::Retry("connection"),
        Err(CallError::Tls) => Verdict::Retry("tls"),
        Err(CallError::Url) => Verdict::GiveUp("url"),
    }
}

impl Engine {
    fn letter(&self, body: &Value) -> Letter {
        let compact = body.to_string();
        let doubts = &self.config.doubts;
        let sent = match doubts.body_form {
            BodyForm::Compact => compact.clone(),
            BodyForm::Escaped => escaped(&compact),
            BodyForm::Pretty => format!("{body:#}"),
        };
        let beyond_ascii = !compact.is_ascii();
        let fault = if beyond_ascii { doubts.signature_fault } else { SignatureFault::None };
        let signed = if fault == SignatureFault::OverReserialised { compact } else { sent.clone() };
        Letter { sent: Bytes::from(sent), signed: Bytes::from(signed), wrong: fault == SignatureFault::Wrong }
    }

    /// The headers of a delivery signed now.
    fn headers(&self, app: &SeedApp, letter: &Letter, timestamp: i64) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let mut put = |name: &'static str, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        };
        let secret = if letter.wrong { "another secret" } else { app.secret_token.as_str() };
        put("content-type", "application/json; charset=utf-8");
        put("user-agent", "Zoom Marketplace/1.0a");
        put("accept", "*/*");
        put("authorization", &app.verification_token);
        put("x-zm-request-timestamp", &timestamp.to_string());
        put("x-zm-signature", &signature(secret, timestamp, &letter.signed));
        put("x-zm-request-id", &self.world.uuid().replace('-', "_"));
        put("x-zm-trackingid", &self.tracking_id());
        put("traceparent", &format!("00-{}-{}-01", self.world.hex(32), self.world.hex(16)));
        if app.legacy {
            put("clientid", &app.client_id);
        }
        headers
    }

    /// Headers of a request that is not repeated, for endpoint validation.
    pub(super) fn signed(&self, app: &SeedApp, body: &Value, sign: bool) -> (HeaderMap, Bytes) {
        let letter = self.letter(body);
        let mut headers = self.headers(app, &letter, self.world.clock.seconds());
        if !sign {
            headers.remove("x-zm-signature");
            headers.remove("x-zm-request-timestamp");
        }
        (headers, letter.sent)
    }

    /// Sends something out to whoever is to have it.
    pub(super) fn send_out(self: &Arc<Self>, state: &mut State, outgoing: Outgoing) {
        match outgoing {
            Outgoing::Event(event) => self.send_event(state, &event),
            Outgoing::Bot { app_id, name, room, body } => {
                self.send_to_bot(state, &app_id, name, &room, &body);
            }
            Outgoing::Deauthorized { app_id, body } => {
                let Some(app) = state.app(&app_id).map(|app| app.seed.clone()) else { return };
                if let Some(url) = app.deauthorization_url.clone() {
                    self.post(&app, &url, "app_deauthorized", "", &body, HeaderMap::new());
                }
            }
        }
    }

    fn send_to_bot(self: &Arc<Self>, state: &State, app_id: &str, name: &str, room: &str, body: &Value) {
        let Some(app) = state.app(app_id) else { return };
        if let Some(url) = &app.seed.bot_endpoint {
            self.post(&app.seed, url, name, room, body, HeaderMap::new());
        }
        let wanted = app.subscriptions.iter().filter(|subscription| {
            subscription.seed.transport == Transport::Socket
                && subscription.seed.events.iter().any(|event| event.trim() == name)
        });
        for subscription in wanted {
            self.push(&subscription.seed.id, name, room, body);
        }
    }

    fn send_event(self: &Arc<Self>, state: &mut State, event: &Event) {
        let people: Vec<String> = match &event.audience {
            Audience::Room(room) => {
                state.rooms.get(room).map(|room| room.members.keys().cloned().collect()).unwrap_or_default()
            }
            Audience::People(people) => people.clone(),
        };
        let home = |user: &String| state.people.get(user).map(|person| person.account.clone());
        let accounts: Vec<String> = people.iter().filter_map(home).collect();
        let mut letters = Vec::new();
        for app in &state.apps {
            for subscription in &app.subscriptions {
                for account in receivers(state, app, subscription, event, &people, &accounts) {
                    if let Some(body) = body(state, &self.config.doubts, event, &account) {
                        letters.push((app.seed.clone(), subscription.seed.clone(), body));
                    }
                }
            }
        }
        for (app, subscription, body) in letters {
            match &subscription.transport {
                Transport::Socket => self.push(&subscription.id, event.name, &event.room, &body),
                Transport::Webhook(None) => {}
                Transport::Webhook(Some(url)) => match own_header(&subscription.header) {
                    Some(extra) => self.post(&app, url, event.name, &event.room, &body, extra),
                    None => self.post_with_bearer(&app, &subscription, event, body),
                },
            }
        }
    }

    /// Posts a body with the platform's schedule of retries.
    pub(super) fn post(
        self: &Arc<Self>,
        app: &SeedApp,
        url: &str,
        name: &str,
        room: &str,
        body: &Value,
        extra: HeaderMap,
    ) {
        let letter = self.letter(body);
        let first = self.world.clock.seconds();
        let (engine, app) = (Arc::clone(self), app.clone());
        let label = json!({"app_id": app.app_id, "event_ts": body["event_ts"],
            "message_id": body["payload"]["object"]["message_id"]});
        self.delivery.send(Outbound {
            platform: PLATFORM,
            method: name.to_owned(),
            conversation: Some(room.to_owned()).filter(|room| !room.is_empty()),
            url: url.to_owned(),
            deadline: self.config.timing.ack_deadline,
            schedule: self.config.timing.retries.clone(),
            request: Arc::new(move |attempt, _| {
                let fresh = engine.config.doubts.fresh_retry_timestamp || attempt == 0;
                let timestamp = if fresh { engine.world.clock.seconds() } else { first };
                let mut headers = engine.headers(&app, &letter, timestamp);
                headers.extend(extra.clone());
                (headers, letter.sent.clone())
            }),
            judge,
            label,
            done: None,
        });
    }
}

/// The header beside the signature; `None` when a token has to be asked for first.
fn own_header(header: &CustomHeader) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    match header {
        CustomHeader::None => {}
        CustomHeader::Basic(user, password) => {
            let value = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
            headers.insert(http::header::AUTHORIZATION, HeaderValue::from_str(&value).ok()?);
        }
        CustomHeader::Own(name, value) => {
            if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
                headers.insert(name, value);
            }
        }
        CustomHeader::Bearer(..) => return None,
    }
    Some(headers)
}

/// The accounts for which a subscription receives an event, once each time it is to be sent.
fn receivers(
    state: &State,
    app: &super::state::App,
    subscription: &Subscription,
    event: &Event,
    people: &[String],
    accounts: &[String],
) -> Vec<String> {
    let listed = subscription.seed.events.iter().any(|name| name.trim() == event.name);
    if subscription.disabled || !listed {
        return Vec::new();
    }
    let needed = super::events::scopes(event.name).unwrap_or_default();
    let may = |grant: &&Grant| {
        grant.app_id == app.seed.app_id
            && subscription.account.as_ref().is_none_or(|account| *account == grant.account)
            && (needed.is_empty()
                || grant.scopes.iter().any(|own| {
                    let plain = own.strip_suffix(":admin").unwrap_or(own);
                    needed.contains(&plain)
                }))
    };
    let mut found: Vec<String> = Vec::new();
    for grant in state.grants.iter().filter(may) {
        let hears = if subscription.seed.account_wide {
            accounts.contains(&grant.account)
        } else {
            people.contains(&grant.user)
                && (subscription.users.is_empty() || subscription.users.contains(&grant.user))
        };
        if hears && (state.once_per_person || !found.contains(&grant.account)) {
            found.push(grant.account.clone());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_hmac_over_version_time_and_body() {
        // Zoom, "Using webhooks": `v0:{timestamp}:{body}` under the secret token, in lower-case hex.
        let expected = hmac_hex("secret", b"v0:1700000000:{\"a\":1}");
        assert_eq!(signature("secret", 1_700_000_000, b"{\"a\":1}"), format!("v0={expected}"));
        assert_eq!(
            hmac_hex("key", b"The quick brown fox jumps over the lazy dog"),
            "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8"
        );
    }

    #[test]
    fn bodies_may_escape_what_is_beyond_ascii() {
        assert_eq!(escaped("{\"a\":\"é👍\"}"), "{\"a\":\"\\u00e9\\ud83d\\udc4d\"}");
    }
}
