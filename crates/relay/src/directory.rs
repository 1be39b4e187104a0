//! Who is connected to whom: one immutable snapshot, read without a lock on the path of every message and
//! replaced when an operator or a platform changes something.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use dragoman_model::{
    AppId, BridgeId, Capabilities, ConversationId, InstallationId, OrgId, PersonId, Platform,
    RemoteConversation, RemoteUser, RemoteWorkspace,
};
use dragoman_platform::{App, Connector, Conversation, ConversationKind, Session};
use dragoman_seal::{FieldRef, Token};
use dragoman_store::{AccountRow, AppRow, BridgeRow, BridgeState, ConversationRow, InstallationRow, Store};

use crate::direct::group_of;
use crate::error::RelayError;
use crate::policy::Policy;
use crate::tokens::StoredTokens;
use crate::vault::Vault;

/// A bridged conversation and where its events go.
pub struct Route {
    /// The conversation.
    pub conversation: ConversationId,
    /// Its bridge.
    pub bridge: BridgeId,
    /// The other members.
    pub targets: Vec<ConversationId>,
    /// Those who left a conversation of people, and when, milliseconds since 1970: what was sent before still goes to them.
    left: Vec<(ConversationId, i64)>,
}

impl Route {
    fn new(member: &ConversationId, row: &BridgeRow) -> Self {
        let others = |other: &&ConversationId| *other != member;
        let left = row.past.left_ms.iter().filter(|(other, _)| !row.members.contains(*other));
        Self {
            conversation: member.clone(),
            bridge: row.id.clone(),
            targets: row.members.iter().filter(others).cloned().collect(),
            left: left
                .filter(|(other, _)| row.talk.is_some() && others(other))
                .map(|(other, left_ms)| (other.clone(), *left_ms))
                .collect(),
        }
    }

    /// The other members, and those who left after this time, milliseconds since 1970; 0: nobody knows it.
    pub fn targets_at(&self, at_ms: i64) -> impl Iterator<Item = &ConversationId> {
        let left = self.left.iter().filter(move |(_, left_ms)| at_ms > 0 && at_ms < *left_ms);
        self.targets.iter().chain(left.map(|(other, _)| other))
    }

    /// The other members, and all who left.
    pub fn targets_ever(&self) -> impl Iterator<Item = &ConversationId> {
        self.targets.iter().chain(self.left.iter().map(|(other, _)| other))
    }
}

/// A bridge in the snapshot.
pub struct Bridge {
    /// As stored.
    pub row: BridgeRow,
}

/// An installation that can be used.
pub struct Place {
    /// Its session.
    pub session: Session,
    /// Its connector.
    pub connector: Arc<dyn Connector>,
    /// The workspace's name, for operators.
    pub name: String,
    /// Why it needs a person, if it does.
    pub trouble: Option<String>,
}

/// A conversation with everything needed to act there.
pub struct Spot {
    /// Ours.
    pub id: ConversationId,
    /// Whose.
    pub org: OrgId,
    /// Through what.
    pub place: Arc<Place>,
    /// As the connector sees it.
    pub conversation: Conversation,
    /// What it can carry.
    pub capabilities: Capabilities,
    /// As stored.
    pub row: ConversationRow,
}

/// The snapshot.
#[derive(Default)]
pub struct Directory {
    orgs: BTreeMap<OrgId, (String, Policy)>,
    apps: BTreeMap<AppId, Arc<App>>,
    places: BTreeMap<InstallationId, Arc<Place>>,
    keepers: BTreeMap<InstallationId, Arc<StoredTokens>>,
    workspaces: HashMap<(AppId, RemoteWorkspace), InstallationId>,
    spots: HashMap<ConversationId, Arc<Spot>>,
    remote: HashMap<(InstallationId, RemoteConversation), ConversationId>,
    bridges: BTreeMap<BridgeId, Arc<Bridge>>,
    routes: HashMap<ConversationId, Arc<Route>>,
    /// Linked accounts.
    people: HashMap<InstallationId, HashMap<RemoteUser, PersonId>>,
    /// The account of a person at an installation, and whether there is a token of theirs.
    accounts: HashMap<(InstallationId, PersonId), (RemoteUser, bool)>,
    /// Chats with the app by the conversation of several that they have to do with.
    groups: BTreeMap<String, Vec<ConversationId>>,
    /// Organisations with linked accounts.
    peopled: BTreeSet<OrgId>,
    /// Where events went until a bridge was paused or left; the latest last.
    former: HashMap<ConversationId, Vec<Former>>,
    /// Bridged conversations by installation, ordered.
    bridged: BTreeMap<InstallationId, Vec<ConversationId>>,
    /// When bridged conversations have to be watched or watched anew, milliseconds since 1970.
    watches: BTreeSet<(i64, ConversationId)>,
    /// When events of an installation were taken last, milliseconds since 1970.
    seen_until_ms: HashMap<InstallationId, i64>,
}

/// Where events of a conversation went.
struct Former {
    route: Arc<Route>,
    /// From when on, milliseconds since 1970.
    since_ms: i64,
    /// Until when, milliseconds since 1970.
    until_ms: i64,
}

impl Directory {
    /// Reads everything from the store and unseals what is needed. Keepers of tokens are taken over from the
    /// snapshot before, so that two never refresh one token at the same time.
    pub async fn load(
        store: &Arc<dyn Store>,
        vault: &Arc<Vault>,
        connectors: &BTreeMap<&'static str, Arc<dyn Connector>>,
        before: Option<&Self>,
    ) -> Result<Self, RelayError> {
        let mut directory = Self::default();
        for org in store.orgs().await? {
            vault.register_org(&org).await?;
            directory.add_people(store.people(&org.id).await?);
            directory.orgs.insert(org.id.clone(), (org.name.clone(), Policy::from_words(&org.policy)));
        }
        for row in store.apps().await? {
            let Some(connector) = connectors.get(row.platform.as_str()) else { continue };
            let app = open_app(vault, connector.platform(), row).await?;
            directory.apps.insert(app.id.clone(), Arc::new(app));
        }
        for row in store.installations().await? {
            let Some(app) = directory.apps.get(&row.app).cloned() else { continue };
            let Some(connector) = connectors.get(app.platform.0).cloned() else { continue };
            let keeper = before.and_then(|before| before.keepers.get(&row.id)).map_or_else(
                || {
                    let (store, vault) = (Arc::clone(store), Arc::clone(vault));
                    Arc::new(StoredTokens::new(store, vault, row.org.clone(), row.id.clone()))
                },
                Arc::clone,
            );
            keeper.forget();
            directory.add_place(keeper, app, connector, row);
        }
        for row in store.conversations().await? {
            directory.add_spot(vault, row).await?;
        }
        for row in store.bridges().await? {
            directory.add_bridge(row);
        }
        directory.index();
        Ok(directory)
    }

    /// What is asked again and again, so that the answer does not grow with bridges.
    fn index(&mut self) {
        for id in self.routes.keys() {
            let Some(spot) = self.spots.get(id) else { continue };
            self.bridged.entry(spot.row.installation.clone()).or_default().push(id.clone());
            let due_ms = match (&spot.row.watch_id, spot.row.watch_renew_ms) {
                (_, Some(renew_ms)) => renew_ms,
                (None, None) => 0,
                (Some(_), None) => continue,
            };
            self.watches.insert((due_ms, id.clone()));
        }
        for ids in self.bridged.values_mut() {
            ids.sort();
        }
        for former in self.former.values_mut() {
            former.sort_by_key(|former| former.until_ms);
        }
        for spot in self.spots.values() {
            let seen = self.seen_until_ms.entry(spot.row.installation.clone()).or_default();
            *seen = spot.row.seen_until_ms.max(*seen);
        }
    }

    fn add_people(&mut self, linked: Vec<(AccountRow, bool)>) {
        for (row, token) in linked {
            let Some(person) = row.person else { continue };
            self.peopled.insert(row.org);
            let there = self.people.entry(row.installation.clone()).or_default();
            there.insert(row.user.clone(), person.clone());
            self.accounts.entry((row.installation, person)).or_insert((row.user, token));
        }
    }

    fn add_place(
        &mut self,
        tokens: Arc<StoredTokens>,
        app: Arc<App>,
        connector: Arc<dyn Connector>,
        row: InstallationRow,
    ) {
        self.keepers.insert(row.id.clone(), Arc::clone(&tokens));
        self.workspaces.insert((app.id.clone(), row.workspace.clone()), row.id.clone());
        let installation = dragoman_platform::Installation {
            id: row.id.clone(),
            org: row.org,
            app: row.app,
            workspace: row.workspace,
            facts: row.facts,
            scopes: row.scopes,
        };
        let session = Session { app, installation: Arc::new(installation), tokens };
        let place = Place { session, connector, name: row.name, trouble: row.trouble };
        self.places.insert(row.id, Arc::new(place));
    }

    async fn add_spot(&mut self, vault: &Vault, row: ConversationRow) -> Result<(), RelayError> {
        let Some(place) = self.places.get(&row.installation).cloned() else { return Ok(()) };
        let field = FieldRef { org: &row.org, purpose: "conversation-name", row: row.id.as_str() };
        let name = vault.open_text(&field, &row.sealed_name).await?;
        let conversation = Conversation {
            remote: row.remote.clone(),
            kind: ConversationKind::parse(&row.kind).unwrap_or(ConversationKind::Channel),
            name: name.expose().to_owned(),
            external: row.external,
            joined: true,
            facts: row.facts.clone(),
        };
        self.remote.insert((row.installation.clone(), row.remote.clone()), row.id.clone());
        let capabilities = place.connector.capabilities(&place.session.installation, &conversation);
        let spot = Spot { id: row.id.clone(), org: row.org.clone(), place, conversation, capabilities, row };
        for group in spot.row.facts.keys().filter_map(|key| group_of(key)) {
            self.groups.entry(group.to_owned()).or_default().push(spot.id.clone());
        }
        self.spots.insert(spot.id.clone(), Arc::new(spot));
        Ok(())
    }

    fn add_bridge(&mut self, row: BridgeRow) {
        if row.state == BridgeState::Active {
            for member in &row.members {
                self.routes.insert(member.clone(), Arc::new(Route::new(member, &row)));
            }
        }
        let (members, left) = (&row.members, &row.past.left_ms);
        let leavers = left.iter().map(|(member, until_ms)| (member, *until_ms));
        let over = row.state == BridgeState::Ended;
        // What an operator ends ends at once; when people go, what they wrote before still arrives.
        let listed = !over || row.talk.is_some();
        let stopped = row.past.earlier.filter(|_| row.state == BridgeState::Paused || over && listed);
        let staying = members.iter().filter(|member| !left.contains_key(*member));
        let stopping = stopped.into_iter().flat_map(|(_, until)| staying.clone().map(move |it| (it, until)));
        for (member, until_ms) in leavers.chain(stopping).filter(|_| listed) {
            let route = Arc::new(Route::new(member, &row));
            let since_ms = row.past.joined_ms.get(member).copied().unwrap_or(row.created_ms);
            self.former.entry(member.clone()).or_default().push(Former { route, since_ms, until_ms });
        }
        self.bridges.insert(row.id.clone(), Arc::new(Bridge { row }));
    }

    /// An app.
    pub fn app(&self, id: &AppId) -> Option<&Arc<App>> {
        self.apps.get(id)
    }

    /// All apps.
    pub fn apps(&self) -> impl Iterator<Item = &Arc<App>> {
        self.apps.values()
    }

    /// All installations.
    pub fn places(&self) -> impl Iterator<Item = &Arc<Place>> {
        self.places.values()
    }

    /// An installation.
    pub fn place(&self, id: &InstallationId) -> Option<&Arc<Place>> {
        self.places.get(id)
    }

    /// The installation of an app in a workspace.
    pub fn installation(&self, app: &AppId, workspace: &RemoteWorkspace) -> Option<&InstallationId> {
        // The key type owns both parts; two short copies per event are cheaper than a second map.
        self.workspaces.get(&(app.clone(), workspace.clone()))
    }

    /// A conversation by the platform's id.
    pub fn spot_at(&self, installation: &InstallationId, remote: &RemoteConversation) -> Option<&Arc<Spot>> {
        self.remote.get(&(installation.clone(), remote.clone())).and_then(|id| self.spots.get(id))
    }

    /// The same conversation as another installation of the organisation sees it, in a bridge that has not ended: a
    /// channel shared between two workspaces. Linked twice, its messages would go round.
    pub fn shared_with(
        &self,
        org: &OrgId,
        platform: Platform,
        remote: &RemoteConversation,
    ) -> Option<(&Arc<Bridge>, &Arc<Spot>)> {
        let living = self.bridges.values().filter(|bridge| bridge.row.state != BridgeState::Ended);
        living.filter(|bridge| bridge.row.org == *org).find_map(|bridge| {
            let spots = bridge.row.members.iter().filter_map(|member| self.spot(member));
            let mut same = spots.filter(|spot| {
                spot.place.session.app.platform == platform && spot.conversation.remote == *remote
            });
            Some((bridge, same.next()?))
        })
    }

    /// A conversation.
    pub fn spot(&self, id: &ConversationId) -> Option<&Arc<Spot>> {
        self.spots.get(id)
    }

    /// All conversations, in no order that matters.
    pub fn spots(&self) -> Vec<&Arc<Spot>> {
        let mut spots: Vec<_> = self.spots.values().collect();
        spots.sort_by(|a, b| a.id.cmp(&b.id));
        spots
    }

    /// Where events of a conversation go; `None` where it is in no active bridge.
    pub fn route(&self, conversation: &ConversationId) -> Option<&Arc<Route>> {
        self.routes.get(conversation)
    }

    /// Where an event of this time goes: with the bridge that its conversation is in, unless it comes late and was meant
    /// for people with whom it was linked before. What ended before `oldest_ms` has no late events. Milliseconds since
    /// 1970.
    pub fn route_at(&self, conversation: &ConversationId, at_ms: i64, oldest_ms: i64) -> Option<&Arc<Route>> {
        let now = self.route(conversation);
        let late = self.late_route(conversation, at_ms, oldest_ms);
        let of_people =
            |route: &Arc<Route>| self.bridge(&route.bridge).is_some_and(|bridge| bridge.row.talk.is_some());
        match (now, late) {
            (Some(now), Some(late)) if of_people(now) && of_people(late) => Some(late),
            (now, late) => now.or(late),
        }
    }

    /// Where an event of this time goes although its conversation is in no active bridge any more: it comes late.
    fn late_route(&self, conversation: &ConversationId, at_ms: i64, oldest_ms: i64) -> Option<&Arc<Route>> {
        let ended = self.former.get(conversation)?.iter().rev();
        let mut lately = ended.take_while(|former| at_ms < former.until_ms && oldest_ms < former.until_ms);
        lately.find(|former| former.since_ms <= at_ms).map(|former| &former.route)
    }

    /// Bridged conversations of an installation, ordered.
    pub fn bridged_at(&self, installation: &InstallationId) -> &[ConversationId] {
        self.bridged.get(installation).map(Vec::as_slice).unwrap_or_default()
    }

    /// One bridged conversation of each installation that has any.
    pub(crate) fn heads(&self) -> impl Iterator<Item = &ConversationId> {
        self.bridged.values().filter_map(|ids| ids.first())
    }

    /// Bridged conversations whose subscription is due, those that wait longest first.
    pub(crate) fn watches_due(&self, now_ms: i64) -> impl Iterator<Item = &ConversationId> {
        self.watches.iter().take_while(move |(due_ms, _)| *due_ms <= now_ms).map(|(_, id)| id)
    }

    /// When events of an installation were taken last before this was read, milliseconds since 1970; 0: never.
    pub(crate) fn seen_until_ms(&self, installation: &InstallationId) -> i64 {
        self.seen_until_ms.get(installation).copied().unwrap_or_default()
    }

    /// All bridged conversations, ordered.
    pub fn bridged(&self) -> Vec<ConversationId> {
        let mut ids: Vec<_> = self.routes.keys().cloned().collect();
        ids.sort();
        ids
    }

    /// A bridge.
    pub fn bridge(&self, id: &BridgeId) -> Option<&Arc<Bridge>> {
        self.bridges.get(id)
    }

    /// All bridges.
    pub fn bridges(&self) -> impl Iterator<Item = &Arc<Bridge>> {
        self.bridges.values()
    }

    /// Whether accounts of an organisation are linked at all.
    pub fn has_people(&self, org: &OrgId) -> bool {
        self.peopled.contains(org)
    }

    /// The person whom an account belongs to, where it is linked.
    pub fn person(&self, installation: &InstallationId, user: &RemoteUser) -> Option<&PersonId> {
        self.people.get(installation)?.get(user)
    }

    /// The account of a person at an installation.
    pub fn account(&self, installation: &InstallationId, person: &PersonId) -> Option<&RemoteUser> {
        if self.accounts.is_empty() {
            return None;
        }
        self.accounts.get(&(installation.clone(), person.clone())).map(|(user, _)| user)
    }

    /// Whether a person granted a token at an installation.
    pub fn has_voice(&self, installation: &InstallationId, person: &PersonId) -> bool {
        !self.accounts.is_empty()
            && self.accounts.get(&(installation.clone(), person.clone())).is_some_and(|(_, token)| *token)
    }

    /// An organisation's name and policies.
    pub fn org(&self, id: &OrgId) -> Option<&(String, Policy)> {
        self.orgs.get(id)
    }

    /// All organisations.
    pub fn orgs(&self) -> impl Iterator<Item = (&OrgId, &str)> {
        self.orgs.iter().map(|(id, (name, _))| (id, name.as_str()))
    }

    /// The bridge that a conversation is in and that has not ended.
    pub(crate) fn living_bridge(&self, conversation: &ConversationId) -> Option<&Arc<Bridge>> {
        self.bridges.values().find(|bridge| {
            bridge.row.state != BridgeState::Ended && bridge.row.members.contains(conversation)
        })
    }

    /// The bridge of a conversation of several, as long as it has not ended.
    pub(crate) fn talk(&self, group: &str) -> Option<&Arc<Bridge>> {
        let living = |bridge: &&Arc<Bridge>| bridge.row.state != BridgeState::Ended;
        self.bridges.values().filter(living).find(|bridge| bridge.row.talk.as_deref() == Some(group))
    }

    /// Chats of everybody who has to do with a conversation of several, ordered.
    pub(crate) fn group(&self, group: &str) -> &[ConversationId] {
        self.groups.get(group).map_or(&[], Vec::as_slice)
    }

    /// An organisation's policies.
    pub fn policy(&self, id: &OrgId) -> Policy {
        self.orgs.get(id).map(|(_, policy)| policy.clone()).unwrap_or_default()
    }
}

async fn open_app(vault: &Vault, platform: Platform, row: AppRow) -> Result<App, RelayError> {
    let mut secrets = BTreeMap::new();
    for (name, sealed) in &row.sealed_secrets {
        let row_key = format!("{}/{name}", row.id);
        let field = FieldRef { org: &row.org, purpose: "app-secret", row: &row_key };
        let plain = vault.open_text(&field, sealed).await?;
        secrets.insert(name.clone(), Token::new(plain.expose().to_owned()));
    }
    Ok(App { id: row.id, org: row.org, platform, facts: row.facts, secrets, features: row.features })
}

#[cfg(test)]
mod tests {
    use dragoman_store::{BridgePast, Notices};

    use super::*;

    /// A conversation of two; `until_ms`: when Ana left it.
    fn talk(id: &str, with: &str, created_ms: i64, until_ms: Option<i64>) -> BridgeRow {
        let past = BridgePast {
            earlier: until_ms.map(|until_ms| (created_ms, until_ms)),
            left_ms: until_ms.map(|until_ms| ("ana".into(), until_ms)).into_iter().collect(),
            ..BridgePast::default()
        };
        BridgeRow {
            id: id.into(),
            org: "o1".into(),
            state: if until_ms.is_some() { BridgeState::Ended } else { BridgeState::Active },
            members: vec!["ana".into(), with.into()],
            created_ms,
            since_ms: created_ms,
            past,
            notices: Notices::default(),
            talk: Some("pair".to_owned()),
        }
    }

    #[test]
    fn what_comes_late_goes_to_whom_it_was_written() {
        let mut directory = Directory::default();
        directory.add_bridge(talk("second", "cy", 2_000, Some(3_000)));
        directory.add_bridge(talk("first", "bo", 1_000, Some(1_500)));
        directory.add_bridge(talk("third", "bo", 4_000, None));
        directory.index();
        let at = |at_ms: i64, oldest_ms: i64| {
            let route = directory.route_at(&"ana".into(), at_ms, oldest_ms).expect("something is open");
            (route.bridge.as_str().to_owned(), route.targets[0].as_str().to_owned())
        };
        let route = |bridge: &str, to: &str| (bridge.to_owned(), to.to_owned());
        assert_eq!(at(1_200, 0), route("first", "bo"), "two conversations later");
        assert_eq!(at(2_500, 0), route("second", "cy"));
        assert_eq!(at(4_500, 0), route("third", "bo"));
        // Nothing was open then; whoever hears it knows.
        assert_eq!(at(1_700, 0), route("third", "bo"));
        assert_eq!(at(500, 0), route("third", "bo"));
        assert_eq!(at(2_500, 3_000), route("third", "bo"), "no platform tells so late");
        // What Bo wrote before Ana left goes to Ana.
        let bo = directory.route_at(&"bo".into(), 1_200, 0).map(|route| route.bridge.as_str());
        assert_eq!(bo, Some("first"));
    }

    #[test]
    fn what_comes_late_goes_to_those_too_who_left_since() {
        let mut row = talk("several", "bo", 1_000, None);
        row.past.left_ms = [("cy".into(), 2_000), ("di".into(), 3_000)].into();
        let route = |row: &BridgeRow| {
            let mut directory = Directory::default();
            directory.add_bridge(row.clone());
            directory.index();
            Arc::clone(directory.route(&"ana".into()).expect("it is open"))
        };
        let several = route(&row);
        let to = |at_ms| several.targets_at(at_ms).map(ConversationId::as_str).collect::<Vec<_>>();
        assert_eq!(to(1_500), ["bo", "cy", "di"]);
        assert_eq!(to(2_000), ["bo", "di"]);
        assert_eq!([to(3_000), to(0)], [["bo"], ["bo"]], "nobody knows when");
        assert_eq!(several.targets_ever().count(), 3);
        // What an operator takes out is out at once.
        row.talk = None;
        assert_eq!(route(&row).targets_ever().count(), 1);
    }
}
