//! `/memberships`.

use super::super::desk::Desk;
use super::super::dispatch::{ApiResult, Caller, Reply, paged};
use super::super::error::{ApiError, bad_id, not_found, refuse};
use super::super::ids;
use super::super::state::{Room, RoomKind};
use super::{person_of, room_of, sees_all};

const OFFICER: &str = "spark-compliance:memberships_read";

fn readable(caller: &Caller) -> Result<(), ApiError> {
    if caller.complies(OFFICER) { Ok(()) } else { caller.needs("spark:memberships_read") }
}

/// `GET /memberships`: of a space, or one's own.
pub(super) fn list(desk: &mut Desk<'_>, caller: &Caller) -> ApiResult {
    readable(caller)?;
    let me = &caller.person.uuid;
    let person = match (caller.query("personId"), caller.query("personEmail")) {
        (Some(id), _) => Some(person_of(desk, id)?),
        (None, Some(email)) => Some(
            desk.state
                .by_email(email)
                .map(|person| person.uuid.clone())
                .ok_or_else(|| not_found("person"))?,
        ),
        (None, None) => None,
    };
    let found: Vec<(&Room, &String)> = if let Some(id) = caller.query("roomId") {
        let room = room_of(desk, caller, id, OFFICER)?;
        room.members
            .keys()
            .filter(|member| person.as_ref().is_none_or(|person| person == *member))
            .map(|member| (room, member))
            .collect()
    } else {
        if person.as_ref().is_some_and(|person| person != me) {
            return Err(refuse(400, "roomId is required to list the memberships of others."));
        }
        desk.state
            .rooms
            .values()
            .filter_map(|room| room.members.get_key_value(me).map(|(member, _)| (room, member)))
            .collect()
    };
    let views = desk.views();
    paged(
        caller,
        &desk.config.doubts,
        &found,
        (100, 1_000),
        |(room, person)| views.membership_id(room, person),
        |(room, person)| views.membership(room, person),
    )
}

/// `POST /memberships`.
pub(super) fn create(desk: &mut Desk<'_>, caller: &Caller) -> ApiResult {
    caller.needs("spark:memberships_write")?;
    let fields = &caller.fields;
    let id = fields.text("roomId").ok_or_else(|| refuse(400, "roomId cannot be empty"))?;
    let room = room_of(desk, caller, &id, "")?;
    let (uuid, me) = (room.uuid.clone(), &caller.person.uuid);
    if room.kind == RoomKind::Direct || (room.locked && !room.moderated_by(me)) {
        return Err(refuse(502, "Add participant failed."));
    }
    let person = match (fields.text("personId"), fields.text("personEmail")) {
        (Some(id), None) => person_of(desk, &id)?,
        (None, Some(email)) => desk
            .state
            .by_email(&email)
            .map(|person| person.uuid.clone())
            .ok_or_else(|| not_found("person"))?,
        _ => return Err(refuse(400, "Must specify either personId or personEmail.")),
    };
    if desk.state.room(&uuid)?.has(&person) {
        return Err(refuse(409, "Person is already in the room."));
    }
    desk.join(&uuid, &person, me, fields.flag("isModerator").unwrap_or(false))?;
    shown(desk, &uuid, &person)
}

fn shown(desk: &Desk<'_>, room: &str, person: &str) -> ApiResult {
    Ok(Reply::Ok(desk.views().membership(desk.state.room(room)?, person)))
}

/// UUIDs of space and person of a membership that the caller may see.
fn reachable(desk: &Desk<'_>, caller: &Caller, id: &str) -> Result<(String, String), ApiError> {
    let named = ids::read("MEMBERSHIP", id).ok_or_else(bad_id)?;
    let (person, room) = named.key.split_once(':').ok_or_else(bad_id)?;
    let missing = || not_found("membership");
    let room = desk.state.rooms.get(room).ok_or_else(missing)?;
    let cluster = if desk.config.doubts.memberships_in_us { ids::US } else { &room.cluster };
    let visible = room.has(&caller.person.uuid) || sees_all(desk, caller, room, OFFICER);
    if !named.is_in(cluster) || !visible || !room.has(person) {
        return Err(missing());
    }
    Ok((room.uuid.clone(), person.to_owned()))
}

/// `GET /memberships/{id}`.
pub(super) fn get(desk: &mut Desk<'_>, caller: &Caller, id: &str) -> ApiResult {
    readable(caller)?;
    let (room, person) = reachable(desk, caller, id)?;
    shown(desk, &room, &person)
}

/// `PUT /memberships/{id}`.
pub(super) fn update(desk: &mut Desk<'_>, caller: &Caller, id: &str) -> ApiResult {
    caller.needs("spark:memberships_write")?;
    let (room, person) = reachable(desk, caller, id)?;
    let fields = &caller.fields;
    let (moderator, hidden) = (fields.flag("isModerator"), fields.flag("isRoomHidden"));
    if moderator.is_none() && hidden.is_none() {
        return Err(refuse(400, "isModerator cannot be null"));
    }
    desk.set_member(&room, &person, &caller.person.uuid, moderator, hidden)?;
    shown(desk, &room, &person)
}

/// `DELETE /memberships/{id}`.
pub(super) fn delete(desk: &mut Desk<'_>, caller: &Caller, id: &str) -> ApiResult {
    caller.needs("spark:memberships_write")?;
    let (room, person) = reachable(desk, caller, id)?;
    let me = &caller.person.uuid;
    let place = desk.state.room(&room)?;
    if place.kind == RoomKind::Direct {
        return Err(refuse(400, "Nobody can leave a direct space."));
    }
    if place.locked && person != *me && !place.moderated_by(me) {
        return Err(refuse(403, "Only moderators can remove people."));
    }
    desk.leave(&room, &person, me)?;
    Ok(Reply::Empty)
}
