//! `conversations.*` and `users.conversations`.

use serde_json::{Map, Value, json};

use super::tools::{cursor_of, cursor_read, family_scope, joined, members as answer, page, team_of, visible};
use crate::slack::desk::Desk;
use crate::slack::dispatch::{ApiResult, Caller, warn};
use crate::slack::error::{ApiError, refuse};
use crate::slack::state::{Channel, Kind, Message, TokenKind};
use crate::slack::views::Meta;

fn named(caller: &Caller<'_>) -> Result<String, ApiError> {
    caller.args.required("channel")
}

fn kinds(caller: &Caller<'_>) -> Result<Vec<Kind>, ApiError> {
    let mut wanted = caller.args.list("types");
    if wanted.is_empty() {
        wanted.push("public_channel".to_owned());
    }
    let mut kinds = Vec::new();
    for name in wanted {
        let kind = match name.as_str() {
            "public_channel" => Kind::Public,
            "private_channel" => Kind::Private,
            "mpim" => Kind::Mpim,
            "im" => Kind::Im,
            _ => return Err(refuse("invalid_types")),
        };
        family_scope(caller, kind, "read")?;
        kinds.push(kind);
    }
    Ok(kinds)
}

pub(super) fn list(desk: &mut Desk<'_>, caller: &Caller<'_>) -> ApiResult {
    let team = team_of(desk, caller)?;
    let kinds = kinds(caller)?;
    let open_only = caller.args.flag("exclude_archived").unwrap_or(false);
    let me = &caller.token.user;
    let found: Vec<&Channel> = desk
        .state
        .channels
        .values()
        .filter(|channel| {
            kinds.contains(&channel.kind)
                && channel.belongs_to(&team)
                && (channel.kind == Kind::Public || channel.members.contains(me))
                && !(open_only && channel.archived)
        })
        .collect();
    let (found, metadata) = page(caller.args, found, 100, 999)?;
    let channels: Vec<Value> =
        found.into_iter().map(|channel| Value::Object(desk.views().channel(channel, me, true))).collect();
    Ok(answer([("channels", json!(channels)), ("response_metadata", metadata)]))
}

pub(super) fn users_conversations(desk: &mut Desk<'_>, caller: &Caller<'_>) -> ApiResult {
    let team = team_of(desk, caller)?;
    let kinds = kinds(caller)?;
    let open_only = caller.args.flag("exclude_archived").unwrap_or(false);
    let me = &caller.token.user;
    let user = caller.args.text("user").unwrap_or_else(|| me.clone());
    let found: Vec<&Channel> = desk
        .state
        .channels
        .values()
        .filter(|channel| {
            kinds.contains(&channel.kind)
                && channel.belongs_to(&team)
                && channel.members.contains(&user)
                && (channel.kind == Kind::Public || channel.members.contains(me))
                && !(open_only && channel.archived)
        })
        .collect();
    let (found, metadata) = page(caller.args, found, 100, 999)?;
    let channels: Vec<Value> = found
        .into_iter()
        .map(|channel| {
            let mut view = desk.views().channel(channel, me, false);
            view.remove("is_member");
            Value::Object(view)
        })
        .collect();
    Ok(answer([("channels", json!(channels)), ("response_metadata", metadata)]))
}

pub(super) fn info(desk: &mut Desk<'_>, caller: &Caller<'_>) -> ApiResult {
    let id = named(caller)?;
    let channel = visible(desk, caller, &id)?;
    family_scope(caller, channel.kind, "read")?;
    let count = caller.args.flag("include_num_members").unwrap_or(false);
    let view = desk.views().channel(channel, &caller.token.user, count);
    Ok(answer([("channel", Value::Object(view))]))
}

pub(super) fn members(desk: &mut Desk<'_>, caller: &Caller<'_>) -> ApiResult {
    let id = named(caller)?;
    let channel = visible(desk, caller, &id)?;
    family_scope(caller, channel.kind, "read")?;
    let all: Vec<String> = channel.members.iter().cloned().collect();
    let (found, metadata) = page(caller.args, all, 100, 1_000)?;
    Ok(answer([("members", json!(found)), ("response_metadata", metadata)]))
}

/// Time range and page size of history and replies.
struct Range {
    oldest: String,
    latest: String,
    inclusive: bool,
    limit: usize,
    cursor: Option<String>,
    meta: Meta,
}

impl Range {
    fn read(caller: &Caller<'_>, default: usize, most: usize) -> Result<Self, ApiError> {
        let args = caller.args;
        let commercial = caller.app.as_ref().is_some_and(|app| app.commercial);
        let (default, most) = if commercial { (15, 15) } else { (default, most) };
        let limit = args.number("limit").filter(|limit| *limit > 0).unwrap_or(default);
        if limit > most && !commercial {
            return Err(refuse("invalid_limit"));
        }
        let stamp = |key: &str, absent: &str| {
            let text = args
                .text(key)
                .filter(|text| !text.is_empty() && text != "0")
                .unwrap_or_else(|| absent.to_owned());
            if text.bytes().any(|byte| !(byte.is_ascii_digit() || byte == b'.')) {
                return Err(refuse(&format!("invalid_ts_{key}")));
            }
            let (seconds, fraction) = text.split_once('.').unwrap_or((&text, "0"));
            Ok(format!("{seconds:0>10}.{fraction:0<6}"))
        };
        let full = args.flag("include_all_metadata").unwrap_or(false);
        Ok(Self {
            oldest: stamp("oldest", "0")?,
            latest: stamp("latest", "9999999999.999999")?,
            inclusive: args.flag("inclusive").unwrap_or(false),
            limit: limit.min(most),
            cursor: args
                .text("cursor")
                .filter(|cursor| !cursor.is_empty())
                .map(|text| cursor_read(&text))
                .transpose()?,
            meta: if full { Meta::Full } else { Meta::TypeOnly },
        })
    }

    fn holds(&self, ts: &str) -> bool {
        let (oldest, latest) = (self.oldest.as_str(), self.latest.as_str());
        (ts > oldest && ts < latest) || (self.inclusive && (ts == oldest || ts == latest))
    }
}

pub(super) fn history(desk: &mut Desk<'_>, caller: &Caller<'_>) -> ApiResult {
    let id = named(caller)?;
    let range = Range::read(caller, 100, 999)?;
    let channel = joined(desk, caller, &id)?;
    family_scope(caller, channel.kind, "history")?;
    let mut found: Vec<&Message> = channel
        .messages
        .values()
        .rev()
        .filter(|message| {
            let reply = message.thread_ts.is_some() && message.subtype.as_deref() != Some("thread_broadcast");
            !reply && range.holds(&message.ts)
        })
        .filter(|message| range.cursor.as_ref().is_none_or(|cursor| message.ts <= *cursor))
        .take(range.limit + 1)
        .collect();
    let next = if found.len() > range.limit { found.pop().map(|message| message.ts.clone()) } else { None };
    let list: Vec<Value> = found
        .into_iter()
        .map(|message| Value::Object(desk.views().message(channel, message, range.meta)))
        .collect();
    Ok(listed(list, next))
}

fn listed(messages: Vec<Value>, next: Option<String>) -> Map<String, Value> {
    let mut body =
        answer([("messages", json!(messages)), ("has_more", json!(next.is_some())), ("pin_count", json!(0))]);
    if let Some(next) = next {
        body.insert("response_metadata".to_owned(), json!({"next_cursor": cursor_of(&next)}));
    }
    body
}

pub(super) fn replies(desk: &mut Desk<'_>, caller: &Caller<'_>) -> ApiResult {
    let id = named(caller)?;
    let ts = caller.args.required("ts")?;
    let range = Range::read(caller, 1_000, 1_000)?;
    let channel = joined(desk, caller, &id)?;
    family_scope(caller, channel.kind, "history")?;
    let message = channel.messages.get(&ts).ok_or_else(|| refuse("thread_not_found"))?;
    let root_ts = message.thread_ts.clone().unwrap_or_else(|| ts.clone());
    let mut found: Vec<&Message> = channel
        .replies(&root_ts)
        .filter(|message| range.holds(&message.ts))
        .filter(|message| range.cursor.as_ref().is_none_or(|cursor| message.ts >= *cursor))
        .take(range.limit + 1)
        .collect();
    let next = if found.len() > range.limit { found.pop().map(|message| message.ts.clone()) } else { None };
    // The parent leads every page.
    if let Some(parent) = channel.messages.get(&root_ts) {
        found.insert(0, parent);
    }
    let list: Vec<Value> = found
        .into_iter()
        .map(|message| Value::Object(desk.views().message(channel, message, range.meta)))
        .collect();
    Ok(listed(list, next))
}

pub(super) fn join(desk: &mut Desk<'_>, caller: &Caller<'_>) -> ApiResult {
    let id = named(caller)?;
    let channel = visible(desk, caller, &id)?;
    if channel.kind != Kind::Public {
        return Err(refuse("method_not_supported_for_channel_type"));
    }
    if channel.archived {
        return Err(refuse("is_archived"));
    }
    let user = caller.token.user.clone();
    let there = channel.members.contains(&user);
    if !there {
        desk.join(&id, &user, None)?;
    }
    let view = desk.views().channel(desk.state.channel(&id)?, &user, false);
    let mut body = answer([("channel", Value::Object(view))]);
    if there {
        warn(&mut body, vec!["already_in_channel"]);
    }
    Ok(body)
}

pub(super) fn leave(desk: &mut Desk<'_>, caller: &Caller<'_>) -> ApiResult {
    let id = named(caller)?;
    let channel = visible(desk, caller, &id)?;
    let user = caller.token.user.clone();
    if !channel.members.contains(&user) {
        return Ok(answer([("ok", json!(false)), ("not_in_channel", json!(true))]));
    }
    if channel.name == "general" && caller.token.kind != TokenKind::Bot {
        return Err(refuse("cant_leave_general"));
    }
    if matches!(channel.kind, Kind::Im | Kind::Mpim) {
        return Err(refuse("method_not_supported_for_channel_type"));
    }
    if channel.members.len() == 1 {
        return Err(refuse("last_member"));
    }
    desk.leave(&id, &user, None)?;
    Ok(Map::new())
}

pub(super) fn open(desk: &mut Desk<'_>, caller: &Caller<'_>) -> ApiResult {
    let me = caller.token.user.clone();
    let team = desk.state.user(&me)?.team.clone();
    let (id, there) = if let Some(id) = caller.args.text("channel").filter(|id| !id.is_empty()) {
        visible(desk, caller, &id)?;
        (id, true)
    } else {
        let users = caller.args.list("users");
        if users.is_empty() {
            return Err(refuse("not_enough_users"));
        }
        if users.len() > 8 {
            return Err(refuse("too_many_users"));
        }
        let scope = if users.len() == 1 { "im:write" } else { "mpim:write" };
        caller.needs_one_of(&[scope])?;
        for user in &users {
            let known = desk.state.user(user)?;
            if known.deleted {
                return Err(refuse("user_disabled"));
            }
            if known.bot_id.is_some() && caller.token.kind == TokenKind::Bot && *user != me {
                return Err(refuse("cannot_dm_bot"));
            }
            let outside = known.team != team;
            if outside && users.len() > 1 {
                return Err(refuse("invalid_user_combination"));
            }
        }
        let mut all = vec![me.clone()];
        all.extend(users.into_iter().filter(|user| *user != me));
        if caller.args.flag("prevent_creation") == Some(true) {
            let set = all.iter().cloned().collect();
            let kind = if all.len() > 2 { Kind::Mpim } else { Kind::Im };
            if desk.state.direct(kind, &set).is_none() {
                return Err(refuse("channel_not_found"));
            }
        }
        desk.open(&team, &all)
    };
    let channel = desk.state.channel(&id)?;
    let view = if caller.args.flag("return_im") == Some(true) {
        Value::Object(desk.views().channel(channel, &me, false))
    } else {
        json!({"id": id})
    };
    let mut body = answer([("channel", view)]);
    if there {
        body.insert("no_op".to_owned(), json!(true));
        body.insert("already_open".to_owned(), json!(true));
    }
    Ok(body)
}

pub(super) fn create(desk: &mut Desk<'_>, caller: &Caller<'_>) -> ApiResult {
    let team = team_of(desk, caller)?;
    let name = caller.args.text("name").unwrap_or_default();
    let private = caller.args.flag("is_private").unwrap_or(false);
    caller.needs_one_of(if private { &["groups:write"] } else { &["channels:manage", "channels:write"] })?;
    let id = desk.create(&team, &caller.token.user, &name, private)?;
    let view = desk.views().channel(desk.state.channel(&id)?, &caller.token.user, false);
    Ok(answer([("channel", Value::Object(view))]))
}

pub(super) fn invite(desk: &mut Desk<'_>, caller: &Caller<'_>) -> ApiResult {
    let id = named(caller)?;
    joined(desk, caller, &id)?;
    let users = caller.args.list("users");
    if users.is_empty() {
        return Err(refuse("no_user"));
    }
    let force = caller.args.flag("force").unwrap_or(false);
    let mut failures = Vec::new();
    let mut good = Vec::new();
    for user in &users {
        let problem = match desk.state.users.get(user) {
            None => Some("user_not_found"),
            Some(_) if *user == caller.token.user => Some("cant_invite_self"),
            Some(known) if known.deleted => Some("user_disabled"),
            Some(_) if desk.state.channel(&id)?.members.contains(user) => Some("already_in_channel"),
            Some(_) => None,
        };
        match problem {
            Some(error) => failures.push(json!({"user": user, "ok": false, "error": error})),
            None => good.push(user.clone()),
        }
    }
    let first = failures.first().and_then(|failure| failure["error"].as_str()).map(str::to_owned);
    if first.is_none() || force {
        for user in good {
            desk.join(&id, &user, Some(&caller.token.user))?;
        }
    }
    if let Some(error) = first {
        return Err(refuse(&error).with("errors", json!(failures)));
    }
    let view = desk.views().channel(desk.state.channel(&id)?, &caller.token.user, false);
    Ok(answer([("channel", Value::Object(view))]))
}

pub(super) fn kick(desk: &mut Desk<'_>, caller: &Caller<'_>) -> ApiResult {
    let id = named(caller)?;
    let user = caller.args.required("user")?;
    joined(desk, caller, &id)?;
    if user == caller.token.user {
        return Err(refuse("cant_kick_self"));
    }
    desk.leave(&id, &user, Some(&caller.token.user))?;
    Ok(Map::new())
}

pub(super) fn rename(desk: &mut Desk<'_>, caller: &Caller<'_>) -> ApiResult {
    let id = named(caller)?;
    joined(desk, caller, &id)?;
    desk.rename(&id, &caller.token.user, &caller.args.text("name").unwrap_or_default())?;
    let view = desk.views().channel(desk.state.channel(&id)?, &caller.token.user, false);
    Ok(answer([("channel", Value::Object(view))]))
}

pub(super) fn archive(desk: &mut Desk<'_>, caller: &Caller<'_>) -> ApiResult {
    let id = named(caller)?;
    joined(desk, caller, &id)?;
    desk.archive(&id, &caller.token.user, true)?;
    Ok(Map::new())
}

pub(super) fn unarchive(desk: &mut Desk<'_>, caller: &Caller<'_>) -> ApiResult {
    let id = named(caller)?;
    visible(desk, caller, &id)?;
    desk.archive(&id, &caller.token.user, false)?;
    Ok(Map::new())
}

fn describe(desk: &mut Desk<'_>, caller: &Caller<'_>, what: &str) -> ApiResult {
    let id = named(caller)?;
    joined(desk, caller, &id)?;
    let text = caller.args.text(what).unwrap_or_default();
    desk.describe(&id, &caller.token.user, what, &text)?;
    let view = desk.views().channel(desk.state.channel(&id)?, &caller.token.user, false);
    Ok(answer([("channel", Value::Object(view)), (what, json!(text))]))
}

pub(super) fn set_topic(desk: &mut Desk<'_>, caller: &Caller<'_>) -> ApiResult {
    describe(desk, caller, "topic")
}

pub(super) fn set_purpose(desk: &mut Desk<'_>, caller: &Caller<'_>) -> ApiResult {
    describe(desk, caller, "purpose")
}

pub(super) fn mark(desk: &mut Desk<'_>, caller: &Caller<'_>) -> ApiResult {
    let id = named(caller)?;
    joined(desk, caller, &id)?;
    Ok(Map::new())
}
