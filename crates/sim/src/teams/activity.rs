//! Activities to bots: who is told what, in the shape of recorded traffic, with a Bot Framework token.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use serde_json::{Value, json};

use super::html::{activity_html, activity_text};
use super::ids::{guid, iso, mri};
use super::model::{Author, Change, ChangeKind, Conversation, Message, Place, State};
use super::share::attachment_tag;
use super::sim::{Core, Inner, PLATFORM, Twist};
use crate::core::CallError;
use crate::core::delivery::{DeliveryJob, entry};

/// Reactions that have a short name in bot traffic, with their character.
const REACTIONS: [(&str, &str); 13] = [
    ("like", "👍"),
    ("heart", "❤️"),
    ("laugh", "😆"),
    ("surprised", "😮"),
    ("sad", "😢"),
    ("angry", "😡"),
    ("1f440_eyes", "👀"),
    ("2705_whiteheavycheckmark", "✅"),
    ("launch", "🚀"),
    ("1f4cc_pushpin", "📌"),
    ("party", "🥳"),
    ("think", "🤔"),
    ("274c_crossmark", "❌"),
];

/// The lightest of the five skin tones; the others follow it.
const LIGHTEST: u32 = 0x1f3fb;

/// The name of a reaction in bot traffic; a skin tone is `-tone1` to `-tone5` at its end.
pub(super) fn reaction_type(kind: &str) -> String {
    if let Some(tone) = kind.chars().find(|c| (LIGHTEST..LIGHTEST + 5).contains(&u32::from(*c))) {
        let base: String = kind.chars().filter(|c| *c != tone).collect();
        return format!("{}-tone{}", reaction_type(&base), u32::from(tone) - LIGHTEST + 1);
    }
    if let Some((name, _)) = REACTIONS.iter().find(|(n, c)| *c == kind || *n == kind) {
        return (*name).to_owned();
    }
    let hex: Vec<String> = kind.chars().map(|c| format!("{:x}", u32::from(c))).collect();
    format!("{}_emoji", hex.join("-"))
}

/// The character of a reaction named as in bot traffic.
pub(super) fn reaction_character(kind: &str) -> Option<String> {
    if let Some((base, tone)) = kind.rsplit_once("-tone")
        && let Some(tone) = tone.parse::<u32>().ok().filter(|tone| (1..=5).contains(tone))
    {
        let mut characters = reaction_character(base)?;
        characters.push(char::from_u32(LIGHTEST + tone - 1)?);
        return Some(characters);
    }
    if let Some((_, c)) = REACTIONS.iter().find(|(n, c)| *n == kind || *c == kind) {
        return Some((*c).to_owned());
    }
    let hex = kind.split('_').next().unwrap_or("");
    let text: Option<String> =
        hex.split('-').map(|h| u32::from_str_radix(h, 16).ok().and_then(char::from_u32)).collect();
    text.filter(|t| !t.is_empty() && !t.is_ascii())
}

/// Whether a bot gets to see a message that is not its own: personal chats, resource-specific permission, or a
/// mention.
fn hears(state: &State, app: &str, c: &Conversation, m: &Message) -> bool {
    let place = c.place();
    let permission = if c.is_channel() { "ChannelMessage.Read.Group" } else { "ChatMessage.Read.Chat" };
    matches!(place, Place::Person(_))
        || state.grants(app, &place).iter().any(|g| g == permission)
        || m.draft.mentions.iter().any(|x| x["mentioned"]["application"]["id"] == app)
}

/// Tells every bot that may know about a change of a message.
pub(super) fn on_change(inner: &Arc<Inner>, change: &Change) {
    let mut out = Vec::new();
    {
        let mut core = inner.core();
        let sent = downloads(inner, &mut core, change);
        let state = &core.tenant;
        let Some(c) = state.conversations.get(&change.conversation) else { return };
        let Some(m) = c.messages.get(&change.message).filter(|m| m.event.is_none()) else { return };
        let service_url = inner.service_url(&core);
        for (app, a) in &state.apps {
            if a.seed.bot.is_none() || a.disabled || !state.takes_part(app, c) {
                continue;
            }
            let own = m.from == Some(Author::App(app.clone()));
            let reaction =
                matches!(change.kind, ChangeKind::ReactionAdded(_) | ChangeKind::ReactionRemoved(_));
            let by_person = matches!(change.actor, Some(Author::User(_)));
            let of_person = matches!(m.from, Some(Author::User(_)));
            let told = if reaction { own && by_person } else { of_person && hears(state, app, c, m) };
            if told && let Some(activity) = for_message(state, &service_url, app, c, m, (change, &sent)) {
                out.push((app.clone(), activity));
            }
        }
    }
    for (app, activity) in out {
        deliver(inner, &app, &activity, Some(&change.conversation));
    }
}

/// What somebody sent to a bot in their own chat with it: with addresses that need no token, for a while.
fn downloads(inner: &Inner, core: &mut Core, change: &Change) -> Vec<Value> {
    let Some(c) = core.tenant.conversations.get(&change.conversation) else { return Vec::new() };
    let Some(m) = c.messages.get(&change.message).filter(|_| c.bot.is_some()) else { return Vec::new() };
    let attached: Vec<Value> =
        m.draft.attachments.iter().filter(|it| it["contentType"] == "reference").cloned().collect();
    let site = inner.site(core);
    let mut sent = Vec::new();
    for file in attached {
        let address = file["contentUrl"].as_str().unwrap_or_default();
        let path = address.strip_prefix(&site).unwrap_or_default();
        let Some(item) = core.drives.by_path(path).cloned() else { continue };
        let key = core.drives.address(&item.id, change.at);
        let kind = item.name.rsplit_once('.').map_or("", |(_, ending)| ending);
        sent.push(json!({
            "contentType": "application/vnd.microsoft.teams.file.download.info",
            "contentUrl": address, "name": item.name,
            "content": {
                "downloadUrl": format!("{site}/_api/download/{key}"), "uniqueId": item.guid, "fileType": kind,
            },
        }));
    }
    sent
}

/// The members that all activities share.
pub(super) fn base(
    state: &State,
    service_url: &str,
    app: &str,
    c: &Conversation,
    actor: &str,
    at: u64,
) -> Value {
    let tenant = &state.config.tenant.id;
    let name = state.apps.get(app).map(|a| a.seed.name.clone());
    let person = state.people.get(actor);
    let kind = match c.kind.as_str() {
        "channel" => "channel",
        "oneOnOne" if c.bot.is_some() => "personal",
        _ => "groupChat",
    };
    let mut conversation = json!({
        "conversationType": kind, "tenantId": tenant, "id": c.bot_side_id(),
    });
    if kind != "personal" {
        conversation["isGroup"] = json!(true);
    }
    let mut data = json!({"tenant": {"id": tenant}});
    if let Some(team) = c.team.as_ref().and_then(|t| state.teams.get(t)) {
        data["channel"] = json!({"id": c.id});
        data["team"] = json!({"id": team.channels.first()});
    }
    json!({
        "timestamp": iso(at),
        "localTimestamp": iso(at).replace('Z', "+00:00"),
        "channelId": "msteams",
        "serviceUrl": service_url,
        "from": {"id": mri(app, actor), "name": person.map(|p| p.name.clone()), "aadObjectId": actor},
        "conversation": conversation,
        "recipient": {"id": format!("28:{app}"), "name": name},
        "channelData": data,
        "locale": "en-US",
    })
}

fn for_message(
    state: &State,
    service_url: &str,
    app: &str,
    c: &Conversation,
    m: &Message,
    (change, sent): (&Change, &[Value]),
) -> Option<Value> {
    let actor = change.actor.as_ref().or(m.from.as_ref())?.id().to_owned();
    let mut a = base(state, service_url, app, c, &actor, change.at);
    a["id"] = json!(m.id.to_string());
    if c.is_channel() {
        a["conversation"]["id"] = json!(format!("{};messageid={}", c.id, m.root.unwrap_or(m.id)));
        if !matches!(change.kind, ChangeKind::ReactionAdded(_) | ChangeKind::ReactionRemoved(_)) {
            a["channelData"]["teamsChannelId"] = json!(c.id);
            a["channelData"]["teamsTeamId"] = a["channelData"]["team"]["id"].clone();
        }
    }
    match &change.kind {
        ChangeKind::ReactionAdded(kind) | ChangeKind::ReactionRemoved(kind) => {
            let added = matches!(change.kind, ChangeKind::ReactionAdded(_));
            a["type"] = json!("messageReaction");
            a["replyToId"] = json!(m.id.to_string());
            a[if added { "reactionsAdded" } else { "reactionsRemoved" }] =
                json!([{"type": reaction_type(kind)}]);
            if let Some(o) = a.as_object_mut() {
                o.remove("localTimestamp");
                o.remove("locale");
            }
            return Some(a);
        }
        ChangeKind::Created => a["type"] = json!("message"),
        ChangeKind::Edited | ChangeKind::Touched => {
            a["type"] = json!("messageUpdate");
            a["channelData"]["eventType"] = json!("editMessage");
        }
        ChangeKind::Restored => {
            a["type"] = json!("messageUpdate");
            a["channelData"]["eventType"] = json!("undeleteMessage");
        }
        ChangeKind::Deleted => {
            a["type"] = json!("messageDelete");
            a["channelData"]["eventType"] = json!("softDeleteMessage");
        }
    }
    a["localTimezone"] = json!("Etc/UTC");
    let mut entities = Vec::new();
    if change.kind != ChangeKind::Deleted {
        a["textFormat"] = json!("plain");
        if m.draft.html {
            a["text"] = json!(activity_text(&m.draft.content));
            let base = service_url.trim_end_matches('/');
            let pictures = m.draft.hosted.keys().map(|id| {
                let address = format!("{base}/v3/attachments/{id}/views/original");
                json!({"contentType": "image/*", "contentUrl": address})
            });
            let mut content = activity_html(&m.draft.content);
            for id in sent.iter().filter_map(|file| file["content"]["uniqueId"].as_str()) {
                // What is given needs no tag.
                content = content.replace(&attachment_tag(&id.to_lowercase()), "");
            }
            let html = json!({"contentType": "text/html", "content": content});
            a["attachments"] = sent.iter().cloned().chain(pictures).chain([html]).collect();
        } else {
            a["text"] = json!(m.draft.content);
        }
        entities.extend(m.draft.mentions.iter().filter_map(|x| mention(app, x)));
    }
    entities.push(json!({
        "locale": "en-US", "country": "US", "platform": "Web", "timezone": "Etc/UTC", "type": "clientInfo",
    }));
    a["entities"] = json!(entities);
    Some(a)
}

fn mention(app: &str, m: &Value) -> Option<Value> {
    let name = m["mentionText"].as_str()?;
    let who = &m["mentioned"];
    let id = if let Some(user) = who["user"]["id"].as_str() {
        mri(app, user)
    } else if let Some(bot) = who["application"]["id"].as_str() {
        format!("28:{bot}")
    } else {
        who["conversation"]["id"].as_str()?.to_owned()
    };
    Some(
        json!({"mentioned": {"id": id, "name": name}, "text": format!("<at>{name}</at>"), "type": "mention"}),
    )
}

/// The activities of an installation: `installationUpdate`, and `conversationUpdate` with the bot as new member.
pub(super) fn installed(
    inner: &Arc<Inner>,
    app: &str,
    place: &Place,
    conversation: &str,
    by: &str,
    add: bool,
) {
    let mut out = Vec::new();
    {
        let mut core = inner.core();
        let service_url = inner.service_url(&core);
        let now = inner.now();
        let ids = [core.tenant.random(), core.tenant.random()];
        let state = &core.tenant;
        let Some(c) = state.conversations.get(conversation) else { return };
        let mut a = base(state, &service_url, app, c, by, now);
        a["conversation"]["name"] = json!(c.name);
        if let Place::Team(team) = place
            && let Some(team) = state.teams.get(team)
        {
            a["channelData"]["team"] =
                json!({"aadGroupId": team.id, "name": team.name, "id": team.channels.first()});
            a["channelData"]["settings"] = json!({"selectedChannel": {"id": c.id}});
        }
        let mut update = a.clone();
        update["type"] = json!("conversationUpdate");
        update["id"] = json!(format!("f:{}", guid(ids[0])));
        update[if add { "membersAdded" } else { "membersRemoved" }] = json!([{"id": format!("28:{app}")}]);
        if c.is_channel() {
            update["channelData"]["eventType"] =
                json!(if add { "teamMemberAdded" } else { "teamMemberRemoved" });
        }
        for key in ["localTimestamp", "locale"] {
            update.as_object_mut().map(|o| o.remove(key));
        }
        update["channelData"].as_object_mut().map(|o| o.remove("channel"));
        a["type"] = json!("installationUpdate");
        a["action"] = json!(if add { "add" } else { "remove" });
        a["id"] = json!(format!("f:{}", guid(ids[1])));
        a["entities"] = json!([{"locale": "en-US", "type": "clientInfo"}]);
        a["channelData"]["source"] = json!({"name": "message"});
        out.extend([a, update]);
    }
    for activity in out {
        deliver(inner, app, &activity, Some(conversation));
    }
}

/// The activity of a pressed card button.
pub(super) fn card_pressed(inner: &Arc<Inner>, app: &str, person: &str, conversation: &str, value: &Value) {
    let activity = {
        let mut core = inner.core();
        let service_url = inner.service_url(&core);
        let (now, id) = (inner.now(), core.tenant.guid());
        let Some(c) = core.tenant.conversations.get(conversation) else { return };
        let mut a = base(&core.tenant, &service_url, app, c, person, now);
        a["type"] = json!("message");
        a["id"] = json!(format!("f:{id}"));
        a["value"] = value.clone();
        a["channelData"]["source"] = json!({"name": "message"});
        a
    };
    deliver(inner, app, &activity, Some(conversation));
}

/// A `conversationUpdate` about a team, its channels or its members, to every bot that takes part.
pub(super) fn conversation_update(
    inner: &Arc<Inner>,
    conversation: &str,
    by: &str,
    event: &str,
    extra: &Value,
) {
    let mut out = Vec::new();
    {
        let mut core = inner.core();
        let service_url = inner.service_url(&core);
        let now = inner.now();
        let id = format!("f:{}", core.tenant.guid());
        let state = &core.tenant;
        let Some(c) = state.conversations.get(conversation) else { return };
        for (app, seed) in &state.apps {
            if seed.seed.bot.is_none() || !state.takes_part(app, c) {
                continue;
            }
            let mut a = base(state, &service_url, app, c, by, now);
            a["type"] = json!("conversationUpdate");
            a["id"] = json!(id);
            if c.is_channel() {
                a["channelData"]["eventType"] = json!(event);
                if let Some(team) = c.team.as_ref().and_then(|t| state.teams.get(t)) {
                    a["channelData"]["team"] =
                        json!({"id": team.channels.first(), "name": team.name, "aadGroupId": team.id});
                    // Events of a team arrive in its General channel.
                    a["conversation"]["id"] = json!(team.channels.first());
                }
            }
            for (k, v) in extra.as_object().into_iter().flatten() {
                if k == "channel" {
                    a["channelData"]["channel"] = v.clone();
                } else if let Some(people) = v.as_array() {
                    a[k] = people
                        .iter()
                        .filter_map(Value::as_str)
                        .map(|oid| json!({"id": mri(app, oid), "aadObjectId": oid}))
                        .collect();
                } else {
                    a[k] = v.clone();
                }
            }
            out.push((app.clone(), a));
        }
    }
    for (app, activity) in out {
        deliver(inner, &app, &activity, Some(conversation));
    }
}

/// The claims of a token for a bot.
fn token(core: &mut Core, app: &str, service_url: &str, now: u64) -> Option<String> {
    if core.twisted(Twist::BotWithoutToken) {
        return None;
    }
    let camel = core.tenant.config.doubts.service_url_claim_camel_case;
    let mut claims = json!({
        "iss": "https://api.botframework.com",
        "aud": app,
        "nbf": now / 1_000 - 60,
        "exp": now / 1_000 + 3_600,
    });
    claims[if camel { "serviceUrl" } else { "serviceurl" }] = json!(service_url);
    if core.twisted(Twist::BotWrongServiceUrl) {
        claims[if camel { "serviceUrl" } else { "serviceurl" }] = json!("https://elsewhere.example/");
    }
    if core.twisted(Twist::BotWrongAudience) {
        claims["aud"] = json!("00000000-0000-4000-8000-00000000f0f0");
    }
    if core.twisted(Twist::BotWrongIssuer) {
        claims["iss"] = json!("https://sts.windows.net/elsewhere/");
    }
    if core.twisted(Twist::BotExpired) {
        claims["nbf"] = json!(now / 1_000 - 4_200);
        claims["exp"] = json!(now / 1_000 - 600);
    }
    let unknown = core.twisted(Twist::BotUnknownKey).then_some("unpublished-key");
    if core.twisted(Twist::BotForeignKey) {
        return Some(core.login.sign(&claims, unknown));
    }
    Some(core.bot_keys.sign(&claims, unknown))
}

/// Told when a bot took an activity; dropped untold when it did not.
pub(super) type Taken = Arc<dyn Fn() + Send + Sync>;

/// Posts an activity to a bot; an answer that does not come in time leads to a second post with the same id.
pub(super) fn deliver(inner: &Arc<Inner>, app: &str, activity: &Value, conversation: Option<&str>) {
    deliver_and(inner, app, activity, conversation, Arc::new(|| {}));
}

/// The same, and tells whether the bot took it.
pub(super) fn deliver_and(
    inner: &Arc<Inner>,
    app: &str,
    activity: &Value,
    conversation: Option<&str>,
    taken: Taken,
) {
    let endpoint = inner.core().tenant.apps.get(app).and_then(|a| a.seed.bot.as_ref()?.endpoint.clone());
    let Some(endpoint) = endpoint else { return };
    let method = format!("bot.{}", activity["type"].as_str().unwrap_or(""));
    let weak = Arc::downgrade(inner);
    let (app, activity, name) = (app.to_owned(), activity.clone(), method.clone());
    let lane = conversation.map(str::to_owned);
    let job: DeliveryJob = Arc::new(move |first| {
        let (weak, endpoint, app, activity) = (weak.clone(), endpoint.clone(), app.clone(), activity.clone());
        let (method, lane, taken) = (name.clone(), lane.clone(), Arc::clone(&taken));
        Box::pin(async move {
            let Some(inner) = weak.upgrade() else { return };
            let (timing, again) = {
                let core = inner.core();
                let c = &core.tenant.config;
                (c.timing.clone(), c.doubts.bot_retries_refusals)
            };
            for attempt in 0..=timing.bot_retries {
                let headers = headers(&mut inner.core(), &app, &activity, inner.now());
                let started = tokio::time::Instant::now();
                let deadline = Duration::from_millis(timing.bot_deadline);
                let body = Bytes::from(activity.to_string());
                let answer = inner.client.request(Method::POST, &endpoint, headers, body, deadline).await;
                let ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
                let status = answer.as_ref().map_or(0, |a| a.status.as_u16());
                let note =
                    json!({"id": activity["id"], "failure": answer.as_ref().err().map(ToString::to_string)});
                inner.log.add(entry(
                    PLATFORM,
                    &method,
                    &endpoint,
                    lane.as_deref(),
                    status,
                    ms,
                    attempt,
                    note,
                ));
                first.over();
                if (200..300).contains(&status) {
                    taken();
                    return;
                }
                if !matches!(answer, Err(CallError::Timeout)) {
                    if !again {
                        return;
                    }
                    tokio::time::sleep(deadline).await;
                }
            }
        })
    });
    inner.bot_delivery.submit(PLATFORM, &method, conversation, job);
}

fn headers(core: &mut Core, app: &str, activity: &Value, now: u64) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/json; charset=utf-8"));
    let service_url = activity["serviceUrl"].as_str().unwrap_or("");
    let pairs = [
        ("authorization", token(core, app, service_url, now).map(|t| format!("Bearer {t}"))),
        ("x-ms-conversation-id", activity["conversation"]["id"].as_str().map(str::to_owned)),
        ("x-ms-tenant-id", Some(core.tenant.config.tenant.id.clone())),
    ];
    for (name, value) in pairs {
        if let Some(value) = value.and_then(|v| HeaderValue::from_str(&v).ok()) {
            headers.insert(name, value);
        }
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reactions_keep_their_skin_tone() {
        for (name, characters) in
            [("like", "👍"), ("like-tone3", "👍🏽"), ("1f44b_emoji-tone5", "👋🏿"), ("launch", "🚀")]
        {
            assert_eq!(reaction_character(name).as_deref(), Some(characters), "{name}");
            assert_eq!(reaction_type(characters), name, "{characters}");
        }
        assert_eq!(reaction_character("1f44b_wavinghand-tone3").as_deref(), Some("👋🏽"));
        assert!(reaction_character("nonsense-tone9").is_none());
    }
}
