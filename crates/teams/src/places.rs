//! Where a conversation is: its connector, its team, its path in Graph.

use dragoman_model::codes::NOT_REREADABLE;
use dragoman_platform::{Conversation, Facts, Failure, Session};

use crate::connector::TeamsConnector;
use crate::ids::{is_channel, is_personal, personal_chat, segment};
use crate::memory::Place;
use crate::wire::connector::Team;

impl TeamsConnector {
    /// What is known of a conversation: from traffic first, then from what was remembered.
    pub(crate) fn place(&self, session: &Session, id: &str, remembered: Option<&Facts>) -> Place {
        let tenant = session.app.fact("tenant_id");
        let mut place = self.memory.place(tenant, id);
        let fact = |key: &str| {
            remembered.and_then(|facts| facts.get(key)).filter(|value| !value.is_empty()).cloned()
        };
        let of_tenant =
            |key: &str| session.installation.facts.get(key).filter(|value| !value.is_empty()).cloned();
        let team = place.team_id.clone().or_else(|| fact("team_id"));
        place.service_url = place
            .service_url
            .or_else(|| fact("service_url"))
            .or_else(|| self.memory.place(tenant, &team?).service_url)
            .or_else(|| of_tenant("service_url"));
        place.team_id = place.team_id.or_else(|| fact("team_id"));
        place.team_guid = place.team_guid.or_else(|| fact("team_guid"));
        if place.team_guid.is_none()
            && let Some(team) = &place.team_id
        {
            place.team_guid = of_tenant(&format!("team:{team}"));
        }
        if place.graph_chat.is_none() {
            place.graph_chat = fact("user").map(|user| personal_chat(&user, session.app.fact("app_id")));
        }
        place
    }

    /// The service URL of a conversation.
    pub(crate) fn service_url(&self, place: &Place) -> String {
        place.service_url.clone().unwrap_or_else(|| self.client.settings.default_service_url.clone())
    }

    /// The GUID of the team of a channel; asks the connector where only the `19:…` form is known.
    pub(crate) async fn team_guid(
        &self,
        session: &Session,
        id: &str,
        place: &Place,
    ) -> Result<String, Failure> {
        if let Some(guid) = &place.team_guid {
            return Ok(guid.clone());
        }
        let Some(team_id) = &place.team_id else { return Err(Failure::Refused(NOT_REREADABLE)) };
        let path = format!("v3/teams/{}", segment(team_id));
        let team: Team = self
            .client
            .bot_json(&session.app, &self.service_url(place), &path)
            .await
            .map_err(crate::errors::Trouble::failure)?;
        let guid = team.aad_group_id.filter(|id| !id.is_empty()).ok_or(Failure::Refused(NOT_REREADABLE))?;
        let learnt =
            Place { team_id: place.team_id.clone(), team_guid: Some(guid.clone()), ..Place::default() };
        self.memory.learn_place(session.app.fact("tenant_id"), id, learnt);
        Ok(guid)
    }

    /// The path of a conversation in Graph, such as `teams/{guid}/channels/{id}`.
    pub(crate) async fn graph_path(
        &self,
        session: &Session,
        id: &str,
        facts: Option<&Facts>,
    ) -> Result<String, Failure> {
        let place = self.place(session, id, facts);
        if is_channel(id) {
            let guid = self.team_guid(session, id, &place).await?;
            return Ok(format!("teams/{}/channels/{}", segment(&guid), segment(id)));
        }
        if is_personal(id) {
            let chat = place.graph_chat.ok_or(Failure::Refused(NOT_REREADABLE))?;
            return Ok(format!("chats/{}", segment(&chat)));
        }
        Ok(format!("chats/{}", segment(id)))
    }

    /// The same for a conversation with its facts.
    pub(crate) async fn path_of(
        &self,
        session: &Session,
        conversation: &Conversation,
    ) -> Result<String, Failure> {
        self.graph_path(session, conversation.remote.as_str(), Some(&conversation.facts)).await
    }
}

/// The facts of a conversation that are worth remembering.
pub(crate) fn facts(place: &Place) -> Facts {
    [("service_url", &place.service_url), ("team_id", &place.team_id), ("team_guid", &place.team_guid)]
        .into_iter()
        .filter_map(|(key, value)| value.clone().map(|value| (key.to_owned(), value)))
        .collect()
}
