//! `chat.*`.

use serde_json::{Map, Value, json};

use super::tools::{author, customise, joined, members, visible};
use crate::slack::args::Args;
use crate::slack::desk::{Change, Desk, Draft, MetadataChange};
use crate::slack::dispatch::{ApiResult, Caller, warn};
use crate::slack::error::{ApiError, missing, refuse};
use crate::slack::rich;
use crate::slack::state::{Author, Channel, Kind, Token, TokenKind, is_ts};
use crate::slack::views::Meta;

/// A post may hold this many characters; more is cut.
const TEXT_CUT: usize = 40_000;
/// An update may hold this many.
const UPDATE_LIMIT: usize = 4_000;

/// Finds the conversation to post into: an id, or a user id that stands for a direct conversation.
fn target(desk: &mut Desk<'_>, caller: &Caller<'_>) -> Result<String, ApiError> {
    let id = caller.args.required("channel").map_err(|_| refuse("channel_not_found"))?;
    if (id.starts_with('U') || id.starts_with('W')) && desk.state.users.contains_key(&id) {
        let team = desk.state.user(&caller.token.user)?.team.clone();
        let custom = caller.token.kind == TokenKind::Bot && caller.args.text("username").is_some();
        // With another name on it, the message lands in the person's conversation with Slackbot.
        let me = if custom { "USLACKBOT".to_owned() } else { caller.token.user.clone() };
        return Ok(desk.open(&team, &[me, id]).0);
    }
    let channel = visible(desk, caller, &id)?;
    if channel.archived {
        return Err(refuse("is_archived"));
    }
    let public_allowed = channel.kind == Kind::Public && caller.has("chat:write.public");
    if !channel.members.contains(&caller.token.user) && !public_allowed {
        return Err(refuse("not_in_channel"));
    }
    Ok(id)
}

struct Content {
    text: String,
    blocks: Vec<Value>,
    attachments: Vec<Value>,
    truncated: bool,
}

fn content(desk: &Desk<'_>, args: &Args, author: &Author) -> Result<Content, ApiError> {
    let text = args.text("text");
    let blocks = args.array("blocks", "invalid_blocks_format")?;
    let attachments = args.array("attachments", "invalid_attachments")?.unwrap_or_default();
    let markdown = args.text("markdown_text").filter(|text| !text.is_empty());
    if let Some(markdown) = &markdown {
        if text.as_ref().is_some_and(|text| !text.is_empty()) || blocks.is_some() {
            return Err(refuse("markdown_text_conflict"));
        }
        if markdown.chars().count() > 12_000 {
            return Err(refuse("msg_too_long"));
        }
    }
    let mut text = text.unwrap_or_default();
    let mut blocks = blocks.unwrap_or_default();
    if attachments.len() > 100 {
        return Err(refuse("too_many_attachments"));
    }
    check_blocks(&blocks)?;
    let truncated = text.chars().count() > TEXT_CUT;
    if truncated {
        text = text.chars().take(TEXT_CUT).collect();
    }
    if let Some(markdown) = markdown {
        text = markdown_to_mrkdwn(&markdown);
        blocks = vec![desk.rich_text(&author.team, &text, true)];
    } else if blocks.is_empty() && !text.is_empty() {
        text = if args.text("parse").as_deref() == Some("none") { text } else { rich::linked(&text) };
        if args.flag("mrkdwn") != Some(false) && desk.config.doubts.app_text_gets_blocks {
            blocks = vec![desk.rich_text(&author.team, &text, false)];
        }
    }
    Ok(Content { text, blocks, attachments, truncated })
}

fn check_blocks(blocks: &[Value]) -> Result<(), ApiError> {
    if blocks.len() > 50 {
        return Err(refuse("invalid_blocks"));
    }
    for (index, block) in blocks.iter().enumerate() {
        let kind = block.get("type").and_then(Value::as_str);
        let limit = |path: &str, most: usize| {
            block.pointer(path).and_then(Value::as_str).is_none_or(|text| text.chars().count() <= most)
        };
        let fine = match kind {
            Some("section") => {
                limit("/text/text", 3_000) && (block.get("text").is_some() || block.get("fields").is_some())
            }
            Some("header") => limit("/text/text", 150),
            Some("markdown") => limit("/text", 12_000),
            Some("context") => {
                block.get("elements").and_then(Value::as_array).is_some_and(|list| list.len() <= 10)
            }
            Some("rich_text") => {
                block.get("elements").and_then(Value::as_array).is_some_and(|list| rich_ok(list))
            }
            Some("image") => block.get("alt_text").is_some(),
            Some(
                "actions" | "alert" | "call" | "card" | "carousel" | "context_actions" | "data_table"
                | "divider" | "file" | "input" | "plan" | "table" | "task_card" | "video",
            ) => true,
            _ => false,
        };
        if !fine {
            let message = format!("[ERROR] invalid block [json-pointer:/blocks/{index}]");
            return Err(refuse("invalid_blocks").with("response_metadata", json!({"messages": [message]})));
        }
    }
    Ok(())
}

fn rich_ok(elements: &[Value]) -> bool {
    elements.iter().all(|element| {
        let inner = element.get("elements").and_then(Value::as_array);
        match element["type"].as_str() {
            Some("rich_text_section" | "rich_text_quote") => {
                inner.is_some_and(|list| list.iter().all(inline_ok))
            }
            Some("rich_text_preformatted") => inner.is_some_and(|list| {
                list.iter().all(|one| matches!(one["type"].as_str(), Some("text" | "link")) && inline_ok(one))
            }),
            Some("rich_text_list") => {
                matches!(element["style"].as_str(), Some("bullet" | "ordered"))
                    && element
                        .get("indent")
                        .is_none_or(|indent| indent.as_u64().is_some_and(|indent| indent <= 8))
                    && inner.is_some_and(|list| {
                        list.iter().all(|one| one["type"] == "rich_text_section") && rich_ok(list)
                    })
            }
            _ => false,
        }
    })
}

fn inline_ok(element: &Value) -> bool {
    let text = |key: &str| element.get(key).and_then(Value::as_str);
    match element["type"].as_str() {
        // An empty text element is refused by the platform.
        Some("text") => text("text").is_some_and(|text| !text.is_empty()),
        Some("link") => text("url").is_some_and(|url| !url.is_empty()),
        Some("user") => text("user_id").is_some(),
        Some("usergroup") => text("usergroup_id").is_some(),
        Some("channel") => text("channel_id").is_some(),
        Some("team") => text("team_id").is_some(),
        Some("broadcast") => {
            text("range").is_some_and(|range| matches!(range, "here" | "channel" | "everyone"))
        }
        Some("emoji") => text("name").is_some(),
        Some("date") => element["timestamp"].is_i64() && text("format").is_some(),
        Some("color") => text("value").is_some(),
        _ => false,
    }
}

/// A small part of the translation that the platform does: bold and links.
fn markdown_to_mrkdwn(markdown: &str) -> String {
    rich::linked(&rich::escape(markdown).replace("**", "*"))
}

fn metadata(desk: &Desk<'_>, args: &Args) -> Result<MetadataChange, ApiError> {
    let Some(value) = args.json("metadata").map_err(|_| refuse("invalid_metadata_format"))? else {
        return Ok(MetadataChange::Keep);
    };
    let Some(object) = value.as_object() else { return Err(refuse("invalid_metadata_format")) };
    if object.is_empty() {
        return Ok(MetadataChange::Remove);
    }
    if !object.get("event_type").is_some_and(Value::is_string)
        || !object.get("event_payload").is_some_and(Value::is_object)
    {
        return Err(refuse("invalid_metadata_schema"));
    }
    if value.to_string().len() > desk.config.doubts.metadata_limit {
        return Err(refuse("metadata_too_large"));
    }
    let value = json!({"event_type": object["event_type"], "event_payload": object["event_payload"]});
    Ok(MetadataChange::Set(value))
}

fn view(desk: &Desk<'_>, channel: &str, ts: &str) -> Result<Value, ApiError> {
    let channel = desk.state.channel(channel)?;
    let message = channel.messages.get(ts).ok_or_else(|| refuse("message_not_found"))?;
    Ok(Value::Object(desk.views().message(channel, message, Meta::Full)))
}

pub(super) fn post_message(desk: &mut Desk<'_>, caller: &Caller<'_>) -> ApiResult {
    let args = caller.args;
    let id = target(desk, caller)?;
    let mut author = author(desk, caller);
    let subtype = customise(desk, caller, &mut author)?;
    let content = if caller.token.kind == TokenKind::Client {
        let (text, blocks) = desk.typed(&author.team, &args.text("text").unwrap_or_default());
        // A client forwards a message as an attachment.
        let attachments = args.array("attachments", "invalid_attachments")?.unwrap_or_default();
        Content { text, blocks, attachments, truncated: false }
    } else {
        content(desk, args, &author)?
    };
    if content.text.is_empty() && content.blocks.is_empty() && content.attachments.is_empty() {
        return Err(refuse("no_text"));
    }
    let thread_ts = args.text("thread_ts").filter(|ts| !ts.is_empty() && ts != "0000000000.000000");
    if thread_ts.as_ref().is_some_and(|ts| !is_ts(ts)) {
        return Err(refuse("invalid_thread_ts"));
    }
    let client_id = args.text("client_msg_id");
    if desk.config.doubts.client_msg_id_dedupes
        && let Some((channel, ts)) = client_id.as_ref().and_then(|id| desk.state.client_ids.get(id)).cloned()
    {
        if channel != id {
            return Err(refuse("duplicate_channel_not_found"));
        }
        let message = view(desk, &channel, &ts).map_err(|_| refuse("duplicate_message_not_found"))?;
        return Ok(members([
            ("channel", json!(channel)),
            ("ts", json!(ts)),
            ("message", message),
            ("is_duplicate", json!(true)),
        ]));
    }
    let own_client = caller.token.kind == TokenKind::Client;
    let draft = Draft {
        text: content.text,
        blocks: content.blocks,
        attachments: content.attachments,
        thread_ts,
        broadcast: args.flag("reply_broadcast").unwrap_or(false),
        metadata: match metadata(desk, args)? {
            MetadataChange::Set(value) => Some(value),
            MetadataChange::Keep | MetadataChange::Remove => None,
        },
        subtype,
        client_msg_id: own_client.then(|| desk.world.uuid()),
        no_unfurl: args.flag("unfurl_links") == Some(false),
        ..Draft::default()
    };
    let ts = desk.post(&id, author, draft)?;
    if let Some(client_id) = client_id {
        desk.state.client_ids.insert(client_id, (id.clone(), ts.clone()));
    }
    let message = view(desk, &id, &ts)?;
    let mut answer = members([("channel", json!(id)), ("ts", json!(ts)), ("message", message)]);
    if content.truncated {
        warn(&mut answer, vec!["message_truncated"]);
    }
    Ok(answer)
}

pub(super) fn post_ephemeral(desk: &mut Desk<'_>, caller: &Caller<'_>) -> ApiResult {
    let id = target(desk, caller)?;
    let user = caller.args.required("user")?;
    let channel = desk.state.channel_mut(&id)?;
    if !channel.members.contains(&user) {
        return Err(refuse("user_not_in_channel"));
    }
    let text = caller.args.text("text").unwrap_or_default();
    if text.is_empty() && !caller.args.has("blocks") && !caller.args.has("attachments") {
        return Err(refuse("no_text"));
    }
    let ts = channel.next_ts(desk.now);
    desk.state.whispers.push((user, id, text));
    Ok(members([("message_ts", json!(ts))]))
}

pub(super) fn me_message(desk: &mut Desk<'_>, caller: &Caller<'_>) -> ApiResult {
    let id = target(desk, caller)?;
    let draft = Draft {
        text: caller.args.required("text").map_err(|_| refuse("no_text"))?,
        subtype: Some("me_message".to_owned()),
        ..Draft::default()
    };
    let author = author(desk, caller);
    let ts = desk.post(&id, author, draft)?;
    Ok(members([("channel", json!(id)), ("ts", json!(ts))]))
}

/// Whether a token made a message.
pub(super) fn owns(token: &Token, owner: &Author) -> bool {
    owner.owner == token.user
        && (token.kind == TokenKind::Client || owner.app_id.is_none() || {
            owner.app_id.as_deref() == Some(token.app_id.as_str()) || token.kind == TokenKind::User
        })
}

fn exact<'d>(desk: &'d Desk<'_>, caller: &Caller<'_>) -> Result<(&'d Channel, String), ApiError> {
    let id = caller.args.required("channel").map_err(|_| refuse("channel_not_found"))?;
    let ts = caller.args.required("ts").map_err(|_| missing("ts"))?;
    if !is_ts(&ts) {
        return Err(refuse("message_not_found"));
    }
    let channel = visible(desk, caller, &id)?;
    Ok((channel, ts))
}

pub(super) fn update(desk: &mut Desk<'_>, caller: &Caller<'_>) -> ApiResult {
    let args = caller.args;
    let (channel, ts) = exact(desk, caller)?;
    let id = channel.id.clone();
    if channel.archived {
        return Err(refuse("is_inactive"));
    }
    let message = channel.messages.get(&ts).ok_or_else(|| refuse("message_not_found"))?;
    if message.subtype.as_deref() == Some("tombstone") || !owns(&caller.token, &message.author) {
        return Err(refuse("cant_update_message"));
    }
    let rich_before = message.blocks.iter().any(|block| block["type"] == "rich_text");
    let rich_only = rich_before && message.client_msg_id.is_some();
    let author = message.author.clone();
    let own_client = caller.token.kind == TokenKind::Client;
    let mut text = args.text("text");
    let blocks = args.array("blocks", "invalid_blocks_format")?;
    if let Some(blocks) = &blocks {
        check_blocks(blocks)?;
        if rich_only && blocks.iter().any(|block| block["type"] != "rich_text") {
            return Err(refuse("block_mismatch"));
        }
    }
    let markdown = args.text("markdown_text").filter(|text| !text.is_empty());
    if markdown.is_some() && (text.is_some() || blocks.is_some()) {
        return Err(refuse("markdown_text_conflict"));
    }
    if let Some(markdown) = markdown {
        text = Some(markdown_to_mrkdwn(&markdown));
    }
    if text.as_ref().is_some_and(|text| text.chars().count() > UPDATE_LIMIT) {
        return Err(refuse("msg_too_long"));
    }
    let attachments = args.array("attachments", "invalid_attachments")?;
    let files = if args.has("file_ids") { Some(args.list("file_ids")) } else { None };
    let metadata = metadata(desk, args)?;
    let broadcast = args.flag("reply_broadcast").unwrap_or(false);
    let nothing = text.is_none() && blocks.is_none() && attachments.is_none() && files.is_none();
    if nothing && matches!(metadata, MetadataChange::Keep) && !broadcast {
        return Err(refuse("no_text"));
    }
    if own_client {
        text = text.map(|text| desk.typed(&author.team, &text).0);
    } else {
        text = text.map(|text| rich::linked(&text));
    }
    let editor = match (&caller.token.bot_id, desk.config.doubts.edited_by_bot_id) {
        (Some(bot), true) => bot.clone(),
        _ => caller.token.user.clone(),
    };
    let change = Change { text, blocks, attachments, metadata, broadcast, files, typed: own_client };
    desk.update(&id, &ts, &editor, change)?;
    let message = view(desk, &id, &ts)?;
    Ok(members([
        ("channel", json!(id)),
        ("ts", json!(ts)),
        ("text", message["text"].clone()),
        ("message", message),
    ]))
}

pub(super) fn delete(desk: &mut Desk<'_>, caller: &Caller<'_>) -> ApiResult {
    let (channel, ts) = exact(desk, caller)?;
    let id = channel.id.clone();
    let message = channel.messages.get(&ts).ok_or_else(|| refuse("message_not_found"))?;
    let admin = caller.token.kind != TokenKind::Bot
        && desk.state.users.get(&caller.token.user).is_some_and(|user| user.admin);
    if !owns(&caller.token, &message.author) && !admin {
        return Err(refuse("cant_delete_message"));
    }
    desk.delete(&id, &ts)?;
    Ok(members([("channel", json!(id)), ("ts", json!(ts))]))
}

pub(super) fn get_permalink(desk: &mut Desk<'_>, caller: &Caller<'_>) -> ApiResult {
    let id = caller.args.required("channel").map_err(|_| refuse("channel_not_found"))?;
    let ts = caller.args.required("message_ts")?;
    let channel = joined(desk, caller, &id).or_else(|_| visible(desk, caller, &id))?;
    let message = channel.messages.get(&ts).ok_or_else(|| refuse("message_not_found"))?;
    let permalink = desk.views().permalink(channel, message);
    Ok(Map::from_iter([("channel".to_owned(), json!(id)), ("permalink".to_owned(), json!(permalink))]))
}
