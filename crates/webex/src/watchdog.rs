//! The webhooks of an installation: made, repaired, and looked at every few minutes, because Webex switches one off
//! whose receiver fails too often and tells nobody ("Webhooks", "Auto Deactivation").
//!
//! One account-wide webhook serves all bridged spaces, so all watches of an installation carry the same id. It changes
//! whenever the webhook was found dead or missing; each conversation whose watch gets another id is caught up with.

use dragoman_model::codes;
use dragoman_platform::{Conversation, Facts, Failure, Session, TokenSlot, Watch};
use http::Method;
use serde_json::json;

use crate::client::{Call, Client, Listed, understood};
use crate::errors::Trouble;
use crate::ids;
use crate::memory::Looked;
use crate::wire::answers::Webhook;

/// For so long one look counts for all conversations of an installation, in milliseconds.
const FRESH_MS: i64 = 150_000;
/// When to look again, in milliseconds, and how far conversations are spread after that.
const AGAIN_MS: i64 = 180_000;
const SPREAD_MS: u64 = 60_000;
/// The part of this time that each conversation of an installation adds, and the longest time, in milliseconds.
const SHARE_MS: i64 = 500;
const LONGEST_MS: i64 = 900_000;
/// Pages of webhooks that are read.
const MOST_CALLS: usize = 50;

/// Everything that happens to messages, memberships and spaces of the account. The service's libraries depend on it,
/// though its documentation lists the single resources only.
const FIREHOSE: &[(&str, &str)] = &[("all", "all")];
/// The same one by one, where the firehose is refused.
const SINGLE: &[(&str, &str)] = &[
    ("messages", "created"),
    ("messages", "deleted"),
    ("memberships", "created"),
    ("memberships", "deleted"),
    ("rooms", "migrated"),
];

/// Sees to it that events of the conversation arrive.
pub(crate) async fn watch(
    client: &Client,
    session: &Session,
    conversation: &Conversation,
    current: Option<&Watch>,
) -> Result<Watch, Failure> {
    let mut facts = Facts::new();
    if current.is_none() {
        let found = crate::rooms::conversation(client, session, &conversation.remote).await?;
        facts = found.facts;
    }
    let watched = client.memory.watch(&session.installation.id, &conversation.remote);
    let id = watch_installation(client, session, current).await?;
    let spread = i64::try_from(client.random.below(SPREAD_MS)).unwrap_or(0);
    let renew_at_ms = Some(client.clock.now_ms() + again_ms(watched) + spread);
    Ok(Watch { id, renew_at_ms, expires_at_ms: None, facts })
}

/// Sees to it that events of the account arrive; the id of that.
pub(crate) async fn watch_installation(
    client: &Client,
    session: &Session,
    current: Option<&Watch>,
) -> Result<String, Failure> {
    let look = client.memory.look(&session.installation.id);
    let mut look = look.lock().await;
    let monotonic_ms = client.clock.monotonic_ms();
    let fresh = look.as_ref().filter(|looked| monotonic_ms - looked.at_ms < FRESH_MS);
    if let Some(looked) = fresh {
        return Ok(looked.id.clone());
    }
    let before = look.as_ref().map(|looked| looked.id.as_str());
    let before = before.or(current.map(|watch| watch.id.as_str()));
    let id = repaired(client, session, before).await?;
    *look = Some(Looked { at_ms: monotonic_ms, id: id.clone() });
    Ok(id)
}

/// When a conversation asks again. Where there are many, each asks less often: any of them revives the webhook for all,
/// and only the reading of what was missed waits.
fn again_ms(conversations: usize) -> i64 {
    i64::try_from(conversations).unwrap_or(i64::MAX).saturating_mul(SHARE_MS).clamp(AGAIN_MS, LONGEST_MS)
}

/// Brings the webhooks into order. Returns the id of the watch: the one it had, if nothing was amiss.
async fn repaired(client: &Client, session: &Session, before: Option<&str>) -> Result<String, Failure> {
    let secret = session.app.secret("webhook_secret").ok_or(Failure::Refused(codes::CONFIG))?;
    let app = session.app.id.as_str();
    let wanted = Wanted {
        name: format!("dragoman {app}"),
        url: client.settings.hook_url(app),
        secret: secret.expose(),
    };
    let ours: Vec<Webhook> =
        listed(client, session).await?.into_iter().filter(|hook| wanted.is_ours(hook)).collect();
    let single =
        ours.iter().any(|hook| hook.resource != "all") && !ours.iter().any(|hook| hook.resource == "all");
    let kinds = if single { SINGLE } else { FIREHOSE };
    let mut done = carry_out(client, session, &wanted, plan(&ours, kinds, &wanted)).await;
    if let Err(trouble) = &done
        && !single
        && matches!(trouble.status(), Some(400 | 403))
    {
        tracing::info!("a webhook for everything was refused; one for each kind is made");
        done = carry_out(client, session, &wanted, plan(&ours, SINGLE, &wanted)).await;
    }
    let Done { first, amiss } = done.map_err(Trouble::failure)?;
    let known = before.filter(|before| before.rsplit_once('.').is_some_and(|(id, _)| id == first));
    Ok(match known {
        Some(before) if !amiss => before.to_owned(),
        _ => {
            if amiss && before.is_some() {
                tracing::warn!(installation = %session.installation.id, "webhooks were switched off or gone; they are active again, and what was missed is read");
            }
            format!("{first}.{}", client.clock.now_ms())
        }
    })
}

struct Wanted<'a> {
    name: String,
    url: String,
    secret: &'a str,
}

impl Wanted<'_> {
    fn is_ours(&self, hook: &Webhook) -> bool {
        hook.name == self.name || hook.target_url == self.url
    }

    fn is_right(&self, hook: &Webhook) -> bool {
        hook.name == self.name
            && hook.target_url == self.url
            && hook
                .secret
                .as_deref()
                .is_none_or(|secret| dragoman_seal::equal(secret.as_bytes(), self.secret.as_bytes()))
    }
}

/// One thing to do.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Act {
    /// It is as it should be.
    Keep(String),
    /// Name, address or secret are others; no event was lost by that, or all were.
    Correct(String),
    /// It was switched off.
    Revive(String),
    /// It is missing.
    Create(&'static str, &'static str),
    /// It delivers what another one does.
    Delete(String),
}

fn plan(ours: &[Webhook], kinds: &'static [(&'static str, &'static str)], wanted: &Wanted<'_>) -> Vec<Act> {
    let mut acts = Vec::new();
    let mut kept = Vec::new();
    for (resource, event) in kinds {
        let fitting = ours.iter().filter(|hook| {
            hook.resource == *resource
                && hook.event == *event
                && hook.filter.as_deref().unwrap_or("").is_empty()
        });
        // An active one before one that has to be revived.
        let active = |hook: &&Webhook| hook.status.as_deref() != Some("inactive");
        let best = fitting.clone().find(active).or_else(|| fitting.clone().next());
        acts.push(match best {
            None => Act::Create(resource, event),
            Some(hook) => {
                kept.push(hook.id.as_str());
                match (active(&hook), wanted.is_right(hook)) {
                    (false, _) => Act::Revive(hook.id.clone()),
                    (true, false) => Act::Correct(hook.id.clone()),
                    (true, true) => Act::Keep(hook.id.clone()),
                }
            }
        });
    }
    let rest = ours.iter().filter(|hook| !kept.contains(&hook.id.as_str()));
    acts.extend(rest.map(|hook| Act::Delete(hook.id.clone())));
    acts
}

/// What came of a plan.
struct Done {
    /// The first webhook.
    first: String,
    /// Whether events may have been lost.
    amiss: bool,
}

async fn carry_out(
    client: &Client,
    session: &Session,
    wanted: &Wanted<'_>,
    acts: Vec<Act>,
) -> Result<Done, Trouble> {
    let mut done = Done { first: String::new(), amiss: false };
    for act in acts {
        let lost = !matches!(act, Act::Keep(_) | Act::Delete(_));
        let id = match act {
            Act::Keep(id) => id,
            Act::Correct(id) | Act::Revive(id) => {
                // What it would do to leave the secret out is not documented.
                let body = json!({
                    "name": wanted.name, "targetUrl": wanted.url, "secret": wanted.secret, "status": "active",
                });
                let call = Call::new(Method::PUT, client.url(&["webhooks", &id], &[])).json(body);
                client.call(session, &TokenSlot::App, &call).await?;
                id
            }
            Act::Create(resource, event) => {
                let body = json!({
                    "name": wanted.name, "targetUrl": wanted.url, "secret": wanted.secret,
                    "resource": resource, "event": event,
                });
                let call = Call::new(Method::POST, client.url(&["webhooks"], &[])).json(body);
                match client.call(session, &TokenSlot::App, &call).await {
                    Ok(response) => understood::<Webhook>(&response)?.id,
                    // There is such a one already; the next look finds it.
                    Err(trouble) if trouble.status() == Some(409) => format!("{resource}-{event}"),
                    Err(trouble) => return Err(trouble),
                }
            }
            Act::Delete(id) => {
                let call = Call::new(Method::DELETE, client.url(&["webhooks", &id], &[]));
                match client.call(session, &TokenSlot::App, &call).await {
                    Ok(_) => {}
                    Err(trouble) if trouble.status() == Some(404) => {}
                    Err(trouble) => return Err(trouble),
                }
                continue;
            }
        };
        done.amiss |= lost;
        if done.first.is_empty() {
            done.first = ids::parts(&id).map_or(id, |parts| parts.key);
        }
    }
    Ok(done)
}

async fn listed(client: &Client, session: &Session) -> Result<Vec<Webhook>, Failure> {
    let mut found = Vec::new();
    let mut next = Some(client.url(&["webhooks"], &[("max", "100")]));
    for _ in 0..MOST_CALLS {
        let Some(url) = next.take() else { break };
        let page: Listed<Webhook> =
            client.list(session, &TokenSlot::App, url).await.map_err(Trouble::failure)?;
        found.extend(page.items);
        next = page.next;
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hook(id: &str, resource: &str, event: &str, status: &str) -> Webhook {
        Webhook {
            id: id.to_owned(),
            name: "dragoman a".to_owned(),
            target_url: "https://gateway.example/hooks/webex/a/events".to_owned(),
            resource: resource.to_owned(),
            event: event.to_owned(),
            filter: None,
            status: Some(status.to_owned()),
            secret: Some("s".to_owned()),
        }
    }

    #[test]
    fn many_conversations_ask_less_often() {
        assert_eq!((again_ms(1), again_ms(360)), (AGAIN_MS, AGAIN_MS));
        assert_eq!((again_ms(1_000), again_ms(usize::MAX)), (500_000, LONGEST_MS));
    }

    #[test]
    fn one_active_webhook_of_each_kind_is_left() {
        let wanted = Wanted {
            name: "dragoman a".to_owned(),
            url: "https://gateway.example/hooks/webex/a/events".to_owned(),
            secret: "s",
        };
        let id = str::to_owned;
        assert_eq!(plan(&[], FIREHOSE, &wanted), [Act::Create("all", "all")]);
        let good = hook("1", "all", "all", "active");
        assert_eq!(plan(std::slice::from_ref(&good), FIREHOSE, &wanted), [Act::Keep(id("1"))]);
        let off = hook("0", "all", "all", "inactive");
        assert_eq!(plan(std::slice::from_ref(&off), FIREHOSE, &wanted), [Act::Revive(id("0"))]);
        assert_eq!(
            plan(&[off, good.clone(), hook("2", "messages", "created", "active")], FIREHOSE, &wanted),
            [Act::Keep(id("1")), Act::Delete(id("0")), Act::Delete(id("2"))]
        );
        for wrong in [
            Webhook { secret: Some(id("other")), ..good.clone() },
            Webhook { target_url: id("https://elsewhere.example"), ..good.clone() },
            Webhook { name: id("renamed"), ..good.clone() },
        ] {
            assert_eq!(plan(&[wrong], FIREHOSE, &wanted), [Act::Correct(id("1"))]);
        }
        let filtered = Webhook { filter: Some(id("roomId=x")), ..good };
        assert_eq!(plan(&[filtered], FIREHOSE, &wanted), [Act::Create("all", "all"), Act::Delete(id("1"))]);
        assert_eq!(plan(&[], SINGLE, &wanted).len(), SINGLE.len());
    }
}
