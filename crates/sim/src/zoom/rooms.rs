//! Operations on channels and their members, with the events that follow from them.

use indexmap::{IndexMap, IndexSet};
use serde_json::{Value, json};

use super::desk::{Desk, iso};
use super::error::{ApiError, no_channel, no_message, refuse};
use super::events::Audience;
use super::state::{ChannelInfo, Person, Role, Room};

/// A channel to be made.
#[derive(Debug, Clone, Default)]
pub struct NewChannel {
    /// Name.
    pub name: String,
    /// Type.
    pub kind: u8,
    /// User ids beside the owner.
    pub members: Vec<String>,
    /// `channel_settings`.
    pub settings: Value,
}

/// The settings of a channel where nothing is said.
pub fn default_settings() -> Value {
    json!({"add_member_permissions": 1, "new_members_can_see_previous_messages_files": true,
        "posting_permissions": 1, "mention_all_permissions": 1, "allow_to_add_external_users": 1})
}

fn no_right() -> ApiError {
    refuse(403, 200, "Unauthorized request. You do not have permission to update a channel for this user.")
}

impl Desk<'_> {
    /// Whether a person made or administers a channel.
    pub fn manages(&self, user: &str, room: &Room) -> bool {
        matches!(room.members.get(user), Some(Role::Owner | Role::Admin))
    }

    fn named(&self, people: &[String]) -> Vec<Value> {
        let known = people.iter().filter_map(|id| self.state.people.get(id));
        known.map(|person: &Person| json!({"id": person.id, "display_name": person.display_name})).collect()
    }

    fn object(&self, id: &str) -> Value {
        match self.state.channel(id) {
            Ok((room, info)) => self.views().channel_object(room, info),
            Err(_) => Value::Null,
        }
    }

    /// Makes a channel.
    ///
    /// # Errors
    /// When the owner is unknown.
    pub fn create_channel(&mut self, owner: &str, new: NewChannel) -> Result<String, ApiError> {
        let account = self.state.person(owner)?.account.clone();
        let taken = self.state.rooms.values().filter_map(|room| room.channel.as_ref());
        if taken.into_iter().any(|info| info.account == account && info.name == new.name) && new.kind != 4 {
            return Err(refuse(400, 300, "The channel name already exists."));
        }
        let id = self.world.hex(32);
        let mut settings = default_settings();
        if let (Some(settings), Some(given)) = (settings.as_object_mut(), new.settings.as_object()) {
            settings.extend(given.clone());
        }
        let mut members = IndexMap::from([(owner.to_owned(), Role::Owner)]);
        for member in new.members {
            members.entry(member).or_insert(Role::Member);
        }
        let people: Vec<String> = members.keys().cloned().collect();
        let info = ChannelInfo {
            name: new.name,
            kind: new.kind,
            account,
            archived: false,
            encrypted: false,
            settings,
            bots: IndexSet::new(),
            pinned: IndexMap::new(),
        };
        let room =
            Room { id: id.clone(), channel: Some(info), members, bot: None, messages: IndexMap::new() };
        self.state.rooms.insert(id.clone(), room);
        let mut object = self.object(&id);
        object["members"] = json!(self.named(&people));
        if self.config.doubts.created_lacks_id
            && let Some(object) = object.as_object_mut()
        {
            object.remove("id");
        }
        self.emit("chat_channel.created", &id, owner, object);
        Ok(id)
    }

    /// What only channels have, to be changed.
    ///
    /// # Errors
    /// When there is no such channel.
    pub fn info_mut(&mut self, id: &str) -> Result<&mut ChannelInfo, ApiError> {
        self.state.room_mut(id)?.channel.as_mut().ok_or_else(|| no_channel(id))
    }

    /// Changes name, type and settings.
    ///
    /// # Errors
    /// When the person may not, or the name is taken.
    pub fn update_channel(
        &mut self,
        id: &str,
        user: &str,
        name: Option<&str>,
        kind: Option<u8>,
        settings: &Value,
    ) -> Result<(), ApiError> {
        let (room, info) = self.state.channel(id)?;
        if !self.manages(user, room) {
            return Err(no_right());
        }
        let (id, account) = (room.id.clone(), info.account.clone());
        if let Some(name) = name {
            let mut others = self.state.rooms.values().filter(|other| other.id != id);
            let same = |info: &ChannelInfo| info.account == account && info.name == name;
            if others.any(|other| other.channel.as_ref().is_some_and(same)) {
                return Err(refuse(400, 300, "The channel name already exists."));
            }
        }
        let info = self.info_mut(&id)?;
        if let Some(name) = name {
            name.clone_into(&mut info.name);
        }
        info.kind = kind.unwrap_or(info.kind);
        if let (Some(known), Some(given)) = (info.settings.as_object_mut(), settings.as_object()) {
            known.extend(given.clone());
        }
        let object = self.object(&id);
        self.emit("chat_channel.updated", &id, user, object);
        Ok(())
    }

    /// Deletes a channel with all that is in it.
    ///
    /// # Errors
    /// When there is none or the person may not.
    pub fn delete_channel(&mut self, id: &str, user: &str) -> Result<(), ApiError> {
        let (room, _) = self.state.channel(id)?;
        if !self.manages(user, room) {
            return Err(refuse(
                400,
                200,
                "Unauthorized request. You do not have permission to delete this channel.",
            ));
        }
        let id = room.id.clone();
        let people: Vec<String> = room.members.keys().cloned().collect();
        let object = self.object(&id);
        self.emit_to("chat_channel.deleted", &id, user, object, Audience::People(people));
        self.state.rooms.shift_remove(&id);
        Ok(())
    }

    /// Somebody brings people into a channel; those who are in it already are left out. Returns the new ones.
    ///
    /// # Errors
    /// When there is no such channel, or the inviter is not in it.
    pub fn invite(&mut self, id: &str, inviter: &str, people: &[String]) -> Result<Vec<String>, ApiError> {
        let (room, info) = self.state.channel(id)?;
        let closed = info.settings["add_member_permissions"] == 2 || matches!(info.kind, 1);
        if !room.members.contains_key(inviter) || (closed && !self.manages(inviter, room)) {
            let text = "Unauthorized request. You do not have permission to invite channel members on this user's behalf.";
            return Err(refuse(400, 200, text));
        }
        let id = room.id.clone();
        let new: Vec<String> =
            people.iter().filter(|person| !room.members.contains_key(*person)).cloned().collect();
        let room = self.state.room_mut(&id)?;
        room.members.extend(new.iter().map(|person| (person.clone(), Role::Member)));
        if !new.is_empty() {
            let mut object = self.object(&id);
            object["members"] = json!(self.named(&new));
            self.emit("chat_channel.member_invited", &id, inviter, object);
        }
        Ok(new)
    }

    /// Somebody joins a public channel.
    ///
    /// # Errors
    /// When it is not public.
    pub fn join(&mut self, id: &str, user: &str) -> Result<(), ApiError> {
        let (room, info) = self.state.channel(id)?;
        if !matches!(info.kind, 3 | 5) {
            return Err(refuse(400, 5_301, "Request to join a channel failed."));
        }
        let id = room.id.clone();
        if self.state.room_mut(&id)?.members.insert(user.to_owned(), Role::Member).is_none() {
            let object = self.object(&id);
            self.emit("chat_channel.member_joined", &id, user, object);
        }
        Ok(())
    }

    /// Somebody leaves, or is removed by `actor`.
    ///
    /// # Errors
    /// When the person is not in it, or the actor may not.
    pub fn leave(&mut self, id: &str, user: &str, actor: Option<&str>) -> Result<(), ApiError> {
        let (room, _) = self.state.channel(id)?;
        if actor.is_some_and(|actor| !self.manages(actor, room)) {
            let text = "Unauthorized request. You do not have permission to remove this channel member.";
            return Err(refuse(400, 200, text));
        }
        if !room.members.contains_key(user) {
            return Err(refuse(400, 5_301, "Request to remove a channel member failed."));
        }
        let id = room.id.clone();
        let mut hearers: Vec<String> = room.members.keys().cloned().collect();
        hearers.push(user.to_owned());
        let mut object = self.object(&id);
        let (name, operator) = match actor {
            Some(actor) => {
                object["members"] = json!(self.named(&[user.to_owned()]));
                ("chat_channel.member_removed", actor)
            }
            None => ("chat_channel.member_left", user),
        };
        self.emit_to(name, &id, operator, object, Audience::People(hearers));
        self.state.room_mut(&id)?.members.shift_remove(user);
        Ok(())
    }

    /// Archives a channel or opens it again.
    ///
    /// # Errors
    /// When there is none or the person may not.
    pub fn archive(&mut self, id: &str, user: &str, archived: bool) -> Result<(), ApiError> {
        let (room, info) = self.state.channel(id)?;
        if !self.manages(user, room) {
            return Err(no_right());
        }
        let (id, before) = (room.id.clone(), info.archived);
        self.info_mut(&id)?.archived = archived;
        if before != archived {
            let object = self.object(&id);
            let name = if archived { "team_chat.channel_archived" } else { "team_chat.channel_unarchived" };
            self.emit(name, &id, user, object);
        }
        Ok(())
    }

    /// Adds an app's bot to a channel, or removes it.
    ///
    /// # Errors
    /// When there is no such channel or the app has no bot.
    pub fn set_bot(&mut self, id: &str, user: &str, app_id: &str, inside: bool) -> Result<(), ApiError> {
        let robot =
            self.state.app(app_id).and_then(|app| Some((app.seed.robot_jid.clone()?, app.seed.name.clone())));
        let Some((robot, name)) = robot else { return Err(refuse(403, 7_003, "The robot does not exist.")) };
        let (room, info) = self.state.channel(id)?;
        let local = robot.split('@').next().unwrap_or_default();
        let object = json!({"channel_id": room.id, "channel_name": info.name, "type": info.kind,
            "date_time": iso(self.now), "timestamp": self.now,
            "app_members": [{"id": local, "display_name": name}]});
        let id = room.id.clone();
        let bots = &mut self.info_mut(&id)?.bots;
        let changed = if inside { bots.insert(app_id.to_owned()) } else { bots.shift_remove(app_id) };
        if changed {
            let event = if inside { "team_chat.channel_app_added" } else { "team_chat.channel_app_removed" };
            self.emit(event, &id, user, object);
        }
        Ok(())
    }

    /// Pins a message, or takes it down.
    ///
    /// # Errors
    /// When the message does not exist, or is (not) pinned already.
    pub fn pin(&mut self, id: &str, user: &str, message: &str, pinned: bool) -> Result<(), ApiError> {
        let (room, info) = self.state.channel(id)?;
        let found = room
            .message(message)
            .map_err(|_| refuse(400, 5_401, format!("Message does not exist: {message}.")))?;
        if found.deleted {
            return Err(no_message(message));
        }
        let (key, id) = (found.id.clone(), room.id.clone());
        match (pinned, info.pinned.contains_key(&key)) {
            (true, true) => {
                return Err(refuse(400, 3_216, format!("This message has already been pinned: {message}.")));
            }
            (false, false) => {
                return Err(refuse(400, 3_217, format!("This message has not been pinned: {message}.")));
            }
            _ => {}
        }
        let stored = self.state.accounts.get(&info.account).is_none_or(|account| account.cloud_storage);
        let mut object = self.views().event_object(room, found, user, true);
        for gone in ["session_id", "channel_owner_account_id", "at_items", "reply_main_message_id"] {
            if let Some(object) = object.as_object_mut() {
                object.remove(gone);
            }
        }
        object["type"] = json!(info.kind);
        object["message_timestamp"] = json!(found.at);
        object["date_time"] = json!(iso(self.now));
        object["timestamp"] = json!(self.now);
        let now = self.now;
        let pins = &mut self.info_mut(&id)?.pinned;
        if pinned {
            pins.insert(key, (user.to_owned(), now));
        } else {
            pins.shift_remove(&key);
        }
        if stored {
            let name = if pinned { "team_chat.channel_pin_added" } else { "team_chat.channel_pin_removed" };
            self.emit(name, &id, user, object);
        }
        Ok(())
    }
}
