//! Operations on messages, spaces and members, with the events that follow from them. The callers have checked
//! who may.

use serde_json::{Map, Value};

use super::config::{EditNotice, WebexSimConfig};
use super::error::{ApiError, not_found, refuse};
use super::hooks::Event;
use super::ids;
use super::markdown::{self, Mentioned, Reading, Rendered};
use super::state::{CardAction, Content, Kind, Message, Record, Room, RoomKind, State};
use super::views::Views;
use crate::core::World;

/// One operation's view of everything it needs.
pub struct Desk<'a> {
    /// State, locked.
    pub state: &'a mut State,
    /// Ids and time.
    pub world: &'a World,
    /// Configuration.
    pub config: &'a WebexSimConfig,
    /// The simulator's address.
    pub base: &'a str,
    /// Milliseconds since 1970.
    pub now: i64,
}

/// A message to be made.
#[derive(Debug, Clone, Default)]
pub struct Draft {
    /// Plain text.
    pub text: Option<String>,
    /// Markdown, for messages through the API.
    pub markdown: Option<String>,
    /// HTML.
    pub html: Option<String>,
    /// UUID of the thread's root.
    pub parent: Option<String>,
    /// Files.
    pub files: Vec<Content>,
    /// Cards.
    pub attachments: Vec<Value>,
    /// UUIDs of the people mentioned.
    pub mentioned: Vec<String>,
    /// Everybody is mentioned.
    pub mentions_all: bool,
    /// The integration it comes through.
    pub via: Option<String>,
}

impl Desk<'_> {
    /// How state looks.
    pub fn views(&self) -> Views<'_> {
        Views { state: self.state, doubts: &self.config.doubts, base: self.base }
    }

    fn reading(&self) -> Reading {
        Reading {
            newline_breaks: self.config.doubts.newline_breaks,
            strikethrough: self.config.doubts.strikethrough,
        }
    }

    /// Renders markdown with mentions.
    pub fn render(&self, text: &str, by_uuid: bool) -> Rendered {
        markdown::render(text, self.reading(), &|key, value| {
            let person = match key {
                "personEmail" => self.state.by_email(value),
                _ => self.state.people.get(&ids::read("PEOPLE", value)?.key),
            }?;
            let object_id = if by_uuid { person.uuid.clone() } else { ids::person(&person.uuid) };
            Some(Mentioned { uuid: person.uuid.clone(), object_id, name: person.display_name.clone() })
        })
    }

    /// Fills a draft from markdown and text as they came through the API.
    pub fn compose(&self, draft: &mut Draft, text: Option<String>, markdown: Option<String>) {
        if let Some(markdown) = markdown {
            let rendered = self.render(&markdown, false);
            draft.text = Some(text.unwrap_or(rendered.text));
            draft.html = Some(rendered.html);
            draft.mentioned = rendered.mentioned;
            draft.mentions_all = rendered.all;
            draft.markdown = Some(markdown);
        } else {
            draft.text = text;
        }
    }

    fn announce(&mut self, event: Event, record: Value) {
        if event.kind != "migrated" {
            self.state.records.push(Record {
                uuid: self.world.uuid(),
                resource: event.resource,
                kind: event.kind,
                actor: event.actor.clone(),
                org: event.org.clone(),
                created: self.now,
                data: record,
            });
        }
        self.state.outbox.push(event);
    }

    fn message_event(&mut self, room: &str, uuid: &str, actor: &str, kind: &'static str) {
        let Some(place) = self.state.rooms.get(room) else { return };
        let Some(message) = place.messages.get(uuid) else { return };
        let author = self.state.people.get(&message.author);
        let mut facts = vec![
            ("roomId", place.uuid.clone()),
            ("roomType", place.kind.name().to_owned()),
            ("personId", message.author.clone()),
            ("personEmail", author.map(|author| author.email.clone()).unwrap_or_default()),
            ("hasFiles", (!message.files.is_empty()).to_string()),
            ("hasAttachments", (!message.attachments.is_empty()).to_string()),
        ];
        facts.extend(message.mentioned.iter().map(|uuid| ("mentionedPeople", uuid.clone())));
        let views = self.views();
        let mut data = views.message_event(place, message);
        let record = views.message(place, message);
        if kind == "deleted" {
            let kept: &[&str] = if self.config.doubts.deleted_with_created {
                &["id", "roomId", "roomType", "personId", "personEmail", "created"]
            } else {
                &["id", "roomId", "roomType", "personId", "personEmail"]
            };
            data = data.into_iter().filter(|(key, _)| kept.contains(&key.as_str())).collect::<Map<_, _>>();
        }
        let mut event = Event {
            resource: "messages",
            kind,
            actor: actor.to_owned(),
            room: place.uuid.clone(),
            room_kind: place.kind,
            org: place.org.clone(),
            seen_by: place.members.keys().cloned().collect(),
            facts,
            mentions_all: message.mentions_all,
            author: message.author.clone(),
            data: Value::Object(data),
        };
        if kind != "updated" {
            self.announce(event, record);
            return;
        }
        // Compliance officers always learn of an edit; webhooks according to the switch.
        self.state.records.push(Record {
            uuid: self.world.uuid(),
            resource: "messages",
            kind: "updated",
            actor: actor.to_owned(),
            org: event.org.clone(),
            created: self.now,
            data: record,
        });
        match self.config.doubts.edit_notice {
            EditNotice::None => {}
            EditNotice::Updated => self.state.outbox.push(event),
            EditNotice::SecondCreated => {
                event.kind = "created";
                self.state.outbox.push(event);
            }
        }
    }

    /// Makes a message; returns its UUID.
    pub fn post(&mut self, author: &str, room: &str, draft: Draft) -> Result<String, ApiError> {
        let (now, uuid) = (self.now, ids::time_uuid(self.world, self.world.clock.micros()));
        let place = self.state.room_mut(room)?;
        if place.read_only || (place.announcement_only && !place.moderated_by(author)) {
            return Err(refuse(403, "You are not allowed to post in this space."));
        }
        if let Some(parent) = &draft.parent {
            let status = if self.config.doubts.bad_parent_not_found { 404 } else { 400 };
            let root =
                place.message(parent).ok_or_else(|| refuse(status, "Unable to find the parent message."))?;
            if root.parent.is_some() {
                return Err(refuse(status, "The parent message is itself a reply."));
            }
        }
        let message = Message {
            uuid: uuid.clone(),
            parent: draft.parent,
            author: author.to_owned(),
            via: draft.via,
            text: draft.text,
            markdown: draft.markdown,
            html: draft.html,
            files: draft.files,
            attachments: draft.attachments,
            mentioned: draft.mentioned,
            mentions_all: draft.mentions_all,
            created: now,
            ..Message::default()
        };
        place.messages.insert(uuid.clone(), message);
        place.last_activity = now;
        for member in place.members.values_mut() {
            member.hidden = false;
        }
        let room = place.uuid.clone();
        self.state.places.insert(uuid.clone(), room.clone());
        self.message_event(&room, &uuid, author, "created");
        Ok(uuid)
    }

    /// Changes a message's text. Files, cards, thread and time stay.
    pub fn edit(&mut self, room: &str, uuid: &str, draft: Draft) -> Result<(), ApiError> {
        let (now, most) = (self.now, self.config.limits.edits);
        let place = self.state.room_mut(room)?;
        let message =
            place.messages.get_mut(uuid).filter(|one| !one.deleted).ok_or_else(|| not_found("message"))?;
        if !message.files.is_empty() || !message.attachments.is_empty() {
            return Err(refuse(400, "Editing a message with files or attachments is not supported."));
        }
        if message.edits >= most {
            return Err(refuse(400, "The maximum number of edits for this message has been reached."));
        }
        message.edits += 1;
        message.updated = Some(now);
        message.text = draft.text;
        message.markdown = draft.markdown;
        message.html = draft.html;
        message.mentioned = draft.mentioned;
        message.mentions_all = draft.mentions_all;
        let (author, id) = (message.author.clone(), place.id());
        self.state.touched.push(id);
        self.message_event(room, uuid, &author, "updated");
        Ok(())
    }

    /// Deletes a message.
    pub fn delete(&mut self, room: &str, uuid: &str, actor: &str) -> Result<(), ApiError> {
        let takes_replies = self.config.doubts.root_takes_replies;
        let place = self.state.room_mut(room)?;
        let gone: Vec<String> = place
            .messages
            .values()
            .filter(|one| !one.deleted)
            .filter(|one| one.uuid == uuid || (takes_replies && one.parent.as_deref() == Some(uuid)))
            .map(|one| one.uuid.clone())
            .collect();
        if gone.is_empty() {
            return Err(not_found("message"));
        }
        for uuid in &gone {
            if let Some(message) = place.messages.get_mut(uuid) {
                message.deleted = true;
            }
        }
        for uuid in &gone {
            self.message_event(room, uuid, actor, "deleted");
        }
        Ok(())
    }

    fn membership_event(&mut self, room: &str, person: &str, actor: &str, kind: &'static str, data: Value) {
        let Some(place) = self.state.rooms.get(room) else { return };
        let known = self.state.people.get(person);
        let mut seen_by: Vec<String> = place.members.keys().cloned().collect();
        // Whoever was removed is told.
        if !place.has(person) {
            seen_by.push(person.to_owned());
        }
        let event = Event {
            resource: "memberships",
            kind,
            actor: actor.to_owned(),
            room: place.uuid.clone(),
            room_kind: place.kind,
            org: place.org.clone(),
            seen_by,
            facts: vec![
                ("roomId", place.uuid.clone()),
                ("personId", person.to_owned()),
                ("personEmail", known.map(|known| known.email.clone()).unwrap_or_default()),
                ("isModerator", data["isModerator"].to_string()),
            ],
            mentions_all: false,
            author: String::new(),
            data: data.clone(),
        };
        self.announce(event, data);
    }

    /// Adds somebody to a space.
    pub fn join(&mut self, room: &str, person: &str, actor: &str, moderator: bool) -> Result<(), ApiError> {
        let now = self.now;
        let joining = self.state.person(person)?;
        let (is_person, org) = (joining.kind == Kind::Person, joining.org.clone());
        let bots_only =
            |member: &String| self.state.people.get(member).is_some_and(|one| one.kind == Kind::Bot);
        let first = is_person && self.state.room(room)?.members.keys().all(bots_only);
        let place = self.state.room_mut(room)?;
        if first {
            // What bots made belongs to whoever comes first.
            place.org = org;
        }
        place.join(person, moderator, now);
        let data = self.views().membership(self.state.room(room)?, person);
        self.membership_event(room, person, actor, "created", data);
        Ok(())
    }

    /// Takes somebody out of a space.
    pub fn leave(&mut self, room: &str, person: &str, actor: &str) -> Result<(), ApiError> {
        let place = self.state.room(room)?;
        if !place.has(person) {
            return Err(refuse(404, "User is not a participant of the room."));
        }
        let data = self.views().membership(place, person);
        self.state.room_mut(room)?.members.shift_remove(person);
        self.membership_event(room, person, actor, "deleted", data);
        Ok(())
    }

    /// Changes a membership.
    pub fn set_member(
        &mut self,
        room: &str,
        person: &str,
        actor: &str,
        moderator: Option<bool>,
        hidden: Option<bool>,
    ) -> Result<(), ApiError> {
        let place = self.state.room_mut(room)?;
        let member = place
            .members
            .get_mut(person)
            .ok_or_else(|| refuse(404, "User is not a participant of the room."))?;
        member.moderator = moderator.unwrap_or(member.moderator);
        member.hidden = hidden.unwrap_or(member.hidden);
        place.locked = place.members.values().any(|member| member.moderator);
        let data = self.views().membership(self.state.room(room)?, person);
        self.membership_event(room, person, actor, "updated", data);
        Ok(())
    }

    /// Tells about a space.
    pub fn room_event(&mut self, room: &str, actor: &str, kind: &'static str) {
        let Some(place) = self.state.rooms.get(room) else { return };
        let mut data = self.views().room(place, "");
        let record = data.clone();
        if !self.config.doubts.room_events_with_title
            && let Some(data) = data.as_object_mut()
        {
            data.remove("title");
        }
        let event = Event {
            resource: "rooms",
            kind,
            actor: actor.to_owned(),
            room: place.uuid.clone(),
            room_kind: place.kind,
            org: place.org.clone(),
            seen_by: place.members.keys().cloned().collect(),
            facts: vec![("type", place.kind.name().to_owned()), ("isLocked", place.locked.to_string())],
            mentions_all: false,
            author: String::new(),
            data,
        };
        self.announce(event, record);
    }

    /// Makes a space; returns its UUID. A bot's space belongs to the organisation of the first person who joins.
    pub fn create_room(&mut self, creator: &str, title: &str, kind: RoomKind) -> Result<String, ApiError> {
        let org = self.state.person(creator)?.org.clone();
        let uuid = ids::time_uuid(self.world, self.world.clock.micros());
        let mut room = Room::new(&uuid, &self.state.cluster_of(&org), title, kind, &org, creator, self.now);
        room.join(creator, false, self.now);
        self.state.rooms.insert(uuid.clone(), room);
        self.room_event(&uuid, creator, "created");
        let data = self.views().membership(self.state.room(&uuid)?, creator);
        self.membership_event(&uuid, creator, creator, "created", data);
        Ok(uuid)
    }

    /// Finds or makes the 1:1 of two accounts.
    pub fn direct(&mut self, one: &str, other: &str) -> Result<String, ApiError> {
        let known = self
            .state
            .rooms
            .values()
            .find(|room| room.kind == RoomKind::Direct && room.has(one) && room.has(other))
            .map(|room| room.uuid.clone());
        if let Some(known) = known {
            return Ok(known);
        }
        if one == other {
            return Err(refuse(400, "You cannot start a conversation with yourself."));
        }
        let uuid = self.create_room(one, "", RoomKind::Direct)?;
        self.join(&uuid, other, one, false)?;
        Ok(uuid)
    }

    /// A click on a card; returns its UUID.
    pub fn click(
        &mut self,
        room: &str,
        message: &str,
        person: &str,
        inputs: Map<String, Value>,
    ) -> Result<String, ApiError> {
        let place = self.state.room(room)?;
        let card = place.message(message).ok_or_else(|| not_found("message"))?;
        if card.attachments.is_empty() {
            return Err(refuse(400, "The message has no card."));
        }
        if card.author == person {
            return Err(refuse(400, "Author of a card cannot submit a cardAction on that card"));
        }
        let uuid = ids::time_uuid(self.world, self.world.clock.micros());
        let (author, org, kind) = (card.author.clone(), place.org.clone(), place.kind);
        let action = CardAction {
            uuid: uuid.clone(),
            room: room.to_owned(),
            message: message.to_owned(),
            person: person.to_owned(),
            inputs,
            created: self.now,
        };
        let (data, record) = (self.views().action(&action, false), self.views().action(&action, true));
        self.state.actions.insert(uuid.clone(), action);
        let event = Event {
            resource: "attachmentActions",
            kind: "created",
            actor: person.to_owned(),
            room: room.to_owned(),
            room_kind: kind,
            org,
            // Only who sent the card learns of it.
            seen_by: vec![author],
            facts: vec![("roomId", room.to_owned()), ("personId", person.to_owned())],
            mentions_all: false,
            author: String::new(),
            data,
        };
        self.announce(event, record);
        Ok(uuid)
    }

    /// Moves a space to another region: it and everything in it get new ids.
    pub fn migrate(&mut self, room: &str, cluster: &str) -> Result<(), ApiError> {
        let place = self.state.room_mut(room)?;
        cluster.clone_into(&mut place.cluster);
        let actor = place.creator.clone();
        self.room_event(room, &actor, "migrated");
        Ok(())
    }

    /// A fresh access token of somebody, in the form of the service.
    pub fn token_text(&self, org: &str) -> String {
        format!("{}_{}_{org}", self.world.alnum(64), self.world.upper(4))
    }
}
