//! The platforms' own entry points: a page of the app, and the moment in which somebody adds it.

use std::sync::Arc;

use dragoman_model::{Document, RemoteConversation, RemoteUser};

use super::acquaint::Party;
use super::act::Hitch;
use super::words;
use crate::core::Relay;
use crate::directory::Place;
use crate::error::RelayError;
use crate::notes::Note;

impl Relay {
    /// Shows somebody the app's own page: their list and what can be said.
    pub(crate) async fn show_home(&self, place: &Arc<Place>, user: &RemoteUser) -> Result<(), RelayError> {
        let Some(here) = self.visitor(place, user, None).await? else { return Ok(()) };
        let page = match self.list_people(&here).await {
            Ok(list) => Document { blocks: [words::help().blocks, list.blocks].concat() },
            Err(Hitch::Relay(error)) => return Err(error),
            Err(Hitch::Platform(_)) => words::help(),
        };
        if let Err(failure) = place.connector.show_home(&place.session, user, &page.normalise()).await {
            let installation = &place.session.installation.id;
            tracing::warn!(%installation, code = %failure.code(), "the app's page could not be shown: {failure}");
        }
        Ok(())
    }

    /// Tells somebody who added the app what it is for, once.
    pub(crate) async fn welcome(
        &self,
        place: &Arc<Place>,
        user: &RemoteUser,
        chat: &RemoteConversation,
    ) -> Result<(), RelayError> {
        let Some(here) = self.visitor(place, user, Some(chat)).await? else { return Ok(()) };
        self.tell_chat(&here.spot, "welcome", Note::words(words::help())).await
    }

    /// Somebody for whom the app does something unasked, if it may.
    async fn visitor(
        &self,
        place: &Arc<Place>,
        user: &RemoteUser,
        chat: Option<&RemoteConversation>,
    ) -> Result<Option<Party>, RelayError> {
        let org = &place.session.installation.org;
        if !self.directory().policy(org).direct_messages {
            return Ok(None);
        }
        let acting = self.0.direct.acting(org);
        let _acting = acting.lock().await;
        let id = match self.chat_of(place, user, chat, &words::help()).await {
            Ok((id, _)) => id,
            Err(Hitch::Relay(error)) => return Err(error),
            Err(Hitch::Platform(failure)) => {
                tracing::debug!(code = %failure.code(), "a chat with the app could not be found");
                return Ok(None);
            }
        };
        Ok(self.party(&id).await?.filter(|here| matches!(self.may_write(here), Ok(true))))
    }
}
