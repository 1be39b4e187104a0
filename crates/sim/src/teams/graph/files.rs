//! Files: the folder of a channel, uploads, and what links in messages lead to.

use base64::Engine as _;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::super::drive::{
    Conflict, Folder, Item, Maker, SIMPLE_MAX, Whose, bad_name, chat_folder, drive_of, folder, media_type,
};
use super::super::http::Res;
use super::super::ids::{encode, iso};
use super::super::model::Place;
use super::super::rights;
use super::super::wire;
use super::call::{Call, Error, bad, error};
use crate::core::blob::Blob;

pub(super) fn missing() -> Error {
    error(404, "itemNotFound", "The resource could not be found.")
}

pub(super) fn denied() -> Error {
    error(403, "accessDenied", "Access denied")
}

/// Scheme and host of the tenant's sites.
pub(super) fn sites(call: &Call<'_>) -> String {
    call.core.tenant.config.site_host.clone().unwrap_or_else(|| call.req.origin.clone())
}

fn shown(call: &Call<'_>, item: &Item) -> Value {
    let folder = &item.folder;
    let kind = if item.owner().is_some() { "business" } else { "documentLibrary" };
    json!({
        "id": item.id, "name": item.name, "size": item.blob.size(),
        "eTag": format!("\"{{{}}},1\"", item.guid), "cTag": format!("\"c:{{{}}},1\"", item.guid),
        "createdBy": item.by.shown(), "createdDateTime": iso(call.req.now), "lastModifiedDateTime": iso(call.req.now),
        "webUrl": format!("{}{}", sites(call), item.path()),
        "file": {"mimeType": media_type(&item.name)},
        "parentReference": {"driveId": folder.drive, "driveType": kind, "id": folder.id},
    })
}

/// `GET /teams/{id}/channels/{id}/filesFolder`
pub(super) fn files_folder(call: &mut Call<'_>, team: &str, channel: &str) -> Result<Res, Error> {
    call.need(&rights::FILES_FOLDER, Some(&Place::Team(team.to_owned())))?;
    let c = call.conversation(channel, Some(team))?;
    let place = folder(&c, "");
    if call.core.tenant.config.doubts.files_folder_late && !call.core.drives.is_provisioned(&place) {
        return Err(error(
            404,
            "NotFound",
            "Folder location for this channel is not ready yet, please try again later.",
        ));
    }
    let object = json!({
        "id": place.id, "name": c.name, "size": 0, "folder": {"childCount": 0},
        "webUrl": format!("{}{}", sites(call), place.path),
        "parentReference": {"driveId": place.drive, "driveType": "documentLibrary"},
    });
    let context = format!("teams('{team}')/channels('{}')/filesFolder/$entity", encode(channel));
    Ok(Res::json(200, &wire::with_context(&call.view(), &context, object)))
}

/// The folder of a drive, where the caller may write.
fn place(call: &Call<'_>, drive: &str, id: &str) -> Result<Folder, Error> {
    let state = &call.core.tenant;
    let channels = state.conversations.values().filter(|c| c.is_channel()).map(|c| folder(c, ""));
    let people = state.people.keys().filter(|oid| drive_of(oid) == drive).map(|oid| chat_folder(oid));
    let found = channels
        .chain(people.filter(|it| call.core.drives.is_provisioned(it)))
        .find(|it| it.drive == drive && it.id == id);
    let found = found.ok_or_else(missing)?;
    own(call, &found)?;
    Ok(found)
}

/// Whether a caller may change what is in a folder.
pub(super) fn own(call: &Call<'_>, folder: &Folder) -> Result<(), Error> {
    let state = &call.core.tenant;
    let may = match (call.user(), &folder.whose) {
        (None, _) => true,
        (Some(oid), Whose::Channel(id)) => state.conversations.get(id).is_some_and(|c| state.sees(oid, c)),
        (Some(oid), Whose::Person(owner)) => oid == owner,
    };
    if may { Ok(()) } else { Err(denied()) }
}

/// Who is to be called the maker of a file.
fn maker(call: &Call<'_>) -> Maker {
    Maker { person: call.user().map(str::to_owned), app: Some(call.access.app.clone()) }
}

/// What follows `items/` in `{folder}:/{name}:`.
fn target(call: &Call<'_>, drive: &str, folder: &str, name: &str) -> Result<(Folder, String), Error> {
    let id = folder.strip_suffix(':').ok_or_else(|| bad("Resource not found for the segment."))?;
    let name = name.strip_suffix(':').ok_or_else(|| bad("Resource not found for the segment."))?;
    if bad_name(name) {
        return Err(error(400, "invalidRequest", "The provided name cannot be the name of a file."));
    }
    Ok((place(call, drive, id)?, name.to_owned()))
}

pub(super) fn taken() -> Error {
    error(409, "nameAlreadyExists", "An item with the same name already exists under the parent")
}

/// `PUT /drives/{id}/items/{folder}:/{name}:/content`
pub(super) fn put(call: &mut Call<'_>, drive: &str, folder: &str, name: &str) -> Result<Res, Error> {
    call.need(&rights::FILES_WRITE, None)?;
    let (folder, name) = target(call, drive, folder, name)?;
    let behaviour = call.req.query("@microsoft.graph.conflictBehavior").unwrap_or("replace");
    let conflict = Conflict::parse(behaviour).ok_or_else(|| bad("Invalid conflictBehavior."))?;
    if call.req.body.len() as u64 > SIMPLE_MAX {
        return Err(error(413, "requestEntityTooLarge", "The request is too large."));
    }
    let blob = Blob::from(&call.req.body[..]);
    let by = maker(call);
    let (item, new) = call.core.drives.put(&folder, &name, by, blob, conflict).ok_or_else(taken)?;
    Ok(Res::json(if new { 201 } else { 200 }, &shown(call, &item)))
}

/// `POST /drives/{id}/items/{folder}:/{name}:/createUploadSession`
pub(super) fn session(call: &mut Call<'_>, drive: &str, folder: &str, name: &str) -> Result<Res, Error> {
    call.need(&rights::FILES_WRITE, None)?;
    let (folder, name) = target(call, drive, folder, name)?;
    let body = if call.req.body.is_empty() {
        json!({})
    } else {
        call.req.json().ok_or_else(|| bad("Unable to read JSON request payload."))?
    };
    let behaviour = body["item"]["@microsoft.graph.conflictBehavior"].as_str().unwrap_or("fail");
    let conflict = Conflict::parse(behaviour).ok_or_else(|| bad("Invalid conflictBehavior."))?;
    let (now, by) = (call.req.now, maker(call));
    let key = call.core.drives.open(&folder, &name, by, conflict, now);
    let expires = call.core.drives.session(&key, now).map_or(now, |session| session.expires);
    let object = json!({
        "uploadUrl": format!("{}/_api/upload/{key}", sites(call)),
        "expirationDateTime": iso(expires),
        "nextExpectedRanges": ["0-"],
    });
    Ok(Res::json(200, &wire::with_context(&call.view(), "uploadSession", object)))
}

/// Whether a caller may see a file: its folder is theirs, or it is shared with them.
fn readable(call: &Call<'_>, item: &Item) -> Result<(), Error> {
    let shared = call.user().is_some_and(|oid| item.shared.contains(oid));
    if shared { Ok(()) } else { own(call, &item.folder) }
}

/// `GET /drives/{id}/items/{id}`, `…/content`
pub(super) fn item(call: &mut Call<'_>, drive: &str, id: &str, content: bool) -> Result<Res, Error> {
    call.need(&rights::FILES_READ, None)?;
    let item = call.core.drives.item(drive, id).cloned().ok_or_else(missing)?;
    answer(call, &item, content)
}

/// `DELETE /drives/{id}/items/{id}`
pub(super) fn delete(call: &mut Call<'_>, drive: &str, id: &str) -> Result<Res, Error> {
    call.need(&rights::FILES_WRITE, None)?;
    let item = call.core.drives.item(drive, id).cloned().ok_or_else(missing)?;
    own(call, &item.folder)?;
    call.core.drives.delete(drive, id);
    Ok(Res::empty(204))
}

/// `GET /shares/{u!address}/driveItem`, `…/content`
pub(super) fn shared(call: &mut Call<'_>, encoded: &str, content: bool) -> Result<Res, Error> {
    call.need(&rights::FILES_READ, None)?;
    let malformed = || error(400, "invalidRequest", "The sharing token is malformed.");
    let encoded = encoded.strip_prefix("u!").ok_or_else(malformed)?;
    let bytes =
        URL_SAFE_NO_PAD.decode(encoded).or_else(|_| URL_SAFE.decode(encoded)).map_err(|_| malformed())?;
    let text = String::from_utf8(bytes).map_err(|_| malformed())?;
    let url = url::Url::parse(&text).map_err(|_| malformed())?;
    let item = call.core.drives.by_path(url.path()).cloned();
    let item = item.ok_or_else(|| {
        error(
            404,
            "itemNotFound",
            "The sharing link no longer exists, or you do not have permission to access it.",
        )
    })?;
    answer(call, &item, content)
}

fn answer(call: &mut Call<'_>, item: &Item, content: bool) -> Result<Res, Error> {
    readable(call, item)?;
    if content {
        let now = call.req.now;
        let key = call.core.drives.address(&item.id, now);
        return Ok(Res::redirect(format!("{}/_api/download/{key}", sites(call))));
    }
    Ok(Res::json(200, &wire::with_context(&call.view(), "driveItem", shown(call, item))))
}
