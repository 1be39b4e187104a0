//! From an unsealed event to the canonical one.

use dragoman_markup::{Budget, slack};
use dragoman_model::{
    Author, AuthorKind, Block, Control, Document, Event, FileRef, Happening, Inline, Marker, Message, Notice,
    NoticeKind, Origin, RemoteConversation, RemoteMessage, RemoteUser, Version, codes,
};
use dragoman_platform::{Failure, Session};
use serde_json::Value;

use crate::encode::{MARKER_KEY, MARKER_TYPE, reaction_emoji};
use crate::envelope::is_written;
use crate::ids;
use crate::wire::events::{Inner, Outer, id_of};
use crate::wire::message as wire;

/// Slack itself.
const SLACKBOT: &str = "USLACKBOT";

/// The ids under which this installation's own messages come back.
#[derive(Clone, Default)]
pub(crate) struct Own {
    pub(crate) app_id: String,
    pub(crate) bot_id: String,
    pub(crate) bot_user: String,
}

impl Own {
    /// From what was learnt at installation.
    pub(crate) fn of(session: &Session) -> Self {
        let installed = session.installation.fact("app_id");
        Self {
            app_id: if installed.is_empty() { session.app.fact("app_id") } else { installed }.to_owned(),
            bot_id: session.installation.fact("bot_id").to_owned(),
            bot_user: session.installation.fact("bot_user_id").to_owned(),
        }
    }

    fn wrote(&self, message: &wire::Message) -> bool {
        let same = |own: &str, id: Option<&String>| !own.is_empty() && id.is_some_and(|id| id == own);
        let profile_app = message.bot_profile.as_ref().and_then(|profile| profile.app_id.as_ref());
        same(&self.app_id, message.app_id.as_ref())
            || same(&self.app_id, profile_app)
            || same(&self.bot_id, message.bot_id.as_ref())
            || same(&self.bot_user, message.user.as_ref())
    }
}

/// A decoded event.
pub(crate) struct Decoded {
    pub(crate) event: Event,
    /// Whether the directory has to be asked if the author is a bot.
    pub(crate) ambiguous: bool,
}

/// Decodes an event.
pub(crate) fn event(payload: &[u8], mut own: Own) -> Result<Decoded, Failure> {
    let malformed = |_| Failure::Malformed(codes::MALFORMED);
    let text = std::str::from_utf8(payload).map_err(|_| Failure::Malformed(codes::MALFORMED))?;
    let outer: Outer<'_> = serde_json::from_str(text).map_err(malformed)?;
    if outer.kind.as_deref() == Some("app_rate_limited") {
        let at_ms = outer.minute_rate_limited.unwrap_or_default().saturating_mul(1_000);
        let happening = Happening::Control(Control::Missed { conversation: None });
        let event = Event { conversation: None, at_ms, happening };
        return Ok(Decoded { event, ambiguous: false });
    }
    if let Some(app_id) = outer.api_app_id {
        own.app_id = app_id;
    }
    let raw = outer.event.ok_or(Failure::Malformed(codes::MALFORMED))?.get();
    let inner: Inner = serde_json::from_str(raw).map_err(malformed)?;
    let fallback_ms = outer.event_time.unwrap_or_default().saturating_mul(1_000);
    let at_ms = inner.event_ts.as_deref().and_then(ids::micros).map_or(fallback_ms, |micros| micros / 1_000);
    let item_channel = inner.item.as_ref().and_then(|item| item.channel.as_deref());
    let conversation = id_of(inner.channel.as_ref()).or(item_channel).or(inner.old_channel_id.as_deref());
    let conversation = conversation.map(RemoteConversation::from);
    let (happening, ambiguous) = if inner.kind == "message" {
        message_happening(&inner, raw, &own)?
    } else {
        (happening(&inner, conversation.as_ref(), &own)?, false)
    };
    Ok(Decoded { event: Event { conversation, at_ms, happening }, ambiguous })
}

fn happening(
    inner: &Inner,
    conversation: Option<&RemoteConversation>,
    own: &Own,
) -> Result<Happening, Failure> {
    let malformed = || Failure::Malformed(codes::MALFORMED);
    let user = || id_of(inner.user.as_ref()).map(RemoteUser::from);
    let is_own = || !own.bot_user.is_empty() && id_of(inner.user.as_ref()) == Some(own.bot_user.as_str());
    let is_by_us = |who: Option<&str>| !own.bot_user.is_empty() && who == Some(own.bot_user.as_str());
    let here = || conversation.cloned().ok_or_else(malformed);
    let notice = |kind, text| Happening::Notice(Notice::new(kind, user(), text));
    Ok(match inner.kind.as_str() {
        "reaction_added" | "reaction_removed" => {
            let item = inner.item.as_ref().ok_or_else(malformed)?;
            if item.kind.as_deref() != Some("message") {
                return Ok(Happening::Ignored(codes::KIND));
            }
            let message = RemoteMessage::from(item.ts.as_deref().ok_or_else(malformed)?);
            let by = user().ok_or_else(malformed)?;
            let emoji = reaction_emoji(inner.reaction.as_deref().ok_or_else(malformed)?);
            if is_own() {
                return Ok(Happening::Ignored(codes::ECHO));
            }
            if inner.kind == "reaction_added" {
                Happening::ReactionAdded { message, by, emoji }
            } else {
                Happening::ReactionRemoved { message, by, emoji }
            }
        }
        "member_joined_channel" if is_own() => {
            Happening::Control(Control::Admitted { conversation: here()? })
        }
        // What the app does itself is no news.
        "member_joined_channel" if is_by_us(inner.inviter.as_deref()) => Happening::Ignored(codes::ECHO),
        "channel_archive" | "group_archive" if is_own() => Happening::Ignored(codes::ECHO),
        "member_joined_channel" => notice(NoticeKind::Joined, None),
        "member_left_channel" if is_own() => Happening::Control(Control::Expelled { conversation: here()? }),
        "member_left_channel" => notice(NoticeKind::Left, None),
        "channel_left" | "group_left" | "channel_deleted" | "group_deleted" => {
            Happening::Control(Control::Expelled { conversation: here()? })
        }
        "channel_rename" | "group_rename" => {
            let name = inner.channel.as_ref().and_then(|channel| channel.get("name")).and_then(Value::as_str);
            notice(NoticeKind::Renamed, name.map(str::to_owned))
        }
        "channel_archive" | "group_archive" => notice(NoticeKind::Archived, None),
        // Sends are possible again, which matters more than telling people.
        "channel_unarchive" | "group_unarchive" => {
            Happening::Control(Control::Admitted { conversation: here()? })
        }
        "channel_id_changed" => {
            let from = inner.old_channel_id.as_deref().ok_or_else(malformed)?;
            let to = inner.new_channel_id.as_deref().ok_or_else(malformed)?;
            Happening::Control(Control::Moved { from: from.into(), to: to.into() })
        }
        "channel_shared" => Happening::Control(Control::Shared { conversation: here()?, external: true }),
        "channel_unshared" => Happening::Control(Control::Shared {
            conversation: here()?,
            external: inner.is_ext_shared.unwrap_or(false),
        }),
        "app_home_opened" => Happening::Control(Control::HomeOpened { user: user().ok_or_else(malformed)? }),
        "user_change" | "team_join" => {
            Happening::Control(Control::PersonChanged { user: user().ok_or_else(malformed)? })
        }
        "app_uninstalled" => Happening::Control(Control::SignedOut),
        "tokens_revoked" => revoked(inner),
        _ => Happening::Ignored(codes::KIND),
    })
}

fn revoked(inner: &Inner) -> Happening {
    let Some(tokens) = &inner.tokens else { return Happening::Control(Control::SignedOut) };
    if !tokens.bot.is_empty() {
        return Happening::Control(Control::SignedOut);
    }
    // Only people's own tokens: the next use finds out; what is cached of them is dropped now.
    let changed = tokens.oauth.iter().map(|user| Control::PersonChanged { user: user.as_str().into() });
    Happening::Control(Control::Several(changed.collect()))
}

/// What happened to a message, and whether its author is ambiguous.
fn message_happening(inner: &Inner, raw: &str, own: &Own) -> Result<(Happening, bool), Failure> {
    let malformed = || Failure::Malformed(codes::MALFORMED);
    let subtype = inner.subtype.as_deref();
    let plain = |happening| Ok((happening, false));
    match subtype {
        Some("message_changed") => changed(inner, own),
        Some("message_deleted") => {
            let before = inner.previous_message.as_ref();
            let ts = inner.deleted_ts.as_ref().or_else(|| before?.ts.as_ref()).ok_or_else(malformed)?;
            let root = before.and_then(|before| ids::root(ts, before.thread_ts.as_deref()));
            plain(Happening::Deleted {
                message: ts.as_str().into(),
                thread_root: root.map(RemoteMessage::from),
            })
        }
        Some("channel_topic" | "group_topic") => plain(topic(inner, inner.topic.as_ref(), own)),
        Some("channel_purpose" | "group_purpose") => plain(topic(inner, inner.purpose.as_ref(), own)),
        Some("huddle_thread") => plain(Happening::Notice(Notice::new(NoticeKind::Call, None, None))),
        _ if !is_written(subtype, inner.hidden.unwrap_or(false)) => plain(Happening::Ignored(codes::KIND)),
        None if inner.message.is_some() => plain(Happening::Ignored(codes::KIND)),
        _ => {
            let wire: wire::Message = serde_json::from_str(raw).map_err(|_| malformed())?;
            let ts = wire.ts.clone().ok_or_else(malformed)?;
            let posted = Happening::Posted(Box::new(message(&wire, &ts, own)));
            Ok((posted, is_ambiguous(&wire, own)))
        }
    }
}

fn changed(inner: &Inner, own: &Own) -> Result<(Happening, bool), Failure> {
    let malformed = || Failure::Malformed(codes::MALFORMED);
    let before = inner.previous_message.as_ref();
    let after = inner.message.as_ref().ok_or_else(malformed)?;
    let ts = after.ts.as_ref().or_else(|| before?.ts.as_ref()).ok_or_else(malformed)?;
    if after.subtype.as_deref() == Some("tombstone") {
        return Ok((Happening::Deleted { message: ts.as_str().into(), thread_root: None }, false));
    }
    if !is_written(after.subtype.as_deref(), false) {
        return Ok((Happening::Ignored(codes::KIND), false));
    }
    let before = before.map(|before| Box::new(message(before, ts, own)));
    let changed = Happening::Changed { after: Box::new(message(after, ts, own)), before };
    Ok((changed, is_ambiguous(after, own)))
}

fn topic(inner: &Inner, text: Option<&String>, own: &Own) -> Happening {
    let user = id_of(inner.user.as_ref());
    if !own.bot_user.is_empty() && user == Some(own.bot_user.as_str()) {
        return Happening::Ignored(codes::ECHO);
    }
    Happening::Notice(Notice::new(NoticeKind::Topic, user.map(RemoteUser::from), text.cloned()))
}

/// A message in canonical form. `ts` is given because edits sometimes omit it.
pub(crate) fn message(wire: &wire::Message, ts: &str, own: &Own) -> Message {
    let edited = wire.edited.as_ref().and_then(|edited| edited.ts.as_deref());
    Message {
        id: ts.into(),
        thread_root: ids::root(ts, wire.thread_ts.as_deref()).map(RemoteMessage::from),
        broadcast: wire.subtype.as_deref() == Some("thread_broadcast"),
        author: author(wire),
        body: body(wire),
        files: wire.files.iter().chain(&wire.file).filter_map(file).collect(),
        sent_at_ms: ids::millis(ts),
        edited_at_ms: edited.map(ids::millis).filter(|ms| *ms > 0),
        // Never edited is a state as well: an edit that was missed is newer than it. Not the time of the message
        // itself, because edits are stamped with whole seconds.
        version: Some(edited.and_then(ids::version).unwrap_or(Version(0))),
        origin: Origin { ours: own.wrote(wire), marker: marker(wire) },
    }
}

fn body(wire: &wire::Message) -> Document {
    let text = wire.text.as_deref().unwrap_or_default();
    let mut body = slack::parse(wire.blocks.as_ref(), text, Budget::default());
    if let Some(attachments) = wire.attachments.as_ref().and_then(author_made) {
        body.blocks.extend(slack::parse_attachments(&attachments, Budget::default()).blocks);
    }
    if wire.subtype.as_deref() == Some("me_message") {
        body.blocks = body.blocks.into_iter().map(acted).collect();
    }
    body.normalise()
}

/// What `/me` wrote is shown in italics, as Slack shows it.
fn acted(block: Block) -> Block {
    match block {
        Block::Paragraph(text) => Block::Paragraph(vec![Inline::Emphasis(text)]),
        other => other,
    }
}

/// The attachments without those that Slack made of links. A forwarded message is its author's doing.
fn author_made(attachments: &Value) -> Option<Value> {
    const UNFURLED: [&str; 6] =
        ["from_url", "original_url", "app_unfurl_url", "is_msg_unfurl", "is_app_unfurl", "service_name"];
    let set = |attachment: &Value, key: &str| {
        attachment.get(key).is_some_and(|value| !matches!(value, Value::Null | Value::Bool(false)))
    };
    let list = attachments.as_array()?;
    let made: Vec<Value> = list
        .iter()
        .filter(|attachment| set(attachment, "is_share") || !UNFURLED.iter().any(|key| set(attachment, key)))
        .cloned()
        .collect();
    (!made.is_empty()).then_some(Value::Array(made))
}

fn author(wire: &wire::Message) -> Author {
    let profile = wire.bot_profile.as_ref();
    let filled = |name: Option<&String>| name.filter(|name| !name.is_empty()).cloned();
    match wire.user.as_deref().filter(|user| !user.is_empty()) {
        Some(SLACKBOT) => Author {
            user: Some(SLACKBOT.into()),
            kind: AuthorKind::System,
            name: filled(wire.username.as_ref()),
            avatar_url: None,
        },
        // Apps' bot users look like this, and people who write through another app with their own token:
        // only the directory tells, see [`is_ambiguous`].
        Some(user) => {
            let bot = wire.subtype.as_deref() == Some("bot_message");
            Author {
                user: Some(user.into()),
                kind: if bot { AuthorKind::Bot } else { AuthorKind::Person },
                name: if bot { filled(wire.username.as_ref()) } else { None },
                avatar_url: None,
            }
        }
        None => Author {
            user: wire.bot_id.as_deref().map(RemoteUser::from),
            kind: AuthorKind::Bot,
            name: filled(wire.username.as_ref())
                .or_else(|| filled(profile.and_then(|profile| profile.name.as_ref()))),
            avatar_url: wire
                .icons
                .as_ref()
                .or_else(|| profile.and_then(|profile| profile.icons.as_ref()))
                .and_then(wire::Icons::best)
                .cloned(),
        },
    }
}

/// Whether only the directory can tell if a person or a bot wrote this.
pub(crate) fn is_ambiguous(wire: &wire::Message, own: &Own) -> bool {
    let by_account = wire.user.as_deref().is_some_and(|user| !user.is_empty() && user != SLACKBOT);
    by_account && wire.bot_id.is_some() && wire.client_msg_id.is_none() && !own.wrote(wire)
}

fn marker(wire: &wire::Message) -> Option<Marker> {
    let metadata = wire.metadata.as_ref().filter(|it| it.event_type.as_deref() == Some(MARKER_TYPE));
    let marker = metadata.and_then(|it| it.event_payload.as_ref()?.get(MARKER_KEY)?.as_str());
    // Messages with files carry no metadata: theirs is in the caption.
    let of_caption = || {
        let first = wire.blocks.as_ref()?.get(0)?.get("block_id")?.as_str()?;
        first.strip_prefix(MARKER_TYPE)?.strip_prefix('/')
    };
    marker.or_else(of_caption).map(Marker::from)
}

fn file(wire: &wire::File) -> Option<FileRef> {
    let gone = wire.mode.as_deref() == Some("tombstone")
        || matches!(wire.access.as_deref(), Some("file_deleted" | "file_not_found"));
    let id = wire.id.clone().filter(|_| !gone)?;
    let filled = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    Some(FileRef {
        name: filled(&wire.name).or_else(|| filled(&wire.title)).unwrap_or_else(|| id.clone()),
        id,
        media_type: filled(&wire.mimetype),
        size: wire.size.filter(|size| *size > 0),
        permalink: filled(&wire.permalink),
    })
}
