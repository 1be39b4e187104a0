//! Who people are, where they can be written to, and saying something to them.

use std::sync::Arc;
use std::time::Duration;

use dragoman_markup::name::neutralise;
use dragoman_model::{
    ConversationId, Document, LegId, Marker, Operation, Outcome, Post, RemoteConversation, RemoteUser,
    ShownAuthor, Spokesman, codes,
};
use dragoman_platform::{Conversation, ConversationKind, Facts, Failure, Profile};
use dragoman_seal::FieldRef;
use dragoman_store::{Amendment, ConversationRow, Mutation};

use super::act::Hitch;
use super::stance::{PERSON, bar_of};
use crate::acquaintances::Acquaintance;
use crate::core::Relay;
use crate::directory::{Directory, Place, Spot};
use crate::error::RelayError;

/// A platform is asked for a person for so long.
const LOOK: Duration = Duration::from_secs(8);
/// Conversations of an installation that a connector is given to look for somebody in.
const MOST_KNOWN: usize = 500;

/// Somebody in their own chat with the app.
pub(crate) struct Party {
    /// The chat.
    pub(crate) spot: Arc<Spot>,
    /// Their name, clean.
    pub(crate) name: String,
    /// Their address, where the platform tells.
    pub(crate) email: Option<String>,
    /// Whether they are a guest there, or why nobody can tell now.
    pub(crate) guest: Result<bool, Failure>,
    /// Their account.
    pub(crate) user: RemoteUser,
}

impl Party {
    /// The chat's id.
    pub(crate) fn id(&self) -> &ConversationId {
        &self.spot.id
    }

    /// Their platform's name.
    pub(crate) fn on(&self) -> &'static str {
        self.spot.place.connector.display_name()
    }

    /// Their name and platform.
    pub(crate) fn named(&self) -> String {
        format!("{} ({})", self.name, self.on())
    }

    /// What is remembered of the chat.
    pub(crate) fn facts(&self) -> &Facts {
        &self.spot.row.facts
    }
}

/// Whom an address belongs to.
pub(crate) enum Sought {
    /// To this person, there.
    One(Arc<Place>, Box<Profile>),
    /// To somebody in the speaker's own workspace.
    Here(Arc<Place>, Box<Profile>),
    /// To somebody on several platforms, by name.
    Several(Vec<String>),
    /// To nobody that the app may find.
    Nobody,
}

impl Relay {
    /// A person's chat with the app, as it is now. `None`: it is not known any more.
    pub(crate) async fn party(&self, id: &ConversationId) -> Result<Option<Party>, RelayError> {
        let Some(spot) = self.directory().spot(id).cloned() else { return Ok(None) };
        let user = RemoteUser::from(spot.row.facts.get(PERSON).map_or("", String::as_str));
        let found = self.look_up(&spot, &user).await?;
        let guest = is_guest(&found);
        let profile = found.ok().flatten();
        let name = profile.as_ref().map(|profile| neutralise(&profile.name)).unwrap_or_default();
        Ok(Some(Party {
            name: if name.is_empty() { "Somebody".to_owned() } else { name },
            email: profile.as_ref().and_then(|profile| profile.email.clone()),
            guest,
            user,
            spot,
        }))
    }

    /// Whether direct conversations are for somebody.
    ///
    /// # Errors
    /// It depends on who they are, and nobody can tell now.
    pub(crate) fn may_write(&self, person: &Party) -> Result<bool, Failure> {
        let (place, user) = (&person.spot.place, &person.user);
        if self.is_kept_out(place, user) {
            return Ok(false);
        }
        let guest = person.guest.clone()?;
        Ok(self.is_allowed(place, person.email.as_deref(), guest))
    }

    /// Whether direct conversations are for nobody, or not for this account.
    fn is_kept_out(&self, at: &Place, user: &RemoteUser) -> bool {
        let installation = &at.session.installation;
        let barred = installation.facts.contains_key(&bar_of(user.as_str()));
        barred || !self.directory().policy(&installation.org).direct_messages
    }

    /// Whether direct conversations are for somebody who is not kept out, with this address.
    fn is_allowed(&self, at: &Place, email: Option<&str>, guest: bool) -> bool {
        let domains = self.directory().policy(&at.session.installation.org).direct_domains;
        if domains.is_empty() {
            return !guest;
        }
        let domain = email.and_then(|email| email.rsplit_once('@')).map(|(_, domain)| domain.to_lowercase());
        domain.is_some_and(|domain| domains.contains(&domain))
    }

    /// The chat of a person with the app: as it is known, where they wrote, or found or made at the platform; and whether
    /// `greeting` was posted there on the way.
    pub(crate) async fn chat_of(
        &self,
        place: &Arc<Place>,
        user: &RemoteUser,
        known: Option<&RemoteConversation>,
        greeting: &Document,
    ) -> Result<(ConversationId, bool), Hitch> {
        let directory = self.directory();
        let installation = &place.session.installation;
        let is_theirs = |spot: &Spot| {
            spot.conversation.kind == ConversationKind::Direct
                && spot.row.installation == installation.id
                && spot.row.facts.get(PERSON).is_some_and(|person| person == user.as_str())
        };
        let remembered = match known {
            Some(remote) => directory.spot_at(&installation.id, remote).filter(|spot| is_theirs(spot)),
            None => directory.spots().into_iter().find(|spot| is_theirs(spot)),
        };
        if let Some(spot) = remembered {
            return Ok((spot.id.clone(), false));
        }
        if known.is_none() {
            // Who is written to may answer at once.
            place.connector.watch_app(&place.session).await?;
        }
        let greeting = self.words_of_ours(place, &"".into(), greeting).await?;
        let direct = place.connector.direct(&place.session, user, known, &greeting).await?;
        let found = direct.conversation;
        let mut facts = found.facts.clone();
        facts.insert(PERSON.to_owned(), user.to_string());
        let id = if let Some(spot) = directory.spot_at(&installation.id, &found.remote) {
            let amendment = Amendment {
                kind: Some(ConversationKind::Direct.as_str().to_owned()),
                external: Some(found.external),
                facts: facts.into_iter().map(|(key, value)| (key, Some(value))).collect(),
                ..Amendment::default()
            };
            let conversation = spot.id.clone();
            self.store().commit(Mutation::Amend { conversation, amendment }).await?;
            spot.id.clone()
        } else {
            let row = ConversationRow { facts, ..self.new_chat(place, &found).await? };
            let id = row.id.clone();
            self.store().commit(Mutation::PutConversation(row)).await?;
            id
        };
        self.reload().await?;
        Ok((id, direct.greeted))
    }

    async fn new_chat(&self, place: &Place, found: &Conversation) -> Result<ConversationRow, RelayError> {
        let installation = &place.session.installation;
        let now_ms = self.now_ms();
        let id = ConversationId::fresh(now_ms, &**self.random());
        let field = FieldRef { org: &installation.org, purpose: "conversation-name", row: id.as_str() };
        Ok(ConversationRow {
            org: installation.org.clone(),
            installation: installation.id.clone(),
            remote: found.remote.clone(),
            kind: ConversationKind::Direct.as_str().to_owned(),
            sealed_name: self.vault().seal_text(&field, "").await?,
            external: found.external,
            facts: Facts::new(),
            watch_id: None,
            watch_renew_ms: None,
            watch_expires_ms: None,
            seen_until_ms: now_ms,
            id,
        })
    }

    /// Looks for the owner of an address on the organisation's installations, on all of them at the same time; `on`: on
    /// this platform or in this workspace only.
    pub(crate) async fn seek(&self, here: &Party, email: &str, on: Option<&str>) -> Result<Sought, Hitch> {
        let directory = self.directory();
        let home = &here.spot.place.session.installation.id;
        let meant = |place: &&Arc<Place>| {
            let installation = &place.session.installation;
            let asked = on.is_none_or(|on| is_named(place, on)) || installation.id == *home;
            installation.org == here.spot.org && place.trouble.is_none() && asked
        };
        let looks = directory.places().filter(meant).map(|place| {
            let known = known_conversations(&directory, place);
            let (at, address) = (Arc::clone(place), email.to_owned());
            let look = async move { at.connector.find_person(&at.session, &known, &address).await };
            // One that hangs is not to keep everybody waiting.
            let found = self.within(LOOK, look);
            let late = Err(Failure::Retry { after_ms: None, code: codes::UNREACHABLE });
            async move { (place, found.await.unwrap_or(late)) }
        });
        let (mut found, mut own, mut trouble) = (Vec::new(), None, None);
        for (place, look) in futures_util::future::join_all(looks).await {
            match look {
                Ok(Some(profile)) if profile.bot || profile.deleted => {}
                Ok(Some(profile))
                    if self.is_kept_out(place, &profile.user)
                        || !self.is_allowed(place, Some(email), profile.external || profile.guest) => {}
                Ok(Some(profile)) if place.session.installation.id == *home => {
                    own = Some((Arc::clone(place), Box::new(profile)));
                }
                Ok(Some(profile)) => found.push((Arc::clone(place), Box::new(profile))),
                Ok(None) => {}
                Err(failure @ Failure::Retry { .. }) => trouble = Some(failure),
                Err(failure) => tracing::debug!(code = %failure.code(), "a person could not be looked for"),
            }
        }
        if found.len() > 1 {
            let names = found.iter().map(|(place, _)| place.connector.display_name().to_owned());
            let mut names: Vec<String> = names.collect();
            names.dedup();
            if names.len() < found.len() {
                // Two workspaces of one platform are told apart by their names.
                names = found.iter().map(|(place, _)| neutralise(&place.name)).collect();
            }
            return Ok(Sought::Several(names));
        }
        match (found.pop(), trouble, own) {
            (Some((place, profile)), _, _) => Ok(Sought::One(place, profile)),
            // Perhaps there, where nobody could be asked.
            (None, Some(failure), _) => Err(failure.into()),
            (None, None, Some((place, profile))) => Ok(Sought::Here(place, profile)),
            (None, None, None) => Ok(Sought::Nobody),
        }
    }

    /// Says something in a chat at once, as the app.
    pub(crate) async fn say(&self, spot: &Spot, words: &Document) -> Result<Outcome, RelayError> {
        let post = self.words_of_ours(&spot.place, &spot.conversation.remote, words).await?;
        let place = &spot.place;
        let outcome =
            place.connector.perform(&place.session, &spot.conversation, &Operation::Post(post)).await;
        if !matches!(outcome, Outcome::Done(_)) {
            tracing::warn!(conversation = %spot.id, "the app could not speak in a direct conversation: {outcome:?}");
        }
        Ok(outcome)
    }

    async fn words_of_ours(
        &self,
        place: &Place,
        conversation: &RemoteConversation,
        words: &Document,
    ) -> Result<Post, RelayError> {
        let key = LegId::fresh(self.now_ms(), &**self.random());
        let marker: Marker = self.vault().marker(&place.session.installation.org, key.as_str(), 0).await?;
        Ok(Post {
            conversation: conversation.clone(),
            thread_root: None,
            broadcast: false,
            author: ShownAuthor { name: "Dragoman".to_owned(), via: String::new(), avatar_url: None },
            spokesman: Spokesman::App,
            body: words.clone(),
            marker,
        })
    }
}

/// Whether somebody of whom this was found is a guest, or why nobody can tell now.
fn is_guest(found: &Result<Option<Arc<Acquaintance>>, Failure>) -> Result<bool, Failure> {
    match found {
        // No answer, or none before an administrator signs in again.
        Err(failure @ (Failure::Retry { .. } | Failure::SignIn(_))) => Err(failure.clone()),
        // Of somebody from elsewhere some platforms tell nothing.
        Err(_) | Ok(None) => Ok(true),
        Ok(Some(profile)) => Ok(profile.external || profile.guest),
    }
}

/// Whether people mean this installation, by its platform or its own name.
pub(crate) fn is_named(place: &Place, on: &str) -> bool {
    [place.connector.display_name(), place.session.app.platform.0, &place.name]
        .iter()
        .any(|name| one_word(name) == on)
}

/// A name as people type it in a command.
pub(crate) fn one_word(name: &str) -> String {
    name.split_whitespace().collect::<Vec<_>>().join("-").to_lowercase()
}

/// Conversations of an installation that hold more people than one, bridged ones first; where there is none, one that
/// names nothing.
fn known_conversations(directory: &Directory, place: &Place) -> Vec<Conversation> {
    let of_place = |spot: &&Arc<Spot>| {
        spot.row.installation == place.session.installation.id
            && spot.conversation.kind != ConversationKind::Direct
    };
    let mut spots: Vec<&Arc<Spot>> = directory.spots().into_iter().filter(of_place).collect();
    spots.sort_by_key(|spot| directory.route(&spot.id).is_none());
    let known = spots.into_iter().take(MOST_KNOWN).map(|spot| spot.conversation.clone());
    let mut known: Vec<Conversation> = known.collect();
    if known.is_empty() {
        known.push(Conversation {
            remote: "".into(),
            kind: ConversationKind::Direct,
            name: String::new(),
            external: false,
            joined: false,
            facts: Facts::new(),
        });
    }
    known
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_a_guest_because_a_platform_tells_nothing_now() {
        let code = codes::UNREACHABLE;
        for failure in [Failure::Retry { after_ms: None, code }, Failure::SignIn(codes::SIGN_IN)] {
            assert_eq!(is_guest(&Err(failure.clone())), Err(failure));
        }
        assert_eq!(is_guest(&Err(Failure::Refused(codes::SCOPE))), Ok(true));
        assert_eq!(is_guest(&Ok(None)), Ok(true));
        for (external, guest) in [(false, false), (true, false), (false, true)] {
            let (user, name, avatar_url, email) = ("U1".into(), "Ana".to_owned(), None, None);
            let profile =
                Profile { user, name, avatar_url, email, bot: false, deleted: false, external, guest };
            assert_eq!(is_guest(&Ok(Some(Arc::new(profile.into())))), Ok(external || guest));
        }
    }
}
