//! One operation's view of everything it needs.

use serde_json::{Value, json};

use super::config::ZoomSimConfig;
use super::error::{ApiError, no_user, refuse};
use super::events::{Audience, Event, Outgoing};
use super::state::State;
use crate::core::World;

/// State, time, configuration.
pub struct Desk<'a> {
    /// State, locked.
    pub state: &'a mut State,
    /// Ids and time.
    pub world: &'a World,
    /// Configuration.
    pub config: &'a ZoomSimConfig,
    /// The simulator's address.
    pub base: &'a str,
    /// The file host's address.
    pub files_base: &'a str,
    /// Milliseconds since 1970.
    pub now: i64,
    /// Drafts to be sent later: id and after how many milliseconds.
    pub later: Vec<(String, i64)>,
}

/// Milliseconds since 1970 as `2026-11-21T09:40:31Z`.
pub fn iso(millis: i64) -> String {
    let stamp = jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    stamp.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// `2026-11-21T09:40:31Z` (or with milliseconds) as milliseconds since 1970.
pub fn from_iso(text: &str) -> Option<i64> {
    text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond)
}

/// A whole day (`2026-11-21`, UTC) as its first and last millisecond.
pub fn day(text: &str) -> Option<(i64, i64)> {
    let start = from_iso(&format!("{text}T00:00:00Z"))?;
    Some((start, start + 86_400_000 - 1))
}

impl Desk<'_> {
    /// Adds an event of a conversation.
    pub fn emit(&mut self, name: &'static str, room: &str, operator: &str, object: Value) {
        self.emit_to(name, room, operator, object, Audience::Room(room.to_owned()));
    }

    /// Adds an event for certain people.
    pub fn emit_to(
        &mut self,
        name: &'static str,
        room: &str,
        operator: &str,
        object: Value,
        audience: Audience,
    ) {
        self.state.outbox.push(Outgoing::Event(Box::new(Event {
            name,
            room: room.to_owned(),
            operator: operator.to_owned(),
            object,
            audience,
            at: self.now,
        })));
    }

    /// Adds an event for a bot endpoint.
    pub fn tell_bot(&mut self, app_id: &str, name: &'static str, room: &str, payload: Value) {
        let body = json!({"event": name, "event_ts": self.now, "payload": payload});
        self.state.outbox.push(Outgoing::Bot {
            app_id: app_id.to_owned(),
            name,
            room: room.to_owned(),
            body,
        });
    }

    /// An upper-case UUID.
    pub fn message_id(&self) -> String {
        self.world.uuid().to_ascii_uppercase()
    }

    /// A time for a new message: no two have the same.
    pub fn next_at(&mut self) -> i64 {
        self.state.last_at = self.now.max(self.state.last_at + 1);
        self.state.last_at
    }

    /// Remembers the place in a list; the text that leads back to it.
    pub fn mark(&mut self, list: &str, offset: usize) -> String {
        let text = self.world.alnum(35);
        let expires = self.now + 15 * 60_000;
        self.state
            .marks
            .insert(text.clone(), super::state::PageMark { list: list.to_owned(), offset, expires });
        text
    }

    /// Where a list goes on.
    ///
    /// # Errors
    /// When the text is unknown, of another list, or older than 15 minutes.
    pub fn offset(&self, list: &str, token: Option<&str>) -> Result<usize, ApiError> {
        let Some(token) = token.filter(|token| !token.is_empty()) else { return Ok(0) };
        self.state
            .marks
            .get(token)
            .filter(|mark| mark.list == list && mark.expires > self.now)
            .map(|mark| mark.offset)
            .ok_or_else(|| refuse(400, 300, "The next page token is invalid or expired."))
    }

    /// The conversation that `to_channel` or `to_contact` means for a person.
    ///
    /// # Errors
    /// When neither is given, the channel is unknown to the person, or the contact is.
    pub fn target(
        &mut self,
        user: &str,
        to_channel: Option<&str>,
        to_contact: Option<&str>,
    ) -> Result<String, ApiError> {
        match (to_channel.filter(|id| !id.is_empty()), to_contact.filter(|who| !who.is_empty())) {
            (Some(id), _) => {
                let (room, _) = self.state.channel(id)?;
                if !room.members.contains_key(user) {
                    return Err(super::error::no_channel(id));
                }
                Ok(room.id.clone())
            }
            (None, Some(who)) => {
                let me = self.state.person(user)?;
                let other = self.state.find(who)?;
                let known = me.account == other.account
                    || me.contacts.contains(&other.id)
                    || other.contacts.contains(user);
                if !known {
                    return Err(no_user(who));
                }
                let other = other.id.clone();
                Ok(self.state.direct(user, &other))
            }
            (None, None) => Err(refuse(400, 300, "Must provide either contact or channel parameter.")),
        }
    }
}
