//! The chatbot way.

use serde_json::{Value, json};

use crate::zoom::call::{Call, Reply};
use crate::zoom::config::SeedApp;
use crate::zoom::desk::Desk;
use crate::zoom::error::{ApiError, refuse};
use crate::zoom::messages::Draft;
use crate::zoom::state::Author;

const MOST_TEXT: usize = 4_096;

fn incomplete() -> ApiError {
    refuse(400, 7_001, "Body does not contain required fields or invalid body.")
}

fn not_authorized(status: u16) -> ApiError {
    let mut error = refuse(status, 7_004, "Not authorized.");
    error.extra.insert("result".to_owned(), json!(false));
    error
}

fn no_such_message() -> ApiError {
    refuse(404, 8_001, "Invalid message_id.")
}

/// The app of the token, when the bot that is named is its own.
fn app(desk: &Desk<'_>, call: &Call, robot: &str) -> Result<SeedApp, ApiError> {
    if !robot.starts_with("v1") || !robot.contains('@') {
        return Err(refuse(404, 7_002, "Invalid robot_jid."));
    }
    let app =
        desk.state.app_of_robot(robot).ok_or_else(|| refuse(403, 7_003, "The robot does not exist."))?;
    if app.seed.app_id != call.token.app_id {
        return Err(refuse(403, 7_003, "The robot does not exist."));
    }
    Ok(app.seed.clone())
}

/// Text lengths, the number of buttons, and `style` beside markup.
fn check(content: &Value, markdown: bool) -> Result<(), ApiError> {
    let content = content.as_object().ok_or_else(incomplete)?;
    let long = |value: &Value, most: usize| value.as_str().is_some_and(|text| text.chars().count() > most);
    let head = content.get("head").cloned().unwrap_or_default();
    let body = match content.get("body") {
        None => Vec::new(),
        Some(Value::Array(blocks)) => blocks.clone(),
        Some(_) => return Err(incomplete()),
    };
    if content.get("head").is_none() && body.is_empty() {
        return Err(incomplete());
    }
    let styled = |value: &Value| markdown && value.get("style").is_some();
    if long(&head["text"], MOST_TEXT) || styled(&head) || styled(&head["sub_head"]) {
        return Err(incomplete());
    }
    for block in &body {
        let kind = block["type"].as_str().ok_or_else(incomplete)?;
        let items = block["items"].as_array().cloned().unwrap_or_default();
        let wrong = match kind {
            "message" => !block["text"].is_string() || long(&block["text"], MOST_TEXT) || styled(block),
            "actions" => items.len() > 5 || items.iter().any(|item| long(&item["text"], 40)),
            "fields" => items.iter().any(|item| long(&item["key"], 256) || long(&item["value"], 256)),
            "section" => match block["sections"].as_array() {
                None => true,
                Some(sections) => {
                    sections.iter().any(|inner| styled(inner) || long(&inner["text"], MOST_TEXT))
                }
            },
            "select" | "attachments" | "dropdown" | "divider" | "plain_text_input" | "progress_bar" => false,
            _ => true,
        };
        if wrong {
            return Err(incomplete());
        }
    }
    Ok(())
}

/// The words of a bot's message, for clients that show nothing else.
fn words(content: &Value) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut add = |value: &Value| {
        if let Some(text) = value.as_str().filter(|text| !text.is_empty()) {
            lines.push(text.to_owned());
        }
    };
    add(&content["head"]["text"]);
    for block in content["body"].as_array().into_iter().flatten() {
        add(&block["text"]);
        for inner in block["sections"].as_array().into_iter().flatten() {
            add(&inner["text"]);
        }
    }
    lines.join("\n")
}

fn sent(desk: &Desk<'_>, call: &Call, id: &str, to: &str, zone: bool) -> Value {
    let stamp =
        crate::zoom::desk::iso(desk.now).replace('T', " ").replace('Z', if zone { " +0000" } else { "" });
    let given = |key: &str| call.text(key).or_else(|| call.query(key)).unwrap_or_default().to_owned();
    json!({"message_id": id, "robot_jid": given("robot_jid"), "to_jid": to, "sent_time": stamp,
        "user_jid": given("user_jid")})
}

/// `POST /im/chat/messages`
pub(super) fn send(desk: &mut Desk<'_>, call: &Call) -> Reply {
    let need = |key: &str| call.text(key).filter(|text| !text.is_empty()).ok_or_else(incomplete);
    let (robot, to) = (need("robot_jid")?, need("to_jid")?.to_owned());
    let (account, user_jid) = (need("account_id")?, need("user_jid")?);
    let markdown = call.body["is_markdown_support"] == true;
    check(&call.body["content"], markdown)?;
    let app = app(desk, call, robot)?;
    if !desk.state.is_installed(&app.app_id, account) || desk.state.find(user_jid).is_err() {
        return Err(not_authorized(403));
    }
    let room_id = if let Some(id) = to.strip_suffix("@conference.xmpp.zoom.us") {
        let (_, info) = desk.state.channel(id).map_err(|_| not_authorized(403))?;
        // The bot must have been added, and the channel must be the customer's own.
        if info.account != account || !info.bots.contains(&app.app_id) {
            return Err(not_authorized(403));
        }
        if info.archived {
            return Err(not_authorized(403));
        }
        id.to_owned()
    } else {
        let person = desk.state.find(&to).map_err(|_| not_authorized(403))?;
        if person.account != account {
            return Err(not_authorized(403));
        }
        let user = person.id.clone();
        desk.state.direct_with_bot(&user, &app.app_id, robot)
    };
    let root = match call.text("reply_to").filter(|id| !id.is_empty()) {
        Some(id) => {
            let room = desk.state.room(&room_id)?;
            Some(desk.root(room, id).map_err(|_| no_such_message())?)
        }
        None => None,
    };
    let visible_to = match call.text("visible_to_user") {
        Some(who) => Some(desk.state.find(who).map_err(|_| not_authorized(403))?.id.clone()),
        None => None,
    };
    let content = call.body["content"].clone();
    let draft = Draft {
        text: words(&content),
        content: Some(content),
        root,
        markdown,
        visible_to,
        ..Draft::default()
    };
    let id = desk.post(&room_id, Author::Bot(app.app_id), draft)?;
    Ok((201, sent(desk, call, &id, &to, false)))
}

fn own(desk: &Desk<'_>, call: &Call, robot: &str) -> Result<(String, String, String), ApiError> {
    let app = app(desk, call, robot)?;
    let room = desk.state.room_of(&call.path[0]).ok_or_else(no_such_message)?;
    let message = room.message(&call.path[0]).map_err(|_| no_such_message())?;
    if message.deleted || message.author != Author::Bot(app.app_id) {
        return Err(no_such_message());
    }
    let to = match (&room.channel, room.members.first()) {
        (None, Some((user, _))) => format!("{}@xmpp.zoom.us", user.to_lowercase()),
        _ => format!("{}@conference.xmpp.zoom.us", room.id),
    };
    Ok((room.id.clone(), message.id.clone(), to))
}

/// `PUT /im/chat/messages/{message_id}`
pub(super) fn update(desk: &mut Desk<'_>, call: &Call) -> Reply {
    let robot = call.text("robot_jid").ok_or_else(incomplete)?;
    call.text("account_id").ok_or_else(incomplete)?;
    let markdown = call.body["is_markdown_support"] == true;
    check(&call.body["content"], markdown)?;
    let (room, id, to) = own(desk, call, robot)?;
    let content = call.body["content"].clone();
    desk.edit_bot(&room, &id, words(&content), content, markdown)?;
    if desk.config.doubts.bot_update_no_content {
        return Ok((204, Value::Null));
    }
    Ok((200, sent(desk, call, &id, &to, true)))
}

/// `DELETE /im/chat/messages/{message_id}`
pub(super) fn delete(desk: &mut Desk<'_>, call: &Call) -> Reply {
    let robot = call.query("robot_jid").ok_or_else(incomplete)?;
    call.query("account_id").ok_or_else(incomplete)?;
    let (room, id, to) = own(desk, call, robot)?;
    desk.delete_bot(&room, &id)?;
    Ok((200, sent(desk, call, &id, &to, true)))
}
