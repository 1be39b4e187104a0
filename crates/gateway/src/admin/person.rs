//! People: which accounts are one human, and their own tokens.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use dragoman_model::{InstallationId, OrgId, PersonId, RemoteUser, codes};
use dragoman_platform::ConversationKind;
use dragoman_relay::{Directory, Place, Spot};
use dragoman_store::{AccountRow, Mutation};

use super::api::{
    AccountInfo, Done, InstallLink, PersonInfo, PersonLink, PersonList, PersonRevoke, PersonToken,
    PersonUnlink,
};
use super::desk::{Desk, begins};
use super::problem::Problem;
use super::reference::places;
use super::route::Act;

/// An account that an operator named.
pub(super) struct Named {
    pub(super) place: Arc<Place>,
    pub(super) user: RemoteUser,
}

#[async_trait]
impl Act for PersonList {
    async fn act(self, desk: &Desk) -> Result<Vec<PersonInfo>, Problem> {
        let directory = desk.relay.directory();
        let mut people = Vec::new();
        for (org, _) in directory.orgs() {
            people.extend(people_of(desk, org).await?);
        }
        Ok(people)
    }
}

#[async_trait]
impl Act for PersonLink {
    async fn act(self, desk: &Desk) -> Result<PersonInfo, Problem> {
        let _acting = desk.acting.lock().await;
        let mut named: Vec<Named> = Vec::new();
        for account in &self.accounts {
            named.push(account_of(desk, account).await?);
        }
        let directory = desk.relay.directory();
        let orgs: BTreeSet<&OrgId> = named.iter().map(|it| &it.place.session.installation.org).collect();
        let (Some(org), 1) = (orgs.first().map(|org| (*org).clone()), orgs.len()) else {
            let cure = "name accounts of one organisation";
            return Err(Problem::wrong("these accounts are not of one organisation", cure));
        };
        let mut linked: BTreeSet<PersonId> =
            named.iter().filter_map(|it| person_at(&directory, it)).collect();
        if linked.len() > 1 {
            // Whoever has one account and no token is nobody that another account could be mixed up with.
            let people = desk.relay.store().people(&org).await?;
            linked.retain(|person| {
                let mut theirs = people.iter().filter(|(row, _)| row.person.as_ref() == Some(person));
                theirs.next().is_some_and(|(_, token)| *token) || theirs.next().is_some()
            });
        }
        if linked.len() > 1 {
            let cure = "take one of them from its person first, with `dragoman person unlink`";
            return Err(Problem::new(codes::CONFLICT, "these accounts belong to different people", cure));
        }
        let new = || PersonId::fresh(desk.now_ms(), &**desk.relay.random());
        let person = linked.into_iter().next().unwrap_or_else(new);
        let mut users: BTreeMap<&InstallationId, &RemoteUser> = BTreeMap::new();
        for it in &named {
            let installation = &it.place.session.installation.id;
            let known = directory.account(installation, &person).or(users.get(installation).copied());
            if known.is_some_and(|user| *user != it.user) {
                return Err(two_at_one(&it.place));
            }
            users.insert(installation, &it.user);
        }
        for it in &named {
            link(desk, it, &person).await?;
        }
        desk.relay.reload().await?;
        desk.audit(Some(&org), "person.link", person.to_string()).await?;
        one(desk, &org, &person).await
    }
}

#[async_trait]
impl Act for PersonUnlink {
    async fn act(self, desk: &Desk) -> Result<Done, Problem> {
        let _acting = desk.acting.lock().await;
        let named = account_of(desk, &self.account).await?;
        let Some(person) = person_at(&desk.relay.directory(), &named) else {
            return Err(not_linked(&self.account));
        };
        let installation = named.place.session.installation.clone();
        desk.relay.revoke_voice(&named.place, &person).await?;
        let row = desk.relay.store().account(&installation.id, &named.user).await?;
        let unlink = match row.filter(|row| row.email_digest.is_some()) {
            // By its address it would be linked again: it becomes somebody of its own.
            Some(row) => {
                let own = PersonId::fresh(desk.now_ms(), &**desk.relay.random());
                Mutation::PutAccount(AccountRow { person: Some(own), ..row })
            }
            None => {
                Mutation::UnlinkAccount { installation: installation.id.clone(), user: named.user.clone() }
            }
        };
        desk.relay.store().commit(unlink).await?;
        desk.relay.reload().await?;
        desk.audit(Some(&installation.org), "person.unlink", format!("{person} {}", installation.id)).await?;
        Ok(Done { count: 1 })
    }
}

#[async_trait]
impl Act for PersonToken {
    async fn act(self, desk: &Desk) -> Result<InstallLink, Problem> {
        let (person, place) = person_and_place(desk, &self.person, &self.installation).await?;
        let installation = &place.session.installation;
        let directory = desk.relay.directory();
        if directory.account(&installation.id, &person).is_none() {
            let what = format!("the person has no linked account at {}", place.name);
            return Err(Problem::wrong(what, "link it first with `dragoman person link`"));
        }
        let started = desk.installs.start_person(&place, &person)?;
        let subject = format!("{person} {}", installation.id);
        desk.audit(Some(&installation.org), "person.token-start", subject).await?;
        Ok(InstallLink { link: started.link, ticket: started.ticket, expires_ms: started.expires_ms })
    }
}

#[async_trait]
impl Act for PersonRevoke {
    async fn act(self, desk: &Desk) -> Result<Done, Problem> {
        let _acting = desk.acting.lock().await;
        let (person, place) = person_and_place(desk, &self.person, &self.installation).await?;
        let installation = &place.session.installation;
        let had = desk.relay.directory().has_voice(&installation.id, &person);
        desk.relay.revoke_voice(&place, &person).await?;
        let subject = format!("{person} {}", installation.id);
        desk.audit(Some(&installation.org), "person.token-revoke", subject).await?;
        Ok(Done { count: u64::from(had) })
    }
}

fn two_at_one(place: &Place) -> Problem {
    let what = format!("the person has another account at {} already", place.name);
    Problem::new(codes::CONFLICT, what, "take that one from the person first, with `dragoman person unlink`")
}

fn not_linked(account: &str) -> Problem {
    let what = format!("the account '{account}' is linked to nobody");
    Problem::new(codes::NOT_FOUND, what, "`dragoman person list` shows what there is")
}

fn person_at(directory: &Directory, named: &Named) -> Option<PersonId> {
    directory.person(&named.place.session.installation.id, &named.user).cloned()
}

/// A conversation through which people of an installation can be looked up.
fn window(directory: &Directory, place: &Place) -> Option<Arc<Spot>> {
    let installation = &place.session.installation.id;
    let spots = directory.spots().into_iter();
    // In a chat with the app there is one person.
    let narrow = |spot: &&Arc<Spot>| {
        (directory.route(&spot.id).is_none(), spot.conversation.kind != ConversationKind::Channel)
    };
    spots
        .filter(|spot| spot.place.session.installation.id == *installation)
        .min_by_key(narrow)
        .map(Arc::clone)
}

/// The one installation that a word means.
fn place_of(directory: &Directory, scope: &str) -> Result<Arc<Place>, Problem> {
    let fitting = places(directory, Some(scope))?;
    match fitting.as_slice() {
        [place] => Ok(Arc::clone(place)),
        _ => Err(Problem::wrong(
            format!("'{scope}' fits {} installations", fitting.len()),
            "give the id of one; `dragoman install list` shows it",
        )),
    }
}

/// Takes apart what names an account, and looks the account up where that is possible: in a bridged conversation.
pub(super) async fn account_of(desk: &Desk, text: &str) -> Result<Named, Problem> {
    let directory = desk.relay.directory();
    let (scope, id) =
        text.split_once(':').filter(|(scope, id)| !scope.is_empty() && !id.is_empty()).ok_or_else(|| {
            Problem::wrong(
                format!("'{text}' names no account"),
                "write PLATFORM:ID or PLATFORM:ADDRESS, with the id of an installation where there are several",
            )
        })?;
    let place = place_of(&directory, scope)?;
    let known = RemoteUser::from(id);
    if directory.person(&place.session.installation.id, &known).is_some() {
        return Ok(Named { place, user: known });
    }
    let nobody = || {
        let what = format!("there is nobody '{id}' at {}", place.name);
        Problem::new(
            codes::NOT_FOUND,
            what,
            "check the id or the address, and that the app may look people up",
        )
    };
    let spot = window(&directory, &place).ok_or_else(|| {
        let cure = "bridge a conversation of it first";
        Problem::wrong(format!("people of {} cannot be looked up yet", place.name), cure)
    })?;
    let (session, conversation) = (&spot.place.session, &spot.conversation);
    let found = if id.contains('@') {
        place.connector.profile_by_email(session, conversation, &id.to_lowercase()).await
    } else {
        place.connector.profile(session, conversation, &known).await
    };
    let found = found.map_err(|failure| {
        Problem::platform("looking a person up", place.connector.display_name(), &failure)
    })?;
    let found = found.filter(|profile| !profile.bot && !profile.deleted).ok_or_else(nobody)?;
    Ok(Named { user: found.user, place })
}

async fn link(desk: &Desk, named: &Named, person: &PersonId) -> Result<(), Problem> {
    let installation = &named.place.session.installation;
    let store = desk.relay.store();
    let known = store.account(&installation.id, &named.user).await?;
    let row = known.unwrap_or_else(|| AccountRow {
        org: installation.org.clone(),
        installation: installation.id.clone(),
        user: named.user.clone(),
        // Read when it is needed.
        sealed_profile: Vec::new(),
        email_digest: None,
        person: None,
        refreshed_ms: 0,
    });
    store.commit(Mutation::PutAccount(AccountRow { person: Some(person.clone()), ..row })).await?;
    Ok(())
}

/// A person by id, by the beginning of one, or by an account; and an installation of the same organisation.
async fn person_and_place(
    desk: &Desk,
    person: &str,
    installation: &str,
) -> Result<(PersonId, Arc<Place>), Problem> {
    let directory = desk.relay.directory();
    let place = place_of(&directory, installation)?;
    let org = &place.session.installation.org;
    if person.contains(':') {
        let named = account_of(desk, person).await?;
        let found = person_at(&desk.relay.directory(), &named);
        let same = named.place.session.installation.org == *org;
        return found.filter(|_| same).map(|found| (found, place)).ok_or_else(|| not_linked(person));
    }
    let mut fitting: Vec<PersonId> =
        desk.relay.store().people(org).await?.into_iter().filter_map(|it| it.0.person).collect();
    fitting.retain(|id| id.as_str() == person || begins(id.as_str(), person));
    fitting.dedup();
    match fitting.as_slice() {
        [found] => Ok((found.clone(), place)),
        [] => Err(Problem::no_such("person", person, "dragoman person list")),
        _ => Err(Problem::wrong(format!("'{person}' fits more than one person"), "give more of the id")),
    }
}

async fn people_of(desk: &Desk, org: &OrgId) -> Result<Vec<PersonInfo>, Problem> {
    let directory = desk.relay.directory();
    let mut people: Vec<PersonInfo> = Vec::new();
    for (row, own_token) in desk.relay.store().people(org).await? {
        let (Some(person), Some(place)) = (&row.person, directory.place(&row.installation)) else { continue };
        let profile = match window(&directory, place) {
            Some(spot) => desk.relay.profile(&spot, &row.user).await?,
            None => None,
        };
        let account = AccountInfo {
            installation: row.installation.to_string(),
            platform: place.session.app.platform.to_string(),
            workspace: place.name.clone(),
            user: row.user.to_string(),
            name: profile.map(|profile| profile.name.clone()).unwrap_or_default(),
            own_token,
        };
        match people.last_mut().filter(|last| last.id == person.as_str()) {
            Some(last) => last.accounts.push(account),
            None => people.push(PersonInfo {
                id: person.to_string(),
                org: org.to_string(),
                accounts: vec![account],
            }),
        }
    }
    for person in &mut people {
        person.accounts.sort_by(|a, b| (&a.platform, &a.installation).cmp(&(&b.platform, &b.installation)));
    }
    Ok(people)
}

async fn one(desk: &Desk, org: &OrgId, person: &PersonId) -> Result<PersonInfo, Problem> {
    let people = people_of(desk, org).await?;
    let found = people.into_iter().find(|it| it.id == person.as_str());
    found.ok_or_else(|| Problem::no_such("person", person.as_str(), "dragoman person list"))
}
