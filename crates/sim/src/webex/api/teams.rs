//! `/teams` and `/team/memberships`: containers of spaces.

use indexmap::IndexMap;
use serde_json::{Value, json};

use super::super::desk::Desk;
use super::super::dispatch::{ApiResult, Caller, Reply, paged};
use super::super::error::{ApiError, bad_id, not_found, refuse};
use super::super::ids;
use super::super::state::{Member, Team};
use super::person_of;

/// The UUID of a team that the caller is in.
pub(super) fn team_of(desk: &Desk<'_>, caller: &Caller, id: &str) -> Result<String, ApiError> {
    let named = ids::read("TEAM", id).ok_or_else(bad_id)?;
    desk.state
        .teams
        .get(&named.key)
        .filter(|team| named.is_in(&team.cluster) && team.members.contains_key(&caller.person.uuid))
        .map(|team| team.uuid.clone())
        .ok_or_else(|| not_found("team"))
}

/// `GET /teams`.
pub(super) fn list(desk: &mut Desk<'_>, caller: &Caller) -> ApiResult {
    caller.needs("spark:teams_read")?;
    let found: Vec<&Team> =
        desk.state.teams.values().filter(|team| team.members.contains_key(&caller.person.uuid)).collect();
    let views = desk.views();
    paged(
        caller,
        &desk.config.doubts,
        &found,
        (100, 1_000),
        |team| team.uuid.clone(),
        |team| views.team(team),
    )
}

/// `POST /teams`.
pub(super) fn create(desk: &mut Desk<'_>, caller: &Caller) -> ApiResult {
    caller.needs("spark:teams_write")?;
    let name = caller.fields.text("name").ok_or_else(|| refuse(400, "name cannot be empty"))?;
    let me = caller.person.uuid.clone();
    let member = Member { moderator: true, hidden: false, created: desk.now };
    let team = Team {
        uuid: desk.world.uuid(),
        cluster: desk.state.cluster_of(&caller.person.org),
        name,
        creator: me.clone(),
        created: desk.now,
        members: IndexMap::from([(me, member)]),
    };
    let view = desk.views().team(&team);
    desk.state.teams.insert(team.uuid.clone(), team);
    Ok(Reply::Ok(view))
}

/// `GET /teams/{id}`.
pub(super) fn get(desk: &mut Desk<'_>, caller: &Caller, id: &str) -> ApiResult {
    caller.needs("spark:teams_read")?;
    let uuid = team_of(desk, caller, id)?;
    Ok(Reply::Ok(desk.views().team(&desk.state.teams[&uuid])))
}

/// `PUT /teams/{id}`.
pub(super) fn update(desk: &mut Desk<'_>, caller: &Caller, id: &str) -> ApiResult {
    caller.needs("spark:teams_write")?;
    let uuid = team_of(desk, caller, id)?;
    let name = caller.fields.text("name").ok_or_else(|| refuse(400, "name cannot be empty"))?;
    if let Some(team) = desk.state.teams.get_mut(&uuid) {
        team.name = name;
    }
    Ok(Reply::Ok(desk.views().team(&desk.state.teams[&uuid])))
}

/// `DELETE /teams/{id}`.
pub(super) fn delete(desk: &mut Desk<'_>, caller: &Caller, id: &str) -> ApiResult {
    caller.needs("spark:teams_write")?;
    let uuid = team_of(desk, caller, id)?;
    desk.state.teams.shift_remove(&uuid);
    Ok(Reply::Empty)
}

fn membership(desk: &Desk<'_>, team: &Team, uuid: &str) -> Value {
    let person = desk.state.people.get(uuid);
    let member = team.members.get(uuid);
    json!({
        "id": ids::public(&team.cluster, "TEAM_MEMBERSHIP", &format!("{uuid}:{}", team.uuid)),
        "teamId": ids::public(&team.cluster, "TEAM", &team.uuid), "personId": ids::person(uuid),
        "personEmail": person.map_or("", |person| &person.email),
        "personDisplayName": person.map_or("", |person| &person.display_name),
        "personOrgId": ids::org(person.map_or("", |person| &person.org)),
        "isModerator": member.is_some_and(|member| member.moderator),
        "created": ids::iso(member.map_or(0, |member| member.created)),
    })
}

/// `GET /team/memberships`.
pub(super) fn members(desk: &mut Desk<'_>, caller: &Caller) -> ApiResult {
    caller.needs("spark:team_memberships_read")?;
    let id = caller
        .query("teamId")
        .ok_or_else(|| refuse(400, "Required String parameter 'teamId' is not present"))?;
    let team = &desk.state.teams[&team_of(desk, caller, id)?];
    let members: Vec<&String> = team.members.keys().collect();
    paged(
        caller,
        &desk.config.doubts,
        &members,
        (100, 1_000),
        |member| (*member).clone(),
        |member| membership(desk, team, member),
    )
}

/// `POST /team/memberships`.
pub(super) fn add_member(desk: &mut Desk<'_>, caller: &Caller) -> ApiResult {
    caller.needs("spark:team_memberships_write")?;
    let fields = &caller.fields;
    let id = fields.text("teamId").ok_or_else(|| refuse(400, "teamId cannot be null"))?;
    let uuid = team_of(desk, caller, &id)?;
    let person = match (fields.text("personId"), fields.text("personEmail")) {
        (Some(id), None) => person_of(desk, &id)?,
        (None, Some(email)) => desk
            .state
            .by_email(&email)
            .map(|person| person.uuid.clone())
            .ok_or_else(|| not_found("person"))?,
        _ => return Err(refuse(400, "Must specify either personId or personEmail.")),
    };
    let member =
        Member { moderator: fields.flag("isModerator").unwrap_or(false), hidden: false, created: desk.now };
    let team = desk.state.teams.get_mut(&uuid).ok_or_else(|| not_found("team"))?;
    if team.members.contains_key(&person) {
        return Err(refuse(409, "Person is already in the team."));
    }
    team.members.insert(person.clone(), member);
    Ok(Reply::Ok(membership(desk, &desk.state.teams[&uuid], &person)))
}
