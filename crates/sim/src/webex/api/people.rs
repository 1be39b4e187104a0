//! `/people`.

use serde_json::json;

use super::super::desk::Desk;
use super::super::dispatch::{ApiResult, Caller, Reply, paged};
use super::super::error::refuse;
use super::super::ids;
use super::super::state::Person;
use super::person_of;

/// `GET /people/me`.
pub(super) fn me(desk: &mut Desk<'_>, caller: &Caller) -> ApiResult {
    caller.needs("spark:people_read")?;
    let me = desk.state.person(&caller.person.uuid)?;
    Ok(Reply::Ok(desk.views().person(me, &me.org, true)))
}

/// `GET /people/{id}`: also people of other organisations, with less about them.
pub(super) fn get(desk: &mut Desk<'_>, caller: &Caller, id: &str) -> ApiResult {
    caller.needs("spark:people_read")?;
    let person = desk.state.person(&person_of(desk, id)?)?;
    Ok(Reply::Ok(desk.views().person(person, &caller.person.org, true)))
}

/// `GET /people`: by address in one's own organisation, by the start of a name, by ids.
pub(super) fn list(desk: &mut Desk<'_>, caller: &Caller) -> ApiResult {
    caller.needs("spark:people_read")?;
    let views = desk.views();
    let org = &caller.person.org;
    let with_status = caller.query("excludeStatus") != Some("true");
    if let Some(list) = caller.query("id") {
        let wanted: Vec<&str> = list.split(',').filter(|id| !id.is_empty()).collect();
        if wanted.len() > 85 {
            return Err(refuse(400, "Too many ids."));
        }
        let (mut items, mut missing) = (Vec::new(), Vec::new());
        for id in wanted {
            let person = ids::read("PEOPLE", id).and_then(|named| desk.state.people.get(&named.key));
            match person {
                Some(person) => items.push(views.person(person, org, false)),
                None => missing.push(id),
            }
        }
        return Ok(Reply::Ok(json!({"items": items, "notFoundIds": missing})));
    }
    let (email, name) = (caller.query("email"), caller.query("displayName"));
    if email.is_none() && name.is_none() {
        return Err(refuse(400, "Email or displayName should be specified."));
    }
    let start = name.map(str::to_lowercase);
    let found: Vec<&Person> = desk
        .state
        .people
        .values()
        .filter(|person| person.org == *org)
        .filter(|person| email.is_none_or(|email| person.email.eq_ignore_ascii_case(email)))
        .filter(|person| {
            start.as_ref().is_none_or(|start| person.display_name.to_lowercase().starts_with(start))
        })
        .collect();
    paged(
        caller,
        &desk.config.doubts,
        &found,
        (100, 1_000),
        |person| ids::person(&person.uuid),
        |person| views.person(person, org, with_status),
    )
}
