//! Messages and the conversations that hold them.

use std::collections::BTreeMap;

use serde_json::Value;

use super::ids;
use super::model::{Place, Refusal};

/// Who wrote or reacted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Author {
    /// A person, by object id.
    User(String),
    /// An app's bot, by app id.
    App(String),
}

impl Author {
    /// The object id or app id.
    pub fn id(&self) -> &str {
        match self {
            Self::User(id) | Self::App(id) => id,
        }
    }
}

/// One reaction.
#[derive(Clone, Debug)]
pub(super) struct Reaction {
    /// Unicode, or a legacy name such as `like`.
    pub kind: String,
    /// Who reacted.
    pub by: Author,
    /// When, ms.
    pub at: u64,
}

/// An inline image.
#[derive(Clone, Debug)]
pub struct Hosted {
    /// Media type.
    pub content_type: String,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// One message.
#[derive(Clone, Debug)]
pub(super) struct Message {
    /// Milliseconds of creation; unique in the conversation.
    pub id: u64,
    /// The root, for replies in channels.
    pub root: Option<u64>,
    /// Milliseconds of the last change.
    pub etag: u64,
    /// Last edit, ms.
    pub edited: Option<u64>,
    /// Deletion, ms.
    pub deleted: Option<u64>,
    /// Who wrote it; none for system events.
    pub from: Option<Author>,
    /// What it says.
    pub draft: Draft,
    /// Reactions in the order they were set.
    pub reactions: Vec<Reaction>,
    /// `messageHistory`: time, action, reaction type.
    pub history: Vec<(u64, &'static str, Reaction)>,
    /// Set on system events.
    pub event: Option<Value>,
    /// Set when a data-loss tool blocked it.
    pub policy_violation: Option<Value>,
}

/// What a message says, already in the form the service stores.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// `text` or `html`.
    pub html: bool,
    /// The body.
    pub content: String,
    /// Channel roots only.
    pub subject: Option<String>,
    /// Notification text.
    pub summary: Option<String>,
    /// `normal`, `high`, `urgent`; empty means normal.
    pub importance: String,
    /// `chatMessageAttachment` objects.
    pub attachments: Vec<Value>,
    /// `chatMessageMention` objects.
    pub mentions: Vec<Value>,
    /// Inline images by id.
    pub hosted: BTreeMap<String, Hosted>,
    /// User attribution of a bot message.
    pub on_behalf_of: Option<Value>,
}

impl Draft {
    /// An HTML body.
    pub fn html(content: impl Into<String>) -> Self {
        Self { html: true, content: content.into(), ..Self::default() }
    }

    /// A body of plain text.
    pub fn text(content: impl Into<String>) -> Self {
        Self { content: content.into(), ..Self::default() }
    }
}

/// A channel or chat with its messages.
#[derive(Clone, Debug)]
pub(super) struct Conversation {
    /// `19:…`.
    pub id: String,
    /// Group id of the team, for channels.
    pub team: Option<String>,
    /// `channel`, `group`, `oneOnOne`, `meeting`.
    pub kind: String,
    /// Channel name or chat topic.
    pub name: Option<String>,
    /// `standard`, `private`, `shared` for channels.
    pub membership: String,
    /// People of a chat, or of a private or shared channel.
    pub members: Vec<String>,
    /// The personal chat between this app and the one member.
    pub bot: Option<String>,
    /// Creation, ms.
    pub created: u64,
    /// Last change of its messages, ms.
    pub updated: u64,
    /// Writes answer 403 `MessageWritesBlocked`.
    pub blocked: bool,
    /// The person of a personal chat blocked the bot: 403 `ConversationBlockedByUser`.
    pub blocked_by_user: bool,
    /// Deleted channels keep their place until restored.
    pub removed: bool,
    /// By id.
    pub messages: BTreeMap<u64, Message>,
    /// The time of the newest change: no two changes of a conversation share a millisecond.
    clock: u64,
}

impl Conversation {
    /// The conversation without its messages.
    pub(super) fn head(&self) -> Self {
        let mut head = Self::new(&self.id, &self.kind, self.name.clone(), self.created);
        head.team.clone_from(&self.team);
        head.membership.clone_from(&self.membership);
        head.members.clone_from(&self.members);
        head.bot.clone_from(&self.bot);
        head.updated = self.updated;
        head
    }

    /// Where apps are installed for it: its team for channels, itself for chats, the person for personal chats.
    pub(super) fn place(&self) -> Place {
        match (&self.team, &self.bot) {
            (Some(team), _) => Place::Team(team.clone()),
            (None, Some(_)) => Place::Person(self.members.first().cloned().unwrap_or_default()),
            (None, None) => Place::Chat(self.id.clone()),
        }
    }

    /// The id as its bots see it.
    pub(super) fn bot_side_id(&self) -> String {
        match (&self.bot, self.members.first()) {
            (Some(app), Some(oid)) => ids::personal(app, oid),
            _ => self.id.clone(),
        }
    }

    /// Whether it is a channel.
    pub(super) fn is_channel(&self) -> bool {
        self.team.is_some()
    }

    /// The replies of a thread, oldest first.
    pub(super) fn replies(&self, root: u64) -> impl DoubleEndedIterator<Item = &Message> {
        self.messages.values().filter(move |m| m.root == Some(root))
    }

    /// The last change in a thread.
    pub(super) fn thread_change(&self, root: u64) -> u64 {
        let own = self.messages.get(&root).map_or(0, |m| m.etag);
        self.replies(root).map(|m| m.etag).max().unwrap_or(0).max(own)
    }
}

impl Conversation {
    /// An empty conversation.
    pub(super) fn new(id: &str, kind: &str, name: Option<String>, now: u64) -> Self {
        Self {
            id: id.to_owned(),
            team: None,
            kind: kind.to_owned(),
            name,
            membership: "standard".into(),
            members: vec![],
            bot: None,
            created: now,
            updated: now,
            blocked: false,
            blocked_by_user: false,
            removed: false,
            messages: BTreeMap::new(),
            clock: 0,
        }
    }

    pub(super) fn insert(
        &mut self,
        root: Option<u64>,
        from: Option<Author>,
        draft: Draft,
        event: Option<Value>,
        now: u64,
    ) -> u64 {
        let id = self.tick(now);
        let message = Message {
            id,
            root,
            etag: id,
            edited: None,
            deleted: None,
            from,
            draft,
            reactions: vec![],
            history: vec![],
            event,
            policy_violation: None,
        };
        self.messages.insert(id, message);
        id
    }

    pub(super) fn tick(&mut self, now: u64) -> u64 {
        self.clock = now.max(self.clock + 1);
        self.updated = self.clock;
        self.clock
    }

    pub(super) fn stamp(&mut self, message: u64, at: u64) -> Result<(Option<u64>, u64), Refusal> {
        let m = self.messages.get_mut(&message).ok_or(Refusal::NoMessage)?;
        m.etag = at;
        Ok((m.root, at))
    }
}
