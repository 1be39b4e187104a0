//! Sending as a person: what the body may hold, at once or later.

use serde_json::{Value, json};

use crate::zoom::call::{Call, Reply};
use crate::zoom::desk::{Desk, from_iso, iso};
use crate::zoom::error::{ApiError, invalid, refuse};
use crate::zoom::messages::Draft;
use crate::zoom::state::{Author, Message, Scheduled};
use crate::zoom::text;

const MEMBERS: [&str; 10] = [
    "message",
    "to_channel",
    "to_contact",
    "reply_main_message_id",
    "at_items",
    "rich_text",
    "file_ids",
    "interactive_cards",
    "scheduled_time",
    "reply_main_message_timestamp",
];

/// `POST /chat/users/{userId}/messages`
pub(super) fn send(desk: &mut Desk<'_>, call: &Call) -> Reply {
    let user = call.acting(desk)?;
    call.object(desk, &MEMBERS)?;
    if let Some(time) = call.text("scheduled_time").filter(|time| !time.is_empty()) {
        return schedule(desk, call, &user, time);
    }
    let id = post_from(desk, &user, &call.body)?;
    Ok((201, json!({"id": desk.views().id(&id)})))
}

fn schedule(desk: &mut Desk<'_>, call: &Call, user: &str, time: &str) -> Reply {
    let at = from_iso(time).filter(|at| {
        let ahead = at - desk.now;
        ahead > 30 * 60_000 && ahead <= 180 * 86_400_000
    });
    let text = "Invalid parameter: send_time. The time requirement is more than 30 minutes from now and within 180 days.";
    let at = at.ok_or_else(|| refuse(400, 300, text))?;
    call.body_target(desk, user)?;
    let id = desk.world.uuid();
    let mut body = call.body.clone();
    if let Some(body) = body.as_object_mut() {
        body.remove("scheduled_time");
    }
    desk.later.push((id.clone(), at - desk.now));
    let waiting = Scheduled { id: id.clone(), user: user.to_owned(), body, at, created: desk.now };
    desk.state.scheduled.insert(id.clone(), waiting);
    Ok((201, json!({"id": id})))
}

/// Sends what a body says as a person.
///
/// # Errors
/// As the call refuses.
pub fn post_from(desk: &mut Desk<'_>, user: &str, body: &Value) -> Result<String, ApiError> {
    let room_id = desk.target(user, body["to_channel"].as_str(), body["to_contact"].as_str())?;
    let draft = draft(desk, user, &room_id, body)?;
    desk.may_send(user, &room_id)?;
    desk.post(&room_id, Author::Person(user.to_owned()), draft)
}

fn draft(desk: &Desk<'_>, user: &str, room_id: &str, body: &Value) -> Result<Draft, ApiError> {
    let files = file_ids(desk, user, &body["file_ids"])?;
    let cards = cards(&body["interactive_cards"])?;
    let text = match &body["message"] {
        Value::String(text) => text.clone(),
        Value::Null if !files.is_empty() || !cards.is_empty() => String::new(),
        _ => return Err(invalid("message")),
    };
    let bare = files.is_empty() || desk.config.doubts.files_need_text;
    if !desk.fits(&text) || (text.is_empty() && bare && cards.is_empty()) {
        return Err(invalid("message"));
    }
    let doubts = &desk.config.doubts;
    let room = desk.state.room(room_id)?;
    let mentions = if room.channel.is_some() {
        let find = |who: &str| desk.state.find(who).map(|person| person.id.clone());
        text::at_items(doubts, &text, &body["at_items"], find)?
    } else {
        Vec::new()
    };
    let root = match body["reply_main_message_id"].as_str().filter(|id| !id.is_empty()) {
        Some(id) => Some(desk.root(room, id)?),
        None => None,
    };
    let ranges = text::rich_text(doubts, &text, &body["rich_text"])?;
    Ok(Draft { text, ranges, mentions, files, root, cards, ..Draft::default() })
}

fn file_ids(desk: &Desk<'_>, user: &str, value: &Value) -> Result<Vec<String>, ApiError> {
    let ids = match value {
        Value::Null => return Ok(Vec::new()),
        Value::Array(ids) if ids.len() <= 6 => ids,
        _ => return Err(invalid("file_ids")),
    };
    let mut files = Vec::new();
    for id in ids {
        let id = id.as_str().ok_or_else(|| invalid("file_ids"))?;
        if desk.state.files.get(id).is_none_or(|file| file.deleted) {
            return Err(refuse(400, 5_301, "Message sending failed."));
        }
        files.push(id.to_owned());
    }
    if !files.is_empty() {
        desk.files_allowed(user)?;
    }
    Ok(files)
}

fn cards(value: &Value) -> Result<Vec<String>, ApiError> {
    let failed = || refuse(400, 5_405, "Failed to create interactive card.");
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Array(cards) if cards.len() <= 5 => cards
            .iter()
            .map(|card| {
                let text = card["card_json"].as_str().ok_or_else(failed)?;
                serde_json::from_str::<Value>(text).map_err(|_| failed())?;
                Ok(text.to_owned())
            })
            .collect(),
        _ => Err(invalid("interactive_cards")),
    }
}

/// The cards of an edit: kept ones by `card_id`, new ones by `card_json`.
///
/// # Errors
/// When a card does not exist or is no JSON text.
pub(super) fn changed_cards(
    desk: &Desk<'_>,
    message: &Message,
    value: &Value,
) -> Result<Vec<(String, String)>, ApiError> {
    let items =
        value.as_array().filter(|items| items.len() <= 5).ok_or_else(|| invalid("interactive_cards"))?;
    let mut cards = Vec::new();
    for item in items {
        if let Some(id) = item["card_id"].as_str() {
            let known = message.cards.iter().find(|(known, _)| known == id);
            let gone = || refuse(400, 5_046, format!("Interactive Cards does not exist: {id}."));
            cards.push(known.cloned().ok_or_else(gone)?);
        } else {
            let text = item["card_json"].as_str().filter(|text| serde_json::from_str::<Value>(text).is_ok());
            let text = text.ok_or_else(|| refuse(400, 5_045, "Failed to create interactive card."))?;
            cards.push((desk.world.alnum(22), text.to_owned()));
        }
    }
    Ok(cards)
}

/// `GET /chat/messages/schedule`
pub(super) fn scheduled(desk: &mut Desk<'_>, call: &Call) -> Reply {
    let user = call.token.user.clone();
    let (channel, contact) = (call.query("to_channel"), call.query("to_contact"));
    let size = call.page_size(10, 50)?;
    let items: Vec<Value> = desk
        .state
        .scheduled
        .values()
        .filter(|draft| draft.user == user)
        .filter(|draft| channel.is_none_or(|id| draft.body["to_channel"] == id))
        .filter(|draft| contact.is_none_or(|who| draft.body["to_contact"] == who))
        .take(size)
        .map(|draft| {
            json!({"draft_id": draft.id, "message": draft.body["message"], "scheduled_time": iso(draft.at),
                "create_date": iso(draft.created)})
        })
        .collect();
    Ok((
        200,
        json!({"messages": items, "next_page_token": "", "page_size": size,
        "to_channel": channel.unwrap_or_default(), "to_contact": contact.unwrap_or_default()}),
    ))
}

/// `DELETE /chat/messages/schedule/{draftId}`
pub(super) fn unschedule(desk: &mut Desk<'_>, call: &Call) -> Reply {
    let id = &call.path[0];
    if desk.state.scheduled.get(id).is_none_or(|draft| draft.user != call.token.user) {
        return Err(refuse(400, 5_404, format!("Draft does not exist: {id}.")));
    }
    desk.state.scheduled.shift_remove(id);
    Ok((204, Value::Null))
}
