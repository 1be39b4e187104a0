//! Reactions that stand at a message.

use dragoman_model::{ListedReaction, RemoteUser, codes};
use dragoman_platform::{Conversation, Failure, Session};

use crate::api::{Call, segment};
use crate::capabilities::granted;
use crate::client::{Answered, Client};
use crate::decode::{self, Own};
use crate::encode;
use crate::errors::Class;
use crate::ids;
use crate::people;
use crate::wire::message::{Message, Reaction};

/// What stands at a message, without the bridge user's. Zoom tells no times.
pub(crate) fn listed(message: &Message, own: &Own) -> Vec<ListedReaction> {
    let each = message.reactions.iter().filter_map(|reaction| {
        let emoji = reaction.emoji.as_deref().filter(|emoji| !emoji.is_empty())?;
        let (people, paired) = people_of(reaction);
        let by = people.iter().filter(|(user, member)| !own.is(*user, *member, None));
        let by: Vec<(RemoteUser, Option<i64>)> =
            by.filter_map(|(user, member)| Some((ids::person(*user, *member)?, None))).collect();
        let complete = paired && reaction.total_count.is_none_or(|count| count <= people.len() as u64);
        Some(ListedReaction { emoji: ids::emoji(emoji), by, complete })
    });
    each.collect()
}

/// A user id and a member id; of strangers the latter alone.
type Pair<'a> = (Option<&'a str>, Option<&'a str>);

/// Who reacted: lists have pairs of ids, a single message has two lists. Whether they can be told apart.
fn people_of(reaction: &Reaction) -> (Vec<Pair<'_>>, bool) {
    if !reaction.senders.is_empty() {
        let pairs = reaction.senders.iter().map(|it| (it.user_id.as_deref(), it.member_id.as_deref()));
        return (pairs.collect(), true);
    }
    let (users, members) = (&reaction.user_ids, &reaction.member_ids);
    let user = |at: usize| users.get(at).map(String::as_str);
    if members.is_empty() || users.len() == members.len() {
        let member = |at: usize| members.get(at).map(String::as_str);
        return ((0..users.len()).map(|at| (user(at), member(at))).collect(), true);
    }
    // Somebody is in one of them only.
    ((0..users.len()).map(|at| (user(at), None)).collect(), false)
}

/// The ids of the bridge user, by which its own reactions are left out.
pub(crate) fn own(session: &Session, conversation: &Conversation) -> Own {
    let mut own = Own::of(session);
    conversation.fact("bridge_member").clone_into(&mut own.member);
    own
}

/// Whether the app may know of reactions.
pub(crate) fn may_know(session: &Session) -> bool {
    granted(&session.installation, "team_chat:read:message_emoji", "chat:read")
}

/// What stands at a message now.
pub(crate) async fn read(
    client: &Client,
    session: &Session,
    conversation: &Conversation,
    id: &dragoman_model::RemoteMessage,
) -> Result<Option<Vec<ListedReaction>>, Failure> {
    if !may_know(session) {
        return Err(Failure::Refused(codes::NOT_REREADABLE));
    }
    let (key, to) = encode::target(conversation);
    for form in client.memory.forms(id) {
        let path = people::user_path(session, &format!("messages/{}", segment(&form)));
        match client.read_at::<Message>(session, &Call::get(path).and(key, to.clone())).await {
            Ok(Answered { value, .. }) if !decode::is_gone(&value) => {
                return Ok(Some(listed(&value, &own(session, conversation))));
            }
            Ok(_) => return Ok(None),
            Err(error) if error.class() == Some(Class::Message) => {}
            Err(error) => return Err(error.failure()),
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(reaction: serde_json::Value) -> (Vec<String>, bool) {
        let message: Message =
            serde_json::from_value(serde_json::json!({"id": "m", "reactions": [reaction]})).unwrap();
        let own = Own { user: "app".to_owned(), ..Own::default() };
        let mut listed = listed(&message, &own);
        let one = listed.pop().unwrap();
        (one.by.into_iter().map(|(user, _)| user.as_str().to_owned()).collect(), one.complete)
    }

    #[test]
    fn people_are_listed_in_both_forms_and_the_bridge_user_is_not() {
        let in_list = serde_json::json!({"emoji": "U+1F44D", "total_count": 3, "senders": [
            {"user_id": "ana", "member_id": "m1"}, {"user_id": "app"}, {"user_id": "", "member_id": "stranger"},
        ]});
        assert_eq!(of(in_list), (vec!["ana".to_owned(), "stranger".to_owned()], true));
        let alone = |users: &[&str], members: &[&str]| {
            of(serde_json::json!({
                "emoji": "U+1F44D", "total_count": members.len(), "user_ids": users, "member_ids": members,
            }))
        };
        assert_eq!(alone(&["ana", ""], &["m1", "m2"]), (vec!["ana".to_owned(), "m2".to_owned()], true));
        assert_eq!(alone(&["ana"], &["m1", "m2"]), (vec!["ana".to_owned()], false));
    }
}
