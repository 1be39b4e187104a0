//! Endpoint validation at sign-up and every 72 hours, and the bearer tokens that some endpoints want.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use serde_json::{Value, json};

use super::config::{CustomHeader, SeedApp, SeedSubscription, Transport};
use super::engine::{Engine, PLATFORM};
use super::events::Event;
use super::outward::hmac_hex;
use crate::core::delivery::entry;
use crate::core::world::lock;

/// Failures in a row after which e-mails go out.
const MAILS_AFTER: [u32; 2] = [2, 4];
/// Failures in a row after which a subscription is switched off.
const OFF_AFTER: u32 = 6;

impl Engine {
    /// Asks an address to prove that it knows the app's secret token; true when it did.
    pub async fn validate(&self, app_id: &str, url: &str) -> bool {
        let app = lock(&self.state).app(app_id).map(|app| app.seed.clone());
        let Some(app) = app else { return false };
        let plain = self.world.alnum(22);
        let body = json!({"event": "endpoint.url_validation", "event_ts": self.world.clock.millis(),
            "payload": {"plainToken": plain}});
        let (headers, sent) = self.signed(&app, &body, self.config.doubts.signed_validation);
        let started = tokio::time::Instant::now();
        let within = self.config.timing.ack_deadline;
        let answer = self.client.request(Method::POST, url, headers, sent, within).await;
        let status = answer.as_ref().map_or(0, |answer| answer.status.as_u16());
        let proven = answer.is_ok_and(|answer| {
            let json: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
            answer.status == http::StatusCode::OK
                && json["plainToken"] == plain.as_str()
                && json["encryptedToken"] == hmac_hex(&app.secret_token, plain.as_bytes()).as_str()
        });
        let ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let detail = json!({"label": {"app_id": app_id}, "validated": proven});
        self.log.add(entry(PLATFORM, "endpoint.url_validation", url, None, status, ms, 0, detail));
        proven
    }

    /// Validates every webhook subscription that is on, counts failures, writes mails, switches off.
    pub async fn validate_all(&self) {
        let mut wanted = Vec::new();
        for app in &lock(&self.state).apps {
            for subscription in app.subscriptions.iter().filter(|subscription| !subscription.disabled) {
                if let Transport::Webhook(Some(url)) = &subscription.seed.transport {
                    wanted.push((app.seed.app_id.clone(), subscription.seed.id.clone(), url.clone()));
                }
            }
        }
        for (app_id, id, url) in wanted {
            let proven = self.validate(&app_id, &url).await;
            let mut state = lock(&self.state);
            let found = state
                .apps
                .iter_mut()
                .flat_map(|app| app.subscriptions.iter_mut())
                .find(|subscription| subscription.seed.id == id);
            let Some(subscription) = found else { continue };
            subscription.failures = if proven { 0 } else { subscription.failures + 1 };
            if MAILS_AFTER.contains(&subscription.failures) {
                let text = format!("{} of {id}: {} validations failed", url, subscription.failures);
                lock(&self.mails).push(text);
            }
            if subscription.failures >= OFF_AFTER {
                subscription.disabled = true;
                lock(&self.mails).push(format!("{url} of {id}: switched off"));
            }
        }
    }

    /// Validates every 72 hours.
    pub(super) fn keep_validating(self: &Arc<Self>) {
        let engine = Arc::clone(self);
        self.tasks.spawn(async move {
            loop {
                tokio::time::sleep(engine.config.timing.revalidation).await;
                engine.validate_all().await;
            }
        });
    }

    /// Delivers with a bearer token of the app's own token address, which is asked first.
    pub(super) fn post_with_bearer(
        self: &Arc<Self>,
        app: &SeedApp,
        subscription: &SeedSubscription,
        event: &Event,
        body: Value,
    ) {
        let (engine, app, subscription) = (Arc::clone(self), app.clone(), subscription.clone());
        let (name, room) = (event.name, event.room.clone());
        self.tasks.spawn(async move {
            let Transport::Webhook(Some(url)) = &subscription.transport else { return };
            let mut extra = HeaderMap::new();
            if let Some(token) = engine.bearer(&subscription).await
                && let Ok(value) = HeaderValue::from_str(&format!("Bearer {token}"))
            {
                extra.insert(header::AUTHORIZATION, value);
            }
            engine.post(&app, url, name, &room, &body, extra);
        });
    }

    async fn bearer(&self, seed: &SeedSubscription) -> Option<String> {
        let CustomHeader::Bearer(token_url, id, secret) = &seed.header else { return None };
        let now = self.world.clock.millis();
        let known = lock(&self.state)
            .apps
            .iter()
            .flat_map(|app| app.subscriptions.iter())
            .find(|subscription| subscription.seed.id == seed.id)
            .and_then(|subscription| subscription.bearer.clone());
        if let Some((token, until)) = known
            && until > now
        {
            return Some(token);
        }
        let mut headers = HeaderMap::new();
        let basic = format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")));
        headers.insert(header::AUTHORIZATION, HeaderValue::from_str(&basic).ok()?);
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(header::CONTENT_TYPE, form);
        let body = Bytes::from_static(b"grant_type=client_credentials");
        let within = self.config.timing.ack_deadline;
        let answer = self.client.request(Method::POST, token_url, headers, body, within).await.ok()?;
        let json: Value = serde_json::from_slice(&answer.body).ok()?;
        let token = json["access_token"].as_str()?.to_owned();
        // A token that lives less than an hour is refused.
        let life = json["expires_in"].as_i64().filter(|life| *life >= 3_599)?;
        for app in &mut lock(&self.state).apps {
            for subscription in app.subscriptions.iter_mut().filter(|known| known.seed.id == seed.id) {
                subscription.bearer = Some((token.clone(), now + life * 1_000));
            }
        }
        Some(token)
    }
}
