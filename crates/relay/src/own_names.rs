//! People's own names: they ask the app, in their own chat with it, to let it speak in their name there, and take that
//! back.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use dragoman_model::{Document, Inline, InstallationId, PersonId, RemoteUser};
use dragoman_store::{AccountRow, Mutation};

use crate::core::Relay;
use crate::directory::Place;
use crate::error::RelayError;

/// So long somebody who takes their permission back waits for the platform.
const END_WAIT: Duration = Duration::from_secs(2);

/// Links at which people let the gateway speak in their name.
pub trait ConsentLinks: Send + Sync {
    /// A link for one person at one installation, which works once and for some minutes. `None`: nobody can grant that
    /// there.
    fn link(&self, place: &Place, person: &PersonId) -> Option<String>;
}

/// What is known of the accounts that have one verified address.
struct Namesakes {
    /// Their rows, those of people only.
    rows: Vec<AccountRow>,
}

impl Relay {
    /// From now on people who ask for a link get it from here. Once: a second offer is not taken.
    pub fn offer_consents(&self, links: Weak<dyn ConsentLinks>) {
        let _ = self.0.consents.set(links);
    }

    /// What somebody reads who wants to speak in their own name where their account is.
    pub(crate) async fn connect(
        &self,
        place: &Arc<Place>,
        user: &RemoteUser,
    ) -> Result<Document, RelayError> {
        let links = self.0.consents.get().and_then(Weak::upgrade);
        let on = place.connector.display_name();
        let person = self.person_of(place, user).await?;
        let Some(link) = links.and_then(|links| links.link(place, &person)) else {
            let no = format!(
                "People cannot speak in their own name on {on} through this app. Your name stands beside what you write all the same."
            );
            return Ok(Document::plain(&no));
        };
        let subject = format!("{person} {}", place.session.installation.id);
        self.audit(place, "person.token-start", &subject).await?;
        let elsewhere = {
            let directory = self.directory();
            let here = &place.session.installation;
            let mut places = directory.places().filter(|it| it.session.installation.org == here.org);
            places.any(|it| {
                it.session.installation.id != here.id
                    && directory.account(&it.session.installation.id, &person).is_some()
            })
        };
        Ok(offer(&link, on, elsewhere))
    }

    /// Forgets the token of somebody where their account is, and lets the platform forget it; what they read.
    pub(crate) async fn disconnect(
        &self,
        place: &Arc<Place>,
        user: &RemoteUser,
    ) -> Result<Document, RelayError> {
        let (here, on) = (&place.session.installation.id, place.connector.display_name());
        let directory = self.directory();
        let person = directory.person(here, user).filter(|person| directory.has_voice(here, person));
        let Some(person) = person else {
            return Ok(Document::plain("There is nothing to take back: you gave no permission here."));
        };
        self.revoke_voice(place, person).await?;
        self.audit(place, "person.token-revoke", &format!("{person} {here}")).await?;
        let words = format!(
            "Your permission is forgotten. From now on what you write elsewhere stands on {on} under the app's name, with yours beside it. What stands there in your name already can only be changed by you."
        );
        Ok(Document::plain(&words))
    }

    /// Forgets a person's own token, and then tries once to end it at the platform. A platform that is slow or out of
    /// reach is not waited for; where it fails, the token is forgotten all the same.
    pub async fn revoke_voice(&self, place: &Arc<Place>, person: &PersonId) -> Result<(), RelayError> {
        let Some(tokens) = self.drop_voice(place, person).await? else { return Ok(()) };
        let (place, person) = (Arc::clone(place), person.clone());
        let ended = self.within(END_WAIT, async move {
            if let Err(failure) = place.connector.revoke_person(&place.session, &tokens).await {
                let installation = &place.session.installation.id;
                tracing::warn!(%installation, %person, code = %failure.code(), "a person's own token is forgotten here and could not be ended at the platform");
            }
        });
        // What takes longer goes on, and tells by itself how it ended.
        let _ = ended.await;
        Ok(())
    }

    /// Who an account is. An account that is nobody's becomes the same person's as the accounts elsewhere with its
    /// verified address, unless these are of several.
    async fn person_of(&self, place: &Place, user: &RemoteUser) -> Result<PersonId, RelayError> {
        let here = &place.session.installation;
        let known = self.store().account(&here.id, user).await?;
        let namesakes = self.namesakes(place, known.as_ref()).await?;
        let directory = self.directory();
        let linked = directory.person(&here.id, user).cloned();
        let of_address = namesakes.person().filter(|it| directory.account(&here.id, it).is_none());
        let found = linked.is_none() && of_address.is_some();
        let person = linked.or(of_address);
        let alone = person.is_none() && namesakes.rows.iter().any(|row| row.person.is_some());
        let person = person.unwrap_or_else(|| PersonId::fresh(self.now_ms(), &**self.random()));
        let mut rows = if alone { Vec::new() } else { namesakes.unlinked() };
        rows.retain(|row| directory.account(&row.installation, &person).is_none());
        let act =
            if found || !rows.is_empty() { "person.linked-by-email" } else { "person.linked-by-asking" };
        if directory.person(&here.id, user).is_none() {
            rows.push(known.unwrap_or_else(|| AccountRow {
                org: here.org.clone(),
                installation: here.id.clone(),
                user: user.clone(),
                // Read when it is needed.
                sealed_profile: Vec::new(),
                email_digest: None,
                person: None,
                refreshed_ms: 0,
            }));
        }
        if rows.is_empty() {
            return Ok(person);
        }
        for row in rows {
            let subject = format!("{person} {}/{}", row.installation, row.user);
            self.store()
                .commit(Mutation::PutAccount(AccountRow { person: Some(person.clone()), ..row }))
                .await?;
            self.audit(place, act, &subject).await?;
        }
        self.reload().await?;
        Ok(person)
    }

    /// The accounts elsewhere in the organisation with the address of an account. Of bots, closed accounts and outsiders
    /// an address says nothing.
    async fn namesakes(&self, place: &Place, of: Option<&AccountRow>) -> Result<Namesakes, RelayError> {
        let mut rows = Vec::new();
        let Some(row) = of else { return Ok(Namesakes { rows }) };
        let Some(digest) = row.email_digest.clone() else { return Ok(Namesakes { rows }) };
        if !self.is_member(row).await {
            return Ok(Namesakes { rows });
        }
        let here = &place.session.installation;
        let directory = self.directory();
        for other in directory.places().filter(|it| it.session.installation.org == here.org) {
            let installation = &other.session.installation.id;
            if *installation == here.id {
                continue;
            }
            for row in self.store().accounts_by_email(installation, &digest).await? {
                if self.is_member(&row).await {
                    rows.push(row);
                }
            }
        }
        Ok(Namesakes { rows })
    }

    async fn is_member(&self, row: &AccountRow) -> bool {
        let profile = self.open_profile(row).await;
        profile.is_some_and(|profile| !profile.bot && !profile.deleted && !profile.external)
    }
}

impl Namesakes {
    /// Whose they are, where they are one person's.
    fn person(&self) -> Option<PersonId> {
        let mut people = self.rows.iter().filter_map(|row| row.person.as_ref());
        let first = people.next()?;
        people.all(|other| other == first).then(|| first.clone())
    }

    /// Those that are nobody's yet, where there is one at an installation.
    fn unlinked(self) -> Vec<AccountRow> {
        let mut by: BTreeMap<InstallationId, Vec<AccountRow>> = BTreeMap::new();
        for row in self.rows {
            by.entry(row.installation.clone()).or_default().push(row);
        }
        let single = by.into_values().filter_map(|rows| <[AccountRow; 1]>::try_from(rows).ok());
        single.map(|[row]| row).filter(|row| row.person.is_none()).collect()
    }
}

fn offer(link: &str, on: &str, elsewhere: bool) -> Document {
    let mut words = Document::plain(&format!(
        " and sign in as yourself. It works once, for 15 minutes. From then on what you write elsewhere in linked conversations stands on {on} in your own name. Write disconnect to take that back."
    ));
    let link = Inline::Link { url: link.to_owned(), text: vec![Inline::Text("Open this link".to_owned())] };
    if let Some(dragoman_model::Block::Paragraph(text)) = words.blocks.first_mut() {
        text.insert(0, link);
    }
    if !elsewhere {
        words.blocks.extend(
            Document::plain(
                "Your accounts on other platforms are not known yet: they are found by the same verified address, or an administrator names them.",
            )
            .blocks,
        );
    }
    words.normalise()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(installation: &str, user: &str, person: Option<&str>) -> AccountRow {
        AccountRow {
            org: "o".into(),
            installation: installation.into(),
            user: user.into(),
            sealed_profile: Vec::new(),
            email_digest: Some(vec![1]),
            person: person.map(PersonId::from),
            refreshed_ms: 0,
        }
    }

    #[test]
    fn an_address_links_only_what_is_one_persons() {
        let of = |rows: &[AccountRow]| Namesakes { rows: rows.to_vec() };
        let (a, b) = (row("i1", "u1", Some("p1")), row("i2", "u2", Some("p2")));
        assert_eq!(of(&[]).person(), None);
        assert_eq!(of(&[a.clone(), row("i2", "u2", None)]).person(), Some("p1".into()));
        assert_eq!(of(&[a.clone(), b.clone()]).person(), None, "two people with one address");
        let users = |rows: Vec<AccountRow>| -> Vec<String> {
            rows.into_iter().map(|it| it.user.to_string()).collect()
        };
        let several = [a, row("i2", "u2", None), row("i2", "u3", None), row("i3", "u4", None)];
        assert_eq!(users(of(&several).unlinked()), ["u4"], "two at one place are not guessed about");
    }

    #[test]
    fn what_is_offered_has_its_link_and_tells_what_is_missing() {
        let shown = |elsewhere| dragoman_markup::plain(&offer("https://x.example/a?b=c", "Fax", elsewhere));
        assert!(shown(true).starts_with("Open this link"), "{}", shown(true));
        assert!(!shown(true).contains("not known yet") && shown(false).contains("not known yet"));
        let mut urls = Vec::new();
        offer("https://x.example/a?b=c", "Fax", true).visit_inlines(&mut |inline| {
            if let Inline::Link { url, .. } = inline {
                urls.push(url.clone());
            }
        });
        assert_eq!(urls, ["https://x.example/a?b=c"]);
    }
}
