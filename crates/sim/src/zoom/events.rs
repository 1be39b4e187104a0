//! Events: what happened, who may hear of it, and how its body looks to one account.

use serde_json::{Map, Value, json};

use super::doubts::ZoomDoubts;
use super::state::State;

/// Who hears of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audience {
    /// Members of a conversation and their accounts.
    Room(String),
    /// These people and their accounts.
    People(Vec<String>),
}

/// Something that happened.
#[derive(Debug, Clone)]
pub struct Event {
    /// Event name.
    pub name: &'static str,
    /// Conversation, for order and fault orders.
    pub room: String,
    /// Who acted: a user id; empty when it was a bot.
    pub operator: String,
    /// `object`.
    pub object: Value,
    /// Who hears of it.
    pub audience: Audience,
    /// Milliseconds since 1970.
    pub at: i64,
}

/// Something to be sent.
#[derive(Debug, Clone)]
pub enum Outgoing {
    /// To everybody who subscribed and may hear of it.
    Event(Box<Event>),
    /// To one app's bot endpoint.
    Bot {
        /// App.
        app_id: String,
        /// Event name.
        name: &'static str,
        /// Conversation.
        room: String,
        /// The whole body.
        body: Value,
    },
    /// To one app's deauthorisation address.
    Deauthorized {
        /// App.
        app_id: String,
        /// The whole body.
        body: Value,
    },
}

impl Outgoing {
    /// The conversation it is about; empty where there is none.
    pub fn room(&self) -> &str {
        match self {
            Self::Event(event) => &event.room,
            Self::Bot { room, .. } => room,
            Self::Deauthorized { .. } => "",
        }
    }
}

impl Event {
    /// Whether it belongs to the old message family.
    pub fn is_old_message(&self) -> bool {
        self.name.starts_with("chat_message.")
    }

    /// Whether its frame tells of external people.
    fn has_external_flag(&self) -> bool {
        self.name.starts_with("team_chat.")
            && !matches!(
                self.name,
                "team_chat.emoji_added"
                    | "team_chat.emoji_removed"
                    | "team_chat.file_uploaded"
                    | "team_chat.file_changed"
                    | "team_chat.file_deleted"
            )
    }
}

/// The body of an event as an app in this account receives it; `None` when the account must not hear of it.
pub fn body(state: &State, doubts: &ZoomDoubts, event: &Event, account: &str) -> Option<Value> {
    let operator = state.people.get(&event.operator);
    let stranger = operator.is_some_and(|person| person.account != account);
    if stranger && event.is_old_message() {
        return None;
    }
    let mut payload = Map::new();
    let known = operator.filter(|_| !stranger);
    payload.insert(
        "account_id".to_owned(),
        match (operator, known) {
            (Some(_), None) => json!(""),
            _ => json!(account),
        },
    );
    payload.insert("operator".to_owned(), json!(known.map_or("", |person| person.email.as_str())));
    payload.insert("operator_id".to_owned(), json!(known.map_or("", |person| person.id.as_str())));
    if event.name.starts_with("team_chat.") {
        let member = operator.map_or("", |person| person.member_id.as_str());
        payload.insert("operator_member_id".to_owned(), json!(member));
    }
    if event.has_external_flag() {
        payload.insert("by_external_user".to_owned(), json!(stranger));
    }
    let mut object = event.object.clone();
    if doubts.spaced_contact_account
        && let Some(object) = object.as_object_mut()
        && let Some(contact) = object.remove("contact_account_id")
    {
        object.insert("contact_account_id ".to_owned(), contact);
    }
    payload.insert("object".to_owned(), object);
    let name = if doubts.spaced_event_names { format!("{} ", event.name) } else { event.name.to_owned() };
    Some(json!({"event": name, "event_ts": event.at + 184, "payload": payload}))
}

const CHANNEL_READ: &[&str] = &["team_chat:read:channel", "chat_channel:read", "chat_channel:write"];
const MEMBERS_READ: &[&str] = &["team_chat:read:list_members", "chat_channel:read", "chat_channel:write"];
const OLD_READ: &[&str] = &["team_chat:read:user_message", "chat_message:read", "chat_message:write"];
const MESSAGE_READ: &[&str] = &["team_chat:read:user_message", "chat:read"];
const EMOJI_READ: &[&str] = &["team_chat:read:message_emoji", "chat:read"];
const FILE_READ: &[&str] = &["team_chat:read:file", "chat:read"];
const ARCHIVE_READ: &[&str] = &["team_chat:read:archive_channels", "chat:read"];

/// The scopes of which an event needs one (with or without `:admin`); `None` for unknown events. From "Team Chat
/// events" of Zoom's reference.
pub fn scopes(event: &str) -> Option<&'static [&'static str]> {
    Some(match event.trim() {
        "chat_channel.created" | "chat_channel.updated" | "chat_channel.deleted" => CHANNEL_READ,
        "chat_channel.member_invited"
        | "chat_channel.member_joined"
        | "chat_channel.member_left"
        | "chat_channel.member_removed" => MEMBERS_READ,
        "chat_message.sent" | "chat_message.replied" | "chat_message.updated" | "chat_message.deleted" => {
            OLD_READ
        }
        "team_chat.channel_message_posted"
        | "team_chat.channel_message_updated"
        | "team_chat.channel_message_deleted"
        | "team_chat.dm_message_posted"
        | "team_chat.dm_message_updated"
        | "team_chat.dm_message_deleted"
        | "team_chat.channel_app_added"
        | "team_chat.channel_app_removed" => MESSAGE_READ,
        // The list prints no scopes for `channel_reaction_added`; those of its counterpart apply.
        "team_chat.channel_reaction_added"
        | "team_chat.channel_reaction_removed"
        | "team_chat.dm_reaction_added"
        | "team_chat.dm_reaction_removed" => EMOJI_READ,
        "team_chat.file_shared"
        | "team_chat.file_unshared"
        | "team_chat.file_uploaded"
        | "team_chat.file_changed"
        | "team_chat.file_deleted"
        | "team_chat.file_downloaded" => FILE_READ,
        "team_chat.channel_archived" | "team_chat.channel_unarchived" => ARCHIVE_READ,
        "team_chat.channel_pin_added" | "team_chat.channel_pin_removed" => {
            &["team_chat:read:list_pinned_messages", "chat:read"]
        }
        "team_chat.bookmark_added" | "team_chat.bookmark_removed" => {
            &["team_chat:read:list_bookmarks", "chat:read"]
        }
        "team_chat.emoji_added" | "team_chat.emoji_removed" => {
            &["team_chat:read:list_custom_emojis", "chat:read"]
        }
        "team_chat.starred" | "team_chat.unstarred" => &["team_chat:read:chat_control", "chat:read"],
        name if name.starts_with("team_chat.channel_invitation_")
            || name.starts_with("team_chat.channel_join_") =>
        {
            &["team_chat:read:list_invitations", "chat:read"]
        }
        name if name.starts_with("team_chat.shared_spaces_") => {
            &["team_chat:read:list_shared_spaces", "team_chat:read:list_shared_space_members", "chat:read"]
        }
        "team_chat.app_mention" | "bot_notification" | "bot_installed" | "app_deauthorized" => &[],
        _ => return None,
    })
}
