//! What people do in their clients, through the same state code as the API.

use base64::Engine as _;
use serde_json::{Value, json};

use super::desk::Desk;
use super::error::{ApiError, no_user, refuse};
use super::messages::{Change, Draft};
use super::rooms::NewChannel;
use super::sim::ZoomSim;
use super::state::Author;
use super::text::{At, Range, units};
use super::views::Form;
use crate::core::Blob;

/// What a person posts.
#[derive(Debug, Clone, Default)]
pub struct Post<'a> {
    /// As typed: `**bold**`, `_italic_`, `~~gone~~`, `[text](https://…)`, `> quote`, `* item`, `@Theo Lindqvist`.
    pub text: &'a str,
    /// Root of the thread.
    pub root: Option<&'a str>,
    /// Files: name and content.
    pub files: Vec<(&'a str, &'a [u8])>,
}

/// A typed text, read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Typed {
    /// Text without signs.
    pub text: String,
    /// Formats.
    pub ranges: Vec<Range>,
    /// Mentions.
    pub mentions: Vec<At>,
}

impl Desk<'_> {
    /// What a person typed, as a client understands it.
    pub fn typed(&self, room: &str, input: &str) -> Typed {
        let doubts = &self.config.doubts;
        let len = |text: &str| units(doubts, text).len();
        let mut typed = Typed::default();
        for (index, line) in input.trim().lines().enumerate() {
            if index > 0 {
                typed.text.push('\n');
            }
            let start = len(&typed.text);
            let (block, rest) =
                [("> ", "Quote"), ("* ", "BulletedList"), ("- ", "BulletedList"), ("1. ", "NumberedList")]
                    .into_iter()
                    .find_map(|(sign, kind)| line.strip_prefix(sign).map(|rest| (Some(kind), rest)))
                    .unwrap_or((None, line));
            inline(rest, &mut typed, &len);
            let end = len(&typed.text);
            if let Some(kind) = block
                && end > start
            {
                typed.ranges.push(Range { start, end, kind: kind.to_owned(), attr: String::new() });
            }
        }
        typed.mentions = self.mentioned(room, &typed.text, &len);
        typed
    }

    fn mentioned(&self, room: &str, text: &str, len: &dyn Fn(&str) -> usize) -> Vec<At> {
        let Ok(room) = self.state.room(room) else { return Vec::new() };
        let mut mentions = Vec::new();
        for (at, _) in text.match_indices('@') {
            let after = &text[at + 1..];
            let start = len(&text[..at]);
            let whole = |name: &str| {
                after.starts_with(name) && !after[name.len()..].starts_with(|c: char| c.is_alphanumeric())
            };
            if whole("all") {
                mentions.push(At { start, end: start + 4, user: None });
                continue;
            }
            let people = room.members.keys().filter_map(|id| self.state.people.get(id));
            let best =
                people.filter(|person| whole(&person.display_name)).max_by_key(|one| one.display_name.len());
            if let Some(person) = best {
                let end = start + 1 + len(&person.display_name);
                mentions.push(At { start, end, user: Some(person.id.clone()) });
            }
        }
        mentions
    }

    /// A person posts; the message's id.
    ///
    /// # Errors
    /// As the API refuses.
    pub fn person_posts(&mut self, user: &str, room: &str, post: &Post<'_>) -> Result<String, ApiError> {
        self.inside(user, room)?;
        let typed = self.typed(room, post.text);
        if typed.text.is_empty() && post.files.is_empty() {
            return Err(refuse(400, 300, "Write something first."));
        }
        self.may_send(user, room)?;
        let root = match post.root {
            Some(id) => Some(self.root(self.state.room(room)?, id)?),
            None => None,
        };
        let mut files = Vec::new();
        for (name, bytes) in &post.files {
            self.files_allowed(user)?;
            files.push(self.store_file(user, name, Blob::from(*bytes)));
        }
        let Typed { text, ranges, mentions } = typed;
        let mentions = if self.state.room(room)?.channel.is_some() { mentions } else { Vec::new() };
        let draft = Draft { text, ranges, mentions, files, root, ..Draft::default() };
        self.post(room, Author::Person(user.to_owned()), draft)
    }

    /// A slash command to an app's bot: `/name words`; whether it was one.
    pub fn command(&mut self, user: &str, room: &str, text: &str) -> bool {
        let Some(words) = text.trim().strip_prefix('/') else { return false };
        let (name, rest) = words.split_once(' ').unwrap_or((words, ""));
        let app = self
            .state
            .apps
            .iter()
            .find(|app| app.seed.robot_jid.is_some() && app.seed.name.eq_ignore_ascii_case(name))
            .map(|app| app.seed.app_id.clone());
        let Some(app_id) = app else { return false };
        self.notify_bot(&app_id, room, user, rest.trim());
        true
    }

    /// Whether a person is in a conversation.
    ///
    /// # Errors
    /// When not.
    pub fn inside(&self, user: &str, room: &str) -> Result<(), ApiError> {
        self.state.person(user)?;
        if self.state.room(room)?.members.contains_key(user) {
            return Ok(());
        }
        Err(refuse(403, 200, "You are not in this conversation."))
    }
}

/// Signs inside a line.
fn inline(line: &str, typed: &mut Typed, len: &dyn Fn(&str) -> usize) {
    const SIGNS: [(&str, &str); 4] =
        [("**", "Bold"), ("~~", "Strikethrough"), ("__", "Underline"), ("_", "Italic")];
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let word_before = typed.text.chars().next_back().is_some_and(char::is_alphanumeric);
        let styled = SIGNS.into_iter().filter(|_| !word_before).find_map(|(sign, kind)| {
            let inner = rest.strip_prefix(sign)?;
            let end = inner.find(sign).filter(|end| *end > 0 && !inner.starts_with(' '))?;
            Some((kind, &inner[..end], &inner[end + sign.len()..]))
        });
        if let Some((kind, inner, after)) = styled {
            let start = len(&typed.text);
            inline(inner, typed, len);
            let end = len(&typed.text);
            typed.ranges.push(Range { start, end, kind: kind.to_owned(), attr: String::new() });
            rest = after;
            continue;
        }
        if let Some((words, address, after)) = link(rest) {
            let start = len(&typed.text);
            typed.text.push_str(words);
            let end = len(&typed.text);
            typed.ranges.push(Range { start, end, kind: "AddLink".to_owned(), attr: address.to_owned() });
            rest = after;
            continue;
        }
        typed.text.push(first);
        rest = &rest[first.len_utf8()..];
    }
}

fn link(text: &str) -> Option<(&str, &str, &str)> {
    let inner = text.strip_prefix('[')?;
    let (words, after) = inner.split_once("](")?;
    let (address, after) = after.split_once(')')?;
    let fine = !words.is_empty() && (address.starts_with("https://") || address.starts_with("http://"));
    fine.then_some((words, address, after))
}

impl ZoomSim {
    /// A person posts in a channel or a direct conversation; the message's id. The text is as typed.
    ///
    /// # Errors
    /// As the API refuses.
    pub fn post(&self, user: &str, room: &str, text: &str) -> Result<String, ApiError> {
        self.post_with(user, room, &Post { text, ..Post::default() })
    }

    /// A person replies in a thread.
    ///
    /// # Errors
    /// As the API refuses.
    pub fn reply(&self, user: &str, room: &str, root: &str, text: &str) -> Result<String, ApiError> {
        self.post_with(user, room, &Post { text, root: Some(root), ..Post::default() })
    }

    /// A person posts with everything a client offers.
    ///
    /// # Errors
    /// As the API refuses.
    pub fn post_with(&self, user: &str, room: &str, post: &Post<'_>) -> Result<String, ApiError> {
        self.engine.operate(|desk| desk.person_posts(user, room, post))
    }

    /// A person uses a slash command (`/dragoman help`); false when no bot knows it.
    pub fn command(&self, user: &str, room: &str, text: &str) -> bool {
        self.engine.operate(|desk| desk.command(user, room, text))
    }

    /// A person copies the link to a message of a channel.
    ///
    /// # Errors
    /// When there is no such message for them.
    pub fn copy_link(&self, user: &str, channel: &str, id: &str) -> Result<String, ApiError> {
        self.engine.operate(|desk| {
            desk.inside(user, channel)?;
            let at = desk.message_mut(channel, id)?.at;
            // In the client's order.
            let target = format!(r#"{{"sid":"{channel}@conference.xmpp.zoom.us","mid":"{id}","time":{at}}}"#);
            let packed = base64::engine::general_purpose::STANDARD.encode(target);
            Ok(format!("https://zoom.us/launch/chat/v2/{packed}"))
        })
    }

    /// A person edits a message of theirs; clients keep formats and mentions.
    ///
    /// # Errors
    /// As the API refuses.
    pub fn edit(&self, user: &str, room: &str, id: &str, text: &str) -> Result<(), ApiError> {
        self.engine.operate(|desk| {
            let Typed { text, ranges, mentions } = desk.typed(room, text);
            desk.edit(room, id, user, Change { text, ranges, mentions, ..Change::default() })
        })
    }

    /// A person deletes a message of theirs.
    ///
    /// # Errors
    /// As the API refuses.
    pub fn delete(&self, user: &str, room: &str, id: &str) -> Result<(), ApiError> {
        self.engine.operate(|desk| desk.delete(room, id, user, false))
    }

    /// An administrator deletes anybody's message: the operator of the event is not its author.
    ///
    /// # Errors
    /// When there is none.
    pub fn delete_as_admin(&self, admin: &str, room: &str, id: &str) -> Result<(), ApiError> {
        self.engine.operate(|desk| desk.delete(room, id, admin, true))
    }

    /// Retention removes a message: no event, and the API does not know it any more.
    ///
    /// # Errors
    /// When there is none.
    pub fn purge(&self, room: &str, id: &str) -> Result<(), ApiError> {
        self.engine.operate(|desk| {
            desk.message_mut(room, id)?.purged = true;
            Ok(())
        })
    }

    /// A person adds a reaction (an emoji, or the name of a custom one).
    ///
    /// # Errors
    /// When there is no such message.
    pub fn react(&self, user: &str, room: &str, id: &str, emoji: &str) -> Result<(), ApiError> {
        self.engine.operate(|desk| {
            desk.inside(user, room)?;
            desk.react(room, id, user, emoji, true)
        })
    }

    /// A person removes a reaction.
    ///
    /// # Errors
    /// When there is no such message.
    pub fn unreact(&self, user: &str, room: &str, id: &str, emoji: &str) -> Result<(), ApiError> {
        self.engine.operate(|desk| desk.react(room, id, user, emoji, false))
    }

    /// The direct conversation of two people; made when there is none.
    ///
    /// # Errors
    /// When somebody is unknown.
    pub fn open_direct(&self, one: &str, two: &str) -> Result<String, ApiError> {
        self.engine.operate(|desk| {
            desk.state.person(one)?;
            desk.state.person(two)?;
            Ok(desk.state.direct(one, two))
        })
    }

    /// The conversation of a person with an app's bot; made when there is none.
    ///
    /// # Errors
    /// When the app has no bot.
    pub fn open_direct_with_bot(&self, user: &str, app_id: &str) -> Result<String, ApiError> {
        self.engine.operate(|desk| {
            let robot = desk.state.app(app_id).and_then(|app| app.seed.robot_jid.clone());
            let robot = robot.ok_or_else(|| no_user(app_id))?;
            Ok(desk.state.direct_with_bot(user, app_id, &robot))
        })
    }

    /// A person makes a channel; its id.
    ///
    /// # Errors
    /// When the name is taken.
    pub fn create_channel(&self, user: &str, name: &str, private: bool) -> Result<String, ApiError> {
        let kind = if private { 1 } else { 3 };
        let new = NewChannel { name: name.to_owned(), kind, ..NewChannel::default() };
        self.engine.operate(|desk| desk.create_channel(user, new))
    }

    /// A person renames a channel.
    ///
    /// # Errors
    /// When the person may not.
    pub fn rename(&self, user: &str, channel: &str, name: &str) -> Result<(), ApiError> {
        self.engine.operate(|desk| desk.update_channel(channel, user, Some(name), None, &Value::Null))
    }

    /// A person says who may post (1 everybody, 2 or 3 the administrators).
    ///
    /// # Errors
    /// When the person may not.
    pub fn set_posting(&self, user: &str, channel: &str, permission: u8) -> Result<(), ApiError> {
        let settings = json!({"posting_permissions": permission});
        self.engine.operate(|desk| desk.update_channel(channel, user, None, None, &settings))
    }

    /// A person deletes a channel.
    ///
    /// # Errors
    /// When the person may not.
    pub fn delete_channel(&self, user: &str, channel: &str) -> Result<(), ApiError> {
        self.engine.operate(|desk| desk.delete_channel(channel, user))
    }

    /// A channel is archived or opened again.
    ///
    /// # Errors
    /// When the person may not.
    pub fn archive(&self, user: &str, channel: &str, archived: bool) -> Result<(), ApiError> {
        self.engine.operate(|desk| desk.archive(channel, user, archived))
    }

    /// Somebody joins, perhaps invited.
    ///
    /// # Errors
    /// When the channel is not public, or the inviter may not.
    pub fn join(&self, user: &str, channel: &str, inviter: Option<&str>) -> Result<(), ApiError> {
        self.engine.operate(|desk| match inviter {
            Some(inviter) => desk.invite(channel, inviter, &[user.to_owned()]).map(|_| ()),
            None => desk.join(channel, user),
        })
    }

    /// Somebody leaves, or is removed by `actor`.
    ///
    /// # Errors
    /// When the person is not in it.
    pub fn leave(&self, user: &str, channel: &str, actor: Option<&str>) -> Result<(), ApiError> {
        self.engine.operate(|desk| desk.leave(channel, user, actor))
    }

    /// Adds an app's bot to a channel, or removes it.
    ///
    /// # Errors
    /// When the app has no bot.
    pub fn set_bot(&self, user: &str, channel: &str, app_id: &str, inside: bool) -> Result<(), ApiError> {
        self.engine.operate(|desk| desk.set_bot(channel, user, app_id, inside))
    }

    /// Pins a message, or takes it down.
    ///
    /// # Errors
    /// When there is none.
    pub fn pin(&self, user: &str, channel: &str, id: &str, pinned: bool) -> Result<(), ApiError> {
        self.engine.operate(|desk| desk.pin(channel, user, id, pinned))
    }

    /// Somebody's account is changed: name, picture, blocked people, chat, deletion. There is no event for it.
    ///
    /// # Errors
    /// When the person is unknown.
    pub fn change_person(
        &self,
        user: &str,
        change: impl FnOnce(&mut super::state::Person),
    ) -> Result<(), ApiError> {
        self.engine.operate(|desk| {
            change(desk.state.people.get_mut(user).ok_or_else(|| no_user(user))?);
            Ok(())
        })
    }

    /// A file is deleted.
    ///
    /// # Errors
    /// When there is none.
    pub fn delete_file(&self, id: &str) -> Result<(), ApiError> {
        self.engine.operate(|desk| desk.delete_file(id))
    }

    /// Somebody removes an app: tokens are dead at once, the app is told.
    pub fn deauthorize(&self, app_id: &str, user: &str) {
        self.engine.operate(|desk| {
            if let Some(app) = desk.state.app(app_id).map(|app| app.seed.clone()) {
                desk.deauthorize(&app, user);
            }
        });
    }

    /// All messages of a conversation in order, replies included, as the list shows them to a person.
    pub fn messages(&self, room: &str, viewer: &str) -> Vec<Value> {
        self.engine.operate(|desk| {
            let views = desk.views();
            let Some(room) = desk.state.rooms.get(room) else { return Vec::new() };
            room.messages
                .values()
                .filter(|message| !message.purged && !message.deleted)
                .filter(|message| message.visible_to.as_deref().is_none_or(|only| only == viewer))
                .map(|message| views.message(room, message, viewer, Form::List(true)))
                .collect()
        })
    }
}
