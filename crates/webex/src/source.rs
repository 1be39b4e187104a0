//! From an unsealed delivery to its event: the text is fetched by id, once.

use dragoman_model::{
    Control, Event, Happening, Message, Notice, NoticeKind, RemoteConversation, RemoteMessage, RemoteUser,
    codes,
};
use dragoman_platform::{Conversation, Failure, Session};
use serde_json::Value;

use crate::client::Client;
use crate::decode::{self, Own};
use crate::encode::squeezed;
use crate::wire::answers as wire;
use crate::wire::envelope::{Data, Envelope};
use crate::{files, ids, operate, rooms};

/// How long until a message that was announced and is not there is asked for again, in milliseconds.
const LAG_MS: u64 = 700;

/// Decodes a delivery and fetches the message that it names.
pub(crate) async fn open(client: &Client, session: &Session, payload: &[u8]) -> Result<Event, Failure> {
    let installation = &session.installation;
    let receiver = Receiver {
        own: &Own::of(session),
        org: installation.workspace.as_str(),
        now_ms: client.clock.now_ms(),
        moved: &|to| client.memory.moved(&installation.id, to),
    };
    match announced(payload, &receiver)? {
        Announced::Done(event) => Ok(event),
        Announced::Message { room, id, at_ms, changed } => {
            let happening = match fetched(client, session, &room, &id).await? {
                Some(message) => {
                    client.memory.came(&id);
                    let message = Box::new(message);
                    if changed {
                        Happening::Changed { after: message, before: None }
                    } else {
                        Happening::Posted(message)
                    }
                }
                None if client.memory.may_still_come(&id, client.clock.monotonic_ms()) => {
                    return Err(Failure::Retry { after_ms: Some(LAG_MS), code: codes::TARGET_FAILED });
                }
                None => Happening::Ignored(codes::DELETED_MEANWHILE),
            };
            Ok(Event { conversation: Some(room), at_ms, happening })
        }
    }
}

/// What a delivery announces.
pub(crate) enum Announced {
    /// All there is to know.
    Done(Event),
    /// A message, to be fetched.
    Message {
        /// Where.
        room: RemoteConversation,
        /// Which.
        id: RemoteMessage,
        /// When, milliseconds since 1970.
        at_ms: i64,
        /// Whether it was there before.
        changed: bool,
    },
}

/// Whom a delivery reaches.
pub(crate) struct Receiver<'a> {
    /// The account.
    pub(crate) own: &'a Own,
    /// Its organisation.
    pub(crate) org: &'a str,
    /// The time, milliseconds since 1970.
    pub(crate) now_ms: i64,
    /// The space that goes on under this id.
    pub(crate) moved: &'a (dyn Fn(&RemoteConversation) -> Option<RemoteConversation> + Sync),
}

/// Reads a delivery.
pub(crate) fn announced(payload: &[u8], receiver: &Receiver<'_>) -> Result<Announced, Failure> {
    let now_ms = receiver.now_ms;
    let malformed = || Failure::Malformed(codes::MALFORMED);
    let envelope: Envelope<'_> = serde_json::from_slice(payload).map_err(|_| malformed())?;
    let data = envelope.data.as_ref().ok_or_else(malformed)?;
    let filled = |id: Option<&str>| id.filter(|id| !id.is_empty()).map(str::to_owned);
    let id = || filled(data.id.as_deref()).ok_or_else(malformed);
    let room = || filled(data.room_id.as_deref()).map(|id| ids::room(&id)).ok_or_else(malformed);
    let done =
        |conversation, happening| Ok(Announced::Done(Event { conversation, at_ms: now_ms, happening }));
    let event = envelope.event.as_deref().unwrap_or_default();
    match (envelope.resource.as_deref().unwrap_or_default(), event) {
        ("messages", "created" | "updated") => {
            let changed = event == "updated";
            let time = if changed { data.updated.as_deref() } else { data.created.as_deref() };
            let at_ms = time.and_then(ids::millis).unwrap_or(now_ms);
            let room = room()?;
            let id = ids::message(room.as_str(), &id()?);
            Ok(Announced::Message { room, id, at_ms, changed })
        }
        ("messages", "deleted") => {
            let room = room()?;
            let message = ids::message(room.as_str(), &id()?);
            let thread_root = filled(data.parent_id.as_deref());
            let thread_root = thread_root.map(|root| ids::message(room.as_str(), &root));
            let thread_root = thread_root.filter(|root| *root != message);
            done(Some(room), Happening::Deleted { message, thread_root })
        }
        ("memberships", "created" | "deleted") => {
            let room = room()?;
            let happening = membership(&envelope, data, payload, event == "created", &room, receiver);
            done(Some(room), happening)
        }
        ("rooms", "migrated") => done(None, migrated(payload, receiver)),
        _ => done(None, Happening::Ignored(codes::KIND)),
    }
}

fn membership(
    envelope: &Envelope<'_>,
    data: &Data<'_>,
    payload: &[u8],
    joined: bool,
    room: &RemoteConversation,
    receiver: &Receiver<'_>,
) -> Happening {
    let user: Option<RemoteUser> = data.person_id.as_deref().filter(|id| !id.is_empty()).map(ids::person);
    let creator = envelope.created_by.as_deref().map(ids::person);
    let is_own = user.is_some() && (user == receiver.own.person || user == creator);
    let conversation = room.clone();
    match (is_own, joined) {
        (true, true) => return Happening::Control(Control::Admitted { conversation }),
        (true, false) => return Happening::Control(Control::Expelled { conversation }),
        (false, true) => {
            let member = member(payload);
            if member.is_some_and(|member| rooms::is_outsider(&member, receiver.org)) {
                return Happening::Control(Control::Shared { conversation, external: true });
            }
        }
        (false, false) => {}
    }
    let kind = if joined { NoticeKind::Joined } else { NoticeKind::Left };
    Happening::Notice(Notice::new(kind, user, None))
}

fn member(payload: &[u8]) -> Option<wire::Membership> {
    let mut whole: Value = serde_json::from_slice(payload).ok()?;
    serde_json::from_value(whole.get_mut("data")?.take()).ok()
}

/// A space goes on under another id. What such an event looks like is not documented: either it has both ids, or the
/// key of the new one tells which it was.
fn migrated(payload: &[u8], receiver: &Receiver<'_>) -> Happening {
    let whole: Value = serde_json::from_slice(payload).unwrap_or_default();
    let fields = whole.get("data").and_then(Value::as_object);
    let is_room = |value: &str| ids::parts(value).is_some_and(|parts| parts.kind == "ROOM");
    let (mut from, mut to) = (None, None);
    for (key, value) in fields.into_iter().flatten() {
        let Some(id) = value.as_str().filter(|id| is_room(id)) else { continue };
        let key = key.to_ascii_lowercase();
        let old = ["old", "prev", "from", "source", "former"].iter().any(|word| key.contains(word));
        if old {
            from = Some(ids::room(id));
        } else if to.is_none() || key.contains("new") || key.contains("target") {
            to = Some(ids::room(id));
        }
    }
    let from = from.or_else(|| (receiver.moved)(to.as_ref()?));
    match (from, to) {
        (Some(from), Some(to)) if from != to => {
            // What was written under the new id before this was known was not taken for bridged.
            let missed = Control::Missed { conversation: Some(to.clone()) };
            Happening::Control(Control::Several(vec![Control::Moved { from, to }, missed]))
        }
        _ => {
            tracing::warn!(code = %codes::KIND, "a space was moved to another region; if it is bridged, bridge it again");
            Happening::Ignored(codes::KIND)
        }
    }
}

/// A message by its id, with the names of its files. `None`: it is not there, or not visible.
async fn fetched(
    client: &Client,
    session: &Session,
    room: &RemoteConversation,
    id: &RemoteMessage,
) -> Result<Option<Message>, Failure> {
    let url = operate::message_url(client, room.as_str(), id.as_str());
    let wire: wire::Message = match client.read(session, url).await {
        Ok(wire) => wire,
        Err(trouble) if trouble.status() == Some(404) => return Ok(None),
        Err(trouble) => return Err(trouble.failure()),
    };
    if wire.is_unreadable() {
        return Err(Failure::Retry { after_ms: None, code: codes::TARGET_FAILED });
    }
    let here = wire.room_id.as_deref().is_none_or(|found| ids::same(found, room.as_str()));
    let found = decode::message(&wire, room.as_str(), &Own::of(session)).filter(|_| here);
    let Some(mut message) = found.filter(|message| ids::same(message.id.as_str(), id.as_str())) else {
        return Err(Failure::Malformed(codes::MALFORMED));
    };
    // The name that it was asked by is the one that the map knows.
    message.id = id.clone();
    if !message.origin.ours {
        files::name(client, session, &wire.files, &mut message).await;
        let says = || {
            let names = message.files.iter().map(|file| file.name.as_str());
            files::said(&squeezed(&message.body), names)
        };
        message.origin.ours = client.echoes.is_ours(room, &message, says).await;
    }
    Ok(Some(message))
}

/// A message in its current state.
pub(crate) async fn message(
    client: &Client,
    session: &Session,
    conversation: &Conversation,
    id: &RemoteMessage,
) -> Result<Option<Message>, Failure> {
    if let Some(message) = fetched(client, session, &conversation.remote, id).await? {
        return Ok(Some(message));
    }
    // What the account may not see any more looks like what is gone: only where the space is seen, it is.
    let url = client.url(&["rooms", conversation.remote.as_str()], &[]);
    let _: wire::Room = client.read(session, url).await.map_err(crate::errors::Trouble::failure)?;
    Ok(None)
}
