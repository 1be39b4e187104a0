//! Microsoft Graph's JSON: messages, chats, channels, people (resource types of the v1.0 reference).

use serde_json::{Map, Value, json};

use super::ids::{encode, iso, opaque};
use super::model::{Author, Conversation, Message, Reaction, State, Team};

/// How an object is written.
#[derive(Clone, Debug)]
pub(super) struct View {
    /// Scheme and authority of Graph in links.
    pub origin: String,
    /// `Prefer: include-unknown-enum-members` was sent.
    pub unknown_members: bool,
}

impl View {
    /// The metadata link of an answer.
    pub(super) fn context(&self, what: &str) -> String {
        format!("{}/v1.0/$metadata#{what}", self.origin)
    }
}

/// Where a conversation's messages live in metadata links, keys percent-encoded.
pub(super) fn messages_context(c: &Conversation) -> String {
    match &c.team {
        Some(team) => format!("teams('{team}')/channels('{}')/messages", encode(&c.id)),
        None => format!("chats('{}')/messages", encode(&c.id)),
    }
}

/// The resource path of a message as notifications write it.
pub(super) fn message_resource(c: &Conversation, message: u64, root: Option<u64>) -> String {
    match (&c.team, root) {
        (Some(team), Some(root)) => {
            format!("teams('{team}')/channels('{}')/messages('{root}')/replies('{message}')", c.id)
        }
        (Some(team), None) => format!("teams('{team}')/channels('{}')/messages('{message}')", c.id),
        (None, _) => format!("chats('{}')/messages('{message}')", c.id),
    }
}

fn message_path(c: &Conversation, m: &Message) -> String {
    match (&c.team, m.root) {
        (Some(team), Some(root)) => {
            format!("teams/{team}/channels/{}/messages/{root}/replies/{}", c.id, m.id)
        }
        (Some(team), None) => format!("teams/{team}/channels/{}/messages/{}", c.id, m.id),
        (None, _) => format!("chats/{}/messages/{}", c.id, m.id),
    }
}

fn user_identity(state: &State, oid: &str, name: Value) -> Value {
    json!({
        "@odata.type": "#microsoft.graph.teamworkUserIdentity",
        "id": oid,
        "displayName": name,
        "userIdentityType": "aadUser",
        "tenantId": state.config.tenant.id,
    })
}

fn application_identity(state: &State, app: &str) -> Value {
    json!({
        "@odata.type": "#microsoft.graph.teamworkApplicationIdentity",
        "id": app,
        "displayName": state.name(&Author::App(app.to_owned())),
        "applicationIdentityType": "bot",
    })
}

/// `from` of a message.
pub(super) fn from(state: &State, author: Option<&Author>) -> Value {
    match author {
        None => Value::Null,
        Some(Author::User(id)) => {
            let name = state.people.get(id).filter(|p| !p.nameless_in_messages).map(|p| p.name.clone());
            json!({"application": null, "device": null, "user": user_identity(state, id, json!(name))})
        }
        Some(Author::App(id)) => {
            json!({"device": null, "user": null, "application": application_identity(state, id)})
        }
    }
}

fn reaction(state: &State, r: &Reaction) -> Value {
    let who = match &r.by {
        Author::User(id) => {
            json!({"application": null, "device": null, "user": user_identity(state, id, Value::Null)})
        }
        Author::App(id) => {
            json!({"user": null, "device": null, "application": application_identity(state, id)})
        }
    };
    json!({
        "reactionType": r.kind,
        "displayName": reaction_name(&r.kind),
        "reactionContentUrl": null,
        "createdDateTime": iso(r.at),
        "user": who,
    })
}

fn reaction_name(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "like" | "👍" => "Like",
        "heart" | "❤️" => "Heart",
        "laugh" | "😆" => "Laugh",
        "surprised" | "😮" => "Surprised",
        "sad" | "😢" => "Sad",
        "angry" | "😡" => "Angry",
        _ => return None,
    })
}

/// A `chatMessage`.
pub(super) fn message(state: &State, view: &View, c: &Conversation, m: &Message) -> Value {
    let system = m.event.is_some();
    let kind = match (system, view.unknown_members) {
        (false, _) => "message",
        (true, true) => "systemEventMessage",
        (true, false) => "unknownFutureValue",
    };
    let gone = m.deleted.is_some();
    let d = &m.draft;
    let content = if gone {
        String::new()
    } else {
        d.content.replace(
            "../hostedContents/",
            &format!("{}/v1.0/{}/hostedContents/", view.origin, message_path(c, m)),
        )
    };
    let list = |v: &Vec<Value>| if gone { json!([]) } else { json!(v) };
    let tenant = &state.config.tenant.id;
    let web_url = c.team.as_ref().map(|team| {
        format!(
            "https://teams.microsoft.com/l/message/{}/{id}?groupId={team}&tenantId={tenant}&createdTime={id}&parentMessageId={}",
            encode(&c.id),
            m.root.unwrap_or(m.id),
            id = m.id,
        )
    });
    let history: Vec<Value> = m
        .history
        .iter()
        .map(|(at, action, r)| {
            json!({"modifiedDateTime": iso(*at), "actions": action, "reaction": reaction(state, r)})
        })
        .collect();
    json!({
        "id": m.id.to_string(),
        "replyToId": m.root.map(|r| r.to_string()),
        "etag": m.etag.to_string(),
        "messageType": kind,
        "createdDateTime": iso(m.id),
        "lastModifiedDateTime": iso(m.etag),
        "lastEditedDateTime": m.edited.map(iso),
        "deletedDateTime": m.deleted.map(iso),
        "subject": d.subject,
        "summary": d.summary,
        "chatId": if c.is_channel() { Value::Null } else { json!(c.id) },
        "importance": if d.importance.is_empty() { "normal" } else { &d.importance },
        "locale": "en-us",
        "webUrl": web_url,
        "channelIdentity": c.team.as_ref().map(|team| json!({"teamId": team, "channelId": c.id})),
        "onBehalfOf": d.on_behalf_of,
        "policyViolation": m.policy_violation,
        "eventDetail": m.event,
        "from": from(state, m.from.as_ref()),
        "body": {"contentType": if d.html || gone { "html" } else { "text" }, "content": content},
        "attachments": list(&d.attachments),
        "mentions": list(&d.mentions),
        "reactions": if gone { json!([]) } else { m.reactions.iter().map(|r| reaction(state, r)).collect() },
        "messageHistory": history,
    })
}

/// The message as a rich notification carries it: with its navigation properties.
pub(super) fn notified_message(state: &State, view: &View, c: &Conversation, m: &Message) -> Value {
    let mut out = message(state, view, c, m);
    out["replies"] = json!([]);
    out["hostedContents"] = json!([]);
    out
}

/// Adds the metadata link to an object.
pub(super) fn with_context(view: &View, context: &str, object: Value) -> Value {
    let mut map = Map::new();
    map.insert("@odata.context".into(), json!(view.context(context)));
    if let Value::Object(o) = object {
        map.extend(o);
    }
    Value::Object(map)
}

/// A collection with its metadata link.
pub(super) fn collection(view: &View, context: &str, items: Vec<Value>, next: Option<String>) -> Value {
    let mut out = json!({
        "@odata.context": view.context(context),
        "@odata.count": items.len(),
        "value": items,
    });
    if let Some(next) = next {
        out["@odata.nextLink"] = json!(next);
    }
    out
}

/// A `team`.
pub(super) fn team(state: &State, t: &Team) -> Value {
    let general = t.channels.first().cloned().unwrap_or_default();
    json!({
        "id": t.id,
        "displayName": t.name,
        "description": t.name,
        "internalId": general,
        "isArchived": t.archived,
        "visibility": "private",
        "tenantId": state.config.tenant.id,
        "webUrl": format!(
            "https://teams.microsoft.com/l/team/{}/conversations?groupId={}&tenantId={}",
            encode(&general), t.id, state.config.tenant.id
        ),
    })
}

/// A `channel`.
pub(super) fn channel(state: &State, c: &Conversation) -> Value {
    let team = c.team.clone().unwrap_or_default();
    let name = c.name.clone().unwrap_or_default();
    json!({
        "id": c.id,
        "createdDateTime": iso(c.created),
        "displayName": name,
        "description": null,
        "isFavoriteByDefault": null,
        "email": "",
        "tenantId": state.config.tenant.id,
        "webUrl": format!(
            "https://teams.microsoft.com/l/channel/{}/{}?groupId={team}&tenantId={}",
            encode(&c.id), encode(&name), state.config.tenant.id
        ),
        "membershipType": c.membership,
        "isArchived": state.teams.get(&team).is_some_and(|t| t.archived),
    })
}

/// A `chat`.
pub(super) fn chat(state: &State, c: &Conversation) -> Value {
    let tenant = &state.config.tenant.id;
    json!({
        "id": c.id,
        "topic": c.name,
        "createdDateTime": iso(c.created),
        "lastUpdatedDateTime": iso(c.updated),
        "chatType": c.kind,
        "webUrl": format!("https://teams.microsoft.com/l/chat/{}/0?tenantId={tenant}", encode(&c.id)),
        "tenantId": tenant,
        "onlineMeetingInfo": null,
        "viewpoint": null,
    })
}

/// An `aadUserConversationMember`.
pub(super) fn member(state: &State, c: Option<&Conversation>, of: &str, oid: &str, owner: bool) -> Value {
    let person = state.people.get(oid);
    let guest = person.is_some_and(|p| p.guest);
    let roles: &[&str] = if guest {
        &["guest"]
    } else if owner || c.is_some_and(|c| !c.is_channel()) {
        &["owner"]
    } else {
        &[]
    };
    let start = match c {
        Some(c) if !c.is_channel() => iso(c.created),
        _ => "0001-01-01T00:00:00Z".into(),
    };
    json!({
        "@odata.type": "#microsoft.graph.aadUserConversationMember",
        "id": opaque(&[&state.config.tenant.id, of, oid]),
        "roles": roles,
        "displayName": person.map(|p| p.name.clone()),
        "visibleHistoryStartDateTime": start,
        "userId": oid,
        "email": person.and_then(|p| p.mail.clone()),
        "tenantId": state.config.tenant.id,
    })
}

/// A `user`, all the properties that callers may select.
pub(super) fn user(state: &State, oid: &str) -> Option<Value> {
    let p = state.people.get(oid)?;
    let (given, surname) = p.name.split_once(' ').unwrap_or((&p.name, ""));
    Some(json!({
        "businessPhones": [],
        "displayName": p.name,
        "givenName": given,
        "jobTitle": null,
        "mail": p.mail,
        "mobilePhone": null,
        "officeLocation": null,
        "preferredLanguage": "en-US",
        "surname": surname,
        "userPrincipalName": p.upn,
        "id": p.id,
        "accountEnabled": true,
        "userType": if p.guest { "Guest" } else { "Member" },
    }))
}

/// Keeps the properties named by `$select`; without it those that Graph returns by default.
pub(super) fn select(object: Value, select: Option<&str>, hidden: &[&str]) -> Value {
    let Value::Object(map) = object else { return object };
    let wanted: Option<Vec<String>> =
        select.map(|s| s.split(',').map(|p| p.trim().to_ascii_lowercase()).collect());
    let keep = |k: &str| match &wanted {
        Some(w) => k == "id" || k.starts_with('@') || w.iter().any(|x| x.eq_ignore_ascii_case(k)),
        None => !hidden.contains(&k),
    };
    Value::Object(map.into_iter().filter(|(k, _)| keep(k)).collect())
}
