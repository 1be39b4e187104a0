//! From what Teams sent to canonical events. Pure.
//!
//! Versions. Both feeds of a conversation have to count alike. A message that was never edited has its id as
//! version: it is the millisecond of its creation in both feeds. An edited one has `lastEditedDateTime`, which
//! reactions, unfurls and card refreshes do not move. A bot's `messageUpdate` tells only when it was sent, a
//! moment after the edit, so the connector reads the edited message from Graph where it may, and takes that
//! timestamp where it may not: then there is no second feed to agree with.

use std::collections::BTreeMap;

use dragoman_markup::Budget;
use dragoman_markup::emoji::from_teams_reaction;
use dragoman_markup::teams::images;
use dragoman_model::codes::{ECHO, EMPTY, KIND, NOT_REREADABLE};
use dragoman_model::{
    Author, AuthorKind, Block, Code, Control, Emoji, Event, FileRef, Happening, Inline, Message, Notice,
    NoticeKind, Origin, ReactionChange, RemoteConversation, RemoteMessage, RemoteUser, Version,
};

use crate::body::{self, Body};
use crate::consent;
use crate::envelope::{self, Change};
use crate::files::{self, DOWNLOAD, SENT};
use crate::ids::{is_bot, is_channel, is_personal, message_ms, parse_time};
use crate::wire::activity::Activity;
use crate::wire::message::{Attachment, ChatMessage, History, IdentitySet};
use crate::wire::notification::Notification;

/// People of one notice whose directory ids are asked for.
const MOST_PEOPLE: usize = 10;

/// A message as Graph shows it.
pub(crate) fn graph_message(message: &ChatMessage, app_id: &str) -> Message {
    let from = message.from.as_ref();
    let user = from.and_then(|from| from.user.as_ref());
    let application = from.and_then(|from| from.application.as_ref());
    let ours = application
        .and_then(|application| application.id.as_deref())
        .is_some_and(|id| !app_id.is_empty() && id.eq_ignore_ascii_case(app_id));
    let identity = user.or(application);
    let kind = match (user, application) {
        (Some(_), _) => AuthorKind::Person,
        (None, Some(_)) => AuthorKind::Bot,
        (None, None) => AuthorKind::System,
    };
    let mut document = body::parse(&Body::of_graph(message));
    let subject = message.subject.as_deref().map(str::trim).unwrap_or_default();
    if !subject.is_empty() {
        document
            .blocks
            .insert(0, Block::Paragraph(vec![Inline::Strong(vec![Inline::Text(subject.to_owned())])]));
    }
    let sent_at_ms = created_ms(message);
    let edited = message.last_edited_date_time.as_deref().and_then(parse_time);
    Message {
        id: RemoteMessage::from(message.id.as_str()),
        thread_root: root(message),
        broadcast: false,
        author: Author {
            user: identity.and_then(|identity| identity.id.as_deref()).map(RemoteUser::from),
            kind,
            name: identity.and_then(|identity| identity.display_name.clone()).filter(|name| !name.is_empty()),
            avatar_url: None,
        },
        body: document,
        files: graph_files(message),
        sent_at_ms,
        edited_at_ms: edited,
        version: Some(Version(edited.unwrap_or(sent_at_ms))),
        origin: Origin { ours, marker: None },
    }
}

/// The thread that a message replies in. Chats have none.
fn root(message: &ChatMessage) -> Option<RemoteMessage> {
    message
        .reply_to_id
        .as_deref()
        .filter(|root| !root.is_empty() && *root != message.id && message.chat_id.is_none())
        .map(RemoteMessage::from)
}

fn created_ms(message: &ChatMessage) -> i64 {
    message_ms(&message.id)
        .or_else(|| message.created_date_time.as_deref().and_then(parse_time))
        .unwrap_or_default()
}

/// When a message changed last in any way.
pub(crate) fn modified_ms(message: &ChatMessage) -> i64 {
    [&message.last_modified_date_time, &message.deleted_date_time, &message.last_edited_date_time]
        .into_iter()
        .filter_map(|time| time.as_deref().and_then(parse_time))
        .max()
        .unwrap_or_default()
        .max(created_ms(message))
}

/// Whether people may no longer see a message: deleted, or blocked by a data loss prevention policy.
pub(crate) fn is_gone(message: &ChatMessage) -> bool {
    message.deleted_date_time.is_some()
        || message.policy_violation.as_ref().is_some_and(|policy| {
            // Flags; the reference writes them in both cases.
            policy.dlp_action.to_ascii_lowercase().contains("blockaccess")
        })
}

/// Whether a person or an app wrote it, rather than the service.
pub(crate) fn is_message(message: &ChatMessage) -> bool {
    message.message_type.as_deref().is_none_or(|kind| kind == "message")
        && !message.body.content.contains("<systemEventMessage")
}

/// What a change of a message is. Decided from its content: the service's own word for it varies.
pub(crate) fn graph_event(message: &ChatMessage, created: bool, conversation: &str, app_id: &str) -> Event {
    let happening = if is_gone(message) {
        Happening::Deleted { message: RemoteMessage::from(message.id.as_str()), thread_root: root(message) }
    } else if !is_message(message) {
        system_event(message)
    } else if created {
        Happening::Posted(Box::new(graph_message(message, app_id)))
    } else if let Some(reactions) = newest_reactions(message, app_id) {
        reactions
    } else {
        Happening::Changed { after: Box::new(graph_message(message, app_id)), before: None }
    };
    Event {
        conversation: Some(RemoteConversation::from(conversation)),
        at_ms: if created { created_ms(message) } else { modified_ms(message) },
        happening,
    }
}

/// Everybody's reactions, where one was the last thing to happen to a message, as its history says. All of them: a
/// message is read after it changed, perhaps more than once since.
fn newest_reactions(message: &ChatMessage, app_id: &str) -> Option<Happening> {
    let at = |entry: &History| entry.modified_date_time.as_deref().and_then(parse_time);
    let entry = message.message_history.iter().max_by_key(|entry| at(entry))?;
    let moved = message.last_modified_date_time.as_deref().and_then(parse_time)?;
    let edited = message.last_edited_date_time.as_deref().and_then(parse_time).unwrap_or_default();
    // The history is written with the change: what lies further back is not what this change was about.
    let when = at(entry)?;
    if (moved - when).abs() > 1_000 || when <= edited {
        return None;
    }
    entry.reaction.as_ref()?;
    let mut history: Vec<&History> = message.message_history.iter().collect();
    history.sort_by_key(|entry| at(entry));
    let mut changes: Vec<ReactionChange> = Vec::new();
    for change in history.into_iter().filter_map(|entry| reaction_change(entry, at(entry)?, app_id)) {
        changes.retain(|it| it.by != change.by || it.emoji != change.emoji);
        changes.push(change);
    }
    Some(told(RemoteMessage::from(message.id.as_str()), changes, ECHO))
}

/// What an entry of a message's history says of somebody else's reaction.
fn reaction_change(entry: &History, at_ms: i64, app_id: &str) -> Option<ReactionChange> {
    let reaction = entry.reaction.as_ref()?;
    let set = entry.actions.contains("reactionAdded");
    if !set && !entry.actions.contains("reactionRemoved") {
        return None;
    }
    let by = RemoteUser::from(reactor(&reaction.user, app_id)?);
    let emoji = emoji(&reaction.reaction_type, reaction.display_name.as_deref());
    Some(ReactionChange { by, emoji, set, at_ms })
}

/// Who reacted. `None`: this app, or nobody knows who.
pub(crate) fn reactor<'a>(who: &'a IdentitySet, app_id: &str) -> Option<&'a str> {
    let application = who.application.as_ref().and_then(|application| application.id.as_deref());
    let ours = application.is_some_and(|id| !app_id.is_empty() && id.eq_ignore_ascii_case(app_id));
    person(who).filter(|_| !ours)
}

/// Changes of reactions; where there are none, `nothing` says why.
fn told(message: RemoteMessage, mut changes: Vec<ReactionChange>, nothing: Code) -> Happening {
    match (changes.len(), changes.pop()) {
        (1, Some(ReactionChange { by, emoji, set: true, .. })) => {
            Happening::ReactionAdded { message, by, emoji }
        }
        (1, Some(ReactionChange { by, emoji, .. })) => Happening::ReactionRemoved { message, by, emoji },
        (_, Some(last)) => {
            changes.push(last);
            Happening::Reactions { message, changes }
        }
        (_, None) => Happening::Ignored(nothing),
    }
}

fn person(identity: &IdentitySet) -> Option<&str> {
    identity.user.as_ref().or(identity.application.as_ref())?.id.as_deref()
}

/// A reaction in the canonical form.
pub(crate) fn emoji(kind: &str, name: Option<&str>) -> Emoji {
    match from_teams_reaction(kind) {
        Some(characters) => Emoji::Unicode(characters),
        None => {
            Emoji::Custom { name: name.filter(|name| !name.is_empty()).unwrap_or(kind).to_owned(), url: None }
        }
    }
}

/// System messages. The bot is told of members, names and archiving as well; only what it is not told of is
/// taken from here, so that nobody reads a notice twice.
fn system_event(message: &ChatMessage) -> Happening {
    let Some(detail) = &message.event_detail else { return Happening::Ignored(KIND) };
    let name = detail.kind.rsplit('.').next().unwrap_or_default();
    let (kind, text) = match name {
        "callStartedEventMessageDetail" => (NoticeKind::Call, None),
        "callEndedEventMessageDetail" => (NoticeKind::CallEnded, None),
        "channelDescriptionUpdatedEventMessageDetail" => {
            (NoticeKind::Topic, detail.channel_description.clone())
        }
        _ => return Happening::Ignored(KIND),
    };
    Happening::Notice(Notice::new(kind, None, text))
}

fn graph_files(message: &ChatMessage) -> Vec<FileRef> {
    // What is sent to a chat is its sender's own; what is in a channel is the channel's.
    let sender = message.from.as_ref().filter(|_| message.chat_id.is_some());
    let sender = sender.and_then(|from| from.user.as_ref()?.id.as_deref());
    let references = message
        .attachments
        .iter()
        // Authors write these ids.
        .filter(|it| it.content_type == "reference" && files::is_only_a_name(&it.id));
    let listed = references.map(|attachment| reference(attachment, sender));
    let pasted = images(&message.body.content, Budget::default()).into_iter().map(|image| FileRef {
        id: image.src,
        name: Some(image.alt).filter(|alt| !alt.is_empty()).unwrap_or_else(|| "image".to_owned()),
        media_type: None,
        size: None,
        permalink: message.web_url.clone(),
    });
    listed.chain(pasted).collect()
}

fn reference(attachment: &Attachment, sender: Option<&str>) -> FileRef {
    let id = &attachment.id;
    FileRef {
        // The bot is told the same id in capitals.
        id: sender.map_or_else(|| id.clone(), |sender| format!("{}{SENT}{sender}", id.to_lowercase())),
        name: attachment.name.clone().filter(|name| !name.is_empty()).unwrap_or_else(|| "file".to_owned()),
        media_type: None,
        size: None,
        permalink: attachment.content_url.clone(),
    }
}

/// Whether an activity leaves out what only Graph tells: files, quotes and cards of channels and chats. Pasted pictures
/// have other addresses there, by which they are known again when the message is edited.
pub(crate) fn is_incomplete(activity: &Activity) -> bool {
    let has_picture = activity.attachments.iter().any(|it| it.content_type.starts_with("image/"));
    activity.html().is_some_and(|html| html.contains("<attachment"))
        || has_picture
        || (activity.html().is_none() && activity.text.is_empty())
}

/// A message as the bot is shown it. `objects` gives the directory's id for accounts of bot traffic.
pub(crate) fn bot_message(activity: &Activity, app_id: &str, objects: &BTreeMap<String, String>) -> Message {
    let account = activity.from.id.as_str();
    let object = activity.from.aad_object_id.as_deref().filter(|id| !id.is_empty());
    let user = object.or_else(|| objects.get(account).map(String::as_str)).unwrap_or(account);
    let sent_at_ms = message_ms(&activity.id)
        .or_else(|| activity.timestamp.as_deref().and_then(parse_time))
        .unwrap_or_default();
    let edited = (activity.kind == "messageUpdate")
        .then(|| activity.timestamp.as_deref().and_then(parse_time))
        .flatten();
    Message {
        id: RemoteMessage::from(activity.id.as_str()),
        thread_root: envelope::thread_root(activity)
            .filter(|_| is_channel(envelope::conversation(activity)))
            .map(RemoteMessage::from),
        broadcast: false,
        author: Author {
            user: (!user.is_empty()).then(|| RemoteUser::from(user)),
            kind: if account.starts_with("28:") { AuthorKind::Bot } else { AuthorKind::Person },
            name: activity.from.name.clone().filter(|name| !name.is_empty()),
            avatar_url: None,
        },
        body: body::parse(&Body::of_activity(activity, objects)),
        files: bot_files(activity),
        sent_at_ms,
        edited_at_ms: edited,
        version: Some(Version(edited.unwrap_or(sent_at_ms))),
        origin: Origin { ours: is_bot(account, app_id), marker: None },
    }
}

fn bot_files(activity: &Activity) -> Vec<FileRef> {
    activity
        .attachments
        .iter()
        .filter_map(|attachment| {
            let image = attachment.content_type.starts_with("image/");
            let sent = attachment.content_type == "application/vnd.microsoft.teams.file.download.info";
            let named = |file: &str| attachment.name.clone().unwrap_or_else(|| file.to_owned());
            if image {
                return Some(FileRef {
                    // The address of a pasted image needs the bot's token: nobody could follow it.
                    id: attachment.content_url.clone()?,
                    name: named("image"),
                    media_type: Some(attachment.content_type.clone()),
                    size: None,
                    permalink: None,
                });
            }
            let content = attachment.content.as_ref().filter(|_| sent)?;
            let word =
                |key: &str| content.get(key)?.as_str().filter(|word| !word.is_empty() && !word.contains(' '));
            // Who has the address has the file, as long as it is valid: it is no link for people.
            Some(FileRef {
                id: format!("{}{DOWNLOAD}{}", word("uniqueId")?.to_lowercase(), word("downloadUrl")?),
                name: named("file"),
                media_type: None,
                size: None,
                permalink: attachment.content_url.clone(),
            })
        })
        .collect()
}

/// The accounts of bot traffic whose directory ids are wanted to decode an activity.
pub(crate) fn accounts(activity: &Activity) -> Vec<String> {
    let mut wanted: Vec<String> = activity
        .mentions()
        .map(|entity| &entity.mentioned)
        .chain(activity.members_added.iter().take(MOST_PEOPLE))
        .chain(activity.members_removed.iter().take(MOST_PEOPLE))
        .chain([&activity.from])
        .filter(|account| {
            account.id.starts_with("29:") && account.aad_object_id.as_deref().is_none_or(str::is_empty)
        })
        .map(|account| account.id.clone())
        .collect();
    wanted.sort();
    wanted.dedup();
    wanted
}

/// What an activity tells. `completed` is the same message as Graph shows it, where it was read.
pub(crate) fn bot_event(
    activity: &Activity,
    app_id: &str,
    objects: &BTreeMap<String, String>,
    completed: Option<&ChatMessage>,
    siblings: &[String],
) -> Event {
    let conversation = envelope::conversation(activity);
    let at_ms = envelope::activity_ms(activity).unwrap_or_default();
    let message = || match completed {
        Some(complete) => graph_message(complete, app_id),
        None => bot_message(activity, app_id, objects),
    };
    let gone = || Happening::Deleted {
        message: RemoteMessage::from(activity.id.as_str()),
        thread_root: envelope::thread_root(activity).map(RemoteMessage::from),
    };
    let happening = match activity.kind.as_str() {
        "message" | "messageUpdate" if completed.is_some_and(is_gone) => gone(),
        "message" => Happening::Posted(Box::new(message())),
        // An edit that says nothing of the new text must not blank the copies.
        "messageUpdate" if completed.is_none() && activity.html().is_none() && activity.text.is_empty() => {
            Happening::Ignored(NOT_REREADABLE)
        }
        "messageUpdate" => Happening::Changed { after: Box::new(message()), before: None },
        "messageDelete" => gone(),
        "messageReaction" => reaction(activity, at_ms, app_id, objects),
        "invoke" => consent::answer(activity),
        "conversationUpdate" | "installationUpdate" => match envelope::change(activity, app_id) {
            Some(change) => changed(change, activity, objects, siblings),
            None => Happening::Ignored(KIND),
        },
        _ => Happening::Ignored(KIND),
    };
    let about = if matches!(happening, Happening::Control(_)) { None } else { Some(conversation) };
    Event { conversation: about.filter(|id| !id.is_empty()).map(RemoteConversation::from), at_ms, happening }
}

/// The reactions of an activity; the service mostly sends one each.
fn reaction(activity: &Activity, at_ms: i64, app_id: &str, objects: &BTreeMap<String, String>) -> Happening {
    let Some(message) = activity.reply_to_id.as_deref().map(RemoteMessage::from) else {
        return Happening::Ignored(KIND);
    };
    let account = activity.from.id.as_str();
    if is_bot(account, app_id) {
        return Happening::Ignored(ECHO);
    }
    let user = activity
        .from
        .aad_object_id
        .as_deref()
        .filter(|id| !id.is_empty())
        .or_else(|| objects.get(account).map(String::as_str))
        .unwrap_or(account);
    let by = RemoteUser::from(user);
    let change = |kind: &str, set| ReactionChange { by: by.clone(), emoji: emoji(kind, None), set, at_ms };
    let removed = activity.reactions_removed.iter().map(|it| change(&it.kind, false));
    let added = activity.reactions_added.iter().map(|it| change(&it.kind, true));
    told(message, removed.chain(added).collect(), EMPTY)
}

fn changed(
    change: Change,
    activity: &Activity,
    objects: &BTreeMap<String, String>,
    siblings: &[String],
) -> Happening {
    let id = envelope::conversation(activity);
    let people = |accounts: &[crate::wire::activity::Account]| -> Vec<RemoteUser> {
        let user = |account: &crate::wire::activity::Account| {
            let object = account.aad_object_id.as_deref().filter(|id| !id.is_empty());
            let known = objects.get(&account.id).map(String::as_str);
            RemoteUser::from(object.or(known).unwrap_or(&account.id))
        };
        accounts.iter().map(user).collect()
    };
    // What happens to a team happens to all of its channels.
    let mut all: Vec<&str> = vec![id];
    all.extend(siblings.iter().map(String::as_str).filter(|sibling| *sibling != id));
    let each = |make: &dyn Fn(RemoteConversation) -> Control| -> Vec<Control> {
        all.iter().filter(|id| !id.is_empty()).map(|id| make(RemoteConversation::from(*id))).collect()
    };
    let notice = |kind, people, text| {
        let also = siblings.iter().filter(|sibling| *sibling != id);
        let also = also.map(|sibling| RemoteConversation::from(sibling.as_str())).collect();
        Happening::Notice(Notice { kind, people, text, also })
    };
    match change {
        Change::Admitted => {
            let mut controls = each(&|conversation| Control::Admitted { conversation });
            for conversation in &all {
                controls.extend(facts(activity, conversation));
            }
            controls.extend(installation_facts(activity));
            controls.extend(met(activity, objects));
            Happening::Control(Control::Several(controls))
        }
        Change::Expelled => {
            Happening::Control(Control::Several(each(&|conversation| Control::Expelled { conversation })))
        }
        Change::Shared | Change::Unshared => Happening::Control(Control::Shared {
            conversation: RemoteConversation::from(id),
            external: change == Change::Shared,
        }),
        Change::Joined => notice(NoticeKind::Joined, people(&activity.members_added), None),
        Change::Left => notice(NoticeKind::Left, people(&activity.members_removed), None),
        Change::Renamed => {
            let name = activity.channel_data.channel.name.clone().or_else(|| activity.topic_name.clone());
            notice(NoticeKind::Renamed, Vec::new(), name)
        }
        Change::Archived => notice(NoticeKind::Archived, Vec::new(), None),
        Change::Unarchived => notice(NoticeKind::Unarchived, Vec::new(), None),
    }
}

/// Who added the app for themselves. It is told twice, as an update of the installation and of the conversation; that a
/// new version came is no occasion.
fn met(activity: &Activity, objects: &BTreeMap<String, String>) -> Option<Control> {
    let chat = envelope::conversation(activity);
    let personal = activity.conversation.conversation_type == "personal" && is_personal(chat);
    if !personal || activity.action == "add-upgrade" {
        return None;
    }
    let from = &activity.from;
    let object = from.aad_object_id.as_deref().filter(|id| !id.is_empty());
    let user = object.or_else(|| objects.get(&from.id).map(String::as_str)).unwrap_or(&from.id);
    let met = Control::Met { user: RemoteUser::from(user), conversation: RemoteConversation::from(chat) };
    (!user.is_empty()).then_some(met)
}

/// What is worth remembering of a conversation.
fn facts(activity: &Activity, conversation: &str) -> Vec<Control> {
    let about = Some(RemoteConversation::from(conversation));
    let fact = |key: &str, value: &str| Control::Fact {
        conversation: about.clone(),
        key: key.to_owned(),
        value: value.to_owned(),
    };
    let mut facts = vec![fact("service_url", &activity.service_url)];
    facts.extend(activity.team_id().map(|id| fact("team_id", id)));
    facts.extend(activity.channel_data.team.aad_group_id.as_deref().map(|guid| fact("team_guid", guid)));
    if activity.conversation.conversation_type == "personal"
        && let Some(object) = activity.from.aad_object_id.as_deref()
    {
        facts.push(fact("user", object));
    }
    facts.retain(|fact| !matches!(fact, Control::Fact { value, .. } if value.is_empty()));
    facts
}

/// What is worth remembering of the tenant: where its connector is, and its teams.
fn installation_facts(activity: &Activity) -> Vec<Control> {
    let fact = |key: String, value: &str| Control::Fact { conversation: None, key, value: value.to_owned() };
    let mut facts = vec![fact("service_url".to_owned(), &activity.service_url)];
    if let (Some(id), Some(guid)) = (activity.team_id(), activity.channel_data.team.aad_group_id.as_deref()) {
        facts.push(fact(format!("team:{id}"), guid));
    }
    facts.retain(|fact| !matches!(fact, Control::Fact { value, .. } if value.is_empty()));
    facts
}

/// What a notification about a subscription asks for.
pub(crate) fn lifecycle_event(notification: &Notification, at_ms: i64) -> Event {
    // `missed` means that notifications were lost although the subscription lives: it is looked at again and
    // what happened since is read.
    let lost = !notification.lifecycle_event.eq_ignore_ascii_case("reauthorizationRequired");
    let control = Control::Subscription { id: notification.subscription_id.clone(), lost };
    Event { conversation: None, at_ms, happening: Happening::Control(control) }
}
