//! `files.*`: the three steps of an upload, and reading.

use serde_json::{Map, Value, json};

use super::tools::{author, customise, members};
use crate::slack::desk::{Desk, Draft, Later, Share};
use crate::slack::dispatch::{ApiResult, Caller};
use crate::slack::error::{missing, refuse};
use crate::slack::state::{File, TokenKind};

pub(super) fn get_upload_url(desk: &mut Desk<'_>, caller: &Caller<'_>) -> ApiResult {
    let name = caller.args.required("filename")?;
    let length = caller.args.number("length").ok_or_else(|| missing("length"))?;
    if length == 0 {
        return Err(refuse("invalid_arguments"));
    }
    let rules = &desk.config.files;
    if !rules.uploads {
        return Err(refuse("file_uploads_disabled"));
    }
    if length as u64 > rules.largest {
        return Err(refuse("file_upload_size_restricted"));
    }
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    if rules.blocked.iter().any(|blocked| blocked.eq_ignore_ascii_case(ending)) {
        return Err(refuse("file_type_not_allowed"));
    }
    let alt_txt = caller.args.text("alt_txt");
    if alt_txt.as_ref().is_some_and(|text| text.chars().count() > 1_000) {
        return Err(refuse("alt_txt_too_large"));
    }
    let id = format!("F{}", desk.world.upper(10));
    let key = desk.world.alnum(40);
    let team = desk.state.user(&caller.token.user)?.team.clone();
    desk.state.files.insert(
        id.clone(),
        File {
            id: id.clone(),
            user: caller.token.user.clone(),
            team,
            app_id: (caller.token.kind != TokenKind::Client).then(|| caller.token.app_id.clone()),
            title: name.clone(),
            name,
            length: length as u64,
            created: desk.now / 1_000_000,
            alt_txt,
            ..File::default()
        },
    );
    desk.state.uploads.insert(key.clone(), id.clone());
    let url = format!("{}/upload/v1/{key}", desk.base);
    Ok(members([("upload_url", json!(url)), ("file_id", json!(id))]))
}

pub(super) fn complete_upload(desk: &mut Desk<'_>, caller: &Caller<'_>) -> ApiResult {
    let args = caller.args;
    let list = args.array("files", "invalid_arguments")?.filter(|list| !list.is_empty());
    let list = list.ok_or_else(|| missing("files"))?;
    let mut ids = Vec::new();
    for entry in &list {
        let id = entry["id"].as_str().unwrap_or_default();
        let file = desk.state.files.get(id).ok_or_else(|| refuse("file_not_found"))?;
        if file.user != caller.token.user || file.completed {
            return Err(refuse("file_not_found"));
        }
        if !file.uploaded {
            return Err(refuse("file_upload_not_complete"));
        }
        ids.push((id.to_owned(), entry["title"].as_str().map(str::to_owned)));
    }
    let mut channels = args.list("channels");
    channels.extend(args.text("channel_id").filter(|id| !id.is_empty()));
    for id in &channels {
        let channel = super::tools::visible(desk, caller, id)?;
        if !channel.members.contains(&caller.token.user) {
            return Err(refuse("not_in_channel"));
        }
        if channel.archived {
            return Err(refuse("posting_to_channel_denied"));
        }
    }
    let mut author = author(desk, caller);
    if desk.config.doubts.file_identity {
        customise(desk, caller, &mut author)?;
    } else if args.has("username") || args.has("icon_url") || args.has("icon_emoji") {
        return Err(refuse("invalid_arguments"));
    }
    let comment = args.text("initial_comment").filter(|text| !text.is_empty());
    let blocks = match &comment {
        Some(_) => Vec::new(),
        None => args.array("blocks", "invalid_blocks_format")?.unwrap_or_default(),
    };
    let mut views = Vec::new();
    for (id, title) in &ids {
        if let Some(file) = desk.state.files.get_mut(id) {
            file.completed = true;
            if let Some(title) = title {
                file.title.clone_from(title);
            }
        }
        // Not processed yet: no type, no shares.
        if let Some(file) = desk.state.files.get(id) {
            views.push(desk.views().file(file));
        }
    }
    let text = comment.map(|text| crate::slack::rich::linked(&text)).unwrap_or_default();
    let blocks = if text.is_empty() { blocks } else { vec![desk.rich_text(&author.team, &text, false)] };
    let draft = Draft {
        text,
        blocks,
        thread_ts: args.text("thread_ts").filter(|ts| !ts.is_empty()),
        subtype: Some("file_share".to_owned()),
        client_msg_id: (caller.token.kind == TokenKind::Client).then(|| desk.world.uuid()),
        files: ids.iter().map(|(id, _)| id.clone()).collect(),
        ..Draft::default()
    };
    let share = Share { files: draft.files.clone(), channels, draft, author };
    desk.later.push((desk.config.timing.share_delay, Later::Share(Box::new(share))));
    Ok(members([("files", json!(views))]))
}

impl Desk<'_> {
    /// Processes uploads and shares them as one message per conversation.
    pub fn share(&mut self, share: &Share) {
        for id in &share.files {
            if let Some(file) = self.state.files.get_mut(id) {
                file.mimetype = mime_of(&file.name).to_owned();
                file.completed = true;
            }
        }
        for channel in &share.channels {
            // A conversation that vanished in between gets nothing, as on the platform.
            if self.post(channel, share.author.clone(), share.draft.clone()).is_err() {
                tracing::debug!("a simulated file share had no conversation left");
                continue;
            }
            for id in &share.files {
                for kind in ["file_created", "file_public"] {
                    let body = json!({"type": kind, "file_id": id, "file": {"id": id},
                        "user_id": share.author.owner});
                    self.emit(channel, kind, "files:read", crate::slack::views::into_map(body));
                }
            }
        }
    }
}

/// The type that processing finds, by the name's ending.
pub(super) fn mime_of(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase()).as_deref() {
        Some("png") => "image/png",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("gif") => "image/gif",
        Some("svg") => "image/svg+xml",
        Some("pdf") => "application/pdf",
        Some("txt" | "md" | "csv" | "log") => "text/plain",
        Some("json") => "application/json",
        Some("zip") => "application/zip",
        Some("mp4") => "video/mp4",
        Some("mp3") => "audio/mpeg",
        _ => "application/octet-stream",
    }
}

fn readable(desk: &Desk<'_>, caller: &Caller<'_>, file: &File) -> bool {
    file.user == caller.token.user
        || file.shares.iter().any(|(channel, _)| {
            desk.state
                .channels
                .get(channel)
                .is_some_and(|channel| channel.members.contains(&caller.token.user))
        })
}

pub(super) fn info(desk: &mut Desk<'_>, caller: &Caller<'_>) -> ApiResult {
    let id = caller.args.required("file").map_err(|_| refuse("file_not_found"))?;
    let file = desk.state.files.get(&id).ok_or_else(|| refuse("file_not_found"))?;
    if !readable(desk, caller, file) {
        return Err(refuse("file_not_found"));
    }
    if file.deleted {
        return Err(refuse("file_deleted"));
    }
    let view = desk.views().file(file);
    Ok(members([
        ("file", view),
        ("comments", json!([])),
        ("content_html", Value::Null),
        ("response_metadata", json!({"next_cursor": ""})),
    ]))
}

pub(super) fn delete(desk: &mut Desk<'_>, caller: &Caller<'_>) -> ApiResult {
    let id = caller.args.required("file").map_err(|_| refuse("file_not_found"))?;
    let file = desk.state.files.get(&id).ok_or_else(|| refuse("file_not_found"))?;
    if file.user != caller.token.user {
        return Err(refuse("cant_delete_file"));
    }
    desk.delete_file(&id)?;
    Ok(Map::new())
}
