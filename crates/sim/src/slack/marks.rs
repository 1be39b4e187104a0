//! Reactions and the deletion of files.

use serde_json::json;

use super::desk::{Desk, TeamNames};
use super::error::{ApiError, refuse};
use super::rich::Names as _;
use super::views::into_map;

impl Desk<'_> {
    /// Adds or removes a reaction.
    pub fn react(
        &mut self,
        channel_id: &str,
        ts: &str,
        user: &str,
        name: &str,
        add: bool,
    ) -> Result<(), ApiError> {
        let team = self.state.channel(channel_id)?.team.clone();
        let base = name.split("::").next().unwrap_or(name);
        let tone_ok = name.split_once("::").is_none_or(|(_, tone)| {
            tone.strip_prefix("skin-tone-").is_some_and(|tone| matches!(tone, "2" | "3" | "4" | "5" | "6"))
        });
        let known = super::emoji::character(base).is_some()
            || TeamNames { state: self.state, team: &team }.custom_emoji(base);
        if !known || !tone_ok {
            return Err(refuse("invalid_name"));
        }
        let (most_emoji, most_reactions) =
            (self.config.doubts.emoji_per_message, self.config.doubts.reactions_per_person);
        let message = self
            .state
            .channel_mut(channel_id)?
            .messages
            .get_mut(ts)
            .ok_or_else(|| refuse("message_not_found"))?;
        if message.subtype.as_deref() == Some("tombstone") {
            return Err(refuse("message_not_found"));
        }
        let there = message.reactions.get(name).is_some_and(|users| users.contains(user));
        if add {
            if there {
                return Err(refuse("already_reacted"));
            }
            if !message.reactions.contains_key(name) && message.reactions.len() >= most_emoji {
                return Err(refuse("too_many_emoji"));
            }
            if message.reactions.values().filter(|users| users.contains(user)).count() >= most_reactions {
                return Err(refuse("too_many_reactions"));
            }
            message.reactions.entry(name.to_owned()).or_default().insert(user.to_owned());
        } else {
            if !there {
                return Err(refuse("no_reaction"));
            }
            if let Some(users) = message.reactions.get_mut(name) {
                users.shift_remove(user);
                if users.is_empty() {
                    message.reactions.shift_remove(name);
                }
            }
        }
        let kind = if add { "reaction_added" } else { "reaction_removed" };
        let mut body = into_map(json!({
            "type": kind, "user": user, "reaction": name,
            "item": {"type": "message", "channel": channel_id, "ts": ts},
        }));
        if let Some(author) = &message.author.user {
            body.insert("item_user".to_owned(), json!(author));
        }
        self.emit(channel_id, kind, "reactions:read", body);
        if let (Some(user), Some(event)) = (self.state.users.get(user), self.state.outbox.last_mut()) {
            event.team.clone_from(&user.team);
        }
        Ok(())
    }

    /// Deletes a file: its messages keep a tombstone of it.
    pub fn delete_file(&mut self, id: &str) -> Result<(), ApiError> {
        let file = self.state.files.get(id).ok_or_else(|| refuse("file_not_found"))?;
        if file.deleted {
            return Err(refuse("file_deleted"));
        }
        let shares = file.shares.clone();
        let mut views = Vec::new();
        for (channel, ts) in &shares {
            views.push(self.event_view(channel, ts).ok());
        }
        if let Some(file) = self.state.files.get_mut(id) {
            file.deleted = true;
            file.bytes = crate::core::Blob::default();
        }
        for ((channel, ts), before) in shares.iter().zip(views) {
            if let Some(before) = before {
                self.changed(channel, ts, before)?;
            }
        }
        let channels: Vec<&String> = shares.iter().map(|(channel, _)| channel).collect();
        if let Some((channel, _)) = shares.first() {
            let body = json!({"type": "file_deleted", "file_id": id, "channel_ids": channels});
            self.emit(channel, "file_deleted", "files:read", into_map(body));
        }
        Ok(())
    }
}
