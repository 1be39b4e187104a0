//! Every operation below `/v2`: path, rate limit label, scopes, function. From "Zoom Team Chat API", "Chatbot API",
//! "Users API" and "Marketplace API" of Zoom's reference.

use http::Method;

use super::{bot, channels, extras, files, market, messages, people, sending};
use crate::zoom::call::{Call, Reply};
use crate::zoom::desk::Desk;

/// Rate limit label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Label {
    /// Light.
    Light,
    /// Medium.
    Medium,
    /// Heavy.
    Heavy,
    /// Resource-intensive.
    Intensive,
    /// File host: twenty a second.
    File,
}

/// Which token an operation takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// A person's or an account's.
    Person,
    /// The bot's.
    Bot,
    /// The app's own (or a server-to-server app's).
    App,
}

type Run = fn(&mut Desk<'_>, &Call) -> Reply;

/// An operation.
pub struct Operation {
    /// Name for logs and fault orders: method and path with placeholders.
    pub name: String,
    /// Rate limit label.
    pub label: Label,
    /// Scopes of which one is needed; those without `:admin` stand for both.
    pub scopes: &'static [&'static str],
    /// Token.
    pub need: Need,
    /// What stood for the placeholders, not decoded.
    pub path: Vec<String>,
    /// Function.
    pub run: Run,
}

const CHANNEL_WRITE: &str = "chat_channel:write";
const MESSAGE_WRITE: &str = "chat_message:write";

type Row = (&'static str, &'static str, Label, &'static [&'static str], Run);

fn rows() -> Vec<Row> {
    use Label::{File, Intensive, Light, Medium};
    vec![
        (
            "GET",
            "/chat/users/{}/messages",
            Medium,
            &["team_chat:read:list_user_messages", "chat_message:read", MESSAGE_WRITE],
            messages::list,
        ),
        (
            "POST",
            "/chat/users/{}/messages",
            Medium,
            &["team_chat:write:user_message", MESSAGE_WRITE],
            sending::send,
        ),
        (
            "POST",
            "/chat/users/{}/messages/files",
            File,
            &["team_chat:write:message_files", MESSAGE_WRITE],
            files::send,
        ),
        (
            "GET",
            "/chat/users/{}/messages/{}",
            Medium,
            &["team_chat:read:user_message", "chat_message:read", MESSAGE_WRITE],
            messages::get,
        ),
        (
            "PUT",
            "/chat/users/{}/messages/{}",
            Medium,
            &["team_chat:update:user_message", MESSAGE_WRITE],
            messages::update,
        ),
        (
            "DELETE",
            "/chat/users/{}/messages/{}",
            Medium,
            &["team_chat:delete:user_message", MESSAGE_WRITE],
            messages::delete,
        ),
        (
            "PATCH",
            "/chat/users/{}/messages/{}/emoji_reactions",
            Medium,
            &["team_chat:update:message_emoji", MESSAGE_WRITE],
            messages::react,
        ),
        (
            "PATCH",
            "/chat/users/{}/messages/{}/status",
            Medium,
            &["team_chat:update:message_status", MESSAGE_WRITE],
            messages::status,
        ),
        (
            "GET",
            "/chat/users/{}/messages/{}/thread",
            Medium,
            &["team_chat:read:thread_message", "chat_message:read"],
            messages::thread,
        ),
        (
            "GET",
            "/chat/users/{}/sessions",
            Medium,
            &["team_chat:read:list_user_sessions", "chat_message:read"],
            messages::sessions,
        ),
        (
            "PATCH",
            "/chat/users/{}/events",
            Medium,
            &["team_chat:update:chat_control", "chat_event:write"],
            extras::star,
        ),
        ("POST", "/chat/users/{}/files", File, &["team_chat:write:files", MESSAGE_WRITE], files::upload),
        ("GET", "/chat/files/{}", Light, &["team_chat:read:file", "chat:read"], files::get),
        ("DELETE", "/chat/files/{}", Light, &["team_chat:delete:file", "chat:write"], files::delete),
        (
            "GET",
            "/chat/emoji",
            Light,
            &["team_chat:read:list_custom_emojis", "chat:read", "chat:write"],
            files::emoji,
        ),
        (
            "POST",
            "/chat/emoji/files",
            Light,
            &["team_chat:write:custom_emoji", "chat:write"],
            files::add_emoji,
        ),
        (
            "DELETE",
            "/chat/emoji/{}",
            Light,
            &["team_chat:delete:custom_emoji", "chat:write"],
            files::delete_emoji,
        ),
        (
            "PATCH",
            "/chat/channel/message/events",
            Light,
            &["team_chat:update:pin_message", "chat:write"],
            extras::pin,
        ),
        (
            "GET",
            "/chat/messages/bookmarks",
            Medium,
            &["team_chat:read:list_bookmarks", "chat_message:read", MESSAGE_WRITE],
            extras::bookmarks,
        ),
        (
            "PATCH",
            "/chat/messages/bookmarks",
            Medium,
            &["team_chat:update:bookmark", MESSAGE_WRITE],
            extras::bookmark,
        ),
        (
            "GET",
            "/chat/messages/schedule",
            Light,
            &["team_chat:read:list_scheduled_messages", "chat_message:read", MESSAGE_WRITE],
            sending::scheduled,
        ),
        (
            "DELETE",
            "/chat/messages/schedule/{}",
            Light,
            &["team_chat:delete:scheduled_message", MESSAGE_WRITE],
            sending::unschedule,
        ),
        (
            "PATCH",
            "/chat/channels/events",
            Light,
            &["team_chat:update:archive_channels", CHANNEL_WRITE],
            channels::archive,
        ),
        (
            "POST",
            "/chat/channels/search",
            Intensive,
            &["team_chat:write:search_channels", "chat_channel:read", CHANNEL_WRITE],
            channels::search,
        ),
        (
            "GET",
            "/chat/channels",
            Medium,
            &["team_chat:read:list_channels:admin", "chat_channel:read:admin", "chat_channel:write:admin"],
            channels::of_account,
        ),
        (
            "GET",
            "/chat/channels/{}",
            Medium,
            &["team_chat:read:channel", "chat_channel:read", CHANNEL_WRITE],
            channels::get_any,
        ),
        (
            "PATCH",
            "/chat/channels/{}",
            Medium,
            &["team_chat:update:channel", CHANNEL_WRITE],
            channels::update_any,
        ),
        (
            "DELETE",
            "/chat/channels/{}",
            Medium,
            &["team_chat:delete:channel", CHANNEL_WRITE],
            channels::delete_any,
        ),
        (
            "GET",
            "/chat/channels/{}/pinned",
            Light,
            &["team_chat:read:list_pinned_messages", "chat:read", "chat:write"],
            extras::pinned,
        ),
        (
            "GET",
            "/chat/channels/{}/members",
            Medium,
            &["team_chat:read:list_members", "chat_channel:read", CHANNEL_WRITE],
            channels::members_any,
        ),
        (
            "POST",
            "/chat/channels/{}/members",
            Medium,
            &["team_chat:write:members", CHANNEL_WRITE],
            channels::invite_any,
        ),
        (
            "POST",
            "/chat/channels/{}/members/me",
            Medium,
            &["team_chat:write:member", CHANNEL_WRITE],
            channels::join,
        ),
        (
            "DELETE",
            "/chat/channels/{}/members/me",
            Medium,
            &["team_chat:delete:member", CHANNEL_WRITE],
            channels::leave,
        ),
        (
            "DELETE",
            "/chat/channels/{}/members/{}",
            Medium,
            &["team_chat:delete:member", CHANNEL_WRITE],
            channels::remove_any,
        ),
        (
            "GET",
            "/chat/users/{}/channels",
            Medium,
            &["team_chat:read:list_user_channels", "chat_channel:read", CHANNEL_WRITE],
            channels::list,
        ),
        (
            "POST",
            "/chat/users/{}/channels",
            Medium,
            &["team_chat:write:user_channel", CHANNEL_WRITE],
            channels::create,
        ),
        (
            "GET",
            "/chat/users/{}/channels/{}",
            Medium,
            &["team_chat:read:user_channel", "chat_channel:read", CHANNEL_WRITE],
            channels::get_of_user,
        ),
        (
            "PATCH",
            "/chat/users/{}/channels/{}",
            Medium,
            &["team_chat:update:user_channel", CHANNEL_WRITE],
            channels::update_of_user,
        ),
        (
            "DELETE",
            "/chat/users/{}/channels/{}",
            Medium,
            &["team_chat:delete:user_channel", CHANNEL_WRITE],
            channels::delete_of_user,
        ),
        (
            "GET",
            "/chat/users/{}/channels/{}/admins",
            Medium,
            &["team_chat:read:list_administrators:admin", "chat_channel:read"],
            channels::admins,
        ),
        (
            "GET",
            "/chat/users/{}/channels/{}/members",
            Medium,
            &["team_chat:read:list_members", "chat_channel:read", CHANNEL_WRITE],
            channels::members_of_user,
        ),
        (
            "POST",
            "/chat/users/{}/channels/{}/members",
            Medium,
            &["team_chat:write:members", CHANNEL_WRITE],
            channels::invite_of_user,
        ),
        (
            "DELETE",
            "/chat/users/{}/channels/{}/members/{}",
            Medium,
            &["team_chat:delete:member:admin", CHANNEL_WRITE],
            channels::remove_of_user,
        ),
        (
            "GET",
            "/chat/users/me/contacts",
            Medium,
            &["team_chat:read:list_contacts", "chat_contact:read"],
            people::contacts,
        ),
        (
            "GET",
            "/chat/users/me/contacts/{}",
            Medium,
            &["team_chat:read:contact", "chat_contact:read"],
            people::one_contact,
        ),
        ("GET", "/contacts", Medium, &["contact:read:list_contacts", "contact:read"], people::directory),
        (
            "GET",
            "/users",
            Medium,
            &["user:read:list_users:admin", "user:read:admin", "user:write:admin"],
            people::list,
        ),
        ("GET", "/users/email", Light, &["user:read:email", "user:read", "user:write"], people::email),
        (
            "GET",
            "/users/{}",
            Light,
            &["user:read:user", "user:read", "user:write", "user_profile", "user_info:read"],
            people::get,
        ),
        ("POST", "/im/chat/messages", Medium, &["imchat:bot"], bot::send),
        ("PUT", "/im/chat/messages/{}", Medium, &["imchat:bot"], bot::update),
        ("DELETE", "/im/chat/messages/{}", Medium, &["imchat:bot"], bot::delete),
        ("POST", "/marketplace/app/event_subscription", Medium, &[], market::create),
        ("GET", "/marketplace/app/event_subscription", Medium, &[], market::list),
        ("DELETE", "/marketplace/app/event_subscription", Medium, &[], market::unsubscribe),
        ("PATCH", "/marketplace/app/event_subscription/{}", Medium, &[], market::extend),
        ("DELETE", "/marketplace/app/event_subscription/{}", Medium, &[], market::delete),
    ]
}

fn placeholders(pattern: &str, path: &[&str]) -> Option<Vec<String>> {
    let pattern: Vec<&str> = pattern.trim_start_matches('/').split('/').collect();
    if pattern.len() != path.len() {
        return None;
    }
    let mut found = Vec::new();
    for (wanted, given) in pattern.iter().zip(path) {
        if *wanted == "{}" {
            found.push((*given).to_owned());
        } else if wanted != given {
            return None;
        }
    }
    Some(found)
}

/// The operation of a method and a path below `/v2`; fixed words go before placeholders.
pub fn operation(method: &Method, path: &str) -> Option<Operation> {
    let pieces: Vec<&str> = path.trim_matches('/').split('/').collect();
    let row = rows()
        .into_iter()
        .filter(|row| row.0 == method.as_str())
        .filter_map(|row| Some((placeholders(row.1, &pieces)?, row)))
        .min_by_key(|(found, _)| found.len());
    row.map(|(path, (method, pattern, label, scopes, run))| {
        let need = if pattern.starts_with("/im/chat/") {
            Need::Bot
        } else if pattern.starts_with("/marketplace/") {
            Need::App
        } else {
            Need::Person
        };
        Operation { name: format!("{method} {pattern}"), label, scopes, need, path, run }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixed_words_go_before_placeholders() {
        let found =
            |method: Method, path: &str| operation(&method, path).map(|found| (found.name, found.path));
        assert_eq!(
            found(Method::POST, "/chat/users/me/messages/files"),
            Some(("POST /chat/users/{}/messages/files".to_owned(), vec!["me".to_owned()]))
        );
        assert_eq!(found(Method::GET, "/users/email"), Some(("GET /users/email".to_owned(), Vec::new())));
        assert_eq!(found(Method::GET, "/nowhere"), None);
    }
}
