//! Files and custom emoji.

use serde_json::{Value, json};

use super::channels::{actor, page};
use crate::zoom::call::{Call, Part, Reply};
use crate::zoom::desk::{Desk, iso};
use crate::zoom::error::{ApiError, invalid, refuse};
use crate::zoom::messages::Draft;
use crate::zoom::state::{Author, File};

const MB: u64 = 1024 * 1024;

fn file<'c>(call: &'c Call, name: &str) -> Result<&'c Part, ApiError> {
    // A text where a file is expected is no file.
    call.parts.iter().find(|part| part.name == name && part.filename.is_some()).ok_or_else(|| invalid(name))
}

fn too_large(most: u64) -> ApiError {
    refuse(400, 300, format!("Maximum file size exceeded: {most}"))
}

/// `POST /chat/users/{userId}/files`
pub(super) fn upload(desk: &mut Desk<'_>, call: &Call) -> Reply {
    let user = call.acting(desk)?;
    desk.files_allowed(&user)?;
    let part = file(call, "file")?;
    let most = desk.config.limits.file_bytes;
    if part.size > most {
        return Err(too_large(most));
    }
    let name = part.filename.clone().unwrap_or_default();
    let id = desk.store_file(&user, &name, part.content.clone());
    // Unless told otherwise it also appears in the uploader's own chat.
    if call.query("postToPersonalChat") != Some("false") {
        let room = desk.state.direct(&user, &user.clone());
        let draft = Draft { files: vec![id.clone()], ..Draft::default() };
        desk.post(&room, Author::Person(user), draft)?;
    }
    Ok((201, json!({"id": id})))
}

/// `POST /chat/users/{userId}/messages/files`
pub(super) fn send(desk: &mut Desk<'_>, call: &Call) -> Reply {
    let user = call.acting(desk)?;
    desk.files_allowed(&user)?;
    if call.parts.iter().filter(|part| part.filename.is_some()).count() > 1 {
        return Err(invalid("files"));
    }
    let part = file(call, "files")?;
    let name = part.filename.clone().unwrap_or_default();
    let (channel, contact) = (call.part("to_channel"), call.part("to_contact"));
    let room_id = desk.target(&user, channel.as_deref(), contact.as_deref())?;
    desk.may_send(&user, &room_id)?;
    let root = match call.part("reply_main_message_id").filter(|id| !id.is_empty()) {
        Some(id) => Some(desk.root(desk.state.room(&room_id)?, &id)?),
        None => None,
    };
    let id = desk.store_file(&user, &name, part.content.clone());
    let image = desk.state.files.get(&id).is_some_and(File::is_image);
    let most = if image { 16 * MB } else { 20 * MB };
    if part.size > most {
        desk.state.files.shift_remove(&id);
        return Err(too_large(most));
    }
    let draft = Draft { files: vec![id], root, ..Draft::default() };
    let message = desk.post(&room_id, Author::Person(user), draft)?;
    Ok((201, json!({"id": desk.views().id(&message)})))
}

fn not_found() -> ApiError {
    refuse(404, 404, "Resource not found.")
}

fn reachable(desk: &Desk<'_>, call: &Call, id: &str) -> Result<(), ApiError> {
    let file = desk.state.files.get(id).filter(|file| !file.deleted).ok_or_else(not_found)?;
    let owner_here =
        desk.state.people.get(&file.owner).is_some_and(|owner| owner.account == call.token.account);
    let seen = desk.state.rooms.values().any(|room| {
        room.messages.values().any(|message| message.files.iter().any(|known| known == id))
            && room.members.keys().any(|member| {
                desk.state.people.get(member).is_some_and(|person| person.account == call.token.account)
            })
    });
    if owner_here || seen { Ok(()) } else { Err(refuse(403, 403, "Operation not permitted.")) }
}

/// `GET /chat/files/{fileId}`
pub(super) fn get(desk: &mut Desk<'_>, call: &Call) -> Reply {
    let id = &call.path[0];
    reachable(desk, call, id)?;
    let file = desk.state.files.get(id).ok_or_else(not_found)?;
    let digest = file.digest();
    Ok((
        200,
        json!({"file_id": file.id, "file_name": file.name, "OS_file_type": file.extension(),
        "length": file.bytes.size(), "digest": digest, "created_time": file.created,
        "modified_time": file.created, "download_url": desk.views().download_url(file)}),
    ))
}

/// `DELETE /chat/files/{fileId}`
pub(super) fn delete(desk: &mut Desk<'_>, call: &Call) -> Reply {
    let id = &call.path[0];
    reachable(desk, call, id)?;
    desk.delete_file(id)?;
    Ok((204, Value::Null))
}

/// `GET /chat/emoji`
pub(super) fn emoji(desk: &mut Desk<'_>, call: &Call) -> Reply {
    let needle = match call.query("search_key") {
        None => String::new(),
        Some(key) if (3..=256).contains(&key.chars().count()) => key.to_lowercase(),
        Some(_) => {
            let text = "Invalid parameter: search_key. The minimum length is 3 characters, the maximum length is 256 characters.";
            return Err(refuse(400, 5_333, text));
        }
    };
    let now = iso(desk.now);
    let items = desk
        .state
        .accounts
        .get(&call.token.account)
        .into_iter()
        .flat_map(|account| account.emoji.iter())
        .filter(|(_, name)| name.to_lowercase().contains(&needle))
        .map(|(id, name)| json!({"file_id": id, "name": name, "date_added": now}))
        .collect();
    let (status, mut answer) = page(desk, call, items, "emojis", (15, 100))?;
    answer["search_key"] = json!(call.query("search_key").unwrap_or_default());
    Ok((status, answer))
}

/// `POST /chat/emoji/files`
pub(super) fn add_emoji(desk: &mut Desk<'_>, call: &Call) -> Reply {
    let name = call.part("name").unwrap_or_default();
    let sound = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let part = file(call, "file")?;
    if !(3..=100).contains(&name.len()) || !sound || part.size > 256 * 1024 {
        return Err(refuse(400, 300, "Invalid parameter."));
    }
    let extension = part.filename.as_deref().and_then(|name| name.rsplit_once('.')).map(|(_, end)| end);
    if !matches!(extension, Some("png" | "jpg" | "jpeg" | "gif")) {
        return Err(refuse(400, 400, "Invalid file type. Only support jpg,png,gif,jpeg."));
    }
    let user = actor(desk, call)?;
    let id = desk.add_emoji(&user, &name)?;
    Ok((201, json!({"file_id": id, "name": name})))
}

/// `DELETE /chat/emoji/{fileId}`
pub(super) fn delete_emoji(desk: &mut Desk<'_>, call: &Call) -> Reply {
    let user = actor(desk, call)?;
    desk.remove_emoji(&user, &call.path[0])?;
    Ok((204, Value::Null))
}
