//! Looking for conversations.

use async_trait::async_trait;
use dragoman_model::{BridgeId, RemoteConversation};
use dragoman_platform::Conversation;
use dragoman_relay::{Directory, Place};
use dragoman_store::BridgeState;

use super::api::{ConversationInfo, ConversationSearch};
use super::desk::Desk;
use super::problem::Problem;
use super::reference;
use super::route::Act;

#[async_trait]
impl Act for ConversationSearch {
    async fn act(self, desk: &Desk) -> Result<Vec<ConversationInfo>, Problem> {
        let directory = desk.relay.directory();
        let limit = if self.limit == 0 { 100 } else { self.limit };
        let search = self.search.trim_start_matches('#');
        let mut found = Vec::new();
        for place in reference::places(&directory, self.scope.as_deref())? {
            let mut here = Vec::new();
            let mut cursor = None;
            while here.len() < limit {
                let page = place.connector.conversations(&place.session, search, cursor.as_deref()).await;
                let page = page.map_err(|failure| {
                    Problem::platform("looking for conversations", place.connector.display_name(), &failure)
                })?;
                here.extend(page.items.into_iter().map(|it| view(&directory, &place, it)));
                cursor = page.next;
                if cursor.is_none() {
                    break;
                }
            }
            here.truncate(limit);
            found.append(&mut here);
        }
        Ok(found)
    }
}

fn view(directory: &Directory, place: &Place, conversation: Conversation) -> ConversationInfo {
    let bridge = bridge_of(directory, place, &conversation.remote);
    ConversationInfo {
        reference: reference::name_of(place, &conversation.remote),
        installation: place.session.installation.id.to_string(),
        platform: place.session.app.platform.to_string(),
        workspace: place.name.clone(),
        remote: conversation.remote.to_string(),
        name: conversation.name,
        kind: conversation.kind.as_str().to_owned(),
        external: conversation.external,
        joined: conversation.joined,
        bridge: bridge.map(|bridge| bridge.to_string()),
    }
}

/// The bridge that a remote conversation is in, through whichever installation: two apps that see the same
/// conversation would relay it twice.
pub(super) fn bridge_of(
    directory: &Directory,
    place: &Place,
    remote: &RemoteConversation,
) -> Option<BridgeId> {
    let here = &place.session;
    directory.bridges().filter(|bridge| bridge.row.state != BridgeState::Ended).find_map(|bridge| {
        let same = bridge.row.members.iter().filter_map(|member| directory.spot(member)).any(|spot| {
            let there = &spot.place.session;
            there.app.platform == here.app.platform
                && there.installation.workspace == here.installation.workspace
                && spot.conversation.remote == *remote
        });
        same.then(|| bridge.row.id.clone())
    })
}
