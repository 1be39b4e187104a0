//! What people do in their clients, through the same state code as the API. Ids are public ids or UUIDs.

use serde_json::{Map, Value};

use super::desk::{Desk, Draft};
use super::error::{ApiError, bad_id, not_found, refuse};
use super::ids;
use super::sim::WebexSim;
use super::state::{Content, Kind, RoomKind, Scan, millis};
use crate::core::Blob;

/// What a person posts.
#[derive(Debug, Clone, Default)]
pub struct Post<'a> {
    /// As typed: markdown, `@Gita Rao`, `@All`, emoji.
    pub text: &'a str,
    /// The thread's root, or any message of the thread.
    pub parent: Option<&'a str>,
    /// Files: name and content. A client can attach several.
    pub files: Vec<(&'a str, &'a [u8])>,
    /// A card, as another bot would send it.
    pub card: Option<Value>,
}

fn key(kind: &str, id: &str) -> Result<String, ApiError> {
    ids::read(kind, id).map(|named| named.key).ok_or_else(bad_id)
}

fn content_type(name: &str) -> &'static str {
    let extension = name.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    match extension.as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "svg" => "image/svg+xml",
        "txt" | "md" => "text/plain",
        "pdf" => "application/pdf",
        _ => "application/octet-stream",
    }
}

impl Desk<'_> {
    /// Text as typed into a client, as its stored form: rich text gives HTML, plain words only text.
    fn typed(&self, room: &str, text: &str) -> Draft {
        let mut marked = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find('@') {
            marked.push_str(&rest[..at]);
            let after = &rest[at + 1..];
            let hit = self.named_at(room, after);
            if let Some((mention, length)) = hit {
                marked.push_str(&mention);
                rest = &after[length..];
            } else {
                marked.push('@');
                rest = after;
            }
        }
        marked.push_str(rest);
        let rendered = self.render(&marked, self.config.doubts.mentions_by_uuid);
        let html = rendered.rich.then_some(rendered.html);
        let text = if html.is_some() { rendered.text } else { text.to_owned() };
        Draft {
            text: Some(text).filter(|text| !text.is_empty()),
            html,
            mentioned: rendered.mentioned,
            mentions_all: rendered.all,
            ..Draft::default()
        }
    }

    fn named_at(&self, room: &str, after: &str) -> Option<(String, usize)> {
        let starts = |name: &str| {
            after.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
                && !after[name.len()..].starts_with(char::is_alphanumeric)
        };
        if starts("All") {
            return Some(("<@all>".to_owned(), 3));
        }
        self.state
            .rooms
            .get(room)?
            .members
            .keys()
            .filter_map(|member| self.state.people.get(member))
            .filter(|person| starts(&person.display_name))
            .max_by_key(|person| person.display_name.len())
            .map(|person| {
                let mention = format!("<@personId:{}|{}>", person.uuid, person.display_name);
                (mention, person.display_name.len())
            })
    }

    fn inside(&self, person: &str, room: &str) -> Result<(), ApiError> {
        if self.state.room(room)?.has(person) { Ok(()) } else { Err(not_found("room")) }
    }

    fn place(&self, message: &str) -> Result<(String, String), ApiError> {
        let uuid = key("MESSAGE", message)?;
        let room = self.state.room_of(&uuid).filter(|room| room.message(&uuid).is_some());
        Ok((room.ok_or_else(|| not_found("message"))?.uuid.clone(), uuid))
    }
}

impl WebexSim {
    /// A person posts; returns the message's id.
    pub fn post(&self, person: &str, room: &str, text: &str) -> Result<String, ApiError> {
        self.post_with(person, room, &Post { text, ..Post::default() })
    }

    /// A person replies in the thread of a message; returns the reply's id.
    pub fn reply(&self, person: &str, parent: &str, text: &str) -> Result<String, ApiError> {
        let room = self.engine.operate(|desk| desk.place(parent))?.0;
        self.post_with(person, &room, &Post { text, parent: Some(parent), ..Post::default() })
    }

    /// A person posts; returns the message's id.
    pub fn post_with(&self, person: &str, room: &str, post: &Post<'_>) -> Result<String, ApiError> {
        self.engine.operate(|desk| {
            let (person, room) = (key("PEOPLE", person)?, key("ROOM", room)?);
            desk.inside(&person, &room)?;
            if post.text.trim().is_empty() && post.files.is_empty() && post.card.is_none() {
                return Err(refuse(400, "Both text and file cannot be empty."));
            }
            let parent = match post.parent {
                None => None,
                Some(parent) => {
                    let (room, uuid) = desk.place(parent)?;
                    let message = &desk.state.room(&room)?.messages[&uuid];
                    // Clients reply to the thread, whichever of its messages was picked.
                    Some(message.parent.clone().unwrap_or(uuid))
                }
            };
            let clean_from = desk.now + millis(desk.config.timing.scan);
            let files = post.files.iter().map(|(name, bytes)| Content {
                name: (*name).to_owned(),
                content_type: content_type(name).to_owned(),
                bytes: Blob::from(*bytes),
                scan: Scan::CleanFrom(clean_from),
            });
            let attachments = post.card.iter().cloned().collect();
            let draft = Draft { parent, files: files.collect(), attachments, ..desk.typed(&room, post.text) };
            let uuid = desk.post(&person, &room, draft)?;
            Ok(desk.state.room(&room)?.message_id(&uuid))
        })
    }

    /// A person copies the link to a message.
    pub fn copy_link(&self, person: &str, message: &str) -> Result<String, ApiError> {
        self.engine.operate(|desk| {
            let (room, uuid) = desk.place(message)?;
            desk.inside(&key("PEOPLE", person)?, &room)?;
            Ok(format!("webexteams://im?space={room}&message={uuid}"))
        })
    }

    /// A person edits a message of theirs.
    pub fn edit(&self, person: &str, message: &str, text: &str) -> Result<(), ApiError> {
        self.engine.operate(|desk| {
            let person = key("PEOPLE", person)?;
            let (room, uuid) = desk.place(message)?;
            if desk.state.room(&room)?.messages[&uuid].author != person {
                return Err(refuse(403, "Only the author of a message can edit it."));
            }
            let draft = desk.typed(&room, text);
            desk.edit(&room, &uuid, draft)
        })
    }

    /// A person deletes a message of theirs, or a moderator any.
    pub fn delete(&self, person: &str, message: &str) -> Result<(), ApiError> {
        self.engine.operate(|desk| {
            let person = key("PEOPLE", person)?;
            let (room, uuid) = desk.place(message)?;
            let place = desk.state.room(&room)?;
            if place.messages[&uuid].author != person && !place.moderated_by(&person) {
                return Err(refuse(403, "Unable to delete message."));
            }
            desk.delete(&room, &uuid, &person)
        })
    }

    /// A person adds a reaction, or takes it back. Nothing of it shows in the API.
    pub fn react(&self, person: &str, message: &str, name: &str) -> Result<(), ApiError> {
        self.engine.operate(|desk| {
            let person = key("PEOPLE", person)?;
            let (room, uuid) = desk.place(message)?;
            desk.inside(&person, &room)?;
            let message =
                desk.state.room_mut(&room)?.messages.get_mut(&uuid).ok_or_else(|| not_found("message"))?;
            let people = message.reactions.entry(name.to_owned()).or_default();
            if people.contains(&person) {
                people.retain(|one| *one != person);
            } else {
                people.push(person);
            }
            message.reactions.retain(|_, people| !people.is_empty());
            let id = desk.state.room(&room)?.id();
            desk.state.touched.push(id);
            Ok(())
        })
    }

    /// A person clicks on a card; returns the action's id.
    pub fn click(&self, person: &str, message: &str, inputs: Map<String, Value>) -> Result<String, ApiError> {
        self.engine.operate(|desk| {
            let person = key("PEOPLE", person)?;
            let (room, uuid) = desk.place(message)?;
            desk.inside(&person, &room)?;
            let action = desk.click(&room, &uuid, &person, inputs)?;
            Ok(ids::public(&desk.state.room(&room)?.cluster, "ATTACHMENT_ACTION", &action))
        })
    }

    /// A person makes a space; returns its id.
    pub fn create_room(&self, person: &str, title: &str) -> Result<String, ApiError> {
        self.engine.operate(|desk| {
            let uuid = desk.create_room(&key("PEOPLE", person)?, title, RoomKind::Group)?;
            Ok(desk.state.room(&uuid)?.id())
        })
    }

    /// Opens the 1:1 of two accounts; returns its id.
    pub fn direct(&self, one: &str, other: &str) -> Result<String, ApiError> {
        self.engine.operate(|desk| {
            let uuid = desk.direct(&key("PEOPLE", one)?, &key("PEOPLE", other)?)?;
            Ok(desk.state.room(&uuid)?.id())
        })
    }

    /// Somebody adds somebody to a space.
    pub fn add_member(&self, actor: &str, room: &str, person: &str) -> Result<(), ApiError> {
        self.engine.operate(|desk| {
            let (actor, room, person) = (key("PEOPLE", actor)?, key("ROOM", room)?, key("PEOPLE", person)?);
            if desk.state.room(&room)?.has(&person) {
                return Err(refuse(409, "Person is already in the room."));
            }
            desk.join(&room, &person, &actor, false)
        })
    }

    /// Somebody takes somebody (or themselves) out of a space.
    pub fn remove_member(&self, actor: &str, room: &str, person: &str) -> Result<(), ApiError> {
        self.engine.operate(|desk| {
            let (actor, room, person) = (key("PEOPLE", actor)?, key("ROOM", room)?, key("PEOPLE", person)?);
            desk.leave(&room, &person, &actor)
        })
    }

    /// Makes somebody a moderator of a space, or takes that back.
    pub fn set_moderator(&self, actor: &str, room: &str, person: &str, on: bool) -> Result<(), ApiError> {
        self.engine.operate(|desk| {
            let (actor, room, person) = (key("PEOPLE", actor)?, key("ROOM", room)?, key("PEOPLE", person)?);
            desk.set_member(&room, &person, &actor, Some(on), None)
        })
    }

    /// A person renames a space.
    pub fn rename(&self, person: &str, room: &str, title: &str) -> Result<(), ApiError> {
        self.engine.operate(|desk| {
            let (person, room) = (key("PEOPLE", person)?, key("ROOM", room)?);
            desk.inside(&person, &room)?;
            title.clone_into(&mut desk.state.room_mut(&room)?.title);
            desk.room_event(&room, &person, "updated");
            Ok(())
        })
    }

    /// Lets only moderators post in a space, or everybody again.
    pub fn set_announcement_only(&self, person: &str, room: &str, on: bool) -> Result<(), ApiError> {
        self.engine.operate(|desk| {
            let (person, room) = (key("PEOPLE", person)?, key("ROOM", room)?);
            desk.state.room_mut(&room)?.announcement_only = on;
            desk.room_event(&room, &person, "updated");
            Ok(())
        })
    }

    /// A person changes their name. No event tells.
    pub fn set_name(&self, person: &str, name: &str) -> Result<(), ApiError> {
        self.engine.operate(|desk| {
            let person = key("PEOPLE", person)?;
            let known = desk.state.people.get_mut(&person).ok_or_else(|| not_found("person"))?;
            name.clone_into(&mut known.display_name);
            Ok(())
        })
    }

    /// Takes a message away as a retention policy does: without an event.
    pub fn purge(&self, message: &str) -> Result<(), ApiError> {
        self.engine.operate(|desk| {
            let (room, uuid) = desk.place(message)?;
            let message = desk.state.room_mut(&room)?.messages.get_mut(&uuid);
            let message = message.ok_or_else(|| not_found("message"))?;
            (message.deleted, message.purged) = (true, true);
            Ok(())
        })
    }

    /// Whether an account is a bot.
    pub fn is_bot(&self, person: &str) -> bool {
        self.engine.operate(|desk| {
            let known = ids::read("PEOPLE", person).and_then(|named| desk.state.people.get(&named.key));
            known.is_some_and(|person| person.kind == Kind::Bot)
        })
    }
}
