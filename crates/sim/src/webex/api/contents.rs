//! `/contents` and `/attachment/actions`.

use serde_json::Value;

use super::super::desk::Desk;
use super::super::dispatch::{ApiResult, Caller, Reply};
use super::super::error::{ApiError, bad_id, not_found, refuse};
use super::super::ids;
use super::super::state::Scan;

/// `GET` and `HEAD /contents/{id}`.
pub(super) fn get(desk: &mut Desk<'_>, caller: &Caller, id: &str) -> ApiResult {
    caller.needs("spark:messages_read")?;
    let named = ids::read("CONTENT", id).ok_or_else(bad_id)?;
    let missing = || not_found("file");
    let (message, index) = named.key.split_once('/').ok_or_else(missing)?;
    let room = desk.state.room_of(message).filter(|room| named.is_in(&room.cluster)).ok_or_else(missing)?;
    if !room.has(&caller.person.uuid) {
        return Err(missing());
    }
    let message = room.message(message).ok_or_else(missing)?;
    let file = index.parse::<usize>().ok().and_then(|at| message.files.get(at)).ok_or_else(missing)?;
    let locked = |seconds: u64| ApiError {
        retry_after: Some(seconds.max(1)),
        ..refuse(423, "The file is being scanned for malware.")
    };
    let soon = desk.config.timing.scan_retry_after.as_secs();
    match file.scan {
        Scan::CleanFrom(time) if time <= desk.now => Ok(Reply::File(file.clone())),
        Scan::CleanFrom(_) | Scan::Running => Err(locked(soon)),
        Scan::Infected => Err(refuse(410, "The file is infected and cannot be downloaded.")),
        Scan::Unscannable if caller.query("allow") == Some("unscannable") => Ok(Reply::File(file.clone())),
        Scan::Unscannable => {
            Err(refuse(428, "The file could not be scanned. Add ?allow=unscannable to download it anyway."))
        }
    }
}

/// `POST /attachment/actions`.
pub(super) fn act(desk: &mut Desk<'_>, caller: &Caller) -> ApiResult {
    caller.needs("spark:messages_write")?;
    let fields = &caller.fields;
    if fields.text("type").as_deref() != Some("submit") {
        return Err(refuse(400, "type must be submit"));
    }
    let id = fields.text("messageId").ok_or_else(|| refuse(400, "messageId cannot be null"))?;
    let named = ids::read("MESSAGE", &id).ok_or_else(bad_id)?;
    let me = &caller.person.uuid;
    let room = desk.state.room_of(&named.key).filter(|room| named.is_in(&room.cluster) && room.has(me));
    let room = room.ok_or_else(|| not_found("message"))?.uuid.clone();
    let inputs = fields.values.get("inputs").and_then(Value::as_object).cloned().unwrap_or_default();
    let uuid = desk.click(&room, &named.key, me, inputs)?;
    Ok(Reply::Accepted(desk.views().action(&desk.state.actions[&uuid], true)))
}

/// `GET /attachment/actions/{id}`.
pub(super) fn action(desk: &mut Desk<'_>, caller: &Caller, id: &str) -> ApiResult {
    caller.needs("spark:messages_read")?;
    let named = ids::read("ATTACHMENT_ACTION", id).ok_or_else(bad_id)?;
    let found = desk.state.actions.get(&named.key).filter(|action| {
        desk.state
            .rooms
            .get(&action.room)
            .is_some_and(|room| named.is_in(&room.cluster) && room.has(&caller.person.uuid))
    });
    let action = found.ok_or_else(|| not_found("attachment action"))?;
    Ok(Reply::Ok(desk.views().action(action, true)))
}
