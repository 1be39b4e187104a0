//! `/events`, for compliance officers.

use serde_json::{Value, json};

use super::super::desk::Desk;
use super::super::dispatch::{ApiResult, Caller, Reply, paged};
use super::super::error::{ApiError, bad_id, forbidden, not_found, refuse};
use super::super::ids;
use super::super::state::Record;

fn allowed(caller: &Caller) -> Result<(), ApiError> {
    if caller.complies("spark-compliance:events_read") { Ok(()) } else { Err(forbidden()) }
}

fn id_of(record: &Record) -> String {
    ids::public(ids::US, "EVENT", &record.uuid)
}

fn view(record: &Record) -> Value {
    json!({
        "id": id_of(record), "resource": record.resource, "type": record.kind, "actorId": ids::person(&record.actor),
        "orgId": ids::org(&record.org), "created": ids::iso(record.created), "data": record.data,
    })
}

/// `GET /events`: newest first.
pub(super) fn list(desk: &mut Desk<'_>, caller: &Caller) -> ApiResult {
    allowed(caller)?;
    let time = |name: &str| match caller.query(name) {
        None => Ok(None),
        Some(text) => {
            ids::parse_iso(text).map(Some).ok_or_else(|| refuse(400, &format!("{name} is not a valid date.")))
        }
    };
    let (from, to) = (time("from")?, time("to")?);
    let actor = match caller.query("actorId") {
        None => None,
        Some(id) => Some(ids::read("PEOPLE", id).ok_or_else(bad_id)?.key),
    };
    let (resource, kind) = (caller.query("resource"), caller.query("type"));
    let found: Vec<&Record> = desk
        .state
        .records
        .iter()
        .rev()
        .filter(|record| record.org == caller.person.org || acts_in(desk, record, &caller.person.org))
        .filter(|record| resource.is_none_or(|resource| record.resource == resource))
        .filter(|record| kind.is_none_or(|kind| record.kind == kind))
        .filter(|record| actor.as_ref().is_none_or(|actor| record.actor == *actor))
        .filter(|record| from.is_none_or(|from| record.created >= from))
        .filter(|record| to.is_none_or(|to| record.created < to))
        .collect();
    paged(caller, &desk.config.doubts, &found, (100, 1_000), |record| id_of(record), |record| view(record))
}

/// Events of people of the organisation belong to it wherever they happen.
fn acts_in(desk: &Desk<'_>, record: &Record, org: &str) -> bool {
    desk.state.people.get(&record.actor).is_some_and(|person| person.org == org)
}

/// `GET /events/{id}`.
pub(super) fn get(desk: &mut Desk<'_>, caller: &Caller, id: &str) -> ApiResult {
    allowed(caller)?;
    let named = ids::read("EVENT", id).ok_or_else(bad_id)?;
    let found = desk.state.records.iter().find(|record| record.uuid == named.key);
    found.map(|record| Reply::Ok(view(record))).ok_or_else(|| not_found("event"))
}
