//! Conversations: reading, listing, watching.

use dragoman_model::{RemoteConversation, codes};
use dragoman_platform::{
    ALLOW_EXTERNAL, Conversation, ConversationKind, Facts, Failure, Page, Session, Watch,
};

use crate::api::{Call, CallError, segment};
use crate::client::Client;
use crate::decode::Own;
use crate::encode::{self, CONTACT};
use crate::errors::Class;
use crate::ids;
use crate::people::{self, user_path};
use crate::wire::answers::{Channel, Channels, Member, next};

/// The fact by which an operator lets a conversation with outsiders be bridged.
/// The fact with the bridge user's member id there.
const BRIDGE_MEMBER: &str = "bridge_member";
/// A chat of several people that became a channel.
const INSTANT: i64 = 4;

/// Reads a conversation: a channel by its id, a direct conversation by the address or id of the other person behind
/// `dm:`.
pub(crate) async fn conversation(
    client: &Client,
    session: &Session,
    remote: &RemoteConversation,
) -> Result<Conversation, Failure> {
    if let Some(person) = remote.as_str().strip_prefix("dm:") {
        return direct(client, session, person).await;
    }
    if ids::is_direct(remote) {
        return Err(Failure::Refused(codes::NOT_FOUND));
    }
    client.memory.learn(session, Some(remote));
    let mine = Call::get(user_path(session, &format!("channels/{}", segment(remote.as_str()))));
    let (channel, joined) = match client.read::<Channel>(session, &mine).await {
        Ok(channel) => (channel, true),
        // Not the bridge user's; an administrator sees it all the same.
        Err(error) if matches!(error.class(), Some(Class::Channel | Class::Scope | Class::Message)) => {
            let any = Call::get(format!("chat/channels/{}", segment(remote.as_str())));
            let channel = client.read::<Channel>(session, &any).await.map_err(CallError::failure)?;
            (channel, false)
        }
        Err(error) => return Err(error.failure()),
    };
    let members = if joined { people::members(client, session, remote, 0).await.ok() } else { None };
    let mut found = shown(channel, joined);
    if let Some(members) = members {
        let own = Own::of(session);
        let us = |member: &&Member| {
            own.is(member.id.as_deref(), member.member_id.as_deref(), member.email.as_deref())
        };
        found.external = members.iter().any(|member| member.is_external.unwrap_or(false));
        found.joined = members.iter().any(|member| us(&member)) || members.is_empty();
        if let Some(id) = members.iter().find(us).and_then(|member| member.member_id.clone()) {
            found.facts.insert(BRIDGE_MEMBER.to_owned(), id);
        }
    }
    Ok(found)
}

pub(crate) async fn direct(
    client: &Client,
    session: &Session,
    person: &str,
) -> Result<Conversation, Failure> {
    let user = people::user(client, session, person).await?.ok_or(Failure::Refused(codes::NOT_FOUND))?;
    let own = session.installation.fact("bridge_user");
    let account = session.installation.workspace.as_str();
    Ok(Conversation {
        remote: ids::pair(own, &user.id),
        kind: ConversationKind::Direct,
        name: String::new(),
        external: user.account_id.as_deref().is_some_and(|other| !other.is_empty() && other != account),
        joined: true,
        facts: Facts::from([(CONTACT.to_owned(), user.id)]),
    })
}

/// Lists the bridge user's channels whose name contains `search`.
pub(crate) async fn conversations(
    client: &Client,
    session: &Session,
    search: &str,
    cursor: Option<&str>,
) -> Result<Page<Conversation>, Failure> {
    let mut call = Call::get(user_path(session, "channels")).and("page_size", "200");
    if let Some(cursor) = cursor {
        call = call.and("next_page_token", cursor);
    }
    let answer: Channels = client.read(session, &call).await.map_err(CallError::failure)?;
    let search = search.trim_start_matches('#').to_lowercase();
    let items = answer.channels.into_iter().map(|channel| shown(channel, true));
    Ok(Page {
        items: items.filter(|found| found.name.to_lowercase().contains(&search)).collect(),
        next: next(answer.next_page_token),
    })
}

/// Events come for the whole account. The bridge user has to be in the channel, which only its members can see to.
pub(crate) async fn watch(
    client: &Client,
    session: &Session,
    conversation: &Conversation,
) -> Result<Watch, Failure> {
    client.memory.learn(session, Some(&conversation.remote));
    let facts = if encode::is_direct(conversation) {
        conversation.facts.clone()
    } else {
        let found = self::conversation(client, session, &conversation.remote).await?;
        // Whoever linked it with strangers in it allowed them.
        let allowed = conversation.external || conversation.fact(ALLOW_EXTERNAL) == "yes";
        if found.external && !allowed {
            return Err(Failure::Refused(codes::EXTERNAL));
        }
        if !found.joined {
            return Err(Failure::Refused(codes::NOT_JOINED));
        }
        found.facts
    };
    Ok(Watch { id: String::new(), renew_at_ms: None, expires_at_ms: None, facts })
}

fn shown(channel: Channel, joined: bool) -> Conversation {
    let kind =
        if channel.kind == Some(INSTANT) { ConversationKind::Group } else { ConversationKind::Channel };
    Conversation {
        remote: channel.id.into(),
        kind,
        name: channel.name.unwrap_or_default(),
        external: false,
        joined,
        facts: Facts::new(),
    }
}
