//! Reactions that stand at a message.

use std::collections::BTreeMap;

use dragoman_model::{ListedReaction, RemoteMessage, codes};
use dragoman_platform::{Conversation, Failure, Session};

use crate::api::CallError;
use crate::capabilities::granted;
use crate::client::Client;
use crate::decode::Own;
use crate::encode::reaction_emoji;
use crate::wire::answers::{Form, Reacted};
use crate::wire::message::Message;

/// What stands at a message, without the app's own. Slack tells no times, and of many people it names some.
pub(crate) fn listed(message: &Message, own: &Own) -> Vec<ListedReaction> {
    let each = message.reactions.iter().map(|reaction| ListedReaction {
        emoji: reaction_emoji(&reaction.name),
        by: reaction
            .users
            .iter()
            .filter(|user| !user.is_empty() && **user != own.bot_user)
            .map(|user| (user.as_str().into(), None))
            .collect(),
        complete: reaction.count.is_none_or(|count| count <= reaction.users.len() as u64),
    });
    each.collect()
}

/// The same of the messages of a page. `None`: the app may not know.
pub(crate) fn of_page<'a>(
    session: &Session,
    messages: impl Iterator<Item = (&'a String, &'a Message)>,
) -> Option<BTreeMap<RemoteMessage, Vec<ListedReaction>>> {
    if !granted(&session.installation, "reactions:read") {
        return None;
    }
    let own = Own::of(session);
    let reacted = messages.filter(|(_, message)| !message.reactions.is_empty());
    Some(reacted.map(|(ts, message)| (ts.as_str().into(), listed(message, &own))).collect())
}

/// What stands at a message now.
pub(crate) async fn read(
    client: &Client,
    session: &Session,
    conversation: &Conversation,
    id: &RemoteMessage,
) -> Result<Option<Vec<ListedReaction>>, Failure> {
    if !granted(&session.installation, "reactions:read") {
        return Err(Failure::Refused(codes::NOT_REREADABLE));
    }
    let form = Form::from([
        ("channel", conversation.remote.as_str().to_owned()),
        ("timestamp", id.as_str().to_owned()),
        // Else not everybody may be named.
        ("full", "true".to_owned()),
    ]);
    let answer: Result<Reacted, CallError> = client.read(session, "reactions.get", form).await;
    match answer {
        Ok(answer) => Ok(Some(listed(&answer.message, &Own::of(session)))),
        Err(error) if error.word() == "message_not_found" => Ok(None),
        Err(error) => Err(error.failure()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_listed_and_the_app_is_not() {
        let message: Message = serde_json::from_value(serde_json::json!({
            "ts": "1.2",
            "reactions": [
                {"name": "+1", "users": ["UANA", "UAPP"], "count": 2},
                {"name": "shipit", "users": ["UANA"], "count": 70},
                {"name": 7},
            ],
        }))
        .unwrap();
        let own = Own { bot_user: "UAPP".to_owned(), ..Own::default() };
        let listed = listed(&message, &own);
        let people = |at: usize| listed[at].by.iter().map(|(user, _)| user.as_str()).collect::<Vec<_>>();
        assert_eq!(listed.len(), 2);
        assert_eq!((people(0), listed[0].complete), (vec!["UANA"], true));
        assert_eq!((people(1), listed[1].complete), (vec!["UANA"], false));
    }
}
