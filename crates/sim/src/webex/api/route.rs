//! From method and path to the call, and what the calls look things up with.

use std::sync::Arc;

use http::Method;

use super::super::desk::Desk;
use super::super::dispatch::{ApiResult, Caller};
use super::super::engine::Engine;
use super::super::error::{ApiError, bad_id, not_found, refuse, too_many};
use super::super::ids;
use super::super::state::Room;
use super::messages::Fetched;
use super::{contents, events, memberships, messages, oauth, people, rooms, teams, webhooks};
use crate::core::world::lock;

/// Finds the call and runs it.
pub fn route(
    engine: &Arc<Engine>,
    method: &Method,
    path: &[&str],
    caller: &Caller,
    fetched: Fetched,
) -> ApiResult {
    if (method, path) == (&Method::POST, &["messages"][..]) {
        if let Some(room) = caller.fields.text("roomId") {
            let now = engine.world.clock.millis();
            lock(&engine.limiter).post(&engine.config.limits, &room, now).map_err(too_many)?;
        }
        return engine.operate(|desk| messages::create(desk, caller, fetched));
    }
    engine.operate(|desk| find(desk, method.as_str(), path, caller))
}

fn find(desk: &mut Desk<'_>, method: &str, path: &[&str], caller: &Caller) -> ApiResult {
    match (method, path) {
        ("GET", ["messages"]) => messages::list(desk, caller),
        ("GET", ["messages", "direct"]) => messages::list_direct(desk, caller),
        ("GET", ["messages", id]) => messages::get(desk, caller, id),
        ("PUT", ["messages", id]) => messages::update(desk, caller, id),
        ("DELETE", ["messages", id]) => messages::delete(desk, caller, id),
        ("GET", ["rooms"]) => rooms::list(desk, caller),
        ("POST", ["rooms"]) => rooms::create(desk, caller),
        ("GET", ["rooms", id]) => rooms::get(desk, caller, id),
        ("PUT", ["rooms", id]) => rooms::update(desk, caller, id),
        ("DELETE", ["rooms", id]) => rooms::delete(desk, caller, id),
        ("GET", ["memberships"]) => memberships::list(desk, caller),
        ("POST", ["memberships"]) => memberships::create(desk, caller),
        ("GET", ["memberships", id]) => memberships::get(desk, caller, id),
        ("PUT", ["memberships", id]) => memberships::update(desk, caller, id),
        ("DELETE", ["memberships", id]) => memberships::delete(desk, caller, id),
        ("GET", ["people"]) => people::list(desk, caller),
        ("GET", ["people", "me"]) => people::me(desk, caller),
        ("GET", ["people", id]) => people::get(desk, caller, id),
        ("GET", ["webhooks"]) => webhooks::list(desk, caller),
        ("POST", ["webhooks"]) => webhooks::create(desk, caller),
        ("GET", ["webhooks", id]) => webhooks::get(desk, caller, id),
        ("PUT", ["webhooks", id]) => webhooks::update(desk, caller, id),
        ("DELETE", ["webhooks", id]) => webhooks::delete(desk, caller, id),
        ("GET" | "HEAD", ["contents", id]) => contents::get(desk, caller, id),
        ("POST", ["attachment", "actions"]) => contents::act(desk, caller),
        ("GET", ["attachment", "actions", id]) => contents::action(desk, caller, id),
        ("GET", ["events"]) => events::list(desk, caller),
        ("GET", ["events", id]) => events::get(desk, caller, id),
        ("GET", ["teams"]) => teams::list(desk, caller),
        ("POST", ["teams"]) => teams::create(desk, caller),
        ("GET", ["teams", id]) => teams::get(desk, caller, id),
        ("PUT", ["teams", id]) => teams::update(desk, caller, id),
        ("DELETE", ["teams", id]) => teams::delete(desk, caller, id),
        ("GET", ["team", "memberships"]) => teams::members(desk, caller),
        ("POST", ["team", "memberships"]) => teams::add_member(desk, caller),
        ("GET", ["authorizations"]) => oauth::grants(desk, caller),
        ("GET", ["authorizations", "tokenExpiry"]) => oauth::expiry(desk, caller),
        ("DELETE", ["authorizations"]) => oauth::withdraw(desk, caller),
        (
            _,
            [
                "messages" | "rooms" | "memberships" | "people" | "webhooks" | "events" | "teams"
                | "contents",
                rest @ ..,
            ],
        ) if rest.len() < 2 => Err(refuse(405, &format!("Request method '{method}' not supported"))),
        _ => Err(refuse(404, "The requested resource could not be found.")),
    }
}

/// A space that the caller may see.
pub(super) fn room_of<'d>(
    desk: &'d Desk<'_>,
    caller: &Caller,
    id: &str,
    compliance: &str,
) -> Result<&'d Room, ApiError> {
    let named = ids::read("ROOM", id).ok_or_else(bad_id)?;
    desk.state
        .rooms
        .get(&named.key)
        .filter(|room| named.is_in(&room.cluster))
        .filter(|room| room.has(&caller.person.uuid) || sees_all(desk, caller, room, compliance))
        .ok_or_else(|| not_found("room"))
}

/// Compliance officers see every space that has people of their organisation.
pub(super) fn sees_all(desk: &Desk<'_>, caller: &Caller, room: &Room, scope: &str) -> bool {
    caller.complies(scope)
        && (room.org == caller.person.org
            || room.members.keys().any(|member| {
                desk.state.people.get(member).is_some_and(|person| person.org == caller.person.org)
            }))
}

/// The UUID of a person named by id.
pub(super) fn person_of(desk: &Desk<'_>, id: &str) -> Result<String, ApiError> {
    let named = ids::read("PEOPLE", id).ok_or_else(bad_id)?;
    let known = desk.state.people.get(&named.key).filter(|_| named.is_in(ids::US));
    known.map(|person| person.uuid.clone()).ok_or_else(|| not_found("person"))
}
