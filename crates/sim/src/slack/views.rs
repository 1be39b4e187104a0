//! How state looks on the wire.

use serde_json::{Map, Value, json};

use super::config::SlackDoubts;
use super::state::{Author, Channel, File, Kind, Message, State, Token, User};

/// What stays as it is in the last part of a file's URL.
const NAME: &percent_encoding::AsciiSet =
    &percent_encoding::NON_ALPHANUMERIC.remove(b'.').remove(b'-').remove(b'_');

/// What is shown of an app's metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meta {
    /// All of it.
    Full,
    /// The event type only, as history without `include_all_metadata`.
    TypeOnly,
}

/// Renders state; knows where the simulator can be reached.
#[derive(Clone, Copy)]
pub struct Views<'a> {
    /// State.
    pub state: &'a State,
    /// Doubts.
    pub doubts: &'a SlackDoubts,
    /// `http://127.0.0.1:PORT`.
    pub base: &'a str,
}

impl Views<'_> {
    /// A message as history, answers and nested members of events show it.
    pub fn message(&self, channel: &Channel, message: &Message, meta: Meta) -> Map<String, Value> {
        let mut out = Map::new();
        let mut put = |key: &str, value: Value| {
            out.insert(key.to_owned(), value);
        };
        put("type", json!("message"));
        put("ts", json!(message.ts));
        put("text", json!(message.text));
        if let Some(subtype) = &message.subtype {
            put("subtype", json!(subtype));
        }
        if message.subtype.as_deref() == Some("tombstone") {
            put("hidden", json!(true));
        }
        let author = &message.author;
        if let Some(user) = &author.user {
            put("user", json!(user));
            if user != "USLACKBOT" {
                put("team", json!(author.team));
            }
            if channel.is_ext_shared() {
                put("user_team", json!(author.team));
                put("source_team", json!(author.team));
            }
        }
        if let Some(bot) = &author.bot_id {
            put("bot_id", json!(bot));
        }
        if let Some(app) = &author.app_id {
            put("app_id", json!(app));
        }
        if let Some(username) = &author.username {
            put("username", json!(username));
        }
        if let Some(icons) = &author.icons {
            put("icons", icons.clone());
        }
        if self.doubts.bot_profile
            && author.username.is_none()
            && author.user.is_some()
            && let Some(profile) = self.bot_profile(author)
        {
            put("bot_profile", profile);
        }
        if let Some(id) = &message.client_msg_id {
            put("client_msg_id", json!(id));
        }
        if !message.blocks.is_empty() {
            put("blocks", json!(message.blocks));
        }
        if !message.attachments.is_empty() {
            put("attachments", json!(message.attachments));
        }
        if !message.files.is_empty() || message.subtype.as_deref() == Some("file_share") {
            let files: Vec<Value> = message
                .files
                .iter()
                .filter_map(|id| self.state.files.get(id))
                .map(|file| self.file(file))
                .collect();
            put("files", json!(files));
            put("upload", json!(message.upload));
            put("display_as_bot", json!(false));
        }
        if let Some((user, ts)) = &message.edited {
            put("edited", json!({"user": user, "ts": ts}));
        }
        if let Some(metadata) = &message.metadata {
            match meta {
                Meta::Full => put("metadata", metadata.clone()),
                Meta::TypeOnly => put("metadata", json!({"event_type": metadata["event_type"]})),
            }
        }
        if !message.reactions.is_empty() {
            put("reactions", self.reactions(message));
        }
        for (key, value) in &message.extra {
            put(key, value.clone());
        }
        self.thread(channel, message, meta, &mut out);
        out
    }

    fn thread(&self, channel: &Channel, message: &Message, meta: Meta, out: &mut Map<String, Value>) {
        if let Some(root) = &message.thread_ts {
            out.insert("thread_ts".to_owned(), json!(root));
            if let Some(parent) = channel.messages.get(root) {
                if let Some(user) = parent.author.user.as_ref().or(parent.author.bot_id.as_ref()) {
                    out.insert("parent_user_id".to_owned(), json!(user));
                }
                if message.subtype.as_deref() == Some("thread_broadcast") {
                    out.insert("root".to_owned(), Value::Object(self.message(channel, parent, meta)));
                }
            }
            return;
        }
        let replies: Vec<&Message> = channel.replies(&message.ts).collect();
        let Some(last) = replies.last() else { return };
        let mut users: Vec<&str> = Vec::new();
        for reply in &replies {
            let user = reply.author.user.as_deref().or(reply.author.bot_id.as_deref()).unwrap_or_default();
            if !users.contains(&user) {
                users.push(user);
            }
        }
        for (key, value) in [
            ("thread_ts", json!(message.ts)),
            ("reply_count", json!(replies.len())),
            ("reply_users_count", json!(users.len())),
            ("latest_reply", json!(last.ts)),
            ("reply_users", json!(users)),
            ("is_locked", json!(false)),
            ("subscribed", json!(false)),
        ] {
            out.insert(key.to_owned(), value);
        }
    }

    /// `reactions[]` of a message.
    pub fn reactions(&self, message: &Message) -> Value {
        let all: Vec<Value> = message
            .reactions
            .iter()
            .map(|(name, users)| json!({"name": name, "users": users, "count": users.len()}))
            .collect();
        json!(all)
    }

    fn bot_profile(&self, author: &Author) -> Option<Value> {
        let bot = self.state.bots.get(author.bot_id.as_ref()?)?;
        Some(json!({
            "id": bot.id, "app_id": bot.app_id, "user_id": bot.user_id, "name": bot.name, "deleted": bot.deleted,
            "updated": bot.updated, "team_id": bot.team, "icons": self.icons(&bot.id),
        }))
    }

    /// Pictures of a bot or person.
    pub fn icons(&self, id: &str) -> Value {
        let url = format!("{}/avatars/{id}.svg", self.base);
        json!({"image_36": url, "image_48": url, "image_72": url})
    }

    /// A conversation; `for_user` decides `is_member`.
    pub fn channel(&self, channel: &Channel, for_user: &str, num_members: bool) -> Map<String, Value> {
        let is_member = channel.members.contains(for_user);
        let mut shared: Vec<&String> = vec![&channel.team];
        shared.extend(channel.shared_with.iter());
        let mut value = if channel.kind == Kind::Im {
            let other = channel.members.iter().find(|member| *member != for_user).or(channel.members.first());
            json!({
                "id": channel.id, "created": channel.created, "is_archived": channel.archived, "is_im": true,
                "is_org_shared": false, "user": other, "is_user_deleted": false, "priority": 0,
                "context_team_id": channel.team, "updated": channel.updated,
            })
        } else {
            let private = channel.kind != Kind::Public;
            json!({
                "id": channel.id, "name": channel.name, "name_normalized": channel.name,
                "is_channel": channel.kind != Kind::Mpim, "is_group": channel.kind == Kind::Mpim, "is_im": false,
                "is_mpim": channel.kind == Kind::Mpim, "is_private": private, "created": channel.created,
                "is_archived": channel.archived, "is_general": channel.name == "general", "unlinked": 0,
                "is_shared": channel.is_ext_shared(), "is_frozen": false, "is_org_shared": false,
                "is_ext_shared": channel.is_ext_shared(), "is_pending_ext_shared": false, "pending_shared": [],
                "pending_connected_team_ids": [], "context_team_id": channel.team, "shared_team_ids": shared,
                "updated": channel.updated, "creator": channel.creator, "is_member": is_member,
                "topic": {"value": channel.topic.0, "creator": channel.topic.1, "last_set": channel.topic.2},
                "purpose": {"value": channel.purpose.0, "creator": channel.purpose.1,
                    "last_set": channel.purpose.2},
                "previous_names": channel.previous_names,
            })
        };
        if num_members {
            value["num_members"] = json!(channel.members.len());
        }
        into_map(value)
    }

    /// A user as a token of a workspace sees it.
    pub fn user(&self, user: &User, token: &Token) -> Map<String, Value> {
        let own = token.team.as_ref().is_none_or(|team| *team == user.team);
        let email = token.scopes.contains("users:read.email") && own;
        into_map(self.user_value(user, email))
    }

    /// A user object, with the e-mail address or without.
    pub fn user_value(&self, user: &User, with_email: bool) -> Value {
        let image = format!("{}/avatars/{}.svg", self.base, user.id);
        let app_id =
            user.bot_id.as_ref().and_then(|bot| self.state.bots.get(bot)).map(|bot| bot.app_id.clone());
        let mut profile = json!({
            "title": "", "phone": "", "skype": "", "real_name": user.real_name,
            "real_name_normalized": user.real_name, "display_name": user.display_name,
            "display_name_normalized": user.display_name, "fields": {}, "status_text": "", "status_text_canonical": "", "status_emoji": "",
            "status_expiration": 0, "avatar_hash": format!("g{}", user.id.to_lowercase()), "team": user.team,
            "image_24": image, "image_32": image, "image_48": image, "image_72": image, "image_192": image,
            "image_512": image,
        });
        if with_email && let Some(email) = &user.email {
            profile["email"] = json!(email);
        }
        if let Some(bot) = &user.bot_id {
            profile["bot_id"] = json!(bot);
            profile["api_app_id"] = json!(app_id);
        }
        json!({
            "id": user.id, "team_id": user.team, "name": user.handle, "deleted": user.deleted, "color": "4f6bed",
            "real_name": user.real_name, "tz": "Europe/Lisbon", "tz_label": "Western European Time", "tz_offset": 0,
            "profile": profile, "is_admin": user.admin, "is_owner": false, "is_primary_owner": false,
            "is_restricted": user.guest, "is_ultra_restricted": false, "is_bot": user.bot_id.is_some(),
            "is_app_user": false, "updated": user.updated, "is_email_confirmed": user.email.is_some(),
            "who_can_share_contact_card": "EVERYONE",
        })
    }

    /// A file.
    pub fn file(&self, file: &File) -> Value {
        if file.deleted {
            return json!({"id": file.id, "mode": "tombstone"});
        }
        let private = format!("{}/files-pri/{}-{}", self.base, file.team, file.id);
        let name = percent_encoding::utf8_percent_encode(&file.name, NAME).to_string();
        let mut public = Map::new();
        let mut hidden = Map::new();
        let (mut channels, mut groups, mut ims) = (Vec::new(), Vec::new(), Vec::new());
        for (id, ts) in &file.shares {
            let Some(channel) = self.state.channels.get(id) else { continue };
            let (list, shares) = match channel.kind {
                Kind::Public => (&mut channels, &mut public),
                Kind::Im => (&mut ims, &mut hidden),
                _ => (&mut groups, &mut hidden),
            };
            list.push(id.clone());
            let mut share = json!({"ts": ts, "channel_name": channel.name, "team_id": channel.team,
                "reply_users": [], "reply_users_count": 0, "reply_count": 0});
            if let Some(root) = channel.messages.get(ts).and_then(|message| message.thread_ts.clone()) {
                share["thread_ts"] = json!(root);
            }
            if let Some(list) = shares.entry(id.clone()).or_insert_with(|| json!([])).as_array_mut() {
                list.push(share);
            }
        }
        let mut shares = Map::new();
        if !public.is_empty() {
            shares.insert("public".to_owned(), Value::Object(public));
        }
        if !hidden.is_empty() {
            shares.insert("private".to_owned(), Value::Object(hidden));
        }
        let filetype = file.name.rsplit_once('.').map_or("text", |(_, extension)| extension);
        let mut value = json!({
            "id": file.id, "created": file.created, "timestamp": file.created, "name": file.name,
            "title": file.title, "mimetype": file.mimetype, "filetype": filetype,
            "pretty_type": filetype.to_uppercase(), "user": file.user, "user_team": file.team, "editable": false,
            "size": file.bytes.size(), "mode": "hosted", "is_external": false, "external_type": "",
            "is_public": !channels.is_empty(), "public_url_shared": false, "display_as_bot": false, "username": "",
            "url_private": format!("{private}/{name}"), "url_private_download": format!("{private}/download/{name}"),
            "media_display_type": "unknown", "permalink": format!("{}/files/{}/{}/{name}", self.base, file.user, file.id),
            "permalink_public": format!("{}/files-public/{}-{}", self.base, file.team, file.id), "is_starred": false,
            "has_rich_preview": false, "file_access": "visible", "comments_count": 0, "shares": shares,
            "channels": channels, "groups": groups, "ims": ims,
        });
        if let Some(alt) = &file.alt_txt {
            value["alt_txt"] = json!(alt);
        }
        value
    }

    /// A link to a message.
    pub fn permalink(&self, channel: &Channel, message: &Message) -> String {
        let domain = self.state.teams.get(&channel.team).map_or("workspace", |team| team.domain.as_str());
        let base =
            format!("https://{domain}.slack.com/archives/{}/p{}", channel.id, message.ts.replace('.', ""));
        match &message.thread_ts {
            Some(root) => format!("{base}?thread_ts={root}&cid={}", channel.id),
            None => base,
        }
    }
}

/// An object's members.
pub fn into_map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => Map::from_iter([("value".to_owned(), other)]),
    }
}
