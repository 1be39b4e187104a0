//! The Bot Connector: sending, changing and deleting the bot's messages, rosters, teams.

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use http::Method;
use serde_json::{Value, json};

use super::activity::{reaction_character, reaction_type};
use super::bot_message::{Sent, read};
use super::consent;
use super::entra::{Audience, Who};
use super::http::{Req, Res};
use super::ids::{mri, personal};
use super::limits::{BOT_ALL, BOT_MEMBERS, BOT_REACT, BOT_READ, BOT_SEND, BOTS_TOGETHER, Rule, seconds};
use super::model::{Author, Change, Conversation, Place, Refusal};
use super::sim::{Core, Inner};

/// The answer when a bucket is empty, with a `Retry-After` text.
pub(super) fn throttled(retry_after: &str) -> Response {
    error(429, "Throttled", "Too many requests.").with("retry-after", retry_after).into_response()
}

/// The answer of a failing service.
pub(super) fn broken(status: u16) -> Response {
    let (code, text) = match status {
        412 => ("PreconditionFailed", "Concurrent operations in the same conversation."),
        413 => ("MessageSizeTooBig", "Message size too large."),
        _ => ("ServiceError", "The service failed."),
    };
    error(status, code, text).into_response()
}

fn error(status: u16, code: &str, message: &str) -> Res {
    Res::json(status, &json!({"error": {"code": code, "message": message}})).with("ms-cv", "sim.0")
}

fn refused(r: &Refusal) -> Res {
    match r {
        Refusal::NoConversation => error(404, "ConversationNotFound", "Conversation not found."),
        Refusal::NoMessage | Refusal::Deleted | Refusal::BadName | Refusal::NoOffer | Refusal::Answered => {
            error(404, "ActivityNotFoundInConversation", "Activity not found in the conversation.")
        }
        Refusal::NotARoot => error(400, "Bad Argument", "The thread's root is itself a reply."),
        Refusal::NotAuthor => error(403, "NotEnoughPermissions", "The bot may change only its own messages."),
        Refusal::NotMember => {
            error(403, "BotNotInConversationRoster", "The bot is not part of the conversation roster.")
        }
        Refusal::Blocked => Res::json(
            403,
            &json!({
                "errorCode": 209,
                "message": "{\r\n  \"subCode\": \"MessageWritesBlocked\",\r\n  \"details\": \"Thread is blocked from \
                            message writes.\",\r\n  \"errorCode\": null,\r\n  \"errorSubCode\": null\r\n}",
            }),
        ),
    }
}

/// The bot behind a request.
fn caller(core: &Core, req: &Req) -> Result<String, Res> {
    let denied = || Res::json(401, &json!({"message": "Authorization has been denied for this request."}));
    let token = req.bearer().ok_or_else(denied)?;
    let access = core
        .entra
        .access
        .get(token)
        .filter(|a| a.audience == Audience::Bot && a.who == Who::App && a.expires > req.now)
        .ok_or_else(denied)?;
    let app = core.tenant.apps.get(&access.app).ok_or_else(denied)?;
    if app.seed.bot.is_none() {
        return Err(error(401, "BotNotRegistered", "No registration found for this bot."));
    }
    if app.disabled {
        return Err(error(403, "BotDisabledByAdmin", "The tenant admin disabled this bot."));
    }
    Ok(access.app.clone())
}

fn limit(core: &mut Core, now: u64, checks: &[(String, &[Rule])]) -> Result<(), Res> {
    if !core.tenant.config.limits.connector {
        return Ok(());
    }
    let speed = core.tenant.config.limits.speed;
    // Every bucket counts the request, also when another one has refused it already.
    let wait = checks.iter().filter_map(|(key, rules)| core.windows.hit(key, rules, speed, now).err()).max();
    match wait {
        None => Ok(()),
        Some(ms) => Err(error(429, "Throttled", "Too many requests.").with("retry-after", seconds(ms))),
    }
}

/// The parts of a conversation id: the conversation and the thread it points into.
fn split_thread(id: &str) -> (&str, Option<u64>) {
    match id.split_once(";messageid=") {
        Some((c, root)) => (c, root.parse().ok()),
        None => (id, None),
    }
}

/// Answers a request to the connector, whatever stands in front of `v3`.
pub(super) fn handle(inner: &Arc<Inner>, req: &Req) -> Res {
    let (res, changes) = {
        let mut core = inner.core();
        match route(&mut core, inner, req) {
            Ok(x) => x,
            Err(res) => (res, vec![]),
        }
    };
    inner.publish(&changes);
    res
}

type Done = Result<(Res, Vec<Change>), Res>;

fn route(core: &mut Core, inner: &Inner, req: &Req) -> Done {
    let app = caller(core, req)?;
    let from = req.segments.iter().position(|s| s == "v3").map_or(0, |n| n + 1);
    let s = &req.segments[from..];
    let low: Vec<String> = s.iter().map(|x| x.to_ascii_lowercase()).collect();
    let low: Vec<&str> = low.iter().map(String::as_str).collect();
    let conversation = s.get(1).map_or("", String::as_str);
    let (bare, _) = split_thread(conversation);
    let all = (format!("bot|{app}"), BOT_ALL.as_slice());
    let sends = [
        all.clone(),
        (format!("bot-send|{app}|{bare}"), BOT_SEND.as_slice()),
        (format!("bots-send|{bare}"), BOTS_TOGETHER.as_slice()),
    ];
    let reads = [all.clone(), (format!("bot-read|{app}|{bare}"), BOT_READ.as_slice())];
    let m = &req.method;
    match low.as_slice() {
        ["conversations"] if m == Method::POST => {
            let body = req.json().unwrap_or_default();
            let target = body["channelData"]["channel"]["id"].as_str().or(body["members"][0]["id"].as_str());
            let key = format!("bot-send|{app}|{}", target.unwrap_or(""));
            limit(core, req.now, &[all, (key, &BOT_SEND)])?;
            create(core, inner, &app, &body, req.now)
        }
        ["conversations", _, "activities"] | ["conversations", _, "activities", _] if m == Method::POST => {
            limit(core, req.now, &sends)?;
            send(core, inner, &app, conversation, &req.json().unwrap_or_default(), req.now)
        }
        ["conversations", _, "activities", id] if m == Method::PUT => {
            limit(core, req.now, &sends)?;
            update(core, inner, &app, bare, id, &req.json().unwrap_or_default(), req.now)
        }
        ["conversations", _, "activities", id] if m == Method::DELETE => {
            limit(core, req.now, &sends)?;
            let c = find(core, &app, bare)?.id.clone();
            let by = Author::App(app);
            let change = core.tenant.delete(&c, number(id)?, &by, req.now).map_err(|e| refused(&e))?;
            let status = if core.tenant.config.doubts.connector_delete_is_200 { 200 } else { 204 };
            Ok((Res::empty(status), vec![change]))
        }
        ["conversations", _, "activities", id, "reactions", _]
            if *m == Method::PUT || *m == Method::DELETE =>
        {
            limit(core, req.now, &[all, (format!("bot-react|{app}"), &BOT_REACT)])?;
            let c = find(core, &app, bare)?.id.clone();
            let kind = reaction_character(s.get(5).map_or("", String::as_str))
                .ok_or_else(|| error(400, "Bad Argument", "Unknown reaction type."))?;
            let by = Author::App(app);
            let add = m == Method::PUT;
            let change =
                core.tenant.react(&c, number(id)?, &by, &kind, add, req.now).map_err(|e| refused(&e))?;
            Ok((Res::json(200, &json!({"type": reaction_type(&kind)})), change.into_iter().collect()))
        }
        ["attachments", _, "views", "original"] if m == Method::GET => {
            let id = s.get(1).map_or("", String::as_str);
            let mut taking_part =
                core.tenant.conversations.values().filter(|c| core.tenant.takes_part(&app, c));
            let hosted = taking_part
                .find_map(|c| c.messages.values().find_map(|message| message.draft.hosted.get(id)));
            let hosted = hosted.ok_or_else(|| error(404, "NotFound", "The attachment was not found."))?;
            Ok((Res::bytes(200, &hosted.content_type, hosted.bytes.clone()), vec![]))
        }
        ["conversations", _, "pagedmembers"] if m == Method::GET => {
            limit(core, req.now, &reads)?;
            paged_members(core, &app, bare, req).map(|r| (r, vec![]))
        }
        ["conversations", _, "members"] if m == Method::GET => {
            limit(core, req.now, &[all, (format!("bot-members|{app}"), &BOT_MEMBERS)])?;
            let c = find(core, &app, bare)?.clone();
            let members: Vec<Value> =
                core.tenant.members(&c).iter().map(|oid| roster(core, &app, oid, true)).collect();
            Ok((Res::json(200, &json!(members)), vec![]))
        }
        ["conversations", _, "members", _] if m == Method::GET => {
            limit(core, req.now, &reads)?;
            let c = find(core, &app, bare)?.clone();
            let wanted = core.tenant.person_of(&app, &s[3]).map(|p| p.id.clone());
            match wanted.filter(|oid| core.tenant.members(&c).contains(oid)) {
                Some(oid) => Ok((Res::json(200, &roster(core, &app, &oid, false)), vec![])),
                None => Err(error(404, "MemberNotFoundInConversation", "Member not found in conversation.")),
            }
        }
        ["conversations", _] if m == Method::GET => {
            limit(core, req.now, &reads)?;
            let c = find(core, &app, bare)?;
            Ok((
                Res::json(200, &json!({"id": conversation, "name": c.name, "conversationType": c.kind})),
                vec![],
            ))
        }
        ["teams", _] if m == Method::GET => {
            limit(core, req.now, &reads)?;
            let t = team(core, &app, conversation)?;
            Ok((
                Res::json(
                    200,
                    &json!({
                        "id": t.channels.first(), "name": t.name, "aadGroupId": t.id,
                        "channelCount": t.channels.len(), "memberCount": t.members.len(), "type": "standard",
                        "tenantId": core.tenant.config.tenant.id,
                    }),
                ),
                vec![],
            ))
        }
        ["teams", _, "conversations"] if m == Method::GET => {
            limit(core, req.now, &reads)?;
            let t = team(core, &app, conversation)?;
            let channels: Vec<Value> = t
                .channels
                .iter()
                .enumerate()
                .filter_map(|(n, id)| core.tenant.conversations.get(id).map(|c| (n, c)))
                .filter(|(_, c)| !c.removed && c.membership == "standard")
                .map(|(n, c)| if n == 0 { json!({"id": c.id}) } else { json!({"id": c.id, "name": c.name}) })
                .collect();
            Ok((Res::json(200, &json!({"conversations": channels})), vec![]))
        }
        _ => Err(error(404, "NotFound", "No such operation.")),
    }
}

fn number(id: &str) -> Result<u64, Res> {
    id.parse().map_err(|_| refused(&Refusal::NoMessage))
}

/// The conversation, when the bot takes part in it.
fn find<'a>(core: &'a Core, app: &str, id: &str) -> Result<&'a Conversation, Res> {
    let c = core.tenant.conversation_of(app, id).filter(|c| !c.removed);
    let c = c.ok_or_else(|| refused(&Refusal::NoConversation))?;
    if core.tenant.takes_part(app, c) { Ok(c) } else { Err(refused(&Refusal::NotMember)) }
}

fn team<'a>(core: &'a Core, app: &str, id: &str) -> Result<&'a super::model::Team, Res> {
    let t = core.tenant.teams.values().find(|t| t.channels.first().is_some_and(|c| c == id) || t.id == id);
    let t = t.ok_or_else(|| error(404, "ConversationNotFound", "Team not found."))?;
    let installed =
        core.tenant.apps.get(app).is_some_and(|a| a.places.contains_key(&Place::Team(t.id.clone())));
    if installed { Ok(t) } else { Err(refused(&Refusal::NotMember)) }
}

fn roster(core: &Core, app: &str, oid: &str, deprecated: bool) -> Value {
    let p = core.tenant.people.get(oid);
    let name = p.map(|p| p.name.clone()).unwrap_or_default();
    let (given, surname) = name.split_once(' ').unwrap_or((&name, ""));
    let mut out = json!({
        "id": mri(app, oid), "name": name, "givenName": given, "surname": surname,
        "email": p.and_then(|p| p.mail.clone()), "userPrincipalName": p.map(|p| p.upn.clone()),
        "tenantId": core.tenant.config.tenant.id,
        "userRole": if p.is_some_and(|p| p.guest) { "guest" } else { "user" },
    });
    out[if deprecated { "objectId" } else { "aadObjectId" }] = json!(oid);
    out
}

fn paged_members(core: &Core, app: &str, conversation: &str, req: &Req) -> Result<Res, Res> {
    let c = find(core, app, conversation)?;
    let size = req.query("pageSize").and_then(|s| s.parse().ok()).unwrap_or(200).clamp(1, 500);
    let at: usize =
        req.query("continuationToken").and_then(|t| t.strip_prefix("at-")?.parse().ok()).unwrap_or(0);
    let all = core.tenant.members(c);
    let page: Vec<Value> = all.iter().skip(at).take(size).map(|oid| roster(core, app, oid, false)).collect();
    let mut out = json!({"members": page});
    if at + size < all.len() {
        out["continuationToken"] = json!(format!("at-{}", at + size));
    }
    Ok(Res::json(200, &out))
}

fn send(core: &mut Core, inner: &Inner, app: &str, conversation: &str, body: &Value, now: u64) -> Done {
    let (bare, root) = split_thread(conversation);
    let c = find(core, app, bare)?;
    if c.blocked_by_user {
        return Err(error(403, "ConversationBlockedByUser", "User blocked the conversation with the bot."));
    }
    let (id, channel) = (c.id.clone(), c.is_channel());
    match body["type"].as_str() {
        Some("message") => {}
        Some("typing") => return Ok((Res::json(202, &json!({})), vec![])),
        _ => return Err(error(400, "Bad Argument", "Missing or unknown activity type.")),
    }
    let drafts = drafts(core, inner, app, &id, body)?;
    let lost = drafts.len() > 1 && core.tenant.config.doubts.mixed_activity_loses_id;
    let mut changes = Vec::new();
    for d in drafts {
        let root = root.filter(|_| channel);
        let change = core.tenant.post(&id, root, &Author::App(app.to_owned()), d, now).map_err(|e| {
            if e == Refusal::NoMessage { refused(&Refusal::NoConversation) } else { refused(&e) }
        })?;
        changes.push(change);
    }
    let first = changes.first().map(|c| c.message.to_string());
    let answer = if lost { json!({}) } else { json!({"id": first}) };
    Ok((Res::json(201, &answer), changes))
}

fn drafts(
    core: &mut Core,
    inner: &Inner,
    app: &str,
    conversation: &str,
    body: &Value,
) -> Result<Vec<super::model::Draft>, Res> {
    let limit = core.tenant.config.limits.bot_message_bytes;
    match read(&mut core.tenant, app, conversation, body, limit) {
        Sent::Drafts(d) => {
            consent::check(core, inner, app, conversation, body)
                .map_err(|text| error(400, "Bad Argument", &text))?;
            Ok(d)
        }
        Sent::TooBig => Err(error(413, "MessageSizeTooBig", "Message size too large.")),
        Sent::Bad(text) => Err(error(400, "Bad Argument", &text)),
    }
}

fn update(core: &mut Core, inner: &Inner, app: &str, bare: &str, id: &str, body: &Value, now: u64) -> Done {
    let c = find(core, app, bare)?.id.clone();
    let mut drafts = drafts(core, inner, app, &c, body)?;
    let draft = drafts.remove(0);
    let number = number(id)?;
    let by = Author::App(app.to_owned());
    let change = core.tenant.edit(&c, number, &by, |d| *d = draft, now).map_err(|e| refused(&e))?;
    Ok((Res::json(200, &json!({"id": id})), vec![change]))
}

fn create(core: &mut Core, inner: &Inner, app: &str, body: &Value, now: u64) -> Done {
    if let Some(channel) = body["channelData"]["channel"]["id"].as_str() {
        if body["activity"].is_null() {
            return Err(error(400, "Bad Argument", "A new thread needs an activity."));
        }
        let (bare, _) = split_thread(channel);
        let id = bare.to_owned();
        let (_, changes) = send(core, inner, app, &id, &body["activity"], now)?;
        let message = changes.first().map(|c| c.message.to_string()).unwrap_or_default();
        let answer = json!({"id": format!("{id};messageid={message}"), "activityId": message});
        return Ok((Res::json(201, &answer), changes));
    }
    let Some(member) = body["members"][0]["id"].as_str() else {
        return Err(error(400, "Bad Argument", "Neither a channel nor a member is given."));
    };
    let tenant = body["tenantId"].as_str().or(body["channelData"]["tenant"]["id"].as_str());
    if tenant.is_none_or(|t| t != core.tenant.config.tenant.id) {
        return Err(error(400, "Bad Argument", "The tenant is missing or unknown."));
    }
    let Some(oid) = core.tenant.person_of(app, member).map(|p| p.id.clone()) else {
        return Err(error(400, "Bad Argument", "Unknown member."));
    };
    let place = Place::Person(oid.clone());
    if !core.tenant.apps.get(app).is_some_and(|a| a.places.contains_key(&place)) {
        return Err(error(
            403,
            "ForbiddenOperationException",
            "The bot is not installed in user's personal scope.",
        ));
    }
    let id = personal(app, &oid);
    let mut answer = json!({"id": id, "serviceUrl": inner.service_url(core)});
    if body["activity"].is_null() {
        return Ok((Res::json(201, &answer), vec![]));
    }
    let (_, changes) = send(core, inner, app, &id, &body["activity"], now)?;
    answer["activityId"] = json!(changes.first().map(|c| c.message.to_string()));
    Ok((Res::json(201, &answer), changes))
}
