//! What people do in their clients, through the same state code as the Web API.

use serde_json::Map;

use super::api::uninstall_place;
use super::desk::{Change, Desk, Draft, Share};
use super::error::{ApiError, refuse};
use super::sim::SlackSim;
use super::state::{Author, File, Message};
use crate::core::Blob;

fn person(desk: &Desk<'_>, user: &str) -> Result<Author, ApiError> {
    let known = desk.state.user(user)?;
    Ok(Author {
        user: Some(user.to_owned()),
        owner: user.to_owned(),
        team: known.team.clone(),
        ..Author::default()
    })
}

fn inside(desk: &Desk<'_>, user: &str, channel: &str) -> Result<(), ApiError> {
    let channel = desk.state.channel(channel)?;
    if !channel.members.contains(user) {
        return Err(refuse("not_in_channel"));
    }
    if channel.archived {
        return Err(refuse("is_archived"));
    }
    Ok(())
}

fn own<'d>(desk: &'d Desk<'_>, user: &str, channel: &str, ts: &str) -> Result<&'d Message, ApiError> {
    let message = desk.state.message(channel, ts)?;
    if message.author.owner == user { Ok(message) } else { Err(refuse("cant_update_message")) }
}

/// What a person posts.
#[derive(Debug, Clone, Default)]
pub struct Post<'a> {
    /// As typed: `*bold*`, `@Ana Souza`, `#launch`, emoji, links, lists, quotes, code.
    pub text: &'a str,
    /// Thread root.
    pub thread_ts: Option<&'a str>,
    /// Also to the channel.
    pub broadcast: bool,
    /// Files: name and content.
    pub files: Vec<(&'a str, &'a [u8])>,
}

impl Desk<'_> {
    /// A person posts; returns the message's `ts`.
    pub fn person_posts(&mut self, user: &str, channel: &str, post: &Post<'_>) -> Result<String, ApiError> {
        inside(self, user, channel)?;
        let author = person(self, user)?;
        let (text, blocks) = self.typed(&author.team, post.text);
        if text.is_empty() && post.files.is_empty() {
            return Err(refuse("no_text"));
        }
        let mut files = Vec::new();
        for (name, bytes) in &post.files {
            let id = format!("F{}", self.world.upper(10));
            self.state.files.insert(
                id.clone(),
                File {
                    id: id.clone(),
                    user: user.to_owned(),
                    team: author.team.clone(),
                    name: (*name).to_owned(),
                    title: (*name).to_owned(),
                    length: bytes.len() as u64,
                    bytes: Blob::from(*bytes),
                    uploaded: true,
                    completed: true,
                    created: self.now / 1_000_000,
                    ..File::default()
                },
            );
            files.push(id);
        }
        let draft = Draft {
            text,
            blocks,
            thread_ts: post.thread_ts.map(str::to_owned),
            broadcast: post.broadcast,
            subtype: (!files.is_empty()).then(|| "file_share".to_owned()),
            client_msg_id: Some(self.world.uuid()),
            files: files.clone(),
            ..Draft::default()
        };
        if files.is_empty() {
            return self.post(channel, author, draft);
        }
        let share = Share { files, channels: vec![channel.to_owned()], draft, author };
        self.share(&share);
        let channel = self.state.channel(channel)?;
        channel.messages.keys().next_back().cloned().ok_or_else(|| refuse("channel_not_found"))
    }

    /// A person edits a message of theirs.
    pub fn person_edits(&mut self, user: &str, channel: &str, ts: &str, typed: &str) -> Result<(), ApiError> {
        let team = own(self, user, channel, ts)?.author.team.clone();
        let names = super::desk::TeamNames { state: self.state, team: &team };
        let text = super::rich::typed(typed, &names);
        let change = Change { text: Some(text), typed: true, ..Change::default() };
        self.update(channel, ts, user, change)
    }

    /// A person deletes a message of theirs, or an administrator any.
    pub fn person_deletes(&mut self, user: &str, channel: &str, ts: &str) -> Result<(), ApiError> {
        if !self.state.user(user)?.admin {
            own(self, user, channel, ts).map_err(|_| refuse("cant_delete_message"))?;
        }
        self.delete(channel, ts)
    }
}

impl SlackSim {
    /// A person posts in a channel; returns `ts`. The text is as typed.
    pub fn post(&self, user: &str, channel: &str, text: &str) -> Result<String, ApiError> {
        self.post_with(user, channel, &Post { text, ..Post::default() })
    }

    /// A person replies in a thread.
    pub fn reply(&self, user: &str, channel: &str, thread_ts: &str, text: &str) -> Result<String, ApiError> {
        self.post_with(user, channel, &Post { text, thread_ts: Some(thread_ts), ..Post::default() })
    }

    /// A person posts with everything a client offers.
    pub fn post_with(&self, user: &str, channel: &str, post: &Post<'_>) -> Result<String, ApiError> {
        self.engine.operate(|desk| desk.person_posts(user, channel, post))
    }

    /// A person writes an action (`/me`).
    pub fn post_me(&self, user: &str, channel: &str, text: &str) -> Result<String, ApiError> {
        self.engine.operate(|desk| {
            inside(desk, user, channel)?;
            let author = person(desk, user)?;
            let subtype = Some("me_message".to_owned());
            desk.post(channel, author, Draft { text: text.to_owned(), subtype, ..Draft::default() })
        })
    }

    /// A person edits a message of theirs.
    pub fn edit(&self, user: &str, channel: &str, ts: &str, text: &str) -> Result<(), ApiError> {
        self.engine.operate(|desk| desk.person_edits(user, channel, ts, text))
    }

    /// A person deletes a message.
    pub fn delete(&self, user: &str, channel: &str, ts: &str) -> Result<(), ApiError> {
        self.engine.operate(|desk| desk.person_deletes(user, channel, ts))
    }

    /// A person shows a reply of theirs in the channel as well, later than it was written.
    pub fn broadcast(&self, user: &str, channel: &str, ts: &str) -> Result<(), ApiError> {
        self.engine.operate(|desk| {
            own(desk, user, channel, ts)?;
            desk.update(channel, ts, user, Change { broadcast: true, ..Change::default() })
        })
    }

    /// A person adds a reaction (`+1`, `wave::skin-tone-3`).
    pub fn react(&self, user: &str, channel: &str, ts: &str, name: &str) -> Result<(), ApiError> {
        self.engine.operate(|desk| {
            inside(desk, user, channel)?;
            desk.react(channel, ts, user, name, true)
        })
    }

    /// A person removes a reaction.
    pub fn unreact(&self, user: &str, channel: &str, ts: &str, name: &str) -> Result<(), ApiError> {
        self.engine.operate(|desk| desk.react(channel, ts, user, name, false))
    }

    /// A link in a message gets its preview: `message_changed` that nobody made.
    pub fn unfurl(&self, channel: &str, ts: &str, url: &str) -> Result<(), ApiError> {
        self.engine.operate(|desk| desk.unfurl(channel, ts, url))
    }

    /// A file is deleted.
    pub fn delete_file(&self, id: &str) -> Result<(), ApiError> {
        self.engine.operate(|desk| desk.delete_file(id))
    }

    /// Somebody joins, perhaps invited.
    pub fn join(&self, user: &str, channel: &str, inviter: Option<&str>) -> Result<(), ApiError> {
        self.engine.operate(|desk| {
            desk.state.user(user)?;
            desk.join(channel, user, inviter)
        })
    }

    /// Somebody leaves, or is removed by `actor`.
    pub fn leave(&self, user: &str, channel: &str, actor: Option<&str>) -> Result<(), ApiError> {
        self.engine.operate(|desk| desk.leave(channel, user, actor))
    }

    /// A person makes a channel; returns its id.
    pub fn create_channel(&self, user: &str, name: &str, private: bool) -> Result<String, ApiError> {
        self.engine.operate(|desk| {
            let team = desk.state.user(user)?.team.clone();
            desk.create(&team, user, name, private)
        })
    }

    /// A person renames a channel.
    pub fn rename(&self, user: &str, channel: &str, name: &str) -> Result<(), ApiError> {
        self.engine.operate(|desk| desk.rename(channel, user, name))
    }

    /// A person sets a channel's topic.
    pub fn set_topic(&self, user: &str, channel: &str, topic: &str) -> Result<(), ApiError> {
        self.engine.operate(|desk| desk.describe(channel, user, "topic", topic))
    }

    /// A channel is archived or opened again.
    pub fn archive(&self, user: &str, channel: &str, archived: bool) -> Result<(), ApiError> {
        self.engine.operate(|desk| desk.archive(channel, user, archived))
    }

    /// A channel is deleted.
    pub fn delete_channel(&self, user: &str, channel: &str) -> Result<(), ApiError> {
        self.engine.operate(|desk| desk.remove_channel(channel, user))
    }

    /// A channel gets another id.
    pub fn change_channel_id(&self, old: &str, new: &str) -> Result<(), ApiError> {
        self.engine.operate(|desk| desk.change_id(old, new))
    }

    /// A channel is shared with another workspace, or no longer.
    pub fn share_channel(&self, channel: &str, team: &str, shared: bool) -> Result<(), ApiError> {
        self.engine.operate(|desk| desk.share_channel(channel, team, shared))
    }

    /// The direct conversation of these people (1:1 or a group); made when there is none.
    pub fn open_direct(&self, members: &[&str]) -> Result<String, ApiError> {
        self.engine.operate(|desk| {
            let first = members.first().ok_or_else(|| refuse("not_enough_users"))?;
            let team = desk.state.user(first)?.team.clone();
            let members: Vec<String> = members.iter().map(|member| (*member).to_owned()).collect();
            Ok(desk.open(&team, &members).0)
        })
    }

    /// A person changes their display name.
    pub fn change_display_name(&self, user: &str, name: &str) -> Result<(), ApiError> {
        self.engine.operate(|desk| {
            let seconds = desk.now / 1_000_000;
            let known = desk.state.users.get_mut(user).ok_or_else(|| refuse("user_not_found"))?;
            name.clone_into(&mut known.display_name);
            known.updated = seconds;
            desk.user_changed(user, "user_change")
        })
    }

    /// A person becomes a guest of some channels.
    pub fn make_guest(&self, user: &str) -> Result<(), ApiError> {
        self.engine.operate(|desk| {
            desk.state.users.get_mut(user).ok_or_else(|| refuse("user_not_found"))?.guest = true;
            desk.user_changed(user, "user_change")
        })
    }

    /// A person's account is deactivated: their tokens stop working.
    pub fn deactivate(&self, user: &str) -> Result<(), ApiError> {
        self.engine.operate(|desk| {
            desk.state.users.get_mut(user).ok_or_else(|| refuse("user_not_found"))?.deleted = true;
            desk.user_changed(user, "user_change")
        })
    }

    /// A custom emoji is added, or removed when there is no image.
    pub fn set_emoji(&self, team: &str, name: &str, image: Option<&str>) -> Result<(), ApiError> {
        self.engine.operate(|desk| desk.set_emoji(team, name, image))
    }

    /// A user group is made or changed.
    pub fn set_group(&self, team: &str, id: &str, handle: &str, users: &[String]) -> Result<(), ApiError> {
        self.engine.operate(|desk| desk.set_group(team, id, handle, users))
    }

    /// A workspace gets another name.
    pub fn rename_team(&self, team: &str, name: &str) -> Result<(), ApiError> {
        self.engine.operate(|desk| desk.rename_team(team, name))
    }

    /// An administrator removes an app from a place (`T…` or `E…`).
    pub fn uninstall(&self, app_id: &str, place: &str) {
        self.engine.operate(|desk| uninstall_place(desk, app_id, place));
    }

    /// Another app's webhook posts under a name: `bot_message` without `user`.
    pub fn post_as_integration(&self, channel: &str, name: &str, text: &str) -> Result<String, ApiError> {
        self.engine.operate(|desk| {
            let team = desk.state.channel(channel)?.team.clone();
            let bot_id = "B07WEBHOOK".to_owned();
            let author = Author {
                owner: bot_id.clone(),
                bot_id: Some(bot_id),
                username: Some(name.to_owned()),
                team,
                ..Author::default()
            };
            let draft = Draft {
                text: super::rich::linked(text),
                subtype: Some("bot_message".to_owned()),
                extra: Map::new(),
                ..Draft::default()
            };
            desk.post(channel, author, draft)
        })
    }
}
