//! What several methods need: visible conversations, pages, authors.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::slack::args::Args;
use crate::slack::desk::Desk;
use crate::slack::dispatch::{Caller, missing_scope};
use crate::slack::error::{ApiError, refuse};
use crate::slack::state::{Author, Channel, Kind, Token, TokenKind};

/// The workspace a call is about: the token's, or `team_id` for organisation-wide tokens.
pub(super) fn team_of(desk: &Desk<'_>, caller: &Caller<'_>) -> Result<String, ApiError> {
    if let Some(team) = &caller.token.team {
        return Ok(team.clone());
    }
    let team = caller.args.text("team_id").ok_or_else(|| super::super::error::missing("team_id"))?;
    let known = desk.state.teams.get(&team).ok_or_else(|| refuse("team_not_found"))?;
    if known.enterprise != caller.token.enterprise {
        return Err(refuse("team_access_not_granted"));
    }
    Ok(team)
}

fn sees(desk: &Desk<'_>, token: &Token, channel: &Channel) -> bool {
    if channel.members.contains(&token.user) {
        return true;
    }
    let in_place = match &token.team {
        Some(team) => channel.belongs_to(team),
        None => desk.state.teams.get(&channel.team).is_some_and(|team| team.enterprise == token.enterprise),
    };
    in_place && channel.kind == Kind::Public
}

/// The conversation named by `channel`, when the caller can see it.
pub(super) fn visible<'d>(
    desk: &'d Desk<'_>,
    caller: &Caller<'_>,
    id: &str,
) -> Result<&'d Channel, ApiError> {
    let channel = desk.state.channel(id)?;
    if sees(desk, &caller.token, channel) { Ok(channel) } else { Err(refuse("channel_not_found")) }
}

/// The same, and the caller must be a member.
pub(super) fn joined<'d>(desk: &'d Desk<'_>, caller: &Caller<'_>, id: &str) -> Result<&'d Channel, ApiError> {
    let channel = visible(desk, caller, id)?;
    if channel.members.contains(&caller.token.user) { Ok(channel) } else { Err(refuse("not_in_channel")) }
}

/// Refuses without the family's scope, for example `groups:history`.
pub(super) fn family_scope(caller: &Caller<'_>, kind: Kind, right: &str) -> Result<(), ApiError> {
    let scope = format!("{}:{right}", kind.family());
    if caller.has(&scope) { Ok(()) } else { Err(missing_scope(&scope, &caller.token)) }
}

/// The author of what this token posts, in its default identity.
pub(super) fn author(desk: &Desk<'_>, caller: &Caller<'_>) -> Author {
    let token = &caller.token;
    let team = desk.state.users.get(&token.user).map(|user| user.team.clone()).unwrap_or_default();
    let app = token.kind != TokenKind::Client;
    Author {
        user: Some(token.user.clone()),
        owner: token.user.clone(),
        bot_id: token.bot_id.clone().filter(|_| app),
        app_id: app.then(|| token.app_id.clone()),
        username: None,
        icons: None,
        team,
    }
}

/// Applies `username` and `icon_*`; they are ignored for people's tokens.
pub(super) fn customise(
    desk: &Desk<'_>,
    caller: &Caller<'_>,
    author: &mut Author,
) -> Result<Option<String>, ApiError> {
    let args = caller.args;
    let name = args.text("username").filter(|name| !name.is_empty());
    let emoji = args.text("icon_emoji").filter(|name| !name.is_empty());
    let url = args.text("icon_url").filter(|url| !url.is_empty());
    if caller.token.kind != TokenKind::Bot || (name.is_none() && emoji.is_none() && url.is_none()) {
        return Ok(None);
    }
    caller.needs_one_of(&["chat:write.customize"])?;
    if let (Some(name), Some(most)) = (&name, desk.config.doubts.username_limit)
        && name.chars().count() > most
    {
        return Err(refuse("invalid_arguments"));
    }
    let own = author.bot_id.as_ref().and_then(|bot| desk.state.bots.get(bot)).map(|bot| bot.name.clone());
    author.user = None;
    author.username = name.or(own);
    author.icons = match (emoji, url) {
        (Some(emoji), _) => Some(json!({"emoji": emoji})),
        (None, Some(url)) => {
            Some(json!({"image_36": url, "image_48": url, "image_64": url, "image_72": url}))
        }
        (None, None) => None,
    };
    Ok(Some("bot_message".to_owned()))
}

/// One page of a list: the items and `response_metadata`.
pub(super) fn page<T>(
    args: &Args,
    items: Vec<T>,
    default: usize,
    most: usize,
) -> Result<(Vec<T>, Value), ApiError> {
    let limit = args.number("limit").filter(|limit| *limit > 0).unwrap_or(default);
    if limit > most {
        return Err(refuse("invalid_limit"));
    }
    let start = match args.text("cursor").filter(|cursor| !cursor.is_empty()) {
        None => 0,
        Some(cursor) => cursor_read(&cursor)?.parse::<usize>().map_err(|_| refuse("invalid_cursor"))?,
    };
    let total = items.len();
    let taken: Vec<T> = items.into_iter().skip(start).take(limit).collect();
    let next = if start + taken.len() < total {
        cursor_of(&(start + taken.len()).to_string())
    } else {
        String::new()
    };
    Ok((taken, json!({"next_cursor": next})))
}

/// A cursor around a text; ends in `=`, as the platform's do.
pub(super) fn cursor_of(text: &str) -> String {
    let mut text = format!("next:{text}");
    while text.len() % 3 == 0 {
        text.push(' ');
    }
    STANDARD.encode(text)
}

/// The text in a cursor.
pub(super) fn cursor_read(cursor: &str) -> Result<String, ApiError> {
    STANDARD
        .decode(cursor)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .and_then(|text| text.strip_prefix("next:").map(|text| text.trim().to_owned()))
        .ok_or_else(|| refuse("invalid_cursor"))
}

/// Members of an answer.
pub(in crate::slack) fn members<const N: usize>(members: [(&str, Value); N]) -> Map<String, Value> {
    members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}
