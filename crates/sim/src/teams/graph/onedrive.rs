//! People's own drives: where they are, the folder of what is sent to chats, and sharing.

use serde_json::{Value, json};

use super::super::drive::{CHAT_FILES, Folder, chat_folder, documents_of, drive_of};
use super::super::http::Res;
use super::super::rights;
use super::super::wire;
use super::call::{Call, Error, bad, error};
use super::files::{denied, missing, own, sites, taken};

/// A person who has a drive; guests have none in this tenant.
fn owner(call: &Call<'_>, oid: &str) -> Result<(), Error> {
    let person = call.core.tenant.people.get(oid).filter(|person| !person.guest);
    if person.is_none() {
        return Err(error(404, "ResourceNotFound", "User's mysite not found."));
    }
    // Without `.All` a person's token opens their own alone.
    let wide = ["Files.Read.All", "Files.ReadWrite.All", "Sites.Read.All", "Sites.ReadWrite.All"];
    match call.user() {
        Some(by) if by != oid && !wide.iter().any(|scope| call.access.scopes.contains(*scope)) => {
            Err(denied())
        }
        _ => Ok(()),
    }
}

/// `GET /users/{id}/drive`, `GET /me/drive`
pub(super) fn drive(call: &mut Call<'_>, oid: &str) -> Result<Res, Error> {
    call.need(&rights::FILES_READ, None)?;
    owner(call, oid)?;
    let name = call.core.tenant.people.get(oid).map(|person| person.name.clone());
    let object = json!({
        "id": drive_of(oid), "driveType": "business", "name": "OneDrive",
        "owner": {"user": {"id": oid, "displayName": name}},
        "webUrl": format!("{}{}", sites(call), documents_of(oid)),
    });
    Ok(Res::json(200, &wire::with_context(&call.view(), "drives/$entity", object)))
}

fn shown(call: &Call<'_>, place: &Folder, oid: &str) -> Value {
    json!({
        "id": place.id, "name": CHAT_FILES, "size": 0, "folder": {"childCount": 0},
        "createdBy": {"user": {"id": oid}},
        "webUrl": format!("{}{}", sites(call), place.path),
        "parentReference": {"driveId": place.drive, "driveType": "business"},
    })
}

/// `GET /users/{id}/drive/root:/{path}`: of the folders of a drive, only that of chats is simulated.
pub(super) fn folder(call: &mut Call<'_>, oid: &str, path: &str) -> Result<Res, Error> {
    call.need(&rights::FILES_READ, None)?;
    owner(call, oid)?;
    let place = chat_folder(oid);
    own(call, &place)?;
    if !path.trim_end_matches(':').eq_ignore_ascii_case(CHAT_FILES)
        || !call.core.drives.is_provisioned(&place)
    {
        return Err(missing());
    }
    let object = shown(call, &place, oid);
    Ok(Res::json(200, &wire::with_context(&call.view(), "driveItem", object)))
}

/// `POST /users/{id}/drive/root/children`: the folder of chats, which is not there before the first file.
pub(super) fn make(call: &mut Call<'_>, oid: &str) -> Result<Res, Error> {
    call.need(&rights::FILES_WRITE, None)?;
    owner(call, oid)?;
    let place = chat_folder(oid);
    own(call, &place)?;
    let body = call.req.json().ok_or_else(|| bad("Unable to read JSON request payload."))?;
    if body["name"] != CHAT_FILES || !body["folder"].is_object() {
        return Err(bad("The simulator makes the folder of chats and no other."));
    }
    if !call.core.drives.make(&place) {
        return Err(taken());
    }
    let object = shown(call, &place, oid);
    Ok(Res::json(201, &wire::with_context(&call.view(), "driveItem", object)))
}

/// `POST /drives/{id}/items/{id}/invite`: a permission for each recipient, or why there is none.
pub(super) fn invite(call: &mut Call<'_>, drive: &str, id: &str) -> Result<Res, Error> {
    call.need(&rights::FILES_WRITE, None)?;
    let item = call.core.drives.item(drive, id).cloned().ok_or_else(missing)?;
    own(call, &item.folder)?;
    let body = call.req.json().ok_or_else(|| bad("Unable to read JSON request payload."))?;
    let recipients = body["recipients"].as_array().filter(|list| !list.is_empty());
    let recipients = recipients.ok_or_else(|| bad("At least one recipient is needed."))?;
    let roles = body["roles"]
        .as_array()
        .filter(|roles| !roles.is_empty() && roles.iter().all(|role| role == "read" || role == "write"));
    let roles = roles.ok_or_else(|| bad("The roles of an invitation are read and write."))?;
    if body["requireSignIn"] != true && body["sendInvitation"] != true {
        return Err(bad("At least one of requireSignIn and sendInvitation must be true."));
    }
    let known = |recipient: &Value| {
        let people = &call.core.tenant.people;
        let oid = recipient["objectId"].as_str().filter(|oid| people.contains_key(*oid)).map(str::to_owned);
        let mail = recipient["email"].as_str();
        oid.or_else(|| {
            let named = |mail: &str| {
                people
                    .iter()
                    .find(|(_, it)| it.mail.as_deref().is_some_and(|its| its.eq_ignore_ascii_case(mail)))
            };
            mail.and_then(named).map(|(oid, _)| oid.clone())
        })
    };
    let mut admitted = Vec::new();
    let mut value = Vec::new();
    for recipient in recipients {
        let Some(oid) = known(recipient).filter(|oid| Some(oid.as_str()) != item.owner()) else {
            value.push(json!({"error": {
                "code": "notAllowed", "message": "The recipient cannot be given a permission.",
            }}));
            continue;
        };
        value.push(json!({"id": oid, "roles": roles, "grantedToV2": {"user": {"id": oid}}}));
        admitted.push(oid);
    }
    let status = if admitted.len() == recipients.len() { 200 } else { 207 };
    call.core.drives.invite(&item.id, admitted);
    Ok(Res::json(status, &wire::collection(&call.view(), "permission", value, None)))
}
