//! `/rooms`.

use super::super::desk::Desk;
use super::super::dispatch::{ApiResult, Caller, Reply, paged};
use super::super::error::refuse;
use super::super::ids;
use super::super::state::{Room, RoomKind};
use super::{room_of, sees_all};

const OFFICER: &str = "spark-compliance:rooms_read";

fn shown(desk: &Desk<'_>, caller: &Caller, uuid: &str) -> ApiResult {
    Ok(Reply::Ok(desk.views().room(desk.state.room(uuid)?, &caller.person.uuid)))
}

/// `GET /rooms`.
pub(super) fn list(desk: &mut Desk<'_>, caller: &Caller) -> ApiResult {
    if !caller.complies(OFFICER) {
        caller.needs("spark:rooms_read")?;
    }
    let me = &caller.person.uuid;
    let kind = caller.query("type");
    if kind.is_some_and(|kind| !matches!(kind, "direct" | "group")) {
        return Err(refuse(400, "type must be one of direct, group"));
    }
    let team = caller.query("teamId").and_then(|id| ids::read("TEAM", id)).map(|named| named.key);
    let mut rooms: Vec<&Room> = desk
        .state
        .rooms
        .values()
        .filter(|room| room.has(me) || sees_all(desk, caller, room, OFFICER))
        .filter(|room| kind.is_none_or(|kind| room.kind.name() == kind))
        .filter(|room| team.is_none() || room.team == team)
        .collect();
    match caller.query("sortBy") {
        Some("created") => rooms.sort_by_key(|room| std::cmp::Reverse(room.created)),
        Some("id") => rooms.sort_by_key(|room| room.id()),
        None | Some("lastactivity") => rooms.sort_by_key(|room| std::cmp::Reverse(room.last_activity)),
        Some(_) => return Err(refuse(400, "sortBy must be one of id, lastactivity, created")),
    }
    let views = desk.views();
    paged(caller, &desk.config.doubts, &rooms, (100, 1_000), |room| room.id(), |room| views.room(room, me))
}

/// `POST /rooms`.
pub(super) fn create(desk: &mut Desk<'_>, caller: &Caller) -> ApiResult {
    caller.needs("spark:rooms_write")?;
    let fields = &caller.fields;
    let title = fields.text("title").ok_or_else(|| refuse(400, "title cannot be empty"))?;
    let team = match fields.text("teamId") {
        None => None,
        Some(id) => Some(super::teams::team_of(desk, caller, &id)?),
    };
    if caller.is_bot() && fields.text("classificationId").is_some() {
        return Err(refuse(400, "A bot cannot classify a space."));
    }
    let locked = fields.flag("isLocked").unwrap_or(false);
    let announcement_only = fields.flag("isAnnouncementOnly").unwrap_or(false);
    if announcement_only && !locked {
        return Err(refuse(400, "Announcement mode needs a locked space."));
    }
    let me = &caller.person.uuid;
    let uuid = desk.create_room(me, &title, RoomKind::Group)?;
    let room = desk.state.room_mut(&uuid)?;
    room.team = team;
    room.public = fields.flag("isPublic").unwrap_or(false);
    room.description = fields.text("description");
    room.locked = locked;
    room.announcement_only = announcement_only;
    if let Some(member) = room.members.get_mut(me).filter(|_| locked) {
        member.moderator = true;
    }
    shown(desk, caller, &uuid)
}

/// `GET /rooms/{id}`.
pub(super) fn get(desk: &mut Desk<'_>, caller: &Caller, id: &str) -> ApiResult {
    if !caller.complies(OFFICER) {
        caller.needs("spark:rooms_read")?;
    }
    let uuid = room_of(desk, caller, id, OFFICER)?.uuid.clone();
    shown(desk, caller, &uuid)
}

/// `PUT /rooms/{id}`.
pub(super) fn update(desk: &mut Desk<'_>, caller: &Caller, id: &str) -> ApiResult {
    caller.needs("spark:rooms_write")?;
    let fields = &caller.fields;
    let uuid = room_of(desk, caller, id, "")?.uuid.clone();
    let title = fields.text("title").ok_or_else(|| refuse(400, "title cannot be empty"))?;
    let me = &caller.person.uuid;
    let room = desk.state.room_mut(&uuid)?;
    if room.kind == RoomKind::Direct {
        return Err(refuse(400, "A direct space cannot be changed."));
    }
    if room.locked && !room.moderated_by(me) {
        return Err(refuse(403, "Only moderators can change this space."));
    }
    let locked = fields.flag("isLocked").unwrap_or(room.locked);
    let announcement_only = fields.flag("isAnnouncementOnly").unwrap_or(room.announcement_only);
    if announcement_only && !locked {
        return Err(refuse(400, "Announcement mode needs a locked space."));
    }
    room.title = title;
    room.announcement_only = announcement_only;
    room.locked = locked;
    if let Some(member) = room.members.get_mut(me).filter(|_| locked) {
        member.moderator = true;
    }
    desk.room_event(&uuid, me, "updated");
    shown(desk, caller, &uuid)
}

/// `DELETE /rooms/{id}`: who does not moderate only leaves.
pub(super) fn delete(desk: &mut Desk<'_>, caller: &Caller, id: &str) -> ApiResult {
    caller.needs("spark:rooms_write")?;
    let me = &caller.person.uuid;
    let room = room_of(desk, caller, id, "")?;
    let uuid = room.uuid.clone();
    if room.kind == RoomKind::Direct {
        return Err(refuse(400, "A direct space cannot be deleted."));
    }
    if room.locked && !room.moderated_by(me) {
        desk.leave(&uuid, me, me)?;
        return Ok(Reply::Empty);
    }
    let members: Vec<String> = room.members.keys().cloned().collect();
    for member in members {
        desk.leave(&uuid, &member, me)?;
    }
    desk.state.rooms.shift_remove(&uuid);
    Ok(Reply::Empty)
}
