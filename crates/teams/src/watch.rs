//! Subscriptions to change notifications: one for each channel and chat, renewed at half life.

use dragoman_model::codes::{CONFIG, REFUSED, SCOPE, UNKNOWN_INSTALLATION};
use dragoman_platform::{Conversation, Facts, Failure, Session, Watch};
use http::Method;
use percent_encoding::percent_decode_str;

use crate::client::{Call, Voice};
use crate::connector::TeamsConnector;
use crate::crypt::certificate_for_graph;
use crate::errors::{Refusal, Trouble};
use crate::files::{FILES_FACT, files_fact};
use crate::ids::{format_time, is_channel, is_personal, parse_time, segment};
use crate::places;
use crate::verify::client_state;
use crate::wire::Collection;
use crate::wire::subscription::{NewSubscription, Renewal, Subscription};

/// "Maximum 4,320 minutes", less a little for clocks that differ.
const LIFE_MS: i64 = 4_310 * 60_000;
/// When a subscription that was not allowed is tried again.
const AGAIN_MS: i64 = 6 * 3_600_000;
/// Fact: under which address the subscription was made; its lifecycle address cannot be changed.
const URL_FACT: &str = "subscription_url";
/// Fact: for which certificate.
const CERTIFICATE_FACT: &str = "subscription_certificate";
/// Fact: whether Graph lets the app read the conversation.
const READ_FACT: &str = "graph";

/// What a subscription is made of.
struct Wanted {
    resource: String,
    notifications: String,
    lifecycle: String,
    client_state: String,
    certificate: String,
    certificate_id: String,
}

impl TeamsConnector {
    pub(crate) async fn watch_conversation(
        &self,
        session: &Session,
        conversation: &Conversation,
        current: Option<&Watch>,
    ) -> Result<Watch, Failure> {
        let remote = conversation.remote.as_str();
        if is_personal(remote) {
            // Everything in the personal chat reaches the bot, and Graph would need the person's chats.
            let mut facts = self.learnt(session, conversation);
            self.learn_rights(session, conversation, &mut facts).await;
            return Ok(Watch { id: String::new(), renew_at_ms: None, expires_at_ms: None, facts });
        }
        let wanted = self.wanted(session, conversation).await?;
        let mut current = current.map(|watch| watch.id.clone()).filter(|id| !id.is_empty());
        if let Some(id) = &current {
            let moved = !conversation.fact(URL_FACT).is_empty()
                && conversation.fact(URL_FACT) != wanted.notifications;
            if moved {
                self.delete(session, id).await?;
                current = None;
            }
        }
        if let Some(id) = &current {
            match self.renew(session, conversation, id, &wanted).await {
                Ok(subscription) => {
                    return Ok(self.watching(session, conversation, &wanted, &subscription).await);
                }
                // It ended while nobody looked.
                Err(trouble) if matches!(trouble.status(), Some(404 | 410)) => {}
                Err(trouble) => return Err(trouble.failure()),
            }
        }
        match self.create(session, &wanted).await {
            Ok(subscription) => Ok(self.watching(session, conversation, &wanted, &subscription).await),
            Err(Trouble::Refused(refusal)) if matches!(refusal.status, 403 | 409) => {
                self.refused(session, conversation, &wanted, &refusal).await
            }
            Err(trouble) => Err(trouble.failure()),
        }
    }

    async fn wanted(&self, session: &Session, conversation: &Conversation) -> Result<Wanted, Failure> {
        let app = &session.app;
        let remote = conversation.remote.as_str();
        let resource = if is_channel(remote) {
            let place = self.place(session, remote, Some(&conversation.facts));
            let team = self.team_guid(session, remote, &place).await.map_err(|failure| match failure {
                retry @ Failure::Retry { .. } => retry,
                // Nobody told which team the channel is in: the app is not in it.
                _ => Failure::Refused(UNKNOWN_INSTALLATION),
            })?;
            format!("/teams/{team}/channels/{remote}/messages")
        } else {
            format!("/chats/{remote}/messages")
        };
        let secret = app.secret("notification_secret").ok_or(Failure::Refused(CONFIG))?;
        let certificate = app
            .secret("certificate")
            .and_then(|pem| certificate_for_graph(pem.expose()))
            .ok_or(Failure::Refused(CONFIG))?;
        let base =
            format!("{}/hooks/teams/{}", self.client.settings.public_url.trim_end_matches('/'), app.id);
        Ok(Wanted {
            resource,
            notifications: format!("{base}/notifications"),
            lifecycle: format!("{base}/lifecycle"),
            client_state: client_state(secret, app.fact("tenant_id"), remote),
            certificate,
            certificate_id: app.fact("certificate_id").to_owned(),
        })
    }

    fn end(&self) -> String {
        format_time(self.client.clock.now_ms() + LIFE_MS)
    }

    async fn create(&self, session: &Session, wanted: &Wanted) -> Result<Subscription, Trouble> {
        let body = NewSubscription {
            change_type: "created,updated,deleted",
            notification_url: &wanted.notifications,
            lifecycle_notification_url: &wanted.lifecycle,
            resource: &wanted.resource,
            expiration_date_time: &self.end(),
            client_state: &wanted.client_state,
            latest_supported_tls_version: "v1_2",
            include_resource_data: true,
            encryption_certificate: &wanted.certificate,
            encryption_certificate_id: &wanted.certificate_id,
        };
        let body = serde_json::to_vec(&body).map_err(|_| Trouble::Garbled)?;
        let call = Call::new(Method::POST, self.client.graph_url("subscriptions")).json(body);
        let response = self.client.graph(session, &Voice::App, &call).await?;
        serde_json::from_slice(response.body.expose()).map_err(|_| Trouble::Garbled)
    }

    async fn renew(
        &self,
        session: &Session,
        conversation: &Conversation,
        id: &str,
        wanted: &Wanted,
    ) -> Result<Subscription, Trouble> {
        let fresh = conversation.fact(CERTIFICATE_FACT) == wanted.certificate_id;
        let end = self.end();
        let body = Renewal {
            expiration_date_time: &end,
            encryption_certificate: (!fresh).then_some(&wanted.certificate),
            encryption_certificate_id: (!fresh).then_some(&wanted.certificate_id),
        };
        let body = serde_json::to_vec(&body).map_err(|_| Trouble::Garbled)?;
        let url = self.client.graph_url(&format!("subscriptions/{}", segment(id)));
        let response =
            self.client.graph(session, &Voice::App, &Call::new(Method::PATCH, url).json(body)).await?;
        let mut subscription: Subscription =
            serde_json::from_slice(response.body.expose()).unwrap_or_default();
        id.clone_into(&mut subscription.id);
        if subscription.expiration_date_time.is_none() {
            subscription.expiration_date_time = Some(end);
        }
        Ok(subscription)
    }

    /// A subscription was not allowed: because there is one already, or because a permission is missing.
    async fn refused(
        &self,
        session: &Session,
        conversation: &Conversation,
        wanted: &Wanted,
        refusal: &Refusal,
    ) -> Result<Watch, Failure> {
        if let Some(existing) = self.existing(session, wanted).await? {
            let same = existing.notification_url == wanted.notifications
                && existing.lifecycle_notification_url == wanted.lifecycle
                && existing.include_resource_data;
            if same {
                let renewed = self.renew(session, conversation, &existing.id, wanted).await;
                return match renewed {
                    Ok(subscription) => Ok(self.watching(session, conversation, wanted, &subscription).await),
                    Err(trouble) => Err(trouble.failure()),
                };
            }
            // One for another address of ours: it cannot be changed, and only one is allowed.
            self.delete(session, &existing.id).await?;
            let made = self.create(session, wanted).await.map_err(Trouble::failure)?;
            return Ok(self.watching(session, conversation, wanted, &made).await);
        }
        if refusal.quota {
            return Err(Failure::Refused(REFUSED));
        }
        // Without the permission to subscribe the bot's feed serves alone. Reading may still be allowed.
        let path = self.path_of(session, conversation).await?;
        let url = self.client.graph_url(&format!("{path}/messages?$top=1"));
        let readable = match self.client.graph_json::<serde_json::Value>(session, url).await {
            Ok(_) => "yes",
            Err(trouble) if matches!(trouble.status(), Some(402..=404)) => "no",
            Err(trouble) => return Err(trouble.failure()),
        };
        tracing::warn!(code = %SCOPE, app = %session.app.id, "the app may not subscribe to a conversation; events come through the bot only");
        let mut facts = self.learnt(session, conversation);
        self.learn_rights(session, conversation, &mut facts).await;
        facts.insert(READ_FACT.to_owned(), readable.to_owned());
        let again = self.client.clock.now_ms() + AGAIN_MS;
        Ok(Watch { id: String::new(), renew_at_ms: Some(again), expires_at_ms: None, facts })
    }

    async fn existing(&self, session: &Session, wanted: &Wanted) -> Result<Option<Subscription>, Failure> {
        let mut next = Some(self.client.graph_url("subscriptions"));
        for _ in 0..100 {
            let Some(url) = next.take() else { break };
            let page: Collection<Subscription> =
                self.client.graph_json(session, url).await.map_err(Trouble::failure)?;
            next = page.next;
            let resource = plain_resource(&wanted.resource);
            let found = page.value.into_iter().find(|it| plain_resource(&it.resource) == resource);
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    async fn delete(&self, session: &Session, id: &str) -> Result<(), Failure> {
        let url = self.client.graph_url(&format!("subscriptions/{}", segment(id)));
        match self.client.graph(session, &Voice::App, &Call::new(Method::DELETE, url)).await {
            Ok(_) => Ok(()),
            Err(trouble) if matches!(trouble.status(), Some(404 | 410)) => Ok(()),
            Err(trouble) => Err(trouble.failure()),
        }
    }

    pub(crate) async fn unwatch_conversation(
        &self,
        session: &Session,
        current: &Watch,
    ) -> Result<(), Failure> {
        if current.id.is_empty() { Ok(()) } else { self.delete(session, &current.id).await }
    }

    /// Whether files can be put into a conversation. What cannot be told now stays as it was.
    async fn learn_rights(&self, session: &Session, conversation: &Conversation, facts: &mut Facts) {
        if !is_channel(conversation.remote.as_str()) {
            facts.insert(FILES_FACT.to_owned(), files_fact(session));
            return;
        }
        if let Some(may) = self.may_share(session, conversation).await {
            facts.insert(FILES_FACT.to_owned(), if may { "yes" } else { "no" }.to_owned());
        }
    }

    fn learnt(&self, session: &Session, conversation: &Conversation) -> Facts {
        places::facts(&self.place(session, conversation.remote.as_str(), Some(&conversation.facts)))
    }

    async fn watching(
        &self,
        session: &Session,
        conversation: &Conversation,
        wanted: &Wanted,
        subscription: &Subscription,
    ) -> Watch {
        let now = self.client.clock.now_ms();
        let ends = subscription.expiration_date_time.as_deref().and_then(parse_time).unwrap_or(now + LIFE_MS);
        let life = (ends - now).max(0);
        // At half life, a tenth earlier or later, so that many made together are not renewed together.
        let spread = u64::try_from(life / 5).unwrap_or(0);
        let jitter = i64::try_from(self.client.random.below(spread.max(1))).unwrap_or(0) - life / 10;
        let mut facts = self.learnt(session, conversation);
        self.learn_rights(session, conversation, &mut facts).await;
        facts.insert(URL_FACT.to_owned(), wanted.notifications.clone());
        facts.insert(CERTIFICATE_FACT.to_owned(), wanted.certificate_id.clone());
        facts.insert(READ_FACT.to_owned(), "yes".to_owned());
        Watch {
            id: subscription.id.clone(),
            renew_at_ms: Some(now + life / 2 + jitter),
            expires_at_ms: Some(ends),
            facts,
        }
    }
}

/// A resource without what services write differently.
fn plain_resource(resource: &str) -> String {
    percent_decode_str(resource.trim_matches('/')).decode_utf8_lossy().to_ascii_lowercase()
}
