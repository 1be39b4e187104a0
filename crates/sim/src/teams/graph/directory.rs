//! Teams, channels, chats, members, people, photos.

use std::io::Write as _;

use serde_json::{Value, json};

use super::super::http::Res;
use super::super::ids::{encode, one_on_one, opaque};
use super::super::model::{Conversation, Place, State};
use super::super::rights;
use super::super::wire;
use super::call::{Call, Error, bad, error, not_found};
use super::list::{page, top};

const HIDDEN_USER: [&str; 2] = ["accountEnabled", "userType"];

fn team_place(id: &str) -> Place {
    Place::Team(id.to_owned())
}

/// `GET /teams`
pub(super) fn teams(call: &mut Call<'_>) -> Result<Res, Error> {
    call.limit("List", None, 30, Some(5))?;
    call.need(&rights::TEAMS, None)?;
    let state = &call.core.tenant;
    let items = state.teams.values().map(|t| wire::team(state, t)).collect();
    Ok(Res::json(200, &wire::collection(&call.view(), "teams", items, None)))
}

/// `GET /users/{id}/joinedTeams`
pub(super) fn joined_teams(call: &mut Call<'_>, oid: &str) -> Result<Res, Error> {
    call.limit("List", None, 30, Some(5))?;
    call.need(&rights::TEAMS, None)?;
    let state = &call.core.tenant;
    let items = state
        .teams
        .values()
        .filter(|t| t.members.iter().any(|m| m == oid))
        .map(|t| wire::team(state, t))
        .collect();
    Ok(Res::json(200, &wire::collection(&call.view(), "teams", items, None)))
}

/// The team, when the caller may see that it exists.
fn visible<'s>(call: &Call<'_>, state: &'s State, id: &str) -> Result<&'s super::super::model::Team, Error> {
    let t = state.teams.get(id).ok_or_else(|| not_found("No team found with Group Id."))?;
    match call.user() {
        Some(oid) if !t.members.iter().any(|m| m == oid) => {
            Err(error(403, "Forbidden", "The user is not a member of the team."))
        }
        _ => Ok(t),
    }
}

/// `GET /teams/{id}`
pub(super) fn team(call: &mut Call<'_>, id: &str) -> Result<Res, Error> {
    call.limit("Team", Some((id, 4)), 60, None)?;
    call.need(&rights::TEAM, Some(&team_place(id)))?;
    let t = visible(call, &call.core.tenant, id)?;
    let view = call.view();
    Ok(Res::json(200, &wire::with_context(&view, "teams/$entity", wire::team(&call.core.tenant, t))))
}

/// `GET /teams/{id}/channels`, `/allChannels`
pub(super) fn channels(call: &mut Call<'_>, id: &str) -> Result<Res, Error> {
    call.limit("Channels", Some((id, 4)), 60, None)?;
    call.need(&rights::CHANNELS, Some(&team_place(id)))?;
    let state = &call.core.tenant;
    let t = visible(call, state, id)?;
    let hidden_from = |c: &Conversation| {
        c.removed
            || c.membership != "standard" && call.user().is_some_and(|u| !c.members.iter().any(|m| m == u))
    };
    let items = t
        .channels
        .iter()
        .filter_map(|c| state.conversations.get(c))
        .filter(|c| !hidden_from(c))
        .map(|c| wire::select(wire::channel(state, c), call.req.query("$select"), &[]))
        .collect();
    let view = call.view();
    Ok(Res::json(200, &wire::collection(&view, &format!("teams('{id}')/channels"), items, None)))
}

/// `GET /teams/{id}/channels/{id}`, `/primaryChannel`
pub(super) fn channel(call: &mut Call<'_>, team: &str, id: Option<&str>) -> Result<Res, Error> {
    call.need(&rights::CHANNELS, Some(&team_place(team)))?;
    let t = visible(call, &call.core.tenant, team)?;
    let id = id.map(str::to_owned).or_else(|| t.channels.first().cloned()).unwrap_or_default();
    call.limit("Channel", Some((&id, 1)), 30, None)?;
    let c = call.conversation(&id, Some(team))?;
    let view = call.view();
    let object = wire::select(wire::channel(&call.core.tenant, &c), call.req.query("$select"), &[]);
    Ok(Res::json(200, &wire::with_context(&view, &format!("teams('{team}')/channels/$entity"), object)))
}

/// `GET /teams/{id}/members`
pub(super) fn team_members(call: &mut Call<'_>, id: &str) -> Result<Res, Error> {
    call.limit("TeamMembers", Some((id, 4)), 60, None)?;
    call.need(&rights::TEAM_MEMBERS, Some(&team_place(id)))?;
    let state = &call.core.tenant;
    let t = visible(call, state, id)?;
    let items =
        t.members.iter().map(|oid| wire::member(state, None, id, oid, t.owners.contains(oid))).collect();
    paged(call, items, &format!("teams('{id}')/members"))
}

/// `GET /teams/{id}/channels/{id}/members`, `/allMembers`
pub(super) fn channel_members(call: &mut Call<'_>, team: &str, id: &str) -> Result<Res, Error> {
    call.limit("ChannelMembers", Some((id, 1)), 60, None)?;
    call.need(&rights::CHANNEL_MEMBERS, Some(&team_place(team)))?;
    let c = call.conversation(id, Some(team))?;
    let state = &call.core.tenant;
    let owners = state.teams.get(team).map(|t| t.owners.clone()).unwrap_or_default();
    let items =
        state.members(&c).iter().map(|m| wire::member(state, Some(&c), id, m, owners.contains(m))).collect();
    paged(call, items, &format!("teams('{team}')/channels('{}')/members", encode(id)))
}

/// `GET /chats/{id}/members`
pub(super) fn chat_members(call: &mut Call<'_>, id: &str) -> Result<Res, Error> {
    call.limit("ChatMembers", Some((id, 1)), 30, Some(1))?;
    let c = call.conversation(id, None)?;
    call.need_in(&rights::CHAT_MEMBERS, &c)?;
    let state = &call.core.tenant;
    let items = c.members.iter().map(|m| wire::member(state, Some(&c), id, m, true)).collect();
    paged(call, items, &format!("chats('{}')/members", encode(id)))
}

fn paged(call: &Call<'_>, items: Vec<Value>, context: &str) -> Result<Res, Error> {
    let size = top(call.req, 100, 999)?;
    let count = items.len() as u64;
    let keyed = items.into_iter().zip(0_u64..).map(|(v, n)| ((count - n, 0), v)).collect();
    let (items, next) = page(call.req, keyed, size)?;
    Ok(Res::json(200, &wire::collection(&call.view(), context, items, next)))
}

/// `GET /chats`, `/users/{id}/chats`
pub(super) fn chats(call: &mut Call<'_>, oid: Option<&str>) -> Result<Res, Error> {
    call.limit("Chats", None, 20, Some(1))?;
    call.need(&rights::CHATS, None)?;
    let owner = oid.map(str::to_owned).or_else(|| call.user().map(str::to_owned));
    let size = top(call.req, 20, 50)?;
    let state = &call.core.tenant;
    let seen = state
        .conversations
        .values()
        .filter(|c| !c.is_channel() && owner.as_ref().is_none_or(|o| c.members.contains(o)));
    let keyed = seen.zip(0_u64..).map(|(c, n)| ((c.updated, u64::MAX - n), c)).collect();
    let (items, next) = page(call.req, keyed, size)?;
    let members = call.req.query("$expand").is_some_and(|e| e.contains("members"));
    let items = items
        .into_iter()
        .map(|c| {
            let mut object = wire::chat(state, c);
            if members {
                object["members"] =
                    c.members.iter().map(|m| wire::member(state, Some(c), &c.id, m, true)).collect();
            }
            object
        })
        .collect();
    Ok(Res::json(200, &wire::collection(&call.view(), "chats", items, next)))
}

/// `GET /chats/{id}`
pub(super) fn chat(call: &mut Call<'_>, id: &str) -> Result<Res, Error> {
    call.limit("Chat", Some((id, 1)), 200, Some(5))?;
    let c = call.conversation(id, None)?;
    call.need_in(&rights::CHAT, &c)?;
    let state = &call.core.tenant;
    let mut object = wire::chat(state, &c);
    if call.req.query("$expand").is_some_and(|e| e.contains("members")) {
        object["members"] = c.members.iter().map(|m| wire::member(state, Some(&c), id, m, true)).collect();
    }
    Ok(Res::json(200, &wire::with_context(&call.view(), "chats/$entity", object)))
}

/// `POST /chats`: an existing one-to-one chat is returned, groups are always new.
pub(super) fn create_chat(call: &mut Call<'_>) -> Result<Res, Error> {
    call.limit("CreateChat", None, 20, None)?;
    call.need(&rights::CREATE_CHAT, None)?;
    let body = call.req.json().ok_or_else(|| bad("Unable to read JSON request payload."))?;
    let members: Vec<String> = body["members"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|m| m["user@odata.bind"].as_str())
        .filter_map(|b| b.split('\'').nth(1).or_else(|| b.rsplit('/').next()).map(str::to_owned))
        .collect();
    let unknown = members.iter().find(|m| !call.core.tenant.people.contains_key(*m));
    if let Some(unknown) = unknown {
        return Err(bad(format!("Invalid user identity '{unknown}' specified for member.")));
    }
    if call.user().is_some_and(|u| !members.iter().any(|m| m == u)) {
        return Err(bad("The caller must be a member of the chat."));
    }
    let kind = body["chatType"].as_str().unwrap_or("").to_owned();
    let id = match (kind.as_str(), members.as_slice()) {
        ("oneOnOne", [a, b]) => one_on_one(a, b),
        ("group", [_, _, ..]) => format!("19:{}@thread.v2", hex::encode(call.core.tenant.random::<16>())),
        _ => return Err(bad("Invalid chat type or number of members.")),
    };
    let now = call.req.now;
    let chats = &mut call.core.tenant.conversations;
    if !chats.contains_key(&id) {
        let topic = body["topic"].as_str().map(str::to_owned);
        let mut c = Conversation::new(&id, &kind, topic, now);
        c.members = members;
        chats.insert(id.clone(), c);
    }
    let state = &call.core.tenant;
    let object = state.conversations.get(&id).map(|c| wire::chat(state, c)).unwrap_or_default();
    Ok(Res::json(201, &wire::with_context(&call.view(), "chats/$entity", object)))
}

/// `PATCH /chats/{id}`: the topic.
pub(super) fn rename_chat(call: &mut Call<'_>, id: &str) -> Result<Res, Error> {
    let c = call.conversation(id, None)?;
    call.need_in(&rights::RENAME_CHAT, &c)?;
    let body = call.req.json().ok_or_else(|| bad("Unable to read JSON request payload."))?;
    if c.kind != "group" {
        return Err(bad("Only group chats have a topic."));
    }
    let topic = body["topic"].as_str().map(str::to_owned);
    if let Some(c) = call.core.tenant.conversations.get_mut(id) {
        c.name = topic;
    }
    let state = &call.core.tenant;
    let object = state.conversations.get(id).map(|c| wire::chat(state, c)).unwrap_or_default();
    Ok(Res::json(200, &wire::with_context(&call.view(), "chats/$entity", object)))
}

/// `POST /chats/{id}/markChatReadForUser`
pub(super) fn mark_read(call: &mut Call<'_>, id: &str) -> Result<Res, Error> {
    call.person()?;
    let c = call.conversation(id, None)?;
    call.need_in(&rights::CHANGE_CHAT, &c)?;
    Ok(Res::empty(204))
}

/// `GET /teams/{id}/permissionGrants`, `GET /chats/{id}/permissionGrants`
pub(super) fn grants(call: &mut Call<'_>, place: &Place) -> Result<Res, Error> {
    let rule = if matches!(place, Place::Team(_)) { rights::TEAM_GRANTS } else { rights::CHAT_GRANTS };
    call.need(&rule, Some(place))?;
    let mut items = Vec::new();
    for app in call.core.tenant.apps.keys() {
        for permission in call.core.tenant.grants(app, place) {
            items.push(json!({
                "id": opaque(&[app, &permission, "Application"]),
                "clientAppId": app,
                "resourceAppId": "00000003-0000-0000-c000-000000000000",
                "clientId": app,
                "permissionType": "Application",
                "permission": permission,
            }));
        }
    }
    Ok(Res::json(200, &wire::collection(&call.view(), "permissionGrants", items, None)))
}

/// `GET /users`
pub(super) fn users(call: &mut Call<'_>) -> Result<Res, Error> {
    call.need(&rights::USERS, None)?;
    let size = top(call.req, 100, 999)?;
    let search = call.req.query("$search").map(str::to_owned);
    if search.is_some() && call.req.header("consistencylevel") != Some("eventual") {
        return Err(error(
            400,
            "Request_UnsupportedQuery",
            "Request with $search query parameter only works through MSGraph with a special request header: \
             'ConsistencyLevel: eventual'",
        ));
    }
    let needle = search.map(|s| {
        s.trim_matches('"').split_once(':').map_or(s.as_str(), |(_, v)| v).trim_matches('"').to_lowercase()
    });
    let filter = call.req.query("$filter").map(str::to_owned);
    let state = &call.core.tenant;
    let fits = |name: &str, mail: &str, upn: &str| {
        let found = needle
            .as_ref()
            .is_none_or(|n| name.to_lowercase().contains(n) || mail.to_lowercase().contains(n));
        let wanted = filter.as_ref().and_then(|f| f.split('\'').nth(1)).map(str::to_lowercase);
        found && wanted.is_none_or(|w| [name, mail, upn].iter().any(|x| x.to_lowercase() == w))
    };
    let keyed = state
        .people
        .values()
        .zip(0_u64..)
        .filter(|(p, _)| fits(&p.name, p.mail.as_deref().unwrap_or(""), &p.upn))
        .filter_map(|(p, n)| Some(((u64::MAX - n, 0), wire::user(state, &p.id)?)))
        .collect();
    let (items, next) = page(call.req, keyed, size)?;
    let select = call.req.query("$select");
    let items = items.into_iter().map(|u| wire::select(u, select, &HIDDEN_USER)).collect();
    Ok(Res::json(200, &wire::collection(&call.view(), "users", items, next)))
}

fn person(call: &Call<'_>, id: &str) -> Result<String, Error> {
    let people = &call.core.tenant.people;
    let found = people.values().find(|p| p.id == id || p.upn.eq_ignore_ascii_case(id)).map(|p| p.id.clone());
    found.ok_or_else(|| {
        error(
            404,
            "Request_ResourceNotFound",
            format!("Resource '{id}' does not exist or one of its queried reference-property objects are not present."),
        )
    })
}

/// `GET /users/{id}`, `GET /me`
pub(super) fn user(call: &mut Call<'_>, id: &str) -> Result<Res, Error> {
    let own = call.user() == Some(id);
    call.need(if own { &rights::ME } else { &rights::USERS }, None)?;
    let oid = person(call, id)?;
    let object = wire::user(&call.core.tenant, &oid).unwrap_or_default();
    let object = wire::select(object, call.req.query("$select"), &HIDDEN_USER);
    Ok(Res::json(200, &wire::with_context(&call.view(), "users/$entity", object)))
}

/// `GET /users/{id}/photo`, `/photo/$value`, `/photos/{size}/$value`
pub(super) fn photo(call: &mut Call<'_>, id: &str, size: Option<&str>, value: bool) -> Result<Res, Error> {
    call.need(&rights::PHOTO, None)?;
    let oid = person(call, id)?;
    if !call.core.tenant.people.get(&oid).is_some_and(|p| p.photo) {
        return Err(error(
            404,
            "ImageNotFound",
            "Exception of type 'Microsoft.Fast.Profile.Core.Exception.ImageNotFoundException' was thrown.",
        ));
    }
    let side = match size {
        None => 240,
        Some(s) => {
            let side = s.split('x').next().and_then(|n| n.parse::<u32>().ok()).unwrap_or(0);
            let sizes = [48, 64, 96, 120, 240, 360, 432, 504, 648];
            if !sizes.contains(&side) || s != format!("{side}x{side}") {
                return Err(error(400, "ErrorInvalidImageId", "The specified photo size is not supported."));
            }
            side
        }
    };
    if value {
        return Ok(Res::bytes(200, "image/png", picture(&oid, side)));
    }
    let view = call.view();
    let object = json!({
        "@odata.mediaContentType": "image/png", "@odata.mediaEtag": format!("\"{}\"", &oid[..8]),
        "id": format!("{side}x{side}"), "width": side, "height": side,
    });
    Ok(Res::json(200, &wire::with_context(&view, &format!("users('{oid}')/photo/$entity"), object)))
}

/// A square of one colour that follows from the id, as PNG without compression (one bit per pixel).
fn picture(seed: &str, side: u32) -> Vec<u8> {
    let colour = super::super::ids::digest(&["photo", seed]);
    let row = 1 + side.div_ceil(8) as usize;
    let raw = vec![0_u8; row * side as usize];
    let mut zlib = vec![0x78, 0x01];
    let mut chunks = raw.chunks(0xffff).peekable();
    while let Some(chunk) = chunks.next() {
        let len = u16::try_from(chunk.len()).unwrap_or(u16::MAX);
        zlib.push(u8::from(chunks.peek().is_none()));
        zlib.extend(len.to_le_bytes());
        zlib.extend((!len).to_le_bytes());
        zlib.extend(chunk);
    }
    let (a, b) = raw.iter().fold((1_u32, 0_u32), |(a, b), x| {
        let a = (a + u32::from(*x)) % 65_521;
        (a, (b + a) % 65_521)
    });
    zlib.extend(((b << 16) | a).to_be_bytes());
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut header = Vec::new();
    header.extend(side.to_be_bytes());
    header.extend(side.to_be_bytes());
    header.extend([1, 3, 0, 0, 0]);
    for (name, data) in [
        (b"IHDR", header.as_slice()),
        (b"PLTE", &[colour[0] / 2 + 60, colour[1] / 2 + 60, colour[2] / 2 + 60, 255, 255, 255]),
        (b"IDAT", &zlib),
        (b"IEND", &[]),
    ] {
        let start = png.len();
        // Writing to a vector cannot fail.
        let _ = png.write_all(&u32::try_from(data.len()).unwrap_or(0).to_be_bytes());
        png.extend(name);
        png.extend(data);
        let crc = crc32(&png[start + 4..]);
        png.extend(crc.to_be_bytes());
    }
    png
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, b| {
        (0..8).fold(crc ^ u32::from(*b), |c, _| if c & 1 == 1 { (c >> 1) ^ 0xedb8_8320 } else { c >> 1 })
    })
}

/// `POST /communications/getPresencesByUserId`
pub(super) fn presences(call: &mut Call<'_>) -> Result<Res, Error> {
    call.need(&rights::PRESENCE, None)?;
    let body = call.req.json().ok_or_else(|| bad("Unable to read JSON request payload."))?;
    let ids: Vec<&str> = body["ids"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if ids.is_empty() || ids.len() > 650 {
        return Err(bad("ids must name 1 to 650 users."));
    }
    let known = |id: &str| call.core.tenant.people.contains_key(id);
    let items = ids
        .into_iter()
        .map(|id| {
            let (a, b) =
                if known(id) { ("Available", "Available") } else { ("PresenceUnknown", "PresenceUnknown") };
            json!({"id": id, "availability": a, "activity": b})
        })
        .collect();
    Ok(Res::json(200, &wire::collection(&call.view(), "Collection(microsoft.graph.presence)", items, None)))
}
