//! The door: authenticates what comes in and reads its envelopes.

use std::collections::BTreeSet;

use dragoman_model::Code;
use dragoman_model::codes::{
    CONFIG, KEYS_UNAVAILABLE, KIND, MALFORMED, STALE, UNAUTHENTIC, UNKNOWN_INSTALLATION,
};
use dragoman_platform::{Answer, App, Delivery, Inbound, Item, Rejection};
use http::{Method, StatusCode};

use crate::connector::TeamsConnector;
use crate::crypt;
use crate::envelope;
use crate::ids::parse_resource;
use crate::keys::NoKey;
use crate::memory::Place;
use crate::verify::{self, CHANNEL, Fault};
use crate::wire::activity::Activity;
use crate::wire::notification::{Batch, Notification};

impl TeamsConnector {
    pub(crate) async fn receive_request(&self, app: &App, request: &Inbound) -> Result<Delivery, Rejection> {
        match request.endpoint.as_str() {
            "messages" => self.receive_activity(app, request).await,
            "notifications" | "lifecycle" => match handshake(request) {
                Some(answer) => Ok(Delivery { items: Vec::new(), answer, dropped: Vec::new() }),
                None => self.receive_notifications(app, request).await,
            },
            _ => Err(Rejection::NoEndpoint),
        }
    }

    async fn receive_activity(&self, app: &App, request: &Inbound) -> Result<Delivery, Rejection> {
        let token = verify::bearer(&request.headers).map_err(reject)?;
        let kid = verify::key_id(token).map_err(reject)?;
        let key = match self.bot_keys.get(&self.client, &self.client.settings.bot_openid_url, &kid).await {
            Ok(key) => key,
            Err(NoKey::Unknown) => return Err(reject(Fault::UnknownKey)),
            Err(NoKey::Unavailable) => return Err(Rejection::Unavailable(KEYS_UNAVAILABLE)),
        };
        let claims = verify::claims(token, &key).map_err(reject)?;
        let activity: Activity =
            serde_json::from_slice(&request.body).map_err(|_| Rejection::Malformed(MALFORMED))?;
        let now = self.client.clock.now_ms();
        let app_id = app.fact("app_id");
        let issuer = &self.client.settings.bot_issuer;
        verify::bot_claims(&claims, &key, now, issuer, app_id, &activity.service_url).map_err(reject)?;
        if activity.channel_id != CHANNEL {
            return Err(Rejection::Forbidden(UNAUTHENTIC));
        }
        let tenant = app.fact("tenant_id");
        if tenant.is_empty() || !is_of_tenant(&activity, tenant) {
            return Err(Rejection::Forbidden(UNKNOWN_INSTALLATION));
        }
        self.learn(app, &activity);
        let item = envelope::bot_item(&activity, &request.body, app_id, now);
        let dropped = if item.is_none() { vec![KIND] } else { Vec::new() };
        let items = item.into_iter().collect();
        Ok(Delivery { items, answer: Answer::status(StatusCode::OK), dropped })
    }

    /// Remembers the addresses and ids that an authentic activity brought.
    pub(crate) fn learn(&self, app: &App, activity: &Activity) {
        let (tenant, app_id) = (app.fact("tenant_id"), app.fact("app_id"));
        let object = activity.from.aad_object_id.as_deref().filter(|id| !id.is_empty());
        let personal = activity.conversation.conversation_type == "personal";
        let place = Place {
            service_url: Some(activity.service_url.clone()).filter(|url| !url.is_empty()),
            team_id: activity.team_id().map(str::to_owned),
            team_guid: activity.channel_data.team.aad_group_id.clone().filter(|id| !id.is_empty()),
            graph_chat: object.filter(|_| personal).map(|id| crate::ids::personal_chat(id, app_id)),
        };
        self.memory.learn_place(tenant, envelope::conversation(activity), place);
        for account in activity.members_added.iter().chain(&activity.members_removed).chain([&activity.from])
        {
            if account.id.starts_with("29:")
                && let Some(object) = account.aad_object_id.as_deref()
            {
                self.memory.learn_person(app_id, &account.id, object);
            }
        }
    }

    async fn receive_notifications(&self, app: &App, request: &Inbound) -> Result<Delivery, Rejection> {
        let text = std::str::from_utf8(&request.body).map_err(|_| Rejection::Malformed(MALFORMED))?;
        let batch: Batch<'_> = serde_json::from_str(text).map_err(|_| Rejection::Malformed(MALFORMED))?;
        let now = self.client.clock.now_ms();
        let mut items = Vec::new();
        let mut dropped = Vec::new();
        let mut vouched: Option<BTreeSet<String>> = None;
        for raw in &batch.value {
            let judged = match examine(app, raw.get(), now) {
                // Tokens are looked at only once somebody knew a secret: keys cost a request.
                Ok(Examined { item, rich: true }) => {
                    let tenants = match vouched.take() {
                        Some(tenants) => tenants,
                        None => self.vouched_tenants(app, &batch.validation_tokens, now).await?,
                    };
                    let known = tenants.contains(app.fact("tenant_id"));
                    vouched = Some(tenants);
                    if known { Ok(item) } else { Err(UNAUTHENTIC) }
                }
                Ok(Examined { item, rich: false }) => Ok(item),
                Err(code) => Err(code),
            };
            match judged {
                Ok(item) => items.push(item),
                Err(code) => dropped.push(code),
            }
        }
        // A forger must not learn what became of it.
        Ok(Delivery { items, answer: Answer::status(StatusCode::ACCEPTED), dropped })
    }

    /// The tenants for which a valid validation token came. One that cannot be checked now is not decided now.
    async fn vouched_tenants(
        &self,
        app: &App,
        tokens: &[String],
        now_ms: i64,
    ) -> Result<BTreeSet<String>, Rejection> {
        let tenants = BTreeSet::from([app.fact("tenant_id").to_owned()]);
        let login = self.client.settings.login_base.trim_end_matches('/');
        let metadata = format!("{login}/common/.well-known/openid-configuration");
        let mut vouched = BTreeSet::new();
        // One token for each app and tenant of a batch; more than a few are none of Graph's making.
        for token in tokens.iter().take(16) {
            let Ok(kid) = verify::key_id(token) else { continue };
            let key = match self.login_keys.get(&self.client, &metadata, &kid).await {
                Ok(key) => key,
                Err(NoKey::Unknown | NoKey::Unavailable) => {
                    return Err(Rejection::Unavailable(KEYS_UNAVAILABLE));
                }
            };
            let checked = verify::claims(token, &key).and_then(|claims| {
                verify::change_tracking_claims(&claims, now_ms, app.fact("app_id"), &tenants)
            });
            vouched.extend(checked.ok());
        }
        Ok(vouched)
    }
}

fn reject(fault: Fault) -> Rejection {
    match fault {
        Fault::Endorsement => Rejection::Forbidden(UNAUTHENTIC),
        Fault::Time => Rejection::Unauthentic(STALE),
        _ => Rejection::Unauthentic(UNAUTHENTIC),
    }
}

fn is_of_tenant(activity: &Activity, tenant: &str) -> bool {
    let named = [activity.conversation.tenant_id.as_deref().unwrap_or(""), &activity.channel_data.tenant.id];
    // Both places, where both are filled, have to name the one tenant.
    named.iter().any(|id| !id.is_empty())
        && named.iter().filter(|id| !id.is_empty()).all(|id| id.eq_ignore_ascii_case(tenant))
}

/// The answer to Graph's check of an address: the decoded token and nothing else.
fn handshake(request: &Inbound) -> Option<Answer> {
    let query = request.query.as_deref().filter(|_| request.method == Method::POST)?;
    form_urlencoded::parse(query.as_bytes())
        .find(|(name, _)| name == "validationToken")
        .map(|(_, token)| Answer::text(token.into_owned()))
}

struct Examined {
    item: Item,
    rich: bool,
}

/// Checks everything about a notification that needs no published keys.
fn examine(app: &App, raw: &str, now_ms: i64) -> Result<Examined, Code> {
    let mut notification: Notification = serde_json::from_str(raw).map_err(|_| MALFORMED)?;
    let tenant = app.fact("tenant_id");
    if notification.tenant_id.is_empty() {
        tenant.clone_into(&mut notification.tenant_id);
    }
    if tenant.is_empty() || !notification.tenant_id.eq_ignore_ascii_case(tenant) {
        return Err(UNKNOWN_INSTALLATION);
    }
    tenant.clone_into(&mut notification.tenant_id);
    let secret = app.secret("notification_secret").ok_or(CONFIG)?;
    if !notification.lifecycle_event.is_empty() {
        if !verify::client_state_is_ours(secret, tenant, &notification.client_state) {
            return Err(UNAUTHENTIC);
        }
        let item = envelope::lifecycle_item(&notification, raw, now_ms).ok_or(MALFORMED)?;
        return Ok(Examined { item, rich: false });
    }
    // Channels, members and chats can be notified as well as messages.
    let resource = parse_resource(&notification.resource).ok_or(KIND)?;
    if !verify::client_state_fits(secret, tenant, &resource.conversation, &notification.client_state) {
        return Err(UNAUTHENTIC);
    }
    let item = envelope::graph_item(&notification, raw, now_ms).ok_or(MALFORMED)?;
    match &notification.encrypted_content {
        Some(content) => {
            let key =
                crate::source::certificate_key(app, &content.encryption_certificate_id).ok_or(UNAUTHENTIC)?;
            crypt::authenticate(content, key).map_err(|_| UNAUTHENTIC)?;
            Ok(Examined { item, rich: true })
        }
        None => Ok(Examined { item, rich: false }),
    }
}
