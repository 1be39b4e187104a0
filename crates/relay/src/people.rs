//! People: who wrote, and whom a mention means on the other side. Profiles are read lazily, kept encrypted,
//! and read again after a day or when the platform says that they changed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dragoman_markup::name::neutralise;
use dragoman_model::{
    AuthorKind, Document, Feature, Inline, InstallationId, Level, Mention, Message, PersonId, RemoteUser,
    ShownAuthor, codes,
};
use dragoman_platform::{Failure, Installation, Profile};
use dragoman_seal::FieldRef;
use dragoman_store::{AccountRow, Mutation};

use crate::acquaintances::{Acquaintance, Elsewhere};
use crate::core::Relay;
use crate::directory::{Place, Spot};
use crate::error::RelayError;
use crate::plan::{Mentions, mention_key, mentions_of, plain_mention};

/// How long a message waits for what is known of an author whose name it carries.
const NAMED_WAIT: Duration = Duration::from_secs(2);
/// How long a profile is believed, in milliseconds.
const BELIEVED_MS: i64 = 24 * 60 * 60 * 1000;
/// Mentions of one message that are looked up; the rest stays text.
const MOST_MENTIONS: usize = 50;

impl Relay {
    /// How the author of a message is shown at a target.
    pub(crate) async fn shown_author(
        &self,
        source: &Spot,
        target: &Spot,
        message: &Message,
    ) -> Result<ShownAuthor, RelayError> {
        let platform = source.place.connector.display_name();
        let profile = match &message.author.user {
            Some(user) if message.author.name.is_none() => self.profile(source, user).await?,
            Some(user) if message.author.kind == AuthorKind::Person => {
                self.profile_of_named(source, user).await?
            }
            _ => None,
        };
        let via = origin(platform, message.author.kind, profile.as_deref());
        let name = message.author.name.as_deref().or(profile.as_ref().map(|profile| profile.name.as_str()));
        let name =
            name.map(neutralise).filter(|name| !name.is_empty()).unwrap_or_else(|| "Unknown user".to_owned());
        let avatar_url = match (&message.author.user, &self.0.parts.avatars) {
            (Some(user), Some(links))
                if target.capabilities.level(Feature::AuthorPicture) > Level::Dropped =>
            {
                links.link(&source.place.session.installation.id, user, self.now_ms())
            }
            _ => None,
        };
        Ok(ShownAuthor { name, via, avatar_url })
    }

    /// The profile of somebody whose name a message carries. Whether they are a guest is worth a question, and none that
    /// takes long; where the platform tells nothing, it is asked again after an hour.
    async fn profile_of_named(
        &self,
        spot: &Spot,
        user: &RemoteUser,
    ) -> Result<Option<Arc<Acquaintance>>, RelayError> {
        let installation = &spot.place.session.installation.id;
        let key = unnamed(user);
        if self.0.nobody.is(installation, &key, self.now_ms()) {
            return Ok(None);
        }
        let asked = tokio::time::timeout(NAMED_WAIT, self.profile(spot, user)).await;
        if let Some(found) = asked.unwrap_or(Ok(None))? {
            return Ok(Some(found));
        }
        // An answer that comes after this takes it back itself.
        self.0.nobody.remember(installation, key.clone(), self.now_ms());
        let late = self.0.acquaintances.profile(installation, user, self.now_ms());
        if late.is_some() {
            self.0.nobody.forget(installation, &key);
        }
        Ok(late)
    }

    /// A person's profile, from the encrypted cache or from the platform. `None`: unknown there, or out of
    /// reach now; a message is not held up for want of a name. Who waits no longer loses nothing: what the platform
    /// answers is kept all the same.
    pub async fn profile(
        &self,
        spot: &Spot,
        user: &RemoteUser,
    ) -> Result<Option<Arc<Acquaintance>>, RelayError> {
        let found = self.look_up(spot, user).await?;
        let told = |failure: &Failure| tracing::debug!(code = %failure.code(), "a profile could not be read");
        Ok(found.inspect_err(told).ok().flatten())
    }

    /// The same, for those to whom it matters why nothing is known. `Ok(None)`: unknown there; a failure: out of reach now,
    /// and never seen before.
    pub(crate) async fn look_up(
        &self,
        spot: &Spot,
        user: &RemoteUser,
    ) -> Result<Result<Option<Arc<Acquaintance>>, Failure>, RelayError> {
        let installation = &spot.place.session.installation.id;
        let acquaintances = &self.0.acquaintances;
        let now_ms = self.now_ms();
        if let Some(known) = acquaintances.profile(installation, user, now_ms) {
            return Ok(Ok(Some(known)));
        }
        let cached = self.store().account(installation, user).await?;
        if let Some(row) = &cached
            && now_ms - row.refreshed_ms < BELIEVED_MS
            && let Some(profile) = self.open_profile(row).await
        {
            let times = (now_ms, row.refreshed_ms + BELIEVED_MS);
            return Ok(Ok(Some(acquaintances.keep(installation, profile, times))));
        }
        let (relay, place, who) = (self.clone(), Arc::clone(&spot.place), user.clone());
        let conversation = spot.conversation.clone();
        let asked = self.apart(async move {
            match place.connector.profile(&place.session, &conversation, &who).await? {
                Some(profile) => {
                    let known = relay.remember_if_possible(&place, profile).await;
                    relay.0.nobody.forget(&place.session.installation.id, &unnamed(&who));
                    Ok::<_, Failure>(Some(known))
                }
                None => Ok(None),
            }
        });
        let lost = Err(Failure::Retry { after_ms: None, code: codes::UNREACHABLE });
        let found = asked.await.unwrap_or(lost);
        Ok(match (found, cached) {
            // What is old is better than nothing.
            (Err(failure), Some(row)) => match self.open_profile(&row).await {
                Some(profile) => Ok(Some(Arc::new(profile.into()))),
                None => Err(failure),
            },
            (found, _) => found,
        })
    }

    /// A profile that cannot be kept is read again; the message does not wait for that.
    async fn remember_if_possible(&self, place: &Place, profile: Profile) -> Arc<Acquaintance> {
        if let Err(error) = self.remember(place, &profile).await {
            tracing::debug!(code = %error.code(), "a profile could not be kept: {error}");
        }
        let now_ms = self.now_ms();
        let times = (now_ms, now_ms + BELIEVED_MS);
        self.0.acquaintances.keep(&place.session.installation.id, profile, times)
    }

    async fn remember(&self, place: &Place, profile: &Profile) -> Result<(), RelayError> {
        let Installation { id: installation, org, .. } = &*place.session.installation;
        let row = format!("{installation}/{}", profile.user);
        let vault = self.vault();
        let field = FieldRef { org, purpose: "profile", row: &row };
        let email_digest = match profile.email.as_deref() {
            Some(email) => Some(vault.digest(org, "email", email.to_lowercase().as_bytes()).await?),
            None => None,
        };
        let person = self.person_by_email(place, profile, email_digest.as_deref()).await?;
        let account = AccountRow {
            org: org.clone(),
            installation: installation.clone(),
            user: profile.user.clone(),
            sealed_profile: vault.seal_text(&field, &pack(profile)).await?,
            email_digest,
            person: person.clone(),
            refreshed_ms: self.now_ms(),
        };
        self.store().commit(Mutation::PutAccount(account)).await?;
        if let Some(person) = person {
            self.audit(place, "person.linked-by-email", &format!("{person} {row}")).await?;
            self.reload().await?;
        }
        Ok(())
    }

    /// `None` as well where it cannot be opened: it is read again from the platform.
    pub(crate) async fn open_profile(&self, row: &AccountRow) -> Option<Profile> {
        if row.sealed_profile.is_empty() {
            return None;
        }
        let key = format!("{}/{}", row.installation, row.user);
        let field = FieldRef { org: &row.org, purpose: "profile", row: &key };
        let text = self.vault().open_text(&field, &row.sealed_profile).await;
        let text = text.inspect_err(|error| tracing::warn!(code = %error.code(), "a kept profile: {error}"));
        unpack(&row.user, text.ok()?.expose())
    }

    /// What the mentions of a text become at a target.
    pub(crate) async fn mentions(
        &self,
        source: &Spot,
        target: &Spot,
        body: &Document,
    ) -> Result<Mentions, RelayError> {
        let mut mentions = Mentions::new();
        for mention in mentions_of(body).into_iter().take(MOST_MENTIONS) {
            let resolved = match &mention {
                Mention::Person { id, name } => self.mention_person(source, target, id, name).await?,
                Mention::Conversation { id, name } => self.mention_conversation(source, target, id, name),
                Mention::Everyone | Mention::Here => {
                    if self.directory().policy(&source.org).relay_everyone {
                        Inline::Mention(mention.clone())
                    } else {
                        Inline::Text(plain_mention(&mention))
                    }
                }
                Mention::Group { .. } => Inline::Text(plain_mention(&mention)),
            };
            mentions.insert(mention_key(&mention), resolved);
        }
        Ok(mentions)
    }

    async fn mention_person(
        &self,
        source: &Spot,
        target: &Spot,
        id: &RemoteUser,
        name: &str,
    ) -> Result<Inline, RelayError> {
        let profile = self.profile(source, id).await?;
        let shown = profile.as_ref().map_or(name, |profile| profile.name.as_str());
        if let Some(there) = self.account_there(source, target, id, profile.as_deref()).await? {
            let (id, name) = (there.user.clone(), neutralise(&there.name));
            return Ok(Inline::Mention(Mention::Person { id, name }));
        }
        Ok(Inline::Text(plain_mention(&Mention::Person { id: id.clone(), name: shown.to_owned() })))
    }

    /// The account of the same human at the target: linked, or with the same verified e-mail address.
    async fn account_there(
        &self,
        source: &Spot,
        target: &Spot,
        id: &RemoteUser,
        profile: Option<&Acquaintance>,
    ) -> Result<Elsewhere, RelayError> {
        let here = &source.place.session.installation.id;
        let there = &target.place.session.installation.id;
        if here == there {
            return self.profile(target, id).await;
        }
        if let Some(known) = self.0.acquaintances.elsewhere((here, id), there, self.now_ms()) {
            return Ok(known);
        }
        let found = self.look_there(source, target, id, profile).await?;
        if found.is_some() {
            self.0.acquaintances.keep_elsewhere((here, id), there, found.clone());
        }
        Ok(found)
    }

    async fn look_there(
        &self,
        source: &Spot,
        target: &Spot,
        id: &RemoteUser,
        profile: Option<&Acquaintance>,
    ) -> Result<Elsewhere, RelayError> {
        let here = &source.place.session.installation.id;
        let there = &target.place.session.installation.id;
        let person: Option<PersonId> = self.store().account(here, id).await?.and_then(|row| row.person);
        if let Some(person) = person {
            let accounts = self.store().accounts_of(&source.org, &person).await?;
            if let Some(row) = accounts.into_iter().find(|row| row.installation == *there) {
                return self.profile(target, &row.user).await;
            }
        }
        let Some(email) = profile.and_then(|profile| profile.email.as_deref()) else { return Ok(None) };
        let email = email.to_lowercase();
        let digest = self.vault().digest(&source.org, "email", email.as_bytes()).await?;
        if let Some(row) = self.store().accounts_by_email(there, &digest).await?.into_iter().next() {
            return self.profile(target, &row.user).await;
        }
        if self.0.nobody.is(there, &digest, self.now_ms()) {
            self.0.acquaintances.keep_elsewhere((here, id), there, None);
            return Ok(None);
        }
        let found = target
            .place
            .connector
            .profile_by_email(&target.place.session, &target.conversation, &email)
            .await
            .unwrap_or_else(|failure: Failure| {
                tracing::debug!(code = %failure.code(), "a person could not be looked up");
                None
            });
        let Some(profile) = found else {
            self.0.nobody.remember(there, digest, self.now_ms());
            return Ok(None);
        };
        Ok(Some(self.remember_if_possible(&target.place, profile).await))
    }

    fn mention_conversation(
        &self,
        source: &Spot,
        target: &Spot,
        id: &dragoman_model::RemoteConversation,
        name: &str,
    ) -> Inline {
        let directory = self.directory();
        let here = directory.spot_at(&source.place.session.installation.id, id);
        let there = here.and_then(|here| {
            let route = directory.route(&here.id)?;
            let installation = &target.place.session.installation.id;
            route
                .targets
                .iter()
                .chain([&here.id])
                .filter_map(|member| directory.spot(member))
                .find(|spot| spot.place.session.installation.id == *installation)
        });
        if let Some(there) = there {
            let id = there.conversation.remote.clone();
            return Inline::Mention(Mention::Conversation { id, name: there.conversation.name.clone() });
        }
        let known = here.map_or(name, |here| here.conversation.name.as_str());
        let name = if name.is_empty() { known } else { name };
        Inline::Text(plain_mention(&Mention::Conversation { id: id.clone(), name: name.to_owned() }))
    }
}

/// What is said of authors who are not simply members where they write, after the name of their platform.
const MARKS: [&str; 4] = ["app", "guest", "external", "deactivated"];

/// Where somebody writes, and what has to be known of them: `Fjord`, `Fjord, guest`. An app is one whether the message or
/// the directory tells, and whoever's it is.
pub(crate) fn origin(platform: &str, kind: AuthorKind, profile: Option<&Acquaintance>) -> String {
    let [app, guest, external, deactivated] = MARKS;
    let is_app = kind == AuthorKind::Bot || profile.is_some_and(|profile| profile.bot);
    let mark = match profile.map(|profile| &**profile) {
        Some(Profile { deleted: true, .. }) => Some(deactivated),
        _ if is_app => Some(app),
        Some(Profile { guest: true, .. }) => Some(guest),
        Some(Profile { external: true, .. }) => Some(external),
        _ => None,
    };
    mark.map_or_else(|| platform.to_owned(), |mark| format!("{platform}, {mark}"))
}

/// Whom an installation does not know, by the digest of an address or by id, so that a stranger is looked up once an
/// hour and not with every message.
#[derive(Default)]
pub(crate) struct Nobody(Mutex<HashMap<InstallationId, HashMap<Vec<u8>, i64>>>);

/// The key of somebody whose name is known from what they wrote, and nothing else.
fn unnamed(user: &RemoteUser) -> Vec<u8> {
    format!("profile/{user}").into_bytes()
}

/// How long nobody is believed to be there, in milliseconds.
const NOBODY_MS: i64 = 60 * 60 * 1000;
/// Entries kept of one installation; a full table is forgotten as a whole.
const MOST_NOBODIES: usize = 5_000;

impl Nobody {
    fn is(&self, installation: &InstallationId, whom: &[u8], now_ms: i64) -> bool {
        let nobodies = self.lock();
        let until_ms = nobodies.get(installation).and_then(|here| here.get(whom));
        until_ms.is_some_and(|until_ms| *until_ms > now_ms)
    }

    fn remember(&self, installation: &InstallationId, whom: Vec<u8>, now_ms: i64) {
        let mut nobodies = self.lock();
        let here = nobodies.entry(installation.clone()).or_default();
        if here.len() >= MOST_NOBODIES {
            here.clear();
        }
        here.insert(whom, now_ms + NOBODY_MS);
    }

    /// They became known after all.
    fn forget(&self, installation: &InstallationId, whom: &[u8]) {
        if let Some(here) = self.lock().get_mut(installation) {
            here.remove(whom);
        }
    }

    /// Forgets whom to look up again.
    pub(crate) fn expire(&self, now_ms: i64) {
        self.lock().retain(|_, here| {
            here.retain(|_, until_ms| *until_ms > now_ms);
            !here.is_empty()
        });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<InstallationId, HashMap<Vec<u8>, i64>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Fields of a profile, separated by a character that no field holds.
fn pack(profile: &Profile) -> String {
    let flag = |set: bool| if set { "1" } else { "0" };
    [
        profile.name.as_str(),
        profile.avatar_url.as_deref().unwrap_or(""),
        profile.email.as_deref().unwrap_or(""),
        flag(profile.bot),
        flag(profile.deleted),
        flag(profile.external),
        flag(profile.guest),
    ]
    .map(|field| field.replace('\u{1f}', ""))
    .join("\u{1f}")
}

fn unpack(user: &RemoteUser, text: &str) -> Option<Profile> {
    let fields: Vec<&str> = text.split('\u{1f}').collect();
    let [name, avatar_url, email, bot, deleted, external, guest] = fields[..] else { return None };
    let filled = |field: &str| (!field.is_empty()).then(|| field.to_owned());
    Some(Profile {
        user: user.clone(),
        name: name.to_owned(),
        avatar_url: filled(avatar_url),
        email: filled(email),
        bot: bot == "1",
        deleted: deleted == "1",
        external: external == "1",
        guest: guest == "1",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_no_member_is_marked() {
        use AuthorKind::{Bot, Person};
        let of = |kind, bot, deleted, external, guest| {
            let (user, name, avatar_url, email) = ("U1".into(), "Ana".to_owned(), None, None);
            let profile = Profile { user, name, avatar_url, email, bot, deleted, external, guest };
            origin("Fjord", kind, Some(&profile.into()))
        };
        assert_eq!(of(Person, false, false, false, false), "Fjord");
        assert_eq!(of(Person, false, false, true, false), "Fjord, external");
        assert_eq!(of(Person, false, false, true, true), "Fjord, guest");
        assert_eq!(of(Person, false, true, true, true), "Fjord, deactivated");
        assert_eq!(of(Bot, false, false, true, true), "Fjord, app");
        assert_eq!(of(Person, true, false, true, false), "Fjord, app");
        assert_eq!(of(Bot, true, true, false, false), "Fjord, deactivated");
        assert_eq!(
            (origin("Fjord", Person, None), origin("Fjord", Bot, None)),
            ("Fjord".into(), "Fjord, app".into())
        );
    }

    #[test]
    fn profiles_survive_packing() {
        let profile = Profile {
            user: "U1".into(),
            name: "Ana".into(),
            avatar_url: None,
            email: Some("ana@harbor.example".into()),
            bot: false,
            deleted: true,
            external: false,
            guest: true,
        };
        let back = unpack(&"U1".into(), &pack(&profile));
        assert!(back.is_some_and(|back| back.name == "Ana"
            && back.email == profile.email
            && back.avatar_url.is_none()
            && back.deleted
            && back.guest
            && !back.bot));
        assert!(unpack(&"U1".into(), "nonsense").is_none());
    }
}
