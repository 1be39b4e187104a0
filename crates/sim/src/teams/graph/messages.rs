//! Messages of channels and chats: list, read, send, edit, delete, react.

use std::fmt::Write as _;

use http::Method;
use serde_json::{Value, json};

use super::super::bot_message::reference;
use super::super::http::Res;
use super::super::model::{Author, Change, Conversation, Draft, Message};
use super::super::rights;
use super::super::wire;
use super::call::{Call, Error, bad, error, not_found};
use super::draft;
use super::list::{ChatQuery, nested_link, page, top};

/// An answer and the changes that led to it.
pub(super) struct Done(pub Res, pub Vec<Change>);

impl From<Res> for Done {
    fn from(res: Res) -> Self {
        Self(res, vec![])
    }
}

/// A message addressed by a path.
#[derive(Clone, Copy)]
struct Target {
    id: u64,
    root: Option<u64>,
}

/// Answers everything below `…/messages`; `rest` is what follows, `low` the same in lower case.
pub(super) fn handle(
    call: &mut Call<'_>,
    c: &Conversation,
    rest: &[String],
    low: &[&str],
) -> Result<Done, Error> {
    let get = call.req.method == Method::GET;
    let post = call.req.method == Method::POST;
    let number =
        |i: usize| rest.get(i).and_then(|s| s.parse().ok()).ok_or_else(|| not_found("Message not found."));
    match low {
        [] if get => list(call, c),
        [] if post => send(call, c, None),
        ["delta"] if get => delta(call, c),
        ["replywithquote"] if post && !c.is_channel() => quote(call, c),
        [_, "replies"] if get && c.is_channel() => replies(call, c, number(0)?),
        [_, "replies"] if post && c.is_channel() => send(call, c, Some(number(0)?)),
        [_, "replies", _, tail @ ..] if c.is_channel() => {
            let target = Target { id: number(2)?, root: Some(number(0)?) };
            one(call, c, target, tail, rest.get(4))
        }
        [_, tail @ ..] => one(call, c, Target { id: number(0)?, root: None }, tail, rest.get(2)),
        [] => Err(error(405, "MethodNotAllowed", "The method is not allowed here.")),
    }
}

fn rule(c: &Conversation, channel: rights::Rule, chat: rights::Rule) -> rights::Rule {
    if c.is_channel() { channel } else { chat }
}

fn may_read(call: &mut Call<'_>, c: &Conversation) -> Result<(), Error> {
    let tenant = 20;
    call.limit("Read", Some((&c.id, 1)), tenant, None)?;
    call.need_in(&rule(c, rights::READ_CHANNEL, rights::READ_CHAT), c)
}

fn one(
    call: &mut Call<'_>,
    c: &Conversation,
    t: Target,
    tail: &[&str],
    hosted: Option<&String>,
) -> Result<Done, Error> {
    let method = call.req.method.clone();
    match tail {
        [] if method == Method::GET => {
            may_read(call, c)?;
            let m = placed(call.full(c)?, t)?;
            let view = call.view();
            let context = match t.root {
                Some(root) => format!("{}('{root}')/replies/$entity", wire::messages_context(c)),
                None => format!("{}/$entity", wire::messages_context(c)),
            };
            let object = wire::message(&call.core.tenant, &view, c, m);
            Ok(Res::json(200, &wire::with_context(&view, &context, object)).into())
        }
        [] if method == Method::PATCH => edit(call, c, t),
        ["softdelete"] if method == Method::POST => flip(call, c, t, true),
        ["undosoftdelete"] if method == Method::POST => flip(call, c, t, false),
        ["setreaction"] if method == Method::POST => react(call, c, t, true),
        ["unsetreaction"] if method == Method::POST => react(call, c, t, false),
        ["hostedcontents"] if method == Method::GET => {
            may_read(call, c)?;
            let m = placed(call.full(c)?, t)?;
            let items = m
                .draft
                .hosted
                .keys()
                .map(|id| json!({"id": id, "contentBytes": null, "contentType": null}))
                .collect();
            let view = call.view();
            Ok(Res::json(200, &wire::collection(&view, "chatMessageHostedContents", items, None)).into())
        }
        ["hostedcontents", _, "$value"] if method == Method::GET => {
            may_read(call, c)?;
            let m = placed(call.full(c)?, t)?;
            let found = hosted.and_then(|id| m.draft.hosted.get(id));
            let found = found.ok_or_else(|| not_found("Hosted content not found."))?;
            Ok(Res::bytes(200, &found.content_type, found.bytes.clone()).into())
        }
        _ => Err(bad("Resource not found for the segment.")),
    }
}

fn list(call: &mut Call<'_>, c: &Conversation) -> Result<Done, Error> {
    may_read(call, c)?;
    let size = top(call.req, 20, 50)?;
    let view = call.view();
    let state = &call.core.tenant;
    let c = call.full(c)?;
    if !c.is_channel() {
        let query = ChatQuery::read(call.req)?;
        let items = c.messages.values().filter_map(|m| query.key(m).map(|k| (k, m))).collect();
        let (items, next) = page(call.req, items, size)?;
        let items = items.into_iter().map(|m| wire::message(state, &view, c, m)).collect();
        let context = wire::messages_context(c);
        return Ok(Res::json(200, &wire::collection(&view, &context, items, next)).into());
    }
    if call.req.query("$filter").is_some() || call.req.query("$orderby").is_some() {
        return Err(bad("QueryOptions to apply is not supported."));
    }
    let roots = c.messages.values().filter(|m| m.root.is_none());
    let items = roots.map(|m| ((c.thread_change(m.id), m.id), m)).collect();
    let (items, next) = page(call.req, items, size)?;
    let expand = call.req.query("$expand").is_some_and(|e| e.to_ascii_lowercase().starts_with("replies"));
    let items = items
        .into_iter()
        .map(|m| {
            let mut object = wire::message(state, &view, c, m);
            if expand {
                with_replies(call, c, m, &mut object);
            }
            object
        })
        .collect();
    Ok(Res::json(200, &wire::collection(&view, &wire::messages_context(c), items, next)).into())
}

/// Expanded replies come with the newest 200 at most, and a link to the rest.
fn with_replies(call: &Call<'_>, c: &Conversation, root: &Message, object: &mut Value) {
    const EXPANDED: usize = 200;
    let view = call.view();
    let all: Vec<&Message> = c.replies(root.id).rev().collect();
    let shown: Vec<Value> =
        all.iter().take(EXPANDED).map(|m| wire::message(&call.core.tenant, &view, c, m)).collect();
    object["replies@odata.context"] =
        json!(view.context(&format!("{}('{}')/replies", wire::messages_context(c), root.id)));
    object["replies@odata.count"] = json!(shown.len());
    object["replies"] = json!(shown);
    if let Some(last) = all.get(EXPANDED - 1).filter(|_| all.len() > EXPANDED) {
        let path = format!("{}/{}/replies", call.req.path.trim_end_matches('/'), root.id);
        object["replies@odata.nextLink"] =
            json!(nested_link(&call.req.origin, &path, (last.id, last.id), 50));
    }
}

fn replies(call: &mut Call<'_>, c: &Conversation, root: u64) -> Result<Done, Error> {
    may_read(call, c)?;
    let c = call.full(c)?;
    if c.messages.get(&root).is_none_or(|m| m.root.is_some()) {
        return Err(not_found("Message not found."));
    }
    let size = top(call.req, 20, 50)?;
    let view = call.view();
    let items = c.replies(root).map(|m| ((m.id, m.id), m)).collect();
    let (items, next) = page(call.req, items, size)?;
    let items = items.into_iter().map(|m| wire::message(&call.core.tenant, &view, c, m)).collect();
    let context = format!("{}('{root}')/replies", wire::messages_context(c));
    Ok(Res::json(200, &wire::collection(&view, &context, items, next)).into())
}

fn delta(call: &mut Call<'_>, c: &Conversation) -> Result<Done, Error> {
    may_read(call, c)?;
    if !c.is_channel() || !call.core.tenant.config.doubts.channel_delta_answers {
        return Err(not_found("Resource not found for the segment 'delta'."));
    }
    let c = call.full(c)?;
    let since: u64 = call.req.query("$deltatoken").and_then(|t| t.parse().ok()).unwrap_or(0);
    let view = call.view();
    let items: Vec<Value> = c
        .messages
        .values()
        .filter(|m| m.root.is_none() && m.etag > since)
        .map(|m| wire::message(&call.core.tenant, &view, c, m))
        .collect();
    let mut out = wire::collection(&view, &wire::messages_context(c), items, None);
    out["@odata.deltaLink"] =
        json!(format!("{}{}?$deltatoken={}", call.req.origin, call.req.path, c.updated));
    Ok(Res::json(200, &out).into())
}

/// `GET /teams/{id}/channels/getAllMessages`: roots and replies of all channels, for export.
pub(super) fn all_of_team(call: &mut Call<'_>, team: &str) -> Result<Done, Error> {
    call.limit("Export", None, 200, None)?;
    call.need(&rights::EXPORT_CHANNELS, None)?;
    export(call, |c| c.team.as_deref() == Some(team), &format!("teams('{team}')/channels/getAllMessages"))
}

/// `GET /users/{id}/chats/getAllMessages`: all chats of a person, for export.
pub(super) fn all_of_person(call: &mut Call<'_>, oid: &str) -> Result<Done, Error> {
    call.limit("Export", None, 200, None)?;
    call.need(&rights::EXPORT_CHATS, None)?;
    let fits = |c: &Conversation| !c.is_channel() && c.members.iter().any(|m| m == oid);
    export(call, fits, &format!("users('{oid}')/chats/getAllMessages"))
}

fn export(call: &Call<'_>, fits: impl Fn(&Conversation) -> bool, context: &str) -> Result<Done, Error> {
    let size = top(call.req, 20, 50)?;
    let query = ChatQuery::read(call.req)?;
    let view = call.view();
    let state = &call.core.tenant;
    let items = state
        .conversations
        .values()
        .filter(|c| fits(c))
        .zip(0_u64..)
        .flat_map(|(c, n)| c.messages.values().map(move |m| (n, c, m)))
        .filter_map(|(n, c, m)| query.key(m).map(|(at, _)| ((at, n), (c, m))))
        .collect();
    let (items, next) = page(call.req, items, size)?;
    let items = items.into_iter().map(|(c, m)| wire::message(state, &view, c, m)).collect();
    Ok(Res::json(200, &wire::collection(&view, context, items, next)).into())
}

fn send(call: &mut Call<'_>, c: &Conversation, root: Option<u64>) -> Result<Done, Error> {
    let rate = if c.is_channel() { 50 } else { 20 };
    call.limit("Write", Some((&c.id, 1)), rate, Some(1))?;
    let by = call.person()?;
    call.need_in(&rule(c, rights::SEND_CHANNEL, rights::SEND_CHAT), c)?;
    let body = call.req.json().ok_or_else(|| bad("Unable to read JSON request payload."))?;
    let limit = call.core.tenant.config.limits.graph_message_bytes;
    let mut draft = draft::new(&call.core.tenant, &body, limit)?;
    if root.is_some() || !c.is_channel() {
        draft.subject = None;
    }
    references(call, &draft)?;
    post(call, c, root, &by, draft)
}

/// Files that a message names have to be there, under the ids that their tags say.
fn references(call: &Call<'_>, draft: &Draft) -> Result<(), Error> {
    for a in draft.attachments.iter().filter(|a| a["contentType"] == "reference") {
        let address = a["contentUrl"].as_str().unwrap_or_default();
        let id = a["id"].as_str().unwrap_or_default();
        if !draft.content.contains(&format!("<attachment id=\"{id}\">")) {
            return Err(bad(format!("The body has no marker for the attachment '{id}'.")));
        }
        let Some(path) = address.strip_prefix(&call.req.origin) else { continue };
        let item = call.core.drives.by_path(path);
        if !item.is_some_and(|item| item.guid.eq_ignore_ascii_case(id)) {
            return Err(bad("The attachment is no file, or has another id."));
        }
    }
    Ok(())
}

fn post(
    call: &mut Call<'_>,
    c: &Conversation,
    root: Option<u64>,
    by: &Author,
    draft: Draft,
) -> Result<Done, Error> {
    let change = call.core.tenant.post(&c.id, root, by, draft, call.req.now)?;
    let view = call.view();
    let state = &call.core.tenant;
    let stored = state.conversations.get(&c.id).and_then(|c| Some((c, c.messages.get(&change.message)?)));
    let object = stored.map(|(c, m)| wire::message(state, &view, c, m)).unwrap_or_default();
    let context = match root {
        Some(root) => format!("{}('{root}')/replies/$entity", wire::messages_context(c)),
        None => format!("{}/$entity", wire::messages_context(c)),
    };
    Ok(Done(Res::json(201, &wire::with_context(&view, &context, object)), vec![change]))
}

fn quote(call: &mut Call<'_>, c: &Conversation) -> Result<Done, Error> {
    call.limit("Write", Some((&c.id, 1)), 20, Some(1))?;
    let by = call.person()?;
    call.need_in(&rights::SEND_CHAT, c)?;
    let body = call.req.json().ok_or_else(|| bad("Unable to read JSON request payload."))?;
    let ids: Vec<String> = body["messageIds"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|v| v.as_str().map(str::to_owned))
        .collect();
    if ids.is_empty() || ids.len() > 10 {
        return Err(bad("messageIds must name one to ten messages."));
    }
    let limit = call.core.tenant.config.limits.graph_message_bytes;
    let mut draft = draft::new(&call.core.tenant, &body["replyMessage"], limit)?;
    let mut content = String::new();
    for id in &ids {
        let r =
            reference(&call.core.tenant, &c.id, id).ok_or_else(|| not_found("Quoted message not found."))?;
        draft.attachments.push(r);
        let _ = write!(content, "<attachment id=\"{id}\"></attachment>");
    }
    let text = if draft.html { draft.content.clone() } else { super::super::html::escape(&draft.content) };
    draft.content = format!("{content}\n{text}");
    draft.html = true;
    post(call, c, None, &by, draft)
}

/// The message must hang where the path says.
fn placed(c: &Conversation, t: Target) -> Result<&Message, Error> {
    c.messages.get(&t.id).filter(|m| m.root == t.root).ok_or_else(|| not_found("Message not found."))
}

fn edit(call: &mut Call<'_>, c: &Conversation, t: Target) -> Result<Done, Error> {
    call.limit("Patch", Some((&c.id, 1)), 30, None)?;
    let body = call.req.json().ok_or_else(|| bad("Unable to read JSON request payload."))?;
    if call.user().is_none() {
        call.need_in(&rule(c, rights::FLAG_CHANNEL, rights::FLAG_CHAT), c)?;
        let other = body
            .as_object()
            .into_iter()
            .flatten()
            .any(|(k, _)| k != "policyViolation" && !k.starts_with('@'));
        if other || body["policyViolation"].is_null() {
            return Err(error(
                403,
                "Forbidden",
                "Only policyViolation can be changed in application-only context.",
            ));
        }
        placed(call.full(c)?, t)?;
        let violation = Some(body["policyViolation"].clone());
        let change = call.core.tenant.set_policy_violation(&c.id, t.id, violation, call.req.now)?;
        return Ok(Done(Res::empty(200), vec![change]));
    }
    let by = call.person()?;
    call.need_in(&rule(c, rights::CHANGE_CHANNEL, rights::CHANGE_CHAT), c)?;
    let mut new = placed(call.full(c)?, t)?.draft.clone();
    let limit = call.core.tenant.config.limits.graph_message_bytes;
    draft::apply(&call.core.tenant, &body, limit, &mut new)?;
    let change = call.core.tenant.edit(&c.id, t.id, &by, |d| *d = new, call.req.now)?;
    Ok(Done(Res::empty(204), vec![change]))
}

fn flip(call: &mut Call<'_>, c: &Conversation, t: Target, delete: bool) -> Result<Done, Error> {
    call.limit("Delete", Some((&c.id, 1)), 30, None)?;
    let by = call.person()?;
    call.need_in(&rule(c, rights::CHANGE_CHANNEL, rights::CHANGE_CHAT), c)?;
    placed(call.full(c)?, t)?;
    let now = call.req.now;
    let tenant = &mut call.core.tenant;
    let change =
        if delete { tenant.delete(&c.id, t.id, &by, now)? } else { tenant.restore(&c.id, t.id, &by, now)? };
    Ok(Done(Res::empty(204), vec![change]))
}

fn react(call: &mut Call<'_>, c: &Conversation, t: Target, add: bool) -> Result<Done, Error> {
    call.limit("Reaction", Some((&c.id, 1)), 30, Some(1))?;
    let by = call.person()?;
    call.need_in(&rule(c, rights::SEND_CHANNEL, rights::SEND_CHAT), c)?;
    placed(call.full(c)?, t)?;
    let body = call.req.json().ok_or_else(|| bad("Unable to read JSON request payload."))?;
    let kind = body["reactionType"].as_str().unwrap_or("");
    if kind.is_empty() || kind.is_ascii() {
        return Err(bad("reactionType must be a unicode emoji."));
    }
    let change = call.core.tenant.react(&c.id, t.id, &by, kind, add, call.req.now)?;
    Ok(Done(Res::empty(204), change.into_iter().collect()))
}
