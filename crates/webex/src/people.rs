//! Looking people up.

use dragoman_model::RemoteUser;
use dragoman_platform::{Failure, Profile, Session, TokenSlot};

use crate::client::{Client, Listed};
use crate::errors::Trouble;
use crate::ids;
use crate::wire::answers::Person;

/// A person by id; works for people of other organisations too.
pub(crate) async fn profile(
    client: &Client,
    session: &Session,
    user: &RemoteUser,
) -> Result<Option<Profile>, Failure> {
    let url = client.url(&["people", user.as_str()], &[]);
    let found: Option<Person> = absent(client.read(session, url).await)?;
    Ok(found.map(|person| shown(session, user.clone(), person)))
}

/// A person by verified address: of the own organisation only, as Webex has it.
pub(crate) async fn by_email(
    client: &Client,
    session: &Session,
    email: &str,
) -> Result<Option<Profile>, Failure> {
    let url = client.url(&["people"], &[("email", email), ("max", "2"), ("excludeStatus", "true")]);
    let found: Option<Listed<Person>> = absent(client.list(session, &TokenSlot::App, url).await)?;
    let person = found.and_then(|found| {
        let theirs = |person: &Person| person.emails.iter().any(|own| own.eq_ignore_ascii_case(email));
        found.items.into_iter().find(theirs)
    });
    Ok(person.map(|person| shown(session, ids::person(&person.id), person)))
}

/// Nobody is no failure; neither is a question that the organisation does not allow.
fn absent<T>(found: Result<T, Trouble>) -> Result<Option<T>, Failure> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(trouble) if matches!(trouble.status(), Some(400 | 403 | 404)) => Ok(None),
        Err(trouble) => Err(trouble.failure()),
    }
}

fn shown(session: &Session, user: RemoteUser, person: Person) -> Profile {
    let bot = person.kind.as_deref() == Some("bot");
    // Outside of the own organisation it is not told.
    let own =
        person.org_id.as_deref().is_some_and(|org| ids::organisation(org) == session.installation.workspace);
    let email = person.emails.into_iter().find(|email| !email.is_empty());
    // "nickName" is a first name; the display name is what everybody sees.
    let name = person.display_name.filter(|name| !name.trim().is_empty());
    let name = name.or_else(|| Some(email.as_deref()?.split('@').next()?.to_owned()));
    Profile {
        user,
        name: name.unwrap_or_default(),
        avatar_url: person.avatar.filter(|url| url.starts_with("https://")),
        email,
        bot,
        deleted: person.login_enabled == Some(false),
        external: !own && !bot,
        guest: false,
    }
}
