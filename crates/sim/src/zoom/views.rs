//! How state looks in answers and events.

use serde_json::{Map, Value, json};

use super::desk::iso;
use super::doubts::ZoomDoubts;
use super::state::{Author, ChannelInfo, File, Message, Person, Role, Room, State};
use super::text::{code_of, end_of, shown};

/// State and the switches.
pub struct Views<'a> {
    /// State.
    pub state: &'a State,
    /// Switches.
    pub doubts: &'a ZoomDoubts,
    /// Address of the file host.
    pub files_base: &'a str,
    /// Milliseconds since 1970.
    pub now: i64,
}

/// Which answer a message is shown in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A list; with the flag there is a status.
    List(bool),
    /// The message alone.
    Single,
}

impl super::desk::Desk<'_> {
    /// How state looks.
    pub fn views(&self) -> Views<'_> {
        Views { state: self.state, doubts: &self.config.doubts, files_base: self.files_base, now: self.now }
    }
}

impl Views<'_> {
    /// A message id as answers spell it.
    pub fn id(&self, id: &str) -> String {
        if self.doubts.lower_case_ids { id.to_lowercase() } else { id.to_owned() }
    }

    /// A signed address of a file's content, good for a day.
    pub fn download_url(&self, file: &File) -> String {
        let name: String = form_urlencoded::byte_serialize(file.name.as_bytes()).collect();
        let expires = self.now / 1_000 + 86_400;
        let proof = super::files::proof(&file.id, expires);
        format!("{}/file/download/{}?filename={name}&jwt={expires}.{proof}", self.files_base, file.id)
    }

    fn kind(&self, message: &Message) -> &'static str {
        let first = message.files.first().and_then(|id| self.state.files.get(id));
        match first.map(File::extension).as_deref() {
            None => "plain_text_message",
            Some(_) if !message.text.is_empty() => "file_and_text",
            Some("jpg" | "jpeg") => "jpg_image_file",
            Some("png") => "png_image_file",
            Some("gif") => "gif_file",
            Some("mp4" | "mov") => "video_file",
            Some("mp3" | "m4a" | "wav") => "audio_file",
            Some(_) => "others",
        }
    }

    /// A message in an answer.
    pub fn message(&self, room: &Room, message: &Message, viewer: &str, form: Form) -> Value {
        let viewer_account = self.state.people.get(viewer).map_or("", |person| person.account.as_str());
        let mut view = Map::new();
        let mut put = |key: &str, value: Value| {
            view.insert(key.to_owned(), value);
        };
        put("id", json!(self.id(&message.id)));
        put("message", json!(if message.deleted { "" } else { message.text.as_str() }));
        put("date_time", json!(iso(message.at)));
        put("timestamp", json!(message.at));
        put("message_type", json!(self.kind(message)));
        match &message.author {
            Author::Person(id) => {
                if let Some(person) = self.state.people.get(id) {
                    let stranger = person.account != viewer_account;
                    put("sender", json!(if stranger { "" } else { person.email.as_str() }));
                    put("sender_display_name", json!(person.display_name));
                    put("send_member_id", json!(person.member_id));
                }
            }
            Author::Bot(app_id) => {
                let app = self.state.app(app_id);
                put("sender", json!(""));
                put("sender_display_name", json!(app.map_or("", |app| app.seed.name.as_str())));
                put(
                    "send_member_id",
                    json!(app.and_then(|app| app.seed.robot_jid.clone()).unwrap_or_default()),
                );
                put("bot_message", message.content.clone().unwrap_or_else(|| json!({})));
            }
        }
        if let Form::List(true) = form {
            let status = if message.deleted {
                "Deleted"
            } else if message.edited {
                "Edited"
            } else {
                "Normal"
            };
            put("status", json!(status));
        }
        if let Some(root) = &message.root {
            put("reply_main_message_id", json!(self.id(root)));
            let at = room.messages.get(root).map_or(message.at, |root| root.at);
            put("reply_main_message_timestamp", json!(at));
        }
        if message.deleted {
            return Value::Object(view);
        }
        if let Form::Single = form {
            put(
                "message_url",
                json!(format!("https://zoom.us/launch/chat/v2/{}", message.id.to_lowercase())),
            );
        }
        let files = self.files(message);
        if let Some(first) = files.first() {
            for key in ["file_id", "file_name", "file_size", "download_url"] {
                put(key, first[key].clone());
            }
            put("files", json!(files));
        }
        self.formats(message, &mut view, Some(viewer_account));
        if !message.reactions.is_empty() {
            let reactions: Vec<Value> =
                message.reactions.iter().map(|(emoji, users)| self.reaction(emoji, users, form)).collect();
            view.insert("reactions".to_owned(), json!(reactions));
        }
        Self::cards(message, &mut view);
        Value::Object(view)
    }

    fn cards(message: &Message, view: &mut Map<String, Value>) {
        if !message.cards.is_empty() {
            let cards: Vec<Value> =
                message.cards.iter().map(|(id, json)| json!({"card_id": id, "card_json": json})).collect();
            view.insert("interactive_cards".to_owned(), json!(cards));
        }
    }

    fn files(&self, message: &Message) -> Vec<Value> {
        message
            .files
            .iter()
            .filter_map(|id| self.state.files.get(id))
            .filter(|file| !file.deleted)
            .map(|file| {
                json!({"file_id": file.id, "file_name": file.name, "file_size": file.bytes.size(),
                    "download_url": self.download_url(file)})
            })
            .collect()
    }

    /// Ranges and mentions; in events mentions name e-mail addresses, in answers user ids.
    fn formats(&self, message: &Message, view: &mut Map<String, Value>, answer_for: Option<&str>) {
        if !message.ranges.is_empty() {
            let ranges: Vec<Value> = message.ranges.iter().map(|range| shown(self.doubts, range)).collect();
            view.insert("rich_text".to_owned(), json!(ranges));
        }
        if message.mentions.is_empty() {
            return;
        }
        let mentions: Vec<Value> = message
            .mentions
            .iter()
            .map(|at| {
                let person = at.user.as_ref().and_then(|id| self.state.people.get(id));
                let id = person.map_or("", |person| person.id.as_str());
                let mut item = json!({"at_type": if at.user.is_some() { 1 } else { 2 },
                    "start_position": at.start, "end_position": end_of(self.doubts, at.end),
                    "at_contact_member_id": person.map_or("", |person| person.member_id.as_str())});
                if answer_for.is_some() {
                    item["at_contact"] = json!(id);
                } else {
                    item["at_contact"] = json!(person.map_or("", |person| person.email.as_str()));
                    item["at_contact_user_id"] = json!(id);
                }
                item
            })
            .collect();
        view.insert("at_items".to_owned(), json!(mentions));
    }

    /// The code (or the custom name) of an emoji.
    pub fn emoji(&self, emoji: &str, upper: bool) -> String {
        // Custom ones are kept by name.
        if emoji.is_ascii() {
            return emoji.to_owned();
        }
        code_of(emoji, self.doubts.emoji_separator, upper)
    }

    fn reaction(&self, emoji: &str, users: &indexmap::IndexSet<String>, form: Form) -> Value {
        let ids: Vec<(&str, &str)> = users
            .iter()
            .filter_map(|id| self.state.people.get(id))
            .map(|person| (person.id.as_str(), person.member_id.as_str()))
            .collect();
        let mut view = json!({"emoji": self.emoji(emoji, true), "total_count": ids.len()});
        if form == Form::Single {
            view["user_ids"] = json!(ids.iter().map(|(user, _)| user).collect::<Vec<_>>());
            view["member_ids"] = json!(ids.iter().map(|(_, member)| member).collect::<Vec<_>>());
        } else {
            let senders: Vec<Value> =
                ids.iter().map(|(user, member)| json!({"user_id": user, "member_id": member})).collect();
            view["senders"] = json!(senders);
        }
        view
    }

    /// A message of a thread.
    pub fn thread_item(&self, message: &Message, viewer: &str, need: &dyn Fn(&str) -> bool) -> Value {
        let viewer_account = self.state.people.get(viewer).map_or("", |person| person.account.as_str());
        let mut view = Map::new();
        view.insert("msg_id".to_owned(), json!(format!("{{{}}}", self.id(&message.id))));
        view.insert("message".to_owned(), json!(message.text));
        view.insert("is_reply".to_owned(), json!(message.root.is_some()));
        view.insert("timestamp".to_owned(), json!(message.at));
        view.insert("message_type".to_owned(), json!(self.kind(message)));
        if let Author::Person(id) = &message.author
            && let Some(person) = self.state.people.get(id)
        {
            let stranger = person.account != viewer_account;
            view.insert("sender_user_id".to_owned(), json!(if stranger { "" } else { person.id.as_str() }));
            view.insert("sender_email".to_owned(), json!(if stranger { "" } else { person.email.as_str() }));
            view.insert("sender_member_id".to_owned(), json!(person.member_id));
            view.insert("sender_display_name".to_owned(), json!(person.display_name));
        }
        if let Some(content) = &message.content {
            view.insert("bot_message".to_owned(), content.clone());
        }
        if need("need_emoji") && !message.reactions.is_empty() {
            let reactions: Vec<Value> = message
                .reactions
                .iter()
                .map(|(emoji, users)| {
                    json!({"emoji_id": self.emoji(emoji, true), "count": users.len(),
                        "is_sender": users.contains(viewer)})
                })
                .collect();
            view.insert("reactions".to_owned(), json!(reactions));
        }
        if need("need_attachment") && !message.files.is_empty() {
            view.insert("files".to_owned(), json!(self.files(message)));
        }
        let mut formats = Map::new();
        self.formats(message, &mut formats, Some(viewer_account));
        for (member, flag) in [("rich_text", "need_rich_text"), ("at_items", "need_at_items")] {
            if need(flag)
                && let Some(value) = formats.remove(member)
            {
                view.insert(member.to_owned(), value);
            }
        }
        Self::cards(message, &mut view);
        Value::Object(view)
    }

    /// Files as events show them.
    pub fn event_files(&self, ids: &[String]) -> Vec<Value> {
        ids.iter()
            .filter_map(|id| self.state.files.get(id))
            .map(|file| {
                json!({"file_id": file.id, "file_name": file.name, "file_size": file.bytes.size(),
                    "OS_file_type": file.extension().to_uppercase(),
                    "file_message_type": if file.is_image() { "image" } else { "file" }})
            })
            .collect()
    }

    /// The other side of a direct conversation, as events name it.
    pub fn contact(&self, room: &Room, operator: &str) -> Map<String, Value> {
        let mut view = Map::new();
        if let Some(other) = self.state.people.get(room.other(operator)) {
            view.insert("contact_id".to_owned(), json!(other.id));
            view.insert("contact_email".to_owned(), json!(other.email));
            view.insert("contact_member_id".to_owned(), json!(other.member_id));
            view.insert("contact_account_id".to_owned(), json!(other.account));
        }
        view
    }

    /// The `object` of the new family's message events.
    pub fn event_object(&self, room: &Room, message: &Message, operator: &str, content: bool) -> Value {
        let mut view = Map::new();
        view.insert("message_id".to_owned(), json!(message.id));
        match &room.channel {
            Some(info) => {
                view.insert("channel_id".to_owned(), json!(room.id));
                view.insert("channel_name".to_owned(), json!(info.name));
                view.insert("channel_owner_account_id".to_owned(), json!(info.account));
            }
            None => view.extend(self.contact(room, operator)),
        }
        view.insert("date_time".to_owned(), json!(iso(message.at)));
        view.insert("timestamp".to_owned(), json!(message.at));
        if let Some(root) = &message.root {
            view.insert("reply_main_message_id".to_owned(), json!(root));
        }
        if !content {
            return Value::Object(view);
        }
        view.insert("session_id".to_owned(), json!(room.id));
        if !message.text.is_empty() {
            view.insert("message".to_owned(), json!(message.text));
        }
        if !message.files.is_empty() {
            view.insert("files".to_owned(), json!(self.event_files(&message.files)));
        }
        self.formats(message, &mut view, None);
        if room.channel.is_none() {
            view.remove("at_items");
        }
        Value::Object(view)
    }

    /// The `object` of the old family's message events.
    pub fn old_object(&self, room: &Room, message: &Message, operator: &str) -> Value {
        let mut view = Map::new();
        view.insert("id".to_owned(), json!(message.id));
        view.insert("date_time".to_owned(), json!(iso(message.at)));
        view.insert("timestamp".to_owned(), json!(message.at));
        view.insert("session_id".to_owned(), json!(room.id));
        view.insert("message".to_owned(), json!(message.text));
        if let Some(info) = &room.channel {
            view.insert("type".to_owned(), json!("to_channel"));
            view.insert("channel_id".to_owned(), json!(room.id));
            view.insert("channel_name".to_owned(), json!(info.name));
            if self.doubts.loose_examples {
                view.insert("contact_email".to_owned(), json!(""));
            }
        } else {
            view.insert("type".to_owned(), json!("to_contact"));
            let contact = self.contact(room, operator);
            for key in ["contact_id", "contact_email"] {
                view.insert(key.to_owned(), contact.get(key).cloned().unwrap_or_default());
            }
        }
        if let Some(root) = &message.root {
            view.insert("parent_msg_id".to_owned(), json!(root));
        } else if self.doubts.old_roots_have_parents {
            view.insert("parent_msg_id".to_owned(), json!(message.id));
        }
        Value::Object(view)
    }

    /// A channel in answers.
    pub fn channel(&self, room: &Room, info: &ChannelInfo) -> Value {
        json!({"id": room.id, "jid": format!("{}@conference.xmpp.zoom.us", room.id), "name": info.name,
            "type": info.kind, "channel_settings": info.settings,
            "channel_url": format!("https://zoom.us/launch/chat/v2/{}", room.id)})
    }

    /// The `object` of `chat_channel.*` and the archive events.
    pub fn channel_object(&self, room: &Room, info: &ChannelInfo) -> Value {
        json!({"id": room.id, "name": info.name, "type": info.kind, "date_time": iso(self.now),
            "timestamp": self.now})
    }

    /// A member in answers; strangers have a name only.
    pub fn member(&self, person: &Person, role: Role, viewer_account: &str) -> Value {
        let external = person.account != viewer_account;
        let hide = |text: &str| if external { String::new() } else { text.to_owned() };
        json!({"id": hide(&person.id), "member_id": person.member_id, "email": hide(&person.email),
            "first_name": hide(&person.first_name), "last_name": hide(&person.last_name),
            "name": person.display_name, "role": role.name(), "is_external": external})
    }

    /// A person in answers.
    pub fn person(&self, person: &Person) -> Value {
        let mut view = json!({"id": person.id, "first_name": person.first_name, "last_name": person.last_name,
            "display_name": person.display_name, "email": person.email, "type": 2, "jid": person.jid(),
            "account_id": person.account, "role_name": if person.admin { "Admin" } else { "Member" },
            "role_id": if person.admin { "1" } else { "2" }, "status": "active", "timezone": "Europe/Lisbon",
            "verified": 1, "pmi": 0, "language": "en-US", "created_at": iso(person.created),
            "user_created_at": iso(person.created)});
        if let Some(picture) = &person.picture {
            view["pic_url"] = json!(picture);
        }
        view
    }
}
