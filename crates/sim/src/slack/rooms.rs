//! Operations on conversations: membership, names, topics, archiving.

use std::collections::BTreeSet;

use indexmap::IndexSet;
use serde_json::{Map, Value, json};

use super::desk::{Desk, Draft};
use super::error::{ApiError, refuse};
use super::events::{Audience, Event};
use super::state::{Author, Channel, Kind, ts_of};
use super::views::into_map;

impl Desk<'_> {
    fn system_message(
        &mut self,
        channel: &str,
        user: &str,
        subtype: &str,
        text: String,
        extra: Map<String, Value>,
    ) {
        let team = self.state.users.get(user).map(|user| user.team.clone()).unwrap_or_default();
        let author =
            Author { user: Some(user.to_owned()), owner: user.to_owned(), team, ..Author::default() };
        let draft =
            Draft { text, subtype: Some(subtype.to_owned()), extra, no_unfurl: true, ..Draft::default() };
        // Only fails for an unknown conversation, which the caller has looked up.
        drop(self.post(channel, author, draft));
    }

    fn prefixed(&self, channel: &str, what: &str) -> String {
        match self.state.channels.get(channel).map(|channel| channel.kind) {
            Some(Kind::Private) => format!("group_{what}"),
            _ => format!("channel_{what}"),
        }
    }

    fn read_scope(&self, channel: &str) -> String {
        let family = self.state.channels.get(channel).map_or("channels", |channel| channel.kind.family());
        format!("{family}:read")
    }

    /// Lets a user into a conversation.
    pub fn join(&mut self, channel_id: &str, user: &str, inviter: Option<&str>) -> Result<(), ApiError> {
        let channel = self.state.channel_mut(channel_id)?;
        if !channel.members.insert(user.to_owned()) {
            return Err(refuse("already_in_channel"));
        }
        let kind = channel.kind;
        let team = channel.team.clone();
        let letter = if kind == Kind::Public { "C" } else { "G" };
        let mut body = into_map(json!({"type": "member_joined_channel", "user": user, "channel": channel_id,
            "channel_type": letter, "team": team}));
        let mut extra = Map::new();
        if let Some(inviter) = inviter {
            body.insert("inviter".to_owned(), json!(inviter));
            extra.insert("inviter".to_owned(), json!(inviter));
        }
        if let Some(enterprise) = self.state.teams.get(&team).and_then(|team| team.enterprise.clone()) {
            body.insert("enterprise".to_owned(), json!(enterprise));
        }
        let scope = self.read_scope(channel_id);
        self.emit(channel_id, "member_joined_channel", &scope, body);
        let subtype = self.prefixed(channel_id, "join");
        self.system_message(channel_id, user, &subtype, format!("<@{user}> has joined the channel"), extra);
        Ok(())
    }

    /// Takes a user out of a conversation; `actor` when somebody else did it.
    pub fn leave(&mut self, channel_id: &str, user: &str, actor: Option<&str>) -> Result<(), ApiError> {
        let channel = self.state.channel(channel_id)?;
        if !channel.members.contains(user) {
            return Err(refuse("not_in_channel"));
        }
        let (team, kind) = (channel.team.clone(), channel.kind);
        let letter = if kind == Kind::Public { "C" } else { "G" };
        let scope = self.read_scope(channel_id);
        let subtype = self.prefixed(channel_id, "leave");
        self.system_message(
            channel_id,
            user,
            &subtype,
            format!("<@{user}> has left the channel"),
            Map::new(),
        );
        let body = json!({"type": "member_left_channel", "user": user, "channel": channel_id,
            "channel_type": letter, "team": team});
        self.emit(channel_id, "member_left_channel", &scope, into_map(body));
        self.state.channel_mut(channel_id)?.members.shift_remove(user);
        let name = if kind == Kind::Public { "channel_left" } else { "group_left" };
        self.now += 1;
        let mut body = into_map(json!({"type": name, "channel": channel_id, "event_ts": ts_of(self.now)}));
        if let Some(actor) = actor {
            body.insert("actor_id".to_owned(), json!(actor));
        }
        self.push(Event {
            subscription: name.to_owned(),
            scope,
            audience: Audience::User(user.to_owned()),
            team,
            body,
        });
        Ok(())
    }

    /// Renames a channel.
    pub fn rename(&mut self, channel_id: &str, user: &str, name: &str) -> Result<(), ApiError> {
        check_name(name)?;
        let team = self.state.channel(channel_id)?.team.clone();
        if self.state.channels.values().any(|other| other.team == team && other.name == name) {
            return Err(refuse("name_taken"));
        }
        let now = self.now;
        let channel = self.state.channel_mut(channel_id)?;
        let old = std::mem::replace(&mut channel.name, name.to_owned());
        channel.previous_names.insert(0, old.clone());
        channel.updated = now / 1_000;
        let created = channel.created;
        let kind = self.prefixed(channel_id, "rename");
        let scope = self.read_scope(channel_id);
        let body = json!({"type": kind, "channel": {"id": channel_id, "name": name, "name_normalized": name,
            "created": created, "is_channel": true, "is_mpim": false}});
        self.emit(channel_id, &kind, &scope, into_map(body));
        let extra = Map::from_iter([("old_name".to_owned(), json!(old)), ("name".to_owned(), json!(name))]);
        let subtype = self.prefixed(channel_id, "name");
        let text = format!("has renamed the channel from \"{old}\" to \"{name}\"");
        self.system_message(channel_id, user, &subtype, text, extra);
        Ok(())
    }

    /// Sets topic or purpose.
    pub fn describe(&mut self, channel_id: &str, user: &str, what: &str, text: &str) -> Result<(), ApiError> {
        if text.chars().count() > 250 {
            return Err(refuse("too_long"));
        }
        let now = self.now;
        let channel = self.state.channel_mut(channel_id)?;
        let value = (text.to_owned(), user.to_owned(), now / 1_000_000);
        if what == "topic" {
            channel.topic = value;
        } else {
            channel.purpose = value;
        }
        channel.updated = now / 1_000;
        let subtype = self.prefixed(channel_id, what);
        let extra = Map::from_iter([(what.to_owned(), json!(text))]);
        self.system_message(
            channel_id,
            user,
            &subtype,
            format!("<@{user}> set the channel {what}: {text}"),
            extra,
        );
        Ok(())
    }

    /// Archives or opens again.
    pub fn archive(&mut self, channel_id: &str, user: &str, archived: bool) -> Result<(), ApiError> {
        let channel = self.state.channel_mut(channel_id)?;
        if channel.archived == archived {
            return Err(refuse(if archived { "already_archived" } else { "not_archived" }));
        }
        if archived && channel.name == "general" {
            return Err(refuse("cant_archive_general"));
        }
        channel.archived = archived;
        let kind = self.prefixed(channel_id, if archived { "archive" } else { "unarchive" });
        let scope = self.read_scope(channel_id);
        let body = json!({"type": kind, "channel": channel_id, "user": user, "is_moved": 0});
        self.emit(channel_id, &kind, &scope, into_map(body));
        let word = if archived { "archived" } else { "un-archived" };
        self.system_message(channel_id, user, &kind, format!("<@{user}> {word} the channel"), Map::new());
        Ok(())
    }

    /// Deletes a channel for good.
    pub fn remove_channel(&mut self, channel_id: &str, user: &str) -> Result<(), ApiError> {
        let kind = self.prefixed(channel_id, "deleted");
        let scope = self.read_scope(channel_id);
        self.state.channel(channel_id)?;
        let body = json!({"type": kind, "channel": channel_id, "actor_id": user});
        self.emit(channel_id, &kind, &scope, into_map(body));
        // The audience is found when the event is delivered: keep the members until then.
        self.state.channel_mut(channel_id)?.archived = true;
        Ok(())
    }

    /// Gives a channel another id, as starting to share a private one does.
    pub fn change_id(&mut self, old: &str, new: &str) -> Result<(), ApiError> {
        let scope = self.read_scope(old);
        let mut channel = self.state.channels.shift_remove(old).ok_or_else(|| refuse("channel_not_found"))?;
        new.clone_into(&mut channel.id);
        self.state.channels.insert(new.to_owned(), channel);
        let body = json!({"type": "channel_id_changed", "old_channel_id": old, "new_channel_id": new});
        self.emit(new, "channel_id_changed", &scope, into_map(body));
        Ok(())
    }

    /// Shares a channel with another workspace, or ends that.
    pub fn share_channel(&mut self, channel_id: &str, with: &str, shared: bool) -> Result<(), ApiError> {
        let scope = self.read_scope(channel_id);
        let channel = self.state.channel_mut(channel_id)?;
        channel.shared_with.retain(|team| team != with);
        let body = if shared {
            channel.shared_with.push(with.to_owned());
            json!({"type": "channel_shared", "connected_team_id": with, "channel": channel_id})
        } else {
            json!({"type": "channel_unshared", "previously_connected_team_id": with, "channel": channel_id,
                "is_ext_shared": !channel.shared_with.is_empty()})
        };
        let kind = if shared { "channel_shared" } else { "channel_unshared" };
        self.emit(channel_id, kind, &scope, into_map(body));
        Ok(())
    }

    /// Makes a channel.
    pub fn create(&mut self, team: &str, user: &str, name: &str, private: bool) -> Result<String, ApiError> {
        check_name(name)?;
        if self.state.channels.values().any(|other| other.team == team && other.name == name) {
            return Err(refuse("name_taken"));
        }
        let id = format!("C{}", self.world.upper(10));
        let kind = if private { Kind::Private } else { Kind::Public };
        let mut channel = Channel::new(&id, team, name, kind, user, self.now);
        channel.members.insert(user.to_owned());
        let created = channel.created;
        self.state.channels.insert(id.clone(), channel);
        if !private {
            self.now += 1;
            let body = json!({"type": "channel_created", "event_ts": ts_of(self.now), "channel": {
                "id": id, "name": name, "name_normalized": name, "is_channel": true, "created": created,
                "creator": user, "context_team_id": team}});
            self.push(Event {
                subscription: "channel_created".to_owned(),
                scope: "channels:read".to_owned(),
                audience: Audience::Team(team.to_owned()),
                team: team.to_owned(),
                body: into_map(body),
            });
        }
        Ok(id)
    }

    /// The direct conversation of these people; made when there is none yet. True when it was there.
    pub fn open(&mut self, team: &str, members: &[String]) -> (String, bool) {
        let set: BTreeSet<String> = members.iter().cloned().collect();
        let kind = if set.len() > 2 { Kind::Mpim } else { Kind::Im };
        if let Some(channel) = self.state.direct(kind, &set) {
            return (channel.id.clone(), true);
        }
        let letter = if kind == Kind::Im { "D" } else { "C" };
        let id = format!("{letter}{}", self.world.upper(10));
        let creator = members.first().cloned().unwrap_or_default();
        let name = if kind == Kind::Im {
            String::new()
        } else {
            let handles: Vec<&str> = members
                .iter()
                .filter_map(|member| self.state.users.get(member))
                .map(|user| user.handle.as_str())
                .collect();
            format!("mpdm-{}-1", handles.join("--"))
        };
        let mut channel = Channel::new(&id, team, &name, kind, &creator, self.now);
        channel.members = set.into_iter().collect::<IndexSet<String>>();
        self.state.channels.insert(id.clone(), channel);
        (id, false)
    }

    /// Tells all apps of a workspace.
    fn tell_team(&mut self, team: &str, scope: &str, mut body: Map<String, Value>) {
        self.now += 1;
        body.insert("event_ts".to_owned(), json!(ts_of(self.now)));
        self.push(Event {
            subscription: body.get("type").and_then(Value::as_str).unwrap_or_default().to_owned(),
            scope: scope.to_owned(),
            audience: Audience::Team(team.to_owned()),
            team: team.to_owned(),
            body,
        });
    }

    /// Adds a custom emoji, or removes it when there is no image.
    pub fn set_emoji(&mut self, team_id: &str, name: &str, image: Option<&str>) -> Result<(), ApiError> {
        let team = self.state.teams.get_mut(team_id).ok_or_else(|| refuse("team_not_found"))?;
        let body = if let Some(image) = image {
            team.emoji.insert(name.to_owned(), image.to_owned());
            json!({"type": "emoji_changed", "subtype": "add", "name": name, "value": image})
        } else {
            team.emoji.shift_remove(name);
            json!({"type": "emoji_changed", "subtype": "remove", "names": [name]})
        };
        self.tell_team(team_id, "emoji:read", into_map(body));
        Ok(())
    }

    /// Makes or changes a user group.
    pub fn set_group(
        &mut self,
        team_id: &str,
        id: &str,
        handle: &str,
        users: &[String],
    ) -> Result<(), ApiError> {
        let team = self.state.teams.get_mut(team_id).ok_or_else(|| refuse("team_not_found"))?;
        let before = team.groups.insert(id.to_owned(), (handle.to_owned(), users.to_vec()));
        let kind = if before.is_some() { "subteam_updated" } else { "subteam_created" };
        let body = json!({"type": kind, "subteam": {"id": id, "team_id": team_id, "is_usergroup": true,
            "name": handle, "handle": handle, "users": users, "user_count": users.len()}});
        self.tell_team(team_id, "usergroups:read", into_map(body));
        Ok(())
    }

    /// Renames a workspace.
    pub fn rename_team(&mut self, team_id: &str, name: &str) -> Result<(), ApiError> {
        let team = self.state.teams.get_mut(team_id).ok_or_else(|| refuse("team_not_found"))?;
        name.clone_into(&mut team.name);
        self.tell_team(team_id, "team:read", into_map(json!({"type": "team_rename", "name": name})));
        Ok(())
    }

    /// Announces a changed user.
    pub fn user_changed(&mut self, user: &str, kind: &str) -> Result<(), ApiError> {
        let user = self.state.user(user)?.clone();
        let view = self.views().user_value(&user, false);
        self.now += 1;
        let body = json!({"type": kind, "user": view, "cache_ts": self.now / 1_000_000,
            "event_ts": ts_of(self.now)});
        self.push(Event {
            subscription: kind.to_owned(),
            scope: "users:read".to_owned(),
            audience: Audience::Team(user.team.clone()),
            team: user.team,
            body: into_map(body),
        });
        Ok(())
    }
}

fn check_name(name: &str) -> Result<(), ApiError> {
    if name.is_empty() {
        return Err(refuse("invalid_name_required"));
    }
    if name.chars().count() > 80 {
        return Err(refuse("invalid_name_maxlength"));
    }
    if name.chars().any(|c| c.is_uppercase() || c.is_whitespace() || matches!(c, '.' | ',' | '/' | '#')) {
        return Err(refuse("invalid_name_specials"));
    }
    Ok(())
}
