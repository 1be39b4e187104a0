//! What an authentic delivery is about, without reading text of people. Pure.

use dragoman_model::{DeliveryKey, EventKind, RemoteConversation, RemoteMessage, RemoteWorkspace};
use dragoman_platform::Item;
use dragoman_seal::Content;

use crate::consent;
use crate::ids::{is_bot, is_channel, message_ms, parse_resource, parse_time, split_conversation};
use crate::wire::activity::Activity;
use crate::wire::notification::Notification;

/// Activities of the bot.
pub(crate) const BOT: &str = "bot";
/// Change notifications about messages.
pub(crate) const GRAPH: &str = "graph";
/// Notifications about subscriptions.
pub(crate) const LIFECYCLE: &str = "lifecycle";

/// What an activity is, for those that are not about one message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Change {
    /// The app came into the conversation, or a channel came back.
    Admitted,
    /// The app was removed, or the conversation is gone.
    Expelled,
    /// Shared with another team, perhaps of another organisation.
    Shared,
    /// No longer shared.
    Unshared,
    /// Other people joined.
    Joined,
    /// Other people left.
    Left,
    /// Another name or topic.
    Renamed,
    /// The team is archived.
    Archived,
    /// The team is no longer archived.
    Unarchived,
}

impl Change {
    /// Whether it may concern a whole team with all of its channels, and tells only people.
    pub(crate) fn is_of_team(self) -> bool {
        matches!(self, Self::Joined | Self::Left | Self::Archived | Self::Unarchived)
    }

    /// Whether it concerns the gateway itself rather than people.
    pub(crate) fn is_control(self) -> bool {
        matches!(self, Self::Admitted | Self::Expelled | Self::Shared | Self::Unshared)
    }
}

/// What changed, as a `conversationUpdate` or `installationUpdate` tells. `None`: nothing that matters here.
pub(crate) fn change(activity: &Activity, app_id: &str) -> Option<Change> {
    let ours = |accounts: &[crate::wire::activity::Account]| {
        accounts.iter().any(|account| is_bot(&account.id, app_id))
    };
    if activity.kind == "installationUpdate" {
        return match activity.action.as_str() {
            "add" | "add-upgrade" => Some(Change::Admitted),
            "remove" => Some(Change::Expelled),
            // `remove-upgrade` is followed by `add-upgrade`.
            _ => None,
        };
    }
    if ours(&activity.members_added) {
        return Some(Change::Admitted);
    }
    if ours(&activity.members_removed) {
        return Some(Change::Expelled);
    }
    let by_event = [
        ("channelDeleted", Change::Expelled),
        ("teamDeleted", Change::Expelled),
        ("teamHardDeleted", Change::Expelled),
        ("channelCreated", Change::Admitted),
        ("channelRestored", Change::Admitted),
        ("teamRestored", Change::Admitted),
        ("channelShared", Change::Shared),
        ("channelUnshared", Change::Unshared),
        ("channelRenamed", Change::Renamed),
        ("teamArchived", Change::Archived),
        ("teamUnarchived", Change::Unarchived),
    ];
    if let Some((_, change)) = by_event.into_iter().find(|(name, _)| activity.is_event(name)) {
        return Some(change);
    }
    if !activity.members_added.is_empty() {
        return Some(Change::Joined);
    }
    if !activity.members_removed.is_empty() {
        return Some(Change::Left);
    }
    activity.topic_name.is_some().then_some(Change::Renamed)
}

/// The channel or chat that an activity is about: `conversation.id` of events of a team names its general
/// channel.
pub(crate) fn conversation(activity: &Activity) -> &str {
    let (base, _) = split_conversation(&activity.conversation.id);
    let channel = activity.channel_data.channel.id.as_str();
    let selected = activity.channel_data.settings.selected_channel.id.as_str();
    if !channel.is_empty() {
        channel
    } else if !selected.is_empty() && is_channel(base) {
        selected
    } else {
        base
    }
}

/// The message that an activity is about: reactions and answers to a card name it in `replyToId`.
pub(crate) fn message(activity: &Activity) -> Option<&str> {
    match activity.kind.as_str() {
        "message" | "messageUpdate" | "messageDelete" => Some(activity.id.as_str()),
        "messageReaction" => activity.reply_to_id.as_deref(),
        "invoke" if consent::is_answer(activity) => activity.reply_to_id.as_deref(),
        _ => None,
    }
    .filter(|id| !id.is_empty())
}

/// The root of the thread of that message, where it is a reply. A root arrives with its own id there.
pub(crate) fn thread_root(activity: &Activity) -> Option<&str> {
    let (_, root) = split_conversation(&activity.conversation.id);
    root.filter(|root| message(activity) != Some(*root))
}

/// When an activity happened, milliseconds since 1970.
pub(crate) fn activity_ms(activity: &Activity) -> Option<i64> {
    let timestamp = activity.timestamp.as_deref().and_then(parse_time);
    if activity.kind == "message" { message_ms(&activity.id).or(timestamp) } else { timestamp }
}

/// Whether a message activity is a press on a card's button and no chat message.
fn is_card_press(activity: &Activity) -> bool {
    activity.value.is_some() && activity.text.is_empty() && activity.html().is_none()
}

/// Whether something tells of a team as a whole.
pub(crate) fn is_of_team(activity: &Activity, app_id: &str) -> bool {
    activity.team_id().is_some()
        && activity.channel_data.channel.id.is_empty()
        && change(activity, app_id).is_some_and(Change::is_of_team)
}

/// The envelope of an activity. `None` for what is acknowledged and not looked at: typing, receipts, invokes.
pub(crate) fn bot_item(activity: &Activity, body: &[u8], app_id: &str, now_ms: i64) -> Option<Item> {
    let kind = match activity.kind.as_str() {
        "message" if is_card_press(activity) => return None,
        "message" => EventKind::Created,
        "messageUpdate" => EventKind::Changed,
        "messageDelete" => EventKind::Deleted,
        "messageReaction" => EventKind::Reaction,
        "invoke" if consent::is_answer(activity) => EventKind::Offer,
        "conversationUpdate" | "installationUpdate" => {
            if change(activity, app_id)?.is_control() {
                EventKind::Control
            } else {
                EventKind::Conversation
            }
        }
        _ => return None,
    };
    let message = message(activity);
    if message.is_none() && !matches!(kind, EventKind::Control | EventKind::Conversation) {
        return None;
    }
    // It names the general channel, which may be in no bridge while others of its team are.
    let of_team = kind == EventKind::Conversation && is_of_team(activity, app_id);
    let (within, when) = (&activity.conversation.id, activity.timestamp.as_deref().unwrap_or_default());
    let key = format!("{}|{within}|{}|{when}", activity.kind, activity.id);
    Some(Item {
        workspace: RemoteWorkspace::from(activity.tenant()),
        conversation: (kind != EventKind::Control && !of_team)
            .then(|| RemoteConversation::from(conversation(activity)))
            .filter(|id| !id.as_str().is_empty()),
        message: message.map(RemoteMessage::from),
        thread_root: thread_root(activity).map(RemoteMessage::from),
        kind,
        // The id alone repeats: an edit has the id of its message, and ids are the time in milliseconds, so that two
        // messages of one moment in different conversations have the same.
        delivery_key: (!activity.id.is_empty()).then(|| DeliveryKey::from(key)),
        at_ms: activity_ms(activity).unwrap_or(now_ms),
        feed: BOT,
        payload: Content::copied_from(body),
    })
}

/// The envelope of a change notification about a message. `None` where it is about something else.
pub(crate) fn graph_item(notification: &Notification, raw: &str, now_ms: i64) -> Option<Item> {
    let resource = parse_resource(&notification.resource)?;
    let kind = match notification.change_type.to_ascii_lowercase().as_str() {
        "created" => EventKind::Created,
        "updated" => EventKind::Changed,
        "deleted" => EventKind::Deleted,
        _ => return None,
    };
    let made_ms = message_ms(&resource.message).filter(|_| kind == EventKind::Created);
    Some(Item {
        workspace: RemoteWorkspace::from(notification.tenant_id.as_str()),
        conversation: Some(RemoteConversation::from(resource.conversation)),
        message: Some(RemoteMessage::from(resource.message)),
        thread_root: resource.root.map(RemoteMessage::from),
        kind,
        // Graph documents no id that is equal for redeliveries and only for these.
        delivery_key: None,
        at_ms: made_ms.unwrap_or(now_ms),
        feed: GRAPH,
        payload: Content::copied_from(raw.as_bytes()),
    })
}

/// The envelope of a notification about a subscription.
pub(crate) fn lifecycle_item(notification: &Notification, raw: &str, now_ms: i64) -> Option<Item> {
    let known = ["reauthorizationRequired", "subscriptionRemoved", "missed"];
    known.iter().any(|event| notification.lifecycle_event.eq_ignore_ascii_case(event)).then(|| Item {
        workspace: RemoteWorkspace::from(notification.tenant_id.as_str()),
        conversation: None,
        message: None,
        thread_root: None,
        kind: EventKind::Control,
        delivery_key: None,
        at_ms: now_ms,
        feed: LIFECYCLE,
        payload: Content::copied_from(raw.as_bytes()),
    })
}
