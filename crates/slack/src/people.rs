//! Looking people and bots up.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use dragoman_model::{AuthorKind, Message, RemoteUser, RemoteWorkspace};
use dragoman_platform::{Failure, Profile, Session};

use crate::api::CallError;
use crate::client::Client;
use crate::wire::answers::{Form, OneBot, OneUser, User};

/// How many accounts are remembered as bots or people.
const REMEMBERED: usize = 4_096;

/// Which accounts are bots: ids only, forgotten all at once when there are many.
#[derive(Default)]
pub(crate) struct KnownBots(Mutex<BTreeMap<(RemoteWorkspace, RemoteUser), bool>>);

impl KnownBots {
    fn get(&self, key: &(RemoteWorkspace, RemoteUser)) -> Option<bool> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(key).copied()
    }

    fn keep(&self, key: (RemoteWorkspace, RemoteUser), bot: bool) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(key, bot);
    }
}

/// Asks the directory whether the author of a message, which does not tell, is a bot.
pub(crate) async fn settle(client: &Client, session: &Session, message: &mut Message) -> Result<(), Failure> {
    let Some(user) = message.author.user.clone() else { return Ok(()) };
    let key = (session.installation.workspace.clone(), user);
    let bot = if let Some(bot) = client.bots.get(&key) {
        bot
    } else {
        // Nobody: taken for a bot, because a bot taken for a person could go in circles.
        let bot = profile(client, session, &key.1).await?.is_none_or(|profile| profile.bot);
        client.bots.keep(key, bot);
        bot
    };
    if bot {
        message.author.kind = AuthorKind::Bot;
    }
    Ok(())
}

/// A person by id, or a bot profile where the id is one's.
pub(crate) async fn profile(
    client: &Client,
    session: &Session,
    user: &RemoteUser,
) -> Result<Option<Profile>, Failure> {
    if user.as_str().starts_with('B') {
        return bot(client, session, user).await;
    }
    let form = Form::from([("user", user.as_str().to_owned())]);
    let found: Result<OneUser, CallError> = client.read(session, "users.info", form).await;
    absent(found, &["user_not_found", "user_not_visible", "missing_scope"])
        .map(|found| found.map(|one| shown(session, one.user)))
}

/// A person by verified address. People of other organisations are not found, as Slack has it.
pub(crate) async fn by_email(
    client: &Client,
    session: &Session,
    email: &str,
) -> Result<Option<Profile>, Failure> {
    let form = Form::from([("email", email.to_owned())]);
    let found: Result<OneUser, CallError> = client.read(session, "users.lookupByEmail", form).await;
    absent(found, &["users_not_found", "missing_scope", "enterprise_is_restricted"])
        .map(|found| found.map(|one| shown(session, one.user)))
}

async fn bot(client: &Client, session: &Session, id: &RemoteUser) -> Result<Option<Profile>, Failure> {
    let mut form = Form::from([("bot", id.as_str().to_owned())]);
    with_team(session, &mut form);
    let found: Result<OneBot, CallError> = client.read(session, "bots.info", form).await;
    let found = absent(found, &["bot_not_found", "bots_not_found", "missing_scope"])?;
    Ok(found.map(|OneBot { bot }| Profile {
        user: bot.id.into(),
        name: bot.name.unwrap_or_default(),
        avatar_url: bot.icons.and_then(|icons| icons.best().cloned()),
        email: None,
        bot: true,
        deleted: bot.deleted.unwrap_or(false),
        external: false,
        guest: false,
    }))
}

/// Tokens of organisations need the workspace; others ignore it.
pub(crate) fn with_team(session: &Session, form: &mut Form) {
    let team = session.installation.fact("team_id");
    if !team.is_empty() {
        form.insert("team_id", team.to_owned());
    }
}

fn absent<T>(found: Result<T, CallError>, words: &[&str]) -> Result<Option<T>, Failure> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if words.contains(&error.word()) => Ok(None),
        Err(error) => Err(error.failure()),
    }
}

/// A profile as people see it: the display name, else the real name; never the old handle.
fn shown(session: &Session, user: User) -> Profile {
    let bot = user.is_bot.unwrap_or(false);
    let deleted = user.deleted.unwrap_or(false);
    let external = is_external(session, &user);
    // Of one channel or of several.
    let guest = [user.is_restricted, user.is_ultra_restricted].contains(&Some(true));
    let profile = user.profile.unwrap_or_default();
    let name = [profile.display_name, profile.real_name, user.real_name]
        .into_iter()
        .flatten()
        .find(|name| !name.trim().is_empty())
        .unwrap_or_default();
    Profile {
        user: user.id.into(),
        name,
        avatar_url: [profile.image_192, profile.image_512, profile.image_72].into_iter().flatten().next(),
        email: profile.email.filter(|email| !email.is_empty()),
        bot,
        deleted,
        external,
        guest,
    }
}

fn is_external(session: &Session, user: &User) -> bool {
    let installation = &session.installation;
    let ours = |id: &str| {
        id == installation.workspace.as_str()
            || (!id.is_empty()
                && (id == installation.fact("team_id") || id == installation.fact("enterprise_id")))
    };
    let enterprise = user.of_enterprise.as_ref().and_then(|user| user.enterprise_id.as_deref());
    user.team_id.as_deref().is_some_and(|team| !ours(team)) && !enterprise.is_some_and(ours)
}
