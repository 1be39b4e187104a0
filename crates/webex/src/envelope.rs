//! From an authentic delivery to an item, without reading text.

use dragoman_model::{Code, DeliveryKey, EventKind, RemoteConversation, RemoteMessage, codes};
use dragoman_platform::{Answer, Delivery, Item, Rejection};
use dragoman_seal::Content;
use http::StatusCode;

use crate::ids;
use crate::wire::envelope::{Data, Envelope};

/// The one feed.
pub(crate) const FEED: &str = "events";

/// Reads the body of a delivery. `now_ms` stands for the time of events that tell none.
pub(crate) fn read(body: &[u8], now_ms: i64) -> Result<Delivery, Rejection> {
    let malformed = || Rejection::Malformed(codes::MALFORMED);
    let envelope: Envelope<'_> = serde_json::from_slice(body).map_err(|_| malformed())?;
    let subject = match subject(&envelope, now_ms) {
        Ok(subject) => subject,
        Err(code) => return Ok(dropped(code)),
    };
    let org = envelope.org_id.as_deref().filter(|id| !id.is_empty()).ok_or_else(malformed)?;
    let item = Item {
        workspace: ids::organisation(org),
        conversation: subject.conversation,
        message: subject.message,
        thread_root: subject.thread_root,
        kind: subject.kind,
        delivery_key: subject.key,
        at_ms: subject.at_ms,
        feed: FEED,
        payload: Content::copied_from(body),
    };
    Ok(Delivery { items: vec![item], answer: Answer::status(StatusCode::OK), dropped: Vec::new() })
}

/// Whether a delivery is about a direct space: one of the account and one person.
pub(crate) fn is_direct(body: &[u8]) -> bool {
    serde_json::from_slice::<Envelope<'_>>(body)
        .ok()
        .and_then(|envelope| envelope.data)
        .is_some_and(|data| data.room_type.as_deref() == Some("direct"))
}

/// What an event is about.
struct Subject {
    kind: EventKind,
    conversation: Option<RemoteConversation>,
    message: Option<RemoteMessage>,
    thread_root: Option<RemoteMessage>,
    key: Option<DeliveryKey>,
    at_ms: i64,
}

fn subject(envelope: &Envelope<'_>, now_ms: i64) -> Result<Subject, Code> {
    let resource = envelope.resource.as_deref().unwrap_or_default();
    let event = envelope.event.as_deref().unwrap_or_default();
    let data = envelope.data.as_ref().ok_or(codes::MALFORMED)?;
    let filled = |id: Option<&str>| id.filter(|id| !id.is_empty()).map(str::to_owned);
    let id = || filled(data.id.as_deref()).ok_or(codes::MALFORMED);
    let room = || filled(data.room_id.as_deref()).map(|id| ids::room(&id)).ok_or(codes::MALFORMED);
    let about = |kind, conversation| Subject {
        kind,
        conversation,
        message: None,
        thread_root: None,
        key: None,
        at_ms: now_ms,
    };
    match (resource, event) {
        ("messages", "created" | "updated" | "deleted") => {
            let id = id()?;
            let conversation = room()?;
            if is_own(envelope, data) {
                return Err(codes::ECHO);
            }
            let message = ids::message(conversation.as_str(), &id);
            let root = filled(data.parent_id.as_deref());
            let root = root.map(|root| ids::message(conversation.as_str(), &root));
            let time = |text: Option<&str>| text.and_then(ids::millis);
            let (kind, at_ms) = match event {
                "created" => (EventKind::Created, time(data.created.as_deref())),
                "updated" => (EventKind::Changed, time(data.updated.as_deref())),
                // `created` is the message's, not the deletion's.
                _ => (EventKind::Deleted, None),
            };
            // There are no keys of deliveries. A message is deleted once; but it may be reported as created a second
            // time after an edit, so that a key made of its id would hide that.
            let key = (kind == EventKind::Deleted)
                .then(|| DeliveryKey::from(format!("messages/deleted/{message}")));
            let thread_root = root.filter(|root| *root != message);
            let at_ms = at_ms.unwrap_or(now_ms);
            Ok(Subject { message: Some(message), thread_root, key, at_ms, ..about(kind, Some(conversation)) })
        }
        ("memberships", "created" | "deleted") => Ok(about(EventKind::Conversation, Some(room()?))),
        // Which of its ids is the bridged one is not known here, so it names none.
        ("rooms", "migrated") => Ok(about(EventKind::Control, None)),
        _ => Err(codes::KIND),
    }
}

/// Whether the account that receives the webhook wrote the message: every copy, before or after the answer to its
/// post, and what is typed with this account, which is not a person's.
fn is_own(envelope: &Envelope<'_>, data: &Data<'_>) -> bool {
    let author = data.person_id.as_deref().filter(|id| !id.is_empty());
    author.is_some_and(|author| envelope.created_by.as_deref().is_some_and(|own| ids::same(own, author)))
}

/// Acknowledged and left out.
fn dropped(code: Code) -> Delivery {
    Delivery { items: Vec::new(), answer: Answer::status(StatusCode::OK), dropped: vec![code] }
}
