//! `/messages`.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method};
use serde_json::Value;

use super::super::body::Upload;
use super::super::desk::{Desk, Draft};
use super::super::dispatch::{ApiResult, Caller, Reply};
use super::super::engine::Engine;
use super::super::error::{ApiError, bad_id, forbidden, not_found, refuse};
use super::super::ids;
use super::super::state::{Content, Message, Room, RoomKind, Scan, millis};
use super::{person_of, room_of, sees_all};
use crate::core::Blob;

const CARD: &str = "application/vnd.microsoft.card.adaptive";

/// Files that were fetched from the addresses in a post.
pub type Fetched = Vec<Upload>;

/// Fetches the files that a post names by address.
pub async fn fetch_files(
    engine: &Arc<Engine>,
    method: &Method,
    path: &[String],
    caller: &Caller,
) -> Result<Fetched, ApiError> {
    if *method != Method::POST || path != ["messages"] {
        return Ok(Vec::new());
    }
    let urls: Vec<String> =
        caller.fields.list("files").iter().filter_map(Value::as_str).map(str::to_owned).collect();
    if urls.len() > 1 {
        return Err(too_many_files());
    }
    let mut files = Vec::new();
    for url in urls {
        let answer = engine
            .client
            .request(Method::GET, &url, HeaderMap::new(), Bytes::new(), Duration::from_secs(30))
            .await
            .ok()
            .filter(|answer| answer.status.is_success())
            .ok_or_else(|| refuse(400, "Unable to retrieve content from the provided URL."))?;
        let content_type = answer
            .headers
            .get(http::header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or("application/octet-stream")
            .to_owned();
        let name = url.split(['?', '#']).next().and_then(|url| url.rsplit('/').next()).unwrap_or("file");
        let size = answer.body.len() as u64;
        files.push(Upload { name: name.to_owned(), content_type, bytes: Blob::from(&answer.body[..]), size });
    }
    Ok(files)
}

fn too_many_files() -> ApiError {
    refuse(400, "Only one file can be attached to a message.")
}

fn too_big() -> ApiError {
    refuse(400, "Unable to post message to room: \"The request payload is too big\"")
}

fn short_enough(desk: &Desk<'_>, parts: [&Option<String>; 2]) -> Result<(), ApiError> {
    let most = desk.config.limits.text_bytes;
    if parts.into_iter().flatten().any(|part| part.len() > most) { Err(too_big()) } else { Ok(()) }
}

/// `POST /messages`.
pub(super) fn create(desk: &mut Desk<'_>, caller: &Caller, fetched: Fetched) -> ApiResult {
    caller.needs("spark:messages_write")?;
    let fields = &caller.fields;
    let (room_id, to_id, to_email) =
        (fields.text("roomId"), fields.text("toPersonId"), fields.text("toPersonEmail"));
    if [&room_id, &to_id, &to_email].iter().filter(|given| given.is_some()).count() != 1 {
        return Err(refuse(
            400,
            "Exactly one of the destination fields must not be empty (roomId, toPersonEmail, toPersonId)",
        ));
    }
    let (text, markdown) = (fields.text("text"), fields.text("markdown"));
    let cards = fields.list("attachments");
    let uploads: Vec<Upload> = fetched
        .into_iter()
        .chain(fields.uploads.iter().filter(|(part, _)| part == "files").map(|(_, file)| file.clone()))
        .collect();
    if text.is_none() && markdown.is_none() && cards.is_empty() && uploads.is_empty() {
        return Err(refuse(400, "Both text and file cannot be empty."));
    }
    if uploads.len() > 1 {
        return Err(too_many_files());
    }
    if !cards.is_empty() && !uploads.is_empty() {
        return Err(refuse(400, "Files and attachments cannot be combined in one message."));
    }
    check_cards(&cards)?;
    short_enough(desk, [&text, &markdown])?;
    let most = u64::try_from(desk.config.limits.file_bytes).unwrap_or(u64::MAX);
    if uploads.iter().any(|file| file.size > most) {
        return Err(refuse(400, "The file is too big."));
    }
    let me = caller.person.uuid.clone();
    let room = if let Some(id) = room_id {
        let room = room_of(desk, caller, &id, "")?;
        room.uuid.clone()
    } else {
        let other = match (to_id, to_email) {
            (Some(id), _) => person_of(desk, &id)?,
            (None, email) => {
                let email = email.unwrap_or_default();
                let known = desk.state.by_email(&email).map(|person| person.uuid.clone());
                known.ok_or_else(|| not_found("person"))?
            }
        };
        desk.direct(&me, &other)?
    };
    let parent = match fields.text("parentId") {
        None => None,
        Some(id) => {
            let named = ids::read("MESSAGE", &id).ok_or_else(bad_id)?;
            // In another region it is nobody's parent.
            let here = desk.state.room(&room).is_ok_and(|room| named.is_in(&room.cluster));
            Some(if here { named.key } else { String::new() })
        }
    };
    let clean_from = desk.now + millis(desk.config.timing.scan);
    let mut draft = Draft {
        parent,
        attachments: cards,
        files: uploads
            .into_iter()
            .map(|file| Content {
                name: file.name,
                content_type: file.content_type,
                bytes: file.bytes,
                scan: Scan::CleanFrom(clean_from),
            })
            .collect(),
        via: desk
            .config
            .integrations
            .iter()
            .find(|integration| integration.client_id == caller.token.client)
            .map(|integration| integration.name.clone()),
        ..Draft::default()
    };
    desk.compose(&mut draft, text, markdown);
    let uuid = desk.post(&me, &room, draft)?;
    let room = desk.state.room(&room)?;
    let message = room.message(&uuid).ok_or_else(|| not_found("message"))?;
    Ok(Reply::Ok(desk.views().message(room, message)))
}

fn check_cards(cards: &[Value]) -> Result<(), ApiError> {
    if cards.len() > 1 {
        return Err(refuse(400, "Only one card can be attached to a message."));
    }
    for card in cards {
        let version = card["content"]["version"].as_str().unwrap_or("1.0");
        let supported = matches!(version, "1.0" | "1.1" | "1.2" | "1.3");
        if card["contentType"] != CARD || card["content"]["type"] != "AdaptiveCard" || !supported {
            return Err(refuse(400, "Unable to post message: the card is not a supported Adaptive Card."));
        }
    }
    Ok(())
}

/// Whether a bot may read a message of a group space.
fn open_to_bot(desk: &Desk<'_>, caller: &Caller, room: &Room, message: &Message) -> bool {
    let me = &caller.person.uuid;
    !caller.is_bot()
        || room.kind == RoomKind::Direct
        || message.author == *me
        || message.mentioned.contains(me)
        || (message.mentions_all && desk.config.doubts.bots_receive_all)
}

/// UUIDs of space and message, where the caller may read it.
fn reachable(desk: &Desk<'_>, caller: &Caller, id: &str) -> Result<(String, String), ApiError> {
    let named = ids::read("MESSAGE", id).ok_or_else(bad_id)?;
    let missing = || not_found("message");
    let room =
        desk.state.room_of(&named.key).filter(|room| named.is_in(&room.cluster)).ok_or_else(missing)?;
    let message = room.messages.get(&named.key).ok_or_else(missing)?;
    let officer = sees_all(desk, caller, room, "spark-compliance:messages_read");
    if !officer && (message.deleted || !room.has(&caller.person.uuid)) || message.purged {
        return Err(missing());
    }
    if !open_to_bot(desk, caller, room, message) {
        return Err(if desk.config.doubts.bot_get_forbidden { forbidden() } else { missing() });
    }
    Ok((room.uuid.clone(), message.uuid.clone()))
}

fn shown(desk: &Desk<'_>, (room, message): (&str, &str)) -> ApiResult {
    let room = desk.state.room(room)?;
    let message = room.messages.get(message).ok_or_else(|| not_found("message"))?;
    Ok(Reply::Ok(desk.views().message(room, message)))
}

/// `GET /messages/{id}`.
pub(super) fn get(desk: &mut Desk<'_>, caller: &Caller, id: &str) -> ApiResult {
    if !caller.complies("spark-compliance:messages_read") {
        caller.needs("spark:messages_read")?;
    }
    let (room, message) = reachable(desk, caller, id)?;
    if desk.config.doubts.first_get_missing {
        let own = desk.state.room(&room)?.messages[&message].author == caller.person.uuid;
        let asked = (caller.person.uuid.clone(), message.clone());
        if !own && desk.state.asked.insert(asked) {
            return Err(not_found("message"));
        }
    }
    shown(desk, (&room, &message))
}

/// `GET /messages`.
pub(super) fn list(desk: &mut Desk<'_>, caller: &Caller) -> ApiResult {
    let officer = caller.complies("spark-compliance:messages_read");
    if !officer {
        caller.needs("spark:messages_read")?;
    }
    let id = caller
        .query("roomId")
        .ok_or_else(|| refuse(400, "Required String parameter 'roomId' is not present"))?;
    let room = room_of(desk, caller, id, "spark-compliance:messages_read")?;
    let mentioned = match caller.query("mentionedPeople") {
        None => None,
        Some("me") => Some(caller.person.uuid.clone()),
        Some(id) => match ids::read("PEOPLE", id) {
            Some(named) if named.key == caller.person.uuid => Some(named.key),
            _ => return Err(refuse(400, "mentionedPeople only accepts 'me' or your own id.")),
        },
    };
    if caller.is_bot() && room.kind == RoomKind::Group && mentioned.is_none() {
        return Err(forbidden());
    }
    let doubts = &desk.config.doubts;
    let cap = if mentioned.is_some() { 100 } else { 1_000 };
    let max = match caller.query("max").map(str::parse::<usize>) {
        None => 50,
        Some(Ok(max)) if max > 0 && (max <= cap || !doubts.large_max_refused) => max.min(cap),
        Some(_) => return Err(refuse(400, "The max parameter is out of range.")),
    };
    let parent = match caller.query("parentId") {
        None => None,
        Some(id) => Some(ids::read("MESSAGE", id).ok_or_else(bad_id)?.key),
    };
    let before = match caller.query("before") {
        None => None,
        Some(text) => Some(ids::parse_iso(text).ok_or_else(|| refuse(400, "before is not a valid date."))?),
    };
    let before_message = match caller.query("beforeMessage") {
        None => None,
        Some(id) => {
            let named = ids::read("MESSAGE", id).ok_or_else(bad_id)?;
            let at = room.messages.get_index_of(&named.key).filter(|_| named.is_in(&room.cluster));
            Some(at.ok_or_else(|| not_found("message"))?)
        }
    };
    let next = |message: &str| {
        let mut query: Vec<(String, String)> =
            caller.query.iter().filter(|(name, _)| name != "beforeMessage").cloned().collect();
        query.push(("beforeMessage".to_owned(), room.message_id(message)));
        Some(query)
    };
    let limit = before_message.unwrap_or(room.messages.len());
    let mut left =
        room.messages.values().take(limit).rev().filter(|message| !message.deleted).filter(|one| {
            parent.as_ref().is_none_or(|parent| one.parent.as_ref() == Some(parent))
                && mentioned.as_ref().is_none_or(|me| one.mentioned.contains(me))
                && before.is_none_or(|before| one.created < before)
        });
    if doubts.empty_first_page && before_message.is_none() {
        // Everything is still to come: the page after the newest message of all.
        let mut query = caller.query.clone();
        if !query.iter().any(|(name, value)| name == "cursor" && value == "start") {
            query.push(("cursor".to_owned(), "start".to_owned()));
            return Ok(Reply::Page(Vec::new(), Some(query)));
        }
    }
    let page: Vec<&Message> = left.by_ref().take(max).collect();
    let more = left.next().is_some();
    let views = desk.views();
    let items = page.iter().map(|message| views.message(room, message)).collect();
    let link = page.last().filter(|_| more).and_then(|last| next(&last.uuid));
    Ok(Reply::Page(items, link))
}

/// `GET /messages/direct`: no pages.
pub(super) fn list_direct(desk: &mut Desk<'_>, caller: &Caller) -> ApiResult {
    caller.needs("spark:messages_read")?;
    let other = match (caller.query("personId"), caller.query("personEmail")) {
        (Some(id), _) => person_of(desk, id)?,
        (None, Some(email)) => {
            desk.state.by_email(email).map(|person| person.uuid.clone()).ok_or_else(|| not_found("person"))?
        }
        (None, None) => return Err(refuse(400, "Must specify either personId or personEmail.")),
    };
    let parent = caller.query("parentId").and_then(|id| ids::read("MESSAGE", id)).map(|named| named.key);
    let me = &caller.person.uuid;
    let room = desk
        .state
        .rooms
        .values()
        .find(|room| room.kind == RoomKind::Direct && room.has(me) && room.has(&other))
        .ok_or_else(|| not_found("room"))?;
    let views = desk.views();
    let items = room
        .messages
        .values()
        .rev()
        .filter(|message| !message.deleted)
        .filter(|message| parent.is_none() || message.parent == parent)
        .take(1_000)
        .map(|message| views.message(room, message))
        .collect();
    Ok(Reply::Page(items, None))
}

/// `PUT /messages/{id}`.
pub(super) fn update(desk: &mut Desk<'_>, caller: &Caller, id: &str) -> ApiResult {
    caller.needs("spark:messages_write")?;
    let fields = &caller.fields;
    let (room, uuid) = reachable(desk, caller, id)?;
    let given = fields.text("roomId").ok_or_else(|| refuse(400, "roomId cannot be empty"))?;
    let named = ids::read("ROOM", &given).ok_or_else(bad_id)?;
    if named.key != room || !named.is_in(&desk.state.room(&room)?.cluster) {
        return Err(refuse(400, "The message is not in the room with the provided ID."));
    }
    if fields.values.contains_key("html") {
        return Err(refuse(400, "html cannot be changed."));
    }
    if !fields.uploads.is_empty()
        || !fields.list("files").is_empty()
        || !fields.list("attachments").is_empty()
    {
        return Err(refuse(400, "Editing a message with files or attachments is not supported."));
    }
    if desk.state.room(&room)?.messages[&uuid].author != caller.person.uuid {
        return Err(refuse(403, "Only the author of a message can edit it."));
    }
    let (text, markdown) = (fields.text("text"), fields.text("markdown"));
    if text.is_none() && markdown.is_none() {
        return Err(refuse(400, "Both text and file cannot be empty."));
    }
    short_enough(desk, [&text, &markdown])?;
    let mut draft = Draft::default();
    desk.compose(&mut draft, text, markdown);
    desk.edit(&room, &uuid, draft)?;
    shown(desk, (&room, &uuid))
}

/// `DELETE /messages/{id}`.
pub(super) fn delete(desk: &mut Desk<'_>, caller: &Caller, id: &str) -> ApiResult {
    let officer = caller.complies("spark-compliance:messages_write");
    if !officer {
        caller.needs("spark:messages_write")?;
    }
    let (room, uuid) = reachable(desk, caller, id)?;
    let me = &caller.person.uuid;
    let place = desk.state.room(&room)?;
    let message = &place.messages[&uuid];
    if message.deleted {
        return Err(refuse(410, "The message was already deleted."));
    }
    if message.author != *me && !(place.locked && place.moderated_by(me)) && !officer {
        return Err(refuse(403, "Unable to delete message."));
    }
    desk.delete(&room, &uuid, me)?;
    Ok(Reply::Empty)
}
