//! Admission: what an event means for one target, given what the map knows. Pure.

use dragoman_model::{AuthorKind, Code, Event, Happening, Message, RemoteMessage, Version, codes};

use crate::policy::Policy;

/// What the map and the organisation know about the message of an event, seen from one target.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Known {
    /// The message is a copy that we made.
    pub is_copy: bool,
    /// The target holds a copy of the message.
    pub shown: bool,
    /// The state of the message that this copy shows.
    pub shown_version: Option<Version>,
    /// Whether the copy shows the same text; `None` where that can no longer be told.
    pub same_text: Option<bool>,
    /// What is known of a deletion of the message.
    pub grave: Option<Grave>,
    /// It is what we relayed a moment ago, brought back by another bridge.
    pub round: bool,
    /// The message was sent while the bridge did not relay from its conversation to the target.
    pub unlinked: bool,
    /// Whether to wait for a message that is not mapped yet.
    pub patient: bool,
}

/// When a message was deleted last, and when its author restored it last; by the source's clock, milliseconds since
/// 1970. The later of the two holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Grave {
    /// Deleted.
    pub died_ms: i64,
    /// Restored; 0: never.
    pub revived_ms: i64,
}

/// The verdict.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Admission {
    /// Post it.
    Create,
    /// Bring the copy up to date.
    Edit,
    /// Delete the copy.
    Delete(RemoteMessage),
    /// Not to be relayed, and why.
    Drop(Code),
    /// Deleted before it was relayed: remember that, relay nothing.
    Bury(RemoteMessage),
    /// Wait beside the lane for the message to be mapped.
    Wait,
}

/// Judges an event.
pub(crate) fn admit(event: &Event, known: &Known, policy: &Policy) -> Admission {
    match &event.happening {
        Happening::Ignored(code) => Admission::Drop(*code),
        Happening::Notice(_) => Admission::Drop(codes::NOTICE_OFF),
        // Reactions and offers have turns of their own.
        Happening::Control(_)
        | Happening::FileAnswered { .. }
        | Happening::Asked(_)
        | Happening::ReactionAdded { .. }
        | Happening::ReactionRemoved { .. }
        | Happening::Reactions { .. }
        | Happening::ReactionsListed { .. } => Admission::Drop(codes::KIND),
        Happening::Posted(_) | Happening::Changed { .. } if is_buried(event, known) => {
            Admission::Drop(codes::DELETED_MEANWHILE)
        }
        Happening::Posted(message) => admit_post(message, known, policy),
        Happening::Changed { after, before } => admit_change(after, before.as_deref(), known, policy),
        Happening::Deleted { message, .. } => {
            if known.is_copy {
                Admission::Drop(codes::ECHO)
            } else if known.grave.is_some_and(|grave| event.at_ms <= grave.revived_ms) {
                Admission::Drop(codes::SEEN)
            } else if known.shown {
                Admission::Delete(message.clone())
            } else {
                Admission::Bury(message.clone())
            }
        }
    }
}

/// Whether an event that shows a message alive is from after its deletion: its author restored it.
pub(crate) fn revives(event: &Event, known: &Known) -> bool {
    message_of(event).is_some()
        && known.grave.is_some_and(|it| it.revived_ms <= it.died_ms && it.died_ms < event.at_ms)
}

/// Whether it is from before.
fn is_buried(event: &Event, known: &Known) -> bool {
    known.grave.is_some_and(|it| it.revived_ms <= it.died_ms && event.at_ms <= it.died_ms)
}

/// Whether the versions cannot tell which of two different texts is the later one: some are whole seconds.
pub(crate) fn is_ambiguous(event: &Event, known: &Known) -> bool {
    matches!(&event.happening, Happening::Changed { after, .. }
        if known.shown && known.same_text == Some(false) && after.version.is_some()
            && after.version == known.shown_version)
}

/// The message that an event is about, if it carries one.
pub(crate) fn message_of(event: &Event) -> Option<&Message> {
    match &event.happening {
        Happening::Posted(message) | Happening::Changed { after: message, .. } => Some(message),
        _ => None,
    }
}

fn admit_post(message: &Message, known: &Known, policy: &Policy) -> Admission {
    if let Some(code) = unwelcome(message, known, policy) {
        return Admission::Drop(code);
    }
    if !known.shown {
        return Admission::Create;
    }
    // The same message again: through the second feed of its conversation, or while catching up. A copy without a
    // version was not finished.
    if message.version > known.shown_version && known.same_text != Some(true) {
        Admission::Edit
    } else {
        Admission::Drop(codes::SEEN)
    }
}

fn admit_change(after: &Message, before: Option<&Message>, known: &Known, policy: &Policy) -> Admission {
    if let Some(code) = unwelcome(after, known, policy) {
        return Admission::Drop(code);
    }
    if let Some(before) = before
        && same_content(before, after)
    {
        return Admission::Drop(codes::UNCHANGED);
    }
    if !known.shown {
        return if known.unlinked {
            Admission::Drop(codes::UNMAPPED)
        } else if known.patient && known.grave.is_none() {
            Admission::Wait
        } else {
            Admission::Create
        };
    }
    // Versions may be coarse: of two with the same one the caller asks the source.
    if let (Some(new), Some(old)) = (after.version, known.shown_version)
        && (new < old || (new == old && known.same_text != Some(false)))
    {
        return Admission::Drop(codes::SEEN);
    }
    if known.same_text == Some(true) {
        return Admission::Drop(codes::UNCHANGED);
    }
    Admission::Edit
}

fn unwelcome(message: &Message, known: &Known, policy: &Policy) -> Option<Code> {
    let marked = message.origin.marker.is_some();
    // Our marker under another app's name.
    let foreign = marked && !message.origin.ours && message.author.kind == AuthorKind::Bot;
    if known.is_copy || message.origin.ours || marked && !foreign {
        return Some(codes::ECHO);
    }
    if foreign || known.round {
        return Some(codes::LOOP);
    }
    match message.author.kind {
        AuthorKind::System => return Some(codes::KIND),
        AuthorKind::Bot if !policy.relay_bots => return Some(codes::FOREIGN_BOT),
        AuthorKind::Bot | AuthorKind::Person => {}
    }
    if message.body.is_empty() && message.files.is_empty() && !known.shown {
        return Some(codes::EMPTY);
    }
    None
}

fn same_content(a: &Message, b: &Message) -> bool {
    a.body == b.body
        && a.files.len() == b.files.len()
        && a.files.iter().zip(&b.files).all(|(a, b)| a.id == b.id)
}

#[cfg(test)]
#[path = "admit/tests.rs"]
mod tests;
