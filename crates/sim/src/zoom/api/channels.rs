//! Channels, members, administrators.

use serde_json::{Value, json};

use crate::zoom::call::{Call, Reply};
use crate::zoom::desk::{Desk, iso};
use crate::zoom::error::{ApiError, invalid, no_user, refuse};
use crate::zoom::rooms::NewChannel;
use crate::zoom::state::{Role, State};

/// Somebody in whose name a call without `{userId}` is done: who authorised, or an administrator.
pub(super) fn actor(desk: &Desk<'_>, call: &Call) -> Result<String, ApiError> {
    if !call.token.user.is_empty() {
        return Ok(call.token.user.clone());
    }
    desk.state
        .people
        .values()
        .find(|person| person.admin && person.account == call.token.account)
        .map(|person| person.id.clone())
        .ok_or_else(|| no_user("me"))
}

/// Answers one page of a list.
pub(super) fn page(
    desk: &mut Desk<'_>,
    call: &Call,
    items: Vec<Value>,
    name: &str,
    (default, most): (usize, usize),
) -> Reply {
    let size = call.page_size(default, most)?;
    let offset = desk.offset(&call.list, call.query("next_page_token"))?;
    let total = items.len();
    let page: Vec<Value> = items.into_iter().skip(offset).take(size).collect();
    let next = offset + page.len();
    let mark = if next < total { desk.mark(&call.list, next) } else { String::new() };
    Ok((200, json!({name: page, "next_page_token": mark, "page_size": size, "total_records": total})))
}

/// `GET /chat/users/{userId}/channels`
pub(super) fn list(desk: &mut Desk<'_>, call: &Call) -> Reply {
    let user = call.acting(desk)?;
    let views = desk.views();
    let items = desk
        .state
        .rooms
        .values()
        .filter(|room| room.members.contains_key(&user))
        .filter_map(|room| Some(views.channel(room, room.channel.as_ref()?)))
        .collect();
    page(desk, call, items, "channels", (10, 1_000))
}

/// `GET /chat/channels`
pub(super) fn of_account(desk: &mut Desk<'_>, call: &Call) -> Reply {
    let views = desk.views();
    let items = desk
        .state
        .rooms
        .values()
        .filter_map(|room| Some((room, room.channel.as_ref()?)))
        .filter(|(_, info)| info.account == call.token.account)
        .map(|(room, info)| views.channel(room, info))
        .collect();
    page(desk, call, items, "channels", (10, 50))
}

/// `POST /chat/channels/search`
pub(super) fn search(desk: &mut Desk<'_>, call: &Call) -> Reply {
    let allowed = ["user_id", "page_size", "next_page_token", "needle", "haystack", "include_archived"];
    call.object(desk, &allowed)?;
    let user = actor(desk, call)?;
    let needle = &call.body["needle"];
    let words: Vec<String> = match needle["search_type"].as_str() {
        Some("by_channel_name") => needle["keywords"]
            .as_array()
            .ok_or_else(|| invalid("needle.keywords"))?
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_lowercase)
            .collect(),
        Some("by_channel_name_exact_match") => Vec::new(),
        _ => return Err(invalid("needle.search_type")),
    };
    let exact = needle["channel_name"].as_str();
    let joined_only = call.text("haystack") == Some("user_joined");
    let items: Vec<Value> = desk
        .state
        .rooms
        .values()
        .filter_map(|room| Some((room, room.channel.as_ref()?)))
        .filter(|(room, info)| {
            let member = room.members.contains_key(&user);
            member || (!joined_only && matches!(info.kind, 3 | 5) && info.account == call.token.account)
        })
        .filter(|(_, info)| !info.archived || call.body["include_archived"] == true)
        .filter(|(_, info)| {
            let name = info.name.to_lowercase();
            exact.map_or_else(|| words.iter().all(|word| name.contains(word)), |exact| info.name == exact)
        })
        .map(|(room, info)| {
            json!({"id": room.id, "name": info.name, "type": info.kind, "member_count": room.members.len(),
                "channel_url": format!("https://zoom.us/launch/chat/v2/{}", room.id)})
        })
        .collect();
    page(desk, call, items, "channels", (10, 50))
}

/// `POST /chat/users/{userId}/channels`
pub(super) fn create(desk: &mut Desk<'_>, call: &Call) -> Reply {
    let user = call.acting(desk)?;
    call.object(desk, &["name", "type", "members", "channel_settings", "shared_space"])?;
    let name = call.text("name").unwrap_or_default().to_owned();
    let kind = call.body["type"].as_u64().and_then(|kind| u8::try_from(kind).ok()).unwrap_or(1);
    if name.chars().count() > 256 || (name.is_empty() && kind != 4) {
        return Err(invalid("name"));
    }
    if !(1..=4).contains(&kind) {
        return Err(invalid("type"));
    }
    if call.body.get("shared_space").is_some() {
        return Err(refuse(404, 5_407, "Shared space does not exist."));
    }
    let members = emails(desk, &call.body["members"], 20)?;
    let new = NewChannel { name, kind, members, settings: call.body["channel_settings"].clone() };
    let id = desk.create_channel(&user, new)?;
    let (room, info) = desk.state.channel(&id)?;
    let mut answer = desk.views().channel(room, info);
    if let Some(answer) = answer.as_object_mut() {
        answer.remove("channel_settings");
    }
    Ok((201, answer))
}

/// People named by `[{"email"}]`.
fn emails(desk: &Desk<'_>, value: &Value, most: usize) -> Result<Vec<String>, ApiError> {
    let items = match value {
        Value::Null => return Ok(Vec::new()),
        Value::Array(items) if items.len() <= most => items,
        _ => return Err(invalid("members")),
    };
    items
        .iter()
        .map(|item| {
            let email = item["email"].as_str().ok_or_else(|| invalid("members.email"))?;
            Ok(desk.state.find(email)?.id.clone())
        })
        .collect()
}

/// Which channel and in whose name: with `{userId}` first, or without.
fn place(desk: &Desk<'_>, call: &Call, with_user: bool) -> Result<(String, String), ApiError> {
    let (user, id) =
        if with_user { (call.acting(desk)?, &call.path[1]) } else { (actor(desk, call)?, &call.path[0]) };
    let (room, info) = desk.state.channel(id)?;
    let ours = info.account == call.token.account && !with_user;
    if !room.members.contains_key(&user) && !ours {
        return Err(crate::zoom::error::no_channel(id));
    }
    Ok((user, room.id.clone()))
}

fn get(desk: &Desk<'_>, call: &Call, with_user: bool) -> Reply {
    let (_, id) = place(desk, call, with_user)?;
    let (room, info) = desk.state.channel(&id)?;
    Ok((200, desk.views().channel(room, info)))
}

/// `GET /chat/users/{userId}/channels/{channelId}`
pub(super) fn get_of_user(desk: &mut Desk<'_>, call: &Call) -> Reply {
    get(desk, call, true)
}

/// `GET /chat/channels/{channelId}`
pub(super) fn get_any(desk: &mut Desk<'_>, call: &Call) -> Reply {
    get(desk, call, false)
}

fn update(desk: &mut Desk<'_>, call: &Call, with_user: bool) -> Reply {
    call.object(desk, &["name", "type", "channel_settings"])?;
    let (user, id) = place(desk, call, with_user)?;
    let name = call.text("name");
    if name.is_some_and(|name| name.is_empty() || name.chars().count() > 256) {
        return Err(invalid("name"));
    }
    let kind = call.body["type"].as_u64().and_then(|kind| u8::try_from(kind).ok());
    desk.update_channel(&id, &user, name, kind, &call.body["channel_settings"])?;
    Ok((204, Value::Null))
}

/// `PATCH /chat/users/{userId}/channels/{channelId}`
pub(super) fn update_of_user(desk: &mut Desk<'_>, call: &Call) -> Reply {
    update(desk, call, true)
}

/// `PATCH /chat/channels/{channelId}`
pub(super) fn update_any(desk: &mut Desk<'_>, call: &Call) -> Reply {
    update(desk, call, false)
}

fn delete(desk: &mut Desk<'_>, call: &Call, with_user: bool) -> Reply {
    let (user, id) = place(desk, call, with_user)?;
    desk.delete_channel(&id, &user)?;
    Ok((204, Value::Null))
}

/// `DELETE /chat/users/{userId}/channels/{channelId}`
pub(super) fn delete_of_user(desk: &mut Desk<'_>, call: &Call) -> Reply {
    delete(desk, call, true)
}

/// `DELETE /chat/channels/{channelId}`
pub(super) fn delete_any(desk: &mut Desk<'_>, call: &Call) -> Reply {
    delete(desk, call, false)
}

fn members(desk: &mut Desk<'_>, call: &Call, with_user: bool, admins: bool) -> Reply {
    let (user, id) = place(desk, call, with_user)?;
    let account = desk.state.person(&user)?.account.clone();
    let views = desk.views();
    let room = desk.state.room(&id)?;
    let items = room
        .members
        .iter()
        .filter(|(_, role)| !admins || **role != Role::Member)
        .filter_map(|(id, role)| Some(views.member(desk.state.people.get(id)?, *role, &account)))
        .collect();
    page(desk, call, items, if admins { "admins" } else { "members" }, (10, 100))
}

/// `GET /chat/users/{userId}/channels/{channelId}/members`
pub(super) fn members_of_user(desk: &mut Desk<'_>, call: &Call) -> Reply {
    members(desk, call, true, false)
}

/// `GET /chat/channels/{channelId}/members`
pub(super) fn members_any(desk: &mut Desk<'_>, call: &Call) -> Reply {
    members(desk, call, false, false)
}

/// `GET /chat/users/{userId}/channels/{channelId}/admins`
pub(super) fn admins(desk: &mut Desk<'_>, call: &Call) -> Reply {
    members(desk, call, true, true)
}

fn joined(state: &State, ids: &[String]) -> Value {
    let members: Vec<&str> =
        ids.iter().filter_map(|id| state.people.get(id)).map(|person| person.member_id.as_str()).collect();
    json!({"ids": ids.join(","), "member_ids": members.join(",")})
}

fn invite(desk: &mut Desk<'_>, call: &Call, with_user: bool, most: usize) -> Reply {
    call.object(desk, &["members"])?;
    let (user, id) = place(desk, call, with_user)?;
    let people = emails(desk, &call.body["members"], most)?;
    let new = desk.invite(&id, &user, &people)?;
    let mut answer = joined(desk.state, &new);
    answer["added_at"] = json!(iso(desk.now));
    Ok((201, answer))
}

/// `POST /chat/users/{userId}/channels/{channelId}/members`
pub(super) fn invite_of_user(desk: &mut Desk<'_>, call: &Call) -> Reply {
    invite(desk, call, true, 5)
}

/// `POST /chat/channels/{channelId}/members`
pub(super) fn invite_any(desk: &mut Desk<'_>, call: &Call) -> Reply {
    invite(desk, call, false, 5)
}

fn remove(desk: &mut Desk<'_>, call: &Call, with_user: bool) -> Reply {
    let (user, id) = place(desk, call, with_user)?;
    let gone = desk.state.find(&call.path[if with_user { 2 } else { 1 }])?.id.clone();
    desk.leave(&id, &gone, Some(&user))?;
    Ok((204, Value::Null))
}

/// `DELETE /chat/users/{userId}/channels/{channelId}/members/{identifier}`
pub(super) fn remove_of_user(desk: &mut Desk<'_>, call: &Call) -> Reply {
    remove(desk, call, true)
}

/// `DELETE /chat/channels/{channelId}/members/{identifier}`
pub(super) fn remove_any(desk: &mut Desk<'_>, call: &Call) -> Reply {
    remove(desk, call, false)
}

/// `POST /chat/channels/{channelId}/members/me`
pub(super) fn join(desk: &mut Desk<'_>, call: &Call) -> Reply {
    let user = call.acting_as(desk, "me")?;
    desk.join(&call.path[0], &user)?;
    let member = desk.state.person(&user)?.member_id.clone();
    Ok((201, json!({"added_at": iso(desk.now), "id": user, "member_id": member})))
}

/// `DELETE /chat/channels/{channelId}/members/me`
pub(super) fn leave(desk: &mut Desk<'_>, call: &Call) -> Reply {
    let user = call.acting_as(desk, "me")?;
    desk.leave(&call.path[0], &user, None)?;
    Ok((204, Value::Null))
}

/// `PATCH /chat/channels/events`
pub(super) fn archive(desk: &mut Desk<'_>, call: &Call) -> Reply {
    call.object(desk, &["method", "channel_ids"])?;
    let archived = match call.text("method") {
        Some("archive") => true,
        Some("unarchive") => false,
        _ => return Err(refuse(400, 300, "Invalid parameter.")),
    };
    let ids = call.body["channel_ids"].as_array().ok_or_else(|| refuse(400, 300, "Invalid parameter."))?;
    let user = actor(desk, call)?;
    let mut failed = Vec::new();
    for id in ids.iter().filter_map(Value::as_str) {
        if let Err(error) = desk.archive(id, &user, archived) {
            let reason = if error.code == 4_130 { "Channel does not exist." } else { "No Permission" };
            failed.push(json!({"channel_id": id, "reason": reason, "error_code": error.code.to_string()}));
        }
    }
    Ok((200, json!({"failed_channels": failed})))
}
