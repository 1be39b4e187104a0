//! Spaces: reading and listing.

use dragoman_model::RemoteConversation;
use dragoman_platform::{Conversation, ConversationKind, Facts, Failure, Page, Session, TokenSlot};
use url::Url;

use crate::client::{Client, Listed};
use crate::errors::Trouble;
use crate::ids;
use crate::wire::answers::{Membership, Room};

/// The fact that a conversation is private.
const PRIVATE: &str = "private";
/// Members per call, and calls until nobody of another organisation is looked for any more.
const MEMBERS: &str = "200";
const MOST_CALLS: usize = 20;

/// Reads a space, and whether people of other organisations are in it.
pub(crate) async fn conversation(
    client: &Client,
    session: &Session,
    remote: &RemoteConversation,
) -> Result<Conversation, Failure> {
    let url = client.url(&["rooms", remote.as_str()], &[]);
    let room: Room = client.read(session, url).await.map_err(Trouble::failure)?;
    let org = session.installation.workspace.as_str();
    let foreign = room.owner_id.as_deref().is_some_and(|owner| ids::organisation(owner).as_str() != org);
    let mut found = shown(room);
    let group = found.kind != ConversationKind::Direct;
    found.external = group && (foreign || has_outsiders(client, session, &found.remote).await?);
    Ok(found)
}

/// Lists the group spaces that the account is in whose name contains `search`. A cursor is the address of a page.
pub(crate) async fn conversations(
    client: &Client,
    session: &Session,
    search: &str,
    cursor: Option<&str>,
) -> Result<Page<Conversation>, Failure> {
    let first = || client.url(&["rooms"], &[("type", "group"), ("sortBy", "lastactivity"), ("max", "100")]);
    let url = cursor.and_then(|cursor| Url::parse(cursor).ok()).unwrap_or_else(first);
    let page: Listed<Room> = client.list(session, &TokenSlot::App, url).await.map_err(Trouble::failure)?;
    let search = search.trim_start_matches('#').to_lowercase();
    let items = page.items.into_iter().map(shown);
    Ok(Page {
        items: items.filter(|found| found.name.to_lowercase().contains(&search)).collect(),
        next: page.next.map(String::from),
    })
}

async fn has_outsiders(
    client: &Client,
    session: &Session,
    room: &RemoteConversation,
) -> Result<bool, Failure> {
    let org = session.installation.workspace.as_str();
    let mut next = Some(client.url(&["memberships"], &[("roomId", room.as_str()), ("max", MEMBERS)]));
    for _ in 0..MOST_CALLS {
        let Some(url) = next.take() else { break };
        let page: Listed<Membership> = match client.list(session, &TokenSlot::App, url).await {
            Ok(page) => page,
            // Without the scope, or in spaces that show their moderators only, nobody can tell.
            Err(trouble) if matches!(trouble.status(), Some(403 | 404)) => break,
            Err(trouble) => return Err(trouble.failure()),
        };
        if page.items.iter().any(|member| is_outsider(member, org)) {
            return Ok(true);
        }
        next = page.next;
    }
    Ok(false)
}

/// Whether a member is a person of another organisation. Bots belong to whoever made them.
pub(crate) fn is_outsider(member: &Membership, org: &str) -> bool {
    let email = member.person_email.as_deref().unwrap_or_default().to_ascii_lowercase();
    let bot = email.ends_with("@webex.bot") || email.ends_with("@sparkbot.io");
    let theirs = member.person_org_id.as_deref().filter(|org| !org.is_empty());
    !bot && theirs.is_some_and(|theirs| ids::organisation(theirs).as_str() != org)
}

fn shown(room: Room) -> Conversation {
    let direct = room.kind.as_deref() == Some("direct");
    // The title of a direct space is the other person's name; one that could not be decrypted is ciphertext.
    let spoilt = room.errors.as_ref().is_some_and(|errors| errors.contains_key("title"));
    let name = room.title.filter(|_| !direct && !spoilt).unwrap_or_default();
    Conversation {
        remote: ids::room(&room.id),
        kind: if direct { ConversationKind::Direct } else { ConversationKind::Channel },
        name,
        external: false,
        joined: !room.is_read_only.unwrap_or(false),
        facts: Facts::from([(PRIVATE.to_owned(), (!room.is_public.unwrap_or(false)).to_string())]),
    }
}
