//! From an authentic body to a delivery, without reading text.

use bytes::Bytes;
use dragoman_model::{
    Code, DeliveryKey, EventKind, RemoteConversation, RemoteMessage, RemoteWorkspace, codes,
};
use dragoman_platform::{Answer, Delivery, Item, Rejection};
use dragoman_seal::Content;
use http::StatusCode;

use crate::ids;
use crate::wire::envelope::{Envelope, Inner, MessageIds, Word};

/// The one feed: events look the same over HTTP and over sockets.
pub(crate) const FEED: &str = "events";

/// Reads the body of an event request.
pub(crate) fn read(body: &[u8]) -> Result<Delivery, Rejection> {
    let malformed = || Rejection::Malformed(codes::MALFORMED);
    // Once for the whole body, not for every text in it.
    let text = std::str::from_utf8(body).map_err(|_| malformed())?;
    let envelope: Envelope<'_> = serde_json::from_str(text).map_err(|_| malformed())?;
    match envelope.kind.as_deref() {
        Some("url_verification") => {
            let challenge = envelope.challenge.ok_or_else(malformed)?;
            Ok(Delivery {
                items: Vec::new(),
                answer: Answer::text(Bytes::copy_from_slice(challenge.as_bytes())),
                dropped: Vec::new(),
            })
        }
        Some("app_rate_limited") => {
            let workspace = workspace(&envelope).ok_or_else(malformed)?;
            let minute = envelope.minute_rate_limited.unwrap_or_default();
            let key = format!("app_rate_limited/{workspace}/{minute}");
            Ok(one(Item {
                workspace,
                conversation: None,
                message: None,
                thread_root: None,
                kind: EventKind::Control,
                delivery_key: Some(DeliveryKey::from(key)),
                at_ms: minute.saturating_mul(1_000),
                feed: FEED,
                payload: Content::copied_from(body),
            }))
        }
        Some("event_callback") => event(&envelope, body),
        _ => Ok(dropped(codes::KIND)),
    }
}

/// Whether an event is about something that this bot posted.
pub(crate) fn is_by(body: &[u8], bot_id: &str) -> bool {
    let envelope: Option<Envelope<'_>> = serde_json::from_slice(body).ok();
    let inner = envelope.as_ref().and_then(|envelope| envelope.event.as_ref());
    !bot_id.is_empty() && inner.is_some_and(|inner| inner.bot_id.as_deref() == Some(bot_id))
}

fn event(envelope: &Envelope<'_>, body: &[u8]) -> Result<Delivery, Rejection> {
    let malformed = || Rejection::Malformed(codes::MALFORMED);
    let inner = envelope.event.as_ref().ok_or_else(malformed)?;
    let workspace = workspace(envelope).ok_or_else(malformed)?;
    let subject = match subject(inner) {
        Ok(subject) => subject,
        Err(code) => return Ok(dropped(code)),
    };
    let event_s = envelope.event_time.unwrap_or_default();
    let at_ms = inner
        .event_ts
        .as_deref()
        .and_then(ids::micros)
        .map_or(event_s.saturating_mul(1_000), |micros| micros / 1_000);
    Ok(one(Item {
        workspace,
        conversation: subject.conversation.map(RemoteConversation::from),
        message: subject.message.map(RemoteMessage::from),
        thread_root: subject.thread_root.map(RemoteMessage::from),
        kind: subject.kind,
        delivery_key: envelope.event_id.as_deref().filter(|id| !id.is_empty()).map(DeliveryKey::from),
        at_ms,
        feed: FEED,
        payload: Content::copied_from(body),
    }))
}

/// The installation: the first authorisation, because in shared channels the outer team can be the other
/// side's; events about the installation itself have the outer ids only.
fn workspace(envelope: &Envelope<'_>) -> Option<RemoteWorkspace> {
    let first = envelope.authorizations.as_ref().and_then(|list| list.first());
    let authorised = first.and_then(|first| pick([&first.team_id, &first.enterprise_id]));
    authorised.or_else(|| pick([&envelope.team_id, &envelope.enterprise_id])).map(RemoteWorkspace::from)
}

fn pick<'a>(ids: [&'a Option<Word<'_>>; 2]) -> Option<&'a str> {
    ids.into_iter().filter_map(Option::as_deref).find(|id| !id.is_empty())
}

/// What an event is about.
struct Subject {
    kind: EventKind,
    conversation: Option<String>,
    message: Option<String>,
    thread_root: Option<String>,
}

impl Subject {
    fn of(kind: EventKind, conversation: Option<String>) -> Self {
        Self { kind, conversation, message: None, thread_root: None }
    }

    fn message(kind: EventKind, conversation: String, ts: &str, thread_ts: Option<&str>) -> Self {
        Self {
            kind,
            conversation: Some(conversation),
            message: Some(ts.to_owned()),
            thread_root: ids::root(ts, thread_ts).map(str::to_owned),
        }
    }
}

fn subject(inner: &Inner<'_>) -> Result<Subject, Code> {
    let channel = inner.channel();
    let conversation = || channel.clone().ok_or(codes::MALFORMED);
    match inner.kind.as_deref().unwrap_or_default() {
        "message" => message(inner, conversation()?),
        "reaction_added" | "reaction_removed" => {
            let item = inner.item.as_ref().ok_or(codes::KIND)?;
            let ts = item.ts.as_deref().ok_or(codes::KIND)?;
            Ok(Subject::message(EventKind::Reaction, conversation()?, ts, None))
        }
        "member_joined_channel"
        | "member_left_channel"
        | "channel_rename"
        | "group_rename"
        | "channel_archive"
        | "group_archive"
        | "channel_unarchive"
        | "group_unarchive"
        | "channel_left"
        | "group_left"
        | "channel_deleted"
        | "group_deleted"
        | "channel_id_changed"
        | "channel_shared"
        | "channel_unshared" => Ok(Subject::of(EventKind::Conversation, Some(conversation()?))),
        // Its messages tab needs nothing of us.
        "app_home_opened" if inner.tab.as_deref() == Some("home") => {
            Ok(Subject::of(EventKind::Control, None))
        }
        "user_change" | "team_join" | "tokens_revoked" | "app_uninstalled" => {
            Ok(Subject::of(EventKind::Control, None))
        }
        _ => Err(codes::KIND),
    }
}

fn message(inner: &Inner<'_>, conversation: String) -> Result<Subject, Code> {
    let subtype = inner.subtype.as_deref();
    match subtype {
        Some("message_changed") => {
            let after = inner.message.as_ref().ok_or(codes::MALFORMED)?;
            let before = inner.previous_message.as_ref();
            let either = |field: for<'m> fn(&'m MessageIds<'_>) -> Option<&'m str>| {
                field(after).or_else(|| before.and_then(field))
            };
            let ts = either(|ids| ids.ts.as_deref()).ok_or(codes::MALFORMED)?;
            let root = either(|ids| ids.thread_ts.as_deref());
            let gone = after.subtype.as_deref() == Some("tombstone");
            let kind = if gone { EventKind::Deleted } else { EventKind::Changed };
            Ok(Subject::message(kind, conversation, ts, root))
        }
        Some("message_deleted") => {
            let before = inner.previous_message.as_ref();
            let ts = inner
                .deleted_ts
                .as_deref()
                .or_else(|| before.and_then(|ids| ids.ts.as_deref()))
                .ok_or(codes::MALFORMED)?;
            let root = before.and_then(|ids| ids.thread_ts.as_deref());
            Ok(Subject::message(EventKind::Deleted, conversation, ts, root))
        }
        Some("channel_topic" | "group_topic" | "channel_purpose" | "group_purpose" | "huddle_thread") => {
            Ok(Subject::of(EventKind::Conversation, Some(conversation)))
        }
        _ if !is_written(subtype, inner.hidden.unwrap_or(false)) => Err(codes::KIND),
        // Slack also sends `message_replied` without its subtype.
        None if inner.message.is_some() => Err(codes::KIND),
        _ => {
            let ts = inner.ts.as_deref().ok_or(codes::MALFORMED)?;
            Ok(Subject::message(EventKind::Created, conversation, ts, inner.thread_ts.as_deref()))
        }
    }
}

/// Whether a message with this subtype is something that somebody wrote. Unknown subtypes are, unless hidden.
pub(crate) fn is_written(subtype: Option<&str>, hidden: bool) -> bool {
    match subtype {
        Some("bot_message" | "me_message" | "file_share" | "thread_broadcast") => true,
        Some(
            "message_changed"
            | "message_deleted"
            | "message_replied"
            | "tombstone"
            | "reply_broadcast"
            | "channel_join"
            | "group_join"
            | "channel_leave"
            | "group_leave"
            | "channel_topic"
            | "group_topic"
            | "channel_purpose"
            | "group_purpose"
            | "channel_name"
            | "group_name"
            | "channel_archive"
            | "group_archive"
            | "channel_unarchive"
            | "group_unarchive"
            | "channel_convert_to_private"
            | "channel_convert_to_public"
            | "channel_posting_permissions"
            | "pinned_item"
            | "unpinned_item"
            | "reminder_add"
            | "file_mention"
            | "file_comment"
            | "document_mention"
            | "assistant_app_thread"
            | "ekm_access_denied"
            | "huddle_thread",
        ) => false,
        None | Some(_) => !hidden,
    }
}

fn one(item: Item) -> Delivery {
    Delivery { items: vec![item], answer: Answer::status(StatusCode::OK), dropped: Vec::new() }
}

/// Acknowledged and left out.
pub(crate) fn dropped(code: Code) -> Delivery {
    Delivery { items: Vec::new(), answer: Answer::status(StatusCode::OK), dropped: vec![code] }
}
