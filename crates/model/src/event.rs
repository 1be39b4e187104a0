//! What happened at a source, in canonical form.
//!
//! An [`Event`] is what a connector's `decode` makes of a sealed payload. What carries text of people has no
//! `Debug`; what identifies has.

use crate::codes::Code;
use crate::ids::{Marker, RemoteConversation, RemoteMessage, RemoteUser, Version};
use crate::text::{Document, Emoji};

/// What kind of thing happened, as far as an envelope tells without reading text.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum EventKind {
    /// A message was created.
    Created,
    /// A message is different from before: edited, unfurled, counted, or deleted. Only decoding tells.
    Changed,
    /// A message is gone.
    Deleted,
    /// A reaction was added or removed.
    Reaction,
    /// A person answered the offer of a file.
    Offer,
    /// Something about the conversation itself: members, name, topic, archive.
    Conversation,
    /// Something about the installation: tokens, subscriptions, people, limits.
    Control,
}

impl EventKind {
    /// The word that rows and log lines use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Changed => "changed",
            Self::Deleted => "deleted",
            Self::Reaction => "reaction",
            Self::Offer => "offer",
            Self::Conversation => "conversation",
            Self::Control => "control",
        }
    }

    /// Reads the word that [`EventKind::as_str`] writes.
    pub fn parse(word: &str) -> Option<Self> {
        [
            Self::Created,
            Self::Changed,
            Self::Deleted,
            Self::Reaction,
            Self::Offer,
            Self::Conversation,
            Self::Control,
        ]
        .into_iter()
        .find(|kind| kind.as_str() == word)
    }
}

/// A decoded event.
#[derive(Clone)]
pub struct Event {
    /// Where it happened; `None` for events that name no conversation.
    pub conversation: Option<RemoteConversation>,
    /// When it happened at the source, milliseconds since 1970.
    pub at_ms: i64,
    /// What happened.
    pub happening: Happening,
}

/// What happened.
#[derive(Clone)]
pub enum Happening {
    /// A message was posted.
    Posted(Box<Message>),
    /// A message may have been edited.
    Changed {
        /// The whole new state.
        after: Box<Message>,
        /// The whole old state where the platform sends it: equal author-made parts mean that nothing
        /// was edited.
        before: Option<Box<Message>>,
    },
    /// A message was deleted.
    Deleted {
        /// Which.
        message: RemoteMessage,
        /// The root of its thread, where known and different.
        thread_root: Option<RemoteMessage>,
    },
    /// Somebody reacted.
    ReactionAdded {
        /// To which message.
        message: RemoteMessage,
        /// Who.
        by: RemoteUser,
        /// With what.
        emoji: Emoji,
    },
    /// Somebody took a reaction back.
    ReactionRemoved {
        /// From which message.
        message: RemoteMessage,
        /// Who.
        by: RemoteUser,
        /// Which.
        emoji: Emoji,
    },
    /// Several people reacted, or one several times: where a platform tells that something changed and not what, this
    /// is all that it tells.
    Reactions {
        /// To which message.
        message: RemoteMessage,
        /// Each at most once.
        changes: Vec<ReactionChange>,
    },
    /// All reactions that stand at a message, read from its platform: what changed follows from what was known.
    ReactionsListed {
        /// At which message.
        message: RemoteMessage,
        /// Without the app's own.
        listed: Vec<ListedReaction>,
    },
    /// Somebody answered the offer of a file, which stands in the place of one where people take files themselves.
    FileAnswered {
        /// The message that offers it.
        offer: RemoteMessage,
        /// Where they want it. `None`: they do not want it.
        destination: Option<Destination>,
    },
    /// Something to tell rather than to relay; by default not shown.
    Notice(Notice),
    /// Somebody gave words to the app through the platform's own command.
    Asked(Box<Asked>),
    /// Something for the gateway itself.
    Control(Control),
    /// Nothing to do, and why.
    Ignored(Code),
}

/// What somebody gave to the platform's own command for the app: a slash command.
#[derive(Clone)]
pub struct Asked {
    /// Names this one among all; stands for a message.
    pub id: RemoteMessage,
    /// Who.
    pub user: RemoteUser,
    /// What was typed behind the command.
    pub words: Document,
    /// Where the connector can answer where it was typed, so that only this person sees it; in its own words.
    pub answer_at: Option<String>,
}

/// That somebody set a reaction or took it back.
#[derive(Clone)]
pub struct ReactionChange {
    /// Who.
    pub by: RemoteUser,
    /// With what.
    pub emoji: Emoji,
    /// Whether it is there now.
    pub set: bool,
    /// When, milliseconds since 1970, by the source's clock.
    pub at_ms: i64,
}

/// The reactions with one emoji that stand at a message, as its platform lists them.
#[derive(Clone)]
pub struct ListedReaction {
    /// With what.
    pub emoji: Emoji,
    /// Whose, and since when where that is told, milliseconds since 1970.
    pub by: Vec<(RemoteUser, Option<i64>)>,
    /// Whether everybody is listed.
    pub complete: bool,
}

/// A message as its source holds it.
#[derive(Clone)]
pub struct Message {
    /// Its id at the source.
    pub id: RemoteMessage,
    /// The root of the thread it replies in; `None` for a message at top level and for a root itself.
    pub thread_root: Option<RemoteMessage>,
    /// Whether a thread reply was also sent to the conversation.
    pub broadcast: bool,
    /// Who wrote it.
    pub author: Author,
    /// What it says. Mentions carry the source's ids.
    pub body: Document,
    /// Its files, in order.
    pub files: Vec<FileRef>,
    /// When it was sent, milliseconds since 1970.
    pub sent_at_ms: i64,
    /// When it was edited last, milliseconds since 1970; `None`: never, or nobody tells.
    pub edited_at_ms: Option<i64>,
    /// Its state at the source, where the platform counts.
    pub version: Option<Version>,
    /// Who really sent it: how copies of our own are recognised.
    pub origin: Origin,
}

/// Who wrote a message, as the message itself tells.
#[derive(Clone)]
pub struct Author {
    /// The account, where there is one.
    pub user: Option<RemoteUser>,
    /// What kind of author.
    pub kind: AuthorKind,
    /// The name that the message carries; otherwise the directory is asked.
    pub name: Option<String>,
    /// A public picture that the message carries.
    pub avatar_url: Option<String>,
}

/// What kind of author.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AuthorKind {
    /// A human.
    Person,
    /// Another app, an integration, a workflow.
    Bot,
    /// The platform itself.
    System,
}

/// By what means a message was sent.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Origin {
    /// Whether the connector already knows that the app of this installation sent it (by app id, bot id or
    /// bot user).
    pub ours: bool,
    /// The marker that our copies carry, where the platform lets them.
    pub marker: Option<Marker>,
}

/// Where a person lets a file be put, in the words of their platform: whoever has them can put one there. Does not print.
#[derive(Clone, PartialEq, Eq)]
pub struct Destination(pub String);

/// A file of a message. Bytes are fetched later, by the source's connector.
#[derive(Clone)]
pub struct FileRef {
    /// The platform's id. What follows a space is an address: where it is today, not what it is.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Media type as the platform states it.
    pub media_type: Option<String>,
    /// Bytes, where known.
    pub size: Option<u64>,
    /// A page where a person who may see it finds it.
    pub permalink: Option<String>,
}

impl FileRef {
    /// What the platform calls it, wherever it is.
    pub fn identity(&self) -> &str {
        self.id.split(' ').next().unwrap_or_default()
    }
}

/// Something that people may be told.
#[derive(Clone)]
pub struct Notice {
    /// What.
    pub kind: NoticeKind,
    /// Who joined or left; otherwise who did it, where that is told.
    pub people: Vec<RemoteUser>,
    /// The new name or topic.
    pub text: Option<String>,
    /// Other conversations that it happened in as well: what happens to a team happens to its channels.
    pub also: Vec<RemoteConversation>,
}

impl Notice {
    /// A notice about its own conversation alone.
    pub fn new(kind: NoticeKind, people: impl IntoIterator<Item = RemoteUser>, text: Option<String>) -> Self {
        Self { kind, people: people.into_iter().collect(), text, also: Vec::new() }
    }
}

/// Kinds of [`Notice`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum NoticeKind {
    /// Somebody joined.
    Joined,
    /// Somebody left.
    Left,
    /// The conversation has another name.
    Renamed,
    /// The conversation has another topic or purpose.
    Topic,
    /// The conversation was archived.
    Archived,
    /// The conversation is open again.
    Unarchived,
    /// A call started.
    Call,
    /// A call ended.
    CallEnded,
}

/// Events for the gateway itself.
#[derive(Clone, Debug)]
pub enum Control {
    /// The app can now read and write the conversation.
    Admitted {
        /// Which.
        conversation: RemoteConversation,
    },
    /// The app was removed from the conversation, or the conversation is gone.
    Expelled {
        /// Which.
        conversation: RemoteConversation,
    },
    /// The conversation goes on under another id.
    Moved {
        /// The id until now.
        from: RemoteConversation,
        /// The id from now on.
        to: RemoteConversation,
    },
    /// The conversation is now, or no longer, shared with another organisation.
    Shared {
        /// Which.
        conversation: RemoteConversation,
        /// Whether outsiders are in it.
        external: bool,
    },
    /// Tokens were revoked or the app was removed from the workspace.
    SignedOut,
    /// The app was removed, and the platform wants everything that was kept for the installation to be deleted and
    /// that to be reported.
    Uninstalled {
        /// What the connector needs for its report; no personal data.
        receipt: String,
    },
    /// Somebody opened the app's own page.
    HomeOpened {
        /// Who.
        user: RemoteUser,
    },
    /// Somebody added the app for themselves.
    Met {
        /// Who.
        user: RemoteUser,
        /// Their conversation with the app.
        conversation: RemoteConversation,
    },
    /// A person's data changed; cached entries are to be dropped.
    PersonChanged {
        /// Who.
        user: RemoteUser,
    },
    /// Events were lost or may have been: catch up.
    Missed {
        /// Where; `None` means everywhere in the workspace.
        conversation: Option<RemoteConversation>,
    },
    /// The event subscription of a conversation needs care, named by the platform's id of it.
    Subscription {
        /// The platform's id of the subscription.
        id: String,
        /// Whether it is already gone (events were lost) or only about to end.
        lost: bool,
    },
    /// A fact about a conversation that the connector wants kept (a service URL, a team id).
    Fact {
        /// About which; `None` means the installation.
        conversation: Option<RemoteConversation>,
        /// The connector's name for it.
        key: String,
        /// Its value; no personal data.
        value: String,
    },
    /// Several of these in one event.
    Several(Vec<Control>),
}
