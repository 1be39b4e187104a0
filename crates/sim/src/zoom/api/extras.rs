//! Pins, bookmarks, stars, invitations.

use serde_json::{Value, json};

use super::channels::{actor, page};
use crate::zoom::call::{Call, Reply};
use crate::zoom::desk::{Desk, iso};
use crate::zoom::error::{invalid, no_channel, refuse};
use crate::zoom::state::Author;

/// `PATCH /chat/channel/message/events`
pub(super) fn pin(desk: &mut Desk<'_>, call: &Call) -> Reply {
    call.object(desk, &["method", "message_id", "channel_id"])?;
    let wrong = || refuse(400, 300, "Invalid parameter: params.");
    let pinned = match call.text("method") {
        Some("pin") => true,
        Some("unpin") => false,
        _ => return Err(wrong()),
    };
    let channel = call.text("channel_id").ok_or_else(wrong)?;
    let message = call.text("message_id").ok_or_else(wrong)?;
    let user = actor(desk, call)?;
    let (room, _) =
        desk.state.channel(channel).map_err(|_| refuse(400, 4_130, no_channel(channel).message))?;
    if !room.members.contains_key(&user) {
        return Err(refuse(403, 200, "No permission to perform operations on the message of channel."));
    }
    desk.pin(channel, &user, message, pinned)?;
    Ok((204, Value::Null))
}

/// `GET /chat/channels/{channelId}/pinned`
pub(super) fn pinned(desk: &mut Desk<'_>, call: &Call) -> Reply {
    let user = actor(desk, call)?;
    let (room, info) = desk.state.channel(&call.path[0])?;
    if !room.members.contains_key(&user) {
        return Err(refuse(403, 200, "No permission."));
    }
    let id = room.id.clone();
    let items = info
        .pinned
        .iter()
        .filter_map(|(message, (by, at))| {
            let message = room.messages.get(message)?;
            let pinner = desk.state.people.get(by)?;
            Some(json!({"message_id": message.id, "message_timestamp": message.at, "message": message.text,
                "pinner_user_id": pinner.id, "pinner_member_id": pinner.member_id, "pinned_time": iso(*at),
                "currently_pinned": true, "pinned_by_external_user": pinner.account != info.account}))
        })
        .collect();
    let (status, mut answer) = page(desk, call, items, "messages", (10, 50))?;
    answer["channel_id"] = json!(id);
    Ok((status, answer))
}

/// `GET /chat/messages/bookmarks`
pub(super) fn bookmarks(desk: &mut Desk<'_>, call: &Call) -> Reply {
    let user = call.acting_as(desk, "me")?;
    let items = desk
        .state
        .bookmarks
        .iter()
        .filter(|(who, _, _)| *who == user)
        .filter_map(|(_, room, message)| {
            let room = desk.state.rooms.get(room)?;
            let message = room.messages.get(message)?;
            let mut item = json!({"message": message.text, "message_id": message.id,
                "message_timestamp": message.at,
                "is_sent_by_user": message.author == Author::Person(user.clone())});
            if let Some(info) = &room.channel {
                item["channel_id"] = json!(room.id);
                item["channel_name"] = json!(info.name);
            }
            if let Author::Person(id) = &message.author
                && let Some(sender) = desk.state.people.get(id)
            {
                item["sender_user_id"] = json!(sender.id);
                item["sender_member_id"] = json!(sender.member_id);
                item["sender_display_name"] = json!(sender.display_name);
            }
            Some(item)
        })
        .collect();
    page(desk, call, items, "bookmarks", (10, 50))
}

/// `PATCH /chat/messages/bookmarks`
pub(super) fn bookmark(desk: &mut Desk<'_>, call: &Call) -> Reply {
    call.object(desk, &["action", "to_channel", "to_contact"])?;
    let user = call.acting_as(desk, "me")?;
    let id = call.query("message_id").ok_or_else(|| invalid("message_id"))?;
    let room = call.body_target(desk, &user)?;
    let gone = || refuse(404, 5_401, format!("Message does not exist: {id}."));
    let message = desk.state.room(&room)?.message(id).map_err(|_| gone())?.id.clone();
    let key = (user, room, message);
    match call.text("action") {
        Some("add_bookmark") => drop(desk.state.bookmarks.insert(key)),
        Some("remove_bookmark") => drop(desk.state.bookmarks.shift_remove(&key)),
        _ => return Err(invalid("action")),
    }
    Ok((204, Value::Null))
}

/// `PATCH /chat/users/{userId}/events`
pub(super) fn star(desk: &mut Desk<'_>, call: &Call) -> Reply {
    let user = call.acting(desk)?;
    call.object(desk, &["method", "params"])?;
    let params = &call.body["params"];
    let target = params["target_id"].as_str().ok_or_else(|| invalid("params.target_id"))?.to_owned();
    match params["target_type"].as_str() {
        Some("channel") => drop(desk.state.channel(&target)?),
        Some("contact") => drop(desk.state.find(&target)?),
        _ => return Err(invalid("params.target_type")),
    }
    match call.text("method") {
        Some("star") => drop(desk.state.stars.insert((user, target))),
        Some("unstar") => drop(desk.state.stars.shift_remove(&(user, target))),
        _ => return Err(invalid("method")),
    }
    Ok((204, Value::Null))
}
