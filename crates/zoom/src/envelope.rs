//! From an authentic body to a delivery, without reading text.

use bytes::Bytes;
use dragoman_model::{
    AppId, Code, DeliveryKey, EventKind, RemoteConversation, RemoteMessage, RemoteWorkspace, codes,
};
use dragoman_platform::{Answer, App, Delivery, Item, Rejection};
use dragoman_seal::Content;
use http::StatusCode;

use crate::ids;
use crate::memory::Memory;
use crate::verify;
use crate::wire::envelope::{Envelope, Object, Payload, filled, number};

/// The one feed: events look the same over HTTP and over event connections.
pub(crate) const FEED: &str = "events";

/// The request by which Zoom makes sure of our address.
pub(crate) const VALIDATION: &str = "endpoint.url_validation";

/// What the app's bot hears: its command, and what is written to it.
pub(crate) const COMMAND: &str = "bot_notification";

/// The longest body of an unsigned validation.
const VALIDATION_CAP: usize = 1_024;

/// The door's knowledge beside the body.
#[derive(Clone, Copy)]
pub(crate) struct Door<'a> {
    pub(crate) app: &'a App,
    pub(crate) memory: &'a Memory,
    pub(crate) now_ms: i64,
}

/// The token of an unsigned request, where it is a validation and nothing else.
pub(crate) fn unsigned_validation(body: &[u8]) -> Option<String> {
    if body.len() > VALIDATION_CAP {
        return None;
    }
    let envelope: Envelope<'_> = serde_json::from_slice(body).ok()?;
    (name(&envelope) == VALIDATION).then(|| plain_token(&envelope).unwrap_or_default())
}

/// Answers a validation.
pub(crate) fn validated(app: &App, plain_token: &str) -> Result<Delivery, Rejection> {
    let body = Bytes::from(verify::validation(app, plain_token)?);
    let answer = Answer { status: StatusCode::OK, content_type: "application/json", body };
    Ok(Delivery { items: Vec::new(), answer, dropped: Vec::new() })
}

/// Reads the body of an event request.
pub(crate) fn read(door: Door<'_>, body: &[u8]) -> Result<Delivery, Rejection> {
    let malformed = || Rejection::Malformed(codes::MALFORMED);
    let envelope: Envelope<'_> = serde_json::from_slice(body).map_err(|_| malformed())?;
    let name = name(&envelope);
    if name == VALIDATION {
        return validated(door.app, &plain_token(&envelope).ok_or_else(malformed)?);
    }
    let empty = Payload::default();
    let payload = envelope.payload.as_ref().unwrap_or(&empty);
    if name == COMMAND {
        return command(door, payload, number(envelope.event_ts), body);
    }
    let subject = match subject(&name, payload) {
        Ok(subject) => subject,
        Err(codes::MALFORMED) => return Err(malformed()),
        Err(code) => return Ok(dropped(code)),
    };
    // Whose event it is has to be known, or it is lost: Zoom sends it again after what is no 2xx but 5xx.
    let workspace = workspace(&door.app.id, payload, subject.conversation.as_ref(), door.memory)
        .ok_or(Rejection::Unavailable(codes::UNKNOWN_INSTALLATION))?;
    let object = payload.object.as_ref();
    let event_ms = number(envelope.event_ts);
    let own_ms = object.and_then(|object| number(object.timestamp));
    // A message stands where it was sent; what is done to it, when that was done.
    let at_ms = if subject.kind == EventKind::Created { own_ms.or(event_ms) } else { event_ms.or(own_ms) };
    let delivery_key = key(&name, &workspace, &subject, payload, event_ms.or(own_ms));
    Ok(Delivery {
        items: vec![Item {
            workspace,
            conversation: subject.conversation,
            message: subject.message,
            thread_root: subject.thread_root,
            kind: subject.kind,
            delivery_key,
            at_ms: at_ms.unwrap_or(door.now_ms),
            feed: FEED,
            payload: Content::copied_from(body),
        }],
        answer: Answer::status(StatusCode::OK),
        dropped: Vec::new(),
    })
}

/// What somebody gave to the command of the app, or wrote to its bot. It has no id of a message.
fn command(
    door: Door<'_>,
    payload: &Payload<'_>,
    event_ms: Option<i64>,
    body: &[u8],
) -> Result<Delivery, Rejection> {
    let malformed = || Rejection::Malformed(codes::MALFORMED);
    let workspace =
        filled(&payload.bot_account).or_else(|| filled(&payload.account_id)).ok_or_else(malformed)?;
    let user = filled(&payload.bot_user).ok_or_else(malformed)?;
    let at_ms = number(payload.timestamp).or(event_ms).unwrap_or(door.now_ms);
    let once = filled(&payload.trigger).map_or_else(|| format!("{user}/{at_ms}"), str::to_owned);
    let item = Item {
        workspace: workspace.into(),
        conversation: None,
        message: None,
        thread_root: None,
        kind: EventKind::Control,
        delivery_key: Some(DeliveryKey::from(format!("{COMMAND}/{workspace}/{once}"))),
        at_ms,
        feed: FEED,
        payload: Content::copied_from(body),
    };
    Ok(Delivery { items: vec![item], answer: Answer::status(StatusCode::OK), dropped: Vec::new() })
}

/// Zoom prints some names with a space behind.
fn name(envelope: &Envelope<'_>) -> String {
    filled(&envelope.event).unwrap_or_default().to_owned()
}

fn plain_token(envelope: &Envelope<'_>) -> Option<String> {
    envelope.payload.as_ref()?.plain_token.as_deref().map(str::to_owned)
}

/// The account. What strangers do comes without one: then it is the account in which their conversation is known, or
/// the only one that the app is in.
fn workspace(
    app: &AppId,
    payload: &Payload<'_>,
    conversation: Option<&RemoteConversation>,
    memory: &Memory,
) -> Option<RemoteWorkspace> {
    if let Some(account) = filled(&payload.account_id) {
        return Some(account.into());
    }
    let object = payload.object.as_ref();
    let named = || {
        let object = object?;
        let accounts =
            [&object.contact_account_id, &object.contact_account_id_spaced, &object.channel_owner_account_id];
        accounts.into_iter().find_map(filled).map(RemoteWorkspace::from)
    };
    memory.account_of(app, conversation).or_else(named)
}

/// Event, message, person and time: equal for deliveries of one event only.
fn key(
    name: &str,
    workspace: &RemoteWorkspace,
    subject: &Subject,
    payload: &Payload<'_>,
    at_ms: Option<i64>,
) -> Option<DeliveryKey> {
    let about = subject.message.as_ref().map(RemoteMessage::as_str);
    let about = about.or(subject.conversation.as_ref().map(RemoteConversation::as_str));
    let person = || filled(&payload.object.as_ref()?.id);
    let about = about.or_else(person).unwrap_or_default();
    let who = [&payload.operator_id, &payload.operator_member_id].into_iter().find_map(filled);
    let when = at_ms.map(|ms| ms.to_string());
    let when = when.or_else(|| filled(&payload.deauthorization_time).map(str::to_owned))?;
    Some(DeliveryKey::from(format!("{name}/{workspace}/{about}/{}/{when}", who.unwrap_or_default())))
}

/// What an event is about.
struct Subject {
    kind: EventKind,
    conversation: Option<RemoteConversation>,
    message: Option<RemoteMessage>,
    thread_root: Option<RemoteMessage>,
}

fn subject(name: &str, payload: &Payload<'_>) -> Result<Subject, Code> {
    let empty = Object::default();
    let object = payload.object.as_ref().unwrap_or(&empty);
    let message = |kind| about_message(kind, payload, object);
    match name {
        "team_chat.channel_message_posted"
        | "team_chat.dm_message_posted"
        | "chat_message.sent"
        | "chat_message.replied" => message(EventKind::Created),
        "team_chat.channel_message_updated" | "team_chat.dm_message_updated" | "chat_message.updated" => {
            message(EventKind::Changed)
        }
        "team_chat.channel_message_deleted" | "team_chat.dm_message_deleted" | "chat_message.deleted" => {
            message(EventKind::Deleted)
        }
        "team_chat.channel_reaction_added"
        | "team_chat.channel_reaction_removed"
        | "team_chat.dm_reaction_added"
        | "team_chat.dm_reaction_removed" => message(EventKind::Reaction),
        "chat_channel.updated"
        | "chat_channel.deleted"
        | "chat_channel.member_invited"
        | "chat_channel.member_joined"
        | "chat_channel.member_left"
        | "chat_channel.member_removed"
        | "team_chat.channel_archived"
        | "team_chat.channel_unarchived" => {
            let channel =
                filled(&object.id).or_else(|| filled(&object.channel_id)).ok_or(codes::MALFORMED)?;
            Ok(Subject {
                kind: EventKind::Conversation,
                conversation: Some(channel.into()),
                message: None,
                thread_root: None,
            })
        }
        // Names and pictures may be others now.
        "user.updated" | "user.activated" | "user.deactivated" | "user.deleted" => {
            filled(&object.id).ok_or(codes::MALFORMED)?;
            Ok(Subject { kind: EventKind::Control, conversation: None, message: None, thread_root: None })
        }
        "app_deauthorized" => {
            Ok(Subject { kind: EventKind::Control, conversation: None, message: None, thread_root: None })
        }
        _ => Err(codes::KIND),
    }
}

fn about_message(kind: EventKind, payload: &Payload<'_>, object: &Object<'_>) -> Result<Subject, Code> {
    let id = [&object.message_id, &object.msg_id, &object.id].into_iter().find_map(filled);
    let message = ids::message(id.ok_or(codes::MALFORMED)?);
    let root = [&object.reply_main_message_id, &object.parent_msg_id].into_iter().find_map(filled);
    let root = ids::root(&message, root);
    let conversation = conversation(payload, object).ok_or(codes::MALFORMED)?;
    Ok(Subject { kind, conversation: Some(conversation), message: Some(message), thread_root: root })
}

fn conversation(payload: &Payload<'_>, object: &Object<'_>) -> Option<RemoteConversation> {
    if let Some(channel) = filled(&object.channel_id) {
        return Some(channel.into());
    }
    let speaker = [&payload.operator_id, &payload.operator_member_id].into_iter().find_map(filled)?;
    let other = [&object.contact_id, &object.contact_member_id].into_iter().find_map(filled)?;
    Some(ids::pair(speaker, other))
}

/// Whether an event is about something that this user did.
pub(crate) fn is_by(body: &[u8], user: &str) -> bool {
    let envelope: Option<Envelope<'_>> = serde_json::from_slice(body).ok();
    let payload = envelope.as_ref().and_then(|envelope| envelope.payload.as_ref());
    !user.is_empty() && payload.is_some_and(|payload| filled(&payload.operator_id) == Some(user))
}

/// Acknowledged and left out.
pub(crate) fn dropped(code: Code) -> Delivery {
    Delivery { items: Vec::new(), answer: Answer::status(StatusCode::OK), dropped: vec![code] }
}
