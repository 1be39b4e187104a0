//! Looking people up. Events carry ids only, lists name people by member id, and of strangers nothing but the member
//! list of their channel knows a name.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use dragoman_model::{InstallationId, RemoteConversation, RemoteUser};
use dragoman_platform::{Conversation, Failure, Profile, Session};

use crate::api::{Call, CallError, segment};
use crate::client::Client;
use crate::encode;
use crate::errors::Class;
use crate::wire::answers::{Member, Members as Page, User, next};

/// How long a member list is good, in milliseconds.
const GOOD_MS: i64 = 5 * 60_000;
/// How old a list has to be before somebody who is not in it makes us read it again, in milliseconds.
const AGAIN_MS: i64 = 15_000;
/// Channels whose lists are kept at once.
const CHANNELS: usize = 256;
/// People per call.
const PAGE: usize = 100;
/// Calls for one list: five thousand people.
const MOST_CALLS: usize = 50;

type Key = (InstallationId, RemoteConversation);
type Kept = (i64, Arc<Vec<Member>>);

/// Member lists, kept for minutes.
#[derive(Default)]
pub(crate) struct Members(Mutex<BTreeMap<Key, Kept>>);

impl Members {
    fn kept(&self, key: &Key) -> Option<Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    fn keep(&self, key: Key, list: Kept) {
        let mut lists = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lists.len() >= CHANNELS {
            lists.clear();
        }
        lists.insert(key, list);
    }
}

/// The path of everything that the bridge user does.
pub(crate) fn user_path(session: &Session, rest: &str) -> String {
    let user = session.installation.fact("bridge_user");
    format!("chat/users/{}/{rest}", segment(if user.is_empty() { "me" } else { user }))
}

/// The members of a channel, not older than `within_ms`.
pub(crate) async fn members(
    client: &Client,
    session: &Session,
    channel: &RemoteConversation,
    within_ms: i64,
) -> Result<Arc<Vec<Member>>, CallError> {
    let key = (session.installation.id.clone(), channel.clone());
    let now_ms = client.clock.monotonic_ms();
    if let Some((at_ms, list)) = client.members.kept(&key)
        && now_ms.saturating_sub(at_ms) < within_ms
    {
        return Ok(list);
    }
    let path = user_path(session, &format!("channels/{}/members", segment(channel.as_str())));
    let mut list = Vec::new();
    let mut token = None;
    for _ in 0..MOST_CALLS {
        let mut call = Call::get(path.clone()).and("page_size", PAGE.to_string());
        if let Some(token) = token {
            call = call.and("next_page_token", token);
        }
        let page: Page = client.read(session, &call).await?;
        list.extend(page.members);
        token = next(page.next_page_token);
        if token.is_none() {
            break;
        }
    }
    let list = Arc::new(list);
    client.members.keep(key, (now_ms, Arc::clone(&list)));
    Ok(list)
}

/// The user ids of member ids, as far as the channel's list tells; an empty map where it cannot be read.
pub(crate) async fn users_of<'m>(
    client: &Client,
    session: &Session,
    conversation: &Conversation,
    wanted: impl Iterator<Item = &'m str>,
) -> BTreeMap<String, String> {
    if encode::is_direct(conversation) {
        return BTreeMap::new();
    }
    let wanted: Vec<&str> = wanted.collect();
    let mut map = BTreeMap::new();
    for within_ms in [GOOD_MS, AGAIN_MS] {
        let Ok(list) = members(client, session, &conversation.remote, within_ms).await else { break };
        map = list.iter().filter_map(ids).collect();
        if wanted.iter().all(|member| map.contains_key(*member)) {
            break;
        }
    }
    map
}

/// Member id and user id; strangers have no user id and stay who they are.
fn ids(member: &Member) -> Option<(String, String)> {
    let filled = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let id = filled(&member.member_id)?;
    Some((id.clone(), filled(&member.id).unwrap_or(id)))
}

/// A person by user id, or by member id among the members of the conversation.
pub(crate) async fn profile(
    client: &Client,
    session: &Session,
    conversation: &Conversation,
    user: &RemoteUser,
) -> Result<Option<Profile>, Failure> {
    // Member ids are longer than any user id, and no user is found by one.
    if user.as_str().len() <= 30
        && let Some(found) = by_key(client, session, user.as_str()).await?
    {
        return Ok(Some(found));
    }
    if encode::is_direct(conversation) {
        return Ok(None);
    }
    for within_ms in [GOOD_MS, AGAIN_MS] {
        let list = match members(client, session, &conversation.remote, within_ms).await {
            Ok(list) => list,
            Err(error) if is_absent(&error) => return Ok(None),
            Err(error) => return Err(error.failure()),
        };
        if let Some(member) = list.iter().find(|member| is(member, user.as_str())) {
            let known = member.id.as_deref().filter(|id| !id.is_empty() && *id != user.as_str());
            if let Some(id) = known
                && let Some(found) = by_key(client, session, id).await?
            {
                return Ok(Some(Profile { user: user.clone(), ..found }));
            }
            return Ok(Some(of_member(member, user)));
        }
    }
    Ok(None)
}

fn is(member: &Member, id: &str) -> bool {
    [&member.id, &member.member_id].into_iter().any(|known| known.as_deref() == Some(id))
}

fn of_member(member: &Member, user: &RemoteUser) -> Profile {
    let name = name_of(member.name.as_deref(), [member.first_name.as_deref(), member.last_name.as_deref()]);
    Profile {
        user: user.clone(),
        name,
        avatar_url: None,
        email: member.email.clone().filter(|email| !email.is_empty()),
        bot: false,
        deleted: false,
        external: member.is_external.unwrap_or(false) || member.id.as_deref().is_none_or(str::is_empty),
        guest: false,
    }
}

/// A person of the account by address. People of other accounts are not found.
pub(crate) async fn by_email(
    client: &Client,
    session: &Session,
    email: &str,
) -> Result<Option<Profile>, Failure> {
    by_key(client, session, email).await
}

/// A user as the account's directory shows it.
pub(crate) async fn user(client: &Client, session: &Session, key: &str) -> Result<Option<User>, Failure> {
    match client.read::<User>(session, &Call::get(format!("users/{}", segment(key)))).await {
        Ok(user) => Ok(Some(user)),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(error.failure()),
    }
}

async fn by_key(client: &Client, session: &Session, key: &str) -> Result<Option<Profile>, Failure> {
    Ok(user(client, session, key).await?.map(|user| {
        let own = session.installation.workspace.as_str();
        let external =
            user.account_id.as_deref().is_some_and(|account| !account.is_empty() && account != own);
        Profile {
            name: name_of(
                user.display_name.as_deref(),
                [user.first_name.as_deref(), user.last_name.as_deref()],
            ),
            avatar_url: user.pic_url.filter(|url| url.starts_with("https://")),
            email: user.email.filter(|email| !email.is_empty()),
            bot: false,
            deleted: user.status.as_deref() == Some("inactive"),
            external,
            guest: false,
            user: user.id.into(),
        }
    }))
}

/// Nobody, or nobody that may be asked for.
fn is_absent(error: &CallError) -> bool {
    matches!(
        error.class(),
        Some(Class::Person | Class::Scope | Class::Refused | Class::Ours | Class::Channel)
    )
}

fn name_of(shown: Option<&str>, parts: [Option<&str>; 2]) -> String {
    let filled = |part: &&str| !part.is_empty();
    if let Some(shown) = shown.map(str::trim).filter(filled) {
        return shown.to_owned();
    }
    let parts: Vec<&str> = parts.into_iter().flatten().map(str::trim).filter(filled).collect();
    parts.join(" ")
}
