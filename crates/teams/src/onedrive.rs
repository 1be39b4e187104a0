//! Files of chats: in the drive of whoever sent them, shared with the others in the chat.
//!
//! Sources: "Get drive", "Access shared items by using shares", "Create a new folder in a drive", "driveItem: invite",
//! "List members of a chat", "Send chatMessage in a channel or a chat" (attachments).

use dragoman_platform::{Conversation, Session};
use http::Method;
use serde_json::json;

use crate::client::{Call, Voice};
use crate::connector::TeamsConnector;
use crate::errors::{Trouble, refusal};
use crate::ids::segment;
use crate::wire::Collection;
use crate::wire::drive::{ChatMember, Drive, Folder, Invited, Item};

/// The folder that Teams keeps the files of chats in.
const CHAT_FILES: &str = "Microsoft Teams Chat Files";
/// Pages of a chat's members that are read; a chat has at most 250.
const PAGES: usize = 10;

/// Nothing but an absence: somebody has no such thing.
fn present<T>(answer: Result<T, Trouble>) -> Result<Option<T>, Trouble> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(trouble) if trouble.status() == Some(404) => Ok(None),
        Err(trouble) => Err(trouble),
    }
}

/// Whom a file has to be shared with so that a chat can open it: the people of this tenant in it, without its owner.
/// Others have no account that it could be shared with.
fn audience(members: &[ChatMember], tenant: &str, owner: &str) -> Vec<String> {
    let here = |member: &&ChatMember| {
        let home = &member.tenant_id;
        !member.user_id.is_empty()
            && !member.user_id.eq_ignore_ascii_case(owner)
            && (home.is_empty() || home.eq_ignore_ascii_case(tenant))
    };
    members.iter().filter(here).map(|member| member.user_id.clone()).collect()
}

impl TeamsConnector {
    /// A file that somebody sent to a chat, if it lies in their own drive. The app may read more than they: what lies
    /// elsewhere may be somebody else's.
    pub(crate) async fn item_of_sender(
        &self,
        session: &Session,
        sender: &str,
        address: &str,
    ) -> Result<Option<Item>, Trouble> {
        let url = self.client.graph_url(&format!("users/{}/drive?$select=id", segment(sender)));
        let drive = self.client.json_as(session, &Voice::App, &Call::get(url)).await;
        // Guests and people of other organisations have none here.
        let Some(drive): Option<Drive> = present(drive)? else { return Ok(None) };
        let item = self.shared_item(session, &Voice::App, address).await?;
        Ok(Some(item).filter(|item| is_in(item, &drive)))
    }

    /// The same with their own token, for what was sent in their name.
    pub(crate) async fn item_of_speaker(
        &self,
        session: &Session,
        speaker: &Voice,
        address: &str,
    ) -> Result<Option<Item>, Trouble> {
        let url = self.client.graph_url("me/drive?$select=id");
        let drive: Drive = self.client.json_as(session, speaker, &Call::get(url)).await?;
        let item = self.shared_item(session, speaker, address).await?;
        Ok(Some(item).filter(|item| is_in(item, &drive)))
    }

    /// The folder of somebody's drive where Teams keeps what they send to chats; it is made where it is not there yet.
    pub(crate) async fn chat_folder(&self, session: &Session, owner: &Voice) -> Result<Folder, Trouble> {
        let url = self.client.graph_url(&format!("me/drive/root:/{}", segment(CHAT_FILES)));
        let read = Call::get(url);
        if let Some(folder) = present(self.client.json_as(session, owner, &read).await)? {
            return Ok(folder);
        }
        let body = json!({
            "name": CHAT_FILES, "folder": {}, "@microsoft.graph.conflictBehavior": "fail",
        });
        let make = Call::new(Method::POST, self.client.graph_url("me/drive/root/children"))
            .json(body.to_string().into_bytes());
        match self.client.json_as(session, owner, &make).await {
            // Another file of theirs was quicker.
            Err(trouble) if trouble.status() == Some(409) => self.client.json_as(session, owner, &read).await,
            answer => answer,
        }
    }

    /// Lets everybody in a chat open a file of its sender's, before the message that names it. Fails
    /// where everybody was refused; people of other organisations are not asked for.
    pub(crate) async fn admit_members(
        &self,
        session: &Session,
        conversation: &Conversation,
        owner: &Voice,
        item: &Item,
    ) -> Result<(), Trouble> {
        let base = self.path_of(session, conversation).await.map_err(Trouble::Token)?;
        let mut next = Some(self.client.graph_url(&format!("{base}/members")));
        let mut members = Vec::new();
        for _ in 0..PAGES {
            let Some(url) = next.take() else { break };
            let page: Collection<ChatMember> = self.client.json_as(session, owner, &Call::get(url)).await?;
            members.extend(page.value);
            next = page.next;
        }
        let audience = audience(&members, session.app.fact("tenant_id"), &item.created_by.user.id);
        if audience.is_empty() {
            return Ok(());
        }
        let recipients: Vec<_> = audience.iter().map(|id| json!({ "objectId": id })).collect();
        let body = json!({
            "recipients": recipients, "roles": ["read"], "requireSignIn": true, "sendInvitation": false,
        });
        let url = self.client.graph_url(&format!("{}/invite", item.path()));
        let call = Call::new(Method::POST, url).json(body.to_string().into_bytes());
        let answer: Collection<Invited> = self.client.json_as(session, owner, &call).await?;
        let (refused, of) =
            (answer.value.iter().filter(|one| one.error.is_some()).count(), answer.value.len());
        // Where all are, it is the organisation that shares nothing.
        if refused > 0 && refused == of {
            return Err(Trouble::Refused(refusal(403, b"", None, None)));
        }
        if refused > 0 {
            tracing::warn!(refused, of, "some members of a chat cannot open a file that was sent to it");
        }
        Ok(())
    }
}

fn is_in(item: &Item, drive: &Drive) -> bool {
    !drive.id.is_empty() && item.parent_reference.drive_id == drive.id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_shared_with_the_others_of_the_tenant() {
        let member = |user: &str, tenant: &str| ChatMember { user_id: user.into(), tenant_id: tenant.into() };
        let members = [
            member("ana", "T"),
            member("bo", "t"),
            member("cy", ""),
            member("dee", "elsewhere"),
            member("", "T"),
        ];
        assert_eq!(audience(&members, "T", "ANA"), ["bo", "cy"]);
        // Where nobody said whose it is, inviting the owner does no harm.
        assert_eq!(audience(&members, "T", ""), ["ana", "bo", "cy"]);
    }

    #[test]
    fn a_drive_without_an_id_holds_nothing() {
        let (item, nowhere) = (Item::default(), Drive::default());
        assert!(!is_in(&item, &nowhere));
    }
}
