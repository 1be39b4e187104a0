//! Reading again: one message, what happened since, our own copies.

use std::collections::BTreeMap;
use std::time::Duration;

use dragoman_model::operation::Candidate;
use dragoman_model::{Message, Post, RemoteMessage, Spokesman, codes};
use dragoman_platform::{Conversation, Failure, HistoryPage, HistoryQuery, Session, byline};
use serde::{Deserialize, Serialize};

use crate::api::{Call, CallError, segment};
use crate::client::{Answered, Client};
use crate::decode;
use crate::encode;
use crate::errors::Class;
use crate::files;
use crate::people;
use crate::reactions;
use crate::wire::answers::{Messages, next};
use crate::wire::message as wire;

/// Messages per call: Zoom's most.
const PAGE: usize = 50;
/// Calls that one window may take before it is given up: ten thousand messages.
const MOST_CALLS: usize = 200;
/// How much time is listed at once, in milliseconds. Pages of Zoom go from new to old, ours the other way.
const WINDOW_MS: i64 = 24 * 3_600_000;
/// Zoom lists six months; somewhat less, so that no edge is met. In milliseconds.
const OLDEST_MS: i64 = 180 * 24 * 3_600_000;
/// How far Zoom's clock may be from ours, in milliseconds.
const CLOCKS_MS: i64 = 120_000;

/// Where a listing goes on.
#[derive(Serialize, Deserialize)]
struct Place {
    from_ms: i64,
    /// Where it ends: the time at which it was begun, and what Zoom's clock may be ahead.
    end_ms: i64,
}

/// A message in its current state.
pub(crate) async fn message(
    client: &Client,
    session: &Session,
    conversation: &Conversation,
    id: &RemoteMessage,
) -> Result<Option<Message>, Failure> {
    if let Some(found) = look(client, session, conversation, id).await? {
        return Ok(Some(found));
    }
    // For about a second Zoom says so of messages that were just sent as well.
    tokio::time::sleep(Duration::from_millis(client.settings.settle_ms)).await;
    look(client, session, conversation, id).await
}

/// The same, asked once.
pub(crate) async fn look(
    client: &Client,
    session: &Session,
    conversation: &Conversation,
    id: &RemoteMessage,
) -> Result<Option<Message>, Failure> {
    let (key, to) = encode::target(conversation);
    for form in client.memory.forms(id) {
        let path = people::user_path(session, &format!("messages/{}", segment(&form)));
        match client.read_at::<wire::Message>(session, &Call::get(path).and(key, to.clone())).await {
            Ok(Answered { value, at_ms }) if !decode::is_gone(&value) => {
                let list = vec![value];
                return Ok(understood(client, session, conversation, &list, at_ms).await.pop());
            }
            Ok(_) => return Ok(None),
            Err(error) if error.class() == Some(Class::Message) => {}
            Err(error) => return Err(error.failure()),
        }
    }
    Ok(None)
}

/// Messages since a moment, a day at a time, oldest first. Replies stand among the others, by their own time.
pub(crate) async fn history(
    client: &Client,
    session: &Session,
    conversation: &Conversation,
    query: &HistoryQuery,
) -> Result<HistoryPage, Failure> {
    client.memory.learn(session, Some(&conversation.remote));
    let now_ms = client.clock.now_ms();
    let place = match &query.cursor {
        Some(cursor) => serde_json::from_str(cursor).map_err(|_| Failure::Refused(codes::BAD_REQUEST))?,
        None => Place { from_ms: query.since_ms.max(now_ms - OLDEST_MS), end_ms: now_ms + CLOCKS_MS },
    };
    let to_ms = place.from_ms.saturating_add(WINDOW_MS).min(place.end_ms);
    let (found, read_ms) = window(client, session, conversation, place.from_ms, to_ms).await?;
    let own = reactions::own(session, conversation);
    let reacted = found.iter().filter(|message| !message.reactions.is_empty()).filter_map(|message| {
        let id = message.id.as_deref().or(message.message_id.as_deref()).or(message.msg_id.as_deref())?;
        Some((client.memory.id(id), reactions::listed(message, &own)))
    });
    let reactions = reactions::may_know(session).then(|| reacted.collect());
    let mut messages = understood(client, session, conversation, &found, read_ms).await;
    messages.sort_by(|a, b| (a.sent_at_ms, &a.id).cmp(&(b.sent_at_ms, &b.id)));
    let next = (to_ms < place.end_ms).then_some(Place { from_ms: to_ms, end_ms: place.end_ms });
    let next = next.map(|place| serde_json::to_string(&place)).transpose();
    Ok(HistoryPage { messages, reactions, next: next.map_err(|_| Failure::Malformed(codes::MALFORMED))? })
}

/// What was sent from a moment to before another and still stands, and when it was read.
async fn window(
    client: &Client,
    session: &Session,
    conversation: &Conversation,
    from_ms: i64,
    to_ms: i64,
) -> Result<(Vec<wire::Message>, i64), Failure> {
    let (key, to) = encode::target(conversation);
    // Whole seconds, outwards: what lies outside is left out here.
    let (from, until) = (moment(from_ms.div_euclid(1_000)), moment(to_ms.div_euclid(1_000) + 1));
    let mut found: BTreeMap<RemoteMessage, wire::Message> = BTreeMap::new();
    let mut read_ms = i64::MAX;
    let mut token = None;
    for _ in 0..MOST_CALLS {
        let mut call = Call::get(people::user_path(session, "messages"))
            .and(key, to.clone())
            .and("from", from.clone())
            .and("to", until.clone())
            .and("page_size", PAGE.to_string())
            .and("include_deleted_and_edited_message", "true");
        if let Some(token) = token {
            call = call.and("next_page_token", token);
        }
        let page: Answered<Messages> = client.read_at(session, &call).await.map_err(CallError::failure)?;
        read_ms = read_ms.min(page.at_ms);
        for message in page.value.messages {
            let inside = decode::sent_ms(&message).is_some_and(|at| (from_ms..to_ms).contains(&at));
            let id = message.id.as_deref().or(message.message_id.as_deref()).or(message.msg_id.as_deref());
            if let Some(id) = id.filter(|_| inside && !decode::is_gone(&message)) {
                let id = client.memory.id(id);
                found.insert(id, message);
            }
        }
        token = next(page.value.next_page_token);
        if token.is_none() {
            return Ok((found.into_values().collect(), read_ms));
        }
    }
    Err(Failure::Refused(codes::NOT_RECOVERABLE))
}

/// `2026-11-21T09:40:31Z`.
fn moment(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map_or_else(|_| String::new(), |at| at.to_string())
}

/// Messages of ours in the same thread that begin with an author's name or, in a person's name, say what the post says;
/// oldest first. Zoom carries no marker.
pub(crate) async fn find(
    client: &Client,
    session: &Session,
    conversation: &Conversation,
    post: &Post,
    since_ms: i64,
) -> Result<Vec<Candidate>, Failure> {
    let now_ms = client.clock.now_ms();
    let from_ms = since_ms.saturating_sub(CLOCKS_MS).max(now_ms - OLDEST_MS);
    let (found, read_ms) = window(client, session, conversation, from_ms, now_ms + CLOCKS_MS).await?;
    let wanted = encode::text(post).message;
    let (equal, others): (Vec<wire::Message>, Vec<wire::Message>) =
        found.into_iter().partition(|message| says(message, &wanted));
    // What stands in a person's own name is not the bridge user's.
    let as_app = post.spokesman == Spokesman::App;
    let mut candidates = Vec::new();
    for (same, list) in [(true, equal), (false, others)] {
        for message in understood(client, session, conversation, &list, read_ms).await {
            let fits = same || as_app && byline::may_be(&message.body, post);
            if fits && message.origin.ours == as_app && message.thread_root == post.thread_root {
                candidates.push(Candidate {
                    at_ms: message.sent_at_ms,
                    version: message.version,
                    message: message.id,
                    same,
                    file: message.files.into_iter().next().map(|file| file.name),
                    beside: None,
                });
            }
        }
    }
    candidates.sort_by(|a, b| (a.at_ms, &a.message).cmp(&(b.at_ms, &b.message)));
    Ok(candidates)
}

/// Whether a message says this; where it is nothing, a file may stand there with its name.
fn says(message: &wire::Message, wanted: &str) -> bool {
    let text = message.message.as_deref().unwrap_or_default();
    let first = || message.files.first().and_then(|file| file.file_name.as_deref());
    let name = || first().or(message.file_name.as_deref());
    text == wanted || wanted.is_empty() && name().is_some_and(|name| text == files::label(name))
}

/// Messages in canonical form, their authors by the ids that events have.
async fn understood(
    client: &Client,
    session: &Session,
    conversation: &Conversation,
    list: &[wire::Message],
    read_ms: i64,
) -> Vec<Message> {
    let unknown = list.iter().filter(|message| message.sender_user_id.is_none());
    let mut wanted: Vec<&str> =
        unknown.filter_map(|message| message.send_member_id.as_deref()).filter(|id| !id.is_empty()).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let users = if wanted.is_empty() {
        BTreeMap::new()
    } else {
        people::users_of(client, session, conversation, wanted.into_iter()).await
    };
    let own = reactions::own(session, conversation);
    let person = |member: &str| users.get(member).cloned();
    list.iter()
        .filter_map(|message| decode::listed(message, &own, &client.memory, read_ms, &person))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_as_zoom_reads_them() {
        assert_eq!(moment(1_795_254_031), "2026-11-21T09:40:31Z");
    }
}
