//! Operations on messages and reactions, with the events that follow from them.

use indexmap::{IndexMap, IndexSet};
use serde_json::{Value, json};

use super::desk::{Desk, iso};
use super::error::{ApiError, no_message, refuse};
use super::events::Audience;
use super::state::{Author, Message, Room, plain_id};
use super::text::{At, Range, units};

/// A message to be made.
#[derive(Debug, Clone, Default)]
pub struct Draft {
    /// Text.
    pub text: String,
    /// Formats.
    pub ranges: Vec<Range>,
    /// Mentions.
    pub mentions: Vec<At>,
    /// File ids.
    pub files: Vec<String>,
    /// Root of the thread.
    pub root: Option<String>,
    /// Cards: JSON texts.
    pub cards: Vec<String>,
    /// Content of a bot's message.
    pub content: Option<Value>,
    /// The bot's text uses markup.
    pub markdown: bool,
    /// The only person who sees it.
    pub visible_to: Option<String>,
}

/// Most characters of a message.
pub const MOST_CHARACTERS: usize = 1_024;

impl Desk<'_> {
    /// Whether a person may send to a conversation.
    ///
    /// # Errors
    /// For archived and encrypted channels, switched-off chat, blocked contacts.
    pub fn may_send(&self, user: &str, room: &str) -> Result<(), ApiError> {
        let room = self.state.room(room)?;
        let person = self.state.person(user)?;
        if person.chat_disabled {
            return Err(refuse(400, 5_418, "The user can not chat with others."));
        }
        if let Some(info) = &room.channel {
            if info.encrypted {
                return Err(refuse(400, 5_419, "Can not send message to an E2E channel."));
            }
            if info.archived {
                return Err(refuse(400, 5_420, "Can not send message to an archived channel."));
            }
            let posting = info.settings["posting_permissions"].as_u64().unwrap_or(1);
            let role = room.members.get(user).copied();
            if posting > 1 && role == Some(super::state::Role::Member) {
                return Err(refuse(400, 5_301, "Message sending failed."));
            }
            return Ok(());
        }
        let other = self.state.people.get(room.other(user));
        if other.is_some_and(|other| other.blocked.contains(user))
            || person.blocked.contains(room.other(user))
        {
            return Err(refuse(400, 5_421, "Can not send message to a blocked contact."));
        }
        Ok(())
    }

    /// Whether a text has not too many characters.
    pub fn fits(&self, text: &str) -> bool {
        units(&self.config.doubts, text).len() <= MOST_CHARACTERS
    }

    /// The root that a reply belongs to.
    ///
    /// # Errors
    /// When the message does not exist or is itself a reply.
    pub fn root(&self, room: &Room, id: &str) -> Result<String, ApiError> {
        let message = room.message(id)?;
        if message.root.is_some() {
            return Err(refuse(400, 5_402, "This only supports replies to a main message."));
        }
        Ok(message.id.clone())
    }

    /// Makes a message. The caller has checked who may.
    ///
    /// # Errors
    /// When there is no such conversation.
    pub fn post(&mut self, room_id: &str, author: Author, draft: Draft) -> Result<String, ApiError> {
        let id = self.message_id();
        let at = self.next_at();
        let cards = draft.cards.into_iter().map(|card| (self.world.alnum(22), card)).collect();
        let message = Message {
            id: id.clone(),
            author: author.clone(),
            text: draft.text,
            ranges: draft.ranges,
            mentions: draft.mentions,
            had_files: !draft.files.is_empty(),
            files: draft.files.clone(),
            root: draft.root.clone(),
            at,
            edited: false,
            deleted: false,
            purged: false,
            reactions: IndexMap::new(),
            cards,
            content: draft.content,
            markdown: draft.markdown,
            visible_to: draft.visible_to,
        };
        self.state.room_mut(room_id)?.messages.insert(id.clone(), message);
        self.announce(room_id, &id, "posted");
        if !draft.files.is_empty() {
            self.file_event("team_chat.file_shared", room_id, &author, &draft.files);
        }
        if let Author::Person(user) = &author {
            self.tell_bots(room_id, &id, user);
        }
        Ok(id)
    }

    /// The events of both families about a message.
    fn announce(&mut self, room_id: &str, id: &str, what: &'static str) {
        self.announce_by(room_id, id, what, None);
    }

    fn announce_by(&mut self, room_id: &str, id: &str, what: &'static str, actor: Option<&str>) {
        let Ok(room) = self.state.room(room_id) else { return };
        let Some(message) = room.messages.get(id) else { return };
        let encrypted = room.channel.as_ref().is_some_and(|info| info.encrypted);
        if encrypted || message.visible_to.is_some() {
            return;
        }
        let operator = match (&message.author, actor) {
            (_, Some(actor)) => actor.to_owned(),
            (Author::Person(user), None) => user.clone(),
            (Author::Bot(_), None) if self.config.doubts.bot_posts_raise_events => String::new(),
            (Author::Bot(_), None) => return,
        };
        let views = self.views();
        let object = views.event_object(room, message, &operator, what != "deleted");
        let old = views.old_object(room, message, &operator);
        let (in_channel, reply, with_bot) =
            (room.channel.is_some(), message.root.is_some(), room.bot.is_some());
        if with_bot {
            return;
        }
        let name = match (in_channel, what) {
            (true, "posted") => "team_chat.channel_message_posted",
            (true, "updated") => "team_chat.channel_message_updated",
            (true, _) => "team_chat.channel_message_deleted",
            (false, "posted") => "team_chat.dm_message_posted",
            (false, "updated") => "team_chat.dm_message_updated",
            (false, _) => "team_chat.dm_message_deleted",
        };
        let old_name = match (what, reply) {
            ("posted", false) => "chat_message.sent",
            ("posted", true) => "chat_message.replied",
            ("updated", _) => "chat_message.updated",
            _ => "chat_message.deleted",
        };
        self.emit(name, room_id, &operator, object);
        if !operator.is_empty() {
            self.emit(old_name, room_id, &operator, old);
        }
    }

    /// `file_shared` and its opposite: to sender and receiver, or to sender and the channel's owner.
    pub fn file_event(&mut self, name: &'static str, room_id: &str, author: &Author, files: &[String]) {
        let Author::Person(user) = author else { return };
        let Ok(room) = self.state.room(room_id) else { return };
        let files = self.views().event_files(files);
        let mut audience = vec![user.clone()];
        let object = if room.channel.is_some() {
            let owner = room.members.iter().find(|(_, role)| **role == super::state::Role::Owner);
            audience.extend(owner.map(|(id, _)| id.clone()));
            json!({"type": "to_channel", "channel_id": room.id, "files": files})
        } else {
            audience.push(room.other(user).to_owned());
            let mut object = self.views().contact(room, user);
            object.remove("contact_account_id");
            object.insert("type".to_owned(), json!("to_contact"));
            object.insert("files".to_owned(), json!(files));
            Value::Object(object)
        };
        self.emit_to(name, room_id, user, object, Audience::People(audience));
    }

    /// Tells bots that are addressed: their direct conversation, or a mention of their name in a channel.
    fn tell_bots(&mut self, room_id: &str, id: &str, user: &str) {
        let Ok(room) = self.state.room(room_id) else { return };
        let Some(message) = room.messages.get(id) else { return };
        if let Some(app_id) = room.bot.clone() {
            let text = message.text.clone();
            self.notify_bot(&app_id, room_id, user, &text);
            return;
        }
        let Some(info) = &room.channel else { return };
        let named: Vec<String> = info
            .bots
            .iter()
            .filter_map(|app_id| self.state.app(app_id))
            .filter(|app| message.text.contains(&format!("@{}", app.seed.name)))
            .map(|app| app.seed.app_id.clone())
            .collect();
        let mut object = self.views().event_object(room, message, user, true);
        object["type"] = json!("to_channel");
        for key in ["session_id", "channel_owner_account_id", "at_items"] {
            if let Some(object) = object.as_object_mut() {
                object.remove(key);
            }
        }
        let Ok(person) = self.state.person(user) else { return };
        let frame = json!({"account_id": person.account, "operator": person.email, "operator_id": person.id,
            "operator_member_id": person.member_id, "by_external_user": false, "object": object});
        for app_id in named {
            self.tell_bot(&app_id, "team_chat.app_mention", room_id, frame.clone());
        }
    }

    /// `bot_notification`: a direct message to the bot, or a slash command in a channel.
    pub fn notify_bot(&mut self, app_id: &str, room_id: &str, user: &str, command: &str) {
        let (Ok(person), Some(app)) = (self.state.person(user), self.state.app(app_id)) else { return };
        let robot = app.seed.robot_jid.clone().unwrap_or_default();
        let mut payload = json!({"accountId": person.account, "cmd": command, "name": app.seed.name,
            "robotJid": robot, "timestamp": self.now, "toJid": robot, "triggerId": self.world.alnum(22),
            "userId": person.id, "userJid": person.jid(), "userMemberId": person.member_id,
            "userName": person.display_name});
        if let Ok((room, info)) = self.state.channel(room_id) {
            payload["toJid"] = json!(format!("{}@conference.xmpp.zoom.us", room.id));
            payload["channelName"] = json!(info.name);
        }
        self.tell_bot(app_id, "bot_notification", room_id, payload);
    }

    /// A message's text (and files) are others now; formats and mentions are gone.
    ///
    /// # Errors
    /// When somebody else wrote it, it does not exist, or files are added to a message without.
    pub fn edit(&mut self, room_id: &str, id: &str, user: &str, change: Change) -> Result<(), ApiError> {
        let room = self.state.room(room_id)?;
        let message = room.message(id)?;
        if message.author != Author::Person(user.to_owned()) {
            return Err(refuse(400, 200, "Only the sender of this message can make updates."));
        }
        if message.deleted {
            return Err(no_message(id));
        }
        if change.files.as_ref().is_some_and(|files| !files.is_empty()) && !message.had_files {
            let text =
                "A plain text message that is sent without any files is not allowed to update with the file.";
            return Err(refuse(400, 300, text));
        }
        let id = message.id.clone();
        let message = self.message_mut(room_id, &id)?;
        message.text = change.text;
        message.ranges = change.ranges;
        message.mentions = change.mentions;
        message.edited = true;
        if let Some(files) = change.files {
            message.files = files;
        }
        if let Some(cards) = change.cards {
            message.cards = cards;
        }
        self.announce(room_id, &id, "updated");
        Ok(())
    }

    /// A message is deleted by its author (or an administrator, who is then the operator of the event).
    ///
    /// # Errors
    /// When there is none, or it is somebody else's.
    pub fn delete(&mut self, room_id: &str, id: &str, user: &str, force: bool) -> Result<(), ApiError> {
        let room = self.state.room(room_id)?;
        let message = room.message(id)?;
        if message.deleted {
            return Err(no_message(id));
        }
        if message.author != Author::Person(user.to_owned()) && !force {
            return Err(refuse(400, 200, "Only the sender of this message can delete it."));
        }
        let (id, files, author) = (message.id.clone(), message.files.clone(), message.author.clone());
        self.message_mut(room_id, &id)?.deleted = true;
        self.announce_by(room_id, &id, "deleted", Some(user));
        if !files.is_empty() {
            self.file_event("team_chat.file_unshared", room_id, &author, &files);
        }
        Ok(())
    }

    /// A message to be changed.
    ///
    /// # Errors
    /// When there is none.
    pub fn message_mut(&mut self, room_id: &str, id: &str) -> Result<&mut Message, ApiError> {
        let room = self.state.room_mut(room_id)?;
        room.messages.get_mut(&plain_id(id)).ok_or_else(|| no_message(id))
    }

    /// A person adds or removes a reaction (an emoji, or the name of a custom one). Nothing happens when it is
    /// there, or gone, already.
    ///
    /// # Errors
    /// When the message does not exist.
    pub fn react(
        &mut self,
        room_id: &str,
        id: &str,
        user: &str,
        emoji: &str,
        add: bool,
    ) -> Result<(), ApiError> {
        let room = self.state.room(room_id)?;
        if room.message(id)?.deleted {
            return Err(no_message(id));
        }
        let now = self.now;
        let message = self.message_mut(room_id, id)?;
        let (message_id, sent) = (message.id.clone(), message.at);
        let author = message.author.clone();
        let changed = if add {
            message.reactions.entry(emoji.to_owned()).or_insert_with(IndexSet::new).insert(user.to_owned())
        } else {
            let gone = message.reactions.get_mut(emoji).is_some_and(|users| users.shift_remove(user));
            message.reactions.retain(|_, users| !users.is_empty());
            gone
        };
        if !changed {
            return Ok(());
        }
        let room = self.state.room(room_id)?;
        let code = self.views().emoji(emoji, false);
        let mut object = json!({"msg_id": message_id, "msg_time": iso(sent), "emoji": code,
            "emoji_time": iso(now), "timestamp": now});
        if room.channel.is_some() {
            object["channel_id"] = json!(room.id);
            let name =
                if add { "team_chat.channel_reaction_added" } else { "team_chat.channel_reaction_removed" };
            self.emit(name, room_id, user, object);
            return Ok(());
        }
        if self.config.doubts.numeric_emoji_time {
            object["emoji_time"] = json!(now);
        }
        let mut contact = self.views().contact(room, user);
        contact.remove("contact_account_id");
        if let Some(object) = object.as_object_mut() {
            object.extend(contact);
        }
        // Only the app of the message's receiver hears of it.
        let receiver = match &author {
            Author::Person(author) => room.other(author).to_owned(),
            Author::Bot(_) => user.to_owned(),
        };
        let name = if add { "team_chat.dm_reaction_added" } else { "team_chat.dm_reaction_removed" };
        self.emit_to(name, room_id, user, object, Audience::People(vec![receiver]));
        Ok(())
    }
}

/// What an edit leaves.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// Text.
    pub text: String,
    /// Formats: none unless a person edits.
    pub ranges: Vec<Range>,
    /// Mentions, likewise.
    pub mentions: Vec<At>,
    /// Files; they stay when absent.
    pub files: Option<Vec<String>>,
    /// Cards: id and JSON text; they stay when absent.
    pub cards: Option<Vec<(String, String)>>,
}

impl Desk<'_> {
    /// A bot changes a message of its own.
    ///
    /// # Errors
    /// When there is no such message.
    pub fn edit_bot(
        &mut self,
        room_id: &str,
        id: &str,
        text: String,
        content: Value,
        markdown: bool,
    ) -> Result<(), ApiError> {
        let message = self.message_mut(room_id, id)?;
        message.text = text;
        message.content = Some(content);
        message.markdown = markdown;
        message.edited = true;
        self.announce(room_id, id, "updated");
        Ok(())
    }

    /// A bot deletes a message of its own.
    ///
    /// # Errors
    /// When there is no such message.
    pub fn delete_bot(&mut self, room_id: &str, id: &str) -> Result<(), ApiError> {
        self.message_mut(room_id, id)?.deleted = true;
        self.announce(room_id, id, "deleted");
        Ok(())
    }
}
