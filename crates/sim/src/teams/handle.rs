//! The simulator as tests and the demo hold it: start, act as people, read, misbehave, stop.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};

use super::activity;
use super::config::{ChannelSeed, TeamsSimConfig};
use super::entra::{Audience, Who};
use super::html::sanitise;
use super::ids;
use super::model::{Author, Change, ChangeKind, Conversation, Draft, Place, Refusal};
use super::notify;
use super::sim::{Core, Inner, Twist};
use super::subscriptions::{Resource, Subscription};
use super::wire::{self, View};
use crate::core::{CallLog, FaultBook, Server, ServerTls, World};

/// A running simulator of Microsoft Teams.
#[derive(Clone)]
pub struct TeamsSim {
    pub(super) inner: Arc<Inner>,
}

impl TeamsSim {
    /// Starts a server that answers for login, Graph, the Bot Framework's keys and the Bot Connector.
    ///
    /// # Errors
    /// When the address is taken or is not loopback, or a certificate cannot be read.
    pub async fn start(world: &Arc<World>, config: TeamsSimConfig) -> anyhow::Result<Self> {
        let addr = config.addr;
        let tls = config.tls.clone().map(|(chain_pem, key_pem)| ServerTls { chain_pem, key_pem });
        let inner = Arc::new(Inner::new(world, config)?);
        let server = Server::start(world, &inner.tasks, addr, tls.as_ref(), inner.router()).await?;
        // The cell is fresh: this cannot fail.
        let _ = inner.base.set(server.base_url());
        Ok(Self { inner })
    }

    /// `http://127.0.0.1:PORT`, or the same with `https`.
    pub fn base_url(&self) -> &str {
        self.inner.base()
    }

    /// The `serviceUrl` that activities carry.
    pub fn service_url(&self) -> String {
        let core = self.inner.core();
        self.inner.service_url(&core)
    }

    /// The fault orders.
    pub fn faults(&self) -> &FaultBook {
        &self.inner.faults
    }

    /// Every call and every delivery attempt.
    pub fn log(&self) -> &CallLog {
        &self.inner.log
    }

    /// Stops the server and every pending delivery, and waits for them.
    pub async fn shutdown(&self) {
        self.inner.tasks.shutdown().await;
    }

    fn change<T>(
        &self,
        act: impl FnOnce(&mut Core, u64) -> Result<(T, Option<Change>), Refusal>,
    ) -> Result<T, Refusal> {
        let now = self.inner.now();
        let (value, change) = act(&mut self.inner.core(), now)?;
        self.inner.publish(change.as_slice());
        Ok(value)
    }

    /// Sends as a person, as Teams' own client does. Returns the message id.
    pub fn post(&self, person: &str, conversation: &str, draft: Draft) -> Result<String, Refusal> {
        self.send(person, conversation, None, draft)
    }

    /// Replies as a person to a root message of a channel.
    pub fn reply(&self, person: &str, channel: &str, root: &str, draft: Draft) -> Result<String, Refusal> {
        self.send(person, channel, Some(number(root)?), draft)
    }

    fn send(
        &self,
        person: &str,
        conversation: &str,
        root: Option<u64>,
        mut draft: Draft,
    ) -> Result<String, Refusal> {
        if draft.html {
            draft.content = sanitise(&draft.content, true);
        }
        self.change(|core, now| {
            let c = core.tenant.post(conversation, root, &user(person), draft, now)?;
            Ok((c.message.to_string(), Some(c)))
        })
    }

    /// Adds a mention to a draft; its body must hold `<at id="n">` with the mention's number, counted from 0.
    #[must_use]
    pub fn mentioning(&self, mut draft: Draft, who: &Author) -> Draft {
        let core = self.inner.core();
        let name = core.tenant.name(who);
        let mut mentioned =
            json!({"application": null, "device": null, "conversation": null, "tag": null, "user": null});
        match who {
            Author::User(id) => {
                mentioned["user"] = json!({
                    "@odata.type": "#microsoft.graph.teamworkUserIdentity", "id": id, "displayName": name,
                    "userIdentityType": "aadUser", "tenantId": core.tenant.config.tenant.id,
                });
            }
            Author::App(id) => {
                mentioned["application"] = json!({
                    "@odata.type": "#microsoft.graph.teamworkApplicationIdentity", "id": id,
                    "displayName": name, "applicationIdentityType": "bot",
                });
            }
        }
        let id = draft.mentions.len();
        draft.mentions.push(json!({"id": id, "mentionText": name, "mentioned": mentioned}));
        draft
    }

    /// Edits a person's own message.
    pub fn edit(&self, person: &str, conversation: &str, message: &str, draft: Draft) -> Result<(), Refusal> {
        let id = number(message)?;
        self.change(|core, now| {
            let change = core.tenant.edit(
                conversation,
                id,
                &user(person),
                |d| {
                    d.html = draft.html;
                    d.content = if draft.html { sanitise(&draft.content, true) } else { draft.content };
                    d.mentions = draft.mentions;
                },
                now,
            )?;
            Ok(((), Some(change)))
        })
    }

    /// Deletes a person's own message.
    pub fn delete(&self, person: &str, conversation: &str, message: &str) -> Result<(), Refusal> {
        let id = number(message)?;
        self.change(|core, now| Ok(((), Some(core.tenant.delete(conversation, id, &user(person), now)?))))
    }

    /// Undoes a deletion.
    pub fn undo_delete(&self, person: &str, conversation: &str, message: &str) -> Result<(), Refusal> {
        let id = number(message)?;
        self.change(|core, now| Ok(((), Some(core.tenant.restore(conversation, id, &user(person), now)?))))
    }

    /// Sets (or takes back) a reaction as a person; unicode or a legacy name such as `like`.
    pub fn react(
        &self,
        person: &str,
        conversation: &str,
        message: &str,
        kind: &str,
        add: bool,
    ) -> Result<(), Refusal> {
        let id = number(message)?;
        self.change(|core, now| Ok(((), core.tenant.react(conversation, id, &user(person), kind, add, now)?)))
    }

    /// Moves `etag` though nobody changed anything, as link previews and policy scans do.
    pub fn touch(&self, conversation: &str, message: &str) -> Result<(), Refusal> {
        let id = number(message)?;
        self.change(|core, now| Ok(((), Some(core.tenant.touch(conversation, id, now)?))))
    }

    /// Deletes a message whoever wrote it, as retention policies do long after.
    pub fn purge(&self, conversation: &str, message: &str) -> Result<(), Refusal> {
        let id = number(message)?;
        self.change(|core, now| Ok(((), Some(core.tenant.purge(conversation, id, now)?))))
    }

    /// A person blocks the personal chat with a bot, or lifts that.
    pub fn block_bot(&self, app: &str, person: &str, blocked: bool) {
        let id = ids::personal_in_graph(person, app);
        if let Some(c) = self.inner.core().tenant.conversations.get_mut(&id) {
            c.blocked_by_user = blocked;
        }
    }

    /// A person presses a button of a card: a `message` with `value` and without text reaches the bot.
    pub fn press_button(&self, app: &str, person: &str, conversation: &str, value: &Value) {
        activity::card_pressed(&self.inner, app, person, conversation, value);
    }

    /// Marks a message as blocked by a data-loss tool.
    pub fn block_message(&self, conversation: &str, message: &str) -> Result<(), Refusal> {
        let id = number(message)?;
        let violation = json!({
            "dlpAction": "blockAccess", "justificationText": null, "policyTip": {
                "generalText": "Blocked by policy.", "complianceUrl": null, "matchedConditionDescriptions": [],
            }, "userAction": "none", "verdictDetails": "none",
        });
        self.change(|core, now| {
            Ok(((), Some(core.tenant.set_policy_violation(conversation, id, Some(violation), now)?)))
        })
    }

    /// Writes a system event, for instance `#microsoft.graph.membersAddedEventMessageDetail`.
    pub fn system_event(&self, conversation: &str, detail: Value) -> Result<String, Refusal> {
        self.change(|core, now| {
            let c = core.tenant.system_event(conversation, detail, now).ok_or(Refusal::NoConversation)?;
            Ok((c.message.to_string(), Some(c)))
        })
    }

    fn view(&self) -> View {
        View { origin: self.base_url().to_owned(), unknown_members: true }
    }

    /// The messages of a conversation, oldest first, as Graph writes them.
    pub fn messages(&self, conversation: &str) -> Vec<Value> {
        let core = self.inner.core();
        let Some(c) = core.tenant.conversations.get(conversation) else { return vec![] };
        c.messages.values().map(|m| wire::message(&core.tenant, &self.view(), c, m)).collect()
    }

    /// One message as Graph writes it.
    pub fn message(&self, conversation: &str, id: &str) -> Option<Value> {
        let core = self.inner.core();
        let c = core.tenant.conversations.get(conversation)?;
        let m = c.messages.get(&id.parse().ok()?)?;
        Some(wire::message(&core.tenant, &self.view(), c, m))
    }

    /// An access token with which an SDK can play a person.
    pub fn user_token(&self, app: &str, person: &str, scopes: &[&str]) -> String {
        let scopes: BTreeSet<String> = scopes.iter().map(ToString::to_string).collect();
        let now = self.inner.now();
        self.inner.core().issue(app, Who::User(person.to_owned()), Audience::Graph, scopes, now)
    }

    /// A Graph token of an app.
    pub fn app_token(&self, app: &str) -> String {
        let now = self.inner.now();
        self.inner.core().issue(app, Who::App, Audience::Graph, BTreeSet::new(), now)
    }

    /// A connector token of a bot.
    pub fn bot_token(&self, app: &str) -> String {
        let now = self.inner.now();
        self.inner.core().issue(app, Who::App, Audience::Bot, BTreeSet::new(), now)
    }

    /// The id by which a bot knows a person (`29:…`).
    pub fn bot_side_person(&self, app: &str, person: &str) -> String {
        ids::mri(app, person)
    }

    /// The id by which a bot knows the personal chat with a person (`a:…`).
    pub fn personal_chat(&self, app: &str, person: &str) -> String {
        ids::personal(app, person)
    }

    /// The Graph id of the personal chat between a person and a bot.
    pub fn personal_chat_in_graph(&self, app: &str, person: &str) -> String {
        ids::personal_in_graph(person, app)
    }

    /// Installs an app: its resource-specific permissions hold from now on, its bot hears of it.
    pub fn install(&self, app: &str, place: &Place, by: &str) -> bool {
        let now = self.inner.now();
        let conversation = self.inner.core().tenant.install(app, place, now);
        let Some(conversation) = conversation else { return false };
        activity::installed(&self.inner, app, place, &conversation, by, true);
        self.announce();
        true
    }

    /// Removes an app; the bot hears of it and is deaf afterwards.
    pub fn uninstall(&self, app: &str, place: &Place, by: &str) -> bool {
        let conversation = {
            let mut core = self.inner.core();
            let c = core.tenant.conversations.values().find(|c| c.place() == *place).map(|c| c.id.clone());
            if !core.tenant.uninstall(app, place) {
                return false;
            }
            c
        };
        if let Some(conversation) = conversation {
            activity::installed(&self.inner, app, place, &conversation, by, false);
        }
        true
    }

    /// Tells open pages that teams, channels or people changed.
    fn announce(&self) {
        self.inner.changes.announce(json!({"type": "reload"}));
    }

    /// Where a bot takes activities; `None` silences the feed.
    pub fn set_bot_endpoint(&self, app: &str, endpoint: Option<&str>) {
        let mut core = self.inner.core();
        if let Some(bot) = core.tenant.apps.get_mut(app).and_then(|a| a.seed.bot.as_mut()) {
            bot.endpoint = endpoint.map(str::to_owned);
        }
    }

    /// Changes an app's registration: secrets, roles, grants, certificates.
    pub fn with_app(&self, app: &str, change: impl FnOnce(&mut super::config::AppSeed)) {
        if let Some(a) = self.inner.core().tenant.apps.get_mut(app) {
            change(&mut a.seed);
        }
    }

    /// Changes the configuration that is read while running: timing, limits, doubts, policies.
    pub fn with_config(&self, change: impl FnOnce(&mut TeamsSimConfig)) {
        change(&mut self.inner.core().tenant.config);
    }

    /// An administrator switches a bot off or on.
    pub fn disable_bot(&self, app: &str, disabled: bool) {
        if let Some(a) = self.inner.core().tenant.apps.get_mut(app) {
            a.disabled = disabled;
        }
    }

    /// Closes a conversation for writing or opens it.
    pub fn block_writes(&self, conversation: &str, blocked: bool) {
        if let Some(c) = self.inner.core().tenant.conversations.get_mut(conversation) {
            c.blocked = blocked;
        }
    }

    /// Archives a team or takes that back.
    pub fn archive_team(&self, team: &str, by: &str, archived: bool) {
        let general = {
            let mut core = self.inner.core();
            let Some(t) = core.tenant.teams.get_mut(team) else { return };
            t.archived = archived;
            t.channels.first().cloned().unwrap_or_default()
        };
        let event = if archived { "teamArchived" } else { "teamUnarchived" };
        activity::conversation_update(&self.inner, &general, by, event, &json!({}));
    }

    /// Renames a team.
    pub fn rename_team(&self, team: &str, by: &str, name: &str) {
        let general = {
            let mut core = self.inner.core();
            let Some(t) = core.tenant.teams.get_mut(team) else { return };
            name.clone_into(&mut t.name);
            t.channels.first().cloned().unwrap_or_default()
        };
        self.announce();
        activity::conversation_update(&self.inner, &general, by, "teamRenamed", &json!({}));
    }

    /// Creates a channel.
    pub fn create_channel(&self, team: &str, by: &str, seed: &ChannelSeed) -> bool {
        {
            let mut core = self.inner.core();
            let mut c = Conversation::new(&seed.id, "channel", Some(seed.name.clone()), self.inner.now());
            c.team = Some(team.to_owned());
            c.membership.clone_from(&seed.membership);
            c.members.clone_from(&seed.members);
            let Some(t) = core.tenant.teams.get_mut(team) else { return false };
            t.channels.push(seed.id.clone());
            core.tenant.conversations.insert(seed.id.clone(), c);
        }
        self.channel_event(&seed.id, by, "channelCreated", "created");
        true
    }

    /// Renames a channel.
    pub fn rename_channel(&self, channel: &str, by: &str, name: &str) {
        if let Some(c) = self.inner.core().tenant.conversations.get_mut(channel) {
            c.name = Some(name.to_owned());
        }
        self.channel_event(channel, by, "channelRenamed", "updated");
    }

    /// Deletes a channel, or restores it.
    pub fn remove_channel(&self, channel: &str, by: &str, removed: bool) {
        if let Some(c) = self.inner.core().tenant.conversations.get_mut(channel) {
            c.removed = removed;
        }
        let (event, kind) =
            if removed { ("channelDeleted", "deleted") } else { ("channelRestored", "created") };
        self.channel_event(channel, by, event, kind);
    }

    fn channel_event(&self, channel: &str, by: &str, event: &str, kind: &str) {
        let (team, object) = {
            let core = self.inner.core();
            let Some(c) = core.tenant.conversations.get(channel) else { return };
            (c.team.clone().unwrap_or_default(), wire::channel(&core.tenant, c))
        };
        self.announce();
        let extra = json!({"channel": {"id": channel, "name": object["displayName"]}});
        activity::conversation_update(&self.inner, channel, by, event, &extra);
        let resource = format!("teams('{team}')/channels('{channel}')");
        let watches = |s: &Subscription| match &s.resource {
            Resource::ChannelList(t) => t.as_ref().is_none_or(|t| *t == team),
            _ => false,
        };
        notify::on_structure(&self.inner, kind, &resource, "#Microsoft.Graph.channel", &object, watches);
    }

    /// Adds a person to a team or chat.
    pub fn add_member(&self, place: &Place, by: &str, person: &str) {
        self.member(place, by, person, true);
    }

    /// Removes a person from a team or chat.
    pub fn remove_member(&self, place: &Place, by: &str, person: &str) {
        self.member(place, by, person, false);
    }

    fn member(&self, place: &Place, by: &str, person: &str, add: bool) {
        let set = |list: &mut Vec<String>| {
            list.retain(|m| m != person);
            if add {
                list.push(person.to_owned());
            }
        };
        let (conversation, id, object) = {
            let mut core = self.inner.core();
            let (conversation, id) = match place {
                Place::Team(id) => {
                    let Some(t) = core.tenant.teams.get_mut(id) else { return };
                    set(&mut t.members);
                    (t.channels.first().cloned().unwrap_or_default(), format!("teams('{id}')"))
                }
                Place::Chat(id) => {
                    let Some(c) = core.tenant.conversations.get_mut(id) else { return };
                    set(&mut c.members);
                    (id.clone(), format!("chats('{id}')"))
                }
                Place::Person(_) => return,
            };
            let object = wire::member(&core.tenant, None, &id, person, false);
            (conversation, id, object)
        };
        self.announce();
        let (key, event) =
            if add { ("membersAdded", "teamMemberAdded") } else { ("membersRemoved", "teamMemberRemoved") };
        activity::conversation_update(&self.inner, &conversation, by, event, &json!({key: [person]}));
        let watches = |s: &Subscription| match (&s.resource, place) {
            (Resource::TeamMembers(a), Place::Team(b)) | (Resource::ChatMembers(a), Place::Chat(b)) => a == b,
            _ => false,
        };
        let resource = format!("{id}/members('{}')", object["id"].as_str().unwrap_or(""));
        let odata_type = "#Microsoft.Graph.aadUserConversationMember";
        let kind = if add { "created" } else { "deleted" };
        notify::on_structure(&self.inner, kind, &resource, odata_type, &object, watches);
    }

    /// Lets the next `times` tokens or notifications go out with a mistake.
    pub fn twist(&self, twist: Twist, times: u32) {
        self.inner.core().twists.insert(twist, times);
    }

    /// New signing key of the login service; older ones stay published when `keep` is true.
    pub fn rotate_login_keys(&self, keep: bool) -> anyhow::Result<()> {
        self.inner.core().login.rotate(keep)
    }

    /// New signing key of the Bot Framework; older ones stay published when `keep` is true.
    pub fn rotate_bot_keys(&self, keep: bool) -> anyhow::Result<()> {
        self.inner.core().bot_keys.rotate(keep)
    }

    /// Sets the channels that the Bot Framework's keys speak for.
    pub fn endorse(&self, channels: &[&str]) {
        self.inner.core().bot_keys.endorse(channels);
    }

    /// The live subscriptions as Graph shows them.
    pub fn subscriptions(&self) -> Vec<Value> {
        let now = self.inner.now();
        let core = self.inner.core();
        core.subscriptions.values().filter(|s| s.expires > now).map(Subscription::json).collect()
    }

    /// Sends `reauthorizationRequired`, `subscriptionRemoved` (which also removes it) or `missed`.
    pub fn lifecycle(&self, subscription: &str, event: &str) -> bool {
        notify::lifecycle(&self.inner, subscription, event)
    }

    /// Removes a subscription without a word.
    pub fn lose_subscription(&self, subscription: &str) {
        self.inner.core().subscriptions.remove(subscription);
    }

    /// A person changes the password: refresh tokens answer AADSTS50173.
    pub fn change_password(&self, person: &str) {
        self.inner.core().entra.password_changed.insert(person.to_owned());
    }

    /// A person must pass a second factor: refresh tokens answer AADSTS50076.
    pub fn require_second_factor(&self, person: &str) {
        self.inner.core().entra.second_factor.insert(person.to_owned());
    }

    /// A person withdraws the consent to an app: refresh tokens answer AADSTS65001, access tokens end, the
    /// person's subscriptions die (`subscriptionRemoved`).
    pub fn revoke_consent(&self, app: &str, person: &str) {
        let who = Who::User(person.to_owned());
        let dead: Vec<String> = {
            let mut core = self.inner.core();
            if let Some(a) = core.tenant.apps.get_mut(app) {
                a.consents.remove(person);
            }
            core.entra.access.retain(|_, t| t.app != app || t.who != who);
            let own = core.subscriptions.values().filter(|s| s.app == app && s.who == who);
            own.map(|s| s.id.clone()).collect()
        };
        for id in dead {
            self.lifecycle(&id, "subscriptionRemoved");
        }
    }

    /// Ends every access token issued so far.
    pub fn expire_tokens(&self) {
        self.inner.core().entra.access.clear();
    }

    /// The token endpoint answers 503.
    pub fn login_down(&self, down: bool) {
        self.inner.core().entra.down = down;
    }

    /// Sends an activity that was made elsewhere, with a valid token: for shapes this simulator does not produce.
    pub fn send_activity(&self, app: &str, activity: &Value) {
        activity::deliver(&self.inner, app, activity, activity["conversation"]["id"].as_str());
    }

    /// The body of rich notifications about objects that were made elsewhere, with valid tokens, for the live
    /// subscription of a conversation: change type, resource, object. Nothing is sent.
    pub fn notifications(&self, conversation: &str, changes: &[(&str, String, Value)]) -> Option<Value> {
        notify::made_elsewhere(&self.inner, conversation, changes)
    }

    /// Repeats the notification of a message's creation, as the service does at times.
    pub fn notify_again(&self, conversation: &str, message: &str) -> Result<(), Refusal> {
        let id = number(message)?;
        let change = {
            let core = self.inner.core();
            let c = core.tenant.conversations.get(conversation).ok_or(Refusal::NoConversation)?;
            let m = c.messages.get(&id).ok_or(Refusal::NoMessage)?;
            Change {
                conversation: conversation.to_owned(),
                message: id,
                root: m.root,
                kind: ChangeKind::Created,
                actor: m.from.clone(),
                at: m.etag,
            }
        };
        notify::on_change(&self.inner, &change);
        Ok(())
    }
}

fn user(person: &str) -> Author {
    Author::User(person.to_owned())
}

pub(super) fn number(id: &str) -> Result<u64, Refusal> {
    id.parse().map_err(|_| Refusal::NoMessage)
}
