//! The tenant's state: people, teams, conversations, messages, and the changes that people and apps make.

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use super::config::{AppSeed, PersonSeed, TeamsSimConfig};
use super::ids;
pub(super) use super::message::{Author, Conversation, Draft, Hosted, Message, Reaction};

/// A team.
#[derive(Clone, Debug)]
pub(super) struct Team {
    /// Group id.
    pub id: String,
    /// Display name.
    pub name: String,
    /// Owners' object ids.
    pub owners: Vec<String>,
    /// All object ids, owners first.
    pub members: Vec<String>,
    /// Channel ids, General first.
    pub channels: Vec<String>,
    /// Archived teams refuse writes.
    pub archived: bool,
}

/// Where an app is installed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A team, by group id.
    Team(String),
    /// A chat.
    Chat(String),
    /// A person, by object id.
    Person(String),
}

/// An app with its installations and grants.
#[derive(Clone, Debug)]
pub(super) struct App {
    /// The registration.
    pub seed: AppSeed,
    /// Where it is installed, with the resource-specific permissions granted there.
    pub places: BTreeMap<Place, BTreeSet<String>>,
    /// Scopes each person consented to.
    pub consents: BTreeMap<String, BTreeSet<String>>,
    /// An administrator switched the bot off.
    pub disabled: bool,
}

/// What happened to a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ChangeKind {
    /// Sent.
    Created,
    /// Its body changed.
    Edited,
    /// A reaction was set.
    ReactionAdded(String),
    /// A reaction was taken back.
    ReactionRemoved(String),
    /// Soft-deleted.
    Deleted,
    /// The deletion was undone.
    Restored,
    /// `etag` moved though nobody changed anything (link preview, policy scan).
    Touched,
}

/// A change of one message.
#[derive(Clone, Debug)]
pub(super) struct Change {
    /// The conversation.
    pub conversation: String,
    /// The message.
    pub message: u64,
    /// Its root, for replies.
    pub root: Option<u64>,
    /// What happened.
    pub kind: ChangeKind,
    /// Who did it.
    pub actor: Option<Author>,
    /// When, ms.
    pub at: u64,
}

/// Why an operation is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No such conversation.
    #[error("the conversation does not exist")]
    NoConversation,
    /// No such message.
    #[error("the message does not exist in this conversation")]
    NoMessage,
    /// Replies go to roots only.
    #[error("the message to reply to is itself a reply")]
    NotARoot,
    /// Only authors may change.
    #[error("only the author may change this message")]
    NotAuthor,
    /// Not a member.
    #[error("the caller is not a member of the conversation")]
    NotMember,
    /// Archived or blocked.
    #[error("the conversation is closed for writing")]
    Blocked,
    /// Already deleted.
    #[error("the message is deleted")]
    Deleted,
    /// SharePoint takes no file of this name.
    #[error("a file cannot have this name")]
    BadName,
    /// No file is offered there.
    #[error("the message offers no file")]
    NoOffer,
    /// Cards are answered once.
    #[error("the card is answered already")]
    Answered,
}

/// All of the tenant.
pub(super) struct State {
    /// What it was started from.
    pub config: TeamsSimConfig,
    /// People by object id.
    pub people: IndexMap<String, PersonSeed>,
    /// Teams by group id.
    pub teams: IndexMap<String, Team>,
    /// Channels and chats by id.
    pub conversations: IndexMap<String, Conversation>,
    /// Apps by id.
    pub apps: IndexMap<String, App>,
    /// The delegated permissions that `/.default` stands for, by app.
    pub declared_scopes: BTreeMap<String, Vec<String>>,
    rng: ChaCha8Rng,
}

impl State {
    /// The state that a configuration describes.
    pub(super) fn new(config: TeamsSimConfig, seed: u64, now: u64) -> Self {
        let mut state = Self {
            people: config.people.iter().map(|p| (p.id.clone(), p.clone())).collect(),
            teams: IndexMap::new(),
            conversations: IndexMap::new(),
            apps: IndexMap::new(),
            declared_scopes: BTreeMap::new(),
            rng: ChaCha8Rng::seed_from_u64(seed),
            config,
        };
        let config = state.config.clone();
        for t in &config.teams {
            let members = t.owners.iter().chain(&t.members).cloned().collect();
            for c in &t.channels {
                let mut conv = Conversation::new(&c.id, "channel", Some(c.name.clone()), now);
                conv.team = Some(t.id.clone());
                conv.membership.clone_from(&c.membership);
                conv.members.clone_from(&c.members);
                state.conversations.insert(c.id.clone(), conv);
            }
            let channels = t.channels.iter().map(|c| c.id.clone()).collect();
            let team = Team {
                id: t.id.clone(),
                name: t.name.clone(),
                owners: t.owners.clone(),
                members,
                channels,
                archived: false,
            };
            state.teams.insert(t.id.clone(), team);
        }
        for c in &config.chats {
            let mut conv = Conversation::new(&c.id, &c.kind, c.topic.clone(), now);
            conv.members.clone_from(&c.members);
            state.conversations.insert(c.id.clone(), conv);
        }
        for a in &config.apps {
            let app =
                App { seed: a.clone(), places: BTreeMap::new(), consents: BTreeMap::new(), disabled: false };
            state.apps.insert(a.id.clone(), app);
            state.declared_scopes.insert(a.id.clone(), a.declared_scopes.clone());
            let places = (a.installed_teams.iter().cloned().map(Place::Team))
                .chain(a.installed_chats.iter().cloned().map(Place::Chat))
                .chain(a.installed_people.iter().cloned().map(Place::Person));
            for place in places {
                state.install(&a.id, &place, now);
            }
        }
        state
    }

    /// Random bytes of this simulator's own stream.
    pub(super) fn random<const N: usize>(&mut self) -> [u8; N] {
        let mut b = [0; N];
        self.rng.fill_bytes(&mut b);
        b
    }

    /// A fresh GUID.
    pub(super) fn guid(&mut self) -> String {
        ids::guid(self.random())
    }

    /// Puts an app into a team, a chat or a person's list with its resource-specific grants. Returns the ids of
    /// the conversation it now talks in.
    pub(super) fn install(&mut self, app: &str, place: &Place, now: u64) -> Option<String> {
        let rsc: Vec<String> = self.apps.get(app)?.seed.rsc.clone();
        let suffix = if matches!(place, Place::Team(_)) { ".Group" } else { ".Chat" };
        let grants = rsc.into_iter().filter(|p| p.ends_with(suffix)).collect();
        let conversation = match place {
            Place::Team(id) => self.teams.get(id)?.channels.first()?.clone(),
            Place::Chat(id) => self.conversations.get(id)?.id.clone(),
            Place::Person(oid) => {
                self.people.get(oid)?;
                let id = ids::personal_in_graph(oid, app);
                if !self.conversations.contains_key(&id) {
                    let mut conv = Conversation::new(&id, "oneOnOne", None, now);
                    conv.members = vec![oid.clone()];
                    conv.bot = Some(app.to_owned());
                    self.conversations.insert(id.clone(), conv);
                }
                id
            }
        };
        self.apps.get_mut(app)?.places.insert(place.clone(), grants);
        Some(conversation)
    }

    /// Takes an app out again.
    pub(super) fn uninstall(&mut self, app: &str, place: &Place) -> bool {
        self.apps.get_mut(app).is_some_and(|a| a.places.remove(place).is_some())
    }

    /// Whether an app takes part in a conversation. In private and shared channels it must have been added to
    /// the channel itself.
    pub(super) fn takes_part(&self, app: &str, conversation: &Conversation) -> bool {
        let Some(a) = self.apps.get(app) else { return false };
        if conversation.bot.as_deref().is_some_and(|b| b != app) {
            return false;
        }
        let hidden = conversation.is_channel() && conversation.membership != "standard";
        a.places.contains_key(&conversation.place())
            && (!hidden || a.places.contains_key(&Place::Chat(conversation.id.clone())))
    }

    /// The resource-specific permissions of an app in a conversation.
    pub(super) fn grants(&self, app: &str, place: &Place) -> Vec<String> {
        let grants = self.apps.get(app).and_then(|a| a.places.get(place));
        grants.map(|g| g.iter().cloned().collect()).unwrap_or_default()
    }

    /// Whether a person sees a conversation.
    pub(super) fn sees(&self, oid: &str, conversation: &Conversation) -> bool {
        let listed = conversation.members.iter().any(|m| m == oid);
        match &conversation.team {
            Some(team) if conversation.membership == "standard" => {
                self.teams.get(team).is_some_and(|t| t.members.iter().any(|m| m == oid))
            }
            _ => listed,
        }
    }

    /// People in a conversation, owners of the team first.
    pub(super) fn members(&self, conversation: &Conversation) -> Vec<String> {
        match &conversation.team {
            Some(team) if conversation.membership == "standard" => {
                self.teams.get(team).map(|t| t.members.clone()).unwrap_or_default()
            }
            _ => conversation.members.clone(),
        }
    }

    /// The display name of an author.
    pub(super) fn name(&self, author: &Author) -> String {
        match author {
            Author::User(id) => self.people.get(id).map(|p| p.name.clone()),
            Author::App(id) => self.apps.get(id).map(|a| a.seed.name.clone()),
        }
        .unwrap_or_default()
    }

    /// The person that a bot-side id (`29:…`) or an object id means.
    pub(super) fn person_of(&self, app: &str, id: &str) -> Option<&PersonSeed> {
        self.people.get(id).or_else(|| self.people.values().find(|p| ids::mri(app, &p.id) == id))
    }

    /// The conversation that a bot-side id means: `19:…`, or `a:…` for the personal chats of this bot.
    pub(super) fn conversation_of(&self, app: &str, id: &str) -> Option<&Conversation> {
        self.conversations.get(id).or_else(|| {
            self.conversations.values().find(|c| {
                c.bot.as_deref() == Some(app)
                    && c.members.first().is_some_and(|m| ids::personal(app, m) == id)
            })
        })
    }

    fn writable(&mut self, conversation: &str, by: &Author) -> Result<&mut Conversation, Refusal> {
        let conv = self.conversations.get(conversation).ok_or(Refusal::NoConversation)?;
        if conv.removed {
            return Err(Refusal::NoConversation);
        }
        let allowed = match by {
            Author::User(oid) => self.sees(oid, conv),
            Author::App(app) => self.takes_part(app, conv),
        };
        if !allowed {
            return Err(Refusal::NotMember);
        }
        let archived = conv.team.as_ref().and_then(|t| self.teams.get(t)).is_some_and(|t| t.archived);
        if archived || conv.blocked {
            return Err(Refusal::Blocked);
        }
        self.conversations.get_mut(conversation).ok_or(Refusal::NoConversation)
    }

    /// Sends a message.
    pub(super) fn post(
        &mut self,
        conversation: &str,
        root: Option<u64>,
        by: &Author,
        draft: Draft,
        now: u64,
    ) -> Result<Change, Refusal> {
        let conv = self.writable(conversation, by)?;
        if let Some(root) = root {
            let parent = conv.messages.get(&root).ok_or(Refusal::NoMessage)?;
            if parent.root.is_some() {
                return Err(Refusal::NotARoot);
            }
        }
        let id = conv.insert(root, Some(by.clone()), draft, None, now);
        Ok(change(conversation, id, root, ChangeKind::Created, Some(by), id))
    }

    /// Writes a system event.
    pub(super) fn system_event(&mut self, conversation: &str, event: Value, now: u64) -> Option<Change> {
        let conv = self.conversations.get_mut(conversation)?;
        let id = conv.insert(None, None, Draft::html("<systemEventMessage/>"), Some(event), now);
        Some(change(conversation, id, None, ChangeKind::Created, None, id))
    }

    /// Replaces what a message says. `draft` is applied to a copy of the old one, so that callers change only
    /// what they mean to.
    pub(super) fn edit(
        &mut self,
        conversation: &str,
        message: u64,
        by: &Author,
        apply: impl FnOnce(&mut Draft),
        now: u64,
    ) -> Result<Change, Refusal> {
        self.own(conversation, message, by, now, |m, at| {
            if m.deleted.is_some() {
                return Err(Refusal::Deleted);
            }
            apply(&mut m.draft);
            m.edited = Some(at);
            Ok(ChangeKind::Edited)
        })
    }

    /// Soft-deletes a message.
    pub(super) fn delete(
        &mut self,
        conversation: &str,
        message: u64,
        by: &Author,
        now: u64,
    ) -> Result<Change, Refusal> {
        self.own(conversation, message, by, now, |m, at| {
            m.deleted.get_or_insert(at);
            Ok(ChangeKind::Deleted)
        })
    }

    /// Undoes a soft delete.
    pub(super) fn restore(
        &mut self,
        conversation: &str,
        message: u64,
        by: &Author,
        now: u64,
    ) -> Result<Change, Refusal> {
        self.own(conversation, message, by, now, |m, _| {
            m.deleted = None;
            Ok(ChangeKind::Restored)
        })
    }

    /// Deletes a message whoever wrote it, as retention policies do.
    pub(super) fn purge(&mut self, conversation: &str, message: u64, now: u64) -> Result<Change, Refusal> {
        let conv = self.conversations.get_mut(conversation).ok_or(Refusal::NoConversation)?;
        let at = conv.tick(now);
        conv.messages.get_mut(&message).ok_or(Refusal::NoMessage)?.deleted = Some(at);
        let (root, at) = conv.stamp(message, at)?;
        Ok(change(conversation, message, root, ChangeKind::Deleted, None, at))
    }

    /// Moves `etag` and nothing else.
    pub(super) fn touch(&mut self, conversation: &str, message: u64, now: u64) -> Result<Change, Refusal> {
        let conv = self.conversations.get_mut(conversation).ok_or(Refusal::NoConversation)?;
        let at = conv.tick(now);
        let (root, at) = conv.stamp(message, at)?;
        Ok(change(conversation, message, root, ChangeKind::Touched, None, at))
    }

    fn own(
        &mut self,
        conversation: &str,
        message: u64,
        by: &Author,
        now: u64,
        apply: impl FnOnce(&mut Message, u64) -> Result<ChangeKind, Refusal>,
    ) -> Result<Change, Refusal> {
        let conv = self.writable(conversation, by)?;
        let m = conv.messages.get(&message).ok_or(Refusal::NoMessage)?;
        if m.from.as_ref() != Some(by) {
            return Err(Refusal::NotAuthor);
        }
        let mut m = m.clone();
        let at = conv.tick(now);
        let kind = apply(&mut m, at)?;
        conv.messages.insert(message, m);
        let (root, at) = conv.stamp(message, at)?;
        Ok(change(conversation, message, root, kind, Some(by), at))
    }

    /// Sets or takes back a reaction. Returns no change when it was there (or was not).
    pub(super) fn react(
        &mut self,
        conversation: &str,
        message: u64,
        by: &Author,
        kind: &str,
        add: bool,
        now: u64,
    ) -> Result<Option<Change>, Refusal> {
        let conv = self.writable(conversation, by)?;
        let m = conv.messages.get(&message).ok_or(Refusal::NoMessage)?;
        if m.deleted.is_some() {
            return Err(Refusal::Deleted);
        }
        let there = m.reactions.iter().any(|r| r.kind == kind && r.by == *by);
        if there == add {
            return Ok(None);
        }
        let at = conv.tick(now);
        let reaction = Reaction { kind: kind.to_owned(), by: by.clone(), at };
        let m = conv.messages.get_mut(&message).ok_or(Refusal::NoMessage)?;
        if add {
            m.reactions.push(reaction.clone());
        } else {
            m.reactions.retain(|r| r.kind != kind || r.by != *by);
        }
        m.history.push((at, if add { "reactionAdded" } else { "reactionRemoved" }, reaction));
        let (root, at) = conv.stamp(message, at)?;
        let what = if add { ChangeKind::ReactionAdded } else { ChangeKind::ReactionRemoved };
        Ok(Some(change(conversation, message, root, what(kind.to_owned()), Some(by), at)))
    }

    /// Marks a message as blocked by a data-loss tool, or lifts the mark.
    pub(super) fn set_policy_violation(
        &mut self,
        conversation: &str,
        message: u64,
        violation: Option<Value>,
        now: u64,
    ) -> Result<Change, Refusal> {
        let conv = self.conversations.get_mut(conversation).ok_or(Refusal::NoConversation)?;
        conv.messages.get_mut(&message).ok_or(Refusal::NoMessage)?.policy_violation = violation;
        let at = conv.tick(now);
        let (root, at) = conv.stamp(message, at)?;
        Ok(change(conversation, message, root, ChangeKind::Touched, None, at))
    }
}

fn change(
    conversation: &str,
    message: u64,
    root: Option<u64>,
    kind: ChangeKind,
    actor: Option<&Author>,
    at: u64,
) -> Change {
    Change { conversation: conversation.to_owned(), message, root, kind, actor: actor.cloned(), at }
}
