//! List, read, edit, delete, threads, sessions, reactions, read marks.

use serde_json::{Value, json};

use crate::zoom::call::{Call, Reply};
use crate::zoom::desk::{Desk, day, from_iso, iso};
use crate::zoom::error::{ApiError, invalid, no_message, refuse};
use crate::zoom::messages::Change;
use crate::zoom::state::{Message, Room};
use crate::zoom::text::emoji_of;
use crate::zoom::views::Form;

const HALF_YEAR: i64 = 183 * 86_400_000;

/// The span of time that a list is about, in milliseconds, and its three members of the answer.
fn span(desk: &Desk<'_>, call: &Call) -> Result<(i64, i64), ApiError> {
    let time = |key: &'static str| match call.query(key) {
        None => Ok(None),
        Some(text) => from_iso(text).map(Some).ok_or_else(|| invalid(key)),
    };
    let (from, to) = (time("from")?, time("to")?);
    let (start, end) = match (from, to) {
        (None, None) => {
            let today = iso(desk.now);
            let date = call.query("date").unwrap_or(&today[..10]);
            day(date).ok_or_else(|| invalid("date"))?
        }
        // The second that is named belongs to it.
        (Some(from), to) => (from, to.map_or(i64::MAX, |to| to + 999)),
        (None, Some(to)) => (to - 86_400_000, to + 999),
    };
    if start < desk.now - HALF_YEAR {
        return Err(refuse(400, 300, "Only provide past chat messages in recent 6 months."));
    }
    Ok((start, end))
}

/// A message as others than its sender's client see it: not while it settles.
fn settled<'r>(desk: &Desk<'_>, room: &'r Room, id: &str) -> Result<&'r Message, ApiError> {
    let message = room.message(id)?;
    let settle = i64::try_from(desk.config.timing.settle.as_millis()).unwrap_or(0);
    if desk.now < message.at + settle { Err(no_message(id)) } else { Ok(message) }
}

fn visible(message: &Message, user: &str) -> bool {
    !message.purged && message.visible_to.as_deref().is_none_or(|only| only == user)
}

/// `GET /chat/users/{userId}/messages`
pub(super) fn list(desk: &mut Desk<'_>, call: &Call) -> Reply {
    let user = call.acting(desk)?;
    let room_id = call.target(desk, &user)?;
    let (start, end) = span(desk, call)?;
    let size = call.page_size(10, 50)?;
    let offset = desk.offset(&call.list, call.query("next_page_token"))?;
    let with_deleted = call.flag("include_deleted_and_edited_message");
    let roots_only = call.flag("exclude_child_message");
    let needle = call.query("search_key").map(str::to_lowercase);
    let in_files = call.query("search_type") == Some("file");
    let views = desk.views();
    let room = desk.state.room(&room_id)?;
    let fits = |message: &&Message| {
        message.at >= start
            && message.at <= end
            && visible(message, &user)
            && (with_deleted || !message.deleted)
            && !(roots_only && message.root.is_some())
            && needle.as_ref().is_none_or(|needle| {
                let names = message.files.iter().filter_map(|id| desk.state.files.get(id));
                if in_files {
                    names.into_iter().any(|file| file.name.to_lowercase().contains(needle))
                } else {
                    message.text.to_lowercase().contains(needle)
                }
            })
    };
    let mut found: Vec<&Message> = room.messages.values().filter(fits).collect();
    if desk.config.doubts.newest_first {
        found.reverse();
    }
    let all = found.len();
    let page: Vec<Value> = found
        .into_iter()
        .skip(offset)
        .take(size)
        .map(|message| views.message(room, message, &user, Form::List(with_deleted)))
        .collect();
    let next = offset + page.len();
    let mark = if next < all { desk.mark(&call.list, next) } else { String::new() };
    let mut answer = json!({"messages": page, "next_page_token": mark, "page_size": size});
    for key in ["date", "from", "to"] {
        if let Some(given) = call.query(key) {
            answer[key] = json!(given);
        }
    }
    Ok((200, answer))
}

/// `GET /chat/users/{userId}/messages/{messageId}`
pub(super) fn get(desk: &mut Desk<'_>, call: &Call) -> Reply {
    let user = call.acting(desk)?;
    let room_id = call.target(desk, &user)?;
    let room = desk.state.room(&room_id)?;
    let message = settled(desk, room, &call.path[1])?;
    if message.deleted || !visible(message, &user) {
        return Err(no_message(&call.path[1]));
    }
    Ok((200, desk.views().message(room, message, &user, Form::Single)))
}

/// `PUT /chat/users/{userId}/messages/{messageId}`
pub(super) fn update(desk: &mut Desk<'_>, call: &Call) -> Reply {
    let user = call.acting(desk)?;
    call.object(desk, &["message", "to_channel", "to_contact", "file_ids", "interactive_cards"])?;
    let room_id = call.body_target(desk, &user)?;
    let room = desk.state.room(&room_id)?;
    let message = settled(desk, room, &call.path[1])?;
    let text = match &call.body["message"] {
        Value::String(text) => text.clone(),
        // Without a text only the files or cards change.
        Value::Null
            if call.body.get("file_ids").is_some() || call.body.get("interactive_cards").is_some() =>
        {
            message.text.clone()
        }
        _ => return Err(invalid("message")),
    };
    if !desk.fits(&text) || (text.is_empty() && message.files.is_empty()) {
        return Err(invalid("message"));
    }
    let files = match &call.body["file_ids"] {
        Value::Null => None,
        Value::Array(ids) if ids.len() <= 6 => {
            let ids: Vec<String> = ids.iter().filter_map(Value::as_str).map(str::to_owned).collect();
            if let Some(gone) =
                ids.iter().find(|id| desk.state.files.get(*id).is_none_or(|file| file.deleted))
            {
                return Err(refuse(400, 5_404, format!("File does not exist: {gone}.")));
            }
            Some(ids)
        }
        _ => return Err(invalid("file_ids")),
    };
    let cards = match &call.body["interactive_cards"] {
        Value::Null => None,
        value => Some(super::sending::changed_cards(desk, message, value)?),
    };
    let change = Change { text, files, cards, ..Change::default() };
    desk.edit(&room_id, &call.path[1], &user, change)?;
    Ok((204, Value::Null))
}

/// `DELETE /chat/users/{userId}/messages/{messageId}`
pub(super) fn delete(desk: &mut Desk<'_>, call: &Call) -> Reply {
    let user = call.acting(desk)?;
    let room_id = call.target(desk, &user)?;
    settled(desk, desk.state.room(&room_id)?, &call.path[1])?;
    desk.delete(&room_id, &call.path[1], &user, false)?;
    Ok((204, Value::Null))
}

/// `PATCH …/emoji_reactions`
pub(super) fn react(desk: &mut Desk<'_>, call: &Call) -> Reply {
    let user = call.acting(desk)?;
    let allowed = ["action", "emoji", "to_channel", "to_contact", "custom_emoji", "custom_emoji_id"];
    call.object(desk, &allowed)?;
    let add = match call.text("action") {
        Some("add") => true,
        Some("remove") => false,
        _ => return Err(invalid("action")),
    };
    let emoji = if call.body["custom_emoji"] == true {
        let id = call.text("custom_emoji_id").ok_or_else(|| invalid("custom_emoji_id"))?;
        let account = desk.state.person(&user)?.account.clone();
        let known = desk.state.accounts.get(&account).and_then(|account| account.emoji.get(id));
        known.cloned().ok_or_else(|| invalid("custom_emoji_id"))?
    } else {
        call.text("emoji").and_then(emoji_of).ok_or_else(|| invalid("emoji"))?
    };
    let room_id = call.body_target(desk, &user)?;
    settled(desk, desk.state.room(&room_id)?, &call.path[1])?;
    desk.react(&room_id, &call.path[1], &user, &emoji, add)?;
    Ok((204, Value::Null))
}

/// `PATCH …/status`
pub(super) fn status(desk: &mut Desk<'_>, call: &Call) -> Reply {
    let user = call.acting(desk)?;
    call.object(desk, &["action", "timestamp", "to_channel", "to_contact"])?;
    let unread = match call.text("action") {
        Some("unread") => true,
        Some("read") => false,
        _ => return Err(invalid("action")),
    };
    let room_id = call.body_target(desk, &user)?;
    let key = (user, desk.state.room(&room_id)?.message(&call.path[1])?.id.clone());
    if unread {
        desk.state.unread.insert(key);
    } else {
        desk.state.unread.shift_remove(&key);
    }
    Ok((204, Value::Null))
}

/// `GET …/thread`
pub(super) fn thread(desk: &mut Desk<'_>, call: &Call) -> Reply {
    let user = call.acting(desk)?;
    let limit = match call.query("limit").map(str::parse::<usize>) {
        None => 10,
        Some(Ok(limit)) if (1..=100).contains(&limit) => limit,
        _ => return Err(refuse(400, 4_231, "The 'limit' cannot exceed 100.")),
    };
    let ascending = match call.query("sort") {
        None | Some("desc") => false,
        Some("asc") => true,
        Some(_) => return Err(refuse(400, 4_232, "The `sort` can only be passed `asc` or `desc`.")),
    };
    let from = call.query("from").ok_or_else(|| refuse(400, 4_233, "The `from` cannot be blank."))?;
    let from = from_iso(from).ok_or_else(|| invalid("from"))?;
    let to = call.query("to").map_or(Some(i64::MAX), from_iso).ok_or_else(|| invalid("to"))?;
    if call.query("to_channel").is_none() && call.query("to_contact").is_none() {
        return Err(refuse(400, 4_234, "The `to_channel` cannot be blank."));
    }
    let room_id = call.target(desk, &user)?;
    let room = desk.state.room(&room_id)?;
    let id = &call.path[1];
    let gone = || refuse(404, 4_131, format!("Message does not exist: {id}."));
    let root = room.message(id).map_err(|_| gone())?;
    let root_id = root.root.clone().unwrap_or_else(|| root.id.clone());
    let replies = |message: &&Message| {
        message.root.as_deref() == Some(&root_id)
            && !message.deleted
            && !message.purged
            && (from..=to).contains(&message.at)
    };
    let mut found: Vec<&Message> = room.messages.values().filter(replies).collect();
    if !ascending {
        found.reverse();
    }
    found.truncate(limit);
    if call.flag("need_main_message")
        && let Some(root) = room.messages.get(&root_id).filter(|root| !root.deleted)
    {
        found.insert(0, root);
    }
    let views = desk.views();
    let need = |flag: &str| call.flag(flag);
    let messages: Vec<Value> =
        found.into_iter().map(|message| views.thread_item(message, &user, &need)).collect();
    Ok((200, json!({"total": messages.len(), "messages": messages})))
}

/// `GET /chat/users/{userId}/sessions`
pub(super) fn sessions(desk: &mut Desk<'_>, call: &Call) -> Reply {
    let user = call.acting(desk)?;
    let size = call.page_size(10, 50)?;
    let offset = desk.offset(&call.list, call.query("next_page_token"))?;
    let time = |key: &'static str| match call.query(key) {
        None => Ok(None),
        Some(text) => from_iso(text).map(Some).ok_or_else(|| invalid(key)),
    };
    let (from, to) = (time("from")?.unwrap_or(0), time("to")?.map_or(i64::MAX, |to| to + 999));
    let wanted = call.query("type");
    let mut found: Vec<(i64, Value)> = Vec::new();
    for room in desk.state.rooms.values().filter(|room| room.members.contains_key(&user)) {
        let kind = if room.channel.is_some() { "groupchat" } else { "1:1" };
        let Some(last) = room.messages.values().filter(|message| !message.deleted).map(|last| last.at).max()
        else {
            continue;
        };
        if last < from || last > to || wanted.is_some_and(|wanted| wanted != kind) {
            continue;
        }
        let mut item = json!({"last_message_sent_time": iso(last), "type": kind});
        if let Some(info) = &room.channel {
            item["channel_id"] = json!(room.id);
            item["name"] = json!(info.name);
        } else if let Some(other) = desk.state.people.get(room.other(&user)) {
            item["name"] = json!(other.display_name);
            item["peer_contact_email"] = json!(other.email);
            item["peer_contact_user_id"] = json!(other.id);
            item["peer_contact_member_id"] = json!(other.member_id);
        }
        found.push((last, item));
    }
    found.sort_by_key(|(last, _)| std::cmp::Reverse(*last));
    let all = found.len();
    let page: Vec<Value> = found.into_iter().skip(offset).take(size).map(|(_, item)| item).collect();
    let next = offset + page.len();
    let mark = if next < all { desk.mark(&call.list, next) } else { String::new() };
    Ok((
        200,
        json!({"sessions": page, "next_page_token": mark, "page_size": size,
        "from": call.query("from").unwrap_or_default(), "to": call.query("to").unwrap_or_default()}),
    ))
}
