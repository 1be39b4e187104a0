//! Operations on messages, reactions and files, with the events that follow from them.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::config::{ReplyNotice, SlackSimConfig};
use super::error::{ApiError, refuse};
use super::events::{Audience, Event};
use super::rich::{self, Names, Reading};
use super::state::{Author, Kind, Message, State, ts_of};
use super::views::{Meta, Views};
use crate::core::World;

/// Something to do later.
#[derive(Debug, Clone)]
pub enum Later {
    /// Share completed uploads as one message.
    Share(Box<Share>),
    /// Add an unfurl to a message.
    Unfurl {
        /// Conversation.
        channel: String,
        /// Message.
        ts: String,
        /// Link.
        url: String,
    },
}

/// Completed uploads on their way into a conversation.
#[derive(Debug, Clone)]
pub struct Share {
    /// File ids.
    pub files: Vec<String>,
    /// Conversations.
    pub channels: Vec<String>,
    /// The message around them.
    pub draft: Draft,
    /// Its author.
    pub author: Author,
}

/// One operation's view of everything it needs.
pub struct Desk<'a> {
    /// State, locked.
    pub state: &'a mut State,
    /// Ids and time.
    pub world: &'a World,
    /// Configuration.
    pub config: &'a SlackSimConfig,
    /// The simulator's address.
    pub base: &'a str,
    /// Microseconds since 1970.
    pub now: i64,
    /// What to do later.
    pub later: Vec<(Duration, Later)>,
}

/// A message to be made.
#[derive(Debug, Clone, Default)]
pub struct Draft {
    /// mrkdwn as it will be stored.
    pub text: String,
    /// Blocks; without `block_id`s.
    pub blocks: Vec<Value>,
    /// Attachments.
    pub attachments: Vec<Value>,
    /// Thread root.
    pub thread_ts: Option<String>,
    /// Also in the channel.
    pub broadcast: bool,
    /// Metadata.
    pub metadata: Option<Value>,
    /// Subtype.
    pub subtype: Option<String>,
    /// Set by people's clients.
    pub client_msg_id: Option<String>,
    /// Files.
    pub files: Vec<String>,
    /// Further members.
    pub extra: Map<String, Value>,
    /// No links are unfurled.
    pub no_unfurl: bool,
}

/// What becomes of a message's metadata.
#[derive(Debug, Clone, Default)]
pub enum MetadataChange {
    /// It stays.
    #[default]
    Keep,
    /// It goes.
    Remove,
    /// It is this now.
    Set(Value),
}

/// A change of a message; what is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// New text.
    pub text: Option<String>,
    /// New blocks.
    pub blocks: Option<Vec<Value>>,
    /// New attachments.
    pub attachments: Option<Vec<Value>>,
    /// Metadata.
    pub metadata: MetadataChange,
    /// Also show the reply in the channel.
    pub broadcast: bool,
    /// New files.
    pub files: Option<Vec<String>>,
    /// Typed by a person: the text has lists.
    pub typed: bool,
}

/// Names of one workspace, for texts.
pub struct TeamNames<'a> {
    /// State.
    pub state: &'a State,
    /// Workspace.
    pub team: &'a str,
}

impl Names for TeamNames<'_> {
    fn mention(&self, after_at: &str) -> Option<(String, usize)> {
        let mut best: Option<(String, usize)> = None;
        let mut offer = |name: &str, entity: String| {
            let fits = !name.is_empty()
                && after_at.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
                && !after_at[name.len()..].starts_with(char::is_alphanumeric);
            if fits && best.as_ref().is_none_or(|(_, len)| *len < name.len()) {
                best = Some((entity, name.len()));
            }
        };
        for range in ["here", "channel", "everyone"] {
            offer(range, format!("<!{range}>"));
        }
        for user in self.state.users.values().filter(|user| !user.deleted) {
            for name in [&user.display_name, &user.real_name, &user.handle] {
                offer(name, format!("<@{}>", user.id));
            }
        }
        if let Some(team) = self.state.teams.get(self.team) {
            for (id, (handle, _)) in &team.groups {
                offer(handle, format!("<!subteam^{id}>"));
            }
        }
        best
    }

    fn channel(&self, after_hash: &str) -> Option<(String, usize)> {
        self.state
            .channels
            .values()
            .filter(|channel| {
                matches!(channel.kind, Kind::Public | Kind::Private)
                    && channel.belongs_to(self.team)
                    && after_hash.starts_with(&channel.name)
                    && !after_hash[channel.name.len()..]
                        .starts_with(|c: char| c.is_alphanumeric() || c == '-')
            })
            .max_by_key(|channel| channel.name.len())
            .map(|channel| (format!("<#{}|{}>", channel.id, channel.name), channel.name.len()))
    }

    fn custom_emoji(&self, name: &str) -> bool {
        self.state.teams.get(self.team).is_some_and(|team| team.emoji.contains_key(name))
    }
}

impl Desk<'_> {
    /// How state looks.
    pub fn views(&self) -> Views<'_> {
        Views { state: self.state, doubts: &self.config.doubts, base: self.base }
    }

    /// A `rich_text` block of a text.
    pub fn rich_text(&self, team: &str, text: &str, lists: bool) -> Value {
        let names = TeamNames { state: self.state, team };
        let reading = Reading { names: &names, lists, loose: self.config.doubts.loose_emphasis };
        rich::block(text, &self.world.alnum(5), reading)
    }

    /// What a person typed, as stored text and blocks.
    pub fn typed(&self, team: &str, text: &str) -> (String, Vec<Value>) {
        let names = TeamNames { state: self.state, team };
        let stored = rich::typed(text, &names);
        let blocks = if stored.is_empty() { Vec::new() } else { vec![self.rich_text(team, &stored, true)] };
        (rich::list_text(&stored), blocks)
    }

    /// Gives every block an id.
    pub fn identify(&self, blocks: &mut [Value]) {
        for block in blocks {
            if let Some(block) = block.as_object_mut()
                && block.get("block_id").and_then(Value::as_str).unwrap_or_default().is_empty()
            {
                block.insert("block_id".to_owned(), json!(self.world.alnum(5)));
            }
        }
    }

    /// Adds an event of a conversation.
    pub fn emit(&mut self, channel: &str, subscription: &str, scope: &str, mut body: Map<String, Value>) {
        if !body.contains_key("event_ts") {
            self.now += 1;
            body.insert("event_ts".to_owned(), json!(ts_of(self.now)));
        }
        let team = self.state.channels.get(channel).map(|channel| channel.team.clone()).unwrap_or_default();
        self.push(Event {
            subscription: subscription.to_owned(),
            scope: scope.to_owned(),
            audience: Audience::Channel(channel.to_owned()),
            team,
            body,
        });
    }

    /// Adds any event.
    pub fn push(&mut self, event: Event) {
        self.state.outbox.push(event);
    }

    fn message_event(&mut self, channel: &str, source_team: &str, mut body: Map<String, Value>) {
        let Some(kind) = self.state.channels.get(channel).map(|channel| channel.kind) else { return };
        body.insert("type".to_owned(), json!("message"));
        body.insert("channel".to_owned(), json!(channel));
        body.insert("channel_type".to_owned(), json!(kind.channel_type()));
        if let Some(ts) = body.get("ts").cloned() {
            body.entry("event_ts".to_owned()).or_insert(ts);
        }
        self.push(Event {
            subscription: kind.message_event(),
            scope: format!("{}:history", kind.family()),
            audience: Audience::Channel(channel.to_owned()),
            team: source_team.to_owned(),
            body,
        });
    }

    /// Makes a message. The caller has checked who may.
    pub fn post(&mut self, channel_id: &str, author: Author, draft: Draft) -> Result<String, ApiError> {
        let now = self.now;
        if let Some(root) = &draft.thread_ts {
            let channel = self.state.channel(channel_id)?;
            match channel.messages.get(root) {
                Some(parent)
                    if parent.subtype.as_deref() == Some("tombstone") && draft.client_msg_id.is_none() =>
                {
                    return Err(refuse("cannot_reply_to_message"));
                }
                Some(_) => {}
                None if self.config.doubts.orphan_replies => {}
                None => return Err(refuse("thread_not_found")),
            }
        }
        let mut blocks = draft.blocks;
        self.identify(&mut blocks);
        let mut attachments = draft.attachments;
        for (index, attachment) in attachments.iter_mut().enumerate() {
            if let Some(attachment) = attachment.as_object_mut() {
                attachment.entry("id".to_owned()).or_insert(json!(index + 1));
                attachment.entry("fallback".to_owned()).or_insert(json!("[no preview available]"));
            }
        }
        let channel = self.state.channel_mut(channel_id)?;
        let ts = channel.next_ts(now);
        self.now = now + 1;
        let reply = draft.thread_ts.is_some();
        let subtype = draft
            .subtype
            .or_else(|| if draft.broadcast && reply { Some("thread_broadcast".to_owned()) } else { None });
        let team = author.team.clone();
        let message = Message {
            ts: ts.clone(),
            thread_ts: draft.thread_ts.clone(),
            author,
            subtype,
            text: draft.text,
            blocks,
            attachments,
            upload: !draft.files.is_empty(),
            files: draft.files.clone(),
            metadata: draft.metadata,
            client_msg_id: draft.client_msg_id,
            extra: draft.extra,
            ..Message::default()
        };
        let link = first_link(&message.text);
        channel.insert(message);
        for file in &draft.files {
            if let Some(file) = self.state.files.get_mut(file) {
                file.shares.push((channel_id.to_owned(), ts.clone()));
            }
        }
        let body = self.event_view(channel_id, &ts)?;
        self.message_event(channel_id, &team, body.clone());
        self.mention_events(channel_id, &team, body);
        if let Some(root) = &draft.thread_ts {
            self.reply_notice(channel_id, &team, root);
        }
        for file in &draft.files {
            let owner = self.state.files.get(file).map(|file| file.user.clone()).unwrap_or_default();
            self.emit(
                channel_id,
                "file_shared",
                "files:read",
                super::views::into_map(json!({"type": "file_shared", "file_id": file, "user_id": owner,
                    "file": {"id": file}, "channel_id": channel_id})),
            );
        }
        if self.config.doubts.unfurls
            && !draft.no_unfurl
            && let Some(url) = link
        {
            let later = Later::Unfurl { channel: channel_id.to_owned(), ts: ts.clone(), url };
            self.later.push((self.config.timing.unfurl_delay, later));
        }
        Ok(ts)
    }

    /// An app that is mentioned hears of it in addition to the message.
    fn mention_events(&mut self, channel: &str, team: &str, mut body: Map<String, Value>) {
        let text = body.get("text").and_then(Value::as_str).unwrap_or_default();
        let bots: Vec<String> = self
            .state
            .installs
            .iter()
            .filter_map(|install| install.bot_user.clone())
            .filter(|bot| text.contains(&format!("<@{bot}>")))
            .filter(|bot| self.state.channels.get(channel).is_some_and(|room| room.members.contains(bot)))
            .collect();
        body.insert("type".to_owned(), json!("app_mention"));
        body.insert("channel".to_owned(), json!(channel));
        if let Some(ts) = body.get("ts").cloned() {
            body.insert("event_ts".to_owned(), ts);
        }
        for bot in bots {
            self.push(Event {
                subscription: "app_mention".to_owned(),
                scope: "app_mentions:read".to_owned(),
                audience: Audience::User(bot),
                team: team.to_owned(),
                body: body.clone(),
            });
        }
    }

    pub(super) fn event_view(&self, channel: &str, ts: &str) -> Result<Map<String, Value>, ApiError> {
        let channel = self.state.channel(channel)?;
        let message = channel.messages.get(ts).ok_or_else(|| refuse("message_not_found"))?;
        let mut view = self.views().message(channel, message, Meta::Full);
        // Foreign members' files come as a stub that has to be looked up.
        if channel.is_ext_shared()
            && author_is_foreign(channel, &message.author)
            && let Some(files) = view.get_mut("files").and_then(Value::as_array_mut)
        {
            for file in files {
                *file = json!({"id": file["id"], "mode": "file_access", "file_access": "check_file_info",
                    "created": 0, "timestamp": 0, "user": ""});
            }
        }
        Ok(view)
    }

    fn reply_notice(&mut self, channel: &str, team: &str, root: &str) {
        let Ok(parent) = self.event_view(channel, root) else { return };
        let mut body = Map::new();
        match self.config.doubts.reply_notice {
            ReplyNotice::None => return,
            ReplyNotice::WithSubtype => {
                body.insert("subtype".to_owned(), json!("message_replied"));
            }
            ReplyNotice::WithoutSubtype => {}
            ReplyNotice::AsChange => {
                body.insert("subtype".to_owned(), json!("message_changed"));
                let mut before = parent.clone();
                for key in ["reply_count", "reply_users", "reply_users_count", "latest_reply"] {
                    before.remove(key);
                }
                body.insert("previous_message".to_owned(), Value::Object(before));
            }
        }
        body.insert("hidden".to_owned(), json!(true));
        body.insert("message".to_owned(), Value::Object(parent));
        self.now += 1;
        body.insert("ts".to_owned(), json!(ts_of(self.now)));
        self.message_event(channel, team, body);
    }

    /// Announces that a message's state is another one now.
    pub(super) fn changed(
        &mut self,
        channel: &str,
        ts: &str,
        before: Map<String, Value>,
    ) -> Result<(), ApiError> {
        let after = self.event_view(channel, ts)?;
        let team = self.state.message(channel, ts)?.author.team.clone();
        self.now += 1;
        let mut body = Map::new();
        body.insert("subtype".to_owned(), json!("message_changed"));
        body.insert("hidden".to_owned(), json!(true));
        body.insert("ts".to_owned(), json!(ts_of(self.now)));
        body.insert("message".to_owned(), Value::Object(after));
        body.insert("previous_message".to_owned(), Value::Object(before));
        self.message_event(channel, &team, body);
        Ok(())
    }

    /// Changes a message; `editor` is stamped when the text was really edited.
    pub fn update(
        &mut self,
        channel_id: &str,
        ts: &str,
        editor: &str,
        change: Change,
    ) -> Result<(), ApiError> {
        let before = self.event_view(channel_id, ts)?;
        let mut blocks = change.blocks;
        if let Some(blocks) = &mut blocks {
            self.identify(blocks);
        }
        let stamp = format!("{}.000000", self.now / 1_000_000);
        let doubts = &self.config.doubts;
        let author = self.state.message(channel_id, ts)?.author.clone();
        let rebuilt = match (&change.text, &blocks) {
            (Some(text), None) if change.typed || doubts.app_text_gets_blocks => {
                if text.is_empty() {
                    Vec::new()
                } else {
                    vec![self.rich_text(&author.team, text, change.typed)]
                }
            }
            _ => Vec::new(),
        };
        let restored = (!doubts.update_keeps_identity && author.username.is_some()).then(|| {
            author
                .bot_id
                .as_ref()
                .and_then(|bot| self.state.bots.get(bot))
                .and_then(|bot| bot.user_id.clone())
        });
        let marks_blocks = doubts.blocks_update_marks_edited;
        let message = self
            .state
            .channel_mut(channel_id)?
            .messages
            .get_mut(ts)
            .ok_or_else(|| refuse("message_not_found"))?;
        let had_blocks = blocks.as_ref().is_some_and(|blocks| !blocks.is_empty());
        let mut edited = false;
        if let Some(text) = change.text {
            let text = if change.typed { rich::list_text(&text) } else { text };
            edited = message.text != text;
            message.text = text;
            if blocks.is_none() {
                message.blocks = rebuilt;
            }
        }
        if let Some(blocks) = blocks {
            edited = edited || message.blocks != blocks;
            message.blocks = blocks;
        }
        if let Some(attachments) = change.attachments {
            edited = edited || message.attachments != attachments;
            message.attachments = attachments;
        }
        match change.metadata {
            MetadataChange::Keep => {}
            MetadataChange::Remove => message.metadata = None,
            MetadataChange::Set(metadata) => message.metadata = Some(metadata),
        }
        if let Some(files) = change.files {
            message.files = files;
        }
        if change.broadcast && message.thread_ts.is_some() {
            message.subtype = Some("thread_broadcast".to_owned());
        }
        if edited && (!had_blocks || marks_blocks) {
            message.edited = Some((editor.to_owned(), stamp));
        }
        if let Some(user) = restored {
            message.author.username = None;
            message.author.icons = None;
            message.author.user = user;
            message.subtype = None;
        }
        self.changed(channel_id, ts, before)
    }

    /// Adds an attachment as unfurling does: no edit mark.
    pub fn unfurl(&mut self, channel_id: &str, ts: &str, url: &str) -> Result<(), ApiError> {
        let before = self.event_view(channel_id, ts)?;
        let host = url.split('/').nth(2).unwrap_or("page").to_owned();
        let message = self
            .state
            .channel_mut(channel_id)?
            .messages
            .get_mut(ts)
            .ok_or_else(|| refuse("message_not_found"))?;
        let id = message.attachments.len() + 1;
        message.attachments.push(json!({
            "id": id, "from_url": url, "original_url": url, "service_name": host, "fallback": format!("Page at {host}"),
            "title": format!("Page at {host}"), "title_link": url, "text": "A preview that nobody wrote.",
        }));
        self.changed(channel_id, ts, before)
    }

    /// Deletes a message; a parent with replies becomes a tombstone.
    pub fn delete(&mut self, channel_id: &str, ts: &str) -> Result<(), ApiError> {
        let before = self.event_view(channel_id, ts)?;
        let channel = self.state.channel_mut(channel_id)?;
        let has_replies = channel.replies(ts).next().is_some();
        let message = channel.messages.get_mut(ts).ok_or_else(|| refuse("message_not_found"))?;
        if message.subtype.as_deref() == Some("tombstone") {
            return Err(refuse("message_not_found"));
        }
        let team = message.author.team.clone();
        if has_replies {
            *message = Message {
                ts: ts.to_owned(),
                subtype: Some("tombstone".to_owned()),
                text: "This message was deleted.".to_owned(),
                author: Author {
                    user: Some("USLACKBOT".to_owned()),
                    owner: "USLACKBOT".to_owned(),
                    team,
                    ..Author::default()
                },
                ..Message::default()
            };
            return self.changed(channel_id, ts, before);
        }
        let root = message.thread_ts.clone();
        channel.remove(ts);
        self.deleted(channel_id, ts, &team, before);
        if let Some(root) = root {
            let channel = self.state.channel(channel_id)?;
            let empty = channel.replies(&root).next().is_none();
            let stone =
                channel.messages.get(&root).is_some_and(|root| root.subtype.as_deref() == Some("tombstone"));
            if empty && stone {
                let before = self.event_view(channel_id, &root)?;
                self.state.channel_mut(channel_id)?.remove(&root);
                self.deleted(channel_id, &root, &team, before);
            }
        }
        Ok(())
    }

    fn deleted(&mut self, channel: &str, ts: &str, team: &str, before: Map<String, Value>) {
        self.now += 1;
        let mut body = Map::new();
        body.insert("subtype".to_owned(), json!("message_deleted"));
        body.insert("hidden".to_owned(), json!(true));
        body.insert("deleted_ts".to_owned(), json!(ts));
        body.insert("ts".to_owned(), json!(ts_of(self.now)));
        body.insert("previous_message".to_owned(), Value::Object(before));
        self.message_event(channel, team, body);
    }
}

fn author_is_foreign(channel: &super::state::Channel, author: &Author) -> bool {
    author.team != channel.team
}

fn first_link(text: &str) -> Option<String> {
    let start = text.find("<http")?;
    let end = text[start..].find('>')? + start;
    let inner = &text[start + 1..end];
    Some(rich::unescape(inner.split('|').next().unwrap_or(inner)))
}
