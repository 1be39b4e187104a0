//! Reactions that stand at a message.

use dragoman_model::{ListedReaction, RemoteMessage, RemoteUser};
use dragoman_platform::{Conversation, Failure, Session};

use crate::connector::TeamsConnector;
use crate::decode;
use crate::ids::{is_channel, parse_time};
use crate::wire::message::ChatMessage;

/// What stands at a message, without the app's own.
pub(crate) fn listed(message: &ChatMessage, app_id: &str) -> Vec<ListedReaction> {
    let mut found: Vec<ListedReaction> = Vec::new();
    for reaction in &message.reactions {
        let Some(by) = decode::reactor(&reaction.user, app_id) else { continue };
        let emoji = decode::emoji(&reaction.reaction_type, reaction.display_name.as_deref());
        let by: (RemoteUser, _) = (by.into(), reaction.created_date_time.as_deref().and_then(parse_time));
        match found.iter_mut().find(|listed| listed.emoji == emoji) {
            Some(listed) => listed.by.push(by),
            None => found.push(ListedReaction { emoji, by: vec![by], complete: true }),
        }
    }
    found
}

impl TeamsConnector {
    /// What stands at a message now.
    pub(crate) async fn read_reactions(
        &self,
        session: &Session,
        conversation: &Conversation,
        root: Option<&RemoteMessage>,
        message: &RemoteMessage,
    ) -> Result<Option<Vec<ListedReaction>>, Failure> {
        let remote = conversation.remote.as_str();
        let root = root.map(RemoteMessage::as_str).filter(|_| is_channel(remote));
        let found = self.read(session, remote, Some(&conversation.facts), root, message.as_str()).await?;
        let found = found.filter(|message| !decode::is_gone(message));
        Ok(found.map(|message| listed(&message, session.app.fact("app_id"))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_listed_by_emoji_and_the_app_is_not() {
        let by = |kind: &str, who: serde_json::Value| serde_json::json!({"reactionType": kind, "createdDateTime": "2026-11-21T09:40:31Z", "user": who});
        let person = |id: &str| serde_json::json!({"user": {"id": id}});
        let message: ChatMessage = serde_json::from_value(serde_json::json!({
            "id": "1",
            "reactions": [
                by("like", person("ana")),
                by("👍", person("bo")),
                by("heart", serde_json::json!({"application": {"id": "THE-APP"}})),
                by("custom", serde_json::json!({"user": null})),
            ],
        }))
        .unwrap();
        let listed = listed(&message, "the-app");
        let [thumbs] = &listed[..] else { panic!("one emoji of people") };
        assert_eq!(
            thumbs.by,
            [("ana".into(), Some(1_795_254_031_000)), ("bo".into(), Some(1_795_254_031_000))]
        );
        assert!(thumbs.complete);
    }
}
